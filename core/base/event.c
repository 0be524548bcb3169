/*
 * event.c - see event.h.
 */
#include "event.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

hy_status hy__event_open(int *fd, hy_error *err)
{
    *fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (*fd >= 0)
        return HY_OK;
    if (errno == ENOMEM)
        return hy_fail_oom(err);
    return hy_fail(err, HY_ELIMIT_EXCEEDED,
                   "no file descriptor is left to wait with: raise the limit (ulimit -n)");
}

void hy__event_set(int fd)
{
    uint64_t one = 1;

    if (fd >= 0)
        (void)!write(fd, &one, sizeof one);
}

void hy__event_clear(int fd)
{
    uint64_t count;

    if (fd >= 0)
        (void)!read(fd, &count, sizeof count);
}
