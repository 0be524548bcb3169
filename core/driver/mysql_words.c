/*
 * mysql_words.c - what the words of a statement say to the driver: how it is sent, and whether
 * the session may be another one after it.
 *
 * Not a parser: the first word, a few that can be anywhere, and every name before a parenthesis,
 * which may be a stored function. Who is not known is taken for the worse, which only costs time.
 */
#include <string.h>

#include <base/text.h>

#include "mysql_driver.h"

/* Behind spaces and comments. One that begins with an exclamation mark is no comment. */
const char *hy__mysql_skip(const char *sql, const char *end)
{
    while (sql < end) {
        const char *stop = NULL;
        if (strchr(" \t\r\n\f;", *sql) != NULL && *sql != '\0') {
            sql++;
            continue;
        }
        if (*sql == '#' || (end - sql > 2 && memcmp(sql, "--", 2) == 0 && (unsigned char)sql[2] <= ' ')) {
            stop = memchr(sql, '\n', (size_t)(end - sql));
        } else if (end - sql > 2 && memcmp(sql, "/*", 2) == 0 && sql[2] != '!' &&
                   !(end - sql > 3 && memcmp(sql + 2, "M!", 2) == 0)) {
            stop = memmem(sql + 2, (size_t)(end - sql) - 2, "*/", 2);
            stop = stop != NULL ? stop + 1 : NULL;
        } else {
            return sql;
        }
        sql = stop != NULL ? stop + 1 : end;
    }
    return end;
}

static const struct {
    const char *word;
    hy__mysql_verb verb;
} verbs[] = {
    /* A WITH that writes gives no rows, and all else is the same. */
    {"SELECT", HY__MYSQL_READS},  {"INSERT", HY__MYSQL_WRITES},  {"UPDATE", HY__MYSQL_WRITES},
    {"DELETE", HY__MYSQL_WRITES}, {"REPLACE", HY__MYSQL_WRITES}, {"WITH", HY__MYSQL_READS},
    {"VALUES", HY__MYSQL_READS},  {"TABLE", HY__MYSQL_READS},
};

hy__mysql_verb hy__mysql_verb_of(const char *sql, size_t size)
{
    const char *end = sql + size, *word = hy__mysql_skip(sql, end), *stop = word;

    if (word < end && *word == '(')
        return HY__MYSQL_READS;
    while (stop < end && (*stop | 32) >= 'a' && (*stop | 32) <= 'z')
        stop++;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (hy_text_equal_nocase(word, (size_t)(stop - word), verbs[i].word, strlen(verbs[i].word)))
            return verbs[i].verb;
    return HY__MYSQL_OTHER;
}

/* Of the other statements those that change nothing in the session. */
static const char *const harmless[] = {
    "ALTER",  "ANALYZE",  "BEGIN",     "COMMIT", "CREATE",   "DESC",     "DESCRIBE",
    "DROP",   "EXPLAIN",  "GRANT",     "KILL",   "OPTIMIZE", "RELEASE",  "RENAME",
    "REVOKE", "ROLLBACK", "SAVEPOINT", "SHOW",   "START",    "TRUNCATE",
};

/* Does the statement begin with this word? */
static bool starts_with(const char *sql, const char *end, const char *word)
{
    size_t n = strlen(word), left = (size_t)(end - sql);

    return left >= n && hy_text_equal_nocase(sql, n, word, n) &&
           (left == n || (sql[n] | 32) < 'a' || (sql[n] | 32) > 'z');
}

static bool mentions(const char *sql, size_t size, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= size; i++)
        if ((sql[i] | 32) == word[0] && hy_text_equal_nocase(sql + i, n, word, n))
            return true;
    return false;
}

/* May stand before a parenthesis: functions that only compute, types, and words of the grammar. */
static const char *const before_parenthesis[] = {
    "abs",
    "all",
    "and",
    "any",
    "as",
    "ascii",
    "avg",
    "between",
    "bigint",
    "bin",
    "binary",
    "bit_and",
    "bit_count",
    "bit_or",
    "by",
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
    "connection_id",
    "convert",
    "count",
    "current_date",
    "current_role",
    "current_time",
    "current_user",
    "curdate",
    "database",
    "date",
    "date_add",
    "date_format",
    "date_sub",
    "datediff",
    "datetime",
    "day",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "decimal",
    "default",
    "dense_rank",
    "distinct",
    "div",
    "double",
    "else",
    "elt",
    "enum",
    "except",
    "exists",
    "exp",
    "extract",
    "field",
    "find_in_set",
    "first_value",
    "float",
    "floor",
    "format",
    "from",
    "from_base64",
    "from_unixtime",
    "greatest",
    "group",
    "group_concat",
    "having",
    "hex",
    "hour",
    "if",
    "ifnull",
    "in",
    "index",
    "instr",
    "int",
    "integer",
    "intersect",
    "interval",
    "is",
    "isnull",
    "json_array",
    "json_arrayagg",
    "json_contains",
    "json_extract",
    "json_keys",
    "json_length",
    "json_merge_patch",
    "json_object",
    "json_objectagg",
    "json_set",
    "json_table",
    "json_type",
    "json_unquote",
    "json_valid",
    "json_value",
    "key",
    "lag",
    "last_day",
    "last_value",
    "lateral",
    "lcase",
    "lead",
    "least",
    "left",
    "length",
    "like",
    "ln",
    "locate",
    "log",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "match",
    "max",
    "md5",
    "microsecond",
    "mid",
    "min",
    "minute",
    "mod",
    "month",
    "monthname",
    "not",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "pow",
    "power",
    "primary",
    "quarter",
    "quote",
    "rand",
    "range",
    "rank",
    "references",
    "regexp",
    "regexp_replace",
    "repeat",
    "replace",
    "returning",
    "reverse",
    "right",
    "rlike",
    "round",
    "row",
    "row_number",
    "rpad",
    "rtrim",
    "schema",
    "second",
    "select",
    "separator",
    "set",
    "sha1",
    "sha2",
    "sign",
    "signed",
    "sleep",
    "some",
    "sqrt",
    "std",
    "stddev",
    "str_to_date",
    "strcmp",
    "substr",
    "substring",
    "substring_index",
    "sum",
    "sysdate",
    "then",
    "time",
    "timediff",
    "timestamp",
    "timestampadd",
    "timestampdiff",
    "tinyint",
    "to_base64",
    "to_days",
    "trim",
    "truncate",
    "ucase",
    "unhex",
    "union",
    "unique",
    "unix_timestamp",
    "unsigned",
    "upper",
    "user",
    "using",
    "utc_timestamp",
    "uuid",
    "values",
    "value",
    "varbinary",
    "varchar",
    "variance",
    "version",
    "week",
    "weekday",
    "when",
    "where",
    "with",
    "xor",
    "year",
};

static bool is_word_char(char c)
{
    return c == '_' || c == '$' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           (unsigned char)c >= 0x80;
}

/* Behind what is quoted; a doubled quote ends one string and begins another. */
static const char *skip_quoted(const char *at, const char *end)
{
    char quote = *at++;

    while (at < end && *at != quote)
        at += *at == '\\' && quote != '`' && at + 1 < end ? 2 : 1;
    return at < end ? at + 1 : end;
}

typedef struct span {
    const char *data;
    size_t size; /* 0: there is none */
} span;

static bool is_among(const span *w, const char *const list[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hy_text_equal_nocase(w->data, w->size, list[i], strlen(list[i])))
            return true;
    return false;
}

/* A name with columns behind it, as in INSERT INTO t (a): no call. */
static bool names_table(const span *before)
{
    static const char *const words[] = {"into", "table", "exists"};

    return is_among(before, words, sizeof words / sizeof words[0]);
}

/* A name, quoted or not, at `at`, which moves behind it. */
static span take_word(const char **at, const char *end)
{
    const char *start = *at;

    if (*start == '`')
        *at = skip_quoted(start, end);
    while (*start != '`' && *at < end && is_word_char(**at))
        ++*at;
    return (span){start, (size_t)(*at - start)};
}

/* Of stored functions nobody knows what they do. A comment for this server alone may hold anything. */
static bool calls_unknown(const char *sql, size_t size)
{
    enum { N_HARMLESS = sizeof before_parenthesis / sizeof before_parenthesis[0] };
    const char *end = sql + size;
    span name = {0}, before = {0};
    bool dot = false, qualified = false; /* before what comes; the name has one before it */

    if (mentions(sql, size, "/*!") || mentions(sql, size, "/*m!"))
        return true;
    for (const char *at = hy__mysql_skip(sql, end); at < end; at = hy__mysql_skip(at, end)) {
        if (*at == '`' || is_word_char(*at)) {
            before = dot ? before : name;
            name = take_word(&at, end);
            qualified = dot;
            dot = false;
            continue;
        }
        if (*at == '(' && name.size > 0 && !names_table(&before) &&
            (qualified || !is_among(&name, before_parenthesis, N_HARMLESS)))
            return true;
        dot = *at == '.';
        name = dot ? name : (span){0};
        at = *at == '\'' || *at == '"' ? skip_quoted(at, end) : at + 1;
    }
    return false;
}

/* Variables, locks, temporary tables and what stored programs do; what a trigger does is not seen. */
bool hy__mysql_touches(const char *sql, size_t size, hy__mysql_verb verb)
{
    const char *word = hy__mysql_skip(sql, sql + size);
    bool known = verb != HY__MYSQL_OTHER;

    for (size_t i = 0; !known && i < sizeof harmless / sizeof harmless[0]; i++)
        known = starts_with(word, sql + size, harmless[i]);
    if (verb == HY__MYSQL_OTHER && (mentions(sql, size, "temporary") || mentions(sql, size, "atomic")))
        return true;
    return !known || memchr(sql, '@', size) != NULL || calls_unknown(sql, size);
}

/* A role is not given back by a reset. */
bool hy__mysql_stains(const char *sql, size_t size, hy__mysql_verb verb)
{
    return verb == HY__MYSQL_OTHER && mentions(sql, size, "role");
}

/* A COMMIT that leaves one open chains (AND CHAIN, or completion_type); what goes back to a savepoint ends
 * none. */
bool hy__mysql_restarts(const char *sql, size_t size, hy__mysql_verb verb)
{
    const char *end = sql + size, *word = hy__mysql_skip(sql, end);

    if (verb != HY__MYSQL_OTHER)
        return false;
    if (starts_with(word, end, "ROLLBACK"))
        return !mentions(sql, size, "to");
    if (starts_with(word, end, "BEGIN"))
        return !mentions(sql, size, "atomic");
    return starts_with(word, end, "START") || starts_with(word, end, "COMMIT");
}
