/*
 * clause.c - clauses and statements.
 *
 * A statement is a list of clause functions that its dialect names in order; each looks at
 * the scope's tree and writes its part, or nothing. What a dialect cannot say natively is
 * rewritten by key or refused, never left out.
 */
#include <hysteria/memory.h>

#include "sql/emit.h"

/* ---- scopes ----------------------------------------------------------------------------- */

void hy__scope_enter(hy_emitter *e, hy_scope *scope, const hy_tree *tree, bool qualify)
{
    *scope = (hy_scope){.tree = tree, .outer = e->scope, .base = hy__tree_base(tree), .qualify = qualify};
    scope->base_size = strlen(scope->base);
    e->scope = scope;
}

void hy__emit_clauses(hy_emitter *e, const hy_clause *clauses)
{
    for (const hy_clause *clause = clauses; *clause != NULL && e->status == HY_OK; clause++)
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

static void emit_as(hy_emitter *e, const char *alias)
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
static void emit_base_table(hy_emitter *e, const hy_tree *tree)
{
    if (tree->table != NULL)
        hy__emit_dotted(e, tree->table, strlen(tree->table));
    else if (tree->model != NULL)
        emit_model_table(e, tree->model);
    else
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "the query has no table");
}

static bool has_from(const hy_tree *tree)
{
    return tree->from != NULL || tree->table != NULL || tree->model != NULL;
}

static void emit_from_item(hy_emitter *e, const hy_tree *tree)
{
    if (tree->from != NULL)
        emit_derived(e, tree->from);
    else
        emit_base_table(e, tree);
    emit_as(e, tree->alias);
}

/* A joined table that is just its model's gets the model's schema. */
static void emit_join_item(hy_emitter *e, const hy_join *join)
{
    if (join->tree != NULL)
        emit_derived(e, join->tree);
    else if (join->model != NULL && strcmp(join->table, hy_model_table(join->model)) == 0)
        emit_model_table(e, join->model);
    else
        hy__emit_dotted(e, join->table, strlen(join->table));
    emit_as(e, join->alias);
}

/* ---- what is selected ------------------------------------------------------------------- */

/* Room for `n` more results; false: the emitter has failed. */
static bool results_fit(hy_emitter *e, size_t n)
{
    hy_compiler *c = e->compiler;
    size_t room = c->columns_room > 0 ? c->columns_room : 32;

    while (room < c->n_columns + n)
        room *= 2;
    if (room == c->columns_room)
        return true;
    hy_result_column *columns = hy_realloc(c->columns, room * sizeof *columns);
    if (columns == NULL) {
        e->status = e->status == HY_OK ? hy_fail_oom(e->err) : e->status;
        return false;
    }
    c->columns = columns;
    c->columns_room = room;
    return true;
}

static void add_result(hy_emitter *e, const hy_result_column *result)
{
    hy_compiler *c = e->compiler;

    if (e->collect && results_fit(e, 1))
        c->columns[c->n_columns++] = *result;
}

/* What comes now only the database knows. */
static void add_unknown(hy_emitter *e)
{
    if (!e->collect)
        return;
    if (!e->unknown)
        e->n_first = e->compiler->n_columns;
    e->n_until = e->compiler->n_columns;
    e->unknown = true;
}

/* Where the driver must tell the fields, a column is called what its field shall be called. */
static void emit_field_name(hy_emitter *e, const hy_column *column)
{
    if (e->collect && e->name_fields && strcmp(column->name, column->property) != 0)
        emit_as(e, column->property);
}

/* All columns of a model that are not hidden; `qualifier` may be NULL. */
static void emit_model_columns(hy_emitter *e, const hy_model *model, const char *qualifier, size_t size)
{
    size_t n = hy_model_n_columns(model), shown = 0;

    for (size_t i = 0; i < n; i++) {
        const hy_column *column = hy_model_column(model, i);
        if ((column->flags & HY_COLUMN_HIDDEN) != 0)
            continue;
        if (shown++ > 0)
            PUT(e, ", ");
        if (qualifier != NULL) {
            hy__emit_dotted(e, qualifier, size);
            PUT(e, ".");
        }
        hy__emit_identifier(e, column->name, strlen(column->name));
        emit_field_name(e, column);
        add_result(e, &(hy_result_column){column->property, column->kind, column, 0});
    }
    if (shown == 0)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "%s has no column to select", hy_model_name(model));
}

/*
 * Nearly every statement on a model selects just its columns, so what that gave is kept, and
 * copied the next time. A version is one model's for ever.
 */
static bool put_own_columns(hy_emitter *e, const hy_model *model)
{
    hy_compiler *c = e->compiler;
    const hy_own_columns *own = &c->own;

    if (own->version != hy_model_version(model) || own->dialect != e->dialect || !results_fit(e, own->n))
        return false;
    memcpy(c->columns + c->n_columns, own->results, own->n * sizeof *own->results);
    c->n_columns += own->n;
    hy__put(e, own->text, own->size);
    return true;
}

/* Keep what was written from these two positions on. */
static void keep_own_columns(hy_emitter *e, const hy_model *model, size_t text_from, size_t results_from)
{
    hy_compiler *c = e->compiler;
    size_t n = c->n_columns - results_from, size = e->text->size - text_from;
    hy_result_column *results = hy_alloc(n * sizeof *results + size);

    hy_free(c->own.results);
    c->own = (hy_own_columns){.results = results};
    if (results == NULL) {
        e->status = hy_fail_oom(e->err);
        return;
    }
    char *text = (char *)(results + n);
    memcpy(results, c->columns + results_from, n * sizeof *results);
    memcpy(text, e->text->data + text_from, size);
    c->own = (hy_own_columns){hy_model_version(model), e->dialect, results, n, text, size};
}

static void emit_own_columns(hy_emitter *e)
{
    const hy_scope *scope = e->scope;
    const hy_model *model = scope->tree->model;
    bool plain = e->collect && !e->name_fields && !scope->qualify;
    size_t text_from = e->text->size, results_from = e->compiler->n_columns;

    e->own_columns = plain && results_from == 0;
    if (plain && put_own_columns(e, model))
        return;
    emit_model_columns(e, model, scope->qualify ? scope->base : NULL, scope->base_size);
    if (plain && e->status == HY_OK && !e->text->failed)
        keep_own_columns(e, model, text_from, results_from);
}

static void emit_select_star(hy_emitter *e, const hy_expr *x)
{
    const hy_column_expr *star = (const hy_column_expr *)x;
    size_t size = x->qualifier;

    if (size == 0 && e->scope->tree->model != NULL) {
        emit_own_columns(e);
        return;
    }
    const hy_model *model = size > 0 ? hy__resolve_model(e, star->text, size) : NULL;
    if (model != NULL) {
        emit_model_columns(e, model, star->text, size);
        return;
    }
    if (size > 0) {
        hy__emit_dotted(e, star->text, size);
        PUT(e, ".");
    }
    PUT(e, "*");
    add_unknown(e);
}

/* What a field without an alias is called. NULL: only the database knows. */
static const char *default_name(const hy_expr *x)
{
    static const char *const names[HY_NODE_COUNT] = {
        [HY_NODE_CASE] = "case",
        [HY_NODE_EXISTS] = "exists",
    };

    switch ((hy_node)x->node) {
    case HY_NODE_COLUMN:
        return hy__column_label((const hy_column_expr *)x);
    case HY_NODE_CALL:
        return ((const hy_function *)((const hy_branch *)x)->aux)->label;
    case HY_NODE_OVER:
    case HY_NODE_CAST:
        return default_name(((const hy_branch *)x)->args[0]);
    case HY_NODE_QUERY: {
        const hy_chain *select = &((const hy_query_expr *)x)->tree->select;
        const hy_item *item = (const hy_item *)select->first;
        if (select->n != 1)
            return "value";
        return item->alias != NULL ? item->alias : default_name(item->expr);
    }
    case HY_NODE_RAW:
    case HY_NODE_STAR:
        return NULL;
    default:
        return names[x->node] != NULL ? names[x->node] : "value";
    }
}

/* A column's kind and the model's column behind it are known once its table is. */
static void look_up(hy_emitter *e, const hy_column_expr *c, hy_name *name)
{
    *name = (hy_name){.label = hy__column_label(c), .column = c->column, .kind = (hy_kind)c->head.kind};
    if (c->column == NULL && c->head.qualifier > 0)
        hy__resolve_qualified(e, c, name);
    else if (c->column == NULL && e->scope->tree->model == NULL)
        hy__resolve_plain(e, c, name);
}

static void add_column_result(hy_emitter *e, const hy_item *item)
{
    hy_name name;

    look_up(e, (const hy_column_expr *)item->expr, &name);
    if (name.column != NULL && item->alias == NULL)
        emit_field_name(e, name.column);
    add_result(
        e, &(hy_result_column){item->alias != NULL ? item->alias : name.label, name.kind, name.column, 0});
}

/* A sum, a greatest or a least value has as many decimal places as what it is of. */
static int scale_of(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    hy_name name;

    if (x->kind != HY_KIND_DECIMAL)
        return 0;
    if (x->node == HY_NODE_OVER)
        return scale_of(e, b->args[0]);
    if (x->node == HY_NODE_CALL && b->n > 0) {
        hy_result_rule rule = ((const hy_function *)b->aux)->result;
        return rule == HY_RESULT_SUM || rule == HY_RESULT_ARGUMENT ? scale_of(e, b->args[0]) : 0;
    }
    if (x->node != HY_NODE_COLUMN || (x->flags & HY_FLAG_ALIAS) != 0)
        return 0;
    look_up(e, (const hy_column_expr *)x, &name);
    return name.column != NULL && name.column->scale > 0 ? name.column->scale : 0;
}

static void emit_item(hy_emitter *e, const hy_item *item)
{
    const hy_expr *x = item->expr;

    if (x->node == HY_NODE_STAR) {
        emit_select_star(e, x);
        return;
    }
    hy__emit_expr(e, x);
    if (item->alias != NULL)
        emit_as(e, item->alias);
    if (!e->collect)
        return;
    const char *label = item->alias != NULL ? item->alias : default_name(x);
    if (x->node == HY_NODE_COLUMN)
        add_column_result(e, item);
    else if (label == NULL)
        add_unknown(e);
    else
        add_result(e, &(hy_result_column){label, (hy_kind)x->kind, NULL, scale_of(e, x)});
}

/* Is there something among them whose fields only the database knows? */
static bool has_unknown_fields(const hy_chain *items)
{
    HY_EACH (hy_item, item, items)
        if (item->expr->node == HY_NODE_RAW && item->alias == NULL)
            return true;
    return false;
}

static void emit_items(hy_emitter *e, const hy_chain *items)
{
    e->name_fields = e->collect && has_unknown_fields(items);
    HY_EACH (hy_item, item, items) {
        if (&item->cell != items->first)
            PUT(e, ", ");
        emit_item(e, item);
    }
}

static void emit_distinct(hy_emitter *e, const hy_tree *tree)
{
    if (tree->distinct_on.n == 0) {
        if (tree->distinct)
            PUT(e, "DISTINCT ");
        return;
    }
    hy__emit_need(e, HY_FEATURE_NUMBER_DISTINCT_ON);
    PUT(e, "DISTINCT ON (");
    e->scope->place = HY_PLACE_INNER;
    HY_EACH (hy_item, item, &tree->distinct_on) {
        if (&item->cell != tree->distinct_on.first)
            PUT(e, ", ");
        hy__emit_expr(e, item->expr);
    }
    e->scope->place = HY_PLACE_PLAIN;
    PUT(e, ") ");
}

void hy__clause_select(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;
    bool one = e->select_one;

    e->select_one = false;
    PUT(e, "SELECT ");
    emit_distinct(e, tree);
    if (tree->select.n > 0) {
        emit_items(e, &tree->select);
    } else if (one) {
        PUT(e, "1");
    } else if (tree->model != NULL) {
        e->name_fields = false;
        emit_own_columns(e);
    } else {
        if (!has_from(tree))
            EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "the query selects nothing");
        PUT(e, "*");
        add_unknown(e);
    }
}

/* ---- FROM and JOIN ---------------------------------------------------------------------- */

void hy__clause_from(hy_emitter *e)
{
    if (!has_from(e->scope->tree))
        return;
    PUT(e, " FROM ");
    emit_from_item(e, e->scope->tree);
}

static const char *const join_words[HY_JOIN_COUNT] = {
    [HY_JOIN_INNER] = " INNER JOIN ", [HY_JOIN_LEFT] = " LEFT JOIN ",   [HY_JOIN_RIGHT] = " RIGHT JOIN ",
    [HY_JOIN_FULL] = " FULL JOIN ",   [HY_JOIN_CROSS] = " CROSS JOIN ", [HY_JOIN_NATURAL] = " NATURAL JOIN ",
};

static bool has_conditions(const hy_group *group)
{
    for (const hy_condition *c = group->first; c != NULL; c = c->next)
        if (c->expr != NULL || has_conditions(c->group))
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
}

/* Conditions by their own connectors. `alone`: nothing stands beside the group. */
static void emit_group(hy_emitter *e, const hy_group *group, bool alone)
{
    bool first = true;

    for (const hy_condition *c = group->first; c != NULL; c = c->next) {
        if (c->group != NULL && !has_conditions(c->group))
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
    bool has_on = has_conditions(&join->on);

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
    emit_join_item(e, join);
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
    if (!has_conditions(group))
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
    size_t n = has_conditions(&conditions->user);

    for (const hy_condition *c = conditions->guard.first; c != NULL; c = c->next)
        n += has_conditions(c->group);
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

static bool is_write(const hy_tree *tree)
{
    return tree->kind == HY_STATEMENT_UPDATE || tree->kind == HY_STATEMENT_DELETE;
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
        emit_as(e, "hysteria_keys");
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

void hy__clause_group(hy_emitter *e)
{
    const hy_chain *group = &e->scope->tree->group;

    HY_EACH (hy_item, item, group) {
        hy__puts(e, &item->cell == group->first ? " GROUP BY " : ", ");
        e->scope->place = place_of(item->expr);
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
        e->scope->place = order_place(e, item->expr);
        hy__emit_operand(e, item->expr);
        hy__puts(e, item->nulls == HY_NULLS_FIRST ? " IS NULL) DESC, " : " IS NULL) ASC, ");
    }
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

    if (e->scope->tree->members.n > 0)
        e->scope->qualify = false; /* of the whole: its columns belong to no table */
    HY_EACH (hy_item, item, order) {
        hy__puts(e, &item->cell == order->first ? " ORDER BY " : ", ");
        emit_order_item(e, item);
    }
    e->scope->place = HY_PLACE_PLAIN;
    e->scope->qualify = qualify;
}

static void emit_count(hy_emitter *e, int64_t count)
{
    hy_bind bind = {.value = hy_int(count), .kind = HY_KIND_BIGINT};
    hy__emit_bind(e, &bind);
}

void hy__clause_limit(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;
    bool has_limit = tree->has_limit;
    int64_t limit = tree->limit;

    if (e->scope->outer == NULL && e->limit_option > 0 && (!has_limit || limit > e->limit_option)) {
        has_limit = true;
        limit = e->limit_option;
    }
    if (has_limit) {
        PUT(e, " LIMIT ");
        emit_count(e, limit);
    } else if (tree->has_offset && e->dialect->limit_all != NULL) {
        PUT(e, " LIMIT ");
        hy__puts(e, e->dialect->limit_all);
    }
    if (tree->has_offset) {
        PUT(e, " OFFSET ");
        emit_count(e, tree->offset);
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
            PUT(e, "(");
        previous = member;
    }
}

/* A member that is more than SELECT ... HAVING does not stand bare. */
static bool is_compound(const hy_tree *tree)
{
    return tree->members.n > 0 || tree->order.n > 0 || tree->has_limit || tree->has_offset ||
           tree->with.n > 0 || tree->lock != HY_LOCK_NONE;
}

static void emit_member(hy_emitter *e, const hy_tree *tree)
{
    if (!is_compound(tree)) {
        hy__emit_select(e, tree);
        return;
    }
    if (!hy__emit_has(e, HY_TRAIT_MEMBER_PARENS))
        PUT(e, "SELECT * FROM ");
    emit_derived(e, tree);
}

void hy__clause_members(hy_emitter *e)
{
    const hy_member *previous = NULL;

    HY_EACH (hy_member, member, &e->scope->tree->members) {
        if (closes_left(e, previous, member))
            PUT(e, ")");
        if (member->op == HY_INTERSECT || member->op == HY_EXCEPT)
            hy__emit_need(e, HY_FEATURE_NUMBER_INTERSECT_EXCEPT);
        hy__puts(e, set_words[member->op]);
        emit_member(e, member->tree);
        previous = member;
    }
}

/* ---- planning writes -------------------------------------------------------------------- */

/* Parts that a statement of this kind cannot have. */
static void refuse_parts(hy_emitter *e, const hy_tree *t)
{
    enum {
        SELECT = 1 << HY_STATEMENT_SELECT,
        INSERT = 1 << HY_STATEMENT_INSERT,
        CHANGE = 1 << HY_STATEMENT_UPDATE | 1 << HY_STATEMENT_DELETE
    };
    const struct {
        bool present;
        unsigned allowed;
        const char *name;
    } parts_of[] = {
        {t->from != NULL, SELECT, "FROM with a subquery"},
        {t->joins.n > 0, SELECT | CHANGE, "JOIN"},
        {t->where.user.first != NULL, SELECT | CHANGE, "WHERE"},
        {t->group.n > 0, SELECT, "GROUP BY"},
        {t->having.user.first != NULL, SELECT, "HAVING"},
        {t->distinct || t->distinct_on.n > 0, SELECT, "DISTINCT"},
        {t->order.n > 0, SELECT | CHANGE, "ORDER BY"},
        {t->has_limit || t->has_offset, SELECT | CHANGE, "LIMIT or OFFSET"},
        {t->members.n > 0, SELECT, "set operations"},
        {t->lock != HY_LOCK_NONE, SELECT, "row locks"},
        {t->with.n > 0, SELECT | INSERT | CHANGE, "WITH"},
        {t->returning.n > 0, INSERT | CHANGE, "RETURNING"},
        {t->upsert != NULL, INSERT, "ON CONFLICT"},
    };
    static const char *const kinds[HY_STATEMENT_COUNT] = {"SELECT", "INSERT",   "UPDATE",
                                                          "DELETE", "TRUNCATE", "raw SQL"};

    for (size_t i = 0; i < sizeof parts_of / sizeof parts_of[0]; i++)
        if (parts_of[i].present && (parts_of[i].allowed >> t->kind & 1) == 0)
            EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "%s takes no %s", kinds[t->kind], parts_of[i].name);
}

/* Could all joined tables stand in a FROM list? */
static bool joins_are_plain(const hy_tree *tree)
{
    HY_EACH (hy_join, join, &tree->joins)
        if (join->raw != NULL || (join->kind != HY_JOIN_INNER && join->kind != HY_JOIN_CROSS))
            return false;
    return true;
}

static bool joins_are_native(const hy_emitter *e, const hy_tree *tree)
{
    bool update = tree->kind == HY_STATEMENT_UPDATE;

    if (hy__emit_has(e, update ? HY_TRAIT_UPDATE_JOIN : HY_TRAIT_DELETE_JOIN))
        return true;
    return hy__emit_has(e, update ? HY_TRAIT_UPDATE_FROM : HY_TRAIT_DELETE_USING) && joins_are_plain(tree);
}

static bool limits_are_native(const hy_emitter *e, const hy_tree *tree)
{
    bool update = tree->kind == HY_STATEMENT_UPDATE;
    bool several_tables =
        tree->joins.n > 0 || (!update && tree->alias != NULL && hy__emit_has(e, HY_TRAIT_DELETE_JOIN));

    if (several_tables || tree->has_offset)
        return false;
    if (!tree->has_limit && !hy__emit_has(e, HY_TRAIT_ORDER_WRITE))
        return false;
    return hy__emit_can(e, update ? HY_FEATURE_NUMBER_UPDATE_LIMIT : HY_FEATURE_NUMBER_DELETE_LIMIT);
}

/* Why the statement must be rewritten, NULL if it need not. */
static const char *reason_for_keys(const hy_emitter *e, const hy_tree *tree)
{
    bool update = tree->kind == HY_STATEMENT_UPDATE;

    if (tree->joins.n > 0 && !joins_are_native(e, tree))
        return update ? "UPDATE with these joins" : "DELETE with these joins";
    if ((tree->order.n > 0 || tree->has_limit || tree->has_offset) && !limits_are_native(e, tree))
        return hy_feature_name(update ? HY_FEATURE_NUMBER_UPDATE_LIMIT : HY_FEATURE_NUMBER_DELETE_LIMIT);
    if (tree->with.n > 0 && !hy__emit_has(e, HY_TRAIT_WITH_WRITE))
        return update ? "WITH before UPDATE" : "WITH before DELETE";
    return NULL;
}

void hy__plan_statement(hy_emitter *e)
{
    hy_scope *scope = e->scope;
    const hy_tree *tree = scope->tree;

    /* A SELECT takes all parts but two; most statements are one. */
    if (tree->kind != HY_STATEMENT_SELECT || tree->returning.n > 0 || tree->upsert != NULL)
        refuse_parts(e, tree);
    if (tree->kind == HY_STATEMENT_UPDATE && tree->set.n == 0)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "an UPDATE without SET");
    if (tree->kind == HY_STATEMENT_INSERT && tree->with.n > 0 && !hy__emit_has(e, HY_TRAIT_WITH_INSERT))
        hy__emit_unsupported(e, "WITH before INSERT");
    if (!is_write(tree))
        return;
    const char *reason = reason_for_keys(e, tree);
    if (reason == NULL)
        return;
    scope->plan = HY_PLAN_KEYS;
    scope->qualify = false;
    if (tree->model == NULL || hy_model_n_keys(tree->model) == 0)
        hy__emit_unsupported(e, reason);
}

/* ---- INSERT ----------------------------------------------------------------------------- */

void hy__clause_insert(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;

    PUT(e, "INSERT INTO ");
    emit_base_table(e, tree);
    if (tree->rows.n == 0)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "an INSERT without a row");
    for (size_t i = 0; i < tree->n_columns; i++) {
        hy__puts(e, i == 0 ? " (" : ", ");
        hy__emit_bare(e, tree->columns[i]);
    }
    if (tree->n_columns > 0)
        PUT(e, ")");
}

static void emit_row_values(hy_emitter *e, const hy_row *row, size_t n)
{
    if (hy__emit_values(e, row->values, n))
        return;
    for (size_t i = 0; i < n; i++) {
        hy__puts(e, i == 0 ? "(" : ", ");
        if (row->values[i] != NULL) {
            hy__emit_expr(e, row->values[i]);
        } else {
            hy__emit_need(e, HY_FEATURE_NUMBER_DEFAULT_IN_VALUES);
            PUT(e, "DEFAULT");
        }
    }
    PUT(e, ")");
}

void hy__clause_values(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;

    if (tree->n_columns == 0) {
        e->dialect->empty_insert(e);
        return;
    }
    if (hy__emit_row_arrays(e))
        return;
    PUT(e, " VALUES ");
    HY_EACH (hy_row, row, &tree->rows) {
        if (&row->cell != tree->rows.first)
            PUT(e, ", ");
        emit_row_values(e, row, tree->n_columns);
    }
}

void hy__empty_default_values(hy_emitter *e)
{
    if (e->scope->tree->rows.n > 1)
        hy__emit_unsupported(e, "DEFAULT VALUES for several rows");
    PUT(e, " DEFAULT VALUES");
}

void hy__empty_rows(hy_emitter *e)
{
    PUT(e, " () VALUES ()");
    for (size_t i = 1; i < e->scope->tree->rows.n; i++)
        PUT(e, ", ()");
}

static bool same_column(const hy_expr *a, const hy_expr *b)
{
    const hy_column_expr *x = (const hy_column_expr *)a, *y = (const hy_column_expr *)b;

    if (x->column != NULL || y->column != NULL)
        return x->column == y->column;
    return strcmp(x->text, y->text) == 0;
}

static bool in_list(const hy_expr *column, hy_expr *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same_column(column, list[i]))
            return true;
    return false;
}

/* Walk over the columns that a conflict updates: those named, else all inserted but the target. */
static const hy_expr *updated_column(const hy_tree *tree, size_t *at)
{
    const hy_upsert *u = tree->upsert;

    if (u->action == HY_CONFLICT_NOTHING)
        return NULL;
    if (u->n_update > 0)
        return *at < u->n_update ? u->update[(*at)++] : NULL;
    while (*at < tree->n_columns) {
        const hy_expr *column = tree->columns[(*at)++];
        if (!in_list(column, u->target, u->n_target))
            return column;
    }
    return NULL;
}

/* "c = excluded.c, ..." after `word`. False: there is nothing to update. */
static bool emit_updates(hy_emitter *e, const char *word)
{
    size_t at = 0;
    bool any = false;

    for (const hy_expr *c = updated_column(e->scope->tree, &at); c != NULL;
         c = updated_column(e->scope->tree, &at)) {
        hy__puts(e, any ? ", " : word);
        any = true;
        hy__emit_bare(e, c);
        PUT(e, " = ");
        hy__puts(e, e->dialect->excluded_before);
        hy__emit_bare(e, c);
        hy__puts(e, e->dialect->excluded_after);
    }
    return any;
}

void hy__upsert_on_conflict(hy_emitter *e)
{
    const hy_upsert *u = e->scope->tree->upsert;

    PUT(e, " ON CONFLICT");
    for (size_t i = 0; i < u->n_target; i++) {
        hy__puts(e, i == 0 ? " (" : ", ");
        hy__emit_bare(e, u->target[i]);
    }
    if (u->n_target > 0)
        PUT(e, ")");
    if (u->n_target == 0 && u->action == HY_CONFLICT_UPDATE)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "which columns conflict must be said");
    if (!emit_updates(e, " DO UPDATE SET "))
        PUT(e, " DO NOTHING");
}

/* These databases watch every unique key; doing nothing is setting a column to itself. */
void hy__upsert_on_duplicate(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;
    const hy_upsert *u = tree->upsert;
    const hy_expr *column = u->n_target > 0 ? u->target[0] : tree->n_columns > 0 ? tree->columns[0] : NULL;

    if (emit_updates(e, " ON DUPLICATE KEY UPDATE "))
        return;
    if (column == NULL) {
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "which columns conflict must be said");
        return;
    }
    PUT(e, " ON DUPLICATE KEY UPDATE ");
    hy__emit_bare(e, column);
    PUT(e, " = ");
    hy__emit_bare(e, column);
}

void hy__upsert_on_duplicate_alias(hy_emitter *e)
{
    size_t at = 0;

    if (updated_column(e->scope->tree, &at) != NULL)
        PUT(e, " AS new");
    hy__upsert_on_duplicate(e);
}

void hy__clause_upsert(hy_emitter *e)
{
    if (e->scope->tree->upsert != NULL)
        e->dialect->upsert(e);
}

/* ---- UPDATE ----------------------------------------------------------------------------- */

void hy__clause_update(hy_emitter *e)
{
    PUT(e, "UPDATE ");
    emit_base_table(e, e->scope->tree);
    emit_as(e, e->scope->tree->alias);
}

void hy__clause_update_joins(hy_emitter *e)
{
    if (e->scope->plan == HY_PLAN_NATIVE)
        hy__clause_joins(e);
}

void hy__clause_set(hy_emitter *e)
{
    hy_scope *scope = e->scope;
    const hy_chain *set = &scope->tree->set;

    scope->base_only = scope->plan == HY_PLAN_KEYS;
    HY_EACH (hy_item, item, set) {
        hy__puts(e, &item->cell == set->first ? " SET " : ", ");
        if (hy__emit_has(e, HY_TRAIT_UPDATE_JOIN))
            hy__emit_base(e);
        hy__emit_bare(e, item->target);
        PUT(e, " = ");
        hy__emit_expr(e, item->expr);
    }
    scope->base_only = false;
}

static void emit_join_list(hy_emitter *e, const char *word)
{
    const hy_chain *joins = &e->scope->tree->joins;

    if (e->scope->plan != HY_PLAN_NATIVE)
        return;
    HY_EACH (hy_join, join, joins) {
        hy__puts(e, &join->cell == joins->first ? word : ", ");
        emit_join_item(e, join);
        if ((join->kind == HY_JOIN_INNER) != has_conditions(&join->on))
            EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "a join needs an ON condition, a cross join none");
    }
}

void hy__clause_update_from(hy_emitter *e)
{
    emit_join_list(e, " FROM ");
}

/* ---- DELETE, TRUNCATE ------------------------------------------------------------------- */

/* The form for several tables also serves where the table has an alias. */
static bool deletes_from_join(const hy_emitter *e)
{
    const hy_scope *scope = e->scope;
    bool joined = scope->tree->joins.n > 0 && scope->plan == HY_PLAN_NATIVE;

    return hy__emit_has(e, HY_TRAIT_DELETE_JOIN) && (joined || scope->tree->alias != NULL);
}

void hy__clause_delete(hy_emitter *e)
{
    if (!deletes_from_join(e)) {
        PUT(e, "DELETE FROM ");
        emit_base_table(e, e->scope->tree);
        emit_as(e, e->scope->tree->alias);
        return;
    }
    PUT(e, "DELETE ");
    hy__emit_identifier(e, e->scope->base, e->scope->base_size);
    hy__clause_from(e);
    hy__clause_update_joins(e);
}

void hy__clause_delete_using(hy_emitter *e)
{
    emit_join_list(e, " USING ");
}

void hy__clause_write_order(hy_emitter *e)
{
    if (e->scope->plan == HY_PLAN_KEYS)
        return;
    hy__clause_order(e);
    hy__clause_limit(e);
}

void hy__clause_truncate(hy_emitter *e)
{
    PUT(e, "TRUNCATE TABLE ");
    emit_base_table(e, e->scope->tree);
}

void hy__clause_delete_all(hy_emitter *e)
{
    PUT(e, "DELETE FROM ");
    emit_base_table(e, e->scope->tree);
}

/* ---- RETURNING -------------------------------------------------------------------------- */

void hy__clause_returning(hy_emitter *e)
{
    static const hy_feature_number features[HY_STATEMENT_COUNT] = {
        [HY_STATEMENT_INSERT] = HY_FEATURE_NUMBER_RETURNING_INSERT,
        [HY_STATEMENT_UPDATE] = HY_FEATURE_NUMBER_RETURNING_UPDATE,
        [HY_STATEMENT_DELETE] = HY_FEATURE_NUMBER_RETURNING_DELETE,
    };
    const hy_tree *tree = e->scope->tree;

    if (tree->returning.n == 0)
        return;
    hy__emit_need(e, features[tree->kind]);
    if (tree->kind == HY_STATEMENT_DELETE && deletes_from_join(e))
        hy__emit_unsupported(e, "RETURNING of a DELETE with joins or an alias");
    PUT(e, " RETURNING ");
    emit_items(e, &tree->returning);
}
