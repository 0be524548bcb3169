/*
 * golden_group.c - golden SQL of GROUP BY, HAVING, ORDER BY, LIMIT and row locks.
 */
#include "golden.h"

static void group(hy_query *q)
{
    pick(q, "age");
    hy_query_select(q, call(q, "count", col(q, "*")), "total");
    hy_query_group_by(q, any(q, "age"));
    hy_query_group_by(q, any(q, "firstName"));
    having(q, hy_expr_compare(q, HY_OP_GT, call(q, "count", col(q, "*")), val(q, hy_int(2))));
}
static void having_alias(hy_query *q)
{
    hy_value five = hy_int(5);
    hy_expr *sum[] = {hy_expr_compare(q, HY_OP_ADD, col(q, "age"), val(q, hy_int(1)))};

    pick(q, "active");
    hy_query_select(q, hy_expr_call(q, "sum", 3, sum, 1, false), "Total");
    hy_query_group_by(q, any(q, "active"));
    having(q, hy_expr_compare(q, HY_OP_GT, any(q, "Total"), hy_expr_value_like(q, any(q, "Total"), &five)));
    hy_query_predicate(q, HY_SLOT_HAVING, HY_OR, false, hy_expr_is_null(q, any(q, "active"), false));
    hy_query_order_by(q, any(q, "Total"), HY_DESC, HY_NULLS_DEFAULT);
}
static void having_decimal(hy_query *q)
{
    hy_query_select(q, call(q, "sum", col(q, "balance")), "total");
    hy_query_group_by(q, any(q, "active"));
    having(q, hy_expr_compare(q, HY_OP_GT, any(q, "total"), like(q, "balance", hy_text("9.50"))));
}
static void having_without_model(hy_query *q)
{
    from(q, "users");
    hy_query_select(q, call(q, "count", col(q, "*")), "n");
    pick(q, "age");
    hy_query_group_by(q, any(q, "age"));
    having(q, hy_expr_compare(q, HY_OP_GT, any(q, "n"), val(q, hy_int(0))));
    having(q, hy_expr_compare(q, HY_OP_GT, any(q, "age"), val(q, hy_int(1))));
}
static void group_alias(hy_query *q)
{
    hy_query_select(q, call(q, "upper", col(q, "firstName")), "shout");
    hy_query_group_by(q, any(q, "shout"));
    asc(q, "shout");
    hy_query_order_by(q, call(q, "length", any(q, "shout")), HY_DESC, HY_NULLS_DEFAULT);
}
static void column_before_alias(hy_query *q)
{
    hy_query_select(q, call(q, "upper", col(q, "firstName")), "firstName");
    asc(q, "firstName");
}
static void raw_group(hy_query *q)
{
    hy_query_select(q, raw(q, "age % 10"), "digit");
    hy_query_group_by(q, raw(q, "age % 10"));
    having(q, raw(q, "count(*) > 1 OR count(*) = 0"));
    hy_query_guard_begin(q);
    having(q, hy_expr_compare(q, HY_OP_GT, call(q, "max", col(q, "id")), like(q, "id", hy_int(3))));
    and_(q, cmp(q, "active", HY_OP_EQ, hy_bool(true)));
    hy_query_guard_end(q);
    hy_query_order_by(q, raw(q, "1 DESC"), HY_ASC, HY_NULLS_DEFAULT);
}
static void unknown_alias(hy_query *q)
{
    pick(q, "id");
    asc(q, "totl");
}
static void order(hy_query *q)
{
    pick(q, "id");
    hy_query_order_by(q, any(q, "age"), HY_ASC, HY_NULLS_DEFAULT);
    hy_query_order_by(q, any(q, "users.score"), HY_DESC, HY_NULLS_DEFAULT);
    hy_query_order_by(q, hy_expr_compare(q, HY_OP_ADD, col(q, "age"), val(q, hy_int(1))), HY_DESC,
                      HY_NULLS_DEFAULT);
}
static void order_nulls(hy_query *q)
{
    pick(q, "id");
    hy_query_order_by(q, any(q, "age"), HY_ASC, HY_NULLS_LAST);
    hy_query_order_by(q, any(q, "score"), HY_DESC, HY_NULLS_FIRST);
}
static void limit(hy_query *q)
{
    pick(q, "id");
    hy_query_limit(q, 5);
    hy_query_limit(q, 10);
    hy_query_offset(q, 20);
}
static void limit_zero(hy_query *q)
{
    pick(q, "id");
    hy_query_limit(q, 0);
    hy_query_offset(q, 0);
}
static void offset_alone(hy_query *q)
{
    pick(q, "id");
    hy_query_offset(q, 20);
}
static void plain(hy_query *q)
{
    pick(q, "id");
}
static void limited_subquery(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    pick(sub, "userId");
    pick(q, "id");
    and_(q, hy_expr_in_query(q, col(q, "id"), sub, false));
    hy_query_free(sub);
}
static void negative_limit(hy_query *q)
{
    hy_query_limit(q, -1);
}
static void lock_update(hy_query *q)
{
    pick(q, "id");
    hy_query_limit(q, 1);
    hy_query_lock(q, HY_LOCK_UPDATE, HY_LOCK_WAIT);
}
static void lock_skip(hy_query *q)
{
    pick(q, "id");
    hy_query_lock(q, HY_LOCK_UPDATE, HY_LOCK_SKIP_LOCKED);
}
static void lock_share(hy_query *q)
{
    pick(q, "id");
    hy_query_lock(q, HY_LOCK_SHARE, HY_LOCK_NOWAIT);
}
#define S "SELECT `id` FROM `users`"

static hy_expr *bucket(hy_query *q, int64_t size)
{
    return hy_expr_compare(q, HY_OP_MULTIPLY, col(q, "age"), val(q, hy_int(size)));
}
static void bucket_selected(hy_query *q)
{
    pick(q, "active");
    hy_query_select(q, bucket(q, 10), "bucket");
    hy_query_group_by(q, col(q, "active"));
    hy_query_group_by(q, bucket(q, 10));
    hy_query_order_by(q, bucket(q, 10), HY_DESC, HY_NULLS_DEFAULT);
    hy_expr *most = call(q, "max", bucket(q, 20));
    hy_query_order_by(q, most, HY_ASC, HY_NULLS_DEFAULT);
}
static void bucket_unplaced(hy_query *q)
{
    hy_query_select(q, raw(q, "age"), NULL);
    hy_query_select(q, bucket(q, 10), "bucket");
    hy_query_order_by(q, bucket(q, 10), HY_ASC, HY_NULLS_DEFAULT);
}
static void bucket_nulls(hy_query *q)
{
    hy_query_select(q, bucket(q, 10), "bucket");
    hy_query_order_by(q, bucket(q, 10), HY_ASC, HY_NULLS_LAST);
}

static const golden cases[] = {
    {"what is grouped by with a value is named by its position", USER, bucket_selected,
     "SELECT `active`, `age` * ? AS `bucket` FROM `users` GROUP BY `active`, 2 ORDER BY 2 DESC, "
     "MAX(`age` * ?) ASC",
     "int:10/any int:20/any",
     .sqlite =
         "SELECT `active`, hysteria_whole_multiply(`age`, ?) AS `bucket` FROM `users` GROUP BY `active`, 2"
         " ORDER BY 2 DESC, MAX(hysteria_whole_multiply(`age`, ?)) ASC"},
    {"behind text no position is known", USER, bucket_unplaced,
     "SELECT age, `age` * ? AS `bucket` FROM `users` ORDER BY `age` * ? ASC", "int:10/any int:10/any",
     .sqlite = "SELECT age, hysteria_whole_multiply(`age`, ?) AS `bucket` FROM `users` ORDER BY"
               " hysteria_whole_multiply(`age`, ?) ASC"},
    {"where NULLs have a place too", USER, bucket_nulls,
     "SELECT `age` * ? AS `bucket` FROM `users` ORDER BY 1 ASC NULLS LAST", "int:10/any",
     .mysql = "SELECT `age` * ? AS `bucket` FROM `users` ORDER BY ((`age` * ?) IS NULL) ASC, 1 ASC",
     .binds_mysql = "int:10/any int:10/any",
     .sqlite = "SELECT hysteria_whole_multiply(`age`, ?) AS `bucket` FROM `users` ORDER BY 1 ASC NULLS LAST"},
    {"GROUP BY and HAVING", USER, group,
     "SELECT `age`, COUNT(*) AS `total` FROM `users` GROUP BY `age`, `first_name` HAVING COUNT(*) > ?",
     "int:2/any", "age:integer* total:bigInteger"},
    {"HAVING with an alias", USER, having_alias,
     "SELECT `active`, SUM(`age` + ?) AS `Total` FROM `users` GROUP BY `active` HAVING `Total` > ? OR "
     "`active` IS NULL"
     " ORDER BY `Total` DESC",
     "int:1/any int:5/bigInteger",
     .postgres = "SELECT `active`, SUM(`age` + $1) AS `Total` FROM `users` GROUP BY `active` HAVING"
                 " SUM(`age` + $1) > $2 OR `active` IS NULL ORDER BY `Total` DESC",
     .sqlite = "SELECT `active`, SUM(hysteria_whole_add(`age`, ?)) AS `Total` FROM `users` GROUP BY `active`"
               " HAVING `Total` > ? OR `active` IS NULL ORDER BY `Total` DESC"},
    {"HAVING with a decimal alias", USER, having_decimal,
     "SELECT SUM(`balance`) AS `total` FROM `users` GROUP BY `active` HAVING `total` > ?",
     "decimal:9.50/decimal",
     .postgres = "SELECT SUM(`balance`) AS `total` FROM `users` GROUP BY `active` HAVING SUM(`balance`) > ?",
     .sqlite = "SELECT CAST(hysteria_sum(`balance`) AS TEXT) COLLATE hysteria_decimal AS `total` FROM "
               "`users` GROUP BY `active`"
               " HAVING `total` > ?"},
    {"HAVING without a model", NONE, having_without_model,
     "SELECT COUNT(*) AS `n`, `age` FROM `users` GROUP BY `age` HAVING `n` > ? AND `age` > ?",
     "int:0/any int:1/any",
     .postgres =
         "SELECT COUNT(*) AS `n`, `age` FROM `users` GROUP BY `age` HAVING COUNT(*) > ? AND `age` > ?"},
    {"GROUP BY an alias", USER, group_alias,
     "SELECT UPPER(`first_name`) AS `shout` FROM `users` GROUP BY `shout` ORDER BY `shout` ASC,"
     " LENGTH(`shout`) DESC",
     .postgres = "SELECT UPPER(`first_name`) AS `shout` FROM `users` GROUP BY `shout` ORDER BY `shout` ASC,"
                 " LENGTH(UPPER(`first_name`)) DESC",
     .mysql = "SELECT UPPER(`first_name`) AS `shout` FROM `users` GROUP BY `shout` ORDER BY `shout` ASC,"
              " CHAR_LENGTH(`shout`) DESC"},
    {"a column wins over an alias", USER, column_before_alias,
     "SELECT UPPER(`first_name`) AS `firstName` FROM `users` ORDER BY `first_name` ASC"},
    {"raw grouping, guarded HAVING", USER, raw_group,
     "SELECT age % 10 AS `digit` FROM `users` WHERE `active` = ? GROUP BY age % 10"
     " HAVING (count(*) > 1 OR count(*) = 0) AND MAX(`id`) > ? ORDER BY 1 DESC",
     "bool:true/boolean int:3/bigInteger", "digit:any"},
    {"neither column nor alias", USER, unknown_alias, .fails = HY_EUNDEFINED_COLUMN},
    {"ORDER BY", USER, order, S " ORDER BY `age` ASC, `users`.`score` DESC, `age` + ? DESC", "int:1/any",
     .sqlite = S " ORDER BY `age` ASC, `users`.`score` DESC, hysteria_whole_add(`age`, ?) DESC"},
    {"NULLS FIRST and LAST", USER, order_nulls, S " ORDER BY `age` ASC NULLS LAST, `score` DESC NULLS FIRST",
     .mysql = S " ORDER BY (`age` IS NULL) ASC, `age` ASC, (`score` IS NULL) DESC, `score` DESC"},
    {"LIMIT and OFFSET", USER, limit, S " LIMIT ? OFFSET ?", "int:10/bigInteger int:20/bigInteger"},
    {"zero is a limit", USER, limit_zero, S " LIMIT ? OFFSET ?", "int:0/bigInteger int:0/bigInteger"},
    {"OFFSET alone", USER, offset_alone, S " LIMIT 18446744073709551615 OFFSET ?", "int:20/bigInteger",
     .postgres = S " OFFSET ?", .sqlite = S " LIMIT -1 OFFSET ?"},
    {"limit of the caller", USER, plain, S " LIMIT ?", "int:1/bigInteger", .limit = 1},
    {"the smaller limit wins", USER, limit, S " LIMIT ? OFFSET ?", "int:3/bigInteger int:20/bigInteger",
     .limit = 3},
    {"limit of the caller and OFFSET", USER, offset_alone, S " LIMIT ? OFFSET ?",
     "int:3/bigInteger int:20/bigInteger", .limit = 3},
    {"limit of the query is smaller", USER, limit_zero, S " LIMIT ? OFFSET ?",
     "int:0/bigInteger int:0/bigInteger", .limit = 3},
    {"limit of the caller is not the subquery's", USER, limited_subquery,
     S " WHERE `id` IN (SELECT `user_id` FROM `posts`) LIMIT ?", "int:2/bigInteger", .limit = 2},
    {"negative limit", USER, negative_limit, .fails = HY_EINVALID_ARGUMENT},
    {"FOR UPDATE", USER, lock_update, S " LIMIT ? FOR UPDATE", "int:1/bigInteger", .sqlite = "!row locks"},
    {"FOR UPDATE SKIP LOCKED", USER, lock_skip, S " FOR UPDATE SKIP LOCKED", .cockroachdb = "!SKIP LOCKED",
     .sqlite = "!row locks"},
    {"FOR UPDATE SKIP LOCKED, newest servers", USER, lock_skip, S " FOR UPDATE SKIP LOCKED",
     .sqlite = "!row locks", .newest = true},
    {"FOR SHARE NOWAIT", USER, lock_share, S " FOR SHARE NOWAIT", .cockroachdb = "!shared row locks",
     .mariadb = S " LOCK IN SHARE MODE NOWAIT", .sqlite = "!row locks"},
};

const golden_group golden_group_order = {"group", cases, sizeof cases / sizeof cases[0]};
