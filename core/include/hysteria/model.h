/*
 * model.h - what a model is: a table, its columns, keys, indexes and checks.
 *
 * A model is built once, frozen, then shared by any number of threads and queries: after
 * hy_model_freeze() nothing changes and every function below may be called without a lock.
 * No Lua in here: hooks, relations and functions belong to the Lua side, which keeps a model
 * alive by reference. A composite primary key is the general case: keys are always lists.
 */
#ifndef HYSTERIA_MODEL_H
#define HYSTERIA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/error.h>
#include <hysteria/export.h>
#include <hysteria/value.h>

HY_BEGIN_DECLS

typedef struct hy_model hy_model;

/* How property names become column names. */
typedef enum hy_naming { HY_NAMING_PRESERVE, HY_NAMING_SNAKE, HY_NAMING_CAMEL, HY_NAMING_PASCAL } hy_naming;

typedef enum hy_column_flag {
    HY_COLUMN_PRIMARY = 1 << 0, /* part of the primary key; implies NOT_NULL */
    HY_COLUMN_NOT_NULL = 1 << 1,
    HY_COLUMN_UNIQUE = 1 << 2,
    HY_COLUMN_INCREMENT = 1 << 3, /* the database numbers it; implies PRIMARY and NOT_NULL */
    HY_COLUMN_HIDDEN = 1 << 4,    /* read only when selected by name */
    HY_COLUMN_GENERATED = 1 << 5, /* computed by the database, never written */
    HY_COLUMN_SENSITIVE = 1 << 6, /* its values never reach messages or logs */
    HY_COLUMN_UNSIGNED = 1 << 7,
    HY_COLUMN_TIMEZONE = 1 << 8,    /* timestamp with time zone where the database has one */
    HY_COLUMN_HAS_DEFAULT = 1 << 9, /* the database has a default for it */
    HY_COLUMN_OPAQUE = 1 << 10,     /* stored hashed or encrypted: not compared, not sorted by; implies
                                       SENSITIVE */
    HY_COLUMN_COMPUTED = 1 << 11,   /* with GENERATED: computed when it is read, not stored */
    HY_COLUMN_FLOATS = 1 << 12      /* a decimal that the program reads as a float: up to 15 digits it
                                       takes floats too */
} hy_column_flag;

typedef enum hy_reference_action {
    HY_REFERENCE_NONE, /* not said */
    HY_REFERENCE_CASCADE,
    HY_REFERENCE_SET_NULL,
    HY_REFERENCE_SET_DEFAULT,
    HY_REFERENCE_RESTRICT,
    HY_REFERENCE_NO_ACTION
} hy_reference_action;

/**
 * A column. The caller fills one to describe it (strings are copied by hy_model_add_column);
 * hy_model_column() hands back the frozen one, owned by the model.
 */
typedef struct hy_column {
    const char *property; /* name in Lua */
    const char *name;     /* name in the database; NULL: the property by the model's naming */
    hy_kind kind;
    unsigned flags;       /* hy_column_flag */
    int length;           /* characters or bytes; 0: the kind's default */
    int precision, scale; /* decimal digits (10 and 2), or parts of a second (precision, 6); -1: default */
    hy_kind element;      /* HY_KIND_ARRAY: of what; length, precision and scale are the elements' */
    const char *type_sql; /* HY_KIND_CUSTOM: the type as written to the database */
    const char *const *enum_values;
    size_t n_enum_values;
    hy_value default_value;    /* with HY_COLUMN_HAS_DEFAULT and default_sql NULL */
    const char *default_sql;   /* an SQL expression instead */
    const char *generated_sql; /* with HY_COLUMN_GENERATED */
    const char *comment;
    size_t index; /* position in the model; set by the model */
} hy_column;

typedef struct hy_index {
    const char *name; /* NULL: idx_<table>_<columns> or uq_<table>_<columns> */
    const size_t *columns;
    size_t n_columns;
    bool unique;
} hy_index;

typedef struct hy_check {
    const char *name;       /* NULL: chk_<table>_<slug> */
    const char *expression; /* SQL, written by the model's author */
} hy_check;

typedef struct hy_foreign_key {
    const char *name; /* NULL: fk_<table>_<columns>_<target> */
    const size_t *columns;
    size_t n_columns;
    const char *target_table; /* database names */
    const char *const *target_columns;
    hy_reference_action on_delete, on_update;
} hy_foreign_key;

/** A model with one reference, the caller's. `schema` may be NULL. NULL: out of memory. */
HY_API hy_model *hy_model_new(const char *name, const char *schema, const char *table,
                              hy_naming database_naming);
HY_API hy_model *hy_model_ref(hy_model *model);
/** Give a reference back; the last one frees. NULL is fine. Thread-safe. */
HY_API void hy_model_unref(hy_model *model);

/* Before hy_model_freeze(). All copy what they are given. */

/**
 * HY_EINVALID_MODEL: property or column name used twice (also two properties whose names
 * fall together in the database), empty, or not a usable identifier.
 */
HY_API hy_status hy_model_add_column(hy_model *model, const hy_column *column, hy_error *err);
/**
 * Columns by property. Replaces the key that HY_COLUMN_PRIMARY flags would make, and gives the
 * order. HY_EMULTIPLE_PRIMARY_KEYS_NOT_ALLOWED when called twice or, at the freeze, when it
 * leaves a flagged column out. Several flagged columns alone make a composite key.
 */
HY_API hy_status hy_model_set_primary_key(hy_model *model, const char *const *properties, size_t n,
                                          hy_error *err);
HY_API hy_status hy_model_add_index(hy_model *model, const char *name, const char *const *properties,
                                    size_t n, bool unique, hy_error *err);
HY_API hy_status hy_model_add_check(hy_model *model, const char *name, const char *expression, hy_error *err);
/** `properties` are this model's, `target_columns` database names. */
HY_API hy_status hy_model_add_foreign_key(hy_model *model, const char *name, const char *const *properties,
                                          size_t n, const char *target_table,
                                          const char *const *target_columns, hy_reference_action on_delete,
                                          hy_reference_action on_update, hy_error *err);
/** The column whose value tells deleted rows (HY_KIND_BOOLEAN: true; else: not NULL). */
HY_API hy_status hy_model_set_soft_delete(hy_model *model, const char *property, hy_error *err);
/**
 * No change after this. Settles the key, turns HY_COLUMN_UNIQUE into unique indexes, fills
 * default names (cut to 63 bytes without collision) and checks that no two are equal.
 * HY_EINVALID_MODEL also for a model without columns. Idempotent; after a failure the model
 * can still be added to or freed.
 */
HY_API hy_status hy_model_freeze(hy_model *model, hy_error *err);

/* After it. What they return is the model's. */

HY_API const char *hy_model_name(const hy_model *model);
HY_API const char *hy_model_table(const hy_model *model);
HY_API const char *hy_model_schema(const hy_model *model); /* NULL: none */
HY_API hy_naming hy_model_naming(const hy_model *model);
HY_API size_t hy_model_n_columns(const hy_model *model);
HY_API const hy_column *hy_model_column(const hy_model *model, size_t index);
/** By property, then by database name; NULL if there is none such. */
HY_API const hy_column *hy_model_find_column(const hy_model *model, const char *name, size_t size);
/** The property or name nearest to `name`, or NULL when nothing is near. For messages. */
HY_API const char *hy_model_suggest_column(const hy_model *model, const char *name, size_t size);
/**
 * The message for a name that is no column: "no column 'emial' on User; did you mean 'email'?",
 * NUL-terminated into `out` (cut at out_size). Returns its length.
 */
HY_API size_t hy_model_missing_column(const hy_model *model, const char *name, size_t size, char *out,
                                      size_t out_size);
HY_API size_t hy_model_n_keys(const hy_model *model); /* 0: no primary key */
HY_API const hy_column *hy_model_key(const hy_model *model, size_t i);
HY_API const char *hy_model_key_name(const hy_model *model);         /* pk_<table>_<columns>; NULL: no key */
HY_API const hy_column *hy_model_soft_delete(const hy_model *model); /* NULL: none */
HY_API size_t hy_model_n_indexes(const hy_model *model);
HY_API const hy_index *hy_model_index(const hy_model *model, size_t i);
HY_API size_t hy_model_n_checks(const hy_model *model);
HY_API const hy_check *hy_model_check(const hy_model *model, size_t i);
HY_API size_t hy_model_n_foreign_keys(const hy_model *model);
HY_API const hy_foreign_key *hy_model_foreign_key(const hy_model *model, size_t i);
/**
 * The `i`th column that the primary key, unique index or check of that name (in any case of letters) is
 * about; NULL: no more, or none such. A check is about the columns that its text names.
 */
HY_API const hy_column *hy_model_constraint_column(const hy_model *model, const char *name, size_t i);
/** A number that no two models of a process share: a reload makes a new one. */
HY_API uint64_t hy_model_version(const hy_model *model);

/* ---- what threads have in common ------------------------------------------------------- */

/** Models by name. Any thread may use it; it keeps what was published until its own end. */
typedef struct hy_registry hy_registry;

/** With one reference, the caller's. NULL: out of memory. */
HY_API hy_registry *hy_registry_new(void);
HY_API hy_registry *hy_registry_ref(hy_registry *registry);
HY_API void hy_registry_unref(hy_registry *registry);
/**
 * Make a frozen model the one of its name. `*out`, with a reference for the caller, is `model`
 * itself, or the one published before, which must be its equal in all but the version:
 * HY_EMODEL_ALREADY_DEFINED.
 */
HY_API hy_status hy_registry_publish(hy_registry *registry, hy_model *model, hy_model **out, hy_error *err);
/** With a reference for the caller; NULL: there is none of that name. */
HY_API hy_model *hy_registry_find(hy_registry *registry, const char *name);

/**
 * hy_value_encode() for one column of a model, which also holds the value against the column's
 * length, precision and scale, enum values and sign: what it could only store changed is refused
 * with HY_EDATA_INVALID. A decimal of 2^63 to 2^64-1 stays one for an unsigned HY_KIND_BIGINT. A
 * float for HY_COLUMN_FLOATS is the shortest decimal that reads as it.
 */
HY_API hy_status hy_column_encode(const hy_column *column, const hy_value *in,
                                  char scratch[HY_VALUE_SCRATCH_SIZE], hy_value *out, hy_error *err);

/**
 * `name` in another convention, NUL-terminated into `out` (cut at size). snake_case puts '_'
 * before an upper-case letter that follows a lower-case letter or digit, and before the last
 * capital of a run that a lower-case letter follows ("parseHTMLText" -> "parse_html_text");
 * other conventions drop a '_' before a letter ("line2_text" -> "line2Text"). A digit stays
 * with what is before it: "address1" <-> "address1", "address_1" <-> "address_1". Returns the
 * length written.
 */
HY_API size_t hy_naming_convert(hy_naming to, const char *name, size_t name_size, char *out, size_t size);
/** snake_case plural: "User" -> "users", "OrderLine" -> "order_lines", "Category" -> "categories". */
HY_API size_t hy_naming_table(const char *model_name, char *out, size_t size);
/** "posts" -> "post": for default foreign keys. */
HY_API size_t hy_naming_singular(const char *plural, char *out, size_t size);

HY_END_DECLS
#endif
