/*
 * Transactions and savepoints against a fake server: what is sent, what state they are in
 * after every kind of failure, and that a broken COMMIT is neither done nor failed.
 */
#include "hy_test.h"

#include <stdio.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <source/source_impl.h>

#include "fake_driver.h"

enum { MS = 1000000 };

static int setup(void **state)
{
    (void)state;
    fake_reset(HY_DRIVER_BEGIN_MODES);
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

static hy_source *open_source(void)
{
    hy_source_config config = {
        .type = "sqlite", .driver = fake_driver(), .pool = {.max = 2, .acquire_timeout = 2000}};
    hy_source *source;
    hy_error err;

    assert_int_equal(HY_OK, hy_source_open(&config, &source, &err));
    return source;
}

static hy_transaction *begin_with(hy_source *source, hy_transaction_options options)
{
    hy_transaction *trx;
    hy_error err;
    hy_status status = hy_source_begin(source, &options, &trx, &err);

    if (status != HY_OK)
        fail_msg("begin: %s", err.message);
    return trx;
}

static hy_transaction *begin(hy_source *source)
{
    return begin_with(source, (hy_transaction_options){.isolation = HY_ISOLATION_DEFAULT});
}

static hy_status run(hy_transaction *trx, const char *sql, hy_error *err)
{
    hy_run_options options = {.transaction = trx};
    return hy_source_execute_raw(hy_transaction_source(trx), sql, NULL, 0, &options, NULL, err);
}

static hy_status commit(hy_transaction *trx, hy_error *err)
{
    hy_status status = hy_transaction_commit(trx, err);
    return status == HY_OK ? hy_transaction_run(trx, err) : status;
}

static hy_status rollback(hy_transaction *trx, hy_error *err)
{
    hy_status status = hy_transaction_rollback(trx, err);
    return status == HY_OK ? hy_transaction_run(trx, err) : status;
}

static size_t savepoint(hy_transaction *trx)
{
    size_t depth;
    hy_error err;

    assert_int_equal(HY_OK, hy_transaction_savepoint(trx, &depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    return depth;
}

static hy_status back_to(hy_transaction *trx, size_t depth, hy_error *err)
{
    hy_status status = hy_transaction_rollback_to(trx, depth, err);
    return status == HY_OK ? hy_transaction_run(trx, err) : status;
}

static hy_status release(hy_transaction *trx, size_t depth, hy_error *err)
{
    hy_status status = hy_transaction_release(trx, depth, err);
    return status == HY_OK ? hy_transaction_run(trx, err) : status;
}

/* The recorded texts, without connection numbers, joined by "; ". */
static void assert_sent(const char *expected)
{
    char sent[4096] = "";

    for (int i = 0; i < fake.n_log; i++) {
        strcat(sent, i > 0 ? "; " : "");
        strcat(sent, strchr(fake_log(i), ' ') + 1);
    }
    assert_string_equal(sent, expected);
}

static int idle_of(hy_source *source)
{
    hy_pool_stats s;
    hy_source_stats(source, &s);
    return s.leased == 0 ? s.idle : -1;
}

/* ---- the good way ----------------------------------------------------------------------- */

static void commits(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    assert_int_equal(HY_OK, run(trx, "INSERT 1", &err));
    assert_int_equal(HY_OK, commit(trx, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    assert_sent("BEGIN; INSERT 1; COMMIT");
    assert_int_equal(idle_of(source), 1); /* back before it is freed */
    assert_fails(HY_ETRANSACTION_NOT_ACTIVE, err, commit(trx, &err));
    assert_fails(HY_ETRANSACTION_NOT_ACTIVE, err, rollback(trx, &err));
    assert_fails(HY_ETRANSACTION_NOT_ACTIVE, err, run(trx, "INSERT 2", &err));
    assert_sent("BEGIN; INSERT 1; COMMIT");
    hy_transaction_free(trx);
    hy_transaction_free(NULL);
    hy_source_unref(source);
}

static void rolls_back(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, rollback(trx, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    assert_sent("BEGIN; ROLLBACK");
    hy_transaction_free(trx);
    trx = begin(source);
    hy_transaction_free(trx); /* left open */
    assert_sent("BEGIN; ROLLBACK; BEGIN; ROLLBACK");
    assert_int_equal(fake.connects, 1);
    hy_source_unref(source);
}

static void savepoints_are_a_stack_of_names_that_never_repeat(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    assert_int_equal(savepoint(trx), 1);
    assert_int_equal(savepoint(trx), 2);
    assert_int_equal(HY_OK, release(trx, 2, &err));
    assert_int_equal(hy_transaction_depth(trx), 1);
    assert_int_equal(savepoint(trx), 2);
    assert_int_equal(savepoint(trx), 3);
    assert_int_equal(HY_OK, back_to(trx, 1, &err)); /* ends 2 and 3 as well */
    assert_int_equal(hy_transaction_depth(trx), 0);
    assert_fails(HY_EINVALID_ARGUMENT, err, release(trx, 1, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, release(trx, 0, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, back_to(trx, 2, &err));
    assert_int_equal(savepoint(trx), 1);
    assert_int_equal(HY_OK, commit(trx, &err));
    assert_sent(
        "BEGIN; SAVEPOINT hy_sp_1; SAVEPOINT hy_sp_2; RELEASE SAVEPOINT hy_sp_2; SAVEPOINT hy_sp_3; "
        "SAVEPOINT hy_sp_4; ROLLBACK TO SAVEPOINT hy_sp_1; RELEASE SAVEPOINT hy_sp_1; SAVEPOINT hy_sp_5; "
        "COMMIT");
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void deep_stacks_work(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    for (size_t i = 1; i <= 100; i++)
        assert_int_equal(savepoint(trx), i);
    for (size_t i = 100; i >= 1; i--)
        assert_int_equal(HY_OK, release(trx, i, &err));
    assert_int_equal(HY_OK, commit(trx, &err));
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void there_is_an_end_to_nesting(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    size_t depth = 0;
    hy_error err;

    (void)state;
    for (size_t i = 1; i <= 1000; i++)
        assert_int_equal(savepoint(trx), i);
    assert_fails(HY_ELIMIT_EXCEEDED, err, hy_transaction_savepoint(trx, &depth, &err));
    assert_int_equal(HY_OK, back_to(trx, 1, &err));
    assert_int_equal(HY_OK, commit(trx, &err));
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* ---- how BEGIN is said ------------------------------------------------------------------ */

typedef struct begin_case {
    hy_driver_flags flags;
    hy_transaction_options options;
    const char *sent; /* NULL: unsupported */
} begin_case;

static void begin_speaks_as_the_driver_wants(void **state)
{
    static const begin_case cases[] = {
        {HY_DRIVER_SINGLE_WRITER, {.isolation = HY_ISOLATION_DEFAULT}, "BEGIN IMMEDIATE"},
        {HY_DRIVER_SINGLE_WRITER, {.isolation = HY_ISOLATION_SERIALIZABLE}, "BEGIN IMMEDIATE"},
        {HY_DRIVER_SINGLE_WRITER, {.read_only = true}, "BEGIN"},
        {HY_DRIVER_SINGLE_WRITER, {.isolation = HY_ISOLATION_READ_COMMITTED}, NULL},
        {HY_DRIVER_SINGLE_WRITER, {.deferrable = true}, NULL},
        {HY_DRIVER_BEGIN_MODES, {.read_only = true}, "BEGIN READ ONLY"},
        {HY_DRIVER_BEGIN_MODES,
         {.isolation = HY_ISOLATION_SERIALIZABLE, .read_only = true, .deferrable = true},
         "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"},
        {HY_DRIVER_SET_TRANSACTION, {.isolation = HY_ISOLATION_DEFAULT}, "START TRANSACTION"},
        {HY_DRIVER_SET_TRANSACTION,
         {.isolation = HY_ISOLATION_REPEATABLE_READ, .read_only = true},
         "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY"},
        {HY_DRIVER_SET_TRANSACTION, {.deferrable = true}, NULL},
        {0, {.isolation = HY_ISOLATION_DEFAULT}, "BEGIN"},
        {0, {.read_only = true}, NULL},
    };
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_reset(cases[i].flags);
        hy_source *source = open_source();
        hy_transaction *trx = NULL;
        if (cases[i].sent == NULL) {
            assert_fails(HY_EUNSUPPORTED, err, hy_source_begin(source, &cases[i].options, &trx, &err));
            assert_true(err.feature[0] != '\0');
            assert_null(trx);
            assert_int_equal(fake.connects, 0);
        } else {
            trx = begin_with(source, cases[i].options);
            assert_sent(cases[i].sent);
        }
        hy_transaction_free(trx);
        hy_source_unref(source);
    }
}

static void begin_may_fail(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx;
    hy_error err;

    (void)state;
    fake_reply *r = fake_add_reply("BEGIN");
    r->fails = HY_ELOCK_TIMEOUT;
    assert_fails(HY_ELOCK_TIMEOUT, err, hy_source_begin(source, NULL, &trx, &err));
    assert_null(trx);
    assert_int_equal(idle_of(source), 1);
    hy_source_unref(source);
}

static void begin_has_a_time(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx;
    hy_error err;
    const hy_transaction_options options = {.timeout = 30};

    (void)state;
    fake_reply *r = fake_add_reply("BEGIN");
    r->again = 1000;
    r->again_ns = 5 * (int64_t)MS;
    assert_fails(HY_EQUERY_TIMEOUT, err, hy_source_begin(source, &options, &trx, &err));
    assert_int_equal(fake.given_up, 1);
    assert_int_equal(fake.live, 0); /* in the middle of something: closed */
    hy_source_unref(source);
}

/* ---- after failures --------------------------------------------------------------------- */

static hy_transaction *failed_transaction(hy_source *source, hy_transaction_status after)
{
    hy_transaction *trx = begin(source);
    hy_error err;
    fake_reply *r = fake_add_reply("INSERT bad");

    r->fails = HY_EUNIQUE_VIOLATION;
    r->after = after;
    r->set_after = true;
    r->breaks = after == HY_TRANSACTION_UNKNOWN;
    (void)run(trx, "INSERT bad", &err);
    return trx;
}

static void a_failed_one_refuses_statements_locally(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = failed_transaction(source, HY_TRANSACTION_FAILED);
    hy_error err;
    size_t depth;

    (void)state;
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_fails(HY_ETRANSACTION_ABORTED, err, run(trx, "INSERT 2", &err));
    assert_fails(HY_ETRANSACTION_ABORTED, err, hy_transaction_savepoint(trx, &depth, &err));
    assert_fails(HY_ETRANSACTION_ABORTED, err, commit(trx, &err));
    assert_sent("BEGIN; INSERT bad; ROLLBACK");
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    assert_int_equal(idle_of(source), 1);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/*
 * Gone after an error, where statements that change tables commit before they fail: one that
 * changes rows has taken what came before it along.
 */
static void what_a_failed_write_took_along_is_not_stored(void **state)
{
    static const struct {
        const char *text;
        hy_statement_kind kind;
        bool stored;
    } cases[] = {{"CREATE bad", HY_STATEMENT_RAW, true}, {"INSERT bad", HY_STATEMENT_INSERT, false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_reset(HY_DRIVER_BEGIN_MODES | HY_DRIVER_DDL_COMMITS);
        hy_source *source = open_source();
        hy_transaction *trx = begin(source);
        const hy_sql sql = {
            .text = cases[i].text, .size = strlen(cases[i].text), .kind = cases[i].kind, .writes = true};
        const hy_run_options options = {.transaction = trx, .may_block = true};
        hy_cursor *cursor = hy_cursor_new();
        hy_error err;

        fake_reply *r = fake_add_reply(cases[i].text);
        r->fails = HY_ELIMIT_EXCEEDED;
        r->after = HY_TRANSACTION_IDLE;
        r->set_after = true;
        assert_int_equal(HY_OK, hy_cursor_start_compiled(cursor, source, &sql, &options, &err));
        assert_fails(HY_ELIMIT_EXCEEDED, err, hy_task_run(hy_cursor_task(cursor), &err));
        hy_cursor_free(cursor);
        assert_fails(HY_ETRANSACTION_ABORTED, err, commit(trx, &err));
        if ((strstr(err.message, "nothing of it is stored") == NULL) != cases[i].stored)
            fail_msg("%s: %s", cases[i].text, err.message);
        hy_transaction_free(trx);
        hy_source_unref(source);
    }
}

static void a_savepoint_revives_it(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    size_t depth = savepoint(trx);
    fake_reply *r = fake_add_reply("INSERT bad");
    r->fails = HY_EUNIQUE_VIOLATION;
    r->after = HY_TRANSACTION_FAILED;
    r->set_after = true;
    assert_fails(HY_EUNIQUE_VIOLATION, err, run(trx, "INSERT bad", &err));
    assert_int_equal(HY_OK, back_to(trx, depth, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    assert_int_equal(HY_OK, run(trx, "INSERT good", &err));
    assert_int_equal(HY_OK, commit(trx, &err));
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* What should have been taken back is still there: a COMMIT would store it. */
static void a_failed_way_back_fails_it(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    size_t depth = savepoint(trx);
    assert_int_equal(HY_OK, run(trx, "INSERT ghost", &err));
    fake_add_reply("ROLLBACK TO SAVEPOINT hy_sp_1")->fails = HY_EOUT_OF_MEMORY;
    assert_fails(HY_EOUT_OF_MEMORY, err, back_to(trx, depth, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_fails(HY_ETRANSACTION_ABORTED, err, run(trx, "INSERT 2", &err));
    assert_fails(HY_ETRANSACTION_ABORTED, err, commit(trx, &err));
    assert_sent("BEGIN; SAVEPOINT hy_sp_1; INSERT ghost; ROLLBACK TO SAVEPOINT hy_sp_1; ROLLBACK");
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* Who was about to go back never came to it: what it wanted gone is not stored. */
static void a_doomed_one_is_not_stored(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    size_t depth = savepoint(trx);
    assert_int_equal(HY_OK, run(trx, "INSERT ghost", &err));
    hy_transaction_doom(trx, depth);
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_fails(HY_ETRANSACTION_ABORTED, err, run(trx, "INSERT 2", &err));
    assert_fails(HY_ETRANSACTION_ABORTED, err, commit(trx, &err));
    assert_sent("BEGIN; SAVEPOINT hy_sp_1; INSERT ghost; ROLLBACK");
    hy_transaction_doom(trx, 0); /* it is over */
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* Only going back as far as that revives it. */
static void a_doomed_one_is_revived_where_it_was_to_go(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    size_t outer = savepoint(trx), middle = savepoint(trx), inner = savepoint(trx);
    hy_transaction_doom(trx, middle);
    hy_transaction_doom(trx, inner); /* that one is gone with the other */
    assert_int_equal(HY_OK, back_to(trx, inner, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_int_equal(HY_OK, back_to(trx, middle, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    hy_transaction_doom(trx, middle);
    assert_int_equal(HY_OK, back_to(trx, outer, &err));
    assert_int_equal(HY_OK, run(trx, "INSERT good", &err));
    hy_transaction_doom(trx, 0);
    size_t depth;
    assert_fails(HY_ETRANSACTION_ABORTED, err, hy_transaction_savepoint(trx, &depth, &err));
    assert_int_equal(HY_OK, rollback(trx, &err));
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void an_error_may_leave_it_open(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = failed_transaction(source, HY_TRANSACTION_ACTIVE);
    hy_error err;

    (void)state;
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    assert_int_equal(HY_OK, run(trx, "INSERT 2", &err));
    assert_int_equal(HY_OK, commit(trx, &err));
    assert_sent("BEGIN; INSERT bad; INSERT 2; COMMIT");
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* The database rolled everything back by itself: nothing may be stored outside of it. */
static void one_that_is_gone_stores_nothing(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = failed_transaction(source, HY_TRANSACTION_IDLE);
    hy_error err;

    (void)state;
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_fails(HY_ETRANSACTION_ABORTED, err, run(trx, "INSERT 2", &err));
    assert_fails(HY_ETRANSACTION_ABORTED, err, back_to(trx, 1, &err));
    assert_fails(HY_ETRANSACTION_ABORTED, err, commit(trx, &err));
    assert_sent("BEGIN; INSERT bad"); /* nothing is open: nothing to send */
    hy_transaction_free(trx);

    trx = begin(source);
    assert_int_equal(HY_OK, run(trx, "COMMIT", &err)); /* behind our back */
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_fails(HY_ETRANSACTION_ABORTED, err, run(trx, "INSERT 3", &err));
    assert_non_null(strstr(err.message, "what came before it is stored"));
    assert_fails(HY_ETRANSACTION_ABORTED, err, rollback(trx, &err)); /* it takes nothing back */
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void one_whose_connection_broke_can_only_be_rolled_back(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = failed_transaction(source, HY_TRANSACTION_UNKNOWN);
    hy_error err;

    (void)state;
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_fails(HY_ETRANSACTION_ABORTED, err, run(trx, "INSERT 2", &err));
    assert_int_equal(HY_OK, rollback(trx, &err));
    assert_int_equal(fake.live, 0);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* ---- COMMIT that does not end well ------------------------------------------------------- */

static void a_commit_that_breaks_is_unknown(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    fake_reply *r = fake_add_reply("COMMIT");
    r->fails = HY_ECONNECTION_LOST;
    r->breaks = true;
    assert_fails(HY_EOUTCOME_UNKNOWN, err, commit(trx, &err));
    assert_int_equal(hy_status_class(HY_EOUTCOME_UNKNOWN), HY_CLASS_OUTCOME_UNKNOWN);
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_UNKNOWN);
    assert_fails(HY_ETRANSACTION_NOT_ACTIVE, err, rollback(trx, &err));
    assert_int_equal(fake.live, 0);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void a_commit_that_takes_too_long_is_unknown(void **state)
{
    hy_source_config config = {.type = "sqlite", .driver = fake_driver(), .statement_timeout = 30};
    hy_source *source;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_source_open(&config, &source, &err));
    hy_transaction *trx = begin(source);
    fake_reply *r = fake_add_reply("COMMIT");
    r->again = 1000;
    r->again_ns = 5 * (int64_t)MS;
    assert_fails(HY_EOUTCOME_UNKNOWN, err, commit(trx, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_UNKNOWN);
    assert_int_equal(fake.live, 0);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void a_refused_commit_is_rolled_back_and_told(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    fake_add_reply("COMMIT")->fails = HY_EFOREIGN_KEY_VIOLATION; /* deferred; still open */
    assert_fails(HY_EFOREIGN_KEY_VIOLATION, err, commit(trx, &err));
    assert_sent("BEGIN; COMMIT; ROLLBACK");
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    assert_int_equal(idle_of(source), 1);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void a_commit_that_was_rolled_back_is_told(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    fake_reply *r = fake_add_reply("COMMIT");
    r->fails = HY_ESERIALIZATION_FAILURE;
    r->after = HY_TRANSACTION_IDLE;
    r->set_after = true;
    assert_fails(HY_ESERIALIZATION_FAILURE, err, commit(trx, &err));
    assert_sent("BEGIN; COMMIT");
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void a_failed_rollback_closes_the_connection(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_error err;

    (void)state;
    fake_add_reply("ROLLBACK")->fails = HY_EDATABASE_ERROR;
    assert_int_equal(HY_OK, rollback(trx, &err));
    assert_int_equal(err.status, HY_OK);
    assert_int_equal(fake.live, 0);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* ---- with cursors ----------------------------------------------------------------------- */

static void open_statements_end_with_it(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_cursor *cursor = hy_cursor_new();
    hy_run_options options = {.transaction = trx};
    const hy_value *row;
    hy_error err;

    (void)state;
    fake_add_reply("SELECT")->rows = 5;
    assert_int_equal(HY_OK,
                     hy_cursor_start_raw(cursor, source, "SELECT n", 8, NULL, NULL, 0, &options, &err));
    assert_int_equal(HY_OK, hy_task_run(hy_cursor_task(cursor), &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, run(trx, "INSERT 1", &err)); /* one thing at a time */
    assert_int_equal(HY_OK, commit(trx, &err));
    assert_fails(HY_ECLOSED, err, hy_cursor_fetch(cursor, &row, &err));
    hy_transaction_free(trx);

    /* and it can be used again */
    assert_int_equal(HY_OK, hy_cursor_start_raw(cursor, source, "SELECT n", 8, NULL, NULL, 0, NULL, &err));
    assert_int_equal(HY_OK, hy_task_run(hy_cursor_task(cursor), &err));
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void belongs_to_its_source(void **state)
{
    hy_source *source = open_source(), *other = open_source();
    hy_transaction *trx = begin(source);
    hy_run_options options = {.transaction = trx};
    hy_error err;

    (void)state;
    assert_fails(HY_EINVALID_ARGUMENT, err,
                 hy_source_execute_raw(other, "SELECT 1", NULL, 0, &options, NULL, &err));
    assert_ptr_equal(hy_transaction_source(trx), source);
    hy_lease_release(hy_transaction_lease(trx)); /* not the caller's to give */
    assert_int_equal(HY_OK, run(trx, "SELECT 1", &err));
    hy_transaction_free(trx);
    hy_source_unref(source);
    hy_source_unref(other);
}

static void nothing_runs_while_its_task_runs(void **state)
{
    hy_source *source = open_source();
    hy_transaction *trx;
    hy_error err;
    hy_wait wait = {.fd = -1};

    (void)state;
    fake_add_reply("BEGIN")->again = 1;
    assert_int_equal(HY_OK, hy_transaction_start(source, NULL, &trx, &err));
    assert_int_equal(HY_AGAIN, hy_task_advance(hy_transaction_task(trx), &wait, &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, run(trx, "INSERT 1", &err));
    assert_fails(HY_EINVALID_ARGUMENT, err, hy_transaction_commit(trx, &err));
    assert_int_equal(HY_OK, hy_task_advance(hy_transaction_task(trx), &wait, &err));
    assert_int_equal(HY_OK, run(trx, "INSERT 1", &err));
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* ---- the write ticket ------------------------------------------------------------------- */

static void writers_take_turns(void **state)
{
    fake_reset(HY_DRIVER_SINGLE_WRITER);
    hy_source *source = open_source();
    hy_transaction *first = begin(source), *second;
    hy_error err;
    hy_wait wait = {.fd = -1};
    const hy_run_options reading = {.may_block = true};

    (void)state;
    fake_add_reply("SELECT")->read_only = true;
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "SELECT 1", NULL, 0, &reading, NULL, &err));
    assert_int_equal(HY_OK, hy_transaction_start(source, NULL, &second, &err));
    assert_int_equal(HY_AGAIN, hy_task_advance(hy_transaction_task(second), &wait, &err));
    assert_true(wait.fd >= 0);
    assert_sent("BEGIN IMMEDIATE; SELECT 1");
    assert_int_equal(HY_OK, commit(first, &err));
    assert_true(hy_wait_block(&wait));
    assert_int_equal(HY_OK, hy_task_advance(hy_transaction_task(second), &wait, &err));
    assert_sent("BEGIN IMMEDIATE; SELECT 1; COMMIT; BEGIN IMMEDIATE");
    hy_transaction_free(first);
    hy_transaction_free(second);
    hy_source_unref(source);
}

static void a_thread_does_not_wait_for_its_own_ticket(void **state)
{
    fake_reset(HY_DRIVER_SINGLE_WRITER);
    hy_source *source = open_source();
    hy_transaction *trx = begin_with(source, (hy_transaction_options){.holder = "import.lua:3"});
    hy_error err;

    (void)state;
    assert_fails(HY_EPOOL_SELF_DEADLOCK, err,
                 hy_source_execute_raw(source, "INSERT 1", NULL, 0, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "import.lua:3"));
    assert_int_equal(HY_OK, commit(trx, &err));
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "INSERT 1", NULL, 0, NULL, NULL, &err));
    hy_transaction_free(trx);
    hy_source_unref(source);
}

static void a_ticket_is_waited_for_in_time_only(void **state)
{
    fake_reset(HY_DRIVER_SINGLE_WRITER);
    hy_source *source = open_source();
    hy_transaction *trx = begin(source);
    hy_cursor *cursor = hy_cursor_new();
    hy_run_options options = {.timeout = 30};
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK,
                     hy_cursor_start_raw(cursor, source, "INSERT 1", 8, NULL, NULL, 0, &options, &err));
    assert_fails(HY_ELOCK_TIMEOUT, err, hy_task_run(hy_cursor_task(cursor), &err));
    assert_int_equal(HY_OK,
                     hy_cursor_start_raw(cursor, source, "INSERT 1", 8, NULL, NULL, 0, &options, &err));
    hy_wait wait = {.fd = -1};
    assert_int_equal(HY_AGAIN, hy_task_advance(hy_cursor_task(cursor), &wait, &err));
    hy_cursor_free(cursor); /* leaves the queue */
    hy_transaction_free(trx);
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "INSERT 2", NULL, 0, NULL, NULL, &err));
    hy_source_unref(source);
}

static void read_only_ones_refuse_writes(void **state)
{
    fake_reset(HY_DRIVER_SINGLE_WRITER);
    fake_add_reply("SELECT")->read_only = true;
    fake_add_reply("BEGIN")->read_only = true;
    fake_add_reply("COMMIT")->read_only = true;
    hy_source *source = open_source();
    hy_transaction *trx = begin_with(source, (hy_transaction_options){.read_only = true});
    hy_error err;

    (void)state;
    assert_fails(HY_EREAD_ONLY, err, run(trx, "INSERT 1", &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    assert_int_equal(HY_OK, run(trx, "SELECT 1", &err));
    assert_int_equal(
        HY_OK, hy_source_execute_raw(source, "INSERT 2", NULL, 0, NULL, NULL, &err)); /* no ticket held */
    assert_int_equal(HY_OK, commit(trx, &err));
    assert_sent("BEGIN; SELECT 1; INSERT 2; COMMIT");
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* A transaction somebody began with raw text keeps the ticket as well. */
static void a_raw_begin_keeps_the_ticket(void **state)
{
    fake_reset(HY_DRIVER_SINGLE_WRITER);
    hy_source *source = open_source();
    hy_lease *lease;
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy_source_acquire(source, 0, &lease, &err));
    hy_run_options options = {.lease = lease};
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "BEGIN IMMEDIATE", NULL, 0, &options, NULL, &err));
    assert_true(lease->has_ticket);
    assert_fails(HY_EPOOL_SELF_DEADLOCK, err,
                 hy_source_execute_raw(source, "INSERT 1", NULL, 0, NULL, NULL, &err));
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "COMMIT", NULL, 0, &options, NULL, &err));
    assert_false(lease->has_ticket);
    assert_int_equal(HY_OK, hy_source_execute_raw(source, "INSERT 1", NULL, 0, NULL, NULL, &err));
    hy_lease_release(lease);
    hy_source_unref(source);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(commits),
        T(rolls_back),
        T(savepoints_are_a_stack_of_names_that_never_repeat),
        T(deep_stacks_work),
        T(there_is_an_end_to_nesting),
        T(begin_speaks_as_the_driver_wants),
        T(begin_may_fail),
        T(begin_has_a_time),
        T(a_failed_one_refuses_statements_locally),
        T(what_a_failed_write_took_along_is_not_stored),
        T(a_savepoint_revives_it),
        T(a_failed_way_back_fails_it),
        T(a_doomed_one_is_not_stored),
        T(a_doomed_one_is_revived_where_it_was_to_go),
        T(an_error_may_leave_it_open),
        T(one_that_is_gone_stores_nothing),
        T(one_whose_connection_broke_can_only_be_rolled_back),
        T(a_commit_that_breaks_is_unknown),
        T(a_commit_that_takes_too_long_is_unknown),
        T(a_refused_commit_is_rolled_back_and_told),
        T(a_commit_that_was_rolled_back_is_told),
        T(a_failed_rollback_closes_the_connection),
        T(open_statements_end_with_it),
        T(belongs_to_its_source),
        T(nothing_runs_while_its_task_runs),
        T(writers_take_turns),
        T(a_thread_does_not_wait_for_its_own_ticket),
        T(a_ticket_is_waited_for_in_time_only),
        T(read_only_ones_refuse_writes),
        T(a_raw_begin_keeps_the_ticket),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
