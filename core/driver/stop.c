/*
 * stop.c - see stop.h.
 */
#include "stop.h"

#include <errno.h>
#include <sys/socket.h>

#include <base/event.h>

void hy__stop_init(hy__stop *s)
{
    atomic_init(&s->wanted, false);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->fd = -1;
    s->how = SHUT_RDWR;
    s->rung = s->cut = false;
}

void hy__stop_clear(hy__stop *s)
{
    (void)pthread_mutex_destroy(&s->lock);
}

bool hy__stop_sleep(hy__stop *s, const hy_wait *wait)
{
    (void)pthread_mutex_lock(&s->lock);
    bool may = !hy__stop_is_wanted(s);
    s->fd = may ? wait->fd : -1;
    /* Who reads finds the end, and the peer hears nothing: a pooler could not pass a cancel on if it did. */
    s->how = (wait->events & HY_WAIT_READ) != 0 ? SHUT_RD : SHUT_RDWR;
    s->rung = s->cut = false;
    (void)pthread_mutex_unlock(&s->lock);
    return may;
}

bool hy__stop_wake(hy__stop *s)
{
    if (s->fd < 0)
        return false;
    (void)pthread_mutex_lock(&s->lock);
    if (s->rung)
        hy__event_clear(s->fd);
    s->fd = -1;
    (void)pthread_mutex_unlock(&s->lock);
    return s->cut;
}

/* With the lock: the owner cannot wake up and close the descriptor meanwhile. */
void hy__stop_pull(hy__stop *s)
{
    (void)pthread_mutex_lock(&s->lock);
    atomic_store_explicit(&s->wanted, true, memory_order_relaxed);
    if (s->fd >= 0) {
        s->rung = shutdown(s->fd, s->how) != 0 && errno == ENOTSOCK;
        s->cut = !s->rung;
        if (s->rung)
            hy__event_set(s->fd);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

bool hy_connection_is_stopped(const hy_connection *c)
{
    return c->stop != NULL && hy__stop_is_wanted(c->stop);
}
