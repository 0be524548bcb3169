/*
 * cursor_start.c - a statement begins: its text, its binds, and the connection it runs on.
 *
 * From a query, from what was compiled before, or from raw text; on a lease or transaction that is
 * given, else on a connection of its own. Nothing here waits: the steps are in cursor.c.
 */
#include <string.h>

#include <base/text.h>

#include "source_impl.h"

hy_status hy__cursor_compile(hy_cursor *cursor, const hy_source *source, const hy_query *query, hy_error *err)
{
    const hy_compile_options options = {.features = hy_source_features(source),
                                        .limit = cursor->limit,
                                        .stream = cursor->stream.number,
                                        .explain = cursor->explain};
    hy_status status = hy__compile_by_shape(source->shapes, cursor->compiler, query, source->dialect,
                                            &options, &cursor->sql, &cursor->shape, err);

    if (status == HY_OK && cursor->sql.params != NULL)
        status = hy_fail(err, HY_EINVALID_ARGUMENT, "the query has parameters: prepare it, and run that");
    if (status == HY_OK)
        status = hy__stream_check(cursor, err);
    if (status != HY_OK)
        return status;
    cursor->limit = 0; /* it is in the text now */
    return hy__cursor_keep_binds(cursor, false, err);
}

static void begin_run(hy_cursor *cursor, hy_source *source, const hy_run_options *options)
{
    hy_cursor_finish(cursor);
    hy__stop_rearm(&cursor->stop);
    cursor->state = HY__CURSOR_IDLE;
    cursor->transaction = NULL;
    cursor->query = NULL;
    cursor->sql = (hy_sql){0};
    hy__shape_release(cursor->shape);
    cursor->shape = NULL;
    cursor->cacheable = true;
    cursor->waiting = cursor->first = cursor->executed = cursor->prepared_again = false;
    cursor->commits = cursor->midway = cursor->given_up = cursor->unread = false;
    cursor->queued = cursor->overdue = cursor->borrows_binds = cursor->known_columns = false;
    cursor->statement = NULL;
    cursor->limit = options->limit > 0 ? options->limit : 0;
    cursor->rows = cursor->affected = cursor->insert_id = 0;
    cursor->explain = options->explain;
    cursor->event = 0;
    cursor->timeout = options->timeout > 0 ? options->timeout : source->config.statement_timeout;
    cursor->deadline = hy__deadline_in(cursor->timeout);
    hy__stream_begin(cursor, source, options);
}

/* Would another statement get between one that is open and its rows? */
static bool is_occupied(const hy_lease *lease)
{
    if ((lease->source->driver->flags & HY_DRIVER_INTERLEAVES) != 0)
        return false;
    for (const hy_link *link = lease->runs.next; link != &lease->runs; link = link->next)
        if (!hy__stream_is_aside(hy_container(link, hy_cursor, run)))
            return true;
    return false;
}

static hy_status run_on(hy_cursor *cursor, hy_lease *lease, hy_error *err)
{
    if (lease->state != HY__LEASE_READY)
        return hy_fail(err, HY_ECLOSED, "the lease has no connection");
    if (is_occupied(lease))
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
        hy__cursor_forget(cursor);
    return status;
}

static hy_status have_compiler(hy_cursor *cursor, hy_error *err)
{
    if (cursor->compiler == NULL)
        cursor->compiler = hy_compiler_new();
    return cursor->compiler != NULL ? HY_OK : hy_fail_oom(err);
}

static const hy_run_options default_options = {.transaction = NULL};

static hy_status check_lock(bool locks, const hy_run_options *with, hy_error *err)
{
    if (!locks || with->transaction != NULL || with->lease != NULL)
        return HY_OK;
    return hy_fail(err, HY_ETRANSACTION_NOT_ACTIVE,
                   "a row lock outlives its statement in a transaction only");
}

hy_status hy_cursor_start(hy_cursor *cursor, hy_source *source, const hy_query *query,
                          const hy_run_options *options, hy_error *err)
{
    const hy_run_options *with = options != NULL ? options : &default_options;

    begin_run(cursor, source, with);
    hy_status status = check_lock(hy_query_has_lock(query), with, err);
    if (status == HY_OK)
        status = have_compiler(cursor, err);
    if (status != HY_OK)
        return status;
    /* Before the first connection nobody knows what the server can: compile after it then. */
    if (atomic_load_explicit(&source->features, memory_order_relaxed) == 0)
        cursor->query = query;
    else
        status = hy__cursor_compile(cursor, source, query, err);
    if (status == HY_OK)
        return start(cursor, source, with, err);
    cursor->sql = (hy_sql){0};
    return status;
}

/* The statement's text is there, or `status` says why not. */
static hy_status start_text(hy_cursor *cursor, hy_source *source, const hy_run_options *with,
                            hy_status status, hy_error *err)
{
    if (status == HY_OK)
        status = hy__stream_check(cursor, err);
    if (status == HY_OK)
        status = hy__cursor_keep_binds(cursor, true, err);
    if (status == HY_OK)
        return start(cursor, source, with, err);
    cursor->sql = (hy_sql){0};
    return status;
}

hy_status hy_cursor_start_compiled(hy_cursor *cursor, hy_source *source, const hy_sql *sql,
                                   const hy_run_options *options, hy_error *err)
{
    const hy_run_options *with = options != NULL ? options : &default_options;

    begin_run(cursor, source, with);
    cursor->limit = 0; /* it is in the text */
    cursor->sql = *sql;
    hy_status status = check_lock(sql->kind == HY_STATEMENT_SELECT && sql->writes, with, err);
    return start_text(cursor, source, with, status, err);
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
    return start_text(cursor, source, with, status, err);
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
