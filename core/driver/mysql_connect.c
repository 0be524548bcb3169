/*
 * mysql_connect.c - connecting to MariaDB or MySQL, and the settings each session has.
 *
 * Safe settings are not for sale: utf8mb4, strict sql_mode, autocommit, UTC unless said
 * otherwise, no LOAD DATA LOCAL, no silent reconnecting, no password in clear text to a server
 * that is not verified. Where the server's own sql_mode would change what SQL text means
 * (ANSI_QUOTES, NO_BACKSLASH_ESCAPES...) that part of it is dropped, the rest is kept.
 *
 * TLS, by libpq's mode names. libmariadb takes "enforce" for a wish: it goes on in plain text
 * where the server has no TLS, unless the certificate is verified too. So here require,
 * verify-ca and verify-full are one: TLS, a certificate signed by ssl.ca (else by the system's
 * authorities) and the host's name in it. allow and prefer: TLS if the server has it, of
 * anybody unless ssl.ca is given, else plain text. disable: plain text. Default: disable for a Unix socket
 * and this machine (localhost, 127.*, ::1), verify-full for every other host.
 *
 * The library can look a host's name up and shake hands for TLS only blocking: a thread of the
 * worker finds the addresses, which are then tried in turn, or, where TLS may be used and the
 * name must be compared with the certificate, makes the whole connection (mysql_jobs.c).
 */
#include <errmsg.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/memory.h>

#include "mysql_driver.h"

enum { DEFAULT_PACKET = 16 * 1024 * 1024, DEFAULT_PORT = 3306 };

/* ---- options ---------------------------------------------------------------------------- */

typedef struct chosen {
    const char *socket;
    int64_t lock_wait; /* seconds; 0: the server's */
} chosen;

static hy_status choose(chosen *into, const char *name, const char *value, hy_error *err)
{
    if (strcmp(name, "socket") == 0) {
        into->socket = value;
        return HY_OK;
    }
    if (strcmp(name, "lock_wait_timeout") == 0) {
        if (hy_parse_int(value, strlen(value), &into->lock_wait) && into->lock_wait >= 1 &&
            into->lock_wait <= INT32_MAX / 2)
            return HY_OK;
        return hy_fail(err, HY_EINVALID_CONFIG, "mysql option lock_wait_timeout needs seconds, from 1 on");
    }
    return hy_fail(err, HY_EUNKNOWN_OPTION,
                   "mysql has no option \"%.40s\": there are socket and lock_wait_timeout", name);
}

static hy_status choose_all(chosen *into, const hy_connect_config *config, hy_error *err)
{
    for (size_t i = 0; i < config->n_options; i++) {
        const hy_connect_option *option = &config->options[i];
        hy_status status = choose(into, option->name, option->value != NULL ? option->value : "", err);
        if (status != HY_OK)
            return status;
    }
    return HY_OK;
}

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

/* A host that is a path is a socket. Without any the server is this machine's, by TCP. */
static void choose_address(hy__mysql_settings *to, const hy_connect_config *config, const chosen *with)
{
    to->socket = with->socket;
    if (to->socket == NULL && config->host != NULL && config->host[0] == '/')
        to->socket = config->host;
    to->host = is_given(config->host) && to->socket == NULL ? config->host : "localhost";
    to->port = config->port > 0 ? (unsigned)config->port : DEFAULT_PORT;
}

static hy_status choose_database(hy__mysql_settings *to, const hy_connect_config *config, hy_error *err)
{
    if (is_given(config->database) && is_given(config->schema) &&
        strcmp(config->database, config->schema) != 0)
        return hy_fail(err, HY_EINVALID_CONFIG,
                       "schema and database are the same thing to MariaDB and MySQL: give one of them");
    to->database = is_given(config->database) ? config->database : config->schema;
    if (!is_given(to->database))
        to->database = NULL;
    return HY_OK;
}

/* ---- TLS -------------------------------------------------------------------------------- */

static const struct {
    const char *mode;
    hy__mysql_tls use;
} tls_modes[] = {
    {"disable", HY__MYSQL_TLS_NEVER},      {"allow", HY__MYSQL_TLS_IF_OFFERED},
    {"prefer", HY__MYSQL_TLS_IF_OFFERED},  {"require", HY__MYSQL_TLS_VERIFIED},
    {"verify-ca", HY__MYSQL_TLS_VERIFIED}, {"verify-full", HY__MYSQL_TLS_VERIFIED},
};

static bool is_local(const hy__mysql_settings *s)
{
    return s->socket != NULL || strcmp(s->host, "localhost") == 0 || strcmp(s->host, "::1") == 0 ||
           strncmp(s->host, "127.", 4) == 0;
}

static hy_status choose_tls(hy__mysql_settings *to, const char *mode, hy_error *err)
{
    if (!is_given(mode)) {
        to->tls = is_local(to) ? HY__MYSQL_TLS_NEVER : HY__MYSQL_TLS_VERIFIED;
        return HY_OK;
    }
    for (size_t i = 0; i < sizeof tls_modes / sizeof tls_modes[0]; i++)
        if (strcmp(tls_modes[i].mode, mode) == 0) {
            to->tls = tls_modes[i].use;
            return HY_OK;
        }
    return hy_fail(
        err, HY_EINVALID_CONFIG,
        "no ssl.mode \"%.20s\": there are disable, allow, prefer, require, verify-ca and verify-full", mode);
}

/* ---- settings of the session ------------------------------------------------------------ */

static bool is_zone(const char *zone)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/:";

    return *zone != '\0' && zone[strspn(zone, letters)] == '\0';
}

/* Modes that change what SQL text means, alone or as a part of them, or what is read. */
static bool is_dropped_mode(const char *word, size_t size)
{
    static const char *const dropped[] = {
        "ANSI",
        "ANSI_QUOTES",
        "DB2",
        "EMPTY_STRING_IS_NULL",
        "HIGH_NOT_PRECEDENCE",
        "MAXDB",
        "MSSQL",
        "ORACLE",
        "NO_BACKSLASH_ESCAPES",
        "PIPES_AS_CONCAT",
        "POSTGRESQL",
        "PAD_CHAR_TO_FULL_LENGTH",
        "REAL_AS_FLOAT",
    };

    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
        if (hy_text_equal_nocase(word, size, dropped[i], strlen(dropped[i])))
            return true;
    return false;
}

/* Values are stored as they are or refused, 0000-00-00 and what 1 / 0 is too; a number 0 in a key is a 0. */
static void put_sql_mode(hy_buf *out, const char *mode)
{
    hy_buf_puts(out, ", sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,"
                     "NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO");
    while (*mode != '\0') {
        size_t size = strcspn(mode, ",");
        if (size > 0 && !is_dropped_mode(mode, size)) {
            hy_buf_putc(out, ',');
            hy_buf_append(out, mode, size);
        }
        mode += size + (mode[size] == ',');
    }
    hy_buf_putc(out, '\'');
}

/* One hour for a program that reads a long result slowly: the server's minute cuts it off. */
static void write_setup(hy__mysql *c, const hy_connect_config *config, const char *sql_mode)
{
    chosen with = {NULL, 0};

    hy_buf_puts(&c->setup, "SET NAMES utf8mb4, autocommit = 1, net_write_timeout = 3600, time_zone = '");
    hy_buf_puts(&c->setup, is_given(config->timezone) ? config->timezone : "+00:00");
    hy_buf_putc(&c->setup, '\'');
    put_sql_mode(&c->setup, sql_mode);
    (void)choose_all(&with, config, NULL); /* checked before */
    if (with.lock_wait > 0) {
        hy_buf_puts(&c->setup, ", innodb_lock_wait_timeout = ");
        hy_buf_put_int(&c->setup, with.lock_wait);
    }
    hy_buf_append(&c->setup, "", 1);
    if (config->read_only)
        hy_buf_append(&c->setup, "SET SESSION TRANSACTION READ ONLY",
                      sizeof "SET SESSION TRANSACTION READ ONLY");
}

static hy_status next_setting(hy__mysql *c, hy_error *err);

static hy_status after_setting(hy__mysql *c, hy_error *err)
{
    if (c->ret != 0)
        return hy__mysql_fail_connect(c, err);
    c->setup_at += c->sql_size + 1;
    return next_setting(c, err);
}

static hy_status next_setting(hy__mysql *c, hy_error *err)
{
    if (c->setup_at >= c->setup.size) {
        (void)err;
        hy__mysql_look(c);
        return HY_OK;
    }
    const char *sql = c->setup.data + c->setup_at;
    return hy__mysql_plan_query(c, sql, strlen(sql), after_setting);
}

/* ---- what the server is ----------------------------------------------------------------- */

static hy_status read_server(hy__mysql *c, hy_error *err)
{
    MYSQL_ROW row = mysql_fetch_row(c->ret_result);
    int64_t size;

    c->max_packet = DEFAULT_PACKET;
    if (row == NULL || row[0] == NULL || row[1] == NULL)
        return hy_fail(err, HY_EDATABASE_ERROR, "the server does not tell its settings");
    if (hy_parse_int(row[0], strlen(row[0]), &size) && size > 0)
        c->max_packet = (uint64_t)size;
    write_setup(c, c->config, row[1]);
    return c->setup.failed ? hy_fail_oom(err) : HY_OK;
}

static hy_status after_asking(hy__mysql *c, hy_error *err)
{
    if (c->ret_result == NULL)
        return hy__mysql_fail_connect(c, err);
    hy_status status = read_server(c, err);
    mysql_free_result(c->ret_result);
    c->ret_result = NULL;
    c->config = NULL; /* the caller's again */
    return status == HY_OK ? next_setting(c, err) : status;
}

static hy_status after_question(hy__mysql *c, hy_error *err)
{
    if (c->ret != 0)
        return hy__mysql_fail_connect(c, err);
    return hy__mysql_plan(c, HY__MYSQL_RESULT, after_asking);
}

/*
 * The library leaves the socket blocking, which TLS falls into, and open in programs that this one
 * starts, which would keep the session alive.
 */
static void adopt(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* A peer that vanished is noticed within a minute, also while nothing is sent. */
static void keep_alive(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},          {IPPROTO_TCP, TCP_KEEPIDLE, 30},
        {IPPROTO_TCP, TCP_KEEPINTVL, 10},       {IPPROTO_TCP, TCP_KEEPCNT, 3},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 60000},
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

/* The dialects differ, so the configured type must be the server's. */
static hy_status check_server(hy__mysql *c, hy_error *err)
{
    bool is_mariadb = mariadb_connection(c->my) != 0;

    if (is_mariadb != c->is_mariadb)
        return hy_fail(err, HY_EINVALID_CONFIG, "the server is %s, not %s: set type = \"%s\"",
                       is_mariadb ? "MariaDB" : "MySQL", c->is_mariadb ? "MariaDB" : "MySQL",
                       is_mariadb ? "mariadb" : "mysql");
    if (c->settings->tls == HY__MYSQL_TLS_VERIFIED && mysql_get_ssl_cipher(c->my) == NULL)
        return hy_fail(err, HY_ETLS_REFUSED, "the connection is not encrypted, and ssl.mode wants that");
    return HY_OK;
}

/* Nobody there: the name may have another address. */
static bool may_try_next(hy__mysql *c)
{
    unsigned code = mysql_errno(c->my);
    bool unreached = code == CR_CONN_HOST_ERROR || code == CR_CONNECTION_ERROR;

    return unreached && c->resolving != NULL && ++c->address < c->resolving->n;
}

/* MariaDB does, unless something older stands in between. */
static bool takes_rows(MYSQL *my)
{
    unsigned long told = 0, more = 0;

    (void)mariadb_get_infov(my, MARIADB_CONNECTION_SERVER_CAPABILITIES, &told);
    (void)mariadb_get_infov(my, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &more);
    return (told & CLIENT_MYSQL) == 0 &&
           (more & (unsigned long)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

static hy_status after_connect(hy__mysql *c, hy_error *err)
{
    static const char question[] = "SELECT @@max_allowed_packet, @@sql_mode";

    if (c->ret_my == NULL)
        return may_try_next(c) ? hy__mysql_plan(c, HY__MYSQL_CONNECT, after_connect)
                               : hy__mysql_fail_connect(c, err);
    hy_status status = check_server(c, err);
    if (status != HY_OK)
        return status;
    c->head.server_version =
        (int)mysql_get_server_version(c->my); /* of MariaDB without the 5.5.5- before it */
    c->head.takes_rows = takes_rows(c->my);
    adopt(mysql_get_socket(c->my));
    if (c->settings->socket == NULL)
        keep_alive(mysql_get_socket(c->my));
    return hy__mysql_plan_query(c, question, sizeof question - 1, after_question);
}

hy_status hy__mysql_set_up_again(hy__mysql *c, hy_error *err)
{
    c->setup_at = 0;
    return next_setting(c, err);
}

/* ---- connecting ------------------------------------------------------------------------- */

static hy_status begin_connect(hy__mysql *c, hy_error *err)
{
    (void)err;
    return hy__mysql_plan(c, HY__MYSQL_CONNECT, after_connect);
}

/* All that can be wrong with the configuration; `to` borrows its strings. */
static hy_status check(hy__mysql_settings *to, const hy_connect_config *config, hy_error *err)
{
    chosen with = {NULL, 0};
    hy_status status = choose_all(&with, config, err);

    if (status != HY_OK)
        return status;
    if (is_given(config->timezone) && !is_zone(config->timezone))
        return hy_fail(err, HY_EINVALID_CONFIG, "timezone must be like +00:00 or Europe/Madrid");
    *to = (hy__mysql_settings){
        .user = config->user,
        .password = config->password,
        .program = config->application_name,
        .ca = config->ssl_ca,
        .cert = config->ssl_cert,
        .key = config->ssl_key,
    };
    choose_address(to, config, &with);
    status = choose_tls(to, config->ssl_mode, err);
    return status == HY_OK ? choose_database(to, config, err) : status;
}

/* The library's own way: it does not block once the address is known. */
static hy_status start(hy__mysql *c, hy_wait *wait, hy_error *err)
{
    c->my = hy__mysql_new(c->settings, err);
    return c->my != NULL ? hy__mysql_start(c, begin_connect, wait, err) : HY_EOUT_OF_MEMORY;
}

static hy_status end_resolving(hy__mysql *c, hy_wait *wait, hy_error *err)
{
    if (!hy__job_is_done(&c->resolving->job)) {
        *wait = (hy_wait){c->resolving->job.fd, HY_WAIT_READ, HY_NO_DEADLINE};
        return HY_AGAIN;
    }
    hy_status status = hy__resolved(c->resolving, err);
    return status == HY_OK ? start(c, wait, err) : status;
}

static hy_status end_connecting(hy__mysql *c, hy_wait *wait, hy_error *err)
{
    if (!hy__mysql_is_connected(c)) {
        hy__mysql_await_connected(c, wait);
        return HY_AGAIN;
    }
    hy_status status = hy__mysql_take_connected(c, err);
    return status == HY_OK ? hy__mysql_start(c, after_connect, wait, err) : status;
}

hy_status hy__mysql_connect(hy__mysql *c, const hy_connect_config *config, hy_wait *wait, hy_error *err)
{
    hy__mysql_settings settings = {0};
    hy_status status = check(&settings, config, err);

    if (status != HY_OK)
        return status;
    c->settings = hy__mysql_settings_copy(&settings);
    if (c->settings == NULL)
        return hy_fail_oom(err);
    c->config = config;
    c->may_use_tls = settings.tls != HY__MYSQL_TLS_NEVER;
    if (c->may_use_tls) {
        status = hy__mysql_connect_by_worker(c, err);
        return status == HY_OK ? end_connecting(c, wait, err) : status;
    }
    if (settings.socket != NULL || hy__is_address(settings.host))
        return start(c, wait, err);
    status = hy__resolve(settings.host, c->head.deadline, c->head.worker, &c->resolving, err);
    return status == HY_OK ? end_resolving(c, wait, err) : status;
}

hy_status hy__mysql_go_on_connecting(hy__mysql *c, hy_wait *wait, hy_error *err)
{
    if (c->connecting != NULL)
        return end_connecting(c, wait, err);
    return c->my != NULL ? hy__mysql_advance(c, wait, err) : end_resolving(c, wait, err);
}
