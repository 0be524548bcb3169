/*
 * TLS on every server, by every ssl.mode: with the right authority, without one, with a stranger,
 * for a host that the certificate does not name, and through somebody who tells the client that
 * the server has no TLS. Only the pairs of the tables connect, as encrypted as they say; whoever
 * is refused has sent neither its user's name nor its password.
 *
 * Oracles: the server says whether a session is encrypted; a relay between keeps every byte that
 * the client sends.
 */
#include "servers.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEPT = 65536, PIECE = 4096, TLS_OF_MYSQL = 0x0800 };

/* ---- the relay -------------------------------------------------------------------------- */

typedef struct relay {
    pthread_t thread;
    int listener, port;
    bool strips;
    size_t kept; /* of what clients sent; read once the relay has stopped */
    char sent[KEPT];
} relay;

static struct sockaddr_in address_of(const char *host, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    assert_int_equal(inet_pton(AF_INET, host, &at.sin_addr), 1);
    return at;
}

static bool read_all(int fd, void *data, size_t size)
{
    return recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

static void write_all(int fd, const void *data, size_t size)
{
    (void)!send(fd, data, size, MSG_NOSIGNAL); /* less than a socket's buffer */
}

static void keep(relay *r, const void *data, size_t size)
{
    size = size < KEPT - r->kept ? size : KEPT - r->kept;
    memcpy(r->sent + r->kept, data, size);
    r->kept += size;
}

/* The client asks for TLS before anything else: the answer is no. */
static void strip_postgres(relay *r, int client, int server_fd)
{
    static const unsigned char wants_tls[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    unsigned char first[8];

    if (!read_all(client, first, sizeof first))
        return;
    keep(r, first, sizeof first);
    if (memcmp(first, wants_tls, sizeof first) == 0)
        write_all(client, "N", 1);
    else
        write_all(server_fd, first, sizeof first);
}

/* The server's greeting says that it has TLS: not any more. */
static void strip_mysql(int client, int server_fd)
{
    unsigned char packet[PIECE];

    if (!read_all(server_fd, packet, 4))
        return;
    size_t size = packet[0] + 256U * packet[1];
    if (size > sizeof packet - 4 || !read_all(server_fd, packet + 4, size))
        return;
    /* protocol, version and its NUL, thread, half of the scramble, a zero: then the abilities */
    size_t at = 5 + strnlen((char *)packet + 5, size - 1) + 1 + 4 + 8 + 1;
    if (at + 1 < size)
        packet[at + 1] &= (unsigned char)~(TLS_OF_MYSQL >> 8);
    write_all(client, packet, size + 4);
}

/* False: this end has nothing more to say. */
static bool pass(relay *r, int from, int to)
{
    char data[PIECE];
    ssize_t n = recv(from, data, sizeof data, 0);

    if (n <= 0)
        return false;
    if (r != NULL)
        keep(r, data, (size_t)n);
    write_all(to, data, (size_t)n);
    return true;
}

static void serve(relay *r, int client)
{
    const struct sockaddr_in at = address_of(server.url.host, server.url.port);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    bool open = connect(other, (const struct sockaddr *)&at, sizeof at) == 0;

    if (open && r->strips && server.kind == SERVER_POSTGRES)
        strip_postgres(r, client, other);
    else if (open && r->strips)
        strip_mysql(client, other);
    while (open && poll(fds, 2, -1) > 0) {
        open = fds[0].revents == 0 || pass(r, client, other);
        open = open && (fds[1].revents == 0 || pass(NULL, other, client));
    }
    (void)close(other);
    (void)close(client);
}

/* One connection after the other: a client has no second one beside it here. */
static void *run_relay(void *arg)
{
    relay *r = arg;

    for (int client; (client = accept(r->listener, NULL, NULL)) >= 0;)
        serve(r, client);
    return NULL;
}

static void start_relay(relay *r, const char *host, bool strips)
{
    struct sockaddr_in at = address_of(host, 0);
    socklen_t size = sizeof at;

    r->strips = strips;
    r->kept = 0;
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listener, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->listener, 8), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &size), 0);
    r->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, run_relay, r), 0);
}

static void stop_relay(relay *r)
{
    (void)shutdown(r->listener, SHUT_RDWR); /* ends accept() */
    (void)pthread_join(r->thread, NULL);
    (void)close(r->listener);
}

static bool has_sent(const relay *r, const char *word)
{
    return memmem(r->sent, r->kept, word, strlen(word)) != NULL;
}

/* ---- pairs ------------------------------------------------------------------------------ */

typedef enum authority { RIGHT, NONE, STRANGER } authority;

/* P: plain text, T: encrypted, R: refused; by mode in this order. */
static const char *const modes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
enum { MODES = sizeof modes / sizeof modes[0] };

static const struct situation {
    const char *name, *host;
    authority ca;
    bool strips;
    const char *postgres, *mysql;
} situations[] = {
    {"the right authority", "127.0.0.1", RIGHT, false, "PPTTTT", "PTTTTT"},
    {"no authority", "127.0.0.1", NONE, false, "PPTTRR", "PTTRRR"},
    {"a stranger", "127.0.0.1", STRANGER, false, "PPPRRR", "PRRRRR"},
    {"another host", "127.0.0.2", RIGHT, false, "PPTTTR", "PTTRRR"},
    {"TLS stripped", "127.0.0.1", RIGHT, true, "PPPRRR", "PPPRRR"},
};
enum { SITUATIONS = sizeof situations / sizeof situations[0] };

/* Signed by that authority is the server's certificate, not by itself. */
static const char *file_of(authority ca, char stranger[4096])
{
    const char *right = getenv("HY_TEST_TLS_CA");

    (void)snprintf(stranger, 4096, "%.*s/server.pem", (int)(strrchr(right, '/') - right), right);
    return ca == RIGHT ? right : ca == STRANGER ? stranger : NULL;
}

static const char *is_encrypted_sql(void)
{
    switch (server.kind) {
    case SERVER_POSTGRES:
        return "SELECT ssl::int::bigint FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    case SERVER_MARIADB:
        return "SELECT CAST(variable_value <> '' AS SIGNED) FROM information_schema.session_status "
               "WHERE variable_name = 'Ssl_cipher'";
    default:
        return "SELECT CAST(variable_value <> '' AS SIGNED) FROM performance_schema.session_status "
               "WHERE variable_name = 'Ssl_cipher'";
    }
}

/* What comes of a mode in a situation, as in the table; '?': something else. */
static char outcome_of(relay *r, const struct situation *s, const char *mode, hy_error *err)
{
    char stranger[4096], text[64];
    hy_source_config config = server_config(NULL);

    config.connect.host = s->host;
    config.connect.port = r->port;
    config.connect.ssl_mode = mode;
    config.connect.ssl_ca = file_of(s->ca, stranger);
    hy_source *source = server_open(&config);
    hy_status status =
        sql_text((place){.source = source}, text, sizeof text, &(int64_t){0}, err, is_encrypted_sql());
    server_shut(source);
    if (status == HY_ETLS_REFUSED)
        return 'R';
    return status != HY_OK ? '?' : strcmp(text, "1") == 0 ? 'T' : 'P';
}

static void check_pair(const struct situation *s, size_t mode, int *refused)
{
    static relay r;
    char wanted = (server.kind == SERVER_POSTGRES ? s->postgres : s->mysql)[mode];
    hy_error err;

    start_relay(&r, s->host, s->strips);
    char got = outcome_of(&r, s, modes[mode], &err);
    stop_relay(&r);
    if (got != wanted)
        fail_msg("%s, %s, %s: %c, not %c (%s)", server.type, s->name, modes[mode], got, wanted,
                 got == 'R' || got == '?' ? err.message : "");
    if (got == 'R') {
        assert_false(has_sent(&r, server.url.user) || has_sent(&r, server.url.password));
        assert_true(!s->strips || r.kept <= 8);
        assert_null(strstr(err.message, server.url.password));
        ++*refused;
    } else {
        assert_true(r.kept > 0);
        assert_int_equal(has_sent(&r, server.url.user), got == 'P'); /* the relay would see it */
    }
}

static void only_documented_pairs_connect(void **state)
{
    int refused = 0;

    (void)state;
    if (getenv("HY_TEST_TLS_CA") == NULL)
        skip(); /* a server of somebody else's may have no certificate */
    for (size_t i = 0; i < SITUATIONS; i++)
        for (size_t mode = 0; mode < MODES; mode++)
            check_pair(&situations[i], mode, &refused);
    report("tls: %s: %d pairs of situation and mode as documented, %d of them refused, leaks 0", server.type,
           SITUATIONS * MODES, refused);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_documented_pairs_connect)};

    return servers_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
