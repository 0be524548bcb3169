/*
 * document.h - JSON text read into a tree, and two documents compared.
 *
 * For what must look inside a document: containment, equality, a path. Trees live in an arena
 * and borrow from the text. Numbers stay text and are compared exactly. Knows no database.
 */
#ifndef HY_BASE_DOCUMENT_H
#define HY_BASE_DOCUMENT_H

#include <stdint.h>

#include <base/arena.h>
#include <base/buf.h>
#include <hysteria/value.h>

typedef enum hy_doc_type {
    HY_DOC_NULL,
    HY_DOC_FALSE,
    HY_DOC_TRUE,
    HY_DOC_NUMBER,
    HY_DOC_STRING,
    HY_DOC_ARRAY,
    HY_DOC_OBJECT
} hy_doc_type;

typedef struct hy_doc hy_doc;
struct hy_doc {
    hy_doc_type type;
    const char *source; /* the text it was read from */
    size_t source_size;
    const char *text; /* of a string, without its escapes */
    size_t size;
    const char *key; /* inside an object: its name, without escapes */
    size_t key_size;
    const char *name; /* the same as it is written, in its quotes */
    size_t name_size;
    hy_doc *next;   /* in its array or object */
    hy_doc **items; /* of an array in order, of an object by name; the last of equal names alone */
    size_t n;
};

/* Documents nested deeper are not read. */
enum { HY_DOC_DEPTH_MAX = 500 };

/** The document that the whole text is; NULL: it is none, is too deep, or memory ran out (a->failed). */
hy_doc *hy__doc_read(hy_arena *a, const char *text, size_t size);
/** The entry of that name, or NULL. */
const hy_doc *hy__doc_find(const hy_doc *object, const char *key, size_t size);
/** Equal as values: the order of names means nothing, 1 is 1.0. */
bool hy__doc_equal(const hy_doc *a, const hy_doc *b);
/** Two numbers, by their values, or two strings, by their code points: below 0, 0, above 0. */
int hy__doc_compare(const hy_doc *a, const hy_doc *b);
/**
 * Is `part` in `whole`? An object when each of its entries is in the entry of that name, an array
 * when each of its items is in some item, a plain value when it is equal. The whole document may
 * also be an array with the plain value `part` among its items.
 */
bool hy__doc_contains(const hy_doc *whole, const hy_doc *part);

/**
 * The next step of a path such as  $.name[0]."any name"["any name"].0  from *at on (0 to begin
 * with). 1: `step` is filled, its key perhaps copied into the arena; 0: the path has ended; -1: it
 * is no path, or memory ran out.
 */
int hy__doc_path_next(hy_arena *a, const char *path, size_t size, size_t *at, hy_json_step *step);
/**
 * The step in the one spelling that all databases read: ."name" or [0]. Escapes in a name are those
 * that documents are written with here: MariaDB compares names as they are written.
 */
void hy__doc_path_put(hy_buf *out, const hy_json_step *step);
/** What lies behind the step, or NULL. */
const hy_doc *hy__doc_step(const hy_doc *doc, const hy_json_step *step);

#endif
