/*
 * value.c - Lua values as SQL expressions and back, and the small objects that only
 * Hysteria can make: null, operators, raw fragments, function calls.
 *
 * A node object is a userdata holding a kind and a word (operator, function name, text);
 * its arguments are in a table, its user value. Being userdata they cannot come out of a
 * decoded JSON body: that is what makes operators unforgeable.
 */
#include "binding.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 100 };

typedef struct node {
    size_t size;
    char word[]; /* NUL-terminated */
} node;

/* ---- nodes ------------------------------------------------------------------------------- */

/* Make a node with the word at `word` (0: none) and the table on top as its arguments. */
static int push_node(lua_State *L, hyl_type type, const char *word, size_t size)
{
    node *n = hyl_new(L, type, sizeof *n + size + 1, 1);
    n->size = size;
    memcpy(n->word, word, size);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* The arguments from `first` to the top as a list with n. */
static void pack(lua_State *L, int first)
{
    int n = lua_gettop(L) - first + 1;
    n = n < 0 ? 0 : n;
    lua_createtable(L, n, 1);
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, first + i - 1);
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
}

void hyl_node_args(lua_State *L, int index)
{
    lua_getiuservalue(L, index, 1);
}

const char *hyl_node_word(lua_State *L, int index, size_t *size)
{
    const node *n = lua_touserdata(L, index);
    *size = n->size;
    return n->word;
}

static int args_count(lua_State *L, int args)
{
    lua_getfield(L, args, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

/* core.raw(text, ...) */
static int core_raw(lua_State *L)
{
    size_t size;
    const char *text = hyl_need_text(L, 1, "rawStatement", "text", &size);
    pack(L, 2);
    return push_node(L, HYL_RAW, text, size);
}

/* core.op(word, ...) */
static int core_op(lua_State *L)
{
    size_t size;
    const char *word = hyl_need_text(L, 1, "op", "word", &size);
    hy_op op = hy_op_from_word(word, size);
    if (op == HY_OP_COUNT || (op >= HY_OP_ADD && op <= HY_OP_CONCAT))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "no operator '%.40s'", word);
    int given = lua_gettop(L) - 1;
    int arity = hy_op_arity(op);
    int want = arity < 0 ? 1 : arity - 1;
    if (given != want && !(op == HY_OP_BETWEEN || op == HY_OP_NOT_BETWEEN))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "operator '%s' takes %d value%s, got %d", hy_op_word(op),
                        want, want == 1 ? "" : "s", given);
    for (int i = 2; i <= given + 1; i++)
        if (lua_isnil(L, i))
            return hyl_fail(L, HY_ENIL_VALUE, "nil given to operator '%s' (sql.null means NULL)",
                            hy_op_word(op));
    pack(L, 2);
    return push_node(L, HYL_OP, hy_op_word(op), strlen(hy_op_word(op)));
}

/* core.group("and" | "or", list) */
static int core_group(lua_State *L)
{
    static const char *const words[] = {"and", "or", NULL};
    const char *word = words[luaL_checkoption(L, 1, NULL, words)];
    if (!lua_istable(L, 2))
        return hyl_fail_argument(L, 2, "conditions", "a list of tables");
    lua_settop(L, 2);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
    if (n == 0)
        return hyl_fail(L, HY_ENIL_VALUE, "a group without a condition");
    lua_createtable(L, (int)n, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
    return push_node(L, HYL_GROUP, word, strlen(word));
}

/* core.given{ "tenant", "email" } */
static int core_given(lua_State *L)
{
    hyl_need_table(L, 1, "given", "keys");
    lua_settop(L, 1);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    if (n == 0)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "given: a list of keys is expected");
    lua_createtable(L, (int)n, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 1, i) != LUA_TSTRING)
            return hyl_fail(L, HY_EINVALID_ARGUMENT, "given: keys are strings");
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
    return push_node(L, HYL_GIVEN, "", 0);
}

/* core.func(name, args) */
static int core_func(lua_State *L)
{
    size_t size;
    const char *name = hyl_need_text(L, 1, "func", "name", &size);
    lua_settop(L, 2);
    int n = lua_istable(L, 2) ? (int)lua_rawlen(L, 2) : 0;
    lua_createtable(L, n, 1);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
    return push_node(L, HYL_FUNC, name, size);
}

static int core_col(lua_State *L)
{
    size_t size;
    const char *name = hyl_need_text(L, 1, "col", "name", &size);
    pack(L, lua_gettop(L) + 1);
    return push_node(L, HYL_COL, name, size);
}

/* core.param(name) */
static int core_param(lua_State *L)
{
    size_t size;
    const char *name = hyl_need_text(L, 1, "param", "name", &size);
    if (size == 0 || memchr(name, '\0', size) != NULL)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "param: the name is empty or has a NUL");
    pack(L, lua_gettop(L) + 1);
    return push_node(L, HYL_PARAM, name, size);
}

/* core.case(whens, otherwise) */
static int core_case(lua_State *L)
{
    hyl_need_table(L, 1, "case", "whens");
    lua_settop(L, 2);
    int n = (int)lua_rawlen(L, 1);
    if (n == 0)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "case: at least one { condition, value } is expected");
    lua_createtable(L, 2 * n + 1, 1);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        if (!lua_istable(L, -1))
            return hyl_fail(L, HY_EINVALID_ARGUMENT, "case: entry %d is no { condition, value }", i);
        lua_rawgeti(L, -1, 1);
        lua_rawseti(L, -3, 2 * i - 1);
        lua_rawgeti(L, -1, 2);
        lua_rawseti(L, -3, 2 * i);
        lua_pop(L, 1);
    }
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 2 * n + 1);
    lua_pushinteger(L, 2 * n);
    lua_setfield(L, -2, "n");
    return push_node(L, HYL_CASE, "", 0);
}

/* core.binary(bytes) */
static int core_binary(lua_State *L)
{
    size_t size;
    const char *bytes = hyl_need_text(L, 1, "binary", "bytes", &size);
    pack(L, lua_gettop(L) + 1);
    return push_node(L, HYL_BINARY, bytes, size);
}

static int binary_tostring(lua_State *L)
{
    size_t size;
    hyl_check(L, 1, HYL_BINARY);
    const char *bytes = hyl_node_word(L, 1, &size);
    lua_pushlstring(L, bytes, size);
    return 1;
}

/* ---- calculating ------------------------------------------------------------------------- */

bool hyl_is_expression(hyl_type type)
{
    return type == HYL_RAW || type == HYL_FUNC || type == HYL_COL || type == HYL_CASE || type == HYL_MATH ||
           type == HYL_QUERY;
}

static void check_operand(lua_State *L, int index, const char *word)
{
    hyl_type type = hyl_typeof(L, index);
    if (lua_isnil(L, index) || type == HYL_NULL)
        hyl_fail(L, HY_ENIL_VALUE, "calculating with nil or NULL: '%s' would give NULL", word);
    if (lua_type(L, index) != LUA_TNUMBER && type != HYL_DECIMAL && type != HYL_PARAM &&
        !hyl_is_expression(type))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "'%s' takes numbers, decimals and expressions, not a %s", word,
                 type != HYL_NONE ? hyl_type_name(type) : luaL_typename(L, index));
}

int hyl_math(lua_State *L, const char *word)
{
    lua_settop(L, 2);
    check_operand(L, 1, word);
    check_operand(L, 2, word);
    pack(L, 1);
    return push_node(L, HYL_MATH, word, strlen(word));
}

static int math_add(lua_State *L)
{
    return hyl_math(L, "+");
}
static int math_subtract(lua_State *L)
{
    return hyl_math(L, "-");
}
static int math_multiply(lua_State *L)
{
    return hyl_math(L, "*");
}

static int math_slash(lua_State *L)
{
    return hyl_fail(
        L, HY_EINVALID_ARGUMENT,
        "databases do not agree on quotients: select both and divide here, or say sql.rawStatement");
}

/* ---- reading ----------------------------------------------------------------------------- */

bool hyl_to_value(lua_State *L, int index, hy_value *out)
{
    size_t size;
    /* Field by field: in a list of rows this is each cell's. */
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        out->type = HY_BOOL;
        out->as.boolean = lua_toboolean(L, index);
        return true;
    case LUA_TNUMBER:
        out->type = lua_isinteger(L, index) ? HY_INT : HY_DOUBLE;
        if (out->type == HY_INT)
            out->as.integer = lua_tointeger(L, index);
        else
            out->as.number = lua_tonumber(L, index);
        return true;
    case LUA_TSTRING:
        out->type = HY_TEXT;
        out->as.text.data = lua_tolstring(L, index, &out->as.text.size);
        return true;
    case LUA_TUSERDATA:
        switch (hyl_typeof(L, index)) {
        case HYL_NULL:
            *out = hy_null();
            return true;
        case HYL_BINARY: {
            const char *bytes = hyl_node_word(L, index, &size);
            *out = hy_bytes(HY_BLOB, bytes, size);
            return true;
        }
        default:
            return false;
        }
    default:
        return false;
    }
}

void hyl_check_plain(lua_State *L, int index, const char *what)
{
    if (!lua_getmetatable(L, index))
        return;
    lua_pushliteral(L, "columns"); /* record metatables carry the set of selected columns */
    bool record = lua_rawget(L, -2) == LUA_TTABLE;
    lua_pop(L, 2);
    if (!record)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a table with a metatable is not read", what);
}

/* Decimals are bound as their canonical text. */
static hy_expr *decimal_expr(lua_State *L, hy_query *q, int index, const hy_expr *like,
                             const hy_column *column)
{
    const hy_decimal *d = lua_touserdata(L, index);
    char text[HY_DECIMAL_TEXT_SIZE];
    hy_value value = hy_bytes(HY_DECIMAL, text, hy_decimal_format(d, text));
    if (column != NULL)
        return hy_expr_value_for(q, column, &value);
    return like != NULL ? hy_expr_value_like(q, like, &value) : hy_expr_value(q, &value);
}

static lua_Integer date_field(lua_State *L, int index, const char *name, lua_Integer missing)
{
    lua_pushstring(L, name);
    lua_rawget(L, index);
    lua_Integer field = missing;
    if (!lua_isnil(L, -1)) {
        int exact;
        field = lua_tointegerx(L, -1, &exact);
        if (!exact || field < INT32_MIN || field > INT32_MAX)
            hyl_fail(L, HY_EDATA_INVALID, "date table: field '%s' is no integer", name);
    }
    lua_pop(L, 1);
    return field;
}

/* { year =, month =, day =, hour =, min =, sec =, usec = } as os.date("!*t") makes it */
static hy_value date_table(lua_State *L, int index, hy_kind kind)
{
    hy_date_parts parts = {
        .year = (int)date_field(L, index, "year", kind == HY_KIND_TIME ? 1970 : INT32_MIN),
        .month = (int)date_field(L, index, "month", kind == HY_KIND_TIME ? 1 : INT32_MIN),
        .day = (int)date_field(L, index, "day", kind == HY_KIND_TIME ? 1 : INT32_MIN),
        .hour = (int)date_field(L, index, "hour", 0),
        .minute = (int)date_field(L, index, "min", 0),
        .second = (int)date_field(L, index, "sec", 0),
        .micros = (int)date_field(L, index, "usec", 0),
    };
    hy_value value = {HY_TIMESTAMP, {0}};
    if (!hy_timestamp_from_parts(&parts, &value.as.micros))
        hyl_fail(L, HY_EDATA_INVALID, "date table: no such date");
    if (kind == HY_KIND_TIME)
        value.type = HY_TIME;
    return value;
}

static bool is_date_kind(hy_kind kind)
{
    return kind == HY_KIND_DATE || kind == HY_KIND_TIME || kind == HY_KIND_DATETIME ||
           kind == HY_KIND_TIMESTAMP;
}

static bool is_json_kind(hy_kind kind)
{
    return kind == HY_KIND_JSON || kind == HY_KIND_JSONB || kind == HY_KIND_ARRAY;
}

/* The value at index as JSON, stored in (or compared with) a JSON or array column. */
static hy_expr *json_expr(lua_State *L, hy_query *q, int index, const hy_expr *like, const hy_column *column)
{
    const hy_column *known = column != NULL ? column : hy_expr_model_column(like);
    if (known != NULL && known->kind == HY_KIND_ARRAY)
        hyl_array_encode(L, index, known);
    else
        hyl_json_encode(L, index);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    hy_value value = hy_bytes(HY_JSON, text, size);
    hy_expr *e = column != NULL ? hy_expr_value_for(q, column, &value)
                 : like != NULL ? hy_expr_value_like(q, like, &value)
                                : hy_expr_value(q, &value);
    lua_pop(L, 1);
    return e;
}

/* What plain values are read as: the column that they are stored in, or what they stand beside. */
typedef struct context {
    const hy_expr *like;
    const hy_column *column;
} context;

static const context anything = {NULL, NULL};

static hy_expr *node_expr(lua_State *L, hy_query *q, int index, hyl_type type, context as, const char *what,
                          int depth);

static hy_expr *to_expr(lua_State *L, hy_query *q, int index, context as, const char *what, int depth)
{
    const hy_expr *like = as.like;
    const hy_column *column = as.column;
    hy_kind kind = column != NULL ? column->kind : like != NULL ? hy_expr_kind(like) : HY_KIND_ANY;
    hyl_type type = hyl_typeof(L, index);
    if (type == HYL_DECIMAL)
        return decimal_expr(L, q, index, like, column);
    if (hyl_is_expression(type))
        return node_expr(L, q, index, type, as, what, depth);
    if (type == HYL_PARAM) {
        if (column != NULL)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a parameter is for queries that read", what);
        size_t size;
        return hy_expr_param_like(q, hyl_node_word(L, index, &size), like);
    }
    if (is_json_kind(kind) && type != HYL_NULL && !lua_isnoneornil(L, index) &&
        (column != NULL || lua_istable(L, index)))
        return json_expr(L, q, index, like, column);

    hy_value value;
    if (!hyl_to_value(L, index, &value)) {
        if (lua_isnoneornil(L, index))
            hyl_fail(L, HY_ENIL_VALUE, "%s is nil (sql.null means NULL)", what);
        if (!lua_istable(L, index))
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a %s is no value", what,
                     type != HYL_NONE ? hyl_type_name(type) : luaL_typename(L, index));
        if (is_date_kind(kind))
            value = date_table(L, index, kind);
        else if (hyl_json_tagged(L, index))
            return json_expr(L, q, index, like, column);
        else
            hyl_fail(L, HY_EINVALID_ARGUMENT,
                     "%s: a table where one value is expected (operators are made by sql.op)", what);
    }
    if (column != NULL)
        return hy_expr_value_for(q, column, &value);
    return like != NULL ? hy_expr_value_like(q, like, &value) : hy_expr_value(q, &value);
}

/* The arguments of a node (table at `args`) as expressions in the query's own list. */
static hy_expr **node_list(lua_State *L, hy_query *q, int args, int n, context as, const char *what,
                           int depth, hy_expr **list)
{
    hyl_need_stack(L, 8);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, args, i + 1);
        list[i] = to_expr(L, q, lua_gettop(L), as, what, depth + 1);
        lua_pop(L, 1);
    }
    return list;
}

static hy_expr *case_expr(lua_State *L, hy_query *q, int args, int n, context as, const char *what, int depth)
{
    hy_expr **list = lua_newuserdatauv(L, sizeof *list * (size_t)(n + 1), 0);
    hy_expr **whens = list, **thens = list + n / 2;
    for (int i = 0; i < n / 2; i++) {
        lua_rawgeti(L, args, 2 * i + 1);
        lua_rawgeti(L, args, 2 * i + 2);
        whens[i] = hyl_to_condition(L, q, lua_gettop(L) - 1, false, what, depth + 1);
        thens[i] = to_expr(L, q, lua_gettop(L), as, what, depth + 1);
        lua_pop(L, 2);
    }
    lua_rawgeti(L, args, n + 1);
    hy_expr *otherwise = lua_isnil(L, -1) ? NULL : to_expr(L, q, lua_gettop(L), as, what, depth + 1);
    hy_expr *e = hy_expr_case(q, whens, thens, (size_t)n / 2, otherwise);
    lua_pop(L, 2);
    return e;
}

static bool is_float(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TNUMBER && !lua_isinteger(L, index);
}

/* A plain operand is read as the kind of the other. */
static hy_expr *math_expr(lua_State *L, hy_query *q, int args, hy_op op, const char *what, int depth)
{
    hy_expr *operands[2];
    lua_rawgeti(L, args, 1);
    lua_rawgeti(L, args, 2);
    int first = hyl_is_expression(hyl_typeof(L, -2)) ? 0 : 1;
    int left = lua_gettop(L) - 1;
    operands[first] = to_expr(L, q, left + first, anything, what, depth + 1);
    if (hy_expr_kind(operands[first]) == HY_KIND_DECIMAL && is_float(L, left + 1 - first))
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "%s: a float is not exact beside a decimal: write sql.decimal(\"...\")", what);
    operands[1 - first] = to_expr(L, q, left + 1 - first, (context){operands[first], NULL}, what, depth + 1);
    lua_pop(L, 2);
    return hy_expr_compare(q, op, operands[0], operands[1]);
}

/* Does a call give one of its arguments? Then those are read as what the call stands for. */
static bool gives_argument(const char *word, size_t size)
{
    return hy_text_equal_nocase(word, size, "coalesce", 8) || hy_text_equal_nocase(word, size, "nullif", 6);
}

static hy_expr *node_expr(lua_State *L, hy_query *q, int index, hyl_type type, context as, const char *what,
                          int depth)
{
    if (depth > MAX_DEPTH)
        hyl_fail(L, HY_ELIMIT_EXCEEDED, "%s: nested too deeply", what);
    if (type == HYL_QUERY) {
        hy_expr *e = hy_expr_query(q, hyl_to_query(L, index));
        lua_pop(L, 1);
        return e;
    }
    size_t size;
    const char *word = hyl_node_word(L, index, &size);
    if (type == HYL_COL)
        return hy_expr_column(q, word, size);

    hyl_need_stack(L, 8);
    hyl_node_args(L, index);
    int args = lua_gettop(L);
    int n = args_count(L, args);
    hy_expr *e;
    if (type == HYL_CASE) {
        e = case_expr(L, q, args, n, as, what, depth);
    } else if (type == HYL_MATH) {
        e = math_expr(L, q, args, hy_op_from_word(word, size), what, depth);
    } else {
        hy_expr **list = lua_newuserdatauv(L, sizeof *list * (size_t)(n + 1), 0);
        bool passes = type != HYL_RAW && gives_argument(word, size);
        node_list(L, q, args, n, passes ? as : anything, what, depth, list);
        e = type == HYL_RAW ? hy_expr_raw(q, word, size, list, (size_t)n)
                            : hyl_expr_call(q, word, size, list, (size_t)n);
    }
    lua_settop(L, args - 1);
    return e;
}

hy_expr *hyl_expr_call(hy_query *q, const char *name, size_t size, hy_expr *const *args, size_t n)
{
    static const char suffix[] = " distinct";
    const size_t length = sizeof suffix - 1;
    bool distinct = size > length && hy_text_equal_nocase(name + size - length, length, suffix, length);

    return hy_expr_call(q, name, distinct ? size - length : size, args, n, distinct);
}

hy_expr *hyl_to_expr(lua_State *L, hy_query *q, int index, const hy_expr *like, const hy_column *column,
                     const char *what)
{
    return to_expr(L, q, lua_absindex(L, index), (context){like, column}, what, 0);
}

hy_expr *hyl_to_operand(lua_State *L, hy_query *q, int index, bool alias_allowed, const char *what)
{
    index = lua_absindex(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t size;
        const char *name = lua_tolstring(L, index, &size);
        return alias_allowed ? hy_expr_column_or_alias(q, name, size) : hy_expr_column(q, name, size);
    }
    hyl_type type = hyl_typeof(L, index);
    if (hyl_is_expression(type))
        return node_expr(L, q, index, type, anything, what, 0);
    hyl_fail_argument(L, index, what, "a column name");
    return NULL;
}

/* ---- writing ----------------------------------------------------------------------------- */

void hyl_push_null(lua_State *L)
{
    static const char null_key = 0;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key) == LUA_TUSERDATA)
        return;
    lua_pop(L, 1);
    hyl_new(L, HYL_NULL, 0, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
}

void hyl_push_value(lua_State *L, const hy_value *value, bool null_as_sentinel)
{
    char text[HY_VALUE_SCRATCH_SIZE];
    hy_decimal decimal;
    switch (value->type) {
    case HY_BOOL:
        lua_pushboolean(L, value->as.boolean);
        return;
    case HY_INT:
        lua_pushinteger(L, value->as.integer);
        return;
    case HY_DOUBLE:
        lua_pushnumber(L, value->as.number);
        return;
    case HY_TEXT:
    case HY_BLOB:
    case HY_JSON:
        lua_pushlstring(L, value->as.text.data, value->as.text.size);
        return;
    case HY_DECIMAL:
        if (hy_decimal_parse(value->as.text.data, value->as.text.size, &decimal, NULL) == HY_OK)
            hyl_push_decimal(L, &decimal);
        else
            lua_pushlstring(L, value->as.text.data, value->as.text.size);
        return;
    case HY_UUID:
        hy_uuid_format(value->as.uuid, text);
        lua_pushlstring(L, text, 36);
        return;
    case HY_DATE:
        lua_pushlstring(L, text, hy_date_format(value->as.days, text));
        return;
    case HY_TIME:
        lua_pushlstring(L, text, hy_time_format(value->as.micros, text));
        return;
    case HY_TIMESTAMP:
        lua_pushlstring(L, text, hy_timestamp_format(value->as.micros, text));
        return;
    default:
        if (null_as_sentinel)
            hyl_push_null(L);
        else
            lua_pushnil(L);
    }
}

static int null_tostring(lua_State *L)
{
    lua_pushliteral(L, "NULL");
    return 1;
}

static int core_kind(lua_State *L)
{
    luaL_checkany(L, 1);
    hyl_type type = hyl_typeof(L, 1);
    if (type != HYL_NONE) {
        lua_pushstring(L, hyl_type_name(type));
        return 1;
    }
    if (lua_istable(L, 1) && hyl_json_tagged(L, 1)) {
        luaL_getmetafield(L, 1, "__name"); /* "hysteria.array" or "hysteria.object" */
        lua_pushstring(L, lua_tostring(L, -1) + strlen("hysteria."));
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

void hyl_value_open(lua_State *L)
{
    static const luaL_Reg null_meta[] = {{"__tostring", null_tostring}, {NULL, NULL}};
    static const luaL_Reg binary_meta[] = {{"__tostring", binary_tostring}, {NULL, NULL}};
    static const luaL_Reg math_meta[] = {{"__add", math_add},      {"__sub", math_subtract},
                                         {"__mul", math_multiply}, {"__div", math_slash},
                                         {"__idiv", math_slash},   {NULL, NULL}};
    static const struct {
        hyl_type type;
        const char *name;
        const luaL_Reg *meta;
    } types[] = {
        {HYL_NULL, "hysteria.null", null_meta}, {HYL_BINARY, "hysteria.binary", binary_meta},
        {HYL_RAW, "hysteria.raw", NULL},        {HYL_OP, "hysteria.op", NULL},
        {HYL_GROUP, "hysteria.group", NULL},    {HYL_FUNC, "hysteria.func", math_meta},
        {HYL_COL, "hysteria.col", math_meta},   {HYL_CASE, "hysteria.case", math_meta},
        {HYL_MATH, "hysteria.math", math_meta}, {HYL_GIVEN, "hysteria.given", NULL},
        {HYL_PARAM, "hysteria.param", NULL},
    };
    static const luaL_Reg functions[] = {
        {"raw", core_raw},       {"op", core_op},     {"group", core_group}, {"given", core_given},
        {"func", core_func},     {"col", core_col},   {"param", core_param}, {"case", core_case},
        {"binary", core_binary}, {"kind", core_kind}, {NULL, NULL},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        hyl_type_new(L, types[i].type, types[i].name, NULL, types[i].meta);
        lua_pop(L, 1);
    }
    luaL_setfuncs(L, functions, 0);
    hyl_push_null(L);
    lua_setfield(L, -2, "null");
}
