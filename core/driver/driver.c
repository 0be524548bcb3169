/*
 * driver.c - the list of database types and their drivers.
 *
 * The only place that knows which drivers were built in. It knows nothing of what they do.
 */
#include "driver_list.h"

#include <string.h>

#include <base/text.h>

#ifdef HY_WITH_SQLITE
extern const hy_driver hy__sqlite_driver;
#define SQLITE_DRIVER &hy__sqlite_driver
#else
#define SQLITE_DRIVER NULL
#endif
#ifdef HY_WITH_POSTGRES
extern const hy_driver hy__postgres_driver;
#define POSTGRES_DRIVER &hy__postgres_driver
#else
#define POSTGRES_DRIVER NULL
#endif
#ifdef HY_WITH_MYSQL
extern const hy_driver hy__mysql_driver, hy__mariadb_driver;
#define MYSQL_DRIVER &hy__mysql_driver
#define MARIADB_DRIVER &hy__mariadb_driver
#else
#define MYSQL_DRIVER NULL
#define MARIADB_DRIVER NULL
#endif

static const hy__database_type types[] = {
    {"sqlite", "sqlite", "libsqlite3-dev", "HY_WITH_SQLITE", SQLITE_DRIVER},
    {"postgres", "postgres", "libpq-dev", "HY_WITH_POSTGRES", POSTGRES_DRIVER},
    {"cockroachdb", "cockroachdb", "libpq-dev", "HY_WITH_POSTGRES", POSTGRES_DRIVER},
    {"mysql", "mysql", "libmariadb-dev", "HY_WITH_MYSQL", MYSQL_DRIVER},
    {"mariadb", "mariadb", "libmariadb-dev", "HY_WITH_MYSQL", MARIADB_DRIVER},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

/* The type that a misspelt name probably means, also "postgresql" and "sqlite3". */
static const char *nearest_type(const char *name)
{
    const char *best = NULL;
    size_t best_distance = 4;

    for (size_t i = 0; i < N_TYPES; i++) {
        size_t distance = hy_edit_distance(name, types[i].type, 3);
        if (distance < best_distance && distance < strlen(types[i].type)) {
            best = types[i].type;
            best_distance = distance;
        }
    }
    return best;
}

hy_status hy__database_type_find(const char *type, const hy__database_type **out, hy_error *err)
{
    *out = NULL;
    if (type == NULL || *type == '\0')
        return hy_fail(err, HY_EUNSUPPORTED_DATABASE_TYPE,
                       "no database type is given: say type = \"sqlite\"");
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].type, type) == 0) {
            *out = &types[i];
            return HY_OK;
        }

    const char *near = nearest_type(type);
    if (near != NULL)
        return hy_fail(err, HY_EUNSUPPORTED_DATABASE_TYPE, "no database type \"%.40s\": did you mean \"%s\"?",
                       type, near);
    return hy_fail(err, HY_EUNSUPPORTED_DATABASE_TYPE,
                   "no database type \"%.40s\": there are sqlite, postgres, cockroachdb, mysql and mariadb",
                   type);
}

hy_status hy__database_type_driver(const hy__database_type *type, const hy_driver **out, hy_error *err)
{
    *out = type->driver;
    if (type->driver == NULL)
        return hy_fail(err, HY_EDRIVER_NOT_FOUND,
                       "the driver for %s is not built in: install %s and build with -D%s=ON", type->type,
                       type->package, type->build_option);
    return hy__driver_check(type->driver, err);
}

/* The name of the first slot that is NULL. */
static const char *empty_slot(const hy_driver *d)
{
#define SLOT(slot)       \
    if (d->slot == NULL) \
        return #slot;
    SLOT(name)
    SLOT(package)
    SLOT(is_private)
    SLOT(connect)
    SLOT(advance)
    SLOT(close)
    SLOT(is_alive)
    SLOT(is_idle)
    SLOT(transaction_status)
    SLOT(reset)
    SLOT(prepare)
    SLOT(execute)
    SLOT(row)
    SLOT(next)
    SLOT(finish)
    SLOT(affected)
    SLOT(insert_id)
    SLOT(statement_close)
#undef SLOT
    return NULL;
}

hy_status hy__driver_check(const hy_driver *driver, hy_error *err)
{
    const char *slot = empty_slot(driver);

    if (slot != NULL)
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "driver %s leaves its slot %s empty",
                       driver->name != NULL ? driver->name : "without a name", slot);
    if (driver->connection_size < sizeof(hy_connection) || driver->statement_size < sizeof(hy_statement))
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "driver %s tells the wrong sizes", driver->name);
    return HY_OK;
}
