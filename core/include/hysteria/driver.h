/*
 * driver.h - how bytes move: what a database driver provides.
 *
 * For those who write drivers; programs use source.h. A driver knows its client library and
 * this table, no SQL dialect and no Lua. Nothing in it waits: what cannot finish returns
 * HY_AGAIN and says in hy_wait what it needs; `advance` goes on. On one connection one thing
 * runs at a time. The caller pulls rows; a driver never calls back.
 */
#ifndef HYSTERIA_DRIVER_H
#define HYSTERIA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/error.h>
#include <hysteria/export.h>
#include <hysteria/value.h>

HY_BEGIN_DECLS

/* QUEUED says why, to whoever wants to know: for its turn, behind others of this program. */
enum { HY_WAIT_READ = 1, HY_WAIT_WRITE = 2, HY_WAIT_QUEUED = 4 };
#define HY_NO_DEADLINE INT64_MAX

/** What HY_AGAIN waits for: the descriptor, or the point in time, whichever comes first. */
typedef struct hy_wait {
    int fd;           /* -1: nothing but time */
    int events;       /* HY_WAIT_... */
    int64_t deadline; /* hy_monotonic_ns(); HY_NO_DEADLINE: none */
} hy_wait;

/** Block in poll() until the descriptor is ready (true) or the deadline has passed (false). */
HY_API bool hy_wait_block(const hy_wait *wait);

/* Where a connection stands, as the server sees it. */
typedef enum hy_transaction_status {
    HY_TRANSACTION_IDLE,   /* none open */
    HY_TRANSACTION_ACTIVE, /* open and usable */
    HY_TRANSACTION_FAILED, /* open, but only a rollback is accepted */
    HY_TRANSACTION_UNKNOWN /* the connection is broken */
} hy_transaction_status;

/** Everything needed to open a connection. Strings are borrowed, NULL: not given. */
typedef struct hy_connect_config {
    const char *host;
    int port; /* 0: the database's own */
    const char *user, *password, *database;
    const char *schema;
    const char *application_name;
    const char *timezone;                               /* of the session */
    const char *ssl_mode, *ssl_ca, *ssl_cert, *ssl_key; /* libpq's mode names */
    bool read_only;                                     /* SQLite: this connection never writes */
    const struct hy_connect_option *options;            /* driverOptions, in order */
    size_t n_options;
} hy_connect_config;
typedef struct hy_connect_option {
    const char *name, *value;
} hy_connect_option;

typedef struct hy_driver hy_driver;

/* What its database is like. The pool and transactions ask these, never a name. */
typedef unsigned hy_driver_flags;
enum {
    /* One connection writes at a time: writers queue for a ticket, transactions begin
     * IMMEDIATE, and hy_statement.read_only is exact. */
    HY_DRIVER_SINGLE_WRITER = 1 << 0,
    HY_DRIVER_INTERLEAVES = 1 << 1,     /* several statements of a connection may have open results */
    HY_DRIVER_TYPED_PARAMS = 1 << 2,    /* a prepared statement depends on the kinds of its binds */
    HY_DRIVER_BEGIN_MODES = 1 << 3,     /* BEGIN ISOLATION LEVEL ... READ ONLY DEFERRABLE */
    HY_DRIVER_SET_TRANSACTION = 1 << 4, /* SET TRANSACTION ISOLATION LEVEL ..., START TRANSACTION READ ONLY */
    HY_DRIVER_RESET_ROLLS_BACK = 1 << 5, /* `reset` also ends a transaction that is open */
    HY_DRIVER_DDL_COMMITS = 1 << 6, /* what changes tables commits first, and has done so if it then fails */
    HY_DRIVER_NAMES_STATEMENTS = 1 << 7, /* the server keeps prepared ones, unless hy_statement.unnamed */
    /* A result comes as a whole, and in parts only from a cursor that was declared by name. */
    HY_DRIVER_DECLARES_CURSORS = 1 << 8
};

/** A connection: this head, then driver->connection_size bytes in all. Zeroed by the caller. */
typedef struct hy_connection {
    const hy_driver *driver;
    int64_t deadline;           /* of what is running; drivers that cannot wait watch it themselves */
    const struct hy_stop *stop; /* likewise: see hy_connection_is_stopped(); NULL: nobody can */
    struct hy_worker *worker;   /* threads for what can only be done blocking; NULL: there are none */
    int server_version;         /* major * 10000 + minor * 100 + patch, after connecting */
    bool takes_rows;            /* after connecting: `execute` takes the binds of many rows at once */
    bool began_anew; /* after `execute`: it ended the transaction that was open, and another one is open */
} hy_connection;
/** True if somebody wants what runs to end. For drivers whose calls take long by themselves. */
HY_API bool hy_connection_is_stopped(const hy_connection *c);

/** A prepared statement: this head, then driver->statement_size bytes in all. Zeroed. */
typedef struct hy_statement {
    size_t n_params;
    size_t n_columns;
    const char *const *column_names; /* owned by the driver until statement_close */
    const hy_kind *column_kinds;     /* HY_KIND_ANY where the client library does not tell */
    bool read_only;                  /* cannot change the database */
    bool stale;                      /* `execute` failed, nothing ran: prepare again */
    bool unnamed;                    /* set before `prepare`: leave nothing on the server */
    /* Set before `execute`: above 0, the server keeps the result and gives so many rows at a time, and
     * other statements may run in between. Drivers whose results do so by themselves need not look. */
    size_t fetch_size;
    bool forgotten; /* a call failed: the server forgets what it should keep (poolers) */
} hy_statement;

struct hy_driver {
    const char *name;    /* "sqlite" */
    const char *package; /* Debian package of its client library, for messages */
    hy_driver_flags flags;
    size_t connection_size; /* sizeof the driver's struct that begins with hy_connection */
    size_t statement_size;  /* likewise for hy_statement */

    /* connection */
    /* Each connection would be a database of its own: the pool keeps exactly one, for good. */
    bool (*is_private)(const hy_connect_config *config);
    /* Start connecting: HY_OK, HY_AGAIN or a failure (then only `close` may follow). The configuration
     * stays as it is until connecting has ended. */
    hy_status (*connect)(hy_connection *c, const hy_connect_config *config, hy_wait *wait, hy_error *err);
    /* Go on with whatever returned HY_AGAIN last (connect, prepare, execute, next, reset). */
    hy_status (*advance)(hy_connection *c, hy_wait *wait, hy_error *err);
    /* Free everything, statements must be closed before. Never waits, never fails. What the server
     * still does for the connection is stopped, by the worker. */
    void (*close)(hy_connection *c);
    /* Cheap: looks at the socket, sends nothing. */
    bool (*is_alive)(hy_connection *c);
    /* At check-in, sends nothing: is nothing of earlier statements on its way any more? */
    bool (*is_idle)(hy_connection *c);
    /* After any error and at check-in: the server's truth. */
    hy_transaction_status (*transaction_status)(hy_connection *c);
    /* Make the session as new (no transaction is open, unless it rolls back). May be HY_AGAIN. */
    hy_status (*reset)(hy_connection *c, hy_wait *wait, hy_error *err);

    /* statements */
    /* kinds: what the binds will be (n_kinds of them). */
    hy_status (*prepare)(hy_connection *c, hy_statement *s, const char *sql, size_t size,
                         const hy_kind *kinds, size_t n_kinds, hy_wait *wait, hy_error *err);
    /*
     * Bind and run up to the first row. The binds stay valid until `finish`. Where the
     * connection takes rows, there may be several times n_params: those of one row after the other.
     * HY_OK: there is a row (see `row`); HY_DONE: there is none; HY_AGAIN; or a failure.
     */
    hy_status (*execute)(hy_connection *c, hy_statement *s, const hy_bind *binds, size_t n_binds,
                         hy_wait *wait, hy_error *err);
    /* The current row's values, n_columns of them, valid until the next call on `c`. */
    hy_status (*row)(hy_connection *c, hy_statement *s, hy_value *values, hy_error *err);
    /* Step to the next row: as execute. n_columns may change at the first row, not later. */
    hy_status (*next)(hy_connection *c, hy_statement *s, hy_wait *wait, hy_error *err);
    /* Drop the rest of the result; the statement may be executed again. After any execute. */
    void (*finish)(hy_connection *c, hy_statement *s);
    /* Rows matched or changed by, and the key made by, what ran last. */
    int64_t (*affected)(hy_connection *c);
    int64_t (*insert_id)(hy_connection *c);
    void (*statement_close)(hy_connection *c, hy_statement *s);
};

HY_END_DECLS
#endif
