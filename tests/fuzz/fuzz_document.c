/*
 * JSON documents and paths into them: `document NUL path`. A document that is read equals and
 * contains itself, its parts are pieces of its text in order, and a path has one spelling, which
 * reads back as itself and leads to the same place.
 */
#include "fuzz.h"

#include <base/document.h>

static void check(const hy_doc *doc, const char *text, size_t size)
{
    must(doc->source >= text && doc->source + doc->source_size <= text + size && doc->source_size > 0);
    for (size_t i = 0; i < doc->n; i++) {
        const hy_doc *item = doc->items[i];
        check(item, doc->source, doc->source_size);
        if (doc->type == HY_DOC_OBJECT)
            must(hy__doc_find(doc, item->key, item->key_size) == item);
    }
}

/* The same document, once more from its own piece of the text. */
static void check_equal(hy_arena *a, const hy_doc *doc)
{
    const hy_doc *again = hy__doc_read(a, doc->source, doc->source_size);

    must(again != NULL || a->failed);
    if (again == NULL)
        return;
    must(hy__doc_equal(doc, again) && hy__doc_equal(again, doc));
    must(hy__doc_contains(doc, again));
}

static const hy_doc *follow(hy_arena *a, const hy_doc *doc, const char *path, size_t size, hy_buf *spelling,
                            bool *is_path)
{
    hy_json_step step;
    size_t at = 0;
    int more;

    hy_buf_putc(spelling, '$');
    while ((more = hy__doc_path_next(a, path, size, &at, &step)) > 0) {
        must(at <= size);
        hy__doc_path_put(spelling, &step);
        doc = doc != NULL ? hy__doc_step(doc, &step) : NULL;
    }
    *is_path = more == 0;
    return doc;
}

static void check_path(hy_arena *a, const hy_doc *doc, const char *path, size_t size)
{
    hy_buf first = {0}, second = {0};
    bool is_path, again;
    const hy_doc *found = follow(a, doc, path, size, &first, &is_path);

    if (is_path && !first.failed) {
        must(follow(a, doc, first.data, first.size, &second, &again) == found);
        must(again || second.failed);
        must(strcmp(hy_buf_text(&first), hy_buf_text(&second)) == 0);
    }
    hy_buf_clear(&first);
    hy_buf_clear(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - text) : size;
    hy_arena arena;

    hy_arena_init(&arena, NULL, 0);
    const hy_doc *doc = hy__doc_read(&arena, text, length);
    if (doc != NULL) {
        check(doc, text, length);
        check_equal(&arena, doc);
    }
    if (end != NULL)
        check_path(&arena, doc, end + 1, size - length - 1);
    hy_arena_clear(&arena);
    return 0;
}
