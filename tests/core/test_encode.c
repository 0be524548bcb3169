/*
 * A value held against its column: at each limit, one past it, and that what a column does not
 * say is not held against it.
 */
#include "hy_test.h"

#include <math.h>
#include <stdio.h>

#include <hysteria/model.h>

static const char *const sizes[] = {"small", "it's", "\xc3\xa9"};

typedef struct limit {
    const char *what;
    hy_column column;
    hy_type type; /* HY_INT: `integer`, HY_TIMESTAMP and HY_TIME too; else `text` */
    const char *text;
    int64_t integer;
    bool fits;
} limit;

#define DECIMAL(p, s)                                           \
    {                                                           \
        .kind = HY_KIND_DECIMAL, .precision = (p), .scale = (s) \
    }
#define FLOATS(p, s)                                                                       \
    {                                                                                      \
        .kind = HY_KIND_DECIMAL, .flags = HY_COLUMN_FLOATS, .precision = (p), .scale = (s) \
    }
#define UNSIGNED(k)                                                                    \
    {                                                                                  \
        .kind = HY_KIND_##k, .flags = HY_COLUMN_UNSIGNED, .precision = -1, .scale = -1 \
    }
#define LONG(k, n)                                                       \
    {                                                                    \
        .kind = HY_KIND_##k, .length = (n), .precision = -1, .scale = -1 \
    }
#define CLOCK(k, p)                                        \
    {                                                      \
        .kind = HY_KIND_##k, .precision = (p), .scale = -1 \
    }
#define ENUM                                                                                         \
    {                                                                                                \
        .kind = HY_KIND_ENUM, .enum_values = sizes, .n_enum_values = 3, .precision = -1, .scale = -1 \
    }

static const limit limits[] = {
    {"scale kept", DECIMAL(10, 2), HY_DECIMAL, "12345678.99", 0, true},
    {"zeros behind the scale", DECIMAL(10, 2), HY_DECIMAL, "-0.500000", 0, true},
    {"past the scale", DECIMAL(10, 2), HY_DECIMAL, "0.125", 0, false},
    {"past the precision", DECIMAL(10, 2), HY_DECIMAL, "100000000", 0, false},
    {"negative, past the precision", DECIMAL(10, 2), HY_TEXT, "-1e8", 0, false},
    {"no digit before the point", DECIMAL(2, 2), HY_DECIMAL, "0.99", 0, true},
    {"one digit before the point", DECIMAL(2, 2), HY_DECIMAL, "1", 0, false},
    {"an integer too long", DECIMAL(5, 2), HY_INT, NULL, 1000, false},
    {"an integer that fits", DECIMAL(5, 2), HY_INT, NULL, 999, true},
    {"by default 10 and 2", DECIMAL(-1, -1), HY_DECIMAL, "12345678.99", 0, true},
    {"by default not 3", DECIMAL(-1, -1), HY_DECIMAL, "0.999", 0, false},
    {"unsigned tinyint", UNSIGNED(TINYINT), HY_INT, NULL, 255, true},
    {"unsigned tinyint too large", UNSIGNED(TINYINT), HY_INT, NULL, 256, false},
    {"unsigned smallint", UNSIGNED(SMALLINT), HY_INT, NULL, 65535, true},
    {"unsigned smallint too large", UNSIGNED(SMALLINT), HY_INT, NULL, 65536, false},
    {"unsigned mediumint", UNSIGNED(MEDIUMINT), HY_INT, NULL, 16777215, true},
    {"unsigned mediumint too large", UNSIGNED(MEDIUMINT), HY_INT, NULL, 16777216, false},
    {"unsigned integer", UNSIGNED(INTEGER), HY_INT, NULL, 4294967295, true},
    {"unsigned integer too large", UNSIGNED(INTEGER), HY_INT, NULL, 4294967296, false},
    {"unsigned and negative", UNSIGNED(INTEGER), HY_INT, NULL, -1, false},
    {"unsigned 2^63-1", UNSIGNED(BIGINT), HY_INT, NULL, INT64_MAX, true},
    {"unsigned 2^63", UNSIGNED(BIGINT), HY_DECIMAL, "9223372036854775808", 0, true},
    {"unsigned 2^64-1", UNSIGNED(BIGINT), HY_DECIMAL, "18446744073709551615", 0, true},
    {"unsigned 2^64", UNSIGNED(BIGINT), HY_DECIMAL, "18446744073709551616", 0, false},
    {"unsigned with a fraction", UNSIGNED(BIGINT), HY_DECIMAL, "9223372036854775808.5", 0, false},
    {"unsigned and not BIGINT", UNSIGNED(INTEGER), HY_DECIMAL, "18446744073709551615", 0, false},
    {"unsigned and no number", UNSIGNED(BIGINT), HY_TEXT, "1", 0, false},
    {"unsigned decimals have a sign",
     {.kind = HY_KIND_DECIMAL, .flags = HY_COLUMN_UNSIGNED, .precision = 4, .scale = 1},
     HY_DECIMAL,
     "-1.5",
     0,
     true},
    {"characters, not bytes", LONG(STRING, 2), HY_TEXT, "\xc3\xa9\xf0\x9f\x98\x80", 0, true},
    {"a character too many", LONG(STRING, 2), HY_TEXT, "abc", 0, false},
    {"a blank too many", LONG(CHAR, 2), HY_TEXT, "ab ", 0, false},
    {"text has a length too", LONG(TEXT, 2), HY_TEXT, "abc", 0, false},
    {"no length, no limit", LONG(STRING, 0), HY_TEXT, "abc", 0, true},
    {"bytes", LONG(VARBINARY, 3), HY_BLOB, "\xc3\xa9\x01", 0, true},
    {"a byte too many", LONG(VARBINARY, 2), HY_BLOB, "\xc3\xa9\x01", 0, false},
    {"a member", ENUM, HY_TEXT, "it's", 0, true},
    {"a member of two bytes", ENUM, HY_TEXT, "\xc3\xa9", 0, true},
    {"no member", ENUM, HY_TEXT, "large", 0, false},
    {"a member in capitals", ENUM, HY_TEXT, "SMALL", 0, false},
    {"the beginning of a member", ENUM, HY_TEXT, "sma", 0, false},
    {"nothing", ENUM, HY_TEXT, "", 0, false},
    {"a ulid", LONG(ULID, 0), HY_TEXT, "01ARZ3NDEKTSV4RRFFQ69G5FAV", 0, true},
    {"a ulid in small letters", LONG(ULID, 0), HY_TEXT, "01arz3ndektsv4rrffq69g5fav", 0, true},
    {"a ulid with a U", LONG(ULID, 0), HY_TEXT, "01ARZ3NDEKTSV4RRFFQ69G5FAU", 0, false},
    {"a short ulid", LONG(ULID, 0), HY_TEXT, "01ARZ3NDEKTSV4RRFFQ69G5FA", 0, false},
    {"a long ulid", LONG(ULID, 0), HY_TEXT, "01ARZ3NDEKTSV4RRFFQ69G5FAVX", 0, false},
    {"whole seconds", CLOCK(DATETIME, 0), HY_TIMESTAMP, NULL, -5000000, true},
    {"parts where none are kept", CLOCK(DATETIME, 0), HY_TIMESTAMP, NULL, -5000001, false},
    {"milliseconds", CLOCK(TIMESTAMP, 3), HY_TIMESTAMP, NULL, 1709209845123000, true},
    {"microseconds for milliseconds", CLOCK(TIMESTAMP, 3), HY_TIMESTAMP, NULL, 1709209845123456, false},
    {"microseconds", CLOCK(TIMESTAMP, 6), HY_TIMESTAMP, NULL, 1709209845123456, true},
    {"precision not said", CLOCK(TIMESTAMP, -1), HY_TIMESTAMP, NULL, 1709209845123456, true},
    {"tenths of a time", CLOCK(TIME, 1), HY_TIME, NULL, 300000, true},
    {"hundredths for tenths", CLOCK(TIME, 1), HY_TIME, NULL, 310000, false},
};

static hy_value value_of(const limit *row)
{
    hy_value value = {row->type, {0}};

    if (row->text != NULL)
        return hy_bytes(row->type, row->text, strlen(row->text));
    if (row->type == HY_INT)
        value.as.integer = row->integer;
    else
        value.as.micros = row->integer;
    return value;
}

/* As a model has it, defaults settled. */
static hy_model *model_of(const limit *row)
{
    hy_model *model = hy_model_new("Thing", NULL, NULL, HY_NAMING_SNAKE);
    hy_column c = row->column;
    hy_error err;

    assert_non_null(model);
    c.property = "v";
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_int_equal(hy_model_freeze(model, &err), HY_OK);
    return model;
}

static void limits_are_held(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        hy_model *model = model_of(&limits[i]);
        const hy_column *column = hy_model_column(model, 0);
        hy_value in = value_of(&limits[i]), null = hy_null(), out;
        char scratch[HY_VALUE_SCRATCH_SIZE];
        hy_error err;

        hy_error_clear(&err);
        hy_status status = hy_column_encode(column, &in, scratch, &out, &err);
        if ((status == HY_OK) != limits[i].fits)
            fail_msg("%s: status %d, %s", limits[i].what, status, err.message);
        if (!limits[i].fits) {
            assert_int_equal(status, HY_EDATA_INVALID);
            assert_int_equal(err.status, HY_EDATA_INVALID);
            assert_true(err.message[0] != '\0');
            assert_null(limits[i].text != NULL && *limits[i].text != '\0' && strlen(limits[i].text) > 2
                            ? strstr(err.message, limits[i].text)
                            : NULL);
        }
        assert_int_equal(hy_column_encode(column, &null, scratch, &out, &err), HY_OK);
        assert_int_equal(out.type, HY_NULL);
        hy_model_unref(model);
    }
}

static void large_unsigned_stays_exact(void **state)
{
    static const limit row = {.column = UNSIGNED(BIGINT)};
    hy_model *model = model_of(&row);
    hy_value in = hy_bytes(HY_DECIMAL, "18446744073709551615", 20), out;
    char scratch[HY_VALUE_SCRATCH_SIZE];

    (void)state;
    assert_int_equal(hy_column_encode(hy_model_column(model, 0), &in, scratch, &out, NULL), HY_OK);
    assert_int_equal(out.type, HY_DECIMAL);
    assert_text("18446744073709551615", out.as.text.data, out.as.text.size);
    in = hy_bytes(HY_DECIMAL, "9223372036854775807", 19);
    assert_int_equal(hy_column_encode(hy_model_column(model, 0), &in, scratch, &out, NULL), HY_OK);
    assert_int_equal(out.type, HY_INT);
    assert_true(out.as.integer == INT64_MAX);
    hy_model_unref(model);
}

/* Read as floats, written back as what they were. */
static void floats_are_taken_where_they_are_given(void **state)
{
    static const struct {
        hy_column column;
        double in;
        const char *out; /* NULL: refused */
    } rows[] = {
        {FLOATS(10, 3), 0.1, "0.1"},
        {FLOATS(10, 3), -1.5, "-1.5"},
        {FLOATS(10, 3), -0.0, "0"},
        {FLOATS(10, 3), 1234567.125, "1234567.125"},
        {FLOATS(10, 3), 0.1 + 0.2, NULL},
        {FLOATS(10, 3), 0.0625, NULL},
        {FLOATS(10, 3), 1e7, NULL},
        {FLOATS(10, 3), INFINITY, NULL},
        {FLOATS(10, 3), NAN, NULL},
        {FLOATS(15, 15), 1e-15, "0.000000000000001"},
        {FLOATS(15, 0), 999999999999999.0, "999999999999999"},
        {FLOATS(16, 3), 0.5, NULL}, /* of 16 digits a float may lose the last */
        {DECIMAL(10, 3), 0.5, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        limit row = {.column = rows[i].column};
        hy_model *model = model_of(&row);
        hy_value in = {HY_DOUBLE, {.number = rows[i].in}}, out;
        char scratch[HY_VALUE_SCRATCH_SIZE];
        hy_error err;

        hy_status status = hy_column_encode(hy_model_column(model, 0), &in, scratch, &out, &err);
        assert_int_equal(status, rows[i].out != NULL ? HY_OK : HY_EDATA_INVALID);
        if (rows[i].out != NULL) {
            assert_int_equal(out.type, HY_DECIMAL);
            assert_text(rows[i].out, out.as.text.data, out.as.text.size);
        }
        hy_model_unref(model);
    }
}

/* What DDL creates is what values are held against. */
static void decimals_settle_their_digits(void **state)
{
    static const int rows[][4] = {
        {-1, -1, 10, 2}, {-1, 4, 10, 4}, {-1, 12, 12, 12}, {20, -1, 20, 2}, {1, -1, 1, 1}, {38, 0, 38, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        limit row = {.column = DECIMAL(rows[i][0], rows[i][1])};
        hy_model *model = model_of(&row);
        assert_int_equal(hy_model_column(model, 0)->precision, rows[i][2]);
        assert_int_equal(hy_model_column(model, 0)->scale, rows[i][3]);
        hy_model_unref(model);
    }
}

static void defaults_are_held_too(void **state)
{
    hy_model *model = hy_model_new("Thing", NULL, NULL, HY_NAMING_SNAKE);
    hy_column c = {.property = "price",
                   .kind = HY_KIND_DECIMAL,
                   .precision = 4,
                   .scale = 1,
                   .flags = HY_COLUMN_HAS_DEFAULT,
                   .default_value = hy_text("1.25")};
    hy_error err;

    (void)state;
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_column(model, &c, &err));
    c.default_value = hy_text("1.2");
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    hy_model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_held),
        cmocka_unit_test(large_unsigned_stays_exact),
        cmocka_unit_test(decimals_settle_their_digits),
        cmocka_unit_test(floats_are_taken_where_they_are_given),
        cmocka_unit_test(defaults_are_held_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
