/*
 * golden.h - cases of the golden SQL: what is built, and by hand what each database must get.
 *
 * `sql` is the text that dialects share, with names in `ticks` and ? placeholders; the harness
 * turns the ticks into " where names are quoted so and numbers the placeholders for
 * PostgreSQL and CockroachDB. Where a dialect differs its own field says how, in the same two
 * notations; CockroachDB follows PostgreSQL's field and MariaDB follows MySQL's.
 * "!feature" in place of a text: HY_EUNSUPPORTED naming it. A leading '=' switches the
 * notations off: the text is taken as it stands.
 */
#ifndef HY_GOLDEN_H
#define HY_GOLDEN_H

#include "hy_test.h"

#include <hysteria/query.h>

typedef enum golden_model { NONE, USER, POST, TAG, LOG, ODD, PLAIN, DOC, GOLDEN_MODEL_COUNT } golden_model;

typedef struct golden {
    const char *name;
    golden_model model;
    void (*build)(hy_query *q);
    const char *sql;
    const char *binds;   /* "int:18/integer text:Ada/string!", ! for sensitive ones; NULL: none */
    const char *columns; /* "id:bigInteger* total:any", * for a model's column; NULL: not looked at */
    const char *postgres, *cockroachdb, *mysql, *mariadb, *sqlite;
    const char *binds_postgres, *binds_mysql, *binds_mariadb, *binds_sqlite; /* where they differ */
    hy_status fails; /* on every dialect, instead of all texts */
    bool newest;     /* with the features of the newest server */
    bool row_arrays; /* on a connection that takes rows */
    bool inline_values;
    int64_t limit;
} golden;

typedef struct golden_group {
    const char *name;
    const golden *cases;
    size_t n;
} golden_group;

extern const golden_group golden_select, golden_where, golden_join, golden_group_order, golden_set,
    golden_write, golden_json;

/* ---- golden_models.c ---------------------------------------------------------------------- */

/* As hy_dialect_at() numbers them. */
enum { POSTGRES, COCKROACHDB, MYSQL, MARIADB, SQLITE, DIALECTS };

/** The shared models; NONE has none. */
const hy_model *golden_get(golden_model model);
void golden_make_models(void);
void golden_free_models(void);
/** What the case says about a dialect, in the notation above; NULL: nothing. */
const char *golden_text(const golden *g, size_t dialect);
hy_compile_options golden_options(const golden *g, const hy_dialect *dialect);

/* ---- short words for builders ------------------------------------------------------------- */

static inline hy_expr *col(hy_query *q, const char *name)
{
    return hy_expr_column(q, name, strlen(name));
}
static inline hy_expr *any(hy_query *q, const char *name)
{
    return hy_expr_column_or_alias(q, name, strlen(name));
}
static inline hy_expr *val(hy_query *q, hy_value value)
{
    return hy_expr_value(q, &value);
}
static inline hy_expr *like(hy_query *q, const char *name, hy_value value)
{
    return hy_expr_value_like(q, any(q, name), &value);
}
static inline hy_expr *cmp(hy_query *q, const char *name, hy_op op, hy_value value)
{
    return hy_expr_compare(q, op, col(q, name), hy_expr_value_like(q, col(q, name), &value));
}
static inline hy_expr *both(hy_query *q, const char *a, hy_op op, const char *b)
{
    return hy_expr_compare(q, op, col(q, a), col(q, b));
}
static inline hy_expr *raw(hy_query *q, const char *text)
{
    return hy_expr_raw(q, text, strlen(text), NULL, 0);
}
static inline hy_expr *call(hy_query *q, const char *name, hy_expr *arg)
{
    return hy_expr_call(q, name, strlen(name), &arg, arg != NULL, false);
}
static inline void and_(hy_query *q, hy_expr *e)
{
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false, e);
}
static inline void or_(hy_query *q, hy_expr *e)
{
    hy_query_predicate(q, HY_SLOT_WHERE, HY_OR, false, e);
}
static inline void on(hy_query *q, hy_expr *e)
{
    hy_query_predicate(q, HY_SLOT_ON, HY_AND, false, e);
}
static inline void having(hy_query *q, hy_expr *e)
{
    hy_query_predicate(q, HY_SLOT_HAVING, HY_AND, false, e);
}
static inline void pick(hy_query *q, const char *name)
{
    hy_query_select(q, col(q, name), NULL);
}
static inline void from(hy_query *q, const char *table)
{
    hy_query_from(q, table, strlen(table));
}
static inline void join(hy_query *q, hy_join_kind kind, const char *table, golden_model model)
{
    hy_query_join(q, kind, table, strlen(table), golden_get(model));
}
static inline void asc(hy_query *q, const char *name)
{
    hy_query_order_by(q, any(q, name), HY_ASC, HY_NULLS_DEFAULT);
}
static inline void set(hy_query *q, const char *name, hy_expr *value)
{
    hy_query_set(q, name, strlen(name), value);
}

#endif
