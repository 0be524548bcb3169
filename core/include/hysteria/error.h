/*
 * error.h - status codes and the error a failing call fills in.
 *
 * One closed list serves C and Lua: HY_EUNIQUE_VIOLATION here is the string
 * "UNIQUE_VIOLATION" in a Lua error's `code`. Names of tables, columns and features are
 * never built into codes; they are fields of hy_error.
 */
#ifndef HYSTERIA_ERROR_H
#define HYSTERIA_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include <hysteria/export.h>

HY_BEGIN_DECLS

/* What sort of trouble it is: decides what a caller can do about it. */
typedef enum hy_error_class {
    HY_CLASS_USAGE,           /* the program is wrong: fix the call */
    HY_CLASS_DATA,            /* the data is refused: fix the data */
    HY_CLASS_CONNECTION,      /* no answer from the database: try later */
    HY_CLASS_TRANSACTION,     /* the transaction is over: run it again as a whole */
    HY_CLASS_OUTCOME_UNKNOWN, /* it may or may not have happened: look before repeating */
    HY_CLASS_MIGRATION,       /* schema tooling */
    HY_CLASS_COUNT
} hy_error_class;

/*
 * X(name, number, class, text). Numbers never change once released; 0 is success and the
 * two control codes (-1, -2) are no failures.
 */
#define HY_STATUS_MAP(X)                                                                  \
    X(OUT_OF_MEMORY, -10, USAGE, "out of memory")                                         \
    X(INVALID_ARGUMENT, -11, USAGE, "an argument has the wrong type or value")            \
    X(NIL_VALUE, -12, USAGE, "nil where a value is expected")                             \
    X(UNKNOWN_OPTION, -13, USAGE, "no such option")                                       \
    X(UNSUPPORTED, -14, USAGE, "this database cannot do that")                            \
    X(MISSING_WHERE, -15, USAGE, "a write without a condition")                           \
    X(RESERVED_NAME, -16, USAGE, "the name is taken by the engine")                       \
    X(CLOSED, -17, USAGE, "used after close")                                             \
    X(INVALID_IDENTIFIER, -18, USAGE, "not a usable identifier")                          \
    X(LIMIT_EXCEEDED, -19, USAGE, "too large, too deep or too many")                      \
    X(DRIVER_NOT_FOUND, -21, USAGE, "the driver is not built in")                         \
    X(UNSUPPORTED_DATABASE_TYPE, -22, USAGE, "no such database type")                     \
    X(INVALID_CONFIG, -23, USAGE, "the configuration cannot be used")                     \
    X(DEVELOPMENT_ERROR, -24, USAGE, "nothing can go on, or a mistake in the engine")     \
    X(MODEL_ALREADY_DEFINED, -30, USAGE, "a model of that name exists")                   \
    X(MODEL_NOT_FOUND, -31, USAGE, "no model of that name")                               \
    X(INVALID_MODEL, -32, USAGE, "the model's definition is wrong")                       \
    X(MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED, -33, USAGE, "the primary key is declared twice") \
    X(MODEL_HAS_NO_PRIMARY_KEY, -34, USAGE, "the model has no primary key")               \
    X(MODEL_HAS_NO_PRIMARY_KEY_VALUE, -35, USAGE, "the record has no primary key value")  \
    X(PRIMARY_KEY_NOT_FOUND, -36, USAGE, "a primary key is needed here")                  \
    X(RELATION_NOT_FOUND, -37, USAGE, "no such relation")                                 \
    X(RELATION_NOT_LOADED, -39, USAGE, "the relation was not loaded")                     \
    X(DUPLICATE_MODEL_KEYS, -40, USAGE, "an embedded model's key is taken")               \
    X(GUARDED_COLUMN, -41, USAGE, "the column is guarded")                                \
    X(SCOPE_NOT_FOUND, -42, USAGE, "no such scope")                                       \
    X(MISSING_ALIAS_FOR_SUBQUERY, -43, USAGE, "a subquery in FROM needs an alias")        \
    X(INVALID_PAGINATION_PARAMETERS, -44, USAGE, "page and size must be positive")        \
    X(CONFLICT_COLUMNS_NOT_PRESENT_IN_DATA, -45, USAGE, "a row lacks a conflict column")  \
    X(NOT_SEARCHABLE, -47, USAGE, "the column is stored hashed or encrypted")             \
    X(CONNECTION_NOT_ESTABLISHED, -50, USAGE, "not connected")                            \
    X(CONNECTION_ALREADY_ESTABLISHED, -51, USAGE, "already connected")                    \
    X(GLOBAL_TRANSACTION_NOT_STARTED, -52, USAGE, "no global transaction")                \
    X(GLOBAL_TRANSACTION_ALREADY_STARTED, -53, USAGE, "a global transaction is open")     \
    X(POOL_SELF_DEADLOCK, -54, USAGE, "this thread holds every connection itself")        \
    X(SPAWN_IN_TRANSACTION, -55, USAGE, "a task was started inside a transaction")        \
    X(ROW_NOT_FOUND, -60, DATA, "no row")                                                 \
    X(STALE_RECORD, -61, DATA, "the record was changed by somebody else")                 \
    X(VALIDATION_ERROR, -62, DATA, "the data is not valid")                               \
    X(UNIQUE_VIOLATION, -63, DATA, "a unique value exists already")                       \
    X(FOREIGN_KEY_VIOLATION, -64, DATA, "a referenced or referencing row is in the way")  \
    X(NOT_NULL_VIOLATION, -65, DATA, "a required value is missing")                       \
    X(CHECK_VIOLATION, -66, DATA, "a check constraint refuses the value")                 \
    X(EXCLUSION_VIOLATION, -67, DATA, "an exclusion constraint refuses the row")          \
    X(DATA_INVALID, -68, DATA, "the value does not fit")                                  \
    X(READ_ONLY, -69, DATA, "the database or transaction is read-only")                   \
    X(DISK_FULL, -70, DATA, "no space left")                                              \
    X(SYNTAX, -71, USAGE, "the database cannot parse the statement")                      \
    X(UNDEFINED_TABLE, -72, USAGE, "no such table")                                       \
    X(UNDEFINED_COLUMN, -73, USAGE, "no such column")                                     \
    X(PERMISSION_DENIED, -74, USAGE, "not allowed")                                       \
    X(DATABASE_ERROR, -75, DATA, "the database refused the statement")                    \
    X(OBJECT_EXISTS, -76, USAGE, "the table or index exists already")                     \
    X(DATABASE_CORRUPT, -77, DATA, "a file of the database is damaged")                   \
    X(CONNECTION_REFUSED, -80, CONNECTION, "nobody answers there")                        \
    X(CONNECTION_LOST, -81, CONNECTION, "the connection broke")                           \
    X(TOO_MANY_CONNECTIONS, -82, CONNECTION, "the server has no free slot")               \
    X(AUTHENTICATION_FAILED, -83, CONNECTION, "wrong user or password")                   \
    X(UNDEFINED_DATABASE, -84, CONNECTION, "no such database")                            \
    X(CONNECT_TIMEOUT, -85, CONNECTION, "connecting took too long")                       \
    X(POOL_TIMEOUT, -86, CONNECTION, "no connection became free in time")                 \
    X(QUERY_TIMEOUT, -87, DATA, "the statement took too long")                            \
    X(QUERY_CANCELED, -88, DATA, "the statement was cancelled")                           \
    X(TLS_REFUSED, -89, CONNECTION, "no trustworthy encryption")                          \
    X(DEADLOCK, -90, TRANSACTION, "the database broke a deadlock")                        \
    X(SERIALIZATION_FAILURE, -91, TRANSACTION, "concurrent changes got in the way")       \
    X(LOCK_TIMEOUT, -92, TRANSACTION, "a lock was not released in time")                  \
    X(TRANSACTION_ABORTED, -93, TRANSACTION, "an earlier error ended the transaction")    \
    X(TRANSACTION_NOT_ACTIVE, -94, TRANSACTION, "the transaction is finished")            \
    X(OUTCOME_UNKNOWN, -95, OUTCOME_UNKNOWN, "the connection broke during a commit")      \
    X(FAILED_TO_ENCRYPT_SYMMETRICALLY, -96, USAGE, "the value was not encrypted")         \
    X(FAILED_TO_DECRYPT_SYMMETRICALLY, -97, DATA, "the value cannot be decrypted")        \
    X(FAILED_TO_ENCRYPT_ASYMMETRICALLY, -98, USAGE, "the value was not encrypted")        \
    X(FAILED_TO_DECRYPT_ASYMMETRICALLY, -99, DATA, "the value cannot be decrypted")

typedef enum hy_status {
    HY_OK = 0,
    HY_AGAIN = -1, /* not finished: wait as hy_wait says, then advance */
    HY_DONE = -2,  /* no more rows */
#define HY_STATUS_ENUM(name, number, cls, text) HY_E##name = number,
    HY_STATUS_MAP(HY_STATUS_ENUM)
#undef HY_STATUS_ENUM
} hy_status;

enum {
    HY_ERROR_MESSAGE_SIZE = 512,
    HY_ERROR_NAME_SIZE = 128,   /* constraint, table */
    HY_ERROR_COLUMNS_SIZE = 256 /* comma-separated column names */
};

/**
 * Why a call failed. The caller owns it; nothing in it is allocated, so filling it cannot
 * fail. Text is cut to fit, always NUL-terminated, one line, without secrets or row values.
 * Empty strings and 0 mean "not told".
 */
typedef struct hy_error {
    hy_status status;
    int native_code;  /* the client library's own number */
    char sqlstate[6]; /* five characters and NUL */
    char message[HY_ERROR_MESSAGE_SIZE];
    char constraint[HY_ERROR_NAME_SIZE];
    char table[HY_ERROR_NAME_SIZE];
    char columns[HY_ERROR_COLUMNS_SIZE]; /* "a,b" */
    char feature[48];                    /* with HY_EUNSUPPORTED */
    char dialect[16];                    /* with HY_EUNSUPPORTED */
    size_t position;                     /* 1-based byte in the SQL text, 0 = unknown */
    unsigned attempts;                   /* how often it was tried, 0 = once */
} hy_error;

/** "UNIQUE_VIOLATION" for HY_EUNIQUE_VIOLATION; "OK", "AGAIN", "DONE"; never NULL. Static. */
HY_API const char *hy_status_name(hy_status status);
/** The short text of the map. Static, never NULL. */
HY_API const char *hy_status_text(hy_status status);
/** The class of a failure; HY_CLASS_USAGE for codes that are no failures. */
HY_API hy_error_class hy_status_class(hy_status status);
/** "usage", "data", "connection", "transaction", "outcomeUnknown", "migration". Static. */
HY_API const char *hy_error_class_name(hy_error_class cls);
/** The status of a name, HY_OK if there is none such. */
HY_API hy_status hy_status_from_name(const char *name);

/** Empty the error (status HY_OK). NULL is accepted. */
HY_API void hy_error_clear(hy_error *err);
/**
 * Fill `err` (may be NULL) with a status and a printf-style message and return the status,
 * so that a failing function ends in `return hy_fail(err, HY_E..., "...")`. Clears every
 * other field first.
 */
HY_API hy_status hy_fail(hy_error *err, hy_status status, const char *fmt, ...) HY_PRINTF(3, 4);
/** Out of memory: the one message that is made without formatting. */
HY_API hy_status hy_fail_oom(hy_error *err);
/** HY_EUNSUPPORTED with its two fields filled. */
HY_API hy_status hy_fail_unsupported(hy_error *err, const char *feature, const char *dialect);

HY_END_DECLS
#endif
