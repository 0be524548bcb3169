/*
 * postgres.c - the PostgreSQL driver: statements, rows and the driver's table.
 *
 * Statements are prepared under names of our own, parse and describe in one trip by libpq's
 * pipeline; commands without parameters and rows (BEGIN, SET...) go as they are. Results are
 * binary when every type in them has that form, else text. A result is read as a whole before
 * its first row is handed out, so the connection is free for whatever comes next; with the
 * option rows = single only one row is in memory, slower by half, and who leaves before the
 * last row leaves a connection that must be closed.
 *
 * What libpq can only do blocking: PQcancel(), which connects anew (postgres_cancel: to be
 * called from a thread that may wait), and looking up host names (postgres_connect.c).
 * PQfinish() says good-bye on a socket that does not block. In a forked child nothing is
 * sent: the parent's session must live.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/memory.h>

#include "postgres_driver.h"

enum { MOST_PARAMS = 65535, MOST_DRAINED = 100 };

static hy__postgres *as_postgres(hy_connection *c)
{
    return (hy__postgres *)(void *)c;
}

static hy__postgres_statement *as_statement(hy_statement *s)
{
    return (hy__postgres_statement *)(void *)s;
}

static bool has(const hy__postgres_statement *s, unsigned trait)
{
    return (s->traits & trait) != 0;
}

static hy_status refuse_child(hy_error *err)
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

static void set_running(hy__postgres *c, bool running)
{
    (void)pthread_mutex_lock(&c->cancel_lock);
    c->running = running;
    (void)pthread_mutex_unlock(&c->cancel_lock);
}

static void drop_result(hy__postgres *c)
{
    PQclear(c->result);
    c->result = NULL;
    c->row = c->n_rows = 0;
}

void hy__postgres_begin(hy__postgres *c, hy__postgres_pending what)
{
    drop_result(c);
    c->pending = what;
    c->failed = HY_OK;
    c->error.sqlstate[0] = '\0';
    c->syncs = 0;
    c->command = c->n_closed = c->describe_at = 0;
    c->more = false;
    c->affected = 0;
    set_running(c, true);
}

static void end(hy__postgres *c)
{
    c->pending = HY__POSTGRES_IDLE;
    set_running(c, false);
}

hy_status hy__postgres_sent(hy__postgres *c, int sent, hy_wait *wait, hy_error *err)
{
    if (sent == 0) {
        c->unusable |= c->syncs > 0 || PQpipelineStatus(c->pg) != PQ_PIPELINE_OFF;
        end(c);
        return hy__postgres_fail_call(c, err);
    }
    flush(c);
    if (PQstatus(c->pg) == CONNECTION_BAD || PQsocket(c->pg) < 0) {
        end(c);
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
    if (c->pending == HY__POSTGRES_EXECUTE && hy__postgres_is_stale(result))
        c->statement->broken = true;
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
    if (has(c->statement, HY__POSTGRES_COMMITS) && strcmp(tag, "ROLLBACK") == 0)
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
        note_failure(c, HY_EUNSUPPORTED, "COPY to or from the client is not supported");
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
    end(c);
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

static hy_status postgres_connect(hy_connection *conn, const hy_connect_config *config, hy_wait *wait,
                                  hy_error *err)
{
    hy__postgres *c = as_postgres(conn);

    hy__fork_guard_init(&c->guard);
    (void)pthread_mutex_init(&c->cancel_lock, NULL);
    hy_buf_init(&c->setup);
    hy_buf_init(&c->text);
    hy_buf_init(&c->item);
    hy_arena_init(&c->scratch, c->first_scratch, sizeof c->first_scratch);
    c->epoch = 1;
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

static void postgres_close(hy_connection *conn)
{
    hy__postgres *c = as_postgres(conn);

    if (c->pg != NULL && !hy__fork_guard_holds(&c->guard))
        hide_session(c);
    drop_result(c);
    PQfreeCancel(c->cancel);
    PQfinish(c->pg);
    c->pg = NULL;
    c->cancel = NULL;
    hy__fork_guard_clear(&c->guard);
    hy__postgres_types_clear(c);
    hy_buf_clear(&c->setup);
    hy_buf_clear(&c->text);
    hy_buf_clear(&c->item);
    hy_arena_clear(&c->scratch);
    hy_free(c->params);
    hy_free(c->closing);
    (void)pthread_mutex_destroy(&c->cancel_lock);
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
    hy__postgres *c = as_postgres(conn);

    if (!hy__fork_guard_holds(&c->guard) || c->unusable || PQstatus(c->pg) != CONNECTION_OK)
        return false;
    short seen = look_at_socket(c);
    /* The answer to a reset is expected; whether it is one shows when it is read. */
    return seen == 0 || (seen == POLLIN && c->pending == HY__POSTGRES_RESET);
}

static bool postgres_is_idle(hy_connection *conn)
{
    return as_postgres(conn)->pending == HY__POSTGRES_IDLE;
}

static hy_transaction_status postgres_transaction_status(hy_connection *conn)
{
    hy__postgres *c = as_postgres(conn);

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
    hy__postgres *c = as_postgres(conn);
    hy_buf *sql = &c->text;

    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
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
    c->changes += open && c->changed;
    c->n_closing = c->names_left ? 0 : c->n_closing;
    c->names_left = c->touched = c->changed = false;
    hy__postgres_begin(c, HY__POSTGRES_RESET);
    return hy__postgres_sent(c, PQsendQuery(c->pg, hy_buf_text(sql)), wait, err);
}

/*
 * Any thread. Blocks until the server has taken the request, which a frozen one never does.
 * The lock keeps the request from hitting the next statement.
 */
static void postgres_cancel(hy_connection *conn)
{
    hy__postgres *c = as_postgres(conn);
    char message[256];

    (void)pthread_mutex_lock(&c->cancel_lock);
    if (c->running && c->cancel != NULL)
        (void)PQcancel(c->cancel, message, sizeof message);
    (void)pthread_mutex_unlock(&c->cancel_lock);
}

/* ---- preparing -------------------------------------------------------------------------- */

static void write_name(char name[HY__POSTGRES_NAME], uint64_t number)
{
    (void)snprintf(name, HY__POSTGRES_NAME, "hy_%llu", (unsigned long long)number);
}

/*
 * Let the server forget statements that were closed. Only outside of transactions: a name
 * that is gone already (DISCARD ALL) is an error, and that would end the transaction.
 */
static bool send_closing(hy__postgres *c)
{
    char sql[HY__POSTGRES_NAME + sizeof "DEALLOCATE "], name[HY__POSTGRES_NAME];
    bool fine = true;

    if (c->n_closing == 0 || PQtransactionStatus(c->pg) != PQTRANS_IDLE)
        return true;
    for (size_t i = 0; i < c->n_closing && fine; i++) {
        write_name(name, c->closing[i]);
        (void)snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
        fine = PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
        if (fine)
            fine = PQpipelineSync(c->pg) == 1;
        c->syncs += fine;
    }
    c->n_closed = c->n_closing;
    c->n_closing = 0;
    return fine;
}

static bool send_command(hy__postgres *c, const char *sql)
{
    c->describe_at++;
    return PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

/*
 * Parse and describe, in one message and one trip. A parameter whose type cannot be inferred
 * is an error, after which it is tried again with a type: in a transaction that needs a
 * savepoint, which travels with it.
 */
static bool send_prepare(hy__postgres *c, hy__postgres_statement *s)
{
    const Oid *types = c->params;
    bool fine = PQenterPipelineMode(c->pg) == 1 && send_closing(c);

    c->describe_at = c->n_closed + 1;
    if (c->guarded)
        fine = fine &&
               send_command(c, c->insisted ? "ROLLBACK TO SAVEPOINT hy_prepare" : "SAVEPOINT hy_prepare");
    fine = fine && PQsendPrepare(c->pg, s->name, s->sql, (int)c->n_types, types) == 1 &&
           PQsendDescribePrepared(c->pg, s->name) == 1;
    size_t describe_at = c->describe_at;
    if (c->guarded)
        fine = fine && send_command(c, "RELEASE SAVEPOINT hy_prepare");
    c->describe_at = describe_at;
    fine = fine && PQpipelineSync(c->pg) == 1;
    c->syncs += fine;
    return fine;
}

/* Types of parameters into c->params; whether others may have to be tried. */
static hy_status list_param_types(hy__postgres *c, hy__postgres_statement *s, const hy_kind *kinds, size_t n,
                                  bool *unsure, hy_error *err)
{
    Oid *types = hy__postgres_params_reserve(c, (n > 0 ? 2 * n : 1) * sizeof *types);
    bool utc = hy__postgres_is_utc(c);

    *unsure = false;
    if (types == NULL)
        return hy_fail_oom(err);
    for (size_t i = 0; i < n; i++) {
        types[i] = hy__postgres_param_type(kinds[i], utc);
        types[n + i] = hy__postgres_param_second_type(kinds[i]);
        s->assumes_utc |= types[i] == HY__PG_TIMESTAMP;
        *unsure |= types[i] == 0 || types[i] == HY__PG_INT8;
    }
    c->n_types = n;
    return HY_OK;
}

static hy_status check_text(const char *sql, size_t size, size_t n_params, hy_error *err)
{
    switch (hy_text_check(sql, size)) {
    case HY_TEXT_NUL:
        return hy_fail(err, HY_ESYNTAX, "there is a NUL byte in the statement");
    case HY_TEXT_BAD_UTF8:
        return hy_fail(err, HY_ESYNTAX, "the statement is not valid UTF-8");
    case HY_TEXT_FINE:
        break;
    }
    if (n_params > MOST_PARAMS)
        return hy_fail(err, HY_ELIMIT_EXCEEDED, "the statement has %zu parameters, PostgreSQL takes %d",
                       n_params, MOST_PARAMS);
    return HY_OK;
}

/* The text, with a NUL behind it. */
static bool keep_text(hy__postgres_statement *s, const char *sql, size_t size)
{
    s->sql = hy_alloc(size + 1);
    if (s->sql == NULL)
        return false;
    memcpy(s->sql, sql, size);
    s->sql[size] = '\0';
    return true;
}

static hy_status postgres_prepare(hy_connection *conn, hy_statement *statement, const char *sql, size_t size,
                                  const hy_kind *kinds, size_t n_kinds, hy_wait *wait, hy_error *err)
{
    hy__postgres *c = as_postgres(conn);
    hy__postgres_statement *s = as_statement(statement);

    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
    hy_status status = check_text(sql, size, n_kinds, err);
    if (status != HY_OK)
        return status;
    if (!keep_text(s, sql, size))
        return hy_fail_oom(err);
    s->traits = hy__postgres_traits(sql, size);
    if (n_kinds > 0)
        s->traits &= ~(unsigned)HY__POSTGRES_COMMAND;
    s->epoch = c->epoch;
    s->changes = c->changes;
    if (has(s, HY__POSTGRES_COMMAND))
        return HY_OK;
    bool unsure;
    status = list_param_types(c, s, kinds, n_kinds, &unsure, err);
    if (status != HY_OK)
        return status;
    s->number = c->unnamed ? 0 : ++c->last_number;
    if (s->number != 0)
        write_name(s->name, s->number);
    c->statement = s;
    c->guarded = unsure && PQtransactionStatus(c->pg) == PQTRANS_INTRANS;
    c->insisted = !unsure;
    hy__postgres_begin(c, HY__POSTGRES_PREPARE);
    return hy__postgres_sent(c, send_prepare(c, s), wait, err);
}

/*
 * What to try when a statement is refused because of its parameters. Those without a type:
 * not told, not fitting, or fitting too much. Those of 64 bits: a function that takes only 32,
 * which the server finds when it may infer.
 */
static bool choose_again(hy__postgres *c)
{
    static const char *const untyped[] = {"42P18", "42804", "42725"};
    bool wide = strcmp(c->error.sqlstate, "42883") == 0, changed = false, wanted = wide;
    Oid *types = c->params;

    for (size_t i = 0; i < sizeof untyped / sizeof untyped[0]; i++)
        wanted = wanted || strcmp(c->error.sqlstate, untyped[i]) == 0;
    for (size_t i = 0; wanted && i < c->n_types; i++) {
        if (types[i] != (wide ? HY__PG_INT8 : 0))
            continue;
        types[i] = wide ? 0 : types[c->n_types + i];
        changed = true;
    }
    return changed;
}

static hy_status prepare_again(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    c->insisted = true;
    hy__postgres_begin(c, HY__POSTGRES_PREPARE);
    return hy__postgres_sent(c, send_prepare(c, c->statement), wait, err);
}

static bool has_binary(const hy__postgres *c, const PGresult *result, int n)
{
    for (int i = 0; i < n; i++)
        if (hy__postgres_type_of(c, PQftype(result, i))->binary == NULL)
            return false;
    return true;
}

/* Columns, names and kinds in one block, from what describes them. */
static hy_status read_columns(hy__postgres *c, hy__postgres_statement *s, const PGresult *from, bool binary,
                              hy_error *err)
{
    int n = PQnfields(from);
    size_t names = 0, each = sizeof(hy__postgres_column) + sizeof(char *) + sizeof(hy_kind);

    for (int i = 0; i < n; i++)
        names += strlen(PQfname(from, i)) + 1;
    void *block = hy_realloc(s->block, (size_t)n * each + names + 1);
    if (block == NULL)
        return hy_fail_oom(err);
    s->block = block;
    s->columns = block;
    const char **list = (const char **)(void *)(s->columns + n);
    hy_kind *kinds = (hy_kind *)(void *)(list + n);
    char *text = (char *)(kinds + n);
    for (int i = 0; i < n; i++) {
        const hy__postgres_type *type = hy__postgres_type_of(c, PQftype(from, i));
        size_t size = strlen(PQfname(from, i)) + 1;
        s->columns[i] = (hy__postgres_column){type, binary ? type->binary : type->text};
        kinds[i] = type->kind;
        list[i] = memcpy(text, PQfname(from, i), size);
        text += size;
    }
    s->head.n_columns = (size_t)n;
    s->head.column_names = list;
    s->head.column_kinds = kinds;
    s->binary = binary;
    return HY_OK;
}

static hy_status finish_prepare(hy__postgres *c, hy_error *err)
{
    hy__postgres_statement *s = c->statement;

    s->head.n_params = (size_t)PQnparams(s->described);
    if (!c->unnamed) {
        hy_free(s->sql);
        s->sql = NULL;
    }
    int n = PQnfields(s->described);
    return read_columns(c, s, s->described, has_binary(c, s->described, n), err);
}

/* Types of this database that nobody has seen yet, as the text of an array; false: none. */
static bool list_new_types(const hy__postgres *c, const PGresult *described, hy_buf *out)
{
    bool any = false;

    hy_buf_reset(out);
    for (int i = 0; i < PQnfields(described); i++) {
        if (!hy__postgres_type_is_new(c, PQftype(described, i)))
            continue;
        hy_buf_putc(out, any ? ',' : '{');
        hy_buf_put_uint(out, PQftype(described, i));
        any = true;
    }
    hy_buf_putc(out, '}');
    return any;
}

static hy_status ask_for_types(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    static const char sql[] = "SELECT t.oid, t.typcategory, t.typelem, coalesce(e.typcategory, ' ')"
                              " FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem"
                              " WHERE t.oid = ANY ($1::pg_catalog.oid[])";
    const char *values[] = {hy_buf_text(&c->text)};

    if (c->text.failed)
        return hy_fail_oom(err);
    hy__postgres_begin(c, HY__POSTGRES_TYPES);
    return hy__postgres_sent(c, PQsendQueryParams(c->pg, sql, 1, NULL, values, NULL, NULL, 0), wait, err);
}

static Oid cell_oid(const PGresult *result, int row, int column)
{
    Oid oid = 0;

    for (const char *digits = PQgetvalue(result, row, column); *digits >= '0' && *digits <= '9'; digits++)
        oid = oid * 10 + (Oid)(*digits - '0');
    return oid;
}

static hy_status end_types(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__postgres_collect(c, wait, err);

    if (status != HY_OK)
        return status;
    const PGresult *r = c->result;
    for (int i = 0; i < c->n_rows; i++)
        if (!hy__postgres_type_add(c, cell_oid(r, i, 0), *PQgetvalue(r, i, 1), cell_oid(r, i, 2),
                                   *PQgetvalue(r, i, 3)))
            return hy_fail_oom(err);
    drop_result(c);
    return finish_prepare(c, err);
}

static hy_status end_prepare(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    hy__postgres_statement *s = c->statement;
    hy_status status = hy__postgres_collect(c, wait, err);

    if (status == HY_AGAIN)
        return status;
    if (PQexitPipelineMode(c->pg) == 0)
        c->unusable = true;
    if (status != HY_OK && !c->insisted && !c->unusable && choose_again(c))
        return prepare_again(c, wait, err);
    if (status != HY_OK) {
        s->number = 0; /* the server does not have it */
        return status;
    }
    s->described = c->result;
    c->result = NULL;
    if (list_new_types(c, s->described, &c->text))
        return ask_for_types(c, wait, err);
    return finish_prepare(c, err);
}

/* The server is told with the next prepare; without memory it keeps the statement. */
static void close_later(hy__postgres *c, uint64_t number)
{
    if (c->n_closing == c->closing_capacity) {
        size_t capacity = c->closing_capacity > 0 ? c->closing_capacity * 2 : 16;
        uint64_t *grown = hy_realloc(c->closing, capacity * sizeof *grown);
        if (grown == NULL)
            return;
        c->closing = grown;
        c->closing_capacity = capacity;
    }
    c->closing[c->n_closing++] = number;
}

static void postgres_statement_close(hy_connection *conn, hy_statement *statement)
{
    hy__postgres *c = as_postgres(conn);
    hy__postgres_statement *s = as_statement(statement);

    if (c->statement == s && c->pending != HY__POSTGRES_IDLE) {
        c->unusable = true; /* given up half way */
        end(c);
    }
    if (s->number != 0 && s->epoch == c->epoch)
        close_later(c, s->number);
    PQclear(s->described);
    hy_free(s->block);
    hy_free(s->sql);
    s->described = NULL;
    s->block = NULL;
    s->sql = NULL;
    s->number = 0;
}

/* ---- running ---------------------------------------------------------------------------- */

/* Does the server still have it, as it was prepared? */
static bool is_current(const hy__postgres *c, const hy__postgres_statement *s)
{
    return has(s, HY__POSTGRES_COMMAND) || (!s->broken && s->epoch == c->epoch && s->changes == c->changes &&
                                            (!s->assumes_utc || hy__postgres_is_utc(c)));
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
    if (has(s, HY__POSTGRES_CHANGES_SCHEMA) || (has(s, HY__POSTGRES_ROLLS_BACK) && c->changed))
        c->changes++;
    c->changed = c->changed || has(s, HY__POSTGRES_CHANGES_SCHEMA);
    c->touched = c->touched || has(s, HY__POSTGRES_TOUCHES_SESSION);
    c->names_left = c->names_left || has(s, HY__POSTGRES_MAKES_NAMES);
}

static hy_status postgres_execute(hy_connection *conn, hy_statement *statement, const hy_bind *binds,
                                  size_t n_binds, hy_wait *wait, hy_error *err)
{
    hy__postgres *c = as_postgres(conn);
    hy__postgres_statement *s = as_statement(statement);
    hy__postgres_params params;

    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
    if (!is_current(c, s))
        return refuse_stale(s, err);
    if (n_binds != s->head.n_params)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the statement has %zu parameters and got %zu values",
                       s->head.n_params, n_binds);
    hy_status status = hy__postgres_params_encode(c, s->described, binds, n_binds, &params, err);
    if (status != HY_OK)
        return status;
    c->statement = s;
    note_changes(c, s);
    hy__postgres_begin(c, HY__POSTGRES_EXECUTE);
    int sent = send_execute(c, s, &params, n_binds);
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
    if (binary && !has_binary(c, c->result, n))
        return hy_fail(err, HY_EDATABASE_ERROR, "the columns of the statement changed: run it again");
    return read_columns(c, s, c->result, binary, err);
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
    status = hy_fail(err, HY_ETRANSACTION_ABORTED,
                     "a table changed under a prepared statement, which ended the transaction: run it again");
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
    [HY__POSTGRES_CONNECT] = hy__postgres_go_on_connecting,
    [HY__POSTGRES_SETUP] = hy__postgres_end_setup,
    [HY__POSTGRES_PREPARE] = end_prepare,
    [HY__POSTGRES_TYPES] = end_types,
    [HY__POSTGRES_EXECUTE] = end_execute,
    [HY__POSTGRES_RESET] = end_reset,
};

static hy_status postgres_advance(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    hy__postgres *c = as_postgres(conn);

    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
    if (c->pending == HY__POSTGRES_IDLE)
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "nothing of this connection is waiting");
    return steps[c->pending](c, wait, err);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* The hot path. */
static hy_status postgres_row(hy_connection *conn, hy_statement *statement, hy_value *values, hy_error *err)
{
    hy__postgres *c = as_postgres(conn);
    const hy__postgres_column *columns = as_statement(statement)->columns;
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
    hy__postgres *c = as_postgres(conn);

    (void)statement;
    if (++c->row < c->n_rows)
        return HY_OK;
    if (!c->more)
        return HY_DONE;
    drop_result(c);
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
    hy__postgres *c = as_postgres(conn);

    if (c->statement != as_statement(statement))
        return;
    if (hy__fork_guard_holds(&c->guard) && !is_drained(c))
        c->unusable = true;
    if (c->pending == HY__POSTGRES_EXECUTE)
        end(c);
    c->more = false;
    drop_result(c);
}

static int64_t postgres_affected(hy_connection *conn)
{
    return as_postgres(conn)->affected;
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
    .flags = HY_DRIVER_TYPED_PARAMS | HY_DRIVER_BEGIN_MODES | HY_DRIVER_RESET_ROLLS_BACK,
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
    .cancel = postgres_cancel,

    /* statements */
    .prepare = postgres_prepare,
    .execute = postgres_execute,
    .row = postgres_row,
    .next = postgres_next,
    .finish = postgres_finish,
    .affected = postgres_affected,
    .insert_id = postgres_insert_id,
    .statement_close = postgres_statement_close,
};
