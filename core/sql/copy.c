/*
 * copy.c - a deep copy of a tree in another arena, text included.
 *
 * What belongs to models and static tables is shared. The depth of a tree is limited when it
 * is built, so the recursion here is too. False or NULL: memory ran out, or what a tree that
 * is late stands for cannot be taken. What is taken brings secrets or comes to stand beside them: where
 * trees are settled, secrecy spreads anew, from the bottom up.
 */
#include <string.h>

#include "sql/ast.h"

static hy_expr *copy_expr(hy_copier *to, const hy_expr *from);
static bool copy_group(hy_copier *to, hy_group *into, const hy_group *from);

/* ---- expressions ------------------------------------------------------------------------ */

static hy_expr *copy_column(hy_copier *to, const hy_expr *from)
{
    hy_column_expr *c = hy_arena_memdup(to->arena, from, sizeof *c);

    if (c != NULL && c->text != NULL)
        c->text = hy_arena_strdup(to->arena, c->text);
    return c != NULL ? &c->head : NULL;
}

static void own_bytes(hy_copier *to, hy_value *v)
{
    if (v->type == HY_TEXT || v->type == HY_BLOB || v->type == HY_DECIMAL || v->type == HY_JSON)
        v->as.text.data = hy_arena_strndup(to->arena, v->as.text.data, v->as.text.size);
}

static hy_expr *copy_value(hy_copier *to, const hy_expr *from)
{
    hy_value_expr *v = hy_arena_memdup(to->arena, from, sizeof *v);
    if (v == NULL)
        return NULL;
    own_bytes(to, &v->value);
    return &v->head;
}

static const void *copy_raw_text(hy_copier *to, const hy_raw_text *from)
{
    hy_raw_text *raw = hy_arena_memdup(to->arena, from, sizeof *raw);
    if (raw != NULL)
        raw->text = hy_arena_strndup(to->arena, raw->text, raw->size);
    return raw;
}

static const void *copy_function(hy_copier *to, const hy_function *from)
{
    if (from->number != HY_FUNCTION_OTHER)
        return from; /* of the static table */
    hy_function *f = hy_arena_memdup(to->arena, from, sizeof *f);
    if (f == NULL)
        return NULL;
    f->label = hy_arena_strdup(to->arena, f->label);
    f->spelling = hy_arena_strdup(to->arena, f->spelling);
    return f;
}

static const void *copy_place(hy_copier *to, const hy_json_place *from)
{
    hy_json_place *place = hy_arena_memdup(to->arena, from, sizeof *place);
    if (place == NULL)
        return NULL;
    place->path = hy_arena_strndup(to->arena, from->path, from->size);
    place->steps = hy_arena_memdup(to->arena, from->steps, from->n * sizeof *from->steps);
    place->before = hy_arena_memdup(to->arena, from->before, from->n * sizeof *from->before);
    for (size_t i = 0; place->steps != NULL && i < from->n; i++)
        if (from->steps[i].key != NULL)
            place->steps[i].key = hy_arena_strndup(to->arena, from->steps[i].key, from->steps[i].size);
    return place;
}

static const void *copy_param(hy_copier *to, const hy_param *from)
{
    hy_param *param = hy_arena_memdup(to->arena, from, sizeof *from);

    if (param == NULL)
        return NULL;
    param->name = hy_arena_strdup(to->arena, from->name);
    param->like = from->like != NULL ? copy_expr(to, from->like) : NULL;
    return param;
}

static const void *copy_aux(hy_copier *to, const hy_branch *from)
{
    switch (from->head.node) {
    case HY_NODE_PARAM:
        return copy_param(to, from->aux);
    case HY_NODE_RAW:
        return copy_raw_text(to, from->aux);
    case HY_NODE_CALL:
        return copy_function(to, from->aux);
    case HY_NODE_JSON:
        return copy_place(to, from->aux);
    case HY_NODE_OVER:
        return hy_arena_memdup(to->arena, from->aux, sizeof(hy_over) + from->n - from->split - 1);
    default:
        return NULL;
    }
}

static hy_expr *copy_branch(hy_copier *to, const hy_expr *from)
{
    const hy_branch *old = (const hy_branch *)from;
    hy_branch *b = hy_arena_memdup(to->arena, old, sizeof *old + old->n * sizeof old->args[0]);

    if (b == NULL)
        return NULL;
    b->aux = copy_aux(to, old);
    for (size_t i = 0; i < b->n; i++)
        b->args[i] = copy_expr(to, old->args[i]);
    if (to->find != NULL)
        hy__spread_secrecy(b);
    return &b->head;
}

static hy_status check_found(const hy_query *now, hy_error *err)
{
    if (now == NULL || now->tree.has_late)
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "a query inside of the query is not known any more");
    return hy__query_is_whole(now, err);
}

/* What stands now where a tree that is late was put. NULL: to->status says why nothing does. */
static const hy_tree *resolve(hy_copier *to, const hy_tree *from)
{
    if (to->status != HY_OK)
        return NULL;
    const hy_query *now = to->find(to->data, from->late);
    to->status = check_found(now, to->err);
    if (to->status != HY_OK)
        return NULL;
    hy__query_hold_all(to->q, now);
    unsigned deeper = now->tree.depth > from->depth ? (unsigned)now->tree.depth - from->depth : 0;
    if (to->deeper < deeper)
        to->deeper = deeper;
    return &now->tree;
}

static hy_tree *tree_new(hy_copier *to, const hy_tree *from)
{
    bool is_late = to->find != NULL && from->late != 0;
    if (is_late)
        from = resolve(to, from);
    hy_tree *tree = from != NULL ? hy_arena_alloc(to->arena, sizeof *tree) : NULL;
    if (tree == NULL || !hy__tree_copy(to, tree, from))
        return NULL;
    tree->late = is_late ? 0 : tree->late;
    return tree;
}

static hy_expr *copy_query(hy_copier *to, const hy_expr *from)
{
    hy_query_expr *e = hy_arena_memdup(to->arena, from, sizeof *e);

    if (e == NULL)
        return NULL;
    e->operand = copy_expr(to, e->operand);
    e->tree = tree_new(to, e->tree);
    if (to->find != NULL && e->tree != NULL)
        hy__spread_query_secrecy(e);
    return &e->head;
}

static hy_expr *copy_expr(hy_copier *to, const hy_expr *from)
{
    if (from == NULL || to->arena->failed)
        return NULL;
    switch ((hy_node)from->node) {
    case HY_NODE_COLUMN:
    case HY_NODE_STAR:
        return copy_column(to, from);
    case HY_NODE_VALUE:
        return copy_value(to, from);
    case HY_NODE_IN_QUERY:
    case HY_NODE_EXISTS:
    case HY_NODE_QUERY:
        return copy_query(to, from);
    default:
        return copy_branch(to, from);
    }
}

/* ---- clauses ---------------------------------------------------------------------------- */

typedef void (*cell_copier)(hy_copier *to, void *cell);

/* Copies of all cells, `size` bytes each and plain, whose inner parts `fix` then copies. */
static void copy_chain(hy_copier *to, hy_chain *into, const hy_chain *from, size_t size, cell_copier fix)
{
    *into = (hy_chain){0};
    for (const hy_cell *old = from->first; old != NULL; old = old->next) {
        hy_cell *cell = hy_arena_memdup(to->arena, old, size);
        if (cell == NULL)
            return;
        cell->next = NULL;
        fix(to, cell);
        if (into->last != NULL)
            into->last->next = cell;
        else
            into->first = cell;
        into->last = cell;
        into->n++;
    }
}

static void fix_item(hy_copier *to, void *cell)
{
    hy_item *item = cell;
    item->expr = copy_expr(to, item->expr);
    item->target = copy_expr(to, item->target);
    item->alias = hy_arena_strdup(to->arena, item->alias);
}

static void fix_join(hy_copier *to, void *cell)
{
    hy_join *join = cell;
    hy_group on = join->on;

    join->table = hy_arena_strdup(to->arena, join->table);
    join->alias = hy_arena_strdup(to->arena, join->alias);
    join->tree = join->tree != NULL ? tree_new(to, join->tree) : NULL;
    join->raw = copy_expr(to, join->raw);
    copy_group(to, &join->on, &on);
}

static void fix_cte(hy_copier *to, void *cell)
{
    hy_cte *cte = cell;
    cte->name = hy_arena_strdup(to->arena, cte->name);
    cte->tree = tree_new(to, cte->tree);
}

static void fix_member(hy_copier *to, void *cell)
{
    hy_member *member = cell;
    member->tree = member->tree != NULL ? tree_new(to, member->tree) : NULL;
    member->raw = copy_expr(to, member->raw);
}

static void copy_items(hy_copier *to, hy_chain *into, const hy_chain *from)
{
    copy_chain(to, into, from, sizeof(hy_item), fix_item);
}

/* A group without conditions, if only because the inner ones have none. */
static bool is_empty(const hy_group *group)
{
    for (const hy_condition *c = group->first; c != NULL; c = c->next)
        if (c->expr != NULL || !is_empty(c->group))
            return false;
    return true;
}

static hy_condition *copy_condition(hy_copier *to, hy_group *parent, const hy_condition *from)
{
    hy_condition *c = hy_arena_memdup(to->arena, from, sizeof *c);
    if (c == NULL)
        return NULL;
    c->next = NULL;
    c->expr = copy_expr(to, from->expr);
    if (from->group != NULL) {
        c->group = hy_arena_zero(to->arena, sizeof *c->group);
        if (c->group == NULL || !copy_group(to, c->group, from->group))
            return NULL;
        c->group->parent = parent;
    }
    return c;
}

/* Groups that are open and still empty are left out. */
static bool copy_group(hy_copier *to, hy_group *into, const hy_group *from)
{
    *into = (hy_group){0};
    for (const hy_condition *old = from->first; old != NULL; old = old->next) {
        if (old->group != NULL && is_empty(old->group))
            continue;
        hy_condition *c = copy_condition(to, into, old);
        if (c == NULL)
            return false;
        if (into->last != NULL)
            into->last->next = c;
        else
            into->first = c;
        into->last = c;
    }
    return true;
}

static hy_expr **copy_exprs(hy_copier *to, hy_expr *const *from, size_t n)
{
    hy_expr **into = hy_arena_alloc(to->arena, (n + 1) * sizeof *into);
    for (size_t i = 0; into != NULL && i < n; i++)
        into[i] = copy_expr(to, from[i]);
    return into;
}

static hy_row *copy_row(hy_copier *to, const hy_row *from, size_t n)
{
    hy_row *row = hy_arena_memdup(to->arena, from,
                                  sizeof *row + n * (from->plain ? sizeof(hy_bind) : sizeof(hy_expr *)));

    if (row == NULL)
        return NULL;
    row->cell = (hy_cell){0};
    for (size_t i = 0; i < n; i++) {
        if (from->plain)
            own_bytes(to, &hy__row_binds(row)[i].value);
        else
            hy__row_cells(row)[i] = copy_expr(to, hy__row_cells(from)[i]);
    }
    return row;
}

static void copy_insert(hy_copier *to, hy_tree *into, const hy_tree *from)
{
    into->columns = from->columns != NULL ? copy_exprs(to, from->columns, from->n_columns) : NULL;
    into->rows = (hy_chain){0};
    HY_EACH (hy_row, old, &from->rows) {
        hy_row *row = copy_row(to, old, from->n_columns);
        if (row == NULL)
            return;
        if (into->rows.last != NULL)
            into->rows.last->next = &row->cell;
        else
            into->rows.first = &row->cell;
        into->rows.last = &row->cell;
        into->rows.n++;
    }
}

static hy_upsert *copy_upsert(hy_copier *to, const hy_upsert *from)
{
    hy_upsert *upsert = from != NULL ? hy_arena_memdup(to->arena, from, sizeof *upsert) : NULL;
    if (upsert == NULL)
        return NULL;
    upsert->target = copy_exprs(to, from->target, from->n_target);
    upsert->update = copy_exprs(to, from->update, from->n_update);
    copy_items(to, &upsert->set, &from->set);
    return upsert;
}

bool hy__tree_copy(hy_copier *to, hy_tree *into, const hy_tree *from)
{
    *into = *from;
    into->table = hy_arena_strdup(to->arena, from->table);
    into->alias = hy_arena_strdup(to->arena, from->alias);
    into->from = from->from != NULL ? tree_new(to, from->from) : NULL;
    copy_items(to, &into->select, &from->select);
    copy_items(to, &into->distinct_on, &from->distinct_on);
    copy_items(to, &into->group, &from->group);
    copy_items(to, &into->order, &from->order);
    copy_items(to, &into->set, &from->set);
    copy_items(to, &into->returning, &from->returning);
    copy_chain(to, &into->joins, &from->joins, sizeof(hy_join), fix_join);
    copy_chain(to, &into->with, &from->with, sizeof(hy_cte), fix_cte);
    copy_chain(to, &into->members, &from->members, sizeof(hy_member), fix_member);
    copy_group(to, &into->where.user, &from->where.user);
    copy_group(to, &into->where.guard, &from->where.guard);
    copy_group(to, &into->having.user, &from->having.user);
    copy_group(to, &into->having.guard, &from->having.guard);
    into->limit_param = from->limit_param != NULL ? copy_expr(to, from->limit_param) : NULL;
    into->offset_param = from->offset_param != NULL ? copy_expr(to, from->offset_param) : NULL;
    copy_insert(to, into, from);
    into->upsert = copy_upsert(to, from->upsert);
    into->has_late = from->has_late && to->find == NULL;
    return to->status == HY_OK && !to->arena->failed;
}
