/*
 * test_oom.c - memory runs out at every place where a script asks for some.
 *
 *   test_oom malloc SCENARIO [I N]   every malloc, calloc and realloc of the process: our C, SQLite, jansson
 *   test_oom lua SCENARIO [I N]      every allocation of the Lua state
 *   test_oom itself                  this test can fail
 *
 * A scenario is a script (load.lua, start.lua, work.lua). It runs once undisturbed, then again and again,
 * each time in a process of its own (a fork of the same moment, so that each run asks for the
 * same memory in the same order) on a database file of its own: call k is refused ("once"), k
 * and the next ("twice", Lua's only), or k and all after it ("persistent"). A run may fail with a clean error
 * or succeed. It must not crash, must leave no block behind, and must leave the database as it was after one
 * of the script's steps: not before a step that was done, never inside one.
 *
 * A script that opens no file runs only once beside that, and a process is forked off at each call
 * that is to be refused; another is run from its beginning for each of them.
 * I of N: every Nth call from the Ith, so that N processes share the calls of a scenario.
 * HY_SCALE=ci takes every tenth k (fewer under the address sanitizer), from a random first one that is
 * printed (HY_OOM_OFFSET sets it); full takes all. HY_OOM_K=k runs that one with its error shown.
 */
#include "core/hy_test.h"
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <sqlite3.h>

void hy_lua_preload(lua_State *L);

#if defined(__SANITIZE_ADDRESS__)
enum { OFTEN = 50 }; /* a fork of a sanitized process takes its time */
#else
enum { OFTEN = 10 };
#endif
enum { STEPS_MAX = 64, SECONDS_PER_RUN = 60 };

typedef enum verdict {
    NEVER_ENDED, /* the process died or hung */
    SUCCEEDED,
    FAILED_CLEANLY,
    FAILED_ODDLY /* an error that does not say that memory ran out */
} verdict;

/* What a run tells the process that started it. */
typedef struct outcome {
    verdict verdict;
    long calls, refused;
    long leaked[FAULT_PLACE_COUNT];
    int steps; /* that the script finished */
    uint64_t digest;
    char message[400];
    char probe[400];  /* what did not work after memory had come back */
    char damage[400]; /* what the database says about itself, if not "ok" */
} outcome;

/* Lua answers the first refusal with a full collection and asks again: "once" shows what that
   collection takes away, "twice" is the failure. */
typedef enum refusal { ONCE, TWICE, PERSISTENT, REFUSAL_COUNT } refusal;
static const char *const refusal_names[] = {"once", "twice", "persistent"};
static const long refused_calls[] = {1, 2, LONG_MAX};
static const char *const refused_by[FAULT_PLACE_COUNT] = {"malloc", "lua"};

typedef struct scenario {
    const char *name;
    bool from_nothing; /* the Lua state is made, and the modules loaded, while faults are on; opens no file */
    bool has_rows;     /* each run has its copy of what the script prepared */
} scenario;

/* Loading asks for far more than what comes after it, which need not be done again at each of its calls. */
static const scenario scenarios[] = {
    {"load", true, false},
    {"start", false, false},
    {"work", false, true},
};

typedef struct tally {
    long runs, errors, successes, crashes, leaks, between, odd, void_faults, broken;
} tally;

/* What processes tell the one that forked them. */
typedef struct board {
    outcome outcome;
    uint64_t digests[STEPS_MAX + 1]; /* of a watched run, after each step */
    tally tallies[REFUSAL_COUNT];
} board;

static struct {
    char folder[200], database[240], template[240], script[40000];
    outcome *shared; /* of the board */
    board *board;
    uint64_t digests[STEPS_MAX + 1]; /* of the undisturbed run, after each step */
    int n_digests;
    bool watched; /* this run fills digests */
    lua_State *L; /* of a scenario that is not from_nothing */
    const scenario *scenario;
    fault_place place;
    long part, parts;   /* which of the calls are this process's */
    long first, stride; /* which of them are refused */
    long sites;         /* how many calls there are */
    long baseline;      /* live blocks when nothing of Hysteria exists */
} run;

/* ---- the database, seen from outside ---------------------------------------------------- */

static uint64_t hash(uint64_t h, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

typedef struct reading {
    uint64_t hash;
    char text[400];
} reading;

static int read_row(void *ctx, int n, char **cells, char **names)
{
    reading *r = ctx;
    (void)names;
    for (int i = 0; i < n; i++) {
        r->hash = hash(hash(r->hash, cells[i] != NULL ? cells[i] : "\1NULL"), "\2");
        snprintf(r->text, sizeof r->text, "%s", cells[i] != NULL ? cells[i] : "NULL");
    }
    r->hash = hash(r->hash, "\3");
    return 0;
}

static int read_name(void *ctx, int n, char **cells, char **names)
{
    (void)names;
    strncat(ctx, n > 0 && cells[0] != NULL ? cells[0] : "?", 1000);
    strcat(ctx, "\n");
    return 0;
}

/* Stands in for the decimals' own order, without which SQLite does not read their columns. */
static int compare_text(void *ctx, int n, const void *a, int m, const void *b)
{
    (void)ctx;
    int order = memcmp(a, b, (size_t)(n < m ? n : m));
    return order != 0 ? order : n - m;
}

/* Every row of every table. 0: no file, or no table in it. */
static uint64_t database_digest(char *damage, size_t size)
{
    sqlite3 *db = NULL;
    reading r = {.hash = 14695981039346656037u};
    char names[4000] = "";

    if (sqlite3_open_v2(run.database, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        sqlite3_close(db);
        return 0;
    }
    sqlite3_create_collation(db, "hysteria_decimal", SQLITE_UTF8, NULL, compare_text);
    reading check = {0};
    int rc = sqlite3_exec(db, "PRAGMA integrity_check(1)", read_row, &check, NULL);
    if (rc != SQLITE_OK || strcmp(check.text, "ok") != 0)
        snprintf(damage, size, "integrity_check: %.200s %s", check.text, sqlite3_errmsg(db));
    check = (reading){0};
    rc = sqlite3_exec(db, "PRAGMA foreign_key_check", read_row, &check, NULL);
    if (rc != SQLITE_OK || check.text[0] != '\0')
        snprintf(damage, size, "foreign_key_check: %.200s %s", check.text, sqlite3_errmsg(db));
    sqlite3_exec(
        db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        read_name, names, NULL);
    if (names[0] == '\0')
        r.hash = 0; /* an empty file is as good as none */
    char *rest = names;
    for (char *name = strsep(&rest, "\n"); name != NULL && *name != '\0'; name = strsep(&rest, "\n")) {
        char sql[300];
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2", name);
        r.hash = hash(r.hash, name);
        if (sqlite3_exec(db, sql, read_row, &r, NULL) != SQLITE_OK)
            snprintf(damage, size, "%.100s: %s", name, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
    return r.hash;
}

/* ---- files ------------------------------------------------------------------------------ */

static void remove_database(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

static void copy_file(const char *from, const char *to)
{
    char block[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, block, sizeof block)) > 0;)
        assert_int_equal(n, write(out, block, (size_t)n));
    close(in);
    close(out);
}

static void fresh_database(void)
{
    remove_database(run.database);
    if (run.scenario->has_rows)
        copy_file(run.template, run.database);
}

/* ---- scripts ------------------------------------------------------------------------------ */

/* step(): called by a script after each thing that it has finished. */
static int script_step(lua_State *L)
{
    outcome *o = run.shared;

    o->steps++;
    if (run.watched && o->steps <= STEPS_MAX) {
        char damage[400] = "";
        fault_counter saved = faults[run.place];
        faults_disarm();
        run.shared->digest = database_digest(damage, sizeof damage);
        faults[run.place] = saved;
        if (damage[0] != '\0')
            return luaL_error(L, "step %d: %s", o->steps, damage);
        run.board->digests[o->steps] = run.shared->digest;
    }
    return 0;
}

static int open_script(lua_State *L)
{
    char file[100];

    snprintf(file, sizeof file, "@tests/oom/%s.lua", run.scenario->name);
    luaL_openlibs(L);
    hy_lua_preload(L);
    lua_pushcfunction(L, script_step);
    lua_setglobal(L, "step");
    lua_pushstring(L, run.database);
    lua_setglobal(L, "database");
    if (luaL_loadbuffer(L, run.script, strlen(run.script), file) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1); /* a table of functions: run, probe */
    lua_setglobal(L, "script");
    return 0;
}

/* Protected, so that a state that cannot even be filled is an error like any other. */
static int prepare_state(lua_State *L)
{
    lua_pushcfunction(L, open_script);
    return lua_pcall(L, 0, 0, 0);
}

static int call_named(lua_State *L)
{
    lua_getglobal(L, "script");
    lua_getfield(L, -1, lua_touserdata(L, 1));
    lua_call(L, 0, 0);
    return 0;
}

static int call_script(lua_State *L, const char *name)
{
    lua_pushcfunction(L, call_named);
    lua_pushlightuserdata(L, (void *)name);
    return lua_pcall(L, 1, 0, 0);
}

static int describe(lua_State *L)
{
    if (lua_istable(L, 1) && (lua_pushliteral(L, "code"), lua_rawget(L, 1) == LUA_TSTRING)) {
        luaL_tolstring(L, 1, NULL);
        return 1;
    }
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* The error on top of the stack as text, and whether it says that memory ran out (or that it
   did earlier in the same transaction, in a ROLLBACK TO that the script's own error hides). */
static bool read_error(lua_State *L, char *into, size_t size)
{
    bool clean = false;

    if (lua_type(L, -1) == LUA_TSTRING) {
        /* A stack that has no memory to grow is a "stack overflow" to luaL_checkstack. */
        clean = strcmp(lua_tostring(L, -1), "not enough memory") == 0 ||
                (run.place == FAULT_LUA && strstr(lua_tostring(L, -1), "stack overflow") != NULL);
        snprintf(into, size, "%s", lua_tostring(L, -1));
        return clean;
    }
    lua_pushcfunction(L, describe);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
        snprintf(into, size, "%s", lua_tostring(L, -1));
        clean = strncmp(into, "OUT_OF_MEMORY:", 14) == 0 || strncmp(into, "TRANSACTION_ABORTED:", 20) == 0;
    } else {
        snprintf(into, size, "an error that cannot be shown");
    }
    lua_pop(L, 1);
    return clean;
}

/* ---- one run, in its own process -------------------------------------------------------- */

static int run_script(lua_State **L)
{
    int status;

    if (run.scenario->from_nothing) {
        *L = lua_newstate(faults_lua_alloc, NULL);
        if (*L == NULL)
            return LUA_ERRMEM;
        status = prepare_state(*L);
        if (status != LUA_OK)
            return status;
    }
    return call_script(*L, "run");
}

/* Memory is back: does what is left of the script's world still work? */
static void probe(lua_State *L, outcome *o)
{
    lua_settop(L, 0);
    if (lua_getglobal(L, "script") == LUA_TTABLE && call_script(L, "probe") != LUA_OK) {
        char text[380];
        read_error(L, text, sizeof text);
        snprintf(o->probe, sizeof o->probe, "%s", text);
    }
    lua_settop(L, 0);
}

static void child(long k, refusal how, bool watched)
{
    outcome *o = run.shared;
    lua_State *L = run.L;
    /* Half of the persistent runs end in want: closing must need no memory. The Lua allocator is
       given back first, since Lua cannot call finalizers without it. */
    bool close_in_want = how == PERSISTENT && k % 2 == 0 && run.place == FAULT_MALLOC;

    run.watched = watched;
    alarm(SECONDS_PER_RUN);
    fresh_database();
    faults_arm(run.place, k, refused_calls[how]);
    int status = run_script(&L);
    if (!close_in_want)
        faults_disarm();
    if (status == LUA_OK)
        o->verdict = SUCCEEDED;
    else if (L == NULL || read_error(L, o->message, sizeof o->message))
        o->verdict = FAILED_CLEANLY;
    else
        o->verdict = FAILED_ODDLY;
    if (L != NULL && !close_in_want)
        probe(L, o);
    if (L != NULL)
        lua_close(L);
    faults_disarm();
    o->calls = faults[run.place].calls;
    o->refused = faults[run.place].refused;
    sqlite3_shutdown();
    o->leaked[FAULT_MALLOC] = faults[FAULT_MALLOC].live - run.baseline;
    o->leaked[FAULT_LUA] = faults[FAULT_LUA].live;
    o->digest = database_digest(o->damage, sizeof o->damage);
    _exit(0);
}

/* Is this the process that was forked? The other has waited for it, and knows how it died. */
static bool forked(char *died, size_t size)
{
    memset(run.shared, 0, sizeof *run.shared);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        return true;
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    died[0] = '\0';
    if (WIFSIGNALED(status))
        snprintf(died, size, "signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(died, size, "exit status %d", WEXITSTATUS(status));
    else if (run.shared->verdict == NEVER_ENDED)
        snprintf(died, size, "ended without a verdict");
    return false;
}

static void start_run(long k, refusal how, bool watched, char *died, size_t size)
{
    if (forked(died, size))
        child(k, how, watched);
}

/* ---- what a run must hold ------------------------------------------------------------------ */

/* Steps done when the database looked like this: the last such, -1: never. */
static bool is_after_a_step(const outcome *o)
{
    for (int i = o->steps; i <= o->steps + 1 && i < run.n_digests; i++)
        if (run.digests[i] == o->digest)
            return true;
    return false;
}

static void complain(long k, refusal how, const char *what, const char *detail)
{
    printf("  %s, %s, call %ld, %s: %s: %s\n", run.scenario->name, refused_by[run.place], k,
           refusal_names[how], what, detail);
}

/* Runs differ by a call or two, where the collector has its turn: one of the last may not come. */
static bool ended_before(long k, const outcome *o)
{
    enum { NEARLY = 3 };

    return o->calls < k && k > run.sites - NEARLY;
}

static void judge(long k, refusal how, const char *died, tally *t)
{
    const outcome *o = run.shared;
    char text[600];

    t->runs++;
    if (died[0] != '\0') {
        t->crashes++;
        complain(k, how, "died", died);
        return;
    }
    t->errors += o->verdict != SUCCEEDED;
    t->successes += o->verdict == SUCCEEDED;
    if (o->refused == 0 && !ended_before(k, o)) {
        t->void_faults++;
        complain(k, how, "nothing was refused", "");
    }
    if (o->verdict == FAILED_ODDLY) {
        t->odd++;
        complain(k, how, "another error", o->message);
    }
    if (o->leaked[FAULT_MALLOC] != 0 || o->leaked[FAULT_LUA] != 0) {
        t->leaks++;
        snprintf(text, sizeof text, "%ld blocks, %ld of Lua (%s)", o->leaked[FAULT_MALLOC],
                 o->leaked[FAULT_LUA], o->message);
        complain(k, how, "left behind", text);
    }
    if (o->probe[0] != '\0') {
        t->broken++;
        complain(k, how, "does not work afterwards", o->probe);
    }
    if (o->damage[0] != '\0' || !is_after_a_step(o)) {
        t->between++;
        snprintf(text, sizeof text, "%d steps were done; %s", o->steps, o->damage);
        complain(k, how, "the database is between", text);
    }
}

/* ---- sweeps ------------------------------------------------------------------------------------- */

static void undisturbed(void)
{
    char died[100];

    start_run(0, ONCE, true, died, sizeof died);
    const outcome *o = run.shared;
    if (died[0] != '\0' || o->verdict != SUCCEEDED)
        fail_msg("%s without faults: %s %s", run.scenario->name, died, o->message);
    if (o->probe[0] != '\0')
        fail_msg("%s without faults, probe: %s", run.scenario->name, o->probe);
    assert_string_equal(o->damage, "");
    assert_in_range(o->steps, 1, STEPS_MAX);
    run.n_digests = o->steps + 1;
    memcpy(run.digests, run.board->digests, sizeof *run.digests * (size_t)run.n_digests);
}

/* The database before the first step is the template, or no file at all. */
static void digest_before(void)
{
    char damage[400] = "";
    fresh_database();
    run.digests[0] = database_digest(damage, sizeof damage);
    sqlite3_shutdown();
    assert_string_equal(damage, "");
}

/* How many calls there are to refuse, from a run that is not watched. */
static long count_sites(void)
{
    char died[100];

    start_run(0, ONCE, false, died, sizeof died);
    if (died[0] != '\0')
        fail_msg("%s without faults: %s", run.scenario->name, died);
    assert_int_equal(run.shared->verdict, SUCCEEDED);
    if (run.shared->leaked[FAULT_MALLOC] != 0 || run.shared->leaked[FAULT_LUA] != 0)
        fail_msg("%s without faults leaves %ld blocks behind, %ld of Lua", run.scenario->name,
                 run.shared->leaked[FAULT_MALLOC], run.shared->leaked[FAULT_LUA]);
    return run.shared->calls;
}

static long number_from(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtol(text, NULL, 10) : otherwise;
}

static void report(refusal how, const tally *t)
{
    char line[400];
    const char *path = getenv("HY_REPORT");

    snprintf(line, sizeof line,
             "oom %s/%s %s: %ld sites, %ld refused in turn (every %ld from %ld): %ld errors, %ld successes, "
             "%ld crashes, %ld leaks, %ld between, %ld other errors, %ld broken afterwards",
             refused_by[run.place], run.scenario->name, refusal_names[how], run.sites, t->runs, run.stride,
             run.first, t->errors, t->successes, t->crashes, t->leaks, t->between, t->odd, t->broken);
    printf("%s\n", line);
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file != NULL) {
        fprintf(file, "%s\n", line);
        fclose(file);
    }
}

static bool is_tried(refusal how)
{
    return how != TWICE || run.place == FAULT_LUA;
}

static void count(long k, refusal how, const char *died)
{
    judge(k, how, died, &run.board->tallies[how]);
    if (number_from("HY_OOM_K", 0) != 0)
        printf("  call %ld of %ld: verdict %d, %d steps, %s\n", k, run.sites, run.shared->verdict,
               run.shared->steps, run.shared->message);
}

/* The undisturbed run is at a call: processes go on from here that are refused it. */
static void divide(long call)
{
    fault_counter *f = &faults[run.place];
    char died[100];

    if (call < run.first || (call - run.first) % run.stride != 0)
        return;
    for (refusal how = ONCE; how < REFUSAL_COUNT; how++) {
        if (!is_tried(how))
            continue;
        if (forked(died, sizeof died)) {
            alarm(SECONDS_PER_RUN);
            f->before = NULL;
            f->fail_at = call;
            f->fail_for = refused_calls[how];
            return;
        }
        count(call, how, died);
    }
    alarm(SECONDS_PER_RUN); /* again: the others took their time */
}

static void divide_at_each(void)
{
    char died[100];

    if (forked(died, sizeof died)) {
        faults[run.place].before = divide;
        child(0, ONCE, false);
    }
    assert_string_equal(died, "");
    assert_int_equal(run.shared->verdict, SUCCEEDED);
    assert_int_equal(run.shared->calls, run.sites);
}

static void run_for_each(void)
{
    char died[100];

    for (refusal how = ONCE; how < REFUSAL_COUNT; how++)
        for (long k = run.first; k <= run.sites && is_tried(how); k += run.stride) {
            start_run(k, how, false, died, sizeof died);
            count(k, how, died);
        }
}

static void sweep(void)
{
    memset(run.board->tallies, 0, sizeof run.board->tallies);
    if (run.scenario->from_nothing)
        divide_at_each();
    else
        run_for_each();
    for (refusal how = ONCE; how < REFUSAL_COUNT; how++) {
        const tally *t = &run.board->tallies[how];
        if (!is_tried(how))
            continue;
        report(how, t);
        assert_int_equal(t->runs, (run.sites - run.first) / run.stride + 1);
        assert_int_equal(t->crashes + t->leaks + t->between + t->odd + t->void_faults + t->broken, 0);
        /* Few calls can be done without: the last ones of all, a cache of SQLite's. Lua heals "once". */
        if (how != ONCE || run.place == FAULT_MALLOC)
            assert_true(t->errors > t->successes);
    }
}

/* Read while nothing fails: a script that cannot be opened is no finding. */
static void read_script(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "tests/oom/%s.lua", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file >= 0 ? read(file, run.script, sizeof run.script - 1) : -1;
    assert_in_range(size, 1, sizeof run.script - 2);
    run.script[size] = '\0';
    close(file);
}

static void prepare(void)
{
    read_script(run.scenario->name);
    run.baseline = faults[FAULT_MALLOC].live;
    if (run.scenario->from_nothing)
        return;
    run.L = lua_newstate(faults_lua_alloc, NULL);
    assert_non_null(run.L);
    if (prepare_state(run.L) != LUA_OK)
        fail_msg("%s: %s", run.scenario->name, lua_tostring(run.L, -1));
}

/* Tables and first rows, made by the script itself in a process of its own. */
static void make_template(void)
{
    if (!run.scenario->has_rows)
        return;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char text[300] = "";
        remove_database(run.database);
        int status = call_script(run.L, "prepare");
        if (status != LUA_OK) {
            read_error(run.L, text, sizeof text);
            fprintf(stderr, "prepare: %s\n", text);
        }
        lua_close(run.L);
        copy_file(run.database, run.template);
        _exit(status);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

/* Which calls are refused: all of this process's, or some from a random first one. */
static void choose_calls(void)
{
    struct timespec now;
    bool full = getenv("HY_SCALE") != NULL && strcmp(getenv("HY_SCALE"), "full") == 0;
    long every = full || run.sites < OFTEN ? 1 : number_from("HY_OOM_STRIDE", OFTEN);

    clock_gettime(CLOCK_REALTIME, &now);
    long offset = number_from("HY_OOM_OFFSET", 1 + (now.tv_nsec / 1000 + getpid()) % every);
    run.stride = every * run.parts;
    run.first = (offset - 1) * run.parts + run.part;
    if (number_from("HY_OOM_K", 0) != 0) {
        run.first = number_from("HY_OOM_K", 0);
        run.stride = run.sites;
    }
    assert_in_range(run.first, 1, run.sites);
}

static void survives(void **state)
{
    (void)state;
    prepare();
    make_template();
    digest_before();
    undisturbed();
    digest_before();
    run.sites = count_sites();
    choose_calls();
    sweep();
    if (run.L != NULL)
        lua_close(run.L);
    run.L = NULL;
}

/* ---- the test itself can fail ------------------------------------------------------------------ */

static void a_leak_is_counted(void **state)
{
    (void)state;
    long before = faults[FAULT_MALLOC].live;
    sqlite3 *db = NULL;

    void *volatile kept = malloc(10);
    assert_int_equal(faults[FAULT_MALLOC].live, before + 1);
    free(kept);
    sqlite3_open(":memory:", &db);
    assert_true(faults[FAULT_MALLOC].live > before);
    sqlite3_close(db);
    sqlite3_shutdown();
    assert_int_equal(faults[FAULT_MALLOC].live, before);
}

static void a_call_is_refused(void **state)
{
    (void)state;
    faults_arm(FAULT_MALLOC, 2, 1);
    void *volatile first = malloc(10);
    void *volatile second = malloc(10);
    void *volatile third = malloc(10);
    faults_disarm();
    bool as_told = first != NULL && second == NULL && third != NULL;
    free(first);
    free(third);

    faults_arm(FAULT_MALLOC, 1, LONG_MAX);
    sqlite3 *db = NULL;
    int rc = sqlite3_open(":memory:", &db);
    faults_disarm();
    sqlite3_close(db);
    sqlite3_shutdown();

    assert_true(as_told);
    assert_int_equal(rc, SQLITE_NOMEM);
}

static void half_a_step_is_seen(void **state)
{
    (void)state;
    run.digests[0] = 10;
    run.digests[1] = 20;
    run.digests[2] = 30;
    run.n_digests = 3;

    assert_true(is_after_a_step(&(outcome){.steps = 0, .digest = 10}));
    assert_true(is_after_a_step(&(outcome){.steps = 1, .digest = 30}));
    assert_false(is_after_a_step(&(outcome){.steps = 0, .digest = 15}));
    assert_false(is_after_a_step(&(outcome){.steps = 1, .digest = 10})); /* a finished step is gone */
    assert_false(is_after_a_step(&(outcome){.steps = 0, .digest = 30})); /* one that was not begun */
}

static int set_up(void **state)
{
    const char *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL;
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : shm != NULL ? shm : "/tmp";

    (void)state;
    snprintf(run.folder, sizeof run.folder, "%.150s/hysteria-oom.XXXXXX", base);
    if (mkdtemp(run.folder) == NULL)
        return -1;
    snprintf(run.database, sizeof run.database, "%s/run.db", run.folder);
    snprintf(run.template, sizeof run.template, "%s/template.db", run.folder);
    run.board = mmap(NULL, sizeof *run.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    run.shared = &run.board->outcome;
    return run.board == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_database(run.database);
    remove_database(run.template);
    return rmdir(run.folder);
}

static bool choose(int argc, char **argv)
{
    run.part = argc == 5 ? strtol(argv[3], NULL, 10) : 1;
    run.parts = argc == 5 ? strtol(argv[4], NULL, 10) : 1;
    if ((argc != 3 && argc != 5) || run.part < 1 || run.part > run.parts)
        return false;
    run.place = strcmp(argv[1], "lua") == 0 ? FAULT_LUA : FAULT_MALLOC;
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(argv[2], scenarios[i].name) == 0)
            run.scenario = &scenarios[i];
    return run.scenario != NULL && strcmp(argv[1], refused_by[run.place]) == 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest of_itself[] = {
        cmocka_unit_test(a_leak_is_counted),
        cmocka_unit_test(a_call_is_refused),
        cmocka_unit_test(half_a_step_is_seen),
    };
    const struct CMUnitTest of_a_scenario[] = {cmocka_unit_test(survives)};

    setvbuf(stdout, NULL, _IOLBF, 4096);
    unsetenv("DATABASE_URL");
    if (argc == 2 && strcmp(argv[1], "itself") == 0)
        return cmocka_run_group_tests(of_itself, set_up, tear_down);
    if (choose(argc, argv))
        return cmocka_run_group_tests(of_a_scenario, set_up, tear_down);
    fprintf(stderr, "usage: test_oom itself | malloc SCENARIO [I N] | lua SCENARIO [I N]\n");
    return 2;
}
