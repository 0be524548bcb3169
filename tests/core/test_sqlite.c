/*
 * The SQLite driver against real SQLite: settings, values, errors and their fields, locks,
 * time, cancelling, a full disk, exact decimals, fair writers, fork, and memory that ends
 * inside SQLite as well as inside the engine.
 */
#include "sqlite_tests.h"

char directory[] = "/tmp/hysteria-sqlite-XXXXXX";
char file[64];

/* ---- opening and settings ---------------------------------------------------------------- */

static void a_session_is_safe_by_default(void **state)
{
    hy_source *source = open_file();
    hy_error err;

    (void)state;
    assert_string_equal(one(source, "PRAGMA journal_mode"), "wal");
    assert_string_equal(one(source, "PRAGMA synchronous"), "1");
    assert_string_equal(one(source, "PRAGMA foreign_keys"), "1");
    assert_string_equal(one(source, "PRAGMA trusted_schema"), "0");
    assert_string_equal(one(source, "PRAGMA busy_timeout"), "0");
    assert_string_equal(one(source, "SELECT 'a' LIKE 'A'"), "0");
    assert_fails(HY_EUNDEFINED_COLUMN, err, try_run(source, "SELECT \"no_such\"", &err)); /* no string */
    assert_fails(HY_EUNDEFINED_COLUMN, err, try_run(source, "CREATE TABLE q (a, CHECK (a <> \"b\"))", &err));
    assert_int_not_equal(HY_OK, try_run(source, "SELECT load_extension('x')", &err));
    run(source, "CREATE TABLE t (a)");
    hy_lease *lease = acquire(source);
    const hy_run_options on = {.lease = lease};
    run_with(source, &on, "PRAGMA writable_schema=ON");
    assert_int_not_equal(
        HY_OK, hy_source_execute_raw(source, "DELETE FROM sqlite_master", NULL, 0, &on, NULL, &err));
    hy_lease_release(lease);
    hy_source_unref(source);
}

typedef struct option_case {
    const char *name, *value, *ask, *answer;
} option_case;

static void options_come_true(void **state)
{
    static const option_case cases[] = {
        {"journal_mode", "DELETE", "PRAGMA journal_mode", "delete"},
        {"journal_mode", "truncate", "PRAGMA journal_mode", "truncate"},
        {"synchronous", "full", "PRAGMA synchronous", "2"},
        {"cache_size", "-4000", "PRAGMA cache_size", "-4000"},
        {"mmap_size", "1048576", "PRAGMA mmap_size", "1048576"},
        {"temp_store", "memory", "PRAGMA temp_store", "2"},
        {"page_size", "8192", "PRAGMA page_size", "8192"},
        {"wal_autocheckpoint", "50", "PRAGMA wal_autocheckpoint", "50"},
        {"max_page_count", "100", "PRAGMA max_page_count", "100"},
        {"foreign_keys", "off", "PRAGMA foreign_keys", "0"},
        {"foreign_keys", "TRUE", "PRAGMA foreign_keys", "1"},
        {"case_sensitive_like", "no", "SELECT 'a' LIKE 'A'", "1"},
        {"busy_timeout", "5", "SELECT 1", "1"},
        {"create", "on", "SELECT 1", "1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_connect_option option = {cases[i].name, cases[i].value};
        hy_source_config config = config_of(file);
        config.connect.options = &option;
        config.connect.n_options = 1;
        remove_files();
        hy_source *source = open_config(config);
        assert_string_equal(one(source, cases[i].ask), cases[i].answer);
        hy_source_unref(source);
    }
}

typedef struct refused_case {
    const char *database;
    hy_connect_option option;
    hy_status status;
    const char *says;
} refused_case;

static void what_cannot_be_opened_says_why(void **state)
{
    static const refused_case cases[] = {
        {":memory:", {"journl_mode", "wal"}, HY_EUNKNOWN_OPTION, "did you mean \"journal_mode\""},
        {":memory:", {"zzzzzzzz", "1"}, HY_EUNKNOWN_OPTION, "no option"},
        {":memory:", {"journal_mode", "off"}, HY_EINVALID_CONFIG, "wal, delete"},
        {":memory:", {"journal_mode", "wal"}, HY_EINVALID_CONFIG, "cannot use journal_mode"},
        {":memory:", {"cache_size", "1; DROP TABLE x"}, HY_EINVALID_CONFIG, "integer"},
        {":memory:", {"page_size", "1"}, HY_EINVALID_CONFIG, "from 512"},
        {":memory:", {"foreign_keys", "maybe"}, HY_EINVALID_CONFIG, "on or off"},
        {":memory:", {"foreign_keys", NULL}, HY_EINVALID_CONFIG, "on or off"},
        {"file:x.db", {"create", "on"}, HY_EINVALID_CONFIG, "uri = on"},
        {"/no/such/directory/secret.db", {"create", "on"}, HY_EUNDEFINED_DATABASE, "does not exist"},
        {"/dev/null/x.db", {"create", "on"}, HY_EUNDEFINED_DATABASE, "no directory"},
        {"/tmp", {"create", "on"}, HY_ECONNECTION_REFUSED, "directory"},
    };
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_source_config config = config_of(cases[i].database);
        config.connect.options = &cases[i].option;
        config.connect.n_options = 1;
        hy_source *source = open_config(config);
        assert_fails(cases[i].status, err, try_run(source, "SELECT 1", &err));
        if (strstr(err.message, cases[i].says) == NULL)
            fail_msg("%s", err.message);
        assert_null(strstr(err.message, "secret"));
        hy_source_unref(source);
    }
}

static void a_missing_file_is_made_only_if_wanted(void **state)
{
    static const hy_connect_option no_create = {"create", "off"};
    hy_source_config config = config_of(file);
    hy_error err;

    (void)state;
    config.connect.options = &no_create;
    config.connect.n_options = 1;
    hy_source *source = open_config(config);
    assert_fails(HY_EUNDEFINED_DATABASE, err, try_run(source, "SELECT 1", &err));
    hy_source_unref(source);
    config.connect.n_options = 0;
    config.connect.read_only = true;
    source = open_config(config);
    assert_fails(HY_EUNDEFINED_DATABASE, err, try_run(source, "SELECT 1", &err));
    hy_source_unref(source);
    assert_int_equal(access(file, F_OK), -1);
}

static void a_damaged_file_is_told(void **state)
{
    FILE *f = fopen(file, "w");
    hy_error err;

    (void)state;
    assert_non_null(f);
    for (int i = 0; i < 4096; i++)
        fputs("this is no database ", f);
    fclose(f);
    hy_source *source = open_file();
    assert_fails(HY_EDATABASE_CORRUPT, err, try_run(source, "SELECT 1", &err));
    hy_source_unref(source);
}

static int open_as_nobody(void)
{
    hy_error err;

    if (setuid(65534) != 0)
        return 2;
    hy_source *source = open_file();
    hy_status status = try_run(source, "SELECT 1", &err);
    hy_source_unref(source);
    return status == HY_EPERMISSION_DENIED && err.status == status ? 0 : 1;
}

/* The superuser may open everything, so a child that is not he tries. */
static void a_file_that_may_not_be_opened_is_told(void **state)
{
    hy_source *source = open_file();
    hy_error err;
    int status;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_source_unref(source);
    assert_int_equal(0, chmod(file, 0));
    if (geteuid() != 0) {
        source = open_file();
        assert_fails(HY_EPERMISSION_DENIED, err, try_run(source, "SELECT 1", &err));
        hy_source_unref(source);
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(open_as_nobody());
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_read_only_connection_never_writes(void **state)
{
    hy_source *source = open_file();
    hy_source_config config = config_of(file);
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    run(source, "INSERT INTO t VALUES (1)");
    config.connect.read_only = true;
    hy_source *reader = open_config(config);
    assert_string_equal(one(reader, "SELECT a FROM t"), "1");
    assert_fails(HY_EREAD_ONLY, err, try_run(reader, "INSERT INTO t VALUES (2)", &err));
    assert_fails(HY_EREAD_ONLY, err, try_run(reader, "DROP TABLE t", &err));
    hy_source_unref(reader);
    hy_source_unref(source);
}

static void private_databases_have_one_connection(void **state)
{
    static const hy_connect_option uri = {"uri", "on"};
    static const char *const names[] = {NULL, "", ":memory:", "file::memory:", "file:x?mode=memory"};
    hy_pool_stats stats;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        hy_source_config config = config_of(names[i]);
        config.connect.options = &uri;
        config.connect.n_options = 1;
        hy_source *source = open_config(config);
        run(source, "CREATE TABLE t (a)");
        run(source, "INSERT INTO t VALUES (1)");
        assert_string_equal(one(source, "SELECT count(*) FROM t"), "1");
        hy_source_stats(source, &stats);
        assert_int_equal(stats.max, 1);
        hy_source_unref(source);
    }
}

/* ---- locks ------------------------------------------------------------------------------- */

/* Another process takes the write lock until `*go` is written to. */
static pid_t lock_in_another_process(int *go)
{
    int ready[2], end[2];
    char byte = 0;

    assert_int_equal(0, pipe(ready));
    assert_int_equal(0, pipe(end));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sqlite3 *db;
        if (sqlite3_open(file, &db) != SQLITE_OK ||
            sqlite3_exec(db, "BEGIN EXCLUSIVE; INSERT INTO t VALUES (100)", NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        if (write(ready[1], "x", 1) != 1 || read(end[0], &byte, 1) != 1)
            _exit(1);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        sqlite3_close(db);
        _exit(0);
    }
    assert_int_equal(1, read(ready[0], &byte, 1));
    close(ready[0]);
    close(ready[1]);
    close(end[0]);
    *go = end[1];
    return pid;
}

static void *let_go_soon(void *ctx)
{
    int *go = ctx;

    sleep_ms(120);
    if (write(*go, "x", 1) != 1)
        return ctx;
    return NULL;
}

static void waits_for_another_process(void **state)
{
    hy_source *source = open_file();
    hy_error err;
    int go, status;
    pthread_t thread;
    const hy_run_options hurried = {.timeout = 80};

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_source_unref(source); /* no handle may live through fork */
    pid_t pid = lock_in_another_process(&go);
    source = open_file();
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_ELOCK_TIMEOUT, err,
                 hy_source_execute_raw(source, "INSERT INTO t VALUES (1)", NULL, 0, &hurried, NULL, &err));
    assert_int_equal(err.native_code, SQLITE_BUSY);
    int64_t took = hy_monotonic_ns() - began;
    assert_true(took >= 79 * (int64_t)MS && took < BUSY * (int64_t)MS);
    assert_string_equal(one(source, "SELECT count(*) FROM t"), "0"); /* readers go on */

    assert_int_equal(0, pthread_create(&thread, NULL, let_go_soon, &go));
    run(source, "INSERT INTO t VALUES (2)"); /* waits and gets it */
    void *failed;
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(status, 0);
    close(go);
    assert_string_equal(one(source, "SELECT sum(a) FROM t"), "102");
    hy_source_unref(source);
}

static void opening_waits_too(void **state)
{
    hy_source *source = open_file();
    int go, status;
    pthread_t thread;
    static const hy_connect_option mode = {"journal_mode", "delete"};
    hy_source_config config = config_of(file);

    (void)state;
    config.connect.options = &mode;
    config.connect.n_options = 1;
    hy_source_unref(source);
    source = open_config(config);
    run(source, "CREATE TABLE t (a)");
    hy_source_unref(source);
    pid_t pid = lock_in_another_process(&go); /* a rollback journal locks readers out */
    assert_int_equal(0, pthread_create(&thread, NULL, let_go_soon, &go));
    int64_t began = hy_monotonic_ns();
    source = open_file(); /* and changes the journal mode: needs the lock */
    assert_string_equal(one(source, "SELECT sum(a) FROM t"), "100");
    assert_true(hy_monotonic_ns() - began > 50 * (int64_t)MS);
    pthread_join(thread, NULL);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    close(go);
    assert_string_equal(one(source, "PRAGMA journal_mode"), "wal");
    hy_source_unref(source);
}

static void a_stale_snapshot_is_a_serialization_failure(void **state)
{
    hy_source *source = open_file(), *other = open_file();
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_lease *lease = acquire(source);
    const hy_run_options on = {.lease = lease};
    run_with(source, &on, "BEGIN");
    assert_string_equal(one_with(source, &on, "SELECT count(*) FROM t", NULL, 0), "0");
    run(other, "INSERT INTO t VALUES (1)");
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_ESERIALIZATION_FAILURE, err,
                 hy_source_execute_raw(source, "INSERT INTO t VALUES (2)", NULL, 0, &on, NULL, &err));
    assert_true(hy_monotonic_ns() - began < BUSY * (int64_t)MS); /* not waited for: it cannot heal */
    assert_int_equal(err.native_code, SQLITE_BUSY_SNAPSHOT);
    hy_lease_release(lease);
    hy_source_unref(source);
    hy_source_unref(other);
}

static void dropping_a_table_that_is_read_is_told(void **state)
{
    hy_source *source = open_memory();
    hy_transaction *trx;
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    run(source, "INSERT INTO t VALUES (1), (2)");
    assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
    const hy_run_options in = {.transaction = trx};
    hy_cursor *cursor = query_binds(source, &in, "SELECT a FROM t", NULL, 0);
    (void)fetch(cursor);
    run_with(source, &in, "UPDATE t SET a = a + 10"); /* statements may interleave */
    assert_fails(HY_EDATABASE_ERROR, err,
                 hy_source_execute_raw(source, "DROP TABLE t", NULL, 0, &in, NULL, &err));
    assert_non_null(strstr(err.message, "still open"));
    (void)fetch(cursor);
    hy_cursor_finish(cursor);
    run_with(source, &in, "DROP TABLE t");
    hy_cursor_free(cursor);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* Reading takes no ticket, whatever the transaction does with savepoints. */
static void a_read_only_transaction_lets_writers_by(void **state)
{
    hy_source *source = open_file();
    const hy_transaction_options reading = {.read_only = true};
    hy_transaction *trx;
    hy_error err;
    size_t depth;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    assert_int_equal(HY_OK, hy_source_begin(source, &reading, &trx, &err));
    const hy_run_options in = {.transaction = trx};
    assert_string_equal(one_with(source, &in, "SELECT count(*) FROM t", NULL, 0), "0");
    assert_int_equal(HY_OK, hy_transaction_savepoint(trx, &depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    assert_fails(HY_EREAD_ONLY, err,
                 hy_source_execute_raw(source, "DELETE FROM t", NULL, 0, &in, NULL, &err));
    assert_fails(HY_EREAD_ONLY, err,
                 hy_source_execute_raw(source, "CREATE TABLE u (a)", NULL, 0, &in, NULL, &err));
    assert_false(hy_transaction_lease(trx)->has_ticket);
    run(source, "INSERT INTO t VALUES (1)"); /* somebody else, meanwhile */
    assert_string_equal(one_with(source, &in, "SELECT count(*) FROM t", NULL, 0), "0"); /* its own snapshot */
    assert_int_equal(HY_OK, hy_transaction_rollback_to(trx, depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    assert_false(hy_transaction_lease(trx)->has_ticket);
    assert_int_equal(HY_OK, hy_transaction_commit(trx, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    hy_transaction_free(trx);
    assert_string_equal(one(source, "SELECT count(*) FROM t"), "1");
    hy_source_unref(source);
}

/* A deferred foreign key is looked at by COMMIT: refused, rolled back, told. */
static void a_deferred_key_fails_at_commit(void **state)
{
    hy_source *source = open_memory();
    hy_transaction *trx;
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE a (id INTEGER PRIMARY KEY)");
    run(source, "CREATE TABLE b (a_id INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)");
    assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
    const hy_run_options in = {.transaction = trx};
    run_with(source, &in, "INSERT INTO b VALUES (9)");
    assert_int_equal(HY_OK, hy_transaction_commit(trx, &err));
    assert_fails(HY_EFOREIGN_KEY_VIOLATION, err, hy_transaction_run(trx, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    hy_transaction_free(trx);
    assert_string_equal(one(source, "SELECT count(*) FROM b"), "0");
    hy_source_unref(source);
}

/* ---- time -------------------------------------------------------------------------------- */

static const char endless[] =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

static void a_deadline_stops_an_endless_statement(void **state)
{
    hy_source *source = open_memory();
    hy_error err;
    const hy_run_options hurried = {.timeout = 100};

    (void)state;
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_EQUERY_TIMEOUT, err,
                 hy_source_execute_raw(source, endless, NULL, 0, &hurried, NULL, &err));
    int64_t took = hy_monotonic_ns() - began;
    printf("    stopped after %lld ms of 100\n", (long long)(took / MS));
    assert_true(took >= 99 * (int64_t)MS && took < BUSY * (int64_t)MS);
    assert_string_equal(one(source, "SELECT 1"), "1"); /* the connection is fine, and without a deadline */
    hy_source_unref(source);
}

/* Rows that come slowly: the deadline holds for fetching as well. */
static void a_deadline_covers_fetching(void **state)
{
    hy_source *source = open_memory();
    hy_error err;
    const hy_value *row;
    const hy_run_options hurried = {.timeout = 60, .may_block = true};
    static const char sql[] =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        " WHERE i = 1 OR i > 1000000000000";

    (void)state;
    hy_cursor *cursor = query_binds(source, &hurried, sql, NULL, 0);
    assert_int_equal(fetch(cursor)[0].as.integer, 1);
    assert_fails(HY_EQUERY_TIMEOUT, err, hy_cursor_fetch(cursor, &row, &err));
    assert_fails(HY_ECLOSED, err, hy_cursor_fetch(cursor, &row, &err));
    assert_string_equal(one(source, "SELECT 1"), "1");
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void *cancel_soon(void *ctx)
{
    sleep_ms(60);
    hy_cursor_cancel(ctx);
    return NULL;
}

/* Start on the lease and run to the first row or the end. */
static hy_status try_on(hy_cursor *cursor, hy_lease *lease, const char *sql, hy_error *err)
{
    const hy_run_options on = {.lease = lease, .may_block = true};
    hy_status status =
        hy_cursor_start_raw(cursor, hy_lease_source(lease), sql, strlen(sql), NULL, NULL, 0, &on, err);

    return status == HY_OK ? hy_task_run(hy_cursor_task(cursor), err) : status;
}

/* The one that is cancelled ends, others of its connection go on. */
static void another_thread_can_cancel(void **state)
{
    hy_source *source = open_memory();
    hy_lease *lease = acquire(source);
    hy_cursor *cursor = hy_cursor_new(), *other = hy_cursor_new();
    const hy_value *row;
    hy_error err;
    pthread_t thread;

    (void)state;
    assert_int_equal(HY_OK, try_on(other, lease, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(other, &row, &err));
    hy_cursor_cancel(cursor); /* nothing runs: no harm */
    assert_int_equal(HY_OK, try_on(cursor, lease, "SELECT 1", &err));
    int64_t began = hy_monotonic_ns();
    assert_int_equal(0, pthread_create(&thread, NULL, cancel_soon, cursor));
    assert_fails(HY_EQUERY_CANCELED, err, try_on(cursor, lease, endless, &err));
    assert_in_range((hy_monotonic_ns() - began) / (int64_t)MS, 59, 60 + grace_ms());
    pthread_join(thread, NULL);
    assert_int_equal(HY_OK, hy_cursor_fetch(other, &row, &err));
    assert_int_equal(row[0].as.integer, 2);
    assert_int_equal(HY_OK, try_on(cursor, lease, "SELECT 1", &err));
    hy_cursor_cancel(cursor); /* its row is there, but was not asked for */
    assert_fails(HY_EQUERY_CANCELED, err, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(other, &row, &err));
    hy_cursor_free(cursor);
    hy_cursor_free(other);
    hy_lease_release(lease);
    hy_source_unref(source);
}

/* ---- sessions ---------------------------------------------------------------------------- */

static void a_changed_session_is_restored(void **state)
{
    hy_source *source = open_memory();
    hy_error err;
    hy_pool_stats stats;

    (void)state;
    run(source, "CREATE TABLE keep (a)");
    run(source, "PRAGMA foreign_keys = OFF");
    assert_string_equal(one(source, "PRAGMA foreign_keys"), "1");
    run(source, "PRAGMA query_only = ON");
    run(source, "INSERT INTO keep VALUES (1)");
    run(source, "PRAGMA case_sensitive_like = OFF");
    assert_string_equal(one(source, "SELECT 'a' LIKE 'A'"), "0");
    run(source, "CREATE TEMP TABLE \"te\"\"mp\" (a)");
    assert_fails(HY_EUNDEFINED_TABLE, err, try_run(source, "SELECT * FROM \"te\"\"mp\"", &err));
    run(source, "/* x */ create table temp.other (a)");
    assert_fails(HY_EUNDEFINED_TABLE, err, try_run(source, "SELECT * FROM other", &err));
    run(source, "ATTACH ':memory:' AS \"side car\"");
    assert_string_equal(one(source, "SELECT count(*) FROM pragma_database_list WHERE name = 'side car'"),
                        "0");
    assert_string_equal(one(source, "SELECT count(*) FROM keep"), "1");
    hy_source_stats(source, &stats);
    assert_int_equal(stats.created, 1); /* a private database survives all that */

    /* on a lease of one's own it stays as it was set */
    hy_lease *lease = acquire(source);
    const hy_run_options on = {.lease = lease};
    run_with(source, &on, "CREATE TEMP TABLE mine (a)");
    run_with(source, &on, "INSERT INTO mine VALUES (3)");
    assert_string_equal(one_with(source, &on, "SELECT a FROM mine", NULL, 0), "3");
    hy_lease_release(lease);
    hy_source_unref(source);
}

/* ---- writers ----------------------------------------------------------------------------- */

enum { WRITERS = 8, MOST_COMMITS = 300 };
typedef struct writer {
    hy_source *source;
    pthread_t thread;
    pthread_barrier_t *start;
    atomic_bool *stop;
    int commits;
    int64_t longest;
    hy_status status;
    char message[128];
} writer;

/* Read, modify, write: the case where deferred transactions run into each other. */
static hy_status transfer(hy_source *source, hy_error *err)
{
    hy_transaction *trx;
    hy_status status = hy_source_begin(source, NULL, &trx, err);

    if (status != HY_OK)
        return status;
    const hy_run_options in = {.transaction = trx};
    status = hy_source_execute_raw(source, "SELECT n FROM counter", NULL, 0, &in, NULL, err);
    if (status == HY_OK)
        status = hy_source_execute_raw(source, "UPDATE counter SET n = n + 1", NULL, 0, &in, NULL, err);
    if (status == HY_OK)
        status = hy_transaction_commit(trx, err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, err);
    hy_transaction_free(trx);
    return status;
}

static void *write_until_stopped(void *ctx)
{
    writer *w = ctx;
    hy_error err;

    (void)pthread_barrier_wait(w->start);
    while (!atomic_load(w->stop) && w->status == HY_OK) {
        int64_t began = hy_monotonic_ns();
        w->status = transfer(w->source, &err);
        int64_t took = hy_monotonic_ns() - began;
        if (took > w->longest)
            w->longest = took;
        if (w->status == HY_OK)
            w->commits++;
        if (w->commits == MOST_COMMITS) /* the first to have so many ends it for all */
            atomic_store(w->stop, true);
        if (w->status != HY_OK)
            snprintf(w->message, sizeof w->message, "%.120s", err.message);
    }
    return NULL;
}

static void writers_are_served_alike(void **state)
{
    hy_source *source = open_file();
    writer writers[WRITERS];
    pthread_barrier_t begin;
    atomic_bool stop = false;
    int least = INT32_MAX, most = 0, total = 0;
    int64_t longest = 0;

    (void)state;
    run(source, "CREATE TABLE counter (n INTEGER)");
    run(source, "INSERT INTO counter VALUES (0)");
    assert_int_equal(0, pthread_barrier_init(&begin, NULL, WRITERS));
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.source = source, .start = &begin, .stop = &stop};
        assert_int_equal(0, pthread_create(&writers[i].thread, NULL, write_until_stopped, &writers[i]));
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        if (writers[i].status != HY_OK)
            fail_msg("a writer saw %s: %s", hy_status_name(writers[i].status), writers[i].message);
        least = writers[i].commits < least ? writers[i].commits : least;
        most = writers[i].commits > most ? writers[i].commits : most;
        longest = writers[i].longest > longest ? writers[i].longest : longest;
        total += writers[i].commits;
    }
    pthread_barrier_destroy(&begin);
    printf("    %d commits, %d to %d a thread, longest %lld us\n", total, least, most,
           (long long)(longest / 1000));
    /* A busy machine takes turns away; without the queue one may do a hundred times what another does. */
    assert_true(is_full_scale() ? most < least * 3 : least > 0);
    char expected[32];
    snprintf(expected, sizeof expected, "%d", total);
    assert_string_equal(one(source, "SELECT n FROM counter"), expected);
    hy_source_unref(source);
}

/* ---- fork -------------------------------------------------------------------------------- */

/* Descriptors of this process that are open on the database file itself. */
static int open_handles(void)
{
    char path[64], target[96];
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(path, target, sizeof target - 1);
        target[size > 0 ? size : 0] = '\0';
        n += strcmp(target, file) == 0;
    }
    return n;
}

static int child_of(hy_source *source, hy_lease *held)
{
    const hy_run_options on = {.lease = held};
    hy_error err;
    int inherited = open_handles();

    if (hy_source_execute_raw(source, "INSERT INTO t VALUES (66)", NULL, 0, &on, NULL, &err) != HY_ECLOSED)
        return 1; /* an inherited connection must refuse */
    hy_lease_release(held);
    if (inherited != 1 || open_handles() != inherited)
        return 3; /* closing would drop the parent's locks and journal */
    if (hy_source_execute_raw(source, "INSERT INTO t VALUES (2)", NULL, 0, NULL, NULL, &err) != HY_OK)
        return 2; /* a new one of its own is fine */
    hy_source_unref(source);
    return 0;
}

static void a_child_does_not_touch_inherited_connections(void **state)
{
    hy_source *source = open_file();
    int status;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_lease *held = acquire(source); /* the only one: SQLite would keep handles open for others */
    const hy_run_options on = {.lease = held};
    run_with(source, &on, "INSERT INTO t VALUES (1)");
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child_of(source, held));
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    run_with(source, &on, "INSERT INTO t VALUES (3)");
    assert_string_equal(one(source, "SELECT group_concat(a) FROM t"), "1,2,3");
    assert_string_equal(one(source, "PRAGMA integrity_check"), "ok");
    hy_lease_release(held);
    hy_source_unref(source);
}

/* ---- memory that ends --------------------------------------------------------------------- */

static sqlite3_mem_methods libc_methods;
static hy_test_heap inside; /* SQLite's own allocations, while `counting` */
static bool counting;

static bool refuse_inside(void)
{
    if (!counting)
        return false;
    inside.calls++;
    return inside.fail_at > 0 &&
           (inside.calls == inside.fail_at || (inside.fail_on && inside.calls > inside.fail_at));
}

static void *malloc_inside(int size)
{
    return refuse_inside() ? NULL : libc_methods.xMalloc(size);
}

static void *realloc_inside(void *ptr, int size)
{
    return refuse_inside() ? NULL : libc_methods.xRealloc(ptr, size);
}

static void wrap_sqlite_memory(void)
{
    assert_int_equal(SQLITE_OK, sqlite3_config(SQLITE_CONFIG_GETMALLOC, &libc_methods));
    sqlite3_mem_methods wrapped = libc_methods;
    wrapped.xMalloc = malloc_inside;
    wrapped.xRealloc = realloc_inside;
    assert_int_equal(SQLITE_OK, sqlite3_config(SQLITE_CONFIG_MALLOC, &wrapped));
    assert_int_equal(SQLITE_OK, sqlite3_initialize());
}

/* True if all of it worked. Half of it must never be seen. */
static bool move_money(hy_source *source)
{
    hy_bind binds[] = {{.value = hy_text("ada")}, {.value = hy_bytes(HY_DECIMAL, "1.5", 3)}};
    hy_transaction *trx;
    hy_error err;

    if (hy_source_begin(source, NULL, &trx, &err) != HY_OK)
        return false;
    const hy_run_options in = {.transaction = trx};
    bool done =
        hy_source_execute_raw(source, "INSERT INTO moves (who, v) VALUES (?, ?)", binds, 2, &in, NULL,
                              &err) == HY_OK &&
        hy_source_execute_raw(source, "INSERT INTO moves (who, v) VALUES (?, ? )", binds, 2, &in, NULL,
                              &err) == HY_OK &&
        hy_source_execute_raw(source, "SELECT hysteria_sum(v), who FROM moves GROUP BY who ORDER BY v", NULL,
                              0, &in, NULL, &err) == HY_OK &&
        hy_transaction_commit(trx, &err) == HY_OK && hy_transaction_run(trx, &err) == HY_OK;
    hy_transaction_free(trx);
    return done;
}

static void sweep(bool in_sqlite, bool and_on)
{
    long n = 1, reached = 1, refused = 0;

    for (; reached; n++) {
        hy_test_heap heap = {.fail_at = in_sqlite ? 0 : n, .fail_on = and_on};
        remove_files();
        hy_source *source = open_file();
        run(source, "CREATE TABLE moves (id INTEGER PRIMARY KEY, who TEXT, v TEXT COLLATE hysteria_decimal)");
        inside = (hy_test_heap){.fail_at = in_sqlite ? n : 0, .fail_on = and_on};
        hy_source_unref(source);
        hy_test_use_heap(&heap);
        counting = true;
        hy_source_config config = config_of(file);
        hy_error err;
        bool done = false;
        if (hy_source_open(&config, &source, &err) == HY_OK) {
            done = move_money(source);
            reached = in_sqlite ? inside.calls >= n : heap.calls >= n;
            counting = false;
            heap.fail_at = 0;
            heap.fail_on = false;
            const char *count = one(source, "SELECT count(*) FROM moves");
            assert_string_equal(count, done ? "2" : "0");
            run(source, "INSERT INTO moves (who) VALUES ('later')");
            hy_source_unref(source);
        }
        counting = false;
        refused += !done;
        assert_int_equal(heap.live, 0);
        hy_test_use_heap(NULL);
    }
    printf("    %ld places, %ld refusals\n", n - 1, refused);
    assert_true(n > 20 && refused > 10);
}

static void survives_the_end_of_memory(void **state)
{
    (void)state;
    sweep(false, false);
    sweep(false, true);
}

static void survives_the_end_of_memory_inside_sqlite(void **state)
{
    (void)state;
    sweep(true, false);
    sweep(true, true);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(a_session_is_safe_by_default),
        T(options_come_true),
        T(what_cannot_be_opened_says_why),
        T(a_missing_file_is_made_only_if_wanted),
        T(a_damaged_file_is_told),
        T(a_file_that_may_not_be_opened_is_told),
        T(a_read_only_connection_never_writes),
        T(private_databases_have_one_connection),
        T(values_come_back),
        T(what_would_be_kept_changed_is_refused),
        T(large_values_come_back),
        T(kinds_follow_the_declaration),
        T(counts_what_was_written),
        T(a_changed_table_is_read_anew),
        T(errors_are_told_apart),
        T(one_statement_may_be_followed_by_nothing),
        T(the_driver_checks_its_arguments),
        T(waits_for_another_process),
        T(opening_waits_too),
        T(a_stale_snapshot_is_a_serialization_failure),
        T(dropping_a_table_that_is_read_is_told),
        T(a_read_only_transaction_lets_writers_by),
        T(a_deferred_key_fails_at_commit),
        T(a_deadline_stops_an_endless_statement),
        T(a_deadline_covers_fetching),
        T(another_thread_can_cancel),
        T(a_full_disk_ends_the_transaction),
        T(decimals_kept_as_text_compare_as_numbers),
        T(the_collation_is_a_total_order),
        T(sums_are_exact),
        T(sums_agree_with_integers),
        T(two_numbers_are_exact),
        T(sums_slide_over_windows),
        T(a_changed_session_is_restored),
        T(writers_are_served_alike),
        T(a_child_does_not_touch_inherited_connections),
        T(survives_the_end_of_memory),
        T(survives_the_end_of_memory_inside_sqlite),
    };
#undef T
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(file, sizeof file, "%s/test.db", directory);
    wrap_sqlite_memory();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_files();
    rmdir(directory);
    return failed;
}
