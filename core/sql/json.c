/*
 * json.c - expressions about JSON documents: places in them, and documents compared.
 *
 * One path compiler: whatever was written becomes steps and the one spelling that databases
 * read. Knows no dialect; keys and documents are bound, never text of a statement.
 */
#include <string.h>

#include <base/document.h>
#include <base/text.h>

#include "sql/ast.h"

static const hy_kind part_kinds[HY_JSON_PART_COUNT] = {
    [HY_JSON_VALUE] = HY_KIND_JSON,
    [HY_JSON_STRING] = HY_KIND_TEXT,
    [HY_JSON_LENGTH] = HY_KIND_BIGINT,
    [HY_JSON_KEYS] = HY_KIND_JSON,
};

static bool check_step(hy_query *q, const hy_json_step *step)
{
    if (step->key == NULL && (step->index < 0 || step->index > INT32_MAX))
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "JSON path: items are numbered from 0");
    else if (step->key != NULL && hy_text_check(step->key, step->size) != HY_TEXT_FINE)
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "JSON path: a name is no proper text");
    return hy__query_usable(q);
}

static bool copy_steps(hy_query *q, hy_json_place *place, const hy_json_step *steps, hy_buf *path)
{
    hy_buf_putc(path, '$');
    for (size_t i = 0; i < place->n; i++) {
        if (!check_step(q, &steps[i]))
            return false;
        place->before[i] = path->size;
        hy__doc_path_put(path, &steps[i]);
        place->steps[i] = steps[i];
        if (steps[i].key != NULL)
            place->steps[i].key = hy_arena_strndup(&q->arena, steps[i].key, steps[i].size);
    }
    return true;
}

static hy_json_place *place_new(hy_query *q, const hy_json_step *steps, size_t n)
{
    hy_json_place *place = hy_arena_zero(&q->arena, sizeof *place);
    hy_buf path = {0};

    if (place == NULL)
        return NULL;
    place->n = n;
    place->steps = hy_arena_alloc(&q->arena, (n + 1) * sizeof *steps);
    place->before = hy_arena_alloc(&q->arena, (n + 1) * sizeof *place->before);
    if (place->steps != NULL && place->before != NULL && copy_steps(q, place, steps, &path) && !path.failed)
        place->path = hy_arena_strndup(&q->arena, path.data, path.size);
    else if (path.failed)
        hy__query_keep(q, HY_EOUT_OF_MEMORY);
    place->size = path.size;
    hy_buf_clear(&path);
    return place->path != NULL ? place : NULL;
}

hy_expr *hy_expr_json(hy_query *q, hy_expr *operand, const hy_json_step *steps, size_t n, hy_json_part part)
{
    if (!hy__query_usable(q))
        return NULL;
    hy_json_place *place = place_new(q, steps, n);
    hy_branch *b = place != NULL ? hy__branch_new(q, HY_NODE_JSON, part_kinds[part], &operand, 1) : NULL;
    if (b == NULL)
        return NULL;
    b->aux = place;
    b->head.op = (uint8_t)part;
    return &b->head;
}

static size_t count_steps(hy_query *q, const char *path, size_t size, hy_json_step *steps)
{
    size_t n = 0, at = 0;
    hy_json_step step;
    int more;

    while ((more = hy__doc_path_next(&q->arena, path, size, &at, &step)) > 0) {
        if (steps != NULL)
            steps[n] = step;
        n++;
    }
    if (more < 0)
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "JSON path: expected names and numbers like a.b[0].\"c d\"");
    return n;
}

hy_expr *hy_expr_json_path(hy_query *q, hy_expr *operand, const char *path, size_t size, hy_json_part part)
{
    if (!hy__query_usable(q))
        return NULL;
    size_t n = count_steps(q, path, size, NULL);
    hy_json_step *steps = hy_arena_alloc(&q->arena, (n + 1) * sizeof *steps);
    if (!hy__query_usable(q))
        return NULL;
    (void)count_steps(q, path, size, steps);
    return hy_expr_json(q, operand, steps, n, part);
}

/* Numbers and texts have an order that all databases agree on. */
static bool check_ordered(hy_query *q, const hy_value *json)
{
    const hy_doc *doc = hy__doc_read(&q->arena, json->as.text.data, json->as.text.size);

    if (doc == NULL || (doc->type != HY_DOC_NUMBER && doc->type != HY_DOC_STRING))
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "what is in a document is ordered by numbers and texts only");
    return hy__query_usable(q);
}

hy_expr *hy_expr_json_match(hy_query *q, hy_json_test test, hy_expr *operand, const hy_value *json)
{
    if (!hy__query_usable(q))
        return NULL;
    if (json->type != HY_JSON && json->type != HY_TEXT) {
        HY_QUERY_FAIL(q, HY_EINVALID_ARGUMENT, "a JSON document is expected");
        return NULL;
    }
    if (test >= HY_JSON_LT && !check_ordered(q, json))
        return NULL;
    hy_value text = hy_bytes(HY_JSON, json->as.text.data, json->as.text.size);
    hy_expr *value = hy__expr_value_node(q, HY_KIND_JSON, &text);
    hy_branch *b = hy__branch_new(q, HY_NODE_JSON_MATCH, HY_KIND_BOOLEAN, (hy_expr *[]){operand, value}, 2);
    if (b == NULL)
        return NULL;
    b->head.op = (uint8_t)test;
    return &b->head;
}

hy_expr *hy_expr_as(hy_query *q, hy_expr *e, hy_kind kind)
{
    if (hy__query_takes(q, e))
        e->kind = (uint8_t)kind;
    return e;
}
