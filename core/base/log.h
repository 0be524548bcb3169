/*
 * log.h - where the engine says something that is no error. Silent unless a host sets a
 * function; never receives values or passwords.
 */
#ifndef HY_BASE_LOG_H
#define HY_BASE_LOG_H

#include <hysteria/export.h>

typedef enum hy_log_level { HY_LOG_DEBUG, HY_LOG_INFO, HY_LOG_WARN, HY_LOG_ERROR } hy_log_level;
typedef struct hy_log {
    void (*write)(void *ctx, hy_log_level level, const char *message);
    void *ctx;
} hy_log;

/** `log` may be NULL: nothing happens. */
void hy_log_write(const hy_log *log, hy_log_level level, const char *fmt, ...) HY_PRINTF(3, 4);

#endif
