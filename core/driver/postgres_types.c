/*
 * postgres_types.c - cells of a PostgreSQL result as values, and the types that have them.
 *
 * Each type has a decoder for the binary and one for the text form; both give the same value.
 * Nothing the server sends is trusted: sizes are looked at first. What has no counterpart
 * (infinite dates, years outside 1 to 9999, NaN as a decimal) is refused, never guessed. A
 * float4 is widened exactly: 0.1 reads back as the nearest single. Messages name types only.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "postgres_driver.h"

static const int64_t EPOCH_DAYS = 10957; /* 2000-01-01, where PostgreSQL counts from */
static const int64_t EPOCH_MICROS = INT64_C(946684800000000);

hy_status hy__postgres_refuse_value(const hy__postgres_type *type, const char *why, hy_error *err)
{
    return hy_fail(err, HY_EDATA_INVALID, "a value in the result (kind %s, type number %u): %s",
                   hy_kind_name(type->kind), type->oid, why);
}

static hy_status refuse_size(const hy__postgres_type *type, hy_error *err)
{
    return hy__postgres_refuse_value(type, "the server sent it in an unknown form", err);
}

/* Big-endian, sign from the first byte; 1, 2, 4 or 8 of them. */
int64_t hy__postgres_int(const char *data, size_t size)
{
    uint64_t wide;
    uint32_t word;
    uint16_t half;

    switch (size) {
    case sizeof wide:
        memcpy(&wide, data, sizeof wide);
        return (int64_t)be64toh(wide);
    case sizeof word:
        memcpy(&word, data, sizeof word);
        return (int32_t)be32toh(word);
    case sizeof half:
        memcpy(&half, data, sizeof half);
        return (int16_t)be16toh(half);
    default:
        return (signed char)data[0];
    }
}

/* ---- booleans and numbers --------------------------------------------------------------- */

static hy_status bool_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                             hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != 1)
        return refuse_size(type, err);
    *out = hy_bool(in.data[0] != 0);
    return HY_OK;
}

static hy_status bool_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                           hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != 1 || (in.data[0] != 't' && in.data[0] != 'f'))
        return refuse_size(type, err);
    *out = hy_bool(in.data[0] == 't');
    return HY_OK;
}

/* int2, int4, int8: their size is the type's. */
static hy_status int_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                            hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != 8 && in.size != 4 && in.size != 2)
        return refuse_size(type, err);
    *out = hy_int(hy__postgres_int(in.data, in.size));
    return HY_OK;
}

static hy_status oid_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                            hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != 4)
        return refuse_size(type, err);
    *out = hy_int((int64_t)(uint32_t)hy__postgres_int(in.data, in.size));
    return HY_OK;
}

static hy_status int_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                          hy_value *out, hy_error *err)
{
    int64_t n;

    (void)c;
    if (!hy_parse_int(in.data, in.size, &n))
        return refuse_size(type, err);
    *out = hy_int(n);
    return HY_OK;
}

static hy_status float4_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                               hy_value *out, hy_error *err)
{
    float number;

    (void)c;
    if (in.size != sizeof number)
        return refuse_size(type, err);
    uint32_t bits = (uint32_t)hy__postgres_int(in.data, in.size);
    memcpy(&number, &bits, sizeof number);
    *out = hy_double((double)number);
    return HY_OK;
}

static hy_status float8_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                               hy_value *out, hy_error *err)
{
    double number;

    (void)c;
    if (in.size != sizeof number)
        return refuse_size(type, err);
    int64_t bits = hy__postgres_int(in.data, in.size);
    memcpy(&number, &bits, sizeof number);
    *out = hy_double(number);
    return HY_OK;
}

static hy_status float_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                            hy_value *out, hy_error *err)
{
    double number;

    (void)c;
    if (!hy_parse_double(in.data, in.size, &number))
        return refuse_size(type, err);
    *out = hy_double(type->oid == HY__PG_FLOAT4 ? (double)(float)number : number);
    return HY_OK;
}

/* ---- numeric: digits of base 10000 ------------------------------------------------------ */

enum {
    NUMERIC_HEAD = 8,
    NUMERIC_GROUP = 4, /* decimal digits in one of base 10000 */
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_SCALE_MAX = 0x3fff
};

typedef struct numeric {
    const char *digits; /* n of them, two bytes each */
    int n, weight, scale;
    bool negative;
} numeric;

static int16_t numeric_short(const char *data)
{
    return (int16_t)hy__postgres_int(data, 2);
}

/* The group at `index`; those before and after the ones that are stored are zero. */
static int numeric_group(const numeric *x, int index)
{
    return index >= 0 && index < x->n ? numeric_short(x->digits + 2 * index) : 0;
}

static bool read_numeric(hy__postgres_bytes in, numeric *x, bool *finite)
{
    if (in.size < NUMERIC_HEAD)
        return false;
    int sign = numeric_short(in.data + 4);
    *x = (numeric){.digits = in.data + NUMERIC_HEAD,
                   .n = numeric_short(in.data),
                   .weight = numeric_short(in.data + 2),
                   .scale = numeric_short(in.data + 6),
                   .negative = sign == NUMERIC_NEGATIVE};
    *finite = sign == 0 || sign == NUMERIC_NEGATIVE;
    if (!*finite)
        return true;
    if (x->n < 0 || x->scale < 0 || x->scale > NUMERIC_SCALE_MAX ||
        in.size != NUMERIC_HEAD + 2 * (size_t)x->n)
        return false;
    for (int i = 0; i < x->n; i++)
        if (numeric_group(x, i) < 0 || numeric_group(x, i) > 9999)
            return false;
    return true;
}

static char *put_group(char *at, int group)
{
    for (int unit = 1000; unit > 0; unit /= 10)
        *at++ = (char)('0' + group / unit % 10);
    return at;
}

static char *put_whole(char *at, const numeric *x)
{
    char *start = at;

    for (int i = 0; i <= x->weight; i++)
        at = put_group(at, numeric_group(x, i));
    char *first = start;
    while (first < at - 1 && *first == '0')
        first++;
    if (first > start)
        memmove(start, first, (size_t)(at - first));
    at -= first - start;
    if (at == start)
        *at++ = '0';
    return at;
}

static char *put_fraction(char *at, const numeric *x)
{
    char *end = at + 1 + x->scale;

    if (x->scale == 0)
        return at;
    *at++ = '.';
    for (int i = x->weight + 1; at < end; i++)
        at = put_group(at, numeric_group(x, i));
    return end;
}

static hy_status numeric_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                                hy_value *out, hy_error *err)
{
    numeric x;
    bool finite;

    if (!read_numeric(in, &x, &finite))
        return refuse_size(type, err);
    if (!finite)
        return hy__postgres_refuse_value(type, "NaN and infinity are no decimals", err);
    size_t whole = x.weight >= 0 ? ((size_t)x.weight + 1) * NUMERIC_GROUP : 1;
    char *text = hy_arena_alloc(&c->scratch, 1 + whole + 1 + (size_t)x.scale + NUMERIC_GROUP);
    if (text == NULL)
        return hy_fail_oom(err);
    char *at = text;
    if (x.negative)
        *at++ = '-';
    at = put_fraction(put_whole(at, &x), &x);
    *out = hy_bytes(HY_DECIMAL, text, (size_t)(at - text));
    return HY_OK;
}

static hy_status numeric_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                              hy_value *out, hy_error *err)
{
    (void)c;
    for (size_t i = 0; i < in.size; i++)
        if ((in.data[i] < '0' || in.data[i] > '9') && in.data[i] != '.' && in.data[i] != '-')
            return hy__postgres_refuse_value(type, "NaN and infinity are no decimals", err);
    *out = hy_bytes(HY_DECIMAL, in.data, in.size);
    return HY_OK;
}

/* ---- text and bytes --------------------------------------------------------------------- */

static hy_status text_any(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                          hy_value *out, hy_error *err)
{
    (void)c;
    (void)type;
    (void)err;
    *out = hy_bytes(HY_TEXT, in.data, in.size);
    return HY_OK;
}

/* The server fills a char(n) up with blanks, which are no part of the value. */
static hy_status char_any(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                          hy_value *out, hy_error *err)
{
    while (in.size > 0 && in.data[in.size - 1] == ' ')
        in.size--;
    return text_any(c, type, in, out, err);
}

static hy_status json_any(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                          hy_value *out, hy_error *err)
{
    (void)c;
    (void)type;
    (void)err;
    *out = hy_bytes(HY_JSON, in.data, in.size);
    return HY_OK;
}

/* A version number goes before the text. */
static hy_status jsonb_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                              hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size < 1 || in.data[0] != 1)
        return refuse_size(type, err);
    *out = hy_bytes(HY_JSON, in.data + 1, in.size - 1);
    return HY_OK;
}

static hy_status bytea_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                              hy_value *out, hy_error *err)
{
    (void)c;
    (void)type;
    (void)err;
    *out = hy_bytes(HY_BLOB, in.data, in.size);
    return HY_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* "\x0aff": the session is set to that form. */
static hy_status bytea_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                            hy_value *out, hy_error *err)
{
    if (in.size < 2 || in.size % 2 != 0 || in.data[0] != '\\' || in.data[1] != 'x')
        return refuse_size(type, err);
    size_t size = in.size / 2 - 1;
    char *bytes = hy_arena_alloc(&c->scratch, size + 1);
    if (bytes == NULL)
        return hy_fail_oom(err);
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(in.data[2 * i + 2]), low = hex_digit(in.data[2 * i + 3]);
        if (high < 0 || low < 0)
            return refuse_size(type, err);
        bytes[i] = (char)(high << 4 | low);
    }
    *out = hy_bytes(HY_BLOB, bytes, size);
    return HY_OK;
}

static hy_status uuid_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                             hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != sizeof out->as.uuid)
        return refuse_size(type, err);
    out->type = HY_UUID;
    memcpy(out->as.uuid, in.data, sizeof out->as.uuid);
    return HY_OK;
}

static hy_status uuid_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                           hy_value *out, hy_error *err)
{
    (void)c;
    out->type = HY_UUID;
    return hy_uuid_parse(in.data, in.size, out->as.uuid) ? HY_OK : refuse_size(type, err);
}

/* ---- dates and times -------------------------------------------------------------------- */

static hy_status refuse_date(const hy__postgres_type *type, hy_error *err)
{
    return hy__postgres_refuse_value(
        type, "only dates of the years 1 to 9999 can be read, none that are infinite", err);
}

static hy_status give_days(const hy__postgres_type *type, int64_t days, hy_value *out, hy_error *err)
{
    if (!hy_date_in_range(days))
        return refuse_date(type, err);
    out->type = HY_DATE;
    out->as.days = days;
    return HY_OK;
}

static hy_status give_time(const hy__postgres_type *type, int64_t micros, hy_value *out, hy_error *err)
{
    if (!hy_time_in_range(micros))
        return refuse_size(type, err);
    out->type = HY_TIME;
    out->as.micros = micros;
    return HY_OK;
}

static hy_status give_timestamp(const hy__postgres_type *type, int64_t micros, hy_value *out, hy_error *err)
{
    if (!hy_timestamp_in_range(micros))
        return refuse_date(type, err);
    out->type = HY_TIMESTAMP;
    out->as.micros = micros;
    return HY_OK;
}

static hy_status date_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                             hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != 4)
        return refuse_size(type, err);
    return give_days(type, hy__postgres_int(in.data, in.size) + EPOCH_DAYS, out, err);
}

static hy_status date_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                           hy_value *out, hy_error *err)
{
    int64_t days;

    (void)c;
    return hy_date_parse(in.data, in.size, &days) ? give_days(type, days, out, err) : refuse_date(type, err);
}

static hy_status time_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                             hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != 8)
        return refuse_size(type, err);
    return give_time(type, hy__postgres_int(in.data, in.size), out, err);
}

static hy_status time_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                           hy_value *out, hy_error *err)
{
    int64_t micros;

    (void)c;
    return hy_time_parse(in.data, in.size, &micros) ? give_time(type, micros, out, err)
                                                    : refuse_size(type, err);
}

static hy_status timestamp_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                                  hy_value *out, hy_error *err)
{
    (void)c;
    if (in.size != 8)
        return refuse_size(type, err);
    int64_t micros = hy__postgres_int(in.data, in.size);
    if (micros > INT64_MAX - EPOCH_MICROS)
        return refuse_date(type, err); /* infinity is the largest */
    return give_timestamp(type, micros + EPOCH_MICROS, out, err);
}

static hy_status timestamp_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                                hy_value *out, hy_error *err)
{
    int64_t micros;

    (void)c;
    if (!hy_timestamp_parse(in.data, in.size, &micros))
        return refuse_date(type, err);
    return give_timestamp(type, micros, out, err);
}

/* ---- the list --------------------------------------------------------------------------- */

#define ARRAY(number, of)                                                            \
    {                                                                                \
        number, of, HY_KIND_JSON, hy__postgres_array_binary, hy__postgres_array_text \
    }

/* Sorted by number. Arrays become JSON. */
static const hy__postgres_type types[] = {
    {HY__PG_BOOL, 0, HY_KIND_BOOLEAN, bool_binary, bool_text},
    {HY__PG_BYTEA, 0, HY_KIND_BINARY, bytea_binary, bytea_text},
    {18, 0, HY_KIND_CHAR, text_any, text_any}, /* "char" */
    {19, 0, HY_KIND_TEXT, text_any, text_any}, /* name */
    {HY__PG_INT8, 0, HY_KIND_BIGINT, int_binary, int_text},
    {HY__PG_INT2, 0, HY_KIND_SMALLINT, int_binary, int_text},
    {HY__PG_INT4, 0, HY_KIND_INTEGER, int_binary, int_text},
    {HY__PG_TEXT, 0, HY_KIND_TEXT, text_any, text_any},
    {26, 0, HY_KIND_BIGINT, oid_binary, int_text}, /* oid */
    {HY__PG_JSON, 0, HY_KIND_JSON, json_any, json_any},
    {142, 0, HY_KIND_TEXT, text_any, text_any}, /* xml */
    ARRAY(199, HY__PG_JSON),
    {HY__PG_FLOAT4, 0, HY_KIND_FLOAT, float4_binary, float_text},
    {HY__PG_FLOAT8, 0, HY_KIND_DOUBLE, float8_binary, float_text},
    {705, 0, HY_KIND_TEXT, text_any, text_any}, /* unknown */
    ARRAY(1000, HY__PG_BOOL),
    ARRAY(1001, HY__PG_BYTEA),
    ARRAY(1002, 18),
    ARRAY(1003, 19),
    ARRAY(1005, HY__PG_INT2),
    ARRAY(1007, HY__PG_INT4),
    ARRAY(1009, HY__PG_TEXT),
    ARRAY(1014, HY__PG_BPCHAR),
    ARRAY(1015, HY__PG_VARCHAR),
    ARRAY(1016, HY__PG_INT8),
    ARRAY(1021, HY__PG_FLOAT4),
    ARRAY(1022, HY__PG_FLOAT8),
    ARRAY(1028, 26),
    {HY__PG_BPCHAR, 0, HY_KIND_CHAR, char_any, char_any},
    {HY__PG_VARCHAR, 0, HY_KIND_STRING, text_any, text_any},
    {HY__PG_DATE, 0, HY_KIND_DATE, date_binary, date_text},
    {HY__PG_TIME, 0, HY_KIND_TIME, time_binary, time_text},
    {HY__PG_TIMESTAMP, 0, HY_KIND_DATETIME, timestamp_binary, timestamp_text},
    ARRAY(1115, HY__PG_TIMESTAMP),
    ARRAY(1182, HY__PG_DATE),
    ARRAY(1183, HY__PG_TIME),
    {HY__PG_TIMESTAMPTZ, 0, HY_KIND_TIMESTAMP, timestamp_binary, timestamp_text},
    ARRAY(1185, HY__PG_TIMESTAMPTZ),
    ARRAY(1231, HY__PG_NUMERIC),
    {HY__PG_NUMERIC, 0, HY_KIND_DECIMAL, numeric_binary, numeric_text},
    {2278, 0, HY_KIND_TEXT, text_any, text_any}, /* void */
    {HY__PG_UUID, 0, HY_KIND_UUID, uuid_binary, uuid_text},
    ARRAY(2951, HY__PG_UUID),
    {HY__PG_JSONB, 0, HY_KIND_JSONB, jsonb_binary, json_any},
    ARRAY(3807, HY__PG_JSONB),
};
enum { N_TYPES = sizeof types / sizeof types[0] };

static const hy__postgres_type foreign = {0, 0, HY_KIND_ANY, NULL, text_any};

static int compare_type(const void *oid, const void *type)
{
    Oid a = *(const Oid *)oid, b = ((const hy__postgres_type *)type)->oid;
    return a < b ? -1 : a > b;
}

static const hy__postgres_type *find_own(const hy__postgres *c, Oid oid)
{
    for (const hy__postgres_own_type *it = c->own_types; it != NULL; it = it->next)
        if (it->type.oid == oid)
            return &it->type;
    return NULL;
}

const hy__postgres_type *hy__postgres_type_of(const hy__postgres *c, Oid oid)
{
    const hy__postgres_type *type = bsearch(&oid, types, N_TYPES, sizeof types[0], compare_type);

    if (type == NULL)
        type = find_own(c, oid);
    return type != NULL ? type : &foreign;
}

bool hy__postgres_type_is_new(const hy__postgres *c, Oid oid)
{
    return oid >= HY__PG_FIRST_OWN && find_own(c, oid) == NULL;
}

/* Enums and what counts as a string (citext) send their text, in both forms. */
static bool is_textual(char category)
{
    return category == 'E' || category == 'S';
}

static bool add(hy__postgres *c, hy__postgres_type type)
{
    hy__postgres_own_type *own = hy_alloc(sizeof *own);

    if (own == NULL)
        return false;
    own->type = type;
    own->next = c->own_types;
    c->own_types = own;
    return true;
}

bool hy__postgres_type_add(hy__postgres *c, Oid oid, char category, Oid element, char element_category)
{
    hy__postgres_type type = {.oid = oid, .text = text_any};

    if (find_own(c, oid) != NULL)
        return true;
    if (is_textual(category)) {
        type.kind = category == 'E' ? HY_KIND_ENUM : HY_KIND_TEXT;
        type.binary = text_any;
    } else if (category == 'A' && is_textual(element_category)) {
        if (!hy__postgres_type_add(c, element, element_category, 0, '\0'))
            return false;
        type.kind = HY_KIND_JSON;
        type.element = element;
        type.binary = hy__postgres_array_binary;
        type.text = hy__postgres_array_text;
    }
    return add(c, type);
}

void hy__postgres_types_clear(hy__postgres *c)
{
    while (c->own_types != NULL) {
        hy__postgres_own_type *own = c->own_types;
        c->own_types = own->next;
        hy_free(own);
    }
}
