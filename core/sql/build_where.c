/*
 * build_where.c - conditions: slots, groups that are open, and the engine's own guards.
 *
 * Only builds the tree. A group that is closed or cleared is open for nobody any more.
 */
#include "sql/ast.h"

static hy_condition *add_condition(hy_query *q, hy_group *group, hy_connector connector, bool negated)
{
    hy_condition *c = hy_arena_zero(&q->arena, sizeof *c);
    if (c == NULL)
        return NULL;
    c->connector = (uint8_t)connector;
    c->negated = negated;
    if (group->last != NULL)
        group->last->next = c;
    else
        group->first = c;
    group->last = c;
    return c;
}

static hy_group *add_group(hy_query *q, hy_group *parent, hy_connector connector, bool negated)
{
    hy_group *group = hy_arena_zero(&q->arena, sizeof *group);
    hy_condition *before = parent->last;
    hy_condition *c = group != NULL ? add_condition(q, parent, connector, negated) : NULL;

    if (c == NULL)
        return NULL;
    group->parent = parent;
    group->before = before;
    c->group = group;
    return group;
}

static hy_group *guard_having(hy_query *q)
{
    if (q->guard->having == NULL)
        q->guard->having = add_group(q, &q->tree.having.guard, HY_AND, false);
    return q->guard->having;
}

/* The group that a condition for this slot goes to; NULL: the query has failed. */
static hy_group *slot_group(hy_query *q, hy_slot slot)
{
    /* A guard itself is no group of the user's: it catches WHERE and keeps HAVING apart. */
    bool in_guard = q->guard != NULL && q->open == q->guard->where;

    if (q->open != NULL && (!in_guard || slot == HY_SLOT_WHERE))
        return q->open;
    if (slot == HY_SLOT_WHERE)
        return &q->tree.where.user;
    if (slot == HY_SLOT_HAVING)
        return in_guard ? guard_having(q) : &q->tree.having.user;
    if (q->tree.joins.last != NULL && ((hy_join *)q->tree.joins.last)->raw == NULL)
        return &((hy_join *)q->tree.joins.last)->on;
    HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "an ON condition needs a join before it");
    return NULL;
}

void hy_query_predicate(hy_query *q, hy_slot slot, hy_connector connector, bool negated, hy_expr *condition)
{
    if (!hy__query_takes(q, condition) ||
        !hy__query_deepen(q, condition->depth + (unsigned)q->open_depth + 1U))
        return;
    hy_group *group = slot_group(q, slot);
    hy_condition *c = group != NULL ? add_condition(q, group, connector, negated) : NULL;
    if (c != NULL)
        c->expr = condition;
}

static void enter_group(hy_query *q, hy_group *group)
{
    group->resume = q->open;
    q->open = group;
    q->open_depth++;
}

size_t hy_query_group_open(hy_query *q, hy_slot slot, hy_connector connector, bool negated)
{
    size_t depth = q->open_depth;

    if (!hy__query_usable(q) || !hy__query_deepen(q, (unsigned)depth + 2U))
        return depth;
    hy_group *parent = slot_group(q, slot);
    hy_group *group = parent != NULL ? add_group(q, parent, connector, negated) : NULL;
    if (group != NULL)
        enter_group(q, group);
    return depth;
}

void hy_query_where_of(hy_query *q, hy_slot slot, hy_connector connector, const hy_query *other)
{
    const hy_tree *tree = hy__query_adopt(q, other);
    hy_group *parent = tree != NULL && tree->where.user.first != NULL ? slot_group(q, slot) : NULL;
    hy_group *group = parent != NULL ? add_group(q, parent, connector, false) : NULL;

    if (group == NULL || !hy__query_deepen(q, tree->depth + (unsigned)q->open_depth + 2U))
        return;
    group->first = tree->where.user.first; /* adopting has copied them */
    group->last = tree->where.user.last;
    for (hy_condition *c = group->first; c != NULL; c = c->next)
        if (c->group != NULL)
            c->group->parent = group;
}

/* Take an open group out of its parent: nothing was added behind it while it was open. */
static void drop_group(hy_group *group)
{
    hy_group *parent = group->parent;

    parent->last = group->before;
    if (group->before != NULL)
        group->before->next = NULL;
    else
        parent->first = NULL;
}

/* `keep`: unless it is empty. */
static void close_innermost(hy_query *q, bool keep)
{
    hy_group *group = q->open;

    if (!keep || group->first == NULL)
        drop_group(group);
    q->open = group->resume;
    q->open_depth--;
}

static void close_down_to(hy_query *q, size_t depth, bool keep)
{
    size_t floor = q->guard != NULL ? q->guard->depth : 0;

    while (q->open != NULL && q->open_depth > depth && q->open_depth > floor)
        close_innermost(q, keep);
}

void hy_query_group_close(hy_query *q, size_t depth)
{
    close_down_to(q, depth, true);
}

void hy_query_group_abandon(hy_query *q, size_t depth)
{
    close_down_to(q, depth, false);
}

/* A guard opens even on a failed query, so that begin and end stay paired. */
void hy_query_guard_begin(hy_query *q)
{
    struct hy_guard *guard = hy_arena_zero(&q->arena, sizeof *guard);
    hy_group *group = guard != NULL ? add_group(q, &q->tree.where.guard, HY_AND, false) : NULL;

    if (group == NULL)
        return;
    guard->outer = q->guard;
    guard->open = q->open;
    guard->where = group;
    enter_group(q, group);
    guard->depth = q->open_depth;
    q->guard = guard;
}

void hy_query_guard_end(hy_query *q)
{
    struct hy_guard *guard = q->guard;

    if (guard == NULL)
        return;
    while (q->open != NULL && q->open != guard->open)
        close_innermost(q, true);
    q->guard = guard->outer;
}

/* ---- clearing --------------------------------------------------------------------------- */

static bool is_below(const hy_group *group, const hy_group *root)
{
    while (group != NULL && group != root)
        group = group->parent;
    return group != NULL;
}

/* Open groups below a group that is being emptied are open no more. */
void hy__forget_open(hy_query *q, const hy_group *root)
{
    while (q->open != NULL && is_below(q->open, root)) {
        q->open = q->open->resume;
        q->open_depth--;
    }
    for (struct hy_guard *guard = q->guard; guard != NULL; guard = guard->outer) {
        while (guard->open != NULL && is_below(guard->open, root)) {
            guard->open = guard->open->resume;
            guard->where->resume = guard->open;
        }
    }
}

void hy__clear_group(hy_query *q, hy_group *group)
{
    hy__forget_open(q, group);
    *group = (hy_group){0};
}
