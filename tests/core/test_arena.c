/*
 * Arenas: alignment, the caller's block, limits and what is left when memory ends.
 */
#include "hy_test.h"

#include <stdalign.h>

#include <base/arena.h>

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % 8 == 0;
}

/* Many sizes; each allocation is filled and must still hold its filling at the end. */
static void allocations_do_not_overlap(void **state)
{
    enum { N = 3000 };
    static unsigned char *parts[N];
    static size_t sizes[N];
    uint64_t seed = 88172645463325252u;
    hy_arena a;
    (void)state;

    hy_arena_init(&a, NULL, 0);
    for (int i = 0; i < N; i++) {
        sizes[i] = hy_test_random(&seed) % (i % 50 == 0 ? 20000 : 90);
        parts[i] = hy_arena_alloc(&a, sizes[i]);
        assert_non_null(parts[i]);
        assert_true(is_aligned(parts[i]));
        memset(parts[i], i % 251, sizes[i]);
    }
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(parts[i][k], i % 251);
    assert_false(a.failed);
    hy_arena_clear(&a);
}

#ifndef HY_DEBUG_ARENA
static void small_work_stays_in_the_callers_block(void **state)
{
    alignas(max_align_t) char first[512];
    hy_test_heap heap = {0};
    hy_arena a;
    (void)state;

    hy_test_use_heap(&heap);
    hy_arena_init(&a, first, sizeof first);
    for (int i = 0; i < 8; i++) {
        char *p = hy_arena_alloc(&a, 64);
        assert_true(p >= first && p + 64 <= first + sizeof first);
    }
    assert_int_equal(heap.calls, 0);
    char *p = hy_arena_alloc(&a, 1);
    assert_false(p >= first && p < first + sizeof first);
    assert_int_equal(heap.live, 1);
    hy_arena_clear(&a);
    assert_int_equal(heap.live, 0);
    p = hy_arena_alloc(&a, 16);
    assert_ptr_equal(p, first);
    hy_test_use_heap(NULL);
}

static void blocks_grow_so_that_mallocs_stay_few(void **state)
{
    hy_test_heap heap = {0};
    hy_arena a;
    (void)state;

    hy_test_use_heap(&heap);
    hy_arena_init(&a, NULL, 0);
    for (int i = 0; i < 65536; i++)
        assert_non_null(hy_arena_alloc(&a, 16));
    hy_arena_clear(&a);
    hy_test_use_heap(NULL);
    assert_true(heap.calls <= 25); /* one megabyte */
    assert_int_equal(heap.live, 0);
}

static void a_large_piece_does_not_waste_the_current_block(void **state)
{
    hy_test_heap heap = {0};
    hy_arena a;
    (void)state;

    hy_test_use_heap(&heap);
    hy_arena_init(&a, NULL, 0);
    char *before = hy_arena_alloc(&a, 16);
    assert_non_null(hy_arena_alloc(&a, 5000));
    char *after = hy_arena_alloc(&a, 16);
    assert_ptr_equal(after, before + 16);
    hy_arena_clear(&a);
    hy_test_use_heap(NULL);
    assert_int_equal(heap.calls, 2);
}
#endif

static void size_zero_is_an_allocation_of_its_own(void **state)
{
    hy_arena a;
    (void)state;
    hy_arena_init(&a, NULL, 0);
    char *p = hy_arena_alloc(&a, 0), *q = hy_arena_alloc(&a, 0);
    assert_non_null(p);
    assert_non_null(q);
    assert_ptr_not_equal(p, q);
    hy_arena_clear(&a);
}

static void zero_is_zero_and_copies_are_copies(void **state)
{
    hy_arena a;
    (void)state;
    hy_arena_init(&a, NULL, 0);
    memset(hy_arena_alloc(&a, 900), 'x', 900);
    hy_arena_clear(&a);

    const char *zero = hy_arena_zero(&a, 900);
    for (int i = 0; i < 900; i++)
        assert_int_equal(zero[i], 0);
    assert_string_equal(hy_arena_strdup(&a, "users"), "users");
    assert_string_equal(hy_arena_strndup(&a, "users", 3), "use");
    assert_string_equal(hy_arena_strndup(&a, "", 0), "");
    assert_memory_equal(hy_arena_memdup(&a, "a\0b", 3), "a\0b", 3);
    assert_null(hy_arena_strdup(&a, NULL));
    assert_null(hy_arena_strndup(&a, NULL, 4));
    assert_null(hy_arena_memdup(&a, NULL, 4));
    assert_false(a.failed);
    hy_arena_clear(&a);
}

static void the_limit_holds(void **state)
{
    hy_arena a;
    (void)state;
    hy_arena_init(&a, NULL, 0);
    a.limit = 1000;
    assert_non_null(hy_arena_alloc(&a, 900));
    assert_false(a.failed);
    assert_null(hy_arena_alloc(&a, 200));
    assert_true(a.failed);
    hy_arena_clear(&a);
    assert_false(a.failed);
    assert_non_null(hy_arena_alloc(&a, 900));
    hy_arena_clear(&a);
}

static void absurd_sizes_fail(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX / 2 + 1,
                                   (size_t)HY_ARENA_LIMIT + 1};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        hy_arena a;
        hy_arena_init(&a, NULL, 0);
        a.limit = i % 2 == 0 ? SIZE_MAX : 0;
        if (i < 4)
            assert_null(hy_arena_alloc(&a, sizes[i]));
        a.limit = 0;
        assert_null(hy_arena_alloc(&a, sizes[i]));
        assert_null(hy_arena_strndup(&a, "x", sizes[i]));
        assert_true(a.failed);
        hy_arena_clear(&a);
    }
}

static void every_failing_malloc_is_survived(void **state)
{
    (void)state;
    for (long n = 1; n < 12; n++) {
        hy_test_heap heap = {.fail_at = n};
        hy_arena a;
        bool missing = false;

        hy_test_use_heap(&heap);
        hy_arena_init(&a, NULL, 0);
        for (int i = 0; i < 60; i++) {
            char *p = i % 2 == 0 ? hy_arena_zero(&a, 1500) : hy_arena_strdup(&a, "name of a column");
            missing |= p == NULL;
        }
        assert_true(a.failed);
        assert_true(missing);
        hy_arena_clear(&a);
        hy_test_use_heap(NULL);
        assert_int_equal(heap.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_do_not_overlap),
#ifndef HY_DEBUG_ARENA
        cmocka_unit_test(small_work_stays_in_the_callers_block),
        cmocka_unit_test(blocks_grow_so_that_mallocs_stay_few),
        cmocka_unit_test(a_large_piece_does_not_waste_the_current_block),
#endif
        cmocka_unit_test(size_zero_is_an_allocation_of_its_own),
        cmocka_unit_test(zero_is_zero_and_copies_are_copies),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(absurd_sizes_fail),
        cmocka_unit_test(every_failing_malloc_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
