/*
 * postgres_driver.h - what the files of the PostgreSQL driver share.
 *
 * postgres.c: running, rows and the driver's table; postgres_prepare.c: preparing;
 * postgres_connect.c: connecting, the session's settings; postgres_errors.c: SQLSTATEs into ours;
 * postgres_types.c: results into values; postgres_arrays.c: arrays into JSON; postgres_params.c: values into
 * parameters; postgres_text.c: what a statement's text says. libpq's asynchronous calls only. No SQL dialect,
 * no Lua.
 */
#ifndef HY_POSTGRES_DRIVER_H
#define HY_POSTGRES_DRIVER_H

#include <libpq-fe.h>

#include <base/arena.h>
#include <base/buf.h>
#include <base/resolver.h>
#include <hysteria/driver.h>

#include "fork_guard.h"

/* The types of the system that this driver knows, by their fixed numbers. */
enum {
    HY__PG_BOOL = 16,
    HY__PG_BYTEA = 17,
    HY__PG_INT8 = 20,
    HY__PG_INT2 = 21,
    HY__PG_INT4 = 23,
    HY__PG_TEXT = 25,
    HY__PG_JSON = 114,
    HY__PG_FLOAT4 = 700,
    HY__PG_FLOAT8 = 701,
    HY__PG_BPCHAR = 1042,
    HY__PG_VARCHAR = 1043,
    HY__PG_DATE = 1082,
    HY__PG_TIME = 1083,
    HY__PG_TIMESTAMP = 1114,
    HY__PG_TIMESTAMPTZ = 1184,
    HY__PG_NUMERIC = 1700,
    HY__PG_UUID = 2950,
    HY__PG_JSONB = 3802,
    HY__PG_FIRST_OWN = 16384 /* from here on types are those of the database */
};

typedef struct hy__postgres hy__postgres;
typedef struct hy__postgres_type hy__postgres_type;

/* Some bytes from the server. */
typedef struct hy__postgres_bytes {
    const char *data;
    size_t size;
} hy__postgres_bytes;

/** A cell that is not NULL as a value; what it needs besides the cell is in c->scratch. */
typedef hy_status (*hy__postgres_decoder)(hy__postgres *c, const hy__postgres_type *type,
                                          hy__postgres_bytes in, hy_value *out, hy_error *err);
struct hy__postgres_type {
    Oid oid;
    Oid element; /* of an array, else 0 */
    hy_kind kind;
    hy__postgres_decoder binary; /* NULL: a result with this type comes as text */
    hy__postgres_decoder text;
};

/* A type of the database, as pg_type tells about it. */
typedef struct hy__postgres_own_type {
    hy__postgres_type type;
    struct hy__postgres_own_type *next;
} hy__postgres_own_type;

/* What the text of a statement says about it. */
enum {
    HY__POSTGRES_COMMAND = 1 << 0, /* BEGIN, SET...: no parameters, no rows; sent as text each time */
    HY__POSTGRES_COMMITS = 1 << 1, /* the server may answer that it rolled back */
    HY__POSTGRES_ROLLS_BACK = 1 << 2,
    HY__POSTGRES_CHANGES_SCHEMA = 1 << 3,  /* plans may not fit any more */
    HY__POSTGRES_MAKES_NAMES = 1 << 4,     /* may leave prepared statements behind */
    HY__POSTGRES_TOUCHES_SESSION = 1 << 5, /* may leave anything behind */
    HY__POSTGRES_CHAINS = 1 << 6,          /* ends the transaction, and begins another one */
    HY__POSTGRES_COPIES = 1 << 7           /* between the server and its client */
};
unsigned hy__postgres_traits(const char *sql, size_t size);
/** What is said of a COPY that has those. */
extern const char hy__postgres_copies[];

typedef struct hy__postgres_column {
    const hy__postgres_type *type;
    hy__postgres_decoder decode;
} hy__postgres_column;

enum { HY__POSTGRES_NAME = 48 };

typedef struct hy__postgres_statement {
    hy_statement head;
    PGresult *described; /* names and types of columns and parameters; NULL: not asked */
    void *block;         /* columns, kinds, names: n_columns of each */
    hy__postgres_column *columns;
    char *sql;                    /* NULL once the server has it by name */
    uint64_t number;              /* in its name there; 0: it has none */
    char name[HY__POSTGRES_NAME]; /* that name */
    uint64_t epoch, changes;      /* the connection's when it was prepared */
    uint64_t session;             /* likewise, of one that was not as new; 0: it was */
    bool binary;                  /* results come so */
    unsigned traits;              /* of its text */
    bool assumes_utc;             /* has timestamps as parameters */
    bool broken;                  /* the server does not take it any more: prepare again */
} hy__postgres_statement;

/* What `advance` goes on with after HY_AGAIN. */
typedef enum hy__postgres_pending {
    HY__POSTGRES_IDLE,
    HY__POSTGRES_RESOLVE, /* the host's name */
    HY__POSTGRES_CONNECT,
    HY__POSTGRES_SETUP, /* settings of a new session */
    HY__POSTGRES_PREPARE,
    HY__POSTGRES_TYPES,   /* what pg_type knows about result types, then prepare ends */
    HY__POSTGRES_EXECUTE, /* until the whole result, or with row_by_row the first row, is there */
    HY__POSTGRES_RESET
} hy__postgres_pending;

struct hy__postgres {
    hy_connection head;
    PGconn *pg;
    PGcancel *cancel;
    hy__fork_guard guard;
    const hy_connect_config *config; /* the caller's, while connecting */
    hy__resolving *resolving;        /* NULL: the host needs no address, or has it */
    hy__postgres_pending pending;
    hy__postgres_statement *statement; /* of PREPARE, TYPES and EXECUTE */
    hy_buf setup;                      /* settings of the session: statements */
    ConnStatusType stage;              /* how far connecting had come */
    bool row_by_row;                   /* option: never more than one row of a result in memory */
    bool flushing;                     /* libpq could not send everything yet */
    bool unusable;                     /* in the middle of something nobody will end */
    bool touched;                      /* the session may not be as new */
    bool names_left;                   /* it may hold prepared statements that are not ours */
    uint64_t token; /* in the names of its statements: nobody else behind a pooler has the same */
    uint64_t last_number;
    uint64_t epoch;   /* statements of an older one are gone on the server */
    uint64_t session; /* resets of what was touched: literals may have meant something else before */
    uint64_t changes; /* of tables, by this session: older plans may fail, and end a transaction */
    bool changed;     /* in the transaction that is open */

    int syncs;          /* pipeline: ends of groups still to come */
    size_t command;     /* pipeline: whose result comes next */
    size_t n_closed;    /* pipeline: the first so many commands free names */
    size_t describe_at; /* pipeline: the command whose result is kept */
    size_t n_types;     /* of c->params, as sent with PREPARE; as many second choices behind them */
    bool guarded;       /* PREPARE stands behind a savepoint */
    bool insisted;      /* PREPARE was sent again, with other types */
    hy_status failed;   /* of what runs; HY_OK: nothing failed yet */
    hy_error error;
    PGresult *result; /* what is being read */
    int row, n_rows;
    bool more; /* row by row: the server has more to say */
    int64_t affected;

    uint64_t *closing; /* numbers of statements the server may forget */
    size_t n_closing, closing_capacity;
    hy__postgres_own_type *own_types;
    void *params; /* of the statement being sent */
    size_t params_size;
    hy_buf text, item; /* work space of decoders */
    hy_arena scratch;  /* decoded bytes of the current row, or parameters being sent */
    char first_scratch[1024];
};

static inline hy__postgres *hy__postgres_of(hy_connection *c)
{
    return (hy__postgres *)(void *)c;
}

static inline hy__postgres_statement *hy__postgres_statement_of(hy_statement *s)
{
    return (hy__postgres_statement *)(void *)s;
}

static inline bool hy__postgres_has(const hy__postgres_statement *s, unsigned trait)
{
    return (s->traits & trait) != 0;
}

/** A result is there, or nothing more will come: PQgetResult() does not wait. */
bool hy__postgres_has_result(hy__postgres *c);
/** Fill `wait`; HY_AGAIN. */
hy_status hy__postgres_await(hy__postgres *c, hy_wait *wait);
/** Something is about to be sent: forget what was before. */
void hy__postgres_begin(hy__postgres *c, hy__postgres_pending what);
/** It was sent, or `sent` is 0. HY_AGAIN, or the failure. */
hy_status hy__postgres_sent(hy__postgres *c, int sent, hy_wait *wait, hy_error *err);
/** Read results to the end of what was sent: HY_OK, HY_AGAIN or the failure. */
hy_status hy__postgres_collect(hy__postgres *c, hy_wait *wait, hy_error *err);

/** The operation is over. */
void hy__postgres_end(hy__postgres *c);
void hy__postgres_drop_result(hy__postgres *c);
hy_status hy__postgres_refuse_child(hy_error *err);

hy_status hy__postgres_prepare(hy_connection *conn, hy_statement *statement, const char *sql, size_t size,
                               const hy_kind *kinds, size_t n_kinds, hy_wait *wait, hy_error *err);
hy_status hy__postgres_end_prepare(hy__postgres *c, hy_wait *wait, hy_error *err);
hy_status hy__postgres_end_types(hy__postgres *c, hy_wait *wait, hy_error *err);
void hy__postgres_statement_close(hy_connection *conn, hy_statement *statement);
/** True if the first n columns can all come in binary. */
bool hy__postgres_has_binary(const hy__postgres *c, const PGresult *result, int n);
/** Columns, names and kinds of the statement, from what describes them. */
hy_status hy__postgres_read_columns(hy__postgres *c, hy__postgres_statement *s, const PGresult *from,
                                    bool binary, hy_error *err);

hy_status hy__postgres_connect(hy__postgres *c, const hy_connect_config *config, hy_wait *wait,
                               hy_error *err);
hy_status hy__postgres_end_resolving(hy__postgres *c, hy_wait *wait, hy_error *err);
hy_status hy__postgres_go_on_connecting(hy__postgres *c, hy_wait *wait, hy_error *err);
hy_status hy__postgres_end_setup(hy__postgres *c, hy_wait *wait, hy_error *err);
bool hy__postgres_is_utc(const hy__postgres *c);

/** What a result that is an error says. `sql` (may be NULL) turns its position into bytes. */
hy_status hy__postgres_fail(const PGresult *result, const char *sql, hy_error *err);
/** libpq refused a call, or the connection broke (as PQstatus() tells). */
hy_status hy__postgres_fail_call(hy__postgres *c, hy_error *err);
/** Connecting failed while it was at `stage`. */
hy_status hy__postgres_fail_connect(hy__postgres *c, ConnStatusType stage, hy_error *err);
/** The failure of what ran, c->error, seen with the connection's state. */
hy_status hy__postgres_report(hy__postgres *c, hy_error *err);
/** True if the error says that a prepared statement is gone or does not fit any more. */
bool hy__postgres_is_stale(const PGresult *result);

/** Never NULL: a type that nobody knows is text. */
const hy__postgres_type *hy__postgres_type_of(const hy__postgres *c, Oid oid);
/** True if pg_type should be asked about it. */
bool hy__postgres_type_is_new(const hy__postgres *c, Oid oid);
/** Keep what a row of pg_type says. False: out of memory. */
bool hy__postgres_type_add(hy__postgres *c, Oid oid, char category, Oid element, char element_category);
void hy__postgres_types_clear(hy__postgres *c);
hy_status hy__postgres_refuse_value(const hy__postgres_type *type, const char *why, hy_error *err);
int64_t hy__postgres_int(const char *data, size_t size);

hy_status hy__postgres_array_binary(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                                    hy_value *out, hy_error *err);
hy_status hy__postgres_array_text(hy__postgres *c, const hy__postgres_type *type, hy__postgres_bytes in,
                                  hy_value *out, hy_error *err);

/** A JSON array as the text form of an array, appended to `out`. */
hy_status hy__postgres_array_literal(const char *json, size_t size, hy_buf *out, hy_error *err);

/** Parameters as libpq takes them; they live in c->params and c->scratch. */
typedef struct hy__postgres_params {
    const char **values;
    int *sizes, *formats;
} hy__postgres_params;

/** The type of a parameter of `kind`, 0: the server finds out. */
Oid hy__postgres_param_type(hy_kind kind, bool utc);
/** What it is when the server cannot find out. */
Oid hy__postgres_param_second_type(hy_kind kind);
/** Room for n parameters; NULL: out of memory. */
void *hy__postgres_params_reserve(hy__postgres *c, size_t size);
/** n parameters from the binds of n_rows rows; above one row each parameter is an array. */
hy_status hy__postgres_params_encode(hy__postgres *c, const PGresult *described, const hy_bind *binds,
                                     size_t n_rows, size_t n, hy__postgres_params *out, hy_error *err);

#endif
