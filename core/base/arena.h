/*
 * arena.h - memory that is freed as a whole.
 *
 * Nodes and copied strings of one owner live and die together; nothing is freed alone. The
 * first block may be the caller's (inside a userdata, on the stack): small work then never
 * touches the heap. An allocation that fails returns NULL and is remembered: builders let
 * NULL climb and the root is checked once. Compiled with HY_DEBUG_ARENA every allocation is
 * its own malloc, so that sanitizers see each byte.
 */
#ifndef HY_BASE_ARENA_H
#define HY_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include <hysteria/export.h>

typedef struct hy_arena_block hy_arena_block;
typedef struct hy_arena {
    char *next, *end;       /* free space in the current block */
    hy_arena_block *blocks; /* heap blocks, newest first */
    char *first;            /* the caller's block, may be NULL */
    size_t first_size;
    size_t total; /* bytes handed out */
    size_t limit; /* total may not pass this; 0 = HY_ARENA_LIMIT */
    bool failed;
} hy_arena;

enum { HY_ARENA_LIMIT = 1 << 30 };

/** `first` (aligned to 8 bytes) is used before the heap and stays the caller's. */
HY_API void hy_arena_init(hy_arena *a, void *first, size_t first_size);
/** Free every heap block; the arena is empty and usable again. */
HY_API void hy_arena_clear(hy_arena *a);
/** Aligned for pointers, int64_t and double, not zeroed. NULL (and a->failed) when memory or the limit ends.
 */
static inline void *hy_arena_alloc(hy_arena *a, size_t size);
HY_API void *hy_arena_zero(hy_arena *a, size_t size);
/** A NUL-terminated copy. NULL in, NULL out. */
HY_API char *hy_arena_strndup(hy_arena *a, const char *text, size_t size);
HY_API char *hy_arena_strdup(hy_arena *a, const char *text);
HY_API void *hy_arena_memdup(hy_arena *a, const void *data, size_t size);

/** What hy_arena_alloc() does where the current block has no room. */
HY_API void *hy__arena_grow(hy_arena *a, size_t size);

static inline void *hy_arena_alloc(hy_arena *a, size_t size)
{
    size_t room = (size_t)(a->end - a->next);
    size_t whole = (size + 7) & ~(size_t)7; /* so that the next one is aligned */

    if (size == 0 || size > room || whole > room || a->limit != 0)
        return hy__arena_grow(a, size);
    void *memory = a->next;
    a->next += whole;
    a->total += size;
    return memory;
}

#endif
