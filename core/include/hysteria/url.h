/*
 * url.h - connection URLs.
 *
 *   scheme://[user[:password]@][host][:port][/database][?option=value&...]
 *   sqlite:path   sqlite::memory:   sqlite:///absolute/path   sqlite:?...
 *
 * RFC 3986 with percent-decoding of every part. An '@' or '/' inside a password must be
 * percent-encoded; a URL that could be read in two ways is refused. No message ever repeats
 * any part of the URL but the scheme.
 */
#ifndef HYSTERIA_URL_H
#define HYSTERIA_URL_H

#include <stddef.h>

#include <hysteria/error.h>
#include <hysteria/export.h>

HY_BEGIN_DECLS

typedef struct hy_url_option {
    const char *name, *value; /* value "" when absent */
} hy_url_option;

/** Strings are NUL-terminated and owned by the struct; parts that are not given are NULL. */
typedef struct hy_url {
    char *scheme; /* lower case */
    char *user, *password, *host;
    int port; /* 0: not given */
    char *database;
    hy_url_option *options;
    size_t n_options;
    void *memory; /* private */
} hy_url;

/** On failure (HY_EINVALID_CONFIG) `*out` is empty. */
HY_API hy_status hy_url_parse(const char *text, size_t size, hy_url *out, hy_error *err);
/** Wipes the password, frees everything. An empty or cleared struct is fine. */
HY_API void hy_url_clear(hy_url *url);

HY_END_DECLS
#endif
