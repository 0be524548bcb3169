/*
 * floor.c - see floor.h. Rows into structs and tables, checksums, clock, command line.
 */
#include "floor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lualib.h>

/* Where things stand on the Lua stack. */
enum { ID = 1, NAME, EMAIL, AGE, ACTIVE, SCORE, CREATED, PAYLOAD, META, NEW_ROWS, LUA_TOP = NEW_ROWS, LIST };

static const char *const keys[] = {
    [ID] = "id",         [NAME] = "name",   [EMAIL] = "email",       [AGE] = "age",
    [ACTIVE] = "active", [SCORE] = "score", [CREATED] = "createdAt", [PAYLOAD] = "payload"};

typedef struct floor_block {
    struct floor_block *next;
    char data[];
} floor_block;

static const char *program = "floor";

_Noreturn void floor_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program, what, why);
    exit(1);
}

void *floor_need(void *memory)
{
    if (memory == NULL)
        floor_die("memory", "there is none left");
    return memory;
}

/* ---- structs ---------------------------------------------------------------------------- */

static char *keep_text(floor_state *f, floor_text text)
{
    enum { BLOCK = 1 << 18 };
    if (f->at == NULL || (size_t)(f->end - f->at) < text.size + 1) {
        size_t room = text.size + 1 > BLOCK ? text.size + 1 : BLOCK;
        floor_block *b = floor_need(malloc(sizeof *b + room));
        b->next = f->blocks;
        f->blocks = b;
        f->at = b->data;
        f->end = b->data + room;
    }
    char *copy = f->at;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    f->at += text.size + 1;
    return copy;
}

static json_t *read_json(floor_text text)
{
    return floor_need(json_loadb(text.data, text.size, 0, NULL));
}

static void add_struct(floor_state *f, const floor_row *row)
{
    if (f->n_rows == f->room) {
        f->room = f->room > 0 ? f->room * 2 : 64;
        f->rows = floor_need(realloc(f->rows, f->room * sizeof *f->rows));
    }
    user *u = &f->rows[f->n_rows++];
    u->id = row->id;
    u->name = keep_text(f, row->name);
    u->email = keep_text(f, row->email);
    u->age = row->age;
    u->active = row->active;
    u->score = row->score;
    u->created = row->created.data != NULL ? keep_text(f, row->created) : NULL;
    u->created_at = row->created_at;
    u->json = f->decode ? read_json(row->payload) : NULL;
    u->payload = f->decode ? NULL : keep_text(f, row->payload);
}

static void drop_structs(floor_state *f)
{
    for (size_t i = 0; f->decode && i < f->n_rows; i++)
        json_decref(f->rows[i].json);
    while (f->blocks != NULL) {
        floor_block *next = f->blocks->next;
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

static void set_text(lua_State *L, int key, floor_text text)
{
    lua_pushvalue(L, key);
    lua_pushlstring(L, text.data, text.size);
    lua_rawset(L, -3);
}

static void set_integer(lua_State *L, int key, int64_t number)
{
    lua_pushvalue(L, key);
    lua_pushinteger(L, number);
    lua_rawset(L, -3);
}

static void set_json(lua_State *L, floor_text text)
{
    json_t *json = read_json(text);

    lua_pushvalue(L, PAYLOAD);
    push_json(L, json);
    lua_rawset(L, -3);
    json_decref(json);
}

static void push_table(floor_state *f, const floor_row *row)
{
    lua_State *L = f->L;

    lua_createtable(L, 0, N_COLUMNS);
    set_integer(L, ID, row->id);
    set_text(L, NAME, row->name);
    set_text(L, EMAIL, row->email);
    set_integer(L, AGE, row->age);
    lua_pushvalue(L, ACTIVE);
    lua_pushboolean(L, row->active);
    lua_rawset(L, -3);
    lua_pushvalue(L, SCORE);
    lua_pushnumber(L, row->score);
    lua_rawset(L, -3);
    set_text(L, CREATED, row->created);
    if (f->decode)
        set_json(L, row->payload);
    else
        set_text(L, PAYLOAD, row->payload);
    lua_pushvalue(L, META);
    lua_setmetatable(L, -2);
}

/* ---- checksums -------------------------------------------------------------------------- */

static void sum_int(floor_state *f, int64_t v)
{
    f->sum = f->sum * 31 + (uint64_t)v;
}

static void sum_text(floor_state *f, const char *text)
{
    for (; *text != '\0'; text++)
        sum_int(f, (unsigned char)*text);
}

static int64_t hundredths(double score)
{
    return (int64_t)(score * 100 + 0.5);
}

/* What run.lua compares with Hysteria's: every field but the key, which inserts make anew. */
static void sum_struct(floor_state *f, const user *u)
{
    sum_text(f, u->name);
    sum_text(f, u->email);
    sum_int(f, u->age);
    sum_int(f, u->active);
    sum_int(f, hundredths(u->score));
    sum_text(f, u->created);
    if (f->decode) {
        sum_text(f, json_string_value(json_object_get(u->json, "plan")));
        sum_int(f, json_integer_value(json_object_get(u->json, "n")));
    } else {
        sum_text(f, u->payload);
    }
}

static void sum_document(floor_state *f)
{
    lua_State *L = f->L;

    lua_getfield(L, -1, "plan");
    sum_text(f, lua_tostring(L, -1));
    lua_getfield(L, -2, "n");
    sum_int(f, lua_tointeger(L, -1));
}

/* The row table on top of the stack. */
static void sum_table(floor_state *f)
{
    lua_State *L = f->L;
    int row = lua_gettop(L);

    for (int key = ID; key <= PAYLOAD; key++)
        lua_getfield(L, row, keys[key]);
    sum_text(f, lua_tostring(L, row + NAME));
    sum_text(f, lua_tostring(L, row + EMAIL));
    sum_int(f, lua_tointeger(L, row + AGE));
    sum_int(f, lua_toboolean(L, row + ACTIVE));
    sum_int(f, hundredths(lua_tonumber(L, row + SCORE)));
    sum_text(f, lua_tostring(L, row + CREATED));
    if (f->decode)
        sum_document(f);
    else
        sum_text(f, lua_tostring(L, row + PAYLOAD));
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const user *)a)->id, y = ((const user *)b)->id;
    return x < y ? -1 : x > y;
}

static void sum_results(floor_state *f)
{
    if (f->unordered && f->n_rows > 0)
        qsort(f->rows, f->n_rows, sizeof *f->rows, by_id);
    for (size_t i = 0; i < f->n_rows; i++)
        sum_struct(f, &f->rows[i]);
    for (int64_t i = 1; f->L != NULL && i <= f->n_listed; i++) {
        lua_rawgeti(f->L, LIST, (lua_Integer)i);
        sum_table(f);
        lua_settop(f->L, LIST);
    }
    f->count += (int64_t)f->n_rows + f->n_listed;
}

/* ---- results ---------------------------------------------------------------------------- */

void floor_begin(floor_state *f)
{
    f->n_listed = 0;
    if (f->L != NULL)
        lua_createtable(f->L, 0, 0);
}

void floor_add(floor_state *f, const floor_row *row)
{
    if (f->L == NULL) {
        add_struct(f, row);
        return;
    }
    push_table(f, row);
    lua_rawseti(f->L, LIST, (lua_Integer)++f->n_listed);
}

static void drop_results(floor_state *f)
{
    if (f->L == NULL)
        drop_structs(f);
    else
        lua_settop(f->L, LUA_TOP);
}

void floor_end(floor_state *f)
{
    if (f->checking)
        sum_results(f);
    drop_results(f);
}

void floor_only(floor_state *f, const floor_row *row)
{
    if (f->checking) {
        floor_begin(f);
        floor_add(f, row);
        floor_end(f);
        return;
    }
    if (f->L == NULL)
        add_struct(f, row);
    else
        push_table(f, row);
    drop_results(f);
}

void floor_any(floor_state *f, const floor_row *row)
{
    f->unordered = f->checking;
    if (f->checking)
        floor_add(f, row);
    else
        floor_only(f, row);
}

int64_t floor_next_id(floor_state *f)
{
    f->last_id = (f->last_id + 7919) % N_USERS;
    return f->last_id + 1;
}

static void put_two(char *at, int n)
{
    at[0] = (char)('0' + n / 10);
    at[1] = (char)('0' + n % 10);
}

void floor_put_moment(char *at, int year, int month, int day, int hour, int minute, int second)
{
    put_two(at, year / 100);
    put_two(at + 2, year % 100);
    at[4] = at[7] = '-';
    put_two(at + 5, month);
    put_two(at + 8, day);
    at[10] = ' ';
    put_two(at + 11, hour);
    at[13] = at[16] = ':';
    put_two(at + 14, minute);
    put_two(at + 17, second);
}

/* ---- new rows --------------------------------------------------------------------------- */

static floor_text format(const char *pattern, int a, int b)
{
    char text[128];

    (void)snprintf(text, sizeof text, pattern, a, b);
    char *copy = floor_need(strdup(text));
    return (floor_text){copy, strlen(copy)};
}

/* The rows that inserts write; hysteria_bench.lua makes the same. */
static void make_new_rows(floor_state *f)
{
    f->new_rows = floor_need(calloc(N_NEW, sizeof *f->new_rows));
    for (int i = 0; i < N_NEW; i++) {
        floor_row *u = &f->new_rows[i];
        u->name = format("User Name %d", i + 1, 0);
        u->email = format("user%d@example.com", i + 1, 0);
        u->age = 16 + i % 60;
        u->active = i % 10 < 7;
        u->score = i * 37 % 100000 / 100.0;
        u->created = format("2024-%02d-%02d 12:30:45", 1 + i % 12, 1 + i % 28);
        u->payload = format("{\"plan\":\"pro\",\"tags\":[\"a%d\",\"b\"],\"n\":%d}", i % 7, i + 1);
    }
}

/* Tables for new rows: what a program in Lua would hand over. */
static void push_new_rows(floor_state *f)
{
    lua_State *L = f->L;

    lua_createtable(L, N_NEW, 0);
    for (int i = 0; i < N_NEW; i++) {
        const floor_row *u = &f->new_rows[i];
        lua_createtable(L, 0, N_VALUES);
        set_text(L, NAME, u->name);
        set_text(L, EMAIL, u->email);
        set_integer(L, AGE, u->age);
        lua_pushboolean(L, u->active);
        lua_setfield(L, -2, keys[ACTIVE]);
        lua_pushnumber(L, u->score);
        lua_setfield(L, -2, keys[SCORE]);
        set_text(L, CREATED, u->created);
        set_text(L, PAYLOAD, u->payload);
        lua_rawseti(L, -2, i + 1);
    }
}

/* Push a field of the row below the fields that were pushed before. */
static void push_field(lua_State *L, int key, int row)
{
    lua_pushvalue(L, key);
    lua_rawget(L, row);
}

static floor_text text_field(lua_State *L, int key, int row)
{
    floor_text text;

    push_field(L, key, row);
    text.data = lua_tolstring(L, -1, &text.size);
    return text; /* the row keeps it alive */
}

static void read_table(lua_State *L, int index, floor_row *out)
{
    lua_rawgeti(L, NEW_ROWS, index + 1);
    int row = lua_gettop(L);
    out->name = text_field(L, NAME, row);
    out->email = text_field(L, EMAIL, row);
    push_field(L, AGE, row);
    out->age = lua_tointeger(L, -1);
    push_field(L, ACTIVE, row);
    out->active = lua_toboolean(L, -1);
    push_field(L, SCORE, row);
    out->score = lua_tonumber(L, -1);
    out->created = text_field(L, CREATED, row);
    out->payload = text_field(L, PAYLOAD, row);
    lua_settop(L, row - 1);
}

void floor_new_row(floor_state *f, int index, floor_row *out)
{
    if (f->L == NULL)
        *out = f->new_rows[index];
    else
        read_table(f->L, index, out);
}

static void open_lua(floor_state *f)
{
    f->L = floor_need(luaL_newstate());
    luaL_openlibs(f->L);
    luaL_checkstack(f->L, 64, NULL);
    for (int i = ID; i <= PAYLOAD; i++)
        lua_pushstring(f->L, keys[i]);
    lua_createtable(f->L, 0, 1);
    lua_pushvalue(f->L, META);
    lua_setfield(f->L, META, "__index");
    if (f->new_rows != NULL)
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

static void run_ops(floor_state *f, const floor_scenario *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        s->run(f);
}

/* Runs in steps that grow, so that looking at the clock costs nothing. */
static int64_t run_for(floor_state *f, const floor_scenario *s, double wanted)
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

static void report(floor_state *f, const floor_scenario *s, double warm_up, double wanted, int64_t n)
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

static void check(floor_state *f, const floor_scenario *s)
{
    f->checking = f->wants_dates = true;
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
    floor_begin(f);
    f->client->read_big(f);
    printf("%" PRId64 " %ld %ld\n", (int64_t)f->n_rows + f->n_listed, status_kib("VmRSS:"),
           status_kib("VmHWM:"));
}

/* ---- command line ----------------------------------------------------------------------- */

static const floor_scenario *find_scenario(const floor_client *client, const char *name)
{
    for (size_t i = 0; i < client->n_scenarios; i++)
        if (strcmp(client->scenarios[i].name, name) == 0)
            return &client->scenarios[i];
    floor_die("no such scenario", name);
}

static int run_scenario(floor_state *f, const floor_scenario *s, int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[4], "check") == 0)
        check(f, s);
    else if (argc == 5 && strcmp(argv[4], "sql") == 0)
        printf("%s\n", s->sql);
    else if (argc == 6 && strcmp(argv[4], "ops") == 0)
        report(f, s, 0, 0, strtoll(argv[5], NULL, 10));
    else if (argc == 7 && strcmp(argv[4], "time") == 0)
        report(f, s, strtod(argv[5], NULL), strtod(argv[6], NULL), 0);
    else
        return 2;
    return 0;
}

int floor_main(const floor_client *client, int argc, char **argv)
{
    floor_state f = {.client = client};

    program = client->name;
    if (argc < 4) {
        fprintf(stderr, "usage: see the top of floor.h\n");
        return 2;
    }
    if (strncmp(argv[3], "insert", 6) == 0)
        make_new_rows(&f);
    if (strcmp(argv[1], "lua") == 0)
        open_lua(&f);
    f.wants_dates = f.L != NULL;
    client->open(&f, argv[2]);
    if (strcmp(argv[3], "memory") == 0)
        memory(&f);
    else if (strcmp(argv[3], "empty") == 0)
        client->empty(&f);
    else
        return run_scenario(&f, find_scenario(client, argv[3]), argc, argv);
    return 0;
}
