/*
 * faults.c - see faults.h. The definitions below win over the C library's for every library
 * of the process; what they call is the C library's own, or the address sanitizer's.
 */
#include "faults.h"

#include <errno.h>
#include <stdint.h>

#if defined(FAULTS_SANITIZED)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *ptr, size_t size);
void REAL(free)(void *ptr);

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *ptr, size_t size);
void free(void *ptr);

fault_counter faults[FAULT_PLACE_COUNT];

void faults_arm(fault_place place, long fail_at, long fail_for)
{
    fault_counter *f = &faults[place];

    f->calls = 0;
    f->refused = 0;
    f->fail_at = fail_at;
    f->fail_for = fail_for;
    f->armed = true;
}

void faults_disarm(void)
{
    for (int i = 0; i < FAULT_PLACE_COUNT; i++)
        faults[i].armed = false;
}

static bool refused(fault_counter *f)
{
    if (!f->armed)
        return false;
    f->calls++;
    if (f->before != NULL) {
        f->armed = false;
        f->before(f->calls);
        f->armed = true;
    }
    if (f->fail_at == 0 || f->calls < f->fail_at || f->calls - f->fail_at >= f->fail_for)
        return false;
    f->refused++;
    errno = ENOMEM;
    return true;
}

static void *counted(fault_counter *f, void *ptr)
{
    f->live += ptr != NULL;
    return ptr;
}

void *malloc(size_t size)
{
    fault_counter *f = &faults[FAULT_MALLOC];
    return refused(f) ? NULL : counted(f, REAL(malloc)(size));
}

void *calloc(size_t n, size_t size)
{
    fault_counter *f = &faults[FAULT_MALLOC];
    return refused(f) ? NULL : counted(f, REAL(calloc)(n, size));
}

void *realloc(void *ptr, size_t size)
{
    fault_counter *f = &faults[FAULT_MALLOC];

    if (ptr == NULL)
        return malloc(size);
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return refused(f) ? NULL : REAL(realloc)(ptr, size);
}

void free(void *ptr)
{
    faults[FAULT_MALLOC].live -= ptr != NULL;
    REAL(free)(ptr);
}

void *faults_lua_alloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    fault_counter *f = &faults[FAULT_LUA];

    (void)ctx;
    if (size == 0) {
        f->live -= ptr != NULL;
        REAL(free)(ptr);
        return NULL;
    }
    bool grows = ptr == NULL || size > old_size;
    if (grows && refused(f))
        return NULL;
    void *memory = REAL(realloc)(ptr, size);
    f->live += ptr == NULL && memory != NULL;
    return memory;
}
