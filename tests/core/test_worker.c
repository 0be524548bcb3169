/*
 * The worker: jobs run beside their owner, are dropped exactly once whatever happens, and what
 * hangs is in nobody's way. And the resolver, which is one of them. Threads are counted in
 * /proc, and a thread that cannot be started is one whose stack would be larger than memory.
 */
#include "hy_test.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/event.h>
#include <base/resolver.h>
#include <base/worker.h>
#include <hysteria/datetime.h>

enum { MS = 1000000, MOST_THREADS = 8, MOST_SENDERS = 6, MOST_QUEUED = 256 };
#define LATER (hy_monotonic_ns() + 60000 * (int64_t)MS)

/* What the jobs of a test share. */
typedef struct tally {
    atomic_int begun, ran, dropped, inside, most;
    sem_t gate; /* jobs that hang wait here */
    sigset_t mask;
    pthread_t thread;
} tally;

typedef struct work {
    hy__job job;
    tally *of;
    bool hangs;
    int input, output;
} work;

static tally t;

static void run(hy__job *job)
{
    work *w = hy_container(job, work, job);
    int inside = atomic_fetch_add(&w->of->inside, 1) + 1;
    int most = atomic_load(&w->of->most);

    while (inside > most && !atomic_compare_exchange_weak(&w->of->most, &most, inside))
        ;
    atomic_fetch_add(&w->of->begun, 1);
    while (w->hangs && sem_wait(&w->of->gate) != 0)
        ;
    w->output = w->input + 1;
    atomic_fetch_sub(&w->of->inside, 1);
    atomic_fetch_add(&w->of->ran, 1);
}

static void drop(hy__job *job)
{
    work *w = hy_container(job, work, job);

    atomic_fetch_add(&w->of->dropped, 1);
    hy_free(w);
}

static work *new_work(bool hangs, int64_t deadline)
{
    work *w = hy_alloc_zero(sizeof *w);

    assert_non_null(w);
    w->job.run = run;
    w->job.drop = drop;
    w->job.deadline = deadline;
    w->of = &t;
    w->hangs = hangs;
    return w;
}

static bool is_readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

static void await_job(const hy__job *job)
{
    assert_true(is_readable(job->fd, 20000));
    assert_true(hy__job_is_done(job));
}

static int threads_of_ours; /* before any worker */

/* Threads of the test before may just be leaving. */
static int begin_test(void **state)
{
    int64_t until = hy_monotonic_ns() + 10000 * (int64_t)MS;

    (void)state;
    while (threads_now() > threads_of_ours && hy_monotonic_ns() < until)
        (void)usleep(1000);
    memset(&t, 0, sizeof t);
    return sem_init(&t.gate, 0, 0);
}

static int end_test(void **state)
{
    (void)state;
    return sem_destroy(&t.gate);
}

static void let_go(int n)
{
    while (n-- > 0)
        (void)sem_post(&t.gate);
}

/* Until a counter is what it should be; that it gets there is what is tested. */
static void expect(atomic_int *counter, int wanted)
{
    int64_t until = hy_monotonic_ns() + 20000 * (int64_t)MS;

    while (atomic_load(counter) != wanted && hy_monotonic_ns() < until)
        (void)usleep(500);
    assert_int_equal(atomic_load(counter), wanted);
}

/* ---- tests ------------------------------------------------------------------------------ */

static void does_what_is_waited_for(void **state)
{
    hy_worker *worker = hy__worker_new();
    hy_error err;

    (void)state;
    for (int i = 0; i < 100; i++) {
        work *w = new_work(false, LATER);
        w->input = i;
        assert_int_equal(HY_OK, hy__job_start(&w->job, worker, &err));
        await_job(&w->job);
        assert_true(w->job.ran);
        assert_int_equal(w->output, i + 1);
        hy__job_release(&w->job);
    }
    hy__job_release(NULL);
    expect(&t.dropped, 100);
    hy__worker_close(worker);
    hy__worker_close(NULL);
}

static void works_without_threads(void **state)
{
    work *w = new_work(false, LATER);
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy__job_start(&w->job, NULL, &err));
    assert_true(hy__job_is_done(&w->job) && w->job.ran);
    hy__job_release(&w->job);
    assert_int_equal(t.dropped, 1);
    w = new_work(false, LATER);
    hy__job_send(&w->job, NULL); /* nobody may be held up by it */
    assert_int_equal(t.ran, 1);
    assert_int_equal(t.dropped, 2);
}

/* Each has its own thread, up to a number; idle threads are used again. */
static void starts_threads_as_needed(void **state)
{
    enum { JOBS = 12 };
    hy_worker *worker = hy__worker_new();
    work *jobs[JOBS];
    hy_error err;

    (void)state;
    for (int i = 0; i < 20; i++) {
        jobs[0] = new_work(false, LATER);
        assert_int_equal(HY_OK, hy__job_start(&jobs[0]->job, worker, &err));
        await_job(&jobs[0]->job);
        hy__job_release(&jobs[0]->job);
        expect(&t.dropped, i + 1);
    }
    assert_in_range(threads_now() - threads_of_ours, 1, 3); /* one may just go back to sleep */
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = new_work(true, LATER);
        assert_int_equal(HY_OK, hy__job_start(&jobs[i]->job, worker, &err));
    }
    expect(&t.inside, MOST_THREADS);
    let_go(JOBS);
    for (int i = 0; i < JOBS; i++) {
        await_job(&jobs[i]->job);
        hy__job_release(&jobs[i]->job);
    }
    expect(&t.ran, 20 + JOBS);
    assert_int_equal(t.most, MOST_THREADS);
    hy__worker_close(worker);
}

/* Jobs that nobody waits for may hang all they like: those that somebody waits for go on. */
static void what_hangs_is_in_nobodys_way(void **state)
{
    enum { JOBS = 20 };
    hy_worker *worker = hy__worker_new();
    hy_error err;

    (void)state;
    for (int i = 0; i < JOBS; i++) {
        work *w = new_work(true, LATER);
        hy__job_send(&w->job, worker);
    }
    expect(&t.inside, MOST_SENDERS);
    for (int i = 0; i < 10; i++) {
        work *w = new_work(false, LATER);
        assert_int_equal(HY_OK, hy__job_start(&w->job, worker, &err));
        await_job(&w->job);
        hy__job_release(&w->job);
    }
    let_go(JOBS);
    expect(&t.dropped, JOBS + 10);
    assert_int_equal(t.ran, JOBS + 10);
    hy__worker_close(worker);
}

static void leaves_jobs_at_any_time(void **state)
{
    hy_worker *worker = hy__worker_new();
    work *busy[MOST_THREADS], *queued, *done;
    hy_error err;

    (void)state;
    for (int i = 0; i < MOST_THREADS; i++) {
        busy[i] = new_work(true, LATER);
        assert_int_equal(HY_OK, hy__job_start(&busy[i]->job, worker, &err));
    }
    expect(&t.inside, MOST_THREADS);
    queued = new_work(false, LATER);
    assert_int_equal(HY_OK, hy__job_start(&queued->job, worker, &err));
    done = new_work(false, LATER);
    assert_int_equal(HY_OK, hy__job_start(&done->job, worker, &err));
    assert_false(hy__job_is_done(&done->job));
    hy__job_release(&queued->job);
    for (int i = 0; i < MOST_THREADS; i++)
        hy__job_release(&busy[i]->job);
    assert_int_equal(t.dropped, 0); /* the threads still hold them */
    let_go(MOST_THREADS);
    await_job(&done->job);
    expect(&t.dropped, MOST_THREADS + 1);
    hy__job_release(&done->job);
    expect(&t.dropped, MOST_THREADS + 2);
    assert_int_equal(t.ran, MOST_THREADS + 1); /* who left before it began did not need it */
    hy__worker_close(worker);
}

static void does_nothing_too_late(void **state)
{
    hy_worker *worker = hy__worker_new();
    work *w = new_work(false, hy_monotonic_ns() - 1);
    hy_error err;

    (void)state;
    assert_int_equal(HY_OK, hy__job_start(&w->job, worker, &err));
    await_job(&w->job);
    assert_false(w->job.ran);
    hy__job_release(&w->job);
    w = new_work(false, hy_monotonic_ns() - 1);
    hy__job_send(&w->job, worker);
    expect(&t.dropped, 2);
    assert_int_equal(t.ran, 0);
    hy__worker_close(worker);
}

static void closing_waits_for_nobody(void **state)
{
    hy_worker *worker = hy__worker_new();

    (void)state;
    for (int i = 0; i < 10; i++) {
        work *w = new_work(true, LATER);
        hy__job_send(&w->job, worker);
    }
    expect(&t.inside, MOST_SENDERS);
    hy__worker_close(worker); /* it would wait for ever */
    assert_int_equal(t.inside, MOST_SENDERS);
    let_go(10); /* what was sent is still done */
    expect(&t.dropped, 10);
    assert_int_equal(t.ran, 10);
    int64_t until = hy_monotonic_ns() + 5000 * (int64_t)MS;
    while (threads_now() > threads_of_ours && hy_monotonic_ns() < until)
        (void)usleep(1000);
    assert_int_equal(threads_now(), threads_of_ours);
}

static void idle_threads_end(void **state)
{
    hy_worker *worker = hy__worker_new();
    work *w = new_work(false, LATER);

    (void)state;
    hy__job_send(&w->job, worker);
    expect(&t.dropped, 1);
    assert_true(threads_now() > threads_of_ours);
    int64_t began = hy_monotonic_ns(), until = began + 20000 * (int64_t)MS;
    while (threads_now() > threads_of_ours && hy_monotonic_ns() < until)
        (void)usleep(10000);
    assert_in_range((hy_monotonic_ns() - began) / MS, 9000, 15000);
    w = new_work(false, LATER); /* and come back */
    hy__job_send(&w->job, worker);
    expect(&t.dropped, 2);
    assert_int_equal(t.ran, 2);
    hy__worker_close(worker);
}

/* ---- jobs of others (job.h) -------------------------------------------------------------- */

static void run_other(void *ctx)
{
    work *w = ctx;

    w->job.run(&w->job);
}

static void drop_other(void *ctx)
{
    work *w = ctx;

    w->job.drop(&w->job);
}

static hy_job *start_other(hy_worker *worker, work *w)
{
    hy_job *job;
    hy_error err;

    assert_int_equal(HY_OK, hy_job_start(worker, run_other, drop_other, w, &job, &err));
    return job;
}

static void others_have_jobs_too(void **state)
{
    enum { THREADS = 2, JOBS = 6 };
    hy_worker *worker = hy_worker_new(THREADS);
    hy_job *jobs[JOBS];
    hy_wait wait;

    (void)state;
    for (int i = 0; i < JOBS; i++)
        jobs[i] = start_other(worker, new_work(true, LATER));
    expect(&t.inside, THREADS);
    assert_false(hy_job_done(jobs[0], &wait));
    hy_job_release(jobs[0]); /* has begun: is done, and dropped then */
    hy_job_release(jobs[5]); /* has not: is only dropped */
    assert_int_equal(t.dropped, 0);
    let_go(JOBS);
    for (int i = 1; i < 5; i++) {
        while (!hy_job_done(jobs[i], &wait))
            (void)hy_wait_block(&wait);
        hy_job_release(jobs[i]);
    }
    expect(&t.dropped, JOBS);
    assert_int_equal(t.ran, JOBS - 1);
    assert_int_equal(t.most, THREADS);
    hy_worker_close(worker);
    hy_job_release(NULL);
}

/* What could not be started is still its maker's. */
static void a_job_too_many_is_kept(void **state)
{
    enum { ROOM = MOST_QUEUED + 1 };
    hy_worker *worker = hy_worker_new(0); /* one thread */
    hy_job *jobs[ROOM], *job;
    hy_error err;

    (void)state;
    jobs[0] = start_other(worker, new_work(true, LATER));
    expect(&t.inside, 1);
    for (int i = 1; i < ROOM; i++)
        jobs[i] = start_other(worker, new_work(false, LATER));
    work *w = new_work(false, LATER);
    assert_int_equal(HY_ELIMIT_EXCEEDED, hy_job_start(worker, run_other, drop_other, w, &job, &err));
    assert_null(job);
    assert_int_equal(t.ran + t.dropped, 0);
    drop_other(w);
    for (int i = 0; i < ROOM; i++)
        hy_job_release(jobs[i]);
    let_go(1);
    expect(&t.dropped, ROOM + 1);
    hy_worker_close(worker);
}

static void look_at_signals(hy__job *job)
{
    work *w = hy_container(job, work, job);

    (void)pthread_sigmask(SIG_BLOCK, NULL, &w->of->mask);
    w->of->thread = pthread_self();
}

static void signals_stay_with_the_host(void **state)
{
    hy_worker *worker = hy__worker_new();
    work *w = new_work(false, LATER);
    sigset_t mine, after;
    hy_error err;

    (void)state;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mine);
    w->job.run = look_at_signals;
    assert_int_equal(HY_OK, hy__job_start(&w->job, worker, &err));
    await_job(&w->job);
    hy__job_release(&w->job);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &after);
    static const int signals[] = {SIGINT, SIGTERM, SIGPIPE, SIGALRM, SIGCHLD, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        assert_int_equal(sigismember(&t.mask, signals[i]), 1);
        assert_int_equal(sigismember(&after, signals[i]), sigismember(&mine, signals[i]));
    }
    assert_false(pthread_equal(t.thread, pthread_self()));
    expect(&t.dropped, 1);
    hy__worker_close(worker);
}

/* A child has none of the threads: it does what is waited for itself, and leaves the rest. */
static void a_child_has_no_threads(void **state)
{
    hy_worker *worker = hy__worker_new();
    work *w = new_work(true, LATER);
    int verdict = -1;

    (void)state;
    hy__job_send(&w->job, worker);
    expect(&t.inside, 1);
    pid_t child = fork();
    if (child == 0) {
        hy_error err;
        work *mine = hy_alloc_zero(sizeof *mine), *other = hy_alloc_zero(sizeof *other);
        *mine = *other = (work){.job = {.run = run, .drop = drop, .deadline = LATER}, .of = &t};
        bool fine =
            hy__job_start(&mine->job, worker, &err) == HY_OK && hy__job_is_done(&mine->job) && mine->job.ran;
        hy__job_send(&other->job, worker);
        fine = fine && atomic_load(&t.dropped) == 1 && atomic_load(&t.ran) == 1;
        hy__job_release(&mine->job);
        hy__worker_close(worker);
        _exit(fine ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &verdict, 0), child);
    assert_true(WIFEXITED(verdict) && WEXITSTATUS(verdict) == 0);
    let_go(1);
    expect(&t.dropped, 1);
    hy__worker_close(worker);
}

static int report_to; /* of a child: a pipe */

static void take_a_while(hy__job *job)
{
    const work *w = hy_container(job, work, job);

    while (w->hangs)
        (void)pause();
    (void)usleep(200000);
    (void)!write(report_to, "done", 4);
}

/* A child that exits with a job under way: how long it took, and what the job had to say. */
static int64_t exit_with_a_job(bool hangs, ssize_t *told)
{
    int ends[2], verdict = -1;
    char words[8];

    assert_int_equal(0, pipe(ends));
    int64_t began = hy_monotonic_ns();
    pid_t child = fork();
    if (child == 0) {
        hy_worker *worker = hy__worker_new();
        work *w = hy_alloc_zero(sizeof *w);
        report_to = ends[1];
        *w = (work){.job = {.run = take_a_while, .drop = drop, .deadline = LATER}, .of = &t, .hangs = hangs};
        hy__job_send(&w->job, worker);
        hy__worker_close(worker);
        exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(child, &verdict, 0), child);
    int64_t took = hy_monotonic_ns() - began;
    assert_true(WIFEXITED(verdict) && WEXITSTATUS(verdict) == 0);
    *told = read(ends[0], words, sizeof words);
    (void)close(ends[0]);
    return took / MS;
}

static void the_process_ends_after_its_jobs(void **state)
{
    ssize_t told;

    (void)state;
    assert_true(exit_with_a_job(false, &told) >= 200);
    assert_int_equal(told, 4);
    assert_in_range(exit_with_a_job(true, &told), 490, 5000); /* what hangs is left */
    assert_int_equal(told, 0);
}

/* ---- when the system has no more -------------------------------------------------------- */

static void lack_of_threads_is_told(void **state)
{
    hy_worker *worker = hy__worker_new();
    pthread_attr_t usual, huge;
    hy_error err;

    (void)state;
    assert_int_equal(0, pthread_getattr_default_np(&usual));
    assert_int_equal(0, pthread_attr_init(&huge));
    assert_int_equal(0, pthread_attr_setstacksize(&huge, (size_t)1 << 46));
    assert_int_equal(0, pthread_setattr_default_np(&huge));
    work *w = new_work(false, LATER);
    assert_fails(HY_ELIMIT_EXCEEDED, err, hy__job_start(&w->job, worker, &err));
    assert_int_equal(t.dropped, 1);
    w = new_work(false, LATER);
    hy__job_send(&w->job, worker);
    assert_int_equal(t.dropped, 2);
    assert_int_equal(t.ran, 0);
    assert_int_equal(0, pthread_setattr_default_np(&usual));
    /* One thread is there already: it will come to all of them. */
    work *busy = new_work(true, LATER);
    assert_int_equal(HY_OK, hy__job_start(&busy->job, worker, &err));
    expect(&t.inside, 1);
    assert_int_equal(0, pthread_setattr_default_np(&huge));
    w = new_work(false, LATER);
    assert_int_equal(HY_OK, hy__job_start(&w->job, worker, &err));
    let_go(1);
    await_job(&w->job);
    hy__job_release(&w->job);
    hy__job_release(&busy->job);
    expect(&t.dropped, 4);
    assert_int_equal(0, pthread_setattr_default_np(&usual));
    (void)pthread_attr_destroy(&huge);
    (void)pthread_attr_destroy(&usual);
    hy__worker_close(worker);
}

static void lack_of_descriptors_is_told(void **state)
{
    hy_worker *worker = hy__worker_new();
    work *w = new_work(false, LATER);
    struct rlimit usual, none;
    int fd = -1;
    hy_error err;

    (void)state;
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &usual));
    none = usual;
    none.rlim_cur = 0;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    hy_status status = hy__job_start(&w->job, worker, &err);
    hy_status event = hy__event_open(&fd, &err);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &usual));
    assert_int_equal(status, HY_ELIMIT_EXCEEDED);
    assert_int_equal(event, HY_ELIMIT_EXCEEDED);
    assert_int_equal(t.dropped, 1);
    hy__event_set(fd); /* none: nothing happens */
    hy__event_clear(fd);
    hy__worker_close(worker);
}

static void lack_of_memory_is_told(void **state)
{
    hy_test_heap heap = {.fail_at = 1, .fail_on = true};
    hy__resolving *r;
    hy_error err;

    (void)state;
    hy_test_use_heap(&heap);
    assert_null(hy__worker_new());
    assert_fails(HY_EOUT_OF_MEMORY, err, hy__resolve("localhost", LATER, NULL, &r, &err));
    hy_test_use_heap(NULL);
    assert_null(r);
    assert_int_equal(heap.live, 0);
}

static void queues_have_an_end(void **state)
{
    enum { MANY = 400 };
    hy_worker *worker = hy__worker_new();

    (void)state;
    for (int i = 0; i < MANY; i++) {
        work *w = new_work(true, LATER);
        hy__job_send(&w->job, worker);
    }
    assert_in_range(t.dropped, 100, MANY - MOST_SENDERS);
    int refused = t.dropped;
    let_go(MANY);
    expect(&t.dropped, MANY);
    assert_int_equal(t.ran, MANY - refused);
    hy__worker_close(worker);
}

/* ---- many at once ----------------------------------------------------------------------- */

enum { OWNERS = 4 };
static hy_worker *common;
static atomic_int refusals;

static void *own_many(void *arg)
{
    const char *scale = getenv("HY_SCALE");
    int jobs = scale != NULL && strcmp(scale, "full") == 0 ? 20000 : 2000;
    uint64_t seed = (uint64_t)(uintptr_t)arg * 2654435761u + 88172645463325252u;

    for (int i = 0; i < jobs; i++) {
        uint64_t dice = hy_test_random(&seed) % 4;
        work *w = new_work(false, LATER);
        if (dice == 0) {
            hy__job_send(&w->job, common);
            continue;
        }
        if (hy__job_start(&w->job, common, NULL) != HY_OK) {
            atomic_fetch_add(&refusals, 1);
            continue;
        }
        if (dice == 1)
            (void)is_readable(w->job.fd, 20000);
        if (dice == 2)
            (void)is_readable(w->job.fd, 0);
        hy__job_release(&w->job);
    }
    return (void *)(uintptr_t)jobs;
}

static void serves_many_owners(void **state)
{
    pthread_t threads[OWNERS];
    int total = 0;

    (void)state;
    common = hy__worker_new();
    for (size_t i = 0; i < OWNERS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, own_many, (void *)(i + 1)));
    for (size_t i = 0; i < OWNERS; i++) {
        void *jobs;
        (void)pthread_join(threads[i], &jobs);
        total += (int)(uintptr_t)jobs;
    }
    hy__worker_close(common);
    expect(&t.dropped, total);
    assert_true(t.ran > total / 4);
    assert_in_range(t.most, 1, MOST_THREADS);
    print_message("worker: %d jobs of %d threads, %d ran, %d refused, %d dropped, at most %d at once\n",
                  total, OWNERS, t.ran, refusals, t.dropped, t.most);
}

/* ---- the resolver ----------------------------------------------------------------------- */

static hy_status resolve(const char *host, hy_worker *worker, hy__resolving **r, hy_error *err)
{
    assert_int_equal(HY_OK, hy__resolve(host, LATER, worker, r, err));
    if ((*r)->job.fd >= 0)
        await_job(&(*r)->job);
    return hy__resolved(*r, err);
}

static void finds_addresses(void **state)
{
    hy_worker *worker = hy__worker_new();
    hy__resolving *r;
    hy_error err;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(HY_OK, resolve("localhost", i == 0 ? worker : NULL, &r, &err));
        bool found = false;
        for (size_t a = 0; a < r->n; a++) {
            assert_true(hy__is_address(r->addresses[a]));
            found |= strcmp(r->addresses[a], "127.0.0.1") == 0 || strcmp(r->addresses[a], "::1") == 0;
        }
        assert_true(found);
        hy__job_release(&r->job);
    }
    /* A name that cannot be. */
    assert_fails(HY_ECONNECTION_REFUSED, err, resolve("no such host.invalid", worker, &r, &err));
    hy__job_release(&r->job);
    assert_int_equal(HY_OK, hy__resolve("localhost", hy_monotonic_ns() - 1, worker, &r, &err));
    await_job(&r->job);
    assert_fails(HY_ECONNECT_TIMEOUT, err, hy__resolved(r, &err));
    hy__job_release(&r->job);
    hy__worker_close(worker);
}

static void knows_addresses(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "fe80::1", "10.0.0.255"};
    static const char *const names[] = {"localhost", "127.0.0", "::g", "db.example", "1", ""};

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        assert_true(hy__is_address(addresses[i]));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(hy__is_address(names[i]));
}

static void *do_nothing(void *arg)
{
    return arg;
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin_test, end_test)
    const struct CMUnitTest tests[] = {
        T(lack_of_memory_is_told), /* first: who changes the allocator must be alone */
        T(does_what_is_waited_for),
        T(works_without_threads),
        T(starts_threads_as_needed),
        T(what_hangs_is_in_nobodys_way),
        T(leaves_jobs_at_any_time),
        T(does_nothing_too_late),
        T(closing_waits_for_nobody),
        T(others_have_jobs_too),
        T(a_job_too_many_is_kept),
        T(idle_threads_end),
        T(signals_stay_with_the_host),
        T(a_child_has_no_threads),
        T(the_process_ends_after_its_jobs),
        T(lack_of_threads_is_told),
        T(lack_of_descriptors_is_told),
        T(queues_have_an_end),
        T(serves_many_owners),
        T(finds_addresses),
        T(knows_addresses),
    };
    pthread_t first; /* a sanitizer may bring a thread of its own along with it */
    if (pthread_create(&first, NULL, do_nothing, NULL) != 0)
        return 1;
    (void)pthread_join(first, NULL);
    threads_of_ours = threads_now();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
