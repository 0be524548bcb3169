/*
 * mysql_tests.h - what the tests of the MariaDB and MySQL driver share: sources, statements, rows.
 */
#ifndef MYSQL_TESTS_H
#define MYSQL_TESTS_H

#include "figures.h"
#include "hy_test.h"

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>

#include <base/buf.h>
#include <driver/mysql_driver.h>
#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <hysteria/url.h>
#include <source/source_impl.h>

enum { MS = 1000000, MOST_CELLS = 40, LONG_RESULT = 20000 };

extern const char *type; /* "mariadb" or "mysql": what is tested now */
extern hy_url address;
extern hy_source *shared; /* of most tests */

/* ---- helpers ---------------------------------------------------------------------------- */

static inline bool is_mariadb(void)
{
    return strcmp(type, "mariadb") == 0;
}

static inline hy_source_config base_config(void)
{
    return (hy_source_config){
        .type = type,
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

static const place anywhere = {.source = NULL};

static inline hy_source *source_of(place at)
{
    return at.source != NULL ? at.source : shared;
}

static inline hy_run_options options_of(place at)
{
    return (hy_run_options){
        .lease = at.lease, .transaction = at.trx, .timeout = at.timeout, .may_block = true};
}

static inline hy_status try_with(place at, hy_error *err, int64_t *affected, const char *sql,
                                 const hy_bind *binds, size_t n)
{
    hy_run_options options = options_of(at);

    hy_error_clear(err);
    return hy_source_execute_raw(source_of(at), sql, binds, n, &options, affected, err);
}

static inline hy_status try_run(place at, hy_error *err, const char *sql)
{
    return try_with(at, err, NULL, sql, NULL, 0);
}

static inline int64_t run_with(place at, const char *sql, const hy_bind *binds, size_t n)
{
    hy_error err;
    int64_t affected = 0;

    if (try_with(at, &err, &affected, sql, binds, n) != HY_OK)
        fail_msg("%s: %s (%d)", sql, err.message, err.native_code);
    return affected;
}

static inline int64_t run_at(place at, const char *sql)
{
    return run_with(at, sql, NULL, 0);
}

static inline int64_t run(const char *sql)
{
    return run_at(anywhere, sql);
}

/* A row kept beyond its cursor. */
typedef struct cells {
    size_t n;
    int64_t rows;
    hy_value v[MOST_CELLS];
    hy_kind kinds[MOST_CELLS];
    char *bytes[MOST_CELLS];
} cells;

static inline bool has_bytes(const hy_value *v)
{
    return v->type == HY_TEXT || v->type == HY_BLOB || v->type == HY_DECIMAL || v->type == HY_JSON;
}

static inline void keep_cells(cells *out, const hy_cursor *cursor, const hy_value *row)
{
    const hy_result_column *columns = hy_cursor_columns(cursor);

    out->n = hy_cursor_n_columns(cursor);
    assert_true(out->n <= MOST_CELLS);
    for (size_t i = 0; i < out->n; i++) {
        out->v[i] = row[i];
        out->kinds[i] = columns[i].kind;
        if (!has_bytes(&row[i]))
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

static inline hy_status start_cursor(hy_cursor *cursor, place at, hy_error *err, const char *sql,
                                     const hy_bind *binds, size_t n)
{
    hy_run_options options = options_of(at);
    hy_status status;

    hy_error_clear(err);
    status = hy_cursor_start_raw(cursor, source_of(at), sql, strlen(sql), binds, NULL, n, &options, err);
    return status == HY_OK ? hy_task_run(hy_cursor_task(cursor), err) : status;
}

/* The first row and the number of rows. */
static inline hy_status try_query(place at, cells *out, hy_error *err, const char *sql, const hy_bind *binds,
                                  size_t n)
{
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_status status;

    *out = (cells){0};
    hy_error_clear(err);
    if (cursor == NULL)
        return hy_fail_oom(err);
    status = start_cursor(cursor, at, err, sql, binds, n);
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
        fail_msg("%s: %s (%d)", sql, err.message, err.native_code);
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

static inline int64_t number(const char *sql)
{
    return number_at(anywhere, sql);
}

static inline void expect_text_at(place at, const char *sql, const char *expected)
{
    cells c;

    query_at(at, &c, sql, NULL, 0);
    assert_int_equal(c.rows, 1);
    assert_non_null(c.bytes[0]);
    assert_string_equal(c.bytes[0], expected);
    drop_cells(&c);
}

static inline hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    if (hy_source_acquire(source, 0, &lease, &err) != HY_OK)
        fail_msg("%s", err.message);
    return lease;
}

static inline hy_transaction *begin(hy_source *source)
{
    hy_transaction *trx;
    hy_error err;

    if (hy_source_begin(source, NULL, &trx, &err) != HY_OK)
        fail_msg("%s", err.message);
    return trx;
}

static inline hy_status commit(hy_transaction *trx, hy_error *err)
{
    hy_status status = hy_transaction_commit(trx, err);

    if (status == HY_OK)
        status = hy_transaction_run(trx, err);
    hy_transaction_free(trx);
    return status;
}

static inline void rollback(hy_transaction *trx)
{
    hy_error err;

    assert_int_equal(hy_transaction_rollback(trx, &err), HY_OK);
    assert_int_equal(hy_transaction_run(trx, &err), HY_OK);
    hy_transaction_free(trx);
}

static inline hy_bind bind_of(hy_value v)
{
    return (hy_bind){.value = v, .kind = HY_KIND_ANY};
}

static inline int64_t session_of(place at)
{
    return number_at(at, "SELECT CONNECTION_ID()");
}

static inline void kill_session(const char *what, int64_t id)
{
    char sql[64];

    (void)snprintf(sql, sizeof sql, "KILL %s %lld", what, (long long)id);
    run(sql);
}

static inline hy_pool_stats stats_of(hy_source *source)
{
    hy_pool_stats stats;

    hy_source_stats(source, &stats);
    return stats;
}

static inline hy_value counted(hy_type of, int64_t n)
{
    hy_value v = {.type = of};

    if (of == HY_DATE)
        v.as.days = n;
    else
        v.as.micros = n;
    return v;
}

static inline hy_value decimal(const char *text)
{
    return hy_bytes(HY_DECIMAL, text, strlen(text));
}

static inline hy_value timestamp(const char *text)
{
    int64_t micros;

    assert_true(hy_timestamp_parse(text, strlen(text), &micros));
    return counted(HY_TIMESTAMP, micros);
}

/* ---- tests in files of their own ---- */

/* mysql_sessions.c */
void test_session(void **state);
void test_server_modes(void **state);
void test_config(void **state);
void test_refused_connections(void **state);
void test_host_names(void **state);
void test_wrong_type(void **state);
void test_tls(void **state);
void test_frozen_connect(void **state);
void test_reset(void **state);
void test_cache_after_reset(void **state);
void test_local_infile(void **state);
void test_broken_pipe(void **state);
void test_exit_while_connecting(void **state);
void test_foreign_tls_errors(void **state);
void test_fork(void **state);
void test_memory_ends(void **state);

/* mysql_values.c */
void test_numbers(void **state);
void test_floats(void **state);
void test_texts_and_times(void **state);
void test_parameters(void **state);
void test_refused_parameters(void **state);
void test_zero_dates(void **state);
void test_long_values(void **state);
void test_packet_limit(void **state);
void test_many_parameters(void **state);
void test_constraints(void **state);
void test_statement_errors(void **state);
void test_texts(void **state);

#endif
