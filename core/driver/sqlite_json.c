/*
 * sqlite_json.c - what a JSON document holds, for SQLite: containment, equality, order, places.
 *
 * SQLite's own JSON functions know no containment, and their paths no name with a quote in it.
 * NULL in, NULL out; text that is no JSON is an error, as it is for SQLite's own. All are
 * deterministic and innocuous, so indexes, checks and views may use them.
 */
#include <string.h>

#include <base/document.h>

#include "sqlite_driver.h"

typedef enum place_part { VALUE, STRING, LENGTH, KEYS } place_part;
typedef enum document_test { EQUALS, CONTAINS, COMPARE } document_test;

/* One call: the document at the path, and the memory of both. */
typedef struct reading {
    hy_arena arena;
    sqlite3_context *ctx;
} reading;

static const hy_doc *fail(reading *r, const char *what)
{
    if (r->arena.failed)
        sqlite3_result_error_nomem(r->ctx);
    else
        sqlite3_result_error(r->ctx, what, -1);
    return NULL;
}

static const hy_doc *read_document(reading *r, sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);

    if (text == NULL)
        return fail(r, "out of memory");
    const hy_doc *doc = hy__doc_read(&r->arena, text, (size_t)sqlite3_value_bytes(value));
    return doc != NULL ? doc : fail(r, "malformed JSON");
}

/* What lies at the path of the document; NULL: the call has its result, NULL if nothing else. */
static const hy_doc *read_place(reading *r, sqlite3_value **values)
{
    size_t at = 0;
    hy_json_step step;
    int more = 0;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL || sqlite3_value_type(values[1]) == SQLITE_NULL)
        return NULL;
    const hy_doc *doc = read_document(r, values[0]);
    const char *path = doc != NULL ? (const char *)sqlite3_value_text(values[1]) : NULL;
    if (path == NULL)
        return NULL;
    size_t size = (size_t)sqlite3_value_bytes(values[1]);
    while (doc != NULL && (more = hy__doc_path_next(&r->arena, path, size, &at, &step)) > 0)
        doc = hy__doc_step(doc, &step);
    return more < 0 ? fail(r, "malformed JSON path") : doc;
}

static void give_text(sqlite3_context *ctx, const char *text, size_t size)
{
    sqlite3_result_text64(ctx, text, size, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void give_string(sqlite3_context *ctx, const hy_doc *doc)
{
    if (doc->type == HY_DOC_STRING)
        give_text(ctx, doc->text, doc->size);
    else if (doc->type != HY_DOC_NULL)
        give_text(ctx, doc->source, doc->source_size);
}

/* The names as the document has them. */
static void give_keys(sqlite3_context *ctx, const hy_doc *doc)
{
    hy_buf out = {0};

    hy_buf_putc(&out, '[');
    for (size_t i = 0; i < doc->n; i++) {
        if (i > 0)
            hy_buf_putc(&out, ',');
        hy_buf_append(&out, doc->items[i]->name, doc->items[i]->name_size);
    }
    hy_buf_putc(&out, ']');
    if (out.failed)
        sqlite3_result_error_nomem(ctx);
    else
        give_text(ctx, out.data, out.size);
    hy_buf_clear(&out);
}

static void give(sqlite3_context *ctx, place_part part, const hy_doc *doc)
{
    switch (part) {
    case VALUE:
        give_text(ctx, doc->source, doc->source_size);
        break;
    case STRING:
        give_string(ctx, doc);
        break;
    case LENGTH:
        if (doc->type == HY_DOC_ARRAY)
            sqlite3_result_int64(ctx, (sqlite3_int64)doc->n);
        break;
    case KEYS:
        if (doc->type == HY_DOC_OBJECT)
            give_keys(ctx, doc);
        break;
    }
}

/* name(document, path) */
static void part_of(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    const int *part = sqlite3_user_data(ctx);
    reading r = {.ctx = ctx};

    (void)n;
    hy_arena_init(&r.arena, NULL, 0);
    const hy_doc *doc = read_place(&r, values);
    if (doc != NULL)
        give(ctx, (place_part)*part, doc);
    hy_arena_clear(&r.arena);
}

/* Below 0, 0 or above 0; NULL where one is no number and no text, or they are not both the same. */
static void give_order(sqlite3_context *ctx, const hy_doc *doc, const hy_doc *value)
{
    if (doc->type == value->type && (doc->type == HY_DOC_NUMBER || doc->type == HY_DOC_STRING))
        sqlite3_result_int(ctx, hy__doc_compare(doc, value));
}

/* name(document, path, value) */
static void match(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    const int *test = sqlite3_user_data(ctx);
    reading r = {.ctx = ctx};

    (void)n;
    hy_arena_init(&r.arena, NULL, 0);
    const hy_doc *doc = sqlite3_value_type(values[2]) != SQLITE_NULL ? read_place(&r, values) : NULL;
    const hy_doc *value = doc != NULL ? read_document(&r, values[2]) : NULL;
    if (value != NULL && *test == COMPARE)
        give_order(ctx, doc, value);
    else if (value != NULL)
        sqlite3_result_int(ctx, *test == EQUALS ? hy__doc_equal(doc, value) : hy__doc_contains(doc, value));
    hy_arena_clear(&r.arena);
}

typedef struct json_function {
    const char *name;
    int n_arguments;
    void (*call)(sqlite3_context *ctx, int n, sqlite3_value **values);
    int which;
} json_function;

static const json_function functions[] = {
    {"hysteria_json", 2, part_of, VALUE},         {"hysteria_json_text", 2, part_of, STRING},
    {"hysteria_json_length", 2, part_of, LENGTH}, {"hysteria_json_keys", 2, part_of, KEYS},
    {"hysteria_json_equals", 3, match, EQUALS},   {"hysteria_json_contains", 3, match, CONTAINS},
    {"hysteria_json_compare", 3, match, COMPARE},
};

int hy__sqlite_add_json(sqlite3 *db)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++)
        rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].n_arguments,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                        (void *)(uintptr_t)&functions[i].which, functions[i].call, NULL, NULL,
                                        NULL);
    return rc;
}
