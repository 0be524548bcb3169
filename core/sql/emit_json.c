/*
 * emit_json.c - places in JSON documents and their comparison, as each family spells them.
 *
 * PostgreSQL's way: arrows over jsonb. MySQL's: functions with a path, and conditions that make
 * JSON_CONTAINS mean what @> means. SQLite's: functions of our driver. Paths, names and documents
 * are bound.
 */
#include <string.h>

#include <base/document.h>

#include "sql/emit.h"

static const hy_json_place whole = {.path = "$", .size = 1};

/* A path or a part of one. */
static void bind_text(hy_emitter *e, const char *text, size_t size)
{
    hy_bind bind = {.value = hy_bytes(HY_TEXT, text, size), .kind = HY_KIND_TEXT};
    hy__emit_bind_of(e, &bind, hy__constant);
}

static void put_number(hy_emitter *e, int64_t number)
{
    hy_buf_put_int(e->text, number);
}

/* Where the document is: the place in what, if `x` is one, else all of it. */
static const hy_json_place *place_of(const hy_expr *x, const hy_expr **document)
{
    const hy_branch *b = (const hy_branch *)x;

    *document = x;
    if (x->node != HY_NODE_JSON || x->op != HY_JSON_VALUE)
        return &whole;
    *document = b->args[0];
    return b->aux;
}

typedef void (*array_test)(hy_emitter *e, const hy_expr *document, const hy_json_place *place, size_t i);

/* To the servers a plain value is an array of itself: item 0 of what is none must be refused. */
static bool guard_items(hy_emitter *e, const hy_expr *document, const hy_json_place *place, array_test test)
{
    bool any = false;

    for (size_t i = 0; i < place->n; i++) {
        if (place->steps[i].key != NULL || place->steps[i].index != 0)
            continue;
        hy__puts(e, any ? " AND " : "CASE WHEN ");
        test(e, document, place, i);
        any = true;
    }
    if (any)
        PUT(e, " THEN ");
    return any;
}

/* ---- order ------------------------------------------------------------------------------ */

static const char *const order_words[HY_JSON_TEST_COUNT] = {
    [HY_JSON_LT] = " < ",
    [HY_JSON_LE] = " <= ",
    [HY_JSON_GT] = " > ",
    [HY_JSON_GE] = " >= ",
};

/* What a number or text in a document is compared with. */
typedef struct compared {
    bool number;
    bool whole; /* and written without a point or exponent */
    hy_bind json, plain;
} compared;

static bool is_whole(const hy_doc *doc)
{
    for (size_t i = 0; i < doc->source_size; i++)
        if (strchr(".eE", doc->source[i]) != NULL)
            return false;
    return true;
}

/* False: the emitter has failed. */
static bool read_compared(hy_emitter *e, const hy_branch *x, compared *out)
{
    hy_arena *scratch = &e->compiler->scratch;

    out->json = hy__bind_of(x->args[1]);
    const hy_doc *doc = hy__doc_read(scratch, out->json.value.as.text.data, out->json.value.as.text.size);
    if (doc == NULL) { /* it was read when the query was built */
        EMIT_FAIL(e, HY_EOUT_OF_MEMORY, "out of memory");
        return false;
    }
    out->number = doc->type == HY_DOC_NUMBER;
    out->whole = out->number && is_whole(doc);
    out->plain = out->json;
    out->plain.kind = HY_KIND_TEXT;
    out->plain.value = out->number ? hy_bytes(HY_TEXT, doc->source, doc->source_size)
                                   : hy_bytes(HY_TEXT, doc->text, doc->size);
    return true;
}

/* ---- PostgreSQL, CockroachDB ------------------------------------------------------------ */

static void put_step(hy_emitter *e, const hy_json_step *step)
{
    if (step->key == NULL) {
        put_number(e, step->index);
        return;
    }
    PUT(e, "CAST(");
    bind_text(e, step->key, step->size);
    PUT(e, " AS TEXT)");
}

/* The document and the first n steps into it. */
static void put_arrows(hy_emitter *e, const hy_expr *document, const hy_json_place *place, size_t n,
                       bool text)
{
    if (n > 0 || text)
        PUT(e, "(");
    PUT(e, "CAST(");
    hy__emit_expr(e, document);
    PUT(e, " AS JSONB)");
    for (size_t i = 0; i < n; i++) {
        hy__puts(e, text && i + 1 == n ? " ->> " : " -> ");
        put_step(e, &place->steps[i]);
    }
    if (n == 0 && text)
        PUT(e, " #>> '{}'");
    if (n > 0 || text)
        PUT(e, ")");
}

/* What stands before step i; the text around it asks for an array. */
static void put_arrows_to(hy_emitter *e, const hy_expr *document, const hy_json_place *place, size_t i)
{
    PUT(e, "jsonb_typeof(");
    put_arrows(e, document, place, i, false);
    PUT(e, ") = 'array'");
}

static void put_value(hy_emitter *e, const hy_expr *document, const hy_json_place *place, bool text)
{
    bool guarded = guard_items(e, document, place, put_arrows_to);

    put_arrows(e, document, place, place->n, text);
    if (guarded)
        PUT(e, " END");
}

void hy__json_part_arrows(hy_emitter *e, const hy_branch *x)
{
    static const struct {
        const char *before, *between, *after; /* around the value, twice */
    } asked[HY_JSON_PART_COUNT] = {
        [HY_JSON_LENGTH] = {"CASE WHEN jsonb_typeof(", ") = 'array' THEN jsonb_array_length(", ") END"},
        [HY_JSON_KEYS] =
            {"CASE WHEN jsonb_typeof(",
             ") = 'object' THEN COALESCE((SELECT jsonb_agg(hysteria_key) FROM jsonb_object_keys(",
             ") AS hysteria_key), CAST('[]' AS JSONB)) END"},
    };
    const hy_json_place *place = x->aux;
    hy_json_part part = (hy_json_part)x->head.op;

    if (asked[part].before != NULL) {
        hy__puts(e, asked[part].before);
        put_value(e, x->args[0], place, false);
        hy__puts(e, asked[part].between);
    }
    put_value(e, x->args[0], place, part == HY_JSON_STRING);
    if (asked[part].after != NULL)
        hy__puts(e, asked[part].after);
}

static void order_arrows(hy_emitter *e, const hy_branch *x, const hy_expr *document,
                         const hy_json_place *place)
{
    compared with;

    if (!read_compared(e, x, &with))
        return;
    const char *end = with.number ? " AS NUMERIC)" : " AS TEXT)";
    PUT(e, "CASE WHEN jsonb_typeof(");
    put_value(e, document, place, false);
    hy__puts(e, with.number ? ") = 'number' THEN CAST(" : ") = 'string' THEN CAST(");
    put_value(e, document, place, true);
    hy__puts(e, end);
    if (!with.number)
        hy__puts(e, e->dialect->by_code_point);
    hy__puts(e, order_words[x->head.op]);
    PUT(e, "CAST(");
    hy__emit_bind(e, &with.plain);
    hy__puts(e, end);
    PUT(e, " END");
}

void hy__json_match_arrows(hy_emitter *e, const hy_branch *x)
{
    const hy_expr *document;
    const hy_json_place *place = place_of(x->args[0], &document);

    if (x->head.op >= HY_JSON_LT) {
        order_arrows(e, x, document, place);
        return;
    }
    put_value(e, document, place, false);
    hy__puts(e, x->head.op == HY_JSON_EQUALS ? " = CAST(" : " @> CAST(");
    hy__emit_expr(e, x->args[1]);
    PUT(e, " AS JSONB)");
}

/* ---- MySQL, MariaDB: places ------------------------------------------------------------- */

/* A document: an expression, or the item that a JSON_TABLE gives. */
typedef struct source {
    const hy_expr *x;
    unsigned item; /* 0: `x` */
} source;

static void put_item(hy_emitter *e, unsigned item)
{
    PUT(e, "hysteria_json");
    put_number(e, item);
}

static void put_source(hy_emitter *e, const source *s)
{
    if (s->item == 0) {
        hy__emit_operand(e, s->x);
        return;
    }
    put_item(e, s->item);
    PUT(e, ".item");
}

static void put_extract(hy_emitter *e, const source *s, const char *path, size_t size)
{
    PUT(e, "JSON_EXTRACT(");
    put_source(e, s);
    PUT(e, ", ");
    bind_text(e, path, size);
    PUT(e, ")");
}

static void put_extract_to(hy_emitter *e, const hy_expr *document, const hy_json_place *place, size_t i)
{
    PUT(e, "JSON_TYPE(");
    put_extract(e, &(source){.x = document}, place->path, place->before[i]);
    PUT(e, ") = 'ARRAY'");
}

static void put_place(hy_emitter *e, const hy_expr *document, const hy_json_place *place)
{
    bool guarded = guard_items(e, document, place, put_extract_to);

    put_extract(e, &(source){.x = document}, place->path, place->size);
    if (guarded)
        PUT(e, " END");
}

void hy__json_part_calls(hy_emitter *e, const hy_branch *x)
{
    static const struct {
        const char *before, *between, *after; /* around the value, twice where there is a between */
    } asked[HY_JSON_PART_COUNT] = {
        [HY_JSON_VALUE] = {"", NULL, ""},
        [HY_JSON_STRING] = {"CASE WHEN JSON_TYPE(", ") <> 'NULL' THEN JSON_UNQUOTE(", ") END"},
        [HY_JSON_LENGTH] = {"CASE WHEN JSON_TYPE(", ") = 'ARRAY' THEN JSON_LENGTH(", ") END"},
        [HY_JSON_KEYS] = {"JSON_KEYS(", NULL, ")"},
    };
    hy_json_part part = (hy_json_part)x->head.op;

    hy__puts(e, asked[part].before);
    put_place(e, x->args[0], x->aux);
    if (asked[part].between != NULL) {
        hy__puts(e, asked[part].between);
        put_place(e, x->args[0], x->aux);
    }
    hy__puts(e, asked[part].after);
}

/* ---- MySQL, MariaDB: containment -------------------------------------------------------- */

/* What JSON_CONTAINS lets pass and @> does not: an array where the part has something else. */
typedef struct strictness {
    hy_emitter *e;
    source from;
    const char *path; /* in the source */
    size_t size;
    unsigned depth; /* JSON_TABLEs around */
    bool sensitive;
} strictness;

static void require_shape(const strictness *s, const hy_doc *part);

static void put_type(const strictness *s, const char *test)
{
    PUT(s->e, " AND JSON_TYPE(");
    if (s->size > 1)
        put_extract(s->e, &s->from, s->path, s->size);
    else
        put_source(s->e, &s->from);
    hy__puts(s->e, test);
}

static void put_contains(const strictness *s, const hy_doc *part)
{
    hy_bind bind = {.value = hy_bytes(HY_JSON, part->source, part->source_size),
                    .kind = HY_KIND_JSON,
                    .sensitive = s->sensitive};

    PUT(s->e, "JSON_CONTAINS(");
    put_source(s->e, &s->from);
    PUT(s->e, ", ");
    hy__emit_bind(s->e, &bind);
    PUT(s->e, ")");
}

/* Some item of the array at the path holds `part`, in the strict sense. */
static void require_item(const strictness *s, const hy_doc *part)
{
    strictness inner = *s;

    inner.depth++;
    inner.from = (source){.item = inner.depth};
    inner.path = "$";
    inner.size = 1;
    if (s->from.item == 0) { /* NULL says nothing, also where this is negated */
        PUT(s->e, "CASE WHEN ");
        put_source(s->e, &s->from);
        PUT(s->e, " IS NOT NULL THEN ");
    }
    PUT(s->e, "EXISTS (SELECT 1 FROM JSON_TABLE(");
    if (s->size > 1)
        put_extract(s->e, &s->from, s->path, s->size);
    else
        put_source(s->e, &s->from);
    PUT(s->e, ", '$[*]' COLUMNS (item JSON PATH '$')) AS ");
    put_item(s->e, inner.depth);
    PUT(s->e, " WHERE ");
    if (part->type == HY_DOC_NULL) { /* MySQL's JSON_TABLE makes NULL of an item that is null */
        put_source(s->e, &inner.from);
        PUT(s->e, " IS NULL OR JSON_TYPE(");
        put_source(s->e, &inner.from);
        PUT(s->e, ") = 'NULL'");
    } else {
        put_contains(&inner, part);
        require_shape(&inner, part);
    }
    hy__puts(s->e, s->from.item == 0 ? ") END" : ")");
}

/* The same place, one name further in. */
static bool step_into(strictness *s, const hy_doc *entry)
{
    hy_json_step step = {.key = entry->key, .size = entry->key_size};
    hy_buf path = {0};

    hy_buf_append(&path, s->path, s->size);
    hy__doc_path_put(&path, &step);
    s->path = path.failed ? NULL : hy_arena_strndup(&s->e->compiler->scratch, path.data, path.size);
    s->size = path.size;
    hy_buf_clear(&path);
    if (s->path == NULL && s->e->status == HY_OK)
        s->e->status = hy_fail_oom(s->e->err);
    return s->e->status == HY_OK;
}

static void require_shape(const strictness *s, const hy_doc *part)
{
    if (part->type != HY_DOC_ARRAY)
        put_type(s, part->type == HY_DOC_OBJECT ? ") = 'OBJECT'" : ") <> 'ARRAY'");
    for (size_t i = 0; i < part->n && s->e->status == HY_OK; i++) {
        strictness inner = *s;
        if (part->type == HY_DOC_OBJECT) {
            if (step_into(&inner, part->items[i]))
                require_shape(&inner, part->items[i]);
            continue;
        }
        PUT(s->e, " AND ");
        require_item(s, part->items[i]);
    }
}

static bool is_plain(const hy_doc *part)
{
    return part->type != HY_DOC_ARRAY && part->type != HY_DOC_OBJECT;
}

/* A plain value: equal to the document, or an item of it. */
static void contain_plain(const strictness *s, const hy_doc *part)
{
    PUT(s->e, " AND (JSON_TYPE(");
    put_source(s->e, &s->from);
    PUT(s->e, ") <> 'ARRAY' OR ");
    require_item(s, part);
    PUT(s->e, ")");
}

static void contain(hy_emitter *e, const hy_branch *x)
{
    const hy_value_expr *value = (const hy_value_expr *)x->args[1];
    hy_arena *scratch = &e->compiler->scratch;
    const hy_doc *part = hy__doc_read(scratch, value->value.as.text.data, value->value.as.text.size);
    strictness s = {
        .e = e, .from = {.x = x->args[0]}, .path = "$", .size = 1, .sensitive = hy__is_secret(&value->head)};

    if (part == NULL) {
        EMIT_FAIL(e, scratch->failed ? HY_EOUT_OF_MEMORY : HY_EDATA_INVALID, "what is looked for is no JSON");
        return;
    }
    put_contains(&s, part);
    if (is_plain(part))
        contain_plain(&s, part);
    else
        require_shape(&s, part);
}

/* ---- MySQL, MariaDB: equality and order ------------------------------------------------- */

/* before, the document, after */
static void put_around(hy_emitter *e, const char *before, const hy_branch *x, const char *after)
{
    hy__puts(e, before);
    hy__emit_expr(e, x->args[0]);
    hy__puts(e, after);
}

/* MySQL's documents have an order of their own, in which each type stands apart. */
static void order_cast(hy_emitter *e, const hy_branch *x)
{
    compared with;

    if (!read_compared(e, x, &with))
        return;
    put_around(e, "CASE WHEN JSON_TYPE(", x,
               with.number ? ") IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') THEN "
                           : ") = 'STRING' THEN ");
    hy__emit_operand(e, x->args[0]);
    hy__puts(e, order_words[x->head.op]);
    PUT(e, "CAST(");
    hy__emit_bind(e, &with.json);
    PUT(e, " AS JSON) END");
}

void hy__json_match_cast(hy_emitter *e, const hy_branch *x)
{
    if (x->head.op == HY_JSON_CONTAINS) {
        contain(e, x);
        return;
    }
    if (x->head.op >= HY_JSON_LT) {
        order_cast(e, x);
        return;
    }
    hy__emit_operand(e, x->args[0]);
    PUT(e, " = CAST(");
    hy__emit_expr(e, x->args[1]);
    PUT(e, " AS JSON)");
}

/* CAST(document AS type) < CAST(value AS type) */
static void put_numbers(hy_emitter *e, const hy_branch *x, const hy_bind *value, const char *end)
{
    put_around(e, "CAST(", x, end);
    hy__puts(e, order_words[x->head.op]);
    PUT(e, "CAST(");
    hy__emit_bind(e, value);
    hy__puts(e, end);
}

/* MariaDB's documents are text: whole numbers are compared as such, others as floats. */
static void order_text(hy_emitter *e, const hy_branch *x)
{
    compared with;

    if (!read_compared(e, x, &with))
        return;
    if (with.whole) {
        put_around(e, "CASE JSON_TYPE(", x, ") WHEN 'INTEGER' THEN ");
        put_numbers(e, x, &with.plain, " AS DECIMAL(65))");
        PUT(e, " WHEN 'DOUBLE' THEN ");
    } else if (with.number) {
        put_around(e, "CASE WHEN JSON_TYPE(", x, ") IN ('INTEGER', 'DOUBLE') THEN ");
    } else {
        put_around(e, "CASE WHEN JSON_TYPE(", x, ") = 'STRING' THEN ");
        put_around(e, "CONVERT(JSON_UNQUOTE(", x, ") USING utf8mb4)");
        hy__puts(e, e->dialect->by_code_point);
        hy__puts(e, order_words[x->head.op]);
        hy__emit_bind(e, &with.plain);
    }
    if (with.number)
        put_numbers(e, x, &with.plain, " AS DOUBLE)");
    PUT(e, " END");
}

void hy__json_match_equals(hy_emitter *e, const hy_branch *x)
{
    if (x->head.op == HY_JSON_CONTAINS) {
        contain(e, x);
        return;
    }
    if (x->head.op >= HY_JSON_LT) {
        order_text(e, x);
        return;
    }
    hy__emit_need(e, HY_FEATURE_NUMBER_JSON_EQUALS);
    PUT(e, "CASE WHEN "); /* to JSON_EQUALS NULL equals anything */
    hy__emit_operand(e, x->args[0]);
    PUT(e, " IS NOT NULL THEN JSON_EQUALS(");
    hy__emit_expr(e, x->args[0]);
    PUT(e, ", ");
    hy__emit_expr(e, x->args[1]);
    PUT(e, ") END");
}

/* ---- SQLite ----------------------------------------------------------------------------- */

static void put_own(hy_emitter *e, const char *name, const hy_expr *document, const hy_json_place *place)
{
    hy__puts(e, name);
    hy__emit_expr(e, document);
    PUT(e, ", ");
    bind_text(e, place->path, place->size);
}

void hy__json_part_own(hy_emitter *e, const hy_branch *x)
{
    static const char *const names[HY_JSON_PART_COUNT] = {
        [HY_JSON_VALUE] = "hysteria_json(",
        [HY_JSON_STRING] = "hysteria_json_text(",
        [HY_JSON_LENGTH] = "hysteria_json_length(",
        [HY_JSON_KEYS] = "hysteria_json_keys(",
    };

    put_own(e, names[x->head.op], x->args[0], x->aux);
    PUT(e, ")");
}

void hy__json_match_own(hy_emitter *e, const hy_branch *x)
{
    const hy_expr *document;
    const hy_json_place *place = place_of(x->args[0], &document);

    static const char *const names[HY_JSON_TEST_COUNT] = {
        [HY_JSON_EQUALS] = "hysteria_json_equals(",
        [HY_JSON_CONTAINS] = "hysteria_json_contains(",
    };
    const char *name = names[x->head.op];

    put_own(e, name != NULL ? name : "hysteria_json_compare(", document, place);
    PUT(e, ", ");
    hy__emit_expr(e, x->args[1]);
    PUT(e, ")");
    if (name == NULL) {
        hy__puts(e, order_words[x->head.op]);
        PUT(e, "0");
    }
}
