/*
 * postgres.c - the PostgreSQL driver: connections, statements, rows and the driver's table.
 *
 * Results are binary when every type in them has that form, else text. A result is read as a
 * whole before its first row is handed out, so the connection is free for whatever comes next;
 * with the option rows = single only one row is in memory, slower by half, and who leaves before
 * the last row leaves a connection that must be closed.
 *
 * What libpq can only do blocking is a worker's: PQcancel(), which stops what the server still
 * does for a connection that is closed, and looking up host names (postgres_connect.c).
 * PQfinish() says good-bye on a socket that does not block. In a forked child nothing is
 * sent: the parent's session must live.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <base/text.h>
#include <base/worker.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "postgres_driver.h"

enum { MOST_DRAINED = 100 };
#define STOP_WITHIN_NS INT64_C(5000000000)

hy_status hy__postgres_refuse_child(hy_error *err)
{
    return hy_fail(err, HY_ECLOSED,
                   "this connection was opened before fork: a child process must open its own");
}

/* ---- sending and waiting ---------------------------------------------------------------- */

static void flush(hy__postgres *c)
{
    /* A failure shows when the answer is read. */
    c->flushing = PQflush(c->pg) == 1;
}

bool hy__postgres_has_result(hy__postgres *c)
{
    if (c->flushing)
        flush(c);
    if (PQisBusy(c->pg) == 0)
        return true;
    if (PQconsumeInput(c->pg) == 0)
        return true; /* broken: the next result tells */
    if (c->flushing)
        flush(c);
    return PQisBusy(c->pg) == 0;
}

hy_status hy__postgres_await(hy__postgres *c, hy_wait *wait)
{
    wait->fd = PQsocket(c->pg);
    wait->events = HY_WAIT_READ | (c->flushing ? HY_WAIT_WRITE : 0);
    wait->deadline = HY_NO_DEADLINE;
    return HY_AGAIN;
}

void hy__postgres_drop_result(hy__postgres *c)
{
    PQclear(c->result);
    c->result = NULL;
    c->row = c->n_rows = 0;
}

void hy__postgres_begin(hy__postgres *c, hy__postgres_pending what)
{
    hy__postgres_drop_result(c);
    c->pending = what;
    c->failed = HY_OK;
    c->error.sqlstate[0] = '\0';
    c->syncs = 0;
    c->command = c->n_closed = c->describe_at = 0;
    c->more = false;
    c->affected = 0;
}

void hy__postgres_end(hy__postgres *c)
{
    c->pending = HY__POSTGRES_IDLE;
}

hy_status hy__postgres_sent(hy__postgres *c, int sent, hy_wait *wait, hy_error *err)
{
    if (sent == 0) {
        c->unusable |= c->syncs > 0 || PQpipelineStatus(c->pg) != PQ_PIPELINE_OFF;
        hy__postgres_end(c);
        return hy__postgres_fail_call(c, err);
    }
    flush(c);
    if (PQstatus(c->pg) == CONNECTION_BAD || PQsocket(c->pg) < 0) {
        hy__postgres_end(c);
        return hy__postgres_fail_call(c, err);
    }
    return hy__postgres_await(c, wait); /* the answer cannot be there yet */
}

/* ---- reading results -------------------------------------------------------------------- */

static void note_error(hy__postgres *c, const PGresult *result)
{
    const char *sql =
        c->pending == HY__POSTGRES_PREPARE || c->pending == HY__POSTGRES_EXECUTE ? c->statement->sql : NULL;

    if (c->failed != HY_OK)
        return; /* the first is the cause */
    c->failed = hy__postgres_fail(result, sql, &c->error);
    if (c->pending != HY__POSTGRES_EXECUTE || !hy__postgres_is_stale(result))
        return;
    c->statement->broken = true;
    /* Nobody told this session to forget it: it is not the one that was told to keep it. */
    c->statement->head.forgotten = strcmp(c->error.sqlstate, "26000") == 0 && !c->touched && !c->names_left;
}

static void note_failure(hy__postgres *c, hy_status status, const char *message)
{
    if (c->failed == HY_OK)
        c->failed = hy_fail(&c->error, status, "%s", message);
}

/* COMMIT of a failed transaction is answered ROLLBACK, without an error. */
static void read_tag(hy__postgres *c, PGresult *result)
{
    static const char *const counting[] = {"INSERT", "UPDATE", "DELETE", "MERGE"};
    const char *tag = PQcmdStatus(result);
    int64_t n = 0;

    if (c->pending != HY__POSTGRES_EXECUTE)
        return;
    if (hy__postgres_has(c->statement, HY__POSTGRES_COMMITS) && strcmp(tag, "ROLLBACK") == 0)
        note_failure(c, HY_ETRANSACTION_ABORTED,
                     "an earlier error ended the transaction: it was rolled back, nothing of it is stored");
    for (size_t i = 0; i < sizeof counting / sizeof counting[0]; i++)
        if (strncmp(tag, counting[i], strlen(counting[i])) == 0)
            for (const char *digits = PQcmdTuples(result); *digits != '\0'; digits++)
                n = n * 10 + (*digits - '0');
    c->affected = n;
}

/* Keep a result that has rows, or describes a statement. */
static void keep(hy__postgres *c, PGresult *result)
{
    PQclear(c->result);
    c->result = result;
    c->row = 0;
    c->n_rows = PQntuples(result);
}

/* What came; takes the result over. False: stop reading here. */
static bool take(hy__postgres *c, PGresult *result)
{
    bool ignored = c->command < c->n_closed;
    bool go_on = true;

    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        read_tag(c, result);
        if (!c->more || PQntuples(result) > 0) {
            keep(c, result);
            return true;
        }
        break;
    case PGRES_SINGLE_TUPLE:
        c->more = true;
        keep(c, result);
        return false;
    case PGRES_COMMAND_OK:
        read_tag(c, result);
        if (c->pending != HY__POSTGRES_PREPARE || c->command == c->describe_at) {
            keep(c, result);
            return true;
        }
        break;
    case PGRES_PIPELINE_SYNC:
        c->syncs--;
        go_on = c->syncs > 0;
        break;
    case PGRES_PIPELINE_ABORTED:
        break;
    case PGRES_EMPTY_QUERY:
        note_failure(c, HY_ESYNTAX, "there is no statement in this text");
        break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        c->unusable = true;
        note_failure(c, HY_EUNSUPPORTED, hy__postgres_copies);
        go_on = false;
        break;
    default:
        if (!ignored)
            note_error(c, result);
        break;
    }
    PQclear(result);
    return go_on;
}

hy_status hy__postgres_collect(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    for (;;) {
        if (!hy__postgres_has_result(c))
            return hy__postgres_await(c, wait);
        PGresult *result = PQgetResult(c->pg);
        if (result != NULL) {
            if (!take(c, result))
                break;
            continue;
        }
        c->command++;
        c->more = false;
        if (c->syncs == 0 || PQstatus(c->pg) == CONNECTION_BAD)
            break;
    }
    if (c->more && c->failed == HY_OK)
        return HY_OK; /* a row, and the server goes on */
    hy__postgres_end(c);
    return hy__postgres_report(c, err);
}

/* Messages of LISTEN would pile up in libpq. */
static void drop_notifications(hy__postgres *c)
{
    for (PGnotify *n; (n = PQnotifies(c->pg)) != NULL;)
        PQfreemem(n);
}

/* ---- connection ------------------------------------------------------------------------- */

static bool postgres_is_private(const hy_connect_config *config)
{
    (void)config;
    return false;
}

static void choose_token(hy__postgres *c)
{
    if (getrandom(&c->token, sizeof c->token, GRND_NONBLOCK) != (ssize_t)sizeof c->token)
        c->token = hy_hash((uint64_t)getpid() ^ (uint64_t)hy_monotonic_ns(), &c, sizeof c);
}

static hy_status postgres_connect(hy_connection *conn, const hy_connect_config *config, hy_wait *wait,
                                  hy_error *err)
{
    hy__postgres *c = hy__postgres_of(conn);

    hy__fork_guard_init(&c->guard);
    hy_buf_init(&c->setup);
    hy_buf_init(&c->text);
    hy_buf_init(&c->item);
    hy_arena_init(&c->scratch, c->first_scratch, sizeof c->first_scratch);
    c->epoch = c->session = 1;
    choose_token(c);
    return hy__postgres_connect(c, config, wait, err);
}

/* libpq says good-bye to whatever is behind its descriptor: in a child to nobody. */
static void hide_session(hy__postgres *c)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0 && PQsocket(c->pg) >= 0)
        (void)dup2(null, PQsocket(c->pg));
    if (null >= 0)
        (void)close(null);
}

/* The last of a connection: the client library's part of it. */
typedef struct farewell {
    hy__job job;
    PGconn *pg;
    PGcancel *cancel;
} farewell;

/* Asks by a connection of its own, and waits for the server to take it, which a frozen one never does. */
static void stop_server(hy__job *job)
{
    char message[256];

    (void)PQcancel(hy_container(job, farewell, job)->cancel, message, sizeof message);
}

static void say_goodbye(hy__job *job)
{
    farewell *f = hy_container(job, farewell, job);

    PQfreeCancel(f->cancel);
    PQfinish(f->pg);
    hy_free(f);
}

/* The server goes on with a statement whose client has left, until it has something to send. */
static bool leaves_work(const hy__postgres *c)
{
    return c->head.worker != NULL && c->cancel != NULL && c->pending != HY__POSTGRES_RESET &&
           c->pending != HY__POSTGRES_SETUP && PQtransactionStatus(c->pg) == PQTRANS_ACTIVE &&
           hy__fork_guard_holds(&c->guard);
}

/* First stop, then close: what comes late finds nobody. */
static bool close_by_worker(hy__postgres *c)
{
    farewell *f = leaves_work(c) ? hy_alloc_zero(sizeof *f) : NULL;

    if (f == NULL)
        return false;
    f->job = (hy__job){.run = stop_server,
                       .drop = say_goodbye,
                       .part = OPENSSL_thread_stop,
                       .deadline = hy_monotonic_ns() + STOP_WITHIN_NS};
    f->pg = c->pg;
    f->cancel = c->cancel;
    hy__job_send(&f->job, c->head.worker);
    return true;
}

static void postgres_close(hy_connection *conn)
{
    hy__postgres *c = hy__postgres_of(conn);

    hy__postgres_drop_result(c);
    if (!close_by_worker(c)) {
        if (c->pg != NULL && !hy__fork_guard_holds(&c->guard))
            hide_session(c);
        PQfreeCancel(c->cancel);
        PQfinish(c->pg);
    }
    c->pg = NULL;
    c->cancel = NULL;
    hy__job_release(c->resolving != NULL ? &c->resolving->job : NULL);
    c->resolving = NULL;
    hy__fork_guard_clear(&c->guard);
    hy__postgres_types_clear(c);
    hy_buf_clear(&c->setup);
    hy_buf_clear(&c->text);
    hy_buf_clear(&c->item);
    hy_arena_clear(&c->scratch);
    hy_free(c->params);
    hy_free(c->closing);
}

/* Is there something to read, or nobody to read from any more? */
static short look_at_socket(const hy__postgres *c)
{
    struct pollfd fd = {.fd = PQsocket(c->pg), .events = POLLIN | POLLRDHUP};

    if (fd.fd < 0)
        return POLLHUP;
    return poll(&fd, 1, 0) > 0 ? fd.revents : 0;
}

/* An idle session has nothing to say: something to read is its end. */
static bool postgres_is_alive(hy_connection *conn)
{
    hy__postgres *c = hy__postgres_of(conn);

    if (!hy__fork_guard_holds(&c->guard) || c->unusable || PQstatus(c->pg) != CONNECTION_OK)
        return false;
    short seen = look_at_socket(c);
    /* The answer to a reset is expected; whether it is one shows when it is read. */
    return seen == 0 || (seen == POLLIN && c->pending == HY__POSTGRES_RESET);
}

static bool postgres_is_idle(hy_connection *conn)
{
    return hy__postgres_of(conn)->pending == HY__POSTGRES_IDLE;
}

static hy_transaction_status postgres_transaction_status(hy_connection *conn)
{
    hy__postgres *c = hy__postgres_of(conn);

    if (c->pg == NULL || c->unusable || PQstatus(c->pg) != CONNECTION_OK || !hy__fork_guard_holds(&c->guard))
        return HY_TRANSACTION_UNKNOWN;
    switch (PQtransactionStatus(c->pg)) {
    case PQTRANS_IDLE:
        return HY_TRANSACTION_IDLE;
    case PQTRANS_INTRANS:
        return HY_TRANSACTION_ACTIVE;
    case PQTRANS_INERROR:
        return HY_TRANSACTION_FAILED;
    case PQTRANS_ACTIVE: /* in the middle of a statement */
    case PQTRANS_UNKNOWN:
        break;
    }
    return HY_TRANSACTION_UNKNOWN;
}

/*
 * Ends what is open, then DISCARD ALL by its parts: it may not share a message with anything, and it would
 * forget our prepared statements too, which nobody else can reach. They go only if others were made.
 */
static hy_status postgres_reset(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    static const char parts[] = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;"
                                " SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; ";
    hy__postgres *c = hy__postgres_of(conn);
    hy_buf *sql = &c->text;

    if (!hy__fork_guard_holds(&c->guard))
        return hy__postgres_refuse_child(err);
    bool open = PQtransactionStatus(c->pg) != PQTRANS_IDLE;
    if (!open && !c->touched)
        return HY_OK;
    hy_buf_reset(sql);
    hy_buf_puts(sql, open ? "ROLLBACK; " : "");
    hy_buf_puts(sql, c->names_left ? "DEALLOCATE ALL; " : "");
    hy_buf_puts(sql, c->touched ? parts : "");
    hy_buf_puts(sql, c->touched ? hy_buf_text(&c->setup) : "");
    if (sql->failed)
        return hy_fail_oom(err);
    c->epoch += c->names_left;
    c->session += c->touched;
    c->changes += open && c->changed;
    c->n_closing = c->names_left ? 0 : c->n_closing;
    c->names_left = c->touched = c->changed = false;
    hy__postgres_begin(c, HY__POSTGRES_RESET);
    return hy__postgres_sent(c, PQsendQuery(c->pg, hy_buf_text(sql)), wait, err);
}

/* ---- running ---------------------------------------------------------------------------- */

/* Does the server still have it, as it was prepared? */
static bool is_current(const hy__postgres *c, const hy__postgres_statement *s)
{
    return hy__postgres_has(s, HY__POSTGRES_COMMAND) ||
           (!s->broken && s->epoch == c->epoch && s->changes == c->changes &&
            (s->session == 0 || s->session == c->session) && (!s->assumes_utc || hy__postgres_is_utc(c)));
}

static hy_status refuse_stale(hy__postgres_statement *s, hy_error *err)
{
    s->head.stale = true;
    return hy_fail(err, HY_EDATABASE_ERROR, "the prepared statement is out of date");
}

static int send_execute(hy__postgres *c, const hy__postgres_statement *s, const hy__postgres_params *p,
                        size_t n)
{
    if (s->number == 0) {
        Oid *types = NULL; /* the ones that were found out, so that they stay */
        if (n > 0 && (types = hy_arena_alloc(&c->scratch, n * sizeof *types)) == NULL)
            return 0;
        for (size_t i = 0; i < n; i++)
            types[i] = PQparamtype(s->described, (int)i);
        return PQsendQueryParams(c->pg, s->sql, (int)n, types, p->values, p->sizes, p->formats, s->binary);
    }
    return PQsendQueryPrepared(c->pg, s->name, (int)n, p->values, p->sizes, p->formats, s->binary);
}

/* What the statement that is about to run does to the session and to other statements. */
static void note_changes(hy__postgres *c, const hy__postgres_statement *s)
{
    c->changed = c->changed && PQtransactionStatus(c->pg) != PQTRANS_IDLE;
    if (hy__postgres_has(s, HY__POSTGRES_CHANGES_SCHEMA) ||
        (hy__postgres_has(s, HY__POSTGRES_ROLLS_BACK) && c->changed))
        c->changes++;
    c->changed = c->changed || hy__postgres_has(s, HY__POSTGRES_CHANGES_SCHEMA);
    c->touched = c->touched || hy__postgres_has(s, HY__POSTGRES_TOUCHES_SESSION);
    c->names_left = c->names_left || hy__postgres_has(s, HY__POSTGRES_MAKES_NAMES);
}

static hy_status postgres_execute(hy_connection *conn, hy_statement *statement, const hy_bind *binds,
                                  size_t n_binds, hy_wait *wait, hy_error *err)
{
    hy__postgres *c = hy__postgres_of(conn);
    hy__postgres_statement *s = hy__postgres_statement_of(statement);
    hy__postgres_params params;

    if (!hy__fork_guard_holds(&c->guard))
        return hy__postgres_refuse_child(err);
    if (!is_current(c, s))
        return refuse_stale(s, err);
    size_t n = s->head.n_params, n_rows = n > 0 ? n_binds / n : 0;
    if (n_binds != n && (n_rows < 2 || n_binds % n != 0))
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the statement has %zu parameters and got %zu values", n,
                       n_binds);
    hy_status status = hy__postgres_params_encode(c, s->described, binds, n_rows, n, &params, err);
    if (status != HY_OK)
        return status;
    c->statement = s;
    c->head.began_anew = false;
    note_changes(c, s);
    hy__postgres_begin(c, HY__POSTGRES_EXECUTE);
    int sent = send_execute(c, s, &params, n);
    if (sent == 1 && c->row_by_row)
        (void)PQsetSingleRowMode(c->pg);
    return hy__postgres_sent(c, sent, wait, err);
}

/* Without a name the text is parsed each time, and may mean something else by now. */
static bool has_columns_of(const hy__postgres_statement *s, const PGresult *result)
{
    int n = PQnfields(result);

    if ((size_t)n != s->head.n_columns)
        return false;
    for (int i = 0; s->number == 0 && i < n; i++)
        if (PQftype(result, i) != PQftype(s->described, i))
            return false;
    return true;
}

static hy_status check_columns(hy__postgres *c, hy_error *err)
{
    hy__postgres_statement *s = c->statement;

    if (has_columns_of(s, c->result))
        return HY_OK;
    int n = PQnfields(c->result);
    bool binary = n > 0 && PQfformat(c->result, 0) == 1;
    if (binary && !hy__postgres_has_binary(c, c->result, n))
        return hy_fail(err, HY_EDATABASE_ERROR,
                       "the statement was carried out, but its columns changed meanwhile and cannot be read");
    return hy__postgres_read_columns(c, s, c->result, binary, err);
}

/* A failure that the server will repeat until the statement is prepared again. */
static hy_status after_failure(hy__postgres *c, hy_status status, hy_error *err)
{
    hy__postgres_statement *s = c->statement;

    if (!s->broken || PQstatus(c->pg) != CONNECTION_OK)
        return status;
    if (PQtransactionStatus(c->pg) != PQTRANS_INERROR) {
        s->head.stale = true;
        return status;
    }
    char state[sizeof c->error.sqlstate];
    memcpy(state, c->error.sqlstate, sizeof state);
    status = hy_fail(err, HY_ETRANSACTION_ABORTED, "%s, which ended the transaction: run it again",
                     s->head.forgotten ? "the server, or a pooler before it, forgot a prepared statement"
                                       : "a table changed under a prepared statement");
    if (err != NULL)
        memcpy(err->sqlstate, state, sizeof state);
    return status;
}

static hy_status end_execute(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__postgres_collect(c, wait, err);

    if (status == HY_AGAIN)
        return status;
    if (status != HY_OK)
        return after_failure(c, status, err);
    drop_notifications(c);
    c->head.began_anew =
        hy__postgres_has(c->statement, HY__POSTGRES_CHAINS) && PQtransactionStatus(c->pg) == PQTRANS_INTRANS;
    if (c->result == NULL)
        return HY_DONE;
    status = check_columns(c, err);
    if (status != HY_OK)
        return status;
    return c->n_rows > 0 ? HY_OK : HY_DONE;
}

static hy_status end_reset(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__postgres_collect(c, wait, err);

    if (status != HY_OK)
        return status;
    drop_notifications(c);
    /* It may have ended since it gave the answer. */
    return look_at_socket(c) == 0
               ? HY_OK
               : hy_fail(err, HY_ECONNECTION_LOST, "the connection broke while it was idle");
}

typedef hy_status (*pending_step)(hy__postgres *c, hy_wait *wait, hy_error *err);
static const pending_step steps[] = {
    [HY__POSTGRES_RESOLVE] = hy__postgres_end_resolving,
    [HY__POSTGRES_CONNECT] = hy__postgres_go_on_connecting,
    [HY__POSTGRES_SETUP] = hy__postgres_end_setup,
    [HY__POSTGRES_PREPARE] = hy__postgres_end_prepare,
    [HY__POSTGRES_TYPES] = hy__postgres_end_types,
    [HY__POSTGRES_EXECUTE] = end_execute,
    [HY__POSTGRES_RESET] = end_reset,
};

static hy_status postgres_advance(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    hy__postgres *c = hy__postgres_of(conn);

    if (!hy__fork_guard_holds(&c->guard))
        return hy__postgres_refuse_child(err);
    if (c->pending == HY__POSTGRES_IDLE)
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "nothing of this connection is waiting");
    return steps[c->pending](c, wait, err);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* The hot path. */
static hy_status postgres_row(hy_connection *conn, hy_statement *statement, hy_value *values, hy_error *err)
{
    hy__postgres *c = hy__postgres_of(conn);
    const hy__postgres_column *columns = hy__postgres_statement_of(statement)->columns;
    const PGresult *result = c->result;
    int n = (int)statement->n_columns, row = c->row;

    hy_arena_clear(&c->scratch);
    for (int i = 0; i < n; i++) {
        int size = PQgetlength(result, row, i);
        if (size == 0 && PQgetisnull(result, row, i)) {
            values[i].type = HY_NULL;
            continue;
        }
        hy__postgres_bytes in = {PQgetvalue(result, row, i), (size_t)size};
        hy_status status = columns[i].decode(c, columns[i].type, in, &values[i], err);
        if (status != HY_OK)
            return status;
    }
    return HY_OK;
}

static hy_status postgres_next(hy_connection *conn, hy_statement *statement, hy_wait *wait, hy_error *err)
{
    hy__postgres *c = hy__postgres_of(conn);

    (void)statement;
    if (++c->row < c->n_rows)
        return HY_OK;
    if (!c->more)
        return HY_DONE;
    hy__postgres_drop_result(c);
    return end_execute(c, wait, err);
}

/* What is left of a short result is dropped; for a long one nobody will wait. */
static bool is_drained(hy__postgres *c)
{
    if (c->pending == HY__POSTGRES_IDLE)
        return true;
    if (!c->more)
        return false;
    for (int n = 0; n < MOST_DRAINED && hy__postgres_has_result(c); n++) {
        PGresult *result = PQgetResult(c->pg);
        if (result == NULL)
            return true;
        read_tag(c, result);
        PQclear(result);
    }
    return false;
}

static void postgres_finish(hy_connection *conn, hy_statement *statement)
{
    hy__postgres *c = hy__postgres_of(conn);

    if (c->statement != hy__postgres_statement_of(statement))
        return;
    if (hy__fork_guard_holds(&c->guard) && !is_drained(c))
        c->unusable = true;
    if (c->pending == HY__POSTGRES_EXECUTE)
        hy__postgres_end(c);
    c->more = false;
    hy__postgres_drop_result(c);
}

static int64_t postgres_affected(hy_connection *conn)
{
    return hy__postgres_of(conn)->affected;
}

/* There is no such thing: RETURNING tells. */
static int64_t postgres_insert_id(hy_connection *conn)
{
    (void)conn;
    return 0;
}

extern const hy_driver hy__postgres_driver; /* listed in driver.c */
const hy_driver hy__postgres_driver = {
    .name = "postgres",
    .package = "libpq5",
    .flags = HY_DRIVER_TYPED_PARAMS | HY_DRIVER_BEGIN_MODES | HY_DRIVER_RESET_ROLLS_BACK |
             HY_DRIVER_NAMES_STATEMENTS | HY_DRIVER_DECLARES_CURSORS,
    .connection_size = sizeof(hy__postgres),
    .statement_size = sizeof(hy__postgres_statement),

    /* connection */
    .is_private = postgres_is_private,
    .connect = postgres_connect,
    .advance = postgres_advance,
    .close = postgres_close,
    .is_alive = postgres_is_alive,
    .is_idle = postgres_is_idle,
    .transaction_status = postgres_transaction_status,
    .reset = postgres_reset,

    /* statements */
    .prepare = hy__postgres_prepare,
    .execute = postgres_execute,
    .row = postgres_row,
    .next = postgres_next,
    .finish = postgres_finish,
    .affected = postgres_affected,
    .insert_id = postgres_insert_id,
    .statement_close = hy__postgres_statement_close,
};
