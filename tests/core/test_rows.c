/*
 * Many rows for the parameters of one, driver by driver: PostgreSQL takes them as arrays,
 * MariaDB as one execution, MySQL not at all. The oracle is what the server itself counts.
 */
#include "servers.h"

#include <source/source_impl.h>

static place at; /* the one connection that all of this is about */
static hy_connection *c;

/* ---- helpers ---------------------------------------------------------------------------- */

static bool is_postgres(void)
{
    return server.kind == SERVER_POSTGRES;
}

static bool takes_rows(void)
{
    return server.kind != SERVER_MYSQL;
}

static hy_status wait_for(hy_status status, hy_wait *wait, hy_error *err)
{
    while (status == HY_AGAIN) {
        (void)hy_wait_block(wait);
        status = c->driver->advance(c, wait, err);
    }
    return status;
}

/* Prepare and run to the end; `affected` may be NULL. */
static hy_status drive(const char *sql, const hy_bind *binds, size_t n, int64_t *affected, hy_error *err)
{
    hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
    hy__cached *s = hy__cached_new(c->driver, 0, sql, strlen(sql), NULL, 0);

    assert_non_null(s);
    hy_error_clear(err);
    c->deadline = HY_NO_DEADLINE;
    hy_status status = c->driver->prepare(c, s->statement, sql, strlen(sql), NULL, 0, &wait, err);
    status = wait_for(status, &wait, err);
    if (status == HY_OK) {
        status = wait_for(c->driver->execute(c, s->statement, binds, n, &wait, err), &wait, err);
        if (affected != NULL)
            *affected = c->driver->affected(c);
        c->driver->finish(c, s->statement);
    }
    hy__cached_free(s, c);
    return status;
}

/* What inserts many rows of (n, t). */
static const char *insert_sql(void)
{
    return is_postgres() ? "INSERT INTO hy_rows (n, t) SELECT * FROM unnest($1::integer[], $2::text[])"
                         : "INSERT INTO hy_rows (n, t) VALUES (?, ?)";
}

static hy_bind of_int(int64_t n)
{
    return (hy_bind){.value = hy_int(n), .kind = HY_KIND_INTEGER};
}

static hy_bind of_text(const char *text)
{
    return (hy_bind){.value = text != NULL ? hy_text(text) : hy_null(), .kind = HY_KIND_TEXT};
}

static int64_t n_rows(void)
{
    return sql_number(at, "SELECT count(*) FROM hy_rows");
}

static void start_empty(void)
{
    sql_run(at, "DELETE FROM hy_rows");
}

/* ---- tests ------------------------------------------------------------------------------ */

static void test_who_takes_rows(void **state)
{
    hy_error err;
    const hy_bind binds[] = {of_int(1), of_text("a"), of_int(2), of_text("b")};

    (void)state;
    assert_int_equal(c->takes_rows, takes_rows());
    assert_int_equal((hy_source_features(at.source) & HY_FEATURE(ROW_ARRAYS)) != 0, takes_rows());
    if (takes_rows())
        return;
    assert_fails(HY_EINVALID_ARGUMENT, err,
                 drive("INSERT INTO hy_rows (n, t) VALUES (?, ?)", binds, 4, NULL, &err));
}

static void test_nulls(void **state)
{
    const hy_bind binds[] = {{.value = hy_null()}, of_text(NULL), of_int(-7), of_text(""),
                             {.value = hy_null()}, of_text("c"),  of_int(9),  of_text(NULL)};
    int64_t affected = 0;
    hy_error err;

    (void)state;
    if (!takes_rows())
        return;
    start_empty();
    assert_int_equal(drive(insert_sql(), binds, 8, &affected, &err), HY_DONE);
    assert_int_equal(affected, 4);
    assert_int_equal(n_rows(), 4);
    assert_int_equal(sql_number(at, "SELECT count(*) FROM hy_rows WHERE n IS NULL AND t IS NULL"), 1);
    assert_int_equal(sql_number(at, "SELECT count(*) FROM hy_rows WHERE n = -7 AND t = ''"), 1);
    assert_int_equal(sql_number(at, "SELECT count(*) FROM hy_rows WHERE n IS NULL AND t = 'c'"), 1);
    assert_int_equal(sql_number(at, "SELECT count(*) FROM hy_rows WHERE n = 9 AND t IS NULL"), 1);
}

static void test_column_of_nulls(void **state)
{
    const hy_bind binds[] = {of_int(1), of_text(NULL), of_int(2), of_text(NULL)};
    hy_error err;

    (void)state;
    if (!takes_rows())
        return;
    start_empty();
    assert_int_equal(drive(insert_sql(), binds, 4, NULL, &err), HY_DONE);
    assert_int_equal(sql_number(at, "SELECT count(*) FROM hy_rows WHERE t IS NULL"), 2);
}

static void test_wrong_counts(void **state)
{
    const hy_bind binds[] = {of_int(1), of_text("a"), of_int(2), of_text("b")};
    hy_error err;

    (void)state;
    if (!takes_rows())
        return;
    start_empty();
    assert_fails(HY_EINVALID_ARGUMENT, err, drive(insert_sql(), binds, 3, NULL, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, drive(insert_sql(), binds, 1, NULL, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, drive(insert_sql(), binds, 0, NULL, &err));
    if (is_postgres()) /* parameters that are no arrays */
        assert_fails(HY_EINVALID_ARGUMENT, err,
                     drive("INSERT INTO hy_rows (n, t) VALUES ($1, $2)", binds, 4, NULL, &err));
    assert_int_equal(n_rows(), 0);
}

/* Nothing was sent: the transaction goes on. */
static void refuses_row(hy_status code, hy_bind bad)
{
    const hy_bind binds[] = {of_int(1), of_text("a"), of_int(2), bad, of_int(3), of_text("c")};
    hy_error err;

    start_empty();
    sql_run(at, "BEGIN");
    sql_run(at, "INSERT INTO hy_rows (n) VALUES (5)");
    assert_fails(code, err, drive(insert_sql(), binds, 6, NULL, &err));
    sql_run(at, "INSERT INTO hy_rows (n) VALUES (6)");
    sql_run(at, "COMMIT");
    assert_int_equal(n_rows(), 2);
}

static void test_refused_values(void **state)
{
    (void)state;
    if (!takes_rows())
        return;
    refuses_row(HY_EDATA_INVALID, (hy_bind){.value = hy_bytes(HY_TEXT, "a\0b", 3)});
    refuses_row(HY_EDATA_INVALID, (hy_bind){.value = hy_bytes(HY_TEXT, "\xff", 1)});
    refuses_row(HY_EDATA_INVALID, of_int(4)); /* among texts */
}

static void test_all_or_none(void **state)
{
    const hy_bind binds[] = {of_int(1), of_text("a"), of_int(2), of_text("b"), of_int(1), of_text("c")};
    hy_error err;

    (void)state;
    if (!takes_rows())
        return;
    start_empty();
    assert_fails(HY_EUNIQUE_VIOLATION, err, drive(insert_sql(), binds, 6, NULL, &err));
    assert_int_equal(n_rows(), 0);
    assert_int_equal(drive(insert_sql(), binds, 4, NULL, &err), HY_DONE);
    assert_int_equal(n_rows(), 2);
}

/* Where one row and many share a statement it must not remember which it was. */
static void test_one_and_many(void **state)
{
    const hy_bind binds[] = {of_int(1), of_text("a"), of_int(2), of_text("b"), of_int(3), of_text("c")};
    hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
    hy_error err;

    (void)state;
    if (!takes_rows())
        return;
    if (is_postgres())
        return;
    start_empty();
    const char *sql = insert_sql();
    hy__cached *s = hy__cached_new(c->driver, 0, sql, strlen(sql), NULL, 0);
    assert_non_null(s);
    hy_status status = c->driver->prepare(c, s->statement, sql, strlen(sql), NULL, 0, &wait, &err);
    assert_int_equal(wait_for(status, &wait, &err), HY_OK);
    static const size_t counts[] = {1, 3, 1, 2, 1};
    int64_t total = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        start_empty();
        status = c->driver->execute(c, s->statement, binds, 2 * counts[i], &wait, &err);
        assert_int_equal(wait_for(status, &wait, &err), HY_DONE);
        c->driver->finish(c, s->statement);
        assert_int_equal(n_rows(), counts[i]);
        total += sql_number(at, "SELECT sum(n) FROM hy_rows");
    }
    assert_int_equal(total, 1 + 6 + 1 + 3 + 1);
    hy__cached_free(s, c);
}

static void test_too_long(void **state)
{
    enum { SIZE = 1 << 20 };
    int64_t limit;
    hy_error err;

    (void)state;
    if (!takes_rows())
        return;
    if (is_postgres())
        return; /* 512 MiB: too much for a test */
    start_empty();
    limit = sql_number(at, "SELECT @@max_allowed_packet");
    size_t n = (size_t)(limit / SIZE) + 1;
    char *text = malloc(SIZE);
    hy_bind *binds = calloc(2 * n, sizeof *binds);
    assert_non_null(text);
    assert_non_null(binds);
    memset(text, 'x', SIZE);
    for (size_t i = 0; i < n; i++) {
        binds[2 * i] = of_int((int64_t)i);
        binds[2 * i + 1] = (hy_bind){.value = hy_bytes(HY_TEXT, text, SIZE)};
    }
    assert_fails(HY_ELIMIT_EXCEEDED, err, drive(insert_sql(), binds, 2 * n, NULL, &err));
    assert_int_equal(n_rows(), 0);
    free(binds);
    free(text);
}

/* The server would read them in the session's time zone, if the column has one. */
static void test_time_zone(void **state)
{
    static const char sql[] = "INSERT INTO hy_rows (at) SELECT * FROM unnest($1::timestamp[])";
    const hy_bind binds[] = {{.value = {.type = HY_TIMESTAMP, .as.micros = 0}},
                             {.value = {.type = HY_TIMESTAMP, .as.micros = INT64_C(86400000000)}}};
    hy_error err;

    (void)state;
    if (!takes_rows())
        return;
    if (!is_postgres())
        return;
    start_empty();
    sql_run(at, "SET TIME ZONE 'Europe/Berlin'");
    assert_fails(HY_EUNSUPPORTED, err, drive(sql, binds, 2, NULL, &err));
    sql_run(at, "SET TIME ZONE 'UTC'");
    assert_int_equal(drive(sql, binds, 2, NULL, &err), HY_DONE);
    assert_int_equal(sql_number(at, "SELECT extract(epoch FROM max(at))::bigint FROM hy_rows"), 86400);
}

/* Every allocation fails once: an error and no leak, or the rows. */
static void test_memory_ends(void **state)
{
    hy_test_heap heap = {0};
    int failed = 0;

    (void)state;
    if (!takes_rows())
        return;
    start_empty();
    for (long call = 1; call < 200; call++) {
        const hy_bind binds[] = {of_int(call * 2), of_text("a"), of_int(call * 2 + 1), of_text("b")};
        hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
        const char *sql = insert_sql();
        hy_error err;
        heap = (hy_test_heap){.live = heap.live};
        hy__cached *s = hy__cached_new(c->driver, 0, sql, strlen(sql), NULL, 0);
        assert_non_null(s);
        hy_error_clear(&err);
        hy_status status = c->driver->prepare(c, s->statement, sql, strlen(sql), NULL, 0, &wait, &err);
        assert_int_equal(wait_for(status, &wait, &err), HY_OK);
        hy_test_use_heap(&heap);
        heap.fail_at = call;
        status = wait_for(c->driver->execute(c, s->statement, binds, 4, &wait, &err), &wait, &err);
        heap.fail_at = 0;
        hy_test_use_heap(NULL);
        c->driver->finish(c, s->statement);
        hy__cached_free(s, c);
        if (heap.calls < call) {
            assert_int_equal(status, HY_DONE);
            break;
        }
        assert_int_equal(status, HY_EOUT_OF_MEMORY);
        failed++;
    }
    print_message("%d allocations were made to fail\n", failed);
    assert_true(failed >= 1);
}

/* ---- main ------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    const hy_source_config config = server_config(NULL);
    hy_error err;

    (void)state;
    at = (place){.source = server_open(&config)};
    if (hy_source_acquire(at.source, 0, &at.lease, &err) != HY_OK)
        fail_msg("%s", err.message);
    c = hy_lease_connection(at.lease);
    sql_run(at, "DROP TABLE IF EXISTS hy_rows");
    sql_run(at, "CREATE TABLE hy_rows (n integer UNIQUE, t text, at timestamp NULL)");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sql_run(at, "DROP TABLE hy_rows");
    hy_lease_release(at.lease);
    server_shut(at.source);
    return 0;
}

#define TEST(name)                                  \
    {                                               \
#name, test_##name, set_up, tear_down, NULL \
    }
static const struct CMUnitTest tests[] = {
    TEST(who_takes_rows), TEST(nulls),        TEST(column_of_nulls), TEST(wrong_counts), TEST(refused_values),
    TEST(all_or_none),    TEST(one_and_many), TEST(too_long),        TEST(time_zone),    TEST(memory_ends),
};

int main(int argc, char **argv)
{
    return servers_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
