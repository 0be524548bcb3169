/*
 * rows.c - an INSERT of many rows as one of arrays: the text does not grow with the rows, so it
 * is prepared once and costs the server no parsing; the values of all rows are its binds.
 *
 * Only where every cell is a plain value of its column's kind: a row's gap or expression needs
 * VALUES. What an array is to the server, the dialect says; how it travels is the driver's.
 */
#include "sql/emit.h"

enum { FEW_ROWS = 8 }; /* so many are written out: up to here that is no slower */

/* Nothing but columns: no binds of its own. */
static bool returns_columns(const hy_tree *tree)
{
    HY_EACH (hy_item, item, &tree->returning)
        if (item->expr->node != HY_NODE_COLUMN && item->expr->node != HY_NODE_STAR)
            return false;
    return true;
}

/* An upsert that sets what is no column of the new row has binds of its own as well. */
static bool upserts_columns(const hy_tree *tree)
{
    return tree->upsert == NULL || tree->upsert->set.n == 0;
}

static bool may_travel(const hy_emitter *e, const hy_tree *tree)
{
    bool alone = tree->returning.n == 0 && tree->upsert == NULL;

    return e->dialect->row_arrays != NULL && hy__emit_can(e, HY_FEATURE_NUMBER_ROW_ARRAYS) &&
           !e->inline_values && tree->rows.n > FEW_ROWS && tree->with.n == 0 && returns_columns(tree) &&
           upserts_columns(tree) && (alone || !hy__emit_has(e, HY_TRAIT_ARRAYS_ALONE));
}

/* A kind whose values are all of one type, which the dialect knows. */
static bool columns_have_types(const hy_emitter *e, const hy_tree *tree)
{
    const char *const *types = e->dialect->array_types;

    for (size_t i = 0; i < tree->n_columns; i++) {
        hy_kind kind = (hy_kind)tree->columns[i]->kind;
        if (hy_kind_type(kind) == HY_NULL || (types != NULL && types[kind] == NULL))
            return false;
    }
    return true;
}

static bool is_plain(const hy_tree *tree, const hy_row *row)
{
    if (row->plain)
        return !row->has_default; /* they are encoded for their columns */
    for (size_t i = 0; i < tree->n_columns; i++) {
        const hy_expr *x = hy__row_cells(row)[i];
        if (x == NULL || x->node != HY_NODE_VALUE || x->kind != tree->columns[i]->kind)
            return false;
    }
    return true;
}

static bool rows_are_plain(const hy_tree *tree)
{
    HY_EACH (hy_row, row, &tree->rows)
        if (!is_plain(tree, row))
            return false;
    return true;
}

bool hy__emit_row_arrays(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;

    if (!may_travel(e, tree) || !columns_have_types(e, tree) || !rows_are_plain(tree))
        return false;
    HY_EACH (hy_row, row, &tree->rows) {
        if (!hy__emit_row_binds(e, row, tree->n_columns)) {
            e->status = e->status == HY_OK ? hy_fail_oom(e->err) : e->status;
            break;
        }
    }
    e->n_rows = tree->rows.n;
    e->dialect->row_arrays(e);
    return true;
}

static void put_names(hy_emitter *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hy__puts(e, i == 0 ? "c" : ", c");
        hy_buf_put_uint(e->text, i + 1);
    }
}

/* In order: numbers that the database gives out follow it. */
void hy__rows_unnest(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;

    PUT(e, " SELECT ");
    put_names(e, tree->n_columns);
    PUT(e, " FROM unnest(");
    for (size_t i = 0; i < tree->n_columns; i++) {
        hy__puts(e, i == 0 ? "" : ", ");
        hy__put_placeholder(e, i + 1);
        PUT(e, "::");
        hy__puts(e, e->dialect->array_types[tree->columns[i]->kind]);
        PUT(e, "[]");
    }
    PUT(e, ") WITH ORDINALITY AS r (");
    put_names(e, tree->n_columns);
    PUT(e, ", n) ORDER BY n");
}

/* One row's placeholders: the server runs them for each row. */
void hy__rows_repeated(hy_emitter *e)
{
    PUT(e, " VALUES ");
    hy__put_placeholders(e, e->scope->tree->n_columns);
}
