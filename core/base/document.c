/*
 * document.c - reads JSON text into a tree and compares trees.
 *
 * A plain descent, its depth limited. Names of an object are sorted once, so that comparing two
 * objects does not look each name up by walking.
 */
#include "base/document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/decimal.h>

typedef struct reader {
    hy_arena *arena;
    const char *at, *end;
    unsigned depth;
} reader;

static bool read_value(reader *r, hy_doc *doc);

/* ---- text ------------------------------------------------------------------------------- */

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool take(reader *r, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(r->end - r->at) < size || memcmp(r->at, word, size) != 0)
        return false;
    r->at += size;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex4(const char *p, const char *end, unsigned *out)
{
    *out = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return false;
        *out = *out << 4 | (unsigned)digit;
    }
    return true;
}

static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *out++ = (char)(0xE0 | c >> 12);
        } else {
            *out++ = (char)(0xF0 | c >> 18);
            *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        }
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *out++ = (char)(0x80 | (c & 0x3F));
    return out;
}

/* After "\u"; moves *p behind what was read. */
static bool read_unicode(const char **p, const char *end, unsigned *out)
{
    unsigned low;

    if (!read_hex4(*p, end, out))
        return false;
    *p += 4;
    if (*out < 0xD800 || *out > 0xDFFF)
        return true;
    if (*out > 0xDBFF || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || !read_hex4(*p + 2, end, &low) ||
        low < 0xDC00 || low > 0xDFFF)
        return false;
    *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    *p += 6;
    return true;
}

/* The character after a backslash; 0: none such. */
static char plain_escape(char c)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *found = c != '\0' ? strchr(names, c) : NULL;

    return found != NULL ? meanings[found - names] : '\0';
}

/* The characters that the escaped text stands for; it never grows. */
static bool unescape(const char *p, const char *end, char *out, size_t *size)
{
    char *start = out;
    unsigned c;

    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        if (++p == end)
            return false;
        if (*p == 'u') {
            p++;
            if (!read_unicode(&p, end, &c))
                return false;
            out = put_utf8(out, c);
            continue;
        }
        *out = plain_escape(*p++);
        if (*out++ == '\0')
            return false;
    }
    *size = (size_t)(out - start);
    return true;
}

/* A string from its first quote on; borrowed where there is nothing to unescape. */
static bool read_string(reader *r, const char **text, size_t *size)
{
    const char *start = ++r->at;
    bool escaped = false;

    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if ((unsigned char)*r->at < ' ')
            return false;
        if (*r->at == '\\') {
            escaped = true;
            if (++r->at == r->end)
                return false;
        }
    }
    if (r->at == r->end)
        return false;
    const char *end = r->at++;
    *text = start;
    *size = (size_t)(end - start);
    if (!escaped)
        return true;
    char *copy = hy_arena_alloc(r->arena, *size + 1);
    *text = copy;
    return copy != NULL && unescape(start, end, copy, size);
}

/* ---- values ----------------------------------------------------------------------------- */

static bool skip_digits(reader *r)
{
    const char *start = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > start;
}

static bool read_number(reader *r)
{
    if (*r->at == '-')
        r->at++;
    const char *digits = r->at;
    if (!skip_digits(r) || (*digits == '0' && r->at - digits > 1))
        return false;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!skip_digits(r))
            return false;
    }
    if (r->at == r->end || (*r->at | 0x20) != 'e')
        return true;
    r->at++;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
        r->at++;
    return skip_digits(r);
}

/* Names by their bytes; of equal ones the later first, as the list that is sorted has them. */
static int compare_keys(const void *left, const void *right)
{
    const hy_doc *a = *(hy_doc *const *)left, *b = *(hy_doc *const *)right;
    size_t common = a->key_size < b->key_size ? a->key_size : b->key_size;
    int order = common > 0 ? memcmp(a->key, b->key, common) : 0;

    if (order != 0)
        return order;
    if (a->key_size != b->key_size)
        return a->key_size < b->key_size ? -1 : 1;
    return (b->source > a->source) - (b->source < a->source);
}

static bool same_key(const hy_doc *a, const hy_doc *b)
{
    return a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

static void sort_names(hy_doc *object)
{
    size_t kept = 0;

    if (object->n > 1)
        qsort(object->items, object->n, sizeof *object->items, compare_keys);
    for (size_t i = 0; i < object->n; i++)
        if (kept == 0 || !same_key(object->items[kept - 1], object->items[i]))
            object->items[kept++] = object->items[i];
    object->n = kept;
}

static bool list_items(reader *r, hy_doc *doc, hy_doc *first)
{
    doc->items = hy_arena_alloc(r->arena, (doc->n + 1) * sizeof *doc->items);
    if (doc->items == NULL)
        return false;
    size_t i = 0;
    for (hy_doc *item = first; item != NULL; item = item->next)
        doc->items[i++] = item;
    if (doc->type == HY_DOC_OBJECT)
        sort_names(doc);
    return true;
}

/* "name":  and what it is for, not yet read */
static bool read_name(reader *r, hy_doc *item)
{
    skip_space(r);
    item->name = r->at;
    if (r->at == r->end || *r->at != '"' || !read_string(r, &item->key, &item->key_size))
        return false;
    item->name_size = (size_t)(r->at - item->name);
    skip_space(r);
    return take(r, ":");
}

/* From the opening bracket on. */
static bool read_items(reader *r, hy_doc *doc)
{
    const char *close = doc->type == HY_DOC_OBJECT ? "}" : "]";
    hy_doc *first = NULL, **next = &first;

    r->at++;
    skip_space(r);
    if (take(r, close))
        return list_items(r, doc, NULL);
    do {
        hy_doc *item = hy_arena_zero(r->arena, sizeof *item);
        if (item == NULL || (doc->type == HY_DOC_OBJECT && !read_name(r, item)) || !read_value(r, item))
            return false;
        *next = item;
        next = &item->next;
        doc->n++;
        skip_space(r);
    } while (take(r, ","));
    return take(r, close) && list_items(r, doc, first);
}

static bool read_into(reader *r, hy_doc *doc)
{
    switch (*r->at) {
    case '"':
        doc->type = HY_DOC_STRING;
        return read_string(r, &doc->text, &doc->size);
    case '[':
    case '{':
        doc->type = *r->at == '[' ? HY_DOC_ARRAY : HY_DOC_OBJECT;
        return read_items(r, doc);
    case 'n':
        doc->type = HY_DOC_NULL;
        return take(r, "null");
    case 't':
        doc->type = HY_DOC_TRUE;
        return take(r, "true");
    case 'f':
        doc->type = HY_DOC_FALSE;
        return take(r, "false");
    default:
        doc->type = HY_DOC_NUMBER;
        return read_number(r);
    }
}

static bool read_value(reader *r, hy_doc *doc)
{
    skip_space(r);
    if (r->at == r->end || r->depth == HY_DOC_DEPTH_MAX)
        return false;
    doc->source = r->at;
    r->depth++;
    bool read = read_into(r, doc);
    r->depth--;
    doc->source_size = (size_t)(r->at - doc->source);
    return read;
}

hy_doc *hy__doc_read(hy_arena *a, const char *text, size_t size)
{
    reader r = {.arena = a, .at = text, .end = text + size};
    hy_doc *doc = hy_arena_zero(a, sizeof *doc);

    if (doc == NULL || !read_value(&r, doc))
        return NULL;
    skip_space(&r);
    return r.at == r.end ? doc : NULL;
}

/* ---- comparing -------------------------------------------------------------------------- */

const hy_doc *hy__doc_find(const hy_doc *object, const char *key, size_t size)
{
    hy_doc wanted = {.key = key, .key_size = size};
    size_t low = 0, high = object->type == HY_DOC_OBJECT ? object->n : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const hy_doc *item = object->items[middle], *want = &wanted;
        if (same_key(item, want))
            return item;
        if (compare_keys(&item, &want) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Exactly, but for numbers with more digits than a decimal has. */
static bool same_number(const hy_doc *a, const hy_doc *b)
{
    hy_decimal x, y;
    double p, q;

    if (a->source_size == b->source_size && memcmp(a->source, b->source, a->source_size) == 0)
        return true;
    bool a_exact = hy_decimal_parse(a->source, a->source_size, &x, NULL) == HY_OK;
    bool b_exact = hy_decimal_parse(b->source, b->source_size, &y, NULL) == HY_OK;
    if (a_exact && b_exact)
        return hy_decimal_compare(&x, &y) == 0;
    return a_exact == b_exact && hy_parse_double(a->source, a->source_size, &p) &&
           hy_parse_double(b->source, b->source_size, &q) && p == q;
}

/* As far as it fits; what is beyond all floats counts as the furthest. */
static double nearest_float(const hy_doc *number)
{
    double found;

    if (hy_parse_double(number->source, number->source_size, &found))
        return found;
    return number->source[0] == '-' ? -HUGE_VAL : HUGE_VAL;
}

static int compare_numbers(const hy_doc *a, const hy_doc *b)
{
    hy_decimal x, y;

    if (hy_decimal_parse(a->source, a->source_size, &x, NULL) == HY_OK &&
        hy_decimal_parse(b->source, b->source_size, &y, NULL) == HY_OK)
        return hy_decimal_compare(&x, &y);
    double p = nearest_float(a), q = nearest_float(b);
    return (p > q) - (p < q);
}

static int compare_texts(const hy_doc *a, const hy_doc *b)
{
    size_t shorter = a->size < b->size ? a->size : b->size;
    int order = shorter > 0 ? memcmp(a->text, b->text, shorter) : 0;

    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

int hy__doc_compare(const hy_doc *a, const hy_doc *b)
{
    return a->type == HY_DOC_NUMBER ? compare_numbers(a, b) : compare_texts(a, b);
}

static bool same_items(const hy_doc *a, const hy_doc *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->type == HY_DOC_OBJECT && !same_key(a->items[i], b->items[i]))
            return false;
        if (!hy__doc_equal(a->items[i], b->items[i]))
            return false;
    }
    return true;
}

bool hy__doc_equal(const hy_doc *a, const hy_doc *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case HY_DOC_NUMBER:
        return same_number(a, b);
    case HY_DOC_STRING:
        return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
    case HY_DOC_ARRAY:
    case HY_DOC_OBJECT:
        return same_items(a, b);
    default:
        return true;
    }
}

static bool holds(const hy_doc *whole, const hy_doc *part);

static bool some_item_holds(const hy_doc *array, const hy_doc *part)
{
    for (size_t i = 0; i < array->n; i++)
        if (holds(array->items[i], part))
            return true;
    return false;
}

static bool holds_items(const hy_doc *whole, const hy_doc *part)
{
    for (size_t i = 0; i < part->n; i++) {
        const hy_doc *item = part->items[i];
        if (part->type == HY_DOC_ARRAY) {
            if (!some_item_holds(whole, item))
                return false;
            continue;
        }
        const hy_doc *own = hy__doc_find(whole, item->key, item->key_size);
        if (own == NULL || !holds(own, item))
            return false;
    }
    return true;
}

static bool holds(const hy_doc *whole, const hy_doc *part)
{
    if (part->type != HY_DOC_ARRAY && part->type != HY_DOC_OBJECT)
        return hy__doc_equal(whole, part);
    return whole->type == part->type && holds_items(whole, part);
}

bool hy__doc_contains(const hy_doc *whole, const hy_doc *part)
{
    bool plain = part->type != HY_DOC_ARRAY && part->type != HY_DOC_OBJECT;

    if (plain && whole->type == HY_DOC_ARRAY)
        return some_item_holds(whole, part);
    return holds(whole, part);
}

/* ---- paths ------------------------------------------------------------------------------ */

static bool is_number_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return size > 0;
}

/* A name that stands bare, or a number. */
static int take_bare(const char *path, size_t size, size_t *at, const char *ends, hy_json_step *step)
{
    size_t start = *at;

    while (*at < size && strchr(ends, path[*at]) == NULL)
        ++*at;
    *step = (hy_json_step){.key = path + start, .size = *at - start};
    if (is_number_text(step->key, step->size)) {
        int64_t index;
        if (!hy_parse_int(step->key, step->size, &index) || index > INT32_MAX)
            return -1;
        *step = (hy_json_step){.index = index};
        return 1;
    }
    return step->size > 0 && !(step->size == 1 && *step->key == '*') ? 1 : -1;
}

static int take_quoted(hy_arena *a, const char *path, size_t size, size_t *at, hy_json_step *step)
{
    reader r = {.arena = a, .at = path + *at, .end = path + size};

    *step = (hy_json_step){0};
    if (!read_string(&r, &step->key, &step->size))
        return -1;
    *at = (size_t)(r.at - path);
    return 1;
}

/* Behind the opening bracket: a number or a quoted name. */
static int take_bracket(hy_arena *a, const char *path, size_t size, size_t *at, hy_json_step *step)
{
    bool quoted = *at < size && path[*at] == '"';
    int taken = quoted ? take_quoted(a, path, size, at, step) : take_bare(path, size, at, "]", step);

    if (taken < 0 || *at == size || path[*at] != ']' || (!quoted && step->key != NULL))
        return -1;
    ++*at;
    return 1;
}

int hy__doc_path_next(hy_arena *a, const char *path, size_t size, size_t *at, hy_json_step *step)
{
    bool bare = *at == 0; /* the first name needs no dot */

    if (bare && size > 0 && path[0] == '$' && (size == 1 || path[1] == '.' || path[1] == '[')) {
        *at = 1;
        bare = false;
    }
    if (*at == size)
        return 0;
    char c = path[*at];
    if (c == '[' || (c == '.' && !bare))
        ++*at;
    else if (!bare)
        return -1;
    if (c == '[')
        return take_bracket(a, path, size, at, step);
    if (*at < size && path[*at] == '"')
        return take_quoted(a, path, size, at, step);
    return take_bare(path, size, at, ".[", step);
}

static void put_character(hy_buf *out, char c)
{
    static const char digits[] = "0123456789ABCDEF", escaped[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *found = c != '\0' ? strchr(escaped, c) : NULL;

    if (found == NULL && (unsigned char)c >= ' ') {
        hy_buf_putc(out, c);
        return;
    }
    hy_buf_putc(out, '\\');
    if (found != NULL) {
        hy_buf_putc(out, names[found - escaped]);
        return;
    }
    hy_buf_puts(out, "u00");
    hy_buf_putc(out, digits[(unsigned char)c >> 4]);
    hy_buf_putc(out, digits[c & 0x0F]);
}

void hy__doc_path_put(hy_buf *out, const hy_json_step *step)
{
    if (step->key == NULL) {
        hy_buf_putc(out, '[');
        hy_buf_put_int(out, step->index);
        hy_buf_putc(out, ']');
        return;
    }
    hy_buf_puts(out, ".\"");
    for (size_t i = 0; i < step->size; i++)
        put_character(out, step->key[i]);
    hy_buf_putc(out, '"');
}

const hy_doc *hy__doc_step(const hy_doc *doc, const hy_json_step *step)
{
    if (step->key != NULL)
        return hy__doc_find(doc, step->key, step->size);
    bool inside = doc->type == HY_DOC_ARRAY && step->index >= 0 && (uint64_t)step->index < doc->n;
    return inside ? doc->items[step->index] : NULL;
}
