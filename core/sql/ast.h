/*
 * ast.h - what a query is made of: expression nodes, clauses and the tree that holds them.
 *
 * Private to core/sql. Every pointer in here leads into the arena of one query, to its model
 * or to static tables, so nothing is freed alone. Nodes know no SQL text and no dialect.
 */
#ifndef HY_SQL_AST_H
#define HY_SQL_AST_H

#include <base/arena.h>
#include <hysteria/query.h>

/* No tree is deeper than this: whoever walks one may recurse. */
enum { HY_DEPTH_MAX = 500 };

/* ---- expressions ------------------------------------------------------------------------ */

typedef enum hy_node {
    HY_NODE_COLUMN,     /* hy_column_expr */
    HY_NODE_STAR,       /* hy_column_expr; the name is empty */
    HY_NODE_VALUE,      /* hy_value_expr */
    HY_NODE_PARAM,      /* hy_branch; aux: hy_param */
    HY_NODE_RAW,        /* hy_branch; aux: hy_raw_text; arguments */
    HY_NODE_DEFAULT,    /* hy_branch; nothing */
    HY_NODE_CONSTANT,   /* hy_branch; true unless FLAG_NEGATED */
    HY_NODE_BINARY,     /* hy_branch; op; two */
    HY_NODE_IS_NULL,    /* hy_branch; one */
    HY_NODE_BETWEEN,    /* hy_branch; three */
    HY_NODE_IN,         /* hy_branch; the operand, then the items */
    HY_NODE_ROW,        /* hy_branch */
    HY_NODE_NOT,        /* hy_branch; one */
    HY_NODE_ALL,        /* hy_branch; op is the connector */
    HY_NODE_CALL,       /* hy_branch; aux: hy_function */
    HY_NODE_CASE,       /* hy_branch; `split` pairs, then perhaps the ELSE */
    HY_NODE_CAST,       /* hy_branch; one; kind is the target */
    HY_NODE_OVER,       /* hy_branch; the call, `split` partitions, then orders; aux: hy_over */
    HY_NODE_JSON,       /* hy_branch; op is the part; one; aux: hy_json_place */
    HY_NODE_JSON_MATCH, /* hy_branch; op is the test; the document, then the value */
    HY_NODE_IN_QUERY,   /* hy_query_expr with operand */
    HY_NODE_EXISTS,     /* hy_query_expr */
    HY_NODE_QUERY,      /* hy_query_expr */
    HY_NODE_COUNT
} hy_node;

enum {
    HY_FLAG_NEGATED = 1,
    HY_FLAG_DISTINCT = 2,    /* a call's arguments */
    HY_FLAG_ALIAS = 4,       /* a column that may turn out to be a select alias */
    HY_FLAG_LIST_VALUES = 8, /* an IN list of values of one type that may travel as one bind */
    HY_FLAG_SENSITIVE = 16,  /* a sensitive or hidden column, or a value for one */
    HY_FLAG_OPAQUE = 32      /* a column that is stored hashed or encrypted */
};

/* The head of every node. */
struct hy_expr {
    uint8_t node;
    uint8_t kind; /* hy_kind of what it yields */
    uint8_t op;
    uint8_t flags;
    uint16_t depth;     /* levels of nodes below and including this one */
    uint16_t qualifier; /* HY_NODE_COLUMN and STAR: bytes before the last dot, 0: none */
};

typedef struct hy_column_expr {
    hy_expr head;
    const hy_column *column; /* known when built; NULL: look it up when compiling */
    const char *text;        /* "users.age", as written; NULL when `column` says it all */
} hy_column_expr;

typedef struct hy_value_expr {
    hy_expr head;
    hy_value value;
} hy_value_expr;

/* Of a HY_NODE_VALUE. */
static inline hy_bind hy__bind_of(const hy_expr *x)
{
    return (hy_bind){.value = ((const hy_value_expr *)x)->value,
                     .kind = (hy_kind)x->kind,
                     .sensitive = (x->flags & HY_FLAG_SENSITIVE) != 0};
}

typedef struct hy_branch {
    hy_expr head;
    uint32_t n;
    uint32_t split;
    const void *aux;
    hy_expr *args[];
} hy_branch;

typedef struct hy_tree hy_tree;
typedef struct hy_query_expr {
    hy_expr head;
    hy_expr *operand;
    hy_tree *tree;
} hy_query_expr;

typedef struct hy_raw_text {
    size_t size;
    const char *text;
} hy_raw_text;

/* How the rows of a window lie. */
typedef struct hy_over {
    hy_frame frame;
    bool framed;
    uint8_t directions[]; /* as many as orders */
} hy_over;

/* A path in a document, both ways that databases want it. */
typedef struct hy_json_place {
    const char *path; /* $."a"[0] */
    size_t size;
    size_t n;
    hy_json_step *steps;
    size_t *before; /* bytes of the path before each step */
} hy_json_place;

/* What a call of this function yields. */
typedef enum hy_result_rule {
    HY_RESULT_UNKNOWN,
    HY_RESULT_BIGINT,
    HY_RESULT_DOUBLE,
    HY_RESULT_TEXT,
    HY_RESULT_TIMESTAMP,
    HY_RESULT_ARGUMENT, /* the kind of the first argument that has one */
    HY_RESULT_SUM,      /* whole numbers BIGINT, decimals DECIMAL, floats DOUBLE */
    HY_RESULT_AVERAGE,  /* numbers DOUBLE, decimals DECIMAL */
    HY_RESULT_NUMBER    /* ABS and the like: of whole numbers and floats their kind */
} hy_result_rule;

/* Numbers of the known functions, for a dialect's own spellings. */
typedef enum hy_function_number {
    HY_FUNCTION_OTHER, /* not in the table */
    HY_FUNCTION_COUNT_ROWS,
    HY_FUNCTION_SUM,
    HY_FUNCTION_AVG,
    HY_FUNCTION_LENGTH,
    HY_FUNCTION_CONCAT,
    HY_FUNCTION_NOW,
    HY_FUNCTION_KNOWN, /* as the table says, the same everywhere */
    HY_FUNCTION_NUMBER_COUNT
} hy_function_number;

typedef struct hy_function {
    const char *label;    /* lower case: names the result */
    const char *spelling; /* as emitted unless the dialect differs */
    hy_function_number number;
    hy_result_rule result;
} hy_function;

/** The known function of that name, any case, or NULL. */
const hy_function *hy__function_find(const char *name, size_t size);
/** Is it one of those of the table that make one value of many rows? */
bool hy__function_is_aggregate(const hy_function *f);
/** What a call yields. */
hy_kind hy__function_result(const hy_function *f, hy_expr *const *args, size_t n);

/* ---- clauses ---------------------------------------------------------------------------- */

/* Lists keep their order; every element begins with its link. */
typedef struct hy_cell {
    struct hy_cell *next;
} hy_cell;
typedef struct hy_chain {
    hy_cell *first, *last;
    size_t n;
} hy_chain;
#define HY_EACH(type, it, chain) \
    for (type *it = (type *)(chain)->first; it != NULL; it = (type *)it->cell.next)

/* An element of SELECT, DISTINCT ON, GROUP BY, ORDER BY, SET and RETURNING. */
typedef struct hy_item {
    hy_cell cell;
    hy_expr *expr;
    hy_expr *target;   /* SET: the column */
    const char *alias; /* SELECT and RETURNING; NULL: none */
    uint8_t direction, nulls;
} hy_item;

typedef struct hy_group hy_group;
typedef struct hy_condition {
    struct hy_condition *next;
    hy_expr *expr; /* one of these two */
    hy_group *group;
    uint8_t connector; /* to what stands before; the first one's means nothing */
    bool negated;
} hy_condition;

struct hy_group {
    hy_condition *first, *last;
    hy_group *parent;     /* NULL: the slot's own */
    hy_condition *before; /* what the parent ended with when this one was opened */
    hy_group *resume;     /* what was open then */
};

/* A slot: the user's conditions and the engine's. */
typedef struct hy_conditions {
    hy_group user;
    hy_group guard; /* holds one group per guard, joined by AND */
} hy_conditions;

typedef struct hy_join {
    hy_cell cell;
    hy_join_kind kind;
    const char *table; /* "schema.table"; NULL: `tree` or `raw` */
    const char *alias;
    const hy_model *model;
    hy_tree *tree;
    hy_expr *raw;
    hy_group on;
} hy_join;

typedef struct hy_cte {
    hy_cell cell;
    const char *name;
    hy_tree *tree;
    bool materialized;
} hy_cte;

typedef struct hy_member {
    hy_cell cell;
    hy_set_op op;
    hy_tree *tree; /* one of these two */
    hy_expr *raw;
} hy_member;

/* A row to insert. Behind it, as many as columns, are plain values or an expression a cell. */
typedef struct hy_row {
    hy_cell cell;
    bool plain;
    bool has_default; /* of a plain one: a value is missing */
} hy_row;

/* Of a row that is plain; a type of HY_TYPE_COUNT: DEFAULT. */
static inline hy_bind *hy__row_binds(const hy_row *row)
{
    return (hy_bind *)(uintptr_t)(row + 1);
}

/* Of one that is not; NULL: DEFAULT. */
static inline hy_expr **hy__row_cells(const hy_row *row)
{
    return (hy_expr **)(uintptr_t)(row + 1);
}

typedef struct hy_upsert {
    hy_conflict_action action;
    hy_expr **target;
    size_t n_target;
    hy_expr **update;
    size_t n_update;
    hy_chain set; /* hy_item: columns that get another value than the new row's */
} hy_upsert;

struct hy_tree {
    const hy_model *model;
    const char *table; /* instead of the model's; may hold dots */
    const char *alias;
    hy_tree *from;  /* a subquery instead of a table */
    uint8_t kind;   /* hy_statement_kind */
    uint8_t naming; /* hy_naming of columns, without a model */
    uint8_t lock, lock_wait;
    bool distinct, has_limit, has_offset, recursive;
    bool has_late; /* somewhere inside is a tree that is late */
    uint16_t depth;
    uint64_t late; /* 0: as it is; else another one stands here at each run */
    int64_t limit, offset;
    hy_expr *limit_param, *offset_param; /* instead of the numbers, which then mean nothing */
    hy_chain select, distinct_on, joins, group, order, with, members, rows, set, returning;
    hy_conditions where, having;
    hy_expr **columns; /* of an INSERT */
    size_t n_columns;
    hy_upsert *upsert;
};

/* An open guard: what was open when it began, and its groups. */
struct hy_guard {
    struct hy_guard *outer;
    hy_group *open;
    hy_group *where, *having; /* having: made when first needed */
    size_t depth;             /* groups that were open, its own one counted */
};

struct hy_query {
    hy_arena arena;
    hy_tree tree;
    struct hy_held *held; /* references to the models of joins and subqueries */
    hy_group *open;       /* the innermost open group */
    size_t open_depth;
    struct hy_guard *guard; /* the innermost open guard */
    hy_status status;
    hy_error *failure; /* with status; NULL: memory ran out even for that */
};

/* ---- helpers ---------------------------------------------------------------------------- */

/** Remember a failure of a builder call, the first one only. */
#define HY_QUERY_FAIL(q, ...) hy__query_keep((q), hy_fail(hy__query_error(q), __VA_ARGS__))
hy_error *hy__query_error(hy_query *q);
void hy__query_keep(hy_query *q, hy_status status);
/** No failure so far; an arena that ran out becomes one. */
bool hy__query_usable(hy_query *q);
/* May this stand where values are compared or sorted? If not, the query keeps the failure. NULL may. */
bool hy__query_searchable(hy_query *q, const hy_expr *e);

/** The clause can take this expression. NULL means that something has failed before. */
bool hy__query_takes(hy_query *q, const hy_expr *e);
/** Keep a reference to a model that the tree names. */
void hy__query_hold(hy_query *q, const hy_model *model);
void hy__cell_add(hy_chain *chain, hy_cell *cell);
/** A zeroed element, already the chain's last; NULL: out of memory. */
void *hy__cell_new(hy_query *q, hy_chain *chain, size_t size);
/** Open groups below a group that is being emptied are open no more. */
void hy__forget_open(hy_query *q, const hy_group *root);
void hy__clear_group(hy_query *q, hy_group *group);

/** A node of that size whose head is set; NULL: the query has failed. */
void *hy__node_new(hy_query *q, hy_node node, hy_kind kind, size_t size);
/** Sensitive or hidden; `column` may be NULL. */
bool hy__column_is_secret(const hy_column *column);
/** Is it, or does it hold, what observers must not see? NULL is not. */
bool hy__is_secret(const hy_expr *x);
/** Is something of the kind among what a subquery yields? */
bool hy__selects_secret(const hy_tree *tree);
/** Hide the values in an expression from observers, all of them; NULL has none. */
void hy__hide(hy_expr *x);
void hy__hide_operands(hy_branch *b);
/** As hy__hide(), those among what a subquery yields. */
void hy__hide_selected(hy_tree *tree);
/** A node whose operands are all set, new or settled: it is as secret as they are, and so is what stands
 * beside them. What is below an operand that is secret must be hidden already. */
void hy__spread_secrecy(hy_branch *b);
/** The same for a subquery and its operand; its tree is as it came. */
void hy__spread_query_secrecy(hy_query_expr *e);

/** A parameter for a number of rows, or for a list of what `like` is. */
hy_expr *hy__expr_param_used(hy_query *q, const char *name, const hy_expr *like, hy_param_use use);
bool hy__expr_is_whole(const hy_expr *x);
/** Text that may travel in a list of one bind. */
bool hy__expr_is_listed_text(const hy_expr *x);
/** By its column, or by itself where no column is known. */
bool hy__expr_is_decimal(const hy_expr *x);
/** A node with room for `n` arguments; its depth is theirs and one. NULL if any is NULL. */
hy_branch *hy__branch_new(hy_query *q, hy_node node, hy_kind kind, hy_expr *const *args, size_t n);
/** A value node of that kind which owns a copy of the value's bytes. */
hy_expr *hy__expr_value_node(hy_query *q, hy_kind kind, const hy_value *value);
/** A column of a model's own, by name; unknown: the query fails. */
hy_expr *hy__expr_own_column(hy_query *q, const char *name, size_t size);
hy_expr *hy__expr_model_column(hy_query *q, const hy_column *column);
/** The binds of a row of an insert, as hy_query_insert_values() says; false: the query has failed. */
bool hy__expr_binds(hy_query *q, const hy_value *values, hy_row *row);
/** The query's tree gets at least that deep; false: too deep, and the query has failed. */
bool hy__query_deepen(hy_query *q, unsigned depth);
/** A copy of `from`'s tree in the query's arena; a failed `from` fails the query. */
hy_tree *hy__query_adopt(hy_query *q, const hy_query *from);
/** Can it be copied: has nothing failed, and is no group of conditions open? */
hy_status hy__query_is_whole(const hy_query *q, hy_error *err);
/** Where a copy goes, and, with `find`, what is put there for trees that are late. */
typedef struct hy_copier {
    hy_query *q;
    hy_arena *arena; /* q's */
    hy_query_finder find;
    void *data;
    hy_status status; /* why one could not be taken, HY_OK: all were */
    hy_error *err;
    unsigned deeper; /* levels that the new ones have more */
} hy_copier;
/** Copy a tree. False: copier.status, or memory ran out. */
bool hy__tree_copy(hy_copier *to, hy_tree *into, const hy_tree *from);
/** Keep references to all models that another query's tree names. */
void hy__query_hold_all(hy_query *q, const hy_query *from);
/** The name that stands for a table: the alias, else the part after the last dot. */
const char *hy__table_base(const char *table, const char *alias);
const char *hy__tree_base(const hy_tree *t);
/** Is this a name that no column of the model's has, and raw text among what is selected may say? */
bool hy__may_be_raw_alias(const hy_tree *tree, const hy_expr *e);
/** Do these two column nodes name the same column? */
bool hy__same_column(const hy_expr *a, const hy_expr *b);
/** What a column of a subquery holds, as far as it is known, and whether it is one not to be shown. `tree`
 * may be NULL. */
hy_kind hy__tree_kind(const hy_tree *tree, const char *name, size_t size, bool *sensitive);
/**
 * Where a SELECT selects what is named in its GROUP BY, ORDER BY or DISTINCT ON, from 1, if the text of
 * that would hold placeholders; else 0.
 */
size_t hy__select_position(const hy_tree *tree, const hy_item *named);
/** The column's name as results call it. */
const char *hy__column_label(const hy_column_expr *c);

#endif
