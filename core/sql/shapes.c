/*
 * shapes.c - what was compiled, found again by the shape of a query.
 *
 * A table of pairs of places: a shape lies in one of the two that its hash names, and takes the one
 * used longer ago. Shapes never change and are counted: who runs one may keep it when it has lost its
 * place. The lock is held for a look at two places.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/memory.h>

#include "sql/shape.h"
#include "sql/shaping.h"

struct hy_shape {
    atomic_uint users; /* its place, and who runs it */
    uint64_t used;     /* when it was found last, by the table's count */
    uint64_t hash;
    const char *key;
    size_t size;
    hy_sql sql;          /* its columns and text lie here; no binds */
    const int16_t *from; /* of each bind: which value of the query, below 0: which constant */
    const hy_bind *constants;
    bool in_order; /* the values are the binds */
};

struct hy_shapes {
    pthread_mutex_t lock;
    uint64_t found, missed;
    size_t n_places; /* even */
    hy_shape *places[];
};

/* ---- the table -------------------------------------------------------------------------- */

hy_shapes *hy__shapes_new(size_t capacity)
{
    size_t n = capacity > 0 ? 2 : 0;

    while (n < capacity)
        n *= 2;
    hy_shapes *shapes = hy_alloc_zero(sizeof *shapes + n * sizeof(hy_shape *));
    if (shapes == NULL)
        return NULL;
    shapes->n_places = n;
    pthread_mutex_init(&shapes->lock, NULL);
    return shapes;
}

void hy__shape_release(hy_shape *shape)
{
    if (shape != NULL && atomic_fetch_sub_explicit(&shape->users, 1, memory_order_acq_rel) == 1)
        hy_free(shape);
}

void hy__shapes_free(hy_shapes *shapes)
{
    if (shapes == NULL)
        return;
    for (size_t i = 0; i < shapes->n_places; i++)
        hy__shape_release(shapes->places[i]);
    pthread_mutex_destroy(&shapes->lock);
    hy_free(shapes);
}

void hy__shapes_counts(hy_shapes *shapes, uint64_t *found, uint64_t *missed)
{
    pthread_mutex_lock(&shapes->lock);
    *found = shapes->found;
    *missed = shapes->missed;
    pthread_mutex_unlock(&shapes->lock);
}

/* The first of its two places. */
static hy_shape **pair_of(hy_shapes *shapes, uint64_t hash)
{
    return &shapes->places[(hash * 2) & (shapes->n_places - 1)];
}

static bool is_shape(const hy_shape *shape, uint64_t hash, const hy_shaping *s)
{
    return shape != NULL && shape->hash == hash && shape->size == s->size &&
           memcmp(shape->key, s->key, s->size) == 0;
}

static hy_shape *find(hy_shapes *shapes, uint64_t hash, const hy_shaping *s)
{
    hy_shape *shape = NULL;

    pthread_mutex_lock(&shapes->lock);
    hy_shape **pair = pair_of(shapes, hash);
    for (size_t i = 0; i < 2 && shape == NULL; i++)
        if (is_shape(pair[i], hash, s))
            shape = pair[i];
    if (shape != NULL) {
        shape->used = ++shapes->found;
        atomic_fetch_add_explicit(&shape->users, 1, memory_order_relaxed);
    } else {
        shapes->missed++;
    }
    pthread_mutex_unlock(&shapes->lock);
    return shape;
}

/* `shape` belongs to the table from here on. Two threads may have made the same: the later one's stays. */
static void keep(hy_shapes *shapes, hy_shape *shape)
{
    pthread_mutex_lock(&shapes->lock);
    hy_shape **at = pair_of(shapes, shape->hash);
    if (at[0] != NULL && (at[1] == NULL || at[1]->used < at[0]->used))
        at++;
    hy_shape *before = *at;
    *at = shape;
    shape->used = shapes->found;
    pthread_mutex_unlock(&shapes->lock);
    hy__shape_release(before);
}

/* ---- making one ------------------------------------------------------------------------- */

/* Which of the query's values a bind is: mostly the one that lies where it is itself. */
static size_t find_origin(const hy_shaping *s, const void *origin, size_t at)
{
    if (at < s->n && s->origins[at] == origin)
        return at;
    for (size_t i = 0; i < s->n; i++)
        if (s->origins[i] == origin)
            return i;
    return s->n;
}

/* What has to be copied, counted first and then taken from one block. */
typedef struct hy_block {
    char *data;
    size_t size;
} hy_block;

static void *take(hy_block *block, const void *data, size_t size)
{
    char *at = block->data != NULL ? block->data + block->size : NULL;

    block->size += size;
    return at != NULL && size > 0 ? memcpy(at, data, size) : at;
}

static void take_columns(hy_block *block, const hy_sql *from, hy_sql *into)
{
    size_t n = from->ends != NULL ? (size_t)(from->ends - from->columns) : from->n_columns;
    hy_result_column *columns = take(block, from->columns, n * sizeof *columns);

    for (size_t i = 0; i < n; i++) {
        const char *name = from->columns[i].name;
        const char *copy = take(block, name, strlen(name) + 1);
        if (columns != NULL)
            columns[i].name = copy;
    }
    into->columns = columns;
    into->ends = from->ends != NULL && columns != NULL ? columns + n : NULL;
}

/* The parts of a shape, widest alignment first. */
static void take_all(hy_block *block, const hy_sql *sql, const hy_shaping *s, const hy_bind *constants,
                     size_t n_constants, const int16_t *from, hy_shape *shape)
{
    hy_bind *binds = take(block, constants, n_constants * sizeof *constants);

    shape->constants = binds;
    shape->sql = *sql;
    take_columns(block, sql, &shape->sql); /* ends with the names */
    for (size_t i = 0; i < n_constants; i++) {
        char *bytes = take(block, constants[i].value.as.text.data, constants[i].value.as.text.size);
        if (binds != NULL)
            binds[i].value.as.text.data = bytes;
    }
    block->size += block->size % sizeof *from;
    shape->from = take(block, from, sql->n_binds * sizeof *from);
    shape->sql.text = take(block, sql->text, sql->size + 1);
    shape->key = take(block, s->key, s->size);
}

static hy_shape *make(uint64_t hash, const hy_sql *sql, const hy_shaping *s, const void *const *origins)
{
    int16_t from[HY__SHAPE_BINDS];
    hy_bind constants[HY__SHAPE_BINDS];
    size_t n_constants = 0;
    hy_shape unmade = {.hash = hash, .size = s->size, .in_order = sql->n_binds == s->n};
    hy_block block = {.size = 0};

    if (sql->n_binds > HY__SHAPE_BINDS || sql->params != NULL || sql->n_rows > 0)
        return NULL;
    for (size_t i = 0; i < sql->n_binds; i++) {
        size_t at = find_origin(s, origins[i], i);
        bool constant = origins[i] == hy__constant;
        if (!constant && at == s->n)
            return NULL; /* made of several values, say */
        if (!constant && s->binds[at].sensitive != sql->binds[i].sensitive)
            return NULL; /* a secret that only compiling found */
        unmade.in_order &= !constant && at == i;
        from[i] = (int16_t)at;
        if (!constant)
            continue;
        constants[n_constants++] = sql->binds[i];
        from[i] = (int16_t)-n_constants;
    }
    take_all(&block, sql, s, constants, n_constants, from, &unmade);
    size_t head = (sizeof unmade + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    char *memory = hy_alloc(head + block.size);
    if (memory == NULL)
        return NULL;
    hy_shape *shape = (hy_shape *)(void *)memory;
    block = (hy_block){.data = memory + head};
    take_all(&block, sql, s, constants, n_constants, from, &unmade);
    unmade.sql.binds = NULL;
    unmade.sql.table = NULL; /* the query's */
    memcpy(shape, &unmade, sizeof unmade);
    atomic_init(&shape->users, 1);
    return shape;
}

/* ---- using one -------------------------------------------------------------------------- */

static void fill(const hy_shape *shape, hy_shaping *s, const hy_query *q, hy_sql *out)
{
    *out = shape->sql;
    out->table = hy_query_table(q);
    out->binds = s->binds;
    if (shape->in_order)
        return;
    for (size_t i = 0; i < out->n_binds; i++)
        s->sent[i] = shape->from[i] < 0 ? shape->constants[-shape->from[i] - 1] : s->binds[shape->from[i]];
    out->binds = s->sent;
}

#ifdef HY_CHECK_SHAPES
static bool same_binds(const hy_sql *a, const hy_sql *b)
{
    if (a->n_binds != b->n_binds)
        return false;
    for (size_t i = 0; i < a->n_binds; i++)
        if (a->binds[i].kind != b->binds[i].kind || a->binds[i].sensitive != b->binds[i].sensitive ||
            !hy_value_equal(&a->binds[i].value, &b->binds[i].value))
            return false;
    return true;
}

static bool same_columns(const hy_sql *a, const hy_sql *b)
{
    size_t n = a->ends != NULL ? (size_t)(a->ends - a->columns) : a->n_columns;

    if (n != (b->ends != NULL ? (size_t)(b->ends - b->columns) : b->n_columns))
        return false;
    for (size_t i = 0; i < n; i++) {
        const hy_result_column *x = &a->columns[i], *y = &b->columns[i];
        if (strcmp(x->name, y->name) != 0 || x->kind != y->kind || x->column != y->column ||
            x->scale != y->scale)
            return false;
    }
    return a->n_columns == b->n_columns && a->n_first == b->n_first && a->n_last == b->n_last;
}

static bool same_rest(const hy_sql *a, const hy_sql *b)
{
    bool same_table =
        a->table == b->table || (a->table != NULL && b->table != NULL && strcmp(a->table, b->table) == 0);

    return same_table && a->hash == b->hash && a->kind == b->kind && a->has_raw == b->has_raw &&
           a->calls == b->calls && a->writes == b->writes && a->n_rows == b->n_rows &&
           (a->columns_of == b->columns_of || a->columns_of == 0 || b->columns_of == 0);
}

/* What was found is what compiling gives, or the tests shall fail. */
static hy_status check(hy_compiler *compiler, const hy_sql *found, const hy_query *q,
                       const hy_dialect *dialect, const hy_compile_options *options, hy_error *err)
{
    if (compiler->checker == NULL)
        compiler->checker = hy_compiler_new();
    hy_compiler *c = compiler->checker;
    hy_sql sql;
    hy_status status = c != NULL ? hy_compile(c, q, dialect, options, &sql, err) : hy_fail_oom(err);

    if (status == HY_OK &&
        (sql.size != found->size || memcmp(sql.text, found->text, sql.size) != 0 ||
         !same_binds(&sql, found) || !same_columns(&sql, found) || !same_rest(&sql, found)))
        status = hy_fail(err, HY_EINVALID_ARGUMENT, "shape.c takes two queries for one: %.200s -- %.200s",
                         found->text, sql.text);
    return status;
}
#else
static hy_status check(hy_compiler *compiler, const hy_sql *found, const hy_query *q,
                       const hy_dialect *dialect, const hy_compile_options *options, hy_error *err)
{
    (void)compiler, (void)found, (void)q, (void)dialect, (void)options, (void)err;
    return HY_OK;
}
#endif

static bool has_shape(hy_shapes *shapes, hy_compiler *c, const hy_query *q, const hy_dialect *dialect,
                      const hy_compile_options *options)
{
    if (shapes->n_places == 0 || q->open != NULL || hy_query_status(q, NULL) != HY_OK)
        return false;
    if (c->shaping == NULL)
        c->shaping = hy_alloc(sizeof *c->shaping);
    return c->shaping != NULL && hy__shape_of(c->shaping, &q->tree, dialect, options);
}

hy_status hy__compile_by_shape(hy_shapes *shapes, hy_compiler *compiler, const hy_query *q,
                               const hy_dialect *dialect, const hy_compile_options *options, hy_sql *out,
                               hy_shape **used, hy_error *err)
{
    *used = NULL;
    if (!has_shape(shapes, compiler, q, dialect, options))
        return hy_compile(compiler, q, dialect, options, out, err);
    const hy_shaping *s = compiler->shaping;
    uint64_t hash = hy_hash(0, s->key, s->size);
    hy_shape *shape = find(shapes, hash, s);
    if (shape != NULL) {
        fill(shape, compiler->shaping, q, out);
        *used = shape;
        return check(compiler, out, q, dialect, options, err);
    }
    hy_status status = hy_compile(compiler, q, dialect, options, out, err);
    if (status == HY_OK)
        shape = make(hash, out, s, compiler->origins);
    if (shape != NULL)
        keep(shapes, shape);
    return status;
}
