/*
 * hysteria.async in a process that forks: what parent and child wait for from then on is their own.
 * The scripts are Lua; what they need to fork is here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hysteria/lua.h>

/* fork() -> true in the child, false and its process id in the parent */
static int lua_fork(lua_State *L)
{
    pid_t pid = fork();
    if (pid < 0)
        return luaL_error(L, "no process");
    lua_pushboolean(L, pid == 0);
    lua_pushinteger(L, pid);
    return 2;
}

/* pipe() -> the end to read from, the end to write to */
static int lua_pipe(lua_State *L)
{
    int ends[2];
    if (pipe(ends) != 0)
        return luaL_error(L, "no pipe");
    lua_pushinteger(L, ends[0]);
    lua_pushinteger(L, ends[1]);
    return 2;
}

/* put(descriptor): one byte */
static int lua_put(lua_State *L)
{
    lua_pushboolean(L, write((int)luaL_checkinteger(L, 1), "x", 1) == 1);
    return 1;
}

/* finish(status): the child ends here */
static int lua_finish(lua_State *L)
{
    _exit((int)luaL_checkinteger(L, 1));
}

/* join(process) -> its status */
static int lua_join(lua_State *L)
{
    int status = -1;
    (void)waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
    lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 1;
}

static lua_State *open_state(void)
{
    static const luaL_Reg functions[] = {{"fork", lua_fork}, {"pipe", lua_pipe},     {"put", lua_put},
                                         {"join", lua_join}, {"finish", lua_finish}, {NULL, NULL}};
    lua_State *L = luaL_newstate();

    assert_non_null(L);
    luaL_openlibs(L);
    hy_lua_preload(L);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_settop(L, 0);
    return L;
}

/* A script that returns true. */
static void run(const char *script)
{
    lua_State *L = open_state();
    pid_t pid = getpid();
    bool fine = luaL_dostring(L, script) == LUA_OK && lua_toboolean(L, -1);

    if (getpid() != pid)
        _exit(2); /* a child that failed */
    if (!fine)
        fail_msg("%s", luaL_tolstring(L, -1, NULL));
    lua_close(L);
}

/* Each event goes to one of those who wait by the same epoll instance. */
static void both_get_the_event(void **state)
{
    (void)state;
    run("local core = require('hysteria.core')\n"
        "for _ = 1, 20 do\n"
        "  local from, to = pipe()\n"
        "  local poller <close> = core.poller()\n"
        "  local slot = poller:add(from, 1, math.maxinteger)\n"
        "  local late = poller:add(false, 0, core.deadline(20000))\n"
        "  local is_child, pid = fork()\n"
        "  if is_child then\n"
        "    put(to)\n"
        "    poller:wait()\n"
        "    finish(poller:take() == slot and poller:take() == nil and 0 or 1)\n"
        "  end\n"
        "  assert(join(pid) == 0, 'the child waited for nothing')\n"
        "  poller:wait()\n"
        "  assert(poller:take() == slot, 'the child took what the parent waited for')\n"
        "end\n"
        "return true\n");
}

static void a_child_disarms_nothing(void **state)
{
    (void)state;
    run("local core = require('hysteria.core')\n"
        "local from, to = pipe()\n"
        "local poller <close> = core.poller()\n"
        "local slot = poller:add(from, 1, math.maxinteger)\n"
        "local late = poller:add(false, 0, core.deadline(20000))\n"
        "local is_child, pid = fork()\n"
        "if is_child then\n"
        "  poller:remove(slot)\n"
        "  local other = poller:add(from, 2, math.maxinteger)\n" /* never: it is the end to read from */
        "  local soon = poller:add(false, 0, core.deadline(1))\n"
        "  poller:wait()\n"
        "  finish(poller:take() == soon and 0 or 1)\n"
        "end\n"
        "assert(join(pid) == 0, 'the child')\n"
        "put(to)\n"
        "poller:wait()\n"
        "assert(poller:take() == slot, 'the child changed what the parent waits for')\n"
        "return true\n");
}

static void tasks_go_on_in_both(void **state)
{
    (void)state;
    run("local async = require('hysteria').async\n"
        "local is_child, pid\n"
        "local woken = 0\n"
        "async.run(function()\n"
        "  async.all {\n"
        "    function() async.sleep(20) woken = woken + 1 end,\n"
        "    function()\n"
        "      async.sleep(1)\n"
        "      is_child, pid = fork()\n"
        "      async.sleep(2)\n"
        "      woken = woken + 1\n"
        "    end,\n"
        "  }\n"
        "end)\n"
        "if is_child then\n"
        "  async.run(function() async.sleep(1) end)\n" /* one that is its own from the beginning */
        "  finish(woken == 2 and 0 or 1)\n"
        "end\n"
        "return woken == 2 and join(pid) == 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_get_the_event),
        cmocka_unit_test(a_child_disarms_nothing),
        cmocka_unit_test(tasks_go_on_in_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
