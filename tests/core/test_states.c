/*
 * Several Lua states, each in a thread of its own, over one data source and one registry of
 * models: the same model file in each, hooks that fire in their own state, and a plain C
 * thread that writes to the same table meanwhile. Meant for the thread sanitizer; the address
 * sanitizer sees that states close clean.
 */
#include "servers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hysteria/lua.h>
#include <model/model_internal.h>

enum { MOST_STATES = 8, FILE_NAME_SIZE = 64 };

static const char script[] = "tests/core/states.lua";

typedef struct stage {
    hy_source *source;
    hy_registry *registry;
    char table[USER_SIZE];
    int count; /* rows per state */
    pthread_barrier_t start, loaded;
    atomic_int done;
} stage;

typedef struct player {
    stage *stage;
    int owner;
    pthread_t thread;
    long before, after; /* how often the hooks fired */
    char failure[300];  /* "" if all went well */
} player;

/* ---- one state -------------------------------------------------------------------------- */

typedef struct opening {
    stage *stage;
    const char *extra; /* one more column; NULL: none */
} opening;

/* Protected: leaves what the script returns. */
static int open_protected(lua_State *L)
{
    const opening *o = lua_touserdata(L, 1);

    luaL_openlibs(L);
    hy_lua_preload(L);
    hy_lua_set_registry(L, o->stage->registry);
    if (luaL_loadfilex(L, script, "t") != LUA_OK)
        return lua_error(L);
    lua_pushstring(L, o->stage->table);
    hy_lua_push_source(L, o->stage->source);
    lua_pushstring(L, o->extra);
    lua_call(L, 3, 1);
    return 1;
}

static int describe(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Call what lies below `n` arguments; "" or why it failed. */
static void call(lua_State *L, int n, int results, char *failure, size_t size)
{
    int base = lua_gettop(L) - n;

    lua_pushcfunction(L, describe);
    lua_insert(L, base);
    failure[0] = '\0';
    if (lua_pcall(L, n, results, base) != LUA_OK) {
        (void)snprintf(failure, size, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_remove(L, base);
}

/* A state with the script's table on its stack. NULL, and why, if it failed. */
static lua_State *open_state(stage *s, const char *extra, char *failure, size_t size)
{
    opening o = {s, extra};
    lua_State *L = luaL_newstate();

    if (L == NULL) {
        (void)snprintf(failure, size, "out of memory");
        return NULL;
    }
    lua_pushcfunction(L, open_protected);
    lua_pushlightuserdata(L, &o);
    call(L, 1, 1, failure, size);
    if (failure[0] == '\0')
        return L;
    lua_close(L);
    return NULL;
}

static lua_State *need_state(stage *s, const char *extra)
{
    char failure[300];
    lua_State *L = open_state(s, extra, failure, sizeof failure);

    if (L == NULL)
        fail_msg("%s: %s", server.type, failure);
    return L;
}

/* A function of the script without arguments; its result, as text, or "". */
static const char *ask(lua_State *L, const char *name)
{
    static char answer[300];

    lua_getfield(L, -1, name);
    call(L, 0, 1, answer, sizeof answer);
    if (answer[0] != '\0')
        fail_msg("%s: %s: %s", server.type, name, answer);
    (void)snprintf(answer, sizeof answer, "%s", lua_isstring(L, -1) ? lua_tostring(L, -1) : "");
    lua_pop(L, 1);
    return answer;
}

/* ---- threads ---------------------------------------------------------------------------- */

static void work_in(lua_State *L, player *p)
{
    lua_getfield(L, -1, "work");
    lua_pushinteger(L, p->owner);
    lua_pushinteger(L, p->stage->count);
    call(L, 2, 2, p->failure, sizeof p->failure);
    if (p->failure[0] != '\0')
        return;
    p->before = (long)lua_tointeger(L, -2);
    p->after = (long)lua_tointeger(L, -1);
    lua_pop(L, 2);
}

static void *play(void *ctx)
{
    player *p = ctx;

    (void)pthread_barrier_wait(&p->stage->start);
    lua_State *L = open_state(p->stage, NULL, p->failure, sizeof p->failure);
    if (L != NULL)
        work_in(L, p);
    (void)pthread_barrier_wait(&p->stage->loaded); /* the models are all there, look at them */
    (void)pthread_barrier_wait(&p->stage->loaded);
    if (L != NULL)
        lua_close(L);
    return NULL;
}

typedef struct writer {
    stage *stage;
    pthread_t thread;
    int written;
    hy_error failure;
} writer;

/* No Lua: rows of owner 0 come and go. */
static void *write_in_c(void *ctx)
{
    writer *w = ctx;
    char insert[160], update[120];
    hy_status status = HY_OK;
    place at = {.source = w->stage->source};

    (void)snprintf(insert, sizeof insert,
                   "INSERT INTO %s (owner, seq, amount, note) VALUES (0, 1, 0.01, 'c')", w->stage->table);
    (void)snprintf(update, sizeof update, "UPDATE %s SET seq = seq + 1 WHERE owner = 0", w->stage->table);
    while (status == HY_OK && atomic_load(&w->stage->done) == 0) {
        status = sql_try(at, &w->failure, w->written < 20 ? insert : update);
        w->written += status == HY_OK;
    }
    return NULL;
}

/* ---- tests ------------------------------------------------------------------------------ */

static char sqlite_file[FILE_NAME_SIZE];

static void open_stage(stage *s, int max, int count)
{
    hy_source_config config = server_config(NULL);

    if (sqlite_file[0] != '\0')
        config = (hy_source_config){.type = "sqlite", .connect = {.database = sqlite_file}};
    config.pool = (hy_pool_config){.max = max, .acquire_timeout = 60000};
    *s = (stage){.source = server_open(&config), .registry = hy_registry_new(), .count = count};
    assert_non_null(s->registry);
    server_user_name(s->table, "entries");
    lua_State *L = need_state(s, NULL);
    ask(L, "create");
    lua_close(L);
}

static void close_stage(stage *s)
{
    lua_State *L = need_state(s, NULL);

    ask(L, "drop");
    lua_close(L);
    server_shut(s->source);
    hy_registry_unref(s->registry);
}

/* Every state points to the one model of the registry. */
static void check_model(const stage *s, size_t states)
{
    hy_model *model = hy_registry_find(s->registry, "Entry");

    assert_non_null(model);
    assert_int_equal(hy_model_n_columns(model), 5);
    assert_true(atomic_load(&model->references) >= states + 2); /* the registry's and ours */
    hy_model_unref(model);
}

static void check_rows(stage *s, int states)
{
    place at = {.source = s->source};
    const char *integer = server.kind == SERVER_MARIADB || server.kind == SERVER_MYSQL ? "SIGNED" : "BIGINT";

    for (int owner = 1; owner <= states; owner++)
        assert_int_equal(
            sql_number(at, "SELECT CAST(COUNT(*) AS %s) FROM %s WHERE owner = %d", integer, s->table, owner),
            s->count);
    assert_int_equal(
        sql_number(at, "SELECT CAST(COUNT(*) AS %s) FROM %s WHERE seq = 999999", integer, s->table), 0);
    assert_int_equal(sql_number(at,
                                "SELECT CAST(COUNT(*) AS %s) FROM %s WHERE owner > 0 AND note <> UPPER(note)",
                                integer, s->table),
                     0);
}

static void play_together(int states, int count)
{
    player players[MOST_STATES];
    stage s;
    int failed = 0;

    open_stage(&s, states > 2 ? states / 2 : states, count);
    writer w = {.stage = &s};
    (void)pthread_barrier_init(&s.start, NULL, (unsigned)states);
    (void)pthread_barrier_init(&s.loaded, NULL, (unsigned)states + 1);
    assert_int_equal(0, pthread_create(&w.thread, NULL, write_in_c, &w));
    for (int i = 0; i < states; i++) {
        players[i] = (player){.stage = &s, .owner = i + 1};
        assert_int_equal(0, pthread_create(&players[i].thread, NULL, play, &players[i]));
    }
    (void)pthread_barrier_wait(&s.loaded);
    atomic_store(&s.done, 1);
    (void)pthread_join(w.thread, NULL);
    check_model(&s, (size_t)states);
    (void)pthread_barrier_wait(&s.loaded);
    for (int i = 0; i < states; i++) {
        (void)pthread_join(players[i].thread, NULL);
        failed += players[i].failure[0] != '\0';
        if (players[i].failure[0] != '\0')
            print_error("%s: state %d: %s\n", server.type, i, players[i].failure);
    }
    assert_int_equal(failed, 0);
    if (w.failure.status != HY_OK)
        fail_msg("%s: the writer: %s", server.type, w.failure.message);

    long vain = count / 7;
    for (int i = 0; i < states; i++) {
        assert_int_equal(players[i].before, count + vain);
        assert_int_equal(players[i].after, count + vain);
    }
    check_rows(&s, states);
    check_model(&s, 0);
    hy_pool_stats stats = server_stats(s.source);
    report("states %s: %d Lua states over one pool of %d: %d rows each, %d writes from C beside them, %llu "
           "waits, "
           "0 wrong",
           server.type, states, stats.max, count, w.written, (unsigned long long)stats.waited);
    assert_true(w.written > 20);
    (void)pthread_barrier_destroy(&s.start);
    (void)pthread_barrier_destroy(&s.loaded);
    close_stage(&s);
}

static void test_two_states(void **state)
{
    (void)state;
    play_together(2, (int)scaled(500));
}

static void test_eight_states(void **state)
{
    (void)state;
    play_together(8, (int)scaled(500));
}

/* A name means one thing in all of them. */
static void test_other_model(void **state)
{
    stage s;

    (void)state;
    open_stage(&s, 2, 0);
    lua_State *first = need_state(&s, NULL), *second = need_state(&s, "surprise");
    assert_string_equal(ask(first, "refused"), "");
    assert_string_equal(ask(second, "refused"), "MODEL_ALREADY_DEFINED");
    assert_string_equal(ask(first, "refused"), "");
    assert_string_equal(ask(first, "observe"), "UNSUPPORTED");
    ask(first, "views");
    lua_close(second);
    lua_close(first);
    close_stage(&s);
}

/*
 * libmariadb leaves its stack while it waits. The thread sanitizer takes that for calls that never
 * return and remembers them all: megabytes for each coroutine that is dropped there.
 */
#ifdef __SANITIZE_THREAD__
static const long most_dropped = 1000;
#else
static const long most_dropped = 10000;
#endif

/* Coroutines are dropped by the thousand; the collector gives back what they held, rolled back. */
static void test_abandoned(void **state)
{
    enum { POOL = 4 };
    long count = scaled(10000) < most_dropped ? scaled(10000) : most_dropped;
    char failure[300];
    stage s;

    (void)state;
    open_stage(&s, POOL, 0);
    lua_State *L = need_state(&s, NULL);
    ask(L, "refused"); /* a connection is there */
    int before = open_descriptors();
    lua_getfield(L, -1, "abandon");
    lua_pushinteger(L, count);
    lua_pushinteger(L, sqlite_file[0] != '\0' ? 1 : POOL); /* its writers are one at a time */
    call(L, 2, 2, failure, sizeof failure);
    if (failure[0] != '\0')
        fail_msg("%s: %s", server.type, failure);
    hy_pool_stats stats = server_stats(s.source);
    long dropped = (long)lua_tointeger(L, -2), stored = (long)lua_tointeger(L, -1);
    int more = open_descriptors() - before;
    lua_close(L);
    report("abandoned %s: %ld coroutines dropped, %ld rows stored, %d of %d connections lent, %llu made, %d "
           "descriptors more",
           server.type, dropped, stored, stats.leased, stats.max, (unsigned long long)stats.created, more);
    assert_true(dropped >= count);
    assert_int_equal(stored, 0);
    assert_int_equal(stats.leased + stats.connecting + stats.waiting, 0);
    assert_in_range(stats.size, 1, POOL);
    assert_true(more <= 4 * POOL); /* connections that are kept; a file of SQLite's is three */
    close_stage(&s);
}

/* A state that goes away in the middle of its work takes nothing with it. */
static void test_state_that_leaves(void **state)
{
    stage s;

    (void)state;
    open_stage(&s, 2, 0);
    lua_State *leaver = need_state(&s, NULL);
    ask(leaver, "leave");
    assert_int_equal(server_stats(s.source).leased, 1);
    lua_close(leaver);
    assert_int_equal(server_stats(s.source).leased, 0);
    check_rows(&s, 0);
    assert_int_equal(sql_number((place){.source = s.source}, "SELECT COUNT(*) FROM %s", s.table), 0);
    close_stage(&s);
}

/* ---- main ------------------------------------------------------------------------------- */

#define TEST(name)                           \
    {                                        \
#name, test_##name, NULL, NULL, NULL \
    }
static const struct CMUnitTest tests[] = {
    TEST(two_states), TEST(eight_states), TEST(other_model), TEST(state_that_leaves), TEST(abandoned),
};

static int begin_sqlite(void **state)
{
    (void)state;
    server = (test_server){.kind = SERVER_COUNT, .type = "sqlite"};
    (void)snprintf(sqlite_file, sizeof sqlite_file, "/tmp/hy-states-%d.db", (int)getpid());
    return 0;
}

static int end_sqlite(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[FILE_NAME_SIZE + 8];

    (void)state;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", sqlite_file, endings[i]);
        (void)unlink(path);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = servers_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
    return failed + cmocka_run_group_tests_name("sqlite", tests, begin_sqlite, end_sqlite);
}
