/*
 * pool.c - see pool.h. Each function says whether the lock is held.
 */
#include "pool.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include <base/buf.h>
#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

enum { NS_PER_MS = 1000000, JITTER_PART = 10, BACK_OFF_MS = 250 };

#define BIT(state) (1u << (state))

/* One row per state: what a slot may become. */
static const unsigned may_become[HY__SLOT_STATES] = {
    [HY__SLOT_FREE] = BIT(HY__SLOT_CONNECTING),
    [HY__SLOT_CONNECTING] = BIT(HY__SLOT_LEASED) | BIT(HY__SLOT_FREE),
    [HY__SLOT_IDLE] = BIT(HY__SLOT_LEASED) | BIT(HY__SLOT_CLOSING),
    [HY__SLOT_LEASED] = BIT(HY__SLOT_IDLE) | BIT(HY__SLOT_CONNECTING) | BIT(HY__SLOT_CLOSING),
    [HY__SLOT_CLOSING] = BIT(HY__SLOT_FREE),
};

/* Lock held. The only place where a state changes. */
static void slot_move(hy__pool *p, hy__slot *slot, hy__slot_state to)
{
    bool allowed = (may_become[slot->state] & BIT(to)) != 0;

    assert(allowed);
    (void)allowed;
    hy_list_remove(&slot->link);
    p->count[slot->state]--;
    slot->state = to;
    p->count[to]++;
    if (to == HY__SLOT_IDLE)
        hy_list_push_front(&p->lists[to], &slot->link); /* the warmest is lent first */
    else
        hy_list_push_back(&p->lists[to], &slot->link);
}

/* Lock held. */
static hy__slot *first_of(hy__pool *p, hy__slot_state state)
{
    return hy_list_empty(&p->lists[state]) ? NULL : hy_container(p->lists[state].next, hy__slot, link);
}

/* Lock held. Up to `most`, at random. */
static int64_t jitter(hy__pool *p, int64_t most)
{
    p->random = hy_hash(p->random, &p->random, sizeof p->random);
    return (int64_t)(p->random % (uint64_t)(most + 1));
}

/* Lock held. */
static void back_off(hy__pool *p)
{
    p->grows_at = hy_monotonic_ns() + BACK_OFF_MS * (int64_t)NS_PER_MS + jitter(p, BACK_OFF_MS * NS_PER_MS);
}

/* Lock held. A server that refused is asked again by one at a time, or when nothing else is left. */
static bool may_grow(hy__pool *p)
{
    if (p->grows_at == 0)
        return true;
    bool has_any = p->count[HY__SLOT_LEASED] + p->count[HY__SLOT_CONNECTING] > 0;
    if (has_any && hy_monotonic_ns() < p->grows_at)
        return false;
    back_off(p);
    return true;
}

/* Lock held. An idle connection if there is one, else room for a new one, else NULL. */
static hy__slot *lend(hy__pool *p, hy__waiter *to)
{
    hy__slot *slot = first_of(p, HY__SLOT_IDLE);

    if (slot != NULL) {
        slot_move(p, slot, HY__SLOT_LEASED);
    } else {
        slot = first_of(p, HY__SLOT_FREE);
        if (slot == NULL || !may_grow(p))
            return NULL;
        slot_move(p, slot, HY__SLOT_CONNECTING);
        slot->generation = p->generation;
    }
    slot->owner = to;
    p->acquired++;
    return slot;
}

/* Lock held. */
static hy__waiter *take_oldest(hy__pool *p)
{
    hy__waiter *w = hy_container(p->waiters.next, hy__waiter, link);

    hy_list_remove(&w->link);
    p->waiting--;
    return w;
}

/* Lock held. Whatever can be lent goes to who waits longest. */
static void serve(hy__pool *p)
{
    while (!hy_list_empty(&p->waiters)) {
        hy__waiter *oldest = hy_container(p->waiters.next, hy__waiter, link);
        hy__slot *slot = lend(p, oldest);
        if (slot == NULL)
            return;
        (void)take_oldest(p);
        oldest->grant = slot;
        hy__waiter_wake(oldest);
    }
}

/* Lock not held; the slot is the caller's alone. */
static void close_connection(hy__slot *slot)
{
    hy_connection *c = slot->connection;

    if (c == NULL)
        return;
    hy__statement_cache_clear(&slot->cache, c);
    c->driver->close(c);
    hy_free(c);
    slot->connection = NULL;
    slot->resetting = false;
}

/* Lock not held; the slot is CLOSING. */
static void close_slot(hy__pool *p, hy__slot *slot)
{
    close_connection(slot);
    (void)pthread_mutex_lock(&p->lock);
    p->closed++;
    slot_move(p, slot, HY__SLOT_FREE);
    if (p->open)
        serve(p);
    (void)pthread_mutex_unlock(&p->lock);
}

/* Has the connection been idle for too long? */
static bool is_overdue(hy__pool *p, const hy__slot *slot)
{
    return p->idle_timeout != HY_NO_DEADLINE && p->now() - slot->idle_since >= p->idle_timeout;
}

/* Lock held. More connections than are kept open when idle? */
static bool is_above_min(const hy__pool *p)
{
    return p->max - p->count[HY__SLOT_FREE] - p->count[HY__SLOT_CLOSING] > p->min;
}

/* Lock held. Take an idle connection that may be closed: all when closing, else the overdue. */
static hy__slot *take_overdue(hy__pool *p)
{
    if (hy_list_empty(&p->lists[HY__SLOT_IDLE]))
        return NULL;
    hy__slot *coldest = hy_container(p->lists[HY__SLOT_IDLE].prev, hy__slot, link);
    if (p->open && !(is_above_min(p) && is_overdue(p, coldest)))
        return NULL;
    slot_move(p, coldest, HY__SLOT_CLOSING);
    return coldest;
}

/* Lock not held. */
static void close_overdue(hy__pool *p)
{
    for (;;) {
        (void)pthread_mutex_lock(&p->lock);
        hy__slot *slot = take_overdue(p);
        (void)pthread_mutex_unlock(&p->lock);
        if (slot == NULL)
            return;
        close_slot(p, slot);
    }
}

/* ---- life ------------------------------------------------------------------------------- */

/* Idle times and lifetimes are long: the last tick of the kernel's clock will do, and costs a fifth. */
static int64_t tick_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static int64_t ns_of(int64_t ms)
{
    return ms < 0 || ms > INT64_MAX / NS_PER_MS ? HY_NO_DEADLINE : ms * NS_PER_MS;
}

hy_status hy__pool_init(hy__pool *p, const hy_driver *driver, const hy_pool_config *config, bool is_private,
                        size_t cache_capacity, hy_error *err)
{
    *p = (hy__pool){.driver = driver, .now = tick_ns, .cache_capacity = cache_capacity, .open = true};
    p->max = is_private ? 1 : config->max;
    p->min = is_private ? 1 : config->min;
    p->idle_timeout = is_private ? HY_NO_DEADLINE : ns_of(config->idle_timeout);
    p->max_lifetime = is_private ? HY_NO_DEADLINE : ns_of(config->max_lifetime);
    p->random = (uint64_t)hy_monotonic_ns() ^ (uint64_t)(uintptr_t)p;
    p->slots = hy_alloc_zero((size_t)p->max * sizeof *p->slots);
    if (p->slots == NULL)
        return hy_fail_oom(err);

    hy_list_init(&p->waiters);
    for (int state = 0; state < HY__SLOT_STATES; state++)
        hy_list_init(&p->lists[state]);
    for (int i = 0; i < p->max; i++)
        hy_list_push_back(&p->lists[HY__SLOT_FREE], &p->slots[i].link);
    p->count[HY__SLOT_FREE] = p->max;
    (void)pthread_mutex_init(&p->lock, NULL);
    return HY_OK;
}

void hy__pool_close(hy__pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->open = false;
    while (!hy_list_empty(&p->waiters)) {
        hy__waiter *w = take_oldest(p);
        w->refused = HY_ECLOSED;
        hy__waiter_wake(w);
    }
    (void)pthread_mutex_unlock(&p->lock);
    close_overdue(p);
}

void hy__pool_clear(hy__pool *p)
{
    if (p->slots == NULL)
        return;
    assert(!p->open);
    assert(p->count[HY__SLOT_FREE] == p->max);
    (void)pthread_mutex_destroy(&p->lock);
    hy_free(p->slots);
    p->slots = NULL;
}

void hy__pool_stats(hy__pool *p, hy_pool_stats *out)
{
    close_overdue(p); /* who only looks sees an idle pool shrink */
    (void)pthread_mutex_lock(&p->lock);
    *out = (hy_pool_stats){
        .size = p->max - p->count[HY__SLOT_FREE],
        .idle = p->count[HY__SLOT_IDLE],
        .leased = p->count[HY__SLOT_LEASED],
        .connecting = p->count[HY__SLOT_CONNECTING],
        .waiting = p->waiting,
        .max = p->max,
        .acquired = p->acquired,
        .waited = p->waited,
        .timeouts = p->timeouts,
        .created = p->created,
        .closed = p->closed,
        .discarded = p->discarded,
        .refused = p->refused,
    };
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- borrowing -------------------------------------------------------------------------- */

/* Lock held. Every slot is lent, and to this thread. */
static bool holds_everything(hy__pool *p)
{
    for (int i = 0; i < p->max; i++)
        if (p->slots[i].owner == NULL || !hy__waiter_is_mine(p->slots[i].owner))
            return false;
    return true;
}

/* Lock held. */
static hy_status refuse_self(hy__pool *p, hy_error *err)
{
    char where[HY_ERROR_MESSAGE_SIZE / 2];
    size_t used = 0;

    for (int i = 0; i < p->max; i++) {
        const char *holder = p->slots[i].owner->holder;
        size_t size = strlen(holder);
        if (size == 0 || used + size + 3 > sizeof where)
            continue;
        if (used > 0) {
            memcpy(where + used, ", ", 2);
            used += 2;
        }
        memcpy(where + used, holder, size);
        used += size;
    }
    where[used] = '\0';
    return hy_fail(
        err, HY_EPOOL_SELF_DEADLOCK,
        "this thread holds every connection of the pool itself (%d of %d)%s%s: use the one it has, give "
        "one back, or raise pool.max",
        p->max, p->max, used > 0 ? ", taken at " : "", where);
}

static hy_status refuse_closed(hy_error *err)
{
    return hy_fail(err, HY_ECLOSED, "the data source is closed");
}

/* Lock held. */
static hy_status take_or_queue(hy__pool *p, hy__waiter *w, bool may_block, hy__slot **slot, hy_error *err)
{
    if (!p->open)
        return refuse_closed(err);
    if (hy_list_empty(&p->waiters) && (*slot = lend(p, w)) != NULL)
        return HY_OK;
    if (may_block && holds_everything(p))
        return refuse_self(p, err);

    hy_status status = hy__waiter_prepare(w, err);
    if (status != HY_OK)
        return status;
    w->grant = NULL;
    w->refused = HY_OK;
    hy_list_push_back(&p->waiters, &w->link);
    p->waiting++;
    p->waited++;
    return HY_AGAIN;
}

hy_status hy__pool_take(hy__pool *p, hy__waiter *w, bool may_block, hy__slot **slot, hy_error *err)
{
    *slot = NULL;
    (void)pthread_mutex_lock(&p->lock);
    hy_status status = take_or_queue(p, w, may_block, slot, err);
    (void)pthread_mutex_unlock(&p->lock);
    return status;
}

/* Lock held. */
static hy_status look(hy__pool *p, hy__waiter *w, hy__slot **slot, hy_error *err)
{
    if (w->refused != HY_OK)
        return refuse_closed(err);
    if (w->grant == NULL && p->grows_at != 0)
        serve(p);
    if (w->grant == NULL)
        return HY_AGAIN;
    *slot = w->grant;
    w->grant = NULL;
    hy__waiter_drain(w);
    return HY_OK;
}

/* Lock held. When to look again, unless woken: a slot may be free then, or whoever asks for more is at it
 * still. */
static int64_t next_look(const hy__pool *p)
{
    int64_t now = hy_monotonic_ns();

    if (p->grows_at == 0)
        return HY_NO_DEADLINE;
    return p->grows_at > now ? p->grows_at : now + BACK_OFF_MS * (int64_t)NS_PER_MS;
}

hy_status hy__pool_poll(hy__pool *p, hy__waiter *w, hy__slot **slot, int64_t *at, hy_error *err)
{
    *slot = NULL;
    (void)pthread_mutex_lock(&p->lock);
    hy_status status = look(p, w, slot, err);
    *at = next_look(p);
    (void)pthread_mutex_unlock(&p->lock);
    return status;
}

void hy__pool_leave(hy__pool *p, hy__waiter *w, bool timed_out)
{
    (void)pthread_mutex_lock(&p->lock);
    hy__slot *granted = w->grant;
    if (!hy_list_empty(&w->link)) {
        hy_list_remove(&w->link);
        p->waiting--;
    }
    p->timeouts += timed_out;
    w->grant = NULL;
    w->refused = HY_OK;
    hy__waiter_drain(w);
    (void)pthread_mutex_unlock(&p->lock);
    if (granted == NULL)
        return;
    if (granted->connection != NULL)
        (void)hy__pool_give_back(p, granted, HY__RETURN_CLEAN);
    else
        hy__pool_give_up(p, granted);
}

bool hy__pool_is_stale(hy__pool *p, const hy__slot *slot)
{
    if (slot->generation != atomic_load_explicit(&p->generation, memory_order_acquire))
        return true;
    if (slot->expires_at != HY_NO_DEADLINE && p->now() >= slot->expires_at)
        return true;
    if (!is_overdue(p, slot))
        return false;
    (void)pthread_mutex_lock(&p->lock);
    bool above_min = is_above_min(p);
    (void)pthread_mutex_unlock(&p->lock);
    return above_min;
}

/* Lock held. One loss of a connection of this generation ends the generation, not each. */
static void note_lost(hy__pool *p, const hy__slot *slot)
{
    if (slot->generation == p->generation)
        p->generation++;
}

void hy__pool_replace(hy__pool *p, hy__slot *slot, bool lost)
{
    (void)pthread_mutex_lock(&p->lock);
    slot_move(p, slot, HY__SLOT_CONNECTING);
    if (lost)
        note_lost(p, slot);
    slot->generation = p->generation;
    p->closed++;
    p->discarded += lost;
    (void)pthread_mutex_unlock(&p->lock);
    close_connection(slot);
}

hy_status hy__pool_open_slot(hy__pool *p, hy__slot *slot, hy_error *err)
{
    assert(slot->state == HY__SLOT_CONNECTING);
    assert(slot->connection == NULL);

    hy_connection *c = hy_alloc_zero(p->driver->connection_size);
    if (c == NULL)
        return hy_fail_oom(err);
    hy_status status = hy__statement_cache_init(&slot->cache, p->cache_capacity, err);
    if (status != HY_OK) {
        hy_free(c);
        return status;
    }
    c->driver = p->driver;
    c->worker = p->worker;
    slot->connection = c;
    return HY_OK;
}

/* Lock held. The lifetime less up to a tenth, so that connections do not die together. */
static int64_t expiry(hy__pool *p)
{
    if (p->max_lifetime == HY_NO_DEADLINE)
        return HY_NO_DEADLINE;
    int64_t now = p->now();
    int64_t life = p->max_lifetime - jitter(p, p->max_lifetime / JITTER_PART);
    return life > HY_NO_DEADLINE - now ? HY_NO_DEADLINE : now + life;
}

hy_status hy__pool_connected(hy__pool *p, hy__slot *slot, hy_error *err)
{
    (void)pthread_mutex_lock(&p->lock);
    bool open = p->open;
    if (open) {
        slot->expires_at = expiry(p);
        slot->resetting = false;
        slot->idle_since = p->now();
        slot_move(p, slot, HY__SLOT_LEASED);
    }
    p->grows_at = 0;
    p->created++;
    p->closed += !open;
    if (open)
        serve(p); /* those who waited for this moment */
    (void)pthread_mutex_unlock(&p->lock);
    return open ? HY_OK : refuse_closed(err);
}

void hy__pool_give_up(hy__pool *p, hy__slot *slot)
{
    close_connection(slot);
    (void)pthread_mutex_lock(&p->lock);
    slot->owner = NULL;
    slot_move(p, slot, HY__SLOT_FREE);
    if (p->open)
        serve(p);
    (void)pthread_mutex_unlock(&p->lock);
}

/* Lock held. Somebody else has a connection, or makes one, that may come to `w`. */
static bool others_have_any(hy__pool *p, hy__waiter *w, bool may_block)
{
    for (int i = 0; i < p->max; i++) {
        const hy__slot *slot = &p->slots[i];
        if (slot->state == HY__SLOT_IDLE)
            return true;
        if (slot->owner != NULL && slot->owner != w && !(may_block && hy__waiter_is_mine(slot->owner)))
            return true;
    }
    return false;
}

bool hy__pool_make_do(hy__pool *p, hy__slot *slot, hy__waiter *w, bool may_block)
{
    close_connection(slot);
    (void)pthread_mutex_lock(&p->lock);
    p->refused++;
    back_off(p);
    bool queued = p->open && others_have_any(p, w, may_block) && hy__waiter_prepare(w, NULL) == HY_OK;
    if (queued) {
        slot->owner = NULL;
        slot_move(p, slot, HY__SLOT_FREE);
        p->acquired--;
        p->waited++;
        p->waiting++;
        hy_list_push_front(&p->waiters, &w->link);
        serve(p);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return queued;
}

/* Lock held. True: the connection stays; false: the slot is CLOSING now. */
static bool put_back(hy__pool *p, hy__slot *slot, hy__return how)
{
    if (how == HY__RETURN_LOST)
        note_lost(p, slot);
    p->discarded += how != HY__RETURN_CLEAN;
    slot->owner = NULL;
    if (how != HY__RETURN_CLEAN || !p->open || slot->generation != p->generation) {
        slot_move(p, slot, HY__SLOT_CLOSING);
        return false;
    }
    slot->idle_since = p->idle_timeout != HY_NO_DEADLINE ? p->now() : 0;
    slot_move(p, slot, HY__SLOT_IDLE);
    serve(p);
    return true;
}

bool hy__pool_give_back(hy__pool *p, hy__slot *slot, hy__return how)
{
    bool overdue = false;

    (void)pthread_mutex_lock(&p->lock);
    if (slot->state != HY__SLOT_LEASED) {
        (void)pthread_mutex_unlock(&p->lock);
        return false;
    }
    bool kept = put_back(p, slot, how);
    overdue = p->count[HY__SLOT_IDLE] > 1; /* the one just put back is fresh */
    (void)pthread_mutex_unlock(&p->lock);
    if (!kept)
        close_slot(p, slot);
    if (overdue)
        close_overdue(p);
    return true;
}

void hy__pool_set_holder(hy__pool *p, hy__waiter *w, const char *where)
{
    size_t size = where != NULL ? strlen(where) : 0;

    if (size >= sizeof w->holder)
        size = sizeof w->holder - 1;
    (void)pthread_mutex_lock(&p->lock);
    if (size > 0)
        memcpy(w->holder, where, size);
    w->holder[size] = '\0';
    (void)pthread_mutex_unlock(&p->lock);
}
