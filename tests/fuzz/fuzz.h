/*
 * fuzz.h - what a fuzz target is: one function that takes any bytes and may not crash.
 *
 * With clang and HY_FUZZ it is driven by libFuzzer; in every build replay.c gives it the files of
 * its corpus. must() holds for every input, whatever NDEBUG says.
 */
#ifndef HY_FUZZ_H
#define HY_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition)                                                                \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                   \
        }                                                                              \
    } while (0)

#endif
