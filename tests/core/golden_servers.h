/*
 * golden_servers.h - a real server that prepares the golden texts. It is spoken to through its
 * own client library, so that neither our drivers nor our DDL stand between text and server.
 */
#ifndef HY_GOLDEN_SERVERS_H
#define HY_GOLDEN_SERVERS_H

#include <hysteria/query.h>

typedef struct golden_server {
    /** Connect and make the tables; NULL, or what is wrong. */
    const char *(*open)(const char *url);
    /** NULL, or what the server says against this statement. `n_columns`: of its result. */
    const char *(*prepare)(const hy_sql *sql, size_t *n_columns);
    /** Take the tables away and leave. */
    void (*close)(void);
} golden_server;

/** How many parameters the text has. */
static inline size_t golden_n_params(const hy_sql *sql)
{
    return sql->n_rows > 0 ? sql->n_binds / sql->n_rows : sql->n_binds;
}

extern const golden_server golden_postgres, golden_mysql;

#endif
