/*
 * cursor_data.c - what a statement that runs keeps of its values: copies of its binds, their
 * kinds, the columns of its result.
 *
 * The query may change or go while the database still reads the one and gives rows of the
 * other. Memory stays with the cursor: a statement like the last one costs no allocation.
 * Nothing here runs anything.
 */
#include <string.h>

#include <hysteria/memory.h>

#include "source_impl.h"

enum { BORROW_BINDS_ABOVE = 65536 };

/* At least `size` bytes; the old content is not kept. */
static bool reserve(hy__block *block, size_t size)
{
    if (size <= block->size)
        return true;
    size_t wanted = size + size / 2;
    void *data = hy_alloc(wanted);
    if (data == NULL)
        return false;
    hy_free(block->data);
    block->data = data;
    block->size = wanted;
    return true;
}

static bool has_bytes(const hy_value *v)
{
    return v->type == HY_TEXT || v->type == HY_BLOB || v->type == HY_DECIMAL || v->type == HY_JSON;
}

static size_t bytes_of_binds(const hy_sql *sql)
{
    size_t size = sql->n_binds * sizeof(hy_bind);

    for (size_t i = 0; i < sql->n_binds; i++)
        if (has_bytes(&sql->binds[i].value))
            size += sql->binds[i].value.as.text.size;
    return size;
}

/*
 * The query may change or go once its first row is there, while the database still reads the
 * binds: they are copied. Large ones of a write without rows are borrowed, they are read once.
 */
hy_status hy__cursor_keep_binds(hy_cursor *cursor, bool must_copy, hy_error *err)
{
    hy_sql *sql = &cursor->sql;
    size_t size = bytes_of_binds(sql);

    cursor->borrows_binds = !must_copy && size > BORROW_BINDS_ABOVE && sql->writes && sql->n_columns == 0;
    if (cursor->borrows_binds || sql->n_binds == 0)
        return HY_OK;
    if (!reserve(&cursor->binds, size))
        return hy_fail_oom(err);
    hy_bind *binds = cursor->binds.data;
    char *bytes = (char *)(binds + sql->n_binds);
    memcpy(binds, sql->binds, sql->n_binds * sizeof *binds);
    for (size_t i = 0; i < sql->n_binds; i++) {
        hy_value *v = &binds[i].value;
        if (!has_bytes(v) || v->as.text.size == 0)
            continue;
        memcpy(bytes, v->as.text.data, v->as.text.size);
        v->as.text.data = bytes;
        bytes += v->as.text.size;
    }
    sql->binds = binds;
    return HY_OK;
}

/* What a value of no stated kind is to a driver that must know before it prepares. */
static const hy_kind kind_of_type[HY_TYPE_COUNT] = {
    [HY_BOOL] = HY_KIND_BOOLEAN,        [HY_INT] = HY_KIND_BIGINT, [HY_DOUBLE] = HY_KIND_DOUBLE,
    [HY_BLOB] = HY_KIND_BINARY,         [HY_UUID] = HY_KIND_UUID,  [HY_DECIMAL] = HY_KIND_DECIMAL,
    [HY_DATE] = HY_KIND_DATE,           [HY_TIME] = HY_KIND_TIME,  [HY_JSON] = HY_KIND_JSON,
    [HY_TIMESTAMP] = HY_KIND_TIMESTAMP,
};

hy_status hy__cursor_list_kinds(hy_cursor *cursor, const hy_kind **kinds, size_t *n, hy_error *err)
{
    const hy_sql *sql = &cursor->sql;

    *kinds = NULL;
    *n = 0;
    if (cursor->stream.fetching)
        return HY_OK; /* the binds went with the DECLARE */
    if ((hy__lease_connection(cursor->lease)->driver->flags & HY_DRIVER_TYPED_PARAMS) == 0 ||
        sql->n_binds == 0)
        return HY_OK;
    if (sql->n_rows > 0)
        return HY_OK; /* the text says what the arrays are */
    if (!reserve(&cursor->kinds, sql->n_binds * sizeof **kinds))
        return hy_fail_oom(err);
    hy_kind *list = cursor->kinds.data;
    for (size_t i = 0; i < sql->n_binds; i++)
        list[i] =
            sql->binds[i].kind != HY_KIND_ANY ? sql->binds[i].kind : kind_of_type[sql->binds[i].value.type];
    *kinds = list;
    *n = sql->n_binds;
    return HY_OK;
}

/* Copy a name to `*at`, and move `*at` behind it. */
static const char *keep_name(char **at, const char *name)
{
    size_t size = strlen(name) + 1;
    const char *kept = memcpy(*at, name, size);

    *at += size;
    return kept;
}

/* What the query says of the i-th of n columns; NULL: nothing. */
static const hy_result_column *told_of(const hy_sql *sql, size_t i, size_t n)
{
    if (sql->n_columns > 0)
        return sql->n_columns == n ? &sql->columns[i] : NULL;
    if (n < sql->n_first + sql->n_last)
        return NULL;
    if (i < sql->n_first)
        return &sql->columns[i];
    return n - i <= sql->n_last ? sql->ends - (n - i) : NULL;
}

static const char *name_of(const hy_cursor *cursor, size_t i)
{
    const hy_statement *s = cursor->statement->statement;
    const hy_result_column *told = told_of(&cursor->sql, i, s->n_columns);

    return told != NULL ? told->name : s->column_names[i];
}

static void copy_columns(hy_cursor *cursor, const hy_statement *s, char *names)
{
    hy_result_column *columns = cursor->columns.data;

    for (size_t i = 0; i < s->n_columns; i++) {
        const hy_result_column *told = told_of(&cursor->sql, i, s->n_columns);
        columns[i] = told != NULL ? *told : (hy_result_column){.kind = HY_KIND_ANY};
        columns[i].name = keep_name(&names, name_of(cursor, i));
        if (columns[i].kind != HY_KIND_ANY)
            continue;
        columns[i].kind = s->column_kinds[i];
        cursor->sql.columns_of = 0; /* the statement's, not the model's */
    }
    if (cursor->sql.table != NULL)
        cursor->sql.table = keep_name(&names, cursor->sql.table);
    cursor->sql.columns = columns;
    cursor->sql.n_columns = s->n_columns;
    cursor->known_columns = true;
}

/* They are all there already: the last statement read the same model. */
static bool has_columns(const hy_cursor *cursor, size_t n)
{
    const hy_sql *sql = &cursor->sql;

    return sql->columns_of != 0 && sql->columns_of == cursor->columns_of && sql->n_columns == n &&
           sql->table != NULL && cursor->table != NULL && strcmp(sql->table, cursor->table) == 0;
}

/* The result's columns: as the query told them, or the driver where the query could not. */
hy_status hy__cursor_keep_columns(hy_cursor *cursor, hy_error *err)
{
    const hy_statement *s = cursor->statement->statement;
    size_t n = s->n_columns;

    if (has_columns(cursor, n)) {
        cursor->sql.columns = cursor->columns.data;
        cursor->sql.table = cursor->table;
        cursor->known_columns = true;
        return HY_OK;
    }
    cursor->columns_of = 0;
    size_t size = cursor->sql.table != NULL ? strlen(cursor->sql.table) + 1 : 0;

    for (size_t i = 0; i < n; i++)
        size += strlen(name_of(cursor, i)) + 1;
    if (!reserve(&cursor->columns, n * sizeof(hy_result_column)) || !reserve(&cursor->names, size) ||
        !reserve(&cursor->values, n * sizeof(hy_value)))
        return hy_fail_oom(err);
    copy_columns(cursor, s, cursor->names.data);
    cursor->columns_of = cursor->sql.columns_of;
    cursor->table = cursor->sql.table;
    return HY_OK;
}
