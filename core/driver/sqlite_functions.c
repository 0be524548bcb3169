/*
 * sqlite_functions.c - exact decimals inside SQLite, which has none.
 *
 * Decimals that do not fit a double are stored as text; these make text behave as numbers:
 * the collation hysteria_decimal for comparing and sorting, the aggregates hysteria_sum and
 * hysteria_avg for adding (integers, reals and text mixed; the answer is canonical text), and
 * hysteria_add, hysteria_subtract and hysteria_multiply for calculating with two of them. Their
 * whole_ forms are for integers, which SQLite itself turns into reals when they overflow.
 * All are deterministic and innocuous, so indexes, checks and views may use them.
 */
#include <stdbool.h>
#include <string.h>

#include <sqlite3.h>

#include <base/number.h>
#include <hysteria/decimal.h>

#include "sqlite_driver.h"

/* As PostgreSQL has: numbers have lost the zeros that would tell their column's scale. */
enum { AVG_EXTRA_DIGITS = 16 };

/* ---- collation -------------------------------------------------------------------------- */

/* A number in plain notation, its digits still in the text. */
typedef struct plain_number {
    bool negative;
    const char *whole, *fraction; /* without leading and trailing zeros */
    size_t whole_size, fraction_size;
} plain_number;

static size_t count_digits(const char *text, size_t size)
{
    size_t n = 0;

    while (n < size && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* False for anything but [sign]digits[.digits]. */
static bool read_plain(const char *text, size_t size, plain_number *out)
{
    bool negative = size > 0 && text[0] == '-';
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    size_t whole = count_digits(text + at, size - at);
    const char *fraction = text + at + whole;
    size_t fraction_size = 0;

    out->whole = text + at;
    out->whole_size = whole;
    at += whole;
    if (at < size && text[at] == '.') {
        fraction = text + at + 1;
        fraction_size = count_digits(fraction, size - at - 1);
        at += fraction_size + 1;
    }
    if (at != size || whole + fraction_size == 0)
        return false;
    while (out->whole_size > 0 && *out->whole == '0') {
        out->whole++;
        out->whole_size--;
    }
    while (fraction_size > 0 && fraction[fraction_size - 1] == '0')
        fraction_size--;
    out->fraction = fraction;
    out->fraction_size = fraction_size;
    out->negative = negative && out->whole_size + fraction_size > 0; /* -0 is 0 */
    return true;
}

static int compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t common = a_size < b_size ? a_size : b_size;
    int order = common > 0 ? memcmp(a, b, common) : 0;

    if (order != 0)
        return order < 0 ? -1 : 1;
    return (a_size > b_size) - (a_size < b_size);
}

static int compare_plain(const plain_number *a, const plain_number *b)
{
    int order;

    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    if (a->whole_size != b->whole_size)
        order = a->whole_size < b->whole_size ? -1 : 1;
    else
        order = compare_bytes(a->whole, a->whole_size, b->whole, b->whole_size);
    if (order == 0)
        order = compare_bytes(a->fraction, a->fraction_size, b->fraction, b->fraction_size);
    return a->negative ? -order : order;
}

/* With exponents, or no numbers at all: these sort after every number, by their bytes. */
static int compare_any(const char *a, size_t a_size, const char *b, size_t b_size)
{
    hy_decimal x, y;
    bool a_is_number = hy_decimal_parse(a, a_size, &x, NULL) == HY_OK;
    bool b_is_number = hy_decimal_parse(b, b_size, &y, NULL) == HY_OK;

    if (a_is_number && b_is_number)
        return hy_decimal_compare(&x, &y);
    if (a_is_number != b_is_number)
        return a_is_number ? -1 : 1;
    return compare_bytes(a, a_size, b, b_size);
}

static int collate(void *ctx, int a_size, const void *a, int b_size, const void *b)
{
    plain_number x, y;

    (void)ctx;
    if (read_plain(a, (size_t)a_size, &x) && read_plain(b, (size_t)b_size, &y))
        return compare_plain(&x, &y);
    return compare_any(a, (size_t)a_size, b, (size_t)b_size);
}

/* ---- aggregates ------------------------------------------------------------------------- */

typedef struct total {
    int64_t count;
    int64_t integers; /* part of the sum: integers, until they overflow */
    hy_decimal rest;  /* the other part */
    int32_t scale;    /* the largest seen */
} total;

static void fail_named(sqlite3_context *ctx, const char *name, const char *what)
{
    char *message = sqlite3_mprintf("%s: %s", name, what);

    if (message == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    sqlite3_result_error(ctx, message, -1);
    sqlite3_free(message);
}

static void fail_number(sqlite3_context *ctx, const char *what)
{
    fail_named(ctx, sqlite3_user_data(ctx), what);
}

static bool read_decimal(sqlite3_value *value, hy_decimal *out)
{
    char text[HY_NUMBER_TEXT_SIZE];

    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        hy_decimal_from_int(sqlite3_value_int64(value), out);
        return true;
    case SQLITE_FLOAT:
        return hy_decimal_parse(text, hy_format_double(sqlite3_value_double(value), text), out, NULL) ==
               HY_OK;
    case SQLITE_TEXT: {
        const char *data = (const char *)sqlite3_value_text(value);
        return data != NULL && hy_decimal_parse(data, (size_t)sqlite3_value_bytes(value), out, NULL) == HY_OK;
    }
    default:
        return false;
    }
}

static bool add_rest(sqlite3_context *ctx, total *t, const hy_decimal *number)
{
    if (hy_decimal_add(&t->rest, number, &t->rest, NULL) == HY_OK)
        return true;
    fail_number(ctx, "too many digits");
    return false;
}

/* Add (sign 1) or take away (sign -1) one value of a row. */
static void add(sqlite3_context *ctx, sqlite3_value *value, int sign)
{
    total *t = sqlite3_aggregate_context(ctx, sizeof *t);
    hy_decimal number;

    if (t == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    if (sqlite3_value_type(value) == SQLITE_NULL)
        return;
    t->count += sign;
    if (sqlite3_value_type(value) == SQLITE_INTEGER) {
        int64_t n = sqlite3_value_int64(value);
        bool full = sign > 0 ? __builtin_add_overflow(t->integers, n, &n)
                             : __builtin_sub_overflow(t->integers, n, &n);
        if (!full) {
            t->integers = n;
            return;
        }
    }
    if (!read_decimal(value, &number)) {
        fail_number(ctx, "not a number");
        return;
    }
    if (number.scale > t->scale)
        t->scale = number.scale;
    if (sign < 0)
        hy_decimal_negate(&number);
    (void)add_rest(ctx, t, &number);
}

static void step(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    (void)n;
    add(ctx, values[0], 1);
}

static void inverse(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    (void)n;
    add(ctx, values[0], -1);
}

/* The whole sum; false: NULL or an error is the result already. */
static bool whole_sum(sqlite3_context *ctx, hy_decimal *out, const total **total_out)
{
    const total *t = sqlite3_aggregate_context(ctx, 0);
    hy_decimal integers;

    *total_out = t;
    if (t == NULL || t->count == 0) {
        sqlite3_result_null(ctx);
        return false;
    }
    hy_decimal_from_int(t->integers, &integers);
    if (hy_decimal_add(&t->rest, &integers, out, NULL) == HY_OK)
        return true;
    fail_number(ctx, "too many digits");
    return false;
}

static void give(sqlite3_context *ctx, const hy_decimal *number)
{
    char text[HY_DECIMAL_TEXT_SIZE];
    size_t size = hy_decimal_format(number, text);

    sqlite3_result_text(ctx, text, (int)size, SQLITE_TRANSIENT);
}

static void sum_value(sqlite3_context *ctx)
{
    const total *t;
    hy_decimal sum;

    if (whole_sum(ctx, &sum, &t))
        give(ctx, &sum);
}

static void avg_value(sqlite3_context *ctx)
{
    const total *t;
    hy_decimal sum, count, average;

    if (!whole_sum(ctx, &sum, &t))
        return;
    hy_decimal_from_int(t->count, &count);
    int scale = t->scale + AVG_EXTRA_DIGITS;
    if (scale > HY_DECIMAL_SCALE_MAX)
        scale = HY_DECIMAL_SCALE_MAX;
    if (hy_decimal_divide(&sum, &count, scale, HY_ROUND_HALF_UP, &average, NULL) == HY_OK)
        give(ctx, &average);
    else
        fail_number(ctx, "too many digits");
}

/* ---- two numbers ------------------------------------------------------------------------ */

static bool add_whole(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static bool subtract_whole(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_sub_overflow(a, b, out);
}
static bool multiply_whole(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

typedef struct calculation {
    const char *name;
    hy_status (*exact)(const hy_decimal *a, const hy_decimal *b, hy_decimal *out, hy_error *err);
    bool (*whole)(int64_t a, int64_t b, int64_t *out); /* instead: of integers alone */
} calculation;

static const calculation calculations[] = {
    {"hysteria_add", hy_decimal_add, NULL},
    {"hysteria_subtract", hy_decimal_subtract, NULL},
    {"hysteria_multiply", hy_decimal_multiply, NULL},
    {"hysteria_whole_add", NULL, add_whole},
    {"hysteria_whole_subtract", NULL, subtract_whole},
    {"hysteria_whole_multiply", NULL, multiply_whole},
};

static void calculate_whole(sqlite3_context *ctx, const calculation *c, sqlite3_value **values)
{
    int64_t result;

    if (sqlite3_value_type(values[0]) != SQLITE_INTEGER || sqlite3_value_type(values[1]) != SQLITE_INTEGER)
        fail_named(ctx, c->name, "not a number");
    else if (c->whole(sqlite3_value_int64(values[0]), sqlite3_value_int64(values[1]), &result))
        sqlite3_result_int64(ctx, result);
    else
        fail_named(ctx, c->name, "out of range");
}

static void calculate_exact(sqlite3_context *ctx, const calculation *c, sqlite3_value **values)
{
    hy_decimal a, b, result;

    if (!read_decimal(values[0], &a) || !read_decimal(values[1], &b))
        fail_named(ctx, c->name, "not a number");
    else if (c->exact(&a, &b, &result, NULL) == HY_OK)
        give(ctx, &result);
    else
        fail_named(ctx, c->name, "too many digits");
}

static void calculate(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    const calculation *c = sqlite3_user_data(ctx);

    (void)n;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL || sqlite3_value_type(values[1]) == SQLITE_NULL)
        sqlite3_result_null(ctx);
    else if (c->whole != NULL)
        calculate_whole(ctx, c, values);
    else
        calculate_exact(ctx, c, values);
}

/* ---- all of them ------------------------------------------------------------------------ */

enum { EXACT = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS };

typedef struct aggregate {
    const char *name;
    void (*value)(sqlite3_context *ctx);
} aggregate;

static const aggregate aggregates[] = {
    {"hysteria_sum", sum_value},
    {"hysteria_avg", avg_value},
};

int hy__sqlite_add_functions(sqlite3 *db)
{
    int rc = sqlite3_create_collation_v2(db, "hysteria_decimal", SQLITE_UTF8, NULL, collate, NULL);

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof aggregates / sizeof aggregates[0]; i++) {
        const aggregate *a = &aggregates[i];
        rc = sqlite3_create_window_function(db, a->name, 1, EXACT, (void *)(uintptr_t)a->name, step, a->value,
                                            a->value, inverse, NULL);
    }
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof calculations / sizeof calculations[0]; i++) {
        const calculation *c = &calculations[i];
        rc = sqlite3_create_function_v2(db, c->name, 2, EXACT, (void *)(uintptr_t)c, calculate, NULL, NULL,
                                        NULL);
    }
    return rc;
}
