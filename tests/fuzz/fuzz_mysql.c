/*
 * Cells of MariaDB's and MySQL's results: any bytes as any type, in both protocols. libmariadb
 * holds a row's lengths against its packet before a cell is read, so here is room behind the
 * input, as much as the longest fixed cell takes. Three bytes say type, flags and character set.
 */
#include "fuzz.h"

#include <driver/mysql_driver.h>

enum { HEAD = 4, ROOM = 300 };

static const enum enum_field_types types[] = {
    MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT,    MYSQL_TYPE_LONG,   MYSQL_TYPE_LONGLONG,   MYSQL_TYPE_INT24,
    MYSQL_TYPE_YEAR, MYSQL_TYPE_FLOAT,    MYSQL_TYPE_DOUBLE, MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_DECIMAL,
    MYSQL_TYPE_BIT,  MYSQL_TYPE_DATE,     MYSQL_TYPE_TIME,   MYSQL_TYPE_DATETIME,   MYSQL_TYPE_TIMESTAMP,
    MYSQL_TYPE_JSON, MYSQL_TYPE_GEOMETRY, MYSQL_TYPE_NULL,   MYSQL_TYPE_STRING,     MYSQL_TYPE_VAR_STRING,
    MYSQL_TYPE_BLOB, MYSQL_TYPE_ENUM,     MYSQL_TYPE_SET,    MYSQL_TYPE_NEWDATE,
};
enum { N_TYPES = sizeof types / sizeof types[0] };

static void check(hy_kind kind, const hy_value *value)
{
    char scratch[HY_VALUE_SCRATCH_SIZE];
    volatile uint64_t sum = 0;
    hy_value out;

    if (value->type == HY_TEXT || value->type == HY_BLOB || value->type == HY_JSON ||
        value->type == HY_DECIMAL)
        for (size_t i = 0; i < value->as.text.size; i++)
            sum = sum + (unsigned char)value->as.text.data[i];
    (void)hy_value_decode(kind, value, scratch, &out, NULL);
}

static void read_binary(hy__mysql_column *column, const uint8_t *cell, size_t size)
{
    uint8_t *packet = calloc(1, size + ROOM);
    hy_value value = hy_null();

    must(packet != NULL);
    memcpy(packet, cell, size);
    const unsigned char *at = packet;
    const char *fault = column->binary(column, &at, &value);
    must(at >= packet && at <= packet + size + ROOM);
    if (fault == NULL)
        check(column->kind, &value);
    free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    MYSQL_FIELD field = {.type = types[data[0] % N_TYPES],
                         .flags = (data[1] & 1 ? UNSIGNED_FLAG : 0) | (data[1] & 2 ? ENUM_FLAG : 0) |
                                  (data[1] & 4 ? SET_FLAG : 0),
                         .charsetnr = data[2] % 2 ? 63 : 45};
    hy__mysql_column column;
    hy_value value = hy_null();

    hy__mysql_column_init(&column, &field);
    must(hy__mysql_column_fits(&column, &field));
    if (column.binary != NULL && data[3] % 2 == 0)
        read_binary(&column, data + HEAD, size - HEAD);
    else if (column.bytes(&column, (const char *)data + HEAD, size - HEAD, &value) == NULL)
        check(column.kind, &value);
    return 0;
}
