/*
 * pool_tests.h - what the tests of the pool share: a fake server, a clock in hand, borrowing.
 */
#ifndef POOL_TESTS_H
#define POOL_TESTS_H

#include "hy_test.h"

#include <pthread.h>
#include <stdio.h>

#include <driver/driver_list.h>
#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <source/source_impl.h>

#include "fake_driver.h"
#include "figures.h"

enum { MS = 1000000 };

extern int64_t turned_clock;

static inline int64_t clock_in_hand(void)
{
    return turned_clock;
}

static inline int setup(void **state)
{
    (void)state;
    fake_reset(0);
    turned_clock = 1000 * (int64_t)MS;
    return 0;
}

/* Whatever a test did: all closed, nothing used after its end. */
static inline int teardown(void **state)
{
    (void)state;
    assert_int_equal(fake.live, 0);
    assert_int_equal(fake.connects, fake.closes);
    assert_int_equal(fake.prepared, fake.unprepared);
    assert_int_equal(fake.running, 0);
    assert_int_equal(fake.broken_uses, 0);
    return 0;
}

static inline hy_source *open_with(hy_pool_config pool)
{
    hy_source_config config = {
        .type = "sqlite", .driver = fake_driver(), .pool = pool, .connect_timeout = 1000};
    hy_source *source;
    hy_error err;

    assert_int_equal(HY_OK, hy_source_open(&config, &source, &err));
    return source;
}

static inline hy_source *open_pool(int max)
{
    return open_with((hy_pool_config){.max = max, .acquire_timeout = 2000});
}

static inline hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;
    hy_status status = hy_source_acquire(source, 0, &lease, &err);

    if (status != HY_OK)
        fail_msg("acquire: %s", err.message);
    return lease;
}

static inline hy_lease *start(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    assert_int_equal(HY_OK, hy_lease_start(source, 0, false, &lease, &err));
    return lease;
}

static inline hy_status step(hy_lease *lease, hy_error *err)
{
    hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
    return hy_task_advance(hy_lease_task(lease), &wait, err);
}

static inline hy_pool_stats stats_of(hy_source *source)
{
    hy_pool_stats stats;
    hy_source_stats(source, &stats);
    return stats;
}

/* Run text on a lease as the engine does for raw SQL. */
static inline hy_status run(hy_source *source, hy_lease *lease, const char *sql, hy_error *err)
{
    hy_run_options options = {.lease = lease};
    return hy_source_execute_raw(source, sql, NULL, 0, &options, NULL, err);
}

/* ---- tests in files of their own ---- */

/* pool_ages.c */
void one_loss_replaces_all_elders_lazily(void **state);
void a_connection_lost_in_use_is_not_lent_again(void **state);
void a_lifetime_ends_with_jitter(void **state);
void ages_apart(void **state);
void overdue_ones_are_not_lent(void **state);
void makes_do_with_what_it_has(void **state);
void asks_for_more_after_a_while(void **state);
void goes_on_growing_when_there_is_room_again(void **state);
void waits_while_another_asks_for_more(void **state);
void says_that_there_is_no_room(void **state);
void idle_ones_are_closed_down_to_min(void **state);
void a_private_database_keeps_its_one_connection(void **state);

#endif
