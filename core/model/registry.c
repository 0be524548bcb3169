/*
 * registry.c - the models that several threads have in common, by name.
 *
 * Each Lua state declares its models by running the same files: the first to freeze one
 * publishes it, the others get that very model if theirs is its equal. Knows no Lua.
 */
#include <pthread.h>
#include <string.h>

#include <model/model_internal.h>

typedef struct entry {
    hy_model *model; /* its name is the key */
    bool lost;       /* the hash table had no memory for it */
    UT_hash_handle hh;
} entry;

struct hy_registry {
    atomic_size_t references;
    pthread_mutex_t lock;
    entry *by_name;
};

hy_registry *hy_registry_new(void)
{
    hy_registry *r = hy_alloc_zero(sizeof *r);

    if (!r)
        return NULL;
    atomic_init(&r->references, 1);
    (void)pthread_mutex_init(&r->lock, NULL);
    return r;
}

hy_registry *hy_registry_ref(hy_registry *registry)
{
    atomic_fetch_add_explicit(&registry->references, 1, memory_order_relaxed);
    return registry;
}

void hy_registry_unref(hy_registry *registry)
{
    entry *e, *next;

    if (!registry || atomic_fetch_sub_explicit(&registry->references, 1, memory_order_acq_rel) != 1)
        return;
    HASH_ITER (hh, registry->by_name, e, next) {
        HASH_DEL(registry->by_name, e);
        hy_model_unref(e->model);
        hy_free(e);
    }
    (void)pthread_mutex_destroy(&registry->lock);
    hy_free(registry);
}

/* ---- equal models ----------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    bool same = n_a == n_b;

    for (size_t i = 0; same && i < n_a; i++)
        same = same_text(a[i], b[i]);
    return same;
}

static bool same_column(const hy_column *a, const hy_column *b)
{
    return same_text(a->property, b->property) && same_text(a->name, b->name) && a->kind == b->kind &&
           a->flags == b->flags && a->length == b->length && a->precision == b->precision &&
           a->scale == b->scale && same_text(a->type_sql, b->type_sql) &&
           same_texts(a->enum_values, a->n_enum_values, b->enum_values, b->n_enum_values) &&
           hy_value_equal(&a->default_value, &b->default_value) &&
           same_text(a->default_sql, b->default_sql) && same_text(a->generated_sql, b->generated_sql) &&
           same_text(a->comment, b->comment);
}

static bool same_columns_all(const hy_model *a, const hy_model *b)
{
    bool same = a->columns.n == b->columns.n && a->n_keys == b->n_keys;

    for (size_t i = 0; same && i < a->columns.n; i++)
        same = same_column(&hy__column_at(a, i)->shown, &hy__column_at(b, i)->shown);
    for (size_t i = 0; same && i < a->n_keys; i++)
        same = a->keys[i]->index == b->keys[i]->index;
    if (same && (a->soft_delete || b->soft_delete))
        same = a->soft_delete && b->soft_delete && a->soft_delete->index == b->soft_delete->index;
    return same;
}

static bool same_indexes(const hy_model *a, const hy_model *b)
{
    bool same = a->indexes.n == b->indexes.n;

    for (size_t i = 0; same && i < a->indexes.n; i++) {
        const hy_index *x = a->indexes.items[i], *y = b->indexes.items[i];
        same = same_text(x->name, y->name) && x->unique == y->unique &&
               hy__same_columns(x->columns, x->n_columns, y->columns, y->n_columns);
    }
    return same;
}

static bool same_checks(const hy_model *a, const hy_model *b)
{
    bool same = a->checks.n == b->checks.n;

    for (size_t i = 0; same && i < a->checks.n; i++) {
        const hy_check *x = a->checks.items[i], *y = b->checks.items[i];
        same = same_text(x->name, y->name) && same_text(x->expression, y->expression);
    }
    return same;
}

static bool same_foreign_keys(const hy_model *a, const hy_model *b)
{
    bool same = a->foreign_keys.n == b->foreign_keys.n;

    for (size_t i = 0; same && i < a->foreign_keys.n; i++) {
        const hy_foreign_key *x = a->foreign_keys.items[i], *y = b->foreign_keys.items[i];
        same = same_text(x->name, y->name) && same_text(x->target_table, y->target_table) &&
               hy__same_columns(x->columns, x->n_columns, y->columns, y->n_columns) &&
               same_texts(x->target_columns, x->n_columns, y->target_columns, y->n_columns) &&
               x->on_delete == y->on_delete && x->on_update == y->on_update;
    }
    return same;
}

/* What of two models of one name is not the same; NULL: they are equal. */
static const char *difference(const hy_model *a, const hy_model *b)
{
    if (!same_text(a->table, b->table) || !same_text(a->schema, b->schema) || a->naming != b->naming)
        return "table";
    if (!same_columns_all(a, b))
        return "columns";
    if (!same_indexes(a, b))
        return "indexes";
    if (!same_checks(a, b))
        return "checks";
    return same_foreign_keys(a, b) ? NULL : "foreign keys";
}

/* ---- by name ---------------------------------------------------------------------------- */

/* Lock held. */
static entry *find(hy_registry *registry, const char *name)
{
    entry *e;

    HASH_FIND_STR(registry->by_name, name, e);
    return e;
}

/* Lock held. */
static hy_status add(hy_registry *registry, hy_model *model, hy_error *err)
{
    entry *e = hy_alloc_zero(sizeof *e);

    if (!e)
        return hy_fail_oom(err);
    e->model = hy_model_ref(model);
    HASH_ADD_KEYPTR(hh, registry->by_name, model->name, strlen(model->name), e);
    if (!e->lost)
        return HY_OK;
    hy_model_unref(model);
    hy_free(e);
    return hy_fail_oom(err);
}

/* Lock held. */
static hy_status publish(hy_registry *registry, hy_model *model, hy_model **out, hy_error *err)
{
    const entry *before = find(registry, model->name);
    const char *what = before ? difference(before->model, model) : NULL;

    if (what)
        return hy_fail(err, HY_EMODEL_ALREADY_DEFINED,
                       "model %s is already defined, and its %s are not these: one name is one model",
                       model->name, what);
    hy_status status = before ? HY_OK : add(registry, model, err);
    if (status == HY_OK)
        *out = hy_model_ref(before ? before->model : model);
    return status;
}

hy_status hy_registry_publish(hy_registry *registry, hy_model *model, hy_model **out, hy_error *err)
{
    *out = NULL;
    (void)pthread_mutex_lock(&registry->lock);
    hy_status status = publish(registry, model, out, err);
    (void)pthread_mutex_unlock(&registry->lock);
    return status;
}

hy_model *hy_registry_find(hy_registry *registry, const char *name)
{
    (void)pthread_mutex_lock(&registry->lock);
    const entry *e = find(registry, name);
    hy_model *model = e ? hy_model_ref(e->model) : NULL;
    (void)pthread_mutex_unlock(&registry->lock);
    return model;
}
