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

enum { BORROW_BINDS_ABOVE = 65536 };

static hy_status cursor_step(hy_task *task, hy_wait *wait, hy_error *err);

/* At least `size` bytes; the old content is not kept. */
static bool reserve(hy__block *block, size_t size)
{
    if (size <= block->size)
        return true;
    size_t wanted = size + size / 2;
    void *data = hy_alloc(wanted);
    if (data == NULL)
        return false;
    hy_free(block->data);
    block->data = data;
    block->size = wanted;
    return true;
}

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
static void forget_borrowed(hy_cursor *cursor)
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
    bool cut = hy__stop_wake(&cursor->stop);

    if (cut || (cursor->midway && hy__stop_is_wanted(&cursor->stop)))
        give_up(cursor);
    cursor->midway = false;
}

/* Give everything back. `status` HY_OK, or the failure that `error` may tell about. */
static void end_run(hy_cursor *cursor, hy_status status, const hy_error *error)
{
    hy_lease *lease = cursor->lease;
    hy_transaction *trx = cursor->transaction;

    if (lease == NULL)
        return;
    wake(cursor);
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
            hy__transaction_after(trx, status);
        leave_gate(cursor);
    }
    hy_list_remove(&cursor->run);
    forget_borrowed(cursor);
    cursor->lease = NULL;
    cursor->transaction = NULL;
    if (lease == &cursor->own)
        hy__lease_end(lease);
}

/*
 * A write outside of a transaction commits by itself. When the connection is lost before the
 * answer, nobody here knows whether it did: to call that a failure is to have it done twice.
 */
static hy_status doubt(const hy_cursor *cursor, hy_status status, hy_error *err)
{
    const hy_lease *lease = cursor->lease;
    bool refused = hy_status_class(status) == HY_CLASS_USAGE && status != HY_EOUT_OF_MEMORY;

    if (!cursor->commits || !cursor->executed || refused || lease->state != HY__LEASE_READY)
        return status;
    hy_connection *c = connection_of(cursor);
    if (!cursor->given_up && c->driver->transaction_status(c) != HY_TRANSACTION_UNKNOWN)
        return status; /* the database has answered */
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

void hy__cursor_cut(hy_cursor *cursor)
{
    end_run(cursor, HY_OK, NULL);
    cursor->state = HY__CURSOR_CUT;
}

/* ---- binds and columns ------------------------------------------------------------------ */

static bool has_bytes(const hy_value *v)
{
    return v->type == HY_TEXT || v->type == HY_BLOB || v->type == HY_DECIMAL || v->type == HY_JSON;
}

static size_t bytes_of_binds(const hy_sql *sql)
{
    size_t size = sql->n_binds * sizeof(hy_bind);

    for (size_t i = 0; i < sql->n_binds; i++)
        if (has_bytes(&sql->binds[i].value))
            size += sql->binds[i].value.as.text.size;
    return size;
}

/*
 * The query may change or go once its first row is there, while the database still reads the
 * binds: they are copied. Large ones of a write without rows are borrowed, they are read once.
 */
static hy_status keep_binds(hy_cursor *cursor, bool must_copy, hy_error *err)
{
    hy_sql *sql = &cursor->sql;
    size_t size = bytes_of_binds(sql);

    cursor->borrows_binds = !must_copy && size > BORROW_BINDS_ABOVE && sql->writes && sql->n_columns == 0;
    if (cursor->borrows_binds || sql->n_binds == 0)
        return HY_OK;
    if (!reserve(&cursor->binds, size))
        return hy_fail_oom(err);
    hy_bind *binds = cursor->binds.data;
    char *bytes = (char *)(binds + sql->n_binds);
    memcpy(binds, sql->binds, sql->n_binds * sizeof *binds);
    for (size_t i = 0; i < sql->n_binds; i++) {
        hy_value *v = &binds[i].value;
        if (!has_bytes(v) || v->as.text.size == 0)
            continue;
        memcpy(bytes, v->as.text.data, v->as.text.size);
        v->as.text.data = bytes;
        bytes += v->as.text.size;
    }
    sql->binds = binds;
    return HY_OK;
}

/* What a value of no stated kind is to a driver that must know before it prepares. */
static const hy_kind kind_of_type[HY_TYPE_COUNT] = {
    [HY_BOOL] = HY_KIND_BOOLEAN,        [HY_INT] = HY_KIND_BIGINT, [HY_DOUBLE] = HY_KIND_DOUBLE,
    [HY_BLOB] = HY_KIND_BINARY,         [HY_UUID] = HY_KIND_UUID,  [HY_DECIMAL] = HY_KIND_DECIMAL,
    [HY_DATE] = HY_KIND_DATE,           [HY_TIME] = HY_KIND_TIME,  [HY_JSON] = HY_KIND_JSON,
    [HY_TIMESTAMP] = HY_KIND_TIMESTAMP,
};

static hy_status list_kinds(hy_cursor *cursor, const hy_kind **kinds, size_t *n, hy_error *err)
{
    const hy_sql *sql = &cursor->sql;

    *kinds = NULL;
    *n = 0;
    if ((connection_of(cursor)->driver->flags & HY_DRIVER_TYPED_PARAMS) == 0 || sql->n_binds == 0)
        return HY_OK;
    if (sql->n_rows > 0)
        return HY_OK; /* the text says what the arrays are */
    if (!reserve(&cursor->kinds, sql->n_binds * sizeof **kinds))
        return hy_fail_oom(err);
    hy_kind *list = cursor->kinds.data;
    for (size_t i = 0; i < sql->n_binds; i++)
        list[i] =
            sql->binds[i].kind != HY_KIND_ANY ? sql->binds[i].kind : kind_of_type[sql->binds[i].value.type];
    *kinds = list;
    *n = sql->n_binds;
    return HY_OK;
}

/* Copy a name to `*at`, and move `*at` behind it. */
static const char *keep_name(char **at, const char *name)
{
    size_t size = strlen(name) + 1;
    const char *kept = memcpy(*at, name, size);

    *at += size;
    return kept;
}

/* What the query says of the i-th of n columns; NULL: nothing. */
static const hy_result_column *told_of(const hy_sql *sql, size_t i, size_t n)
{
    if (sql->n_columns > 0)
        return sql->n_columns == n ? &sql->columns[i] : NULL;
    if (n < sql->n_first + sql->n_last)
        return NULL;
    if (i < sql->n_first)
        return &sql->columns[i];
    return n - i <= sql->n_last ? sql->ends - (n - i) : NULL;
}

static const char *name_of(const hy_cursor *cursor, size_t i)
{
    const hy_statement *s = cursor->statement->statement;
    const hy_result_column *told = told_of(&cursor->sql, i, s->n_columns);

    return told != NULL ? told->name : s->column_names[i];
}

static void copy_columns(hy_cursor *cursor, const hy_statement *s, char *names)
{
    hy_result_column *columns = cursor->columns.data;

    for (size_t i = 0; i < s->n_columns; i++) {
        const hy_result_column *told = told_of(&cursor->sql, i, s->n_columns);
        columns[i] = told != NULL ? *told : (hy_result_column){.kind = HY_KIND_ANY};
        columns[i].name = keep_name(&names, name_of(cursor, i));
        if (columns[i].kind != HY_KIND_ANY)
            continue;
        columns[i].kind = s->column_kinds[i];
        cursor->sql.columns_of = 0; /* the statement's, not the model's */
    }
    if (cursor->sql.table != NULL)
        cursor->sql.table = keep_name(&names, cursor->sql.table);
    cursor->sql.columns = columns;
    cursor->sql.n_columns = s->n_columns;
    cursor->known_columns = true;
}

/* They are all there already: the last statement read the same model. */
static bool has_columns(const hy_cursor *cursor, size_t n)
{
    const hy_sql *sql = &cursor->sql;

    return sql->columns_of != 0 && sql->columns_of == cursor->columns_of && sql->n_columns == n &&
           sql->table != NULL && cursor->table != NULL && strcmp(sql->table, cursor->table) == 0;
}

/* The result's columns: as the query told them, or the driver where the query could not. */
static hy_status keep_columns(hy_cursor *cursor, hy_error *err)
{
    const hy_statement *s = cursor->statement->statement;
    size_t n = s->n_columns;

    if (has_columns(cursor, n)) {
        cursor->sql.columns = cursor->columns.data;
        cursor->sql.table = cursor->table;
        cursor->known_columns = true;
        return HY_OK;
    }
    cursor->columns_of = 0;
    size_t size = cursor->sql.table != NULL ? strlen(cursor->sql.table) + 1 : 0;

    for (size_t i = 0; i < n; i++)
        size += strlen(name_of(cursor, i)) + 1;
    if (!reserve(&cursor->columns, n * sizeof(hy_result_column)) || !reserve(&cursor->names, size) ||
        !reserve(&cursor->values, n * sizeof(hy_value)))
        return hy_fail_oom(err);
    copy_columns(cursor, s, cursor->names.data);
    cursor->columns_of = cursor->sql.columns_of;
    cursor->table = cursor->sql.table;
    return HY_OK;
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
        cursor->state = cursor->query != NULL ? HY__CURSOR_COMPILE : HY__CURSOR_PREPARE;
    return status;
}

static hy_status compile(hy_cursor *cursor, const hy_source *source, const hy_query *query, hy_error *err)
{
    const hy_compile_options options = {.features = hy_source_features(source), .limit = cursor->limit};
    hy_status status = hy_compile(cursor->compiler, query, source->dialect, &options, &cursor->sql, err);

    if (status != HY_OK)
        return status;
    cursor->limit = 0; /* it is in the text now */
    return keep_binds(cursor, false, err);
}

static hy_status step_compile(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_status status = compile(cursor, cursor->lease->source, cursor->query, err);

    (void)wait;
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
    hy_status status = list_kinds(cursor, &kinds, &n_kinds, err);

    if (status != HY_OK)
        return status;
    if (cursor->event == 0)
        tell_before(cursor); /* a statement that cannot be prepared is told about too */
    take_over(cursor, c);
    cursor->lease->dirty |= sql->has_raw || sql->kind == HY_STATEMENT_RAW;
    if (cursor->cacheable)
        cursor->statement = hy__statement_cache_find(cache, sql->hash, sql->text, sql->size, kinds, n_kinds);
    bool unnamed = is_unnamed(cursor, cursor->statement != NULL);
    if (cursor->statement != NULL && cursor->statement->statement->unnamed == unnamed)
        return after_prepare(cursor, HY_OK, wait, err);
    drop_statement(cursor, false);
    cursor->statement = hy__cached_new(c->driver, sql->hash, sql->text, sql->size, kinds, n_kinds);
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
    hy_status kept = keep_columns(cursor, err);
    if (kept != HY_OK)
        return kept;
    cursor->state = HY__CURSOR_ROWS;
    cursor->first = status == HY_OK;
    if (status == HY_DONE)
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
    hy_status status = c->driver->execute(c, cursor->statement->statement, cursor->sql.binds,
                                          cursor->sql.n_binds, wait, err);
    return after_execute(cursor, status, wait, err);
}

static hy_status step_executing(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_connection *c = connection_of(cursor);

    take_over(cursor, c);
    return after_execute(cursor, c->driver->advance(c, wait, err), wait, err);
}

typedef hy_status (*run_step)(hy_cursor *cursor, hy_wait *wait, hy_error *err);
static const run_step steps[] = {
    [HY__CURSOR_ACQUIRE] = step_acquire,     [HY__CURSOR_COMPILE] = step_compile,
    [HY__CURSOR_PREPARE] = step_prepare,     [HY__CURSOR_PREPARING] = step_preparing,
    [HY__CURSOR_TICKET] = step_ticket,       [HY__CURSOR_EXECUTE] = step_execute,
    [HY__CURSOR_EXECUTING] = step_executing,
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
        status =
            hy__stop_is_wanted(&cursor->stop) ? fail_canceled(err) : steps[cursor->state](cursor, wait, err);
    if (status == HY_AGAIN)
        status = sleep_on(cursor, wait, err);
    return status == HY_OK || status == HY_AGAIN ? status : fail_run(cursor, status, err);
}

/* ---- starting --------------------------------------------------------------------------- */

static void begin_run(hy_cursor *cursor, const hy_source *source, const hy_run_options *options)
{
    hy_cursor_finish(cursor);
    hy__stop_rearm(&cursor->stop);
    cursor->state = HY__CURSOR_IDLE;
    cursor->transaction = NULL;
    cursor->query = NULL;
    cursor->sql = (hy_sql){0};
    cursor->cacheable = true;
    cursor->waiting = cursor->first = cursor->executed = cursor->prepared_again = false;
    cursor->commits = cursor->midway = cursor->given_up = false;
    cursor->queued = cursor->overdue = cursor->borrows_binds = cursor->known_columns = false;
    cursor->statement = NULL;
    cursor->limit = options->limit > 0 ? options->limit : 0;
    cursor->rows = cursor->affected = cursor->insert_id = 0;
    cursor->event = 0;
    cursor->deadline =
        hy__deadline_in(options->timeout > 0 ? options->timeout : source->config.statement_timeout);
}

static hy_status run_on(hy_cursor *cursor, hy_lease *lease, hy_error *err)
{
    if (lease->state != HY__LEASE_READY)
        return hy_fail(err, HY_ECLOSED, "the lease has no connection");
    if (!hy_list_empty(&lease->runs) && (lease->source->driver->flags & HY_DRIVER_INTERLEAVES) == 0)
        return hy_fail(err, HY_EINVALID_ARGUMENT,
                       "another statement is open on this connection: read it to its end or finish it first");
    hy_list_push_back(&lease->runs, &cursor->run);
    hy__waiter_touch(&lease->waiter);
    cursor->lease = lease;
    return HY_OK;
}

static hy_status run_on_own(hy_cursor *cursor, hy_source *source, const hy_run_options *options,
                            hy_error *err)
{
    int64_t deadline = hy__earlier(cursor->deadline, hy__deadline_in(source->config.pool.acquire_timeout));
    hy_status status =
        hy__lease_begin(&cursor->own, source, deadline, options->may_block, options->holder, err);

    if (status == HY_OK)
        cursor->lease = &cursor->own;
    return status;
}

/* Where it runs: in a transaction, on a lease, or on a connection of its own. */
static hy_status choose_lease(hy_cursor *cursor, hy_source *source, const hy_run_options *options,
                              hy_error *err)
{
    hy_lease *lease = options->lease;
    hy_status status = HY_OK;

    if (options->transaction != NULL) {
        status = hy__transaction_admit(options->transaction, err);
        if (status != HY_OK)
            return status;
        lease = hy_transaction_lease(options->transaction);
    }
    if (lease == NULL)
        return run_on_own(cursor, source, options, err);
    if (lease->source != source && lease->state == HY__LEASE_READY)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the transaction or lease belongs to another data source");
    status = run_on(cursor, lease, err);
    if (status != HY_OK)
        return status;
    cursor->transaction = options->transaction;
    lease->may_block = options->may_block;
    return HY_OK;
}

static hy_status start(hy_cursor *cursor, hy_source *source, const hy_run_options *options, hy_error *err)
{
    hy_status status = choose_lease(cursor, source, options, err);

    if (status == HY_OK)
        cursor->state = HY__CURSOR_ACQUIRE;
    else
        forget_borrowed(cursor);
    return status;
}

static hy_status have_compiler(hy_cursor *cursor, hy_error *err)
{
    if (cursor->compiler == NULL)
        cursor->compiler = hy_compiler_new();
    return cursor->compiler != NULL ? HY_OK : hy_fail_oom(err);
}

static const hy_run_options default_options = {.transaction = NULL};

hy_status hy_cursor_start(hy_cursor *cursor, hy_source *source, const hy_query *query,
                          const hy_run_options *options, hy_error *err)
{
    const hy_run_options *with = options != NULL ? options : &default_options;

    begin_run(cursor, source, with);
    hy_status status = have_compiler(cursor, err);
    if (status != HY_OK)
        return status;
    /* Before the first connection nobody knows what the server can: compile after it then. */
    if (atomic_load_explicit(&source->features, memory_order_relaxed) == 0)
        cursor->query = query;
    else
        status = compile(cursor, source, query, err);
    if (status == HY_OK)
        return start(cursor, source, with, err);
    cursor->sql = (hy_sql){0};
    return status;
}

hy_status hy_cursor_start_raw(hy_cursor *cursor, hy_source *source, const char *text, size_t size,
                              const hy_bind *binds, const char *const *names, size_t n_binds,
                              const hy_run_options *options, hy_error *err)
{
    const hy_run_options *with = options != NULL ? options : &default_options;

    begin_run(cursor, source, with);
    hy_status status = have_compiler(cursor, err);
    if (status == HY_OK)
        status = hy_compile_raw(cursor->compiler, text, size, binds, names, n_binds, source->dialect,
                                &cursor->sql, err);
    if (status == HY_OK)
        status = keep_binds(cursor, true, err);
    if (status == HY_OK)
        return start(cursor, source, with, err);
    cursor->sql = (hy_sql){0};
    return status;
}

hy_status hy__cursor_start_text(hy_cursor *cursor, hy_lease *lease, const char *text, bool cacheable,
                                int64_t deadline, hy_error *err)
{
    begin_run(cursor, lease->source, &default_options);
    cursor->deadline = deadline;
    cursor->cacheable = cacheable;
    cursor->sql.text = text;
    cursor->sql.size = strlen(text);
    cursor->sql.hash = cacheable ? hy_hash(0, text, cursor->sql.size) : 0;
    cursor->sql.kind = HY_STATEMENT_COUNT; /* the engine's own: no data, nothing raw */
    hy_status status = run_on(cursor, lease, err);
    if (status == HY_OK)
        cursor->state = HY__CURSOR_PREPARE;
    return status;
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

hy_status hy_cursor_next(hy_cursor *cursor, const hy_value **row, hy_wait *wait, hy_error *err)
{
    *row = NULL;
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
    hy_status status =
        hy__stop_is_wanted(&cursor->stop) ? fail_canceled(err) : step_row(cursor, c, wait, err);
    if (status == HY_OK)
        status = c->driver->row(c, cursor->statement->statement, cursor->values.data, err);
    else if (status == HY_AGAIN)
        status = still_waiting(cursor, wait, err);
    if (status == HY_AGAIN)
        status = sleep_on(cursor, wait, err);
    if (status == HY_OK) {
        cursor->rows++;
        *row = cursor->values.data;
        return HY_OK;
    }
    if (status == HY_DONE)
        return finish_run(cursor);
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

/* ---- blocking forms --------------------------------------------------------------------- */

static hy_run_options blocking(const hy_run_options *options)
{
    hy_run_options with = options != NULL ? *options : default_options;

    with.may_block = true;
    return with;
}

hy_status hy_cursor_query(hy_cursor *cursor, hy_source *source, const hy_query *query,
                          const hy_run_options *options, hy_error *err)
{
    const hy_run_options with = blocking(options);
    hy_status status = hy_cursor_start(cursor, source, query, &with, err);

    return status == HY_OK ? hy_task_run(&cursor->task, err) : status;
}

hy_status hy_cursor_fetch(hy_cursor *cursor, const hy_value **row, hy_error *err)
{
    for (;;) {
        hy_wait wait = {.fd = -1, .events = 0, .deadline = HY_NO_DEADLINE};
        hy_status status = hy_cursor_next(cursor, row, &wait, err);
        if (status != HY_AGAIN)
            return status;
        (void)hy_wait_block(&wait);
    }
}

/* Run what was started to its end, and free the cursor. */
static hy_status drain(hy_cursor *cursor, hy_status status, int64_t *affected, hy_error *err)
{
    const hy_value *row;

    if (status == HY_OK)
        status = hy_task_run(&cursor->task, err);
    while (status == HY_OK)
        status = hy_cursor_fetch(cursor, &row, err);
    if (status == HY_DONE && affected != NULL)
        *affected = cursor->affected;
    hy_cursor_free(cursor);
    return status == HY_DONE ? HY_OK : status;
}

hy_status hy_source_execute(hy_source *source, const hy_query *query, const hy_run_options *options,
                            int64_t *affected, hy_error *err)
{
    const hy_run_options with = blocking(options);
    hy_cursor *cursor = hy_cursor_new();

    if (affected != NULL)
        *affected = 0;
    if (cursor == NULL)
        return hy_fail_oom(err);
    return drain(cursor, hy_cursor_start(cursor, source, query, &with, err), affected, err);
}

hy_status hy_source_execute_raw(hy_source *source, const char *text, const hy_bind *binds, size_t n_binds,
                                const hy_run_options *options, int64_t *affected, hy_error *err)
{
    const hy_run_options with = blocking(options);
    hy_cursor *cursor = hy_cursor_new();

    if (affected != NULL)
        *affected = 0;
    if (cursor == NULL)
        return hy_fail_oom(err);
    hy_status status =
        hy_cursor_start_raw(cursor, source, text, strlen(text), binds, NULL, n_binds, &with, err);
    return drain(cursor, status, affected, err);
}
