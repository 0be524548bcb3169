/*
 * query_select.c - verbs of a query: SELECT, FROM, GROUP BY, ORDER BY, LIMIT.
 *
 * Each reads its arguments whole before it touches the query. Knows no conditions and no joins.
 */
#include "binding.h"

#include <string.h>
#include <strings.h>

/* ---- select, from ------------------------------------------------------------------------ */

/* The item at `index`; a query or function needs the alias given. */
static void select_one(lua_State *L, hy_query *q, int index, const char *alias)
{
    hy_query *sub = hyl_to_query(L, index);
    if (sub != NULL) {
        if (alias == NULL)
            hyl_fail(L, HY_EMISSING_ALIAS_FOR_SUBQUERY, "select: a subquery needs an alias after it");
        hy_query_select(q, hy_expr_query(q, sub), alias);
        lua_pop(L, 1);
        return;
    }
    hy_query_select(q, hyl_to_operand(L, q, index, false, "select"), alias);
}

/* { item, alias } */
static void select_pair(lua_State *L, hy_query *q, int index)
{
    if (hyl_check_list(L, index, "select") > 2)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "select: a table is { column, alias }, columns are arguments");
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    if (lua_isnil(L, -2) || lua_type(L, -1) != LUA_TSTRING)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "select: a table is { column, alias }");
    int top = lua_gettop(L);
    select_one(L, q, top - 1, hyl_to_name(L, top, "alias"));
    lua_settop(L, top - 2);
}

static int select_all(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    int n = lua_gettop(L);
    if (n < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "select: a column is expected");
    for (int i = 2; i <= n; i++)
        if (lua_isnil(L, i))
            return hyl_fail(L, HY_ENIL_VALUE, "select: argument %d is nil", i - 1);
    for (int i = 2; i <= n; i++) {
        if (lua_istable(L, i)) {
            select_pair(L, q, i);
        } else if (lua_type(L, i) == LUA_TSTRING) {
            select_one(L, q, i, NULL);
        } else {
            const char *alias =
                i < n && lua_type(L, i + 1) == LUA_TSTRING ? hyl_to_name(L, i + 1, "alias") : NULL;
            select_one(L, q, i, alias);
            i += alias != NULL;
        }
    }
    return hyl_query_done(L, q);
}

/* select(...): names, {item, alias}, or one subquery or expression followed by its alias. */
static int query_select(lua_State *L)
{
    return hyl_with_queries(L, select_all);
}

hy_expr *hyl_raw_argument(lua_State *L, hy_query *q, int index, int last, const char *what)
{
    if (hyl_typeof(L, index) == HYL_RAW)
        return hyl_to_expr(L, q, index, NULL, NULL, what);
    size_t size;
    const char *text = hyl_check_text(L, index, what, &size);
    bool listed = last == index + 1 && lua_istable(L, last) && !hyl_json_tagged(L, last);
    int n = listed ? (int)hyl_check_list(L, last, what) : last > index ? last - index : 0;
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (size_t)(n + 1), 0);
    for (int i = 0; i < n; i++) {
        if (listed)
            lua_rawgeti(L, last, i + 1);
        else
            lua_pushvalue(L, index + 1 + i);
        items[i] = hyl_to_expr(L, q, -1, NULL, NULL, what);
        lua_pop(L, 1);
    }
    hy_expr *e = hy_expr_raw(q, text, size, items, (size_t)n);
    lua_pop(L, 1);
    return e;
}

/* selectRaw(text, ...) */
static int query_select_raw(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_select(q, hyl_raw_argument(L, q, 2, lua_gettop(L), "selectRaw"), NULL);
    return hyl_query_done(L, q);
}

/* selectFunc(func, column | "*", alias) */
static int query_select_func(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    hyl_check_no_more(L, 4, "selectFunc");
    const char *func = hyl_check_text(L, 2, "function", &size);
    hy_expr *arg = hyl_to_operand(L, q, 3, false, "column");
    const char *alias = lua_isnoneornil(L, 4) ? NULL : hyl_to_name(L, 4, "alias");
    hy_query_select(q, hyl_expr_call(q, func, size, &arg, 1), alias);
    return hyl_query_done(L, q);
}

/* ---- windows ----------------------------------------------------------------------------- */

enum { WINDOW_PARTS = 32 };

typedef struct window {
    hy_expr *partition[WINDOW_PARTS], *order[WINDOW_PARTS];
    hy_direction directions[WINDOW_PARTS];
    size_t n_partition, n_order;
} window;

static void check_room(lua_State *L, size_t n)
{
    if (n == WINDOW_PARTS)
        hyl_fail(L, HY_ELIMIT_EXCEEDED, "selectWindow: more than %d columns", WINDOW_PARTS);
}

/* Is the entry on top a direction, and not the first? Then it is of what stands before it. */
static bool take_direction(lua_State *L, window *w)
{
    static const char *const directions[] = {"asc", "desc", NULL};
    if (w->n_order == 0 || lua_type(L, -1) != LUA_TSTRING)
        return false;
    size_t size;
    const char *word = lua_tolstring(L, -1, &size);
    if (size != 3 && size != 4)
        return false;
    for (int i = 0; directions[i] != NULL; i++) {
        if (strlen(directions[i]) == size && strcasecmp(word, directions[i]) == 0) {
            w->directions[w->n_order - 1] = (hy_direction)i;
            return true;
        }
    }
    return false;
}

/* A hole or a key would leave a part of the window out, and every row a wrong value. */
static void check_only_list(lua_State *L, int at, lua_Integer n, const char *what)
{
    lua_Integer entries = 0;
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
        entries++;
    if (entries != n)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "selectWindow: %s is a list without holes or keys, such as %s",
                 what,
                 strcmp(what, "orderBy") == 0 ? "{ \"price\", \"desc\", \"id\" }" : "{ \"kind\", \"year\" }");
}

/* orderBy = "a" or {"a", "desc", "b"}; the value on top. */
static void read_window_order(lua_State *L, hy_query *q, window *w, bool inside)
{
    int at = lua_gettop(L);
    if (inside || !lua_istable(L, at)) {
        check_room(L, w->n_order);
        w->order[w->n_order++] = hyl_to_operand(L, q, at, false, "orderBy");
        return;
    }
    hyl_check_plain(L, at, "orderBy");
    hyl_need_stack(L, 6);
    lua_Integer i = 1;
    for (; lua_rawgeti(L, at, i) != LUA_TNIL; i++) {
        if (!take_direction(L, w))
            read_window_order(L, q, w, true);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    check_only_list(L, at, i - 1, "orderBy");
}

static void read_window_partition(lua_State *L, hy_query *q, window *w)
{
    int at = lua_gettop(L);
    if (!lua_istable(L, at)) {
        w->partition[w->n_partition++] = hyl_to_operand(L, q, at, false, "partitionBy");
        return;
    }
    hyl_check_plain(L, at, "partitionBy");
    lua_Integer i = 1;
    for (; lua_rawgeti(L, at, i) != LUA_TNIL; i++) {
        check_room(L, w->n_partition);
        w->partition[w->n_partition++] = hyl_to_operand(L, q, -1, false, "partitionBy");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    check_only_list(L, at, i - 1, "partitionBy");
}

/* "unbounded" or a whole number: before the current row, it, after it. */
static int64_t read_bound(lua_State *L, int frame, int i, bool *unbounded)
{
    lua_rawgeti(L, frame, i);
    *unbounded = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "unbounded") == 0;
    if (!*unbounded && !lua_isinteger(L, -1))
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "selectWindow: a frame is { \"rows\" or \"range\", from, to }, bounds whole numbers or "
                 "\"unbounded\"");
    int64_t bound = *unbounded ? 0 : lua_tointeger(L, -1);
    lua_pop(L, 1);
    return bound;
}

/* { "rows", -2, 0 }, the value on top */
static hy_frame read_frame(lua_State *L)
{
    static const char *const units[] = {"rows", "range", NULL};
    int at = lua_gettop(L);
    hy_frame frame = {0};
    if (!lua_istable(L, at))
        hyl_fail_argument(L, at, "frame", "a table such as { \"rows\", -2, 0 }");
    lua_rawgeti(L, at, 1);
    frame.range = hyl_check_word(L, -1, "frame", units) == 1;
    lua_pop(L, 1);
    frame.from = read_bound(L, at, 2, &frame.from_first);
    frame.to = read_bound(L, at, 3, &frame.to_last);
    return frame;
}

/* The call over the window that the table at `spec` says. */
static hy_expr *over(lua_State *L, hy_query *q, hy_expr *call, int spec)
{
    static const char *const known[] = {"partitionBy", "orderBy", "frame", NULL};
    window w = {.n_order = 0};
    hyl_check_options(L, spec, "selectWindow", known);
    if (lua_getfield(L, spec, "partitionBy") != LUA_TNIL)
        read_window_partition(L, q, &w);
    if (lua_getfield(L, spec, "orderBy") != LUA_TNIL)
        read_window_order(L, q, &w, false);
    hy_expr *e = hy_expr_over(q, call, w.partition, w.n_partition, w.order, w.directions, w.n_order);
    if (lua_getfield(L, spec, "frame") != LUA_TNIL) {
        hy_frame frame = read_frame(L);
        e = hy_expr_frame(q, e, &frame);
    }
    lua_pop(L, 3);
    return e;
}

/* selectWindow(func, column?, { partitionBy =, orderBy =, frame = }, alias): func a name or sql.func(...) */
static int query_select_window(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    int n = lua_gettop(L);
    int spec = n - 1;
    if (n < 4 || n > 5 || !lua_istable(L, spec))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "selectWindow takes (function, column?, window, alias)");
    const char *alias = hyl_to_name(L, n, "alias");
    hy_expr *call;
    if (lua_type(L, 2) == LUA_TSTRING) {
        size_t size;
        const char *func = lua_tolstring(L, 2, &size);
        hy_expr *arg = n == 5 ? hyl_to_operand(L, q, 3, false, "column") : NULL;
        call = hyl_expr_call(q, func, size, &arg, n == 5);
    } else {
        call = hyl_to_operand(L, q, 2, false, "selectWindow");
    }
    hy_query_select(q, over(L, q, call, spec), alias);
    return hyl_query_done(L, q);
}

/* ---- JSON -------------------------------------------------------------------------------- */

/* {"a", 0, "b.c"}: text is a name, a number an item's, from 0. */
static hy_expr *json_place_of_list(lua_State *L, hy_query *q, hy_expr *lhs, int index, hy_json_part part,
                                   const char *what)
{
    hyl_check_plain(L, index, what);
    size_t n = lua_rawlen(L, index);
    hy_json_step *steps = lua_newuserdatauv(L, sizeof *steps * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        int type = lua_rawgeti(L, index, (lua_Integer)i + 1);
        steps[i] = (hy_json_step){0};
        if (type == LUA_TSTRING)
            steps[i].key = lua_tolstring(L, -1, &steps[i].size);
        else if (lua_isinteger(L, -1))
            steps[i].index = lua_tointeger(L, -1);
        else
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a path is made of names and whole numbers", what);
        lua_pop(L, 1); /* the list still has it */
    }
    hy_expr *e = hy_expr_json(q, lhs, steps, n, part);
    lua_pop(L, 1);
    return e;
}

hy_expr *hyl_to_json_place(lua_State *L, hy_query *q, hy_expr *lhs, int index, hy_json_part part,
                           const char *what)
{
    if (lua_istable(L, index))
        return json_place_of_list(L, q, lhs, index, part, what);
    if (lua_type(L, index) != LUA_TSTRING)
        hyl_fail_argument(L, index, "path", "text, or a list of names and numbers");
    size_t size;
    const char *path = lua_tolstring(L, index, &size);
    return hy_expr_json_path(q, lhs, path, size, part);
}

typedef struct json_verb {
    const char *name;
    hy_json_part part;
} json_verb;

static const json_verb json_verbs[] = {
    {"selectJson", HY_JSON_VALUE},
    {"selectJsonText", HY_JSON_STRING},
    {"selectJsonArrayLength", HY_JSON_LENGTH},
    {"selectJsonKeys", HY_JSON_KEYS},
};

/* selectJson(column, path, alias?) */
static int query_select_json(lua_State *L)
{
    const json_verb *v = lua_touserdata(L, lua_upvalueindex(1));
    hy_query *q = hyl_check_query(L, 1);
    hyl_check_no_more(L, 4, v->name);
    if (lua_gettop(L) < 3 || lua_isnil(L, 2) || lua_isnil(L, 3))
        return hyl_fail(L, HY_ENIL_VALUE, "%s takes (column, path, alias?); \"$\" is the whole", v->name);
    hy_expr *column = hyl_to_operand(L, q, 2, false, v->name);
    const char *alias = lua_isnoneornil(L, 4) ? NULL : hyl_to_name(L, 4, "alias");
    hy_query_select(q, hyl_to_json_place(L, q, column, 3, v->part, v->name), alias);
    return hyl_query_done(L, q);
}

/* selectJsonRaw(text, alias): what the text yields is JSON. */
static int query_select_json_raw(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hyl_check_no_more(L, 3, "selectJsonRaw");
    hy_expr *e = hyl_raw_argument(L, q, 2, 2, "selectJsonRaw");
    hy_query_select(q, hy_expr_as(q, e, HY_KIND_JSON), hyl_to_name(L, 3, "alias"));
    return hyl_query_done(L, q);
}

/* ---- DISTINCT, FROM ---------------------------------------------------------------------- */

static int query_distinct(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    if (!lua_isnoneornil(L, 2))
        return hyl_fail(L, HY_EINVALID_ARGUMENT,
                        "distinct takes no columns: it is of all that is selected, distinctOn is of some");
    hy_query_distinct(q);
    return hyl_query_done(L, q);
}

static int query_distinct_on(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    int n = lua_gettop(L);
    if (n < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "distinctOn: a column is expected");
    for (int i = 2; i <= n; i++)
        hy_query_distinct_on(q, hyl_to_operand(L, q, i, false, "distinctOn"));
    return hyl_query_done(L, q);
}

static int from_one(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hyl_check_no_more(L, 3, "from");
    lua_settop(L, 3);
    const char *alias = lua_isnil(L, 3) ? NULL : hyl_to_name(L, 3, "alias");
    if (lua_type(L, 2) == LUA_TSTRING) {
        size_t size;
        const char *table = lua_tolstring(L, 2, &size);
        hy_query_from(q, table, size);
        if (alias != NULL)
            hy_query_alias(q, alias);
        return hyl_query_done(L, q);
    }
    hy_query *sub = hyl_to_query(L, 2);
    if (sub == NULL)
        return hyl_fail_argument(L, 2, "table", "a table name, a query or a function");
    if (alias == NULL)
        return hyl_fail(L, HY_EMISSING_ALIAS_FOR_SUBQUERY, "from: a subquery needs an alias");
    hy_query_from_query(q, sub, alias);
    return hyl_query_done(L, q);
}

/* from(table, alias?) or from(query | fn, alias) */
static int query_from(lua_State *L)
{
    return hyl_with_queries(L, from_one);
}

static int query_alias(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_alias(q, hyl_to_name(L, 2, "alias"));
    return hyl_query_done(L, q);
}

/* ---- group, order, limit ----------------------------------------------------------------- */

static int query_group_by(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    int n = lua_gettop(L);
    if (n < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "groupBy: a column is expected");
    for (int i = 2; i <= n; i++)
        hy_query_group_by(q, hyl_to_operand(L, q, i, true, "groupBy"));
    return hyl_query_done(L, q);
}

static int query_group_by_raw(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_group_by(q, hyl_raw_argument(L, q, 2, lua_gettop(L), "groupByRaw"));
    return hyl_query_done(L, q);
}

void hyl_check_no_more(lua_State *L, int last, const char *what)
{
    for (int i = lua_gettop(L); i > last; i--)
        if (!lua_isnil(L, i))
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes %d argument%s at most, got %d", what, last - 1,
                     last == 2 ? "" : "s", i - 1);
}

size_t hyl_check_list(lua_State *L, int index, const char *what)
{
    hyl_check_plain(L, index, what);
    size_t n = lua_rawlen(L, index), n_entries = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        n_entries++;
    if (n_entries != n)
        hyl_fail(L, n_entries < n ? HY_ENIL_VALUE : HY_EINVALID_ARGUMENT,
                 "%s: a list of values is expected, not a table with %s", what,
                 n_entries < n ? "nils" : "keys or holes");
    if (n > INT32_MAX / 2)
        hyl_fail(L, HY_ELIMIT_EXCEEDED, "%s: too many values", what);
    return n;
}

static bool is_among(const char *name, const char *const names[])
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

void hyl_check_options(lua_State *L, int index, const char *what, const char *const known[])
{
    hyl_check_plain(L, index, what);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (name != NULL && is_among(name, known))
            continue;
        lua_pushstring(L, known[0]);
        for (size_t i = 1; known[i] != NULL; i++)
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), known[i]);
        hyl_fail(L, HY_EUNKNOWN_OPTION, "%s has no option %s%.40s%s; there is: %s", what,
                 name != NULL ? "`" : "by ", name != NULL ? name : "position", name != NULL ? "`" : "",
                 lua_tostring(L, -1));
    }
}

int hyl_check_word(lua_State *L, int index, const char *what, const char *const words[])
{
    if (lua_isnoneornil(L, index))
        return 0;
    if (lua_type(L, index) == LUA_TSTRING) {
        char lower[16] = "";
        size_t size;
        const char *word = lua_tolstring(L, index, &size);
        for (size_t i = 0; i < sizeof lower - 1 && word[i] != '\0'; i++)
            lower[i] = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
        for (int i = 0; words[i] != NULL; i++)
            if (strcmp(lower, words[i]) == 0 && size == strlen(words[i]))
                return i;
    }
    return hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: expected \"%s\" or \"%s\"", what,
                    words[0][0] == '\0' ? words[1] : words[0], words[0][0] == '\0' ? words[2] : words[1]);
}

/* orderBy(column, "asc" | "desc", { nulls = "first" | "last" }) */
static int query_order_by(lua_State *L)
{
    static const char *const directions[] = {"asc", "desc", NULL};
    static const char *const nulls_words[] = {"", "first", "last", NULL};
    hy_query *q = hyl_check_query(L, 1);
    if (lua_gettop(L) < 2)
        return hyl_fail(L, HY_ENIL_VALUE, "orderBy: a column is expected");
    hyl_check_no_more(L, 4, "orderBy");
    lua_settop(L, 4);
    int direction = hyl_check_word(L, 3, "orderBy", directions);
    int nulls = 0;
    if (lua_istable(L, 4)) {
        static const char *const known[] = {"nulls", NULL};
        hyl_check_options(L, 4, "orderBy", known);
        lua_pushliteral(L, "nulls");
        lua_rawget(L, 4);
        nulls = hyl_check_word(L, -1, "orderBy nulls", nulls_words);
    } else if (!lua_isnil(L, 4)) {
        return hyl_fail_argument(L, 4, "options", "a table");
    }
    hy_query_order_by(q, hyl_to_operand(L, q, 2, true, "orderBy"), (hy_direction)direction, (hy_nulls)nulls);
    return hyl_query_done(L, q);
}

static int query_order_by_raw(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_order_by(q, hyl_raw_argument(L, q, 2, lua_gettop(L), "orderByRaw"), HY_ASC, HY_NULLS_DEFAULT);
    return hyl_query_done(L, q);
}

static int64_t check_count(lua_State *L, int index, const char *what)
{
    int exact;
    hyl_check_no_more(L, index, what);
    lua_Integer n = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : (exact = 0);
    if (lua_isnoneornil(L, index))
        hyl_fail(L, HY_ENIL_VALUE, "%s: the number is nil", what);
    if (!exact || n < 0)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s takes a whole number from 0", what);
    return n;
}

static int query_limit(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    if (hyl_typeof(L, 2) == HYL_PARAM)
        hy_query_limit_param(q, hyl_node_word(L, 2, &size));
    else
        hy_query_limit(q, check_count(L, 2, "limit"));
    return hyl_query_done(L, q);
}

static int query_offset(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    if (hyl_typeof(L, 2) == HYL_PARAM)
        hy_query_offset_param(q, hyl_node_word(L, 2, &size));
    else
        hy_query_offset(q, check_count(L, 2, "offset"));
    return hyl_query_done(L, q);
}

/* q:_order() -> list of { name | false, descending, nulls = "first" | "last" | nil } */
static int query_order(lua_State *L)
{
    static const char *const nulls[] = {
        [HY_NULLS_DEFAULT] = NULL, [HY_NULLS_FIRST] = "first", [HY_NULLS_LAST] = "last"};
    hy_query *q = hyl_check_query(L, 1);
    size_t n = hy_query_n_order(q);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        hy_ordering by = hy_query_ordering(q, i);
        lua_createtable(L, 0, 3);
        if (by.name != NULL)
            lua_pushlstring(L, by.name, by.size);
        else
            lua_pushboolean(L, 0);
        lua_setfield(L, -2, "name");
        lua_pushboolean(L, by.direction == HY_DESC);
        lua_setfield(L, -2, "descending");
        lua_pushstring(L, nulls[by.nulls]);
        lua_setfield(L, -2, "nulls");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* q:_table() -> the name of the table it reads, or nil */
static int query_table(lua_State *L)
{
    lua_pushstring(L, hy_query_table(hyl_check_query(L, 1)));
    return 1;
}

/* q:_base() -> the name that stands for that table in the query */
static int query_base(lua_State *L)
{
    lua_pushstring(L, hy_query_base_name(hyl_check_query(L, 1)));
    return 1;
}

/* q:_window() -> limit or nil, offset or nil */
static int query_window(lua_State *L)
{
    int64_t parts[2];
    const hy_query *q = hyl_check_query(L, 1);
    if (hy_query_has_window_param(q))
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "the query has parameters: prepare it, and run that");
    hy_query_window(q, &parts[0], &parts[1]);
    for (int i = 0; i < 2; i++)
        if (parts[i] >= 0)
            lua_pushinteger(L, parts[i]);
        else
            lua_pushnil(L);
    return 2;
}

/* ---- module ------------------------------------------------------------------------------ */

void hyl_query_select_open(lua_State *L)
{
    static const luaL_Reg verbs[] = {
        {"select", query_select},
        {"selectRaw", query_select_raw},
        {"selectFunc", query_select_func},
        {"selectWindow", query_select_window},
        {"selectSubQuery", query_select},
        {"selectJsonRaw", query_select_json_raw},
        {"distinct", query_distinct},
        {"distinctOn", query_distinct_on},
        {"from", query_from},
        {"table", query_from},
        {"alias", query_alias},
        {"groupBy", query_group_by},
        {"groupByRaw", query_group_by_raw},
        {"orderBy", query_order_by},
        {"orderByRaw", query_order_by_raw},
        {"limit", query_limit},
        {"offset", query_offset},
        {"_order", query_order},
        {"_window", query_window},
        {"_table", query_table},
        {"_base", query_base},
        {NULL, NULL},
    };
    luaL_setfuncs(L, verbs, 0);
    hyl_add_rows(L, json_verbs, sizeof *json_verbs, sizeof json_verbs / sizeof *json_verbs,
                 query_select_json);
}
