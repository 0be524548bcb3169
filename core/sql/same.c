/*
 * same.c - are two expressions the same, and is what a clause names selected already?
 *
 * To a server each placeholder is a value of its own: `c + ?` in GROUP BY is not the `c + ?` that is
 * selected, even where both are bound to 1. So an expression with values that is selected too is said
 * by its position there. Knows no dialect.
 */
#include <string.h>

#include "sql/ast.h"

static bool same_function(const hy_function *a, const hy_function *b)
{
    return a == b || (a->number == HY_FUNCTION_OTHER && b->number == HY_FUNCTION_OTHER &&
                      strcmp(a->spelling, b->spelling) == 0);
}

static bool same_aux(const hy_branch *a, const hy_branch *b)
{
    const hy_raw_text *raw = a->aux, *other_raw = b->aux;
    const hy_json_place *place = a->aux, *other_place = b->aux;

    switch ((hy_node)a->head.node) {
    case HY_NODE_PARAM:
        return ((const hy_param *)a->aux)->use == ((const hy_param *)b->aux)->use &&
               strcmp(((const hy_param *)a->aux)->name, ((const hy_param *)b->aux)->name) == 0;
    case HY_NODE_RAW:
        return raw->size == other_raw->size && memcmp(raw->text, other_raw->text, raw->size) == 0;
    case HY_NODE_CALL:
        return same_function(a->aux, b->aux);
    case HY_NODE_JSON:
        return place->size == other_place->size && memcmp(place->path, other_place->path, place->size) == 0;
    default:
        return a->aux == NULL && b->aux == NULL;
    }
}

static bool same_expr(const hy_expr *a, const hy_expr *b);

static bool same_branch(const hy_branch *a, const hy_branch *b)
{
    if (a->n != b->n || a->split != b->split || !same_aux(a, b))
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_expr(a->args[i], b->args[i]))
            return false;
    return true;
}

/* Surely the same; subqueries and windows are taken for different. */
static bool same_expr(const hy_expr *a, const hy_expr *b)
{
    if (a->node != b->node || a->kind != b->kind || a->op != b->op || a->flags != b->flags)
        return false;
    switch ((hy_node)a->node) {
    case HY_NODE_COLUMN:
    case HY_NODE_STAR:
        return hy__same_column(a, b);
    case HY_NODE_VALUE:
        return hy_value_equal(&((const hy_value_expr *)a)->value, &((const hy_value_expr *)b)->value);
    case HY_NODE_IN_QUERY:
    case HY_NODE_EXISTS:
    case HY_NODE_QUERY:
    case HY_NODE_OVER:
        return false;
    default:
        return same_branch((const hy_branch *)a, (const hy_branch *)b);
    }
}

/* Does its text hold a placeholder? */
static bool has_values(const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;

    switch ((hy_node)x->node) {
    case HY_NODE_VALUE:
    case HY_NODE_PARAM:
    case HY_NODE_JSON: /* its path is bound */
        return true;
    case HY_NODE_COLUMN:
    case HY_NODE_STAR:
    case HY_NODE_IN_QUERY:
    case HY_NODE_EXISTS:
    case HY_NODE_QUERY:
        return false;
    default:
        break;
    }
    for (size_t i = 0; i < b->n; i++)
        if (has_values(b->args[i]))
            return true;
    return false;
}

size_t hy__select_position(const hy_tree *tree, const hy_item *named)
{
    size_t position = 0;

    if (tree->kind != HY_STATEMENT_SELECT || tree->select.n == 0 || !has_values(named->expr))
        return 0;
    HY_EACH (hy_item, item, &tree->select) {
        if (item->expr->node == HY_NODE_STAR || item->expr->node == HY_NODE_RAW)
            return 0; /* of these nobody knows how many columns they are */
        position++;
        if (same_expr(item->expr, named->expr))
            return position;
    }
    return 0;
}
