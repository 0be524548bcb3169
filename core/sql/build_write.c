/*
 * build_write.c - what INSERT, UPDATE, DELETE and TRUNCATE hold.
 *
 * Only builds the tree. Knows no dialect and no text of SQL.
 */
#include <string.h>

#include "sql/ast.h"

/* A column that can be written, by name. */
static hy_expr *written_column(hy_query *q, const char *name, size_t size)
{
    hy_expr *e = hy__expr_own_column(q, name, size);
    if (e == NULL)
        return NULL;
    const hy_column *column = ((hy_column_expr *)e)->column;
    if (column != NULL && (column->flags & HY_COLUMN_GENERATED) != 0) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "column '%s' is computed by the database", column->property);
        return NULL;
    }
    return e;
}

static hy_expr **named_columns(hy_query *q, const char *const *names, size_t n)
{
    hy_expr **columns = hy_arena_zero(&q->arena, (n + 1) * sizeof *columns);
    if (columns == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (names[i] == NULL)
            HY_QUERY_FAIL(q, HY_ENIL_VALUE, "column %zu has no name", i + 1);
        else
            columns[i] = written_column(q, names[i], strlen(names[i]));
    }
    return hy__query_usable(q) ? columns : NULL;
}

static void begin_insert(hy_query *q, hy_expr **columns, size_t n)
{
    if (columns == NULL)
        return;
    q->tree.kind = HY_STATEMENT_INSERT;
    q->tree.columns = columns;
    q->tree.n_columns = n;
    q->tree.rows = (hy_chain){0};
}

void hy_query_insert(hy_query *q, const char *const *columns, size_t n)
{
    if (hy__query_usable(q))
        begin_insert(q, named_columns(q, columns, n), n);
}

void hy_query_insert_columns(hy_query *q, const hy_column *const *columns, size_t n)
{
    if (!hy__query_usable(q))
        return;
    hy_expr **list = hy_arena_zero(&q->arena, (n + 1) * sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++)
        list[i] = hy__expr_model_column(q, columns[i]);
    if (hy__query_usable(q))
        begin_insert(q, list, n);
}

/* A row that is not yet one of the query's, room for n things behind it; NULL: the query has failed. */
static hy_row *row_new(hy_query *q, size_t n, size_t size)
{
    if (!hy__query_usable(q))
        return NULL;
    if (q->tree.kind != HY_STATEMENT_INSERT || n != q->tree.n_columns) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a row of %zu values for %zu columns", n, q->tree.n_columns);
        return NULL;
    }
    hy_row *row = hy_arena_alloc(&q->arena, sizeof *row + n * size);
    if (row != NULL)
        *row = (hy_row){0};
    return row;
}

void hy_query_insert_row(hy_query *q, hy_expr *const *values, size_t n)
{
    hy_row *row = row_new(q, n, sizeof *values);
    unsigned depth = 0;

    for (size_t i = 0; row != NULL && i < n; i++) {
        hy__row_cells(row)[i] = values[i];
        if (hy__is_secret(q->tree.columns[i]))
            hy__hide(values[i]);
        if (values[i] != NULL && values[i]->depth > depth)
            depth = values[i]->depth;
    }
    if (row != NULL && hy__query_deepen(q, depth + 1U))
        hy__cell_add(&q->tree.rows, &row->cell);
}

void hy_query_insert_values(hy_query *q, const hy_value *values, size_t n)
{
    hy_row *row = row_new(q, n, sizeof(hy_bind));

    if (row == NULL)
        return;
    row->plain = true;
    if (hy__expr_binds(q, values, row) && hy__query_deepen(q, 2))
        hy__cell_add(&q->tree.rows, &row->cell);
}

void hy_query_on_conflict(hy_query *q, const char *const *columns, size_t n, hy_conflict_action action,
                          const char *const *update_columns, size_t n_update)
{
    if (!hy__query_usable(q))
        return;
    hy_upsert *upsert = hy_arena_zero(&q->arena, sizeof *upsert);
    hy_expr **target = named_columns(q, columns, n);
    hy_expr **update = target != NULL ? named_columns(q, update_columns, n_update) : NULL;
    if (upsert == NULL || update == NULL)
        return;
    *upsert = (hy_upsert){
        .action = action, .target = target, .n_target = n, .update = update, .n_update = n_update};
    q->tree.upsert = upsert;
}

bool hy__same_column(const hy_expr *a, const hy_expr *b)
{
    const hy_column_expr *x = (const hy_column_expr *)a, *y = (const hy_column_expr *)b;

    if (x->column != NULL || y->column != NULL)
        return x->column == y->column;
    return strcmp(x->text, y->text) == 0;
}

/* column = value in a list of such; the last value for a column wins. */
static void set_column(hy_query *q, hy_chain *set, hy_expr *target, hy_expr *value)
{
    if (hy__is_secret(target))
        hy__hide(value);
    HY_EACH (hy_item, old, set) {
        if (hy__same_column(old->target, target)) {
            old->expr = value;
            return;
        }
    }
    hy_item *item = hy__cell_new(q, set, sizeof *item);
    if (item == NULL)
        return;
    item->expr = value;
    item->target = target;
}

void hy_query_conflict_set(hy_query *q, const char *column, size_t size, hy_expr *value)
{
    if (!hy__query_takes(q, value))
        return;
    if (q->tree.upsert == NULL || q->tree.upsert->action != HY_CONFLICT_UPDATE) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a value for a conflict needs an upsert that updates");
        return;
    }
    hy_expr *target = written_column(q, column, size);
    if (target != NULL)
        set_column(q, &q->tree.upsert->set, target, value);
}

void hy_query_set(hy_query *q, const char *column, size_t size, hy_expr *value)
{
    if (!hy__query_takes(q, value))
        return;
    hy_expr *target = written_column(q, column, size);
    if (target == NULL)
        return;
    q->tree.kind = HY_STATEMENT_UPDATE;
    set_column(q, &q->tree.set, target, value);
}

void hy_query_delete(hy_query *q)
{
    q->tree.kind = HY_STATEMENT_DELETE;
}

void hy_query_truncate(hy_query *q)
{
    q->tree.kind = HY_STATEMENT_TRUNCATE;
}
