/*
 * scan.h - finds the placeholders in SQL text that somebody else wrote.
 *
 * Raw fragments come with `?` or `:name` where values belong. What looks like one inside a
 * string, a quoted name, a comment or a dollar quote is none. The scanner knows no dialect:
 * where databases read a text in two ways it takes the reading that hides a placeholder, so
 * that a doubt ends as "the counts differ", never as a value in the wrong place.
 *
 * Linear in the size of the text; nothing is allocated, tokens borrow from the text.
 */
#ifndef HY_SQL_SCAN_H
#define HY_SQL_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include <base/buf.h>

typedef enum hy_scan_kind {
    HY_SCAN_END,
    HY_SCAN_TEXT,        /* copy as it is */
    HY_SCAN_PLACEHOLDER, /* ? */
    HY_SCAN_QUESTION,    /* ??: a literal question mark */
    HY_SCAN_NAME         /* :name */
} hy_scan_kind;

typedef struct hy_scan {
    const char *text;
    size_t size, at;
} hy_scan;

/* TEXT: the run; NAME: the name without ':'; else the characters themselves. */
typedef struct hy_scan_token {
    hy_scan_kind kind;
    const char *text;
    size_t size;
} hy_scan_token;

/** `text` need not end in NUL and must outlive the tokens. */
void hy__scan_init(hy_scan *s, const char *text, size_t size);
/** The next token; HY_SCAN_END again and again once the text is used up. No TEXT is empty. */
hy_scan_token hy__scan_next(hy_scan *s);
/** Does a comment begin that has no end? SQLite lets it run over all that follows. */
bool hy__scan_is_open(const char *text, size_t size);
/** May the text end in a comment that only the end of a line ends? A doubt is a yes. */
bool hy__scan_needs_line(const char *text, size_t size);
/**
 * What a raw SELECT says, with quotes around its aliases that have capital letters: else some
 * databases would turn them small. Only a bare name behind AS at an item's end is one, outside of
 * parentheses. False: there is none, and nothing was written.
 */
bool hy__scan_quote_aliases(hy_buf *out, const char *text, size_t size);

#endif
