/*
 * memory.h - the one door to the heap.
 */
#ifndef HYSTERIA_MEMORY_H
#define HYSTERIA_MEMORY_H

#include <stddef.h>

#include <hysteria/export.h>

HY_BEGIN_DECLS

/**
 * realloc-shaped: size 0 frees and returns NULL; ptr NULL allocates; NULL for a size above 0
 * means that memory ran out and `ptr` is untouched. Called from any thread.
 */
typedef struct hy_allocator {
    void *(*realloc)(void *ctx, void *ptr, size_t size);
    void *ctx;
} hy_allocator;

/**
 * Replace the process's allocator (NULL: back to realloc/free). Call before anything else of
 * Hysteria; what was allocated by one allocator must not meet another.
 */
HY_API void hy_set_allocator(const hy_allocator *allocator);
/** hy_free(NULL) is fine. Memory from here goes back here. */
HY_API void *hy_alloc(size_t size);
HY_API void *hy_alloc_zero(size_t size);
HY_API void *hy_realloc(void *ptr, size_t size);
HY_API char *hy_strdup(const char *string);
HY_API void hy_free(void *ptr);

HY_END_DECLS
#endif
