/*
 * function.c - the functions that every database has, and what they yield.
 *
 * Knows names and kinds only; how a dialect spells one that differs stands in its table.
 * Functions that are not listed here can be called all the same: as written, of any kind.
 */
#include <string.h>

#include <base/text.h>

#include "sql/ast.h"

#define SAME HY_FUNCTION_KNOWN

/* In order of their names: found by halving. */
static const hy_function functions[] = {
    {"abs", "ABS", SAME, HY_RESULT_NUMBER},
    {"avg", "AVG", HY_FUNCTION_AVG, HY_RESULT_AVERAGE},
    {"ceil", "CEIL", SAME, HY_RESULT_NUMBER},
    {"coalesce", "COALESCE", SAME, HY_RESULT_ARGUMENT},
    {"concat", "CONCAT", HY_FUNCTION_CONCAT, HY_RESULT_TEXT},
    {"count", "COUNT", SAME, HY_RESULT_BIGINT},
    {"cume_dist", "CUME_DIST", SAME, HY_RESULT_DOUBLE},
    {"dense_rank", "DENSE_RANK", SAME, HY_RESULT_BIGINT},
    {"first_value", "FIRST_VALUE", SAME, HY_RESULT_ARGUMENT},
    {"floor", "FLOOR", SAME, HY_RESULT_NUMBER},
    {"lag", "LAG", SAME, HY_RESULT_ARGUMENT},
    {"last_value", "LAST_VALUE", SAME, HY_RESULT_ARGUMENT},
    {"lead", "LEAD", SAME, HY_RESULT_ARGUMENT},
    {"length", "LENGTH", HY_FUNCTION_LENGTH, HY_RESULT_BIGINT},
    {"lower", "LOWER", SAME, HY_RESULT_TEXT},
    {"ltrim", "LTRIM", SAME, HY_RESULT_TEXT},
    {"max", "MAX", SAME, HY_RESULT_ARGUMENT},
    {"min", "MIN", SAME, HY_RESULT_ARGUMENT},
    {"now", "NOW", HY_FUNCTION_NOW, HY_RESULT_TIMESTAMP},
    {"ntile", "NTILE", SAME, HY_RESULT_BIGINT},
    {"nullif", "NULLIF", SAME, HY_RESULT_ARGUMENT},
    {"percent_rank", "PERCENT_RANK", SAME, HY_RESULT_DOUBLE},
    {"rank", "RANK", SAME, HY_RESULT_BIGINT},
    {"replace", "REPLACE", SAME, HY_RESULT_TEXT},
    {"round", "ROUND", SAME, HY_RESULT_NUMBER},
    {"row_number", "ROW_NUMBER", SAME, HY_RESULT_BIGINT},
    {"rtrim", "RTRIM", SAME, HY_RESULT_TEXT},
    {"substr", "SUBSTR", SAME, HY_RESULT_TEXT},
    {"sum", "SUM", HY_FUNCTION_SUM, HY_RESULT_SUM},
    {"trim", "TRIM", SAME, HY_RESULT_TEXT},
    {"upper", "UPPER", SAME, HY_RESULT_TEXT},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0], LONGEST = 16 };

const hy_function *hy__function_find(const char *name, size_t size)
{
    char lower[LONGEST];
    size_t low = 0, high = FUNCTION_COUNT;

    if (size == 0 || size >= sizeof lower)
        return NULL;
    for (size_t i = 0; i < size; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    lower[size] = '\0';
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(lower, functions[middle].label);
        if (order == 0)
            return &functions[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The kind of the first argument that has one. */
static hy_kind argument_kind(hy_expr *const *args, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (args[i]->kind != HY_KIND_ANY && args[i]->node != HY_NODE_STAR)
            return (hy_kind)args[i]->kind;
    return HY_KIND_ANY;
}

/* How a number's kind changes on its way through a function. */
static hy_kind number_result(hy_kind kind, hy_kind whole, hy_kind decimal)
{
    switch (hy_kind_type(kind)) {
    case HY_INT:
        return whole;
    case HY_DOUBLE:
        return HY_KIND_DOUBLE;
    case HY_DECIMAL:
        return decimal;
    default:
        return HY_KIND_ANY;
    }
}

bool hy__function_is_aggregate(const hy_function *f)
{
    static const char *const names[] = {"avg", "count", "max", "min", "sum"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(f->label, names[i]) == 0)
            return true;
    return false;
}

hy_kind hy__function_result(const hy_function *f, hy_expr *const *args, size_t n)
{
    switch (f->result) {
    case HY_RESULT_UNKNOWN:
        break;
    case HY_RESULT_BIGINT:
        return HY_KIND_BIGINT;
    case HY_RESULT_DOUBLE:
        return HY_KIND_DOUBLE;
    case HY_RESULT_TEXT:
        return HY_KIND_TEXT;
    case HY_RESULT_TIMESTAMP:
        return HY_KIND_TIMESTAMP;
    case HY_RESULT_ARGUMENT:
        return argument_kind(args, n);
    case HY_RESULT_SUM:
        return number_result(argument_kind(args, n), HY_KIND_BIGINT, HY_KIND_DECIMAL);
    case HY_RESULT_AVERAGE:
        return number_result(argument_kind(args, n), HY_KIND_DOUBLE, HY_KIND_DECIMAL);
    /* Some databases answer a float, others a whole number; decimals stay what they are. */
    case HY_RESULT_NUMBER:
        return number_result(argument_kind(args, n), HY_KIND_ANY, HY_KIND_ANY);
    }
    return HY_KIND_ANY;
}
