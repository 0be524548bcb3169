/*
 * write.c - the verbs by which lua/hysteria builds INSERT, UPDATE and DELETE, and finds rows
 * by key. Rows are read raw; what a row may name is decided by the model.
 */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_index(const void *a, const void *b)
{
    size_t x = (*(const hy_column *const *)a)->index, y = (*(const hy_column *const *)b)->index;
    return x < y ? -1 : x > y;
}

/* What one insert writes to: the union of the rows' keys, each with its key string. */
typedef struct targets {
    size_t n;
    const hy_column **columns; /* model queries */
    const char **keys;         /* as the rows spell them */
} targets;

/* Add the keys of the row on top to the set table at `seen` (key -> true). */
static void collect_keys(lua_State *L, int seen)
{
    int row = lua_gettop(L);
    hyl_check_plain(L, row, "insert");
    for (lua_pushnil(L); lua_next(L, row);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushboolean(L, 1);
        lua_rawset(L, seen);
    }
}

static void check_row(lua_State *L, int rows, lua_Integer i)
{
    if (lua_rawgeti(L, rows, i) != LUA_TTABLE)
        hyl_fail(L, lua_isnil(L, -1) ? HY_ENIL_VALUE : HY_EINVALID_ARGUMENT,
                 "insert: row %d is a %s, expected a table", (int)i, luaL_typename(L, -1));
}

/* Has the row on top exactly the keys of the set table at `seen`, `n` of them? */
static bool has_same_keys(lua_State *L, int seen, lua_Integer n)
{
    int row = lua_gettop(L);
    lua_Integer found = 0;
    for (lua_pushnil(L); lua_next(L, row); found++) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        bool known = lua_rawget(L, seen) != LUA_TNIL;
        lua_pop(L, 1);
        if (!known) {
            lua_pop(L, 1);
            return false;
        }
    }
    return found == n;
}

/* The last row up to `last` that, like all before it, has the keys of row `first`. */
static lua_Integer uniform_end(lua_State *L, int rows, lua_Integer first, lua_Integer last)
{
    int top = lua_gettop(L);
    lua_newtable(L);
    check_row(L, rows, first);
    collect_keys(L, top + 1);
    lua_Integer n = 0, at = first;
    lua_settop(L, top + 1);
    for (lua_pushnil(L); lua_next(L, top + 1); lua_pop(L, 1))
        n++;
    while (at < last) {
        lua_settop(L, top + 1);
        check_row(L, rows, at + 1);
        if (!has_same_keys(L, top + 1, n))
            break;
        at++;
    }
    lua_settop(L, top);
    return at;
}

/* Fill `t`; leaves its two blocks and the set of keys on the stack. */
static void read_targets(lua_State *L, const hy_model *model, int rows, lua_Integer first, lua_Integer last,
                         targets *t)
{
    lua_newtable(L);
    int seen = lua_gettop(L);
    for (lua_Integer i = first; i <= last; i++) {
        check_row(L, rows, i);
        collect_keys(L, seen);
        lua_settop(L, seen);
    }
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, seen); lua_pop(L, 1))
        n++;
    t->keys = lua_newuserdatauv(L, sizeof *t->keys * (n + 1), 0);
    t->columns = lua_newuserdatauv(L, sizeof *t->columns * (n + 1), 0);
    t->n = n;
    size_t i = 0;
    for (lua_pushnil(L); lua_next(L, seen); lua_pop(L, 1), i++) {
        if (model != NULL)
            t->columns[i] = hyl_check_writable(L, model, lua_gettop(L) - 1);
        else if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "a row's keys are column names, got a %s",
                     luaL_typename(L, -2));
        t->keys[i] = lua_tostring(L, -2);
    }
    if (model == NULL) {
        qsort(t->keys, n, sizeof *t->keys, by_name);
        return;
    }
    qsort(t->columns, n, sizeof *t->columns, by_index);
    for (i = 0; i < n; i++) {
        if (i > 0 && t->columns[i] == t->columns[i - 1])
            hyl_fail(L, HY_EINVALID_ARGUMENT, "column '%s' is given twice, by property and by database name",
                     t->columns[i]->property);
        t->keys[i] = NULL;
    }
}

/* The value of column i in the row at `row`: by property, else by database name. Pushed. */
static void push_cell(lua_State *L, const targets *t, size_t i, int row, int keys)
{
    lua_rawgeti(L, keys, (lua_Integer)i + 1);
    if (lua_rawget(L, row) == LUA_TNIL && t->columns[i] != NULL && t->keys[i] == NULL &&
        t->columns[i]->name != t->columns[i]->property) {
        lua_pop(L, 1);
        lua_pushstring(L, t->columns[i]->name);
        lua_rawget(L, row);
    }
}

/* q:_insert(rows, first, last, uniform) -> the last row that was taken */
static int query_insert(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer first = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, (lua_Integer)lua_rawlen(L, 2));
    bool uniform = lua_toboolean(L, 5);
    lua_settop(L, 2);
    if (uniform && last > first)
        last = uniform_end(L, 2, first, last);
    const hy_model *model = hy_query_model(q);
    targets t;
    read_targets(L, model, 2, first, last, &t);
    if (model != NULL)
        hy_query_insert_columns(q, t.columns, t.n);
    else
        hy_query_insert(q, t.keys, t.n);

    lua_createtable(L, (int)t.n, 0); /* the key strings, pushed once */
    int keys = lua_gettop(L);
    for (size_t i = 0; i < t.n; i++) {
        lua_pushstring(L, model != NULL ? t.columns[i]->property : t.keys[i]);
        lua_rawseti(L, keys, (lua_Integer)i + 1);
    }
    if (model == NULL)
        memset(t.columns, 0, sizeof *t.columns * t.n);
    hy_expr **values = lua_newuserdatauv(L, sizeof *values * (t.n + 1), 0);
    int top = lua_gettop(L);
    for (lua_Integer r = first; r <= last; r++) {
        lua_rawgeti(L, 2, r);
        for (size_t i = 0; i < t.n; i++) {
            push_cell(L, &t, i, top + 1, keys);
            values[i] = lua_isnil(L, -1) ? NULL
                                         : hyl_to_expr(L, q, -1, NULL, t.columns[i],
                                                       model != NULL ? t.columns[i]->property : t.keys[i]);
            lua_pop(L, 1);
        }
        hy_query_insert_row(q, values, t.n);
        lua_settop(L, top);
    }
    hyl_query_check(L, q);
    lua_pushinteger(L, last);
    return 1;
}

/* q:_set(column, value) */
static int query_set(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "column", &size);
    const hy_column *column = hy_query_model(q) != NULL ? hyl_check_writable(L, hy_query_model(q), 2) : NULL;
    hy_query_set(q, name, size, hyl_to_expr(L, q, 3, NULL, column, name));
    return hyl_query_done(L, q);
}

/* q:_increment(column, amount): column = column + amount */
static int query_increment(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "column", &size);
    if (hy_query_model(q) != NULL)
        hyl_check_writable(L, hy_query_model(q), 2);
    if (lua_type(L, 3) != LUA_TNUMBER && hyl_typeof(L, 3) != HYL_DECIMAL)
        return hyl_fail_argument(L, 3, "amount", "a number");
    hy_expr *column = hy_expr_column(q, name, size);
    hy_expr *amount = hyl_to_expr(L, q, 3, column, NULL, "amount");
    hy_query_set(q, name, size, hy_expr_compare(q, HY_OP_ADD, column, amount));
    return hyl_query_done(L, q);
}

static int query_delete(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_delete(q);
    return hyl_query_done(L, q);
}

static int query_truncate(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_truncate(q);
    return hyl_query_done(L, q);
}

/* q:_returning(list | true) */
static int query_returning(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    if (!lua_istable(L, 2)) {
        hy_query_returning(q, hy_expr_column(q, "*", 1), NULL);
        return hyl_query_done(L, q);
    }
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
        hy_query_returning(q, hyl_to_operand(L, q, -1, false, "returning"), NULL);
        lua_pop(L, 1);
    }
    return hyl_query_done(L, q);
}

/* A list of strings as C strings in a userdata left on the stack; the table keeps them alive. */
static const char **check_names(lua_State *L, int index, const char *what, size_t *n)
{
    if (!lua_istable(L, index))
        hyl_fail_argument(L, index, what, "a list of column names");
    *n = lua_rawlen(L, index);
    const char **names = lua_newuserdatauv(L, sizeof *names * (*n + 1), 0);
    for (size_t i = 0; i < *n; i++) {
        if (lua_rawgeti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: column names are text", what);
        names[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    return names;
}

/* q:_onConflict(columns, "update" | "nothing", update_columns) */
static int query_on_conflict(lua_State *L)
{
    static const char *const actions[] = {"update", "nothing", NULL};
    hy_query *q = hyl_check_query(L, 1);
    lua_settop(L, 4);
    int action = hyl_check_word(L, 3, "onConflict", actions);
    size_t n, n_update = 0;
    const char **columns = check_names(L, 2, "conflict columns", &n);
    const char **update = action == 0 ? check_names(L, 4, "update columns", &n_update) : NULL;
    hy_query_on_conflict(q, columns, n, (hy_conflict_action)action, update, n_update);
    return hyl_query_done(L, q);
}

/* q:_keyIs({ values in key order }) */
static int query_key_is(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const hy_model *model = hy_query_model(q);
    size_t n = model != NULL ? hy_model_n_keys(model) : 0;
    if (n == 0)
        return hyl_fail(L, HY_EMODEL_HAS_NO_PRIMARY_KEY, "%s has no primary key",
                        model != NULL ? hy_model_name(model) : "a plain table");
    for (size_t i = 0; i < n; i++) {
        const char *key = hy_model_key(model, i)->property;
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        hy_expr *lhs = hyl_column_named(q, key);
        hy_expr *rhs = hyl_to_expr(L, q, -1, lhs, NULL, key);
        hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_compare(q, HY_OP_EQ, lhs, rhs));
        lua_pop(L, 1);
    }
    return hyl_query_done(L, q);
}

/* q:_keyIn(properties, rows): one property: rows are values; several: rows are lists of values. */
static int query_key_in(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t n_columns;
    const char **names = check_names(L, 2, "key", &n_columns);
    luaL_checktype(L, 3, LUA_TTABLE);
    size_t n = lua_rawlen(L, 3);
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (n + 1), 0);
    hy_expr **cells = lua_newuserdatauv(L, sizeof *cells * (2 * n_columns + 1), 0);
    hy_expr **columns = cells + n_columns;
    for (size_t c = 0; c < n_columns; c++)
        columns[c] = hyl_column_named(q, names[c]);
    hy_expr *lhs = n_columns == 1 ? columns[0] : hy_expr_row(q, columns, n_columns);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        if (n_columns == 1) {
            items[i] = hyl_to_expr(L, q, -1, lhs, NULL, names[0]);
        } else {
            int row = lua_gettop(L);
            luaL_checktype(L, row, LUA_TTABLE);
            for (size_t c = 0; c < n_columns; c++) {
                lua_rawgeti(L, row, (lua_Integer)c + 1);
                cells[c] = hyl_to_expr(L, q, -1, columns[c], NULL, names[c]);
                lua_pop(L, 1);
            }
            items[i] = hy_expr_row(q, cells, n_columns);
        }
        lua_pop(L, 1);
    }
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_in(q, lhs, items, n, false));
    return hyl_query_done(L, q);
}

void hyl_write_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"_insert", query_insert},          {"_set", query_set},
        {"_increment", query_increment},    {"_delete", query_delete},
        {"_truncate", query_truncate},      {"_returning", query_returning},
        {"_onConflict", query_on_conflict}, {"_keyIs", query_key_is},
        {"_keyIn", query_key_in},           {NULL, NULL},
    };
    luaL_setfuncs(L, methods, 0);
}
