/*
 * cursor.c - one statement from its query to its last row, as a task.
 *
 * connection -> text -> prepared statement -> write ticket -> first row -> rows -> back.
 * The order connection before ticket is the same everywhere, so nobody waits in a circle.
 * Working memory stays with the cursor: a statement that was seen before runs without the
 * heap. Nothing here knows SQL; transactions run their own text through the same steps.
 */
#include <assert.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "source_impl.h"

static hy_status cursor_step(hy_task *task, hy_wait *wait, hy_error *err);

/* ---- life ------------------------------------------------------------------------------- */

void hy__cursor_init(hy_cursor *cursor)
{
    *cursor = (hy_cursor){.task = {cursor_step}, .state = HY__CURSOR_IDLE};
    hy__stop_init(&cursor->stop);
    hy__lease_init(&cursor->own, true);
    hy_list_init(&cursor->run);
}

void hy__cursor_clear(hy_cursor *cursor)
{
    hy__block *const blocks[] = {&cursor->kinds, &cursor->binds, &cursor->columns, &cursor->names,
                                 &cursor->values};

    hy_cursor_finish(cursor);
    hy__lease_clear(&cursor->own);
    hy__stop_clear(&cursor->stop);
    hy_cursor_free(cursor->stream.control);
    hy__shape_release(cursor->shape);
    hy_compiler_free(cursor->compiler);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        hy_free(blocks[i]->data);
}

hy_cursor *hy_cursor_new(void)
{
    hy_cursor *cursor = hy_alloc(sizeof *cursor);

    if (cursor != NULL)
        hy__cursor_init(cursor);
    return cursor;
}

void hy_cursor_free(hy_cursor *cursor)
{
    if (cursor == NULL)
        return;
    hy__cursor_clear(cursor);
    hy_free(cursor);
}

/* ---- observers -------------------------------------------------------------------------- */

static void tell_before(hy_cursor *cursor)
{
    hy_source *s = cursor->lease->source;

    if (s->observer == NULL)
        return;
    cursor->event = atomic_fetch_add_explicit(&s->last_event, 1, memory_order_relaxed) + 1;
    cursor->started = hy_monotonic_ns();
    const hy_event event = {.id = cursor->event, .before = true, .sql = &cursor->sql};
    s->observer(s->observer_ctx, &event);
}

static void tell_after(hy_cursor *cursor, const hy_error *error)
{
    hy_source *s = cursor->lease->source;

    if (cursor->event == 0 || s->observer == NULL)
        return;
    const hy_event event = {
        .id = cursor->event,
        .sql = &cursor->sql,
        .duration_ns = hy_monotonic_ns() - cursor->started,
        .rows = cursor->rows > 0 ? cursor->rows : cursor->affected,
        .error = error,
    };
    cursor->event = 0;
    s->observer(s->observer_ctx, &event);
}

/* ---- the end of a run ------------------------------------------------------------------- */

static hy_connection *connection_of(const hy_cursor *cursor)
{
    return hy__lease_connection(cursor->lease);
}

static void read_counts(hy_cursor *cursor)
{
    hy_connection *c = connection_of(cursor);
    bool inserts = cursor->sql.kind == HY_STATEMENT_INSERT || cursor->sql.kind == HY_STATEMENT_RAW;

    if (cursor->statement->statement->read_only || cursor->sql.kind == HY_STATEMENT_SELECT)
        return;
    cursor->affected = c->driver->affected(c);
    cursor->insert_id = inserts ? c->driver->insert_id(c) : 0;
}

static void drop_statement(hy_cursor *cursor, bool keep)
{
    hy_connection *c = connection_of(cursor);

    if (cursor->statement == NULL)
        return;
    if (cursor->executed)
        c->driver->finish(c, cursor->statement->statement);
    cursor->executed = false;
    hy__statement_cache_put(&cursor->lease->slot->cache, cursor->statement, keep && cursor->cacheable, c);
    cursor->statement = NULL;
}

/* What belongs to the query may be gone from here on. */
void hy__cursor_forget(hy_cursor *cursor)
{
    if (cursor->borrows_binds) {
        cursor->sql.binds = NULL;
        cursor->sql.n_binds = 0;
    }
    if (!cursor->known_columns) {
        cursor->sql.columns = NULL;
        cursor->sql.n_columns = cursor->sql.n_first = cursor->sql.n_last = 0;
        cursor->sql.table = NULL;
    }
    cursor->query = NULL;
}

static void leave_gate(hy_cursor *cursor)
{
    hy_lease *lease = cursor->lease;

    if (cursor->queued)
        hy__gate_leave(&lease->source->writer, &lease->waiter);
    cursor->queued = false;
    if (!lease->has_ticket)
        return;
    /* The ticket stays with the lease while a transaction is open, however it was begun. */
    hy_connection *c = connection_of(cursor);
    hy_transaction_status now = c->driver->transaction_status(c);
    if (now == HY_TRANSACTION_IDLE || now == HY_TRANSACTION_UNKNOWN)
        hy__lease_leave_gate(lease);
}

static bool is_midway(const hy_cursor *cursor)
{
    return cursor->state == HY__CURSOR_PREPARING || cursor->state == HY__CURSOR_EXECUTING || cursor->waiting;
}

/* Left while the driver was in the middle of something: nobody can use the connection. */
static void note_abandoned(hy_cursor *cursor)
{
    bool interleaves = (connection_of(cursor)->driver->flags & HY_DRIVER_INTERLEAVES) != 0;

    if (is_midway(cursor) && !interleaves && cursor->lease->how == HY__RETURN_CLEAN)
        cursor->lease->how = HY__RETURN_DISCARD;
}

/* A server is in the middle of something: nobody can use the connection, or tell what came of it. */
static void give_up(hy_cursor *cursor)
{
    cursor->given_up = true;
    cursor->lease->how = HY__RETURN_DISCARD;
}

/* Somebody waited, and may have been woken by a cancel. */
static void wake(hy_cursor *cursor)
{
    if (hy__stop_wake(&cursor->stop))
        give_up(cursor);
}

/* Cancelled? It may come at any moment: what was waited for last has not come then, unless the driver was
 * asked. */
static bool is_canceled(hy_cursor *cursor)
{
    bool canceled = hy__stop_is_wanted(&cursor->stop);

    if (canceled && cursor->midway)
        give_up(cursor);
    cursor->midway = false;
    return canceled;
}

/* Give everything back. `status` HY_OK, or the failure that `error` may tell about. */
static void end_run(hy_cursor *cursor, hy_status status, const hy_error *error)
{
    hy_lease *lease = cursor->lease;
    hy_transaction *trx = cursor->transaction;

    if (lease == NULL)
        return;
    wake(cursor);
    (void)is_canceled(cursor);
    hy__stream_drop(cursor);
    if (lease->state == HY__LEASE_READY) {
        if (status != HY_OK)
            (void)hy__lease_after_error(lease, status);
        else
            note_abandoned(cursor);
        /* What could not be prepared must be tried again next time, not found. */
        drop_statement(cursor, lease->how == HY__RETURN_CLEAN && cursor->state != HY__CURSOR_PREPARING);
        connection_of(cursor)->stop = NULL;
        tell_after(cursor, error);
        if (trx != NULL)
            hy__transaction_after(trx, &cursor->sql, status);
        leave_gate(cursor);
    }
    hy_list_remove(&cursor->run);
    hy__cursor_forget(cursor);
    cursor->lease = NULL;
    cursor->transaction = NULL;
    if (lease == &cursor->own)
        hy__lease_end(lease);
}

/*
 * A write outside of a transaction commits by itself. When the connection is lost before the
 * answer, nobody here knows whether it did: to call that a failure is to have it done twice. So is
 * to call a row that it gives back and that cannot be read one.
 */
static hy_status doubt(const hy_cursor *cursor, hy_status status, hy_error *err)
{
    const hy_lease *lease = cursor->lease;
    bool refused = hy_status_class(status) == HY_CLASS_USAGE && status != HY_EOUT_OF_MEMORY;

    if (!cursor->commits || !cursor->executed || refused || lease->state != HY__LEASE_READY)
        return status;
    hy_connection *c = connection_of(cursor);
    if (!cursor->given_up && !cursor->unread && c->driver->transaction_status(c) != HY_TRANSACTION_UNKNOWN)
        return status; /* the database has answered: no */
    const hy_error cause = err != NULL ? *err : (hy_error){.status = status};
    status =
        hy_fail(err, HY_EOUTCOME_UNKNOWN,
                "%.300s; it may have been stored: look at the data before doing it again", cause.message);
    if (err != NULL) {
        err->native_code = cause.native_code;
        memcpy(err->sqlstate, cause.sqlstate, sizeof err->sqlstate);
    }
    return status;
}

static hy_status fail_run(hy_cursor *cursor, hy_status status, hy_error *err)
{
    hy_status told = doubt(cursor, status, err);
    hy_error unnamed;

    if (err == NULL && cursor->event != 0)
        (void)hy_fail(&unnamed, told, "%s", hy_status_text(told));
    end_run(cursor, status, err != NULL ? err : &unnamed);
    cursor->state = HY__CURSOR_IDLE;
    return told;
}

static hy_status finish_run(hy_cursor *cursor)
{
    read_counts(cursor);
    end_run(cursor, HY_OK, NULL);
    cursor->state = HY__CURSOR_DONE;
    return HY_DONE;
}

/* Whoever begins a transaction with text of their own believes that it goes on. */
static hy_status check_left_open(const hy_cursor *cursor, hy_error *err)
{
    hy_connection *c = connection_of(cursor);

    if (cursor->sql.kind != HY_STATEMENT_RAW || cursor->lease != &cursor->own)
        return HY_OK;
    hy_transaction_status now = c->driver->transaction_status(c);
    if (now != HY_TRANSACTION_ACTIVE && now != HY_TRANSACTION_FAILED)
        return HY_OK;
    return hy_fail(err, HY_EINVALID_ARGUMENT,
                   "the transaction that this leaves open ended with its call, rolled back: each call has a "
                   "connection of its own, unless it is part of a transaction() or startTransaction()");
}

void hy_cursor_finish(hy_cursor *cursor)
{
    if (cursor == NULL || cursor->lease == NULL)
        return;
    if (cursor->state == HY__CURSOR_ROWS) {
        /* Some databases count what was changed only when the statement ends. */
        connection_of(cursor)->driver->finish(connection_of(cursor), cursor->statement->statement);
        cursor->executed = false;
        (void)finish_run(cursor);
    } else {
        end_run(cursor, HY_OK, NULL);
    }
    cursor->state = HY__CURSOR_DONE;
}

bool hy_cursor_leave(hy_cursor *cursor)
{
    if (cursor->state != HY__CURSOR_ROWS || !cursor->stream.fetching || cursor->stream.block)
        return false;
    hy_connection *c = connection_of(cursor);
    if (c->driver->transaction_status(c) != HY_TRANSACTION_ACTIVE)
        return false;
    c->driver->finish(c, cursor->statement->statement);
    cursor->executed = false;
    cursor->state = HY__CURSOR_CLOSING;
    return true;
}

void hy__cursor_cut(hy_cursor *cursor)
{
    end_run(cursor, HY_OK, NULL);
    cursor->state = HY__CURSOR_CUT;
}

/* ---- out of time, cancelled ------------------------------------------------------------- */

/* The driver is about to work for this cursor. */
static void take_over(hy_cursor *cursor, hy_connection *c)
{
    c->deadline = cursor->deadline;
    c->stop = &cursor->stop;
}

static hy_status fail_canceled(hy_error *err)
{
    return hy_fail(err, HY_EQUERY_CANCELED, "the statement was cancelled");
}

/* Somebody is about to wait: from here on a cancel ends that too. */
static hy_status sleep_on(hy_cursor *cursor, const hy_wait *wait, hy_error *err)
{
    cursor->midway = wait->fd >= 0 && is_midway(cursor);
    if (hy__stop_sleep(&cursor->stop, wait))
        return HY_AGAIN;
    wake(cursor);
    (void)is_canceled(cursor);
    return fail_canceled(err);
}

/*
 * The driver is still at it: allowed to be, or out of time? One that watches the deadline
 * itself leaves the connection in better shape, so it gets one more call after it.
 */
static hy_status still_waiting(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    bool was_overdue = cursor->overdue;

    cursor->overdue = cursor->deadline != HY_NO_DEADLINE && hy_monotonic_ns() >= cursor->deadline;
    if (!cursor->overdue || !was_overdue) {
        wait->deadline = hy__earlier(wait->deadline, cursor->deadline);
        return HY_AGAIN;
    }
    give_up(cursor);
    return hy_fail(err, HY_EQUERY_TIMEOUT, "the statement was given up: its time was up");
}

/* ---- steps ------------------------------------------------------------------------------ */

static hy_status step_acquire(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__lease_step(cursor->lease, wait, err);

    if (status == HY_OK)
        cursor->state = cursor->query != NULL ? HY__CURSOR_COMPILE : HY__CURSOR_OPENING;
    return status;
}

static hy_status step_compile(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__cursor_compile(cursor, cursor->lease->source, cursor->query, err);

    (void)wait;
    if (status == HY_OK)
        cursor->state = HY__CURSOR_OPENING;
    return status;
}

static hy_status step_opening(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_status status = cursor->stream.declared ? hy__stream_open(cursor, wait, err) : HY_OK;

    if (status == HY_OK)
        cursor->state = HY__CURSOR_PREPARE;
    return status;
}

/* A pooler lends the server's session to others meanwhile: from now on nothing is left there. */
static void note_forgotten(const hy_cursor *cursor)
{
    int automatic = HY_PREPARE_AUTO;

    if (cursor->statement->statement->forgotten)
        (void)atomic_compare_exchange_strong(&cursor->lease->source->prepare, &automatic, HY_PREPARE_UNNAMED);
}

static hy_status after_prepare(hy_cursor *cursor, hy_status status, hy_wait *wait, hy_error *err)
{
    if (status == HY_AGAIN)
        return still_waiting(cursor, wait, err);
    if (status == HY_OK)
        cursor->state = HY__CURSOR_TICKET;
    else
        note_forgotten(cursor);
    return status;
}

/* `seen`: this connection has run the text before. */
static bool is_unnamed(const hy_cursor *cursor, bool seen)
{
    hy_prepare prepare = hy_source_prepare(cursor->lease->source);
    bool names = (connection_of(cursor)->driver->flags & HY_DRIVER_NAMES_STATEMENTS) != 0;

    return names && (prepare == HY_PREPARE_AUTO ? !seen : prepare != HY_PREPARE_NAMED);
}

static hy_status step_prepare(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_connection *c = connection_of(cursor);
    hy__statement_cache *cache = &cursor->lease->slot->cache;
    const hy_sql *sql = &cursor->sql;
    const hy_kind *kinds;
    size_t n_kinds;
    hy_status status = hy__cursor_list_kinds(cursor, &kinds, &n_kinds, err);

    if (status != HY_OK)
        return status;
    if (cursor->event == 0)
        tell_before(cursor); /* a statement that cannot be prepared is told about too */
    take_over(cursor, c);
    cursor->lease->dirty |= sql->has_raw || sql->calls || sql->kind == HY_STATEMENT_RAW;
    if (cursor->cacheable)
        cursor->statement = hy__statement_cache_find(cache, sql->hash, sql->text, sql->size, kinds, n_kinds);
    bool unnamed = is_unnamed(cursor, cursor->statement != NULL);
    if (cursor->statement != NULL && cursor->statement->statement->unnamed == unnamed)
        return after_prepare(cursor, HY_OK, wait, err);
    drop_statement(cursor, false);
    const char *fetch = cursor->stream.fetch;
    cursor->statement = cursor->stream.fetching
                            ? hy__cached_new(c->driver, 0, fetch, strlen(fetch), NULL, 0)
                            : hy__cached_new(c->driver, sql->hash, sql->text, sql->size, kinds, n_kinds);
    if (cursor->statement == NULL)
        return hy_fail_oom(err);
    cursor->state = HY__CURSOR_PREPARING;
    hy__cached *s = cursor->statement;
    s->statement->unnamed = unnamed;
    status = c->driver->prepare(c, s->statement, s->text, s->size, s->kinds, s->n_kinds, wait, err);
    return after_prepare(cursor, status, wait, err);
}

static hy_status step_preparing(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_connection *c = connection_of(cursor);

    take_over(cursor, c);
    return after_prepare(cursor, c->driver->advance(c, wait, err), wait, err);
}

static hy_status got_ticket(hy_cursor *cursor)
{
    cursor->queued = false;
    cursor->lease->has_ticket = true;
    cursor->state = HY__CURSOR_EXECUTE;
    return HY_OK;
}

static hy_status wait_for_ticket(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_lease *lease = cursor->lease;

    if (hy__gate_has(&lease->source->writer, &lease->waiter))
        return got_ticket(cursor);
    if (hy_monotonic_ns() >= cursor->ticket_deadline)
        return hy_fail(err, HY_ELOCK_TIMEOUT,
                       "another transaction of this program did not stop writing in time");
    hy__waiter_fill(&lease->waiter, cursor->ticket_deadline, wait);
    return HY_AGAIN;
}

static hy_status ask_for_ticket(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_lease *lease = cursor->lease;
    hy_status status = hy__gate_enter(&lease->source->writer, &lease->waiter, lease->may_block, err);

    if (status == HY_OK)
        return got_ticket(cursor);
    if (status != HY_AGAIN)
        return status;
    cursor->queued = true;
    cursor->ticket_deadline =
        hy__earlier(cursor->deadline, hy__deadline_in(lease->source->config.pool.acquire_timeout));
    return wait_for_ticket(cursor, wait, err);
}

/* Where only one may write, a statement that writes waits for its turn. */
static hy_status step_ticket(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_lease *lease = cursor->lease;
    bool single_writer = (connection_of(cursor)->driver->flags & HY_DRIVER_SINGLE_WRITER) != 0;

    if (cursor->queued)
        return wait_for_ticket(cursor, wait, err);
    if (single_writer && !cursor->statement->statement->read_only) {
        if (cursor->transaction != NULL && hy__transaction_is_read_only(cursor->transaction))
            return hy_fail(err, HY_EREAD_ONLY, "the transaction was begun read-only");
        if (!lease->has_ticket)
            return ask_for_ticket(cursor, wait, err);
    }
    cursor->state = HY__CURSOR_EXECUTE;
    return HY_OK;
}

/* The plan is out of date and nothing ran: once more from the text. */
static bool may_prepare_again(hy_cursor *cursor)
{
    if (!cursor->statement->statement->stale || cursor->prepared_again)
        return false;
    cursor->prepared_again = true;
    drop_statement(cursor, false);
    cursor->state = HY__CURSOR_PREPARE;
    return true;
}

static hy_status after_execute(hy_cursor *cursor, hy_status status, hy_wait *wait, hy_error *err)
{
    if (status == HY_AGAIN)
        return still_waiting(cursor, wait, err);
    if (status != HY_OK && status != HY_DONE) {
        note_forgotten(cursor);
        return may_prepare_again(cursor) ? HY_OK : status;
    }
    if (cursor->stream.declared && !cursor->stream.fetching) {
        drop_statement(cursor, false);
        hy__stream_declared(cursor);
        return HY_OK;
    }
    hy_status kept = hy__cursor_keep_columns(cursor, err);
    cursor->unread = kept != HY_OK;
    if (kept == HY_OK && status == HY_DONE)
        kept = check_left_open(cursor, err);
    if (kept != HY_OK)
        return kept;
    cursor->state = status == HY_DONE && cursor->stream.declared ? HY__CURSOR_CLOSING : HY__CURSOR_ROWS;
    cursor->first = status == HY_OK;
    cursor->stream.left = cursor->stream.batch;
    if (status == HY_DONE && !cursor->stream.declared)
        (void)finish_run(cursor);
    return HY_OK;
}

static hy_status step_execute(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_connection *c = connection_of(cursor);

    if (cursor->event == 0)
        tell_before(cursor);
    take_over(cursor, c);
    cursor->state = HY__CURSOR_EXECUTING;
    cursor->executed = true;
    cursor->commits = cursor->sql.writes && cursor->sql.kind != HY_STATEMENT_SELECT &&
                      c->driver->transaction_status(c) == HY_TRANSACTION_IDLE;
    const hy__stream *stream = &cursor->stream;
    const hy_sql *sql = &cursor->sql;
    hy_statement *s = cursor->statement->statement;
    s->fetch_size = stream->number > 0 && !stream->declared ? (size_t)stream->batch : 0;
    hy_status status = stream->fetching ? c->driver->execute(c, s, NULL, 0, wait, err)
                                        : c->driver->execute(c, s, sql->binds, sql->n_binds, wait, err);
    return after_execute(cursor, status, wait, err);
}

static hy_status step_executing(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_connection *c = connection_of(cursor);

    take_over(cursor, c);
    return after_execute(cursor, c->driver->advance(c, wait, err), wait, err);
}

static hy_status step_closing(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__stream_close(cursor, wait, err);

    if (status == HY_OK)
        (void)finish_run(cursor);
    return status;
}

typedef hy_status (*run_step)(hy_cursor *cursor, hy_wait *wait, hy_error *err);
static const run_step steps[] = {
    [HY__CURSOR_ACQUIRE] = step_acquire,     [HY__CURSOR_COMPILE] = step_compile,
    [HY__CURSOR_PREPARE] = step_prepare,     [HY__CURSOR_PREPARING] = step_preparing,
    [HY__CURSOR_TICKET] = step_ticket,       [HY__CURSOR_EXECUTE] = step_execute,
    [HY__CURSOR_EXECUTING] = step_executing, [HY__CURSOR_CLOSING] = step_closing,
    [HY__CURSOR_OPENING] = step_opening,
};

static hy_status refuse_idle(const hy_cursor *cursor, hy_error *err)
{
    if (cursor->state == HY__CURSOR_CUT)
        return hy_fail(err, HY_ECLOSED, "the connection or transaction of this statement has ended");
    return hy_fail(err, HY_ECLOSED, "no statement is running");
}

static hy_status cursor_step(hy_task *task, hy_wait *wait, hy_error *err)
{
    hy_cursor *cursor = hy_container(task, hy_cursor, task);
    hy_status status = HY_OK;

    if (cursor->state == HY__CURSOR_ROWS || cursor->state == HY__CURSOR_DONE)
        return HY_OK;
    if (cursor->lease == NULL)
        return refuse_idle(cursor, err);
    wake(cursor);
    while (status == HY_OK && cursor->state < HY__CURSOR_ROWS)
        status = is_canceled(cursor) ? fail_canceled(err) : steps[cursor->state](cursor, wait, err);
    if (status == HY_AGAIN)
        status = sleep_on(cursor, wait, err);
    return status == HY_OK || status == HY_AGAIN ? status : fail_run(cursor, status, err);
}

/* ---- rows and results ------------------------------------------------------------------- */

/* HY_OK: the driver stands on a row. */
static hy_status step_row(hy_cursor *cursor, hy_connection *c, hy_wait *wait, hy_error *err)
{
    if (cursor->first) {
        cursor->first = false;
        return HY_OK;
    }
    take_over(cursor, c);
    hy_status status = cursor->waiting ? c->driver->advance(c, wait, err)
                                       : c->driver->next(c, cursor->statement->statement, wait, err);
    cursor->waiting = status == HY_AGAIN;
    return status;
}

/* A batch has been read: the next one has its own time, and what is declared is fetched from again. */
static void begin_batch(hy_cursor *cursor)
{
    hy_connection *c = connection_of(cursor);

    cursor->deadline = hy__deadline_in(cursor->timeout);
    cursor->stream.left = cursor->stream.batch;
    cursor->prepared_again = false;
    if (!cursor->stream.declared)
        return;
    c->driver->finish(c, cursor->statement->statement);
    cursor->executed = false;
    cursor->state = HY__CURSOR_EXECUTE;
}

/* Where a stream goes on before it has a row. */
static hy_status go_on(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    bool streams = cursor->stream.batch > 0 && cursor->lease != NULL;

    if (streams && cursor->state == HY__CURSOR_ROWS && cursor->stream.left == 0 && !cursor->waiting)
        begin_batch(cursor);
    if (streams && cursor->known_columns && cursor->state < HY__CURSOR_ROWS)
        return cursor_step(&cursor->task, wait, err);
    return HY_OK;
}

/* No more rows. */
static hy_status end_rows(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_status status = check_left_open(cursor, err);

    if (status != HY_OK)
        return fail_run(cursor, status, err);
    if (!cursor->stream.declared)
        return finish_run(cursor);
    cursor->state = HY__CURSOR_CLOSING;
    status = cursor_step(&cursor->task, wait, err);
    return status == HY_OK ? HY_DONE : status;
}

hy_status hy_cursor_next(hy_cursor *cursor, const hy_value **row, hy_wait *wait, hy_error *err)
{
    *row = NULL;
    hy_status status = go_on(cursor, wait, err);
    if (status != HY_OK)
        return status;
    if (cursor->state != HY__CURSOR_ROWS) {
        if (cursor->state == HY__CURSOR_DONE)
            return HY_DONE;
        if (cursor->lease != NULL)
            return hy_fail(err, HY_EINVALID_ARGUMENT,
                           "the statement has not begun to give rows: advance its task");
        return refuse_idle(cursor, err);
    }
    if (cursor->limit > 0 && cursor->rows >= cursor->limit)
        return finish_run(cursor);

    hy_connection *c = connection_of(cursor);
    wake(cursor);
    status = is_canceled(cursor) ? fail_canceled(err) : step_row(cursor, c, wait, err);
    if (status == HY_OK) {
        status = c->driver->row(c, cursor->statement->statement, cursor->values.data, err);
        cursor->unread = status != HY_OK;
    } else if (status == HY_AGAIN) {
        status = still_waiting(cursor, wait, err);
    }
    if (status == HY_AGAIN)
        status = sleep_on(cursor, wait, err);
    if (status == HY_OK) {
        cursor->rows++;
        cursor->stream.left--;
        *row = cursor->values.data;
        return HY_OK;
    }
    if (status == HY_DONE)
        return end_rows(cursor, wait, err);
    return status == HY_AGAIN ? status : fail_run(cursor, status, err);
}

void hy_cursor_cancel(hy_cursor *cursor)
{
    hy__stop_pull(&cursor->stop);
}

hy_task *hy_cursor_task(hy_cursor *cursor)
{
    return &cursor->task;
}

size_t hy_cursor_n_columns(const hy_cursor *cursor)
{
    return cursor->known_columns ? cursor->sql.n_columns : 0;
}

const hy_result_column *hy_cursor_columns(const hy_cursor *cursor)
{
    return cursor->known_columns ? cursor->sql.columns : NULL;
}

const hy_sql *hy_cursor_sql(const hy_cursor *cursor)
{
    return &cursor->sql;
}

int64_t hy_cursor_affected(const hy_cursor *cursor)
{
    return cursor->affected;
}

int64_t hy_cursor_insert_id(const hy_cursor *cursor)
{
    return cursor->insert_id;
}
