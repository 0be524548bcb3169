/*
 * fork_guard.h - tells whether this process is a child of the one that made the guard.
 *
 * A connection must not be used by a forked child. Asking getpid() before every statement is
 * a system call; a page that the kernel empties in children (MADV_WIPEONFORK) is a load.
 * Where there is no such page the process id is asked.
 */
#ifndef HY_DRIVER_FORK_GUARD_H
#define HY_DRIVER_FORK_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HY__FORK_GUARD_SIZE = 4096 };

typedef struct hy__fork_guard {
    const volatile char *page; /* NULL: ask for the process id */
    pid_t pid;
} hy__fork_guard;

static inline void hy__fork_guard_init(hy__fork_guard *g)
{
    void *page = mmap(NULL, HY__FORK_GUARD_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g->pid = getpid();
    g->page = NULL;
    if (page == MAP_FAILED)
        return;
    if (madvise(page, HY__FORK_GUARD_SIZE, MADV_WIPEONFORK) != 0) {
        (void)munmap(page, HY__FORK_GUARD_SIZE);
        return;
    }
    *(volatile char *)page = 1;
    g->page = page;
}

static inline void hy__fork_guard_clear(hy__fork_guard *g)
{
    if (g->page != NULL)
        (void)munmap((void *)(uintptr_t)g->page, HY__FORK_GUARD_SIZE);
    g->page = NULL;
}

/** False in a forked child. */
static inline bool hy__fork_guard_holds(const hy__fork_guard *g)
{
    return g->page != NULL ? *g->page == 1 : getpid() == g->pid;
}

#endif
