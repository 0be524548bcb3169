/*
 * run.c - the few functions that run statements: fetch, fetchOne, pluck, scalar, execute,
 * rawQuery.
 *
 * A running statement is a cursor userdata (so that a raise or a dropped coroutine gives
 * its connection back) taken from and returned to a list that the source keeps.
 */
#include "binding.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef enum result_mode { MODE_LIST, MODE_ONE, MODE_PLUCK, MODE_SCALAR, MODE_EXECUTE } result_mode;

/* What a call's options say. */
typedef struct hyl_run {
    hy_run_options options;
    int extra; /* fields that every row will get later */
} hyl_run;

/* The error lies here and not on the C stack of every call, where it would be cleared each time. */
typedef struct hyl_cursor {
    hy_cursor *cursor;
    hy_error err;
} hyl_cursor;

/* ---- options ----------------------------------------------------------------------------- */

static lua_Integer integer_option(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    int exact;
    lua_Integer value = lua_tointegerx(L, -1, &exact);
    if (!lua_isnil(L, -1) && (!exact || value < 0))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "option '%s' takes a whole number from 0", name);
    lua_pop(L, 1);
    return exact ? value : 0;
}

static void run_options(lua_State *L, int source, int index, hyl_run *run)
{
    hyl_source *s = lua_touserdata(L, source);
    memset(run, 0, sizeof *run);
    run->options.may_block = true;
    hyl_check_may_run(L, s);
    bool ambient = true;
    hyl_need_stack(L, 8);
    if (lua_istable(L, index)) {
        run->options.timeout = integer_option(L, index, "timeout");
        run->options.limit = integer_option(L, index, "limit");
        run->extra = (int)integer_option(L, index, "loads");
        lua_getfield(L, index, "trx");
        ambient = lua_isnil(L, -1);
        if (!ambient && lua_toboolean(L, -1))
            run->options.transaction = ((hyl_transaction *)hyl_check(L, -1, HYL_TRANSACTION))->trx;
        lua_pop(L, 1);
    }
    lua_getiuservalue(L, source, HYL_SOURCE_GLOBAL);
    bool maybe = s->n_ambient > 0 || !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (ambient && maybe) {
        hyl_push_ambient(L, source);
        if (!lua_isnil(L, -1))
            run->options.transaction = ((hyl_transaction *)hyl_check(L, -1, HYL_TRANSACTION))->trx;
        lua_pop(L, 1);
    }
}

/* ---- cursors ----------------------------------------------------------------------------- */

static int cursor_gc(lua_State *L)
{
    hyl_cursor *c = lua_touserdata(L, 1);
    hy_cursor_free(c->cursor);
    c->cursor = NULL;
    return hyl_retire(L);
}

/* Push a cursor userdata that nothing else uses. */
static hyl_cursor *take_cursor(lua_State *L, int source)
{
    hyl_source *s = lua_touserdata(L, source);
    while (s->n_free > 0) {
        lua_getiuservalue(L, source, HYL_SOURCE_CURSORS);
        lua_rawgeti(L, -1, s->n_free);
        lua_pushboolean(L, 0);
        lua_rawseti(L, -3, s->n_free);
        s->n_free--;
        lua_replace(L, -2);
        hyl_cursor *c = hyl_test(L, -1, HYL_CURSOR);
        if (c != NULL)
            return c;
        lua_pop(L, 1); /* finalized before its source: the state is being closed */
    }
    hyl_cursor *c = hyl_new(L, HYL_CURSOR, sizeof *c, 0);
    c->cursor = hy_cursor_new();
    if (c->cursor == NULL)
        hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    return c;
}

/* Put an idle cursor at `index` back on the list. */
static void give_cursor(lua_State *L, int source, int index)
{
    enum { KEEP = 16 };
    hyl_source *s = lua_touserdata(L, source);
    if (s->n_free >= KEEP)
        return;
    lua_getiuservalue(L, source, HYL_SOURCE_CURSORS);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, s->n_free + 1);
    s->n_free++;
    lua_pop(L, 1);
}

/* ---- running ----------------------------------------------------------------------------- */

/* One call while it runs. Stack: 1 source, 2 query or text, 3 .. arguments; cursor at `at`. */
typedef struct run_state {
    hyl_run run;
    hy_cursor *cursor;
    const hy_query *query;
    int at;    /* index of the cursor userdata */
    int model; /* index of the model userdata, 0: none */
    result_mode mode;
    bool found; /* MODE_SCALAR: there was a row */
} run_state;

static int fail_run(lua_State *L, run_state *r, const hy_error *err)
{
    hy_sql sql = *hy_cursor_sql(r->cursor);
    hy_cursor_finish(r->cursor);
    hyl_events_deliver(L, 1, &sql);
    const hy_query *q = hyl_test(L, 2, HYL_QUERY); /* raw SQL is text */
    hyl_push_run_error(L, err, &sql, q != NULL ? hy_query_model(q) : NULL);
    give_cursor(L, 1, r->at); /* not before: what is told lies in it */
    return lua_error(L);
}

/* A pool whose connections are all held by garbage gives them back to the collector. */
static bool collect_once(lua_State *L, hy_status status, bool *collected)
{
    if (*collected || (status != HY_EPOOL_SELF_DEADLOCK && status != HY_EPOOL_TIMEOUT))
        return false;
    *collected = true;
    lua_gc(L, LUA_GCCOLLECT);
    return true;
}

typedef hy_status (*starter)(lua_State *L, run_state *r, hy_source *source, hy_error *err);

static hy_status start_query(lua_State *L, run_state *r, hy_source *source, hy_error *err)
{
    (void)L;
    return hy_cursor_start(r->cursor, source, r->query, &r->run.options, err);
}

/* Start and run up to the first row. */
static hy_status begin_run(lua_State *L, run_state *r, starter start, hy_error *err)
{
    hyl_source *s = lua_touserdata(L, 1);
    bool collected = false;
    hyl_events_forget(s);
    for (;;) {
        hy_status status = start(L, r, s->source, err);
        hy_wait wait;
        while (status == HY_OK &&
               (status = hy_task_advance(hy_cursor_task(r->cursor), &wait, err)) == HY_AGAIN) {
            hyl_events_deliver(L, 1, hy_cursor_sql(r->cursor));
            hyl_wait(L, &wait);
            status = HY_OK;
        }
        if (status == HY_OK || !collect_once(L, status, &collected))
            return status;
    }
}

static hy_status next_row(lua_State *L, run_state *r, const hy_value **row, hy_error *err)
{
    hy_wait wait;
    hy_status status;
    while ((status = hy_cursor_next(r->cursor, row, &wait, err)) == HY_AGAIN)
        hyl_wait(L, &wait);
    return status;
}

/* Rows as tables into the list at `list`, which stands on the plan. */
static hy_status read_rows(lua_State *L, run_state *r, const hyl_plan *plan, int list, hy_error *err)
{
    hyl_plan_push_keys(L, list - 1);
    int base = list + 1, top = lua_gettop(L);
    lua_Integer n = 0;
    for (;;) {
        const hy_value *row;
        hy_status status = next_row(L, r, &row, err);
        if (status != HY_OK)
            return status;
        status = hyl_plan_push_row(L, plan, row, base, r->run.extra, err);
        if (status != HY_OK)
            return status;
        lua_rawseti(L, list, ++n);
        lua_settop(L, top);
    }
}

static hy_status read_values(lua_State *L, run_state *r, const hyl_plan *plan, int list, hy_error *err)
{
    lua_Integer n = 0;
    for (;;) {
        const hy_value *row;
        hy_status status = next_row(L, r, &row, err);
        if (status != HY_OK)
            return status;
        status = hyl_plan_push_first(L, plan, row, err);
        if (status != HY_OK)
            return status;
        lua_rawseti(L, list, ++n);
        lua_settop(L, list);
    }
}

/* Nothing is kept: a write, or the rest after one row. */
static hy_status drain(lua_State *L, run_state *r, hy_error *err)
{
    const hy_value *row;
    hy_status status;
    while ((status = next_row(L, r, &row, err)) == HY_OK)
        ;
    return status;
}

/* After the one row that was asked for. A write must come to its end to count. */
static hy_status leave(lua_State *L, run_state *r, hy_error *err)
{
    if (hy_cursor_sql(r->cursor)->kind != HY_STATEMENT_SELECT)
        return drain(L, r, err);
    hy_cursor_finish(r->cursor);
    return HY_DONE;
}

/* The first row as one table (or value) on top of the plan, or nil; then the rest. */
static hy_status read_one(lua_State *L, run_state *r, const hyl_plan *plan, hy_error *err)
{
    int result = lua_gettop(L) + 1;
    const hy_value *row;
    hy_status status = next_row(L, r, &row, err);
    hyl_need_stack(L, 16);
    if (status == HY_DONE) {
        lua_pushnil(L);
        return HY_DONE;
    }
    if (status != HY_OK)
        return status;
    r->found = true;
    if (r->mode == MODE_SCALAR) {
        status = plan->n == 0 || row[0].type == HY_NULL ? (lua_pushnil(L), HY_OK)
                                                        : hyl_plan_push_first(L, plan, row, err);
    } else {
        status = hyl_plan_push_only_row(L, result - 1, row, r->run.extra, err);
        if (status == HY_OK)
            lua_replace(L, result);
        lua_settop(L, result);
    }
    return status == HY_OK ? leave(L, r, err) : status;
}

/* Raw rows that become records: names that are the model's columns are read as such. */
static const hy_result_column *model_columns(lua_State *L, run_state *r, size_t n)
{
    const hy_model *model = ((hyl_model *)lua_touserdata(L, r->model))->model;
    hy_result_column *columns = lua_newuserdatauv(L, sizeof *columns * (n + 1), 0);
    memcpy(columns, hy_cursor_columns(r->cursor), sizeof *columns * n);
    for (size_t i = 0; i < n; i++) {
        const hy_column *c = hy_model_find_column(model, columns[i].name, strlen(columns[i].name));
        if (c != NULL)
            columns[i] = (hy_result_column){c->property, c->kind, c};
    }
    return columns;
}

/* Push the plan of the rows that are coming. */
static const hyl_plan *push_plan(lua_State *L, run_state *r)
{
    const hy_sql *sql = hy_cursor_sql(r->cursor);
    size_t n = hy_cursor_n_columns(r->cursor);
    if (r->model == 0 || sql->kind != HY_STATEMENT_RAW)
        return hyl_plan_push(L, sql, hy_cursor_columns(r->cursor), n, r->model);
    const hyl_plan *plan = hyl_plan_push(L, sql, model_columns(L, r, n), n, r->model);
    lua_remove(L, -2);
    return plan;
}

static int run(lua_State *L, run_state *r, starter start)
{
    hyl_cursor *c = take_cursor(L, 1);
    hy_error *err = &c->err;
    r->cursor = c->cursor;
    r->at = lua_gettop(L);
    if (begin_run(L, r, start, err) != HY_OK)
        return fail_run(L, r, err);

    hy_status status;
    const hyl_plan *plan = NULL;
    if (r->mode != MODE_EXECUTE)
        plan = push_plan(L, r);
    switch (r->mode) {
    case MODE_EXECUTE:
        status = drain(L, r, err);
        break;
    case MODE_LIST:
    case MODE_PLUCK:
        lua_newtable(L);
        status = (r->mode == MODE_LIST ? read_rows : read_values)(L, r, plan, r->at + 2, err);
        break;
    default:
        status = read_one(L, r, plan, err);
        break;
    }
    if (status != HY_DONE)
        return fail_run(L, r, err);
    lua_settop(L, r->mode == MODE_EXECUTE ? r->at : r->at + 2);
    hyl_events_deliver(L, 1, hy_cursor_sql(r->cursor));
    if (r->mode == MODE_EXECUTE) {
        lua_pushinteger(L, hy_cursor_affected(r->cursor));
        lua_pushinteger(L, hy_cursor_insert_id(r->cursor));
        give_cursor(L, 1, r->at);
        return 2;
    }
    give_cursor(L, 1, r->at);
    if (r->mode != MODE_SCALAR)
        return 1;
    lua_pushboolean(L, r->found);
    return 2;
}

/* core.fetch, fetchOne, pluck, scalar, execute (source, q, opts) */
static int run_query(lua_State *L, result_mode mode)
{
    run_state r = {.mode = mode};
    lua_settop(L, 3);
    hyl_check_source(L, 1);
    r.query = hyl_check_query(L, 2);
    run_options(L, 1, 3, &r.run);
    if (mode == MODE_ONE || mode == MODE_SCALAR)
        r.run.options.limit = 1;
    if (lua_getiuservalue(L, 2, HYL_QUERY_MODEL) != LUA_TNIL && mode != MODE_EXECUTE)
        r.model = 4;
    return run(L, &r, start_query);
}

static int core_fetch(lua_State *L)
{
    return run_query(L, MODE_LIST);
}
static int core_fetch_one(lua_State *L)
{
    return run_query(L, MODE_ONE);
}
static int core_pluck(lua_State *L)
{
    return run_query(L, MODE_PLUCK);
}
static int core_scalar(lua_State *L)
{
    return run_query(L, MODE_SCALAR);
}
static int core_execute(lua_State *L)
{
    return run_query(L, MODE_EXECUTE);
}

/* ---- by key ------------------------------------------------------------------------------ */

/* Push the model's spare query, or a new one; it is the caller's. */
static hy_query *take_spare(lua_State *L, int model)
{
    if (lua_getiuservalue(L, model, HYL_MODEL_SPARE) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        return hyl_new_query(L, model);
    }
    lua_pushnil(L);
    lua_setiuservalue(L, model, HYL_MODEL_SPARE);
    return lua_touserdata(L, -1);
}

static void give_spare(lua_State *L, int model, int query)
{
    hy_query_clear(lua_touserdata(L, query));
    lua_pushvalue(L, query);
    lua_setiuservalue(L, model, HYL_MODEL_SPARE);
}

/*
 * core.fetchByKey(source, model, value) -> record or nil. The commonest call of all: as
 * fetchOne of a query WHERE key = value, but that query is not made each time.
 */
static int core_fetch_by_key(lua_State *L)
{
    enum { SOURCE = 1, MODEL, VALUE, QUERY };
    run_state r = {.mode = MODE_ONE, .model = MODEL};
    lua_settop(L, VALUE);
    hyl_check_source(L, SOURCE);
    const hyl_model *m = hyl_check_model(L, MODEL);
    if (hy_model_n_keys(m->model) != 1)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "the key of %s is not one column", hy_model_name(m->model));
    run_options(L, SOURCE, VALUE + 1, &r.run);
    r.run.options.limit = 1;

    hy_query *q = take_spare(L, MODEL);
    const char *key = hy_model_key(m->model, 0)->property;
    hy_expr *column = hyl_column_named(q, key);
    hy_expr *value = hyl_to_expr(L, q, VALUE, column, NULL, key);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_compare(q, HY_OP_EQ, column, value));
    hyl_query_check(L, q);
    r.query = q;
    int n = run(L, &r, start_query);
    give_spare(L, MODEL, QUERY);
    return n;
}

/* ---- raw SQL ----------------------------------------------------------------------------- */

typedef struct raw_binds {
    hy_bind *binds;
    const char **names; /* NULL: positional */
    size_t n;
} raw_binds;

/* Decimals and JSON values need text of their own: kept as Lua strings in the table at `keep`. */
static hy_value bind_value(lua_State *L, int index, int keep)
{
    hy_value value;
    size_t size;
    if (hyl_to_value(L, index, &value))
        return value;
    hy_type type;
    if (hyl_typeof(L, index) == HYL_DECIMAL) {
        char text[HY_DECIMAL_TEXT_SIZE];
        size = hy_decimal_format(lua_touserdata(L, index), text);
        lua_pushlstring(L, text, size);
        type = HY_DECIMAL;
    } else if (hyl_json_tagged(L, index)) {
        hyl_json_encode(L, index);
        type = HY_JSON;
    } else {
        hyl_fail(L, lua_isnil(L, index) ? HY_ENIL_VALUE : HY_EINVALID_ARGUMENT, "params: a %s is no value%s",
                 luaL_typename(L, index), lua_isnil(L, index) ? " (sql.null means NULL)" : "");
        return hy_null();
    }
    const char *text = lua_tolstring(L, -1, &size);
    lua_rawseti(L, keep, (lua_Integer)lua_rawlen(L, keep) + 1);
    return hy_bytes(type, text, size);
}

/* Read the params table at index; leaves blocks on the stack that own what is borrowed. */
static void read_params(lua_State *L, int index, raw_binds *out)
{
    memset(out, 0, sizeof *out);
    if (lua_isnoneornil(L, index))
        return;
    if (!lua_istable(L, index))
        hyl_fail_argument(L, index, "params", "a table");
    hyl_check_plain(L, index, "params");
    size_t n = 0, n_list = lua_rawlen(L, index);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        n++;
    hyl_need_stack(L, 8);
    lua_newtable(L);
    int keep = lua_gettop(L);
    out->binds = lua_newuserdatauv(L, sizeof *out->binds * (n + 1), 0);
    const char **names = lua_newuserdatauv(L, sizeof *names * (n + 1), 0);
    memset(out->binds, 0, sizeof *out->binds * (n + 1));
    if (n_list > 0 && n_list != n)
        hyl_fail(L, HY_ENIL_VALUE, "params: a list with holes or keys (sql.null means NULL)");
    out->n = n;
    if (n_list > 0 || n == 0) {
        for (size_t i = 0; i < n; i++) {
            lua_rawgeti(L, index, (lua_Integer)i + 1);
            out->binds[i].value = bind_value(L, lua_gettop(L), keep);
            lua_pop(L, 1);
        }
        return;
    }
    out->names = names;
    size_t i = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), i++) {
        if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "params: keys are names or positions from 1");
        names[i] = hyl_to_name(L, -2, "params");
        out->binds[i].value = bind_value(L, lua_gettop(L), keep);
    }
}

typedef struct raw_run {
    run_state r; /* first: starters get a pointer to it */
    raw_binds binds;
} raw_run;

static hy_status start_raw(lua_State *L, run_state *r, hy_source *source, hy_error *err)
{
    const raw_run *raw = (const raw_run *)r;
    size_t size;
    const char *text = lua_tolstring(L, 2, &size);
    return hy_cursor_start_raw(r->cursor, source, text, size, raw->binds.binds, raw->binds.names,
                               raw->binds.n, &r->run.options, err);
}

/* core.rawQuery(source, text, params, opts) -> rows, { affectedRows, insertId } */
int hyl_raw_query(lua_State *L)
{
    raw_run raw = {.r = {.mode = MODE_LIST}};
    lua_settop(L, 4);
    hyl_check_source(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        return hyl_fail_argument(L, 2, "sql", "SQL text");
    run_options(L, 1, 4, &raw.r.run);
    read_params(L, 3, &raw.binds);
    run(L, &raw.r, start_raw);
    /* The cursor was given back: a finalizer may take it as soon as anything is allocated. */
    int64_t affected = hy_cursor_affected(raw.r.cursor), insert_id = hy_cursor_insert_id(raw.r.cursor);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, affected);
    lua_setfield(L, -2, "affectedRows");
    lua_pushinteger(L, insert_id);
    lua_setfield(L, -2, "insertId");
    return 2;
}

/* core.fetchRaw(source, text, params, model, opts) -> records, columns found by name */
static int core_fetch_raw(lua_State *L)
{
    raw_run raw = {.r = {.mode = MODE_LIST, .model = 4}};
    lua_settop(L, 5);
    hyl_check_source(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        return hyl_fail_argument(L, 2, "sql", "SQL text");
    hyl_check_model(L, 4);
    run_options(L, 1, 5, &raw.r.run);
    read_params(L, 3, &raw.binds);
    return run(L, &raw.r, start_raw);
}

void hyl_run_open(lua_State *L)
{
    static const luaL_Reg cursor_meta[] = {{"__gc", cursor_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"fetch", core_fetch},       {"fetchOne", core_fetch_one}, {"fetchByKey", core_fetch_by_key},
        {"pluck", core_pluck},       {"scalar", core_scalar},      {"execute", core_execute},
        {"rawQuery", hyl_raw_query}, {"fetchRaw", core_fetch_raw}, {NULL, NULL},
    };
    hyl_type_new(L, HYL_CURSOR, "hysteria.cursor", NULL, cursor_meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
