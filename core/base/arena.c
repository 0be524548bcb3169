/*
 * arena.c - memory that is freed as a whole.
 *
 * A block is bumped until it is full; blocks double up to a cap. What would fill most of a
 * block gets one of its own, behind the current one, whose free space stays in use. Knows
 * nothing of what it holds.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <base/arena.h>
#include <hysteria/memory.h>

struct hy_arena_block {
    hy_arena_block *older;
    size_t size; /* usable bytes behind this head */
};

enum {
    /* pointers, int64_t and double; a Lua userdata is aligned no better than that */
    ALIGNMENT = 8,
    HEAD_SIZE = (sizeof(hy_arena_block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT,
    /* Whole blocks are powers of two, which suits every malloc. */
    BLOCK_MIN = 2048 - HEAD_SIZE,
    BLOCK_MAX = 65536 - HEAD_SIZE
};

/* One malloc per allocation, for sanitizers, or blocks? */
#ifdef HY_DEBUG_ARENA
static const bool use_blocks = false;
#else
static const bool use_blocks = true;
#endif

static char *block_memory(hy_arena_block *block)
{
    return (char *)block + HEAD_SIZE;
}

static hy_arena_block *block_new(size_t size)
{
    hy_arena_block *block = hy_alloc(HEAD_SIZE + size);
    if (block != NULL)
        block->size = size;
    return block;
}

static void use_first(hy_arena *a)
{
    bool usable = use_blocks && a->first != NULL;
    a->next = usable ? a->first : NULL;
    a->end = usable ? a->first + a->first_size : NULL;
}

void hy_arena_init(hy_arena *a, void *first, size_t first_size)
{
    assert((uintptr_t)first % ALIGNMENT == 0);

    *a = (hy_arena){.first = first, .first_size = first != NULL ? first_size : 0};
    use_first(a);
}

void hy_arena_clear(hy_arena *a)
{
    while (a->blocks != NULL) {
        hy_arena_block *block = a->blocks;
        a->blocks = block->older;
        hy_free(block);
    }
    a->total = 0;
    a->failed = false;
    use_first(a);
}

/* A block that becomes the current one. */
static void *alloc_in_new_block(hy_arena *a, size_t size)
{
    size_t block_size = BLOCK_MIN;
    if (a->blocks != NULL && a->blocks->size >= BLOCK_MIN)
        block_size =
            a->blocks->size < BLOCK_MAX / 2 ? (a->blocks->size + HEAD_SIZE) * 2 - HEAD_SIZE : BLOCK_MAX;

    hy_arena_block *block = block_new(block_size);
    if (block == NULL)
        return NULL;
    block->older = a->blocks;
    a->blocks = block;
    a->next = block_memory(block) + size;
    a->end = block_memory(block) + block_size;
    return block_memory(block);
}

/* A block for this allocation alone; the current one stays current. */
static void *alloc_alone(hy_arena *a, size_t size)
{
    hy_arena_block *block = block_new(size);
    if (block == NULL)
        return NULL;
    if (a->blocks == NULL) {
        block->older = NULL;
        a->blocks = block;
    } else {
        block->older = a->blocks->older;
        a->blocks->older = block;
    }
    return block_memory(block);
}

static void *alloc_from_blocks(hy_arena *a, size_t size)
{
    /* Rounded up so that the next one is aligned. */
    size = size > 0 ? (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
    if (size <= (size_t)(a->end - a->next)) {
        void *memory = a->next;
        a->next += size;
        return memory;
    }
    return size > BLOCK_MIN / 2 ? alloc_alone(a, size) : alloc_in_new_block(a, size);
}

void *hy__arena_grow(hy_arena *a, size_t size)
{
    size_t limit = a->limit > 0 ? a->limit : HY_ARENA_LIMIT;
    void *memory = NULL;

    if (size <= limit && a->total <= limit - size && size <= SIZE_MAX / 2)
        memory = use_blocks ? alloc_from_blocks(a, size) : alloc_alone(a, size);
    if (memory == NULL)
        a->failed = true;
    else
        a->total += size;
    return memory;
}

void *hy_arena_zero(hy_arena *a, size_t size)
{
    void *memory = hy_arena_alloc(a, size);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

char *hy_arena_strndup(hy_arena *a, const char *text, size_t size)
{
    if (text == NULL)
        return NULL;
    char *copy = size < SIZE_MAX ? hy_arena_alloc(a, size + 1) : NULL;
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

char *hy_arena_strdup(hy_arena *a, const char *text)
{
    return text != NULL ? hy_arena_strndup(a, text, strlen(text)) : NULL;
}

void *hy_arena_memdup(hy_arena *a, const void *data, size_t size)
{
    if (data == NULL)
        return NULL;
    void *copy = hy_arena_alloc(a, size);
    if (copy != NULL)
        memcpy(copy, data, size);
    return copy;
}
