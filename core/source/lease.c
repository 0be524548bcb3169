/*
 * lease.c - borrowing a connection as a task: queue, look at it, connect if need be.
 *
 * One deadline covers all of it. What the driver answers with HY_AGAIN is passed on; nothing
 * here blocks. A lease that ends gives back a connection that is clean, or none.
 */
#include <assert.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "source_impl.h"

static hy_status public_step(hy_task *task, hy_wait *wait, hy_error *err)
{
    return hy__lease_step(hy_container(task, hy_lease, task), wait, err);
}

void hy__lease_init(hy_lease *lease, bool embedded)
{
    *lease = (hy_lease){.task = {public_step}, .embedded = embedded};
    hy__waiter_init(&lease->waiter);
    hy_list_init(&lease->runs);
}

void hy__lease_clear(hy_lease *lease)
{
    assert(lease->state == HY__LEASE_NONE);
    hy__waiter_clear(&lease->waiter);
}

/* ---- getting one ------------------------------------------------------------------------ */

static hy_status ready(hy_lease *lease)
{
    hy_source *s = lease->source;

    lease->state = HY__LEASE_READY;
    if (atomic_load_explicit(&s->features, memory_order_relaxed) == 0) {
        const hy_connection *c = hy__lease_connection(lease);
        hy_features learnt = hy_dialect_features(s->dialect, c->server_version);
        learnt |= c->takes_rows ? HY_FEATURE(ROW_ARRAYS) : 0;
        atomic_store_explicit(&s->features, learnt, memory_order_relaxed);
    }
    return HY_OK;
}

/* A slot was given: with a connection to look at, or with none. */
static void accept_slot(hy_lease *lease, hy__slot *slot)
{
    lease->slot = slot;
    lease->how = HY__RETURN_CLEAN;
    lease->dirty = false;
    lease->state = slot->connection != NULL ? HY__LEASE_CHECKING : HY__LEASE_OPENING;
}

static hy_status step_queued(hy_lease *lease, hy_wait *wait, hy_error *err)
{
    hy__pool *p = &lease->source->pool;
    hy__slot *slot;
    int64_t at;
    hy_status status = hy__pool_poll(p, &lease->waiter, &slot, &at, err);

    if (status == HY_OK) {
        accept_slot(lease, slot);
        return HY_OK;
    }
    if (status != HY_AGAIN)
        return status;
    if (hy_monotonic_ns() < lease->deadline) {
        hy__waiter_fill(&lease->waiter, hy__earlier(lease->deadline, at), wait);
        return HY_AGAIN;
    }
    hy__pool_leave(p, &lease->waiter, true);
    hy_pool_stats stats;
    hy__pool_stats(p, &stats);
    return hy_fail(err, HY_EPOOL_TIMEOUT,
                   "no connection became free in time: %d of %d are in use, %d more calls wait%s",
                   stats.leased, stats.max, stats.waiting,
                   at != HY_NO_DEADLINE ? ", and the server grants no more" : "");
}

static hy_status step_checking(hy_lease *lease, hy_wait *wait, hy_error *err)
{
    hy_source *s = lease->source;
    hy_connection *c = hy__lease_connection(lease);
    bool alive = s->driver->is_alive(c);

    (void)wait;
    (void)err;
    if (!alive || hy__pool_is_stale(&s->pool, lease->slot)) {
        hy__pool_replace(&s->pool, lease->slot, !alive);
        lease->state = HY__LEASE_OPENING;
        return HY_OK;
    }
    if (lease->slot->resetting) {
        lease->state = HY__LEASE_RESETTING;
        c->deadline = lease->deadline;
        return HY_OK;
    }
    return ready(lease);
}

static hy_status connected(hy_lease *lease, hy_error *err)
{
    hy_status status = hy__pool_connected(&lease->source->pool, lease->slot, err);
    return status == HY_OK ? ready(lease) : status;
}

/* The server grants no more connections: wait for one that the pool has, if it has any. */
static hy_status make_do(hy_lease *lease, hy_error *err)
{
    hy__slot *slot = lease->slot;

    if (!hy__pool_make_do(&lease->source->pool, slot, &lease->waiter, lease->may_block))
        return HY_ETOO_MANY_CONNECTIONS;
    if (err != NULL)
        hy_error_clear(err);
    lease->slot = NULL;
    lease->state = HY__LEASE_QUEUED;
    return HY_OK;
}

/* What connecting answered. */
static hy_status go_on_connecting(hy_lease *lease, hy_status status, hy_wait *wait, hy_error *err)
{
    if (status == HY_OK)
        return connected(lease, err);
    if (status == HY_ETOO_MANY_CONNECTIONS)
        return make_do(lease, err);
    if (status != HY_AGAIN)
        return status;
    if (hy_monotonic_ns() >= lease->connect_deadline)
        return hy_fail(err, HY_ECONNECT_TIMEOUT, "the database did not accept the connection in time");
    wait->deadline = hy__earlier(wait->deadline, lease->connect_deadline);
    return HY_AGAIN;
}

static hy_status step_opening(hy_lease *lease, hy_wait *wait, hy_error *err)
{
    hy_source *s = lease->source;
    hy_status status = hy__pool_open_slot(&s->pool, lease->slot, err);

    if (status != HY_OK)
        return status;
    hy_connection *c = hy__lease_connection(lease);
    lease->connect_deadline = hy__earlier(lease->deadline, hy__deadline_in(s->config.connect_timeout));
    c->deadline = lease->connect_deadline;
    lease->state = HY__LEASE_CONNECTING;
    status = s->driver->connect(c, &s->config.connect, wait, err);
    return go_on_connecting(lease, status, wait, err);
}

static hy_status step_connecting(hy_lease *lease, hy_wait *wait, hy_error *err)
{
    hy_connection *c = hy__lease_connection(lease);
    return go_on_connecting(lease, c->driver->advance(c, wait, err), wait, err);
}

/* A session that cannot be cleaned up is replaced; its failure is nobody's. */
static hy_status step_resetting(hy_lease *lease, hy_wait *wait, hy_error *err)
{
    hy_connection *c = hy__lease_connection(lease);
    hy_status status = c->driver->advance(c, wait, err);

    if (status == HY_AGAIN && hy_monotonic_ns() < lease->deadline) {
        wait->deadline = hy__earlier(wait->deadline, lease->deadline);
        return HY_AGAIN;
    }
    lease->slot->resetting = false;
    if (status == HY_OK)
        return ready(lease);
    hy__pool_replace(&lease->source->pool, lease->slot, false);
    lease->state = HY__LEASE_OPENING;
    return HY_OK;
}

typedef hy_status (*lease_step)(hy_lease *lease, hy_wait *wait, hy_error *err);
static const lease_step steps[] = {
    [HY__LEASE_QUEUED] = step_queued,       [HY__LEASE_CHECKING] = step_checking,
    [HY__LEASE_OPENING] = step_opening,     [HY__LEASE_CONNECTING] = step_connecting,
    [HY__LEASE_RESETTING] = step_resetting,
};

hy_status hy__lease_step(hy_lease *lease, hy_wait *wait, hy_error *err)
{
    hy_status status = HY_OK;

    if (lease->state == HY__LEASE_NONE)
        return hy_fail(err, HY_ECLOSED, "the lease was given back");
    while (status == HY_OK && lease->state != HY__LEASE_READY)
        status = steps[lease->state](lease, wait, err);
    if (status != HY_OK && status != HY_AGAIN)
        hy__lease_end(lease);
    return status;
}

hy_status hy__lease_begin(hy_lease *lease, hy_source *source, int64_t deadline, bool may_block,
                          const char *holder, hy_error *err)
{
    hy__slot *slot;

    assert(lease->state == HY__LEASE_NONE);
    lease->may_block = may_block;
    lease->deadline = deadline;
    hy__waiter_touch(&lease->waiter);
    if (holder != NULL || lease->waiter.holder[0] != '\0')
        hy__pool_set_holder(&source->pool, &lease->waiter, holder);

    hy_status status = hy__pool_take(&source->pool, &lease->waiter, may_block, &slot, err);
    if (status != HY_OK && status != HY_AGAIN)
        return status;
    lease->source = hy_source_ref(source);
    lease->state = HY__LEASE_QUEUED;
    if (status == HY_OK)
        accept_slot(lease, slot);
    return HY_OK;
}

/* ---- giving it back --------------------------------------------------------------------- */

void hy__lease_leave_gate(hy_lease *lease)
{
    if (!lease->has_ticket)
        return;
    lease->has_ticket = false;
    hy__gate_leave(&lease->source->writer, &lease->waiter);
}

hy_transaction_status hy__lease_after_error(hy_lease *lease, hy_status status)
{
    hy_connection *c = hy__lease_connection(lease);
    hy_transaction_status now = c->driver->transaction_status(c);

    if (now == HY_TRANSACTION_UNKNOWN && lease->how == HY__RETURN_CLEAN)
        lease->how = hy_status_class(status) == HY_CLASS_CONNECTION ? HY__RETURN_LOST : HY__RETURN_DISCARD;
    return now;
}

/* Roll back what is open, if that can be done at once. */
static bool roll_back_now(hy_lease *lease)
{
    static const char sql[] = "ROLLBACK";
    hy_connection *c = hy__lease_connection(lease);
    hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
    hy__cached *s = hy__cached_new(c->driver, 0, sql, sizeof sql - 1, NULL, 0);

    if (s == NULL)
        return false;
    c->deadline = HY_NO_DEADLINE;
    if (c->driver->prepare(c, s->statement, sql, sizeof sql - 1, NULL, 0, &wait, NULL) == HY_OK) {
        (void)c->driver->execute(c, s->statement, NULL, 0, &wait, NULL);
        c->driver->finish(c, s->statement);
    }
    hy__cached_free(s, c);
    return c->driver->transaction_status(c) == HY_TRANSACTION_IDLE;
}

/* Clean, or to be closed. A reset that takes time goes on when somebody borrows it next. */
static hy__return clean_up(hy_lease *lease)
{
    hy_connection *c = hy__lease_connection(lease);
    hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};

    if (lease->how != HY__RETURN_CLEAN)
        return lease->how;
    hy_transaction_status now = c->driver->transaction_status(c);
    /* Whether it lives is looked at when somebody borrows it next. */
    if (now == HY_TRANSACTION_UNKNOWN || !c->driver->is_idle(c))
        return HY__RETURN_DISCARD;
    if (now != HY_TRANSACTION_IDLE && (c->driver->flags & HY_DRIVER_RESET_ROLLS_BACK) != 0)
        lease->dirty = true;
    else if (now != HY_TRANSACTION_IDLE && !roll_back_now(lease))
        return HY__RETURN_DISCARD;
    if (!lease->dirty)
        return HY__RETURN_CLEAN;
    c->deadline = HY_NO_DEADLINE;
    hy_status status = c->driver->reset(c, &wait, NULL);
    lease->slot->resetting = status == HY_AGAIN;
    return status == HY_OK || status == HY_AGAIN ? HY__RETURN_CLEAN : HY__RETURN_DISCARD;
}

static void cut_runs(hy_lease *lease)
{
    while (!hy_list_empty(&lease->runs))
        hy__cursor_cut(hy_container(lease->runs.next, hy_cursor, run));
}

void hy__lease_end(hy_lease *lease)
{
    hy_source *s = lease->source;
    hy__lease_state was = lease->state;

    if (was == HY__LEASE_NONE)
        return;
    cut_runs(lease);
    lease->state = HY__LEASE_NONE;
    if (was == HY__LEASE_QUEUED) {
        hy__pool_leave(&s->pool, &lease->waiter, false);
    } else if (was == HY__LEASE_OPENING || was == HY__LEASE_CONNECTING) {
        hy__pool_give_up(&s->pool, lease->slot);
    } else {
        hy__return how = was == HY__LEASE_READY ? clean_up(lease) : lease->how;
        bool was_ours;
        hy__lease_leave_gate(lease);
        was_ours = hy__pool_give_back(&s->pool, lease->slot, how);
        assert(was_ours);
        (void)was_ours;
    }
    lease->slot = NULL;
    lease->source = NULL;
    hy_source_unref(s);
}

/* ---- public ----------------------------------------------------------------------------- */

static int64_t acquire_deadline(const hy_source *source, int64_t timeout)
{
    return hy__deadline_in(timeout > 0 ? timeout : source->config.pool.acquire_timeout);
}

hy_status hy_lease_start(hy_source *source, int64_t timeout, bool may_block, hy_lease **out, hy_error *err)
{
    hy_lease *lease = hy_alloc(sizeof *lease);

    *out = NULL;
    if (lease == NULL)
        return hy_fail_oom(err);
    hy__lease_init(lease, false);
    hy_status status =
        hy__lease_begin(lease, source, acquire_deadline(source, timeout), may_block, NULL, err);
    if (status != HY_OK) {
        hy__lease_clear(lease);
        hy_free(lease);
        return status;
    }
    *out = lease;
    return HY_OK;
}

hy_task *hy_lease_task(hy_lease *lease)
{
    return &lease->task;
}

void hy_lease_set_holder(hy_lease *lease, const char *where)
{
    hy__waiter_touch(&lease->waiter);
    if (lease->source != NULL)
        hy__pool_set_holder(&lease->source->pool, &lease->waiter, where);
}

void hy_lease_release(hy_lease *lease)
{
    if (lease == NULL || lease->embedded)
        return; /* a transaction's lease ends with the transaction */
    hy__lease_end(lease);
    hy__lease_clear(lease);
    hy_free(lease);
}

hy_connection *hy_lease_connection(hy_lease *lease)
{
    hy__waiter_touch(&lease->waiter);
    return lease->state == HY__LEASE_READY ? hy__lease_connection(lease) : NULL;
}

hy_source *hy_lease_source(hy_lease *lease)
{
    return lease->source;
}

hy_status hy_source_acquire(hy_source *source, int64_t timeout, hy_lease **out, hy_error *err)
{
    hy_status status = hy_lease_start(source, timeout, true, out, err);

    if (status != HY_OK)
        return status;
    status = hy_task_run(&(*out)->task, err);
    if (status != HY_OK) {
        hy_lease_release(*out);
        *out = NULL;
    }
    return status;
}
