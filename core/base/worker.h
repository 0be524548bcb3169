/*
 * worker.h - threads for what a library can only do blocking: looking up a host, a handshake,
 * telling a server to stop.
 *
 * A thread is started when a job comes and none is free, and ends when it had nothing to do
 * for a while. Nobody ever waits for a thread: who started a job sleeps on its descriptor with
 * a deadline of its own, and may leave the job at any time. A job that hangs costs one thread.
 * Knows nothing of what the jobs do.
 */
#ifndef HY_BASE_WORKER_H
#define HY_BASE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <hysteria/error.h>
#include <hysteria/job.h>

#include "list.h"

/* What stands at the head of a job's own struct, from hy_alloc_zero(). */
typedef struct hy__job hy__job;
struct hy__job {
    void (*run)(hy__job *job);  /* in another thread, all signals blocked; may take its time */
    void (*drop)(hy__job *job); /* free it: called once, in the thread that lets go last */
    void (*part)(void);         /* or NULL: in a thread of the worker, when it is over: libraries keep
                                   things for a thread, and miss them once they cleaned up at exit */
    int64_t deadline;           /* not begun by then: it is not run */

    /* The worker's. */
    hy_link link;
    int fd;             /* an event, for who waits; -1: nobody does */
    atomic_int holders; /* who waits, and who runs it */
    atomic_bool done;
    bool ran;
};

/** No thread yet. NULL: out of memory. */
hy_worker *hy__worker_new(void);
/** Fewer threads than it would take; before its first job. */
void hy__worker_limit(hy_worker *worker, int threads);
/** No more jobs come; those that were sent are still done. Never waits. NULL is fine. */
void hy__worker_close(hy_worker *worker);

/**
 * When the process exits it waits a moment for jobs: a library that has cleaned itself up while a
 * thread is inside crashes. To be called once the library has registered its own end.
 */
void hy__worker_guard_exit(void);

/**
 * Have a job done that the caller waits for. It is the caller's, with the worker's threads, until
 * hy__job_release(); when this fails it has been dropped. Where there are no threads (`worker`
 * NULL, or a forked child) it is run here and now.
 */
hy_status hy__job_start(hy__job *job, hy_worker *worker, hy_error *err);
/** True: it is over, and what it left in its struct is the caller's to read. Else poll job->fd. */
bool hy__job_is_done(const hy__job *job);
/** Let go of it, done or not. NULL is fine. */
void hy__job_release(hy__job *job);
/**
 * Have a job done that nobody waits for. The job is the worker's; where it cannot be run (no
 * threads, too many jobs) it is only dropped, here.
 */
void hy__job_send(hy__job *job, hy_worker *worker);

#endif
