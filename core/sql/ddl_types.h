/*
 * ddl_types.h - how each database spells column types, and what its CREATE TABLE can say.
 *
 * Data for ddl.c. Everything that is not about definitions is in dialect.h.
 */
#ifndef HY_SQL_DDL_TYPES_H
#define HY_SQL_DDL_TYPES_H

#include <hysteria/query.h>

typedef unsigned hy_ddl_traits;
enum {
    HY_DDL_INLINE_INDEX = 1 << 0,    /* KEY inside CREATE TABLE instead of CREATE INDEX */
    HY_DDL_INLINE_COMMENT = 1 << 1,  /* COMMENT after a column */
    HY_DDL_COMMENT_ON = 1 << 2,      /* COMMENT ON COLUMN as a statement */
    HY_DDL_KEY_NAME = 1 << 3,        /* the primary key keeps its name */
    HY_DDL_INLINE_KEY = 1 << 4,      /* a numbered column is the primary key by itself */
    HY_DDL_ENUM_TYPE = 1 << 5,       /* ENUM ('a', 'b'); else text and a CHECK */
    HY_DDL_UNSIGNED = 1 << 6,        /* UNSIGNED integers */
    HY_DDL_ADD_CONSTRAINT = 1 << 7,  /* ALTER TABLE ... ADD CONSTRAINT */
    HY_DDL_SET_DEFAULT = 1 << 8,     /* ON DELETE SET DEFAULT */
    HY_DDL_LONG_DEFAULT = 1 << 9,    /* defaults of long columns stand in parentheses */
    HY_DDL_SAY_NULL = 1 << 10,       /* a TIMESTAMP is nullable only if it says so */
    HY_DDL_SAY_DEFAULT = 1 << 11,    /* a NOT NULL TIMESTAMP without default would update itself */
    HY_DDL_GENERATED_FREE = 1 << 12, /* a generated column takes no NOT NULL */
    HY_DDL_INDEX_SCHEMA = 1 << 13,   /* the schema stands before the index, not before its table */
    HY_DDL_TARGET_PLAIN = 1 << 14,   /* REFERENCES takes no schema */
    HY_DDL_ALTER_IF_EXISTS = 1 << 15 /* ALTER TABLE IF EXISTS ... DROP CONSTRAINT IF EXISTS */
};

/*
 * Types are texts with %l (length), %p and %s (decimal precision and scale) and %f (digits of
 * fractional seconds) where the column's numbers go.
 */
typedef struct hy_ddl_dialect {
    const char *name;
    const char *const *types;   /* by hy_kind; NULL: a column of that kind cannot be created */
    const char *const *zoned;   /* with HY_COLUMN_TIMEZONE; holes: as in types */
    const char *long_decimal;   /* a DECIMAL of more than exact_digits; NULL: no difference */
    const char *increment_type; /* of a numbered column; NULL: as its kind */
    const char *increment;      /* stands after NOT NULL */
    hy_ddl_traits traits;
    int exact_digits; /* of a decimal in an ordinary column; see long_decimal */
} hy_ddl_dialect;

/** The table of a dialect; NULL if there is none. */
const hy_ddl_dialect *hy__ddl_dialect(const hy_dialect *dialect);

#endif
