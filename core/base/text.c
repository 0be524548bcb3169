/*
 * text.c - checks and small helpers on text: UTF-8, hashing, names, distance.
 *
 * Pure functions on bytes. No locale, no allocation.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <base/text.h>

#define ONES UINT64_C(0x0101010101010101)

static inline uint64_t load_word(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* True if all eight bytes are 1..127: adding 127 sets the top bit of all but a zero byte. */
static inline bool is_plain_word(uint64_t word)
{
    return (word & ONES * 0x80) == 0 && (~(word + ONES * 0x7f) & ONES * 0x80) == 0;
}

/* Size of the well-formed character at p, 0 if there is none. `left` is at least 1. */
static size_t utf8_char_size(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;

    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates and what lies past U+10FFFF show in the second byte. */
    if ((lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) || (lead == 0xf0 && p[1] < 0x90) ||
        (lead == 0xf4 && p[1] > 0x8f))
        return 0;
    return size;
}

hy_text_fault hy_text_check(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + size;

    while (p < end) {
        if (end - p >= 8 && is_plain_word(load_word(p))) {
            p += 8;
            continue;
        }
        /* The rest is less than a word: look at the last eight bytes, some of them again. */
        if (end - p < 8 && size >= 8 && is_plain_word(load_word(end - 8)))
            return HY_TEXT_FINE;
        /* A mixed word: its plain head bytes one by one, then one longer character. */
        if (*p == 0)
            return HY_TEXT_NUL;
        size_t step = utf8_char_size(p, (size_t)(end - p));
        if (step == 0)
            return HY_TEXT_BAD_UTF8;
        p += step;
    }
    return HY_TEXT_FINE;
}

/* Odd constants with balanced bits: the fractions of sqrt(2), sqrt(3) and sqrt(5). */
#define MIX_A UINT64_C(0x6a09e667f3bcc909)
#define MIX_B UINT64_C(0xbb67ae8584caa73b)
#define MIX_C UINT64_C(0x3c6ef372fe94f82b)

/* Both halves of the 128-bit product: every input bit reaches most output bits at once. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hy_hash(uint64_t seed, const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t left = seed ^ MIX_C, right = MIX_A;
    size_t rest = size;

    /* Two independent chains keep the multiplier busy. */
    for (; rest >= 32; p += 32, rest -= 32) {
        left = mix(left ^ load_word(p), MIX_A ^ load_word(p + 8));
        right = mix(right ^ load_word(p + 16), MIX_B ^ load_word(p + 24));
    }
    if (rest >= 16) {
        left = mix(left ^ load_word(p), MIX_A ^ load_word(p + 8));
        p += 16;
        rest -= 16;
    }
    unsigned char tail[16] = {0};
    if (rest > 0)
        memcpy(tail, p, rest);
    right = mix(right ^ load_word(tail), MIX_B ^ load_word(tail + 8));
    /* The size tells apart what the zeros of the tail would make equal. */
    return mix(left ^ MIX_B ^ size, right ^ MIX_C);
}

enum { NAME_MAX_SIZE = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t hy_edit_distance(const char *a, const char *b, size_t limit)
{
    size_t rows[3][NAME_MAX_SIZE + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    const size_t n = strnlen(a, NAME_MAX_SIZE), m = strnlen(b, NAME_MAX_SIZE);

    for (size_t j = 0; j <= m; j++)
        now[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = smaller(best, smaller(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, before[j - 2] + 1);
            now[j] = best;
        }
    }
    return now[m] > limit ? limit + 1 : now[m];
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool hy_text_equal_nocase(const char *a, size_t a_size, const char *b, size_t b_size)
{
    if (a_size != b_size)
        return false;
    for (size_t i = 0; i < a_size; i++)
        if (lower((unsigned char)a[i]) != lower((unsigned char)b[i]))
            return false;
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)lower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of a UUID before which the text has a hyphen. */
static bool hyphen_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool hy_uuid_parse(const char *text, size_t size, uint8_t out[16])
{
    uint8_t uuid[16];

    if (size >= 2 && text[0] == '{' && text[size - 1] == '}') {
        text++;
        size -= 2;
    }
    if (size != 32 && size != 36)
        return false;
    const char *p = text;
    for (size_t i = 0; i < sizeof uuid; i++) {
        if (size == 36 && hyphen_before(i) && *p++ != '-')
            return false;
        int high = hex_value(p[0]), low = hex_value(p[1]);
        if (high < 0 || low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    memcpy(out, uuid, sizeof uuid);
    return true;
}

void hy_uuid_format(const uint8_t uuid[16], char out[37])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < 16; i++) {
        if (hyphen_before(i))
            *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
    *out = '\0';
}

size_t hy__text_cut(const char *text, size_t size, size_t room)
{
    if (size <= room)
        return size;
    size = room;
    /* Three steps back at most: longer runs of such bytes are no characters anyway. */
    for (int i = 0; i < 3 && size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80; i++)
        size--;
    return size;
}

size_t hy__text_vline(char *out, size_t capacity, const char *fmt, va_list args)
{
    assert(capacity > 0);
    int wanted = vsnprintf(out, capacity, fmt, args);
    size_t size = wanted < 0 ? 0 : (size_t)wanted;

    if (size >= capacity) {
        /* The byte that did not fit is gone, so ask the last character whether it is whole. */
        size_t lead = capacity - 1;
        size = lead;
        for (int i = 0; i < 4 && lead > 0; i++)
            if (((unsigned char)out[--lead] & 0xc0) != 0x80)
                break;
        if (capacity > 1 && utf8_char_size((const unsigned char *)out + lead, size - lead) != size - lead)
            size = lead;
    }
    out[size] = '\0';
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
            out[i] = ' ';
    return size;
}
