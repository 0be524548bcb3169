/*
 * waiter.h - one who waits in a queue, and a gate that lets one through at a time.
 *
 * A waiter is woken through an eventfd, so it can wait in poll(), in a coroutine or in
 * somebody's event loop. The descriptor is made the first time it is needed and kept. Who
 * gives hands over directly to the oldest waiter: nobody overtakes. Knows no connections.
 */
#ifndef HY_SOURCE_WAITER_H
#define HY_SOURCE_WAITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <base/list.h>
#include <hysteria/driver.h>
#include <hysteria/error.h>

enum { HY__HOLDER_SIZE = 96 };

typedef struct hy__waiter {
    hy_link link;                 /* in a queue */
    int fd;                       /* eventfd; -1: never had to wait */
    void *grant;                  /* what it was given; NULL: nothing yet */
    hy_status refused;            /* why it will get nothing; HY_OK: it may */
    atomic_uintptr_t thread;      /* who used it last */
    char holder[HY__HOLDER_SIZE]; /* "file:line", for messages; under the queue's lock */
} hy__waiter;

void hy__waiter_init(hy__waiter *w);
void hy__waiter_clear(hy__waiter *w);
/** Have a descriptor. HY_ELIMIT_EXCEEDED when the process has none left. */
hy_status hy__waiter_prepare(hy__waiter *w, hy_error *err);
/** Queue's lock held. */
void hy__waiter_wake(hy__waiter *w);
/** Empty the descriptor after it was woken. */
void hy__waiter_drain(hy__waiter *w);
/** What to poll for. */
void hy__waiter_fill(const hy__waiter *w, int64_t deadline, hy_wait *wait);
/** The calling thread, as hy__waiter.thread holds it. */
uintptr_t hy__this_thread(void);
/** The calling thread uses `w` now. */
void hy__waiter_touch(hy__waiter *w);
bool hy__waiter_is_mine(hy__waiter *w);

/* One at a time, first come first served. */
typedef struct hy__gate {
    pthread_mutex_t lock;
    hy_link waiters;
    hy__waiter *owner; /* who is inside; NULL: nobody */
    int waiting;
} hy__gate;

void hy__gate_init(hy__gate *g);
void hy__gate_clear(hy__gate *g);
/**
 * HY_OK: inside. HY_AGAIN: in the queue, ask hy__gate_has() when woken.
 * HY_EPOOL_SELF_DEADLOCK: the caller would block its thread, and this thread is inside.
 */
hy_status hy__gate_enter(hy__gate *g, hy__waiter *w, bool may_block, hy_error *err);
bool hy__gate_has(hy__gate *g, hy__waiter *w);
/** How many are in the queue. */
int hy__gate_waiting(hy__gate *g);
/** Come out, leave the queue, or nothing: whatever `w` does here, it ends. */
void hy__gate_leave(hy__gate *g, hy__waiter *w);

#endif
