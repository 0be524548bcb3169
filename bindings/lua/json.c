/*
 * json.c - JSON documents as Lua tables, through jansson.
 *
 * Arrays carry a private metatable, so that an empty one stays an array; an empty object
 * likewise. null inside a document is core.jsonNull. Integers are 64-bit; what does not fit
 * is an error, never a rounded number. The tree sits in a userdata with __gc while Lua
 * values are made from it.
 */
#include "binding.h"

#include "base/buf.h"
#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 200 };

static const char array_key = 0, object_key = 0, json_null_key = 0, box_key = 0;

typedef struct tree {
    json_t *root;
} tree;

static int tree_gc(lua_State *L)
{
    tree *t = lua_touserdata(L, 1);
    json_decref(t->root);
    t->root = NULL;
    return hyl_retire(L);
}

static void push_json_null(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &json_null_key);
}

static bool has_meta(lua_State *L, int index, const char *key)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

bool hyl_json_tagged(lua_State *L, int index)
{
    return has_meta(L, index, &array_key) || has_meta(L, index, &object_key);
}

/* ---- memory ------------------------------------------------------------------------------ */

/* To jansson a text that it had no memory for is malformed text: the difference is seen here. */
static _Thread_local bool ran_out;

static void *watched_malloc(size_t size)
{
    void *memory = malloc(size);
    ran_out |= memory == NULL;
    return memory;
}

/* Only where nobody chose an allocator: blocks of malloc's may be freed by whoever. */
static void watch_memory(void)
{
    json_malloc_t allocate;
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    if (allocate == malloc && release == free)
        json_set_alloc_funcs(watched_malloc, free);
}

/* ---- writing ----------------------------------------------------------------------------- */

static json_t *build(lua_State *L, int index, int depth);

static void out_of_memory(lua_State *L)
{
    hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
}

/* The tree is reachable from the box while it grows, so a raise leaks nothing: children are
   attached before they are filled. */
static void fill(lua_State *L, json_t *node, int index, int depth);

static void add(lua_State *L, json_t *parent, const char *key, size_t key_size, int value, int depth)
{
    json_t *child = build(L, value, depth);
    int failed = json_is_array(parent) ? json_array_append_new(parent, child)
                                       : json_object_setn_new_nocheck(parent, key, key_size, child);
    if (child == NULL || failed)
        out_of_memory(L);
    if (json_is_array(child) || json_is_object(child))
        fill(L, child, value, depth + 1);
}

static bool is_sequence(lua_State *L, int index)
{
    if (has_meta(L, index, &array_key))
        return true;
    return !has_meta(L, index, &object_key) && lua_rawlen(L, index) > 0;
}

static void fill_array(lua_State *L, json_t *node, int index, int depth)
{
    size_t n = lua_rawlen(L, index), count = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        count++;
    if (count != n)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "JSON: a list with holes or keys; use sql.jsonNull or sql.object");
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        add(L, node, NULL, 0, lua_gettop(L), depth);
        lua_pop(L, 1);
    }
}

static void fill_object(lua_State *L, json_t *node, int index, int depth)
{
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        size_t size;
        if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "JSON: an object's keys are text, got a %s",
                     luaL_typename(L, -2));
        const char *key = lua_tolstring(L, -2, &size);
        if (hy_text_check(key, size) != HY_TEXT_FINE)
            hyl_fail(L, HY_EDATA_INVALID, "JSON: a key is no UTF-8 text");
        add(L, node, key, size, lua_gettop(L), depth);
    }
}

static void fill(lua_State *L, json_t *node, int index, int depth)
{
    luaL_checkstack(L, 8, "JSON: nested too deeply");
    if (json_is_array(node))
        fill_array(L, node, index, depth);
    else
        fill_object(L, node, index, depth);
}

static json_t *build_number(lua_State *L, int index)
{
    if (lua_isinteger(L, index))
        return json_integer(lua_tointeger(L, index));
    double number = lua_tonumber(L, index);
    if (!isfinite(number))
        hyl_fail(L, HY_EDATA_INVALID, "JSON has no inf and no nan");
    return json_real(number);
}

static json_t *build_text(lua_State *L, int index)
{
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    hy_text_fault fault = hy_text_check(text, size);
    if (fault != HY_TEXT_FINE)
        hyl_fail(L, HY_EDATA_INVALID,
                 fault == HY_TEXT_NUL ? "JSON: text with a NUL byte" : "JSON: text is no UTF-8");
    return json_stringn_nocheck(text, size);
}

/* A scalar whole, a table as an empty node that `fill` fills. */
static json_t *build(lua_State *L, int index, int depth)
{
    if (depth > MAX_DEPTH)
        hyl_fail(L, HY_ELIMIT_EXCEEDED, "JSON: nested deeper than %d, or a cycle", MAX_DEPTH);
    hyl_type type = hyl_typeof(L, index);
    if (type == HYL_JSON_NULL || type == HYL_NULL)
        return json_null();
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        return build_number(L, index);
    case LUA_TSTRING:
        return build_text(L, index);
    case LUA_TTABLE:
        if (!hyl_json_tagged(L, index))
            hyl_check_plain(L, index, "JSON");
        return is_sequence(L, index) ? json_array() : json_object();
    default:
        hyl_fail(L, HY_EINVALID_ARGUMENT, "JSON: a %s has no JSON form%s",
                 type != HYL_NONE ? hyl_type_name(type) : luaL_typename(L, index),
                 type == HYL_DECIMAL ? "; use tostring(d) or d:toNumber()" : "");
        return NULL;
    }
}

static int append(const char *data, size_t size, void *ctx)
{
    hy_buf *b = ctx;
    hy_buf_append(b, data, size);
    return b->failed ? -1 : 0;
}

static int push_buffer(lua_State *L)
{
    const hy_buf *b = lua_touserdata(L, 1);
    lua_pushlstring(L, hy_buf_text(b), b->size);
    return 1;
}

void hyl_json_encode(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    hyl_need_stack(L, 10);
    tree *t = hyl_new(L, HYL_JSON, sizeof *t, 0);
    t->root = build(L, index, 0);
    if (t->root == NULL)
        out_of_memory(L);
    if (json_is_array(t->root) || json_is_object(t->root))
        fill(L, t->root, index, 1);
    lua_pushcfunction(L, push_buffer);
    hy_buf buf;
    hy_buf_init(&buf);
    int failed = json_dump_callback(t->root, append, &buf, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    lua_pushlightuserdata(L, &buf);
    int status = failed ? LUA_ERRMEM : lua_pcall(L, 1, 1, 0);
    hy_buf_clear(&buf);
    if (failed)
        out_of_memory(L);
    if (status != LUA_OK)
        lua_error(L);
    json_decref(t->root);
    t->root = NULL;
    lua_replace(L, -2);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void push_node(lua_State *L, const json_t *node, int depth);

static void push_array(lua_State *L, const json_t *node, int depth)
{
    size_t n = json_array_size(node);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_node(L, json_array_get(node, i), depth + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, -2);
}

static void push_object(lua_State *L, const json_t *node, int depth)
{
    size_t n = json_object_size(node);
    lua_createtable(L, 0, (int)n);
    for (void *it = json_object_iter((json_t *)node); it != NULL;
         it = json_object_iter_next((json_t *)node, it)) {
        lua_pushlstring(L, json_object_iter_key(it), json_object_iter_key_len(it));
        push_node(L, json_object_iter_value(it), depth + 1);
        lua_rawset(L, -3);
    }
    if (n == 0) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &object_key);
        lua_setmetatable(L, -2);
    }
}

static void push_node(lua_State *L, const json_t *node, int depth)
{
    luaL_checkstack(L, 6, "JSON: nested too deeply");
    switch (json_typeof(node)) {
    case JSON_ARRAY:
        push_array(L, node, depth);
        return;
    case JSON_OBJECT:
        push_object(L, node, depth);
        return;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(node), json_string_length(node));
        return;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(node));
        return;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(node));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(node));
        return;
    default:
        push_json_null(L);
    }
}

/*
 * Push a box for a tree. One is kept: a document in each of 10,000 rows would make as many
 * finalizers otherwise. One that is in use (a finalizer decodes while a document is decoded) or
 * was left by a raise is replaced.
 */
static tree *push_box(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &box_key) == LUA_TUSERDATA) {
        tree *kept = lua_touserdata(L, -1);
        if (kept->root == NULL)
            return kept;
    }
    lua_pop(L, 1);
    tree *made = hyl_new(L, HYL_JSON, sizeof *made, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &box_key);
    return made;
}

bool hyl_json_decode(lua_State *L, const char *text, size_t size, hy_error *err)
{
    hyl_need_stack(L, 6);
    tree *t = push_box(L);
    json_error_t fault;
    ran_out = false;
    t->root = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &fault);
    if (t->root == NULL && (ran_out || json_error_code(&fault) == json_error_out_of_memory)) {
        hy_fail_oom(err);
        return false;
    }
    if (t->root == NULL) {
        /* jansson's own text may repeat the document: only the place is told */
        hy_fail(err, HY_EDATA_INVALID, "JSON cannot be read (line %d, column %d)", fault.line, fault.column);
        return false;
    }
    push_node(L, t->root, 0);
    json_decref(t->root);
    t->root = NULL;
    lua_replace(L, -2);
    return true;
}

/* ---- module ------------------------------------------------------------------------------ */

static int core_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    hyl_json_encode(L, 1);
    return 1;
}

static int core_decode(lua_State *L)
{
    size_t size;
    const char *text = hyl_need_text(L, 1, "JSON", "text", &size);
    hy_error err;
    if (!hyl_json_decode(L, text, size, &err))
        return hyl_raise(L, &err);
    return 1;
}

static int tag(lua_State *L, const char *key)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    hyl_need_table(L, 1, "JSON", "the value");
    lua_settop(L, 1);
    if (!hyl_json_tagged(L, 1))
        hyl_check_plain(L, 1, "JSON");
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_setmetatable(L, 1);
    return 1;
}

static int core_array(lua_State *L)
{
    return tag(L, &array_key);
}
static int core_object(lua_State *L)
{
    return tag(L, &object_key);
}

static int json_null_tostring(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

static void new_tag(lua_State *L, const char *key, const char *name)
{
    lua_createtable(L, 0, 1);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void hyl_json_open(lua_State *L)
{
    static const luaL_Reg null_meta[] = {{"__tostring", json_null_tostring}, {NULL, NULL}};
    static const luaL_Reg tree_meta[] = {{"__gc", tree_gc}, {NULL, NULL}};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const luaL_Reg functions[] = {{"jsonEncode", core_encode},
                                         {"jsonDecode", core_decode},
                                         {"array", core_array},
                                         {"object", core_object},
                                         {NULL, NULL}};
    (void)pthread_once(&once, watch_memory);
    hyl_type_new(L, HYL_JSON_NULL, "hysteria.jsonNull", NULL, null_meta);
    hyl_type_new(L, HYL_JSON, "hysteria.json", NULL, tree_meta);
    lua_pop(L, 2);
    new_tag(L, &array_key, "hysteria.array");
    new_tag(L, &object_key, "hysteria.object");
    luaL_setfuncs(L, functions, 0);
    hyl_new(L, HYL_JSON_NULL, 0, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &json_null_key);
    lua_setfield(L, -2, "jsonNull");
}
