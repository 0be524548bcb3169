/*
 * worker.c - see worker.h.
 *
 * Jobs somebody waits for go first, and the others never take all threads: a server that
 * swallows every request to stop a statement must not end the connecting to it. A worker lives
 * until its owner has closed it and its last thread has left, so threads that hang outlive
 * what they were started for, and the code they run must stay loaded (-z nodelete).
 */
#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "event.h"

enum {
    MOST_THREADS = 8,
    MOST_SENDERS = 6, /* threads at jobs that nobody waits for */
    MOST_QUEUED = 256,
    IDLE_SECONDS = 10,
    EXIT_MS = 500,
    NS_PER_MS = 1000000
};

struct hy_worker {
    pthread_mutex_t lock;
    pthread_cond_t news;
    pid_t pid;             /* in a forked child there are no threads */
    hy_link awaited, sent; /* hy__job, oldest first */
    int n_awaited, n_sent; /* on these lists */
    int threads, idle;     /* all, and those that wait for news */
    int most;              /* threads */
    int senders;           /* threads at a job of `sent` */
    bool closed;
};

hy_worker *hy__worker_new(void)
{
    hy_worker *w = hy_alloc_zero(sizeof *w);
    pthread_condattr_t attributes;

    if (w == NULL)
        return NULL;
    w->pid = getpid();
    w->most = MOST_THREADS;
    hy_list_init(&w->awaited);
    hy_list_init(&w->sent);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->news, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return w;
}

void hy__worker_limit(hy_worker *w, int threads)
{
    w->most = threads < 1 ? 1 : threads < MOST_THREADS ? threads : MOST_THREADS;
}

/* Lock held, which ends here. The last one out frees. */
static void leave(hy_worker *w)
{
    bool last = w->closed && w->threads == 0;

    (void)pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    (void)pthread_cond_destroy(&w->news);
    (void)pthread_mutex_destroy(&w->lock);
    hy_free(w);
}

void hy__worker_close(hy_worker *w)
{
    if (w == NULL || w->pid != getpid()) /* a child: somebody may have held the lock */
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->closed = true;
    (void)pthread_cond_broadcast(&w->news);
    leave(w);
}

/* ---- the end of the process ------------------------------------------------------------- */

static atomic_int jobs_left; /* of all workers: queued or running */
static atomic_int jobs_pid;  /* whose they are; a forked child has none */
static pthread_once_t guard_once = PTHREAD_ONCE_INIT;

static void count_job(void)
{
    if (atomic_exchange(&jobs_pid, (int)getpid()) != (int)getpid())
        atomic_store(&jobs_left, 0);
    atomic_fetch_add(&jobs_left, 1);
}

/* What hangs sleeps in the kernel, and may be left there. */
static void wait_for_jobs(void)
{
    int64_t end = hy_monotonic_ns() + EXIT_MS * (int64_t)NS_PER_MS;

    while (atomic_load(&jobs_pid) == (int)getpid() && atomic_load(&jobs_left) > 0 && hy_monotonic_ns() < end)
        (void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
}

/* Handlers run in the opposite order of their registration. */
void hy__worker_guard_exit(void)
{
    (void)atexit(wait_for_jobs);
}

/* ---- jobs ------------------------------------------------------------------------------- */

bool hy__job_is_done(const hy__job *job)
{
    return atomic_load_explicit(&job->done, memory_order_acquire);
}

void hy__job_release(hy__job *job)
{
    if (job == NULL || atomic_fetch_sub_explicit(&job->holders, 1, memory_order_acq_rel) > 1)
        return;
    if (job->fd >= 0)
        (void)close(job->fd);
    job->drop(job);
}

static void perform(hy__job *job)
{
    bool is_left = job->fd >= 0 && atomic_load(&job->holders) == 1;

    if (!is_left && hy_monotonic_ns() < job->deadline) {
        job->run(job);
        job->ran = true;
    }
    atomic_store_explicit(&job->done, true, memory_order_release);
    hy__event_set(job->fd);
    hy__job_release(job);
}

/* ---- threads ---------------------------------------------------------------------------- */

/* Lock held. What this thread should do next; NULL: nothing now. */
static hy__job *take(hy_worker *w, bool *sends)
{
    *sends = hy_list_empty(&w->awaited);
    hy_link *list = *sends ? &w->sent : &w->awaited;

    if (hy_list_empty(list) || (*sends && w->senders == MOST_SENDERS))
        return NULL;
    hy__job *job = hy_container(list->next, hy__job, link);
    hy_list_remove(&job->link);
    w->n_awaited -= !*sends;
    w->n_sent -= *sends;
    return job;
}

/* Lock held. False: nothing came for too long. */
static bool wait_for_news(hy_worker *w)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    w->idle++;
    int rc = pthread_cond_timedwait(&w->news, &w->lock, &until);
    w->idle--;
    return rc == 0;
}

static void *work(void *arg)
{
    hy_worker *w = arg;
    bool sends, fresh = true;

    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        hy__job *job = take(w, &sends);
        if (job == NULL) {
            if (w->closed || !fresh)
                break;
            fresh = wait_for_news(w);
            continue;
        }
        fresh = true;
        w->senders += sends;
        (void)pthread_mutex_unlock(&w->lock);
        void (*part)(void) = job->part;
        perform(job);
        if (part != NULL)
            part();
        atomic_fetch_sub(&jobs_left, 1);
        (void)pthread_mutex_lock(&w->lock);
        w->senders -= sends;
    }
    w->threads--;
    leave(w);
    return NULL;
}

/* Lock held. Signals are the business of the host's threads. */
static bool start_thread(hy_worker *w)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, work, w) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    w->threads += started;
    return started;
}

/* Lock held. False: nobody will ever take a job. */
static bool have_thread(hy_worker *w)
{
    if (w->idle > w->n_awaited + w->n_sent)
        return true;
    return (w->threads < w->most && start_thread(w)) || w->threads > 0;
}

/* Lock held. */
static hy_status queue(hy_worker *w, hy__job *job, hy_link *list, int *n, hy_error *err)
{
    if (*n >= MOST_QUEUED)
        return hy_fail(err, HY_ELIMIT_EXCEEDED, "more than %d calls wait for what can only be done blocking",
                       MOST_QUEUED);
    if (!have_thread(w))
        return hy_fail(err, HY_ELIMIT_EXCEEDED, "the system does not let this process start a thread");
    (void)pthread_once(&guard_once, hy__worker_guard_exit);
    count_job();
    hy_list_push_back(list, &job->link);
    ++*n;
    (void)pthread_cond_signal(&w->news);
    return HY_OK;
}

/* ---- starting jobs ---------------------------------------------------------------------- */

static bool has_threads(const hy_worker *w)
{
    return w != NULL && w->pid == getpid();
}

hy_status hy__job_start(hy__job *job, hy_worker *w, hy_error *err)
{
    hy_status status = HY_OK;

    hy_list_init(&job->link);
    job->fd = -1;
    atomic_init(&job->holders, 1);
    if (!has_threads(w)) {
        job->run(job);
        job->ran = true;
        atomic_store(&job->done, true);
        return HY_OK;
    }
    status = hy__event_open(&job->fd, err);
    if (status == HY_OK) {
        atomic_store(&job->holders, 2);
        (void)pthread_mutex_lock(&w->lock);
        status = queue(w, job, &w->awaited, &w->n_awaited, err);
        (void)pthread_mutex_unlock(&w->lock);
        if (status != HY_OK)
            atomic_store(&job->holders, 1);
    }
    if (status != HY_OK)
        hy__job_release(job);
    return status;
}

void hy__job_send(hy__job *job, hy_worker *w)
{
    hy_status status = HY_ECLOSED;

    hy_list_init(&job->link);
    job->fd = -1;
    atomic_init(&job->holders, 1);
    if (has_threads(w)) {
        (void)pthread_mutex_lock(&w->lock);
        status = queue(w, job, &w->sent, &w->n_sent, NULL);
        (void)pthread_mutex_unlock(&w->lock);
    }
    if (status != HY_OK)
        hy__job_release(job);
}
