/*
 * task.c - the one place of the core that blocks a thread: poll() until a task can go on.
 *
 * Time is CLOCK_MONOTONIC. Must not know what is waited for.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>

enum { NS_PER_MS = 1000000 };

/* poll()'s timeout: rounded up, so that waking means the point has passed. */
static int milliseconds_until(int64_t deadline, int64_t now)
{
    if (deadline == HY_NO_DEADLINE)
        return -1;
    if (deadline <= now)
        return 0;
    int64_t ms = (deadline - now) / NS_PER_MS + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

bool hy_wait_block(const hy_wait *wait)
{
    struct pollfd fd = {.fd = wait->fd};

    if ((wait->events & HY_WAIT_READ) != 0)
        fd.events |= POLLIN;
    if ((wait->events & HY_WAIT_WRITE) != 0)
        fd.events |= POLLOUT;
    for (;;) {
        int timeout = milliseconds_until(wait->deadline, hy_monotonic_ns());
        int n = poll(&fd, wait->fd >= 0 ? 1 : 0, timeout);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false; /* out of kernel memory: the caller looks again */
        if (wait->deadline != HY_NO_DEADLINE && hy_monotonic_ns() >= wait->deadline)
            return false;
    }
}

hy_status hy_task_run(hy_task *task, hy_error *err)
{
    for (;;) {
        hy_wait wait = {.fd = -1, .events = 0, .deadline = HY_NO_DEADLINE};
        hy_status status = hy_task_advance(task, &wait, err);
        if (status != HY_AGAIN)
            return status;
        (void)hy_wait_block(&wait);
    }
}
