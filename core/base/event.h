/*
 * event.h - a descriptor that one thread sets and another polls for (Linux's eventfd).
 *
 * Knows nothing of what is waited for.
 */
#ifndef HY_BASE_EVENT_H
#define HY_BASE_EVENT_H

#include <hysteria/error.h>

/** `*fd` is -1 before; it is made, not blocking. HY_ELIMIT_EXCEEDED when the process has none left. */
hy_status hy__event_open(int *fd, hy_error *err);
/** Readable from now on. -1 is fine. */
void hy__event_set(int fd);
/** Not readable any more. -1 is fine. */
void hy__event_clear(int fd);

#endif
