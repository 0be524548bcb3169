/*
 * statement_cache.h - the prepared statements of one connection, the least used go first.
 *
 * A statement is found by its text and, where the driver says so, the kinds of its binds.
 * One that is running is "in use": it is neither lent twice nor thrown away. Belongs to one
 * thread at a time, like its connection.
 */
#ifndef HY_SOURCE_STATEMENT_CACHE_H
#define HY_SOURCE_STATEMENT_CACHE_H

#include <base/list.h>
#include <hysteria/driver.h>

typedef struct hy__cached hy__cached;
struct hy__cached {
    hy_link link;     /* most recently used first; its own head when not kept */
    hy__cached *next; /* in its bucket */
    uint64_t hash;
    const char *text; /* behind the statement, in the same block */
    size_t size;
    const hy_kind *kinds;
    size_t n_kinds;
    bool kept, in_use;
    hy_statement *statement; /* of driver->statement_size bytes */
};

typedef struct hy__statement_cache {
    hy__cached **buckets; /* a power of two; NULL: nothing is kept */
    size_t n_buckets;
    size_t capacity, count;
    hy_link recent;
} hy__statement_cache;

/** capacity 0: nothing is ever kept. */
hy_status hy__statement_cache_init(hy__statement_cache *cache, size_t capacity, hy_error *err);
/** Close every statement. `c` NULL: there is none. None may be in use. */
void hy__statement_cache_clear(hy__statement_cache *cache, hy_connection *c);

/** A prepared statement of that key that nobody uses, now in use; or NULL. */
hy__cached *hy__statement_cache_find(hy__statement_cache *cache, uint64_t hash, const char *text, size_t size,
                                     const hy_kind *kinds, size_t n_kinds);
/** A new one, in use, to be prepared by the caller. NULL: out of memory. */
hy__cached *hy__cached_new(const hy_driver *driver, uint64_t hash, const char *text, size_t size,
                           const hy_kind *kinds, size_t n_kinds);
/** Close and free one that is not kept. */
void hy__cached_free(hy__cached *entry, hy_connection *c);
/**
 * Its user is done. It is kept if there is room or can be made (closing the one that was not
 * used for the longest time), if none of its key is kept already, and if `keep`.
 */
void hy__statement_cache_put(hy__statement_cache *cache, hy__cached *entry, bool keep, hy_connection *c);

#endif
