/*
 * fake_driver.h - a driver without a database: plays replies back, records what was sent.
 *
 * It can answer HY_AGAIN as often as wanted, fail any statement, kill connections and die at
 * the n-th call. It behaves like a server where that matters: BEGIN, COMMIT and ROLLBACK move
 * the transaction status. One server per test program; any number of threads.
 */
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/driver.h>

enum { FAKE_REPLIES = 16, FAKE_LOG = 512, FAKE_SQL = 96 };

/* What happens to statements that begin with `sql`. Zero: it succeeds without rows. */
typedef struct fake_reply {
    const char *sql; /* NULL: unused entry */
    int times;       /* used so often, then ignored; 0: always */
    int rows;        /* each has one column "n" counting from 1 */
    int n_columns;   /* 0: one */
    int64_t affected;
    int again;                   /* HY_AGAIN so often before execute ends */
    int again_fd;                /* waiting for this descriptor meanwhile; 0: for time alone */
    int again_rows;              /* and before each row after the first */
    int64_t again_ns;            /* each of them takes so long */
    hy_status fails;             /* execute answers this */
    int fails_at_row;            /* or `next` does, above 0 */
    hy_transaction_status after; /* with `fails`: where the transaction is then */
    bool set_after;
    bool breaks; /* with `fails`: the connection is dead */
    bool stale;  /* with `fails`: hy_statement.stale */
    bool read_only;
} fake_reply;

typedef struct fake_server {
    pthread_mutex_t lock;
    hy_driver_flags flags;
    fake_reply replies[FAKE_REPLIES];
    char log[FAKE_LOG][FAKE_SQL]; /* "2: SELECT 1": the connection's number and the text */
    int n_log;

    int connect_again;  /* HY_AGAIN so often */
    int64_t connect_ns; /* and each so long */
    hy_status connect_fails;
    int connect_fails_times; /* 0: always */
    bool is_private;
    int reset_again;
    hy_status reset_fails;
    int die_at; /* the call, from 1, that breaks its connection; 0: none */
    int calls;
    int killed_up_to; /* connections with a number up to this are dead */

    int connects, closes, live, max_live, resets;
    int given_up; /* closed in the middle of a statement */
    int prepared, unprepared, running;
    int broken_uses; /* calls on a closed or unfinished thing: must stay 0 */
} fake_server;

extern fake_server fake;

/** A fresh server; driver flags as given. */
void fake_reset(hy_driver_flags flags);
/** Its driver, with the flags of the last fake_reset(). */
const hy_driver *fake_driver(void);
/** The place for one more reply. */
fake_reply *fake_add_reply(const char *sql);
/** The i-th recorded line, "" past the end. */
const char *fake_log(int i);
/** Every connection that is open now dies. */
void fake_kill_all(void);

#endif
