/*
 * postgres_params.c - bound values as PostgreSQL's parameters; those of many rows as arrays.
 *
 * A value goes in binary when the parameter's type has that form for it, else as text, which
 * the server reads as whatever the parameter is. libpq copies everything when it sends, so
 * one block per connection serves all statements. Text is checked here, before anything is
 * sent: libpq would cut it at a NUL without a word.
 */
#include <endian.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "postgres_driver.h"

static const int64_t EPOCH_DAYS = 10957; /* 2000-01-01, where PostgreSQL counts from */
static const int64_t EPOCH_MICROS = INT64_C(946684800000000);

enum { FIXED_SIZE = 8, TEXT_SIZE = 64 };

/*
 * 0: the server infers it from where the parameter stands. Text of no stated kind may stand
 * for a date or a number, as in every other database; where the place wants nothing
 * (concat(?, id)) the driver asks again, with the second choice.
 */
static const Oid kind_types[HY_KIND_COUNT] = {
    [HY_KIND_ANY] = 0,
    [HY_KIND_BOOLEAN] = HY__PG_BOOL,
    [HY_KIND_TINYINT] = HY__PG_INT2,
    [HY_KIND_SMALLINT] = HY__PG_INT2,
    [HY_KIND_MEDIUMINT] = HY__PG_INT4,
    [HY_KIND_INTEGER] = HY__PG_INT4,
    [HY_KIND_BIGINT] = HY__PG_INT8,
    [HY_KIND_FLOAT] = HY__PG_FLOAT4,
    [HY_KIND_DOUBLE] = HY__PG_FLOAT8,
    [HY_KIND_DECIMAL] = HY__PG_NUMERIC,
    [HY_KIND_STRING] = HY__PG_TEXT,
    [HY_KIND_CHAR] = HY__PG_BPCHAR, /* as text it would not find its index */
    [HY_KIND_TEXT] = HY__PG_TEXT,
    [HY_KIND_ENUM] = 0,
    [HY_KIND_ULID] = HY__PG_BPCHAR,
    [HY_KIND_UUID] = HY__PG_UUID,
    [HY_KIND_BINARY] = HY__PG_BYTEA,
    [HY_KIND_VARBINARY] = HY__PG_BYTEA,
    [HY_KIND_JSON] = 0, /* or jsonb */
    [HY_KIND_JSONB] = HY__PG_JSONB,
    [HY_KIND_DATE] = HY__PG_DATE,
    [HY_KIND_TIME] = HY__PG_TIME,
    [HY_KIND_DATETIME] = HY__PG_TIMESTAMP,
    [HY_KIND_TIMESTAMP] = HY__PG_TIMESTAMP,
    [HY_KIND_CUSTOM] = 0,
};

/*
 * Between a timestamp with a zone and one without the server converts by the session's time
 * zone. In UTC nothing changes; in any other the server must infer which of the two it is.
 */
Oid hy__postgres_param_type(hy_kind kind, bool utc)
{
    Oid type = (unsigned)kind < HY_KIND_COUNT ? kind_types[kind] : 0;
    return type == HY__PG_TIMESTAMP && !utc ? 0 : type;
}

Oid hy__postgres_param_second_type(hy_kind kind)
{
    static const Oid second[HY_KIND_COUNT] = {
        [HY_KIND_JSON] = HY__PG_JSON,
        [HY_KIND_DATETIME] = HY__PG_TIMESTAMPTZ,
        [HY_KIND_TIMESTAMP] = HY__PG_TIMESTAMPTZ,
    };
    Oid type = (unsigned)kind < HY_KIND_COUNT ? second[kind] : 0;
    return type != 0 ? type : HY__PG_TEXT;
}

void *hy__postgres_params_reserve(hy__postgres *c, size_t size)
{
    if (size <= c->params_size)
        return c->params;
    void *grown = hy_realloc(c->params, size);
    if (grown == NULL)
        return NULL;
    c->params = grown;
    c->params_size = size;
    return grown;
}

/* ---- one parameter ---------------------------------------------------------------------- */

/* Where it goes. */
typedef struct slot {
    hy__postgres *c;
    Oid type;
    const char *value;
    int size, format;
    char *room; /* for numbers in binary; NULL: in c->scratch */
    hy_error *err;
} slot;

enum { FORMAT_TEXT, FORMAT_BINARY };

static char *scratch(slot *s, size_t size)
{
    char *memory = hy_arena_alloc(&s->c->scratch, size);
    s->value = memory;
    return memory;
}

static hy_status put_binary(slot *s, uint64_t number, int size)
{
    char *at = s->room != NULL ? s->room : scratch(s, FIXED_SIZE);
    uint64_t wire = htobe64(number << (64 - 8 * size)); /* its last `size` bytes, first */

    if (at == NULL)
        return hy_fail_oom(s->err);
    memcpy(at, &wire, FIXED_SIZE);
    s->value = at;
    s->size = size;
    s->format = FORMAT_BINARY;
    return HY_OK;
}

static hy_status put_bytes(slot *s, const void *data, size_t size)
{
    if (size > INT32_MAX)
        return hy_fail(s->err, HY_ELIMIT_EXCEEDED, "a value is larger than 2 GiB");
    s->value = data != NULL ? data : ""; /* a NULL pointer would be NULL */
    s->size = (int)size;
    s->format = FORMAT_BINARY;
    return HY_OK;
}

static hy_status refuse_range(const slot *s, const char *range)
{
    return hy_fail(s->err, HY_EDATA_INVALID, "a number is out of the range of its parameter (%s)", range);
}

static hy_status put_text_int(slot *s, int64_t number)
{
    char *at = scratch(s, HY_NUMBER_TEXT_SIZE);

    if (at == NULL)
        return hy_fail_oom(s->err);
    (void)hy_format_int(number, at);
    return HY_OK;
}

static hy_status put_int(slot *s, int64_t n)
{
    switch (s->type) {
    case HY__PG_INT8:
        return put_binary(s, (uint64_t)n, 8);
    case HY__PG_INT4:
        return n >= INT32_MIN && n <= INT32_MAX ? put_binary(s, (uint64_t)n, 4) : refuse_range(s, "32 bits");
    case HY__PG_INT2:
        return n >= INT16_MIN && n <= INT16_MAX ? put_binary(s, (uint64_t)n, 2) : refuse_range(s, "16 bits");
    default:
        return put_text_int(s, n);
    }
}

static hy_status put_float(slot *s, double number)
{
    uint32_t bits;

    if (isfinite(number) && fabs(number) > FLT_MAX)
        return refuse_range(s, "single precision");
    float single = (float)number;
    memcpy(&bits, &single, sizeof bits);
    return put_binary(s, bits, sizeof bits);
}

static hy_status put_double(slot *s, double number)
{
    uint64_t bits;

    if (s->type == HY__PG_FLOAT4)
        return put_float(s, number);
    if (s->type == HY__PG_FLOAT8) {
        memcpy(&bits, &number, sizeof bits);
        return put_binary(s, bits, sizeof bits);
    }
    char *at = scratch(s, HY_NUMBER_TEXT_SIZE);
    if (at == NULL)
        return hy_fail_oom(s->err);
    (void)hy_format_double(number, at);
    return HY_OK;
}

static hy_status refuse_text(const slot *s, hy_text_fault fault)
{
    return hy_fail(s->err, HY_EDATA_INVALID, "%s (use a binary column for bytes)",
                   fault == HY_TEXT_NUL ? "text with a NUL byte in it" : "text that is not valid UTF-8");
}

/* Said to be binary: that form of text is its bytes, with a size instead of a NUL at the end. */
static bool is_text_type(Oid type)
{
    return type == HY__PG_TEXT || type == HY__PG_VARCHAR || type == HY__PG_BPCHAR || type == HY__PG_JSON;
}

static hy_status put_text(slot *s, const char *data, size_t size)
{
    hy_text_fault fault = hy_text_check(data, size);

    if (fault != HY_TEXT_FINE)
        return refuse_text(s, fault);
    if (is_text_type(s->type))
        return put_bytes(s, data, size);
    char *at = scratch(s, size + 1);
    if (at == NULL)
        return hy_fail_oom(s->err);
    if (size > 0)
        memcpy(at, data, size);
    at[size] = '\0';
    return HY_OK;
}

/* Bytes for a parameter of another type: "\x0aff". */
static hy_status put_hex(slot *s, const char *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    if (s->type == HY__PG_BYTEA)
        return put_bytes(s, data, size);
    char *at = scratch(s, 2 * size + 3);
    if (at == NULL)
        return hy_fail_oom(s->err);
    *at++ = '\\';
    *at++ = 'x';
    for (size_t i = 0; i < size; i++) {
        *at++ = digits[(unsigned char)data[i] >> 4];
        *at++ = digits[(unsigned char)data[i] & 15];
    }
    *at = '\0';
    return HY_OK;
}

static hy_status put_formatted(slot *s, const hy_value *v)
{
    char *at = scratch(s, TEXT_SIZE);

    if (at == NULL)
        return hy_fail_oom(s->err);
    switch (v->type) {
    case HY_UUID:
        hy_uuid_format(v->as.uuid, at);
        break;
    case HY_DATE:
        (void)hy_date_format(v->as.days, at);
        break;
    case HY_TIME:
        (void)hy_time_format(v->as.micros, at);
        break;
    default:
        memcpy(at + hy_timestamp_format(v->as.micros, at), "+00", s->type == HY__PG_TIMESTAMPTZ ? 4 : 0);
        break;
    }
    return HY_OK;
}

static hy_status put_counted(slot *s, const hy_value *v)
{
    switch (v->type) {
    case HY_DATE:
        if (s->type == HY__PG_DATE)
            return put_binary(s, (uint64_t)(v->as.days - EPOCH_DAYS), 4);
        break;
    case HY_TIME:
        if (s->type == HY__PG_TIME)
            return put_binary(s, (uint64_t)v->as.micros, 8);
        break;
    case HY_TIMESTAMP:
        if (s->type == HY__PG_TIMESTAMP || s->type == HY__PG_TIMESTAMPTZ)
            return put_binary(s, (uint64_t)(v->as.micros - EPOCH_MICROS), 8);
        break;
    default:
        if (s->type == HY__PG_UUID)
            return put_bytes(s, v->as.uuid, sizeof v->as.uuid);
        break;
    }
    return put_formatted(s, v);
}

static hy_status put_bool(slot *s, bool truth)
{
    if (s->type == HY__PG_BOOL)
        return put_binary(s, truth, 1);
    s->value = truth ? "true" : "false";
    return HY_OK;
}

static hy_status put_array_text(slot *s, const char *json, size_t size)
{
    hy_buf *text = &s->c->text;

    hy_buf_reset(text);
    hy_status status = hy__postgres_array_literal(json, size, text, s->err);
    if (status != HY_OK)
        return status;
    s->value = text->failed ? NULL : hy_arena_strndup(&s->c->scratch, text->data, text->size);
    return s->value != NULL ? HY_OK : hy_fail_oom(s->err);
}

static hy_status put_json(slot *s, const char *json, size_t size)
{
    if (hy__postgres_type_of(s->c, s->type)->element != 0)
        return put_array_text(s, json, size);
    return put_text(s, json, size);
}

static hy_status put(slot *s, const hy_value *v)
{
    switch (v->type) {
    case HY_INT:
        return put_int(s, v->as.integer);
    case HY_JSON:
        return put_json(s, v->as.text.data, v->as.text.size);
    case HY_TEXT:
    case HY_DECIMAL:
        return put_text(s, v->as.text.data, v->as.text.size);
    case HY_DOUBLE:
        return put_double(s, v->as.number);
    case HY_BOOL:
        return put_bool(s, v->as.boolean);
    case HY_BLOB:
        return put_hex(s, v->as.text.data, v->as.text.size);
    case HY_UUID:
    case HY_DATE:
    case HY_TIME:
    case HY_TIMESTAMP:
        return put_counted(s, v);
    case HY_NULL:
    case HY_TYPE_COUNT:
        break;
    }
    s->value = NULL;
    return HY_OK;
}

/* ---- arrays ----------------------------------------------------------------------------- */

/* One column of the rows: an array of what `put` makes of its values. */
typedef struct column {
    slot whole;           /* where the array goes */
    const hy_bind *binds; /* of the first row */
    size_t n, step;       /* rows, and from one row's value to the next one's */
    Oid element;
} column;

enum { ARRAY_HEAD = 20, SIZE_SIZE = 4, MOST_FIXED = 16, MOST_ARRAY = 1 << 29 };

static const hy_bind *bind_at(const column *c, size_t row)
{
    return &c->binds[row * c->step];
}

static size_t bytes_of(const hy_value *v)
{
    switch (v->type) {
    case HY_TEXT:
    case HY_BLOB:
    case HY_JSON:
    case HY_DECIMAL:
        return v->as.text.size;
    default:
        return MOST_FIXED;
    }
}

/* Room for an array whose elements take `each` bytes besides `times` their own; NULL: see `status`. */
static char *make_room(column *c, size_t each, size_t times, hy_status *status)
{
    size_t size = ARRAY_HEAD;
    char *room = NULL;

    for (size_t i = 0; i < c->n && size <= MOST_ARRAY; i++)
        size += each + times * bytes_of(&bind_at(c, i)->value);
    *status = HY_OK;
    if (size > MOST_ARRAY)
        *status =
            hy_fail(c->whole.err, HY_ELIMIT_EXCEEDED,
                    "the rows are more than fit into one statement (512 MiB a column): insert fewer at once");
    else if ((room = scratch(&c->whole, size)) == NULL)
        *status = hy_fail_oom(c->whole.err);
    return room;
}

static hy_status put_element(const column *c, size_t row, int format, slot *s)
{
    hy_status status = put(s, &bind_at(c, row)->value);

    if (status == HY_OK && s->value != NULL && s->format != format)
        status = hy_fail(s->err, HY_EDATA_INVALID, "a value in a list of rows is not of its column's type");
    return status;
}

/* Values that most rows are made of: how they go in binary. */
static const struct plain_type {
    Oid type;
    hy_type takes;
    size_t size;
    int64_t low, high;
} plain_types[] = {
    {HY__PG_BOOL, HY_BOOL, 1, 0, 1},
    {HY__PG_INT2, HY_INT, 2, INT16_MIN, INT16_MAX},
    {HY__PG_INT4, HY_INT, 4, INT32_MIN, INT32_MAX},
    {HY__PG_INT8, HY_INT, 8, INT64_MIN, INT64_MAX},
    {HY__PG_FLOAT8, HY_DOUBLE, 8, 0, 0},
    {HY__PG_TIMESTAMP, HY_TIMESTAMP, 8, 0, 0},
    {HY__PG_TIMESTAMPTZ, HY_TIMESTAMP, 8, 0, 0},
    {HY__PG_TEXT, HY_TEXT, 0, 0, 0},
    {HY__PG_VARCHAR, HY_TEXT, 0, 0, 0},
    {HY__PG_BPCHAR, HY_TEXT, 0, 0, 0},
    {0, HY_TYPE_COUNT, 0, 0, 0}, /* any other */
};

static const struct plain_type *plain_type_of(Oid type)
{
    const struct plain_type *p = plain_types;

    while (p->type != 0 && p->type != type)
        p++;
    return p;
}

static bool write_number(const struct plain_type *plain, const hy_value *v, char *at)
{
    uint64_t wire;

    switch (v->type) {
    case HY_BOOL:
        wire = v->as.boolean;
        break;
    case HY_TIMESTAMP:
        wire = (uint64_t)(v->as.micros - EPOCH_MICROS);
        break;
    case HY_DOUBLE:
        memcpy(&wire, &v->as.number, sizeof wire);
        break;
    default:
        if (v->as.integer < plain->low || v->as.integer > plain->high)
            return false;
        wire = (uint64_t)v->as.integer;
        break;
    }
    wire = htobe64(wire << (64 - 8 * plain->size));
    memcpy(at, &wire, sizeof wire); /* there is room for MOST_FIXED */
    return true;
}

/* As put() would, straight to where it goes. False: ask put(), which also says what is wrong. */
static inline bool write_plain(const struct plain_type *plain, const hy_bind *bind, char *at, size_t *size)
{
    const hy_value *v = &bind->value;

    if (v->type != plain->takes)
        return false;
    *size = v->type == HY_TEXT ? v->as.text.size : plain->size;
    if (v->type != HY_TEXT)
        return write_number(plain, v, at);
    if (bind->kind == HY_KIND_ANY && hy_text_check(v->as.text.data, *size) != HY_TEXT_FINE)
        return false; /* of a stated kind it was checked when it was encoded */
    if (*size > 0)
        memcpy(at, v->as.text.data, *size);
    return true;
}

static char *write_word(char *at, uint32_t word)
{
    uint32_t wire = htobe32(word);

    memcpy(at, &wire, sizeof wire);
    return at + sizeof wire;
}

/* A value behind its size, or the mark of NULL; `*at` moves behind it. */
static hy_status write_element(const column *c, size_t row, char **at, uint32_t *any_null)
{
    slot s = {.c = c->whole.c, .type = c->element, .room = *at + SIZE_SIZE, .err = c->whole.err};
    hy_status status = put_element(c, row, FORMAT_BINARY, &s);

    if (status != HY_OK)
        return status;
    if (s.value == NULL) {
        *any_null = 1;
        *at = write_word(*at, UINT32_MAX);
        return HY_OK;
    }
    *at = write_word(*at, (uint32_t)s.size);
    if (s.value != *at && s.size > 0)
        memcpy(*at, s.value, (size_t)s.size);
    *at += s.size;
    return HY_OK;
}

/* Dimensions, whether there are NULLs, type; length and first index; each value behind its size. */
static hy_status write_binary_array(column *c)
{
    const struct plain_type *plain = plain_type_of(c->element);
    uint32_t any_null = 0;
    hy_status status;
    char *start = make_room(c, SIZE_SIZE, 1, &status);

    if (start == NULL)
        return status;
    char *at = start + ARRAY_HEAD;
    for (size_t i = 0; i < c->n; i++) {
        size_t size;
        if (write_plain(plain, bind_at(c, i), at + SIZE_SIZE, &size))
            at = write_word(at, (uint32_t)size) + size;
        else if ((status = write_element(c, i, &at, &any_null)) != HY_OK)
            return status;
    }
    (void)write_word(write_word(write_word(start, 1), any_null), c->element);
    (void)write_word(write_word(start + 12, (uint32_t)c->n), 1);
    c->whole.size = (int)(at - start);
    c->whole.format = FORMAT_BINARY;
    return HY_OK;
}

static char *write_quoted(char *at, const char *text)
{
    *at++ = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    *at++ = '"';
    return at;
}

/* {"1.50",NULL} */
static hy_status write_text_array(column *c)
{
    hy_status status;
    char *at = make_room(c, sizeof ",NULL", 2, &status);

    if (at == NULL)
        return status;
    *at++ = '{';
    for (size_t i = 0; i < c->n; i++) {
        slot s = {.c = c->whole.c, .type = c->element, .err = c->whole.err};
        status = put_element(c, i, FORMAT_TEXT, &s);
        if (status != HY_OK)
            return status;
        if (i > 0)
            *at++ = ',';
        if (s.value != NULL)
            at = write_quoted(at, s.value);
        else
            at = (char *)memcpy(at, "NULL", 4) + 4;
    }
    *at++ = '}';
    *at = '\0';
    return HY_OK;
}

/* Values of these types go as text, so their arrays do. */
static hy_status put_array(column *c)
{
    bool as_text = c->element == HY__PG_NUMERIC || c->element == HY__PG_JSONB;
    return as_text ? write_text_array(c) : write_binary_array(c);
}

/* ---- all of them ------------------------------------------------------------------------ */

static void keep_param(hy__postgres_params *out, size_t i, const slot *s)
{
    out->values[i] = s->value;
    out->sizes[i] = s->size;
    out->formats[i] = s->format;
}

/* The column may have a time zone or not: only in UTC that makes no difference. */
static hy_status refuse_zone(hy_error *err)
{
    return hy_fail(
        err, HY_EUNSUPPORTED,
        "timestamps of many rows can be sent only while the session's time zone is UTC: set it back, "
        "or insert a few rows at a time");
}

static hy_status encode_rows(hy__postgres *c, const PGresult *described, const hy_bind *binds, size_t n_rows,
                             size_t n, hy__postgres_params *out, hy_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const hy__postgres_type *type = hy__postgres_type_of(c, PQparamtype(described, (int)i));
        column list = {.whole = {.c = c, .err = err},
                       .binds = binds + i,
                       .n = n_rows,
                       .step = n,
                       .element = type->element};
        if (type->element == HY__PG_TIMESTAMP && !hy__postgres_is_utc(c))
            return refuse_zone(err);
        if (type->element == 0)
            return hy_fail(err, HY_EINVALID_ARGUMENT, "the statement has %zu parameters and got %zu values",
                           n, n * n_rows);
        hy_status status = put_array(&list);
        if (status != HY_OK)
            return status;
        keep_param(out, i, &list.whole);
    }
    return HY_OK;
}

static hy_status encode_row(hy__postgres *c, const PGresult *described, const hy_bind *binds, size_t n,
                            hy__postgres_params *out, hy_error *err)
{
    for (size_t i = 0; i < n; i++) {
        slot s = {.c = c, .type = described != NULL ? PQparamtype(described, (int)i) : 0, .err = err};
        hy_status status = put(&s, &binds[i].value);
        if (status != HY_OK)
            return status;
        keep_param(out, i, &s);
    }
    return HY_OK;
}

hy_status hy__postgres_params_encode(hy__postgres *c, const PGresult *described, const hy_bind *binds,
                                     size_t n_rows, size_t n, hy__postgres_params *out, hy_error *err)
{
    *out = (hy__postgres_params){0};
    if (n == 0)
        return HY_OK;
    const char **values = hy__postgres_params_reserve(c, n * (sizeof(char *) + 2 * sizeof(int)));
    if (values == NULL)
        return hy_fail_oom(err);
    out->values = values;
    out->sizes = (int *)(void *)(values + n);
    out->formats = out->sizes + n;
    hy_arena_clear(&c->scratch);
    return n_rows > 1 ? encode_rows(c, described, binds, n_rows, n, out, err)
                      : encode_row(c, described, binds, n, out, err);
}
