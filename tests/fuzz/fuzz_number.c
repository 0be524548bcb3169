/*
 * Numbers as text: what hy_parse_double() takes, strtod() reads as the same double, and every
 * double comes back from its text bit for bit.
 */
#include "fuzz.h"

#include <base/number.h>

#include <errno.h>
#include <math.h>

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void check_text(const char *text, size_t size)
{
    char copy[4096], *end;
    double number;
    int64_t whole;

    if (size >= sizeof copy)
        return;
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (hy_parse_double(text, size, &number)) {
        must(strlen(copy) == size);
        must(same(number, strtod(copy, &end)) && *end == '\0');
    }
    if (hy_parse_int(text, size, &whole)) {
        errno = 0;
        must(strtoll(copy, &end, 10) == whole && *end == '\0' && errno == 0);
    }
}

static void check_double(double number)
{
    char text[HY_NUMBER_TEXT_SIZE];
    double again;

    must(hy_format_double(number, text) == strlen(text));
    must(hy_parse_double(text, strlen(text), &again) && same(number, again));
}

static void check_int(int64_t number)
{
    char text[HY_NUMBER_TEXT_SIZE];
    int64_t again;

    must(hy_format_int(number, text) == strlen(text));
    must(hy_parse_int(text, strlen(text), &again) && again == number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double number = 0;
    int64_t whole = 0;

    check_text((const char *)data, size);
    memcpy(&number, data, size < sizeof number ? size : sizeof number);
    memcpy(&whole, data, size < sizeof whole ? size : sizeof whole);
    check_double(number);
    check_int(whole);
    return 0;
}
