/*
 * model.c - building a model and reading it: see model.h.
 *
 * Every call that adds something checks first, copies into the arena, and links the copy in
 * last, so that a refusal or a failed allocation leaves the model as it was. What can only
 * be decided over the whole model is freeze.c's. Knows no SQL.
 */
#include <model/model_internal.h>

#include <stdio.h>
#include <string.h>

#include <base/text.h>

static atomic_uint_fast64_t last_version;

/* ---- small helpers ---------------------------------------------------------------------- */

bool hy__list_push(hy_arena *arena, hy__list *list, void *item)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 8;
        void **items = hy_arena_alloc(arena, capacity * sizeof *items);

        if (!items)
            return false;
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = item;
    return true;
}

bool hy__same_columns(const size_t *a, size_t n_a, const size_t *b, size_t n_b)
{
    return n_a == n_b && memcmp(a, b, n_a * sizeof *a) == 0;
}

bool hy__usable_name(const char *name)
{
    size_t size = name ? strlen(name) : 0;

    if (size == 0 || size > HY__NAME_MAX || hy_text_check(name, size) != HY_TEXT_FINE)
        return false;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F)
            return false;
    }
    return true;
}

static bool is_word_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c >= 0x80;
}

/* Properties are written with dots around them ("users.age"), so they must be plain words. */
static bool is_property(const char *name)
{
    if (!hy__usable_name(name) || (name[0] >= '0' && name[0] <= '9'))
        return false;
    while (is_word_char((unsigned char)*name))
        name++;
    return *name == '\0';
}

static bool equal_nocase(const char *a, const char *b)
{
    return hy_text_equal_nocase(a, strlen(a), b, strlen(b));
}

/* Before anything is added. Also forgets an earlier shortage: this call starts afresh. */
static hy_status begin_change(hy_model *model, hy_error *err)
{
    if (model->frozen)
        return hy_fail(err, HY_EINVALID_MODEL, "model %s is in use already and cannot change", model->name);
    model->arena.failed = false;
    return HY_OK;
}

static const char *const *copy_strings(hy_arena *arena, const char *const *strings, size_t n)
{
    const char **copy = hy_arena_alloc(arena, (n ? n : 1) * sizeof *copy);

    for (size_t i = 0; copy && i < n; i++)
        copy[i] = hy_arena_strdup(arena, strings[i]);
    return copy;
}

/* ---- life ------------------------------------------------------------------------------- */

hy_model *hy_model_new(const char *name, const char *schema, const char *table, hy_naming database_naming)
{
    char default_table[128];
    hy_model *model = hy_alloc_zero(sizeof *model);

    if (!model)
        return NULL;
    hy_arena_init(&model->arena, NULL, 0);
    atomic_init(&model->references, 1);
    model->version = atomic_fetch_add_explicit(&last_version, 1, memory_order_relaxed) + 1;
    model->naming = database_naming;
    if (!table && name) {
        hy_naming_table(name, default_table, sizeof default_table);
        table = default_table;
    }
    model->name = hy_arena_strdup(&model->arena, name ? name : "");
    model->schema = hy_arena_strdup(&model->arena, schema);
    model->table = hy_arena_strdup(&model->arena, table ? table : "");
    if (!model->arena.failed)
        return model;
    hy_model_unref(model);
    return NULL;
}

hy_model *hy_model_ref(hy_model *model)
{
    atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    return model;
}

void hy_model_unref(hy_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1)
        return;
    HASH_CLEAR(by_property, model->by_property);
    HASH_CLEAR(by_name, model->by_name);
    hy_arena_clear(&model->arena);
    hy_free(model);
}

/* ---- columns ---------------------------------------------------------------------------- */

static bool is_integer_kind(hy_kind kind)
{
    return kind >= HY_KIND_TINYINT && kind <= HY_KIND_BIGINT;
}

static bool is_moment_kind(hy_kind kind)
{
    return kind == HY_KIND_TIME || kind == HY_KIND_DATETIME || kind == HY_KIND_TIMESTAMP;
}

static bool has_default(const hy_column *c)
{
    return (c->flags & HY_COLUMN_HAS_DEFAULT) || c->default_sql;
}

static hy_status invalid_column(hy_error *err, const hy_column *c, const char *why)
{
    return hy_fail(err, HY_EINVALID_MODEL, "column %s %s", c->property, why);
}

static bool is_element_kind(hy_kind kind)
{
    static const bool can[HY_KIND_COUNT] = {
        [HY_KIND_BOOLEAN] = true, [HY_KIND_SMALLINT] = true, [HY_KIND_INTEGER] = true,
        [HY_KIND_BIGINT] = true,  [HY_KIND_FLOAT] = true,    [HY_KIND_DOUBLE] = true,
        [HY_KIND_DECIMAL] = true, [HY_KIND_STRING] = true,   [HY_KIND_TEXT] = true,
        [HY_KIND_UUID] = true,    [HY_KIND_BINARY] = true,   [HY_KIND_DATE] = true,
        [HY_KIND_TIME] = true,    [HY_KIND_DATETIME] = true, [HY_KIND_TIMESTAMP] = true,
    };
    return (unsigned)kind < HY_KIND_COUNT && can[kind];
}

/* An array's sizes are its elements'. */
static hy_kind sized_kind(const hy_column *c)
{
    return c->kind == HY_KIND_ARRAY ? c->element : c->kind;
}

static hy_status check_sizes(const hy_column *c, hy_error *err)
{
    if (c->length < 0)
        return invalid_column(err, c, "has a negative length");
    if (c->precision < -1 || c->scale < -1)
        return invalid_column(err, c, "has a negative precision or scale");
    if (is_moment_kind(sized_kind(c)) && c->precision > 6)
        return invalid_column(err, c, "has more than 6 digits of fractional seconds");
    if (sized_kind(c) == HY_KIND_DECIMAL && c->precision > 0 && c->scale > c->precision)
        return invalid_column(err, c, "has a scale larger than its precision");
    return HY_OK;
}

static hy_status check_enum(const hy_column *c, hy_error *err)
{
    if (c->n_enum_values == 0)
        return invalid_column(err, c, "is an enum without values");
    for (size_t i = 0; i < c->n_enum_values; i++) {
        const char *value = c->enum_values[i];

        if (!value || hy_text_check(value, strlen(value)) != HY_TEXT_FINE)
            return invalid_column(err, c, "has an enum value that is no valid text");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(value, c->enum_values[j]) == 0)
                return invalid_column(err, c, "has the same enum value twice");
        }
    }
    return HY_OK;
}

static hy_status check_origin(const hy_column *c, hy_error *err)
{
    bool increment = c->flags & HY_COLUMN_INCREMENT;

    if (increment && !is_integer_kind(c->kind))
        return invalid_column(err, c, "is numbered by the database but holds no integers");
    if (increment && (has_default(c) || c->generated_sql))
        return invalid_column(err, c, "is numbered by the database and cannot have another origin");
    if (c->generated_sql && has_default(c))
        return invalid_column(err, c, "is generated and cannot have a default");
    if (!c->generated_sql && (c->flags & HY_COLUMN_COMPUTED))
        return invalid_column(err, c, "is computed when read but has no expression");
    return HY_OK;
}

static hy_status check_column(const hy_column *c, hy_error *err)
{
    hy_status status;

    if (!c->property || !is_property(c->property))
        return hy_fail(
            err, HY_EINVALID_MODEL,
            "a column's name must be 1 to 63 letters, digits or underscores and not begin with a digit");
    if (c->name && !hy__usable_name(c->name))
        return invalid_column(err, c, "has a database name that is empty, too long or not printable");
    if ((unsigned)c->kind >= HY_KIND_COUNT)
        return invalid_column(err, c, "has an unknown kind");
    if (c->kind == HY_KIND_CUSTOM && (!c->type_sql || !*c->type_sql))
        return invalid_column(err, c, "is of a custom kind but names no type");
    if (c->kind == HY_KIND_ARRAY && !is_element_kind(c->element))
        return invalid_column(err, c, "is an array of what no array can hold");
    if (c->kind == HY_KIND_ENUM && (status = check_enum(c, err)))
        return status;
    if ((status = check_sizes(c, err)))
        return status;
    return check_origin(c, err);
}

/* Both names must be free. Databases differ in case sensitivity: without case is safe on all. */
static hy_status check_free(const hy_model *model, const hy_column *c, hy_error *err)
{
    const hy__column *other;

    HASH_FIND(by_property, model->by_property, c->property, strlen(c->property), other);
    if (other)
        return invalid_column(err, c, "is declared twice");
    for (size_t i = 0; i < model->columns.n; i++) {
        other = hy__column_at(model, i);
        if (equal_nocase(other->shown.name, c->name))
            return hy_fail(err, HY_EINVALID_MODEL, "columns %s and %s are both %s in the database",
                           other->shown.property, c->property, c->name);
    }
    return HY_OK;
}

static bool is_borrowed(hy_type type)
{
    return type == HY_TEXT || type == HY_BLOB || type == HY_DECIMAL || type == HY_JSON;
}

/* The default as the column's kind stores it. */
static hy_status copy_default(hy_model *model, hy_column *c, hy_error *err)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    hy_value value;

    if (!(c->flags & HY_COLUMN_HAS_DEFAULT) || c->default_sql) {
        c->default_value = hy_null();
        return HY_OK;
    }
    if (hy_column_encode(c, &c->default_value, scratch, &value, NULL))
        return hy_fail(err, HY_EINVALID_MODEL, "column %s has a default that does not fit %s", c->property,
                       hy_kind_name(c->kind));
    if (is_borrowed(value.type))
        value.as.text.data = hy_arena_strndup(&model->arena, value.as.text.data, value.as.text.size);
    c->default_value = value;
    return HY_OK;
}

static const char *database_name(hy_model *model, const hy_column *c)
{
    char name[HY__NAME_MAX * 2 + 2];

    if (c->name)
        return hy_arena_strdup(&model->arena, c->name);
    hy_naming_convert(model->naming, c->property, strlen(c->property), name, sizeof name);
    return hy_arena_strdup(&model->arena, name);
}

/* What one flag or field says about another. */
static unsigned implied_flags(const hy_column *c)
{
    unsigned flags = c->flags;

    if (flags & HY_COLUMN_INCREMENT)
        flags |= HY_COLUMN_PRIMARY;
    if (flags & HY_COLUMN_OPAQUE)
        flags |= HY_COLUMN_SENSITIVE;
    if (flags & HY_COLUMN_PRIMARY)
        flags |= HY_COLUMN_NOT_NULL;
    if (c->default_sql)
        flags |= HY_COLUMN_HAS_DEFAULT;
    if (c->generated_sql)
        flags |= HY_COLUMN_GENERATED;
    return flags;
}

/* What a decimal column that does not say it has. */
static void settle_digits(hy_column *c)
{
    enum { PRECISION = 10, SCALE = 2 };

    if (c->precision <= 0) {
        c->scale = c->scale > 0 ? c->scale : SCALE;
        c->precision = c->scale > PRECISION ? c->scale : PRECISION;
    } else if (c->scale < 0) {
        c->scale = c->precision < SCALE ? c->precision : SCALE;
    }
}

static hy_status copy_column(hy_model *model, const hy_column *from, hy__column *to, hy_error *err)
{
    hy_arena *arena = &model->arena;
    hy_column *c = &to->shown;

    *c = *from;
    c->property = hy_arena_strdup(arena, from->property);
    c->name = database_name(model, from);
    c->flags = implied_flags(from);
    c->type_sql = hy_arena_strdup(arena, from->type_sql);
    c->enum_values = copy_strings(arena, from->enum_values, from->n_enum_values);
    c->default_sql = hy_arena_strdup(arena, from->default_sql);
    c->generated_sql = hy_arena_strdup(arena, from->generated_sql);
    c->comment = hy_arena_strdup(arena, from->comment);
    c->index = model->columns.n;
    if (sized_kind(c) == HY_KIND_DECIMAL)
        settle_digits(c);
    if (arena->failed)
        return hy_fail_oom(err);
    if (!hy__usable_name(c->name))
        return invalid_column(err, from, "has a database name that is too long");
    return copy_default(model, c, err);
}

static hy_status link_column(hy_model *model, hy__column *c, hy_error *err)
{
    if (!hy__list_push(&model->arena, &model->columns, c))
        return hy_fail_oom(err);
    HASH_ADD_KEYPTR(by_property, model->by_property, c->shown.property, strlen(c->shown.property), c);
    if (!c->lost) {
        HASH_ADD_KEYPTR(by_name, model->by_name, c->shown.name, strlen(c->shown.name), c);
        if (!c->lost)
            return HY_OK;
        HASH_DELETE(by_property, model->by_property, c);
    }
    model->columns.n--;
    return hy_fail_oom(err);
}

hy_status hy_model_add_column(hy_model *model, const hy_column *column, hy_error *err)
{
    hy_status status = begin_change(model, err);
    hy__column *c;

    if (status || (status = check_column(column, err)))
        return status;
    c = hy_arena_zero(&model->arena, sizeof *c);
    if (!c)
        return hy_fail_oom(err);
    if ((status = copy_column(model, column, c, err)))
        return status;
    if (model->arena.failed)
        return hy_fail_oom(err);
    if ((status = check_free(model, &c->shown, err)))
        return status;
    return link_column(model, c, err);
}

/* ---- keys, indexes, checks --------------------------------------------------------------- */

static hy_status unknown_property(const hy_model *model, const char *property, hy_error *err)
{
    const char *near = hy_model_suggest_column(model, property, strlen(property));

    if (near)
        return hy_fail(err, HY_EINVALID_MODEL, "model %s has no column %.64s, did you mean %s", model->name,
                       property, near);
    return hy_fail(err, HY_EINVALID_MODEL, "model %s has no column %.64s", model->name, property);
}

static hy_status find_property(const hy_model *model, const char *property, size_t *index, hy_error *err)
{
    const hy__column *c = NULL;

    if (property)
        HASH_FIND(by_property, model->by_property, property, strlen(property), c);
    if (!c)
        return unknown_property(model, property ? property : "", err);
    *index = c->shown.index;
    return HY_OK;
}

/* Properties into column indexes; none twice. */
static hy_status resolve(hy_model *model, const char *const *properties, size_t n, const size_t **out,
                         hy_error *err)
{
    size_t *indexes;

    if (n == 0 || !properties)
        return hy_fail(err, HY_EINVALID_MODEL, "model %s: a key or index needs columns", model->name);
    if (n > model->columns.n)
        return hy_fail(err, HY_EINVALID_MODEL,
                       "model %s: a key or index names a column twice or one that is missing", model->name);
    indexes = hy_arena_alloc(&model->arena, n * sizeof *indexes);
    if (!indexes)
        return hy_fail_oom(err);
    for (size_t i = 0; i < n; i++) {
        hy_status status = find_property(model, properties[i], &indexes[i], err);

        if (status)
            return status;
        for (size_t j = 0; j < i; j++) {
            if (indexes[j] == indexes[i])
                return hy_fail(err, HY_EINVALID_MODEL, "model %s: a key or index names %s twice", model->name,
                               properties[i]);
        }
    }
    *out = indexes;
    return HY_OK;
}

static hy_status check_name(const hy_model *model, const char *name, hy_error *err)
{
    if (!name || hy__usable_name(name))
        return HY_OK;
    return hy_fail(err, HY_EINVALID_MODEL,
                   "model %s: the name of an index or constraint must be 1 to 63 printable bytes",
                   model->name);
}

hy_status hy_model_set_primary_key(hy_model *model, const char *const *properties, size_t n, hy_error *err)
{
    const size_t *key;
    hy_status status = begin_change(model, err);

    if (status)
        return status;
    if (model->declared_key)
        return hy_fail(err, HY_EMULTIPLE_PRIMARY_KEYS_NOT_ALLOWED, "model %s declares its primary key twice",
                       model->name);
    if ((status = resolve(model, properties, n, &key, err)))
        return status;
    model->declared_key = key;
    model->n_declared_key = n;
    return HY_OK;
}

hy_status hy_model_add_index(hy_model *model, const char *name, const char *const *properties, size_t n,
                             bool unique, hy_error *err)
{
    hy_index *index;
    hy_status status = begin_change(model, err);

    if (status || (status = check_name(model, name, err)))
        return status;
    index = hy_arena_zero(&model->arena, sizeof *index);
    if (!index)
        return hy_fail_oom(err);
    if ((status = resolve(model, properties, n, &index->columns, err)))
        return status;
    index->n_columns = n;
    index->unique = unique;
    index->name = hy_arena_strdup(&model->arena, name);
    if (model->arena.failed || !hy__list_push(&model->arena, &model->indexes, index))
        return hy_fail_oom(err);
    return HY_OK;
}

hy_status hy_model_add_check(hy_model *model, const char *name, const char *expression, hy_error *err)
{
    hy_check *check;
    hy_status status = begin_change(model, err);

    if (status || (status = check_name(model, name, err)))
        return status;
    if (!expression || !*expression || hy_text_check(expression, strlen(expression)) != HY_TEXT_FINE)
        return hy_fail(err, HY_EINVALID_MODEL, "model %s: a check needs an SQL expression", model->name);
    check = hy_arena_zero(&model->arena, sizeof *check);
    if (!check)
        return hy_fail_oom(err);
    check->name = hy_arena_strdup(&model->arena, name);
    check->expression = hy_arena_strdup(&model->arena, expression);
    if (model->arena.failed || !hy__list_push(&model->arena, &model->checks, check))
        return hy_fail_oom(err);
    return HY_OK;
}

static hy_status check_target(const hy_model *model, const char *table, const char *const *columns, size_t n,
                              hy_error *err)
{
    bool usable = table && *table && columns;

    for (size_t i = 0; usable && i < n; i++)
        usable = hy__usable_name(columns[i]);
    if (usable)
        return HY_OK;
    return hy_fail(err, HY_EINVALID_MODEL,
                   "model %s: a foreign key needs a table and as many columns there as here", model->name);
}

hy_status hy_model_add_foreign_key(hy_model *model, const char *name, const char *const *properties, size_t n,
                                   const char *target_table, const char *const *target_columns,
                                   hy_reference_action on_delete, hy_reference_action on_update,
                                   hy_error *err)
{
    hy_foreign_key *fk;
    hy_status status = begin_change(model, err);

    if (status || (status = check_name(model, name, err)) ||
        (status = check_target(model, target_table, target_columns, n, err)))
        return status;
    fk = hy_arena_zero(&model->arena, sizeof *fk);
    if (!fk)
        return hy_fail_oom(err);
    if ((status = resolve(model, properties, n, &fk->columns, err)))
        return status;
    fk->name = hy_arena_strdup(&model->arena, name);
    fk->n_columns = n;
    fk->target_table = hy_arena_strdup(&model->arena, target_table);
    fk->target_columns = copy_strings(&model->arena, target_columns, n);
    fk->on_delete = on_delete;
    fk->on_update = on_update;
    if (model->arena.failed || !hy__list_push(&model->arena, &model->foreign_keys, fk))
        return hy_fail_oom(err);
    return HY_OK;
}

hy_status hy_model_set_soft_delete(hy_model *model, const char *property, hy_error *err)
{
    size_t index = 0;
    hy_status status = begin_change(model, err);

    if (status || (status = find_property(model, property, &index, err)))
        return status;
    model->soft_delete = &hy__column_at(model, index)->shown;
    return HY_OK;
}

/* ---- reading ---------------------------------------------------------------------------- */

const char *hy_model_name(const hy_model *model)
{
    return model->name;
}

const char *hy_model_table(const hy_model *model)
{
    return model->table;
}

const char *hy_model_schema(const hy_model *model)
{
    return model->schema;
}

hy_naming hy_model_naming(const hy_model *model)
{
    return model->naming;
}

uint64_t hy_model_version(const hy_model *model)
{
    return model->version;
}

size_t hy_model_n_columns(const hy_model *model)
{
    return model->columns.n;
}

const hy_column *hy_model_column(const hy_model *model, size_t index)
{
    return index < model->columns.n ? &hy__column_at(model, index)->shown : NULL;
}

/* Hot: every where(), select() and orderBy() comes by. The name is hashed once for both tables. */
const hy_column *hy_model_find_column(const hy_model *model, const char *name, size_t size)
{
    const hy__column *c = NULL;
    unsigned hash;

    if (size == 0 || size > HY__NAME_MAX)
        return NULL;
    HASH_VALUE(name, size, hash);
    HASH_FIND_BYHASHVALUE(by_property, model->by_property, name, size, hash, c);
    if (!c)
        HASH_FIND_BYHASHVALUE(by_name, model->by_name, name, size, hash, c);
    return c ? &c->shown : NULL;
}

/* Names in snake_case compare without regard to case and convention. */
static size_t distance(const char *snake, const char *name, size_t limit)
{
    char other[HY__NAME_MAX * 2 + 2];

    hy_naming_convert(HY_NAMING_SNAKE, name, strlen(name), other, sizeof other);
    return hy_edit_distance(snake, other, limit);
}

const char *hy_model_suggest_column(const hy_model *model, const char *name, size_t size)
{
    char snake[HY__NAME_MAX * 2 + 2];
    size_t best = size / 3 < 3 ? size / 3 : 3;
    const char *found = NULL;

    if (size == 0 || size > HY__NAME_MAX)
        return NULL;
    hy_naming_convert(HY_NAMING_SNAKE, name, size, snake, sizeof snake);
    for (size_t i = 0; i < model->columns.n; i++) {
        const hy_column *c = &hy__column_at(model, i)->shown;
        const char *const candidates[] = {c->property, c->name};

        for (size_t k = 0; k < 2; k++) {
            size_t d = distance(snake, candidates[k], best);

            if (d < best || (d == best && !found)) {
                best = d;
                found = candidates[k];
            }
        }
    }
    return found;
}

size_t hy_model_n_keys(const hy_model *model)
{
    return model->n_keys;
}

const hy_column *hy_model_key(const hy_model *model, size_t i)
{
    return i < model->n_keys ? model->keys[i] : NULL;
}

const char *hy_model_key_name(const hy_model *model)
{
    return model->key_name;
}

const hy_column *hy_model_soft_delete(const hy_model *model)
{
    return model->soft_delete;
}

size_t hy_model_n_indexes(const hy_model *model)
{
    return model->indexes.n;
}

const hy_index *hy_model_index(const hy_model *model, size_t i)
{
    return i < model->indexes.n ? model->indexes.items[i] : NULL;
}

size_t hy_model_n_checks(const hy_model *model)
{
    return model->checks.n;
}

const hy_check *hy_model_check(const hy_model *model, size_t i)
{
    return i < model->checks.n ? model->checks.items[i] : NULL;
}

size_t hy_model_n_foreign_keys(const hy_model *model)
{
    return model->foreign_keys.n;
}

const hy_foreign_key *hy_model_foreign_key(const hy_model *model, size_t i)
{
    return i < model->foreign_keys.n ? model->foreign_keys.items[i] : NULL;
}

const char *hy__model_column_check(const hy_model *model, size_t index)
{
    return hy__column_at(model, index)->check_name;
}

size_t hy_model_missing_column(const hy_model *model, const char *name, size_t size, char *out,
                               size_t out_size)
{
    const char *near = hy_model_suggest_column(model, name, size);
    int shown = size < 100 ? (int)size : 100;
    int n = near != NULL
                ? snprintf(out, out_size, "no column '%.*s' on %s; did you mean '%s'?", shown, name,
                           hy_model_name(model), near)
                : snprintf(out, out_size, "no column '%.*s' on %s", shown, name, hy_model_name(model));

    return n < 0 ? 0 : (size_t)n < out_size ? (size_t)n : out_size - 1;
}
