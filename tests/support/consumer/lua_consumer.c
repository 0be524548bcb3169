/*
 * lua_consumer.c - a stranger's program with a Lua state of its own that opens the library in
 * it and prints the version from there.
 */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int hyl_open_core(lua_State *L);

int main(void)
{
    lua_State *L = luaL_newstate();
    if (L == NULL)
        return 1;
    luaL_openlibs(L);
    luaL_requiref(L, "hysteria.core", hyl_open_core, 0);
    lua_getfield(L, -1, "version");
    fputs(lua_tostring(L, -1), stdout);
    lua_close(L);
    return 0;
}
