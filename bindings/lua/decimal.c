/*
 * decimal.c - decimal values in Lua: immutable userdata around hy_decimal.
 *
 * The userdata is only as long as the number needs. Integers mix with decimals; floats do
 * not: a float is not the decimal it prints as, so arithmetic with one raises.
 */
#include "binding.h"

#include <string.h>

void hyl_push_decimal(lua_State *L, const hy_decimal *d)
{
    size_t size = hy_decimal_size(d);
    memcpy(hyl_new(L, HYL_DECIMAL, size, 0), d, size);
}

/* A decimal, integer or decimal text as hy_decimal. */
static void check_decimal(lua_State *L, int index, hy_decimal *out)
{
    hy_error err;
    const hy_decimal *d = hyl_test(L, index, HYL_DECIMAL);
    if (d != NULL) {
        memcpy(out, d, hy_decimal_size(d));
        return;
    }
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t size;
        const char *text = lua_tolstring(L, index, &size);
        if (hy_decimal_parse(text, size, out, &err) != HY_OK)
            hyl_raise(L, &err);
        return;
    }
    if (lua_isinteger(L, index)) {
        hy_decimal_from_int(lua_tointeger(L, index), out);
        return;
    }
    if (lua_type(L, index) == LUA_TNUMBER)
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "a float does not mix with decimals: write it as text, sql.decimal(\"0.1\")");
    hyl_fail_argument(L, index, NULL, "a decimal, an integer or decimal text");
}

static int push_result(lua_State *L, hy_status status, const hy_decimal *d, const hy_error *err)
{
    if (status != HY_OK)
        return hyl_raise(L, err);
    hyl_push_decimal(L, d);
    return 1;
}

static int core_decimal(lua_State *L)
{
    hy_decimal d;
    check_decimal(L, 1, &d);
    hyl_push_decimal(L, &d);
    return 1;
}

static int core_is_decimal(lua_State *L)
{
    lua_pushboolean(L, hyl_typeof(L, 1) == HYL_DECIMAL);
    return 1;
}

typedef hy_status (*operation)(const hy_decimal *, const hy_decimal *, hy_decimal *, hy_error *);

static int binary(lua_State *L, operation apply, const char *word)
{
    if (hyl_is_expression(hyl_typeof(L, 2)))
        return hyl_math(L, word);
    hy_decimal a, b, out;
    hy_error err;
    check_decimal(L, 1, &a);
    check_decimal(L, 2, &b);
    return push_result(L, apply(&a, &b, &out, &err), &out, &err);
}

static int decimal_add(lua_State *L)
{
    return binary(L, hy_decimal_add, "+");
}
static int decimal_sub(lua_State *L)
{
    return binary(L, hy_decimal_subtract, "-");
}
static int decimal_mul(lua_State *L)
{
    return binary(L, hy_decimal_multiply, "*");
}

static int decimal_slash(lua_State *L)
{
    return hyl_fail(L, HY_EINVALID_ARGUMENT, "decimals are divided with a stated scale: a:div(b, 2)");
}

static int decimal_unm(lua_State *L)
{
    hy_decimal d;
    check_decimal(L, 1, &d);
    hy_decimal_negate(&d);
    hyl_push_decimal(L, &d);
    return 1;
}

static int compare(lua_State *L)
{
    hy_decimal a, b;
    check_decimal(L, 1, &a);
    check_decimal(L, 2, &b);
    return hy_decimal_compare(&a, &b);
}

static int decimal_eq(lua_State *L)
{
    bool both = hyl_typeof(L, 1) == HYL_DECIMAL && hyl_typeof(L, 2) == HYL_DECIMAL;
    lua_pushboolean(L, both && compare(L) == 0);
    return 1;
}
static int decimal_lt(lua_State *L)
{
    lua_pushboolean(L, compare(L) < 0);
    return 1;
}
static int decimal_le(lua_State *L)
{
    lua_pushboolean(L, compare(L) <= 0);
    return 1;
}

static int decimal_tostring(lua_State *L)
{
    char text[HY_DECIMAL_TEXT_SIZE];
    lua_pushlstring(L, text, hy_decimal_format(hyl_check(L, 1, HYL_DECIMAL), text));
    return 1;
}

static int decimal_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

static hy_rounding check_rounding(lua_State *L, int index)
{
    static const char *const words[] = {"half_up", "half_even", "down", "up", "floor", "ceiling"};
    if (lua_isnoneornil(L, index))
        return HY_ROUND_HALF_UP;
    const char *word = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    for (int i = 0; i < 6; i++)
        if (strcmp(word, words[i]) == 0)
            return (hy_rounding)i;
    hyl_fail(L, HY_EINVALID_ARGUMENT, "rounding is one of half_up, half_even, down, up, floor, ceiling");
    return HY_ROUND_HALF_UP;
}

static int check_scale(lua_State *L, int index)
{
    int exact;
    lua_Integer scale = lua_tointegerx(L, index, &exact);
    if (!exact || lua_type(L, index) != LUA_TNUMBER || scale < 0 || scale > HY_DECIMAL_SCALE_MAX)
        hyl_fail(L, lua_isnoneornil(L, index) ? HY_ENIL_VALUE : HY_EINVALID_ARGUMENT,
                 "the scale is a whole number from 0 to %d", HY_DECIMAL_SCALE_MAX);
    return (int)scale;
}

/* d:div(x, scale, rounding?) */
static int decimal_div(lua_State *L)
{
    hy_decimal a, b, out;
    hy_error err;
    check_decimal(L, 1, &a);
    check_decimal(L, 2, &b);
    int scale = check_scale(L, 3);
    return push_result(L, hy_decimal_divide(&a, &b, scale, check_rounding(L, 4), &out, &err), &out, &err);
}

/* d:round(scale, rounding?) */
static int decimal_round(lua_State *L)
{
    hy_decimal d, out;
    hy_error err;
    check_decimal(L, 1, &d);
    int scale = check_scale(L, 2);
    return push_result(L, hy_decimal_round(&d, scale, check_rounding(L, 3), &out, &err), &out, &err);
}

static int decimal_to_number(lua_State *L)
{
    const hy_decimal *d = hyl_check(L, 1, HYL_DECIMAL);
    int64_t integer;
    if (hy_decimal_to_int(d, &integer))
        lua_pushinteger(L, integer);
    else
        lua_pushnumber(L, hy_decimal_to_double(d));
    return 1;
}

static int decimal_scale(lua_State *L)
{
    lua_pushinteger(L, ((const hy_decimal *)hyl_check(L, 1, HYL_DECIMAL))->scale);
    return 1;
}

void hyl_decimal_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"div", decimal_div},
                                       {"round", decimal_round},
                                       {"toNumber", decimal_to_number},
                                       {"scale", decimal_scale},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__add", decimal_add},       {"__sub", decimal_sub},
        {"__mul", decimal_mul},       {"__unm", decimal_unm},
        {"__eq", decimal_eq},         {"__lt", decimal_lt},
        {"__le", decimal_le},         {"__div", decimal_slash},
        {"__idiv", decimal_slash},    {"__tostring", decimal_tostring},
        {"__concat", decimal_concat}, {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"decimal", core_decimal}, {"isDecimal", core_is_decimal}, {NULL, NULL}};
    hyl_type_new(L, HYL_DECIMAL, "hysteria.decimal", methods, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
