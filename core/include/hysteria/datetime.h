/*
 * datetime.h - dates and times as counts, and their ISO 8601 text.
 *
 * Proleptic Gregorian calendar, years 1 to 9999, UTC, microseconds. Independent of locale
 * and of the TZ variable. Algorithms for days: Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms" (public facts; the code is ours).
 */
#ifndef HYSTERIA_DATETIME_H
#define HYSTERIA_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/export.h>

HY_BEGIN_DECLS

enum {
    HY_DATE_TEXT_SIZE = 11,     /* "YYYY-MM-DD" and NUL */
    HY_TIME_TEXT_SIZE = 20,     /* "-HHHHHHHH:MM:SS.ffffff" cut to MySQL's range, and NUL */
    HY_TIMESTAMP_TEXT_SIZE = 27 /* "YYYY-MM-DD HH:MM:SS.ffffff" and NUL */
};

typedef struct hy_date_parts {
    int year, month, day; /* month 1-12, day 1-31 */
    int hour, minute, second, micros;
} hy_date_parts;

/**
 * False if the parts name no real moment (February 30, hour 24, year 0). A date looks at year,
 * month and day only. The way back cuts counts outside the years 1 to 9999 to that range, as
 * the text functions do: ask hy_..._in_range() where a count comes from outside.
 */
HY_API bool hy_date_from_parts(const hy_date_parts *parts, int64_t *days);
HY_API bool hy_timestamp_from_parts(const hy_date_parts *parts, int64_t *micros);
HY_API void hy_date_to_parts(int64_t days, hy_date_parts *parts);
HY_API void hy_timestamp_to_parts(int64_t micros, hy_date_parts *parts);

/** Years 1 to 9999; for times MySQL's range, up to 838:59:59.999999 either way. */
HY_API bool hy_date_in_range(int64_t days);
HY_API bool hy_time_in_range(int64_t micros);
HY_API bool hy_timestamp_in_range(int64_t micros);

/** Strict "YYYY-MM-DD". */
HY_API bool hy_date_parse(const char *text, size_t size, int64_t *days);
/** "HH:MM", "HH:MM:SS", "HH:MM:SS.f{1,6}"; also MySQL's "-838:59:59". */
HY_API bool hy_time_parse(const char *text, size_t size, int64_t *micros);
/**
 * "YYYY-MM-DD", "YYYY-MM-DD HH:MM[:SS[.f{1,9}]]", 'T' for the space, and a zone: none (UTC),
 * "Z", "+HH", "+HHMM", "+HH:MM", "-..." . Digits past microseconds must be zero.
 */
HY_API bool hy_timestamp_parse(const char *text, size_t size, int64_t *micros);

/**
 * Canonical text, NUL-terminated; returns its length. Fractions are printed with six digits
 * and only when not zero.
 */
HY_API size_t hy_date_format(int64_t days, char out[HY_DATE_TEXT_SIZE]);
HY_API size_t hy_time_format(int64_t micros, char out[HY_TIME_TEXT_SIZE]);
HY_API size_t hy_timestamp_format(int64_t micros, char out[HY_TIMESTAMP_TEXT_SIZE]);

/** Wall clock: microseconds since 1970-01-01 UTC. */
HY_API int64_t hy_now_micros(void);
/** CLOCK_MONOTONIC in nanoseconds: deadlines are points on this clock. */
HY_API int64_t hy_monotonic_ns(void);

HY_END_DECLS
#endif
