/*
 * Growing text: content, the limit, sticking failures, and who owns what.
 */
#include "hy_test.h"

#include <inttypes.h>
#include <stdio.h>

#include <base/buf.h>

static void appends_join(void **state)
{
    hy_buf b;
    (void)state;
    hy_buf_init(&b);
    assert_string_equal(hy_buf_text(&b), "");
    hy_buf_puts(&b, "SELECT ");
    hy_buf_append(&b, "idxx", 2);
    hy_buf_putc(&b, ',');
    hy_buf_put_int(&b, -12);
    hy_buf_putc(&b, '|');
    hy_buf_put_uint(&b, UINT64_MAX);
    hy_buf_printf(&b, " %s=%03d", "n", 7);
    hy_buf_append(&b, "ignored", 0);
    hy_buf_append(&b, NULL, 0);
    assert_string_equal(hy_buf_text(&b), "SELECT id,-12|18446744073709551615 n=007");
    assert_int_equal(b.size, strlen(b.data));
    assert_false(b.failed);
    hy_buf_clear(&b);
    assert_null(b.data);
}

static void integers_print_as_printf_prints_them(void **state)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, INT32_MIN, INT64_MAX, INT64_MIN, 1000000007};
    hy_buf b;
    (void)state;
    hy_buf_init(&b);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char expected[32];
        hy_buf_reset(&b);
        hy_buf_put_int(&b, values[i]);
        snprintf(expected, sizeof expected, "%" PRId64, values[i]);
        assert_string_equal(hy_buf_text(&b), expected);
        hy_buf_reset(&b);
        hy_buf_put_uint(&b, (uint64_t)values[i]);
        snprintf(expected, sizeof expected, "%" PRIu64, (uint64_t)values[i]);
        assert_string_equal(hy_buf_text(&b), expected);
    }
    hy_buf_clear(&b);
}

static void long_text_keeps_every_byte(void **state)
{
    hy_test_heap heap = {0};
    hy_buf b;
    (void)state;
    hy_test_use_heap(&heap);
    hy_buf_init(&b);
    for (int i = 0; i < 200000; i++)
        hy_buf_putc(&b, (char)('a' + i % 26));
    assert_int_equal(b.size, 200000);
    for (int i = 0; i < 200000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    assert_int_equal(b.data[200000], 0);
    hy_buf_clear(&b);
    hy_test_use_heap(NULL);
    assert_true(heap.calls < 16); /* it doubles */
    assert_int_equal(heap.live, 0);
}

static void reset_keeps_the_memory(void **state)
{
    hy_test_heap heap = {0};
    hy_buf b;
    (void)state;
    hy_test_use_heap(&heap);
    hy_buf_init(&b);
    hy_buf_puts(&b, "something");
    long calls = heap.calls;
    hy_buf_reset(&b);
    assert_int_equal(b.size, 0);
    assert_string_equal(hy_buf_text(&b), "");
    hy_buf_puts(&b, "else");
    assert_string_equal(hy_buf_text(&b), "else");
    assert_int_equal(heap.calls, calls);
    hy_buf_clear(&b);
    hy_test_use_heap(NULL);
}

static void the_limit_sticks(void **state)
{
    hy_buf b;
    (void)state;
    hy_buf_init(&b);
    b.limit = 5;
    hy_buf_puts(&b, "abc");
    hy_buf_puts(&b, "de");
    assert_false(b.failed);
    hy_buf_putc(&b, 'f');
    assert_true(b.failed);
    hy_buf_reset(&b);
    hy_buf_puts(&b, "abc");
    hy_buf_puts(&b, "def");
    hy_buf_puts(&b, "g");
    hy_buf_printf(&b, "%d", 1);
    assert_true(b.failed);
    assert_string_equal(hy_buf_text(&b), "abc"); /* the "g" would fit, but must not follow a gap */
    assert_null(hy_buf_take(&b, NULL));
    hy_buf_clear(&b);
}

static void absurd_sizes_fail(void **state)
{
    hy_buf b;
    (void)state;
    hy_buf_init(&b);
    hy_buf_puts(&b, "x");
    hy_buf_append(&b, "y", SIZE_MAX);
    assert_true(b.failed);
    hy_buf_reset(&b);
    hy_buf_append(&b, "y", (size_t)HY_BUF_LIMIT + 1);
    assert_true(b.failed);
    assert_int_equal(b.size, 0);
    hy_buf_clear(&b);
}

static void take_hands_the_text_over(void **state)
{
    size_t size = 99;
    hy_buf b;
    (void)state;
    hy_buf_init(&b);
    assert_null(hy_buf_take(&b, &size));
    assert_int_equal(size, 0);
    hy_buf_puts(&b, "mine");
    char *text = hy_buf_take(&b, &size);
    assert_text("mine", text, size);
    assert_int_equal(text[4], 0);
    assert_null(b.data);
    hy_buf_puts(&b, "next");
    assert_string_equal(hy_buf_text(&b), "next");
    hy_free(text);
    hy_buf_clear(&b);
}

static void every_failing_malloc_is_survived(void **state)
{
    (void)state;
    for (long n = 1; n <= 6; n++) {
        hy_test_heap heap = {.fail_at = n};
        hy_buf b;
        hy_test_use_heap(&heap);
        hy_buf_init(&b);
        for (int i = 0; i < 500; i++)
            hy_buf_printf(&b, "%d-%s", i, "0123456789");
        assert_true(b.failed);
        if (b.data != NULL)
            assert_int_equal(strlen(b.data), b.size);
        assert_null(hy_buf_take(&b, NULL));
        hy_buf_puts(&b, "again");
        assert_string_equal(hy_buf_text(&b), "again");
        hy_buf_clear(&b);
        hy_test_use_heap(NULL);
        assert_int_equal(heap.live, 0);
    }
}

static void memory_functions_keep_their_word(void **state)
{
    hy_test_heap heap = {0};
    (void)state;
    hy_test_use_heap(&heap);
    char *p = hy_alloc(0);
    assert_non_null(p);
    hy_free(p);
    p = hy_alloc_zero(40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(p[i], 0);
    p = hy_realloc(p, 400);
    assert_int_equal(p[39], 0);
    assert_null(hy_realloc(p, 0));
    p = hy_strdup("copy");
    assert_string_equal(p, "copy");
    hy_free(p);
    hy_free(NULL);
    assert_null(hy_strdup(NULL));
    heap.fail_at = heap.calls + 1;
    heap.fail_on = true;
    assert_null(hy_alloc(8));
    assert_null(hy_alloc_zero(8));
    assert_null(hy_strdup("x"));
    hy_test_use_heap(NULL);
    assert_int_equal(heap.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_join),
        cmocka_unit_test(integers_print_as_printf_prints_them),
        cmocka_unit_test(long_text_keeps_every_byte),
        cmocka_unit_test(reset_keeps_the_memory),
        cmocka_unit_test(the_limit_sticks),
        cmocka_unit_test(absurd_sizes_fail),
        cmocka_unit_test(take_hands_the_text_over),
        cmocka_unit_test(every_failing_malloc_is_survived),
        cmocka_unit_test(memory_functions_keep_their_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
