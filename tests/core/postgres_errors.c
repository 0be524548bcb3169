/*
 * postgres_errors.c - errors, transactions and locks.
 */
#include "postgres_tests.h"

/* ---- errors ----------------------------------------------------------------------------- */

typedef struct error_case {
    const char *sql;
    hy_status status;
    const char *sqlstate, *constraint, *table, *columns;
    size_t position;
    const char *hidden; /* a value that no message may show */
} error_case;

static void check_error(const error_case *e, hy_status status, const hy_error *err)
{
    if (status != e->status)
        fail_msg("%s: %s (%s), %s", e->sql, hy_status_name(status), err->sqlstate, err->message);
    assert_string_equal(err->sqlstate, e->sqlstate);
    assert_string_equal(err->constraint, e->constraint != NULL ? e->constraint : "");
    assert_string_equal(err->table, e->table != NULL ? e->table : "");
    assert_string_equal(err->columns, e->columns != NULL ? e->columns : "");
    if (err->position != e->position)
        fail_msg("%s: position %zu", e->sql, err->position);
    assert_null(strchr(err->message, '\n'));
    if (e->hidden != NULL && strstr(err->message, e->hidden) != NULL)
        fail_msg("%s: says %s", e->sql, err->message);
}

void errors_are_typed(void **state)
{
    static const error_case cases[] = {
        {"INSERT INTO hy_test.e VALUES (1, 'zebra', 1)", HY_EUNIQUE_VIOLATION, "23505", "e_name_key", "e",
         "name", 0, "zebra"},
        {"INSERT INTO hy_test.e VALUES (1, NULL, 1)", HY_ENOT_NULL_VIOLATION, "23502", NULL, "e", "name", 0,
         NULL},
        {"INSERT INTO hy_test.e VALUES (-1, 'secret', 1)", HY_ECHECK_VIOLATION, "23514", "positive", "e",
         NULL, 0, "secret"},
        {"INSERT INTO hy_test.f VALUES (9)", HY_EFOREIGN_KEY_VIOLATION, "23503", "f_id_fkey", "f", "id", 0,
         NULL},
        {"DELETE FROM hy_test.e", HY_EFOREIGN_KEY_VIOLATION, "23503", "f_id_fkey", "f", "id", 0, NULL},
        {"INSERT INTO hy_test.k VALUES (1, 'wren', 'Robin')", HY_EUNIQUE_VIOLATION, "23505", "two", "k",
         "a b,c", 0, "wren"},
        {"INSERT INTO hy_test.k VALUES (2, '(x)=(', 'robin')", HY_EUNIQUE_VIOLATION, "23505", "lowered", "k",
         NULL, 0, "obin"},
        {"SELECT * FROM hy_test.missing", HY_EUNDEFINED_TABLE, "42P01", NULL, "missing", NULL, 15, NULL},
        {"SELECT '\xc3\xbc', missing FROM hy_test.e", HY_EUNDEFINED_COLUMN, "42703", NULL, NULL, "missing",
         14, NULL},
        {"SELECT e.missing FROM hy_test.e", HY_EUNDEFINED_COLUMN, "42703", NULL, NULL, "missing", 8, NULL},
        {"SELEC 1", HY_ESYNTAX, "42601", NULL, NULL, NULL, 1, NULL},
        {"SELECT 1; SELECT 2", HY_ESYNTAX, "42601", NULL, NULL, NULL, 0, NULL},
        {"SELECT 'pelican'::int", HY_EDATA_INVALID, "22P02", NULL, NULL, NULL, 8, "pelican"},
        {"SELECT 99999 :: smallint", HY_EDATA_INVALID, "22003", NULL, NULL, NULL, 0, NULL},
        {"SELECT '99999999999'::int", HY_EDATA_INVALID, "22003", NULL, NULL, NULL, 8, "99999999999"},
        {"SELECT 'toucan'::date", HY_EDATA_INVALID, "22007", NULL, NULL, NULL, 8, "toucan"},
        {"SELECT 1 / (SELECT 0)", HY_EDATA_INVALID, "22012", NULL, NULL, NULL, 0, NULL},
        {"SELECT (VALUES (1), (2))", HY_EDATA_INVALID, "21000", NULL, NULL, NULL, 0, NULL},
        {"INSERT INTO hy_test.s VALUES ('ostrich')", HY_EDATA_INVALID, "22001", NULL, NULL, NULL, 0,
         "ostrich"},
        {"CREATE TABLE hy_test.e (id int)", HY_EOBJECT_EXISTS, "42P07", NULL, "e", NULL, 0, NULL},
        {"CREATE SCHEMA hy_test", HY_EOBJECT_EXISTS, "42P06", NULL, NULL, NULL, 0, NULL},
        {"SELECT no_such_function(1)", HY_ESYNTAX, "42883", NULL, NULL, NULL, 8, NULL},
        {"INSERT INTO hy_test.x VALUES ('[1,3)')", HY_EEXCLUSION_VIOLATION, "23P01", "x_r_excl", "x", NULL, 0,
         NULL},
        {"COPY hy_test.e FROM STDIN", HY_EUNSUPPORTED, "", NULL, NULL, NULL, 0, NULL},
        {"COPY hy_test.e TO STDOUT", HY_EUNSUPPORTED, "", NULL, NULL, NULL, 0, NULL},
        {"DO $$ BEGIN RAISE EXCEPTION 'my own'; END $$", HY_EDATABASE_ERROR, "P0001", NULL, NULL, NULL, 0,
         NULL},
        {"SET TRANSACTION READ ONLY; SELECT 1", HY_ESYNTAX, "42601", NULL, NULL, NULL, 0, NULL},
        {"   -- nothing", HY_ESYNTAX, "", NULL, NULL, NULL, 0, NULL},
    };
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.e (n int CONSTRAINT positive CHECK (n > 0), name text NOT NULL UNIQUE, id int "
        "PRIMARY KEY)");
    run("CREATE TABLE hy_test.k (\"a b\" int, c text, d text, CONSTRAINT two UNIQUE (\"a b\", c))");
    run("CREATE UNIQUE INDEX lowered ON hy_test.k (lower(d))");
    run("INSERT INTO hy_test.k VALUES (1, 'wren', 'robin')");
    run("CREATE TABLE hy_test.f (id int REFERENCES hy_test.e (id))");
    run("CREATE TABLE hy_test.s (v varchar(3))");
    run("CREATE TABLE hy_test.x (r int4range, EXCLUDE USING gist (r WITH &&))");
    run("INSERT INTO hy_test.x VALUES ('[2,5)')");
    run("INSERT INTO hy_test.e VALUES (1, 'zebra', 2)");
    run("INSERT INTO hy_test.f VALUES (2)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_error(&cases[i], try_run((place){.source = NULL}, &err, cases[i].sql), &err);
}

/* As another kind of user, and in a transaction that may not write. */
void permissions_are_typed(void **state)
{
    hy_transaction_options options = {.read_only = true};
    hy_transaction *trx;
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.closed (id int)");
    assert_int_equal(HY_OK, hy_source_begin(shared, &options, &trx, &err));
    assert_int_equal(HY_EREAD_ONLY,
                     try_run((place){.trx = trx}, &err, "INSERT INTO hy_test.closed VALUES (1)"));
    assert_string_equal(err.sqlstate, "25006");
    hy_transaction_free(trx);

    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    run("CREATE ROLE hy_nobody");
    run_at(at, "SET ROLE hy_nobody");
    assert_int_equal(HY_EPERMISSION_DENIED, try_run(at, &err, "SELECT * FROM hy_test.closed"));
    assert_string_equal(err.sqlstate, "42501");
    hy_lease_release(lease);
    run("DROP ROLE hy_nobody");
}

static hy_status try_tls(const char *mode, const char *ca, int64_t *encrypted, hy_error *err)
{
    hy_source_config config = base_config();
    cells c;

    config.connect.ssl_mode = mode;
    config.connect.ssl_ca = ca;
    hy_source *source = open_source(&config);
    hy_status status =
        try_query((place){.source = source}, &c, err,
                  "SELECT ssl::int::bigint FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL, 0);
    *encrypted = status == HY_OK ? c.v[0].as.integer : -1;
    drop_cells(&c);
    shut(source);
    return status;
}

/* Servers of tests/support/servers.sh have a certificate; a server of somebody else's may have none. */
void certificates_are_verified(void **state)
{
    const char *ca = getenv("HY_TEST_TLS_CA");
    char stranger[4096];
    int64_t encrypted;
    hy_error err;

    NEED_SERVER;
    if (ca == NULL)
        skip();
    static const char *const modes[] = {"prefer", "require", "verify-ca", "verify-full"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(HY_OK, try_tls(modes[i], ca, &encrypted, &err));
        assert_int_equal(encrypted, 1);
    }
    assert_int_equal(HY_OK, try_tls("disable", ca, &encrypted, &err));
    assert_int_equal(encrypted, 0);
    /* Signed by that authority is the server's certificate, not by itself. */
    (void)snprintf(stranger, sizeof stranger, "%.*s/server.pem", (int)(strrchr(ca, '/') - ca), ca);
    assert_int_equal(HY_ETLS_REFUSED, try_tls("verify-ca", stranger, &encrypted, &err));
    assert_int_equal(HY_ETLS_REFUSED, try_tls("verify-full", stranger, &encrypted, &err));
}

void connecting_fails_with_reasons(void **state)
{
    static const hy_connect_option unknown[] = {{"keepalive_idle", "1"}}, wrong[] = {{"rows", "sometimes"}};
    hy_source_config bases[8];
    static const struct {
        hy_status status;
        const char *sqlstate, *says;
    } expected[8] = {
        {HY_EAUTHENTICATION_FAILED, "28P01", "user"},
        {HY_EUNDEFINED_DATABASE, "3D000", "database"},
        {HY_ECONNECTION_REFUSED, "", "refused"},
        {HY_ECONNECTION_REFUSED, "", "host name"},
        {HY_ETLS_REFUSED, "", "ssl.mode"},
        {HY_EINVALID_CONFIG, "", "verify-full"},
        {HY_EUNKNOWN_OPTION, "", "did you mean \"keepalives_idle\"?"},
        {HY_EINVALID_CONFIG, "", "together or single"},
    };

    NEED_SERVER;
    for (size_t i = 0; i < 8; i++)
        bases[i] = base_config();
    bases[0].connect.password = "wrong-password";
    bases[1].connect.database = "hy_no_such_database";
    bases[2].connect.port = 1;
    bases[3].connect.host = "hy-no-such-host.invalid";
    bases[4].connect.ssl_mode = "verify-full"; /* without an authority */
    bases[5].connect.ssl_mode = "sure";
    bases[6].connect.options = unknown;
    bases[6].connect.n_options = 1;
    bases[7].connect.options = wrong;
    bases[7].connect.n_options = 1;
    for (size_t i = 0; i < 8; i++) {
        hy_source *source = open_source(&bases[i]);
        hy_error err;
        hy_status status = try_run((place){.source = source}, &err, "SELECT 1");
        if (status != expected[i].status || strstr(err.message, expected[i].says) == NULL)
            fail_msg("case %zu: %s, %s", i, hy_status_name(status), err.message);
        assert_string_equal(err.sqlstate, expected[i].sqlstate);
        assert_null(strstr(err.message, address.password));
        assert_null(strstr(err.message, "wrong-password"));
        assert_null(strchr(err.message, '\n'));
        hy_pool_stats stats;
        hy_source_stats(source, &stats);
        assert_int_equal(stats.size, 0);
        shut(source);
    }
}

/* A connection that looks its host up; again when that was done before anybody could see it. */
static hy_connection *look_up(const hy_driver *driver, hy_source_config *config, hy_worker *worker,
                              hy_wait *wait)
{
    hy_error err;

    for (int i = 0; i < 1000; i++) {
        hy_connection *c = hy_alloc_zero(driver->connection_size);
        c->driver = driver;
        c->worker = worker;
        c->deadline = wait->deadline = hy_monotonic_ns() + INT64_C(20000000000);
        assert_int_equal(HY_AGAIN, driver->connect(c, &config->connect, wait, &err));
        if (hy__postgres_of(c)->resolving != NULL)
            return c;
        driver->close(c);
        hy_free(c);
    }
    fail_msg("every name was looked up at once");
    return NULL;
}

/* A name has several addresses, of which the first is of no use. */
void addresses_are_tried_in_turn(void **state)
{
    extern const hy_driver hy__postgres_driver;
    const hy_driver *driver = &hy__postgres_driver;
    hy_source_config config = base_config();
    hy_worker *worker = hy__worker_new();
    hy_status status;
    hy_wait wait;
    hy_error err;

    NEED_SERVER;
    config.connect.host = "localhost";
    hy_connection *c = look_up(driver, &config, worker, &wait);
    hy__resolving *r = hy__postgres_of(c)->resolving;
    while (!hy__job_is_done(&r->job))
        (void)hy_wait_block(&wait);
    r->n = 2;
    (void)snprintf(r->addresses[0], sizeof r->addresses[0], "127.0.0.9");
    (void)snprintf(r->addresses[1], sizeof r->addresses[1], "127.0.0.1");
    while ((status = driver->advance(c, &wait, &err)) == HY_AGAIN)
        (void)hy_wait_block(&wait);
    assert_int_equal(status, HY_OK);
    driver->close(c);
    hy_free(c);
    hy__worker_close(worker);
    config.connect.host = "localhost";
    hy_source *source = open_source(&config);
    run_at((place){.source = source}, "SELECT 1");
    shut(source);
}

void unknown_time_zones_are_refused(void **state)
{
    hy_error err;

    NEED_SERVER;
    hy_source_config config = base_config();
    config.connect.timezone = "Mars/Olympus";
    hy_source *source = open_source(&config);
    assert_int_equal(HY_EINVALID_CONFIG, try_run((place){.source = source}, &err, "SELECT 1"));
    shut(source);
}

void sessions_are_set_up(void **state)
{
    hy_source_config config;
    cells c;

    NEED_SERVER;
    config = base_config();
    config.connect.schema = "hy \"test\"";
    config.connect.application_name = "of a test";
    run("CREATE SCHEMA \"hy \"\"test\"\"\"");
    hy_source *source = open_source(&config);
    query_at((place){.source = source}, &c,
             "SELECT current_setting('client_encoding'), current_setting('TimeZone'), current_schema(),"
             " current_setting('application_name'), current_setting('standard_conforming_strings'),"
             " current_setting('tcp_user_timeout'), current_setting('DateStyle')",
             NULL, 0);
    assert_string_equal(c.bytes[0], "UTF8");
    assert_string_equal(c.bytes[1], "UTC");
    assert_string_equal(c.bytes[2], "hy \"test\"");
    assert_string_equal(c.bytes[3], "of a test");
    assert_string_equal(c.bytes[4], "on");
    assert_memory_equal(c.bytes[6], "ISO", 3);
    drop_cells(&c);
    assert_true(hy_source_features(source) != 0);
    shut(source);
    run("DROP SCHEMA \"hy \"\"test\"\"\"");
}

void the_version_is_read(void **state)
{
    NEED_SERVER;
    hy_lease *lease = acquire(shared);
    int64_t number =
        number_at((place){.lease = lease}, "SELECT current_setting('server_version_num')::int"); /* 150020 */
    int version = hy_lease_connection(lease)->server_version;
    assert_int_equal(version, number / 10000 * 10000 + number % 10000 * 100);
    hy_lease_release(lease);
}

/* ---- transactions and locks ------------------------------------------------------------- */

void failed_transactions_refuse(void **state)
{
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.t (id int PRIMARY KEY)");
    hy_transaction *trx = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = trx}, "INSERT INTO hy_test.t VALUES (1)");
    assert_int_equal(HY_EUNIQUE_VIOLATION,
                     try_run((place){.trx = trx}, &err, "INSERT INTO hy_test.t VALUES (1)"));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_int_equal(HY_ETRANSACTION_ABORTED, try_run((place){.trx = trx}, &err, "SELECT 1"));
    assert_int_equal(HY_ETRANSACTION_ABORTED, commit(trx, &err));
    hy_transaction_free(trx);
    assert_int_equal(number_at((place){.source = NULL}, "SELECT count(*) FROM hy_test.t"), 0);

    /* A savepoint set before saves the rest. */
    trx = begin(shared, HY_ISOLATION_DEFAULT);
    size_t depth;
    run_at((place){.trx = trx}, "INSERT INTO hy_test.t VALUES (1)");
    assert_int_equal(HY_OK, hy_transaction_savepoint(trx, &depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    assert_int_equal(HY_EUNIQUE_VIOLATION,
                     try_run((place){.trx = trx}, &err, "INSERT INTO hy_test.t VALUES (1)"));
    assert_int_equal(HY_OK, hy_transaction_rollback_to(trx, depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    run_at((place){.trx = trx}, "INSERT INTO hy_test.t VALUES (2)");
    assert_int_equal(HY_OK, commit(trx, &err));
    hy_transaction_free(trx);
    assert_int_equal(number_at((place){.source = NULL}, "SELECT count(*) FROM hy_test.t"), 2);
}

/* The server answers ROLLBACK to a COMMIT: the driver itself must say so. */
void a_commit_that_rolls_back_is_an_error(void **state)
{
    static const char *const commits[] = {"COMMIT", "  /* a /* b */ */ commit work", "END -- yes",
                                          "PREPARE TRANSACTION 'hy'"};
    hy_error err;

    NEED_SERVER;
    for (size_t i = 0; i < sizeof commits / sizeof commits[0]; i++) {
        hy_lease *lease = acquire(shared);
        place at = {.lease = lease};
        run_at(at, "BEGIN");
        assert_int_equal(HY_EDATA_INVALID, try_run(at, &err, "SELECT 1/0"));
        assert_int_equal(HY_ETRANSACTION_ABORTED, try_run(at, &err, commits[i]));
        hy_lease_release(lease);
    }
    /* A deferred constraint is an error of COMMIT, and the transaction is over. */
    run("CREATE TABLE hy_test.d (id int PRIMARY KEY, up int REFERENCES hy_test.d DEFERRABLE INITIALLY "
        "DEFERRED)");
    hy_transaction *trx = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = trx}, "INSERT INTO hy_test.d VALUES (1, 7)");
    assert_int_equal(HY_EFOREIGN_KEY_VIOLATION, commit(trx, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    hy_transaction_free(trx);
}

typedef struct other_thread {
    hy_transaction *trx;
    const char *sql;
    hy_status status;
    hy_error err;
} other_thread;

static void *run_elsewhere(void *arg)
{
    other_thread *t = arg;
    hy_run_options options = {.transaction = t->trx, .may_block = true};

    hy_error_clear(&t->err);
    t->status = hy_source_execute_raw(shared, t->sql, NULL, 0, &options, NULL, &t->err);
    return NULL;
}

void deadlocks_are_typed(void **state)
{
    other_thread other = {.sql = "UPDATE hy_test.locks SET n = 2 WHERE id = 1"};
    pthread_t thread;
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.locks (id int PRIMARY KEY, n int)");
    run("INSERT INTO hy_test.locks VALUES (1, 0), (2, 0)");
    hy_transaction *mine = begin(shared, HY_ISOLATION_DEFAULT);
    other.trx = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = mine}, "UPDATE hy_test.locks SET n = 1 WHERE id = 1");
    run_at((place){.trx = other.trx}, "UPDATE hy_test.locks SET n = 2 WHERE id = 2");
    assert_int_equal(0, pthread_create(&thread, NULL, run_elsewhere, &other));
    hy_status status = try_run((place){.trx = mine}, &err, "UPDATE hy_test.locks SET n = 1 WHERE id = 2");
    assert_int_equal(0, pthread_join(thread, NULL));
    /* One of them was chosen. */
    assert_true((status == HY_EDEADLOCK) != (other.status == HY_EDEADLOCK));
    assert_true(status == HY_OK || other.status == HY_OK);
    assert_string_equal(status == HY_EDEADLOCK ? err.sqlstate : other.err.sqlstate, "40P01");
    hy_transaction_free(mine);
    hy_transaction_free(other.trx);
}

void serialization_failures_are_typed(void **state)
{
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.doctors (id int PRIMARY KEY, on_call bool)");
    run("INSERT INTO hy_test.doctors VALUES (1, true), (2, true)");
    hy_transaction *a = begin(shared, HY_ISOLATION_SERIALIZABLE),
                   *b = begin(shared, HY_ISOLATION_SERIALIZABLE);
    assert_int_equal(number_at((place){.trx = a}, "SELECT count(*) FROM hy_test.doctors WHERE on_call"), 2);
    assert_int_equal(number_at((place){.trx = b}, "SELECT count(*) FROM hy_test.doctors WHERE on_call"), 2);
    run_at((place){.trx = a}, "UPDATE hy_test.doctors SET on_call = false WHERE id = 1");
    run_at((place){.trx = b}, "UPDATE hy_test.doctors SET on_call = false WHERE id = 2");
    assert_int_equal(HY_OK, commit(a, &err));
    assert_int_equal(HY_ESERIALIZATION_FAILURE, commit(b, &err));
    assert_string_equal(err.sqlstate, "40001");
    hy_transaction_free(a);
    hy_transaction_free(b);
    assert_int_equal(number_at((place){.source = NULL}, "SELECT count(*) FROM hy_test.doctors WHERE on_call"),
                     1);
}

void lock_timeouts_are_typed(void **state)
{
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.waits (id int PRIMARY KEY)");
    run("INSERT INTO hy_test.waits VALUES (1)");
    hy_transaction *a = begin(shared, HY_ISOLATION_DEFAULT), *b = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = a}, "SELECT * FROM hy_test.waits FOR UPDATE");
    assert_int_equal(HY_ELOCK_TIMEOUT,
                     try_run((place){.trx = b}, &err, "SELECT * FROM hy_test.waits FOR UPDATE NOWAIT"));
    assert_string_equal(err.sqlstate, "55P03");
    hy_transaction_free(b);
    b = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = b}, "SET LOCAL lock_timeout = '50ms'");
    assert_int_equal(HY_ELOCK_TIMEOUT,
                     try_run((place){.trx = b}, &err, "SELECT * FROM hy_test.waits FOR UPDATE"));
    hy_transaction_free(b);
    hy_transaction_free(a);
    /* The server's own deadline. */
    hy_lease *lease = acquire(shared);
    run_at((place){.lease = lease}, "SET statement_timeout = '50ms'");
    assert_int_equal(HY_EQUERY_TIMEOUT, try_run((place){.lease = lease}, &err, "SELECT pg_sleep(5)"));
    assert_string_equal(err.sqlstate, "57014");
    hy_lease_release(lease);
}
