/*
 * stream.c - rows that come in batches, and what a database needs for that besides the query.
 *
 * A driver that gives a result as a whole gives it in parts only from a cursor that was declared
 * by name, which lives in a transaction:
 *
 *     BEGIN (if none is open), DECLARE with the query, FETCH until a batch is short, CLOSE or COMMIT
 *
 * DECLARE and FETCH are steps of the cursor itself (cursor.c), the others run beside it, through
 * a cursor of their own. Between two batches the connection is free for other statements.
 */
#include <string.h>

#include <base/number.h>

#include "source_impl.h"

void hy__stream_begin(hy_cursor *cursor, hy_source *source, const hy_run_options *options)
{
    hy__stream *stream = &cursor->stream;
    bool inside = options->transaction != NULL || options->lease != NULL;
    bool declares = (source->driver->flags & HY_DRIVER_DECLARES_CURSORS) != 0;

    stream->batch = options->batch > 0 ? options->batch : 0;
    stream->declared = stream->batch > 0 && declares;
    stream->fetching = stream->block = stream->controlling = false;
    stream->number = 0;
    stream->left = stream->batch;
    if (stream->batch > 0 && (inside || declares))
        stream->number = atomic_fetch_add_explicit(&source->last_stream, 1, memory_order_relaxed) + 1;
    if (stream->declared)
        cursor->cacheable = false; /* its name never comes back */
}

hy_status hy__stream_check(const hy_cursor *cursor, hy_error *err)
{
    if (cursor->stream.batch == 0 || cursor->sql.kind == HY_STATEMENT_SELECT)
        return HY_OK;
    return hy_fail(err, HY_EINVALID_ARGUMENT, "only a SELECT can be a stream");
}

static char *put(char *at, const char *text)
{
    size_t size = strlen(text);

    memcpy(at, text, size + 1);
    return at + size;
}

static char *put_number(char *at, int64_t number)
{
    char digits[HY_NUMBER_TEXT_SIZE];

    (void)hy_format_int(number, digits);
    return put(at, digits);
}

static void put_name(char *at, uint64_t number)
{
    (void)put_number(put(at, HY_STREAM_NAME), (int64_t)number);
}

void hy__stream_declared(hy_cursor *cursor)
{
    hy__stream *stream = &cursor->stream;

    put_name(put(put_number(put(stream->fetch, "FETCH FORWARD "), stream->batch), " FROM "), stream->number);
    put_name(put(stream->close, "CLOSE "), stream->number);
    stream->fetching = true;
    cursor->state = HY__CURSOR_PREPARE;
}

/* Run one of the engine's own texts beside the stream. */
static hy_status control(hy_cursor *cursor, const char *text, hy_wait *wait, hy_error *err)
{
    hy__stream *stream = &cursor->stream;
    hy_status status = HY_OK;

    if (stream->control == NULL && (stream->control = hy_cursor_new()) == NULL)
        return hy_fail_oom(err);
    if (!stream->controlling)
        status = hy__cursor_start_text(stream->control, cursor->lease, text, false, cursor->deadline, err);
    stream->controlling = status == HY_OK;
    if (status == HY_OK)
        status = hy_task_advance(&stream->control->task, wait, err);
    if (status != HY_AGAIN)
        hy__stream_drop(cursor);
    return status;
}

void hy__stream_drop(hy_cursor *cursor)
{
    if (!cursor->stream.controlling)
        return;
    cursor->stream.controlling = false;
    hy_cursor_finish(cursor->stream.control);
}

hy_status hy__stream_open(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    hy_connection *c = hy__lease_connection(cursor->lease);

    if (!cursor->stream.controlling && c->driver->transaction_status(c) != HY_TRANSACTION_IDLE)
        return HY_OK;
    if (cursor->lease != &cursor->own)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "a stream on a lease needs a transaction there");
    hy_status status = control(cursor, "BEGIN", wait, err);
    cursor->stream.block = status == HY_OK;
    return status;
}

hy_status hy__stream_close(hy_cursor *cursor, hy_wait *wait, hy_error *err)
{
    return control(cursor, cursor->stream.block ? "COMMIT" : cursor->stream.close, wait, err);
}

bool hy__stream_is_aside(const hy_cursor *cursor)
{
    const hy__stream *stream = &cursor->stream;

    if (!stream->declared)
        return false;
    return cursor->state == HY__CURSOR_OPENING || cursor->state == HY__CURSOR_CLOSING ||
           (cursor->state == HY__CURSOR_ROWS && stream->left == 0);
}
