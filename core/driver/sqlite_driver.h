/*
 * sqlite_driver.h - what the files of the SQLite driver share.
 *
 * sqlite.c: statements and the table; sqlite_open.c: opening and settings; sqlite_errors.c:
 * SQLite's codes and texts into ours; sqlite_functions.c: exact decimals. No SQL dialect.
 */
#ifndef HY_SQLITE_DRIVER_H
#define HY_SQLITE_DRIVER_H

#include <sqlite3.h>

#include <base/buf.h>
#include <hysteria/driver.h>

#include "fork_guard.h"

typedef struct hy__sqlite_statement {
    hy_statement head;
    sqlite3_stmt *stmt;
    void *columns;        /* one block: names, kinds and the names' text */
    int reprepared;       /* how often SQLite had prepared it again when `columns` was read */
    bool touches_session; /* PRAGMA, ATTACH, temporary tables... */
    char *scratch;        /* HY__SQLITE_SCRATCH bytes per parameter; NULL until one needs it */
} hy__sqlite_statement;

enum { HY__SQLITE_SCRATCH = 40 }; /* the longest is a UUID */

/* What `advance` goes on with after HY_AGAIN: always a database that was busy. */
typedef enum hy__sqlite_pending {
    HY__SQLITE_IDLE,
    HY__SQLITE_SETUP,
    HY__SQLITE_PREPARE,
    HY__SQLITE_STEP
} hy__sqlite_pending;

typedef struct hy__sqlite {
    hy_connection head;
    sqlite3 *db;
    hy__fork_guard guard;
    hy_buf setup;         /* settings of the session: statements, each with its NUL */
    size_t setup_at;      /* the one that runs */
    bool checks_mode;     /* journal_mode was asked for by name: it must come true */
    int64_t busy_timeout; /* ns */

    hy__sqlite_pending pending;
    hy__sqlite_statement *statement; /* of PREPARE and STEP */
    const char *sql;                 /* of PREPARE, the caller's */
    size_t sql_size;
    int64_t busy_until;
    unsigned busy_tries;

    bool timed_out; /* the progress handler stopped the statement */
    bool session_touched;
    bool is_private;        /* the database ends with the connection */
    int64_t changes_before; /* sqlite3_total_changes64() when the statement began */
} hy__sqlite;

/** The failure `rc` of what ran last on `c`, as an error. `c->db` may be NULL. */
hy_status hy__sqlite_fail(hy__sqlite *c, int rc, hy_error *err);
/** `rc` means: somebody else holds a lock that waiting may free. */
bool hy__sqlite_is_busy(int rc);
/** HY_AGAIN with a back-off in `wait`, or HY_ELOCK_TIMEOUT. */
hy_status hy__sqlite_wait(hy__sqlite *c, hy_wait *wait, hy_error *err);
/** Forget earlier waits: something new begins. */
void hy__sqlite_wait_begin(hy__sqlite *c);

bool hy__sqlite_is_private(const hy_connect_config *config);
hy_status hy__sqlite_open(hy__sqlite *c, const hy_connect_config *config, hy_wait *wait, hy_error *err);
/** Run what is left of c->setup. */
hy_status hy__sqlite_setup(hy__sqlite *c, hy_wait *wait, hy_error *err);
/** Settings as after opening; temporary tables and attached databases are gone. */
hy_status hy__sqlite_restore(hy__sqlite *c, hy_wait *wait, hy_error *err);
/** Offset of the first byte of `sql` that is no space, comment or semicolon; `size` if none. */
size_t hy__sqlite_skip(const char *sql, size_t size);
/** True if SQL of this beginning may change what a session is. */
bool hy__sqlite_touches_session(const char *sql, size_t size);

/** Add the hysteria_ collation and functions to a database. SQLite's code. */
int hy__sqlite_add_functions(sqlite3 *db);
int hy__sqlite_add_json(sqlite3 *db);
int hy__sqlite_add_regexp(sqlite3 *db);

#endif
