/*
 * stop.h - how another thread ends what a statement waits for or does.
 *
 * Its owner looks at the flag between steps, and a driver whose calls take long by themselves
 * looks inside them (hy_connection_is_stopped). An owner that sleeps is woken by what it polls:
 * an event is set, a socket shut down on this side, after which it is of no use any more. So
 * nothing is ever sent that could come late and hit somebody else's statement.
 */
#ifndef HY_DRIVER_STOP_H
#define HY_DRIVER_STOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <hysteria/driver.h>

typedef struct hy_stop {
    atomic_bool wanted;
    pthread_mutex_t lock; /* of the rest */
    int fd;               /* what the owner, who alone sets it, sleeps on; -1: awake, or a mere timer */
    int how;              /* to shut it down */
    bool rung, cut;       /* it was woken, by an event or by the end of a socket */
} hy__stop;

void hy__stop_init(hy__stop *s);
/** The owner is awake. */
void hy__stop_clear(hy__stop *s);
/** Something new begins: what was wanted before is over. */
static inline void hy__stop_rearm(hy__stop *s)
{
    atomic_store_explicit(&s->wanted, false, memory_order_relaxed);
}
static inline bool hy__stop_is_wanted(const hy__stop *s)
{
    return atomic_load_explicit(&s->wanted, memory_order_relaxed);
}
/** The owner goes to sleep on this. False: it must not, it has to stop. */
bool hy__stop_sleep(hy__stop *s, const hy_wait *wait);
/** The owner is awake, whether it slept or not. True: it slept on a socket that is shut down now. */
bool hy__stop_wake(hy__stop *s);
/** Any thread: what runs now should end. */
void hy__stop_pull(hy__stop *s);

#endif
