/*
 * hy_test.h - what every test of the core includes: cmocka, and an allocator that counts
 * and can be made to fail.
 */
#ifndef HY_TEST_H
#define HY_TEST_H

/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hysteria/error.h>
#include <hysteria/memory.h>

/* Equal text, with its length; shows both when they differ. */
#define assert_text(expected, data, length)                        \
    do {                                                           \
        assert_int_equal(strlen(expected), (length));              \
        assert_memory_equal((expected), (data), strlen(expected)); \
    } while (0)

/* A call that must fail with `code`, set the same in `error`, and say something. */
#define assert_fails(code, error, call)           \
    do {                                          \
        hy_error_clear(&(error));                 \
        assert_int_equal((code), (call));         \
        assert_int_equal((code), (error).status); \
        assert_true((error).message[0] != '\0');  \
    } while (0)

/* How many threads this process has. */
static inline int threads_now(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = -2; /* "." and ".." */

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

typedef struct hy_test_heap {
    atomic_long live;  /* allocations not freed yet */
    atomic_long calls; /* allocations asked for */
    long fail_at;      /* the call that fails, counted from 1; 0: none */
    bool fail_on;      /* and all calls after it */
} hy_test_heap;

static inline void *hy_test_realloc(void *ctx, void *ptr, size_t size)
{
    hy_test_heap *heap = ctx;

    if (size == 0) {
        heap->live -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    long call = ++heap->calls;
    if (heap->fail_at > 0 && (call == heap->fail_at || (heap->fail_on && call > heap->fail_at)))
        return NULL;
    void *memory = realloc(ptr, size);
    heap->live += ptr == NULL && memory != NULL;
    return memory;
}

/* From here on the core allocates through `heap`; NULL: through libc again. */
static inline void hy_test_use_heap(hy_test_heap *heap)
{
    if (heap == NULL) {
        hy_set_allocator(NULL);
        return;
    }
    hy_allocator allocator = {hy_test_realloc, heap};
    hy_set_allocator(&allocator);
}

/* What threads of the core still hold, they give back soon. */
static inline void hy_test_settle(const hy_test_heap *heap)
{
    for (int i = 0; i < 5000 && heap->live != 0; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(heap->live, 0);
}

/* A small generator for repeatable hostile input (xorshift64). */
static inline uint64_t hy_test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
