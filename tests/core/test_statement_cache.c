/*
 * The statement cache: what counts as the same statement, what goes first, what is in use.
 */
#include "hy_test.h"

#include <stdio.h>

#include <base/text.h>
#include <source/statement_cache.h>

#include "fake_driver.h"

typedef struct fixture {
    hy__statement_cache cache;
    hy_connection *c;
} fixture;

static void open_cache(fixture *f, size_t capacity)
{
    hy_error err;
    hy_wait wait;
    const hy_connect_config config = {.host = NULL};

    fake_reset(0);
    assert_int_equal(HY_OK, hy__statement_cache_init(&f->cache, capacity, &err));
    f->c = hy_alloc_zero(fake_driver()->connection_size);
    f->c->driver = fake_driver();
    assert_int_equal(HY_OK, f->c->driver->connect(f->c, &config, &wait, &err));
}

static void close_cache(fixture *f)
{
    hy__statement_cache_clear(&f->cache, f->c);
    f->c->driver->close(f->c);
    hy_free(f->c);
    assert_int_equal(fake.prepared, fake.unprepared);
    assert_int_equal(fake.broken_uses, 0);
}

static hy__cached *find(fixture *f, const char *sql, const hy_kind *kinds, size_t n)
{
    return hy__statement_cache_find(&f->cache, hy_hash(0, sql, strlen(sql)), sql, strlen(sql), kinds, n);
}

static hy__cached *make(fixture *f, const char *sql, const hy_kind *kinds, size_t n)
{
    hy__cached *e = hy__cached_new(f->c->driver, hy_hash(0, sql, strlen(sql)), sql, strlen(sql), kinds, n);
    hy_wait wait;
    hy_error err;

    assert_non_null(e);
    assert_int_equal(HY_OK,
                     f->c->driver->prepare(f->c, e->statement, sql, strlen(sql), kinds, n, &wait, &err));
    return e;
}

/* Use a statement as a cursor does; true if it was there already. */
static bool use(fixture *f, const char *sql)
{
    hy__cached *e = find(f, sql, NULL, 0);
    bool hit = e != NULL;

    if (!hit)
        e = make(f, sql, NULL, 0);
    hy__statement_cache_put(&f->cache, e, true, f->c);
    return hit;
}

static void keeps_what_was_used_last(void **state)
{
    fixture f;

    (void)state;
    open_cache(&f, 3);
    assert_false(use(&f, "a"));
    assert_false(use(&f, "b"));
    assert_false(use(&f, "c"));
    assert_true(use(&f, "a"));
    assert_false(use(&f, "d")); /* b goes */
    assert_int_equal(fake.unprepared, 1);
    assert_true(use(&f, "a"));
    assert_true(use(&f, "c"));
    assert_true(use(&f, "d"));
    assert_false(use(&f, "b"));
    assert_int_equal(f.cache.count, 3);
    close_cache(&f);
}

static void kinds_are_part_of_the_key(void **state)
{
    static const hy_kind ints[] = {HY_KIND_BIGINT, HY_KIND_BIGINT}, mixed[] = {HY_KIND_BIGINT, HY_KIND_TEXT};
    fixture f;

    (void)state;
    open_cache(&f, 8);
    hy__cached *e = make(&f, "x", ints, 2);
    hy__statement_cache_put(&f.cache, e, true, f.c);
    assert_null(find(&f, "x", mixed, 2));
    assert_null(find(&f, "x", ints, 1));
    assert_null(find(&f, "x", NULL, 0));
    assert_ptr_equal(find(&f, "x", ints, 2), e);
    hy__statement_cache_put(&f.cache, e, true, f.c);
    close_cache(&f);
}

/* Equal hashes are no equal texts. */
static void texts_are_compared(void **state)
{
    fixture f;

    (void)state;
    open_cache(&f, 4);
    hy__cached *a = hy__cached_new(f.c->driver, 42, "first", 5, NULL, 0);
    hy__cached *b = hy__cached_new(f.c->driver, 42, "other", 5, NULL, 0);
    hy__statement_cache_put(&f.cache, a, true, f.c);
    hy__statement_cache_put(&f.cache, b, true, f.c);
    assert_ptr_equal(hy__statement_cache_find(&f.cache, 42, "first", 5, NULL, 0), a);
    assert_ptr_equal(hy__statement_cache_find(&f.cache, 42, "other", 5, NULL, 0), b);
    assert_null(hy__statement_cache_find(&f.cache, 42, "third", 5, NULL, 0));
    hy__statement_cache_put(&f.cache, a, true, f.c);
    hy__statement_cache_put(&f.cache, b, true, f.c);
    fake.prepared = 2; /* these were never prepared */
    close_cache(&f);
}

static void one_in_use_is_neither_lent_nor_thrown_away(void **state)
{
    fixture f;

    (void)state;
    open_cache(&f, 2);
    assert_false(use(&f, "a"));
    hy__cached *a = find(&f, "a", NULL, 0);
    assert_null(find(&f, "a", NULL, 0));
    hy__cached *second = make(&f, "a", NULL, 0); /* two cursors, one text */
    assert_false(use(&f, "b"));
    assert_false(use(&f, "c")); /* b goes, though a is older */
    assert_ptr_not_equal(second, a);
    hy__statement_cache_put(&f.cache, second, true, f.c); /* its key is there already */
    assert_int_equal(f.cache.count, 2);
    hy__statement_cache_put(&f.cache, a, true, f.c);
    assert_true(use(&f, "a"));
    assert_true(use(&f, "c"));
    close_cache(&f);
}

static void nothing_fits_when_all_are_in_use(void **state)
{
    fixture f;

    (void)state;
    open_cache(&f, 1);
    assert_false(use(&f, "a"));
    hy__cached *a = find(&f, "a", NULL, 0);
    assert_false(use(&f, "b"));
    assert_int_equal(fake.unprepared, 1);
    hy__statement_cache_put(&f.cache, a, false, f.c); /* not wanted any more */
    assert_int_equal(f.cache.count, 0);
    assert_false(use(&f, "b"));
    assert_true(use(&f, "b"));
    close_cache(&f);
}

static void size_zero_keeps_nothing(void **state)
{
    fixture f;

    (void)state;
    open_cache(&f, 0);
    assert_false(use(&f, "a"));
    assert_false(use(&f, "a"));
    assert_int_equal(fake.unprepared, 2);
    close_cache(&f);
}

static void holds_many(void **state)
{
    fixture f;
    char sql[32];

    (void)state;
    open_cache(&f, 500);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 500; i++) {
            snprintf(sql, sizeof sql, "SELECT %d", i);
            assert_int_equal(use(&f, sql), round > 0);
        }
    assert_int_equal(fake.prepared, 500);
    close_cache(&f);
    assert_int_equal(fake.unprepared, 500);
}

static void memory_ends(void **state)
{
    hy__statement_cache cache;
    hy_test_heap heap = {.fail_at = 1};
    hy_error err;

    (void)state;
    fake_reset(0);
    hy_test_use_heap(&heap);
    assert_fails(HY_EOUT_OF_MEMORY, err, hy__statement_cache_init(&cache, 8, &err));
    heap.fail_at = heap.calls + 1;
    assert_null(hy__cached_new(fake_driver(), 1, "a", 1, NULL, 0));
    assert_int_equal(heap.live, 0);
    hy_test_use_heap(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_used_last),
        cmocka_unit_test(kinds_are_part_of_the_key),
        cmocka_unit_test(texts_are_compared),
        cmocka_unit_test(one_in_use_is_neither_lent_nor_thrown_away),
        cmocka_unit_test(nothing_fits_when_all_are_in_use),
        cmocka_unit_test(size_zero_keeps_nothing),
        cmocka_unit_test(holds_many),
        cmocka_unit_test(memory_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
