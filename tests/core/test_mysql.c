/*
 * The driver of MariaDB and MySQL against real servers: HY_TEST_MARIADB_URL and
 * HY_TEST_MYSQL_URL say where they are (see tests/support/servers.sh). Each test runs on both;
 * without an address those of that server are skips. Oracles are the server's own text of a
 * value, its status, and a second connection.
 */
#include "mysql_tests.h"

const char *type;
hy_url address;
hy_source *shared;

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
    TEST(texts),
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
