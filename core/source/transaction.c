/*
 * transaction.c - transactions and savepoints as a state machine over a lease.
 *
 * Its own statements (BEGIN, SAVEPOINT...) take the same way as everybody's, through a cursor
 * of its own. What state the transaction is in is asked from the driver after every
 * statement: databases end transactions by themselves. A COMMIT whose connection breaks is
 * neither done nor failed but unknown, and stays so.
 */
#include <assert.h>
#include <string.h>

#include <base/number.h>
#include <hysteria/memory.h>

#include "source_impl.h"

typedef enum operation {
    OP_NONE,
    OP_BEGIN,
    OP_COMMIT,
    OP_ROLLBACK,
    OP_SAVEPOINT,
    OP_RELEASE,
    OP_ROLLBACK_TO
} operation;

enum { TEXT_SIZE = 96, MOST_TEXTS = 2, MOST_SAVEPOINTS = 1000 };

struct hy_transaction {
    hy_task task;
    hy_source *source;
    hy_lease lease;
    hy_cursor control; /* runs the transaction's own statements */
    hy_transaction_state state;
    bool read_only;
    bool gone;     /* the connection has no transaction any more: nothing to send */
    bool ended;    /* by a statement of its own, not by an error */
    size_t doomed; /* 0: not; else only what goes back below this depth revives it */

    operation op; /* what the task does */
    char texts[MOST_TEXTS][TEXT_SIZE];
    size_t n_texts, at;
    bool running;  /* texts[at] was started */
    size_t target; /* depth of RELEASE and ROLLBACK TO */
    int64_t deadline;
    hy_status verdict; /* what COMMIT ends with after its rollback; HY_OK: committed */
    hy_error verdict_error;

    uint64_t *savepoints; /* their numbers; a name never comes back */
    size_t depth, capacity;
    uint64_t last_savepoint;
};

/* ---- texts ------------------------------------------------------------------------------ */

static void put(char text[TEXT_SIZE], const char *part)
{
    size_t used = strlen(text), size = strlen(part);

    assert(used + size < TEXT_SIZE);
    memcpy(text + used, part, size + 1);
}

static char *add_text(hy_transaction *trx, const char *text)
{
    char *at = trx->texts[trx->n_texts++];

    assert(trx->n_texts <= MOST_TEXTS);
    *at = '\0';
    put(at, text);
    return at;
}

static void add_savepoint_text(hy_transaction *trx, const char *verb, uint64_t number)
{
    char digits[HY_NUMBER_TEXT_SIZE];
    char *text = add_text(trx, verb);

    (void)hy_format_int((int64_t)number, digits);
    put(text, " hy_sp_");
    put(text, digits);
}

static const char *const isolation_names[] = {
    [HY_ISOLATION_DEFAULT] = NULL,
    [HY_ISOLATION_READ_UNCOMMITTED] = "READ UNCOMMITTED",
    [HY_ISOLATION_READ_COMMITTED] = "READ COMMITTED",
    [HY_ISOLATION_REPEATABLE_READ] = "REPEATABLE READ",
    [HY_ISOLATION_SERIALIZABLE] = "SERIALIZABLE",
};

/* One writer at a time is serializable already; less cannot be had. */
static hy_status begin_single_writer(hy_transaction *trx, const hy_transaction_options *o, hy_error *err)
{
    if (o->isolation != HY_ISOLATION_DEFAULT && o->isolation != HY_ISOLATION_SERIALIZABLE)
        return hy_fail_unsupported(err, isolation_names[o->isolation], hy_dialect_name(trx->source->dialect));
    if (o->deferrable)
        return hy_fail_unsupported(err, "DEFERRABLE", hy_dialect_name(trx->source->dialect));
    (void)add_text(trx, o->read_only ? "BEGIN" : "BEGIN IMMEDIATE");
    return HY_OK;
}

static hy_status begin_with_modes(hy_transaction *trx, const hy_transaction_options *o, hy_error *err)
{
    char *text = add_text(trx, "BEGIN");

    (void)err;
    if (o->isolation != HY_ISOLATION_DEFAULT) {
        put(text, " ISOLATION LEVEL ");
        put(text, isolation_names[o->isolation]);
    }
    if (o->read_only)
        put(text, " READ ONLY");
    if (o->deferrable)
        put(text, " DEFERRABLE");
    return HY_OK;
}

static hy_status begin_after_set(hy_transaction *trx, const hy_transaction_options *o, hy_error *err)
{
    if (o->deferrable)
        return hy_fail_unsupported(err, "DEFERRABLE", hy_dialect_name(trx->source->dialect));
    if (o->isolation != HY_ISOLATION_DEFAULT)
        put(add_text(trx, "SET TRANSACTION ISOLATION LEVEL "), isolation_names[o->isolation]);
    (void)add_text(trx, o->read_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION");
    return HY_OK;
}

static hy_status begin_plain(hy_transaction *trx, const hy_transaction_options *o, hy_error *err)
{
    if (o->isolation != HY_ISOLATION_DEFAULT || o->read_only || o->deferrable)
        return hy_fail_unsupported(err, "transaction modes", hy_dialect_name(trx->source->dialect));
    (void)add_text(trx, "BEGIN");
    return HY_OK;
}

typedef struct begin_row {
    hy_driver_flags flag; /* 0: any driver */
    hy_status (*write)(hy_transaction *trx, const hy_transaction_options *o, hy_error *err);
} begin_row;
static const begin_row begins[] = {
    {HY_DRIVER_SINGLE_WRITER, begin_single_writer},
    {HY_DRIVER_BEGIN_MODES, begin_with_modes},
    {HY_DRIVER_SET_TRANSACTION, begin_after_set},
    {0, begin_plain},
};

static hy_status write_begin(hy_transaction *trx, const hy_transaction_options *o, hy_error *err)
{
    const begin_row *row = begins;

    if ((unsigned)o->isolation > HY_ISOLATION_SERIALIZABLE)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "no such isolation level");
    while (row->flag != 0 && (trx->source->driver->flags & row->flag) == 0)
        row++;
    return row->write(trx, o, err);
}

/* ---- state ------------------------------------------------------------------------------ */

static bool is_open(const hy_transaction *trx)
{
    return trx->state == HY_TRX_ACTIVE || trx->state == HY_TRX_FAILED;
}

/* The driver's truth becomes ours. */
static hy_transaction_status look(hy_transaction *trx)
{
    hy_connection *c = hy__lease_connection(&trx->lease);
    hy_transaction_status now = c->driver->transaction_status(c);

    if (trx->lease.how != HY__RETURN_CLEAN)
        now = HY_TRANSACTION_UNKNOWN;
    if (now != HY_TRANSACTION_ACTIVE)
        trx->state = HY_TRX_FAILED;
    if (now == HY_TRANSACTION_IDLE || now == HY_TRANSACTION_UNKNOWN)
        trx->gone = true;
    return now;
}

/*
 * A statement that succeeds and leaves no transaction has ended it. So has one that fails for a
 * reason of its own, where statements that change tables commit before they do anything: not one
 * that is known to change rows, which the database has rolled back with all before it.
 */
void hy__transaction_after(hy_transaction *trx, const hy_sql *sql, hy_status status)
{
    bool was_gone = trx->gone;
    hy_error_class class = hy_status_class(status);
    bool commits = (trx->source->driver->flags & HY_DRIVER_DDL_COMMITS) != 0 &&
                   (sql->kind == HY_STATEMENT_RAW || sql->kind == HY_STATEMENT_TRUNCATE) &&
                   class != HY_CLASS_TRANSACTION && class != HY_CLASS_CONNECTION;

    if (!is_open(trx) || trx->lease.state != HY__LEASE_READY)
        return;
    hy_transaction_status now = look(trx);
    if (status == HY_OK && hy__lease_connection(&trx->lease)->began_anew) {
        trx->state = HY_TRX_FAILED; /* what is open now is not what was begun here */
        trx->ended = true;
    } else if (now == HY_TRANSACTION_IDLE && !was_gone) {
        trx->ended = status == HY_OK || commits;
    }
}

/* What is left of a failed transaction. */
static hy_status fail_aborted(const hy_transaction *trx, const char *otherwise, hy_error *err)
{
    return hy_fail(err, HY_ETRANSACTION_ABORTED, "%s",
                   trx->ended
                       ? "a statement ended the transaction, as those that change tables do: what came "
                         "before it is stored, unless it was a ROLLBACK"
                       : otherwise);
}

hy_status hy__transaction_admit(const hy_transaction *trx, hy_error *err)
{
    if (trx->op != OP_NONE)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the transaction is not ready: advance its task first");
    if (trx->state == HY_TRX_FAILED)
        return fail_aborted(
            trx, "an earlier error ended the transaction: roll it back, nothing of it is stored", err);
    if (trx->state != HY_TRX_ACTIVE)
        return hy_fail(err, HY_ETRANSACTION_NOT_ACTIVE, "the transaction is finished");
    return HY_OK;
}

bool hy__transaction_is_read_only(const hy_transaction *trx)
{
    return trx->read_only;
}

/* It is over, whatever came out: the connection goes back. */
static void finish(hy_transaction *trx, hy_transaction_state state)
{
    trx->state = state;
    trx->op = OP_NONE;
    trx->depth = 0;
    hy__lease_end(&trx->lease);
}

/* Statements that are still open on the connection end with the transaction. */
static void cut_open_statements(hy_transaction *trx)
{
    while (!hy_list_empty(&trx->lease.runs))
        hy__cursor_cut(hy_container(trx->lease.runs.next, hy_cursor, run));
}

/* ---- the task --------------------------------------------------------------------------- */

/* Run texts[at..]. Only names of savepoints differ each time: those are not worth keeping. */
static hy_status run_texts(hy_transaction *trx, hy_wait *wait, hy_error *err)
{
    bool cacheable = trx->op == OP_BEGIN || trx->op == OP_COMMIT || trx->op == OP_ROLLBACK;

    while (trx->at < trx->n_texts) {
        hy_status status = HY_OK;
        if (!trx->running)
            status = hy__cursor_start_text(&trx->control, &trx->lease, trx->texts[trx->at], cacheable,
                                           trx->deadline, err);
        trx->running = status == HY_OK;
        if (status == HY_OK)
            status = hy_task_advance(&trx->control.task, wait, err);
        if (status == HY_AGAIN)
            return status;
        hy_cursor_finish(&trx->control);
        trx->running = false;
        if (status != HY_OK)
            return status;
        trx->at++;
    }
    return HY_OK;
}

static hy_status after_begin(hy_transaction *trx, hy_status status, hy_error *err)
{
    (void)err;
    if (status == HY_OK) {
        trx->state = HY_TRX_ACTIVE;
        trx->op = OP_NONE;
        (void)look(trx);
    } else {
        finish(trx, HY_TRX_FINISHED);
    }
    return status;
}

static void plan(hy_transaction *trx, operation op)
{
    trx->op = op;
    trx->n_texts = trx->at = 0;
    trx->running = false;
    trx->deadline = hy__deadline_in(trx->source->config.statement_timeout);
}

/* COMMIT came back, or the ROLLBACK that had to replace it. */
static hy_status after_commit(hy_transaction *trx, hy_status status, hy_error *err)
{
    if (trx->verdict != HY_OK) { /* that was the rollback; how it ended does not matter */
        hy_status verdict = trx->verdict;
        if (err != NULL)
            *err = trx->verdict_error;
        finish(trx, HY_TRX_FINISHED);
        return verdict;
    }
    hy_transaction_status now = look(trx);
    if (now == HY_TRANSACTION_UNKNOWN) {
        hy_transaction_state state = HY_TRX_UNKNOWN;
        finish(trx, state);
        return hy_fail(err, HY_EOUTCOME_UNKNOWN,
                       "the connection broke during COMMIT: look at the data before doing it again");
    }
    if (now == HY_TRANSACTION_IDLE) {
        finish(trx, HY_TRX_FINISHED);
        return status;
    }
    /* Refused, and still open: a deferred foreign key, a lock. */
    if (status == HY_OK)
        status = hy_fail(&trx->verdict_error, HY_ETRANSACTION_ABORTED, "the database did not commit");
    else if (err != NULL)
        trx->verdict_error = *err;
    trx->verdict = status;
    plan(trx, OP_COMMIT);
    (void)add_text(trx, "ROLLBACK");
    return HY_AGAIN;
}

/*
 * A connection that does not roll back is closed, which does it. What a statement has committed
 * nobody can take back.
 */
static hy_status after_rollback(hy_transaction *trx, hy_status status, hy_error *err)
{
    if (status != HY_OK)
        hy_error_clear(err);
    finish(trx, HY_TRX_FINISHED);
    return trx->ended ? fail_aborted(trx, "", err) : HY_OK;
}

static hy_status after_savepoint(hy_transaction *trx, hy_status status, hy_error *err)
{
    (void)err;
    trx->op = OP_NONE;
    (void)look(trx);
    if (status != HY_OK)
        trx->depth--;
    return status;
}

static hy_status after_release(hy_transaction *trx, hy_status status, hy_error *err)
{
    (void)err;
    trx->op = OP_NONE;
    (void)look(trx);
    if (status == HY_OK)
        trx->depth = trx->target - 1;
    return status;
}

static hy_status after_rollback_to(hy_transaction *trx, hy_status status, hy_error *err)
{
    bool revives = trx->doomed == 0 || trx->target < trx->doomed;

    trx->state = HY_TRX_ACTIVE; /* revived, unless the driver says otherwise */
    status = after_release(trx, status, err);
    if (status != HY_OK || !revives)
        trx->state = HY_TRX_FAILED; /* what should be gone may still be there: never commit it */
    else
        trx->doomed = 0;
    return status;
}

typedef hy_status (*operation_end)(hy_transaction *trx, hy_status status, hy_error *err);
static const operation_end ends[] = {
    [OP_BEGIN] = after_begin,         [OP_COMMIT] = after_commit,   [OP_ROLLBACK] = after_rollback,
    [OP_SAVEPOINT] = after_savepoint, [OP_RELEASE] = after_release, [OP_ROLLBACK_TO] = after_rollback_to,
};

static hy_status transaction_step(hy_task *task, hy_wait *wait, hy_error *err)
{
    hy_transaction *trx = hy_container(task, hy_transaction, task);

    while (trx->op != OP_NONE) {
        hy_status status = HY_OK;
        if (trx->op == OP_BEGIN)
            status = hy__lease_step(&trx->lease, wait, err);
        if (status == HY_OK)
            status = run_texts(trx, wait, err);
        if (status == HY_AGAIN)
            return status;
        status = ends[trx->op](trx, status, err);
        if (status != HY_AGAIN)
            return status;
    }
    return HY_OK;
}

/* ---- public ----------------------------------------------------------------------------- */

static hy_transaction *make(hy_source *source)
{
    hy_transaction *trx = hy_alloc_zero(sizeof *trx);

    if (trx == NULL)
        return NULL;
    trx->task.step = transaction_step;
    trx->source = hy_source_ref(source);
    trx->state = HY_TRX_FINISHED; /* until it has begun */
    hy__lease_init(&trx->lease, true);
    hy__cursor_init(&trx->control);
    return trx;
}

static hy_status begin(hy_transaction *trx, const hy_transaction_options *options, hy_error *err)
{
    hy_source *s = trx->source;

    plan(trx, OP_BEGIN);
    trx->read_only = options->read_only;
    hy_status status = write_begin(trx, options, err);
    if (status != HY_OK)
        return status;
    trx->deadline = hy__deadline_in(options->timeout > 0 ? options->timeout : s->config.statement_timeout);
    int64_t deadline = hy__earlier(trx->deadline, hy__deadline_in(s->config.pool.acquire_timeout));
    return hy__lease_begin(&trx->lease, s, deadline, options->may_block, options->holder, err);
}

hy_status hy_transaction_start(hy_source *source, const hy_transaction_options *options, hy_transaction **out,
                               hy_error *err)
{
    static const hy_transaction_options defaults = {.isolation = HY_ISOLATION_DEFAULT};
    hy_transaction *trx = make(source);

    *out = NULL;
    if (trx == NULL)
        return hy_fail_oom(err);
    hy_status status = begin(trx, options != NULL ? options : &defaults, err);
    if (status != HY_OK) {
        hy_transaction_free(trx);
        return status;
    }
    *out = trx;
    return HY_OK;
}

hy_task *hy_transaction_task(hy_transaction *trx)
{
    return &trx->task;
}

/* May an operation that ends or changes an open transaction begin? */
static hy_status check_open(const hy_transaction *trx, hy_error *err)
{
    if (trx->op != OP_NONE)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the transaction is not ready: advance its task first");
    if (!is_open(trx))
        return hy_fail(err, HY_ETRANSACTION_NOT_ACTIVE, "the transaction is finished");
    return HY_OK;
}

hy_status hy_transaction_commit(hy_transaction *trx, hy_error *err)
{
    hy_status status = check_open(trx, err);

    if (status != HY_OK)
        return status;
    cut_open_statements(trx);
    plan(trx, OP_COMMIT);
    trx->verdict = HY_OK;
    if (trx->state == HY_TRX_ACTIVE) {
        (void)add_text(trx, "COMMIT");
        return HY_OK;
    }
    trx->verdict = fail_aborted(
        trx, "an earlier error ended the transaction: it was rolled back, nothing of it is stored",
        &trx->verdict_error);
    if (!trx->gone)
        (void)add_text(trx, "ROLLBACK");
    return HY_OK;
}

hy_status hy_transaction_rollback(hy_transaction *trx, hy_error *err)
{
    hy_status status = check_open(trx, err);

    if (status != HY_OK)
        return status;
    cut_open_statements(trx);
    plan(trx, OP_ROLLBACK);
    if (!trx->gone)
        (void)add_text(trx, "ROLLBACK");
    return HY_OK;
}

static bool push_savepoint(hy_transaction *trx)
{
    if (trx->depth == trx->capacity) {
        size_t capacity = trx->capacity > 0 ? trx->capacity * 2 : 8;
        uint64_t *grown = hy_realloc(trx->savepoints, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        trx->savepoints = grown;
        trx->capacity = capacity;
    }
    trx->savepoints[trx->depth++] = ++trx->last_savepoint;
    return true;
}

hy_status hy_transaction_savepoint(hy_transaction *trx, size_t *depth, hy_error *err)
{
    hy_status status = hy__transaction_admit(trx, err);

    *depth = 0;
    if (status != HY_OK)
        return status;
    if (trx->depth >= MOST_SAVEPOINTS)
        return hy_fail(err, HY_ELIMIT_EXCEEDED, "transactions are nested more than %d deep", MOST_SAVEPOINTS);
    if (!push_savepoint(trx))
        return hy_fail_oom(err);
    plan(trx, OP_SAVEPOINT);
    add_savepoint_text(trx, "SAVEPOINT", trx->last_savepoint);
    *depth = trx->depth;
    return HY_OK;
}

static hy_status check_depth(const hy_transaction *trx, size_t depth, hy_error *err)
{
    if (depth >= 1 && depth <= trx->depth)
        return HY_OK;
    return hy_fail(err, HY_EINVALID_ARGUMENT, "there is no savepoint %zu: %zu are open", depth, trx->depth);
}

hy_status hy_transaction_release(hy_transaction *trx, size_t depth, hy_error *err)
{
    hy_status status = hy__transaction_admit(trx, err);

    if (status == HY_OK)
        status = check_depth(trx, depth, err);
    if (status != HY_OK)
        return status;
    plan(trx, OP_RELEASE);
    trx->target = depth;
    add_savepoint_text(trx, "RELEASE SAVEPOINT", trx->savepoints[depth - 1]);
    return HY_OK;
}

hy_status hy_transaction_rollback_to(hy_transaction *trx, size_t depth, hy_error *err)
{
    hy_status status = check_open(trx, err);

    if (status == HY_OK && (trx->gone || trx->ended))
        status = hy__transaction_admit(trx, err); /* no savepoint is left to go back to */
    if (status == HY_OK)
        status = check_depth(trx, depth, err);
    if (status != HY_OK)
        return status;
    plan(trx, OP_ROLLBACK_TO);
    trx->target = depth;
    add_savepoint_text(trx, "ROLLBACK TO SAVEPOINT", trx->savepoints[depth - 1]);
    add_savepoint_text(trx, "RELEASE SAVEPOINT", trx->savepoints[depth - 1]);
    return HY_OK;
}

void hy_transaction_doom(hy_transaction *trx, size_t depth)
{
    if (!is_open(trx))
        return;
    trx->state = HY_TRX_FAILED;
    if (trx->doomed == 0 || depth < trx->doomed)
        trx->doomed = depth + 1;
}

hy_transaction_state hy_transaction_get_state(const hy_transaction *trx)
{
    return trx->state;
}

bool hy_transaction_is_busy(const hy_transaction *trx)
{
    const hy_link *runs = &trx->lease.runs;

    for (const hy_link *link = runs->next; link != runs; link = link->next)
        if (hy_container(link, hy_cursor, run)->midway)
            return true;
    return false;
}

size_t hy_transaction_depth(const hy_transaction *trx)
{
    return trx->depth;
}

hy_source *hy_transaction_source(const hy_transaction *trx)
{
    return trx->source;
}

hy_lease *hy_transaction_lease(hy_transaction *trx)
{
    return &trx->lease;
}

void hy_transaction_free(hy_transaction *trx)
{
    if (trx == NULL)
        return;
    hy_cursor_finish(&trx->control);
    hy__lease_end(&trx->lease);
    hy__cursor_clear(&trx->control);
    hy__lease_clear(&trx->lease);
    hy_free(trx->savepoints);
    hy_source_unref(trx->source);
    hy_free(trx);
}

hy_status hy_transaction_run(hy_transaction *trx, hy_error *err)
{
    return hy_task_run(&trx->task, err);
}

hy_status hy_source_begin(hy_source *source, const hy_transaction_options *options, hy_transaction **out,
                          hy_error *err)
{
    hy_transaction_options with = options != NULL ? *options : (hy_transaction_options){0};

    with.may_block = true;
    hy_status status = hy_transaction_start(source, &with, out, err);
    if (status != HY_OK)
        return status;
    status = hy_transaction_run(*out, err);
    if (status != HY_OK) {
        hy_transaction_free(*out);
        *out = NULL;
    }
    return status;
}
