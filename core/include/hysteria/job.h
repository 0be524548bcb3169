/*
 * job.h - work that takes its time and needs no connection (hashing a password), done by other
 * threads while who asked for it goes on waiting for more than that.
 *
 *   hy_job *job;
 *   if (hy_job_start(workers, run, drop, ctx, &job, &err) == HY_OK) {
 *       while (!hy_job_done(job, &wait))
 *           hy_wait_block(&wait);          or poll it among others
 *       ... what run() left in ctx ...
 *       hy_job_release(job);               drops ctx
 *   }
 */
#ifndef HYSTERIA_JOB_H
#define HYSTERIA_JOB_H

#include <stdbool.h>

#include <hysteria/driver.h>
#include <hysteria/error.h>
#include <hysteria/export.h>

HY_BEGIN_DECLS

/* Threads, started when jobs come and ended when none came for a while. */
typedef struct hy_worker hy_worker;
typedef struct hy_job hy_job;

/** At most so many threads, from 1. NULL: out of memory. */
HY_API hy_worker *hy_worker_new(int threads);
/** Jobs that were started are still done, unless they were released. Never waits. NULL is fine. */
HY_API void hy_worker_close(hy_worker *worker);

/**
 * Have run(ctx) called in another thread, with all signals blocked; in a forked child, which has
 * none, it has been called when this returns. drop(ctx) is called once, in the thread that lets
 * go of the job last. When this fails (HY_ELIMIT_EXCEEDED: too many jobs wait, or no thread is to
 * be had; HY_EOUT_OF_MEMORY) neither is called, and ctx is still the caller's.
 */
HY_API hy_status hy_job_start(hy_worker *worker, void (*run)(void *ctx), void (*drop)(void *ctx), void *ctx,
                              hy_job **job, hy_error *err);
/** True: ctx is the caller's to read. Else *wait is what to wait for. */
HY_API bool hy_job_done(const hy_job *job, hy_wait *wait);
/** Let go of it, done or not; one that has not begun is not run. NULL is fine. */
HY_API void hy_job_release(hy_job *job);

HY_END_DECLS
#endif
