/*
 * source.h - a data source: a pool of connections to one database, the statements that run
 * on them, and transactions.
 *
 * Everything that can wait is a *task*: its `..._start` function begins, then advance it
 * until it answers something else than HY_AGAIN. Who waits between is the caller's choice:
 * hy_task_run() blocks in poll(); a coroutine yields; an event loop polls for many. So there
 * is one way through the engine for all of them. Every task has one time budget that covers
 * queueing, connecting, execution and fetching.
 *
 * A source and its pool may be used by any number of threads; a lease, cursor or
 * transaction belongs to one thread at a time.
 */
#ifndef HYSTERIA_SOURCE_H
#define HYSTERIA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/driver.h>
#include <hysteria/error.h>
#include <hysteria/export.h>
#include <hysteria/query.h>
#include <hysteria/value.h>

HY_BEGIN_DECLS

typedef struct hy_source hy_source;
typedef struct hy_lease hy_lease;   /* a borrowed connection */
typedef struct hy_cursor hy_cursor; /* a running statement and its rows */
typedef struct hy_transaction hy_transaction;

/* ---- tasks ----------------------------------------------------------------------------- */

typedef struct hy_task hy_task;
struct hy_task {
    hy_status (*step)(hy_task *task, hy_wait *wait, hy_error *err);
};
/** One step: HY_OK when finished, HY_AGAIN with `*wait` filled, or the failure. */
static inline hy_status hy_task_advance(hy_task *task, hy_wait *wait, hy_error *err)
{
    return task->step(task, wait, err);
}
/** Advance and block until finished. */
HY_API hy_status hy_task_run(hy_task *task, hy_error *err);

/* ---- source ---------------------------------------------------------------------------- */

typedef struct hy_pool_config {
    int max;                 /* connections at most; 0: 10 */
    int min;                 /* kept open when idle */
    int64_t acquire_timeout; /* ms a call waits for a connection; 0: 30000; -1: for ever */
    int64_t idle_timeout;    /* ms; 0: 600000; -1: never. No thread watches: see below */
    int64_t max_lifetime;    /* ms, less up to a tenth at random; 0: 1800000; -1: none */
} hy_pool_config;

/*
 * An idle connection that is overdue is closed by the next call that uses the pool or asks for its
 * figures, and none is lent. A process that makes no call at all keeps what it has.
 */

/*
 * What of a statement stays on a PostgreSQL server: there, kept ones have names. MariaDB and MySQL
 * prepare whatever has rows or parameters, SQLite everything; they know only OFF.
 */
typedef enum hy_prepare {
    HY_PREPARE_AUTO,    /* a text gets a name when a connection sees it the second time */
    HY_PREPARE_NAMED,   /* at once */
    HY_PREPARE_UNNAMED, /* never: for poolers that lend the server's session by the transaction */
    HY_PREPARE_OFF      /* never, and no statement is kept on this side either */
} hy_prepare;

/** What hy_source_open() needs. Zero means the default. All strings are copied. */
typedef struct hy_source_config {
    const char *type; /* "sqlite" "postgres" "mysql" "mariadb" "cockroachdb" */
    hy_connect_config connect;
    hy_pool_config pool;
    int64_t connect_timeout;   /* ms; 0: 10000 */
    int64_t statement_timeout; /* ms a call may take in all; 0: no limit */
    int statement_cache;       /* statements kept per connection; 0: 64; -1: none */
    hy_prepare prepare;
    const char *name;        /* for messages and observers; NULL: the type */
    const hy_driver *driver; /* instead of the type's own: tests */
} hy_source_config;

/**
 * Make a source with one reference. Nothing is connected yet. HY_EUNSUPPORTED_DATABASE_TYPE,
 * HY_EDRIVER_NOT_FOUND (naming the package) or HY_EINVALID_CONFIG.
 */
HY_API hy_status hy_source_open(const hy_source_config *config, hy_source **out, hy_error *err);
HY_API hy_source *hy_source_ref(hy_source *source);
/** Give a reference back. The last one closes and frees. NULL is fine. */
HY_API void hy_source_unref(hy_source *source);
/**
 * Refuse new work (HY_ECLOSED), wake waiters with it, close idle connections; leased ones
 * are closed when they come back. Idempotent. Never waits.
 */
HY_API void hy_source_close(hy_source *source);
HY_API bool hy_source_is_open(const hy_source *source);
HY_API const hy_dialect *hy_source_dialect(const hy_source *source);
/** What the server can do: learnt at the first connection, before it the oldest supported. */
HY_API hy_features hy_source_features(const hy_source *source);
/** As configured, or UNNAMED since the server turned out not to keep names (with AUTO, a pooler). */
HY_API hy_prepare hy_source_prepare(const hy_source *source);
HY_API const char *hy_source_type(const hy_source *source);
/** Its database is one connection's own (SQLite in memory): there is one, for good. */
HY_API bool hy_source_is_private(const hy_source *source);
HY_API const char *hy_source_name(const hy_source *source);

/** A consistent snapshot. Counters only grow. */
typedef struct hy_pool_stats {
    int size, idle, leased, connecting, max;
    int waiting; /* calls, for a connection or for their turn to write */
    uint64_t acquired, waited, timeouts, created, closed;
    uint64_t discarded; /* came back unusable */
    uint64_t refused;   /* connects for which the server had no room */
} hy_pool_stats;
HY_API void hy_source_stats(hy_source *source, hy_pool_stats *out);

/* What happens on a source, told after it happened (before: for statements, with `before`). */
typedef struct hy_event {
    uint64_t id; /* the same for before and after */
    bool before;
    const hy_sql *sql; /* borrowed for the call */
    int64_t duration_ns;
    int64_t rows;          /* fetched so far, or affected by a write */
    const hy_error *error; /* NULL: fine */
} hy_event;
/**
 * Called in the thread that runs the statement, with no lock held. One function per source;
 * set before use; NULL removes it.
 */
typedef void (*hy_observer)(void *ctx, const hy_event *event);
HY_API void hy_source_set_observer(hy_source *source, hy_observer observer, void *ctx);

/* ---- leases ---------------------------------------------------------------------------- */

/**
 * Begin to borrow a connection. `timeout` ms for the whole wait, 0: the pool's. The object is
 * the caller's from here: hy_lease_release() it whatever happens. FIFO: who asks first is
 * served first. Fails with HY_EPOOL_TIMEOUT, HY_ECLOSED, HY_EPOOL_SELF_DEADLOCK (a blocking
 * wait while this thread itself holds every connection) or the connect error.
 * `may_block` tells that the caller will block this thread while waiting.
 */
HY_API hy_status hy_lease_start(hy_source *source, int64_t timeout, bool may_block, hy_lease **out,
                                hy_error *err);
HY_API hy_task *hy_lease_task(hy_lease *lease);
/** Remember who holds it ("file:line"), for POOL_SELF_DEADLOCK and leak messages. Copied, cut. */
HY_API void hy_lease_set_holder(hy_lease *lease, const char *where);
/**
 * Give it back: clean (no transaction open) it goes to the next waiter or the idle list, else
 * it is rolled back, or closed when that is not possible at once. Never waits. NULL is fine.
 */
HY_API void hy_lease_release(hy_lease *lease);
HY_API hy_connection *hy_lease_connection(hy_lease *lease);
HY_API hy_source *hy_lease_source(hy_lease *lease);
/** Blocking: start and run. */
HY_API hy_status hy_source_acquire(hy_source *source, int64_t timeout, hy_lease **out, hy_error *err);

/* ---- cursors --------------------------------------------------------------------------- */

typedef struct hy_run_options {
    hy_transaction *transaction; /* NULL: on a connection of its own */
    hy_lease *lease;             /* or on this lease, which stays the caller's */
    int64_t timeout;             /* ms in all; 0: the source's */
    int64_t limit;               /* above 0: at most so many rows (hy_compile_options.limit) */
    int64_t batch;               /* above 0: a stream, see hy_cursor_start() */
    hy_explain explain;          /* hy_compile_options.explain */
    bool may_block;              /* as in hy_lease_start */
    const char *holder;          /* as in hy_lease_set_holder */
} hy_run_options;

/**
 * A reusable object that runs one statement at a time. Keeps its working memory between
 * runs, so hold on to it. NULL: out of memory.
 */
HY_API hy_cursor *hy_cursor_new(void);
/** Also finishes what runs. NULL is fine. */
HY_API void hy_cursor_free(hy_cursor *cursor);
/**
 * Compile the query for the source and begin to run it. HY_OK means "begun": advance
 * hy_cursor_task() until it answers HY_OK, then rows can be pulled. After a failure, of this
 * or of any later call, the cursor is idle again and its connection given back.
 * The query may be changed or freed once the task is finished.
 *
 * With `batch` the rows of a SELECT never lie in memory all at once, and the timeout is that of
 * each batch. On its own connection that is how the database gives them, or a cursor of the
 * server's in a transaction begun for it. In a transaction they are what the query found when it
 * began, whatever is written meanwhile, and other statements may run whenever a multiple of
 * `batch` rows was read; on a lease, where the database needs a transaction, there must be one.
 */
HY_API hy_status hy_cursor_start(hy_cursor *cursor, hy_source *source, const hy_query *query,
                                 const hy_run_options *options, hy_error *err);
/**
 * The same for what was compiled before, with the dialect, the features and the limit that it will
 * run with. Binds are copied; text and columns are borrowed until the cursor runs something else
 * or is freed.
 */
HY_API hy_status hy_cursor_start_compiled(hy_cursor *cursor, hy_source *source, const hy_sql *sql,
                                          const hy_run_options *options, hy_error *err);
/** The same for raw text with `?` or `:name` (see hy_compile_raw); binds are copied. */
HY_API hy_status hy_cursor_start_raw(hy_cursor *cursor, hy_source *source, const char *text, size_t size,
                                     const hy_bind *binds, const char *const *names, size_t n_binds,
                                     const hy_run_options *options, hy_error *err);
HY_API hy_task *hy_cursor_task(hy_cursor *cursor);
/**
 * The next row: HY_OK with `*row` pointing at hy_cursor_n_columns() values as the driver gave
 * them, valid until the next call; HY_DONE; HY_AGAIN (wait, then call again); or a failure.
 * At HY_DONE the connection has already gone back.
 */
HY_API hy_status hy_cursor_next(hy_cursor *cursor, const hy_value **row, hy_wait *wait, hy_error *err);
/** Known once the task is finished. */
HY_API size_t hy_cursor_n_columns(const hy_cursor *cursor);
HY_API const hy_result_column *hy_cursor_columns(const hy_cursor *cursor);
/** What ran: valid until the cursor is started again. */
HY_API const hy_sql *hy_cursor_sql(const hy_cursor *cursor);
/** Rows matched (UPDATE, DELETE) or stored. After HY_DONE. */
HY_API int64_t hy_cursor_affected(const hy_cursor *cursor);
HY_API int64_t hy_cursor_insert_id(const hy_cursor *cursor);
/** Drop the rest and give the connection back. An idle cursor is fine. */
HY_API void hy_cursor_finish(hy_cursor *cursor);
/**
 * Before the last row of a stream: is there something to tell the server first? True: advance
 * hy_cursor_task() until it ends, then the cursor is finished. False: hy_cursor_finish() is all.
 * Without it a transaction keeps what it holds of the stream until it ends.
 */
HY_API bool hy_cursor_leave(hy_cursor *cursor);
/**
 * From any thread, while the cursor exists: what it runs ends soon with HY_EQUERY_CANCELED, also
 * when it still waits for a connection or the server is frozen; a write by itself that the server
 * was busy with ends with HY_EOUTCOME_UNKNOWN. When nothing runs, nothing happens. It never hits
 * another statement: one that a server was busy with costs its connection (a transaction is
 * rolled back), and the server is told to stop behind the caller's back.
 */
HY_API void hy_cursor_cancel(hy_cursor *cursor);
/** Blocking: start and run the task; rows follow with hy_cursor_fetch(). */
HY_API hy_status hy_cursor_query(hy_cursor *cursor, hy_source *source, const hy_query *query,
                                 const hy_run_options *options, hy_error *err);
/** Blocking hy_cursor_next(): HY_OK, HY_DONE or a failure. */
HY_API hy_status hy_cursor_fetch(hy_cursor *cursor, const hy_value **row, hy_error *err);
/** Blocking: run a query to its end, for writes. `affected` may be NULL. */
HY_API hy_status hy_source_execute(hy_source *source, const hy_query *query, const hy_run_options *options,
                                   int64_t *affected, hy_error *err);
/** Blocking: run raw text to its end. */
HY_API hy_status hy_source_execute_raw(hy_source *source, const char *text, const hy_bind *binds,
                                       size_t n_binds, const hy_run_options *options, int64_t *affected,
                                       hy_error *err);

/* ---- transactions ---------------------------------------------------------------------- */

typedef enum hy_isolation {
    HY_ISOLATION_DEFAULT,
    HY_ISOLATION_READ_UNCOMMITTED,
    HY_ISOLATION_READ_COMMITTED,
    HY_ISOLATION_REPEATABLE_READ,
    HY_ISOLATION_SERIALIZABLE
} hy_isolation;

typedef struct hy_transaction_options {
    hy_isolation isolation; /* SQLite: only DEFAULT and SERIALIZABLE */
    bool read_only;
    bool deferrable; /* PostgreSQL, with SERIALIZABLE and read_only */
    int64_t timeout; /* ms to get a connection and begin; 0: the source's */
    bool may_block;
    const char *holder;
} hy_transaction_options;

typedef enum hy_transaction_state {
    HY_TRX_ACTIVE,
    HY_TRX_FAILED,   /* only rollback, or rollback to a savepoint, is accepted */
    HY_TRX_FINISHED, /* committed or rolled back */
    HY_TRX_UNKNOWN   /* the connection broke during COMMIT */
} hy_transaction_state;

/**
 * Begin. The object is the caller's: hy_transaction_free() it whatever happens. Advance
 * hy_transaction_task() until it answers HY_OK; statements then name it in hy_run_options.
 */
HY_API hy_status hy_transaction_start(hy_source *source, const hy_transaction_options *options,
                                      hy_transaction **out, hy_error *err);
HY_API hy_task *hy_transaction_task(hy_transaction *trx);
/**
 * Start to end it (advance the same task). Commit fails with HY_ETRANSACTION_ABORTED when the
 * database rolled back instead, HY_EOUTCOME_UNKNOWN when the connection broke meanwhile,
 * HY_ETRANSACTION_NOT_ACTIVE when it is finished. Both fail with HY_ETRANSACTION_ABORTED when a
 * statement has ended it, which on MariaDB and MySQL those that change tables do: they commit.
 * Open savepoints end with it. The connection goes back in every case but a failed start.
 */
HY_API hy_status hy_transaction_commit(hy_transaction *trx, hy_error *err);
HY_API hy_status hy_transaction_rollback(hy_transaction *trx, hy_error *err);
/**
 * Start to set a savepoint, release it, or go back to it (advance the same task). Savepoints
 * are a stack; `depth` is what hy_transaction_savepoint() gave (1 for the first). Releasing
 * or going back ends every deeper one; going back keeps none of `depth` either, and revives
 * a failed transaction.
 */
HY_API hy_status hy_transaction_savepoint(hy_transaction *trx, size_t *depth, hy_error *err);
HY_API hy_status hy_transaction_release(hy_transaction *trx, size_t depth, hy_error *err);
HY_API hy_status hy_transaction_rollback_to(hy_transaction *trx, size_t depth, hy_error *err);
/**
 * From now on the transaction counts as failed, at once and whatever else goes wrong, until it goes
 * back to the savepoint of that depth or to one around it; depth 0: to its end. For who is about to go back
 * and may not come to it. Of a transaction that is over: nothing.
 */
HY_API void hy_transaction_doom(hy_transaction *trx, size_t depth);
HY_API hy_transaction_state hy_transaction_get_state(const hy_transaction *trx);
/**
 * Does a statement of it wait for its answer? Who ends it then cuts that off, and may close the descriptor
 * that somebody polls for it: from then on nothing would ever happen there.
 */
HY_API bool hy_transaction_is_busy(const hy_transaction *trx);
HY_API size_t hy_transaction_depth(const hy_transaction *trx);
HY_API hy_source *hy_transaction_source(const hy_transaction *trx);
HY_API hy_lease *hy_transaction_lease(hy_transaction *trx);
/** Rolls back if still open (without waiting: the connection is closed if need be). NULL is fine. */
HY_API void hy_transaction_free(hy_transaction *trx);
/** Blocking forms. */
HY_API hy_status hy_source_begin(hy_source *source, const hy_transaction_options *options,
                                 hy_transaction **out, hy_error *err);
HY_API hy_status hy_transaction_run(hy_transaction *trx, hy_error *err); /* the task of the last start */

HY_END_DECLS
#endif
