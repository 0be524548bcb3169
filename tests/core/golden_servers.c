/*
 * golden_servers.c - every golden text of PostgreSQL, MariaDB and MySQL is prepared on the real
 * server that HY_TEST_<NAME>_URL names, with the types of its binds; without an address those of
 * that server are a skip. Nothing is left out: a case names only what all of them have.
 */
#include "golden_servers.h"
#include "golden.h"

#include <stdio.h>

typedef struct target {
    const char *name, *variable;
    size_t dialect;
    const golden_server *server;
} target;

static const target targets[] = {
    {"postgres", "HY_TEST_POSTGRES_URL", POSTGRES, &golden_postgres},
    {"mariadb", "HY_TEST_MARIADB_URL", MARIADB, &golden_mysql},
    {"mysql", "HY_TEST_MYSQL_URL", MYSQL, &golden_mysql},
};

static const golden_group *const groups[] = {
    &golden_select, &golden_where, &golden_join, &golden_group_order,
    &golden_set,    &golden_write, &golden_json,
};

typedef struct tally {
    unsigned prepared, wrong;
} tally;

static void complain(const target *t, const golden *g, const char *what, const char *text, tally *n)
{
    n->wrong++;
    print_error("%s [%s] %s\n  %s\n", g->name, t->name, what, text);
}

static void prepare_text(const target *t, const golden *g, const hy_sql *sql, tally *n)
{
    size_t n_columns = 0;
    const char *wrong = t->server->prepare(sql, &n_columns);

    if (wrong != NULL)
        complain(t, g, wrong, sql->text, n);
    else if (sql->n_columns > 0 && sql->n_columns != n_columns)
        complain(t, g, "the result has another number of columns", sql->text, n);
    else
        n->prepared++;
}

static void prepare_case(const target *t, const golden *g, hy_compiler *compiler, tally *n)
{
    const hy_dialect *dialect = hy_dialect_at(t->dialect);
    const char *text = golden_text(g, t->dialect);
    hy_query *q = hy_query_new(golden_get(g->model));
    hy_compile_options options = golden_options(g, dialect);
    hy_error err;
    hy_sql sql;

    assert_non_null(q);
    g->build(q);
    if (g->fails == HY_OK && *text != '!') {
        if (hy_compile(compiler, q, dialect, &options, &sql, &err) == HY_OK)
            prepare_text(t, g, &sql, n);
        else
            complain(t, g, "does not compile", err.message, n);
    }
    hy_query_free(q);
}

static void report(const target *t, const tally *n)
{
    const char *path = getenv("HY_REPORT");
    FILE *out = path != NULL ? fopen(path, "a") : NULL;
    FILE *const files[] = {stdout, out};

    for (size_t i = 0; i < 2; i++)
        if (files[i] != NULL)
            (void)fprintf(files[i], "golden texts on %s: %u prepared, %u refused\n", t->name, n->prepared,
                          n->wrong);
    if (out != NULL)
        (void)fclose(out);
}

static void prepare_all(const target *t)
{
    hy_compiler *compiler = hy_compiler_new();
    tally n = {0};

    assert_non_null(compiler);
    golden_make_models();
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (size_t k = 0; k < groups[i]->n; k++)
            prepare_case(t, &groups[i]->cases[k], compiler, &n);
    golden_free_models();
    hy_compiler_free(compiler);
    report(t, &n);
    assert_int_equal(0, n.wrong);
    assert_true(n.prepared > 150); /* or the cases are not what they were */
}

static void prepares_every_text(void **state)
{
    const target *t = *state;
    const char *url = getenv(t->variable), *required = getenv("HY_TEST_REQUIRE");

    if (url == NULL) {
        if (required != NULL && strstr(required, t->name) != NULL)
            fail_msg("HY_TEST_REQUIRE names %s, but %s is not set", t->name, t->variable);
        skip();
    }
    const char *wrong = t->server->open(url);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    prepare_all(t);
}

static int leave(void **state)
{
    const target *t = *state;

    if (getenv(t->variable) != NULL)
        t->server->close();
    return 0;
}

int main(void)
{
    enum { N = sizeof targets / sizeof *targets };
    static char names[N][64];
    struct CMUnitTest tests[N];

    for (size_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s.prepares_every_text", targets[i].name);
        tests[i] = (struct CMUnitTest){names[i], prepares_every_text, NULL, leave, (void *)&targets[i]};
    }
    return cmocka_run_group_tests_name("golden_servers", tests, NULL, NULL);
}
