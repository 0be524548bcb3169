/*
 * Names and equality of values, and the codec: a table of what each kind takes and makes of
 * it, and a sweep over every kind and type for what it must refuse.
 */
#include "hy_test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include <hysteria/datetime.h>
#include <hysteria/value.h>

/* ---- values in the table, by the shortest names ---- */

static hy_value T(const char *text)
{
    return hy_text(text);
}
static hy_value I(int64_t n)
{
    return hy_int(n);
}
static hy_value F(double n)
{
    return hy_double(n);
}
static hy_value D(const char *text)
{
    return hy_bytes(HY_DECIMAL, text, strlen(text));
}
static hy_value J(const char *text)
{
    return hy_bytes(HY_JSON, text, strlen(text));
}
static hy_value X(const char *bytes, size_t size)
{
    return hy_bytes(HY_BLOB, bytes, size);
}
static hy_value raw(const char *bytes, size_t size)
{
    return hy_bytes(HY_TEXT, bytes, size);
}
static hy_value B(bool b)
{
    return hy_bool(b);
}

static hy_value count(hy_type type, int64_t n)
{
    hy_value v = {type, {0}};
    if (type == HY_DATE)
        v.as.days = n;
    else
        v.as.micros = n;
    return v;
}
static hy_value DAY(int64_t n)
{
    return count(HY_DATE, n);
}
static hy_value TIME(int64_t n)
{
    return count(HY_TIME, n);
}
static hy_value STAMP(int64_t n)
{
    return count(HY_TIMESTAMP, n);
}

static hy_value U(void)
{
    hy_value v = {HY_UUID, {0}};
    memcpy(v.as.uuid, "\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00", 16);
    return v;
}

#define UUID_TEXT "123e4567-e89b-12d3-a456-426614174000"
#define N53 INT64_C(9007199254740992)
#define DAY_MICROS INT64_C(86400000000)
#define LONG_DIGITS "1234567890123456789012345678901234567890123456789012345678901234567890"

static hy_value refused(void)
{
    hy_value v = {HY_TYPE_COUNT, {0}};
    return v;
}

typedef hy_status (*codec_fn)(hy_kind kind, const hy_value *in, char *scratch, hy_value *out, hy_error *err);

static void check(codec_fn fn, int line, hy_kind kind, hy_value in, hy_value expected)
{
    char *scratch = malloc(HY_VALUE_SCRATCH_SIZE); /* exactly: sanitizers see one byte more */
    hy_value out = in;
    hy_error err;

    assert_non_null(scratch);
    hy_error_clear(&err);
    hy_status status = fn(kind, &in, scratch, &out, &err);
    if (expected.type == HY_TYPE_COUNT) {
        if (status != HY_EDATA_INVALID || err.status != HY_EDATA_INVALID || err.message[0] == '\0')
            fail_msg("line %d: not refused (%d)", line, status);
        assert_int_equal(fn(kind, &in, scratch, &out, NULL), HY_EDATA_INVALID);
    } else if (status != HY_OK || !hy_value_equal(&out, &expected)) {
        fail_msg("line %d: status %d (%s), type %s", line, status, err.message, hy_type_name(out.type));
    }
    free(scratch);
}

#define ENCODE(kind, in, out) check(hy_value_encode, __LINE__, HY_KIND_##kind, in, out)
#define DECODE(kind, in, out) check(hy_value_decode, __LINE__, HY_KIND_##kind, in, out)
#define ENCODE_REFUSES(kind, in) ENCODE(kind, in, refused())
#define DECODE_REFUSES(kind, in) DECODE(kind, in, refused())

/* ---- encode ---- */

static void booleans_are_encoded(void **state)
{
    (void)state;
    ENCODE(BOOLEAN, B(true), B(true));
    ENCODE(BOOLEAN, B(false), B(false));
    ENCODE(BOOLEAN, I(0), B(false));
    ENCODE(BOOLEAN, I(1), B(true));
    ENCODE_REFUSES(BOOLEAN, I(2));
    ENCODE_REFUSES(BOOLEAN, I(-1));
    ENCODE_REFUSES(BOOLEAN, T("1"));
    ENCODE_REFUSES(BOOLEAN, F(1));
}

static void integers_are_encoded_within_their_range(void **state)
{
    static const struct {
        hy_kind kind;
        int64_t low, high;
    } ranges[] = {
        {HY_KIND_TINYINT, -128, 127},
        {HY_KIND_SMALLINT, -32768, 32767},
        {HY_KIND_MEDIUMINT, -8388608, 8388607},
        {HY_KIND_INTEGER, INT64_C(-2147483648), INT64_C(2147483647)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        hy_kind kind = ranges[i].kind;
        check(hy_value_encode, __LINE__, kind, I(ranges[i].low), I(ranges[i].low));
        check(hy_value_encode, __LINE__, kind, I(ranges[i].high), I(ranges[i].high));
        check(hy_value_encode, __LINE__, kind, F((double)ranges[i].high), I(ranges[i].high));
        check(hy_value_encode, __LINE__, kind, I(ranges[i].low - 1), refused());
        check(hy_value_encode, __LINE__, kind, I(ranges[i].high + 1), refused());
        check(hy_value_encode, __LINE__, kind, F((double)ranges[i].high + 1), refused());
    }
    ENCODE(BIGINT, I(INT64_MAX), I(INT64_MAX));
    ENCODE(BIGINT, I(INT64_MIN), I(INT64_MIN));
    ENCODE(BIGINT, F(-0x1p63), I(INT64_MIN));
    ENCODE_REFUSES(BIGINT, F(0x1p63));
    ENCODE_REFUSES(BIGINT, F(-0x1.0000000000001p63));
    ENCODE(BIGINT, D("9223372036854775807.000"), I(INT64_MAX));
    ENCODE_REFUSES(BIGINT, D("9223372036854775808"));
    ENCODE(INTEGER, F(3), I(3));
    ENCODE(INTEGER, F(-0.0), I(0));
    ENCODE_REFUSES(INTEGER, F(1.5));
    ENCODE_REFUSES(INTEGER, F(1e300));
    ENCODE_REFUSES(INTEGER, F(HUGE_VAL));
    ENCODE_REFUSES(INTEGER, F(-HUGE_VAL));
    ENCODE_REFUSES(INTEGER, F((double)NAN));
    ENCODE(INTEGER, D("12.00"), I(12));
    ENCODE_REFUSES(INTEGER, D("12.01"));
    ENCODE_REFUSES(INTEGER, D("x"));
    ENCODE_REFUSES(INTEGER, T("12"));
    ENCODE_REFUSES(INTEGER, B(true));
}

static void floats_are_encoded(void **state)
{
    (void)state;
    ENCODE(FLOAT, F(1.5), F(1.5));
    ENCODE(DOUBLE, F(HUGE_VAL), F(HUGE_VAL));
    ENCODE(DOUBLE, F((double)NAN), F((double)NAN));
    ENCODE(DOUBLE, I(N53), F(0x1p53));
    ENCODE(DOUBLE, I(-N53), F(-0x1p53));
    ENCODE_REFUSES(DOUBLE, I(N53 + 1));
    ENCODE_REFUSES(DOUBLE, I(-N53 - 1));
    ENCODE(FLOAT, I(16777216), F(0x1p24));
    ENCODE(FLOAT, I(N53), F(0x1p53));
    ENCODE_REFUSES(FLOAT, I(16777217)); /* a float would keep 16777216 */
    ENCODE_REFUSES(FLOAT, I(INT64_MAX));
    ENCODE(DOUBLE, D("0.1"), F(0.1));
    ENCODE_REFUSES(DOUBLE, T("1.5"));
    ENCODE_REFUSES(DOUBLE, B(true));
}

static void decimals_are_encoded_exactly(void **state)
{
    (void)state;
    ENCODE(DECIMAL, D("10.50"), D("10.50"));
    ENCODE(DECIMAL, D("-0.00"), D("0.00"));
    ENCODE(DECIMAL, T("10.50"), D("10.50"));
    ENCODE(DECIMAL, T("+007.10"), D("7.10"));
    ENCODE(DECIMAL, T("-.5"), D("-0.5"));
    ENCODE(DECIMAL, T("1e3"), D("1000"));
    ENCODE(DECIMAL, T("12."), D("12"));
    ENCODE(DECIMAL, I(INT64_MIN), D("-9223372036854775808"));
    ENCODE(DECIMAL, F(3), D("3"));
    ENCODE(DECIMAL, F(-9007199254740991), D("-9007199254740991"));
    ENCODE_REFUSES(DECIMAL, F(0x1p53));
    ENCODE_REFUSES(DECIMAL, F(10.5));
    ENCODE_REFUSES(DECIMAL, F((double)NAN));
    ENCODE_REFUSES(DECIMAL, F(HUGE_VAL));
    ENCODE_REFUSES(DECIMAL, T(""));
    ENCODE_REFUSES(DECIMAL, T("ten"));
    ENCODE_REFUSES(DECIMAL, T("1,5"));
    ENCODE_REFUSES(DECIMAL, D("nan"));
    ENCODE_REFUSES(DECIMAL, B(true));
    /* longer than the scratch: lent from the input, or refused */
    ENCODE(DECIMAL, T(LONG_DIGITS), D(LONG_DIGITS));
    ENCODE(DECIMAL, T("+00" LONG_DIGITS ".5"), D(LONG_DIGITS ".5"));
    ENCODE(DECIMAL, T("1e63"), D("1000000000000000000000000000000000000000000000000000000000000000"));
    ENCODE_REFUSES(DECIMAL, T("1e64"));
    ENCODE_REFUSES(DECIMAL, T("-." LONG_DIGITS));
}

static void the_refused_float_teaches(void **state)
{
    hy_value in = F(10.5), out;
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_error err;
    (void)state;
    assert_fails(HY_EDATA_INVALID, err, hy_value_encode(HY_KIND_DECIMAL, &in, scratch, &out, &err));
    assert_non_null(strstr(err.message, "sql.decimal"));
    in = T("12; drop");
    assert_fails(HY_EDATA_INVALID, err, hy_value_encode(HY_KIND_INTEGER, &in, scratch, &out, &err));
    assert_null(strstr(err.message, "drop")); /* no values in messages */
    assert_string_equal(err.message, "a column of kind integer takes an integer, not text");
}

static void text_is_encoded_if_it_is_text(void **state)
{
    static const hy_kind kinds[] = {HY_KIND_STRING, HY_KIND_CHAR, HY_KIND_TEXT, HY_KIND_ENUM, HY_KIND_ULID};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        check(hy_value_encode, __LINE__, kinds[i], T("h\xc3\xa9llo"), T("h\xc3\xa9llo"));
        check(hy_value_encode, __LINE__, kinds[i], T(""), T(""));
        check(hy_value_encode, __LINE__, kinds[i], raw("a\0b", 3), refused());
        check(hy_value_encode, __LINE__, kinds[i], T("\xff"), refused());
        check(hy_value_encode, __LINE__, kinds[i], I(1), refused());
        check(hy_value_encode, __LINE__, kinds[i], F(1), refused());
        check(hy_value_encode, __LINE__, kinds[i], B(true), refused());
        check(hy_value_encode, __LINE__, kinds[i], X("a", 1), refused());
    }
}

static void bytes_and_json_are_encoded(void **state)
{
    (void)state;
    ENCODE(BINARY, X("a\0\xff", 3), X("a\0\xff", 3));
    ENCODE(VARBINARY, raw("a\0\xff", 3), X("a\0\xff", 3));
    ENCODE_REFUSES(BINARY, I(1));
    ENCODE_REFUSES(BINARY, U());
    ENCODE(JSON, J("{\"a\":1}"), J("{\"a\":1}"));
    ENCODE(JSONB, J("[]"), J("[]"));
    ENCODE_REFUSES(JSON, T("{}"));
    ENCODE_REFUSES(JSON, J("\"\xff\""));
    ENCODE_REFUSES(JSON, hy_bytes(HY_JSON, "\0", 1));
    ENCODE_REFUSES(JSON, I(1));
}

static void uuids_are_encoded(void **state)
{
    (void)state;
    ENCODE(UUID, U(), U());
    ENCODE(UUID, T(UUID_TEXT), U());
    ENCODE(UUID, T("{123E4567E89B12D3A456426614174000}"), U());
    ENCODE_REFUSES(UUID, T("123e4567"));
    ENCODE_REFUSES(UUID, T(""));
    ENCODE_REFUSES(UUID, X("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00", 16));
    ENCODE_REFUSES(UUID, I(1));
}

static void dates_and_times_are_encoded(void **state)
{
    (void)state;
    ENCODE(DATE, DAY(19782), DAY(19782));
    ENCODE(DATE, T("2024-02-29"), DAY(19782));
    ENCODE(DATE, T("2024-02-29 00:00:00"), DAY(19782));
    ENCODE(DATE, T("2024-02-29T02:00:00+02:00"), DAY(19782));
    ENCODE(DATE, STAMP(19782 * DAY_MICROS), DAY(19782));
    ENCODE(DATE, STAMP(-DAY_MICROS), DAY(-1));
    ENCODE_REFUSES(DATE, STAMP(19782 * DAY_MICROS + 1));
    ENCODE_REFUSES(DATE, T("2024-02-29 00:00:01"));
    ENCODE_REFUSES(DATE, T("2024-02-30"));
    ENCODE_REFUSES(DATE, T("29.2.2024"));
    ENCODE(DATE, I(INT64_C(19782) * 86400), DAY(19782));
    ENCODE(DATE, F(-86400.0), DAY(-1));
    ENCODE_REFUSES(DATE, I(19782));
    ENCODE_REFUSES(DATE, F(86400.5));
    ENCODE_REFUSES(DATE, I(INT64_C(86400) * 2932897));
    ENCODE_REFUSES(DATE, I(INT64_MIN));
    ENCODE_REFUSES(DATE, F(NAN));
    ENCODE_REFUSES(DATE, DAY(2932897));
    ENCODE_REFUSES(DATE, DAY(INT64_MIN));
    ENCODE(TIME, T("12:30"), TIME(INT64_C(45000000000)));
    ENCODE(TIME, TIME(-1), TIME(-1));
    ENCODE_REFUSES(TIME, TIME(INT64_MAX));
    ENCODE_REFUSES(TIME, T("25"));
    ENCODE(TIME, I(5), TIME(5000000));
    ENCODE(TIME, F(86399.999999), TIME(INT64_C(86399999999)));
    ENCODE(TIME, F(-0.5), TIME(-500000));
    ENCODE_REFUSES(TIME, I(839 * 3600));
    ENCODE_REFUSES(TIME, F(INFINITY));
    ENCODE_REFUSES(TIME, STAMP(0));
}

static void timestamps_are_encoded(void **state)
{
    (void)state;
    ENCODE(TIMESTAMP, STAMP(5), STAMP(5));
    ENCODE(DATETIME, DAY(19782), STAMP(19782 * DAY_MICROS));
    ENCODE(DATETIME, T("2024-02-29"), STAMP(19782 * DAY_MICROS));
    ENCODE(TIMESTAMP, T("2024-02-29T01:00:00.000001+01:00"), STAMP(19782 * DAY_MICROS + 1));
    ENCODE(TIMESTAMP, I(0), STAMP(0));
    ENCODE(TIMESTAMP, I(-1), STAMP(-1000000));
    ENCODE(TIMESTAMP, F(1.5), STAMP(1500000));
    ENCODE(TIMESTAMP, F(-0.25), STAMP(-250000));
    ENCODE(TIMESTAMP, F(1700000000.123456), STAMP(INT64_C(1700000000123456)));
    ENCODE(TIMESTAMP, I(INT64_C(253402300799)), STAMP(INT64_C(253402300799000000)));
    ENCODE(TIMESTAMP, I(INT64_C(-62135596800)), STAMP(INT64_C(-62135596800000000)));
    ENCODE_REFUSES(TIMESTAMP, I(INT64_C(253402300800)));
    ENCODE_REFUSES(TIMESTAMP, I(INT64_C(-62135596801)));
    ENCODE_REFUSES(TIMESTAMP, I(INT64_MAX));
    ENCODE_REFUSES(TIMESTAMP, I(INT64_MIN));
    ENCODE_REFUSES(TIMESTAMP, F(1e300));
    ENCODE_REFUSES(TIMESTAMP, F((double)NAN));
    ENCODE_REFUSES(TIMESTAMP, F(-HUGE_VAL));
    ENCODE_REFUSES(TIMESTAMP, STAMP(INT64_MAX));
    ENCODE_REFUSES(TIMESTAMP, DAY(INT64_MAX));
    ENCODE_REFUSES(TIMESTAMP, T("2016-12-31 23:59:60"));
    ENCODE_REFUSES(TIMESTAMP, T("now"));
    ENCODE_REFUSES(TIMESTAMP, TIME(0));
}

static void any_takes_all_but_bad_text(void **state)
{
    (void)state;
    ENCODE(ANY, I(5), I(5));
    ENCODE(ANY, F((double)NAN), F((double)NAN));
    ENCODE(CUSTOM, T("[1,2]"), T("[1,2]"));
    ENCODE(ANY, X("\xff\0", 2), X("\xff\0", 2));
    ENCODE(ANY, U(), U());
    ENCODE_REFUSES(ANY, T("\xff"));
    ENCODE_REFUSES(CUSTOM, raw("a\0", 2));
    ENCODE_REFUSES(ANY, J("\xff"));
    ENCODE_REFUSES(ANY, STAMP(INT64_MAX));
    DECODE(ANY, T("\xff"), T("\xff"));
    DECODE(CUSTOM, I(3), I(3));
}

/* ---- decode ---- */

static void booleans_are_decoded(void **state)
{
    (void)state;
    DECODE(BOOLEAN, I(1), B(true));
    DECODE(BOOLEAN, I(0), B(false));
    DECODE(BOOLEAN, T("1"), B(true));
    DECODE(BOOLEAN, T("0"), B(false));
    DECODE(BOOLEAN, B(true), B(true));
    DECODE_REFUSES(BOOLEAN, I(2));
    DECODE_REFUSES(BOOLEAN, T("t"));
    DECODE_REFUSES(BOOLEAN, T(""));
    DECODE_REFUSES(BOOLEAN, T("10"));
    DECODE_REFUSES(BOOLEAN, F(1));
}

static void numbers_are_decoded(void **state)
{
    (void)state;
    DECODE(INTEGER, I(5), I(5));
    DECODE(INTEGER, I(INT64_MAX), I(INT64_MAX)); /* SQLite keeps what fits its own integers */
    DECODE(INTEGER, D("5.00"), I(5));
    DECODE(INTEGER, F(5), I(5));
    DECODE(INTEGER, T("-5"), I(-5));
    DECODE_REFUSES(INTEGER, T("5x"));
    DECODE_REFUSES(INTEGER, T(""));
    DECODE_REFUSES(INTEGER, T("5.5"));
    DECODE_REFUSES(INTEGER, F(5.5));
    DECODE_REFUSES(INTEGER, X("5", 1));
    DECODE(BIGINT, D("9223372036854775807"), I(INT64_MAX));
    DECODE(BIGINT, D("18446744073709551615"), D("18446744073709551615"));
    DECODE(BIGINT, D("18446744073709551615.00"), D("18446744073709551615.00"));
    DECODE_REFUSES(BIGINT, D("18446744073709551615.5"));
    DECODE_REFUSES(INTEGER, D("18446744073709551615"));
    DECODE_REFUSES(BIGINT, F(1e19));
    DECODE(DOUBLE, F(2.5), F(2.5));
    DECODE(DOUBLE, I(3), F(3));
    DECODE(DOUBLE, I(INT64_MAX), F(0x1p63));
    DECODE(FLOAT, D("0.1"), F(0.1));
    DECODE(FLOAT, T("1e5"), F(1e5));
    DECODE(FLOAT, T("-Infinity"), F(-HUGE_VAL));
    DECODE_REFUSES(FLOAT, T("1,5"));
    DECODE_REFUSES(FLOAT, T("1e999"));
    DECODE_REFUSES(FLOAT, B(true));
}

static void decimals_are_decoded(void **state)
{
    (void)state;
    DECODE(DECIMAL, D("10.50"), D("10.50"));
    DECODE(DECIMAL, T("10.50"), D("10.50"));
    DECODE(DECIMAL, I(-7), D("-7"));
    /* SQLite keeps decimals of up to 15 digits as floats */
    DECODE(DECIMAL, F(10.5), D("10.5"));
    DECODE(DECIMAL, F(0.1), D("0.1"));
    DECODE(DECIMAL, F(0.1 + 0.2), D("0.3"));
    DECODE(DECIMAL, F(123456789012.345), D("123456789012.345"));
    DECODE(DECIMAL, F(1e-7), D("0.0000001"));
    DECODE(DECIMAL, F(-2.5e20), D("-250000000000000000000"));
    DECODE(DECIMAL, F(-0.0), D("0"));
    DECODE_REFUSES(DECIMAL, F(1e100));
    DECODE_REFUSES(DECIMAL, F((double)NAN));
    DECODE_REFUSES(DECIMAL, F(HUGE_VAL));
    DECODE_REFUSES(DECIMAL, T("NaN"));
    DECODE_REFUSES(DECIMAL, X("1", 1));
}

/* Every decimal of up to 15 digits must come back from a double as it went in. */
static void short_decimals_survive_a_float(void **state)
{
    uint64_t seed = 5;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[40];
        uint64_t whole = hy_test_random(&seed) % 10000000000000u; /* 13 digits and two after the point */
        snprintf(text, sizeof text, "%s%llu.%llu", i % 2 ? "-" : "", (unsigned long long)whole,
                 (unsigned long long)(hy_test_random(&seed) % 99 + 1));
        size_t size = strlen(text);
        if (text[size - 1] == '0')
            text[size - 1] = '5';
        check(hy_value_decode, __LINE__, HY_KIND_DECIMAL, F(strtod(text, NULL)), D(text));
    }
}

static void text_and_bytes_are_decoded(void **state)
{
    (void)state;
    DECODE(TEXT, T("a"), T("a"));
    DECODE(STRING, I(-5), T("-5"));
    DECODE(STRING, F(0.1), T("0.1"));
    DECODE(CHAR, D("1.50"), T("1.50"));
    DECODE_REFUSES(TEXT, X("a", 1));
    DECODE_REFUSES(TEXT, B(true));
    DECODE(BINARY, X("a\0", 2), X("a\0", 2));
    DECODE(VARBINARY, T("ab"), X("ab", 2));
    DECODE_REFUSES(BINARY, I(1));
    DECODE(JSON, T("[1]"), J("[1]"));
    DECODE(JSONB, J("[1]"), J("[1]"));
    DECODE_REFUSES(JSON, I(1));
    DECODE(UUID, T(UUID_TEXT), U());
    DECODE(UUID, X("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00", 16), U());
    DECODE(UUID, U(), U());
    DECODE_REFUSES(UUID, X("short", 5));
    DECODE_REFUSES(UUID, T("x"));
}

static void moments_are_decoded(void **state)
{
    (void)state;
    DECODE(DATE, T("2024-02-29"), DAY(19782));
    DECODE(DATE, DAY(5), DAY(5));
    DECODE_REFUSES(DATE, T("0000-00-00"));
    DECODE_REFUSES(DATE, I(5));
    DECODE(TIME, T("-838:59:59"), TIME(INT64_C(-3020399000000)));
    DECODE(TIME, TIME(5), TIME(5));
    DECODE(DATETIME, T("2024-02-29 00:00:00.000001"), STAMP(19782 * DAY_MICROS + 1));
    DECODE(TIMESTAMP, STAMP(5), STAMP(5));
    DECODE(TIMESTAMP, DAY(1), STAMP(DAY_MICROS));
    DECODE_REFUSES(TIMESTAMP, I(1700000000));
    DECODE_REFUSES(TIMESTAMP, F(1.5));
    DECODE_REFUSES(DATETIME, T("0000-00-00 00:00:00"));
    DECODE_REFUSES(DATE, DAY(INT64_MAX));
}

/* ---- everything against everything ---- */

static hy_value sample(hy_type type)
{
    switch (type) {
    case HY_NULL:
        return hy_null();
    case HY_BOOL:
        return B(true);
    case HY_INT:
        return I(1);
    case HY_DOUBLE:
        return F(2.5);
    case HY_DECIMAL:
        return D("2.5");
    case HY_UUID:
        return U();
    case HY_DATE:
        return DAY(1);
    case HY_TIME:
    case HY_TIMESTAMP:
        return count(type, 1);
    default:
        return hy_bytes(type, "x", 1);
    }
}

/* What succeeds must be of the kind's own type, and stay the same when done again. */
static void results_have_the_type_of_their_kind(void **state)
{
    static const codec_fn codecs[] = {hy_value_encode, hy_value_decode};
    (void)state;
    for (int c = 0; c < 2; c++) {
        for (int kind = 0; kind < HY_KIND_COUNT; kind++) {
            for (int type = 0; type < HY_TYPE_COUNT; type++) {
                char scratch[HY_VALUE_SCRATCH_SIZE], again[HY_VALUE_SCRATCH_SIZE];
                hy_value in = sample((hy_type)type), out, twice;
                hy_error err;
                hy_status status = codecs[c]((hy_kind)kind, &in, scratch, &out, &err);
                if (type == HY_NULL) {
                    assert_int_equal(status, HY_OK);
                    assert_int_equal(out.type, HY_NULL);
                } else if (status == HY_OK) {
                    hy_type wanted = hy_kind_type((hy_kind)kind);
                    assert_int_equal(out.type, wanted == HY_NULL ? in.type : wanted);
                    assert_int_equal(codecs[c]((hy_kind)kind, &out, again, &twice, &err), HY_OK);
                    assert_true(hy_value_equal(&out, &twice));
                } else {
                    assert_int_equal(status, HY_EDATA_INVALID);
                    assert_non_null(strstr(err.message, hy_kind_name((hy_kind)kind)));
                }
            }
        }
    }
}

/* ---- names and equality ---- */

static void kinds_have_names(void **state)
{
    (void)state;
    for (int kind = 0; kind < HY_KIND_COUNT; kind++) {
        assert_true(strlen(hy_kind_name((hy_kind)kind)) > 2);
        assert_int_equal(hy_kind_from_name(hy_kind_name((hy_kind)kind)), kind);
    }
    assert_string_equal(hy_kind_name(HY_KIND_BIGINT), "bigInteger");
    assert_int_equal(hy_kind_from_name("jsonb"), HY_KIND_JSONB);
    assert_int_equal(hy_kind_from_name("JSONB"), HY_KIND_COUNT);
    assert_int_equal(hy_kind_from_name(""), HY_KIND_COUNT);
    assert_int_equal(hy_kind_type(HY_KIND_DATETIME), HY_TIMESTAMP);
    assert_int_equal(hy_kind_type(HY_KIND_ANY), HY_NULL);
    assert_int_equal(hy_kind_type(HY_KIND_COUNT), HY_NULL);
    assert_string_equal(hy_kind_name(HY_KIND_COUNT), "unknown");
}

static void types_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < HY_TYPE_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(hy_type_name((hy_type)i), hy_type_name((hy_type)k));
    assert_string_equal(hy_type_name(HY_TEXT), "text");
    assert_string_equal(hy_type_name(HY_TYPE_COUNT), "unknown");
}

static void equality_is_of_type_and_content(void **state)
{
    hy_value nan = F((double)NAN), none = hy_bytes(HY_TEXT, NULL, 0), empty = T("");
    (void)state;
    for (int i = 0; i < HY_TYPE_COUNT; i++) {
        for (int k = 0; k < HY_TYPE_COUNT; k++) {
            hy_value a = sample((hy_type)i), b = sample((hy_type)k);
            assert_int_equal(hy_value_equal(&a, &b), i == k);
        }
    }
    assert_true(hy_value_equal(&nan, &nan));
    assert_true(hy_value_equal(&none, &empty));
    hy_value pairs[][2] = {{I(1), I(2)},     {B(true), B(false)}, {T("a"), T("b")}, {T("a"), T("ab")},
                           {DAY(1), DAY(2)}, {TIME(1), TIME(2)},  {F(1), F(2)},     {D("1.0"), D("1.00")}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_false(hy_value_equal(&pairs[i][0], &pairs[i][1]));
    hy_value other = U();
    hy_value uuid = U();
    other.as.uuid[15] = 1;
    assert_false(hy_value_equal(&uuid, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans_are_encoded),
        cmocka_unit_test(integers_are_encoded_within_their_range),
        cmocka_unit_test(floats_are_encoded),
        cmocka_unit_test(decimals_are_encoded_exactly),
        cmocka_unit_test(the_refused_float_teaches),
        cmocka_unit_test(text_is_encoded_if_it_is_text),
        cmocka_unit_test(bytes_and_json_are_encoded),
        cmocka_unit_test(uuids_are_encoded),
        cmocka_unit_test(dates_and_times_are_encoded),
        cmocka_unit_test(timestamps_are_encoded),
        cmocka_unit_test(any_takes_all_but_bad_text),
        cmocka_unit_test(booleans_are_decoded),
        cmocka_unit_test(numbers_are_decoded),
        cmocka_unit_test(decimals_are_decoded),
        cmocka_unit_test(short_decimals_survive_a_float),
        cmocka_unit_test(text_and_bytes_are_decoded),
        cmocka_unit_test(moments_are_decoded),
        cmocka_unit_test(results_have_the_type_of_their_kind),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(types_have_names),
        cmocka_unit_test(equality_is_of_type_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
