/*
 * The driver of MariaDB and MySQL against real servers: HY_TEST_MARIADB_URL and
 * HY_TEST_MYSQL_URL say where they are (see tests/support/servers.sh). Each test runs on both;
 * without an address those of that server are skips. Oracles are the server's own text of a
 * value, its status, and a second connection.
 */
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

static const char *type; /* "mariadb" or "mysql": what is tested now */
static hy_url address;
static hy_source *shared; /* of most tests */

/* ---- helpers ---------------------------------------------------------------------------- */

static bool is_mariadb(void)
{
    return strcmp(type, "mariadb") == 0;
}

static hy_source_config base_config(void)
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

static hy_source *open_source(const hy_source_config *config)
{
    hy_source *source;
    hy_error err;

    if (hy_source_open(config, &source, &err) != HY_OK)
        fail_msg("%s", err.message);
    return source;
}

static void shut(hy_source *source)
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

static hy_source *source_of(place at)
{
    return at.source != NULL ? at.source : shared;
}

static hy_run_options options_of(place at)
{
    return (hy_run_options){
        .lease = at.lease, .transaction = at.trx, .timeout = at.timeout, .may_block = true};
}

static hy_status try_with(place at, hy_error *err, int64_t *affected, const char *sql, const hy_bind *binds,
                          size_t n)
{
    hy_run_options options = options_of(at);

    hy_error_clear(err);
    return hy_source_execute_raw(source_of(at), sql, binds, n, &options, affected, err);
}

static hy_status try_run(place at, hy_error *err, const char *sql)
{
    return try_with(at, err, NULL, sql, NULL, 0);
}

static int64_t run_with(place at, const char *sql, const hy_bind *binds, size_t n)
{
    hy_error err;
    int64_t affected = 0;

    if (try_with(at, &err, &affected, sql, binds, n) != HY_OK)
        fail_msg("%s: %s (%d)", sql, err.message, err.native_code);
    return affected;
}

static int64_t run_at(place at, const char *sql)
{
    return run_with(at, sql, NULL, 0);
}

static int64_t run(const char *sql)
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

static bool has_bytes(const hy_value *v)
{
    return v->type == HY_TEXT || v->type == HY_BLOB || v->type == HY_DECIMAL || v->type == HY_JSON;
}

static void keep_cells(cells *out, const hy_cursor *cursor, const hy_value *row)
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

static void drop_cells(cells *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->bytes[i]);
    *c = (cells){0};
}

static hy_status start_cursor(hy_cursor *cursor, place at, hy_error *err, const char *sql,
                              const hy_bind *binds, size_t n)
{
    hy_run_options options = options_of(at);
    hy_status status;

    hy_error_clear(err);
    status = hy_cursor_start_raw(cursor, source_of(at), sql, strlen(sql), binds, NULL, n, &options, err);
    return status == HY_OK ? hy_task_run(hy_cursor_task(cursor), err) : status;
}

/* The first row and the number of rows. */
static hy_status try_query(place at, cells *out, hy_error *err, const char *sql, const hy_bind *binds,
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

static void query_at(place at, cells *out, const char *sql, const hy_bind *binds, size_t n)
{
    hy_error err;

    if (try_query(at, out, &err, sql, binds, n) != HY_OK)
        fail_msg("%s: %s (%d)", sql, err.message, err.native_code);
}

static int64_t number_at(place at, const char *sql)
{
    cells c;

    query_at(at, &c, sql, NULL, 0);
    assert_int_equal(c.rows, 1);
    assert_int_equal(c.v[0].type, HY_INT);
    int64_t n = c.v[0].as.integer;
    drop_cells(&c);
    return n;
}

static int64_t number(const char *sql)
{
    return number_at(anywhere, sql);
}

static void expect_text_at(place at, const char *sql, const char *expected)
{
    cells c;

    query_at(at, &c, sql, NULL, 0);
    assert_int_equal(c.rows, 1);
    assert_non_null(c.bytes[0]);
    assert_string_equal(c.bytes[0], expected);
    drop_cells(&c);
}

static hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    if (hy_source_acquire(source, 0, &lease, &err) != HY_OK)
        fail_msg("%s", err.message);
    return lease;
}

static hy_transaction *begin(hy_source *source)
{
    hy_transaction *trx;
    hy_error err;

    if (hy_source_begin(source, NULL, &trx, &err) != HY_OK)
        fail_msg("%s", err.message);
    return trx;
}

static hy_status commit(hy_transaction *trx, hy_error *err)
{
    hy_status status = hy_transaction_commit(trx, err);

    if (status == HY_OK)
        status = hy_transaction_run(trx, err);
    hy_transaction_free(trx);
    return status;
}

static void rollback(hy_transaction *trx)
{
    hy_error err;

    assert_int_equal(hy_transaction_rollback(trx, &err), HY_OK);
    assert_int_equal(hy_transaction_run(trx, &err), HY_OK);
    hy_transaction_free(trx);
}

static hy_bind bind_of(hy_value v)
{
    return (hy_bind){.value = v, .kind = HY_KIND_ANY};
}

static int64_t session_of(place at)
{
    return number_at(at, "SELECT CONNECTION_ID()");
}

static void kill_session(const char *what, int64_t id)
{
    char sql[64];

    (void)snprintf(sql, sizeof sql, "KILL %s %lld", what, (long long)id);
    run(sql);
}

static hy_pool_stats stats_of(hy_source *source)
{
    hy_pool_stats stats;

    hy_source_stats(source, &stats);
    return stats;
}

/* ---- sessions --------------------------------------------------------------------------- */

static void test_session(void **state)
{
    cells c;

    (void)state;
    hy_lease *lease = acquire(shared);
    int version = hy_lease_connection(lease)->server_version;
    query_at((place){.lease = lease}, &c,
             "SELECT @@version, @@autocommit, @@time_zone, @@character_set_client, @@character_set_results, "
             "FIND_IN_SET('STRICT_TRANS_TABLES', @@sql_mode) > 0, FIND_IN_SET('ANSI_QUOTES', @@sql_mode), "
             "@@character_set_connection",
             NULL, 0);
    int major = 0, minor = 0, patch = 0;
    assert_int_equal(sscanf(c.bytes[0], "%d.%d.%d", &major, &minor, &patch), 3);
    assert_int_equal(version, major * 10000 + minor * 100 + patch);
    assert_int_equal(c.v[1].as.integer, 1);
    assert_string_equal(c.bytes[2], "+00:00");
    assert_string_equal(c.bytes[3], "utf8mb4");
    assert_string_equal(c.bytes[4], "utf8mb4");
    assert_int_equal(c.v[5].as.integer, 1);
    assert_int_equal(c.v[6].as.integer, 0);
    assert_string_equal(c.bytes[7], "utf8mb4");
    drop_cells(&c);
    hy_lease_release(lease);
}

/* What the server's own settings say, is kept unless it changes what SQL means. */
static void test_server_modes(void **state)
{
    hy_source_config config = base_config();
    cells c;

    (void)state;
    query_at(anywhere, &c, "SELECT @@GLOBAL.sql_mode", NULL, 0);
    hy_bind old[] = {bind_of(hy_text(c.bytes[0]))};
    run("SET GLOBAL sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE'");
    hy_source *source = open_source(&config);
    query_at((place){.source = source}, &c, "SELECT \"a\\nb\", @@sql_mode", NULL, 0);
    run_with(anywhere, "SET GLOBAL sql_mode = ?", old, 1);
    free((char *)(uintptr_t)old[0].value.as.text.data);
    assert_string_equal(c.bytes[0], "a\nb");
    assert_non_null(strstr(c.bytes[1], "NO_ZERO_DATE"));
    assert_non_null(strstr(c.bytes[1], "STRICT_TRANS_TABLES"));
    assert_null(strstr(c.bytes[1], "NO_BACKSLASH"));
    drop_cells(&c);
    shut(source);
}

static void test_config(void **state)
{
    hy_connect_option bad_name[] = {{"sokket", "x"}}, bad_value[] = {{"lock_wait_timeout", "soon"}};
    hy_connect_option good[] = {{"lock_wait_timeout", "7"}};
    hy_source_config config = base_config();
    const struct {
        hy_status status;
        const char *zone, *mode, *schema;
        const hy_connect_option *option;
    } cases[] = {
        {HY_EINVALID_CONFIG, "'; DROP", NULL, NULL, NULL},
        {HY_EINVALID_CONFIG, NULL, "maybe", NULL, NULL},
        {HY_EINVALID_CONFIG, NULL, NULL, "other", NULL},
        {HY_EUNKNOWN_OPTION, NULL, NULL, NULL, bad_name},
        {HY_EINVALID_CONFIG, NULL, NULL, NULL, bad_value},
        {HY_EINVALID_CONFIG, "Mars/Base", NULL, NULL, NULL},
    };
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config.connect.timezone = cases[i].zone;
        config.connect.ssl_mode = cases[i].mode;
        config.connect.schema = cases[i].schema;
        config.connect.options = cases[i].option;
        config.connect.n_options = cases[i].option != NULL;
        hy_source *source = open_source(&config);
        assert_fails(cases[i].status, err, try_run((place){.source = source}, &err, "SELECT 1"));
        shut(source);
    }
    config = base_config();
    config.connect.options = good;
    config.connect.n_options = 1;
    config.connect.timezone = "+02:00";
    config.connect.read_only = true;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    assert_int_equal(number_at(at, "SELECT @@innodb_lock_wait_timeout"), 7);
    expect_text_at(at, "SELECT @@time_zone", "+02:00");
    run("CREATE OR REPLACE VIEW hy_nothing AS SELECT 1");
    assert_fails(HY_EREAD_ONLY, err, try_run(at, &err, "DROP VIEW hy_nothing"));
    run("DROP VIEW hy_nothing");
    shut(source);
}

static void test_refused_connections(void **state)
{
    hy_source_config good = base_config();
    hy_error err;

    (void)state;
    hy_source_config config = good;
    config.connect.password = "canary-password";
    hy_source *source = open_source(&config);
    assert_fails(HY_EAUTHENTICATION_FAILED, err, try_run((place){.source = source}, &err, "SELECT 1"));
    assert_null(strstr(err.message, "canary"));
    assert_null(strstr(err.message, address.user));
    shut(source);

    config = good;
    config.connect.database = "no_such_database";
    source = open_source(&config);
    assert_fails(HY_EUNDEFINED_DATABASE, err, try_run((place){.source = source}, &err, "SELECT 1"));
    shut(source);

    config = good;
    config.connect.port = 1;
    source = open_source(&config);
    assert_fails(HY_ECONNECTION_REFUSED, err, try_run((place){.source = source}, &err, "SELECT 1"));
    assert_non_null(strstr(err.message, "connection refused"));
    shut(source);

    config = good;
    config.connect.host = "/tmp/no-such-socket";
    source = open_source(&config);
    assert_fails(HY_ECONNECTION_REFUSED, err, try_run((place){.source = source}, &err, "SELECT 1"));
    assert_non_null(strstr(err.message, "no such socket"));
    shut(source);
}

/* A name has several addresses, of which the first is of no use. */
static hy_status connect_to_second(const char *first, hy_error *err)
{
    extern const hy_driver hy__mariadb_driver, hy__mysql_driver;
    const hy_driver *driver = is_mariadb() ? &hy__mariadb_driver : &hy__mysql_driver;
    hy_source_config config = base_config();
    hy_worker *worker = hy__worker_new();
    hy_connection *c = hy_alloc_zero(driver->connection_size);
    hy_wait wait;

    config.connect.host = "localhost";
    config.connect.ssl_mode = "disable";
    c->driver = driver;
    c->worker = worker;
    c->deadline = wait.deadline = hy_monotonic_ns() + 20000 * (int64_t)MS;
    assert_int_equal(driver->connect(c, &config.connect, &wait, err), HY_AGAIN);
    hy__resolving *r = hy__mysql_of(c)->resolving;
    while (!hy__job_is_done(&r->job))
        (void)hy_wait_block(&wait);
    r->n = 2;
    (void)snprintf(r->addresses[0], sizeof r->addresses[0], "%s", first);
    (void)snprintf(r->addresses[1], sizeof r->addresses[1], "127.0.0.1");
    hy_status status;
    while ((status = driver->advance(c, &wait, err)) == HY_AGAIN)
        (void)hy_wait_block(&wait);
    driver->close(c);
    hy_free(c);
    hy__worker_close(worker);
    return status;
}

static void test_host_names(void **state)
{
    static const char *const modes[] = {"disable", "prefer"};
    hy_source_config config = base_config();
    hy_error err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        config.connect.ssl_mode = modes[i];
        config.connect.host = "localhost";
        hy_source *source = open_source(&config);
        assert_int_equal(try_run((place){.source = source}, &err, "SELECT 1"), HY_OK);
        shut(source);
        config.connect.host = "no such host.invalid";
        source = open_source(&config);
        assert_fails(HY_ECONNECTION_REFUSED, err, try_run((place){.source = source}, &err, "SELECT 1"));
        shut(source);
    }
    assert_int_equal(connect_to_second("127.0.0.9", &err), HY_OK);
}

/* The dialects differ, so a source must say what its server is. */
static void test_wrong_type(void **state)
{
    hy_source_config config = base_config();
    hy_error err;

    (void)state;
    config.type = is_mariadb() ? "mysql" : "mariadb";
    hy_source *source = open_source(&config);
    assert_fails(HY_EINVALID_CONFIG, err, try_run((place){.source = source}, &err, "SELECT 1"));
    assert_non_null(strstr(err.message, is_mariadb() ? "\"mariadb\"" : "\"mysql\""));
    shut(source);
}

/* A certificate nobody vouches for, or no TLS at all: refused before a password is sent. */
static hy_status try_tls(const char *mode, const char *ca, bool *encrypted, hy_error *err)
{
    hy_source_config config = base_config();
    cells c;

    config.connect.ssl_mode = mode;
    config.connect.ssl_ca = ca;
    hy_source *source = open_source(&config);
    hy_status status =
        try_query((place){.source = source}, &c, err, "SHOW STATUS LIKE 'Ssl_cipher'", NULL, 0);
    *encrypted = status == HY_OK && c.v[1].as.text.size > 0;
    drop_cells(&c);
    shut(source);
    return status;
}

/* Servers of tests/support/servers.sh have a certificate; a server of somebody else's may have none. */
static void test_tls(void **state)
{
    static const char *const verifying[] = {"require", "verify-ca", "verify-full"};
    static const char *const others[] = {"allow", "prefer"};
    const char *ca = getenv("HY_TEST_TLS_CA");
    char stranger[4096];
    bool encrypted;
    hy_error err;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(HY_ETLS_REFUSED, try_tls(verifying[i], NULL, &encrypted, &err));
        if (ca == NULL)
            continue;
        assert_int_equal(HY_OK, try_tls(verifying[i], ca, &encrypted, &err));
        assert_true(encrypted);
        /* Signed by that authority is the server's certificate, not by itself. */
        (void)snprintf(stranger, sizeof stranger, "%.*s/server.pem", (int)(strrchr(ca, '/') - ca), ca);
        assert_int_equal(HY_ETLS_REFUSED, try_tls(verifying[i], stranger, &encrypted, &err));
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(HY_OK, try_tls(others[i], NULL, &encrypted, &err));
        assert_int_equal(encrypted, ca != NULL || !is_mariadb()); /* MySQL makes itself a certificate */
    }
    assert_int_equal(HY_OK, try_tls("disable", ca, &encrypted, &err));
    assert_false(encrypted);
}

/* ---- servers that freeze ---------------------------------------------------------------- */

typedef struct frozen {
    int fd, port;
    const unsigned char *greeting;
    size_t size;
    pthread_t thread;
} frozen;

static void *greet(void *arg)
{
    frozen *f = arg;
    int fds[8], n = 0;

    while (n < 8 && (fds[n] = accept(f->fd, NULL, NULL)) >= 0) {
        if (f->size > 0)
            (void)!write(fds[n], f->greeting, f->size);
        n++;
    }
    while (n > 0)
        (void)close(fds[--n]);
    return NULL;
}

static void freeze(frozen *f, const unsigned char *greeting, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;

    f->greeting = greeting;
    f->size = size;
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(f->fd, 8), 0);
    assert_int_equal(getsockname(f->fd, (struct sockaddr *)&at, &length), 0);
    f->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&f->thread, NULL, greet, f), 0);
}

static void thaw(frozen *f)
{
    (void)shutdown(f->fd, SHUT_RDWR);
    (void)pthread_join(f->thread, NULL);
    (void)close(f->fd);
}

/* Silence, half a greeting, and silence in the middle of the TLS handshake. */
static void test_frozen_connect(void **state)
{
    static const unsigned char greeting[] =
        "\x5b\0\0\0\x0a"
        "5.5.5-10.11.19-MariaDB\0\x07\0\0\0abcdefgh\0\xfe\xff\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0"
        "ijklmnopqrst\0mysql_native_password";
    static const size_t sizes[] = {0, 20, sizeof greeting};
    hy_error err;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        frozen f;
        freeze(&f, greeting, sizes[i]);
        hy_source_config config = base_config();
        config.connect.host = "127.0.0.1";
        config.connect.port = f.port;
        config.connect.ssl_mode = i == 2 ? "verify-full" : "disable";
        config.connect_timeout = 300;
        hy_source *source = open_source(&config);
        int64_t began = hy_monotonic_ns();
        assert_fails(HY_ECONNECT_TIMEOUT, err, try_run((place){.source = source}, &err, "SELECT 1"));
        int64_t took = hy_monotonic_ns() - began;
        assert_in_range(took / MS, 299, 600);
        shut(source);
        thaw(&f);
    }
}

/* ---- values ----------------------------------------------------------------------------- */

static hy_value counted(hy_type of, int64_t n)
{
    hy_value v = {.type = of};

    if (of == HY_DATE)
        v.as.days = n;
    else
        v.as.micros = n;
    return v;
}

static hy_value timestamp(const char *text)
{
    int64_t micros;

    assert_true(hy_timestamp_parse(text, strlen(text), &micros));
    return counted(HY_TIMESTAMP, micros);
}

static hy_value date(const char *text)
{
    int64_t days;

    assert_true(hy_date_parse(text, strlen(text), &days));
    return counted(HY_DATE, days);
}

static hy_value time_of(const char *text)
{
    int64_t micros;

    assert_true(hy_time_parse(text, strlen(text), &micros));
    return counted(HY_TIME, micros);
}

static hy_value decimal(const char *text)
{
    return hy_bytes(HY_DECIMAL, text, strlen(text));
}

static hy_value json(const char *text)
{
    return hy_bytes(HY_JSON, text, strlen(text));
}

static hy_value blob(const char *data, size_t size)
{
    return hy_bytes(HY_BLOB, data, size);
}

typedef struct sample {
    const char *column; /* its type */
    hy_kind kind;
    hy_value in;
    const char *text; /* what the server says it is; NULL: not asked */
    hy_value out;     /* NULL: the same */
} sample;

/* Store, ask the server what it stored, read back by both protocols. */
static void check_sample(const sample *s)
{
    hy_value expected = s->out.type != HY_NULL ? s->out : s->in;
    hy_bind binds[] = {bind_of(s->in)};
    char sql[256];
    cells c;

    run("DROP TABLE IF EXISTS hy_sample");
    (void)snprintf(sql, sizeof sql, "CREATE TABLE hy_sample (x %s)", s->column);
    run(sql);
    assert_int_equal(run_with(anywhere, "INSERT INTO hy_sample VALUES (?)", binds, 1), 1);
    static const char *const selects[] = {"SELECT x, CAST(x AS CHAR) FROM hy_sample",
                                          "/*! */ SELECT x, CAST(x AS CHAR) FROM hy_sample"};
    for (size_t i = 0; i < 2; i++) {
        query_at(anywhere, &c, selects[i], NULL, 0);
        if (!hy_value_equal(&c.v[0], &expected) || c.kinds[0] != s->kind)
            fail_msg("%s: got a %s of kind %s (%s)", s->column, hy_type_name(c.v[0].type),
                     hy_kind_name(c.kinds[0]), i == 0 ? "binary" : "text");
        if (s->text != NULL)
            assert_string_equal(c.bytes[1], s->text);
        drop_cells(&c);
    }
}

static void test_numbers(void **state)
{
    const sample samples[] = {
        {"TINYINT", HY_KIND_TINYINT, hy_int(-128), "-128", {0}},
        {"TINYINT UNSIGNED", HY_KIND_TINYINT, hy_int(255), "255", {0}},
        {"TINYINT(1)", HY_KIND_TINYINT, hy_bool(true), "1", hy_int(1)},
        {"SMALLINT", HY_KIND_SMALLINT, hy_int(-32768), "-32768", {0}},
        {"SMALLINT UNSIGNED", HY_KIND_SMALLINT, hy_int(65535), "65535", {0}},
        {"MEDIUMINT", HY_KIND_MEDIUMINT, hy_int(-8388608), "-8388608", {0}},
        {"MEDIUMINT UNSIGNED", HY_KIND_MEDIUMINT, hy_int(16777215), "16777215", {0}},
        {"INT", HY_KIND_INTEGER, hy_int(INT32_MIN), "-2147483648", {0}},
        {"INT UNSIGNED", HY_KIND_INTEGER, hy_int(UINT32_MAX), "4294967295", {0}},
        {"BIGINT", HY_KIND_BIGINT, hy_int(INT64_MIN), "-9223372036854775808", {0}},
        {"BIGINT", HY_KIND_BIGINT, hy_int(INT64_MAX), "9223372036854775807", {0}},
        {"BIGINT UNSIGNED", HY_KIND_BIGINT, hy_int(INT64_MAX), "9223372036854775807", {0}},
        {"BIGINT UNSIGNED", HY_KIND_BIGINT, decimal("18446744073709551615"), "18446744073709551615", {0}},
        {"BIGINT UNSIGNED", HY_KIND_BIGINT, decimal("9223372036854775808"), "9223372036854775808", {0}},
        {"DOUBLE", HY_KIND_DOUBLE, hy_double(DBL_MAX), NULL, {0}},
        {"DOUBLE", HY_KIND_DOUBLE, hy_double(-2.2250738585072014e-308), NULL, {0}},
        {"DOUBLE", HY_KIND_DOUBLE, hy_double(0.1), "0.1", {0}},
        {"FLOAT", HY_KIND_FLOAT, hy_double(0.5), "0.5", {0}},
        {"DECIMAL(10,2)", HY_KIND_DECIMAL, decimal("-12345678.90"), "-12345678.90", {0}},
        {"DECIMAL(10,2) ZEROFILL", HY_KIND_DECIMAL, decimal("7.50"), "00000007.50", {0}},
        {"DECIMAL(65,30)",
         HY_KIND_DECIMAL,
         decimal("12345678901234567890123456789012345.123456789012345678901234567890"),
         NULL,
         {0}},
        {"BIT(8)", HY_KIND_BIGINT, hy_int(0xA5), NULL, {0}},
        {"BIT(64)", HY_KIND_BIGINT, decimal("18446744073709551615"), NULL, {0}},
        {"YEAR", HY_KIND_SMALLINT, hy_int(2155), "2155", {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check_sample(&samples[i]);
}

/* A FLOAT is the single nearest to what was given, by both protocols. */
static void test_floats(void **state)
{
    hy_bind binds[] = {bind_of(hy_double(0.1))};
    hy_error err;
    cells c;

    (void)state;
    run("DROP TABLE IF EXISTS hy_sample");
    run("CREATE TABLE hy_sample (x FLOAT)");
    run_with(anywhere, "INSERT INTO hy_sample VALUES (?)", binds, 1);
    query_at(anywhere, &c, "SELECT x FROM hy_sample", NULL, 0);
    assert_true(c.v[0].as.number == (double)0.1f);
    query_at(anywhere, &c, "/*! */ SELECT x FROM hy_sample", NULL, 0);
    assert_true(c.v[0].as.number == (double)0.1f);
    binds[0].kind = HY_KIND_FLOAT; /* 0.1 is found where a column says what it is compared with */
    query_at(anywhere, &c, "SELECT COUNT(*) FROM hy_sample WHERE x = ?", binds, 1);
    assert_true(c.v[0].as.integer == 1);
    binds[0].value.as.number = 1e39;
    assert_fails(HY_EDATA_INVALID, err,
                 try_query(anywhere, &c, &err, "INSERT INTO hy_sample VALUES (?)", binds, 1));
}

static void test_texts_and_times(void **state)
{
    hy_value uuid = {.type = HY_UUID,
                     .as.uuid = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4e, 0xf0, 0x81, 2, 3, 4, 5, 6, 7, 8}};
    hy_kind json_kind = HY_KIND_JSON;
    const sample samples[] = {
        {"CHAR(4)", HY_KIND_CHAR, hy_text("ab"), "ab", {0}},
        {"VARCHAR(50)", HY_KIND_STRING, hy_text(""), "", {0}},
        {"VARCHAR(50)", HY_KIND_STRING, hy_text("h\xc3\xa9llo \xf0\x9f\x98\x80 '\"\\%_"), NULL, {0}},
        {"TEXT", HY_KIND_TEXT, hy_text("line\nline"), "line\nline", {0}},
        {"LONGTEXT", HY_KIND_TEXT, hy_text("x"), "x", {0}},
        {"ENUM('a','b')", HY_KIND_ENUM, hy_text("b"), "b", {0}},
        {"SET('a','b')", HY_KIND_STRING, hy_text("a,b"), "a,b", {0}},
        {"BINARY(4)", HY_KIND_BINARY, blob("\0\xff\x80", 4), NULL, {0}},
        {"VARBINARY(9)", HY_KIND_VARBINARY, blob("\0\1\xfe\xff", 4), NULL, {0}},
        {"BLOB", HY_KIND_BINARY, blob("", 0), "", {0}},
        {"JSON", json_kind, json("{\"a\": [1, null, \"\xc3\xa9\"]}"), NULL, {0}},
        {"CHAR(36)", HY_KIND_CHAR, uuid, "12345678-9abc-4ef0-8102-030405060708",
         hy_text("12345678-9abc-4ef0-8102-030405060708")},
        {"DATE", HY_KIND_DATE, date("1000-01-01"), "1000-01-01", {0}},
        {"DATE", HY_KIND_DATE, date("9999-12-31"), "9999-12-31", {0}},
        {"DATE", HY_KIND_DATE, date("1969-12-31"), "1969-12-31", {0}},
        {"DATETIME(6)",
         HY_KIND_DATETIME,
         timestamp("2024-02-29 23:59:59.999999"),
         "2024-02-29 23:59:59.999999",
         {0}},
        {"DATETIME(6)",
         HY_KIND_DATETIME,
         timestamp("1000-01-01 00:00:00"),
         "1000-01-01 00:00:00.000000",
         {0}},
        {"DATETIME", HY_KIND_DATETIME, timestamp("2024-05-05 12:00:00"), "2024-05-05 12:00:00", {0}},
        {"TIMESTAMP(6)",
         HY_KIND_TIMESTAMP,
         timestamp("2038-01-19 03:14:06.5"),
         "2038-01-19 03:14:06.500000",
         {0}},
        {"TIME(6)", HY_KIND_TIME, time_of("23:59:59.000001"), "23:59:59.000001", {0}},
        {"TIME", HY_KIND_TIME, time_of("-838:59:59"), "-838:59:59", {0}},
        {"TIME", HY_KIND_TIME, time_of("838:59:59"), "838:59:59", {0}},
        {"TIME", HY_KIND_TIME, time_of("00:00:00"), "00:00:00", {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check_sample(&samples[i]);
    if (is_mariadb())
        check_sample(&(sample){"UUID", HY_KIND_UUID, uuid, "12345678-9abc-4ef0-8102-030405060708", {0}});
}

/* Parameters without a table: their type is what was bound. */
static void test_parameters(void **state)
{
    const hy_bind binds[] = {bind_of(hy_null()),      bind_of(hy_int(-5)),        bind_of(hy_double(1.5)),
                             bind_of(hy_text("t")),   bind_of(decimal("-1.250")), bind_of(hy_bool(true)),
                             bind_of(blob("\xff", 1))};
    cells c;

    (void)state;
    for (int i = 0; i < 2; i++) { /* prepared, then from the cache */
        query_at(anywhere, &c, "SELECT ?, ?, ?, ?, ?, ?, ?", binds, 7);
        assert_int_equal(c.v[0].type, HY_NULL);
        assert_int_equal(c.v[1].as.integer, -5);
        assert_true(c.v[2].as.number == 1.5);
        assert_string_equal(c.bytes[3], "t");
        assert_int_equal(c.v[4].type, HY_DECIMAL);
        assert_string_equal(c.bytes[4], "-1.250");
        assert_int_equal(c.v[5].as.integer, 1);
        assert_int_equal(c.v[6].type, HY_BLOB);
        drop_cells(&c);
    }
    /* The same text, another type each time. */
    const hy_value values[] = {hy_int(1), hy_text("one"), hy_double(0.25),
                               hy_null(), decimal("3.5"), hy_int(2)};
    for (size_t i = 0; i < 6; i++) {
        hy_bind one[] = {bind_of(values[i])};
        query_at(anywhere, &c, "SELECT ?", one, 1);
        if (!hy_value_equal(&c.v[0], &values[i]))
            fail_msg("%zu: a %s came back as %s", i, hy_type_name(values[i].type), hy_type_name(c.v[0].type));
        drop_cells(&c);
    }
}

static void test_refused_parameters(void **state)
{
    const hy_value values[] = {hy_double(NAN),
                               hy_double(INFINITY),
                               hy_double(-INFINITY),
                               hy_bytes(HY_TEXT, "a\0b", 3),
                               hy_bytes(HY_TEXT, "\xff", 1),
                               hy_bytes(HY_JSON, "\"\xc0\x80\"", 4)};
    hy_bind two[] = {bind_of(hy_int(1)), bind_of(hy_int(2))};
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        hy_bind binds[] = {bind_of(values[i])};
        assert_fails(HY_EDATA_INVALID, err, try_with(at, &err, NULL, "SELECT ?", binds, 1));
    }
    assert_fails(HY_EINVALID_ARGUMENT, err, try_with(at, &err, NULL, "SELECT ?", two, 2));
    assert_int_equal(number_at(at, "SELECT 1"), 1); /* nothing was sent */
    hy_lease_release(lease);
}

static void test_zero_dates(void **state)
{
    static const char *const bad[] = {"d", "t", "p"};
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    hy_error err;
    cells c;

    (void)state;
    run_at(at, "SET sql_mode = ''");
    run_at(at, "DROP TABLE IF EXISTS hy_zero");
    run_at(at, "CREATE TABLE hy_zero (d DATE, t DATETIME, p DATE)");
    run_at(at, "INSERT INTO hy_zero VALUES ('0000-00-00', '0000-00-00 00:00:00', '2024-00-00')");
    for (size_t i = 0; i < 3; i++)
        for (int text = 0; text < 2; text++) {
            char sql[80];
            (void)snprintf(sql, sizeof sql, "%sSELECT %s FROM hy_zero", text ? "/*! */ " : "", bad[i]);
            assert_fails(HY_EDATA_INVALID, err, try_query(at, &c, &err, sql, NULL, 0));
            assert_non_null(strstr(err.message, "zero date"));
        }
    expect_text_at(at, "SELECT CAST(d AS CHAR) FROM hy_zero", "0000-00-00");
    run_at(at, "DROP TABLE hy_zero");
    hy_lease_release(lease);
}

/* Every byte, a mebibyte of them, there and back. */
static void test_long_values(void **state)
{
    enum { SIZE = 1 << 20 };
    char *bytes = malloc(SIZE);
    cells c;

    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    run("DROP TABLE IF EXISTS hy_long");
    run("CREATE TABLE hy_long (b LONGBLOB, t LONGTEXT)");
    hy_bind binds[] = {bind_of(blob(bytes, SIZE)), bind_of(hy_bytes(HY_TEXT, NULL, 0))};
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    binds[1].value = hy_bytes(HY_TEXT, text, SIZE);
    run_with(anywhere, "INSERT INTO hy_long VALUES (?, ?)", binds, 2);
    for (int i = 0; i < 2; i++) {
        query_at(anywhere, &c, i == 0 ? "SELECT b, t FROM hy_long" : "/*! */ SELECT b, t FROM hy_long", NULL,
                 0);
        assert_int_equal(c.v[0].as.text.size, SIZE);
        assert_memory_equal(c.bytes[0], bytes, SIZE);
        assert_int_equal(c.v[1].as.text.size, SIZE);
        assert_memory_equal(c.bytes[1], text, SIZE);
        drop_cells(&c);
    }
    run("DROP TABLE hy_long");
    free(bytes);
    free(text);
}

/* Longer than the server takes: refused here, where the server would hang up. */
static void test_packet_limit(void **state)
{
    size_t size = (size_t)number("SELECT @@max_allowed_packet");
    char *bytes = calloc(1, size + 1);
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    hy_error err;

    (void)state;
    hy_bind binds[] = {bind_of(blob(bytes, size))};
    assert_fails(HY_ELIMIT_EXCEEDED, err, try_with(at, &err, NULL, "DO LENGTH(?)", binds, 1));
    memset(bytes, ' ', size);
    memcpy(bytes, "SELECT 1", 8);
    assert_fails(HY_ELIMIT_EXCEEDED, err, try_run(at, &err, bytes));
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    hy_lease_release(lease);
    free(bytes);
}

static void test_many_parameters(void **state)
{
    enum { MOST = 65535 };
    hy_bind *binds = calloc(MOST + 1, sizeof *binds);
    hy_error err;
    hy_buf sql;
    cells c;

    (void)state;
    for (size_t i = 0; i <= MOST; i++)
        binds[i] = bind_of(hy_int((int64_t)i));
    for (size_t n = MOST; n <= MOST + 1; n++) {
        hy_buf_init(&sql);
        hy_buf_puts(&sql, "SELECT 70000 IN (?");
        for (size_t i = 1; i < n; i++)
            hy_buf_puts(&sql, ",?");
        hy_buf_puts(&sql, ")");
        if (n == MOST) {
            query_at(anywhere, &c, hy_buf_text(&sql), binds, n);
            assert_int_equal(c.v[0].as.integer, 0);
        } else {
            assert_fails(HY_ELIMIT_EXCEEDED, err, try_query(anywhere, &c, &err, hy_buf_text(&sql), binds, n));
        }
        hy_buf_clear(&sql);
    }
    free(binds);
}

/* ---- errors ----------------------------------------------------------------------------- */

static void make_family(void)
{
    run("DROP TABLE IF EXISTS hy_child");
    run("DROP TABLE IF EXISTS hy_parent");
    run("CREATE TABLE hy_parent (id INT PRIMARY KEY, email VARCHAR(40) NOT NULL, age TINYINT, "
        "UNIQUE KEY hy_email (email), CONSTRAINT hy_adult CHECK (age >= 18)) ENGINE=InnoDB");
    run("CREATE TABLE hy_child (id INT PRIMARY KEY, parent INT, "
        "CONSTRAINT hy_fk FOREIGN KEY (parent) REFERENCES hy_parent (id)) ENGINE=InnoDB");
    run("INSERT INTO hy_parent VALUES (1, 'canary', 20), (2, 'b', 30)");
    run("INSERT INTO hy_child VALUES (1, 1)");
}

typedef struct failure {
    const char *sql;
    hy_status status;
    const char *constraint, *table, *columns; /* NULL: not looked at */
} failure;

static void expect_failures(const failure *list, size_t n)
{
    hy_error err;

    for (size_t i = 0; i < n; i++) {
        const failure *f = &list[i];
        hy_status status = try_run(anywhere, &err, f->sql);
        if (status != f->status)
            fail_msg("%s: %s: %s (%d)", f->sql, hy_status_name(status), err.message, err.native_code);
        assert_true(err.native_code > 1000);
        assert_int_equal(strlen(err.sqlstate), 5);
        if (strstr(err.message, "canary") != NULL)
            fail_msg("a value in \"%s\"", err.message);
        if (f->constraint != NULL)
            assert_string_equal(err.constraint, f->constraint);
        if (f->table != NULL)
            assert_string_equal(err.table, f->table);
        if (f->columns != NULL)
            assert_string_equal(err.columns, f->columns);
    }
}

static void test_constraints(void **state)
{
    static const failure list[] = {
        {"INSERT INTO hy_parent VALUES (3, 'canary', 20)", HY_EUNIQUE_VIOLATION, "hy_email", NULL, NULL},
        {"INSERT INTO hy_parent VALUES (1, 'x', 20)", HY_EUNIQUE_VIOLATION, "PRIMARY", NULL, NULL},
        {"INSERT INTO hy_child VALUES (2, 99)", HY_EFOREIGN_KEY_VIOLATION, "hy_fk", "hy_child", "parent"},
        {"DELETE FROM hy_parent WHERE id = 1", HY_EFOREIGN_KEY_VIOLATION, "hy_fk", "hy_child", "parent"},
        {"INSERT INTO hy_parent VALUES (4, NULL, 20)", HY_ENOT_NULL_VIOLATION, NULL, NULL, "email"},
        {"INSERT INTO hy_parent (id) VALUES (4)", HY_ENOT_NULL_VIOLATION, NULL, NULL, "email"},
        {"INSERT INTO hy_parent VALUES (4, 'canary4', 3)", HY_ECHECK_VIOLATION, "hy_adult", NULL, NULL},
        {"INSERT INTO hy_parent VALUES (4, 'x', 300)", HY_EDATA_INVALID, NULL, NULL, "age"},
        {"INSERT INTO hy_parent VALUES (4, 'x', 'canary')", HY_EDATA_INVALID, NULL, NULL, "age"},
        {"INSERT INTO hy_parent VALUES (4, REPEAT('canary', 20), 20)", HY_EDATA_INVALID, NULL, NULL, "email"},
        {"UPDATE hy_parent SET age = CAST('canary' AS SIGNED) WHERE id = 1", HY_EDATA_INVALID, NULL, NULL,
         NULL},
    };

    (void)state;
    make_family();
    expect_failures(list, sizeof list / sizeof list[0]);
}

static void test_statement_errors(void **state)
{
    static const failure list[] = {
        {"SELECT * FROM hy_missing", HY_EUNDEFINED_TABLE, NULL, "hy_missing", NULL},
        {"DROP TABLE hy_missing", HY_EUNDEFINED_TABLE, NULL, "hy_missing", NULL},
        {"SELECT nothing FROM hy_parent", HY_EUNDEFINED_COLUMN, NULL, NULL, "nothing"},
        {"SELECT hy_parent.nothing FROM hy_parent", HY_EUNDEFINED_COLUMN, NULL, NULL, "nothing"},
        {"CREATE TABLE hy_parent (x INT)", HY_EOBJECT_EXISTS, NULL, "hy_parent", NULL},
        {"ALTER TABLE hy_parent ADD COLUMN age INT", HY_EOBJECT_EXISTS, NULL, NULL, "age"},
        {"ALTER TABLE hy_parent DROP COLUMN nothing", HY_EUNDEFINED_COLUMN, NULL, NULL, "nothing"},
        {"SELECT id FROM hy_parent, hy_child", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELEC 1", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELECT 1; SELECT 2", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELECT 'canary' 1 'canary' FROM", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELECT ~0 + 'canary' + 1", HY_EDATA_INVALID, NULL, NULL, NULL},
        {"SELECT (SELECT 1 UNION SELECT 2)", HY_EDATA_INVALID, NULL, NULL, NULL},
        {"USE no_such_database", HY_EUNDEFINED_DATABASE, NULL, NULL, NULL},
        {"ROLLBACK TO SAVEPOINT nowhere", HY_ETRANSACTION_ABORTED, NULL, NULL, NULL},
        {"CALL no_such_procedure()", HY_ESYNTAX, NULL, NULL, NULL},
        {"SET GLOBAL no_such_variable = 1", HY_ESYNTAX, NULL, NULL, NULL},
    };

    (void)state;
    make_family();
    expect_failures(list, 11);
    expect_failures(list + 12, 5); /* SELECT of a bad number is only a warning */
    hy_error err;
    assert_int_equal(try_run(anywhere, &err, "SELECT 1\nFROM hy_parent\nWHER id = 1"), HY_ESYNTAX);
    assert_int_equal(err.position, strstr("SELECT 1\nFROM hy_parent\nWHER id = 1", "id") -
                                       "SELECT 1\nFROM hy_parent\nWHER id = 1" + 1);
    assert_int_equal(try_run(anywhere, &err, "SELECT (1"), HY_ESYNTAX);
    assert_int_equal(err.position, 10);
    assert_int_equal(try_run(anywhere, &err, " -- nothing\n /* at all */ ;"), HY_ESYNTAX);
}

/* ---- transactions ----------------------------------------------------------------------- */

static void make_accounts(void)
{
    run("DROP TABLE IF EXISTS hy_account");
    run("CREATE TABLE hy_account (id INT PRIMARY KEY, n INT) ENGINE=InnoDB");
    run("INSERT INTO hy_account VALUES (1, 0), (2, 0)");
}

typedef struct locker {
    hy_transaction *trx;
    hy_status status;
} locker;

static void *lock_first(void *arg)
{
    locker *l = arg;
    hy_error err;

    l->status = try_run((place){.trx = l->trx}, &err, "UPDATE hy_account SET n = n + 1 WHERE id = 1");
    return NULL;
}

/* Whoever was the victim: nothing more runs in that transaction, and nothing of it is stored. */
static void test_deadlock(void **state)
{
    hy_transaction *first, *second;
    pthread_t thread;
    hy_error err;

    (void)state;
    make_accounts();
    first = begin(shared);
    second = begin(shared);
    run_at((place){.trx = first}, "UPDATE hy_account SET n = n + 1 WHERE id = 1");
    run_at((place){.trx = second}, "UPDATE hy_account SET n = n + 1 WHERE id = 2");
    locker l = {.trx = second};
    assert_int_equal(pthread_create(&thread, NULL, lock_first, &l), 0);
    usleep(200000);
    hy_status mine = try_run((place){.trx = first}, &err, "UPDATE hy_account SET n = n + 1 WHERE id = 2");
    bool victim_is_first = mine == HY_EDEADLOCK;
    hy_transaction *victim = victim_is_first ? first : second, *other = victim_is_first ? second : first;
    if (!victim_is_first)
        assert_int_equal(mine, HY_OK);
    else
        assert_int_equal(hy_transaction_get_state(victim), HY_TRX_FAILED);
    (void)pthread_join(thread, NULL);
    assert_int_equal(l.status, victim_is_first ? HY_OK : HY_EDEADLOCK);

    assert_fails(HY_ETRANSACTION_ABORTED, err,
                 try_run((place){.trx = victim}, &err, "INSERT INTO hy_account VALUES (7, 7)"));
    assert_fails(HY_ETRANSACTION_ABORTED, err, commit(victim, &err));
    assert_non_null(strstr(err.message, "nothing of it is stored"));
    assert_int_equal(commit(other, &err), HY_OK);
    assert_int_equal(number("SELECT CAST(SUM(n) AS SIGNED) FROM hy_account"), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM hy_account"), 2);
}

/* DDL commits, done or failed: the transaction is gone and says so. */
static void test_ddl_commits(void **state)
{
    static const struct {
        const char *sql;
        hy_status status;
    } cases[] = {{"CREATE TABLE hy_ddl (x INT)", HY_OK},
                 {"CREATE TABLE hy_account (x INT)", HY_EOBJECT_EXISTS}};
    hy_error err;
    size_t depth;

    (void)state;
    make_accounts();
    for (size_t i = 0; i < 4; i++) {
        run("DROP TABLE IF EXISTS hy_ddl");
        hy_transaction *trx = begin(shared);
        place in = {.trx = trx};
        run_at(in, "UPDATE hy_account SET n = n + 1 WHERE id = 1");
        assert_int_equal(try_run(in, &err, cases[i % 2].sql), cases[i % 2].status);
        assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
        assert_fails(HY_ETRANSACTION_ABORTED, err, try_run(in, &err, "INSERT INTO hy_account VALUES (8, 8)"));
        assert_non_null(strstr(err.message, "what came before it is stored"));
        assert_fails(HY_ETRANSACTION_ABORTED, err, hy_transaction_savepoint(trx, &depth, &err));
        /* Neither end of it is what its caller thinks. */
        assert_int_equal(i < 2 ? hy_transaction_rollback(trx, &err) : hy_transaction_commit(trx, &err),
                         HY_OK);
        assert_fails(HY_ETRANSACTION_ABORTED, err, hy_transaction_run(trx, &err));
        assert_non_null(strstr(err.message, "what came before it is stored"));
        assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
        hy_transaction_free(trx);
    }
    assert_int_equal(number("SELECT n FROM hy_account WHERE id = 1"), 4);
    assert_int_equal(number("SELECT COUNT(*) FROM hy_account"), 2);
    run("DROP TABLE IF EXISTS hy_ddl");
}

/* Only the statement is undone: the transaction goes on. */
static void test_lock_timeout(void **state)
{
    hy_error err;

    (void)state;
    make_accounts();
    hy_transaction *first = begin(shared), *second = begin(shared);
    run_at((place){.trx = first}, "UPDATE hy_account SET n = 5 WHERE id = 1");
    run_at((place){.trx = second}, "SET innodb_lock_wait_timeout = 1");
    run_at((place){.trx = second}, "UPDATE hy_account SET n = 6 WHERE id = 2");
    assert_fails(HY_ELOCK_TIMEOUT, err,
                 try_run((place){.trx = second}, &err, "UPDATE hy_account SET n = 6 WHERE id = 1"));
    assert_int_equal(hy_transaction_get_state(second), HY_TRX_ACTIVE);
    assert_fails(
        HY_ELOCK_TIMEOUT, err,
        try_run((place){.trx = second}, &err, "SELECT * FROM hy_account WHERE id = 1 FOR UPDATE NOWAIT"));
    assert_int_equal(commit(second, &err), HY_OK);
    rollback(first);
    assert_int_equal(number("SELECT n FROM hy_account WHERE id = 2"), 6);
    assert_int_equal(number("SELECT n FROM hy_account WHERE id = 1"), 0);
}

static void test_savepoints(void **state)
{
    size_t depth;
    hy_error err;

    (void)state;
    make_accounts();
    hy_transaction *trx = begin(shared);
    place at = {.trx = trx};
    run_at(at, "UPDATE hy_account SET n = 1 WHERE id = 1");
    assert_int_equal(hy_transaction_savepoint(trx, &depth, &err), HY_OK);
    assert_int_equal(hy_transaction_run(trx, &err), HY_OK);
    run_at(at, "UPDATE hy_account SET n = 2 WHERE id = 1");
    assert_fails(HY_EUNIQUE_VIOLATION, err, try_run(at, &err, "INSERT INTO hy_account VALUES (2, 2)"));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    assert_int_equal(hy_transaction_rollback_to(trx, depth, &err), HY_OK);
    assert_int_equal(hy_transaction_run(trx, &err), HY_OK);
    assert_int_equal(commit(trx, &err), HY_OK);
    assert_int_equal(number("SELECT n FROM hy_account WHERE id = 1"), 1);
}

static void test_isolation(void **state)
{
    const hy_transaction_options read_only = {
        .isolation = HY_ISOLATION_READ_COMMITTED, .read_only = true, .may_block = true};
    hy_transaction *trx;
    hy_error err;

    (void)state;
    make_accounts();
    assert_int_equal(hy_source_begin(shared, &read_only, &trx, &err), HY_OK);
    place at = {.trx = trx};
    assert_int_equal(number_at(at, "SELECT n FROM hy_account WHERE id = 1"), 0);
    run("UPDATE hy_account SET n = 9 WHERE id = 1");
    assert_int_equal(number_at(at, "SELECT n FROM hy_account WHERE id = 1"), 9);
    assert_fails(HY_EREAD_ONLY, err, try_run(at, &err, "UPDATE hy_account SET n = 1"));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    assert_int_equal(commit(trx, &err), HY_OK);
    hy_transaction *dropped = begin(shared);
    run_at((place){.trx = dropped}, "UPDATE hy_account SET n = 77");
    hy_transaction_free(dropped);
    for (int tries = 0; tries < 100 && number("SELECT n FROM hy_account WHERE id = 2") != 0; tries++)
        usleep(10000);
    assert_int_equal(number("SELECT n FROM hy_account WHERE id = 2"), 0);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* 0 to n-1, each with a text that is long enough to fill a socket's buffers. */
static void make_rows(void)
{
    run("DROP TABLE IF EXISTS hy_rows");
    run("CREATE TABLE hy_rows (i INT PRIMARY KEY, t VARCHAR(400))");
    run("INSERT INTO hy_rows WITH RECURSIVE n AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 999) "
        "SELECT i, REPEAT(CHAR(65 + i MOD 26), 300) FROM n");
    for (int i = 1000; i < LONG_RESULT; i += 1000) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "INSERT INTO hy_rows SELECT i + %d, t FROM hy_rows WHERE i < 1000",
                       i);
        run(sql);
    }
}

static void expect_row(hy_cursor *cursor, int64_t i)
{
    const hy_value *row;
    hy_error err;
    hy_status status = hy_cursor_fetch(cursor, &row, &err);

    if (status != HY_OK)
        fail_msg("row %lld: %s", (long long)i, err.message);
    assert_int_equal(row[0].as.integer, i);
    assert_int_equal(row[1].as.text.size, 300);
    assert_int_equal(row[1].as.text.data[299], 'A' + i % 1000 % 26);
}

/* Several results open on one connection, of both protocols, each read bit by bit. */
static void test_interleaved(void **state)
{
    const hy_value *row;
    hy_error err;

    (void)state;
    make_rows();
    hy_transaction *trx = begin(shared);
    place at = {.trx = trx};
    hy_cursor *a = hy_cursor_new(), *b = hy_cursor_new(), *c = hy_cursor_new();
    assert_int_equal(start_cursor(a, at, &err, "SELECT i, t FROM hy_rows ORDER BY i", NULL, 0), HY_OK);
    for (int64_t i = 0; i < 10; i++)
        expect_row(a, i);
    assert_int_equal(start_cursor(b, at, &err, "SELECT i, t FROM hy_rows WHERE i >= 0 ORDER BY i", NULL, 0),
                     HY_OK);
    assert_int_equal(start_cursor(c, at, &err, "/*! */ SELECT i, t FROM hy_rows ORDER BY i", NULL, 0), HY_OK);
    for (int64_t i = 0; i < LONG_RESULT; i++) {
        if (i >= 10)
            expect_row(a, i);
        expect_row(b, i);
        expect_row(c, i);
        if (i % 5000 == 0)
            assert_int_equal(number_at(at, "SELECT COUNT(*) FROM hy_rows"), LONG_RESULT);
    }
    assert_int_equal(hy_cursor_fetch(a, &row, &err), HY_DONE);
    assert_int_equal(hy_cursor_fetch(b, &row, &err), HY_DONE);
    assert_int_equal(hy_cursor_fetch(c, &row, &err), HY_DONE);
    hy_cursor_free(a);
    hy_cursor_free(b);
    hy_cursor_free(c);
    assert_int_equal(commit(trx, &err), HY_OK);
}

/* Left in the middle, at every stage: the connection goes on, or is not lent again. */
static void test_left_early(void **state)
{
    hy_source_config config = base_config();
    hy_error err;

    (void)state;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    int64_t session = session_of(at);
    hy_cursor *cursor = hy_cursor_new(), *other = hy_cursor_new();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(start_cursor(cursor, at, &err, "SELECT i, t FROM hy_rows ORDER BY i", NULL, 0),
                         HY_OK);
        for (int64_t n = 0; n < i; n++)
            expect_row(cursor, n);
        if (i % 2 == 0) { /* stored meanwhile */
            assert_int_equal(
                start_cursor(other, at, &err, "SELECT i, t FROM hy_rows ORDER BY i LIMIT 3", NULL, 0), HY_OK);
            expect_row(other, 0);
        }
        hy_cursor_finish(cursor);
        if (i % 2 == 0)
            expect_row(other, 1);
        hy_cursor_finish(other);
        assert_int_equal(session_of(at), session);
    }
    hy_lease_release(lease);
    for (int i = 0; i < 5; i++) {
        place alone = {.source = source};
        assert_int_equal(start_cursor(cursor, alone, &err, "SELECT i, t FROM hy_rows ORDER BY i", NULL, 0),
                         HY_OK);
        expect_row(cursor, 0);
        hy_cursor_finish(cursor);
        assert_int_equal(number_at(alone, "SELECT 42"), 42);
    }
    hy_cursor_free(cursor);
    hy_cursor_free(other);
    shut(source);
}

static void test_counts(void **state)
{
    cells c;

    (void)state;
    run("DROP TABLE IF EXISTS hy_count");
    run("CREATE TABLE hy_count (id INT PRIMARY KEY AUTO_INCREMENT, n INT)");
    assert_int_equal(run("INSERT INTO hy_count (n) VALUES (1), (1), (2)"), 3);
    assert_int_equal(run("UPDATE hy_count SET n = 1 WHERE n = 1"), 2); /* matched, not changed */
    assert_int_equal(run("DELETE FROM hy_count WHERE n = 3"), 0);
    assert_int_equal(run("SELECT * FROM hy_count"), 0);
    assert_int_equal(run("WITH two AS (SELECT 2 AS n) SELECT c.id FROM hy_count c JOIN two ON two.n <= c.id"),
                     0);
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;
    assert_int_equal(
        start_cursor(cursor, anywhere, &err, "INSERT INTO hy_count (n) VALUES (5), (6)", NULL, 0), HY_OK);
    assert_int_equal(hy_cursor_affected(cursor), 2);
    assert_int_equal(hy_cursor_insert_id(cursor), 4); /* of the first row */
    hy_cursor_free(cursor);
    if (is_mariadb()) {
        assert_int_equal(run("DELETE FROM hy_count WHERE n = 1 RETURNING id"), 2);
        query_at(anywhere, &c, "INSERT INTO hy_count (n) VALUES (9) RETURNING id, n", NULL, 0);
        assert_int_equal(c.v[1].as.integer, 9);
        drop_cells(&c);
    }
    run("DROP TABLE hy_count");
}

static void test_procedures(void **state)
{
    hy_bind binds[] = {bind_of(hy_int(3))};
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    hy_error err;
    cells c;

    (void)state;
    run("DROP PROCEDURE IF EXISTS hy_both");
    run("CREATE PROCEDURE hy_both(x INT) BEGIN SELECT x + 1 AS a; SELECT 'two', 'columns'; DO 0; END");
    run("DROP PROCEDURE IF EXISTS hy_late");
    run("CREATE PROCEDURE hy_late() BEGIN SELECT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stop here'; "
        "END");
    for (int i = 0; i < 3; i++) {
        query_at(at, &c, "CALL hy_both(1)", NULL, 0); /* text */
        assert_int_equal(c.rows, 1);
        assert_int_equal(c.v[0].as.integer, 2);
        query_at(at, &c, "CALL hy_both(?)", binds, 1); /* prepared */
        assert_int_equal(c.rows, 1);
        assert_int_equal(c.v[0].as.integer, 4);
        assert_fails(HY_EDATABASE_ERROR, err, try_query(at, &c, &err, "CALL hy_late()", NULL, 0));
        assert_string_equal(err.message, "stop here");
        assert_int_equal(number_at(at, "SELECT 1"), 1);
    }
    run("DROP PROCEDURE hy_both");
    run("DROP PROCEDURE hy_late");
    hy_lease_release(lease);
}

/* ---- plans that age --------------------------------------------------------------------- */

static void test_changed_tables(void **state)
{
    hy_source_config config = base_config();
    hy_error err;
    cells c;

    (void)state;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    run("DROP TABLE IF EXISTS hy_shape");
    run("CREATE TABLE hy_shape (a INT)");
    run("INSERT INTO hy_shape VALUES (1)");
    hy_lease *lease = acquire(source); /* one connection, whose plans stay */
    at.lease = lease;
    query_at(at, &c, "SELECT * FROM hy_shape", NULL, 0);
    assert_int_equal(c.n, 1);
    drop_cells(&c);
    run("ALTER TABLE hy_shape ADD COLUMN b VARCHAR(5) DEFAULT 'x'");
    query_at(at, &c, "SELECT * FROM hy_shape", NULL, 0);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.bytes[1], "x");
    drop_cells(&c);
    run("ALTER TABLE hy_shape MODIFY a VARCHAR(9)");
    query_at(at, &c, "SELECT * FROM hy_shape", NULL, 0);
    assert_int_equal(c.v[0].type, HY_TEXT);
    assert_int_equal(c.kinds[0], HY_KIND_STRING);
    drop_cells(&c);
    if (is_mariadb()) { /* stored once, whatever the reading of its rows comes to */
        query_at(at, &c, "INSERT INTO hy_shape (a) VALUES ('new') RETURNING *", NULL, 0);
        drop_cells(&c);
        run("ALTER TABLE hy_shape DROP COLUMN b");
        hy_status status =
            try_query(at, &c, &err, "INSERT INTO hy_shape (a) VALUES ('new') RETURNING *", NULL, 0);
        assert_true(status == HY_OK || status == HY_EDATABASE_ERROR);
        drop_cells(&c);
        assert_int_equal(number_at(at, "SELECT COUNT(*) FROM hy_shape WHERE a = 'new'"), 2);
        query_at(at, &c, "INSERT INTO hy_shape (a) VALUES ('new') RETURNING *", NULL, 0);
        assert_int_equal(c.n, 1);
        drop_cells(&c);
    }
    hy_lease_release(lease);
    run("DROP TABLE hy_shape");
    shut(source);
}

/* The limit is the server's, for all its clients. */
static void test_no_more_statements(void **state)
{
    hy_source_config config = base_config();
    hy_bind binds[] = {bind_of(hy_int(3))};
    hy_error err;
    cells c;

    (void)state;
    int64_t old = number("SELECT @@max_prepared_stmt_count");
    hy_source *source = open_source(&config);
    place at = {.source = source};
    run("SET GLOBAL max_prepared_stmt_count = 0");
    hy_status plain = try_query(at, &c, &err, "SELECT 5", NULL, 0);
    int64_t five = plain == HY_OK ? c.v[0].as.integer : 0;
    drop_cells(&c);
    hy_status bound = try_query(at, &c, &err, "SELECT ?", binds, 1);
    drop_cells(&c);
    char sql[80];
    (void)snprintf(sql, sizeof sql, "SET GLOBAL max_prepared_stmt_count = %lld", (long long)old);
    run(sql);
    assert_int_equal(plain, HY_OK);
    assert_int_equal(five, 5);
    assert_int_equal(bound, HY_ELIMIT_EXCEEDED);
    assert_non_null(strstr(err.message, "max_prepared_stmt_count"));
    query_at(at, &c, "SELECT ?", binds, 1);
    assert_int_equal(c.v[0].as.integer, 3);
    shut(source);
}

/* ---- interruptions ---------------------------------------------------------------------- */

typedef struct killer {
    const char *what;
    int64_t session;
    int wait_ms;
} killer;

static void *kill_soon(void *arg)
{
    killer *k = arg;

    usleep((useconds_t)k->wait_ms * 1000);
    kill_session(k->what, k->session);
    return NULL;
}

/* The error comes after rows, or instead of the first. */
static void test_late_errors(void **state)
{
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    killer k = {"QUERY", session_of(at), 300};
    pthread_t thread;
    hy_error err;
    cells c;

    (void)state;
    make_rows();
    assert_int_equal(pthread_create(&thread, NULL, kill_soon, &k), 0);
    hy_status status = try_query(at, &c, &err, "SELECT i, t, SLEEP(0.001) FROM hy_rows ORDER BY i", NULL, 0);
    (void)pthread_join(thread, NULL);
    assert_int_equal(status, HY_EQUERY_CANCELED);
    drop_cells(&c);
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    const char *limited =
        is_mariadb() ? "SET STATEMENT max_statement_time = 0.2 FOR SELECT COUNT(*) FROM hy_rows a, hy_rows b "
                       "WHERE a.t > b.t"
                     : "SELECT /*+ MAX_EXECUTION_TIME(200) */ COUNT(*) FROM hy_rows a, hy_rows b "
                       "WHERE a.t > b.t";
    status = try_query(at, &c, &err, limited, NULL, 0);
    assert_int_equal(status, HY_EQUERY_TIMEOUT);
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    hy_lease_release(lease);
}

/* A stream that breaks off while another statement runs tells its own reader only. */
static void test_late_error_of_another(void **state)
{
    const hy_value *row;
    hy_error err;
    hy_status status = HY_OK;
    int64_t n = 0;

    (void)state;
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    int64_t session = session_of(at);
    hy_cursor *cursor = hy_cursor_new();
    assert_int_equal(
        start_cursor(cursor, at, &err,
                     "SELECT i, t FROM hy_rows WHERE SLEEP(IF(i < 2000, 0, 0.01)) = 0 ORDER BY i", NULL, 0),
        HY_OK);
    expect_row(cursor, n++);
    killer k = {"QUERY", session, 300};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_soon, &k), 0);
    assert_int_equal(number_at(at, "SELECT 7"), 7);
    (void)pthread_join(thread, NULL);
    while ((status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK)
        n++;
    assert_int_equal(status, HY_EQUERY_CANCELED);
    assert_true(n < LONG_RESULT);
    hy_cursor_free(cursor);
    assert_int_equal(number_at(at, "SELECT 8"), 8);
    hy_lease_release(lease);
}

static void test_killed_connection(void **state)
{
    hy_source_config config = base_config();
    hy_error err;

    (void)state;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    kill_session("", session_of(at)); /* idle: replaced unseen */
    usleep(100000);
    assert_int_equal(number_at(at, "SELECT 1"), 1);

    hy_lease *lease = acquire(source);
    at.lease = lease;
    kill_session("", session_of(at));
    assert_int_equal(try_run(at, &err, "SELECT 1"), HY_ECONNECTION_LOST);
    assert_int_equal(try_run(at, &err, "SELECT 1"), HY_ECONNECTION_LOST);
    hy_lease_release(lease);
    assert_int_equal(number_at((place){.source = source}, "SELECT 2"), 2);

    make_accounts();
    hy_transaction *trx = begin(source);
    run_at((place){.source = source, .trx = trx}, "UPDATE hy_account SET n = 3");
    kill_session("", session_of((place){.source = source, .trx = trx}));
    assert_fails(HY_EOUTCOME_UNKNOWN, err, commit(trx, &err));
    assert_int_equal(number("SELECT n FROM hy_account WHERE id = 1"), 0);
    assert_int_equal(number_at((place){.source = source}, "SELECT 2"), 2);
    assert_true(stats_of(source).discarded >= 3);
    shut(source);
}

/* What may have written something, for all that anybody knows, has not just failed. */
static hy_status lost_as(const char *sql, hy_status otherwise)
{
    return strncmp(sql, "DO", 2) == 0 ? HY_EOUTCOME_UNKNOWN : otherwise;
}

/* Busy when it was killed: while it runs, and while its rows come. */
static void test_killed_while_busy(void **state)
{
    static const char *const sql[] = {"SELECT SLEEP(10)", "SELECT i, t, SLEEP(0.001) FROM hy_rows",
                                      "DO SLEEP(10)"};
    hy_error err;
    cells c;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        hy_lease *lease = acquire(shared);
        place at = {.lease = lease};
        killer k = {"", session_of(at), 200};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, kill_soon, &k), 0);
        hy_status status = try_query(at, &c, &err, sql[i], NULL, 0);
        (void)pthread_join(thread, NULL);
        drop_cells(&c);
        assert_int_equal(status, lost_as(sql[i], HY_ECONNECTION_LOST));
        hy_lease_release(lease);
    }
    assert_int_equal(number("SELECT 1"), 1);
}

/* Time is up: the caller gets it back in time, and nobody gets that connection again. */
static void check_deadline(const char *ssl_mode)
{
    static const char *const sql[] = {"SELECT SLEEP(10)", "DO SLEEP(10)",
                                      "SELECT i, t, SLEEP(0.002) FROM hy_rows"};
    hy_source_config config = base_config();
    hy_error err;
    cells c;

    config.statement_timeout = 300;
    config.pool.max = 1;
    config.connect.ssl_mode = ssl_mode;
    hy_source *source = open_source(&config);
    place at = {.source = source}, calm = {.source = source, .timeout = 10000};
    int64_t last = session_of(calm);
    for (size_t i = 0; i < 3; i++) {
        int64_t began = hy_monotonic_ns();
        assert_fails(lost_as(sql[i], HY_EQUERY_TIMEOUT), err, try_query(at, &c, &err, sql[i], NULL, 0));
        int64_t took = (hy_monotonic_ns() - began) / MS;
        drop_cells(&c);
        assert_in_range(took, 299, 500);
        assert_int_equal(stats_of(source).discarded, i + 1);
        int64_t now = session_of(calm);
        assert_int_not_equal(now, last);
        last = now;
    }
    assert_int_equal(stats_of(source).leased, 0);
    shut(source);
}

static void test_deadline(void **state)
{
    (void)state;
    check_deadline("disable");
    check_deadline("prefer"); /* with TLS, where the server has it */
}

/* A task that is dropped at any point leaves no connection that answers for somebody else. */
static void test_abandoned_tasks(void **state)
{
    hy_source_config config = base_config();
    hy_error err;

    (void)state;
    config.pool.max = 2;
    hy_source *source = open_source(&config);
    for (int steps = 0; steps < 12; steps++) {
        hy_cursor *cursor = hy_cursor_new();
        const char *sql = "SELECT i, t FROM hy_rows WHERE SLEEP(IF(i MOD 5000 = 4999, 0.2, 0)) = 0";
        hy_run_options options = {.may_block = true};
        assert_int_equal(hy_cursor_start_raw(cursor, source, sql, strlen(sql), NULL, NULL, 0, &options, &err),
                         HY_OK);
        for (int i = 0; i < steps; i++) {
            hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
            if (hy_task_advance(hy_cursor_task(cursor), &wait, &err) != HY_AGAIN)
                break;
            (void)hy_wait_block(&wait);
        }
        hy_cursor_free(cursor);
        assert_int_equal(number_at((place){.source = source}, "SELECT 99"), 99);
    }
    shut(source);
}

/* ---- what a session leaves behind ------------------------------------------------------- */

static void test_reset(void **state)
{
    hy_source_config config = base_config();

    (void)state;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    run("CREATE DATABASE IF NOT EXISTS hy_other");
    int64_t session = session_of(at);
    hy_lease *lease = acquire(source);
    at.lease = lease;
    static const char *const dirt[] = {"SET @mine = 1",
                                       "SET sql_mode = ''",
                                       "SET NAMES latin1",
                                       "SET autocommit = 0",
                                       "SET time_zone = '+05:00'",
                                       "CREATE TEMPORARY TABLE hy_temp (x INT)",
                                       "DO GET_LOCK('hy_lock', 0)",
                                       "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
                                       "PREPARE hy_stmt FROM 'SELECT 1'",
                                       "USE hy_other",
                                       "SET innodb_lock_wait_timeout = 3",
                                       "START TRANSACTION",
                                       "SET @x = (SELECT 1)",
                                       "ROLLBACK"};
    for (size_t i = 0; i < sizeof dirt / sizeof dirt[0]; i++)
        run_at(at, dirt[i]);
    hy_lease_release(lease);
    at.lease = NULL;
    assert_int_equal(session_of(at), session); /* cleaned, not replaced */
    cells c;
    query_at(at, &c,
             "SELECT @mine, FIND_IN_SET('STRICT_TRANS_TABLES', @@sql_mode) > 0, @@character_set_client, "
             "@@autocommit, "
             "@@time_zone, IS_FREE_LOCK('hy_lock'), DATABASE(), @@innodb_lock_wait_timeout > 3, "
             "@@character_set_results, 'h\xc3\xa9'",
             NULL, 0);
    assert_int_equal(c.v[0].type, HY_NULL);
    assert_int_equal(c.v[1].as.integer, 1);
    assert_string_equal(c.bytes[2], "utf8mb4");
    assert_int_equal(c.v[3].as.integer, 1);
    assert_string_equal(c.bytes[4], "+00:00");
    assert_int_equal(c.v[5].as.integer, 1);
    assert_string_equal(c.bytes[6], address.database);
    assert_int_equal(c.v[7].as.integer, 1);
    assert_string_equal(c.bytes[8], "utf8mb4");
    assert_string_equal(c.bytes[9], "h\xc3\xa9");
    drop_cells(&c);
    hy_error err;
    assert_int_equal(try_run(at, &err, "SELECT * FROM hy_temp"), HY_EUNDEFINED_TABLE);
    assert_int_not_equal(try_run(at, &err, "EXECUTE hy_stmt"), HY_OK);
    expect_text_at(at, is_mariadb() ? "SELECT @@tx_isolation" : "SELECT @@transaction_isolation",
                   "REPEATABLE-READ");
    shut(source);
}

/* A statement that was kept survives the session's cleaning. */
static void test_cache_after_reset(void **state)
{
    hy_source_config config = base_config();
    hy_bind binds[] = {bind_of(hy_text("\xf0\x9f\x98\x80"))};
    cells c;

    (void)state;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    for (int i = 0; i < 10; i++) {
        query_at(at, &c, "SELECT ?", binds, 1);
        assert_string_equal(c.bytes[0], "\xf0\x9f\x98\x80");
        drop_cells(&c);
        run_at(at, "SET @dirt = 1"); /* the session is cleaned before the next */
    }
    assert_int_equal(stats_of(source).created, 1);
    shut(source);
}

/* ---- dangers ---------------------------------------------------------------------------- */

static void test_local_infile(void **state)
{
    hy_error err;

    (void)state;
    run("DROP TABLE IF EXISTS hy_file");
    run("CREATE TABLE hy_file (x TEXT)");
    run("SET GLOBAL local_infile = 1");
    hy_status status = try_run(anywhere, &err, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE hy_file");
    run("SET GLOBAL local_infile = 0");
    assert_int_equal(status, HY_EPERMISSION_DENIED);
    assert_int_equal(number("SELECT COUNT(*) FROM hy_file"), 0);
    run("DROP TABLE hy_file");
}

/* A write to a connection that is gone raises SIGPIPE, which nobody ignores here. */
static void test_broken_pipe(void **state)
{
    static const char *const modes[] = {"disable", "prefer"};
    struct sigaction action;
    hy_error err;

    (void)state;
    for (size_t mode = 0; mode < 2; mode++) {
        hy_source_config config = base_config();
        config.connect.ssl_mode = modes[mode];
        hy_source *source = open_source(&config);
        for (int i = 0; i < 20; i++) {
            hy_lease *lease = acquire(source);
            place at = {.source = source, .lease = lease};
            kill_session("", session_of(at));
            usleep(i % 2 == 0 ? 20000 : 0);
            assert_int_equal(try_run(at, &err, "SELECT 1"), HY_ECONNECTION_LOST);
            assert_int_equal(try_run(at, &err, "DO 1"), HY_ECONNECTION_LOST);
            hy_lease_release(lease);
        }
        shut(source);
    }
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
}

/* Asked by the leak sanitizer at exit. A thread that is inside a library then leaves what it holds. */
static int leaks_are_expected;
int __lsan_is_turned_off(void); /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __lsan_is_turned_off(void)  /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
{
    return leaks_are_expected;
}

/* A process may exit while a thread of it shakes hands. */
static void test_exit_while_connecting(void **state)
{
    (void)state;
    for (useconds_t i = 0; i < 40; i++) {
        int verdict = -1;
        pid_t child = fork();
        if (child == 0) {
            hy_source_config config = base_config();
            hy_run_options options = {.may_block = false};
            hy_cursor *cursor = hy_cursor_new();
            hy_source *source;
            hy_wait wait;
            hy_error err;
            leaks_are_expected = 1;
            config.connect.ssl_mode = "prefer";
            if (hy_source_open(&config, &source, &err) != HY_OK ||
                hy_cursor_start_raw(cursor, source, "SELECT 1", 8, NULL, NULL, 0, &options, &err) != HY_OK)
                _exit(2);
            (void)hy_task_advance(hy_cursor_task(cursor), &wait, &err);
            (void)usleep(i * 500);
            hy_cursor_free(cursor);
            hy_source_unref(source);
            exit(0);
        }
        assert_int_equal(waitpid(child, &verdict, 0), child);
        if (!WIFEXITED(verdict) || WEXITSTATUS(verdict) != 0)
            fail_msg("after %u us: signal %d, exit status %d", i * 500, WTERMSIG(verdict),
                     WEXITSTATUS(verdict));
    }
}

/* What other code of the thread did wrong with OpenSSL is not the end of our connection. */
static void test_foreign_tls_errors(void **state)
{
    hy_source_config config = base_config();
    hy_error err;

    (void)state;
    config.connect.ssl_mode = "prefer";
    hy_source *source = open_source(&config);
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    for (int i = 0; i < 5; i++) {
        ERR_put_error(ERR_LIB_USER, 0, 1, "elsewhere", 1);
        assert_int_equal(try_run(at, &err, "SELECT SLEEP(0.01)"), HY_OK);
    }
    ERR_clear_error();
    hy_lease_release(lease);
    shut(source);
}

/* A child may not speak on its parent's connection, nor end it. */
static void test_fork(void **state)
{
    hy_source_config config = base_config();
    int verdict = 0;

    (void)state;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    int64_t session = session_of(at);
    pid_t child = fork();
    if (child == 0) {
        hy_error err;
        hy_status status = try_run(at, &err, "SELECT 1");
        hy_lease_release(lease);
        hy_source_close(source);
        hy_source_unref(source);
        _exit(status == HY_ECLOSED ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &verdict, 0), child);
    assert_int_equal(verdict, 0);
    assert_int_equal(session_of(at), session);
    hy_lease_release(lease);
    assert_int_equal(session_of((place){.source = source}), session);
    shut(source);
}

/* Every allocation of ours fails in turn: an error each time, no leak, and then it works. */
static void test_memory_ends(void **state)
{
    hy_test_heap heap = {0};
    hy_bind binds[] = {bind_of(decimal("1.5")), bind_of(timestamp("2024-01-01 00:00:00"))};
    bool done = false;

    (void)state;
    hy_test_use_heap(&heap);
    for (long n = 1; !done && n < 200; n++) {
        hy_source_config config = base_config();
        hy_source *source = NULL;
        hy_error err;
        cells c = {0};
        heap = (hy_test_heap){.fail_at = n};
        hy_status status = hy_source_open(&config, &source, &err);
        if (status == HY_OK)
            status = try_query((place){.source = source}, &c, &err, "SELECT ?, ?, 'x' FROM hy_rows LIMIT 5",
                               binds, 2);
        drop_cells(&c);
        if (status == HY_OK)
            status = try_query((place){.source = source}, &c, &err, "SHOW TABLES", NULL, 0);
        done = heap.calls < n;
        drop_cells(&c);
        if (source != NULL)
            shut(source);
        if (!done && status != HY_OK && status != HY_EOUT_OF_MEMORY)
            fail_msg("allocation %ld: %s", n, err.message);
        hy_test_settle(&heap);
    }
    hy_test_use_heap(NULL);
    assert_true(done);
}

/* ---- main ------------------------------------------------------------------------------- */

/* Descriptors of this process that are open. */
static int open_files(void)
{
    int n = 0;

    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int files_before;

static int open_shared(void **state)
{
    hy_source_config config = base_config();

    (void)state;
    files_before = open_files();
    shared = open_source(&config);
    return 0;
}

static int remains; /* a teardown that fails is no failure to cmocka */

/* Threads of the engine may still close what the last test left to them. */
static int close_shared(void **state)
{
    int64_t end = hy_monotonic_ns() + 5000 * (int64_t)MS;

    (void)state;
    hy_pool_stats stats = stats_of(shared);
    shut(shared);
    while (open_files() != files_before && hy_monotonic_ns() < end)
        usleep(2000);
    remains += open_files() - files_before + stats.leased + stats.connecting;
    if (remains != 0)
        print_error("%d descriptors or connections were left open\n", remains);
    return remains != 0;
}

static void skip_test(void **state)
{
    (void)state;
    skip();
}

#define TEST(name)                           \
    {                                        \
#name, test_##name, NULL, NULL, NULL \
    }
static const struct CMUnitTest tests[] = {
    TEST(memory_ends), /* first: who changes the allocator must be alone */
    TEST(session),
    TEST(server_modes),
    TEST(config),
    TEST(refused_connections),
    TEST(host_names),
    TEST(wrong_type),
    TEST(tls),
    TEST(frozen_connect),
    TEST(numbers),
    TEST(floats),
    TEST(texts_and_times),
    TEST(parameters),
    TEST(refused_parameters),
    TEST(zero_dates),
    TEST(long_values),
    TEST(packet_limit),
    TEST(many_parameters),
    TEST(constraints),
    TEST(statement_errors),
    TEST(deadlock),
    TEST(ddl_commits),
    TEST(lock_timeout),
    TEST(savepoints),
    TEST(isolation),
    TEST(interleaved),
    TEST(left_early),
    TEST(counts),
    TEST(procedures),
    TEST(changed_tables),
    TEST(no_more_statements),
    TEST(late_errors),
    TEST(late_error_of_another),
    TEST(killed_connection),
    TEST(killed_while_busy),
    TEST(deadline),
    TEST(abandoned_tasks),
    TEST(reset),
    TEST(cache_after_reset),
    TEST(local_infile),
    TEST(broken_pipe),
    TEST(foreign_tls_errors),
    TEST(exit_while_connecting),
    TEST(fork),
};
enum { N_TESTS = sizeof tests / sizeof tests[0] };

/* HY_TEST_REQUIRE is a list like "postgres,mariadb". */
static bool is_required(const char *name)
{
    const char *list = getenv("HY_TEST_REQUIRE");
    size_t size = strlen(name);

    while (list != NULL && *list != '\0') {
        size_t word = strcspn(list, ",");
        if (word == size && strncmp(list, name, size) == 0)
            return true;
        list += word + (list[word] == ',');
    }
    return false;
}

static int test_server(const char *which, const char *variable)
{
    static struct CMUnitTest list[N_TESTS];
    static char names[N_TESTS][64];
    const char *url = getenv(variable);
    hy_error err;
    int failed;

    type = which;
    memcpy(list, tests, sizeof tests);
    for (size_t i = 0; i < N_TESTS; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s.%s", which, tests[i].name);
        list[i].name = names[i];
        if (url == NULL)
            list[i].test_func = skip_test;
    }
    if (url == NULL && is_required(which)) {
        print_error("HY_TEST_REQUIRE names %s, but %s is not set\n", which, variable);
        return 1;
    }
    if (url == NULL) {
        print_message("%s is not set: the tests of %s are skips\n", variable, which);
        return _cmocka_run_group_tests(which, list, N_TESTS, NULL, NULL);
    }
    if (hy_url_parse(url, strlen(url), &address, &err) != HY_OK) {
        print_error("%s: %s\n", variable, err.message);
        return 1;
    }
    failed = _cmocka_run_group_tests(which, list, N_TESTS, open_shared, close_shared);
    hy_url_clear(&address);
    return failed + (remains != 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return test_server("mariadb", "HY_TEST_MARIADB_URL") + test_server("mysql", "HY_TEST_MYSQL_URL");
}
