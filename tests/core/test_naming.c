/*
 * Names between conventions and English plurals: tables written by hand, both directions,
 * small buffers and the promise that what comes from snake_case goes back to it.
 */
#include "hy_test.h"

#include <stdio.h>

#include <hysteria/model.h>

typedef struct convention_case {
    const char *name, *snake, *camel, *pascal;
} convention_case;

static const convention_case conventions[] = {
    {"", "", "", ""},
    {"id", "id", "id", "Id"},
    {"a", "a", "a", "A"},
    {"A", "a", "a", "A"},
    {"userName", "user_name", "userName", "UserName"},
    {"UserName", "user_name", "userName", "UserName"},
    {"user_name", "user_name", "userName", "UserName"},
    {"USER_NAME", "user_name", "userName", "UserName"},
    {"parseHTMLText", "parse_html_text", "parseHTMLText", "ParseHTMLText"},
    {"HTMLText", "html_text", "htmlText", "HTMLText"},
    {"line2Text", "line2_text", "line2Text", "Line2Text"},
    {"line2_text", "line2_text", "line2Text", "Line2Text"},
    {"address1", "address1", "address1", "Address1"},
    {"address_1", "address_1", "address_1", "Address_1"},
    {"address1a", "address1a", "address1a", "Address1a"},
    {"utf8Name", "utf8_name", "utf8Name", "Utf8Name"},
    {"x2Y", "x2_y", "x2Y", "X2Y"},
    {"iPhone", "i_phone", "iPhone", "IPhone"},
    {"userID", "user_id", "userID", "UserID"},
    {"user_id", "user_id", "userId", "UserId"},
    {"aBC", "a_bc", "aBC", "ABC"},
    {"AlbumId", "album_id", "albumId", "AlbumId"},
    {"_id", "_id", "_id", "_Id"},
    {"id_", "id_", "id_", "Id_"},
    {"__a__b", "__a__b", "__a__b", "__A__b"},
    {"kebab-case", "kebab_case", "kebabCase", "KebabCase"},
    {"two words", "two_words", "twoWords", "TwoWords"},
    {"gr\xC3\xB6\xC3\x9F"
     "eWert",
     "gr\xC3\xB6\xC3\x9F"
     "e_wert",
     "gr\xC3\xB6\xC3\x9F"
     "eWert",
     "Gr\xC3\xB6\xC3\x9F"
     "eWert"},
    {"\xC3\xA4_b", "\xC3\xA4_b",
     "\xC3\xA4"
     "B",
     "\xC3\xA4"
     "B"},
    {"_", "_", "_", "_"},
    {"1a", "1a", "1a", "1a"},
};

static void check_convert(hy_naming to, const char *name, const char *expected)
{
    char out[64];
    size_t size = hy_naming_convert(to, name, strlen(name), out, sizeof out);

    assert_string_equal(out, expected);
    assert_int_equal(size, strlen(expected));
}

static void converts_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conventions / sizeof *conventions; i++) {
        const convention_case *c = &conventions[i];

        check_convert(HY_NAMING_PRESERVE, c->name, c->name);
        check_convert(HY_NAMING_SNAKE, c->name, c->snake);
        check_convert(HY_NAMING_CAMEL, c->name, c->camel);
        check_convert(HY_NAMING_PASCAL, c->name, c->pascal);
    }
}

/* Column names of real schemas become properties and come back as they were. */
static void snake_survives_camel(void **state)
{
    static const char *const names[] = {"id",        "created_at", "line2_text", "address1", "address_1",
                                        "utf8_name", "_private",   "trailing_",  "a_b",      "a__b",
                                        "is_3d",     "md5",        "x_y2_z",     "v2"};
    char camel[64], snake[64];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        hy_naming_convert(HY_NAMING_CAMEL, names[i], strlen(names[i]), camel, sizeof camel);
        hy_naming_convert(HY_NAMING_SNAKE, camel, strlen(camel), snake, sizeof snake);
        assert_string_equal(snake, names[i]);
    }
}

static void cuts_at_the_size(void **state)
{
    char out[8];

    (void)state;
    memset(out, 'x', sizeof out);
    assert_int_equal(hy_naming_convert(HY_NAMING_SNAKE, "userName", 8, out, 6), 5);
    assert_string_equal(out, "user_");
    assert_int_equal(out[6], 'x');
    assert_int_equal(hy_naming_convert(HY_NAMING_SNAKE, "abc", 3, out, 1), 0);
    assert_string_equal(out, "");
    assert_int_equal(hy_naming_convert(HY_NAMING_SNAKE, "abc", 3, NULL, 0), 0);
    /* never half a character: a, o-umlaut (2 bytes), euro (3 bytes) */
    assert_int_equal(hy_naming_convert(HY_NAMING_PRESERVE, "a\xC3\xB6\xE2\x82\xAC", 6, out, 3), 1);
    assert_string_equal(out, "a");
    assert_int_equal(hy_naming_convert(HY_NAMING_PRESERVE, "a\xC3\xB6\xE2\x82\xAC", 6, out, 4), 3);
    assert_string_equal(out, "a\xC3\xB6");
    assert_int_equal(hy_naming_convert(HY_NAMING_PRESERVE, "a\xC3\xB6\xE2\x82\xAC", 6, out, 6), 3);
    assert_string_equal(out, "a\xC3\xB6");
    assert_int_equal(hy_naming_convert(HY_NAMING_PRESERVE, "a\xC3\xB6\xE2\x82\xAC", 6, out, 7), 6);
    assert_string_equal(out, "a\xC3\xB6\xE2\x82\xAC");
    assert_int_equal(hy_naming_table("User", out, 4), 3);
    assert_string_equal(out, "use");
}

/* Only the size given counts: the text need not end there. */
static void reads_no_further(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(hy_naming_convert(HY_NAMING_SNAKE, "aBcDeF", 3, out, sizeof out), 4);
    assert_string_equal(out, "a_bc");
}

typedef struct word_case {
    const char *one, *many;
} word_case;

static const word_case words[] = {
    {"user", "users"},
    {"post", "posts"},
    {"category", "categories"},
    {"day", "days"},
    {"key", "keys"},
    {"company", "companies"},
    {"soliloquy", "soliloquies"},
    {"class", "classes"},
    {"address", "addresses"},
    {"process", "processes"},
    {"box", "boxes"},
    {"index", "indexes"},
    {"branch", "branches"},
    {"dish", "dishes"},
    {"status", "statuses"},
    {"bonus", "bonuses"},
    {"bus", "buses"},
    {"virus", "viruses"},
    {"house", "houses"},
    {"clause", "clauses"},
    {"warehouse", "warehouses"},
    {"database", "databases"},
    {"case", "cases"},
    {"purchase", "purchases"},
    {"course", "courses"},
    {"response", "responses"},
    {"license", "licenses"},
    {"size", "sizes"},
    {"prize", "prizes"},
    {"waltz", "waltzes"},
    {"buzz", "buzzes"},
    {"quiz", "quizzes"},
    {"photo", "photos"},
    {"logo", "logos"},
    {"hero", "heroes"},
    {"potato", "potatoes"},
    {"shoe", "shoes"},
    {"movie", "movies"},
    {"cookie", "cookies"},
    {"cache", "caches"},
    {"move", "moves"},
    {"archive", "archives"},
    {"leaf", "leaves"},
    {"life", "lives"},
    {"shelf", "shelves"},
    {"roof", "roofs"},
    {"person", "people"},
    {"child", "children"},
    {"man", "men"},
    {"woman", "women"},
    {"human", "humans"},
    {"mouse", "mice"},
    {"foot", "feet"},
    {"tooth", "teeth"},
    {"analysis", "analyses"},
    {"crisis", "crises"},
    {"axis", "axes"},
    {"criterion", "criteria"},
    {"alias", "aliases"},
    {"lens", "lenses"},
    {"schema", "schemas"},
    {"camera", "cameras"},
    {"epoch", "epochs"},
    {"menu", "menus"},
    {"use", "uses"},
    {"tie", "ties"},
    {"news", "news"},
    {"data", "data"},
    {"series", "series"},
    {"species", "species"},
    {"metadata", "metadata"},
    {"sheep", "sheep"},
    {"track", "tracks"},
    {"invoice", "invoices"},
    {"employee", "employees"},
    {"genre", "genres"},
    {"artist", "artists"},
    {"media_type", "media_types"},
    {"order_line", "order_lines"},
    {"news_item", "news_items"},
    {"person_child", "person_children"},
};

static void plurals_go_both_ways(void **state)
{
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_int_equal(hy_naming_table(words[i].one, out, sizeof out), strlen(words[i].many));
        assert_string_equal(out, words[i].many);
        assert_int_equal(hy_naming_singular(words[i].many, out, sizeof out), strlen(words[i].one));
        assert_string_equal(out, words[i].one);
        /* what is plural, or singular, already stays so */
        hy_naming_singular(words[i].one, out, sizeof out);
        assert_string_equal(out, words[i].one);
    }
}

static const word_case tables[] = {
    {"User", "users"},
    {"OrderLine", "order_lines"},
    {"Category", "categories"},
    {"NewsItem", "news_items"},
    {"SalesPerson", "sales_people"},
    {"HTTPRequest", "http_requests"},
    {"DiskMouse", "disk_mice"},
    {"Users", "users"},
    {"Settings", "settings"},
    {"Addresses", "addresses"},
    {"People", "people"},
    {"Datum", "data"},
    {"Line2", "line2s"},
    {"", ""},
    {"S", "s"},
    {"Y", "y"},
    {"_", "_"},
};

static void models_have_tables(void **state)
{
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        hy_naming_table(tables[i].one, out, sizeof out);
        assert_string_equal(out, tables[i].many);
    }
}

static const word_case singulars[] = {
    {"Users", "User"},
    {"OrderLines", "OrderLine"},
    {"SalesPeople", "SalesPerson"},
    {"USERS", "USER"},
    {"axes", "axis"},
    {"s", "s"},
    {"", ""},
    {"data", "data"},
    {"blog_posts_", "blog_posts_"},
    {"MediaTypes", "MediaType"},
};

static void singular_keeps_the_convention(void **state)
{
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof singulars / sizeof *singulars; i++) {
        hy_naming_singular(singulars[i].one, out, sizeof out);
        assert_string_equal(out, singulars[i].many);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_the_table),
        cmocka_unit_test(snake_survives_camel),
        cmocka_unit_test(cuts_at_the_size),
        cmocka_unit_test(reads_no_further),
        cmocka_unit_test(plurals_go_both_ways),
        cmocka_unit_test(models_have_tables),
        cmocka_unit_test(singular_keeps_the_convention),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
