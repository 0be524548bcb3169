/*
 * Decimals: text becomes a number and the same text again, and arithmetic keeps its laws. The
 * input is two numbers with a space between, and the byte before the end says how to round.
 */
#include "fuzz.h"

#include <hysteria/decimal.h>

static void check_text(const hy_decimal *d)
{
    char text[HY_DECIMAL_TEXT_SIZE], again[HY_DECIMAL_TEXT_SIZE];
    size_t size = hy_decimal_format(d, text);
    hy_decimal back;

    must(size == strlen(text) && size < sizeof text);
    must(hy_decimal_parse(text, size, &back, NULL) == HY_OK);
    must(back.scale == d->scale && hy_decimal_compare(&back, d) == 0);
    must(hy_decimal_format(&back, again) == size && memcmp(text, again, size) == 0);
    must(hy_decimal_size(d) <= sizeof *d);
}

static void check_one(const hy_decimal *d, hy_rounding how)
{
    hy_decimal twice, sum, two, rounded, zero;
    int64_t whole;

    check_text(d);
    hy_decimal_from_int(2, &two);
    hy_decimal_from_int(0, &zero);
    twice = *d;
    hy_decimal_negate(&twice);
    must(hy_decimal_compare(&twice, &zero) == -hy_decimal_compare(d, &zero));
    if (hy_decimal_add(d, d, &sum, NULL) == HY_OK && hy_decimal_multiply(d, &two, &twice, NULL) == HY_OK)
        must(hy_decimal_compare(&sum, &twice) == 0);
    if (hy_decimal_round(d, 2, how, &rounded, NULL) == HY_OK) {
        must(rounded.scale == 2);
        check_text(&rounded);
    }
    if (hy_decimal_to_int(d, &whole)) {
        hy_decimal_from_int(whole, &sum);
        must(hy_decimal_compare(&sum, d) == 0);
    }
    (void)hy_decimal_to_double(d);
}

static void check_two(const hy_decimal *a, const hy_decimal *b, hy_rounding how)
{
    hy_decimal r, back;

    must(hy_decimal_compare(a, b) == -hy_decimal_compare(b, a));
    if (hy_decimal_add(a, b, &r, NULL) == HY_OK && hy_decimal_subtract(&r, b, &back, NULL) == HY_OK)
        must(hy_decimal_compare(&back, a) == 0);
    if (hy_decimal_multiply(a, b, &r, NULL) == HY_OK) {
        must(hy_decimal_multiply(b, a, &back, NULL) == HY_OK && hy_decimal_compare(&r, &back) == 0);
        check_text(&r);
    }
    if (hy_decimal_divide(a, b, 20, how, &r, NULL) == HY_OK) {
        must(r.scale == 20);
        check_text(&r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *space = memchr(text, ' ', size);
    size_t first = space != NULL ? (size_t)(space - text) : size;
    hy_rounding how = size > 1 ? (hy_rounding)(data[size - 2] % (HY_ROUND_CEILING + 1)) : HY_ROUND_HALF_UP;
    hy_decimal a, b;
    hy_error err;

    if (hy_decimal_parse(text, first, &a, &err) != HY_OK) {
        must(err.status == HY_EDATA_INVALID);
        return 0;
    }
    check_one(&a, how);
    if (space != NULL && hy_decimal_parse(space + 1, size - first - 1, &b, NULL) == HY_OK)
        check_two(&a, &b, how);
    return 0;
}
