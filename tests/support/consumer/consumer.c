/*
 * consumer.c - a stranger's program on the core: prints the version of the library it runs on.
 */
#include <stdio.h>

#include <hysteria/hysteria.h>

int main(void)
{
    fputs(hy_version(), stdout);
    return 0;
}
