/*
 * buf.h - growing text whose first failure sticks.
 *
 * Appending never reports: emitters contain no error checks, the owner asks once at the end.
 */
#ifndef HY_BASE_BUF_H
#define HY_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/export.h>

typedef struct hy_buf {
    char *data;  /* NUL-terminated once anything was appended; NULL when empty */
    size_t size; /* without the NUL */
    size_t capacity;
    size_t limit; /* size may not pass this; 0 = HY_BUF_LIMIT */
    bool failed;  /* memory or the limit ended; content is what fitted before */
} hy_buf;

enum { HY_BUF_LIMIT = 1 << 30 };

HY_API void hy_buf_init(hy_buf *b);
/** Free the memory; empty and usable again. */
HY_API void hy_buf_clear(hy_buf *b);
/** Size 0, failure forgotten, memory kept for the next use. */
HY_API void hy_buf_reset(hy_buf *b);
HY_API void hy_buf_append(hy_buf *b, const char *data, size_t size);
HY_API void hy_buf_puts(hy_buf *b, const char *string);
HY_API void hy_buf_putc(hy_buf *b, char c);
/** Decimal digits, whatever the locale. */
HY_API void hy_buf_put_int(hy_buf *b, int64_t value);
HY_API void hy_buf_put_uint(hy_buf *b, uint64_t value);
/** printf for messages; never for SQL. */
HY_API void hy_buf_printf(hy_buf *b, const char *fmt, ...) HY_PRINTF(2, 3);
/** The text, "" when empty. Borrowed until the next append. */
HY_API const char *hy_buf_text(const hy_buf *b);
/** The text becomes the caller's (hy_free); the buffer is empty. NULL if failed or empty. */
HY_API char *hy_buf_take(hy_buf *b, size_t *size);

#endif
