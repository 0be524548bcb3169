/*
 * golden_json.c - golden SQL of JSON: places in documents, equality, containment.
 */
#include "golden.h"

#define S "SELECT `id` FROM `docs` WHERE "

static hy_expr *at(hy_query *q, const char *path, hy_json_part part)
{
    return hy_expr_json_path(q, col(q, "body"), path, strlen(path), part);
}
static hy_expr *match(hy_query *q, hy_json_test test, hy_expr *document, const char *json)
{
    hy_value value = hy_bytes(HY_JSON, json, strlen(json));
    return hy_expr_json_match(q, test, document, &value);
}

/* ---- places ------------------------------------------------------------------------------- */

static void values(hy_query *q)
{
    hy_query_select(q, at(q, "$", HY_JSON_VALUE), "whole");
    hy_query_select(q, at(q, "a.b", HY_JSON_VALUE), NULL);
    hy_query_select(q, at(q, "$.a[2].\"x.y\"", HY_JSON_VALUE), "deep");
}
static void first_item(hy_query *q)
{
    hy_query_select(q, at(q, "a.0", HY_JSON_VALUE), "first");
    and_(q, cmp(q, "id", HY_OP_GT, hy_int(7)));
}
static void texts(hy_query *q)
{
    hy_query_select(q, at(q, "", HY_JSON_STRING), "whole");
    hy_query_select(q, at(q, "a", HY_JSON_STRING), NULL);
}
static void lengths(hy_query *q)
{
    hy_query_select(q, at(q, "a", HY_JSON_LENGTH), "n");
}
static void keys(hy_query *q)
{
    hy_query_select(q, at(q, "a", HY_JSON_KEYS), "names");
}
static void by_steps(hy_query *q)
{
    hy_json_step steps[] = {{.key = "0", .size = 1}, {.key = "q\"\\\n", .size = 4}, {.index = 3}};
    hy_query_select(q, hy_expr_json(q, col(q, "body"), steps, 3, HY_JSON_VALUE), "it");
}
static void in_order(hy_query *q)
{
    pick(q, "id");
    hy_query_order_by(q, at(q, "n", HY_JSON_STRING), HY_DESC, HY_NULLS_DEFAULT);
    hy_query_limit(q, 2);
}
static void bad_path(hy_query *q)
{
    hy_query_select(q, at(q, "a..b", HY_JSON_VALUE), "it");
}
static void wild_path(hy_query *q)
{
    hy_query_select(q, at(q, "a[*]", HY_JSON_VALUE), "it");
}
static void negative(hy_query *q)
{
    hy_json_step step = {.index = -1};
    hy_query_select(q, hy_expr_json(q, col(q, "body"), &step, 1, HY_JSON_VALUE), "it");
}

/* ---- documents ---------------------------------------------------------------------------- */

static void equal(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_EQUALS, col(q, "body"), "{\"a\":1}"));
    or_(q, cmp(q, "id", HY_OP_EQ, hy_int(1)));
}
static void not_equal(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(1)));
    hy_query_predicate(q, HY_SLOT_WHERE, HY_OR, true,
                       match(q, HY_JSON_EQUALS, at(q, "a", HY_JSON_VALUE), "[]"));
}
static void contains_object(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_CONTAINS, col(q, "body"), "{\"b\":{\"c\":\"x\"},\"a\":1}"));
}
static void contains_array(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_CONTAINS, col(q, "body"), "[1,{\"a\":[2]}]"));
}
static void contains_plain(hy_query *q)
{
    pick(q, "id");
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, true, match(q, HY_JSON_CONTAINS, col(q, "body"), "\"x\""));
}
static void contains_null(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_CONTAINS, col(q, "body"), "[null]"));
}
static void contains_at(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_CONTAINS, at(q, "tags", HY_JSON_VALUE), "[]"));
}
static void sensitive(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_EQUALS, col(q, "secret"), "{}"));
}
static void no_json(hy_query *q)
{
    pick(q, "id");
    hy_value value = hy_int(1);
    and_(q, hy_expr_json_match(q, HY_JSON_EQUALS, col(q, "body"), &value));
}
static void before_number(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "id", HY_OP_GT, hy_int(7)));
    and_(q, match(q, HY_JSON_LT, at(q, "a", HY_JSON_VALUE), "12"));
    or_(q, cmp(q, "id", HY_OP_EQ, hy_int(1)));
}
static void from_float(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_GE, col(q, "body"), "-1.5e3"));
}
static void behind_text(hy_query *q)
{
    pick(q, "id");
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, true,
                       match(q, HY_JSON_GT, at(q, "a[0]", HY_JSON_VALUE), "\"x\\n\""));
}
static void secret_order(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_LE, col(q, "secret"), "\"x\""));
}
static void no_order(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_LT, col(q, "body"), "true"));
}
static void no_order_of_lists(hy_query *q)
{
    pick(q, "id");
    and_(q, match(q, HY_JSON_LE, col(q, "body"), "[1]"));
}
static void in_subquery(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(DOC));
    pick(sub, "id");
    and_(sub, match(sub, HY_JSON_EQUALS, at(sub, "a", HY_JSON_VALUE), "2"));
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    and_(q, hy_expr_in_query(q, col(q, "id"), sub, false));
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(3)));
    hy_query_free(sub);
}

#define EXTRACT(path) "JSON_EXTRACT(`body`, " path ")"

static const golden cases[] = {
    {"JSON values", DOC, values, NULL, "text:a/text text:b/text text:a/text text:x.y/text",
     "whole:json b:json deep:json",
     .postgres = "SELECT CAST(`body` AS JSONB) AS `whole`, (CAST(`body` AS JSONB) -> CAST(? AS TEXT) -> "
                 "CAST(? AS TEXT)), (CAST(`body` AS JSONB) -> CAST(? AS TEXT) -> 2 -> CAST(? AS TEXT)) AS "
                 "`deep` FROM `docs`",
     .mysql =
         "SELECT JSON_EXTRACT(`body`, ?) AS `whole`, JSON_EXTRACT(`body`, ?), JSON_EXTRACT(`body`, ?) AS "
         "`deep` FROM `docs`",
     .sqlite =
         "SELECT hysteria_json(`body`, ?) AS `whole`, hysteria_json(`body`, ?), hysteria_json(`body`, ?)"
         " AS `deep` FROM `docs`",
     .binds_mysql = "text:$/text text:$.\"a\".\"b\"/text text:$.\"a\"[2].\"x.y\"/text",
     .binds_sqlite = "text:$/text text:$.\"a\".\"b\"/text text:$.\"a\"[2].\"x.y\"/text"},
    {"JSON item 0 of arrays alone", DOC, first_item, NULL, "text:a/text text:a/text int:7/bigInteger",
     "first:json",
     .postgres = "SELECT CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> CAST(? AS TEXT))) = 'array' THEN "
                 "(CAST(`body` AS JSONB) -> CAST(? AS TEXT) -> 0) END AS `first` FROM `docs` WHERE `id` > ?",
     .mysql =
         "SELECT CASE WHEN JSON_TYPE(JSON_EXTRACT(`body`, ?)) = 'ARRAY' THEN JSON_EXTRACT(`body`, ?) END AS "
         "`first` FROM `docs` WHERE `id` > ?",
     .sqlite = "SELECT hysteria_json(`body`, ?) AS `first` FROM `docs` WHERE `id` > ?",
     .binds_mysql = "text:$.\"a\"/text text:$.\"a\"[0]/text int:7/bigInteger",
     .binds_sqlite = "text:$.\"a\"[0]/text int:7/bigInteger"},
    {"JSON as text", DOC, texts, NULL, "text:a/text", "whole:text a:text",
     .postgres = "SELECT (CAST(`body` AS JSONB) #>> '{}') AS `whole`, (CAST(`body` AS JSONB) ->> CAST(? AS "
                 "TEXT)) FROM `docs`",
     .mysql = "SELECT CASE WHEN JSON_TYPE(" EXTRACT("?") ") <> 'NULL' THEN JSON_UNQUOTE(" EXTRACT(
         "?") ") END AS `whole`, CASE WHEN JSON_TYPE(" EXTRACT("?") ") <> 'NULL' THEN "
                                                                    "JSON_UNQUOTE(" EXTRACT("?") ") END "
                                                                                                 "FROM "
                                                                                                 "`docs`",
     .sqlite = "SELECT hysteria_json_text(`body`, ?) AS `whole`, hysteria_json_text(`body`, ?) FROM `docs`",
     .binds_mysql = "text:$/text text:$/text text:$.\"a\"/text text:$.\"a\"/text",
     .binds_sqlite = "text:$/text text:$.\"a\"/text"},
    {"JSON array length", DOC, lengths, NULL, "text:a/text text:a/text", "n:bigInteger",
     .postgres = "SELECT CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> CAST(? AS TEXT))) = 'array' THEN "
                 "jsonb_array_length((CAST(`body` AS JSONB) -> CAST(? AS TEXT))) END AS `n` FROM `docs`",
     .mysql = "SELECT CASE WHEN JSON_TYPE(" EXTRACT("?") ") = 'ARRAY' THEN JSON_LENGTH(" EXTRACT(
         "?") ") END AS `n` FROM `docs`",
     .sqlite = "SELECT hysteria_json_length(`body`, ?) AS `n` FROM `docs`",
     .binds_mysql = "text:$.\"a\"/text text:$.\"a\"/text", .binds_sqlite = "text:$.\"a\"/text"},
    {"JSON keys", DOC, keys, NULL, "text:a/text text:a/text", "names:json",
     .postgres = "SELECT CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> CAST(? AS TEXT))) = 'object' THEN "
                 "COALESCE((SELECT jsonb_agg(hysteria_key) FROM jsonb_object_keys((CAST(`body` AS JSONB) -> "
                 "CAST(? AS TEXT))) AS hysteria_key), CAST('[]' AS JSONB)) END AS `names` FROM `docs`",
     .mysql = "SELECT JSON_KEYS(" EXTRACT("?") ") AS `names` FROM `docs`",
     .sqlite = "SELECT hysteria_json_keys(`body`, ?) AS `names` FROM `docs`",
     .binds_mysql = "text:$.\"a\"/text", .binds_sqlite = "text:$.\"a\"/text"},
    {"JSON names that are no numbers", DOC, by_steps, NULL, "text:0/text text:q\"\\\n/text", "it:json",
     .postgres =
         "SELECT (CAST(`body` AS JSONB) -> CAST(? AS TEXT) -> CAST(? AS TEXT) -> 3) AS `it` FROM `docs`",
     .mysql = "SELECT JSON_EXTRACT(`body`, ?) AS `it` FROM `docs`",
     .sqlite = "SELECT hysteria_json(`body`, ?) AS `it` FROM `docs`",
     .binds_mysql = "text:$.\"0\".\"q\\\"\\\\\\n\"[3]/text",
     .binds_sqlite = "text:$.\"0\".\"q\\\"\\\\\\n\"[3]/text"},
    {"JSON in ORDER BY", DOC, in_order, NULL, "text:n/text int:2/bigInteger",
     .postgres = "SELECT `id` FROM `docs` ORDER BY (CAST(`body` AS JSONB) ->> CAST(? AS TEXT)) DESC LIMIT ?",
     .mysql = "SELECT `id` FROM `docs` ORDER BY CASE WHEN JSON_TYPE(" EXTRACT(
         "?") ") <> 'NULL' THEN JSON_UNQUOTE(" EXTRACT("?") ") END DESC LIMIT ?",
     .sqlite = "SELECT `id` FROM `docs` ORDER BY hysteria_json_text(`body`, ?) DESC LIMIT ?",
     .binds_mysql = "text:$.\"n\"/text text:$.\"n\"/text int:2/bigInteger",
     .binds_sqlite = "text:$.\"n\"/text int:2/bigInteger"},
    {"a JSON path with a gap", DOC, bad_path, .fails = HY_EINVALID_ARGUMENT},
    {"a JSON path with a wildcard", DOC, wild_path, .fails = HY_EINVALID_ARGUMENT},
    {"a JSON item before the first", DOC, negative, .fails = HY_EINVALID_ARGUMENT},
    {"JSON equality", DOC, equal, NULL, "json:{\"a\":1}/json int:1/bigInteger",
     .postgres = S "CAST(`body` AS JSONB) = CAST(? AS JSONB) OR `id` = ?",
     .mysql = S "`body` = CAST(? AS JSON) OR `id` = ?",
     .mariadb = S "CASE WHEN `body` IS NOT NULL THEN JSON_EQUALS(`body`, ?) END OR `id` = ?",
     .sqlite = S "hysteria_json_equals(`body`, ?, ?) OR `id` = ?",
     .binds_sqlite = "text:$/text json:{\"a\":1}/json int:1/bigInteger", .newest = true},
    {"JSON equality of old servers", DOC, equal, NULL, "json:{\"a\":1}/json int:1/bigInteger",
     .postgres = S "CAST(`body` AS JSONB) = CAST(? AS JSONB) OR `id` = ?",
     .mysql = S "`body` = CAST(? AS JSON) OR `id` = ?", .mariadb = "!comparing JSON documents",
     .sqlite = S "hysteria_json_equals(`body`, ?, ?) OR `id` = ?",
     .binds_sqlite = "text:$/text json:{\"a\":1}/json int:1/bigInteger"},
    {"JSON inequality at a place", DOC, not_equal, NULL, "int:1/bigInteger text:a/text json:[]/json",
     .postgres = S "`id` = ? OR NOT ((CAST(`body` AS JSONB) -> CAST(? AS TEXT)) = CAST(? AS JSONB))",
     .mysql = S "`id` = ? OR NOT (" EXTRACT("?") " = CAST(? AS JSON))",
     .mariadb = S
     "`id` = ? OR NOT (CASE WHEN " EXTRACT("?") " IS NOT NULL THEN JSON_EQUALS(" EXTRACT("?") ", ?) END)",
     .binds_mariadb = "int:1/bigInteger text:$.\"a\"/text text:$.\"a\"/text json:[]/json",
     .sqlite = S "`id` = ? OR NOT (hysteria_json_equals(`body`, ?, ?))",
     .binds_mysql = "int:1/bigInteger text:$.\"a\"/text json:[]/json",
     .binds_sqlite = "int:1/bigInteger text:$.\"a\"/text json:[]/json", .newest = true},
    {"JSON containment of an object", DOC, contains_object, NULL, "json:{\"b\":{\"c\":\"x\"},\"a\":1}/json",
     .postgres = S "CAST(`body` AS JSONB) @> CAST(? AS JSONB)",
     .mysql = S "JSON_CONTAINS(`body`, ?) AND JSON_TYPE(`body`) = 'OBJECT' AND JSON_TYPE(" EXTRACT(
         "?") ") <> 'ARRAY' AND JSON_TYPE(" EXTRACT("?") ") = 'OBJECT' AND JSON_TYPE(" EXTRACT("?") ") <> "
                                                                                                    "'ARRAY'",
     .sqlite = S "hysteria_json_contains(`body`, ?, ?)",
     .binds_mysql = "json:{\"b\":{\"c\":\"x\"},\"a\":1}/json text:$.\"a\"/text text:$.\"b\"/text "
                    "text:$.\"b\".\"c\"/text",
     .binds_sqlite = "text:$/text json:{\"b\":{\"c\":\"x\"},\"a\":1}/json"},
    {"JSON containment of an array", DOC, contains_array, NULL, "json:[1,{\"a\":[2]}]/json",
     .postgres = S "CAST(`body` AS JSONB) @> CAST(? AS JSONB)",
     .mysql = S
     "JSON_CONTAINS(`body`, ?)"
     " AND CASE WHEN `body` IS NOT NULL THEN EXISTS (SELECT 1 FROM JSON_TABLE(`body`, '$[*]' COLUMNS (item "
     "JSON PATH '$')) AS hysteria_json1"
     " WHERE JSON_CONTAINS(hysteria_json1.item, ?) AND JSON_TYPE(hysteria_json1.item) <> 'ARRAY') END"
     " AND CASE WHEN `body` IS NOT NULL THEN EXISTS (SELECT 1 FROM JSON_TABLE(`body`, '$[*]' COLUMNS (item "
     "JSON PATH '$')) AS hysteria_json1"
     " WHERE JSON_CONTAINS(hysteria_json1.item, ?) AND JSON_TYPE(hysteria_json1.item) = 'OBJECT'"
     " AND EXISTS (SELECT 1 FROM JSON_TABLE(JSON_EXTRACT(hysteria_json1.item, ?), '$[*]' COLUMNS (item JSON "
     "PATH '$')) AS hysteria_json2"
     " WHERE JSON_CONTAINS(hysteria_json2.item, ?) AND JSON_TYPE(hysteria_json2.item) <> 'ARRAY')) END",
     .sqlite = S "hysteria_json_contains(`body`, ?, ?)",
     .binds_mysql =
         "json:[1,{\"a\":[2]}]/json json:1/json json:{\"a\":[2]}/json text:$.\"a\"/text json:2/json",
     .binds_sqlite = "text:$/text json:[1,{\"a\":[2]}]/json"},
    {"JSON containment of a plain value", DOC, contains_plain, NULL, "json:\"x\"/json",
     .postgres = S "NOT (CAST(`body` AS JSONB) @> CAST(? AS JSONB))",
     .mysql = S
     "NOT (JSON_CONTAINS(`body`, ?) AND (JSON_TYPE(`body`) <> 'ARRAY'"
     " OR CASE WHEN `body` IS NOT NULL THEN EXISTS (SELECT 1 FROM JSON_TABLE(`body`, '$[*]' COLUMNS (item "
     "JSON PATH '$')) AS hysteria_json1"
     " WHERE JSON_CONTAINS(hysteria_json1.item, ?) AND JSON_TYPE(hysteria_json1.item) <> 'ARRAY') END))",
     .sqlite = S "NOT (hysteria_json_contains(`body`, ?, ?))",
     .binds_mysql = "json:\"x\"/json json:\"x\"/json", .binds_sqlite = "text:$/text json:\"x\"/json"},
    {"JSON containment of null in an array", DOC, contains_null, NULL, "json:[null]/json",
     .postgres = S "CAST(`body` AS JSONB) @> CAST(? AS JSONB)",
     .mysql = S "JSON_CONTAINS(`body`, ?) AND CASE WHEN `body` IS NOT NULL THEN EXISTS (SELECT 1 FROM "
                "JSON_TABLE(`body`, "
                "'$[*]' COLUMNS (item JSON PATH '$')) AS hysteria_json1"
                " WHERE hysteria_json1.item IS NULL OR JSON_TYPE(hysteria_json1.item) = 'NULL') END",
     .sqlite = S "hysteria_json_contains(`body`, ?, ?)", .binds_sqlite = "text:$/text json:[null]/json"},
    {"JSON containment at a place", DOC, contains_at, NULL, "text:tags/text json:[]/json",
     .postgres = S "(CAST(`body` AS JSONB) -> CAST(? AS TEXT)) @> CAST(? AS JSONB)",
     .mysql = S "JSON_CONTAINS(" EXTRACT("?") ", ?)", .sqlite = S "hysteria_json_contains(`body`, ?, ?)",
     .binds_mysql = "text:$.\"tags\"/text json:[]/json", .binds_sqlite = "text:$.\"tags\"/text json:[]/json"},
    {"a sensitive document", DOC, sensitive, NULL, "json:{}/json!",
     .postgres = S "CAST(`secret` AS JSONB) = CAST(? AS JSONB)", .mysql = S "`secret` = CAST(? AS JSON)",
     .mariadb = S "CASE WHEN `secret` IS NOT NULL THEN JSON_EQUALS(`secret`, ?) END",
     .sqlite = S "hysteria_json_equals(`secret`, ?, ?)", .binds_sqlite = "text:$/text json:{}/json!",
     .newest = true},
    {"no document", DOC, no_json, .fails = HY_EINVALID_ARGUMENT},
    {"a whole number in a document", DOC, before_number, NULL, NULL,
     .postgres =
         S "`id` > ? AND CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> CAST(? AS TEXT))) = 'number' "
           "THEN CAST((CAST(`body` AS JSONB) ->> CAST(? AS TEXT)) AS NUMERIC) < CAST(? AS NUMERIC) END "
           "OR `id` = ?",
     .binds_postgres = "int:7/bigInteger text:a/text text:a/text text:12/text int:1/bigInteger",
     .mysql = S "`id` > ? AND CASE WHEN JSON_TYPE(" EXTRACT(
         "?") ") IN ('INTEGER', 'UNSIGNED INTEGER', "
              "'DOUBLE', 'DECIMAL') THEN " EXTRACT("?") " < CAST(? AS JSON) END OR `id` = ?",
     .binds_mysql = "int:7/bigInteger text:$.\"a\"/text text:$.\"a\"/text json:12/json int:1/bigInteger",
     .mariadb = S "`id` > ? AND CASE JSON_TYPE(" EXTRACT("?") ") WHEN 'INTEGER' THEN CAST(" EXTRACT(
         "?") " AS DECIMAL(65)) < CAST(? AS DECIMAL(65)) WHEN 'DOUBLE' THEN CAST(" EXTRACT("?") " AS DOUBLE) "
                                                                                                "< CAST(? AS "
                                                                                                "DOUBLE) END "
                                                                                                "OR `id` = ?",
     .binds_mariadb = "int:7/bigInteger text:$.\"a\"/text text:$.\"a\"/text text:12/text "
                      "text:$.\"a\"/text text:12/text int:1/bigInteger",
     .sqlite = S "`id` > ? AND hysteria_json_compare(`body`, ?, ?) < 0 OR `id` = ?",
     .binds_sqlite = "int:7/bigInteger text:$.\"a\"/text json:12/json int:1/bigInteger"},
    {"a float in a document", DOC, from_float, NULL, NULL,
     .postgres = S "CASE WHEN jsonb_typeof(CAST(`body` AS JSONB)) = 'number' THEN "
                   "CAST((CAST(`body` AS JSONB) #>> '{}') AS NUMERIC) >= CAST(? AS NUMERIC) END",
     .binds_postgres = "text:-1.5e3/text",
     .mysql = S "CASE WHEN JSON_TYPE(`body`) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') THEN "
                "`body` >= CAST(? AS JSON) END",
     .binds_mysql = "json:-1.5e3/json",
     .mariadb = S "CASE WHEN JSON_TYPE(`body`) IN ('INTEGER', 'DOUBLE') THEN "
                  "CAST(`body` AS DOUBLE) >= CAST(? AS DOUBLE) END",
     .binds_mariadb = "text:-1.5e3/text", .sqlite = S "hysteria_json_compare(`body`, ?, ?) >= 0",
     .binds_sqlite = "text:$/text json:-1.5e3/json"},
    {"a text in a document", DOC, behind_text, NULL, NULL,
     .postgres =
         S "NOT (CASE WHEN jsonb_typeof(CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> "
           "CAST(? AS TEXT))) = 'array' THEN (CAST(`body` AS JSONB) -> CAST(? AS TEXT) -> 0) END) = "
           "'string' THEN CAST(CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> CAST(? AS TEXT))) = "
           "'array' THEN (CAST(`body` AS JSONB) -> CAST(? AS TEXT) ->> 0) END AS TEXT) COLLATE \"C\" > "
           "CAST(? AS TEXT) END)",
     .cockroachdb =
         S "NOT (CASE WHEN jsonb_typeof(CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> "
           "CAST(? AS TEXT))) = 'array' THEN (CAST(`body` AS JSONB) -> CAST(? AS TEXT) -> 0) END) = "
           "'string' THEN CAST(CASE WHEN jsonb_typeof((CAST(`body` AS JSONB) -> CAST(? AS TEXT))) = "
           "'array' THEN (CAST(`body` AS JSONB) -> CAST(? AS TEXT) ->> 0) END AS TEXT) > "
           "CAST(? AS TEXT) END)",
     .binds_postgres = "text:a/text text:a/text text:a/text text:a/text text:x\n/text",
     .mysql = S "NOT (CASE WHEN JSON_TYPE(CASE WHEN JSON_TYPE(" EXTRACT("?") ") = 'ARRAY' THEN " EXTRACT(
         "?") " END) = 'STRING' THEN CASE WHEN JSON_TYPE(" EXTRACT("?") ") = 'ARRAY' THEN " EXTRACT("?") " EN"
                                                                                                         "D "
                                                                                                         "> "
                                                                                                         "CAS"
                                                                                                         "T(?"
                                                                                                         " AS"
                                                                                                         " JS"
                                                                                                         "ON)"
                                                                                                         " EN"
                                                                                                         "D)",
     .binds_mysql = "text:$.\"a\"/text text:$.\"a\"[0]/text text:$.\"a\"/text text:$.\"a\"[0]/text "
                    "json:\"x\\n\"/json",
     .mariadb = S "NOT (CASE WHEN JSON_TYPE(CASE WHEN JSON_TYPE(" EXTRACT("?") ") = 'ARRAY' THEN " EXTRACT(
         "?") " END) = 'STRING' THEN CONVERT(JSON_UNQUOTE(CASE WHEN "
              "JSON_TYPE(" EXTRACT("?") ") = 'ARRAY' THEN " EXTRACT("?") " E"
                                                                         "ND"
                                                                         ") "
                                                                         "US"
                                                                         "IN"
                                                                         "G "
                                                                         "ut"
                                                                         "f8"
                                                                         "mb"
                                                                         "4)"
                                                                         " C"
                                                                         "OL"
                                                                         "LA"
                                                                         "TE"
                                                                         " u"
                                                                         "tf"
                                                                         "8m"
                                                                         "b4"
                                                                         "_n"
                                                                         "op"
                                                                         "ad"
                                                                         "_b"
                                                                         "in"
                                                                         " >"
                                                                         " ?"
                                                                         " E"
                                                                         "ND"
                                                                         ")",
     .binds_mariadb = "text:$.\"a\"/text text:$.\"a\"[0]/text text:$.\"a\"/text text:$.\"a\"[0]/text "
                      "text:x\n/text",
     .sqlite = S "NOT (hysteria_json_compare(`body`, ?, ?) > 0)",
     .binds_sqlite = "text:$.\"a\"[0]/text json:\"x\\n\"/json"},
    {"a sensitive text in a document", DOC, secret_order, NULL, NULL,
     .postgres = S "CASE WHEN jsonb_typeof(CAST(`secret` AS JSONB)) = 'string' THEN "
                   "CAST((CAST(`secret` AS JSONB) #>> '{}') AS TEXT) COLLATE \"C\" <= CAST(? AS TEXT) END",
     .cockroachdb = S "CASE WHEN jsonb_typeof(CAST(`secret` AS JSONB)) = 'string' THEN "
                      "CAST((CAST(`secret` AS JSONB) #>> '{}') AS TEXT) <= CAST(? AS TEXT) END",
     .binds_postgres = "text:x/text!",
     .mysql = S "CASE WHEN JSON_TYPE(`secret`) = 'STRING' THEN `secret` <= CAST(? AS JSON) END",
     .binds_mysql = "json:\"x\"/json!",
     .mariadb =
         S "CASE WHEN JSON_TYPE(`secret`) = 'STRING' THEN CONVERT(JSON_UNQUOTE(`secret`) USING utf8mb4) "
           "COLLATE utf8mb4_nopad_bin <= ? END",
     .binds_mariadb = "text:x/text!", .sqlite = S "hysteria_json_compare(`secret`, ?, ?) <= 0",
     .binds_sqlite = "text:$/text json:\"x\"/json!"},
    {"no order of truths in documents", DOC, no_order, .fails = HY_EINVALID_ARGUMENT},
    {"no order of lists in documents", DOC, no_order_of_lists, .fails = HY_EINVALID_ARGUMENT},
    {"JSON inside a subquery, binds around it", USER, in_subquery, NULL,
     "int:1/integer text:a/text json:2/json int:3/integer",
     .postgres = "SELECT `id` FROM `users` WHERE `age` = ? AND `id` IN (SELECT `id` FROM `docs` WHERE "
                 "(CAST(`body` AS JSONB) -> CAST(? AS TEXT)) = CAST(? AS JSONB)) AND `age` = ?",
     .mysql = "SELECT `id` FROM `users` WHERE `age` = ? AND `id` IN (SELECT `id` FROM `docs` WHERE "
              "JSON_EXTRACT(`body`, ?) = CAST(? AS JSON)) AND `age` = ?",
     .mariadb = "SELECT `id` FROM `users` WHERE `age` = ? AND `id` IN (SELECT `id` FROM `docs` WHERE "
                "CASE WHEN JSON_EXTRACT(`body`, ?) IS NOT NULL THEN JSON_EQUALS(JSON_EXTRACT(`body`, ?), ?) "
                "END) AND `age` = ?",
     .binds_mariadb = "int:1/integer text:$.\"a\"/text text:$.\"a\"/text json:2/json int:3/integer",
     .sqlite = "SELECT `id` FROM `users` WHERE `age` = ? AND `id` IN (SELECT `id` FROM `docs` WHERE "
               "hysteria_json_equals(`body`, ?, ?)) AND `age` = ?",
     .binds_mysql = "int:1/integer text:$.\"a\"/text json:2/json int:3/integer",
     .binds_sqlite = "int:1/integer text:$.\"a\"/text json:2/json int:3/integer", .newest = true},
};

const golden_group golden_json = {"json", cases, sizeof cases / sizeof cases[0]};
