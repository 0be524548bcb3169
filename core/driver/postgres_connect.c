/*
 * postgres_connect.c - connecting to PostgreSQL, and the settings each session has.
 *
 * The configuration goes to libpq as keywords and values, never as a string it would have to
 * take apart (and would repeat in its messages). Settings are sent as statements once the
 * server answers: poolers refuse them at start-up. What may be chosen besides is in
 * `keywords`; PG... variables of the environment and ~/.pgpass count where nothing is given.
 *
 * Nothing waits. libpq itself would look a host's name up, blocking: it gets addresses, which a
 * thread of the worker finds, and the name only to compare it with the server's certificate.
 */
#include <pthread.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/memory.h>

#include "postgres_driver.h"

/* ---- keywords --------------------------------------------------------------------------- */

typedef struct keyword {
    const char *name;
    const char *initial; /* NULL: libpq's own */
} keyword;

/*
 * What driverOptions may set. Keepalives end a wait for an answer of a peer that has gone
 * silent, tcp_user_timeout one for sending to it: both are needed. GSSAPI would look for
 * tickets, blocking.
 */
static const keyword keywords[] = {
    {"keepalives", "1"},
    {"keepalives_idle", "30"},
    {"keepalives_interval", "10"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "30000"},
    {"gssencmode", "disable"},
    {"krbsrvname", NULL},
    {"channel_binding", NULL},
    {"sslcompression", NULL},
    {"sslcrl", NULL},
    {"sslcrldir", NULL},
    {"sslpassword", NULL},
    {"sslsni", NULL},
    {"ssl_min_protocol_version", NULL},
    {"ssl_max_protocol_version", NULL},
    {"requirepeer", NULL},
    {"target_session_attrs", NULL},
    {"passfile", NULL},
    {"options", NULL},
};
enum { N_KEYWORDS = sizeof keywords / sizeof keywords[0] };

/* And what the driver itself understands: the first word is what is meant without them. */
typedef struct own_option {
    const char *name;
    const char *words[2];
    size_t at; /* a bool: the second word */
} own_option;
static const own_option own_options[] = {
    {"rows", {"together", "single"}, offsetof(hy__postgres, row_by_row)},
};
enum { N_OWN_OPTIONS = sizeof own_options / sizeof own_options[0] };

enum { MOST_KEYWORDS = N_KEYWORDS + 16 };
typedef struct keyword_list {
    const char *names[MOST_KEYWORDS + 1], *values[MOST_KEYWORDS + 1];
    size_t n;
} keyword_list;

static void put(keyword_list *list, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    list->names[list->n] = name;
    list->values[list->n] = value;
    list->n++;
}

static hy_status unknown_option(const char *name, hy_error *err)
{
    const char *near = NULL;
    size_t best = 4;

    for (size_t i = 0; i < N_KEYWORDS + N_OWN_OPTIONS; i++) {
        const char *known = i < N_KEYWORDS ? keywords[i].name : own_options[i - N_KEYWORDS].name;
        size_t distance = hy_edit_distance(name, known, 3);
        if (distance < best) {
            best = distance;
            near = known;
        }
    }
    if (near != NULL)
        return hy_fail(err, HY_EUNKNOWN_OPTION, "postgres has no option \"%.40s\": did you mean \"%s\"?",
                       name, near);
    return hy_fail(err, HY_EUNKNOWN_OPTION, "postgres has no option \"%.40s\"", name);
}

static bool choose_keyword(keyword_list *list, const hy_connect_option *option)
{
    for (size_t i = 0; i < N_KEYWORDS; i++)
        if (strcmp(list->names[i], option->name) == 0) {
            list->values[i] = option->value;
            return true;
        }
    return false;
}

static hy_status choose_own(hy__postgres *c, const hy_connect_option *option, hy_error *err)
{
    for (size_t i = 0; i < N_OWN_OPTIONS; i++) {
        const own_option *own = &own_options[i];
        const char *value = option->value != NULL ? option->value : "";
        if (strcmp(own->name, option->name) != 0)
            continue;
        bool second = strcmp(value, own->words[1]) == 0;
        if (!second && strcmp(value, own->words[0]) != 0)
            return hy_fail(err, HY_EINVALID_CONFIG, "postgres option %s must be %s or %s", own->name,
                           own->words[0], own->words[1]);
        *(bool *)((char *)c + own->at) = second;
        return HY_OK;
    }
    return unknown_option(option->name, err);
}

/* The options come first in the list, where choose_keyword() finds them by their place. */
static hy_status choose_options(hy__postgres *c, keyword_list *list, const hy_connect_config *config,
                                hy_error *err)
{
    for (list->n = 0; list->n < N_KEYWORDS; list->n++) {
        list->names[list->n] = keywords[list->n].name;
        list->values[list->n] = keywords[list->n].initial;
    }
    for (size_t i = 0; i < config->n_options; i++) {
        if (choose_keyword(list, &config->options[i]))
            continue;
        hy_status status = choose_own(c, &config->options[i], err);
        if (status != HY_OK)
            return status;
    }
    return HY_OK;
}

static hy_status check_ssl_mode(const char *mode, hy_error *err)
{
    static const char *const modes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

    if (mode == NULL)
        return HY_OK;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(mode, modes[i]) == 0)
            return HY_OK;
    return hy_fail(err, HY_EINVALID_CONFIG,
                   "ssl.mode must be disable, allow, prefer, require, verify-ca or verify-full");
}

/* ---- host names ------------------------------------------------------------------------- */

/* Not the folder of a Unix socket, nothing at all, or a list that libpq takes apart itself. */
static bool is_host(const char *host)
{
    return host != NULL && *host != '\0' && *host != '/' && *host != '@' && strchr(host, ',') == NULL;
}

/* One name and one address each, with commas: libpq tries them in turn. */
static hy_status write_hosts(const hy__resolving *r, hy_buf *names, hy_buf *addresses, hy_error *err)
{
    for (size_t i = 0; i < r->n; i++) {
        hy_buf_puts(names, i > 0 ? "," : "");
        hy_buf_puts(names, r->host);
        hy_buf_puts(addresses, i > 0 ? "," : "");
        hy_buf_puts(addresses, r->addresses[i]);
    }
    return names->failed || addresses->failed ? hy_fail_oom(err) : HY_OK;
}

/* ---- connecting ------------------------------------------------------------------------- */

/* The server's remarks would go to stderr. */
static void ignore_notice(void *ctx, const PGresult *result)
{
    (void)ctx;
    (void)result;
}

static void put_config(keyword_list *list, const hy_connect_config *config, const char *port)
{
    put(list, "port", config->port > 0 ? port : NULL);
    put(list, "user", config->user);
    put(list, "password", config->password);
    put(list, "dbname", config->database);
    put(list, "application_name", config->application_name != NULL ? config->application_name : "hysteria");
    put(list, "sslmode", config->ssl_mode);
    put(list, "sslrootcert", config->ssl_ca);
    put(list, "sslcert", config->ssl_cert);
    put(list, "sslkey", config->ssl_key);
    put(list, "client_encoding", "UTF8");
    list->names[list->n] = NULL;
    list->values[list->n] = NULL;
}

/* With the host as it was given, or the addresses that were found for it. */
static hy_status start(hy__postgres *c, const char *hosts, const char *addresses, hy_error *err)
{
    keyword_list list;
    char port[HY_NUMBER_TEXT_SIZE];
    hy_status status = choose_options(c, &list, c->config, err);

    if (status != HY_OK)
        return status;
    (void)hy_format_int(c->config->port, port);
    put(&list, "host", hosts);
    put(&list, "hostaddr", addresses);
    put_config(&list, c->config, port);
    c->pg = PQconnectStartParams(list.names, list.values, 0);
    return c->pg != NULL ? HY_OK : hy_fail_oom(err);
}

static bool put_escaped(hy_buf *out, char *quoted)
{
    if (quoted != NULL)
        hy_buf_puts(out, quoted);
    PQfreemem(quoted);
    return quoted != NULL;
}

/* The statements that make a session ours, quoted by libpq. */
static hy_status write_setup(hy__postgres *c, const hy_connect_config *config, hy_error *err)
{
    const char *zone = config->timezone != NULL && *config->timezone != '\0' ? config->timezone : "UTC";
    const char *schema = config->schema;
    bool fine;

    hy_buf_puts(&c->setup,
                "SET standard_conforming_strings TO on; SET DateStyle TO ISO; SET bytea_output TO hex;"
                " SET extra_float_digits TO 3; SET TimeZone TO ");
    fine = put_escaped(&c->setup, PQescapeLiteral(c->pg, zone, strlen(zone)));
    if (schema != NULL && *schema != '\0') {
        hy_buf_puts(&c->setup, "; SET search_path TO ");
        fine = put_escaped(&c->setup, PQescapeIdentifier(c->pg, schema, strlen(schema))) && fine;
    }
    if (c->setup.failed)
        return hy_fail_oom(err);
    return fine ? HY_OK : hy_fail(err, HY_EINVALID_CONFIG, "timezone and schema must be UTF-8");
}

/* libpq has begun, or refused to. */
static hy_status started(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    c->stage = CONNECTION_STARTED;
    if (PQstatus(c->pg) == CONNECTION_BAD)
        return hy__postgres_fail_connect(c, c->stage, err);
    (void)PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
    (void)PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE); /* with the SQLSTATE */
    hy_status status = write_setup(c, c->config, err);
    c->config = NULL; /* the caller's again */
    if (status != HY_OK)
        return status;
    c->pending = HY__POSTGRES_CONNECT;
    wait->fd = PQsocket(c->pg);
    wait->events = HY_WAIT_WRITE;
    wait->deadline = HY_NO_DEADLINE;
    return HY_AGAIN;
}

static hy_status start_resolved(hy__postgres *c, hy_error *err)
{
    hy_buf names, addresses;
    hy_status status = hy__resolved(c->resolving, err);

    if (status != HY_OK)
        return status;
    hy_buf_init(&names);
    hy_buf_init(&addresses);
    status = write_hosts(c->resolving, &names, &addresses, err);
    if (status == HY_OK)
        status = start(c, hy_buf_text(&names), hy_buf_text(&addresses), err);
    hy_buf_clear(&names);
    hy_buf_clear(&addresses);
    return status;
}

hy_status hy__postgres_end_resolving(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    if (!hy__job_is_done(&c->resolving->job)) {
        *wait = (hy_wait){c->resolving->job.fd, HY_WAIT_READ, HY_NO_DEADLINE};
        return HY_AGAIN;
    }
    hy_status status = start_resolved(c, err);
    hy__job_release(&c->resolving->job);
    c->resolving = NULL;
    return status == HY_OK ? started(c, wait, err) : status;
}

hy_status hy__postgres_connect(hy__postgres *c, const hy_connect_config *config, hy_wait *wait, hy_error *err)
{
    keyword_list list;
    hy_status status = choose_options(c, &list, config, err);

    if (status == HY_OK)
        status = check_ssl_mode(config->ssl_mode, err);
    if (status != HY_OK)
        return status;
    bool is_address = is_host(config->host) && hy__is_address(config->host);
    c->config = config;
    if (is_host(config->host) && !is_address) {
        c->pending = HY__POSTGRES_RESOLVE;
        status = hy__resolve(config->host, c->head.deadline, c->head.worker, &c->resolving, err);
        return status == HY_OK ? hy__postgres_end_resolving(c, wait, err) : status;
    }
    status = start(c, config->host, is_address ? config->host : NULL, err);
    return status == HY_OK ? started(c, wait, err) : status;
}

/* CockroachDB calls itself a PostgreSQL 13: "CockroachDB CCL v23.1.11 (...". */
static int cockroach_version(const char *text)
{
    int parts[3] = {0};
    const char *at = strstr(text, " v");

    at = at != NULL ? at + 2 : "";
    for (int i = 0; i < 3; i++) {
        size_t size = strspn(at, "0123456789");
        for (size_t j = 0; j < size && j < 4; j++)
            parts[i] = parts[i] * 10 + (at[j] - '0');
        at += size;
        at += *at == '.';
    }
    return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

/* 150004 is 15.4; before 10 there were three parts of two digits. */
static int version_of(const PGconn *pg)
{
    const char *cockroach = PQparameterStatus(pg, "crdb_version");
    int version = PQserverVersion(pg);

    if (cockroach != NULL)
        return cockroach_version(cockroach);
    return version >= 100000 ? version / 10000 * 10000 + version % 10000 * 100 : version;
}

static pthread_once_t guard_once = PTHREAD_ONCE_INIT;

static hy_status connected(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    if (PQsslInUse(c->pg) != 0) /* from now on threads may be in OpenSSL when the process exits */
        (void)pthread_once(&guard_once, hy__worker_guard_exit);
    (void)PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    if (PQsetnonblocking(c->pg, 1) != 0)
        return hy__postgres_fail_call(c, err);
    c->cancel = PQgetCancel(c->pg);
    if (c->cancel == NULL)
        return hy_fail_oom(err);
    c->head.server_version = version_of(c->pg);
    hy__postgres_begin(c, HY__POSTGRES_SETUP);
    return hy__postgres_sent(c, PQsendQuery(c->pg, hy_buf_text(&c->setup)), wait, err);
}

hy_status hy__postgres_go_on_connecting(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    ConnStatusType before = PQstatus(c->pg);

    if (before != CONNECTION_BAD)
        c->stage = before;
    PostgresPollingStatusType poll = PQconnectPoll(c->pg);
    if (poll == PGRES_POLLING_OK)
        return connected(c, wait, err);
    if (poll == PGRES_POLLING_FAILED)
        return hy__postgres_fail_connect(c, c->stage, err);
    wait->fd = PQsocket(c->pg);
    wait->events = poll == PGRES_POLLING_READING ? HY_WAIT_READ : HY_WAIT_WRITE;
    wait->deadline = HY_NO_DEADLINE;
    return HY_AGAIN;
}

hy_status hy__postgres_end_setup(hy__postgres *c, hy_wait *wait, hy_error *err)
{
    hy_status status = hy__postgres_collect(c, wait, err);

    if (status == HY_EDATA_INVALID)
        return hy_fail(err, HY_EINVALID_CONFIG, "the server does not know the time zone that is configured");
    c->head.takes_rows = hy__postgres_is_utc(c); /* see postgres_params.c */
    return status;
}

bool hy__postgres_is_utc(const hy__postgres *c)
{
    static const char *const names[] = {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Zulu", "Universal"};
    const char *zone = PQparameterStatus(c->pg, "TimeZone");

    for (size_t i = 0; zone != NULL && i < sizeof names / sizeof names[0]; i++)
        if (hy_text_equal_nocase(zone, strlen(zone), names[i], strlen(names[i])))
            return true;
    return false;
}
