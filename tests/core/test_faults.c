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
#include "faults_tests.h"

struct scene here;

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
    if (late > grace_ms() * MS + noise)
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
    assert_true(late <= grace_ms() * MS + noise);
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
