/*
 * faults_tests.h - what the tests of faults share: tables, a proxy before a server, what an error must say.
 */
#ifndef FAULTS_TESTS_H
#define FAULTS_TESTS_H

#include "servers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <source/source_impl.h>

#include "fault_proxy.h"

enum { MS = 1000000, ROWS = 6, TIMEOUT = 300, CALM = 20000, SQL_SIZE = 1024 };

struct scene {
    fault_proxy *proxy;
    char user[USER_SIZE];
    char ops[48], rows[48]; /* tables */
    bool tls;
    int descriptors; /* before a source was opened */
};
extern struct scene here;

/* ---- tables ----------------------------------------------------------------------------- */

enum { FIRST_DAY = 19723 }; /* 2024-01-01 */

static inline size_t text_of_row(int i, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "row %d äß", i);
}

static inline size_t blob_of_row(int i, unsigned char *out)
{
    size_t n = (size_t)i * 3;

    for (size_t j = 0; j < n; j++)
        out[j] = (unsigned char)(j * (size_t)i * 11);
    return n;
}

static inline void write_row(int i, char *sql, size_t size)
{
    char text[400], hex[200];
    unsigned char blob[ROWS * 3];
    size_t n = blob_of_row(i, blob);

    (void)text_of_row(i, text, sizeof text);
    for (size_t j = 0; j < n; j++)
        (void)snprintf(hex + 2 * j, 3, "%02x", blob[j]);
    (void)snprintf(sql, size,
                   "INSERT INTO %s VALUES (%d, %d.%04d, %s%s%s, %s%s', %d.%03d, '2024-01-%02d', "
                   "'2024-01-01 00:00:%02d.123456')",
                   here.rows, i, i * 1000003, i * 370 + 1, i % 4 == 0 ? "" : "'", i % 4 == 0 ? "NULL" : text,
                   i % 4 == 0 ? "" : "'", server.kind == SERVER_POSTGRES ? "'\\x" : "X'", hex, i / 8,
                   i % 8 * 125, i + 1, i);
}

static inline bool is_text(const hy_value *v, hy_type type, const void *data, size_t size)
{
    return v->type == type && v->as.text.size == size && memcmp(v->as.text.data, data, size) == 0;
}

/* Is this what row i must be? */
static inline bool is_row(int i, const hy_value *v)
{
    char text[400], number[32];
    unsigned char blob[ROWS * 3];
    size_t n = text_of_row(i, text, sizeof text), digits;

    digits = (size_t)snprintf(number, sizeof number, "%d.%04d", i * 1000003, i * 370 + 1);
    return v[0].type == HY_INT && v[0].as.integer == i && is_text(&v[1], HY_DECIMAL, number, digits) &&
           (i % 4 == 0 ? v[2].type == HY_NULL : is_text(&v[2], HY_TEXT, text, n)) &&
           is_text(&v[3], HY_BLOB, blob, blob_of_row(i, blob)) && v[4].type == HY_DOUBLE &&
           v[4].as.number == i / 8.0 && v[5].type == HY_DATE && v[5].as.days == FIRST_DAY + i &&
           v[6].type == HY_TIMESTAMP && v[6].as.micros == (FIRST_DAY * INT64_C(86400) + i) * 1000000 + 123456;
}

static inline place admin(void)
{
    return (place){.source = server.admin};
}

static inline void make_tables(void)
{
    bool postgres = server.kind == SERVER_POSTGRES;
    char sql[SQL_SIZE];
    hy_error err;

    sql_run(admin(), "CREATE TABLE %s (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)", here.ops);
    sql_run(admin(),
            "CREATE TABLE %s (id BIGINT PRIMARY KEY, n NUMERIC(20,4), t TEXT, b %s, d %s, day DATE, at %s)",
            here.rows, postgres ? "BYTEA" : "BLOB", postgres ? "DOUBLE PRECISION" : "DOUBLE",
            postgres ? "TIMESTAMP(6)" : "DATETIME(6)");
    for (int i = 1; i <= ROWS; i++) {
        write_row(i, sql, sizeof sql);
        if (sql_try(admin(), &err, sql) != HY_OK)
            fail_msg("%s: %s", sql, err.message);
    }
    if (postgres) {
        sql_run(admin(), "GRANT ALL ON %s, %s TO %s", here.ops, here.rows, here.user);
        sql_run(admin(), "ANALYZE %s", here.rows); /* else a join of it is compiled first, for a second */
    }
}

static inline void drop_tables(void)
{
    sql_run(admin(), "DROP TABLE IF EXISTS %s", here.ops);
    sql_run(admin(), "DROP TABLE IF EXISTS %s", here.rows);
}

/* ---- setting the scene ------------------------------------------------------------------ */

static inline void begin_faults(bool tls)
{
    here.tls = tls;
    if (tls && getenv("HY_TEST_TLS_CA") == NULL)
        skip();
    (void)server_user_name(here.user, "faults");
    (void)snprintf(here.ops, sizeof here.ops, "hy_ops_%d", (int)getpid());
    (void)snprintf(here.rows, sizeof here.rows, "hy_rows_%d", (int)getpid());
    drop_tables(); /* of a test that failed */
    server_add_user(here.user, 0);
    make_tables();
    here.proxy = fault_proxy_start(server.url.host, server.url.port);
    assert_non_null(here.proxy);
}

static inline void end_faults(void)
{
    fault_proxy_stop(here.proxy);
    here.proxy = NULL;
    drop_tables();
    server_drop_user(here.user);
}

/* Through the proxy, as the user of this test. */
static inline hy_source *open_source(int max)
{
    hy_source_config config = server_config(here.user);

    config.connect.port = fault_proxy_port(here.proxy);
    config.connect.ssl_mode = here.tls ? "verify-full" : "disable";
    config.connect.ssl_ca = here.tls ? getenv("HY_TEST_TLS_CA") : NULL;
    config.pool.max = max;
    config.prepare = HY_PREPARE_NAMED; /* so that a step is what its name says */
    config.statement_timeout = TIMEOUT;
    here.descriptors = open_descriptors();
    return server_open(&config);
}

/* Nothing of it is left: no connection, no descriptor, no session. */
static inline void close_source(hy_source *source)
{
    server_shut(source);
    fault_proxy_drop(here.proxy);
    assert_int_equal(descriptors_left(here.descriptors), 0);
}

static inline const char *channel(void)
{
    return here.tls ? "tls" : "plain";
}

/* ---- errors ----------------------------------------------------------------------------- */

/* Whatever went wrong: it is typed, says something, and nothing of where and who. */
static inline void check_error(const char *where, hy_status status, const hy_error *err)
{
    char port[16];
    const char *const secrets[] = {server.url.password, here.user, server.url.host, port};

    (void)snprintf(port, sizeof port, "%d", fault_proxy_port(here.proxy));
    if (status >= 0 || status == HY_AGAIN || status == HY_DONE || err->status != status)
        fail_msg("%s %s: status %d, told %d", server.type, where, status, err->status);
    if (err->message[0] == '\0' || strchr(err->message, '\n') != NULL)
        fail_msg("%s %s: \"%s\"", server.type, where, err->message);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strstr(err->message, secrets[i]) != NULL)
            fail_msg("%s %s: tells secret %zu: %s", server.type, where, i, err->message);
}

/* ---- tests in files of their own ---- */

/* faults_cut.c */
void cut_at_each_byte(void **state);
void cut_at_each_byte_tls(void **state);
void in_pieces(void **state);
void in_pieces_tls(void **state);
void commits_that_are_lost(void **state);

#endif
