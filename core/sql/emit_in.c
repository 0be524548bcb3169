/*
 * emit_in.c - lists and subqueries in expressions.
 *
 * A long list may travel as one bind, rows of a list are spelled out where a database gets them
 * wrong, and a subquery goes one level further down where the statement may not read its own
 * table. Knows no dialect by name.
 */
#include <string.h>

#include "sql/emit.h"

static bool negated(const hy_expr *x)
{
    return (x->flags & HY_FLAG_NEGATED) != 0;
}

/* ---- IN --------------------------------------------------------------------------------- */

static const hy_tree *statement_of(const hy_emitter *e)
{
    const hy_scope *scope = e->scope;

    while (scope->outer != NULL)
        scope = scope->outer;
    return scope->tree;
}

static bool changes_rows(const hy_tree *statement)
{
    return statement->kind == HY_STATEMENT_UPDATE || statement->kind == HY_STATEMENT_DELETE;
}

/* How long a list is written out here. */
static size_t longest_list(const hy_emitter *e)
{
    const hy_tree *statement = statement_of(e);
    bool locks = changes_rows(statement) || statement->lock != HY_LOCK_NONE;

    return locks && e->dialect->locking_list_max > 0 ? e->dialect->locking_list_max : e->dialect->list_max;
}

/* The dialect's text for this list as one bind; NULL: it is written out. */
static const hy_list_text *list_text(const hy_emitter *e, const hy_branch *b)
{
    if ((b->head.flags & HY_FLAG_LIST_VALUES) == 0 || b->n - 1 <= longest_list(e) || e->inline_values)
        return NULL;
    const hy_value_expr *first = (const hy_value_expr *)b->args[1];
    return first->value.type == HY_INT ? e->dialect->integer_list : e->dialect->text_list;
}

static void bind_list(hy_emitter *e, const hy_branch *b)
{
    hy_compiler *c = e->compiler;

    hy_buf_reset(&c->list);
    e->dialect->list_open(&c->list);
    for (size_t i = 1; i < b->n; i++) {
        if (i > 1)
            hy_buf_putc(&c->list, ',');
        e->dialect->list_item(&c->list, &((const hy_value_expr *)b->args[i])->value);
    }
    e->dialect->list_close(&c->list);

    /* A statement may have several lists, so each gets memory of its own. */
    char *copy = c->list.failed ? NULL : hy_arena_strndup(&c->scratch, c->list.data, c->list.size);
    hy_bind bind = {.value = hy_bytes(HY_TEXT, copy, c->list.size),
                    .kind = HY_KIND_TEXT,
                    .sensitive = hy__is_secret(b->args[1])};
    if (copy != NULL)
        hy__emit_bind(e, &bind);
    else if (e->status == HY_OK)
        e->status = hy_fail_oom(e->err);
}

/* (a = ? AND b = ? OR ...) says the same as (a, b) IN ((?, ?), ...). */
static void emit_rows_spelled(hy_emitter *e, const hy_branch *b)
{
    const hy_branch *row = (const hy_branch *)b->args[0];

    hy__puts(e, negated(&b->head) ? "NOT (" : "(");
    for (size_t i = 1; i < b->n; i++) {
        if (i > 1)
            PUT(e, " OR ");
        for (size_t k = 0; k < row->n; k++) {
            if (k > 0)
                PUT(e, " AND ");
            hy__emit_operand(e, row->args[k]);
            PUT(e, " = ");
            hy__emit_operand(e, ((const hy_branch *)b->args[i])->args[k]);
        }
    }
    PUT(e, ")");
}

static bool are_rows(hy_expr *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i]->node != HY_NODE_ROW)
            return false;
    return true;
}

/* operand IN what one placeholder brings */
static void emit_in_param(hy_emitter *e, const hy_branch *b)
{
    bool whole = hy__expr_is_whole(b->args[0]);
    const hy_list_text *list = whole ? e->dialect->integer_list : e->dialect->text_list;

    if (list == NULL) {
        hy__emit_unsupported(e, "a parameter for a list of texts");
        return;
    }
    hy__emit_operand(e, b->args[0]);
    hy__puts(e, negated(&b->head) ? list->not_before : list->before);
    hy__emit_expr(e, b->args[1]);
    hy__puts(e, list->after);
}

static bool is_list_param(const hy_expr *x)
{
    return x->node == HY_NODE_PARAM && ((const hy_param *)((const hy_branch *)x)->aux)->use == HY_PARAM_LIST;
}

void hy__emit_in(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    const hy_list_text *list = list_text(e, b);

    if (is_list_param(b->args[1])) {
        emit_in_param(e, b);
        return;
    }
    bool denied = negated(x) || e->negating;
    if (denied && hy__emit_has(e, HY_TRAIT_ROW_NOT_IN_DROPS) && are_rows(b->args, b->n)) {
        emit_rows_spelled(e, b);
        return;
    }
    hy__emit_operand(e, b->args[0]);
    if (list != NULL) {
        hy__puts(e, negated(x) ? list->not_before : list->before);
        bind_list(e, b);
        hy__puts(e, list->after);
        return;
    }
    hy__puts(e, negated(x) ? " NOT IN (" : " IN (");
    if (b->args[1]->node == HY_NODE_ROW && hy__emit_has(e, HY_TRAIT_ROWS_VALUES))
        PUT(e, "VALUES ");
    hy__emit_list(e, b->args + 1, b->n - 1);
    PUT(e, ")");
}

/* How many columns a subquery has; 0: that is not known. */
static size_t count_columns(const hy_tree *tree)
{
    HY_EACH (hy_item, item, &tree->select)
        if (item->expr->node == HY_NODE_STAR || item->expr->node == HY_NODE_RAW)
            return 0;
    if (tree->select.n > 0 || tree->model == NULL)
        return tree->select.n;
    size_t n = 0;
    for (size_t i = 0; i < hy_model_n_columns(tree->model); i++)
        n += (hy_model_column(tree->model, i)->flags & HY_COLUMN_HIDDEN) == 0;
    return n;
}

static void need_columns(hy_emitter *e, const hy_tree *tree, size_t wanted)
{
    size_t n = count_columns(tree);

    if (n > 0 && n != wanted)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "the subquery must select %zu column%s, not %zu", wanted,
                  wanted == 1 ? "" : "s", n);
}

static const char *table_of(const hy_tree *tree)
{
    if (tree->table != NULL || tree->model == NULL || tree->from != NULL)
        return hy__table_base(tree->table, NULL);
    return hy_model_table(tree->model);
}

/* Does it read that table itself? What a derived table or a CTE reads is not asked. */
static bool reads_table(const hy_tree *tree, const char *table)
{
    if (tree->from == NULL && strcmp(table_of(tree), table) == 0)
        return true;
    HY_EACH (hy_join, join, &tree->joins)
        if (join->table != NULL && strcmp(hy__table_base(join->table, NULL), table) == 0)
            return true;
    HY_EACH (hy_member, member, &tree->members)
        if (member->tree != NULL && reads_table(member->tree, table))
            return true;
    return false;
}

/* Is it a subquery of a write that reads what the statement changes, where that is not allowed? */
static bool reads_own_table(const hy_emitter *e, const hy_tree *tree)
{
    const hy_tree *statement = statement_of(e);

    return hy__emit_has(e, HY_TRAIT_DERIVED_OWN) && changes_rows(statement) &&
           reads_table(tree, table_of(statement));
}

/* A subquery that stands in an expression; `derived`: one level further down. */
static void emit_nested(hy_emitter *e, const hy_tree *tree, bool derived)
{
    if (derived)
        PUT(e, "SELECT * FROM (");
    hy__emit_select(e, tree);
    if (derived) {
        PUT(e, ") AS ");
        hy__emit_identifier(e, "hysteria_rows", 13);
    }
    PUT(e, ")");
}

void hy__emit_in_query(hy_emitter *e, const hy_expr *x)
{
    const hy_query_expr *in = (const hy_query_expr *)x;
    bool limited = in->tree->has_limit || in->tree->has_offset;

    need_columns(e, in->tree, in->operand->node == HY_NODE_ROW ? ((const hy_branch *)in->operand)->n : 1);
    hy__emit_operand(e, in->operand);
    hy__puts(e, negated(x) ? " NOT IN (" : " IN (");
    emit_nested(e, in->tree,
                (limited && hy__emit_has(e, HY_TRAIT_DERIVED_LIMIT)) || reads_own_table(e, in->tree));
}

/* Does it matter how many rows are left when some are one? EXISTS of most databases takes no such care. */
static bool counts_off(const hy_tree *tree)
{
    return tree->has_offset && (tree->distinct || tree->group.n > 0);
}

void hy__emit_exists(hy_emitter *e, const hy_expr *x)
{
    const hy_tree *tree = ((const hy_query_expr *)x)->tree;

    hy__puts(e, negated(x) ? "NOT EXISTS (" : "EXISTS (");
    e->select_one = tree->select.n == 0 && tree->members.n == 0 && !(counts_off(tree) && tree->distinct);
    emit_nested(e, tree, reads_own_table(e, tree) || counts_off(tree));
}

void hy__emit_query(hy_emitter *e, const hy_expr *x)
{
    const hy_tree *tree = ((const hy_query_expr *)x)->tree;

    need_columns(e, tree, 1);
    hy__text_decimal_open(e, x);
    PUT(e, "(");
    emit_nested(e, tree, reads_own_table(e, tree));
    hy__text_decimal_close(e, x);
}
