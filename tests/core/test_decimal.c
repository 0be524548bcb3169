/*
 * Exact decimals against results that Python computed with fractions (decimal_cases.inc),
 * at the limits, and with every GMP allocation forbidden.
 */
#include "hy_test.h"

#include <math.h>
#include <stdio.h>

#include <gmp.h>

#include <hysteria/decimal.h>

typedef enum operation { SUM, PRODUCT, ORDER, QUOTIENT, ROUNDED, TO_DOUBLE } operation;

typedef struct decimal_case {
    operation op;
    const char *a, *b;
    int number; /* scale, or the order */
    hy_rounding rounding;
    const char *first, *second; /* results, NULL: must fail */
    double real;
} decimal_case;

static const decimal_case cases[] = {
#define SUM(a, b, sum, difference) {SUM, a, b, 0, HY_ROUND_DOWN, sum, difference, 0},
#define PRODUCT(a, b, result) {PRODUCT, a, b, 0, HY_ROUND_DOWN, result, NULL, 0},
#define ORDER(a, b, order) {ORDER, a, b, order, HY_ROUND_DOWN, NULL, NULL, 0},
#define QUOTIENT(a, b, scale, mode, result) {QUOTIENT, a, b, scale, HY_ROUND_##mode, result, NULL, 0},
#define ROUNDED(a, scale, mode, result) {ROUNDED, a, NULL, scale, HY_ROUND_##mode, result, NULL, 0},
#define DOUBLE(a, value) {TO_DOUBLE, a, NULL, 0, HY_ROUND_DOWN, NULL, NULL, value},
#include "decimal_cases.inc"
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static hy_decimal parse(const char *text)
{
    hy_decimal d;
    memset(&d, 0xa5, sizeof d); /* limbs past n_limbs must not matter */
    assert_int_equal(hy_decimal_parse(text, strlen(text), &d, NULL), HY_OK);
    return d;
}

static void assert_decimal(const char *expected, const hy_decimal *d)
{
    char text[HY_DECIMAL_TEXT_SIZE];
    size_t size = hy_decimal_format(d, text);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(text));
    assert_true(d->n_limbs == 0 || d->limbs[d->n_limbs - 1] != 0);
    assert_false(d->n_limbs == 0 && d->negative);
}

static void assert_result(const char *expected, hy_status status, const hy_decimal *d)
{
    if (expected == NULL) {
        assert_int_equal(status, HY_EDATA_INVALID);
        return;
    }
    assert_int_equal(status, HY_OK);
    assert_decimal(expected, d);
}

static void check_sum(const decimal_case *c)
{
    hy_decimal a = parse(c->a), b = parse(c->b), out;
    hy_status status = hy_decimal_add(&a, &b, &out, NULL);
    assert_result(c->first, status, &out);
    status = hy_decimal_add(&b, &a, &out, NULL);
    assert_result(c->first, status, &out);
    status = hy_decimal_subtract(&a, &b, &out, NULL);
    assert_result(c->second, status, &out);
    out = a;
    status = hy_decimal_add(&out, &b, &out, NULL);
    assert_result(c->first, status, &out);
    out = b;
    status = hy_decimal_subtract(&a, &out, &out, NULL);
    assert_result(c->second, status, &out);
}

static void check_product(const decimal_case *c)
{
    hy_decimal a = parse(c->a), b = parse(c->b), out;
    hy_status status = hy_decimal_multiply(&a, &b, &out, NULL);
    assert_result(c->first, status, &out);
    status = hy_decimal_multiply(&b, &a, &a, NULL);
    assert_result(c->first, status, &a);
}

static void check_order(const decimal_case *c)
{
    hy_decimal a = parse(c->a), b = parse(c->b);
    assert_int_equal(hy_decimal_compare(&a, &b), c->number);
    assert_int_equal(hy_decimal_compare(&b, &a), -c->number);
    assert_int_equal(hy_decimal_compare(&a, &a), 0);
}

static void check_quotient(const decimal_case *c)
{
    hy_decimal a = parse(c->a), b = parse(c->b), out;
    hy_status status = hy_decimal_divide(&a, &b, c->number, c->rounding, &out, NULL);
    assert_result(c->first, status, &out);
    status = hy_decimal_divide(&a, &b, c->number, c->rounding, &b, NULL);
    assert_result(c->first, status, &b);
}

static void check_rounded(const decimal_case *c)
{
    hy_decimal a = parse(c->a), out;
    hy_status status = hy_decimal_round(&a, c->number, c->rounding, &out, NULL);
    assert_result(c->first, status, &out);
}

static void check_double(const decimal_case *c)
{
    hy_decimal a = parse(c->a);
    double found = hy_decimal_to_double(&a);
    assert_true(found == c->real);
}

static void every_case_of_the_table(void **state)
{
    static void (*const checks[])(const decimal_case *) = {
        [SUM] = check_sum,           [PRODUCT] = check_product, [ORDER] = check_order,
        [QUOTIENT] = check_quotient, [ROUNDED] = check_rounded, [TO_DOUBLE] = check_double,
    };
    (void)state;
    assert_true(N_CASES > 500);
    for (int i = 0; i < N_CASES; i++)
        checks[cases[i].op](&cases[i]);
}

static void texts_are_read_and_written(void **state)
{
    static const struct {
        const char *in, *out;
        int scale;
    } rows[] = {
        {"0", "0", 0},
        {"-0", "0", 0},
        {"+0.00", "0.00", 2},
        {"-0.00", "0.00", 2},
        {"10.50", "10.50", 2},
        {"-12.50", "-12.50", 2},
        {"+.5", "0.5", 1},
        {"5.", "5", 0},
        {"-.05", "-0.05", 2},
        {"1e3", "1000", 0},
        {"1E-3", "0.001", 3},
        {"1.50e1", "15.0", 1},
        {"1.5e+2", "150", 0},
        {"12e-1", "1.2", 1},
        {"0e999999999999", "0", 0},
        {"0e-5", "0.00000", 5},
        {"007", "7", 0},
        {"00.10", "0.10", 2},
        {"1e0", "1", 0},
        {"9999999999999999999", "9999999999999999999", 0},
        {"10000000000000000000", "10000000000000000000", 0},
        {"18446744073709551616", "18446744073709551616", 0},
        {"100000000000000000000000000000000000000.0", "100000000000000000000000000000000000000.0", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hy_decimal d = parse(rows[i].in);
        assert_decimal(rows[i].out, &d);
        assert_int_equal(d.scale, rows[i].scale);
    }
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "-",
        "+",
        ".",
        "-.",
        "e5",
        ".e5",
        "1e",
        "1e+",
        "1e-",
        "--1",
        "+-1",
        "1 ",
        " 1",
        "1,5",
        "1.2.3",
        "0x10",
        "inf",
        "-inf",
        "nan",
        "NaN",
        "1e1.5",
        "1_000",
        "1e5e",
        "12a",
        "１",
        "1e1001",
        "1e-1001",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "10e999",
        "1.0e-1000",
    };
    hy_error err;
    hy_decimal d;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_fails(HY_EDATA_INVALID, err, hy_decimal_parse(texts[i], strlen(texts[i]), &d, &err));
    assert_fails(HY_EDATA_INVALID, err, hy_decimal_parse("1\0002", 3, &d, &err));
    assert_int_equal(hy_decimal_parse("12345", 3, &d, NULL), HY_OK); /* the size counts, not a NUL */
    assert_decimal("123", &d);
}

static void the_limit_of_digits_is_exact(void **state)
{
    char text[1100];
    hy_error err;
    hy_decimal d, one;
    (void)state;
    memset(text, '9', sizeof text);
    assert_int_equal(hy_decimal_parse(text, 1000, &d, &err), HY_OK);
    assert_fails(HY_EDATA_INVALID, err, hy_decimal_parse(text, 1001, &d, &err));
    memset(text, '0', 100); /* leading zeros are free */
    assert_int_equal(hy_decimal_parse(text, 1100, &d, &err), HY_OK);
    hy_decimal_from_int(1, &one);
    assert_fails(HY_EDATA_INVALID, err, hy_decimal_add(&d, &one, &d, &err));
    hy_decimal_negate(&one);
    assert_int_equal(hy_decimal_add(&d, &one, &d, &err), HY_OK);
    assert_int_equal(hy_decimal_parse("1e999", 5, &d, &err), HY_OK);
    assert_int_equal(hy_decimal_parse("1e-1000", 7, &d, &err), HY_OK);
    assert_int_equal(d.scale, 1000);
}

/* The longest text there is must fit, to the byte. */
static void the_longest_text_fits(void **state)
{
    char text[1002], out[HY_DECIMAL_TEXT_SIZE];
    hy_decimal d;
    (void)state;
    text[0] = '-';
    text[1] = '.';
    memset(text + 2, '7', 1000);
    assert_int_equal(hy_decimal_parse(text, 1002, &d, NULL), HY_OK);
    assert_int_equal(hy_decimal_format(&d, out), 1003);
}

/* 1.000...0 * 1.000...0 has 1200 digits after the point, but needs none of them. */
static void zeros_nobody_needs_make_room(void **state)
{
    hy_decimal a, big, out;
    (void)state;
    char text[603];
    memset(text, '0', sizeof text);
    text[0] = '3';
    text[1] = '.';
    assert_int_equal(hy_decimal_parse(text, 602, &a, NULL), HY_OK);
    assert_int_equal(hy_decimal_multiply(&a, &a, &out, NULL), HY_OK);
    assert_int_equal(out.scale, 999); /* nine and 999 zeros are a thousand digits */
    hy_decimal nine = parse("9");
    assert_int_equal(hy_decimal_compare(&out, &nine), 0);

    hy_decimal zero = parse("0e-700");
    assert_int_equal(hy_decimal_multiply(&zero, &a, &out, NULL), HY_OK);
    assert_int_equal(out.scale, 1000);
    assert_int_equal(out.n_limbs, 0);

    assert_int_equal(hy_decimal_parse("1e999", 5, &big, NULL), HY_OK);
    hy_decimal two_places = parse("1.00"), half = parse("0.5");
    assert_int_equal(hy_decimal_add(&big, &two_places, &out, NULL), HY_OK);
    assert_int_equal(out.scale, 0);
    assert_int_equal(hy_decimal_add(&big, &half, &out, NULL), HY_EDATA_INVALID);
}

static void integers_come_and_go(void **state)
{
    static const int64_t values[] = {0, 1, -1, 42, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    hy_decimal d;
    int64_t back;
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)values[i]);
        hy_decimal_from_int(values[i], &d);
        assert_decimal(text, &d);
        assert_true(hy_decimal_to_int(&d, &back));
        assert_true(back == values[i]);
    }
    hy_decimal_from_uint(UINT64_MAX, &d);
    assert_decimal("18446744073709551615", &d);
    assert_false(hy_decimal_to_int(&d, &back));
    d = parse("12.000");
    assert_true(hy_decimal_to_int(&d, &back));
    assert_int_equal(back, 12);
    static const char *const others[] = {"12.001", "0.1", "9223372036854775808", "-9223372036854775809",
                                         "100000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        d = parse(others[i]);
        assert_false(hy_decimal_to_int(&d, &back));
    }
    d = parse("-9223372036854775808.00");
    assert_true(hy_decimal_to_int(&d, &back));
    assert_true(back == INT64_MIN);
}

static void doubles_end_at_infinity(void **state)
{
    hy_decimal d;
    (void)state;
    assert_int_equal(hy_decimal_parse("-1e999", 6, &d, NULL), HY_OK);
    assert_true(hy_decimal_to_double(&d) == -HUGE_VAL);
    assert_int_equal(hy_decimal_parse("1e309", 5, &d, NULL), HY_OK);
    assert_true(hy_decimal_to_double(&d) == HUGE_VAL);
}

static void negating_keeps_zero_plain(void **state)
{
    hy_decimal d = parse("0.00");
    (void)state;
    hy_decimal_negate(&d);
    assert_decimal("0.00", &d);
    d = parse("1.5");
    hy_decimal_negate(&d);
    assert_decimal("-1.5", &d);
    hy_decimal_negate(&d);
    assert_decimal("1.5", &d);
}

static void bad_divisions_are_refused(void **state)
{
    hy_decimal a = parse("1"), zero = parse("0.000"), out;
    hy_error err;
    (void)state;
    assert_fails(HY_EDATA_INVALID, err, hy_decimal_divide(&a, &zero, 2, HY_ROUND_DOWN, &out, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_decimal_divide(&a, &a, -1, HY_ROUND_DOWN, &out, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_decimal_divide(&a, &a, 1001, HY_ROUND_DOWN, &out, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_decimal_round(&a, 1001, HY_ROUND_DOWN, &out, &err));
    assert_fails(HY_EDATA_INVALID, err, hy_decimal_round(&a, 1000, HY_ROUND_DOWN, &out, &err));
}

static void copies_of_the_stated_size_are_whole(void **state)
{
    hy_decimal a = parse("-340282366920938463463374607431768211456.25"), b;
    (void)state;
    memset(&b, 0x5a, sizeof b);
    assert_true(hy_decimal_size(&a) < sizeof a);
    memcpy(&b, &a, hy_decimal_size(&a));
    assert_decimal("-340282366920938463463374607431768211456.25", &b);
}

/* GMP ends the process when memory runs out, so it must not ask for any. */
static void *no_alloc(size_t size)
{
    (void)size;
    fputs("GMP allocates\n", stderr);
    abort();
}

static void *no_realloc(void *ptr, size_t old_size, size_t size)
{
    (void)ptr, (void)old_size;
    return no_alloc(size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_table),
        cmocka_unit_test(texts_are_read_and_written),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(the_limit_of_digits_is_exact),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(zeros_nobody_needs_make_room),
        cmocka_unit_test(integers_come_and_go),
        cmocka_unit_test(doubles_end_at_infinity),
        cmocka_unit_test(negating_keeps_zero_plain),
        cmocka_unit_test(bad_divisions_are_refused),
        cmocka_unit_test(copies_of_the_stated_size_are_whole),
    };
    mp_set_memory_functions(no_alloc, no_realloc, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
