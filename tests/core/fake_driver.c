/*
 * fake_driver.c - see fake_driver.h. Keeps count of everything, so tests can ask whether all
 * that was opened was closed.
 */
#include "fake_driver.h"

#include <stdio.h>
#include <string.h>

#include <hysteria/datetime.h>

fake_server fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

typedef enum fake_pending { FAKE_NOTHING, FAKE_CONNECT, FAKE_EXECUTE, FAKE_NEXT, FAKE_RESET } fake_pending;

typedef struct fake_statement {
    hy_statement head;
    char sql[FAKE_SQL];
    fake_reply reply;
    int row;
    bool open; /* executed, not finished */
    const char *names[8];
    hy_kind kinds[8];
} fake_statement;

typedef struct fake_connection {
    hy_connection head;
    int number;
    bool broken;
    hy_transaction_status status;
    fake_pending pending;
    int again, again_fd;
    int64_t again_ns;
    fake_statement *statement;
    int64_t affected;
} fake_connection;

void fake_reset(hy_driver_flags flags)
{
    pthread_mutex_t lock = fake.lock;

    memset(&fake, 0, sizeof fake);
    fake.lock = lock;
    fake.flags = flags;
}

fake_reply *fake_add_reply(const char *sql)
{
    for (int i = 0; i < FAKE_REPLIES; i++)
        if (fake.replies[i].sql == NULL) {
            fake.replies[i].sql = sql;
            return &fake.replies[i];
        }
    return NULL;
}

const char *fake_log(int i)
{
    return i < fake.n_log ? fake.log[i] : "";
}

void fake_kill_all(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.killed_up_to = fake.connects;
    pthread_mutex_unlock(&fake.lock);
}

static fake_connection *connection(hy_connection *c)
{
    return (fake_connection *)(void *)c;
}

static fake_statement *statement(hy_statement *s)
{
    return (fake_statement *)(void *)s;
}

static hy_status lost(fake_connection *c, hy_error *err)
{
    c->broken = true;
    c->status = HY_TRANSACTION_UNKNOWN;
    return hy_fail(err, HY_ECONNECTION_LOST, "the fake server went away");
}

/* Every call that a real driver would do on the wire passes here. */
static bool dies(fake_connection *c)
{
    bool now;

    pthread_mutex_lock(&fake.lock);
    now = ++fake.calls == fake.die_at || c->number <= fake.killed_up_to;
    pthread_mutex_unlock(&fake.lock);
    return now || c->broken;
}

static hy_status wait_again(fake_connection *c, hy_wait *wait)
{
    c->again--;
    wait->fd = c->again_fd > 0 ? c->again_fd : -1;
    wait->events = c->again_fd > 0 ? HY_WAIT_READ : 0;
    wait->deadline = hy_monotonic_ns() + c->again_ns;
    return HY_AGAIN;
}

static bool fake_is_private(const hy_connect_config *config)
{
    (void)config;
    return fake.is_private;
}

static hy_status end_connect(fake_connection *c, hy_error *err)
{
    hy_status fails = HY_OK;

    pthread_mutex_lock(&fake.lock);
    if (fake.connect_fails != HY_OK) {
        fails = fake.connect_fails;
        if (fake.connect_fails_times > 0 && --fake.connect_fails_times == 0)
            fake.connect_fails = HY_OK;
    }
    pthread_mutex_unlock(&fake.lock);
    c->pending = FAKE_NOTHING;
    if (fails != HY_OK)
        return hy_fail(err, fails, "the fake server refuses");
    return HY_OK;
}

static hy_status fake_connect(hy_connection *conn, const hy_connect_config *config, hy_wait *wait,
                              hy_error *err)
{
    fake_connection *c = connection(conn);

    (void)config;
    pthread_mutex_lock(&fake.lock);
    c->number = ++fake.connects;
    if (++fake.live > fake.max_live)
        fake.max_live = fake.live;
    c->again = fake.connect_again;
    c->again_ns = fake.connect_ns;
    pthread_mutex_unlock(&fake.lock);
    conn->server_version = 34001;
    c->status = HY_TRANSACTION_IDLE;
    if (dies(c))
        return lost(c, err);
    c->pending = FAKE_CONNECT;
    return c->again > 0 ? wait_again(c, wait) : end_connect(c, err);
}

static hy_status end_execute(fake_connection *c, fake_statement *s, hy_error *err);

static hy_status fake_advance(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    fake_connection *c = connection(conn);
    fake_pending pending = c->pending;

    if (dies(c))
        return lost(c, err);
    if (c->again > 0)
        return wait_again(c, wait);
    c->pending = FAKE_NOTHING;
    switch (pending) {
    case FAKE_CONNECT:
        return end_connect(c, err);
    case FAKE_EXECUTE:
        return end_execute(c, c->statement, err);
    case FAKE_NEXT:
    case FAKE_RESET:
        return HY_OK;
    case FAKE_NOTHING:
        break;
    }
    pthread_mutex_lock(&fake.lock);
    fake.broken_uses++;
    pthread_mutex_unlock(&fake.lock);
    return hy_fail(err, HY_EDEVELOPMENT_ERROR, "nothing to advance");
}

static void fake_close(hy_connection *conn)
{
    fake_pending pending = connection(conn)->pending;

    pthread_mutex_lock(&fake.lock);
    fake.given_up += pending == FAKE_EXECUTE || pending == FAKE_NEXT;
    fake.closes++;
    fake.live--;
    pthread_mutex_unlock(&fake.lock);
}

static bool fake_is_alive(hy_connection *conn)
{
    fake_connection *c = connection(conn);
    bool alive;

    pthread_mutex_lock(&fake.lock);
    alive = !c->broken && c->number > fake.killed_up_to;
    pthread_mutex_unlock(&fake.lock);
    return alive;
}

static hy_transaction_status fake_transaction_status(hy_connection *conn)
{
    return connection(conn)->status;
}

static hy_status fake_reset_session(hy_connection *conn, hy_wait *wait, hy_error *err)
{
    fake_connection *c = connection(conn);

    pthread_mutex_lock(&fake.lock);
    fake.resets++;
    fake.broken_uses += c->status != HY_TRANSACTION_IDLE;
    pthread_mutex_unlock(&fake.lock);
    if (fake.reset_fails != HY_OK)
        return hy_fail(err, fake.reset_fails, "the fake server cannot reset");
    c->again = fake.reset_again;
    c->again_ns = 0;
    c->again_fd = 0;
    c->pending = FAKE_RESET;
    if (c->again > 0)
        return wait_again(c, wait);
    c->pending = FAKE_NOTHING;
    return HY_OK;
}

static const fake_reply *find_reply(const char *sql)
{
    static const fake_reply nothing = {.sql = ""};

    for (int i = 0; i < FAKE_REPLIES; i++) {
        fake_reply *r = &fake.replies[i];
        if (r->sql == NULL || r->times < 0 || strncmp(sql, r->sql, strlen(r->sql)) != 0)
            continue;
        if (r->times > 0 && --r->times == 0)
            r->times = -1;
        return r;
    }
    return &nothing;
}

static hy_status fake_prepare(hy_connection *conn, hy_statement *head, const char *sql, size_t size,
                              const hy_kind *kinds, size_t n_kinds, hy_wait *wait, hy_error *err)
{
    fake_connection *c = connection(conn);
    fake_statement *s = statement(head);
    const hy_kind any = HY_KIND_BIGINT;

    (void)wait;
    (void)kinds;
    (void)n_kinds;
    pthread_mutex_lock(&fake.lock);
    fake.prepared++;
    pthread_mutex_unlock(&fake.lock);
    if (dies(c))
        return lost(c, err);
    snprintf(s->sql, sizeof s->sql, "%.*s", (int)size, sql);
    for (size_t i = 0; i < size; i++)
        head->n_params += sql[i] == '?';
    pthread_mutex_lock(&fake.lock);
    for (int i = 0; i < FAKE_REPLIES; i++) {
        const fake_reply *r = &fake.replies[i];
        if (r->sql != NULL && r->times >= 0 && strncmp(sql, r->sql, strlen(r->sql)) == 0) {
            head->n_columns = r->n_columns > 0 ? (size_t)r->n_columns : r->rows > 0;
            head->read_only = r->read_only;
            break;
        }
    }
    pthread_mutex_unlock(&fake.lock);
    for (size_t i = 0; i < head->n_columns; i++) {
        s->names[i] = "n";
        s->kinds[i] = any;
    }
    head->column_names = s->names;
    head->column_kinds = s->kinds;
    return HY_OK;
}

static bool begins(const char *sql, const char *word)
{
    return strncmp(sql, word, strlen(word)) == 0;
}

static void move_transaction(fake_connection *c, const char *sql)
{
    if (begins(sql, "BEGIN") || begins(sql, "START TRANSACTION") || begins(sql, "ROLLBACK TO"))
        c->status = HY_TRANSACTION_ACTIVE;
    else if (begins(sql, "COMMIT") || begins(sql, "ROLLBACK"))
        c->status = HY_TRANSACTION_IDLE;
}

static hy_status end_execute(fake_connection *c, fake_statement *s, hy_error *err)
{
    c->affected = s->reply.affected;
    if (s->reply.fails != HY_OK) {
        if (s->reply.set_after)
            c->status = s->reply.after;
        if (s->reply.breaks)
            return lost(c, err);
        s->head.stale = s->reply.stale;
        return hy_fail(err, s->reply.fails, "as the test wants");
    }
    move_transaction(c, s->sql);
    s->row = 1;
    return s->reply.rows > 0 ? HY_OK : HY_DONE;
}

static hy_status fake_execute(hy_connection *conn, hy_statement *head, const hy_bind *binds, size_t n_binds,
                              hy_wait *wait, hy_error *err)
{
    fake_connection *c = connection(conn);
    fake_statement *s = statement(head);

    (void)binds;
    pthread_mutex_lock(&fake.lock);
    fake.broken_uses += s->open || n_binds != head->n_params;
    fake.running++;
    if (fake.n_log < FAKE_LOG)
        snprintf(fake.log[fake.n_log++], FAKE_SQL, "%d: %.80s", c->number, s->sql);
    s->reply = *find_reply(s->sql);
    pthread_mutex_unlock(&fake.lock);
    s->open = true;
    head->stale = false;
    if (dies(c))
        return lost(c, err);
    c->again = s->reply.again;
    c->again_ns = s->reply.again_ns;
    c->again_fd = s->reply.again_fd;
    c->statement = s;
    c->pending = FAKE_EXECUTE;
    if (c->again > 0)
        return wait_again(c, wait);
    c->pending = FAKE_NOTHING;
    return end_execute(c, s, err);
}

static hy_status fake_row(hy_connection *conn, hy_statement *head, hy_value *values, hy_error *err)
{
    if (dies(connection(conn)))
        return lost(connection(conn), err);
    for (size_t i = 0; i < head->n_columns; i++)
        values[i] = hy_int(statement(head)->row);
    return HY_OK;
}

static hy_status fake_next(hy_connection *conn, hy_statement *head, hy_wait *wait, hy_error *err)
{
    fake_connection *c = connection(conn);
    fake_statement *s = statement(head);

    if (dies(c))
        return lost(c, err);
    if (++s->row > s->reply.rows)
        return HY_DONE;
    if (s->row == s->reply.fails_at_row)
        return hy_fail(err, HY_EDATABASE_ERROR, "at this row");
    c->again = s->reply.again_rows;
    c->again_ns = 0;
    c->again_fd = 0;
    c->pending = FAKE_NEXT;
    if (c->again > 0)
        return wait_again(c, wait);
    c->pending = FAKE_NOTHING;
    return HY_OK;
}

static void fake_finish(hy_connection *conn, hy_statement *head)
{
    fake_statement *s = statement(head);

    (void)conn;
    pthread_mutex_lock(&fake.lock);
    fake.broken_uses += !s->open;
    fake.running--;
    pthread_mutex_unlock(&fake.lock);
    s->open = false;
}

static int64_t fake_affected(hy_connection *conn)
{
    return connection(conn)->affected;
}

static int64_t fake_insert_id(hy_connection *conn)
{
    (void)conn;
    return 7;
}

static void fake_statement_close(hy_connection *conn, hy_statement *head)
{
    (void)conn;
    pthread_mutex_lock(&fake.lock);
    fake.unprepared++;
    fake.broken_uses += statement(head)->open;
    pthread_mutex_unlock(&fake.lock);
}

const hy_driver *fake_driver(void)
{
    static const hy_driver base = {
        .name = "fake",
        .package = "none",
        .connection_size = sizeof(fake_connection),
        .statement_size = sizeof(fake_statement),
        .is_private = fake_is_private,
        .connect = fake_connect,
        .advance = fake_advance,
        .close = fake_close,
        .is_alive = fake_is_alive,
        .is_idle = fake_is_alive,
        .transaction_status = fake_transaction_status,
        .reset = fake_reset_session,
        .prepare = fake_prepare,
        .execute = fake_execute,
        .row = fake_row,
        .next = fake_next,
        .finish = fake_finish,
        .affected = fake_affected,
        .insert_id = fake_insert_id,
        .statement_close = fake_statement_close,
    };
    static hy_driver driver;

    driver = base;
    driver.flags = fake.flags;
    return &driver;
}
