/*
 * poller.c - what many tasks wait for at once: descriptors by epoll, moments in a heap, so that
 * a round costs what is ready and not what waits.
 *
 * A wait is a slot, a number under which the scheduler keeps its task. Descriptors are not
 * ours: one may be closed, and its number used again, while it is known here. So each is armed
 * for one event at a time, what the kernel has forgotten is told again, and an event that
 * nobody waits for any more is dropped. A forked child shares its parent's epoll instance until
 * it has made one of its own, which it does before it touches any. Knows nothing of tasks.
 */
#include "binding.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { NONE = -1, EVENTS_AT_ONCE = 64, MOST_DESCRIPTORS = 1 << 24 };

typedef struct slot {
    int fd; /* NONE: only time */
    int events;
    int64_t deadline; /* HY_NO_DEADLINE: none */
    int next;         /* slot of the same descriptor, or of the free ones */
    int place;        /* in the heap; NONE: it has none */
    bool used;
} slot;

typedef struct poller {
    int epoll;
    slot *slots;
    int *heap;  /* slots, the earliest deadline first */
    int *ready; /* slots that are, oldest first: from `taken` to `n_ready` */
    int *first; /* by descriptor: the first slot that waits for it */
    int room, n_fds, n_used, n_slots, n_heap, n_ready, taken, free;
    unsigned forks; /* as many as there were when `epoll` was made */
    unsigned cuts;  /* the state's, as far as it is known here */
} poller;

/* How often this process or one before it was forked: a child has one more than its parent. */
static atomic_uint forks;

static void count_fork(void)
{
    (void)atomic_fetch_add(&forks, 1);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

static poller *check_poller(lua_State *L)
{
    return hyl_check(L, 1, HYL_POLLER);
}

/* ---- memory ------------------------------------------------------------------------------ */

static bool grow(int **list, int room, int from)
{
    int *grown = hy_realloc(*list, (size_t)room * sizeof *grown);
    if (grown == NULL)
        return false;
    *list = grown;
    for (int i = from; i < room; i++)
        grown[i] = NONE;
    return true;
}

/* Room for one more slot, wherever it may have to stand. */
static bool have_slot(poller *p)
{
    if (p->free != NONE || p->n_slots < p->room)
        return true;
    int room = p->room > 0 ? p->room * 2 : 64;
    slot *slots = room <= INT_MAX / 4 ? hy_realloc(p->slots, (size_t)room * sizeof *slots) : NULL;
    if (slots == NULL)
        return false;
    p->slots = slots;
    if (!grow(&p->heap, room, p->room) || !grow(&p->ready, room, p->room))
        return false;
    p->room = room;
    return true;
}

static bool have_descriptor(poller *p, int fd)
{
    if (fd < p->n_fds)
        return true;
    int room = p->n_fds > 0 ? p->n_fds : 64;
    while (room <= fd)
        room *= 2;
    if (!grow(&p->first, room, p->n_fds))
        return false;
    p->n_fds = room;
    return true;
}

static int take_slot(poller *p)
{
    int index = p->free != NONE ? p->free : p->n_slots++;
    if (index == p->free)
        p->free = p->slots[index].next;
    p->n_used++;
    return index;
}

/* ---- the heap ---------------------------------------------------------------------------- */

static int64_t deadline_at(const poller *p, int place)
{
    return p->slots[p->heap[place]].deadline;
}

static void put(poller *p, int place, int index)
{
    p->heap[place] = index;
    p->slots[index].place = place;
}

static void swap(poller *p, int a, int b)
{
    int index = p->heap[a];
    put(p, a, p->heap[b]);
    put(p, b, index);
}

static void rise(poller *p, int place)
{
    for (; place > 0 && deadline_at(p, place) < deadline_at(p, (place - 1) / 2); place = (place - 1) / 2)
        swap(p, place, (place - 1) / 2);
}

static void sink(poller *p, int place)
{
    for (;;) {
        int least = place;
        for (int child = 2 * place + 1; child <= 2 * place + 2; child++)
            if (child < p->n_heap && deadline_at(p, child) < deadline_at(p, least))
                least = child;
        if (least == place)
            return;
        swap(p, place, least);
        place = least;
    }
}

static void heap_add(poller *p, int index)
{
    put(p, p->n_heap++, index);
    rise(p, p->n_heap - 1);
}

static void heap_remove(poller *p, int index)
{
    int place = p->slots[index].place;
    if (place == NONE)
        return;
    p->slots[index].place = NONE;
    if (place == --p->n_heap)
        return;
    put(p, place, p->heap[p->n_heap]);
    rise(p, place);
    sink(p, p->slots[p->heap[place]].place);
}

/* ---- descriptors ------------------------------------------------------------------------- */

/* Ask for what the slots of a descriptor wait for, once. Not 0: errno. */
static int arm(poller *p, int fd)
{
    struct epoll_event event = {.events = EPOLLONESHOT, .data.fd = fd};
    for (int i = p->first[fd]; i != NONE; i = p->slots[i].next)
        event.events |= (p->slots[i].events & HY_WAIT_READ ? EPOLLIN : 0U) |
                        (p->slots[i].events & HY_WAIT_WRITE ? EPOLLOUT : 0U);
    if (epoll_ctl(p->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    if (errno == ENOENT && epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    return errno;
}

static void leave_chain(poller *p, int index)
{
    int *at = &p->first[p->slots[index].fd];
    while (*at != index)
        at = &p->slots[*at].next;
    *at = p->slots[index].next;
}

static void drop(poller *p, int index)
{
    slot *s = &p->slots[index];
    if (s->fd != NONE)
        leave_chain(p, index);
    heap_remove(p, index);
    s->used = false;
    s->next = p->free;
    p->free = index;
    p->n_used--;
}

/* It waits no more; its number is free once it has been taken. */
static void make_ready(poller *p, int index)
{
    drop(p, index);
    if (p->taken == p->n_ready)
        p->taken = p->n_ready = 0;
    p->ready[p->n_ready++] = index;
}

/* Something happened: errors and ends are everybody's. */
static void wake(poller *p, int fd, uint32_t happened)
{
    bool all = (happened & (EPOLLERR | EPOLLHUP)) != 0;
    for (int i = fd < p->n_fds ? p->first[fd] : NONE, next; i != NONE; i = next) {
        int events = p->slots[i].events;
        next = p->slots[i].next;
        if (all || ((events & HY_WAIT_READ) != 0 && (happened & EPOLLIN) != 0) ||
            ((events & HY_WAIT_WRITE) != 0 && (happened & EPOLLOUT) != 0))
            make_ready(p, i);
    }
    if (fd < p->n_fds && p->first[fd] != NONE)
        (void)arm(p, fd);
}

/* Let the epoll instance be one of this process alone, which knows what is waited for; not 0: errno. */
static int open_epoll(poller *p)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return errno;
    if (p->epoll >= 0)
        (void)close(p->epoll);
    p->epoll = epoll;
    p->forks = atomic_load(&forks);
    for (int fd = 0; fd < p->n_fds; fd++)
        if (p->first[fd] != NONE && arm(p, fd) != 0)
            wake(p, fd, EPOLLERR);
    return 0;
}

/* What somebody waits for may be closed, of which the kernel says nothing: let them all look. */
static void look_for_cuts(lua_State *L, poller *p)
{
    unsigned cuts = hyl_state_get(L)->cuts;
    for (int fd = 0; p->cuts != cuts && fd < p->n_fds; fd++)
        wake(p, fd, EPOLLERR);
    p->cuts = cuts;
}

static void need_epoll(lua_State *L, poller *p)
{
    int why = p->epoll >= 0 && p->forks == atomic_load(&forks) ? 0 : open_epoll(p);
    if (why == ENOMEM)
        hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    if (why != 0)
        hyl_fail(L, HY_ELIMIT_EXCEEDED,
                 "no file descriptor is left to wait with: raise the limit (ulimit -n)");
}

/* ---- methods ----------------------------------------------------------------------------- */

static int64_t check_deadline(lua_State *L, int index, int fd)
{
    if (!lua_isinteger(L, index) || (fd == NONE && lua_tointeger(L, index) == HY_NO_DEADLINE))
        hyl_fail(L, HY_EINVALID_ARGUMENT, "poller: a wait that would last for ever");
    return lua_tointeger(L, index);
}

static int check_descriptor(lua_State *L, int index)
{
    if (!lua_toboolean(L, index))
        return NONE;
    lua_Integer fd = luaL_checkinteger(L, index);
    if (fd < 0 || fd >= MOST_DESCRIPTORS)
        hyl_fail(L, HY_EINVALID_ARGUMENT, "poller: no descriptor");
    return (int)fd;
}

/* poller:add(descriptor | false, events, deadline) -> its slot */
static int poller_add(lua_State *L)
{
    poller *p = check_poller(L);
    int fd = check_descriptor(L, 2);
    int events = (int)luaL_checkinteger(L, 3) & (HY_WAIT_READ | HY_WAIT_WRITE);
    int64_t deadline = check_deadline(L, 4, fd);
    need_epoll(L, p);
    if (!have_slot(p) || (fd != NONE && !have_descriptor(p, fd)))
        return hyl_fail(L, HY_EOUT_OF_MEMORY, "out of memory");
    int index = take_slot(p);
    slot *s = &p->slots[index];
    *s = (slot){.fd = fd, .events = events, .deadline = deadline, .next = NONE, .place = NONE, .used = true};
    if (fd != NONE) {
        s->next = p->first[fd];
        p->first[fd] = index;
        /* One that cannot be waited for is ready: whoever uses it learns why. */
        if (arm(p, fd) != 0)
            s->deadline = INT64_MIN;
    }
    if (s->deadline != HY_NO_DEADLINE)
        heap_add(p, index);
    lua_pushinteger(L, index + 1);
    return 1;
}

/* poller:remove(slot): of a task that was cancelled */
static int poller_remove(lua_State *L)
{
    poller *p = check_poller(L);
    lua_Integer number = luaL_checkinteger(L, 2);
    if (number >= 1 && number <= p->n_slots && p->slots[number - 1].used)
        drop(p, (int)number - 1);
    return 0;
}

/* Milliseconds until the earliest of the deadlines, rounded up; -1: none. */
static int timeout_of(const poller *p)
{
    if (p->n_heap == 0)
        return -1;
    int64_t deadline = deadline_at(p, 0), now = hy_monotonic_ns();
    if (deadline <= now)
        return 0;
    int64_t ms = (deadline - now - 1) / 1000000 + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* poller:wait(at_once): until a slot is ready or its time has come, or not at all */
static int poller_wait(lua_State *L)
{
    poller *p = check_poller(L);
    bool at_once = lua_toboolean(L, 2);
    struct epoll_event events[EVENTS_AT_ONCE];
    need_epoll(L, p);
    look_for_cuts(L, p);
    if (p->taken < p->n_ready)
        return 0;
    if (p->n_used == 0)
        return hyl_fail(L, HY_EINVALID_ARGUMENT, "poller: nothing to wait for");
    int n = epoll_wait(p->epoll, events, EVENTS_AT_ONCE, at_once ? 0 : timeout_of(p));
    for (int i = 0; i < n; i++)
        wake(p, events[i].data.fd, events[i].events);
    int64_t now = p->n_heap > 0 ? hy_monotonic_ns() : 0;
    while (p->n_heap > 0 && deadline_at(p, 0) <= now)
        make_ready(p, p->heap[0]);
    return 0;
}

/* poller:take() -> a slot that is ready, or nil */
static int poller_take(lua_State *L)
{
    poller *p = check_poller(L);
    if (p->taken == p->n_ready)
        return 0;
    lua_pushinteger(L, p->ready[p->taken++] + 1);
    return 1;
}

static int poller_gc(lua_State *L)
{
    poller *p = check_poller(L);
    if (p->epoll >= 0)
        (void)close(p->epoll);
    hy_free(p->slots);
    hy_free(p->heap);
    hy_free(p->ready);
    hy_free(p->first);
    *p = (poller){.epoll = NONE};
    return hyl_retire(L);
}

/* core.poller() */
static int core_poller(lua_State *L)
{
    poller *p = hyl_new(L, HYL_POLLER, sizeof *p, 0);
    p->free = p->epoll = NONE;
    need_epoll(L, p);
    return 1;
}

void hyl_poller_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"add", poller_add},   {"remove", poller_remove}, {"wait", poller_wait},
        {"take", poller_take}, {"close", poller_gc},      {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__gc", poller_gc}, {"__close", poller_gc}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"poller", core_poller}, {NULL, NULL}};
    static pthread_once_t watched = PTHREAD_ONCE_INIT;
    (void)pthread_once(&watched, watch_forks);
    hyl_type_new(L, HYL_POLLER, "hysteria.poller", methods, meta);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
