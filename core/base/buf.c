/*
 * buf.c - growing text whose first failure sticks.
 *
 * Knows bytes, no SQL and no encoding. Room doubles, so building a text is linear.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <base/buf.h>
#include <base/number.h>
#include <hysteria/memory.h>

enum { FIRST_CAPACITY = 128 };

void hy_buf_init(hy_buf *b)
{
    *b = (hy_buf){0};
}

void hy_buf_clear(hy_buf *b)
{
    hy_free(b->data);
    *b = (hy_buf){.limit = b->limit};
}

void hy_buf_reset(hy_buf *b)
{
    b->size = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

static bool grow(hy_buf *b, size_t needed)
{
    size_t capacity = b->capacity > 0 ? b->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity <= SIZE_MAX / 2 ? capacity * 2 : needed;

    char *data = hy_realloc(b->data, capacity);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

/* Room for `extra` more bytes and the NUL, within the limit. */
static inline bool reserve(hy_buf *b, size_t extra)
{
    size_t limit = b->limit > 0 ? b->limit : HY_BUF_LIMIT;

    if (b->failed || extra > limit || b->size > limit - extra) {
        b->failed = true;
        return false;
    }
    return b->size + extra < b->capacity || grow(b, b->size + extra + 1);
}

void hy_buf_append(hy_buf *b, const char *data, size_t size)
{
    if (!reserve(b, size))
        return;
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void hy_buf_puts(hy_buf *b, const char *string)
{
    hy_buf_append(b, string, strlen(string));
}

void hy_buf_putc(hy_buf *b, char c)
{
    if (!reserve(b, 1))
        return;
    b->data[b->size++] = c;
    b->data[b->size] = '\0';
}

void hy_buf_put_int(hy_buf *b, int64_t value)
{
    char text[HY_NUMBER_TEXT_SIZE];
    hy_buf_append(b, text, hy_format_int(value, text));
}

void hy_buf_put_uint(hy_buf *b, uint64_t value)
{
    char text[HY_NUMBER_TEXT_SIZE];
    char *p = text + sizeof text;

    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    hy_buf_append(b, p, (size_t)(text + sizeof text - p));
}

void hy_buf_printf(hy_buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int size = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (size < 0) {
        b->failed = true;
        return;
    }
    if (!reserve(b, (size_t)size))
        return;
    va_start(args, fmt);
    vsnprintf(b->data + b->size, (size_t)size + 1, fmt, args);
    va_end(args);
    b->size += (size_t)size;
}

const char *hy_buf_text(const hy_buf *b)
{
    return b->data != NULL ? b->data : "";
}

char *hy_buf_take(hy_buf *b, size_t *size)
{
    if (size != NULL)
        *size = 0;
    if (b->failed || b->size == 0) {
        hy_buf_clear(b);
        return NULL;
    }

    char *data = b->data;
    if (size != NULL)
        *size = b->size;
    b->data = NULL;
    hy_buf_clear(b);
    return data;
}
