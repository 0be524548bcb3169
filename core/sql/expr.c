/*
 * expr.c - constructors of expressions: columns, values, conditions, calls.
 *
 * A constructor checks what it can know (operands, counts, names of the query's own model)
 * and makes one node. NULL climbs: a NULL argument is a failure that is already kept. Knows
 * no dialect; the one text it reads is a raw fragment, to count its placeholders.
 */
#include <string.h>

#include <base/text.h>

#include "sql/ast.h"
#include "sql/scan.h"

enum { NAME_MAX_SIZE = UINT16_MAX };

/* ---- nodes ------------------------------------------------------------------------------ */

void *hy__node_new(hy_query *q, hy_node node, hy_kind kind, size_t size)
{
    if (!hy__query_usable(q))
        return NULL;
    hy_expr *e = hy_arena_alloc(&q->arena, size);
    if (e != NULL)
        *e = (hy_expr){.node = (uint8_t)node, .kind = (uint8_t)kind, .depth = 1};
    return e;
}

/* Room for `n` arguments, none set. */
static hy_branch *branch_empty(hy_query *q, hy_node node, hy_kind kind, size_t n)
{
    if (n >= UINT32_MAX / sizeof(hy_expr *)) {
        HY_QUERY_FAIL(q, HY_ELIMIT_EXCEEDED, "too many operands");
        return NULL;
    }
    hy_branch *b = hy__node_new(q, node, kind, sizeof *b + n * sizeof b->args[0]);
    if (b == NULL)
        return NULL;
    b->n = (uint32_t)n;
    b->split = 0;
    b->aux = NULL;
    return b;
}

bool hy__query_searchable(hy_query *q, const hy_expr *e)
{
    if (e == NULL || (e->flags & HY_FLAG_OPAQUE) == 0)
        return true;
    HY_QUERY_FAIL(q, HY_ENOT_SEARCHABLE,
                  "column '%s' is stored hashed or encrypted: only IS NULL and counting work on it",
                  hy__column_label((const hy_column_expr *)e));
    return false;
}

/* What an opaque column may stand in. Of calls, hy_expr_call() decides. */
static bool takes_opaque(hy_node node)
{
    return node == HY_NODE_IS_NULL || node == HY_NODE_RAW || node == HY_NODE_CALL;
}

static bool set_argument(hy_query *q, hy_branch *b, size_t i, hy_expr *arg)
{
    if (arg == NULL) {
        HY_QUERY_FAIL(q, HY_ENIL_VALUE, "an operand is missing");
        return false;
    }
    if (!takes_opaque((hy_node)b->head.node) && !hy__query_searchable(q, arg))
        return false;
    b->args[i] = arg;
    if (b->head.depth <= arg->depth)
        b->head.depth = (uint16_t)(arg->depth + 1);
    return hy__query_deepen(q, b->head.depth);
}

static bool set_arguments(hy_query *q, hy_branch *b, size_t at, hy_expr *const *args, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!set_argument(q, b, at + i, args[i]))
            return false;
    return true;
}

hy_branch *hy__branch_new(hy_query *q, hy_node node, hy_kind kind, hy_expr *const *args, size_t n)
{
    hy_branch *b = branch_empty(q, node, kind, n);
    if (b == NULL || !set_arguments(q, b, 0, args, n))
        return NULL;
    hy__spread_secrecy(b);
    return b;
}

/* A condition. */
static hy_branch *condition_new(hy_query *q, hy_node node, hy_expr *const *args, size_t n, bool negated)
{
    hy_branch *b = hy__branch_new(q, node, HY_KIND_BOOLEAN, args, n);
    if (b != NULL && negated)
        b->head.flags |= HY_FLAG_NEGATED;
    return b;
}

static hy_expr *as_expr(hy_branch *b)
{
    return b != NULL ? &b->head : NULL;
}

const hy_column *hy_expr_model_column(const hy_expr *e)
{
    return e != NULL && e->node == HY_NODE_COLUMN ? ((const hy_column_expr *)e)->column : NULL;
}

hy_kind hy_expr_kind(const hy_expr *e)
{
    return e != NULL ? (hy_kind)e->kind : HY_KIND_ANY;
}

static bool is_null_value(const hy_expr *e)
{
    return e->node == HY_NODE_VALUE && ((const hy_value_expr *)e)->value.type == HY_NULL;
}

/* ---- columns ---------------------------------------------------------------------------- */

const char *hy__column_label(const hy_column_expr *c)
{
    if (c->column != NULL)
        return c->column->property;
    return c->head.qualifier > 0 ? c->text + c->head.qualifier + 1 : c->text;
}

bool hy__column_is_secret(const hy_column *column)
{
    return column != NULL && (column->flags & (HY_COLUMN_SENSITIVE | HY_COLUMN_HIDDEN)) != 0;
}

static uint8_t secrecy(const hy_column *column)
{
    uint8_t flags = hy__column_is_secret(column) ? HY_FLAG_SENSITIVE : 0;

    return column != NULL && (column->flags & HY_COLUMN_OPAQUE) != 0 ? flags | HY_FLAG_OPAQUE : flags;
}

static hy_expr *column_node(hy_query *q, const hy_column *column, const char *text)
{
    hy_column_expr *c =
        hy__node_new(q, HY_NODE_COLUMN, column != NULL ? column->kind : HY_KIND_ANY, sizeof *c);
    if (c == NULL)
        return NULL;
    c->column = column;
    c->text = text;
    c->head.flags |= secrecy(column);
    return &c->head;
}

hy_expr *hy__expr_model_column(hy_query *q, const hy_column *column)
{
    if (column == NULL) {
        HY_QUERY_FAIL(q, HY_ENIL_VALUE, "a column is missing");
        return NULL;
    }
    return column_node(q, column, NULL);
}

static void fail_undefined(hy_query *q, const char *name, size_t size)
{
    char message[256];

    hy_model_missing_column(q->tree.model, name, size, message, sizeof message);
    HY_QUERY_FAIL(q, HY_EUNDEFINED_COLUMN, "%s", message);
}

static bool check_name(hy_query *q, const char *name, size_t size)
{
    if (name == NULL || size == 0 || size > NAME_MAX_SIZE || hy_text_check(name, size) != HY_TEXT_FINE) {
        HY_QUERY_FAIL(q, HY_EINVALID_IDENTIFIER, "a column name is empty, too long or no proper text");
        return false;
    }
    return true;
}

static void hint_of_tree(hy_expr *e, const hy_tree *tree, const char *name, size_t size)
{
    bool sensitive;

    e->kind = (uint8_t)hy__tree_kind(tree, name, size, &sensitive);
    e->flags |= sensitive ? HY_FLAG_SENSITIVE : 0;
}

hy_expr *hy__expr_own_column(hy_query *q, const char *name, size_t size)
{
    if (!hy__query_usable(q) || !check_name(q, name, size))
        return NULL;
    if (q->tree.model != NULL) {
        const hy_column *column = hy_model_find_column(q->tree.model, name, size);
        if (column != NULL)
            return column_node(q, column, NULL);
        fail_undefined(q, name, size);
        return NULL;
    }
    const char *text = hy_arena_strndup(&q->arena, name, size);
    hy_expr *e = text != NULL ? column_node(q, NULL, text) : NULL;
    if (e != NULL)
        hint_of_tree(e, q->tree.from, name, size);
    return e;
}

/* The last dot, `size` if there is none. */
static size_t last_dot(const char *name, size_t size)
{
    for (size_t i = size; i > 0; i--)
        if (name[i - 1] == '.')
            return i - 1;
    return size;
}

static const hy_tree *cte_of(const hy_query *q, const char *table)
{
    HY_EACH (hy_cte, cte, &q->tree.with)
        if (strcmp(cte->name, table) == 0)
            return cte->tree;
    return NULL;
}

/* What a qualified column holds as far as the tables named so far tell: only a hint. */
static void hint_qualified(const hy_query *q, hy_expr *e, const char *text, size_t qualifier)
{
    const char *name = text + qualifier + 1;
    const char *base = hy__tree_base(&q->tree);
    const hy_model *model = NULL;
    const hy_tree *tree = NULL;

    if (strlen(base) == qualifier && memcmp(base, text, qualifier) == 0) {
        model = q->tree.model;
        tree = q->tree.from;
    }
    HY_EACH (hy_join, join, &q->tree.joins) {
        base = hy__table_base(join->table, join->alias);
        if (model != NULL || tree != NULL || strlen(base) != qualifier || memcmp(base, text, qualifier) != 0)
            continue;
        model = join->model;
        tree = join->tree != NULL || join->table == NULL ? join->tree : cte_of(q, join->table);
    }
    const hy_column *column = model != NULL ? hy_model_find_column(model, name, strlen(name)) : NULL;
    if (model == NULL)
        hint_of_tree(e, tree, name, strlen(name));
    else if (column != NULL)
        e->kind = (uint8_t)column->kind;
    e->flags |= secrecy(column);
}

static hy_expr *qualified(hy_query *q, const char *name, size_t size, size_t dot)
{
    if (dot == 0 || dot + 1 == size) {
        HY_QUERY_FAIL(q, HY_EINVALID_IDENTIFIER, "a name begins or ends with a dot");
        return NULL;
    }
    const char *text = hy_arena_strndup(&q->arena, name, size);
    hy_expr *e = text != NULL ? column_node(q, NULL, text) : NULL;
    if (e == NULL)
        return NULL;
    e->qualifier = (uint16_t)dot;
    if (name[size - 1] == '*' && dot + 2 == size)
        e->node = HY_NODE_STAR;
    else
        hint_qualified(q, e, text, dot);
    return e;
}

static hy_expr *star(hy_query *q)
{
    hy_expr *e = column_node(q, NULL, "*");
    if (e != NULL)
        e->node = HY_NODE_STAR;
    return e;
}

/* What is selected under an alias so far. */
static void hint_of_alias(hy_expr *e, const hy_query *q, const char *name, size_t size)
{
    HY_EACH (hy_item, item, &q->tree.select) {
        if (item->alias == NULL || strlen(item->alias) != size || memcmp(item->alias, name, size) != 0)
            continue;
        e->kind = item->expr->kind;
        e->flags |= item->expr->flags & HY_FLAG_SENSITIVE;
        return;
    }
}

static hy_expr *maybe_alias(hy_query *q, const char *name, size_t size)
{
    const char *text = hy_arena_strndup(&q->arena, name, size);
    hy_expr *e = text != NULL ? column_node(q, NULL, text) : NULL;
    if (e == NULL)
        return NULL;
    e->flags |= HY_FLAG_ALIAS;
    hint_of_alias(e, q, name, size);
    return e;
}

static hy_expr *column(hy_query *q, const char *name, size_t size, bool or_alias)
{
    if (!hy__query_usable(q) || !check_name(q, name, size))
        return NULL;
    if (size == 1 && *name == '*')
        return star(q);
    size_t dot = last_dot(name, size);
    if (dot < size)
        return qualified(q, name, size, dot);
    if (q->tree.model == NULL)
        return or_alias ? maybe_alias(q, name, size) : hy__expr_own_column(q, name, size);

    const hy_column *known = hy_model_find_column(q->tree.model, name, size);
    if (known != NULL)
        return column_node(q, known, NULL);
    if (or_alias)
        return maybe_alias(q, name, size);
    fail_undefined(q, name, size);
    return NULL;
}

hy_expr *hy_expr_column(hy_query *q, const char *name, size_t size)
{
    return column(q, name, size, false);
}

hy_expr *hy_expr_column_or_alias(hy_query *q, const char *name, size_t size)
{
    return column(q, name, size, true);
}

hy_expr *hy_expr_default(hy_query *q)
{
    return as_expr(branch_empty(q, HY_NODE_DEFAULT, HY_KIND_ANY, 0));
}

/* ---- raw text --------------------------------------------------------------------------- */

static bool check_placeholders(hy_query *q, const char *text, size_t size, size_t n_args)
{
    hy_scan scan;
    size_t n = 0;

    hy__scan_init(&scan, text, size);
    for (hy_scan_token t = hy__scan_next(&scan); t.kind != HY_SCAN_END; t = hy__scan_next(&scan)) {
        n += t.kind == HY_SCAN_PLACEHOLDER;
        if (t.kind == HY_SCAN_NAME) {
            HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a raw fragment takes '?', not ':%.*s'",
                          t.size < 60 ? (int)t.size : 60, t.text);
            return false;
        }
    }
    if (n != n_args)
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "the raw fragment has %zu placeholders but %zu values", n,
                      n_args);
    return n == n_args;
}

/* A copy; a comment at its end ends there, and not what follows in the statement with it. */
static const hy_raw_text *raw_text(hy_query *q, const char *text, size_t size)
{
    bool line = hy__scan_needs_line(text, size);
    hy_raw_text *raw = hy_arena_alloc(&q->arena, sizeof *raw);
    char *copy = hy_arena_alloc(&q->arena, size + 2);

    if (raw == NULL || copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = line ? '\n' : '\0';
    copy[size + 1] = '\0';
    *raw = (hy_raw_text){.size = size + line, .text = copy};
    return raw;
}

hy_expr *hy_expr_raw(hy_query *q, const char *text, size_t size, hy_expr *const *args, size_t n_args)
{
    if (!hy__query_usable(q))
        return NULL;
    if (text == NULL || hy_text_check(text, size) != HY_TEXT_FINE) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a raw fragment is missing or no proper text");
        return NULL;
    }
    if (hy__scan_is_open(text, size)) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "the raw fragment ends inside of a comment");
        return NULL;
    }
    if (!check_placeholders(q, text, size, n_args))
        return NULL;
    hy_branch *b = hy__branch_new(q, HY_NODE_RAW, HY_KIND_ANY, args, n_args);
    if (b != NULL)
        b->aux = raw_text(q, text, size);
    return b != NULL && b->aux != NULL ? &b->head : NULL;
}

/* ---- conditions ------------------------------------------------------------------------- */

static bool is_whole(hy_kind kind)
{
    return kind >= HY_KIND_TINYINT && kind <= HY_KIND_BIGINT;
}

static bool is_float(hy_kind kind)
{
    return kind == HY_KIND_FLOAT || kind == HY_KIND_DOUBLE;
}

bool hy__expr_is_decimal(const hy_expr *x)
{
    return x->kind == HY_KIND_DECIMAL ||
           (x->node == HY_NODE_VALUE && ((const hy_value_expr *)x)->value.type == HY_DECIMAL);
}

bool hy__expr_is_whole(const hy_expr *x)
{
    return is_whole((hy_kind)x->kind);
}

bool hy__expr_is_listed_text(const hy_expr *x)
{
    return x->kind == HY_KIND_STRING || x->kind == HY_KIND_TEXT || x->kind == HY_KIND_ULID;
}

/* A number that the column beside it could not hold has no kind but its own. */
static hy_kind number_kind(const hy_expr *x)
{
    if (x->kind != HY_KIND_ANY || x->node != HY_NODE_VALUE)
        return (hy_kind)x->kind;
    hy_type type = ((const hy_value_expr *)x)->value.type;
    return type == HY_INT ? HY_KIND_BIGINT : type == HY_DOUBLE ? HY_KIND_DOUBLE : HY_KIND_ANY;
}

/* What an arithmetic operator yields. A quotient of numbers that are not floats differs between databases. */
static hy_kind arithmetic_kind(hy_op op, const hy_expr *lhs, const hy_expr *rhs)
{
    hy_kind a = number_kind(lhs), b = number_kind(rhs);

    if (op == HY_OP_CONCAT)
        return HY_KIND_TEXT;
    if (is_whole(a) && is_whole(b))
        return op == HY_OP_DIVIDE ? HY_KIND_ANY : HY_KIND_BIGINT;
    if ((hy__expr_is_decimal(lhs) || is_whole(a)) && (hy__expr_is_decimal(rhs) || is_whole(b)))
        return op == HY_OP_DIVIDE ? HY_KIND_ANY : HY_KIND_DECIMAL;
    bool numbers = (is_whole(a) || is_float(a)) && (is_whole(b) || is_float(b));
    return numbers ? HY_KIND_DOUBLE : HY_KIND_ANY;
}

static bool is_arithmetic(hy_op op)
{
    return op >= HY_OP_ADD && op <= HY_OP_CONCAT;
}

hy_expr *hy_expr_is_null(hy_query *q, hy_expr *operand, bool negated)
{
    return as_expr(condition_new(q, HY_NODE_IS_NULL, &operand, 1, negated));
}

/* `operand` OP NULL, where that means something. */
static hy_expr *compare_null(hy_query *q, hy_op op, hy_expr *operand)
{
    if (op == HY_OP_EQ || op == HY_OP_NULLSAFE_EQ)
        return hy_expr_is_null(q, operand, false);
    if (op == HY_OP_NE || op == HY_OP_NULLSAFE_NE)
        return hy_expr_is_null(q, operand, true);
    HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "'%s' with NULL matches nothing", hy_op_word(op));
    return NULL;
}

hy_expr *hy_expr_compare(hy_query *q, hy_op op, hy_expr *lhs, hy_expr *rhs)
{
    if (!hy__query_usable(q))
        return NULL;
    if (hy_op_arity(op) != 2) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "'%s' does not take two operands", hy_op_word(op));
        return NULL;
    }
    if (lhs != NULL && rhs != NULL && is_null_value(rhs))
        return compare_null(q, op, lhs);
    if (lhs != NULL && rhs != NULL && is_null_value(lhs))
        return compare_null(q, op, rhs);
    if (lhs != NULL && op >= HY_OP_LIKE && op <= HY_OP_NOT_IREGEXP && is_whole((hy_kind)lhs->kind))
        lhs = hy_expr_cast(q, lhs, HY_KIND_TEXT); /* PostgreSQL matches text alone */
    hy_branch *b = hy__branch_new(q, HY_NODE_BINARY, HY_KIND_BOOLEAN, (hy_expr *[]){lhs, rhs}, 2);
    if (b == NULL)
        return NULL;
    b->head.op = (uint8_t)op;
    if (is_arithmetic(op))
        b->head.kind = (uint8_t)arithmetic_kind(op, b->args[0], b->args[1]);
    return &b->head;
}

hy_expr *hy_expr_between(hy_query *q, hy_expr *operand, hy_expr *low, hy_expr *high, bool negated)
{
    if (low != NULL && high != NULL && (is_null_value(low) || is_null_value(high))) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "'between' with NULL matches nothing");
        return NULL;
    }
    return as_expr(condition_new(q, HY_NODE_BETWEEN, (hy_expr *[]){operand, low, high}, 3, negated));
}

/* ---- IN --------------------------------------------------------------------------------- */

/* May these travel as one bind? All are values, whole numbers or all text, of one kind. */
static bool is_value_list(hy_expr *const *items, size_t n)
{
    const hy_value_expr *first = (const hy_value_expr *)items[0];
    hy_kind kind = (hy_kind)items[0]->kind;

    if (items[0]->node != HY_NODE_VALUE)
        return false;
    bool whole = first->value.type == HY_INT && (kind == HY_KIND_ANY || is_whole(kind));
    bool text = first->value.type == HY_TEXT && (kind == HY_KIND_ANY || kind == HY_KIND_STRING ||
                                                 kind == HY_KIND_TEXT || kind == HY_KIND_ULID);
    for (size_t i = 1; i < n && (whole || text); i++) {
        const hy_value_expr *item = (const hy_value_expr *)items[i];
        if (item->head.node != HY_NODE_VALUE || item->value.type != first->value.type ||
            item->head.kind != kind)
            return false;
    }
    return whole || text;
}

/* operand IN items, which hold no NULL and at least one value. */
static hy_expr *in_list(hy_query *q, hy_expr *operand, hy_expr *const *items, size_t n, size_t n_nulls,
                        bool negated)
{
    hy_branch *b = branch_empty(q, HY_NODE_IN, HY_KIND_BOOLEAN, n - n_nulls + 1);
    size_t at = 1;

    if (b == NULL || !set_argument(q, b, 0, operand))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!is_null_value(items[i]) && !set_argument(q, b, at++, items[i]))
            return NULL;
    if (negated)
        b->head.flags |= HY_FLAG_NEGATED;
    hy__spread_secrecy(b);
    if (is_value_list(b->args + 1, n - n_nulls))
        b->head.flags |= HY_FLAG_LIST_VALUES;
    return &b->head;
}

static hy_expr *constant(hy_query *q, bool value)
{
    return as_expr(condition_new(q, HY_NODE_CONSTANT, NULL, 0, !value));
}

hy_expr *hy_expr_in(hy_query *q, hy_expr *operand, hy_expr *const *items, size_t n, bool negated)
{
    size_t n_nulls = 0;

    if (!hy__query_usable(q))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (items[i] == NULL) {
            HY_QUERY_FAIL(q, HY_ENIL_VALUE, "value %zu of the list is missing", i + 1);
            return NULL;
        }
        n_nulls += is_null_value(items[i]);
    }
    if (n == 0)
        return constant(q, negated);
    hy_expr *is_null = n_nulls > 0 ? hy_expr_is_null(q, operand, negated) : NULL;
    if (n_nulls == n)
        return is_null;
    hy_expr *in = in_list(q, operand, items, n, n_nulls, negated);
    if (n_nulls == 0)
        return in;
    return hy_expr_all(q, negated ? HY_AND : HY_OR, (hy_expr *[]){in, is_null}, 2);
}

/* ---- subqueries ------------------------------------------------------------------------- */

static hy_expr *query_node(hy_query *q, hy_node node, hy_expr *operand, const hy_query *sub, bool negated)
{
    hy_tree *tree = hy__query_searchable(q, operand) ? hy__query_adopt(q, sub) : NULL;
    hy_query_expr *e = tree != NULL ? hy__node_new(q, node, HY_KIND_BOOLEAN, sizeof *e) : NULL;

    if (e == NULL)
        return NULL;
    e->operand = operand;
    e->tree = tree;
    if (negated)
        e->head.flags |= HY_FLAG_NEGATED;
    unsigned depth = tree->depth + 1U;
    if (operand != NULL && operand->depth >= depth)
        depth = operand->depth + 1U;
    if (!hy__query_deepen(q, depth))
        return NULL;
    e->head.depth = (uint16_t)depth;
    hy__spread_query_secrecy(e);
    return &e->head;
}

hy_expr *hy_expr_in_query(hy_query *q, hy_expr *operand, const hy_query *sub, bool negated)
{
    if (operand == NULL)
        HY_QUERY_FAIL(q, HY_ENIL_VALUE, "an operand is missing");
    return query_node(q, HY_NODE_IN_QUERY, operand, sub, negated);
}

hy_expr *hy_expr_exists(hy_query *q, const hy_query *sub, bool negated)
{
    return query_node(q, HY_NODE_EXISTS, NULL, sub, negated);
}

hy_expr *hy_expr_query(hy_query *q, const hy_query *sub)
{
    hy_expr *e = query_node(q, HY_NODE_QUERY, NULL, sub, false);
    if (e == NULL)
        return NULL;
    const hy_chain *select = &((hy_query_expr *)e)->tree->select;
    e->kind = select->n == 1 ? ((hy_item *)select->first)->expr->kind : HY_KIND_ANY;
    return e;
}

/* ---- the rest --------------------------------------------------------------------------- */

hy_expr *hy_expr_row(hy_query *q, hy_expr *const *items, size_t n)
{
    if (n == 0)
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a row needs at least one value");
    return as_expr(hy__branch_new(q, HY_NODE_ROW, HY_KIND_ANY, items, n));
}

hy_expr *hy_expr_not(hy_query *q, hy_expr *operand)
{
    return as_expr(condition_new(q, HY_NODE_NOT, &operand, 1, false));
}

hy_expr *hy_expr_all(hy_query *q, hy_connector connector, hy_expr *const *items, size_t n)
{
    if (n == 0)
        return constant(q, connector == HY_AND);
    if (n == 1)
        return items[0];
    hy_branch *b = condition_new(q, HY_NODE_ALL, items, n, false);
    if (b != NULL)
        b->head.op = (uint8_t)connector;
    return as_expr(b);
}

static bool is_plain_name(const char *name, size_t size)
{
    bool first = true;

    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (c == '.' ? first : !letter && (first || c < '0' || c > '9'))
            return false;
        first = c == '.';
    }
    return size > 0 && !first;
}

/* A function that is not in the table: as written, named in lower case. */
static const hy_function *function_other(hy_query *q, const char *name, size_t size)
{
    hy_function *f = hy_arena_zero(&q->arena, sizeof *f);
    char *spelling = hy_arena_strndup(&q->arena, name, size);
    char *label = hy_arena_strndup(&q->arena, name, size);

    if (f == NULL || spelling == NULL || label == NULL)
        return NULL;
    for (char *c = label; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    *f = (hy_function){.label = label, .spelling = spelling};
    return f;
}

/* MySQL, MariaDB and SQLite would total the digits that a text or a date begins with, and booleans. */
static bool can_total(hy_query *q, const hy_function *f, const hy_expr *x)
{
    bool totals = f->result == HY_RESULT_SUM || f->result == HY_RESULT_AVERAGE;
    hy_type type = hy_kind_type(hy_expr_kind(x));

    if (!totals || (type < HY_TEXT && type != HY_BOOL) || type == HY_DECIMAL)
        return true;
    HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "%s takes numbers, and %.60s is of kind %s", f->label,
                  x->node == HY_NODE_COLUMN ? hy__column_label((const hy_column_expr *)x) : "its argument",
                  hy_kind_name(hy_expr_kind(x)));
    return false;
}

hy_expr *hy_expr_call(hy_query *q, const char *name, size_t size, hy_expr *const *args, size_t n,
                      bool distinct)
{
    if (!hy__query_usable(q))
        return NULL;
    if (name == NULL || !is_plain_name(name, size)) {
        HY_QUERY_FAIL(q, HY_EINVALID_IDENTIFIER, "a function's name must be a plain identifier");
        return NULL;
    }
    const hy_function *f = hy__function_find(name, size);
    if (f == NULL)
        f = function_other(q, name, size);
    bool counts = f != NULL && strcmp(f->label, "count") == 0 && !distinct;
    for (size_t i = 0; !counts && i < n; i++)
        if (!hy__query_searchable(q, args[i]))
            return NULL;
    if (f != NULL && n == 1 && args[0] != NULL && !can_total(q, f, args[0]))
        return NULL;
    hy_branch *b = f != NULL ? hy__branch_new(q, HY_NODE_CALL, HY_KIND_ANY, args, n) : NULL;
    if (b == NULL)
        return NULL;
    b->aux = f;
    b->head.kind = (uint8_t)hy__function_result(f, b->args, n);
    if (distinct)
        b->head.flags |= HY_FLAG_DISTINCT;
    return &b->head;
}

static bool is_whole_value(const hy_expr *x)
{
    return x->node == HY_NODE_VALUE && ((const hy_value_expr *)x)->value.type == HY_INT;
}

/* The kind of the first branch whose kind is known; whole numbers alone are whole. */
static hy_kind case_kind(hy_expr *const *thens, size_t n, const hy_expr *otherwise)
{
    bool whole = otherwise == NULL || is_whole_value(otherwise);

    for (size_t i = 0; i < n; i++) {
        if (thens[i]->kind != HY_KIND_ANY)
            return (hy_kind)thens[i]->kind;
        whole = whole && is_whole_value(thens[i]);
    }
    return whole ? HY_KIND_BIGINT : hy_expr_kind(otherwise);
}

hy_expr *hy_expr_case(hy_query *q, hy_expr *const *whens, hy_expr *const *thens, size_t n, hy_expr *otherwise)
{
    if (n == 0)
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a CASE needs at least one WHEN");
    hy_branch *b = branch_empty(q, HY_NODE_CASE, HY_KIND_ANY, 2 * n + (otherwise != NULL));
    if (b == NULL)
        return NULL;
    b->split = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        if (!set_argument(q, b, 2 * i, whens[i]) || !set_argument(q, b, 2 * i + 1, thens[i]))
            return NULL;
    if (otherwise != NULL && !set_argument(q, b, 2 * n, otherwise))
        return NULL;
    hy__spread_secrecy(b);
    b->head.kind = (uint8_t)case_kind(thens, n, otherwise);
    return &b->head;
}

hy_expr *hy_expr_cast(hy_query *q, hy_expr *operand, hy_kind kind)
{
    if ((unsigned)kind >= HY_KIND_COUNT || kind == HY_KIND_ANY || kind == HY_KIND_CUSTOM)
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "no CAST to that kind");
    return as_expr(hy__branch_new(q, HY_NODE_CAST, kind, &operand, 1));
}

hy_expr *hy_expr_over(hy_query *q, hy_expr *call, hy_expr *const *partition, size_t n_partition,
                      hy_expr *const *order, const hy_direction *directions, size_t n_order)
{
    hy_branch *b = branch_empty(q, HY_NODE_OVER, hy_expr_kind(call), 1 + n_partition + n_order);
    hy_over *over = b != NULL ? hy_arena_zero(&q->arena, sizeof *over + n_order) : NULL;

    if (over == NULL || !set_argument(q, b, 0, call) || !set_arguments(q, b, 1, partition, n_partition) ||
        !set_arguments(q, b, 1 + n_partition, order, n_order))
        return NULL;
    if (call->node != HY_NODE_CALL && call->node != HY_NODE_RAW) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "only a function call can have OVER");
        return NULL;
    }
    if (call->node == HY_NODE_CALL && (call->flags & HY_FLAG_DISTINCT) != 0) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a window takes no DISTINCT");
        return NULL;
    }
    for (size_t i = 0; i < n_order; i++)
        over->directions[i] = directions != NULL ? (uint8_t)directions[i] : HY_ASC;
    hy__spread_secrecy(b);
    b->split = (uint32_t)n_partition;
    b->aux = over;
    return &b->head;
}

hy_expr *hy_expr_frame(hy_query *q, hy_expr *over, const hy_frame *frame)
{
    if (!hy__query_takes(q, over))
        return NULL;
    bool backwards = !frame->from_first && !frame->to_last && frame->from > frame->to;
    if (over->node != HY_NODE_OVER || backwards) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a frame goes from one row to a later one of a window");
        return NULL;
    }
    hy_over *own = (hy_over *)((hy_branch *)over)->aux; /* the query's own memory */
    own->frame = *frame;
    own->framed = true;
    return over;
}
