/*
 * resolver.c - see resolver.h.
 */
#include "resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include <hysteria/memory.h>

bool hy__is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static void run(hy__job *job)
{
    hy__resolving *r = hy_container(job, hy__resolving, job);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    r->failed = getaddrinfo(r->host, NULL, &hints, &list);
    if (r->failed != 0)
        return;
    for (const struct addrinfo *it = list; it != NULL && r->n < HY__MOST_ADDRESSES; it = it->ai_next)
        r->n += getnameinfo(it->ai_addr, it->ai_addrlen, r->addresses[r->n], HY__ADDRESS_SIZE, NULL, 0,
                            NI_NUMERICHOST) == 0;
    freeaddrinfo(list);
}

static void drop(hy__job *job)
{
    hy_free(hy_container(job, hy__resolving, job));
}

hy_status hy__resolve(const char *host, int64_t deadline, hy_worker *worker, hy__resolving **out,
                      hy_error *err)
{
    size_t size = strlen(host) + 1;
    hy__resolving *r = hy_alloc_zero(sizeof *r + size);

    *out = NULL;
    if (r == NULL)
        return hy_fail_oom(err);
    r->job = (hy__job){.run = run, .drop = drop, .deadline = deadline};
    memcpy(r->host, host, size);
    hy_status status = hy__job_start(&r->job, worker, err);
    if (status == HY_OK)
        *out = r;
    return status;
}

hy_status hy__resolved(const hy__resolving *r, hy_error *err)
{
    if (!r->job.ran)
        return hy_fail(err, HY_ECONNECT_TIMEOUT, "the server's host name was not looked up in time");
    if (r->failed == EAI_MEMORY)
        return hy_fail_oom(err);
    if (r->failed != 0)
        return hy_fail(err, HY_ECONNECTION_REFUSED, "the server's host name is not known: %s",
                       gai_strerror(r->failed));
    return r->n > 0 ? HY_OK : hy_fail(err, HY_ECONNECTION_REFUSED, "the server's host name has no address");
}
