/*
 * figures.h - how much a test does, and what it measured.
 */
#ifndef TEST_FIGURES_H
#define TEST_FIGURES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hysteria/export.h>

/** HY_SCALE is "full": what make soak does. */
static inline bool is_full_scale(void)
{
    const char *scale = getenv("HY_SCALE");
    return scale != NULL && strcmp(scale, "full") == 0;
}

/** The figure of a full run, or a tenth of it. */
static inline long scaled(long full)
{
    return is_full_scale() ? full : full / 10;
}

/** How late an answer may be, in ms; where other tests run beside this one, only what a user would notice. */
static inline int64_t grace_ms(void)
{
    return is_full_scale() ? 100 : 2000;
}

/** A line to stdout and to the file that HY_REPORT names. */
static inline HY_PRINTF(1, 2) void report(const char *format, ...)
{
    const char *path = getenv("HY_REPORT");
    char line[500];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)printf("%s\n", line);
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL)
        return;
    (void)fprintf(file, "%s\n", line);
    (void)fclose(file);
}

#endif
