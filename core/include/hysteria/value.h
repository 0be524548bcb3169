/*
 * value.h - the values that travel between a program and a database, and the kinds a
 * column can have. Both are the same on every database.
 */
#ifndef HYSTERIA_VALUE_H
#define HYSTERIA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/error.h>
#include <hysteria/export.h>

HY_BEGIN_DECLS

/* What a value is. Drivers produce and take these. */
typedef enum hy_type {
    HY_NULL,
    HY_BOOL,
    HY_INT, /* int64 */
    HY_DOUBLE,
    HY_TEXT,      /* UTF-8, no NUL inside */
    HY_BLOB,      /* any bytes */
    HY_DECIMAL,   /* canonical decimal text, see decimal.h: exact */
    HY_JSON,      /* JSON text */
    HY_UUID,      /* 16 bytes */
    HY_DATE,      /* days since 1970-01-01, proleptic Gregorian */
    HY_TIME,      /* microseconds since midnight; MySQL's may exceed a day or be negative */
    HY_TIMESTAMP, /* microseconds since 1970-01-01 00:00:00 UTC */
    HY_TYPE_COUNT
} hy_type;

/**
 * One value. Text, blob, decimal and JSON borrow their bytes (`as.text`): whoever made the
 * value says how long they live. Copying the struct copies the loan, not the bytes.
 */
typedef struct hy_value {
    hy_type type;
    union {
        bool boolean;
        int64_t integer; /* HY_INT */
        double number;
        struct {
            const char *data; /* not NUL-terminated */
            size_t size;
        } text; /* HY_TEXT HY_BLOB HY_DECIMAL HY_JSON */
        uint8_t uuid[16];
        int64_t days;   /* HY_DATE */
        int64_t micros; /* HY_TIME, HY_TIMESTAMP */
    } as;
} hy_value;

/*
 * What a column holds. X(KIND, "name in Lua", value type a driver should produce).
 * HY_KIND_ANY is "not known": the value's own type decides.
 */
#define HY_KIND_MAP(X)                      \
    X(ANY, "any", HY_NULL)                  \
    X(BOOLEAN, "boolean", HY_BOOL)          \
    X(TINYINT, "tinyint", HY_INT)           \
    X(SMALLINT, "smallint", HY_INT)         \
    X(MEDIUMINT, "mediumint", HY_INT)       \
    X(INTEGER, "integer", HY_INT)           \
    X(BIGINT, "bigInteger", HY_INT)         \
    X(FLOAT, "float", HY_DOUBLE)            \
    X(DOUBLE, "double", HY_DOUBLE)          \
    X(DECIMAL, "decimal", HY_DECIMAL)       \
    X(STRING, "string", HY_TEXT)            \
    X(CHAR, "char", HY_TEXT)                \
    X(TEXT, "text", HY_TEXT)                \
    X(ENUM, "enum", HY_TEXT)                \
    X(ULID, "ulid", HY_TEXT)                \
    X(UUID, "uuid", HY_UUID)                \
    X(BINARY, "binary", HY_BLOB)            \
    X(VARBINARY, "varbinary", HY_BLOB)      \
    X(JSON, "json", HY_JSON)                \
    X(JSONB, "jsonb", HY_JSON)              \
    X(DATE, "date", HY_DATE)                \
    X(TIME, "time", HY_TIME)                \
    X(DATETIME, "datetime", HY_TIMESTAMP)   \
    X(TIMESTAMP, "timestamp", HY_TIMESTAMP) \
    X(ARRAY, "array", HY_JSON)              \
    X(CUSTOM, "custom", HY_NULL)

typedef enum hy_kind {
#define HY_KIND_ENUM(kind, name, type) HY_KIND_##kind,
    HY_KIND_MAP(HY_KIND_ENUM)
#undef HY_KIND_ENUM
        HY_KIND_COUNT
} hy_kind;

/** One bound parameter: the value and what the statement takes it for (HY_KIND_ANY: its own). */
typedef struct hy_bind {
    hy_value value;
    hy_kind kind;
    bool sensitive; /* of a sensitive or hidden column: messages and observers never show it */
} hy_bind;

/** A step into a JSON document: to an object's entry by name or to an array's item by number. */
typedef struct hy_json_step {
    const char *key; /* NULL: `index` */
    size_t size;
    int64_t index; /* from 0 */
} hy_json_step;

/** "text" for HY_TEXT and so on; never NULL. Static. */
HY_API const char *hy_type_name(hy_type type);
/** "integer" for HY_KIND_INTEGER and so on; never NULL. Static. */
HY_API const char *hy_kind_name(hy_kind kind);
/** The kind of a name, HY_KIND_COUNT if there is none such. */
HY_API hy_kind hy_kind_from_name(const char *name);
/** The value type that a column of this kind carries; HY_NULL if any. */
HY_API hy_type hy_kind_type(hy_kind kind);

static inline hy_value hy_null(void)
{
    hy_value v = {HY_NULL, {0}};
    return v;
}
static inline hy_value hy_bool(bool boolean)
{
    hy_value v = {HY_BOOL, {0}};
    v.as.boolean = boolean;
    return v;
}
static inline hy_value hy_int(int64_t integer)
{
    hy_value v = {HY_INT, {0}};
    v.as.integer = integer;
    return v;
}
static inline hy_value hy_double(double number)
{
    hy_value v = {HY_DOUBLE, {0}};
    v.as.number = number;
    return v;
}
/** Borrowed bytes of the given type (HY_TEXT, HY_BLOB, HY_DECIMAL or HY_JSON). */
static inline hy_value hy_bytes(hy_type type, const char *data, size_t size)
{
    hy_value v = {type, {0}};
    v.as.text.data = data;
    v.as.text.size = size;
    return v;
}
/** A borrowed NUL-terminated string. */
HY_API hy_value hy_text(const char *string);
/** Equal type and equal content (bytes, numbers; NaN equals NaN). */
HY_API bool hy_value_equal(const hy_value *a, const hy_value *b);

enum { HY_VALUE_SCRATCH_SIZE = 64 };
/**
 * Turn a value as it came from a caller into what a column of `kind` stores: ISO 8601 text
 * into a timestamp or date, text into a UUID or decimal, 0/1 into a boolean, an integral
 * float into an integer... `*out` may borrow from `in` or from `scratch`.
 * Fails with HY_EDATA_INVALID when the value cannot be that kind without changing it (text
 * in an integer column, 1.5 in an integer column, NUL or bad UTF-8 in text, a malformed
 * date). NULL stays NULL. HY_KIND_ANY and HY_KIND_CUSTOM accept everything but bad text.
 */
HY_API hy_status hy_value_encode(hy_kind kind, const hy_value *in, char scratch[HY_VALUE_SCRATCH_SIZE],
                                 hy_value *out, hy_error *err);
/**
 * Turn a value as a driver gave it into the type of `kind` (SQLite keeps a boolean as an
 * integer and a timestamp as text; MySQL sends decimals as text). Same borrowing and the
 * same failure as hy_value_encode: a stored value that is not of the column's kind is an
 * error, never a guess.
 */
HY_API hy_status hy_value_decode(hy_kind kind, const hy_value *in, char scratch[HY_VALUE_SCRATCH_SIZE],
                                 hy_value *out, hy_error *err);

HY_END_DECLS
#endif
