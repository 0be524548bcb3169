/*
 * transaction.c - transactions as userdata. What belongs to callbacks, retries and nesting
 * is lua/hysteria/transaction.lua; here are the steps, each of which may wait.
 */
#include "binding.h"

#include <string.h>

static hyl_transaction *check_transaction(lua_State *L)
{
    hyl_transaction *t = hyl_check(L, 1, HYL_TRANSACTION);
    if (t->trx == NULL)
        hyl_fail(L, HY_ETRANSACTION_NOT_ACTIVE, "the transaction is finished");
    lua_getiuservalue(L, 1, 1);
    hyl_check_may_run(L, lua_touserdata(L, -1));
    lua_pop(L, 1);
    return t;
}

static const char *const isolation_words[] = {"", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ",
                                              "SERIALIZABLE"};

static hy_isolation isolation_option(lua_State *L, int index)
{
    lua_getfield(L, index, "isolation");
    hy_isolation isolation = HY_ISOLATION_DEFAULT;
    if (lua_type(L, -1) == LUA_TSTRING) {
        for (int i = 1; i < (int)(sizeof isolation_words / sizeof *isolation_words); i++)
            if (strcmp(lua_tostring(L, -1), isolation_words[i]) == 0)
                isolation = (hy_isolation)i;
        if (isolation == HY_ISOLATION_DEFAULT)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "no isolation level '%.40s'", lua_tostring(L, -1));
    }
    lua_pop(L, 1);
    return isolation;
}

static bool flag(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

static void read_options(lua_State *L, int index, hy_transaction_options *options)
{
    if (!lua_istable(L, index))
        return;
    options->isolation = isolation_option(L, index);
    options->read_only = flag(L, index, "readOnly");
    options->deferrable = flag(L, index, "deferrable");
    options->timeout = hyl_timeout(L, index);
}

/* One step of the task, and what observers are to hear of it. */
static hy_status advance(lua_State *L, hyl_transaction *t, int source)
{
    hy_status status = hy_task_advance(hy_transaction_task(t->trx), &t->wait, &t->err);
    hyl_events_deliver(L, source, NULL);
    return status;
}

/* A task waits: come back to `k`, or, should the task be closed before, to transaction_close(). */
static int leave(lua_State *L, hyl_transaction *t, int at, lua_KContext ctx, lua_KFunction k)
{
    if (!t->marked)
        lua_toclose(L, at);
    t->marked = t->waits = true;
    return hyl_yield(L, &t->wait, ctx, k);
}

/* Stack: 1 source, 2 options, 3 the caller's line, 4 the transaction. */
static int go_begin(lua_State *L, int resumed, lua_KContext ctx)
{
    hyl_transaction *t = lua_touserdata(L, 4);
    t->waits = false;
    if (resumed == LUA_YIELD)
        lua_settop(L, 4);
    for (;;) {
        hy_status status = HY_OK;
        if (t->trx == NULL)
            status = hy_transaction_start(((hyl_source *)lua_touserdata(L, 1))->source, &t->options, &t->trx,
                                          &t->err);
        if (status == HY_OK)
            status = advance(L, t, 1);
        if (status == HY_OK)
            return 1;
        if (status == HY_AGAIN) {
            if (hyl_lost_patience(L, ((hyl_source *)lua_touserdata(L, 1))->source, &t->patience, &t->wait))
                continue;
            if (hyl_may_yield(L))
                return leave(L, t, 4, ctx, go_begin);
            hyl_wait(L, &t->wait);
            continue;
        }
        hy_transaction_free(t->trx);
        t->trx = NULL;
        if (!hyl_collect_for(L, &t->patience, status))
            return hyl_raise(L, &t->err);
    }
}

/* core.begin(source, opts) */
static int core_begin(lua_State *L)
{
    hyl_source *s = hyl_check_source(L, 1);
    hyl_check_may_run(L, s);
    lua_settop(L, 2);
    hyl_push_caller(L);
    hy_transaction_options options = {.may_block = !hyl_may_yield(L), .holder = lua_tostring(L, 3)};
    read_options(L, 2, &options);
    hyl_transaction *t = hyl_new(L, HYL_TRANSACTION, sizeof *t, 2);
    t->options = options;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, 2);
    t->id = ++hyl_state_get(L)->event_id;
    hyl_events_forget(s);
    return go_begin(L, LUA_OK, 0);
}

/* Stack: 1 the transaction, `source` the source. The result is the depth, where asked for. */
static int go_on(lua_State *L, int resumed, lua_KContext source)
{
    hyl_transaction *t = lua_touserdata(L, 1);
    t->waits = false;
    if (resumed == LUA_YIELD)
        lua_settop(L, (int)source);
    hy_status status;
    while ((status = advance(L, t, (int)source)) == HY_AGAIN) {
        if (hyl_may_yield(L))
            return leave(L, t, 1, source, go_on);
        hyl_wait(L, &t->wait);
    }
    if (status != HY_OK)
        return hyl_raise(L, &t->err);
    if (t->depth == 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)t->depth);
    return 1;
}

/* Run the task that `status` says was started; `depth` is the result, 0: none. */
static int finish(lua_State *L, hyl_transaction *t, hy_status status, size_t depth)
{
    if (status != HY_OK)
        return hyl_raise(L, &t->err);
    t->depth = depth;
    t->marked = false;
    lua_getiuservalue(L, 1, 1);
    hyl_events_forget(lua_touserdata(L, -1));
    return go_on(L, LUA_OK, lua_gettop(L));
}

/* It is about to end: a task whose statement that cuts off may wait for what is closed with it. */
static void note_cut(lua_State *L, const hyl_transaction *t)
{
    if (t->trx != NULL && hy_transaction_is_busy(t->trx))
        hyl_state_get(L)->cuts++;
}

static int transaction_commit(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    note_cut(L, t);
    return finish(L, t, hy_transaction_commit(t->trx, &t->err), 0);
}

static int transaction_rollback(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    note_cut(L, t);
    return finish(L, t, hy_transaction_rollback(t->trx, &t->err), 0);
}

static int transaction_savepoint(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    size_t depth = 0;
    hy_status status = hy_transaction_savepoint(t->trx, &depth, &t->err);
    return finish(L, t, status, depth);
}

static int transaction_release(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    size_t depth = (size_t)luaL_checkinteger(L, 2);
    return finish(L, t, hy_transaction_release(t->trx, depth, &t->err), 0);
}

static int transaction_rollback_to(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    size_t depth = (size_t)luaL_checkinteger(L, 2);
    return finish(L, t, hy_transaction_rollback_to(t->trx, depth, &t->err), 0);
}

/* doom(depth): needs no memory, and fails for nothing but wrong arguments */
static int transaction_doom(lua_State *L)
{
    const hyl_transaction *t = hyl_check(L, 1, HYL_TRANSACTION);
    if (t->trx != NULL)
        hy_transaction_doom(t->trx, (size_t)luaL_checkinteger(L, 2));
    return 0;
}

/* bar(n): so many callbacks more, or fewer, whose savepoint has ended before them */
static int transaction_bar(lua_State *L)
{
    hyl_transaction *t = hyl_check(L, 1, HYL_TRANSACTION);
    t->barred += (size_t)luaL_checkinteger(L, 2);
    return 0;
}

static int transaction_state(lua_State *L)
{
    static const char *const names[] = {"active", "failed", "finished", "unknown"};
    const hyl_transaction *t = hyl_check(L, 1, HYL_TRANSACTION);
    lua_pushstring(L, t->trx == NULL ? "finished" : names[hy_transaction_get_state(t->trx)]);
    return 1;
}

static int transaction_depth(lua_State *L)
{
    const hyl_transaction *t = hyl_check(L, 1, HYL_TRANSACTION);
    lua_pushinteger(L, t->trx == NULL ? 0 : (lua_Integer)hy_transaction_depth(t->trx));
    return 1;
}

/* trx:isolation() -> the level that it was begun with, nil: the connection's own */
static int transaction_isolation(lua_State *L)
{
    const hyl_transaction *t = hyl_check(L, 1, HYL_TRANSACTION);
    if (t->options.isolation == HY_ISOLATION_DEFAULT)
        return 0;
    lua_pushstring(L, isolation_words[t->options.isolation]);
    return 1;
}

static int transaction_source(lua_State *L)
{
    hyl_check(L, 1, HYL_TRANSACTION);
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int transaction_id(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)((hyl_transaction *)hyl_check(L, 1, HYL_TRANSACTION))->id);
    return 1;
}

/* Lua's own way to say what nobody can be told by an error; silent unless warnings are on. */
static void warn_forgotten(lua_State *L)
{
    lua_getiuservalue(L, 1, 2);
    const char *where = lua_tostring(L, -1);
    lua_warning(L, "hysteria: a transaction begun at ", 1);
    lua_warning(L, where != NULL ? where : "?", 1);
    lua_warning(L, " was never ended: it is rolled back", 0);
    lua_pop(L, 1);
}

/* Rolls back without waiting; the object stays, finished. */
static int transaction_gc(lua_State *L)
{
    hyl_transaction *t = lua_touserdata(L, 1);
    hy_transaction_state state = t->trx != NULL ? hy_transaction_get_state(t->trx) : HY_TRX_FINISHED;
    if (state == HY_TRX_ACTIVE || state == HY_TRX_FAILED)
        warn_forgotten(L);
    hy_transaction_free(t->trx);
    t->trx = NULL;
    return hyl_retire(L);
}

/*
 * __close, of a call: its coroutine is closed while it waits for BEGIN, COMMIT or the like, or in
 * the queue for a connection. What it holds or waits for goes back at once, not with the garbage.
 */
static int transaction_close(lua_State *L)
{
    hyl_transaction *t = lua_touserdata(L, 1);
    if (!t->waits)
        return 0;
    t->waits = false;
    note_cut(L, t);
    hy_transaction_free(t->trx);
    t->trx = NULL;
    return 0;
}

void hyl_transaction_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"commit", transaction_commit},
        {"rollback", transaction_rollback},
        {"savepoint", transaction_savepoint},
        {"release", transaction_release},
        {"rollbackTo", transaction_rollback_to},
        {"doom", transaction_doom},
        {"bar", transaction_bar},
        {"state", transaction_state},
        {"depth", transaction_depth},
        {"source", transaction_source},
        {"isolation", transaction_isolation},
        {"id", transaction_id},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__gc", transaction_gc}, {"__close", transaction_close}, {NULL, NULL}};
    hyl_type_new(L, HYL_TRANSACTION, "hysteria.transaction", methods, meta);
    lua_pop(L, 1);
    lua_pushcfunction(L, core_begin);
    lua_setfield(L, -2, "begin");
}
