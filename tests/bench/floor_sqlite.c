/*
 * floor_sqlite.c - the floors on sqlite3: statements and settings are Hysteria's (run.lua
 * compares the texts), each statement is kept. See floor.h for the rest.
 */
#include "floor.h"

#include <sqlite3.h>
#include <stdio.h>

enum { N_AT_ONCE = 100 };

#define COLUMNS "\"id\", \"name\", \"email\", \"age\", \"active\", \"score\", \"created_at\", \"payload\""
#define NEW_COLUMNS "\"name\", \"email\", \"age\", \"active\", \"score\", \"created_at\", \"payload\""
#define INSERT "INSERT INTO \"new_users\" (" NEW_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)"

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
    [S_INSERT] = INSERT,
    [S_INSERT_RETURNING] = INSERT " RETURNING " COLUMNS,
    [S_WRITTEN] = "SELECT " COLUMNS " FROM \"new_users\" ORDER BY \"id\"",
    [S_BEGIN] = "BEGIN IMMEDIATE",
    [S_COMMIT] = "COMMIT",
};

static sqlite3 *db;
static sqlite3_stmt *kept[N_STATEMENTS];

static _Noreturn void die(const char *what)
{
    floor_die(what, db != NULL ? sqlite3_errmsg(db) : "failed");
}

/* ---- running ---------------------------------------------------------------------------- */

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *s;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        die(sql);
    return s;
}

static sqlite3_stmt *statement(int which)
{
    if (kept[which] == NULL)
        kept[which] = prepare(statements[which]);
    return kept[which];
}

static void run_plain(sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        die("step");
    sqlite3_reset(s);
}

static floor_text text_column(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return (floor_text){text, (size_t)sqlite3_column_bytes(s, column)};
}

static void read_row(sqlite3_stmt *s, floor_row *row)
{
    row->id = sqlite3_column_int64(s, 0);
    row->name = text_column(s, 1);
    row->email = text_column(s, 2);
    row->age = sqlite3_column_int64(s, 3);
    row->active = sqlite3_column_int(s, 4) != 0;
    row->score = sqlite3_column_double(s, 5);
    row->created = text_column(s, 6);
    row->payload = text_column(s, 7);
}

static void add_rows(floor_state *f, sqlite3_stmt *s)
{
    floor_row row = {0};
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        read_row(s, &row);
        floor_add(f, &row);
    }
    if (rc != SQLITE_DONE)
        die("step");
    sqlite3_reset(s);
}

static void run_query(floor_state *f, sqlite3_stmt *s)
{
    floor_begin(f);
    add_rows(f, s);
    floor_end(f);
}

/* ---- scenarios -------------------------------------------------------------------------- */

static void lookup(floor_state *f)
{
    sqlite3_stmt *s = statement(S_LOOKUP);
    floor_row row = {0};

    sqlite3_bind_int64(s, 1, floor_next_id(f));
    sqlite3_bind_int64(s, 2, 1);
    if (sqlite3_step(s) != SQLITE_ROW)
        die("lookup");
    read_row(s, &row);
    floor_only(f, &row);
    sqlite3_reset(s);
}

static void rows(floor_state *f)
{
    run_query(f, statement(S_ROWS));
}

static void json(floor_state *f)
{
    f->decode = true;
    run_query(f, statement(S_ROWS));
}

static void page(floor_state *f)
{
    sqlite3_stmt *s = statement(S_PAGE);

    sqlite3_bind_int(s, 1, 1);
    sqlite3_bind_int(s, 2, PAGE_AGE);
    sqlite3_bind_int(s, 3, PAGE);
    sqlite3_bind_int(s, 4, PAGE_OFFSET);
    run_query(f, s);
}

static void bind_text(sqlite3_stmt *s, int i, floor_text text)
{
    sqlite3_bind_text(s, i, text.data, (int)text.size, SQLITE_STATIC);
}

static void bind_row(floor_state *f, sqlite3_stmt *s, int at, int index)
{
    floor_row u;

    floor_new_row(f, index, &u);
    bind_text(s, at + 1, u.name);
    bind_text(s, at + 2, u.email);
    sqlite3_bind_int64(s, at + 3, u.age);
    sqlite3_bind_int(s, at + 4, u.active);
    sqlite3_bind_double(s, at + 5, u.score);
    bind_text(s, at + 6, u.created);
    bind_text(s, at + 7, u.payload);
}

static void sum_written(floor_state *f)
{
    if (f->checking)
        run_query(f, statement(S_WRITTEN));
}

/* One statement a row. */
static void insert_loop(floor_state *f)
{
    sqlite3_stmt *s = statement(S_INSERT);

    run_plain(statement(S_BEGIN));
    for (int i = 0; i < N_NEW; i++) {
        bind_row(f, s, 0, i);
        run_plain(s);
    }
    run_plain(statement(S_COMMIT));
    sum_written(f);
}

static sqlite3_stmt *insert_many(void)
{
    static char sql[sizeof INSERT + N_AT_ONCE * sizeof ", (?, ?, ?, ?, ?, ?, ?)"];

    if (kept[S_INSERT_MANY] != NULL)
        return kept[S_INSERT_MANY];
    int size = snprintf(sql, sizeof sql, "%s", INSERT);
    for (int i = 1; i < N_AT_ONCE; i++)
        size += snprintf(sql + size, sizeof sql - (size_t)size, "%s", ", (?, ?, ?, ?, ?, ?, ?)");
    kept[S_INSERT_MANY] = prepare(sql);
    return kept[S_INSERT_MANY];
}

/* A hundred rows a statement. */
static void insert_values(floor_state *f)
{
    sqlite3_stmt *s = insert_many();

    run_plain(statement(S_BEGIN));
    for (int i = 0; i < N_NEW; i++) {
        bind_row(f, s, i % N_AT_ONCE * N_VALUES, i);
        if (i % N_AT_ONCE == N_AT_ONCE - 1)
            run_plain(s);
    }
    run_plain(statement(S_COMMIT));
    sum_written(f);
}

/* One statement a row, each giving the row as it was stored. */
static void insert_returning(floor_state *f)
{
    sqlite3_stmt *s = statement(S_INSERT_RETURNING);

    floor_begin(f);
    run_plain(statement(S_BEGIN));
    for (int i = 0; i < N_NEW; i++) {
        bind_row(f, s, 0, i);
        add_rows(f, s);
    }
    run_plain(statement(S_COMMIT));
    floor_end(f);
}

/* ---- the client ------------------------------------------------------------------------- */

/* The settings of Hysteria's connections. */
static void open_database(floor_state *f, const char *path)
{
    static const char settings[] =
        "PRAGMA journal_mode=wal; PRAGMA synchronous=normal; PRAGMA foreign_keys=on;"
        "PRAGMA case_sensitive_like=on";
    static const int off[] = {SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL,
                              SQLITE_DBCONFIG_TRUSTED_SCHEMA};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    (void)f;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK)
        die(path);
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        sqlite3_db_config(db, off[i], 0, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    if (sqlite3_exec(db, settings, NULL, NULL, NULL) != SQLITE_OK)
        die("settings");
}

static void read_big(floor_state *f)
{
    add_rows(f, statement(S_BIG));
}

static void empty(floor_state *f)
{
    static const char sql[] = "DELETE FROM \"new_users\"; PRAGMA wal_checkpoint(truncate)";

    (void)f;
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die("empty");
}

int main(int argc, char **argv)
{
    const floor_scenario scenarios[] = {
        {"lookup", lookup, statements[S_LOOKUP], 1000},
        {"rows", rows, statements[S_ROWS], 1},
        {"json", json, statements[S_ROWS], 1},
        {"page", page, statements[S_PAGE], 1},
        {"insert", insert_loop, statements[S_INSERT], 1},
        {"insert100", insert_values, statements[S_INSERT], 1},
        {"insert_returning", insert_returning, statements[S_INSERT_RETURNING], 1},
    };
    const floor_client client = {
        .name = "floor_sqlite",
        .open = open_database,
        .read_big = read_big,
        .empty = empty,
        .scenarios = scenarios,
        .n_scenarios = sizeof scenarios / sizeof scenarios[0],
    };

    return floor_main(&client, argc, argv);
}
