/*
 * fault_proxy.c - see fault_proxy.h. One thread, one poll(); the lock is held except in it, so
 * whoever changes something finds the thread between two bytes. What poll() says only wakes it:
 * each turn everything is tried that may be possible, without blocking.
 */
#include "fault_proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hysteria/datetime.h>

enum { MOST_CONNECTIONS = 128, BUFFER = 16384, NS_PER_MS = 1000000, FIRST_PORT = 20000, PORTS = 12000 };

/* One direction of a connection. */
typedef struct stream {
    int from, to;
    char data[BUFFER];
    size_t start, end; /* what was read and has not passed */
    int64_t held_until;
    int64_t passed, counted_from;
    size_t matched; /* of the plan's word, at the end of what was read so far */
    bool ended;     /* nothing more will come */
    bool shut;      /* and the other end knows */
} stream;

typedef struct connection {
    stream up, down; /* the client's bytes, the server's */
    fault_kind fault;
    bool word_sent; /* FAULT_AFTER_WORD: the answer is what comes next */
} connection;

struct fault_proxy {
    pthread_t thread;
    pthread_mutex_t lock;
    struct sockaddr_in server;
    int listener, port, wake;
    bool listens, stop;
    fault_plan plan;
    uint64_t random;
    fault_counts counts;
    connection *connections[MOST_CONNECTIONS], *last; /* last: the one accepted last */
    int n;
};

/* ---- sockets ---------------------------------------------------------------------------- */

static void set_up_socket(int fd)
{
    int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void close_socket(int *fd, bool reset)
{
    const struct linger hard = {.l_onoff = 1};

    if (*fd < 0)
        return;
    if (reset)
        (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    (void)close(*fd);
    *fd = -1;
}

/* A port by number keeps being ours while nobody listens there: connecting is refused then. */
static bool bind_somewhere(fault_proxy *p)
{
    int yes = 1;

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    for (int try = 0; try < 200; try++) {
        p->port = FIRST_PORT + (int)((uint64_t)(hy_monotonic_ns() / 1000 + try * 7919) % PORTS);
        const struct sockaddr_in at = {.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)p->port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bind(p->listener, (const struct sockaddr *)&at, sizeof at) == 0 && listen(p->listener, 64) == 0)
            return true;
    }
    return false;
}

static void listen_or_not(fault_proxy *p, bool wanted)
{
    if (wanted && !p->listens)
        (void)listen(p->listener, 64);
    else if (!wanted && p->listens)
        (void)shutdown(p->listener, SHUT_RD);
    p->listens = wanted;
}

/* ---- connections ------------------------------------------------------------------------ */

static connection *add_connection(fault_proxy *p, int client, int server)
{
    connection *c = calloc(1, sizeof *c);

    if (c == NULL)
        abort();
    set_up_socket(client);
    set_up_socket(server);
    c->up.from = c->down.to = client;
    c->up.to = c->down.from = server;
    p->connections[p->n++] = c;
    p->last = c;
    p->counts.accepted++;
    return c;
}

static void close_connection(connection *c, bool reset)
{
    close_socket(&c->up.from, reset);
    close_socket(&c->up.to, reset);
    c->down.to = c->down.from = -1;
}

static void forget_connection(fault_proxy *p, int i)
{
    if (p->last == p->connections[i])
        p->last = NULL;
    free(p->connections[i]);
    p->connections[i] = p->connections[--p->n];
}

static void accept_all(fault_proxy *p)
{
    while (p->listens && p->n < MOST_CONNECTIONS) {
        int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            return;
        int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(server, (const struct sockaddr *)&p->server, sizeof p->server) != 0) {
            close_socket(&client, true);
            close_socket(&server, false);
            continue;
        }
        p->counts.from_server = p->counts.from_client = 0;
        (void)add_connection(p, client, server);
    }
}

/* ---- faults ----------------------------------------------------------------------------- */

static bool may_fault(const fault_proxy *p, const connection *c)
{
    bool wanted = p->plan.kind == FAULT_FREEZE || p->plan.kind == FAULT_CUT || p->plan.kind == FAULT_RESET;
    return wanted && c->fault == FAULT_NONE && (p->plan.times == 0 || p->counts.faults < p->plan.times);
}

/* The client's end stays until it has closed it too: what it sends is thrown away, not refused. */
static void cut(connection *c)
{
    (void)shutdown(c->up.from, SHUT_WR);
    close_socket(&c->up.to, false);
    c->down.from = -1;
}

static void fault(fault_proxy *p, connection *c)
{
    c->fault = p->plan.kind;
    p->counts.faults++;
    if (c->fault == FAULT_RESET)
        close_connection(c, true);
    else if (c->fault == FAULT_CUT)
        cut(c);
}

/* How many bytes of a stream may pass before the plan strikes. */
static int64_t allowance(const fault_proxy *p, const connection *c, const stream *s)
{
    bool counts = (p->plan.moment == FAULT_AT_SERVER_BYTE && s == &c->down) ||
                  (p->plan.moment == FAULT_AT_CLIENT_BYTE && s == &c->up);

    return counts && may_fault(p, c) ? p->plan.at - (s->passed - s->counted_from) : INT64_MAX;
}

static bool strikes_by_count(const fault_proxy *p, const connection *c)
{
    return allowance(p, c, &c->down) <= 0 || allowance(p, c, &c->up) <= 0;
}

/* Does what was just read end the word, or stand in it? */
static bool meets_word(const fault_proxy *p, stream *s, const char *data, size_t size)
{
    const char *word = p->plan.word;

    for (size_t i = 0; i < size; i++) {
        s->matched = data[i] == word[s->matched] ? s->matched + 1 : data[i] == word[0];
        if (word[s->matched] == '\0') {
            s->matched = 0;
            return true;
        }
    }
    return false;
}

/* True: the plan struck, what was read does not pass. */
static bool look_for_word(fault_proxy *p, connection *c, stream *s, const char *data, size_t size)
{
    bool watches = p->plan.moment == FAULT_BEFORE_WORD || p->plan.moment == FAULT_AFTER_WORD;
    bool strikes = false;

    if (!watches || !may_fault(p, c))
        return false;
    if (s == &c->down)
        strikes = c->word_sent;
    else if (meets_word(p, s, data, size)) {
        strikes = p->plan.moment == FAULT_BEFORE_WORD;
        c->word_sent = true;
    }
    if (strikes)
        fault(p, c);
    return strikes;
}

/* ---- bytes ------------------------------------------------------------------------------ */

static uint64_t next_random(fault_proxy *p)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return p->random;
}

static size_t piece_of(fault_proxy *p, size_t size)
{
    size_t most = p->plan.piece;

    if (most > 0 && p->plan.seed != 0)
        most = 1 + next_random(p) % most;
    return most > 0 && most < size ? most : size;
}

/* True if something came. */
static bool fill(fault_proxy *p, connection *c, stream *s)
{
    if (s->end > s->start || s->ended)
        return false;
    s->start = s->end = 0;
    ssize_t n = recv(s->from, s->data, sizeof s->data, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    s->ended = n <= 0;
    if (n <= 0 || look_for_word(p, c, s, s->data, (size_t)n))
        return false;
    s->end = (size_t)n;
    s->held_until = p->plan.delay_ms > 0 ? hy_monotonic_ns() + p->plan.delay_ms * (int64_t)NS_PER_MS : 0;
    return true;
}

static void note_passed(fault_proxy *p, connection *c, stream *s, size_t n)
{
    s->start += n;
    s->passed += (int64_t)n;
    p->counts.pieces++;
    if (c == p->last) {
        p->counts.from_server = c->down.passed;
        p->counts.from_client = c->up.passed;
    }
    if (p->plan.delay_ms > 0)
        s->held_until = hy_monotonic_ns() + p->plan.delay_ms * (int64_t)NS_PER_MS;
}

/* True if something passed. */
static bool pass(fault_proxy *p, connection *c, stream *s)
{
    int64_t allowed = allowance(p, c, s);
    size_t size = s->end - s->start;

    if (size == 0 || hy_monotonic_ns() < s->held_until)
        return false;
    size = piece_of(p, allowed < (int64_t)size ? (size_t)allowed : size);
    ssize_t n = send(s->to, s->data + s->start, size, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        s->start = s->end; /* the reader is gone */
        s->ended = true;
    }
    if (n > 0)
        note_passed(p, c, s, (size_t)n);
    return n > 0;
}

static void pass_end_on(stream *s)
{
    if (!s->ended || s->shut || s->end > s->start)
        return;
    (void)shutdown(s->to, SHUT_WR);
    s->shut = true;
}

/* After a cut: until the client has seen it. */
static void throw_away(connection *c)
{
    char nowhere[4096];
    ssize_t n;

    while ((n = recv(c->up.from, nowhere, sizeof nowhere, 0)) > 0)
        ;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_connection(c, false);
}

static void serve(fault_proxy *p, connection *c)
{
    if (c->fault == FAULT_CUT)
        throw_away(c);
    for (bool more = true; more && c->fault == FAULT_NONE;) {
        if (strikes_by_count(p, c)) {
            fault(p, c);
            return;
        }
        more = fill(p, c, &c->up);
        more = pass(p, c, &c->up) || more;
        if (c->fault == FAULT_NONE && !strikes_by_count(p, c)) {
            more = fill(p, c, &c->down) || more;
            more = pass(p, c, &c->down) || more;
        }
    }
    if (c->fault != FAULT_NONE)
        return;
    pass_end_on(&c->up);
    pass_end_on(&c->down);
    if (c->up.shut && c->down.shut)
        close_connection(c, false);
}

/* ---- the thread ------------------------------------------------------------------------- */

static void watch(const stream *s, struct pollfd *fds, nfds_t *n, int64_t *until)
{
    if (s->end > s->start && hy_monotonic_ns() < s->held_until)
        *until = s->held_until < *until ? s->held_until : *until;
    else if (s->end > s->start)
        fds[(*n)++] = (struct pollfd){.fd = s->to, .events = POLLOUT};
    else if (!s->ended)
        fds[(*n)++] = (struct pollfd){.fd = s->from, .events = POLLIN};
}

static nfds_t watch_all(const fault_proxy *p, struct pollfd *fds, int *timeout)
{
    int64_t until = INT64_MAX;
    nfds_t n = 0;

    fds[n++] = (struct pollfd){.fd = p->wake, .events = POLLIN};
    if (p->listens && p->n < MOST_CONNECTIONS)
        fds[n++] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (int i = 0; i < p->n; i++) {
        const connection *c = p->connections[i];
        if (c->fault == FAULT_CUT)
            fds[n++] = (struct pollfd){.fd = c->up.from, .events = POLLIN};
        if (c->fault != FAULT_NONE)
            continue;
        watch(&c->up, fds, &n, &until);
        watch(&c->down, fds, &n, &until);
    }
    *timeout = -1;
    if (until != INT64_MAX) {
        int64_t left = until - hy_monotonic_ns();
        *timeout = left > 0 ? (int)(left / NS_PER_MS) + 1 : 0;
    }
    return n;
}

static void serve_all(fault_proxy *p)
{
    uint64_t woken;

    (void)!read(p->wake, &woken, sizeof woken);
    accept_all(p);
    for (int i = 0; i < p->n; i++) {
        serve(p, p->connections[i]);
        if (p->connections[i]->up.from < 0)
            forget_connection(p, i--);
    }
}

static void *run(void *ctx)
{
    fault_proxy *p = ctx;
    struct pollfd fds[2 + 2 * MOST_CONNECTIONS];
    int timeout;

    (void)pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        nfds_t n = watch_all(p, fds, &timeout);
        (void)pthread_mutex_unlock(&p->lock);
        (void)poll(fds, n, timeout);
        (void)pthread_mutex_lock(&p->lock);
        serve_all(p);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- public ----------------------------------------------------------------------------- */

fault_proxy *fault_proxy_start(const char *host, int port)
{
    fault_proxy *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    p->listens = true;
    (void)pthread_mutex_init(&p->lock, NULL);
    if (inet_pton(AF_INET, host, &p->server.sin_addr) == 1 && bind_somewhere(p) &&
        pthread_create(&p->thread, NULL, run, p) == 0)
        return p;
    free(p);
    return NULL;
}

int fault_proxy_port(const fault_proxy *p)
{
    return p->port;
}

static void unlock_and_wake(fault_proxy *p)
{
    uint64_t one = 1;

    (void)pthread_mutex_unlock(&p->lock);
    (void)!write(p->wake, &one, sizeof one);
}

static void begin_counting(connection *c)
{
    stream *streams[] = {&c->up, &c->down};

    for (size_t i = 0; i < 2; i++) {
        streams[i]->counted_from = streams[i]->passed;
        streams[i]->matched = 0;
        streams[i]->held_until = 0;
    }
    c->word_sent = false;
    if (c->fault == FAULT_FREEZE)
        c->fault = FAULT_NONE;
}

void fault_proxy_set(fault_proxy *p, const fault_plan *plan)
{
    (void)pthread_mutex_lock(&p->lock);
    p->plan = *plan;
    p->random = plan->seed;
    p->counts.faults = 0;
    p->counts.pieces = 0;
    listen_or_not(p, plan->kind != FAULT_REFUSE);
    for (int i = 0; i < p->n; i++) {
        begin_counting(p->connections[i]);
        if (strikes_by_count(p, p->connections[i]))
            fault(p, p->connections[i]);
    }
    unlock_and_wake(p);
}

void fault_proxy_pass(fault_proxy *p)
{
    static const fault_plan none = {.kind = FAULT_NONE};

    fault_proxy_set(p, &none);
}

fault_counts fault_proxy_count(fault_proxy *p)
{
    (void)pthread_mutex_lock(&p->lock);
    fault_counts counts = p->counts;
    counts.open = p->n;
    (void)pthread_mutex_unlock(&p->lock);
    return counts;
}

void fault_proxy_drop(fault_proxy *p)
{
    (void)pthread_mutex_lock(&p->lock);
    accept_all(p); /* those that wait to be accepted too */
    while (p->n > 0) {
        close_connection(p->connections[0], false);
        forget_connection(p, 0);
    }
    unlock_and_wake(p);
}

void fault_proxy_stop(fault_proxy *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stop = true;
    unlock_and_wake(p);
    (void)pthread_join(p->thread, NULL);
    fault_proxy_drop(p);
    close_socket(&p->listener, false);
    (void)close(p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
