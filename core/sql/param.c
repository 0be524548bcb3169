/*
 * param.c - placeholders that are filled at each run, and values as binds.
 *
 * A parameter knows what it is compared with, so that its values can be read as they would be
 * there. What runs a statement fills them; the compiler only says which placeholder is whose.
 */
#include <string.h>

#include "sql/ast.h"
#include "sql/dialect.h"

/*
 * All of an expression that decides how a value beside it is read: a column itself, of anything else
 * the kind. A whole expression would be copied with each of the parameters in it.
 */
static const hy_expr *face_of(hy_query *q, const hy_expr *like)
{
    if (like == NULL || like->node == HY_NODE_COLUMN)
        return like;
    hy_branch *face = hy__branch_new(q, HY_NODE_DEFAULT, hy_expr_kind(like), NULL, 0);
    if (face == NULL)
        return NULL;
    face->head.flags = like->flags & HY_FLAG_SENSITIVE;
    return &face->head;
}

static hy_expr *new_param(hy_query *q, const char *name, hy_kind kind, const hy_expr *like, hy_param_use use)
{
    if (name == NULL || *name == '\0') {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a parameter needs a name");
        return NULL;
    }
    hy_branch *b = hy__branch_new(q, HY_NODE_PARAM, kind, NULL, 0);
    const hy_param param = {
        .name = b != NULL ? hy_arena_strdup(&q->arena, name) : NULL, .like = face_of(q, like), .use = use};
    if (param.name == NULL || (param.like == NULL && like != NULL))
        return NULL;
    b->aux = hy_arena_memdup(&q->arena, &param, sizeof param);
    return b->aux != NULL ? &b->head : NULL;
}

hy_expr *hy_expr_param(hy_query *q, const char *name, hy_kind kind)
{
    return new_param(q, name, kind, NULL, HY_PARAM_VALUE);
}

hy_expr *hy_expr_param_like(hy_query *q, const char *name, const hy_expr *like)
{
    return new_param(q, name, like != NULL ? hy_expr_kind(like) : HY_KIND_ANY, like, HY_PARAM_VALUE);
}

hy_expr *hy__expr_param_used(hy_query *q, const char *name, const hy_expr *like, hy_param_use use)
{
    return new_param(q, name, like != NULL ? HY_KIND_TEXT : HY_KIND_BIGINT, like, use);
}

hy_expr *hy_expr_in_param(hy_query *q, hy_expr *operand, const char *name, bool negated)
{
    if (!hy__query_takes(q, operand))
        return NULL;
    if (!hy__expr_is_whole(operand) && !hy__expr_is_listed_text(operand)) {
        HY_QUERY_FAIL(
            q, HY_EINVALID_ARGUMENT,
            "parameter '%.60s': a list that is said at each run is one of a model's column of whole "
            "numbers or texts",
            name);
        return NULL;
    }
    hy_expr *list = hy__expr_param_used(q, name, operand, HY_PARAM_LIST);
    hy_branch *b = hy__branch_new(q, HY_NODE_IN, HY_KIND_BOOLEAN, (hy_expr *[]){operand, list}, 2);
    if (b == NULL)
        return NULL;
    if (negated)
        b->head.flags |= HY_FLAG_NEGATED;
    list->flags |= operand->flags & HY_FLAG_SENSITIVE;
    return &b->head;
}

bool hy_expr_bind(const hy_expr *e, hy_bind *out)
{
    if (e == NULL || e->node != HY_NODE_VALUE)
        return false;
    *out = hy__bind_of(e);
    return true;
}

static bool fits_list(const hy_expr *like, const hy_expr *item)
{
    if (item == NULL || item->node != HY_NODE_VALUE)
        return false;
    return ((const hy_value_expr *)item)->value.type == (hy__expr_is_whole(like) ? HY_INT : HY_TEXT);
}

hy_status hy_expr_list_bind(hy_query *q, const hy_dialect *dialect, const hy_expr *like,
                            hy_expr *const *items, size_t n, hy_bind *out, hy_error *err)
{
    hy_buf text = {0};

    for (size_t i = 0; i < n; i++)
        if (!fits_list(like, items[i]))
            return hy_fail(err, HY_EINVALID_ARGUMENT, "item %zu of the list is no %s", i + 1,
                           hy__expr_is_whole(like) ? "whole number" : "text");
    dialect->list_open(&text);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            hy_buf_putc(&text, ',');
        dialect->list_item(&text, &((const hy_value_expr *)items[i])->value);
    }
    dialect->list_close(&text);
    char *copy = text.failed ? NULL : hy_arena_strndup(&q->arena, text.data, text.size);
    *out = (hy_bind){.value = hy_bytes(HY_TEXT, copy, text.size),
                     .kind = HY_KIND_TEXT,
                     .sensitive = (like->flags & HY_FLAG_SENSITIVE) != 0};
    hy_buf_clear(&text);
    return copy != NULL ? HY_OK : hy_fail_oom(err);
}
