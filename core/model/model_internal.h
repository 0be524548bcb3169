/*
 * model_internal.h - the inside of a model, shared by model.c (building and reading) and
 * freeze.c (keys, default names, collisions). DDL uses the two questions at the end.
 *
 * Everything a model holds lies in its arena and goes with it; only the two hash tables own
 * memory of their own. Until the freeze one thread has the model; after it nobody writes.
 */
#ifndef HY_MODEL_INTERNAL_H
#define HY_MODEL_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <hysteria/memory.h>
#include <hysteria/model.h>

#include <base/arena.h>

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) hy_alloc(size)
#define uthash_free(ptr, size) hy_free(ptr)
#define uthash_nonfatal_oom(column) ((column)->lost = true)
#include <uthash.h>

enum { HY__NAME_MAX = 63 }; /* bytes: PostgreSQL's limit, the smallest of the five */

/* The public part comes first: a const hy_column * of a model is one of these. */
typedef struct hy__column {
    hy_column shown;
    const char *check_name; /* of the CHECK that an enum needs on some databases; or NULL */
    bool lost;              /* a hash table had no memory for it */
    UT_hash_handle by_property, by_name;
} hy__column;

/* Grows in the arena; outgrown arrays stay there until the model goes. */
typedef struct hy__list {
    void **items;
    size_t n, capacity;
} hy__list;

struct hy_model {
    atomic_size_t references;
    uint64_t version;
    hy_arena arena;
    bool frozen;
    hy_naming naming;
    const char *name, *schema, *table;
    hy__list columns;                  /* hy__column */
    hy__list indexes;                  /* hy_index */
    hy__list checks;                   /* hy_check */
    hy__list foreign_keys;             /* hy_foreign_key */
    hy__column *by_property, *by_name; /* heads of the hash tables */
    const size_t *declared_key;        /* hy_model_set_primary_key(), else NULL */
    size_t n_declared_key;
    const hy_column **keys; /* after the freeze */
    size_t n_keys;
    const char *key_name; /* pk_<table>_<columns> */
    const hy_column *soft_delete;
};

/** Append; false (and nothing happened) when memory ran out. */
bool hy__list_push(hy_arena *arena, hy__list *list, void *item);
/** 1 to 63 bytes of UTF-8 without control characters: anything that quoting can carry. */
bool hy__usable_name(const char *name);
/** The same indexes in the same order. */
bool hy__same_columns(const size_t *a, size_t n_a, const size_t *b, size_t n_b);

static inline hy__column *hy__column_at(const hy_model *model, size_t i)
{
    return model->columns.items[i];
}

/** Name of the CHECK for an enum column: chk_<table>_<column>_enum. NULL: of another kind. */
const char *hy__model_column_check(const hy_model *model, size_t index);

#endif
