/*
 * test_dialects.c - every operator, join, set operation, kind of CAST and feature on every
 * dialect: each has a spelling or is refused by name, so that no table has a hole.
 */
#include "hy_test.h"

#include <ctype.h>
#include <stdio.h>

#include <hysteria/query.h>

enum { DIALECTS = 5 };

static hy_compiler *compiler;

static int set_up(void **state)
{
    (void)state;
    compiler = hy_compiler_new();
    return compiler == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    hy_compiler_free(compiler);
    return 0;
}

static void dialects_are_found(void **state)
{
    static const char *const names[DIALECTS] = {"postgres", "cockroachdb", "mysql", "mariadb", "sqlite"};

    (void)state;
    for (size_t i = 0; i < DIALECTS; i++) {
        assert_string_equal(names[i], hy_dialect_name(hy_dialect_at(i)));
        assert_ptr_equal(hy_dialect_at(i), hy_dialect_find(names[i]));
    }
    assert_null(hy_dialect_at(DIALECTS));
    assert_null(hy_dialect_find("oracle"));
    assert_null(hy_dialect_find(""));
    assert_null(hy_dialect_find(NULL));
}

static void operators_have_words(void **state)
{
    (void)state;
    for (hy_op op = 0; op < HY_OP_COUNT; op++) {
        const char *word = hy_op_word(op);
        char upper[64] = "";

        assert_true(strlen(word) > 0);
        for (size_t i = 0; word[i] != '\0'; i++)
            upper[i] = (char)toupper((unsigned char)word[i]);
        assert_int_equal(op, hy_op_from_word(word, strlen(word)));
        assert_int_equal(op, hy_op_from_word(upper, strlen(upper)));
        assert_true(hy_op_arity(op) >= -1 && hy_op_arity(op) != 0 && hy_op_arity(op) <= 3);
    }
    assert_int_equal(HY_OP_NE, hy_op_from_word("<>", 2));
    assert_int_equal(HY_OP_EQ, hy_op_from_word("==", 2));
    assert_int_equal(HY_OP_NULLSAFE_EQ, hy_op_from_word("Is", 2));
    assert_int_equal(HY_OP_NULLSAFE_NE, hy_op_from_word("IS NOT", 6));
    assert_int_equal(HY_OP_COUNT, hy_op_from_word("= 1 or 1 =", 10));
    assert_int_equal(HY_OP_COUNT, hy_op_from_word("", 0));
    assert_int_equal(HY_OP_COUNT, hy_op_from_word("lik", 3));
    assert_string_equal("", hy_op_word(HY_OP_COUNT));
    assert_int_equal(0, hy_op_arity(HY_OP_COUNT));
}

/* By hand: how `a` and `b` are joined. NULL: as on PostgreSQL, for MariaDB as on MySQL. */
static const struct {
    hy_op op;
    const char *postgres, *mysql, *sqlite, *mariadb;
} spellings[] = {
    {HY_OP_EQ, "a = b", NULL, NULL, NULL},
    {HY_OP_NE, "a <> b", NULL, NULL, NULL},
    {HY_OP_LT, "a < b", NULL, NULL, NULL},
    {HY_OP_LE, "a <= b", NULL, NULL, NULL},
    {HY_OP_GT, "a > b", NULL, NULL, NULL},
    {HY_OP_GE, "a >= b", NULL, NULL, NULL},
    {HY_OP_LIKE, "a LIKE b", NULL, "a LIKE b ESCAPE '\\'", NULL},
    {HY_OP_NOT_LIKE, "a NOT LIKE b", NULL, "a NOT LIKE b ESCAPE '\\'", NULL},
    {HY_OP_ILIKE, "a ILIKE b", "LOWER(a) LIKE LOWER(b)", "LOWER(a) LIKE LOWER(b) ESCAPE '\\'", NULL},
    {HY_OP_NOT_ILIKE, "a NOT ILIKE b", "LOWER(a) NOT LIKE LOWER(b)", "LOWER(a) NOT LIKE LOWER(b) ESCAPE '\\'",
     NULL},
    {HY_OP_REGEXP, "a ~ b", "REGEXP_LIKE(a, b, 'c')", "hysteria_regexp(a, b)", "a REGEXP CONCAT('(?-i)', b)"},
    {HY_OP_NOT_REGEXP, "a !~ b", "NOT REGEXP_LIKE(a, b, 'c')", "NOT hysteria_regexp(a, b)",
     "a NOT REGEXP CONCAT('(?-i)', b)"},
    {HY_OP_IREGEXP, "a ~* b", "REGEXP_LIKE(a, b, 'i')", "hysteria_iregexp(a, b)",
     "a REGEXP CONCAT('(?i)', b)"},
    {HY_OP_NOT_IREGEXP, "a !~* b", "NOT REGEXP_LIKE(a, b, 'i')", "NOT hysteria_iregexp(a, b)",
     "a NOT REGEXP CONCAT('(?i)', b)"},
    {HY_OP_NULLSAFE_EQ, "a IS NOT DISTINCT FROM b", "a <=> b", "a IS b", NULL},
    {HY_OP_NULLSAFE_NE, "a IS DISTINCT FROM b", "NOT (a <=> b)", "a IS NOT b", NULL},
    {HY_OP_ADD, "a + b", NULL, NULL, NULL},
    {HY_OP_SUBTRACT, "a - b", NULL, NULL, NULL},
    {HY_OP_MULTIPLY, "a * b", NULL, NULL, NULL},
    {HY_OP_DIVIDE, "a / b", NULL, NULL, NULL},
    {HY_OP_CONCAT, "a || b", "CONCAT(a, b)", NULL, NULL},
};

static const char *spelling(size_t i, size_t dialect)
{
    const char *mariadb = spellings[i].mariadb != NULL ? spellings[i].mariadb : spellings[i].mysql;
    const char *own[DIALECTS] = {NULL, NULL, spellings[i].mysql, mariadb, spellings[i].sqlite};
    return own[dialect] != NULL ? own[dialect] : spellings[i].postgres;
}

/* The text without its quotes. */
static void unquoted(const char *text, char *out)
{
    for (; *text != '\0'; text++)
        if (*text != '"' && *text != '`')
            *out++ = *text;
    *out = '\0';
}

static void every_operator_on_every_dialect(void **state)
{
    size_t n = 0;
    hy_error err;
    hy_sql sql;
    char got[256], want[256];

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        hy_query *q = hy_query_new(NULL);
        hy_expr *a = hy_expr_column(q, "a", 1), *b = hy_expr_column(q, "b", 1);

        hy_query_select(q, hy_expr_compare(q, spellings[i].op, a, b), NULL);
        for (size_t d = 0; d < DIALECTS; d++, n++) {
            hy_status status = hy_compile(compiler, q, hy_dialect_at(d), NULL, &sql, &err);
            assert_int_equal(HY_OK, status);
            unquoted(sql.text, got);
            snprintf(want, sizeof want, "SELECT %s", spelling(i, d));
            assert_string_equal(want, got);
        }
        hy_query_free(q);
    }
    for (hy_op op = 0; op < HY_OP_COUNT; op++) /* the table above has them all */
        if (hy_op_arity(op) == 2)
            n -= DIALECTS;
    assert_int_equal(0, n);
}

static void every_kind_casts_or_is_refused(void **state)
{
    hy_error err;
    hy_sql sql;

    (void)state;
    for (hy_kind kind = HY_KIND_ANY + 1; kind < HY_KIND_CUSTOM; kind++) {
        hy_query *q = hy_query_new(NULL);
        hy_query_select(q, hy_expr_cast(q, hy_expr_column(q, "a", 1), kind), NULL);
        for (size_t d = 0; d < DIALECTS; d++) {
            hy_status status = hy_compile(compiler, q, hy_dialect_at(d), NULL, &sql, &err);
            assert_true(status == HY_OK ||
                        (status == HY_EUNSUPPORTED && (kind == HY_KIND_UUID || kind == HY_KIND_JSON ||
                                                       kind == HY_KIND_JSONB || kind == HY_KIND_ARRAY)));
            if (status == HY_OK)
                assert_non_null(strstr(sql.text, " AS "));
        }
        hy_query_free(q);
    }
}

static void features_have_names(void **state)
{
    (void)state;
    for (hy_feature_number f = 0; f < HY_FEATURE_COUNT; f++) {
        assert_true(strlen(hy_feature_name(f)) > 0);
        for (hy_feature_number other = 0; other < f; other++)
            assert_string_not_equal(hy_feature_name(other), hy_feature_name(f));
    }
    assert_string_equal("", hy_feature_name(HY_FEATURE_COUNT));
}

/* Newer servers can more, never less; what the versions brought is public knowledge. */
static void features_grow_with_versions(void **state)
{
    static const struct {
        const char *dialect;
        int version;
        hy_feature_number feature;
        bool has;
    } cases[] = {
        {"postgres", 0, HY_FEATURE_NUMBER_RETURNING_UPDATE, true},
        {"postgres", 0, HY_FEATURE_NUMBER_MATERIALIZED_CTE, true},
        {"postgres", 110000, HY_FEATURE_NUMBER_MATERIALIZED_CTE, false},
        {"postgres", 180000, HY_FEATURE_NUMBER_UPDATE_LIMIT, false},
        {"cockroachdb", 220100, HY_FEATURE_NUMBER_LOCK_SKIP, false},
        {"cockroachdb", 220200, HY_FEATURE_NUMBER_LOCK_SKIP, true},
        {"cockroachdb", 0, HY_FEATURE_NUMBER_UPDATE_LIMIT, true},
        {"mysql", 80030, HY_FEATURE_NUMBER_INTERSECT_EXCEPT, false},
        {"mysql", 80031, HY_FEATURE_NUMBER_INTERSECT_EXCEPT, true},
        {"mysql", 90700, HY_FEATURE_NUMBER_RETURNING_INSERT, false},
        {"mysql", 0, HY_FEATURE_NUMBER_LOCK_SKIP, true},
        {"mysql", 0, HY_FEATURE_NUMBER_FULL_JOIN, false},
        {"mariadb", 100400, HY_FEATURE_NUMBER_RETURNING_INSERT, false},
        {"mariadb", 100500, HY_FEATURE_NUMBER_RETURNING_INSERT, true},
        {"mariadb", 0, HY_FEATURE_NUMBER_RETURNING_DELETE, true},
        {"mariadb", 0, HY_FEATURE_NUMBER_RETURNING_UPDATE, false},
        {"mariadb", 100500, HY_FEATURE_NUMBER_LOCK_SKIP, false},
        {"mariadb", 100600, HY_FEATURE_NUMBER_LOCK_SKIP, true},
        {"sqlite", 33400, HY_FEATURE_NUMBER_RETURNING_INSERT, false},
        {"sqlite", 33500, HY_FEATURE_NUMBER_RETURNING_INSERT, true},
        {"sqlite", 33800, HY_FEATURE_NUMBER_FULL_JOIN, false},
        {"sqlite", 33900, HY_FEATURE_NUMBER_FULL_JOIN, true},
        {"sqlite", 34001, HY_FEATURE_NUMBER_DEFAULT_IN_VALUES, false},
        {"sqlite", 34001, HY_FEATURE_NUMBER_LOCK, false},
        {"sqlite", 34001, HY_FEATURE_NUMBER_TRUNCATE, false},
        {"sqlite", 34001, HY_FEATURE_NUMBER_REGEXP, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_features features = hy_dialect_features(hy_dialect_find(cases[i].dialect), cases[i].version);
        if (((features >> cases[i].feature & 1) != 0) != cases[i].has)
            fail_msg("%s %d: %s", cases[i].dialect, cases[i].version, hy_feature_name(cases[i].feature));
    }
    for (size_t d = 0; d < DIALECTS; d++) {
        hy_features before = 0;
        for (int version = 10000; version < 990000; version += 100) {
            hy_features now = hy_dialect_features(hy_dialect_at(d), version);
            assert_true((before & ~now) == 0);
            before = now;
        }
    }
}

/* A feature that is switched off is refused by name, whatever the dialect could do. */
static void switched_off_features_are_refused(void **state)
{
    hy_query *q = hy_query_new(NULL);
    hy_error err;
    hy_sql sql;

    (void)state;
    hy_query_from(q, "t", 1);
    hy_query_lock(q, HY_LOCK_UPDATE, HY_LOCK_NOWAIT);
    hy_compile_options options = {.features = HY_FEATURE(LOCK)};
    assert_fails(HY_EUNSUPPORTED, err, hy_compile(compiler, q, hy_dialect_at(0), &options, &sql, &err));
    assert_string_equal("NOWAIT", err.feature);
    assert_string_equal("postgres", err.dialect);
    options.features |= HY_FEATURE(LOCK_NOWAIT);
    assert_int_equal(HY_OK, hy_compile(compiler, q, hy_dialect_at(0), &options, &sql, &err));
    hy_query_free(q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialects_are_found),
        cmocka_unit_test(operators_have_words),
        cmocka_unit_test(every_operator_on_every_dialect),
        cmocka_unit_test(every_kind_casts_or_is_refused),
        cmocka_unit_test(features_have_names),
        cmocka_unit_test(features_grow_with_versions),
        cmocka_unit_test(switched_off_features_are_refused),
    };
    return cmocka_run_group_tests_name("dialects", tests, set_up, tear_down);
}
