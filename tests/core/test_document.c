/*
 * test_document.c - JSON documents: reading, equality, containment, paths.
 */
#include "hy_test.h"

#include <base/document.h>

static hy_arena arena;

static int set_up(void **state)
{
    (void)state;
    hy_arena_init(&arena, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hy_arena_clear(&arena);
    return 0;
}

static hy_doc *doc(const char *text)
{
    hy_doc *d = hy__doc_read(&arena, text, strlen(text));
    if (d == NULL)
        fail_msg("%s is not read", text);
    return d;
}

static void malformed_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "nul",
        "truex",
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1,}",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"a\nb\"",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "1 2",
        "[1}",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (hy__doc_read(&arena, bad[i], strlen(bad[i])) != NULL)
            fail_msg("%s is read", bad[i]);
}

static void depth_is_limited(void **state)
{
    char text[2 * HY_DOC_DEPTH_MAX + 2];

    (void)state;
    memset(text, '[', HY_DOC_DEPTH_MAX);
    memset(text + HY_DOC_DEPTH_MAX, ']', HY_DOC_DEPTH_MAX);
    assert_non_null(hy__doc_read(&arena, text, (size_t)2 * HY_DOC_DEPTH_MAX));
    memset(text, '[', HY_DOC_DEPTH_MAX + 1);
    memset(text + HY_DOC_DEPTH_MAX + 1, ']', HY_DOC_DEPTH_MAX + 1);
    assert_null(hy__doc_read(&arena, text, (size_t)2 * HY_DOC_DEPTH_MAX + 2));
}

static void strings_lose_their_escapes(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"\"plain\"", "plain"},
        {"\"\"", ""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\u00e9\u20ac\U0001f600"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const hy_doc *d = doc(cases[i].json);
        assert_int_equal(strlen(cases[i].text), d->size);
        assert_memory_equal(cases[i].text, d->text, d->size);
    }
}

/* a, b, are they equal, is b in a */
static void documents_compare(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal, contains;
    } cases[] = {
        {"1", "1.0", true, true},
        {"1e2", "100", true, true},
        {"9007199254740993", "9007199254740992", false, false},
        {"0.1", "0.10", true, true},
        {"1e999999999", "1e999999999", true, true},
        {"\"a\"", "\"\\u0061\"", true, true},
        {"\"a\"", "\"A\"", false, false},
        {"true", "1", false, false},
        {"null", "null", true, true},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true, true},
        {"{\"a\":1,\"b\":2}", "{\"b\":2}", false, true},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}", true, true},
        {"{\"a\":1,\"a\":2}", "{\"a\":1}", false, false},
        {"{\"b\":1,\"ba\":2,\"a\":3}", "{\"ba\":2}", false, true},
        {"[1,2]", "[2,1]", false, true},
        {"[1,2]", "[1,1,1]", false, true},
        {"[1,[2]]", "2", false, false},
        {"[1,[2]]", "[2]", false, false},
        {"[1,[2]]", "[[2]]", false, true},
        {"[1,2]", "2", false, true},
        {"1", "[1]", false, false},
        {"[{\"a\":1,\"b\":2}]", "{\"a\":1}", false, false},
        {"[{\"a\":1,\"b\":2}]", "[{\"a\":1}]", false, true},
        {"{\"a\":[1]}", "{\"a\":1}", false, false},
        {"{\"a\":{}}", "{\"a\":{}}", true, true},
        {"{}", "[]", false, false},
        {" [ ] ", "[]", true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (hy__doc_equal(doc(cases[i].a), doc(cases[i].b)) != cases[i].equal)
            fail_msg("%s = %s", cases[i].a, cases[i].b);
        if (hy__doc_contains(doc(cases[i].a), doc(cases[i].b)) != cases[i].contains)
            fail_msg("%s in %s", cases[i].b, cases[i].a);
    }
}

/* Every spelling becomes the one that databases read. */
static void paths_have_one_spelling(void **state)
{
    static const struct {
        const char *path, *spelling; /* NULL: no path */
    } cases[] = {
        {"", "$"},
        {"$", "$"},
        {"a", "$.\"a\""},
        {"$.a", "$.\"a\""},
        {"a.b.0", "$.\"a\".\"b\"[0]"},
        {"$[3].b", "$[3].\"b\""},
        {"[3]", "$[3]"},
        {"\"a.b\".c", "$.\"a.b\".\"c\""},
        {"a[\"x]\"][1]", "$.\"a\".\"x]\"[1]"},
        {"a.\"0\"", "$.\"a\".\"0\""},
        {"\"q\\\"\\\\\\n\"", "$.\"q\\\"\\\\\\n\""},
        {"$x", "$.\"$x\""},
        {"\"a\\u0001\\u001f\\b\"", "$.\"a\\u0001\\u001F\\b\""},
        {"a b.c d", "$.\"a b\".\"c d\""},
        {".a", NULL},
        {"a.", NULL},
        {"a..b", NULL},
        {"$.", NULL},
        {"a[", NULL},
        {"a[0", NULL},
        {"a[]", NULL},
        {"a[b]", NULL},
        {"a[0]b", NULL},
        {"\"a", NULL},
        {"\"a\"b", NULL},
        {"*", NULL},
        {"a[*]", NULL},
        {"a.99999999999", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_buf out = {0};
        hy_json_step step;
        size_t at = 0;
        int more;
        hy_buf_putc(&out, '$');
        while ((more = hy__doc_path_next(&arena, cases[i].path, strlen(cases[i].path), &at, &step)) > 0)
            hy__doc_path_put(&out, &step);
        if ((more == 0) != (cases[i].spelling != NULL))
            fail_msg("'%s' %s", cases[i].path, more == 0 ? "is a path" : "is no path");
        if (more == 0)
            assert_string_equal(cases[i].spelling, hy_buf_text(&out));
        hy_buf_clear(&out);
    }
}

/* Memory that ends anywhere is no crash and no half document. */
static void memory_may_end(void **state)
{
    static const char text[] = "{\"a\\n\":[1,{\"b\":\"\\u20ac\"}],\"c\":[[],{}]}";
    size_t limit = 1;
    hy_doc *d = NULL;

    (void)state;
    for (; d == NULL; limit += 8) {
        hy_arena small = {0};
        hy_arena_init(&small, NULL, 0);
        small.limit = limit;
        d = hy__doc_read(&small, text, sizeof text - 1);
        assert_true(d != NULL || small.failed);
        hy_arena_clear(&small);
    }
    assert_true(limit > 200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_text_is_refused),  cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(strings_lose_their_escapes), cmocka_unit_test(documents_compare),
        cmocka_unit_test(paths_have_one_spelling),    cmocka_unit_test(memory_may_end),
    };
    return cmocka_run_group_tests_name("document", tests, set_up, tear_down);
}
