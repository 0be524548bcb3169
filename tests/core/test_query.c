/*
 * test_query.c - the life of a query and what its builders refuse. The SQL that comes out is
 * compared in golden.c.
 */
#include "hy_test.h"

#include <stdio.h>

#include <hysteria/query.h>

static hy_model *user;
static hy_compiler *compiler;

static int set_up(void **state)
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

static int tear_down(void **state)
{
    (void)state;
    hy_compiler_free(compiler);
    hy_model_unref(user);
    return 0;
}

static hy_expr *col(hy_query *q, const char *name)
{
    return hy_expr_column(q, name, strlen(name));
}
static hy_expr *val(hy_query *q, hy_value value)
{
    return hy_expr_value(q, &value);
}
static hy_expr *equals(hy_query *q, const char *name, hy_value value)
{
    return hy_expr_compare(q, HY_OP_EQ, col(q, name), hy_expr_value_like(q, col(q, name), &value));
}
static void where(hy_query *q, hy_expr *e)
{
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, e);
}

/* The text for SQLite; fails the test if there is none. */
static const char *text_of(const hy_query *q)
{
    static hy_sql sql;
    hy_error err;

    if (hy_compile(compiler, q, hy_dialect_find("sqlite"), NULL, &sql, &err) != HY_OK)
        fail_msg("%s", err.message);
    return sql.text;
}

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

/* ---- rows of plain values ----------------------------------------------------------------- */

static void insert_row(hy_query *q, int64_t id, hy_value name, hy_value born, bool in_one_go)
{
    const hy_column *columns[] = {hy_model_column(user, 0), hy_model_column(user, 1),
                                  hy_model_column(user, 3)};
    hy_value values[] = {hy_int(id), name, born};
    hy_expr *cells[3];

    if (in_one_go) {
        hy_query_insert_values(q, values, 3);
        return;
    }
    for (int i = 0; i < 3; i++)
        cells[i] = values[i].type == HY_TYPE_COUNT ? NULL : hy_expr_value_for(q, columns[i], &values[i]);
    hy_query_insert_row(q, cells, 3);
}

static void insert_three(hy_query *q, bool in_one_go, hy_value third)
{
    const char *columns[] = {"id", "firstName", "born"};
    char name[] = "Ada";

    hy_query_insert(q, columns, 3);
    insert_row(q, 1, hy_text(name), hy_text("1815-12-10"), in_one_go);
    memset(name, 'x', 3); /* was copied */
    insert_row(q, 2, hy_text(""), hy_null(), in_one_go);
    insert_row(q, 3, third, hy_text("1912-06-23"), in_one_go);
}

static void assert_same_binds(const hy_sql *a, const hy_sql *b)
{
    assert_int_equal(a->n_binds, b->n_binds);
    for (size_t i = 0; i < a->n_binds; i++) {
        const hy_value *x = &a->binds[i].value, *y = &b->binds[i].value;
        assert_int_equal(x->type, y->type);
        assert_int_equal(a->binds[i].kind, b->binds[i].kind);
        assert_int_equal(a->binds[i].sensitive, b->binds[i].sensitive);
        if (x->type == HY_TEXT) {
            assert_int_equal(x->as.text.size, y->as.text.size);
            assert_memory_equal(x->as.text.data, y->as.text.data, x->as.text.size);
        } else if (x->type != HY_NULL) {
            assert_true(x->as.integer == y->as.integer);
        }
    }
}

static void rows_of_values_are_rows_of_expressions(void **state)
{
    static const char *const dialects[] = {"sqlite", "postgres", "mysql", "mariadb", "cockroachdb"};
    const hy_value thirds[] = {hy_text("Alan"), hy_null(), {.type = HY_TYPE_COUNT}};
    hy_compiler *other = hy_compiler_new();
    hy_error err;

    (void)state;
    for (size_t d = 0; d < 5; d++) {
        for (size_t t = 0; t < 3; t++) {
            hy_query *slow = hy_query_new(user), *fast = hy_query_new(user);
            hy_sql a, b;
            insert_three(slow, false, thirds[t]);
            insert_three(fast, true, thirds[t]);
            hy_status status = hy_compile(compiler, slow, hy_dialect_find(dialects[d]), NULL, &a, &err);
            assert_int_equal(status, hy_compile(other, fast, hy_dialect_find(dialects[d]), NULL, &b, &err));
            assert_true(status == HY_OK || (t == 2 && d == 0)); /* SQLite has no DEFAULT there */
            if (status == HY_OK) {
                assert_string_equal(a.text, b.text);
                assert_same_binds(&a, &b);
            }
            hy_query_free(slow);
            hy_query_free(fast);
        }
    }
    hy_compiler_free(other);
}

static void a_wrong_row_is_not_there(void **state)
{
    hy_query *q = hy_query_new(user);
    hy_value wrong[] = {hy_int(9), hy_text("Nobody"), hy_text("no date")};
    hy_error err;

    (void)state;
    insert_three(q, true, hy_text("Alan"));
    hy_query_insert_values(q, wrong, 3);
    assert_int_equal(HY_EDATA_INVALID, hy_query_status(q, &err));
    assert_string_equal("born", err.columns);
    hy_query_forget_failure(q);
    assert_string_equal(
        "INSERT INTO \"users\" (\"id\", \"first_name\", \"born\") VALUES (?, ?, ?), (?, ?, ?), (?, ?, ?)",
        text_of(q));
    hy_query_free(q);
}

static void wide_rows_have_all_their_placeholders(void **state)
{
    enum { N = 40 };
    char names[N][8], expected[3 * N + 1] = "(?";
    const char *columns[N];
    hy_value values[N];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "c%zu", i);
        columns[i] = names[i];
        values[i] = hy_int((int64_t)i);
    }
    for (size_t n = 1; n <= N; n++) {
        hy_query *q = hy_query_new(NULL);
        hy_query_from(q, "t", 1);
        hy_query_insert(q, columns, n);
        hy_query_insert_values(q, values, n);
        expected[3 * n - 1] = ')';
        expected[3 * n] = '\0';
        assert_string_equal(expected, strstr(text_of(q), " VALUES ") + 8);
        memcpy(expected + 3 * n - 1, ", ?", n < N ? 3 : 0);
        hy_query_free(q);
    }
}

static void tells_whether_it_uses_the_heap(void **state)
{
    union {
        char bytes[2048];
        int64_t align;
    } memory;
    hy_query *q = hy_query_init(&memory, sizeof memory, user);

    (void)state;
    where(q, equals(q, "age", hy_int(1)));
    assert_false(hy_query_uses_heap(q));
    for (int i = 0; i < 100; i++)
        where(q, equals(q, "age", hy_int(i)));
    assert_true(hy_query_uses_heap(q));
    hy_query_clear(q);
    assert_false(hy_query_uses_heap(q));
}

/* What the compiler keeps of one model's columns must not be taken for another's. */
static void kept_columns_are_one_models(void **state)
{
    static const hy_column column = {.property = "only", .kind = HY_KIND_TEXT, .precision = -1, .scale = -1};
    static const char *const dialects[] = {"sqlite", "mysql", "sqlite"};
    hy_model *other = hy_model_new("User", NULL, "users", HY_NAMING_SNAKE);
    hy_query *mine, *its;
    hy_sql sql;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_model_add_column(other, &column, &err));
    assert_int_equal(HY_OK, hy_model_freeze(other, &err));
    mine = hy_query_new(user);
    its = hy_query_new(other);
    for (size_t d = 0; d < 3; d++) {
        char quote = d == 1 ? '`' : '"', expected[100];
        for (int again = 0; again < 2; again++) {
            assert_int_equal(HY_OK,
                             hy_compile(compiler, mine, hy_dialect_find(dialects[d]), NULL, &sql, &err));
            snprintf(expected, sizeof expected,
                     "SELECT %cid%c, %cfirst_name%c, %cage%c, %cborn%c, %ctwice%c FROM %cusers%c", quote,
                     quote, quote, quote, quote, quote, quote, quote, quote, quote, quote, quote);
            assert_string_equal(expected, sql.text);
            assert_int_equal(5, sql.n_columns);
            assert_string_equal("firstName", sql.columns[1].name);
            assert_ptr_equal(hy_model_column(user, 4), sql.columns[4].column);
        }
        assert_int_equal(HY_OK, hy_compile(compiler, its, hy_dialect_find(dialects[d]), NULL, &sql, &err));
        snprintf(expected, sizeof expected, "SELECT %conly%c FROM %cusers%c", quote, quote, quote, quote);
        assert_string_equal(expected, sql.text);
        assert_int_equal(1, sql.n_columns);
        assert_string_equal("only", sql.columns[0].name);
    }
    hy_query_free(mine);
    hy_query_free(its);
    hy_model_unref(other);
}

static void answers_questions(void **state)
{
    hy_query *q = hy_query_new(user), *other = hy_query_new(user);

    (void)state;
    assert_int_equal(HY_STATEMENT_SELECT, hy_query_kind(q));
    assert_string_equal("users", hy_query_base_name(q));
    hy_query_guard_begin(q);
    where(q, equals(q, "age", hy_int(1)));
    hy_query_guard_end(q);
    assert_false(hy_query_has_where(q));
    where(q, equals(q, "age", hy_int(1)));
    assert_true(hy_query_has_where(q));
    assert_false(hy_query_has_order(q) || hy_query_has_group(q) || hy_query_has_set_operation(q) ||
                 hy_query_is_distinct(q) || hy_query_has_limit(q) || hy_query_has_select(q) ||
                 hy_query_has_join(q) || hy_query_has_lock(q));
    hy_query_predicate(q, HY_SLOT_HAVING, HY_AND, false, equals(q, "age", hy_int(1)));
    assert_true(hy_query_has_group(q));
    hy_query_clear_part(q, HY_PART_HAVING);
    hy_query_group_by(q, col(q, "age"));
    assert_true(hy_query_has_group(q));
    hy_query_order_by(q, col(q, "age"), HY_ASC, HY_NULLS_DEFAULT);
    assert_true(hy_query_has_order(q));
    hy_query_set_operation(q, HY_UNION, other);
    assert_true(hy_query_has_set_operation(q));
    hy_query_distinct(q);
    assert_true(hy_query_is_distinct(q));
    hy_query_offset(q, 1);
    assert_true(hy_query_has_limit(q));
    hy_query_select(q, col(q, "age"), NULL);
    assert_true(hy_query_has_select(q));
    hy_query_join(q, HY_JOIN_CROSS, "posts", 5, NULL);
    assert_true(hy_query_has_join(q));
    hy_query_lock(q, HY_LOCK_UPDATE, HY_LOCK_WAIT);
    assert_true(hy_query_has_lock(q));
    hy_query_from(q, "app.people", 10);
    assert_string_equal("people", hy_query_base_name(q));
    hy_query_from(q, "app.people AS p", 15);
    assert_string_equal("p", hy_query_base_name(q));
    hy_query_with(q, "w", other, true, false);

    for (hy_part part = 0; part < HY_PART_COUNT; part++)
        hy_query_clear_part(q, part);
    assert_string_equal(
        "SELECT \"id\", \"first_name\", \"age\", \"born\", \"twice\" FROM \"users\" WHERE \"age\" = ?",
        text_of(q));
    hy_query_free(q);
    hy_query_free(other);
}

static void clearing_where_closes_its_groups(void **state)
{
    hy_query *q = hy_query_new(user);

    (void)state;
    hy_query_select(q, col(q, "id"), NULL);
    size_t depth = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
    where(q, equals(q, "age", hy_int(1)));
    hy_query_guard_begin(q);
    hy_query_clear_part(q, HY_PART_WHERE);
    where(q, equals(q, "age", hy_int(2)));
    hy_query_guard_end(q);
    where(q, equals(q, "age", hy_int(3)));
    hy_query_group_close(q, depth);
    hy_query_group_close(q, 0);
    hy_query_guard_end(q);
    assert_string_equal("SELECT \"id\" FROM \"users\" WHERE \"age\" = ? AND \"age\" = ?", text_of(q));
    hy_query_free(q);
}

static void cuts_joins(void **state)
{
    hy_query *q = hy_query_new(user);

    (void)state;
    hy_query_select(q, col(q, "id"), NULL);
    assert_int_equal(0, hy_query_n_joins(q));
    for (int i = 0; i < 3; i++)
        hy_query_join(q, HY_JOIN_CROSS, i == 0 ? "a" : i == 1 ? "b" : "c", 1, NULL);
    hy_query_cut_joins(q, 5);
    assert_int_equal(3, hy_query_n_joins(q));
    hy_query_cut_joins(q, 1);
    hy_query_join(q, HY_JOIN_CROSS, "d", 1, NULL);
    assert_string_equal("SELECT \"users\".\"id\" FROM \"users\" CROSS JOIN \"a\" CROSS JOIN \"d\"",
                        text_of(q));
    hy_query_cut_joins(q, 0);
    assert_int_equal(0, hy_query_n_joins(q));
    assert_string_equal("SELECT \"id\" FROM \"users\"", text_of(q));
    hy_query_free(q);
}

static void half_a_group_is_not_copied(void **state)
{
    hy_query *q = hy_query_new(user), *copy = hy_query_new(user);
    hy_error err;

    (void)state;
    hy_query_guard_begin(q);
    where(q, equals(q, "age", hy_int(1)));
    assert_int_equal(HY_OK, hy_query_copy(copy, q, &err)); /* a hook may ask for one */
    hy_query_free(copy);
    copy = hy_query_new(user);
    (void)hy_query_group_open(q, HY_SLOT_WHERE, HY_OR, false);
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_query_copy(copy, q, &err));
    hy_query_guard_end(q);
    assert_int_equal(HY_OK, hy_query_copy(copy, q, &err));
    hy_query_free(copy);
    hy_query_free(q);
}

static const hy_query *find_seven(void *data, uint64_t id)
{
    return id == 7 ? data : NULL;
}

static void a_late_query_is_settled_by_a_copy(void **state)
{
    hy_query *q = hy_query_new(user), *sub = hy_query_new(user), *now = hy_query_new(user);
    hy_query *copy = hy_query_new(user);
    hy_sql sql;
    hy_error err;

    (void)state;
    hy_query_select(sub, col(sub, "id"), NULL);
    hy_query_set_late(sub, 7);
    assert_false(hy_query_has_late(sub)); /* itself, not inside */
    where(q, hy_expr_in_query(q, col(q, "id"), sub, false));
    assert_true(hy_query_has_late(q));
    assert_fails(HY_EDEVELOPMENT_ERROR, err,
                 hy_compile(compiler, q, hy_dialect_find("sqlite"), NULL, &sql, &err));

    hy_query_select(now, col(now, "id"), NULL);
    where(now, equals(now, "age", hy_int(1)));
    assert_int_equal(HY_OK, hy_query_copy_now(copy, q, find_seven, now, &err));
    assert_false(hy_query_has_late(copy));
    assert_true(hy_query_has_late(q));
    assert_non_null(strstr(text_of(copy), "WHERE \"age\" = ?"));
    hy_query_free(copy);

    copy = hy_query_new(user);
    assert_fails(HY_EDEVELOPMENT_ERROR, err, hy_query_copy_now(copy, q, find_seven, NULL, &err));
    hy_query_free(copy);
    copy = hy_query_new(user); /* what is to stand there must be settled itself */
    assert_fails(HY_EDEVELOPMENT_ERROR, err, hy_query_copy_now(copy, q, find_seven, q, &err));
    hy_query_free(copy);
    hy_query_free(now);
    hy_query_free(sub);
    hy_query_free(q);
}

static void groups_tell_their_depth(void **state)
{
    hy_query *q = hy_query_new(user);

    (void)state;
    assert_int_equal(0, hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false));
    assert_int_equal(1, hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false));
    assert_int_equal(2, hy_query_group_open(q, HY_SLOT_HAVING, HY_AND, false));
    hy_query_group_close(q, 1);
    assert_int_equal(1, hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false));
    hy_query_group_close(q, 7);
    hy_query_group_close(q, 0);
    assert_int_equal(0, hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false));
    hy_query_free(q);
}

/* A guard's conditions on a join's ON or HAVING stay where they belong. */
static void guards_keep_slots_apart(void **state)
{
    hy_query *q = hy_query_new(user);
    hy_expr *count = hy_expr_call(q, "count", 5, (hy_expr *[]){col(q, "*")}, 1, false);

    (void)state;
    hy_query_select(q, count, "n");
    hy_query_predicate(q, HY_SLOT_HAVING, HY_AND, false,
                       hy_expr_compare(q, HY_OP_GT, count, val(q, hy_int(1))));
    hy_query_predicate(q, HY_SLOT_HAVING, HY_OR, false,
                       hy_expr_compare(q, HY_OP_LT, count, val(q, hy_int(2))));
    hy_query_guard_begin(q);
    hy_query_join(q, HY_JOIN_LEFT, "posts", 5, NULL);
    hy_query_predicate(q, HY_SLOT_ON, HY_AND, false,
                       hy_expr_compare(q, HY_OP_EQ, col(q, "posts.userId"), col(q, "users.id")));
    hy_query_predicate(q, HY_SLOT_HAVING, HY_AND, false, equals(q, "age", hy_int(3)));
    hy_query_predicate(q, HY_SLOT_HAVING, HY_OR, false, equals(q, "age", hy_int(4)));
    where(q, equals(q, "age", hy_int(5)));
    hy_query_guard_end(q);
    assert_string_equal("SELECT COUNT(*) AS \"n\" FROM \"users\" LEFT JOIN \"posts\" ON "
                        "\"posts\".\"user_id\" = \"users\".\"id\""
                        " WHERE \"users\".\"age\" = ? HAVING (COUNT(*) > ? OR COUNT(*) < ?)"
                        " AND (\"users\".\"age\" = ? OR \"users\".\"age\" = ?)",
                        text_of(q));
    hy_query_free(q);
}

static void copies_are_independent(void **state)
{
    hy_query *q = hy_query_new(user), *copy = hy_query_new(user);
    hy_error err;

    (void)state;
    hy_query_select(q, col(q, "id"), "Key");
    where(q, equals(q, "firstName", hy_text("Ada")));
    assert_int_equal(HY_OK, hy_query_copy(copy, q, &err));
    where(q, equals(q, "age", hy_int(1)));
    hy_query_order_by(copy, col(copy, "age"), HY_DESC, HY_NULLS_DEFAULT);
    assert_string_equal("SELECT \"id\" AS \"Key\" FROM \"users\" WHERE \"first_name\" = ? AND \"age\" = ?",
                        text_of(q));
    hy_query_free(q);
    assert_string_equal(
        "SELECT \"id\" AS \"Key\" FROM \"users\" WHERE \"first_name\" = ? ORDER BY \"age\" DESC",
        text_of(copy));
    hy_query_free(copy);

    q = hy_query_new(user);
    copy = hy_query_new(user);
    unknown_column(q);
    assert_fails(HY_EUNDEFINED_COLUMN, err, hy_query_copy(copy, q, &err));
    assert_int_equal(HY_OK, hy_query_status(copy, &err));
    hy_query_free(q);
    hy_query_free(copy);
}

static void deep_queries_compile(void **state)
{
    hy_query *q = hy_query_new(user), *copy = hy_query_new(user);
    hy_expr *e = equals(q, "age", hy_int(1));
    hy_error err;

    (void)state;
    for (int i = 0; i < 490; i++)
        e = hy_expr_not(q, e);
    where(q, e);
    for (int i = 0; i < 100; i++)
        hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, true);
    where(q, equals(q, "age", hy_int(1)));
    hy_query_group_close(q, 0);
    assert_int_equal(HY_OK, hy_query_status(q, &err));
    assert_int_equal(HY_OK, hy_query_copy(copy, q, &err));
    char *text = strdup(text_of(q));
    assert_string_equal(text, text_of(copy));
    free(text);
    hy_query_free(q);
    hy_query_free(copy);
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

/* ---- memory that ends --------------------------------------------------------------------- */

/* Everything a query can hold, so that every allocation is met. */
static void build_everything(hy_query *q)
{
    hy_query *sub = hy_query_new(user);
    hy_expr *age = col(q, "age"), *list[120];

    if (sub == NULL)
        return;
    hy_query_select(sub, col(sub, "id"), NULL);
    where(sub, equals(sub, "firstName", hy_text("a long enough text to be copied")));
    hy_query_with(q, "w", sub, false, false);
    hy_query_select(q, hy_expr_call(q, "mystery", 7, &age, 1, false), "alias");
    hy_query_select(q, hy_expr_raw(q, "? + 1", 5, (hy_expr *[]){val(q, hy_int(1))}, 1), "raw");
    hy_query_select(q, hy_expr_query(q, sub), "sub");
    hy_query_select(q, hy_expr_over(q, hy_expr_call(q, "rank", 4, NULL, 0, false), &age, 1, &age, NULL, 1),
                    "place");
    hy_query_select(q, hy_expr_case(q, (hy_expr *[]){equals(q, "age", hy_int(1))}, &age, 1, age), "case");
    hy_query_select(q, hy_expr_raw(q, "1 AS One, 2 AS Two", 18, NULL, 0), NULL);
    hy_query_select(q, hy_expr_json_path(q, col(q, "firstName"), "a.\"b\\n\"[0]", 10, HY_JSON_STRING), NULL);
    hy_query_join(q, HY_JOIN_LEFT, "posts as p", 10, NULL);
    hy_query_predicate(q, HY_SLOT_ON, HY_AND, false,
                       hy_expr_compare(q, HY_OP_EQ, col(q, "p.userId"), col(q, "users.id")));
    size_t depth = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
    for (int i = 0; i < 120; i++)
        list[i] = val(q, hy_int(i));
    where(q, hy_expr_in(q, age, list, 120, false));
    where(q, hy_expr_exists(q, sub, true));
    hy_value json = hy_text("{\"a\":[1,{\"b\\n\":\"\\u20ac\"}]}");
    where(q, hy_expr_json_match(q, HY_JSON_CONTAINS, col(q, "firstName"), &json));
    hy_query_where_of(q, HY_SLOT_WHERE, HY_OR, sub);
    hy_query_group_close(q, depth);
    hy_query_guard_begin(q);
    where(q, equals(q, "age", hy_int(1)));
    hy_query_predicate(q, HY_SLOT_HAVING, HY_AND, false, equals(q, "age", hy_int(1)));
    hy_query_guard_end(q);
    hy_query_group_by(q, hy_expr_column_or_alias(q, "alias", 5));
    hy_query_order_by(q, hy_expr_column_or_alias(q, "alias", 5), HY_ASC, HY_NULLS_LAST);
    hy_query_set_operation(q, HY_UNION, sub);
    hy_query_set_operation_raw(q, HY_UNION_ALL, hy_expr_raw(q, "SELECT 1", 8, NULL, 0));
    hy_query_limit(q, 5);
    hy_query_free(sub);
}

static hy_status try_everything(hy_error *err)
{
    hy_query *q = hy_query_new(user), *copy = hy_query_new(user);
    hy_compiler *c = hy_compiler_new();
    hy_status status = HY_EOUT_OF_MEMORY;
    hy_sql sql;

    if (q != NULL && copy != NULL && c != NULL) {
        build_everything(q);
        status = hy_query_copy(copy, q, err);
        if (status == HY_OK)
            status = hy_compile(c, copy, hy_dialect_find("sqlite"), NULL, &sql, err);
        if (status == HY_OK)
            status = hy_compile(c, copy, hy_dialect_find("mysql"), NULL, &sql, err);
        hy_query_clear(q);
        if (status == HY_OK)
            status = hy_compile(c, q, hy_dialect_find("sqlite"), NULL, &sql, err);
        insert_three(q, true, hy_text("a long enough text to be copied"));
        if (status == HY_OK)
            status = hy_compile(c, q, hy_dialect_find("sqlite"), NULL, &sql, err);
    }
    hy_compiler_free(c);
    hy_query_free(q);
    hy_query_free(copy);
    return status;
}

static void survives_every_failed_allocation(void **state)
{
    hy_test_heap heap = {0};
    hy_error err;
    long swept = 0;

    (void)state;
    hy_test_use_heap(&heap);
    assert_int_equal(HY_OK, try_everything(&err));
    assert_int_equal(0, heap.live);
    long calls = heap.calls;
    for (int on = 0; on < 2; on++) {
        for (long i = 1; i <= calls; i++, swept++) {
            heap = (hy_test_heap){.fail_at = i, .fail_on = on == 1};
            hy_status status = try_everything(&err);
            /* A subquery that could not be made is not asked for: then the rest may pass. */
            assert_true(status == HY_EOUT_OF_MEMORY || status == HY_OK || status == HY_ENIL_VALUE);
            assert_int_equal(0, heap.live);
        }
    }
    hy_test_use_heap(NULL);
    printf("query: %ld failed allocations survived\n", swept);
}

/* Taken out whole, conditions of inner groups too; what stood before stays. */
static void abandoned_groups_leave_nothing(void **state)
{
    hy_query *q = hy_query_new(user);
    hy_sql sql;
    hy_error err;

    (void)state;
    where(q, equals(q, "id", hy_int(1)));
    size_t depth = hy_query_group_open(q, HY_SLOT_WHERE, HY_OR, false);
    where(q, equals(q, "age", hy_int(2)));
    (void)hy_query_group_open(q, HY_SLOT_WHERE, HY_OR, false);
    where(q, equals(q, "age", hy_int(3)));
    hy_query_group_abandon(q, depth);
    where(q, equals(q, "age", hy_int(4)));
    assert_int_equal(HY_OK, hy_compile(compiler, q, hy_dialect_find("sqlite"), NULL, &sql, &err));
    assert_string_equal(strstr(sql.text, "WHERE"), "WHERE \"id\" = ? AND \"age\" = ?");
    hy_query_free(q);

    q = hy_query_new(user);
    depth = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
    where(q, equals(q, "age", hy_int(2)));
    hy_query_group_abandon(q, depth);
    assert_false(hy_query_has_where(q));
    hy_query_free(q);
}

static hy_model *model_of_one_column(void)
{
    static const hy_column id = {.property = "postId", .kind = HY_KIND_BIGINT, .precision = -1, .scale = -1};
    hy_model *post = hy_model_new("Post", NULL, "posts", HY_NAMING_SNAKE);
    hy_error err;

    assert_int_equal(HY_OK, hy_model_add_column(post, &id, &err));
    assert_int_equal(HY_OK, hy_model_freeze(post, &err));
    return post;
}

/* The base model is the caller's; others may go before the query does, and its copies. */
static void holds_the_models_of_joins_and_subqueries(void **state)
{
    hy_model *post = model_of_one_column();
    hy_query *q = hy_query_new(user), *copy = hy_query_new(user), *sub = hy_query_new(post);
    hy_sql sql;
    hy_error err;

    (void)state;
    hy_query_select(sub, col(sub, "postId"), NULL);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_in_query(q, col(q, "id"), sub, false));
    hy_query_join(q, HY_JOIN_CROSS, "posts", 5, post);
    hy_query_select(q, col(q, "posts.postId"), NULL);
    hy_query_free(sub);
    hy_model_unref(post);
    assert_int_equal(HY_OK, hy_query_copy(copy, q, &err));
    hy_query_free(q);
    assert_int_equal(HY_OK, hy_compile(compiler, copy, hy_dialect_find("sqlite"), NULL, &sql, &err));
    assert_int_equal(1, sql.n_columns);
    assert_string_equal("postId", sql.columns[0].name);
    assert_non_null(strstr(sql.text, "IN (SELECT \"post_id\" FROM \"posts\")"));
    hy_query_free(copy);
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
        cmocka_unit_test(kept_columns_are_one_models),
        cmocka_unit_test(answers_questions),
        cmocka_unit_test(clearing_where_closes_its_groups),
        cmocka_unit_test(groups_tell_their_depth),
        cmocka_unit_test(cuts_joins),
        cmocka_unit_test(half_a_group_is_not_copied),
        cmocka_unit_test(a_late_query_is_settled_by_a_copy),
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
