/*
 * ddl_types.c - column types of the five databases, as data: see ddl_types.h.
 *
 * SQLite has no types but affinities, which it reads out of the declared name: "INT" anywhere
 * means integer; else CHAR, CLOB or TEXT mean text; BLOB none; REAL, FLOA or DOUB real; the rest
 * numeric. What is stored as text and must never turn into a number is therefore declared
 * under a name of ours that ends in TEXT. Whoever reads such a table knows the kind from it:
 *
 *   declared as            kind                      stored as
 *   BOOLEAN                boolean                   0 or 1
 *   TINYINT ... BIGINT     the integer kinds         integer
 *   FLOAT, DOUBLE          float, double             real
 *   DECIMAL(p,s)           decimal, p up to 15       number: a double is exact so far
 *   DECIMALTEXT(p,s)       decimal, p above 15       text, in the order of hysteria_decimal
 *   VARCHAR(n), CHAR(n)    string, char, ulid        text
 *   TEXT                   text, enum                text
 *   UUIDTEXT               uuid                      36 characters in small letters
 *   JSONTEXT               json, jsonb               JSON text
 *   DATETEXT, TIMETEXT     date, time                ISO 8601 text
 *   DATETIMETEXT           datetime                  ISO 8601 text
 *   TIMESTAMPTEXT          timestamp                 ISO 8601 text
 *   BLOB                   binary, varbinary         bytes
 */
#include <string.h>

#include <sql/ddl_types.h>

static const char *const postgres_types[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "BOOLEAN",
    [HY_KIND_TINYINT] = "SMALLINT",
    [HY_KIND_SMALLINT] = "SMALLINT",
    [HY_KIND_MEDIUMINT] = "INTEGER",
    [HY_KIND_INTEGER] = "INTEGER",
    [HY_KIND_BIGINT] = "BIGINT",
    [HY_KIND_FLOAT] = "REAL",
    [HY_KIND_DOUBLE] = "DOUBLE PRECISION",
    [HY_KIND_DECIMAL] = "NUMERIC(%p,%s)",
    [HY_KIND_STRING] = "VARCHAR(%l)",
    [HY_KIND_CHAR] = "CHAR(%l)",
    [HY_KIND_TEXT] = "TEXT",
    [HY_KIND_ENUM] = "TEXT",
    [HY_KIND_ULID] = "CHAR(26)",
    [HY_KIND_UUID] = "UUID",
    [HY_KIND_BINARY] = "BYTEA",
    [HY_KIND_VARBINARY] = "BYTEA",
    [HY_KIND_JSON] = "JSON",
    [HY_KIND_JSONB] = "JSONB",
    [HY_KIND_DATE] = "DATE",
    [HY_KIND_TIME] = "TIME(%f)",
    [HY_KIND_DATETIME] = "TIMESTAMP(%f)",
    [HY_KIND_TIMESTAMP] = "TIMESTAMP(%f)",
};

static const char *const postgres_zoned[HY_KIND_COUNT] = {
    [HY_KIND_DATETIME] = "TIMESTAMPTZ(%f)",
    [HY_KIND_TIMESTAMP] = "TIMESTAMPTZ(%f)",
};

/* INTEGER alone has 64 bits there. */
static const char *const cockroachdb_types[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "BOOL",
    [HY_KIND_TINYINT] = "INT2",
    [HY_KIND_SMALLINT] = "INT2",
    [HY_KIND_MEDIUMINT] = "INT4",
    [HY_KIND_INTEGER] = "INT4",
    [HY_KIND_BIGINT] = "INT8",
    [HY_KIND_FLOAT] = "FLOAT4",
    [HY_KIND_DOUBLE] = "FLOAT8",
    [HY_KIND_DECIMAL] = "DECIMAL(%p,%s)",
    [HY_KIND_STRING] = "VARCHAR(%l)",
    [HY_KIND_CHAR] = "CHAR(%l)",
    [HY_KIND_TEXT] = "TEXT",
    [HY_KIND_ENUM] = "TEXT",
    [HY_KIND_ULID] = "CHAR(26)",
    [HY_KIND_UUID] = "UUID",
    [HY_KIND_BINARY] = "BYTES",
    [HY_KIND_VARBINARY] = "BYTES",
    [HY_KIND_JSON] = "JSONB",
    [HY_KIND_JSONB] = "JSONB",
    [HY_KIND_DATE] = "DATE",
    [HY_KIND_TIME] = "TIME(%f)",
    [HY_KIND_DATETIME] = "TIMESTAMP(%f)",
    [HY_KIND_TIMESTAMP] = "TIMESTAMP(%f)",
};

/* One list for MySQL and MariaDB 10.6, whose own UUID type came with 10.7. */
static const char *const mysql_types[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "TINYINT(1)",
    [HY_KIND_TINYINT] = "TINYINT",
    [HY_KIND_SMALLINT] = "SMALLINT",
    [HY_KIND_MEDIUMINT] = "MEDIUMINT",
    [HY_KIND_INTEGER] = "INT",
    [HY_KIND_BIGINT] = "BIGINT",
    [HY_KIND_FLOAT] = "FLOAT",
    [HY_KIND_DOUBLE] = "DOUBLE",
    [HY_KIND_DECIMAL] = "DECIMAL(%p,%s)",
    [HY_KIND_STRING] = "VARCHAR(%l)",
    [HY_KIND_CHAR] = "CHAR(%l)",
    [HY_KIND_TEXT] = "LONGTEXT",
    [HY_KIND_ENUM] = "ENUM",
    [HY_KIND_ULID] = "CHAR(26)",
    [HY_KIND_UUID] = "CHAR(36)",
    [HY_KIND_BINARY] = "LONGBLOB",
    [HY_KIND_VARBINARY] = "VARBINARY(%l)",
    [HY_KIND_JSON] = "JSON",
    [HY_KIND_JSONB] = "JSON",
    [HY_KIND_DATE] = "DATE",
    [HY_KIND_TIME] = "TIME(%f)",
    [HY_KIND_DATETIME] = "DATETIME(%f)",
    [HY_KIND_TIMESTAMP] = "TIMESTAMP(%f)",
};

static const char *const sqlite_types[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "BOOLEAN",
    [HY_KIND_TINYINT] = "TINYINT",
    [HY_KIND_SMALLINT] = "SMALLINT",
    [HY_KIND_MEDIUMINT] = "MEDIUMINT",
    [HY_KIND_INTEGER] = "INTEGER",
    [HY_KIND_BIGINT] = "BIGINT",
    [HY_KIND_FLOAT] = "FLOAT",
    [HY_KIND_DOUBLE] = "DOUBLE",
    [HY_KIND_DECIMAL] = "DECIMAL(%p,%s)",
    [HY_KIND_STRING] = "VARCHAR(%l)",
    [HY_KIND_CHAR] = "CHAR(%l)",
    [HY_KIND_TEXT] = "TEXT",
    [HY_KIND_ENUM] = "TEXT",
    [HY_KIND_ULID] = "CHAR(26)",
    [HY_KIND_UUID] = "UUIDTEXT",
    [HY_KIND_BINARY] = "BLOB",
    [HY_KIND_VARBINARY] = "BLOB",
    [HY_KIND_JSON] = "JSONTEXT",
    [HY_KIND_JSONB] = "JSONTEXT",
    [HY_KIND_DATE] = "DATETEXT",
    [HY_KIND_TIME] = "TIMETEXT",
    [HY_KIND_DATETIME] = "DATETIMETEXT",
    [HY_KIND_TIMESTAMP] = "TIMESTAMPTEXT",
};

static const char *const no_types[HY_KIND_COUNT] = {0};

enum {
    POSTGRES_TRAITS = HY_DDL_COMMENT_ON | HY_DDL_KEY_NAME | HY_DDL_ADD_CONSTRAINT | HY_DDL_SET_DEFAULT |
                      HY_DDL_ALTER_IF_EXISTS,
    MYSQL_TRAITS = HY_DDL_INLINE_INDEX | HY_DDL_INLINE_COMMENT | HY_DDL_ENUM_TYPE | HY_DDL_UNSIGNED |
                   HY_DDL_ADD_CONSTRAINT | HY_DDL_LONG_DEFAULT | HY_DDL_SAY_NULL,
    MARIADB_TRAITS = MYSQL_TRAITS | HY_DDL_SAY_DEFAULT | HY_DDL_GENERATED_FREE | HY_DDL_ALTER_IF_EXISTS,
    SQLITE_TRAITS =
        HY_DDL_KEY_NAME | HY_DDL_INLINE_KEY | HY_DDL_SET_DEFAULT | HY_DDL_INDEX_SCHEMA | HY_DDL_TARGET_PLAIN
};

static const hy_ddl_dialect dialects[] = {
    {
        .name = "postgres",
        .types = postgres_types,
        .zoned = postgres_zoned,
        .increment = "GENERATED BY DEFAULT AS IDENTITY",
        .traits = POSTGRES_TRAITS,
    },
    {
        .name = "cockroachdb",
        .types = cockroachdb_types,
        .zoned = postgres_zoned,
        .increment_type = "INT8",
        .increment = "GENERATED BY DEFAULT AS IDENTITY",
        .traits = POSTGRES_TRAITS,
    },
    {
        .name = "mysql",
        .types = mysql_types,
        .zoned = no_types,
        .increment = "AUTO_INCREMENT",
        .traits = MYSQL_TRAITS,
    },
    {
        .name = "mariadb",
        .types = mysql_types,
        .zoned = no_types,
        .increment = "AUTO_INCREMENT",
        .traits = MARIADB_TRAITS,
    },
    {
        .name = "sqlite",
        .types = sqlite_types,
        .zoned = no_types,
        .long_decimal = "DECIMALTEXT(%p,%s) COLLATE hysteria_decimal",
        .exact_digits = 15,
        .increment_type = "INTEGER",
        .increment = "PRIMARY KEY AUTOINCREMENT",
        .traits = SQLITE_TRAITS,
    },
};

const hy_ddl_dialect *hy__ddl_dialect(const hy_dialect *dialect)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        if (strcmp(dialects[i].name, hy_dialect_name(dialect)) == 0)
            return &dialects[i];
    }
    return NULL;
}
