/*
 * log.c - hands one line to the function that the host gave, or does nothing.
 */
#include <stdarg.h>
#include <stdio.h>

#include <base/log.h>
#include <base/text.h>

enum { LOG_LINE_SIZE = 1024 };

void hy_log_write(const hy_log *log, hy_log_level level, const char *fmt, ...)
{
    if (log == NULL || log->write == NULL)
        return;

    char line[LOG_LINE_SIZE];
    va_list args;
    va_start(args, fmt);
    hy__text_vline(line, sizeof line, fmt, args);
    va_end(args);
    log->write(log->ctx, level, line);
}
