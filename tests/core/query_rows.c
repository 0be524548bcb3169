/*
 * query_rows.c - rows of plain values, and memory that ends.
 */
#include "query_tests.h"

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

void rows_of_values_are_rows_of_expressions(void **state)
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

void a_wrong_row_is_not_there(void **state)
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

void wide_rows_have_all_their_placeholders(void **state)
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

void tells_whether_it_uses_the_heap(void **state)
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

/* An allocator that counts bytes and has so many of them at most. */
typedef struct budget {
    size_t spent, limit;
} budget;

static void *spend(void *ctx, void *ptr, size_t size)
{
    budget *b = ctx;

    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (b->spent + size > b->limit)
        return NULL;
    b->spent += size;
    return realloc(ptr, size);
}

static hy_expr *plus_param(hy_query *q, hy_expr *sum, int i)
{
    char name[16];

    snprintf(name, sizeof name, "p%d", i);
    return hy_expr_compare(q, HY_OP_ADD, sum, hy_expr_param_like(q, name, sum));
}

/* age + :p0 + :p1 ..., each parameter read as what stands before it */
void a_calculation_of_many_parameters_is_copied_once(void **state)
{
    enum { N = 200 };
    hy_query *q = hy_query_new(user), *copy = hy_query_new(user);
    hy_expr *sum = col(q, "age");
    budget b = {.limit = 1 << 20};
    hy_error err;
    hy_sql sql;

    (void)state;
    for (int i = 0; i < N; i++)
        sum = plus_param(q, sum, i);
    where(q, hy_expr_compare(q, HY_OP_GT, sum, hy_expr_param_like(q, "limit", sum)));
    hy_set_allocator(&(hy_allocator){spend, &b});
    hy_status status = hy_query_copy(copy, q, &err);
    hy_set_allocator(NULL);
    assert_int_equal(HY_OK, status);
    assert_true(b.spent > 0);
    assert_int_equal(HY_OK, hy_compile(compiler, copy, hy_dialect_find("sqlite"), NULL, &sql, &err));
    assert_int_equal(N + 1, sql.n_binds);
    for (size_t i = 0; i <= N; i++)
        assert_int_equal(i == 0 ? HY_KIND_INTEGER : HY_KIND_BIGINT, hy_expr_kind(sql.params[i]->like));
    assert_string_equal("p199", sql.params[N - 1]->name);
    hy_query_free(q);
    hy_query_free(copy);
}

/* What the compiler keeps of one model's columns must not be taken for another's. */
void kept_columns_are_one_models(void **state)
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

void answers_questions(void **state)
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

void clearing_where_closes_its_groups(void **state)
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

void cuts_joins(void **state)
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

void half_a_group_is_not_copied(void **state)
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

void a_late_query_is_settled_by_a_copy(void **state)
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

void a_late_query_that_failed_fails_the_copy(void **state)
{
    hy_query *q = hy_query_new(user), *sub = hy_query_new(user), *now = hy_query_new(user);
    hy_query *copy = hy_query_new(user);
    hy_error err;

    (void)state;
    hy_query_select(sub, col(sub, "id"), NULL);
    hy_query_set_late(sub, 7);
    where(q, hy_expr_in_query(q, col(q, "id"), sub, false));

    hy_query_select(now, col(now, "id"), NULL);
    size_t open = hy_query_group_open(now, HY_SLOT_WHERE, HY_AND, false);
    where(now, equals(now, "age", hy_int(1)));
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_query_copy_now(copy, q, find_seven, now, &err));
    hy_query_free(copy);
    hy_query_group_close(now, open);
    copy = hy_query_new(user);
    assert_int_equal(HY_OK, hy_query_copy_now(copy, q, find_seven, now, &err));
    hy_query_free(copy);

    assert_null(hy_expr_column(now, "nowhere", 7));
    copy = hy_query_new(user);
    hy_error first;
    hy_status status = hy_query_status(now, &first);
    assert_fails(status, err, hy_query_copy_now(copy, q, find_seven, now, &err));
    assert_int_not_equal(HY_OK, status);
    assert_string_equal(first.message, err.message);
    hy_query_free(copy);
    hy_query_free(now);
    hy_query_free(sub);
    hy_query_free(q);
}

void groups_tell_their_depth(void **state)
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
void guards_keep_slots_apart(void **state)
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

void copies_are_independent(void **state)
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
    where(q, equals(q, "agee", hy_int(1)));
    assert_fails(HY_EUNDEFINED_COLUMN, err, hy_query_copy(copy, q, &err));
    assert_int_equal(HY_OK, hy_query_status(copy, &err));
    hy_query_free(q);
    hy_query_free(copy);
}

void deep_queries_compile(void **state)
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

void survives_every_failed_allocation(void **state)
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
void abandoned_groups_leave_nothing(void **state)
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
void holds_the_models_of_joins_and_subqueries(void **state)
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
