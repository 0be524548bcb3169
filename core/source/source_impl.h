/*
 * source_impl.h - what the files of core/source share: the insides of a source, a lease and a
 * cursor. Programs and bindings see hysteria/source.h only.
 */
#ifndef HY_SOURCE_IMPL_H
#define HY_SOURCE_IMPL_H

#include <stdatomic.h>

#include <base/arena.h>
#include <base/worker.h>
#include <driver/stop.h>
#include <hysteria/source.h>
#include <sql/shape.h>

#include "pool.h"
#include "waiter.h"

enum { HY__NS_PER_MS = 1000000 };

struct hy_source {
    atomic_int references;
    const hy_driver *driver;
    const hy_dialect *dialect;
    hy_source_config config; /* strings in `memory`, defaults filled in */
    hy_arena memory;
    hy_worker *worker;
    hy_shapes *shapes; /* statements that were compiled */
    hy__pool pool;
    hy__gate writer; /* HY_DRIVER_SINGLE_WRITER: who may write */
    atomic_bool open;
    _Atomic hy_features features; /* 0: not learnt yet */
    atomic_int prepare;           /* hy_prepare */
    hy_observer observer;
    void *observer_ctx;
    atomic_uint_fast64_t last_event;
    atomic_uint_fast64_t last_stream;
};

/* ---- leases ----------------------------------------------------------------------------- */

typedef enum hy__lease_state {
    HY__LEASE_NONE,       /* holds nothing */
    HY__LEASE_QUEUED,     /* waits for a slot */
    HY__LEASE_CHECKING,   /* has a slot whose connection was not looked at yet */
    HY__LEASE_OPENING,    /* has a slot, its connection is to be made */
    HY__LEASE_CONNECTING, /* the driver is at it */
    HY__LEASE_RESETTING,  /* the driver cleans the session up */
    HY__LEASE_READY
} hy__lease_state;

struct hy_lease {
    hy_task task;
    hy__lease_state state;
    bool embedded; /* part of a cursor or transaction: never freed by itself */
    bool may_block;
    bool dirty;        /* raw SQL ran: the session may have changed */
    bool has_ticket;   /* it is inside source->writer */
    hy__return how;    /* what must happen when it comes back */
    hy_source *source; /* a reference, while state is not NONE */
    hy__slot *slot;    /* from CHECKING on */
    hy__waiter waiter;
    int64_t deadline; /* of getting the connection */
    int64_t connect_deadline;
    hy_link runs; /* hy_cursor: statements that are open on it */
};

void hy__lease_init(hy_lease *lease, bool embedded);
/** After hy__lease_end(). */
void hy__lease_clear(hy_lease *lease);
/** Begin to borrow; a failure leaves it holding nothing. `deadline`: HY_NO_DEADLINE or a point. */
hy_status hy__lease_begin(hy_lease *lease, hy_source *source, int64_t deadline, bool may_block,
                          const char *holder, hy_error *err);
hy_status hy__lease_step(hy_lease *lease, hy_wait *wait, hy_error *err);
/** Give everything back; open statements on it are finished first. Any state. */
void hy__lease_end(hy_lease *lease);
/** Look at the connection after an error and remember what it means for its return. */
hy_transaction_status hy__lease_after_error(hy_lease *lease, hy_status status);
/** The transaction on it is over: others may write. */
void hy__lease_leave_gate(hy_lease *lease);

static inline hy_connection *hy__lease_connection(const hy_lease *lease)
{
    return lease->slot->connection;
}

/** `now` plus milliseconds; `ms` 0 or less: HY_NO_DEADLINE. */
int64_t hy__deadline_in(int64_t ms);
static inline int64_t hy__earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- cursors ---------------------------------------------------------------------------- */

typedef enum hy__cursor_state {
    HY__CURSOR_IDLE,
    HY__CURSOR_ACQUIRE, /* the task's steps, in order */
    HY__CURSOR_COMPILE,
    HY__CURSOR_OPENING, /* a stream gets a transaction of its own */
    HY__CURSOR_PREPARE,
    HY__CURSOR_PREPARING,
    HY__CURSOR_TICKET,
    HY__CURSOR_EXECUTE,
    HY__CURSOR_EXECUTING,
    HY__CURSOR_CLOSING, /* a stream has come to its end, the server is told */
    HY__CURSOR_ROWS,    /* the task is finished, rows can be pulled */
    HY__CURSOR_DONE,    /* and there are no more */
    HY__CURSOR_CUT      /* its lease or transaction ended under it */
} hy__cursor_state;

/* Memory that grows and stays. */
typedef struct hy__block {
    void *data;
    size_t size;
} hy__block;

/* Rows that come so many at a time. */
typedef struct hy__stream {
    int64_t batch;   /* 0: this is no stream */
    uint64_t number; /* the result must not change under other statements, or has this number; 0: neither */
    bool declared;   /* the rows are fetched from a cursor of the server's, by its name */
    bool fetching;   /* it is declared: what runs is FETCH */
    bool block;      /* in a transaction that was begun for it */
    int64_t left;    /* rows of the batch that were not read yet */
    char fetch[80], close[48];
    hy_cursor *control; /* runs BEGIN, CLOSE and COMMIT */
    bool controlling;
} hy__stream;

struct hy_cursor {
    hy_task task;
    hy__cursor_state state;
    hy__stop stop;   /* hy_cursor_cancel() */
    hy_lease own;    /* when neither a transaction nor a lease was given */
    hy_lease *lease; /* the one it runs on; NULL when idle */
    hy_transaction *transaction;
    hy_link run;           /* in lease->runs */
    const hy_query *query; /* to be compiled once the features are known; else NULL */
    hy_compiler *compiler;
    hy_shape *shape; /* that the text was found by; NULL: the compiler has written it */
    hy_sql sql;
    bool cacheable;      /* the statement may be kept */
    bool waiting;        /* the driver answered HY_AGAIN to `next` */
    bool first;          /* a row is there that was not handed out */
    bool executed;       /* the driver needs a `finish` */
    bool commits;        /* it writes, outside of a transaction */
    bool midway;         /* a server is at it, and somebody waits for its answer */
    bool given_up;       /* before the database answered */
    bool unread;         /* it has answered, with something that cannot be read */
    bool prepared_again; /* once is enough */
    bool queued;         /* waits for the write ticket */
    bool overdue;        /* the deadline had passed when the driver was asked last */
    bool borrows_binds;  /* sql.binds are not copies: forget them at the end */
    bool known_columns;  /* sql.columns are copies */
    hy__cached *statement;
    hy_explain explain;
    int64_t timeout, deadline, ticket_deadline;
    int64_t limit, rows, affected, insert_id;
    hy__stream stream;   /* how rows come in batches; see stream.c */
    hy__block kinds;     /* of the binds: HY_DRIVER_TYPED_PARAMS */
    hy__block binds;     /* copies of binds and their bytes */
    hy__block columns;   /* hy_result_column of the result */
    hy__block names;     /* their names */
    uint64_t columns_of; /* hy_sql's, of what lies in these two; 0: look at them */
    const char *table;   /* the name of it, among these names */
    hy__block values;    /* hy_value of the current row */
    uint64_t event;      /* 0: nobody listens */
    int64_t started;
};

void hy__cursor_init(hy_cursor *cursor);
void hy__cursor_clear(hy_cursor *cursor);
/** Begin to run the engine's own text on a lease that is ready. `text` lives until the end. */
hy_status hy__cursor_start_text(hy_cursor *cursor, hy_lease *lease, const char *text, bool cacheable,
                                int64_t deadline, hy_error *err);
/** The text of a query, found or written. */
hy_status hy__cursor_compile(hy_cursor *cursor, const hy_source *source, const hy_query *query,
                             hy_error *err);
/** What belongs to the query may be gone from here on. */
void hy__cursor_forget(hy_cursor *cursor);
/* cursor_data.c: copies of what the query owns, at the cursor's sql. */
hy_status hy__cursor_keep_binds(hy_cursor *cursor, bool must_copy, hy_error *err);
hy_status hy__cursor_list_kinds(hy_cursor *cursor, const hy_kind **kinds, size_t *n, hy_error *err);
/** The result's columns: as the query told them, or the driver where the query could not. */
hy_status hy__cursor_keep_columns(hy_cursor *cursor, hy_error *err);
/* stream.c */
void hy__stream_begin(hy_cursor *cursor, hy_source *source, const hy_run_options *options);
/** The compiled statement is of a kind that can be a stream. */
hy_status hy__stream_check(const hy_cursor *cursor, hy_error *err);
/** The cursor is declared: from now on it is fetched from. */
void hy__stream_declared(hy_cursor *cursor);
hy_status hy__stream_open(hy_cursor *cursor, hy_wait *wait, hy_error *err);
hy_status hy__stream_close(hy_cursor *cursor, hy_wait *wait, hy_error *err);
/** What runs beside it ends. */
void hy__stream_drop(hy_cursor *cursor);
/** Does its connection wait for nothing of it? */
bool hy__stream_is_aside(const hy_cursor *cursor);
/** Its lease ends: drop the statement, keep the cursor. */
void hy__cursor_cut(hy_cursor *cursor);

/* ---- transactions ----------------------------------------------------------------------- */

/** HY_OK if a statement may start in it; else HY_ETRANSACTION_ABORTED and so on. */
hy_status hy__transaction_admit(const hy_transaction *trx, hy_error *err);
bool hy__transaction_is_read_only(const hy_transaction *trx);
/** A statement of it has ended so: look what that did to the transaction. */
void hy__transaction_after(hy_transaction *trx, const hy_sql *sql, hy_status status);

#endif
