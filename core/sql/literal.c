/*
 * literal.c - quotes: identifiers for statements, literals for people.
 *
 * The only file that writes a quote character around something that comes from outside.
 * Knows of a dialect what its table says.
 */
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>

#include "sql/dialect.h"

/* ---- identifiers ------------------------------------------------------------------------ */

static size_t count_characters(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

static hy_status check_identifier(const hy_dialect *d, const char *name, size_t size, hy_error *err)
{
    bool by_character = (d->traits & HY_TRAIT_NAME_CHARACTERS) != 0;

    if (size == 0)
        return hy_fail(err, HY_EINVALID_IDENTIFIER, "a name is empty");
    switch (hy_text_check(name, size)) {
    case HY_TEXT_NUL:
        return hy_fail(err, HY_EINVALID_IDENTIFIER, "a name holds a NUL");
    case HY_TEXT_BAD_UTF8:
        return hy_fail(err, HY_EINVALID_IDENTIFIER, "a name is no valid UTF-8");
    case HY_TEXT_FINE:
        break;
    }
    size_t length = by_character ? count_characters(name, size) : size;
    if (length > d->name_max)
        return hy_fail(err, HY_EINVALID_IDENTIFIER,
                       "the name '%.40s...' has more than the %zu %s that %s keeps", name, d->name_max,
                       by_character ? "characters" : "bytes", d->name);
    return HY_OK;
}

/* Letters, digits and what else needs no look: into `to`; false at the first other byte. */
static bool copy_plain(char *to, const char *from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c < ' ' || c >= 0x7F || c == '"' || c == '`')
            return false;
        to[i] = (char)c;
    }
    return true;
}

hy_status hy__put_identifier(hy_buf *out, const hy_dialect *d, const char *name, size_t size, hy_error *err)
{
    if (size > 0 && size <= d->name_max && size + 2 < out->capacity - out->size &&
        copy_plain(out->data + out->size + 1, name, size)) {
        out->data[out->size] = d->quote;
        out->data[out->size + size + 1] = d->quote;
        out->size += size + 2;
        out->data[out->size] = '\0';
        return HY_OK;
    }

    hy_status status = check_identifier(d, name, size, err);
    if (status != HY_OK)
        return status;
    hy_buf_putc(out, d->quote);
    for (size_t i = 0; i < size; i++) {
        if (name[i] == d->quote)
            hy_buf_putc(out, d->quote);
        hy_buf_putc(out, name[i]);
    }
    hy_buf_putc(out, d->quote);
    return HY_OK;
}

/* ---- literals --------------------------------------------------------------------------- */

static void put_string(hy_buf *out, const hy_dialect *d, const char *text, size_t size)
{
    bool backslash = (d->traits & HY_TRAIT_BACKSLASH) != 0;

    hy_buf_putc(out, '\'');
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\'' || (text[i] == '\\' && backslash))
            hy_buf_putc(out, text[i]);
        hy_buf_putc(out, text[i]);
    }
    hy_buf_putc(out, '\'');
}

static void put_blob(hy_buf *out, const hy_dialect *d, const char *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    hy_buf_puts(out, d->blob_before);
    for (size_t i = 0; i < size; i++) {
        hy_buf_putc(out, digits[(unsigned char)data[i] >> 4]);
        hy_buf_putc(out, digits[data[i] & 0x0F]);
    }
    hy_buf_puts(out, d->blob_after);
}

/* Infinity and NaN have no literal: a quoted word at least says what it is. */
static void put_double(hy_buf *out, const hy_dialect *d, double number)
{
    char text[HY_NUMBER_TEXT_SIZE];
    size_t size = hy_format_double(number, text);

    if (number - number != 0)
        put_string(out, d, text, size);
    else
        hy_buf_append(out, text, size);
}

static void put_formatted(hy_buf *out, const hy_dialect *d, const hy_value *value)
{
    char text[64];
    size_t size = 36;

    if (value->type == HY_UUID)
        hy_uuid_format(value->as.uuid, text);
    else if (value->type == HY_DATE)
        size = hy_date_format(value->as.days, text);
    else if (value->type == HY_TIME)
        size = hy_time_format(value->as.micros, text);
    else
        size = hy_timestamp_format(value->as.micros, text);
    put_string(out, d, text, size);
}

void hy__put_literal(hy_buf *out, const hy_dialect *d, const hy_value *value)
{
    switch (value->type) {
    case HY_NULL:
    case HY_TYPE_COUNT:
        hy_buf_puts(out, "NULL");
        break;
    case HY_BOOL:
        hy_buf_puts(out, value->as.boolean ? d->true_text : d->false_text);
        break;
    case HY_INT:
        hy_buf_put_int(out, value->as.integer);
        break;
    case HY_DOUBLE:
        put_double(out, d, value->as.number);
        break;
    case HY_DECIMAL:
        hy_buf_append(out, value->as.text.data, value->as.text.size);
        break;
    case HY_TEXT:
    case HY_JSON:
        put_string(out, d, value->as.text.data, value->as.text.size);
        break;
    case HY_BLOB:
        put_blob(out, d, value->as.text.data, value->as.text.size);
        break;
    case HY_UUID:
    case HY_DATE:
    case HY_TIME:
    case HY_TIMESTAMP:
        put_formatted(out, d, value);
        break;
    }
}
