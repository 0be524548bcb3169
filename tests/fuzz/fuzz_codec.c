/*
 * The codec: any value for any kind of column is taken or refused in words, and what was taken is
 * taken again unchanged. Bytes of the input: kind, type, flags, two limits, then the value.
 */
#include "fuzz.h"

#include <hysteria/model.h>

enum { HEAD = 5 };

static hy_value value_of(hy_type type, const uint8_t *data, size_t size)
{
    hy_value value = {type, {0}};

    switch (type) {
    case HY_TEXT:
    case HY_BLOB:
    case HY_DECIMAL:
    case HY_JSON:
        return hy_bytes(type, (const char *)data, size);
    case HY_BOOL:
        return hy_bool(size > 0 && data[0] % 2 != 0);
    case HY_UUID:
        memcpy(value.as.uuid, data, size < sizeof value.as.uuid ? size : sizeof value.as.uuid);
        return value;
    default:
        memcpy(&value.as.integer, data, size < sizeof value.as.integer ? size : sizeof value.as.integer);
        return value;
    }
}

static void check(hy_kind kind, const hy_value *in)
{
    char scratch[HY_VALUE_SCRATCH_SIZE], again[HY_VALUE_SCRATCH_SIZE];
    hy_value out, back;
    hy_error err;

    hy_status status = hy_value_encode(kind, in, scratch, &out, &err);
    if (status == HY_OK) {
        must(hy_value_encode(kind, &out, again, &back, &err) == HY_OK && hy_value_equal(&out, &back));
        must(hy_value_decode(kind, &out, again, &back, &err) == HY_OK && hy_value_equal(&out, &back));
    } else {
        must(status == HY_EDATA_INVALID && err.status == status && err.message[0] != '\0');
    }
    status = hy_value_decode(kind, in, scratch, &out, &err);
    must(status == HY_OK || (status == HY_EDATA_INVALID && err.status == status));
}

static void check_column(const hy_column *column, const hy_value *in)
{
    char scratch[HY_VALUE_SCRATCH_SIZE], again[HY_VALUE_SCRATCH_SIZE];
    hy_value out, back;

    if (hy_column_encode(column, in, scratch, &out, NULL) == HY_OK)
        must(hy_column_encode(column, &out, again, &back, NULL) == HY_OK && hy_value_equal(&out, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const members[] = {"new", "it's"};

    if (size < HEAD)
        return 0;
    hy_column column = {
        .property = "v",
        .kind = (hy_kind)(data[0] % HY_KIND_COUNT),
        .flags = (data[2] & 1) != 0 ? HY_COLUMN_UNSIGNED : 0,
        .length = data[3],
        .precision = data[3] % 40,
        .scale = data[4] % (data[3] % 40 + 1),
        .enum_values = members,
        .n_enum_values = 2,
    };
    hy_type type = (hy_type)(data[1] % HY_TYPE_COUNT);
    hy_value value = value_of(type, data + HEAD, size - HEAD);

    check(column.kind, &value);
    if (column.kind != HY_KIND_DECIMAL && column.precision > 6)
        column.precision = -1;
    check_column(&column, &value);
    return 0;
}
