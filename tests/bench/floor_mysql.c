/*
 * floor_mysql.c - the floors on libmariadb, for MariaDB and MySQL: statements prepared once,
 * binary protocol, result buffers bound once, rows fetched as they arrive, blocking calls;
 * inserts as VALUES of 250 rows or, on MariaDB, as one execution with arrays; `async` is ten
 * connections, _start and _cont, and one poll(). Statements are Hysteria's (run.lua compares
 * the texts). See floor.h for the rest.
 */
#include "floor.h"

#include <mysql.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_AT_ONCE = 250,
    N_PARAMS = N_AT_ONCE * N_VALUES,
    N_CONNECTIONS = 10,
    N_ASYNC = 1000,
    TEXT_ROOM = 256
};

#define COLUMNS "`id`, `name`, `email`, `age`, `active`, `score`, `created_at`, `payload`"
#define NEW_COLUMNS "`name`, `email`, `age`, `active`, `score`, `created_at`, `payload`"
#define ONE_ROW "(?, ?, ?, ?, ?, ?, ?)"
#define INSERT "INSERT INTO `new_users` (" NEW_COLUMNS ") VALUES " ONE_ROW
#define RETURNING " RETURNING " COLUMNS
#define LOOKUP "SELECT " COLUMNS " FROM `users` WHERE `id` = ? LIMIT ?"
#define NEW_LOOKUP "SELECT " COLUMNS " FROM `new_users` WHERE `id` = ? LIMIT ?"
#define ROWS "SELECT " COLUMNS " FROM `users`"
#define PAGE_ROWS \
    "SELECT " COLUMNS " FROM `users` WHERE `active` = ? AND `age` > ? ORDER BY `id` DESC LIMIT ? OFFSET ?"

static MYSQL *my;
static const char *url;

/* ---- statements ------------------------------------------------------------------------- */

typedef union value {
    int64_t integer;
    signed char truth;
    double number;
    MYSQL_TIME time;
} value;

/* A prepared statement with its parameters and the buffers of its result. */
typedef struct statement {
    MYSQL_STMT *stmt;
    MYSQL_BIND in[N_PARAMS];
    value values[N_PARAMS];
    unsigned n_in;
    MYSQL_BIND out[N_COLUMNS];
    int id, age;
    signed char active;
    double score;
    MYSQL_TIME created;
    char name[TEXT_ROOM], email[TEXT_ROOM], payload[TEXT_ROOM], date[MOMENT_SIZE];
    unsigned long name_size, email_size, payload_size;
} statement;

static _Noreturn void die(const statement *s)
{
    floor_die("statement", mysql_stmt_error(s->stmt));
}

static void out_buffer(MYSQL_BIND *b, enum enum_field_types type, void *buffer, unsigned long room,
                       unsigned long *size)
{
    b->buffer_type = type;
    b->buffer = buffer;
    b->buffer_length = room;
    b->length = size;
}

static void bind_result(statement *s)
{
    MYSQL_BIND *b = s->out;

    out_buffer(&b[0], MYSQL_TYPE_LONG, &s->id, 0, NULL);
    out_buffer(&b[1], MYSQL_TYPE_STRING, s->name, TEXT_ROOM, &s->name_size);
    out_buffer(&b[2], MYSQL_TYPE_STRING, s->email, TEXT_ROOM, &s->email_size);
    out_buffer(&b[3], MYSQL_TYPE_LONG, &s->age, 0, NULL);
    out_buffer(&b[4], MYSQL_TYPE_TINY, &s->active, 0, NULL);
    out_buffer(&b[5], MYSQL_TYPE_DOUBLE, &s->score, 0, NULL);
    out_buffer(&b[6], MYSQL_TYPE_DATETIME, &s->created, 0, NULL);
    out_buffer(&b[7], MYSQL_TYPE_STRING, s->payload, TEXT_ROOM, &s->payload_size);
    if (mysql_stmt_bind_result(s->stmt, b) != 0)
        die(s);
}

static statement *prepare(MYSQL *on, const char *sql)
{
    statement *s = floor_need(calloc(1, sizeof *s));

    s->stmt = floor_need(mysql_stmt_init(on));
    if (mysql_stmt_prepare(s->stmt, sql, strlen(sql)) != 0)
        die(s);
    if (mysql_stmt_field_count(s->stmt) == N_COLUMNS)
        bind_result(s);
    return s;
}

static statement *once(statement **kept, const char *sql)
{
    if (*kept == NULL)
        *kept = prepare(my, sql);
    return *kept;
}

static MYSQL_BIND *in(statement *s, enum enum_field_types type, void *buffer, unsigned long size)
{
    MYSQL_BIND *b = &s->in[s->n_in++];

    *b = (MYSQL_BIND){.buffer_type = type, .buffer = buffer, .buffer_length = size};
    return b;
}

static void in_int(statement *s, int64_t n)
{
    value *v = &s->values[s->n_in];
    v->integer = n;
    (void)in(s, MYSQL_TYPE_LONGLONG, v, 0);
}

static void in_text(statement *s, floor_text text)
{
    (void)in(s, MYSQL_TYPE_STRING, (void *)(uintptr_t)text.data, text.size);
}

static void give_params(statement *s)
{
    if (s->n_in > 0 && mysql_stmt_bind_param(s->stmt, s->in) != 0)
        die(s);
    s->n_in = 0;
}

static void run(statement *s)
{
    give_params(s);
    if (mysql_stmt_execute(s->stmt) != 0)
        die(s);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Digits behind each other: what a struct keeps. */
static int64_t packed(const MYSQL_TIME *t)
{
    return ((int64_t)t->year * 10000 + t->month * 100 + t->day) * 1000000 + t->hour * 10000 +
           t->minute * 100 + t->second;
}

static void read_row(const floor_state *f, statement *s, floor_row *row)
{
    const MYSQL_TIME *t = &s->created;

    row->id = s->id;
    row->name = (floor_text){s->name, s->name_size};
    row->email = (floor_text){s->email, s->email_size};
    row->age = s->age;
    row->active = s->active != 0;
    row->score = s->score;
    row->payload = (floor_text){s->payload, s->payload_size};
    row->created = (floor_text){NULL, 0};
    if (!f->wants_dates) {
        row->created_at = packed(t);
        return;
    }
    floor_put_moment(s->date, (int)t->year, (int)t->month, (int)t->day, (int)t->hour, (int)t->minute,
                     (int)t->second);
    row->created = (floor_text){s->date, MOMENT_SIZE};
}

static void add_rows(floor_state *f, statement *s)
{
    floor_row row;
    int rc;

    while ((rc = mysql_stmt_fetch(s->stmt)) == 0) {
        read_row(f, s, &row);
        floor_add(f, &row);
    }
    if (rc != MYSQL_NO_DATA)
        die(s);
}

static void run_query(floor_state *f, statement *s)
{
    run(s);
    floor_begin(f);
    add_rows(f, s);
    floor_end(f);
}

/* ---- scenarios: reading ----------------------------------------------------------------- */

static void read_one(floor_state *f, statement *s)
{
    floor_row row;

    if (mysql_stmt_fetch(s->stmt) != 0)
        die(s);
    read_row(f, s, &row);
    floor_only(f, &row);
    if (mysql_stmt_fetch(s->stmt) != MYSQL_NO_DATA)
        die(s);
}

static void lookup(floor_state *f)
{
    static statement *kept;
    statement *s = once(&kept, LOOKUP);

    in_int(s, floor_next_id(f));
    in_int(s, 1);
    run(s);
    read_one(f, s);
}

static void rows(floor_state *f)
{
    static statement *kept;
    run_query(f, once(&kept, ROWS));
}

static void page(floor_state *f)
{
    static statement *kept;
    statement *s = once(&kept, PAGE_ROWS);

    in_int(s, 1);
    in_int(s, PAGE_AGE);
    in_int(s, PAGE);
    in_int(s, PAGE_OFFSET);
    run_query(f, s);
}

static void read_big(floor_state *f)
{
    static statement *kept;
    statement *s = once(&kept, "SELECT " COLUMNS " FROM `big_users`");

    run(s);
    add_rows(f, s);
}

/* ---- scenarios: writing ----------------------------------------------------------------- */

static void command(const char *sql)
{
    if (mysql_query(my, sql) != 0)
        floor_die(sql, mysql_error(my));
}

static void sum_written(floor_state *f)
{
    static statement *kept;
    if (f->checking)
        run_query(f, once(&kept, "SELECT " COLUMNS " FROM `new_users` ORDER BY `id`"));
}

static MYSQL_TIME time_of(const char *text)
{
    return (MYSQL_TIME){
        .year = (unsigned)atoi(text),
        .month = (unsigned)atoi(text + 5),
        .day = (unsigned)atoi(text + 8),
        .hour = (unsigned)atoi(text + 11),
        .minute = (unsigned)atoi(text + 14),
        .second = (unsigned)atoi(text + 17),
        .time_type = MYSQL_TIMESTAMP_DATETIME,
    };
}

static MYSQL_TIME new_times[N_NEW]; /* of the `c` floor: a struct has them so */

static void bind_row(floor_state *f, statement *s, int index)
{
    floor_row u;
    value *v;

    floor_new_row(f, index, &u);
    in_text(s, u.name);
    in_text(s, u.email);
    in_int(s, u.age);
    v = &s->values[s->n_in];
    v->truth = u.active;
    (void)in(s, MYSQL_TYPE_TINY, v, 0);
    v = &s->values[s->n_in];
    v->number = u.score;
    (void)in(s, MYSQL_TYPE_DOUBLE, v, 0);
    if (f->L != NULL)
        in_text(s, u.created);
    else
        (void)in(s, MYSQL_TYPE_DATETIME, &new_times[index], 0);
    in_text(s, u.payload);
}

static void bind_some(floor_state *f, statement *s, int first)
{
    for (int i = first; i < first + N_AT_ONCE; i++)
        bind_row(f, s, i);
}

static const char *values_sql(const char *end)
{
    static char sql[sizeof INSERT + N_AT_ONCE * sizeof ", " ONE_ROW + sizeof RETURNING];
    int at = snprintf(sql, sizeof sql, "%s", INSERT);

    for (int i = 1; i < N_AT_ONCE; i++)
        at += snprintf(sql + at, sizeof sql - (size_t)at, ", %s", ONE_ROW);
    (void)snprintf(sql + at, sizeof sql - (size_t)at, "%s", end);
    return sql;
}

static void insert_values(floor_state *f)
{
    static statement *kept;
    statement *s = kept != NULL ? kept : once(&kept, values_sql(""));

    command("START TRANSACTION");
    for (int i = 0; i < N_NEW; i += N_AT_ONCE) {
        bind_some(f, s, i);
        run(s);
    }
    command("COMMIT");
    sum_written(f);
}

static void insert_returning(floor_state *f)
{
    static statement *kept;
    statement *s = kept != NULL ? kept : once(&kept, values_sql(RETURNING));

    floor_begin(f);
    command("START TRANSACTION");
    for (int i = 0; i < N_NEW; i += N_AT_ONCE) {
        bind_some(f, s, i);
        run(s);
        bind_result(s); /* until it has run the library does not know that there is one */
        add_rows(f, s);
    }
    command("COMMIT");
    floor_end(f);
}

/* MySQL gives no rows back: each is read again by its key. */
static void insert_and_read(floor_state *f)
{
    static statement *kept, *kept_lookup;
    statement *s = once(&kept, INSERT), *back = once(&kept_lookup, NEW_LOOKUP);

    floor_begin(f);
    command("START TRANSACTION");
    for (int i = 0; i < N_NEW; i++) {
        bind_row(f, s, i);
        run(s);
        in_int(back, (int64_t)mysql_stmt_insert_id(s->stmt));
        in_int(back, 1);
        run(back);
        add_rows(f, back);
    }
    command("COMMIT");
    floor_end(f);
}

/* One execution, an array a parameter. */
static void insert_arrays(floor_state *f)
{
    static statement *kept;
    static const char *names[N_NEW], *emails[N_NEW], *payloads[N_NEW];
    static unsigned long name_sizes[N_NEW], email_sizes[N_NEW], payload_sizes[N_NEW];
    static int ages[N_NEW];
    static signed char actives[N_NEW];
    static double scores[N_NEW];
    static const void *times[N_NEW];
    static unsigned long time_sizes[N_NEW];
    statement *s = once(&kept, INSERT);
    unsigned n = N_NEW;

    for (int i = 0; i < N_NEW; i++) {
        floor_row u;
        floor_new_row(f, i, &u);
        names[i] = u.name.data;
        name_sizes[i] = u.name.size;
        emails[i] = u.email.data;
        email_sizes[i] = u.email.size;
        payloads[i] = u.payload.data;
        payload_sizes[i] = u.payload.size;
        ages[i] = (int)u.age;
        actives[i] = u.active;
        scores[i] = u.score;
        times[i] = f->L != NULL ? (const void *)u.created.data : &new_times[i];
        time_sizes[i] = u.created.size;
    }
    in(s, MYSQL_TYPE_STRING, names, 0)->length = name_sizes;
    in(s, MYSQL_TYPE_STRING, emails, 0)->length = email_sizes;
    in(s, MYSQL_TYPE_LONG, ages, 0);
    in(s, MYSQL_TYPE_TINY, actives, 0);
    in(s, MYSQL_TYPE_DOUBLE, scores, 0);
    in(s, f->L != NULL ? MYSQL_TYPE_STRING : MYSQL_TYPE_DATETIME, times, 0)->length = time_sizes;
    in(s, MYSQL_TYPE_STRING, payloads, 0)->length = payload_sizes;
    (void)mysql_stmt_attr_set(s->stmt, STMT_ATTR_ARRAY_SIZE, &n);
    run(s);
    sum_written(f);
}

/* ---- many at once ----------------------------------------------------------------------- */

/* "mariadb://user:password@host:port/database" */
static MYSQL *open_one(bool nonblocking)
{
    char user[64], password[128], host[128], database[64];
    unsigned port;
    MYSQL *c = floor_need(mysql_init(NULL));

    if (sscanf(url, "%*[a-z]://%63[^:]:%127[^@]@%127[^:]:%u/%63s", user, password, host, &port, database) !=
        5)
        floor_die("url", "user:password@host:port/database is expected");
    if (nonblocking)
        (void)mysql_options(c, MYSQL_OPT_NONBLOCK, 0);
    (void)mysql_options(c, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(c, host, user, password, database, port, NULL, CLIENT_FOUND_ROWS) == NULL)
        floor_die("connect", mysql_error(c));
    return c;
}

typedef struct line {
    MYSQL *my;
    statement *lookup;
    enum { EXECUTING, FETCHING, ENDING } at;
    int waits; /* for these MYSQL_WAIT_... */
    int ret;
    bool open; /* a lookup runs */
} line;

static line many[N_CONNECTIONS];
static int n_sent, n_done;

static void open_many(void)
{
    for (int i = 0; i < N_CONNECTIONS && many[i].my == NULL; i++) {
        many[i].my = open_one(true);
        many[i].lookup = prepare(many[i].my, LOOKUP);
    }
}

static int start(line *c)
{
    MYSQL_STMT *stmt = c->lookup->stmt;
    return c->at == EXECUTING ? mysql_stmt_execute_start(&c->ret, stmt)
                              : mysql_stmt_fetch_start(&c->ret, stmt);
}

static int go_on(line *c)
{
    MYSQL_STMT *stmt = c->lookup->stmt;
    return c->at == EXECUTING ? mysql_stmt_execute_cont(&c->ret, stmt, c->waits)
                              : mysql_stmt_fetch_cont(&c->ret, stmt, c->waits);
}

/* A call has ended: what comes next. False: nothing is left to do. */
static bool next_call(floor_state *f, line *c)
{
    floor_row row;

    if (c->open && c->ret != (c->at == ENDING ? MYSQL_NO_DATA : 0))
        die(c->lookup);
    if (c->open && c->at != ENDING) {
        if (c->at == FETCHING) {
            read_row(f, c->lookup, &row);
            floor_any(f, &row);
        }
        c->at++;
        return true;
    }
    n_done += c->open;
    c->open = n_sent < N_ASYNC;
    if (!c->open)
        return false;
    n_sent++;
    c->at = EXECUTING;
    in_int(c->lookup, floor_next_id(f));
    in_int(c->lookup, 1);
    give_params(c->lookup);
    return true;
}

static void advance(floor_state *f, line *c)
{
    if (c->waits != 0)
        c->waits = go_on(c);
    while (c->waits == 0 && next_call(f, c))
        c->waits = start(c);
}

/* A thousand lookups, ten at a time. */
static void async(floor_state *f)
{
    struct pollfd fds[N_CONNECTIONS];

    open_many();
    n_sent = n_done = 0;
    for (int i = 0; i < N_CONNECTIONS; i++) {
        fds[i] = (struct pollfd){.fd = (int)mysql_get_socket(many[i].my), .events = POLLIN};
        advance(f, &many[i]);
    }
    while (n_done < N_ASYNC) {
        if (poll(fds, N_CONNECTIONS, -1) < 0)
            floor_die("poll", "failed");
        for (int i = 0; i < N_CONNECTIONS; i++)
            if (fds[i].revents != 0)
                advance(f, &many[i]);
    }
    floor_end(f);
}

/* ---- the client ------------------------------------------------------------------------- */

static void open_session(floor_state *f, const char *where)
{
    url = where;
    my = open_one(false);
    command("SET time_zone = '+00:00'");
    for (int i = 0; f->new_rows != NULL && i < N_NEW; i++)
        new_times[i] = time_of(f->new_rows[i].created.data);
}

static void empty(floor_state *f)
{
    (void)f;
    command("TRUNCATE `new_users`");
}

int main(int argc, char **argv)
{
    const floor_scenario scenarios[] = {
        {"lookup", lookup, LOOKUP, 1000},
        {"rows", rows, ROWS, 1},
        {"page", page, PAGE_ROWS, 1},
        {"insert", insert_values, INSERT, 1},
        {"insert_arrays", insert_arrays, INSERT, 1},
        {"insert_returning", insert_returning, INSERT RETURNING, 1},
        {"insert_and_read", insert_and_read, INSERT, 1},
        {"async", async, LOOKUP, 1},
    };
    const floor_client client = {
        .name = "floor_mysql",
        .open = open_session,
        .read_big = read_big,
        .empty = empty,
        .scenarios = scenarios,
        .n_scenarios = sizeof scenarios / sizeof scenarios[0],
    };

    return floor_main(&client, argc, argv);
}
