/*
 * model.c - core.model(spec): frozen metadata from a Lua table.
 *
 * The spec was made by lua/hysteria; what is checked here is what the core checks. The
 * userdata holds one reference to the hy_model and how each column appears in Lua.
 */
#include "binding.h"

#include <string.h>

static const char *const as_words[] = {"", "string", "epoch", "table", "number", NULL};

hyl_as hyl_model_as(const hyl_model *m, const hy_column *column)
{
    if (m == NULL || column == NULL || column->index >= hy_model_n_columns(m->model) ||
        hy_model_column(m->model, column->index) != column)
        return HYL_AS_DEFAULT;
    return (hyl_as)m->as[column->index];
}

hyl_model *hyl_check_model(lua_State *L, int index)
{
    if (lua_istable(L, index) && luaL_getmetafield(L, index, "__hymodel") != LUA_TNIL) {
        lua_pushvalue(L, index);
        lua_call(L, 1, 1);
        lua_replace(L, index);
    }
    return hyl_check(L, index, HYL_MODEL);
}

/* ---- reading the spec: the table on top of the stack ------------------------------------- */

static const char *text_field(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1); /* the table keeps it alive */
    return text;
}

static bool bool_field(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

static int int_field(lua_State *L, const char *name, int missing)
{
    lua_getfield(L, -1, name);
    int exact;
    lua_Integer value = lua_tointegerx(L, -1, &exact);
    lua_pop(L, 1);
    return exact && value >= -1 && value <= INT32_MAX ? (int)value : missing;
}

/* The list of strings in field `name` of the table on top: a block left on the stack above it
   (the caller pops two: the list and the block). */
static const char *const *list_field(lua_State *L, const char *name, size_t *n)
{
    lua_getfield(L, -1, name);
    *n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
    const char **list = lua_newuserdatauv(L, sizeof *list * (*n + 1), 0);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        list[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    return list;
}

static unsigned column_flags(lua_State *L)
{
    static const struct {
        const char *name;
        hy_column_flag flag;
    } names[] = {
        {"primary", HY_COLUMN_PRIMARY},     {"notNull", HY_COLUMN_NOT_NULL},
        {"unique", HY_COLUMN_UNIQUE},       {"increment", HY_COLUMN_INCREMENT},
        {"hidden", HY_COLUMN_HIDDEN},       {"generated", HY_COLUMN_GENERATED},
        {"sensitive", HY_COLUMN_SENSITIVE}, {"unsigned", HY_COLUMN_UNSIGNED},
        {"timezone", HY_COLUMN_TIMEZONE},   {"opaque", HY_COLUMN_OPAQUE},
        {"computed", HY_COLUMN_COMPUTED},
    };
    unsigned flags = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bool_field(L, names[i].name))
            flags |= (unsigned)names[i].flag;
    return flags;
}

/* `default`: a value, or core.raw for an SQL expression. */
static void column_default(lua_State *L, hy_column *column, char text[HY_DECIMAL_TEXT_SIZE])
{
    lua_getfield(L, -1, "default");
    hyl_type type = hyl_typeof(L, -1);
    size_t size;
    if (!lua_isnil(L, -1))
        column->flags |= HY_COLUMN_HAS_DEFAULT;
    if (type == HYL_RAW)
        column->default_sql = hyl_node_word(L, -1, &size);
    else if (type == HYL_DECIMAL)
        column->default_value = hy_bytes(HY_DECIMAL, text, hy_decimal_format(lua_touserdata(L, -1), text));
    else if (!lua_isnil(L, -1) && !hyl_to_value(L, -1, &column->default_value))
        hyl_fail(L, HY_EINVALID_MODEL, "column '%s': a default is a value or sql.rawStatement",
                 column->property);
    bool is_json = column->kind == HY_KIND_JSON || column->kind == HY_KIND_JSONB;
    if (is_json && column->default_value.type == HY_TEXT)
        column->default_value.type = HY_JSON;
    lua_pop(L, 1);
}

/* The column table on top of the stack. */
static void add_column(lua_State *L, hyl_model *m, size_t i)
{
    char decimal[HY_DECIMAL_TEXT_SIZE];
    hy_column column = {
        .property = text_field(L, "property"),
        .name = text_field(L, "name"),
        .flags = column_flags(L),
        .length = int_field(L, "length", 0),
        .precision = int_field(L, "precision", -1),
        .scale = int_field(L, "scale", -1),
        .type_sql = text_field(L, "typeSql"),
        .comment = text_field(L, "comment"),
        .generated_sql = text_field(L, "generated"),
    };
    const char *kind = text_field(L, "kind");
    column.kind = hy_kind_from_name(kind != NULL ? kind : "any");
    if (column.property == NULL || column.kind == HY_KIND_COUNT)
        hyl_fail(L, HY_EINVALID_MODEL, "column '%s': no kind '%s'",
                 column.property != NULL ? column.property : "?", kind != NULL ? kind : "?");
    const char *element = text_field(L, "element");
    column.element = element != NULL ? hy_kind_from_name(element) : HY_KIND_ANY;
    const char *as = text_field(L, "as");
    for (int w = 0; as != NULL && as_words[w] != NULL; w++)
        if (strcmp(as, as_words[w]) == 0)
            m->as[i] = (uint8_t)w;
    if (m->as[i] == HYL_AS_NUMBER)
        column.flags |= HY_COLUMN_FLOATS;
    column_default(L, &column, decimal);
    column.enum_values = list_field(L, "values", &column.n_enum_values);
    hy_error err;
    if (hy_model_add_column(m->model, &column, &err) != HY_OK)
        hyl_raise(L, &err);
    lua_pop(L, 2);
}

static void add_index(lua_State *L, hyl_model *m)
{
    size_t n;
    const char *name = text_field(L, "name");
    bool unique = bool_field(L, "unique");
    const char *const *columns = list_field(L, "columns", &n);
    hy_error err;
    if (hy_model_add_index(m->model, name, columns, n, unique, &err) != HY_OK)
        hyl_raise(L, &err);
    lua_pop(L, 2);
}

static void add_check(lua_State *L, hyl_model *m)
{
    hy_error err;
    if (hy_model_add_check(m->model, text_field(L, "name"), text_field(L, "expression"), &err) != HY_OK)
        hyl_raise(L, &err);
}

static hy_reference_action action_field(lua_State *L, const char *field)
{
    static const char *const words[] = {"", "cascade", "set null", "set default", "restrict", "no action"};
    const char *word = text_field(L, field);
    for (int i = 1; word != NULL && i < (int)(sizeof words / sizeof *words); i++)
        if (strcmp(word, words[i]) == 0)
            return (hy_reference_action)i;
    if (word != NULL)
        hyl_fail(L, HY_EINVALID_MODEL, "%s: no action '%.40s'", field, word);
    return HY_REFERENCE_NONE;
}

static void add_foreign_key(lua_State *L, hyl_model *m)
{
    const char *name = text_field(L, "name"), *table = text_field(L, "table");
    hy_reference_action on_delete = action_field(L, "onDelete"), on_update = action_field(L, "onUpdate");
    size_t n, n_targets;
    int spec = lua_gettop(L);
    const char *const *columns = list_field(L, "columns", &n);
    lua_pushvalue(L, spec);
    const char *const *targets = list_field(L, "targets", &n_targets);
    hy_error err;
    if (table == NULL || n != n_targets)
        hyl_fail(L, HY_EINVALID_MODEL, "a foreign key needs a table and as many targets as columns");
    if (hy_model_add_foreign_key(m->model, name, columns, n, table, targets, on_delete, on_update, &err) !=
        HY_OK)
        hyl_raise(L, &err);
    lua_settop(L, spec);
}

/* Call add(element) for each table of the list in field `name` of the spec at 1. */
static void each(lua_State *L, hyl_model *m, const char *name, void (*add)(lua_State *L, hyl_model *m))
{
    lua_getfield(L, 1, name);
    size_t n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        add(L, m);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static hy_naming find_naming(lua_State *L, const char *word)
{
    static const char *const words[] = {"preserve", "snake", "camel", "pascal"};
    for (int i = 0; i < 4; i++)
        if (strcmp(word, words[i]) == 0)
            return (hy_naming)i;
    hyl_fail(L, HY_EINVALID_MODEL, "no naming '%.40s' (preserve, snake, camel, pascal)", word);
    return HY_NAMING_PRESERVE;
}

hy_naming hyl_check_naming(lua_State *L, int index)
{
    return find_naming(L, luaL_checkstring(L, index));
}

static void set_keys(lua_State *L, hyl_model *m)
{
    size_t n;
    hy_error err;
    lua_pushvalue(L, 1);
    const char *const *keys = list_field(L, "primaryKey", &n);
    if (n > 0 && hy_model_set_primary_key(m->model, keys, n, &err) != HY_OK)
        hyl_raise(L, &err);
    lua_pop(L, 2);
    const char *soft = text_field(L, "softDelete");
    if (soft != NULL && hy_model_set_soft_delete(m->model, soft, &err) != HY_OK)
        hyl_raise(L, &err);
    lua_pop(L, 1);
}

/* What records come from is the model of all states that share a registry. */
static void publish(lua_State *L, hyl_model *m)
{
    hy_registry *registry = hyl_state_get(L)->registry;
    hy_model *shared;
    hy_error err;
    if (registry == NULL)
        return;
    if (hy_registry_publish(registry, m->model, &shared, &err) != HY_OK)
        hyl_raise(L, &err);
    hy_model_unref(m->model);
    m->model = shared;
}

/* core.model(spec) */
static int core_model(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const char *name = text_field(L, "name"), *schema = text_field(L, "schema"),
               *table = text_field(L, "table");
    const char *naming = text_field(L, "naming");
    lua_getfield(L, 1, "columns");
    if (name == NULL || table == NULL || !lua_istable(L, 2))
        return hyl_fail(L, HY_EINVALID_MODEL, "a model needs a name, a table and columns");
    size_t n = lua_rawlen(L, 2);
    hyl_model *m = hyl_new(L, HYL_MODEL, sizeof *m + n, HYL_MODEL_VALUES);
    m->model = hy_model_new(name, schema, table, find_naming(L, naming != NULL ? naming : "snake"));
    if (m->model == NULL)
        return hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    lua_pushvalue(L, 1);
    m->derived = bool_field(L, "derived");
    lua_pop(L, 1);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        add_column(L, m, i);
        lua_pop(L, 1);
    }
    set_keys(L, m);
    each(L, m, "indexes", add_index);
    each(L, m, "checks", add_check);
    each(L, m, "foreignKeys", add_foreign_key);
    hy_error err;
    if (hy_model_freeze(m->model, &err) != HY_OK)
        return hyl_raise(L, &err);
    m->version = hy_model_version(m->model);
    if (lua_getfield(L, 1, "class") != LUA_TNIL)
        publish(L, m);
    lua_setiuservalue(L, 3, 1);
    lua_getfield(L, 1, "meta");
    lua_setiuservalue(L, 3, 2);
    lua_settop(L, 3);
    return 1;
}

static int model_gc(lua_State *L)
{
    hyl_model *m = lua_touserdata(L, 1);
    hy_model_unref(m->model);
    m->model = NULL;
    return hyl_retire(L);
}

/* ---- methods ----------------------------------------------------------------------------- */

static const hy_model *self(lua_State *L)
{
    return ((hyl_model *)hyl_check(L, 1, HYL_MODEL))->model;
}

static int model_name(lua_State *L)
{
    lua_pushstring(L, hy_model_name(self(L)));
    return 1;
}

static int model_table(lua_State *L)
{
    lua_pushstring(L, hy_model_table(self(L)));
    return 1;
}

static int model_version(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)((hyl_model *)hyl_check(L, 1, HYL_MODEL))->version);
    return 1;
}

static int model_columns(lua_State *L)
{
    const hy_model *m = self(L);
    size_t n = hy_model_n_columns(m);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, hy_model_column(m, i)->property);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int model_keys(lua_State *L)
{
    const hy_model *m = self(L);
    size_t n = hy_model_n_keys(m);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, hy_model_key(m, i)->property);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int model_column(lua_State *L)
{
    static const struct {
        const char *name;
        hy_column_flag flag;
    } flags[] = {{"increment", HY_COLUMN_INCREMENT}, {"generated", HY_COLUMN_GENERATED},
                 {"hidden", HY_COLUMN_HIDDEN},       {"notNull", HY_COLUMN_NOT_NULL},
                 {"primary", HY_COLUMN_PRIMARY},     {"sensitive", HY_COLUMN_SENSITIVE}};
    size_t size;
    const char *name = luaL_checklstring(L, 2, &size);
    const hy_column *c = hy_model_find_column(self(L), name, size);
    if (c == NULL)
        return 0;
    lua_createtable(L, 0, 10);
    lua_pushstring(L, c->property);
    lua_setfield(L, -2, "property");
    lua_pushstring(L, c->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, hy_kind_name(c->kind));
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, (lua_Integer)c->index + 1);
    lua_setfield(L, -2, "index");
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        lua_pushboolean(L, (c->flags & (unsigned)flags[i].flag) != 0);
        lua_setfield(L, -2, flags[i].name);
    }
    return 1;
}

static void push_index(lua_State *L, const hy_model *m, size_t i)
{
    const hy_index *index = hy_model_index(m, i);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, index->name);
    lua_setfield(L, -2, "name");
    lua_pushboolean(L, index->unique);
    lua_setfield(L, -2, "unique");
    lua_createtable(L, (int)index->n_columns, 0);
    for (size_t c = 0; c < index->n_columns; c++) {
        lua_pushstring(L, hy_model_column(m, index->columns[c])->property);
        lua_rawseti(L, -2, (lua_Integer)c + 1);
    }
    lua_setfield(L, -2, "columns");
}

static void push_check(lua_State *L, const hy_model *m, size_t i)
{
    const hy_check *check = hy_model_check(m, i);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, check->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, check->expression);
    lua_setfield(L, -2, "expression");
}

static int list_parts(lua_State *L, size_t (*count)(const hy_model *m),
                      void (*push)(lua_State *L, const hy_model *m, size_t i))
{
    const hy_model *m = self(L);
    size_t n = count(m);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push(L, m, i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* m:indexes() -> { { name, columns = { properties }, unique }, ... }, those of unique columns too. */
static int model_indexes(lua_State *L)
{
    return list_parts(L, hy_model_n_indexes, push_index);
}

/* m:checks() -> { { name, expression }, ... } */
static int model_checks(lua_State *L)
{
    return list_parts(L, hy_model_n_checks, push_check);
}

static int model_suggest(lua_State *L)
{
    size_t size;
    const char *name = luaL_checklstring(L, 2, &size);
    lua_pushstring(L, hy_model_suggest_column(self(L), name, size)); /* NULL pushes nil */
    return 1;
}

const hy_column *hyl_check_writable(lua_State *L, const hy_model *m, int index)
{
    size_t size;
    if (lua_type(L, index) != LUA_TSTRING)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "%s: a row's keys are column names, got a %s", hy_model_name(m),
                 luaL_typename(L, index));
    const char *name = lua_tolstring(L, index, &size);
    const hy_column *c = hy_model_find_column(m, name, size);
    if (c == NULL) {
        char message[256];
        hy_model_missing_column(m, name, size, message, sizeof message);
        hyl_fail(L, HY_EUNDEFINED_COLUMN, "%s", message);
    }
    if (c->flags & HY_COLUMN_GENERATED)
        hyl_fail(L, HY_EINVALID_ARGUMENT,
                 "column '%s' of %s is computed by the database and cannot be written", c->property,
                 hy_model_name(m));
    return c;
}

static void check_row(lua_State *L, int index, const hy_model *m)
{
    if (!lua_istable(L, index))
        hyl_fail_argument(L, index, "row", "a table");
    hyl_check_plain(L, index, hy_model_name(m));
}

static int model_row_check(lua_State *L)
{
    const hy_model *m = self(L);
    check_row(L, 2, m);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
        hyl_check_writable(L, m, lua_gettop(L) - 1);
    return 0;
}

static int model_row_copy(lua_State *L)
{
    const hy_model *m = self(L);
    check_row(L, 2, m);
    lua_settop(L, 2);
    lua_createtable(L, 0, (int)hy_model_n_columns(m));
    for (lua_pushnil(L); lua_next(L, 2);) {
        const hy_column *c = hyl_check_writable(L, m, 4);
        lua_pushstring(L, c->property);
        if (lua_rawget(L, 3) != LUA_TNIL)
            return hyl_fail(L, HY_EINVALID_ARGUMENT,
                            "column '%s' is given twice, by property and by database name", c->property);
        lua_pop(L, 1);
        lua_pushstring(L, c->property);
        lua_insert(L, -2);
        lua_rawset(L, 3);
    }
    return 1;
}

/* ---- schema ------------------------------------------------------------------------------ */

/* Statements collected without touching Lua: a raise must not pass through the core. */
typedef struct sql_list {
    char **texts;
    size_t n, capacity;
} sql_list;

static hy_status collect(void *ctx, const char *sql, size_t size, hy_error *err)
{
    sql_list *list = ctx;
    if (list->n == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : 2 * list->capacity;
        char **texts = hy_realloc(list->texts, capacity * sizeof *texts);
        if (texts == NULL)
            return hy_fail_oom(err);
        list->texts = texts;
        list->capacity = capacity;
    }
    char *copy = hy_alloc(size + 1);
    if (copy == NULL)
        return hy_fail_oom(err);
    memcpy(copy, sql, size);
    copy[size] = '\0';
    list->texts[list->n++] = copy;
    return HY_OK;
}

static void free_texts(sql_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        hy_free(list->texts[i]);
    hy_free(list->texts);
}

/* Push the texts as a list (protected: memory may run out). */
static int push_texts(lua_State *L)
{
    const sql_list *list = lua_touserdata(L, 1);
    lua_createtable(L, (int)list->n, 0);
    for (size_t i = 0; i < list->n; i++) {
        lua_pushstring(L, list->texts[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int finish_list(lua_State *L, sql_list *list, hy_status status, const hy_error *err)
{
    if (status != HY_OK) {
        free_texts(list);
        return hyl_raise(L, err);
    }
    lua_pushcfunction(L, push_texts);
    lua_pushlightuserdata(L, list);
    int result = lua_pcall(L, 1, 1, 0);
    free_texts(list);
    return result == LUA_OK ? 1 : lua_error(L);
}

static const hy_dialect *check_dialect(lua_State *L, int index)
{
    const char *name = luaL_checkstring(L, index);
    const hy_dialect *dialect = hy_dialect_find(name);
    if (dialect == NULL)
        hyl_fail(L, HY_EUNSUPPORTED_DATABASE_TYPE, "no dialect '%.40s'", name);
    return dialect;
}

static bool option(lua_State *L, int index, const char *name, bool missing)
{
    if (!lua_istable(L, index))
        return missing;
    lua_getfield(L, index, name);
    bool set = lua_isnil(L, -1) ? missing : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

/* m:createSql(dialect, { ifNotExists?, foreignKeys? }) */
static int model_create_sql(lua_State *L)
{
    const hy_model *m = self(L);
    const hy_dialect *dialect = check_dialect(L, 2);
    bool if_not_exists = option(L, 3, "ifNotExists", false), foreign_keys = option(L, 3, "foreignKeys", true);
    lua_settop(L, 3);
    hyl_need_stack(L, 8);
    sql_list list = {0};
    hy_error err;
    return finish_list(
        L, &list, hy_ddl_create_table(m, dialect, if_not_exists, foreign_keys, collect, &list, &err), &err);
}

static int model_foreign_key_sql(lua_State *L)
{
    const hy_model *m = self(L);
    const hy_dialect *dialect = check_dialect(L, 2);
    hyl_need_stack(L, 8);
    sql_list list = {0};
    hy_error err;
    return finish_list(L, &list, hy_ddl_add_foreign_keys(m, dialect, collect, &list, &err), &err);
}

static int model_drop_foreign_key_sql(lua_State *L)
{
    const hy_model *m = self(L);
    const hy_dialect *dialect = check_dialect(L, 2);
    bool if_exists = option(L, 3, "ifExists", false);
    hyl_need_stack(L, 8);
    sql_list list = {0};
    hy_error err;
    return finish_list(L, &list, hy_ddl_drop_foreign_keys(m, dialect, if_exists, collect, &list, &err), &err);
}

static int model_drop_sql(lua_State *L)
{
    const hy_model *m = self(L);
    const hy_dialect *dialect = check_dialect(L, 2);
    bool if_exists = option(L, 3, "ifExists", false);
    hyl_need_stack(L, 8);
    sql_list list = {0};
    hy_error err;
    return finish_list(L, &list, hy_ddl_drop_table(m, dialect, if_exists, collect, &list, &err), &err);
}

/* m:createViewSql(dialect, select) */
static int model_create_view_sql(lua_State *L)
{
    const hy_model *m = self(L);
    const hy_dialect *dialect = check_dialect(L, 2);
    size_t size;
    const char *select = luaL_checklstring(L, 3, &size);
    hyl_need_stack(L, 8);
    sql_list list = {0};
    hy_error err;
    return finish_list(L, &list, hy_ddl_create_view(m, dialect, select, size, collect, &list, &err), &err);
}

static int model_drop_view_sql(lua_State *L)
{
    const hy_model *m = self(L);
    const hy_dialect *dialect = check_dialect(L, 2);
    bool if_exists = option(L, 3, "ifExists", false);
    hyl_need_stack(L, 8);
    sql_list list = {0};
    hy_error err;
    return finish_list(L, &list, hy_ddl_drop_view(m, dialect, if_exists, collect, &list, &err), &err);
}

/* ---- naming ------------------------------------------------------------------------------ */

static int core_convert(lua_State *L)
{
    hy_naming to = hyl_check_naming(L, 1);
    size_t size;
    const char *name = luaL_checklstring(L, 2, &size);
    char out[512];
    lua_pushlstring(L, out, hy_naming_convert(to, name, size, out, sizeof out));
    return 1;
}

static int core_table_name(lua_State *L)
{
    char out[512];
    lua_pushlstring(L, out, hy_naming_table(luaL_checkstring(L, 1), out, sizeof out));
    return 1;
}

static int core_singular(lua_State *L)
{
    char out[512];
    lua_pushlstring(L, out, hy_naming_singular(luaL_checkstring(L, 1), out, sizeof out));
    return 1;
}

void hyl_model_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"name", model_name},
        {"table", model_table},
        {"version", model_version},
        {"columns", model_columns},
        {"keys", model_keys},
        {"column", model_column},
        {"indexes", model_indexes},
        {"checks", model_checks},
        {"suggest", model_suggest},
        {"rowCheck", model_row_check},
        {"rowCopy", model_row_copy},
        {"createSql", model_create_sql},
        {"dropSql", model_drop_sql},
        {"createViewSql", model_create_view_sql},
        {"dropViewSql", model_drop_view_sql},
        {"foreignKeySql", model_foreign_key_sql},
        {"dropForeignKeySql", model_drop_foreign_key_sql},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__gc", model_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"model", core_model},
                                         {"convert", core_convert},
                                         {"tableName", core_table_name},
                                         {"singular", core_singular},
                                         {NULL, NULL}};
    hyl_type_new(L, HYL_MODEL, "hysteria.model", methods, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
