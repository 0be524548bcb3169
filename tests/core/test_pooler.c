/*
 * Statements behind PgBouncer, which lends a server's session for one transaction and then to
 * somebody else: HY_TEST_PGBOUNCER_URL says where it is (tests/support/servers.sh), without it
 * every test is a skip. What a statement must answer is in its text, so one that runs in place of
 * another cannot hide.
 */
#include "hy_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <hysteria/url.h>

#include "figures.h"

enum { THREADS = 6, TEXTS = 20, MS = 1000000 };

static hy_url pooler, server;
static bool has_pooler;

#define NEED_POOLER        \
    do {                   \
        (void)state;       \
        if (!has_pooler) { \
            skip();        \
        }                  \
    } while (0)

static hy_source *open_at(const hy_url *at, hy_prepare prepare)
{
    hy_source_config config = {
        .type = "postgres",
        .connect = {.host = at->host,
                    .port = at->port,
                    .user = at->user,
                    .password = at->password,
                    .database = at->database},
        .pool = {.max = THREADS, .acquire_timeout = 30000},
        .prepare = prepare,
    };
    hy_source *source;
    hy_error err;

    if (hy_source_open(&config, &source, &err) != HY_OK)
        fail_msg("%s", err.message);
    return source;
}

static void shut(hy_source *source)
{
    hy_source_close(source);
    hy_source_unref(source);
}

/* One value; -1 without a row. */
static hy_status ask(hy_cursor *cursor, hy_source *source, hy_transaction *trx, const char *sql,
                     const hy_bind *binds, size_t n, int64_t *out, hy_error *err)
{
    const hy_run_options options = {.transaction = trx, .may_block = true};
    const hy_value *row;

    *out = -1;
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), binds, NULL, n, &options, err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        *out = row[0].type == HY_INT ? row[0].as.integer : -1;
    return status == HY_DONE ? HY_OK : status;
}

/* ---- many at once ----------------------------------------------------------------------- */

typedef struct crowd {
    hy_source *source;
    long rounds;
    atomic_long right, wrong, failed, unexpected;
    char first[256]; /* of the unexpected */
} crowd;

/* Mostly by themselves, some in a transaction. */
static hy_status one(crowd *c, hy_cursor *cursor, uint64_t dice, int64_t *wanted, int64_t *got, hy_error *err)
{
    int64_t text = (int64_t)(dice % TEXTS), argument = (int64_t)(dice / TEXTS % 900);
    const hy_bind bind = {.value = hy_int(argument), .kind = HY_KIND_BIGINT};
    bool in_transaction = dice % 7 == 0;
    hy_transaction *trx = NULL;
    char sql[64];

    (void)snprintf(sql, sizeof sql, "SELECT %d::bigint + ?", (int)text * 1000);
    *wanted = text * 1000 + argument;
    hy_status status = in_transaction ? hy_source_begin(c->source, NULL, &trx, err) : HY_OK;
    if (status == HY_OK)
        status = ask(cursor, c->source, trx, sql, &bind, 1, got, err);
    hy_transaction_free(trx);
    return status;
}

static void *run_many(void *arg)
{
    crowd *c = arg;
    hy_cursor *cursor = hy_cursor_new();
    uint64_t seed = (uint64_t)(uintptr_t)&cursor | 1;
    hy_error err;

    for (long i = 0; i < c->rounds; i++) {
        int64_t wanted, got;
        hy_status status = one(c, cursor, hy_test_random(&seed), &wanted, &got, &err);
        if (status == HY_OK)
            atomic_fetch_add(got == wanted ? &c->right : &c->wrong, 1);
        else if (status == HY_ETRANSACTION_ABORTED || strcmp(err.sqlstate, "26000") == 0)
            atomic_fetch_add(&c->failed, 1);
        else if (atomic_fetch_add(&c->unexpected, 1) == 0)
            (void)snprintf(c->first, sizeof c->first, "%s %.200s", err.sqlstate, err.message);
    }
    hy_cursor_free(cursor);
    return NULL;
}

static void run_crowd(const char *name, hy_prepare prepare, hy_prepare after, crowd *c)
{
    pthread_t threads[THREADS];

    *c = (crowd){.source = open_at(&pooler, prepare), .rounds = scaled(5000)};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, run_many, c));
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(hy_source_prepare(c->source), after);
    shut(c->source);
    report("pooler, prepare = %s: %ld right, %ld wrong, %ld had to be run again", name, c->right, c->wrong,
           c->failed);
    if (c->unexpected > 0)
        fail_msg("%ld unexpected failures, the first: %s", c->unexpected, c->first);
    assert_int_equal(c->wrong, 0);
}

/* It notices, and from then on nothing fails. */
static void automatic(void **state)
{
    crowd c;

    NEED_POOLER;
    run_crowd("auto", HY_PREPARE_AUTO, HY_PREPARE_UNNAMED, &c);
    assert_in_range(c.failed, 0, THREADS); /* in a transaction at the wrong moment */
}

static void unnamed(void **state)
{
    crowd c;

    NEED_POOLER;
    run_crowd("unnamed", HY_PREPARE_UNNAMED, HY_PREPARE_UNNAMED, &c);
    assert_int_equal(c.failed, 0);
    run_crowd("off", HY_PREPARE_OFF, HY_PREPARE_OFF, &c);
    assert_int_equal(c.failed, 0);
}

/* The wrong choice here: many fail, none lies. */
static void named(void **state)
{
    crowd c;

    NEED_POOLER;
    run_crowd("named", HY_PREPARE_NAMED, HY_PREPARE_NAMED, &c);
    assert_true(c.right > 0);
}

/* ---- cancelling through it --------------------------------------------------------------- */

static void *cancel_soon(void *arg)
{
    (void)usleep(100000);
    hy_cursor_cancel(arg);
    return NULL;
}

static void cancelled(void **state)
{
    hy_source *source, *watch;
    hy_cursor *cursor = hy_cursor_new(), *look = hy_cursor_new();
    int64_t n = -1, until = hy_monotonic_ns() + 10000 * (int64_t)MS;
    pthread_t thread;
    hy_error err;

    if (!has_pooler) {
        hy_cursor_free(cursor);
        hy_cursor_free(look);
    }
    NEED_POOLER;
    source = open_at(&pooler, HY_PREPARE_AUTO);
    watch = open_at(&server, HY_PREPARE_AUTO);
    assert_int_equal(0, pthread_create(&thread, NULL, cancel_soon, cursor));
    assert_int_equal(HY_EQUERY_CANCELED,
                     ask(cursor, source, NULL, "SELECT 1 FROM pg_sleep(66)", NULL, 0, &n, &err));
    (void)pthread_join(thread, NULL);
    while (n != 0 && hy_monotonic_ns() < until)
        assert_int_equal(HY_OK, ask(look, watch, NULL,
                                    "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query = "
                                    "'SELECT 1 FROM pg_sleep(66)'",
                                    NULL, 0, &n, &err));
    assert_int_equal(n, 0);
    assert_int_equal(HY_OK, ask(cursor, source, NULL, "SELECT 7::bigint", NULL, 0, &n, &err));
    assert_int_equal(n, 7);
    hy_cursor_free(cursor);
    hy_cursor_free(look);
    shut(source);
    shut(watch);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(automatic),
        cmocka_unit_test(unnamed),
        cmocka_unit_test(named),
        cmocka_unit_test(cancelled),
    };
    const char *url = getenv("HY_TEST_PGBOUNCER_URL"), *behind = getenv("HY_TEST_POSTGRES_URL");
    hy_error err;

    if (url != NULL && behind != NULL)
        has_pooler = hy_url_parse(url, strlen(url), &pooler, &err) == HY_OK &&
                     hy_url_parse(behind, strlen(behind), &server, &err) == HY_OK;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (has_pooler) {
        hy_url_clear(&pooler);
        hy_url_clear(&server);
    }
    return failed;
}
