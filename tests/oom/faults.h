/*
 * faults.h - a process whose memory can be made to run out.
 *
 * faults.c defines malloc and its family for the whole program (libraries included) and an
 * allocator for Lua states. Each of the two counts what it is asked for while it is armed and
 * refuses some of the calls.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum fault_place { FAULT_MALLOC, FAULT_LUA, FAULT_PLACE_COUNT } fault_place;

typedef struct fault_counter {
    bool armed;
    long calls;    /* since it was armed */
    long fail_at;  /* the first call to refuse, from 1; 0: none */
    long fail_for; /* and so many calls */
    long refused;
    long live;                 /* blocks that are not freed, armed or not */
    void (*before)(long call); /* called before each that it counts; may set fail_at, may fork; NULL: none */
} fault_counter;

extern fault_counter faults[FAULT_PLACE_COUNT];

void faults_arm(fault_place place, long fail_at, long fail_for);
void faults_disarm(void);
/* For lua_newstate. Shrinking never fails: Lua counts on that. */
void *faults_lua_alloc(void *ctx, void *ptr, size_t old_size, size_t size);

#endif
