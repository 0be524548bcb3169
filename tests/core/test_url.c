/*
 * Connection URLs: what is read, what is refused, and that no secret ever leaves.
 */
#include "hy_test.h"

#include <stdio.h>

#include <hysteria/url.h>

typedef struct url_case {
    const char *text, *scheme, *user, *password, *host;
    int port;
    const char *database, *options; /* "name=value;" each */
} url_case;

static const url_case good[] = {
    {"mysql://u:p@h:3306/d", "mysql", "u", "p", "h", 3306, "d", ""},
    {"postgres://db.example.com/shop", "postgres", NULL, NULL, "db.example.com", 0, "shop", ""},
    {"PostgreSQL://h", "postgresql", NULL, NULL, "h", 0, NULL, ""},
    {"postgres://", "postgres", NULL, NULL, NULL, 0, NULL, ""},
    {"postgres:///d", "postgres", NULL, NULL, NULL, 0, "d", ""},
    {"postgres://u@/d", "postgres", "u", NULL, NULL, 0, "d", ""},
    {"postgres://u:@h", "postgres", "u", "", "h", 0, NULL, ""},
    {"postgres://:p@h", "postgres", NULL, "p", "h", 0, NULL, ""},
    {"postgres://:5433", "postgres", NULL, NULL, NULL, 5433, NULL, ""},
    {"mysql://u:p:q@h/", "mysql", "u", "p:q", "h", 0, NULL, ""},
    {"mysql://a%40b:p%40ss%2Fword%3F%23@h/d%2fx", "mysql", "a@b", "p@ss/word?#", "h", 0, "d/x", ""},
    {"mysql://%E2%82%AC:\xe2\x82\xac@h", "mysql", "\xe2\x82\xac", "\xe2\x82\xac", "h", 0, NULL, ""},
    {"mysql://u:p@[::1]:65535/d", "mysql", "u", "p", "::1", 65535, "d", ""},
    {"mysql://[fe80::1%25eth0]/d", "mysql", NULL, NULL, "fe80::1%eth0", 0, "d", ""},
    {"postgres://%2Fvar%2Frun%2Fpostgresql/d", "postgres", NULL, NULL, "/var/run/postgresql", 0, "d", ""},
    {"postgres://h/d?sslmode=verify-full&x=a%26b%3Dc=d", "postgres", NULL, NULL, "h", 0, "d",
     "sslmode=verify-full;x=a&b=c=d;"},
    {"postgres://h?flag&empty=&plus=a+b", "postgres", NULL, NULL, "h", 0, NULL, "flag=;empty=;plus=a+b;"},
    {"postgres://h/d?", "postgres", NULL, NULL, "h", 0, "d", ""},
    {"postgres://h/d?a=b?c/d", "postgres", NULL, NULL, "h", 0, "d", "a=b?c/d;"},
    {"mysql+tls.x-1://h", "mysql+tls.x-1", NULL, NULL, "h", 0, NULL, ""},
    {"sqlite:data/app.db", "sqlite", NULL, NULL, NULL, 0, "data/app.db", ""},
    {"sqlite::memory:", "sqlite", NULL, NULL, NULL, 0, ":memory:", ""},
    {"sqlite:///var/lib/app.db", "sqlite", NULL, NULL, NULL, 0, "/var/lib/app.db", ""},
    {"SQLite:/var/lib/app.db?mode=ro", "sqlite", NULL, NULL, NULL, 0, "/var/lib/app.db", "mode=ro;"},
    {"sqlite:?cache=shared", "sqlite", NULL, NULL, NULL, 0, NULL, "cache=shared;"},
    {"sqlite:", "sqlite", NULL, NULL, NULL, 0, NULL, ""},
    {"sqlite:me@home/my%20file.db", "sqlite", NULL, NULL, NULL, 0, "me@home/my file.db", ""},
};

static void assert_same(const char *found, const char *expected)
{
    if (expected == NULL)
        assert_null(found);
    else
        assert_string_equal(found, expected);
}

static void good_urls_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const url_case *c = &good[i];
        char options[200] = "";
        hy_url url;
        hy_error err;
        if (hy_url_parse(c->text, strlen(c->text), &url, &err) != HY_OK)
            fail_msg("%s: %s", c->text, err.message);
        assert_same(url.scheme, c->scheme);
        assert_same(url.user, c->user);
        assert_same(url.password, c->password);
        assert_same(url.host, c->host);
        assert_int_equal(url.port, c->port);
        assert_same(url.database, c->database);
        for (size_t k = 0; k < url.n_options; k++) {
            size_t used = strlen(options);
            snprintf(options + used, sizeof options - used, "%s=%s;", url.options[k].name,
                     url.options[k].value);
        }
        assert_string_equal(options, c->options);
        hy_url_clear(&url);
        assert_null(url.password);
        assert_null(url.memory);
    }
}

static const char *const bad[] = {
    "",
    ":",
    "//h/d",
    "://h",
    "h/d",
    "1mysql://h",
    "my_sql://h",
    "mysql:h/d",
    "mysql:/h/d",
    "mysql",
    "my sql://h",
    "averyveryverylongschemename://h",
    /* more than one reading */
    "mysql://u:p@ss@h/d",
    "mysql://u:p@ss/word@h/d",
    "mysql://u:pa/ss@h/d",
    "mysql://u:pa?ss@h/d",
    "mysql://u:pa#ss@h/d",
    "mysql://u:1/x@h/d",
    "mysql://u:1?x@h/d",
    "mysql://h/d?mail=a@b",
    "mysql://h/d@e",
    "mysql://h/d/e",
    "mysql://h/d/",
    /* ports and hosts */
    "mysql://h:",
    "mysql://h:/d",
    "mysql://h:0",
    "mysql://h:65536",
    "mysql://h:+1",
    "mysql://h:-1",
    "mysql://h:3306x",
    "mysql://h: 1",
    "mysql://h:99999999999999999999",
    "mysql://::1/d",
    "mysql://[::1",
    "mysql://[::1]x",
    "mysql://[]",
    "mysql://[h]",
    "mysql://[::1]:",
    "mysql://[::1]:0",
    "mysql://[::1/d]",
    "mysql://h,i/d",
    "mysql://h!/d",
    "mysql://h[/d",
    "mysql://\xc3\xa9/d",
    "mysql://u@h\\/d",
    /* percent signs and characters */
    "mysql://u:%@h",
    "mysql://u:%4@h",
    "mysql://u:%zz@h",
    "mysql://u:%00@h",
    "mysql://u:%ff@h",
    "mysql://u:\xff@h",
    "mysql://u:p w@h",
    "mysql://u:p\nw@h",
    "mysql://h/%",
    "mysql://h/d?a=%2",
    "mysql://u:p%",
    "mysql://u:p%4",
    "mysql://u:p\x7f@h",
    /* options */
    "mysql://h?a=1&a=2",
    "mysql://h?=1",
    "mysql://h?a=1&",
    "mysql://h?&a=1",
    "mysql://h?a=1&&b=2",
    "mysql://h?a&%61=1",
    /* files have no host */
    "sqlite://app.db",
    "sqlite://",
    "sqlite://host/app.db",
    "sqlite:a#b",
    "sqlite:a b",
    "sqlite:%zz",
    "sqlite:a%00b",
};

static void bad_urls_are_refused_and_leave_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hy_test_heap heap = {0};
        hy_url url;
        hy_error err;
        memset(&url, 0xa5, sizeof url);
        hy_test_use_heap(&heap);
        hy_status status = hy_url_parse(bad[i], strlen(bad[i]), &url, &err);
        hy_test_use_heap(NULL);
        if (status != HY_EINVALID_CONFIG)
            fail_msg("\"%s\" is taken for a URL", bad[i]);
        assert_int_equal(err.status, HY_EINVALID_CONFIG);
        assert_int_equal(heap.live, 0);
        assert_null(url.scheme);
        assert_null(url.password);
        assert_null(url.memory);
        assert_int_equal(url.n_options, 0);
        hy_url_clear(&url);
    }
    hy_url url;
    assert_int_equal(hy_url_parse("mysql://h/d\0x", 13, &url, NULL), HY_EINVALID_CONFIG);
}

/* The secret stands at every place of every kind of fault; no message may hold it. */
static void messages_repeat_nothing_but_the_scheme(void **state)
{
    static const char *const shapes[] = {
        "$",
        "$://h",
        "mysql:$",
        "mysql://u:$@ss@h/d",
        "mysql://u:$/word@h/d",
        "mysql://u:$",
        "mysql://h:$",
        "mysql://$:x",
        "mysql://u:$%zz@h",
        "mysql://u:p@h/d/$",
        "mysql://u:p@$!/d",
        "mysql://u:p@[$",
        "sqlite://$",
        "mysql://h?$=1&$=2",
        "mysql://h?a=$&=",
        "$:hunter@h",
        "$:x@h/d",
    };
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char text[200] = "";
        hy_url url;
        hy_error err;
        for (const char *p = shapes[i]; *p != '\0'; p++)
            if (*p == '$')
                strcat(text, i == 1 ? "sEcrEt_value" : "sEcrEtvalue");
            else
                strncat(text, p, 1);
        assert_int_equal(hy_url_parse(text, strlen(text), &url, &err), HY_EINVALID_CONFIG);
        assert_null(strcasestr(err.message, "secret"));
        assert_null(strcasestr(err.message, "hunter"));
        assert_null(strstr(err.message, "word@"));
    }
    hy_url url;
    hy_error err;
    hy_url_parse("mysql://u:p@s@h/d", 17, &url, &err);
    assert_non_null(strstr(err.message, "mysql://"));
    assert_non_null(strstr(err.message, "%40"));
}

/* Looks at each block of memory as it is given back. */
static bool secret_given_back;

static void *watching_realloc(void *ctx, void *ptr, size_t size)
{
    size_t *last_size = ctx;
    if (size == 0) {
        if (ptr != NULL && memmem(ptr, *last_size, "hunter2", 7) != NULL)
            secret_given_back = true;
        free(ptr);
        return NULL;
    }
    *last_size = size;
    return realloc(ptr, size);
}

static void memory_is_wiped_before_it_is_freed(void **state)
{
    static const char *const texts[] = {"mysql://u:hunter2@h/d", "mysql://u:hunter2@h:99999999/d"};
    size_t last_size = 0;
    hy_allocator allocator = {watching_realloc, &last_size};
    hy_url url;
    (void)state;
    hy_set_allocator(&allocator);
    assert_int_equal(hy_url_parse(texts[0], strlen(texts[0]), &url, NULL), HY_OK);
    assert_non_null(memmem(url.memory, last_size, "hunter2", 7)); /* it would be seen */
    hy_url_clear(&url);
    assert_int_equal(hy_url_parse(texts[1], strlen(texts[1]), &url, NULL), HY_EINVALID_CONFIG);
    hy_set_allocator(NULL);
    assert_false(secret_given_back);
}

static void no_memory_is_reported(void **state)
{
    hy_test_heap heap = {.fail_at = 1};
    hy_url url;
    hy_error err;
    (void)state;
    hy_test_use_heap(&heap);
    hy_status status = hy_url_parse("mysql://h", 9, &url, &err);
    hy_test_use_heap(NULL);
    assert_int_equal(status, HY_EOUT_OF_MEMORY);
    assert_int_equal(err.status, HY_EOUT_OF_MEMORY);
    assert_null(url.memory);
    hy_url_clear(&url);
}

/* Spoiled URLs of all sorts: no crash, and either whole or empty. Sanitizers watch. */
static void spoiled_urls_do_no_harm(void **state)
{
    static const char junk[] = ":/?#[]@%=&.az09 \n\xff\x80+-_";
    uint64_t seed = 2024;
    (void)state;
    for (int i = 0; i < 40000; i++) {
        const char *from = good[hy_test_random(&seed) % (sizeof good / sizeof good[0])].text;
        size_t size = strlen(from);
        char *text = malloc(size); /* exactly: one byte too far is seen */
        assert_non_null(text);
        memcpy(text, from, size);
        for (size_t k = 0, n = 1 + hy_test_random(&seed) % 3; k < n; k++)
            text[hy_test_random(&seed) % size] = junk[hy_test_random(&seed) % (sizeof junk - 1)];
        size -= hy_test_random(&seed) % 3;
        hy_url url;
        hy_error err;
        hy_status status = hy_url_parse(text, size, &url, &err);
        assert_true(status == HY_OK ? url.scheme != NULL && url.port >= 0 && url.port < 65536
                                    : status == HY_EINVALID_CONFIG && url.memory == NULL);
        hy_url_clear(&url);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls_are_read),
        cmocka_unit_test(bad_urls_are_refused_and_leave_nothing),
        cmocka_unit_test(messages_repeat_nothing_but_the_scheme),
        cmocka_unit_test(memory_is_wiped_before_it_is_freed),
        cmocka_unit_test(no_memory_is_reported),
        cmocka_unit_test(spoiled_urls_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
