/*
 * golden_select.c - golden SQL of what is selected and of expressions.
 */
#include "golden.h"

#define COLUMNS "`id`, `first_name`, `age`, `active`, `balance`, `score`, `created_at`"
#define COLUMN_SHAPE                                                                                \
    "id:bigInteger* firstName:string* age:integer* active:boolean* balance:decimal* score:double* " \
    "createdAt:timestamp*"

static void nothing(hy_query *q)
{
    (void)q;
}
static void raw_table(hy_query *q)
{
    from(q, "users");
}
static void named(hy_query *q)
{
    pick(q, "firstName");
    pick(q, "first_name");
    pick(q, "users.createdAt");
}
static void hidden_by_name(hy_query *q)
{
    pick(q, "password");
}
static void aliased(hy_query *q)
{
    hy_query_select(q, col(q, "firstName"), "Given Name");
    hy_query_select(q, col(q, "age"), "o'clock");
}
static void stars(hy_query *q)
{
    pick(q, "*");
    pick(q, "users.*");
}
static void raw_table_named(hy_query *q)
{
    from(q, "users");
    pick(q, "firstName");
    pick(q, "users.age");
    hy_query_select(q, col(q, "score"), "points");
}
static void raw_table_stars(hy_query *q)
{
    from(q, "users");
    pick(q, "*");
    pick(q, "users.*");
}
static void table_with_alias(hy_query *q)
{
    from(q, "  users AS u ");
    pick(q, "u.age");
    and_(q, cmp(q, "u.age", HY_OP_GT, hy_int(1)));
}
static void model_with_alias(hy_query *q)
{
    hy_query_alias(q, "u");
    pick(q, "u.firstName");
    pick(q, "age");
}
static void schema_table(hy_query *q)
{
    from(q, "app.logs");
    pick(q, "app.logs.user_id");
}
static void schema_model(hy_query *q)
{
    and_(q, cmp(q, "userId", HY_OP_EQ, hy_int(3)));
}
static void odd_names(hy_query *q)
{
    and_(q, cmp(q, "tick", HY_OP_EQ, hy_text("x")));
}
static void model_on_other_table(hy_query *q)
{
    from(q, "users as old_users");
    pick(q, "firstName");
}
static void from_subquery(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(USER));

    and_(sub, cmp(sub, "age", HY_OP_GE, hy_int(18)));
    hy_query_select(sub, col(sub, "firstName"), NULL);
    hy_query_select(sub, col(sub, "age"), "Years");
    hy_query_from_query(q, sub, "grown");
    hy_query_free(sub);
    pick(q, "firstName");
    pick(q, "grown.Years");
    and_(q, cmp(q, "Years", HY_OP_LT, hy_int(99)));
}
static void no_table(hy_query *q)
{
    hy_query_select(q, val(q, hy_int(1)), "one");
    hy_query_select(q, val(q, hy_text("two")), NULL);
}
static void distinct(hy_query *q)
{
    hy_query_distinct(q);
    pick(q, "age");
}
static void distinct_on(hy_query *q)
{
    hy_query_distinct_on(q, col(q, "age"));
    hy_query_distinct_on(q, col(q, "active"));
    pick(q, "id");
    asc(q, "age");
}
static void aggregates(hy_query *q)
{
    hy_expr *age = col(q, "age");

    hy_query_select(q, call(q, "count", col(q, "*")), NULL);
    hy_query_select(q, hy_expr_call(q, "COUNT", 5, &age, 1, true), "ages");
    hy_query_select(q, call(q, "sum", col(q, "age")), NULL);
    hy_query_select(q, call(q, "sum", col(q, "score")), "points");
    hy_query_select(q, call(q, "min", col(q, "createdAt")), "oldest");
    hy_query_select(q, call(q, "max", col(q, "firstName")), "last");
}
static void average(hy_query *q)
{
    hy_query_select(q, call(q, "avg", col(q, "age")), "mean");
}
static void decimal_aggregates(hy_query *q)
{
    hy_query_select(q, call(q, "sum", col(q, "balance")), "total");
    hy_query_select(q, call(q, "avg", col(q, "balance")), "mean");
    hy_query_select(q, call(q, "max", col(q, "balance")), "most");
    asc(q, "total");
}
static void unknown_sum(hy_query *q)
{
    from(q, "users");
    hy_query_select(q, call(q, "sum", col(q, "age")), NULL);
    hy_query_select(q, call(q, "avg", col(q, "age")), NULL);
}
static void text_functions(hy_query *q)
{
    hy_query_select(q, call(q, "Upper", col(q, "firstName")), NULL);
    hy_query_select(q, call(q, "lower", col(q, "firstName")), NULL);
    hy_query_select(q, call(q, "trim", col(q, "firstName")), NULL);
    hy_query_select(q, call(q, "length", col(q, "firstName")), NULL);
}
static void concat(hy_query *q)
{
    hy_expr *args[] = {col(q, "firstName"), val(q, hy_text(" ")), call(q, "upper", col(q, "password"))};

    hy_query_select(q, hy_expr_call(q, "concat", 6, args, 3, false), NULL);
    hy_query_select(q, hy_expr_compare(q, HY_OP_CONCAT, col(q, "firstName"), val(q, hy_text("!"))), "loud");
}
static void number_functions(hy_query *q)
{
    hy_query_select(q, call(q, "abs", col(q, "age")), NULL);
    hy_query_select(q, call(q, "round", col(q, "score")), NULL);
    hy_query_select(q, call(q, "floor", col(q, "score")), NULL);
    hy_query_select(q, call(q, "ceil", col(q, "score")), NULL);
}
static void coalesce(hy_query *q)
{
    hy_value none = hy_int(0);
    hy_expr *args[] = {col(q, "age"), hy_expr_value_like(q, col(q, "age"), &none)};
    hy_expr *same[] = {col(q, "age"), val(q, none)};

    hy_query_select(q, hy_expr_call(q, "coalesce", 8, args, 2, false), NULL);
    hy_query_select(q, hy_expr_call(q, "nullif", 6, same, 2, false), "known");
}
static void now(hy_query *q)
{
    pick(q, "id");
    and_(q, hy_expr_compare(q, HY_OP_LT, col(q, "createdAt"), call(q, "now", NULL)));
}
static void other_function(hy_query *q)
{
    hy_query_select(q, call(q, "Sign", col(q, "age")), NULL);
}
static void schema_function(hy_query *q)
{
    and_(q, hy_expr_compare(q, HY_OP_EQ, call(q, "pi", NULL), val(q, hy_int(0))));
}
static void raw_item(hy_query *q)
{
    pick(q, "firstName");
    hy_query_select(q, raw(q, "age + 1 AS next"), NULL);
}
static void raw_item_with_alias(hy_query *q)
{
    hy_expr *one = val(q, hy_int(1));

    pick(q, "firstName");
    hy_query_select(q, hy_expr_raw(q, "age + ?", 7, &one, 1), "next");
}
static void raw_question(hy_query *q)
{
    hy_expr *args[] = {val(q, hy_int(1)), val(q, hy_text("x"))};
    const char *text = "age = ? AND first_name <> '?' AND first_name <> ?";

    pick(q, "id");
    and_(q, hy_expr_raw(q, text, strlen(text), args, 2));
    and_(q, cmp(q, "age", HY_OP_GT, hy_int(2)));
}
static void raw_operator(hy_query *q)
{
    pick(q, "id");
    and_(q, raw(q, "settings ?? 'a'"));
}
static void case_when(hy_query *q)
{
    hy_expr *whens[] = {cmp(q, "age", HY_OP_LT, hy_int(18)), cmp(q, "age", HY_OP_LT, hy_int(65))};
    hy_expr *thens[] = {val(q, hy_text("young")), val(q, hy_text("grown"))};

    hy_query_select(q, hy_expr_case(q, whens, thens, 2, val(q, hy_text("old"))), "stage");
    hy_query_select(q, hy_expr_case(q, whens, thens, 1, NULL), NULL);
}
static void casts(hy_query *q)
{
    hy_query_select(q, hy_expr_cast(q, col(q, "age"), HY_KIND_TEXT), "t");
    hy_query_select(q, hy_expr_cast(q, col(q, "firstName"), HY_KIND_BIGINT), NULL);
    hy_query_select(q, hy_expr_cast(q, col(q, "age"), HY_KIND_DOUBLE), "d");
    hy_query_select(q, hy_expr_cast(q, col(q, "age"), HY_KIND_DECIMAL), "n");
    hy_query_select(q, hy_expr_cast(q, col(q, "age"), HY_KIND_BOOLEAN), "b");
    hy_query_select(q, hy_expr_cast(q, col(q, "createdAt"), HY_KIND_DATE), "day");
}
static void cast_json(hy_query *q)
{
    hy_query_select(q, hy_expr_cast(q, col(q, "firstName"), HY_KIND_JSON), "j");
}
static void cast_uuid(hy_query *q)
{
    hy_query_select(q, hy_expr_cast(q, col(q, "firstName"), HY_KIND_UUID), "u");
}
static void window(hy_query *q)
{
    hy_expr *by[] = {col(q, "active")}, *order[] = {col(q, "age"), col(q, "id")};
    hy_direction directions[] = {HY_DESC, HY_ASC};
    hy_expr *bare = call(q, "rank", NULL);

    pick(q, "id");
    hy_query_select(q, hy_expr_over(q, call(q, "row_number", NULL), by, 1, order, directions, 2), "place");
    hy_query_select(q, hy_expr_over(q, bare, NULL, 0, order, directions, 1), NULL);
    hy_query_select(q, hy_expr_over(q, call(q, "count", col(q, "*")), NULL, 0, NULL, NULL, 0), "all");
}
static void window_average(hy_query *q)
{
    hy_expr *by[] = {col(q, "active")};

    hy_query_select(q, hy_expr_over(q, call(q, "avg", col(q, "age")), by, 1, NULL, NULL, 0), "mean");
    hy_query_select(q, hy_expr_over(q, call(q, "sum", col(q, "balance")), by, 1, NULL, NULL, 0), "total");
}
static void scalar_subquery(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    hy_query_select(sub, call(sub, "count", col(sub, "*")), NULL);
    and_(sub, both(sub, "posts.userId", HY_OP_EQ, "users.id"));
    and_(sub, cmp(sub, "views", HY_OP_GT, hy_int(5)));
    pick(q, "id");
    hy_query_select(q, hy_expr_query(q, sub), "posts");
    hy_query_select(q, hy_expr_query(q, sub), NULL);
    hy_query_free(sub);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(7)));
}
static void arithmetic(hy_query *q)
{
    hy_expr *sum = hy_expr_compare(q, HY_OP_ADD, col(q, "age"), val(q, hy_int(1)));
    hy_expr *product = hy_expr_compare(q, HY_OP_MULTIPLY, sum, val(q, hy_int(2)));

    hy_query_select(q, hy_expr_compare(q, HY_OP_SUBTRACT, product, col(q, "id")), "x");
    hy_query_select(q, hy_expr_compare(q, HY_OP_DIVIDE, col(q, "score"), val(q, hy_double(0.5))), "y");
    and_(q, hy_expr_compare(q, HY_OP_GT, hy_expr_compare(q, HY_OP_ADD, col(q, "age"), col(q, "id")),
                            val(q, hy_int(9))));
}
static void calculated_total(hy_query *q)
{
    hy_expr *product = hy_expr_compare(q, HY_OP_MULTIPLY, col(q, "balance"), col(q, "age"));

    hy_query_select(q, call(q, "sum", product), "total");
}
/* Exact, of a kind that is known, and in the order of numbers. */
static void calculated_decimals(hy_query *q)
{
    hy_expr *product = hy_expr_compare(q, HY_OP_MULTIPLY, col(q, "balance"), col(q, "age"));

    hy_query_select(q, product, "x");
    and_(q, hy_expr_compare(q, HY_OP_GT, product, val(q, hy_int(9))));
    hy_query_order_by(q, product, HY_ASC, HY_NULLS_DEFAULT);
}
static void window_params(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_GT, hy_int(7)));
    hy_query_limit_param(q, "count");
    hy_query_offset_param(q, "from");
}
static void offset_param(hy_query *q)
{
    pick(q, "id");
    hy_query_limit_param(q, "count");
    hy_query_clear_part(q, HY_PART_LIMIT);
    hy_query_offset_param(q, "from");
    hy_query_offset(q, 4);
    hy_query_limit(q, 5);
}
static void list_param(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_GT, hy_int(7)));
    and_(q, hy_expr_in_param(q, col(q, "id"), "ids", true));
    and_(q, cmp(q, "age", HY_OP_LT, hy_int(9)));
}
static void texts_param(hy_query *q)
{
    pick(q, "id");
    and_(q, hy_expr_in_param(q, col(q, "firstName"), "names", false));
}
static void floats_param(hy_query *q)
{
    pick(q, "id");
    and_(q, hy_expr_in_param(q, col(q, "score"), "scores", false));
}
static void parameter(hy_query *q)
{
    pick(q, "id");
    and_(q, hy_expr_compare(q, HY_OP_EQ, col(q, "age"), hy_expr_param(q, "years", HY_KIND_INTEGER)));
    and_(q, cmp(q, "active", HY_OP_EQ, hy_bool(true)));
}
static void inlined(hy_query *q)
{
    uint8_t blob[] = {0, 255, 39};
    hy_expr *items[] = {val(q, hy_text("a'b\\c")),
                        val(q, hy_null()),
                        val(q, hy_bool(true)),
                        val(q, hy_int(-5)),
                        val(q, hy_double(0.1)),
                        val(q, hy_bytes(HY_BLOB, (char *)blob, 3)),
                        val(q, hy_bytes(HY_DECIMAL, "1.50", 4))};

    for (size_t i = 0; i < 7; i++)
        hy_query_select(q, items[i], (const char[]){(char)('a' + i), '\0'});
    and_(q, cmp(q, "createdAt", HY_OP_LT, hy_text("2024-02-29 12:30:00")));
    hy_query_limit(q, 3);
}
static void typed_values(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_GT, hy_double(18.5))); /* keeps its own type */
    and_(q, cmp(q, "age", HY_OP_LT, hy_double(20)));   /* is a whole number */
    and_(q, cmp(q, "active", HY_OP_EQ, hy_int(1)));
    and_(q, cmp(q, "balance", HY_OP_EQ, hy_text("1.50")));
    and_(q, cmp(q, "score", HY_OP_EQ, hy_int(2)));
    and_(q, cmp(q, "firstName", HY_OP_EQ, hy_text("")));
    and_(q, hy_expr_compare(q, HY_OP_EQ, col(q, "age"), val(q, hy_int(3))));
}

#define CALCULATED "CAST(hysteria_multiply(`balance`, `age`) AS TEXT) COLLATE hysteria_decimal"

static const golden cases[] = {
    {"model without a list", USER, nothing, "SELECT " COLUMNS " FROM `users`", .columns = COLUMN_SHAPE},
    {"table without a list", NONE, raw_table, "SELECT * FROM `users`", .columns = ""},
    {"named columns", USER, named, "SELECT `first_name`, `first_name`, `users`.`created_at` FROM `users`",
     .columns = "firstName:string* firstName:string* createdAt:timestamp*"},
    {"hidden column by name", USER, hidden_by_name, "SELECT `password` FROM `users`",
     .columns = "password:string*"},
    {"aliases keep their case", USER, aliased,
     "SELECT `first_name` AS `Given Name`, `age` AS `o'clock` FROM `users`",
     .columns = "Given Name:string* o'clock:integer*"},
    {"stars of a model", USER, stars,
     "SELECT " COLUMNS
     ", `users`.`id`, `users`.`first_name`, `users`.`age`, `users`.`active`, `users`.`balance`,"
     " `users`.`score`, `users`.`created_at` FROM `users`",
     .columns = COLUMN_SHAPE " " COLUMN_SHAPE},
    {"table with named columns", NONE, raw_table_named,
     "SELECT `firstName`, `users`.`age`, `score` AS `points` FROM `users`",
     .columns = "firstName:any age:any points:any",
     .sqlite = "SELECT `firstName`, `users`.`age`, `score` AS `points` FROM `users`"},
    {"table with stars", NONE, raw_table_stars, "SELECT *, `users`.* FROM `users`", .columns = ""},
    {"table with alias", NONE, table_with_alias, "SELECT `u`.`age` FROM `users` AS `u` WHERE `u`.`age` > ?",
     "int:1/any", "age:any"},
    {"model with alias", USER, model_with_alias, "SELECT `u`.`first_name`, `age` FROM `users` AS `u`",
     .columns = "firstName:string* age:integer*"},
    {"schema of a table", NONE, schema_table, "SELECT `app`.`logs`.`user_id` FROM `app`.`logs`",
     .columns = "user_id:any"},
    {"schema of a model", LOG, schema_model, "SELECT `id`, `user_id` FROM `app`.`logs` WHERE `user_id` = ?",
     "int:3/bigInteger", "id:bigInteger* userId:bigInteger*"},
    {"odd names", ODD, odd_names, NULL, "text:x/string",
     .columns = "id:bigInteger* tick:string* plain:string* euro:string*",
     .postgres =
         "=SELECT \"i\"\"d\", \"a`b\", \"order\", \"\u20ac \\\" FROM \"we\"\"ird.`table\" WHERE \"a`b\" = $1",
     .mysql = "=SELECT `i\"d`, `a``b`, `order`, `\u20ac \\` FROM `we\"ird.``table` WHERE `a``b` = ?",
     .sqlite =
         "=SELECT \"i\"\"d\", \"a`b\", \"order\", \"\u20ac \\\" FROM \"we\"\"ird.`table\" WHERE \"a`b\" = ?"},
    {"model on another table", USER, model_on_other_table, "SELECT `first_name` FROM `users` AS `old_users`",
     .columns = "firstName:string*"},
    {"subquery in FROM", NONE, from_subquery,
     "SELECT `first_name`, `grown`.`Years` FROM (SELECT `first_name`, `age` AS `Years` FROM `users` WHERE "
     "`age` >= ?)"
     " AS `grown` WHERE `Years` < ?",
     "int:18/integer int:99/integer", "firstName:string* Years:integer"},
    {"no table", NONE, no_table, "SELECT ? AS `one`, ?", "int:1/any text:two/any", "one:any value:any"},
    {"nothing at all", NONE, nothing, .fails = HY_EINVALID_ARGUMENT},
    {"DISTINCT", USER, distinct, "SELECT DISTINCT `age` FROM `users`"},
    {"DISTINCT ON", USER, distinct_on, "!DISTINCT ON",
     .postgres = "SELECT DISTINCT ON (`age`, `active`) `id` FROM `users` ORDER BY `age` ASC"},
    {"aggregates", USER, aggregates,
     "SELECT COUNT(*), COUNT(DISTINCT `age`) AS `ages`, SUM(`age`), SUM(`score`) AS `points`,"
     " MIN(`created_at`) AS `oldest`, MAX(`first_name`) AS `last` FROM `users`",
     .columns = "count:bigInteger ages:bigInteger sum:bigInteger points:double oldest:timestamp last:string"},
    {"AVG is a float", USER, average, "SELECT AVG(`age`) AS `mean` FROM `users`", .columns = "mean:double",
     .postgres = "SELECT CAST(AVG(`age`) AS DOUBLE PRECISION) AS `mean` FROM `users`"},
    {"decimal aggregates", USER, decimal_aggregates,
     "SELECT SUM(`balance`) AS `total`, AVG(`balance`) AS `mean`, MAX(`balance`) AS `most` FROM `users`"
     " ORDER BY `total` ASC",
     .columns = "total:decimal mean:decimal most:decimal",
     .sqlite = "SELECT CAST(hysteria_sum(`balance`) AS TEXT) COLLATE hysteria_decimal AS `total`,"
               " CAST(hysteria_avg(`balance`) AS TEXT) COLLATE hysteria_decimal AS `mean`,"
               " CAST(MAX(`balance`) AS TEXT) COLLATE hysteria_decimal AS `most` FROM `users`"
               " ORDER BY `total` COLLATE hysteria_decimal ASC"},
    {"aggregates of unknown kind", NONE, unknown_sum, "SELECT SUM(`age`), AVG(`age`) FROM `users`",
     .columns = "sum:any avg:any"},
    {"text functions", USER, text_functions,
     "SELECT UPPER(`first_name`), LOWER(`first_name`), TRIM(`first_name`), LENGTH(`first_name`) FROM `users`",
     .columns = "upper:text lower:text trim:text length:bigInteger",
     .mysql = "SELECT UPPER(`first_name`), LOWER(`first_name`), TRIM(`first_name`), "
              "CHAR_LENGTH(`first_name`) FROM `users`"},
    {"CONCAT", USER, concat,
     "SELECT (`first_name` || ? || UPPER(`password`)), `first_name` || ? AS `loud` FROM `users`",
     "text: /any! text:!/any", "concat:text loud:text",
     .mysql =
         "SELECT CONCAT(`first_name`, ?, UPPER(`password`)), CONCAT(`first_name`, ?) AS `loud` FROM `users`"},
    {"number functions", USER, number_functions,
     "SELECT ABS(`age`), ROUND(`score`), FLOOR(`score`), CEIL(`score`) FROM `users`",
     .columns = "abs:any round:double floor:double ceil:double"},
    {"COALESCE", USER, coalesce, "SELECT COALESCE(`age`, ?), NULLIF(`age`, ?) AS `known` FROM `users`",
     "int:0/integer int:0/any", "coalesce:integer known:integer"},
    {"NOW", USER, now, "SELECT `id` FROM `users` WHERE `created_at` < NOW()",
     .mysql = "SELECT `id` FROM `users` WHERE `created_at` < NOW(6)",
     .sqlite = "SELECT `id` FROM `users` WHERE `created_at` < strftime('%Y-%m-%d %H:%M:%f', 'now')"},
    {"unlisted function", USER, other_function, "SELECT Sign(`age`) FROM `users`", .columns = "sign:any"},
    {"unlisted function without arguments", LOG, schema_function,
     "SELECT `id`, `user_id` FROM `app`.`logs` WHERE pi() = ?", "int:0/any"},
    {"raw item: the driver names the fields", USER, raw_item,
     "SELECT `first_name` AS `firstName`, age + 1 AS next FROM `users`", .columns = ""},
    {"raw item with alias", USER, raw_item_with_alias, "SELECT `first_name`, age + ? AS `next` FROM `users`",
     "int:1/any", "firstName:string* next:any"},
    {"raw condition with placeholders", USER, raw_question, NULL, "int:1/any text:x/any int:2/integer",
     .postgres = "=SELECT \"id\" FROM \"users\" WHERE (age = $1 AND first_name <> '?' AND first_name <> $2) "
                 "AND \"age\" > $3",
     .mysql =
         "SELECT `id` FROM `users` WHERE (age = ? AND first_name <> '?' AND first_name <> ?) AND `age` > ?",
     .sqlite =
         "SELECT `id` FROM `users` WHERE (age = ? AND first_name <> '?' AND first_name <> ?) AND `age` > ?"},
    {"literal question mark", USER, raw_operator, "!? as an operator",
     .postgres = "=SELECT \"id\" FROM \"users\" WHERE settings ? 'a'"},
    {"CASE", USER, case_when,
     "SELECT CASE WHEN `age` < ? THEN ? WHEN `age` < ? THEN ? ELSE ? END AS `stage`,"
     " CASE WHEN `age` < ? THEN ? END FROM `users`",
     "int:18/integer text:young/any int:65/integer text:grown/any text:old/any int:18/integer text:young/any",
     "stage:any case:any"},
    {"CAST", USER, casts, NULL,
     .columns = "t:text firstName:bigInteger d:double n:decimal b:boolean day:date",
     .postgres =
         "SELECT CAST(`age` AS TEXT) AS `t`, CAST(`first_name` AS BIGINT), CAST(`age` AS DOUBLE PRECISION) "
         "AS `d`,"
         " CAST(`age` AS NUMERIC) AS `n`, CAST(`age` AS BOOLEAN) AS `b`, CAST(`created_at` AS DATE) AS `day`"
         " FROM `users`",
     .mysql = "SELECT CAST(`age` AS CHAR) AS `t`, CAST(`first_name` AS SIGNED), CAST(`age` AS DOUBLE) AS `d`,"
              " CAST(`age` AS DECIMAL(65, 30)) AS `n`, CAST(`age` AS UNSIGNED) AS `b`, CAST(`created_at` AS "
              "DATE) AS `day`"
              " FROM `users`",
     .sqlite =
         "SELECT CAST(`age` AS TEXT) AS `t`, CAST(`first_name` AS INTEGER), CAST(`age` AS REAL) AS `d`,"
         " CAST(`age` AS NUMERIC) AS `n`, CAST(`age` AS INTEGER) AS `b`, CAST(`created_at` AS TEXT) AS `day`"
         " FROM `users`"},
    {"CAST to JSON", USER, cast_json, "SELECT CAST(`first_name` AS JSON) AS `j` FROM `users`",
     .mariadb = "!CAST to this kind", .sqlite = "SELECT CAST(`first_name` AS TEXT) AS `j` FROM `users`"},
    {"CAST to UUID", USER, cast_uuid, "SELECT CAST(`first_name` AS UUID) AS `u` FROM `users`",
     .mysql = "!CAST to this kind", .sqlite = "SELECT CAST(`first_name` AS TEXT) AS `u` FROM `users`"},
    {"window functions", USER, window,
     "SELECT `id`, ROW_NUMBER() OVER (PARTITION BY `active` ORDER BY `age` DESC, `id` ASC) AS `place`,"
     " RANK() OVER (ORDER BY `age` DESC), COUNT(*) OVER () AS `all` FROM `users`",
     .columns = "id:bigInteger* place:bigInteger rank:bigInteger all:bigInteger"},
    {"window aggregates", USER, window_average,
     "SELECT AVG(`age`) OVER (PARTITION BY `active`) AS `mean`, SUM(`balance`) OVER (PARTITION BY `active`) "
     "AS `total`"
     " FROM `users`",
     .columns = "mean:double total:decimal",
     .postgres = "SELECT CAST(AVG(`age`) OVER (PARTITION BY `active`) AS DOUBLE PRECISION) AS `mean`,"
                 " SUM(`balance`) OVER (PARTITION BY `active`) AS `total` FROM `users`",
     .sqlite = "SELECT AVG(`age`) OVER (PARTITION BY `active`) AS `mean`,"
               " CAST(hysteria_sum(`balance`) OVER (PARTITION BY `active`) AS TEXT) COLLATE hysteria_decimal "
               "AS `total` "
               "FROM `users`"},
    {"scalar subqueries count on", USER, scalar_subquery,
     "SELECT `id`, (SELECT COUNT(*) FROM `posts` WHERE `posts`.`user_id` = `users`.`id` AND `views` > ?) AS "
     "`posts`,"
     " (SELECT COUNT(*) FROM `posts` WHERE `posts`.`user_id` = `users`.`id` AND `views` > ?) FROM `users` "
     "WHERE `age` = ?",
     "int:5/integer int:5/integer int:7/integer", "id:bigInteger* posts:bigInteger count:bigInteger"},
    {"arithmetic", USER, arithmetic,
     "SELECT ((`age` + ?) * ?) - `id` AS `x`, `score` / ? AS `y` FROM `users` WHERE (`age` + `id`) > ?",
     "int:1/any int:2/any double:0.5/any int:9/any",
     .sqlite =
         "SELECT hysteria_whole_subtract(hysteria_whole_multiply(hysteria_whole_add(`age`, ?), ?), `id`) AS"
         " `x`, `score` / ? AS `y` FROM `users` WHERE (hysteria_whole_add(`age`, `id`)) > ?"},
    {"arithmetic with decimals", USER, calculated_decimals,
     "SELECT `balance` * `age` AS `x` FROM `users` WHERE (`balance` * `age`) > ? ORDER BY `balance` * `age` "
     "ASC",
     "int:9/any", "x:decimal",
     .sqlite =
         "SELECT " CALCULATED " AS `x` FROM `users` WHERE (" CALCULATED ") > ? ORDER BY " CALCULATED " ASC"},
    {"a total of what is calculated", USER, calculated_total,
     "SELECT SUM(`balance` * `age`) AS `total` FROM `users`", "", "total:decimal",
     .sqlite = "SELECT CAST(hysteria_sum(" CALCULATED
               ") AS TEXT) COLLATE hysteria_decimal AS `total` FROM `users`"},
    {"parameters for LIMIT and OFFSET", USER, window_params,
     "SELECT `id` FROM `users` WHERE `age` > ? LIMIT ? OFFSET ?",
     "int:7/integer <count>null:/bigInteger <from>null:/bigInteger"},
    {"a number in place of a parameter", USER, offset_param, "SELECT `id` FROM `users` LIMIT ? OFFSET ?",
     "int:5/bigInteger int:4/bigInteger"},
    {"a parameter for a list of numbers", USER, list_param,
     "SELECT `id` FROM `users` WHERE `age` > ? AND `id` NOT IN (SELECT value FROM JSON_TABLE(?, '$[*]' "
     "COLUMNS "
     "(value BIGINT PATH '$')) AS hysteria_list) AND `age` < ?",
     "int:7/integer <ids>null:/text int:9/integer",
     .postgres = "SELECT `id` FROM `users` WHERE `age` > ? AND `id` <> ALL(?::bigint[]) AND `age` < ?",
     .sqlite =
         "SELECT `id` FROM `users` WHERE `age` > ? AND `id` NOT IN (SELECT value FROM json_each(?)) AND "
         "`age` < ?"},
    {"a parameter for a list of texts", USER, texts_param, "!a parameter for a list of texts",
     "<names>null:/text", .postgres = "SELECT `id` FROM `users` WHERE `first_name` = ANY(?::text[])",
     .sqlite = "SELECT `id` FROM `users` WHERE `first_name` IN (SELECT value FROM json_each(?))"},
    {"no parameter for a list of floats", USER, floats_param, .fails = HY_EINVALID_ARGUMENT},
    {"parameter", USER, parameter, "SELECT `id` FROM `users` WHERE `age` = ? AND `active` = ?",
     "<years>null:/integer bool:true/boolean"},
    {"values inline", USER, inlined, NULL, .inline_values = true,
     .postgres = "=SELECT 'a''b\\c' AS \"a\", NULL AS \"b\", TRUE AS \"c\", -5 AS \"d\", 0.1 AS \"e\", "
                 "'\\x00ff27' AS \"f\", 1.50 AS \"g\" FROM \"users\""
                 " WHERE \"created_at\" < '2024-02-29 12:30:00' LIMIT 3",
     .mysql = "=SELECT 'a''b\\\\c' AS `a`, NULL AS `b`, TRUE AS `c`, -5 AS `d`, 0.1 AS `e`, X'00ff27' AS "
              "`f`, 1.50 AS `g` FROM `users`"
              " WHERE `created_at` < '2024-02-29 12:30:00' LIMIT 3",
     .sqlite = "=SELECT 'a''b\\c' AS \"a\", NULL AS \"b\", 1 AS \"c\", -5 AS \"d\", 0.1 AS \"e\", X'00ff27' "
               "AS \"f\", 1.50 AS \"g\" FROM \"users\""
               " WHERE \"created_at\" < '2024-02-29 12:30:00' LIMIT 3"},
    {"values take their column's kind", USER, typed_values,
     "SELECT `id` FROM `users` WHERE `age` > ? AND `age` < ? AND `active` = ? AND `balance` = ? AND `score` "
     "= ?"
     " AND `first_name` = ? AND `age` = ?",
     "double:18.5/any int:20/integer bool:true/boolean decimal:1.50/decimal double:2/double text:/string "
     "int:3/any"},
};

const golden_group golden_select = {"select", cases, sizeof cases / sizeof cases[0]};
