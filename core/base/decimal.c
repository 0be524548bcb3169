/*
 * decimal.c - exact decimal numbers: a coefficient and a scale.
 *
 * Everything is computed exactly in a `wide` on the stack, rounded or checked once, and only
 * then stored. libgmp's mpn layer does the limbs. Its text conversions are not used: they
 * take heap memory for long numbers and end the process when there is none.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include <gmp.h>

#include <base/number.h>
#include <hysteria/decimal.h>

_Static_assert(sizeof(mp_limb_t) == sizeof(uint64_t) && GMP_NAIL_BITS == 0, "limbs are whole 64-bit words");

enum {
    CHUNK_DIGITS = 19, /* the largest power of ten in a limb */
    /* A division stretches the dividend by up to 2000 digits, 104 limbs. */
    WIDE_LIMBS = HY_DECIMAL_LIMBS + 104 + 3,
    /* Where the limit of digits lies: 10^1000 has 52 limbs. */
    LIMIT_LIMBS = 52
};

static const mp_limb_t CHUNK = UINT64_C(10000000000000000000);

typedef struct wide {
    mp_size_t n; /* no leading zero limb; 0 for zero */
    mp_limb_t limbs[WIDE_LIMBS];
} wide;

static mp_limb_t power_of_ten(int exponent)
{
    mp_limb_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

static void wide_trim(wide *w)
{
    while (w->n > 0 && w->limbs[w->n - 1] == 0)
        w->n--;
}

static void wide_set(wide *w, uint64_t value)
{
    w->limbs[0] = value;
    w->n = value != 0;
}

static void wide_load(wide *w, const hy_decimal *d)
{
    w->n = d->n_limbs;
    memcpy(w->limbs, d->limbs, d->n_limbs * sizeof d->limbs[0]);
}

/* w * factor + addend */
static void wide_multiply_add(wide *w, mp_limb_t factor, mp_limb_t addend)
{
    assert(w->n < WIDE_LIMBS);
    mp_limb_t carry = 0;
    if (w->n > 0) {
        carry = mpn_mul_1(w->limbs, w->limbs, w->n, factor);
        carry += mpn_add_1(w->limbs, w->limbs, w->n, addend);
    } else {
        carry = addend;
    }
    if (carry > 0)
        w->limbs[w->n++] = carry;
}

/* w * 10^exponent */
static void wide_scale(wide *w, int exponent)
{
    if (w->n == 0)
        return;
    for (; exponent >= CHUNK_DIGITS; exponent -= CHUNK_DIGITS)
        wide_multiply_add(w, CHUNK, 0);
    if (exponent > 0)
        wide_multiply_add(w, power_of_ten(exponent), 0);
}

static int wide_compare(const wide *a, const wide *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    int order = a->n > 0 ? mpn_cmp(a->limbs, b->limbs, a->n) : 0;
    return (order > 0) - (order < 0);
}

/* a + b into a */
static void wide_add(wide *a, const wide *b)
{
    if (a->n < b->n) { /* the longer one must come first */
        memset(a->limbs + a->n, 0, (size_t)(b->n - a->n) * sizeof a->limbs[0]);
        a->n = b->n;
    }
    if (b->n == 0)
        return;
    mp_limb_t carry = mpn_add(a->limbs, a->limbs, a->n, b->limbs, b->n);
    if (carry > 0)
        a->limbs[a->n++] = carry;
}

/* a - b into `out`, which may be either; a is not the smaller one */
static void wide_subtract(const wide *a, const wide *b, wide *out)
{
    if (b->n > 0)
        mpn_sub(out->limbs, a->limbs, a->n, b->limbs, b->n);
    else
        memmove(out->limbs, a->limbs, (size_t)a->n * sizeof a->limbs[0]);
    out->n = a->n;
    wide_trim(out);
}

/* `num` becomes the remainder. */
static void wide_divide(wide *num, const wide *den, wide *quotient)
{
    assert(den->n > 0);
    quotient->n = 0;
    if (num->n < den->n)
        return;
    mpn_tdiv_qr(quotient->limbs, num->limbs, 0, num->limbs, num->n, den->limbs, den->n);
    quotient->n = num->n - den->n + 1;
    num->n = den->n;
    wide_trim(quotient);
    wide_trim(num);
}

static bool has_too_many_digits(const wide *w)
{
    if (w->n != LIMIT_LIMBS)
        return w->n > LIMIT_LIMBS;

    wide limit;
    wide_set(&limit, 1);
    wide_scale(&limit, HY_DECIMAL_DIGITS);
    return wide_compare(w, &limit) >= 0;
}

static hy_status fail_digits(hy_error *err)
{
    return hy_fail(err, HY_EDATA_INVALID, "a decimal holds at most %d digits", HY_DECIMAL_DIGITS);
}

static hy_status store(const wide *w, bool negative, int scale, hy_decimal *out, hy_error *err)
{
    assert(scale >= 0 && scale <= HY_DECIMAL_SCALE_MAX);
    if (has_too_many_digits(w))
        return fail_digits(err);
    out->scale = scale;
    out->negative = negative && w->n > 0;
    out->n_limbs = (uint16_t)w->n;
    memcpy(out->limbs, w->limbs, (size_t)w->n * sizeof out->limbs[0]);
    return HY_OK;
}

/* As store(); zeros at the end of the fraction go where there is no room for them. */
static hy_status store_shortest(wide *w, bool negative, int scale, hy_decimal *out, hy_error *err)
{
    if (w->n == 0 && scale > HY_DECIMAL_SCALE_MAX)
        scale = HY_DECIMAL_SCALE_MAX;
    while (scale > HY_DECIMAL_SCALE_MAX || (scale > 0 && has_too_many_digits(w))) {
        if (mpn_divrem_1(w->limbs, 0, w->limbs, w->n, 10) != 0)
            return fail_digits(err);
        wide_trim(w);
        scale--;
    }
    return store(w, negative, scale, out, err);
}

size_t hy_decimal_size(const hy_decimal *d)
{
    return offsetof(hy_decimal, limbs) + d->n_limbs * sizeof d->limbs[0];
}

void hy_decimal_from_uint(uint64_t value, hy_decimal *out)
{
    out->scale = 0;
    out->negative = false;
    out->n_limbs = value != 0;
    out->limbs[0] = value;
}

void hy_decimal_from_int(int64_t value, hy_decimal *out)
{
    hy_decimal_from_uint(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, out);
    out->negative = value < 0;
}

void hy_decimal_negate(hy_decimal *d)
{
    d->negative = !d->negative && d->n_limbs > 0;
}

/* ---- text ---- */

/* What a text says: the digits lie between first and end, with at most one point among them. */
typedef struct literal {
    const char *first, *end;
    size_t n_digits; /* without leading zeros */
    int64_t scale;   /* may be negative */
    bool negative;
} literal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One pass that checks and counts, so that the limits are known before any arithmetic. */
static bool scan_digits(const char *p, const char *end, literal *lit)
{
    bool any = false, fraction = false;

    lit->first = p;
    lit->n_digits = 0;
    lit->scale = 0;
    for (; p < end && (is_digit(*p) || (*p == '.' && !fraction)); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        any = true;
        lit->scale += fraction;
        lit->n_digits += lit->n_digits > 0 || *p != '0';
    }
    lit->end = p;
    return any;
}

static bool scan_exponent(const char *p, const char *end, int64_t *out)
{
    static const int64_t enough = INT64_C(1000000000000000);
    bool negative = p < end && *p == '-';
    int64_t exponent = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        if (exponent < enough)
            exponent = exponent * 10 + (*p - '0');
    }
    *out = negative ? -exponent : exponent;
    return true;
}

static bool scan_literal(const char *text, size_t size, literal *lit)
{
    const char *p = text, *end = text + size;
    int64_t exponent = 0;

    lit->negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (!scan_digits(p, end, lit))
        return false;
    p = lit->end;
    if (p < end && ((*p != 'e' && *p != 'E') || !scan_exponent(p + 1, end, &exponent)))
        return false;
    lit->scale -= exponent;
    return true;
}

static void read_coefficient(const literal *lit, wide *w)
{
    mp_limb_t chunk = 0;
    int n = 0;

    w->n = 0;
    for (const char *p = lit->first; p < lit->end; p++) {
        if (*p == '.')
            continue;
        chunk = chunk * 10 + (mp_limb_t)(*p - '0');
        if (++n == CHUNK_DIGITS) {
            wide_multiply_add(w, CHUNK, chunk);
            chunk = 0;
            n = 0;
        }
    }
    wide_multiply_add(w, power_of_ten(n), chunk);
}

hy_status hy_decimal_parse(const char *text, size_t size, hy_decimal *out, hy_error *err)
{
    literal lit;
    wide w;

    if (!scan_literal(text, size, &lit))
        return hy_fail(err, HY_EDATA_INVALID, "not a decimal number");
    /* Zero needs no digits, however large its exponent. */
    if (lit.n_digits == 0 && lit.scale < 0)
        lit.scale = 0;
    int64_t zeros = lit.scale < 0 ? -lit.scale : 0;
    if (lit.scale > HY_DECIMAL_SCALE_MAX || zeros > HY_DECIMAL_DIGITS ||
        lit.n_digits + (size_t)zeros > HY_DECIMAL_DIGITS)
        return fail_digits(err);
    read_coefficient(&lit, &w);
    wide_scale(&w, (int)zeros);
    return store(&w, lit.negative, zeros > 0 ? 0 : (int)lit.scale, out, err);
}

/* The coefficient's digits, right-aligned before `end`; returns the first. None for zero. */
static char *put_coefficient(const hy_decimal *d, char *end)
{
    wide w;

    wide_load(&w, d);
    while (w.n > 0) {
        mp_limb_t chunk = mpn_divrem_1(w.limbs, 0, w.limbs, w.n, CHUNK);
        wide_trim(&w);
        /* All digits of a chunk but the leading zeros of the first. */
        for (int i = 0; w.n > 0 ? i < CHUNK_DIGITS : chunk > 0; i++) {
            *--end = (char)('0' + chunk % 10);
            chunk /= 10;
        }
    }
    return end;
}

size_t hy_decimal_format(const hy_decimal *d, char out[HY_DECIMAL_TEXT_SIZE])
{
    char buffer[HY_DECIMAL_LIMBS * (CHUNK_DIGITS + 1)];
    char *end = buffer + sizeof buffer, *digits = put_coefficient(d, end), *p = out;
    size_t n = (size_t)(end - digits), scale = (size_t)d->scale;
    size_t n_whole = n > scale ? n - scale : 0;

    if (d->negative)
        *p++ = '-';
    if (n_whole == 0)
        *p++ = '0';
    memcpy(p, digits, n_whole);
    p += n_whole;
    if (scale > 0) {
        size_t n_fraction = n - n_whole;
        *p++ = '.';
        memset(p, '0', scale - n_fraction);
        memcpy(p + scale - n_fraction, digits + n_whole, n_fraction);
        p += scale;
    }
    *p = '\0';
    return (size_t)(p - out);
}

bool hy_decimal_to_int(const hy_decimal *d, int64_t *out)
{
    wide num, den, quotient;

    wide_load(&num, d);
    wide_set(&den, 1);
    wide_scale(&den, d->scale);
    wide_divide(&num, &den, &quotient);
    if (num.n > 0 || quotient.n > 1)
        return false;
    uint64_t value = quotient.n > 0 ? quotient.limbs[0] : 0;
    if (value > (uint64_t)INT64_MAX + d->negative)
        return false;
    *out = (int64_t)(d->negative ? 0 - value : value);
    return true;
}

double hy_decimal_to_double(const hy_decimal *d)
{
    char text[HY_DECIMAL_TEXT_SIZE];
    double value;

    if (!hy_parse_double(text, hy_decimal_format(d, text), &value))
        return d->negative ? -HUGE_VAL : HUGE_VAL; /* past the largest double */
    return value;
}

/* ---- arithmetic ---- */

/* Both coefficients at the larger scale, which is returned. */
static int load_aligned(const hy_decimal *a, const hy_decimal *b, wide *wa, wide *wb)
{
    wide_load(wa, a);
    wide_load(wb, b);
    if (a->scale < b->scale)
        wide_scale(wa, b->scale - a->scale);
    else
        wide_scale(wb, a->scale - b->scale);
    return a->scale > b->scale ? a->scale : b->scale;
}

static hy_status add_signed(const hy_decimal *a, const hy_decimal *b, bool b_negative, hy_decimal *out,
                            hy_error *err)
{
    wide wa, wb;
    int scale = load_aligned(a, b, &wa, &wb);
    bool negative = a->negative;

    if (a->negative == b_negative) {
        wide_add(&wa, &wb);
    } else if (wide_compare(&wa, &wb) >= 0) {
        wide_subtract(&wa, &wb, &wa);
    } else {
        wide_subtract(&wb, &wa, &wa);
        negative = b_negative;
    }
    return store_shortest(&wa, negative, scale, out, err);
}

hy_status hy_decimal_add(const hy_decimal *a, const hy_decimal *b, hy_decimal *out, hy_error *err)
{
    return add_signed(a, b, b->negative, out, err);
}

hy_status hy_decimal_subtract(const hy_decimal *a, const hy_decimal *b, hy_decimal *out, hy_error *err)
{
    return add_signed(a, b, !b->negative, out, err);
}

hy_status hy_decimal_multiply(const hy_decimal *a, const hy_decimal *b, hy_decimal *out, hy_error *err)
{
    const hy_decimal *longer = a->n_limbs >= b->n_limbs ? a : b, *shorter = longer == a ? b : a;
    wide wl, ws, product;

    wide_load(&wl, longer);
    wide_load(&ws, shorter);
    product.n = 0;
    if (ws.n > 0) {
        mpn_mul(product.limbs, wl.limbs, wl.n, ws.limbs, ws.n);
        product.n = wl.n + ws.n;
        wide_trim(&product);
    }
    return store_shortest(&product, a->negative != b->negative, a->scale + b->scale, out, err);
}

/* Does the magnitude grow by one? `half` compares the dropped part with one half. */
static bool rounds_away(hy_rounding rounding, bool negative, bool odd, int half)
{
    switch (rounding) {
    case HY_ROUND_HALF_UP:
        return half >= 0;
    case HY_ROUND_HALF_EVEN:
        return half > 0 || (half == 0 && odd);
    case HY_ROUND_UP:
        return true;
    case HY_ROUND_FLOOR:
        return negative;
    case HY_ROUND_CEILING:
        return !negative;
    case HY_ROUND_DOWN:
        break;
    }
    return false;
}

/* num / den to a whole number. Uses up `num`. */
static void divide_rounded(wide *num, const wide *den, bool negative, hy_rounding rounding, wide *quotient)
{
    wide rest;

    wide_divide(num, den, quotient);
    if (num->n == 0)
        return;
    wide_subtract(den, num, &rest);
    bool odd = quotient->n > 0 && (quotient->limbs[0] & 1) != 0;
    if (rounds_away(rounding, negative, odd, wide_compare(num, &rest)))
        wide_multiply_add(quotient, 1, 1);
}

static hy_status check_scale(int scale, hy_error *err)
{
    if (scale >= 0 && scale <= HY_DECIMAL_SCALE_MAX)
        return HY_OK;
    return hy_fail(err, HY_EINVALID_ARGUMENT, "a decimal's scale is 0 to %d, not %d", HY_DECIMAL_SCALE_MAX,
                   scale);
}

hy_status hy_decimal_divide(const hy_decimal *a, const hy_decimal *b, int scale, hy_rounding rounding,
                            hy_decimal *out, hy_error *err)
{
    wide num, den, quotient;
    bool negative = a->negative != b->negative;

    if (check_scale(scale, err) != HY_OK)
        return HY_EINVALID_ARGUMENT;
    if (b->n_limbs == 0)
        return hy_fail(err, HY_EDATA_INVALID, "division by zero");
    wide_load(&num, a);
    wide_load(&den, b);
    int shift = b->scale - a->scale + scale;
    if (shift >= 0)
        wide_scale(&num, shift);
    else
        wide_scale(&den, -shift);
    divide_rounded(&num, &den, negative, rounding, &quotient);
    return store(&quotient, negative, scale, out, err);
}

hy_status hy_decimal_round(const hy_decimal *d, int scale, hy_rounding rounding, hy_decimal *out,
                           hy_error *err)
{
    static const hy_decimal one = {.n_limbs = 1, .limbs = {1}};
    return hy_decimal_divide(d, &one, scale, rounding, out, err);
}

int hy_decimal_compare(const hy_decimal *a, const hy_decimal *b)
{
    wide wa, wb;

    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    load_aligned(a, b, &wa, &wb);
    int order = wide_compare(&wa, &wb);
    return a->negative ? -order : order;
}
