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

static hy_isolation isolation_option(lua_State *L, int index)
{
    static const char *const words[] = {"", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ",
                                        "SERIALIZABLE"};
    lua_getfield(L, index, "isolation");
    hy_isolation isolation = HY_ISOLATION_DEFAULT;
    if (lua_type(L, -1) == LUA_TSTRING) {
        for (int i = 1; i < (int)(sizeof words / sizeof *words); i++)
            if (strcmp(lua_tostring(L, -1), words[i]) == 0)
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

/* core.begin(source, opts) */
static int core_begin(lua_State *L)
{
    hyl_source *s = hyl_check_source(L, 1);
    hyl_check_may_run(L, s);
    lua_settop(L, 2);
    hyl_push_caller(L);
    hy_transaction_options options = {.may_block = true, .holder = lua_tostring(L, 3)};
    if (lua_istable(L, 2)) {
        options.isolation = isolation_option(L, 2);
        options.read_only = flag(L, 2, "readOnly");
        options.deferrable = flag(L, 2, "deferrable");
        lua_getfield(L, 2, "timeout");
        options.timeout = lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    hyl_transaction *t = hyl_new(L, HYL_TRANSACTION, sizeof *t, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    t->id = ++hyl_state_get(L)->event_id;
    hy_error err;
    hyl_events_forget(s);
    for (int attempt = 0;; attempt++) {
        hy_status status = hy_transaction_start(s->source, &options, &t->trx, &err);
        if (status == HY_OK)
            status = hyl_run_task(L, 1, hy_transaction_task(t->trx), &err);
        if (status == HY_OK)
            return 1;
        hy_transaction_free(t->trx);
        t->trx = NULL;
        if (attempt > 0 || (status != HY_EPOOL_SELF_DEADLOCK && status != HY_EPOOL_TIMEOUT))
            return hyl_raise(L, &err);
        lua_gc(L, LUA_GCCOLLECT); /* connections held by garbage come back */
    }
}

/* Run the task that `status` says was started. */
static void finish(lua_State *L, hyl_transaction *t, hy_status status, hy_error *err)
{
    if (status == HY_OK) {
        lua_getiuservalue(L, 1, 1);
        status = hyl_run_task(L, lua_gettop(L), hy_transaction_task(t->trx), err);
        lua_pop(L, 1);
    }
    if (status != HY_OK)
        hyl_raise(L, err);
}

static int transaction_commit(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    hy_error err;
    finish(L, t, hy_transaction_commit(t->trx, &err), &err);
    return 0;
}

static int transaction_rollback(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    hy_error err;
    finish(L, t, hy_transaction_rollback(t->trx, &err), &err);
    return 0;
}

static int transaction_savepoint(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    hy_error err;
    size_t depth = 0;
    finish(L, t, hy_transaction_savepoint(t->trx, &depth, &err), &err);
    lua_pushinteger(L, (lua_Integer)depth);
    return 1;
}

static int transaction_release(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    size_t depth = (size_t)luaL_checkinteger(L, 2);
    hy_error err;
    finish(L, t, hy_transaction_release(t->trx, depth, &err), &err);
    return 0;
}

static int transaction_rollback_to(lua_State *L)
{
    hyl_transaction *t = check_transaction(L);
    size_t depth = (size_t)luaL_checkinteger(L, 2);
    hy_error err;
    finish(L, t, hy_transaction_rollback_to(t->trx, depth, &err), &err);
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

/* Rolls back without waiting; the object stays, finished. */
static int transaction_gc(lua_State *L)
{
    hyl_transaction *t = lua_touserdata(L, 1);
    hy_transaction_free(t->trx);
    t->trx = NULL;
    return hyl_retire(L);
}

/* __close: a block that is left without commit is rolled back. */
static int transaction_close(lua_State *L)
{
    hyl_transaction *t = lua_touserdata(L, 1);
    if (t->trx == NULL)
        return 0;
    hy_transaction_state state = hy_transaction_get_state(t->trx);
    if (state != HY_TRX_ACTIVE && state != HY_TRX_FAILED)
        return 0;
    hy_error err;
    lua_settop(L, 1);
    finish(L, t, hy_transaction_rollback(t->trx, &err), &err);
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
        {"state", transaction_state},
        {"depth", transaction_depth},
        {"source", transaction_source},
        {"id", transaction_id},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__gc", transaction_gc}, {"__close", transaction_close}, {NULL, NULL}};
    hyl_type_new(L, HYL_TRANSACTION, "hysteria.transaction", methods, meta);
    lua_pop(L, 1);
    lua_pushcfunction(L, core_begin);
    lua_setfield(L, -2, "begin");
}
