/*
 * mysql_calls.c - libmariadb's calls without waiting, and operations made of them.
 *
 * Each call has a _start, which may finish at once, and a _cont. An operation is a chain: a
 * step looks at how a call ended and plans the next one. What is in the way of a new operation
 * (rows of another statement, handles to be closed) is dealt with first, by the same means.
 * Knows nothing of what the operations are for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "mysql_driver.h"

/* ---- the calls -------------------------------------------------------------------------- */

typedef struct call_row {
    int (*start)(hy__mysql *c);
    int (*go_on)(hy__mysql *c, int ready);
} call_row;

static int start_nothing(hy__mysql *c)
{
    (void)c;
    return 0;
}

static int go_on_nothing(hy__mysql *c, int ready)
{
    (void)c;
    (void)ready;
    return 0;
}

static int start_connect(hy__mysql *c)
{
    const hy__mysql_settings *with = c->settings;
    const char *host = c->resolving != NULL ? c->resolving->addresses[c->address] : with->host;

    return mysql_real_connect_start(&c->ret_my, c->my, host, with->user, with->password, with->database,
                                    with->port, with->socket, CLIENT_FOUND_ROWS);
}

static int go_on_connect(hy__mysql *c, int ready)
{
    return mysql_real_connect_cont(&c->ret_my, c->my, ready);
}

static int start_query(hy__mysql *c)
{
    return mysql_real_query_start(&c->ret, c->my, c->sql, c->sql_size);
}

static int go_on_query(hy__mysql *c, int ready)
{
    return mysql_real_query_cont(&c->ret, c->my, ready);
}

static int start_result(hy__mysql *c)
{
    return mysql_store_result_start(&c->ret_result, c->my);
}

static int go_on_result(hy__mysql *c, int ready)
{
    return mysql_store_result_cont(&c->ret_result, c->my, ready);
}

static int start_skip(hy__mysql *c)
{
    return mysql_next_result_start(&c->ret, c->my);
}

static int go_on_skip(hy__mysql *c, int ready)
{
    return mysql_next_result_cont(&c->ret, c->my, ready);
}

static int start_prepare(hy__mysql *c)
{
    return mysql_stmt_prepare_start(&c->ret, c->target, c->sql, c->sql_size);
}

static int go_on_prepare(hy__mysql *c, int ready)
{
    return mysql_stmt_prepare_cont(&c->ret, c->target, ready);
}

static int start_execute(hy__mysql *c)
{
    return mysql_stmt_execute_start(&c->ret, c->target);
}

static int go_on_execute(hy__mysql *c, int ready)
{
    return mysql_stmt_execute_cont(&c->ret, c->target, ready);
}

static int start_fetch(hy__mysql *c)
{
    return mysql_stmt_fetch_start(&c->ret, c->target);
}

static int go_on_fetch(hy__mysql *c, int ready)
{
    return mysql_stmt_fetch_cont(&c->ret, c->target, ready);
}

static int start_store(hy__mysql *c)
{
    return mysql_stmt_store_result_start(&c->ret, c->target);
}

static int go_on_store(hy__mysql *c, int ready)
{
    return mysql_stmt_store_result_cont(&c->ret, c->target, ready);
}

static int start_drain(hy__mysql *c)
{
    return mysql_stmt_free_result_start(&c->flag, c->target);
}

static int go_on_drain(hy__mysql *c, int ready)
{
    return mysql_stmt_free_result_cont(&c->flag, c->target, ready);
}

static int start_more(hy__mysql *c)
{
    return mysql_stmt_next_result_start(&c->ret, c->target);
}

static int go_on_more(hy__mysql *c, int ready)
{
    return mysql_stmt_next_result_cont(&c->ret, c->target, ready);
}

static int start_forget(hy__mysql *c)
{
    return mysql_stmt_close_start(&c->flag, c->target);
}

static int go_on_forget(hy__mysql *c, int ready)
{
    return mysql_stmt_close_cont(&c->flag, c->target, ready);
}

static int start_reset(hy__mysql *c)
{
    return mysql_reset_connection_start(&c->ret, c->my);
}

static int go_on_reset(hy__mysql *c, int ready)
{
    return mysql_reset_connection_cont(&c->ret, c->my, ready);
}

static int start_charset(hy__mysql *c)
{
    return mysql_set_character_set_start(&c->ret, c->my, "utf8mb4");
}

static int go_on_charset(hy__mysql *c, int ready)
{
    return mysql_set_character_set_cont(&c->ret, c->my, ready);
}

static int start_database(hy__mysql *c)
{
    return mysql_select_db_start(&c->ret, c->my, c->settings->database);
}

static int go_on_database(hy__mysql *c, int ready)
{
    return mysql_select_db_cont(&c->ret, c->my, ready);
}

static const call_row calls[HY__MYSQL_CALLS] = {
    [HY__MYSQL_NOTHING] = {start_nothing, go_on_nothing},
    [HY__MYSQL_CONNECT] = {start_connect, go_on_connect},
    [HY__MYSQL_QUERY] = {start_query, go_on_query},
    [HY__MYSQL_RESULT] = {start_result, go_on_result},
    [HY__MYSQL_SKIP] = {start_skip, go_on_skip},
    [HY__MYSQL_PREPARE] = {start_prepare, go_on_prepare},
    [HY__MYSQL_EXECUTE] = {start_execute, go_on_execute},
    [HY__MYSQL_FETCH] = {start_fetch, go_on_fetch},
    [HY__MYSQL_STORE] = {start_store, go_on_store},
    [HY__MYSQL_DRAIN] = {start_drain, go_on_drain},
    [HY__MYSQL_MORE] = {start_more, go_on_more},
    [HY__MYSQL_FORGET] = {start_forget, go_on_forget},
    [HY__MYSQL_RESET] = {start_reset, go_on_reset},
    [HY__MYSQL_CHARSET] = {start_charset, go_on_charset},
    [HY__MYSQL_DATABASE] = {start_database, go_on_database},
};

/* ---- waiting ---------------------------------------------------------------------------- */

static short poll_events(int events)
{
    int wanted = 0;

    if ((events & MYSQL_WAIT_READ) != 0)
        wanted |= POLLIN;
    if ((events & MYSQL_WAIT_WRITE) != 0)
        wanted |= POLLOUT;
    return (short)wanted;
}

/* The library believes what it is told about connect(): ask before telling. */
static bool is_ready(const hy__mysql *c)
{
    struct pollfd fd = {.fd = mysql_get_socket(c->my), .events = poll_events(c->events)};

    return c->call != HY__MYSQL_CONNECT || poll(&fd, 1, 0) != 0;
}

/* Of this thread, while the library may write to a connection that is gone. */
typedef struct held_signal {
    sigset_t before;
    bool pending;
} held_signal;

/* OpenSSL writes in a way that raises SIGPIPE, whose usual action ends the process. */
static void hold_signal(held_signal *h)
{
    sigset_t signals;

    (void)sigpending(&signals);
    h->pending = sigismember(&signals, SIGPIPE) == 1;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &h->before);
}

/* One that was raised meanwhile is ours, and goes nowhere. */
static void release_signal(const held_signal *h)
{
    const struct timespec now = {.tv_sec = 0};
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGPIPE);
    while (!h->pending && sigtimedwait(&signals, NULL, &now) < 0 && errno == EINTR)
        ;
    (void)pthread_sigmask(SIG_SETMASK, &h->before, NULL);
}

/* The list is the thread's, and libmariadb takes what others left there for the end of its own read. */
static void forget_tls_errors(const hy__mysql *c)
{
    if (c->may_use_tls && ERR_peek_error() != 0)
        ERR_clear_error();
}

/*
 * Start or continue the call: what it waits for, 0 when it is done. An answer that there is no
 * memory for looks like a server that is gone, but for errno.
 */
static int call_library(hy__mysql *c)
{
    const call_row *call = &calls[c->call];
    int events = c->events;

    errno = 0;
    if (!c->suspended)
        events = call->start(c);
    else if (is_ready(c))
        events = call->go_on(c, events & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE));
    c->no_memory = errno == ENOMEM;
    return events;
}

static int call_held(hy__mysql *c)
{
    held_signal signal;

    hold_signal(&signal);
    int events = call_library(c);
    release_signal(&signal);
    return events;
}

/* Rows are only read: no signal. */
static int make_call(hy__mysql *c)
{
    forget_tls_errors(c);
    return c->may_use_tls && (c->call != HY__MYSQL_FETCH || c->stream == NULL) ? call_held(c)
                                                                               : call_library(c);
}

/* Until something must be waited for (c->suspended, HY_AGAIN) or a step says how it ends. */
static hy_status pump(hy__mysql *c, hy_error *err)
{
    for (;;) {
        c->events = make_call(c);
        c->suspended = c->events != 0;
        if (c->suspended)
            return HY_AGAIN;
        hy_status status = c->step(c, err);
        if (status != HY_AGAIN)
            return status;
    }
}

static hy_status await(hy__mysql *c, hy_wait *wait)
{
    wait->fd = mysql_get_socket(c->my);
    wait->events = ((c->events & MYSQL_WAIT_READ) != 0 ? HY_WAIT_READ : 0) |
                   ((c->events & MYSQL_WAIT_WRITE) != 0 ? HY_WAIT_WRITE : 0);
    wait->deadline = HY_NO_DEADLINE; /* deadlines are the caller's */
    return HY_AGAIN;
}

hy_status hy__mysql_run(hy__mysql *c, hy_wait *wait, hy_error *err)
{
    hy_status status = pump(c, err);

    if (status == HY_AGAIN)
        return await(c, wait);
    c->busy = false;
    c->sql = NULL; /* it was the caller's */
    return status;
}

hy_status hy__mysql_advance(hy__mysql *c, hy_wait *wait, hy_error *err)
{
    if (!c->busy)
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "nothing of this connection waits");
    return hy__mysql_run(c, wait, err);
}

/* ---- planning --------------------------------------------------------------------------- */

hy_status hy__mysql_plan(hy__mysql *c, hy__mysql_call call, hy__mysql_step step)
{
    c->call = call;
    c->step = step;
    return HY_AGAIN;
}

hy_status hy__mysql_plan_query(hy__mysql *c, const char *sql, size_t size, hy__mysql_step step)
{
    c->sql = sql;
    c->sql_size = size;
    return hy__mysql_plan(c, HY__MYSQL_QUERY, step);
}

void hy__mysql_look(hy__mysql *c)
{
    c->status = c->my->server_status;
}

/* ---- what is in the way ----------------------------------------------------------------- */

static hy_status clear_line(hy__mysql *c, hy_error *err);

/* Rows that come after a statement's first result, of CALL: nobody reads them. */
static hy_status after_more(hy__mysql *c, hy_error *err);

static hy_status after_drain(hy__mysql *c, hy_error *err)
{
    unsigned code = hy__mysql_errno(c, c->target);

    if (hy__mysql_is_lost(code))
        return hy__mysql_fail(c, c->target, err);
    hy__mysql_look(c);
    if (code == 0 && mysql_stmt_more_results(c->target))
        return hy__mysql_plan(c, HY__MYSQL_MORE, after_more);
    return clear_line(c, err);
}

static hy_status after_more(hy__mysql *c, hy_error *err)
{
    if (c->ret == 0 && mysql_stmt_field_count(c->target) > 0)
        return hy__mysql_plan(c, HY__MYSQL_DRAIN, after_drain);
    return after_drain(c, err);
}

/* The stream's statement learns later that it broke off. */
static void keep_failure(hy__mysql *c, hy__mysql_statement *s)
{
    hy_error error;

    (void)hy__mysql_fail(c, s->stmt, &error);
    s->rows = HY__MYSQL_NO_ROWS;
    s->broke_off = true;
    s->late = hy_alloc(sizeof *s->late);
    if (s->late != NULL)
        *s->late = error;
}

static hy_status after_store(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->stream; /* NULL: finished meanwhile */
    unsigned code = c->ret != 0 ? hy__mysql_errno(c, c->target) : 0;

    c->stream = NULL;
    if (c->ret == 0 || s == NULL) {
        if (s != NULL)
            s->rows = HY__MYSQL_STORED;
        return hy__mysql_is_lost(code) ? hy__mysql_fail(c, NULL, err) : clear_line(c, err);
    }
    keep_failure(c, s);
    return hy__mysql_is_lost(code) ? hy__mysql_fail(c, NULL, err) : clear_line(c, err);
}

/* The first of the handles that wait to be closed. */
static MYSQL_STMT *take_closing(hy__mysql *c)
{
    MYSQL_STMT *stmt = c->closing;
    void *next = NULL;

    (void)mysql_stmt_attr_get(stmt, STMT_ATTR_CB_USER_DATA, &next);
    c->closing = next;
    return stmt;
}

static bool has_bytes(const hy_value *v)
{
    return v->type == HY_TEXT || v->type == HY_BLOB || v->type == HY_DECIMAL || v->type == HY_JSON;
}

/* The current row was not looked at, and its bytes are about to be overwritten. */
static hy_status keep_row(hy__mysql_statement *s, hy_error *err)
{
    size_t size = 0;

    for (size_t i = 0; i < s->head.n_columns; i++)
        size += has_bytes(&s->row[i]) ? s->row[i].as.text.size : 0;
    if (!s->untaken || s->kept != NULL || size == 0)
        return HY_OK;
    s->kept = hy_alloc(size);
    if (s->kept == NULL)
        return hy_fail_oom(err);
    char *at = s->kept;
    for (size_t i = 0; i < s->head.n_columns; i++) {
        hy_value *v = &s->row[i];
        if (!has_bytes(v) || v->as.text.size == 0)
            continue;
        v->as.text.data = memcpy(at, v->as.text.data, v->as.text.size);
        at += v->as.text.size;
    }
    return HY_OK;
}

/* Somebody else's rows are on their way: into memory with them. */
static hy_status store_stream(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->stream;

    if (s->verb == HY__MYSQL_OTHER) /* more results may follow its rows */
        return hy_fail(err, HY_EINVALID_ARGUMENT,
                       "another statement is open on this connection: read it to its end or finish it first");
    hy_status status = keep_row(s, err);
    c->target = s->stmt;
    return status == HY_OK ? hy__mysql_plan(c, HY__MYSQL_STORE, after_store) : status;
}

static hy_status clear_line(hy__mysql *c, hy_error *err)
{
    if (c->stream != NULL)
        return store_stream(c, err);
    if (c->closing != NULL) {
        c->target = take_closing(c);
        return hy__mysql_plan(c, HY__MYSQL_FORGET, clear_line);
    }
    return c->begin(c, err);
}

static hy_status begin_nothing(hy__mysql *c, hy_error *err)
{
    (void)c;
    (void)err;
    return HY_OK;
}

hy_status hy__mysql_start(hy__mysql *c, hy__mysql_step begin, hy_wait *wait, hy_error *err)
{
    if (c->broken)
        return hy_fail(err, HY_ECONNECTION_LOST, "the connection is broken");
    if (c->busy)
        return hy_fail(err, HY_EINVALID_ARGUMENT,
                       "another statement is running on this connection: wait for it");
    c->busy = true;
    c->begin = begin;
    if (!c->suspended) /* else it is draining, and comes to `begin` by itself */
        (void)hy__mysql_plan(c, HY__MYSQL_NOTHING, clear_line);
    return hy__mysql_run(c, wait, err);
}

void hy__mysql_drain(hy__mysql *c)
{
    c->target = c->stream->stmt;
    c->stream = NULL;
    c->begin = begin_nothing;
    (void)hy__mysql_plan(c, HY__MYSQL_DRAIN, after_drain);
    (void)pump(c, NULL);
}

bool hy__mysql_is_drained(hy__mysql *c)
{
    if (c->busy) /* something else goes on, which takes care of it */
        return !c->broken;
    if (c->suspended)
        (void)pump(c, NULL);
    return !c->suspended && !c->broken;
}

void hy__mysql_bury(hy__mysql *c, MYSQL_STMT *stmt)
{
    (void)mysql_stmt_attr_set(stmt, STMT_ATTR_CB_USER_DATA, c->closing);
    c->closing = stmt;
}

/* ---- the end ---------------------------------------------------------------------------- */

/*
 * With the null device in place of the socket every read finds the end and every write is
 * swallowed: nothing waits, no signal is raised, and of a parent's connection nothing is
 * harmed in a forked child.
 */
static void take_socket(hy__mysql *c)
{
    int fd = mysql_get_socket(c->my);
    int null = fd >= 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

    if (null >= 0) {
        (void)dup3(null, fd, O_CLOEXEC);
        (void)close(null);
    } else if (fd >= 0 && hy__fork_guard_holds(&c->guard)) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

static void cut(hy__mysql *c)
{
    take_socket(c);
    while (c->suspended && c->call == HY__MYSQL_CONNECT) { /* it may try the next address */
        int events = MYSQL_WAIT_READ | MYSQL_WAIT_WRITE;
        c->suspended = calls[HY__MYSQL_CONNECT].go_on(c, events) != 0;
        take_socket(c);
    }
}

void hy__mysql_end(hy__mysql *c, bool silently)
{
    held_signal signal;

    if (c->may_use_tls)
        hold_signal(&signal);
    if (silently)
        cut(c);
    mysql_close(c->my);
    c->my = NULL;
    if (c->may_use_tls)
        release_signal(&signal);
}
