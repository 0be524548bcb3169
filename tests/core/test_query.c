/*
 * test_query.c - the life of a query and what its builders refuse. The SQL that comes out is
 * compared in golden.c.
 */
#include "query_tests.h"

hy_model *user;
hy_compiler *compiler;

/* ---- what builders refuse ----------------------------------------------------------------- */

#define BUILD(name) static void name(hy_query *q)

BUILD(unknown_column)
{
    where(q, equals(q, "agee", hy_int(1)));
}
BUILD(empty_column)
{
    where(q, equals(q, "", hy_int(1)));
}
BUILD(dot_first)
{
    where(q, equals(q, ".age", hy_int(1)));
}
BUILD(dot_last)
{
    where(q, equals(q, "users.", hy_int(1)));
}
BUILD(nul_in_column)
{
    hy_expr_column(q, "a\0b", 3);
}
BUILD(bad_text_in_column)
{
    hy_expr_column(q, "a\xff", 2);
}
BUILD(null_column)
{
    hy_expr_column(q, NULL, 0);
}
BUILD(huge_column)
{
    static char name[70000];
    memset(name, 'x', sizeof name);
    hy_expr_column(q, name, sizeof name);
}
BUILD(bad_text)
{
    where(q, hy_expr_compare(q, HY_OP_EQ, col(q, "firstName"), val(q, hy_bytes(HY_TEXT, "\xc3", 1))));
}
BUILD(nul_in_text)
{
    val(q, hy_bytes(HY_TEXT, "a\0b", 3));
}
BUILD(text_for_number)
{
    where(q, equals(q, "age", hy_text("many")));
}
BUILD(no_date)
{
    where(q, equals(q, "born", hy_text("2023-02-29")));
}
BUILD(half_stored)
{
    hy_value half = hy_double(1.5);
    hy_expr_value_for(q, hy_model_find_column(user, "age", 3), &half);
}
BUILD(missing_operand)
{
    hy_expr_compare(q, HY_OP_EQ, col(q, "age"), NULL);
}
BUILD(missing_condition)
{
    where(q, NULL);
}
BUILD(missing_item)
{
    hy_query_select(q, NULL, NULL);
}
BUILD(less_than_null)
{
    hy_expr_compare(q, HY_OP_LT, col(q, "age"), val(q, hy_null()));
}
BUILD(like_null)
{
    hy_expr_compare(q, HY_OP_LIKE, val(q, hy_null()), col(q, "age"));
}
BUILD(between_null)
{
    hy_expr_between(q, col(q, "age"), val(q, hy_int(1)), val(q, hy_null()), false);
}
BUILD(list_operator)
{
    hy_expr_compare(q, HY_OP_IN, col(q, "age"), val(q, hy_int(1)));
}
BUILD(unary_operator)
{
    hy_expr_compare(q, HY_OP_IS_NULL, col(q, "age"), val(q, hy_int(1)));
}
BUILD(no_operator)
{
    hy_expr_compare(q, HY_OP_COUNT, col(q, "age"), val(q, hy_int(1)));
}
BUILD(hole_in_list)
{
    hy_expr *items[] = {val(q, hy_int(1)), NULL};
    hy_expr_in(q, col(q, "age"), items, 2, false);
}
BUILD(empty_row)
{
    hy_expr_row(q, NULL, 0);
}
BUILD(raw_without_values)
{
    hy_expr_raw(q, "a = ?", 5, NULL, 0);
}
BUILD(raw_with_too_many)
{
    hy_expr *one = val(q, hy_int(1));
    hy_expr_raw(q, "a = '?' -- ?", 12, &one, 1);
}
BUILD(raw_with_name)
{
    hy_expr_raw(q, "a = :id", 7, NULL, 0);
}
BUILD(raw_bad_text)
{
    hy_expr_raw(q, "\xff", 1, NULL, 0);
}
BUILD(raw_null)
{
    hy_expr_raw(q, NULL, 0, NULL, 0);
}
BUILD(call_injection)
{
    hy_expr_call(q, "max(1);--", 9, NULL, 0, false);
}
BUILD(call_empty)
{
    hy_expr_call(q, "", 0, NULL, 0, false);
}
BUILD(call_digit)
{
    hy_expr_call(q, "1st", 3, NULL, 0, false);
}
BUILD(call_dots)
{
    hy_expr_call(q, "a..b", 4, NULL, 0, false);
}
BUILD(call_last_dot)
{
    hy_expr_call(q, "a.", 2, NULL, 0, false);
}
BUILD(case_of_nothing)
{
    hy_expr_case(q, NULL, NULL, 0, NULL);
}
BUILD(cast_to_anything)
{
    hy_expr_cast(q, col(q, "age"), HY_KIND_ANY);
}
BUILD(over_column)
{
    hy_expr_over(q, col(q, "age"), NULL, 0, NULL, NULL, 0);
}
BUILD(nameless_param)
{
    hy_expr_param(q, "", HY_KIND_ANY);
}
BUILD(missing_subquery)
{
    hy_expr_exists(q, NULL, false);
}
BUILD(from_without_alias)
{
    hy_query *sub = hy_query_new(user);
    hy_query_from_query(q, sub, "");
    hy_query_free(sub);
}
BUILD(join_without_alias)
{
    hy_query *sub = hy_query_new(user);
    hy_query_join_query(q, HY_JOIN_INNER, sub, NULL);
    hy_query_free(sub);
}
BUILD(failed_subquery)
{
    hy_query *sub = hy_query_new(user);
    unknown_column(sub);
    where(q, hy_expr_exists(q, sub, false));
    hy_query_free(sub);
}
BUILD(star_with_alias)
{
    hy_query_select(q, col(q, "*"), "all");
}
BUILD(from_nul)
{
    hy_query_from(q, "a\0b", 3);
}
BUILD(negative_limit)
{
    hy_query_limit(q, -1);
}
BUILD(negative_offset)
{
    hy_query_offset(q, -9);
}
BUILD(on_without_join)
{
    hy_query_predicate(q, HY_SLOT_ON, HY_AND, false, equals(q, "age", hy_int(1)));
}
BUILD(on_after_raw_join)
{
    hy_query_join_raw(q, hy_expr_raw(q, "JOIN x ON 1", 11, NULL, 0));
    on_without_join(q);
}
BUILD(row_without_insert)
{
    hy_query_insert_row(q, NULL, 0);
}
BUILD(row_too_short)
{
    const char *columns[] = {"age"};
    hy_query_insert(q, columns, 1);
    hy_query_insert_row(q, NULL, 0);
}
BUILD(values_without_insert)
{
    hy_value value = hy_int(1);
    hy_query_insert_values(q, &value, 1);
}
BUILD(values_too_short)
{
    const char *columns[] = {"age"};
    hy_query_insert(q, columns, 1);
    hy_query_insert_values(q, NULL, 0);
}
BUILD(values_of_the_wrong_kind)
{
    const char *columns[] = {"id", "age"};
    hy_value values[] = {hy_int(1), hy_text("old")};
    hy_query_insert(q, columns, 2);
    hy_query_insert_values(q, values, 2);
}
BUILD(insert_unnamed)
{
    const char *columns[] = {"age", NULL};
    hy_query_insert(q, columns, 2);
}
BUILD(insert_generated)
{
    const char *columns[] = {"twice"};
    hy_query_insert(q, columns, 1);
}
BUILD(set_generated)
{
    hy_query_set(q, "twice", 5, val(q, hy_int(1)));
}
BUILD(set_unknown)
{
    hy_query_set(q, "agee", 4, val(q, hy_int(1)));
}
BUILD(set_nothing)
{
    hy_query_set(q, "age", 3, NULL);
}
BUILD(conflict_unknown)
{
    const char *columns[] = {"agee"};
    hy_query_on_conflict(q, columns, 1, HY_CONFLICT_NOTHING, NULL, 0);
}
BUILD(too_deep)
{
    hy_expr *e = equals(q, "age", hy_int(1));
    for (int i = 0; i < 600; i++)
        e = hy_expr_not(q, e);
}
BUILD(groups_too_deep)
{
    for (int i = 0; i < 600; i++)
        hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
}
BUILD(subqueries_too_deep)
{
    hy_query *sub = hy_query_new(user);
    for (int i = 0; i < 300; i++) {
        hy_query *outer = hy_query_new(user);
        where(outer, hy_expr_exists(outer, sub, false));
        hy_query_free(sub);
        sub = outer;
    }
    where(q, hy_expr_exists(q, sub, false));
    hy_query_free(sub);
}

static const struct {
    const char *name;
    void (*build)(hy_query *q);
    hy_status status;
    const char *says; /* in the message, NULL: anything */
} refusals[] = {
#define REFUSES(build, status, says)      \
    {                                     \
#build, build, HY_E##status, says \
    }
    REFUSES(unknown_column, UNDEFINED_COLUMN, "did you mean 'age'"),
    REFUSES(empty_column, INVALID_IDENTIFIER, NULL),
    REFUSES(dot_first, INVALID_IDENTIFIER, NULL),
    REFUSES(dot_last, INVALID_IDENTIFIER, NULL),
    REFUSES(nul_in_column, INVALID_IDENTIFIER, NULL),
    REFUSES(bad_text_in_column, INVALID_IDENTIFIER, NULL),
    REFUSES(null_column, INVALID_IDENTIFIER, NULL),
    REFUSES(huge_column, INVALID_IDENTIFIER, NULL),
    REFUSES(bad_text, DATA_INVALID, NULL),
    REFUSES(nul_in_text, DATA_INVALID, NULL),
    REFUSES(text_for_number, DATA_INVALID, "'age'"),
    REFUSES(no_date, DATA_INVALID, "'born'"),
    REFUSES(half_stored, DATA_INVALID, "'age'"),
    REFUSES(missing_operand, NIL_VALUE, NULL),
    REFUSES(missing_condition, NIL_VALUE, NULL),
    REFUSES(missing_item, NIL_VALUE, NULL),
    REFUSES(less_than_null, INVALID_ARGUMENT, "'<' with NULL"),
    REFUSES(like_null, INVALID_ARGUMENT, "'like' with NULL"),
    REFUSES(between_null, INVALID_ARGUMENT, "NULL"),
    REFUSES(list_operator, INVALID_ARGUMENT, "'in'"),
    REFUSES(unary_operator, INVALID_ARGUMENT, "'is null'"),
    REFUSES(no_operator, INVALID_ARGUMENT, NULL),
    REFUSES(hole_in_list, NIL_VALUE, "value 2"),
    REFUSES(empty_row, INVALID_ARGUMENT, NULL),
    REFUSES(raw_without_values, INVALID_ARGUMENT, "1 placeholders but 0 values"),
    REFUSES(raw_with_too_many, INVALID_ARGUMENT, "0 placeholders but 1 values"),
    REFUSES(raw_with_name, INVALID_ARGUMENT, ":id"),
    REFUSES(raw_bad_text, INVALID_ARGUMENT, NULL),
    REFUSES(raw_null, INVALID_ARGUMENT, NULL),
    REFUSES(call_injection, INVALID_IDENTIFIER, NULL),
    REFUSES(call_empty, INVALID_IDENTIFIER, NULL),
    REFUSES(call_digit, INVALID_IDENTIFIER, NULL),
    REFUSES(call_dots, INVALID_IDENTIFIER, NULL),
    REFUSES(call_last_dot, INVALID_IDENTIFIER, NULL),
    REFUSES(case_of_nothing, INVALID_ARGUMENT, NULL),
    REFUSES(cast_to_anything, INVALID_ARGUMENT, NULL),
    REFUSES(over_column, INVALID_ARGUMENT, NULL),
    REFUSES(nameless_param, INVALID_ARGUMENT, NULL),
    REFUSES(missing_subquery, NIL_VALUE, NULL),
    REFUSES(from_without_alias, MISSING_ALIAS_FOR_SUBQUERY, NULL),
    REFUSES(join_without_alias, MISSING_ALIAS_FOR_SUBQUERY, NULL),
    REFUSES(failed_subquery, UNDEFINED_COLUMN, "did you mean 'age'"),
    REFUSES(star_with_alias, INVALID_ARGUMENT, NULL),
    REFUSES(from_nul, INVALID_IDENTIFIER, NULL),
    REFUSES(negative_limit, INVALID_ARGUMENT, "limit"),
    REFUSES(negative_offset, INVALID_ARGUMENT, "offset"),
    REFUSES(on_without_join, INVALID_ARGUMENT, "join"),
    REFUSES(on_after_raw_join, INVALID_ARGUMENT, "join"),
    REFUSES(row_without_insert, INVALID_ARGUMENT, NULL),
    REFUSES(row_too_short, INVALID_ARGUMENT, "0 values for 1"),
    REFUSES(values_without_insert, INVALID_ARGUMENT, "1 values for 0"),
    REFUSES(values_too_short, INVALID_ARGUMENT, "0 values for 1"),
    REFUSES(values_of_the_wrong_kind, DATA_INVALID, "column 'age'"),
    REFUSES(insert_unnamed, NIL_VALUE, NULL),
    REFUSES(insert_generated, INVALID_ARGUMENT, "twice"),
    REFUSES(set_generated, INVALID_ARGUMENT, "twice"),
    REFUSES(set_unknown, UNDEFINED_COLUMN, "did you mean 'age'"),
    REFUSES(set_nothing, NIL_VALUE, NULL),
    REFUSES(conflict_unknown, UNDEFINED_COLUMN, "did you mean 'age'"),
    REFUSES(too_deep, LIMIT_EXCEEDED, "500"),
    REFUSES(groups_too_deep, LIMIT_EXCEEDED, NULL),
    REFUSES(subqueries_too_deep, LIMIT_EXCEEDED, NULL),
};

static void builders_refuse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        hy_query *q = hy_query_new(user);
        hy_error err, again;
        hy_sql sql;

        refusals[i].build(q);
        hy_status status = hy_query_status(q, &err);
        if (status != refusals[i].status || err.status != status)
            fail_msg("%s: %s", refusals[i].name, hy_status_name(status));
        if (refusals[i].says != NULL && strstr(err.message, refusals[i].says) == NULL)
            fail_msg("%s: says '%s'", refusals[i].name, err.message);
        assert_int_equal(status, hy_compile(compiler, q, hy_dialect_at(0), NULL, &sql, &again));
        assert_string_equal(err.message, again.message);
        assert_null(sql.text);
        hy_query_free(q);
    }
}

static void first_failure_is_kept(void **state)
{
    hy_query *q = hy_query_new(user);
    hy_error err;

    (void)state;
    where(q, equals(q, "id", hy_int(1)));
    unknown_column(q);
    negative_limit(q);
    where(q, equals(q, "id", hy_int(2)));
    assert_null(col(q, "age"));
    assert_int_equal(HY_EUNDEFINED_COLUMN, hy_query_status(q, &err));
    assert_int_equal(HY_EUNDEFINED_COLUMN, hy_query_status(q, NULL));

    hy_query_forget_failure(q);
    assert_int_equal(HY_OK, hy_query_status(q, &err));
    where(q, equals(q, "age", hy_int(3)));
    negative_limit(q);
    assert_int_equal(HY_EINVALID_ARGUMENT, hy_query_status(q, &err));
    hy_query_forget_failure(q);
    assert_string_equal("SELECT \"id\", \"first_name\", \"age\", \"born\", \"twice\" FROM \"users\" WHERE "
                        "\"id\" = ? AND \"age\" = ?",
                        text_of(q));
    hy_query_free(q);
}

static void data_errors_name_the_column(void **state)
{
    hy_query *q = hy_query_new(user);
    hy_error err;

    (void)state;
    text_for_number(q);
    hy_query_status(q, &err);
    assert_string_equal("age", err.columns);
    assert_null(strstr(err.message, "many")); /* never the value */
    hy_query_free(q);
}

/* ---- life --------------------------------------------------------------------------------- */

static void lives_in_the_callers_memory(void **state)
{
    _Alignas(16) static char memory[2048];
    hy_test_heap heap = {0};

    (void)state;
    assert_null(hy_query_init(memory, hy_query_size() - 1, user));
    assert_null(hy_query_init(NULL, sizeof memory, user));
    hy_test_use_heap(&heap);
    hy_query *q = hy_query_init(memory, sizeof memory, user);
    assert_ptr_equal(memory, q);
    where(q, equals(q, "id", hy_int(1)));
    where(q, equals(q, "firstName", hy_text("Ada")));
    hy_query_limit(q, 1);
#ifndef HY_DEBUG_ARENA
    assert_int_equal(0, heap.calls);
#endif
    assert_true(hy_query_memory(q) < 1024);
    hy_query_clear(q);
    assert_false(hy_query_has_where(q));
    assert_false(hy_query_has_limit(q));
    assert_ptr_equal(user, hy_query_model(q));
    hy_query_clear(q);

    q = hy_query_init(memory, hy_query_size(), user); /* no room at all: on the heap */
    where(q, equals(q, "id", hy_int(1)));
    assert_true(heap.calls > 0);
    hy_query_clear(q);
    assert_int_equal(0, heap.live);
    hy_test_use_heap(NULL);
    hy_query_free(NULL);
    hy_query_clear(NULL);
}

static void values_are_compact(void **state)
{
    const char *columns[] = {"age", "id"};
    hy_query *q = hy_query_new(user);

    (void)state;
    hy_query_insert(q, columns, 2);
    size_t before = hy_query_memory(q);
    for (int i = 0; i < 400; i++) {
        hy_expr *values[] = {val(q, hy_int(i)), val(q, hy_int(i))};
        hy_query_insert_row(q, values, 2);
    }
    assert_true((hy_query_memory(q) - before) / 800 <= 48);
    hy_query_free(q);
}

/* ---- columns that are stored hashed or encrypted ------------------------------------------ */

BUILD(opaque_equals)
{
    where(q, equals(q, "secret", hy_text("x")));
}
BUILD(opaque_qualified)
{
    where(q, equals(q, "vaults.secret", hy_text("x")));
}
BUILD(opaque_on_the_right)
{
    where(q, hy_expr_compare(q, HY_OP_EQ, col(q, "id"), col(q, "secret")));
}
BUILD(opaque_between)
{
    where(q, hy_expr_between(q, col(q, "secret"), val(q, hy_text("a")), val(q, hy_text("b")), false));
}
BUILD(opaque_in)
{
    hy_expr *item = val(q, hy_text("a"));
    where(q, hy_expr_in(q, col(q, "secret"), &item, 1, false));
}
BUILD(opaque_in_query)
{
    hy_query *sub = hy_query_new(user);
    hy_query_select(sub, col(sub, "id"), NULL);
    where(q, hy_expr_in_query(q, col(q, "secret"), sub, false));
    hy_query_free(sub);
}
BUILD(opaque_order)
{
    hy_query_order_by(q, col(q, "secret"), HY_ASC, HY_NULLS_DEFAULT);
}
BUILD(opaque_group)
{
    hy_query_group_by(q, col(q, "secret"));
}
BUILD(opaque_distinct_on)
{
    hy_query_distinct_on(q, col(q, "secret"));
}
BUILD(opaque_call)
{
    hy_expr *arg = col(q, "secret");
    hy_query_select(q, hy_expr_call(q, "max", 3, &arg, 1, false), NULL);
}
BUILD(opaque_count_distinct)
{
    hy_expr *arg = col(q, "secret");
    hy_query_select(q, hy_expr_call(q, "count", 5, &arg, 1, true), NULL);
}
BUILD(opaque_row)
{
    hy_expr *pair[] = {col(q, "id"), col(q, "secret")};
    hy_expr_row(q, pair, 2);
}
BUILD(opaque_case)
{
    hy_expr *when = hy_expr_is_null(q, col(q, "id"), false), *then = col(q, "secret");
    hy_expr_case(q, &when, &then, 1, NULL);
}

static hy_model *vault_new(void)
{
    static const hy_column columns[] = {
        {.property = "id", .kind = HY_KIND_BIGINT, .flags = HY_COLUMN_PRIMARY, .precision = -1, .scale = -1},
        {.property = "secret", .kind = HY_KIND_TEXT, .flags = HY_COLUMN_OPAQUE, .precision = -1, .scale = -1},
    };
    hy_model *vault = hy_model_new("Vault", NULL, "vaults", HY_NAMING_SNAKE);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(HY_OK, hy_model_add_column(vault, &columns[i], NULL));
    assert_int_equal(HY_OK, hy_model_freeze(vault, NULL));
    return vault;
}

static void opaque_columns_are_not_compared(void **state)
{
    static void (*const builds[])(hy_query * q) = {
        opaque_equals,         opaque_qualified, opaque_on_the_right, opaque_between,     opaque_in,
        opaque_in_query,       opaque_order,     opaque_group,        opaque_distinct_on, opaque_call,
        opaque_count_distinct, opaque_row,       opaque_case,
    };
    hy_model *vault = vault_new();

    (void)state;
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        hy_query *q = hy_query_new(vault);
        builds[i](q);
        assert_int_equal(HY_ENOT_SEARCHABLE, hy_query_status(q, NULL));
        hy_query_free(q);
    }
    hy_model_unref(vault);
}

static void opaque_columns_are_read_counted_and_hidden(void **state)
{
    hy_model *vault = vault_new();
    hy_query *q = hy_query_new(vault), *set = hy_query_new(vault);
    hy_value text = hy_text("x");
    hy_expr *arg = col(q, "secret");
    hy_error err;
    hy_sql sql;

    (void)state;
    assert_true(hy_model_column(vault, 1)->flags & HY_COLUMN_SENSITIVE);
    hy_query_select(q, hy_expr_call(q, "count", 5, &arg, 1, false), "n");
    hy_query_select(q, col(q, "secret"), NULL);
    where(q, hy_expr_is_null(q, col(q, "secret"), true));
    where(q, hy_expr_compare(q, HY_OP_NE, col(q, "secret"), val(q, hy_null())));
    assert_string_equal("SELECT COUNT(\"secret\") AS \"n\", \"secret\" FROM \"vaults\" "
                        "WHERE \"secret\" IS NOT NULL AND \"secret\" IS NOT NULL",
                        text_of(q));
    hy_query_set(set, "secret", 6, hy_expr_value_for(set, hy_model_column(vault, 1), &text));
    where(set, equals(set, "id", hy_int(1)));
    assert_int_equal(HY_OK, hy_compile(compiler, set, hy_dialect_find("sqlite"), NULL, &sql, &err));
    assert_true(sql.binds[0].sensitive && !sql.binds[1].sensitive);
    hy_query_free(q);
    hy_query_free(set);
    hy_model_unref(vault);
}

static void kinds_are_told(void **state)
{
    hy_query *q = hy_query_new(user);
    hy_expr *age = col(q, "age");

    (void)state;
    assert_int_equal(HY_KIND_ANY, hy_expr_kind(NULL));
    assert_int_equal(HY_KIND_INTEGER, hy_expr_kind(age));
    assert_int_equal(HY_KIND_INTEGER, hy_expr_kind(col(q, "users.age")));
    assert_int_equal(HY_KIND_ANY, hy_expr_kind(col(q, "posts.age")));
    assert_int_equal(HY_KIND_BOOLEAN, hy_expr_kind(equals(q, "age", hy_int(1))));
    assert_int_equal(HY_KIND_BIGINT, hy_expr_kind(hy_expr_call(q, "SUM", 3, &age, 1, false)));
    assert_int_equal(HY_KIND_DOUBLE, hy_expr_kind(hy_expr_call(q, "avg", 3, &age, 1, false)));
    assert_int_equal(HY_KIND_INTEGER, hy_expr_kind(hy_expr_call(q, "max", 3, &age, 1, false)));
    assert_int_equal(HY_KIND_ANY, hy_expr_kind(hy_expr_call(q, "mystery", 7, &age, 1, false)));
    assert_int_equal(HY_KIND_DATE, hy_expr_kind(hy_expr_cast(q, age, HY_KIND_DATE)));
    assert_int_equal(HY_KIND_BIGINT, hy_expr_kind(hy_expr_compare(q, HY_OP_ADD, age, age)));
    assert_int_equal(HY_KIND_TEXT, hy_expr_kind(hy_expr_compare(q, HY_OP_CONCAT, age, age)));
    hy_expr *balance = hy_expr_cast(q, age, HY_KIND_DECIMAL);
    assert_int_equal(HY_KIND_DECIMAL, hy_expr_kind(hy_expr_compare(q, HY_OP_ADD, balance, balance)));
    assert_int_equal(HY_KIND_DECIMAL, hy_expr_kind(hy_expr_compare(q, HY_OP_MULTIPLY, age, balance)));
    assert_int_equal(HY_KIND_ANY, hy_expr_kind(hy_expr_compare(q, HY_OP_DIVIDE, balance, age)));
    hy_query_free(q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(builders_refuse),
        cmocka_unit_test(abandoned_groups_leave_nothing),
        cmocka_unit_test(holds_the_models_of_joins_and_subqueries),
        cmocka_unit_test(first_failure_is_kept),
        cmocka_unit_test(data_errors_name_the_column),
        cmocka_unit_test(lives_in_the_callers_memory),
        cmocka_unit_test(values_are_compact),
        cmocka_unit_test(rows_of_values_are_rows_of_expressions),
        cmocka_unit_test(a_wrong_row_is_not_there),
        cmocka_unit_test(wide_rows_have_all_their_placeholders),
        cmocka_unit_test(tells_whether_it_uses_the_heap),
        cmocka_unit_test(a_calculation_of_many_parameters_is_copied_once),
        cmocka_unit_test(kept_columns_are_one_models),
        cmocka_unit_test(answers_questions),
        cmocka_unit_test(clearing_where_closes_its_groups),
        cmocka_unit_test(groups_tell_their_depth),
        cmocka_unit_test(cuts_joins),
        cmocka_unit_test(half_a_group_is_not_copied),
        cmocka_unit_test(a_late_query_is_settled_by_a_copy),
        cmocka_unit_test(a_late_query_that_failed_fails_the_copy),
        cmocka_unit_test(guards_keep_slots_apart),
        cmocka_unit_test(copies_are_independent),
        cmocka_unit_test(deep_queries_compile),
        cmocka_unit_test(kinds_are_told),
        cmocka_unit_test(opaque_columns_are_not_compared),
        cmocka_unit_test(opaque_columns_are_read_counted_and_hidden),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    return cmocka_run_group_tests_name("query", tests, set_up, tear_down);
}
