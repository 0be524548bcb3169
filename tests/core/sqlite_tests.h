/*
 * sqlite_tests.h - what the tests of the SQLite driver share: sources, statements, rows.
 */
#ifndef SQLITE_TESTS_H
#define SQLITE_TESTS_H

#include "figures.h"
#include "hy_test.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <source/source_impl.h>

enum { MS = 1000000, BUSY = 10000 /* ms that the driver waits unasked */ };

extern char directory[];
extern char file[64];

/* ---- helpers ---------------------------------------------------------------------------- */

static inline void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[96];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", file, ends[i]);
        unlink(path);
    }
}

static inline int setup(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

static inline hy_source_config config_of(const char *database)
{
    return (hy_source_config){
        .type = "sqlite", .connect = {.database = database}, .pool = {.acquire_timeout = 20000}};
}

static inline hy_source *open_config(hy_source_config config)
{
    hy_source *source;
    hy_error err;
    hy_status status = hy_source_open(&config, &source, &err);

    if (status != HY_OK)
        fail_msg("open: %s", err.message);
    return source;
}

static inline hy_source *open_file(void)
{
    return open_config(config_of(file));
}

static inline hy_source *open_memory(void)
{
    return open_config(config_of(":memory:"));
}

static inline hy_status try_run(hy_source *source, const char *sql, hy_error *err)
{
    return hy_source_execute_raw(source, sql, NULL, 0, NULL, NULL, err);
}

static inline int64_t run_with(hy_source *source, const hy_run_options *options, const char *sql)
{
    hy_error err;
    int64_t affected;
    hy_status status = hy_source_execute_raw(source, sql, NULL, 0, options, &affected, &err);

    if (status != HY_OK)
        fail_msg("%s: %s %s", sql, hy_status_name(status), err.message);
    return affected;
}

static inline int64_t run(hy_source *source, const char *sql)
{
    return run_with(source, NULL, sql);
}

static inline hy_cursor *query_binds(hy_source *source, const hy_run_options *options, const char *sql,
                                     const hy_bind *binds, size_t n)
{
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), binds, NULL, n, options, &err);

    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    if (status != HY_OK)
        fail_msg("%s: %s %s", sql, hy_status_name(status), err.message);
    return cursor;
}

static inline hy_cursor *query(hy_source *source, const char *sql)
{
    return query_binds(source, NULL, sql, NULL, 0);
}

static inline const hy_value *fetch(hy_cursor *cursor)
{
    const hy_value *row;
    hy_error err;
    hy_status status = hy_cursor_fetch(cursor, &row, &err);

    if (status != HY_OK)
        fail_msg("fetch: %s", hy_status_name(status));
    return row;
}

/* The first cell of the first row as text. */
static inline const char *one_with(hy_source *source, const hy_run_options *options, const char *sql,
                                   const hy_bind *binds, size_t n)
{
    static char out[4096];
    hy_cursor *cursor = query_binds(source, options, sql, binds, n);
    const hy_value *row;
    hy_error err;

    strcpy(out, "(no row)");
    if (hy_cursor_fetch(cursor, &row, &err) == HY_OK) {
        switch (row[0].type) {
        case HY_INT:
            snprintf(out, sizeof out, "%lld", (long long)row[0].as.integer);
            break;
        case HY_DOUBLE:
            snprintf(out, sizeof out, "%.17g", row[0].as.number);
            break;
        case HY_TEXT:
        case HY_BLOB:
            snprintf(out, sizeof out, "%.*s", (int)row[0].as.text.size, row[0].as.text.data);
            break;
        default:
            strcpy(out, "NULL");
            break;
        }
    }
    hy_cursor_free(cursor);
    return out;
}

static inline const char *one(hy_source *source, const char *sql)
{
    return one_with(source, NULL, sql, NULL, 0);
}

static inline hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    assert_int_equal(HY_OK, hy_source_acquire(source, 0, &lease, &err));
    return lease;
}

static inline void sleep_ms(int64_t ms)
{
    hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + ms * MS};
    (void)hy_wait_block(&wait);
}

/* ---- tests in files of their own ---- */

/* sqlite_values.c */
void values_come_back(void **state);
void what_would_be_kept_changed_is_refused(void **state);
void large_values_come_back(void **state);
void kinds_follow_the_declaration(void **state);
void counts_what_was_written(void **state);
void a_changed_table_is_read_anew(void **state);
void errors_are_told_apart(void **state);
void one_statement_may_be_followed_by_nothing(void **state);
void the_driver_checks_its_arguments(void **state);
void decimals_kept_as_text_compare_as_numbers(void **state);
void the_collation_is_a_total_order(void **state);
void sums_are_exact(void **state);
void sums_agree_with_integers(void **state);
void two_numbers_are_exact(void **state);
void sums_slide_over_windows(void **state);
void a_full_disk_ends_the_transaction(void **state);

#endif
