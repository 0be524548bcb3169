/*
 * source.c - a data source's life: configuration, references, the things one may ask it.
 *
 * Strings of the configuration are copied into one arena; nothing of it ever appears in a
 * message. Nothing connects here: leases do.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <driver/driver_list.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "source_impl.h"

enum {
    DEFAULT_MAX = 10,
    MOST_CONNECTIONS = 10000,
    DEFAULT_ACQUIRE_MS = 30000,
    DEFAULT_IDLE_MS = 600000,
    DEFAULT_LIFETIME_MS = 1800000,
    DEFAULT_CONNECT_MS = 10000,
    DEFAULT_CACHE = 64,
    SHAPES = 256 /* statements whose text is kept, for all connections */
};

int64_t hy__deadline_in(int64_t ms)
{
    if (ms <= 0)
        return HY_NO_DEADLINE; /* without looking at the clock */
    int64_t now = hy_monotonic_ns();
    return ms > (HY_NO_DEADLINE - now) / HY__NS_PER_MS ? HY_NO_DEADLINE : now + ms * HY__NS_PER_MS;
}

/* ---- configuration ---------------------------------------------------------------------- */

static void fill_defaults(hy_source_config *c)
{
    static const struct {
        size_t at;
        int64_t value;
    } defaults[] = {
        {offsetof(hy_source_config, pool.acquire_timeout), DEFAULT_ACQUIRE_MS},
        {offsetof(hy_source_config, pool.idle_timeout), DEFAULT_IDLE_MS},
        {offsetof(hy_source_config, pool.max_lifetime), DEFAULT_LIFETIME_MS},
        {offsetof(hy_source_config, connect_timeout), DEFAULT_CONNECT_MS},
    };

    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        int64_t *field = (int64_t *)(void *)((char *)c + defaults[i].at);
        if (*field == 0)
            *field = defaults[i].value;
    }
    if (c->pool.max == 0)
        c->pool.max = c->pool.min > DEFAULT_MAX ? c->pool.min : DEFAULT_MAX;
    if (c->statement_cache == 0)
        c->statement_cache = DEFAULT_CACHE;
    if (c->prepare == HY_PREPARE_OFF)
        c->statement_cache = -1;
}

static hy_status check_config(const hy_source_config *c, hy_error *err)
{
    if (c->pool.max < 1 || c->pool.max > MOST_CONNECTIONS)
        return hy_fail(err, HY_EINVALID_CONFIG, "pool.max must be from 1 to %d", MOST_CONNECTIONS);
    if (c->pool.min < 0 || c->pool.min > c->pool.max)
        return hy_fail(err, HY_EINVALID_CONFIG, "pool.min must be from 0 to pool.max");
    if (c->pool.acquire_timeout < -1 || c->pool.idle_timeout < -1 || c->pool.max_lifetime < -1)
        return hy_fail(err, HY_EINVALID_CONFIG, "pool timeouts are milliseconds, or -1 for none");
    if (c->connect_timeout < 0 || c->statement_timeout < 0)
        return hy_fail(err, HY_EINVALID_CONFIG, "timeouts are milliseconds, 0 for the default");
    if ((unsigned)c->prepare > HY_PREPARE_OFF)
        return hy_fail(err, HY_EINVALID_CONFIG, "prepare must be auto, named, unnamed or off");
    if (c->statement_cache < -1)
        return hy_fail(err, HY_EINVALID_CONFIG, "the statement cache needs a size, or -1 for none");
    if (c->connect.port < 0 || c->connect.port > 65535)
        return hy_fail(err, HY_EINVALID_CONFIG, "port must be from 1 to 65535");
    return HY_OK;
}

static void copy_string(hy_source *s, const char **string)
{
    *string = hy_arena_strdup(&s->memory, *string);
}

/* A failed allocation shows in memory.failed. */
static void copy_config(hy_source *s, const hy_source_config *from)
{
    hy_source_config *c = &s->config;
    const char **strings[] = {
        &c->type,
        &c->name,
        &c->connect.host,
        &c->connect.user,
        &c->connect.password,
        &c->connect.database,
        &c->connect.schema,
        &c->connect.application_name,
        &c->connect.timezone,
        &c->connect.ssl_mode,
        &c->connect.ssl_ca,
        &c->connect.ssl_cert,
        &c->connect.ssl_key,
    };

    *c = *from;
    if (c->name == NULL)
        c->name = c->type;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        copy_string(s, strings[i]);

    size_t n = from->connect.n_options;
    hy_connect_option *options = n > 0 ? hy_arena_alloc(&s->memory, n * sizeof *options) : NULL;
    for (size_t i = 0; options != NULL && i < n; i++) {
        options[i] = from->connect.options[i];
        copy_string(s, &options[i].name);
        copy_string(s, &options[i].value);
    }
    c->connect.options = options;
}

/* The password's copy should not outlive the source in freed memory. */
static void wipe_password(hy_source *s)
{
    if (s->config.connect.password != NULL)
        explicit_bzero((char *)(uintptr_t)s->config.connect.password, strlen(s->config.connect.password));
}

static hy_status choose_driver(hy_source *s, const hy_source_config *config, hy_error *err)
{
    const hy__database_type *type;
    hy_status status = hy__database_type_find(config->type, &type, err);

    if (status != HY_OK)
        return status;
    s->driver = config->driver;
    status = s->driver != NULL ? hy__driver_check(s->driver, err)
                               : hy__database_type_driver(type, &s->driver, err);
    if (status != HY_OK)
        return status;
    s->dialect = hy_dialect_find(type->dialect);
    if (s->dialect == NULL)
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "there is no dialect %s", type->dialect);
    return HY_OK;
}

static hy_status set_up(hy_source *s, const hy_source_config *config, hy_error *err)
{
    hy_status status = choose_driver(s, config, err);

    if (status != HY_OK)
        return status;
    copy_config(s, config);
    if (s->memory.failed)
        return hy_fail_oom(err);
    fill_defaults(&s->config);
    status = check_config(&s->config, err);
    if (status != HY_OK)
        return status;
    s->worker = hy__worker_new();
    s->shapes = hy__shapes_new(SHAPES);
    if (s->worker == NULL || s->shapes == NULL)
        return hy_fail_oom(err);
    size_t cache = s->config.statement_cache > 0 ? (size_t)s->config.statement_cache : 0;
    status = hy__pool_init(&s->pool, s->driver, &s->config.pool, s->driver->is_private(&s->config.connect),
                           cache, err);
    s->pool.worker = s->worker;
    return status;
}

static void free_source(hy_source *s)
{
    hy__worker_close(s->worker);
    hy__shapes_free(s->shapes);
    wipe_password(s);
    hy_arena_clear(&s->memory);
    hy_free(s);
}

hy_status hy_source_open(const hy_source_config *config, hy_source **out, hy_error *err)
{
    hy_source *s = hy_alloc_zero(sizeof *s);

    *out = NULL;
    if (s == NULL)
        return hy_fail_oom(err);
    hy_arena_init(&s->memory, NULL, 0);
    hy_status status = set_up(s, config, err);
    if (status != HY_OK) {
        free_source(s);
        return status;
    }
    hy__gate_init(&s->writer);
    atomic_init(&s->references, 1);
    atomic_init(&s->open, true);
    atomic_init(&s->features, 0);
    atomic_init(&s->prepare, (int)s->config.prepare);
    atomic_init(&s->last_event, 0);
    *out = s;
    return HY_OK;
}

/* ---- life ------------------------------------------------------------------------------- */

hy_source *hy_source_ref(hy_source *source)
{
    int before = atomic_fetch_add_explicit(&source->references, 1, memory_order_relaxed);

    assert(before > 0);
    (void)before;
    return source;
}

void hy_source_unref(hy_source *source)
{
    if (source == NULL || atomic_fetch_sub_explicit(&source->references, 1, memory_order_acq_rel) > 1)
        return;
    hy_source_close(source);
    hy__pool_clear(&source->pool);
    hy__gate_clear(&source->writer);
    free_source(source);
}

void hy_source_close(hy_source *source)
{
    atomic_store(&source->open, false);
    hy__pool_close(&source->pool);
}

bool hy_source_is_open(const hy_source *source)
{
    return atomic_load(&source->open);
}

const hy_dialect *hy_source_dialect(const hy_source *source)
{
    return source->dialect;
}

hy_features hy_source_features(const hy_source *source)
{
    hy_features learnt = atomic_load_explicit(&source->features, memory_order_relaxed);
    return learnt != 0 ? learnt : hy_dialect_features(source->dialect, 0);
}

hy_prepare hy_source_prepare(const hy_source *source)
{
    return (hy_prepare)atomic_load_explicit(&source->prepare, memory_order_relaxed);
}

bool hy_source_is_private(const hy_source *source)
{
    return source->driver->is_private(&source->config.connect);
}

const char *hy_source_type(const hy_source *source)
{
    return source->config.type;
}

const char *hy_source_name(const hy_source *source)
{
    return source->config.name;
}

void hy_source_stats(hy_source *source, hy_pool_stats *out)
{
    hy__pool_stats(&source->pool, out);
    out->waiting += hy__gate_waiting(&source->writer);
}

void hy_source_set_observer(hy_source *source, hy_observer observer, void *ctx)
{
    source->observer = observer;
    source->observer_ctx = ctx;
}
