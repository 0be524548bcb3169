/*
 * sqlite.c - the SQLite driver: statements, rows and the driver's table.
 *
 * SQLite runs inside the caller's thread, so nothing here is ever "sent": a statement runs
 * until its next row and only a busy database answers HY_AGAIN, with a timer. Its own busy
 * handler would sleep, so it is never installed. Long statements are stopped by a progress
 * handler that looks at the clock and at who wants them to end; sqlite3_interrupt() would hit
 * every open statement of the connection. It is used by one thread at a time
 * (SQLITE_OPEN_NOMUTEX).
 *
 * In a forked child every call is refused and nothing is closed: SQLite's locks belong to
 * the parent.
 */
#include <assert.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "sqlite_driver.h"

enum {
    PROGRESS_OPS = 1000,      /* VM instructions between two looks at the clock */
    EXACT_DOUBLE_DIGITS = 15, /* decimals of so many digits survive a double */
    BUSY_FIRST_NS = 1000000,
    BUSY_LAST_NS = 50000000
};

static hy__sqlite *as_sqlite(hy_connection *c)
{
    return (hy__sqlite *)(void *)c;
}

static hy__sqlite_statement *as_statement(hy_statement *s)
{
    return (hy__sqlite_statement *)(void *)s;
}

static hy_status refuse_child(hy_error *err)
{
    return hy_fail(err, HY_ECLOSED,
                   "this connection was opened before fork: a child process must open its own");
}

/* ---- waiting for a busy database -------------------------------------------------------- */

bool hy__sqlite_is_busy(int rc)
{
    /* A stale snapshot cannot be cured by waiting, only by a new transaction. */
    return (rc & 0xff) == SQLITE_BUSY && rc != SQLITE_BUSY_SNAPSHOT;
}

void hy__sqlite_wait_begin(hy__sqlite *c)
{
    c->busy_tries = 0;
    c->timed_out = false;
}

/* Doubling from 1 to 50 ms, each between half and the whole of it, so that waiters spread. */
static int64_t back_off(const hy__sqlite *c, int64_t now)
{
    int64_t full = c->busy_tries < 6 ? (int64_t)BUSY_FIRST_NS << c->busy_tries : BUSY_LAST_NS;
    uint64_t seed = (uint64_t)now ^ (uint64_t)(uintptr_t)c;

    return full / 2 + (int64_t)(hy_hash(c->busy_tries, &seed, sizeof seed) % (uint64_t)(full / 2 + 1));
}

hy_status hy__sqlite_wait(hy__sqlite *c, hy_wait *wait, hy_error *err)
{
    int64_t now = hy_monotonic_ns();

    if (c->busy_tries == 0) {
        c->busy_until = now + c->busy_timeout;
        if (c->busy_until > c->head.deadline)
            c->busy_until = c->head.deadline;
    }
    if (hy_connection_is_stopped(&c->head))
        return hy__sqlite_fail(c, SQLITE_INTERRUPT, err);
    if (now >= c->busy_until) {
        hy_status status = hy_fail(err, HY_ELOCK_TIMEOUT, "the database stayed locked by another connection");
        if (err != NULL)
            err->native_code = SQLITE_BUSY;
        return status;
    }
    wait->fd = -1;
    wait->events = 0;
    wait->deadline = now + back_off(c, now);
    if (wait->deadline > c->busy_until)
        wait->deadline = c->busy_until;
    c->busy_tries++;
    return HY_AGAIN;
}

/* Called by SQLite between instructions; nonzero stops the statement. */
static int progress(void *ctx)
{
    hy__sqlite *c = ctx;

    if (c->head.deadline != HY_NO_DEADLINE && hy_monotonic_ns() >= c->head.deadline)
        c->timed_out = true;
    return c->timed_out || hy_connection_is_stopped(&c->head);
}

/* ---- connection ------------------------------------------------------------------------- */

static hy_status sqlite_connect(hy_connection *conn, const hy_connect_config *config, hy_wait *wait,
                                hy_error *err)
{
    hy__sqlite *c = as_sqlite(conn);
    int version = sqlite3_libversion_number(); /* 3040001 */

    hy__fork_guard_init(&c->guard);
    hy_buf_init(&c->setup);
    conn->server_version = version / 1000000 * 10000 + version / 1000 % 1000 * 100 + version % 1000;
    hy_status status = hy__sqlite_open(c, config, wait, err);
    if (c->db != NULL)
        sqlite3_progress_handler(c->db, PROGRESS_OPS, progress, c);
    return status;
}

static void sqlite_close(hy_connection *conn)
{
    hy__sqlite *c = as_sqlite(conn);

    if (hy__fork_guard_holds(&c->guard))
        (void)sqlite3_close_v2(c->db);
    hy__fork_guard_clear(&c->guard);
    hy_buf_clear(&c->setup);
    c->db = NULL;
}

static bool sqlite_is_alive(hy_connection *conn)
{
    return hy__fork_guard_holds(&as_sqlite(conn)->guard);
}

static hy_transaction_status sqlite_transaction_status(hy_connection *conn)
{
    hy__sqlite *c = as_sqlite(conn);

    if (c->db == NULL || !hy__fork_guard_holds(&c->guard))
        return HY_TRANSACTION_UNKNOWN;
    return sqlite3_get_autocommit(c->db) != 0 ? HY_TRANSACTION_IDLE : HY_TRANSACTION_ACTIVE;
}

static hy_status sqlite_reset(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    hy__sqlite *c = as_sqlite(conn);

    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
    if (!c->session_touched)
        return HY_OK;
    c->session_touched = false;
    return hy__sqlite_restore(c, wait, err);
}

/* ---- preparing -------------------------------------------------------------------------- */

typedef struct declared_kind {
    const char *name;
    hy_kind kind;
} declared_kind;

/* What people write in CREATE TABLE; anything else is HY_KIND_ANY. */
static const declared_kind declared_kinds[] = {
    {"INTEGER", HY_KIND_BIGINT},
    {"INT", HY_KIND_BIGINT},
    {"BIGINT", HY_KIND_BIGINT},
    {"SMALLINT", HY_KIND_BIGINT},
    {"MEDIUMINT", HY_KIND_BIGINT},
    {"TINYINT", HY_KIND_BIGINT},
    {"TEXT", HY_KIND_TEXT},
    {"VARCHAR", HY_KIND_STRING},
    {"NVARCHAR", HY_KIND_STRING},
    {"CHAR", HY_KIND_CHAR},
    {"NCHAR", HY_KIND_CHAR},
    {"CLOB", HY_KIND_TEXT},
    {"BLOB", HY_KIND_BINARY},
    {"REAL", HY_KIND_DOUBLE},
    {"DOUBLE", HY_KIND_DOUBLE},
    {"DOUBLE PRECISION", HY_KIND_DOUBLE},
    {"FLOAT", HY_KIND_DOUBLE},
    {"NUMERIC", HY_KIND_DECIMAL},
    {"DECIMAL", HY_KIND_DECIMAL},
    {"BOOLEAN", HY_KIND_BOOLEAN},
    {"BOOL", HY_KIND_BOOLEAN},
    {"DATE", HY_KIND_DATE},
    {"TIME", HY_KIND_TIME},
    {"DATETIME", HY_KIND_DATETIME},
    {"TIMESTAMP", HY_KIND_TIMESTAMP},
    {"UUID", HY_KIND_UUID},
    {"JSON", HY_KIND_JSON},
    {"JSONB", HY_KIND_JSONB},
    /* Ours: declared so that SQLite keeps the text as text (core/sql/ddl_types.c). */
    {"DECIMALTEXT", HY_KIND_DECIMAL},
    {"UUIDTEXT", HY_KIND_UUID},
    {"JSONTEXT", HY_KIND_JSON},
    {"DATETEXT", HY_KIND_DATE},
    {"TIMETEXT", HY_KIND_TIME},
    {"DATETIMETEXT", HY_KIND_DATETIME},
    {"TIMESTAMPTEXT", HY_KIND_TIMESTAMP},
};

static hy_kind kind_of_declaration(const char *declared)
{
    if (declared == NULL)
        return HY_KIND_ANY;
    size_t size = strcspn(declared, "(");
    while (size > 0 && declared[size - 1] == ' ')
        size--;
    for (size_t i = 0; i < sizeof declared_kinds / sizeof declared_kinds[0]; i++) {
        const char *name = declared_kinds[i].name;
        if (hy_text_equal_nocase(declared, size, name, strlen(name)))
            return declared_kinds[i].kind;
    }
    return HY_KIND_ANY;
}

/* Names and kinds in one block: SQLite's own strings die when it prepares again. */
static hy_status read_columns(hy__sqlite_statement *s, hy_error *err)
{
    int n = sqlite3_column_count(s->stmt);
    size_t size = (size_t)n * (sizeof(char *) + sizeof(hy_kind));
    const char **names;
    hy_kind *kinds;
    char *text;

    for (int i = 0; i < n; i++) {
        const char *name = sqlite3_column_name(s->stmt, i);
        if (name == NULL)
            return hy_fail_oom(err);
        size += strlen(name) + 1;
    }
    void *block = n > 0 ? hy_realloc(s->columns, size) : s->columns;
    if (n > 0 && block == NULL)
        return hy_fail_oom(err);
    s->columns = block;
    names = block;
    kinds = n > 0 ? (hy_kind *)(void *)(names + n) : NULL;
    text = n > 0 ? (char *)(kinds + n) : NULL;
    for (int i = 0; i < n; i++) {
        const char *name = sqlite3_column_name(s->stmt, i);
        size_t name_size = strlen(name) + 1;
        memcpy(text, name, name_size);
        names[i] = text;
        text += name_size;
        kinds[i] = kind_of_declaration(sqlite3_column_decltype(s->stmt, i));
    }
    s->head.n_columns = (size_t)n;
    s->head.column_names = names;
    s->head.column_kinds = kinds;
    s->reprepared = sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
    return HY_OK;
}

/* At prepare an unspecific error is about the text. */
static hy_status fail_prepare(hy__sqlite *c, int rc, hy_error *err)
{
    hy_status status = hy__sqlite_fail(c, rc, err);

    if (status != HY_EDATABASE_ERROR || (rc & 0xff) != SQLITE_ERROR)
        return status;
    if (err != NULL)
        err->status = HY_ESYNTAX;
    return HY_ESYNTAX;
}

static hy_status check_single(const char *tail, const char *end, hy_error *err)
{
    size_t rest = (size_t)(end - tail);

    if (hy__sqlite_skip(tail, rest) == rest)
        return HY_OK;
    return hy_fail(err, HY_ESYNTAX, "one statement at a time: there is more text after the first one");
}

static hy_status finish_prepare(hy__sqlite *c, hy__sqlite_statement *s, const char *tail, hy_error *err)
{
    if (s->stmt == NULL)
        return hy_fail(err, HY_ESYNTAX, "there is no statement in this text");
    hy_status status = check_single(tail, c->sql + c->sql_size, err);
    if (status != HY_OK)
        return status;
    s->head.n_params = (size_t)sqlite3_bind_parameter_count(s->stmt);
    s->head.read_only = sqlite3_stmt_readonly(s->stmt) != 0;
    s->touches_session = hy__sqlite_touches_session(c->sql, c->sql_size);
    return read_columns(s, err);
}

static hy_status prepare_now(hy__sqlite *c, hy_wait *wait, hy_error *err)
{
    hy__sqlite_statement *s = c->statement;
    const char *tail = NULL;

    int rc = sqlite3_prepare_v3(c->db, c->sql, (int)c->sql_size, SQLITE_PREPARE_PERSISTENT, &s->stmt, &tail);
    if (hy__sqlite_is_busy(rc))
        return hy__sqlite_wait(c, wait, err);
    c->pending = HY__SQLITE_IDLE;
    return rc == SQLITE_OK ? finish_prepare(c, s, tail, err) : fail_prepare(c, rc, err);
}

static hy_status sqlite_prepare(hy_connection *conn, hy_statement *statement, const char *sql, size_t size,
                                const hy_kind *kinds, size_t n_kinds, hy_wait *wait, hy_error *err)
{
    hy__sqlite *c = as_sqlite(conn);

    (void)kinds; /* SQLite's parameters have no type */
    (void)n_kinds;
    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
    if (size > INT32_MAX)
        return hy_fail(err, HY_ELIMIT_EXCEEDED, "the statement is longer than 2 GiB");
    if (memchr(sql, '\0', size) != NULL)
        return hy_fail(err, HY_ESYNTAX, "there is a NUL byte in the statement");
    c->statement = as_statement(statement);
    c->sql = sql;
    c->sql_size = size;
    c->pending = HY__SQLITE_PREPARE;
    hy__sqlite_wait_begin(c);
    return prepare_now(c, wait, err);
}

static void sqlite_statement_close(hy_connection *conn, hy_statement *statement)
{
    hy__sqlite *c = as_sqlite(conn);
    hy__sqlite_statement *s = as_statement(statement);

    if (hy__fork_guard_holds(&c->guard))
        (void)sqlite3_finalize(s->stmt);
    hy_free(s->columns);
    hy_free(s->scratch);
    s->stmt = NULL;
    s->columns = NULL;
    s->scratch = NULL;
}

/* ---- binding ---------------------------------------------------------------------------- */

/* Formatted values live in the statement: SQLite would copy them to the heap otherwise. */
static char *scratch_for(hy__sqlite_statement *s, int i)
{
    if (s->scratch == NULL)
        s->scratch = hy_alloc(s->head.n_params * HY__SQLITE_SCRATCH);
    return s->scratch != NULL ? s->scratch + (size_t)(i - 1) * HY__SQLITE_SCRATCH : NULL;
}

static int bind_text(sqlite3_stmt *stmt, int i, const char *text, size_t size)
{
    /* A NULL pointer would bind NULL, which is not the empty string. */
    return sqlite3_bind_text64(stmt, i, text != NULL ? text : "", size, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_formatted(hy__sqlite_statement *s, int i, const hy_value *v)
{
    char *text = scratch_for(s, i);
    size_t size = 0;

    if (text == NULL)
        return SQLITE_NOMEM;
    switch (v->type) {
    case HY_UUID:
        hy_uuid_format(v->as.uuid, text);
        size = 36;
        break;
    case HY_DATE:
        size = hy_date_format(v->as.days, text);
        break;
    case HY_TIME:
        size = hy_time_format(v->as.micros, text);
        break;
    default:
        size = hy_timestamp_format(v->as.micros, text);
        break;
    }
    return bind_text(s->stmt, i, text, size);
}

typedef struct decimal_shape {
    size_t whole_size; /* sign and digits before the point */
    size_t digits;     /* significant ones */
    bool plain;        /* canonical: no exponent, no surprise */
    bool integral;
} decimal_shape;

static decimal_shape shape_of(const char *text, size_t size)
{
    decimal_shape shape = {.whole_size = size, .plain = true, .integral = true};
    size_t digits = 0, last_significant = 0;
    bool point = false;

    for (size_t i = text[0] == '-' ? 1 : 0; i < size; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            shape.whole_size = i;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') {
            shape.plain = false;
            return shape;
        }
        if (text[i] == '0' && digits == 0)
            continue;
        digits++;
        if (text[i] != '0' || !point)
            last_significant = digits;
        if (text[i] != '0' && point)
            shape.integral = false;
    }
    shape.digits = last_significant;
    return shape;
}

/*
 * The cheapest form that is exact: an integer, a double of few digits, else text. A column
 * that keeps decimals as text turns the first two into text again, digit for digit.
 */
static int bind_decimal(sqlite3_stmt *stmt, int i, const char *text, size_t size)
{
    decimal_shape shape = size > 0 ? shape_of(text, size) : (decimal_shape){0};
    int64_t whole;
    double number;

    if (shape.plain && shape.integral && hy_parse_int(text, shape.whole_size, &whole))
        return sqlite3_bind_int64(stmt, i, whole);
    if (shape.plain && shape.digits <= EXACT_DOUBLE_DIGITS && hy_parse_double(text, size, &number))
        return sqlite3_bind_double(stmt, i, number);
    return bind_text(stmt, i, text, size);
}

static int bind_one(hy__sqlite_statement *s, int i, const hy_value *v)
{
    sqlite3_stmt *stmt = s->stmt;

    switch (v->type) {
    case HY_INT:
        return sqlite3_bind_int64(stmt, i, v->as.integer);
    case HY_TEXT:
    case HY_JSON:
        return bind_text(stmt, i, v->as.text.data, v->as.text.size);
    case HY_DOUBLE:
        return sqlite3_bind_double(stmt, i, v->as.number);
    case HY_BOOL:
        return sqlite3_bind_int(stmt, i, v->as.boolean);
    case HY_DECIMAL:
        return bind_decimal(stmt, i, v->as.text.data, v->as.text.size);
    case HY_BLOB:
        return sqlite3_bind_blob64(stmt, i, v->as.text.data != NULL ? v->as.text.data : "", v->as.text.size,
                                   SQLITE_STATIC);
    case HY_UUID:
    case HY_DATE:
    case HY_TIME:
    case HY_TIMESTAMP:
        return bind_formatted(s, i, v);
    case HY_NULL:
    case HY_TYPE_COUNT:
        break;
    }
    return sqlite3_bind_null(stmt, i);
}

/*
 * SQLite would keep these changed and say nothing: NaN as NULL, an integer that 64 bits do not
 * hold as a float, and text of any bytes. Values of a stated kind were checked when encoded.
 */
static const char *fault_of(const hy_bind *bind)
{
    const hy_value *v = &bind->value;

    if (v->type == HY_DOUBLE && v->as.number != v->as.number)
        return "SQLite has no NaN";
    if (v->type == HY_DECIMAL && bind->kind == HY_KIND_BIGINT)
        return "SQLite's integers go from -2^63 to 2^63-1";
    if (bind->kind != HY_KIND_ANY || (v->type != HY_TEXT && v->type != HY_JSON))
        return NULL;
    switch (hy_text_check(v->as.text.data, v->as.text.size)) {
    case HY_TEXT_NUL:
        return "text with a NUL byte in it (use a binary column or sql.binary for bytes)";
    case HY_TEXT_BAD_UTF8:
        return "text that is not valid UTF-8 (use a binary column or sql.binary for bytes)";
    case HY_TEXT_FINE:
        break;
    }
    return NULL;
}

static hy_status bind_all(hy__sqlite *c, hy__sqlite_statement *s, const hy_bind *binds, size_t n,
                          hy_error *err)
{
    if (n != s->head.n_params)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the statement has %zu parameters and got %zu values",
                       s->head.n_params, n);
    for (size_t i = 0; i < n; i++) {
        const char *fault = fault_of(&binds[i]);
        if (fault != NULL)
            return hy_fail(err, HY_EDATA_INVALID, "parameter %zu: %s", i + 1, fault);
        int rc = bind_one(s, (int)i + 1, &binds[i].value);
        if (rc == SQLITE_NOMEM)
            return hy_fail_oom(err);
        if (rc != SQLITE_OK)
            return hy__sqlite_fail(c, rc, err);
    }
    return HY_OK;
}

/* ---- running ---------------------------------------------------------------------------- */

/* A full-text search takes words of a bound value for columns: only what the statement says is repeated. */
static hy_status fail_step(hy__sqlite *c, int rc, hy_error *err)
{
    hy_status status = hy__sqlite_fail(c, rc, err);

    if (status != HY_EUNDEFINED_COLUMN || err == NULL ||
        strstr(sqlite3_sql(c->statement->stmt), err->columns) != NULL)
        return status;
    status = hy_fail(err, status, "no such column");
    err->native_code = rc;
    return status;
}

static hy_status first_step(hy__sqlite *c, hy_wait *wait, hy_error *err)
{
    hy__sqlite_statement *s = c->statement;
    int rc = sqlite3_step(s->stmt);

    if (hy__sqlite_is_busy(rc)) {
        (void)sqlite3_reset(s->stmt);
        return hy__sqlite_wait(c, wait, err);
    }
    c->pending = HY__SQLITE_IDLE;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail_step(c, rc, err);
    /* A changed schema may have changed the columns, told only now. */
    if (sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_REPREPARE, 0) != s->reprepared) {
        hy_status status = read_columns(s, err);
        if (status != HY_OK)
            return status;
    }
    return rc == SQLITE_ROW ? HY_OK : HY_DONE;
}

static hy_status sqlite_execute(hy_connection *conn, hy_statement *statement, const hy_bind *binds,
                                size_t n_binds, hy_wait *wait, hy_error *err)
{
    hy__sqlite *c = as_sqlite(conn);
    hy__sqlite_statement *s = as_statement(statement);

    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
    hy_status status = bind_all(c, s, binds, n_binds, err);
    if (status != HY_OK)
        return status;
    hy__sqlite_wait_begin(c);
    c->session_touched |= s->touches_session;
    c->changes_before = sqlite3_total_changes64(c->db);
    c->statement = s;
    c->pending = HY__SQLITE_STEP;
    return first_step(c, wait, err);
}

static hy_status sqlite_advance(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    hy__sqlite *c = as_sqlite(conn);

    if (!hy__fork_guard_holds(&c->guard))
        return refuse_child(err);
    switch (c->pending) {
    case HY__SQLITE_SETUP:
        return hy__sqlite_setup(c, wait, err);
    case HY__SQLITE_PREPARE:
        return prepare_now(c, wait, err);
    case HY__SQLITE_STEP:
        return first_step(c, wait, err);
    case HY__SQLITE_IDLE:
        break;
    }
    return hy_fail(err, HY_EDEVELOPMENT_ERROR, "nothing of this connection is waiting");
}

/* Text of a cell. Memory may end while SQLite converts from UTF-16. */
static bool text_cell(sqlite3_value *cell, hy_value *out)
{
    const char *text = (const char *)sqlite3_value_text(cell);

    out->type = HY_TEXT;
    out->as.text.data = text;
    out->as.text.size = (size_t)sqlite3_value_bytes(cell);
    return text != NULL;
}

static void blob_cell(sqlite3_value *cell, hy_value *out)
{
    const char *data = sqlite3_value_blob(cell);

    out->type = HY_BLOB;
    out->as.text.data = data != NULL ? data : "";
    out->as.text.size = (size_t)sqlite3_value_bytes(cell);
}

/* The hot path: one look at each cell's type, no error structs. */
static hy_status sqlite_row(hy_connection *conn, hy_statement *statement, hy_value *values, hy_error *err)
{
    sqlite3_stmt *stmt = as_statement(statement)->stmt;
    int n = (int)statement->n_columns;

    (void)conn;
    for (int i = 0; i < n; i++) {
        sqlite3_value *cell = sqlite3_column_value(stmt, i);
        hy_value *out = &values[i];
        switch (sqlite3_value_type(cell)) {
        case SQLITE_INTEGER:
            out->type = HY_INT;
            out->as.integer = sqlite3_value_int64(cell);
            break;
        case SQLITE_TEXT:
            if (!text_cell(cell, out))
                return hy_fail_oom(err);
            break;
        case SQLITE_FLOAT:
            out->type = HY_DOUBLE;
            out->as.number = sqlite3_value_double(cell);
            break;
        case SQLITE_BLOB:
            blob_cell(cell, out);
            break;
        default:
            out->type = HY_NULL;
            break;
        }
    }
    return HY_OK;
}

static hy_status sqlite_next(hy_connection *conn, hy_statement *statement, hy_wait *wait, hy_error *err)
{
    int rc = sqlite3_step(as_statement(statement)->stmt);

    (void)wait; /* the lock is held since the first row */
    if (rc == SQLITE_ROW)
        return HY_OK;
    if (rc == SQLITE_DONE)
        return HY_DONE;
    return hy__sqlite_fail(as_sqlite(conn), rc, err);
}

static void sqlite_finish(hy_connection *conn, hy_statement *statement)
{
    hy__sqlite *c = as_sqlite(conn);

    if (c->statement == as_statement(statement))
        c->pending = HY__SQLITE_IDLE;
    if (hy__fork_guard_holds(&c->guard))
        (void)sqlite3_reset(as_statement(statement)->stmt);
}

/* sqlite3_changes() keeps the number of an earlier statement when this one wrote nothing. */
static int64_t sqlite_affected(hy_connection *conn)
{
    hy__sqlite *c = as_sqlite(conn);
    return sqlite3_total_changes64(c->db) != c->changes_before ? sqlite3_changes64(c->db) : 0;
}

static int64_t sqlite_insert_id(hy_connection *conn)
{
    return sqlite_affected(conn) > 0 ? sqlite3_last_insert_rowid(as_sqlite(conn)->db) : 0;
}

extern const hy_driver hy__sqlite_driver; /* listed in driver.c */
const hy_driver hy__sqlite_driver = {
    .name = "sqlite",
    .package = "libsqlite3-0",
    .flags = HY_DRIVER_SINGLE_WRITER | HY_DRIVER_INTERLEAVES,
    .connection_size = sizeof(hy__sqlite),
    .statement_size = sizeof(hy__sqlite_statement),

    /* connection */
    .is_private = hy__sqlite_is_private,
    .connect = sqlite_connect,
    .advance = sqlite_advance,
    .close = sqlite_close,
    .is_alive = sqlite_is_alive,
    .is_idle = sqlite_is_alive, /* nothing of it is ever on its way */
    .transaction_status = sqlite_transaction_status,
    .reset = sqlite_reset,

    /* statements */
    .prepare = sqlite_prepare,
    .execute = sqlite_execute,
    .row = sqlite_row,
    .next = sqlite_next,
    .finish = sqlite_finish,
    .affected = sqlite_affected,
    .insert_id = sqlite_insert_id,
    .statement_close = sqlite_statement_close,
};
