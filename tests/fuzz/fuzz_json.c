/*
 * JSON: what is read as Lua values is written, and the text that was written reads and writes as
 * itself.
 */
#include "fuzz.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int hyl_open_core(lua_State *L); /* of libhysteria-lua */

static const char script[] = "local core = require('hysteria.core')\n"
                             "return function(text)\n"
                             "  local ok, value = pcall(core.jsonDecode, text)\n"
                             "  if not ok then return end\n"
                             "  local fine, written = pcall(core.jsonEncode, value)\n"
                             "  if not fine then return end\n" /* a NUL or a depth that is not written */
                             "  local again = core.jsonEncode(core.jsonDecode(written))\n"
                             "  assert(again == written, written)\n"
                             "end\n";

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    must(L != NULL);
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, hyl_open_core);
    lua_setfield(L, -2, "hysteria.core");
    lua_pop(L, 1);
    must(luaL_dostring(L, script) == LUA_OK);
    return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L;

    if (L == NULL)
        L = open_state();
    lua_pushvalue(L, -1);
    lua_pushlstring(L, (const char *)data, size);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    return 0;
}
