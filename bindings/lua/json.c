/*
 * json.c - JSON documents as Lua tables, read by jansson, written here.
 *
 * Arrays carry a private metatable, so that an empty one stays an array; an empty object
 * likewise. null inside a document is core.jsonNull. Integers are 64-bit; what does not fit
 * is an error, never a rounded number. Keys are written sorted. The tree and the text sit in
 * userdata with __gc while they are made or read.
 */
#include "binding.h"

#include "base/buf.h"
#include "base/number.h"
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

/* Text under way; it grows outside of Lua, so a userdata frees it when something raises. */
typedef struct writer {
    lua_State *L;
    hy_buf text;
} writer;

static int writer_gc(lua_State *L)
{
    writer *w = lua_touserdata(L, 1);
    hy_buf_clear(&w->text);
    return hyl_retire(L);
}

static void put(writer *w, int index, int depth);

static void put_string(writer *w, const char *text, size_t size)
{
    static const char digits[] = "0123456789ABCDEF", letters[] = "btn?fr"; /* from 8 on; 11 has none */
    size_t done = 0;

    hy_buf_putc(&w->text, '"');
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        hy_buf_append(&w->text, text + done, i - done);
        done = i + 1;
        hy_buf_putc(&w->text, '\\');
        if (c >= ' ') {
            hy_buf_putc(&w->text, (char)c);
        } else if (c >= '\b' && c <= '\r' && c != '\v') {
            hy_buf_putc(&w->text, letters[c - '\b']);
        } else {
            hy_buf_puts(&w->text, "u00");
            hy_buf_putc(&w->text, digits[c >> 4]);
            hy_buf_putc(&w->text, digits[c & 15]);
        }
    }
    hy_buf_append(&w->text, text + done, size - done);
    hy_buf_putc(&w->text, '"');
}

static void put_text(writer *w, int index)
{
    size_t size;
    const char *text = lua_tolstring(w->L, index, &size);
    hy_text_fault fault = hy_text_check(text, size);

    if (fault != HY_TEXT_FINE)
        hyl_fail(w->L, HY_EDATA_INVALID,
                 fault == HY_TEXT_NUL ? "JSON: text with a NUL byte" : "JSON: text is no UTF-8");
    put_string(w, text, size);
}

/* "1e+17" as 100000000000000000.0; there are always zeros to add. */
static void put_large(writer *w, const char *text, const char *exponent, const char *end)
{
    bool behind = false;
    int64_t zeros = 0;

    (void)hy_parse_int(exponent + 1, (size_t)(end - exponent - 1), &zeros);
    for (; text < exponent; text++) {
        if (*text == '.')
            behind = true;
        else
            hy_buf_putc(&w->text, *text);
        zeros -= behind && *text != '.';
    }
    for (; zeros > 0; zeros--)
        hy_buf_putc(&w->text, '0');
    hy_buf_puts(&w->text, ".0");
}

/*
 * A float always has a point or a negative exponent: PostgreSQL's jsonb writes 1e17 out, and only
 * the point keeps that from being read as an integer, or as one that is too large.
 */
static void put_float(writer *w, double number)
{
    char text[HY_NUMBER_TEXT_SIZE];

    if (!isfinite(number))
        hyl_fail(w->L, HY_EDATA_INVALID, "JSON has no inf and no nan");
    size_t size = hy_format_double(number, text);
    const char *exponent = memchr(text, 'e', size);
    if (exponent != NULL && exponent[1] == '+') {
        put_large(w, text, exponent, text + size);
        return;
    }
    hy_buf_append(&w->text, text, size);
    if (exponent == NULL && memchr(text, '.', size) == NULL)
        hy_buf_puts(&w->text, ".0");
}

static bool is_sequence(lua_State *L, int index)
{
    if (has_meta(L, index, &array_key))
        return true;
    return !has_meta(L, index, &object_key) && lua_rawlen(L, index) > 0;
}

static size_t count_entries(lua_State *L, int index)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        count++;
    return count;
}

static void put_array(writer *w, int index, int depth)
{
    lua_State *L = w->L;
    size_t n = lua_rawlen(L, index);

    if (count_entries(L, index) != n)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "JSON: a list with holes or keys; use sql.jsonNull or sql.object");
    hy_buf_putc(&w->text, '[');
    for (size_t i = 1; i <= n; i++) {
        if (i > 1)
            hy_buf_putc(&w->text, ',');
        lua_rawgeti(L, index, (lua_Integer)i);
        put(w, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
    }
    hy_buf_putc(&w->text, ']');
}

/* A key of an object; its bytes belong to the table. */
typedef struct json_key {
    const char *text;
    size_t size;
} json_key;

static int compare_keys(const void *left, const void *right)
{
    const json_key *a = left, *b = right;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Push the sorted keys, a userdata. */
static json_key *push_keys(lua_State *L, int index, size_t n)
{
    json_key *keys = lua_newuserdatauv(L, (n + 1) * sizeof *keys, 0);
    size_t i = 0;

    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), i++) {
        if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "JSON: an object's keys are text, got a %s",
                     luaL_typename(L, -2));
        keys[i].text = lua_tolstring(L, -2, &keys[i].size);
        if (hy_text_check(keys[i].text, keys[i].size) != HY_TEXT_FINE)
            hyl_fail(L, HY_EDATA_INVALID, "JSON: a key is no UTF-8 text");
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    return keys;
}

static void put_object(writer *w, int index, int depth)
{
    lua_State *L = w->L;
    size_t n = count_entries(L, index);
    const json_key *keys = push_keys(L, index, n);

    hy_buf_putc(&w->text, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            hy_buf_putc(&w->text, ',');
        put_string(w, keys[i].text, keys[i].size);
        hy_buf_putc(&w->text, ':');
        lua_pushlstring(L, keys[i].text, keys[i].size);
        lua_rawget(L, index);
        put(w, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
    }
    hy_buf_putc(&w->text, '}');
    lua_pop(L, 1);
}

static void put_table(writer *w, int index, int depth)
{
    luaL_checkstack(w->L, 12, "JSON: nested too deeply");
    if (!hyl_json_tagged(w->L, index))
        hyl_check_plain(w->L, index, "JSON");
    if (is_sequence(w->L, index))
        put_array(w, index, depth);
    else
        put_object(w, index, depth);
}

static void put(writer *w, int index, int depth)
{
    lua_State *L = w->L;
    hyl_type type = hyl_typeof(L, index);

    if (depth > MAX_DEPTH)
        hyl_fail(L, HY_ELIMIT_EXCEEDED, "JSON: nested deeper than %d, or a cycle", MAX_DEPTH);
    if (type == HYL_JSON_NULL || type == HYL_NULL) {
        hy_buf_puts(&w->text, "null");
        return;
    }
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        hy_buf_puts(&w->text, lua_toboolean(L, index) ? "true" : "false");
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            hy_buf_put_int(&w->text, lua_tointeger(L, index));
        else
            put_float(w, lua_tonumber(L, index));
        return;
    case LUA_TSTRING:
        put_text(w, index);
        return;
    case LUA_TTABLE:
        put_table(w, index, depth);
        return;
    default:
        hyl_fail(L, HY_EINVALID_ARGUMENT, "JSON: a %s has no JSON form%s",
                 type != HYL_NONE ? hyl_type_name(type) : luaL_typename(L, index),
                 type == HYL_DECIMAL ? "; use tostring(d) or d:toNumber()" : "");
    }
}

void hyl_json_encode(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    hyl_need_stack(L, 10);
    writer *w = hyl_new(L, HYL_JSON_WRITER, sizeof *w, 0);
    w->L = L;
    put(w, index, 0);
    if (w->text.failed)
        hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    lua_pushlstring(L, hy_buf_text(&w->text), w->text.size);
    hy_buf_clear(&w->text);
    lua_replace(L, -2);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void push_node(lua_State *L, const json_t *node, int depth);

void hyl_json_new_array(lua_State *L, int n)
{
    lua_createtable(L, n, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, -2);
}

static void push_array(lua_State *L, const json_t *node, int depth)
{
    size_t n = json_array_size(node);
    hyl_json_new_array(L, (int)n);
    for (size_t i = 0; i < n; i++) {
        push_node(L, json_array_get(node, i), depth + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
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
    static const luaL_Reg writer_meta[] = {{"__gc", writer_gc}, {NULL, NULL}};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const luaL_Reg functions[] = {{"jsonEncode", core_encode},
                                         {"jsonDecode", core_decode},
                                         {"array", core_array},
                                         {"object", core_object},
                                         {NULL, NULL}};
    (void)pthread_once(&once, watch_memory);
    hyl_type_new(L, HYL_JSON_NULL, "hysteria.jsonNull", NULL, null_meta);
    hyl_type_new(L, HYL_JSON, "hysteria.json", NULL, tree_meta);
    hyl_type_new(L, HYL_JSON_WRITER, "hysteria.jsonWriter", NULL, writer_meta);
    lua_pop(L, 3);
    new_tag(L, &array_key, "hysteria.array");
    new_tag(L, &object_key, "hysteria.object");
    luaL_setfuncs(L, functions, 0);
    hyl_new(L, HYL_JSON_NULL, 0, 0);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &json_null_key);
    lua_setfield(L, -2, "jsonNull");
}
