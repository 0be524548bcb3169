/*
 * Numbers as text: against strtod() and printf() in the C locale, and then the same answers
 * under a locale that writes a comma.
 */
#include "hy_test.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include <base/number.h>

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void integers_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"+7", 7},
        {"-7", -7},
        {"007", 7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-9223372036854775807", -INT64_MAX},
        {"000000000000000000000000000000001", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t found;
        assert_true(hy_parse_int(rows[i].text, strlen(rows[i].text), &found));
        assert_true(found == rows[i].value);
    }
}

static void other_integers_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "-",
                                        "+",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "1e3",
                                        "0x1",
                                        "--1",
                                        "+-1",
                                        "12a",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "99999999999999999999",
                                        "18446744073709551616",
                                        "-18446744073709551616"};
    int64_t found = 5;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(hy_parse_int(texts[i], strlen(texts[i]), &found));
    assert_false(hy_parse_int("1\0", 2, &found));
    assert_int_equal(found, 5);
    assert_true(hy_parse_int("123", 2, &found));
    assert_int_equal(found, 12);
}

static void integers_are_written(void **state)
{
    uint64_t seed = 42;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        int64_t value = (int64_t)(hy_test_random(&seed) >> (i % 64));
        char expected[32], found[HY_NUMBER_TEXT_SIZE];
        value = i == 0 ? INT64_MIN : i == 1 ? 0 : i % 2 ? value : (int64_t)(0 - (uint64_t)value);
        snprintf(expected, sizeof expected, "%" PRId64, value);
        assert_int_equal(hy_format_int(value, found), strlen(expected));
        assert_string_equal(found, expected);
    }
}

static void check_parse(const char *text)
{
    double expected = strtod(text, NULL), found;
    bool fits = !isinf(expected);
    assert_int_equal(hy_parse_double(text, strlen(text), &found), fits);
    if (fits && bits_of(found) != bits_of(expected))
        fail_msg("%s: %a, not %a", text, found, expected);
}

/* Runs under the C locale only: strtod is the oracle. */
static void doubles_are_read_as_strtod_reads_them(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "-1.5",
        "+2.5",
        ".5",
        "5.",
        "1e22",
        "1e23",
        "1e-22",
        "123456789012345e22",
        "9007199254740993",
        "9007199254740992.5",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "-1e400",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1E5",
        "1e+5",
        "0e999999999999999999999",
        "0.000000000000000000000000000000000000000001e42",
        "1e-99999999999999999999",
        "1e99999999999999999999",
        "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070"
        "96330286"
        "4166928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700"
        "69855571"
        "366959622842914819860834936475292719074168444365510704342711559699508093042880",
    };
    uint64_t seed = 7;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_parse(texts[i]);
    for (int i = 0; i < 30000; i++) {
        char text[400];
        int precision = (int)(hy_test_random(&seed) % 25);
        double value = double_of(hy_test_random(&seed));
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof text, i % 2 ? "%.*e" : "%.*g", precision, value);
        check_parse(text);
        snprintf(text, sizeof text, "%.*f", precision % 6, (double)(int64_t)hy_test_random(&seed) / 1e4);
        check_parse(text);
    }
}

/* A half way between two doubles has up to 767 digits; one digit after them decides. */
static void long_texts_are_rounded_by_their_last_digit(void **state)
{
    static const uint64_t starts[] = {1,
                                      2,
                                      0x000fffffffffffff,
                                      0x0010000000000000,
                                      0x0020000000000001,
                                      0x3ff0000000000000,
                                      0x3ff0000000000001};
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        double low = double_of(starts[i]), high = double_of(starts[i] + 1), found;
        long double half = ((long double)low + (long double)high) / 2;
        char text[3000];
        int n = snprintf(text, sizeof text, "%.1200Lf", half); /* exact: zeros at the end */
        double even = starts[i] % 2 == 0 ? low : high;

        assert_true(hy_parse_double(text, (size_t)n, &found));
        assert_true(bits_of(found) == bits_of(even));
        memset(text + n, '0', 500);
        text[n + 500] = '1';
        assert_true(hy_parse_double(text, (size_t)n + 501, &found));
        assert_true(bits_of(found) == bits_of(high));
    }
}

static void other_doubles_are_refused(void **state)
{
    static const char *const texts[] = {"",    " ",       "-",    "+",      ".",   "e5",    ".e1",  "1e",
                                        "1e+", "1e-",     "0x10", "0x1p3",  "1,5", "1.2.3", " 1",   "1 ",
                                        "--1", "infinit", "in",   "nan(1)", "1_0", "1f",    "1e5.5"};
    double found = 5;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(hy_parse_double(texts[i], strlen(texts[i]), &found));
    assert_true(found == 5);
}

static void special_doubles_have_names(void **state)
{
    char text[HY_NUMBER_TEXT_SIZE];
    double found;
    (void)state;
    assert_true(hy_parse_double("inf", 3, &found) && found == HUGE_VAL);
    assert_true(hy_parse_double("-Infinity", 9, &found) && found == -HUGE_VAL);
    assert_true(hy_parse_double("NaN", 3, &found) && isnan(found));
    assert_int_equal(hy_format_double(HUGE_VAL, text), 3);
    assert_string_equal(text, "inf");
    assert_int_equal(hy_format_double(-HUGE_VAL, text), 4);
    assert_string_equal(text, "-inf");
    hy_format_double(-(double)NAN, text);
    assert_string_equal(text, "nan");
}

static void check_format(double value)
{
    char expected[64], found[HY_NUMBER_TEXT_SIZE];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(expected, sizeof expected, "%.*g", precision, value);
        if (bits_of(strtod(expected, NULL)) == bits_of(value))
            break;
    }
    assert_int_equal(hy_format_double(value, found), strlen(expected));
    assert_string_equal(found, expected);
}

static void doubles_are_written_shortest(void **state)
{
    static const double values[] = {
        0.0,  -0.0,       1,       -1,       0.1,     0.2,         0.1 + 0.2, 1e15,    999999999999999,
        1e16, 123456.789, DBL_MAX, -DBL_MAX, DBL_MIN, DBL_EPSILON, 4.9e-324,  1.0 / 3, 9007199254740993.0,
        1e22, 1e23,       1e-5,    0.0001,   2.5,     100};
    uint64_t seed = 99;
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        check_format(values[i]);
    for (int i = 0; i < 30000; i++) {
        double value = double_of(hy_test_random(&seed));
        if (isfinite(value))
            check_format(value);
        check_format((double)(hy_test_random(&seed) % 100000000) / 100);
    }
}

/* A locale with a comma, made on the spot where the system has none. */
static bool use_comma_locale(char *folder)
{
    char command[300], path[100];

    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && mkdtemp(folder) != NULL) {
        snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/comma 2>/dev/null", folder);
        snprintf(path, sizeof path, "%s/comma", folder);
        if (system(command) == 0) {
            setenv("LOCPATH", folder, 1);
            setlocale(LC_ALL, "comma");
        }
    }
    return strcmp(localeconv()->decimal_point, ",") == 0;
}

static void a_comma_locale_changes_nothing(void **state)
{
    static const double values[] = {0.5, -1234567.25, 0.1, 1e300, 1.5e-300, 0.1 + 0.2, 3};
    static const char *const texts[] = {"0.5",      "-1234567.25",         "0.1", "1e+300",
                                        "1.5e-300", "0.30000000000000004", "3"};
    char folder[] = "/tmp/hysteria-locale-XXXXXX", text[HY_NUMBER_TEXT_SIZE];
    (void)state;

    bool comma = use_comma_locale(folder);
    for (size_t i = 0; comma && i < sizeof values / sizeof values[0]; i++) {
        double back;
        size_t size = hy_format_double(values[i], text);
        assert_text(texts[i], text, size);
        assert_true(hy_parse_double(text, size, &back));
        assert_true(back == values[i]);
        assert_false(hy_parse_double("0,5", 3, &back));
        assert_true(hy_parse_double("0.123456789012345678", 20, &back));
        assert_true(back == 0.123456789012345678);
        hy__format_significant(values[i], 3, text);
        assert_null(strchr(text, ','));
    }
    setlocale(LC_ALL, "C");
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (strchr(folder, 'X') == NULL || access(folder, F_OK) == 0)
        assert_int_equal(system(command), 0);
    if (!comma)
        skip();
}

static void decimal_text_gets_another_scale(void **state)
{
    static const struct {
        const char *in;
        int scale;
        const char *out; /* NULL: refused */
    } rows[] = {
        {"10.5", 2, "10.50"},     {"10", 2, "10.00"},
        {"-0.25", 2, "-0.25"},    {"1.500", 1, "1.5"},
        {"1.500", 0, NULL},       {"1.000", 0, "1"},
        {"1.255", 2, NULL},       {"7", 0, "7"},
        {"0", 3, "0.000"},        {"123456789.5", 2, "123456789.50"},
        {"123456789.5", 6, NULL}, /* no room */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[16];
        size_t size =
            hy__decimal_text_rescale(rows[i].in, strlen(rows[i].in), rows[i].scale, out, sizeof out);
        if (rows[i].out == NULL)
            assert_int_equal(size, 0);
        else
            assert_text(rows[i].out, out, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read),
        cmocka_unit_test(other_integers_are_refused),
        cmocka_unit_test(integers_are_written),
        cmocka_unit_test(doubles_are_read_as_strtod_reads_them),
        cmocka_unit_test(long_texts_are_rounded_by_their_last_digit),
        cmocka_unit_test(other_doubles_are_refused),
        cmocka_unit_test(special_doubles_have_names),
        cmocka_unit_test(doubles_are_written_shortest),
        cmocka_unit_test(a_comma_locale_changes_nothing),
        cmocka_unit_test(decimal_text_gets_another_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
