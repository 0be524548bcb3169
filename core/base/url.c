/*
 * url.c - connection URLs.
 *
 * Reads what url.h names and refuses what a person could have meant otherwise. Everything
 * lies in one allocation, so that it is wiped as a whole. Must not print any part of the
 * text but the scheme, and that only where "//" shows that it is one. Knows "sqlite" because
 * its URLs have a form of their own.
 */
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/memory.h>
#include <hysteria/url.h>

enum { SCHEME_SIZE_MAX = 24 };

/* The one allocation: this head, the options, the characters. */
typedef struct url_memory {
    size_t size;
    hy_url_option options[];
} url_memory;

typedef struct span {
    const char *p, *end;
} span;

typedef struct parser {
    hy_url *url;
    char *next;         /* where the next decoded string goes */
    const char *scheme; /* for messages; "" while it is not certain */
    hy_error *err;
} parser;

static hy_status refuse(const parser *u, const char *why)
{
    if (u->scheme[0] == '\0')
        return hy_fail(u->err, HY_EINVALID_CONFIG, "unusable connection URL: %s", why);
    return hy_fail(u->err, HY_EINVALID_CONFIG, "unusable %s:// connection URL: %s", u->scheme, why);
}

/* ---- characters ---- */

static const char *find(span s, char c)
{
    return s.p < s.end ? memchr(s.p, c, (size_t)(s.end - s.p)) : NULL;
}

/* The part of `*s` before the first `c`; `*s` becomes what follows it. False: no `c`. */
static bool split(span *s, char c, span *before)
{
    const char *at = find(*s, c);
    if (at == NULL)
        return false;
    *before = (span){s->p, at};
    s->p = at + 1;
    return true;
}

static bool is_empty(span s)
{
    return s.p == s.end;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_all(span s, const char *others, bool letters)
{
    for (; s.p < s.end; s.p++)
        if (!is_digit(*s.p) && !(letters && is_letter(*s.p)) &&
            (*s.p == '\0' || strchr(others, *s.p) == NULL))
            return false;
    return true;
}

static int hex_value(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decode into the memory. */
static hy_status decode(parser *u, span s, char **out)
{
    char *start = u->next;

    while (s.p < s.end) {
        char c = *s.p++;
        if (c == '%') {
            int high = s.end - s.p >= 2 ? hex_value(s.p[0]) : -1, low = high >= 0 ? hex_value(s.p[1]) : -1;
            if (low < 0)
                return refuse(u, "a '%' is not followed by two hexadecimal digits (write %25)");
            c = (char)(high * 16 + low);
            s.p += 2;
        }
        *u->next++ = c;
    }
    if (hy_text_check(start, (size_t)(u->next - start)) != HY_TEXT_FINE)
        return refuse(u, "a part decodes to text that is not valid UTF-8 or has a NUL");
    *u->next++ = '\0';
    *out = start;
    return HY_OK;
}

/* ---- parts ---- */

static hy_status parse_port(parser *u, span s)
{
    int64_t port;

    if (is_empty(s) || !is_all(s, "", false) || !hy_parse_int(s.p, (size_t)(s.end - s.p), &port) ||
        port < 1 || port > 65535)
        return refuse(u,
                      "the port must be a number from 1 to 65535 (a ':', '/', '?' or '@' inside a password "
                      "must be percent-encoded)");
    u->url->port = (int)port;
    return HY_OK;
}

static hy_status parse_ipv6(parser *u, span s)
{
    span host;

    s.p++;
    if (!split(&s, ']', &host) || !find(host, ':') || !is_all(host, ":.%-_", true))
        return refuse(u, "malformed address in brackets");
    hy_status status = decode(u, host, &u->url->host);
    if (status != HY_OK || is_empty(s))
        return status;
    if (*s.p++ != ':')
        return refuse(u, "only a port may follow the closing bracket");
    return parse_port(u, s);
}

static hy_status parse_host(parser *u, span s)
{
    span host = s;

    if (!is_empty(s) && *s.p == '[')
        return parse_ipv6(u, s);
    if (split(&s, ':', &host)) {
        if (find(s, ':'))
            return refuse(u, "an IPv6 address belongs in brackets");
        hy_status status = parse_port(u, s);
        if (status != HY_OK)
            return status;
    }
    if (is_empty(host))
        return HY_OK;
    if (!is_all(host, "-._~%", true))
        return refuse(u, "the host name has a character that does not belong there");
    return decode(u, host, &u->url->host);
}

static hy_status parse_user(parser *u, span s)
{
    span user = s;
    hy_status status = HY_OK;

    if (split(&s, ':', &user))
        status = decode(u, s, &u->url->password);
    if (status == HY_OK && !is_empty(user))
        status = decode(u, user, &u->url->user);
    return status;
}

static hy_status parse_authority(parser *u, span s)
{
    span user;

    if (split(&s, '@', &user)) {
        hy_status status = parse_user(u, user);
        if (status != HY_OK)
            return status;
    }
    return parse_host(u, s);
}

static bool is_known_option(const hy_url *url, const char *name)
{
    for (size_t i = 0; i < url->n_options; i++)
        if (strcmp(url->options[i].name, name) == 0)
            return true;
    return false;
}

static hy_status parse_option(parser *u, span s)
{
    span name = s;
    char *name_text, *value_text;
    bool has_value = split(&s, '=', &name);

    if (is_empty(name))
        return refuse(u, "an option without a name");
    hy_status status = decode(u, name, &name_text);
    if (status == HY_OK)
        status = decode(u, has_value ? s : (span){s.end, s.end}, &value_text);
    if (status != HY_OK)
        return status;
    if (is_known_option(u->url, name_text))
        return refuse(u, "an option is given twice");
    u->url->options = ((url_memory *)u->url->memory)->options;
    u->url->options[u->url->n_options++] = (hy_url_option){name_text, value_text};
    return HY_OK;
}

static hy_status parse_options(parser *u, span s)
{
    span option;
    hy_status status = HY_OK;

    if (is_empty(s))
        return HY_OK;
    while (status == HY_OK && split(&s, '&', &option))
        status = parse_option(u, option);
    return status == HY_OK ? parse_option(u, s) : status;
}

/* ---- forms ---- */

/* sqlite:path and sqlite:///path: all up to the '?' is the path. */
static hy_status parse_file(parser *u, span s)
{
    if (s.end - s.p >= 2 && s.p[0] == '/' && s.p[1] == '/') {
        s.p += 2;
        if (is_empty(s) || *s.p != '/')
            return refuse(u, "a file has no host, write sqlite:path or sqlite:///absolute/path");
    }
    return is_empty(s) ? HY_OK : decode(u, s, &u->url->database);
}

/* What follows "scheme://", without options. */
static hy_status parse_network(parser *u, span s)
{
    span authority = s, path = {s.end, s.end};

    if (split(&s, '/', &authority))
        path = s;
    /* "user:p@ss@host" and "user:p@ss/word@host" have two readings, the second a wrong host. */
    const char *at = find(authority, '@');
    if (find(path, '@') || (at != NULL && find((span){at + 1, authority.end}, '@')))
        return refuse(u, "more than one reading: write '@' inside a user or password as %40, '/' as %2F");
    if (find(path, '/'))
        return refuse(u, "only a database name may follow the host (write a '/' inside it as %2F)");
    hy_status status = parse_authority(u, authority);
    if (status == HY_OK && !is_empty(path))
        status = decode(u, path, &u->url->database);
    return status;
}

static hy_status parse_scheme(parser *u, span *s)
{
    span name;

    if (!split(s, ':', &name) || is_empty(name) || !is_letter(*name.p) || !is_all(name, "+-.", true) ||
        name.end - name.p > SCHEME_SIZE_MAX)
        return refuse(u, "it must begin with a database type and \"://\"");
    hy_status status = decode(u, name, &u->url->scheme);
    if (status != HY_OK)
        return status;
    for (char *p = u->url->scheme; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + ('a' - 'A'));
    return HY_OK;
}

static bool has_odd_character(span s)
{
    for (; s.p < s.end; s.p++)
        if ((unsigned char)*s.p <= ' ' || *s.p == 0x7f || *s.p == '#')
            return true;
    return false;
}

static hy_status parse(parser *u, span s)
{
    hy_status status = HY_OK;
    span path;

    if (has_odd_character(s))
        return refuse(u, "blanks, control characters and '#' must be percent-encoded");
    if ((status = parse_scheme(u, &s)) != HY_OK)
        return status;

    bool is_file = strcmp(u->url->scheme, "sqlite") == 0;
    bool has_slashes = s.end - s.p >= 2 && s.p[0] == '/' && s.p[1] == '/';
    if (!is_file && !has_slashes)
        return refuse(u, "\"://\" must follow the database type");
    u->scheme = u->url->scheme;
    if (!split(&s, '?', &path)) {
        path = s;
        s.p = s.end;
    }
    if (!is_file && find(s, '@'))
        return refuse(u,
                      "more than one reading: write '?' inside a password as %3F, '@' in an option as %40");
    if (!is_file)
        path.p += 2;
    status = is_file ? parse_file(u, path) : parse_network(u, path);
    return status == HY_OK ? parse_options(u, s) : status;
}

/* ---- memory ---- */

static size_t count_char(span s, char c)
{
    size_t n = 0;
    for (; s.p < s.end; s.p++)
        n += *s.p == c;
    return n;
}

/* Decoding never makes a part longer; every part gets a NUL. */
static url_memory *memory_new(span s)
{
    size_t n_options = count_char(s, '&') + 1;
    size_t n_strings = 5 + 2 * n_options;
    size_t size = sizeof(url_memory) + n_options * sizeof(hy_url_option) + (size_t)(s.end - s.p) + n_strings;
    url_memory *memory = hy_alloc_zero(size);

    if (memory != NULL)
        memory->size = size;
    return memory;
}

hy_status hy_url_parse(const char *text, size_t size, hy_url *out, hy_error *err)
{
    span s = {text, text + size};

    *out = (hy_url){0};
    url_memory *memory = memory_new(s);
    if (memory == NULL)
        return hy_fail_oom(err);
    out->memory = memory;
    parser u = {out, (char *)(memory->options + count_char(s, '&') + 1), "", err};
    hy_status status = parse(&u, s);
    if (status != HY_OK)
        hy_url_clear(out);
    return status;
}

void hy_url_clear(hy_url *url)
{
    url_memory *memory = url->memory;

    if (memory != NULL) {
        explicit_bzero(memory, memory->size);
        hy_free(memory);
    }
    *url = (hy_url){0};
}
