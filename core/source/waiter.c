/*
 * waiter.c - waiting in a queue without blocking, and the gate made of it.
 *
 * Nothing here allocates, and waking happens under the queue's lock: a waiter that gives up
 * takes the lock first, so it cannot vanish while it is being woken.
 */
#include "waiter.h"

#include <assert.h>
#include <unistd.h>

#include <base/event.h>

void hy__waiter_init(hy__waiter *w)
{
    hy_list_init(&w->link);
    w->fd = -1;
    w->grant = NULL;
    w->refused = HY_OK;
    atomic_init(&w->thread, (uintptr_t)0);
    w->holder[0] = '\0';
}

void hy__waiter_clear(hy__waiter *w)
{
    assert(hy_list_empty(&w->link));
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
}

hy_status hy__waiter_prepare(hy__waiter *w, hy_error *err)
{
    return w->fd >= 0 ? HY_OK : hy__event_open(&w->fd, err);
}

void hy__waiter_wake(hy__waiter *w)
{
    hy__event_set(w->fd);
}

void hy__waiter_drain(hy__waiter *w)
{
    hy__event_clear(w->fd);
}

void hy__waiter_fill(const hy__waiter *w, int64_t deadline, hy_wait *wait)
{
    wait->fd = w->fd;
    wait->events = HY_WAIT_READ | HY_WAIT_QUEUED;
    wait->deadline = deadline;
}

uintptr_t hy__this_thread(void)
{
    return (uintptr_t)pthread_self();
}

void hy__waiter_touch(hy__waiter *w)
{
    atomic_store_explicit(&w->thread, hy__this_thread(), memory_order_relaxed);
}

bool hy__waiter_is_mine(hy__waiter *w)
{
    return atomic_load_explicit(&w->thread, memory_order_relaxed) == hy__this_thread();
}

void hy__gate_init(hy__gate *g)
{
    (void)pthread_mutex_init(&g->lock, NULL);
    hy_list_init(&g->waiters);
    g->owner = NULL;
    g->waiting = 0;
}

void hy__gate_clear(hy__gate *g)
{
    assert(g->owner == NULL);
    assert(hy_list_empty(&g->waiters));
    (void)pthread_mutex_destroy(&g->lock);
}

/* Lock held. */
static hy_status refuse_self(const hy__waiter *owner, hy_error *err)
{
    return hy_fail(
        err, HY_EPOOL_SELF_DEADLOCK,
        "this thread waits for itself: its open transaction%s%s is the one writer of the database, run "
        "the statement in it or end it first",
        owner->holder[0] != '\0' ? " of " : "", owner->holder);
}

hy_status hy__gate_enter(hy__gate *g, hy__waiter *w, bool may_block, hy_error *err)
{
    hy_status status = HY_OK;

    (void)pthread_mutex_lock(&g->lock);
    if (g->owner == NULL) {
        g->owner = w;
    } else if (may_block && hy__waiter_is_mine(g->owner)) {
        status = refuse_self(g->owner, err);
    } else if ((status = hy__waiter_prepare(w, err)) == HY_OK) {
        hy_list_push_back(&g->waiters, &w->link);
        g->waiting++;
        status = HY_AGAIN;
    }
    (void)pthread_mutex_unlock(&g->lock);
    return status;
}

bool hy__gate_has(hy__gate *g, hy__waiter *w)
{
    (void)pthread_mutex_lock(&g->lock);
    bool inside = g->owner == w;
    if (inside)
        hy__waiter_drain(w);
    (void)pthread_mutex_unlock(&g->lock);
    return inside;
}

int hy__gate_waiting(hy__gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    int waiting = g->waiting;
    (void)pthread_mutex_unlock(&g->lock);
    return waiting;
}

void hy__gate_leave(hy__gate *g, hy__waiter *w)
{
    (void)pthread_mutex_lock(&g->lock);
    if (g->owner != w) {
        g->waiting -= !hy_list_empty(&w->link);
        hy_list_remove(&w->link);
    } else {
        g->owner = NULL;
        hy__waiter_drain(w);
        if (!hy_list_empty(&g->waiters)) {
            g->owner = hy_container(g->waiters.next, hy__waiter, link);
            hy_list_remove(&g->owner->link);
            g->waiting--;
            hy__waiter_wake(g->owner);
        }
    }
    (void)pthread_mutex_unlock(&g->lock);
}
