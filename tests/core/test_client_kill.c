/*
 * A program that is killed while it writes: whatever it was told is stored is stored, and no
 * transaction is there by half. The program is this one again, with other arguments: threads
 * that write and tell through a pipe what was acknowledged to them, until SIGKILL.
 *
 * Oracles: the pipe, and what the database holds afterwards, asked by another process; for a
 * file, by SQLite itself.
 */
#include "servers.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include <hysteria/datetime.h>

enum { WRITERS = 4, SQL_SIZE = 300, MOST_OF_WRITER = 200000, WAIT_MS = 5000, PIPE = 3 };

/* Money goes from one table to the other; notes stand alone. */
typedef enum table { DEBIT, CREDIT, NOTE, TABLES } table;
static const char *const table_names[] = {"hy_debit", "hy_credit", "hy_note"};

typedef struct message {
    int32_t writer;
    int32_t n; /* its n-th operation: every third is a note, the others are transfers */
} message;

static bool is_note(int32_t n)
{
    return n % 3 == 0;
}

static int64_t id_of(int32_t writer, int32_t n)
{
    return (int64_t)writer * MOST_OF_WRITER + n;
}

/* ---- the one who is killed -------------------------------------------------------------- */

static struct {
    hy_source *source;
    const char *suffix;
} child;

static hy_status put(table t, hy_transaction *trx, int64_t id, hy_error *err)
{
    hy_run_options options = {.transaction = trx, .may_block = true};
    const hy_bind binds[] = {{.value = hy_int(id), .kind = HY_KIND_BIGINT},
                             {.value = hy_int(id * 7), .kind = HY_KIND_BIGINT}};
    char sql[SQL_SIZE];

    (void)snprintf(sql, sizeof sql, "INSERT INTO %s_%s VALUES (?, ?)", table_names[t], child.suffix);
    return hy_source_execute_raw(child.source, sql, binds, 2, &options, NULL, err);
}

static hy_status transfer(int64_t id, hy_error *err)
{
    hy_transaction *trx = NULL;
    hy_status status = hy_source_begin(child.source, NULL, &trx, err);

    if (status == HY_OK)
        status = put(DEBIT, trx, id, err);
    if (status == HY_OK)
        status = put(CREDIT, trx, id, err);
    if (status == HY_OK)
        status = hy_transaction_commit(trx, err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, err);
    hy_transaction_free(trx);
    return status;
}

static void *write_for_ever(void *ctx)
{
    const int32_t writer = (int32_t)(intptr_t)ctx;
    hy_error err;

    for (int32_t n = 1; n < MOST_OF_WRITER; n++) {
        const message told = {writer, n};
        int64_t id = id_of(writer, n);
        hy_status status = is_note(n) ? put(NOTE, NULL, id, &err) : transfer(id, &err);
        if (status != HY_OK) {
            (void)fprintf(stderr, "the writer failed: %s\n", err.message);
            _exit(2);
        }
        if (write(PIPE, &told, sizeof told) != (ssize_t)sizeof told)
            _exit(3);
    }
    _exit(4); /* nobody killed it */
}

/* child TYPE HOST PORT USER PASSWORD DATABASE SUFFIX */
static int be_the_child(char **argv)
{
    const hy_source_config config = {.type = argv[2],
                                     .connect = {.host = argv[3],
                                                 .port = (int)strtol(argv[4], NULL, 10),
                                                 .user = argv[5],
                                                 .password = argv[6],
                                                 .database = argv[7]},
                                     .pool = {.max = WRITERS}};
    pthread_t threads[WRITERS];
    hy_error err;

    child.suffix = argv[8];
    if (hy_source_open(&config, &child.source, &err) != HY_OK)
        return 5;
    for (intptr_t i = 0; i < WRITERS; i++)
        if (pthread_create(&threads[i], NULL, write_for_ever, (void *)i) != 0)
            return 6;
    (void)pthread_join(threads[0], NULL);
    return 7;
}

/* ---- the one who kills ------------------------------------------------------------------ */

/* What one round told, and what is stored of it. */
typedef struct round_ledger {
    unsigned char told[WRITERS][MOST_OF_WRITER];
    unsigned char stored[TABLES][WRITERS][MOST_OF_WRITER];
    int64_t acked, unacked, lost, half, wrong;
} round_ledger;

static round_ledger *ledger;
static char folder[] = "/tmp/hysteria-client-XXXXXX";
static char file[64], suffix[16];

static pid_t start_child(char **argv, int *from)
{
    int fds[2];

    assert_int_equal(0, pipe(fds));
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(fds[1], PIPE) == PIPE)
            (void)execv("/proc/self/exe", argv);
        _exit(8);
    }
    assert_true(pid > 0);
    (void)close(fds[1]);
    *from = fds[0];
    return pid;
}

/* Reads until `enough` were told, or to the end. */
static int64_t listen_to(int from, int64_t enough)
{
    message told;
    int64_t heard = 0;
    ssize_t n = 0;

    while (heard < enough && (n = read(from, &told, sizeof told)) == (ssize_t)sizeof told) {
        assert_in_range(told.writer, 0, WRITERS - 1);
        assert_in_range(told.n, 1, MOST_OF_WRITER - 1);
        ledger->told[told.writer][told.n] = 1;
        heard++;
    }
    assert_true(n == 0 || n == (ssize_t)sizeof told);
    return heard;
}

static void run_and_kill(char **argv, int64_t enough)
{
    int from, outcome = 0;
    pid_t pid = start_child(argv, &from);

    memset(ledger, 0, sizeof *ledger);
    int64_t heard = listen_to(from, enough);
    (void)kill(pid, SIGKILL);
    ledger->acked = heard + listen_to(from, INT64_MAX);
    (void)close(from);
    assert_int_equal(waitpid(pid, &outcome, 0), pid);
    if (!WIFSIGNALED(outcome) || WTERMSIG(outcome) != SIGKILL)
        fail_msg("the writer ended by itself: status %d", WEXITSTATUS(outcome));
    assert_true(heard == enough);
}

static void note_stored(table t, int64_t id, int64_t n)
{
    assert_in_range(id, 1, (int64_t)WRITERS * MOST_OF_WRITER - 1);
    ledger->stored[t][id / MOST_OF_WRITER][id % MOST_OF_WRITER]++;
    ledger->wrong += n != id * 7;
}

static void judge_operation(int32_t writer, int32_t n)
{
    bool told = ledger->told[writer][n] != 0, there;
    int debit = ledger->stored[DEBIT][writer][n], credit = ledger->stored[CREDIT][writer][n];
    int notes = ledger->stored[NOTE][writer][n];

    there = is_note(n) ? notes == 1 : debit == 1 && credit == 1;
    ledger->half += debit != credit;
    ledger->wrong += is_note(n) ? debit + credit > 0 || notes > 1 : notes > 0 || debit > 1;
    ledger->lost += told && !there;
    ledger->unacked += !told && there;
}

static void judge(void)
{
    for (int32_t writer = 0; writer < WRITERS; writer++)
        for (int32_t n = 1; n < MOST_OF_WRITER; n++)
            judge_operation(writer, n);
    assert_int_equal(ledger->lost + ledger->half + ledger->wrong, 0);
    /* What was under way: one operation of each writer. */
    assert_true(ledger->unacked <= WRITERS);
}

/* How the database of a round is looked at, and emptied. */
typedef void (*read_all)(void);

static void kill_again_and_again(const char *type, char **argv, read_all look)
{
    long rounds = scaled(60);
    uint64_t random = (uint64_t)hy_monotonic_ns() | 1;
    int64_t acked = 0, unacked = 0;

    ledger = calloc(1, sizeof *ledger);
    assert_non_null(ledger);
    for (long i = 0; i < rounds; i++) {
        run_and_kill(argv, 20 + (int64_t)(hy_test_random(&random) % 400));
        look();
        judge();
        acked += ledger->acked;
        unacked += ledger->unacked;
    }
    free(ledger);
    report("client killed, %s: %ld times, %lld acknowledged, lost 0, half 0, %lld stored without an answer",
           type, rounds, (long long)acked, (long long)unacked);
}

/* ---- servers ---------------------------------------------------------------------------- */

static char user[USER_SIZE];

static place admin(void)
{
    return (place){.source = server.admin};
}

static void read_table(table t)
{
    hy_run_options options = {.may_block = true};
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    char sql[SQL_SIZE];
    hy_error err;

    (void)snprintf(sql, sizeof sql, "SELECT id, n FROM %s_%s", table_names[t], suffix);
    hy_status status =
        hy_cursor_start_raw(cursor, server.admin, sql, strlen(sql), NULL, NULL, 0, &options, &err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK)
        note_stored(t, row[0].as.integer, row[1].as.integer);
    assert_int_equal(status, HY_DONE);
    hy_cursor_free(cursor);
}

static void read_server(void)
{
    assert_int_equal(0, server_drain(user)); /* what it had begun is over */
    for (int t = 0; t < TABLES; t++) {
        read_table((table)t);
        sql_run(admin(), "DELETE FROM %s_%s", table_names[t], suffix);
    }
}

static void killed(void **state)
{
    char port[16];
    char *argv[] = {(char[]){"test_client_kill"},
                    (char[]){"child"},
                    (char *)(uintptr_t)server.type,
                    server.url.host,
                    port,
                    user,
                    server.url.password,
                    server.url.database,
                    suffix,
                    NULL};

    (void)state;
    (void)snprintf(port, sizeof port, "%d", server.url.port);
    (void)snprintf(suffix, sizeof suffix, "%d", (int)getpid());
    (void)server_user_name(user, "client");
    server_add_user(user, 0);
    for (int t = 0; t < TABLES; t++) {
        sql_run(admin(), "DROP TABLE IF EXISTS %s_%s", table_names[t], suffix);
        sql_run(admin(), "CREATE TABLE %s_%s (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)", table_names[t],
                suffix);
        if (server.kind == SERVER_POSTGRES)
            sql_run(admin(), "GRANT ALL ON %s_%s TO %s", table_names[t], suffix, user);
    }
    kill_again_and_again(server.type, argv, read_server);
    for (int t = 0; t < TABLES; t++)
        sql_run(admin(), "DROP TABLE %s_%s", table_names[t], suffix);
    server_drop_user(user);
}

/* ---- a file ----------------------------------------------------------------------------- */

static sqlite3 *open_file(void)
{
    sqlite3 *db;

    assert_int_equal(SQLITE_OK, sqlite3_open(file, &db));
    return db;
}

/* "VERB hy_note_123 REST" */
static void run_on_file(sqlite3 *db, const char *verb, table t, const char *rest)
{
    char sql[SQL_SIZE];

    (void)snprintf(sql, sizeof sql, "%s %s_%s %s", verb, table_names[t], suffix, rest);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void read_file_table(sqlite3 *db, table t)
{
    sqlite3_stmt *stmt;
    char sql[SQL_SIZE];
    int rc;

    (void)snprintf(sql, sizeof sql, "SELECT id, n FROM %s_%s", table_names[t], suffix);
    assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL));
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        note_stored(t, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1));
    assert_int_equal(rc, SQLITE_DONE);
    (void)sqlite3_finalize(stmt);
}

static void read_file(void)
{
    sqlite3 *db = open_file();
    sqlite3_stmt *stmt;

    assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL));
    assert_int_equal(SQLITE_ROW, sqlite3_step(stmt));
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    (void)sqlite3_finalize(stmt);
    for (int t = 0; t < TABLES; t++) {
        read_file_table(db, (table)t);
        run_on_file(db, "DELETE FROM", (table)t, "");
    }
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
}

static void killed_on_sqlite(void **state)
{
    char *argv[] = {(char[]){"test_client_kill"},
                    (char[]){"child"},
                    (char[]){"sqlite"},
                    (char[]){""},
                    (char[]){"0"},
                    (char[]){""},
                    (char[]){""},
                    file,
                    suffix,
                    NULL};
    char line[100];

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/file.db", folder);
    (void)snprintf(suffix, sizeof suffix, "%d", (int)getpid());
    sqlite3 *db = open_file();
    for (int t = 0; t < TABLES; t++)
        run_on_file(db, "CREATE TABLE", (table)t, "(id INTEGER PRIMARY KEY, n INTEGER NOT NULL)");
    assert_int_equal(SQLITE_OK, sqlite3_close(db));
    kill_again_and_again("sqlite", argv, read_file);
    (void)snprintf(line, sizeof line, "rm -rf %s", folder);
    assert_int_equal(0, system(line));
}

/* ---- main ------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct CMUnitTest on_file[] = {{"sqlite.killed", killed_on_sqlite, NULL, NULL, NULL}};
    static const struct CMUnitTest tests[] = {cmocka_unit_test(killed)};

    if (argc == 9 && strcmp(argv[1], "child") == 0)
        return be_the_child(argv);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    int failed = cmocka_run_group_tests_name("sqlite", on_file, NULL, NULL);
    return failed + servers_run(argc, argv, tests, 1);
}
