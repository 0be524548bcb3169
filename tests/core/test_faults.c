/*
 * Networks that freeze and break, against real servers behind a proxy (fault_proxy.h): no call
 * outlives its deadline, no cut makes a wrong answer, no commit is called done or failed by one
 * who cannot know. Every test counts the faults that happened and is void without them.
 *
 * Oracles: rows are a formula, computed here; what is stored is asked by another connection,
 * which does not go through the proxy; the clock is the kernel's.
 *
 * HY_SCALE=full cuts at every byte, ci at every tenth from a random first one that is printed;
 * HY_SEED repeats it.
 */
#include "servers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <source/source_impl.h>

#include "fault_proxy.h"

enum { MS = 1000000, ROWS = 6, TIMEOUT = 300, GRACE = 100, CALM = 20000, SQL_SIZE = 1024 };

static struct {
    fault_proxy *proxy;
    char user[USER_SIZE];
    char ops[48], rows[48]; /* tables */
    bool tls;
    int descriptors; /* before a source was opened */
} here;

/* ---- tables ----------------------------------------------------------------------------- */

enum { FIRST_DAY = 19723 }; /* 2024-01-01 */

static size_t text_of_row(int i, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "row %d äß", i);
}

static size_t blob_of_row(int i, unsigned char *out)
{
    size_t n = (size_t)i * 3;

    for (size_t j = 0; j < n; j++)
        out[j] = (unsigned char)(j * (size_t)i * 11);
    return n;
}

static void write_row(int i, char *sql, size_t size)
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

static bool is_text(const hy_value *v, hy_type type, const void *data, size_t size)
{
    return v->type == type && v->as.text.size == size && memcmp(v->as.text.data, data, size) == 0;
}

/* Is this what row i must be? */
static bool is_row(int i, const hy_value *v)
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

static place admin(void)
{
    return (place){.source = server.admin};
}

static void make_tables(void)
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

static void drop_tables(void)
{
    sql_run(admin(), "DROP TABLE IF EXISTS %s", here.ops);
    sql_run(admin(), "DROP TABLE IF EXISTS %s", here.rows);
}

/* ---- setting the scene ------------------------------------------------------------------ */

static void begin_faults(bool tls)
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

static void end_faults(void)
{
    fault_proxy_stop(here.proxy);
    here.proxy = NULL;
    drop_tables();
    server_drop_user(here.user);
}

/* Through the proxy, as the user of this test. */
static hy_source *open_source(int max)
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
static void close_source(hy_source *source)
{
    server_shut(source);
    fault_proxy_drop(here.proxy);
    assert_int_equal(descriptors_left(here.descriptors), 0);
}

static const char *channel(void)
{
    return here.tls ? "tls" : "plain";
}

/* ---- errors ----------------------------------------------------------------------------- */

/* Whatever went wrong: it is typed, says something, and nothing of where and who. */
static void check_error(const char *where, hy_status status, const hy_error *err)
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

/* ---- how late timers are here ----------------------------------------------------------- */

/* Beside each measured call: by how much the machine itself is late. */
typedef struct meter {
    pthread_t thread;
    atomic_bool stop;
    int64_t worst; /* ns */
} meter;

static void *measure(void *ctx)
{
    enum { NAP = 5 };
    meter *m = ctx;

    while (!atomic_load(&m->stop)) {
        int64_t began = hy_monotonic_ns();
        pause_ms(NAP);
        int64_t late = hy_monotonic_ns() - began - NAP * (int64_t)MS;
        m->worst = late > m->worst ? late : m->worst;
    }
    return NULL;
}

static void start_meter(meter *m)
{
    m->worst = 0;
    atomic_init(&m->stop, false);
    assert_int_equal(0, pthread_create(&m->thread, NULL, measure, m));
}

static int64_t stop_meter(meter *m)
{
    atomic_store(&m->stop, true);
    (void)pthread_join(m->thread, NULL);
    return m->worst;
}

/* ---- frozen ----------------------------------------------------------------------------- */

/* What a step has to work with. */
typedef struct stage {
    hy_source *source;
    hy_lease *lease;
    hy_transaction *trx;
    char read[SQL_SIZE], other[SQL_SIZE], write[SQL_SIZE], many[SQL_SIZE];
    hy_bind bind;
} stage;

static hy_status run(stage *s, const char *sql, int64_t timeout, hy_error *err)
{
    hy_run_options options = {
        .lease = s->trx == NULL ? s->lease : NULL, .transaction = s->trx, .timeout = timeout};
    size_t n = strchr(sql, '?') != NULL;

    return hy_source_execute_raw(s->source, sql, &s->bind, n, &options, NULL, err);
}

static void must(stage *s, const char *sql)
{
    hy_error err;

    if (run(s, sql, CALM, &err) != HY_OK)
        fail_msg("%s: %s: %s", server.type, sql, err.message);
}

static void nothing(stage *s)
{
    (void)s;
}

static void connect_first(stage *s)
{
    must(s, "SELECT 1");
}

static void prepare_first(stage *s)
{
    must(s, s->read);
}

static void write_first(stage *s)
{
    must(s, s->write);
    s->bind.value.as.integer++;
}

static void begin_first(stage *s)
{
    hy_transaction_options options = {.timeout = CALM};
    hy_error err;

    if (hy_source_begin(s->source, &options, &s->trx, &err) != HY_OK)
        fail_msg("%s: BEGIN: %s", server.type, err.message);
    must(s, s->write);
    s->bind.value.as.integer++;
}

static void lease_first(stage *s)
{
    hy_error err;

    if (hy_source_acquire(s->source, CALM, &s->lease, &err) != HY_OK)
        fail_msg("%s: %s", server.type, err.message);
    must(s, server.kind == SERVER_POSTGRES ? "SET work_mem = '5MB'" : "SET @x = 1");
    must(s, "BEGIN");
}

static hy_status read_again(stage *s, hy_error *err)
{
    return run(s, s->read, 0, err);
}

static hy_status read_other(stage *s, hy_error *err)
{
    return run(s, s->other, 0, err);
}

static hy_status write_again(stage *s, hy_error *err)
{
    return run(s, s->write, 0, err);
}

static hy_status read_many(stage *s, hy_error *err)
{
    return run(s, s->many, 0, err);
}

static hy_status begin(stage *s, hy_error *err)
{
    return hy_source_begin(s->source, NULL, &s->trx, err);
}

static hy_status commit(stage *s, hy_error *err)
{
    hy_status status = hy_transaction_commit(s->trx, err);
    return status == HY_OK ? hy_transaction_run(s->trx, err) : status;
}

static hy_status rollback(stage *s, hy_error *err)
{
    hy_status status = hy_transaction_rollback(s->trx, err);
    return status == HY_OK ? hy_transaction_run(s->trx, err) : status;
}

static hy_status set_savepoint(stage *s, hy_error *err)
{
    size_t depth;
    hy_status status = hy_transaction_savepoint(s->trx, &depth, err);

    return status == HY_OK ? hy_transaction_run(s->trx, err) : status;
}

static hy_status drop_transaction(stage *s, hy_error *err)
{
    (void)err;
    hy_transaction_free(s->trx);
    s->trx = NULL;
    return HY_OK;
}

static hy_status release(stage *s, hy_error *err)
{
    (void)err;
    hy_lease_release(s->lease);
    s->lease = NULL;
    return HY_OK;
}

/* The session was given back unclean; the next borrower finds the server frozen in its reset. */
static hy_status borrow_after(stage *s, hy_error *err)
{
    (void)release(s, err);
    return run(s, s->read, 0, err);
}

static hy_status close_it(stage *s, hy_error *err)
{
    (void)err;
    hy_source_close(s->source);
    return HY_OK;
}

/* A step of the protocol, frozen there. */
typedef struct frozen_step {
    const char *name;
    void (*prepare)(stage *s); /* while everything passes */
    hy_status (*call)(stage *s, hy_error *err);
    int64_t at;         /* of the server's bytes; AFTER_COMMIT */
    hy_status expected; /* HY_OK: it must not wait at all, unless `waits` */
    bool discards;      /* the connection that was in use */
    bool waits;         /* HY_OK, and may take until its deadline */
} frozen_step;

enum { AFTER_COMMIT = -1, MIDWAY = 30000 };

static const frozen_step frozen_steps[] = {
    {"connect", nothing, read_again, 0, HY_ECONNECT_TIMEOUT, false, false},
    {"prepare", connect_first, read_other, 0, HY_EQUERY_TIMEOUT, true, false},
    {"prepare's answer", connect_first, read_other, 1, HY_EQUERY_TIMEOUT, true, false},
    {"execute", prepare_first, read_again, 0, HY_EQUERY_TIMEOUT, true, false},
    {"execute's answer", prepare_first, read_again, 1, HY_EQUERY_TIMEOUT, true, false},
    {"a lone write", write_first, write_again, 0, HY_EOUTCOME_UNKNOWN, true, false},
    {"a lone write's answer", write_first, write_again, 1, HY_EOUTCOME_UNKNOWN, true, false},
    {"rows", connect_first, read_many, MIDWAY, HY_EQUERY_TIMEOUT, true, false},
    {"begin", connect_first, begin, 0, HY_EQUERY_TIMEOUT, true, false},
    {"a write in a transaction", begin_first, write_again, 0, HY_EQUERY_TIMEOUT, true, false},
    {"savepoint", begin_first, set_savepoint, 0, HY_EQUERY_TIMEOUT, true, false},
    {"commit", begin_first, commit, 0, HY_EOUTCOME_UNKNOWN, true, false},
    {"commit's answer", begin_first, commit, AFTER_COMMIT, HY_EOUTCOME_UNKNOWN, true, false},
    {"rollback", begin_first, rollback, 0, HY_OK, true, true},
    {"a transaction that is dropped", begin_first, drop_transaction, 0, HY_OK, false, false},
    {"giving back", lease_first, release, 0, HY_OK, false, false},
    {"reset", lease_first, borrow_after, 0, HY_ECONNECT_TIMEOUT, false, false},
    {"closing", connect_first, close_it, 0, HY_OK, false, false},
};
enum { N_FROZEN_STEPS = sizeof frozen_steps / sizeof frozen_steps[0] };

static void open_stage(stage *s)
{
    static int64_t last_id = 1000000;

    *s = (stage){.source = open_source(1), .bind = {.value = hy_int(last_id += 10), .kind = HY_KIND_BIGINT}};
    (void)snprintf(s->read, sizeof s->read, "SELECT * FROM %s WHERE id <= ? ORDER BY id", here.rows);
    (void)snprintf(s->other, sizeof s->other, "SELECT t FROM %s WHERE id >= ?", here.rows);
    (void)snprintf(s->write, sizeof s->write, "INSERT INTO %s VALUES (?, 1)", here.ops);
    (void)snprintf(s->many, sizeof s->many, "SELECT a.* FROM %s a, %s b, %s c, %s d WHERE a.id <= ?",
                   here.rows, here.rows, here.rows, here.rows);
}

static void close_stage(stage *s)
{
    hy_transaction_free(s->trx);
    hy_lease_release(s->lease);
    close_source(s->source);
}

typedef struct frozen_tally {
    int steps;
    int64_t worst, noise; /* ns */
    const char *where;    /* was the worst */
} frozen_tally;

static void check_time(const frozen_step *step, int64_t took, int64_t noise, frozen_tally *t)
{
    bool at_once = step->expected == HY_OK && !step->waits;
    int64_t late = took - (at_once ? 0 : TIMEOUT * (int64_t)MS);

    if (late > t->worst)
        t->where = step->name;
    t->worst = late > t->worst ? late : t->worst;
    t->noise = noise > t->noise ? noise : t->noise;
    if (late > GRACE * (int64_t)MS + noise)
        fail_msg("%s %s, %s: %lld ms too late, the machine itself %lld ms", server.type, channel(),
                 step->name, (long long)(late / MS), (long long)(noise / MS));
}

/* `times`: so many connections; 0: the whole network, what tells the server to stop included. */
static void freeze_at(int64_t at, int times)
{
    fault_plan plan = {.kind = FAULT_FREEZE, .at = at, .times = times};

    if (at == AFTER_COMMIT) {
        plan.moment = FAULT_AFTER_WORD;
        plan.word = "COMMIT";
    }
    fault_proxy_set(here.proxy, &plan);
}

/* False: void, the time was up before the fault came; a slow machine. */
static bool check_frozen(const frozen_step *step, int times, frozen_tally *t)
{
    stage s;
    meter m;
    hy_error err;

    open_stage(&s);
    step->prepare(&s);
    uint64_t discarded = server_stats(s.source).discarded;
    freeze_at(step->at, times);
    hy_error_clear(&err);
    start_meter(&m);
    int64_t began = hy_monotonic_ns();
    hy_status status = step->call(&s, &err);
    int64_t took = hy_monotonic_ns() - began;
    check_time(step, took, stop_meter(&m), t);
    bool happened = fault_proxy_count(here.proxy).faults > 0;

    if (status != step->expected)
        fail_msg("%s %s, %s: %s, not %s: %s", server.type, channel(), step->name, hy_status_name(status),
                 hy_status_name(step->expected), err.message);
    if (status != HY_OK)
        check_error(step->name, status, &err);
    hy_transaction_free(s.trx);
    s.trx = NULL;
    hy_pool_stats stats = server_stats(s.source);
    if (stats.discarded != discarded + step->discards || stats.leased > 0)
        fail_msg("%s %s, %s: %d lent, %d discarded", server.type, channel(), step->name, stats.leased,
                 (int)(stats.discarded - discarded));
    /* Once the network is back everything goes on. */
    fault_proxy_pass(here.proxy);
    if (hy_source_is_open(s.source))
        must(&s, s.read);
    close_stage(&s);
    return happened;
}

static void freeze_step(const frozen_step *step, frozen_tally *t)
{
    enum { TRIES = 5 };

    for (int times = 0; times <= (here.tls && !is_full_scale() ? 0 : 1); times++) {
        int tries = 0;
        while (!check_frozen(step, times, t) && ++tries < TRIES)
            ;
        if (tries == TRIES)
            fail_msg("%s %s, %s: never frozen there", server.type, channel(), step->name);
        t->steps++;
    }
}

/* As long as it takes to become ready, in bytes of the server. */
static int64_t login_size(void)
{
    stage s;
    hy_error err;

    fault_proxy_pass(here.proxy);
    open_stage(&s);
    assert_int_equal(HY_OK, hy_source_acquire(s.source, CALM, &s.lease, &err));
    int64_t size = fault_proxy_count(here.proxy).from_server;
    close_stage(&s);
    return size;
}

static void freeze_everywhere(bool tls)
{
    enum { POINTS = 12 };
    frozen_tally t = {.where = "none"};

    begin_faults(tls);
    (void)login_size(); /* MySQL: from the second time on it is shorter */
    int64_t login = login_size();
    for (int64_t i = 1; i < POINTS; i++) {
        const frozen_step step = {"login", nothing, read_again, login * i / POINTS, HY_ECONNECT_TIMEOUT,
                                  false,   false};
        freeze_step(&step, &t);
    }
    for (size_t i = 0; i < N_FROZEN_STEPS; i++)
        if (frozen_steps[i].at != AFTER_COMMIT || !tls) /* nobody sees a word in TLS */
            freeze_step(&frozen_steps[i], &t);
    assert_int_equal(0, server_drain(here.user));
    end_faults();
    report("frozen %s %s: %d steps, deadline %d ms, worst overrun %.1f ms (%s; timers alone %.1f ms)",
           server.type, channel(), t.steps, TIMEOUT, (double)t.worst / MS, t.where, (double)t.noise / MS);
}

static void frozen(void **state)
{
    (void)state;
    freeze_everywhere(false);
}

static void frozen_tls(void **state)
{
    (void)state;
    freeze_everywhere(true);
}

/* ---- cancelled while frozen -------------------------------------------------------------- */

typedef struct canceler {
    pthread_t thread;
    hy_cursor *cursor;
    int64_t at; /* when it did */
} canceler;

/* As soon as the network is frozen, which it is with the request, or its answer, on its way. */
static void *cancel_when_frozen(void *ctx)
{
    canceler *c = ctx;
    int64_t end = hy_monotonic_ns() + CALM * (int64_t)MS;

    while (fault_proxy_count(here.proxy).faults == 0 && hy_monotonic_ns() < end)
        pause_ms(1);
    pause_ms(5); /* it may cancel what has not begun to wait too, but that is another case */
    c->at = hy_monotonic_ns();
    hy_cursor_cancel(c->cursor);
    return NULL;
}

static void check_cancel(const char *sql, hy_status expected, int64_t at, stage *s, frozen_tally *t)
{
    hy_run_options options = {.may_block = true, .timeout = CALM};
    canceler c = {.cursor = hy_cursor_new()};
    meter m;
    hy_error err;

    freeze_at(at, 0);
    start_meter(&m);
    assert_int_equal(0, pthread_create(&c.thread, NULL, cancel_when_frozen, &c));
    hy_status status =
        hy_cursor_start_raw(c.cursor, s->source, sql, strlen(sql), &s->bind, NULL, 1, &options, &err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(c.cursor), &err);
    int64_t ended = hy_monotonic_ns();
    (void)pthread_join(c.thread, NULL);
    int64_t late = ended - c.at, noise = stop_meter(&m);
    hy_cursor_free(c.cursor);
    if (status != expected)
        fail_msg("%s %s, cancel: %s: %s", server.type, channel(), hy_status_name(status), err.message);
    check_error("cancel", status, &err);
    t->worst = late > t->worst ? late : t->worst;
    t->noise = noise > t->noise ? noise : t->noise;
    t->steps++;
    assert_true(late <= GRACE * (int64_t)MS + noise);
    assert_int_equal(server_stats(s->source).leased, 0);
    fault_proxy_pass(here.proxy);
    must(s, s->read);
}

static void canceled_while_frozen(bool tls)
{
    frozen_tally t = {0};
    stage s;

    begin_faults(tls);
    open_stage(&s);
    must(&s, s.read);
    for (int64_t at = 0; at < 2; at++) {
        check_cancel(s.other, HY_EQUERY_CANCELED, at, &s, &t);
        check_cancel(s.read, HY_EQUERY_CANCELED, at, &s, &t);
        write_first(&s);
        check_cancel(s.write, HY_EOUTCOME_UNKNOWN, at, &s, &t);
        s.bind.value.as.integer++;
    }
    close_stage(&s);
    assert_int_equal(0, server_drain(here.user));
    end_faults();
    report("cancelled while frozen, %s %s: %d statements, the longest ended %.1f ms after it (timers alone "
           "%.1f ms)",
           server.type, channel(), t.steps, (double)t.worst / MS, (double)t.noise / MS);
}

static void canceled(void **state)
{
    (void)state;
    canceled_while_frozen(false);
}

static void canceled_tls(void **state)
{
    (void)state;
    canceled_while_frozen(true);
}

/* ---- a session, and what it knows of its writes ------------------------------------------ */

typedef enum fate { NEVER, ACKED, FAILED, UNKNOWN } fate;

/* Every id that was ever sent, and how it ended for who sent it. */
typedef struct ledger {
    unsigned char *fates;
    int64_t size;
    int acked, failed, unknown, unknown_stored;
    int errors, fine, wrong;
    hy_error last; /* error */
} ledger;

enum { IDS = 3, OPERATIONS = 6 }; /* of a round */

static void open_ledger(ledger *l, int64_t rounds)
{
    *l = (ledger){.size = IDS * (rounds + 2)};
    l->fates = calloc((size_t)l->size, 1);
    assert_non_null(l->fates);
}

static void enter(ledger *l, int64_t id, hy_status status)
{
    assert_true(id > 0 && id < l->size);
    l->fates[id] = status == HY_OK ? ACKED : status == HY_EOUTCOME_UNKNOWN ? UNKNOWN : FAILED;
}

static void note(ledger *l, const char *where, hy_status status, const hy_error *err)
{
    l->fine += status == HY_OK;
    l->errors += status != HY_OK;
    if (status == HY_OK)
        return;
    check_error(where, status, err);
    l->last = *err;
}

/* Rows as they must be, all of them, or an error. */
static void read_rows(hy_source *source, ledger *l)
{
    const hy_bind bind = {.value = hy_int(0), .kind = HY_KIND_BIGINT};
    hy_run_options options = {.may_block = true, .timeout = CALM};
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    char sql[SQL_SIZE];
    hy_error err;
    int n = 0;

    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE id > ? ORDER BY id", here.rows);
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), &bind, NULL, 1, &options, &err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK)
        l->wrong += hy_cursor_n_columns(cursor) != 7 || !is_row(++n, row);
    hy_cursor_free(cursor);
    l->wrong += status == HY_DONE && n != ROWS;
    note(l, "reading", status == HY_DONE ? HY_OK : status, &err);
}

static hy_status insert(hy_source *source, hy_transaction *trx, int64_t id, hy_error *err)
{
    const hy_bind binds[] = {{.value = hy_int(id), .kind = HY_KIND_BIGINT},
                             {.value = hy_int(id * 3), .kind = HY_KIND_BIGINT}};
    hy_run_options options = {.transaction = trx, .may_block = true, .timeout = CALM};
    char sql[SQL_SIZE];
    int64_t affected = 0;

    (void)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?, ?)", here.ops);
    hy_status status = hy_source_execute_raw(source, sql, binds, 2, &options, &affected, err);
    return status == HY_OK && affected != 1 ? hy_fail(err, HY_EDEVELOPMENT_ERROR, "%d rows", (int)affected)
                                            : status;
}

static void insert_one(hy_source *source, ledger *l, int64_t id)
{
    hy_error err;
    hy_status status = insert(source, NULL, id, &err);

    enter(l, id, status);
    note(l, "a lone write", status, &err);
}

/* Two rows, both or none. */
static void insert_two(hy_source *source, ledger *l, int64_t id)
{
    hy_transaction_options options = {.timeout = CALM};
    hy_transaction *trx = NULL;
    hy_error err;
    hy_status status = hy_source_begin(source, &options, &trx, &err);

    for (int i = 0; i < 2 && status == HY_OK; i++)
        status = insert(source, trx, id + i, &err);
    if (status == HY_OK)
        status = hy_transaction_commit(trx, &err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, &err);
    hy_transaction_free(trx);
    enter(l, id, status);
    enter(l, id + 1, status);
    note(l, "a transaction", status, &err);
}

/* Leaves a session behind that must be cleaned for the next borrower. */
static void change_session(hy_source *source, ledger *l)
{
    hy_run_options options = {.may_block = true, .timeout = CALM};
    hy_error err;
    const char *sql = server.kind == SERVER_POSTGRES ? "SET work_mem = '5MB'" : "SET @x = 1";
    hy_status status = hy_source_execute_raw(source, sql, NULL, 0, &options, NULL, &err);

    note(l, "a setting", status, &err);
}

/* Connecting, settings, prepared reads and writes, a transaction, a reset, the same once more. */
static void play(hy_source *source, ledger *l, int64_t round)
{
    read_rows(source, l);
    insert_one(source, l, IDS * round + 1);
    change_session(source, l);
    insert_two(source, l, IDS * round + 2);
    read_rows(source, l);
    read_rows(source, l);
}

/* What the database has, against what was said. */
static void settle(ledger *l)
{
    hy_run_options options = {.may_block = true};
    hy_cursor *cursor = hy_cursor_new();
    unsigned char *stored = calloc((size_t)l->size, 1);
    const hy_value *row;
    char sql[SQL_SIZE];
    hy_error err;

    assert_non_null(stored);
    assert_int_equal(0, server_drain(here.user)); /* nobody is at work any more */
    (void)snprintf(sql, sizeof sql, "SELECT id, n FROM %s WHERE id < %" PRId64, here.ops, l->size);
    hy_status status =
        hy_cursor_start_raw(cursor, server.admin, sql, strlen(sql), NULL, NULL, 0, &options, &err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK) {
        stored[row[0].as.integer]++;
        l->wrong += row[1].as.integer != row[0].as.integer * 3;
    }
    assert_int_equal(status, HY_DONE);
    hy_cursor_free(cursor);
    for (int64_t id = 1; id < l->size; id++) {
        fate f = l->fates[id];
        bool there = stored[id] != 0;
        l->acked += f == ACKED;
        l->failed += f == FAILED;
        l->unknown += f == UNKNOWN;
        l->unknown_stored += f == UNKNOWN && there;
        if ((f == ACKED && !there) || ((f == FAILED || f == NEVER) && there)) {
            print_error("%s %s: row %lld is %s and was %s\n", server.type, channel(), (long long)id,
                        there ? "stored" : "absent", f == ACKED ? "acknowledged" : "called failed");
            l->wrong++;
        }
        if (id % IDS == 0 && stored[id] != stored[id - 1]) {
            print_error("%s %s: half a transaction, row %lld\n", server.type, channel(), (long long)id);
            l->wrong++;
        }
    }
    free(stored);
    free(l->fates);
    l->fates = NULL;
    sql_run(admin(), "DELETE FROM %s", here.ops);
}

/* ---- cut at byte k ---------------------------------------------------------------------- */

static uint64_t seed(void)
{
    static uint64_t value;
    const char *given = getenv("HY_SEED");

    if (value == 0) {
        value = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)hy_monotonic_ns();
        print_message("seed %llu\n", (unsigned long long)value);
    }
    return value;
}

/* The bytes of one session, where all goes well. */
static fault_counts session_size(void)
{
    ledger l;

    open_ledger(&l, 1);
    fault_proxy_pass(here.proxy);
    hy_source *source = open_source(1);
    play(source, &l, 1);
    fault_counts size = fault_proxy_count(here.proxy);
    close_source(source);
    settle(&l);
    assert_int_equal(l.fine, OPERATIONS);
    assert_int_equal(l.errors + l.wrong, 0);
    assert_int_equal(l.acked, IDS);
    return size;
}

static int cut_at(fault_moment side, int64_t k, int64_t round, ledger *l)
{
    const fault_plan plan = {
        .kind = k % 2 == 0 ? FAULT_CUT : FAULT_RESET, .moment = side, .at = k, .times = 1};
    int errors = l->errors;

    fault_proxy_set(here.proxy, &plan);
    hy_source *source = open_source(1);
    play(source, l, round);
    int faults = fault_proxy_count(here.proxy).faults;
    close_source(source);
    if (l->errors > errors + 1)
        fail_msg("%s %s: one cut at byte %lld, %d errors, the last: %s, %s", server.type, channel(),
                 (long long)k, l->errors - errors, hy_status_name(l->last.status), l->last.message);
    return faults;
}

static void cut_stream(fault_moment side, int64_t size, int64_t stride)
{
    int64_t first = (int64_t)(seed() % (uint64_t)stride), rounds = 0;
    int faults = 0;
    ledger l;

    open_ledger(&l, size / stride + 1);
    for (int64_t k = first; k < size; k += stride)
        faults += cut_at(side, k, ++rounds, &l);
    settle(&l);
    report("cut %s %s: %lld bytes of the %s, cut at %lld (every %lld from %lld): %d cuts, %d ok, %d errors, "
           "wrong %d; rows: %d acknowledged, %d failed, %d unknown (%d of them stored)",
           server.type, channel(), (long long)size, side == FAULT_AT_SERVER_BYTE ? "server" : "client",
           (long long)rounds, (long long)stride, (long long)first, faults, l.fine, l.errors, l.wrong, l.acked,
           l.failed, l.unknown, l.unknown_stored);
    assert_int_equal(l.wrong, 0);
    assert_true(faults * 100 >= rounds * 95); /* one session may be a little shorter than another */
    assert_true(l.errors > 0 && l.fine > 0);
    assert_true(stride > 10 || (l.unknown > 0 && l.failed > 0));
    assert_int_equal(l.fine + l.errors, rounds * OPERATIONS);
}

static void cut_everywhere(bool tls)
{
    int64_t stride = is_full_scale() ? 1 : tls ? 50 : 10;

    begin_faults(tls);
    (void)session_size(); /* MySQL: from the second time on a login is shorter */
    const fault_counts size = session_size();
    cut_stream(FAULT_AT_SERVER_BYTE, size.from_server, stride);
    cut_stream(FAULT_AT_CLIENT_BYTE, size.from_client, stride);
    end_faults();
}

static void cut_at_each_byte(void **state)
{
    (void)state;
    cut_everywhere(false);
}

static void cut_at_each_byte_tls(void **state)
{
    (void)state;
    cut_everywhere(true);
}

/* ---- pieces ----------------------------------------------------------------------------- */

/* Networks may deliver as they like: it is the same session. */
static void deliver_in_pieces(bool tls)
{
    const struct {
        const char *name;
        size_t piece;
        uint64_t seed;
        int delay_ms, rounds;
    } cases[] = {
        {"one byte at a time", 1, 0, 0, (int)scaled(50)},
        {"random pieces up to 7 bytes", 7, seed(), 0, (int)scaled(100)},
        {"random pieces up to 1000 bytes", 1000, seed() + 1, 0, (int)scaled(100)},
        {"random pieces up to 500 bytes, each 1 ms late", 500, seed() + 2, 1, (int)scaled(30)},
    };

    begin_faults(tls);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fault_plan plan = {
            .piece = cases[i].piece, .seed = cases[i].seed, .delay_ms = cases[i].delay_ms};
        int64_t bytes = 0;
        ledger l;
        open_ledger(&l, cases[i].rounds);
        fault_proxy_set(here.proxy, &plan);
        for (int round = 1; round <= cases[i].rounds; round++) {
            hy_source *source = open_source(1);
            play(source, &l, round);
            fault_counts counts = fault_proxy_count(here.proxy);
            bytes += counts.from_server + counts.from_client;
            close_source(source);
        }
        int64_t pieces = fault_proxy_count(here.proxy).pieces;
        settle(&l);
        report("%s %s, %s: %d sessions, %lld bytes in %lld pieces, %d ok, %d errors, wrong %d", server.type,
               channel(), cases[i].name, cases[i].rounds, (long long)bytes, (long long)pieces, l.fine,
               l.errors, l.wrong);
        if (l.errors > 0)
            fail_msg("%s", l.last.message);
        assert_int_equal(l.wrong + l.failed + l.unknown, 0);
        assert_int_equal(l.fine, cases[i].rounds * OPERATIONS);
        assert_int_equal(l.acked, cases[i].rounds * IDS);
        assert_true(pieces >= bytes / (int64_t)cases[i].piece);
    }
    end_faults();
}

static void in_pieces(void **state)
{
    (void)state;
    deliver_in_pieces(false);
}

static void in_pieces_tls(void **state)
{
    (void)state;
    deliver_in_pieces(true);
}

/* ---- commits ---------------------------------------------------------------------------- */

/* One transaction whose COMMIT, or its answer, is lost. True if the fault happened. */
static bool lose_commit(hy_source *source, const fault_plan *plan, int64_t id)
{
    hy_transaction_options options = {.timeout = CALM};
    hy_transaction *trx;
    hy_error err;

    fault_proxy_pass(here.proxy);
    assert_int_equal(HY_OK, hy_source_begin(source, &options, &trx, &err));
    for (int i = 0; i < 2; i++)
        assert_int_equal(HY_OK, insert(source, trx, id + i, &err));
    fault_proxy_set(here.proxy, plan);
    hy_status status = hy_transaction_commit(trx, &err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, &err);
    if (status != HY_EOUTCOME_UNKNOWN)
        fail_msg("%s: a lost commit is %s: %s", server.type, hy_status_name(status), err.message);
    check_error("commit", status, &err);
    assert_int_equal(hy_status_class(status), HY_CLASS_OUTCOME_UNKNOWN);
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_UNKNOWN);
    /* It stays unknown, whatever is tried with it. */
    assert_int_equal(HY_ETRANSACTION_NOT_ACTIVE, hy_transaction_rollback(trx, &err));
    hy_transaction_free(trx);
    return fault_proxy_count(here.proxy).faults == 1;
}

/* Whether it was stored cannot be told from here; that it is told so can. */
static void commits_that_are_lost(void **state)
{
    const struct {
        const char *name;
        fault_kind kind;
        long rounds;
    } cases[] = {
        {"cut", FAULT_CUT, scaled(500)},
        {"reset", FAULT_RESET, scaled(500)},
        {"frozen", FAULT_FREEZE, scaled(50)},
    };
    int64_t id = 1;

    (void)state;
    begin_faults(false); /* nobody sees a word in TLS */
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        long rounds = cases[i / 2].rounds;
        bool after = i % 2 == 1;
        const fault_plan plan = {.kind = cases[i / 2].kind,
                                 .moment = after ? FAULT_AFTER_WORD : FAULT_BEFORE_WORD,
                                 .word = "COMMIT",
                                 .times = 1};
        hy_source *source = open_source(1);
        int64_t first = id;
        int faults = 0;
        for (long round = 0; round < rounds; round++, id += 2)
            faults += lose_commit(source, &plan, id);
        assert_int_equal(server_stats(source).discarded, rounds);
        close_source(source);
        assert_int_equal(0, server_drain(here.user));
        int64_t stored = sql_number(admin(), "SELECT COUNT(*) FROM %s WHERE id >= %" PRId64, here.ops, first);
        report("commits %s %s COMMIT reached the server, %s: %ld unknown of %ld, %lld of %ld rows stored",
               cases[i / 2].name, after ? "after" : "before", server.type, rounds, rounds, (long long)stored,
               2 * rounds);
        assert_int_equal(faults, rounds);
        assert_int_equal(stored, after ? 2 * rounds : 0);
    }
    end_faults();
}

/* ---- nobody there ----------------------------------------------------------------------- */

static void refused(void **state)
{
    const fault_plan plan = {.kind = FAULT_REFUSE};
    hy_error err;
    stage s;

    (void)state;
    begin_faults(false);
    open_stage(&s);
    must(&s, s.read);
    fault_proxy_set(here.proxy, &plan);
    must(&s, s.read); /* what is connected goes on */
    fault_proxy_drop(here.proxy);
    hy_status first = run(&s, s.read, CALM, &err);
    check_error("the first", first, &err);
    for (int i = 0; i < 10; i++) {
        int64_t began = hy_monotonic_ns();
        assert_int_equal(HY_ECONNECTION_REFUSED, run(&s, s.read, CALM, &err));
        assert_true(hy_monotonic_ns() - began < CALM * (int64_t)MS / 4);
        check_error("refused", HY_ECONNECTION_REFUSED, &err);
    }
    fault_proxy_pass(here.proxy);
    must(&s, s.read);
    close_stage(&s);
    end_faults();
}

/* ---- main ------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen),
        cmocka_unit_test(frozen_tls),
        cmocka_unit_test(canceled),
        cmocka_unit_test(canceled_tls),
        cmocka_unit_test(cut_at_each_byte),
        cmocka_unit_test(cut_at_each_byte_tls),
        cmocka_unit_test(in_pieces),
        cmocka_unit_test(in_pieces_tls),
        cmocka_unit_test(commits_that_are_lost),
        cmocka_unit_test(refused),
    };

    return servers_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
