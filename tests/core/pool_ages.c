/*
 * pool_ages.c - lifetimes, losses, and a server that has no room for more.
 */
#include "pool_tests.h"

/* ---- ages and losses -------------------------------------------------------------------- */

void one_loss_replaces_all_elders_lazily(void **state)
{
    hy_source *source = open_pool(3);
    hy_lease *a = acquire(source), *b = acquire(source), *c = acquire(source);

    (void)state;
    hy_lease_release(a);
    hy_lease_release(b);
    hy_lease_release(c);
    fake_kill_all();
    fake.killed_up_to = 1; /* only one of them shows it */
    a = acquire(source), b = acquire(source), c = acquire(source);
    assert_int_equal(fake.connects, 6 - 2); /* 2 and 3 looked fine when they were lent first */
    hy_lease_release(a);
    hy_lease_release(b);
    hy_lease_release(c);
    assert_int_equal(stats_of(source).idle, 1); /* elders of the loss are not kept */
    a = acquire(source), b = acquire(source), c = acquire(source);
    assert_int_equal(fake.connects, 6);
    hy_lease_release(a);
    hy_lease_release(b);
    hy_lease_release(c);
    assert_int_equal(stats_of(source).idle, 3);
    assert_int_equal(stats_of(source).discarded, 1);
    hy_source_unref(source);
}

void a_connection_lost_in_use_is_not_lent_again(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *a = acquire(source), *b = acquire(source);
    hy_error err;

    (void)state;
    hy_lease_release(b);
    fake_reply *r = fake_add_reply("SELECT boom");
    r->fails = HY_ECONNECTION_LOST;
    r->breaks = true;
    assert_fails(HY_ECONNECTION_LOST, err, run(source, a, "SELECT boom", &err));
    hy_lease_release(a);
    assert_int_equal(fake.live, 1);
    hy_lease_release(acquire(source)); /* the elder is replaced too */
    assert_int_equal(fake.connects, 3);
    assert_int_equal(stats_of(source).discarded, 1);
    hy_source_unref(source);
}

void a_lifetime_ends_with_jitter(void **state)
{
    hy_source *source = open_with((hy_pool_config){.max = 30, .max_lifetime = 1000});
    hy_lease *leases[30];
    int distinct = 0;

    (void)state;
    source->pool.now = clock_in_hand;
    int64_t born = turned_clock;
    for (int i = 0; i < 30; i++)
        leases[i] = acquire(source);
    for (int i = 0; i < 30; i++) {
        int64_t life = leases[i]->slot->expires_at - born;
        assert_in_range(life, 900 * (int64_t)MS, 1000 * (int64_t)MS);
        distinct += life != leases[0]->slot->expires_at - born;
    }
    assert_true(distinct > 20);
    for (int i = 0; i < 30; i++)
        hy_lease_release(leases[i]);
    turned_clock = born + 899 * (int64_t)MS;
    hy_lease_release(acquire(source));
    assert_int_equal(fake.connects, 30);
    turned_clock = born + 1001 * (int64_t)MS;
    hy_lease_release(acquire(source));
    assert_int_equal(fake.connects, 31);
    assert_int_equal(stats_of(source).discarded, 0); /* old is not broken */
    hy_source_unref(source);
}

/* Fifty born at once under load: at no moment are many of them gone, and none while it is lent. */
void ages_apart(void **state)
{
    enum { ALL = 50, LIFE = 2000, MOMENT = 10, MOMENTS = 5 * LIFE / MOMENT };
    hy_source *source = open_with((hy_pool_config){.max = ALL, .max_lifetime = LIFE, .idle_timeout = -1});
    hy_lease *leases[ALL];
    int worst = 0, replaced = 0;
    hy_error err;

    (void)state;
    source->pool.now = clock_in_hand;
    source->pool.random = 20240229;
    for (int moment = 0; moment < MOMENTS; moment++) {
        int before = fake.connects;
        for (int i = 0; i < ALL; i++)
            leases[i] = acquire(source);
        int gone = moment > 0 ? fake.connects - before : 0;
        worst = gone > worst ? gone : worst;
        replaced += gone;
        turned_clock += MOMENT * (int64_t)MS; /* may pass the end of a life: it goes on */
        int in_use = fake.closes;
        for (int i = 0; i < ALL; i++)
            assert_int_equal(HY_OK, run(source, leases[i], "SELECT 1", &err));
        assert_int_equal(fake.closes, in_use);
        for (int i = 0; i < ALL; i++)
            hy_lease_release(leases[i]);
    }
    report("pool lifetimes: %d connections of %d ms, %d replaced in %d moments, at most %d %% gone at one",
           ALL, LIFE, replaced, MOMENTS, worst * 100 / ALL);
    assert_true(replaced >= 4 * ALL);
    assert_true(worst * 5 <= ALL);
    hy_source_unref(source);
}

/* Nobody called for long: none of what idled is lent, and who only looks sees the pool shrink. */
void overdue_ones_are_not_lent(void **state)
{
    hy_source *source =
        open_with((hy_pool_config){.max = 4, .min = 1, .idle_timeout = 1000, .max_lifetime = -1});
    hy_lease *leases[4];

    (void)state;
    source->pool.now = clock_in_hand;
    for (int i = 0; i < 4; i++)
        leases[i] = acquire(source);
    for (int i = 0; i < 4; i++)
        hy_lease_release(leases[i]);
    turned_clock += 1000 * (int64_t)MS;
    hy_lease_release(acquire(source));
    assert_int_equal(fake.connects, 5);
    assert_int_equal(fake.live, 1);

    leases[0] = acquire(source);
    leases[1] = acquire(source);
    hy_lease_release(leases[0]);
    hy_lease_release(leases[1]);
    turned_clock += 1000 * (int64_t)MS;
    assert_int_equal(stats_of(source).idle, 1);
    assert_int_equal(fake.live, 1);
    turned_clock += 1000 * (int64_t)MS;
    hy_lease_release(acquire(source)); /* the one that is kept may be old */
    assert_int_equal(fake.connects, 6);
    hy_source_unref(source);
}

/* ---- a server with no room -------------------------------------------------------------------- */

void makes_do_with_what_it_has(void **state)
{
    hy_source *source = open_pool(3);
    hy_lease *first = acquire(source);
    hy_error err;

    (void)state;
    fake.connect_fails = HY_ETOO_MANY_CONNECTIONS;
    hy_lease *second = start(source), *third = start(source);
    assert_int_equal(HY_AGAIN, step(second, &err));
    assert_int_equal(HY_AGAIN, step(third, &err));
    assert_int_equal(fake.connects, 3);
    hy_lease *fourth = start(source);
    assert_int_equal(HY_AGAIN, step(fourth, &err)); /* the server said no just now: it is not asked again */
    assert_int_equal(fake.connects, 3);
    hy_pool_stats s = stats_of(source);
    assert_int_equal(s.refused, 2);
    assert_int_equal(s.waiting, 3);
    assert_int_equal(s.size, 1);

    hy_lease *waiting[] = {second, third, fourth}, *holder = first;
    for (int served = 0; served < 3; served++) {
        hy_lease_release(holder);
        holder = NULL;
        for (int i = 0; i < 3; i++)
            if (waiting[i] != NULL && step(waiting[i], &err) == HY_OK) {
                assert_null(holder);
                holder = waiting[i];
                waiting[i] = NULL;
            }
        assert_non_null(holder);
    }
    assert_ptr_equal(holder, fourth); /* who never had a place comes last */
    hy_lease_release(holder);
    assert_int_equal(fake.connects, 3);
    hy_source_unref(source);
}

void asks_for_more_after_a_while(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *first = acquire(source), *second = start(source);
    hy_error err;

    (void)state;
    fake.connect_fails = HY_ETOO_MANY_CONNECTIONS;
    fake.connect_fails_times = 1;
    assert_int_equal(HY_AGAIN, step(second, &err));
    assert_int_equal(HY_OK, hy_task_run(hy_lease_task(second), &err)); /* the first is not given back */
    assert_int_equal(stats_of(source).size, 2);
    assert_int_equal(stats_of(source).refused, 1);
    assert_int_equal(fake.connects, 3);
    hy_lease_release(first);
    hy_lease_release(second);
    hy_source_unref(source);
}

/* Who waits does not depend on who got the connection giving it back. */
void goes_on_growing_when_there_is_room_again(void **state)
{
    hy_source *source = open_pool(4);
    hy_lease *first = acquire(source), *waiting[3];
    hy_error err;

    (void)state;
    fake.connect_fails = HY_ETOO_MANY_CONNECTIONS;
    fake.connect_fails_times = 1;
    for (int i = 0; i < 3; i++) {
        waiting[i] = start(source);
        assert_int_equal(HY_AGAIN, step(waiting[i], &err));
    }
    assert_int_equal(stats_of(source).waiting, 3);
    assert_int_equal(stats_of(source).refused, 1);
    assert_int_equal(HY_OK, hy_task_run(hy_lease_task(waiting[0]), &err));
    assert_int_equal(stats_of(source).waiting, 0);
    for (int i = 1; i < 3; i++)
        assert_int_equal(HY_OK, step(waiting[i], &err));
    for (int i = 0; i < 3; i++)
        hy_lease_release(waiting[i]);
    hy_lease_release(first);
    hy_source_unref(source);
}

/* The time to ask has come, but somebody is at it already: no reason to look all the time. */
void waits_while_another_asks_for_more(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *first = acquire(source), *second = start(source), *third = start(source);
    hy_wait wait;
    hy_error err;

    (void)state;
    fake.connect_fails = HY_ETOO_MANY_CONNECTIONS;
    fake.connect_fails_times = 1;
    fake.connect_again = 1;
    for (int i = 0; i < 2; i++)
        assert_int_equal(HY_AGAIN, step(second, &err)); /* connecting, then refused */
    assert_int_equal(HY_AGAIN, step(third, &err));
    assert_int_equal(stats_of(source).waiting, 2);
    source->pool.grows_at = 1;
    fake.connect_again = 1;
    assert_int_equal(HY_AGAIN, step(second, &err)); /* asks again */
    assert_int_equal(stats_of(source).connecting, 1);
    source->pool.grows_at = 1; /* and it takes long */
    int64_t now = hy_monotonic_ns();
    assert_int_equal(HY_AGAIN, hy_task_advance(hy_lease_task(third), &wait, &err));
    assert_true(wait.deadline > now + 100 * (int64_t)MS);
    assert_int_equal(HY_OK, step(second, &err));
    hy_lease_release(first);
    assert_int_equal(HY_OK, step(third, &err));
    hy_lease_release(second);
    hy_lease_release(third);
    hy_source_unref(source);
}

/* Nothing that could come back: the refusal is the caller's. */
void says_that_there_is_no_room(void **state)
{
    hy_source *source = open_pool(2);
    hy_lease *lease;
    hy_error err;

    (void)state;
    fake.connect_fails = HY_ETOO_MANY_CONNECTIONS;
    fake.connect_fails_times = 2;
    assert_fails(HY_ETOO_MANY_CONNECTIONS, err, hy_source_acquire(source, 0, &lease, &err));
    assert_fails(HY_ETOO_MANY_CONNECTIONS, err, hy_source_acquire(source, 0, &lease, &err));
    hy_lease *own = acquire(source);
    fake.connect_fails_times = 1;
    fake.connect_fails = HY_ETOO_MANY_CONNECTIONS;
    assert_fails(HY_ETOO_MANY_CONNECTIONS, err, hy_source_acquire(source, 0, &lease, &err));
    hy_lease *task = start(source); /* a task may wait: another one may give it back */
    assert_int_equal(HY_AGAIN, step(task, &err));
    hy_lease_release(own);
    assert_int_equal(HY_OK, step(task, &err));
    hy_lease_release(task);
    hy_source_unref(source);
}

void idle_ones_are_closed_down_to_min(void **state)
{
    hy_source *source =
        open_with((hy_pool_config){.max = 5, .min = 2, .idle_timeout = 1000, .max_lifetime = -1});
    hy_lease *leases[5];

    (void)state;
    source->pool.now = clock_in_hand;
    for (int i = 0; i < 5; i++)
        leases[i] = acquire(source);
    for (int i = 0; i < 5; i++)
        hy_lease_release(leases[i]);
    turned_clock += 999 * (int64_t)MS;
    hy_lease_release(acquire(source));
    assert_int_equal(stats_of(source).idle, 5);
    turned_clock += 2 * (int64_t)MS; /* four are overdue now, one was just used */
    hy_lease_release(acquire(source));
    assert_int_equal(stats_of(source).idle, 2);
    assert_int_equal(fake.live, 2);
    turned_clock += 100000 * (int64_t)MS;
    hy_lease_release(acquire(source));
    assert_int_equal(stats_of(source).idle, 2);
    hy_source_unref(source);
}

void a_private_database_keeps_its_one_connection(void **state)
{
    fake.is_private = true;
    hy_source *source = open_with((hy_pool_config){.max = 5, .idle_timeout = 1, .max_lifetime = 1});

    (void)state;
    source->pool.now = clock_in_hand;
    assert_int_equal(stats_of(source).max, 1);
    hy_lease_release(acquire(source));
    turned_clock += 1000000000 * (int64_t)MS;
    hy_lease_release(acquire(source));
    hy_lease_release(acquire(source));
    assert_int_equal(fake.connects, 1);
    hy_source_unref(source);
}
