/*
 * change.c - the clauses of INSERT, UPDATE, DELETE and TRUNCATE, and how a write reaches its rows.
 *
 * What a dialect cannot say natively is rewritten by key or refused, never left out.
 */
#include "sql/emit.h"

/* ---- planning writes -------------------------------------------------------------------- */

static bool is_write(const hy_tree *tree)
{
    return tree->kind == HY_STATEMENT_UPDATE || tree->kind == HY_STATEMENT_DELETE;
}

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
    hy__emit_base_table(e, tree);
    if (tree->rows.n == 0)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "an INSERT without a row");
    for (size_t i = 0; i < tree->n_columns; i++) {
        hy__puts(e, i == 0 ? " (" : ", ");
        hy__emit_bare(e, tree->columns[i]);
    }
    if (tree->n_columns > 0)
        PUT(e, ")");
}

/* A value that the row leaves out. */
static void emit_missing(hy_emitter *e, const hy_expr *target)
{
    const hy_column *column =
        target->node == HY_NODE_COLUMN ? ((const hy_column_expr *)target)->column : NULL;
    bool numbered = column != NULL && (column->flags & HY_COLUMN_INCREMENT) != 0;

    hy__emit_need(e, HY_FEATURE_NUMBER_DEFAULT_IN_VALUES);
    hy__puts(e, numbered && hy__emit_has(e, HY_TRAIT_NULL_NUMBERS) ? "NULL" : "DEFAULT");
}

static void emit_cell(hy_emitter *e, const hy_row *row, size_t i)
{
    if (row->plain && hy__row_binds(row)[i].value.type != HY_TYPE_COUNT) {
        hy__emit_bind_of(e, &hy__row_binds(row)[i], &hy__row_binds(row)[i]);
    } else if (!row->plain && hy__row_cells(row)[i] != NULL) {
        hy__emit_expr(e, hy__row_cells(row)[i]);
    } else {
        emit_missing(e, e->scope->tree->columns[i]);
    }
}

static void emit_row_values(hy_emitter *e, const hy_row *row, size_t n)
{
    if (hy__emit_values(e, row, n))
        return;
    e->scope->new_row = true;
    for (size_t i = 0; i < n; i++) {
        hy__puts(e, i == 0 ? "(" : ", ");
        emit_cell(e, row, i);
    }
    e->scope->new_row = false;
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

/* ---- UPDATE ----------------------------------------------------------------------------- */

void hy__clause_update(hy_emitter *e)
{
    PUT(e, "UPDATE ");
    hy__emit_base_table(e, e->scope->tree);
    hy__emit_as(e, e->scope->tree->alias);
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
        scope->setting = hy__emit_has(e, HY_TRAIT_SET_IN_TURN) ? item : NULL;
        hy__emit_expr(e, item->expr);
        scope->setting = NULL;
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
        hy__emit_join_item(e, join);
        if ((join->kind == HY_JOIN_INNER) != hy__has_conditions(&join->on))
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
        hy__emit_base_table(e, e->scope->tree);
        hy__emit_as(e, e->scope->tree->alias);
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
    hy__emit_base_table(e, e->scope->tree);
}

void hy__clause_delete_all(hy_emitter *e)
{
    PUT(e, "DELETE FROM ");
    hy__emit_base_table(e, e->scope->tree);
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
    hy__emit_items(e, &tree->returning);
}
