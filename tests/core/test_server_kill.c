/*
 * Servers that crash, sessions and statements that are killed, at each step of a statement and
 * of a transaction: errors are typed and right, and the pool recovers by itself.
 *
 * The servers are this test's own, in a directory of its own (servers.sh kill is SIGKILL), so it
 * harms nobody else's. A step is reached when the server says that the session waits there, not
 * after some time. Oracles: what the server has stored, its list of sessions, this process's
 * descriptors.
 */
#include "servers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hysteria/datetime.h>

enum { MS = 1000000, SQL_SIZE = 600, PATIENCE = 20000, FIRST_ROWS = 10 };

static char user[USER_SIZE];

/* ---- servers of our own ----------------------------------------------------------------- */

static char folder[] = "/tmp/hysteria-kill-XXXXXX";

static int servers_sh(const char *command, const char *type)
{
    char line[200];

    (void)snprintf(line, sizeof line, "tests/support/servers.sh %s %s >>%s/said 2>&1", command, type, folder);
    return system(line);
}

static const char *variable_of(server_kind kind)
{
    static const char *const names[] = {"HY_TEST_POSTGRES_URL", "HY_TEST_MARIADB_URL", "HY_TEST_MYSQL_URL"};
    return names[kind];
}

static const char *type_of(server_kind kind)
{
    static const char *const types[] = {"postgres", "mariadb", "mysql"};
    return types[kind];
}

/* From here on the variable names our own server. */
static bool take_address(server_kind kind)
{
    char line[400], command[100];
    bool found = false;

    (void)snprintf(command, sizeof command, "tests/support/servers.sh env %s", type_of(kind));
    FILE *pipe = popen(command, "r");
    while (pipe != NULL && fgets(line, sizeof line, pipe) != NULL) {
        char *from = strchr(line, '\''), *to = strrchr(line, '\'');
        if (strstr(line, variable_of(kind)) == NULL || from == NULL || to == from)
            continue;
        *to = '\0';
        found = setenv(variable_of(kind), from + 1, 1) == 0;
    }
    if (pipe != NULL)
        (void)pclose(pipe);
    return found;
}

static bool is_wanted(server_kind kind, const char *filter)
{
    const char *type = type_of(kind);

    return getenv(variable_of(kind)) != NULL &&
           (filter == NULL || *filter == '*' || strncmp(filter, type, strlen(type)) == 0);
}

static bool start_servers(const char *filter)
{
    bool fine = true;

    /* The servers' accounts must get through. */
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0 || setenv("HY_SERVERS_DIR", folder, 1) != 0)
        return false;
    for (int kind = 0; kind < SERVER_COUNT && fine; kind++)
        if (is_wanted((server_kind)kind, filter))
            fine = servers_sh("start", type_of((server_kind)kind)) == 0 && take_address((server_kind)kind);
    return fine;
}

static void stop_servers(bool tell)
{
    char line[200];

    (void)servers_sh("stop", "");
    if (tell) {
        (void)snprintf(line, sizeof line, "cat %s/said >&2", folder);
        (void)!system(line);
    }
    (void)snprintf(line, sizeof line, "rm -rf %s", folder);
    (void)!system(line);
}

static void restart(void)
{
    if (servers_sh("start", server.type) != 0)
        fail_msg("%s does not start again", server.type);
}

/* ---- killing ---------------------------------------------------------------------------- */

typedef enum deadly { CRASH, END_SESSION, END_STATEMENT, DEADLY_KINDS } deadly;

static const char *const deadly_names[] = {"server", "session", "statement"};

static place admin(void)
{
    return (place){.source = server.admin, .timeout = PATIENCE};
}

static int64_t victim(void)
{
    int64_t ids[MOST_SESSIONS];
    size_t n = server_sessions(user, ids);

    assert_int_equal(n, 1);
    return ids[0];
}

static void end_statement(int64_t session)
{
    if (server.kind == SERVER_POSTGRES)
        (void)sql_number(admin(), "SELECT pg_cancel_backend(%" PRId64 ")::int::bigint", session);
    else
        sql_run(admin(), "KILL QUERY %" PRId64, session);
}

static void strike(deadly what)
{
    switch (what) {
    case CRASH:
        assert_int_equal(0, servers_sh("kill", server.type));
        break;
    case END_SESSION:
        assert_true(server_kill(victim()));
        assert_int_equal(0, server_drain(user));
        break;
    default:
        end_statement(victim());
    }
}

/* Does a session of the user wait for a lock, or sleep in its statement? */
static bool is_waiting(void)
{
    if (server.kind == SERVER_POSTGRES)
        return sql_number(
                   admin(),
                   "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '%s' AND state = 'active' AND "
                   "wait_event_type IN ('Lock', 'Timeout')",
                   user) > 0;
    return sql_number(
               admin(),
               "SELECT COUNT(*) FROM information_schema.processlist p LEFT JOIN "
               "information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id WHERE p.user = '%s' AND "
               "(p.state LIKE 'Waiting%%' OR t.trx_state = 'LOCK WAIT')",
               user) > 0;
}

/* Strikes from a thread of its own, once the victim waits. */
typedef struct killer {
    pthread_t thread;
    deadly what;
    bool struck;
} killer;

static void *lie_in_wait(void *ctx)
{
    /* InnoDB's list of transactions is not renewed while somebody looks more often. */
    const int nap = server.kind == SERVER_POSTGRES ? 5 : 120;
    killer *k = ctx;
    int64_t end = hy_monotonic_ns() + PATIENCE * (int64_t)MS;

    while (!(k->struck = is_waiting()) && hy_monotonic_ns() < end)
        pause_ms(nap);
    if (k->struck)
        strike(k->what);
    return NULL;
}

/* ---- steps ------------------------------------------------------------------------------ */

typedef struct stage {
    deadly what;
    hy_source *source;
    hy_transaction *trx;
    hy_lease *guard; /* the admin's: what the victim waits for */
    int64_t id;      /* the row it writes */
    int struck;
    bool commits; /* the row was to be committed */
} stage;

static hy_source *open_source(int max)
{
    static const hy_connect_option single[] = {{"rows", "single"}};
    hy_source_config config = server_config(user);

    config.pool.max = max;
    if (server.kind == SERVER_POSTGRES) {
        config.connect.options = single;
        config.connect.n_options = 1;
    }
    return server_open(&config);
}

static void guarded(stage *s, const char *sql)
{
    hy_error err;

    if (s->guard == NULL && hy_source_acquire(server.admin, PATIENCE, &s->guard, &err) != HY_OK)
        fail_msg("%s: %s", server.type, err.message);
    sql_run((place){.source = server.admin, .lease = s->guard, .timeout = PATIENCE}, "%s", sql);
}

static void lock_table(stage *s)
{
    bool postgres = server.kind == SERVER_POSTGRES;

    if (postgres)
        guarded(s, "BEGIN");
    guarded(s, postgres ? "LOCK TABLE hy_kill IN ACCESS EXCLUSIVE MODE" : "LOCK TABLES hy_kill WRITE");
}

static void lock_row(stage *s)
{
    guarded(s, "BEGIN");
    guarded(s, "UPDATE hy_kill SET n = n + 0 WHERE id = 1");
}

/* COMMIT takes its time: a deferred trigger sleeps, or nobody may commit. */
static void hold_commits(stage *s)
{
    if (server.kind != SERVER_POSTGRES)
        guarded(s, "FLUSH TABLES WITH READ LOCK");
}

static void let_go(stage *s)
{
    hy_error err;

    if (s->guard != NULL) {
        place at = {.source = server.admin, .lease = s->guard, .timeout = PATIENCE};
        (void)sql_try(at, &err, "ROLLBACK");
        if (server.kind != SERVER_POSTGRES)
            (void)sql_try(at, &err, "UNLOCK TABLES");
    }
    hy_lease_release(s->guard);
    s->guard = NULL;
}

static place here(stage *s)
{
    return (place){.source = s->source, .trx = s->trx, .timeout = PATIENCE};
}

static void begin(stage *s)
{
    hy_error err;

    if (hy_source_begin(s->source, NULL, &s->trx, &err) != HY_OK)
        fail_msg("%s: %s", server.type, err.message);
    /* A negative number makes the deferred trigger sleep. */
    sql_run(here(s), "INSERT INTO hy_kill VALUES (%" PRId64 ", -1)", s->id);
}

/* Run it while somebody lies in wait for it. */
static hy_status ambush(stage *s, hy_status (*call)(stage *s, hy_error *err), hy_error *err)
{
    killer k = {.what = s->what};

    assert_int_equal(0, pthread_create(&k.thread, NULL, lie_in_wait, &k));
    hy_status status = call(s, err);
    (void)pthread_join(k.thread, NULL);
    s->struck += k.struck;
    return status;
}

static hy_status read_table(stage *s, hy_error *err)
{
    return sql_try(here(s), err, "SELECT COUNT(*) FROM hy_kill WHERE n >= 0");
}

static hy_status write_row(stage *s, hy_error *err)
{
    char sql[SQL_SIZE];

    (void)snprintf(sql, sizeof sql, "UPDATE hy_kill SET n = n + %" PRId64 " WHERE id = 1", s->id);
    return sql_try(here(s), err, sql);
}

static hy_status run_commit(stage *s, hy_error *err)
{
    hy_status status = hy_transaction_commit(s->trx, err);
    return status == HY_OK ? hy_transaction_run(s->trx, err) : status;
}

static hy_status at_prepare(stage *s, hy_error *err)
{
    sql_run(here(s), "SELECT 1");
    lock_table(s);
    return ambush(s, read_table, err);
}

static hy_status at_read(stage *s, hy_error *err)
{
    assert_int_equal(HY_OK, read_table(s, err));
    lock_table(s);
    return ambush(s, read_table, err);
}

static hy_status at_lone_write(stage *s, hy_error *err)
{
    sql_run(here(s), "UPDATE hy_kill SET n = n + %" PRId64 " WHERE id = 2", s->id);
    lock_row(s);
    return ambush(s, write_row, err);
}

static hy_status at_write(stage *s, hy_error *err)
{
    begin(s);
    lock_row(s);
    return ambush(s, write_row, err);
}

static hy_status at_commit(stage *s, hy_error *err)
{
    begin(s);
    hold_commits(s);
    return ambush(s, run_commit, err);
}

/* Between two statements of a transaction. */
static hy_status in_transaction(stage *s, hy_error *err)
{
    begin(s);
    strike(s->what);
    s->struck++;
    return read_table(s, err);
}

static hy_status while_idle(stage *s, hy_error *err)
{
    sql_run(here(s), "SELECT 1");
    strike(s->what);
    s->struck++;
    if (s->what == CRASH)
        restart();
    return read_table(s, err);
}

/* Rows as they come, in order and complete, until the error. */
static hy_status fetch_rows(hy_cursor *cursor, int64_t *n, int64_t most, hy_error *err)
{
    const hy_value *row;
    hy_status status = HY_OK;

    while (*n < most && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK) {
        if (row[0].type != HY_INT || row[0].as.integer != *n % 10)
            fail_msg("%s: row %lld is wrong", server.type, (long long)*n);
        ++*n;
    }
    return status;
}

static hy_status at_fetch(stage *s, hy_error *err)
{
    static const char sql[] = "SELECT n, t FROM hy_long ORDER BY id";
    hy_run_options options = {.may_block = true, .timeout = PATIENCE};
    hy_cursor *cursor = hy_cursor_new();
    int64_t n = 0;

    hy_status status = hy_cursor_start_raw(cursor, s->source, sql, strlen(sql), NULL, NULL, 0, &options, err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), err);
    if (status == HY_OK)
        status = fetch_rows(cursor, &n, FIRST_ROWS, err);
    assert_int_equal(status, HY_OK);
    strike(s->what);
    s->struck++;
    status = fetch_rows(cursor, &n, INT64_MAX, err);
    hy_cursor_free(cursor);
    return status;
}

/* What each ends with when the server, the session or the statement is killed there. */
static const struct step {
    const char *name;
    hy_status (*call)(stage *s, hy_error *err);
    hy_status expected[DEADLY_KINDS];
} steps[] = {
    {"prepare", at_prepare, {HY_ECONNECTION_LOST, HY_ECONNECTION_LOST, HY_EQUERY_CANCELED}},
    {"a read", at_read, {HY_ECONNECTION_LOST, HY_ECONNECTION_LOST, HY_EQUERY_CANCELED}},
    {"a lone write", at_lone_write, {HY_EOUTCOME_UNKNOWN, HY_EOUTCOME_UNKNOWN, HY_EQUERY_CANCELED}},
    {"a write in a transaction", at_write, {HY_ECONNECTION_LOST, HY_ECONNECTION_LOST, HY_EQUERY_CANCELED}},
    {"COMMIT", at_commit, {HY_EOUTCOME_UNKNOWN, HY_EOUTCOME_UNKNOWN, HY_EQUERY_CANCELED}},
    {"a fetch", at_fetch, {HY_ECONNECTION_LOST, HY_ECONNECTION_LOST, HY_EQUERY_CANCELED}},
    {"in a transaction", in_transaction, {HY_ECONNECTION_LOST, HY_ECONNECTION_LOST, HY_OK}},
    {"idle", while_idle, {HY_OK, HY_OK, HY_OK}},
};
enum { N_STEPS = sizeof steps / sizeof steps[0] };

/* ---- tables ----------------------------------------------------------------------------- */

static void make_slow_commits(void)
{
    sql_run(admin(), "CREATE OR REPLACE FUNCTION hy_dream() RETURNS trigger LANGUAGE plpgsql AS "
                     "'BEGIN PERFORM pg_sleep(CASE WHEN NEW.n < 0 THEN 30 ELSE 0 END); RETURN NULL; END'");
    sql_run(admin(),
            "CREATE CONSTRAINT TRIGGER hy_slow AFTER INSERT ON hy_kill DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION hy_dream()");
}

static const char *const tables[] = {"hy_kill", "hy_pair", "hy_long", "hy_ten"};
enum { N_TABLES = sizeof tables / sizeof tables[0] };

static void set_up(void)
{
    bool postgres = server.kind == SERVER_POSTGRES;

    (void)server_user_name(user, "kill");
    for (size_t i = 0; i < N_TABLES; i++)
        sql_run(admin(), "DROP TABLE IF EXISTS %s", tables[i]);
    server_add_user(user, 0);
    sql_run(admin(), "CREATE TABLE hy_kill (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)");
    sql_run(admin(), "CREATE TABLE hy_pair (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)");
    sql_run(admin(), "CREATE TABLE hy_ten (n BIGINT)");
    sql_run(admin(), "CREATE TABLE hy_long (id BIGINT PRIMARY KEY, n BIGINT, t TEXT)");
    sql_run(admin(), "INSERT INTO hy_kill VALUES (1, 0), (2, 0)");
    sql_run(admin(), "INSERT INTO hy_ten VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)");
    /* More than what sockets buffer: the server must wait for the reader. */
    sql_run(admin(), "INSERT INTO hy_long SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n, a.n, "
                     "REPEAT('x', 2000) FROM hy_ten a, hy_ten b, hy_ten c, hy_ten d");
    for (size_t i = 0; postgres && i < N_TABLES; i++)
        sql_run(admin(), "GRANT ALL ON %s TO %s", tables[i], user);
    if (postgres)
        make_slow_commits();
}

static void tear_down(void)
{
    for (size_t i = 0; i < N_TABLES; i++)
        sql_run(admin(), "DROP TABLE %s", tables[i]);
    if (server.kind == SERVER_POSTGRES)
        sql_run(admin(), "DROP FUNCTION hy_dream()");
    server_drop_user(user);
}

/* ---- each step, killed in each way ------------------------------------------------------- */

/* Without the connections of the admin, who keeps them as he likes. */
static int other_descriptors(void)
{
    return open_descriptors() - server_stats(server.admin).size;
}

/* A thread that tells a server to stop may still be at it when its source is closed. */
static void expect_descriptors(int before)
{
    int64_t end = hy_monotonic_ns() + PATIENCE * (int64_t)MS;

    while (other_descriptors() != before && hy_monotonic_ns() < end)
        pause_ms(1);
    assert_int_equal(other_descriptors(), before);
}

static void check_error(const char *where, hy_status status, const hy_error *err)
{
    if (err->status != status || err->message[0] == '\0' || strchr(err->message, '\n') != NULL ||
        strstr(err->message, server.url.password) != NULL || strstr(err->message, user) != NULL)
        fail_msg("%s, %s: %s, \"%s\"", server.type, where, hy_status_name(status), err->message);
}

/* What failed for sure is not there. */
static void check_stored(const struct step *step, const stage *s, hy_status status)
{
    int64_t rows = sql_number(admin(), "SELECT COUNT(*) FROM hy_kill WHERE id = %" PRId64, s->id);
    int64_t n = sql_number(admin(), "SELECT n FROM hy_kill WHERE id = 1");

    if (status == HY_EOUTCOME_UNKNOWN)
        return;
    if (rows != 0 || n != 0)
        fail_msg("%s, %s: %s, and yet stored", server.type, step->name, hy_status_name(status));
}

static void check_step(const struct step *step, deadly what, int64_t id)
{
    int descriptors = other_descriptors();
    stage s = {.what = what, .source = open_source(1), .id = id};
    hy_error err;

    hy_error_clear(&err);
    hy_status status = step->call(&s, &err);
    let_go(&s);
    if (what == CRASH && step->call != while_idle)
        restart();
    if (s.struck != 1)
        fail_msg("%s, %s: the victim was never seen there", server.type, step->name);
    if (status != step->expected[what])
        fail_msg("%s, %s of %s: %s, not %s: %s", server.type, step->name, deadly_names[what],
                 hy_status_name(status), hy_status_name(step->expected[what]), err.message);
    if (status != HY_OK)
        check_error(step->name, status, &err);
    hy_transaction_free(s.trx);
    s.trx = NULL;
    /* The next one gets a connection that works, and never learns what was. */
    assert_int_equal(sql_number(here(&s), "SELECT COUNT(*) FROM hy_ten"), 10);
    hy_pool_stats stats = server_stats(s.source);
    assert_int_equal(stats.leased, 0);
    assert_int_equal(stats.created, what == END_STATEMENT ? 1 : 2);
    server_shut(s.source);
    assert_int_equal(0, server_drain(user));
    expect_descriptors(descriptors);
    check_stored(step, &s, status);
    sql_run(admin(), "DELETE FROM hy_kill WHERE id > 2");
    sql_run(admin(), "UPDATE hy_kill SET n = 0");
}

static void kill_everywhere(deadly what, int rounds)
{
    int64_t began = hy_monotonic_ns(), id = 10;

    set_up();
    for (int i = 0; i < rounds; i++)
        for (size_t step = 0; step < N_STEPS; step++)
            check_step(&steps[step], what, ++id);
    tear_down();
    report("killed the %s, %s: %d steps x %d, each error typed and right, leaks 0, %.1f s",
           deadly_names[what], server.type, (int)N_STEPS, rounds, (double)(hy_monotonic_ns() - began) / 1e9);
}

static void killed_servers(void **state)
{
    (void)state;
    kill_everywhere(CRASH, is_full_scale() ? 5 : 1);
}

static void killed_sessions(void **state)
{
    (void)state;
    kill_everywhere(END_SESSION, is_full_scale() ? 20 : 2);
}

static void killed_statements(void **state)
{
    (void)state;
    kill_everywhere(END_STATEMENT, is_full_scale() ? 20 : 2);
}

/* ---- a pool whose server goes and comes back --------------------------------------------- */

static void *start_again(void *ctx)
{
    (void)ctx;
    (void)servers_sh("start", server.type);
    return NULL;
}

/* Asks until it is answered; every refusal is one, and says so. */
static int ask_until_there(hy_source *source)
{
    int64_t end = hy_monotonic_ns() + 60000 * (int64_t)MS;
    int refusals = 0;
    hy_error err;
    hy_status status;

    while ((status = sql_try((place){.source = source, .timeout = PATIENCE}, &err, "SELECT 1")) != HY_OK) {
        if (hy_status_class(status) != HY_CLASS_CONNECTION)
            fail_msg("%s: %s: %s", server.type, hy_status_name(status), err.message);
        check_error("starting", status, &err);
        assert_true(hy_monotonic_ns() < end);
        refusals++;
        pause_ms(2);
    }
    return refusals;
}

/* One error for each connection that is in use, none for those that are idle. */
static void the_pool_recovers(void **state)
{
    enum { IN_USE = 3, MAX = 6 };
    hy_lease *leases[MAX];
    pthread_t thread;
    hy_error err;
    int errors = 0;

    (void)state;
    set_up();
    int descriptors = other_descriptors();
    hy_source *source = open_source(MAX);
    place at = {.source = source, .timeout = PATIENCE};
    for (int i = 0; i < MAX; i++)
        assert_int_equal(HY_OK, hy_source_acquire(source, PATIENCE, &leases[i], &err));
    for (int i = IN_USE; i < MAX; i++)
        hy_lease_release(leases[i]);
    strike(CRASH);

    for (int i = 0; i < IN_USE; i++) {
        place on = {.source = source, .lease = leases[i], .timeout = PATIENCE};
        hy_status status = sql_try(on, &err, "SELECT 1");
        assert_int_equal(status, HY_ECONNECTION_LOST);
        check_error("in use", status, &err);
        errors++;
        hy_lease_release(leases[i]);
    }
    for (int i = 0; i < 20; i++) { /* nobody is there, and nobody waits for him */
        int64_t began = hy_monotonic_ns();
        assert_int_equal(HY_ECONNECTION_REFUSED, sql_try(at, &err, "SELECT 1"));
        assert_true(hy_monotonic_ns() - began < PATIENCE * (int64_t)MS);
    }
    int64_t began = hy_monotonic_ns();
    assert_int_equal(0, pthread_create(&thread, NULL, start_again, NULL));
    int refusals = ask_until_there(source);
    int64_t took = hy_monotonic_ns() - began;
    (void)pthread_join(thread, NULL);

    for (int i = 0; i < MAX; i++) {
        assert_int_equal(HY_OK, hy_source_acquire(source, PATIENCE, &leases[i], &err));
        sql_run((place){.source = source, .lease = leases[i]}, "SELECT COUNT(*) FROM hy_ten");
    }
    assert_int_equal(server_stats(source).size, MAX);
    for (int i = 0; i < MAX; i++)
        hy_lease_release(leases[i]);
    assert_int_equal(server_stats(source).leased, 0);
    server_shut(source);
    assert_int_equal(0, server_drain(user));
    expect_descriptors(descriptors);
    tear_down();
    report("recovered from SIGKILL of %s: %d errors on %d connections in use, 0 on %d idle, %d refused "
           "meanwhile, %.0f ms from its start",
           server.type, errors, IN_USE, MAX - IN_USE, refusals, (double)took / MS);
}

/* Idle connections that died are replaced unseen, all of them. */
static void idle_connections_are_replaced_unseen(void **state)
{
    enum { MAX = 6 };
    hy_lease *leases[MAX];
    hy_error err;

    (void)state;
    set_up();
    hy_source *source = open_source(MAX);
    place at = {.source = source, .timeout = PATIENCE};
    for (int i = 0; i < MAX; i++)
        assert_int_equal(HY_OK, hy_source_acquire(source, PATIENCE, &leases[i], &err));
    for (int i = 0; i < MAX; i++)
        hy_lease_release(leases[i]);
    strike(CRASH);
    restart();
    for (int i = 0; i < 5 * MAX; i++)
        sql_run(at, "SELECT COUNT(*) FROM hy_ten");
    assert_int_equal(server_stats(source).leased, 0);
    server_shut(source);
    tear_down();
}

/* ---- writers whose server crashes -------------------------------------------------------- */

enum { WRITERS = 4, MOST_WRITES = 100000, ACKS_BETWEEN = 100 };

typedef enum fate { NEVER, ACKED, FAILED, UNKNOWN } fate;

typedef struct writer {
    pthread_t thread;
    hy_source *source;
    atomic_bool *stop;
    atomic_llong *acked;
    int64_t first; /* its ids are this and more */
    int n;
    int strange; /* errors that are none of a lost server */
    unsigned char fates[MOST_WRITES];
} writer;

static hy_status write_pair(hy_source *source, int64_t id, hy_error *err)
{
    hy_transaction_options options = {.timeout = PATIENCE, .may_block = true};
    hy_transaction *trx = NULL;
    char sql[SQL_SIZE];
    hy_status status = hy_source_begin(source, &options, &trx, err);

    for (int i = 0; i < 2 && status == HY_OK; i++) {
        (void)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (%" PRId64 ", 7)",
                       i == 0 ? "hy_kill" : "hy_pair", id);
        status = sql_try((place){.source = source, .trx = trx, .timeout = PATIENCE}, err, sql);
    }
    if (status == HY_OK)
        status = hy_transaction_commit(trx, err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, err);
    hy_transaction_free(trx);
    return status;
}

/* Every third stands alone, the others come in pairs. */
static hy_status write_once(hy_source *source, int64_t id, hy_error *err)
{
    char sql[SQL_SIZE];

    if (id % 3 != 0)
        return write_pair(source, id, err);
    (void)snprintf(sql, sizeof sql, "INSERT INTO hy_kill VALUES (%" PRId64 ", 7)", id);
    return sql_try((place){.source = source, .timeout = PATIENCE}, err, sql);
}

static void *write_until_stopped(void *ctx)
{
    writer *w = ctx;
    hy_error err;

    for (w->n = 0; w->n < MOST_WRITES && !atomic_load(w->stop); w->n++) {
        hy_status status = write_once(w->source, w->first + w->n, &err);
        bool unknown = status == HY_EOUTCOME_UNKNOWN;
        w->fates[w->n] = status == HY_OK ? ACKED : unknown ? UNKNOWN : FAILED;
        if (status == HY_OK)
            (void)atomic_fetch_add(w->acked, 1);
        else if (!unknown && hy_status_class(status) != HY_CLASS_CONNECTION)
            w->strange++;
        if (status == HY_ECONNECTION_REFUSED)
            pause_ms(2);
    }
    return NULL;
}

/* Until so many more were acknowledged. */
static void await_acks(atomic_llong *acked)
{
    long long enough = atomic_load(acked) + ACKS_BETWEEN;
    int64_t end = hy_monotonic_ns() + 60000 * (int64_t)MS;

    while (atomic_load(acked) < enough && hy_monotonic_ns() < end)
        pause_ms(1);
    assert_true(atomic_load(acked) >= enough);
}

static void mark_stored(const char *table, unsigned char *stored)
{
    hy_run_options options = {.may_block = true};
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    char sql[SQL_SIZE];
    hy_error err;

    (void)snprintf(sql, sizeof sql, "SELECT id FROM %s WHERE id >= %d", table, MOST_WRITES);
    hy_status status =
        hy_cursor_start_raw(cursor, server.admin, sql, strlen(sql), NULL, NULL, 0, &options, &err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK)
        stored[row[0].as.integer - MOST_WRITES]++;
    assert_int_equal(status, HY_DONE);
    hy_cursor_free(cursor);
}

typedef struct verdict {
    int acked, failed, unknown, unknown_stored, lost, doubled, half;
} verdict;

static void judge(const writer *w, const unsigned char *one, const unsigned char *other, verdict *v)
{
    for (int i = 0; i < w->n; i++) {
        int64_t id = w->first + i, at = id - MOST_WRITES;
        bool there = one[at] == 1;
        v->acked += w->fates[i] == ACKED;
        v->failed += w->fates[i] == FAILED;
        v->unknown += w->fates[i] == UNKNOWN;
        v->unknown_stored += w->fates[i] == UNKNOWN && there;
        v->lost += w->fates[i] == ACKED && !there;
        v->doubled += w->fates[i] == FAILED && there; /* who tries again stores it twice */
        v->half += other[at] != (id % 3 != 0 && there);
    }
}

static void writers_meet_crashes(void **state)
{
    const long rounds = is_full_scale() ? 30 : 3;
    writer *writers = calloc(WRITERS, sizeof *writers);
    unsigned char *stored = calloc(2 * (WRITERS + 1), MOST_WRITES);
    unsigned char *pairs = stored + (size_t)(WRITERS + 1) * MOST_WRITES;
    atomic_bool stop = false;
    atomic_llong acked = 0;
    verdict v = {0};

    (void)state;
    assert_true(writers != NULL && stored != NULL);
    set_up();
    hy_source *source = open_source(WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.source = source, .stop = &stop, .acked = &acked};
        writers[i].first = (int64_t)(i + 1) * MOST_WRITES;
        assert_int_equal(0, pthread_create(&writers[i].thread, NULL, write_until_stopped, &writers[i]));
    }
    for (long i = 0; i < rounds; i++) {
        await_acks(&acked);
        strike(CRASH);
        restart();
    }
    await_acks(&acked);
    atomic_store(&stop, true);
    for (int i = 0; i < WRITERS; i++)
        (void)pthread_join(writers[i].thread, NULL);
    assert_int_equal(server_stats(source).leased, 0);
    server_shut(source);
    assert_int_equal(0, server_drain(user));
    mark_stored("hy_kill", stored);
    mark_stored("hy_pair", pairs);
    for (int i = 0; i < WRITERS; i++) {
        judge(&writers[i], stored, pairs, &v);
        assert_int_equal(writers[i].strange, 0);
    }
    tear_down();
    free(writers);
    free(stored);
    report("%d writers and %ld crashes of %s: %d acknowledged, lost %d; %d failed, stored %d; %d unknown, "
           "stored %d; half %d",
           WRITERS, rounds, server.type, v.acked, v.lost, v.failed, v.doubled, v.unknown, v.unknown_stored,
           v.half);
    assert_int_equal(v.lost + v.doubled + v.half, 0);
    assert_true(v.failed + v.unknown >= rounds); /* somebody was hit each time */
}

/* ---- main ------------------------------------------------------------------------------- */

static int run_all(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_statements),
        cmocka_unit_test(killed_sessions),
        cmocka_unit_test(killed_servers),
        cmocka_unit_test(the_pool_recovers),
        cmocka_unit_test(idle_connections_are_replaced_unseen),
        cmocka_unit_test(writers_meet_crashes),
    };

    return servers_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}

/* Whatever becomes of the tests, their servers are stopped. */
int main(int argc, char **argv)
{
    int outcome = -1;

    if (!start_servers(argc > 1 ? argv[1] : NULL)) {
        stop_servers(true);
        return 1;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit(run_all(argc, argv));
    while (child > 0 && waitpid(child, &outcome, 0) < 0)
        ;
    stop_servers(outcome != 0);
    return outcome == 0 ? 0 : 1;
}
