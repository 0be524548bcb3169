/*
 * resolve.c - what a name in a query means in the database.
 *
 * Property names become column names by the model of the table that the qualifier names: the
 * base table, a joined one, a subquery or CTE, in this statement or in one around it. Names
 * that no model knows are converted by the base model's convention, or taken as they are.
 */
#include <string.h>

#include "sql/emit.h"

/* A table as one scope sees it: at most one of these is known. */
typedef struct source {
    const hy_model *model;
    const hy_tree *tree;
} source;

static bool same(const char *text, const char *name, size_t size)
{
    return text != NULL && strncmp(text, name, size) == 0 && text[size] == '\0';
}

const hy_item *hy__find_alias(const hy_tree *tree, const char *name, size_t size)
{
    HY_EACH (hy_item, item, &tree->select)
        if (same(item->alias, name, size))
            return item;
    return NULL;
}

static const hy_tree *find_cte(const hy_emitter *e, const char *table)
{
    for (const hy_scope *scope = e->scope; scope != NULL; scope = scope->outer)
        HY_EACH (hy_cte, cte, &scope->tree->with)
            if (strcmp(cte->name, table) == 0)
                return cte->tree;
    return NULL;
}

static void base_source(const hy_emitter *e, const hy_tree *tree, source *out)
{
    *out = (source){.model = tree->model, .tree = tree->from};
    if (out->model == NULL && out->tree == NULL && tree->table != NULL)
        out->tree = find_cte(e, tree->table);
}

/* Is `name` one of the tables of this scope? */
static bool find_in_scope(const hy_emitter *e, const hy_scope *scope, const char *name, size_t size,
                          source *out)
{
    const hy_tree *tree = scope->tree;

    if ((size == scope->base_size && memcmp(scope->base, name, size) == 0) || same(tree->table, name, size)) {
        base_source(e, tree, out);
        return true;
    }
    HY_EACH (hy_join, join, &tree->joins) {
        if (!same(hy__table_base(join->table, join->alias), name, size) && !same(join->table, name, size))
            continue;
        *out = (source){.model = join->model, .tree = join->tree};
        if (out->model == NULL && out->tree == NULL && join->table != NULL)
            out->tree = find_cte(e, join->table);
        return true;
    }
    return false;
}

static const hy_scope *find_source(const hy_emitter *e, const char *name, size_t size, source *out)
{
    for (const hy_scope *scope = e->scope; scope != NULL; scope = scope->outer)
        if (find_in_scope(e, scope, name, size, out))
            return scope;
    return NULL;
}

static void name_is_column(hy_name *out, const hy_column *column)
{
    out->text = column->name;
    out->size = strlen(column->name);
    out->label = column->property;
    out->column = column;
    out->kind = column->kind;
    out->sensitive = (column->flags & (HY_COLUMN_SENSITIVE | HY_COLUMN_HIDDEN)) != 0;
}

/* Is `name` what this selected item is called, in the database or as a property? */
static bool item_is_called(const hy_item *item, const char *name, size_t size)
{
    const hy_column_expr *c = (const hy_column_expr *)item->expr;

    if (item->alias != NULL || item->expr->node != HY_NODE_COLUMN)
        return same(item->alias, name, size);
    return same(hy__column_label(c), name, size) || (c->column != NULL && same(c->column->name, name, size));
}

/* What a subquery calls a name that is used outside of it. False: it has none such. */
static bool find_in_tree(const hy_tree *tree, const char *name, size_t size, hy_name *out)
{
    HY_EACH (hy_item, item, &tree->select) {
        if (!item_is_called(item, name, size))
            continue;
        out->kind = (hy_kind)item->expr->kind;
        if (item->alias == NULL && ((const hy_column_expr *)item->expr)->column != NULL)
            name_is_column(out, ((const hy_column_expr *)item->expr)->column);
        out->sensitive = hy__is_secret(item->expr);
        return true;
    }
    const hy_item *first = (const hy_item *)tree->select.first;
    if (first != NULL && first->expr->node != HY_NODE_STAR)
        return false;
    const hy_column *column = tree->model != NULL ? hy_model_find_column(tree->model, name, size) : NULL;
    if (column != NULL)
        name_is_column(out, column);
    else if (tree->model == NULL && tree->from != NULL)
        return find_in_tree(tree->from, name, size, out);
    return column != NULL;
}

hy_kind hy__tree_kind(const hy_tree *tree, const char *name, size_t size, bool *sensitive)
{
    hy_name found = {.kind = HY_KIND_ANY};
    bool known = tree != NULL && find_in_tree(tree, name, size, &found);

    *sensitive = known && found.sensitive;
    return known ? found.kind : HY_KIND_ANY;
}

static void convert(hy_name *out, const hy_tree *tree)
{
    hy_naming naming = tree->model != NULL ? hy_model_naming(tree->model) : (hy_naming)tree->naming;
    if (naming == HY_NAMING_PRESERVE || out->size >= sizeof out->converted)
        return;
    size_t size = hy_naming_convert(naming, out->text, out->size, out->converted, sizeof out->converted);
    if (size >= sizeof out->converted)
        return;
    out->text = out->converted;
    out->size = size;
}

static void fail_undefined(hy_emitter *e, const hy_model *model, const char *name, size_t size)
{
    char message[256];

    hy_model_missing_column(model, name, size, message, sizeof message);
    EMIT_FAIL(e, HY_EUNDEFINED_COLUMN, "%s", message);
}

static void name_as_written(hy_name *out, const char *text)
{
    out->text = text;
    out->size = strlen(text);
    out->label = text;
    out->column = NULL;
    out->kind = HY_KIND_ANY;
    out->sensitive = false;
}

void hy__fail_new_row(hy_emitter *e)
{
    EMIT_FAIL(e, HY_EINVALID_ARGUMENT,
              "a value of a new row names a column: there is no row yet to take it from");
}

void hy__check_assigned(hy_emitter *e, const hy_scope *scope, const char *name, size_t size)
{
    hy_name target;

    if (scope->setting == NULL)
        return;
    HY_EACH (hy_item, item, &scope->tree->set) {
        if (item == scope->setting)
            return;
        hy__resolve_bare(e, (const hy_column_expr *)item->target, &target);
        if (target.size == size && memcmp(target.text, name, size) == 0)
            hy__emit_unsupported(e, "SET from a column that is set before");
    }
}

static bool is_base(const hy_scope *scope, const hy_column_expr *c)
{
    return scope != NULL && c->head.qualifier == scope->base_size &&
           memcmp(c->text, scope->base, scope->base_size) == 0;
}

bool hy__resolve_qualified(hy_emitter *e, const hy_column_expr *c, hy_name *out)
{
    source from = {0};
    const hy_scope *scope = find_source(e, c->text, c->head.qualifier, &from);

    name_as_written(out, c->text + c->head.qualifier + 1);
    if (scope != NULL && scope->base_only && !is_base(scope, c)) {
        hy__emit_unsupported(e, "joined columns in SET");
        return false;
    }
    if (scope != NULL && scope->new_row) {
        hy__fail_new_row(e);
        return false;
    }
    if (from.model != NULL) {
        const hy_column *column = hy_model_find_column(from.model, out->text, out->size);
        if (column != NULL)
            name_is_column(out, column);
        else
            fail_undefined(e, from.model, out->text, out->size);
        if (column != NULL && is_base(scope, c))
            hy__check_assigned(e, scope, column->name, strlen(column->name));
        return column != NULL;
    }
    if (from.tree == NULL || !find_in_tree(from.tree, out->text, out->size, out))
        convert(out, scope != NULL ? scope->tree : e->scope->tree);
    if (is_base(scope, c))
        hy__check_assigned(e, scope, out->text, out->size);
    return true;
}

void hy__resolve_plain(hy_emitter *e, const hy_column_expr *c, hy_name *out)
{
    const hy_tree *tree = e->scope->tree;
    source from = {0};

    name_as_written(out, c->text);
    if (hy__may_be_raw_alias(tree, &c->head)) { /* as it is written there, where it may be named */
        if (e->scope->place == HY_PLACE_INNER)
            hy__emit_unsupported(e, "an alias of raw text in HAVING or inside of an expression");
        return;
    }
    if (tree->model != NULL) { /* its own columns were found when the query was built */
        fail_undefined(e, tree->model, out->text, out->size);
        return;
    }
    base_source(e, tree, &from);
    if (from.tree == NULL || !find_in_tree(from.tree, out->text, out->size, out))
        convert(out, tree);
}

void hy__resolve_bare(hy_emitter *e, const hy_column_expr *c, hy_name *out)
{
    name_as_written(out, c->column != NULL ? c->column->name : c->text);
    if (c->column == NULL)
        convert(out, e->scope->tree);
}

const hy_model *hy__resolve_model(hy_emitter *e, const char *qualifier, size_t size)
{
    source from = {0};

    find_source(e, qualifier, size, &from);
    return from.model;
}
