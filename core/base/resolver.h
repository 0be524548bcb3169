/*
 * resolver.h - the addresses of a host's name, asked for by a thread of a worker.
 *
 * The C library has this only as a blocking call, which may take many seconds.
 */
#ifndef HY_BASE_RESOLVER_H
#define HY_BASE_RESOLVER_H

#include "worker.h"

enum { HY__MOST_ADDRESSES = 16, HY__ADDRESS_SIZE = 64 };

typedef struct hy__resolving {
    hy__job job;
    int failed; /* of getaddrinfo(); 0: there are addresses */
    size_t n;
    char addresses[HY__MOST_ADDRESSES][HY__ADDRESS_SIZE]; /* numeric, in the order to try them */
    char host[];
} hy__resolving;

/** True if the host is an address already. */
bool hy__is_address(const char *host);
/** Start to look; hy__job_is_done() and hy__job_release() of its job follow. */
hy_status hy__resolve(const char *host, int64_t deadline, hy_worker *worker, hy__resolving **out,
                      hy_error *err);
/** When it is done: HY_OK with addresses, or HY_ECONNECTION_REFUSED and so on. */
hy_status hy__resolved(const hy__resolving *r, hy_error *err);

#endif
