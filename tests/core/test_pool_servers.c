/*
 * The pool against real servers: many threads and few connections while connections are killed
 * and time runs out. Who waited longest is served first, every answer is checked, and the
 * server itself counts the sessions. A run in which too few faults happened proves nothing and
 * fails. Meant for the thread sanitizer too.
 */
#include "servers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <source/source_impl.h>

enum { THREADS = 32, MAX = 4, MS = 1000000 };

/* ---- helpers ---------------------------------------------------------------------------- */

static hy_source *open_pool(const char *user, int max, int64_t acquire_ms)
{
    hy_source_config config = server_config(user);

    config.pool = (hy_pool_config){.max = max, .acquire_timeout = acquire_ms};
    return server_open(&config);
}

static hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    if (hy_source_acquire(source, 0, &lease, &err) != HY_OK)
        fail_msg("%s: %s", server.type, err.message);
    return lease;
}

static int64_t session_of(hy_source *source, hy_lease *lease)
{
    place at = {.source = source, .lease = lease};
    return sql_number(at, server.kind == SERVER_POSTGRES ? "SELECT pg_backend_pid()::bigint"
                                                         : "SELECT CAST(CONNECTION_ID() AS SIGNED)");
}

/* A value there and back: the answer must be this one, and one row. */
static hy_status echo(hy_cursor *cursor, hy_source *source, hy_lease *lease, int64_t value, bool *right,
                      hy_error *err)
{
    const char *sql =
        server.kind == SERVER_POSTGRES ? "SELECT CAST(? AS BIGINT)" : "SELECT CAST(? AS SIGNED)";
    hy_run_options options = {.lease = lease, .may_block = true};
    hy_bind bind = {.value = hy_int(value)};
    const hy_value *row;
    int rows = 0;

    *right = false;
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), &bind, NULL, 1, &options, err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        *right = ++rows == 1 && row[0].type == HY_INT && row[0].as.integer == value;
    hy_cursor_finish(cursor);
    if (status != HY_DONE)
        return status;
    return HY_OK;
}

/* ---- soak ------------------------------------------------------------------------------- */

/* Each thread asks like this; every number counts its own calls. */
enum {
    HURRIED_EVERY = 10, /* asks for a connection with no time for the queue */
    HURRY_MS = 1,
    SLOW_EVERY = 80, /* runs a statement that takes longer than it may */
    SLOW_MS = 50,
    SLOW_TIMEOUT_MS = 5,
    PATIENCE_MS = 60000,
    STUCK_MS = 20000 /* nobody waits so long in a queue that moves */
};

typedef struct soak {
    hy_source *source;
    pthread_barrier_t start;
    pthread_mutex_t door; /* tickets are given in the order of the queue */
    uint64_t tickets;
    long acquires_wanted, kills_wanted, timeouts_wanted;
    atomic_long acquired, killed, hurried, overrun, lost, wrong, overtaken, other, longest_ms;
    pthread_mutex_t note_lock;
    hy_error note; /* the first failure that nobody expected */
} soak;

typedef struct member {
    soak *soak;
    int index;
    pthread_t thread;
    long acquired;
} member;

/* A place in the queue. */
typedef struct visit {
    hy_lease lease;
    uint64_t ticket;
} visit;

static void note_failure(soak *s, const hy_error *err)
{
    atomic_fetch_add(&s->other, 1);
    (void)pthread_mutex_lock(&s->note_lock);
    if (s->note.status == HY_OK)
        s->note = *err;
    (void)pthread_mutex_unlock(&s->note_lock);
}

/* Nobody who came before this one may wait still. */
static void check_order(soak *s, const visit *v)
{
    hy__pool *p = &s->source->pool;

    (void)pthread_mutex_lock(&p->lock);
    for (hy_link *link = p->waiters.next; link != &p->waiters; link = link->next) {
        hy__waiter *w = hy_container(link, hy__waiter, link);
        const visit *other = hy_container(w, visit, lease.waiter);
        if (other->ticket < v->ticket)
            atomic_fetch_add(&s->overtaken, 1);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void note_wait(soak *s, int64_t began)
{
    long ms = (long)((hy_monotonic_ns() - began) / MS), longest = atomic_load(&s->longest_ms);

    while (ms > longest && !atomic_compare_exchange_weak(&s->longest_ms, &longest, ms))
        ;
}

static hy_status borrow(soak *s, visit *v, int64_t ms, hy_error *err)
{
    (void)pthread_mutex_lock(&s->door);
    v->ticket = ++s->tickets;
    hy_status status = hy__lease_begin(&v->lease, s->source, hy__deadline_in(ms), true, NULL, err);
    (void)pthread_mutex_unlock(&s->door);
    return status == HY_OK ? hy_task_run(&v->lease.task, err) : status;
}

/* A failure that the soak itself made is counted; any other is a failure of the test. */
static void count_failure(soak *s, hy_status status, bool hurried, bool slow, const hy_error *err)
{
    if (hurried && status == HY_EPOOL_TIMEOUT)
        atomic_fetch_add(&s->hurried, 1);
    else if (slow && status == HY_EQUERY_TIMEOUT)
        atomic_fetch_add(&s->overrun, 1);
    else if (hy_status_class(status) == HY_CLASS_CONNECTION && status != HY_EPOOL_TIMEOUT)
        atomic_fetch_add(&s->lost, 1);
    else
        note_failure(s, err);
}

static hy_status use(member *m, visit *v, hy_cursor *cursor, long call, bool slow, hy_error *err)
{
    soak *s = m->soak;
    char sql[64];
    bool right;

    if (slow) {
        place at = {.source = s->source, .lease = &v->lease, .timeout = SLOW_TIMEOUT_MS};
        return sql_try(at, err, server_slow_sql(sql, SLOW_MS));
    }
    hy_status status = echo(cursor, s->source, &v->lease, (int64_t)m->index << 40 | call, &right, err);
    if (status == HY_OK && !right)
        atomic_fetch_add(&s->wrong, 1);
    return status;
}

static void one_call(member *m, hy_cursor *cursor, long call)
{
    soak *s = m->soak;
    bool hurried = call % HURRIED_EVERY == 3, slow = call % SLOW_EVERY == 7;
    int64_t began = hy_monotonic_ns();
    visit v;
    hy_error err;

    hy__lease_init(&v.lease, true);
    hy_status status = borrow(s, &v, hurried ? HURRY_MS : PATIENCE_MS, &err);
    note_wait(s, began);
    if (status == HY_OK) {
        check_order(s, &v);
        m->acquired++;
        atomic_fetch_add(&s->acquired, 1);
        status = use(m, &v, cursor, call, slow, &err);
    }
    if (status != HY_OK)
        count_failure(s, status, hurried, slow, &err);
    hy__lease_end(&v.lease);
    hy__lease_clear(&v.lease);
}

static long timeouts_of(soak *s)
{
    return atomic_load(&s->hurried) + atomic_load(&s->overrun);
}

/* Everything that was wanted happened, or it will not. */
static bool is_over(soak *s)
{
    long acquired = atomic_load(&s->acquired);
    bool enough = acquired >= s->acquires_wanted && atomic_load(&s->killed) >= s->kills_wanted &&
                  timeouts_of(s) >= s->timeouts_wanted;

    return enough || acquired >= 5 * s->acquires_wanted || atomic_load(&s->other) > 0;
}

static void *work(void *ctx)
{
    member *m = ctx;
    hy_cursor *cursor = hy_cursor_new();

    (void)pthread_barrier_wait(&m->soak->start);
    for (long call = 0; cursor != NULL && !is_over(m->soak); call++)
        one_call(m, cursor, call);
    hy_cursor_free(cursor);
    return NULL;
}

/*
 * How many sessions the pool had at one moment. A session that was closed lives on at the
 * server for a while, so of too many that were seen those are counted that stay.
 */
static size_t count_sessions(const char *user, int64_t ids[MOST_SESSIONS])
{
    int64_t now[MOST_SESSIONS], end = hy_monotonic_ns() + 2000 * (int64_t)MS;
    size_t n = server_sessions(user, ids), stay = n;

    while (stay > MAX && hy_monotonic_ns() < end) {
        size_t n_now = server_sessions(user, now);
        stay = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n_now; k++)
                stay += ids[i] == now[k];
    }
    return n > MAX ? stay : n;
}

/* The main thread's part: looks, and kills one session after so many acquires. */
static void watch_and_kill(soak *s, const char *user, size_t *most, int *largest)
{
    int64_t ids[MOST_SESSIONS];
    uint64_t seed = 88172645463325252u;

    while (!is_over(s)) {
        size_t n = server_sessions(user, ids);
        if (n > MAX)
            n = count_sessions(user, ids);
        *most = n > *most ? n : *most;
        int size = server_stats(s->source).size;
        *largest = size > *largest ? size : *largest;
        long due = atomic_load(&s->acquired) * (s->kills_wanted + s->kills_wanted / 8) / s->acquires_wanted;
        size_t first = (size_t)hy_test_random(&seed);
        for (size_t i = 0; i < n && atomic_load(&s->killed) < due; i++)
            atomic_fetch_add(&s->killed, server_kill(ids[(first + i) % n]));
        pause_ms(1);
    }
}

static void spread(const member *members, long *least, long *most)
{
    *least = *most = members[0].acquired;
    for (int i = 1; i < THREADS; i++) {
        *least = members[i].acquired < *least ? members[i].acquired : *least;
        *most = members[i].acquired > *most ? members[i].acquired : *most;
    }
}

static void run_soak(soak *s, const char *user, member *members, size_t *sessions, int *largest)
{
    (void)pthread_barrier_init(&s->start, NULL, THREADS);
    (void)pthread_mutex_init(&s->door, NULL);
    (void)pthread_mutex_init(&s->note_lock, NULL);
    for (int i = 0; i < THREADS; i++) {
        members[i] = (member){.soak = s, .index = i};
        assert_int_equal(0, pthread_create(&members[i].thread, NULL, work, &members[i]));
    }
    watch_and_kill(s, user, sessions, largest);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(members[i].thread, NULL);
    (void)pthread_barrier_destroy(&s->start);
    (void)pthread_mutex_destroy(&s->door);
    (void)pthread_mutex_destroy(&s->note_lock);
}

static void test_soak(void **state)
{
    soak s = {
        .acquires_wanted = scaled(100000), .kills_wanted = scaled(1000), .timeouts_wanted = scaled(1000)};
    member members[THREADS];
    char user[USER_SIZE];
    size_t sessions = 0;
    long least, most;
    int largest = 0;

    (void)state;
    server_add_user(server_user_name(user, "soak"), 0);
    int descriptors = open_descriptors();
    s.source = open_pool(user, MAX, PATIENCE_MS);
    int64_t began = hy_monotonic_ns();
    run_soak(&s, user, members, &sessions, &largest);
    double seconds = (double)(hy_monotonic_ns() - began) / 1e9;
    hy_pool_stats stats = server_stats(s.source);
    server_shut(s.source);
    size_t left = server_drain(user);
    int leaked = descriptors_left(descriptors);
    server_drop_user(user);

    spread(members, &least, &most);
    report("pool %s: %d threads, max %d, %ld acquires in %.1f s, %" PRIu64 " waited, %ld killed (%ld seen), "
           "%ld + %ld timeouts; size %d, sessions %zu, leaked %zu sessions %d descriptors, overtaken %ld, "
           "%ld to %ld a thread (%.3f), wrong %ld, longest wait %ld ms",
           server.type, THREADS, MAX, atomic_load(&s.acquired), seconds, stats.waited, atomic_load(&s.killed),
           atomic_load(&s.lost), atomic_load(&s.hurried), atomic_load(&s.overrun), largest, sessions, left,
           leaked, atomic_load(&s.overtaken), least, most, (double)most / (double)least,
           atomic_load(&s.wrong), atomic_load(&s.longest_ms));
    if (atomic_load(&s.other) > 0)
        fail_msg("%s: %ld unexpected failures, the first: %d %s", server.type, atomic_load(&s.other),
                 s.note.status, s.note.message);
    /* Void below these. */
    assert_true(atomic_load(&s.acquired) >= s.acquires_wanted);
    assert_true((long)stats.waited * 2 >= atomic_load(&s.acquired));
    assert_true(atomic_load(&s.killed) >= s.kills_wanted);
    assert_true(timeouts_of(&s) >= s.timeouts_wanted);
    assert_true(atomic_load(&s.hurried) > 0);
    assert_true(atomic_load(&s.overrun) > 0);

    assert_in_range(largest, 1, MAX);
    assert_in_range(sessions, 1, MAX);
    assert_int_equal(left, 0);
    assert_int_equal(leaked, 0);
    assert_int_equal(atomic_load(&s.overtaken), 0);
    assert_int_equal(atomic_load(&s.wrong), 0);
    assert_true(atomic_load(&s.longest_ms) < STUCK_MS);
    /*
     * Who meets a dead connection connects while others have several turns. Over three thousand turns
     * that evens out; over three hundred it does less.
     */
    assert_true((double)most < (is_full_scale() ? 1.2 : 3.0) * (double)least);
}

/* ---- connections that die unused ------------------------------------------------------------ */

enum { MANY = 8 };

static void acquire_all(hy_source *source, hy_lease *leases[], int64_t ids[], int n)
{
    for (int i = 0; i < n; i++)
        leases[i] = acquire(source);
    for (int i = 0; ids != NULL && i < n; i++)
        ids[i] = session_of(source, leases[i]);
}

static void release_all(hy_lease *leases[], int n)
{
    for (int i = 0; i < n; i++)
        hy_lease_release(leases[i]);
}

/* They are gone when the server says so. */
static void kill_all(const char *user, const int64_t ids[], int n)
{
    int64_t left[MOST_SESSIONS];

    for (int i = 0; i < n; i++)
        assert_true(server_kill(ids[i]));
    for (;;) {
        size_t n_left = server_sessions(user, left), same = 0;
        for (size_t k = 0; k < n_left; k++)
            for (int i = 0; i < n; i++)
                same += left[k] == ids[i];
        if (same == 0)
            return;
        pause_ms(1);
    }
}

static int count_failed_uses(hy_source *source, hy_lease *leases[], int n)
{
    int failed = 0;
    hy_error err;

    for (int i = 0; i < n; i++) {
        place at = {.source = source, .lease = leases[i]};
        hy_status status = sql_try(at, &err, "SELECT 1");
        failed += status != HY_OK;
        if (status != HY_OK && status != HY_ECONNECTION_LOST)
            fail_msg("%s: %d %s", server.type, status, err.message);
    }
    return failed;
}

static void test_killed_while_idle(void **state)
{
    enum { ROUNDS = 5, USES = 100 };
    char user[USER_SIZE];
    hy_lease *leases[MANY];
    int64_t ids[MANY];
    int errors = 0, killed = 0, uses = 0;

    (void)state;
    server_add_user(server_user_name(user, "idle"), 0);
    hy_source *source = open_pool(user, MANY, 5000);
    for (int round = 0; round < ROUNDS; round++) {
        acquire_all(source, leases, ids, MANY);
        release_all(leases, MANY);
        kill_all(user, ids, MANY);
        killed += MANY;
        for (int i = 0; i < USES; i += MANY, uses += MANY) {
            acquire_all(source, leases, NULL, MANY);
            errors += count_failed_uses(source, leases, MANY);
            release_all(leases, MANY);
        }
    }
    hy_pool_stats stats = server_stats(source);
    server_shut(source);
    assert_int_equal(server_drain(user), 0);
    server_drop_user(user);
    report("pool %s: %d connections killed while idle, %d uses after it, %d errors", server.type, killed,
           uses, errors);
    assert_int_equal(errors, 0);
    assert_int_equal(stats.created, MANY * (ROUNDS + 1));
}

/* One that is seen dead speaks for its elders: they are replaced before anybody meets them. */
static void test_generation(void **state)
{
    enum { IN_USE = 4 };
    char user[USER_SIZE];
    hy_lease *leases[MANY];
    int64_t before[MANY], after[MANY];
    int old = 0;

    (void)state;
    server_add_user(server_user_name(user, "elder"), 0);
    hy_source *source = open_pool(user, MANY, 5000);
    acquire_all(source, leases, before, MANY);
    release_all(leases + IN_USE, MANY - IN_USE);

    kill_all(user, before, MANY);
    int errors = count_failed_uses(source, leases, 1);
    assert_int_equal(errors, 1);
    hy_lease_release(leases[0]);
    acquire_all(source, leases + IN_USE, NULL, MANY - IN_USE);
    assert_int_equal(count_failed_uses(source, leases + IN_USE, MANY - IN_USE), 0);
    errors += count_failed_uses(source, leases + 1, IN_USE - 1);
    assert_int_equal(errors, IN_USE);
    release_all(leases + 1, MANY - 1);

    /* Alive, but as old as one that died. */
    acquire_all(source, leases, before, MANY);
    release_all(leases + 1, MANY - 1);
    kill_all(user, before, 1);
    assert_int_equal(count_failed_uses(source, leases, 1), 1);
    hy_lease_release(leases[0]);
    acquire_all(source, leases, after, MANY);
    for (int i = 0; i < MANY; i++)
        for (int k = 0; k < MANY; k++)
            old += after[i] == before[k];
    release_all(leases, MANY);
    server_shut(source);
    assert_int_equal(server_drain(user), 0);
    server_drop_user(user);
    assert_int_equal(old, 0);
}

/* ---- the server says no ----------------------------------------------------------------------- */

enum { SERVED = 8 };

typedef struct client {
    hy_source *source;
    int calls, wrong, failed;
    hy_error note;
    pthread_t thread;
} client;

static void *call_often(void *ctx)
{
    client *c = ctx;
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;
    bool right;

    for (int i = 0; i < c->calls; i++) {
        hy_status status = echo(cursor, c->source, NULL, i, &right, &err);
        c->failed += status != HY_OK;
        c->wrong += status == HY_OK && !right;
        if (status != HY_OK)
            c->note = err;
    }
    hy_cursor_free(cursor);
    return NULL;
}

/* The server grants fewer connections than the pool may have: it does with what it has. */
static void test_too_many_connections(void **state)
{
    enum { LIMIT = 2 };
    char user[USER_SIZE];
    client clients[SERVED];
    int failed = 0, wrong = 0;
    hy_error note = {.status = HY_OK};

    (void)state;
    server_add_user(server_user_name(user, "limit"), LIMIT);
    hy_source *source = open_pool(user, SERVED, 20000);
    for (int i = 0; i < SERVED; i++) {
        clients[i] = (client){.source = source, .calls = (int)scaled(2000)};
        assert_int_equal(0, pthread_create(&clients[i].thread, NULL, call_often, &clients[i]));
    }
    for (int i = 0; i < SERVED; i++) {
        (void)pthread_join(clients[i].thread, NULL);
        failed += clients[i].failed;
        wrong += clients[i].wrong;
        note = clients[i].failed > 0 ? clients[i].note : note;
    }
    hy_pool_stats stats = server_stats(source);
    server_shut(source);
    assert_int_equal(server_drain(user), 0);
    server_drop_user(user);
    report("pool %s: %d calls from %d threads where the server grants %d connections: %d errors, %d wrong",
           server.type, SERVED * (int)scaled(2000), SERVED, LIMIT, failed, wrong);
    if (failed > 0)
        fail_msg("%s", note.message);
    assert_int_equal(wrong, 0);
    assert_true(stats.size <= LIMIT);
    assert_true(stats.refused > 0); /* else the server never said no */
}

/* And when it has none at all, the caller is told why. */
static void test_no_connection_at_all(void **state)
{
    char user[USER_SIZE];
    hy_lease *lease;
    hy_error err;

    (void)state;
    server_add_user(server_user_name(user, "none"), 1);
    hy_source *first = open_pool(user, 1, 5000), *second = open_pool(user, 4, 5000);
    hy_lease *holder = acquire(first);
    assert_fails(HY_ETOO_MANY_CONNECTIONS, err, hy_source_acquire(second, 0, &lease, &err));
    hy_lease_release(holder);
    server_shut(first);
    assert_int_equal(server_drain(user), 0);
    lease = acquire(second);
    /* This thread holds the one there is: it would wait for itself. */
    hy_lease *more;
    assert_fails(HY_ETOO_MANY_CONNECTIONS, err, hy_source_acquire(second, 0, &more, &err));
    hy_lease_release(lease);
    server_shut(second);
    assert_int_equal(server_drain(user), 0);
    server_drop_user(user);
}

/* ---- many at once ----------------------------------------------------------------------------- */

/* One thread advances many leases; those that have come are given back. How many failed. */
static int advance_all(hy_source *source, hy_lease *leases[], int n, int *most_connecting)
{
    int open = n, failed = 0;
    hy_error err;

    while (open > 0) {
        hy_wait soon = {.fd = -1, .deadline = HY_NO_DEADLINE};
        for (int i = 0; i < n; i++) {
            hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
            hy_status status =
                leases[i] != NULL ? hy_task_advance(hy_lease_task(leases[i]), &wait, &err) : HY_AGAIN;
            soon = leases[i] != NULL && status == HY_AGAIN && soon.fd < 0 ? wait : soon;
            if (status == HY_AGAIN)
                continue;
            failed += status != HY_OK;
            hy_lease_release(leases[i]);
            leases[i] = NULL;
            open--;
        }
        int connecting = server_stats(source).connecting;
        *most_connecting = connecting > *most_connecting ? connecting : *most_connecting;
        soon.deadline = hy_monotonic_ns() + MS;
        if (open > 0)
            (void)hy_wait_block(&soon);
    }
    return failed;
}

/* All connections end at once while two hundred calls wait: never more connects than places. */
static void test_connect_storm(void **state)
{
    enum { WAITING = 200 };
    hy_lease *held[MANY], *waiting[WAITING];
    char user[USER_SIZE];
    int64_t ids[MANY];
    int connecting = 0;
    hy_error err;

    (void)state;
    server_add_user(server_user_name(user, "storm"), MANY);
    hy_source *source = open_pool(user, MANY, 20000);
    acquire_all(source, held, ids, MANY);
    for (int i = 0; i < WAITING; i++)
        assert_int_equal(HY_OK, hy_lease_start(source, 0, false, &waiting[i], &err));
    kill_all(user, ids, MANY);
    assert_int_equal(count_failed_uses(source, held, MANY), MANY);
    release_all(held, MANY);
    int failed = advance_all(source, waiting, WAITING, &connecting);
    hy_pool_stats stats = server_stats(source);
    server_shut(source);
    assert_int_equal(server_drain(user), 0);
    server_drop_user(user);
    report("pool %s: %d connections killed under %d waiting calls: %d connects, %d at a time, %d errors",
           server.type, MANY, WAITING, (int)stats.created - MANY, connecting, failed);
    assert_int_equal(failed, 0);
    assert_in_range(connecting, 1, MANY);
    assert_in_range(stats.created, MANY + 1, 2 * MANY);
}

/* ---- closing ---------------------------------------------------------------------------------- */

/* The blocking side of a source that is closed under it. */
enum { CLOSING_MS = 20000 };

typedef struct caller {
    hy_source *source;
    pthread_t thread;
    hy_status status;
    int64_t answered;
} caller;

static void *wait_for_connection(void *ctx)
{
    caller *c = ctx;
    hy_lease *lease;
    hy_error err;

    c->status = hy_source_acquire(c->source, 0, &lease, &err);
    c->answered = hy_monotonic_ns();
    hy_lease_release(c->status == HY_OK ? lease : NULL);
    return NULL;
}

static void await_waiting(hy_source *source, int n)
{
    while (server_stats(source).waiting < n)
        pause_ms(1);
}

/* Borrowed, being connected, waited for: each ends as the header says, and nothing is left. */
static void close_in_the_middle(const char *user, int64_t *slowest)
{
    enum { BORROWED = 3, CONNECTING = 2, WAITING = 6 };
    hy_source *source = open_pool(user, BORROWED + CONNECTING, CLOSING_MS);
    hy_lease *borrowed[BORROWED], *connecting[CONNECTING];
    caller callers[WAITING];
    hy_wait wait;
    hy_error err;

    acquire_all(source, borrowed, NULL, BORROWED);
    for (int i = 0; i < CONNECTING; i++) {
        wait = (hy_wait){.fd = -1, .deadline = HY_NO_DEADLINE};
        assert_int_equal(HY_OK, hy_lease_start(source, 0, false, &connecting[i], &err));
        assert_int_equal(HY_AGAIN, hy_task_advance(hy_lease_task(connecting[i]), &wait, &err));
    }
    for (int i = 0; i < WAITING; i++) {
        callers[i] = (caller){.source = source};
        assert_int_equal(0, pthread_create(&callers[i].thread, NULL, wait_for_connection, &callers[i]));
    }
    await_waiting(source, WAITING);

    int64_t closed = hy_monotonic_ns();
    hy_source_close(source);
    for (int i = 0; i < WAITING; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].status, HY_ECLOSED);
        int64_t took = callers[i].answered - closed;
        *slowest = took > *slowest ? took : *slowest;
    }
    for (int i = 0; i < CONNECTING; i++)
        assert_int_equal(HY_ECLOSED, hy_task_run(hy_lease_task(connecting[i]), &err));
    assert_int_equal(count_failed_uses(source, borrowed, BORROWED), 0); /* who has one may go on */
    release_all(connecting, CONNECTING);
    release_all(borrowed, BORROWED);
    server_shut(source);
}

static void test_closing(void **state)
{
    int rounds = (int)scaled(50), descriptors;
    char user[USER_SIZE];
    int64_t slowest = 0;

    (void)state;
    server_add_user(server_user_name(user, "close"), 0);
    descriptors = open_descriptors();
    for (int i = 0; i < rounds; i++)
        close_in_the_middle(user, &slowest);
    size_t left = server_drain(user);
    int leaked = descriptors_left(descriptors);
    server_drop_user(user);
    report(
        "pool %s: closed %d times under borrowers, connects and waiters: the last waiter knew after %.1f ms, "
        "leaked %zu sessions %d descriptors",
        server.type, rounds, (double)slowest / MS, left, leaked);
    assert_int_equal(left, 0);
    assert_int_equal(leaked, 0);
    assert_true(slowest < CLOSING_MS * (int64_t)MS); /* less than they would have waited */
}

/* ---- threads and processes that end ----------------------------------------------------------- */

typedef struct debtor {
    hy_source *source;
    hy_lease *lease;
    hy_transaction *trx;
    char table[USER_SIZE];
} debtor;

static void *leave_with_debts(void *ctx)
{
    debtor *d = ctx;
    hy_error err;

    if (hy_source_acquire(d->source, 0, &d->lease, &err) != HY_OK ||
        hy_source_begin(d->source, NULL, &d->trx, &err) != HY_OK)
        pthread_exit(NULL);
    char sql[100];
    (void)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (1)", d->table);
    (void)sql_try((place){.source = d->source, .trx = d->trx}, &err, sql);
    pthread_exit(NULL);
}

/* What a thread held when it ended is the program's to give back; nothing of it stays. */
static void test_thread_that_exits(void **state)
{
    hy_source *source = open_pool(NULL, 2, 2000);
    place at = {.source = source};
    debtor d = {.source = source};
    pthread_t thread;

    (void)state;
    server_user_name(d.table, "debts");
    sql_run(at, "CREATE TABLE %s (n INT)", d.table);
    assert_int_equal(0, pthread_create(&thread, NULL, leave_with_debts, &d));
    (void)pthread_join(thread, NULL);
    assert_non_null(d.lease);
    assert_non_null(d.trx);
    assert_int_equal(server_stats(source).leased, 2);

    hy_lease_release(d.lease);
    hy_transaction_free(d.trx);
    assert_int_equal(server_stats(source).leased, 0);
    assert_int_equal(sql_number(at, "SELECT CAST(COUNT(*) AS %s) FROM %s",
                                server.kind == SERVER_POSTGRES ? "BIGINT" : "SIGNED", d.table),
                     0);
    sql_run(at, "DROP TABLE %s", d.table);
    server_shut(source);
}

typedef enum child_act { CHILD_EXITS, CHILD_USES, CHILD_CLOSES, CHILD_EXECS, CHILD_ACTS } child_act;

/* In the child: no assertion here, its exit status speaks. */
static void be_a_child(child_act act, hy_source *source, hy_lease *held, hy_cursor *open)
{
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;
    bool right = false;

    if (act == CHILD_EXECS)
        (void)execl("/bin/true", "true", (char *)NULL);
    if (act == CHILD_USES) {
        place at = {.source = source, .lease = held};
        if (sql_try(at, &err, "SELECT 1") == HY_OK)
            _exit(2); /* the parent's session must refuse */
        if (echo(cursor, source, NULL, 77, &right, &err) != HY_OK || !right)
            _exit(3); /* and one of its own must work */
    }
    hy_cursor_free(cursor);
    if (act == CHILD_USES || act == CHILD_CLOSES) {
        hy_cursor_free(open);
        hy_lease_release(held);
        hy_source_close(source);
        hy_source_unref(source);
    }
    _exit(0);
}

/* A result half read, a lease in hand and idle ones: none of it is the child's. */
static void test_fork(void **state)
{
    enum { ROWS = 2000 };
    int rounds = (int)scaled(200), wrong = 0, bad_children = 0;
    hy_source *source = open_pool(NULL, MAX, 5000);
    hy_lease *held = acquire(source), *idle = acquire(source);
    int64_t session = session_of(source, held);
    hy_cursor *cursor = hy_cursor_new(), *open = hy_cursor_new();
    const hy_value *row;
    hy_error err;

    (void)state;
    (void)session_of(source, idle);
    hy_lease_release(idle);
    for (int i = 0; i < rounds; i++) {
        char sql[160];
        hy_run_options options = {.may_block = true};
        (void)snprintf(sql, sizeof sql,
                       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) "
                       "SELECT i FROM n");
        assert_int_equal(HY_OK,
                         hy_cursor_start_raw(open, source, sql, strlen(sql), NULL, NULL, 0, &options, &err));
        assert_int_equal(HY_OK, hy_task_run(hy_cursor_task(open), &err));
        assert_int_equal(HY_OK, hy_cursor_fetch(open, &row, &err));
        pid_t child = fork();
        if (child == 0)
            be_a_child((child_act)(i % CHILD_ACTS), source, held, open);
        int64_t expected = 1;
        while (hy_cursor_fetch(open, &row, &err) == HY_OK)
            wrong += row[0].as.integer != ++expected;
        wrong += expected != 900;
        for (int k = 0; k < 10; k++) {
            bool right;
            hy_status status = echo(cursor, source, k % 2 == 0 ? held : NULL, i * 100 + k, &right, &err);
            wrong += status != HY_OK || !right;
        }
        int how;
        while (waitpid(child, &how, 0) < 0)
            assert_int_equal(errno, EINTR);
        bad_children += !WIFEXITED(how) || WEXITSTATUS(how) != 0;
    }
    wrong += session_of(source, held) != session;
    hy_cursor_free(cursor);
    hy_cursor_free(open);
    hy_lease_release(held);
    hy_pool_stats stats = server_stats(source);
    server_shut(source);
    report("pool %s: %d children forked in the middle of a result: %d wrong answers, %d children failed",
           server.type, rounds, wrong, bad_children);
    assert_int_equal(wrong, 0);
    assert_int_equal(bad_children, 0);
    assert_int_equal(stats.discarded, 0);
}

/* ---- programs that are started ---------------------------------------------------------- */

/* A program that this one starts holds no session open. */
static void test_descriptors(void **state)
{
    enum { MOST = 1024 };
    hy_source *source = open_pool(NULL, MAX, 5000);
    hy_lease *lease = acquire(source);
    int sockets = 0, inherited = 0;

    (void)state;
    for (int fd = STDERR_FILENO + 1; fd < MOST; fd++) {
        struct stat what;
        if (fstat(fd, &what) != 0 || !S_ISSOCK(what.st_mode))
            continue;
        sockets++;
        inherited += (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    }
    hy_lease_release(lease);
    server_shut(source);
    assert_true(sockets > 0);
    assert_int_equal(inherited, 0);
}

/* ---- main ------------------------------------------------------------------------------- */

#define TEST(name)                           \
    {                                        \
#name, test_##name, NULL, NULL, NULL \
    }
static const struct CMUnitTest tests[] = {
    TEST(soak),
    TEST(killed_while_idle),
    TEST(generation),
    TEST(too_many_connections),
    TEST(no_connection_at_all),
    TEST(connect_storm),
    TEST(closing),
    TEST(thread_that_exits),
    TEST(fork),
    TEST(descriptors),
};

int main(int argc, char **argv)
{
    return servers_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
