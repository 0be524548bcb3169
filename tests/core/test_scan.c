/*
 * The placeholder scanner: a table of texts and what is a placeholder in them, written by hand
 * from the databases' own rules, and a property that holds for any bytes at all.
 */
#include "hy_test.h"

#include <stdio.h>
#include <time.h>

#include <sql/scan.h>

/* Tokens as text: placeholders as {?} {??} {name}, everything else as it is. */
typedef struct scan_case {
    const char *text, *expected;
} scan_case;

static const scan_case cases[] = {
    {"", ""},
    {"select 1", "select 1"},
    {"?", "{?}"},
    {"a = ? and b = ?", "a = {?} and b = {?}"},
    {"??", "{??}"},
    {"???", "{??}{?}"},
    {"????", "{??}{??}"},
    {"doc ?? 'key' and id = ?", "doc {??} 'key' and id = {?}"},
    {"doc ??| array[?]", "doc {??}| array[{?}]"},
    {":name", "{name}"},
    {"a=:a1 and b=:_b,:C_d", "a={a1} and b={_b},{C_d}"},
    {"(:a)(:b)", "({a})({b})"},
    {":a:b", "{a}:b"},
    {":a :b", "{a} {b}"},
    {":a?", "{a}{?}"},
    {"?:a", "{?}{a}"},
    {":ä", ":ä"},
    {":aä", "{a}ä"},
    {"ä:a", "ä:a"},
    /* casts, assignments, slices, times */
    {"a::text", "a::text"},
    {"?::int", "{?}::int"},
    {":x::int", "{x}::int"},
    {"::a :::b", "::a :::b"},
    {"@v := 1, @w :=x", "@v := 1, @w :=x"},
    {"a[1:2]", "a[1:2]"},
    {"a[1:n]", "a[1:n]"},
    {"a[x:n]", "a[x:n]"},
    {"a[?:?]", "a[{?}:{?}]"},
    {"at 12:30", "at 12:30"},
    {": a", ": a"},
    {":1", ":1"},
    {":", ":"},
    {"a$:b", "a$:b"},
    /* strings */
    {"'?'", "'?'"},
    {"'it''s ?' ?", "'it''s ?' {?}"},
    {"''?", "''{?}"},
    {"''''?", "''''{?}"},
    {"'''?'''?", "'''?'''{?}"},
    {"':a' :a", "':a' {a}"},
    {"'a\\' ? 'b'", "'a\\' {?} 'b'"},
    {"E'a\\' ?' ?", "E'a\\' ?' {?}"},
    {"e'\\\\' ?", "e'\\\\' {?}"},
    {"(e'\\'?')?", "(e'\\'?'){?}"},
    {"type'a\\' ?", "type'a\\' {?}"},
    {"é'a\\' ?", "é'a\\' {?}"},
    {"N'?' X'00' B'1' ?", "N'?' X'00' B'1' {?}"},
    {"'open ? :a", "'open ? :a"},
    {"?'", "{?}'"},
    {"E'\\", "E'\\"},
    {"E'", "E'"},
    /* quoted names */
    {"\"a?\" ?", "\"a?\" {?}"},
    {"\"a\"\"?\" ?", "\"a\"\"?\" {?}"},
    {"\"a\\\" ? \"b\"", "\"a\\\" {?} \"b\""},
    {"`a?` ?", "`a?` {?}"},
    {"`a``?` ?", "`a``?` {?}"},
    {"[?]", "[{?}]"},
    {"\"'\" ? \"'\"", "\"'\" {?} \"'\""},
    {"'\"' ? '\"'", "'\"' {?} '\"'"},
    {"\"open ?", "\"open ?"},
    /* comments */
    {"-- ? it's :a\n?", "-- ? it's :a\n{?}"},
    {"-- ?", "-- ?"},
    {"--?\r\n?", "--?\r\n{?}"},
    {"1 - ?", "1 - {?}"},
    {"1 --?\n- ?", "1 --?\n- {?}"},
    {"'--' ?", "'--' {?}"},
    {"a # ?", "a # {?}"},
    {"a #> ? -> '?'", "a #> {?} -> '?'"},
    {"/* ? */ ?", "/* ? */ {?}"},
    {"/* /* ? */ ? */ ?", "/* /* ? */ ? */ {?}"},
    {"/* ' */ ? /* ' */", "/* ' */ {?} /* ' */"},
    {"/**/?", "/**/{?}"},
    {"/***/?", "/***/{?}"},
    {"/*/ ? */ ?", "/*/ ? */ {?}"},
    {"/* /* */ ?", "/* /* */ ?"},
    {"/* open ?", "/* open ?"},
    {"/*", "/*"},
    {"a / ?", "a / {?}"},
    {"a */ ?", "a */ {?}"},
    {"'/*' ? '*/'", "'/*' {?} '*/'"},
    {"/*! ? */ ?", "/*! ? */ {?}"},
    /* dollar quotes */
    {"$$ ? $$ ?", "$$ ? $$ {?}"},
    {"$$$$?", "$$$${?}"},
    {"$a$ ? $b$ ? $a$ ?", "$a$ ? $b$ ? $a$ {?}"},
    {"$a$ $$ ? $a$?", "$a$ $$ ? $a${?}"},
    {"$fn$ it's :a $$?$$ $fn$ :a", "$fn$ it's :a $$?$$ $fn$ {a}"},
    {"$a$ ? $A$ ?", "$a$ ? $A$ ?"},
    {"$1 ?", "$1 {?}"},
    {"$1$ ? $1$", "$1$ {?} $1$"},
    {"a$b$ ? $b$", "a$b$ {?} $b$"},
    {"$a ?", "$a {?}"},
    {"$", "$"},
    {"$ä$ ? $ä$ ?", "$ä$ ? $ä$ {?}"},
    {"$$ open ?", "$$ open ?"},
};

static void put_token(char *out, size_t size, const hy_scan_token *token)
{
    size_t at = strlen(out);

    assert_true(at + token->size + 3 < size);
    if (token->kind == HY_SCAN_TEXT)
        snprintf(out + at, size - at, "%.*s", (int)token->size, token->text);
    else
        snprintf(out + at, size - at, "{%.*s}", (int)token->size, token->text);
}

static void scans_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[256] = "";
        size_t size = strlen(cases[i].text);
        char *text = malloc(size + 1); /* without NUL: a read past the end shows */
        hy_scan s;
        hy_scan_token token;

        assert_non_null(text);
        text = realloc(text, size ? size : 1);
        assert_non_null(text);
        memcpy(text, cases[i].text, size);
        hy__scan_init(&s, text, size);
        while ((token = hy__scan_next(&s)).kind != HY_SCAN_END)
            put_token(got, sizeof got, &token);
        assert_int_equal(hy__scan_next(&s).kind, HY_SCAN_END);
        free(text);
        assert_string_equal(got, cases[i].expected);
    }
}

/* Where a token lies in the text that it was cut from, the colon of a name included. */
static size_t token_start(const hy_scan_token *token, const char *text)
{
    return (size_t)(token->text - text) - (token->kind == HY_SCAN_NAME);
}

static void check_any_text(const char *text, size_t size)
{
    hy_scan s;
    hy_scan_token token;
    hy_scan_kind last = HY_SCAN_END;
    size_t at = 0;

    hy__scan_init(&s, text, size);
    while ((token = hy__scan_next(&s)).kind != HY_SCAN_END) {
        assert_int_equal(token_start(&token, text), at);
        assert_true(token.size > 0);
        assert_false(token.kind == HY_SCAN_TEXT && last == HY_SCAN_TEXT);
        at += token.size + (token.kind == HY_SCAN_NAME);
        assert_true(at <= size);
        last = token.kind;
    }
    assert_int_equal(at, size);
}

/* Tokens laid end to end are the text, whatever it is. Fixed seed: the same texts each time. */
static void tokens_add_up_to_the_text(void **state)
{
    static const char alphabet[] = "??::''\"\"``--//**$$aE\\\n [1=#;\0\xC3";
    uint32_t seed = 12345;
    char text[24];

    (void)state;
    for (int i = 0; i < 300000; i++) {
        size_t size = 0;

        seed = seed * 1664525u + 1013904223u;
        for (uint32_t n = (seed >> 16) % sizeof text; size < n; size++) {
            seed = seed * 1664525u + 1013904223u;
            text[size] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        check_any_text(text, size);
    }
}

/* Texts that invite looking for the same end again and again: a megabyte must not take seconds. */
static void stays_linear(void **state)
{
    static const char *const units[] = {
        "$a", "$a$", "$aaaaaaaaaaaaaaaaaaaaaaaaaa$", "/* ", "*/ /*", "'", "' ", "\"`", ":a:", "E'\\'", "$$ ",
        "--", "?"};
    const size_t size = 1 << 20;
    char *text = malloc(size);
    clock_t start = clock();

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        for (size_t at = 0; at < size; at++)
            text[at] = units[i][at % strlen(units[i])];
        check_any_text(text, size);
    }
    free(text);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10);
}

static void knows_open_comments(void **state)
{
    static const char *const open[] = {"/*", "a /* b", "a /*/", "/* */ /* x", "1 /* it's */ /*", "/* a /* b"};
    static const char *const closed[] = {"",     "/",      "*/",   "a / b", "/**/",         "/* a */",
                                         "'/*'", "\"/*\"", "`/*`", "-- /*", "a */* b */ c", "/* a /* b */"};

    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        assert_true(hy__scan_is_open(open[i], strlen(open[i])));
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        assert_false(hy__scan_is_open(closed[i], strlen(closed[i])));
}

static void knows_comments_of_a_line(void **state)
{
    static const char *const with[] = {"--", "a -- b", "a\n-- b", "a # b", "'--'"};
    static const char *const without[] = {"", "-", "a - b", "a -- b\n", "# a\nb - c", "- -"};

    (void)state;
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        assert_true(hy__scan_needs_line(with[i], strlen(with[i])));
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_false(hy__scan_needs_line(without[i], strlen(without[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans_the_table),
        cmocka_unit_test(tokens_add_up_to_the_text),
        cmocka_unit_test(stays_linear),
        cmocka_unit_test(knows_open_comments),
        cmocka_unit_test(knows_comments_of_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
