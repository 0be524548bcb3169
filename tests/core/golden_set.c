/*
 * golden_set.c - golden SQL of WITH and of set operations.
 */
#include "golden.h"

static hy_query *posts(int views)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    pick(sub, "userId");
    and_(sub, cmp(sub, "views", HY_OP_GT, hy_int(views)));
    return sub;
}
static void with(hy_query *q)
{
    hy_query *sub = posts(1);

    hy_query_with(q, "busy", sub, false, false);
    hy_query_free(sub);
    from(q, "busy");
    pick(q, "userId");
    pick(q, "busy.userId");
    and_(q, cmp(q, "userId", HY_OP_EQ, hy_int(2)));
}
static void with_several(hy_query *q)
{
    hy_query *one = posts(1), *two = posts(2);

    hy_query_with(q, "a", one, false, true);
    hy_query_with(q, "B c", two, false, false);
    hy_query_free(one);
    hy_query_free(two);
    join(q, HY_JOIN_INNER, "B c as b", NONE);
    on(q, both(q, "b.userId", HY_OP_EQ, "users.id"));
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(3)));
}
static void recursive(hy_query *q)
{
    hy_query *base = hy_query_new(NULL), *step = hy_query_new(NULL);

    hy_query_select(base, val(base, hy_int(1)), "n");
    from(step, "counter");
    hy_query_select(step, hy_expr_compare(step, HY_OP_ADD, col(step, "n"), val(step, hy_int(2))), NULL);
    and_(step, cmp(step, "n", HY_OP_LT, hy_int(3)));
    hy_query_set_operation(base, HY_UNION_ALL, step);
    hy_query_with(q, "counter", base, true, false);
    hy_query_free(base);
    hy_query_free(step);
    from(q, "counter");
    pick(q, "n");
}
static void materialized(hy_query *q)
{
    hy_query *sub = posts(1);

    hy_query_with(q, "busy", sub, false, true);
    hy_query_free(sub);
    from(q, "busy");
    pick(q, "user_id");
}
static void nested_scopes(hy_query *q)
{
    hy_query *sub = posts(1), *inner = hy_query_new(NULL);

    hy_query_with(q, "busy", sub, false, false);
    from(inner, "busy");
    and_(inner, hy_expr_compare(inner, HY_OP_EQ, col(inner, "busy.userId"), col(inner, "users.id")));
    pick(q, "id");
    and_(q, hy_expr_exists(q, inner, false));
    hy_query_free(sub);
    hy_query_free(inner);
}
static void operate(hy_query *q, hy_set_op op, int views)
{
    hy_query *other = posts(views);

    hy_query_set_operation(q, op, other);
    hy_query_free(other);
}
static void set_union(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    operate(q, HY_UNION, 2);
    operate(q, HY_UNION_ALL, 3);
    asc(q, "id");
    hy_query_limit(q, 4);
}
static void intersect(hy_query *q)
{
    pick(q, "id");
    operate(q, HY_INTERSECT, 1);
    operate(q, HY_EXCEPT, 2);
}
static void left_to_right(hy_query *q)
{
    pick(q, "id");
    operate(q, HY_UNION, 1);
    operate(q, HY_INTERSECT, 2);
    operate(q, HY_EXCEPT, 3);
    operate(q, HY_INTERSECT, 4);
}
static void limited_member(hy_query *q)
{
    hy_query *other = posts(1);

    hy_query_order_by(other, any(other, "id"), HY_DESC, HY_NULLS_DEFAULT);
    hy_query_limit(other, 2);
    pick(q, "id");
    hy_query_set_operation(q, HY_UNION_ALL, other);
    hy_query_free(other);
    hy_query_offset(q, 3);
}
static void compound_member(hy_query *q)
{
    hy_query *other = posts(1);

    operate(other, HY_UNION, 2);
    pick(q, "id");
    hy_query_set_operation(q, HY_EXCEPT, other);
    hy_query_free(other);
}
static void alias_of_whole(hy_query *q)
{
    hy_query *other = hy_query_new(golden_get(POST));

    hy_query_select(other, col(other, "title"), "label");
    hy_query_select(q, col(q, "firstName"), "label");
    join(q, HY_JOIN_INNER, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    hy_query_set_operation(q, HY_UNION, other);
    hy_query_free(other);
    hy_query_order_by(q, any(q, "label"), HY_DESC, HY_NULLS_DEFAULT);
}
static void members_of_models(hy_query *q)
{
    hy_query *other = hy_query_new(golden_get(USER));

    hy_query_set_operation(q, HY_UNION, other);
    hy_query_free(other);
}
static void write_inside(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    hy_query_delete(sub);
    hy_query_with(q, "gone", sub, false, false);
    hy_query_free(sub);
}
static void empty_name(hy_query *q)
{
    hy_query *sub = posts(1);

    hy_query_with(q, "", sub, false, false);
    hy_query_free(sub);
}

#define P "SELECT `user_id` FROM `posts` WHERE `views` > ?"
#define U "SELECT `id` FROM `users`"

static const golden cases[] = {
    {"WITH", NONE, with,
     "WITH `busy` AS (" P ") SELECT `user_id`, `busy`.`user_id` FROM `busy` WHERE `user_id` = ?",
     "int:1/integer int:2/any", "userId:bigInteger* userId:bigInteger*"},
    {"several CTEs", USER, with_several, "!MATERIALIZED", "int:1/integer int:2/integer int:3/integer",
     .postgres = "WITH `a` AS MATERIALIZED (" P "), `B c` AS (" P ") SELECT `users`.`id` FROM `users`"
                 " INNER JOIN `B c` AS `b` ON `b`.`user_id` = `users`.`id` WHERE `users`.`age` = ?",
     .sqlite = "WITH `a` AS MATERIALIZED (" P "), `B c` AS (" P ") SELECT `users`.`id` FROM `users`"
               " INNER JOIN `B c` AS `b` ON `b`.`user_id` = `users`.`id` WHERE `users`.`age` = ?"},
    {"recursive CTE", NONE, recursive,
     "WITH RECURSIVE `counter` AS (SELECT ? AS `n` UNION ALL SELECT `n` + ? FROM `counter` WHERE `n` < ?)"
     " SELECT `n` FROM `counter`",
     "int:1/any int:2/any int:3/any", "n:any"},
    {"materialized CTE", NONE, materialized, "!MATERIALIZED", "int:1/integer",
     .postgres = "WITH `busy` AS MATERIALIZED (" P ") SELECT `user_id` FROM `busy`",
     .sqlite = "WITH `busy` AS MATERIALIZED (" P ") SELECT `user_id` FROM `busy`"},
    {"CTE used in a subquery", USER, nested_scopes,
     "WITH `busy` AS (" P ") " U " WHERE EXISTS (SELECT 1 FROM `busy` WHERE `busy`.`user_id` = `users`.`id`)",
     "int:1/integer"},
    {"UNION, ordered and limited as a whole", USER, set_union,
     U " WHERE `age` = ? UNION " P " UNION ALL " P " ORDER BY `id` ASC LIMIT ?",
     "int:1/integer int:2/integer int:3/integer int:4/bigInteger", "id:bigInteger*"},
    {"INTERSECT and EXCEPT", USER, intersect, U " INTERSECT " P " EXCEPT " P, "int:1/integer int:2/integer",
     .mysql = "!INTERSECT and EXCEPT", .mariadb = U " INTERSECT " P " EXCEPT " P},
    {"INTERSECT and EXCEPT, newest servers", USER, intersect, U " INTERSECT " P " EXCEPT " P,
     "int:1/integer int:2/integer", .newest = true},
    {"set operations go from left to right", USER, left_to_right,
     "((" U " UNION " P ") INTERSECT " P " EXCEPT " P ") INTERSECT " P,
     "int:1/integer int:2/integer int:3/integer int:4/integer",
     .mysql = "SELECT * FROM (SELECT * FROM (" U " UNION " P ") AS `hysteria_left` INTERSECT " P " EXCEPT " P
              ") AS `hysteria_left` INTERSECT " P,
     .mariadb = "((" U " UNION " P ") INTERSECT " P " EXCEPT " P ") INTERSECT " P,
     .sqlite = U " UNION " P " INTERSECT " P " EXCEPT " P " INTERSECT " P, .newest = true},
    {"a member with its own limit", USER, limited_member,
     U " UNION ALL (" P " ORDER BY `id` DESC LIMIT ?) LIMIT 18446744073709551615 OFFSET ?",
     "int:1/integer int:2/bigInteger int:3/bigInteger",
     .postgres = U " UNION ALL (" P " ORDER BY `id` DESC LIMIT ?) OFFSET ?",
     .sqlite = U " UNION ALL SELECT * FROM (" P " ORDER BY `id` DESC LIMIT ?) LIMIT -1 OFFSET ?"},
    {"a member that is a set operation", USER, compound_member, U " EXCEPT (" P " UNION " P ")",
     "int:1/integer int:2/integer", .sqlite = U " EXCEPT SELECT * FROM (" P " UNION " P ")", .newest = true},
    {"ordering the whole by an alias", USER, alias_of_whole,
     "SELECT `users`.`first_name` AS `label` FROM `users` INNER JOIN `posts` ON `posts`.`user_id` = "
     "`users`.`id`"
     " UNION SELECT `title` AS `label` FROM `posts` ORDER BY `label` DESC",
     .columns = "label:string*"},
    {"members name their columns", USER, members_of_models,
     "SELECT `id`, `first_name`, `age`, `active`, `balance`, `score`, `created_at` FROM `users` UNION"
     " SELECT `id`, `first_name`, `age`, `active`, `balance`, `score`, `created_at` FROM `users`"},
    {"a write as CTE", USER, write_inside, .fails = HY_EINVALID_ARGUMENT},
    {"a CTE without a name", USER, empty_name, .fails = HY_EINVALID_IDENTIFIER},
};

const golden_group golden_set = {"set", cases, sizeof cases / sizeof cases[0]};
