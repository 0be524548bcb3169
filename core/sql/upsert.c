/*
 * upsert.c - what an INSERT does with a row whose key is there already.
 *
 * PostgreSQL and SQLite are told which key is meant. MySQL and MariaDB watch every unique key, so
 * there the first assignment checks that the row which was hit is the one that was meant, and
 * makes the statement fail if it is not: nothing may be written to somebody else's row.
 */
#include "sql/emit.h"

static bool in_list(const hy_expr *column, hy_expr *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hy__same_column(column, list[i]))
            return true;
    return false;
}

/* Does it get a value of its own? */
static bool in_set(const hy_expr *column, const hy_chain *set)
{
    HY_EACH (hy_item, item, set)
        if (hy__same_column(column, item->target))
            return true;
    return false;
}

/* Walk over the columns that a conflict updates: those named, else all inserted but the target. */
static const hy_expr *updated_column(const hy_tree *tree, size_t *at)
{
    const hy_upsert *u = tree->upsert;
    hy_expr *const *list = u->n_update > 0 ? u->update : tree->columns;
    size_t n = u->n_update > 0 ? u->n_update : tree->n_columns;

    while (u->action == HY_CONFLICT_UPDATE && *at < n) {
        const hy_expr *column = list[(*at)++];
        bool left_out = u->n_update == 0 && in_list(column, u->target, u->n_target);
        if (!left_out && !in_set(column, &u->set))
            return column;
    }
    return NULL;
}

static void emit_excluded(hy_emitter *e, const hy_expr *column)
{
    hy__puts(e, e->dialect->excluded_before);
    hy__emit_bare(e, column);
    hy__puts(e, e->dialect->excluded_after);
}

/* A column of the row that is there. */
static void emit_stored(hy_emitter *e, const hy_expr *column)
{
    hy__emit_base(e);
    hy__emit_bare(e, column);
}

/* "c = excluded.c, d = d + 1, ..." after `word`. False: there is nothing to update. */
static bool emit_updates(hy_emitter *e, const char *word)
{
    const hy_tree *tree = e->scope->tree;
    size_t at = 0;
    bool any = false;

    for (const hy_expr *c = updated_column(tree, &at); c != NULL; c = updated_column(tree, &at)) {
        hy__puts(e, any ? ", " : word);
        any = true;
        hy__emit_bare(e, c);
        PUT(e, " = ");
        emit_excluded(e, c);
    }
    HY_EACH (hy_item, item, &tree->upsert->set) {
        hy__puts(e, any ? ", " : word);
        any = true;
        hy__emit_bare(e, item->target);
        PUT(e, " = ");
        hy__emit_expr(e, item->expr);
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

/*
 * key = IF(key = the new row's, key, <a calculation out of range>): an error in every sql_mode. It
 * is no constant, which would be calculated in advance.
 */
static void emit_guard(hy_emitter *e, const hy_upsert *u)
{
    hy__emit_bare(e, u->target[0]);
    PUT(e, " = IF(");
    for (size_t i = 0; i < u->n_target; i++) {
        hy__puts(e, i == 0 ? "" : " AND ");
        emit_stored(e, u->target[i]);
        PUT(e, " = ");
        emit_excluded(e, u->target[i]);
    }
    PUT(e, ", ");
    emit_stored(e, u->target[0]);
    PUT(e, ", ~0 + 1 + (");
    emit_stored(e, u->target[0]);
    PUT(e, " IS NULL))");
}

/* No key is meant, and nothing happens: a column gets its own value. */
static void emit_nothing(hy_emitter *e, const hy_tree *tree)
{
    if (tree->n_columns == 0 || tree->upsert->action == HY_CONFLICT_UPDATE) {
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "which columns conflict must be said");
        return;
    }
    hy__emit_bare(e, tree->columns[0]);
    PUT(e, " = ");
    emit_stored(e, tree->columns[0]);
}

void hy__upsert_on_duplicate(hy_emitter *e)
{
    const hy_tree *tree = e->scope->tree;

    PUT(e, " ON DUPLICATE KEY UPDATE ");
    if (tree->upsert->n_target == 0) {
        emit_nothing(e, tree);
        return;
    }
    emit_guard(e, tree->upsert);
    emit_updates(e, ", ");
}

void hy__upsert_on_duplicate_alias(hy_emitter *e)
{
    PUT(e, " AS hysteria_new");
    hy__upsert_on_duplicate(e);
}

/* What stands in for the row that is there is the table's own name: an INSERT knows no alias. */
void hy__clause_upsert(hy_emitter *e)
{
    hy_scope *scope = e->scope, before = *scope;
    const hy_tree *tree = scope->tree;

    if (tree->upsert == NULL)
        return;
    scope->base = tree->table != NULL ? hy__table_base(tree->table, NULL) : hy_model_table(tree->model);
    scope->base_size = strlen(scope->base);
    scope->qualify = scope->own_names = true;
    e->dialect->upsert(e);
    *scope = before;
}
