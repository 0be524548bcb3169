/*
 * mysql_driver.h - what the files of the MariaDB and MySQL driver share.
 *
 * mysql.c: statements, rows and the drivers' tables; mysql_calls.c: libmariadb's start/continue
 * calls and the steps made of them; mysql_connect.c: connecting, TLS, the session's settings;
 * mysql_jobs.c: what threads do blocking; mysql_words.c: what a statement's words say;
 * mysql_types.c: cells into values; mysql_params.c: values into parameters; mysql_errors.c:
 * native codes into ours. No SQL dialect, no Lua.
 */
#ifndef HY_MYSQL_DRIVER_H
#define HY_MYSQL_DRIVER_H

#include <mysql.h>

#include <base/buf.h>
#include <base/resolver.h>
#include <hysteria/driver.h>

#include "fork_guard.h"

typedef struct hy__mysql hy__mysql;

/* ---- cells ------------------------------------------------------------------------------ */

enum { HY__MYSQL_SCRATCH = 24 }; /* an unsigned 64-bit number as text */

typedef struct hy__mysql_column hy__mysql_column;

/** Decode a cell of the binary protocol at `*at`, and move `*at` behind it. NULL, or what is wrong. */
typedef const char *(*hy__mysql_binary)(hy__mysql_column *column, const unsigned char **at, hy_value *out);
/** Decode a cell that is a run of bytes, as all are in the text protocol. NULL, or what is wrong. */
typedef const char *(*hy__mysql_bytes)(hy__mysql_column *column, const char *data, size_t size,
                                       hy_value *out);

struct hy__mysql_column {
    hy__mysql_binary binary; /* NULL: a length, then bytes */
    hy__mysql_bytes bytes;
    hy_kind kind;
    enum enum_field_types type; /* what the above was made from */
    unsigned flags, charset;
    char scratch[HY__MYSQL_SCRATCH];
};

/** How a column's cells are read. */
void hy__mysql_column_init(hy__mysql_column *column, const MYSQL_FIELD *field);
/** True if `field` is still what the column was made from. */
bool hy__mysql_column_fits(const hy__mysql_column *column, const MYSQL_FIELD *field);
/** The bytes of a cell that begins with its length; `*at` moves behind them. */
const char *hy__mysql_take_bytes(const unsigned char **at, size_t *size);

/* ---- statements ------------------------------------------------------------------------- */

/* What the first word says, as far as it matters here. */
typedef enum hy__mysql_verb {
    HY__MYSQL_READS,  /* SELECT and its like: can be run again */
    HY__MYSQL_WRITES, /* INSERT, UPDATE, DELETE, REPLACE */
    HY__MYSQL_OTHER   /* all else: the text protocol, unless there are parameters */
} hy__mysql_verb;

/* Where the rows of a statement are. */
typedef enum hy__mysql_rows {
    HY__MYSQL_NO_ROWS,
    HY__MYSQL_STREAMED, /* the server still sends them: the connection's `stream` */
    HY__MYSQL_STORED,   /* all the rest is in memory, of the binary protocol */
    HY__MYSQL_KEPT,     /* by the server: it gives some when it is asked for them */
    HY__MYSQL_TEXT_ROWS /* all in memory, of the text protocol */
} hy__mysql_rows;

typedef struct hy__mysql_statement {
    hy_statement head;
    hy__mysql_verb verb;
    MYSQL_STMT *stmt; /* NULL: run by the text protocol */
    char *sql;        /* for the text protocol */
    size_t sql_size;
    bool touches;   /* may leave something in the session */
    bool stains;    /* that no reset removes */
    bool restarts;  /* a transaction that is open after it is not the one that was open before */
    uint64_t epoch; /* the connection's when it was prepared */
    bool dead;      /* its columns do not fit any more: prepare again */

    void *block; /* columns, row, kinds, names: n_columns of each */
    hy__mysql_column *columns;
    hy_value *row;     /* the current one; its bytes lie in the library's buffer */
    bool untaken;      /* nobody has looked at it yet */
    char *kept;        /* its bytes, if that buffer was needed before; NULL: they are there */
    const char *fault; /* what is wrong with its cell `fault_at`; NULL: nothing */
    size_t fault_at;

    hy__mysql_rows rows;
    MYSQL_RES *result; /* of the text protocol */
    bool broke_off;    /* the stream ended in an error while another statement ran */
    hy_error *late;    /* this one; NULL: memory ran out */
    int64_t n_rows;    /* handed out so far */
    void *params;      /* see mysql_params.c; NULL until there are any */
    bool many;         /* they are sent for many rows at once */
    bool refused;      /* one of these rows could not be, and nothing was: the connection's `failure` */
    uint64_t rows_size;
    hy__mysql *connection;
} hy__mysql_statement;

/* ---- connections ------------------------------------------------------------------------ */

typedef enum hy__mysql_tls {
    HY__MYSQL_TLS_NEVER,
    HY__MYSQL_TLS_IF_OFFERED,
    HY__MYSQL_TLS_VERIFIED
} hy__mysql_tls;

/* What a session is opened with. One block with its strings; NULL: not given. */
typedef struct hy__mysql_settings {
    const char *host, *socket, *user, *password, *database;
    const char *program;         /* the application's name */
    const char *ca, *cert, *key; /* of TLS */
    unsigned port;
    hy__mysql_tls tls;
} hy__mysql_settings;

typedef struct hy__mysql_connecting hy__mysql_connecting;

/* libmariadb's calls, each with its _start and _cont. */
typedef enum hy__mysql_call {
    HY__MYSQL_NOTHING,
    HY__MYSQL_CONNECT,
    HY__MYSQL_QUERY,   /* c->sql */
    HY__MYSQL_RESULT,  /* the whole result of a query */
    HY__MYSQL_SKIP,    /* the next result of a query */
    HY__MYSQL_PREPARE, /* c->sql, as c->target */
    HY__MYSQL_EXECUTE, /* c->target, and so on */
    HY__MYSQL_FETCH,
    HY__MYSQL_STORE,  /* the rest of its rows into memory */
    HY__MYSQL_DRAIN,  /* the rest of its rows to nowhere */
    HY__MYSQL_MORE,   /* its next result */
    HY__MYSQL_FORGET, /* close it */
    HY__MYSQL_RESET,
    HY__MYSQL_CHARSET,
    HY__MYSQL_DATABASE,
    HY__MYSQL_CALLS
} hy__mysql_call;

/**
 * Looks at how a call ended. HY_AGAIN: it planned another one; else the operation is over,
 * with this status.
 */
typedef hy_status (*hy__mysql_step)(hy__mysql *c, hy_error *err);

struct hy__mysql {
    hy_connection head;
    MYSQL *my;
    hy__fork_guard guard;
    bool is_mariadb; /* what the server must be */
    bool may_use_tls;
    hy__mysql_settings *settings;
    const hy_connect_config *config;  /* the caller's, while connecting */
    hy__mysql_connecting *connecting; /* a thread is at it; NULL: none is */
    hy__resolving *resolving;         /* the host's addresses; NULL: they were not asked for */
    size_t address;                   /* the one that is tried */
    hy_buf setup;                     /* settings of the session: statements, each with its NUL */
    size_t setup_at;                  /* the one that runs */
    uint64_t epoch;                   /* statements of an older one are gone on the server */
    uint64_t max_packet;              /* the server takes no longer message */
    bool broken;                      /* nobody can use it any more */
    bool no_memory;                   /* the last call of the library found none */
    bool touched;                     /* the session may not be as new */
    bool stained;                     /* and no reset helps */

    /* The operation that runs, and the call it is at. */
    bool busy;
    bool suspended; /* the call waits for `events` */
    hy__mysql_call call;
    int events;
    hy__mysql_step step;  /* after the call */
    hy__mysql_step begin; /* once nothing is in the way */
    int ret;              /* what calls returned */
    my_bool flag;
    MYSQL *ret_my;
    MYSQL_RES *ret_result;
    MYSQL_STMT *target;
    const char *sql; /* the caller's, a statement's or a constant */
    size_t sql_size;
    hy__mysql_statement *statement;
    const hy_bind *binds;
    size_t n_binds;

    hy__mysql_statement *stream; /* whose rows the server sends; NULL: nobody's */
    MYSQL_STMT *closing;         /* statements to be closed, linked by their user data */
    unsigned status;             /* the server's flags after what succeeded last */
    hy_status failed;            /* kept while the server is asked what is left of the transaction */
    hy_error failure;
    int64_t affected, insert_id;
};

static inline hy__mysql *hy__mysql_of(hy_connection *c)
{
    return (hy__mysql *)(void *)c;
}

/** Make `call` next, then `step`. HY_AGAIN. */
hy_status hy__mysql_plan(hy__mysql *c, hy__mysql_call call, hy__mysql_step step);
/** The same for a statement of the text protocol. */
hy_status hy__mysql_plan_query(hy__mysql *c, const char *sql, size_t size, hy__mysql_step step);
/** Make what is planned, and what its steps plan. */
hy_status hy__mysql_run(hy__mysql *c, hy_wait *wait, hy_error *err);
/** A new operation: wait for what is in the way, then `begin`. */
hy_status hy__mysql_start(hy__mysql *c, hy__mysql_step begin, hy_wait *wait, hy_error *err);
/** Go on with what waited. */
hy_status hy__mysql_advance(hy__mysql *c, hy_wait *wait, hy_error *err);
/** Nobody reads the rest of the stream: ask for its end without waiting. */
void hy__mysql_drain(hy__mysql *c);
/** Once more at what hy__mysql_drain() began. True when nothing is in the way any more. */
bool hy__mysql_is_drained(hy__mysql *c);
/** Let `stmt` be closed when something is sent next. */
void hy__mysql_bury(hy__mysql *c, MYSQL_STMT *stmt);
/** Close. `silently`: the socket is taken away first, without a word to the server. */
void hy__mysql_end(hy__mysql *c, bool silently);
/** Remember the flags the server sent with what succeeded. */
void hy__mysql_look(hy__mysql *c);

hy_status hy__mysql_connect(hy__mysql *c, const hy_connect_config *config, hy_wait *wait, hy_error *err);
hy_status hy__mysql_go_on_connecting(hy__mysql *c, hy_wait *wait, hy_error *err);
/** The session as after connecting: step after a reset. */
hy_status hy__mysql_set_up_again(hy__mysql *c, hy_error *err);

/** A copy in one block; NULL: out of memory. */
hy__mysql_settings *hy__mysql_settings_copy(const hy__mysql_settings *from);
/** Wipes the password. NULL is fine. */
void hy__mysql_settings_free(hy__mysql_settings *s);
/** A handle with its options set, not connected. NULL: out of memory. */
MYSQL *hy__mysql_new(const hy__mysql_settings *with, hy_error *err);
/** Have a thread connect; c->settings are its own meanwhile. */
hy_status hy__mysql_connect_by_worker(hy__mysql *c, hy_error *err);
bool hy__mysql_is_connected(const hy__mysql *c);
void hy__mysql_await_connected(const hy__mysql *c, hy_wait *wait);
/** It is done: c->my, and c->ret_my as after mysql_real_connect(). */
hy_status hy__mysql_take_connected(hy__mysql *c, hy_error *err);
/** Let go of the thread, if there is one. */
void hy__mysql_leave_connecting(hy__mysql *c);
/** Have a thread stop, by c->settings, which it takes, what the server does for the connection. */
void hy__mysql_stop_server(hy__mysql *c);

/** Give the binds to `s`, which is prepared; they may be those of many rows. They stay the caller's. */
hy_status hy__mysql_bind(hy__mysql *c, hy__mysql_statement *s, const hy_bind *binds, size_t n, hy_error *err);

/** Types may depend on the parameters: looks again at each execution. */
hy_status hy__mysql_read_columns(hy__mysql_statement *s, const MYSQL_FIELD *fields, size_t n, hy_error *err);
/** Step: the library says that c->statement failed, of a protocol or the other. */
hy_status hy__mysql_fail_statement(hy__mysql *c, hy_error *err);
/** A number of rows; 0 where the library has none. */
int64_t hy__mysql_count(unsigned long long n);

/** Step: send c->statement as text. */
hy_status hy__mysql_begin_query(hy__mysql *c, hy_error *err);
/** HY_DONE: there are no more, and nothing of them is kept. */
hy_status hy__mysql_next_text_row(hy__mysql_statement *s);
void hy__mysql_free_text_rows(hy__mysql_statement *s);

/** Behind spaces and comments; `end` if there is nothing else. */
const char *hy__mysql_skip(const char *sql, const char *end);
hy__mysql_verb hy__mysql_verb_of(const char *sql, size_t size);
/** True if the session may not be as before when this has run. */
bool hy__mysql_touches(const char *sql, size_t size, hy__mysql_verb verb);
bool hy__mysql_stains(const char *sql, size_t size, hy__mysql_verb verb);
/** True if it ends the transaction that is open, and may begin another one. */
bool hy__mysql_restarts(const char *sql, size_t size, hy__mysql_verb verb);

/* ---- errors ----------------------------------------------------------------------------- */

/** What the library says of the last call on `stmt` (may be NULL) or else the connection. */
hy_status hy__mysql_fail(hy__mysql *c, MYSQL_STMT *stmt, hy_error *err);
/** Connecting failed. */
hy_status hy__mysql_fail_connect(hy__mysql *c, hy_error *err);
/** The number of the last error. */
unsigned hy__mysql_errno(const hy__mysql *c, MYSQL_STMT *stmt);
/** That number means: the connection is gone. */
bool hy__mysql_is_lost(unsigned code);

#endif
