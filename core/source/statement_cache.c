/*
 * statement_cache.c - see statement_cache.h. A chained hash table of fixed size and a list in
 * order of use; after set-up nothing but a new entry allocates.
 */
#include "statement_cache.h"

#include <assert.h>
#include <string.h>

#include <hysteria/memory.h>

hy_status hy__statement_cache_init(hy__statement_cache *cache, size_t capacity, hy_error *err)
{
    *cache = (hy__statement_cache){.capacity = capacity};
    hy_list_init(&cache->recent);
    if (capacity == 0)
        return HY_OK;
    cache->n_buckets = 1;
    while (cache->n_buckets < capacity * 2)
        cache->n_buckets *= 2;
    cache->buckets = hy_alloc_zero(cache->n_buckets * sizeof(hy__cached *));
    return cache->buckets != NULL ? HY_OK : hy_fail_oom(err);
}

static hy__cached **bucket_of(hy__statement_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (cache->n_buckets - 1)];
}

static bool has_key(const hy__cached *e, uint64_t hash, const char *text, size_t size, const hy_kind *kinds,
                    size_t n_kinds)
{
    return e->hash == hash && e->size == size && e->n_kinds == n_kinds && memcmp(e->text, text, size) == 0 &&
           (n_kinds == 0 || memcmp(e->kinds, kinds, n_kinds * sizeof *kinds) == 0);
}

static hy__cached *find_key(hy__statement_cache *cache, uint64_t hash, const char *text, size_t size,
                            const hy_kind *kinds, size_t n_kinds)
{
    hy__cached *e = cache->buckets != NULL ? *bucket_of(cache, hash) : NULL;

    while (e != NULL && !has_key(e, hash, text, size, kinds, n_kinds))
        e = e->next;
    return e;
}

hy__cached *hy__statement_cache_find(hy__statement_cache *cache, uint64_t hash, const char *text, size_t size,
                                     const hy_kind *kinds, size_t n_kinds)
{
    hy__cached *e = find_key(cache, hash, text, size, kinds, n_kinds);

    if (e == NULL || e->in_use)
        return NULL;
    e->in_use = true;
    hy_list_remove(&e->link);
    hy_list_push_front(&cache->recent, &e->link);
    return e;
}

/* Sizes are kept multiples of the strictest alignment, as parts of one block. */
static size_t padded(size_t size)
{
    const size_t step = _Alignof(max_align_t);
    return (size + step - 1) / step * step;
}

hy__cached *hy__cached_new(const hy_driver *driver, uint64_t hash, const char *text, size_t size,
                           const hy_kind *kinds, size_t n_kinds)
{
    size_t statement_at = padded(sizeof(hy__cached));
    size_t kinds_at = statement_at + padded(driver->statement_size);
    size_t text_at = kinds_at + n_kinds * sizeof *kinds;
    char *block = hy_alloc(text_at + size + 1);

    if (block == NULL)
        return NULL;
    memset(block, 0, kinds_at);
    hy__cached *e = (hy__cached *)(void *)block;
    hy_list_init(&e->link);
    e->hash = hash;
    e->statement = (hy_statement *)(void *)(block + statement_at);
    e->kinds = (const hy_kind *)(void *)(block + kinds_at);
    e->n_kinds = n_kinds;
    e->text = block + text_at;
    e->size = size;
    e->in_use = true;
    if (n_kinds > 0)
        memcpy(block + kinds_at, kinds, n_kinds * sizeof *kinds);
    memcpy(block + text_at, text, size);
    block[text_at + size] = '\0';
    return e;
}

void hy__cached_free(hy__cached *entry, hy_connection *c)
{
    assert(!entry->kept);
    if (c != NULL)
        c->driver->statement_close(c, entry->statement);
    hy_free(entry);
}

static void drop(hy__statement_cache *cache, hy__cached *entry)
{
    hy__cached **at = bucket_of(cache, entry->hash);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    hy_list_remove(&entry->link);
    entry->kept = false;
    cache->count--;
}

static hy__cached *oldest_unused(hy__statement_cache *cache)
{
    for (hy_link *it = cache->recent.prev; it != &cache->recent; it = it->prev) {
        hy__cached *e = hy_container(it, hy__cached, link);
        if (!e->in_use)
            return e;
    }
    return NULL;
}

static bool make_room(hy__statement_cache *cache, hy_connection *c)
{
    if (cache->count < cache->capacity)
        return true;
    hy__cached *victim = oldest_unused(cache);
    if (victim == NULL)
        return false;
    drop(cache, victim);
    hy__cached_free(victim, c);
    return true;
}

static void keep_entry(hy__statement_cache *cache, hy__cached *entry)
{
    hy__cached **bucket = bucket_of(cache, entry->hash);

    entry->next = *bucket;
    *bucket = entry;
    hy_list_push_front(&cache->recent, &entry->link);
    entry->kept = true;
    cache->count++;
}

void hy__statement_cache_put(hy__statement_cache *cache, hy__cached *entry, bool keep, hy_connection *c)
{
    assert(entry->in_use);
    entry->in_use = false;
    if (entry->kept && keep)
        return;
    if (entry->kept) {
        drop(cache, entry);
    } else if (keep && cache->capacity > 0 &&
               find_key(cache, entry->hash, entry->text, entry->size, entry->kinds, entry->n_kinds) == NULL &&
               make_room(cache, c)) {
        keep_entry(cache, entry);
        return;
    }
    hy__cached_free(entry, c);
}

void hy__statement_cache_clear(hy__statement_cache *cache, hy_connection *c)
{
    while (!hy_list_empty(&cache->recent)) {
        hy__cached *e = hy_container(cache->recent.next, hy__cached, link);
        assert(!e->in_use);
        drop(cache, e);
        hy__cached_free(e, c);
    }
    hy_free(cache->buckets);
    cache->buckets = NULL;
    cache->capacity = 0;
}
