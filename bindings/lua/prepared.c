/*
 * prepared.c - queries that were compiled once and run again with other values.
 *
 * A prepared query keeps the query, a compiler of its own and what that made of it. A run reads
 * its values as the query would have read them in their places, and sends binds: nothing is
 * built or compiled again, unless the database turned out to be another one.
 */
#include "binding.h"

#include <string.h>

static int prepared_gc(lua_State *L)
{
    hyl_prepared *p = lua_touserdata(L, 1);
    hy_compiler_free(p->compiler);
    for (size_t i = 0; i < p->n_earlier; i++)
        hy_compiler_free(p->earlier[i]);
    p->n_earlier = 0;
    hy_free(p->earlier);
    hy_free(p->binds);
    p->compiler = NULL;
    p->binds = NULL;
    return hyl_retire(L);
}

/* The names of its parameters, as a set on top of the stack. */
static void push_names(lua_State *L, hyl_prepared *p)
{
    lua_newtable(L);
    p->n_names = 0;
    for (size_t i = 0; p->sql.params != NULL && i < p->sql.n_binds; i++) {
        if (p->sql.params[i] == NULL)
            continue;
        if (lua_getfield(L, -1, p->sql.params[i]->name) == LUA_TNIL)
            p->n_names++;
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, p->sql.params[i]->name);
    }
}

static bool keep_binds(hyl_prepared *p)
{
    hy_bind *binds = hy_realloc(p->binds, (p->sql.n_binds + 1) * sizeof *binds);
    if (binds == NULL)
        return false;
    p->binds = binds;
    if (p->sql.n_binds > 0)
        memcpy(binds, p->sql.binds, p->sql.n_binds * sizeof *binds);
    p->sql.binds = binds;
    return true;
}

/* What the one before gave may be what a statement runs that waits for the database. */
static bool renew_compiler(hyl_prepared *p)
{
    if (p->compiler != NULL) {
        hy_compiler **earlier = hy_realloc(p->earlier, (p->n_earlier + 1) * sizeof(hy_compiler *));
        if (earlier == NULL)
            return false;
        p->earlier = earlier;
        earlier[p->n_earlier++] = p->compiler;
    }
    p->compiler = hy_compiler_new();
    return p->compiler != NULL;
}

static void compile(lua_State *L, int index, hyl_prepared *p, hy_source *source)
{
    hy_error err;
    const hy_compile_options options = {.features = hy_source_features(source), .limit = p->limit};
    lua_getiuservalue(L, index, HYL_PREPARED_QUERY);
    const hy_query *q = lua_touserdata(L, -1);
    lua_pop(L, 1);
    p->dialect = NULL;
    if (!renew_compiler(p))
        hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    if (hy_compile(p->compiler, q, hy_source_dialect(source), &options, &p->sql, &err) != HY_OK)
        hyl_raise(L, &err);
    if (!keep_binds(p))
        hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    push_names(L, p);
    lua_setiuservalue(L, index, HYL_PREPARED_NAMES);
    p->features = options.features;
    p->dialect = hy_source_dialect(source);
}

/* A value is given that no parameter is called after. */
static void refuse_unknown(lua_State *L, int names, int params)
{
    for (lua_pushnil(L); lua_next(L, params); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "parameters are given by name");
        lua_pushvalue(L, -2);
        if (lua_rawget(L, names) == LUA_TNIL)
            hyl_fail(L, HY_EUNKNOWN_OPTION, "the prepared query has no parameter '%.60s'",
                     lua_tostring(L, -3));
        lua_pop(L, 1);
    }
}

static lua_Integer count(lua_State *L, int table)
{
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        n++;
    return n;
}

/* The list on top of the stack as one bind. */
static void fill_list(lua_State *L, hy_query *values, const hy_dialect *dialect, const hy_param *param,
                      hy_bind *bind)
{
    hy_error err;
    int list = lua_gettop(L);
    if (!lua_istable(L, list))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "parameter '%.60s' takes a list", param->name);
    hyl_check_plain(L, list, param->name);
    size_t n = lua_rawlen(L, list);
    if (count(L, list) != (lua_Integer)n)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "parameter '%.60s' takes a list without keys or holes",
                 param->name);
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        items[i] = hyl_to_expr(L, values, -1, param->like, NULL, param->name);
        lua_pop(L, 1);
    }
    hyl_query_check(L, values);
    if (hy_expr_list_bind(values, dialect, param->like, items, n, bind, &err) != HY_OK)
        hyl_fail(L, err.status, "parameter '%.60s': %s", param->name, err.message);
    lua_pop(L, 1);
}

static void fill_one(lua_State *L, int names, const hy_dialect *dialect, const hy_param *param, int params,
                     hy_bind *bind)
{
    hy_query *values = lua_touserdata(L, names + 1);
    bool hidden = bind->sensitive;
    lua_pushstring(L, param->name);
    if (lua_rawget(L, params) == LUA_TNIL) {
        refuse_unknown(L, names, params); /* misspelt, perhaps */
        hyl_fail(L, HY_ENIL_VALUE, "parameter '%.60s' has no value (sql.null means NULL)", param->name);
    }
    if (param->use == HY_PARAM_LIST) {
        fill_list(L, values, dialect, param, bind);
        bind->sensitive = bind->sensitive || hidden;
        lua_pop(L, 1);
        return;
    }
    hy_expr *value = hyl_to_expr(L, values, -1, param->like, NULL, param->name);
    hyl_query_check(L, values);
    if (!hy_expr_bind(value, bind))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "parameter '%.60s' takes a value, not SQL", param->name);
    bind->sensitive = bind->sensitive || hidden;
    if (param->use == HY_PARAM_COUNT && (bind->value.type != HY_INT || bind->value.as.integer < 0))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "parameter '%.60s' takes a whole number from 0", param->name);
    if (bind->value.type == HY_NULL && param->like != NULL)
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "parameter '%.60s': nothing compares equal to NULL; whereNull asks for it", param->name);
    lua_pop(L, 1);
}

const hy_sql *hyl_prepared_fill(lua_State *L, int index, int params, hy_source *source)
{
    hyl_prepared *p = lua_touserdata(L, index);
    int top = lua_gettop(L);
    if (p->features != hy_source_features(source) || p->dialect != hy_source_dialect(source))
        compile(L, index, p, source);
    hyl_need_stack(L, 8);
    lua_getiuservalue(L, index, HYL_PREPARED_NAMES);
    lua_getiuservalue(L, index, HYL_PREPARED_VALUES);
    hy_query_clear(lua_touserdata(L, -1));
    if (lua_isnil(L, params)) {
        lua_newtable(L);
        params = lua_gettop(L);
    }
    if (!lua_istable(L, params))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "the parameters must be a table");
    hyl_check_plain(L, params, "the parameters");
    if (count(L, params) != p->n_names)
        refuse_unknown(L, top + 1, params);
    for (size_t i = 0; p->sql.params != NULL && i < p->sql.n_binds; i++)
        if (p->sql.params[i] != NULL)
            fill_one(L, top + 1, p->dialect, p->sql.params[i], params, &p->binds[i]);
    lua_settop(L, top);
    return &p->sql;
}

/* core.prepare(source, q, limit?) -> what the running functions take in place of a query */
static int core_prepare(lua_State *L)
{
    enum { SOURCE = 1, QUERY, LIMIT, PREPARED };
    lua_settop(L, LIMIT);
    hy_source *source = hyl_check_source(L, SOURCE)->source;
    const hy_query *q = hyl_check_query(L, QUERY);
    if (hy_query_kind(q) != HY_STATEMENT_SELECT)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "prepare: only queries that read are prepared");
    hyl_prepared *p = hyl_new(L, HYL_PREPARED, sizeof *p, HYL_PREPARED_NAMES);
    p->limit = lua_tointeger(L, LIMIT);
    lua_pushvalue(L, QUERY);
    lua_setiuservalue(L, PREPARED, HYL_PREPARED_QUERY);
    bool has_model = lua_getiuservalue(L, QUERY, HYL_QUERY_MODEL) != LUA_TNIL;
    hyl_new_query(L, has_model ? PREPARED + 1 : 0);
    lua_setiuservalue(L, PREPARED, HYL_PREPARED_VALUES);
    lua_setiuservalue(L, PREPARED, HYL_PREPARED_MODEL);
    compile(L, PREPARED, p, source);
    return 1;
}

/* core.parameters(prepared) -> set of their names */
static int core_parameters(lua_State *L)
{
    (void)hyl_check(L, 1, HYL_PREPARED);
    lua_getiuservalue(L, 1, HYL_PREPARED_NAMES);
    return 1;
}

void hyl_prepared_open(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", prepared_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"prepare", core_prepare}, {"parameters", core_parameters}, {NULL, NULL}};
    hyl_type_new(L, HYL_PREPARED, "hysteria.prepared", NULL, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
