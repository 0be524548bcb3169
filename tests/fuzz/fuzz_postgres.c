/*
 * Cells of PostgreSQL results: any bytes as any type, in both forms. What is taken is of the
 * type's kind and lies in memory that can be read; what is refused says so. First byte: the type,
 * second: the form, then the cell. With a third form it is JSON on its way to an array.
 */
#include "fuzz.h"

#include <driver/postgres_driver.h>

enum { HEAD = 2, JSON_FORM = 2, MINE = HY__PG_FIRST_OWN };

static const Oid types[] = {
    16,   17,   18,   19,   20,   21,   23,   25,       26,       114,  142,  199,  700,
    701,  705,  1000, 1001, 1002, 1003, 1005, 1007,     1009,     1014, 1015, 1016, 1021,
    1022, 1028, 1042, 1043, 1082, 1083, 1114, 1115,     1182,     1183, 1184, 1185, 1231,
    1700, 2278, 2950, 2951, 3802, 3807, MINE, MINE + 1, MINE + 2, 600,
};
enum { N_TYPES = sizeof types / sizeof types[0] };

static hy__postgres *connection(void)
{
    static hy__postgres c;
    static bool open;

    if (!open) {
        hy_arena_init(&c.scratch, c.first_scratch, sizeof c.first_scratch);
        hy_buf_init(&c.text);
        hy_buf_init(&c.item);
        must(hy__postgres_type_add(&c, MINE, 'E', 0, '\0'));
        must(hy__postgres_type_add(&c, MINE + 1, 'A', MINE, 'E'));
        must(hy__postgres_type_add(&c, MINE + 2, 'S', 0, '\0'));
        open = true;
    }
    hy_arena_clear(&c.scratch);
    return &c;
}

/* Every byte can be read, and decoding to the kind ends. */
static void check(hy_kind kind, const hy_value *value)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    volatile uint64_t sum = 0;
    hy_value out;

    if (value->type == HY_TEXT || value->type == HY_BLOB || value->type == HY_JSON ||
        value->type == HY_DECIMAL)
        for (size_t i = 0; i < value->as.text.size; i++)
            sum = sum + (unsigned char)value->as.text.data[i];
    (void)hy_value_decode(kind, value, scratch, &out, NULL);
}

static int check_literal(const char *json, size_t size)
{
    hy_error err;
    hy_buf out;

    hy_buf_init(&out);
    if (hy__postgres_array_literal(json, size, &out, &err) == HY_OK)
        must(out.size <= 2 * size && memchr(hy_buf_text(&out), '\0', out.size) == NULL);
    else
        must(err.status == HY_EDATA_INVALID);
    hy_buf_clear(&out);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    if (data[1] == JSON_FORM)
        return check_literal((const char *)data + HEAD, size - HEAD);
    hy__postgres *c = connection();
    const hy__postgres_type *type = hy__postgres_type_of(c, types[data[0] % N_TYPES]);
    hy__postgres_decoder decode = data[1] % 2 == 0 ? type->binary : type->text;
    hy__postgres_bytes in = {(const char *)data + HEAD, size - HEAD};
    hy_value value = hy_null();
    hy_error err;

    if (decode == NULL)
        return 0;
    hy_error_clear(&err);
    hy_status status = decode(c, type, in, &value, &err);
    if (status == HY_OK)
        check(type->kind, &value);
    else
        must(err.status == status && err.message[0] != '\0');
    return 0;
}
