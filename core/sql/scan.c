/*
 * scan.c - the scanner behind raw SQL: see scan.h.
 *
 * The readings that differ between databases, and the one taken here:
 *   '...'     '' is a quote inside. A backslash is a character like any other, as the
 *             standard, PostgreSQL and SQLite have it; only E'...' escapes with it. MySQL's
 *             '\'' therefore looks unfinished and hides the rest of the text: write '' there.
 *   "..."     and `...` end at their quote, doubled quotes inside. [ is a subscript.
 *   --        a comment up to the line's end, also without the space that MySQL wants.
 *   #         an operator on PostgreSQL, no comment.
 *   slash-*   comments nest, as on PostgreSQL; elsewhere one inside another hides more.
 *   $tag$     a dollar quote unless it follows a character of an identifier.
 *   ::        and := are operators; :name needs a letter after and none before the colon, so
 *             12:30 and a[1:n] contain no names.
 * What is not closed reaches to the end of the text.
 */
#include <stdbool.h>
#include <string.h>

#include <sql/scan.h>

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* A character that may continue an unquoted identifier in any of the databases. */
static bool is_identifier(unsigned char c)
{
    return is_letter(c) || is_digit(c) || c == '$' || c >= 0x80;
}

static unsigned char char_at(const hy_scan *s, size_t at)
{
    return at < s->size ? (unsigned char)s->text[at] : 0;
}

static bool follows_identifier(const hy_scan *s, size_t at)
{
    return at > 0 && is_identifier((unsigned char)s->text[at - 1]);
}

/* All skip_ functions: `at` is where the thing begins; the answer is where it is over. */

static size_t skip_quoted(const hy_scan *s, size_t at, bool backslash)
{
    char quote = s->text[at++];

    while (at < s->size) {
        char c = s->text[at++];

        if (c == '\\' && backslash) {
            at++;
        } else if (c == quote) {
            if (at == s->size || s->text[at] != quote)
                return at;
            at++;
        }
    }
    return s->size;
}

/* E'...' but not the end of a name, as in `type'...'`. */
static bool is_escape_string(const hy_scan *s, size_t at)
{
    return at > 0 && (s->text[at - 1] | 0x20) == 'e' && !follows_identifier(s, at - 1);
}

static size_t skip_line(const hy_scan *s, size_t at)
{
    const char *end = memchr(s->text + at, '\n', s->size - at);

    return end ? (size_t)(end - s->text) + 1 : s->size;
}

static size_t skip_comment(const hy_scan *s, size_t at)
{
    size_t depth = 1;

    for (at += 2; at + 1 < s->size;) {
        if (s->text[at] == '*' && s->text[at + 1] == '/') {
            at += 2;
            if (--depth == 0)
                return at;
        } else if (s->text[at] == '/' && s->text[at + 1] == '*') {
            at += 2;
            depth++;
        } else {
            at++;
        }
    }
    return s->size;
}

/* Length of the "$tag$" that begins here, 0 if none does. */
static size_t dollar_tag(const hy_scan *s, size_t at)
{
    size_t end = at + 1;

    if (follows_identifier(s, at) || is_digit(char_at(s, end)))
        return 0;
    while (end < s->size && s->text[end] != '$' && is_identifier((unsigned char)s->text[end]))
        end++;
    return char_at(s, end) == '$' ? end + 1 - at : 0;
}

/* A tag contains no '$' but its ends, so a comparison never runs past the next one: linear. */
static size_t skip_dollar(const hy_scan *s, size_t at)
{
    size_t tag = dollar_tag(s, at);
    const char *opening = s->text + at, *end = s->text + s->size;
    const char *hit;

    if (tag == 0)
        return at + 1;
    for (const char *p = opening + tag; (hit = memchr(p, '$', (size_t)(end - p))); p = hit + 1) {
        if ((size_t)(end - hit) >= tag && memcmp(hit, opening, tag) == 0)
            return (size_t)(hit - s->text) + tag;
    }
    return s->size;
}

/* The end of whatever begins at `at` and is no placeholder: a quoted thing or one character. */
static size_t skip_text(const hy_scan *s, size_t at)
{
    unsigned char next = char_at(s, at + 1);

    switch (s->text[at]) {
    case '\'':
        return skip_quoted(s, at, is_escape_string(s, at));
    case '"':
    case '`':
        return skip_quoted(s, at, false);
    case '-':
        return next == '-' ? skip_line(s, at) : at + 1;
    case '/':
        return next == '*' ? skip_comment(s, at) : at + 1;
    case '$':
        return skip_dollar(s, at);
    default:
        return at + 1;
    }
}

/* Whether comments nest is a question of the database: one that ends somehow is taken for ended. */
static bool ends_comment(const hy_scan *s, size_t from, size_t to)
{
    return to - from >= 4 && memcmp(s->text + to - 2, "*/", 2) == 0;
}

bool hy__scan_is_open(const char *text, size_t size)
{
    hy_scan s = {text, size, 0};
    bool open = false;

    for (size_t to; s.at < size; s.at = to) {
        to = skip_text(&s, s.at);
        open = text[s.at] == '/' && to > s.at + 1 && !ends_comment(&s, s.at, to);
    }
    return open;
}

bool hy__scan_needs_line(const char *text, size_t size)
{
    for (size_t i = size; i > 0 && text[i - 1] != '\n'; i--)
        if (text[i - 1] == '#' || (text[i - 1] == '-' && i > 1 && text[i - 2] == '-'))
            return true;
    return false;
}

static bool is_name(const hy_scan *s, size_t at)
{
    return s->text[at] == ':' && is_letter(char_at(s, at + 1)) && !follows_identifier(s, at) &&
           (at == 0 || s->text[at - 1] != ':');
}

static hy_scan_token take(hy_scan *s, hy_scan_kind kind, size_t from, size_t to)
{
    hy_scan_token token = {kind, s->text + from, to - from};

    s->at = to;
    return token;
}

static hy_scan_token take_name(hy_scan *s)
{
    size_t from = s->at + 1, to = from;

    while (is_letter(char_at(s, to)) || is_digit(char_at(s, to)))
        to++;
    return take(s, HY_SCAN_NAME, from, to);
}

static hy_scan_token take_text(hy_scan *s)
{
    size_t to = s->at;

    do {
        to = skip_text(s, to);
    } while (to < s->size && s->text[to] != '?' && !is_name(s, to));
    return take(s, HY_SCAN_TEXT, s->at, to);
}

void hy__scan_init(hy_scan *s, const char *text, size_t size)
{
    s->text = text ? text : "";
    s->size = size;
    s->at = 0;
}

hy_scan_token hy__scan_next(hy_scan *s)
{
    if (s->at >= s->size)
        return take(s, HY_SCAN_END, s->size, s->size);
    if (s->text[s->at] == '?') {
        if (char_at(s, s->at + 1) == '?')
            return take(s, HY_SCAN_QUESTION, s->at, s->at + 2);
        return take(s, HY_SCAN_PLACEHOLDER, s->at, s->at + 1);
    }
    return is_name(s, s->at) ? take_name(s) : take_text(s);
}

/* ---- aliases ---------------------------------------------------------------------------- */

static size_t skip_space(const hy_scan *s, size_t at)
{
    while (at < s->size &&
           (s->text[at] == ' ' || s->text[at] == '\t' || s->text[at] == '\n' || s->text[at] == '\r'))
        at++;
    return at;
}

/* Size of the bare name with capital letters that ends an item here; 0: there is none. */
static size_t bare_alias(const hy_scan *s, size_t at)
{
    size_t end = at;
    bool capital = false;

    if (!is_letter(char_at(s, at)))
        return 0;
    for (; is_letter(char_at(s, end)) || is_digit(char_at(s, end)); end++)
        capital |= s->text[end] >= 'A' && s->text[end] <= 'Z';
    size_t next = skip_space(s, end);
    return capital && (next == s->size || s->text[next] == ',') ? end - at : 0;
}

/* Where the name behind the word AS begins, if that word stands here; else 0. */
static size_t behind_as(const hy_scan *s, size_t at)
{
    size_t name = skip_space(s, at + 2);
    bool word = (s->text[at] | 0x20) == 'a' && (char_at(s, at + 1) | 0x20) == 's' && at > 0 &&
                !follows_identifier(s, at);

    return word && name > at + 2 ? name : 0;
}

bool hy__scan_quote_aliases(hy_buf *out, const char *text, size_t size)
{
    hy_scan s = {.text = text, .size = size};
    size_t depth = 0, done = 0;

    while (s.at < size) {
        size_t name = depth == 0 ? behind_as(&s, s.at) : 0;
        size_t n = name > 0 ? bare_alias(&s, name) : 0;
        if (n > 0) {
            hy_buf_append(out, text + done, name - done);
            hy_buf_putc(out, '"');
            hy_buf_append(out, text + name, n);
            hy_buf_putc(out, '"');
            s.at = done = name + n;
            continue;
        }
        depth += text[s.at] == '(';
        depth -= text[s.at] == ')' && depth > 0;
        s.at = skip_text(&s, s.at);
    }
    if (done > 0)
        hy_buf_append(out, text + done, size - done);
    return done > 0;
}
