/*
 * floor_postgres.c - the floors on libpq: statements prepared once, values and results binary,
 * blocking calls; inserts as VALUES of 250 rows or as one unnest() of arrays; `async` is ten
 * connections and one poll(). Statements are Hysteria's (run.lua compares the texts). See
 * floor.h for the rest.
 */
#include "floor.h"

#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_AT_ONCE = 250, N_PARAMS = N_AT_ONCE * N_VALUES, N_CONNECTIONS = 10, N_ASYNC = 1000 };

/* Numbers of types. */
enum { BOOL = 16, INT4 = 23, TEXT = 25, FLOAT8 = 701, TIMESTAMP = 1114 };

#define COLUMNS "\"id\", \"name\", \"email\", \"age\", \"active\", \"score\", \"created_at\", \"payload\""
#define NEW_COLUMNS "\"name\", \"email\", \"age\", \"active\", \"score\", \"created_at\", \"payload\""
#define INSERT "INSERT INTO \"new_users\" (" NEW_COLUMNS ") VALUES "
#define ONE_ROW "($1, $2, $3, $4, $5, $6, $7)"
#define RETURNING " RETURNING " COLUMNS
#define LOOKUP "SELECT " COLUMNS " FROM \"users\" WHERE \"id\" = $1 LIMIT $2"
#define ROWS "SELECT " COLUMNS " FROM \"users\""
#define PAGE_ROWS                                                                                   \
    "SELECT " COLUMNS " FROM \"users\" WHERE \"active\" = $1 AND \"age\" > $2 ORDER BY \"id\" DESC" \
    " LIMIT $3 OFFSET $4"
#define UNNEST                                                                                             \
    "INSERT INTO \"new_users\" (" NEW_COLUMNS ") SELECT * FROM unnest($1::text[], $2::text[], $3::int4[]," \
    " $4::bool[], $5::float8[], $6::timestamp[], $7::text[])"

static PGconn *pg;

static _Noreturn void die(const char *what)
{
    floor_die(what, PQerrorMessage(pg));
}

static PGresult *fine(PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die("result");
    return result;
}

/* ---- values ----------------------------------------------------------------------------- */

static int64_t get_int(const char *data, int size)
{
    uint64_t wide;
    uint32_t narrow;

    if (size == 8) {
        memcpy(&wide, data, sizeof wide);
        return (int64_t)be64toh(wide);
    }
    memcpy(&narrow, data, sizeof narrow);
    return (int32_t)be32toh(narrow);
}

static char *put4(char *at, int32_t n)
{
    uint32_t wire = htobe32((uint32_t)n);

    memcpy(at, &wire, sizeof wire);
    return at + sizeof wire;
}

static char *put8(char *at, uint64_t n)
{
    uint64_t wire = htobe64(n);

    memcpy(at, &wire, sizeof wire);
    return at + sizeof wire;
}

static uint64_t bits_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* Microseconds since 2000-01-01 as text; days to a date as in most libraries. */
static void put_date(char *at, int64_t micros)
{
    int64_t seconds = micros / 1000000, days = seconds / 86400 + 730425;
    int rest = (int)(seconds % 86400);
    int era = (int)(days / 146097), doe = (int)(days % 146097);
    int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = mp < 10 ? mp + 3 : mp - 9;

    floor_put_moment(at, yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) / 5 + 1, rest / 3600,
                     rest / 60 % 60, rest % 60);
}

static floor_text text_cell(const PGresult *result, int row, int column)
{
    return (floor_text){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}

static void read_row(const floor_state *f, const PGresult *result, int i, char *date, floor_row *row)
{
    uint64_t bits;

    row->id = get_int(PQgetvalue(result, i, 0), 4);
    row->name = text_cell(result, i, 1);
    row->email = text_cell(result, i, 2);
    row->age = get_int(PQgetvalue(result, i, 3), 4);
    row->active = *PQgetvalue(result, i, 4) != 0;
    bits = (uint64_t)get_int(PQgetvalue(result, i, 5), 8);
    memcpy(&row->score, &bits, sizeof bits);
    row->created_at = get_int(PQgetvalue(result, i, 6), 8);
    row->payload = text_cell(result, i, 7);
    row->created = (floor_text){NULL, 0};
    if (!f->wants_dates)
        return;
    put_date(date, row->created_at);
    row->created = (floor_text){date, MOMENT_SIZE};
}

static void add_rows(floor_state *f, PGresult *result)
{
    char date[MOMENT_SIZE];
    floor_row row;
    int n = PQntuples(result);

    for (int i = 0; i < n; i++) {
        read_row(f, result, i, date, &row);
        floor_add(f, &row);
    }
    PQclear(result);
}

/* ---- running ---------------------------------------------------------------------------- */

static void prepare(PGconn *on, const char *name, const char *sql)
{
    PGresult *result = PQprepare(on, name, sql, 0, NULL);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        floor_die(sql, PQerrorMessage(on));
    PQclear(result);
}

typedef struct params {
    const char *values[N_PARAMS];
    int sizes[N_PARAMS], formats[N_PARAMS];
    char numbers[N_PARAMS][8];
    int n;
} params;

static params list; /* of the statement that is about to run */

static void bind_bytes(const char *data, size_t size, int format)
{
    list.values[list.n] = data;
    list.sizes[list.n] = (int)size;
    list.formats[list.n++] = format;
}

static void bind_int4(int64_t n)
{
    char *at = list.numbers[list.n];
    (void)put4(at, (int32_t)n);
    bind_bytes(at, 4, 1);
}

static void bind_int8(uint64_t n)
{
    char *at = list.numbers[list.n];
    (void)put8(at, n);
    bind_bytes(at, 8, 1);
}

static void bind_bool(bool truth)
{
    char *at = list.numbers[list.n];
    *at = truth;
    bind_bytes(at, 1, 1);
}

static PGresult *run(const char *name)
{
    PGresult *result = PQexecPrepared(pg, name, list.n, list.values, list.sizes, list.formats, 1);

    list.n = 0;
    return fine(result);
}

static void run_query(floor_state *f, const char *name)
{
    floor_begin(f);
    add_rows(f, run(name));
    floor_end(f);
}

/* Prepared where it is first used; `done` remembers that. */
static const char *once(bool *done, const char *name, const char *sql)
{
    if (!*done)
        prepare(pg, name, sql);
    *done = true;
    return name;
}

/* ---- scenarios: reading ----------------------------------------------------------------- */

static void lookup(floor_state *f)
{
    static bool known;
    char date[MOMENT_SIZE];
    floor_row row;

    bind_int4(floor_next_id(f));
    bind_int8(1);
    PGresult *result = run(once(&known, "lookup", LOOKUP));
    read_row(f, result, 0, date, &row);
    floor_only(f, &row);
    PQclear(result);
}

static void rows(floor_state *f)
{
    static bool known;
    run_query(f, once(&known, "rows", ROWS));
}

static void page(floor_state *f)
{
    static bool known;

    bind_bool(true);
    bind_int4(PAGE_AGE);
    bind_int8(PAGE);
    bind_int8(PAGE_OFFSET);
    run_query(f, once(&known, "page", PAGE_ROWS));
}

static void read_big(floor_state *f)
{
    static bool known;
    add_rows(f, run(once(&known, "big", "SELECT " COLUMNS " FROM \"big_users\"")));
}

/* ---- scenarios: writing ----------------------------------------------------------------- */

static void begin(void)
{
    PQclear(fine(PQexec(pg, "BEGIN")));
}

static void commit(void)
{
    PQclear(fine(PQexec(pg, "COMMIT")));
}

static void sum_written(floor_state *f)
{
    static bool known;
    if (f->checking)
        run_query(f, once(&known, "written", "SELECT " COLUMNS " FROM \"new_users\" ORDER BY \"id\""));
}

static const char *values_sql(const char *end)
{
    static char sql[sizeof INSERT + N_AT_ONCE * 64 + sizeof RETURNING];
    int at = snprintf(sql, sizeof sql, "%s", INSERT);

    for (int i = 0; i < N_AT_ONCE; i++) {
        int p = i * N_VALUES;
        at += snprintf(sql + at, sizeof sql - (size_t)at, "%s($%d, $%d, $%d, $%d, $%d, $%d, $%d)",
                       i > 0 ? ", " : "", p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7);
    }
    (void)snprintf(sql + at, sizeof sql - (size_t)at, "%s", end);
    return sql;
}

static void bind_row(floor_state *f, int index)
{
    floor_row u;

    floor_new_row(f, index, &u);
    bind_bytes(u.name.data, u.name.size, 1);
    bind_bytes(u.email.data, u.email.size, 1);
    bind_int4(u.age);
    bind_bool(u.active);
    bind_int8(bits_of(u.score));
    if (f->L != NULL)
        bind_bytes(u.created.data, u.created.size, 0); /* a table has it as text */
    else
        bind_int8((uint64_t)u.created_at);
    bind_bytes(u.payload.data, u.payload.size, 1);
}

static void bind_some(floor_state *f, int first)
{
    for (int i = first; i < first + N_AT_ONCE; i++)
        bind_row(f, i);
}

static void insert_values(floor_state *f)
{
    static bool known;
    const char *name = known ? "values" : once(&known, "values", values_sql(""));

    begin();
    for (int i = 0; i < N_NEW; i += N_AT_ONCE) {
        bind_some(f, i);
        PQclear(run(name));
    }
    commit();
    sum_written(f);
}

static void insert_returning(floor_state *f)
{
    static bool known;
    const char *name = known ? "returning" : once(&known, "returning", values_sql(RETURNING));

    floor_begin(f);
    begin();
    for (int i = 0; i < N_NEW; i += N_AT_ONCE) {
        bind_some(f, i);
        add_rows(f, run(name));
    }
    commit();
    floor_end(f);
}

/* ---- arrays ----------------------------------------------------------------------------- */

enum { ARRAY_ROOM = 1 << 18 };

typedef struct array {
    char *data, *at;
} array;

static void array_begin(array *a, int32_t type)
{
    if (a->data == NULL)
        a->data = floor_need(malloc(ARRAY_ROOM));
    a->at = put4(a->data, 1); /* dimensions */
    a->at = put4(a->at, 0);   /* no NULLs */
    a->at = put4(a->at, type);
    a->at = put4(a->at, N_NEW);
    a->at = put4(a->at, 1); /* first index */
}

static void array_bytes(array *a, const void *data, size_t size)
{
    a->at = put4(a->at, (int32_t)size);
    memcpy(a->at, data, size);
    a->at += size;
}

static void array_int8(array *a, uint64_t n)
{
    a->at = put8(put4(a->at, 8), n);
}

static int digits(const char *text, int n)
{
    int number = 0;

    for (int i = 0; i < n; i++)
        number = number * 10 + text[i] - '0';
    return number;
}

/* "2024-03-21 12:30:45" as microseconds since 2000-01-01. */
static int64_t micros_of(const char *text)
{
    int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    int y = year - (month <= 2), m = month > 2 ? month - 3 : month + 9;
    int64_t days =
        y / 400 * 146097 + y % 400 * 365 + y % 400 / 4 - y % 400 / 100 + (153 * m + 2) / 5 + day - 1;
    int seconds = digits(text + 11, 2) * 3600 + digits(text + 14, 2) * 60 + digits(text + 17, 2);

    return ((days - 730425) * 86400 + seconds) * 1000000;
}

/* One statement, an array a column. */
static void insert_unnest(floor_state *f)
{
    static const int32_t types[N_VALUES] = {TEXT, TEXT, INT4, BOOL, FLOAT8, TIMESTAMP, TEXT};
    static array columns[N_VALUES];
    static bool known;
    const char *name = once(&known, "unnest", UNNEST);

    for (int c = 0; c < N_VALUES; c++)
        array_begin(&columns[c], types[c]);
    for (int i = 0; i < N_NEW; i++) {
        floor_row u;
        floor_new_row(f, i, &u);
        array_bytes(&columns[0], u.name.data, u.name.size);
        array_bytes(&columns[1], u.email.data, u.email.size);
        columns[2].at = put4(put4(columns[2].at, 4), (int32_t)u.age);
        array_bytes(&columns[3], u.active ? "\1" : "\0", 1);
        array_int8(&columns[4], bits_of(u.score));
        array_int8(&columns[5], (uint64_t)(f->L != NULL ? micros_of(u.created.data) : u.created_at));
        array_bytes(&columns[6], u.payload.data, u.payload.size);
    }
    for (int c = 0; c < N_VALUES; c++)
        bind_bytes(columns[c].data, (size_t)(columns[c].at - columns[c].data), 1);
    PQclear(run(name));
    sum_written(f);
}

/* ---- many at once ----------------------------------------------------------------------- */

static PGconn *many[N_CONNECTIONS];
static const char *url;

static PGconn *open_one(void)
{
    PGconn *c = PQconnectdb(url);

    if (PQstatus(c) != CONNECTION_OK)
        floor_die("connect", PQerrorMessage(c));
    return c;
}

static void open_many(void)
{
    for (int i = 0; i < N_CONNECTIONS && many[i] == NULL; i++) {
        many[i] = open_one();
        prepare(many[i], "lookup", LOOKUP);
    }
}

static void send_lookup(floor_state *f, PGconn *c)
{
    bind_int4(floor_next_id(f));
    bind_int8(1);
    if (PQsendQueryPrepared(c, "lookup", list.n, list.values, list.sizes, list.formats, 1) == 0)
        floor_die("send", PQerrorMessage(c));
    list.n = 0;
}

/* Take what came; true: the answer is complete. */
static bool receive(floor_state *f, PGconn *c)
{
    char date[MOMENT_SIZE];
    floor_row row;
    PGresult *result;

    if (PQconsumeInput(c) == 0)
        floor_die("receive", PQerrorMessage(c));
    while (PQisBusy(c) == 0) {
        result = PQgetResult(c);
        if (result == NULL)
            return true;
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            floor_die("lookup", PQresultErrorMessage(result));
        read_row(f, result, 0, date, &row);
        floor_any(f, &row);
        PQclear(result);
    }
    return false;
}

/* A thousand lookups, ten at a time. */
static void async(floor_state *f)
{
    struct pollfd fds[N_CONNECTIONS];
    int sent = 0, done = 0;

    open_many();
    for (; sent < N_CONNECTIONS; sent++) {
        send_lookup(f, many[sent]);
        fds[sent] = (struct pollfd){.fd = PQsocket(many[sent]), .events = POLLIN};
    }
    while (done < N_ASYNC) {
        if (poll(fds, N_CONNECTIONS, -1) < 0)
            floor_die("poll", "failed");
        for (int i = 0; i < N_CONNECTIONS; i++) {
            if (fds[i].revents == 0 || !receive(f, many[i]))
                continue;
            done++;
            if (sent < N_ASYNC) {
                send_lookup(f, many[i]);
                sent++;
            }
        }
    }
    floor_end(f);
}

/* ---- the client ------------------------------------------------------------------------- */

static void open_session(floor_state *f, const char *where)
{
    url = where;
    pg = open_one();
    for (int i = 0; f->new_rows != NULL && i < N_NEW; i++)
        f->new_rows[i].created_at = micros_of(f->new_rows[i].created.data);
}

static void empty(floor_state *f)
{
    (void)f;
    PQclear(fine(PQexec(pg, "TRUNCATE \"new_users\"")));
}

int main(int argc, char **argv)
{
    const floor_scenario scenarios[] = {
        {"lookup", lookup, LOOKUP, 1000},
        {"rows", rows, ROWS, 1},
        {"page", page, PAGE_ROWS, 1},
        {"insert", insert_values, INSERT ONE_ROW, 1},
        {"insert_arrays", insert_unnest, UNNEST, 1},
        {"insert_returning", insert_returning, INSERT ONE_ROW RETURNING, 1},
        {"async", async, LOOKUP, 1},
    };
    const floor_client client = {
        .name = "floor_postgres",
        .open = open_session,
        .read_big = read_big,
        .empty = empty,
        .scenarios = scenarios,
        .n_scenarios = sizeof scenarios / sizeof scenarios[0],
    };

    return floor_main(&client, argc, argv);
}
