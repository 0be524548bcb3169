/*
 * param.c - placeholders that are filled at each run, and values as binds.
 *
 * A parameter knows what it is compared with, so that its values can be read as they would be
 * there. What runs a statement fills them; the compiler only says which placeholder is whose.
 */
#include <string.h>

#include "sql/ast.h"

static hy_expr *new_param(hy_query *q, const char *name, hy_kind kind, const hy_expr *like)
{
    if (name == NULL || *name == '\0') {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a parameter needs a name");
        return NULL;
    }
    hy_branch *b = hy__branch_new(q, HY_NODE_PARAM, kind, NULL, 0);
    const hy_param param = {.name = b != NULL ? hy_arena_strdup(&q->arena, name) : NULL, .like = like};
    if (param.name == NULL)
        return NULL;
    b->aux = hy_arena_memdup(&q->arena, &param, sizeof param);
    return b->aux != NULL ? &b->head : NULL;
}

hy_expr *hy_expr_param(hy_query *q, const char *name, hy_kind kind)
{
    return new_param(q, name, kind, NULL);
}

hy_expr *hy_expr_param_like(hy_query *q, const char *name, const hy_expr *like)
{
    return new_param(q, name, like != NULL ? hy_expr_kind(like) : HY_KIND_ANY, like);
}

bool hy_expr_bind(const hy_expr *e, hy_bind *out)
{
    if (e == NULL || e->node != HY_NODE_VALUE)
        return false;
    *out = hy__bind_of(e);
    return true;
}
