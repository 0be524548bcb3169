/*
 * A build without any driver: each type says which package it lacks. The program is linked with
 * core/driver/driver.c compiled so; everything else is the library that the other tests use.
 */
#include "hy_test.h"

#include <hysteria/source.h>

static void names_the_package_to_install(void **state)
{
    static const struct {
        const char *type, *package, *option;
    } cases[] = {
        {"sqlite", "libsqlite3-dev", "-DHY_WITH_SQLITE=ON"},
        {"postgres", "libpq-dev", "-DHY_WITH_POSTGRES=ON"},
        {"cockroachdb", "libpq-dev", "-DHY_WITH_POSTGRES=ON"},
        {"mysql", "libmariadb-dev", "-DHY_WITH_MYSQL=ON"},
        {"mariadb", "libmariadb-dev", "-DHY_WITH_MYSQL=ON"},
    };
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const hy_source_config config = {.type = cases[i].type};
        hy_source *source = (hy_source *)&cases;
        assert_fails(HY_EDRIVER_NOT_FOUND, err, hy_source_open(&config, &source, &err));
        assert_null(source);
        assert_non_null(strstr(err.message, cases[i].type));
        assert_non_null(strstr(err.message, cases[i].package));
        assert_non_null(strstr(err.message, cases[i].option));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_the_package_to_install)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
