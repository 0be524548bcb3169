/*
 * shaping.h - what shape.c finds out about a query and shapes.c keeps. Private to core/sql.
 */
#ifndef HY_SQL_SHAPING_H
#define HY_SQL_SHAPING_H

#include "sql/emit.h"

/* Statements with more values, or with a shape of more bytes, are compiled each time. */
enum { HY__SHAPE_BINDS = 128, HY__SHAPE_KEY = 4096 };

/* A shape, and the values that a query of it has. */
typedef struct hy_shaping {
    char key[HY__SHAPE_KEY];
    size_t size;
    hy_bind binds[HY__SHAPE_BINDS];
    const void *origins[HY__SHAPE_BINDS]; /* where in the query each of them was found */
    size_t n;
    hy_bind sent[HY__SHAPE_BINDS]; /* the same as they are sent, where that is another order */
    bool shapeless;
    const int64_t *limit; /* of the options, or NULL */
} hy_shaping;

/** False: the query has no shape that could be kept. The options have been looked at too. */
bool hy__shape_of(hy_shaping *s, const hy_tree *tree, const hy_dialect *dialect,
                  const hy_compile_options *options);

#endif
