/*
 * plan.c - from result rows to Lua tables.
 *
 * Everything that can be decided once is decided once per statement: which function pushes
 * each column, the key strings, the metatable. A row is then one table of the right size,
 * n raw sets and one metatable. Plans are kept per Lua state in a direct-mapped table by
 * (statement text, model version); the Lua half of plan i (keys and metatable) is entry i
 * of the state's user value.
 */
#include "binding.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- one value ------------------------------------------------------------------------------ */

static hy_status push_any(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    (void)column;
    if (v->type == HY_JSON)
        return hyl_json_decode(L, v->as.text.data, v->as.text.size, err) ? HY_OK : err->status;
    hyl_push_value(L, v, false);
    return HY_OK;
}

/* The slow, plain way: decode to the kind's type, then push that. Every fast way below falls
   back to it, and the tests compare them with it. */
static hy_status push_decoded(lua_State *L, hy_kind kind, const hy_value *v, hy_error *err)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value decoded;
    hy_status status = hy_value_decode(kind, v, scratch, &decoded, err);
    return status == HY_OK ? push_any(L, &decoded, NULL, err) : status;
}

#define KIND_OF(column, otherwise) ((column) != NULL ? (column)->kind : (otherwise))

static hy_status push_int(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    if (v->type != HY_INT)
        return push_decoded(L, KIND_OF(column, HY_KIND_BIGINT), v, err);
    lua_pushinteger(L, v->as.integer);
    return HY_OK;
}

static hy_status push_bool(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    (void)column;
    bool is_int = v->type == HY_INT && (v->as.integer == 0 || v->as.integer == 1);
    if (v->type != HY_BOOL && !is_int)
        return push_decoded(L, HY_KIND_BOOLEAN, v, err);
    lua_pushboolean(L, is_int ? v->as.integer == 1 : v->as.boolean);
    return HY_OK;
}

static hy_status push_double(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    (void)column;
    if (v->type != HY_DOUBLE)
        return push_decoded(L, HY_KIND_DOUBLE, v, err);
    lua_pushnumber(L, v->as.number);
    return HY_OK;
}

static hy_status push_text(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    if (v->type != HY_TEXT)
        return push_decoded(L, KIND_OF(column, HY_KIND_TEXT), v, err);
    lua_pushlstring(L, v->as.text.data, v->as.text.size);
    return HY_OK;
}

static hy_status push_blob(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    if (v->type != HY_BLOB)
        return push_decoded(L, KIND_OF(column, HY_KIND_BINARY), v, err);
    lua_pushlstring(L, v->as.text.data, v->as.text.size);
    return HY_OK;
}

static hy_status push_json(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    if (v->type != HY_TEXT && v->type != HY_JSON)
        return push_decoded(L, KIND_OF(column, HY_KIND_JSON), v, err);
    return hyl_json_decode(L, v->as.text.data, v->as.text.size, err) ? HY_OK : err->status;
}

/* Canonical "YYYY-MM-DD HH:MM:SS[.ffffff]" or "YYYY-MM-DD" needs no decoding. */
static bool is_canonical(const char *text, size_t size, const char *pattern)
{
    for (size_t i = 0; i < size; i++) {
        bool digit = (unsigned)(text[i] - '0') <= 9;
        if (pattern[i] == 'd' ? !digit : text[i] != pattern[i])
            return false;
    }
    return true;
}

static hy_status push_timestamp(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    const char *text = v->as.text.data;
    size_t size = v->as.text.size;
    bool whole = v->type == HY_TEXT && (size == 19 || (size == 26 && memcmp(text + 19, ".000000", 7) != 0));
    int64_t micros;
    if (!whole || !is_canonical(text, size, "dddd-dd-dd dd:dd:dd.dddddd") ||
        !hy_timestamp_parse(text, size, &micros))
        return push_decoded(L, KIND_OF(column, HY_KIND_TIMESTAMP), v, err);
    lua_pushlstring(L, text, size);
    return HY_OK;
}

static hy_status push_date(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    (void)column;
    return push_decoded(L, HY_KIND_DATE, v, err);
}

static hy_status push_time(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    (void)column;
    return push_decoded(L, HY_KIND_TIME, v, err);
}

static hy_status push_uuid(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    (void)column;
    return push_decoded(L, HY_KIND_UUID, v, err);
}

/* The decimal of a value, with the column's scale where that only adds zeros. */
static hy_status read_decimal(const hy_value *v, const hy_column *column, hy_decimal *out, hy_error *err)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value decoded;
    hy_status status = hy_value_decode(HY_KIND_DECIMAL, v, scratch, &decoded, err);
    if (status == HY_OK)
        status = hy_decimal_parse(decoded.as.text.data, decoded.as.text.size, out, err);
    if (status == HY_OK && column != NULL && column->scale > out->scale)
        status = hy_decimal_round(out, column->scale, HY_ROUND_HALF_EVEN, out, err);
    return status;
}

static hy_status push_decimal(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    hy_decimal d;
    hy_status status = read_decimal(v, column, &d, err);
    if (status == HY_OK)
        hyl_push_decimal(L, &d);
    return status;
}

/* ---- `as` ---------------------------------------------------------------------------------------- */

static hy_status push_decimal_text(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    hy_decimal d;
    char text[HY_DECIMAL_TEXT_SIZE];
    hy_status status = read_decimal(v, column, &d, err);
    if (status == HY_OK)
        lua_pushlstring(L, text, hy_decimal_format(&d, text));
    return status;
}

static hy_status push_decimal_number(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    hy_decimal d;
    hy_status status = read_decimal(v, column, &d, err);
    if (status == HY_OK)
        lua_pushnumber(L, hy_decimal_to_double(&d));
    return status;
}

static hy_status read_moment(const hy_value *v, const hy_column *column, hy_value *out, hy_error *err)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_status status = hy_value_decode(column->kind, v, scratch, out, err);
    if (status == HY_OK && out->type == HY_DATE) {
        out->type = HY_TIMESTAMP;
        out->as.micros = out->as.days * INT64_C(86400000000);
    }
    return status;
}

/* Seconds since 1970: an integer, or a float when there are microseconds. */
static hy_status push_epoch(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    hy_value moment;
    hy_status status = read_moment(v, column, &moment, err);
    if (status != HY_OK)
        return status;
    if (moment.as.micros % 1000000 == 0)
        lua_pushinteger(L, moment.as.micros / 1000000);
    else
        lua_pushnumber(L, (double)moment.as.micros / 1e6);
    return HY_OK;
}

static void set_field(lua_State *L, const char *name, int value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* As os.date("!*t") names them, and usec. */
static hy_status push_date_table(lua_State *L, const hy_value *v, const hy_column *column, hy_error *err)
{
    hy_value moment;
    hy_status status = read_moment(v, column, &moment, err);
    if (status != HY_OK)
        return status;
    hy_date_parts parts;
    hy_timestamp_to_parts(moment.as.micros, &parts);
    lua_createtable(L, 0, 8);
    if (column->kind != HY_KIND_TIME) {
        set_field(L, "year", parts.year);
        set_field(L, "month", parts.month);
        set_field(L, "day", parts.day);
    }
    if (column->kind != HY_KIND_DATE) {
        set_field(L, "hour", parts.hour);
        set_field(L, "min", parts.minute);
        set_field(L, "sec", parts.second);
        set_field(L, "usec", parts.micros);
    }
    return HY_OK;
}

static const hyl_pusher pushers[HY_KIND_COUNT] = {
    [HY_KIND_ANY] = push_any,
    [HY_KIND_BOOLEAN] = push_bool,
    [HY_KIND_TINYINT] = push_int,
    [HY_KIND_SMALLINT] = push_int,
    [HY_KIND_MEDIUMINT] = push_int,
    [HY_KIND_INTEGER] = push_int,
    [HY_KIND_BIGINT] = push_int,
    [HY_KIND_FLOAT] = push_double,
    [HY_KIND_DOUBLE] = push_double,
    [HY_KIND_DECIMAL] = push_decimal,
    [HY_KIND_STRING] = push_text,
    [HY_KIND_CHAR] = push_text,
    [HY_KIND_TEXT] = push_text,
    [HY_KIND_ENUM] = push_text,
    [HY_KIND_ULID] = push_text,
    [HY_KIND_UUID] = push_uuid,
    [HY_KIND_BINARY] = push_blob,
    [HY_KIND_VARBINARY] = push_blob,
    [HY_KIND_JSON] = push_json,
    [HY_KIND_JSONB] = push_json,
    [HY_KIND_DATE] = push_date,
    [HY_KIND_TIME] = push_time,
    [HY_KIND_DATETIME] = push_timestamp,
    [HY_KIND_TIMESTAMP] = push_timestamp,
    [HY_KIND_CUSTOM] = push_any,
};

static hyl_pusher choose(hy_kind kind, hyl_as as)
{
    bool moment =
        kind == HY_KIND_DATE || kind == HY_KIND_TIME || kind == HY_KIND_DATETIME || kind == HY_KIND_TIMESTAMP;
    if (kind == HY_KIND_DECIMAL && as == HYL_AS_STRING)
        return push_decimal_text;
    if (kind == HY_KIND_DECIMAL && as == HYL_AS_NUMBER)
        return push_decimal_number;
    if (moment && as == HYL_AS_EPOCH)
        return push_epoch;
    if (moment && as == HYL_AS_TABLE)
        return push_date_table;
    if ((kind == HY_KIND_JSON || kind == HY_KIND_JSONB) && as == HYL_AS_STRING)
        return push_text;
    return pushers[kind];
}

/* ---- plans ------------------------------------------------------------------------------------------ */

void hyl_plan_free(hyl_plan *plan)
{
    if (plan != NULL)
        hy_free(plan->text);
    hy_free(plan);
}

static hyl_plan *make(const hy_sql *sql, const hy_result_column *columns, size_t n, const hyl_model *m)
{
    hyl_plan *plan = hy_alloc_zero(sizeof *plan + n * sizeof plan->columns[0]);
    if (plan == NULL)
        return NULL;
    plan->text = hy_alloc(sql->size + 1);
    if (plan->text == NULL) {
        hy_free(plan);
        return NULL;
    }
    memcpy(plan->text, sql->text, sql->size);
    plan->text_size = sql->size;
    plan->hash = sql->hash;
    plan->model_version = m != NULL ? hy_model_version(m->model) : 0;
    plan->n = (int)n;
    for (size_t i = 0; i < n; i++) {
        plan->columns[i].push = choose(columns[i].kind, hyl_model_as(m, columns[i].column));
        plan->columns[i].column = columns[i].column;
    }
    return plan;
}

/* Push a record metatable: the model's template plus the set of selected columns. */
static void push_meta(lua_State *L, int model_index, const hy_result_column *columns, size_t n)
{
    lua_newtable(L);
    int meta = lua_gettop(L);
    lua_getiuservalue(L, model_index, 2);
    if (lua_istable(L, -1))
        for (lua_pushnil(L); lua_next(L, meta + 1); lua_settop(L, meta + 2)) {
            lua_pushvalue(L, meta + 2);
            lua_pushvalue(L, meta + 3);
            lua_rawset(L, meta);
        }
    lua_settop(L, meta);
    lua_createtable(L, 0, (int)n);
    for (size_t i = 0; i < n; i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, columns[i].name);
    }
    lua_setfield(L, meta, "columns");
}

/* Store { [0] = metatable or false, key1, ... } as the Lua half of `slot`. */
static void store_keys(lua_State *L, int slot, const hy_result_column *columns, size_t n, int model_index)
{
    luaL_checkstack(L, 12, NULL);
    int top = lua_gettop(L);
    lua_createtable(L, (int)n, 1);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, columns[i].name);
        lua_rawseti(L, top + 1, (lua_Integer)i + 1);
    }
    if (model_index != 0)
        push_meta(L, model_index, columns, n);
    else
        lua_pushboolean(L, 0);
    lua_rawseti(L, top + 1, 0);
    hyl_push_state_value(L);
    lua_pushvalue(L, top + 1);
    lua_rawseti(L, -2, slot + 1);
    lua_settop(L, top);
}

const hyl_plan *hyl_plan_get(lua_State *L, const hy_sql *sql, const hy_result_column *columns, size_t n,
                             int model_index)
{
    const hyl_model *m = model_index != 0 ? lua_touserdata(L, model_index) : NULL;
    uint64_t version = m != NULL ? hy_model_version(m->model) : 0;
    hyl_state *state = hyl_state_get(L);
    int slot = (int)((sql->hash ^ (version * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % HYL_PLAN_SLOTS);
    hyl_plan *plan = state->plans[slot];
    if (plan != NULL && plan->hash == sql->hash && plan->model_version == version &&
        plan->text_size == sql->size && (size_t)plan->n == n && memcmp(plan->text, sql->text, sql->size) == 0)
        return plan;

    plan = make(sql, columns, n, m);
    if (plan == NULL)
        return NULL;
    plan->slot = slot;
    hyl_plan_free(state->pending);
    hyl_plan_free(state->plans[slot]); /* first the C half: if Lua raises below, the slot is empty */
    state->plans[slot] = NULL;
    state->pending = plan;
    store_keys(L, slot, columns, n, model_index);
    state->pending = NULL;
    state->plans[slot] = plan;
    return plan;
}

/* Push the plan's Lua half: { [0] = metatable or false, key1, ... } */
static void push_half(lua_State *L, const hyl_plan *plan)
{
    hyl_push_state_value(L);
    lua_rawgeti(L, -1, plan->slot + 1);
    lua_replace(L, -2);
}

void hyl_plan_push_keys(lua_State *L, const hyl_plan *plan)
{
    luaL_checkstack(L, plan->n + 8, "too many columns");
    push_half(L, plan);
    int keys = lua_gettop(L);
    if (lua_rawgeti(L, keys, 0) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    for (int i = 1; i <= plan->n; i++)
        lua_rawgeti(L, keys, i);
    lua_remove(L, keys);
}

hy_status hyl_plan_push_row(lua_State *L, const hyl_plan *plan, const hy_value *row, int base, int extra,
                            hy_error *err)
{
    int n = plan->n;
    lua_createtable(L, 0, n + extra);
    for (int i = 0; i < n; i++) {
        if (row[i].type == HY_NULL)
            continue;
        lua_pushvalue(L, base + 1 + i);
        hy_status status = plan->columns[i].push(L, &row[i], plan->columns[i].column, err);
        if (status != HY_OK)
            return status;
        lua_rawset(L, -3);
    }
    if (!lua_isnil(L, base)) {
        lua_pushvalue(L, base);
        lua_setmetatable(L, -2);
    }
    return HY_OK;
}

hy_status hyl_plan_push_only_row(lua_State *L, const hyl_plan *plan, const hy_value *row, int extra, hy_error *err)
{
    push_half(L, plan);
    lua_createtable(L, 0, plan->n + extra);
    for (int i = 0; i < plan->n; i++) {
        if (row[i].type == HY_NULL)
            continue;
        lua_rawgeti(L, -2, i + 1);
        hy_status status = plan->columns[i].push(L, &row[i], plan->columns[i].column, err);
        if (status != HY_OK)
            return status;
        lua_rawset(L, -3);
    }
    if (lua_rawgeti(L, -2, 0) == LUA_TTABLE)
        lua_setmetatable(L, -2);
    else
        lua_pop(L, 1);
    return HY_OK;
}

hy_status hyl_plan_push_first(lua_State *L, const hyl_plan *plan, const hy_value *row, hy_error *err)
{
    if (plan->n == 0 || row[0].type == HY_NULL) {
        hyl_push_null(L);
        return HY_OK;
    }
    return plan->columns[0].push(L, &row[0], plan->columns[0].column, err);
}
