/*
 * embed.c - a C program with a Lua of its own: the model and its hook live in embed.lua, the
 * data source belongs to C, and both use it. More threads would each open a state like this
 * one over the same source.
 *
 *   cc examples/embed.c $(pkg-config --cflags --libs hysteria-lua) -o embed && ./embed examples/embed.lua
 */
#include <stdio.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hysteria/hysteria.h>
#include <hysteria/lua.h>

typedef struct host {
    hy_source *source;
    const char *file;
} host;

/* Protected: all of this may run out of memory. Leaves what the file returns. */
static int open_state(lua_State *L)
{
    const host *h = lua_touserdata(L, 1);

    luaL_openlibs(L);
    hy_lua_preload(L);
    if (luaL_loadfile(L, h->file) != LUA_OK)
        return lua_error(L);
    hy_lua_push_source(L, h->source);
    lua_call(L, 1, 1);
    return 1;
}

/* orders.NAME(...) with text arguments; prints what it returns, or why it failed. */
static void call(lua_State *L, const char *name, const char *customer, const char *amount)
{
    lua_getfield(L, 1, name);
    lua_pushstring(L, customer);
    lua_pushstring(L, amount);
    (void)lua_pcall(L, 2, 1, 0);
    printf("%s(%s): %s\n", name, customer, luaL_tolstring(L, -1, NULL));
    lua_settop(L, 1);
}

/* The same rows without Lua. */
static hy_status print_rows(hy_source *source, hy_error *err)
{
    static const char sql[] = "SELECT id, customer FROM orders ORDER BY id";
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_status status =
        cursor != NULL ? hy_cursor_start_raw(cursor, source, sql, sizeof sql - 1, NULL, NULL, 0, NULL, err)
                       : hy_fail_oom(err);

    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        printf("%lld %.*s\n", (long long)row[0].as.integer, (int)row[1].as.text.size, row[1].as.text.data);
    hy_cursor_free(cursor);
    return status == HY_DONE ? HY_OK : status;
}

static int run(lua_State *L, host *h)
{
    hy_error err;

    lua_pushcfunction(L, open_state);
    lua_pushlightuserdata(L, h);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
        return 1;
    }
    call(L, "place", "ADA", "10.10");
    call(L, "place", "Ada", "0.20");
    call(L, "place", "Bob", "0");
    call(L, "total", "ada", NULL);
    if (print_rows(h->source, &err) == HY_OK)
        return 0;
    fprintf(stderr, "%s\n", err.message);
    return 1;
}

int main(int argc, char **argv)
{
    hy_source_config config = {.type = "sqlite", .connect = {.database = ":memory:"}};
    host h = {.file = argc > 1 ? argv[1] : "examples/embed.lua"};
    lua_State *L = luaL_newstate();
    hy_error err;
    int result = 1;

    if (L == NULL || hy_source_open(&config, &h.source, &err) != HY_OK)
        fprintf(stderr, "%s\n", L == NULL ? "out of memory" : err.message);
    else
        result = run(L, &h);
    if (L != NULL)
        lua_close(L);
    hy_source_unref(h.source);
    return result;
}
