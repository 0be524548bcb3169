/*
 * job.c - jobs of hosts and bindings on the threads of worker.h. Knows nothing of what they do.
 */
#include <hysteria/job.h>

#include <hysteria/memory.h>

#include "worker.h"

struct hy_job {
    hy__job head;
    void (*run)(void *ctx);
    void (*drop)(void *ctx);
    void *ctx;
    bool owns; /* ctx: only once it was started */
};

hy_worker *hy_worker_new(int threads)
{
    hy_worker *worker = hy__worker_new();

    if (worker != NULL)
        hy__worker_limit(worker, threads);
    return worker;
}

void hy_worker_close(hy_worker *worker)
{
    hy__worker_close(worker);
}

static void run_job(hy__job *head)
{
    hy_job *job = (hy_job *)head;

    job->run(job->ctx);
}

static void drop_job(hy__job *head)
{
    hy_job *job = (hy_job *)head;

    if (job->owns)
        job->drop(job->ctx);
    hy_free(job);
}

hy_status hy_job_start(hy_worker *worker, void (*run)(void *ctx), void (*drop)(void *ctx), void *ctx,
                       hy_job **out, hy_error *err)
{
    hy_job *job = hy_alloc_zero(sizeof *job);

    *out = NULL;
    if (job == NULL)
        return hy_fail_oom(err);
    *job = (hy_job){.head = {.run = run_job, .drop = drop_job, .deadline = HY_NO_DEADLINE},
                    .run = run,
                    .drop = drop,
                    .ctx = ctx};
    hy_status status = hy__job_start(&job->head, worker, err);
    if (status != HY_OK)
        return status;
    job->owns = true; /* nobody else lets go last before this one does */
    *out = job;
    return HY_OK;
}

bool hy_job_done(const hy_job *job, hy_wait *wait)
{
    *wait = (hy_wait){.fd = job->head.fd, .events = HY_WAIT_READ, .deadline = HY_NO_DEADLINE};
    return hy__job_is_done(&job->head);
}

void hy_job_release(hy_job *job)
{
    if (job != NULL)
        hy__job_release(&job->head);
}
