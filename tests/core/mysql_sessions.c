/*
 * mysql_sessions.c - sessions, servers that freeze, what a session leaves behind, dangers.
 */
#include "mysql_tests.h"

/* ---- sessions --------------------------------------------------------------------------- */

void test_session(void **state)
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
void test_server_modes(void **state)
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

void test_config(void **state)
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

void test_refused_connections(void **state)
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

void test_host_names(void **state)
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
void test_wrong_type(void **state)
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
void test_tls(void **state)
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
void test_frozen_connect(void **state)
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
        assert_in_range(took / MS, 299, 300 + grace_ms());
        shut(source);
        thaw(&f);
    }
}

/* ---- what a session leaves behind ------------------------------------------------------- */

void test_reset(void **state)
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
void test_cache_after_reset(void **state)
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

void test_local_infile(void **state)
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
void test_broken_pipe(void **state)
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

/* A child of the address sanitizer's hangs if a thread was inside of its allocator: helpers leave after 10 s.
 */
static void be_alone(void)
{
#ifdef __SANITIZE_ADDRESS__
    int64_t until = hy_monotonic_ns() + 15000 * (int64_t)MS;

    while (threads_now() > 1 && hy_monotonic_ns() < until)
        (void)usleep(1000);
#endif
}

/* A process may exit while a thread of it shakes hands. */
void test_exit_while_connecting(void **state)
{
    (void)state;
    be_alone();
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
void test_foreign_tls_errors(void **state)
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
void test_fork(void **state)
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
void test_memory_ends(void **state)
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
