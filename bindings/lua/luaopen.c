/*
 * luaopen.c - the file that require("hysteria.core") opens in a stock Lua: a door to
 * libhysteria-lua, where everything is. Knows nothing else.
 */
#include "binding.h"

HY_API int luaopen_hysteria_core(lua_State *L);

int luaopen_hysteria_core(lua_State *L)
{
    return hyl_open_core(L);
}
