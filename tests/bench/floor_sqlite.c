/*
 * floor_sqlite.c - what the same work costs when it is written by hand on sqlite3.
 *
 * Two floors in one program: `c` puts rows into structs, `lua` into Lua tables (right size,
 * keys kept on the stack, raw sets, one metatable). Both keep their statements. It knows
 * nothing of Hysteria: the statements and settings are Hysteria's, and run.lua compares the
 * texts, so that both sides ask SQLite for the same.
 *
 *   floor_sqlite c|lua DATABASE SCENARIO time WARM_UP SECONDS   -> operations, wall and CPU seconds
 *   floor_sqlite c|lua DATABASE SCENARIO ops N                  -> the same, exactly N (callgrind)
 *   floor_sqlite c|lua DATABASE SCENARIO check                  -> rows, checksum
 *   floor_sqlite c|lua DATABASE SCENARIO sql                    -> the statement
 *   floor_sqlite c|lua DATABASE memory                          -> rows, VmRSS, VmHWM (KiB)
 *   floor_sqlite c DATABASE empty                               -> empties the table that inserts fill
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <sqlite3.h>

enum {
    N_USERS = 10000,
    N_NEW = 1000,
    N_AT_ONCE = 100,
    N_VALUES = 7,
    PAGE = 50,
    PAGE_OFFSET = 100,
    PAGE_AGE = 18
};

/* Columns of the result, and where their keys stand on the Lua stack. */
enum {
    ID = 1,
    NAME,
    EMAIL,
    AGE,
    ACTIVE,
    SCORE,
    CREATED,
    PAYLOAD,
    N_COLUMNS = PAYLOAD,
    META,
    NEW_ROWS,
    LUA_TOP = NEW_ROWS
};
static const char *const keys[] = {
    [ID] = "id",         [NAME] = "name",   [EMAIL] = "email",       [AGE] = "age",
    [ACTIVE] = "active", [SCORE] = "score", [CREATED] = "createdAt", [PAYLOAD] = "payload"};

#define COLUMNS "\"id\", \"name\", \"email\", \"age\", \"active\", \"score\", \"created_at\", \"payload\""
#define NEW_COLUMNS "\"name\", \"email\", \"age\", \"active\", \"score\", \"created_at\", \"payload\""
#define NEW_VALUES "(?, ?, ?, ?, ?, ?, ?)"

enum {
    S_LOOKUP,
    S_ROWS,
    S_PAGE,
    S_BIG,
    S_INSERT,
    S_INSERT_MANY,
    S_INSERT_RETURNING,
    S_WRITTEN,
    S_BEGIN,
    S_COMMIT,
    N_STATEMENTS
};
static const char *const statements[N_STATEMENTS] = {
    [S_LOOKUP] = "SELECT " COLUMNS " FROM \"users\" WHERE \"id\" = ? LIMIT ?",
    [S_ROWS] = "SELECT " COLUMNS " FROM \"users\"",
    [S_PAGE] = "SELECT " COLUMNS
               " FROM \"users\" WHERE \"active\" = ? AND \"age\" > ? ORDER BY \"id\" DESC LIMIT ? OFFSET ?",
    [S_BIG] = "SELECT " COLUMNS " FROM \"big_users\"",
    [S_INSERT] = "INSERT INTO \"new_users\" (" NEW_COLUMNS ") VALUES " NEW_VALUES,
    [S_INSERT_RETURNING] =
        "INSERT INTO \"new_users\" (" NEW_COLUMNS ") VALUES " NEW_VALUES " RETURNING " COLUMNS,
    [S_WRITTEN] = "SELECT " COLUMNS " FROM \"new_users\" ORDER BY \"id\"",
    [S_BEGIN] = "BEGIN IMMEDIATE",
    [S_COMMIT] = "COMMIT",
};

typedef struct user {
    int64_t id, age;
    char *name, *email, *created, *payload;
    json_t *json;
    double score;
    bool active;
} user;

typedef struct block {
    struct block *next;
    char data[];
} block;

typedef struct floor_state {
    sqlite3 *db;
    lua_State *L; /* NULL: the `c` floor */
    sqlite3_stmt *kept[N_STATEMENTS];
    bool checking, decode;
    uint64_t sum;
    int64_t count, last_id;
    /* rows of the `c` floor: an array, and their text in big blocks */
    user *rows;
    size_t n_rows, room;
    block *blocks;
    char *at, *end;
    user *new_rows;
} floor_state;

static void die(floor_state *f, const char *what)
{
    fprintf(stderr, "floor_sqlite: %s: %s\n", what, f->db != NULL ? sqlite3_errmsg(f->db) : "failed");
    exit(1);
}

static void *need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "floor_sqlite: out of memory\n");
        exit(1);
    }
    return memory;
}

/* ---- structs ---------------------------------------------------------------------------- */

static char *keep_text(floor_state *f, const char *text, size_t size)
{
    enum { BLOCK = 1 << 18 };
    if (f->at == NULL || (size_t)(f->end - f->at) < size + 1) {
        size_t room = size + 1 > BLOCK ? size + 1 : BLOCK;
        block *b = need(malloc(sizeof *b + room));
        b->next = f->blocks;
        f->blocks = b;
        f->at = b->data;
        f->end = b->data + room;
    }
    char *copy = f->at;
    memcpy(copy, text, size);
    copy[size] = '\0';
    f->at += size + 1;
    return copy;
}

static char *text_column(floor_state *f, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column - 1);
    return keep_text(f, text, (size_t)sqlite3_column_bytes(s, column - 1));
}

static void add_struct(floor_state *f, sqlite3_stmt *s)
{
    if (f->n_rows == f->room) {
        f->room = f->room > 0 ? f->room * 2 : 64;
        f->rows = need(realloc(f->rows, f->room * sizeof *f->rows));
    }
    user *u = &f->rows[f->n_rows++];
    u->id = sqlite3_column_int64(s, ID - 1);
    u->name = text_column(f, s, NAME);
    u->email = text_column(f, s, EMAIL);
    u->age = sqlite3_column_int64(s, AGE - 1);
    u->active = sqlite3_column_int(s, ACTIVE - 1) != 0;
    u->score = sqlite3_column_double(s, SCORE - 1);
    u->created = text_column(f, s, CREATED);
    u->json = NULL;
    if (f->decode) {
        const char *text = (const char *)sqlite3_column_text(s, PAYLOAD - 1);
        u->payload = NULL;
        u->json = need(json_loadb(text, (size_t)sqlite3_column_bytes(s, PAYLOAD - 1), 0, NULL));
    } else {
        u->payload = text_column(f, s, PAYLOAD);
    }
}

static void drop_structs(floor_state *f)
{
    for (size_t i = 0; f->decode && i < f->n_rows; i++)
        json_decref(f->rows[i].json);
    while (f->blocks != NULL) {
        block *next = f->blocks->next;
        free(f->blocks);
        f->blocks = next;
    }
    free(f->rows);
    f->rows = NULL;
    f->n_rows = f->room = 0;
    f->at = f->end = NULL;
}

/* ---- Lua tables ------------------------------------------------------------------------- */

static void push_json(lua_State *L, const json_t *j)
{
    const char *key;
    json_t *value;

    switch (json_typeof(j)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(j));
        json_object_foreach((json_t *)(uintptr_t)j, key, value)
        {
            lua_pushstring(L, key);
            push_json(L, value);
            lua_rawset(L, -3);
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(j), 0);
        for (size_t i = 0; i < json_array_size(j); i++) {
            push_json(L, json_array_get(j, i));
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(j));
        break;
    default:
        lua_pushnil(L);
        break;
    }
}

static void push_text(lua_State *L, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column - 1);
    lua_pushlstring(L, text, (size_t)sqlite3_column_bytes(s, column - 1));
}

static void set_text(lua_State *L, sqlite3_stmt *s, int column)
{
    lua_pushvalue(L, column);
    push_text(L, s, column);
    lua_rawset(L, -3);
}

static void set_json(lua_State *L, sqlite3_stmt *s)
{
    const char *text = (const char *)sqlite3_column_text(s, PAYLOAD - 1);
    json_t *json = need(json_loadb(text, (size_t)sqlite3_column_bytes(s, PAYLOAD - 1), 0, NULL));
    lua_pushvalue(L, PAYLOAD);
    push_json(L, json);
    lua_rawset(L, -3);
    json_decref(json);
}

/* A new row table into the list below it. */
static void add_table(floor_state *f, sqlite3_stmt *s)
{
    lua_State *L = f->L;

    lua_createtable(L, 0, N_COLUMNS);
    lua_pushvalue(L, ID);
    lua_pushinteger(L, sqlite3_column_int64(s, ID - 1));
    lua_rawset(L, -3);
    set_text(L, s, NAME);
    set_text(L, s, EMAIL);
    lua_pushvalue(L, AGE);
    lua_pushinteger(L, sqlite3_column_int64(s, AGE - 1));
    lua_rawset(L, -3);
    lua_pushvalue(L, ACTIVE);
    lua_pushboolean(L, sqlite3_column_int(s, ACTIVE - 1));
    lua_rawset(L, -3);
    lua_pushvalue(L, SCORE);
    lua_pushnumber(L, sqlite3_column_double(s, SCORE - 1));
    lua_rawset(L, -3);
    set_text(L, s, CREATED);
    if (f->decode)
        set_json(L, s);
    else
        set_text(L, s, PAYLOAD);
    lua_pushvalue(L, META);
    lua_setmetatable(L, -2);
}

/* ---- checksums -------------------------------------------------------------------------- */

static void add_int(floor_state *f, int64_t v)
{
    f->sum = f->sum * 31 + (uint64_t)v;
}

static void add_text(floor_state *f, const char *text)
{
    for (; *text != '\0'; text++)
        add_int(f, (unsigned char)*text);
}

static int64_t hundredths(double score)
{
    return (int64_t)(score * 100 + 0.5);
}

/* What run.lua compares with Hysteria's: every field but the key, which inserts make anew. */
static void sum_struct(floor_state *f, const user *u)
{
    add_text(f, u->name);
    add_text(f, u->email);
    add_int(f, u->age);
    add_int(f, u->active);
    add_int(f, hundredths(u->score));
    add_text(f, u->created);
    if (f->decode) {
        add_text(f, json_string_value(json_object_get(u->json, "plan")));
        add_int(f, json_integer_value(json_object_get(u->json, "n")));
    } else {
        add_text(f, u->payload);
    }
}

static const char *text_field(lua_State *L, int key)
{
    lua_pushvalue(L, key);
    lua_rawget(L, LUA_TOP + 2);
    return lua_tostring(L, -1);
}

/* The row table at LUA_TOP + 2. */
static void sum_table(floor_state *f)
{
    lua_State *L = f->L;

    add_text(f, text_field(L, NAME));
    add_text(f, text_field(L, EMAIL));
    (void)text_field(L, ACTIVE);
    (void)text_field(L, SCORE);
    lua_getfield(L, LUA_TOP + 2, "age");
    add_int(f, lua_tointeger(L, -1));
    add_int(f, lua_toboolean(L, -3));
    add_int(f, hundredths(lua_tonumber(L, -2)));
    add_text(f, text_field(L, CREATED));
    if (f->decode) {
        lua_getfield(L, LUA_TOP + 2, "payload");
        lua_getfield(L, -1, "plan");
        add_text(f, lua_tostring(L, -1));
        lua_getfield(L, -2, "n");
        add_int(f, lua_tointeger(L, -1));
    } else {
        add_text(f, text_field(L, PAYLOAD));
    }
    lua_settop(L, LUA_TOP + 2);
}

static void sum_results(floor_state *f)
{
    if (f->L == NULL) {
        for (size_t i = 0; i < f->n_rows; i++)
            sum_struct(f, &f->rows[i]);
        f->count += (int64_t)f->n_rows;
        return;
    }
    size_t n = lua_rawlen(f->L, LUA_TOP + 1);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(f->L, LUA_TOP + 1, (lua_Integer)i);
        sum_table(f);
        lua_settop(f->L, LUA_TOP + 1);
    }
    f->count += (int64_t)n;
}

/* ---- running ---------------------------------------------------------------------------- */

static sqlite3_stmt *prepare(floor_state *f, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        die(f, sql);
    return s;
}

static sqlite3_stmt *statement(floor_state *f, int which)
{
    if (f->kept[which] == NULL)
        f->kept[which] = prepare(f, statements[which]);
    return f->kept[which];
}

static void run_plain(floor_state *f, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        die(f, "step");
    sqlite3_reset(s);
}

static void begin_results(floor_state *f)
{
    if (f->L != NULL)
        lua_createtable(f->L, 0, 0);
}

static void read_rows(floor_state *f, sqlite3_stmt *s)
{
    lua_Integer n = f->L != NULL ? (lua_Integer)lua_rawlen(f->L, LUA_TOP + 1) : 0;
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (f->L == NULL) {
            add_struct(f, s);
            continue;
        }
        add_table(f, s);
        lua_rawseti(f->L, LUA_TOP + 1, ++n);
    }
    if (rc != SQLITE_DONE)
        die(f, "step");
    sqlite3_reset(s);
}

static void drop_results(floor_state *f)
{
    if (f->L == NULL)
        drop_structs(f);
    else
        lua_settop(f->L, LUA_TOP);
}

static void run_query(floor_state *f, sqlite3_stmt *s)
{
    begin_results(f);
    read_rows(f, s);
    if (f->checking)
        sum_results(f);
    drop_results(f);
}

/* ---- scenarios -------------------------------------------------------------------------- */

static int64_t next_id(floor_state *f)
{
    f->last_id = (f->last_id + 7919) % N_USERS;
    return f->last_id + 1;
}

/* One row: no list around it. */
static void lookup(floor_state *f)
{
    sqlite3_stmt *s = statement(f, S_LOOKUP);

    sqlite3_bind_int64(s, 1, next_id(f));
    sqlite3_bind_int64(s, 2, 1);
    if (f->checking) {
        run_query(f, s);
        return;
    }
    if (sqlite3_step(s) != SQLITE_ROW)
        die(f, "lookup");
    if (f->L == NULL)
        add_struct(f, s);
    else
        add_table(f, s);
    sqlite3_reset(s);
    drop_results(f);
}

static void rows(floor_state *f)
{
    run_query(f, statement(f, S_ROWS));
}

static void json(floor_state *f)
{
    f->decode = true;
    run_query(f, statement(f, S_ROWS));
}

static void page(floor_state *f)
{
    sqlite3_stmt *s = statement(f, S_PAGE);

    sqlite3_bind_int(s, 1, 1);
    sqlite3_bind_int(s, 2, PAGE_AGE);
    sqlite3_bind_int(s, 3, PAGE);
    sqlite3_bind_int(s, 4, PAGE_OFFSET);
    run_query(f, s);
}

static void bind_text(sqlite3_stmt *s, int i, const char *text)
{
    sqlite3_bind_text(s, i, text, (int)strlen(text), SQLITE_STATIC);
}

static void bind_struct(sqlite3_stmt *s, int at, const user *u)
{
    bind_text(s, at + 1, u->name);
    bind_text(s, at + 2, u->email);
    sqlite3_bind_int64(s, at + 3, u->age);
    sqlite3_bind_int(s, at + 4, u->active);
    sqlite3_bind_double(s, at + 5, u->score);
    bind_text(s, at + 6, u->created);
    bind_text(s, at + 7, u->payload);
}

/* The row keeps its strings alive while they are bound. */
static void bind_field(lua_State *L, sqlite3_stmt *s, int i, int key)
{
    size_t size;

    lua_pushvalue(L, key);
    lua_rawget(L, -2);
    const char *text = lua_tolstring(L, -1, &size);
    sqlite3_bind_text(s, i, text, (int)size, SQLITE_STATIC);
    lua_pop(L, 1);
}

static void bind_table(lua_State *L, sqlite3_stmt *s, int at, int row)
{
    lua_rawgeti(L, NEW_ROWS, row + 1);
    bind_field(L, s, at + 1, NAME);
    bind_field(L, s, at + 2, EMAIL);
    lua_pushvalue(L, AGE);
    lua_rawget(L, -2);
    sqlite3_bind_int64(s, at + 3, lua_tointeger(L, -1));
    lua_pushvalue(L, ACTIVE);
    lua_rawget(L, -3);
    sqlite3_bind_int(s, at + 4, lua_toboolean(L, -1));
    lua_pushvalue(L, SCORE);
    lua_rawget(L, -4);
    sqlite3_bind_double(s, at + 5, lua_tonumber(L, -1));
    lua_pop(L, 3);
    bind_field(L, s, at + 6, CREATED);
    bind_field(L, s, at + 7, PAYLOAD);
    lua_pop(L, 1);
}

static void bind_row(floor_state *f, sqlite3_stmt *s, int at, int row)
{
    if (f->L != NULL)
        bind_table(f->L, s, at, row);
    else
        bind_struct(s, at, &f->new_rows[row]);
}

static void sum_written(floor_state *f)
{
    begin_results(f);
    read_rows(f, statement(f, S_WRITTEN));
    sum_results(f);
    drop_results(f);
}

/* One statement a row. */
static void insert_loop(floor_state *f)
{
    sqlite3_stmt *s = statement(f, S_INSERT);

    run_plain(f, statement(f, S_BEGIN));
    for (int i = 0; i < N_NEW; i++) {
        bind_row(f, s, 0, i);
        run_plain(f, s);
    }
    run_plain(f, statement(f, S_COMMIT));
    if (f->checking)
        sum_written(f);
}

static sqlite3_stmt *statement_of_many(floor_state *f)
{
    static char sql[sizeof "INSERT INTO \"new_users\" (" NEW_COLUMNS ") VALUES " +
                    N_AT_ONCE * sizeof ", " NEW_VALUES];
    int at;

    if (f->kept[S_INSERT_MANY] != NULL)
        return f->kept[S_INSERT_MANY];
    at = snprintf(sql, sizeof sql, "%s", statements[S_INSERT]);
    for (int i = 1; i < N_AT_ONCE; i++)
        at += snprintf(sql + at, sizeof sql - (size_t)at, ", " NEW_VALUES);
    f->kept[S_INSERT_MANY] = prepare(f, sql);
    return f->kept[S_INSERT_MANY];
}

/* One statement for every 100 rows. */
static void insert_values(floor_state *f)
{
    sqlite3_stmt *s = statement_of_many(f);

    run_plain(f, statement(f, S_BEGIN));
    for (int i = 0; i < N_NEW; i++) {
        bind_row(f, s, i % N_AT_ONCE * N_VALUES, i);
        if (i % N_AT_ONCE == N_AT_ONCE - 1)
            run_plain(f, s);
    }
    run_plain(f, statement(f, S_COMMIT));
    if (f->checking)
        sum_written(f);
}

/* One statement a row, each giving the row as it was stored. */
static void insert_returning(floor_state *f)
{
    sqlite3_stmt *s = statement(f, S_INSERT_RETURNING);

    begin_results(f);
    run_plain(f, statement(f, S_BEGIN));
    for (int i = 0; i < N_NEW; i++) {
        bind_row(f, s, 0, i);
        read_rows(f, s);
    }
    run_plain(f, statement(f, S_COMMIT));
    if (f->checking)
        sum_results(f);
    drop_results(f);
}

typedef struct scenario {
    const char *name;
    void (*run)(floor_state *f);
    int statement;
    int checks; /* how often a check runs it */
} scenario;

static const scenario scenarios[] = {
    {"lookup", lookup, S_LOOKUP, 1000},
    {"rows", rows, S_ROWS, 1},
    {"json", json, S_ROWS, 1},
    {"page", page, S_PAGE, 1},
    {"insert", insert_loop, S_INSERT, 1},
    {"insert100", insert_values, S_INSERT, 1},
    {"insert_returning", insert_returning, S_INSERT_RETURNING, 1},
};

static const scenario *find_scenario(const char *name)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    fprintf(stderr, "floor_sqlite: no scenario %s\n", name);
    exit(2);
}

/* ---- setting up ------------------------------------------------------------------------- */

/* The settings of Hysteria's connections. */
static void open_database(floor_state *f, const char *path)
{
    static const char settings[] =
        "PRAGMA journal_mode=wal; PRAGMA synchronous=normal; PRAGMA foreign_keys=on;"
        "PRAGMA case_sensitive_like=on";
    static const int off[] = {SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL,
                              SQLITE_DBCONFIG_TRUSTED_SCHEMA};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    if (sqlite3_open_v2(path, &f->db, flags, NULL) != SQLITE_OK)
        die(f, path);
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        sqlite3_db_config(f->db, off[i], 0, (int *)NULL);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    if (sqlite3_exec(f->db, settings, NULL, NULL, NULL) != SQLITE_OK)
        die(f, "settings");
}

static char *format(const char *pattern, int a, int b)
{
    char text[128];
    snprintf(text, sizeof text, pattern, a, b);
    return need(strdup(text));
}

/* The rows that inserts write; hysteria_bench.lua makes the same. */
static void make_new_rows(floor_state *f)
{
    f->new_rows = need(calloc(N_NEW, sizeof *f->new_rows));
    for (int i = 0; i < N_NEW; i++) {
        user *u = &f->new_rows[i];
        u->name = format("User Name %d", i + 1, 0);
        u->email = format("user%d@example.com", i + 1, 0);
        u->age = 16 + i % 60;
        u->active = i % 10 < 7;
        u->score = i * 37 % 100000 / 100.0;
        u->created = format("2024-%02d-%02d 12:30:45", 1 + i % 12, 1 + i % 28);
        u->payload = format("{\"plan\":\"pro\",\"tags\":[\"a%d\",\"b\"],\"n\":%d}", i % 7, i + 1);
    }
}

static void set_string(lua_State *L, int key, const char *text)
{
    lua_pushvalue(L, key);
    lua_pushstring(L, text);
    lua_rawset(L, -3);
}

/* Tables for new rows: what a program in Lua would hand over. */
static void push_new_rows(floor_state *f)
{
    lua_State *L = f->L;

    lua_createtable(L, N_NEW, 0);
    for (int i = 0; i < N_NEW; i++) {
        const user *u = &f->new_rows[i];
        lua_createtable(L, 0, N_VALUES);
        set_string(L, NAME, u->name);
        set_string(L, EMAIL, u->email);
        lua_pushinteger(L, u->age);
        lua_setfield(L, -2, keys[AGE]);
        lua_pushboolean(L, u->active);
        lua_setfield(L, -2, keys[ACTIVE]);
        lua_pushnumber(L, u->score);
        lua_setfield(L, -2, keys[SCORE]);
        set_string(L, CREATED, u->created);
        set_string(L, PAYLOAD, u->payload);
        lua_rawseti(L, -2, i + 1);
    }
}

static void open_lua(floor_state *f, bool with_new_rows)
{
    f->L = need(luaL_newstate());
    luaL_openlibs(f->L);
    luaL_checkstack(f->L, 64, NULL);
    for (int i = ID; i <= N_COLUMNS; i++)
        lua_pushstring(f->L, keys[i]);
    lua_createtable(f->L, 0, 1);
    lua_pushvalue(f->L, META);
    lua_setfield(f->L, META, "__index");
    if (with_new_rows)
        push_new_rows(f);
    else
        lua_pushnil(f->L);
}

/* ---- reports ---------------------------------------------------------------------------- */

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_ops(floor_state *f, const scenario *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        s->run(f);
}

/* Runs in steps that grow, so that looking at the clock costs nothing. */
static int64_t run_for(floor_state *f, const scenario *s, double wanted)
{
    double end = seconds(CLOCK_MONOTONIC) + wanted;
    int64_t done = 0;
    for (int64_t step = 1; seconds(CLOCK_MONOTONIC) < end; step = step < 64 ? step * 2 : step) {
        double before = seconds(CLOCK_MONOTONIC);
        run_ops(f, s, step);
        done += step;
        if ((seconds(CLOCK_MONOTONIC) - before) * 8 > wanted)
            step = 1;
    }
    return done;
}

static void report(floor_state *f, const scenario *s, double warm_up, double wanted, int64_t n)
{
    if (n == 0)
        (void)run_for(f, s, warm_up);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (n > 0)
        run_ops(f, s, n);
    else
        n = run_for(f, s, wanted);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    printf("%" PRId64 " %.9f %.9f\n", n, wall, cpu);
}

static void check(floor_state *f, const scenario *s)
{
    f->checking = true;
    run_ops(f, s, s->checks);
    printf("%" PRId64 " %" PRId64 "\n", f->count, (int64_t)f->sum);
}

static long status_kib(const char *name)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && kib < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtol(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    return kib;
}

static void memory(floor_state *f)
{
    begin_results(f);
    read_rows(f, statement(f, S_BIG));
    printf("%zu %ld %ld\n", f->L != NULL ? (size_t)lua_rawlen(f->L, LUA_TOP + 1) : f->n_rows,
           status_kib("VmRSS:"), status_kib("VmHWM:"));
}

static void empty(floor_state *f)
{
    static const char sql[] = "DELETE FROM \"new_users\"; PRAGMA wal_checkpoint(truncate)";
    if (sqlite3_exec(f->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(f, "empty");
}

int main(int argc, char **argv)
{
    floor_state f = {0};

    if (argc < 4) {
        fprintf(stderr, "usage: see the top of floor_sqlite.c\n");
        return 2;
    }
    open_database(&f, argv[2]);
    bool inserts = strncmp(argv[3], "insert", 6) == 0;
    if (inserts)
        make_new_rows(&f);
    if (strcmp(argv[1], "lua") == 0)
        open_lua(&f, inserts);
    if (strcmp(argv[3], "memory") == 0)
        memory(&f);
    else if (strcmp(argv[3], "empty") == 0)
        empty(&f);
    else if (argc == 5 && strcmp(argv[4], "check") == 0)
        check(&f, find_scenario(argv[3]));
    else if (argc == 5 && strcmp(argv[4], "sql") == 0)
        printf("%s\n", statements[find_scenario(argv[3])->statement]);
    else if (argc == 6 && strcmp(argv[4], "ops") == 0)
        report(&f, find_scenario(argv[3]), 0, 0, strtoll(argv[5], NULL, 10));
    else if (argc == 7 && strcmp(argv[4], "time") == 0)
        report(&f, find_scenario(argv[3]), strtod(argv[5], NULL), strtod(argv[6], NULL), 0);
    else
        return 2;
    return 0;
}
