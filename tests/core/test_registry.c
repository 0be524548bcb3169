/*
 * The registry: the first model of a name is that of all who come with an equal one, from
 * whatever thread; one that differs in anything is refused and told apart.
 */
#include "hy_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include <hysteria/model.h>

/* What is not as in the model that was published first. */
typedef enum variation {
    AS_IT_IS,
    OTHER_TABLE,
    OTHER_SCHEMA,
    OTHER_NAMING,
    OTHER_KIND,
    OTHER_LENGTH,
    OTHER_DEFAULT,
    OTHER_DEFAULT_SQL,
    OTHER_ENUM,
    OTHER_COMMENT,
    HIDDEN,
    MORE_COLUMNS,
    OTHER_KEY,
    OTHER_SOFT_DELETE,
    OTHER_INDEX,
    MORE_INDEXES,
    OTHER_CHECK,
    OTHER_TARGET,
    OTHER_ACTION,
    VARIATIONS
} variation;

static const char *const told[VARIATIONS] = {
    [OTHER_TABLE] = "table",         [OTHER_SCHEMA] = "table",
    [OTHER_NAMING] = "table",        [OTHER_KIND] = "columns",
    [OTHER_LENGTH] = "columns",      [OTHER_DEFAULT] = "columns",
    [OTHER_DEFAULT_SQL] = "columns", [OTHER_ENUM] = "columns",
    [OTHER_COMMENT] = "columns",     [HIDDEN] = "columns",
    [MORE_COLUMNS] = "columns",      [OTHER_KEY] = "columns",
    [OTHER_SOFT_DELETE] = "columns", [OTHER_INDEX] = "indexes",
    [MORE_INDEXES] = "indexes",      [OTHER_CHECK] = "checks",
    [OTHER_TARGET] = "foreign keys", [OTHER_ACTION] = "foreign keys",
};

static void add_columns(hy_model *m, variation how)
{
    const char *const roles[] = {"admin", how == OTHER_ENUM ? "guest" : "user"};
    hy_column columns[] = {
        {.property = "id", .kind = HY_KIND_BIGINT},
        {.property = "shop", .kind = HY_KIND_BIGINT},
        {.property = "name",
         .kind = how == OTHER_KIND ? HY_KIND_TEXT : HY_KIND_STRING,
         .length = how == OTHER_LENGTH ? 81 : 80,
         .flags = how == HIDDEN ? HY_COLUMN_HIDDEN : 0,
         .comment = how == OTHER_COMMENT ? "theirs" : "ours"},
        {.property = "level",
         .kind = HY_KIND_INTEGER,
         .flags = HY_COLUMN_HAS_DEFAULT,
         .default_value = hy_int(how == OTHER_DEFAULT ? 2 : 1)},
        {.property = "since",
         .kind = HY_KIND_TIMESTAMP,
         .flags = HY_COLUMN_HAS_DEFAULT,
         .default_sql = how == OTHER_DEFAULT_SQL ? "now()" : "current_timestamp"},
        {.property = "role", .kind = HY_KIND_ENUM, .enum_values = roles, .n_enum_values = 2},
        {.property = "deletedAt", .kind = HY_KIND_TIMESTAMP},
        {.property = "more", .kind = HY_KIND_INTEGER},
    };
    size_t n = sizeof columns / sizeof columns[0] - (how != MORE_COLUMNS);
    hy_error err;

    for (size_t i = 0; i < n; i++)
        assert_int_equal(HY_OK, hy_model_add_column(m, &columns[i], &err));
}

static hy_model *make_model(variation how)
{
    const char *const key[] = {"id", "shop"}, *const turned[] = {"shop", "id"}, *const name[] = {"name"};
    const char *const target[] = {how == OTHER_TARGET ? "number" : "id"};
    hy_model *m =
        hy_model_new("Member", how == OTHER_SCHEMA ? "there" : "here", how == OTHER_TABLE ? "folk" : NULL,
                     how == OTHER_NAMING ? HY_NAMING_PRESERVE : HY_NAMING_SNAKE);
    hy_error err;

    assert_non_null(m);
    add_columns(m, how);
    assert_int_equal(HY_OK, hy_model_set_primary_key(m, how == OTHER_KEY ? turned : key, 2, &err));
    assert_int_equal(HY_OK, hy_model_add_index(m, NULL, name, 1, how == OTHER_INDEX, &err));
    if (how == MORE_INDEXES)
        assert_int_equal(HY_OK, hy_model_add_index(m, NULL, turned, 2, false, &err));
    assert_int_equal(HY_OK,
                     hy_model_add_check(m, NULL, how == OTHER_CHECK ? "level > 1" : "level > 0", &err));
    assert_int_equal(HY_OK,
                     hy_model_add_foreign_key(m, NULL, turned, 1, "shops", target,
                                              how == OTHER_ACTION ? HY_REFERENCE_CASCADE : HY_REFERENCE_NONE,
                                              HY_REFERENCE_NONE, &err));
    if (how != OTHER_SOFT_DELETE)
        assert_int_equal(HY_OK, hy_model_set_soft_delete(m, "deletedAt", &err));
    assert_int_equal(HY_OK, hy_model_freeze(m, &err));
    return m;
}

static void the_first_is_everybodys(void **state)
{
    hy_registry *r = hy_registry_new();
    hy_model *first = make_model(AS_IT_IS), *second = make_model(AS_IT_IS), *out;
    hy_error err;

    (void)state;
    assert_null(hy_registry_find(r, "Member"));
    assert_int_equal(HY_OK, hy_registry_publish(r, first, &out, &err));
    assert_ptr_equal(out, first);
    hy_model_unref(out);
    assert_int_equal(HY_OK, hy_registry_publish(r, second, &out, &err));
    assert_ptr_equal(out, first);
    hy_model_unref(out);
    hy_model_unref(second);
    hy_model_unref(first);

    out = hy_registry_find(r, "Member");
    assert_ptr_equal(out, first);
    hy_registry_unref(hy_registry_ref(r));
    hy_registry_unref(r);
    assert_string_equal(hy_model_name(out), "Member"); /* who has it keeps it */
    hy_model_unref(out);
    hy_registry_unref(NULL);
}

static void another_of_that_name_is_refused(void **state)
{
    hy_registry *r = hy_registry_new();
    hy_model *first = make_model(AS_IT_IS), *out;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_registry_publish(r, first, &out, &err));
    hy_model_unref(out);
    for (int how = AS_IT_IS + 1; how < VARIATIONS; how++) {
        hy_model *other = make_model((variation)how);
        out = other;
        assert_fails(HY_EMODEL_ALREADY_DEFINED, err, hy_registry_publish(r, other, &out, &err));
        assert_null(out);
        if (strstr(err.message, told[how]) == NULL)
            fail_msg("variation %d: %s", how, err.message);
        hy_model_unref(other);
    }
    hy_model_unref(first);
    hy_registry_unref(r);
}

enum { THREADS = 8 };
static hy_registry *common;
static pthread_barrier_t start;

static void *publish_one(void *ctx)
{
    hy_model **out = ctx, *mine = make_model(AS_IT_IS);

    (void)pthread_barrier_wait(&start);
    if (hy_registry_publish(common, mine, out, NULL) != HY_OK)
        *out = NULL;
    hy_model_unref(mine);
    return NULL;
}

static void threads_get_the_same(void **state)
{
    pthread_t threads[THREADS];
    hy_model *got[THREADS];

    (void)state;
    for (int round = 0; round < 50; round++) {
        common = hy_registry_new();
        (void)pthread_barrier_init(&start, NULL, THREADS);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(0, pthread_create(&threads[i], NULL, publish_one, &got[i]));
        for (int i = 0; i < THREADS; i++)
            (void)pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++) {
            assert_non_null(got[i]);
            assert_ptr_equal(got[i], got[0]);
        }
        for (int i = 0; i < THREADS; i++)
            hy_model_unref(got[i]);
        (void)pthread_barrier_destroy(&start);
        hy_registry_unref(common);
    }
}

static hy_status try_everything(hy_error *err)
{
    hy_registry *r = hy_registry_new();
    hy_model *m = hy_model_new("User", NULL, NULL, HY_NAMING_SNAKE), *out = NULL;
    const hy_column id = {.property = "id", .kind = HY_KIND_BIGINT, .flags = HY_COLUMN_INCREMENT};
    hy_status status = r != NULL && m != NULL ? HY_OK : hy_fail_oom(err);

    if (status == HY_OK)
        status = hy_model_add_column(m, &id, err);
    if (status == HY_OK)
        status = hy_model_freeze(m, err);
    if (status == HY_OK)
        status = hy_registry_publish(r, m, &out, err);
    hy_model_unref(out);
    hy_model_unref(m);
    hy_registry_unref(r);
    return status;
}

static void survives_any_failed_allocation(void **state)
{
    hy_status status = HY_EOUT_OF_MEMORY;
    hy_test_heap heap;
    hy_error err;
    long n;

    (void)state;
    for (n = 1; status != HY_OK; n++) {
        heap = (hy_test_heap){.fail_at = n};
        hy_test_use_heap(&heap);
        status = try_everything(&err);
        hy_test_use_heap(NULL);
        assert_true(status == HY_OK || status == HY_EOUT_OF_MEMORY);
        assert_int_equal(heap.live, 0);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_everybodys),
        cmocka_unit_test(another_of_that_name_is_refused),
        cmocka_unit_test(threads_get_the_same),
        cmocka_unit_test(survives_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
