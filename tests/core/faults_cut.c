/*
 * faults_cut.c - lines that are cut at a byte, that deliver in pieces, and commits whose answer is lost.
 */
#include "faults_tests.h"

/* ---- a session, and what it knows of its writes ------------------------------------------ */

typedef enum fate { NEVER, ACKED, FAILED, UNKNOWN } fate;

/* Every id that was ever sent, and how it ended for who sent it. */
typedef struct ledger {
    unsigned char *fates;
    int64_t size;
    int acked, failed, unknown, unknown_stored;
    int errors, fine, wrong;
    hy_error last; /* error */
} ledger;

enum { IDS = 3, OPERATIONS = 6 }; /* of a round */

static void open_ledger(ledger *l, int64_t rounds)
{
    *l = (ledger){.size = IDS * (rounds + 2)};
    l->fates = calloc((size_t)l->size, 1);
    assert_non_null(l->fates);
}

static void enter(ledger *l, int64_t id, hy_status status)
{
    assert_true(id > 0 && id < l->size);
    l->fates[id] = status == HY_OK ? ACKED : status == HY_EOUTCOME_UNKNOWN ? UNKNOWN : FAILED;
}

static void note(ledger *l, const char *where, hy_status status, const hy_error *err)
{
    l->fine += status == HY_OK;
    l->errors += status != HY_OK;
    if (status == HY_OK)
        return;
    check_error(where, status, err);
    l->last = *err;
}

/* Rows as they must be, all of them, or an error. */
static void read_rows(hy_source *source, ledger *l)
{
    const hy_bind bind = {.value = hy_int(0), .kind = HY_KIND_BIGINT};
    hy_run_options options = {.may_block = true, .timeout = CALM};
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    char sql[SQL_SIZE];
    hy_error err;
    int n = 0;

    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE id > ? ORDER BY id", here.rows);
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), &bind, NULL, 1, &options, &err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK)
        l->wrong += hy_cursor_n_columns(cursor) != 7 || !is_row(++n, row);
    hy_cursor_free(cursor);
    l->wrong += status == HY_DONE && n != ROWS;
    note(l, "reading", status == HY_DONE ? HY_OK : status, &err);
}

static hy_status insert(hy_source *source, hy_transaction *trx, int64_t id, hy_error *err)
{
    const hy_bind binds[] = {{.value = hy_int(id), .kind = HY_KIND_BIGINT},
                             {.value = hy_int(id * 3), .kind = HY_KIND_BIGINT}};
    hy_run_options options = {.transaction = trx, .may_block = true, .timeout = CALM};
    char sql[SQL_SIZE];
    int64_t affected = 0;

    (void)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?, ?)", here.ops);
    hy_status status = hy_source_execute_raw(source, sql, binds, 2, &options, &affected, err);
    return status == HY_OK && affected != 1 ? hy_fail(err, HY_EDEVELOPMENT_ERROR, "%d rows", (int)affected)
                                            : status;
}

static void insert_one(hy_source *source, ledger *l, int64_t id)
{
    hy_error err;
    hy_status status = insert(source, NULL, id, &err);

    enter(l, id, status);
    note(l, "a lone write", status, &err);
}

/* Two rows, both or none. */
static void insert_two(hy_source *source, ledger *l, int64_t id)
{
    hy_transaction_options options = {.timeout = CALM};
    hy_transaction *trx = NULL;
    hy_error err;
    hy_status status = hy_source_begin(source, &options, &trx, &err);

    for (int i = 0; i < 2 && status == HY_OK; i++)
        status = insert(source, trx, id + i, &err);
    if (status == HY_OK)
        status = hy_transaction_commit(trx, &err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, &err);
    hy_transaction_free(trx);
    enter(l, id, status);
    enter(l, id + 1, status);
    note(l, "a transaction", status, &err);
}

/* Leaves a session behind that must be cleaned for the next borrower. */
static void change_session(hy_source *source, ledger *l)
{
    hy_run_options options = {.may_block = true, .timeout = CALM};
    hy_error err;
    const char *sql = server.kind == SERVER_POSTGRES ? "SET work_mem = '5MB'" : "SET @x = 1";
    hy_status status = hy_source_execute_raw(source, sql, NULL, 0, &options, NULL, &err);

    note(l, "a setting", status, &err);
}

/* Connecting, settings, prepared reads and writes, a transaction, a reset, the same once more. */
static void play(hy_source *source, ledger *l, int64_t round)
{
    read_rows(source, l);
    insert_one(source, l, IDS * round + 1);
    change_session(source, l);
    insert_two(source, l, IDS * round + 2);
    read_rows(source, l);
    read_rows(source, l);
}

/* What the database has, against what was said. */
static void settle(ledger *l)
{
    hy_run_options options = {.may_block = true};
    hy_cursor *cursor = hy_cursor_new();
    unsigned char *stored = calloc((size_t)l->size, 1);
    const hy_value *row;
    char sql[SQL_SIZE];
    hy_error err;

    assert_non_null(stored);
    assert_int_equal(0, server_drain(here.user)); /* nobody is at work any more */
    (void)snprintf(sql, sizeof sql, "SELECT id, n FROM %s WHERE id < %" PRId64, here.ops, l->size);
    hy_status status =
        hy_cursor_start_raw(cursor, server.admin, sql, strlen(sql), NULL, NULL, 0, &options, &err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK) {
        stored[row[0].as.integer]++;
        l->wrong += row[1].as.integer != row[0].as.integer * 3;
    }
    assert_int_equal(status, HY_DONE);
    hy_cursor_free(cursor);
    for (int64_t id = 1; id < l->size; id++) {
        fate f = l->fates[id];
        bool there = stored[id] != 0;
        l->acked += f == ACKED;
        l->failed += f == FAILED;
        l->unknown += f == UNKNOWN;
        l->unknown_stored += f == UNKNOWN && there;
        if ((f == ACKED && !there) || ((f == FAILED || f == NEVER) && there)) {
            print_error("%s %s: row %lld is %s and was %s\n", server.type, channel(), (long long)id,
                        there ? "stored" : "absent", f == ACKED ? "acknowledged" : "called failed");
            l->wrong++;
        }
        if (id % IDS == 0 && stored[id] != stored[id - 1]) {
            print_error("%s %s: half a transaction, row %lld\n", server.type, channel(), (long long)id);
            l->wrong++;
        }
    }
    free(stored);
    free(l->fates);
    l->fates = NULL;
    sql_run(admin(), "DELETE FROM %s", here.ops);
}

/* ---- cut at byte k ---------------------------------------------------------------------- */

static uint64_t seed(void)
{
    static uint64_t value;
    const char *given = getenv("HY_SEED");

    if (value == 0) {
        value = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)hy_monotonic_ns();
        print_message("seed %llu\n", (unsigned long long)value);
    }
    return value;
}

/* The bytes of one session, where all goes well. */
static fault_counts session_size(void)
{
    ledger l;

    open_ledger(&l, 1);
    fault_proxy_pass(here.proxy);
    hy_source *source = open_source(1);
    play(source, &l, 1);
    fault_counts size = fault_proxy_count(here.proxy);
    close_source(source);
    settle(&l);
    assert_int_equal(l.fine, OPERATIONS);
    assert_int_equal(l.errors + l.wrong, 0);
    assert_int_equal(l.acked, IDS);
    return size;
}

static int cut_at(fault_moment side, int64_t k, int64_t round, ledger *l)
{
    const fault_plan plan = {
        .kind = k % 2 == 0 ? FAULT_CUT : FAULT_RESET, .moment = side, .at = k, .times = 1};
    int errors = l->errors;

    fault_proxy_set(here.proxy, &plan);
    hy_source *source = open_source(1);
    play(source, l, round);
    int faults = fault_proxy_count(here.proxy).faults;
    close_source(source);
    if (l->errors > errors + 1)
        fail_msg("%s %s: one cut at byte %lld, %d errors, the last: %s, %s", server.type, channel(),
                 (long long)k, l->errors - errors, hy_status_name(l->last.status), l->last.message);
    return faults;
}

static void cut_stream(fault_moment side, int64_t size, int64_t stride)
{
    int64_t first = (int64_t)(seed() % (uint64_t)stride), rounds = 0;
    int faults = 0;
    ledger l;

    open_ledger(&l, size / stride + 1);
    for (int64_t k = first; k < size; k += stride)
        faults += cut_at(side, k, ++rounds, &l);
    settle(&l);
    report("cut %s %s: %lld bytes of the %s, cut at %lld (every %lld from %lld): %d cuts, %d ok, %d errors, "
           "wrong %d; rows: %d acknowledged, %d failed, %d unknown (%d of them stored)",
           server.type, channel(), (long long)size, side == FAULT_AT_SERVER_BYTE ? "server" : "client",
           (long long)rounds, (long long)stride, (long long)first, faults, l.fine, l.errors, l.wrong, l.acked,
           l.failed, l.unknown, l.unknown_stored);
    assert_int_equal(l.wrong, 0);
    assert_true(faults * 100 >= rounds * 95); /* one session may be a little shorter than another */
    assert_true(l.errors > 0 && l.fine > 0);
    assert_true(stride > 10 || (l.unknown > 0 && l.failed > 0));
    assert_int_equal(l.fine + l.errors, rounds * OPERATIONS);
}

static void cut_everywhere(bool tls)
{
    int64_t stride = is_full_scale() ? 1 : tls ? 50 : 10;

    begin_faults(tls);
    (void)session_size(); /* MySQL: from the second time on a login is shorter */
    const fault_counts size = session_size();
    cut_stream(FAULT_AT_SERVER_BYTE, size.from_server, stride);
    cut_stream(FAULT_AT_CLIENT_BYTE, size.from_client, stride);
    end_faults();
}

void cut_at_each_byte(void **state)
{
    (void)state;
    cut_everywhere(false);
}

void cut_at_each_byte_tls(void **state)
{
    (void)state;
    cut_everywhere(true);
}

/* ---- pieces ----------------------------------------------------------------------------- */

/* Networks may deliver as they like: it is the same session. */
static void deliver_in_pieces(bool tls)
{
    const struct {
        const char *name;
        size_t piece;
        uint64_t seed;
        int delay_ms, rounds;
    } cases[] = {
        {"one byte at a time", 1, 0, 0, (int)scaled(50)},
        {"random pieces up to 7 bytes", 7, seed(), 0, (int)scaled(100)},
        {"random pieces up to 1000 bytes", 1000, seed() + 1, 0, (int)scaled(100)},
        {"random pieces up to 500 bytes, each 1 ms late", 500, seed() + 2, 1, (int)scaled(30)},
    };

    begin_faults(tls);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fault_plan plan = {
            .piece = cases[i].piece, .seed = cases[i].seed, .delay_ms = cases[i].delay_ms};
        int64_t bytes = 0;
        ledger l;
        open_ledger(&l, cases[i].rounds);
        fault_proxy_set(here.proxy, &plan);
        for (int round = 1; round <= cases[i].rounds; round++) {
            hy_source *source = open_source(1);
            play(source, &l, round);
            fault_counts counts = fault_proxy_count(here.proxy);
            bytes += counts.from_server + counts.from_client;
            close_source(source);
        }
        int64_t pieces = fault_proxy_count(here.proxy).pieces;
        settle(&l);
        report("%s %s, %s: %d sessions, %lld bytes in %lld pieces, %d ok, %d errors, wrong %d", server.type,
               channel(), cases[i].name, cases[i].rounds, (long long)bytes, (long long)pieces, l.fine,
               l.errors, l.wrong);
        if (l.errors > 0)
            fail_msg("%s", l.last.message);
        assert_int_equal(l.wrong + l.failed + l.unknown, 0);
        assert_int_equal(l.fine, cases[i].rounds * OPERATIONS);
        assert_int_equal(l.acked, cases[i].rounds * IDS);
        assert_true(pieces >= bytes / (int64_t)cases[i].piece);
    }
    end_faults();
}

void in_pieces(void **state)
{
    (void)state;
    deliver_in_pieces(false);
}

void in_pieces_tls(void **state)
{
    (void)state;
    deliver_in_pieces(true);
}

/* ---- commits ---------------------------------------------------------------------------- */

/* One transaction whose COMMIT, or its answer, is lost. True if the fault happened. */
static bool lose_commit(hy_source *source, const fault_plan *plan, int64_t id)
{
    hy_transaction_options options = {.timeout = CALM};
    hy_transaction *trx;
    hy_error err;

    fault_proxy_pass(here.proxy);
    assert_int_equal(HY_OK, hy_source_begin(source, &options, &trx, &err));
    for (int i = 0; i < 2; i++)
        assert_int_equal(HY_OK, insert(source, trx, id + i, &err));
    fault_proxy_set(here.proxy, plan);
    hy_status status = hy_transaction_commit(trx, &err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, &err);
    if (status != HY_EOUTCOME_UNKNOWN)
        fail_msg("%s: a lost commit is %s: %s", server.type, hy_status_name(status), err.message);
    check_error("commit", status, &err);
    assert_int_equal(hy_status_class(status), HY_CLASS_OUTCOME_UNKNOWN);
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_UNKNOWN);
    /* It stays unknown, whatever is tried with it. */
    assert_int_equal(HY_ETRANSACTION_NOT_ACTIVE, hy_transaction_rollback(trx, &err));
    hy_transaction_free(trx);
    return fault_proxy_count(here.proxy).faults == 1;
}

/* Whether it was stored cannot be told from here; that it is told so can. */
void commits_that_are_lost(void **state)
{
    const struct {
        const char *name;
        fault_kind kind;
        long rounds;
    } cases[] = {
        {"cut", FAULT_CUT, scaled(500)},
        {"reset", FAULT_RESET, scaled(500)},
        {"frozen", FAULT_FREEZE, scaled(50)},
    };
    int64_t id = 1;

    (void)state;
    begin_faults(false); /* nobody sees a word in TLS */
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        long rounds = cases[i / 2].rounds;
        bool after = i % 2 == 1;
        const fault_plan plan = {.kind = cases[i / 2].kind,
                                 .moment = after ? FAULT_AFTER_WORD : FAULT_BEFORE_WORD,
                                 .word = "COMMIT",
                                 .times = 1};
        hy_source *source = open_source(1);
        int64_t first = id;
        int faults = 0;
        for (long round = 0; round < rounds; round++, id += 2)
            faults += lose_commit(source, &plan, id);
        assert_int_equal(server_stats(source).discarded, rounds);
        close_source(source);
        assert_int_equal(0, server_drain(here.user));
        int64_t stored = sql_number(admin(), "SELECT COUNT(*) FROM %s WHERE id >= %" PRId64, here.ops, first);
        report("commits %s %s COMMIT reached the server, %s: %ld unknown of %ld, %lld of %ld rows stored",
               cases[i / 2].name, after ? "after" : "before", server.type, rounds, rounds, (long long)stored,
               2 * rounds);
        assert_int_equal(faults, rounds);
        assert_int_equal(stored, after ? 2 * rounds : 0);
    }
    end_faults();
}
