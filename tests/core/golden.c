/*
 * golden.c - compiles every golden case for every dialect and compares with what was written
 * by hand: text, typed binds, result columns. SQLite parses each of its texts too, against
 * the tables below, so that the expectations themselves are checked where that is possible.
 * All of it goes through one store of shapes: each copy is found there, and none may be taken for another.
 */
#include "golden.h"

#include <inttypes.h>
#include <stdio.h>

#include <sqlite3.h>

#include <base/buf.h>
#include <base/number.h>
#include <base/text.h>
#include <sql/shape.h>

static hy_compiler *compiler;
static hy_shapes *shapes;
static sqlite3 *db;
static unsigned n_texts, n_parsed;

/* ---- tables ------------------------------------------------------------------------------- */

static const char sqlite_schema[] =
    "CREATE TABLE users (id INTEGER PRIMARY KEY, first_name TEXT UNIQUE, age INTEGER, active INTEGER, "
    "balance TEXT,"
    " score REAL, created_at TEXT, password TEXT);"
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, views INTEGER);"
    "CREATE TABLE user_tags (user_id INTEGER, tag_id INTEGER, weight INTEGER, PRIMARY KEY (user_id, tag_id));"
    "CREATE TABLE app.logs (id INTEGER PRIMARY KEY, user_id INTEGER);"
    "CREATE TABLE app.tags (id INTEGER PRIMARY KEY, label TEXT, parent_id INTEGER, user_id INTEGER);"
    "CREATE TABLE tags (id INTEGER PRIMARY KEY, label TEXT, parent_id INTEGER, user_id INTEGER);"
    "CREATE TABLE \"we\"\"ird.`table\" (\"i\"\"d\" INTEGER PRIMARY KEY, \"a`b\" TEXT, \"order\" TEXT, "
    "\"\u20ac \\\" TEXT);"
    "CREATE TABLE plains (name TEXT, size INTEGER, doubled INTEGER AS (size * 2));"
    "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT, secret TEXT);";

static void no_function(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    (void)n;
    (void)args;
    sqlite3_result_null(ctx);
}
static const char *const calculations[] = {
    "hysteria_add",       "hysteria_subtract",       "hysteria_multiply",
    "hysteria_whole_add", "hysteria_whole_subtract", "hysteria_whole_multiply"};
static void no_final(sqlite3_context *ctx)
{
    sqlite3_result_null(ctx);
}
static int no_order(void *ctx, int a_size, const void *a, int b_size, const void *b)
{
    (void)ctx, (void)a_size, (void)a, (void)b_size, (void)b;
    return 0;
}

/* The driver's own: only their names and arguments matter here. */
static void add_functions(void)
{
    static const struct {
        const char *name;
        int n;
    } functions[] = {
        {"hysteria_json", 2},         {"hysteria_json_text", 2},   {"hysteria_json_length", 2},
        {"hysteria_json_keys", 2},    {"hysteria_json_equals", 3}, {"hysteria_json_contains", 3},
        {"hysteria_json_compare", 3}, {"hysteria_regexp", 2},      {"hysteria_iregexp", 2},
    };

    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        sqlite3_create_function(db, functions[i].name, functions[i].n, SQLITE_UTF8, NULL, no_function, NULL,
                                NULL);
}

static int set_up(void **state)
{
    char *message = NULL;

    (void)state;
    golden_make_models();
    compiler = hy_compiler_new();
    assert_non_null(compiler);
    shapes = hy__shapes_new(16384);
    assert_non_null(shapes);
    assert_int_equal(SQLITE_OK, sqlite3_open(":memory:", &db));
    sqlite3_create_window_function(db, "hysteria_sum", 1, SQLITE_UTF8, NULL, no_function, no_final, no_final,
                                   no_function, NULL);
    sqlite3_create_window_function(db, "hysteria_avg", 1, SQLITE_UTF8, NULL, no_function, no_final, no_final,
                                   no_function, NULL);
    for (size_t i = 0; i < sizeof calculations / sizeof *calculations; i++)
        sqlite3_create_function(db, calculations[i], 2, SQLITE_UTF8, NULL, no_function, NULL, NULL);
    sqlite3_create_collation(db, "hysteria_decimal", SQLITE_UTF8, NULL, no_order);
    add_functions();
    sqlite3_exec(db, "ATTACH ':memory:' AS app", NULL, NULL, NULL);
    if (sqlite3_exec(db, sqlite_schema, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    return 0;
}

static int tear_down(void **state)
{
    uint64_t found, missed;

    (void)state;
    hy__shapes_counts(shapes, &found, &missed);
    hy__shapes_free(shapes);
    hy_compiler_free(compiler);
    sqlite3_close(db);
    golden_free_models();
    printf(
        "golden: %u texts compared, %u of them parsed by SQLite %s; %u found by their shape, %u new ones\n",
        n_texts, n_parsed, sqlite3_libversion(), (unsigned)found, (unsigned)missed);
    return found > n_texts / 3 ? 0 : -1;
}

/* ---- printing what came out --------------------------------------------------------------- */

static void print_value(hy_buf *out, const hy_value *v)
{
    char text[64];

    switch (v->type) {
    case HY_BOOL:
        hy_buf_puts(out, v->as.boolean ? "true" : "false");
        break;
    case HY_INT:
    case HY_DATE:
    case HY_TIME:
    case HY_TIMESTAMP:
        hy_buf_printf(out, "%" PRId64, v->as.integer);
        break;
    case HY_DOUBLE:
        hy_buf_printf(out, "%g", v->as.number);
        break;
    case HY_TEXT:
    case HY_BLOB:
    case HY_DECIMAL:
    case HY_JSON:
        hy_buf_append(out, v->as.text.data, v->as.text.size);
        break;
    case HY_UUID:
        hy_uuid_format(v->as.uuid, text);
        hy_buf_puts(out, text);
        break;
    case HY_NULL:
    case HY_TYPE_COUNT:
        break;
    }
}

static const char *const type_names[HY_TYPE_COUNT] = {
    [HY_NULL] = "null",       [HY_BOOL] = "bool", [HY_INT] = "int",   [HY_DOUBLE] = "double",
    [HY_TEXT] = "text",       [HY_BLOB] = "blob", [HY_UUID] = "uuid", [HY_JSON] = "json",
    [HY_DECIMAL] = "decimal", [HY_DATE] = "date", [HY_TIME] = "time", [HY_TIMESTAMP] = "timestamp",
};

static void print_binds(hy_buf *out, const hy_sql *sql)
{
    hy_buf_reset(out);
    for (size_t i = 0; i < sql->n_binds; i++) {
        if (i > 0)
            hy_buf_putc(out, ' ');
        if (sql->params != NULL && sql->params[i] != NULL)
            hy_buf_printf(out, "<%s>", sql->params[i]->name);
        hy_buf_printf(out, "%s:", type_names[sql->binds[i].value.type]);
        print_value(out, &sql->binds[i].value);
        hy_buf_printf(out, "/%s%s", hy_kind_name(sql->binds[i].kind), sql->binds[i].sensitive ? "!" : "");
    }
}

static void print_columns(hy_buf *out, const hy_sql *sql)
{
    hy_buf_reset(out);
    for (size_t i = 0; i < sql->n_columns; i++)
        hy_buf_printf(out, "%s%s:%s%s", i > 0 ? " " : "", sql->columns[i].name,
                      hy_kind_name(sql->columns[i].kind), sql->columns[i].column != NULL ? "*" : "");
}

/* ---- what is expected --------------------------------------------------------------------- */

static const char *pick_binds(const golden *g, size_t dialect)
{
    const char *all[DIALECTS] = {g->binds_postgres, g->binds_postgres, g->binds_mysql, g->binds_mariadb,
                                 g->binds_sqlite};
    const char *own = all[dialect];

    if (own == NULL && dialect == MARIADB)
        own = g->binds_mysql;

    if (own != NULL)
        return own;
    return g->binds != NULL ? g->binds : "";
}

/* The two notations of golden.h. */
static void spell(hy_buf *out, const char *text, size_t dialect)
{
    unsigned number = 0;
    bool numbered = dialect == POSTGRES || dialect == COCKROACHDB;
    bool ticks = dialect == MYSQL || dialect == MARIADB;

    hy_buf_reset(out);
    if (*text == '=') {
        hy_buf_puts(out, text + 1);
        return;
    }
    for (; *text != '\0'; text++) {
        if (*text == '?' && numbered)
            hy_buf_printf(out, "$%u", ++number);
        else
            hy_buf_putc(out, *text == '`' && !ticks ? '"' : *text);
    }
}

/* ---- comparing ---------------------------------------------------------------------------- */

static unsigned complain(const golden *g, size_t dialect, const char *what, const char *expected,
                         const char *got)
{
    print_error("%s [%s] %s\n  expected: %s\n  got:      %s\n", g->name,
                hy_dialect_name(hy_dialect_at(dialect)), what, expected, got);
    return 1;
}

static unsigned check_sqlite(const golden *g, const hy_sql *sql)
{
    sqlite3_stmt *stmt = NULL;
    unsigned bad = 0;

    if (sqlite3_prepare_v2(db, sql->text, (int)sql->size, &stmt, NULL) != SQLITE_OK)
        bad = complain(g, SQLITE, "SQLite says", sqlite3_errmsg(db), sql->text);
    else if ((size_t)sqlite3_bind_parameter_count(stmt) != sql->n_binds)
        bad = complain(g, SQLITE, "parameters", "as many as binds", sql->text);
    sqlite3_finalize(stmt);
    n_parsed++;
    return bad;
}

static unsigned check_fails(const golden *g, size_t dialect, hy_status expected, const char *feature,
                            hy_status status, const hy_error *err)
{
    if (status != expected)
        return complain(g, dialect, "status", hy_status_name(expected),
                        status == HY_OK ? "OK" : err->message);
    if (feature == NULL)
        return 0;
    if (strcmp(err->feature, feature) != 0)
        return complain(g, dialect, "feature", feature, err->feature);
    if (strcmp(err->dialect, hy_dialect_name(hy_dialect_at(dialect))) != 0)
        return complain(g, dialect, "dialect", hy_dialect_name(hy_dialect_at(dialect)), err->dialect);
    return 0;
}

/* Each row has a bind for each placeholder. */
static unsigned check_rows(const golden *g, size_t dialect, const char *text, const hy_sql *sql)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == '?';
    if (n * (sql->n_rows > 0 ? sql->n_rows : 1) == sql->n_binds)
        return 0;
    return complain(g, dialect, "binds of each row", "as many as placeholders", sql->text);
}

static unsigned check_text(const golden *g, size_t dialect, const char *text, const hy_sql *sql)
{
    hy_buf want = {0}, got = {0};
    unsigned bad = 0;

    n_texts++;
    spell(&want, text, dialect);
    if (strcmp(hy_buf_text(&want), sql->text) != 0 || strlen(sql->text) != sql->size)
        bad += complain(g, dialect, "text", hy_buf_text(&want), sql->text);
    print_binds(&got, sql);
    if (strcmp(pick_binds(g, dialect), hy_buf_text(&got)) != 0)
        bad += complain(g, dialect, "binds", pick_binds(g, dialect), hy_buf_text(&got));
    if (g->row_arrays && !g->inline_values)
        bad += check_rows(g, dialect, text, sql);
    print_columns(&got, sql);
    if (g->columns != NULL && strcmp(g->columns, hy_buf_text(&got)) != 0)
        bad += complain(g, dialect, "columns", g->columns, hy_buf_text(&got));
    if (sql->hash != hy_hash(0, sql->text, sql->size))
        bad += complain(g, dialect, "hash", "of the text", "another");
    hy_buf_clear(&want);
    hy_buf_clear(&got);
    return bad + (dialect == SQLITE ? check_sqlite(g, sql) : 0);
}

static unsigned check_result(const golden *g, size_t dialect, hy_status status, const hy_sql *sql,
                             const hy_error *err)
{
    const char *text = golden_text(g, dialect);

    if (g->fails != HY_OK)
        return check_fails(g, dialect, g->fails, NULL, status, err);
    if (text == NULL)
        return complain(g, dialect, "the case", "a text", "none");
    if (*text == '!')
        return check_fails(g, dialect, HY_EUNSUPPORTED, text + 1, status, err);
    if (status != HY_OK)
        return complain(g, dialect, "failed", text, err->message);
    return check_text(g, dialect, text, sql);
}

static unsigned check_query(const golden *g, size_t dialect, const hy_query *q)
{
    const hy_dialect *d = hy_dialect_at(dialect);
    hy_compile_options options = golden_options(g, d);
    hy_error err;
    hy_sql sql;
    hy_shape *shape;

    hy_error_clear(&err);
    hy_status status = hy__compile_by_shape(shapes, compiler, q, d, &options, &sql, &shape, &err);
    unsigned bad = check_result(g, dialect, status, &sql, &err);
    hy__shape_release(shape);
    return bad;
}

/* The query itself, then a copy of it after the original is gone. */
static unsigned check_case(const golden *g)
{
    hy_query *q = hy_query_new(golden_get(g->model)), *copy = hy_query_new(golden_get(g->model));
    unsigned bad = 0;
    hy_error err;

    assert_true(q != NULL && copy != NULL);
    g->build(q);
    for (size_t d = 0; d < DIALECTS; d++)
        bad += check_query(g, d, q);
    bool copied = g->fails == HY_OK && hy_query_copy(copy, q, &err) == HY_OK;
    bad += g->fails == HY_OK && !copied;
    hy_query_free(q);
    for (size_t d = 0; copied && bad == 0 && d < DIALECTS; d++)
        bad += check_query(g, d, copy);
    hy_query_free(copy);
    return bad;
}

static void check_group(const golden_group *group)
{
    unsigned bad = 0;

    for (size_t i = 0; i < group->n; i++)
        bad += check_case(&group->cases[i]);
    assert_int_equal(0, bad);
}

#define GROUP(name)                        \
    static void name##_texts(void **state) \
    {                                      \
        (void)state;                       \
        check_group(&golden_##name);       \
    }
GROUP(select)
GROUP(where)
GROUP(join)
GROUP(group_order)
GROUP(set)
GROUP(write)
GROUP(json)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_texts),      cmocka_unit_test(where_texts), cmocka_unit_test(join_texts),
        cmocka_unit_test(group_order_texts), cmocka_unit_test(set_texts),   cmocka_unit_test(write_texts),
        cmocka_unit_test(json_texts),
    };
    return cmocka_run_group_tests_name("golden", tests, set_up, tear_down);
}
