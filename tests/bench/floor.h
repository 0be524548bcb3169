/*
 * floor.h - what the floors share: one program a client library, the same work by hand.
 *
 * Two floors in each program: `c` puts rows into structs, `lua` into Lua tables (right size,
 * keys kept on the stack, raw sets, one metatable). A floor's own file holds its statements,
 * how they run, and its scenarios; here are the rows, the tables, the checksums that are
 * compared with Hysteria's, and the clock. Nothing of Hysteria is known.
 *
 *   floor_X c|lua WHERE SCENARIO time WARM_UP SECONDS   -> operations, wall and CPU seconds
 *   floor_X c|lua WHERE SCENARIO ops N                  -> the same, exactly N (callgrind)
 *   floor_X c|lua WHERE SCENARIO check                  -> rows, checksum
 *   floor_X c|lua WHERE SCENARIO sql                    -> the statement
 *   floor_X c|lua WHERE memory                          -> rows, VmRSS, VmHWM (KiB)
 *   floor_X c WHERE empty                               -> empties the table that inserts fill
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <lua.h>

enum {
    N_USERS = 10000,
    N_NEW = 1000,
    N_VALUES = 7, /* columns of a new row: all but the key */
    N_COLUMNS = 8,
    PAGE = 50,
    PAGE_OFFSET = 100,
    PAGE_AGE = 18,
    MOMENT_SIZE = 19 /* "2024-01-31 12:30:45" */
};

typedef struct floor_text {
    const char *data;
    size_t size;
} floor_text;

/* A row as the client library gives it, or takes it. Text is borrowed. */
typedef struct floor_row {
    int64_t id, age;
    floor_text name, email, payload;
    floor_text created; /* needed where f->wants_dates */
    int64_t created_at; /* in whatever form the library has, where it has one */
    double score;
    bool active;
} floor_row;

typedef struct floor_state floor_state;

typedef struct floor_scenario {
    const char *name;
    void (*run)(floor_state *f);
    const char *sql;
    int checks; /* how often a check runs it */
} floor_scenario;

typedef struct floor_client {
    const char *name;
    void (*open)(floor_state *f, const char *where);
    void (*read_big)(floor_state *f); /* adds all rows of big_users */
    void (*empty)(floor_state *f);
    const floor_scenario *scenarios;
    size_t n_scenarios;
} floor_client;

typedef struct user {
    int64_t id, age;
    char *name, *email, *created, *payload;
    int64_t created_at;
    json_t *json;
    double score;
    bool active;
} user;

struct floor_state {
    const floor_client *client;
    lua_State *L; /* NULL: the `c` floor */
    bool checking, decode;
    bool wants_dates; /* as text: tables have them so */
    bool unordered;   /* structs come in any order */
    uint64_t sum;
    int64_t count, last_id, n_listed;
    /* rows of the `c` floor: an array, and their text in big blocks */
    user *rows;
    size_t n_rows, room;
    struct floor_block *blocks;
    char *at, *end;
    floor_row *new_rows;
};

_Noreturn void floor_die(const char *what, const char *why);
void *floor_need(void *memory);

/* A list of rows: begin, add each, end; the end sums up when checking, and drops them. */
void floor_begin(floor_state *f);
void floor_add(floor_state *f, const floor_row *row);
void floor_end(floor_state *f);
/* One row with no list around it, dropped at once; when checking, a list of one. */
void floor_only(floor_state *f, const floor_row *row);
/* The same for rows that come in any order, structs only; floor_end() after the last. */
void floor_any(floor_state *f, const floor_row *row);

int64_t floor_next_id(floor_state *f);
/* The row at `index` that an insert writes; of the `lua` floor read from its table. */
void floor_new_row(floor_state *f, int index, floor_row *out);
/* Into MOMENT_SIZE bytes. */
void floor_put_moment(char *at, int year, int month, int day, int hour, int minute, int second);

int floor_main(const floor_client *client, int argc, char **argv);

#endif
