/*
 * The pool and leases against a fake server: order, time, ages, what comes back in which
 * state, closing, and every call that can fail.
 */
#include "pool_tests.h"

int64_t turned_clock;

/* ---- borrowing -------------------------------------------------------------------------- */

static void connects_when_needed_and_reuses(void **state)
{
    hy_source *source = open_pool(3);

    (void)state;
    assert_int_equal(fake.connects, 0);
    for (int i = 0; i < 5; i++)
        hy_lease_release(acquire(source));
    assert_int_equal(fake.connects, 1);
    hy_lease *a = acquire(source), *b = acquire(source);
    assert_int_equal(fake.connects, 2);
    assert_ptr_not_equal(hy_lease_connection(a), hy_lease_connection(b));
    hy_pool_stats s = stats_of(source);
    assert_int_equal(s.size, 2);
    assert_int_equal(s.leased, 2);
    assert_int_equal(s.idle, 0);
    assert_int_equal(s.max, 3);
    assert_int_equal(s.acquired, 7);
    assert_int_equal(s.created, 2);
    hy_lease_release(a);
    hy_lease_release(b);
    hy_lease_release(NULL);
    hy_source_unref(source);
}

static void serves_in_the_order_of_asking(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *held[2] = {acquire(source), acquire(source)};
    hy_lease *waiting[5];
    hy_error err;

    (void)state;
    for (int i = 0; i < 4; i++) {
        waiting[i] = start(source);
        assert_int_equal(HY_AGAIN, step(waiting[i], &err));
    }
    assert_int_equal(stats_of(source).waiting, 4);
    hy_lease_release(held[1]);
    waiting[4] = start(source); /* comes later, must not overtake */
    for (int i = 4; i >= 1; i--)
        assert_int_equal(HY_AGAIN, step(waiting[i], &err));
    assert_int_equal(HY_OK, step(waiting[0], &err));
    hy_lease_release(held[0]);
    for (int i = 4; i >= 2; i--)
        assert_int_equal(HY_AGAIN, step(waiting[i], &err));
    assert_int_equal(HY_OK, step(waiting[1], &err));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(HY_OK, step(waiting[i], &err));
        hy_lease_release(waiting[i]);
    }
    hy_pool_stats s = stats_of(source);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.waited, 5);
    assert_int_equal(s.created, 2);
    assert_int_equal(s.idle, 2);
    hy_source_unref(source);
}

static void a_waiter_is_woken_through_its_descriptor(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *held = acquire(source), *waiting = start(source);
    hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
    hy_error err;

    (void)state;
    assert_int_equal(HY_AGAIN, hy_task_advance(hy_lease_task(waiting), &wait, &err));
    assert_true(wait.fd >= 0);
    assert_int_equal(wait.events, HY_WAIT_READ | HY_WAIT_QUEUED);
    hy_wait now = wait;
    now.deadline = hy_monotonic_ns();
    assert_false(hy_wait_block(&now)); /* nothing yet */
    hy_lease_release(held);
    assert_true(hy_wait_block(&wait));
    assert_int_equal(HY_OK, step(waiting, &err));
    hy_lease_release(waiting);
    hy_source_unref(source);
}

static void gives_up_after_its_time(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *held, *other = NULL;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_lease_start(source, 0, false, &held, &err));
    assert_int_equal(HY_OK, step(held, &err));
    assert_int_equal(HY_OK, hy_lease_start(source, 40, false, &other, &err));
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_EPOOL_TIMEOUT, err, hy_task_run(hy_lease_task(other), &err));
    int64_t took = hy_monotonic_ns() - began;
    assert_true(took >= 39 * (int64_t)MS);
    assert_true(took < 2000 * (int64_t)MS); /* the time of the pool itself */
    assert_non_null(strstr(err.message, "1 of 1 are in use"));
    hy_lease_release(other);
    hy_pool_stats s = stats_of(source);
    assert_int_equal(s.timeouts, 1);
    assert_int_equal(s.waiting, 0);
    hy_lease_release(held);
    hy_source_unref(source);
}

static void who_leaves_the_queue_is_skipped(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *held = acquire(source), *a = start(source), *b = start(source), *c = start(source);
    hy_error err;

    (void)state;
    hy_lease_release(a); /* before its turn */
    hy_lease_release(held);
    hy_lease_release(b); /* granted, never looked */
    assert_int_equal(HY_OK, step(c, &err));
    hy_lease_release(c);
    assert_int_equal(fake.connects, 1);
    assert_int_equal(stats_of(source).idle, 1);
    hy_source_unref(source);
}

static void a_lease_given_back_does_nothing(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *lease = acquire(source);
    hy__slot *slot = lease->slot;
    hy_error err;

    (void)state;
    hy__lease_end(lease);
    assert_null(hy_lease_connection(lease));
    assert_fails(HY_ECLOSED, err, step(lease, &err));
    assert_false(hy__pool_give_back(&source->pool, slot, HY__RETURN_CLEAN)); /* a second time */
    assert_int_equal(stats_of(source).idle, 1);
    hy_lease_release(lease);
    hy_source_unref(source);
}

static void many_small_pools_stay_inside_max(void **state)
{
    hy_source *source = open_pool(3);
    hy_lease *leases[40];
    hy_error err;
    int ready = 0;

    (void)state;
    for (int i = 0; i < 40; i++)
        leases[i] = start(source);
    for (int i = 0; i < 40; i++)
        ready += step(leases[i], &err) == HY_OK;
    assert_int_equal(ready, 3);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(HY_OK, step(leases[i], &err));
        hy_lease_release(leases[i]);
    }
    assert_int_equal(fake.max_live, 3);
    hy_source_unref(source);
}

/* ---- a thread that waits for itself ----------------------------------------------------- */

static void blocking_on_oneself_fails_at_once(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *a = acquire(source), *b = acquire(source), *c = NULL;
    hy_error err;

    (void)state;
    hy_lease_set_holder(a, "users.lua:12");
    hy_lease_set_holder(b, "jobs.lua:7");
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_EPOOL_SELF_DEADLOCK, err, hy_source_acquire(source, 0, &c, &err));
    assert_true(hy_monotonic_ns() - began < 2000 * (int64_t)MS); /* the time it would have waited */
    assert_null(c);
    assert_non_null(strstr(err.message, "users.lua:12"));
    assert_non_null(strstr(err.message, "jobs.lua:7"));
    hy_lease *patient = start(source); /* does not block its thread: may wait */
    assert_int_equal(HY_AGAIN, step(patient, &err));
    hy_lease_release(patient);
    hy_lease_release(a);
    c = acquire(source);
    hy_lease_release(c);
    hy_lease_release(b);
    hy_source_unref(source);
}

static void *release_soon(void *ctx)
{
    hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + 30 * (int64_t)MS};

    (void)hy_wait_block(&wait);
    hy_lease_release(ctx);
    return NULL;
}

static void *use_lease(void *ctx)
{
    return hy_lease_connection(ctx);
}

/* A lease that another thread uses now does not count as this thread's. */
static void another_threads_lease_is_no_self_deadlock(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *lease = acquire(source);
    pthread_t thread;

    (void)state;
    assert_int_equal(0, pthread_create(&thread, NULL, use_lease, lease));
    pthread_join(thread, NULL);
    assert_int_equal(0, pthread_create(&thread, NULL, release_soon, lease));
    hy_lease *mine = acquire(source);
    pthread_join(thread, NULL);
    hy_lease_release(mine);
    hy_source_unref(source);
}

/* ---- connecting ------------------------------------------------------------------------- */

static void others_go_on_while_one_connects(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *idle = acquire(source);
    hy_error err;

    (void)state;
    fake.connect_again = 3;
    hy_lease *slow = start(source);
    assert_int_equal(HY_AGAIN, step(slow, &err));
    assert_int_equal(stats_of(source).connecting, 1);
    hy_lease_release(idle);
    hy_lease *quick = start(source);
    assert_int_equal(HY_OK, step(quick, &err));
    hy_lease_release(quick);
    assert_int_equal(HY_OK, hy_task_run(hy_lease_task(slow), &err));
    hy_lease_release(slow);
    assert_int_equal(fake.connects, 2);
    hy_source_unref(source);
}

static void connecting_has_its_own_time(void **state)
{
    hy_source_config config = {
        .type = "sqlite", .driver = fake_driver(), .pool = {.max = 1}, .connect_timeout = 30};
    hy_source *source;
    hy_lease *lease;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_source_open(&config, &source, &err));
    fake.connect_again = 1000;
    fake.connect_ns = 5 * (int64_t)MS;
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_ECONNECT_TIMEOUT, err, hy_source_acquire(source, 0, &lease, &err));
    assert_true(hy_monotonic_ns() - began < fake.connect_again * fake.connect_ns);
    assert_int_equal(stats_of(source).size, 0);
    fake.connect_again = 0;
    hy_lease_release(acquire(source));
    hy_source_unref(source);
}

static void a_failed_connect_frees_its_place_for_the_next(void **state)
{
    hy_source *source = open_pool(1);
    hy_error err;

    (void)state;
    fake.connect_again = 1;
    fake.connect_fails = HY_ECONNECTION_REFUSED;
    fake.connect_fails_times = 1;
    hy_lease *first = start(source), *second = start(source);
    assert_int_equal(HY_AGAIN, step(first, &err));
    assert_int_equal(HY_AGAIN, step(second, &err)); /* in the queue */
    assert_fails(HY_ECONNECTION_REFUSED, err, hy_task_run(hy_lease_task(first), &err));
    assert_int_equal(HY_OK, hy_task_run(hy_lease_task(second), &err));
    hy_lease_release(first);
    hy_lease_release(second);
    hy_source_unref(source);
}

static void a_lease_left_while_connecting_leaks_nothing(void **state)
{
    hy_source *source = open_pool(1);
    hy_error err;

    (void)state;
    fake.connect_again = 5;
    hy_lease *lease = start(source);
    assert_int_equal(HY_AGAIN, step(lease, &err));
    hy_lease_release(lease);
    assert_int_equal(fake.live, 0);
    assert_int_equal(stats_of(source).size, 0);
    hy_source_unref(source);
}

/* ---- coming back ------------------------------------------------------------------------ */

static void an_open_transaction_is_rolled_back(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *lease = acquire(source);
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, run(source, lease, "BEGIN", &err));
    hy_lease_release(lease);
    assert_string_equal(fake_log(0), "1: BEGIN");
    assert_string_equal(fake_log(1), "1: ROLLBACK");
    hy_lease_release(acquire(source));
    assert_int_equal(fake.connects, 1);
    hy_source_unref(source);
}

static void a_rollback_that_takes_time_closes(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *lease = acquire(source);
    hy_error err;

    (void)state;
    fake_add_reply("ROLLBACK")->again = 1;
    assert_int_equal(HY_OK, run(source, lease, "BEGIN", &err));
    hy_lease_release(lease);
    assert_int_equal(fake.live, 0);
    assert_int_equal(stats_of(source).discarded, 1);
    hy_source_unref(source);
}

static void sessions_are_reset_after_raw_text_only(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *lease = acquire(source);
    hy_error err;

    (void)state;
    hy_lease_release(lease);
    assert_int_equal(fake.resets, 0);
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SET x = 1", NULL, 0, NULL, NULL, &err));
    assert_int_equal(fake.resets, 1);
    hy_lease_release(acquire(source));
    assert_int_equal(fake.resets, 1);
    hy_source_unref(source);
}

static void a_slow_reset_goes_on_with_the_next_borrower(void **state)
{
    hy_source *source = open_pool(1);
    hy_error err;

    (void)state;
    fake.reset_again = 3;
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SET x = 1", NULL, 0, NULL, NULL, &err));
    hy_lease *lease = start(source);
    assert_int_equal(HY_AGAIN, step(lease, &err));
    assert_int_equal(HY_AGAIN, step(lease, &err));
    assert_int_equal(HY_OK, step(lease, &err));
    hy_lease_release(lease);
    assert_int_equal(fake.connects, 1);
    assert_int_equal(fake.resets, 1);

    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SET x = 1", NULL, 0, NULL, NULL, &err));
    fake_kill_all(); /* in the middle of it */
    hy_lease_release(acquire(source));
    assert_int_equal(fake.connects, 2);
    hy_source_unref(source);
}

static void a_failed_reset_closes(void **state)
{
    hy_source *source = open_pool(1);
    hy_error err;

    (void)state;
    fake.reset_fails = HY_EDATABASE_ERROR;
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SET x = 1", NULL, 0, NULL, NULL, &err));
    assert_int_equal(fake.live, 0);
    assert_int_equal(stats_of(source).discarded, 1);
    hy_source_unref(source);
}

/* ---- closing ---------------------------------------------------------------------------- */

static void closing_wakes_refuses_and_closes(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *held = acquire(source), *idle = acquire(source);
    hy_error err;
    hy_lease *none;

    (void)state;
    hy_lease_release(idle);
    idle = acquire(source);
    hy_lease *waiting = start(source);
    assert_int_equal(HY_AGAIN, step(waiting, &err));
    hy_lease_release(idle);
    assert_int_equal(HY_OK, step(waiting, &err));
    hy_lease *late = start(source);
    assert_int_equal(HY_AGAIN, step(late, &err));

    hy_source_close(source);
    hy_source_close(source);
    assert_false(hy_source_is_open(source));
    assert_fails(HY_ECLOSED, err, hy_task_run(hy_lease_task(late), &err));
    assert_fails(HY_ECLOSED, err, hy_lease_start(source, 0, false, &none, &err));
    assert_null(none);
    hy_lease_release(late);
    assert_int_equal(fake.live, 2);
    assert_int_equal(HY_OK, run(source, held, "SELECT 1", &err)); /* who has one may end his work */
    hy_lease_release(held);
    hy_lease_release(waiting);
    assert_int_equal(fake.live, 0);
    hy_source_unref(source);
}

static void closing_while_one_connects(void **state)
{
    hy_source *source = open_pool(1);
    hy_error err;

    (void)state;
    fake.connect_again = 2;
    hy_lease *lease = start(source);
    assert_int_equal(HY_AGAIN, step(lease, &err));
    hy_source_close(source);
    assert_fails(HY_ECLOSED, err, hy_task_run(hy_lease_task(lease), &err));
    assert_int_equal(fake.live, 0);
    hy_lease_release(lease);
    hy_source_unref(source);
}

static void a_lease_keeps_its_source(void **state)
{
    hy_source *source = open_pool(1);
    hy_lease *lease = acquire(source);
    hy_error err;

    (void)state;
    hy_source_unref(source);
    assert_ptr_equal(hy_lease_source(lease), source);
    assert_int_equal(HY_OK, run(source, lease, "SELECT 1", &err));
    hy_lease_release(lease);
    assert_int_equal(fake.live, 0);
}

/* ---- opening ---------------------------------------------------------------------------- */

static void refuses_what_cannot_be_used(void **state)
{
    hy_driver holed = *fake_driver();
    struct {
        hy_source_config config;
        hy_status status;
        const char *says;
    } cases[] = {
        {{.type = NULL}, HY_EUNSUPPORTED_DATABASE_TYPE, "no database type"},
        {{.type = "sqlite3"}, HY_EUNSUPPORTED_DATABASE_TYPE, "did you mean \"sqlite\""},
        {{.type = "postgresql"}, HY_EUNSUPPORTED_DATABASE_TYPE, "did you mean \"postgres\""},
        {{.type = "oracle"}, HY_EUNSUPPORTED_DATABASE_TYPE, "there are"},
        {{.type = "sqlite", .driver = &holed}, HY_EDEVELOPMENT_ERROR, "slot reset"},
        {{.type = "sqlite", .driver = fake_driver(), .pool = {.max = -1}}, HY_EINVALID_CONFIG, "pool.max"},
        {{.type = "sqlite", .driver = fake_driver(), .pool = {.max = 20000}}, HY_EINVALID_CONFIG, "pool.max"},
        {{.type = "sqlite", .driver = fake_driver(), .pool = {.max = 2, .min = 3}},
         HY_EINVALID_CONFIG,
         "pool.min"},
        {{.type = "sqlite", .driver = fake_driver(), .pool = {.idle_timeout = -2}}, HY_EINVALID_CONFIG, "-1"},
        {{.type = "sqlite", .driver = fake_driver(), .statement_timeout = -1},
         HY_EINVALID_CONFIG,
         "timeouts"},
        {{.type = "sqlite", .driver = fake_driver(), .statement_cache = -2}, HY_EINVALID_CONFIG, "cache"},
        {{.type = "sqlite", .driver = fake_driver(), .connect = {.port = 70000}}, HY_EINVALID_CONFIG, "port"},
    };
    hy_error err;
    hy_source *source;

    (void)state;
    holed.reset = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        source = (hy_source *)&cases;
        assert_fails(cases[i].status, err, hy_source_open(&cases[i].config, &source, &err));
        assert_null(source);
        assert_non_null(strstr(err.message, cases[i].says));
    }
}

static void copies_its_configuration(void **state)
{
    char type[] = "sqlite", name[] = "main", password[] = "secret";
    hy_source_config config = {
        .type = type, .name = name, .driver = fake_driver(), .connect = {.password = password}};
    hy_source *source;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_source_open(&config, &source, &err));
    memset(type, 'x', sizeof type - 1);
    memset(name, 'x', sizeof name - 1);
    memset(password, 'x', sizeof password - 1);
    assert_string_equal(hy_source_type(source), "sqlite");
    assert_string_equal(hy_source_name(source), "main");
    assert_string_equal(source->config.connect.password, "secret");
    assert_string_equal(hy_dialect_name(hy_source_dialect(source)), "sqlite");
    assert_int_equal(stats_of(source).max, 10);
    hy_features before = hy_source_features(source);
    assert_true(before == hy_dialect_features(hy_source_dialect(source), 0));
    hy_lease_release(acquire(source));
    assert_true(hy_source_features(source) == hy_dialect_features(hy_source_dialect(source), 34001));
    hy_source_ref(source);
    hy_source_unref(source);
    hy_source_unref(source);
    hy_source_unref(NULL);
}

/* ---- everything that can fail, fails ----------------------------------------------------- */

/* A piece of life: leases, statements, a transaction, a savepoint. Any failure is fine. */
static void live_a_little(hy_source *source)
{
    hy_lease *a = NULL, *b = NULL;
    hy_transaction *trx = NULL;
    hy_error err;
    size_t depth;

    if (hy_source_acquire(source, 0, &a, &err) == HY_OK) {
        (void)run(source, a, "SELECT 1", &err);
        if (hy_source_acquire(source, 0, &b, &err) == HY_OK)
            (void)run(source, b, "BEGIN", &err);
    }
    hy_lease_release(a);
    if (hy_source_begin(source, NULL, &trx, &err) == HY_OK) {
        hy_run_options options = {.transaction = trx};
        (void)hy_source_execute_raw(source, "SELECT rows", NULL, 0, &options, NULL, &err);
        if (hy_transaction_savepoint(trx, &depth, &err) == HY_OK && hy_transaction_run(trx, &err) == HY_OK &&
            hy_transaction_rollback_to(trx, depth, &err) == HY_OK)
            (void)hy_transaction_run(trx, &err);
        if (hy_transaction_commit(trx, &err) == HY_OK)
            (void)hy_transaction_run(trx, &err);
    }
    hy_transaction_free(trx);
    hy_lease_release(b);
}

static void survives_the_end_of_memory_anywhere(void **state)
{
    hy_source_config config = {.type = "sqlite", .driver = fake_driver(), .pool = {.max = 3}};
    long n = 1, failed = 1;

    (void)state;
    for (; failed > 0; n++) {
        hy_test_heap heap = {.fail_at = n};
        hy_source *source;
        hy_error err;
        fake_add_reply("SELECT rows")->rows = 3;
        hy_test_use_heap(&heap);
        if (hy_source_open(&config, &source, &err) == HY_OK) {
            live_a_little(source);
            hy_pool_stats s = stats_of(source);
            assert_int_equal(s.leased, 0);
            assert_int_equal(s.connecting, 0);
            heap.fail_at = 0;
            hy_lease_release(acquire(source));
            failed = heap.calls >= n;
            hy_source_unref(source);
        } else {
            assert_int_equal(err.status, HY_EOUT_OF_MEMORY);
        }
        assert_int_equal(heap.live, 0);
        assert_int_equal(fake.live, 0);
        hy_test_use_heap(NULL);
        fake_reset(0);
    }
    assert_true(n > 20); /* else it tested nothing */
}

static void survives_a_death_at_every_call(void **state)
{
    int n = 1, calls = 1;

    (void)state;
    for (; n <= calls; n++) {
        fake_reset(0);
        fake_add_reply("SELECT rows")->rows = 3;
        fake.die_at = n;
        hy_source *source = open_pool(3);
        live_a_little(source);
        calls = fake.calls;
        hy_pool_stats s = stats_of(source);
        assert_int_equal(s.leased, 0);
        assert_int_equal(s.connecting, 0);
        assert_true(s.discarded <= 1);
        fake.die_at = 0;
        hy_lease_release(acquire(source));
        hy_source_unref(source);
        assert_int_equal(teardown(state), 0);
    }
    assert_true(n > 15);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(connects_when_needed_and_reuses),
        T(serves_in_the_order_of_asking),
        T(a_waiter_is_woken_through_its_descriptor),
        T(gives_up_after_its_time),
        T(who_leaves_the_queue_is_skipped),
        T(a_lease_given_back_does_nothing),
        T(many_small_pools_stay_inside_max),
        T(blocking_on_oneself_fails_at_once),
        T(another_threads_lease_is_no_self_deadlock),
        T(others_go_on_while_one_connects),
        T(connecting_has_its_own_time),
        T(a_failed_connect_frees_its_place_for_the_next),
        T(a_lease_left_while_connecting_leaks_nothing),
        T(one_loss_replaces_all_elders_lazily),
        T(a_connection_lost_in_use_is_not_lent_again),
        T(a_lifetime_ends_with_jitter),
        T(ages_apart),
        T(overdue_ones_are_not_lent),
        T(makes_do_with_what_it_has),
        T(asks_for_more_after_a_while),
        T(goes_on_growing_when_there_is_room_again),
        T(waits_while_another_asks_for_more),
        T(says_that_there_is_no_room),
        T(idle_ones_are_closed_down_to_min),
        T(a_private_database_keeps_its_one_connection),
        T(an_open_transaction_is_rolled_back),
        T(a_rollback_that_takes_time_closes),
        T(sessions_are_reset_after_raw_text_only),
        T(a_slow_reset_goes_on_with_the_next_borrower),
        T(a_failed_reset_closes),
        T(closing_wakes_refuses_and_closes),
        T(closing_while_one_connects),
        T(a_lease_keeps_its_source),
        T(refuses_what_cannot_be_used),
        T(copies_its_configuration),
        T(survives_the_end_of_memory_anywhere),
        T(survives_a_death_at_every_call),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
