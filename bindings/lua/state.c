/*
 * state.c - what one Lua state keeps, and the metatables of our userdata.
 */
#include "binding.h"

#include <string.h>

static const char state_key = 0;             /* registry: the hyl_state userdata */
static const char meta_keys[HYL_TYPE_COUNT]; /* registry: metatables */

/*
 * A metatable of ours holds in [1] the address of its type's entry: a look into its array part
 * instead of its hash, and a value that Lua code cannot make.
 */
static const char type_tags[HYL_TYPE_COUNT];

static const char *const type_names[HYL_TYPE_COUNT] = {
    [HYL_NONE] = "value",
    [HYL_NULL] = "null",
    [HYL_JSON_NULL] = "jsonNull",
    [HYL_DECIMAL] = "decimal",
    [HYL_BINARY] = "binary",
    [HYL_RAW] = "raw",
    [HYL_OP] = "op",
    [HYL_GROUP] = "group",
    [HYL_FUNC] = "func",
    [HYL_COL] = "col",
    [HYL_CASE] = "case",
    [HYL_MATH] = "math",
    [HYL_GIVEN] = "given",
    [HYL_PARAM] = "param",
    [HYL_MODEL] = "model",
    [HYL_QUERY] = "query",
    [HYL_SOURCE] = "source",
    [HYL_TRANSACTION] = "transaction",
    [HYL_CURSOR] = "cursor",
    [HYL_STREAM] = "stream",
    [HYL_PREPARED] = "prepared",
    [HYL_STATE] = "state",
    [HYL_JSON] = "json",
    [HYL_POLLER] = "poller",
    [HYL_JSON_WRITER] = "jsonWriter",
    [HYL_KEY] = "key",
    [HYL_HASHING] = "hashing",
};

const char *hyl_type_name(hyl_type type)
{
    return type_names[type];
}

void hyl_type_new(lua_State *L, hyl_type type, const char *name, const luaL_Reg *methods,
                  const luaL_Reg *meta)
{
    lua_createtable(L, 1, 8);
    lua_pushlightuserdata(L, (void *)&type_tags[type]);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, name); /* getmetatable() shows the name, never the table */
    lua_setfield(L, -2, "__metatable");
    if (meta != NULL)
        luaL_setfuncs(L, meta, 0);
    if (methods != NULL) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_keys[type]);
}

void hyl_set_type(lua_State *L, hyl_type type)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_keys[type]);
    lua_setmetatable(L, -2);
}

void hyl_need_stack(lua_State *L, int n)
{
    if (lua_checkstack(L, n))
        return;
    lua_pushliteral(L, "not enough memory"); /* luaL_checkstack would call that an overflow */
    lua_error(L);
}

int hyl_retire(lua_State *L)
{
    lua_pushnil(L);
    lua_setmetatable(L, 1);
    return 0;
}

void *hyl_new(lua_State *L, hyl_type type, size_t size, int n_user_values)
{
    void *block = lua_newuserdatauv(L, size == 0 ? 1 : size, n_user_values);
    memset(block, 0, size);
    hyl_set_type(L, type);
    return block;
}

hyl_type hyl_typeof(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return HYL_NONE;
    lua_rawgeti(L, -1, 1);
    uintptr_t type = (uintptr_t)lua_touserdata(L, -1) - (uintptr_t)type_tags;
    lua_pop(L, 2);
    return type < HYL_TYPE_COUNT ? (hyl_type)type : HYL_NONE;
}

void *hyl_test(lua_State *L, int index, hyl_type type)
{
    return hyl_typeof(L, index) == type ? lua_touserdata(L, index) : NULL;
}

void *hyl_check(lua_State *L, int index, hyl_type type)
{
    void *block = hyl_test(L, index, type);
    if (block == NULL)
        hyl_fail_argument(L, index, index == 1 ? "self" : NULL, type_names[type]);
    return block;
}

hyl_state *hyl_state_get(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    hyl_state *state = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return state;
}

hyl_state *hyl_push_state_value(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    hyl_state *state = lua_touserdata(L, -1);
    lua_getiuservalue(L, -1, 1);
    lua_replace(L, -2);
    return state;
}

static int state_gc(lua_State *L)
{
    hyl_state *state = lua_touserdata(L, 1);
    hy_compiler_free(state->compiler);
    state->compiler = NULL;
    hy_registry_unref(state->registry);
    state->registry = NULL;
    hy_worker_close(state->hashers);
    state->hashers = NULL;
    for (int i = 0; i < state->n_prefixes; i++)
        hy_free(state->prefixes[i]);
    state->n_prefixes = 0;
    return 0;
}

void hyl_state_open(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", state_gc}, {NULL, NULL}};
    hyl_type_new(L, HYL_STATE, "hysteria.state", NULL, meta);
    lua_pop(L, 1);

    hyl_state *state = hyl_new(L, HYL_STATE, sizeof *state, 1);
    lua_newtable(L); /* the plans */
    lua_setiuservalue(L, -2, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
    state->compiler = hy_compiler_new();
    if (state->compiler == NULL) {
        hy_error err;
        hy_fail_oom(&err);
        hyl_raise(L, &err);
    }
}

void hy_lua_set_registry(lua_State *L, hy_registry *registry)
{
    hyl_need_core(L);
    hyl_state *state = hyl_state_get(L);
    hy_registry *before = state->registry;
    state->registry = registry != NULL ? hy_registry_ref(registry) : NULL;
    hy_registry_unref(before);
}
