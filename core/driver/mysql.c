/*
 * mysql.c - the drivers of MariaDB and MySQL: statements, rows and the drivers' tables.
 *
 * What reads and writes rows is prepared and runs by the binary protocol; all else (BEGIN, DDL,
 * SHOW...) and what the server refuses to prepare goes as text, unless it has parameters. Rows
 * are read as they arrive, so a long result takes little memory; when another statement runs
 * meanwhile, the rest is stored first. With a fetch size the server keeps the result instead and
 * the line is free between two batches. Errors may come with any row.
 *
 * An error tells nothing about the transaction (a deadlock ends it, so does a failed CREATE),
 * and the flags the library remembers are those of the last success. So after an error that
 * may have ended something the server is asked, by the cheapest statement there is.
 *
 * The server notices that its client has left only when it has something to send: a connection
 * that is closed in the middle of something has a thread tell the server by another one
 * (mysql_jobs.c). CLIENT_FOUND_ROWS: affected() counts what matched.
 */
#include <poll.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/memory.h>

#include "mysql_driver.h"

enum {
    NEEDS_REPREPARE = 1615,
    UNKNOWN_STATEMENT = 1243,
    UNSUPPORTED_PREPARED = 1295,
    TOO_MANY_PREPARED = 1461,
    LOST_STATEMENT = 2056, /* the library's: the session was reset */
    NEW_COLUMNS = 2057,
    MESSAGE_ROOM = 16
};

extern const hy_driver hy__mysql_driver, hy__mariadb_driver; /* listed in driver.c */

static hy__mysql_statement *as_statement(hy_statement *s)
{
    return (hy__mysql_statement *)(void *)s;
}

static hy_status refuse_child(hy_error *err)
{
    return hy_fail(err, HY_ECLOSED,
                   "this connection was opened before fork: a child process must open its own");
}

static bool is_ours(const hy__mysql *c)
{
    return hy__fork_guard_holds(&c->guard);
}

/* ---- connection ------------------------------------------------------------------------- */

static bool mysql_is_private(const hy_connect_config *config)
{
    (void)config;
    return false;
}

static hy_status mysql_connect(hy_connection *conn, const hy_connect_config *config, hy_wait *wait,
                               hy_error *err)
{
    hy__mysql *c = hy__mysql_of(conn);

    hy__fork_guard_init(&c->guard);
    hy_buf_init(&c->setup);
    c->is_mariadb = conn->driver == &hy__mariadb_driver;
    return hy__mysql_connect(c, config, wait, err);
}

static hy_status mysql_advance(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    hy__mysql *c = hy__mysql_of(conn);

    if (!is_ours(c))
        return refuse_child(err);
    return c->config != NULL ? hy__mysql_go_on_connecting(c, wait, err) : hy__mysql_advance(c, wait, err);
}

/* Freed after the connection they need nothing from the server. */
static void free_closing(MYSQL_STMT *stmt)
{
    while (stmt != NULL) {
        void *next = NULL;
        (void)mysql_stmt_attr_get(stmt, STMT_ATTR_CB_USER_DATA, &next);
        (void)mysql_stmt_close(stmt);
        stmt = next;
    }
}

static hy_status begin_reset(hy__mysql *c, hy_error *err);

/* The server goes on with a statement whose client has left, until it has something to send. */
static bool leaves_work(const hy__mysql *c)
{
    return (c->busy || c->suspended || c->stream != NULL) && c->begin != begin_reset && c->config == NULL &&
           c->head.worker != NULL && is_ours(c);
}

static void mysql_disconnect(hy_connection *conn)
{
    hy__mysql *c = hy__mysql_of(conn);

    if (c->my != NULL) {
        if (leaves_work(c))
            hy__mysql_stop_server(c);
        hy__mysql_end(c, c->broken || c->suspended || c->stream != NULL || !is_ours(c));
    }
    hy__mysql_leave_connecting(c);
    hy__job_release(c->resolving != NULL ? &c->resolving->job : NULL);
    c->resolving = NULL;
    free_closing(c->closing);
    c->closing = NULL;
    hy_buf_clear(&c->setup);
    hy__mysql_settings_free(c->settings);
    c->settings = NULL;
    hy__fork_guard_clear(&c->guard);
}

/* On an idle connection there is nothing to read but its end. */
static bool mysql_is_alive(hy_connection *conn)
{
    hy__mysql *c = hy__mysql_of(conn);

    if (!is_ours(c) || !hy__mysql_is_drained(c))
        return false;
    struct pollfd fd = {.fd = mysql_get_socket(c->my), .events = POLLIN | POLLRDHUP};
    if (c->busy) /* a reset's answer is no surprise */
        fd.events = POLLRDHUP;
    return poll(&fd, 1, 0) == 0;
}

static bool mysql_is_idle(hy_connection *conn)
{
    hy__mysql *c = hy__mysql_of(conn);
    return is_ours(c) && hy__mysql_is_drained(c);
}

static hy_transaction_status mysql_transaction_status(hy_connection *conn)
{
    hy__mysql *c = hy__mysql_of(conn);

    if (c->my == NULL || c->broken || !is_ours(c))
        return HY_TRANSACTION_UNKNOWN;
    return (c->status & SERVER_STATUS_IN_TRANS) != 0 ? HY_TRANSACTION_ACTIVE : HY_TRANSACTION_IDLE;
}

/* ---- reset ------------------------------------------------------------------------------ */

static hy_status fail_reset(hy__mysql *c, hy_error *err)
{
    hy_status status = hy__mysql_fail(c, NULL, err);

    c->broken = true;
    return status;
}

static hy_status after_reset_database(hy__mysql *c, hy_error *err)
{
    return c->ret != 0 ? fail_reset(c, err) : hy__mysql_set_up_again(c, err);
}

/* The server forgot the character set, the library did not. */
static hy_status after_reset_charset(hy__mysql *c, hy_error *err)
{
    if (c->ret != 0)
        return fail_reset(c, err);
    if (c->settings->database == NULL)
        return hy__mysql_set_up_again(c, err);
    return hy__mysql_plan(c, HY__MYSQL_DATABASE, after_reset_database);
}

static hy_status after_reset(hy__mysql *c, hy_error *err)
{
    if (c->ret != 0)
        return fail_reset(c, err);
    c->epoch++;
    return hy__mysql_plan(c, HY__MYSQL_CHARSET, after_reset_charset);
}

static hy_status begin_reset(hy__mysql *c, hy_error *err)
{
    (void)err;
    c->touched = false;
    return hy__mysql_plan(c, HY__MYSQL_RESET, after_reset);
}

static hy_status mysql_reset(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    hy__mysql *c = hy__mysql_of(conn);

    if (!is_ours(c))
        return refuse_child(err);
    if (c->stained)
        return hy_fail(err, HY_EDATABASE_ERROR, "the session has another role now, which stays");
    if (!c->touched && (c->status & SERVER_STATUS_IN_TRANS) == 0)
        return HY_OK;
    c->statement = NULL;
    return hy__mysql_start(c, begin_reset, wait, err);
}

/* ---- failures --------------------------------------------------------------------------- */

static hy_status after_asking(hy__mysql *c, hy_error *err)
{
    if (c->ret != 0)
        c->broken = true; /* nobody knows what it is in */
    else
        hy__mysql_look(c);
    if (err != NULL)
        *err = c->failure;
    return c->failed;
}

/* May an error have ended, or begun, a transaction? */
static bool must_ask(const hy__mysql *c)
{
    bool in_transaction = (c->status & SERVER_STATUS_IN_TRANS) != 0;
    bool autocommit = (c->status & SERVER_STATUS_AUTOCOMMIT) != 0;

    return in_transaction || !autocommit || c->statement->verb == HY__MYSQL_OTHER;
}

static void drop_handle(hy__mysql *c, hy__mysql_statement *s)
{
    hy__mysql_bury(c, s->stmt);
    s->stmt = NULL;
}

/*
 * The server forgets them with the statement, which costs no trip of its own. Run once more
 * without a cursor the library waits for rows that never come.
 */
static void leave_kept_rows(hy__mysql *c, hy__mysql_statement *s)
{
    drop_handle(c, s);
    s->dead = true;
}

/* Step: the statement failed with `status`, which `failure` tells about. */
static hy_status end_failed(hy__mysql *c, hy_status status, const hy_error *failure, hy_error *err)
{
    static const char question[] = "DO 0";

    if (c->stream == c->statement)
        c->stream = NULL;
    if (c->statement->rows == HY__MYSQL_KEPT)
        leave_kept_rows(c, c->statement);
    c->statement->rows = HY__MYSQL_NO_ROWS;
    if (c->broken || !must_ask(c)) {
        if (err != NULL)
            *err = *failure;
        return status;
    }
    c->failed = status;
    c->failure = *failure;
    return hy__mysql_plan_query(c, question, sizeof question - 1, after_asking);
}

hy_status hy__mysql_fail_statement(hy__mysql *c, hy_error *err)
{
    hy_error failure;
    hy_status status = hy__mysql_fail(c, c->statement->stmt, &failure);

    return end_failed(c, status, &failure, err);
}

/* ---- columns ---------------------------------------------------------------------------- */

static size_t names_size(const MYSQL_FIELD *fields, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += strlen(fields[i].name) + 1;
    return size;
}

/* One block: columns, the row, pointers to names, kinds, the names' text. */
static hy_status make_columns(hy__mysql_statement *s, const MYSQL_FIELD *fields, size_t n, hy_error *err)
{
    size_t each = sizeof *s->columns + sizeof *s->row + sizeof(char *) + sizeof(hy_kind);
    void *block = hy_realloc(s->block, n * each + names_size(fields, n));

    if (block == NULL)
        return hy_fail_oom(err);
    s->block = block;
    s->columns = block;
    s->row = (hy_value *)(void *)(s->columns + n);
    const char **names = (const char **)(void *)(s->row + n);
    hy_kind *kinds = (hy_kind *)(void *)(names + n);
    char *text = (char *)(kinds + n);
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(fields[i].name) + 1;
        hy__mysql_column_init(&s->columns[i], &fields[i]);
        kinds[i] = s->columns[i].kind;
        names[i] = text;
        memcpy(text, fields[i].name, size);
        text += size;
    }
    s->head.n_columns = n;
    s->head.column_names = names;
    s->head.column_kinds = kinds;
    return HY_OK;
}

static bool columns_fit(const hy__mysql_statement *s, const MYSQL_FIELD *fields, size_t n)
{
    if (s->head.n_columns != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!hy__mysql_column_fits(&s->columns[i], &fields[i]) ||
            strcmp(s->head.column_names[i], fields[i].name) != 0)
            return false;
    return true;
}

/* Types may depend on the parameters: look again at each execution. */
hy_status hy__mysql_read_columns(hy__mysql_statement *s, const MYSQL_FIELD *fields, size_t n, hy_error *err)
{
    if (n == 0) {
        s->head.n_columns = 0;
        return HY_OK;
    }
    return columns_fit(s, fields, n) ? HY_OK : make_columns(s, fields, n, err);
}

/* Called by libmariadb for each cell it finds in a row; NULL for NULL. */
static void take_cell(void *data, unsigned i, unsigned char **at)
{
    hy__mysql_statement *s = data;
    hy__mysql_column *column = &s->columns[i];
    hy_value *out = &s->row[i];
    const unsigned char *cell;
    const char *fault;

    if (at == NULL) {
        *out = hy_null();
        return;
    }
    cell = *at;
    if (column->binary != NULL) {
        fault = column->binary(column, &cell, out);
    } else {
        size_t size;
        const char *bytes = hy__mysql_take_bytes(&cell, &size);
        fault = column->bytes(column, bytes, size, out);
    }
    *at += cell - *at;
    if (fault != NULL && s->fault == NULL) {
        s->fault = fault;
        s->fault_at = i;
    }
}

/* ---- preparing -------------------------------------------------------------------------- */

/* From here on the statement runs as text. */
static hy_status keep_text(hy__mysql_statement *s, const char *sql, size_t size, hy_error *err)
{
    if (s->sql != NULL)
        return HY_OK;
    s->sql = hy_alloc(size + 1);
    if (s->sql == NULL)
        return hy_fail_oom(err);
    memcpy(s->sql, sql, size);
    s->sql[size] = '\0';
    s->sql_size = size;
    return HY_OK;
}

static hy_status make_handle(hy__mysql *c, hy__mysql_statement *s, hy_error *err)
{
    void (*function)(void *, unsigned, unsigned char **) = take_cell;
    const void *pointer;

    s->stmt = mysql_stmt_init(c->my);
    if (s->stmt == NULL)
        return hy_fail_oom(err);
    memcpy(&pointer, &function, sizeof pointer); /* the library takes functions as data */
    (void)mysql_stmt_attr_set(s->stmt, STMT_ATTR_CB_RESULT, pointer);
    (void)mysql_stmt_attr_set(s->stmt, STMT_ATTR_CB_USER_DATA, s);
    s->epoch = c->epoch;
    s->connection = c;
    s->many = false;
    c->target = s->stmt;
    return HY_OK;
}

/* Who tries to run it all the same must prepare it first. */
static hy_status fail_prepare(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;
    hy_error failure;
    hy_status status = hy__mysql_fail(c, s->stmt, &failure);

    drop_handle(c, s);
    s->dead = true;
    return end_failed(c, status, &failure, err);
}

static hy_status after_prepare(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;
    unsigned code = c->ret != 0 ? hy__mysql_errno(c, s->stmt) : 0;

    if (code == UNSUPPORTED_PREPARED || code == TOO_MANY_PREPARED) {
        drop_handle(c, s);
        return keep_text(s, c->sql, c->sql_size, err);
    }
    if (c->ret != 0)
        return fail_prepare(c, err);
    s->head.n_params = mysql_stmt_param_count(s->stmt);
    return hy__mysql_read_columns(s, mariadb_stmt_fetch_fields(s->stmt), mysql_stmt_field_count(s->stmt),
                                  err);
}

static hy_status begin_prepare(hy__mysql *c, hy_error *err)
{
    hy_status status = make_handle(c, c->statement, err);
    return status == HY_OK ? hy__mysql_plan(c, HY__MYSQL_PREPARE, after_prepare) : status;
}

static hy_status check_text(const hy__mysql *c, const char *sql, size_t size, hy_error *err)
{
    if (memchr(sql, '\0', size) != NULL)
        return hy_fail(err, HY_ESYNTAX, "there is a NUL byte in the statement");
    if (size + MESSAGE_ROOM > c->max_packet)
        return hy_fail(err, HY_ELIMIT_EXCEEDED,
                       "the statement is longer than the server takes: its max_allowed_packet is %llu bytes",
                       (unsigned long long)c->max_packet);
    if (hy__mysql_skip(sql, sql + size) == sql + size)
        return hy_fail(err, HY_ESYNTAX, "there is no statement in this text");
    return HY_OK;
}

static hy_status mysql_prepare(hy_connection *conn, hy_statement *statement, const char *sql, size_t size,
                               const hy_kind *kinds, size_t n_kinds, hy_wait *wait, hy_error *err)
{
    hy__mysql *c = hy__mysql_of(conn);
    hy__mysql_statement *s = as_statement(statement);

    (void)kinds; /* types are sent with each execution; the cache goes by them where it must */
    (void)n_kinds;
    if (!is_ours(c))
        return refuse_child(err);
    hy_status status = check_text(c, sql, size, err);
    if (status != HY_OK)
        return status;
    s->verb = hy__mysql_verb_of(sql, size);
    s->touches = hy__mysql_touches(sql, size, s->verb);
    s->stains = hy__mysql_stains(sql, size, s->verb);
    s->restarts = hy__mysql_restarts(sql, size, s->verb);
    if (s->verb == HY__MYSQL_OTHER)
        return keep_text(s, sql, size, err);
    if (!c->busy) {
        c->statement = s;
        c->sql = sql;
        c->sql_size = size;
    }
    return hy__mysql_start(c, begin_prepare, wait, err);
}

/* ---- the binary protocol ---------------------------------------------------------------- */

int64_t hy__mysql_count(unsigned long long n)
{
    return n == MYSQL_COUNT_ERROR ? 0 : (int64_t)n;
}

/* The last result of the statement has been read. */
static hy_status end_rows(hy__mysql *c)
{
    hy__mysql_statement *s = c->statement;

    if (s->rows == HY__MYSQL_KEPT)
        leave_kept_rows(c, s);
    c->stream = NULL;
    s->rows = HY__MYSQL_NO_ROWS;
    c->affected = s->verb == HY__MYSQL_WRITES ? s->n_rows : 0; /* RETURNING: one row each */
    return HY_DONE;
}

/* Step: results after the first one, of CALL, are read and dropped. */
static hy_status after_more(hy__mysql *c, hy_error *err)
{
    if (c->ret > 0)
        return hy__mysql_fail_statement(c, err);
    hy__mysql_look(c);
    if (c->ret == 0 && mysql_stmt_more_results(c->target))
        return hy__mysql_plan(c, HY__MYSQL_MORE, after_more);
    return end_rows(c);
}

static hy_status after_last_row(hy__mysql *c)
{
    if (mysql_stmt_more_results(c->target))
        return hy__mysql_plan(c, HY__MYSQL_MORE, after_more);
    return end_rows(c);
}

static hy_status after_fetch(hy__mysql *c, hy_error *err)
{
    if (c->ret == 0 || c->ret == MYSQL_DATA_TRUNCATED) {
        c->statement->n_rows++;
        c->statement->untaken = true;
        return HY_OK;
    }
    if (c->ret == MYSQL_NO_DATA)
        return after_last_row(c);
    if (c->ret == MYSQL_DATA_MALFORMED)
        c->broken = true;
    return hy__mysql_fail_statement(c, err);
}

static hy_status fetch(hy__mysql *c)
{
    c->statement->fault = NULL;
    c->target = c->statement->stmt;
    return hy__mysql_plan(c, HY__MYSQL_FETCH, after_fetch);
}

/* Rows of another shape than prepared for are on their way: let them pass. */
static hy_status after_misfit(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;
    hy_error failure;
    hy_status status;

    s->dead = true;
    s->head.stale = s->verb == HY__MYSQL_READS;
    status = hy_fail(&failure, HY_EDATABASE_ERROR,
                     s->head.stale
                         ? "the result changed its shape since the statement was prepared"
                         : "the statement was carried out, but its result has another shape than when it "
                           "was prepared and cannot be read");
    failure.native_code = NEW_COLUMNS;
    return end_failed(c, status, &failure, err);
}

static hy_status fail_execute(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;
    unsigned code = hy__mysql_errno(c, s->stmt);

    if (s->many && s->refused) {
        if (err != NULL)
            *err = c->failure;
        return c->failed;
    }
    if (code == NEW_COLUMNS)
        return hy__mysql_plan(c, HY__MYSQL_DRAIN, after_misfit);
    if (code == NEEDS_REPREPARE || code == UNKNOWN_STATEMENT || code == LOST_STATEMENT)
        s->head.stale = s->dead = true;
    return hy__mysql_fail_statement(c, err);
}

/*
 * The columns of this run. The library keeps the names of the prepare, but a column may have been
 * renamed since; where the server sent nothing new, the old ones hold.
 */
static const MYSQL_FIELD *fields_of_run(const hy__mysql *c, const hy__mysql_statement *s, size_t n)
{
    return c->my->fields != NULL && c->my->field_count == n ? c->my->fields
                                                            : mariadb_stmt_fetch_fields(s->stmt);
}

static hy_status after_execute(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;
    size_t n = mysql_stmt_field_count(s->stmt);

    if (c->ret != 0)
        return fail_execute(c, err);
    hy__mysql_look(c);
    if (n == 0) {
        c->affected = hy__mysql_count(mysql_stmt_affected_rows(s->stmt));
        c->insert_id = (int64_t)mysql_stmt_insert_id(s->stmt);
        s->head.n_columns = 0;
        return HY_DONE;
    }
    s->rows = s->stmt->cursor_exists ? HY__MYSQL_KEPT : HY__MYSQL_STREAMED;
    c->stream = s->rows == HY__MYSQL_STREAMED ? s : NULL;
    hy_status status = hy__mysql_read_columns(s, fields_of_run(c, s, n), n, err);
    return status == HY_OK ? fetch(c) : status;
}

/* Have the server keep the result, and give so many rows at a time. */
static void choose_fetching(hy__mysql_statement *s)
{
    unsigned long rows = s->head.fetch_size, type = CURSOR_TYPE_READ_ONLY;

    if (rows == 0)
        return;
    (void)mysql_stmt_attr_set(s->stmt, STMT_ATTR_CURSOR_TYPE, &type);
    (void)mysql_stmt_attr_set(s->stmt, STMT_ATTR_PREFETCH_ROWS, &rows);
}

static hy_status begin_execute(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;
    choose_fetching(s);
    hy_status status = hy__mysql_bind(c, s, c->binds, c->n_binds, err);

    c->target = s->stmt;
    c->sql = NULL; /* errors have no position from here on */
    return status == HY_OK ? hy__mysql_plan(c, HY__MYSQL_EXECUTE, after_execute) : status;
}

/* A statement that would go as text has parameters. */
static hy_status after_late_prepare(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;

    if (c->ret != 0)
        return fail_prepare(c, err);
    s->head.n_params = mysql_stmt_param_count(s->stmt);
    return begin_execute(c, err);
}

static hy_status begin_late_prepare(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;
    hy_status status = make_handle(c, s, err);

    c->sql = s->sql;
    c->sql_size = s->sql_size;
    return status == HY_OK ? hy__mysql_plan(c, HY__MYSQL_PREPARE, after_late_prepare) : status;
}

/* ---- running ---------------------------------------------------------------------------- */

static void forget_leftovers(hy__mysql_statement *s)
{
    hy_free(s->late);
    hy_free(s->kept);
    s->late = NULL;
    s->kept = NULL;
    s->broke_off = s->untaken = false;
}

static hy_status mysql_execute(hy_connection *conn, hy_statement *statement, const hy_bind *binds,
                               size_t n_binds, hy_wait *wait, hy_error *err)
{
    hy__mysql *c = hy__mysql_of(conn);
    hy__mysql_statement *s = as_statement(statement);
    hy__mysql_step begin = begin_execute;

    if (!is_ours(c))
        return refuse_child(err);
    s->head.stale = s->dead || (s->stmt != NULL && s->epoch != c->epoch);
    if (s->head.stale)
        return hy_fail(err, HY_EDATABASE_ERROR, "the statement must be prepared again");
    if (s->stmt == NULL)
        begin = n_binds > 0 ? begin_late_prepare : hy__mysql_begin_query;
    if (!c->busy) {
        forget_leftovers(s);
        s->n_rows = 0;
        c->statement = s;
        c->binds = binds;
        c->n_binds = n_binds;
        c->affected = c->insert_id = 0;
        c->head.began_anew = false;
        c->touched |= s->touches;
        c->stained |= s->stains;
    }
    return hy__mysql_start(c, begin, wait, err);
}

static hy_status mysql_take_row(hy_connection *conn, hy_statement *statement, hy_value *values, hy_error *err)
{
    hy__mysql_statement *s = as_statement(statement);

    (void)conn;
    s->untaken = false;
    if (s->fault != NULL)
        return hy_fail(err, HY_EDATA_INVALID, "column %.60s: %s", statement->column_names[s->fault_at],
                       s->fault);
    memcpy(values, s->row, statement->n_columns * sizeof *values);
    return HY_OK;
}

/*
 * Nothing is read from the server here, but the library sets and looks at what the connection
 * is in, which is another statement's business now.
 */
static hy_status next_stored_row(hy__mysql *c, hy__mysql_statement *s, hy_error *err)
{
    enum mysql_status was = c->my->status;

    s->fault = NULL;
    int ret = mysql_stmt_fetch(s->stmt);
    c->my->status = was;
    if (ret == 0 || ret == MYSQL_DATA_TRUNCATED) {
        s->n_rows++;
        return HY_OK;
    }
    if (ret == MYSQL_NO_DATA)
        return HY_DONE;
    return hy__mysql_fail(c, s->stmt, err);
}

static void free_stored_rows(hy__mysql *c, hy__mysql_statement *s)
{
    enum mysql_status was = c->my->status;

    c->my->status = MYSQL_STATUS_READY;
    mysql_stmt_data_seek(s->stmt, 0); /* it frees from where it stands */
    (void)mysql_stmt_free_result(s->stmt);
    c->my->status = was;
}

static hy_status fail_late(hy__mysql_statement *s, hy_error *err)
{
    if (s->late == NULL)
        return hy_fail_oom(err);
    if (err != NULL)
        *err = *s->late;
    return s->late->status;
}

static hy_status next_streamed_row(hy__mysql *c, hy__mysql_statement *s, hy_wait *wait, hy_error *err)
{
    if (c->busy)
        return hy_fail(err, HY_EINVALID_ARGUMENT,
                       "another statement is running on this connection: wait for it");
    c->busy = true;
    c->statement = s;
    (void)fetch(c);
    return hy__mysql_run(c, wait, err);
}

static hy_status begin_fetch(hy__mysql *c, hy_error *err)
{
    (void)err;
    return fetch(c);
}

static hy_status next_kept_row(hy__mysql *c, hy__mysql_statement *s, hy_wait *wait, hy_error *err)
{
    if (!c->busy)
        c->statement = s;
    return hy__mysql_start(c, begin_fetch, wait, err);
}

static hy_status mysql_next(hy_connection *conn, hy_statement *statement, hy_wait *wait, hy_error *err)
{
    hy__mysql *c = hy__mysql_of(conn);
    hy__mysql_statement *s = as_statement(statement);

    if (!is_ours(c))
        return refuse_child(err);
    switch (s->rows) {
    case HY__MYSQL_STREAMED:
        return next_streamed_row(c, s, wait, err);
    case HY__MYSQL_STORED:
        return next_stored_row(c, s, err);
    case HY__MYSQL_KEPT:
        return next_kept_row(c, s, wait, err);
    case HY__MYSQL_TEXT_ROWS:
        return hy__mysql_next_text_row(s);
    case HY__MYSQL_NO_ROWS:
        break;
    }
    return s->broke_off ? fail_late(s, err) : HY_DONE;
}

static void mysql_finish(hy_connection *conn, hy_statement *statement)
{
    hy__mysql *c = hy__mysql_of(conn);
    hy__mysql_statement *s = as_statement(statement);

    if (c->busy && c->statement == s)
        c->broken = true; /* given up in the middle of something */
    if (s->rows == HY__MYSQL_STREAMED && !c->broken && !c->busy && is_ours(c))
        hy__mysql_drain(c); /* else nobody can, or they are being stored already */
    else if (s->rows == HY__MYSQL_STORED)
        free_stored_rows(c, s);
    else if (s->rows == HY__MYSQL_TEXT_ROWS)
        hy__mysql_free_text_rows(s);
    else if (s->rows == HY__MYSQL_KEPT && s->stmt != NULL)
        leave_kept_rows(c, s);
    s->rows = HY__MYSQL_NO_ROWS;
    if (c->stream == s)
        c->stream = NULL;
    forget_leftovers(s);
}

static void mysql_statement_close(hy_connection *conn, hy_statement *statement)
{
    hy__mysql *c = hy__mysql_of(conn);
    hy__mysql_statement *s = as_statement(statement);

    mysql_finish(conn, statement);
    if (s->stmt != NULL)
        drop_handle(c, s);
    if (c->statement == s)
        c->statement = NULL;
    hy_free(s->sql);
    hy_free(s->block);
    hy_free(s->params);
    s->sql = NULL;
    s->block = s->params = NULL;
}

static int64_t mysql_affected(hy_connection *conn)
{
    return hy__mysql_of(conn)->affected;
}

/* Of several rows the first one's key. */
static int64_t mysql_inserted(hy_connection *conn)
{
    return hy__mysql_of(conn)->insert_id;
}

#define MYSQL_SLOTS                                                                                          \
    .package = "libmariadb3", .connection_size = sizeof(hy__mysql),                                          \
    .statement_size = sizeof(hy__mysql_statement), .is_private = mysql_is_private, .connect = mysql_connect, \
    .advance = mysql_advance, .close = mysql_disconnect, .is_alive = mysql_is_alive,                         \
    .is_idle = mysql_is_idle, .transaction_status = mysql_transaction_status, .reset = mysql_reset,          \
    .prepare = mysql_prepare, .execute = mysql_execute, .row = mysql_take_row, .next = mysql_next,           \
    .finish = mysql_finish, .affected = mysql_affected, .insert_id = mysql_inserted,                         \
    .statement_close = mysql_statement_close

enum {
    COMMON_FLAGS =
        HY_DRIVER_INTERLEAVES | HY_DRIVER_SET_TRANSACTION | HY_DRIVER_RESET_ROLLS_BACK | HY_DRIVER_DDL_COMMITS
};

const hy_driver hy__mariadb_driver = {.name = "mariadb", .flags = COMMON_FLAGS, MYSQL_SLOTS};

/*
 * MySQL fixes the type of some parameters when the statement first runs: `SELECT ?` run with 1
 * and then with 'one' gives 1 and, without a word, 0.
 */
const hy_driver hy__mysql_driver = {
    .name = "mysql", .flags = COMMON_FLAGS | HY_DRIVER_TYPED_PARAMS, MYSQL_SLOTS};
