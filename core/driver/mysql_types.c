/*
 * mysql_types.c - cells of MariaDB's and MySQL's results as values, and the kinds of columns.
 *
 * The binary protocol sends numbers and dates in forms of their own, the text protocol runs of
 * bytes; both give the same value. Bytes are not copied: they lie in the row's packet, whose
 * bounds libmariadb has checked. A FLOAT is widened exactly; TINYINT(1) is a number, as only
 * the model knows that it is a boolean; an unsigned BIGINT past 2^63-1 is a decimal. Dates that
 * are none (0000-00-00) are refused, never guessed.
 */
#include <endian.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>

#include "mysql_driver.h"

enum {
    BINARY_CHARSET = 63,
    DATE_SIZE = 4,
    DATETIME_SIZE = 7,
    TIME_SIZE = 8,
    FRACTION_SIZE = 4,
    MOST_DAYS = 34 /* in a time: it ends at 838:59:59 */
};

static const int64_t MICROS_PER_SECOND = 1000000;

static const char zero_date[] = "a zero date (0000-00-00 or a part of it 0) is no date: store NULL instead, "
                                "or read it with CAST(... AS CHAR)";
static const char bad_form[] = "the server sent it in an unknown form";

/* ---- reading bytes ---------------------------------------------------------------------- */

static uint16_t take_u16(const unsigned char **at)
{
    uint16_t n;

    memcpy(&n, *at, sizeof n);
    *at += sizeof n;
    return le16toh(n);
}

static uint32_t take_u32(const unsigned char **at)
{
    uint32_t n;

    memcpy(&n, *at, sizeof n);
    *at += sizeof n;
    return le32toh(n);
}

static uint64_t take_u64(const unsigned char **at)
{
    uint64_t n;

    memcpy(&n, *at, sizeof n);
    *at += sizeof n;
    return le64toh(n);
}

/* A length: one byte, or a mark and 2, 3 or 8 more. */
static size_t take_length(const unsigned char **at)
{
    unsigned char first = *(*at)++;

    if (first < 251)
        return first;
    if (first == 252)
        return take_u16(at);
    if (first == 253) {
        size_t low = take_u16(at);
        return low | (size_t) * (*at)++ << 16;
    }
    return (size_t)take_u64(at);
}

const char *hy__mysql_take_bytes(const unsigned char **at, size_t *size)
{
    *size = take_length(at);
    const char *data = (const char *)*at;
    *at += *size;
    return data;
}

/* ---- numbers ---------------------------------------------------------------------------- */

static const char *give_int(hy_value *out, int64_t n)
{
    *out = hy_int(n);
    return NULL;
}

static const char *give_unsigned(hy__mysql_column *column, hy_value *out, uint64_t n)
{
    char *end = column->scratch + sizeof column->scratch, *digit = end;

    if (n <= INT64_MAX)
        return give_int(out, (int64_t)n);
    for (; n > 0; n /= 10)
        *--digit = (char)('0' + n % 10);
    *out = hy_bytes(HY_DECIMAL, digit, (size_t)(end - digit));
    return NULL;
}

static bool is_unsigned(const hy__mysql_column *column)
{
    return (column->flags & UNSIGNED_FLAG) != 0;
}

static const char *tiny_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    unsigned char n = *(*at)++;
    return give_int(out, is_unsigned(column) ? n : (int8_t)n);
}

static const char *short_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    uint16_t n = take_u16(at);
    return give_int(out, is_unsigned(column) ? n : (int16_t)n);
}

static const char *year_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    (void)column;
    return give_int(out, take_u16(at));
}

static const char *long_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    uint32_t n = take_u32(at);
    return give_int(out, is_unsigned(column) ? (int64_t)n : (int32_t)n);
}

static const char *longlong_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    uint64_t n = take_u64(at);
    return is_unsigned(column) ? give_unsigned(column, out, n) : give_int(out, (int64_t)n);
}

static const char *float_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    uint32_t bits = take_u32(at);
    float number;

    (void)column;
    memcpy(&number, &bits, sizeof number);
    *out = hy_double((double)number);
    return NULL;
}

static const char *double_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    uint64_t bits = take_u64(at);

    (void)column;
    *out = hy_double(0);
    memcpy(&out->as.number, &bits, sizeof bits);
    return NULL;
}

/* Zeros in front are only paint (ZEROFILL). */
static const char *decimal_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    while (size > 1 && data[0] == '0' && data[1] >= '0' && data[1] <= '9') {
        data++;
        size--;
    }
    *out = hy_bytes(HY_DECIMAL, data, size);
    return NULL;
}

static const char *int_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    int64_t n;

    if (hy_parse_int(data, size, &n))
        return give_int(out, n);
    return is_unsigned(column) ? decimal_bytes(column, data, size, out) : bad_form;
}

/* The text of a FLOAT is rounded: what is stored is the float nearest to it. */
static const char *double_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    double number;

    if (!hy_parse_double(data, size, &number))
        return bad_form;
    *out = hy_double(column->type == MYSQL_TYPE_FLOAT ? (double)(float)number : number);
    return NULL;
}

/* Big-endian in both protocols. */
static const char *bit_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    uint64_t n = 0;

    if (size > sizeof n)
        return bad_form;
    for (size_t i = 0; i < size; i++)
        n = n << 8 | (unsigned char)data[i];
    return give_unsigned(column, out, n);
}

/* ---- bytes ------------------------------------------------------------------------------ */

static const char *text_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    *out = hy_bytes(HY_TEXT, data, size);
    return NULL;
}

static const char *blob_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    *out = hy_bytes(HY_BLOB, data, size);
    return NULL;
}

static const char *json_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    *out = hy_bytes(HY_JSON, data, size);
    return NULL;
}

/* MariaDB's own type, sent as text. */
static const char *uuid_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    out->type = HY_UUID;
    return hy_uuid_parse(data, size, out->as.uuid) ? NULL : bad_form;
}

/* ---- dates and times -------------------------------------------------------------------- */

static const char *give_date(hy_value *out, const hy_date_parts *parts)
{
    out->type = HY_DATE;
    return hy_date_from_parts(parts, &out->as.days) ? NULL : zero_date;
}

static const char *give_timestamp(hy_value *out, const hy_date_parts *parts)
{
    out->type = HY_TIMESTAMP;
    return hy_timestamp_from_parts(parts, &out->as.micros) ? NULL : zero_date;
}

/* All parts of a date and time; what is zero at its end is not sent. */
static const char *take_moment(const unsigned char **at, hy_date_parts *parts)
{
    size_t size = *(*at)++;
    const unsigned char *p = *at;

    *at += size;
    *parts = (hy_date_parts){0};
    if (size != 0 && size != DATE_SIZE && size != DATETIME_SIZE && size != DATETIME_SIZE + FRACTION_SIZE)
        return bad_form;
    if (size >= DATE_SIZE) {
        parts->year = take_u16(&p);
        parts->month = *p++;
        parts->day = *p++;
    }
    if (size >= DATETIME_SIZE) {
        parts->hour = *p++;
        parts->minute = *p++;
        parts->second = *p++;
    }
    if (size > DATETIME_SIZE)
        parts->micros = (int)take_u32(&p);
    return NULL;
}

static const char *date_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    hy_date_parts parts;
    const char *fault = take_moment(at, &parts);

    (void)column;
    return fault != NULL ? fault : give_date(out, &parts);
}

static const char *datetime_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    hy_date_parts parts;
    const char *fault = take_moment(at, &parts);

    (void)column;
    return fault != NULL ? fault : give_timestamp(out, &parts);
}

static const char *time_binary(hy__mysql_column *column, const unsigned char **at, hy_value *out)
{
    size_t size = *(*at)++;
    const unsigned char *p = *at;

    (void)column;
    *at += size;
    *out = (hy_value){.type = HY_TIME};
    if (size == 0)
        return NULL;
    if (size != TIME_SIZE && size != TIME_SIZE + FRACTION_SIZE)
        return bad_form;
    bool negative = *p++ != 0;
    uint32_t days = take_u32(&p);
    if (days > MOST_DAYS)
        return bad_form;
    int64_t seconds = (int64_t)days * 86400;
    seconds += *p++ * 3600;
    seconds += *p++ * 60;
    seconds += *p++;
    int64_t micros = seconds * MICROS_PER_SECOND + (size > TIME_SIZE ? take_u32(&p) : 0);
    out->as.micros = negative ? -micros : micros;
    return hy_time_in_range(micros) ? NULL : bad_form;
}

/* A date that cannot be read has a zero in it, or is none of ours. */
static const char *date_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    out->type = HY_DATE;
    return hy_date_parse(data, size, &out->as.days) ? NULL : zero_date;
}

static const char *datetime_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    out->type = HY_TIMESTAMP;
    return hy_timestamp_parse(data, size, &out->as.micros) ? NULL : zero_date;
}

static const char *time_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    out->type = HY_TIME;
    return hy_time_parse(data, size, &out->as.micros) ? NULL : bad_form;
}

static const char *null_bytes(hy__mysql_column *column, const char *data, size_t size, hy_value *out)
{
    (void)column;
    (void)data;
    (void)size;
    *out = hy_null();
    return NULL;
}

/* ---- columns ---------------------------------------------------------------------------- */

typedef struct type_row {
    enum enum_field_types type;
    hy_kind kind;
    hy__mysql_binary binary;
    hy__mysql_bytes bytes;
} type_row;

static const type_row types[] = {
    {MYSQL_TYPE_LONG, HY_KIND_INTEGER, long_binary, int_bytes},
    {MYSQL_TYPE_LONGLONG, HY_KIND_BIGINT, longlong_binary, int_bytes},
    {MYSQL_TYPE_TINY, HY_KIND_TINYINT, tiny_binary, int_bytes},
    {MYSQL_TYPE_SHORT, HY_KIND_SMALLINT, short_binary, int_bytes},
    {MYSQL_TYPE_INT24, HY_KIND_MEDIUMINT, long_binary, int_bytes},
    {MYSQL_TYPE_YEAR, HY_KIND_SMALLINT, year_binary, int_bytes},
    {MYSQL_TYPE_FLOAT, HY_KIND_FLOAT, float_binary, double_bytes},
    {MYSQL_TYPE_DOUBLE, HY_KIND_DOUBLE, double_binary, double_bytes},
    {MYSQL_TYPE_NEWDECIMAL, HY_KIND_DECIMAL, NULL, decimal_bytes},
    {MYSQL_TYPE_DECIMAL, HY_KIND_DECIMAL, NULL, decimal_bytes},
    {MYSQL_TYPE_BIT, HY_KIND_BIGINT, NULL, bit_bytes},
    {MYSQL_TYPE_DATE, HY_KIND_DATE, date_binary, date_bytes},
    {MYSQL_TYPE_NEWDATE, HY_KIND_DATE, date_binary, date_bytes},
    {MYSQL_TYPE_TIME, HY_KIND_TIME, time_binary, time_bytes},
    {MYSQL_TYPE_DATETIME, HY_KIND_DATETIME, datetime_binary, datetime_bytes},
    {MYSQL_TYPE_TIMESTAMP, HY_KIND_TIMESTAMP, datetime_binary, datetime_bytes},
    {MYSQL_TYPE_JSON, HY_KIND_JSON, NULL, json_bytes},
    {MYSQL_TYPE_GEOMETRY, HY_KIND_BINARY, NULL, blob_bytes},
    {MYSQL_TYPE_NULL, HY_KIND_ANY, NULL, null_bytes},
    {MYSQL_TYPE_STRING, HY_KIND_CHAR, NULL, text_bytes},
    {MYSQL_TYPE_VAR_STRING, HY_KIND_STRING, NULL, text_bytes},
    {MYSQL_TYPE_VARCHAR, HY_KIND_STRING, NULL, text_bytes},
    {MYSQL_TYPE_ENUM, HY_KIND_ENUM, NULL, text_bytes},
    {MYSQL_TYPE_SET, HY_KIND_STRING, NULL, text_bytes},
};

/* The TEXT and BLOB types, and what is new. */
static const type_row other_type = {MYSQL_TYPE_BLOB, HY_KIND_TEXT, NULL, text_bytes};

static const type_row *find_type(enum enum_field_types type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type)
            return &types[i];
    return &other_type;
}

static bool has_name(const MYSQL_FIELD *field, enum mariadb_field_attr_t which, const char *name)
{
    MARIADB_CONST_STRING told = {NULL, 0};

    return mariadb_field_attr(&told, field, which) == 0 && told.str != NULL && told.length == strlen(name) &&
           memcmp(told.str, name, told.length) == 0;
}

/* Character types are what their character set, flags and MariaDB's extra names say. */
static void specialize(hy__mysql_column *column, const MYSQL_FIELD *field)
{
    if (has_name(field, MARIADB_FIELD_ATTR_FORMAT_NAME, "json")) {
        column->kind = HY_KIND_JSON;
        column->bytes = json_bytes;
    } else if (has_name(field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "uuid")) {
        column->kind = HY_KIND_UUID;
        column->bytes = uuid_bytes;
    } else if ((field->flags & ENUM_FLAG) != 0) {
        column->kind = HY_KIND_ENUM;
    } else if ((field->flags & SET_FLAG) != 0) {
        column->kind = HY_KIND_STRING;
    } else if (field->charsetnr == BINARY_CHARSET) {
        column->kind = field->type == MYSQL_TYPE_VAR_STRING ? HY_KIND_VARBINARY : HY_KIND_BINARY;
        column->bytes = blob_bytes;
    }
}

void hy__mysql_column_init(hy__mysql_column *column, const MYSQL_FIELD *field)
{
    const type_row *row = find_type(field->type);

    column->binary = row->binary;
    column->bytes = row->bytes;
    column->kind = row->kind;
    column->type = field->type;
    column->flags = field->flags;
    column->charset = field->charsetnr;
    if (row->bytes == bit_bytes)
        column->flags |= UNSIGNED_FLAG;
    if (row->bytes == text_bytes)
        specialize(column, field);
}

bool hy__mysql_column_fits(const hy__mysql_column *column, const MYSQL_FIELD *field)
{
    unsigned matters = UNSIGNED_FLAG | ENUM_FLAG | SET_FLAG;

    if (field->type == MYSQL_TYPE_BIT)
        matters &= ~(unsigned)UNSIGNED_FLAG;
    return column->type == field->type && column->charset == field->charsetnr &&
           ((column->flags ^ field->flags) & matters) == 0;
}
