/*
 * plan.c - from result rows to Lua tables.
 *
 * Everything that can be decided once is decided once per statement: which function pushes
 * each column, the key strings, the metatable. A row is then one table of the right size,
 * n raw sets and one metatable. A plan is a userdata whose user value is its Lua half (keys and
 * metatable); it points to nothing of a model's, and a run that uses it has it on its stack, so
 * that neither a model nor another statement can take it away. The state keeps them in a
 * direct-mapped table by (statement text, model version).
 */
#include "binding.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- one value --------------------------------------------------------------------------- */

static hy_status push_any(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
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

static hy_status push_int(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    if (v->type != HY_INT)
        return push_decoded(L, column->kind, v, err);
    lua_pushinteger(L, v->as.integer);
    return HY_OK;
}

static hy_status push_bool(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    (void)column;
    bool is_int = v->type == HY_INT && (v->as.integer == 0 || v->as.integer == 1);
    if (v->type != HY_BOOL && !is_int)
        return push_decoded(L, HY_KIND_BOOLEAN, v, err);
    lua_pushboolean(L, is_int ? v->as.integer == 1 : v->as.boolean);
    return HY_OK;
}

static hy_status push_double(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    (void)column;
    if (v->type != HY_DOUBLE)
        return push_decoded(L, HY_KIND_DOUBLE, v, err);
    lua_pushnumber(L, v->as.number);
    return HY_OK;
}

static hy_status push_text(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    if (v->type != HY_TEXT)
        return push_decoded(L, column->kind, v, err);
    lua_pushlstring(L, v->as.text.data, v->as.text.size);
    return HY_OK;
}

static hy_status push_blob(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    if (v->type != HY_BLOB)
        return push_decoded(L, column->kind, v, err);
    lua_pushlstring(L, v->as.text.data, v->as.text.size);
    return HY_OK;
}

static hy_status push_json(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    if (v->type != HY_TEXT && v->type != HY_JSON)
        return push_decoded(L, column->kind, v, err);
    return hyl_json_decode(L, v->as.text.data, v->as.text.size, err) ? HY_OK : err->status;
}

/* Two digits whose number is at most `high`. */
static bool is_pair(const char *text, unsigned high)
{
    unsigned tens = (unsigned)(text[0] - '0'), ones = (unsigned)(text[1] - '0');
    return tens <= 9 && ones <= 9 && tens * 10 + ones <= high;
}

/*
 * "YYYY-MM-DD HH:MM:SS" or the same with six digits of a second that are not all zero: the text
 * that decoding and formatting would give again. What depends on the calendar is asked of the
 * core.
 */
static bool is_canonical(const char *text, size_t size)
{
    bool fraction = size == 26;
    int64_t micros;
    if (size != 19 && !fraction)
        return false;
    if (text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' || text[16] != ':')
        return false;
    if (!is_pair(text, 99) || !is_pair(text + 2, 99) || !is_pair(text + 5, 12) || !is_pair(text + 8, 31) ||
        !is_pair(text + 11, 23) || !is_pair(text + 14, 59) || !is_pair(text + 17, 59))
        return false;
    if (fraction && (text[19] != '.' || !is_pair(text + 20, 99) || !is_pair(text + 22, 99) ||
                     !is_pair(text + 24, 99) || memcmp(text + 20, "000000", 6) == 0))
        return false;
    bool plain = memcmp(text, "0000", 4) != 0 && memcmp(text + 5, "00", 2) != 0 &&
                 memcmp(text + 8, "00", 2) != 0 && memcmp(text + 8, "28", 2) <= 0;
    return plain || hy_timestamp_parse(text, size, &micros);
}

static hy_status push_timestamp(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    char text[HY_TIMESTAMP_TEXT_SIZE];
    if (v->type == HY_TIMESTAMP && hy_timestamp_in_range(v->as.micros)) {
        lua_pushlstring(L, text, hy_timestamp_format(v->as.micros, text));
        return HY_OK;
    }
    if (v->type != HY_TEXT || !is_canonical(v->as.text.data, v->as.text.size))
        return push_decoded(L, column->kind, v, err);
    lua_pushlstring(L, v->as.text.data, v->as.text.size);
    return HY_OK;
}

static hy_status push_date(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    (void)column;
    return push_decoded(L, HY_KIND_DATE, v, err);
}

static hy_status push_time(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    (void)column;
    return push_decoded(L, HY_KIND_TIME, v, err);
}

static hy_status push_uuid(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    (void)column;
    return push_decoded(L, HY_KIND_UUID, v, err);
}

/*
 * With the column's scale where that only adds or drops zeros: SQLite writes a small number of a
 * text column as 1.0e-10.
 */
static hy_status rescale(hy_decimal *d, int scale, hy_error *err)
{
    hy_decimal shorter;

    if (scale < 0 || scale == d->scale)
        return HY_OK;
    if (scale > d->scale)
        return hy_decimal_round(d, scale, HY_ROUND_HALF_EVEN, d, err);
    hy_status status = hy_decimal_round(d, scale, HY_ROUND_DOWN, &shorter, err);
    if (status == HY_OK && hy_decimal_compare(&shorter, d) == 0)
        memcpy(d, &shorter, hy_decimal_size(&shorter));
    return status;
}

static hy_status read_decimal(const hy_value *v, const hyl_plan_column *column, hy_decimal *out,
                              hy_error *err)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value decoded;
    hy_status status = hy_value_decode(HY_KIND_DECIMAL, v, scratch, &decoded, err);
    if (status == HY_OK)
        status = hy_decimal_parse(decoded.as.text.data, decoded.as.text.size, out, err);
    return status == HY_OK ? rescale(out, column->scale, err) : status;
}

static hy_status push_decimal(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    hy_decimal d;
    hy_status status = read_decimal(v, column, &d, err);
    if (status == HY_OK)
        hyl_push_decimal(L, &d);
    return status;
}

static hy_status push_array(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
{
    if (v->type != HY_TEXT && v->type != HY_JSON)
        return push_decoded(L, column->kind, v, err);
    return hyl_array_decode(L, v->as.text.data, v->as.text.size, column->element, err);
}

/* ---- `as` -------------------------------------------------------------------------------- */

static hy_status push_decimal_text(lua_State *L, const hy_value *v, const hyl_plan_column *column,
                                   hy_error *err)
{
    hy_decimal d;
    char text[HY_DECIMAL_TEXT_SIZE];
    hy_status status = read_decimal(v, column, &d, err);
    if (status == HY_OK)
        lua_pushlstring(L, text, hy_decimal_format(&d, text));
    return status;
}

static hy_status push_decimal_number(lua_State *L, const hy_value *v, const hyl_plan_column *column,
                                     hy_error *err)
{
    hy_decimal d;
    hy_status status = read_decimal(v, column, &d, err);
    if (status == HY_OK)
        lua_pushnumber(L, hy_decimal_to_double(&d));
    return status;
}

static hy_status read_moment(const hy_value *v, const hyl_plan_column *column, hy_value *out, hy_error *err)
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
static hy_status push_epoch(lua_State *L, const hy_value *v, const hyl_plan_column *column, hy_error *err)
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
static hy_status push_date_table(lua_State *L, const hy_value *v, const hyl_plan_column *column,
                                 hy_error *err)
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
    [HY_KIND_ARRAY] = push_array,
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

/* ---- plans ------------------------------------------------------------------------------- */

/* The decimal places that it has; -1: as many as there are. */
static int scale_of(const hy_result_column *column)
{
    if (column->column != NULL)
        return column->column->scale;
    return column->scale > 0 ? column->scale : -1;
}

static hy_kind element_of(const hy_result_column *column)
{
    return column->column != NULL ? column->column->element : HY_KIND_ANY;
}

/* Does this plan read these rows? Equal text is not enough: a table may have changed, a joined
   model may have been defined anew. */
static bool fits(const hyl_plan *plan, const hy_sql *sql, const hy_result_column *columns, size_t n,
                 uint64_t version)
{
    if (plan == NULL || plan->hash != sql->hash || plan->model_version != version ||
        plan->text_size != sql->size || plan->n != (int)n || memcmp(plan->text, sql->text, sql->size) != 0)
        return false;
    if (plan->columns_of != 0 && plan->columns_of == sql->columns_of)
        return true;
    for (size_t i = 0; i < n; i++) {
        const hyl_plan_column *known = &plan->columns[i];
        if (known->kind != columns[i].kind || known->scale != scale_of(&columns[i]) ||
            known->element != element_of(&columns[i]) || strcmp(known->name, columns[i].name) != 0)
            return false;
    }
    return true;
}

/* Push a plan: one block, the text and the names behind the columns. */
static hyl_plan *push_plan(lua_State *L, const hy_sql *sql, const hy_result_column *columns, size_t n,
                           const hyl_model *m)
{
    size_t size = sizeof(hyl_plan) + n * sizeof(hyl_plan_column) + sql->size;
    for (size_t i = 0; i < n; i++)
        size += strlen(columns[i].name) + 1;
    hyl_plan *plan = lua_newuserdatauv(L, size, 1);
    char *at = (char *)&plan->columns[n];
    *plan = (hyl_plan){.hash = sql->hash,
                       .model_version = m != NULL ? m->version : 0,
                       .columns_of = sql->columns_of,
                       .text = memcpy(at, sql->text, sql->size),
                       .text_size = sql->size,
                       .n = (int)n};
    at += sql->size;
    for (size_t i = 0; i < n; i++) {
        size_t name_size = strlen(columns[i].name) + 1;
        plan->columns[i] = (hyl_plan_column){
            .push = choose(columns[i].kind, hyl_model_as(m, columns[i].column)),
            .name = memcpy(at, columns[i].name, name_size),
            .kind = columns[i].kind,
            .scale = scale_of(&columns[i]),
            .element = element_of(&columns[i]),
            .other = columns[i].other,
        };
        at += name_size;
    }
    return plan;
}

/* Push the set of fields that are called like columns of the model and are none; nil: there are none. */
static void push_others(lua_State *L, const hyl_plan *plan, const hy_model *model)
{
    lua_pushnil(L);
    for (int i = 0; i < plan->n; i++) {
        const char *name = plan->columns[i].name;
        if (!plan->columns[i].other || hy_model_find_column(model, name, strlen(name)) == NULL)
            continue;
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_newtable(L);
        }
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, name);
    }
}

/* Push a record metatable: the model's template plus the set of selected columns. */
static void push_meta(lua_State *L, int model_index, const hyl_plan *plan)
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
    lua_createtable(L, 0, plan->n);
    for (int i = 0; i < plan->n; i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, plan->columns[i].name);
    }
    lua_setfield(L, meta, "columns");
    push_others(L, plan, ((hyl_model *)lua_touserdata(L, model_index))->model);
    lua_setfield(L, meta, "others");
}

/* Push { [0] = metatable or false, key1, ... }. */
static void push_new_half(lua_State *L, const hyl_plan *plan, int model_index)
{
    lua_createtable(L, plan->n, 1);
    for (int i = 0; i < plan->n; i++) {
        lua_pushstring(L, plan->columns[i].name);
        lua_rawseti(L, -2, i + 1);
    }
    if (model_index != 0)
        push_meta(L, model_index, plan);
    else
        lua_pushboolean(L, 0);
    lua_rawseti(L, -2, 0);
}

const hyl_plan *hyl_plan_push(lua_State *L, const hy_sql *sql, const hy_result_column *columns, size_t n,
                              int model_index)
{
    const hyl_model *m = model_index != 0 ? lua_touserdata(L, model_index) : NULL;
    uint64_t version = m != NULL ? m->version : 0;
    int slot = (int)((sql->hash ^ (version * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % HYL_PLAN_SLOTS);
    hyl_need_stack(L, 12);
    hyl_state *state = hyl_push_state_value(L);
    int plans = lua_gettop(L);
    if (fits(state->plans[slot], sql, columns, n, version)) {
        lua_rawgeti(L, plans, slot + 1);
        lua_remove(L, plans);
        return state->plans[slot];
    }
    hyl_need_stack(L, 12);
    const hyl_plan *plan = push_plan(L, sql, columns, n, m);
    push_new_half(L, plan, model_index);
    lua_setiuservalue(L, plans + 1, 1);
    lua_pushvalue(L, plans + 1);
    lua_rawseti(L, plans, slot + 1);
    state->plans[slot] = plan;
    lua_remove(L, plans);
    return plan;
}

void hyl_plan_push_keys(lua_State *L, int at)
{
    int n = ((const hyl_plan *)lua_touserdata(L, at))->n;
    luaL_checkstack(L, n + 8, "too many columns");
    lua_getiuservalue(L, at, 1);
    int keys = lua_gettop(L);
    if (lua_rawgeti(L, keys, 0) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    for (int i = 1; i <= n; i++)
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
        hy_status status = plan->columns[i].push(L, &row[i], &plan->columns[i], err);
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

hy_status hyl_plan_push_only_row(lua_State *L, int at, const hy_value *row, int extra, hy_error *err)
{
    const hyl_plan *plan = lua_touserdata(L, at);
    lua_getiuservalue(L, at, 1);
    lua_createtable(L, 0, plan->n + extra);
    for (int i = 0; i < plan->n; i++) {
        if (row[i].type == HY_NULL)
            continue;
        lua_rawgeti(L, -2, i + 1);
        hy_status status = plan->columns[i].push(L, &row[i], &plan->columns[i], err);
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
    return plan->columns[0].push(L, &row[0], &plan->columns[0], err);
}
