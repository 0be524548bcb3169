/*
 * predicate.c - conditions: the where, having and on families.
 *
 * The verbs are rows of one table: which clause, AND or OR, negated or not, and the form of
 * the arguments. One function reads each form. A new predicate is one row, and a form only
 * if its arguments have a new shape.
 */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 100 };

typedef enum form {
    FORM_COMPARE, /* (col, value) (col, op, value) (table) (fn) (raw) (group) (given, table) */
    FORM_COLUMN,  /* (a, b) (a, op, b) */
    FORM_BETWEEN, /* (col, low, high) (col, {low, high}) */
    FORM_IN,      /* (col, list | query | fn) ({cols}, {tuples} | query | fn) */
    FORM_NULL,    /* (col) */
    FORM_OP,      /* (col, value) with a fixed operator */
    FORM_REGEXP,  /* (col, pattern, { flags = "i" }?) */
    FORM_JSON,    /* (col, value) (col, path, value) (col, path, op, value) */
    FORM_JSON_IN, /* (col, list) (col, path, list) */
    FORM_EXISTS,  /* (query | fn) */
    FORM_RAW      /* (text, params?) */
} form;

typedef struct verb {
    const char *name;
    hy_slot slot;
    hy_connector connector;
    bool negated;
    form form;
    int op; /* FORM_OP, FORM_REGEXP, FORM_JSON_IN: hy_op; FORM_JSON: hy_json_test */
} verb;

/* A family: name, orName, andName. */
#define FAMILY(base, Base, slot, negated, form, op)                                         \
    {base, slot, HY_AND, negated, form, op}, {"and" Base, slot, HY_AND, negated, form, op}, \
    {                                                                                       \
        "or" Base, slot, HY_OR, negated, form, op                                           \
    }

static const verb verbs[] = {
    FAMILY("where", "Where", HY_SLOT_WHERE, false, FORM_COMPARE, 0),
    FAMILY("whereNot", "WhereNot", HY_SLOT_WHERE, true, FORM_COMPARE, 0),
    FAMILY("whereColumn", "WhereColumn", HY_SLOT_WHERE, false, FORM_COLUMN, 0),
    FAMILY("whereBetween", "WhereBetween", HY_SLOT_WHERE, false, FORM_BETWEEN, 0),
    FAMILY("whereNotBetween", "WhereNotBetween", HY_SLOT_WHERE, true, FORM_BETWEEN, 0),
    FAMILY("whereIn", "WhereIn", HY_SLOT_WHERE, false, FORM_IN, 0),
    FAMILY("whereNotIn", "WhereNotIn", HY_SLOT_WHERE, true, FORM_IN, 0),
    FAMILY("whereNull", "WhereNull", HY_SLOT_WHERE, false, FORM_NULL, 0),
    FAMILY("whereNotNull", "WhereNotNull", HY_SLOT_WHERE, true, FORM_NULL, 0),
    FAMILY("whereLike", "WhereLike", HY_SLOT_WHERE, false, FORM_OP, HY_OP_LIKE),
    FAMILY("whereNotLike", "WhereNotLike", HY_SLOT_WHERE, false, FORM_OP, HY_OP_NOT_LIKE),
    FAMILY("whereILike", "WhereILike", HY_SLOT_WHERE, false, FORM_OP, HY_OP_ILIKE),
    FAMILY("whereNotILike", "WhereNotILike", HY_SLOT_WHERE, false, FORM_OP, HY_OP_NOT_ILIKE),
    FAMILY("whereRegexp", "WhereRegexp", HY_SLOT_WHERE, false, FORM_REGEXP, HY_OP_REGEXP),
    FAMILY("whereNotRegexp", "WhereNotRegexp", HY_SLOT_WHERE, false, FORM_REGEXP, HY_OP_NOT_REGEXP),
    FAMILY("whereExists", "WhereExists", HY_SLOT_WHERE, false, FORM_EXISTS, 0),
    FAMILY("whereNotExists", "WhereNotExists", HY_SLOT_WHERE, true, FORM_EXISTS, 0),
    FAMILY("whereRaw", "WhereRaw", HY_SLOT_WHERE, false, FORM_RAW, 0),
    FAMILY("whereJson", "WhereJson", HY_SLOT_WHERE, false, FORM_JSON, HY_JSON_EQUALS),
    FAMILY("whereNotJson", "WhereNotJson", HY_SLOT_WHERE, true, FORM_JSON, HY_JSON_EQUALS),
    FAMILY("whereJsonEquals", "WhereJsonEquals", HY_SLOT_WHERE, false, FORM_JSON, HY_JSON_EQUALS),
    FAMILY("whereJsonNotEquals", "WhereJsonNotEquals", HY_SLOT_WHERE, true, FORM_JSON, HY_JSON_EQUALS),
    FAMILY("whereJsonContains", "WhereJsonContains", HY_SLOT_WHERE, false, FORM_JSON, HY_JSON_CONTAINS),
    FAMILY("whereJsonNotContains", "WhereJsonNotContains", HY_SLOT_WHERE, true, FORM_JSON, HY_JSON_CONTAINS),
    FAMILY("whereJsonIn", "WhereJsonIn", HY_SLOT_WHERE, false, FORM_JSON_IN, HY_OP_IN),
    FAMILY("whereJsonNotIn", "WhereJsonNotIn", HY_SLOT_WHERE, false, FORM_JSON_IN, HY_OP_NOT_IN),
    FAMILY("whereJsonRaw", "WhereJsonRaw", HY_SLOT_WHERE, false, FORM_RAW, 0),
    FAMILY("having", "Having", HY_SLOT_HAVING, false, FORM_COMPARE, 0),
    FAMILY("havingNot", "HavingNot", HY_SLOT_HAVING, true, FORM_COMPARE, 0),
    FAMILY("havingBetween", "HavingBetween", HY_SLOT_HAVING, false, FORM_BETWEEN, 0),
    FAMILY("havingNotBetween", "HavingNotBetween", HY_SLOT_HAVING, true, FORM_BETWEEN, 0),
    FAMILY("havingIn", "HavingIn", HY_SLOT_HAVING, false, FORM_IN, 0),
    FAMILY("havingNotIn", "HavingNotIn", HY_SLOT_HAVING, true, FORM_IN, 0),
    FAMILY("havingNull", "HavingNull", HY_SLOT_HAVING, false, FORM_NULL, 0),
    FAMILY("havingNotNull", "HavingNotNull", HY_SLOT_HAVING, true, FORM_NULL, 0),
    FAMILY("havingRaw", "HavingRaw", HY_SLOT_HAVING, false, FORM_RAW, 0),
    FAMILY("on", "On", HY_SLOT_ON, false, FORM_COLUMN, 0),
    FAMILY("onValue", "OnValue", HY_SLOT_ON, false, FORM_COMPARE, 0),
    FAMILY("onRaw", "OnRaw", HY_SLOT_ON, false, FORM_RAW, 0),
};

/* ---- one condition ----------------------------------------------------------------------- */

static hy_op check_op(lua_State *L, const verb *v, int index)
{
    size_t size;
    if (lua_type(L, index) != LUA_TSTRING)
        hyl_fail_argument(L, index, "operator", "an operator such as \"=\"");
    const char *word = lua_tolstring(L, index, &size);
    hy_op op = hy_op_from_word(word, size);
    if (op == HY_OP_COUNT || (op >= HY_OP_ADD && op <= HY_OP_CONCAT))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: no operator '%.40s'", v->name, word);
    return op;
}

static hy_expr *json_compare(lua_State *L, hy_query *q, hy_op op, hy_expr *lhs, int index, const char *what);

/* A column that holds documents: as text, as which some databases would compare them, equal ones differ. */
static bool is_document(const hy_expr *x)
{
    hy_kind kind = hy_expr_kind(x);
    return kind == HY_KIND_JSON || kind == HY_KIND_JSONB;
}

/* Is the value at `index` said here, and not by the database? */
static bool is_said(lua_State *L, int index)
{
    return !hyl_is_expression(hyl_typeof(L, index)) && !lua_isfunction(L, index);
}

static hy_expr *in_list(lua_State *L, hy_query *q, hy_expr *lhs, int index, bool negated, const char *what)
{
    if (is_document(lhs))
        return json_compare(L, q, negated ? HY_OP_NOT_IN : HY_OP_IN, lhs, index, what);
    size_t n = hyl_check_list(L, index, what);
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        items[i] = hyl_to_expr(L, q, -1, lhs, NULL, what);
        lua_pop(L, 1);
    }
    hy_expr *e = hy_expr_in(q, lhs, items, n, negated);
    lua_pop(L, 1);
    return e;
}

/* col IN list, query or fn(sub) */
static hy_expr *in_any(lua_State *L, hy_query *q, hy_expr *lhs, int index, bool negated, const char *what)
{
    if (lua_istable(L, index))
        return in_list(L, q, lhs, index, negated, what);
    size_t size;
    if (hyl_typeof(L, index) == HYL_PARAM)
        return hy_expr_in_param(q, lhs, hyl_node_word(L, index, &size), negated);
    hy_query *sub = hyl_to_query(L, index);
    if (sub == NULL)
        hyl_fail_argument(L, index, "values", "a list or a query");
    hy_expr *e = hy_expr_in_query(q, lhs, sub, negated);
    lua_pop(L, 1);
    return e;
}

#define NO_ORDER "%s: documents are equal or not; what is at a path in them whereJson compares"

/* lhs BETWEEN the values at two indexes. */
static hy_expr *between(lua_State *L, hy_query *q, hy_expr *lhs, int low, int high, bool negated,
                        const char *what)
{
    if (is_document(lhs))
        hyl_fail(L, HY_EINVALID_ARGUMENT, NO_ORDER, what);
    hy_expr *l = hyl_to_expr(L, q, low, lhs, NULL, what);
    hy_expr *h = hyl_to_expr(L, q, high, lhs, NULL, what);
    return hy_expr_between(q, lhs, l, h, negated);
}

static hy_expr *between_list(lua_State *L, hy_query *q, hy_expr *lhs, int index, bool negated,
                             const char *what)
{
    if (!lua_istable(L, index) || lua_rawlen(L, index) != 2)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: between takes two values", what);
    hyl_check_plain(L, index, what);
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    int top = lua_gettop(L);
    hy_expr *e = between(L, q, lhs, top - 1, top, negated, what);
    lua_pop(L, 2);
    return e;
}

/* lhs OP value at index, for any operator. */
static hy_expr *compare(lua_State *L, hy_query *q, hy_op op, hy_expr *lhs, int index, const char *what)
{
    bool is_null = hyl_typeof(L, index) == HYL_NULL;
    switch (op) {
    case HY_OP_IS_NULL:
    case HY_OP_IS_NOT_NULL:
        return hy_expr_is_null(q, lhs, op == HY_OP_IS_NOT_NULL);
    case HY_OP_BETWEEN:
    case HY_OP_NOT_BETWEEN:
        return between_list(L, q, lhs, index, op == HY_OP_NOT_BETWEEN, what);
    case HY_OP_IN:
    case HY_OP_NOT_IN:
        return in_any(L, q, lhs, index, op == HY_OP_NOT_IN, what);
    case HY_OP_EQ:
    case HY_OP_NULLSAFE_EQ:
    case HY_OP_NE:
    case HY_OP_NULLSAFE_NE:
        if (is_null)
            return hy_expr_is_null(q, lhs, op == HY_OP_NE || op == HY_OP_NULLSAFE_NE);
        break;
    default:
        break;
    }
    if (is_document(lhs) && is_said(L, index)) {
        if (op != HY_OP_EQ && op != HY_OP_NE)
            hyl_fail(L, HY_EINVALID_ARGUMENT, NO_ORDER, what);
        return json_compare(L, q, op, lhs, index, what);
    }
    bool pattern = op >= HY_OP_LIKE && op <= HY_OP_NOT_IREGEXP; /* text, whatever the column is */
    if (lua_isfunction(L, index)) {
        hy_expr *e = hy_expr_compare(q, op, lhs, hy_expr_query(q, hyl_to_query(L, index)));
        lua_pop(L, 1);
        return e;
    }
    return hy_expr_compare(q, op, lhs, hyl_to_expr(L, q, index, pattern ? NULL : lhs, NULL, what));
}

/* An operator value: its operands are in its table. */
static hy_expr *apply_op(lua_State *L, hy_query *q, hy_expr *lhs, int index, const char *what)
{
    size_t size;
    const char *word = hyl_node_word(L, index, &size);
    hy_op op = hy_op_from_word(word, size);
    hyl_need_stack(L, 8);
    hyl_node_args(L, index);
    int args = lua_gettop(L);
    lua_rawgeti(L, args, 1);
    hy_expr *e;
    if ((op == HY_OP_BETWEEN || op == HY_OP_NOT_BETWEEN) && lua_rawlen(L, args) == 2)
        e = between_list(L, q, lhs, args, op == HY_OP_NOT_BETWEEN, what);
    else
        e = compare(L, q, op, lhs, args + 1, what);
    lua_settop(L, args - 1);
    return e;
}

/* col = value, where the value may be an operator. */
static hy_expr *equals(lua_State *L, hy_query *q, hy_expr *lhs, int index, const char *what)
{
    hyl_type type = hyl_typeof(L, index);
    if (type == HYL_OP)
        return apply_op(L, q, lhs, index, what);
    if (type == HYL_QUERY || lua_isfunction(L, index))
        return in_any(L, q, lhs, index, false, what);
    return compare(L, q, HY_OP_EQ, lhs, index, what);
}

/* ---- where-tables ------------------------------------------------------------------------ */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * The table's keys, sorted, in a userdata left on top. They live as long as the table has
 * them; a function among the values could take them out, so then they are kept here too.
 */
static const char **sorted_keys(lua_State *L, int index, size_t *n, const char *what)
{
    size_t count = 0;
    bool runs_code = false;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a condition's keys are column names, got a %s", what,
                     luaL_typename(L, -2));
        runs_code |= lua_isfunction(L, -1);
        count++;
    }
    const char **keys = lua_newuserdatauv(L, sizeof *keys * (count + 1), 1);
    if (runs_code)
        lua_createtable(L, (int)count, 0);
    int kept = lua_gettop(L);
    size_t i = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        keys[i++] = lua_tostring(L, -2);
        if (runs_code) {
            lua_pushvalue(L, -2);
            lua_rawseti(L, kept, (lua_Integer)i);
        }
    }
    if (runs_code)
        lua_setiuservalue(L, -2, 1);
    qsort(keys, count, sizeof *keys, compare_keys);
    *n = count;
    return keys;
}

static hy_expr *table_condition(lua_State *L, hy_query *q, int index, bool alias_allowed, const char *what)
{
    hyl_check_plain(L, index, what);
    hyl_need_stack(L, 8);
    int top = lua_gettop(L);
    size_t n;
    const char **keys = sorted_keys(L, index, &n, what);
    if (n == 0)
        hyl_fail(L, HY_ENIL_VALUE, "%s: a table without an entry (a nil field is no field)", what);
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, keys[i]);
        lua_rawget(L, index);
        size_t size = strlen(keys[i]);
        hy_expr *lhs =
            alias_allowed ? hy_expr_column_or_alias(q, keys[i], size) : hy_expr_column(q, keys[i], size);
        items[i] = equals(L, q, lhs, lua_gettop(L), keys[i]);
        lua_pop(L, 1);
    }
    hy_expr *e = n == 1 ? items[0] : hy_expr_all(q, HY_AND, items, n);
    lua_settop(L, top);
    return e;
}

static hy_expr *group_condition(lua_State *L, hy_query *q, int index, bool alias_allowed, const char *what,
                                int depth)
{
    size_t size;
    hy_connector connector = hyl_node_word(L, index, &size)[0] == 'o' ? HY_OR : HY_AND;
    hyl_need_stack(L, 8);
    int top = lua_gettop(L);
    hyl_node_args(L, index);
    size_t n = lua_rawlen(L, top + 1);
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, top + 1, (lua_Integer)i + 1);
        items[i] = hyl_to_condition(L, q, lua_gettop(L), alias_allowed, what, depth + 1);
        lua_pop(L, 1);
    }
    hy_expr *e = hy_expr_all(q, connector, items, n);
    lua_settop(L, top);
    return e;
}

hy_expr *hyl_to_condition(lua_State *L, hy_query *q, int index, bool alias_allowed, const char *what,
                          int depth)
{
    if (depth > MAX_DEPTH)
        hyl_fail(L, HY_ELIMIT_EXCEEDED, "%s: nested too deeply", what);
    switch (hyl_typeof(L, index)) {
    case HYL_GROUP:
        return group_condition(L, q, index, alias_allowed, what, depth);
    case HYL_RAW:
        return hyl_to_expr(L, q, index, NULL, NULL, what);
    default:
        break;
    }
    if (!lua_istable(L, index))
        hyl_fail_argument(L, index, what, "a table of conditions");
    return table_condition(L, q, index, alias_allowed, what);
}

/* ---- forms ------------------------------------------------------------------------------- */

static hy_expr *operand(lua_State *L, hy_query *q, const verb *v, int index)
{
    if (lua_isnoneornil(L, index))
        hyl_fail(L, HY_ENIL_VALUE, "%s: the column is nil", v->name);
    return hyl_to_operand(L, q, index, v->slot == HY_SLOT_HAVING, v->name);
}

static void check_given(lua_State *L, int given, int index, const char *what)
{
    if (!lua_istable(L, index))
        hyl_fail_argument(L, index, what, "a table of conditions");
    hyl_node_args(L, given);
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
        const char *key = lua_tostring(L, -1);
        if (lua_rawget(L, index) == LUA_TNIL)
            hyl_fail(L, HY_ENIL_VALUE, "%s: '%s' must be given and is nil", what, key);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

/* "argument 'value' of where is nil" */
static void check_value(lua_State *L, const verb *v, int index)
{
    if (lua_isnoneornil(L, index))
        hyl_fail(L, HY_ENIL_VALUE, "%s: the value is nil (sql.null means NULL)", v->name);
}

static hy_expr *read_compare(lua_State *L, hy_query *q, const verb *v, int n_args)
{
    if (n_args == 1)
        return hyl_to_condition(L, q, 2, v->slot == HY_SLOT_HAVING, v->name, 0);
    if (n_args == 2 && hyl_typeof(L, 2) == HYL_GIVEN) {
        check_given(L, 2, 3, v->name);
        return hyl_to_condition(L, q, 3, v->slot == HY_SLOT_HAVING, v->name, 0);
    }
    if (n_args > 3)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes (column, value) or (column, operator, value)", v->name);
    hy_op op = n_args == 3 ? check_op(L, v, 3) : HY_OP_EQ;
    if (hy_op_arity(op) != 1)
        check_value(L, v, n_args + 1);
    hy_expr *lhs = operand(L, q, v, 2);
    if (n_args == 2)
        return equals(L, q, lhs, 3, v->name);
    return compare(L, q, op, lhs, 4, v->name);
}

static hy_expr *read_column(lua_State *L, hy_query *q, const verb *v, int n_args)
{
    if (n_args != 2 && n_args != 3)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes (column, column) or (column, operator, column)", v->name);
    hy_op op = n_args == 3 ? check_op(L, v, 3) : HY_OP_EQ;
    if (hy_op_arity(op) != 2)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: operator '%s' does not compare two columns", v->name,
                 hy_op_word(op));
    hy_expr *lhs = operand(L, q, v, 2);
    return hy_expr_compare(q, op, lhs, operand(L, q, v, n_args + 1));
}

static hy_expr *read_between(lua_State *L, hy_query *q, const verb *v, int n_args)
{
    hy_expr *lhs = operand(L, q, v, 2);
    if (n_args == 2) {
        check_value(L, v, 3);
        return between_list(L, q, lhs, 3, v->negated, v->name);
    }
    check_value(L, v, 3);
    check_value(L, v, 4);
    return between(L, q, lhs, 3, 4, v->negated, v->name);
}

/* (col, pattern, { flags = "i" }?): case matters unless the flags say "i". */
static hy_expr *read_regexp(lua_State *L, hy_query *q, const verb *v)
{
    hy_op op = (hy_op)v->op;
    check_value(L, v, 3);
    if (!lua_isnoneornil(L, 4)) {
        static const char *const known[] = {"flags", NULL};
        if (!lua_istable(L, 4))
            hyl_fail_argument(L, 4, "options", "{ flags = \"i\" }");
        hyl_check_options(L, 4, v->name, known);
        lua_pushliteral(L, "flags");
        bool fold = lua_rawget(L, 4) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "i") == 0;
        if (!fold && !(lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TSTRING && *lua_tostring(L, -1) == '\0')))
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: the one flag there is is \"i\"", v->name);
        lua_pop(L, 1);
        if (fold)
            op = op == HY_OP_REGEXP ? HY_OP_IREGEXP : HY_OP_NOT_IREGEXP;
    }
    return compare(L, q, op, operand(L, q, v, 2), 3, v->name);
}

/* The document at `lhs` against the Lua value at `index`, by a test. */
static hy_expr *json_match(lua_State *L, hy_query *q, hy_json_test test, hy_expr *lhs, int index,
                           const char *what)
{
    if (hyl_typeof(L, index) == HYL_NULL && test == HY_JSON_EQUALS)
        return hy_expr_is_null(q, lhs, false);
    if (hyl_typeof(L, index) == HYL_NULL)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: NULL holds nothing; null inside a document is sql.jsonNull",
                 what);
    if (hyl_typeof(L, index) == HYL_DECIMAL)
        luaL_tolstring(L, index, NULL); /* a number in a document */
    else
        hyl_json_encode(L, index);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    hy_value json = hy_bytes(HY_JSON, text, size);
    hy_expr *e = hy_expr_json_match(q, test, lhs, &json);
    lua_pop(L, 1);
    return e;
}

/* The document against the n entries of the list at `index`, each by its test. */
static hy_expr *json_each(lua_State *L, hy_query *q, hy_connector connector, const hy_json_test tests[2],
                          hy_expr *lhs, int index, size_t n, const char *what)
{
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        items[i] = json_match(L, q, tests[i > 0], lhs, lua_gettop(L), what);
        lua_pop(L, 1);
    }
    hy_expr *e = hy_expr_all(q, connector, items, n);
    lua_pop(L, 1);
    return e;
}

/* Two numbers or two texts: between a number and a text lies nothing. */
static void check_bounds(lua_State *L, int index, const char *what)
{
    if (!lua_istable(L, index) || lua_rawlen(L, index) != 2)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: between takes two values", what);
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    if ((lua_type(L, -1) == LUA_TSTRING) != (lua_type(L, -2) == LUA_TSTRING))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: between takes two numbers or two texts", what);
    lua_pop(L, 2);
}

/* The document at `lhs` by an operator against the value, or list of values, at `index`. */
static hy_expr *json_compare(lua_State *L, hy_query *q, hy_op op, hy_expr *lhs, int index, const char *what)
{
    static const hy_json_test orders[HY_OP_COUNT] = {
        [HY_OP_LT] = HY_JSON_LT, [HY_OP_LE] = HY_JSON_LE, [HY_OP_GT] = HY_JSON_GT, [HY_OP_GE] = HY_JSON_GE};
    static const hy_json_test equal[2] = {HY_JSON_EQUALS, HY_JSON_EQUALS};
    static const hy_json_test bounds[2] = {HY_JSON_GE, HY_JSON_LE};
    hy_expr *e;

    switch (op) {
    case HY_OP_EQ:
        return json_match(L, q, HY_JSON_EQUALS, lhs, index, what);
    case HY_OP_NE:
        return hy_expr_not(q, json_match(L, q, HY_JSON_EQUALS, lhs, index, what));
    case HY_OP_BETWEEN:
    case HY_OP_NOT_BETWEEN:
        check_bounds(L, index, what);
        e = json_each(L, q, HY_AND, bounds, lhs, index, 2, what);
        return op == HY_OP_BETWEEN ? e : hy_expr_not(q, e);
    case HY_OP_IN:
    case HY_OP_NOT_IN:
        if (!lua_istable(L, index))
            hyl_fail_argument(L, index, what, "a list of values");
        e = json_each(L, q, HY_OR, equal, lhs, index, hyl_check_list(L, index, what), what);
        return op == HY_OP_IN ? e : hy_expr_not(q, e);
    default:
        if (op < HY_OP_COUNT && orders[op] != 0)
            return json_match(L, q, orders[op], lhs, index, what);
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "%s: in documents there are = != < <= > >= between, in and their opposites, not '%s'", what,
                 hy_op_word(op));
        return NULL;
    }
}

/* The same for what sql.op made. */
static hy_expr *json_op(lua_State *L, hy_query *q, hy_expr *lhs, int index, const char *what)
{
    size_t size;
    const char *word = hyl_node_word(L, index, &size);
    hyl_need_stack(L, 8);
    hyl_node_args(L, index);
    int args = lua_gettop(L);
    bool pair = lua_rawlen(L, args) == 2;
    lua_rawgeti(L, args, 1);
    hy_expr *e = json_compare(L, q, hy_op_from_word(word, size), lhs, pair ? args : args + 1, what);
    lua_settop(L, args - 1);
    return e;
}

/* (col, value), (col, path, value), and of equality also (col, path, op, value) */
static hy_expr *read_json(lua_State *L, hy_query *q, const verb *v, int n_args)
{
    bool equality = v->op == HY_JSON_EQUALS;
    if (n_args < 2 || n_args > (equality ? 4 : 3))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes (column, value)%s", v->name,
                 equality ? ", (column, path, value) or (column, path, operator, value)"
                          : " or (column, path, value)");
    int value = n_args + 1;
    check_value(L, v, value);
    hy_expr *lhs = operand(L, q, v, 2);
    if (n_args > 2)
        lhs = hyl_to_json_place(L, q, lhs, 3, HY_JSON_VALUE, v->name);
    if (n_args == 4)
        return json_compare(L, q, check_op(L, v, 4), lhs, value, v->name);
    if (equality && hyl_typeof(L, value) == HYL_OP)
        return json_op(L, q, lhs, value, v->name);
    return json_match(L, q, (hy_json_test)v->op, lhs, value, v->name);
}

static hy_expr *read_json_in(lua_State *L, hy_query *q, const verb *v, int n_args)
{
    if (n_args != 2 && n_args != 3)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes (column, list) or (column, path, list)", v->name);
    check_value(L, v, n_args + 1);
    hy_expr *lhs = operand(L, q, v, 2);
    if (n_args == 3)
        lhs = hyl_to_json_place(L, q, lhs, 3, HY_JSON_VALUE, v->name);
    return json_compare(L, q, (hy_op)v->op, lhs, n_args + 1, v->name);
}

static hy_expr *read_raw(lua_State *L, hy_query *q, const verb *v, int n_args)
{
    size_t size;
    if (hyl_typeof(L, 2) == HYL_RAW && n_args == 1)
        return hyl_to_expr(L, q, 2, NULL, NULL, v->name);
    if (lua_type(L, 2) != LUA_TSTRING)
        hyl_fail_argument(L, 2, "sql", "SQL text");
    const char *text = lua_tolstring(L, 2, &size);
    size_t n = 0;
    if (n_args >= 2) {
        if (!lua_istable(L, 3))
            hyl_fail_argument(L, 3, "params", "a list of values");
        n = hyl_check_list(L, 3, v->name);
    }
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        items[i] = hyl_to_expr(L, q, -1, NULL, NULL, v->name);
        lua_pop(L, 1);
    }
    return hy_expr_raw(q, text, size, items, n);
}

/* {"a", "b"} as a row; *columns are its parts, in a userdata left on top. */
static hy_expr *column_row(lua_State *L, hy_query *q, const verb *v, int index, size_t *n, hy_expr ***columns)
{
    hyl_check_plain(L, index, v->name);
    *n = lua_rawlen(L, index);
    *columns = lua_newuserdatauv(L, sizeof **columns * (*n + 1), 0);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        (*columns)[i] = operand(L, q, v, lua_gettop(L));
        lua_pop(L, 1);
    }
    return hy_expr_row(q, *columns, *n);
}

/* The tuple on top of the stack. A NULL in it would match nothing, and let NOT IN match nothing either. */
static hy_expr *value_row(lua_State *L, hy_query *q, const verb *v, hy_expr *const *columns, size_t n)
{
    int tuple = lua_gettop(L);
    if (!lua_istable(L, tuple) || lua_rawlen(L, tuple) != n)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: each entry is a list of %d values", v->name, (int)n);
    hyl_check_plain(L, tuple, v->name);
    hy_expr **values = lua_newuserdatauv(L, sizeof *values * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, tuple, (lua_Integer)i + 1);
        if (hyl_typeof(L, -1) == HYL_NULL)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a tuple with NULL matches nothing", v->name);
        values[i] = hyl_to_expr(L, q, -1, columns[i], NULL, v->name);
        lua_pop(L, 1);
    }
    hy_expr *row = hy_expr_row(q, values, n);
    lua_settop(L, tuple);
    return row;
}

/* ({"a", "b"}, {{1, 2}, {3, 4}}) or ({"a", "b"}, query) */
static hy_expr *read_tuples(lua_State *L, hy_query *q, const verb *v)
{
    size_t n;
    hy_expr **columns;
    hyl_need_stack(L, 12);
    hy_expr *row = column_row(L, q, v, 2, &n, &columns);
    if (!lua_istable(L, 3))
        return in_any(L, q, row, 3, v->negated, v->name);
    hyl_check_plain(L, 3, v->name);
    size_t n_rows = lua_rawlen(L, 3);
    hy_expr **rows = lua_newuserdatauv(L, sizeof *rows * (n_rows + 1), 0);
    for (size_t i = 0; i < n_rows; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        rows[i] = value_row(L, q, v, columns, n);
        lua_pop(L, 1);
    }
    return hy_expr_in(q, row, rows, n_rows, v->negated);
}

static hy_expr *read_form(lua_State *L, hy_query *q, const verb *v, int n_args)
{
    switch (v->form) {
    case FORM_COMPARE:
        return read_compare(L, q, v, n_args);
    case FORM_COLUMN:
        return read_column(L, q, v, n_args);
    case FORM_BETWEEN:
        return read_between(L, q, v, n_args);
    case FORM_IN:
        check_value(L, v, 3);
        if (lua_istable(L, 2))
            return read_tuples(L, q, v);
        return in_any(L, q, operand(L, q, v, 2), 3, v->negated, v->name);
    case FORM_NULL:
        return hy_expr_is_null(q, operand(L, q, v, 2), v->negated);
    case FORM_OP:
        check_value(L, v, 3);
        return compare(L, q, (hy_op)v->op, operand(L, q, v, 2), 3, v->name);
    case FORM_REGEXP:
        return read_regexp(L, q, v);
    case FORM_JSON:
        return read_json(L, q, v, n_args);
    case FORM_JSON_IN:
        return read_json_in(L, q, v, n_args);
    case FORM_EXISTS: {
        hy_query *sub = hyl_to_query(L, 2);
        if (sub == NULL)
            hyl_fail_argument(L, 2, "query", "a query or a function");
        return hy_expr_exists(q, sub, v->negated);
    }
    default:
        return read_raw(L, q, v, n_args);
    }
}

/* Forms that carry their own negation. */
static bool negates_itself(form f)
{
    return f == FORM_BETWEEN || f == FORM_IN || f == FORM_NULL || f == FORM_EXISTS;
}

/* How many arguments a form takes at most; 0: it looks itself. */
static const int most_arguments[] = {
    [FORM_BETWEEN] = 3, [FORM_IN] = 2,     [FORM_NULL] = 1, [FORM_OP] = 2,
    [FORM_REGEXP] = 3,  [FORM_EXISTS] = 1, [FORM_RAW] = 2,
};

static int add_condition(lua_State *L)
{
    const verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    if (most_arguments[v->form] > 0)
        hyl_check_no_more(L, most_arguments[v->form] + 1, v->name);
    hy_expr *condition = read_form(L, q, v, lua_gettop(L) - 1);
    hy_query_predicate(q, v->slot, v->connector, v->negated && !negates_itself(v->form), condition);
    return hyl_query_done(L, q);
}

/* Every verb of the table above: the row is the closure's upvalue. */
static int predicate(lua_State *L)
{
    const verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    int n_args = lua_gettop(L) - 1;
    if (n_args == 0)
        return hyl_fail(L, HY_ENIL_VALUE, "%s: a condition is expected", v->name);
    if (n_args == 1 && lua_isfunction(L, 2) && (v->form == FORM_COMPARE || v->form == FORM_COLUMN)) {
        size_t n_joins = hy_query_n_joins(q);
        size_t depth = hy_query_group_open(q, v->slot, v->connector, v->negated);
        return hyl_call_in_group(L, 2, depth, n_joins);
    }
    return hyl_with_queries(L, add_condition);
}

void hyl_predicate_open(lua_State *L)
{
    hyl_add_rows(L, verbs, sizeof *verbs, sizeof verbs / sizeof *verbs, predicate);
}
