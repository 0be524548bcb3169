/*
 * encode.c - a value as one column stores it.
 *
 * The codec knows kinds; a column knows more: how long, how many digits, which members, with
 * or without a sign. Databases meet what does not fit in ways of their own (PostgreSQL rounds a
 * decimal, MySQL takes "NEW" for "new", SQLite keeps anything), so it is refused here, the same
 * for all. Messages tell limits, never values. Must not know which database it is for.
 */
#include <math.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/decimal.h>

#include <model/model_internal.h>

typedef hy_status (*check_fn)(const hy_column *c, const hy_value *value, hy_error *err);

/* ---- integers without a sign ------------------------------------------------------------ */

static const int64_t unsigned_high[HY_KIND_COUNT] = {
    [HY_KIND_TINYINT] = UINT8_MAX,  [HY_KIND_SMALLINT] = UINT16_MAX, [HY_KIND_MEDIUMINT] = 16777215,
    [HY_KIND_INTEGER] = UINT32_MAX, [HY_KIND_BIGINT] = INT64_MAX,
};

static bool is_unsigned(const hy_column *c)
{
    return (c->flags & HY_COLUMN_UNSIGNED) != 0 && unsigned_high[c->kind] > 0;
}

/* From 2^63 to 2^64-1: no int64, but MySQL's BIGINT UNSIGNED keeps it. */
static bool is_large_unsigned(const hy_value *value)
{
    hy_decimal d, least, most;

    if (value->type != HY_DECIMAL ||
        hy_decimal_parse(value->as.text.data, value->as.text.size, &d, NULL) != HY_OK)
        return false;
    hy_decimal_from_uint(UINT64_C(1) << 63, &least);
    hy_decimal_from_uint(UINT64_MAX, &most);
    return d.scale == 0 && hy_decimal_compare(&d, &least) >= 0 && hy_decimal_compare(&d, &most) <= 0;
}

static hy_status encode_unsigned(const hy_column *c, const hy_value *in, char scratch[HY_VALUE_SCRATCH_SIZE],
                                 hy_value *out, hy_error *err)
{
    if (c->kind == HY_KIND_BIGINT && is_large_unsigned(in)) {
        *out = *in;
        return HY_OK;
    }
    hy_status status = hy_value_encode(HY_KIND_BIGINT, in, scratch, out, err);
    if (status != HY_OK || out->type == HY_NULL)
        return status;
    if (out->as.integer >= 0 && out->as.integer <= unsigned_high[c->kind])
        return HY_OK;
    return hy_fail(err, HY_EDATA_INVALID, "out of the range of kind %s, unsigned (0 to %s)",
                   hy_kind_name(c->kind),
                   c->kind == HY_KIND_BIGINT      ? "18446744073709551615"
                   : c->kind == HY_KIND_INTEGER   ? "4294967295"
                   : c->kind == HY_KIND_MEDIUMINT ? "16777215"
                   : c->kind == HY_KIND_SMALLINT  ? "65535"
                                                  : "255");
}

/* ---- decimals --------------------------------------------------------------------------- */

/* Significant digits before and after the point of canonical text. */
static void count_digits(const hy_value *value, int *whole, int *fraction)
{
    const char *text = value->as.text.data, *end = text + value->as.text.size;
    const char *point = memchr(text, '.', value->as.text.size);

    text += text < end && *text == '-';
    if (point == NULL)
        point = end;
    *whole = *text == '0' ? 0 : (int)(point - text);
    while (end > point && end[-1] == '0')
        end--;
    *fraction = end > point ? (int)(end - point) - 1 : 0;
}

static hy_status check_decimal(const hy_column *c, const hy_value *value, hy_error *err)
{
    int whole, fraction;

    count_digits(value, &whole, &fraction);
    if (whole <= c->precision - c->scale && fraction <= c->scale)
        return HY_OK;
    return hy_fail(err, HY_EDATA_INVALID,
                   "a decimal of precision %d and scale %d takes %d digits before the point and %d after it, "
                   "not %d and %d (round it, or set precision and scale)",
                   c->precision, c->scale, c->precision - c->scale, c->scale, whole, fraction);
}

/*
 * A column that gives floats takes them back: as the shortest text that reads as this float, which
 * is what was stored as long as a float keeps all digits of the column.
 */
static bool takes_float(const hy_column *c, const hy_value *value)
{
    enum { FLOAT_DIGITS = 15 };

    return value->type == HY_DOUBLE && (c->flags & HY_COLUMN_FLOATS) != 0 && c->kind == HY_KIND_DECIMAL &&
           c->precision <= FLOAT_DIGITS && isfinite(value->as.number);
}

/* ---- text and bytes --------------------------------------------------------------------- */

static size_t count_characters(const char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

/* Also blanks too many: PostgreSQL and MySQL would drop those without a word. */
static hy_status check_characters(const hy_column *c, const hy_value *value, hy_error *err)
{
    size_t n = value->as.text.size, most = (size_t)c->length;

    if (most == 0 || n <= most || (n = count_characters(value->as.text.data, n)) <= most)
        return HY_OK;
    return hy_fail(err, HY_EDATA_INVALID, "a %s of length %d cannot hold %zu characters",
                   hy_kind_name(c->kind), c->length, n);
}

static hy_status check_bytes(const hy_column *c, const hy_value *value, hy_error *err)
{
    if (c->length == 0 || value->as.text.size <= (size_t)c->length)
        return HY_OK;
    return hy_fail(err, HY_EDATA_INVALID, "a %s of length %d cannot hold %zu bytes", hy_kind_name(c->kind),
                   c->length, value->as.text.size);
}

static hy_status check_member(const hy_column *c, const hy_value *value, hy_error *err)
{
    for (size_t i = 0; i < c->n_enum_values; i++)
        if (strlen(c->enum_values[i]) == value->as.text.size &&
            memcmp(c->enum_values[i], value->as.text.data, value->as.text.size) == 0)
            return HY_OK;
    return hy_fail(err, HY_EDATA_INVALID, "the text is none of the enum's %zu values", c->n_enum_values);
}

static hy_status check_ulid(const hy_column *c, const hy_value *value, hy_error *err)
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz";
    size_t size = value->as.text.size, good = 0;

    (void)c;
    while (good < size && strchr(letters, value->as.text.data[good]) != NULL)
        good++;
    if (size == 26 && good == size)
        return HY_OK;
    return hy_fail(err, HY_EDATA_INVALID, "a ulid has 26 digits and letters, none of them I, L, O or U");
}

/* ---- parts of a second ------------------------------------------------------------------ */

static hy_status check_fraction(const hy_column *c, const hy_value *value, hy_error *err)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};

    if (c->precision < 0 || value->as.micros % units[c->precision] == 0)
        return HY_OK;
    return hy_fail(err, HY_EDATA_INVALID, "a %s of precision %d has no place for smaller parts of a second",
                   hy_kind_name(c->kind), c->precision);
}

/* ---- the table -------------------------------------------------------------------------- */

static const check_fn checks[HY_KIND_COUNT] = {
    [HY_KIND_DECIMAL] = check_decimal,   [HY_KIND_STRING] = check_characters,
    [HY_KIND_CHAR] = check_characters,   [HY_KIND_TEXT] = check_characters,
    [HY_KIND_ENUM] = check_member,       [HY_KIND_ULID] = check_ulid,
    [HY_KIND_VARBINARY] = check_bytes,   [HY_KIND_TIME] = check_fraction,
    [HY_KIND_DATETIME] = check_fraction, [HY_KIND_TIMESTAMP] = check_fraction,
};

/* As the column stores it, and within its limits? Most values of a row are: no table, no converter. */
static bool is_stored_so(const hy_column *c, const hy_value *in)
{
    switch (in->type) {
    case HY_NULL:
        return true;
    case HY_BOOL:
        return c->kind == HY_KIND_BOOLEAN;
    case HY_DOUBLE:
        return c->kind == HY_KIND_DOUBLE;
    case HY_INT:
        return (c->flags & HY_COLUMN_UNSIGNED) == 0 &&
               (c->kind == HY_KIND_BIGINT ||
                (c->kind == HY_KIND_INTEGER && in->as.integer == (int32_t)in->as.integer));
    case HY_TEXT:
        return checks[c->kind] == check_characters &&
               (c->length == 0 || in->as.text.size <= (size_t)c->length) &&
               hy_text_check(in->as.text.data, in->as.text.size) == HY_TEXT_FINE;
    default:
        return false;
    }
}

hy_status hy_column_encode(const hy_column *column, const hy_value *in, char scratch[HY_VALUE_SCRATCH_SIZE],
                           hy_value *out, hy_error *err)
{
    if (is_stored_so(column, in)) {
        *out = *in;
        return HY_OK;
    }
    if (is_unsigned(column))
        return encode_unsigned(column, in, scratch, out, err);
    hy_value text;
    if (takes_float(column, in)) {
        text = hy_bytes(HY_DECIMAL, scratch, hy_format_double(in->as.number, scratch));
        in = &text;
    }
    hy_status status = hy_value_encode(column->kind, in, scratch, out, err);
    if (status != HY_OK || out->type == HY_NULL || checks[column->kind] == NULL)
        return status;
    return checks[column->kind](column, out, err);
}
