/*
 * execute.c - the blocking forms of a cursor: for programs that have nothing else to do.
 *
 * Nothing here that hysteria/source.h does not offer to everybody; waiting is task.c's.
 */
#include <string.h>

#include "source_impl.h"

static hy_run_options blocking(const hy_run_options *options)
{
    hy_run_options with = options != NULL ? *options : (hy_run_options){.transaction = NULL};

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
