/*
 * Dates and times: what is read is a moment in range, and its text reads as the same moment. The
 * same bytes as a number check that no count, however wild, is written outside its room.
 */
#include "fuzz.h"

#include <hysteria/datetime.h>

static void check_date(const char *text, size_t size)
{
    char out[HY_DATE_TEXT_SIZE];
    int64_t days, again;

    if (!hy_date_parse(text, size, &days))
        return;
    must(hy_date_in_range(days));
    must(hy_date_format(days, out) == size &&
         memcmp(out, text, size) == 0); /* there is one way to write it */
    must(hy_date_parse(out, strlen(out), &again) && again == days);
}

static void check_time(const char *text, size_t size)
{
    char out[HY_TIME_TEXT_SIZE];
    int64_t micros, again;

    if (!hy_time_parse(text, size, &micros))
        return;
    must(hy_time_in_range(micros));
    size_t n = hy_time_format(micros, out);
    must(hy_time_parse(out, n, &again) && again == micros);
}

static void check_timestamp(const char *text, size_t size)
{
    char out[HY_TIMESTAMP_TEXT_SIZE];
    hy_date_parts parts;
    int64_t micros, again;

    if (!hy_timestamp_parse(text, size, &micros))
        return;
    must(hy_timestamp_in_range(micros));
    size_t n = hy_timestamp_format(micros, out);
    must(hy_timestamp_parse(out, n, &again) && again == micros);
    hy_timestamp_to_parts(micros, &parts);
    must(hy_timestamp_from_parts(&parts, &again) && again == micros);
}

static void check_count(int64_t count)
{
    char date[HY_DATE_TEXT_SIZE], time[HY_TIME_TEXT_SIZE], stamp[HY_TIMESTAMP_TEXT_SIZE];
    int64_t again;

    must(hy_date_format(count, date) == strlen(date) && strlen(date) < sizeof date);
    must(hy_time_format(count, time) == strlen(time) && strlen(time) < sizeof time);
    must(hy_timestamp_format(count, stamp) == strlen(stamp) && strlen(stamp) < sizeof stamp);
    if (hy_date_in_range(count))
        must(hy_date_parse(date, strlen(date), &again) && again == count);
    if (hy_time_in_range(count))
        must(hy_time_parse(time, strlen(time), &again) && again == count);
    if (hy_timestamp_in_range(count))
        must(hy_timestamp_parse(stamp, strlen(stamp), &again) && again == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    int64_t count = 0;

    check_date(text, size);
    check_time(text, size);
    check_timestamp(text, size);
    memcpy(&count, data, size < sizeof count ? size : sizeof count);
    check_count(count);
    return 0;
}
