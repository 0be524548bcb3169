/*
 * query.c - the query userdata and its node verbs other than conditions.
 *
 * A query is one userdata: the arena's first block lies inside it, so that Lua's collector
 * sees what a query weighs. User value 1: the Lua side's own table, made when needed;
 * user value 2: the model. Verbs never wait and return the query.
 */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

hy_query *hyl_new_query(lua_State *L, int model_index)
{
    const hy_model *model = NULL;
    if (model_index != 0) {
        model_index = lua_absindex(L, model_index);
        model = ((hyl_model *)lua_touserdata(L, model_index))->model;
    }
    void *block = lua_newuserdatauv(L, HYL_QUERY_SIZE, 2);
    hy_query *q = hy_query_init(block, HYL_QUERY_SIZE, model);
    hyl_set_type(L, HYL_QUERY);
    if (model_index != 0) {
        lua_pushvalue(L, model_index);
        lua_setiuservalue(L, -2, HYL_QUERY_MODEL);
    }
    return q;
}

/* Most queries fit their userdata: their memory, long cold, is not touched again. */
static int query_gc(lua_State *L)
{
    hy_query *q = lua_touserdata(L, 1);
    if (hy_query_uses_heap(q))
        hy_query_clear(q);
    return hyl_retire(L);
}

static void raise_failure(lua_State *L, hy_query *q)
{
    hy_error err;
    (void)hy_query_status(q, &err);
    hy_query_forget_failure(q);
    hyl_raise(L, &err);
}

void hyl_query_check(lua_State *L, hy_query *q)
{
    if (hy_query_status(q, NULL) != HY_OK)
        raise_failure(L, q);
}

int hyl_query_done(lua_State *L, hy_query *q)
{
    hyl_query_check(L, q);
    lua_settop(L, 1);
    return 1;
}

const char *hyl_to_name(lua_State *L, int index, const char *what)
{
    size_t size;
    if (lua_type(L, index) != LUA_TSTRING)
        hyl_fail_argument(L, index, what, "text");
    const char *name = lua_tolstring(L, index, &size);
    if (strlen(name) != size)
        hyl_fail(L, HY_EINVALID_IDENTIFIER, "%s: there is a NUL byte in the name", what);
    return name;
}

const char *hyl_check_text(lua_State *L, int index, const char *name, size_t *size)
{
    if (lua_type(L, index) != LUA_TSTRING)
        hyl_fail_argument(L, index, name, "text");
    return lua_tolstring(L, index, size);
}

/* Stack: the query that was handed to a function and what that returned. Leaves the one that is meant. */
static void take_filled(lua_State *L)
{
    if (hyl_test(L, -1, HYL_QUERY) != NULL)
        lua_remove(L, -2);
    else
        lua_pop(L, 1);
}

hy_query *hyl_to_query(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    hy_query *q = hyl_test(L, index, HYL_QUERY);
    if (q != NULL) {
        lua_pushvalue(L, index);
        return q;
    }
    if (!lua_isfunction(L, index))
        return NULL;
    hyl_need_stack(L, 4);
    q = hyl_new_query(L, 0);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    take_filled(L);
    return lua_touserdata(L, -1);
}

static int fill_queries(lua_State *L, int resumed, lua_KContext verb)
{
    for (int i = 2; i <= lua_gettop(L); i++) {
        if (!lua_isfunction(L, i))
            continue;
        if (resumed != LUA_YIELD) {
            hyl_need_stack(L, 4);
            hyl_new_query(L, 0);
            lua_pushvalue(L, i);
            lua_pushvalue(L, -2);
            lua_callk(L, 1, 1, verb, fill_queries);
        }
        resumed = LUA_OK; /* the first function left is the one that was called */
        take_filled(L);
        lua_replace(L, i);
    }
    return ((lua_CFunction)verb)(L);
}

int hyl_with_queries(lua_State *L, lua_CFunction verb)
{
    hyl_check_query(L, 1);
    return fill_queries(L, LUA_OK, (lua_KContext)verb);
}

/* The numbers of hyl_call_in_group() lie at `at`. */
static int group_called(lua_State *L, int status, lua_KContext at)
{
    hy_query *q = lua_touserdata(L, 1);
    size_t depth = (size_t)lua_tointeger(L, (int)at);
    if (status == LUA_OK || status == LUA_YIELD) {
        hy_query_group_close(q, depth);
        return hyl_query_done(L, q);
    }
    hy_query_group_abandon(q, depth);
    hy_query_cut_joins(q, (size_t)lua_tointeger(L, (int)at + 1));
    return lua_error(L);
}

int hyl_call_in_group(lua_State *L, int fn, size_t depth, size_t n_joins)
{
    hyl_need_stack(L, 4);
    lua_pushinteger(L, (lua_Integer)depth);
    lua_pushinteger(L, (lua_Integer)n_joins);
    lua_KContext at = lua_gettop(L) - 1;
    lua_pushvalue(L, fn);
    lua_pushvalue(L, 1);
    return group_called(L, lua_pcallk(L, 1, 0, 0, at, group_called), at);
}

/* ---- select, from ------------------------------------------------------------------------ */

/* The item at `index`; a query or function needs the alias given. */
static void select_one(lua_State *L, hy_query *q, int index, const char *alias)
{
    hy_query *sub = hyl_to_query(L, index);
    if (sub != NULL) {
        if (alias == NULL)
            hyl_fail(L, HY_EMISSING_ALIAS_FOR_SUBQUERY, "select: a subquery needs an alias after it");
        hy_query_select(q, hy_expr_query(q, sub), alias);
        lua_pop(L, 1);
        return;
    }
    hy_query_select(q, hyl_to_operand(L, q, index, false, "select"), alias);
}

/* { item, alias } */
static void select_pair(lua_State *L, hy_query *q, int index)
{
    hyl_check_plain(L, index, "select");
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    if (lua_isnil(L, -2) || lua_type(L, -1) != LUA_TSTRING)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "select: a table is { column, alias }");
    int top = lua_gettop(L);
    select_one(L, q, top - 1, hyl_to_name(L, top, "alias"));
    lua_settop(L, top - 2);
}

static int select_all(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    int n = lua_gettop(L);
    if (n < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "select: a column is expected");
    for (int i = 2; i <= n; i++)
        if (lua_isnil(L, i))
            return hyl_fail(L, HY_ENIL_VALUE, "select: argument %d is nil", i - 1);
    for (int i = 2; i <= n; i++) {
        if (lua_istable(L, i)) {
            select_pair(L, q, i);
        } else if (lua_type(L, i) == LUA_TSTRING) {
            select_one(L, q, i, NULL);
        } else {
            const char *alias =
                i < n && lua_type(L, i + 1) == LUA_TSTRING ? hyl_to_name(L, i + 1, "alias") : NULL;
            select_one(L, q, i, alias);
            i += alias != NULL;
        }
    }
    return hyl_query_done(L, q);
}

/* select(...): names, {item, alias}, or one subquery or expression followed by its alias. */
static int query_select(lua_State *L)
{
    return hyl_with_queries(L, select_all);
}

/* The fragment at `index`: text followed by its parameters, or a raw value. */
static hy_expr *raw_argument(lua_State *L, hy_query *q, int index, int last, const char *what)
{
    if (hyl_typeof(L, index) == HYL_RAW)
        return hyl_to_expr(L, q, index, NULL, NULL, what);
    size_t size;
    const char *text = hyl_check_text(L, index, what, &size);
    int n = last > index ? last - index : 0;
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (size_t)(n + 1), 0);
    for (int i = 0; i < n; i++)
        items[i] = hyl_to_expr(L, q, index + 1 + i, NULL, NULL, what);
    hy_expr *e = hy_expr_raw(q, text, size, items, (size_t)n);
    lua_pop(L, 1);
    return e;
}

/* selectRaw(text, ...) */
static int query_select_raw(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_select(q, raw_argument(L, q, 2, lua_gettop(L), "selectRaw"), NULL);
    return hyl_query_done(L, q);
}

/* selectFunc(func, column | "*", alias) */
static int query_select_func(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *func = hyl_check_text(L, 2, "function", &size);
    hy_expr *arg = hyl_to_operand(L, q, 3, false, "column");
    const char *alias = lua_isnoneornil(L, 4) ? NULL : hyl_to_name(L, 4, "alias");
    hy_query_select(q, hy_expr_call(q, func, size, &arg, 1, false), alias);
    return hyl_query_done(L, q);
}

static int query_distinct(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_distinct(q);
    return hyl_query_done(L, q);
}

static int query_distinct_on(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    int n = lua_gettop(L);
    if (n < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "distinctOn: a column is expected");
    for (int i = 2; i <= n; i++)
        hy_query_distinct_on(q, hyl_to_operand(L, q, i, false, "distinctOn"));
    return hyl_query_done(L, q);
}

static int from_one(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    lua_settop(L, 3);
    const char *alias = lua_isnil(L, 3) ? NULL : hyl_to_name(L, 3, "alias");
    if (lua_type(L, 2) == LUA_TSTRING) {
        size_t size;
        const char *table = lua_tolstring(L, 2, &size);
        hy_query_from(q, table, size);
        if (alias != NULL)
            hy_query_alias(q, alias);
        return hyl_query_done(L, q);
    }
    hy_query *sub = hyl_to_query(L, 2);
    if (sub == NULL)
        return hyl_fail_argument(L, 2, "table", "a table name, a query or a function");
    if (alias == NULL)
        return hyl_fail(L, HY_EMISSING_ALIAS_FOR_SUBQUERY, "from: a subquery needs an alias");
    hy_query_from_query(q, sub, alias);
    return hyl_query_done(L, q);
}

/* from(table, alias?) or from(query | fn, alias) */
static int query_from(lua_State *L)
{
    return hyl_with_queries(L, from_one);
}

static int query_alias(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_alias(q, hyl_to_name(L, 2, "alias"));
    return hyl_query_done(L, q);
}

/* ---- joins ------------------------------------------------------------------------------- */

typedef struct join_verb {
    const char *name;
    hy_join_kind kind;
    const char *raw; /* the words before the text of a raw join */
} join_verb;

static const join_verb join_verbs[] = {
    {"join", HY_JOIN_INNER, NULL},
    {"innerJoin", HY_JOIN_INNER, NULL},
    {"leftJoin", HY_JOIN_LEFT, NULL},
    {"rightJoin", HY_JOIN_RIGHT, NULL},
    {"fullJoin", HY_JOIN_FULL, NULL},
    {"crossJoin", HY_JOIN_CROSS, NULL},
    {"joinRaw", HY_JOIN_INNER, "INNER JOIN "},
    {"leftJoinRaw", HY_JOIN_LEFT, "LEFT JOIN "},
    {"rightJoinRaw", HY_JOIN_RIGHT, "RIGHT JOIN "},
    {"fullJoinRaw", HY_JOIN_FULL, "FULL JOIN "},
    {"crossJoinRaw", HY_JOIN_CROSS, "CROSS JOIN "},
    {"naturalJoinRaw", HY_JOIN_NATURAL, "NATURAL JOIN "},
};

static int query_join_raw(lua_State *L)
{
    const join_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    hyl_check_text(L, 2, "text", &(size_t){0});
    lua_pushfstring(L, "%s%s", v->raw, lua_tostring(L, 2));
    lua_replace(L, 2);
    hy_query_join_raw(q, raw_argument(L, q, 2, lua_gettop(L), v->name));
    return hyl_query_done(L, q);
}

/* Push "alias.name" unless the name has a dot already. */
static const char *push_qualified(lua_State *L, const char *alias, const char *name)
{
    if (strchr(name, '.') != NULL)
        return lua_pushstring(L, name);
    return lua_pushfstring(L, "%s.%s", alias, name);
}

/* The name that stands for a joined table: after " as ", else the last part. Pushed. */
static const char *push_join_alias(lua_State *L, const char *table)
{
    for (const char *p = table; *p != '\0'; p++)
        if (p[0] == ' ' && (p[1] == 'a' || p[1] == 'A') && (p[2] == 's' || p[2] == 'S') && p[3] == ' ') {
            p += 4;
            while (*p == ' ')
                p++;
            return lua_pushstring(L, p);
        }
    const char *dot = strrchr(table, '.');
    return lua_pushstring(L, dot != NULL ? dot + 1 : table);
}

hy_expr *hyl_column_named(hy_query *q, const char *name)
{
    return hy_expr_column(q, name, strlen(name));
}

/* The columns at 3 and 4 compared by the operator at 5. */
static hy_expr *join_condition(lua_State *L, hy_query *q, const join_verb *v, const char *alias,
                               int n_columns)
{
    size_t size;
    const char *primary = NULL;
    if (n_columns >= 2 && !lua_isnil(L, 4))
        primary = hyl_check_text(L, 4, "primary column", &size);
    else if (hy_query_model(q) != NULL && hy_model_n_keys(hy_query_model(q)) == 1)
        primary = hy_model_key(hy_query_model(q), 0)->property;
    else
        hyl_fail(L, HY_EMODEL_HAS_NO_PRIMARY_KEY, "%s: name the column of the base table too", v->name);
    hy_op op = HY_OP_EQ;
    if (n_columns == 3) {
        const char *word = hyl_check_text(L, 5, "operator", &size);
        op = hy_op_from_word(word, size);
        if (op == HY_OP_COUNT || hy_op_arity(op) != 2 || op >= HY_OP_ADD)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: no operator '%.40s'", v->name, word);
    }
    hy_expr *lhs = hyl_column_named(q, push_qualified(L, alias, hyl_check_text(L, 3, "column", &size)));
    hy_expr *rhs = hyl_column_named(q, push_qualified(L, hy_query_base_name(q), primary));
    return hy_expr_compare(q, op, lhs, rhs);
}

/* join(table | Model, referencing, primary?, operator?, fn?) or (table, fn) */
static int query_join(lua_State *L)
{
    const join_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    int last = lua_gettop(L);
    const hy_model *model = NULL;
    if (lua_isnoneornil(L, 2))
        return hyl_fail(L, HY_ENIL_VALUE, "%s: the table is nil", v->name);
    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushvalue(L, 2);
    } else {
        model = hyl_check_model(L, 2)->model;
        lua_pushstring(L, hy_model_table(model));
    }
    size_t size;
    const char *table = lua_tolstring(L, -1, &size);
    const char *alias = push_join_alias(L, table);
    int fn = last >= 3 && lua_isfunction(L, last) ? last : 0;
    int n_columns = (fn != 0 ? fn : last + 1) - 3;
    if (n_columns > 3 || (n_columns == 0 && fn == 0 && v->kind != HY_JOIN_CROSS))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes (table, column, column?, operator?, function?)",
                        v->name);
    /* Everything is read before the join is added: a call that raises leaves the query as it was. */
    hy_expr *condition = n_columns >= 1 ? join_condition(L, q, v, alias, n_columns) : NULL;
    size_t n_joins = hy_query_n_joins(q);
    hy_query_join(q, v->kind, table, size, model);
    if (condition != NULL)
        hy_query_predicate(q, HY_SLOT_ON, HY_AND, false, condition);
    if (fn == 0)
        return hyl_query_done(L, q);
    return hyl_call_in_group(L, fn, hy_query_group_open(q, HY_SLOT_ON, HY_AND, false), n_joins);
}

/* ---- group, order, limit ----------------------------------------------------------------- */

static int query_group_by(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    int n = lua_gettop(L);
    if (n < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "groupBy: a column is expected");
    for (int i = 2; i <= n; i++)
        hy_query_group_by(q, hyl_to_operand(L, q, i, true, "groupBy"));
    return hyl_query_done(L, q);
}

static int query_group_by_raw(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_group_by(q, raw_argument(L, q, 2, lua_gettop(L), "groupByRaw"));
    return hyl_query_done(L, q);
}

int hyl_check_word(lua_State *L, int index, const char *what, const char *const words[])
{
    if (lua_isnoneornil(L, index))
        return 0;
    if (lua_type(L, index) == LUA_TSTRING) {
        char lower[16] = "";
        const char *word = lua_tostring(L, index);
        for (size_t i = 0; i < sizeof lower - 1 && word[i] != '\0'; i++)
            lower[i] = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
        for (int i = 0; words[i] != NULL; i++)
            if (strcmp(lower, words[i]) == 0 && strlen(word) == strlen(words[i]))
                return i;
    }
    return hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: expected \"%s\" or \"%s\"", what,
                    words[0][0] == '\0' ? words[1] : words[0], words[0][0] == '\0' ? words[2] : words[1]);
}

/* orderBy(column, "asc" | "desc", { nulls = "first" | "last" }) */
static int query_order_by(lua_State *L)
{
    static const char *const directions[] = {"asc", "desc", NULL};
    static const char *const nulls_words[] = {"", "first", "last", NULL};
    hy_query *q = hyl_check_query(L, 1);
    if (lua_gettop(L) < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "orderBy: a column is expected");
    lua_settop(L, 4);
    int direction = hyl_check_word(L, 3, "orderBy", directions);
    int nulls = 0;
    if (lua_istable(L, 4)) {
        lua_pushliteral(L, "nulls");
        lua_rawget(L, 4);
        nulls = hyl_check_word(L, -1, "orderBy nulls", nulls_words);
    } else if (!lua_isnil(L, 4)) {
        return hyl_fail_argument(L, 4, "options", "a table");
    }
    hy_query_order_by(q, hyl_to_operand(L, q, 2, true, "orderBy"), (hy_direction)direction, (hy_nulls)nulls);
    return hyl_query_done(L, q);
}

static int query_order_by_raw(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_order_by(q, raw_argument(L, q, 2, lua_gettop(L), "orderByRaw"), HY_ASC, HY_NULLS_DEFAULT);
    return hyl_query_done(L, q);
}

static int64_t check_count(lua_State *L, int index, const char *what)
{
    int exact;
    lua_Integer n = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : (exact = 0);
    if (lua_isnoneornil(L, index))
        hyl_fail(L, HY_ENIL_VALUE, "%s: the number is nil", what);
    if (!exact || n < 0)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes a whole number from 0", what);
    return n;
}

static int query_limit(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_limit(q, check_count(L, 2, "limit"));
    return hyl_query_done(L, q);
}

static int query_offset(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_offset(q, check_count(L, 2, "offset"));
    return hyl_query_done(L, q);
}

/* ---- with, set operations, locks --------------------------------------------------------- */

static int add_with(lua_State *L, bool recursive, bool materialized)
{
    hy_query *q = hyl_check_query(L, 1);
    const char *name = hyl_to_name(L, 2, "name");
    hy_query *sub = hyl_to_query(L, 3);
    if (sub == NULL)
        return hyl_fail_argument(L, 3, "query", "a query or a function");
    hy_query_with(q, name, sub, recursive, materialized);
    return hyl_query_done(L, q);
}

static int with_plain(lua_State *L)
{
    return add_with(L, false, false);
}
static int with_recursive(lua_State *L)
{
    return add_with(L, true, false);
}
static int with_materialized(lua_State *L)
{
    return add_with(L, false, true);
}

static int query_with(lua_State *L)
{
    return hyl_with_queries(L, with_plain);
}
static int query_with_recursive(lua_State *L)
{
    return hyl_with_queries(L, with_recursive);
}
static int query_with_materialized(lua_State *L)
{
    return hyl_with_queries(L, with_materialized);
}

typedef struct set_verb {
    const char *name;
    hy_set_op op;
} set_verb;

static const set_verb set_verbs[] = {
    {"union", HY_UNION}, {"unionAll", HY_UNION_ALL}, {"intersect", HY_INTERSECT}, {"except", HY_EXCEPT}};

static int combine(lua_State *L)
{
    const set_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    hy_query *other = hyl_to_query(L, 2);
    if (other == NULL)
        return hyl_fail_argument(L, 2, "query", "a query or a function");
    hy_query_set_operation(q, v->op, other);
    return hyl_query_done(L, q);
}

static int query_set_operation(lua_State *L)
{
    return hyl_with_queries(L, combine);
}

static bool flag(lua_State *L, int table, const char *name)
{
    if (!lua_istable(L, table))
        return false;
    lua_pushstring(L, name);
    lua_rawget(L, table);
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

static int add_lock(lua_State *L, hy_lock lock)
{
    hy_query *q = hyl_check_query(L, 1);
    if (!lua_isnoneornil(L, 2) && !lua_istable(L, 2))
        return hyl_fail_argument(L, 2, "options", "{ skipLocked = true } or { noWait = true }");
    bool skip = flag(L, 2, "skipLocked"), no_wait = flag(L, 2, "noWait");
    if (skip && no_wait)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "a lock either skips locked rows or does not wait");
    hy_query_lock(q, lock, skip ? HY_LOCK_SKIP_LOCKED : no_wait ? HY_LOCK_NOWAIT : HY_LOCK_WAIT);
    return hyl_query_done(L, q);
}

static int query_lock_for_update(lua_State *L)
{
    return add_lock(L, HY_LOCK_UPDATE);
}
static int query_for_share(lua_State *L)
{
    return add_lock(L, HY_LOCK_SHARE);
}

typedef struct clear_verb {
    const char *name;
    hy_part part;
} clear_verb;

static const clear_verb clear_verbs[] = {
    {"clearSelect", HY_PART_SELECT},  {"clearDistinct", HY_PART_DISTINCT},
    {"clearFrom", HY_PART_FROM},      {"clearJoin", HY_PART_JOIN},
    {"clearWhere", HY_PART_WHERE},    {"clearGroupBy", HY_PART_GROUP},
    {"clearHaving", HY_PART_HAVING},  {"clearOrderBy", HY_PART_ORDER},
    {"clearLimit", HY_PART_LIMIT},    {"clearOffset", HY_PART_OFFSET},
    {"clearLockQuery", HY_PART_LOCK}, {"clearUnionQuery", HY_PART_SET_OPERATION},
    {"clearWithQuery", HY_PART_WITH},
};

static int query_clear_part(lua_State *L)
{
    const clear_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    hy_query_clear_part(q, v->part);
    return hyl_query_done(L, q);
}

/* ---- for lua/hysteria -------------------------------------------------------------------- */

static int guard_called(lua_State *L, int status, lua_KContext ctx)
{
    hy_query *q = lua_touserdata(L, 1);
    (void)ctx;
    hy_query_guard_end(q);
    return status == LUA_OK || status == LUA_YIELD ? hyl_query_done(L, q) : lua_error(L);
}

/* q:_guard(fn, ...): what fn(q, ...) adds is the engine's. */
static int query_guard(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    if (!lua_isfunction(L, 2))
        return hyl_fail_argument(L, 2, "fn", "a function");
    int n = lua_gettop(L) - 2;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    for (int i = 0; i < n; i++)
        lua_pushvalue(L, 3 + i);
    hy_query_guard_begin(q);
    return guard_called(L, lua_pcallk(L, n + 1, 0, 0, 0, guard_called), 0);
}

/* ---- looking inside ---------------------------------------------------------------------- */

typedef struct part_question {
    const char *name;
    bool (*has)(const hy_query *q);
} part_question;

static const part_question part_questions[] = {
    {"where", hy_query_has_where},      {"order", hy_query_has_order},       {"group", hy_query_has_group},
    {"limit", hy_query_has_limit},      {"select", hy_query_has_select},     {"join", hy_query_has_join},
    {"distinct", hy_query_is_distinct}, {"set", hy_query_has_set_operation}, {"lock", hy_query_has_lock},
};

static int query_has(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    const char *name = luaL_checkstring(L, 2);
    for (size_t i = 0; i < sizeof part_questions / sizeof *part_questions; i++)
        if (strcmp(part_questions[i].name, name) == 0) {
            lua_pushboolean(L, part_questions[i].has(q));
            return 1;
        }
    return hyl_fail(L, HY_EDEVELOPMENT_ERROR, "no part '%s'", name);
}

/* q:_selects(name): will the rows have that field of the model? */
static int query_selects(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "name", &size);
    lua_pushboolean(L, hy_query_selects(q, name, size));
    return 1;
}

static int query_model(lua_State *L)
{
    hyl_check_query(L, 1);
    lua_getiuservalue(L, 1, HYL_QUERY_MODEL);
    return 1;
}

static int query_peek(lua_State *L)
{
    hyl_check_query(L, 1);
    lua_getiuservalue(L, 1, HYL_QUERY_EXTRA);
    return 1;
}

/* q:_about() -> the model's class or nil, q:_peek(), q:_model() */
static int query_about(lua_State *L)
{
    hyl_check_query(L, 1);
    lua_settop(L, 1);
    bool has_model = lua_getiuservalue(L, 1, HYL_QUERY_MODEL) == LUA_TUSERDATA;
    if (has_model)
        lua_getiuservalue(L, 2, HYL_MODEL_CLASS);
    else
        lua_pushnil(L);
    lua_getiuservalue(L, 1, HYL_QUERY_EXTRA);
    lua_pushvalue(L, 2);
    return 3;
}

static int query_extra(lua_State *L)
{
    hyl_check_query(L, 1);
    if (lua_getiuservalue(L, 1, HYL_QUERY_EXTRA) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, HYL_QUERY_EXTRA);
    }
    return 1;
}

static bool is_plain_table(lua_State *L, int index)
{
    if (!lua_istable(L, index))
        return false;
    if (!lua_getmetatable(L, index))
        return true;
    lua_pop(L, 1);
    return false;
}

/* A copy of the table at index: `depth` levels of plain tables. Pushed. */
static void push_copy(lua_State *L, int index, int depth)
{
    index = lua_absindex(L, index);
    hyl_need_stack(L, 6);
    lua_newtable(L);
    int copy = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, index); lua_settop(L, copy + 1)) {
        lua_pushvalue(L, copy + 1);
        if (depth > 1 && is_plain_table(L, copy + 2))
            push_copy(L, copy + 2, depth - 1);
        else
            lua_pushvalue(L, copy + 2);
        lua_rawset(L, copy);
    }
}

static int query_clone(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    lua_settop(L, 1);
    bool has_model = lua_getiuservalue(L, 1, HYL_QUERY_MODEL) != LUA_TNIL;
    hy_query *copy = hyl_new_query(L, has_model ? 2 : 0);
    hy_error err;
    if (hy_query_copy(copy, q, &err) != HY_OK)
        return hyl_raise(L, &err);
    if (lua_getiuservalue(L, 1, HYL_QUERY_EXTRA) != LUA_TNIL) {
        push_copy(L, -1, 2);
        lua_setiuservalue(L, 3, HYL_QUERY_EXTRA);
    }
    lua_settop(L, 3);
    return 1;
}

/* q:_countOver(): SELECT count(*) FROM (q) */
static int query_count_over(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query *outer = hyl_new_query(L, 0);
    hy_query_from_query(outer, q, "counted");
    hy_expr *star = hy_expr_column(outer, "*", 1);
    hy_query_select(outer, hy_expr_call(outer, "count", 5, &star, 1, false), "value");
    hyl_query_check(L, outer);
    return 1;
}

static bool needs_derived(const hy_query *q)
{
    return hy_query_has_group(q) || hy_query_is_distinct(q) || hy_query_has_set_operation(q) ||
           hy_query_has_limit(q);
}

/* q:_aggregate(func, column, distinct?) */
static int query_aggregate(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t func_size, size;
    const char *func = hyl_check_text(L, 2, "function", &func_size);
    const char *column = hyl_check_text(L, 3, "column", &size);
    bool distinct = lua_toboolean(L, 4);
    bool is_count = strcmp(func, "count") == 0 && strcmp(column, "*") == 0;
    if (is_count && needs_derived(q)) {
        lua_settop(L, 1);
        return query_count_over(L);
    }
    lua_pushcfunction(L, query_clone);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    hy_query *inner = lua_touserdata(L, -1);
    hy_query_clear_part(inner, HY_PART_ORDER);
    if (!needs_derived(q)) {
        hy_query_clear_part(inner, HY_PART_SELECT);
        hy_expr *arg = hy_expr_column(inner, column, size);
        hy_query_select(inner, hy_expr_call(inner, func, func_size, &arg, 1, distinct), "value");
        hyl_query_check(L, inner);
        return 1;
    }
    if (hy_query_has_limit(q)) {
        lua_pop(L, 1); /* the order decides which rows count */
        lua_pushvalue(L, 1);
        inner = q;
    }
    hy_query *outer = hyl_new_query(L, 0);
    hy_query_from_query(outer, inner, "counted");
    const hy_column *known =
        hy_query_model(q) != NULL ? hy_model_find_column(hy_query_model(q), column, size) : NULL;
    const char *name = known != NULL ? known->name : column;
    hy_expr *arg = hyl_column_named(outer, name);
    hy_query_select(outer, hy_expr_call(outer, func, func_size, &arg, 1, distinct), "value");
    hyl_query_check(L, outer);
    return 1;
}

/* ---- module ------------------------------------------------------------------------------ */

/* core.query(model | table, { alias = }) */
static int core_query(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) {
        size_t size;
        const char *table = lua_tolstring(L, 1, &size);
        hy_query *q = hyl_new_query(L, 0);
        hy_query_from(q, table, size);
        if (lua_istable(L, 2) && lua_getfield(L, 2, "alias") == LUA_TSTRING)
            hy_query_alias(q, hyl_to_name(L, -1, "alias"));
        hyl_query_check(L, q);
        lua_pushvalue(L, lua_istable(L, 2) ? 3 : -1);
        return 1;
    }
    hyl_check_model(L, 1);
    hyl_new_query(L, 1);
    return 1;
}

static const char *check_dialect(lua_State *L, int index, const hy_dialect **dialect)
{
    const char *name = luaL_checkstring(L, index);
    *dialect = hy_dialect_find(name);
    if (*dialect == NULL)
        hyl_fail(L, HY_EUNSUPPORTED_DATABASE_TYPE, "no dialect '%.40s'", name);
    return name;
}

/* core.compile(q, dialect, "literal" | "binds") */
static int core_compile(lua_State *L)
{
    static const char *const hows[] = {"binds", "literal", NULL};
    hy_query *q = hyl_check_query(L, 1);
    const hy_dialect *dialect;
    hy_compiler *compiler = hyl_state_get(L)->compiler;
    check_dialect(L, 2, &dialect);
    if (compiler == NULL)
        return hyl_fail(L, HY_ECLOSED, "the Lua state is being closed");
    int how = luaL_checkoption(L, 3, "binds", hows);
    hy_compile_options options = {.inline_values = how == 1};
    hy_sql sql;
    hy_error err;
    if (hy_compile(compiler, q, dialect, &options, &sql, &err) != HY_OK)
        return hyl_raise(L, &err);
    lua_pushlstring(L, sql.text, sql.size);
    if (how == 1)
        return 1;
    lua_createtable(L, (int)sql.n_binds, 0);
    for (size_t i = 0; i < sql.n_binds; i++) {
        hyl_push_value(L, &sql.binds[i].value, true);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 2;
}

static void add_verbs(lua_State *L, const void *verb, size_t size, size_t n, lua_CFunction fn)
{
    for (size_t i = 0; i < n; i++) {
        const char *row = (const char *)verb + i * size;
        lua_pushlightuserdata(L, (void *)row);
        lua_pushcclosure(L, fn, 1);
        lua_setfield(L, -2, *(const char *const *)row); /* every row begins with its name */
    }
}

static void add_join_verbs(lua_State *L)
{
    for (size_t i = 0; i < sizeof join_verbs / sizeof *join_verbs; i++) {
        lua_pushlightuserdata(L, (void *)&join_verbs[i]);
        lua_pushcclosure(L, join_verbs[i].raw != NULL ? query_join_raw : query_join, 1);
        lua_setfield(L, -2, join_verbs[i].name);
    }
}

void hyl_query_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"select", query_select},
        {"selectRaw", query_select_raw},
        {"selectFunc", query_select_func},
        {"distinct", query_distinct},
        {"distinctOn", query_distinct_on},
        {"from", query_from},
        {"table", query_from},
        {"alias", query_alias},
        {"groupBy", query_group_by},
        {"groupByRaw", query_group_by_raw},
        {"orderBy", query_order_by},
        {"orderByRaw", query_order_by_raw},
        {"limit", query_limit},
        {"offset", query_offset},
        {"with", query_with},
        {"withRecursive", query_with_recursive},
        {"withMaterialized", query_with_materialized},
        {"lockForUpdate", query_lock_for_update},
        {"forShare", query_for_share},
        {"clone", query_clone},
        {"_guard", query_guard},
        {"_has", query_has},
        {"_selects", query_selects},
        {"_model", query_model},
        {"_peek", query_peek},
        {"_about", query_about},
        {"_extra", query_extra},
        {"_countOver", query_count_over},
        {"_aggregate", query_aggregate},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__gc", query_gc}, {NULL, NULL}};
    hyl_type_new(L, HYL_QUERY, "hysteria.query", methods, meta);
    lua_getfield(L, -1, "__index");
    hyl_predicate_open(L);
    hyl_write_open(L);
    add_join_verbs(L);
    add_verbs(L, set_verbs, sizeof *set_verbs, sizeof set_verbs / sizeof *set_verbs, query_set_operation);
    add_verbs(L, clear_verbs, sizeof *clear_verbs, sizeof clear_verbs / sizeof *clear_verbs,
              query_clear_part);
    lua_setfield(L, -3, "queryMethods");
    lua_pop(L, 1);

    lua_pushcfunction(L, core_query);
    lua_setfield(L, -2, "query");
    lua_pushcfunction(L, core_compile);
    lua_setfield(L, -2, "compile");
}
