/*
 * emit.c - expressions as text and binds.
 *
 * One function per kind of node, chosen from a table. Placeholders number themselves in
 * reading order because text and binds grow in the same walk. Knows no dialect by name.
 */
#include <base/number.h>
#include <hysteria/memory.h>

#include "sql/emit.h"
#include "sql/scan.h"

/* ---- text and names --------------------------------------------------------------------- */

void hy__emit_unsupported(hy_emitter *e, const char *feature)
{
    if (e->status == HY_OK)
        e->status = hy_fail_unsupported(e->err, feature, e->dialect->name);
}

void hy__emit_need(hy_emitter *e, hy_feature_number feature)
{
    if (!hy__emit_can(e, feature))
        hy__emit_unsupported(e, hy_feature_name(feature));
}

void hy__emit_identifier(hy_emitter *e, const char *name, size_t size)
{
    hy_error *err = e->status == HY_OK ? e->err : NULL;
    hy_status status = hy__put_identifier(e->text, e->dialect, name, size, err);

    if (status != HY_OK && e->status == HY_OK)
        e->status = status;
}

void hy__emit_dotted(hy_emitter *e, const char *name, size_t size)
{
    const char *dot = memchr(name, '.', size);

    while (dot != NULL) {
        size_t part = (size_t)(dot - name);
        hy__emit_identifier(e, name, part);
        PUT(e, ".");
        name += part + 1;
        size -= part + 1;
        dot = memchr(name, '.', size);
    }
    hy__emit_identifier(e, name, size);
}

void hy__emit_base(hy_emitter *e)
{
    if (!e->scope->qualify)
        return;
    hy__emit_identifier(e, e->scope->base, e->scope->base_size);
    PUT(e, ".");
}

/* ---- binds ------------------------------------------------------------------------------ */

static bool grow_binds(hy_compiler *c)
{
    size_t room = c->binds_room > 0 ? c->binds_room * 2 : 32;
    hy_bind *binds = hy_realloc(c->binds, room * sizeof *binds);
    if (binds == NULL)
        return false;
    c->binds = binds;
    const hy_param **params = hy_realloc(c->params, room * sizeof *params);
    if (params == NULL)
        return false;
    c->params = params;
    const void **origins = hy_realloc(c->origins, room * sizeof *origins);
    if (origins == NULL)
        return false;
    c->origins = origins;
    c->binds_room = room;
    return true;
}

void hy__put_placeholder(hy_emitter *e, size_t number)
{
    char text[HY_NUMBER_TEXT_SIZE];
    char *p = text + sizeof text;

    if (e->dialect->bind_style == HY_BIND_QUESTION) {
        PUT(e, "?");
        return;
    }
    for (; number > 0; number /= 10)
        *--p = (char)('0' + number % 10);
    *--p = '$';
    hy__put(e, p, (size_t)(text + sizeof text - p));
}

const char hy__constant[] = "";

static void add_bind(hy_emitter *e, const hy_bind *bind, const hy_param *param, const void *origin)
{
    hy_compiler *c = e->compiler;

    if (c->n_binds == c->binds_room && !grow_binds(c)) {
        e->status = e->status == HY_OK ? hy_fail_oom(e->err) : e->status;
        return;
    }
    c->binds[c->n_binds] = *bind;
    c->params[c->n_binds] = param;
    c->origins[c->n_binds++] = origin;
    hy__put_placeholder(e, c->n_binds);
}

/*
 * The placeholder that this value, or this parameter, has already. A server takes two placeholders for two
 * values: an expression that is selected is another one in HAVING unless they are the same there.
 */
static bool put_again(hy_emitter *e, const hy_bind *bind, const hy_param *param, const void *origin)
{
    const hy_compiler *c = e->compiler;

    if (!e->again || e->dialect->bind_style == HY_BIND_QUESTION || (param == NULL && origin == NULL))
        return false;
    for (size_t i = 0; i < c->n_binds; i++) {
        if (c->params[i] != param || c->origins[i] != origin)
            continue;
        if (origin == hy__constant && c->binds[i].value.as.text.data != bind->value.as.text.data)
            continue; /* a part of another path */
        hy__put_placeholder(e, i + 1);
        return true;
    }
    return false;
}

void hy__emit_bind_of(hy_emitter *e, const hy_bind *bind, const void *origin)
{
    if (e->inline_values)
        hy__put_literal(e->text, e->dialect, &bind->value);
    else if (!put_again(e, bind, NULL, origin))
        add_bind(e, bind, NULL, origin);
}

void hy__emit_bind(hy_emitter *e, const hy_bind *bind)
{
    hy__emit_bind_of(e, bind, NULL);
}

static void emit_value(hy_emitter *e, const hy_expr *x)
{
    hy_bind bind = hy__bind_of(x);
    hy__emit_bind_of(e, &bind, x);
}

static bool are_values(hy_expr *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == NULL || list[i]->node != HY_NODE_VALUE)
            return false;
    return true;
}

void hy__put_placeholders(hy_emitter *e, size_t n)
{
    static const char sixteen[] = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ";

    PUT(e, "(");
    for (; n > 16; n -= 16)
        hy__put(e, sixteen, sizeof sixteen - 1);
    hy__put(e, sixteen, 3 * n - 2);
    PUT(e, ")");
}

bool hy__emit_row_binds(hy_emitter *e, const hy_row *row, size_t n)
{
    hy_compiler *c = e->compiler;

    while (c->binds_room - c->n_binds < n)
        if (!grow_binds(c))
            return false;
    hy_bind *binds = c->binds + c->n_binds;
    if (row->plain)
        memcpy(binds, hy__row_binds(row), n * sizeof *binds);
    for (size_t i = 0; !row->plain && i < n; i++)
        binds[i] = hy__bind_of(hy__row_cells(row)[i]);
    memset(c->params + c->n_binds, 0, n * sizeof *c->params);
    for (size_t i = 0; i < n; i++)
        c->origins[c->n_binds + i] =
            row->plain ? (const void *)&hy__row_binds(row)[i] : hy__row_cells(row)[i];
    c->n_binds += n;
    return true;
}

bool hy__emit_values(hy_emitter *e, const hy_row *row, size_t n)
{
    bool plain = row->plain ? !row->has_default : are_values(hy__row_cells(row), n);

    if (n == 0 || e->inline_values || e->dialect->bind_style != HY_BIND_QUESTION || !plain ||
        !hy__emit_row_binds(e, row, n))
        return false;
    hy__put_placeholders(e, n);
    return true;
}

static void emit_param(hy_emitter *e, const hy_expr *x)
{
    const hy_param *param = ((const hy_branch *)x)->aux;
    hy_bind none = {.value = hy_null(), .kind = (hy_kind)x->kind, .sensitive = hy__is_secret(x)};

    if (e->inline_values) {
        PUT(e, ":");
        hy__puts(e, param->name);
        return;
    }
    e->has_params = true;
    if (!put_again(e, &none, param, NULL))
        add_bind(e, &none, param, NULL);
}

static void emit_default(hy_emitter *e, const hy_expr *x)
{
    (void)x;
    hy__emit_need(e, HY_FEATURE_NUMBER_DEFAULT_IN_VALUES);
    PUT(e, "DEFAULT");
}

/* ---- columns ---------------------------------------------------------------------------- */

void hy__emit_bare(hy_emitter *e, const hy_expr *column)
{
    hy_name name;

    hy__resolve_bare(e, (const hy_column_expr *)column, &name);
    hy__emit_identifier(e, name.text, name.size);
}

static void emit_qualified(hy_emitter *e, const hy_column_expr *c)
{
    hy_name name;

    if (!hy__resolve_qualified(e, c, &name))
        return;
    e->secret = e->secret || name.sensitive;
    hy__emit_dotted(e, c->text, c->head.qualifier);
    PUT(e, ".");
    hy__emit_identifier(e, name.text, name.size);
}

/* A select alias: by name where the place allows it, else what it stands for. */
static void emit_alias(hy_emitter *e, const hy_item *item)
{
    hy_place place = e->scope->place;

    e->secret = e->secret || hy__is_secret(item->expr);
    if (place == HY_PLACE_NAME) {
        hy__emit_identifier(e, item->alias, strlen(item->alias));
        return;
    }
    bool again = e->again;
    e->again = true;
    e->scope->place = HY_PLACE_PLAIN; /* so that no alias can stand for itself */
    hy__emit_operand(e, item->expr);
    e->scope->place = place;
    e->again = again;
}

static void emit_unqualified(hy_emitter *e, const hy_column_expr *c)
{
    bool may_be_alias = (c->head.flags & HY_FLAG_ALIAS) != 0 && e->scope->place != HY_PLACE_PLAIN;
    const hy_item *item = may_be_alias ? hy__find_alias(e->scope->tree, c->text, strlen(c->text)) : NULL;
    hy_name name;

    if (item != NULL) {
        emit_alias(e, item);
        return;
    }
    if (e->scope->own_names)
        hy__emit_base(e);
    hy__resolve_plain(e, c, &name);
    hy__check_assigned(e, e->scope, name.text, name.size);
    e->secret = e->secret || name.sensitive;
    hy__emit_identifier(e, name.text, name.size);
}

static void emit_column(hy_emitter *e, const hy_expr *x)
{
    const hy_column_expr *c = (const hy_column_expr *)x;

    if (e->scope->new_row) {
        hy__fail_new_row(e);
    } else if (c->column != NULL) {
        const char *name = e->scope->labels ? c->column->property : c->column->name;
        hy__check_assigned(e, e->scope, c->column->name, strlen(c->column->name));
        hy__emit_base(e);
        hy__emit_identifier(e, name, strlen(name));
    } else if (x->qualifier > 0) {
        emit_qualified(e, c);
    } else {
        emit_unqualified(e, c);
    }
}

/* Select lists and calls handle their stars themselves. */
static void emit_star(hy_emitter *e, const hy_expr *x)
{
    (void)x;
    EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "'*' is no value");
}

/* ---- raw text --------------------------------------------------------------------------- */

static void emit_raw(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    const hy_raw_text *raw = b->aux;
    hy_scan scan;
    size_t at = 0;

    e->has_raw = true;
    hy__scan_init(&scan, raw->text, raw->size);
    for (hy_scan_token t = hy__scan_next(&scan); t.kind != HY_SCAN_END; t = hy__scan_next(&scan)) {
        if (t.kind == HY_SCAN_PLACEHOLDER)
            hy__emit_expr(e, b->args[at++]);
        else if (t.kind == HY_SCAN_TEXT)
            hy__put(e, t.text, t.size);
        else if (hy__emit_has(e, HY_TRAIT_QUESTION_OPERATOR))
            PUT(e, "?");
        else
            hy__emit_unsupported(e, "? as an operator");
    }
}

/* ---- conditions ------------------------------------------------------------------------- */

static void emit_constant(hy_emitter *e, const hy_expr *x)
{
    if ((x->flags & HY_FLAG_NEGATED) != 0)
        PUT(e, "1 = 0");
    else
        PUT(e, "1 = 1");
}

static const char *const ansi_ops[HY_OP_COUNT] = {
#define SPELLING(name, word, arity, spelling) [HY_OP_##name] = " " spelling " ",
    HY_OP_MAP(SPELLING)
#undef SPELLING
};

/* The end of a CAST( that yields decimals as text which such a database compares as numbers. */
#define TEXT_DECIMAL_END " AS TEXT) COLLATE hysteria_decimal"

/* The driver's functions for what such a database would calculate with floats. */
static const char *const exact_ops[HY_OP_COUNT] = {
    [HY_OP_ADD] = "hysteria_add(",
    [HY_OP_SUBTRACT] = "hysteria_subtract(",
    [HY_OP_MULTIPLY] = "hysteria_multiply(",
};
static const char *const whole_ops[HY_OP_COUNT] = {
    [HY_OP_ADD] = "hysteria_whole_add(",
    [HY_OP_SUBTRACT] = "hysteria_whole_subtract(",
    [HY_OP_MULTIPLY] = "hysteria_whole_multiply(",
};

static bool is_float_kind(const hy_expr *x)
{
    return x->kind == HY_KIND_FLOAT || x->kind == HY_KIND_DOUBLE;
}

/* Which of them, NULL for none: floats stay floats, and of an unknown kind nothing is known. */
static const char *exact_function(const hy_emitter *e, const hy_branch *b)
{
    const hy_expr *lhs = b->args[0], *rhs = b->args[1];

    if (!hy__emit_has(e, HY_TRAIT_TEXT_DECIMALS))
        return NULL;
    if (b->head.kind == HY_KIND_BIGINT)
        return whole_ops[b->head.op];
    bool decimal = hy__expr_is_decimal(lhs) || hy__expr_is_decimal(rhs);
    return decimal && !is_float_kind(lhs) && !is_float_kind(rhs) ? exact_ops[b->head.op] : NULL;
}

/* Decimals come as text: wrapped as emit_after_call() says. */
static void emit_function(hy_emitter *e, const char *function, const hy_branch *b)
{
    bool decimal = function == exact_ops[b->head.op];

    if (decimal)
        PUT(e, "CAST(");
    hy__puts(e, function);
    hy__emit_list(e, b->args, b->n);
    PUT(e, ")");
    if (decimal)
        PUT(e, TEXT_DECIMAL_END);
}

static void emit_binary(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    const hy_op_text *text = &e->dialect->ops[x->op];
    const char *function = exact_function(e, b);

    if (function != NULL) {
        emit_function(e, function, b);
        return;
    }

    if (x->op >= HY_OP_REGEXP && x->op <= HY_OP_NOT_IREGEXP)
        hy__emit_need(e, HY_FEATURE_NUMBER_REGEXP);
    if (text->before != NULL)
        hy__puts(e, text->before);
    hy__emit_operand(e, b->args[0]);
    hy__puts(e, text->between != NULL ? text->between : ansi_ops[x->op]);
    hy__emit_operand(e, b->args[1]);
    if (text->after != NULL)
        hy__puts(e, text->after);
}

static bool negated(const hy_expr *x)
{
    return (x->flags & HY_FLAG_NEGATED) != 0;
}

static void emit_is_null(hy_emitter *e, const hy_expr *x)
{
    hy__emit_operand(e, ((const hy_branch *)x)->args[0]);
    hy__puts(e, negated(x) ? " IS NOT NULL" : " IS NULL");
}

static void emit_between(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;

    hy__emit_operand(e, b->args[0]);
    hy__puts(e, negated(x) ? " NOT BETWEEN " : " BETWEEN ");
    hy__emit_operand(e, b->args[1]);
    PUT(e, " AND ");
    hy__emit_operand(e, b->args[2]);
}

static void emit_not(hy_emitter *e, const hy_expr *x)
{
    bool outer = e->negating;

    e->negating = true;
    PUT(e, "NOT (");
    hy__emit_expr(e, ((const hy_branch *)x)->args[0]);
    PUT(e, ")");
    e->negating = outer;
}

/* AND binds tighter: only an OR, and what nobody can look into, needs parentheses here. */
static bool is_loose(const hy_expr *x)
{
    return x->node == HY_NODE_RAW || (x->node == HY_NODE_ALL && x->op == HY_OR);
}

static void emit_all(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;

    for (size_t i = 0; i < b->n; i++) {
        const hy_expr *arg = b->args[i];
        bool parens = is_loose(arg) && !(arg->node == HY_NODE_ALL && x->op == HY_OR);
        if (i > 0)
            hy__puts(e, x->op == HY_OR ? " OR " : " AND ");
        if (parens)
            PUT(e, "(");
        hy__emit_expr(e, arg);
        if (parens)
            PUT(e, ")");
    }
}

/* ---- rows --------------------------------------------------------------------------------- */

static void emit_row(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;

    if (b->n > 1)
        hy__emit_need(e, HY_FEATURE_NUMBER_ROW_VALUES);
    PUT(e, "(");
    hy__emit_list(e, b->args, b->n);
    PUT(e, ")");
}

/* ---- calls ------------------------------------------------------------------------------ */

/* Does the text of this call need wrapping so that it yields a float everywhere? */
static bool is_exact_average(const hy_emitter *e, const hy_expr *call)
{
    const hy_function *f = ((const hy_branch *)call)->aux;

    return call->node == HY_NODE_CALL && f->number == HY_FUNCTION_AVG && call->kind == HY_KIND_DOUBLE &&
           hy__emit_has(e, HY_TRAIT_EXACT_AVG);
}

/* Does it yield decimals that the database itself would compare as text? */
static bool is_text_decimal(const hy_emitter *e, const hy_expr *x)
{
    return x->kind == HY_KIND_DECIMAL && hy__emit_has(e, HY_TRAIT_TEXT_DECIMALS);
}

void hy__text_decimal_open(hy_emitter *e, const hy_expr *x)
{
    if (is_text_decimal(e, x))
        PUT(e, "CAST(");
}

/* The cast gives it an affinity: what it is compared with becomes text too. */
void hy__text_decimal_close(hy_emitter *e, const hy_expr *x)
{
    if (is_text_decimal(e, x))
        PUT(e, TEXT_DECIMAL_END);
}

static void emit_call_name(hy_emitter *e, const hy_branch *b)
{
    const hy_function *f = b->aux;
    const char *own = e->dialect->functions[f->number];

    e->calls = e->calls || f->number == HY_FUNCTION_OTHER;
    if (is_text_decimal(e, &b->head) && f->number == HY_FUNCTION_SUM)
        PUT(e, "hysteria_sum");
    else if (is_text_decimal(e, &b->head) && f->number == HY_FUNCTION_AVG)
        PUT(e, "hysteria_avg");
    else
        hy__puts(e, own != NULL ? own : f->spelling);
}

static void emit_plain_call(hy_emitter *e, const hy_branch *b)
{
    emit_call_name(e, b);
    hy__puts(e, (b->head.flags & HY_FLAG_DISTINCT) != 0 ? "(DISTINCT " : "(");
    if (b->n == 1 && b->args[0]->node == HY_NODE_STAR && b->args[0]->qualifier == 0)
        PUT(e, "*");
    else
        hy__emit_list(e, b->args, b->n);
    PUT(e, ")");
}

/* The call without what wraps it. */
static void emit_call_core(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    const hy_function *f = b->aux;

    if (x->node != HY_NODE_CALL)
        hy__emit_expr(e, x);
    else if (f->number == HY_FUNCTION_CONCAT)
        e->dialect->concat(e, b);
    else if (f->number == HY_FUNCTION_NOW && e->dialect->functions[f->number] != NULL)
        hy__puts(e, e->dialect->functions[f->number]);
    else
        emit_plain_call(e, b);
}

static void emit_before_call(hy_emitter *e, const hy_expr *call)
{
    if (is_exact_average(e, call))
        PUT(e, "CAST(");
    else if (call->node == HY_NODE_CALL)
        hy__text_decimal_open(e, call);
}

static void emit_after_call(hy_emitter *e, const hy_expr *call)
{
    if (is_exact_average(e, call)) {
        PUT(e, " AS ");
        hy__puts(e, e->dialect->casts[HY_KIND_DOUBLE]);
        PUT(e, ")");
    }
    if (call->node == HY_NODE_CALL)
        hy__text_decimal_close(e, call);
}

/*
 * NULLIF(price, 2) and the like compare what they are given. Short decimals lie there as numbers, long ones
 * and what is calculated as text: all become text that compares as numbers.
 */
static void emit_decimal_call(hy_emitter *e, const hy_branch *b)
{
    emit_call_name(e, b);
    for (size_t i = 0; i < b->n; i++) {
        hy__puts(e, i > 0 ? ", CAST(" : "(CAST(");
        hy__emit_expr(e, b->args[i]);
        PUT(e, TEXT_DECIMAL_END);
    }
    PUT(e, ")");
}

static void emit_call(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    bool compares = b->n > 1 && ((const hy_function *)b->aux)->result == HY_RESULT_ARGUMENT;

    emit_before_call(e, x);
    if (compares && is_text_decimal(e, x))
        emit_decimal_call(e, b);
    else
        emit_call_core(e, x);
    emit_after_call(e, x);
}

static void emit_window_order(hy_emitter *e, const hy_branch *b)
{
    const uint8_t *directions = ((const hy_over *)b->aux)->directions;
    size_t first = 1 + b->split;

    for (size_t i = first; i < b->n; i++) {
        hy__puts(e, i == first ? "ORDER BY " : ", ");
        hy__emit_operand(e, b->args[i]);
        hy__puts(e, directions[i - first] == HY_DESC ? " DESC" : " ASC");
    }
}

static void put_bound(hy_emitter *e, bool unbounded, int64_t rows, const char *end)
{
    if (unbounded) {
        PUT(e, "UNBOUNDED");
        hy__puts(e, end);
    } else if (rows == 0) {
        PUT(e, "CURRENT ROW");
    } else {
        hy_buf_put_uint(e->text, rows < 0 ? 0 - (uint64_t)rows : (uint64_t)rows);
        hy__puts(e, rows < 0 ? " PRECEDING" : " FOLLOWING");
    }
}

static void put_frame(hy_emitter *e, const hy_frame *f)
{
    hy__puts(e, f->range ? " RANGE BETWEEN " : " ROWS BETWEEN ");
    put_bound(e, f->from_first, f->from, " PRECEDING");
    PUT(e, " AND ");
    put_bound(e, f->to_last, f->to, " FOLLOWING");
}

static void emit_over(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;

    hy__emit_need(e, HY_FEATURE_NUMBER_WINDOW);
    emit_before_call(e, b->args[0]);
    emit_call_core(e, b->args[0]);
    PUT(e, " OVER (");
    if (b->split > 0) {
        PUT(e, "PARTITION BY ");
        hy__emit_list(e, b->args + 1, b->split);
    }
    if (b->split > 0 && b->n > 1 + b->split)
        PUT(e, " ");
    emit_window_order(e, b);
    if (((const hy_over *)b->aux)->framed)
        put_frame(e, &((const hy_over *)b->aux)->frame);
    PUT(e, ")");
    emit_after_call(e, b->args[0]);
}

/* a || b: NULL makes it NULL, as CONCAT() of the others does. */
void hy__concat_operator(hy_emitter *e, const hy_branch *call)
{
    PUT(e, "(");
    for (size_t i = 0; i < call->n; i++) {
        if (i > 0)
            PUT(e, " || ");
        hy__emit_operand(e, call->args[i]);
    }
    PUT(e, ")");
}

void hy__concat_call(hy_emitter *e, const hy_branch *call)
{
    emit_plain_call(e, call);
}

static void emit_case(hy_emitter *e, const hy_expr *x)
{
    const hy_branch *b = (const hy_branch *)x;
    size_t pairs = b->split;

    hy__text_decimal_open(e, x);
    PUT(e, "CASE");
    for (size_t i = 0; i < pairs; i++) {
        PUT(e, " WHEN ");
        hy__emit_expr(e, b->args[2 * i]);
        PUT(e, " THEN ");
        hy__emit_expr(e, b->args[2 * i + 1]);
    }
    if (b->n > 2 * pairs) {
        PUT(e, " ELSE ");
        hy__emit_expr(e, b->args[2 * pairs]);
    }
    PUT(e, " END");
    hy__text_decimal_close(e, x);
}

static void emit_cast(hy_emitter *e, const hy_expr *x)
{
    const char *type = e->dialect->casts[x->kind];

    if (type == NULL) {
        hy__emit_unsupported(e, "CAST to this kind");
        return;
    }
    PUT(e, "CAST(");
    hy__emit_expr(e, ((const hy_branch *)x)->args[0]);
    PUT(e, " AS ");
    hy__puts(e, type);
    PUT(e, ")");
}

static void emit_json(hy_emitter *e, const hy_expr *x)
{
    e->dialect->json_part(e, (const hy_branch *)x);
}

static void emit_json_match(hy_emitter *e, const hy_expr *x)
{
    e->dialect->json_match(e, (const hy_branch *)x);
}

/* ---- choosing --------------------------------------------------------------------------- */

/* `atom`: stands for itself as an operand. `shares`: its operands' values are as secret as its columns. */
static const struct {
    void (*emit)(hy_emitter *e, const hy_expr *x);
    bool atom, shares;
} nodes[HY_NODE_COUNT] = {
    [HY_NODE_COLUMN] = {emit_column, true, false},
    [HY_NODE_STAR] = {emit_star, true, false},
    [HY_NODE_VALUE] = {emit_value, true, false},
    [HY_NODE_PARAM] = {emit_param, true, false},
    [HY_NODE_RAW] = {emit_raw, false, true},
    [HY_NODE_DEFAULT] = {emit_default, true, false},
    [HY_NODE_CONSTANT] = {emit_constant, false, false},
    [HY_NODE_BINARY] = {emit_binary, false, true},
    [HY_NODE_IS_NULL] = {emit_is_null, false, false},
    [HY_NODE_BETWEEN] = {emit_between, false, true},
    [HY_NODE_IN] = {hy__emit_in, false, true},
    [HY_NODE_ROW] = {emit_row, true, true},
    [HY_NODE_NOT] = {emit_not, false, false},
    [HY_NODE_ALL] = {emit_all, false, false},
    [HY_NODE_CALL] = {emit_call, true, true},
    [HY_NODE_CASE] = {emit_case, true, true},
    [HY_NODE_CAST] = {emit_cast, true, true},
    [HY_NODE_OVER] = {emit_over, true, true},
    [HY_NODE_JSON] = {emit_json, true, true},
    [HY_NODE_JSON_MATCH] = {emit_json_match, false, true},
    [HY_NODE_IN_QUERY] = {hy__emit_in_query, false, true},
    [HY_NODE_EXISTS] = {hy__emit_exists, false, false},
    [HY_NODE_QUERY] = {hy__emit_query, true, true},
};

/*
 * A column of a table that was joined after it was named, or of a statement around this one, is
 * known to be secret only here: what stands beside it was not hidden when the query was built.
 */
static void emit_node(hy_emitter *e, const hy_expr *x)
{
    bool outer = e->secret;
    size_t first = e->compiler->n_binds;

    e->secret = false;
    nodes[x->node].emit(e, x);
    for (size_t i = first; e->secret && i < e->compiler->n_binds; i++)
        e->compiler->binds[i].sensitive = true;
    e->secret = e->secret || outer;
}

void hy__emit_expr(hy_emitter *e, const hy_expr *x)
{
    if (nodes[x->node].shares)
        emit_node(e, x);
    else
        nodes[x->node].emit(e, x);
}

void hy__emit_operand(hy_emitter *e, const hy_expr *x)
{
    if (nodes[x->node].atom) {
        hy__emit_expr(e, x);
        return;
    }
    PUT(e, "(");
    hy__emit_expr(e, x);
    PUT(e, ")");
}

void hy__emit_list(hy_emitter *e, hy_expr *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            PUT(e, ", ");
        hy__emit_expr(e, list[i]);
    }
}
