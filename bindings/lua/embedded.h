/*
 * embedded.h - the Lua half of Hysteria as data inside the library.
 *
 * The array is made by cmake/embed_lua.cmake from the lists in lua/files.cmake and
 * models/files.cmake. It only lists; searching and loading are the module's business.
 */
#ifndef HYL_EMBEDDED_H
#define HYL_EMBEDDED_H

#include <stddef.h>

typedef struct hyl_embedded {
    const char *module;        /* "hysteria.sql": the name to require */
    const char *file;          /* "hysteria/sql.lua": the name in tracebacks */
    const unsigned char *data; /* source text, not NUL-terminated */
    size_t size;
} hyl_embedded;

/** Ends with an entry whose module is NULL. */
extern const hyl_embedded hyl_embedded_modules[];

#endif
