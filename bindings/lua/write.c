/*
 * write.c - the verbs by which lua/hysteria builds INSERT, UPDATE and DELETE, and finds rows
 * by key. Rows are read raw; what a row may name is decided by the model.
 */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_index(const void *a, const void *b)
{
    size_t x = (*(const hy_column *const *)a)->index, y = (*(const hy_column *const *)b)->index;
    return x < y ? -1 : x > y;
}

/* What one insert writes to. The blocks are userdata, the strings are held by the set of keys. */
enum { ENOUGH_BYTES = 1 << 20 }; /* for one statement: servers have a limit for a message */
typedef struct targets {
    int seen; /* stack index of the set: key -> its column's position + 1 */
    size_t n;
    const hy_column **columns; /* NULL: a plain table's */
    const char **names;        /* for messages and plain tables */
    hy_value *values;          /* one row being read */
    size_t bytes;              /* of the texts read so far; there may be ENOUGH_BYTES */
    /* The first row's keys in the order that lua_next gives them. Rows made by one constructor
       share it, and a short string is known by its address: no look-up. */
    size_t n_order;
    struct key_place {
        const void *key; /* lua_topointer */
        size_t position;
    } * order;
    bool *documents; /* of a position: no value of it is plain */
    size_t numbered; /* the position that the database numbers; n: none does */
} targets;

static void check_row(lua_State *L, int rows, lua_Integer i)
{
    if (lua_rawgeti(L, rows, i) != LUA_TTABLE)
        hyl_fail(L, lua_isnil(L, -1) ? HY_ENIL_VALUE : HY_EINVALID_ARGUMENT,
                 "insert: row %d is a %s, expected a table", (int)i, luaL_typename(L, -1));
    hyl_check_plain(L, -1, "insert");
}

/* Add the keys of rows first..last to the set table on top. */
static void collect_keys(lua_State *L, int rows, lua_Integer first, lua_Integer last)
{
    int seen = lua_gettop(L);
    for (lua_Integer i = first; i <= last; i++) {
        check_row(L, rows, i);
        for (lua_pushnil(L); lua_next(L, seen + 1);) {
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lua_pushboolean(L, 1);
            lua_rawset(L, seen);
        }
        lua_settop(L, seen);
    }
}

static void *new_block(lua_State *L, size_t n, size_t size)
{
    return lua_newuserdatauv(L, (n + 1) * size, 0);
}

/* The columns that the keys of the set name, in the model's order; two keys may name one. */
static void find_columns(lua_State *L, const hy_model *model, targets *t)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, t->seen); lua_pop(L, 1)) {
        t->columns[n++] = hyl_check_writable(L, model, lua_gettop(L) - 1);
    }
    qsort(t->columns, n, sizeof *t->columns, by_index);
    t->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (t->n > 0 && t->columns[i] == t->columns[t->n - 1])
            continue;
        t->columns[t->n] = t->columns[i];
        t->names[t->n++] = t->columns[i]->property;
    }
}

/* The set's keys themselves, sorted. */
static void find_names(lua_State *L, targets *t)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, t->seen); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "a row's keys are column names, got a %s",
                     luaL_typename(L, -2));
        t->names[n++] = hyl_to_name(L, -2, "a row's key");
    }
    qsort(t->names, n, sizeof *t->names, by_name);
    memset(t->columns, 0, n * sizeof *t->columns);
}

static bool is_json(const hy_column *column)
{
    return column != NULL &&
           (column->kind == HY_KIND_JSON || column->kind == HY_KIND_JSONB || column->kind == HY_KIND_ARRAY);
}

static size_t position_of(const targets *t, const hy_column *column, const char *key)
{
    size_t i = 0;
    while (column != NULL ? t->columns[i] != column : strcmp(t->names[i], key) != 0)
        i++;
    return i;
}

/* Let the set say where each key's column stands, and note the order of row `first`. */
static void place_keys(lua_State *L, const hy_model *model, int rows, lua_Integer first, targets *t)
{
    int top = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, t->seen);) {
        lua_pop(L, 1);
        const hy_column *column = model != NULL ? hyl_check_writable(L, model, top + 1) : NULL;
        lua_pushvalue(L, -1);
        lua_pushinteger(L, (lua_Integer)position_of(t, column, lua_tostring(L, top + 1)) + 1);
        lua_rawset(L, t->seen);
    }
    lua_rawgeti(L, rows, first);
    t->n_order = 0;
    for (lua_pushnil(L); lua_next(L, top + 1); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawget(L, t->seen);
        t->order[t->n_order++] = (struct key_place){lua_topointer(L, -3), (size_t)lua_tointeger(L, -1) - 1};
        lua_pop(L, 1);
    }
    lua_settop(L, top);
}

/* Begin an insert into what rows first..last name. Leaves the set and the blocks on the stack. */
static void begin_insert(lua_State *L, hy_query *q, int rows, lua_Integer first, lua_Integer last, targets *t)
{
    const hy_model *model = hy_query_model(q);
    lua_newtable(L);
    t->seen = lua_gettop(L);
    collect_keys(L, rows, first, last);
    t->n = 0;
    for (lua_pushnil(L); lua_next(L, t->seen); lua_pop(L, 1))
        t->n++;
    t->columns = new_block(L, t->n, sizeof *t->columns);
    t->names = new_block(L, t->n, sizeof *t->names);
    t->values = new_block(L, t->n, sizeof *t->values);
    t->order = new_block(L, t->n, sizeof *t->order);
    t->documents = new_block(L, t->n, sizeof *t->documents);
    if (model != NULL) {
        find_columns(L, model, t);
        hy_query_insert_columns(q, t->columns, t->n);
    } else {
        find_names(L, t);
        hy_query_insert(q, t->names, t->n);
    }
    t->numbered = t->n;
    for (size_t i = 0; i < t->n; i++) {
        t->documents[i] = is_json(t->columns[i]);
        if (t->columns[i] != NULL && (t->columns[i]->flags & HY_COLUMN_INCREMENT) != 0)
            t->numbered = i;
    }
    place_keys(L, model, rows, first, t);
}

/* The place of the key below the top; t->n: not one of ours. */
static size_t look_up(lua_State *L, const targets *t)
{
    lua_pushvalue(L, -2);
    size_t position = lua_rawget(L, t->seen) == LUA_TNUMBER ? (size_t)lua_tointeger(L, -1) - 1 : t->n;
    lua_pop(L, 1);
    return position;
}

/* The same of the `i`th key of its row. */
static inline size_t place_of(lua_State *L, const targets *t, size_t i)
{
    return i < t->n_order && lua_topointer(L, -2) == t->order[i].key ? t->order[i].position : look_up(L, t);
}

static void fail_twice(lua_State *L, const targets *t, size_t i)
{
    hyl_fail(L, HY_EINVALID_ARGUMENT, "column '%s' is given twice, by property and by database name",
             t->names[i]);
}

typedef enum row_form {
    ROW_PLAIN,   /* read into t->values */
    ROW_MIXED,   /* holds more than plain values */
    ROW_FOREIGN, /* has a key that is not in the set */
    ROW_SHORT    /* lacks one that is, and that matters */
} row_form;

/* Read the row on top. Its strings are borrowed. */
static row_form read_row(lua_State *L, targets *t, bool uniform)
{
    int row = lua_gettop(L);
    row_form form = ROW_PLAIN;
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        t->values[i].type = HY_TYPE_COUNT;
    for (lua_pushnil(L); lua_next(L, row); lua_pop(L, 1), n++) {
        size_t i = place_of(L, t, n);
        if (i == t->n) {
            lua_settop(L, row);
            return ROW_FOREIGN;
        }
        if (t->values[i].type != HY_TYPE_COUNT)
            fail_twice(L, t, i);
        hy_value *v = &t->values[i];
        if (t->documents[i] || !hyl_to_value(L, -1, v))
            form = ROW_MIXED;
        else if (v->type == HY_TEXT)
            t->bytes += v->as.text.size;
    }
    return uniform && n < t->n ? ROW_SHORT : form;
}

/* Some databases would number the row, others refuse it. */
static void refuse_null_number(lua_State *L, const targets *t)
{
    if (t->numbered < t->n && t->values[t->numbered].type == HY_NULL)
        hyl_fail(L, HY_ENOT_NULL_VIOLATION, "column '%s' is NULL: leave it out for the next number",
                 t->names[t->numbered]);
}

/* The row on top, one expression a cell. */
static void insert_mixed(lua_State *L, hy_query *q, const targets *t)
{
    int row = lua_gettop(L);
    hy_expr **cells = new_block(L, t->n, sizeof *cells);
    memset(cells, 0, t->n * sizeof *cells);
    for (lua_pushnil(L); lua_next(L, row); lua_pop(L, 1)) {
        size_t i = place_of(L, t, t->n);
        if (cells[i] != NULL)
            fail_twice(L, t, i);
        cells[i] = hyl_to_expr(L, q, -1, NULL, t->columns[i], t->names[i]);
    }
    hy_query_insert_row(q, cells, t->n);
}

/* Rows first..last, up to one that does not fit, or until it is enough; the last that was taken. */
static lua_Integer insert_rows(lua_State *L, hy_query *q, int rows, lua_Integer first, lua_Integer last,
                               bool uniform, targets *t)
{
    int top = lua_gettop(L);
    t->bytes = 0;
    for (lua_Integer r = first; r <= last; r++) {
        if (t->bytes >= ENOUGH_BYTES)
            return r - 1;
        check_row(L, rows, r);
        row_form form = read_row(L, t, uniform);
        if (form == ROW_FOREIGN || form == ROW_SHORT)
            return r - 1;
        refuse_null_number(L, t);
        if (form == ROW_PLAIN)
            hy_query_insert_values(q, t->values, t->n);
        else
            insert_mixed(L, q, t);
        lua_settop(L, top);
    }
    return last;
}

/* q:_insert(rows, first, last, uniform) -> the last row that was taken; of rows without a column, one */
static int query_insert(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer first = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, (lua_Integer)lua_rawlen(L, 2));
    bool uniform = lua_toboolean(L, 5);
    targets t;
    lua_settop(L, 2);
    hyl_need_stack(L, 24);
    /* Most lists are uniform: the first row says what the others have, until one has more. */
    begin_insert(L, q, 2, first, first, &t);
    lua_Integer done = insert_rows(L, q, 2, first, t.n > 0 ? last : first, uniform, &t);
    if (done < last && !uniform && t.bytes < ENOUGH_BYTES) {
        lua_settop(L, 2);
        begin_insert(L, q, 2, first, last, &t);
        done = insert_rows(L, q, 2, first, t.n > 0 ? last : first, false, &t);
    }
    hyl_query_check(L, q);
    lua_pushinteger(L, done);
    return 1;
}

/* q:_set(column, value) */
static int query_set(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "column", &size);
    const hy_column *column = hy_query_model(q) != NULL ? hyl_check_writable(L, hy_query_model(q), 2) : NULL;
    hy_query_set(q, name, size, hyl_to_expr(L, q, 3, NULL, column, name));
    return hyl_query_done(L, q);
}

/* Is the number on the stack below zero, and has a number above that is as far from it? */
static bool is_negative(lua_State *L, int index)
{
    if (lua_isinteger(L, index) && lua_tointeger(L, index) == LUA_MININTEGER)
        return false;
    lua_pushinteger(L, 0);
    bool negative = lua_compare(L, index, -1, LUA_OPLT);
    lua_pop(L, 1);
    return negative;
}

/* q:_increment(column, amount): column = column + amount, which must fit the column. A negative amount
   is taken away: an unsigned column has no such value. */
static int query_increment(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "column", &size);
    const hy_column *column = hy_query_model(q) != NULL ? hyl_check_writable(L, hy_query_model(q), 2) : NULL;
    if (lua_type(L, 3) != LUA_TNUMBER && hyl_typeof(L, 3) != HYL_DECIMAL)
        return hyl_fail_argument(L, 3, "amount", "a number");
    lua_settop(L, 3);
    hy_op op = is_negative(L, 3) ? HY_OP_SUBTRACT : HY_OP_ADD;
    if (op == HY_OP_SUBTRACT)
        lua_arith(L, LUA_OPUNM);
    hy_expr *stored = hy_expr_column(q, name, size);
    hy_expr *amount = hyl_to_expr(L, q, 3, NULL, column, name);
    hy_query_set(q, name, size, hy_expr_compare(q, op, stored, amount));
    return hyl_query_done(L, q);
}

static int query_delete(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_delete(q);
    return hyl_query_done(L, q);
}

static int query_truncate(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    hy_query_truncate(q);
    return hyl_query_done(L, q);
}

/* q:_returning(list | true) */
static int query_returning(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    if (!lua_istable(L, 2)) {
        hy_query_returning(q, hy_expr_column(q, "*", 1), NULL);
        return hyl_query_done(L, q);
    }
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
        hy_query_returning(q, hyl_to_operand(L, q, -1, false, "returning"), NULL);
        lua_pop(L, 1);
    }
    return hyl_query_done(L, q);
}

/* A list of strings as C strings in a userdata left on the stack; the table keeps them alive. */
static const char **check_names(lua_State *L, int index, const char *what, size_t *n)
{
    if (!lua_istable(L, index))
        hyl_fail_argument(L, index, what, "a list of column names");
    *n = lua_rawlen(L, index);
    const char **names = lua_newuserdatauv(L, sizeof *names * (*n + 1), 0);
    for (size_t i = 0; i < *n; i++) {
        if (lua_rawgeti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: column names are text", what);
        names[i] = hyl_to_name(L, -1, what);
        lua_pop(L, 1);
    }
    return names;
}

/* q:_onConflict(columns, "update" | "nothing", update_columns) */
static int query_on_conflict(lua_State *L)
{
    static const char *const actions[] = {"update", "nothing", NULL};
    hy_query *q = hyl_check_query(L, 1);
    lua_settop(L, 4);
    int action = hyl_check_word(L, 3, "onConflict", actions);
    size_t n, n_update = 0;
    const char **columns = check_names(L, 2, "conflict columns", &n);
    const char **update = action == 0 ? check_names(L, 4, "update columns", &n_update) : NULL;
    hy_query_on_conflict(q, columns, n, (hy_conflict_action)action, update, n_update);
    return hyl_query_done(L, q);
}

/* q:_conflictSet(column, value): what the row that is there gets instead of the new row's value */
static int query_conflict_set(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "column", &size);
    const hy_column *column = hy_query_model(q) != NULL ? hyl_check_writable(L, hy_query_model(q), 2) : NULL;
    hy_query_conflict_set(q, name, size, hyl_to_expr(L, q, 3, NULL, column, name));
    return hyl_query_done(L, q);
}

/* q:_conflictIncrement(column): one more than the row that is there has */
static int query_conflict_increment(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size;
    const char *name = hyl_check_text(L, 2, "column", &size);
    hy_value one = hy_int(1);
    hy_expr *column = hy_expr_column(q, name, size);
    hy_expr *more = hy_expr_compare(q, HY_OP_ADD, column, hy_expr_value_like(q, column, &one));
    hy_query_conflict_set(q, name, size, more);
    return hyl_query_done(L, q);
}

/* q:_keyIs({ values in key order }) */
static int query_key_is(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const hy_model *model = hy_query_model(q);
    size_t n = model != NULL ? hy_model_n_keys(model) : 0;
    if (n == 0)
        return hyl_fail(L, HY_EMODEL_HAS_NO_PRIMARY_KEY, "%s has no primary key",
                        model != NULL ? hy_model_name(model) : "a plain table");
    for (size_t i = 0; i < n; i++) {
        const char *key = hy_model_key(model, i)->property;
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        hy_expr *lhs = hyl_column_named(q, key);
        hy_expr *rhs = hyl_to_expr(L, q, -1, lhs, NULL, key);
        hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_compare(q, HY_OP_EQ, lhs, rhs));
        lua_pop(L, 1);
    }
    return hyl_query_done(L, q);
}

/* q:_keyIn(properties, rows): one property: rows are values; several: rows are lists of values. */
static int query_key_in(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t n_columns;
    const char **names = check_names(L, 2, "key", &n_columns);
    luaL_checktype(L, 3, LUA_TTABLE);
    size_t n = lua_rawlen(L, 3);
    hy_expr **items = lua_newuserdatauv(L, sizeof *items * (n + 1), 0);
    hy_expr **cells = lua_newuserdatauv(L, sizeof *cells * (2 * n_columns + 1), 0);
    hy_expr **columns = cells + n_columns;
    for (size_t c = 0; c < n_columns; c++)
        columns[c] = hyl_column_named(q, names[c]);
    hy_expr *lhs = n_columns == 1 ? columns[0] : hy_expr_row(q, columns, n_columns);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        if (n_columns == 1) {
            items[i] = hyl_to_expr(L, q, -1, lhs, NULL, names[0]);
        } else {
            int row = lua_gettop(L);
            luaL_checktype(L, row, LUA_TTABLE);
            for (size_t c = 0; c < n_columns; c++) {
                lua_rawgeti(L, row, (lua_Integer)c + 1);
                cells[c] = hyl_to_expr(L, q, -1, columns[c], NULL, names[c]);
                lua_pop(L, 1);
            }
            items[i] = hy_expr_row(q, cells, n_columns);
        }
        lua_pop(L, 1);
    }
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_in(q, lhs, items, n, false));
    return hyl_query_done(L, q);
}

/* q:_keyInQuery(sub): the key is one of those that a query of as many columns gives */
static int query_key_in_query(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1), *sub = hyl_check_query(L, 2);
    const hy_model *model = hy_query_model(q);
    size_t n = model != NULL ? hy_model_n_keys(model) : 0;
    hy_expr **keys = lua_newuserdatauv(L, sizeof *keys * (n + 1), 0);
    if (n == 0)
        return hyl_fail(L, HY_EMODEL_HAS_NO_PRIMARY_KEY, "the query's table has no primary key");
    for (size_t i = 0; i < n; i++)
        keys[i] = hyl_column_named(q, hy_model_key(model, i)->property);
    hy_expr *lhs = n == 1 ? keys[0] : hy_expr_row(q, keys, n);
    hyl_carry_inside(L, 1, 2);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, hy_expr_in_query(q, lhs, sub, false));
    return hyl_query_done(L, q);
}

/* a = ? AND b = ? for the key on the stack: a value, or a list of several columns' values. */
static hy_expr *key_equals(lua_State *L, hy_query *q, const char *const *names, size_t n)
{
    int key = lua_gettop(L);
    hy_expr **parts = lua_newuserdatauv(L, sizeof *parts * (n + 1), 0);
    for (size_t i = 0; i < n; i++) {
        hy_expr *column = hyl_column_named(q, names[i]);
        if (n == 1)
            lua_pushvalue(L, key);
        else
            lua_rawgeti(L, key, (lua_Integer)i + 1);
        parts[i] = hy_expr_compare(q, HY_OP_EQ, column, hyl_to_expr(L, q, -1, column, NULL, names[i]));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return n == 1 ? parts[0] : hy_expr_all(q, HY_AND, parts, n);
}

/* The column as it is stored. One that is hashed or encrypted stands in no CASE, but in raw SQL. */
static hy_expr *stored_column(hy_query *q, const hy_column *column, const char *name, size_t size)
{
    hy_expr *stored = hy_expr_column(q, name, size);
    bool opaque = column != NULL && (column->flags & HY_COLUMN_OPAQUE) != 0;
    return opaque ? hy_expr_raw(q, "?", 1, &stored, 1) : stored;
}

/* q:_setByKey(column, names, keys, values): column = CASE WHEN the key is keys[i] THEN values[i] ... ELSE
   column END; the keys as those of q:_keyIn */
static int query_set_by_key(lua_State *L)
{
    hy_query *q = hyl_check_query(L, 1);
    size_t size, n_names;
    const char *name = hyl_check_text(L, 2, "column", &size);
    const hy_column *column = hy_query_model(q) != NULL ? hyl_check_writable(L, hy_query_model(q), 2) : NULL;
    luaL_checktype(L, 4, LUA_TTABLE);
    luaL_checktype(L, 5, LUA_TTABLE);
    lua_settop(L, 5);
    const char **names = check_names(L, 3, "key", &n_names);
    size_t n = lua_rawlen(L, 4);
    hy_expr **whens = lua_newuserdatauv(L, sizeof *whens * (2 * n + 1), 0), **thens = whens + n;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 4, (lua_Integer)i + 1);
        whens[i] = key_equals(L, q, names, n_names);
        lua_rawgeti(L, 5, (lua_Integer)i + 1);
        thens[i] = hyl_to_expr(L, q, -1, NULL, column, name);
        lua_pop(L, 2);
    }
    hy_query_set(q, name, size, hy_expr_case(q, whens, thens, n, stored_column(q, column, name, size)));
    return hyl_query_done(L, q);
}

/* q:_drop(): an empty query; its memory goes back now, not when the collector comes by. */
static int query_drop(lua_State *L)
{
    hy_query_clear(hyl_check_query(L, 1));
    return 0;
}

void hyl_write_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"_insert", query_insert},
        {"_set", query_set},
        {"_increment", query_increment},
        {"_delete", query_delete},
        {"_truncate", query_truncate},
        {"_returning", query_returning},
        {"_onConflict", query_on_conflict},
        {"_conflictSet", query_conflict_set},
        {"_conflictIncrement", query_conflict_increment},
        {"_keyIs", query_key_is},
        {"_keyIn", query_key_in},
        {"_keyInQuery", query_key_in_query},
        {"_setByKey", query_set_by_key},
        {"_drop", query_drop},
        {NULL, NULL},
    };
    luaL_setfuncs(L, methods, 0);
}
