/*
 * emit.h - the walk that turns a tree into text and binds.
 *
 * Private to core/sql. One emitter serves one hy_compile() call; its memory is the
 * compiler's. Nothing here reports by return value: the first failure is kept, the walk goes
 * on into text that nobody will see, and compile.c asks once at the end.
 */
#ifndef HY_SQL_EMIT_H
#define HY_SQL_EMIT_H

#include <string.h>

#include <base/arena.h>
#include <base/buf.h>

#include "sql/ast.h"
#include "sql/dialect.h"

/* The columns of one model as they were written last: one block, results first, then the text. */
typedef struct hy_own_columns {
    uint64_t version; /* the model's; 0: nothing is kept */
    const hy_dialect *dialect;
    hy_result_column *results;
    size_t n;
    const char *text;
    size_t size;
} hy_own_columns;

struct hy_compiler {
    hy_buf text;
    hy_buf list; /* a long IN list while it is being written */
    hy_bind *binds;
    const hy_param **params; /* as long as binds: a parameter, or NULL */
    const void *
        *origins; /* as long: where in the query the value is, hy__constant, or NULL: made of several */
    size_t n_binds, binds_room;
    hy_result_column *columns;
    size_t n_columns, columns_room;
    hy_arena scratch; /* texts that belong to no query */
    hy_own_columns own;
    struct hy_shaping *shaping; /* NULL until one is needed */
    hy_compiler *checker;       /* of what was found, in builds that look for faults; or NULL */
};

/* What a name without a qualifier may be, where the walk is. */
typedef enum hy_place {
    HY_PLACE_PLAIN, /* a column */
    HY_PLACE_NAME,  /* or a select alias, written as such */
    HY_PLACE_INNER  /* or a select alias, for which its expression is written again */
} hy_place;

/* How a write reaches its rows. */
typedef enum hy_plan {
    HY_PLAN_NATIVE,
    HY_PLAN_KEYS /* WHERE key IN (SELECT key FROM ...) */
} hy_plan;

/* One statement or subquery; the outer ones can be seen from inside. */
typedef struct hy_scope {
    const hy_tree *tree;
    struct hy_scope *outer;
    const char *base;
    size_t base_size;
    hy_place place;
    hy_plan plan;
    bool qualify;           /* unqualified columns get the base name */
    bool own_names;         /* with `qualify`: names of no known model are the base table's as well */
    bool labels;            /* columns go by their properties' names, as what is selected does */
    bool base_only;         /* joined tables cannot be seen (SET of a rewritten UPDATE) */
    bool new_row;           /* no column can be seen (VALUES) */
    const hy_item *setting; /* this assignment's value is written, and those before it have been made */
} hy_scope;

struct hy_emitter {
    hy_buf *text;
    hy_compiler *compiler;
    const hy_dialect *dialect;
    hy_features features;
    hy_scope *scope;
    const int64_t *limit_option; /* NULL: none */
    hy_status status;
    hy_error *err;
    bool inline_values;
    bool collect;     /* note the columns of what is selected */
    bool unknown;     /* and some of them cannot be known: */
    size_t n_first;   /* so many were before the first of those, */
    size_t n_until;   /* so many before what follows the last */
    bool own_columns; /* what was noted so far is all columns of the statement's model */
    bool select_one;  /* the next SELECT needs no columns */
    bool name_fields; /* columns are named after their properties */
    bool negating;    /* what is emitted stands inside of a NOT */
    bool again;       /* it may have been emitted before: its values keep the placeholders they have */
    bool has_raw, has_params, calls;
    bool secret;   /* a column that must not be shown was found only now, see emit_node() */
    size_t n_rows; /* whose binds share placeholders; 0: none do */
};

/* ---- text ------------------------------------------------------------------------------- */

static inline void hy__put(hy_emitter *e, const char *text, size_t size)
{
    hy_buf *b = e->text;

    if (size < b->capacity - b->size) {
        memcpy(b->data + b->size, text, size);
        b->size += size;
        b->data[b->size] = '\0';
    } else {
        hy_buf_append(b, text, size);
    }
}
#define PUT(e, literal) hy__put((e), "" literal, sizeof(literal) - 1)

static inline void hy__puts(hy_emitter *e, const char *text)
{
    hy__put(e, text, strlen(text));
}

/** Keep a failure, the first one only. */
#define EMIT_FAIL(e, ...) \
    ((e)->status == HY_OK ? (void)((e)->status = hy_fail((e)->err, __VA_ARGS__)) : (void)0)
void hy__emit_unsupported(hy_emitter *e, const char *feature);
static inline bool hy__emit_can(const hy_emitter *e, hy_feature_number feature)
{
    return (e->features >> feature & 1) != 0;
}
/** Fails when the dialect lacks the feature. */
void hy__emit_need(hy_emitter *e, hy_feature_number feature);
static inline bool hy__emit_has(const hy_emitter *e, hy_traits trait)
{
    return (e->dialect->traits & trait) != 0;
}

void hy__emit_identifier(hy_emitter *e, const char *name, size_t size);
/** "schema.table": every part quoted. */
void hy__emit_dotted(hy_emitter *e, const char *name, size_t size);
/** The base name and a dot, where unqualified columns need them. */
void hy__emit_base(hy_emitter *e);
/** A value made for this statement. */
void hy__emit_bind(hy_emitter *e, const hy_bind *bind);
/** The value of a node, a cell or a field of the query: `origin` is where that lies. */
void hy__emit_bind_of(hy_emitter *e, const hy_bind *bind, const void *origin);
/** The origin of a value that any query of the same shape has too. */
extern const char hy__constant[];

/* ---- names ------------------------------------------------------------------------------ */

enum { HY_CONVERTED_SIZE = 256 };

/* What a name in the query means in the database. */
typedef struct hy_name {
    const char *text; /* database name */
    size_t size;
    const char *label; /* what a result's field is called */
    const hy_column *column;
    hy_kind kind;
    char converted[HY_CONVERTED_SIZE];
    bool sensitive; /* its values are not to be shown */
} hy_name;

/** "users.age" seen from the emitter's scope. False: the emitter has failed. */
bool hy__resolve_qualified(hy_emitter *e, const hy_column_expr *c, hy_name *out);
/** A value of a new row names a column: MySQL and MariaDB would take its default, which is no row's value. */
void hy__fail_new_row(hy_emitter *e);
/** A column of the base table stands in a value of SET: it may not be one that was set before it. */
void hy__check_assigned(hy_emitter *e, const hy_scope *scope, const char *name, size_t size);
/** A name without qualifier and without a model's column behind it. */
void hy__resolve_plain(hy_emitter *e, const hy_column_expr *c, hy_name *out);
/** A column of the statement's own table, where nothing else can be named. */
void hy__resolve_bare(hy_emitter *e, const hy_column_expr *c, hy_name *out);
/** The model behind "users" in "users.*", or NULL. */
const hy_model *hy__resolve_model(hy_emitter *e, const char *qualifier, size_t size);
/** What is selected under that alias, or NULL. */
const hy_item *hy__find_alias(const hy_tree *tree, const char *name, size_t size);

/* ---- expressions ------------------------------------------------------------------------ */

void hy__emit_expr(hy_emitter *e, const hy_expr *x);
/** In parentheses unless it stands for itself. */
void hy__emit_operand(hy_emitter *e, const hy_expr *x);
/**
 * "(?, ?)" for a row of plain values, where placeholders are all alike: a large insert spends its
 * time here. False: nothing was written, go the ordinary way.
 */
bool hy__emit_values(hy_emitter *e, const hy_row *row, size_t n);
/** The binds of a row of plain values, and no text. False: out of memory. */
bool hy__emit_row_binds(hy_emitter *e, const hy_row *row, size_t n);
/** "?" or "$7" */
void hy__put_placeholder(hy_emitter *e, size_t number);
/** "(?, ?)"; n is at least 1. */
void hy__put_placeholders(hy_emitter *e, size_t n);
/** IN with a list or a subquery, EXISTS, and a subquery that stands for a value. */
void hy__emit_in(hy_emitter *e, const hy_expr *x);
void hy__emit_in_query(hy_emitter *e, const hy_expr *x);
void hy__emit_exists(hy_emitter *e, const hy_expr *x);
void hy__emit_query(hy_emitter *e, const hy_expr *x);
/**
 * Around what yields decimals and is no column, where decimals are text: it compares and sorts as a
 * number. Elsewhere nothing is written.
 */
void hy__text_decimal_open(hy_emitter *e, const hy_expr *x);
void hy__text_decimal_close(hy_emitter *e, const hy_expr *x);
/** A list with commas. */
void hy__emit_list(hy_emitter *e, hy_expr *const *list, size_t n);
/** A column by its database name alone, without any qualifier. */
void hy__emit_bare(hy_emitter *e, const hy_expr *column);

/* ---- statements ------------------------------------------------------------------------- */

/** A SELECT without parentheses, in a scope of its own. */
void hy__emit_select(hy_emitter *e, const hy_tree *tree);
/** Enter a tree; leave with hy__scope_leave(). */
void hy__scope_enter(hy_emitter *e, hy_scope *scope, const hy_tree *tree, bool qualify);
static inline void hy__scope_leave(hy_emitter *e)
{
    e->scope = e->scope->outer;
}
/** Run a clause list. */
void hy__emit_clauses(hy_emitter *e, const hy_clause *clauses);
/** Refuse what the statement cannot have and choose how it reaches its rows. */
void hy__plan_statement(hy_emitter *e);

/** " AS alias"; nothing for NULL. */
void hy__emit_as(hy_emitter *e, const char *alias);
/** The base table without its alias. */
void hy__emit_base_table(hy_emitter *e, const hy_tree *tree);
/** A joined table with its alias. */
void hy__emit_join_item(hy_emitter *e, const hy_join *join);
/** Is there a table or a subquery to read from? */
bool hy__has_from(const hy_tree *tree);
/** Any condition in the group or below. */
bool hy__has_conditions(const hy_group *group);
/**
 * The position of an expression that is selected too and has values: the server would take it for
 * another one. False: nothing was written.
 */
bool hy__emit_position(hy_emitter *e, const hy_item *item);
/** The items of a SELECT or RETURNING; notes the result's columns. */
/** Are the columns in a list called after their properties, since other fields only the database knows? */
bool hy__has_unknown_fields(const hy_chain *items);
void hy__emit_items(hy_emitter *e, const hy_chain *items);

/* The clauses; each writes nothing when its part is empty. */
void hy__clause_with(hy_emitter *e);
void hy__clause_set_open(hy_emitter *e);
void hy__clause_select(hy_emitter *e);
void hy__clause_from(hy_emitter *e);
void hy__clause_joins(hy_emitter *e);
void hy__clause_where(hy_emitter *e);
void hy__clause_group(hy_emitter *e);
void hy__clause_having(hy_emitter *e);
void hy__clause_members(hy_emitter *e);
void hy__clause_order(hy_emitter *e);
void hy__clause_limit(hy_emitter *e);
void hy__clause_lock(hy_emitter *e);
void hy__clause_insert(hy_emitter *e);
void hy__clause_values(hy_emitter *e);
void hy__clause_upsert(hy_emitter *e);
void hy__clause_update(hy_emitter *e);
void hy__clause_update_joins(hy_emitter *e);
void hy__clause_set(hy_emitter *e);
void hy__clause_update_from(hy_emitter *e);
void hy__clause_delete(hy_emitter *e);
void hy__clause_delete_using(hy_emitter *e);
void hy__clause_write_order(hy_emitter *e);
void hy__clause_returning(hy_emitter *e);
void hy__clause_truncate(hy_emitter *e);
void hy__clause_delete_all(hy_emitter *e);

/**
 * The rows of an INSERT as arrays, if there are many and nothing but plain values in them. False: nothing
 * was written.
 */
bool hy__emit_row_arrays(hy_emitter *e);

/** How many rows at most were asked for beside the query, or NULL. */
static inline const int64_t *hy__limit_option(const hy_tree *tree, const hy_compile_options *options)
{
    bool limits = options != NULL && options->limit > 0 && tree->kind == HY_STATEMENT_SELECT;
    return limits ? &options->limit : NULL;
}
/** How many rows at most, or NULL. `option`: of the outermost statement, from outside; may be NULL. */
const int64_t *hy__limit_of(const hy_tree *tree, const int64_t *option);
/** Decimal places of a value; 0 unless it is a decimal. */
int hy__places_of(const hy_value *value);

/* What a dialect chooses from where a table cannot say it. */
void hy__upsert_on_conflict(hy_emitter *e);
void hy__upsert_on_duplicate_alias(hy_emitter *e);
void hy__upsert_on_duplicate(hy_emitter *e);
void hy__concat_operator(hy_emitter *e, const hy_branch *call);
void hy__concat_call(hy_emitter *e, const hy_branch *call);
void hy__json_part_arrows(hy_emitter *e, const hy_branch *x);
void hy__json_match_arrows(hy_emitter *e, const hy_branch *x);
void hy__json_part_calls(hy_emitter *e, const hy_branch *x);
void hy__json_match_cast(hy_emitter *e, const hy_branch *x);
void hy__json_match_equals(hy_emitter *e, const hy_branch *x);
void hy__json_part_own(hy_emitter *e, const hy_branch *x);
void hy__json_match_own(hy_emitter *e, const hy_branch *x);
void hy__empty_default_values(hy_emitter *e);
void hy__empty_rows(hy_emitter *e);
void hy__rows_unnest(hy_emitter *e);
void hy__rows_repeated(hy_emitter *e);

#endif
