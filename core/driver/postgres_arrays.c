/*
 * postgres_arrays.c - PostgreSQL arrays as JSON text, and back.
 *
 * Elements become what their type is in JSON: integers, floats and truth values plain, JSON as it
 * is, everything else a string ("2024-02-29 12:00:00", "\\x00ff" for bytes, "1.50" for a decimal,
 * which a reader of JSON would take for a float). A float has a point or an exponent, or it would
 * be read as an integer. More dimensions are arrays in arrays; lower bounds are not kept. Floats
 * that JSON cannot say are refused.
 */
#include <math.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>

#include "postgres_driver.h"

enum { MAX_DIMENSIONS = 6, SIZE_SIZE = 4, FORMATTED_SIZE = 64 };

/* An array under way. */
typedef struct walk {
    hy__postgres *c;
    const hy__postgres_type *array, *element;
    const char *at, *end;
    int dimensions;
    int64_t lengths[MAX_DIMENSIONS];
    hy_error *err;
} walk;

static hy_status refuse_form(const walk *w)
{
    return hy__postgres_refuse_value(w->array, "the server sent the array in an unknown form", w->err);
}

/* ---- elements --------------------------------------------------------------------------- */

static void put_string(hy_buf *out, const char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    hy_buf_putc(out, '"');
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ') {
            hy_buf_puts(out, "\\u00");
            hy_buf_putc(out, digits[c >> 4]);
            hy_buf_putc(out, digits[c & 15]);
            continue;
        }
        if (c == '"' || c == '\\')
            hy_buf_putc(out, '\\');
        hy_buf_putc(out, text[i]);
    }
    hy_buf_putc(out, '"');
}

static void put_hex(hy_buf *out, const char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    hy_buf_puts(out, "\"\\\\x");
    for (size_t i = 0; i < size; i++) {
        hy_buf_putc(out, digits[(unsigned char)bytes[i] >> 4]);
        hy_buf_putc(out, digits[(unsigned char)bytes[i] & 15]);
    }
    hy_buf_putc(out, '"');
}

static size_t format(const hy_value *v, char out[FORMATTED_SIZE])
{
    switch (v->type) {
    case HY_UUID:
        hy_uuid_format(v->as.uuid, out);
        return strlen(out);
    case HY_DATE:
        return hy_date_format(v->as.days, out);
    case HY_TIME:
        return hy_time_format(v->as.micros, out);
    default:
        return hy_timestamp_format(v->as.micros, out);
    }
}

static hy_status put_double(const walk *w, hy_buf *out, double number)
{
    char text[HY_NUMBER_TEXT_SIZE];

    if (!isfinite(number))
        return hy__postgres_refuse_value(w->array, "JSON has no NaN and no infinity", w->err);
    size_t size = hy_format_double(number, text);
    hy_buf_append(out, text, size);
    if (memchr(text, '.', size) == NULL && memchr(text, 'e', size) == NULL)
        hy_buf_puts(out, ".0");
    return HY_OK;
}

static hy_status put_value(const walk *w, const hy_value *v)
{
    hy_buf *out = &w->c->text;
    char formatted[FORMATTED_SIZE];

    switch (v->type) {
    case HY_NULL:
        hy_buf_puts(out, "null");
        return HY_OK;
    case HY_BOOL:
        hy_buf_puts(out, v->as.boolean ? "true" : "false");
        return HY_OK;
    case HY_INT:
        hy_buf_put_int(out, v->as.integer);
        return HY_OK;
    case HY_DOUBLE:
        return put_double(w, out, v->as.number);
    case HY_JSON:
        hy_buf_append(out, v->as.text.data, v->as.text.size);
        return HY_OK;
    case HY_DECIMAL:
    case HY_TEXT:
        put_string(out, v->as.text.data, v->as.text.size);
        return HY_OK;
    case HY_BLOB:
        put_hex(out, v->as.text.data, v->as.text.size);
        return HY_OK;
    default:
        put_string(out, formatted, format(v, formatted));
        return HY_OK;
    }
}

/* The JSON of the whole lives with the row. */
static hy_status give(const walk *w, hy_value *out)
{
    const hy_buf *text = &w->c->text;
    const char *kept = text->failed ? NULL : hy_arena_memdup(&w->c->scratch, text->data, text->size);

    if (kept == NULL)
        return hy_fail_oom(w->err);
    *out = hy_bytes(HY_JSON, kept, text->size);
    return HY_OK;
}

/* ---- the binary form -------------------------------------------------------------------- */

static bool take_int(walk *w, int64_t *out)
{
    if (w->end - w->at < SIZE_SIZE)
        return false;
    *out = hy__postgres_int(w->at, SIZE_SIZE);
    w->at += SIZE_SIZE;
    return true;
}

static hy_status binary_element(walk *w)
{
    hy_value value = hy_null();
    int64_t size;

    if (!take_int(w, &size) || size > w->end - w->at)
        return refuse_form(w);
    if (size < 0)
        return put_value(w, &value);
    hy__postgres_bytes in = {w->at, (size_t)size};
    hy_status status = w->element->binary(w->c, w->element, in, &value, w->err);
    w->at += size;
    return status == HY_OK ? put_value(w, &value) : status;
}

static hy_status binary_dimension(walk *w, int depth)
{
    hy_status status = HY_OK;

    hy_buf_putc(&w->c->text, '[');
    for (int64_t i = 0; i < w->lengths[depth] && status == HY_OK; i++) {
        if (i > 0)
            hy_buf_putc(&w->c->text, ',');
        status = depth + 1 < w->dimensions ? binary_dimension(w, depth + 1) : binary_element(w);
    }
    hy_buf_putc(&w->c->text, ']');
    return status;
}

/* Dimensions, a flag for NULLs, the elements' type; then length and lower bound of each. */
static bool read_head(walk *w)
{
    const int64_t in_size = w->end - w->at;
    int64_t dimensions, flags, oid, bound, n = 1;

    if (!take_int(w, &dimensions) || !take_int(w, &flags) || !take_int(w, &oid))
        return false;
    if (dimensions < 0 || dimensions > MAX_DIMENSIONS)
        return false;
    w->dimensions = (int)dimensions;
    for (int i = 0; i < w->dimensions; i++) {
        if (!take_int(w, &w->lengths[i]) || !take_int(w, &bound) || w->lengths[i] < 1)
            return false;
        n *= w->lengths[i];
        if (n > in_size) /* each element has at least its size */
            return false;
    }
    w->element = hy__postgres_type_of(w->c, (Oid)oid);
    return w->element->binary != NULL && w->element->element == 0;
}

hy_status hy__postgres_array_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                                    hy_value *out, hy_error *err)
{
    walk w = {.c = c, .array = type, .at = in.data, .end = in.data + in.size, .err = err};

    hy_buf_reset(&c->text);
    if (!read_head(&w))
        return refuse_form(&w);
    hy_status status = binary_dimension(&w, 0); /* without dimensions the length is 0 */
    if (status == HY_OK && w.at != w.end)
        return refuse_form(&w);
    return status == HY_OK ? give(&w, out) : status;
}

/* ---- the text form ---------------------------------------------------------------------- */

/* "[2:3][0:1]={..." */
static bool skip_bounds(walk *w)
{
    if (w->at < w->end && *w->at == '[') {
        const char *equals = memchr(w->at, '=', (size_t)(w->end - w->at));
        if (equals == NULL)
            return false;
        w->at = equals + 1;
    }
    return true;
}

static bool at_delimiter(const walk *w)
{
    return *w->at == ',' || *w->at == '}' || *w->at == '{';
}

/* One element into c->item, without quotes and backslashes. */
static bool take_item(walk *w, bool *quoted)
{
    hy_buf *item = &w->c->item;

    hy_buf_reset(item);
    *quoted = *w->at == '"';
    w->at += *quoted;
    while (w->at < w->end && (*quoted ? *w->at != '"' : !at_delimiter(w))) {
        if (*w->at == '\\' && ++w->at == w->end)
            return false;
        hy_buf_putc(item, *w->at++);
    }
    if (*quoted && w->at++ >= w->end)
        return false;
    return w->at < w->end;
}

static hy_status text_element(walk *w)
{
    hy_value value = hy_null();
    hy_status status = HY_OK;
    bool quoted;

    if (!take_item(w, &quoted))
        return refuse_form(w);
    hy__postgres_bytes in = {hy_buf_text(&w->c->item), w->c->item.size};
    if (w->c->item.failed)
        return hy_fail_oom(w->err);
    if (quoted || !hy_text_equal_nocase(in.data, in.size, "null", 4))
        status = w->element->text(w->c, w->element, in, &value, w->err);
    return status == HY_OK ? put_value(w, &value) : status;
}

static hy_status text_dimension(walk *w, int depth)
{
    hy_status status = HY_OK;

    if (depth == MAX_DIMENSIONS || w->at == w->end || *w->at++ != '{')
        return refuse_form(w);
    hy_buf_putc(&w->c->text, '[');
    while (status == HY_OK && w->at < w->end && *w->at != '}') {
        if (*w->at == ',') {
            w->at++;
            hy_buf_putc(&w->c->text, ',');
        }
        if (w->at == w->end)
            break;
        status = *w->at == '{' ? text_dimension(w, depth + 1) : text_element(w);
    }
    if (status == HY_OK && w->at++ >= w->end)
        return refuse_form(w);
    hy_buf_putc(&w->c->text, ']');
    return status;
}

hy_status hy__postgres_array_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                                  hy_value *out, hy_error *err)
{
    walk w = {.c = c, .array = type, .at = in.data, .end = in.data + in.size, .err = err};

    hy_buf_reset(&c->text);
    w.element = hy__postgres_type_of(c, type->element);
    if (!skip_bounds(&w))
        return refuse_form(&w);
    hy_status status = text_dimension(&w, 0);
    if (status == HY_OK && w.at != w.end)
        return refuse_form(&w);
    return status == HY_OK ? give(&w, out) : status;
}

/* ---- JSON as an array ------------------------------------------------------------------- */

/* JSON that the engine wrote, or a program in C: what is not understood is refused. */
typedef struct json_walk {
    const char *at, *end;
    hy_buf *out;
} json_walk;

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits after "\u"; -1: there are none. */
static int take_unit(json_walk *w)
{
    int unit = 0;

    if (w->end - w->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_of(*w->at++);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static void put_utf8(hy_buf *out, uint32_t code)
{
    if (code < 0x80) {
        hy_buf_putc(out, (char)code);
    } else if (code < 0x800) {
        hy_buf_putc(out, (char)(0xC0 | code >> 6));
        hy_buf_putc(out, (char)(0x80 | (code & 0x3F)));
    } else if (code < 0x10000) {
        hy_buf_putc(out, (char)(0xE0 | code >> 12));
        hy_buf_putc(out, (char)(0x80 | (code >> 6 & 0x3F)));
        hy_buf_putc(out, (char)(0x80 | (code & 0x3F)));
    } else {
        hy_buf_putc(out, (char)(0xF0 | code >> 18));
        hy_buf_putc(out, (char)(0x80 | (code >> 12 & 0x3F)));
        hy_buf_putc(out, (char)(0x80 | (code >> 6 & 0x3F)));
        hy_buf_putc(out, (char)(0x80 | (code & 0x3F)));
    }
}

/* Behind "\u": one unit, or the two of a character beyond U+FFFF. */
static bool take_code(json_walk *w)
{
    int high = take_unit(w), low;

    if (high <= 0 || (high >= 0xDC00 && high <= 0xDFFF))
        return false;
    if (high < 0xD800 || high > 0xDBFF) {
        put_utf8(w->out, (uint32_t)high);
        return true;
    }
    if (w->end - w->at < 6 || w->at[0] != '\\' || w->at[1] != 'u')
        return false;
    w->at += 2;
    low = take_unit(w);
    if (low < 0xDC00 || low > 0xDFFF)
        return false;
    put_utf8(w->out, 0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00));
    return true;
}

static bool take_escape(json_walk *w)
{
    static const char letters[] = "bfnrt/\"\\", meant[] = "\b\f\n\r\t/\"\\";
    char c = *w->at++;
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;

    if (c == 'u')
        return take_code(w);
    if (letter == NULL)
        return false;
    c = meant[letter - letters];
    if (c == '"' || c == '\\')
        hy_buf_putc(w->out, '\\');
    hy_buf_putc(w->out, c);
    return true;
}

static bool take_string(json_walk *w)
{
    hy_buf_putc(w->out, *w->at++);
    while (w->at < w->end && *w->at != '"') {
        if (*w->at != '\\') {
            hy_buf_putc(w->out, *w->at++);
        } else if (++w->at == w->end || !take_escape(w)) {
            return false;
        }
    }
    if (w->at == w->end)
        return false;
    hy_buf_putc(w->out, *w->at++);
    return true;
}

/* A number or a word, up to what ends it. */
static bool take_plain(json_walk *w)
{
    const char *start = w->at;

    while (w->at < w->end && strchr(",] \t\r\n", *w->at) == NULL && *w->at != '\0')
        w->at++;
    size_t size = (size_t)(w->at - start);
    if (size == 0 || memchr(start, '"', size) != NULL || memchr(start, '{', size) != NULL ||
        memchr(start, '\\', size) != NULL || memchr(start, '}', size) != NULL)
        return false;
    hy_buf_append(w->out, start, size); /* null is NULL in any case */
    return true;
}

static bool take_json(json_walk *w)
{
    switch (*w->at) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        w->at++;
        return true;
    case '[':
    case ']':
        hy_buf_putc(w->out, *w->at++ == '[' ? '{' : '}');
        return true;
    case ',':
        hy_buf_putc(w->out, *w->at++);
        return true;
    case '"':
        return take_string(w);
    default:
        return take_plain(w);
    }
}

hy_status hy__postgres_array_literal(const char *json, size_t size, hy_buf *out, hy_error *err)
{
    json_walk w = {.at = json, .end = json + size, .out = out};
    bool good = size > 0 && hy_text_check(json, size) == HY_TEXT_FINE;

    while (good && w.at < w.end)
        good = take_json(&w);
    if (!good)
        return hy_fail(err, HY_EDATA_INVALID,
                       "an array is written as a JSON array of values, without objects");
    return HY_OK;
}
