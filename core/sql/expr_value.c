/*
 * expr_value.c - values in a query: read by the column they are compared with or stored in.
 *
 * Each value becomes a node that owns a copy of its bytes. Knows codecs, and no dialect.
 */
#include <string.h>

#include <base/text.h>

#include "sql/ast.h"

static bool has_bytes(hy_type type)
{
    return type == HY_TEXT || type == HY_BLOB || type == HY_DECIMAL || type == HY_JSON;
}

/* Let the value's bytes, if it has any, be a copy of the query's own. */
static bool own_bytes(hy_query *q, hy_value *value)
{
    if (!has_bytes(value->type))
        return true;
    const size_t size = value->as.text.size;
    char *own = hy_arena_alloc(&q->arena, size + 1);
    if (own != NULL && size > 0)
        memcpy(own, value->as.text.data, size);
    if (own != NULL)
        own[size] = '\0';
    value->as.text.data = own;
    return own != NULL;
}

/* A node that owns a copy of the value's bytes. */
hy_expr *hy__expr_value_node(hy_query *q, hy_kind kind, const hy_value *value)
{
    hy_value_expr *e = hy__node_new(q, HY_NODE_VALUE, kind, sizeof *e);
    if (e == NULL)
        return NULL;
    e->value = *value;
    return own_bytes(q, &e->value) ? &e->head : NULL;
}

static bool is_number(hy_type type)
{
    return type == HY_INT || type == HY_DOUBLE || type == HY_DECIMAL;
}

/*
 * Keep "column 'age': <what the codec says>". It is asked once more, for its words: an hy_error
 * that waits on the stack beside every value costs more than the value.
 */
static void fail_encode(hy_query *q, hy_kind kind, const hy_column *column, bool stored,
                        const hy_value *value)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value out;
    hy_error why;

    if (stored && column != NULL)
        (void)hy_column_encode(column, value, scratch, &out, &why);
    else
        (void)hy_value_encode(kind, value, scratch, &out, &why);
    if (column == NULL) {
        HY_QUERY_FAIL(q, why.status, "%s", why.message);
        return;
    }
    HY_QUERY_FAIL(q, why.status, "column '%s': %s", column->property, why.message);
    if (q->failure == NULL || q->failure->columns[0] != '\0')
        return;
    size_t size = hy__text_cut(column->property, strlen(column->property), sizeof q->failure->columns - 1);
    memcpy(q->failure->columns, column->property, size);
    q->failure->columns[size] = '\0';
}

/* Where text stands beside a number, MySQL and MariaDB make 0 of most texts: every row would be found. */
static bool holds_text(hy_kind kind)
{
    hy_type type = hy_kind_type(kind);

    return type == HY_TEXT || type == HY_UUID || type == HY_BLOB;
}

/* A value to compare with: a number may be one that the column could not hold. */
static hy_expr *compared(hy_query *q, hy_kind kind, const hy_column *column, const hy_value *value)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value out;

    if (!hy__query_usable(q))
        return NULL;
    if (hy_value_encode(kind, value, scratch, &out, NULL) == HY_OK)
        return hy__expr_value_node(q, kind, &out);
    if (is_number(value->type) && !holds_text(kind))
        return hy__expr_value_node(q, HY_KIND_ANY, value);
    fail_encode(q, kind, column, false, value);
    return NULL;
}

/* A value to store; without a column of any kind. */
static hy_status encode_stored(const hy_column *column, const hy_value *value,
                               char scratch[HY_VALUE_SCRATCH_SIZE], hy_value *out)
{
    if (column != NULL)
        return hy_column_encode(column, value, scratch, out, NULL);
    return hy_value_encode(HY_KIND_ANY, value, scratch, out, NULL);
}

static hy_expr *stored(hy_query *q, const hy_column *column, const hy_value *value)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value out;
    hy_kind kind = column != NULL ? column->kind : HY_KIND_ANY;

    if (!hy__query_usable(q))
        return NULL;
    if (encode_stored(column, value, scratch, &out) == HY_OK)
        return hy__expr_value_node(q, kind, &out);
    fail_encode(q, kind, column, true, value);
    return NULL;
}

/* Messages and observers must not show it. */
static hy_expr *mark(hy_expr *e, bool sensitive)
{
    if (sensitive)
        hy__hide(e);
    return e;
}

/* As stored(), without a node. */
static bool encode_cell(hy_query *q, const hy_column_expr *column, const hy_value *value, hy_bind *bind)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];

    bind->kind = (hy_kind)column->head.kind;
    bind->sensitive = hy__is_secret(&column->head);
    if (encode_stored(column->column, value, scratch, &bind->value) != HY_OK) {
        fail_encode(q, bind->kind, column->column, true, value);
        return false;
    }
    return own_bytes(q, &bind->value);
}

bool hy__expr_binds(hy_query *q, const hy_value *values, hy_row *row)
{
    hy_bind *binds = hy__row_binds(row);

    for (size_t i = 0; i < q->tree.n_columns; i++) {
        binds[i].value.type = values[i].type;
        if (values[i].type == HY_TYPE_COUNT)
            row->has_default = true;
        else if (!encode_cell(q, (const hy_column_expr *)q->tree.columns[i], &values[i], &binds[i]))
            return false;
    }
    return true;
}

hy_expr *hy_expr_value(hy_query *q, const hy_value *value)
{
    return stored(q, NULL, value);
}

hy_expr *hy_expr_value_like(hy_query *q, const hy_expr *other, const hy_value *value)
{
    const hy_column *column = NULL;

    if (!hy__query_usable(q))
        return NULL;
    if (other == NULL) {
        HY_QUERY_FAIL(q, HY_ENIL_VALUE, "an operand is missing");
        return NULL;
    }
    if (other->node == HY_NODE_COLUMN)
        column = ((const hy_column_expr *)other)->column;
    return mark(compared(q, (hy_kind)other->kind, column, value), hy__is_secret(other));
}

hy_expr *hy_expr_value_for(hy_query *q, const hy_column *column, const hy_value *value)
{
    return mark(stored(q, column, value), hy__column_is_secret(column));
}
