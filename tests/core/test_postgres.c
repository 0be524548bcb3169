/*
 * The PostgreSQL driver against a real server: HY_TEST_POSTGRES_URL says where it is (see
 * tests/support/servers.sh). Without it every test is a skip. Oracles are the server's own
 * text of a value, its catalogue, and a second connection.
 */
#include "postgres_tests.h"

hy_source *shared;
hy_url address;

/* ---- prepared statements ---------------------------------------------------------------- */

static int64_t names_on_server(place at)
{
    return number_at(
        at,
        "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql AND name LIKE 'hy~_%' ESCAPE '~'");
}

static void statements_are_kept_and_let_go(void **state)
{
    hy_source_config config;
    char sql[64];
    cells c;

    NEED_SERVER;
    config = base_config();
    config.prepare = HY_PREPARE_NAMED;
    config.statement_cache = 8;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    for (int i = 0; i < 50; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(number_at(at, sql), i);
    }
    /* The cache's, this one, and one that is let go with the next prepare. */
    assert_in_range(names_on_server(at), 8, 10);
    /* Inside a transaction nothing is let go: a name that is missing would end it. */
    hy_transaction *trx = begin(source, HY_ISOLATION_DEFAULT);
    run_at((place){.source = source, .trx = trx}, "DEALLOCATE ALL");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", 100 + i);
        assert_int_equal(number_at((place){.source = source, .trx = trx}, sql), 100 + i);
    }
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    hy_transaction_free(trx);
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    /* Typed parameters: one statement per kind. */
    const hy_bind number = {.value = hy_int(5)}, text = {.value = bytes(HY_TEXT, "five")};
    query_at(at, &c, "SELECT ?", &number, 1);
    assert_int_equal(c.v[0].type, HY_INT);
    drop_cells(&c);
    query_at(at, &c, "SELECT ?", &text, 1);
    assert_string_equal(c.bytes[0], "five");
    drop_cells(&c);
    shut(source);
}

static void stale_plans_are_prepared_again(void **state)
{
    hy_error err;
    cells c;

    NEED_SERVER;
    hy_source_config config = base_config();
    config.prepare = HY_PREPARE_NAMED;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    run("CREATE TABLE hy_test.a (id int)");
    run("INSERT INTO hy_test.a VALUES (7)");
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_int_equal(c.n, 1);
    drop_cells(&c);
    run("ALTER TABLE hy_test.a ADD name text DEFAULT 'x'"); /* another source's connection */
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.bytes[1], "x");
    drop_cells(&c);
    run("ALTER TABLE hy_test.a ALTER id TYPE text");
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_string_equal(c.bytes[0], "7");
    drop_cells(&c);

    /* Forgotten by the server. */
    hy_lease *lease = acquire(source);
    run_at((place){.source = source, .lease = lease}, "DEALLOCATE ALL");
    query_at((place){.source = source, .lease = lease}, &c, "SELECT * FROM hy_test.a", NULL, 0);
    drop_cells(&c);
    hy_lease_release(lease);

    /* Inside a transaction the error ended it; the next one goes well. */
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    drop_cells(&c);
    hy_transaction *trx = begin(source, HY_ISOLATION_DEFAULT);
    run("ALTER TABLE hy_test.a ADD third int");
    assert_int_equal(HY_ETRANSACTION_ABORTED, try_query((place){.source = source, .trx = trx}, &c, &err,
                                                        "SELECT * FROM hy_test.a", NULL, 0));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    hy_transaction_free(trx);
    trx = begin(source, HY_ISOLATION_DEFAULT);
    query_at((place){.source = source, .trx = trx}, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_int_equal(c.n, 3);
    drop_cells(&c);
    assert_int_equal(HY_OK, commit(trx, &err));
    hy_transaction_free(trx);
    shut(source);
}

/* How often a text is there under a name. */
static int64_t named_as(place at, const char *sql)
{
    const hy_bind text = {.value = bytes(HY_TEXT, sql)};
    cells c;

    query_at(at, &c, "SELECT count(*) FROM pg_prepared_statements WHERE statement = ?", &text, 1);
    int64_t n = c.v[0].as.integer;
    drop_cells(&c);
    return n;
}

static void texts_get_names_when_they_come_again(void **state)
{
    static const struct {
        hy_prepare prepare;
        int64_t names[3]; /* after the first run, the second and the third */
    } cases[] = {
        {HY_PREPARE_AUTO, {0, 1, 1}},
        {HY_PREPARE_NAMED, {1, 1, 1}},
        {HY_PREPARE_UNNAMED, {0, 0, 0}},
        {HY_PREPARE_OFF, {0, 0, 0}},
    };
    static const char sql[] = "SELECT 40 + 2";

    NEED_SERVER;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_source_config config = base_config();
        config.pool.max = 1;
        config.prepare = cases[i].prepare;
        hy_source *source = open_source(&config);
        place at = {.source = source};
        for (int run = 0; run < 3; run++) {
            assert_int_equal(number_at(at, sql), 42);
            assert_int_equal(named_as(at, sql), cases[i].names[run]);
        }
        assert_int_equal(hy_source_prepare(source), cases[i].prepare);
        shut(source);
    }
    hy_source_config config = base_config();
    hy_source *source;
    hy_error err;
    config.prepare = (hy_prepare)7;
    assert_fails(HY_EINVALID_CONFIG, err, hy_source_open(&config, &source, &err));
}

/* What a pooler does: the session is not the one that was told. */
static void forgotten_names_are_given_up(void **state)
{
    static const char sql[] = "SELECT 40 + 2", other[] = "SELECT 6 * 7";
    hy_error err;

    NEED_SERVER;
    run("CREATE FUNCTION hy_test.forget() RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 1; END $$");
    for (int in_transaction = 0; in_transaction < 2; in_transaction++) {
        hy_source_config config = base_config();
        config.pool.max = 1;
        hy_source *source = open_source(&config);
        place at = {.source = source};
        for (int i = 0; i < 2; i++)
            assert_int_equal(number_at(at, sql), 42);
        assert_int_equal(named_as(at, sql), 1);
        assert_int_equal(number_at(at, "SELECT hy_test.forget()"), 1);
        assert_int_equal(hy_source_prepare(source), HY_PREPARE_AUTO);
        hy_transaction *trx = in_transaction ? begin(source, HY_ISOLATION_DEFAULT) : NULL;
        if (trx != NULL)
            assert_fails(HY_ETRANSACTION_ABORTED, err,
                         try_run((place){.source = source, .trx = trx}, &err, sql));
        else
            assert_int_equal(number_at(at, sql), 42); /* nothing ran: once more, without a word */
        assert_true(trx == NULL || strstr(err.message, "forgot a prepared statement") != NULL);
        hy_transaction_free(trx);
        assert_int_equal(hy_source_prepare(source), HY_PREPARE_UNNAMED);
        for (int i = 0; i < 3; i++)
            assert_int_equal(number_at(at, i == 0 ? sql : other), 42);
        assert_int_equal(names_on_server(at), 0);
        shut(source);
    }
    /* Who says that he forgets is believed: that is no pooler. */
    hy_source_config config = base_config();
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    for (int i = 0; i < 2; i++)
        assert_int_equal(number_at(at, sql), 42);
    run_at(at, "DEALLOCATE ALL");
    assert_int_equal(number_at(at, sql), 42);
    assert_int_equal(hy_source_prepare(source), HY_PREPARE_AUTO);
    hy_lease_release(lease);
    shut(source);
}

static void statements_work_without_names(void **state)
{
    const hy_bind binds[2] = {{.value = hy_int(5)}, {.value = bytes(HY_TEXT, "x")}};
    hy_source_config config;
    hy_error err;
    cells c;

    NEED_SERVER;
    config = base_config();
    config.prepare = HY_PREPARE_UNNAMED;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    for (int i = 0; i < 3; i++) {
        query_at(at, &c, "SELECT ? + 1, ?", binds, 2);
        assert_int_equal(c.v[0].as.integer, 6);
        assert_string_equal(c.bytes[1], "x");
        drop_cells(&c);
    }
    assert_int_equal(names_on_server(at), 0);
    /* The text means something else by now: columns are looked at each time. */
    run("CREATE TABLE hy_test.u (id int)");
    run("INSERT INTO hy_test.u VALUES (7)");
    query_at(at, &c, "SELECT * FROM hy_test.u", NULL, 0);
    drop_cells(&c);
    run("ALTER TABLE hy_test.u ALTER id TYPE bigint");
    query_at(at, &c, "SELECT * FROM hy_test.u", NULL, 0);
    assert_int_equal(c.v[0].as.integer, 7);
    assert_int_equal(c.kinds[0], HY_KIND_BIGINT);
    drop_cells(&c);
    run("ALTER TABLE hy_test.u ADD span interval DEFAULT '1 day'"); /* no binary form */
    hy_status status = try_query(at, &c, &err, "SELECT * FROM hy_test.u", NULL, 0);
    assert_true(status == HY_OK || status == HY_EDATABASE_ERROR);
    drop_cells(&c);
    shut(source);
}

static void counts_are_told(void **state)
{
    int64_t affected;
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.c (id int)");
    assert_int_equal(HY_OK, try_with((place){.source = NULL}, &err, &affected,
                                     "INSERT INTO hy_test.c SELECT generate_series(1, 100)", NULL, 0));
    assert_int_equal(affected, 100);
    assert_int_equal(HY_OK, try_with((place){.source = NULL}, &err, &affected,
                                     "UPDATE hy_test.c SET id = id WHERE id > 90 RETURNING id", NULL, 0));
    assert_int_equal(affected, 10);
    assert_int_equal(HY_OK,
                     try_with((place){.source = NULL}, &err, &affected, "SELECT * FROM hy_test.c", NULL, 0));
    assert_int_equal(affected, 0);
    assert_int_equal(HY_OK,
                     try_with((place){.source = NULL}, &err, &affected, "DELETE FROM hy_test.c", NULL, 0));
    assert_int_equal(affected, 100);
}

static void too_many_parameters_are_refused(void **state)
{
    enum { N = 65536 };
    hy_buf sql;
    hy_error err;

    NEED_SERVER;
    hy_bind *binds = calloc(N, sizeof *binds);
    hy_buf_init(&sql);
    for (int extra = 0; extra < 2; extra++) {
        size_t n = (size_t)(N - 1 + extra);
        hy_buf_reset(&sql);
        hy_buf_puts(&sql, "SELECT count(*) FROM (VALUES ");
        for (size_t i = 0; i < n; i++) {
            binds[i].value = hy_int((int64_t)i);
            hy_buf_puts(&sql, i > 0 ? ", (?)" : "(?)");
        }
        hy_buf_puts(&sql, ") AS t");
        cells c;
        hy_status status = try_query((place){.source = NULL}, &c, &err, hy_buf_text(&sql), binds, n);
        assert_int_equal(status, extra > 0 ? HY_ELIMIT_EXCEEDED : HY_OK);
        if (extra == 0)
            assert_int_equal(c.v[0].as.integer, n);
        drop_cells(&c);
    }
    hy_buf_clear(&sql);
    free(binds);
}

/* ---- the session between borrowers ------------------------------------------------------ */

static void nothing_passes_to_the_next_borrower(void **state)
{
    hy_source_config config;
    hy_error err;

    NEED_SERVER;
    config = base_config();
    config.pool.max = 1;
    config.connect.schema = "hy_test";
    hy_source *source = open_source(&config);
    int64_t pid = number_at((place){.source = source}, "SELECT pg_backend_pid()");
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    run_at(at, "SET work_mem = '5MB'");
    run_at(at, "SET TimeZone = 'Asia/Tokyo'");
    run_at(at, "SET standard_conforming_strings = off");
    run_at(at, "SET default_transaction_isolation = 'serializable'");
    run_at(at, "SET search_path = pg_catalog");
    run_at(at, "CREATE TEMP TABLE hy_left (id int)");
    run_at(at, "SELECT pg_advisory_lock(4711)");
    run_at(at, "LISTEN hy_channel");
    run_at(at, "PREPARE hy_name AS SELECT 1");
    run_at(at, "SET ROLE pg_read_all_data");
    run_at(at, "DECLARE hy_cursor CURSOR WITH HOLD FOR SELECT 1");
    run_at(at, "BEGIN");
    run_at(at, "CREATE TABLE pg_temp.hy_open (id int)");
    hy_lease_release(lease);

    at = (place){.source = source};
    static const struct {
        const char *sql;
        int64_t expected;
    } cases[] = {
        {"SELECT (current_setting('work_mem') = '5MB')::int", 0},
        {"SELECT (current_setting('TimeZone') = 'UTC')::int", 1},
        {"SELECT (current_setting('standard_conforming_strings') = 'on')::int", 1},
        {"SELECT (current_setting('default_transaction_isolation') = 'read committed')::int", 1},
        {"SELECT (current_schema() = 'hy_test')::int", 1},
        {"SELECT (to_regclass('pg_temp.hy_left') IS NULL)::int", 1},
        {"SELECT (to_regclass('pg_temp.hy_open') IS NULL)::int", 1},
        {"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 0},
        {"SELECT count(*) FROM pg_listening_channels()", 0},
        {"SELECT count(*) FROM pg_prepared_statements WHERE from_sql", 0},
        {"SELECT count(*) FROM pg_cursors WHERE name = 'hy_cursor'", 0},
        {"SELECT (current_user = session_user)::int", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (number_at(at, cases[i].sql) != cases[i].expected)
            fail_msg("passed on: %s", cases[i].sql);
    assert_int_equal(number_at(at, "SELECT pg_backend_pid()"), pid); /* cleaned, not replaced */
    /* Raw SQL that leaves nothing does not cost our prepared statements. */
    int64_t before = names_on_server(at);
    run_at(at, "SELECT 1");
    assert_true(names_on_server(at) >= before);
    assert_int_equal(HY_OK, try_run(at, &err, "SELECT 1"));
    shut(source);
}

static void notifications_do_not_pile_up(void **state)
{
    hy_error err;

    NEED_SERVER;
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    run_at(at, "LISTEN hy_news");
    for (int i = 0; i < 20; i++)
        run("NOTIFY hy_news, 'x'");
    for (int i = 0; i < 20; i++)
        assert_int_equal(HY_OK, try_run(at, &err, "SELECT 1"));
    hy_lease_release(lease);
}

/* ---- broken connections, deadlines, cancelling ------------------------------------------ */

static int64_t backend_of(hy_lease *lease)
{
    return number_at((place){.source = hy_lease_source(lease), .lease = lease}, "SELECT pg_backend_pid()");
}

static void kill_backend(int64_t pid)
{
    const hy_bind bind = {.value = hy_int(pid), .kind = HY_KIND_INTEGER};
    cells c;

    query_at((place){.source = NULL}, &c, "SELECT pg_terminate_backend(?, 5000)", &bind, 1);
    assert_true(c.v[0].as.boolean);
    drop_cells(&c);
}

static void killed_backends_are_noticed(void **state)
{
    hy_pool_stats stats;
    hy_error err;

    NEED_SERVER;
    hy_source_config config = base_config();
    config.pool.max = 2;
    hy_source *source = open_source(&config);

    /* While it is lent: typed, and replaced. */
    hy_lease *lease = acquire(source);
    kill_backend(backend_of(lease));
    assert_int_equal(HY_ECONNECTION_LOST,
                     try_run((place){.source = source, .lease = lease}, &err, "SELECT 1"));
    assert_true(strcmp(err.sqlstate, "57P01") == 0 || err.sqlstate[0] == '\0');
    hy_lease_release(lease);
    assert_int_equal(number_at((place){.source = source}, "SELECT 1"), 1);

    /* While it is idle: nobody notices at all. */
    lease = acquire(source);
    int64_t pid = backend_of(lease);
    hy_lease_release(lease);
    kill_backend(pid);
    assert_int_equal(number_at((place){.source = source}, "SELECT 1"), 1);

    /* In a transaction, and at its COMMIT. */
    hy_transaction *trx = begin(source, HY_ISOLATION_DEFAULT);
    kill_backend(backend_of(hy_transaction_lease(trx)));
    assert_int_equal(HY_ECONNECTION_LOST, try_run((place){.source = source, .trx = trx}, &err, "SELECT 1"));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    hy_transaction_free(trx);
    trx = begin(source, HY_ISOLATION_DEFAULT);
    kill_backend(backend_of(hy_transaction_lease(trx)));
    assert_int_equal(HY_EOUTCOME_UNKNOWN, commit(trx, &err));
    hy_transaction_free(trx);

    /* In the middle of a statement, by another thread. */
    assert_int_equal(number_at((place){.source = source}, "SELECT 1"), 1);
    hy_source_stats(source, &stats);
    assert_int_equal(stats.leased, 0);
    assert_true(stats.discarded >= 3);
    shut(source);
}

static void deadlines_hold(void **state)
{
    hy_source_config config;
    hy_pool_stats stats;
    hy_error err;

    NEED_SERVER;
    config = base_config();
    config.statement_timeout = 200;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    int64_t began = hy_monotonic_ns();
    assert_int_equal(HY_EQUERY_TIMEOUT, try_run(at, &err, "SELECT pg_sleep(30)"));
    int64_t took = (hy_monotonic_ns() - began) / 1000000;
    print_message("a deadline of 200 ms ended after %lld ms\n", (long long)took);
    assert_in_range(took, 200, 300);
    hy_source_stats(source, &stats);
    assert_int_equal(stats.discarded, 1);
    assert_int_equal(stats.leased, 0);
    /* The server was told, it does not go on sleeping. */
    hy_lease *lease = acquire(shared);
    int64_t left = 1;
    for (int i = 0; i < 100 && left > 0; i++) {
        (void)usleep(10000);
        left = number_at((place){.lease = lease},
                         "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'");
    }
    assert_int_equal(left, 0);
    hy_lease_release(lease);
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    shut(source);
}

/* ---- threads, forks, memory ------------------------------------------------------------- */

enum { THREADS = 2, ROUNDS = 300 };

static void *hammer(void *arg)
{
    int64_t *errors = arg;

    for (int i = 0; i < ROUNDS; i++) {
        hy_run_options options = {.may_block = true};
        const hy_bind bind = {.value = hy_int(i)};
        hy_error err;
        hy_cursor *cursor = hy_cursor_new();
        const hy_value *row;
        static const char sql[] = "SELECT ?::bigint * 2, 'x'";
        hy_status status =
            hy_cursor_start_raw(cursor, shared, sql, sizeof sql - 1, &bind, NULL, 1, &options, &err);
        if (status == HY_OK)
            status = hy_task_run(hy_cursor_task(cursor), &err);
        if (status == HY_OK)
            status = hy_cursor_fetch(cursor, &row, &err);
        if (status != HY_OK || row[0].as.integer != 2 * i) {
            print_error("round %d: %s\n", i, status != HY_OK ? err.message : "wrong value");
            (*errors)++;
        }
        hy_cursor_free(cursor);
    }
    return NULL;
}

static void threads_share_a_source(void **state)
{
    pthread_t threads[THREADS];
    int64_t errors[THREADS] = {0};
    hy_pool_stats stats;

    NEED_SERVER;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, hammer, &errors[i]));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        assert_int_equal(errors[i], 0);
    }
    hy_source_stats(shared, &stats);
    assert_int_equal(stats.leased, 0);
    assert_true(stats.size <= stats.max);
}

/* Closing an inherited connection in a child must not end the parent's session. */
static void forked_children_leave_the_session_alone(void **state)
{
    int outcome;

    NEED_SERVER;
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    int64_t pid = backend_of(lease);
    pid_t child = fork();
    if (child == 0) {
        hy_error err;
        hy_status status = try_run(at, &err, "SELECT 1");
        hy_lease_release(lease);
        hy_source_close(shared);
        _exit(status == HY_ECLOSED ? 0 : 1);
    }
    assert_int_equal(child, waitpid(child, &outcome, 0));
    assert_true(WIFEXITED(outcome));
    assert_int_equal(WEXITSTATUS(outcome), 0);
    assert_int_equal(backend_of(lease), pid);
    hy_lease_release(lease);
}

/* Every allocation of ours fails once: an error and no leak, or what was asked for. */
static void memory_may_end_anywhere(void **state)
{
    hy_test_heap heap = {0};
    int failed = 0;

    NEED_SERVER;
    run("CREATE TYPE hy_test.humour AS ENUM ('sad', 'glad')");
    hy_source_config config = base_config();
    hy_test_use_heap(&heap);
    for (long at = 1; at < 1000; at++) {
        const hy_bind binds[2] = {{.value = bytes(HY_JSON, "[1]"), .kind = HY_KIND_JSONB},
                                  {.value = hy_int(1)}};
        hy_source *source;
        hy_error err;
        cells c = {0};
        heap = (hy_test_heap){.fail_at = at};
        hy_status status = hy_source_open(&config, &source, &err);
        if (status == HY_OK) {
            status = try_query((place){.source = source}, &c, &err,
                               "SELECT ?::jsonb, ARRAY[?::numeric], 1.5, 'sad'::hy_test.humour", binds, 2);
            shut(source);
        }
        drop_cells(&c);
        hy_test_settle(&heap);
        if (heap.calls < at) {
            assert_int_equal(status, HY_OK);
            break;
        }
        assert_true(status == HY_EOUT_OF_MEMORY || status == HY_OK || status == HY_EDATA_INVALID);
        failed += status == HY_EOUT_OF_MEMORY;
    }
    hy_test_use_heap(NULL);
    print_message("%d allocations were made to fail\n", failed);
    assert_true(failed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_may_end_anywhere), /* first: who changes the allocator must be alone */
        cmocka_unit_test(texts_are_understood),
        cmocka_unit_test(values_go_round),
        cmocka_unit_test(numerics_agree_in_both_forms),
        cmocka_unit_test(blobs_keep_every_byte),
        cmocka_unit_test(arrays_become_json),
        cmocka_unit_test(json_becomes_an_array),
        cmocka_unit_test(types_of_the_database),
        cmocka_unit_test(kinds_and_names_are_told),
        cmocka_unit_test(nulls_fit_everywhere),
        cmocka_unit_test(refuses_what_has_no_counterpart),
        cmocka_unit_test(refuses_bad_text_before_sending),
        cmocka_unit_test(places_decide_for_other_types),
        cmocka_unit_test(instants_do_not_depend_on_the_session),
        cmocka_unit_test(errors_are_typed),
        cmocka_unit_test(permissions_are_typed),
        cmocka_unit_test(connecting_fails_with_reasons),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(addresses_are_tried_in_turn),
        cmocka_unit_test(unknown_time_zones_are_refused),
        cmocka_unit_test(sessions_are_set_up),
        cmocka_unit_test(the_version_is_read),
        cmocka_unit_test(failed_transactions_refuse),
        cmocka_unit_test(a_commit_that_rolls_back_is_an_error),
        cmocka_unit_test(deadlocks_are_typed),
        cmocka_unit_test(serialization_failures_are_typed),
        cmocka_unit_test(lock_timeouts_are_typed),
        cmocka_unit_test(statements_are_kept_and_let_go),
        cmocka_unit_test(stale_plans_are_prepared_again),
        cmocka_unit_test(texts_get_names_when_they_come_again),
        cmocka_unit_test(forgotten_names_are_given_up),
        cmocka_unit_test(statements_work_without_names),
        cmocka_unit_test(counts_are_told),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(rows_come_one_by_one),
        cmocka_unit_test(nothing_passes_to_the_next_borrower),
        cmocka_unit_test(notifications_do_not_pile_up),
        cmocka_unit_test(killed_backends_are_noticed),
        cmocka_unit_test(deadlines_hold),
        cmocka_unit_test(threads_share_a_source),
        cmocka_unit_test(forked_children_leave_the_session_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
