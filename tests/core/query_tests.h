/*
 * query_tests.h - what the tests of queries share: a model, a compiler, short names.
 */
#ifndef QUERY_TESTS_H
#define QUERY_TESTS_H

#include "hy_test.h"

#include <stdio.h>

#include <hysteria/query.h>

extern hy_model *user;
extern hy_compiler *compiler;

static inline int set_up(void **state)
{
    static const hy_column columns[] = {
        {.property = "id", .kind = HY_KIND_BIGINT, .flags = HY_COLUMN_PRIMARY, .precision = -1, .scale = -1},
        {.property = "firstName", .kind = HY_KIND_STRING, .precision = -1, .scale = -1},
        {.property = "age", .kind = HY_KIND_INTEGER, .precision = -1, .scale = -1},
        {.property = "born", .kind = HY_KIND_DATE, .precision = -1, .scale = -1},
        {.property = "twice",
         .kind = HY_KIND_INTEGER,
         .flags = HY_COLUMN_GENERATED,
         .precision = -1,
         .scale = -1},
    };
    hy_error err;

    (void)state;
    user = hy_model_new("User", NULL, "users", HY_NAMING_SNAKE);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(HY_OK, hy_model_add_column(user, &columns[i], &err));
    assert_int_equal(HY_OK, hy_model_freeze(user, &err));
    compiler = hy_compiler_new();
    return compiler == NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    hy_compiler_free(compiler);
    hy_model_unref(user);
    return 0;
}

static inline hy_expr *col(hy_query *q, const char *name)
{
    return hy_expr_column(q, name, strlen(name));
}
static inline hy_expr *val(hy_query *q, hy_value value)
{
    return hy_expr_value(q, &value);
}
static inline hy_expr *equals(hy_query *q, const char *name, hy_value value)
{
    return hy_expr_compare(q, HY_OP_EQ, col(q, name), hy_expr_value_like(q, col(q, name), &value));
}
static inline void where(hy_query *q, hy_expr *e)
{
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, e);
}

/* The text for SQLite; fails the test if there is none. */
static inline const char *text_of(const hy_query *q)
{
    static hy_sql sql;
    hy_error err;

    if (hy_compile(compiler, q, hy_dialect_find("sqlite"), NULL, &sql, &err) != HY_OK)
        fail_msg("%s", err.message);
    return sql.text;
}

/* ---- tests in files of their own ---- */

/* query_rows.c */
void rows_of_values_are_rows_of_expressions(void **state);
void a_wrong_row_is_not_there(void **state);
void wide_rows_have_all_their_placeholders(void **state);
void tells_whether_it_uses_the_heap(void **state);
void a_calculation_of_many_parameters_is_copied_once(void **state);
void kept_columns_are_one_models(void **state);
void answers_questions(void **state);
void clearing_where_closes_its_groups(void **state);
void cuts_joins(void **state);
void half_a_group_is_not_copied(void **state);
void a_late_query_is_settled_by_a_copy(void **state);
void a_late_query_that_failed_fails_the_copy(void **state);
void groups_tell_their_depth(void **state);
void guards_keep_slots_apart(void **state);
void copies_are_independent(void **state);
void deep_queries_compile(void **state);
void survives_every_failed_allocation(void **state);
void abandoned_groups_leave_nothing(void **state);
void holds_the_models_of_joins_and_subqueries(void **state);

#endif
