/*
 * query.c - the query userdata: its life, callbacks that fill it, looking inside, compiling.
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

static const char subquery_key = 0, settle_key = 0;

/* core.setSubquery(stand, settle): stand(query, may_wait) gives what stands for a query inside of others. If
 * that is asked anew at each run, it is late, and second comes what settle(outer query) will need then: see
 * outer:_extra().inside. settle gives the query that runs. */
static int set_subquery(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &settle_key);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &subquery_key);
    return 0;
}

/* A table of the Lua side for the query at index, pushed. */
static void push_extra(lua_State *L, int index)
{
    if (lua_getiuservalue(L, index, HYL_QUERY_EXTRA) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, index, HYL_QUERY_EXTRA);
}

/* The late queries inside of the query at index, by id. Pushed, made if they are none. */
static void push_inside(lua_State *L, int index)
{
    push_extra(L, index);
    if (lua_getfield(L, -1, "inside") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "inside");
    }
    lua_remove(L, -2);
}

void hyl_carry_inside(lua_State *L, int into, int from)
{
    into = lua_absindex(L, into);
    from = lua_absindex(L, from);
    hyl_need_stack(L, 6);
    if (!hy_query_has_late(lua_touserdata(L, from)))
        return;
    int top = lua_gettop(L);
    push_inside(L, into);
    push_inside(L, from);
    for (lua_pushnil(L); lua_next(L, top + 2); lua_settop(L, top + 3)) {
        lua_pushvalue(L, top + 3);
        lua_insert(L, top + 4);
        lua_rawset(L, top + 1);
        lua_settop(L, top + 3);
    }
    lua_settop(L, top);
}

/* The query on top becomes what it leaves out as well: soft-deleted rows, rows of no default scope. */
static hy_query *make_whole(lua_State *L)
{
    hyl_need_stack(L, 8);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &subquery_key);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return lua_touserdata(L, -1);
    }
    lua_insert(L, -2);
    bool may_wait = hyl_test(L, 1, HYL_QUERY) != NULL;
    lua_pushboolean(L, may_wait);
    lua_call(L, 2, 2);
    if (may_wait && lua_istable(L, -1)) { /* { id, query } */
        int late = lua_gettop(L);
        push_inside(L, 1);
        lua_rawgeti(L, late, 1);
        lua_rawgeti(L, late, 2);
        lua_rawset(L, late + 1);
        lua_settop(L, late);
    }
    lua_pop(L, 1);
    return hyl_test(L, -1, HYL_QUERY);
}

/* q:_late(id): what is put into other queries stands for a query that is asked at each run. */
static int query_late(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_set_late(q, (uint64_t)luaL_checkinteger(L, 2));
    return hyl_query_done(L, q);
}

static const hy_query *find_inside(void *data, uint64_t id)
{
    lua_State *L = data;
    lua_rawgeti(L, 2, (lua_Integer)id);
    const hy_query *q = hyl_test(L, -1, HYL_QUERY);
    lua_pop(L, 1); /* the table keeps it alive */
    return q;
}

/* q:_settled({ [id] = query }): a copy with these in the places of the late ones. */
static int query_settled(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    bool has_model = lua_getiuservalue(L, 1, HYL_QUERY_MODEL) != LUA_TNIL;
    hy_query *copy = hyl_new_query(L, has_model ? 3 : 0);
    hyl_need_stack(L, 1);
    hy_error err;
    if (hy_query_copy_now(copy, q, find_inside, L, &err) != HY_OK)
        return hyl_raise(L, &err);
    return 1;
}

void hyl_push_settler(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    hyl_need_stack(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &settle_key);
    lua_pushvalue(L, index);
}

hy_query *hyl_to_query(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (hyl_test(L, index, HYL_QUERY) != NULL) {
        hyl_need_stack(L, 1);
        lua_pushvalue(L, index);
        return make_whole(L);
    }
    if (!lua_isfunction(L, index))
        return NULL;
    hyl_need_stack(L, 4);
    (void)hyl_new_query(L, 0);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    take_filled(L);
    return make_whole(L);
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
        const hy_query *other = hyl_test(L, -1, HYL_QUERY);
        if (other != NULL && other != q) { /* it gave a query of its own instead: what that asks */
            hyl_carry_inside(L, 1, -1);
            hy_query_where_of(q, HY_SLOT_WHERE, HY_AND, other);
        }
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
    return group_called(L, lua_pcallk(L, 1, 1, 0, at, group_called), at);
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
    {"alias", hy_query_names_alias},
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

/* q:_hasAlias(name): is something selected under it? */
static int query_has_alias(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "name", &size);
    lua_pushboolean(L, hy_query_has_alias(q, name, size));
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
    push_extra(L, 1);
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

/* Leave of the query whose rows are counted what decides on their number; no two of its columns may have one
 * name. */
static void bare_to_count(lua_State *L, hy_query *q)
{
    bool limited_only = !hy_query_has_group(q) && !hy_query_has_set_operation(q) && !hy_query_is_distinct(q);
    if (!hy_query_has_limit(q) || limited_only)
        hy_query_clear_part(q, HY_PART_ORDER);
    if (limited_only && hy_query_selects_columns(q)) {
        hy_query_clear_part(q, HY_PART_SELECT);
        hy_query_select(q, hy_expr_all(q, HY_AND, NULL, 0), "one");
    }
    hy_query_name_apart(q);
    hyl_query_check(L, q);
}

/* q:_countOver(): SELECT count(*) FROM (q) */
static int query_count_over(lua_State *L)
{
    hyl_check_query(L, 1);
    lua_pushcfunction(L, query_clone);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    hy_query *q = lua_touserdata(L, -1);
    bare_to_count(L, q);
    hy_query *outer = hyl_new_query(L, 0);
    hyl_carry_inside(L, -1, -2);
    hy_query_from_query(outer, q, "counted");
    hy_expr *star = hy_expr_column(outer, "*", 1);
    hy_query_select(outer, hy_expr_call(outer, "count", 5, &star, 1, false), "value");
    hyl_query_check(L, outer);
    return 1;
}

/* DISTINCT apart. */
static bool gives_other_rows(const hy_query *q)
{
    return hy_query_has_group(q) || hy_query_has_set_operation(q) || hy_query_has_limit(q);
}

/* What is counted, totalled ..., and over what: the table's rows or those that the query gives. */
typedef struct aggregate {
    const char *func, *column;
    size_t func_size, column_size;
    bool distinct; /* each value once */
    bool is_alias; /* of what the query selects */
    bool derived;
} aggregate;

static aggregate read_aggregate(lua_State *L, const hy_query *q)
{
    aggregate a = {.func = NULL};
    a.func = hyl_check_text(L, 2, "function", &a.func_size);
    a.column = hyl_check_text(L, 3, "column", &a.column_size);
    a.distinct = hy_query_has_distinct(q) && strcmp(a.func, "count") == 0 && strcmp(a.column, "*") != 0;
    a.is_alias = hy_query_has_alias(q, a.column, a.column_size);
    a.derived = a.is_alias || gives_other_rows(q) || (hy_query_is_distinct(q) && !a.distinct);
    return a;
}

static int push_aggregate(lua_State *L, hy_query *q, const aggregate *a, hy_expr *of)
{
    hy_query_select(q, hy_expr_call(q, a->func, a->func_size, &of, 1, a->distinct), "value");
    hyl_query_check(L, q);
    return 1;
}

/* The clone on top of the stack, which selects the aggregate of its own rows instead. */
static int aggregate_of_table(lua_State *L, const aggregate *a)
{
    hy_query *q = lua_touserdata(L, -1);
    hy_query_clear_part(q, HY_PART_SELECT);
    hy_query_clear_part(q, HY_PART_DISTINCT);
    return push_aggregate(L, q, a, hy_expr_column(q, a->column, a->column_size));
}

/* Under which name the rows of `inner` have what is asked for; where LIMIT alone chose them it is added. */
static const char *name_inside(lua_State *L, hy_query *inner, const aggregate *a)
{
    static const char value[] = "hysteria_value";
    bool fixed =
        hy_query_is_distinct(inner) || hy_query_has_group(inner) || hy_query_has_set_operation(inner);
    const char *name = hy_query_name_selected(inner, a->column, a->column_size, value);
    if (name != NULL)
        return name;
    if (!fixed && !hy_query_names_alias(inner))
        hy_query_clear_part(inner, HY_PART_SELECT);
    hy_query_select(inner, hy_expr_column(inner, a->column, a->column_size), NULL);
    hyl_query_check(L, inner);
    if (fixed)
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "%s of '%s': the query does not select it, and would give other rows if it did", a->func,
                 a->column);
    name = hy_query_name_selected(inner, a->column, a->column_size, value);
    return name != NULL ? name : a->column; /* "*": the database says it */
}

/* q:_aggregate(func, column). Of a query with DISTINCT a column's different values are counted. */
static int query_aggregate(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    const aggregate a = read_aggregate(L, q);
    if (hy_query_has_lock(q))
        return hyl_fail(L, HY_EINVALID_ARGUMENT,
                        "%s gives no rows that could be locked: clearLockQuery(), or lock rows with many()",
                        a.func);
    if (a.derived && strcmp(a.func, "count") == 0 && strcmp(a.column, "*") == 0) {
        lua_settop(L, 1);
        return query_count_over(L);
    }
    lua_pushcfunction(L, query_clone);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    hy_query *inner = lua_touserdata(L, -1);
    if (!hy_query_has_limit(q) || !a.derived) /* else the order decides which rows count */
        hy_query_clear_part(inner, HY_PART_ORDER);
    if (!a.derived)
        return aggregate_of_table(L, &a);
    const char *name = name_inside(L, inner, &a);
    hy_query *outer = hyl_new_query(L, 0);
    hyl_carry_inside(L, -1, 1);
    hy_query_from_query(outer, inner, "counted");
    return push_aggregate(L, outer, &a, hyl_column_named(outer, name));
}

/* ---- module ------------------------------------------------------------------------------ */

/* core.query(model | table, { alias = , naming = }) */
static int core_query(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) {
        size_t size;
        const char *table = lua_tolstring(L, 1, &size);
        lua_settop(L, 2);
        hy_query *q = hyl_new_query(L, 0);
        hy_query_from(q, table, size);
        if (lua_istable(L, 2) && lua_getfield(L, 2, "alias") == LUA_TSTRING)
            hy_query_alias(q, hyl_to_name(L, -1, "alias"));
        if (lua_istable(L, 2) && lua_getfield(L, 2, "naming") == LUA_TSTRING)
            hy_query_set_naming(q, hyl_check_naming(L, -1));
        hyl_query_check(L, q);
        lua_pushvalue(L, 3);
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

/* core.compile(q, dialect | source, "literal" | "binds"): of a source also what its server can */
static int core_compile(lua_State *L)
{
    static const char *const hows[] = {"binds", "literal", NULL};
    hy_query *q = hyl_check_query(L, 1);
    if (hy_query_has_late(q)) {
        hyl_push_settler(L, 1);
        lua_call(L, 1, 1);
        lua_replace(L, 1);
        q = hyl_check_query(L, 1);
    }
    const hy_dialect *dialect;
    hy_features features = 0;
    hy_compiler *compiler = hyl_state_get(L)->compiler;
    const hyl_source *source = hyl_test(L, 2, HYL_SOURCE);
    if (source != NULL && source->source != NULL) {
        dialect = hy_source_dialect(source->source);
        features = hy_source_features(source->source);
    } else {
        check_dialect(L, 2, &dialect);
    }
    if (compiler == NULL)
        return hyl_fail(L, HY_ECLOSED, "the Lua state is being closed");
    int how = luaL_checkoption(L, 3, "binds", hows);
    hy_compile_options options = {.features = features, .inline_values = how == 1};
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

void hyl_add_rows(lua_State *L, const void *verb, size_t size, size_t n, lua_CFunction fn)
{
    for (size_t i = 0; i < n; i++) {
        const char *row = (const char *)verb + i * size;
        lua_pushlightuserdata(L, (void *)row);
        lua_pushcclosure(L, fn, 1);
        lua_setfield(L, -2, *(const char *const *)row); /* every row begins with its name */
    }
}

void hyl_query_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"clone", query_clone},
        {"_guard", query_guard},
        {"_has", query_has},
        {"_selects", query_selects},
        {"_model", query_model},
        {"_peek", query_peek},
        {"_about", query_about},
        {"_extra", query_extra},
        {"_late", query_late},
        {"_settled", query_settled},
        {"_countOver", query_count_over},
        {"_hasAlias", query_has_alias},
        {"_aggregate", query_aggregate},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__gc", query_gc}, {NULL, NULL}};
    hyl_type_new(L, HYL_QUERY, "hysteria.query", methods, meta);
    lua_getfield(L, -1, "__index");
    hyl_predicate_open(L);
    hyl_write_open(L);
    hyl_query_select_open(L);
    hyl_query_join_open(L);
    lua_setfield(L, -3, "queryMethods");
    lua_pop(L, 1);

    lua_pushcfunction(L, core_query);
    lua_setfield(L, -2, "query");
    lua_pushcfunction(L, core_compile);
    lua_setfield(L, -2, "compile");
    lua_pushcfunction(L, set_subquery);
    lua_setfield(L, -2, "setSubquery");
}
