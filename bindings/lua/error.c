/*
 * error.c - one error table for everything that can go wrong.
 *
 * Fields: code, kind, message, where, and what the database told. The table's metatable has
 * `is` and __tostring. See docs/errors.md.
 */
#include "binding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char error_meta_key = 0, hint_key = 0;

/* ---- where ------------------------------------------------------------------------------- */

static bool is_own(const hyl_state *state, const char *source)
{
    if (state == NULL)
        return false;
    for (int i = 0; i < state->n_prefixes; i++)
        if (strncmp(source, state->prefixes[i], strlen(state->prefixes[i])) == 0)
            return true;
    return false;
}

void hyl_push_caller(lua_State *L)
{
    const hyl_state *state = hyl_state_get(L);
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && !is_own(state, ar.source)) {
            lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushnil(L);
}

static int own_prefix(lua_State *L)
{
    const char *prefix = luaL_checkstring(L, 1);
    hyl_state *state = hyl_state_get(L);
    if (is_own(state, prefix))
        return 0;
    if (state->n_prefixes == HYL_PREFIXES)
        return hyl_fail(L, HY_ELIMIT_EXCEEDED, "too many own prefixes");
    char *copy = hy_strdup(prefix);
    if (copy == NULL)
        return hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    state->prefixes[state->n_prefixes++] = copy;
    return 0;
}

/* ---- the table --------------------------------------------------------------------------- */

/* Push the message as one line: what a program was given may stand in it. */
static void push_line(lua_State *L, const char *message)
{
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (const char *p = message; *p != '\0'; p++)
        luaL_addchar(&line, (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p);
    luaL_pushresult(&line);
}

/* Push an error table with code, kind, message and where. */
static void push_error(lua_State *L, hy_status status, const char *message)
{
    hyl_need_stack(L, 8);
    lua_createtable(L, 0, 12);
    lua_pushstring(L, hy_status_name(status));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, hy_error_class_name(hy_status_class(status)));
    lua_setfield(L, -2, "kind");
    push_line(L, message);
    lua_setfield(L, -2, "message");
    hyl_push_caller(L);
    lua_setfield(L, -2, "where");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &error_meta_key);
    lua_setmetatable(L, -2);
}

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (text[0] == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

/* "a,b" as { "a", "b" } */
static void set_list(lua_State *L, const char *field, const char *text)
{
    if (text[0] == '\0')
        return;
    lua_newtable(L);
    for (lua_Integer i = 1; *text != '\0'; i++) {
        size_t size = strcspn(text, ",");
        lua_pushlstring(L, text, size);
        lua_rawseti(L, -2, i);
        text += size + (text[size] == ',');
    }
    lua_setfield(L, -2, field);
}

/* Is it about the model's own table? */
static bool is_about(const hy_error *err, const hy_model *model)
{
    return model != NULL && (err->table[0] == '\0' || strcmp(err->table, hy_model_table(model)) == 0);
}

/* columns = { "email" }: as the database told, else what the model knows of the constraint. */
static void set_columns(lua_State *L, const hy_error *err, const hy_model *model)
{
    const hy_column *column;
    if (err->columns[0] != '\0') {
        set_list(L, "columns", err->columns);
        return;
    }
    if (err->constraint[0] == '\0' || !is_about(err, model))
        return;
    lua_newtable(L);
    for (size_t i = 0; (column = hy_model_constraint_column(model, err->constraint, i)) != NULL; i++) {
        lua_pushstring(L, column->name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    if (lua_rawlen(L, -1) > 0)
        lua_setfield(L, -2, "columns");
    else
        lua_pop(L, 1);
}

/* errors = { email = { "a unique value exists already" } } for the error table on top. */
static void set_errors(lua_State *L, const hy_error *err, const hy_model *model)
{
    bool of_columns = err->status == HY_EUNIQUE_VIOLATION || err->status == HY_ENOT_NULL_VIOLATION ||
                      err->status == HY_ECHECK_VIOLATION;
    size_t size;
    if (!of_columns || !is_about(err, model))
        return;
    if (lua_getfield(L, -1, "columns") != LUA_TTABLE) {
        lua_pop(L, 1);
        return;
    }
    lua_createtable(L, 0, 1);
    for (lua_Integer i = 1; lua_rawgeti(L, -2, i) == LUA_TSTRING; i++) {
        const char *name = lua_tolstring(L, -1, &size);
        const hy_column *column = hy_model_find_column(model, name, size);
        lua_pop(L, 1);
        if (column == NULL)
            continue;
        lua_createtable(L, 1, 0);
        lua_pushstring(L, hy_status_text(err->status));
        lua_rawseti(L, -2, 1);
        lua_setfield(L, -2, column->property);
    }
    lua_pop(L, 1);
    lua_setfield(L, -3, "errors");
    lua_pop(L, 1);
}

/* Put the text on top of the stack behind the message of the error table below it. */
static void add_to_message(lua_State *L)
{
    lua_getfield(L, -2, "message");
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_setfield(L, -2, "message");
}

/* Where the database stopped reading, as people count; the column in characters. */
static void add_place(lua_State *L, const hy_error *err, const hy_sql *sql)
{
    int line = 1, column = 1;
    if (err->status != HY_ESYNTAX || err->position == 0 || sql == NULL || sql->text == NULL)
        return;
    for (size_t i = 0; i + 1 < err->position && i < sql->size; i++) {
        bool ends = sql->text[i] == '\n';
        bool begins = ((unsigned char)sql->text[i] & 0xC0) != 0x80; /* a character */
        line += ends;
        column = ends ? 1 : column + begins;
    }
    lua_pushfstring(L, " (line %d, column %d)", line, column);
    add_to_message(L);
}

/* core.setHint(fn): fn(error) may give what is said behind the message of an unknown name. */
static int set_hint(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hint_key);
    return 0;
}

static void add_hint(lua_State *L, const hy_error *err)
{
    if (err->status != HY_EUNDEFINED_TABLE && err->status != HY_EUNDEFINED_COLUMN)
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hint_key);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
        add_to_message(L);
    else
        lua_pop(L, 1); /* there is an error to tell already */
}

void hyl_push_run_error(lua_State *L, const hy_error *err, const hy_sql *sql, const hy_model *model)
{
    push_error(L, err->status, err->message[0] != '\0' ? err->message : hy_status_text(err->status));
    set_text(L, "sqlState", err->sqlstate);
    set_text(L, "constraint", err->constraint);
    set_text(L, "table", err->table);
    set_columns(L, err, model);
    set_text(L, "feature", err->feature);
    set_text(L, "dialect", err->dialect);
    if (err->native_code != 0) {
        lua_pushinteger(L, err->native_code);
        lua_setfield(L, -2, "nativeCode");
    }
    if (err->position != 0) {
        lua_pushinteger(L, (lua_Integer)err->position);
        lua_setfield(L, -2, "position");
    }
    if (err->attempts != 0) {
        lua_pushinteger(L, err->attempts);
        lua_setfield(L, -2, "attempts");
    }
    if (sql != NULL && sql->text != NULL) {
        lua_pushlstring(L, sql->text, sql->size);
        lua_setfield(L, -2, "sql");
    }
    set_errors(L, err, model);
    add_place(L, err, sql);
    add_hint(L, err);
}

int hyl_raise(lua_State *L, const hy_error *err)
{
    hyl_push_run_error(L, err, NULL, NULL);
    return lua_error(L);
}

int hyl_fail(lua_State *L, hy_status status, const char *fmt, ...)
{
    char message[HY_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    push_error(L, status, message);
    return lua_error(L);
}

int hyl_fail_argument(lua_State *L, int index, const char *name, const char *expected)
{
    const char *got = luaL_typename(L, index);
    hyl_type type = hyl_typeof(L, index);
    if (type != HYL_NONE)
        got = hyl_type_name(type);
    lua_Debug ar;
    const char *function = "?";
    if (lua_getstack(L, 0, &ar)) {
        lua_getinfo(L, "n", &ar);
        if (ar.name != NULL)
            function = ar.name;
    }
    bool is_nil = lua_isnoneornil(L, index);
    return hyl_fail(L, is_nil ? HY_ENIL_VALUE : HY_EINVALID_ARGUMENT, "%s: %s%s%s is %s, expected %s",
                    function, name != NULL ? "argument '" : "an argument", name != NULL ? name : "",
                    name != NULL ? "'" : "", is_nil ? "nil" : got, expected);
}

static void check_type(lua_State *L, int index, int type, const char *function, const char *name)
{
    if (lua_type(L, index) == type)
        return;
    if (lua_isnoneornil(L, index))
        hyl_fail(L, HY_ENIL_VALUE, "%s: %s is nil", function, name);
    hyl_type ours = hyl_typeof(L, index);
    hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: %s must be a %s, not a %s", function, name, lua_typename(L, type),
             ours != HYL_NONE ? hyl_type_name(ours) : luaL_typename(L, index));
}

const char *hyl_need_text(lua_State *L, int index, const char *function, const char *name, size_t *size)
{
    check_type(L, index, LUA_TSTRING, function, name);
    return lua_tolstring(L, index, size);
}

void hyl_need_table(lua_State *L, int index, const char *function, const char *name)
{
    check_type(L, index, LUA_TTABLE, function, name);
}

/* ---- for Lua ----------------------------------------------------------------------------- */

static hy_status check_code(lua_State *L, int index)
{
    const char *code = luaL_checkstring(L, index);
    hy_status status = hy_status_from_name(code);
    if (status == HY_OK)
        luaL_error(L, "unknown error code '%s'", code);
    return status;
}

/* core.error(code, message, fields?) */
static int make(lua_State *L)
{
    hy_status status = check_code(L, 1);
    const char *message = luaL_checkstring(L, 2);
    lua_settop(L, 3);
    push_error(L, status, message);
    if (lua_istable(L, 3)) {
        lua_pushnil(L);
        while (lua_next(L, 3)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, 4);
        }
    }
    return 1;
}

static int raise(lua_State *L)
{
    make(L);
    return lua_error(L);
}

static bool is_error(lua_State *L, int index)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &error_meta_key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static int core_is_error(lua_State *L)
{
    lua_pushboolean(L, is_error(L, 1));
    return 1;
}

static int caller(lua_State *L)
{
    hyl_push_caller(L);
    return 1;
}

/* core.errorCodes(): { { code, kind, text } } in the order of error.h */
static int error_codes(lua_State *L)
{
    static const hy_status all[] = {
#define STATUS(name, number, cls, text) HY_E##name,
        HY_STATUS_MAP(STATUS)
#undef STATUS
    };
    lua_createtable(L, sizeof all / sizeof *all, 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, hy_status_name(all[i]));
        lua_setfield(L, -2, "code");
        lua_pushstring(L, hy_error_class_name(hy_status_class(all[i])));
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, hy_status_text(all[i]));
        lua_setfield(L, -2, "text");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* err:is("CODE") */
static int error_is(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstring(L, 2);
    lua_pushstring(L, "code");
    lua_rawget(L, 1);
    lua_pushboolean(L, lua_rawequal(L, -1, 2));
    return 1;
}

static int error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const char *parts[3];
    static const char *const fields[3] = {"code", "message", "where"};
    for (int i = 0; i < 3; i++) {
        lua_pushstring(L, fields[i]);
        lua_rawget(L, 1);
        parts[i] = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    }
    lua_pushfstring(L, "%s: %s", parts[0] != NULL ? parts[0] : "?", parts[1] != NULL ? parts[1] : "?");
    if (parts[2] != NULL)
        lua_pushfstring(L, "%s (%s)", lua_tostring(L, -1), parts[2]);
    return 1;
}

void hyl_error_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"error", make},
        {"raise", raise},
        {"isError", core_is_error},
        {"caller", caller},
        {"ownPrefix", own_prefix},
        {"errorCodes", error_codes},
        {"setHint", set_hint},
        {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"is", error_is}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);

    lua_createtable(L, 0, 4);
    lua_pushliteral(L, "hysteria.error");
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &error_meta_key);
}
