/*
 * mysql_jobs.c - what a worker's threads do for MariaDB and MySQL with the library's blocking
 * calls: connecting where TLS may be used, and stopping what a connection that was given up has
 * left running. And the handles and settings that both need, which outlive the caller's
 * configuration.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "mysql_driver.h"

enum {
    STACK_SIZE = 256 * 1024, /* of libmariadb's coroutine; TLS runs on it */
    NS_PER_SECOND = 1000000000,
    STOP_SECONDS = 5
};

/* ---- settings --------------------------------------------------------------------------- */

/* Where its strings are. */
static const size_t strings[] = {
    offsetof(hy__mysql_settings, host),     offsetof(hy__mysql_settings, socket),
    offsetof(hy__mysql_settings, user),     offsetof(hy__mysql_settings, password),
    offsetof(hy__mysql_settings, database), offsetof(hy__mysql_settings, program),
    offsetof(hy__mysql_settings, ca),       offsetof(hy__mysql_settings, cert),
    offsetof(hy__mysql_settings, key),
};
enum { N_STRINGS = sizeof strings / sizeof strings[0] };

static const char **string_at(hy__mysql_settings *s, size_t i)
{
    return (const char **)(void *)((char *)s + strings[i]);
}

hy__mysql_settings *hy__mysql_settings_copy(const hy__mysql_settings *from)
{
    hy__mysql_settings with = *from;
    size_t size = sizeof with;

    for (size_t i = 0; i < N_STRINGS; i++)
        size += *string_at(&with, i) != NULL ? strlen(*string_at(&with, i)) + 1 : 0;
    hy__mysql_settings *copy = hy_alloc(size);
    if (copy == NULL)
        return NULL;
    char *at = (char *)(copy + 1);
    for (size_t i = 0; i < N_STRINGS; i++) {
        const char **string = string_at(&with, i);
        if (*string == NULL)
            continue;
        size = strlen(*string) + 1;
        *string = memcpy(at, *string, size);
        at += size;
    }
    *copy = with;
    return copy;
}

void hy__mysql_settings_free(hy__mysql_settings *s)
{
    if (s != NULL && s->password != NULL)
        explicit_bzero((char *)(uintptr_t)s->password, strlen(s->password));
    hy_free(s);
}

/* ---- handles ---------------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static bool library_works;

/* It would have the whole process ignore SIGPIPE: what that does is the host's business. */
static void init_library(void)
{
    struct sigaction before;
    bool known = sigaction(SIGPIPE, NULL, &before) == 0;

    library_works = mysql_library_init(0, NULL, NULL) == 0;
    if (known)
        (void)sigaction(SIGPIPE, &before, NULL);
    (void)OPENSSL_init_crypto(0, NULL); /* else it would be ready for its end only later */
    hy__worker_guard_exit();
}

static bool set_tls(MYSQL *my, const hy__mysql_settings *with)
{
    my_bool yes = 1, verifies = with->tls == HY__MYSQL_TLS_VERIFIED;
    bool fine = mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &yes) == 0 &&
                mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verifies) == 0;

    if (with->ca != NULL)
        fine = fine && mysql_options(my, MYSQL_OPT_SSL_CA, with->ca) == 0;
    if (with->cert != NULL)
        fine = fine && mysql_options(my, MYSQL_OPT_SSL_CERT, with->cert) == 0;
    if (with->key != NULL)
        fine = fine && mysql_options(my, MYSQL_OPT_SSL_KEY, with->key) == 0;
    return fine;
}

static bool set_options(MYSQL *my, const hy__mysql_settings *with)
{
    static const char safe_auth[] =
        "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519";
    size_t stack = STACK_SIZE;
    unsigned no_files = 0;
    my_bool no = 0;
    enum mysql_protocol_type protocol = with->socket != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;

    /* The library asks for this option with a pointer for a size. */
    bool fine = mysql_options(my, MYSQL_OPT_NONBLOCK, &stack) == 0 &&
                mysql_options(my, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
                mysql_options(my, MYSQL_OPT_RECONNECT, &no) == 0 &&
                mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no_files) == 0 &&
                mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0;
    if (with->program != NULL && *with->program != '\0')
        fine = fine && mysql_options4(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", with->program) == 0;
    if (with->tls != HY__MYSQL_TLS_VERIFIED)
        fine = fine && mysql_options(my, MARIADB_OPT_RESTRICTED_AUTH, safe_auth) == 0;
    return fine && (with->tls == HY__MYSQL_TLS_NEVER || set_tls(my, with));
}

MYSQL *hy__mysql_new(const hy__mysql_settings *with, hy_error *err)
{
    (void)pthread_once(&library_once, init_library);
    MYSQL *my = library_works ? mysql_init(NULL) : NULL;

    if (my != NULL && set_options(my, with))
        return my;
    if (my != NULL)
        mysql_close(my);
    (void)hy_fail_oom(err);
    return NULL;
}

/* In a worker's thread: takes no longer than until the deadline, or a second more. */
static bool connect_blocking(MYSQL *my, const hy__mysql_settings *with, int64_t deadline)
{
    int64_t left = (deadline - hy_monotonic_ns()) / NS_PER_SECOND + 1;
    unsigned seconds = left > 3600 ? 3600 : (unsigned)(left > 1 ? left : 1);

    return mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &seconds) == 0 &&
           mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &seconds) == 0 &&
           mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &seconds) == 0 &&
           mysql_real_connect(my, with->host, with->user, with->password, with->database, with->port,
                              with->socket, CLIENT_FOUND_ROWS | CLIENT_REMEMBER_OPTIONS) != NULL;
}

/* ---- connecting ------------------------------------------------------------------------- */

/* The handle and the settings are the job's until it is done. */
struct hy__mysql_connecting {
    hy__job job;
    MYSQL *my;
    hy__mysql_settings *settings;
    bool connected;
};

static void run_connect(hy__job *job)
{
    hy__mysql_connecting *k = hy_container(job, hy__mysql_connecting, job);

    k->connected = connect_blocking(k->my, k->settings, job->deadline);
}

static void drop_connect(hy__job *job)
{
    hy__mysql_connecting *k = hy_container(job, hy__mysql_connecting, job);

    if (k->my != NULL)
        mysql_close(k->my);
    hy__mysql_settings_free(k->settings);
    hy_free(k);
}

hy_status hy__mysql_connect_by_worker(hy__mysql *c, hy_error *err)
{
    hy__mysql_connecting *k = hy_alloc_zero(sizeof *k);

    if (k == NULL)
        return hy_fail_oom(err);
    k->my = hy__mysql_new(c->settings, err);
    if (k->my == NULL) {
        hy_free(k);
        return HY_EOUT_OF_MEMORY;
    }
    k->job = (hy__job){
        .run = run_connect, .drop = drop_connect, .part = OPENSSL_thread_stop, .deadline = c->head.deadline};
    k->settings = c->settings;
    c->settings = NULL;
    hy_status status = hy__job_start(&k->job, c->head.worker, err);
    if (status == HY_OK)
        c->connecting = k;
    return status;
}

bool hy__mysql_is_connected(const hy__mysql *c)
{
    return hy__job_is_done(&c->connecting->job);
}

void hy__mysql_await_connected(const hy__mysql *c, hy_wait *wait)
{
    *wait = (hy_wait){c->connecting->job.fd, HY_WAIT_READ, HY_NO_DEADLINE};
}

hy_status hy__mysql_take_connected(hy__mysql *c, hy_error *err)
{
    hy__mysql_connecting *k = c->connecting;
    bool ran = k->job.ran;

    c->my = k->my;
    c->settings = k->settings;
    c->ret_my = k->connected ? k->my : NULL;
    k->my = NULL;
    k->settings = NULL;
    hy__mysql_leave_connecting(c);
    return ran ? HY_OK
               : hy_fail(err, HY_ECONNECT_TIMEOUT, "the database did not accept the connection in time");
}

void hy__mysql_leave_connecting(hy__mysql *c)
{
    if (c->connecting != NULL)
        hy__job_release(&c->connecting->job);
    c->connecting = NULL;
}

/* ---- stopping --------------------------------------------------------------------------- */

/* A second session tells the server to end the first one. */
typedef struct stopping {
    hy__job job;
    hy__mysql_settings *settings;
    unsigned long session;
} stopping;

static void run_stop(hy__job *job)
{
    const stopping *s = hy_container(job, stopping, job);
    MYSQL *my = hy__mysql_new(s->settings, NULL);
    char sql[64];

    if (my == NULL)
        return;
    if (connect_blocking(my, s->settings, job->deadline)) {
        int size = snprintf(sql, sizeof sql, "KILL CONNECTION %lu", s->session);
        (void)mysql_real_query(my, sql, (unsigned long)size);
    }
    mysql_close(my);
}

static void drop_stop(hy__job *job)
{
    stopping *s = hy_container(job, stopping, job);

    hy__mysql_settings_free(s->settings);
    hy_free(s);
}

void hy__mysql_stop_server(hy__mysql *c)
{
    stopping *s = hy_alloc_zero(sizeof *s);

    if (s == NULL)
        return;
    s->job = (hy__job){.run = run_stop,
                       .drop = drop_stop,
                       .part = OPENSSL_thread_stop,
                       .deadline = hy_monotonic_ns() + (int64_t)STOP_SECONDS * NS_PER_SECOND};
    s->settings = c->settings;
    s->session = mysql_thread_id(c->my);
    c->settings = NULL;
    hy__job_send(&s->job, c->head.worker);
}
