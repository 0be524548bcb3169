/*
 * Raw SQL: the scanner's tokens are the text without a gap, in every dialect as many placeholders
 * come out as went in, and the drivers' readings of a statement end.
 */
#include "fuzz.h"

#include <hysteria/query.h>

#include <driver/mysql_driver.h>
#include <driver/postgres_driver.h>
#include <sql/scan.h>

enum { MOST_BINDS = 64 };

typedef struct found {
    size_t placeholders, names;
} found;

static found scan(const char *text, size_t size)
{
    const char *at = text;
    found n = {0, 0};
    hy_scan s;

    hy__scan_init(&s, text, size);
    for (hy_scan_token t = hy__scan_next(&s); t.kind != HY_SCAN_END; t = hy__scan_next(&s)) {
        bool is_name = t.kind == HY_SCAN_NAME;
        must(t.size > 0 && t.text == at + is_name);
        must(!is_name || *at == ':');
        at = t.text + t.size;
        must(at <= text + size);
        n.placeholders += t.kind == HY_SCAN_PLACEHOLDER;
        n.names += is_name;
    }
    must(at == text + size);
    must(hy__scan_next(&s).kind == HY_SCAN_END);
    return n;
}

static void compile(hy_compiler *compiler, const char *text, size_t size, found n)
{
    static const char *const dialects[] = {"postgres", "cockroachdb", "mysql", "mariadb", "sqlite"};
    hy_bind binds[MOST_BINDS];
    hy_error err;
    hy_sql sql;

    for (size_t i = 0; i < MOST_BINDS; i++)
        binds[i] = (hy_bind){.value = hy_int((int64_t)i), .kind = HY_KIND_ANY};
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        const hy_dialect *dialect = hy_dialect_find(dialects[i]);
        hy_status status =
            hy_compile_raw(compiler, text, size, binds, NULL, n.placeholders, dialect, &sql, &err);
        if (status != HY_OK) {
            must(err.status == status);
            continue;
        }
        must(n.names == 0 && sql.n_binds == n.placeholders);
        must(sql.size == strlen(sql.text) && sql.size + n.placeholders >= size / 2);
        must(hy_compile_raw(compiler, text, size, binds, NULL, n.placeholders + 1, dialect, &sql, &err) !=
             HY_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hy_compiler *compiler;
    const char *text = (const char *)data;
    found n = scan(text, size);

    if (compiler == NULL)
        compiler = hy_compiler_new();
    must(compiler != NULL);
    if (n.placeholders < MOST_BINDS)
        compile(compiler, text, size, n);
    (void)hy__postgres_traits(text, size);
    (void)hy__mysql_touches(text, size, hy__mysql_verb_of(text, size));
    return 0;
}
