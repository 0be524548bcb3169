/*
 * array.c - array columns: Lua lists as JSON text and back, element by element.
 *
 * An array travels as JSON, so that everything between Lua and a driver treats it as one value.
 * What JSON has no words for is text in it (decimals, bytes as \x0aff, dates), which the column's
 * element kind turns back. Each element is held against the column as a single value would be.
 * NULL inside is core.null. Knows no database's way to write an array.
 */
#include "binding.h"

#include "base/buf.h"

#include <string.h>

enum { MAX_DIMENSIONS = 6 };

/* ---- writing ----------------------------------------------------------------------------- */

static void push_hex(lua_State *L, const hy_value *bytes)
{
    static const char digits[] = "0123456789abcdef";
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    luaL_addstring(&b, "\\x");
    for (size_t i = 0; i < bytes->as.text.size; i++) {
        luaL_addchar(&b, digits[(unsigned char)bytes->as.text.data[i] >> 4]);
        luaL_addchar(&b, digits[bytes->as.text.data[i] & 15]);
    }
    luaL_pushresult(&b);
}

/* The value on top as the core has it; `text` keeps a decimal's. */
static hy_value element_value(lua_State *L, const hy_column *element, char text[HY_DECIMAL_TEXT_SIZE])
{
    hy_value value = hy_null();
    hyl_type type = hyl_typeof(L, -1);

    if (type == HYL_DECIMAL)
        return hy_bytes(HY_DECIMAL, text, hy_decimal_format(lua_touserdata(L, -1), text));
    if (type != HYL_JSON_NULL && !hyl_to_value(L, -1, &value))
        hyl_fail(L, HY_EDATA_INVALID, "column '%s': a %s is no element of an array", element->property,
                 type != HYL_NONE ? hyl_type_name(type) : luaL_typename(L, -1));
    return value;
}

/* Replace the element on top by what stands for it in JSON. */
static void encode_element(lua_State *L, const hy_column *element, lua_Integer place)
{
    char text[HY_DECIMAL_TEXT_SIZE], scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value in = element_value(L, element, text), out;
    hy_error err;

    if (hy_column_encode(element, &in, scratch, &out, &err) != HY_OK)
        hyl_fail(L, err.status, "column '%s': element %d: %s", element->property, (int)place, err.message);
    if (out.type == HY_BLOB)
        push_hex(L, &out);
    else if (out.type == HY_DECIMAL)
        lua_pushlstring(L, out.as.text.data, out.as.text.size);
    else
        hyl_push_value(L, &out, true);
    lua_replace(L, -2);
}

/* Push a copy of the list at `index` with its elements as JSON has them. */
static void encode_list(lua_State *L, int index, const hy_column *element, int depth)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, index), count = 0;

    if (depth == MAX_DIMENSIONS)
        hyl_fail(L, HY_ELIMIT_EXCEEDED, "column '%s': an array has at most %d dimensions", element->property,
                 MAX_DIMENSIONS);
    if (!hyl_json_tagged(L, index))
        hyl_check_plain(L, index, element->property);
    hyl_need_stack(L, 8);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        count++;
    if (count != n)
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "column '%s': a list without holes and keys is expected (sql.null means NULL)",
                 element->property);
    hyl_json_new_array(L, (int)n);
    int list = lua_gettop(L);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        if (lua_istable(L, -1)) {
            encode_list(L, list + 1, element, depth + 1);
            lua_remove(L, list + 1);
        } else {
            encode_element(L, element, i);
        }
        lua_rawseti(L, list, i);
    }
}

void hyl_array_encode(lua_State *L, int index, const hy_column *column)
{
    hy_column element = *column;

    index = lua_absindex(L, index);
    if (!lua_istable(L, index))
        hyl_fail(L, HY_EDATA_INVALID, "column '%s': an array is written as a list, not as a %s",
                 column->property, luaL_typename(L, index));
    element.kind = column->element;
    encode_list(L, index, &element, 0);
    hyl_json_encode(L, -1);
    lua_remove(L, -2);
}

/* ---- reading ----------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The text on top, "\x0aff", as bytes. */
static bool from_hex(lua_State *L)
{
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    luaL_Buffer b;

    if (text == NULL || size < 2 || size % 2 != 0 || memcmp(text, "\\x", 2) != 0)
        return false;
    char *bytes = luaL_buffinitsize(L, &b, size / 2);
    for (size_t i = 1; i < size / 2; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i - 1] = (char)(high << 4 | low);
    }
    luaL_pushresultsize(&b, size / 2 - 1);
    return true;
}

static bool from_decimal(lua_State *L)
{
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    hy_decimal d;

    if (text == NULL || hy_decimal_parse(text, size, &d, NULL) != HY_OK)
        return false;
    hyl_push_decimal(L, &d);
    return true;
}

/* Push what the element on top stands for. */
static bool decode_element(lua_State *L, hy_kind kind)
{
    if (hyl_typeof(L, -1) == HYL_JSON_NULL) {
        hyl_push_null(L);
        return true;
    }
    switch (kind) {
    case HY_KIND_DECIMAL:
        return from_decimal(L);
    case HY_KIND_BINARY:
    case HY_KIND_VARBINARY:
        return from_hex(L);
    default:
        lua_pushvalue(L, -1);
        return true;
    }
}

/* The list on top, in place. */
static bool decode_list(lua_State *L, hy_kind kind)
{
    int list = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, list);

    hyl_need_stack(L, 8);
    for (lua_Integer i = 1; i <= n; i++) {
        bool good = lua_rawgeti(L, list, i) == LUA_TTABLE ? decode_list(L, kind) : decode_element(L, kind);
        if (!good)
            return false;
        lua_rawseti(L, list, i);
        lua_settop(L, list);
    }
    lua_settop(L, list);
    lua_pushvalue(L, list); /* so that a list is handed over like an element */
    return true;
}

hy_status hyl_array_decode(lua_State *L, const char *text, size_t size, hy_kind kind, hy_error *err)
{
    int top = lua_gettop(L);

    if (!hyl_json_decode(L, text, size, err))
        return err->status;
    if (!lua_istable(L, -1) || !decode_list(L, kind))
        return hy_fail(err, HY_EDATA_INVALID, "the stored value is no array of kind %s", hy_kind_name(kind));
    lua_settop(L, top + 1);
    return HY_OK;
}
