/*
 * value.c - names of types and kinds, and equality of values.
 *
 * Turning one into the other is codec.c's subject.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include <hysteria/value.h>

static const char *const type_names[HY_TYPE_COUNT] = {
    [HY_NULL] = "null", [HY_BOOL] = "boolean", [HY_INT] = "integer",     [HY_DOUBLE] = "double",
    [HY_TEXT] = "text", [HY_BLOB] = "blob",    [HY_DECIMAL] = "decimal", [HY_JSON] = "json",
    [HY_UUID] = "uuid", [HY_DATE] = "date",    [HY_TIME] = "time",       [HY_TIMESTAMP] = "timestamp",
};

static const char *const kind_names[HY_KIND_COUNT] = {
#define KIND_NAME(kind, name, type) [HY_KIND_##kind] = name,
    HY_KIND_MAP(KIND_NAME)
#undef KIND_NAME
};

static const hy_type kind_types[HY_KIND_COUNT] = {
#define KIND_TYPE(kind, name, type) [HY_KIND_##kind] = type,
    HY_KIND_MAP(KIND_TYPE)
#undef KIND_TYPE
};

const char *hy_type_name(hy_type type)
{
    return (unsigned)type < HY_TYPE_COUNT ? type_names[type] : "unknown";
}

const char *hy_kind_name(hy_kind kind)
{
    return (unsigned)kind < HY_KIND_COUNT ? kind_names[kind] : "unknown";
}

hy_kind hy_kind_from_name(const char *name)
{
    int kind = 0;
    while (kind < HY_KIND_COUNT && strcmp(kind_names[kind], name) != 0)
        kind++;
    return (hy_kind)kind;
}

hy_type hy_kind_type(hy_kind kind)
{
    return (unsigned)kind < HY_KIND_COUNT ? kind_types[kind] : HY_NULL;
}

hy_value hy_text(const char *string)
{
    assert(string != NULL);
    return hy_bytes(HY_TEXT, string, strlen(string));
}

static bool bytes_equal(const hy_value *a, const hy_value *b)
{
    return a->as.text.size == b->as.text.size &&
           (a->as.text.size == 0 || memcmp(a->as.text.data, b->as.text.data, a->as.text.size) == 0);
}

bool hy_value_equal(const hy_value *a, const hy_value *b)
{
    if (a->type != b->type)
        return false;

    switch (a->type) {
    case HY_NULL:
        return true;
    case HY_BOOL:
        return a->as.boolean == b->as.boolean;
    case HY_INT:
        return a->as.integer == b->as.integer;
    case HY_DOUBLE:
        return a->as.number == b->as.number || (isnan(a->as.number) && isnan(b->as.number));
    case HY_UUID:
        return memcmp(a->as.uuid, b->as.uuid, sizeof a->as.uuid) == 0;
    case HY_DATE:
        return a->as.days == b->as.days;
    case HY_TIME:
    case HY_TIMESTAMP:
        return a->as.micros == b->as.micros;
    default:
        return bytes_equal(a, b);
    }
}
