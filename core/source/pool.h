/*
 * pool.h - a fixed number of slots for connections, lent one by one, first come first served.
 *
 * A slot sits on exactly one list, and that list is its state; all moves go through one
 * function. Under the lock only lists change: connecting, resetting and closing happen
 * outside it, by whoever owns the slot. The pool knows drivers, but no SQL and no source.
 *
 * Invariant, lock not held: while somebody waits, no slot is idle, and none is free unless the
 * server has lately refused to grant more connections.
 */
#ifndef HY_SOURCE_POOL_H
#define HY_SOURCE_POOL_H

#include <pthread.h>

#include <base/list.h>
#include <hysteria/source.h>

#include "statement_cache.h"
#include "waiter.h"

typedef enum hy__slot_state {
    HY__SLOT_FREE,       /* no connection */
    HY__SLOT_CONNECTING, /* its owner makes or replaces the connection */
    HY__SLOT_IDLE,       /* connected and clean; the one used last is first */
    HY__SLOT_LEASED,     /* its owner uses it */
    HY__SLOT_CLOSING,    /* being closed by the thread that moved it here */
    HY__SLOT_STATES
} hy__slot_state;

typedef struct hy__slot {
    hy_link link;
    hy__slot_state state;
    hy__waiter *owner;         /* CONNECTING and LEASED */
    hy_connection *connection; /* NULL: none */
    hy__statement_cache cache;
    uint64_t generation; /* the pool's when connecting began */
    int64_t expires_at;  /* HY_NO_DEADLINE: never */
    int64_t idle_since;
    bool resetting; /* `reset` answered HY_AGAIN: advance it before use */
} hy__slot;

typedef struct hy__pool {
    pthread_mutex_t lock;
    const hy_driver *driver;
    struct hy_worker *worker; /* for its connections; set once, may be NULL */
    int64_t (*now)(void);     /* CLOCK_MONOTONIC of the last tick, unless a test turns the clock */
    size_t cache_capacity;
    int max, min;
    int64_t idle_timeout, max_lifetime; /* ns; HY_NO_DEADLINE: never */

    hy__slot *slots; /* max of them */
    hy_link lists[HY__SLOT_STATES];
    int count[HY__SLOT_STATES];
    hy_link waiters; /* hy__waiter, oldest first */
    int waiting;
    bool open;
    atomic_uint_fast64_t generation; /* connections of an older one are not trusted; written with the lock */
    int64_t grows_at; /* the server refused a connection: not more before then; 0: it did not */
    uint64_t random;
    uint64_t acquired, waited, timeouts, created, closed, discarded, refused;
} hy__pool;

/* How a connection comes back. */
typedef enum hy__return {
    HY__RETURN_CLEAN,
    HY__RETURN_DISCARD, /* not usable: close it */
    HY__RETURN_LOST     /* the server is gone: do not trust its elders either */
} hy__return;

/** `config` has its defaults filled in; a private database gets one connection for good. */
hy_status hy__pool_init(hy__pool *p, const hy_driver *driver, const hy_pool_config *config, bool is_private,
                        size_t cache_capacity, hy_error *err);
/** Refuse and wake everybody, close what is idle. Slots that are lent stay. Idempotent. */
void hy__pool_close(hy__pool *p);
/** After closing, when nothing is lent any more. */
void hy__pool_clear(hy__pool *p);
void hy__pool_stats(hy__pool *p, hy_pool_stats *out);

/**
 * HY_OK: `*slot` is the waiter's, LEASED or CONNECTING. HY_AGAIN: it is in the queue, go on
 * with hy__pool_poll(). HY_ECLOSED, HY_EPOOL_SELF_DEADLOCK or HY_ELIMIT_EXCEEDED.
 */
hy_status hy__pool_take(hy__pool *p, hy__waiter *w, bool may_block, hy__slot **slot, hy_error *err);
/** As hy__pool_take() for one that is in the queue. HY_AGAIN: ask again at `*at`, if not woken before. */
hy_status hy__pool_poll(hy__pool *p, hy__waiter *w, hy__slot **slot, int64_t *at, hy_error *err);
/** Leave the queue; what was granted meanwhile goes to the next. */
void hy__pool_leave(hy__pool *p, hy__waiter *w, bool timed_out);
/** True if the connection is too old to be used: by age, by idling, or by a disconnect since. */
bool hy__pool_is_stale(hy__pool *p, const hy__slot *slot);
/** LEASED, to be replaced: close its connection, now CONNECTING. `lost`: as in HY__RETURN_LOST. */
void hy__pool_replace(hy__pool *p, hy__slot *slot, bool lost);
/** CONNECTING: have memory for a connection and its statements, not connected yet. */
hy_status hy__pool_open_slot(hy__pool *p, hy__slot *slot, hy_error *err);
/** CONNECTING and connected: now LEASED. HY_ECLOSED if the pool was closed meanwhile. */
hy_status hy__pool_connected(hy__pool *p, hy__slot *slot, hy_error *err);
/** CONNECTING failed: close what there is, the slot is free. */
void hy__pool_give_up(hy__pool *p, hy__slot *slot);
/**
 * CONNECTING failed because the server grants no more: the slot is free and `w` in the queue again, as
 * the oldest. False, and the slot as it was: there is no other connection that could come back to it.
 */
bool hy__pool_make_do(hy__pool *p, hy__slot *slot, hy__waiter *w, bool may_block);
/** LEASED: back, to the oldest waiter or to the idle ones. False if it was not lent. */
bool hy__pool_give_back(hy__pool *p, hy__slot *slot, hy__return how);
/** Change the text that names the holder. */
void hy__pool_set_holder(hy__pool *p, hy__waiter *w, const char *where);

#endif
