/*
 * module.c - the table of hysteria.core, and the embedded Lua modules.
 */
#include "binding.h"

#include <string.h>

#include "base/text.h"
#include "embedded.h"

/* Chunk names of embedded modules: "=[hysteria/sql.lua]" prints as [hysteria/sql.lua]. */
#define EMBEDDED_PREFIX "=["

/* Protected, since the parts are on the heap: url */
static int push_url(lua_State *L)
{
    const hy_url *url = lua_touserdata(L, 1);
    const struct {
        const char *name, *value;
    } fields[] = {{"type", url->scheme},
                  {"username", url->user},
                  {"password", url->password},
                  {"host", url->host},
                  {"database", url->database}};
    lua_createtable(L, 0, 8);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value != NULL) {
            lua_pushstring(L, fields[i].value);
            lua_setfield(L, -2, fields[i].name);
        }
    if (url->port != 0) {
        lua_pushinteger(L, url->port);
        lua_setfield(L, -2, "port");
    }
    lua_createtable(L, 0, (int)url->n_options);
    for (size_t i = 0; i < url->n_options; i++) {
        lua_pushstring(L, url->options[i].value);
        lua_setfield(L, -2, url->options[i].name);
    }
    lua_setfield(L, -2, "options");
    return 1;
}

/* core.parseUrl(text) */
static int core_parse_url(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    hy_url url;
    hy_error err;
    if (hy_url_parse(text, size, &url, &err) != HY_OK)
        return hyl_raise(L, &err);
    lua_settop(L, 1);
    lua_pushcfunction(L, push_url);
    lua_pushlightuserdata(L, &url);
    int status = lua_pcall(L, 1, 1, 0);
    hy_url_clear(&url);
    return status == LUA_OK ? 1 : lua_error(L);
}

/* core.suggest(name, list) */
static int core_suggest(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t limit = strlen(name) / 3 + 1, best = limit + 1;
    lua_Integer n = (lua_Integer)lua_rawlen(L, 2), at = 0;
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 2, i) == LUA_TSTRING) {
            size_t distance = hy_edit_distance(name, lua_tostring(L, -1), limit);
            if (distance < best) {
                best = distance;
                at = i;
            }
        }
        lua_pop(L, 1);
    }
    if (at == 0)
        return 0;
    lua_rawgeti(L, 2, at);
    return 1;
}

static void set_dialects(lua_State *L)
{
    lua_newtable(L);
    for (size_t i = 0; hy_dialect_at(i) != NULL; i++) {
        lua_pushstring(L, hy_dialect_name(hy_dialect_at(i)));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "dialects");
}

int hyl_open_core(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"parseUrl", core_parse_url}, {"suggest", core_suggest}, {NULL, NULL}};
    luaL_checkversion(L);
    hyl_need_stack(L, 20);
    lua_newtable(L);
    hyl_error_open(L);
    hyl_state_open(L);
    hyl_value_open(L);
    hyl_decimal_open(L);
    hyl_json_open(L);
    hyl_ids_open(L);
    hyl_crypto_open(L);
    hyl_password_open(L);
    hyl_model_open(L);
    hyl_query_open(L);
    hyl_source_open(L);
    hyl_run_open(L);
    hyl_stream_open(L);
    hyl_prepared_open(L);
    hyl_wait_open(L);
    hyl_poller_open(L);
    hyl_transaction_open(L);
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "ownPrefix");
    lua_pushliteral(L, EMBEDDED_PREFIX "hysteria/");
    lua_call(L, 1, 0);
    set_dialects(L);
    lua_pushstring(L, hy_version());
    lua_setfield(L, -2, "version");
    return 1;
}

/* package.preload entry of an embedded module: upvalue 1 is its hyl_embedded. */
static int load_embedded(lua_State *L)
{
    const hyl_embedded *m = lua_touserdata(L, lua_upvalueindex(1));
    lua_pushfstring(L, EMBEDDED_PREFIX "%s]", m->file);
    if (luaL_loadbufferx(L, (const char *)m->data, m->size, lua_tostring(L, -1), "t") != LUA_OK)
        return lua_error(L);
    lua_pushstring(L, m->module);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    return 1;
}

void hyl_need_core(lua_State *L)
{
    luaL_requiref(L, "hysteria.core", hyl_open_core, 0);
    lua_pop(L, 1);
}

void hy_lua_preload(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, hyl_open_core);
    lua_setfield(L, -2, "hysteria.core");
    for (const hyl_embedded *m = hyl_embedded_modules; m->module != NULL; m++) {
        lua_pushlightuserdata(L, (void *)m);
        lua_pushcclosure(L, load_embedded, 1);
        lua_setfield(L, -2, m->module);
    }
    lua_pop(L, 1);
}
