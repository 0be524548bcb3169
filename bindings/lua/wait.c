/*
 * wait.c - the one place where Lua code waits: it blocks, or in a task it yields.
 *
 * A task is a coroutine that hysteria.async started (core.task marks it). What it waits for
 * travels through the yield as (token, descriptor or false, events, deadline); the scheduler
 * hands them to a poller (poller.c). In any other coroutine a wait blocks: its consumer would
 * take the token for a value.
 */
#include "binding.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

static const char tasks_key = 0; /* registry: weak table, coroutine -> true */
static const char token = 0;

static void push_tasks(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
}

static bool is_task(lua_State *L)
{
    hyl_need_stack(L, 4);
    push_tasks(L);
    lua_pushthread(L);
    bool found = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return found;
}

bool hyl_may_yield(lua_State *L)
{
    return lua_isyieldable(L) && is_task(L);
}

/*
 * A task that waits where Lua cannot yield (a comparison of table.sort, a replacement of gsub,
 * __tostring, a file being required) stops all tasks. Said once per line.
 */
static void warn_blocked(lua_State *L)
{
    int top = lua_gettop(L);
    hyl_need_stack(L, 6);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, "hysteria.warned");
    hyl_push_caller(L);
    const char *line = lua_tostring(L, -1);
    if (line != NULL && lua_getfield(L, top + 1, line) == LUA_TNIL) {
        lua_pushboolean(L, 1);
        lua_setfield(L, top + 1, line);
        lua_warning(L, "hysteria: ", 1);
        lua_warning(L, line, 1);
        lua_warning(L, ": every task stands still here: a callback of this kind cannot yield", 0);
    }
    lua_settop(L, top);
}

int hyl_yield(lua_State *L, const hy_wait *wait, lua_KContext ctx, lua_KFunction k)
{
    hyl_need_stack(L, 6);
    lua_pushlightuserdata(L, (void *)&token);
    if (wait->fd >= 0)
        lua_pushinteger(L, wait->fd);
    else
        lua_pushboolean(L, 0);
    lua_pushinteger(L, wait->events);
    lua_pushinteger(L, wait->deadline);
    return lua_yieldk(L, 4, ctx, k);
}

void hyl_wait(lua_State *L, const hy_wait *wait)
{
    if (hyl_state_get(L)->dev && !lua_isyieldable(L) && is_task(L))
        warn_blocked(L);
    hy_wait_block(wait);
}

/* core.dev(on) */
static int core_dev(lua_State *L)
{
    hyl_state_get(L)->dev = lua_toboolean(L, 1);
    return 0;
}

/* ---- connections that garbage holds ----------------------------------------------------- */

/* A pool that lends nothing from one look to the next may be held by garbage; all that wait for
   it wait for the same, so one collection must do for a while. */
enum { LOOK_MS = 50, COLLECT_MS = 1000, MS = 1000000 };

static void collect(lua_State *L, hyl_patience *p)
{
    p->collected = true;
    lua_gc(L, LUA_GCCOLLECT);
    hyl_state_get(L)->collected_at = hy_monotonic_ns();
}

static void look_again(hyl_patience *p, int64_t now, hy_wait *wait)
{
    p->until = now + LOOK_MS * (int64_t)MS;
    wait->deadline = wait->deadline < p->until ? wait->deadline : p->until;
}

bool hyl_lost_patience(lua_State *L, hy_source *source, hyl_patience *p, hy_wait *wait)
{
    if ((wait->events & HY_WAIT_QUEUED) == 0 || p->collected)
        return false;
    int64_t now = hy_monotonic_ns();
    if (p->until == 0)
        p->until = now + LOOK_MS * (int64_t)MS;
    if (now < p->until) {
        wait->deadline = wait->deadline < p->until ? wait->deadline : p->until;
        return false;
    }
    hy_pool_stats stats;
    hy_source_stats(source, &stats);
    bool stands_still = stats.waiting > 0 && stats.acquired == p->acquired;
    int64_t collected_at = hyl_state_get(L)->collected_at;
    p->acquired = stats.acquired;
    if (!stands_still || (collected_at > 0 && now - collected_at < COLLECT_MS * (int64_t)MS)) {
        look_again(p, now, wait);
        return false;
    }
    collect(L, p);
    return true;
}

bool hyl_collect_for(lua_State *L, hyl_patience *p, hy_status status)
{
    if (p->collected || (status != HY_EPOOL_SELF_DEADLOCK && status != HY_EPOOL_TIMEOUT))
        return false;
    collect(L, p);
    return true;
}

/* core.task(coroutine, on): its waits yield, or (false, before it is closed) block. */
static int core_task(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    bool on = lua_toboolean(L, 2);
    push_tasks(L);
    lua_pushvalue(L, 1);
    if (on)
        lua_pushboolean(L, 1);
    else
        lua_pushnil(L);
    lua_rawset(L, -3);
    return 0;
}

/* core.deadline(ms) -> a moment that core.left() and options understand */
static int core_deadline(lua_State *L)
{
    int exact;
    lua_Integer ms = lua_tointegerx(L, 1, &exact);
    if (!exact || ms < 1 || ms > INT64_C(1000000000000))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "option 'timeout' takes whole milliseconds from 1");
    lua_pushinteger(L, hy_monotonic_ns() + ms * 1000000);
    return 1;
}

/* core.left(deadline) -> whole milliseconds until then, at least 1 */
static int core_left(lua_State *L)
{
    int64_t left = (luaL_checkinteger(L, 1) - hy_monotonic_ns() + 999999) / 1000000;
    lua_pushinteger(L, left > 1 ? left : 1);
    return 1;
}

static int slept(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

/* core.sleep(ms) */
static int core_sleep(lua_State *L)
{
    lua_Number ms = luaL_checknumber(L, 1);
    if (!(ms >= 0 && ms <= 1e12))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "sleep takes milliseconds from 0");
    hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + (int64_t)(ms * 1e6)};
    if (hyl_may_yield(L))
        return hyl_yield(L, &wait, 0, slept);
    hyl_wait(L, &wait);
    return 0;
}

/* Milliseconds until the earliest of the deadlines, rounded up; -1: none. */
static int poll_timeout(int64_t deadline)
{
    if (deadline == HY_NO_DEADLINE)
        return -1;
    int64_t left = deadline - hy_monotonic_ns();
    if (left <= 0)
        return 0;
    int64_t ms = (left + 999999) / 1000000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Fill one entry from { descriptor | false, events, deadline } on top of the stack. */
static int64_t read_wait(lua_State *L, struct pollfd *entry)
{
    if (!lua_istable(L, -1))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "poll: an entry is { descriptor | false, events, deadline }");
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    lua_rawgeti(L, -3, 3);
    int events = (int)lua_tointeger(L, -2);
    entry->fd = lua_isinteger(L, -3) ? (int)lua_tointeger(L, -3) : -1;
    entry->events = (short)((events & HY_WAIT_READ ? POLLIN : 0) | (events & HY_WAIT_WRITE ? POLLOUT : 0));
    if (!lua_isinteger(L, -1) || (entry->fd < 0 && lua_tointeger(L, -1) == HY_NO_DEADLINE))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "poll: an entry that would wait for ever");
    int64_t deadline = lua_tointeger(L, -1);
    lua_pop(L, 3);
    return deadline;
}

/* core.poll(waits) -> list of the positions that are ready or whose time has come */
static int core_poll(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    size_t n = lua_rawlen(L, 1);
    if (n == 0)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "poll: nothing to wait for");
    struct pollfd *entries = lua_newuserdatauv(L, (sizeof *entries + sizeof(int64_t)) * (n + 1), 0);
    int64_t *deadlines = (int64_t *)(void *)(entries + n + 1);
    int64_t earliest = HY_NO_DEADLINE;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        deadlines[i] = read_wait(L, &entries[i]);
        earliest = deadlines[i] < earliest ? deadlines[i] : earliest;
        lua_pop(L, 1);
    }
    while (poll(entries, n, poll_timeout(earliest)) < 0 && errno == EINTR)
        ;
    int64_t now = earliest == HY_NO_DEADLINE ? 0 : hy_monotonic_ns();
    lua_newtable(L);
    lua_Integer ready = 0;
    for (size_t i = 0; i < n; i++) {
        if (entries[i].revents == 0 && deadlines[i] > now)
            continue;
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_rawseti(L, 3, ++ready);
    }
    return 1;
}

/* core.isWait(value): is it the token of a wait? */
static int core_is_wait(lua_State *L)
{
    lua_pushboolean(L, lua_islightuserdata(L, 1) && lua_touserdata(L, 1) == (const void *)&token);
    return 1;
}

void hyl_wait_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"task", core_task}, {"sleep", core_sleep},       {"poll", core_poll}, {"isWait", core_is_wait},
        {"dev", core_dev},   {"deadline", core_deadline}, {"left", core_left}, {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
