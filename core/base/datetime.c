/*
 * datetime.c - dates and times as counts, and their ISO 8601 text.
 *
 * Pure arithmetic: no locale, no TZ variable, no libc calendar. Parsers read strictly what
 * the header names; what is not a real moment between the years 1 and 9999 is refused.
 */
#include <string.h>
#include <time.h>

#include <hysteria/datetime.h>

static const int64_t MICROS_PER_SECOND = 1000000;
static const int64_t MICROS_PER_DAY = INT64_C(86400) * 1000000;
static const int64_t DAYS_MIN = -719162; /* 0001-01-01 */
static const int64_t DAYS_MAX = 2932896; /* 9999-12-31 */
/* MySQL's TIME reaches from -838:59:59 to 838:59:59; its fractions are kept. */
enum { TIME_HOURS_MAX = 838 };
static const int64_t TIME_MAX = ((INT64_C(838) * 60 + 59) * 60 + 60) * 1000000 - 1;

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap_year(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap_year(year) ? 29 : days[month];
}

/*
 * Days are counted in years that begin in March, so that the leap day is the last of its
 * year and month lengths follow one formula; 400 such years (an era) are 146097 days.
 */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_divide(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468; /* 0000-03-01 to 1970-01-01 */
}

static void civil_from_days(int64_t days, hy_date_parts *parts)
{
    unsigned shifted = (unsigned)(days + 719468); /* of the years from 1: never negative */
    unsigned era = shifted / 146097;
    unsigned day_of_era = shifted - era * 146097;
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153; /* 0 is March */

    parts->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    parts->month = (int)(month < 10 ? month + 3 : month - 9);
    parts->year = (int)(year_of_era + era * 400 + (parts->month <= 2));
}

bool hy_date_from_parts(const hy_date_parts *parts, int64_t *days)
{
    if (parts->year < 1 || parts->year > 9999 || parts->month < 1 || parts->month > 12 || parts->day < 1 ||
        parts->day > days_in_month(parts->year, parts->month))
        return false;
    *days = days_from_civil(parts->year, parts->month, parts->day);
    return true;
}

static bool time_of_day(const hy_date_parts *parts, int64_t *micros)
{
    if (parts->hour < 0 || parts->hour > 23 || parts->minute < 0 || parts->minute > 59 || parts->second < 0 ||
        parts->second > 59 || parts->micros < 0 || parts->micros >= MICROS_PER_SECOND)
        return false;
    *micros = ((parts->hour * 60 + parts->minute) * 60 + parts->second) * MICROS_PER_SECOND + parts->micros;
    return true;
}

bool hy_timestamp_from_parts(const hy_date_parts *parts, int64_t *micros)
{
    int64_t days, in_day;

    if (!hy_date_from_parts(parts, &days) || !time_of_day(parts, &in_day))
        return false;
    *micros = days * MICROS_PER_DAY + in_day;
    return true;
}

static void split_time(int64_t micros, hy_date_parts *parts)
{
    int64_t seconds = micros / MICROS_PER_SECOND;

    parts->micros = (int)(micros % MICROS_PER_SECOND);
    parts->second = (int)(seconds % 60);
    parts->minute = (int)(seconds / 60 % 60);
    parts->hour = (int)(seconds / 3600);
}

void hy_date_to_parts(int64_t days, hy_date_parts *parts)
{
    *parts = (hy_date_parts){0};
    civil_from_days(clamp(days, DAYS_MIN, DAYS_MAX), parts);
}

void hy_timestamp_to_parts(int64_t micros, hy_date_parts *parts)
{
    micros = clamp(micros, DAYS_MIN * MICROS_PER_DAY, (DAYS_MAX + 1) * MICROS_PER_DAY - 1);
    int64_t days = floor_divide(micros, MICROS_PER_DAY);

    civil_from_days(days, parts);
    split_time(micros - days * MICROS_PER_DAY, parts);
}

bool hy_date_in_range(int64_t days)
{
    return days >= DAYS_MIN && days <= DAYS_MAX;
}

bool hy_time_in_range(int64_t micros)
{
    return micros >= -TIME_MAX && micros <= TIME_MAX;
}

bool hy_timestamp_in_range(int64_t micros)
{
    return hy_date_in_range(floor_divide(micros, MICROS_PER_DAY));
}

/* ---- reading ---- */

typedef struct scanner {
    const char *next, *end;
} scanner;

static bool at_end(const scanner *s)
{
    return s->next == s->end;
}

static bool accept(scanner *s, char c)
{
    if (at_end(s) || *s->next != c)
        return false;
    s->next++;
    return true;
}

/* Between `least` and `most` digits, as many as there are. Returns how many, 0: refused. */
static int read_number(scanner *s, int least, int most, int *out)
{
    int n = 0, value = 0;

    for (; n < most && !at_end(s) && *s->next >= '0' && *s->next <= '9'; n++)
        value = value * 10 + (*s->next++ - '0');
    *out = value;
    return n >= least ? n : 0;
}

static bool read_date(scanner *s, hy_date_parts *parts)
{
    return read_number(s, 4, 4, &parts->year) && accept(s, '-') && read_number(s, 2, 2, &parts->month) &&
           accept(s, '-') && read_number(s, 2, 2, &parts->day);
}

/* After the point: one to `most` digits; those past the sixth must be zero. */
static bool read_fraction(scanner *s, int most, int *micros)
{
    int rest = 0, n = read_number(s, 1, 6, micros);

    if (n == 0)
        return false;
    for (int i = n; i < 6; i++)
        *micros *= 10;
    if (n == 6 && most > 6)
        read_number(s, 0, most - 6, &rest);
    return rest == 0;
}

/* ":MM[:SS[.f...]]" */
static bool read_minutes(scanner *s, int most_fraction, hy_date_parts *parts)
{
    if (!accept(s, ':') || !read_number(s, 2, 2, &parts->minute))
        return false;
    if (!accept(s, ':'))
        return true;
    if (!read_number(s, 2, 2, &parts->second))
        return false;
    return !accept(s, '.') || read_fraction(s, most_fraction, &parts->micros);
}

/* "", "Z", "+HH", "+HHMM", "+HH:MM", "-...": what to subtract from the local time. */
static bool read_zone(scanner *s, int64_t *offset)
{
    int hours, minutes = 0;

    *offset = 0;
    if (at_end(s) || accept(s, 'Z'))
        return true;
    bool negative = accept(s, '-');
    if (!negative && !accept(s, '+'))
        return false;
    if (!read_number(s, 2, 2, &hours))
        return false;
    if (!at_end(s)) {
        accept(s, ':');
        if (!read_number(s, 2, 2, &minutes))
            return false;
    }
    if (hours > 23 || minutes > 59)
        return false;
    *offset = (hours * 60 + minutes) * 60 * MICROS_PER_SECOND;
    if (negative)
        *offset = -*offset;
    return true;
}

bool hy_date_parse(const char *text, size_t size, int64_t *days)
{
    scanner s = {text, text + size};
    hy_date_parts parts = {0};

    return read_date(&s, &parts) && at_end(&s) && hy_date_from_parts(&parts, days);
}

bool hy_time_parse(const char *text, size_t size, int64_t *micros)
{
    scanner s = {text, text + size};
    hy_date_parts parts = {0};
    int64_t in_hour;
    bool negative = accept(&s, '-');

    if (!read_number(&s, 2, 3, &parts.hour) || parts.hour > TIME_HOURS_MAX || !read_minutes(&s, 6, &parts) ||
        !at_end(&s))
        return false;
    int64_t hours = parts.hour;
    parts.hour = 0;
    if (!time_of_day(&parts, &in_hour))
        return false;
    *micros = hours * 3600 * MICROS_PER_SECOND + in_hour;
    if (negative)
        *micros = -*micros;
    return true;
}

static bool read_pair(const char *text, int *out)
{
    unsigned tens = (unsigned)(text[0] - '0'), ones = (unsigned)(text[1] - '0');

    *out = (int)(tens * 10 + ones);
    return tens <= 9 && ones <= 9;
}

/* "YYYY-MM-DD HH:MM:SS", as databases and we write it: nearly every timestamp there is. */
static bool read_common(const char *text, hy_date_parts *parts)
{
    int century, year;

    if (text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' || text[16] != ':')
        return false;
    if (!read_pair(text, &century) || !read_pair(text + 2, &year) || !read_pair(text + 5, &parts->month) ||
        !read_pair(text + 8, &parts->day) || !read_pair(text + 11, &parts->hour) ||
        !read_pair(text + 14, &parts->minute) || !read_pair(text + 17, &parts->second))
        return false;
    parts->year = century * 100 + year;
    return true;
}

bool hy_timestamp_parse(const char *text, size_t size, int64_t *micros)
{
    scanner s = {text, text + size};
    hy_date_parts parts = {0};
    int64_t local, offset = 0;

    if (size == 19 && read_common(text, &parts))
        return hy_timestamp_from_parts(&parts, micros);
    parts = (hy_date_parts){0};
    if (!read_date(&s, &parts))
        return false;
    if (!at_end(&s)) {
        if (!accept(&s, ' ') && !accept(&s, 'T'))
            return false;
        if (!read_number(&s, 2, 2, &parts.hour) || !read_minutes(&s, 9, &parts) || !read_zone(&s, &offset))
            return false;
    }
    if (!at_end(&s) || !hy_timestamp_from_parts(&parts, &local) || !hy_timestamp_in_range(local - offset))
        return false;
    *micros = local - offset;
    return true;
}

/* ---- writing ---- */

static char *put_pair(char *out, int value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

static char *put_date(char *out, const hy_date_parts *parts)
{
    out = put_pair(out, parts->year / 100);
    out = put_pair(out, parts->year % 100);
    *out++ = '-';
    out = put_pair(out, parts->month);
    *out++ = '-';
    return put_pair(out, parts->day);
}

static char *put_time(char *out, const hy_date_parts *parts)
{
    if (parts->hour > 99)
        *out++ = (char)('0' + parts->hour / 100);
    out = put_pair(out, parts->hour % 100);
    *out++ = ':';
    out = put_pair(out, parts->minute);
    *out++ = ':';
    out = put_pair(out, parts->second);
    if (parts->micros == 0)
        return out;
    *out++ = '.';
    out = put_pair(out, parts->micros / 10000);
    out = put_pair(out, parts->micros / 100 % 100);
    return put_pair(out, parts->micros % 100);
}

static size_t finish(const char *out, char *end)
{
    *end = '\0';
    return (size_t)(end - out);
}

size_t hy_date_format(int64_t days, char out[HY_DATE_TEXT_SIZE])
{
    hy_date_parts parts;

    hy_date_to_parts(days, &parts);
    return finish(out, put_date(out, &parts));
}

size_t hy_time_format(int64_t micros, char out[HY_TIME_TEXT_SIZE])
{
    hy_date_parts parts;
    char *p = out;

    micros = clamp(micros, -TIME_MAX, TIME_MAX);
    if (micros < 0)
        *p++ = '-';
    split_time(micros < 0 ? -micros : micros, &parts);
    return finish(out, put_time(p, &parts));
}

size_t hy_timestamp_format(int64_t micros, char out[HY_TIMESTAMP_TEXT_SIZE])
{
    hy_date_parts parts;

    hy_timestamp_to_parts(micros, &parts);
    char *p = put_date(out, &parts);
    *p++ = ' ';
    return finish(out, put_time(p, &parts));
}

/* ---- clocks ---- */

int64_t hy_now_micros(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * MICROS_PER_SECOND + now.tv_nsec / 1000;
}

int64_t hy_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}
