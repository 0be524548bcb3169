/*
 * postgres_tests.h - what the tests of the PostgreSQL driver share: sources, statements, rows.
 */
#ifndef POSTGRES_TESTS_H
#define POSTGRES_TESTS_H

#include "hy_test.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/buf.h>
#include <driver/postgres_driver.h>
#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <hysteria/url.h>
#include <source/source_impl.h>

extern hy_source *shared; /* of most tests */
extern hy_url address;

/* ---- helpers ---------------------------------------------------------------------------- */

static inline hy_source_config base_config(void)
{
    return (hy_source_config){
        .type = "postgres",
        .connect = {.host = address.host,
                    .port = address.port,
                    .user = address.user,
                    .password = address.password,
                    .database = address.database},
        .pool = {.max = 4, .acquire_timeout = 10000},
    };
}

static inline hy_source *open_source(const hy_source_config *config)
{
    hy_source *source;
    hy_error err;

    hy_error_clear(&err);
    if (hy_source_open(config, &source, &err) != HY_OK)
        fail_msg("%s", err.message);
    return source;
}

static inline void shut(hy_source *source)
{
    hy_source_close(source);
    hy_source_unref(source);
}

/* Where a statement runs: all NULL is a connection of the shared source. */
typedef struct place {
    hy_source *source;
    hy_lease *lease;
    hy_transaction *trx;
    int64_t timeout;
} place;

static inline hy_run_options options_of(const place *at)
{
    return (hy_run_options){
        .lease = at->lease, .transaction = at->trx, .timeout = at->timeout, .may_block = true};
}

static inline hy_status try_with(place at, hy_error *err, int64_t *affected, const char *sql,
                                 const hy_bind *binds, size_t n)
{
    hy_run_options options = options_of(&at);

    hy_error_clear(err);
    return hy_source_execute_raw(at.source != NULL ? at.source : shared, sql, binds, n, &options, affected,
                                 err);
}

static inline hy_status try_run(place at, hy_error *err, const char *sql)
{
    return try_with(at, err, NULL, sql, NULL, 0);
}

static inline void run_at(place at, const char *sql)
{
    hy_error err;

    if (try_run(at, &err, sql) != HY_OK)
        fail_msg("%s: %s (%s)", sql, err.message, err.sqlstate);
}

static inline void run(const char *sql)
{
    run_at((place){.source = NULL}, sql);
}

/* A row kept beyond its cursor. */
enum { MOST_CELLS = 40 };
typedef struct cells {
    size_t n;
    int64_t rows;
    hy_value v[MOST_CELLS];
    hy_kind kinds[MOST_CELLS];
    char *bytes[MOST_CELLS];
    char names[MOST_CELLS][64];
} cells;

static inline void keep_cells(cells *out, const hy_cursor *cursor, const hy_value *row)
{
    const hy_result_column *columns = hy_cursor_columns(cursor);

    out->n = hy_cursor_n_columns(cursor);
    assert_true(out->n <= MOST_CELLS);
    for (size_t i = 0; i < out->n; i++) {
        out->v[i] = row[i];
        out->kinds[i] = columns[i].kind;
        (void)snprintf(out->names[i], sizeof out->names[i], "%s", columns[i].name);
        if (row[i].type != HY_TEXT && row[i].type != HY_BLOB && row[i].type != HY_DECIMAL &&
            row[i].type != HY_JSON)
            continue;
        out->bytes[i] = malloc(row[i].as.text.size + 1);
        memcpy(out->bytes[i], row[i].as.text.data, row[i].as.text.size);
        out->bytes[i][row[i].as.text.size] = '\0';
        out->v[i].as.text.data = out->bytes[i];
    }
}

static inline void drop_cells(cells *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->bytes[i]);
    *c = (cells){0};
}

/* The first row and the number of rows. */
static inline hy_status try_query(place at, cells *out, hy_error *err, const char *sql, const hy_bind *binds,
                                  size_t n)
{
    hy_run_options options = options_of(&at);
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_status status;

    *out = (cells){0};
    hy_error_clear(err);
    if (cursor == NULL)
        return hy_fail_oom(err);
    status = hy_cursor_start_raw(cursor, at.source != NULL ? at.source : shared, sql, strlen(sql), binds,
                                 NULL, n, &options, err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        if (out->rows++ == 0)
            keep_cells(out, cursor, row);
    hy_cursor_free(cursor);
    return status == HY_DONE ? HY_OK : status;
}

static inline void query_at(place at, cells *out, const char *sql, const hy_bind *binds, size_t n)
{
    hy_error err;

    if (try_query(at, out, &err, sql, binds, n) != HY_OK)
        fail_msg("%s: %s (%s)", sql, err.message, err.sqlstate);
}

static inline void query(cells *out, const char *sql)
{
    query_at((place){.source = NULL}, out, sql, NULL, 0);
}

static inline int64_t number_at(place at, const char *sql)
{
    cells c;

    query_at(at, &c, sql, NULL, 0);
    assert_int_equal(c.rows, 1);
    assert_int_equal(c.v[0].type, HY_INT);
    int64_t n = c.v[0].as.integer;
    drop_cells(&c);
    return n;
}

static inline void expect_text(const char *sql, const char *expected)
{
    cells c;

    query(&c, sql);
    assert_int_equal(c.v[0].type, HY_TEXT);
    assert_string_equal(c.bytes[0], expected);
    drop_cells(&c);
}

static inline hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    hy_error_clear(&err);
    if (hy_source_acquire(source, 0, &lease, &err) != HY_OK)
        fail_msg("%s", err.message);
    return lease;
}

static inline hy_transaction *begin(hy_source *source, hy_isolation isolation)
{
    hy_transaction_options options = {.isolation = isolation};
    hy_transaction *trx;
    hy_error err;

    hy_error_clear(&err);
    if (hy_source_begin(source, &options, &trx, &err) != HY_OK)
        fail_msg("%s", err.message);
    return trx;
}

static inline hy_status commit(hy_transaction *trx, hy_error *err)
{
    hy_error_clear(err);
    hy_status status = hy_transaction_commit(trx, err);
    return status == HY_OK ? hy_transaction_run(trx, err) : status;
}

static inline int setup(void **state)
{
    const char *url = getenv("HY_TEST_POSTGRES_URL");
    hy_error err;

    (void)state;
    if (url == NULL) {
        const char *required = getenv("HY_TEST_REQUIRE");
        return required != NULL && strstr(required, "postgres") != NULL ? -1 : 0;
    }
    if (hy_url_parse(url, strlen(url), &address, &err) != HY_OK)
        return -1;
    hy_source_config config = base_config();
    if (hy_source_open(&config, &shared, &err) != HY_OK)
        return -1;
    hy_error ignored;
    return try_run((place){.source = NULL}, &ignored, "DROP SCHEMA IF EXISTS hy_test CASCADE") == HY_OK &&
                   try_run((place){.source = NULL}, &ignored, "CREATE SCHEMA hy_test") == HY_OK
               ? 0
               : -1;
}

static inline int teardown(void **state)
{
    hy_error ignored;

    (void)state;
    if (shared == NULL)
        return 0;
    (void)try_run((place){.source = NULL}, &ignored, "DROP SCHEMA IF EXISTS hy_test CASCADE");
    shut(shared);
    hy_url_clear(&address);
    return 0;
}

#define NEED_SERVER    \
    do {               \
        (void)state;   \
        if (!shared) { \
            skip();    \
        }              \
    } while (0)

static inline hy_value bytes(hy_type type, const char *text)
{
    return hy_bytes(type, text, strlen(text));
}

/* ---- tests in files of their own ---- */

/* postgres_values.c */
void texts_are_understood(void **state);
void values_go_round(void **state);
void numerics_agree_in_both_forms(void **state);
void blobs_keep_every_byte(void **state);
void arrays_become_json(void **state);
void json_becomes_an_array(void **state);
void types_of_the_database(void **state);
void kinds_and_names_are_told(void **state);
void nulls_fit_everywhere(void **state);
void refuses_what_has_no_counterpart(void **state);
void refuses_bad_text_before_sending(void **state);
void places_decide_for_other_types(void **state);
void instants_do_not_depend_on_the_session(void **state);
void rows_come_one_by_one(void **state);

/* postgres_errors.c */
void errors_are_typed(void **state);
void permissions_are_typed(void **state);
void certificates_are_verified(void **state);
void connecting_fails_with_reasons(void **state);
void addresses_are_tried_in_turn(void **state);
void unknown_time_zones_are_refused(void **state);
void sessions_are_set_up(void **state);
void the_version_is_read(void **state);
void failed_transactions_refuse(void **state);
void a_commit_that_rolls_back_is_an_error(void **state);
void deadlocks_are_typed(void **state);
void serialization_failures_are_typed(void **state);
void lock_timeouts_are_typed(void **state);

#endif
