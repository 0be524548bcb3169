/*
 * clause.c - clauses and statements.
 *
 * A statement is a list of clause functions that its dialect names in order; each looks at
 * the scope's tree and writes its part, or nothing. What a dialect cannot say natively is
 * rewritten by key or refused, never left out.
 */
#ifdef HY_MUTATE_DROP_CLAUSE
#include <stdlib.h>

#include <base/number.h>
#endif

#include "sql/emit.h"

/* ---- scopes ----------------------------------------------------------------------------- */

void hy__scope_enter(hy_emitter *e, hy_scope *scope, const hy_tree *tree, bool qualify)
{
    *scope = (hy_scope){.tree = tree, .outer = e->scope, .base = hy__tree_base(tree), .qualify = qualify};
    scope->base_size = strlen(scope->base);
    e->scope = scope;
}

#ifdef HY_MUTATE_DROP_CLAUSE
/* A fault on purpose, a clause that is left out: builds of the tests must see it. */
static bool is_dropped(const hy_emitter *e, const hy_clause *clauses, const hy_clause *clause)
{
    const char *number = getenv("HY_MUTANT");
    int64_t dropped = -1;

    /* Without a number nothing is missing, and the test that wants a difference fails. */
    if (number != NULL)
        (void)hy_parse_int(number, strlen(number), &dropped);
    return clauses == e->dialect->clauses[HY_STATEMENT_SELECT] && clause - clauses == dropped;
}
#else
static bool is_dropped(const hy_emitter *e, const hy_clause *clauses, const hy_clause *clause)
{
    (void)e, (void)clauses, (void)clause;
    return false;
}
#endif

void hy__emit_clauses(hy_emitter *e, const hy_clause *clauses)
{
    for (const hy_clause *clause = clauses; *clause != NULL && e->status == HY_OK; clause++)
        if (!is_dropped(e, clauses, clause))
            (*clause)(e);
}

void hy__emit_select(hy_emitter *e, const hy_tree *tree)
{
    bool collect = e->collect;
    hy_scope scope;

    if (tree->kind != HY_STATEMENT_SELECT)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "a subquery must be a SELECT");
    e->collect = false;
    hy__scope_enter(e, &scope, tree, tree->joins.n > 0);
    hy__emit_clauses(e, e->dialect->clauses[HY_STATEMENT_SELECT]);
    hy__scope_leave(e);
    e->collect = collect;
}

/* WITH stays before the statement where that is possible. */
static bool with_is_inside(const hy_emitter *e)
{
    return e->scope->plan == HY_PLAN_KEYS && !hy__emit_has(e, HY_TRAIT_WITH_WRITE);
}

/* ---- tables ----------------------------------------------------------------------------- */

static void emit_model_table(hy_emitter *e, const hy_model *model)
{
    const char *schema = hy_model_schema(model), *table = hy_model_table(model);

    if (schema != NULL) {
        hy__emit_identifier(e, schema, strlen(schema));
        PUT(e, ".");
    }
    hy__emit_identifier(e, table, strlen(table));
}

void hy__emit_as(hy_emitter *e, const char *alias)
{
    if (alias == NULL)
        return;
    PUT(e, " AS ");
    hy__emit_identifier(e, alias, strlen(alias));
}

static void emit_derived(hy_emitter *e, const hy_tree *tree)
{
    PUT(e, "(");
    hy__emit_select(e, tree);
    PUT(e, ")");
}

/* The base table without its alias. */
void hy__emit_base_table(hy_emitter *e, const hy_tree *tree)
{
    if (tree->table != NULL)
        hy__emit_dotted(e, tree->table, strlen(tree->table));
    else if (tree->model != NULL)
        emit_model_table(e, tree->model);
    else
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "the query has no table");
}

bool hy__has_from(const hy_tree *tree)
{
    return tree->from != NULL || tree->table != NULL || tree->model != NULL;
}

static void emit_from_item(hy_emitter *e, const hy_tree *tree)
{
    if (tree->from != NULL)
        emit_derived(e, tree->from);
    else
        hy__emit_base_table(e, tree);
    hy__emit_as(e, tree->alias);
}

/* A joined table that is just its model's gets the model's schema. */
void hy__emit_join_item(hy_emitter *e, const hy_join *join)
{
    if (join->tree != NULL)
        emit_derived(e, join->tree);
    else if (join->model != NULL && strcmp(join->table, hy_model_table(join->model)) == 0)
        emit_model_table(e, join->model);
    else
        hy__emit_dotted(e, join->table, strlen(join->table));
    hy__emit_as(e, join->alias);
}

/* ---- FROM and JOIN ---------------------------------------------------------------------- */

void hy__clause_from(hy_emitter *e)
{
    if (!hy__has_from(e->scope->tree))
        return;
    PUT(e, " FROM ");
    emit_from_item(e, e->scope->tree);
}

static const char *const join_words[HY_JOIN_COUNT] = {
    [HY_JOIN_INNER] = " INNER JOIN ", [HY_JOIN_LEFT] = " LEFT JOIN ",   [HY_JOIN_RIGHT] = " RIGHT JOIN ",
    [HY_JOIN_FULL] = " FULL JOIN ",   [HY_JOIN_CROSS] = " CROSS JOIN ", [HY_JOIN_NATURAL] = " NATURAL JOIN ",
};

bool hy__has_conditions(const hy_group *group)
{
    for (const hy_condition *c = group->first; c != NULL; c = c->next)
        if (c->expr != NULL || hy__has_conditions(c->group))
            return true;
    return false;
}

/* AND binds tighter: only an OR, and what nobody can look into, is loose. */
static bool is_loose(const hy_expr *x)
{
    return x->node == HY_NODE_RAW || (x->node == HY_NODE_ALL && x->op == HY_OR);
}

static void emit_group(hy_emitter *e, const hy_group *group, bool alone);

static void emit_condition(hy_emitter *e, const hy_condition *c, bool alone)
{
    bool parens = c->group != NULL || c->negated || (!alone && is_loose(c->expr));
    bool outer = e->negating;

    e->negating = outer || c->negated;
    if (c->negated)
        PUT(e, "NOT ");
    if (parens)
        PUT(e, "(");
    if (c->group != NULL)
        emit_group(e, c->group, true);
    else
        hy__emit_expr(e, c->expr);
    if (parens)
        PUT(e, ")");
    e->negating = outer;
}

/* Conditions by their own connectors. `alone`: nothing stands beside the group. */
static void emit_group(hy_emitter *e, const hy_group *group, bool alone)
{
    bool first = true;

    for (const hy_condition *c = group->first; c != NULL; c = c->next) {
        if (c->group != NULL && !hy__has_conditions(c->group))
            continue;
        if (!first)
            hy__puts(e, c->connector == HY_OR ? " OR " : " AND ");
        first = false;
        emit_condition(e, c, alone && group->first == group->last);
    }
}

static void emit_on(hy_emitter *e, const hy_join *join)
{
    bool takes_on = join->kind != HY_JOIN_CROSS && join->kind != HY_JOIN_NATURAL;
    bool has_on = hy__has_conditions(&join->on);

    if (takes_on != has_on)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT,
                  takes_on ? "the join needs an ON condition" : "this join takes no ON");
    if (!has_on)
        return;
    PUT(e, " ON ");
    emit_group(e, &join->on, true);
}

static void emit_join(hy_emitter *e, const hy_join *join)
{
    if (join->raw != NULL) {
        PUT(e, " ");
        hy__emit_expr(e, join->raw);
        return;
    }
    if (join->kind == HY_JOIN_FULL)
        hy__emit_need(e, HY_FEATURE_NUMBER_FULL_JOIN);
    if (join->kind == HY_JOIN_RIGHT)
        hy__emit_need(e, HY_FEATURE_NUMBER_RIGHT_JOIN);
    hy__puts(e, join_words[join->kind]);
    hy__emit_join_item(e, join);
    emit_on(e, join);
}

void hy__clause_joins(hy_emitter *e)
{
    HY_EACH (hy_join, join, &e->scope->tree->joins)
        emit_join(e, join);
}

/* ---- WHERE, GROUP, HAVING --------------------------------------------------------------- */

/* Conditions that are joined by AND with others, whatever they are joined by inside. */
typedef struct parts {
    hy_emitter *e;
    const char *word; /* before the first one */
    bool several, any;
} parts;

static bool has_or(const hy_group *group)
{
    for (const hy_condition *c = group->first; c != NULL; c = c->next)
        if (c != group->first && c->connector == HY_OR)
            return true;
    return false;
}

static void emit_part(parts *p, const hy_group *group)
{
    if (!hy__has_conditions(group))
        return;
    bool parens = p->several && has_or(group);

    hy__puts(p->e, p->any ? " AND " : p->word);
    p->any = true;
    if (parens)
        PUT(p->e, "(");
    emit_group(p->e, group, !p->several);
    if (parens)
        PUT(p->e, ")");
}

static void emit_conditions(parts *p, const hy_conditions *conditions)
{
    emit_part(p, &conditions->user);
    for (const hy_condition *c = conditions->guard.first; c != NULL; c = c->next)
        emit_part(p, c->group);
}

static size_t count_parts(const hy_conditions *conditions)
{
    size_t n = hy__has_conditions(&conditions->user);

    for (const hy_condition *c = conditions->guard.first; c != NULL; c = c->next)
        n += hy__has_conditions(c->group);
    return n;
}

/* Joined tables stand in FROM or USING, so their ON conditions stand here. */
static bool joins_in_where(const hy_emitter *e)
{
    static const hy_traits needed[HY_STATEMENT_COUNT] = {
        [HY_STATEMENT_UPDATE] = HY_TRAIT_UPDATE_FROM,
        [HY_STATEMENT_DELETE] = HY_TRAIT_DELETE_USING,
    };
    return e->scope->plan == HY_PLAN_NATIVE && hy__emit_has(e, needed[e->scope->tree->kind]);
}

static void emit_where(hy_emitter *e, bool with_joins)
{
    const hy_tree *tree = e->scope->tree;
    parts p = {.e = e,
               .word = " WHERE ",
               .several = count_parts(&tree->where) + (with_joins ? tree->joins.n : 0) > 1};

    if (with_joins) {
        HY_EACH (hy_join, join, &tree->joins)
            emit_part(&p, &join->on);
    }
    emit_conditions(&p, &tree->where);
}

static void emit_keys(hy_emitter *e, const hy_model *model)
{
    size_t n = hy_model_n_keys(model);

    for (size_t i = 0; i < n; i++) {
        const char *name = hy_model_key(model, i)->name;
        if (i > 0)
            PUT(e, ", ");
        hy__emit_base(e);
        hy__emit_identifier(e, name, strlen(name));
    }
}

/* The keys of the rows that a rewritten UPDATE or DELETE is for. */
static void emit_key_select(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;
    bool with = with_is_inside(e);
    hy_scope inner;

    hy__scope_enter(e, &inner, tree, tree->joins.n > 0);
    if (with)
        hy__clause_with(e);
    PUT(e, "SELECT ");
    emit_keys(e, tree->model);
    hy__clause_from(e);
    hy__clause_joins(e);
    emit_where(e, false);
    hy__clause_order(e);
    hy__clause_limit(e);
    hy__scope_leave(e);
}

static void emit_where_keys(hy_emitter *e)
{
    const hy_model *model = e->scope->tree->model;
    bool row = hy_model_n_keys(model) > 1;

    hy__puts(e, row ? " WHERE (" : " WHERE ");
    emit_keys(e, model);
    hy__puts(e, row ? ") IN (" : " IN (");
    if (hy__emit_has(e, HY_TRAIT_DERIVED_KEYS))
        PUT(e, "SELECT * FROM (");
    emit_key_select(e);
    if (hy__emit_has(e, HY_TRAIT_DERIVED_KEYS)) {
        PUT(e, ")");
        hy__emit_as(e, "hysteria_keys");
    }
    PUT(e, ")");
}

void hy__clause_where(hy_emitter *e)
{
    if (e->scope->plan == HY_PLAN_KEYS)
        emit_where_keys(e);
    else
        emit_where(e, joins_in_where(e));
}

/* An alias may be named where it stands alone; inside an expression it is written out. */
static hy_place place_of(const hy_expr *x)
{
    return x->node == HY_NODE_COLUMN ? HY_PLACE_NAME : HY_PLACE_INNER;
}

/* By its position, where that must be. */
bool hy__emit_position(hy_emitter *e, const hy_item *item)
{
    size_t position = hy__select_position(e->scope->tree, item);

    if (position > 0)
        hy_buf_put_uint(e->text, position);
    return position > 0;
}

void hy__clause_group(hy_emitter *e)
{
    const hy_chain *group = &e->scope->tree->group;

    HY_EACH (hy_item, item, group) {
        hy__puts(e, &item->cell == group->first ? " GROUP BY " : ", ");
        e->scope->place = place_of(item->expr);
        if (!hy__emit_position(e, item))
            hy__emit_expr(e, item->expr);
    }
    e->scope->place = HY_PLACE_PLAIN;
}

void hy__clause_having(hy_emitter *e)
{
    const hy_conditions *having = &e->scope->tree->having;
    parts p = {.e = e, .word = " HAVING ", .several = count_parts(having) > 1};

    e->scope->place = hy__emit_has(e, HY_TRAIT_INNER_ALIAS) ? HY_PLACE_NAME : HY_PLACE_INNER;
    emit_conditions(&p, having);
    e->scope->place = HY_PLACE_PLAIN;
}

/* ---- ORDER, LIMIT, locks ---------------------------------------------------------------- */

static const char *const directions[] = {[HY_ASC] = " ASC", [HY_DESC] = " DESC"};
static const char *const nulls_words[] = {
    [HY_NULLS_DEFAULT] = "", [HY_NULLS_FIRST] = " NULLS FIRST", [HY_NULLS_LAST] = " NULLS LAST"};

/* Alias of an expression whose decimals would be ordered as text. */
static bool is_text_decimal_alias(const hy_emitter *e, const hy_expr *x)
{
    const hy_column_expr *c = (const hy_column_expr *)x;

    if (!hy__emit_has(e, HY_TRAIT_TEXT_DECIMALS) || x->node != HY_NODE_COLUMN || c->text == NULL ||
        x->qualifier > 0)
        return false;
    const hy_item *item = hy__find_alias(e->scope->tree, c->text, strlen(c->text));
    return item != NULL && item->expr->kind == HY_KIND_DECIMAL && item->expr->node != HY_NODE_COLUMN;
}

static hy_place order_place(const hy_emitter *e, const hy_expr *x)
{
    return hy__emit_has(e, HY_TRAIT_INNER_ALIAS) ? HY_PLACE_NAME : place_of(x);
}

/* Is a value of many rows inside? A function that is not in the table may be one. */
static bool has_aggregate(const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    const hy_function *f = x->node == HY_NODE_CALL ? b->aux : NULL;

    if (x->node <= HY_NODE_VALUE || x->node >= HY_NODE_OVER)
        return false;
    if (f != NULL && (f->number == HY_FUNCTION_OTHER || hy__function_is_aggregate(f)))
        return true;
    for (size_t i = 0; i < b->n; i++)
        if (has_aggregate(b->args[i]))
            return true;
    return false;
}

/* In an expression MariaDB names no alias of what is an aggregate. */
static hy_place null_place(const hy_emitter *e, const hy_expr *x)
{
    const hy_column_expr *c = (const hy_column_expr *)x;
    const hy_item *item = NULL;

    if (x->node == HY_NODE_COLUMN && c->text != NULL && x->qualifier == 0)
        item = hy__find_alias(e->scope->tree, c->text, strlen(c->text));
    return item != NULL && has_aggregate(item->expr) ? HY_PLACE_INNER : order_place(e, x);
}

static void emit_order_value(hy_emitter *e, const hy_expr *x)
{
    e->scope->place = order_place(e, x);
    hy__emit_expr(e, x);
    if (is_text_decimal_alias(e, x))
        PUT(e, " COLLATE hysteria_decimal");
}

static void emit_order_item(hy_emitter *e, const hy_item *item)
{
    bool native = hy__emit_can(e, HY_FEATURE_NUMBER_NULLS_ORDER);

    if (item->nulls != HY_NULLS_DEFAULT && !native) {
        PUT(e, "(");
        e->scope->place = null_place(e, item->expr);
        hy__emit_operand(e, item->expr);
        hy__puts(e, item->nulls == HY_NULLS_FIRST ? " IS NULL) DESC, " : " IS NULL) ASC, ");
    }
    if (!hy__emit_position(e, item))
        emit_order_value(e, item->expr);
    if (item->expr->node != HY_NODE_RAW || item->direction == HY_DESC)
        hy__puts(e, directions[item->direction]);
    if (native)
        hy__puts(e, nulls_words[item->nulls]);
}

void hy__clause_order(hy_emitter *e)
{
    const hy_chain *order = &e->scope->tree->order;
    bool qualify = e->scope->qualify;

    if (e->scope->tree->members.n > 0) { /* of the whole: its columns belong to no table */
        e->scope->qualify = false;
        e->scope->labels = e->collect && hy__has_unknown_fields(&e->scope->tree->select);
    }
    HY_EACH (hy_item, item, order) {
        hy__puts(e, &item->cell == order->first ? " ORDER BY " : ", ");
        emit_order_item(e, item);
    }
    e->scope->place = HY_PLACE_PLAIN;
    e->scope->qualify = qualify;
    e->scope->labels = false;
}

static void emit_count(hy_emitter *e, const int64_t *count)
{
    hy_bind bind = {.value = hy_int(*count), .kind = HY_KIND_BIGINT};
    hy__emit_bind_of(e, &bind, count);
}

const int64_t *hy__limit_of(const hy_tree *tree, const int64_t *option)
{
    if (option != NULL && (!tree->has_limit || tree->limit > *option))
        return option;
    return tree->has_limit ? &tree->limit : NULL;
}

void hy__clause_limit(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;
    const int64_t *limit = hy__limit_of(tree, e->scope->outer == NULL ? e->limit_option : NULL);

    if (tree->limit_param != NULL) {
        PUT(e, " LIMIT ");
        hy__emit_expr(e, tree->limit_param);
    } else if (limit != NULL) {
        PUT(e, " LIMIT ");
        emit_count(e, limit);
    } else if (tree->has_offset && e->dialect->limit_all != NULL) {
        PUT(e, " LIMIT ");
        hy__puts(e, e->dialect->limit_all);
    }
    if (tree->has_offset) {
        PUT(e, " OFFSET ");
        if (tree->offset_param != NULL)
            hy__emit_expr(e, tree->offset_param);
        else
            emit_count(e, &tree->offset);
    }
}

void hy__clause_lock(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;

    if (tree->lock == HY_LOCK_NONE)
        return;
    hy__emit_need(e, HY_FEATURE_NUMBER_LOCK);
    if (tree->members.n > 0 || tree->group.n > 0 || tree->distinct || tree->distinct_on.n > 0)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "rows of a group, a union or DISTINCT cannot be locked");
    if (tree->lock == HY_LOCK_SHARE)
        hy__emit_need(e, HY_FEATURE_NUMBER_LOCK_SHARE);
    if (e->status != HY_OK)
        return;
    PUT(e, " ");
    hy__puts(e, tree->lock == HY_LOCK_SHARE ? e->dialect->lock_share : "FOR UPDATE");
    if (tree->lock_wait == HY_LOCK_NOWAIT) {
        hy__emit_need(e, HY_FEATURE_NUMBER_LOCK_NOWAIT);
        PUT(e, " NOWAIT");
    } else if (tree->lock_wait == HY_LOCK_SKIP_LOCKED) {
        hy__emit_need(e, HY_FEATURE_NUMBER_LOCK_SKIP);
        PUT(e, " SKIP LOCKED");
    }
}

/* ---- WITH and set operations ------------------------------------------------------------ */

static void emit_cte(hy_emitter *e, const hy_cte *cte)
{
    hy__emit_identifier(e, cte->name, strlen(cte->name));
    PUT(e, " AS ");
    if (cte->materialized) {
        hy__emit_need(e, HY_FEATURE_NUMBER_MATERIALIZED_CTE);
        PUT(e, "MATERIALIZED ");
    }
    emit_derived(e, cte->tree);
}

void hy__clause_with(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;
    bool one = e->select_one;

    if (tree->with.n == 0 || with_is_inside(e))
        return;
    e->select_one = false;
    hy__emit_need(e, HY_FEATURE_NUMBER_CTE);
    HY_EACH (hy_cte, cte, &tree->with) {
        if (&cte->cell != tree->with.first)
            PUT(e, ", ");
        else
            hy__puts(e, tree->recursive ? "WITH RECURSIVE " : "WITH ");
        emit_cte(e, cte);
    }
    PUT(e, " ");
    e->select_one = one;
}

static const char *const set_words[HY_SET_OP_COUNT] = {
    [HY_UNION] = " UNION ",
    [HY_UNION_ALL] = " UNION ALL ",
    [HY_INTERSECT] = " INTERSECT ",
    [HY_EXCEPT] = " EXCEPT ",
};

/* What stands before this INTERSECT would otherwise be combined after it. */
static bool closes_left(const hy_emitter *e, const hy_member *previous, const hy_member *member)
{
    return hy__emit_has(e, HY_TRAIT_INTERSECT_FIRST) && previous != NULL && member->op == HY_INTERSECT &&
           previous->op != HY_INTERSECT;
}

void hy__clause_set_open(hy_emitter *e)
{
    const hy_member *previous = NULL;

    HY_EACH (hy_member, member, &e->scope->tree->members) {
        if (closes_left(e, previous, member))
            hy__puts(e, hy__emit_has(e, HY_TRAIT_INTERSECT_DERIVED) ? "SELECT * FROM (" : "(");
        previous = member;
    }
}

/* A member that is more than SELECT ... HAVING does not stand bare. */
static bool is_compound(const hy_tree *tree)
{
    return tree->members.n > 0 || tree->order.n > 0 || tree->has_limit || tree->has_offset ||
           tree->with.n > 0 || tree->lock != HY_LOCK_NONE;
}

static void emit_member(hy_emitter *e, const hy_member *member)
{
    const hy_tree *tree = member->tree;

    if (member->raw != NULL) {
        hy__emit_expr(e, member->raw);
        return;
    }
    if (!is_compound(tree)) {
        hy__emit_select(e, tree);
        return;
    }
    bool derived = tree->with.n > 0 && hy__emit_has(e, HY_TRAIT_MEMBER_WITH_DERIVED);
    if (derived || !hy__emit_has(e, HY_TRAIT_MEMBER_PARENS))
        PUT(e, "SELECT * FROM ");
    emit_derived(e, tree);
    if (derived)
        hy__emit_as(e, "hysteria_member");
}

void hy__clause_members(hy_emitter *e)
{
    const hy_member *previous = NULL;

    HY_EACH (hy_member, member, &e->scope->tree->members) {
        if (closes_left(e, previous, member)) {
            PUT(e, ")");
            if (hy__emit_has(e, HY_TRAIT_INTERSECT_DERIVED))
                hy__emit_as(e, "hysteria_left");
        }
        if (member->op == HY_INTERSECT || member->op == HY_EXCEPT)
            hy__emit_need(e, HY_FEATURE_NUMBER_INTERSECT_EXCEPT);
        hy__puts(e, set_words[member->op]);
        emit_member(e, member);
        previous = member;
    }
}
