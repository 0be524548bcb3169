/*
 * shape.h - compiled statements, kept by the shape of their query.
 *
 * Two queries of one shape differ in nothing but the values that are bound, and in numbers after
 * LIMIT and OFFSET: their text is the same, so it is written once. Private to the core.
 */
#ifndef HY_SQL_SHAPE_H
#define HY_SQL_SHAPE_H

#include <hysteria/query.h>

/** Shapes that were seen lately, for one dialect or several. Threads may share it. */
typedef struct hy_shapes hy_shapes;
/** A statement of a shape; does not change. */
typedef struct hy_shape hy_shape;

/** Room for about `capacity` shapes; 0: none is kept. NULL: out of memory. */
hy_shapes *hy__shapes_new(size_t capacity);
void hy__shapes_free(hy_shapes *shapes);
/** How many statements were found, and how many of a shape that can be kept were not. */
void hy__shapes_counts(hy_shapes *shapes, uint64_t *found, uint64_t *missed);

/**
 * What hy_compile() does, with the same result. `*used` is what a part of `*out` lies in, to be
 * released when that is not needed any more; NULL: all of it lies in the compiler and the query.
 */
hy_status hy__compile_by_shape(hy_shapes *shapes, hy_compiler *compiler, const hy_query *q,
                               const hy_dialect *dialect, const hy_compile_options *options, hy_sql *out,
                               hy_shape **used, hy_error *err);
/** NULL does nothing. It may outlive what it was kept in. */
void hy__shape_release(hy_shape *shape);

#endif
