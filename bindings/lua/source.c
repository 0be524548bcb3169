/*
 * source.c - data sources: connecting, the pool's figures, and which transaction a statement
 * joins. Running statements is run.c.
 */
#include "binding.h"

#include <string.h>

hyl_source *hyl_check_source(lua_State *L, int index)
{
    return hyl_check(L, index, HYL_SOURCE);
}

void hyl_check_may_run(lua_State *L, const hyl_source *s)
{
    if (s->in_observer)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "an observer cannot run statements");
}

/* ---- the ambient transaction ------------------------------------------------------------- */

/* Is `co` the running coroutine, or one that resumed it? */
static bool is_active(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    return co == L || (co != NULL && lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar));
}

void hyl_push_ambient(lua_State *L, int source)
{
    const hyl_source *s = lua_touserdata(L, source);
    lua_getiuservalue(L, source, HYL_SOURCE_AMBIENT);
    int list = lua_gettop(L);
    for (int i = s->n_ambient; i >= 1; i--) {
        lua_rawgeti(L, list, 2 * i);
        bool active = is_active(L, lua_tothread(L, -1));
        lua_pop(L, 1);
        if (!active)
            continue;
        if (lua_rawgeti(L, list, 2 * i - 1) == LUA_TBOOLEAN) {
            lua_pop(L, 1);
            lua_pushnil(L); /* sql.outside */
        }
        lua_replace(L, list);
        return;
    }
    lua_getiuservalue(L, source, HYL_SOURCE_GLOBAL);
    lua_replace(L, list);
}

void hyl_push_joined(lua_State *L, int source)
{
    hyl_push_ambient(L, source);
    if (lua_isnil(L, -1))
        return;
    const hyl_transaction *t = hyl_check(L, -1, HYL_TRANSACTION);
    if (t->trx == NULL)
        hyl_fail(L, HY_ETRANSACTION_NOT_ACTIVE, "the transaction is finished");
    if (t->barred > 0)
        hyl_fail(
            L, HY_ETRANSACTION_NOT_ACTIVE,
            "the savepoint of this callback has ended: what it did now would stay whatever becomes of it");
}

/* Take entry i of the list at `list` out. */
static void remove_entry(lua_State *L, int list, hyl_source *s, int i)
{
    for (int k = 2 * i - 1; k <= 2 * s->n_ambient; k++) {
        lua_rawgeti(L, list, k + 2); /* past the end: nil */
        lua_rawseti(L, list, k);
    }
    s->n_ambient--;
}

/* Entries whose coroutine was collected before it came to its end. */
static void remove_dead(lua_State *L, int list, hyl_source *s)
{
    for (int i = s->n_ambient; i >= 1; i--) {
        bool dead = lua_rawgeti(L, list, 2 * i) != LUA_TTHREAD;
        lua_pop(L, 1);
        if (dead)
            remove_entry(L, list, s, i);
    }
}

static const char active_key = 0; /* registry: sources with ambient entries -> true */

static void push_active(lua_State *L)
{
    hyl_need_stack(L, 4);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &active_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &active_key);
}

/* Does the source at 1 have ambient entries? Kept for core.inTransaction. */
static void note_active(lua_State *L, bool active)
{
    push_active(L);
    lua_pushvalue(L, 1);
    if (active)
        lua_pushboolean(L, 1);
    else
        lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* core.inTransaction(): would a statement of any source run now join a transaction? */
static int in_transaction(lua_State *L)
{
    lua_settop(L, 0);
    push_active(L);
    bool found = false;
    for (lua_pushnil(L); !found && lua_next(L, 1); lua_settop(L, 2)) {
        hyl_push_ambient(L, 2);
        found = !lua_isnil(L, -1);
    }
    lua_pushboolean(L, found);
    return 1;
}

/* core.ambientPush(source, trx | false) */
static int ambient_push(lua_State *L)
{
    hyl_source *s = hyl_check_source(L, 1);
    if (!lua_isboolean(L, 2))
        hyl_check(L, 2, HYL_TRANSACTION);
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, HYL_SOURCE_AMBIENT);
    remove_dead(L, 3, s);
    lua_pushthread(L);
    lua_rawseti(L, 3, 2 * (s->n_ambient + 1));
    lua_pushvalue(L, 2);
    lua_rawseti(L, 3, 2 * (s->n_ambient + 1) - 1);
    s->n_ambient++;
    note_active(L, true);
    return 0;
}

/* core.ambientPop(source, trx | false): the newest entry of this coroutine with that value. */
static int ambient_pop(lua_State *L)
{
    hyl_source *s = hyl_check_source(L, 1);
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, HYL_SOURCE_AMBIENT);
    for (int i = s->n_ambient; i >= 1; i--) {
        lua_rawgeti(L, 3, 2 * i - 1);
        lua_rawgeti(L, 3, 2 * i);
        bool found = lua_rawequal(L, -2, 2) && lua_tothread(L, -1) == L;
        lua_pop(L, 2);
        if (found) {
            remove_entry(L, 3, s, i);
            note_active(L, s->n_ambient > 0);
            return 0;
        }
    }
    return 0;
}

static int core_ambient(lua_State *L)
{
    hyl_check_source(L, 1);
    lua_settop(L, 1);
    hyl_push_joined(L, 1);
    return 1;
}

static int set_global(lua_State *L)
{
    hyl_check_source(L, 1);
    if (!lua_isnil(L, 2))
        hyl_check(L, 2, HYL_TRANSACTION);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, HYL_SOURCE_GLOBAL);
    return 0;
}

/* ---- source ------------------------------------------------------------------------------ */

static const char *config_text(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (text == NULL && !lua_isnil(L, -1))
        hyl_fail(L, HY_EINVALID_CONFIG, "config: '%s' is a %s, expected text", name, luaL_typename(L, -1));
    lua_pop(L, 1); /* the table keeps it alive */
    return text;
}

/* By name, so that the enumeration may change. */
static hy_prepare config_prepare(lua_State *L, int index)
{
    static const char *const words[] = {
        [HY_PREPARE_AUTO] = "auto",
        [HY_PREPARE_NAMED] = "named",
        [HY_PREPARE_UNNAMED] = "unnamed",
        [HY_PREPARE_OFF] = "off",
    };
    const char *given = config_text(L, index, "prepare");

    for (size_t i = 0; given != NULL && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(given, words[i]) == 0)
            return (hy_prepare)i;
    if (given != NULL)
        hyl_fail(L, HY_EINVALID_CONFIG, "config: 'prepare' is auto, named, unnamed or off");
    return HY_PREPARE_AUTO;
}

static int64_t config_number(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    int exact;
    lua_Integer value = lua_tointegerx(L, -1, &exact);
    if (!lua_isnil(L, -1) && (!exact || value < -1 || value > INT32_MAX))
        hyl_fail(L, HY_EINVALID_CONFIG, "config: '%s' takes a whole number up to %d", name, INT32_MAX);
    lua_pop(L, 1);
    return exact ? value : 0;
}

static void read_pool(lua_State *L, hy_pool_config *pool)
{
    if (lua_getfield(L, 1, "pool") == LUA_TTABLE) {
        int at = lua_gettop(L);
        pool->max = (int)config_number(L, at, "max");
        pool->min = (int)config_number(L, at, "min");
        pool->acquire_timeout = config_number(L, at, "acquireTimeout");
        pool->idle_timeout = config_number(L, at, "idleTimeout");
        pool->max_lifetime = config_number(L, at, "maxLifetime");
    }
    lua_pop(L, 1);
}

static void read_ssl(lua_State *L, hy_connect_config *c)
{
    if (lua_getfield(L, 1, "ssl") == LUA_TTABLE) {
        int at = lua_gettop(L);
        c->ssl_mode = config_text(L, at, "mode");
        c->ssl_ca = config_text(L, at, "ca");
        c->ssl_cert = config_text(L, at, "cert");
        c->ssl_key = config_text(L, at, "key");
    }
    lua_pop(L, 1);
}

/* Leaves a block on the stack. Values become text: driver options are words. */
static void read_driver_options(lua_State *L, hy_connect_config *c)
{
    if (lua_getfield(L, 1, "options") != LUA_TTABLE) {
        lua_pop(L, 1);
        return;
    }
    int at = lua_gettop(L);
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
        n++;
    hy_connect_option *options = lua_newuserdatauv(L, sizeof *options * (n + 1), 0);
    lua_newtable(L);
    int keep = lua_gettop(L);
    size_t i = 0;
    for (lua_pushnil(L); lua_next(L, at); i++) {
        if (lua_type(L, -2) != LUA_TSTRING)
            hyl_fail(L, HY_EINVALID_CONFIG, "driverOptions: keys are names");
        options[i].name = lua_tostring(L, -2);
        options[i].value = luaL_tolstring(L, -1, NULL);
        lua_rawseti(L, keep, (lua_Integer)i + 1);
        lua_pop(L, 1);
    }
    c->options = options;
    c->n_options = n;
}

/* The ambient list keeps nobody alive: a coroutine that is dropped inside its transaction can be
   collected, and with it the transaction (which its stack holds until then). */
static void push_weak_list(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

/* Push one that is nobody's source yet. */
static hyl_source *push_new(lua_State *L)
{
    hyl_source *s = hyl_new(L, HYL_SOURCE, sizeof *s, HYL_SOURCE_VALUES);
    int at = lua_gettop(L);
    push_weak_list(L);
    lua_setiuservalue(L, at, HYL_SOURCE_AMBIENT);
    lua_newtable(L);
    lua_setiuservalue(L, at, HYL_SOURCE_CURSORS);
    return s;
}

void hy_lua_push_source(lua_State *L, hy_source *source)
{
    hyl_need_core(L);
    hyl_need_stack(L, 6);
    hyl_source *s = push_new(L);
    s->is_shared = true;
    s->source = hy_source_ref(source);
}

/* core.connect(config) */
static int core_connect(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    hy_source_config config = {
        .type = config_text(L, 1, "type"),
        .connect =
            {
                .host = config_text(L, 1, "host"),
                .port = (int)config_number(L, 1, "port"),
                .user = config_text(L, 1, "username"),
                .password = config_text(L, 1, "password"),
                .database = config_text(L, 1, "database"),
                .schema = config_text(L, 1, "schema"),
                .application_name = config_text(L, 1, "applicationName"),
                .timezone = config_text(L, 1, "timezone"),
            },
        .connect_timeout = config_number(L, 1, "connectTimeout"),
        .statement_timeout = config_number(L, 1, "statementTimeout"),
        .statement_cache = (int)config_number(L, 1, "statementCache"),
        .prepare = config_prepare(L, 1),
        .name = config_text(L, 1, "name"),
    };
    read_pool(L, &config.pool);
    read_ssl(L, &config.connect);
    read_driver_options(L, &config.connect);
    hyl_source *s = push_new(L);
    hy_error err;
    if (hy_source_open(&config, &s->source, &err) != HY_OK)
        return hyl_raise(L, &err);
    return 1;
}

static int source_gc(lua_State *L)
{
    hyl_source *s = lua_touserdata(L, 1);
    if (s->source == NULL)
        return hyl_retire(L);
    if (!s->is_shared)
        hy_source_set_observer(s->source, NULL, NULL);
    hyl_events_forget(s);
    hy_source_unref(s->source);
    s->source = NULL;
    return hyl_retire(L);
}

/* One that is shared is its host's to close. */
static int source_close(lua_State *L)
{
    const hyl_source *s = hyl_check_source(L, 1);
    if (!s->is_shared)
        hy_source_close(s->source);
    return 0;
}

static int source_is_shared(lua_State *L)
{
    lua_pushboolean(L, hyl_check_source(L, 1)->is_shared);
    return 1;
}

static int source_is_open(lua_State *L)
{
    lua_pushboolean(L, hy_source_is_open(hyl_check_source(L, 1)->source));
    return 1;
}

static int source_type(lua_State *L)
{
    lua_pushstring(L, hy_source_type(hyl_check_source(L, 1)->source));
    return 1;
}

static int source_name(lua_State *L)
{
    lua_pushstring(L, hy_source_name(hyl_check_source(L, 1)->source));
    return 1;
}

static int source_is_private(lua_State *L)
{
    lua_pushboolean(L, hy_source_is_private(hyl_check_source(L, 1)->source));
    return 1;
}

static int source_sorts_nulls_last(lua_State *L)
{
    lua_pushboolean(L, hy_dialect_sorts_nulls_last(hy_source_dialect(hyl_check_source(L, 1)->source)));
    return 1;
}

static int source_stats(lua_State *L)
{
    hy_pool_stats stats;
    hy_source_stats(hyl_check_source(L, 1)->source, &stats);
    const struct {
        const char *name;
        lua_Integer value;
    } fields[] = {
        {"size", stats.size},
        {"idle", stats.idle},
        {"leased", stats.leased},
        {"connecting", stats.connecting},
        {"waiting", stats.waiting},
        {"max", stats.max},
        {"acquired", (lua_Integer)stats.acquired},
        {"waited", (lua_Integer)stats.waited},
        {"timeouts", (lua_Integer)stats.timeouts},
        {"created", (lua_Integer)stats.created},
        {"closed", (lua_Integer)stats.closed},
        {"discarded", (lua_Integer)stats.discarded},
        {"refused", (lua_Integer)stats.refused},
    };
    lua_createtable(L, 0, (int)(sizeof fields / sizeof *fields));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushinteger(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    return 1;
}

/* source:can("RETURNING_INSERT") */
static int source_can(lua_State *L)
{
    static const char *const names[] = {
#define FEATURE_WORD(bit, name) #bit,
        HY_FEATURE_MAP(FEATURE_WORD)
#undef FEATURE_WORD
    };
    hyl_source *s = hyl_check_source(L, 1);
    const char *name = luaL_checkstring(L, 2);
    for (int i = 0; i < HY_FEATURE_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            lua_pushboolean(L, (hy_source_features(s->source) >> i & 1) != 0);
            return 1;
        }
    return hyl_fail(L, HY_EDEVELOPMENT_ERROR, "no feature '%s'", name);
}

static int source_max_binds(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)hy_dialect_max_binds(hy_source_dialect(hyl_check_source(L, 1)->source)));
    return 1;
}

/* source:observe(fn | nil) */
static int source_observe(lua_State *L)
{
    hyl_source *s = hyl_check_source(L, 1);
    if (s->is_shared)
        return hyl_fail(L, HY_EUNSUPPORTED,
                        "a data source that several threads share is observed by its host only");
    lua_settop(L, 2);
    bool on = !lua_isnil(L, 2);
    if (on)
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_setiuservalue(L, 1, HYL_SOURCE_OBSERVER);
    hy_source_set_observer(s->source, on ? hyl_on_event : NULL, s);
    return 0;
}

/* source:ping(timeout?): SELECT 1 on a connection of its own; raises when it fails. */
static int source_ping(lua_State *L)
{
    hyl_check_source(L, 1);
    lua_Integer timeout = luaL_optinteger(L, 2, 0);
    lua_settop(L, 1);
    lua_pushliteral(L, "SELECT 1");
    lua_pushnil(L);
    lua_createtable(L, 0, 1);
    lua_pushinteger(L, timeout);
    lua_setfield(L, -2, "timeout");
    hyl_raw_query(L);
    return 0;
}

void hyl_source_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"close", source_close},
        {"isOpen", source_is_open},
        {"type", source_type},
        {"name", source_name},
        {"stats", source_stats},
        {"isPrivate", source_is_private},
        {"sortsNullsLast", source_sorts_nulls_last},
        {"can", source_can},
        {"observe", source_observe},
        {"ping", source_ping},
        {"maxBinds", source_max_binds},
        {"isShared", source_is_shared},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__gc", source_gc}, {"__close", source_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"connect", core_connect},
        {"ambientPush", ambient_push},
        {"ambientPop", ambient_pop},
        {"ambient", core_ambient},
        {"inTransaction", in_transaction},
        {"setGlobal", set_global},
        {NULL, NULL},
    };
    hyl_type_new(L, HYL_SOURCE, "hysteria.source", methods, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
