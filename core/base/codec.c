/*
 * codec.c - between what a program or a driver holds and what a kind of column stores.
 *
 * One function per kind and direction, found by table. A value is taken over exactly or
 * refused; nothing is guessed. Messages name types and kinds, never the value. Must not know
 * which database it is for.
 */
#include <math.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/decimal.h>
#include <hysteria/value.h>

/* One conversion under way. */
typedef struct job {
    hy_kind kind;
    const hy_value *in;
    char *scratch;
    hy_value *out;
    hy_error *err;
    bool decoding;
} job;
typedef hy_status (*convert_fn)(const job *j);

static const int64_t EXACT_DOUBLE_MAX = INT64_C(1) << 53;
static const int64_t MICROS_PER_SECOND = 1000000;
static const int64_t MICROS_PER_DAY = INT64_C(86400) * 1000000;

static hy_status give(const job *j, hy_value value)
{
    *j->out = value;
    return HY_OK;
}

/* ---- refusals ---- */

/* What an encoder takes, for messages. */
static const char *const kind_takes[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "true or false",
    [HY_KIND_TINYINT] = "an integer",
    [HY_KIND_SMALLINT] = "an integer",
    [HY_KIND_MEDIUMINT] = "an integer",
    [HY_KIND_INTEGER] = "an integer",
    [HY_KIND_BIGINT] = "an integer",
    [HY_KIND_FLOAT] = "a number",
    [HY_KIND_DOUBLE] = "a number",
    [HY_KIND_DECIMAL] = "a decimal, an integer or text",
    [HY_KIND_STRING] = "text",
    [HY_KIND_CHAR] = "text",
    [HY_KIND_TEXT] = "text",
    [HY_KIND_ENUM] = "text",
    [HY_KIND_ULID] = "text",
    [HY_KIND_UUID] = "a UUID",
    [HY_KIND_BINARY] = "bytes",
    [HY_KIND_VARBINARY] = "bytes",
    [HY_KIND_JSON] = "a JSON document",
    [HY_KIND_JSONB] = "a JSON document",
    [HY_KIND_ARRAY] = "an array",
    [HY_KIND_DATE] = "a date (YYYY-MM-DD) or epoch seconds of a midnight",
    [HY_KIND_TIME] = "a time (HH:MM:SS) or seconds since midnight",
    [HY_KIND_DATETIME] = "a timestamp (YYYY-MM-DD HH:MM:SS) or epoch seconds",
    [HY_KIND_TIMESTAMP] = "a timestamp (YYYY-MM-DD HH:MM:SS) or epoch seconds",
};

static hy_status refuse_type(const job *j)
{
    if (j->decoding)
        return hy_fail(j->err, HY_EDATA_INVALID, "the stored %s is no value for a column of kind %s",
                       hy_type_name(j->in->type), hy_kind_name(j->kind));
    return hy_fail(j->err, HY_EDATA_INVALID, "a column of kind %s takes %s, not %s", hy_kind_name(j->kind),
                   kind_takes[j->kind], hy_type_name(j->in->type));
}

/* The type is right, the content is not. */
static hy_status refuse_content(const job *j, const char *why)
{
    const char *what = j->kind == HY_KIND_ANY ? hy_type_name(j->in->type) : hy_kind_name(j->kind);
    return hy_fail(j->err, HY_EDATA_INVALID, "%s is no valid %s: %s",
                   j->decoding ? "the stored value" : "the value", what, why);
}

/* ---- booleans and numbers ---- */

static hy_status to_boolean(const job *j)
{
    const hy_value *in = j->in;

    if (in->type == HY_BOOL)
        return give(j, *in);
    if (in->type == HY_INT) {
        if (in->as.integer != 0 && in->as.integer != 1)
            return refuse_content(j, "only 0 and 1 are truth values");
        return give(j, hy_bool(in->as.integer == 1));
    }
    if (j->decoding && in->type == HY_TEXT) {
        if (in->as.text.size != 1 || (in->as.text.data[0] != '0' && in->as.text.data[0] != '1'))
            return refuse_content(j, "only 0 and 1 are truth values");
        return give(j, hy_bool(in->as.text.data[0] == '1'));
    }
    return refuse_type(j);
}

typedef struct int_range {
    int64_t low, high;
} int_range;

static const int_range int_ranges[HY_KIND_COUNT] = {
    [HY_KIND_TINYINT] = {INT8_MIN, INT8_MAX},  [HY_KIND_SMALLINT] = {INT16_MIN, INT16_MAX},
    [HY_KIND_MEDIUMINT] = {-8388608, 8388607}, [HY_KIND_INTEGER] = {INT32_MIN, INT32_MAX},
    [HY_KIND_BIGINT] = {INT64_MIN, INT64_MAX},
};

/* Databases keep wider integers than their columns say (SQLite does), so only writes are bounded. */
static hy_status give_integer(const job *j, int64_t value)
{
    const int_range *range = &int_ranges[j->kind];

    if (!j->decoding && (value < range->low || value > range->high)) {
        char low[HY_NUMBER_TEXT_SIZE], high[HY_NUMBER_TEXT_SIZE];
        hy_format_int(range->low, low);
        hy_format_int(range->high, high);
        return hy_fail(j->err, HY_EDATA_INVALID, "out of the range of kind %s (%s to %s)",
                       hy_kind_name(j->kind), low, high);
    }
    return give(j, hy_int(value));
}

static bool is_integral(double number)
{
    /* Both bounds are exact doubles; the upper one is the first that does not fit. */
    return number >= -0x1p63 && number < 0x1p63 && number == (double)(int64_t)number;
}

static hy_status give_canonical_decimal(const job *j, const char *text, size_t size);

static bool is_whole(const hy_decimal *d)
{
    hy_decimal whole;

    hy_decimal_round(d, 0, HY_ROUND_DOWN, &whole, NULL); /* fewer digits always fit */
    return hy_decimal_compare(d, &whole) == 0;
}

static hy_status integer_from_decimal(const job *j)
{
    hy_decimal d;
    int64_t value;

    if (hy_decimal_parse(j->in->as.text.data, j->in->as.text.size, &d, NULL) != HY_OK)
        return refuse_content(j, "it is not a number");
    if (hy_decimal_to_int(&d, &value))
        return give_integer(j, value);
    /* Unsigned 64-bit columns and sums reach past int64: exact is better than not at all. */
    if (j->decoding && j->kind == HY_KIND_BIGINT && j->in->type == HY_DECIMAL && is_whole(&d))
        return give_canonical_decimal(j, j->in->as.text.data, j->in->as.text.size);
    return refuse_content(j, "it has a fraction or is too large");
}

static hy_status to_integer(const job *j)
{
    switch (j->in->type) {
    case HY_INT:
        return give_integer(j, j->in->as.integer);
    case HY_DOUBLE:
        if (!is_integral(j->in->as.number))
            return refuse_content(j, "it has a fraction or is too large");
        return give_integer(j, (int64_t)j->in->as.number);
    case HY_TEXT:
        return j->decoding ? integer_from_decimal(j) : refuse_type(j);
    case HY_DECIMAL:
        return integer_from_decimal(j);
    default:
        return refuse_type(j);
    }
}

/* A float has 24 bits for it, where the database has floats and not only doubles. */
static bool is_exact_double(hy_kind kind, int64_t value)
{
    if (value < -EXACT_DOUBLE_MAX || value > EXACT_DOUBLE_MAX)
        return false;
    return kind != HY_KIND_FLOAT || (int64_t)(float)value == value;
}

static hy_status double_from_int(const job *j)
{
    int64_t value = j->in->as.integer;

    /* What is stored is taken as the column would have stored it: rounded. */
    if (!j->decoding && !is_exact_double(j->kind, value))
        return refuse_content(j, "the integer is too large to be kept exactly");
    return give(j, hy_double((double)value));
}

static hy_status to_double(const job *j)
{
    double number;

    switch (j->in->type) {
    case HY_DOUBLE:
        return give(j, *j->in);
    case HY_INT:
        return double_from_int(j);
    case HY_TEXT:
        if (!j->decoding)
            return refuse_type(j);
        /* fall through */
    case HY_DECIMAL:
        if (!hy_parse_double(j->in->as.text.data, j->in->as.text.size, &number))
            return refuse_content(j, "it is not a number or too large");
        return give(j, hy_double(number));
    default:
        return refuse_type(j);
    }
}

/* ---- decimals ---- */

/* As hy_decimal_format() would write it? Cheap, and true of nearly all that comes along. */
static bool is_canonical_decimal(const char *text, size_t size)
{
    const char *p = text, *end = text + size;
    bool negative = p < end && *p == '-', zero = true;
    size_t n_fraction = 0;

    p += negative;
    const char *whole = p;
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        zero = zero && *p == '0';
    if (p == whole || (*whole == '0' && p - whole > 1))
        return false;
    size_t n_whole = (size_t)(p - whole);
    if (p < end) {
        if (*p++ != '.')
            return false;
        for (; p < end && *p >= '0' && *p <= '9'; p++, n_fraction++)
            zero = zero && *p == '0';
        if (p < end || n_fraction == 0)
            return false;
    }
    /* A whole part of 0 is no digit of the number, but that close to the limit may take longer. */
    return !(negative && zero) && n_whole + n_fraction <= HY_DECIMAL_DIGITS;
}

/* `text` lies in the input or in the scratch, and so does the result. */
static hy_status give_canonical_decimal(const job *j, const char *text, size_t size)
{
    char canonical[HY_DECIMAL_TEXT_SIZE];
    hy_decimal d;

    if (is_canonical_decimal(text, size))
        return give(j, hy_bytes(HY_DECIMAL, text, size));
    if (hy_decimal_parse(text, size, &d, NULL) != HY_OK)
        return refuse_content(j, "expected a number of at most 1000 digits");

    size_t n = hy_decimal_format(&d, canonical);
    if (n <= HY_VALUE_SCRATCH_SIZE) {
        memcpy(j->scratch, canonical, n);
        return give(j, hy_bytes(HY_DECIMAL, j->scratch, n));
    }
    /* A plus sign or zeros in front: the rest of the input is what we want. */
    if (n <= size && memcmp(text + size - n, canonical, n) == 0)
        return give(j, hy_bytes(HY_DECIMAL, text + size - n, n));
    return refuse_content(j, "so long a number must be in plain form, without exponent");
}

static hy_status decimal_from_double(const job *j)
{
    double number = j->in->as.number;

    if (!isfinite(number))
        return refuse_content(j, "it is not finite");
    if (!j->decoding && !(is_integral(number) && fabs(number) < (double)EXACT_DOUBLE_MAX))
        return refuse_content(j, "a float is not exact, pass text or sql.decimal(\"...\")");
    /* Stored as a float by a database without decimals, which keeps 15 digits. */
    return give_canonical_decimal(j, j->scratch,
                                  hy__format_significant(number, j->decoding ? 15 : 17, j->scratch));
}

static hy_status to_decimal(const job *j)
{
    switch (j->in->type) {
    case HY_INT:
        return give(j, hy_bytes(HY_DECIMAL, j->scratch, hy_format_int(j->in->as.integer, j->scratch)));
    case HY_DOUBLE:
        return decimal_from_double(j);
    case HY_TEXT:
    case HY_DECIMAL:
        return give_canonical_decimal(j, j->in->as.text.data, j->in->as.text.size);
    default:
        return refuse_type(j);
    }
}

/* ---- text, bytes, JSON, UUID ---- */

static hy_status check_text(const job *j)
{
    switch (hy_text_check(j->in->as.text.data, j->in->as.text.size)) {
    case HY_TEXT_NUL:
        return hy_fail(j->err, HY_EDATA_INVALID,
                       "text with a NUL byte in it (use a binary column for bytes)");
    case HY_TEXT_BAD_UTF8:
        return hy_fail(j->err, HY_EDATA_INVALID,
                       "text that is not valid UTF-8 (use a binary column for bytes)");
    case HY_TEXT_FINE:
        break;
    }
    return HY_OK;
}

static hy_status encode_text(const job *j)
{
    if (j->in->type != HY_TEXT)
        return refuse_type(j);
    hy_status status = check_text(j);
    return status == HY_OK ? give(j, *j->in) : status;
}

/* Stored text is handed over as it is: who cannot read it could not repair it either. */
static hy_status decode_text(const job *j)
{
    switch (j->in->type) {
    case HY_TEXT:
    case HY_DECIMAL:
    case HY_JSON:
        return give(j, hy_bytes(HY_TEXT, j->in->as.text.data, j->in->as.text.size));
    case HY_INT:
        return give(j, hy_bytes(HY_TEXT, j->scratch, hy_format_int(j->in->as.integer, j->scratch)));
    case HY_DOUBLE:
        return give(j, hy_bytes(HY_TEXT, j->scratch, hy_format_double(j->in->as.number, j->scratch)));
    default:
        return refuse_type(j);
    }
}

static hy_status to_bytes(const job *j)
{
    if (j->in->type != HY_BLOB && j->in->type != HY_TEXT)
        return refuse_type(j);
    return give(j, hy_bytes(HY_BLOB, j->in->as.text.data, j->in->as.text.size));
}

static hy_status to_json(const job *j)
{
    if (j->in->type != HY_JSON && !(j->decoding && j->in->type == HY_TEXT))
        return refuse_type(j);
    hy_status status = j->decoding ? HY_OK : check_text(j);
    return status == HY_OK ? give(j, hy_bytes(HY_JSON, j->in->as.text.data, j->in->as.text.size)) : status;
}

static hy_status to_uuid(const job *j)
{
    const hy_value *in = j->in;
    hy_value uuid = {HY_UUID, {0}};

    if (in->type == HY_UUID)
        return give(j, *in);
    if (j->decoding && in->type == HY_BLOB) {
        if (in->as.text.size != sizeof uuid.as.uuid)
            return refuse_content(j, "a UUID has 16 bytes");
        memcpy(uuid.as.uuid, in->as.text.data, sizeof uuid.as.uuid);
        return give(j, uuid);
    }
    if (in->type != HY_TEXT)
        return refuse_type(j);
    if (!hy_uuid_parse(in->as.text.data, in->as.text.size, uuid.as.uuid))
        return refuse_content(j, "expected 8-4-4-4-12 hexadecimal digits");
    return give(j, uuid);
}

/* ---- dates and times ---- */

#define OUTSIDE_CALENDAR "it lies outside the years 1 to 9999"
#define OUTSIDE_CLOCK "it lies outside -838:59:59 to 838:59:59"

static hy_value count(hy_type type, int64_t n)
{
    hy_value value = {type, {0}};
    if (type == HY_DATE)
        value.as.days = n;
    else
        value.as.micros = n;
    return value;
}

/*
 * The value as seconds since 1970, or since midnight. Databases do not store moments as numbers.
 * The bound keeps the product far from overflow; the exact limits are checked on microseconds.
 */
static hy_status micros_of_number(const job *j, int64_t *micros)
{
    double seconds = j->in->type == HY_INT ? (double)j->in->as.integer : j->in->as.number;

    if (j->decoding)
        return refuse_type(j);
    if (!(fabs(seconds) < 1e12))
        return refuse_content(j, OUTSIDE_CALENDAR);
    int64_t whole = (int64_t)seconds;
    double fraction = (seconds - (double)whole) * 1e6; /* of the same sign */
    *micros = whole * MICROS_PER_SECOND + (int64_t)(fraction < 0 ? fraction - 0.5 : fraction + 0.5);
    return HY_OK;
}

/* Counts that name no moment of ours would be cut when written as text. */
static hy_status check_moment(const job *j, const hy_value *value)
{
    switch (value->type) {
    case HY_DATE:
        return hy_date_in_range(value->as.days) ? HY_OK : refuse_content(j, OUTSIDE_CALENDAR);
    case HY_TIME:
        return hy_time_in_range(value->as.micros) ? HY_OK : refuse_content(j, OUTSIDE_CLOCK);
    case HY_TIMESTAMP:
        return hy_timestamp_in_range(value->as.micros) ? HY_OK : refuse_content(j, OUTSIDE_CALENDAR);
    default:
        return HY_OK;
    }
}

static hy_status give_moment(const job *j, hy_type type, int64_t n)
{
    hy_value value = count(type, n);
    hy_status status = check_moment(j, &value);
    return status == HY_OK ? give(j, value) : status;
}

static hy_status date_from_timestamp(const job *j, int64_t micros)
{
    if (micros % MICROS_PER_DAY != 0)
        return refuse_content(j, "it has a time of day");
    return give_moment(j, HY_DATE, micros / MICROS_PER_DAY);
}

static hy_status to_date(const job *j)
{
    const hy_value *in = j->in;
    int64_t n;

    switch (in->type) {
    case HY_DATE:
        return give(j, *in);
    case HY_TIMESTAMP:
        return date_from_timestamp(j, in->as.micros);
    case HY_TEXT:
        if (hy_date_parse(in->as.text.data, in->as.text.size, &n))
            return give(j, count(HY_DATE, n));
        if (hy_timestamp_parse(in->as.text.data, in->as.text.size, &n))
            return date_from_timestamp(j, n);
        return refuse_content(j, "expected YYYY-MM-DD");
    case HY_INT:
    case HY_DOUBLE: {
        hy_status status = micros_of_number(j, &n);
        return status == HY_OK ? date_from_timestamp(j, n) : status;
    }
    default:
        return refuse_type(j);
    }
}

static hy_status to_time(const job *j)
{
    const hy_value *in = j->in;
    int64_t micros;

    switch (in->type) {
    case HY_TIME:
        return give(j, *in);
    case HY_TEXT:
        if (!hy_time_parse(in->as.text.data, in->as.text.size, &micros))
            return refuse_content(j, "expected HH:MM[:SS[.ffffff]]");
        return give(j, count(HY_TIME, micros));
    case HY_INT:
    case HY_DOUBLE: {
        hy_status status = micros_of_number(j, &micros);
        return status == HY_OK ? give_moment(j, HY_TIME, micros) : status;
    }
    default:
        return refuse_type(j);
    }
}

static hy_status to_timestamp(const job *j)
{
    const hy_value *in = j->in;
    int64_t micros;

    switch (in->type) {
    case HY_TIMESTAMP:
        return give(j, *in);
    case HY_DATE:
        return give(j, count(HY_TIMESTAMP, in->as.days * MICROS_PER_DAY));
    case HY_INT:
    case HY_DOUBLE: {
        hy_status status = micros_of_number(j, &micros);
        return status == HY_OK ? give_moment(j, HY_TIMESTAMP, micros) : status;
    }
    case HY_TEXT:
        if (!hy_timestamp_parse(in->as.text.data, in->as.text.size, &micros))
            return refuse_content(j, "expected YYYY-MM-DD HH:MM:SS[.ffffff][+HH:MM]");
        return give(j, count(HY_TIMESTAMP, micros));
    default:
        return refuse_type(j);
    }
}

/* ---- the tables ---- */

static hy_status encode_any(const job *j)
{
    hy_status status = j->in->type == HY_TEXT || j->in->type == HY_JSON ? check_text(j) : HY_OK;
    return status == HY_OK ? give(j, *j->in) : status;
}

static hy_status decode_any(const job *j)
{
    return give(j, *j->in);
}

/* Where both directions differ only in what they accept, the function asks j->decoding. */
#define SHARED_CONVERTERS                                                                            \
    [HY_KIND_BOOLEAN] = to_boolean, [HY_KIND_TINYINT] = to_integer, [HY_KIND_SMALLINT] = to_integer, \
    [HY_KIND_MEDIUMINT] = to_integer, [HY_KIND_INTEGER] = to_integer, [HY_KIND_BIGINT] = to_integer, \
    [HY_KIND_FLOAT] = to_double, [HY_KIND_DOUBLE] = to_double, [HY_KIND_DECIMAL] = to_decimal,       \
    [HY_KIND_UUID] = to_uuid, [HY_KIND_BINARY] = to_bytes, [HY_KIND_VARBINARY] = to_bytes,           \
    [HY_KIND_JSON] = to_json, [HY_KIND_JSONB] = to_json, [HY_KIND_ARRAY] = to_json,                  \
    [HY_KIND_DATE] = to_date, [HY_KIND_TIME] = to_time, [HY_KIND_DATETIME] = to_timestamp,           \
    [HY_KIND_TIMESTAMP] = to_timestamp

static const convert_fn encoders[HY_KIND_COUNT] = {
    SHARED_CONVERTERS,
    [HY_KIND_ANY] = encode_any,
    [HY_KIND_CUSTOM] = encode_any,
    [HY_KIND_STRING] = encode_text,
    [HY_KIND_CHAR] = encode_text,
    [HY_KIND_TEXT] = encode_text,
    [HY_KIND_ENUM] = encode_text,
    [HY_KIND_ULID] = encode_text,
};

static const convert_fn decoders[HY_KIND_COUNT] = {
    SHARED_CONVERTERS,
    [HY_KIND_ANY] = decode_any,
    [HY_KIND_CUSTOM] = decode_any,
    [HY_KIND_STRING] = decode_text,
    [HY_KIND_CHAR] = decode_text,
    [HY_KIND_TEXT] = decode_text,
    [HY_KIND_ENUM] = decode_text,
    [HY_KIND_ULID] = decode_text,
};

static hy_status convert(const job *j)
{
    hy_status status = check_moment(j, j->in);
    return status == HY_OK ? (j->decoding ? decoders : encoders)[j->kind](j) : status;
}

/* Most values come as their column keeps them, and can be taken over without a converter. */
static bool is_encoded(hy_kind kind, const hy_value *in)
{
    const int_range *range = &int_ranges[kind];

    switch (in->type) {
    case HY_NULL:
        return true;
    case HY_BOOL:
        return kind == HY_KIND_BOOLEAN;
    case HY_INT:
        return range->high > 0 && in->as.integer >= range->low && in->as.integer <= range->high;
    case HY_DOUBLE:
        return kind == HY_KIND_DOUBLE || kind == HY_KIND_FLOAT;
    case HY_TEXT:
        return encoders[kind] == encode_text &&
               hy_text_check(in->as.text.data, in->as.text.size) == HY_TEXT_FINE;
    default:
        return false;
    }
}

hy_status hy_value_encode(hy_kind kind, const hy_value *in, char scratch[HY_VALUE_SCRATCH_SIZE],
                          hy_value *out, hy_error *err)
{
    if (is_encoded(kind, in)) {
        *out = *in;
        return HY_OK;
    }
    return convert(&(job){kind, in, scratch, out, err, false});
}

hy_status hy_value_decode(hy_kind kind, const hy_value *in, char scratch[HY_VALUE_SCRATCH_SIZE],
                          hy_value *out, hy_error *err)
{
    /* Text and integers mostly come as they should: no table, no call. */
    if (in->type == HY_NULL || (in->type == hy_kind_type(kind) && in->type <= HY_BLOB)) {
        *out = *in;
        return HY_OK;
    }
    return convert(&(job){kind, in, scratch, out, err, true});
}
