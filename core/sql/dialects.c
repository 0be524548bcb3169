/*
 * dialects.c - the five dialects: what each spells in its own way.
 *
 * Tables only, but for the two ways to write a list as one value. Holes mean "as ANSI has it".
 * CockroachDB is PostgreSQL with differences, MariaDB is MySQL with differences: the shared
 * part stands once, in a macro. Adding a database means adding a table here.
 *
 * LIKE is left plain everywhere: on MySQL and MariaDB the column's collation decides about
 * case; PostgreSQL and CockroachDB mind it; SQLite's driver makes it do so.
 */
#include <string.h>

#include "sql/emit.h"

/* ---- clause lists ----------------------------------------------------------------------- */

static const hy_clause select_clauses[] = {
    hy__clause_with,
    hy__clause_set_open,
    hy__clause_select,
    hy__clause_from,
    hy__clause_joins,
    hy__clause_where,
    hy__clause_group,
    hy__clause_having,
    hy__clause_members,
    hy__clause_order,
    hy__clause_limit,
    hy__clause_lock,
    NULL,
};

static const hy_clause insert_clauses[] = {
    hy__clause_with, hy__clause_insert, hy__clause_values, hy__clause_upsert, hy__clause_returning, NULL,
};

/* UPDATE t SET ... FROM others */
static const hy_clause update_from_clauses[] = {
    hy__clause_with,  hy__clause_update,      hy__clause_set,       hy__clause_update_from,
    hy__clause_where, hy__clause_write_order, hy__clause_returning, NULL,
};

/* UPDATE t JOIN others SET ... */
static const hy_clause update_join_clauses[] = {
    hy__clause_with,  hy__clause_update,      hy__clause_update_joins, hy__clause_set,
    hy__clause_where, hy__clause_write_order, hy__clause_returning,    NULL,
};

static const hy_clause delete_clauses[] = {
    hy__clause_with, hy__clause_delete, hy__clause_where, hy__clause_write_order, hy__clause_returning, NULL,
};

static const hy_clause delete_using_clauses[] = {
    hy__clause_with,
    hy__clause_delete,
    hy__clause_delete_using,
    hy__clause_where,
    hy__clause_write_order,
    hy__clause_returning,
    NULL,
};

static const hy_clause truncate_clauses[] = {hy__clause_truncate, NULL};
static const hy_clause delete_all_clauses[] = {hy__clause_delete_all, NULL};

/* ---- lists as one value ----------------------------------------------------------------- */

static void put_quoted_item(hy_buf *out, const hy_value *value, void (*put)(hy_buf *out, char c))
{
    if (value->type == HY_INT) {
        hy_buf_put_int(out, value->as.integer);
        return;
    }
    hy_buf_putc(out, '"');
    for (size_t i = 0; i < value->as.text.size; i++)
        put(out, value->as.text.data[i]);
    hy_buf_putc(out, '"');
}

static void put_escaped(hy_buf *out, char c)
{
    if (c == '"' || c == '\\')
        hy_buf_putc(out, '\\');
    hy_buf_putc(out, c);
}

static void put_json(hy_buf *out, char c)
{
    static const char digits[] = "0123456789abcdef";

    if ((unsigned char)c >= ' ') {
        put_escaped(out, c);
        return;
    }
    hy_buf_puts(out, "\\u00");
    hy_buf_putc(out, digits[(unsigned char)c >> 4]);
    hy_buf_putc(out, digits[c & 0x0F]);
}

static void array_open(hy_buf *out)
{
    hy_buf_putc(out, '{');
}
static void array_item(hy_buf *out, const hy_value *value)
{
    put_quoted_item(out, value, put_escaped);
}
static void array_close(hy_buf *out)
{
    hy_buf_putc(out, '}');
}
static void json_open(hy_buf *out)
{
    hy_buf_putc(out, '[');
}
static void json_item(hy_buf *out, const hy_value *value)
{
    put_quoted_item(out, value, put_json);
}
static void json_close(hy_buf *out)
{
    hy_buf_putc(out, ']');
}

/* ---- PostgreSQL and CockroachDB --------------------------------------------------------- */

static const hy_op_text postgres_ops[HY_OP_COUNT] = {
    [HY_OP_REGEXP] = {.between = " ~ "},
    [HY_OP_NOT_REGEXP] = {.between = " !~ "},
    [HY_OP_IREGEXP] = {.between = " ~* "},
    [HY_OP_NOT_IREGEXP] = {.between = " !~* "},
};

static const char *const postgres_functions[HY_FUNCTION_NUMBER_COUNT] = {NULL};

static const char *const postgres_casts[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "BOOLEAN",     [HY_KIND_TINYINT] = "SMALLINT",
    [HY_KIND_SMALLINT] = "SMALLINT",   [HY_KIND_MEDIUMINT] = "INTEGER",
    [HY_KIND_INTEGER] = "INTEGER",     [HY_KIND_BIGINT] = "BIGINT",
    [HY_KIND_FLOAT] = "REAL",          [HY_KIND_DOUBLE] = "DOUBLE PRECISION",
    [HY_KIND_DECIMAL] = "NUMERIC",     [HY_KIND_STRING] = "TEXT",
    [HY_KIND_CHAR] = "TEXT",           [HY_KIND_TEXT] = "TEXT",
    [HY_KIND_ENUM] = "TEXT",           [HY_KIND_ULID] = "TEXT",
    [HY_KIND_UUID] = "UUID",           [HY_KIND_BINARY] = "BYTEA",
    [HY_KIND_VARBINARY] = "BYTEA",     [HY_KIND_JSON] = "JSON",
    [HY_KIND_JSONB] = "JSONB",         [HY_KIND_DATE] = "DATE",
    [HY_KIND_TIME] = "TIME",           [HY_KIND_DATETIME] = "TIMESTAMP",
    [HY_KIND_TIMESTAMP] = "TIMESTAMP",
};

static const hy_list_text postgres_integer_list = {" = ANY(", " <> ALL(", "::bigint[])"};
static const hy_list_text postgres_text_list = {" = ANY(", " <> ALL(", "::text[])"};

static const hy_feature_since postgres_features[] = {
    {HY_FEATURE_NUMBER_RETURNING_INSERT, 0},
    {HY_FEATURE_NUMBER_RETURNING_UPDATE, 0},
    {HY_FEATURE_NUMBER_RETURNING_DELETE, 0},
    {HY_FEATURE_NUMBER_DISTINCT_ON, 0},
    {HY_FEATURE_NUMBER_FULL_JOIN, 0},
    {HY_FEATURE_NUMBER_RIGHT_JOIN, 0},
    {HY_FEATURE_NUMBER_MATERIALIZED_CTE, 120000},
    {HY_FEATURE_NUMBER_CTE, 0},
    {HY_FEATURE_NUMBER_INTERSECT_EXCEPT, 0},
    {HY_FEATURE_NUMBER_WINDOW, 0},
    {HY_FEATURE_NUMBER_LOCK, 0},
    {HY_FEATURE_NUMBER_LOCK_SHARE, 0},
    {HY_FEATURE_NUMBER_LOCK_NOWAIT, 0},
    {HY_FEATURE_NUMBER_LOCK_SKIP, 0},
    {HY_FEATURE_NUMBER_DEFAULT_IN_VALUES, 0},
    {HY_FEATURE_NUMBER_NULLS_ORDER, 0},
    {HY_FEATURE_NUMBER_TRUNCATE, 0},
    {HY_FEATURE_NUMBER_ILIKE, 0},
    {HY_FEATURE_NUMBER_REGEXP, 0},
    {HY_FEATURE_NUMBER_ROW_VALUES, 0},
    {HY_FEATURE_NUMBER_UPSERT_TARGET, 0},
    {HY_FEATURE_NUMBER_TRANSACTIONAL_DDL, 0},
    {HY_FEATURE_NUMBER_SCHEMAS, 0},
    {HY_FEATURE_NUMBER_ARRAYS, 0},
    {HY_FEATURE_NUMBER_GENERATED_VIRTUAL, 180000},
    {HY_FEATURE_NUMBER_JSON_EQUALS, 0},
    {HY_FEATURE_COUNT, 0},
};

/* Its DDL is not undone by a rollback in every case; FOR SHARE locks nothing before 23.2. */
static const hy_feature_since cockroachdb_features[] = {
    {HY_FEATURE_NUMBER_RETURNING_INSERT, 0},
    {HY_FEATURE_NUMBER_RETURNING_UPDATE, 0},
    {HY_FEATURE_NUMBER_RETURNING_DELETE, 0},
    {HY_FEATURE_NUMBER_DISTINCT_ON, 0},
    {HY_FEATURE_NUMBER_FULL_JOIN, 0},
    {HY_FEATURE_NUMBER_RIGHT_JOIN, 0},
    {HY_FEATURE_NUMBER_MATERIALIZED_CTE, 0},
    {HY_FEATURE_NUMBER_CTE, 0},
    {HY_FEATURE_NUMBER_INTERSECT_EXCEPT, 0},
    {HY_FEATURE_NUMBER_WINDOW, 0},
    {HY_FEATURE_NUMBER_LOCK, 0},
    {HY_FEATURE_NUMBER_LOCK_SHARE, 230200},
    {HY_FEATURE_NUMBER_LOCK_NOWAIT, 0},
    {HY_FEATURE_NUMBER_LOCK_SKIP, 220200},
    {HY_FEATURE_NUMBER_DEFAULT_IN_VALUES, 0},
    {HY_FEATURE_NUMBER_NULLS_ORDER, 0},
    {HY_FEATURE_NUMBER_UPDATE_LIMIT, 0},
    {HY_FEATURE_NUMBER_DELETE_LIMIT, 0},
    {HY_FEATURE_NUMBER_TRUNCATE, 0},
    {HY_FEATURE_NUMBER_ILIKE, 0},
    {HY_FEATURE_NUMBER_REGEXP, 0},
    {HY_FEATURE_NUMBER_ROW_VALUES, 0},
    {HY_FEATURE_NUMBER_UPSERT_TARGET, 0},
    {HY_FEATURE_NUMBER_SCHEMAS, 0},
    {HY_FEATURE_NUMBER_ARRAYS, 0},
    {HY_FEATURE_NUMBER_GENERATED_VIRTUAL, 0},
    {HY_FEATURE_NUMBER_JSON_EQUALS, 0},
    {HY_FEATURE_COUNT, 0},
};

enum {
    POSTGRES_TRAITS = HY_TRAIT_MEMBER_PARENS | HY_TRAIT_INTERSECT_FIRST | HY_TRAIT_WITH_INSERT |
                      HY_TRAIT_WITH_WRITE | HY_TRAIT_UPDATE_FROM | HY_TRAIT_EXACT_AVG |
                      HY_TRAIT_QUESTION_OPERATOR
};

static const hy_stream_text postgres_stream = {
    .before = "DECLARE ", .has_name = true, .named = " NO SCROLL CURSOR FOR ", .after = ""};

#define POSTGRES_FAMILY                                                                                   \
    .quote = '"', .bind_style = HY_BIND_DOLLAR, .name_max = 63, .max_binds = 65535, .list_max = 100,      \
    .true_text = "TRUE", .false_text = "FALSE", .blob_before = "'\\x", .blob_after = "'",                 \
    .lock_share = "FOR SHARE", .excluded_before = "excluded.", .excluded_after = "", .ops = postgres_ops, \
    .functions = postgres_functions, .casts = postgres_casts, .integer_list = &postgres_integer_list,     \
    .text_list = &postgres_text_list, .upsert = hy__upsert_on_conflict, .concat = hy__concat_operator,    \
    .list_open = array_open, .list_item = array_item, .list_close = array_close,                          \
    .empty_insert = hy__empty_default_values, .stream = &postgres_stream, .analyze = "EXPLAIN ANALYZE ",  \
    .json_part = hy__json_part_arrows, .json_match = hy__json_match_arrows

/* What a value of that kind is sent as: the driver's types. Holes: the column's own type decides. */
static const char *const postgres_array_types[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "boolean",    [HY_KIND_TINYINT] = "smallint",
    [HY_KIND_SMALLINT] = "smallint",  [HY_KIND_MEDIUMINT] = "integer",
    [HY_KIND_INTEGER] = "integer",    [HY_KIND_BIGINT] = "bigint",
    [HY_KIND_FLOAT] = "real",         [HY_KIND_DOUBLE] = "double precision",
    [HY_KIND_DECIMAL] = "numeric",    [HY_KIND_STRING] = "text",
    [HY_KIND_CHAR] = "bpchar",        [HY_KIND_TEXT] = "text",
    [HY_KIND_ULID] = "bpchar",        [HY_KIND_UUID] = "uuid",
    [HY_KIND_BINARY] = "bytea",       [HY_KIND_VARBINARY] = "bytea",
    [HY_KIND_JSON] = "json",          [HY_KIND_JSONB] = "jsonb",
    [HY_KIND_DATE] = "date",          [HY_KIND_TIME] = "time",
    [HY_KIND_DATETIME] = "timestamp", [HY_KIND_TIMESTAMP] = "timestamp",
};

static const hy_dialect postgres = {
    POSTGRES_FAMILY,
    .name = "postgres",
    .by_code_point = " COLLATE \"C\"",
    .oldest = 120000,
    .traits = POSTGRES_TRAITS | HY_TRAIT_DELETE_USING | HY_TRAIT_NULLS_LAST,
    .features = postgres_features,
    .row_arrays = hy__rows_unnest,
    .array_types = postgres_array_types,
    .clauses = {select_clauses, insert_clauses, update_from_clauses, delete_using_clauses, truncate_clauses,
                NULL},
};

/* DELETE ... USING is younger than the oldest version supported. */
static const hy_dialect cockroachdb = {
    POSTGRES_FAMILY,
    .name = "cockroachdb",
    .by_code_point = "", /* as it is */
    .oldest = 220100,
    .traits = POSTGRES_TRAITS,
    .features = cockroachdb_features,
    .clauses = {select_clauses, insert_clauses, update_from_clauses, delete_clauses, truncate_clauses, NULL},
};

/* ---- MySQL and MariaDB ------------------------------------------------------------------ */

#define MYSQL_OPS                                                                                         \
    [HY_OP_ILIKE] = {"LOWER(", ") LIKE LOWER(", ")"},                                                     \
    [HY_OP_NOT_ILIKE] = {"LOWER(", ") NOT LIKE LOWER(", ")"}, [HY_OP_NULLSAFE_EQ] = {.between = " <=> "}, \
    [HY_OP_NULLSAFE_NE] = {"NOT (", " <=> ", ")"}, [HY_OP_CONCAT] = {"CONCAT(", ", ", ")"}

/* The pattern says whether case matters, not the column's collation. */
static const hy_op_text mysql_ops[HY_OP_COUNT] = {
    MYSQL_OPS,
    [HY_OP_REGEXP] = {"REGEXP_LIKE(", ", ", ", 'c')"},
    [HY_OP_NOT_REGEXP] = {"NOT REGEXP_LIKE(", ", ", ", 'c')"},
    [HY_OP_IREGEXP] = {"REGEXP_LIKE(", ", ", ", 'i')"},
    [HY_OP_NOT_IREGEXP] = {"NOT REGEXP_LIKE(", ", ", ", 'i')"},
};

static const hy_op_text mariadb_ops[HY_OP_COUNT] = {
    MYSQL_OPS,
    [HY_OP_REGEXP] = {.between = " REGEXP CONCAT('(?-i)', ", .after = ")"},
    [HY_OP_NOT_REGEXP] = {.between = " NOT REGEXP CONCAT('(?-i)', ", .after = ")"},
    [HY_OP_IREGEXP] = {.between = " REGEXP CONCAT('(?i)', ", .after = ")"},
    [HY_OP_NOT_IREGEXP] = {.between = " NOT REGEXP CONCAT('(?i)', ", .after = ")"},
};

static const char *const mysql_functions[HY_FUNCTION_NUMBER_COUNT] = {
    [HY_FUNCTION_LENGTH] = "CHAR_LENGTH", /* its LENGTH counts bytes */
    [HY_FUNCTION_NOW] = "NOW(6)",
};

static const char *const mysql_casts[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "UNSIGNED",
    [HY_KIND_TINYINT] = "SIGNED",
    [HY_KIND_SMALLINT] = "SIGNED",
    [HY_KIND_MEDIUMINT] = "SIGNED",
    [HY_KIND_INTEGER] = "SIGNED",
    [HY_KIND_BIGINT] = "SIGNED",
    [HY_KIND_FLOAT] = "DOUBLE",
    [HY_KIND_DOUBLE] = "DOUBLE",
    [HY_KIND_DECIMAL] = "DECIMAL(65, 30)",
    [HY_KIND_STRING] = "CHAR",
    [HY_KIND_CHAR] = "CHAR",
    [HY_KIND_TEXT] = "CHAR",
    [HY_KIND_ENUM] = "CHAR",
    [HY_KIND_ULID] = "CHAR",
    [HY_KIND_BINARY] = "BINARY",
    [HY_KIND_VARBINARY] = "BINARY",
    [HY_KIND_JSON] = "JSON",
    [HY_KIND_JSONB] = "JSON",
    [HY_KIND_DATE] = "DATE",
    [HY_KIND_TIME] = "TIME(6)",
    [HY_KIND_DATETIME] = "DATETIME(6)",
    [HY_KIND_TIMESTAMP] = "DATETIME(6)",
};

/* MariaDB's JSON is text and no target of CAST. */
static const char *const mariadb_casts[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "UNSIGNED",
    [HY_KIND_TINYINT] = "SIGNED",
    [HY_KIND_SMALLINT] = "SIGNED",
    [HY_KIND_MEDIUMINT] = "SIGNED",
    [HY_KIND_INTEGER] = "SIGNED",
    [HY_KIND_BIGINT] = "SIGNED",
    [HY_KIND_FLOAT] = "DOUBLE",
    [HY_KIND_DOUBLE] = "DOUBLE",
    [HY_KIND_DECIMAL] = "DECIMAL(65, 30)",
    [HY_KIND_STRING] = "CHAR",
    [HY_KIND_CHAR] = "CHAR",
    [HY_KIND_TEXT] = "CHAR",
    [HY_KIND_ENUM] = "CHAR",
    [HY_KIND_ULID] = "CHAR",
    [HY_KIND_BINARY] = "BINARY",
    [HY_KIND_VARBINARY] = "BINARY",
    [HY_KIND_DATE] = "DATE",
    [HY_KIND_TIME] = "TIME(6)",
    [HY_KIND_DATETIME] = "DATETIME(6)",
    [HY_KIND_TIMESTAMP] = "DATETIME(6)",
};

static const hy_list_text mysql_integer_list = {
    " IN (SELECT value FROM JSON_TABLE(", " NOT IN (SELECT value FROM JSON_TABLE(",
    ", '$[*]' COLUMNS (value BIGINT PATH '$')) AS hysteria_list)"};

static const hy_feature_since mysql_features[] = {
    {HY_FEATURE_NUMBER_RIGHT_JOIN, 0},
    {HY_FEATURE_NUMBER_CTE, 0},
    {HY_FEATURE_NUMBER_INTERSECT_EXCEPT, 80031},
    {HY_FEATURE_NUMBER_WINDOW, 0},
    {HY_FEATURE_NUMBER_LOCK, 0},
    {HY_FEATURE_NUMBER_LOCK_SHARE, 0},
    {HY_FEATURE_NUMBER_LOCK_NOWAIT, 0},
    {HY_FEATURE_NUMBER_LOCK_SKIP, 0},
    {HY_FEATURE_NUMBER_DEFAULT_IN_VALUES, 0},
    {HY_FEATURE_NUMBER_UPDATE_LIMIT, 0},
    {HY_FEATURE_NUMBER_DELETE_LIMIT, 0},
    {HY_FEATURE_NUMBER_TRUNCATE, 0},
    {HY_FEATURE_NUMBER_REGEXP, 0},
    {HY_FEATURE_NUMBER_ROW_VALUES, 0},
    {HY_FEATURE_NUMBER_SCHEMAS, 0},
    {HY_FEATURE_NUMBER_GENERATED_VIRTUAL, 0},
    {HY_FEATURE_NUMBER_JSON_EQUALS, 0},
    {HY_FEATURE_COUNT, 0},
};

static const hy_feature_since mariadb_features[] = {
    {HY_FEATURE_NUMBER_RETURNING_INSERT, 100500},
    {HY_FEATURE_NUMBER_RETURNING_DELETE, 0},
    {HY_FEATURE_NUMBER_RIGHT_JOIN, 0},
    {HY_FEATURE_NUMBER_CTE, 0},
    {HY_FEATURE_NUMBER_INTERSECT_EXCEPT, 100300},
    {HY_FEATURE_NUMBER_WINDOW, 0},
    {HY_FEATURE_NUMBER_LOCK, 0},
    {HY_FEATURE_NUMBER_LOCK_SHARE, 0},
    {HY_FEATURE_NUMBER_LOCK_NOWAIT, 100300},
    {HY_FEATURE_NUMBER_LOCK_SKIP, 100600},
    {HY_FEATURE_NUMBER_DEFAULT_IN_VALUES, 0},
    {HY_FEATURE_NUMBER_UPDATE_LIMIT, 0},
    {HY_FEATURE_NUMBER_DELETE_LIMIT, 0},
    {HY_FEATURE_NUMBER_TRUNCATE, 0},
    {HY_FEATURE_NUMBER_REGEXP, 0},
    {HY_FEATURE_NUMBER_ROW_VALUES, 0},
    {HY_FEATURE_NUMBER_SCHEMAS, 0},
    {HY_FEATURE_NUMBER_GENERATED_VIRTUAL, 0},
    {HY_FEATURE_NUMBER_JSON_EQUALS, 100700},
    {HY_FEATURE_COUNT, 0},
};

enum {
    MYSQL_TRAITS = HY_TRAIT_NAME_CHARACTERS | HY_TRAIT_BACKSLASH | HY_TRAIT_INNER_ALIAS |
                   HY_TRAIT_MEMBER_PARENS | HY_TRAIT_INTERSECT_FIRST | HY_TRAIT_UPDATE_JOIN |
                   HY_TRAIT_DELETE_JOIN | HY_TRAIT_ORDER_WRITE | HY_TRAIT_DERIVED_KEYS |
                   HY_TRAIT_DERIVED_LIMIT | HY_TRAIT_ROW_NOT_IN_DROPS | HY_TRAIT_NULL_NUMBERS |
                   HY_TRAIT_SET_IN_TURN
};

/* Text lists are written out: a JSON text's collation clashes with the column's. */
#define MYSQL_FAMILY                                                                                   \
    .quote = '`', .bind_style = HY_BIND_QUESTION, .name_max = 64, .limit_all = "18446744073709551615", \
    .max_binds = 65535, .list_max = 100, .locking_list_max = 30000, .true_text = "TRUE",               \
    .false_text = "FALSE", .blob_before = "X'", .blob_after = "'", .functions = mysql_functions,       \
    .integer_list = &mysql_integer_list, .concat = hy__concat_call, .list_open = json_open,            \
    .list_item = json_item, .list_close = json_close, .empty_insert = hy__empty_rows,                  \
    .json_part = hy__json_part_calls,                                                                  \
    .clauses = {select_clauses, insert_clauses, update_join_clauses, delete_clauses, truncate_clauses, NULL}

static const hy_dialect mysql = {
    MYSQL_FAMILY,
    .name = "mysql",
    .analyze = "EXPLAIN ANALYZE ",
    .ops = mysql_ops,
    .oldest = 80000,
    .traits = MYSQL_TRAITS | HY_TRAIT_WITH_WRITE | HY_TRAIT_DERIVED_OWN | HY_TRAIT_INTERSECT_DERIVED,
    .lock_share = "FOR SHARE",
    .excluded_before = "hysteria_new.",
    .excluded_after = "",
    .features = mysql_features,
    .casts = mysql_casts,
    .upsert = hy__upsert_on_duplicate_alias,
    .json_match = hy__json_match_cast,
};

static const hy_dialect mariadb = {
    MYSQL_FAMILY,
    .name = "mariadb",
    .by_code_point = " COLLATE utf8mb4_nopad_bin",
    .analyze = "ANALYZE ",
    .ops = mariadb_ops,
    .oldest = 100600,
    .traits = MYSQL_TRAITS | HY_TRAIT_ARRAYS_ALONE | HY_TRAIT_MEMBER_WITH_DERIVED,
    .row_arrays = hy__rows_repeated,
    .lock_share = "LOCK IN SHARE MODE",
    .excluded_before = "VALUES(",
    .excluded_after = ")",
    .features = mariadb_features,
    .casts = mariadb_casts,
    .upsert = hy__upsert_on_duplicate,
    .json_match = hy__json_match_equals,
};

/* ---- SQLite ----------------------------------------------------------------------------- */

/* Its LIKE has no escape character unless one is named; the others' is the backslash. */
static const hy_op_text sqlite_ops[HY_OP_COUNT] = {
    [HY_OP_REGEXP] = {"hysteria_regexp(", ", ", ")"},
    [HY_OP_NOT_REGEXP] = {"NOT hysteria_regexp(", ", ", ")"},
    [HY_OP_IREGEXP] = {"hysteria_iregexp(", ", ", ")"},
    [HY_OP_NOT_IREGEXP] = {"NOT hysteria_iregexp(", ", ", ")"},
    [HY_OP_LIKE] = {"", " LIKE ", " ESCAPE '\\'"},
    [HY_OP_NOT_LIKE] = {"", " NOT LIKE ", " ESCAPE '\\'"},
    [HY_OP_ILIKE] = {"LOWER(", ") LIKE LOWER(", ") ESCAPE '\\'"},
    [HY_OP_NOT_ILIKE] = {"LOWER(", ") NOT LIKE LOWER(", ") ESCAPE '\\'"},
    [HY_OP_NULLSAFE_EQ] = {.between = " IS "},
    [HY_OP_NULLSAFE_NE] = {.between = " IS NOT "},
};

static const char *const sqlite_functions[HY_FUNCTION_NUMBER_COUNT] = {
    [HY_FUNCTION_NOW] = "strftime('%Y-%m-%d %H:%M:%f', 'now')",
};

static const char *const sqlite_casts[HY_KIND_COUNT] = {
    [HY_KIND_BOOLEAN] = "INTEGER",   [HY_KIND_TINYINT] = "INTEGER", [HY_KIND_SMALLINT] = "INTEGER",
    [HY_KIND_MEDIUMINT] = "INTEGER", [HY_KIND_INTEGER] = "INTEGER", [HY_KIND_BIGINT] = "INTEGER",
    [HY_KIND_FLOAT] = "REAL",        [HY_KIND_DOUBLE] = "REAL",     [HY_KIND_DECIMAL] = "NUMERIC",
    [HY_KIND_STRING] = "TEXT",       [HY_KIND_CHAR] = "TEXT",       [HY_KIND_TEXT] = "TEXT",
    [HY_KIND_ENUM] = "TEXT",         [HY_KIND_ULID] = "TEXT",       [HY_KIND_UUID] = "TEXT",
    [HY_KIND_BINARY] = "BLOB",       [HY_KIND_VARBINARY] = "BLOB",  [HY_KIND_JSON] = "TEXT",
    [HY_KIND_JSONB] = "TEXT",        [HY_KIND_DATE] = "TEXT",       [HY_KIND_TIME] = "TEXT",
    [HY_KIND_DATETIME] = "TEXT",     [HY_KIND_TIMESTAMP] = "TEXT",
};

static const hy_list_text sqlite_list = {" IN (SELECT value FROM json_each(",
                                         " NOT IN (SELECT value FROM json_each(", "))"};

static const hy_feature_since sqlite_features[] = {
    {HY_FEATURE_NUMBER_RETURNING_INSERT, 33500},
    {HY_FEATURE_NUMBER_RETURNING_UPDATE, 33500},
    {HY_FEATURE_NUMBER_RETURNING_DELETE, 33500},
    {HY_FEATURE_NUMBER_FULL_JOIN, 33900},
    {HY_FEATURE_NUMBER_RIGHT_JOIN, 33900},
    {HY_FEATURE_NUMBER_MATERIALIZED_CTE, 33500},
    {HY_FEATURE_NUMBER_CTE, 0},
    {HY_FEATURE_NUMBER_INTERSECT_EXCEPT, 0},
    {HY_FEATURE_NUMBER_WINDOW, 0},
    {HY_FEATURE_NUMBER_NULLS_ORDER, 33000},
    {HY_FEATURE_NUMBER_ROW_VALUES, 0},
    {HY_FEATURE_NUMBER_UPSERT_TARGET, 0},
    {HY_FEATURE_NUMBER_TRANSACTIONAL_DDL, 0},
    {HY_FEATURE_NUMBER_GENERATED_VIRTUAL, 0},
    {HY_FEATURE_NUMBER_JSON_EQUALS, 0},
    {HY_FEATURE_NUMBER_REGEXP, 0},
    {HY_FEATURE_COUNT, 0},
};

/* A common table expression that is made before its first row is read. */
static const hy_stream_text sqlite_stream = {
    .before = "WITH hy_rows AS MATERIALIZED (", .named = "", .after = ") SELECT * FROM hy_rows"};

static const hy_dialect sqlite = {
    .name = "sqlite",
    .oldest = 33500,
    .quote = '"',
    .bind_style = HY_BIND_QUESTION,
    .name_max = 1000,
    .limit_all = "-1",
    .max_binds = 32766,
    .list_max = 100,
    .traits = HY_TRAIT_INNER_ALIAS | HY_TRAIT_ROWS_VALUES | HY_TRAIT_WITH_INSERT | HY_TRAIT_WITH_WRITE |
              HY_TRAIT_UPDATE_FROM | HY_TRAIT_TEXT_DECIMALS,
    .true_text = "1",
    .false_text = "0",
    .blob_before = "X'",
    .blob_after = "'",
    .excluded_before = "excluded.",
    .excluded_after = "",
    .features = sqlite_features,
    .ops = sqlite_ops,
    .functions = sqlite_functions,
    .casts = sqlite_casts,
    .integer_list = &sqlite_list,
    .stream = &sqlite_stream,
    .explain = "EXPLAIN QUERY PLAN ",
    .text_list = &sqlite_list,
    .upsert = hy__upsert_on_conflict,
    .concat = hy__concat_operator,
    .list_open = json_open,
    .list_item = json_item,
    .list_close = json_close,
    .empty_insert = hy__empty_default_values,
    .json_part = hy__json_part_own,
    .json_match = hy__json_match_own,
    .clauses = {select_clauses, insert_clauses, update_from_clauses, delete_clauses, delete_all_clauses,
                NULL},
};

/* ---- finding them ----------------------------------------------------------------------- */

static const hy_dialect *const dialects[] = {&postgres, &cockroachdb, &mysql, &mariadb, &sqlite};
enum { DIALECT_COUNT = sizeof dialects / sizeof dialects[0] };

static const char *const feature_names[HY_FEATURE_COUNT] = {
#define FEATURE_NAME(bit, name) [HY_FEATURE_NUMBER_##bit] = name,
    HY_FEATURE_MAP(FEATURE_NAME)
#undef FEATURE_NAME
};

const char *hy_feature_name(hy_feature_number number)
{
    return (unsigned)number < HY_FEATURE_COUNT ? feature_names[number] : "";
}

const hy_dialect *hy_dialect_at(size_t i)
{
    return i < DIALECT_COUNT ? dialects[i] : NULL;
}

const hy_dialect *hy_dialect_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < DIALECT_COUNT; i++)
        if (strcmp(dialects[i]->name, name) == 0)
            return dialects[i];
    return NULL;
}

const char *hy_dialect_name(const hy_dialect *dialect)
{
    return dialect->name;
}

hy_features hy_dialect_features(const hy_dialect *dialect, int server_version)
{
    int version = server_version > 0 ? server_version : dialect->oldest;
    hy_features features = 0;

    for (const hy_feature_since *f = dialect->features; f->feature != HY_FEATURE_COUNT; f++)
        if (version >= f->version)
            features |= (hy_features)1 << f->feature;
    return features;
}

size_t hy_dialect_max_binds(const hy_dialect *dialect)
{
    return dialect->max_binds;
}

bool hy_dialect_sorts_nulls_last(const hy_dialect *dialect)
{
    return (dialect->traits & HY_TRAIT_NULLS_LAST) != 0;
}
