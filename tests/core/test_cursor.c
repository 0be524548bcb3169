/*
 * Running statements: rows and columns, the memory that stays, what happens when the query
 * goes away, waiting drivers, stale plans, limits, observers. Half against a fake server,
 * half against SQLite.
 */
#include "hy_test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <source/source_impl.h>

#include "fake_driver.h"

enum { MS = 1000000 };

static int setup(void **state)
{
    (void)state;
    fake_reset(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(fake.live, 0);
    assert_int_equal(fake.prepared, fake.unprepared);
    assert_int_equal(fake.running, 0);
    assert_int_equal(fake.broken_uses, 0);
    return 0;
}

static hy_source *open_config(hy_source_config config)
{
    hy_source *source;
    hy_error err;

    config.type = "sqlite";
    config.pool.acquire_timeout = 2000;
    assert_int_equal(HY_OK, hy_source_open(&config, &source, &err));
    return source;
}

static hy_source *open_fake(void)
{
    return open_config((hy_source_config){.driver = fake_driver()});
}

static hy_source *open_sqlite(void)
{
    return open_config((hy_source_config){.connect = {.database = ":memory:"}});
}

static void run(hy_source *source, const char *sql)
{
    hy_error err;
    if (hy_source_execute_raw(source, sql, NULL, 0, NULL, NULL, &err) != HY_OK)
        fail_msg("%s: %s", sql, err.message);
}

static hy_status start_raw(hy_cursor *cursor, hy_source *source, const char *sql,
                           const hy_run_options *options, hy_error *err)
{
    return hy_cursor_start_raw(cursor, source, sql, strlen(sql), NULL, NULL, 0, options, err);
}

static hy_status query_raw(hy_cursor *cursor, hy_source *source, const char *sql,
                           const hy_run_options *options, hy_error *err)
{
    hy_status status = start_raw(cursor, source, sql, options, err);
    return status == HY_OK ? hy_task_run(hy_cursor_task(cursor), err) : status;
}

static hy_pool_stats stats_of(hy_source *source)
{
    hy_pool_stats stats;
    hy_source_stats(source, &stats);
    return stats;
}

/* ---- rows -------------------------------------------------------------------------------- */

static void gives_rows_and_the_connection_back(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;

    (void)state;
    fake_reply *r = fake_add_reply("SELECT");
    r->rows = 3;
    r->n_columns = 2;
    assert_fails(HY_ECLOSED, err, hy_cursor_fetch(cursor, &row, &err)); /* nothing was started */
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT x", NULL, &err));
    assert_int_equal(hy_cursor_n_columns(cursor), 2);
    assert_string_equal(hy_cursor_columns(cursor)[1].name, "n");
    assert_int_equal(hy_cursor_columns(cursor)[1].kind, HY_KIND_BIGINT);
    assert_string_equal(hy_cursor_sql(cursor)->text, "SELECT x");
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
        assert_int_equal(row[0].as.integer, i);
        assert_int_equal(row[1].as.integer, i);
        assert_int_equal(stats_of(source).leased, 1);
    }
    assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
    assert_null(row);
    assert_int_equal(stats_of(source).leased, 0);
    assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(hy_cursor_n_columns(cursor), 2); /* still known */
    hy_cursor_finish(cursor);
    hy_cursor_free(cursor);
    hy_cursor_free(NULL);
    hy_cursor_finish(NULL);
    hy_source_unref(source);
}

static void a_statement_without_rows_is_done_with_its_task(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;

    (void)state;
    fake_add_reply("INSERT")->affected = 4;
    assert_int_equal(HY_OK, query_raw(cursor, source, "INSERT x", NULL, &err));
    assert_int_equal(stats_of(source).leased, 0);
    assert_int_equal(hy_cursor_affected(cursor), 4);
    assert_int_equal(hy_cursor_insert_id(cursor), 7);
    assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void may_be_left_at_any_time(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;

    (void)state;
    fake_add_reply("SELECT")->rows = 3;
    assert_int_equal(HY_OK, start_raw(cursor, source, "SELECT 1", NULL, &err)); /* its task never ran */
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_cursor_fetch(cursor, &row, &err));
    hy_cursor_finish(cursor);
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", NULL, &err));
    hy_cursor_finish(cursor); /* a row was there, nobody took it */
    assert_int_equal(stats_of(source).leased, 0);
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", NULL, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 2", NULL, &err)); /* started over it */
    assert_int_equal(stats_of(source).leased, 1);
    hy_cursor_free(cursor); /* freed over it */
    assert_int_equal(stats_of(source).leased, 0);
    hy_source_unref(source);
}

static void stops_at_its_limit(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    const hy_run_options two = {.limit = 2};
    hy_error err;

    (void)state;
    fake_add_reply("SELECT")->rows = 5;
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", &two, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void a_failure_leaves_it_idle(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;

    (void)state;
    fake_add_reply("BAD")->fails = HY_EUNIQUE_VIOLATION;
    fake_reply *r = fake_add_reply("HALF");
    r->rows = 3;
    r->fails_at_row = 2;
    assert_fails(HY_EUNIQUE_VIOLATION, err, query_raw(cursor, source, "BAD", NULL, &err));
    assert_int_equal(stats_of(source).idle, 1);
    assert_fails(HY_ECLOSED, err, hy_cursor_fetch(cursor, &row, &err));
    assert_fails(HY_ECLOSED, err, hy_task_run(hy_cursor_task(cursor), &err));
    assert_int_equal(HY_OK, query_raw(cursor, source, "HALF", NULL, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_fails(HY_EDATABASE_ERROR, err, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(stats_of(source).idle, 1);
    fake.connect_fails = HY_EAUTHENTICATION_FAILED;
    fake_kill_all();
    assert_fails(HY_EAUTHENTICATION_FAILED, err, query_raw(cursor, source, "SELECT 1", NULL, &err));
    assert_int_equal(stats_of(source).size, 0);
    fake.connect_fails = HY_OK;
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", NULL, &err));
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

/* ---- drivers that wait ------------------------------------------------------------------- */

static void passes_waiting_on(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_wait wait = {.fd = -1};
    hy_error err;
    int again = 0;

    (void)state;
    fake.connect_again = 2;
    fake_reply *r = fake_add_reply("SELECT");
    r->rows = 3;
    r->again = 2;
    r->again_rows = 1;
    assert_int_equal(HY_OK, start_raw(cursor, source, "SELECT 1", NULL, &err));
    hy_status status;
    while ((status = hy_task_advance(hy_cursor_task(cursor), &wait, &err)) == HY_AGAIN)
        again++;
    assert_int_equal(status, HY_OK);
    assert_int_equal(again, 4);
    again = 0;
    int rows = 0;
    while ((status = hy_cursor_next(cursor, &row, &wait, &err)) != HY_DONE) {
        again += status == HY_AGAIN;
        if (status == HY_OK)
            assert_int_equal(row[0].as.integer, ++rows);
    }
    assert_int_equal(again, 2);
    assert_int_equal(rows, 3);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

/* Out of time in the middle of something: the connection cannot be used by anybody. */
static void out_of_time_closes_the_connection(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_run_options hurried = {.timeout = 30};
    hy_error err;

    (void)state;
    fake_reply *r = fake_add_reply("SELECT");
    r->again = 1000;
    r->again_ns = 10 * (int64_t)MS;
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_EQUERY_TIMEOUT, err, query_raw(cursor, source, "SELECT 1", &hurried, &err));
    int64_t took = hy_monotonic_ns() - began;
    assert_true(took >= 29 * (int64_t)MS && took < r->again * r->again_ns);
    assert_int_equal(fake.given_up, 1);
    assert_int_equal(stats_of(source).size, 0);
    assert_int_equal(stats_of(source).discarded, 1);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

/* A write that commits by itself, and then no answer: neither done nor failed. */
static void a_lone_write_without_an_answer_is_unknown(void **state)
{
    static const struct {
        const char *sql;
        bool breaks, in_transaction;
        hy_status fails, expected;
    } cases[] = {
        {"INSERT 1", true, false, HY_ECONNECTION_LOST, HY_EOUTCOME_UNKNOWN},
        {"INSERT 1", true, false, HY_EOUT_OF_MEMORY, HY_EOUTCOME_UNKNOWN},
        {"INSERT 1", true, true, HY_ECONNECTION_LOST, HY_ECONNECTION_LOST}, /* rolled back with the rest */
        {"INSERT 1", false, false, HY_EUNIQUE_VIOLATION, HY_EUNIQUE_VIOLATION},
        {"INSERT 1", true, false, HY_EUNSUPPORTED, HY_EUNSUPPORTED}, /* refused, not lost */
        {"SELECT 1", true, false, HY_ECONNECTION_LOST, HY_ECONNECTION_LOST},
    };
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_reset(0);
        hy_source *source = open_fake();
        hy_run_options options = {.transaction = NULL};
        if (cases[i].in_transaction)
            assert_int_equal(HY_OK, hy_source_begin(source, NULL, &options.transaction, &err));
        fake_reply *r = fake_add_reply(cases[i].sql);
        r->fails = cases[i].fails;
        r->set_after = cases[i].breaks;
        r->after = HY_TRANSACTION_UNKNOWN;
        assert_fails(cases[i].expected, err, query_raw(cursor, source, cases[i].sql, &options, &err));
        if (cases[i].expected == HY_EOUTCOME_UNKNOWN)
            assert_non_null(strstr(err.message, "look at the data"));
        hy_transaction_free(options.transaction);
        assert_int_equal(stats_of(source).discarded, cases[i].breaks);
        hy_source_unref(source);
    }
    hy_cursor_free(cursor);
}

static void a_lone_write_out_of_time_is_unknown(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    const hy_run_options hurried = {.timeout = 30};
    hy_error err;

    (void)state;
    fake_reply *r = fake_add_reply("UPDATE");
    r->again = 1000;
    r->again_ns = 10 * (int64_t)MS;
    assert_fails(HY_EOUTCOME_UNKNOWN, err, query_raw(cursor, source, "UPDATE 1", &hurried, &err));
    assert_int_equal(stats_of(source).discarded, 1);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void *cancel_it(void *cursor)
{
    hy_cursor_cancel(cursor);
    return NULL;
}

/* Whenever the cancel comes, also between two looks at it: the server has the write. */
static void a_lone_write_that_is_cancelled_is_unknown(void **state)
{
    enum { TIMES = 2000 };
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    hy_wait wait;
    hy_error err;

    (void)state;
    fake_reply *r = fake_add_reply("UPDATE");
    r->again = INT32_MAX;
    for (int i = 0; i < TIMES; i++) {
        int ends[2];
        pthread_t thread;
        assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
        r->again_fd = ends[0];
        assert_int_equal(HY_OK, start_raw(cursor, source, "UPDATE 1", NULL, &err));
        hy_status status = hy_task_advance(hy_cursor_task(cursor), &wait, &err);
        assert_int_equal(status, HY_AGAIN);
        assert_int_equal(0, pthread_create(&thread, NULL, cancel_it, cursor));
        while (status == HY_AGAIN)
            status = hy_task_advance(hy_cursor_task(cursor), &wait, &err);
        (void)pthread_join(thread, NULL);
        assert_int_equal(status, HY_EOUTCOME_UNKNOWN);
        assert_int_equal(stats_of(source).discarded, i + 1);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void left_while_waiting_closes_the_connection(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    hy_wait wait = {.fd = -1};
    hy_error err;

    (void)state;
    fake_add_reply("SELECT")->again = 5;
    assert_int_equal(HY_OK, start_raw(cursor, source, "SELECT 1", NULL, &err));
    assert_int_equal(HY_AGAIN, hy_task_advance(hy_cursor_task(cursor), &wait, &err));
    hy_cursor_finish(cursor);
    assert_int_equal(fake.live, 0);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void one_budget_covers_the_queue_too(void **state)
{
    hy_source *source = open_config((hy_source_config){.driver = fake_driver(), .pool = {.max = 1}});
    hy_cursor *cursor = hy_cursor_new();
    const hy_run_options hurried = {.timeout = 30};
    hy_lease *lease;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_source_acquire(source, 0, &lease, &err));
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_EPOOL_TIMEOUT, err, query_raw(cursor, source, "SELECT 1", &hurried, &err));
    assert_true(hy_monotonic_ns() - began < 30000 * (int64_t)MS); /* what the pool gives it otherwise */
    hy_lease_release(lease);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

/* ---- prepared statements ----------------------------------------------------------------- */

static void prepares_once(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(HY_OK, query_raw(cursor, source, i % 2 ? "SELECT 1" : "SELECT 2", NULL, &err));
    assert_int_equal(fake.prepared, 2);
    hy_source_unref(source);

    source = open_config((hy_source_config){.driver = fake_driver(), .statement_cache = -1});
    for (int i = 0; i < 3; i++)
        assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", NULL, &err));
    assert_int_equal(fake.prepared, 5);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void kinds_matter_where_the_driver_says_so(void **state)
{
    const hy_bind binds[] = {{.value = hy_int(1)},
                             {.value = hy_double(1.5)},
                             {.value = hy_int(2)},
                             {.value = hy_int(2), .kind = HY_KIND_SMALLINT}};
    hy_error err;

    (void)state;
    for (int typed = 0; typed < 2; typed++) {
        fake_reset(typed ? HY_DRIVER_TYPED_PARAMS : 0);
        hy_source *source = open_fake();
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(HY_OK,
                             hy_source_execute_raw(source, "SELECT ?", &binds[i], 1, NULL, NULL, &err));
        assert_int_equal(fake.prepared, typed ? 3 : 1);
        hy_source_unref(source);
    }
}

static void a_stale_plan_is_prepared_again_once(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", NULL, &err));
    fake_reply *r = fake_add_reply("SELECT");
    r->fails = HY_EDATABASE_ERROR;
    r->stale = true;
    r->times = 1;
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", NULL, &err));
    assert_int_equal(fake.prepared, 2);
    r->times = 0; /* stale for ever: tried twice, then told */
    assert_fails(HY_EDATABASE_ERROR, err, query_raw(cursor, source, "SELECT 1", NULL, &err));
    assert_int_equal(fake.prepared, 3);
    r->stale = false; /* something ran: never again by itself */
    assert_fails(HY_EDATABASE_ERROR, err, query_raw(cursor, source, "SELECT 1", NULL, &err));
    assert_int_equal(fake.n_log, 2 + 1 + 2 + 1);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

/* A text that could not be prepared must not be found in the cache afterwards. */
static void a_failed_prepare_is_not_kept(void **state)
{
    hy_source *source = open_sqlite();
    hy_error err;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_fails(HY_EUNDEFINED_TABLE, err,
                     hy_source_execute_raw(source, "SELECT * FROM nope", NULL, 0, NULL, NULL, &err));
    hy_source_unref(source);
}

/* ---- leases ------------------------------------------------------------------------------ */

static void runs_on_a_given_lease(void **state)
{
    hy_source *source = open_fake();
    hy_cursor *cursor = hy_cursor_new(), *second = hy_cursor_new();
    const hy_value *row;
    hy_lease *lease;
    hy_error err;

    (void)state;
    fake_add_reply("SELECT")->rows = 2;
    assert_int_equal(HY_OK, hy_source_acquire(source, 0, &lease, &err));
    const hy_run_options on = {.lease = lease};
    assert_int_equal(HY_OK, query_raw(cursor, source, "SELECT 1", &on, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err,
                 start_raw(second, source, "SELECT 2", &on, &err)); /* one at a time */
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    hy_cursor_finish(cursor);
    assert_int_equal(stats_of(source).leased, 1); /* the lease stays ours */
    assert_int_equal(HY_OK, query_raw(second, source, "SELECT 2", &on, &err));
    hy_lease_release(lease); /* under an open statement */
    assert_fails(HY_ECLOSED, err, hy_cursor_fetch(second, &row, &err));
    hy_cursor_free(cursor);
    hy_cursor_free(second);
    hy_source_unref(source);
}

/* ---- observers --------------------------------------------------------------------------- */

typedef struct seen {
    int before, after, errors;
    uint64_t id;
    int64_t rows, duration;
    hy_status status;
    char text[64];
} seen;

static void observe(void *ctx, const hy_event *event)
{
    seen *s = ctx;

    if (event->before) {
        s->before++;
        s->id = event->id;
        snprintf(s->text, sizeof s->text, "%s", event->sql->text);
        return;
    }
    assert_int_equal(s->id, event->id);
    assert_string_equal(s->text, event->sql->text);
    s->after++;
    s->rows = event->rows;
    s->duration = event->duration_ns;
    s->errors += event->error != NULL;
    s->status = event->error != NULL ? event->error->status : HY_OK;
}

static void observers_see_every_statement(void **state)
{
    hy_source *source = open_fake();
    seen s = {.before = 0};
    const hy_run_options two = {.limit = 2};
    hy_transaction *trx;
    hy_error err;

    (void)state;
    fake_add_reply("SELECT")->rows = 3;
    fake_add_reply("UPDATE")->affected = 9;
    fake_add_reply("BAD")->fails = HY_ECHECK_VIOLATION;
    hy_source_set_observer(source, observe, &s);
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SELECT 1", NULL, 0, &two, NULL, &err));
    assert_int_equal(s.before, 1);
    assert_int_equal(s.after, 1);
    assert_int_equal(s.rows, 2);
    assert_true(s.duration > 0);
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "UPDATE 1", NULL, 0, NULL, NULL, &err));
    assert_int_equal(s.rows, 9);
    assert_fails(HY_ECHECK_VIOLATION, err, hy_source_execute_raw(source, "BAD", NULL, 0, NULL, NULL, &err));
    assert_int_equal(HY_ECHECK_VIOLATION, hy_source_execute_raw(source, "BAD", NULL, 0, NULL, NULL, NULL));
    assert_int_equal(s.errors, 2);
    assert_int_equal(s.status, HY_ECHECK_VIOLATION);
    assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
    assert_string_equal(s.text, "BEGIN");
    assert_int_equal(HY_OK, hy_transaction_commit(trx, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    assert_string_equal(s.text, "COMMIT");
    hy_transaction_free(trx);
    assert_int_equal(s.before, 6);
    assert_int_equal(s.after, 6);
    hy_source_set_observer(source, NULL, NULL);
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SELECT 1", NULL, 0, NULL, NULL, &err));
    assert_int_equal(s.before, 6);
    hy_source_unref(source);
}

/* ---- with queries, on SQLite ------------------------------------------------------------- */

static hy_source *open_people(void)
{
    hy_source *source = open_sqlite();

    run(source, "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)");
    run(source, "INSERT INTO people VALUES (1, 'ada', 36), (2, 'eve', 9), (3, 'bob', 50), (4, 'amy', NULL)");
    return source;
}

static hy_query *people_named_above(const char *name)
{
    hy_query *q = hy_query_new(NULL);
    hy_value value = hy_text(name);

    hy_query_from(q, "people", 6);
    hy_query_select(q, hy_expr_column(q, "name", 4), "who");
    hy_query_select(q, hy_expr_column(q, "age", 3), NULL);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false,
                       hy_expr_compare(q, HY_OP_GT, hy_expr_column(q, "name", 4), hy_expr_value(q, &value)));
    hy_query_order_by(q, hy_expr_column(q, "id", 2), HY_ASC, HY_NULLS_DEFAULT);
    return q;
}

static void the_query_may_go_after_the_first_row(void **state)
{
    hy_source *source = open_people();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;

    (void)state;
    for (int i = 0; i < 2; i++) { /* before and after the features are learnt */
        hy_query *q = people_named_above("aea, a name that is long enough to need memory of its own");
        assert_int_equal(HY_OK, hy_cursor_query(cursor, source, q, NULL, &err));
        hy_query_free(q);
        assert_int_equal(hy_cursor_n_columns(cursor), 2);
        assert_string_equal(hy_cursor_columns(cursor)[0].name, "who");
        assert_int_equal(hy_cursor_columns(cursor)[1].kind, HY_KIND_BIGINT); /* the driver knew */
        static const char *const names[] = {"eve", "bob", "amy"};
        for (int n = 0; n < 3; n++) {
            assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
            assert_text(names[n], row[0].as.text.data, row[0].as.text.size);
        }
        assert_int_equal(row[1].type, HY_NULL);
        assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
    }
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void the_limit_of_a_run_bounds_the_query(void **state)
{
    hy_source *source = open_people();
    hy_cursor *cursor = hy_cursor_new();
    const hy_run_options one = {.limit = 1};
    const hy_value *row;
    hy_error err;
    hy_query *q = people_named_above("");

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(HY_OK, hy_cursor_query(cursor, source, q, &one, &err));
        assert_non_null(strstr(hy_cursor_sql(cursor)->text, "LIMIT"));
        assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
        assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
    }
    hy_query_free(q);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void a_wrong_query_costs_no_connection(void **state)
{
    hy_source *source = open_fake();
    hy_error err;
    hy_query *q = hy_query_new(NULL);

    (void)state;
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SELECT 1", NULL, 0, NULL, NULL, &err));
    hy_query_from(q, "people", 6);
    hy_query_limit(q, -1);
    int64_t affected = 5;
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_source_execute(source, q, NULL, &affected, &err));
    assert_int_equal(affected, 0);
    assert_int_equal(stats_of(source).acquired, 1);
    hy_bind bind = {.value = hy_int(1)};
    assert_fails(HY_EINVALID_ARGUMENT, err,
                 hy_source_execute_raw(source, "SELECT 1", &bind, 1, NULL, NULL, &err));
    assert_int_equal(stats_of(source).acquired, 1);
    hy_query_free(q);
    hy_source_unref(source);
}

/* Before the first connection the server's features are unknown: the first query must not
 * be judged by the oldest server there is. */
static void the_first_query_knows_the_server(void **state)
{
    hy_source *source = open_sqlite();
    hy_features oldest = hy_source_features(source), now;
    hy_error err;
    hy_query *q = hy_query_new(NULL);

    (void)state;
    hy_query_from(q, "pragma_database_list", 20);
    hy_query_select(q, hy_expr_raw(q, "1", 1, NULL, 0), "x");
    hy_query_join(q, HY_JOIN_RIGHT, "sqlite_master", 13, NULL);
    hy_query_predicate(q, HY_SLOT_ON, HY_AND, false, hy_expr_raw(q, "1", 1, NULL, 0));
    hy_status status = hy_source_execute(source, q, NULL, NULL, &err);
    now = hy_source_features(source);
    assert_int_equal(status, (now & HY_FEATURE(RIGHT_JOIN)) != 0 ? HY_OK : HY_EUNSUPPORTED);
    assert_true((oldest & ~now) == 0);
    hy_query_free(q);
    hy_source_unref(source);
}

static void raw_binds_are_copied(void **state)
{
    hy_source *source = open_people();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;
    char name[] = "aea", sql[] = "SELECT name FROM people WHERE name > :after AND age < :age ORDER BY id";
    hy_bind binds[] = {{.value = hy_int(100)}, {.value = hy_text(name)}};
    const char *names[] = {"age", "after"};

    (void)state;
    assert_int_equal(HY_OK,
                     hy_cursor_start_raw(cursor, source, sql, strlen(sql), binds, names, 2, NULL, &err));
    memset(name, 'z', 3);
    memset(sql, 'x', sizeof sql - 1);
    memset(binds, 0, sizeof binds);
    assert_int_equal(HY_OK, hy_task_run(hy_cursor_task(cursor), &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_text("eve", row[0].as.text.data, row[0].as.text.size);
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_text("bob", row[0].as.text.data, row[0].as.text.size);
    assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

/* The values are the cursor's own from the start. */
static void a_compiled_statement_takes_new_binds(void **state)
{
    hy_source *source = open_sqlite();
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;

    (void)state;
    for (int i = 1; i <= 3; i++) {
        char name[] = "the name";
        hy_bind binds[] = {{.value = hy_int(i)}, {.value = hy_text(name)}};
        const hy_sql sql = {.text = "SELECT ?, ?", .size = 11, .hash = 7, .binds = binds, .n_binds = 2};
        assert_int_equal(HY_OK, hy_cursor_start_compiled(cursor, source, &sql, NULL, &err));
        memset(name, '-', sizeof name - 1);
        binds[0].value = hy_null();
        assert_int_equal(HY_OK, hy_task_run(hy_cursor_task(cursor), &err));
        assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
        assert_int_equal(row[0].as.integer, i);
        assert_memory_equal(row[1].as.text.data, "the name", 8);
        assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
        assert_int_equal(stats_of(source).leased, 0);
    }
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void large_binds_of_a_write_are_stored_whole(void **state)
{
    hy_source *source = open_people();
    size_t size = 1000000;
    char *text = malloc(size);
    hy_query *q = hy_query_new(NULL);
    hy_cursor *cursor = hy_cursor_new();
    const char *column = "name";
    hy_error err;
    const hy_value *row;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', size);
    hy_value value = hy_bytes(HY_TEXT, text, size);
    hy_query_from(q, "people", 6);
    hy_query_insert(q, &column, 1);
    hy_expr *expr = hy_expr_value(q, &value);
    hy_query_insert_row(q, &expr, 1);
    assert_int_equal(HY_OK, hy_cursor_query(cursor, source, q, NULL, &err));
    hy_query_free(q);
    free(text);
    assert_int_equal(hy_cursor_affected(cursor), 1);
    assert_int_equal(hy_cursor_insert_id(cursor), 5);
    assert_int_equal(hy_cursor_sql(cursor)->n_binds, 0); /* they went with the query */
    assert_int_equal(HY_OK,
                     query_raw(cursor, source, "SELECT length(name) FROM people WHERE id = 5", NULL, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(row[0].as.integer, size);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void select_by_key(hy_cursor *cursor, hy_source *source, hy_query *q, int64_t id)
{
    const hy_value *row;
    hy_error err;

    assert_int_equal(HY_OK, hy_cursor_query(cursor, source, q, NULL, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(row[0].as.integer, id);
    assert_int_equal(HY_DONE, hy_cursor_fetch(cursor, &row, &err));
}

static void a_warm_cursor_needs_no_heap(void **state)
{
    hy_source *source;
    hy_test_heap heap = {.fail_at = 0};
    hy_cursor *cursor;
    hy_query *queries[3];

    (void)state;
    hy_test_use_heap(&heap);
    source = open_people();
    cursor = hy_cursor_new();
    for (int i = 0; i < 3; i++) {
        hy_value id = hy_int(i + 1);
        queries[i] = hy_query_new(NULL);
        hy_query_from(queries[i], "people", 6);
        hy_query_select(queries[i], hy_expr_column(queries[i], "id", 2), NULL);
        hy_query_predicate(queries[i], HY_SLOT_WHERE, HY_AND, false,
                           hy_expr_compare(queries[i], HY_OP_EQ, hy_expr_column(queries[i], "id", 2),
                                           hy_expr_value(queries[i], &id)));
        select_by_key(cursor, source, queries[i], i + 1);
    }
    long calls = heap.calls;
    for (int i = 0; i < 300; i++)
        select_by_key(cursor, source, queries[i % 3], i % 3 + 1);
    assert_int_equal(heap.calls, calls);
    heap.fail_at = calls + 1; /* works with no memory left */
    heap.fail_on = true;
    select_by_key(cursor, source, queries[0], 1);
    for (int i = 0; i < 3; i++)
        hy_query_free(queries[i]);
    hy_cursor_free(cursor);
    hy_source_unref(source);
    assert_int_equal(heap.live, 0);
    hy_test_use_heap(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(gives_rows_and_the_connection_back),
        T(a_statement_without_rows_is_done_with_its_task),
        T(may_be_left_at_any_time),
        T(stops_at_its_limit),
        T(a_failure_leaves_it_idle),
        T(passes_waiting_on),
        T(out_of_time_closes_the_connection),
        T(a_lone_write_without_an_answer_is_unknown),
        T(a_lone_write_that_is_cancelled_is_unknown),
        T(a_lone_write_out_of_time_is_unknown),
        T(left_while_waiting_closes_the_connection),
        T(one_budget_covers_the_queue_too),
        T(prepares_once),
        T(kinds_matter_where_the_driver_says_so),
        T(a_stale_plan_is_prepared_again_once),
        T(a_failed_prepare_is_not_kept),
        T(runs_on_a_given_lease),
        T(observers_see_every_statement),
        T(the_query_may_go_after_the_first_row),
        T(the_limit_of_a_run_bounds_the_query),
        T(a_wrong_query_costs_no_connection),
        T(the_first_query_knows_the_server),
        T(raw_binds_are_copied),
        T(a_compiled_statement_takes_new_binds),
        T(large_binds_of_a_write_are_stored_whole),
        T(a_warm_cursor_needs_no_heap),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
