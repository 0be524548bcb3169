/*
 * Many threads, few connections, and connections that die: nobody gets a connection that
 * another one has, nothing leaks, nothing overtakes. Meant for the thread sanitizer.
 */
#include "hy_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <source/source_impl.h>

#include "fake_driver.h"
#include "figures.h"

enum { THREADS = 16, MAX = 4, ROUNDS = 1500, MS = 1000000 };

typedef struct crowd {
    hy_source *source;
    hy_connection *_Atomic in_use[THREADS];
    atomic_int collisions, done, lost, timeouts, self, other, stop, rounds;
    int kill_every; /* rounds of the whole crowd, 0: never */
    int64_t acquire_ms;
} crowd;

typedef struct member {
    crowd *crowd;
    int index;
    pthread_t thread;
    int acquired;
} member;

static void setup_crowd(crowd *c, int64_t acquire_ms)
{
    hy_source_config config = {
        .type = "sqlite", .driver = fake_driver(), .pool = {.max = MAX, .acquire_timeout = acquire_ms}};
    hy_error err;

    memset(c, 0, sizeof *c);
    c->acquire_ms = acquire_ms;
    assert_int_equal(HY_OK, hy_source_open(&config, &c->source, &err));
}

/* No other thread may hold the same connection at the same time. */
static void check_alone(crowd *c, int index, hy_connection *mine)
{
    atomic_store(&c->in_use[index], mine);
    for (int i = 0; i < THREADS; i++)
        if (i != index && atomic_load(&c->in_use[i]) == mine)
            atomic_fetch_add(&c->collisions, 1);
}

static void count_failure(crowd *c, hy_status status)
{
    atomic_int *counter = status == HY_ECONNECTION_LOST   ? &c->lost
                          : status == HY_EOUTCOME_UNKNOWN ? &c->lost /* a lone BEGIN */
                          : status == HY_EPOOL_TIMEOUT    ? &c->timeouts
                                                          : &c->other;
    atomic_fetch_add(counter, 1);
}

static void one_round(member *m, int round)
{
    crowd *c = m->crowd;
    hy_lease *lease;
    hy_error err;
    hy_status status = hy_source_acquire(c->source, 0, &lease, &err);

    if (status != HY_OK) {
        count_failure(c, status);
        return;
    }
    m->acquired++;
    check_alone(c, m->index, hy_lease_connection(lease));
    hy_lease_set_holder(lease, "thread");
    hy_run_options options = {.lease = lease};
    const char *sql = round % 7 == 0 ? "BEGIN" : "SELECT 1";
    status = hy_source_execute_raw(c->source, sql, NULL, 0, &options, NULL, &err);
    if (status != HY_OK)
        count_failure(c, status);
    atomic_store(&c->in_use[m->index], NULL);
    hy_lease_release(lease);
    /* By count, not by time: a busy machine must not spare the connections. */
    if (c->kill_every > 0 && atomic_fetch_add(&c->rounds, 1) % c->kill_every == 0)
        fake_kill_all();
}

static void *work(void *ctx)
{
    member *m = ctx;

    for (int i = 0; i < ROUNDS; i++)
        one_round(m, i);
    atomic_fetch_add(&m->crowd->done, 1);
    return NULL;
}

/* Asks for the figures all the time. */
static void *watch(void *ctx)
{
    crowd *c = ctx;
    hy_pool_stats s;

    while (atomic_load(&c->done) < THREADS) {
        hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + MS};
        (void)hy_wait_block(&wait);
        hy_source_stats(c->source, &s);
        if (s.size > MAX || s.leased > MAX || s.idle + s.leased + s.connecting > s.size)
            atomic_fetch_add(&c->collisions, 1);
    }
    return NULL;
}

static void run_crowd(crowd *c, member *members)
{
    for (int i = 0; i < THREADS; i++) {
        members[i] = (member){.crowd = c, .index = i};
        assert_int_equal(0, pthread_create(&members[i].thread, NULL, work, &members[i]));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(members[i].thread, NULL);
}

static void check_clean(crowd *c)
{
    hy_pool_stats s;

    hy_source_stats(c->source, &s);
    assert_int_equal(s.leased + s.connecting + s.waiting, 0);
    assert_true(fake.max_live <= MAX);
    hy_source_unref(c->source);
    assert_int_equal(fake.live, 0);
    assert_int_equal(fake.prepared, fake.unprepared);
    assert_int_equal(fake.running, 0);
    assert_int_equal(fake.broken_uses, 0);
    assert_int_equal(atomic_load(&c->collisions), 0);
    assert_int_equal(atomic_load(&c->other), 0);
}

static void nobody_shares_a_connection(void **state)
{
    crowd c;
    member members[THREADS];
    pthread_t watcher;

    (void)state;
    fake_reset(0);
    setup_crowd(&c, 20000);
    c.kill_every = 100;
    assert_int_equal(0, pthread_create(&watcher, NULL, watch, &c));
    run_crowd(&c, members);
    pthread_join(watcher, NULL);
    printf("    %d acquires, %d lost, %d connects, %d timeouts\n", THREADS * ROUNDS, atomic_load(&c.lost),
           fake.connects, atomic_load(&c.timeouts));
    assert_int_equal(atomic_load(&c.timeouts), 0);
    assert_true(fake.connects > 100); /* else nothing was killed and this tested little */
    check_clean(&c);
}

/* Waiting times out while connections are handed over: the two must not meet badly. */
static void timeouts_race_with_handing_over(void **state)
{
    crowd c;
    member members[THREADS];

    (void)state;
    fake_reset(0);
    fake_reply *r = fake_add_reply("SELECT");
    r->again = 1;
    r->again_ns = MS / 4;
    setup_crowd(&c, 1);
    run_crowd(&c, members);
    int served = THREADS * ROUNDS - atomic_load(&c.timeouts);
    printf("    %d served, %d timeouts\n", served, atomic_load(&c.timeouts));
    assert_true(atomic_load(&c.timeouts) > 100);
    assert_true(served > 100);
    check_clean(&c);
}

static void *work_until_stopped(void *ctx)
{
    member *m = ctx;

    for (int i = 1; atomic_load(&m->crowd->stop) == 0; i++)
        one_round(m, i);
    return NULL;
}

/* First come first served: in the same time everybody gets about as much. */
static void serves_everybody_alike(void **state)
{
    crowd c;
    member members[THREADS];
    int least = INT32_MAX, most = 0;

    (void)state;
    fake_reset(0);
    fake_reply *r = fake_add_reply("SELECT");
    r->again = 1;
    r->again_ns = MS / 10;
    setup_crowd(&c, 20000);
    for (int i = 0; i < THREADS; i++) {
        members[i] = (member){.crowd = &c, .index = i};
        assert_int_equal(0, pthread_create(&members[i].thread, NULL, work_until_stopped, &members[i]));
    }
    hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + 1500 * (int64_t)MS};
    (void)hy_wait_block(&wait);
    atomic_store(&c.stop, 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(members[i].thread, NULL);
        least = members[i].acquired < least ? members[i].acquired : least;
        most = members[i].acquired > most ? members[i].acquired : most;
    }
    printf("    %d to %d acquires a thread\n", least, most);
    assert_true(least > 20);
    assert_true(most < least * 1.2 + 4);
    check_clean(&c);
}

static void *close_soon(void *ctx)
{
    hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + 20 * (int64_t)MS};

    (void)hy_wait_block(&wait);
    hy_source_close(ctx);
    return NULL;
}

static void *work_until_closed(void *ctx)
{
    member *m = ctx;

    for (;;) {
        hy_lease *lease;
        hy_error err;
        hy_status status = hy_source_acquire(m->crowd->source, 0, &lease, &err);
        if (status == HY_ECLOSED)
            break;
        if (status != HY_OK) {
            count_failure(m->crowd, status);
            break;
        }
        hy_lease_release(lease);
    }
    atomic_fetch_add(&m->crowd->done, 1);
    return NULL;
}

static void closing_reaches_everybody(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        crowd c;
        member members[THREADS];
        pthread_t closer;
        fake_reset(0);
        setup_crowd(&c, 20000);
        for (int i = 0; i < THREADS; i++) {
            members[i] = (member){.crowd = &c, .index = i};
            assert_int_equal(0, pthread_create(&members[i].thread, NULL, work_until_closed, &members[i]));
        }
        assert_int_equal(0, pthread_create(&closer, NULL, close_soon, c.source));
        for (int i = 0; i < THREADS; i++)
            pthread_join(members[i].thread, NULL);
        pthread_join(closer, NULL);
        assert_int_equal(atomic_load(&c.done), THREADS);
        check_clean(&c);
    }
}

/* ---- nobody is forgotten ------------------------------------------------------------------ */

/*
 * Waiting ends in many ways: a connection, the end of the time, the caller's own mind, the end
 * of the source. Whichever two of them meet, nobody stays in a queue that nobody serves.
 */
typedef struct race {
    pthread_mutex_t lock; /* of `source`, which is closed and replaced now and then */
    hy_source *source;
    const hy_driver *driver;
    atomic_long rounds, wanted, served, late, left, closed, canceled, broken, odd, longest_ms;
} race;

typedef struct racer {
    race *race;
    uint64_t seed;
    pthread_t thread;
} racer;

enum { PATIENT_MS = 60000, STUCK_MS = 20000, CLOSE_EVERY = 5000, KILL_EVERY = 1000 };

static hy_source *open_race_source(const race *r)
{
    hy_source_config config = {
        .type = "sqlite", .driver = r->driver, .pool = {.max = MAX, .acquire_timeout = PATIENT_MS}};
    hy_source *source = NULL;

    (void)hy_source_open(&config, &source, NULL);
    return source;
}

static hy_source *enter_race(race *r)
{
    (void)pthread_mutex_lock(&r->lock);
    hy_source *source = hy_source_ref(r->source);
    (void)pthread_mutex_unlock(&r->lock);
    return source;
}

static void close_and_replace(race *r)
{
    hy_source *fresh = open_race_source(r);

    (void)pthread_mutex_lock(&r->lock);
    hy_source *old = r->source;
    r->source = fresh;
    (void)pthread_mutex_unlock(&r->lock);
    hy_source_close(old);
    hy_source_unref(old);
}

static void note_end(race *r, hy_status status)
{
    atomic_long *counter = status == HY_OK                 ? &r->served
                           : status == HY_EPOOL_TIMEOUT    ? &r->late
                           : status == HY_ECLOSED          ? &r->closed
                           : status == HY_EQUERY_TIMEOUT   ? &r->canceled
                           : status == HY_ECONNECTION_LOST ? &r->broken
                                                           : &r->odd;
    atomic_fetch_add(counter, 1);
}

/* A few turns of the scheduler: what is held is not held for nothing. */
static void linger(uint64_t turns)
{
    while (turns-- > 0)
        (void)sched_yield();
}

/* Asks, looks once or twice, and goes away again without an answer. */
static void change_ones_mind(race *r, hy_source *source, uint64_t looks)
{
    hy_lease *lease;
    hy_status status = hy_lease_start(source, 0, false, &lease, NULL);

    for (; status == HY_OK && looks > 0; looks--) {
        hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
        (void)hy_task_advance(hy_lease_task(lease), &wait, NULL);
        linger(1);
    }
    if (status == HY_OK)
        hy_lease_release(lease);
    atomic_fetch_add(&r->left, 1);
}

static void ask_and_wait(race *r, hy_source *source, int64_t ms, uint64_t dice)
{
    int64_t began = hy_monotonic_ns();
    hy_lease *lease;
    hy_status status = hy_source_acquire(source, ms, &lease, NULL);
    long took = (long)((hy_monotonic_ns() - began) / MS), longest = atomic_load(&r->longest_ms);

    while (took > longest && !atomic_compare_exchange_weak(&r->longest_ms, &longest, took))
        ;
    if (status == HY_OK && dice % 16 == 0) {
        hy_run_options options = {.lease = lease, .timeout = 1 + (int64_t)(dice % 2)};
        status = hy_source_execute_raw(source, "SELECT SLOW", NULL, 0, &options, NULL, NULL);
    }
    if (status == HY_OK)
        linger(dice % 5);
    note_end(r, status);
    hy_lease_release(lease);
}

static void *run_race(void *ctx)
{
    racer *me = ctx;
    race *r = me->race;
    long round;

    while ((round = atomic_fetch_add(&r->rounds, 1)) < atomic_load(&r->wanted)) {
        uint64_t dice = hy_test_random(&me->seed);
        if (round % CLOSE_EVERY == CLOSE_EVERY - 1)
            close_and_replace(r);
        if (round % KILL_EVERY == KILL_EVERY - 1)
            fake_kill_all();
        hy_source *source = enter_race(r);
        if (dice % 4 == 0)
            change_ones_mind(r, source, dice / 16 % 4);
        else
            ask_and_wait(r, source, dice % 4 == 1 ? 1 : PATIENT_MS, dice / 16);
        hy_source_unref(source);
    }
    return NULL;
}

static void nobody_is_forgotten(void **state)
{
    race r = {.lock = PTHREAD_MUTEX_INITIALIZER, .wanted = scaled(1000000)};
    racer racers[THREADS];
    uint64_t seed = (uint64_t)hy_monotonic_ns() | 1;

    (void)state;
    fake_reset(0);
    fake_reply *slow = fake_add_reply("SELECT SLOW");
    slow->again = 100; /* longer than it may take */
    slow->again_ns = MS / 2;
    r.driver = fake_driver();
    r.source = open_race_source(&r);
    print_message("    seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (racer){.race = &r, .seed = seed + (uint64_t)i * 0x9E3779B97F4A7C15u};
        assert_int_equal(0, pthread_create(&racers[i].thread, NULL, run_race, &racers[i]));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    hy_source_unref(r.source);

    report(
        "pool races: %ld rounds on %d threads, max %d: %ld served, %ld too late, %ld left, %ld closed under, "
        "%ld statements out of time, %ld connections lost; longest wait %ld ms, stuck %d",
        atomic_load(&r.wanted), THREADS, MAX, atomic_load(&r.served), atomic_load(&r.late),
        atomic_load(&r.left), atomic_load(&r.closed), atomic_load(&r.canceled), atomic_load(&r.broken),
        atomic_load(&r.longest_ms), atomic_load(&r.longest_ms) >= STUCK_MS);
    long least = atomic_load(&r.wanted) / 1000;
    assert_true(atomic_load(&r.late) > least); /* void without them */
    assert_true(atomic_load(&r.left) > least);
    assert_true(atomic_load(&r.canceled) > least);
    assert_true(atomic_load(&r.closed) > 0);
    assert_int_equal(atomic_load(&r.odd), 0);
    assert_true(atomic_load(&r.longest_ms) < STUCK_MS);
    assert_int_equal(fake.live, 0);
    assert_int_equal(fake.connects, fake.closes);
    assert_int_equal(fake.prepared, fake.unprepared);
    assert_int_equal(fake.broken_uses, 0);
}

typedef struct writers {
    hy__gate gate;
    atomic_int inside, collisions;
    int turns[THREADS];
} writers;
typedef struct writer {
    writers *all;
    int index;
    pthread_t thread;
} writer;

static void *take_turns(void *ctx)
{
    writer *w = ctx;
    hy__waiter waiter;
    hy_error err;

    hy__waiter_init(&waiter);
    hy__waiter_touch(&waiter);
    for (int i = 0; i < ROUNDS; i++) {
        hy_status status = hy__gate_enter(&w->all->gate, &waiter, false, &err);
        /* Every fifth gives up when it would have to wait. */
        while (status == HY_AGAIN && i % 5 != 0 && !hy__gate_has(&w->all->gate, &waiter)) {
            hy_wait wait;
            hy__waiter_fill(&waiter, hy_monotonic_ns() + 1000 * (int64_t)MS, &wait);
            (void)hy_wait_block(&wait);
        }
        if (status == HY_OK || i % 5 != 0) {
            if (atomic_fetch_add(&w->all->inside, 1) != 0)
                atomic_fetch_add(&w->all->collisions, 1);
            w->all->turns[w->index]++;
            atomic_fetch_sub(&w->all->inside, 1);
        }
        hy__gate_leave(&w->all->gate, &waiter);
    }
    hy__waiter_clear(&waiter);
    return NULL;
}

static void the_gate_lets_one_in_at_a_time(void **state)
{
    writers all = {.turns = {0}};
    writer each[THREADS];
    int turns = 0;

    (void)state;
    hy__gate_init(&all.gate);
    for (int i = 0; i < THREADS; i++) {
        each[i] = (writer){.all = &all, .index = i};
        assert_int_equal(0, pthread_create(&each[i].thread, NULL, take_turns, &each[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(each[i].thread, NULL);
        turns += all.turns[i];
    }
    hy__gate_clear(&all.gate);
    assert_int_equal(atomic_load(&all.collisions), 0);
    assert_true(turns >= THREADS * ROUNDS * 4 / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_shares_a_connection),     cmocka_unit_test(timeouts_race_with_handing_over),
        cmocka_unit_test(serves_everybody_alike),         cmocka_unit_test(closing_reaches_everybody),
        cmocka_unit_test(the_gate_lets_one_in_at_a_time), cmocka_unit_test(nobody_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
