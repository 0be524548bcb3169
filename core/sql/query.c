/*
 * query.c - the life of a query and its clauses: what SELECT, WHERE, INSERT ... hold.
 *
 * Only builds the tree. Knows no dialect and no text of SQL; the first failure is kept and
 * everything after it does nothing.
 */
#include <assert.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/memory.h>

#include "sql/ast.h"

/* An open guard: what was open when it began, and its groups. */
struct hy_guard {
    struct hy_guard *outer;
    hy_group *open;
    hy_group *where, *having; /* having: made when first needed */
    size_t depth;             /* groups that were open, its own one counted */
};

/* A model that the tree names and the caller knows nothing of: the query has a reference. */
typedef struct hy_held {
    struct hy_held *next;
    hy_model *model;
} hy_held;

enum { HEAP_QUERY_SIZE = 2048 };

/* ---- failures --------------------------------------------------------------------------- */

hy_error *hy__query_error(hy_query *q)
{
    if (q->status != HY_OK || q->failure != NULL)
        return NULL;
    bool failed = q->arena.failed;
    q->failure = hy_arena_zero(&q->arena, sizeof *q->failure);
    q->arena.failed = failed; /* an error that cannot be kept is still that error */
    return q->failure;
}

void hy__query_keep(hy_query *q, hy_status status)
{
    if (q->status == HY_OK)
        q->status = status;
}

bool hy__query_usable(hy_query *q)
{
    if (q->status == HY_OK && q->arena.failed)
        hy__query_keep(q, HY_EOUT_OF_MEMORY);
    return q->status == HY_OK;
}

hy_status hy_query_status(const hy_query *q, hy_error *err)
{
    if (q->status == HY_OK && q->arena.failed)
        return hy_fail_oom(err);
    if (q->status == HY_OK)
        return HY_OK;
    if (q->status == HY_EOUT_OF_MEMORY)
        return hy_fail_oom(err);
    if (q->failure == NULL)
        return hy_fail(err, q->status, "%s", hy_status_text(q->status));
    if (err != NULL)
        *err = *q->failure;
    return q->status;
}

void hy_query_forget_failure(hy_query *q)
{
    q->status = HY_OK;
    q->failure = NULL;
    q->arena.failed = false;
}

bool hy__query_deepen(hy_query *q, unsigned depth)
{
    if (depth > HY_DEPTH_MAX) {
        HY_QUERY_FAIL(q, HY_ELIMIT_EXCEEDED, "the query is nested more than %d levels deep", HY_DEPTH_MAX);
        return false;
    }
    if (q->tree.depth < depth)
        q->tree.depth = (uint16_t)depth;
    return true;
}

/* The clause can take this expression. NULL means that something has failed before. */
static bool takes(hy_query *q, const hy_expr *e)
{
    if (!hy__query_usable(q))
        return false;
    if (e == NULL) {
        HY_QUERY_FAIL(q, HY_ENIL_VALUE, "an expression is missing");
        return false;
    }
    return hy__query_deepen(q, e->depth + 1U);
}

static void cell_add(hy_chain *chain, hy_cell *cell)
{
    if (chain->last != NULL)
        chain->last->next = cell;
    else
        chain->first = cell;
    chain->last = cell;
    chain->n++;
}

static void *cell_new(hy_query *q, hy_chain *chain, size_t size)
{
    hy_cell *cell = hy_arena_zero(&q->arena, size);
    if (cell != NULL)
        cell_add(chain, cell);
    return cell;
}

static char *text_copy(hy_query *q, const char *text, size_t size)
{
    return hy_arena_strndup(&q->arena, text, size);
}

/* ---- life ------------------------------------------------------------------------------- */

size_t hy_query_size(void)
{
    return sizeof(hy_query);
}

hy_query *hy_query_init(void *memory, size_t size, const hy_model *model)
{
    static const size_t align = 8; /* the arena's */
    size_t head = (sizeof(hy_query) + align - 1) / align * align;
    hy_query *q = memory;

    if (memory == NULL || size < sizeof *q)
        return NULL;
    memset(q, 0, sizeof *q);
    q->tree.model = model;
    if (size > head)
        hy_arena_init(&q->arena, (char *)memory + head, size - head);
    else
        hy_arena_init(&q->arena, NULL, 0);
    return q;
}

/* Without memory the arena has failed, and with it the query. */
static void hold(hy_query *q, const hy_model *model)
{
    if (model == NULL || model == q->tree.model)
        return;
    for (const hy_held *held = q->held; held != NULL; held = held->next)
        if (held->model == model)
            return;
    hy_held *held = hy_arena_alloc(&q->arena, sizeof *held);
    if (held == NULL)
        return;
    *held = (hy_held){q->held, hy_model_ref((hy_model *)model)};
    q->held = held;
}

static void hold_all_of(hy_query *q, const hy_query *from)
{
    hold(q, from->tree.model);
    for (const hy_held *held = from->held; held != NULL; held = held->next)
        hold(q, held->model);
}

void hy_query_clear(hy_query *q)
{
    if (q == NULL)
        return;
    const hy_model *model = q->tree.model;
    for (const hy_held *held = q->held; held != NULL; held = held->next)
        hy_model_unref(held->model);
    hy_arena arena = q->arena;

    hy_arena_clear(&arena);
    memset(q, 0, sizeof *q);
    q->arena = arena;
    q->tree.model = model;
}

hy_query *hy_query_new(const hy_model *model)
{
    void *memory = hy_alloc(HEAP_QUERY_SIZE);
    return hy_query_init(memory, HEAP_QUERY_SIZE, model);
}

void hy_query_free(hy_query *q)
{
    hy_query_clear(q);
    hy_free(q);
}

bool hy_query_uses_heap(const hy_query *q)
{
    return q->arena.blocks != NULL || q->held != NULL;
}

size_t hy_query_memory(const hy_query *q)
{
    return sizeof *q + q->arena.total;
}

hy_status hy_query_copy(hy_query *into, const hy_query *from, hy_error *err)
{
    hy_status status = hy_query_status(from, err);
    if (status != HY_OK)
        return status;
    /* Half a condition is none; what hooks and scopes add is whole at any time. */
    if (from->open != (from->guard != NULL ? from->guard->where : NULL))
        return hy_fail(err, HY_EINVALID_ARGUMENT, "a group of conditions is still open");
    hold_all_of(into, from);
    return hy__tree_copy(&into->arena, &into->tree, &from->tree) ? HY_OK : hy_fail_oom(err);
}

hy_tree *hy__query_adopt(hy_query *q, const hy_query *from)
{
    if (!hy__query_usable(q))
        return NULL;
    if (from == NULL) {
        HY_QUERY_FAIL(q, HY_ENIL_VALUE, "a subquery is missing");
        return NULL;
    }
    if (from->status != HY_OK || from->arena.failed) {
        hy__query_keep(q, hy_query_status(from, hy__query_error(q)));
        return NULL;
    }
    hold_all_of(q, from);
    hy_tree *tree = hy_arena_alloc(&q->arena, sizeof *tree);
    if (tree == NULL || !hy__tree_copy(&q->arena, tree, &from->tree))
        return NULL;
    return hy__query_deepen(q, tree->depth + 1U) ? tree : NULL;
}

/* ---- questions -------------------------------------------------------------------------- */

hy_statement_kind hy_query_kind(const hy_query *q)
{
    return (hy_statement_kind)q->tree.kind;
}

const hy_model *hy_query_model(const hy_query *q)
{
    return q->tree.model;
}

bool hy_query_has_where(const hy_query *q)
{
    return q->tree.where.user.first != NULL;
}

bool hy_query_has_order(const hy_query *q)
{
    return q->tree.order.n > 0;
}

bool hy_query_has_group(const hy_query *q)
{
    return q->tree.group.n > 0 || q->tree.having.user.first != NULL;
}

bool hy_query_has_set_operation(const hy_query *q)
{
    return q->tree.members.n > 0;
}

bool hy_query_is_distinct(const hy_query *q)
{
    return q->tree.distinct || q->tree.distinct_on.n > 0;
}

bool hy_query_has_limit(const hy_query *q)
{
    return q->tree.has_limit || q->tree.has_offset;
}

bool hy_query_has_select(const hy_query *q)
{
    return q->tree.select.n > 0;
}

bool hy_query_has_join(const hy_query *q)
{
    return q->tree.joins.n > 0;
}

static bool is_called(const hy_item *item, const hy_column *column)
{
    const hy_column_expr *c = (const hy_column_expr *)item->expr;

    if (item->alias != NULL)
        return strcmp(item->alias, column->property) == 0;
    return item->expr->node == HY_NODE_COLUMN &&
           (c->column == column || strcmp(hy__column_label(c), column->property) == 0);
}

/* "*", or "users.*" of the base table. */
static bool is_own_star(const hy_tree *tree, const hy_expr *e)
{
    const char *base = hy__tree_base(tree);

    if (e->node != HY_NODE_STAR)
        return false;
    return e->qualifier == 0 || (base != NULL && strlen(base) == e->qualifier &&
                                 strncmp(((const hy_column_expr *)e)->text, base, e->qualifier) == 0);
}

bool hy_query_selects(const hy_query *q, const char *name, size_t size)
{
    const hy_tree *tree = &q->tree;
    const hy_column *column = tree->model != NULL ? hy_model_find_column(tree->model, name, size) : NULL;

    if (column == NULL)
        return false;
    bool shown = (column->flags & HY_COLUMN_HIDDEN) == 0;
    if (tree->select.n == 0)
        return shown;
    HY_EACH (hy_item, item, &tree->select)
        if (is_called(item, column) || (shown && is_own_star(tree, item->expr)))
            return true;
    return false;
}

bool hy_query_has_lock(const hy_query *q)
{
    return q->tree.lock != HY_LOCK_NONE;
}

const char *hy__table_base(const char *table, const char *alias)
{
    if (alias != NULL)
        return alias;
    if (table == NULL)
        return "";
    const char *dot = strrchr(table, '.');
    return dot != NULL ? dot + 1 : table;
}

const char *hy__tree_base(const hy_tree *t)
{
    if (t->alias == NULL && t->table == NULL && t->model != NULL)
        return hy_model_table(t->model); /* a dot in it belongs to the name */
    return hy__table_base(t->table, t->alias);
}

const char *hy_query_base_name(const hy_query *q)
{
    return hy__tree_base(&q->tree);
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

static hy_item *add_item(hy_query *q, hy_chain *chain, hy_expr *expr)
{
    if (!takes(q, expr))
        return NULL;
    hy_item *item = cell_new(q, chain, sizeof *item);
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

void hy_query_select(hy_query *q, hy_expr *item, const char *alias)
{
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
    hy_join *join = cell_new(q, &q->tree.joins, sizeof *join);
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
    hold(q, model);
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
    if (!takes(q, raw))
        return;
    hy_join *join = join_new(q, HY_JOIN_INNER);
    if (join != NULL)
        join->raw = raw;
}

/* ---- conditions ------------------------------------------------------------------------- */

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
    if (!takes(q, condition) || !hy__query_deepen(q, condition->depth + (unsigned)q->open_depth + 1U))
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
}

void hy_query_with(hy_query *q, const char *name, const hy_query *sub, bool recursive, bool materialized)
{
    hy_tree *tree = hy__query_adopt(q, sub);
    char *copy = tree != NULL ? hy_arena_strdup(&q->arena, name != NULL ? name : "") : NULL;
    hy_cte *cte = copy != NULL ? cell_new(q, &q->tree.with, sizeof *cte) : NULL;

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
    hy_member *member = tree != NULL ? cell_new(q, &q->tree.members, sizeof *member) : NULL;

    if (member == NULL)
        return;
    member->op = op;
    member->tree = tree;
}

void hy_query_lock(hy_query *q, hy_lock lock, hy_lock_wait wait)
{
    q->tree.lock = (uint8_t)lock;
    q->tree.lock_wait = (uint8_t)wait;
}

static bool is_below(const hy_group *group, const hy_group *root)
{
    while (group != NULL && group != root)
        group = group->parent;
    return group != NULL;
}

/* Open groups below a group that is being emptied are open no more. */
static void forget_open(hy_query *q, const hy_group *root)
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

static void clear_group(hy_query *q, hy_group *group)
{
    forget_open(q, group);
    *group = (hy_group){0};
}

static void clear_joins(hy_query *q)
{
    HY_EACH (hy_join, join, &q->tree.joins)
        forget_open(q, &join->on);
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
        clear_group(q, &t->where.user);
        break;
    case HY_PART_GROUP:
        t->group = (hy_chain){0};
        break;
    case HY_PART_HAVING:
        clear_group(q, &t->having.user);
        break;
    case HY_PART_ORDER:
        t->order = (hy_chain){0};
        break;
    case HY_PART_LIMIT:
        t->has_limit = false;
        break;
    case HY_PART_OFFSET:
        t->has_offset = false;
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

/* ---- writes ----------------------------------------------------------------------------- */

/* A column that can be written, by name. */
static hy_expr *written_column(hy_query *q, const char *name, size_t size)
{
    hy_expr *e = hy__expr_own_column(q, name, size);
    if (e == NULL)
        return NULL;
    const hy_column *column = ((hy_column_expr *)e)->column;
    if (column != NULL && (column->flags & HY_COLUMN_GENERATED) != 0) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "column '%s' is computed by the database", column->property);
        return NULL;
    }
    return e;
}

static hy_expr **named_columns(hy_query *q, const char *const *names, size_t n)
{
    hy_expr **columns = hy_arena_zero(&q->arena, (n + 1) * sizeof *columns);
    if (columns == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (names[i] == NULL)
            HY_QUERY_FAIL(q, HY_ENIL_VALUE, "column %zu has no name", i + 1);
        else
            columns[i] = written_column(q, names[i], strlen(names[i]));
    }
    return hy__query_usable(q) ? columns : NULL;
}

static void begin_insert(hy_query *q, hy_expr **columns, size_t n)
{
    if (columns == NULL)
        return;
    q->tree.kind = HY_STATEMENT_INSERT;
    q->tree.columns = columns;
    q->tree.n_columns = n;
    q->tree.rows = (hy_chain){0};
}

void hy_query_insert(hy_query *q, const char *const *columns, size_t n)
{
    if (hy__query_usable(q))
        begin_insert(q, named_columns(q, columns, n), n);
}

void hy_query_insert_columns(hy_query *q, const hy_column *const *columns, size_t n)
{
    if (!hy__query_usable(q))
        return;
    hy_expr **list = hy_arena_zero(&q->arena, (n + 1) * sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++)
        list[i] = hy__expr_model_column(q, columns[i]);
    if (hy__query_usable(q))
        begin_insert(q, list, n);
}

/* A row that is not yet one of the query's; NULL: the query has failed. */
static hy_row *row_new(hy_query *q, size_t n)
{
    if (!hy__query_usable(q))
        return NULL;
    if (q->tree.kind != HY_STATEMENT_INSERT || n != q->tree.n_columns) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a row of %zu values for %zu columns", n, q->tree.n_columns);
        return NULL;
    }
    hy_row *row = hy_arena_alloc(&q->arena, sizeof *row + n * sizeof row->values[0]);
    if (row != NULL)
        row->cell = (hy_cell){0};
    return row;
}

void hy_query_insert_row(hy_query *q, hy_expr *const *values, size_t n)
{
    hy_row *row = row_new(q, n);
    unsigned depth = 0;

    for (size_t i = 0; row != NULL && i < n; i++) {
        row->values[i] = values[i];
        if (values[i] != NULL && values[i]->depth > depth)
            depth = values[i]->depth;
    }
    if (row != NULL && hy__query_deepen(q, depth + 1U))
        cell_add(&q->tree.rows, &row->cell);
}

void hy_query_insert_values(hy_query *q, const hy_value *values, size_t n)
{
    hy_row *row = row_new(q, n);

    if (row != NULL && hy__expr_cells(q, q->tree.columns, values, n, row->values) && hy__query_deepen(q, 2))
        cell_add(&q->tree.rows, &row->cell);
}

void hy_query_on_conflict(hy_query *q, const char *const *columns, size_t n, hy_conflict_action action,
                          const char *const *update_columns, size_t n_update)
{
    if (!hy__query_usable(q))
        return;
    hy_upsert *upsert = hy_arena_zero(&q->arena, sizeof *upsert);
    hy_expr **target = named_columns(q, columns, n);
    hy_expr **update = target != NULL ? named_columns(q, update_columns, n_update) : NULL;
    if (upsert == NULL || update == NULL)
        return;
    *upsert = (hy_upsert){
        .action = action, .target = target, .n_target = n, .update = update, .n_update = n_update};
    q->tree.upsert = upsert;
}

static bool same_column(const hy_expr *a, const hy_expr *b)
{
    const hy_column_expr *x = (const hy_column_expr *)a, *y = (const hy_column_expr *)b;

    if (x->column != NULL || y->column != NULL)
        return x->column == y->column;
    return strcmp(x->text, y->text) == 0;
}

void hy_query_set(hy_query *q, const char *column, size_t size, hy_expr *value)
{
    if (!takes(q, value))
        return;
    hy_expr *target = written_column(q, column, size);
    if (target == NULL)
        return;
    q->tree.kind = HY_STATEMENT_UPDATE;
    HY_EACH (hy_item, old, &q->tree.set) {
        if (same_column(old->target, target)) { /* the last one wins */
            old->expr = value;
            return;
        }
    }
    hy_item *item = cell_new(q, &q->tree.set, sizeof *item);
    if (item == NULL)
        return;
    item->expr = value;
    item->target = target;
}

void hy_query_delete(hy_query *q)
{
    q->tree.kind = HY_STATEMENT_DELETE;
}

void hy_query_truncate(hy_query *q)
{
    q->tree.kind = HY_STATEMENT_TRUNCATE;
}
