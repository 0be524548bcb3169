/*
 * test_compile.c - compiling: raw text, names and literals as SQLite reads them back, lists
 * as one bind with the rows they find, limits, and memory that is kept.
 */
#include "hy_test.h"

#include <stdio.h>

#include <sqlite3.h>

#include <base/text.h>
#include <hysteria/query.h>

static hy_compiler *compiler;
static sqlite3 *db;

static int set_up(void **state)
{
    (void)state;
    compiler = hy_compiler_new();
    return compiler == NULL || sqlite3_open(":memory:", &db) != SQLITE_OK;
}

static int tear_down(void **state)
{
    (void)state;
    hy_compiler_free(compiler);
    sqlite3_close(db);
    return 0;
}

static const hy_dialect *dialect(const char *name)
{
    const hy_dialect *d = hy_dialect_find(name);
    assert_non_null(d);
    return d;
}

static hy_expr *val(hy_query *q, hy_value value)
{
    return hy_expr_value(q, &value);
}

static sqlite3_stmt *prepared(const hy_sql *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql->text, (int)sql->size, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql->text);
    return stmt;
}

/* ---- raw text ----------------------------------------------------------------------------- */

static void raw_positional(void **state)
{
    static const char text[] = "SELECT ?, '?', \"?\" -- ?\n, a::int, ?? FROM t WHERE b = ?";
    hy_bind binds[] = {{.value = hy_int(7), .kind = HY_KIND_BIGINT},
                       {.value = hy_text("x"), .sensitive = true}};
    hy_error err;
    hy_sql sql;

    (void)state;
    assert_int_equal(
        HY_OK, hy_compile_raw(compiler, text, strlen(text), binds, NULL, 2, dialect("postgres"), &sql, &err));
    assert_string_equal("SELECT $1, '?', \"?\" -- ?\n, a::int, ? FROM t WHERE b = $2", sql.text);
    assert_int_equal(strlen(sql.text), sql.size);
    assert_int_equal(2, sql.n_binds);
    assert_int_equal(7, sql.binds[0].value.as.integer);
    assert_int_equal(HY_KIND_BIGINT, sql.binds[0].kind);
    assert_int_equal(HY_TEXT, sql.binds[1].value.type);
    assert_true(sql.binds[1].sensitive && !sql.binds[0].sensitive);
    assert_int_equal(HY_STATEMENT_RAW, sql.kind);
    assert_true(sql.has_raw);
    assert_int_equal(hy_hash(0, sql.text, sql.size), sql.hash);
    assert_null(sql.table);
    assert_int_equal(0, sql.n_columns);
    assert_fails(HY_EUNSUPPORTED, err,
                 hy_compile_raw(compiler, text, strlen(text), binds, NULL, 2, dialect("sqlite"), &sql, &err));
}

static void raw_named(void **state)
{
    static const char text[] = "SELECT :b, :a, :b, ':a', x::a FROM t";
    const char *names[] = {"a", "b"};
    hy_bind binds[] = {{.value = hy_int(1)}, {.value = hy_int(2)}};
    hy_error err;
    hy_sql sql;

    (void)state;
    assert_int_equal(HY_OK, hy_compile_raw(compiler, text, strlen(text), binds, names, 2,
                                           dialect("cockroachdb"), &sql, &err));
    assert_string_equal("SELECT $1, $2, $3, ':a', x::a FROM t", sql.text);
    assert_int_equal(3, sql.n_binds);
    assert_int_equal(2, sql.binds[0].value.as.integer);
    assert_int_equal(1, sql.binds[1].value.as.integer);
    assert_int_equal(2, sql.binds[2].value.as.integer);
    assert_int_equal(
        HY_OK, hy_compile_raw(compiler, text, strlen(text), binds, names, 2, dialect("mariadb"), &sql, &err));
    assert_string_equal("SELECT ?, ?, ?, ':a', x::a FROM t", sql.text);
}

static void raw_mismatches(void **state)
{
    static const struct {
        const char *text;
        size_t n_binds;
        bool named;
    } cases[] = {
        {"SELECT ?", 0, false},  {"SELECT ?", 2, false},    {"SELECT 1", 1, false},
        {"SELECT :a", 0, false}, {"SELECT :a", 1, false},   {"SELECT :a, :c", 2, true},
        {"SELECT :a", 2, true},  {"SELECT ?, :a", 1, true}, {"SELECT 1", 1, true},
        {"SELECT '?", 1, false}, {"SELECT /* ?", 1, false},
    };
    const char *names[] = {"a", "b"};
    hy_bind binds[] = {{.value = hy_int(1)}, {.value = hy_int(2)}};
    hy_error err;
    hy_sql sql;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_fails(HY_EINVALID_ARGUMENT, err,
                     hy_compile_raw(compiler, cases[i].text, strlen(cases[i].text), binds,
                                    cases[i].named ? names : NULL, cases[i].n_binds, dialect("sqlite"), &sql,
                                    &err));
    assert_fails(HY_EINVALID_ARGUMENT, err,
                 hy_compile_raw(compiler, "a\0b", 3, NULL, NULL, 0, dialect("sqlite"), &sql, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err,
                 hy_compile_raw(compiler, "\xff", 1, NULL, NULL, 0, dialect("sqlite"), &sql, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err,
                 hy_compile_raw(compiler, NULL, 0, NULL, NULL, 0, dialect("sqlite"), &sql, &err));
}

static void raw_writes(void **state)
{
    static const struct {
        const char *text;
        bool writes;
    } cases[] = {
        {"SELECT 1", false},
        {" \n\t-- update\n /* delete */ (select updated_at from t", false},
        {"select * from t for update", true},
        {"SELECT a INTO b FROM t", true},
        {"SELECT a FROM t LOCK IN SHARE MODE", true},
        {"VALUES (1)", false},
        {"EXPLAIN QUERY PLAN SELECT 1", false},
        {"EXPLAIN ANALYZE DELETE FROM t", true},
        {"pragma table_info(t)", false},
        {"WITH a AS (SELECT 1) SELECT * FROM a", false},
        {"WITH a AS (SELECT 1) DELETE FROM t", true},
        {"INSERT INTO t VALUES (1)", true},
        {"update t set a = 1", true},
        {"CREATE TABLE t (a)", true},
        {"", true},
        {"selected", true},
        {"/* open", true},
    };
    hy_error err;
    hy_sql sql;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(HY_OK, hy_compile_raw(compiler, cases[i].text, strlen(cases[i].text), NULL, NULL, 0,
                                               dialect("sqlite"), &sql, &err));
        if (sql.writes != cases[i].writes)
            fail_msg("%s", cases[i].text);
    }
}

/* ---- what a statement says of itself ------------------------------------------------------ */

static void statements_tell_what_they_do(void **state)
{
    hy_query *q = hy_query_new(NULL);
    hy_error err;
    hy_sql sql;

    (void)state;
    hy_query_from(q, "app.t", 5);
    assert_int_equal(HY_OK, hy_compile(compiler, q, dialect("postgres"), NULL, &sql, &err));
    assert_false(sql.writes);
    assert_false(sql.has_raw);
    assert_int_equal(HY_STATEMENT_SELECT, sql.kind);
    assert_string_equal("app.t", sql.table);
    assert_null(sql.params);
    hy_query_lock(q, HY_LOCK_SHARE, HY_LOCK_WAIT);
    assert_int_equal(HY_OK, hy_compile(compiler, q, dialect("postgres"), NULL, &sql, &err));
    assert_true(sql.writes);
    hy_query_lock(q, HY_LOCK_NONE, HY_LOCK_WAIT);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_raw(q, "1 = 1", 5, NULL, 0));
    assert_int_equal(HY_OK, hy_compile(compiler, q, dialect("postgres"), NULL, &sql, &err));
    assert_true(sql.has_raw);
    hy_query_clear_part(q, HY_PART_WHERE);
    hy_query_delete(q);
    assert_int_equal(HY_OK, hy_compile(compiler, q, dialect("postgres"), NULL, &sql, &err));
    assert_true(sql.writes);
    assert_int_equal(HY_STATEMENT_DELETE, sql.kind);
    hy_query_free(q);
}

/* ---- names -------------------------------------------------------------------------------- */

static hy_status compile_alias(const char *name, const char *alias, hy_sql *sql, hy_error *err)
{
    static hy_query *q;

    hy_query_free(q); /* the text before is not needed any more */
    q = hy_query_new(NULL);
    hy_query_select(q, val(q, hy_int(1)), alias);
    return alias != NULL ? hy_compile(compiler, q, dialect(name), NULL, sql, err) : HY_OK;
}

static void random_name(uint64_t *seed, char out[64])
{
    static const char *const pieces[] = {
        "\"", "`",  "\\", "'", ";--", "a", "Z", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x98",
        "[",  "\n", "$1", "?", "%"};
    size_t n = 1 + hy_test_random(seed) % 8;

    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        strcat(out, pieces[hy_test_random(seed) % (sizeof pieces / sizeof pieces[0])]);
}

/* SQLite reads our quoting and tells the name back. */
static void any_name_survives_quoting(void **state)
{
    uint64_t seed = 0x9e3779b97f4a7c15u;
    char name[64];
    hy_error err;
    hy_sql sql;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        random_name(&seed, name);
        assert_int_equal(HY_OK, compile_alias("sqlite", name, &sql, &err));
        sqlite3_stmt *stmt = prepared(&sql);
        assert_int_equal(1, sqlite3_column_count(stmt));
        assert_string_equal(name, sqlite3_column_name(stmt, 0));
        sqlite3_finalize(stmt);

        /* MySQL quotes with another character, but by the same rule. */
        assert_int_equal(HY_OK, compile_alias("mysql", name, &sql, &err));
        const char *from = strchr(sql.text, '`') + 1;
        for (const char *c = name; *c != '\0'; c++) {
            assert_int_equal(*c, *from++);
            if (*c == '`')
                assert_int_equal('`', *from++);
        }
        assert_string_equal("`", from);
    }
    compile_alias("sqlite", NULL, &sql, &err);
}

static void names_have_limits(void **state)
{
    static const struct {
        const char *dialect;
        const char *unit;
        size_t n;
        bool fits;
    } cases[] = {
        {"postgres", "a", 63, true},
        {"postgres", "a", 64, false},
        {"postgres", "\xc3\xa9", 31, true},
        {"postgres", "\xc3\xa9", 32, false},
        {"cockroachdb", "a", 64, false},
        {"mysql", "a", 64, true},
        {"mysql", "a", 65, false},
        {"mysql", "\xc3\xa9", 64, true},
        {"mysql", "\xc3\xa9", 65, false},
        {"mariadb", "\xf0\x9f\x90\x98", 64, true},
        {"mariadb", "\"", 65, false},
        {"sqlite", "a", 1000, true},
        {"sqlite", "a", 1001, false},
        {"postgres", "a", 0, false},
        {"sqlite", "a", 0, false},
        {"postgres", "\xff", 1, false},
        {"sqlite", "\xed\xa0\x80", 1, false},
    };
    char name[4096];
    hy_error err;
    hy_sql sql;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        name[0] = '\0';
        for (size_t n = 0; n < cases[i].n; n++)
            strcat(name, cases[i].unit);
        hy_status status = compile_alias(cases[i].dialect, name, &sql, &err);
        if (status != (cases[i].fits ? HY_OK : HY_EINVALID_IDENTIFIER))
            fail_msg("%s: %zu times '%s'", cases[i].dialect, cases[i].n, cases[i].unit);
    }
    compile_alias("sqlite", NULL, &sql, &err);
}

/* ---- literals ----------------------------------------------------------------------------- */

static void texts_survive_as_literals(void **state)
{
    uint64_t seed = 0x2545f4914f6cdd1du;
    hy_compile_options options = {.inline_values = true};
    char text[64];
    hy_error err;
    hy_sql sql;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        hy_query *q = hy_query_new(NULL);
        random_name(&seed, text);
        hy_query_select(q, val(q, hy_text(text)), NULL);
        hy_query_select(q, val(q, hy_bytes(HY_BLOB, text, strlen(text))), NULL);
        assert_int_equal(HY_OK, hy_compile(compiler, q, dialect("sqlite"), &options, &sql, &err));
        assert_int_equal(0, sql.n_binds);
        sqlite3_stmt *stmt = prepared(&sql);
        assert_int_equal(SQLITE_ROW, sqlite3_step(stmt));
        assert_string_equal(text, (const char *)sqlite3_column_text(stmt, 0));
        assert_int_equal(strlen(text), sqlite3_column_bytes(stmt, 1));
        assert_memory_equal(text, sqlite3_column_blob(stmt, 1), strlen(text));
        sqlite3_finalize(stmt);
        hy_query_free(q);
    }
}

/* ---- long lists --------------------------------------------------------------------------- */

static void run(const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
}

static int count_in(hy_value (*item)(size_t i), const char *column, size_t n, bool negated)
{
    hy_query *q = hy_query_new(NULL);
    hy_expr *items[300], *star = hy_expr_column(q, "*", 1);
    hy_error err;
    hy_sql sql;

    for (size_t i = 0; i < n; i++)
        items[i] = val(q, item(i));
    hy_query_from(q, "lists", 5);
    hy_query_select(q, hy_expr_call(q, "count", 5, &star, 1, false), NULL);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false,
                       hy_expr_in(q, hy_expr_column(q, column, strlen(column)), items, n, negated));
    if (hy_compile(compiler, q, dialect("sqlite"), NULL, &sql, &err) != HY_OK)
        fail_msg("%s", err.message);
    assert_int_equal(1, sql.n_binds);
    sqlite3_stmt *stmt = prepared(&sql);
    sqlite3_bind_text(stmt, 1, sql.binds[0].value.as.text.data, (int)sql.binds[0].value.as.text.size,
                      SQLITE_STATIC);
    assert_int_equal(SQLITE_ROW, sqlite3_step(stmt));
    int count = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    hy_query_free(q);
    return count;
}

static hy_value even(size_t i)
{
    return hy_int(i == 0 ? INT64_MIN : (int64_t)i * 2);
}

static hy_value odd_text(size_t i)
{
    static const char *const texts[] = {"a\"b", "c\\d", "\x01\x1f\n", "\xe2\x82\xac", "", "'"};
    return hy_text(texts[i % 6]);
}

static void long_lists_find_their_rows(void **state)
{
    (void)state;
    run("CREATE TABLE lists (n INTEGER, t TEXT)");
    run("INSERT INTO lists VALUES (2, 'a\"b'), (3, 'c\\d'), (-9223372036854775808, char(1) || char(31) || "
        "char(10)),"
        " (398, '\xe2\x82\xac'), (400, ''), (9, ''''), (11, 'absent'), (12, 'a\\\"b')");
    assert_int_equal(4, count_in(even, "n", 200, false));
    assert_int_equal(4, count_in(even, "n", 200, true));
    assert_int_equal(6, count_in(odd_text, "t", 200, false));
    assert_int_equal(2, count_in(odd_text, "t", 200, true));
}

/* ---- limits and memory -------------------------------------------------------------------- */

static void statements_have_a_bind_limit(void **state)
{
    static const struct {
        const char *dialect;
        size_t max;
    } cases[] = {
        {"postgres", 65535}, {"cockroachdb", 65535}, {"mysql", 65535}, {"mariadb", 65535}, {"sqlite", 32766}};
    hy_error err;
    hy_sql sql;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        hy_query *q = hy_query_new(NULL);
        const char *column[] = {"a"};
        hy_expr *one;

        assert_int_equal(cases[i].max, hy_dialect_max_binds(dialect(cases[i].dialect)));
        hy_query_from(q, "t", 1);
        hy_query_insert(q, column, 1);
        one = val(q, hy_int(1));
        for (size_t n = 0; n < cases[i].max; n++)
            hy_query_insert_row(q, &one, 1);
        assert_int_equal(HY_OK, hy_compile(compiler, q, dialect(cases[i].dialect), NULL, &sql, &err));
        assert_int_equal(cases[i].max, sql.n_binds);
        hy_query_insert_row(q, &one, 1);
        assert_fails(HY_ELIMIT_EXCEEDED, err,
                     hy_compile(compiler, q, dialect(cases[i].dialect), NULL, &sql, &err));
        hy_query_free(q);
    }
}

static void memory_is_kept(void **state)
{
    hy_query *q = hy_query_new(NULL);
    hy_compiler *c = hy_compiler_new();
    hy_test_heap heap = {0};
    hy_error err;
    hy_sql sql;

    (void)state;
    hy_query_from(q, "t", 1);
    for (int i = 0; i < 50; i++)
        hy_query_select(q, val(q, hy_int(i)), "x");
    assert_int_equal(HY_OK, hy_compile(c, q, dialect("postgres"), NULL, &sql, &err));
    hy_test_use_heap(&heap);
    for (int i = 0; i < 10; i++)
        assert_int_equal(HY_OK, hy_compile(c, q, dialect("postgres"), NULL, &sql, &err));
    assert_int_equal(0, heap.calls);
    hy_test_use_heap(NULL);
    hy_compiler_free(c);
    hy_compiler_free(NULL);
    hy_query_free(q);
}

static void one_compiler_serves_many(void **state)
{
    hy_query *bad = hy_query_new(NULL), *good = hy_query_new(NULL);
    hy_error err;
    hy_sql sql;

    (void)state;
    hy_query_from(good, "t", 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(HY_EINVALID_ARGUMENT, hy_compile(compiler, bad, dialect("mysql"), NULL, &sql, &err));
        assert_null(sql.text);
        assert_int_equal(HY_EINVALID_ARGUMENT, hy_compile(compiler, bad, dialect("mysql"), NULL, &sql, NULL));
        assert_int_equal(HY_OK, hy_compile(compiler, good, dialect("mysql"), NULL, &sql, &err));
        assert_string_equal("SELECT * FROM `t`", sql.text);
    }
    hy_query_free(bad);
    hy_query_free(good);
}

/* ---- what is known of the fields ------------------------------------------------------------ */

static const hy_result_column *known(const hy_sql *sql, size_t i, size_t n)
{
    if (i < sql->n_first)
        return &sql->columns[i];
    return n - i <= sql->n_last ? sql->ends - (n - i) : NULL;
}

/* "c" is a column, "r" a raw fragment that may be any number of fields. */
static void raw_fields_hide_only_themselves(void **state)
{
    static const struct {
        const char *select;
        size_t columns, first, last;
    } rows[] = {
        {"cc", 2, 0, 0}, {"r", 0, 0, 0},   {"rc", 0, 0, 1},
        {"cr", 0, 1, 0}, {"crc", 0, 1, 1}, {"ccrcrcc", 0, 2, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hy_query *q = hy_query_new(NULL);
        hy_error err;
        hy_sql sql;

        hy_query_from(q, "t", 1);
        for (const char *at = rows[i].select; *at != '\0'; at++)
            hy_query_select(q,
                            *at == 'c' ? hy_expr_column(q, at == rows[i].select ? "a" : "z", 1)
                                       : hy_expr_raw(q, "1, 2", 4, NULL, 0),
                            NULL);
        assert_int_equal(HY_OK, hy_compile(compiler, q, dialect("postgres"), NULL, &sql, &err));
        assert_int_equal(rows[i].columns, sql.n_columns);
        assert_int_equal(rows[i].first, sql.n_first);
        assert_int_equal(rows[i].last, sql.n_last);
        if (rows[i].first > 0)
            assert_string_equal("a", known(&sql, 0, 100)->name);
        if (rows[i].last > 0)
            assert_string_equal("z", known(&sql, 99, 100)->name);
        if (rows[i].columns == 0)
            assert_null(known(&sql, 50, 100));
        hy_query_free(q);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_positional),
        cmocka_unit_test(raw_fields_hide_only_themselves),
        cmocka_unit_test(raw_named),
        cmocka_unit_test(raw_mismatches),
        cmocka_unit_test(raw_writes),
        cmocka_unit_test(statements_tell_what_they_do),
        cmocka_unit_test(any_name_survives_quoting),
        cmocka_unit_test(names_have_limits),
        cmocka_unit_test(texts_survive_as_literals),
        cmocka_unit_test(long_lists_find_their_rows),
        cmocka_unit_test(statements_have_a_bind_limit),
        cmocka_unit_test(memory_is_kept),
        cmocka_unit_test(one_compiler_serves_many),
    };
    return cmocka_run_group_tests_name("compile", tests, set_up, tear_down);
}
