/*
 * postgres_text.c - what the driver must know about a statement from its text.
 *
 * Not a parser: the first word says what kind of statement it is, and every name before a
 * parenthesis is held against a list of functions that leave nothing behind in a session.
 * Whatever is not known counts as the worse case, which only costs time.
 */
#include <string.h>

#include <base/text.h>

#include "postgres_driver.h"

const char hy__postgres_copies[] = "COPY to or from the client is not supported";

typedef struct word_row {
    const char *word;
    unsigned traits;
} word_row;

enum {
    COMMAND = HY__POSTGRES_COMMAND,
    COMMITS = HY__POSTGRES_COMMITS,
    ROLLS_BACK = HY__POSTGRES_ROLLS_BACK,
    CHANGES = HY__POSTGRES_CHANGES_SCHEMA,
    NAMES = HY__POSTGRES_MAKES_NAMES,
    TOUCHES = HY__POSTGRES_TOUCHES_SESSION,
    CALLS = 1 << 16, /* the functions it calls decide what it touches */
    ENDS = 1 << 17,  /* the transaction, and more words may say that another one begins */
    COPIES = 1 << 18 /* more words say whose files these are */
};

/* First words. One that is not here touches the session. */
static const word_row first_words[] = {
    {"SELECT", CALLS},
    {"INSERT", CALLS},
    {"UPDATE", CALLS},
    {"DELETE", CALLS},
    {"WITH", CALLS},
    {"VALUES", CALLS},
    {"TABLE", CALLS},
    {"MERGE", CALLS},
    {"EXPLAIN", CALLS},
    {"SHOW", 0},
    {"DECLARE", CALLS},
    {"FETCH", 0},
    {"CLOSE", COMMAND},
    {"BEGIN", COMMAND},
    {"START", COMMAND},
    {"COMMIT", COMMAND | COMMITS | ENDS},
    {"END", COMMAND | COMMITS | ENDS},
    {"ROLLBACK", COMMAND | ROLLS_BACK | ENDS},
    {"ABORT", COMMAND | ROLLS_BACK | ENDS},
    {"SAVEPOINT", COMMAND},
    {"RELEASE", COMMAND},
    {"CREATE", COMMAND | CHANGES | CALLS},
    {"ALTER", COMMAND | CHANGES},
    {"DROP", COMMAND | CHANGES},
    {"COMMENT", COMMAND},
    {"GRANT", COMMAND},
    {"REVOKE", COMMAND},
    {"TRUNCATE", COMMAND},
    {"LOCK", COMMAND},
    {"NOTIFY", COMMAND},
    {"VACUUM", COMMAND},
    {"ANALYZE", COMMAND},
    {"REINDEX", COMMAND},
    {"SET", COMMAND | TOUCHES},
    {"RESET", COMMAND | TOUCHES},
    {"LISTEN", COMMAND | TOUCHES},
    {"UNLISTEN", COMMAND | TOUCHES},
    {"DISCARD", COMMAND | TOUCHES | NAMES},
    {"DEALLOCATE", COMMAND | TOUCHES | NAMES},
    {"PREPARE", COMMAND | TOUCHES | NAMES | COMMITS},
    {"DO", COMMAND | TOUCHES | NAMES | CHANGES},
    {"COPY", TOUCHES | COPIES},
    {"CALL", TOUCHES | NAMES | CHANGES},
    {"EXECUTE", TOUCHES | NAMES},
};

/* May stand before a parenthesis: functions that only compute, types, and words of the grammar. */
static const char *const harmless[] = {
    "abs",
    "age",
    "all",
    "and",
    "any",
    "array",
    "array_agg",
    "array_length",
    "as",
    "avg",
    "between",
    "bit_and",
    "bit_or",
    "bool_and",
    "bool_or",
    "btrim",
    "by",
    "cardinality",
    "case",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "check",
    "coalesce",
    "concat",
    "concat_ws",
    "conflict",
    "count",
    "cube",
    "current_setting",
    "date_part",
    "date_trunc",
    "decimal",
    "dense_rank",
    "distinct",
    "else",
    "encode",
    "except",
    "exists",
    "extract",
    "filter",
    "first_value",
    "floor",
    "format",
    "from",
    "gen_random_uuid",
    "generate_series",
    "greatest",
    "having",
    "in",
    "include",
    "intersect",
    "interval",
    "is",
    "join",
    "json_agg",
    "json_array_elements",
    "json_build_array",
    "json_build_object",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_array_elements",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object_agg",
    "jsonb_set",
    "key",
    "lag",
    "last_value",
    "lateral",
    "lead",
    "least",
    "left",
    "length",
    "like",
    "ilike",
    "limit",
    "localtimestamp",
    "lower",
    "lpad",
    "ltrim",
    "materialized",
    "max",
    "md5",
    "min",
    "mod",
    "not",
    "now",
    "ntile",
    "nullif",
    "numeric",
    "octet_length",
    "of",
    "offset",
    "on",
    "or",
    "over",
    "overlay",
    "partition",
    "pg_backend_pid",
    "pg_sleep",
    "pg_typeof",
    "position",
    "power",
    "primary",
    "random",
    "rank",
    "references",
    "regexp_replace",
    "repeat",
    "replace",
    "returning",
    "reverse",
    "right",
    "rollup",
    "round",
    "row",
    "row_number",
    "rpad",
    "rtrim",
    "select",
    "set",
    "sets",
    "sign",
    "some",
    "split_part",
    "sqrt",
    "stddev",
    "string_agg",
    "strpos",
    "substr",
    "substring",
    "sum",
    "then",
    "time",
    "timestamp",
    "timestamptz",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "translate",
    "trim",
    "trunc",
    "union",
    "unique",
    "unnest",
    "upper",
    "using",
    "values",
    "varchar",
    "variance",
    "varying",
    "version",
    "when",
    "where",
    "width_bucket",
    "with",
    "within",
};

/* ---- tokens ----------------------------------------------------------------------------- */

typedef struct token {
    const char *text;
    size_t size;
    char kind; /* 'w' a word, 'q' a quoted name, 's' a string, '?' unfinished, '\0' the end, else the
                  character */
} token;

typedef struct scanner {
    const char *at, *end;
} scanner;

static bool is_letter(char c)
{
    return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins(const scanner *s, const char *with)
{
    size_t size = strlen(with);
    return (size_t)(s->end - s->at) >= size && memcmp(s->at, with, size) == 0;
}

/* They nest. */
static void skip_block_comment(scanner *s)
{
    int depth = 0;

    do {
        int step = begins(s, "/*") ? 1 : begins(s, "*/") ? -1 : 0;
        depth += step;
        s->at += step != 0 ? 2 : 1;
    } while (depth > 0 && s->at < s->end);
}

static void skip_space(scanner *s)
{
    while (s->at < s->end) {
        if (begins(s, "--")) {
            const char *line = memchr(s->at, '\n', (size_t)(s->end - s->at));
            s->at = line != NULL ? line + 1 : s->end;
        } else if (begins(s, "/*")) {
            skip_block_comment(s);
        } else if (strchr(" \t\r\n\f\v", *s->at) != NULL && *s->at != '\0') {
            s->at++;
        } else {
            return;
        }
    }
}

/* Behind the closing quote; doubled ones are inside. False: it never closes. */
static bool skip_quoted(scanner *s, char quote, bool backslashes)
{
    for (s->at++; s->at < s->end; s->at++) {
        if (backslashes && *s->at == '\\') {
            s->at++;
        } else if (*s->at == quote) {
            if (s->at + 1 == s->end || s->at[1] != quote) {
                s->at++;
                return true;
            }
            s->at++;
        }
    }
    s->at = s->end;
    return false;
}

/* "$tag$ ... $tag$"; false: it is no such string, or never closes. */
static bool skip_dollar_quoted(scanner *s)
{
    const char *tag = s->at, *tag_end = s->at + 1;

    while (tag_end < s->end && (is_letter(*tag_end) || is_digit(*tag_end)))
        tag_end++;
    if (tag_end == s->end || *tag_end != '$' || is_digit(tag[1]))
        return false;
    size_t size = (size_t)(tag_end - tag) + 1;
    const char *close = memmem(tag + size, (size_t)(s->end - tag) - size, tag, size);
    if (close != NULL)
        s->at = close + size;
    return close != NULL;
}

static char take_text(scanner *s)
{
    char first = *s->at;
    bool escapes = (first | 32) == 'e' && s->at + 1 < s->end && s->at[1] == '\'';

    if (escapes)
        s->at++;
    if (*s->at == '\'')
        return skip_quoted(s, '\'', escapes) ? 's' : '?';
    if (first == '"')
        return skip_quoted(s, '"', false) ? 'q' : '?';
    if (first == '$' && skip_dollar_quoted(s))
        return 's';
    if (!is_letter(first)) {
        s->at++;
        return first;
    }
    while (s->at < s->end && (is_letter(*s->at) || is_digit(*s->at) || *s->at == '$'))
        s->at++;
    return 'w';
}

static token next_token(scanner *s)
{
    skip_space(s);
    token t = {.text = s->at};
    if (s->at < s->end)
        t.kind = take_text(s);
    t.size = (size_t)(s->at - t.text);
    return t;
}

static bool is_word(const token *t, const char *word)
{
    return t->kind == 'w' && hy_text_equal_nocase(t->text, t->size, word, strlen(word));
}

/* ---- what it says ----------------------------------------------------------------------- */

static bool is_harmless(const token *t)
{
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (is_word(t, harmless[i]))
            return true;
    return false;
}

/* Words that make something of the session, wherever they stand. */
static bool is_suspicious(const token *t, const token *before)
{
    return is_word(t, "temp") || is_word(t, "temporary") || is_word(t, "pg_temp") || is_word(t, "hold") ||
           t->kind == '?' || (is_word(t, "into") && !is_word(before, "insert") && !is_word(before, "merge"));
}

/*
 * Is a name before a parenthesis a call of something that is not on the list? Not when it is
 * the table of INSERT INTO or CREATE, or the names that follow AS.
 */
static bool is_unknown_call(const token *name, const token *before, bool names_table)
{
    if (name->kind == 'q')
        return !names_table && !is_word(before, "as");
    return name->kind == 'w' && !names_table && !is_word(before, "as") &&
           (before->kind == '.' || !is_harmless(name));
}

/* After INTO, or the TABLE or INDEX of a CREATE, where USING names no source, until something else begins. */
static bool still_names_table(bool does, bool creates, const token *t)
{
    static const char *const ends[] = {"as", "select", "values", "with", "default"};

    if (is_word(t, "into") || (creates && (is_word(t, "table") || is_word(t, "index"))))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (is_word(t, ends[i]))
            return false;
    if (!creates && is_word(t, "using"))
        return false;
    return does && t->kind != '(';
}

static bool may_touch(scanner *s, const token *first)
{
    token before = {0}, name = *first;
    bool names_table = false;

    for (token t = next_token(s); t.kind != '\0'; t = next_token(s)) {
        if (is_suspicious(&t, &name) || (t.kind == '(' && is_unknown_call(&name, &before, names_table)))
            return true;
        names_table = still_names_table(names_table, is_word(first, "create"), &t);
        before = name;
        name = t;
    }
    return false;
}

/* Does it go on with this word, behind that one? An empty one: any. */
static bool goes_on(scanner *s, const char *behind, const char *word)
{
    token before = {0};

    for (token t = next_token(s); t.kind != '\0'; t = next_token(s)) {
        if (is_word(&t, word) && (*behind == '\0' || is_word(&before, behind)))
            return true;
        before = t;
    }
    return false;
}

/* What the words behind the first one decide. */
static unsigned look_further(const scanner *s, const token *first, unsigned traits)
{
    scanner rest = *s, again = *s;

    if ((traits & CALLS) != 0 && may_touch(&rest, first))
        return HY__POSTGRES_TOUCHES_SESSION;
    if ((traits & ENDS) != 0 && goes_on(&rest, "and", "chain"))
        return HY__POSTGRES_CHAINS;
    if ((traits & COPIES) != 0 && (goes_on(&rest, "from", "stdin") || goes_on(&again, "to", "stdout")))
        return HY__POSTGRES_COPIES;
    return 0;
}

unsigned hy__postgres_traits(const char *sql, size_t size)
{
    scanner s = {sql, sql + size};
    token first = next_token(&s);

    while (first.kind == '(' || first.kind == ';')
        first = next_token(&s);
    for (size_t i = 0; i < sizeof first_words / sizeof first_words[0]; i++) {
        unsigned traits = first_words[i].traits;
        if (!is_word(&first, first_words[i].word))
            continue;
        return (traits & ~(unsigned)(CALLS | ENDS | COPIES)) | look_further(&s, &first, traits);
    }
    return TOUCHES;
}
