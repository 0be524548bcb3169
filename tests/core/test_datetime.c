/*
 * Dates and times against libc's calendar, day by day, and against Python's reading of valid
 * and spoiled text (datetime_cases.inc).
 */
#include "hy_test.h"

#include <stdio.h>
#include <time.h>

#include <hysteria/datetime.h>

typedef struct text_case {
    const char *text;
    bool valid;
    int64_t value;
} text_case;

#define DATE(text, valid, value) {text, valid, value},
#define TIME(text, valid, value)
#define STAMP(text, valid, value)
static const text_case dates[] = {
#include "datetime_cases.inc"
};
#undef DATE
#undef TIME
#define DATE(text, valid, value)
#define TIME(text, valid, value) {text, valid, value},
static const text_case times[] = {
#include "datetime_cases.inc"
};
#undef TIME
#undef STAMP
#define TIME(text, valid, value)
#define STAMP(text, valid, value) {text, valid, value},
static const text_case stamps[] = {
#include "datetime_cases.inc"
};

static const int64_t DAYS_MIN = -719162, DAYS_MAX = 2932896;
static const int64_t SECOND = 1000000, DAY = INT64_C(86400000000);

typedef bool (*parse_fn)(const char *text, size_t size, int64_t *out);

static void check_cases(const text_case *rows, size_t n, parse_fn parse)
{
    for (size_t i = 0; i < n; i++) {
        int64_t found = INT64_MIN;
        bool valid = parse(rows[i].text, strlen(rows[i].text), &found);
        if (valid != rows[i].valid || (valid && found != rows[i].value))
            fail_msg("\"%s\": %d %lld", rows[i].text, valid, (long long)found);
    }
}

static void texts_are_read_as_python_reads_them(void **state)
{
    (void)state;
    check_cases(dates, sizeof dates / sizeof dates[0], hy_date_parse);
    check_cases(times, sizeof times / sizeof times[0], hy_time_parse);
    check_cases(stamps, sizeof stamps / sizeof stamps[0], hy_timestamp_parse);
}

static void every_day_is_the_day_of_libc(void **state)
{
    (void)state;
    for (int64_t day = DAYS_MIN; day <= DAYS_MAX; day++) {
        time_t seconds = (time_t)(day * 86400);
        struct tm tm;
        hy_date_parts parts;
        int64_t back;

        gmtime_r(&seconds, &tm);
        hy_date_to_parts(day, &parts);
        if (parts.year != tm.tm_year + 1900 || parts.month != tm.tm_mon + 1 || parts.day != tm.tm_mday ||
            parts.hour != 0 || !hy_date_from_parts(&parts, &back) || back != day)
            fail_msg("day %lld", (long long)day);
    }
}

static void every_wrong_day_is_refused(void **state)
{
    (void)state;
    for (int year = 1890; year <= 2110; year++) {
        for (int month = 0; month <= 13; month++) {
            for (int day = 0; day <= 32; day++) {
                struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
                hy_date_parts parts = {year, month, day, 0, 0, 0, 0};
                int64_t found;
                time_t seconds = timegm(&tm); /* puts an odd date right, then it is another */
                bool valid = tm.tm_year == year - 1900 && tm.tm_mon == month - 1 && tm.tm_mday == day;
                assert_int_equal(hy_date_from_parts(&parts, &found), valid);
                if (valid)
                    assert_int_equal(found, seconds / 86400);
            }
        }
    }
}

static void moments_agree_with_libc(void **state)
{
    uint64_t seed = 0x9e3779b97f4a7c15u;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t span = (DAYS_MAX - DAYS_MIN + 1) * DAY;
        int64_t micros = DAYS_MIN * DAY + (int64_t)(hy_test_random(&seed) % (uint64_t)span);
        int64_t fraction = ((micros % SECOND) + SECOND) % SECOND, back;
        time_t seconds = (time_t)((micros - fraction) / SECOND);
        char expected[64], found[HY_TIMESTAMP_TEXT_SIZE];
        struct tm tm;
        hy_date_parts parts;

        if (i % 3 == 0)
            micros -= fraction, fraction = 0;
        gmtime_r(&seconds, &tm);
        int n = snprintf(expected, sizeof expected, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
                         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        if (fraction != 0)
            snprintf(expected + n, sizeof expected - (size_t)n, ".%06d", (int)fraction);
        size_t size = hy_timestamp_format(micros, found);
        assert_string_equal(found, expected);
        assert_int_equal(size, strlen(expected));
        assert_true(hy_timestamp_parse(found, size, &back));
        assert_true(back == micros);
        hy_timestamp_to_parts(micros, &parts);
        assert_true(hy_timestamp_from_parts(&parts, &back));
        assert_true(back == micros);
    }
}

static void times_are_written_and_read_back(void **state)
{
    static const struct {
        int64_t micros;
        const char *text;
    } rows[] = {
        {0, "00:00:00"},
        {1, "00:00:00.000001"},
        {INT64_C(86399999999), "23:59:59.999999"},
        {INT64_C(86400000000), "24:00:00"},
        {-1, "-00:00:00.000001"},
        {INT64_C(-3020399000000), "-838:59:59"},
        {INT64_C(3020399500000), "838:59:59.500000"},
        {INT64_C(360000000000), "100:00:00"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[HY_TIME_TEXT_SIZE];
        int64_t back;
        size_t size = hy_time_format(rows[i].micros, text);
        assert_text(rows[i].text, text, size);
        assert_true(hy_time_parse(text, size, &back));
        assert_true(back == rows[i].micros);
    }
}

static void parts_out_of_range_are_refused(void **state)
{
    static const hy_date_parts rows[] = {
        {2024, 1, 1, 24, 0, 0, 0},        {2024, 1, 1, -1, 0, 0, 0},        {2024, 1, 1, 0, 60, 0, 0},
        {2024, 1, 1, 0, -1, 0, 0},        {2024, 1, 1, 0, 0, 60, 0},        {2024, 1, 1, 0, 0, -1, 0},
        {2024, 1, 1, 0, 0, 0, 1000000},   {2024, 1, 1, 0, 0, 0, -1},        {0, 1, 1, 0, 0, 0, 0},
        {10000, 1, 1, 0, 0, 0, 0},        {-5, 1, 1, 0, 0, 0, 0},           {INT32_MAX, 1, 1, 0, 0, 0, 0},
        {2024, INT32_MAX, 1, 0, 0, 0, 0}, {2024, INT32_MIN, 1, 0, 0, 0, 0}, {2024, 1, INT32_MIN, 0, 0, 0, 0},
    };
    int64_t micros;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_false(hy_timestamp_from_parts(&rows[i], &micros));
}

static void counts_out_of_range_are_cut_not_overrun(void **state)
{
    static const int64_t wild[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1};
    (void)state;
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        char text[HY_TIMESTAMP_TEXT_SIZE];
        assert_false(hy_date_in_range(wild[i]));
        assert_false(hy_time_in_range(wild[i]));
        assert_false(hy_timestamp_in_range(wild[i]));
        hy_date_format(wild[i], text);
        assert_string_equal(text, wild[i] < 0 ? "0001-01-01" : "9999-12-31");
        hy_timestamp_format(wild[i], text);
        assert_string_equal(text, wild[i] < 0 ? "0001-01-01 00:00:00" : "9999-12-31 23:59:59.999999");
        hy_time_format(wild[i], text);
        assert_string_equal(text, wild[i] < 0 ? "-838:59:59.999999" : "838:59:59.999999");
    }
    assert_true(hy_date_in_range(DAYS_MIN));
    assert_false(hy_date_in_range(DAYS_MIN - 1));
    assert_true(hy_date_in_range(DAYS_MAX));
    assert_false(hy_date_in_range(DAYS_MAX + 1));
    assert_true(hy_timestamp_in_range(DAYS_MIN * DAY));
    assert_false(hy_timestamp_in_range(DAYS_MIN * DAY - 1));
    assert_true(hy_timestamp_in_range((DAYS_MAX + 1) * DAY - 1));
    assert_false(hy_timestamp_in_range((DAYS_MAX + 1) * DAY));
}

static void the_size_counts_not_a_nul(void **state)
{
    int64_t n;
    (void)state;
    assert_true(hy_date_parse("2024-02-29xyz", 10, &n));
    assert_false(hy_date_parse("2024-02-29\0", 11, &n));
    assert_false(hy_timestamp_parse("2024-02-29 12:30:45", 15, &n));
}

static void the_time_zone_of_the_process_is_ignored(void **state)
{
    int64_t utc, local;
    char text[HY_TIMESTAMP_TEXT_SIZE];
    (void)state;
    assert_true(hy_timestamp_parse("2024-07-01 12:00:00", 19, &utc));
    setenv("TZ", "America/New_York", 1);
    tzset();
    assert_true(hy_timestamp_parse("2024-07-01 12:00:00", 19, &local));
    hy_timestamp_format(local, text);
    unsetenv("TZ");
    tzset();
    assert_true(utc == local);
    assert_string_equal(text, "2024-07-01 12:00:00");
}

static void clocks_run(void **state)
{
    (void)state;
    int64_t seconds = (int64_t)time(NULL), now = hy_now_micros() / SECOND;
    assert_true(now >= seconds && now <= seconds + 5);
    int64_t before = hy_monotonic_ns();
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    assert_true(hy_monotonic_ns() - before >= 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_as_python_reads_them),
        cmocka_unit_test(every_day_is_the_day_of_libc),
        cmocka_unit_test(every_wrong_day_is_refused),
        cmocka_unit_test(moments_agree_with_libc),
        cmocka_unit_test(times_are_written_and_read_back),
        cmocka_unit_test(parts_out_of_range_are_refused),
        cmocka_unit_test(counts_out_of_range_are_cut_not_overrun),
        cmocka_unit_test(the_size_counts_not_a_nul),
        cmocka_unit_test(the_time_zone_of_the_process_is_ignored),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
