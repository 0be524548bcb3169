/*
 * freeze.c - what is decided over the whole model: its key, the unique indexes that columns
 * ask for, default names, and that no two names fall together.
 *
 * Default names (contract with every database that was created by them, so they must never
 * change): pk_<table>_<columns>, idx_ and uq_<table>_<columns>, chk_<table>_<words of the
 * expression>, fk_<table>_<columns>_<target>, columns by database name, all joined by '_'. A
 * name over 63 bytes is cut and ends in '_' and the hash of the whole; a name that another
 * one has taken gets the hash of what it stands for. A failed freeze can be repeated.
 */
#include <model/model_internal.h>

#include <string.h>

#include <base/buf.h>
#include <base/text.h>

static const char *column_name(const hy_model *model, size_t index)
{
    return hy__column_at(model, index)->shown.name;
}

/* ---- the key ----------------------------------------------------------------------------- */

static bool is_declared_key(const hy_model *model, size_t index)
{
    for (size_t i = 0; i < model->n_declared_key; i++) {
        if (model->declared_key[i] == index)
            return true;
    }
    return false;
}

/* A column that says it is the key must be part of the declared one. */
static hy_status check_declared_key(const hy_model *model, hy_error *err)
{
    for (size_t i = 0; model->declared_key && i < model->columns.n; i++) {
        const hy_column *c = &hy__column_at(model, i)->shown;

        if ((c->flags & HY_COLUMN_PRIMARY) && !is_declared_key(model, i))
            return hy_fail(
                err, HY_EMULTIPLE_PRIMARY_KEYS_NOT_ALLOWED,
                "model %s: column %s is declared primary but the model's primary key leaves it out",
                model->name, c->property);
    }
    return HY_OK;
}

static size_t collect_keys(const hy_model *model, const hy_column **keys)
{
    size_t n = 0;

    for (size_t i = 0; i < model->n_declared_key; i++)
        keys[n++] = &hy__column_at(model, model->declared_key[i])->shown;
    for (size_t i = 0; !model->declared_key && i < model->columns.n; i++) {
        if (hy__column_at(model, i)->shown.flags & HY_COLUMN_PRIMARY)
            keys[n++] = &hy__column_at(model, i)->shown;
    }
    return n;
}

static hy_status make_key(hy_model *model, hy_error *err)
{
    hy_status status = check_declared_key(model, err);
    const hy_column **keys;

    if (status)
        return status;
    keys = hy_arena_alloc(&model->arena, model->columns.n * sizeof *keys);
    if (!keys)
        return hy_fail_oom(err);
    model->n_keys = collect_keys(model, keys);
    model->keys = keys;
    for (size_t i = 0; i < model->n_keys; i++)
        hy__column_at(model, keys[i]->index)->shown.flags |= HY_COLUMN_PRIMARY | HY_COLUMN_NOT_NULL;
    return HY_OK;
}

/* ---- names ------------------------------------------------------------------------------- */

/* FNV-1a, written out here because these digits live in databases. */
static const uint32_t hash_start = 2166136261u;

static uint32_t hash_more(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static uint32_t hash_text(const char *text)
{
    return hash_more(hash_start, text);
}

static uint32_t hash_columns(const hy_model *model, const size_t *columns, size_t n)
{
    uint32_t hash = hash_start;

    for (size_t i = 0; i < n; i++)
        hash = hash_more(hash_more(hash, column_name(model, columns[i])), ",");
    return hash;
}

static void put_hash(hy_buf *b, uint32_t hash)
{
    hy_buf_putc(b, '_');
    for (int shift = 28; shift >= 0; shift -= 4)
        hy_buf_putc(b, "0123456789abcdef"[(hash >> shift) & 15]);
}

static void fit(hy_buf *b)
{
    enum { KEEP = HY__NAME_MAX - 9 };
    uint32_t hash = hash_text(hy_buf_text(b));

    if (b->size <= HY__NAME_MAX || b->failed)
        return;
    b->size = KEEP;
    while (((unsigned char)b->data[b->size] & 0xC0) == 0x80)
        b->size--;
    put_hash(b, hash);
}

static void put_part(hy_buf *b, const char *part)
{
    hy_buf_putc(b, '_');
    hy_buf_puts(b, part);
}

static void put_columns(hy_buf *b, const hy_model *model, const size_t *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_part(b, column_name(model, columns[i]));
}

/* The words of an SQL expression: letters and digits in small letters. */
static void put_slug(hy_buf *b, const char *expression)
{
    bool gap = true;

    for (const char *p = expression; *p; p++) {
        bool upper = *p >= 'A' && *p <= 'Z';

        if (!upper && !(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9')) {
            gap = true;
            continue;
        }
        if (gap)
            hy_buf_putc(b, '_');
        gap = false;
        hy_buf_putc(b, upper ? (char)(*p | 0x20) : *p);
    }
}

static bool is_name(const char *a, const char *b, size_t b_size)
{
    return a && hy_text_equal_nocase(a, strlen(a), b, b_size);
}

/* How many constraints and indexes of the model have this name, in any case of letters. */
static size_t count_name(const hy_model *model, const char *name, size_t size)
{
    size_t n = is_name(model->key_name, name, size);

    for (size_t i = 0; i < model->columns.n; i++)
        n += is_name(hy__column_at(model, i)->check_name, name, size);
    for (size_t i = 0; i < model->indexes.n; i++)
        n += is_name(hy_model_index(model, i)->name, name, size);
    for (size_t i = 0; i < model->checks.n; i++)
        n += is_name(hy_model_check(model, i)->name, name, size);
    for (size_t i = 0; i < model->foreign_keys.n; i++)
        n += is_name(hy_model_foreign_key(model, i)->name, name, size);
    return n;
}

/* Begin a default name in the empty buffer. */
static void begin_name(hy_buf *b, const hy_model *model, const char *prefix)
{
    hy_buf_reset(b);
    hy_buf_puts(b, prefix);
    put_part(b, model->table);
}

/* The finished name, made distinct by what it stands for. NULL: out of memory. */
static const char *end_name(hy_buf *b, hy_model *model, uint32_t meaning)
{
    fit(b);
    if (!b->failed && count_name(model, b->data, b->size) > 0) {
        put_hash(b, meaning);
        fit(b);
    }
    return b->failed ? NULL : hy_arena_strndup(&model->arena, b->data, b->size);
}

static hy_status name_index(hy_model *model, hy_index *index, hy_buf *b, hy_error *err)
{
    begin_name(b, model, index->unique ? "uq" : "idx");
    put_columns(b, model, index->columns, index->n_columns);
    index->name = end_name(b, model, hash_columns(model, index->columns, index->n_columns));
    return index->name ? HY_OK : hy_fail_oom(err);
}

static hy_status name_check(hy_model *model, hy_check *check, hy_buf *b, hy_error *err)
{
    begin_name(b, model, "chk");
    put_slug(b, check->expression);
    check->name = end_name(b, model, hash_text(check->expression));
    return check->name ? HY_OK : hy_fail_oom(err);
}

/* Keys from the same columns into the same table differ in the columns there. */
static uint32_t hash_target(const hy_foreign_key *fk)
{
    uint32_t hash = hash_start;

    for (size_t i = 0; i < fk->n_columns; i++)
        hash = hash_more(hash_more(hash, fk->target_columns[i]), ",");
    return hash;
}

static hy_status name_foreign_key(hy_model *model, hy_foreign_key *fk, hy_buf *b, hy_error *err)
{
    begin_name(b, model, "fk");
    put_columns(b, model, fk->columns, fk->n_columns);
    put_part(b, fk->target_table);
    fk->name = end_name(b, model, hash_target(fk));
    return fk->name ? HY_OK : hy_fail_oom(err);
}

static hy_status name_key(hy_model *model, hy_buf *b, hy_error *err)
{
    if (model->n_keys == 0 || model->key_name)
        return HY_OK;
    begin_name(b, model, "pk");
    for (size_t i = 0; i < model->n_keys; i++)
        put_part(b, model->keys[i]->name);
    model->key_name = end_name(b, model, hash_text("key"));
    return model->key_name ? HY_OK : hy_fail_oom(err);
}

static hy_status name_column_checks(hy_model *model, hy_buf *b, hy_error *err)
{
    for (size_t i = 0; i < model->columns.n; i++) {
        hy__column *c = hy__column_at(model, i);

        if (c->shown.kind != HY_KIND_ENUM || c->check_name)
            continue;
        begin_name(b, model, "chk");
        put_part(b, c->shown.name);
        put_part(b, "enum");
        c->check_name = end_name(b, model, hash_text(c->shown.name));
        if (!c->check_name)
            return hy_fail_oom(err);
    }
    return HY_OK;
}

/* Names that were given stand; the others follow in the order of declaration. */
static hy_status name_all(hy_model *model, hy_buf *b, hy_error *err)
{
    hy_status status = name_key(model, b, err);

    if (!status)
        status = name_column_checks(model, b, err);
    for (size_t i = 0; !status && i < model->indexes.n; i++) {
        if (!hy_model_index(model, i)->name)
            status = name_index(model, model->indexes.items[i], b, err);
    }
    for (size_t i = 0; !status && i < model->checks.n; i++) {
        if (!hy_model_check(model, i)->name)
            status = name_check(model, model->checks.items[i], b, err);
    }
    for (size_t i = 0; !status && i < model->foreign_keys.n; i++) {
        if (!hy_model_foreign_key(model, i)->name)
            status = name_foreign_key(model, model->foreign_keys.items[i], b, err);
    }
    return status;
}

/* ---- indexes, collisions ------------------------------------------------------------------ */

static bool has_unique(const hy_model *model, size_t column)
{
    for (size_t i = 0; i < model->indexes.n; i++) {
        const hy_index *index = hy_model_index(model, i);

        if (index->unique && hy__same_columns(index->columns, index->n_columns, &column, 1))
            return true;
    }
    return model->n_keys == 1 && model->keys[0]->index == column;
}

/* A column that says it is unique is an index like any other, unless there is one already. */
static hy_status add_unique_indexes(hy_model *model, hy_error *err)
{
    for (size_t i = 0; i < model->columns.n; i++) {
        const hy_column *c = &hy__column_at(model, i)->shown;
        hy_index *index;

        if (!(c->flags & HY_COLUMN_UNIQUE) || has_unique(model, i))
            continue;
        index = hy_arena_zero(&model->arena, sizeof *index);
        if (!index)
            return hy_fail_oom(err);
        index->columns = &c->index;
        index->n_columns = 1;
        index->unique = true;
        if (!hy__list_push(&model->arena, &model->indexes, index))
            return hy_fail_oom(err);
    }
    return HY_OK;
}

static hy_status said_twice(const hy_model *model, const char *what, hy_error *err)
{
    return hy_fail(err, HY_EINVALID_MODEL, "model %s declares the same %s twice", model->name, what);
}

static bool same_index(const hy_index *a, const hy_index *b)
{
    return a->unique == b->unique && hy__same_columns(a->columns, a->n_columns, b->columns, b->n_columns);
}

static bool same_foreign_key(const hy_foreign_key *a, const hy_foreign_key *b)
{
    if (!hy__same_columns(a->columns, a->n_columns, b->columns, b->n_columns) ||
        strcmp(a->target_table, b->target_table) != 0)
        return false;
    for (size_t i = 0; i < a->n_columns; i++) {
        if (strcmp(a->target_columns[i], b->target_columns[i]) != 0)
            return false;
    }
    return true;
}

/* Two declarations of one thing would only differ by the names that were made up for them. */
static hy_status check_repeats(const hy_model *model, hy_error *err)
{
    for (size_t i = 0; i < model->indexes.n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (same_index(hy_model_index(model, i), hy_model_index(model, j)))
                return said_twice(model, "index", err);
        }
    }
    for (size_t i = 0; i < model->checks.n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(hy_model_check(model, i)->expression, hy_model_check(model, j)->expression) == 0)
                return said_twice(model, "check", err);
        }
    }
    for (size_t i = 0; i < model->foreign_keys.n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (same_foreign_key(hy_model_foreign_key(model, i), hy_model_foreign_key(model, j)))
                return said_twice(model, "foreign key", err);
        }
    }
    return HY_OK;
}

static hy_status check_single(const hy_model *model, const char *name, hy_error *err)
{
    if (!name || count_name(model, name, strlen(name)) < 2)
        return HY_OK;
    return hy_fail(err, HY_EINVALID_MODEL, "model %s: two indexes or constraints are named %s", model->name,
                   name);
}

/* Made-up names are distinct by themselves: what is left are names that were given twice. */
static hy_status check_names(const hy_model *model, hy_error *err)
{
    hy_status status = HY_OK;

    for (size_t i = 0; !status && i < model->indexes.n; i++)
        status = check_single(model, hy_model_index(model, i)->name, err);
    for (size_t i = 0; !status && i < model->checks.n; i++)
        status = check_single(model, hy_model_check(model, i)->name, err);
    for (size_t i = 0; !status && i < model->foreign_keys.n; i++)
        status = check_single(model, hy_model_foreign_key(model, i)->name, err);
    return status;
}

/* ---- the model as such -------------------------------------------------------------------- */

static hy_status check_increments(const hy_model *model, hy_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < model->columns.n; i++)
        n += (hy__column_at(model, i)->shown.flags & HY_COLUMN_INCREMENT) != 0;
    if (n <= 1)
        return HY_OK;
    return hy_fail(err, HY_EINVALID_MODEL, "model %s has more than one column that the database numbers",
                   model->name);
}

static hy_status check_soft_delete(const hy_model *model, hy_error *err)
{
    const hy_column *c = model->soft_delete;

    if (!c || c->kind == HY_KIND_BOOLEAN || !(c->flags & HY_COLUMN_NOT_NULL))
        return HY_OK;
    return hy_fail(err, HY_EINVALID_MODEL,
                   "model %s: column %s tells deleted rows by not being NULL, so it must be nullable",
                   model->name, c->property);
}

static hy_status check_model(const hy_model *model, hy_error *err)
{
    hy_status status;

    if (!*model->name)
        return hy_fail(err, HY_EINVALID_MODEL, "a model needs a name");
    if (!hy__usable_name(model->table))
        return hy_fail(err, HY_EINVALID_MODEL, "model %s: its table's name must be 1 to 63 printable bytes",
                       model->name);
    if (model->schema && !hy__usable_name(model->schema))
        return hy_fail(err, HY_EINVALID_MODEL, "model %s: its schema's name must be 1 to 63 printable bytes",
                       model->name);
    if (model->columns.n == 0)
        return hy_fail(err, HY_EINVALID_MODEL, "model %s has no columns", model->name);
    if ((status = check_increments(model, err)))
        return status;
    return check_soft_delete(model, err);
}

hy_status hy_model_freeze(hy_model *model, hy_error *err)
{
    hy_status status;
    hy_buf b;

    if (model->frozen)
        return HY_OK;
    model->arena.failed = false;
    if ((status = check_model(model, err)) || (status = make_key(model, err)) ||
        (status = add_unique_indexes(model, err)) || (status = check_repeats(model, err)))
        return status;
    hy_buf_init(&b);
    status = name_all(model, &b, err);
    hy_buf_clear(&b);
    if (!status)
        status = check_names(model, err);
    model->frozen = status == HY_OK;
    return status;
}
