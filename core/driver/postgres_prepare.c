/*
 * postgres_prepare.c - preparing statements on PostgreSQL, and letting the server forget them.
 *
 * Under names of our own, parse and describe in one trip by libpq's pipeline; commands without
 * parameters and rows (BEGIN, SET...) are not prepared. What a statement's result looks like is
 * learnt here: which of its types can come in binary, and what pg_type knows about others.
 */
#include <stdio.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/memory.h>

#include "postgres_driver.h"

enum { MOST_PARAMS = 65535 };

/*
 * Behind a pooler another client's statement may have the same number, and would run instead of
 * ours without a word.
 */
static void write_name(const hy__postgres *c, char name[HY__POSTGRES_NAME], uint64_t number)
{
    (void)snprintf(name, HY__POSTGRES_NAME, "hy_%016llx_%llu", (unsigned long long)c->token,
                   (unsigned long long)number);
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
        write_name(c, name, c->closing[i]);
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

hy_status hy__postgres_prepare(hy_connection *conn, hy_statement *statement, const char *sql, size_t size,
                               const hy_kind *kinds, size_t n_kinds, hy_wait *wait, hy_error *err)
{
    hy__postgres *c = hy__postgres_of(conn);
    hy__postgres_statement *s = hy__postgres_statement_of(statement);

    if (!hy__fork_guard_holds(&c->guard))
        return hy__postgres_refuse_child(err);
    hy_status status = check_text(sql, size, n_kinds, err);
    if (status != HY_OK)
        return status;
    if (!keep_text(s, sql, size))
        return hy_fail_oom(err);
    s->traits = hy__postgres_traits(sql, size);
    if (hy__postgres_has(s, HY__POSTGRES_COPIES)) /* in the middle of one the connection would be lost */
        return hy_fail(err, HY_EUNSUPPORTED, "%s", hy__postgres_copies);
    if (n_kinds > 0)
        s->traits &= ~(unsigned)HY__POSTGRES_COMMAND;
    s->epoch = c->epoch;
    s->changes = c->changes;
    s->session = c->touched ? c->session : 0;
    if (hy__postgres_has(s, HY__POSTGRES_COMMAND))
        return HY_OK;
    bool unsure;
    status = list_param_types(c, s, kinds, n_kinds, &unsure, err);
    if (status != HY_OK)
        return status;
    s->number = s->head.unnamed ? 0 : ++c->last_number;
    if (s->number != 0)
        write_name(c, s->name, s->number);
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

bool hy__postgres_has_binary(const hy__postgres *c, const PGresult *result, int n)
{
    for (int i = 0; i < n; i++)
        if (hy__postgres_type_of(c, PQftype(result, i))->binary == NULL)
            return false;
    return true;
}

/* Columns, names and kinds in one block, from what describes them. */
hy_status hy__postgres_read_columns(hy__postgres *c, hy__postgres_statement *s, const PGresult *from,
                                    bool binary, hy_error *err)
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
    if (s->number != 0) {
        hy_free(s->sql);
        s->sql = NULL;
    }
    int n = PQnfields(s->described);
    return hy__postgres_read_columns(c, s, s->described, hy__postgres_has_binary(c, s->described, n), err);
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

hy_status hy__postgres_end_types(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__postgres_collect(c, wait, err);

    if (status != HY_OK)
        return status;
    const PGresult *r = c->result;
    for (int i = 0; i < c->n_rows; i++)
        if (!hy__postgres_type_add(c, cell_oid(r, i, 0), *PQgetvalue(r, i, 1), cell_oid(r, i, 2),
                                   *PQgetvalue(r, i, 3)))
            return hy_fail_oom(err);
    hy__postgres_drop_result(c);
    return finish_prepare(c, err);
}

hy_status hy__postgres_end_prepare(hy__postgres *c, hy_wait *wait, hy_error *err)
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
        s->head.forgotten = strcmp(c->error.sqlstate, "42P05") == 0; /* the name is somebody's */
        s->number = 0;                                               /* the server does not have it */
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

void hy__postgres_statement_close(hy_connection *conn, hy_statement *statement)
{
    hy__postgres *c = hy__postgres_of(conn);
    hy__postgres_statement *s = hy__postgres_statement_of(statement);

    if (c->statement == s && c->pending != HY__POSTGRES_IDLE) {
        c->unusable = true; /* given up half way */
        hy__postgres_end(c);
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
