/*
 * servers.c - see servers.h. Where the servers differ in words stands here, by kind.
 */
#include "servers.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <hysteria/datetime.h>

enum { MS = 1000000, SQL_SIZE = 600, DRAIN_MS = 5000 };

static const struct known_server {
    const char *type, *variable;
} known[SERVER_COUNT] = {
    [SERVER_POSTGRES] = {"postgres", "HY_TEST_POSTGRES_URL"},
    [SERVER_MARIADB] = {"mariadb", "HY_TEST_MARIADB_URL"},
    [SERVER_MYSQL] = {"mysql", "HY_TEST_MYSQL_URL"},
};

test_server server;

/* ---- sources ---------------------------------------------------------------------------- */

hy_source_config server_config(const char *user)
{
    return (hy_source_config){
        .type = server.type,
        .connect = {.host = server.url.host,
                    .port = server.url.port,
                    .user = user != NULL ? user : server.url.user,
                    .password = server.url.password,
                    .database = server.url.database},
        .pool = {.max = 4, .acquire_timeout = 30000},
    };
}

hy_source *server_open(const hy_source_config *config)
{
    hy_source *source;
    hy_error err;

    if (hy_source_open(config, &source, &err) != HY_OK)
        fail_msg("%s", err.message);
    return source;
}

hy_pool_stats server_stats(hy_source *source)
{
    hy_pool_stats stats;

    hy_source_stats(source, &stats);
    return stats;
}

void server_shut(hy_source *source)
{
    hy_source_close(source);
    hy_pool_stats stats = server_stats(source);
    assert_int_equal(stats.size + stats.waiting, 0);
    assert_int_equal(stats.created, stats.closed);
    hy_source_unref(source);
}

/* ---- statements ------------------------------------------------------------------------- */

static hy_run_options options_of(place at)
{
    return (hy_run_options){
        .lease = at.lease, .transaction = at.trx, .timeout = at.timeout, .may_block = true};
}

hy_status sql_try(place at, hy_error *err, const char *text)
{
    hy_run_options options = options_of(at);

    hy_error_clear(err);
    return hy_source_execute_raw(at.source, text, NULL, 0, &options, NULL, err);
}

void sql_run(place at, const char *format, ...)
{
    char text[SQL_SIZE];
    hy_error err;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (sql_try(at, &err, text) != HY_OK)
        fail_msg("%s: %s: %s", server.type, text, err.message);
}

static void write_value(char *out, size_t size, const hy_value *v)
{
    switch (v->type) {
    case HY_NULL:
        (void)snprintf(out, size, "NULL");
        break;
    case HY_BOOL:
        (void)snprintf(out, size, "%s", v->as.boolean ? "true" : "false");
        break;
    case HY_INT:
        (void)snprintf(out, size, "%" PRId64, v->as.integer);
        break;
    case HY_TEXT:
    case HY_BLOB:
    case HY_DECIMAL:
    case HY_JSON:
        (void)snprintf(out, size, "%.*s", (int)v->as.text.size, v->as.text.data);
        break;
    default:
        (void)snprintf(out, size, "a %s", hy_type_name(v->type));
    }
}

static hy_status start(hy_cursor *cursor, place at, hy_error *err, const char *text)
{
    hy_run_options options = options_of(at);
    hy_status status;

    status = hy_cursor_start_raw(cursor, at.source, text, strlen(text), NULL, NULL, 0, &options, err);
    return status == HY_OK ? hy_task_run(hy_cursor_task(cursor), err) : status;
}

hy_status sql_text(place at, char *out, size_t size, int64_t *rows, hy_error *err, const char *text)
{
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;

    *rows = 0;
    out[0] = '\0';
    hy_error_clear(err);
    hy_status status = start(cursor, at, err, text);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        if ((*rows)++ == 0)
            write_value(out, size, row);
    hy_cursor_free(cursor);
    return status == HY_DONE ? HY_OK : status;
}

int64_t sql_number(place at, const char *format, ...)
{
    char text[SQL_SIZE], answer[64];
    hy_error err;
    int64_t rows;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (sql_text(at, answer, sizeof answer, &rows, &err, text) != HY_OK)
        fail_msg("%s: %s: %s", server.type, text, err.message);
    if (rows != 1)
        fail_msg("%s: %s: %lld rows", server.type, text, (long long)rows);
    return strtoll(answer, NULL, 10);
}

/* ---- users and sessions ----------------------------------------------------------------- */

const char *server_user_name(char out[USER_SIZE], const char *what)
{
    (void)snprintf(out, USER_SIZE, "hy_%s_%d", what, (int)getpid());
    return out;
}

void server_add_user(const char *user, int limit)
{
    place admin = {.source = server.admin};
    const char *password = server.url.password;

    server_drop_user(user);
    if (server.kind == SERVER_POSTGRES) {
        sql_run(admin, "CREATE ROLE %s LOGIN PASSWORD '%s' CONNECTION LIMIT %d", user, password,
                limit > 0 ? limit : -1);
        return;
    }
    sql_run(admin, "CREATE USER %s@'%%' IDENTIFIED BY '%s' WITH MAX_USER_CONNECTIONS %d", user, password,
            limit);
    sql_run(admin, "GRANT ALL ON %s.* TO %s@'%%'", server.url.database, user);
}

void server_drop_user(const char *user)
{
    place admin = {.source = server.admin};

    if (server.kind == SERVER_POSTGRES)
        sql_run(admin, "DROP ROLE IF EXISTS %s", user);
    else
        sql_run(admin, "DROP USER IF EXISTS %s@'%%'", user);
}

static void sessions_sql(char out[SQL_SIZE], const char *user)
{
    if (server.kind == SERVER_POSTGRES)
        (void)snprintf(out, SQL_SIZE, "SELECT pid::bigint FROM pg_stat_activity WHERE usename = '%s'", user);
    else
        (void)snprintf(out, SQL_SIZE,
                       "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = '%s'",
                       user);
}

size_t server_sessions(const char *user, int64_t ids[MOST_SESSIONS])
{
    hy_cursor *cursor = hy_cursor_new();
    char sql[SQL_SIZE];
    const hy_value *row;
    hy_error err;
    size_t n = 0;

    sessions_sql(sql, user);
    hy_status status = start(cursor, (place){.source = server.admin}, &err, sql);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK) {
        assert_true(n < MOST_SESSIONS);
        ids[n++] = row[0].as.integer;
    }
    hy_cursor_free(cursor);
    if (status != HY_DONE)
        fail_msg("%s: %s", sql, err.message);
    return n;
}

bool server_kill(int64_t session)
{
    enum { NO_SUCH_THREAD = 1094 };
    place admin = {.source = server.admin};
    char sql[64];
    hy_error err;

    if (server.kind == SERVER_POSTGRES)
        return sql_number(admin, "SELECT pg_terminate_backend(%" PRId64 ")::int::bigint", session) == 1;
    (void)snprintf(sql, sizeof sql, "KILL %" PRId64, session);
    if (sql_try(admin, &err, sql) == HY_OK)
        return true;
    if (err.native_code != NO_SUCH_THREAD)
        fail_msg("%s: %s", sql, err.message);
    return false;
}

size_t server_drain(const char *user)
{
    int64_t ids[MOST_SESSIONS], end = hy_monotonic_ns() + DRAIN_MS * (int64_t)MS;
    size_t left;

    while ((left = server_sessions(user, ids)) > 0 && hy_monotonic_ns() < end)
        pause_ms(2);
    return left;
}

/*
 * MariaDB: one mutex for all that sleep, and a KILL of one of them holds it for up to two seconds
 * (THD::awake() and SLEEP() wait for each other). Computing has no such neighbours.
 */
const char *server_slow_sql(char out[64], int ms)
{
    if (server.kind == SERVER_POSTGRES)
        (void)snprintf(out, 64, "SELECT pg_sleep(%d.%03d)", ms / 1000, ms % 1000);
    else if (server.kind == SERVER_MYSQL)
        (void)snprintf(out, 64, "SELECT SLEEP(%d.%03d)", ms / 1000, ms % 1000);
    else
        (void)snprintf(out, 64, "SELECT BENCHMARK(%d, MD5(1))", ms * 20000);
    return out;
}

/* ---- this process ----------------------------------------------------------------------- */

static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int n = -2; /* "." and ".." */

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        n++;
    (void)closedir(folder);
    return n;
}

int open_descriptors(void)
{
    return count_entries("/proc/self/fd") - 1; /* without the folder's own */
}

static int running_threads(void)
{
    return count_entries("/proc/self/task");
}

/* What count() says above `before`, once it had some time to sink. */
static int sunken(int (*count)(void), int before)
{
    int64_t end = hy_monotonic_ns() + DRAIN_MS * (int64_t)MS;
    int left;

    while ((left = count() - before) > 0 && hy_monotonic_ns() < end)
        pause_ms(2);
    return left > 0 ? left : 0;
}

int descriptors_left(int before)
{
    return sunken(open_descriptors, before);
}

void pause_ms(int ms)
{
    hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + ms * (int64_t)MS};
    (void)hy_wait_block(&wait);
}

/* ---- running ---------------------------------------------------------------------------- */

static int descriptors_before, threads_before, remains;

static void *nothing(void *arg)
{
    return arg;
}

/* The thread sanitizer starts one of its own with the first. */
static int count_threads(void)
{
    pthread_t first;

    if (pthread_create(&first, NULL, nothing, NULL) == 0)
        (void)pthread_join(first, NULL);
    return running_threads();
}

static int open_admin(void **state)
{
    hy_source_config config = server_config(NULL);

    (void)state;
    descriptors_before = open_descriptors();
    threads_before = count_threads();
    server.admin = server_open(&config);
    return 0;
}

static int close_admin(void **state)
{
    (void)state;
    server_shut(server.admin);
    int left = descriptors_left(descriptors_before);
    int threads = sunken(running_threads, threads_before);
    if (left + threads != 0)
        print_error("%s: %d descriptors and %d threads are left\n", server.type, left, threads);
    remains = left + threads; /* cmocka says so, and calls it a success */
    return remains != 0;
}

static void skip_test(void **state)
{
    (void)state;
    skip();
}

/* HY_TEST_REQUIRE is a list like "postgres,mariadb". */
static bool is_required(const char *name)
{
    const char *list = getenv("HY_TEST_REQUIRE");
    size_t size = strlen(name);

    while (list != NULL && *list != '\0') {
        size_t word = strcspn(list, ",");
        if (word == size && strncmp(list, name, size) == 0)
            return true;
        list += word + (list[word] == ',');
    }
    return false;
}

static int run_on(server_kind kind, const struct CMUnitTest *tests, size_t n)
{
    enum { MOST = 64 };
    static struct CMUnitTest list[MOST];
    static char names[MOST][80];
    const char *url = getenv(known[kind].variable);
    hy_error err;

    assert_true(n <= MOST);
    server = (test_server){.kind = kind, .type = known[kind].type};
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s.%s", server.type, tests[i].name);
        list[i] = tests[i];
        list[i].name = names[i];
        list[i].test_func = url != NULL ? tests[i].test_func : skip_test;
    }
    if (url == NULL && is_required(server.type)) {
        print_error("HY_TEST_REQUIRE names %s, but %s is not set\n", server.type, known[kind].variable);
        return 1;
    }
    if (url != NULL && hy_url_parse(url, strlen(url), &server.url, &err) != HY_OK) {
        print_error("%s: %s\n", known[kind].variable, err.message);
        return 1;
    }
    int failed = _cmocka_run_group_tests(server.type, list, n, url != NULL ? open_admin : NULL,
                                         url != NULL ? close_admin : NULL);
    hy_url_clear(&server.url);
    return failed + (remains != 0);
}

int servers_run(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
    int failed = 0;

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    for (int kind = 0; kind < SERVER_COUNT; kind++)
        failed += run_on((server_kind)kind, tests, n);
    return failed;
}
