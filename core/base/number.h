/*
 * number.h - numbers as text, the same under every locale.
 */
#ifndef HY_BASE_NUMBER_H
#define HY_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/export.h>

enum { HY_NUMBER_TEXT_SIZE = 32 };

/** Whole text must be a decimal integer with optional sign that fits. */
HY_API bool hy_parse_int(const char *text, size_t size, int64_t *out);
/**
 * Decimal or exponent notation, "inf", "infinity", "nan" (any case); whole text; no hex. The nearest
 * double; false for digits past the largest one.
 */
HY_API bool hy_parse_double(const char *text, size_t size, double *out);
/** Return the length; NUL-terminated. */
HY_API size_t hy_format_int(int64_t value, char out[HY_NUMBER_TEXT_SIZE]);
/** The shortest of %.15g, %.16g, %.17g that reads back as the same double; "inf" "-inf" "nan". */
HY_API size_t hy_format_double(double value, char out[HY_NUMBER_TEXT_SIZE]);
/** "%.*g" of at most 17 digits, whatever the locale. */
size_t hy__format_significant(double value, int precision, char out[HY_NUMBER_TEXT_SIZE]);
/**
 * Plain decimal text ("-12.5") with exactly `scale` digits after the point, NUL-terminated.
 * Its length, or 0 when it does not fit in `capacity` or digits other than 0 would be lost.
 */
size_t hy__decimal_text_rescale(const char *text, size_t size, int scale, char *out, size_t capacity);

#endif
