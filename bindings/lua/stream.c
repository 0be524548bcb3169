/*
 * stream.c - rows in batches: a statement that stays open between calls. What a batch's rows go
 * through in Lua (hooks, relations) is not known here.
 *
 * A stream is a userdata of its own: dropped or closed it gives its connection back. Pulling and
 * leaving wait like any statement, and in a task they yield instead.
 */
#include "binding.h"

#include <limits.h>
#include <string.h>

enum { USER_SOURCE = 1, USER_PLAN, USER_MODEL, USER_QUERY, USER_OPTIONS, USER_VALUES = USER_OPTIONS };

typedef enum stream_phase { PHASE_START, PHASE_TASK, PHASE_ROWS } stream_phase;

typedef struct hyl_stream {
    hy_cursor *cursor; /* NULL once finalized */
    hy_error err;
    hy_wait wait;
    hyl_run run;
    hyl_patience patience;
    stream_phase phase;
    bool closes;   /* marked to be closed with the coroutine that starts it */
    int top;       /* of the stack, while a call is left by a yield */
    lua_Integer n; /* rows pulled */
} hyl_stream;

static int stream_gc(lua_State *L)
{
    hyl_stream *s = lua_touserdata(L, 1);
    hy_cursor_free(s->cursor);
    s->cursor = NULL;
    return hyl_retire(L);
}

/* The coroutine that starts it has ended, or come to the end of that. */
static int stream_close(lua_State *L)
{
    hyl_stream *s = lua_touserdata(L, 1);
    if (s->phase != PHASE_ROWS)
        hy_cursor_finish(s->cursor);
    return 0;
}

/* Tell observers; the stream is at 1. */
static void deliver(lua_State *L, const hyl_stream *s)
{
    int top = lua_gettop(L);
    hyl_need_stack(L, 4);
    lua_getiuservalue(L, 1, USER_SOURCE);
    hyl_events_deliver(L, top + 1, hy_cursor_sql(s->cursor));
    lua_settop(L, top);
}

static int fail(lua_State *L, hyl_stream *s)
{
    hy_sql sql = *hy_cursor_sql(s->cursor);
    hy_cursor_finish(s->cursor);
    lua_settop(L, 1);
    deliver(L, s);
    lua_getiuservalue(L, 1, USER_MODEL);
    const hyl_model *m = lua_isnil(L, -1) ? NULL : lua_touserdata(L, -1);
    hyl_push_run_error(L, &s->err, &sql, m != NULL ? m->model : NULL);
    return lua_error(L);
}

/* Block, or have the task come back to `k`. */
static bool must_yield(lua_State *L, hyl_stream *s)
{
    deliver(L, s);
    if (hyl_may_yield(L)) {
        s->top = lua_gettop(L);
        return true;
    }
    hyl_wait(L, &s->wait);
    return false;
}

/* ---- starting ------------------------------------------------------------------------------ */

/* The statement runs: keep the plan of the rows that are coming. */
static void keep_plan(lua_State *L, hyl_stream *s)
{
    int top = lua_gettop(L);
    s->phase = PHASE_ROWS;
    hyl_need_stack(L, 16);
    lua_getiuservalue(L, 1, USER_MODEL);
    (void)hyl_plan_push(L, hy_cursor_sql(s->cursor), hy_cursor_columns(s->cursor),
                        hy_cursor_n_columns(s->cursor), lua_isnil(L, -1) ? 0 : top + 1);
    lua_setiuservalue(L, 1, USER_PLAN);
    for (int user = USER_QUERY; user <= USER_OPTIONS; user++) {
        lua_pushnil(L);
        lua_setiuservalue(L, 1, user);
    }
    lua_settop(L, top);
}

/* Until its first row is there, or HY_AGAIN. */
static hy_status begin(lua_State *L, hyl_stream *s, hy_source *source)
{
    hy_status status;
    do {
        if (s->phase == PHASE_START) {
            lua_getiuservalue(L, 1, USER_QUERY);
            const hy_query *q = lua_touserdata(L, -1);
            lua_pop(L, 1);
            status = hy_cursor_start(s->cursor, source, q, &s->run.options, &s->err);
            s->phase = PHASE_TASK;
        } else {
            status = hy_task_advance(hy_cursor_task(s->cursor), &s->wait, &s->err);
            if (status == HY_OK)
                return status;
        }
        if (status == HY_AGAIN) {
            if (!hyl_lost_patience(L, source, &s->patience, &s->wait))
                return status;
        } else if (status != HY_OK) {
            if (!hyl_collect_for(L, &s->patience, status))
                return status;
            s->phase = PHASE_START;
        }
    } while (true);
}

static int go_on_starting(lua_State *L, int resumed, lua_KContext ctx)
{
    hyl_stream *s = lua_touserdata(L, 1);
    lua_getiuservalue(L, 1, USER_SOURCE);
    hy_source *source = ((hyl_source *)lua_touserdata(L, -1))->source;
    lua_settop(L, 1);
    (void)resumed;
    (void)ctx;
    for (;;) {
        hy_status status = begin(L, s, source);
        if (status == HY_OK)
            break;
        if (status != HY_AGAIN)
            return fail(L, s);
        if (!must_yield(L, s))
            continue;
        if (!s->closes)
            lua_toclose(L, 1);
        s->closes = true;
        return hyl_yield(L, &s->wait, 0, go_on_starting);
    }
    keep_plan(L, s);
    deliver(L, s);
    return 1;
}

static int core_stream(lua_State *L);

static int stream_settled(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lua_replace(L, 2);
    return core_stream(L);
}

/* core.stream(source, q, opts) -> stream; opts.batch rows come at a time */
static int core_stream(lua_State *L)
{
    hyl_run run;
    lua_settop(L, 3);
    hyl_check_source(L, 1);
    if (hy_query_has_late(hyl_check_query(L, 2))) {
        hyl_push_settler(L, 2);
        lua_callk(L, 1, 1, 0, stream_settled);
        return stream_settled(L, LUA_OK, 0);
    }
    hyl_run_options(L, 1, 3, &run);
    if (run.options.batch < 1)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "stream: option 'batch' takes a whole number from 1");
    hyl_stream *s = hyl_new(L, HYL_STREAM, sizeof *s, USER_VALUES);
    s->run = run;
    s->cursor = hy_cursor_new();
    if (s->cursor == NULL)
        return hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 4, USER_SOURCE);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 4, USER_QUERY);
    lua_getiuservalue(L, 2, HYL_QUERY_MODEL);
    lua_setiuservalue(L, 4, USER_MODEL);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 4, USER_OPTIONS);
    hyl_events_forget(lua_touserdata(L, 1));
    lua_replace(L, 1);
    lua_settop(L, 1);
    return go_on_starting(L, LUA_OK, 0);
}

/* ---- pulling ------------------------------------------------------------------------------- */

enum { PULL_STREAM = 1, PULL_COUNT, PULL_PLAN, PULL_LIST, PULL_SHAPE };

/* Up to so many rows into the list. HY_OK: it is full. */
static hy_status fill(lua_State *L, hyl_stream *s, lua_Integer most)
{
    const hyl_plan *plan = lua_touserdata(L, PULL_PLAN);
    int top = lua_gettop(L);
    while (s->n < most) {
        const hy_value *row;
        hy_status status = hy_cursor_next(s->cursor, &row, &s->wait, &s->err);
        if (status == HY_OK)
            status = hyl_plan_push_row(L, plan, row, PULL_SHAPE, s->run.extra, &s->err);
        if (status != HY_OK)
            return status;
        lua_rawseti(L, PULL_LIST, ++s->n);
        lua_settop(L, top);
    }
    return HY_OK;
}

static int go_on_pulling(lua_State *L, int resumed, lua_KContext ctx)
{
    hyl_stream *s = lua_touserdata(L, PULL_STREAM);
    lua_Integer most = lua_tointeger(L, PULL_COUNT);
    (void)ctx;
    if (resumed == LUA_YIELD)
        lua_settop(L, s->top);
    for (;;) {
        hy_status status = fill(L, s, most);
        if (status == HY_OK || status == HY_DONE) {
            lua_settop(L, PULL_LIST);
            deliver(L, s);
            lua_pushboolean(L, status == HY_DONE);
            return 2;
        }
        if (status != HY_AGAIN)
            return fail(L, s);
        if (must_yield(L, s))
            return hyl_yield(L, &s->wait, 0, go_on_pulling);
    }
}

/* core.pull(stream, n) -> list of the next n rows, or those that are left; true: that were the last */
static int core_pull(lua_State *L)
{
    hyl_stream *s = hyl_check(L, PULL_STREAM, HYL_STREAM);
    lua_Integer most = luaL_checkinteger(L, PULL_COUNT);
    lua_settop(L, PULL_COUNT);
    if (lua_getiuservalue(L, PULL_STREAM, USER_PLAN) == LUA_TNIL)
        return hyl_fail(L, HY_ECLOSED, "the stream has not begun");
    lua_createtable(L, most < 1024 ? (int)most : 1024, 0);
    hyl_plan_push_keys(L, PULL_PLAN);
    s->n = 0;
    return go_on_pulling(L, LUA_OK, 0);
}

/* ---- leaving ------------------------------------------------------------------------------- */

static int go_on_leaving(lua_State *L, int resumed, lua_KContext ctx)
{
    hyl_stream *s = lua_touserdata(L, 1);
    (void)ctx;
    if (resumed == LUA_YIELD)
        lua_settop(L, s->top);
    /* What goes wrong here the transaction's next statement tells. */
    while (hy_task_advance(hy_cursor_task(s->cursor), &s->wait, &s->err) == HY_AGAIN)
        if (must_yield(L, s))
            return hyl_yield(L, &s->wait, 0, go_on_leaving);
    hy_cursor_finish(s->cursor);
    deliver(L, s);
    return 0;
}

/* core.leave(stream): the rows that are left are not wanted */
static int core_leave(lua_State *L)
{
    hyl_stream *s = hyl_check(L, 1, HYL_STREAM);
    lua_settop(L, 1);
    if (hy_cursor_leave(s->cursor))
        return go_on_leaving(L, LUA_OK, 0);
    hy_cursor_finish(s->cursor);
    deliver(L, s);
    return 0;
}

void hyl_stream_open(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", stream_gc}, {"__close", stream_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"stream", core_stream}, {"pull", core_pull}, {"leave", core_leave}, {NULL, NULL}};
    hyl_type_new(L, HYL_STREAM, "hysteria.stream", NULL, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
