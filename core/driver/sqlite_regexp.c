/*
 * sqlite_regexp.c - regular expressions for SQLite, which has the operator and nothing behind it.
 *
 * The dialect is POSIX extended, as the C library has it, and \d \w \s with their opposites, also
 * in brackets. A character is one of UTF-8, whatever locale the program has set. hysteria_regexp(text,
 * pattern) minds case, hysteria_iregexp does not; regexp(pattern, text) is what the operator calls. A pattern
 * is compiled once per statement.
 */
#include <locale.h>
#include <pthread.h>
#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <hysteria/memory.h>

#include "sqlite_driver.h"

/* ---- how large a pattern is ------------------------------------------------------------- */

/*
 * The C library repeats what is counted, by recursion and with memory that nobody limits: a pattern
 * of forty characters takes gigabytes, a longer one the stack. So it is weighed first.
 */
enum { MOST_WEIGHT = 10000, MOST_GROUPS = 200, MOST_COUNT = 1000000 };

typedef struct weighing {
    size_t group[MOST_GROUPS + 1]; /* what was read so far in each group that is open */
    size_t depth, last;            /* `last`: what a repetition would repeat */
    const char *until;             /* the end of a count in braces */
    bool repeated, too_large;
} weighing;

/* From the digits on; *p moves behind them. */
static size_t read_count(const char **p)
{
    size_t n = 0;

    for (; **p >= '0' && **p <= '9'; ++*p)
        n = n < MOST_COUNT ? n * 10 + (size_t)(**p - '0') : n;
    return n;
}

/* How often {n}, {n,} or {n,m} repeats at most; 0: it is none. */
static size_t read_braces(weighing *w, const char *p)
{
    size_t most = read_count(&p);

    if (*p == ',') {
        const char *digits = ++p;
        size_t second = read_count(&p);
        most = p > digits && second > most ? second : most + 1;
    }
    w->until = *p == '}' ? p : NULL;
    return w->until == NULL ? 0 : most > 0 ? most : 1;
}

static void add_weight(weighing *w, size_t weight, size_t last)
{
    w->last = last;
    w->group[w->depth] += weight;
    w->too_large |= w->group[w->depth] > MOST_WEIGHT;
}

static void repeat(weighing *w, size_t times)
{
    if (w->repeated && times < 2)
        times = 2; /* of a repetition: each is a level of its own */
    w->repeated = true;
    add_weight(w, w->last * (times - 1), w->last * times);
}

static void close_group(weighing *w)
{
    size_t weight = w->group[w->depth] + 1;

    if (w->depth > 0)
        w->depth--;
    add_weight(w, weight, weight);
}

/* One part of the pattern: a character, an escape, brackets. */
static void weigh(weighing *w, const char *p)
{
    if (w->too_large || (w->until != NULL && p <= w->until))
        return;
    size_t times = *p == '*' || *p == '?' ? 1 : *p == '+' ? 2 : *p == '{' ? read_braces(w, p + 1) : 0;
    if (times > 0) {
        repeat(w, times);
        return;
    }
    w->repeated = false;
    if (*p == ')') {
        close_group(w);
        return;
    }
    add_weight(w, 1, 1);
    if (*p != '(')
        return;
    w->too_large |= w->depth == MOST_GROUPS;
    if (!w->too_large)
        w->group[++w->depth] = 0;
}

/* ---- locale ------------------------------------------------------------------------------ */

static pthread_once_t characters_once = PTHREAD_ONCE_INIT;
static locale_t characters; /* for the process's life; 0: there is none, the program's own must do */

static void find_characters(void)
{
    characters = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    if (characters == (locale_t)0)
        characters = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Of this thread, from here to leave_locale(). */
static locale_t enter_locale(void)
{
    (void)pthread_once(&characters_once, find_characters);
    return characters != (locale_t)0 ? uselocale(characters) : (locale_t)0;
}

static void leave_locale(locale_t before)
{
    if (before != (locale_t)0)
        (void)uselocale(before);
}

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

/* False: it is too large. */
static bool translate(hy_buf *out, const char *p)
{
    weighing w = {.last = 1};

    while (*p != '\0' && !w.too_large) {
        weigh(&w, p);
        if (*p == '[')
            p = put_brackets(out, p);
        else if (*p == '\\')
            p = put_escape(out, p);
        else
            hy_buf_putc(out, *p++);
    }
    return !w.too_large;
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

    bool fits = translate(&pattern, text);
    locale_t before = enter_locale();
    int rc = regex == NULL || pattern.failed ? REG_ESPACE
             : !fits
                 ? REG_BADPAT
                 : regcomp(regex, hy_buf_text(&pattern), REG_EXTENDED | REG_NOSUB | (fold ? REG_ICASE : 0));
    leave_locale(before);
    hy_buf_clear(&pattern);
    if (rc == 0)
        return regex;
    hy_free(regex);
    if (rc == REG_ESPACE) {
        sqlite3_result_error_nomem(ctx);
        return NULL;
    }
    sqlite3_result_error(ctx, fits ? "not a POSIX regular expression" : "the regular expression is too large",
                         -1);
    if (!fits)
        sqlite3_result_error_code(ctx, SQLITE_TOOBIG);
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
    locale_t before = enter_locale();
    int rc = regexec(regex, text, 0, NULL, 0);
    leave_locale(before);
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
