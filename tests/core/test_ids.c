/*
 * Identifiers from several Lua states at once: threads that share the counter, and a child that
 * was forked while its parent counts on. What one thread sees must rise; no two may be equal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hysteria/lua.h>

enum { THREADS = 4, IDS = 20000, ID_SIZE = 37, FORKS = 200 };

typedef struct maker {
    const char *script; /* gives one identifier */
    pthread_t thread;
    bool rises;
    char (*ids)[ID_SIZE];
} maker;

static const char *const scripts[] = {
    "return require('hysteria').generateULID()",
    "return require('hysteria').generateUUID(7)",
};

static lua_State *open_state(const char *script)
{
    lua_State *L = luaL_newstate();

    assert_non_null(L);
    luaL_openlibs(L);
    hy_lua_preload(L);
    assert_int_equal(luaL_loadstring(L, script), LUA_OK);
    return L;
}

/* Of the script on the state's stack. */
static void make_id(lua_State *L, char id[ID_SIZE])
{
    lua_pushvalue(L, 1);
    assert_int_equal(lua_pcall(L, 0, 1, 0), LUA_OK);
    assert_true(lua_rawlen(L, -1) < ID_SIZE);
    memcpy(id, lua_tostring(L, -1), lua_rawlen(L, -1) + 1);
    lua_pop(L, 1);
}

static void *make_many(void *of)
{
    maker *m = of;
    lua_State *L = open_state(m->script);

    m->rises = true;
    for (int i = 0; i < IDS; i++) {
        make_id(L, m->ids[i]);
        m->rises = m->rises && (i == 0 || strcmp(m->ids[i - 1], m->ids[i]) < 0);
    }
    lua_close(L);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void check_threads(const char *script)
{
    char(*ids)[ID_SIZE] = calloc((size_t)THREADS * IDS, ID_SIZE);
    maker makers[THREADS];

    assert_non_null(ids);
    for (int i = 0; i < THREADS; i++) {
        makers[i] = (maker){.script = script, .ids = ids + (size_t)i * IDS};
        assert_int_equal(pthread_create(&makers[i].thread, NULL, make_many, &makers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(makers[i].thread, NULL), 0);
        assert_true(makers[i].rises);
    }
    qsort(ids, (size_t)THREADS * IDS, ID_SIZE, compare);
    for (int i = 1; i < THREADS * IDS; i++)
        assert_true(strcmp(ids[i - 1], ids[i]) < 0);
    free(ids);
}

static void threads_share_the_counter(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        check_threads(scripts[i]);
}

/* One identifier each of parent and child, made as soon as there are two. */
static void make_apart(lua_State *L, char parent[ID_SIZE], char child[ID_SIZE])
{
    int ends[2], status;

    assert_int_equal(pipe(ends), 0);
    make_id(L, parent);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        make_id(L, child);
        _exit(write(ends[1], child, ID_SIZE) == ID_SIZE ? 0 : 1);
    }
    make_id(L, parent);
    assert_int_equal(read(ends[0], child, ID_SIZE), ID_SIZE);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
}

static void a_child_begins_anew(void **state)
{
    char parent[ID_SIZE], child[ID_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        lua_State *L = open_state(scripts[i]);
        for (int n = 0; n < FORKS; n++) {
            make_apart(L, parent, child);
            assert_string_not_equal(parent, child);
        }
        lua_close(L);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_the_counter),
        cmocka_unit_test(a_child_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
