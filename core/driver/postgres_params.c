/*
 * postgres_params.c - bound values as PostgreSQL's parameters.
 *
 * A value goes in binary when the parameter's type has that form for it, else as text, which
 * the server reads as whatever the parameter is. libpq copies everything when it sends, so
 * one block per connection serves all statements. Text is checked here, before anything is
 * sent: libpq would cut it at a NUL without a word.
 */
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
    char *at = scratch(s, FIXED_SIZE);

    if (at == NULL)
        return hy_fail_oom(s->err);
    for (int i = size; i-- > 0; number >>= 8)
        at[i] = (char)(number & 0xff);
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

static hy_status put(slot *s, const hy_value *v)
{
    switch (v->type) {
    case HY_INT:
        return put_int(s, v->as.integer);
    case HY_TEXT:
    case HY_JSON:
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

hy_status hy__postgres_params_encode(hy__postgres *c, const PGresult *described, const hy_bind *binds,
                                     size_t n, hy__postgres_params *out, hy_error *err)
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
    for (size_t i = 0; i < n; i++) {
        slot s = {.c = c, .type = described != NULL ? PQparamtype(described, (int)i) : 0, .err = err};
        hy_status status = put(&s, &binds[i].value);
        if (status != HY_OK)
            return status;
        values[i] = s.value;
        out->sizes[i] = s.size;
        out->formats[i] = s.format;
    }
    return HY_OK;
}
