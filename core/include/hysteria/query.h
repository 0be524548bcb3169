/*
 * query.h - building a statement as a tree, and compiling the tree for a dialect.
 *
 * A query is one arena: every node, list and copied text lives in it and is freed with it.
 * Constructors return NULL (and adders do nothing) once anything went wrong; the first
 * failure is kept and told by hy_query_status() and by hy_compile(). So a chain needs one
 * check, at its end. Expressions belong to the query that made them; a query given to
 * another one (subquery, CTE, union) is copied into it, and stays the caller's.
 *
 * Text given here is copied unless said otherwise. User values are always bound; names go
 * through one quoting function. A query is not changed by compiling or running it. One
 * query belongs to one thread at a time.
 */
#ifndef HYSTERIA_QUERY_H
#define HYSTERIA_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/error.h>
#include <hysteria/export.h>
#include <hysteria/model.h>
#include <hysteria/value.h>

HY_BEGIN_DECLS

typedef struct hy_query hy_query;
typedef struct hy_expr hy_expr;       /* a value, column, condition, function call ... */
typedef struct hy_dialect hy_dialect; /* how one database spells SQL */

typedef enum hy_statement_kind {
    HY_STATEMENT_SELECT,
    HY_STATEMENT_INSERT,
    HY_STATEMENT_UPDATE,
    HY_STATEMENT_DELETE,
    HY_STATEMENT_TRUNCATE,
    HY_STATEMENT_RAW, /* not from a tree: the text says what it is */
    HY_STATEMENT_COUNT
} hy_statement_kind;

/*
 * Operators. X(name, word in the API, operands, ANSI spelling). Words are matched without
 * case; a word not in this table is refused.
 */
#define HY_OP_MAP(X)                                                  \
    X(EQ, "=", 2, "=")                                                \
    X(NE, "!=", 2, "<>")                                              \
    X(LT, "<", 2, "<")                                                \
    X(LE, "<=", 2, "<=")                                              \
    X(GT, ">", 2, ">")                                                \
    X(GE, ">=", 2, ">=")                                              \
    X(LIKE, "like", 2, "LIKE")                                        \
    X(NOT_LIKE, "not like", 2, "NOT LIKE")                            \
    X(ILIKE, "ilike", 2, "ILIKE")                                     \
    X(NOT_ILIKE, "not ilike", 2, "NOT ILIKE")                         \
    X(REGEXP, "regexp", 2, "REGEXP")                                  \
    X(NOT_REGEXP, "not regexp", 2, "NOT REGEXP")                      \
    X(IREGEXP, "iregexp", 2, "REGEXP")                                \
    X(NOT_IREGEXP, "not iregexp", 2, "NOT REGEXP")                    \
    X(NULLSAFE_EQ, "is not distinct from", 2, "IS NOT DISTINCT FROM") \
    X(NULLSAFE_NE, "is distinct from", 2, "IS DISTINCT FROM")         \
    X(IS_NULL, "is null", 1, "IS NULL")                               \
    X(IS_NOT_NULL, "is not null", 1, "IS NOT NULL")                   \
    X(BETWEEN, "between", 3, "BETWEEN")                               \
    X(NOT_BETWEEN, "not between", 3, "NOT BETWEEN")                   \
    X(IN, "in", -1, "IN")                                             \
    X(NOT_IN, "not in", -1, "NOT IN")                                 \
    X(ADD, "+", 2, "+")                                               \
    X(SUBTRACT, "-", 2, "-")                                          \
    X(MULTIPLY, "*", 2, "*")                                          \
    X(DIVIDE, "/", 2, "/")                                            \
    X(CONCAT, "||", 2, "||")

typedef enum hy_op {
#define HY_OP_ENUM(name, word, arity, spelling) HY_OP_##name,
    HY_OP_MAP(HY_OP_ENUM)
#undef HY_OP_ENUM
        HY_OP_COUNT
} hy_op;

/** The operator of a word ("=", "<>", "LIKE", "is", "is not"...); HY_OP_COUNT if none. */
HY_API hy_op hy_op_from_word(const char *word, size_t size);
/** Its word. Static. */
HY_API const char *hy_op_word(hy_op op);
/** Operands; -1: a list. */
HY_API int hy_op_arity(hy_op op);

typedef enum hy_connector { HY_AND, HY_OR } hy_connector;
/* Where a condition goes. */
typedef enum hy_slot { HY_SLOT_WHERE, HY_SLOT_HAVING, HY_SLOT_ON /* of the last join */ } hy_slot;
typedef enum hy_join_kind {
    HY_JOIN_INNER,
    HY_JOIN_LEFT,
    HY_JOIN_RIGHT,
    HY_JOIN_FULL,
    HY_JOIN_CROSS,
    HY_JOIN_NATURAL,
    HY_JOIN_COUNT
} hy_join_kind;
typedef enum hy_direction { HY_ASC, HY_DESC } hy_direction;
typedef enum hy_nulls { HY_NULLS_DEFAULT, HY_NULLS_FIRST, HY_NULLS_LAST } hy_nulls;
typedef enum hy_set_op { HY_UNION, HY_UNION_ALL, HY_INTERSECT, HY_EXCEPT, HY_SET_OP_COUNT } hy_set_op;
/* Rows around the current one: a bound below 0 is so many before it, 0 itself, above 0 after it. */
typedef struct hy_frame {
    bool range;      /* by value, not by row */
    bool from_first; /* from the first row on, whatever `from` says */
    bool to_last;
    int64_t from, to;
} hy_frame;
typedef enum hy_lock { HY_LOCK_NONE, HY_LOCK_UPDATE, HY_LOCK_SHARE } hy_lock;
typedef enum hy_lock_wait { HY_LOCK_WAIT, HY_LOCK_NOWAIT, HY_LOCK_SKIP_LOCKED } hy_lock_wait;
typedef enum hy_conflict_action { HY_CONFLICT_UPDATE, HY_CONFLICT_NOTHING } hy_conflict_action;
/* What is asked about a place in a JSON document. */
typedef enum hy_json_part {
    HY_JSON_VALUE,  /* the JSON there */
    HY_JSON_STRING, /* as text: a string without quotes, JSON's null as NULL */
    HY_JSON_LENGTH, /* items of an array, NULL for anything else */
    HY_JSON_KEYS,   /* the names of an object as an array in any order, NULL for anything else */
    HY_JSON_PART_COUNT
} hy_json_part;
/* From HY_JSON_LT on: numbers by their values, texts by their code points. */
typedef enum hy_json_test {
    HY_JSON_EQUALS,
    HY_JSON_CONTAINS,
    HY_JSON_LT,
    HY_JSON_LE,
    HY_JSON_GT,
    HY_JSON_GE,
    HY_JSON_TEST_COUNT
} hy_json_test;
/* Parts that hy_query_clear_part() empties. */
typedef enum hy_part {
    HY_PART_SELECT,
    HY_PART_DISTINCT,
    HY_PART_DISTINCT_ON,
    HY_PART_FROM,
    HY_PART_JOIN,
    HY_PART_WHERE,
    HY_PART_GROUP,
    HY_PART_HAVING,
    HY_PART_ORDER,
    HY_PART_LIMIT,
    HY_PART_OFFSET,
    HY_PART_LOCK,
    HY_PART_SET_OPERATION,
    HY_PART_WITH,
    HY_PART_RETURNING,
    HY_PART_COUNT
} hy_part;

/* ---- life ---------------------------------------------------------------------------- */

/** Bytes that hy_query_init() needs at least; more room spares small queries the heap. */
HY_API size_t hy_query_size(void);
/**
 * A query in the caller's memory (aligned to 8 bytes), the rest of which is its first
 * arena block. `model` may be NULL (a plain table: hy_query_from); it is borrowed and must
 * outlive the query; the models of joins and subqueries are held. Undo with hy_query_clear().
 */
HY_API hy_query *hy_query_init(void *memory, size_t size, const hy_model *model);
/** Free what the query allocated; the memory itself stays the caller's. */
HY_API void hy_query_clear(hy_query *q);
/** The same on the heap. NULL: out of memory. */
HY_API hy_query *hy_query_new(const hy_model *model);
HY_API void hy_query_free(hy_query *q);
/** Copy `from` (nodes and text) into the empty query `into` of the same model. */
HY_API hy_status hy_query_copy(hy_query *into, const hy_query *from, hy_error *err);
/**
 * A query that is late (id not 0) is put into others as it is, but only stands for what it asks when they
 * run: it cannot be compiled inside of them. hy_query_copy_now() copies a query and takes, for each late
 * one inside, the query that `find` gives for its id, borrowed; NULL: HY_EDEVELOPMENT_ERROR. What
 * failed in such a query fails the copy.
 */
HY_API void hy_query_set_late(hy_query *q, uint64_t id);
/** Is there a late one inside? */
HY_API bool hy_query_has_late(const hy_query *q);
typedef const hy_query *(*hy_query_finder)(void *data, uint64_t id);
HY_API hy_status hy_query_copy_now(hy_query *into, const hy_query *from, hy_query_finder find, void *data,
                                   hy_error *err);
/** HY_OK or the first failure of a builder call. */
HY_API hy_status hy_query_status(const hy_query *q, hy_error *err);
/** Forget that failure (a caller that has reported it and goes on). */
HY_API void hy_query_forget_failure(hy_query *q);
/** Bytes taken by the query so far, heap blocks included. */
HY_API size_t hy_query_memory(const hy_query *q);
/** True if it holds memory besides the block it was made in, or models: only then must it be cleared. */
HY_API bool hy_query_uses_heap(const hy_query *q);

HY_API hy_statement_kind hy_query_kind(const hy_query *q);
HY_API const hy_model *hy_query_model(const hy_query *q);
/** Any condition in WHERE, the engine's own not counted. */
HY_API bool hy_query_has_where(const hy_query *q);
HY_API bool hy_query_has_order(const hy_query *q);

/* One thing that a query is ordered by. */
typedef struct hy_ordering {
    const char
        *name; /* a column of the query's own table, as written or its property; NULL: something else */
    size_t size;
    hy_direction direction;
    hy_nulls nulls;
} hy_ordering;
HY_API size_t hy_query_n_order(const hy_query *q);
/** The i-th of them, from 0; strings live as long as the query. */
HY_API hy_ordering hy_query_ordering(const hy_query *q, size_t i);
/** The table it reads, "schema.table" as it was given; NULL where that is a subquery; lives as long as the
 * query. */
HY_API const char *hy_query_table(const hy_query *q);
/** What limit() and offset() said; -1: nothing. */
HY_API void hy_query_window(const hy_query *q, int64_t *limit, int64_t *offset);
HY_API bool hy_query_has_window_param(const hy_query *q); /* one of them is a parameter */
HY_API bool hy_query_has_group(const hy_query *q);        /* GROUP BY or HAVING */
HY_API bool hy_query_has_set_operation(const hy_query *q);
HY_API bool hy_query_is_distinct(const hy_query *q);  /* DISTINCT or DISTINCT ON */
HY_API bool hy_query_has_distinct(const hy_query *q); /* DISTINCT of whole rows */
/** Is something selected under this alias? */
HY_API bool hy_query_has_alias(const hy_query *q, const char *name, size_t size);
HY_API bool hy_query_has_limit(const hy_query *q); /* limit or offset */
HY_API bool hy_query_has_select(const hy_query *q);
HY_API bool hy_query_has_join(const hy_query *q);
/** Does ORDER BY, GROUP BY or HAVING name what is selected under an alias? Without the selection it means
 * something else. */
HY_API bool hy_query_names_alias(const hy_query *q);
/**
 * Will the rows have this field of the query's model: selected by property, name or alias, or
 * one of all columns that are not hidden? False without a model.
 */
HY_API bool hy_query_selects(const hy_query *q, const char *name, size_t size);
/**
 * The name under which a query around this one finds that column: its alias, what it is called there, or
 * `alias` (borrowed), which it is then given. NULL: it is not selected, or cannot be built (see the status).
 */
HY_API const char *hy_query_name_selected(hy_query *q, const char *name, size_t size, const char *alias);
/** Columns of several tables that are selected and have no alias get one each: in FROM of a query around it
 * no two may be called the same. */
HY_API void hy_query_name_apart(hy_query *q);
/** Is nothing selected but columns, so that it does not matter to the number of rows? */
HY_API bool hy_query_selects_columns(const hy_query *q);
HY_API bool hy_query_has_lock(const hy_query *q);
/** The name that stands for the base table: its alias, else the table. Borrowed. */
HY_API const char *hy_query_base_name(const hy_query *q);

/* ---- expressions ------------------------------------------------------------------------ */

/**
 * "age", "users.age", "*" or "users.*". Unqualified names are the base model's (property or
 * database name) or, in GROUP BY, HAVING and ORDER BY, a select alias. On a model query an
 * unknown name fails with HY_EUNDEFINED_COLUMN and a suggestion: at once in WHERE, and when
 * compiling where an alias may still come. A qualified name is looked up when compiling: in
 * the base model, in joined models, else it is taken as the database spells it after the
 * model's naming. Without a model names are taken as they are.
 */
HY_API hy_expr *hy_expr_column(hy_query *q, const char *name, size_t size);
/** The same, but an unknown name waits for a select alias: GROUP BY, HAVING, ORDER BY. */
HY_API hy_expr *hy_expr_column_or_alias(hy_query *q, const char *name, size_t size);
/** A bound value of its own type. Text and blobs are copied. */
HY_API hy_expr *hy_expr_value(hy_query *q, const hy_value *value);
/**
 * A bound value that meets `other` (a column, say): encoded as that one's kind. A number
 * that does not fit the kind keeps its own type; anything else that does not fit fails with
 * HY_EDATA_INVALID naming the column.
 */
HY_API hy_expr *hy_expr_value_like(hy_query *q, const hy_expr *other, const hy_value *value);
/** A bound value stored in `column`: must fit. NULL column: its own type. */
HY_API hy_expr *hy_expr_value_for(hy_query *q, const hy_column *column, const hy_value *value);
/* A placeholder that is filled at each run: sql.param("name"), see hy_sql.params. */
typedef enum hy_param_use {
    HY_PARAM_VALUE,
    HY_PARAM_COUNT, /* of rows, from 0 on */
    HY_PARAM_LIST   /* see hy_expr_list_bind() */
} hy_param_use;
typedef struct hy_param {
    const char *name;
    const hy_expr *like; /* what its value is compared with; NULL: nothing */
    hy_param_use use;
} hy_param;
HY_API hy_expr *hy_expr_param(hy_query *q, const char *name, hy_kind kind);
/** The same, its values to be read as hy_expr_value_like(q, like, value) does; `like` may be NULL. */
HY_API hy_expr *hy_expr_param_like(hy_query *q, const char *name, const hy_expr *like);
/** operand IN a list that is said at each run: of whole numbers, or of texts. */
HY_API hy_expr *hy_expr_in_param(hy_query *q, hy_expr *operand, const char *name, bool negated);
/**
 * The one bind of such a list, its bytes the query's. HY_EINVALID_ARGUMENT: an item is no value, is NULL,
 * or is no whole number (no text) as the list's type has it.
 */
HY_API hy_status hy_expr_list_bind(hy_query *q, const hy_dialect *dialect, const hy_expr *like,
                                   hy_expr *const *items, size_t n, hy_bind *out, hy_error *err);
/** The bind of an expression that is a value. False: it is none. Bytes live as long as its query. */
HY_API bool hy_expr_bind(const hy_expr *e, hy_bind *out);
/**
 * SQL text as it is, with `?` (`??`: a literal question mark) filled from `args` in order.
 * The scanner knows strings, quoted names, comments and dollar quotes.
 * HY_EINVALID_ARGUMENT if the counts differ.
 */
HY_API hy_expr *hy_expr_raw(hy_query *q, const char *text, size_t size, hy_expr *const *args, size_t n_args);
/** The DEFAULT keyword: a row's gap in an insert. */
HY_API hy_expr *hy_expr_default(hy_query *q);
/**
 * lhs OP rhs for a two-operand operator; = and <> (and their null-safe forms) with a NULL
 * value become IS [NOT] NULL, any other operator with NULL fails with HY_EINVALID_ARGUMENT.
 */
HY_API hy_expr *hy_expr_compare(hy_query *q, hy_op op, hy_expr *lhs, hy_expr *rhs);
HY_API hy_expr *hy_expr_is_null(hy_query *q, hy_expr *operand, bool negated);
HY_API hy_expr *hy_expr_between(hy_query *q, hy_expr *operand, hy_expr *low, hy_expr *high, bool negated);
/**
 * An empty list is false (negated: true). NULLs in the list mean IS NULL (negated: IS NOT
 * NULL). Long lists travel as one bind where the dialect can.
 */
HY_API hy_expr *hy_expr_in(hy_query *q, hy_expr *operand, hy_expr *const *items, size_t n, bool negated);
HY_API hy_expr *hy_expr_in_query(hy_query *q, hy_expr *operand, const hy_query *sub, bool negated);
HY_API hy_expr *hy_expr_exists(hy_query *q, const hy_query *sub, bool negated);
/** (a, b) for composite keys: compare it with another row, or use it in IN. */
HY_API hy_expr *hy_expr_row(hy_query *q, hy_expr *const *items, size_t n);
HY_API hy_expr *hy_expr_not(hy_query *q, hy_expr *operand);
/** Joined by one connector, in parentheses where needed. */
HY_API hy_expr *hy_expr_all(hy_query *q, hy_connector connector, hy_expr *const *items, size_t n);
/** A subquery as a value. */
HY_API hy_expr *hy_expr_query(hy_query *q, const hy_query *sub);
/**
 * name(args): the name must be a plain identifier; known names (count, sum, avg, min, max,
 * upper, lower, coalesce, ...) are spelled by the dialect and give the result its kind.
 */
HY_API hy_expr *hy_expr_call(hy_query *q, const char *name, size_t size, hy_expr *const *args, size_t n,
                             bool distinct);
/** CASE WHEN whens[0] THEN thens[0] ... [ELSE otherwise] END. */
HY_API hy_expr *hy_expr_case(hy_query *q, hy_expr *const *whens, hy_expr *const *thens, size_t n,
                             hy_expr *otherwise);
HY_API hy_expr *hy_expr_cast(hy_query *q, hy_expr *operand, hy_kind kind);
/** call OVER (PARTITION BY ... ORDER BY ...). */
HY_API hy_expr *hy_expr_over(hy_query *q, hy_expr *call, hy_expr *const *partition, size_t n_partition,
                             hy_expr *const *order, const hy_direction *directions, size_t n_order);
/** Give what hy_expr_over() made a frame; `from` must not lie behind `to`. */
HY_API hy_expr *hy_expr_frame(hy_query *q, hy_expr *over, const hy_frame *frame);
/**
 * What lies at a path of a JSON document, the operand: n 0 is the whole. Of arrays only their
 * items are seen by number, so [0] of anything else is NULL, as is what is not there.
 */
HY_API hy_expr *hy_expr_json(hy_query *q, hy_expr *operand, const hy_json_step *steps, size_t n,
                             hy_json_part part);
/**
 * The same for a path as text: `$.a.b`, `a.b`, `a[0]`, `a.0`; a name with dots, digits or brackets
 * stands in quotes, a."b.c" or a["b.c"]. "" and "$" are the whole. HY_EINVALID_ARGUMENT: no such path.
 */
HY_API hy_expr *hy_expr_json_path(hy_query *q, hy_expr *operand, const char *path, size_t size,
                                  hy_json_part part);
/**
 * A document (JSON column, or what hy_expr_json() yields) against one that is given as JSON text.
 * Containment means the same on every database: an object holds another when each entry of that
 * is in the entry of the same name, an array when each item is in one of its items, a plain value
 * an equal one; only the whole document may be an array with the plain value among its items.
 * Order is that of numbers by their values, or of texts by their code points; where the document
 * has something else the condition is NULL. MariaDB compares as floats what is not whole.
 */
HY_API hy_expr *hy_expr_json_match(hy_query *q, hy_json_test test, hy_expr *operand, const hy_value *json);
/** The same expression, of a kind that the caller knows (a raw fragment, say). */
HY_API hy_expr *hy_expr_as(hy_query *q, hy_expr *e, hy_kind kind);
/** What the expression yields, as far as it is known. */
HY_API hy_kind hy_expr_kind(const hy_expr *e);
/** The model's column that the expression is, or NULL. */
HY_API const hy_column *hy_expr_model_column(const hy_expr *e);

/* ---- clauses --------------------------------------------------------------------------- */

/** "users", "users as u", "schema.users". Replaces the model's table in FROM. */
HY_API void hy_query_from(hy_query *q, const char *table, size_t size);
HY_API void hy_query_from_query(hy_query *q, const hy_query *sub, const char *alias);
HY_API void hy_query_alias(hy_query *q, const char *alias);
/** How names of columns become the database's in a query without a model. */
HY_API void hy_query_set_naming(hy_query *q, hy_naming naming);
/**
 * Accumulates. `alias` may be NULL; a raw fragment's own aliases ("count(*) as itemCount") keep
 * their case on every database.
 */
HY_API void hy_query_select(hy_query *q, hy_expr *item, const char *alias);
HY_API void hy_query_distinct(hy_query *q);
HY_API void hy_query_distinct_on(hy_query *q, hy_expr *item);
/** `table` as in hy_query_from(); `model` may be NULL. Conditions follow with HY_SLOT_ON. */
HY_API void hy_query_join(hy_query *q, hy_join_kind kind, const char *table, size_t size,
                          const hy_model *model);
HY_API void hy_query_join_query(hy_query *q, hy_join_kind kind, const hy_query *sub, const char *alias);
/** How many joins there are; with hy_query_cut_joins() those that came later are taken out again. */
HY_API size_t hy_query_n_joins(const hy_query *q);
HY_API void hy_query_cut_joins(hy_query *q, size_t n);
/** A join as written, e.g. "LEFT JOIN x ON x.id = users.x_id". */
HY_API void hy_query_join_raw(hy_query *q, hy_expr *raw);
/** Add a condition to a slot, or to the innermost open group whatever its slot. */
HY_API void hy_query_predicate(hy_query *q, hy_slot slot, hy_connector connector, bool negated,
                               hy_expr *condition);
/** Add the conditions in WHERE of another query, copied, as one group. */
HY_API void hy_query_where_of(hy_query *q, hy_slot slot, hy_connector connector, const hy_query *other);
/** A parenthesised group; an empty one is dropped when it closes. Returns the depth before. */
HY_API size_t hy_query_group_open(hy_query *q, hy_slot slot, hy_connector connector, bool negated);
/** Close groups down to `depth` (what hy_query_group_open returned). */
HY_API void hy_query_group_close(hy_query *q, size_t depth);
/** The same, and take what they hold out of the query again. */
HY_API void hy_query_group_abandon(hy_query *q, size_t depth);
/**
 * Conditions added between begin and end are the engine's (soft delete, scopes, hooks): ANDed
 * to the user's, which are grouped first, and not counted by hy_query_has_where().
 */
HY_API void hy_query_guard_begin(hy_query *q);
HY_API void hy_query_guard_end(hy_query *q);
HY_API void hy_query_group_by(hy_query *q, hy_expr *item);
HY_API void hy_query_order_by(hy_query *q, hy_expr *item, hy_direction direction, hy_nulls nulls);
/** Last call wins; must not be negative (HY_EINVALID_ARGUMENT). */
HY_API void hy_query_limit(hy_query *q, int64_t limit);
HY_API void hy_query_offset(hy_query *q, int64_t offset);
/** The same with a number that is said at each run. */
HY_API void hy_query_limit_param(hy_query *q, const char *name);
HY_API void hy_query_offset_param(hy_query *q, const char *name);
HY_API void hy_query_with(hy_query *q, const char *name, const hy_query *sub, bool recursive,
                          bool materialized);
HY_API void hy_query_set_operation(hy_query *q, hy_set_op op, const hy_query *other);
/** The same with a SELECT as text, an hy_expr_raw(). */
HY_API void hy_query_set_operation_raw(hy_query *q, hy_set_op op, hy_expr *raw);
/**
 * Inside a transaction or on a lease only (HY_ETRANSACTION_NOT_ACTIVE when run elsewhere): the lock
 * would end with its statement.
 */
HY_API void hy_query_lock(hy_query *q, hy_lock lock, hy_lock_wait wait);
HY_API void hy_query_clear_part(hy_query *q, hy_part part);

/* ---- writes ---------------------------------------------------------------------------- */

/** Make it an INSERT into the given columns (property or name; a model's must exist). */
HY_API void hy_query_insert(hy_query *q, const char *const *columns, size_t n);
/** As hy_query_insert() for columns of the query's own model. */
HY_API void hy_query_insert_columns(hy_query *q, const hy_column *const *columns, size_t n);
/** One row, as many values as columns; a NULL pointer stands for DEFAULT. n 0: DEFAULT VALUES. */
HY_API void hy_query_insert_row(hy_query *q, hy_expr *const *values, size_t n);
/**
 * The same for a row of plain values, in one go: each is encoded for its column and copied. A
 * value of type HY_TYPE_COUNT stands for DEFAULT.
 */
HY_API void hy_query_insert_values(hy_query *q, const hy_value *values, size_t n);
/**
 * For an INSERT: what happens when a row with the same values in `columns` (a unique key) is there
 * already. HY_CONFLICT_UPDATE gives it the new row's values of `update_columns`; none: of all that
 * are inserted but `columns`. A row that equals another one in some other unique key fails on
 * every database; on MySQL and MariaDB with HY_EDATA_INVALID, native code 1690.
 */
HY_API void hy_query_on_conflict(hy_query *q, const char *const *columns, size_t n, hy_conflict_action action,
                                 const char *const *update_columns, size_t n_update);
/**
 * After hy_query_on_conflict() with HY_CONFLICT_UPDATE: the row that is there gets this value instead
 * of the new row's. Columns in `value` are those of the row that is there.
 */
HY_API void hy_query_conflict_set(hy_query *q, const char *column, size_t size, hy_expr *value);
/** Make it an UPDATE and set a column. */
HY_API void hy_query_set(hy_query *q, const char *column, size_t size, hy_expr *value);
/** Make it a DELETE. */
HY_API void hy_query_delete(hy_query *q);
HY_API void hy_query_truncate(hy_query *q);
/** RETURNING. Compiling fails with HY_EUNSUPPORTED where the database has none. */
HY_API void hy_query_returning(hy_query *q, hy_expr *item, const char *alias);

/* ---- compiling ------------------------------------------------------------------------- */

/* What a dialect or server can do. X(BIT, "name in messages"). */
#define HY_FEATURE_MAP(X)                                  \
    X(RETURNING_INSERT, "INSERT ... RETURNING")            \
    X(RETURNING_UPDATE, "UPDATE ... RETURNING")            \
    X(RETURNING_DELETE, "DELETE ... RETURNING")            \
    X(DISTINCT_ON, "DISTINCT ON")                          \
    X(FULL_JOIN, "FULL JOIN")                              \
    X(RIGHT_JOIN, "RIGHT JOIN")                            \
    X(MATERIALIZED_CTE, "MATERIALIZED")                    \
    X(CTE, "WITH")                                         \
    X(INTERSECT_EXCEPT, "INTERSECT and EXCEPT")            \
    X(WINDOW, "window functions")                          \
    X(LOCK, "row locks")                                   \
    X(LOCK_SHARE, "shared row locks")                      \
    X(LOCK_NOWAIT, "NOWAIT")                               \
    X(LOCK_SKIP, "SKIP LOCKED")                            \
    X(DEFAULT_IN_VALUES, "DEFAULT in VALUES")              \
    X(NULLS_ORDER, "NULLS FIRST and LAST")                 \
    X(UPDATE_LIMIT, "UPDATE ... LIMIT")                    \
    X(DELETE_LIMIT, "DELETE ... LIMIT")                    \
    X(TRUNCATE, "TRUNCATE")                                \
    X(ILIKE, "ILIKE")                                      \
    X(REGEXP, "REGEXP")                                    \
    X(ROW_VALUES, "row values")                            \
    X(UPSERT_TARGET, "ON CONFLICT with a target")          \
    X(TRANSACTIONAL_DDL, "schema changes in transactions") \
    X(SCHEMAS, "schemas")                                  \
    X(ARRAYS, "array columns")                             \
    X(GENERATED_VIRTUAL, "virtual generated columns")      \
    X(ROW_ARRAYS, "the values of many rows as arrays")     \
    X(JSON_EQUALS, "comparing JSON documents")

typedef enum hy_feature_number {
#define HY_FEATURE_ENUM(bit, name) HY_FEATURE_NUMBER_##bit,
    HY_FEATURE_MAP(HY_FEATURE_ENUM)
#undef HY_FEATURE_ENUM
        HY_FEATURE_COUNT
} hy_feature_number;
typedef uint64_t hy_features;
#define HY_FEATURE(bit) ((hy_features)1 << HY_FEATURE_NUMBER_##bit)
HY_API const char *hy_feature_name(hy_feature_number number);

/** "postgres" "cockroachdb" "mysql" "mariadb" "sqlite"; NULL if there is none such. Static. */
HY_API const hy_dialect *hy_dialect_find(const char *name);
/** The i-th dialect, NULL past the end. */
HY_API const hy_dialect *hy_dialect_at(size_t i);
HY_API const char *hy_dialect_name(const hy_dialect *dialect);
/** What a server of this version (major * 10000 + minor * 100 + patch) can; 0: the oldest supported. */
HY_API hy_features hy_dialect_features(const hy_dialect *dialect, int server_version);
/** Where a column's NULLs stand when nobody says: behind all values (true) or before them. */
HY_API bool hy_dialect_sorts_nulls_last(const hy_dialect *dialect);
/** Parameters one statement may have. */
HY_API size_t hy_dialect_max_binds(const hy_dialect *dialect);

typedef struct hy_result_column {
    const char *name;        /* property or alias: what the row's field is called */
    hy_kind kind;            /* HY_KIND_ANY: as the driver says */
    const hy_column *column; /* the model's column behind it, or NULL */
    int scale;               /* of a total or calculation: decimal places to fill up to; 0: none */
    bool other;              /* known not to be a column of the statement's own model under its own name */
} hy_result_column;

/** A statement ready to send. Borrowed from the compiler and the query until either changes. */
typedef struct hy_sql {
    const char *text; /* NUL-terminated */
    size_t size;
    uint64_t hash;        /* of the text */
    const hy_bind *binds; /* in reading order */
    size_t n_binds;
    /* Above 1 (with HY_FEATURE(ROW_ARRAYS) only): the binds are those of so many rows, one row
     * after the other, for the placeholders of one. */
    size_t n_rows;
    /*
     * n_columns 0: ask the driver. Where raw fragments or a `*` give some of the fields, the
     * first n_first of `columns` are those of the result, its last n_last those before `ends`.
     */
    const hy_result_column *columns, *ends;
    size_t n_columns, n_first, n_last;
    uint64_t columns_of; /* the version of a model, all of whose columns these are; 0: they are others */
    hy_statement_kind kind;
    bool has_raw;      /* a raw fragment is inside */
    bool calls;        /* so is a function that not every database has: nobody knows what it does */
    bool writes;       /* may change data or lock rows */
    const char *table; /* the base table, for messages; may be NULL */
    const hy_param *const *params; /* NULL without hy_expr_param(), else n_binds of them, NULL for a value */
} hy_sql;

/** Reusable working memory of hy_compile(). One thread at a time. */
typedef struct hy_compiler hy_compiler;
HY_API hy_compiler *hy_compiler_new(void);
HY_API void hy_compiler_free(hy_compiler *compiler);

/* Not the rows, but how the database would find them; ANALYZE also finds them, and says what it took. */
typedef enum hy_explain { HY_EXPLAIN_NOT, HY_EXPLAIN_PLAN, HY_EXPLAIN_ANALYZE } hy_explain;

#define HY_STREAM_NAME "hy_stream_"

typedef struct hy_compile_options {
    hy_features features; /* 0: hy_dialect_features(dialect, 0) */
    int64_t limit;        /* above 0: at most so many rows, whatever the query says */
    bool inline_values;   /* literals instead of binds: for people, and for CREATE VIEW */
    /* Above 0: a SELECT whose rows do not change while other statements run; where the database has that
     * by name, DECLARE of a cursor called HY_STREAM_NAME and this number. */
    uint64_t stream;
    hy_explain explain; /* of a SELECT; the result's columns are the database's */
} hy_compile_options;

/**
 * Text and typed binds in one walk. `options` may be NULL. `*out` is valid until the compiler
 * is used again or the query changes. Fails with the query's own failure, HY_EUNSUPPORTED,
 * HY_EUNDEFINED_COLUMN, HY_EINVALID_ARGUMENT (an UPDATE without SET...), HY_ELIMIT_EXCEEDED
 * or HY_EOUT_OF_MEMORY.
 */
HY_API hy_status hy_compile(hy_compiler *compiler, const hy_query *q, const hy_dialect *dialect,
                            const hy_compile_options *options, hy_sql *out, hy_error *err);
/**
 * Raw SQL with `?` or `:name` placeholders into the dialect's own. With names, `names[i]` of
 * `binds[i]`; positional: names NULL. HY_EINVALID_ARGUMENT when counts or names do not match.
 */
HY_API hy_status hy_compile_raw(hy_compiler *compiler, const char *text, size_t size, const hy_bind *binds,
                                const char *const *names, size_t n_binds, const hy_dialect *dialect,
                                hy_sql *out, hy_error *err);

/**
 * CREATE TABLE (with inline keys, checks and foreign keys) and CREATE INDEX statements for a
 * frozen model, in order, each through `emit`. Stops at the first status that is not HY_OK.
 * `foreign_keys` false leaves them out; hy_ddl_add_foreign_keys() emits them as ALTER TABLE
 * (HY_EUNSUPPORTED on SQLite if there are any), and hy_ddl_drop_foreign_keys() takes them off
 * again; MySQL cannot say `if_exists` there. HY_EINVALID_MODEL for a column without a type.
 */
typedef hy_status (*hy_ddl_emit)(void *ctx, const char *sql, size_t size, hy_error *err);
HY_API hy_status hy_ddl_create_table(const hy_model *model, const hy_dialect *dialect, bool if_not_exists,
                                     bool foreign_keys, hy_ddl_emit emit, void *ctx, hy_error *err);
HY_API hy_status hy_ddl_add_foreign_keys(const hy_model *model, const hy_dialect *dialect, hy_ddl_emit emit,
                                         void *ctx, hy_error *err);
HY_API hy_status hy_ddl_drop_foreign_keys(const hy_model *model, const hy_dialect *dialect, bool if_exists,
                                          hy_ddl_emit emit, void *ctx, hy_error *err);
HY_API hy_status hy_ddl_drop_table(const hy_model *model, const hy_dialect *dialect, bool if_exists,
                                   hy_ddl_emit emit, void *ctx, hy_error *err);
/**
 * CREATE VIEW under the name of the model's table, AS `select`, a statement in the dialect with its
 * values in it; and DROP VIEW. The view's columns are called as the statement calls them.
 */
HY_API hy_status hy_ddl_create_view(const hy_model *model, const hy_dialect *dialect, const char *select,
                                    size_t size, hy_ddl_emit emit, void *ctx, hy_error *err);
HY_API hy_status hy_ddl_drop_view(const hy_model *model, const hy_dialect *dialect, bool if_exists,
                                  hy_ddl_emit emit, void *ctx, hy_error *err);

HY_END_DECLS
#endif
