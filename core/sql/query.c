/*
 * query.c - the life of a query, its first failure, and questions about it.
 *
 * Knows no dialect and no text of SQL; the first failure is kept and everything after it does
 * nothing. What fills the clauses is build.c, build_where.c and build_write.c.
 */
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/memory.h>

#include "sql/ast.h"

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
void hy__query_hold(hy_query *q, const hy_model *model)
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

void hy__query_hold_all(hy_query *q, const hy_query *from)
{
    hy__query_hold(q, from->tree.model);
    for (const hy_held *held = from->held; held != NULL; held = held->next)
        hy__query_hold(q, held->model);
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

hy_status hy__query_is_whole(const hy_query *q, hy_error *err)
{
    hy_status status = hy_query_status(q, err);

    if (status != HY_OK)
        return status;
    /* Half a condition is none; what hooks and scopes add is whole at any time. */
    if (q->open != (q->guard != NULL ? q->guard->where : NULL))
        return hy_fail(err, HY_EINVALID_ARGUMENT, "a group of conditions is still open");
    return HY_OK;
}

hy_status hy_query_copy(hy_query *into, const hy_query *from, hy_error *err)
{
    return hy_query_copy_now(into, from, NULL, NULL, err);
}

hy_status hy_query_copy_now(hy_query *into, const hy_query *from, hy_query_finder find, void *data,
                            hy_error *err)
{
    hy_copier to = {.q = into, .arena = &into->arena, .find = find, .data = data, .err = err};
    hy_status status = hy__query_is_whole(from, err);
    if (status != HY_OK)
        return status;
    hy__query_hold_all(into, from);
    if (!hy__tree_copy(&to, &into->tree, &from->tree))
        return to.status != HY_OK ? to.status : hy_fail_oom(err);
    return hy__query_deepen(into, into->tree.depth + to.deeper) ? HY_OK : hy_query_status(into, err);
}

void hy_query_set_late(hy_query *q, uint64_t id)
{
    q->tree.late = id;
}

bool hy_query_has_late(const hy_query *q)
{
    return q->tree.has_late;
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
    hy__query_hold_all(q, from);
    hy_copier to = {.q = q, .arena = &q->arena};
    hy_tree *tree = hy_arena_alloc(&q->arena, sizeof *tree);
    if (tree == NULL || !hy__tree_copy(&to, tree, &from->tree))
        return NULL;
    q->tree.has_late = q->tree.has_late || tree->late != 0 || tree->has_late;
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

bool hy_query_has_distinct(const hy_query *q)
{
    return q->tree.distinct && q->tree.distinct_on.n == 0;
}

bool hy_query_has_alias(const hy_query *q, const char *name, size_t size)
{
    HY_EACH (hy_item, item, &q->tree.select)
        if (item->alias != NULL && strlen(item->alias) == size && memcmp(item->alias, name, size) == 0)
            return true;
    return false;
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

/* All that the table has is selected, hidden columns apart. */
static bool selects_star(const hy_tree *tree)
{
    bool found = tree->select.n == 0;

    HY_EACH (hy_item, item, &tree->select)
        found = found || is_own_star(tree, item->expr);
    return found;
}

/* The column of the query's own model that this is; NULL: none. */
static const hy_column *own_column(const hy_tree *tree, const hy_column_expr *c)
{
    const char *base = hy__tree_base(tree), *label = hy__column_label(c);
    size_t qualifier = c->head.qualifier;
    bool own = qualifier == 0 || (base != NULL && strlen(base) == qualifier && c->text != NULL &&
                                  strncmp(c->text, base, qualifier) == 0);

    if (c->column != NULL || tree->model == NULL || !own)
        return c->column;
    return hy_model_find_column(tree->model, label, strlen(label));
}

/* A name without a table means one column only, else the database would refuse it. */
static bool means_same(const hy_tree *tree, const hy_expr *a, const hy_expr *b)
{
    const hy_column_expr *x = (const hy_column_expr *)a, *y = (const hy_column_expr *)b;
    const hy_column *own = own_column(tree, x);

    if (own != NULL || own_column(tree, y) != NULL)
        return own == own_column(tree, y);
    if (a->qualifier > 0 && b->qualifier > 0)
        return hy__same_column(a, b);
    return strcmp(hy__column_label(x), hy__column_label(y)) == 0;
}

/* What the column is called among all that the table has. */
static const char *name_in_star(const hy_tree *tree, const hy_column_expr *c)
{
    const char *base = hy__tree_base(tree);
    const hy_column *own = own_column(tree, c);

    if (own != NULL)
        return (own->flags & HY_COLUMN_HIDDEN) == 0 ? own->name : NULL;
    bool elsewhere = c->head.qualifier > 0 && (base == NULL || strlen(base) != c->head.qualifier ||
                                               strncmp(c->text, base, c->head.qualifier) != 0);
    return tree->model == NULL && !elsewhere ? hy__column_label(c) : NULL;
}

const char *hy_query_name_selected(hy_query *q, const char *name, size_t size, const char *alias)
{
    hy_tree *tree = &q->tree;

    HY_EACH (hy_item, item, &tree->select)
        if (item->alias != NULL && strlen(item->alias) == size && memcmp(item->alias, name, size) == 0)
            return item->alias;
    const hy_expr *column = hy_expr_column_or_alias(q, name, size);
    if (column == NULL || column->node != HY_NODE_COLUMN)
        return NULL;
    HY_EACH (hy_item, item, &tree->select) {
        if (item->expr->node != HY_NODE_COLUMN || !means_same(tree, item->expr, column))
            continue;
        const hy_column_expr *c = (const hy_column_expr *)item->expr;
        if (item->alias == NULL && c->column != NULL) /* by its own name everything about it stays known */
            return c->column->name;
        if (item->alias == NULL && tree->members.n > 0) /* whose order goes by that name */
            return hy__column_label(c);
        if (item->alias == NULL)
            ((hy_item *)item)->alias = alias;
        return item->alias;
    }
    return selects_star(tree) ? name_in_star(tree, (const hy_column_expr *)column) : NULL;
}

static const char *numbered_alias(hy_query *q, int64_t n)
{
    static const char prefix[] = "hysteria_";
    char alias[sizeof prefix + HY_NUMBER_TEXT_SIZE];

    memcpy(alias, prefix, sizeof prefix - 1);
    size_t size = sizeof prefix - 1 + hy_format_int(n, alias + sizeof prefix - 1);
    return hy_arena_strndup(&q->arena, alias, size);
}

void hy_query_name_apart(hy_query *q)
{
    int64_t n = 0;

    if (q->tree.joins.n == 0 || q->tree.members.n > 0) /* the order of a union goes by its names */
        return;
    HY_EACH (hy_item, item, &q->tree.select) {
        n++;
        if (item->alias == NULL && item->expr->node == HY_NODE_COLUMN)
            item->alias = numbered_alias(q, n);
    }
}

bool hy_query_selects_columns(const hy_query *q)
{
    HY_EACH (hy_item, item, &q->tree.select)
        if (item->expr->node != HY_NODE_COLUMN && item->expr->node != HY_NODE_STAR)
            return false;
    return true;
}

size_t hy_query_n_order(const hy_query *q)
{
    return q->tree.order.n;
}

/* Is something else than the column itself selected under that name? */
static bool is_alias_of_other(const hy_tree *tree, const hy_expr *column, const char *name)
{
    HY_EACH (hy_item, item, &tree->select) {
        bool own = item->expr->node == HY_NODE_COLUMN && hy__same_column(item->expr, column);
        if (item->alias != NULL && !own && strcmp(item->alias, name) == 0)
            return true;
    }
    return false;
}

bool hy__may_be_raw_alias(const hy_tree *tree, const hy_expr *e)
{
    if (tree->model == NULL || (e->flags & HY_FLAG_ALIAS) == 0 || ((const hy_column_expr *)e)->column != NULL)
        return false;
    HY_EACH (hy_item, item, &tree->select)
        if (item->expr->node == HY_NODE_RAW && item->alias == NULL)
            return true;
    return false;
}

/* Would a database take this column for what is selected under that name? */
static bool is_alias(const hy_tree *tree, const hy_expr *e)
{
    const hy_column_expr *c = (const hy_column_expr *)e;

    if (e->node != HY_NODE_COLUMN || e->qualifier > 0)
        return false;
    if (c->column == NULL)
        return hy__may_be_raw_alias(tree, e) || is_alias_of_other(tree, e, c->text);
    return tree->joins.n == 0 && is_alias_of_other(tree, e, c->column->name);
}

static bool has_alias(const hy_tree *tree, const hy_expr *e)
{
    const hy_branch *b = (const hy_branch *)e;
    bool leaf = e->node <= HY_NODE_VALUE || e->node >= HY_NODE_IN_QUERY;

    for (size_t i = 0; !leaf && i < b->n; i++)
        if (has_alias(tree, b->args[i]))
            return true;
    return is_alias(tree, e);
}

static bool items_have_alias(const hy_tree *tree, const hy_chain *items)
{
    HY_EACH (hy_item, item, items)
        if (has_alias(tree, item->expr))
            return true;
    return false;
}

static bool group_has_alias(const hy_tree *tree, const hy_group *group)
{
    for (const hy_condition *c = group->first; c != NULL; c = c->next)
        if (c->expr != NULL ? has_alias(tree, c->expr) : group_has_alias(tree, c->group))
            return true;
    return false;
}

bool hy_query_names_alias(const hy_query *q)
{
    const hy_tree *tree = &q->tree;

    return tree->select.n > 0 &&
           (items_have_alias(tree, &tree->order) || items_have_alias(tree, &tree->group) ||
            group_has_alias(tree, &tree->having.user));
}

static bool is_own_column(const hy_tree *tree, const hy_expr *e)
{
    if (e->node != HY_NODE_COLUMN)
        return false;
    if (e->qualifier == 0)
        return !is_alias(tree, e);
    const char *base = hy__table_base(
        tree->table != NULL || tree->model == NULL ? tree->table : hy_model_table(tree->model), tree->alias);
    return base != NULL && strlen(base) == e->qualifier &&
           strncmp(((const hy_column_expr *)e)->text, base, e->qualifier) == 0;
}

hy_ordering hy_query_ordering(const hy_query *q, size_t i)
{
    const hy_item *item = (const hy_item *)q->tree.order.first;

    for (; i > 0; i--)
        item = (const hy_item *)item->cell.next;
    hy_ordering found = {.direction = (hy_direction)item->direction, .nulls = (hy_nulls)item->nulls};
    if (!is_own_column(&q->tree, item->expr))
        return found;
    const hy_column_expr *column = (const hy_column_expr *)item->expr;
    size_t before = item->expr->qualifier > 0 ? item->expr->qualifier + 1u : 0;
    found.name = column->text != NULL ? column->text + before : column->column->property;
    found.size = strlen(found.name);
    return found;
}

const char *hy_query_table(const hy_query *q)
{
    const hy_tree *tree = &q->tree;

    if (tree->table != NULL)
        return tree->table;
    return tree->model != NULL && tree->from == NULL ? hy_model_table(tree->model) : NULL;
}

void hy_query_window(const hy_query *q, int64_t *limit, int64_t *offset)
{
    *limit = q->tree.has_limit ? q->tree.limit : -1;
    *offset = q->tree.has_offset ? q->tree.offset : -1;
}

bool hy_query_has_window_param(const hy_query *q)
{
    return q->tree.limit_param != NULL || q->tree.offset_param != NULL;
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
