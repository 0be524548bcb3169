/*
 * number.c - numbers as text, the same under every locale.
 *
 * Trick for both directions: the C library's locale shows only in the character between
 * the whole and the fraction. So strtod() is given none (digits and an exponent), and what
 * snprintf() puts there is replaced. No locale object, nothing to set up.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>

enum {
    /* More digits than this cannot decide a rounding, except by not being zero. */
    DIGITS_MAX = 770
};

/* More than any text in memory could balance with zeros. */
static const int64_t EXPONENT_MAX = INT64_C(1000000000000000);

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool hy_parse_int(const char *text, size_t size, int64_t *out)
{
    const char *p = text, *end = text + size;
    bool negative = p < end && *p == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative, value = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

size_t hy_format_int(int64_t value, char out[HY_NUMBER_TEXT_SIZE])
{
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char digits[HY_NUMBER_TEXT_SIZE];
    char *p = digits + sizeof digits;

    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--p = '-';
    size_t size = (size_t)(digits + sizeof digits - p);
    memcpy(out, p, size);
    out[size] = '\0';
    return size;
}

/* A whole number and a power of ten. */
typedef struct digits {
    char text[DIGITS_MAX + 1 + HY_NUMBER_TEXT_SIZE]; /* with room for the exponent */
    size_t n;
    int64_t exponent; /* of the last digit */
    bool any;         /* at least one digit was read, perhaps a zero */
} digits;

static void add_digit(digits *d, char c, bool fraction)
{
    d->any = true;
    if (d->n == 0 && c == '0') { /* leading zero */
        d->exponent -= fraction;
    } else if (d->n < DIGITS_MAX) {
        d->text[d->n++] = c;
        d->exponent -= fraction;
    } else {
        if (c != '0')
            d->text[DIGITS_MAX - 1] |= 1; /* '0' is even: never a tie, never a zero tail */
        d->exponent += !fraction;
    }
}

/* What follows the "e". Huge exponents are cut: the number overflows or vanishes anyway. */
static bool read_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool negative = p < end && *p == '-';
    int64_t value = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        if (value < EXPONENT_MAX)
            value = value * 10 + (*p - '0');
    }
    *exponent += negative ? -value : value;
    return true;
}

static bool read_digits(const char *p, const char *end, digits *d)
{
    d->n = 0;
    d->exponent = 0;
    d->any = false;
    for (; p < end && is_digit(*p); p++)
        add_digit(d, *p, false);
    if (p < end && *p == '.')
        for (p++; p < end && is_digit(*p); p++)
            add_digit(d, *p, true);
    if (!d->any)
        return false;
    if (p == end)
        return true;
    return (*p == 'e' || *p == 'E') && read_exponent(p + 1, end, &d->exponent);
}

/* Up to 2^53 and 10^22 are exact as doubles, so one operation rounds once: correctly. */
static bool small_value(const digits *d, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->n > 15 || d->exponent < -22 || d->exponent > 22)
        return false;

    int64_t whole = 0;
    for (size_t i = 0; i < d->n; i++)
        whole = whole * 10 + (d->text[i] - '0');
    *out = d->exponent < 0 ? (double)whole / powers[-d->exponent] : (double)whole * powers[d->exponent];
    return true;
}

static double large_value(digits *d)
{
    char exponent[HY_NUMBER_TEXT_SIZE];
    size_t size = hy_format_int(d->exponent, exponent);

    d->text[d->n++] = 'e';
    memcpy(d->text + d->n, exponent, size + 1);
    return strtod(d->text, NULL);
}

static bool read_special(const char *text, size_t size, double *out)
{
    if (hy_text_equal_nocase(text, size, "inf", 3) || hy_text_equal_nocase(text, size, "infinity", 8))
        *out = HUGE_VAL;
    else if (hy_text_equal_nocase(text, size, "nan", 3))
        *out = (double)NAN;
    else
        return false;
    return true;
}

bool hy_parse_double(const char *text, size_t size, double *out)
{
    const char *p = text, *end = text + size;
    bool negative = p < end && *p == '-';
    double value;
    digits d;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (read_digits(p, end, &d)) {
        if (!small_value(&d, &value))
            value = d.n > 0 ? large_value(&d) : 0.0;
        if (isinf(value))
            return false;
    } else if (!read_special(p, (size_t)(end - p), &value)) {
        return false;
    }
    *out = negative ? -value : value;
    return true;
}

/* Put a point where the locale has its own mark, which may be several bytes long. */
static size_t replace_mark(char *text, size_t size)
{
    size_t mark = strspn(text, "+-0123456789eE");
    if (mark == size)
        return size;

    size_t rest = mark;
    while (rest < size && strchr("+-0123456789eE", text[rest]) == NULL)
        rest++;
    text[mark] = '.';
    memmove(text + mark + 1, text + rest, size - rest + 1);
    return mark + 1 + size - rest;
}

static size_t format_special(double value, char out[HY_NUMBER_TEXT_SIZE])
{
    const char *name = isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    size_t size = strlen(name);
    memcpy(out, name, size + 1);
    return size;
}

size_t hy__format_significant(double value, int precision, char out[HY_NUMBER_TEXT_SIZE])
{
    char text[64]; /* the mark of some locales is longer than a point */

    assert(precision <= 17);
    if (!isfinite(value))
        return format_special(value, out);
    size_t size = (size_t)snprintf(text, sizeof text, "%.*g", precision, value);
    size = replace_mark(text, size);
    memcpy(out, text, size + 1);
    return size;
}

size_t hy_format_double(double value, char out[HY_NUMBER_TEXT_SIZE])
{
    /* Whole numbers are common and need no search. Not -0, whose sign must stay. */
    if (fabs(value) < 1e15 && value == (double)(int64_t)value && !(value == 0 && signbit(value)))
        return hy_format_int((int64_t)value, out);

    if (!isfinite(value))
        return format_special(value, out);
    for (int precision = 15;; precision++) {
        double back;
        size_t size = hy__format_significant(value, precision, out);
        if (precision == 17 || (hy_parse_double(out, size, &back) && back == value))
            return size;
    }
}

size_t hy__decimal_text_rescale(const char *text, size_t size, int scale, char *out, size_t capacity)
{
    assert(scale >= 0);
    const char *point = size > 0 ? memchr(text, '.', size) : NULL;
    size_t n_whole = point != NULL ? (size_t)(point - text) : size;
    size_t n_fraction = point != NULL ? size - n_whole - 1 : 0;
    size_t wanted = (size_t)scale, kept = n_fraction < wanted ? n_fraction : wanted;
    size_t length = n_whole + (wanted > 0) + wanted;

    for (size_t i = kept; i < n_fraction; i++)
        if (point[1 + i] != '0')
            return 0;
    if (length >= capacity)
        return 0;
    memcpy(out, text, n_whole);
    if (wanted > 0) {
        out[n_whole] = '.';
        if (kept > 0)
            memcpy(out + n_whole + 1, point + 1, kept);
        memset(out + n_whole + 1 + kept, '0', wanted - kept);
    }
    out[length] = '\0';
    return length;
}
