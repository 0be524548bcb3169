/*
 * Blocking until a task can go on: descriptors, points in time, and signals in between.
 */
#include "hy_test.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>

enum { MS = 1000000 };

static int64_t in_ms(int64_t ms)
{
    return hy_monotonic_ns() + ms * MS;
}

static void waits_for_a_descriptor(void **state)
{
    int ends[2];
    hy_wait wait = {.events = HY_WAIT_READ};

    (void)state;
    assert_int_equal(0, pipe(ends));
    wait.fd = ends[0];
    wait.deadline = in_ms(20);
    assert_false(hy_wait_block(&wait));
    assert_true(hy_monotonic_ns() >= wait.deadline);
    assert_int_equal(1, write(ends[1], "x", 1));
    wait.deadline = HY_NO_DEADLINE;
    assert_true(hy_wait_block(&wait));
    wait.deadline = 0; /* long past: looks once all the same */
    assert_true(hy_wait_block(&wait));
    wait = (hy_wait){.fd = ends[1], .events = HY_WAIT_WRITE, .deadline = HY_NO_DEADLINE};
    assert_true(hy_wait_block(&wait));
    close(ends[1]);
    wait = (hy_wait){.fd = ends[0], .events = HY_WAIT_READ, .deadline = HY_NO_DEADLINE};
    assert_true(hy_wait_block(&wait)); /* the other side is gone: something to look at */
    close(ends[0]);
}

static void never_returns_early(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + i * (int64_t)MS / 7};
        assert_false(hy_wait_block(&wait));
        assert_true(hy_monotonic_ns() >= wait.deadline);
    }
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

static void signals_do_not_cut_it_short(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, before;
    struct itimerval often = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
    hy_wait wait = {.fd = -1, .deadline = in_ms(60)};

    (void)state;
    assert_int_equal(0, sigaction(SIGALRM, &action, &before));
    assert_int_equal(0, setitimer(ITIMER_REAL, &often, NULL));
    bool ready = hy_wait_block(&wait);
    int64_t now = hy_monotonic_ns();
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_false(ready);
    assert_true(now >= wait.deadline);
    assert_true(signals > 3); /* else nothing was tested */
}

typedef struct countdown {
    hy_task task;
    int left, steps;
    hy_status end;
} countdown;

static hy_status count(hy_task *task, hy_wait *wait, hy_error *err)
{
    countdown *c = (countdown *)(void *)task;

    assert_int_equal(wait->fd, -1); /* a fresh one each time */
    assert_true(wait->deadline == HY_NO_DEADLINE);
    c->steps++;
    if (c->left-- > 0) {
        wait->deadline = in_ms(2);
        return HY_AGAIN;
    }
    return c->end == HY_OK ? HY_OK : hy_fail(err, c->end, "as the test wants");
}

static void runs_a_task_to_its_end(void **state)
{
    countdown good = {.task = {count}, .left = 3}, bad = {.task = {count}, .left = 1, .end = HY_EDEADLOCK};
    hy_error err;

    (void)state;
    int64_t began = hy_monotonic_ns();
    assert_int_equal(HY_OK, hy_task_run(&good.task, &err));
    assert_int_equal(good.steps, 4);
    assert_true(hy_monotonic_ns() - began >= 6 * (int64_t)MS);
    assert_fails(HY_EDEADLOCK, err, hy_task_run(&bad.task, &err));
    assert_int_equal(bad.steps, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_a_descriptor),
        cmocka_unit_test(never_returns_early),
        cmocka_unit_test(signals_do_not_cut_it_short),
        cmocka_unit_test(runs_a_task_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
