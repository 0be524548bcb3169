/*
 * hy_cursor_cancel() on every database: the statement it is meant for ends, wherever it waits,
 * and no other ever does; what a connection that was given up left running is stopped on the
 * server. SQLite needs no server; HY_TEST_POSTGRES_URL and so on say where the others are, and
 * without an address their tests are skips. Oracles are the servers' own lists of what runs,
 * and counts of rows. A server that freezes is a proxy that stops to pass bytes on.
 */
#include "figures.h"
#include "hy_test.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <hysteria/url.h>

enum { MS = 1000000 };

/* What differs between the databases. */
typedef struct database {
    const char *name, *variable;
    const char *nap;     /* a few milliseconds long, more or less */
    const char *endless; /* longer than any test */
    const char *count;   /* of sessions that run a text now */
    bool keeps;          /* a cancelled statement leaves the connection and the transaction */
} database;

/* Not SLEEP(): a KILL that meets its end holds every sleeper of MariaDB up for two seconds. */
static const char busy[] = "SELECT BENCHMARK(3000, SHA2(RAND(), 256))";

static const database databases[] = {
    {
        .name = "sqlite",
        .nap = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 20000)"
               " SELECT count(*) FROM r",
        .endless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r",
        .keeps = true,
    },
    {
        .name = "postgres",
        .variable = "HY_TEST_POSTGRES_URL",
        .nap = "SELECT pg_sleep(0.003)",
        .endless = "SELECT pg_sleep(77)",
        .count = "SELECT count(*) FROM pg_stat_activity WHERE query = ? AND wait_event_type IN ('Timeout', "
                 "'Lock')",
    },
    {
        .name = "mariadb",
        .variable = "HY_TEST_MARIADB_URL",
        .nap = busy,
        .endless = "SELECT SLEEP(77)",
        .count =
            "SELECT count(*) FROM information_schema.processlist WHERE info = ? AND command <> 'Prepare'",
    },
    {
        .name = "mysql",
        .variable = "HY_TEST_MYSQL_URL",
        .nap = busy,
        .endless = "SELECT SLEEP(77)",
        .count =
            "SELECT count(*) FROM information_schema.processlist WHERE info = ? AND command <> 'Prepare'",
    },
};
enum { N_DATABASES = sizeof databases / sizeof databases[0] };

static const database *db; /* what is tested now */
static hy_url address;
static char file[64];
static int failures; /* of other threads */

/* ---- helpers ---------------------------------------------------------------------------- */

static bool has_server(void)
{
    return db->variable != NULL;
}

static hy_source *open_with(int max, const char *host, int port, const char *ssl_mode)
{
    hy_source_config config = {
        .type = db->name,
        .connect = {.host = host,
                    .port = port,
                    .user = address.user,
                    .password = address.password,
                    .database = has_server() ? address.database : file,
                    .ssl_mode = ssl_mode},
        .pool = {.max = max, .acquire_timeout = 20000},
        .connect_timeout = 20000,
    };
    hy_source *source;
    hy_error err;

    if (hy_source_open(&config, &source, &err) != HY_OK)
        fail_msg("%s", err.message);
    return source;
}

static hy_source *open_source(int max)
{
    return open_with(max, address.host, address.port, NULL);
}

static void shut(hy_source *source)
{
    hy_source_close(source);
    hy_source_unref(source);
}

/* Run text to its end on the cursor; the first row's first value, if there is one. */
static hy_status try_with(hy_cursor *cursor, hy_source *source, hy_transaction *trx, const char *sql,
                          const hy_bind *binds, size_t n, int64_t *out, hy_error *err)
{
    const hy_run_options options = {.transaction = trx, .may_block = true};
    const hy_value *row;

    hy_error_clear(err);
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), binds, NULL, n, &options, err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        if (out != NULL && hy_cursor_n_columns(cursor) > 0 && row[0].type == HY_INT)
            *out = row[0].as.integer;
    return status == HY_DONE ? HY_OK : status;
}

static hy_status try_on(hy_cursor *cursor, hy_source *source, hy_transaction *trx, const char *sql,
                        int64_t *out, hy_error *err)
{
    return try_with(cursor, source, trx, sql, NULL, 0, out, err);
}

static void run_in(hy_source *source, hy_transaction *trx, const char *sql)
{
    const hy_run_options options = {.transaction = trx};
    hy_error err;

    if (hy_source_execute_raw(source, sql, NULL, 0, &options, NULL, &err) != HY_OK)
        fail_msg("%s: %s", sql, err.message);
}

static int64_t number_with(hy_source *source, const char *sql, const hy_bind *binds, size_t size)
{
    hy_cursor *cursor = hy_cursor_new();
    int64_t n = -1;
    hy_error err;

    if (try_with(cursor, source, NULL, sql, binds, size, &n, &err) != HY_OK)
        fail_msg("%s: %s", sql, err.message);
    hy_cursor_free(cursor);
    return n;
}

static int64_t number(hy_source *source, const char *sql)
{
    return number_with(source, sql, NULL, 0);
}

/* How many sessions of the server are at this text. */
static int64_t running(hy_source *source, const char *sql)
{
    const hy_bind text = {.value = hy_text(sql)};

    return number_with(source, db->count, &text, 1);
}

/* Given time to become so many. */
static void expect_running(hy_source *source, const char *sql, int64_t wanted)
{
    int64_t until = hy_monotonic_ns() + 10000 * (int64_t)MS, n;

    while ((n = running(source, sql)) != wanted && hy_monotonic_ns() < until)
        (void)usleep(5000);
    assert_int_equal(n, wanted);
}

static long rounds(void)
{
    const char *scale = getenv("HY_SCALE");
    return scale != NULL && strcmp(scale, "full") == 0 ? 10000 : 1000;
}

/* ---- a thread that cancels --------------------------------------------------------------- */

typedef struct canceller {
    pthread_t thread;
    sem_t go, done;
    hy_cursor *cursor; /* NULL: the end */
    useconds_t after;
    int64_t pulled_at;
} canceller;

static void *cancel_on_demand(void *arg)
{
    canceller *k = arg;

    for (;;) {
        while (sem_wait(&k->go) != 0)
            ;
        if (k->cursor == NULL)
            return NULL;
        (void)usleep(k->after);
        k->pulled_at = hy_monotonic_ns();
        hy_cursor_cancel(k->cursor);
        (void)sem_post(&k->done);
    }
}

static void canceller_init(canceller *k)
{
    assert_int_equal(0, sem_init(&k->go, 0, 0));
    assert_int_equal(0, sem_init(&k->done, 0, 0));
    assert_int_equal(0, pthread_create(&k->thread, NULL, cancel_on_demand, k));
}

static void cancel_after(canceller *k, hy_cursor *cursor, useconds_t after)
{
    k->cursor = cursor;
    k->after = after;
    (void)sem_post(&k->go);
}

static void cancel_wait(canceller *k)
{
    while (sem_wait(&k->done) != 0)
        ;
}

static void canceller_clear(canceller *k)
{
    cancel_after(k, NULL, 0);
    (void)pthread_join(k->thread, NULL);
    (void)sem_destroy(&k->go);
    (void)sem_destroy(&k->done);
}

/* It runs until it is cancelled, and ends soon after that. */
static void expect_canceled(canceller *k, hy_cursor *cursor, hy_source *source, hy_transaction *trx,
                            const char *sql)
{
    hy_error err;

    cancel_after(k, cursor, 50000);
    hy_status status = try_on(cursor, source, trx, sql, NULL, &err);
    int64_t ended = hy_monotonic_ns();
    cancel_wait(k);
    if (status != HY_EQUERY_CANCELED)
        fail_msg("%s: %s", sql, status == HY_OK ? "it succeeded" : err.message);
    assert_in_range((ended - k->pulled_at) / MS, 0, grace_ms());
}

/* ---- at random moments ------------------------------------------------------------------- */

/* Somebody whose statements nobody wants to end. */
typedef struct innocent {
    hy_source *source;
    atomic_bool stop;
    long runs;
} innocent;

static void *run_undisturbed(void *arg)
{
    innocent *n = arg;
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;

    while (!atomic_load(&n->stop)) {
        int64_t got = 0;
        hy_status status = try_on(cursor, n->source, NULL, "SELECT 42", &got, &err);
        if (status != HY_OK || got != 42) {
            failures++;
            print_error("hit: %s\n", status == HY_OK ? "a wrong answer" : err.message);
        }
        n->runs++;
        (void)usleep(200);
    }
    hy_cursor_free(cursor);
    return NULL;
}

typedef struct tally {
    long canceled, completed, committed;
} tally;

/* What came of the statement that somebody tries to end. */
static bool count_outcome(tally *t, hy_status status, const hy_error *err)
{
    t->canceled += status == HY_EQUERY_CANCELED;
    t->completed += status == HY_OK;
    if (status != HY_OK && status != HY_EQUERY_CANCELED)
        fail_msg("%s", err->message);
    return status == HY_OK;
}

/* One row, then the statement that may be cancelled. */
static void round_in_transaction(hy_source *source, canceller *k, hy_cursor *cursor, hy_cursor *witness,
                                 useconds_t after, tally *t)
{
    hy_transaction *trx;
    hy_error err;

    assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
    run_in(source, trx, "INSERT INTO hy_cancel VALUES (1)");
    cancel_after(k, cursor, after);
    bool done = count_outcome(t, try_on(cursor, source, trx, db->nap, NULL, &err), &err);
    /* When the whole answer was there already the transaction goes on, else it is gone. */
    bool alive = hy_transaction_get_state(trx) == HY_TRX_ACTIVE;
    assert_true(alive || !(done || db->keeps));
    assert_int_equal(try_on(witness, source, trx, "SELECT 1", NULL, &err),
                     alive ? HY_OK : HY_ETRANSACTION_ABORTED);
    hy_status status = hy_transaction_commit(trx, &err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, &err);
    assert_int_equal(status, alive ? HY_OK : HY_ETRANSACTION_ABORTED);
    t->committed += status == HY_OK;
    hy_transaction_free(trx);
}

static void one_round(hy_source *source, canceller *k, hy_cursor *cursor, hy_cursor *witness,
                      useconds_t after, bool in_transaction, tally *t)
{
    int64_t got = 0;
    hy_error err;

    if (in_transaction) {
        round_in_transaction(source, k, cursor, witness, after, t);
    } else {
        cancel_after(k, cursor, after);
        (void)count_outcome(t, try_on(cursor, source, NULL, db->nap, NULL, &err), &err);
    }
    /* The cancel may still be under way: it must not reach whoever has the connection now. */
    if (try_on(witness, source, NULL, "SELECT 42", &got, &err) != HY_OK)
        fail_msg("hit: %s", err.message);
    assert_int_equal(got, 42);
    cancel_wait(k);
    if (try_on(cursor, source, NULL, "SELECT 42", &got, &err) != HY_OK)
        fail_msg("hit: %s", err.message);
}

/* Microseconds: about twice as long as the nap takes, on this machine, now. */
static uint64_t measure_nap(hy_source *source, hy_cursor *cursor)
{
    enum { TIMES = 30 };
    int64_t began = hy_monotonic_ns();
    hy_error err;

    for (int i = 0; i < TIMES; i++)
        assert_int_equal(HY_OK, try_on(cursor, source, NULL, db->nap, NULL, &err));
    return (uint64_t)(hy_monotonic_ns() - began) * 2 / TIMES / 1000 + 1;
}

static void test_random_moments(void **state)
{
    hy_source *source = open_source(1), *others = open_source(1);
    hy_cursor *cursor = hy_cursor_new(), *witness = hy_cursor_new();
    innocent n = {.source = others};
    uint64_t seed = 88172645463325252u;
    int64_t began = hy_monotonic_ns();
    pthread_t thread;
    canceller k;
    tally t = {0};

    (void)state;
    failures = 0;
    run_in(source, NULL, "DROP TABLE IF EXISTS hy_cancel");
    run_in(source, NULL, "CREATE TABLE hy_cancel (a INTEGER)");
    canceller_init(&k);
    assert_int_equal(0, pthread_create(&thread, NULL, run_undisturbed, &n));
    uint64_t span = measure_nap(source, cursor);
    for (long i = 0; i < rounds(); i++) {
        long before = t.canceled;
        one_round(source, &k, cursor, witness, (useconds_t)(hy_test_random(&seed) % span), i % 4 == 0, &t);
        /* About half of the cancels should come in time, whatever else the machine does. */
        span += t.canceled > before ? span / 50 + 1 : 0;
        span -= t.canceled == before && span > 500 ? span / 50 + 1 : 0;
    }
    atomic_store(&n.stop, true);
    (void)pthread_join(thread, NULL);
    canceller_clear(&k);
    assert_int_equal(number(source, "SELECT count(*) FROM hy_cancel"), t.committed);
    run_in(source, NULL, "DROP TABLE hy_cancel");
    report("cancel at random moments, %s: %ld cancelled, %ld were faster, %ld of others meanwhile, 0 hit, "
           "%.1f s",
           db->name, t.canceled, t.completed, n.runs + t.canceled + t.completed,
           (double)(hy_monotonic_ns() - began) / 1e9);
    assert_int_equal(failures, 0);
    /* Without both outcomes nothing was shown. */
    assert_true(t.canceled > rounds() / 10 && t.completed > rounds() / 20);
    assert_int_equal(t.canceled + t.completed, rounds());
    hy_cursor_free(cursor);
    hy_cursor_free(witness);
    shut(source);
    shut(others);
}

/* ---- what it ends ------------------------------------------------------------------------ */

static void test_long_statement(void **state)
{
    hy_source *source = open_source(1), *watch = open_source(1);
    hy_cursor *cursor = hy_cursor_new();
    hy_pool_stats stats;
    hy_error err;
    canceller k;

    (void)state;
    canceller_init(&k);
    hy_cursor_cancel(cursor); /* nothing runs */
    assert_int_equal(HY_OK, try_on(cursor, source, NULL, "SELECT 1", NULL, &err));
    hy_cursor_cancel(cursor); /* nothing runs any more */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(HY_OK, try_on(cursor, source, NULL, "SELECT 1", NULL, &err)); /* connected */
        expect_canceled(&k, cursor, source, NULL, db->endless);
    }
    if (has_server())
        expect_running(watch, db->endless, 0);
    hy_source_stats(source, &stats);
    assert_int_equal(stats.discarded, db->keeps ? 0 : 3);
    assert_int_equal(HY_OK, try_on(cursor, source, NULL, "SELECT 1", NULL, &err));
    canceller_clear(&k);
    hy_cursor_free(cursor);
    shut(source);
    shut(watch);
}

static void test_waiting_for_a_connection(void **state)
{
    hy_source *source = open_source(1);
    hy_cursor *cursor = hy_cursor_new();
    hy_lease *lease;
    hy_error err;
    canceller k;

    (void)state;
    canceller_init(&k);
    assert_int_equal(HY_OK, hy_source_acquire(source, 0, &lease, &err));
    for (int i = 0; i < 3; i++) {
        /* Not as one who blocks: this thread holds the only connection itself. */
        const hy_run_options options = {.may_block = false};
        assert_int_equal(HY_OK,
                         hy_cursor_start_raw(cursor, source, "SELECT 1", 8, NULL, NULL, 0, &options, &err));
        cancel_after(&k, cursor, 20000);
        assert_fails(HY_EQUERY_CANCELED, err, hy_task_run(hy_cursor_task(cursor), &err));
        int64_t ended = hy_monotonic_ns();
        cancel_wait(&k);
        assert_in_range((ended - k.pulled_at) / MS, 0, grace_ms());
    }
    hy_pool_stats stats;
    hy_source_stats(source, &stats);
    assert_int_equal(stats.waiting, 0);
    hy_lease_release(lease);
    assert_int_equal(HY_OK, try_on(cursor, source, NULL, "SELECT 1", NULL, &err));
    canceller_clear(&k);
    hy_cursor_free(cursor);
    shut(source);
}

static void begin_text(hy_cursor *cursor, hy_source *source, const char *sql, int64_t timeout)
{
    const hy_run_options options = {.timeout = timeout};
    hy_error err;

    if (hy_cursor_start_raw(cursor, source, sql, strlen(sql), NULL, NULL, 0, &options, &err) != HY_OK)
        fail_msg("%s", err.message);
}

/* Until the statement is with the server. */
static void send_text(hy_cursor *cursor, hy_source *source, const char *sql, hy_source *watch, int64_t wanted)
{
    hy_error err;

    begin_text(cursor, source, sql, 0);
    int64_t until = hy_monotonic_ns() + 10000 * (int64_t)MS;
    while (running(watch, sql) < wanted && hy_monotonic_ns() < until) {
        hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
        assert_int_equal(HY_AGAIN, hy_task_advance(hy_cursor_task(cursor), &wait, &err));
        wait.deadline = hy_monotonic_ns() + 5 * (int64_t)MS;
        (void)hy_wait_block(&wait);
    }
}

/* Two that write where one may: the second waits for the first, of `holder`. */
static void cancel_second_writer(hy_source *source, hy_source *holder, hy_source *watch, canceller *k)
{
    hy_cursor *cursor = hy_cursor_new();
    static const char sql[] = "UPDATE hy_cancel SET a = 3";
    hy_transaction *trx;
    hy_error err;

    run_in(source, NULL, "DROP TABLE IF EXISTS hy_cancel");
    run_in(source, NULL, "CREATE TABLE hy_cancel (a INTEGER)");
    run_in(source, NULL, "INSERT INTO hy_cancel VALUES (1)");
    assert_int_equal(HY_OK, hy_source_begin(holder, NULL, &trx, &err));
    run_in(holder, trx, "UPDATE hy_cancel SET a = 2");
    if (has_server())
        send_text(cursor, source, sql, watch, 1);
    else
        begin_text(cursor, source, sql, 0);
    cancel_after(k, cursor, 50000);
    hy_status status = hy_task_run(hy_cursor_task(cursor), &err);
    int64_t ended = hy_monotonic_ns();
    cancel_wait(k);
    assert_in_range((ended - k->pulled_at) / MS, 0, grace_ms());
    /* A server that was asked to write may have done so; on a slow machine it was not asked yet. */
    assert_true(status == HY_EQUERY_CANCELED || (has_server() && status == HY_EOUTCOME_UNKNOWN));
    if (has_server())
        expect_running(watch, sql, 0); /* else it gets the lock before it is told to stop */
    assert_int_equal(HY_OK, hy_transaction_commit(trx, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    hy_transaction_free(trx);
    /* The one who waited did nothing, and is in nobody's way. */
    assert_int_equal(HY_OK, try_on(cursor, source, NULL, "UPDATE hy_cancel SET a = a + 10", NULL, &err));
    assert_int_equal(number(source, "SELECT a FROM hy_cancel"), 12);
    run_in(source, NULL, "DROP TABLE hy_cancel");
    hy_cursor_free(cursor);
}

static void test_waiting_for_a_lock(void **state)
{
    hy_source *source = open_source(2), *other = open_source(1), *watch = open_source(1);
    canceller k;

    (void)state;
    canceller_init(&k);
    cancel_second_writer(source, source, watch, &k); /* in SQLite it waits for the ticket */
    cancel_second_writer(source, other, watch, &k);  /* and here for the file */
    canceller_clear(&k);
    shut(source);
    shut(other);
    shut(watch);
}

/* ---- what is left on the server ---------------------------------------------------------- */

static void test_given_up(void **state)
{
    enum { MANY = 20 };
    hy_source *source = open_source(MANY), *watch = open_source(1);
    hy_cursor *cursors[MANY];
    hy_error err;

    (void)state;
    /* Out of time. */
    cursors[0] = hy_cursor_new();
    begin_text(cursors[0], source, db->endless, 100);
    assert_fails(HY_EQUERY_TIMEOUT, err, hy_task_run(hy_cursor_task(cursors[0]), &err));
    hy_cursor_free(cursors[0]);
    expect_running(watch, db->endless, 0);
    /* Left by who waited: nobody is delayed, and all of them stop. */
    for (int i = 0; i < MANY; i++) {
        cursors[i] = hy_cursor_new();
        send_text(cursors[i], source, db->endless, watch, i + 1);
    }
    expect_running(watch, db->endless, MANY);
    int64_t began = hy_monotonic_ns();
    for (int i = 0; i < MANY; i++)
        hy_cursor_free(cursors[i]);
    assert_in_range((hy_monotonic_ns() - began) / MS, 0, grace_ms());
    expect_running(watch, db->endless, 0);
    /* With the source closed right behind it. */
    cursors[0] = hy_cursor_new();
    send_text(cursors[0], source, db->endless, watch, 1);
    hy_cursor_free(cursors[0]);
    shut(source);
    expect_running(watch, db->endless, 0);
    shut(watch);
}

/* ---- a server that freezes --------------------------------------------------------------- */

enum { MOST_PAIRS = 64 };
typedef struct proxy {
    int listener, port;
    atomic_bool frozen, over;
    int pairs[MOST_PAIRS][2], n;
    pthread_t thread;
} proxy;

static int connect_to_server(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)address.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool pass_on(int from, int to)
{
    char bytes[4096];
    ssize_t n = read(from, bytes, sizeof bytes);

    return n > 0 && send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static void serve_pairs(proxy *p, const struct pollfd *fds)
{
    for (int i = 0; i < p->n; i++)
        for (int side = 0; side < 2; side++)
            if (p->pairs[i][0] >= 0 && fds[2 * i + side].revents != 0 &&
                !pass_on(p->pairs[i][side], p->pairs[i][1 - side])) {
                (void)close(p->pairs[i][0]);
                (void)close(p->pairs[i][1]);
                p->pairs[i][0] = p->pairs[i][1] = -1;
            }
}

static void *proxy_run(void *arg)
{
    proxy *p = arg;

    while (!atomic_load(&p->over)) {
        struct pollfd fds[2 * MOST_PAIRS + 1];
        bool frozen = atomic_load(&p->frozen);
        for (int i = 0; i < p->n; i++)
            for (int side = 0; side < 2; side++)
                fds[2 * i + side] = (struct pollfd){.fd = frozen ? -1 : p->pairs[i][side], .events = POLLIN};
        fds[2 * p->n] = (struct pollfd){.fd = frozen ? -1 : p->listener, .events = POLLIN};
        if (poll(fds, (nfds_t)(2 * p->n + 1), 5) <= 0 || atomic_load(&p->frozen))
            continue;
        bool comes = fds[2 * p->n].revents != 0;
        serve_pairs(p, fds);
        if (comes && p->n < MOST_PAIRS) {
            p->pairs[p->n][0] = accept(p->listener, NULL, NULL);
            p->pairs[p->n][1] = connect_to_server();
            p->n++;
        }
    }
    for (int i = 0; i < p->n; i++)
        for (int side = 0; side < 2; side++)
            if (p->pairs[i][side] >= 0)
                (void)close(p->pairs[i][side]);
    return NULL;
}

static void proxy_start(proxy *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;

    *p = (proxy){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(0, bind(p->listener, (struct sockaddr *)&at, sizeof at));
    assert_int_equal(0, listen(p->listener, MOST_PAIRS));
    assert_int_equal(0, getsockname(p->listener, (struct sockaddr *)&at, &size));
    p->port = ntohs(at.sin_port);
    assert_int_equal(0, pthread_create(&p->thread, NULL, proxy_run, p));
}

static void proxy_end(proxy *p)
{
    atomic_store(&p->over, true);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->listener);
}

static void test_frozen_while_running(void **state)
{
    hy_cursor *cursor = hy_cursor_new();
    hy_transaction *trx;
    hy_error err;
    canceller k;
    proxy p;

    (void)state;
    canceller_init(&k);
    for (int i = 0; i < 10; i++) {
        proxy_start(&p);
        hy_source *source = open_with(2, "127.0.0.1", p.port, NULL);
        assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
        assert_int_equal(HY_OK, try_on(cursor, source, trx, "SELECT 1", NULL, &err));
        atomic_store(&p.frozen, true);
        expect_canceled(&k, cursor, source, trx, i % 2 == 0 ? "SELECT 1" : db->endless);
        /* Nothing more can be said to this server, and nobody waits to say it. */
        int64_t began = hy_monotonic_ns();
        hy_transaction_free(trx);
        shut(source);
        assert_in_range((hy_monotonic_ns() - began) / MS, 0, grace_ms());
        proxy_end(&p);
    }
    canceller_clear(&k);
    hy_cursor_free(cursor);
}

static void test_frozen_while_connecting(void **state)
{
    hy_cursor *cursor = hy_cursor_new();
    canceller k;
    proxy p;

    (void)state;
    canceller_init(&k);
    for (int i = 0; i < 4; i++) {
        proxy_start(&p);
        atomic_store(&p.frozen, true);
        /* By address and by name, without and with TLS: four ways to wait. */
        hy_source *source =
            open_with(2, i % 2 == 0 ? "127.0.0.1" : "localhost", p.port, i < 2 ? "disable" : "prefer");
        expect_canceled(&k, cursor, source, NULL, "SELECT 1");
        int64_t began = hy_monotonic_ns();
        shut(source);
        assert_in_range((hy_monotonic_ns() - began) / MS, 0, grace_ms());
        proxy_end(&p);
    }
    canceller_clear(&k);
    hy_cursor_free(cursor);
}

/* ---- running ----------------------------------------------------------------------------- */

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
    TEST(long_statement),
    TEST(waiting_for_a_connection),
    TEST(waiting_for_a_lock),
    TEST(random_moments),
    /* of servers only */
    TEST(given_up),
    TEST(frozen_while_running),
    TEST(frozen_while_connecting),
};
enum { N_TESTS = sizeof tests / sizeof tests[0], N_WITHOUT_SERVER = 4 };

/* HY_TEST_REQUIRE is a list like "postgres,mariadb". */
static bool is_required(const char *name)
{
    const char *list = getenv("HY_TEST_REQUIRE");
    const char *at = list != NULL ? strstr(list, name) : NULL;
    return at != NULL;
}

static int test_database(const database *which)
{
    static struct CMUnitTest list[N_TESTS];
    static char names[N_TESTS][64];
    const char *url = which->variable != NULL ? getenv(which->variable) : NULL;
    hy_error err;

    db = which;
    memcpy(list, tests, sizeof tests);
    for (size_t i = 0; i < N_TESTS; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s.%s", which->name, tests[i].name);
        list[i].name = names[i];
        if (has_server() && url == NULL)
            list[i].test_func = skip_test;
    }
    if (has_server() && url == NULL && is_required(which->name)) {
        print_error("HY_TEST_REQUIRE names %s, but %s is not set\n", which->name, which->variable);
        return 1;
    }
    if (url != NULL && hy_url_parse(url, strlen(url), &address, &err) != HY_OK) {
        print_error("%s: %s\n", which->variable, err.message);
        return 1;
    }
    int failed =
        _cmocka_run_group_tests(which->name, list, has_server() ? N_TESTS : N_WITHOUT_SERVER, NULL, NULL);
    if (url != NULL)
        hy_url_clear(&address);
    return failed;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/hy_cancel.XXXXXX";
    int failed = 0;

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(file, sizeof file, "%s/cancel.db", folder);
    for (size_t i = 0; i < N_DATABASES; i++)
        failed += test_database(&databases[i]);
    for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL}; *end != NULL; end++) {
        char name[80];
        (void)snprintf(name, sizeof name, "%s%s", file, *end);
        (void)unlink(name);
    }
    (void)rmdir(folder);
    return failed;
}
