/*
 * decimal.h - exact decimal numbers: a coefficient and a scale.
 *
 * value = coefficient / 10^scale. At most HY_DECIMAL_DIGITS significant digits; what would
 * need more is an error. Plain structs without pointers: no clean-up, no allocation. The
 * arithmetic on limbs is libgmp's (its mpn layer, which works on caller memory: the mpz
 * layer ends the process when memory runs out).
 */
#ifndef HYSTERIA_DECIMAL_H
#define HYSTERIA_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/error.h>
#include <hysteria/export.h>

HY_BEGIN_DECLS

enum {
    HY_DECIMAL_DIGITS = 1000,
    HY_DECIMAL_LIMBS = 53, /* 1000 digits are 3322 bits, one limb spare */
    HY_DECIMAL_SCALE_MAX = 1000,
    HY_DECIMAL_TEXT_SIZE = HY_DECIMAL_DIGITS + 8 + HY_DECIMAL_SCALE_MAX /* with sign, "0.", NUL */
};

/** Only the first n_limbs limbs mean anything: copy hy_decimal_size() bytes. */
typedef struct hy_decimal {
    int32_t scale;                    /* digits after the point, 0..HY_DECIMAL_SCALE_MAX */
    bool negative;                    /* never set for zero */
    uint16_t n_limbs;                 /* 0 for zero; no leading zero limb */
    uint64_t limbs[HY_DECIMAL_LIMBS]; /* least significant first */
} hy_decimal;

typedef enum hy_rounding {
    HY_ROUND_HALF_UP, /* away from zero on a tie */
    HY_ROUND_HALF_EVEN,
    HY_ROUND_DOWN, /* towards zero */
    HY_ROUND_UP,   /* away from zero */
    HY_ROUND_FLOOR,
    HY_ROUND_CEILING
} hy_rounding;

/** Bytes of `d` that carry its value. */
HY_API size_t hy_decimal_size(const hy_decimal *d);
/**
 * Read "-12.50", "+.5", "1e3", "1E-3" (no spaces, no grouping, always a point whatever the
 * locale). The scale is kept: "10.50" has scale 2. HY_EDATA_INVALID otherwise, also for
 * inf and nan and for too many digits.
 */
HY_API hy_status hy_decimal_parse(const char *text, size_t size, hy_decimal *out, hy_error *err);
/** Canonical text ("-0.05", "10.50", "0"), NUL-terminated; returns its length. */
HY_API size_t hy_decimal_format(const hy_decimal *d, char out[HY_DECIMAL_TEXT_SIZE]);
HY_API void hy_decimal_from_int(int64_t value, hy_decimal *out);
HY_API void hy_decimal_from_uint(uint64_t value, hy_decimal *out);
/** True and *out set if d is integral and fits. */
HY_API bool hy_decimal_to_int(const hy_decimal *d, int64_t *out);
/** The nearest double (round half even). */
HY_API double hy_decimal_to_double(const hy_decimal *d);

/** Exact; HY_EDATA_INVALID when the result needs too many digits. `out` may alias. */
HY_API hy_status hy_decimal_add(const hy_decimal *a, const hy_decimal *b, hy_decimal *out, hy_error *err);
HY_API hy_status hy_decimal_subtract(const hy_decimal *a, const hy_decimal *b, hy_decimal *out,
                                     hy_error *err);
HY_API hy_status hy_decimal_multiply(const hy_decimal *a, const hy_decimal *b, hy_decimal *out,
                                     hy_error *err);
/** a / b rounded to `scale` digits after the point. HY_EDATA_INVALID when b is 0. */
HY_API hy_status hy_decimal_divide(const hy_decimal *a, const hy_decimal *b, int scale, hy_rounding rounding,
                                   hy_decimal *out, hy_error *err);
/** d with exactly `scale` digits after the point. */
HY_API hy_status hy_decimal_round(const hy_decimal *d, int scale, hy_rounding rounding, hy_decimal *out,
                                  hy_error *err);
HY_API void hy_decimal_negate(hy_decimal *d);
/** -1, 0 or 1 by numeric value: 1.0 equals 1.00. */
HY_API int hy_decimal_compare(const hy_decimal *a, const hy_decimal *b);

HY_END_DECLS
#endif
