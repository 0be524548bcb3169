/*
 * fault_proxy_main.c - the proxy of fault_proxy.h as a program, for specs that are not in C.
 *
 *   fault_proxy HOST PORT freeze       never lets a byte of the server pass
 *   fault_proxy HOST PORT cut WORD     breaks a connection when the answer to WORD comes
 *
 * Prints the port that it listens on, runs until its standard input ends, and prints how many
 * connections it has harmed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault_proxy.h"

static int usage(void)
{
    fputs("usage: fault_proxy HOST PORT freeze | cut WORD\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    fault_plan plan = {.kind = FAULT_FREEZE, .moment = FAULT_AT_SERVER_BYTE};
    char nowhere[64];

    if (argc == 5 && strcmp(argv[3], "cut") == 0)
        plan = (fault_plan){.kind = FAULT_CUT, .moment = FAULT_AFTER_WORD, .word = argv[4]};
    else if (argc != 4 || strcmp(argv[3], "freeze") != 0)
        return usage();
    fault_proxy *proxy = fault_proxy_start(argv[1], (int)strtol(argv[2], NULL, 10));
    if (proxy == NULL) {
        fputs("fault_proxy: cannot start\n", stderr);
        return 1;
    }
    fault_proxy_set(proxy, &plan);
    printf("%d\n", fault_proxy_port(proxy));
    (void)fflush(stdout);
    while (read(STDIN_FILENO, nowhere, sizeof nowhere) > 0)
        ;
    printf("%d\n", fault_proxy_count(proxy).faults);
    fault_proxy_stop(proxy);
    return 0;
}
