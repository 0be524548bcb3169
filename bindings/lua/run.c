/*
 * run.c - the few functions that run statements: fetch, fetchOne, pluck, scalar, execute,
 * rawQuery. They are the leaves that wait, and in a task they yield instead.
 *
 * A running statement is a cursor userdata (so that a raise or a dropped coroutine gives
 * its connection back) taken from and returned to a list that the source keeps.
 */
#include "binding.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef enum result_mode { MODE_LIST, MODE_ONE, MODE_PLUCK, MODE_SCALAR, MODE_EXECUTE } result_mode;
typedef enum run_phase { PHASE_START, PHASE_TASK, PHASE_ROWS } run_phase;

/* Values for raw SQL; blocks on the Lua stack own what is borrowed. */
typedef struct raw_binds {
    hy_bind *binds;
    const char **names; /* NULL: positional */
    size_t n;
} raw_binds;

typedef struct hyl_cursor hyl_cursor;
typedef hy_status (*starter)(lua_State *L, hyl_cursor *c, hy_source *source);

/*
 * One call while it runs. All of it is here and not on the C stack, because a call may be
 * left by a yield and come back. Lua stack: 1 source, 2 query or text, 3.. arguments, this
 * userdata at `at`, the plan at `at` + 1, the result at `at` + 2, then the metatable and keys
 * of a list's rows.
 */
struct hyl_cursor {
    hy_cursor *cursor;
    hy_error err;
    hyl_run run;
    const hy_query *query; /* NULL: raw text */
    starter start;
    raw_binds binds;
    result_mode mode;
    run_phase phase;
    int at, top;
    int model;      /* index of the model userdata, 0: none */
    hy_value key;   /* of a row looked for by a statement that the model keeps; else NULL */
    bool keeps;     /* this statement is one for the model to keep */
    bool with_info; /* rawQuery's second result */
    bool found;     /* there was a row */
    hyl_patience patience;
    bool closes;          /* marked to be closed with the coroutine */
    lua_Integer n;        /* rows so far */
    const hyl_plan *plan; /* lies on the Lua stack while rows are read */
    hy_wait wait;
};

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

int64_t hyl_timeout(lua_State *L, int options)
{
    lua_getfield(L, options, "deadline");
    int64_t left = lua_isnil(L, -1) ? 1 : lua_tointeger(L, -1) - hy_monotonic_ns();
    bool by_deadline = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!by_deadline)
        return integer_option(L, options, "timeout");
    if (left <= 0)
        hyl_fail(L, HY_EQUERY_TIMEOUT, "the call's time was up before its next statement began");
    return (left + 999999) / 1000000;
}

void hyl_run_options(lua_State *L, int source, int index, hyl_run *run)
{
    hyl_source *s = lua_touserdata(L, source);
    memset(run, 0, sizeof *run);
    run->options.may_block = !hyl_may_yield(L);
    hyl_check_may_run(L, s);
    bool ambient = true;
    hyl_need_stack(L, 8);
    if (lua_istable(L, index)) {
        run->options.timeout = hyl_timeout(L, index);
        run->options.limit = integer_option(L, index, "limit");
        run->options.batch = integer_option(L, index, "batch");
        run->options.explain = (hy_explain)integer_option(L, index, "explain");
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
        hyl_push_joined(L, source);
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

/* __close: a coroutine that is closed in the middle gives its connection back at once. */
static int cursor_close(lua_State *L)
{
    hyl_cursor *c = lua_touserdata(L, 1);
    hy_cursor_finish(c->cursor);
    return 0;
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
        if (c != NULL) {
            memset(&c->run, 0, sizeof *c - offsetof(hyl_cursor, run));
            return c;
        }
        lua_pop(L, 1); /* finalized before its source: the state is being closed */
    }
    hyl_cursor *c = hyl_new(L, HYL_CURSOR, sizeof *c, 1);
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

/* ---- running ------------------------------------------------------------------------------ */

static const hy_model *model_of(lua_State *L, const hyl_cursor *c)
{
    if (c->key.type != HY_NULL)
        return ((const hyl_model *)lua_touserdata(L, c->model))->model;
    return c->query != NULL ? hy_query_model(c->query) : NULL;
}

static int fail_run(lua_State *L, hyl_cursor *c)
{
    hy_sql sql = *hy_cursor_sql(c->cursor);
    hy_cursor_finish(c->cursor);
    hyl_events_deliver(L, 1, &sql);
    hyl_push_run_error(L, &c->err, &sql, model_of(L, c));
    give_cursor(L, 1, c->at); /* not before: what is told lies in it */
    return lua_error(L);
}

static hy_status start_query(lua_State *L, hyl_cursor *c, hy_source *source)
{
    (void)L;
    return hy_cursor_start(c->cursor, source, c->query, &c->run.options, &c->err);
}

/* Parameters are filled at each start: another call may have filled them meanwhile. */
static hy_status start_prepared(lua_State *L, hyl_cursor *c, hy_source *source)
{
    const hy_sql *sql = hyl_prepared_fill(L, 2, 4, source);
    return hy_cursor_start_compiled(c->cursor, source, sql, &c->run.options, &c->err);
}

static hy_status start_raw(lua_State *L, hyl_cursor *c, hy_source *source)
{
    size_t size;
    const char *text = lua_tolstring(L, 2, &size);
    return hy_cursor_start_raw(c->cursor, source, text, size, c->binds.binds, c->binds.names, c->binds.n,
                               &c->run.options, &c->err);
}

/* Raw rows that become records: names that are the model's columns are read as such. */
static const hy_result_column *model_columns(lua_State *L, hyl_cursor *c, size_t n)
{
    const hy_model *model = ((hyl_model *)lua_touserdata(L, c->model))->model;
    hy_result_column *columns = lua_newuserdatauv(L, sizeof *columns * (n + 1), 0);
    memcpy(columns, hy_cursor_columns(c->cursor), sizeof *columns * n);
    for (size_t i = 0; i < n; i++) {
        const hy_column *column = hy_model_find_column(model, columns[i].name, strlen(columns[i].name));
        if (column != NULL)
            columns[i] = (hy_result_column){column->property, column->kind, column, 0, false};
    }
    return columns;
}

/* Push the plan of the rows that are coming. */
static const hyl_plan *push_plan(lua_State *L, hyl_cursor *c)
{
    const hy_sql *sql = hy_cursor_sql(c->cursor);
    size_t n = hy_cursor_n_columns(c->cursor);
    if (c->model == 0 || sql->kind != HY_STATEMENT_RAW)
        return hyl_plan_push(L, sql, hy_cursor_columns(c->cursor), n, c->model);
    const hyl_plan *plan = hyl_plan_push(L, sql, model_columns(L, c, n), n, c->model);
    lua_remove(L, -2);
    return plan;
}

/* The statement runs: make ready for its rows. */
static void prepare_rows(lua_State *L, hyl_cursor *c)
{
    c->phase = PHASE_ROWS;
    if (c->mode == MODE_EXECUTE)
        return;
    hyl_need_stack(L, 16);
    c->plan = push_plan(L, c);
    if (c->mode == MODE_ONE || c->mode == MODE_SCALAR) {
        lua_pushnil(L);
        return;
    }
    lua_newtable(L);
    if (c->mode == MODE_LIST)
        hyl_plan_push_keys(L, c->at + 1);
}

/* Put one row where the mode wants it. HY_DONE: no more rows are wanted. */
static hy_status take_row(lua_State *L, hyl_cursor *c, const hy_value *row, int top)
{
    int result = c->at + 2;
    hy_status status;
    c->found = true;
    switch (c->mode) {
    case MODE_EXECUTE:
        return HY_OK;
    case MODE_LIST:
        status = hyl_plan_push_row(L, c->plan, row, result + 1, c->run.extra, &c->err);
        break;
    case MODE_ONE:
        status = hyl_plan_push_only_row(L, c->at + 1, row, c->run.extra, &c->err);
        break;
    case MODE_SCALAR:
        if (c->plan->n == 0 || row[0].type == HY_NULL)
            return HY_DONE;
        status = hyl_plan_push_first(L, c->plan, row, &c->err);
        break;
    default:
        status = hyl_plan_push_first(L, c->plan, row, &c->err);
        break;
    }
    if (status != HY_OK)
        return status;
    if (c->mode == MODE_LIST || c->mode == MODE_PLUCK) {
        lua_rawseti(L, result, ++c->n);
        lua_settop(L, top);
        return HY_OK;
    }
    lua_replace(L, result);
    lua_settop(L, top);
    return HY_DONE;
}

/* After the one row that was asked for. A write must come to its end to count. */
static bool may_leave(const hyl_cursor *c)
{
    return hy_cursor_sql(c->cursor)->kind == HY_STATEMENT_SELECT;
}

static hy_status read_rows(lua_State *L, hyl_cursor *c)
{
    int top = lua_gettop(L);
    bool enough = false;
    for (;;) {
        const hy_value *row;
        hy_status status = hy_cursor_next(c->cursor, &row, &c->wait, &c->err);
        if (status != HY_OK)
            return status;
        if (enough || (c->found && (c->mode == MODE_ONE || c->mode == MODE_SCALAR)))
            continue;
        status = take_row(L, c, row, top);
        if (status == HY_DONE && may_leave(c)) {
            hy_cursor_finish(c->cursor);
            return HY_DONE;
        }
        if (status != HY_OK && status != HY_DONE)
            return status;
        enough = status == HY_DONE;
    }
}

/* As far as it goes without waiting: HY_DONE, HY_AGAIN (see c->wait) or a failure. */
static hy_status advance(lua_State *L, hyl_cursor *c)
{
    hyl_source *s = lua_touserdata(L, 1);
    hy_status status = HY_OK;
    for (;;) {
        switch (c->phase) {
        case PHASE_START:
            status = c->start(L, c, s->source);
            c->phase = PHASE_TASK;
            break;
        case PHASE_TASK:
            status = hy_task_advance(hy_cursor_task(c->cursor), &c->wait, &c->err);
            if (status == HY_OK)
                prepare_rows(L, c);
            break;
        case PHASE_ROWS:
            return read_rows(L, c);
        }
        if (status == HY_OK)
            continue;
        if (status == HY_AGAIN ? !hyl_lost_patience(L, s->source, &c->patience, &c->wait)
                               : !hyl_collect_for(L, &c->patience, status))
            return status;
        c->phase = status == HY_AGAIN ? PHASE_TASK : PHASE_START;
    }
}

/* ---- by key ------------------------------------------------------------------------------ */

/* The statement that finds a row of a model by its key, made once; binds, columns and text lie behind. */
enum { MOST_BINDS = 4 };
typedef struct by_key {
    const hy_dialect *dialect;
    hy_features features;
    hy_sql sql;
} by_key;

/* Are the key and whole numbers all that is bound, and the columns the model's? */
static bool may_keep(const hy_sql *sql, const hy_model *model)
{
    if (sql->columns_of == 0 || sql->n_binds == 0 || sql->n_binds > MOST_BINDS)
        return false;
    for (size_t i = 1; i < sql->n_binds; i++)
        if (sql->binds[i].value.type != HY_INT)
            return false;
    return sql->binds[0].kind == hy_model_key(model, 0)->kind;
}

/* After the first run: let the model at `model` have the statement, without the key that was looked for. */
static void keep_statement(lua_State *L, const hyl_cursor *c, hy_source *source)
{
    const hy_model *model = ((const hyl_model *)lua_touserdata(L, c->model))->model;
    const hy_sql *sql = hy_cursor_sql(c->cursor);
    if (!may_keep(sql, model))
        return;
    size_t binds_size = sql->n_binds * sizeof(hy_bind), columns_size = sql->n_columns * sizeof *sql->columns;
    by_key *kept = lua_newuserdatauv(L, sizeof *kept + binds_size + columns_size + sql->size + 1, 0);
    hy_bind *binds = memcpy(kept + 1, sql->binds, binds_size);
    hy_result_column *columns = memcpy((char *)binds + binds_size, sql->columns, columns_size);
    *kept = (by_key){hy_source_dialect(source), hy_source_features(source), *sql};
    for (size_t i = 0; i < sql->n_columns; i++)
        columns[i].name = columns[i].column->property; /* what is the cursor's will be used again */
    binds[0].value = hy_null();
    kept->sql.table = hy_model_table(model);
    kept->sql.binds = binds;
    kept->sql.columns = columns;
    kept->sql.text = memcpy((char *)columns + columns_size, sql->text, sql->size + 1);
    lua_setiuservalue(L, c->model, HYL_MODEL_BY_KEY);
}

/* Push the statement that the model keeps, if it does. True: it is one for this source. */
static bool push_kept(lua_State *L, int model, const hy_source *source)
{
    lua_getiuservalue(L, model, HYL_MODEL_BY_KEY);
    const by_key *kept = lua_touserdata(L, -1);
    return kept != NULL && kept->dialect == hy_source_dialect(source) &&
           kept->features == hy_source_features(source);
}

static hy_status start_by_key(lua_State *L, hyl_cursor *c, hy_source *source)
{
    hy_bind binds[MOST_BINDS];
    lua_getiuservalue(L, c->at, 1);
    hy_sql sql = ((const by_key *)lua_touserdata(L, -1))->sql;
    lua_pop(L, 1);
    memcpy(binds, sql.binds, sql.n_binds * sizeof *binds);
    binds[0].value = c->key;
    sql.binds = binds;
    return hy_cursor_start_compiled(c->cursor, source, &sql, &c->run.options, &c->err);
}

static int finish_run(lua_State *L, hyl_cursor *c)
{
    bool execute = c->mode == MODE_EXECUTE;
    if (c->keeps)
        keep_statement(L, c, ((hyl_source *)lua_touserdata(L, 1))->source);
    lua_settop(L, execute ? c->at : c->at + 2);
    hyl_events_deliver(L, 1, hy_cursor_sql(c->cursor));
    int n = execute ? 0 : 1;
    int64_t affected = hy_cursor_affected(c->cursor), insert_id = hy_cursor_insert_id(c->cursor);
    if (execute) {
        lua_pushinteger(L, affected);
        lua_pushinteger(L, insert_id);
        n = 2;
    } else if (c->mode == MODE_SCALAR) {
        lua_pushboolean(L, c->found);
        n = 2;
    } else if (c->with_info) {
        lua_createtable(L, 0, 2);
        lua_pushinteger(L, affected);
        lua_setfield(L, -2, "affectedRows");
        lua_pushinteger(L, insert_id);
        lua_setfield(L, -2, "insertId");
        n = 2;
    }
    give_cursor(L, 1, c->at);
    return n;
}

/* Run on to the end; a task yields where others block. The context is the cursor's index. */
static int go(lua_State *L, int resumed, lua_KContext at)
{
    hyl_cursor *c = lua_touserdata(L, (int)at);
    if (resumed == LUA_YIELD)
        lua_settop(L, c->top);
    for (;;) {
        hy_status status = advance(L, c);
        if (status == HY_DONE)
            return finish_run(L, c);
        if (status != HY_AGAIN)
            return fail_run(L, c);
        hyl_events_deliver(L, 1, hy_cursor_sql(c->cursor));
        if (c->run.options.may_block) {
            hyl_wait(L, &c->wait);
            continue;
        }
        if (!c->closes)
            lua_toclose(L, c->at);
        c->closes = true;
        c->top = lua_gettop(L);
        return hyl_yield(L, &c->wait, at, go);
    }
}

/* Run what was set up, the cursor being on top of the stack. */
static int run(lua_State *L, hyl_cursor *c)
{
    c->at = lua_gettop(L);
    hyl_events_forget(lua_touserdata(L, 1));
    return go(L, LUA_OK, c->at);
}

static int run_query(lua_State *L, result_mode mode);

static int run_settled(lua_State *L, int status, lua_KContext mode)
{
    (void)status;
    lua_replace(L, 2);
    return run_query(L, (result_mode)mode);
}

/* core.fetch, fetchOne, pluck, scalar, execute (source, q, opts) */
static int run_query(lua_State *L, result_mode mode)
{
    hyl_run options;
    hyl_check_source(L, 1);
    bool is_prepared = hyl_typeof(L, 2) == HYL_PREPARED;
    lua_settop(L, is_prepared ? 4 : 3); /* the last are its parameters */
    const hy_query *q = is_prepared ? NULL : hyl_check_query(L, 2);
    if (q != NULL && hy_query_has_late(q)) {
        hyl_push_settler(L, 2);
        lua_callk(L, 1, 1, (lua_KContext)mode, run_settled);
        return run_settled(L, LUA_OK, (lua_KContext)mode);
    }
    hyl_run_options(L, 1, 3, &options);
    if (mode == MODE_ONE || mode == MODE_SCALAR)
        options.options.limit = 1;
    if (is_prepared) {
        lua_getiuservalue(L, 2, HYL_PREPARED_QUERY); /* the prepared one holds on to it */
        q = lua_touserdata(L, -1);
        lua_pop(L, 1);
    }
    bool has_model = lua_getiuservalue(L, 2, HYL_QUERY_MODEL) != LUA_TNIL;
    int model = lua_gettop(L);
    hyl_cursor *c = take_cursor(L, 1);
    c->run = options;
    c->query = q;
    c->mode = mode;
    c->start = is_prepared ? start_prepared : start_query;
    c->model = has_model && mode != MODE_EXECUTE && options.options.explain == HY_EXPLAIN_NOT ? model : 0;
    return run(L, c);
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

/* WHERE key = the value at `value`, on top. */
static hy_query *push_key_query(lua_State *L, int model, const char *key, int value)
{
    hy_query *q = hyl_new_query(L, model);
    hy_expr *column = hyl_column_named(q, key);
    hy_expr *operand = hyl_to_expr(L, q, value, column, NULL, key);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_compare(q, HY_OP_EQ, column, operand));
    hyl_query_check(L, q);
    return q;
}

/* Is the value at `index` one that a column of this kind could hold, and no text of our own? */
static bool read_key(lua_State *L, int index, hy_kind kind, hy_value *key)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value given;
    return hyl_to_value(L, index, &given) && given.type != HY_NULL &&
           hy_value_encode(kind, &given, scratch, key, NULL) == HY_OK && key->type != HY_DECIMAL &&
           key->type != HY_JSON;
}

/*
 * core.fetchByKey(source, model, value) -> record or nil. The commonest call of all: as
 * fetchOne of a query WHERE key = value, but made into a statement only once.
 */
static int core_fetch_by_key(lua_State *L)
{
    enum { SOURCE = 1, MODEL, VALUE, STATEMENT };
    hyl_run options;
    lua_settop(L, VALUE);
    const hyl_source *s = hyl_check_source(L, SOURCE);
    const hyl_model *m = hyl_check_model(L, MODEL);
    if (hy_model_n_keys(m->model) != 1)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "the key of %s is not one column", hy_model_name(m->model));
    const hy_column *key = hy_model_key(m->model, 0);
    hyl_run_options(L, SOURCE, STATEMENT, &options);
    options.options.limit = 1;

    hy_value value = hy_null();
    bool kept = push_kept(L, MODEL, s->source) && read_key(L, VALUE, key->kind, &value);
    lua_settop(L, kept ? STATEMENT : VALUE);
    const hy_query *query = kept ? NULL : push_key_query(L, MODEL, key->property, VALUE);
    hyl_cursor *c = take_cursor(L, SOURCE);
    c->run = options;
    c->mode = MODE_ONE;
    c->model = MODEL;
    c->query = query;
    c->keeps = !kept;
    c->start = kept ? start_by_key : start_query;
    if (kept) {
        c->key = value;
        lua_pushvalue(L, STATEMENT);
        lua_setiuservalue(L, -2, 1); /* it lends the cursor its text */
    }
    return run(L, c);
}

/* ---- raw SQL ----------------------------------------------------------------------------- */

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

static int run_raw(lua_State *L, int model, bool with_info)
{
    hyl_run options;
    raw_binds binds;
    hyl_run_options(L, 1, model != 0 ? 5 : 4, &options);
    read_params(L, 3, &binds);
    hyl_cursor *c = take_cursor(L, 1);
    c->run = options;
    c->binds = binds;
    c->start = start_raw;
    c->model = model;
    c->with_info = with_info;
    return run(L, c);
}

/* core.rawQuery(source, text, params, opts) -> rows, { affectedRows, insertId } */
int hyl_raw_query(lua_State *L)
{
    lua_settop(L, 4);
    hyl_check_source(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        return hyl_fail_argument(L, 2, "sql", "SQL text");
    return run_raw(L, 0, true);
}

/* core.fetchRaw(source, text, params, model, opts) -> records, columns found by name */
static int core_fetch_raw(lua_State *L)
{
    lua_settop(L, 5);
    hyl_check_source(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        return hyl_fail_argument(L, 2, "sql", "SQL text");
    hyl_check_model(L, 4);
    return run_raw(L, 4, false);
}

void hyl_run_open(lua_State *L)
{
    static const luaL_Reg cursor_meta[] = {{"__gc", cursor_gc}, {"__close", cursor_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"fetch", core_fetch},       {"fetchOne", core_fetch_one}, {"fetchByKey", core_fetch_by_key},
        {"pluck", core_pluck},       {"scalar", core_scalar},      {"execute", core_execute},
        {"rawQuery", hyl_raw_query}, {"fetchRaw", core_fetch_raw}, {NULL, NULL},
    };
    hyl_type_new(L, HYL_CURSOR, "hysteria.cursor", NULL, cursor_meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
