/*
 * UTF-8 against a list of all characters, the hash by its statistics, edit distance against
 * its definition, UUIDs.
 */
#include "hy_test.h"

#include <stdio.h>

#include <base/text.h>

/* Which byte strings of each length are one character, made from the numbers of all of them. */
static unsigned char one[256], two[65536], *three, *four; /* four: without the lead F0..F4 */

static void add_character(uint32_t c)
{
    if (c < 0x80)
        one[c] = 1;
    else if (c < 0x800)
        two[(0xc0 | c >> 6) << 8 | (0x80 | (c & 63))] = 1;
    else if (c < 0x10000)
        three[(0xe0 | c >> 12) << 16 | (0x80 | (c >> 6 & 63)) << 8 | (0x80 | (c & 63))] = 1;
    else
        four[(c >> 18) << 24 | (0x80 | (c >> 12 & 63)) << 16 | (0x80 | (c >> 6 & 63)) << 8 |
             (0x80 | (c & 63))] = 1;
}

static int list_characters(void **state)
{
    (void)state;
    three = calloc(1, 1 << 24);
    four = calloc(5, 1 << 24);
    for (uint32_t c = 1; c <= 0x10ffff; c++)
        if (c < 0xd800 || c > 0xdfff)
            add_character(c);
    return three == NULL || four == NULL;
}

static int forget_characters(void **state)
{
    (void)state;
    free(three);
    free(four);
    return 0;
}

static bool is_fine(const unsigned char *p, size_t size)
{
    return hy_text_check((const char *)p, size) == HY_TEXT_FINE;
}

static void all_strings_up_to_three_bytes(void **state)
{
    (void)state;
    for (uint32_t s = 0; s < 256; s++) {
        unsigned char p[1] = {(unsigned char)s};
        assert_int_equal(is_fine(p, 1), one[s]);
    }
    for (uint32_t s = 0; s < 65536; s++) {
        unsigned char p[2] = {(unsigned char)(s >> 8), (unsigned char)s};
        if (is_fine(p, 2) != (two[s] || (one[p[0]] && one[p[1]])))
            fail_msg("%04x", s);
    }
    for (uint32_t s = 0x7f0000; s < 0x1000000; s++) {
        unsigned char p[3] = {(unsigned char)(s >> 16), (unsigned char)(s >> 8), (unsigned char)s};
        bool fine = three[s] || (one[p[0]] && (two[s & 0xffff] || (one[p[1]] && one[p[2]]))) ||
                    (two[s >> 8] && one[p[2]]);
        if (is_fine(p, 3) != fine)
            fail_msg("%06x", s);
    }
}

static void all_leads_of_four_bytes(void **state)
{
    static const unsigned char last[] = {0x00, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xff};
    (void)state;
    for (uint32_t s = 0xe00000; s < 0x1000000; s++) {
        for (size_t i = 0; i < sizeof last; i++) {
            unsigned char p[4] = {(unsigned char)(s >> 16), (unsigned char)(s >> 8), (unsigned char)s,
                                  last[i]};
            bool fine =
                p[0] < 0xf0 ? three[s] && one[p[3]] : p[0] <= 0xf4 && four[(s - 0xf00000) << 8 | last[i]];
            if ((i == 0 || (s & 7) == i) && is_fine(p, 4) != fine)
                fail_msg("%06x%02x", s, last[i]);
        }
    }
}

/* At every place of texts of every length up to a few words. */
static void faults_are_found_wherever_they_stand(void **state)
{
    char text[64];
    (void)state;
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, 'a', sizeof text);
        assert_int_equal(hy_text_check(text, size), HY_TEXT_FINE);
        for (size_t at = 0; at < size; at++) {
            memset(text, at % 2 == 0 ? 1 : 127, sizeof text);
            text[at] = 0;
            assert_int_equal(hy_text_check(text, size), HY_TEXT_NUL);
            text[at] = (char)0x80;
            assert_int_equal(hy_text_check(text, size), HY_TEXT_BAD_UTF8);
            memcpy(text + at, "\xf0\x9f\x90\xa6", at + 4 <= sizeof text ? 4 : sizeof text - at);
            assert_int_equal(hy_text_check(text, size), at + 4 <= size ? HY_TEXT_FINE : HY_TEXT_BAD_UTF8);
        }
    }
    assert_int_equal(hy_text_check("", 0), HY_TEXT_FINE);
    assert_int_equal(hy_text_check(NULL, 0), HY_TEXT_FINE);
}

/* Nothing is read past the end, nor does what stands there matter. Sanitizers see the first. */
static void hashes_depend_on_the_bytes_alone(void **state)
{
    (void)state;
    for (size_t size = 0; size < 200; size++) {
        char *exact = malloc(size + 1), *padded = malloc(size + 65);
        assert_non_null(exact);
        assert_non_null(padded);
        memset(padded, 0x77, size + 65);
        exact = realloc(exact, size > 0 ? size : 1);
        for (size_t i = 0; i < size; i++)
            exact[i] = (char)(i * 7);
        memcpy(padded + 1, exact, size);
        assert_true(hy_hash(5, exact, size) == hy_hash(5, padded + 1, size));
        free(exact);
        free(padded);
    }
}

static int count_bits(uint64_t x)
{
    int n = 0;
    for (; x != 0; x &= x - 1)
        n++;
    return n;
}

/* Every input bit must flip about half of the output bits. */
static void every_bit_matters_to_the_hash(void **state)
{
    static const size_t sizes[] = {1, 3, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 64, 100, 300};
    unsigned char data[300];
    uint64_t seed = 3;
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        long flipped = 0;
        for (size_t i = 0; i < sizes[s]; i++)
            data[i] = (unsigned char)hy_test_random(&seed);
        uint64_t before = hy_hash(0, data, sizes[s]);
        for (size_t bit = 0; bit < sizes[s] * 8; bit++) {
            data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            int n = count_bits(before ^ hy_hash(0, data, sizes[s]));
            data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            assert_in_range(n, 8, 56);
            flipped += n;
        }
        assert_in_range(flipped * 100 / (long)(sizes[s] * 8), sizes[s] > 8 ? 3000 : 2600,
                        sizes[s] > 8 ? 3400 : 3800);
    }
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Names that differ little, zeros that differ in number, chains: none may meet. */
static void hashes_of_similar_texts_differ(void **state)
{
    enum { N = 100000 };
    uint64_t *hashes = malloc(N * sizeof *hashes);
    static unsigned buckets[1024];
    static const char zeros[1000];
    (void)state;
    assert_non_null(hashes);
    for (int i = 0; i < N; i++) {
        char text[48];
        int size = snprintf(text, sizeof text, i % 2 ? "column_%d" : "select a from t where b = $%d", i);
        hashes[i] =
            i < 1000 ? hy_hash(0, zeros, (size_t)i) : hy_hash(i % 3 == 0 ? 1u : 0u, text, (size_t)size);
        buckets[hashes[i] % 1024]++;
    }
    qsort(hashes, N, sizeof *hashes, compare_hashes);
    for (int i = 1; i < N; i++)
        assert_true(hashes[i] != hashes[i - 1]);
    for (int i = 0; i < 1024; i++)
        assert_in_range(buckets[i], 45, 160); /* about 98, give or take six deviations */
    assert_true(hy_hash(hy_hash(0, "a", 1), "b", 1) != hy_hash(hy_hash(0, "b", 1), "a", 1));
    free(hashes);
}

/* The definition, tried out: every way to spend an edit on the first characters. */
static size_t distance_by_definition(const char *a, const char *b)
{
    if (*a == '\0' || *b == '\0')
        return strlen(a) + strlen(b);
    size_t best = distance_by_definition(a + 1, b + 1) + (*a != *b);
    size_t other = distance_by_definition(a + 1, b) + 1;
    best = other < best ? other : best;
    other = distance_by_definition(a, b + 1) + 1;
    best = other < best ? other : best;
    if (a[0] == b[1] && a[1] == b[0] && a[1] != '\0') {
        other = distance_by_definition(a + 2, b + 2) + 1;
        best = other < best ? other : best;
    }
    return best;
}

static void distances_follow_the_definition(void **state)
{
    uint64_t seed = 11;
    (void)state;
    for (int i = 0; i < 1500; i++) {
        char a[8] = "", b[8] = "";
        for (size_t k = 0, n = hy_test_random(&seed) % 6; k < n; k++)
            a[k] = "abc"[hy_test_random(&seed) % 3];
        for (size_t k = 0, n = hy_test_random(&seed) % 6; k < n; k++)
            b[k] = "abc"[hy_test_random(&seed) % 3];
        size_t expected = distance_by_definition(a, b);
        assert_int_equal(hy_edit_distance(a, b, 99), expected);
        assert_int_equal(hy_edit_distance(b, a, 99), expected);
        assert_int_equal(hy_edit_distance(a, b, 1), expected > 1 ? 2 : expected);
    }
    assert_int_equal(hy_edit_distance("emial", "email", 3), 1);
    assert_int_equal(hy_edit_distance("kitten", "sitting", 9), 3);
    assert_int_equal(hy_edit_distance("ca", "abc", 9), 3);
    assert_int_equal(hy_edit_distance("name", "", 2), 3);
}

static void long_names_are_cut_not_overrun(void **state)
{
    char a[500], b[500];
    (void)state;
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    a[499] = b[499] = '\0';
    assert_int_equal(hy_edit_distance(a, b, 1000), 64);
    assert_int_equal(hy_edit_distance(a, a, 3), 0);
    assert_int_equal(hy_edit_distance(a, "", 1000), 64);
}

static void case_is_ignored_for_ascii_only(void **state)
{
    (void)state;
    assert_true(hy_text_equal_nocase("SELECT", 6, "select", 6));
    assert_true(hy_text_equal_nocase("", 0, "", 0));
    assert_false(hy_text_equal_nocase("select", 6, "selects", 7));
    assert_false(hy_text_equal_nocase("@[", 2, "`{", 2));
    assert_false(hy_text_equal_nocase("\xc3\x89", 2, "\xc3\xa9", 2));
}

static void uuids_are_read_and_written(void **state)
{
    static const char *const texts[] = {
        "123e4567-e89b-12d3-a456-426614174000",   "123E4567-E89B-12D3-A456-426614174000",
        "{123e4567-e89b-12d3-a456-426614174000}", "123e4567e89b12d3a456426614174000",
        "{123E4567E89B12D3A456426614174000}",
    };
    static const uint8_t bytes[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                      0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    char text[37];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint8_t found[16];
        assert_true(hy_uuid_parse(texts[i], strlen(texts[i]), found));
        assert_memory_equal(found, bytes, 16);
    }
    hy_uuid_format(bytes, text);
    assert_string_equal(text, texts[0]);
}

static void other_uuids_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "123e4567-e89b-12d3-a456-42661417400",
        "123e4567-e89b-12d3-a456-4266141740000",
        "123e4567-e89b-12d3-a456-42661417400g",
        "123e4567ae89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456426614174000-",
        "{123e4567-e89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-426614174000}",
        "123e4567e89b12d3a45642661417400",
        "(123e4567-e89b-12d3-a456-4266141740)",
        "123e4567 e89b 12d3 a456 426614174000",
        "{{123e4567e89b12d3a4564266141740}}",
    };
    uint8_t found[16] = {9};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(hy_uuid_parse(texts[i], strlen(texts[i]), found));
    assert_int_equal(found[0], 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_strings_up_to_three_bytes),
        cmocka_unit_test(all_leads_of_four_bytes),
        cmocka_unit_test(faults_are_found_wherever_they_stand),
        cmocka_unit_test(hashes_depend_on_the_bytes_alone),
        cmocka_unit_test(every_bit_matters_to_the_hash),
        cmocka_unit_test(hashes_of_similar_texts_differ),
        cmocka_unit_test(distances_follow_the_definition),
        cmocka_unit_test(long_names_are_cut_not_overrun),
        cmocka_unit_test(case_is_ignored_for_ascii_only),
        cmocka_unit_test(uuids_are_read_and_written),
        cmocka_unit_test(other_uuids_are_refused),
    };
    return cmocka_run_group_tests(tests, list_characters, forget_characters);
}
