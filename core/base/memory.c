/*
 * memory.c - the one door to the heap.
 *
 * Holds the only mutable variable of the whole core: the allocator, set once before
 * anything else runs. Knows nothing of what the memory is for.
 */
#include <stdlib.h>
#include <string.h>

#include <hysteria/memory.h>

static void *libc_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static hy_allocator current = {libc_realloc, NULL};

void hy_set_allocator(const hy_allocator *allocator)
{
    static const hy_allocator libc = {libc_realloc, NULL};

    current = allocator != NULL ? *allocator : libc;
}

void *hy_realloc(void *ptr, size_t size)
{
    return current.realloc(current.ctx, ptr, size);
}

void *hy_alloc(size_t size)
{
    /* Nothing asked for is not nothing left: NULL must mean only the latter. */
    return hy_realloc(NULL, size > 0 ? size : 1);
}

void *hy_alloc_zero(size_t size)
{
    void *ptr = hy_alloc(size);
    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

char *hy_strdup(const char *string)
{
    if (string == NULL)
        return NULL;
    size_t size = strlen(string) + 1;
    char *copy = hy_alloc(size);
    if (copy != NULL)
        memcpy(copy, string, size);
    return copy;
}

void hy_free(void *ptr)
{
    if (ptr != NULL)
        hy_realloc(ptr, 0);
}
