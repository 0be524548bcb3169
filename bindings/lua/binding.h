/*
 * binding.h - what the files of this folder share: object types, checks, conversions.
 *
 * Rules: arguments are checked before anything is acquired; what must be freed sits in a
 * userdata with __gc before it is filled; data is pushed with its length; errors are raised
 * by hyl_raise() so that they carry the Lua caller's line.
 */
#ifndef HYL_BINDING_H
#define HYL_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include <hysteria/hysteria.h>
#include <hysteria/lua.h>

/* Our userdata. The number sits in each metatable under a key that Lua cannot make. */
typedef enum hyl_type {
    HYL_NONE, /* anything that is not ours */
    HYL_NULL,
    HYL_JSON_NULL,
    HYL_DECIMAL,
    HYL_BINARY,
    HYL_RAW,   /* SQL text and its arguments */
    HYL_OP,    /* an operator and its operands */
    HYL_GROUP, /* conditions joined by AND or OR */
    HYL_FUNC,  /* an SQL function call */
    HYL_COL,   /* a column reference */
    HYL_CASE,
    HYL_MATH,  /* two operands that the database calculates with */
    HYL_GIVEN, /* keys that must be present */
    HYL_PARAM, /* a value that is given when a prepared query runs */
    HYL_MODEL,
    HYL_QUERY,
    HYL_SOURCE,
    HYL_TRANSACTION,
    HYL_CURSOR,
    HYL_STREAM,
    HYL_PREPARED,
    HYL_STATE,
    HYL_JSON,        /* a JSON tree while it is being read */
    HYL_POLLER,      /* what many tasks wait for */
    HYL_JSON_WRITER, /* JSON text while it is being written */
    HYL_KEY,         /* of encrypted columns */
    HYL_HASHING,     /* a password that is being hashed */
    HYL_TYPE_COUNT
} hyl_type;

/* ---- state.c ------------------------------------------------------------------------ */

typedef struct hyl_plan hyl_plan;

enum { HYL_PLAN_SLOTS = 256, HYL_PREFIXES = 8 };

/* What one Lua state keeps: one compiler, the row plans, the paths that are our own. */
typedef struct hyl_state {
    hy_compiler *compiler;
    hy_registry *registry;                 /* of several states; NULL: this one is alone */
    hy_worker *hashers;                    /* password.c's threads; NULL: none was needed yet */
    const hyl_plan *plans[HYL_PLAN_SLOTS]; /* direct-mapped by text hash; user value 1 holds them */
    char *prefixes[HYL_PREFIXES];
    int n_prefixes;
    uint64_t event_id;
    bool dev;             /* warn of mistakes that are silent otherwise */
    unsigned cuts;        /* statements whose tasks are to look, as what they wait for may be closed */
    int64_t collected_at; /* a call that waited for a connection has had garbage collected; 0: none has */
} hyl_state;

/** The state's userdata block; made by hyl_state_open. */
hyl_state *hyl_state_get(lua_State *L);
void hyl_state_open(lua_State *L);
/** Push the table that holds the plans. */
hyl_state *hyl_push_state_value(lua_State *L);
/** Make the metatable of a type: methods (may be NULL) become __index. */
void hyl_type_new(lua_State *L, hyl_type type, const char *name, const luaL_Reg *methods,
                  const luaL_Reg *meta);
/** Give the userdata on top the metatable of a type. */
void hyl_set_type(lua_State *L, hyl_type type);
/** Room for n more values, or Lua's own error for want of memory. */
void hyl_need_stack(lua_State *L, int n);
/**
 * The end of every __gc: the object at 1 is no longer of our type, so that a finalizer that runs
 * after it and still knows it gets an error.
 */
int hyl_retire(lua_State *L);
/** A zeroed block of our type on top of the stack. */
void *hyl_new(lua_State *L, hyl_type type, size_t size, int n_user_values);
hyl_type hyl_typeof(lua_State *L, int index);
/** The block if it is of that type, else NULL. */
void *hyl_test(lua_State *L, int index, hyl_type type);
/** The block, or an error naming the argument. */
void *hyl_check(lua_State *L, int index, hyl_type type);
const char *hyl_type_name(hyl_type type);

/* ---- error.c ------------------------------------------------------------------------ */

/** Raise the error table for err, `where` being the first caller that is not ours. */
int hyl_raise(lua_State *L, const hy_error *err);
/**
 * Push that table, with the statement's text (sql may be NULL) as field `sql` and, where a column
 * of the model (may be NULL) was violated, `errors` by property.
 */
void hyl_push_run_error(lua_State *L, const hy_error *err, const hy_sql *sql, const hy_model *model);
int hyl_fail(lua_State *L, hy_status status, const char *fmt, ...) HY_PRINTF(3, 4);
/** A wrong argument: "bad argument #2 to where (value): ..." */
int hyl_fail_argument(lua_State *L, int index, const char *name, const char *expected);
/** Text (a number is none) as an argument of a public function, or an error: "decimal: text is nil". */
const char *hyl_need_text(lua_State *L, int index, const char *function, const char *name, size_t *size);
/** The same for a table. */
void hyl_need_table(lua_State *L, int index, const char *function, const char *name);
/** Push "file:line" of the first caller that is not ours, or nil. */
void hyl_push_caller(lua_State *L);
void hyl_error_open(lua_State *L); /* fields of core */

/* ---- value.c ------------------------------------------------------------------------ */

/** Read a Lua scalar as hy_value borrowing its bytes. False for anything else. */
bool hyl_to_value(lua_State *L, int index, hy_value *out);
/**
 * Read any Lua value as an expression of q. `like`: what it is compared with (may be NULL);
 * `column`: where it is stored (may be NULL). Raises for a plain table, a function, nil.
 * `what` names the argument in messages.
 */
hy_expr *hyl_to_expr(lua_State *L, hy_query *q, int index, const hy_expr *like, const hy_column *column,
                     const char *what);
/** What becomes more than one bound value: a column, a call, CASE, a calculation, raw text, a query. */
bool hyl_is_expression(hyl_type type);
/** The two arguments of a metamethod as "+", "-" or "*" of them, for the database to calculate. */
int hyl_math(lua_State *L, const char *word);
/** A column argument: a string, or one of our expression values. */
hy_expr *hyl_to_operand(lua_State *L, hy_query *q, int index, bool alias_allowed, const char *what);
/** Push a value of its own type, NULL as nil or as core.null. */
void hyl_push_value(lua_State *L, const hy_value *value, bool null_as_sentinel);
void hyl_push_null(lua_State *L);
void hyl_value_open(lua_State *L);
/** The user table of a node value (raw, op, group, func, col, case, given); on top. */
void hyl_node_args(lua_State *L, int index);
/** Its word: operator, function name, SQL text, column. Borrowed from the userdata. */
const char *hyl_node_word(lua_State *L, int index, size_t *size);
/** Raise if the table has a metatable that is not ours (record metatables are). */
void hyl_check_plain(lua_State *L, int index, const char *what);

/* ---- decimal.c, json.c, array.c, ids.c, crypto.c ----------------------------------------- */

void hyl_push_decimal(lua_State *L, const hy_decimal *d);
void hyl_decimal_open(lua_State *L);
/** The Lua value at index as JSON text on top of the stack (a Lua string). */
void hyl_json_encode(lua_State *L, int index);
/** JSON text as Lua values on top. False and err filled if it cannot be read. */
bool hyl_json_decode(lua_State *L, const char *text, size_t size, hy_error *err);
bool hyl_json_tagged(lua_State *L, int index);
/** Push an empty list that is an array, with room for n. */
void hyl_json_new_array(lua_State *L, int n);
void hyl_json_open(lua_State *L);
/** Push the list at index as the JSON text of an array column; raises. */
void hyl_array_encode(lua_State *L, int index, const hy_column *column);
/** Push the list that the JSON text of an array of `kind` is; a fault is left in err. */
hy_status hyl_array_decode(lua_State *L, const char *text, size_t size, hy_kind kind, hy_error *err);
void hyl_ids_open(lua_State *L); /* also starts libsodium */
void hyl_crypto_open(lua_State *L);
void hyl_password_open(lua_State *L);

/* ---- model.c -------------------------------------------------------------------------- */

/* How a column's values appear in Lua. */
typedef enum hyl_as { HYL_AS_DEFAULT, HYL_AS_STRING, HYL_AS_EPOCH, HYL_AS_TABLE, HYL_AS_NUMBER } hyl_as;

/* User values: 1 class, 2 template of record metatables, 3 the statement that finds a row by its key (see
 * run.c) or nil. */
enum { HYL_MODEL_CLASS = 1, HYL_MODEL_BY_KEY = 3, HYL_MODEL_VALUES = 3 };
typedef struct hyl_model {
    hy_model *model;  /* may be that of other states too */
    uint64_t version; /* of this userdata: what the plans go by */
    bool derived;     /* a question, not a table: only queries of its own know it */
    uint8_t as[];     /* hyl_as per column */
} hyl_model;

/** The column that the key at index names in a row to be written, or an error. */
const hy_column *hyl_check_writable(lua_State *L, const hy_model *m, int index);
/* "snake" and the like. */
hy_naming hyl_check_naming(lua_State *L, int index);
hyl_as hyl_model_as(const hyl_model *m, const hy_column *column);
/** A model userdata, or a class whose metatable has __hymodel; leaves the userdata at index. */
hyl_model *hyl_check_model(lua_State *L, int index);
void hyl_model_open(lua_State *L);

/* ---- query.c, query_select.c, query_join.c, predicate.c, write.c ------------------------------ */

enum { HYL_QUERY_SIZE = 1536, HYL_QUERY_EXTRA = 1, HYL_QUERY_MODEL = 2 };

/**
 * A query userdata is the hy_query itself: arena and all. Every verb raises its own failure,
 * so one that a raise left behind is forgotten here.
 */
static inline hy_query *hyl_check_query(lua_State *L, int index)
{
    hy_query *q = (hy_query *)hyl_check(L, index, HYL_QUERY);
    hy_query_forget_failure(q);
    return q;
}
/** Push a new query; model_index 0: none. */
hy_query *hyl_new_query(lua_State *L, int model_index);
/** Raise the builder's failure, if any, and forget it. */
void hyl_query_check(lua_State *L, hy_query *q);
/** The end of every verb: hyl_query_check(), and the query as the one result. */
int hyl_query_done(lua_State *L, hy_query *q);
/** A text argument, named in the error. */
const char *hyl_check_text(lua_State *L, int index, const char *name, size_t *size);
/** Text as a C string: a NUL in it, which would cut it, is an error. */
const char *hyl_to_name(lua_State *L, int index, const char *what);
/** Raise if an argument stands behind the one at `last`: it would be ignored. nil may. */
void hyl_check_no_more(lua_State *L, int last, const char *what);
/** The length of the list at `index`: raise if it has a hole or a key, which would leave a value out. */
size_t hyl_check_list(lua_State *L, int index, const char *what);
/** Raise unless every key of the options at `index` is in a NULL-ended list. */
void hyl_check_options(lua_State *L, int index, const char *what, const char *const known[]);
/** The number of a word in a NULL-ended list, 0 for nil. */
int hyl_check_word(lua_State *L, int index, const char *what, const char *const words[]);
hy_expr *hyl_column_named(hy_query *q, const char *name);
/** The place in the document `lhs` that the path at index says: text, or a list of names and numbers. */
hy_expr *hyl_to_json_place(lua_State *L, hy_query *q, hy_expr *lhs, int index, hy_json_part part,
                           const char *what);
/** A call of what people name: "sum", or "count distinct". */
hy_expr *hyl_expr_call(hy_query *q, const char *name, size_t size, hy_expr *const *args, size_t n);
/** The fragment at `index`: text followed by its parameters up to `last` or by one list of them, or a raw
 * value. */
hy_expr *hyl_raw_argument(lua_State *L, hy_query *q, int index, int last, const char *what);
/**
 * The query that an argument means: a query, or a function(sub) that fills (or returns) one.
 * Leaves it on top of the stack. NULL if the argument is neither. A function that stands deep in
 * a table is called right here and cannot yield; see hyl_with_queries().
 */
hy_query *hyl_to_query(lua_State *L, int index);
/** What is late inside of the query at `from` is so inside of the one at `into`, which takes it in. */
void hyl_carry_inside(lua_State *L, int into, int from);
/** Push the Lua function that settles what is late inside of the query at `index`, and the query. */
void hyl_push_settler(lua_State *L, int index);
/**
 * Replace the functions among a verb's arguments by the queries that they fill, each free to yield,
 * then be `verb`. Use as `return hyl_with_queries(...)`.
 */
int hyl_with_queries(lua_State *L, lua_CFunction verb);
/**
 * Call fn(q) at `fn` inside the group that was opened at `depth`, and close it: the end of a verb.
 * Another query that fn returns adds its conditions.
 * fn may yield. When it raises, the group is taken out, and every join after the first n_joins.
 * Use as `return hyl_call_in_group(...)`.
 */
int hyl_call_in_group(lua_State *L, int fn, size_t depth, size_t n_joins);
/**
 * A where-table, a group of them or a raw fragment as one condition. Entries are read raw,
 * in the order of their sorted keys, and joined by AND. Keys name columns, and select aliases
 * where those may stand.
 */
hy_expr *hyl_to_condition(lua_State *L, hy_query *q, int index, bool alias_allowed, const char *what,
                          int depth);
/** Add a function per row of a table to the table on top: each row begins with its name and is the upvalue.
 */
void hyl_add_rows(lua_State *L, const void *rows, size_t size, size_t n, lua_CFunction fn);
void hyl_predicate_open(lua_State *L);    /* adds verbs to the table on top */
void hyl_query_select_open(lua_State *L); /* likewise, and so do those that follow */
void hyl_query_join_open(lua_State *L);
void hyl_write_open(lua_State *L);
void hyl_query_open(lua_State *L);

/* ---- plan.c -------------------------------------------------------------------------------- */

typedef struct hyl_plan_column hyl_plan_column;
typedef hy_status (*hyl_pusher)(lua_State *L, const hy_value *value, const hyl_plan_column *column,
                                hy_error *err);

struct hyl_plan_column {
    hyl_pusher push;
    const char *name;
    hy_kind kind;
    int scale;       /* of a decimal column, -1: not known */
    hy_kind element; /* of an array column */
    bool other;      /* no column of the record's model, though perhaps called so */
};

/* How the rows of one statement become tables: a userdata whose user value has the key strings
   and the metatable. */
struct hyl_plan {
    uint64_t hash, model_version;
    uint64_t columns_of; /* hy_sql's */
    const char *text;
    size_t text_size;
    int n;
    hyl_plan_column columns[];
};

/** Find or make the plan and push it; model_index 0: plain tables. */
const hyl_plan *hyl_plan_push(lua_State *L, const hy_sql *sql, const hy_result_column *columns, size_t n,
                              int model_index);
/** Push the metatable (or nil) and then the n keys of the plan at index `at`. */
void hyl_plan_push_keys(lua_State *L, int at);
/** Push one row as a table; `base` is the index of the metatable, the keys follow it. */
hy_status hyl_plan_push_row(lua_State *L, const hyl_plan *plan, const hy_value *row, int base, int extra,
                            hy_error *err);
/** The same where only one row is wanted, by the plan at `at`: no keys need to be pushed before. */
hy_status hyl_plan_push_only_row(lua_State *L, int at, const hy_value *row, int extra, hy_error *err);
/** Push one value as the plan's first column. NULL as core.null. */
hy_status hyl_plan_push_first(lua_State *L, const hyl_plan *plan, const hy_value *row, hy_error *err);

/* ---- source.c, events.c, run.c, transaction.c ------------------------------------------------- */

/* User values: 1 ambient list, 2 global transaction, 3 observer function, 4 free cursors. */
enum {
    HYL_SOURCE_AMBIENT = 1,
    HYL_SOURCE_GLOBAL,
    HYL_SOURCE_OBSERVER,
    HYL_SOURCE_CURSORS,
    HYL_SOURCE_VALUES = 4
};
typedef struct hyl_source {
    hy_source *source;
    bool is_shared; /* the host's, and maybe other states' */
    int n_free;     /* cursors in user value 4 */
    int n_ambient;  /* entries in user value 1 */
    bool in_observer;
} hyl_source;

/* Of a call that may have to wait for a connection which garbage holds. */
typedef struct hyl_patience {
    int64_t until;     /* look at the pool then; 0: not waited yet */
    uint64_t acquired; /* what the pool had lent when it was looked at last */
    bool collected;    /* the collector has been asked */
} hyl_patience;

/* User values: 1 source, 2 where it was begun. */
typedef struct hyl_transaction {
    hy_transaction *trx; /* NULL: not begun, or gone */
    uint64_t id;
    hy_transaction_options options;
    hy_error err; /* of the step that runs: a yield may lie in it */
    hy_wait wait;
    size_t depth;  /* its result, 0: none */
    size_t barred; /* callbacks that run on after their savepoint has ended: nothing joins by itself */
    bool marked;   /* this call closes it, should its coroutine be closed */
    bool waits;    /* the call is left in the middle: nobody else can go on with it */
    hyl_patience patience;
} hyl_transaction;

hyl_source *hyl_check_source(lua_State *L, int index);
/** Raise if the source's observer is running: it may look at statements, not send any. */
void hyl_check_may_run(lua_State *L, const hyl_source *s);
/** Push the transaction userdata of the innermost callback that runs now, or nil. */
void hyl_push_ambient(lua_State *L, int source);
/** The same for a statement that is to join it: raises where it may not. */
void hyl_push_joined(lua_State *L, int source);
void hyl_source_open(lua_State *L);

/** The core's observer: copies what it is told, touches no Lua. */
void hyl_on_event(void *ctx, const hy_event *e);
/** Forget what is undelivered of a source. */
void hyl_events_forget(const hyl_source *owner);
/** Give what was collected to the observer of the source at index; `sql` (may be NULL) has the binds. */
void hyl_events_deliver(lua_State *L, int source, const hy_sql *sql);

/**
 * Milliseconds by an options table: until its `deadline` (as core.deadline() gives), or its `timeout`;
 * 0: neither is said. Raises when the deadline has passed.
 */
int64_t hyl_timeout(lua_State *L, int options);
/* What a call's options say. */
typedef struct hyl_run {
    hy_run_options options;
    int extra; /* fields that every row will get later */
} hyl_run;
/** Read them at `index`, with the transaction that a statement of the source at `source` joins. */
void hyl_run_options(lua_State *L, int source, int index, hyl_run *run);
/* User values: 1 query, 2 model (as of queries), 3 a query that values are read by, 4 names -> true. */
typedef struct hyl_prepared {
    hy_compiler *compiler; /* of its own: what it gave stays */
    hy_compiler **earlier; /* statements that run may still read what these gave */
    size_t n_earlier;
    hy_sql sql;
    hy_bind *binds;            /* sql.binds, to be filled */
    const hy_dialect *dialect; /* it was compiled for, and: */
    hy_features features;
    int64_t limit;
    int n_names;
} hyl_prepared;
enum {
    HYL_PREPARED_QUERY = 1,
    HYL_PREPARED_MODEL = HYL_QUERY_MODEL,
    HYL_PREPARED_VALUES = 3,
    HYL_PREPARED_NAMES
};
/** Fill the parameters of the one at `index` from the table at `params`, or nil; raises. Compiled for the
 * source. */
const hy_sql *hyl_prepared_fill(lua_State *L, int index, int params, hy_source *source);
void hyl_prepared_open(lua_State *L);
/** core.rawQuery(source, text, params, opts) */
int hyl_raw_query(lua_State *L);
void hyl_run_open(lua_State *L);
void hyl_stream_open(lua_State *L);

/* ---- wait.c --------------------------------------------------------------------------- */

/** Is the running coroutine a task that can yield here? */
bool hyl_may_yield(lua_State *L);
/** Yield to the scheduler what is waited for; the continuation goes on. Use as `return hyl_yield(...)`. */
int hyl_yield(lua_State *L, const hy_wait *wait, lua_KContext ctx, lua_KFunction k);
/** Block until the task may be advanced. Where only a callback is in the way of yielding, dev mode warns. */
void hyl_wait(lua_State *L, const hy_wait *wait);
/**
 * Before waiting for what `wait` says. True: the call had waited for long while the pool was
 * empty, so the collector has run and may have brought connections back: advance again.
 */
bool hyl_lost_patience(lua_State *L, hy_source *source, hyl_patience *p, hy_wait *wait);
/** The same after a failure, for those that say that the pool is empty. */
bool hyl_collect_for(lua_State *L, hyl_patience *p, hy_status status);
void hyl_wait_open(lua_State *L);

/** core.poller */
void hyl_poller_open(lua_State *L);

void hyl_transaction_open(lua_State *L);

/* ---- module.c ------------------------------------------------------------------------------ */

/** The module table of hysteria.core. */
HY_API int hyl_open_core(lua_State *L);
/** Have it opened in this state, whoever asks first. */
void hyl_need_core(lua_State *L);

#endif
