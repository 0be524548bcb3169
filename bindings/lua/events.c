/*
 * events.c - what observers are told,.
 *
 * Events are collected in C while the core runs and delivered between its steps: no Lua runs
 * inside the core.
 */
#include "binding.h"

#include <string.h>

/* ---- events ------------------------------------------------------------------------------ */

typedef struct event {
    struct event *next;
    const hyl_source *owner;
    hy_event event;
    hy_status status;
    char message[HY_ERROR_MESSAGE_SIZE];
    hy_statement_kind kind;
    bool has_raw;
    char *table;
    size_t size;
    char text[];
} event;

/* Of all sources: a collected transaction of one may roll back while another runs. */
static _Thread_local event *queue;

void hyl_on_event(void *ctx, const hy_event *e)
{
    event *copy = hy_alloc_zero(sizeof *copy + e->sql->size + 1);
    if (copy == NULL)
        return;
    copy->owner = ctx;
    copy->event = *e;
    copy->event.sql = NULL;
    copy->event.error = NULL;
    if (e->error != NULL) {
        copy->status = e->error->status;
        memcpy(copy->message, e->error->message, sizeof copy->message);
    }
    copy->kind = e->sql->kind;
    copy->has_raw = e->sql->has_raw;
    copy->table = e->sql->table != NULL ? hy_strdup(e->sql->table) : NULL;
    copy->size = e->sql->size;
    memcpy(copy->text, e->sql->text, e->sql->size);
    event **last = &queue;
    while (*last != NULL)
        last = &(*last)->next;
    *last = copy;
}

static void free_event(event *e)
{
    hy_free(e->table);
    hy_free(e);
}

/* The first event of that source, taken off the queue, or NULL. */
static event *take_event(const hyl_source *owner)
{
    for (event **at = &queue; *at != NULL; at = &(*at)->next) {
        event *e = *at;
        if (e->owner != owner)
            continue;
        *at = e->next;
        return e;
    }
    return NULL;
}

void hyl_events_forget(const hyl_source *owner)
{
    for (event *e; (e = take_event(owner)) != NULL;)
        free_event(e);
}

static void push_params(lua_State *L, const hy_sql *sql)
{
    lua_createtable(L, (int)sql->n_binds, 0);
    for (size_t i = 0; i < sql->n_binds; i++) {
        if (sql->binds[i].sensitive)
            lua_pushliteral(L, "[hidden]");
        else
            hyl_push_value(L, &sql->binds[i].value, true);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static const char *operation_name(const event *e)
{
    /* The last one is the engine's own: BEGIN, SAVEPOINT and the like. */
    static const char *const names[HY_STATEMENT_COUNT + 1] = {
        [HY_STATEMENT_SELECT] = "SELECT",     [HY_STATEMENT_INSERT] = "INSERT",
        [HY_STATEMENT_UPDATE] = "UPDATE",     [HY_STATEMENT_DELETE] = "DELETE",
        [HY_STATEMENT_TRUNCATE] = "TRUNCATE", [HY_STATEMENT_RAW] = "OTHER",
        [HY_STATEMENT_COUNT] = "OTHER"};
    return names[e->kind];
}

/* The table that an observer gets. */
static void push_event(lua_State *L, const event *e, const hy_sql *sql)
{
    lua_createtable(L, 0, 12);
    lua_pushinteger(L, (lua_Integer)e->event.id);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, e->event.before ? "before" : e->status != HY_OK ? "error" : "after");
    lua_setfield(L, -2, "phase");
    lua_pushlstring(L, e->text, e->size);
    lua_setfield(L, -2, "sql");
    if (sql != NULL && sql->size == e->size && memcmp(sql->text, e->text, e->size) == 0)
        push_params(L, sql);
    else
        lua_newtable(L);
    lua_setfield(L, -2, "params");
    lua_pushstring(L, operation_name(e));
    lua_setfield(L, -2, "operation");
    lua_pushboolean(L, e->has_raw);
    lua_setfield(L, -2, "raw");
    if (e->table != NULL) {
        lua_pushstring(L, e->table);
        lua_setfield(L, -2, "table");
    }
    if (e->event.before)
        return;
    lua_pushnumber(L, (double)e->event.duration_ns / 1e6);
    lua_setfield(L, -2, "duration");
    lua_pushinteger(L, e->event.rows);
    lua_setfield(L, -2, "rows");
    if (e->status != HY_OK) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, hy_status_name(e->status));
        lua_setfield(L, -2, "code");
        lua_pushstring(L, e->message);
        lua_setfield(L, -2, "message");
        lua_setfield(L, -2, "error");
    }
}

/* Protected: observer function, event, sql. What the observer raises is its own affair. */
static int call_observer(lua_State *L)
{
    const event *e = lua_touserdata(L, 2);
    const hy_sql *sql = lua_touserdata(L, 3);
    lua_pushvalue(L, 1);
    push_event(L, e, sql);
    lua_call(L, 1, 0);
    return 0;
}

void hyl_events_deliver(lua_State *L, int source, const hy_sql *sql)
{
    if (queue == NULL)
        return;
    hyl_source *s = lua_touserdata(L, source);
    hyl_need_stack(L, 8);
    for (event *e; (e = take_event(s)) != NULL;) {
        lua_pushcfunction(L, call_observer);
        lua_getiuservalue(L, source, HYL_SOURCE_OBSERVER);
        lua_pushlightuserdata(L, e);
        lua_pushlightuserdata(L, (void *)sql);
        s->in_observer = true;
        if (lua_pcall(L, 3, 0, 0) != LUA_OK)
            lua_pop(L, 1);
        s->in_observer = false;
        free_event(e);
    }
}
