/*
 * fault_proxy.h - a TCP proxy in front of a real server that does harm on purpose, by count.
 *
 * It runs in a thread of its own inside the test, on loopback. What it does is a plan that may
 * be changed at any time: when fault_proxy_set() returns, not one byte more passes under the
 * old one. It counts what passed and the faults that really happened, so that a test can tell
 * when it has proved nothing. Knows no protocol, only bytes.
 */
#ifndef FAULT_PROXY_H
#define FAULT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fault_kind {
    FAULT_NONE,   /* everything passes; what was frozen goes on */
    FAULT_FREEZE, /* the connection stays open and nothing passes any more, either way */
    FAULT_CUT,    /* both ends see an orderly end */
    FAULT_RESET,  /* both ends see a reset */
    FAULT_REFUSE  /* nobody listens; what is connected goes on */
} fault_kind;

/* When it happens to a connection. Bytes count from the moment the plan is set. */
typedef enum fault_moment {
    FAULT_AT_SERVER_BYTE, /* when `at` bytes of the server's stream have passed */
    FAULT_AT_CLIENT_BYTE,
    FAULT_BEFORE_WORD, /* when the client sends `word`: it does not pass */
    FAULT_AFTER_WORD   /* when the server has answered to it: the answer does not pass */
} fault_moment;

typedef struct fault_plan {
    fault_kind kind;
    fault_moment moment;
    int64_t at;
    const char *word; /* static; its first letter occurs in it once */
    int times;        /* connections it happens to; 0: each */
    size_t piece;     /* bytes that pass at once, at most; 0: whatever came */
    uint64_t seed;    /* not 0: pieces of random sizes up to `piece` */
    int delay_ms;     /* every piece waits so long */
} fault_plan;

typedef struct fault_counts {
    int accepted;                     /* connections */
    int open;                         /* of them now */
    int faults;                       /* connections that froze, were cut or reset, since the plan was set */
    int64_t from_server, from_client; /* bytes that passed on the connection accepted last */
    int64_t pieces;                   /* in which they all passed */
} fault_counts;

typedef struct fault_proxy fault_proxy;

/** In front of a server; NULL: it could not be had. */
fault_proxy *fault_proxy_start(const char *host, int port);
int fault_proxy_port(const fault_proxy *p);
void fault_proxy_set(fault_proxy *p, const fault_plan *plan);
/** The plan without faults. */
void fault_proxy_pass(fault_proxy *p);
fault_counts fault_proxy_count(fault_proxy *p);
/** Close every connection: its only descriptors are then those it began with. */
void fault_proxy_drop(fault_proxy *p);
void fault_proxy_stop(fault_proxy *p);

#endif
