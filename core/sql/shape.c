/*
 * shape.c - the shape of a query as bytes: all that decides over its text, and nothing else.
 *
 * One walk writes the bytes and collects the values on its way. What it cannot tell in bytes has no
 * shape and is compiled each time: parameters, documents whose text depends on what is in them, many
 * rows. A field that is missing here means somebody else's SQL: the sizes below fail the build when
 * a structure grows, and builds with HY_CHECK_SHAPES compile again what was found, and compare.
 */
#include <stddef.h>
#include <string.h>

#include "sql/shaping.h"

/* Grown? The walk has to know what is new; then write the new size here. */
#if UINTPTR_MAX == UINT64_MAX
#define HAS_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type ": see the walk in shape.c")
HAS_SIZE(struct hy_expr, 8);
HAS_SIZE(hy_column_expr, 24);
HAS_SIZE(hy_branch, 24);
HAS_SIZE(hy_query_expr, 24);
HAS_SIZE(hy_frame, 24);
HAS_SIZE(hy_json_place, 40);
HAS_SIZE(hy_function, 24);
HAS_SIZE(hy_item, 40);
HAS_SIZE(hy_condition, 32);
HAS_SIZE(hy_conditions, 80);
HAS_SIZE(hy_join, 96);
HAS_SIZE(hy_cte, 32);
HAS_SIZE(hy_member, 32);
HAS_SIZE(hy_row, 16);
HAS_SIZE(hy_upsert, 64);
HAS_SIZE(struct hy_tree, 512);
#endif

static void shape_tree(hy_shaping *s, const hy_tree *tree, bool outermost);
static void shape_group(hy_shaping *s, const hy_group *group);

/* ---- bytes ------------------------------------------------------------------------------ */

static inline void put(hy_shaping *s, const void *data, size_t size)
{
    if (s->size + size > HY__SHAPE_KEY) {
        s->shapeless = true;
        return;
    }
    memcpy(s->key + s->size, data, size);
    s->size += size;
}
#define PUT_FIELD(s, field) put((s), &(field), sizeof(field))

static inline void put_byte(hy_shaping *s, unsigned byte)
{
    const unsigned char c = (unsigned char)byte;
    put(s, &c, 1);
}

static inline void put_count(hy_shaping *s, size_t n)
{
    const uint32_t count = (uint32_t)n;
    s->shapeless |= n > UINT32_MAX / 2;
    PUT_FIELD(s, count);
}

static inline void put_text(hy_shaping *s, const char *text, size_t size)
{
    put_count(s, size);
    put(s, text, size);
}

/* NULL is not the empty text. */
static void put_string(hy_shaping *s, const char *text)
{
    if (text == NULL)
        put_count(s, UINT32_MAX / 2);
    else
        put_text(s, text, strlen(text));
}

/* The version is one model's for ever, where another may come to lie at the same place. */
static void put_model(hy_shaping *s, const hy_model *model)
{
    const uint64_t version = model != NULL ? hy_model_version(model) : 0;
    PUT_FIELD(s, version);
}

/* ---- values ----------------------------------------------------------------------------- */

static void add_value(hy_shaping *s, const hy_bind *bind, const void *origin)
{
    if (s->n == HY__SHAPE_BINDS) {
        s->shapeless = true;
        return;
    }
    s->binds[s->n] = *bind;
    s->origins[s->n++] = origin;
}

/* What the text, the columns of the result and the types of the binds can depend on. */
static void shape_bind(hy_shaping *s, const hy_bind *bind, const void *origin)
{
    const uint8_t about[] = {(uint8_t)bind->value.type, (uint8_t)bind->kind, bind->sensitive};
    const int places = hy__places_of(&bind->value);
    put(s, about, sizeof about);
    PUT_FIELD(s, places);
    if (bind->value.type != HY_TYPE_COUNT)
        add_value(s, bind, origin);
}

static void shape_number(hy_shaping *s, const int64_t *number)
{
    const hy_bind bind = {.value = hy_int(*number), .kind = HY_KIND_BIGINT};
    add_value(s, &bind, number);
}

/* ---- expressions ------------------------------------------------------------------------ */

static void shape_expr(hy_shaping *s, const hy_expr *x);

static void shape_list(hy_shaping *s, hy_expr *const *list, size_t n)
{
    put_count(s, n);
    for (size_t i = 0; i < n && !s->shapeless; i++)
        shape_expr(s, list[i]);
}

/* A column of a model's lies where its model does, whose version is in the key too. */
static void shape_column(hy_shaping *s, const hy_column_expr *c)
{
    PUT_FIELD(s, c->head.qualifier);
    PUT_FIELD(s, c->column);
    put_string(s, c->text);
}

static void shape_function(hy_shaping *s, const hy_function *f)
{
    put_byte(s, f->number);
    if (f->number != HY_FUNCTION_OTHER) {
        PUT_FIELD(s, f); /* of the static table */
        return;
    }
    put_byte(s, f->result);
    put_string(s, f->label);
    put_string(s, f->spelling);
}

static void shape_over(hy_shaping *s, const hy_over *over, size_t n_orders)
{
    put_byte(s, over->framed);
    put_byte(s, over->frame.range);
    put_byte(s, over->frame.from_first);
    put_byte(s, over->frame.to_last);
    PUT_FIELD(s, over->frame.from);
    PUT_FIELD(s, over->frame.to);
    put(s, over->directions, n_orders);
}

static void shape_branch(hy_shaping *s, const hy_branch *b)
{
    PUT_FIELD(s, b->split);
    shape_list(s, b->args, b->n);
}

static void shape_query(hy_shaping *s, const hy_query_expr *x)
{
    shape_expr(s, x->operand);
    shape_tree(s, x->tree, false);
}

static void shape_aux(hy_shaping *s, const hy_branch *b)
{
    const hy_raw_text *raw = b->aux;
    const hy_json_place *place = b->aux;

    if (b->head.node == HY_NODE_RAW)
        put_text(s, raw->text, raw->size);
    else if (b->head.node == HY_NODE_CALL)
        shape_function(s, b->aux);
    else if (b->head.node == HY_NODE_OVER)
        shape_over(s, b->aux, b->n - b->split - 1);
    else if (b->head.node == HY_NODE_JSON)
        put_text(s, place->path, place->size); /* its steps say the same */
}

static void shape_expr(hy_shaping *s, const hy_expr *x)
{
    if (x == NULL) {
        put_byte(s, HY_NODE_COUNT);
        return;
    }
    put(s, x, offsetof(struct hy_expr, depth)); /* node, kind, op, flags */
    switch ((hy_node)x->node) {
    case HY_NODE_COLUMN:
    case HY_NODE_STAR:
        shape_column(s, (const hy_column_expr *)x);
        return;
    case HY_NODE_VALUE: {
        const hy_bind bind = hy__bind_of(x);
        shape_bind(s, &bind, x);
        return;
    }
    case HY_NODE_IN_QUERY:
    case HY_NODE_EXISTS:
    case HY_NODE_QUERY:
        shape_query(s, (const hy_query_expr *)x);
        return;
    case HY_NODE_PARAM:      /* filled at each run of what keeps its text itself */
    case HY_NODE_JSON_MATCH: /* the text depends on the document */
    case HY_NODE_COUNT:
        s->shapeless = true;
        return;
    case HY_NODE_RAW:
    case HY_NODE_DEFAULT:
    case HY_NODE_CONSTANT:
    case HY_NODE_BINARY:
    case HY_NODE_IS_NULL:
    case HY_NODE_BETWEEN:
    case HY_NODE_IN:
    case HY_NODE_ROW:
    case HY_NODE_NOT:
    case HY_NODE_ALL:
    case HY_NODE_CALL:
    case HY_NODE_CASE:
    case HY_NODE_CAST:
    case HY_NODE_OVER:
    case HY_NODE_JSON:
        shape_aux(s, (const hy_branch *)x);
        shape_branch(s, (const hy_branch *)x);
        return;
    }
}

/* ---- clauses ---------------------------------------------------------------------------- */

/* A subquery that need not be there. */
static void shape_inner(hy_shaping *s, const hy_tree *tree)
{
    put_byte(s, tree != NULL);
    if (tree != NULL)
        shape_tree(s, tree, false);
}

static void shape_items(hy_shaping *s, const hy_chain *items)
{
    put_count(s, items->n);
    HY_EACH (hy_item, item, items) {
        shape_expr(s, item->target);
        shape_expr(s, item->expr);
        put_string(s, item->alias);
        put_byte(s, item->direction);
        put_byte(s, item->nulls);
    }
}

/* What stands there by its position in the SELECT has no values of its own, unless it is asked whether it is
 * NULL. */
static void shape_placed(hy_shaping *s, const hy_tree *tree, const hy_chain *items)
{
    put_count(s, items->n);
    HY_EACH (hy_item, item, items) {
        const size_t position = hy__select_position(tree, item);
        put_count(s, position);
        if (position == 0 || item->nulls != HY_NULLS_DEFAULT)
            shape_expr(s, item->expr);
        put_byte(s, item->direction);
        put_byte(s, item->nulls);
    }
}

static void shape_condition(hy_shaping *s, const hy_condition *c)
{
    put_byte(s, c->expr != NULL ? 'e' : 'g');
    put_byte(s, c->connector);
    put_byte(s, c->negated);
    if (c->expr != NULL)
        shape_expr(s, c->expr);
    else
        shape_group(s, c->group);
}

static void shape_group(hy_shaping *s, const hy_group *group)
{
    for (const hy_condition *c = group->first; c != NULL && !s->shapeless; c = c->next)
        shape_condition(s, c);
    put_byte(s, '.');
}

static void shape_conditions(hy_shaping *s, const hy_conditions *slot)
{
    shape_group(s, &slot->user);
    shape_group(s, &slot->guard);
}

static void shape_joins(hy_shaping *s, const hy_chain *joins)
{
    put_count(s, joins->n);
    HY_EACH (hy_join, join, joins) {
        put_byte(s, join->kind);
        put_string(s, join->table);
        put_string(s, join->alias);
        put_model(s, join->model);
        shape_inner(s, join->tree);
        shape_expr(s, join->raw);
        shape_group(s, &join->on);
    }
}

static void shape_ctes(hy_shaping *s, const hy_chain *ctes)
{
    put_count(s, ctes->n);
    HY_EACH (hy_cte, cte, ctes) {
        put_string(s, cte->name);
        put_byte(s, cte->materialized);
        shape_tree(s, cte->tree, false);
    }
}

static void shape_members(hy_shaping *s, const hy_chain *members)
{
    put_count(s, members->n);
    HY_EACH (hy_member, member, members) {
        put_byte(s, member->op);
        shape_inner(s, member->tree);
        shape_expr(s, member->raw);
    }
}

/* Of many rows the text is long, and few statements have as many again. */
static void shape_rows(hy_shaping *s, const hy_tree *tree)
{
    const hy_row *row = (const hy_row *)tree->rows.first;

    s->shapeless |= tree->rows.n > 1;
    put_count(s, tree->rows.n);
    if (row == NULL || s->shapeless)
        return;
    put_byte(s, row->plain);
    put_byte(s, row->has_default);
    for (size_t i = 0; row->plain && i < tree->n_columns; i++)
        shape_bind(s, &hy__row_binds(row)[i], &hy__row_binds(row)[i]);
    if (!row->plain)
        shape_list(s, hy__row_cells(row), tree->n_columns);
}

static void shape_upsert(hy_shaping *s, const hy_upsert *upsert)
{
    put_byte(s, upsert != NULL);
    if (upsert == NULL)
        return;
    put_byte(s, upsert->action);
    shape_list(s, upsert->target, upsert->n_target);
    shape_list(s, upsert->update, upsert->n_update);
    shape_items(s, &upsert->set);
}

static void shape_limit(hy_shaping *s, const hy_tree *tree, bool outermost)
{
    const int64_t *limit = hy__limit_of(tree, outermost ? s->limit : NULL);

    s->shapeless |= tree->limit_param != NULL || tree->offset_param != NULL;
    put_byte(s, limit != NULL);
    put_byte(s, tree->has_offset);
    if (limit != NULL)
        shape_number(s, limit);
    if (tree->has_offset)
        shape_number(s, &tree->offset);
}

/* In the order in which most statements bind: then the values lie as they are sent. */
static void shape_tree(hy_shaping *s, const hy_tree *tree, bool outermost)
{
    const uint8_t about[] = {tree->kind,      tree->naming,   tree->lock,
                             tree->lock_wait, tree->distinct, tree->recursive};
    put(s, about, sizeof about);
    s->shapeless |= tree->has_late; /* it has no text at all */
    put_model(s, tree->model);
    put_string(s, tree->table);
    put_string(s, tree->alias);
    shape_ctes(s, &tree->with);
    put_byte(s, tree->columns != NULL);
    shape_list(s, tree->columns, tree->columns != NULL ? tree->n_columns : 0);
    shape_rows(s, tree);
    shape_placed(s, tree, &tree->distinct_on);
    shape_items(s, &tree->select);
    shape_inner(s, tree->from);
    shape_joins(s, &tree->joins);
    shape_items(s, &tree->set);
    shape_conditions(s, &tree->where);
    shape_placed(s, tree, &tree->group);
    shape_conditions(s, &tree->having);
    shape_members(s, &tree->members);
    shape_upsert(s, tree->upsert);
    shape_placed(s, tree, &tree->order);
    shape_limit(s, tree, outermost);
    shape_items(s, &tree->returning);
}

bool hy__shape_of(hy_shaping *s, const hy_tree *tree, const hy_dialect *dialect,
                  const hy_compile_options *options)
{
    const hy_features features = options != NULL ? options->features : 0;

    s->size = s->n = 0;
    s->shapeless = options != NULL &&
                   (options->inline_values || options->stream > 0 || options->explain != HY_EXPLAIN_NOT);
    s->limit = hy__limit_option(tree, options);
    PUT_FIELD(s, dialect);
    PUT_FIELD(s, features);
    if (!s->shapeless)
        shape_tree(s, tree, true);
    return !s->shapeless;
}
