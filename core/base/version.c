/*
 * version.c - which Hysteria this is, for programs that load it at run time.
 */
#include <hysteria/hysteria.h>

const char *hy_version(void)
{
    return HY_VERSION;
}
