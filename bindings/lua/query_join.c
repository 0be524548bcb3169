/*
 * query_join.c - verbs of a query: joins, WITH, set operations, locks, and what empties a part.
 *
 * Kinds of one family are rows of a table; the row is the upvalue of the one function that
 * reads their arguments. Conditions of a join are predicate.c's.
 */
#include "binding.h"

#include <string.h>

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
    hy_query_join_raw(q, hyl_raw_argument(L, q, 2, lua_gettop(L), v->name));
    return hyl_query_done(L, q);
}

/* Push "alias.name" unless the name has a dot already. */
static const char *push_qualified(lua_State *L, const char *alias, const char *name)
{
    if (strchr(name, '.') != NULL)
        return lua_pushstring(L, name);
    return lua_pushfstring(L, "%s.%s", alias, name);
}

/* Does " as " stand here? */
static bool is_as(const char *p, const char *end)
{
    return end - p > 4 && p[0] == ' ' && (p[1] | 0x20) == 'a' && (p[2] | 0x20) == 's' && p[3] == ' ';
}

/* The name that stands for a joined table, spaces around it not: after " as ", else the last part. Pushed. */
static const char *push_join_alias(lua_State *L, const char *table, size_t size)
{
    const char *from = table, *end = table + size;
    while (from < end && *from == ' ')
        from++;
    while (end > from && end[-1] == ' ')
        end--;
    for (const char *p = from + 1; p < end; p++)
        if (is_as(p, end)) {
            from = p + 4;
            while (from < end && *from == ' ')
                from++;
            return lua_pushlstring(L, from, (size_t)(end - from));
        }
    for (const char *p = from; p < end; p++)
        if (*p == '.')
            from = p + 1;
    return lua_pushlstring(L, from, (size_t)(end - from));
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

/* What is joined, and the name that stands for it. Text lies on the Lua stack. */
typedef struct joined {
    const char *table, *alias;
    size_t size;
    const hy_model *model;
    const hy_query *sub;
} joined;

/* A table's name or a model, pushed as text. */
static void read_table(lua_State *L, int index, joined *out)
{
    if (lua_type(L, index) == LUA_TSTRING) {
        lua_pushvalue(L, index);
        return;
    }
    const hyl_model *m = hyl_check_model(L, index);
    out->model = m->model;
    if (m->derived)
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "%s is a view that no database knows: join { %s:query(), \"name\" }",
                 hy_model_name(m->model), hy_model_name(m->model));
    lua_pushstring(L, hy_model_table(out->model));
}

/* { table | Model | query | fn, alias } */
static void read_joined_pair(lua_State *L, const join_verb *v, int index, joined *out)
{
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    int top = lua_gettop(L);
    if (lua_isnil(L, top - 1) || lua_type(L, top) != LUA_TSTRING)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a table is { table or query, alias }", v->name);
    out->alias = hyl_to_name(L, top, "alias");
    out->sub = hyl_to_query(L, top - 1);
    if (out->sub != NULL)
        return;
    read_table(L, top - 1, out);
    out->table = lua_pushfstring(L, "%s as %s", hyl_to_name(L, -1, "table"), out->alias);
    out->size = strlen(out->table);
}

static bool is_pair(lua_State *L, int index)
{
    if (!lua_istable(L, index))
        return false;
    if (!lua_getmetatable(L, index))
        return true;
    lua_pop(L, 1);
    return false;
}

static joined read_joined(lua_State *L, const join_verb *v, int index)
{
    joined out = {0};
    if (lua_isnoneornil(L, index))
        hyl_fail(L, HY_ENIL_VALUE, "%s: the table is nil", v->name);
    if (hyl_test(L, index, HYL_QUERY) != NULL)
        hyl_fail(L, HY_EMISSING_ALIAS_FOR_SUBQUERY, "%s: a subquery is joined as { query, alias }", v->name);
    if (is_pair(L, index)) {
        read_joined_pair(L, v, index, &out);
    } else {
        read_table(L, index, &out);
        out.table = lua_tolstring(L, -1, &out.size);
        out.alias = push_join_alias(L, out.table, out.size);
    }
    return out;
}

static void add_join(hy_query *q, hy_join_kind kind, const joined *what)
{
    if (what->sub != NULL)
        hy_query_join_query(q, kind, what->sub, what->alias);
    else
        hy_query_join(q, kind, what->table, what->size, what->model);
}

/*
 * join(table | Model | { one of them or a query or fn, alias }, referencing, primary?, operator?, fn?)
 * or (table, fn)
 */
static int query_join(lua_State *L)
{
    const join_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    int last = lua_gettop(L);
    int fn = last >= 3 && lua_isfunction(L, last) ? last : 0;
    int n_columns = (fn != 0 ? fn : last + 1) - 3;
    joined what = read_joined(L, v, 2);
    if (n_columns > 3 || (n_columns <= 0 && fn == 0 && v->kind != HY_JOIN_CROSS))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes (table, column, column?, operator?, function?)",
                        v->name);
    /* Everything is read before the join is added: a call that raises leaves the query as it was. */
    hy_expr *condition = n_columns >= 1 ? join_condition(L, q, v, what.alias, n_columns) : NULL;
    size_t n_joins = hy_query_n_joins(q);
    add_join(q, v->kind, &what);
    if (condition != NULL)
        hy_query_predicate(q, HY_SLOT_ON, HY_AND, false, condition);
    if (fn == 0)
        return hyl_query_done(L, q);
    return hyl_call_in_group(L, fn, hy_query_group_open(q, HY_SLOT_ON, HY_AND, false), n_joins);
}

/* ---- with, set operations, locks --------------------------------------------------------- */

static int add_with(lua_State *L, bool recursive, bool materialized)
{
    hy_query *q = hyl_check_query(L, 1);
    hyl_check_no_more(L, 3, materialized ? "withMaterialized" : recursive ? "withRecursive" : "with");
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

/* union(query | fn) or union(text, ...) */
static int combine(lua_State *L)
{
    const set_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    if (lua_type(L, 2) == LUA_TSTRING || hyl_typeof(L, 2) == HYL_RAW) {
        hy_query_set_operation_raw(q, v->op, hyl_raw_argument(L, q, 2, lua_gettop(L), v->name));
        return hyl_query_done(L, q);
    }
    hyl_check_no_more(L, 2, v->name);
    hy_query *other = hyl_to_query(L, 2);
    if (other == NULL)
        return hyl_fail_argument(L, 2, "query", "a query, a function or SQL text");
    hy_query_set_operation(q, v->op, other);
    return hyl_query_done(L, q);
}

static int query_set_operation(lua_State *L)
{
    return hyl_with_queries(L, combine);
}

static bool flag(lua_State *L, int table, const char *what, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, table);
    if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: option '%s' is true or false", what, name);
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

static int add_lock(lua_State *L, hy_lock lock)
{
    static const char *const known[] = {"skipLocked", "noWait", NULL};
    const char *what = lock == HY_LOCK_SHARE ? "forShare" : "lockForUpdate";
    hy_query *q = hyl_check_query(L, 1);
    bool skip = false, no_wait = false;
    hyl_check_no_more(L, 2, what);
    if (lua_istable(L, 2)) {
        hyl_check_options(L, 2, what, known);
        skip = flag(L, 2, what, "skipLocked");
        no_wait = flag(L, 2, what, "noWait");
    } else if (!lua_isnoneornil(L, 2)) {
        return hyl_fail_argument(L, 2, "options", "{ skipLocked = true } or { noWait = true }");
    }
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
    {"clearSelect", HY_PART_SELECT},
    {"clearDistinct", HY_PART_DISTINCT},
    {"clearDistinctOn", HY_PART_DISTINCT_ON},
    {"clearFrom", HY_PART_FROM},
    {"clearJoin", HY_PART_JOIN},
    {"clearWhere", HY_PART_WHERE},
    {"clearGroupBy", HY_PART_GROUP},
    {"clearHaving", HY_PART_HAVING},
    {"clearOrderBy", HY_PART_ORDER},
    {"clearLimit", HY_PART_LIMIT},
    {"clearOffset", HY_PART_OFFSET},
    {"clearLockQuery", HY_PART_LOCK},
    {"clearUnionQuery", HY_PART_SET_OPERATION},
    {"clearWithQuery", HY_PART_WITH},
};

static int query_clear_part(lua_State *L)
{
    const clear_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    hyl_check_no_more(L, 1, v->name);
    hy_query_clear_part(q, v->part);
    return hyl_query_done(L, q);
}

/* clear(): as it began, the table and its alias stay. */
static int query_clear(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    for (hy_part part = 0; part < HY_PART_COUNT; part++)
        if (part != HY_PART_FROM)
            hy_query_clear_part(q, part);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, HYL_QUERY_EXTRA);
    return hyl_query_done(L, q);
}

/* ---- module ------------------------------------------------------------------------------ */

static void add_join_verbs(lua_State *L)
{
    for (size_t i = 0; i < sizeof join_verbs / sizeof *join_verbs; i++) {
        lua_pushlightuserdata(L, (void *)&join_verbs[i]);
        lua_pushcclosure(L, join_verbs[i].raw != NULL ? query_join_raw : query_join, 1);
        lua_setfield(L, -2, join_verbs[i].name);
    }
}

void hyl_query_join_open(lua_State *L)
{
    static const luaL_Reg verbs[] = {
        {"with", query_with},
        {"withRecursive", query_with_recursive},
        {"withMaterialized", query_with_materialized},
        {"lockForUpdate", query_lock_for_update},
        {"forShare", query_for_share},
        {"clear", query_clear},
        {NULL, NULL},
    };
    luaL_setfuncs(L, verbs, 0);
    add_join_verbs(L);
    hyl_add_rows(L, set_verbs, sizeof *set_verbs, sizeof set_verbs / sizeof *set_verbs, query_set_operation);
    hyl_add_rows(L, clear_verbs, sizeof *clear_verbs, sizeof clear_verbs / sizeof *clear_verbs,
                 query_clear_part);
}
