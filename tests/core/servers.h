/*
 * servers.h - for tests against real servers, the same on each: where they are
 * (HY_TEST_*_URL, see tests/support/servers.sh), what they count, and statements in one line.
 *
 * A server that is not there makes its tests skips; HY_TEST_REQUIRE makes that an error.
 */
#ifndef TEST_SERVERS_H
#define TEST_SERVERS_H

#include "hy_test.h"

#include <hysteria/source.h>
#include <hysteria/url.h>

#include "figures.h"

typedef enum server_kind { SERVER_POSTGRES, SERVER_MARIADB, SERVER_MYSQL, SERVER_COUNT } server_kind;

/* The server that the running test is about. */
typedef struct test_server {
    server_kind kind;
    const char *type; /* "postgres", "mariadb", "mysql" */
    hy_url url;
    hy_source *admin; /* of the test itself: looks, kills, cleans up */
} test_server;
extern test_server server;

/** Run every test as TYPE.NAME on each server; the result of main(). */
int servers_run(int argc, char **argv, const struct CMUnitTest *tests, size_t n);

/** How to reach the server: as its administrator, or as `user` made by server_add_user(). */
hy_source_config server_config(const char *user);
hy_source *server_open(const hy_source_config *config);
/** Close, give back, and be sure that nothing was lent or leaked. */
void server_shut(hy_source *source);
hy_pool_stats server_stats(hy_source *source);
/** A user of this process alone; `limit`: connections it may have, 0: any number. */
void server_add_user(const char *user, int limit);
void server_drop_user(const char *user);
enum { USER_SIZE = 32, MOST_SESSIONS = 400 };
/** "hy_WHAT_PID": what no other test uses. */
const char *server_user_name(char out[USER_SIZE], const char *what);
/** The sessions of a user, as the server counts them. At most MOST_SESSIONS. */
size_t server_sessions(const char *user, int64_t ids[MOST_SESSIONS]);
/** False if there was no such session any more. */
bool server_kill(int64_t session);
/** Wait until the user has no session; how many are left after five seconds. */
size_t server_drain(const char *user);
/** A statement that takes `ms` or, where computing is all it does, about as long. */
const char *server_slow_sql(char out[64], int ms);

/* Where a statement runs: the source's pool, or this lease or transaction of it. */
typedef struct place {
    hy_source *source;
    hy_lease *lease;
    hy_transaction *trx;
    int64_t timeout; /* ms */
} place;

/** Run to its end. */
hy_status sql_try(place at, hy_error *err, const char *text);
/** The same, which must succeed; printf-like. */
void sql_run(place at, const char *format, ...) HY_PRINTF(2, 3);
/** Rows of `text`; the first column of the first of them as text ("NULL", "" without a row). */
hy_status sql_text(place at, char *out, size_t size, int64_t *rows, hy_error *err, const char *text);
/** One integer. */
int64_t sql_number(place at, const char *format, ...) HY_PRINTF(2, 3);

/** Descriptors of this process that are open. */
int open_descriptors(void);
/** How many more there are than `before`, once those that other threads still close are gone. */
int descriptors_left(int before);
/** The calling thread gives the others a little time. */
void pause_ms(int ms);

#endif
