/*
 * select.c - what a SELECT or RETURNING yields: the list of items, and the result's columns.
 *
 * Text and the description of the result grow in one walk. Knows no other clause.
 */
#include <string.h>

#include <hysteria/memory.h>

#include "sql/emit.h"

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
        hy__emit_as(e, column->property);
}

/* Does the qualifier name the statement's own table? */
static bool is_base(const hy_scope *scope, const char *qualifier, size_t size)
{
    return size == scope->base_size && memcmp(qualifier, scope->base, size) == 0;
}

/* All columns of a model that are not hidden; `qualifier` may be NULL. */
static void emit_model_columns(hy_emitter *e, const hy_model *model, const char *qualifier, size_t size)
{
    bool other = qualifier != NULL && !is_base(e->scope, qualifier, size);
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
        add_result(e, &(hy_result_column){column->property, column->kind, column, 0, other});
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

static const char *default_name(const hy_expr *x);

/* The last name of the path, else what it starts from. */
static const char *json_name(const hy_branch *x)
{
    const hy_json_place *place = x->aux;

    for (size_t i = place->n; i > 0; i--)
        if (place->steps[i - 1].key != NULL)
            return place->steps[i - 1].key;
    return default_name(x->args[0]);
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
    case HY_NODE_JSON:
        return json_name((const hy_branch *)x);
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
    const char *label = item->alias != NULL ? item->alias : name.label;
    size_t qualifier = item->expr->qualifier;
    bool own = name.column != NULL && strcmp(label, name.column->property) == 0 &&
               (qualifier == 0 || is_base(e->scope, ((const hy_column_expr *)item->expr)->text, qualifier));
    add_result(e, &(hy_result_column){label, name.kind, name.column, 0, !own});
}

/* Decimal places of a value. */
int hy__places_of(const hy_value *value)
{
    if (value->type != HY_DECIMAL)
        return 0;
    const char *point = memchr(value->as.text.data, '.', value->as.text.size);
    return point != NULL ? (int)(value->as.text.data + value->as.text.size - point - 1) : 0;
}

static int scale_of(hy_emitter *e, const hy_expr *x);

/* A product has the places of both factors, a sum those of the longer one. */
static int calculated_scale(hy_emitter *e, const hy_branch *b)
{
    int lhs = scale_of(e, b->args[0]), rhs = scale_of(e, b->args[1]);

    if (b->head.op == HY_OP_MULTIPLY)
        return lhs + rhs;
    return lhs > rhs ? lhs : rhs;
}

/* What a CASE yields has the places of the branch that has most. */
static int case_scale(hy_emitter *e, const hy_branch *b)
{
    int most = 0;

    for (size_t i = 0; i < b->n; i++) {
        bool when = i < 2 * (size_t)b->split && i % 2 == 0;
        int places = when ? 0 : scale_of(e, b->args[i]);
        most = places > most ? places : most;
    }
    return most;
}

/* Of a subquery that selects a column of its model. */
static int query_scale(const hy_tree *tree)
{
    const hy_item *item = (const hy_item *)tree->select.first;
    const hy_column *column = tree->select.n == 1 ? hy_expr_model_column(item->expr) : NULL;

    return column != NULL && column->scale > 0 ? column->scale : 0;
}

/* A total, a greatest or a least value has as many decimal places as what it is of. */
static int scale_of(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    hy_name name;

    if (x->node == HY_NODE_VALUE)
        return hy__places_of(&((const hy_value_expr *)x)->value);
    if (x->kind != HY_KIND_DECIMAL)
        return 0;
    if (x->node == HY_NODE_BINARY)
        return calculated_scale(e, b);
    if (x->node == HY_NODE_CASE)
        return case_scale(e, b);
    if (x->node == HY_NODE_QUERY)
        return query_scale(((const hy_query_expr *)x)->tree);
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
        hy__emit_as(e, item->alias);
    if (!e->collect)
        return;
    const char *label = item->alias != NULL ? item->alias : default_name(x);
    if (x->node == HY_NODE_COLUMN)
        add_column_result(e, item);
    else if (label == NULL)
        add_unknown(e);
    else
        add_result(e, &(hy_result_column){label, (hy_kind)x->kind, NULL, scale_of(e, x), true});
}

bool hy__has_unknown_fields(const hy_chain *items)
{
    HY_EACH (hy_item, item, items)
        if (item->expr->node == HY_NODE_RAW && item->alias == NULL)
            return true;
    return false;
}

void hy__emit_items(hy_emitter *e, const hy_chain *items)
{
    e->name_fields = e->collect && hy__has_unknown_fields(items);
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
        if (!hy__emit_position(e, item))
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
        hy__emit_items(e, &tree->select);
    } else if (one) {
        PUT(e, "1");
    } else if (tree->model != NULL) {
        e->name_fields = false;
        emit_own_columns(e);
    } else {
        if (!hy__has_from(tree))
            EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "the query selects nothing");
        PUT(e, "*");
        add_unknown(e);
    }
}
