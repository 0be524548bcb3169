/*
 * mysql_words.c - what the words of a statement say to the driver: how it is sent, and whether
 * the session may be another one after it.
 *
 * Only the first word and a few that can be anywhere are looked at; who is not known is taken
 * for the worse. Knows no grammar.
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
                   memcmp(sql + 2, "M!", 2) != 0) {
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

static bool mentions(const char *sql, size_t size, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= size; i++)
        if ((sql[i] | 32) == word[0] && hy_text_equal_nocase(sql + i, n, word, n))
            return true;
    return false;
}

/* Variables, locks and temporary tables stay; what stored functions do is not seen. */
bool hy__mysql_touches(const char *sql, size_t size, hy__mysql_verb verb)
{
    const char *word = hy__mysql_skip(sql, sql + size);
    size_t left = size - (size_t)(word - sql);
    bool known = verb != HY__MYSQL_OTHER;

    for (size_t i = 0; !known && i < sizeof harmless / sizeof harmless[0]; i++) {
        size_t n = strlen(harmless[i]);
        known = left >= n && hy_text_equal_nocase(word, n, harmless[i], n) &&
                (left == n || (word[n] | 32) < 'a' || (word[n] | 32) > 'z');
    }
    return !known || memchr(sql, '@', size) != NULL || mentions(sql, size, "get_lock") ||
           (verb == HY__MYSQL_OTHER && mentions(sql, size, "temporary"));
}
