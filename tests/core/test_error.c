/*
 * Names of statuses, and what hy_fail() leaves in an hy_error.
 */
#include "hy_test.h"

#include <stdio.h>

#include <base/log.h>
#include <hysteria/hysteria.h>

static const struct {
    hy_status status;
    const char *name;
    hy_error_class cls;
} all[] = {
#define ROW(id, number, class_id, text) {HY_E##id, #id, HY_CLASS_##class_id},
    HY_STATUS_MAP(ROW)
#undef ROW
};
enum { N_ALL = sizeof all / sizeof all[0] };

static void names_lead_to_the_status_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < N_ALL; i++) {
        assert_string_equal(hy_status_name(all[i].status), all[i].name);
        assert_int_equal(hy_status_from_name(all[i].name), all[i].status);
        assert_int_equal(hy_status_class(all[i].status), all[i].cls);
        assert_true(strlen(hy_status_text(all[i].status)) > 3);
    }
    assert_string_equal(hy_status_name(HY_EUNIQUE_VIOLATION), "UNIQUE_VIOLATION");
    assert_int_equal(hy_status_from_name("DEADLOCK"), -90);
}

static void numbers_are_unique_and_negative(void **state)
{
    (void)state;
    for (int i = 0; i < N_ALL; i++) {
        assert_true(all[i].status < HY_DONE);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(all[i].status, all[j].status);
    }
}

static void control_codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(hy_status_name(HY_OK), "OK");
    assert_string_equal(hy_status_name(HY_AGAIN), "AGAIN");
    assert_string_equal(hy_status_name(HY_DONE), "DONE");
    assert_int_equal(hy_status_from_name("DONE"), HY_DONE);
}

static void unknown_numbers_and_names_are_harmless(void **state)
{
    static const int odd[] = {1, 77, -3, -9, -29, -150, -4000, INT32_MAX, INT32_MIN + 1};
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_string_equal(hy_status_name((hy_status)odd[i]), "UNKNOWN");
        assert_non_null(hy_status_text((hy_status)odd[i]));
    }
    assert_int_equal(hy_status_from_name("unique_violation"), HY_OK);
    assert_int_equal(hy_status_from_name(""), HY_OK);
}

static void classes_are_spelt_as_in_lua(void **state)
{
    static const char *const names[] = {"usage",       "data",           "connection",
                                        "transaction", "outcomeUnknown", "migration"};
    (void)state;
    for (int i = 0; i < HY_CLASS_COUNT; i++)
        assert_string_equal(hy_error_class_name((hy_error_class)i), names[i]);
    assert_string_equal(hy_error_class_name((hy_error_class)99), "unknown");
}

static void fail_clears_every_field(void **state)
{
    hy_error err;
    (void)state;
    memset(&err, 'x', sizeof err);

    assert_int_equal(hy_fail(&err, HY_EDEADLOCK, "no %s, %d", "luck", 7), HY_EDEADLOCK);

    assert_int_equal(err.status, HY_EDEADLOCK);
    assert_string_equal(err.message, "no luck, 7");
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.constraint, "");
    assert_string_equal(err.table, "");
    assert_string_equal(err.columns, "");
    assert_string_equal(err.feature, "");
    assert_string_equal(err.dialect, "");
    assert_int_equal(err.native_code, 0);
    assert_int_equal(err.position, 0);
    assert_int_equal(err.attempts, 0);
}

static void clear_makes_it_ok(void **state)
{
    hy_error err;
    (void)state;
    memset(&err, 'x', sizeof err);

    hy_error_clear(&err);

    assert_int_equal(err.status, HY_OK);
    assert_string_equal(err.message, "");
    hy_error_clear(NULL);
}

static void no_error_struct_is_fine(void **state)
{
    (void)state;
    assert_int_equal(hy_fail(NULL, HY_EREAD_ONLY, "%s", "x"), HY_EREAD_ONLY);
    assert_int_equal(hy_fail_oom(NULL), HY_EOUT_OF_MEMORY);
    assert_int_equal(hy_fail_unsupported(NULL, "a", "b"), HY_EUNSUPPORTED);
}

static void a_message_may_quote_the_one_it_replaces(void **state)
{
    hy_error err;
    (void)state;
    hy_fail(&err, HY_EDATA_INVALID, "inner");

    hy_fail(&err, HY_EINVALID_MODEL, "model User: %s", err.message);

    assert_string_equal(err.message, "model User: inner");
}

static void control_characters_become_spaces(void **state)
{
    hy_error err;
    (void)state;
    hy_fail(&err, HY_EDATA_INVALID, "a\nb\r\nc\td\x1b[31m\x7f");
    assert_string_equal(err.message, "a b  c d [31m ");
}

/* Every length around the cut, with characters of one to four bytes in the way. */
static void long_messages_are_cut_between_characters(void **state)
{
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa6"};
    (void)state;
    for (size_t c = 0; c < 4; c++) {
        for (size_t head = 0; head < 8; head++) {
            char text[1200] = "";
            hy_error err;
            memset(text, 'a', head);
            for (size_t i = 0; i < 260; i++)
                strcat(text, characters[c]);
            for (size_t i = strlen(text); i < 700; i++)
                strcat(text, "z");

            hy_fail(&err, HY_EDATA_INVALID, "%s", text);

            size_t size = strlen(err.message), width = strlen(characters[c]);
            assert_true(size < HY_ERROR_MESSAGE_SIZE);
            assert_true(size + width > HY_ERROR_MESSAGE_SIZE - 1);
            assert_memory_equal(err.message, text, size);
            if (head + 260 * width > size)
                assert_int_equal((size - head) % width, 0);
        }
    }
}

static void exactly_fitting_messages_are_whole(void **state)
{
    char text[HY_ERROR_MESSAGE_SIZE];
    hy_error err;
    (void)state;
    memset(text, 'm', sizeof text - 3);
    strcpy(text + sizeof text - 3, "\xc3\xa9");
    hy_fail(&err, HY_EDATA_INVALID, "%s", text);
    assert_string_equal(err.message, text);
}

static void out_of_memory_needs_no_memory(void **state)
{
    hy_test_heap heap = {.fail_at = 1, .fail_on = true};
    hy_error err;
    (void)state;
    hy_test_use_heap(&heap);
    hy_status status = hy_fail_oom(&err);
    hy_test_use_heap(NULL);

    assert_int_equal(status, HY_EOUT_OF_MEMORY);
    assert_string_equal(err.message, "out of memory");
    assert_int_equal(heap.calls, 0);
}

static void unsupported_names_feature_and_dialect(void **state)
{
    hy_error err;
    (void)state;
    hy_fail_unsupported(&err, "DISTINCT ON", "sqlite");
    assert_int_equal(err.status, HY_EUNSUPPORTED);
    assert_string_equal(err.feature, "DISTINCT ON");
    assert_string_equal(err.dialect, "sqlite");
    assert_string_equal(err.message, "DISTINCT ON is not available on sqlite");
}

static void long_fields_are_cut(void **state)
{
    char feature[100] = "";
    hy_error err;
    (void)state;
    for (int i = 0; i < 30; i++)
        strcat(feature, "\xe2\x82\xac");
    hy_fail_unsupported(&err, feature, "a-dialect-of-a-long-name");
    assert_int_equal(strlen(err.feature), 45); /* 47 would tear the sixteenth character */
    assert_string_equal(err.dialect, "a-dialect-of-a-");
}

static void remember(void *ctx, hy_log_level level, const char *message)
{
    char *line = ctx;
    line[0] = (char)('0' + (int)level);
    strcpy(line + 1, message);
}

static void logs_go_to_the_host_in_one_line(void **state)
{
    char line[2000] = "";
    hy_log log = {remember, line};
    (void)state;
    hy_log_write(&log, HY_LOG_WARN, "slow: %d ms\nand more", 12);
    assert_string_equal(line, "2slow: 12 ms and more");
    hy_log_write(&log, HY_LOG_ERROR, "%01500d", 7);
    assert_int_equal(strlen(line), 1 + 1023);
    assert_int_equal(line[0], '3');
}

static void logs_without_a_host_vanish(void **state)
{
    hy_log log = {0};
    (void)state;
    hy_log_write(NULL, HY_LOG_ERROR, "%s", "x");
    hy_log_write(&log, HY_LOG_ERROR, "%s", "x");
}

static void version_of_library_and_headers_agree(void **state)
{
    char text[32];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", HY_VERSION_MAJOR, HY_VERSION_MINOR, HY_VERSION_PATCH);
    assert_string_equal(hy_version(), HY_VERSION);
    assert_string_equal(hy_version(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_to_the_status_and_back),
        cmocka_unit_test(numbers_are_unique_and_negative),
        cmocka_unit_test(control_codes_have_names),
        cmocka_unit_test(unknown_numbers_and_names_are_harmless),
        cmocka_unit_test(classes_are_spelt_as_in_lua),
        cmocka_unit_test(fail_clears_every_field),
        cmocka_unit_test(clear_makes_it_ok),
        cmocka_unit_test(no_error_struct_is_fine),
        cmocka_unit_test(a_message_may_quote_the_one_it_replaces),
        cmocka_unit_test(control_characters_become_spaces),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(exactly_fitting_messages_are_whole),
        cmocka_unit_test(out_of_memory_needs_no_memory),
        cmocka_unit_test(unsupported_names_feature_and_dialect),
        cmocka_unit_test(long_fields_are_cut),
        cmocka_unit_test(logs_go_to_the_host_in_one_line),
        cmocka_unit_test(logs_without_a_host_vanish),
        cmocka_unit_test(version_of_library_and_headers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
