/*
 * sqlite_regexp.c - regular expressions for SQLite, which has the operator and nothing behind it.
 *
 * The dialect is POSIX extended, as the C library has it, and \d \w \s with their opposites, also
 * in brackets. hysteria_regexp(text, pattern) minds case, hysteria_iregexp does not; regexp(pattern,
 * text) is what the operator calls. A pattern is compiled once per statement.
 */
#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <hysteria/memory.h>

#include "sqlite_driver.h"

/* ---- pattern ---------------------------------------------------------------------------- */

/* What a letter behind a backslash stands for inside brackets; NULL: for itself. */
static const char *class_of(char letter)
{
    static const struct {
        char letter;
        const char *members;
    } classes[] = {{'d', "0-9"}, {'w', "[:alnum:]_"}, {'s', "[:space:]"}};

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if ((letter | 0x20) == classes[i].letter)
            return classes[i].members;
    return NULL;
}

/* From the opening bracket to the closing one. What follows it. */
static const char *put_brackets(hy_buf *out, const char *p)
{
    hy_buf_putc(out, *p++);
    if (*p == '^')
        hy_buf_putc(out, *p++);
    if (*p == ']')
        hy_buf_putc(out, *p++);
    while (*p != '\0' && *p != ']') {
        const char *members = *p == '\\' ? class_of(p[1]) : NULL;
        const char *end = *p == '[' && p[1] == ':' ? strstr(p + 2, ":]") : NULL;
        if (members != NULL && (p[1] & 0x20) != 0) {
            hy_buf_puts(out, members);
            p += 2;
        } else if (end != NULL) {
            hy_buf_append(out, p, (size_t)(end + 2 - p));
            p = end + 2;
        } else {
            hy_buf_putc(out, *p++);
        }
    }
    if (*p == ']')
        hy_buf_putc(out, *p++);
    return p;
}

static const char *put_escape(hy_buf *out, const char *p)
{
    const char *members = class_of(p[1]);

    if (members != NULL) {
        hy_buf_puts(out, (p[1] & 0x20) != 0 ? "[" : "[^");
        hy_buf_puts(out, members);
        hy_buf_putc(out, ']');
        return p + 2;
    }
    hy_buf_putc(out, *p++);
    if (*p != '\0')
        hy_buf_putc(out, *p++);
    return p;
}

static void translate(hy_buf *out, const char *p)
{
    while (*p != '\0') {
        if (*p == '[')
            p = put_brackets(out, p);
        else if (*p == '\\')
            p = put_escape(out, p);
        else
            hy_buf_putc(out, *p++);
    }
}

static void pattern_free(void *regex)
{
    regfree(regex);
    hy_free(regex);
}

/* Compiled, or NULL and the call has failed. */
static regex_t *pattern_new(sqlite3_context *ctx, const char *text, bool fold)
{
    hy_buf pattern = {0};
    regex_t *regex = hy_alloc(sizeof *regex);

    translate(&pattern, text);
    int rc = regex == NULL || pattern.failed
                 ? REG_ESPACE
                 : regcomp(regex, hy_buf_text(&pattern), REG_EXTENDED | REG_NOSUB | (fold ? REG_ICASE : 0));
    hy_buf_clear(&pattern);
    if (rc == 0)
        return regex;
    hy_free(regex);
    if (rc == REG_ESPACE)
        sqlite3_result_error_nomem(ctx);
    else
        sqlite3_result_error(ctx, "not a POSIX regular expression", -1);
    return NULL;
}

/* ---- functions -------------------------------------------------------------------------- */

typedef struct regexp_function {
    const char *name;
    int pattern; /* which argument */
    bool fold;
} regexp_function;

static const regexp_function functions[] = {
    {"hysteria_regexp", 1, false},
    {"hysteria_iregexp", 1, true},
    {"regexp", 0, false},
};

/* The statement's own copy where there is one. */
static regex_t *find_pattern(sqlite3_context *ctx, const regexp_function *f, sqlite3_value *value)
{
    regex_t *kept = sqlite3_get_auxdata(ctx, f->pattern);
    if (kept != NULL)
        return kept;
    const char *text = (const char *)sqlite3_value_text(value);
    if (text == NULL) {
        sqlite3_result_error_nomem(ctx);
        return NULL;
    }
    regex_t *made = pattern_new(ctx, text, f->fold);
    if (made == NULL)
        return NULL;
    sqlite3_set_auxdata(ctx, f->pattern, made, pattern_free);
    kept = sqlite3_get_auxdata(ctx, f->pattern);
    if (kept == NULL) /* without memory it is gone again */
        sqlite3_result_error_nomem(ctx);
    return kept;
}

static void match(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    const regexp_function *f = sqlite3_user_data(ctx);

    (void)n;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL || sqlite3_value_type(values[1]) == SQLITE_NULL)
        return;
    const char *text = (const char *)sqlite3_value_text(values[1 - f->pattern]);
    if (text == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    regex_t *regex = find_pattern(ctx, f, values[f->pattern]);
    if (regex == NULL)
        return;
    int rc = regexec(regex, text, 0, NULL, 0);
    if (rc == REG_ESPACE)
        sqlite3_result_error_nomem(ctx);
    else
        sqlite3_result_int(ctx, rc == 0);
}

int hy__sqlite_add_regexp(sqlite3 *db)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++)
        rc = sqlite3_create_function_v2(db, functions[i].name, 2,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                        (void *)(uintptr_t)&functions[i], match, NULL, NULL, NULL);
    return rc;
}
