/*
 * dialect.h - how one database spells SQL: a const table per dialect.
 *
 * Private to core/sql. Emitting code asks for a feature or a trait, never for a name. What
 * is text lies in tables whose holes mean "as ANSI has it"; a function stands here only where
 * a table cannot say it. A dialect knows no connection and no driver.
 */
#ifndef HY_SQL_DIALECT_H
#define HY_SQL_DIALECT_H

#include <base/buf.h>
#include <hysteria/query.h>

typedef struct hy_emitter hy_emitter;
typedef struct hy_branch hy_branch;
typedef void (*hy_clause)(hy_emitter *e);

typedef enum hy_bind_style { HY_BIND_QUESTION, HY_BIND_DOLLAR } hy_bind_style;

/* Shapes of statements that are nobody's feature but the emitter's business. */
typedef uint32_t hy_traits;
enum {
    HY_TRAIT_NAME_CHARACTERS = 1 << 0,    /* name_max counts characters, not bytes */
    HY_TRAIT_BACKSLASH = 1 << 1,          /* a backslash escapes in string literals */
    HY_TRAIT_INNER_ALIAS = 1 << 2,        /* HAVING and expressions in ORDER BY may name a select alias */
    HY_TRAIT_MEMBER_PARENS = 1 << 3,      /* members of a set operation may stand in parentheses */
    HY_TRAIT_INTERSECT_FIRST = 1 << 4,    /* INTERSECT binds tighter than UNION */
    HY_TRAIT_ROWS_VALUES = 1 << 5,        /* (a, b) IN (VALUES ...) and not IN ((..), (..)) */
    HY_TRAIT_WITH_INSERT = 1 << 6,        /* WITH before INSERT */
    HY_TRAIT_WITH_WRITE = 1 << 7,         /* WITH before UPDATE and DELETE */
    HY_TRAIT_UPDATE_FROM = 1 << 8,        /* UPDATE t SET ... FROM others */
    HY_TRAIT_UPDATE_JOIN = 1 << 9,        /* UPDATE t JOIN ... SET */
    HY_TRAIT_DELETE_USING = 1 << 10,      /* DELETE FROM t USING others */
    HY_TRAIT_DELETE_JOIN = 1 << 11,       /* DELETE t FROM t JOIN ...; also where t has an alias */
    HY_TRAIT_ORDER_WRITE = 1 << 12,       /* UPDATE and DELETE take an ORDER BY without LIMIT */
    HY_TRAIT_DERIVED_KEYS = 1 << 13,      /* the keys of a rewritten write only through a derived table */
    HY_TRAIT_TEXT_DECIMALS = 1 << 14,     /* decimals need the driver's sum, avg and collation */
    HY_TRAIT_EXACT_AVG = 1 << 15,         /* AVG of whole numbers is no float */
    HY_TRAIT_QUESTION_OPERATOR = 1 << 16, /* ? can be an operator */
    HY_TRAIT_DERIVED_LIMIT = 1 << 17,     /* IN (SELECT ... LIMIT) only through a derived table */
    HY_TRAIT_DERIVED_OWN = 1 << 18,  /* a write's subqueries read its own table only through a derived one */
    HY_TRAIT_ARRAYS_ALONE = 1 << 19, /* rows as arrays: without RETURNING and upsert only */
    HY_TRAIT_NULLS_LAST = 1 << 20,   /* NULL is more than any value to ORDER BY */
    /* a negated (a, b) IN (...) above an outer join drops the rows whose b that join left NULL */
    HY_TRAIT_ROW_NOT_IN_DROPS = 1 << 21,
    HY_TRAIT_INTERSECT_DERIVED = 1 << 22,   /* (a UNION b) INTERSECT c has rows that a UNION b lacks */
    HY_TRAIT_MEMBER_WITH_DERIVED = 1 << 23, /* a member that begins with WITH only through a derived table */
    HY_TRAIT_NULL_NUMBERS = 1 << 24,        /* a numbered column takes its number by NULL; DEFAULT is 0 */
    HY_TRAIT_SET_IN_TURN = 1 << 25          /* an assignment of SET sees those before it */
};

/* A two-operand operator's text around and between its operands; `between` NULL: ANSI. */
typedef struct hy_op_text {
    const char *before, *between, *after;
} hy_op_text;

/* A feature and the server version that brought it; 0: all versions. */
typedef struct hy_feature_since {
    hy_feature_number feature;
    int version;
} hy_feature_since;

/* Text that holds a list in one bind; NULL: the dialect has none for this type. */
typedef struct hy_list_text {
    const char *before, *not_before; /* after the operand */
    const char *after;
} hy_list_text;

/* What makes a SELECT a stream: text around it, with or without the stream's name. */
typedef struct hy_stream_text {
    const char *before, *named, *after;
    bool has_name; /* between `before` and `named` */
} hy_stream_text;

struct hy_dialect {
    const char *name;
    int oldest; /* the oldest server version supported */
    char quote; /* of identifiers */
    hy_bind_style bind_style;
    size_t name_max;       /* longest identifier it keeps */
    const char *limit_all; /* LIMIT that must stand before an OFFSET; NULL: OFFSET alone is fine */
    size_t max_binds;
    size_t list_max; /* an IN list longer than this travels as one bind */
    /* The same where rows are changed or locked, if that differs: where such a list hides the index,
       every row of the table is looked at and locked. 0: no difference. */
    size_t locking_list_max;
    hy_traits traits;
    const char *true_text, *false_text;
    const char *blob_before, *blob_after;         /* around hex digits */
    const char *lock_share;                       /* "FOR SHARE" */
    const char *excluded_before, *excluded_after; /* around a column in an upsert's SET */
    const hy_feature_since *features;             /* ends with HY_FEATURE_COUNT */
    const hy_op_text *ops;                        /* HY_OP_COUNT of them */
    const char *const *functions;                 /* by hy_function_number; NULL: the usual spelling */
    const char *const *casts;                     /* by hy_kind; NULL: it has no such CAST */
    const hy_list_text *integer_list, *text_list;
    const hy_stream_text *stream;                 /* NULL: the text stays as it is */
    const char *explain, *analyze;                /* before a SELECT; NULL: the usual, and none */
    const hy_clause *clauses[HY_STATEMENT_COUNT]; /* each ends with NULL */
    void (*upsert)(hy_emitter *e);
    void (*concat)(hy_emitter *e, const hy_branch *call);
    /* The bytes of a long list: an array literal, or JSON. */
    void (*list_open)(hy_buf *out);
    void (*list_item)(hy_buf *out, const hy_value *value);
    void (*list_close)(hy_buf *out);
    void (*empty_insert)(hy_emitter *e);
    /* HY_NODE_JSON and HY_NODE_JSON_MATCH. */
    void (*json_part)(hy_emitter *e, const hy_branch *x);
    void (*json_match)(hy_emitter *e, const hy_branch *x);
    const char *by_code_point; /* behind text that shall be ordered so in any collation */
    /* Many rows with the placeholders of one, where the server can; NULL: it has no way to. */
    void (*row_arrays)(hy_emitter *e);
    const char *const *array_types; /* by hy_kind; NULL: any kind of column will do */
};

/**
 * The one function that writes identifier quotes. Refuses what no database keeps as it is:
 * an empty name, NUL, bad UTF-8, a name that is too long (HY_EINVALID_IDENTIFIER).
 */
hy_status hy__put_identifier(hy_buf *out, const hy_dialect *d, const char *name, size_t size, hy_error *err);
/** A value as a literal: for people and for DEFAULT clauses. `kind` HY_KIND_ANY: its own type. */
void hy__put_literal(hy_buf *out, const hy_dialect *d, const hy_value *value);

#endif
