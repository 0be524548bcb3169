/*
 * driver_list.h - which database types exist and which driver speaks to each.
 *
 * Drivers are listed by hand in driver.c, so a static host links exactly what was built in.
 */
#ifndef HY_DRIVER_LIST_H
#define HY_DRIVER_LIST_H

#include <hysteria/driver.h>

typedef struct hy__database_type {
    const char *type;    /* "sqlite": what a configuration says */
    const char *dialect; /* the name hy_dialect_find() takes */
    const char *package; /* Debian package the driver is built with */
    const char *build_option;
    const hy_driver *driver; /* NULL: not built in */
} hy__database_type;

/** HY_EUNSUPPORTED_DATABASE_TYPE with a suggestion. NULL is refused too. */
hy_status hy__database_type_find(const char *type, const hy__database_type **out, hy_error *err);
/** Its driver; HY_EDRIVER_NOT_FOUND names the package. */
hy_status hy__database_type_driver(const hy__database_type *type, const hy_driver **out, hy_error *err);
/** A driver with an empty slot is refused here, so that no caller tests for NULL. */
hy_status hy__driver_check(const hy_driver *driver, hy_error *err);

#endif
