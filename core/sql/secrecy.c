/*
 * secrecy.c - which values of a statement are not to be shown to observers, logs and messages.
 *
 * A value that stands beside a hidden or sensitive column is as secret as the column, whatever
 * function, CASE or subquery stands between them: secrecy goes up from columns to the
 * expressions that hold them, and from those down to every value in them. AND, OR and NOT only
 * connect conditions: what one of them compares says nothing of the others' values. Knows no
 * text of SQL.
 */
#include "sql/ast.h"

static bool connects(const hy_expr *x)
{
    return x->node == HY_NODE_ALL || x->node == HY_NODE_NOT;
}

static bool is_leaf(const hy_expr *x)
{
    return x->node <= HY_NODE_PARAM || x->node == HY_NODE_DEFAULT || x->node == HY_NODE_CONSTANT;
}

static bool is_query(const hy_expr *x)
{
    return x->node >= HY_NODE_IN_QUERY;
}

bool hy__is_secret(const hy_expr *x)
{
    return x != NULL && (x->flags & HY_FLAG_SENSITIVE) != 0;
}

bool hy__selects_secret(const hy_tree *tree)
{
    HY_EACH (hy_item, item, &tree->select)
        if (hy__is_secret(item->expr))
            return true;
    HY_EACH (hy_member, member, &tree->members)
        if (member->tree != NULL && hy__selects_secret(member->tree))
            return true;
    return false;
}

/* What it selects may come from what these select. */
static void hide_sources(hy_tree *tree)
{
    if (tree->from != NULL)
        hy__hide_selected(tree->from);
    HY_EACH (hy_join, join, &tree->joins)
        if (join->tree != NULL)
            hy__hide_selected(join->tree);
    HY_EACH (hy_cte, cte, &tree->with)
        hy__hide_selected(cte->tree);
}

void hy__hide_selected(hy_tree *tree)
{
    HY_EACH (hy_item, item, &tree->select)
        hy__hide(item->expr);
    HY_EACH (hy_member, member, &tree->members) {
        if (member->tree != NULL)
            hy__hide_selected(member->tree);
        hy__hide(member->raw);
    }
    hide_sources(tree);
}

static void hide_below(hy_query_expr *e)
{
    hy__hide(e->operand);
    hy__hide_selected(e->tree);
}

/* What is below an expression that was found secret before has been hidden then. */
void hy__hide(hy_expr *x)
{
    if (x == NULL || x->node == HY_NODE_COLUMN || x->node == HY_NODE_STAR)
        return;
    if (hy__is_secret(x) && !connects(x))
        return;
    x->flags |= HY_FLAG_SENSITIVE;
    if (is_query(x))
        hide_below((hy_query_expr *)x);
    else if (!is_leaf(x))
        hy__hide_operands((hy_branch *)x);
}

void hy__hide_operands(hy_branch *b)
{
    for (size_t i = 0; i < b->n; i++)
        hy__hide(b->args[i]);
}

void hy__spread_secrecy(hy_branch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (hy__is_secret(b->args[i]))
            b->head.flags |= HY_FLAG_SENSITIVE;
    if (hy__is_secret(&b->head) && !connects(&b->head))
        hy__hide_operands(b);
}

void hy__spread_query_secrecy(hy_query_expr *e)
{
    /* EXISTS tells nothing of what it selects. */
    if (e->head.node != HY_NODE_EXISTS && (hy__is_secret(e->operand) || hy__selects_secret(e->tree)))
        e->head.flags |= HY_FLAG_SENSITIVE;
    if (hy__is_secret(&e->head))
        hide_below(e);
}
