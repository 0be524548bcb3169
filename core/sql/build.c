/*
 * build.c - the clauses of a SELECT, as builders fill them: FROM, JOIN, ORDER BY, WITH, locks ...
 *
 * Only builds the tree. Knows no dialect and no text of SQL; conditions are build_where.c's.
 */
#include <assert.h>
#include <string.h>

#include <base/text.h>

#include "sql/ast.h"
#include "sql/scan.h"

/* ---- shared by the builders ------------------------------------------------------------- */

/* The clause can take this expression. NULL means that something has failed before. */
bool hy__query_takes(hy_query *q, const hy_expr *e)
{
    if (!hy__query_usable(q))
        return false;
    if (e == NULL) {
        HY_QUERY_FAIL(q, HY_ENIL_VALUE, "an expression is missing");
        return false;
    }
    return hy__query_deepen(q, e->depth + 1U);
}

void hy__cell_add(hy_chain *chain, hy_cell *cell)
{
    if (chain->last != NULL)
        chain->last->next = cell;
    else
        chain->first = cell;
    chain->last = cell;
    chain->n++;
}

void *hy__cell_new(hy_query *q, hy_chain *chain, size_t size)
{
    hy_cell *cell = hy_arena_zero(&q->arena, size);
    if (cell != NULL)
        hy__cell_add(chain, cell);
    return cell;
}

static char *text_copy(hy_query *q, const char *text, size_t size)
{
    return hy_arena_strndup(&q->arena, text, size);
}

/* ---- FROM, SELECT, JOIN ----------------------------------------------------------------- */

/* Where " as " begins in "users as u", `size` if nowhere. */
static size_t find_as(const char *text, size_t size)
{
    for (size_t i = 1; i + 4 < size; i++)
        if (text[i] == ' ' && text[i + 3] == ' ' && hy_text_equal_nocase(text + i + 1, 2, "as", 2))
            return i;
    return size;
}

static const char *trim(const char *text, size_t *size)
{
    while (*size > 0 && *text == ' ') {
        text++;
        --*size;
    }
    while (*size > 0 && text[*size - 1] == ' ')
        --*size;
    return text;
}

/* "schema.users as u" into table and alias. */
static bool split_table(hy_query *q, const char *text, size_t size, const char **table, const char **alias)
{
    if (text == NULL || memchr(text, '\0', size) != NULL) {
        HY_QUERY_FAIL(q, HY_EINVALID_IDENTIFIER, "a table name is missing or holds a NUL");
        return false;
    }
    text = trim(text, &size);
    size_t table_size = find_as(text, size);
    *alias = NULL;
    if (table_size < size) {
        size_t alias_size = size - table_size - 4;
        const char *name = trim(text + table_size + 4, &alias_size);
        *alias = text_copy(q, name, alias_size);
    }
    text = trim(text, &table_size);
    *table = text_copy(q, text, table_size);
    return hy__query_usable(q);
}

void hy_query_from(hy_query *q, const char *table, size_t size)
{
    const char *name, *alias;

    if (!hy__query_usable(q) || !split_table(q, table, size, &name, &alias))
        return;
    q->tree.table = name;
    q->tree.from = NULL;
    if (alias != NULL)
        q->tree.alias = alias;
}

void hy_query_from_query(hy_query *q, const hy_query *sub, const char *alias)
{
    if (!hy__query_usable(q))
        return;
    if (alias == NULL || *alias == '\0') {
        HY_QUERY_FAIL(q, HY_EMISSING_ALIAS_FOR_SUBQUERY, "a subquery in FROM needs an alias");
        return;
    }
    hy_tree *tree = hy__query_adopt(q, sub);
    const char *name = hy_arena_strdup(&q->arena, alias);
    if (tree == NULL || name == NULL)
        return;
    q->tree.from = tree;
    q->tree.table = NULL;
    q->tree.alias = name;
}

void hy_query_alias(hy_query *q, const char *alias)
{
    if (hy__query_usable(q))
        q->tree.alias = hy_arena_strdup(&q->arena, alias);
}

void hy_query_set_naming(hy_query *q, hy_naming naming)
{
    q->tree.naming = (uint8_t)naming;
}

static hy_item *add_item(hy_query *q, hy_chain *chain, hy_expr *expr)
{
    if (!hy__query_takes(q, expr))
        return NULL;
    hy_item *item = hy__cell_new(q, chain, sizeof *item);
    if (item != NULL)
        item->expr = expr;
    return item;
}

static void add_named(hy_query *q, hy_chain *chain, hy_expr *expr, const char *alias)
{
    if (alias != NULL && expr != NULL && expr->node == HY_NODE_STAR) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "'*' cannot have an alias");
        return;
    }
    hy_item *item = add_item(q, chain, expr);
    if (item != NULL)
        item->alias = hy_arena_strdup(&q->arena, alias);
}

/* A raw item's own aliases keep their case. */
static void quote_aliases(hy_query *q, hy_branch *item)
{
    const hy_raw_text *old = item->aux;
    hy_buf text = {0};

    if (hy__scan_quote_aliases(&text, old->text, old->size)) {
        hy_raw_text *raw = hy_arena_alloc(&q->arena, sizeof *raw);
        char *copy = text.failed ? NULL : hy_arena_strndup(&q->arena, text.data, text.size);
        if (text.failed)
            hy__query_keep(q, HY_EOUT_OF_MEMORY);
        if (raw != NULL && copy != NULL) {
            *raw = (hy_raw_text){text.size, copy};
            item->aux = raw;
        }
    }
    hy_buf_clear(&text);
}

void hy_query_select(hy_query *q, hy_expr *item, const char *alias)
{
    if (alias == NULL && item != NULL && item->node == HY_NODE_RAW)
        quote_aliases(q, (hy_branch *)item);
    add_named(q, &q->tree.select, item, alias);
}

void hy_query_returning(hy_query *q, hy_expr *item, const char *alias)
{
    add_named(q, &q->tree.returning, item, alias);
}

void hy_query_distinct(hy_query *q)
{
    q->tree.distinct = true;
}

void hy_query_distinct_on(hy_query *q, hy_expr *item)
{
    if (hy__query_searchable(q, item))
        add_item(q, &q->tree.distinct_on, item);
}

static hy_join *join_new(hy_query *q, hy_join_kind kind)
{
    assert(kind < HY_JOIN_COUNT);
    hy_join *join = hy__cell_new(q, &q->tree.joins, sizeof *join);
    if (join != NULL)
        join->kind = kind;
    return join;
}

void hy_query_join(hy_query *q, hy_join_kind kind, const char *table, size_t size, const hy_model *model)
{
    const char *name, *alias;

    if (!hy__query_usable(q) || !split_table(q, table, size, &name, &alias))
        return;
    hy_join *join = join_new(q, kind);
    if (join == NULL)
        return;
    hy__query_hold(q, model);
    join->table = name;
    join->alias = alias;
    join->model = model;
}

size_t hy_query_n_joins(const hy_query *q)
{
    return q->tree.joins.n;
}

void hy_query_cut_joins(hy_query *q, size_t n)
{
    hy_chain *joins = &q->tree.joins;
    hy_cell *last = NULL;

    if (n >= joins->n)
        return;
    for (size_t i = 0; i < n; i++)
        last = last == NULL ? joins->first : last->next;
    joins->last = last;
    joins->n = n;
    if (last == NULL)
        joins->first = NULL;
    else
        last->next = NULL;
}

void hy_query_join_query(hy_query *q, hy_join_kind kind, const hy_query *sub, const char *alias)
{
    if (!hy__query_usable(q))
        return;
    if (alias == NULL || *alias == '\0') {
        HY_QUERY_FAIL(q, HY_EMISSING_ALIAS_FOR_SUBQUERY, "a subquery in JOIN needs an alias");
        return;
    }
    hy_tree *tree = hy__query_adopt(q, sub);
    const char *name = hy_arena_strdup(&q->arena, alias);
    hy_join *join = tree != NULL && name != NULL ? join_new(q, kind) : NULL;
    if (join == NULL)
        return;
    join->tree = tree;
    join->alias = name;
}

void hy_query_join_raw(hy_query *q, hy_expr *raw)
{
    if (!hy__query_takes(q, raw))
        return;
    hy_join *join = join_new(q, HY_JOIN_INNER);
    if (join != NULL)
        join->raw = raw;
}

/* ---- the rest of SELECT ----------------------------------------------------------------- */

void hy_query_group_by(hy_query *q, hy_expr *item)
{
    if (hy__query_searchable(q, item))
        add_item(q, &q->tree.group, item);
}

void hy_query_order_by(hy_query *q, hy_expr *expr, hy_direction direction, hy_nulls nulls)
{
    hy_item *item = hy__query_searchable(q, expr) ? add_item(q, &q->tree.order, expr) : NULL;
    if (item == NULL)
        return;
    item->direction = (uint8_t)direction;
    item->nulls = (uint8_t)nulls;
}

void hy_query_limit(hy_query *q, int64_t limit)
{
    if (!hy__query_usable(q))
        return;
    if (limit < 0) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "limit must not be negative");
        return;
    }
    q->tree.has_limit = true;
    q->tree.limit = limit;
    q->tree.limit_param = NULL;
}

void hy_query_limit_param(hy_query *q, const char *name)
{
    q->tree.limit_param = hy__expr_param_used(q, name, NULL, HY_PARAM_COUNT);
    q->tree.has_limit = q->tree.limit_param != NULL;
}

void hy_query_offset_param(hy_query *q, const char *name)
{
    q->tree.offset_param = hy__expr_param_used(q, name, NULL, HY_PARAM_COUNT);
    q->tree.has_offset = q->tree.offset_param != NULL;
}

void hy_query_offset(hy_query *q, int64_t offset)
{
    if (!hy__query_usable(q))
        return;
    if (offset < 0) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "offset must not be negative");
        return;
    }
    q->tree.has_offset = true;
    q->tree.offset = offset;
    q->tree.offset_param = NULL;
}

void hy_query_with(hy_query *q, const char *name, const hy_query *sub, bool recursive, bool materialized)
{
    hy_tree *tree = hy__query_adopt(q, sub);
    char *copy = tree != NULL ? hy_arena_strdup(&q->arena, name != NULL ? name : "") : NULL;
    hy_cte *cte = copy != NULL ? hy__cell_new(q, &q->tree.with, sizeof *cte) : NULL;

    if (cte == NULL)
        return;
    cte->name = copy;
    cte->tree = tree;
    cte->materialized = materialized;
    q->tree.recursive = q->tree.recursive || recursive;
}

void hy_query_set_operation(hy_query *q, hy_set_op op, const hy_query *other)
{
    assert(op < HY_SET_OP_COUNT);
    hy_tree *tree = hy__query_adopt(q, other);
    hy_member *member = tree != NULL ? hy__cell_new(q, &q->tree.members, sizeof *member) : NULL;

    if (member == NULL)
        return;
    member->op = op;
    member->tree = tree;
}

void hy_query_set_operation_raw(hy_query *q, hy_set_op op, hy_expr *raw)
{
    assert(op < HY_SET_OP_COUNT);
    hy_member *member = hy__query_takes(q, raw) ? hy__cell_new(q, &q->tree.members, sizeof *member) : NULL;

    if (member == NULL)
        return;
    member->op = op;
    member->raw = raw;
}

void hy_query_lock(hy_query *q, hy_lock lock, hy_lock_wait wait)
{
    q->tree.lock = (uint8_t)lock;
    q->tree.lock_wait = (uint8_t)wait;
}

static void clear_joins(hy_query *q)
{
    HY_EACH (hy_join, join, &q->tree.joins)
        hy__forget_open(q, &join->on);
    q->tree.joins = (hy_chain){0};
}

void hy_query_clear_part(hy_query *q, hy_part part)
{
    hy_tree *t = &q->tree;

    switch (part) {
    case HY_PART_SELECT:
        t->select = (hy_chain){0};
        break;
    case HY_PART_DISTINCT:
        t->distinct = false;
        break;
    case HY_PART_DISTINCT_ON:
        t->distinct_on = (hy_chain){0};
        break;
    case HY_PART_FROM:
        t->table = t->alias = NULL;
        t->from = NULL;
        break;
    case HY_PART_JOIN:
        clear_joins(q);
        break;
    case HY_PART_WHERE:
        hy__clear_group(q, &t->where.user);
        break;
    case HY_PART_GROUP:
        t->group = (hy_chain){0};
        break;
    case HY_PART_HAVING:
        hy__clear_group(q, &t->having.user);
        break;
    case HY_PART_ORDER:
        t->order = (hy_chain){0};
        break;
    case HY_PART_LIMIT:
        t->has_limit = false;
        t->limit_param = NULL;
        break;
    case HY_PART_OFFSET:
        t->has_offset = false;
        t->offset_param = NULL;
        break;
    case HY_PART_LOCK:
        t->lock = HY_LOCK_NONE;
        break;
    case HY_PART_SET_OPERATION:
        t->members = (hy_chain){0};
        break;
    case HY_PART_WITH:
        t->with = (hy_chain){0};
        t->recursive = false;
        break;
    case HY_PART_RETURNING:
        t->returning = (hy_chain){0};
        break;
    case HY_PART_COUNT:
        break;
    }
}
