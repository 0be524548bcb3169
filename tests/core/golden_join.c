/*
 * golden_join.c - golden SQL of joins.
 */
#include "golden.h"

static void inner(hy_query *q)
{
    join(q, HY_JOIN_INNER, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    pick(q, "firstName");
    pick(q, "posts.userId");
    hy_query_select(q, col(q, "posts.title"), "headline");
    and_(q, cmp(q, "age", HY_OP_GT, hy_int(18)));
    and_(q, cmp(q, "posts.views", HY_OP_GT, hy_int(5)));
    asc(q, "id");
}
static void default_list(hy_query *q)
{
    join(q, HY_JOIN_LEFT, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
}
static void stars(hy_query *q)
{
    join(q, HY_JOIN_INNER, "posts as p", POST);
    on(q, both(q, "p.userId", HY_OP_EQ, "users.id"));
    pick(q, "p.*");
    pick(q, "age");
}
static void plain_star(hy_query *q)
{
    join(q, HY_JOIN_INNER, "tags", NONE);
    on(q, both(q, "tags.userId", HY_OP_EQ, "users.id"));
    pick(q, "tags.*");
}
static void condition_tree(hy_query *q)
{
    join(q, HY_JOIN_LEFT, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    size_t depth = hy_query_group_open(q, HY_SLOT_ON, HY_AND, false);
    on(q, cmp(q, "posts.views", HY_OP_GT, hy_int(5)));
    hy_query_predicate(q, HY_SLOT_ON, HY_OR, true, cmp(q, "posts.title", HY_OP_LIKE, hy_text("x%")));
    hy_query_group_close(q, depth);
    hy_query_predicate(q, HY_SLOT_ON, HY_OR, false, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(2)));
}
static void kinds(hy_query *q)
{
    join(q, HY_JOIN_RIGHT, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    pick(q, "id");
}
static void full(hy_query *q)
{
    join(q, HY_JOIN_FULL, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    pick(q, "id");
}
static void cross(hy_query *q)
{
    join(q, HY_JOIN_NATURAL, "tags", NONE);
    join(q, HY_JOIN_CROSS, "posts", POST);
    pick(q, "users.id");
}
static void plain_names(hy_query *q)
{
    join(q, HY_JOIN_INNER, "tags as t", NONE);
    on(q, both(q, "t.parentId", HY_OP_EQ, "users.id"));
    pick(q, "t.userId");
    pick(q, "id");
}
static void without_models(hy_query *q)
{
    from(q, "users");
    join(q, HY_JOIN_INNER, "posts", NONE);
    on(q, both(q, "posts.user_id", HY_OP_EQ, "users.id"));
    pick(q, "title");
    pick(q, "users.first_name");
}
static void raw_join(hy_query *q)
{
    hy_expr *one = val(q, hy_int(3));
    const char *text = "LEFT JOIN tags AS t ON t.user_id = users.id AND t.id > ?";

    hy_query_join_raw(q, hy_expr_raw(q, text, strlen(text), &one, 1));
    pick(q, "t.label");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
}
static void subquery(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    pick(sub, "userId");
    hy_query_select(sub, call(sub, "count", col(sub, "*")), "postCount");
    hy_query_group_by(sub, any(sub, "userId"));
    and_(sub, cmp(sub, "views", HY_OP_GT, hy_int(5)));
    hy_query_join_query(q, HY_JOIN_LEFT, sub, "counts");
    hy_query_free(sub);
    on(q, both(q, "counts.userId", HY_OP_EQ, "users.id"));
    pick(q, "firstName");
    pick(q, "counts.postCount");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
}
static void schemas(hy_query *q)
{
    join(q, HY_JOIN_INNER, "logs", LOG);
    on(q, both(q, "logs.userId", HY_OP_EQ, "users.id"));
    join(q, HY_JOIN_INNER, "app.tags", NONE);
    on(q, both(q, "tags.userId", HY_OP_EQ, "users.id"));
    pick(q, "logs.id");
    pick(q, "tags.label");
}
static void self_join(hy_query *q)
{
    hy_query_alias(q, "a");
    join(q, HY_JOIN_INNER, "users as b", USER);
    on(q, both(q, "a.firstName", HY_OP_EQ, "b.firstName"));
    on(q, both(q, "id", HY_OP_LT, "b.id"));
    pick(q, "id");
    hy_query_select(q, col(q, "b.id"), "other");
}
static void correlated(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(TAG));

    join(sub, HY_JOIN_INNER, "tags", NONE);
    on(sub, both(sub, "tags.id", HY_OP_EQ, "tagId"));
    and_(sub, both(sub, "userId", HY_OP_EQ, "posts.userId"));
    and_(sub, cmp(sub, "tags.label", HY_OP_EQ, hy_text("x")));
    join(q, HY_JOIN_INNER, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    pick(q, "id");
    and_(q, hy_expr_exists(q, sub, false));
    hy_query_free(sub);
}
static void missing_on(hy_query *q)
{
    join(q, HY_JOIN_LEFT, "posts", POST);
}
static void on_for_cross(hy_query *q)
{
    join(q, HY_JOIN_CROSS, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
}
static void on_without_join(hy_query *q)
{
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
}
static void unknown_in_joined(hy_query *q)
{
    default_list(q);
    and_(q, cmp(q, "posts.titel", HY_OP_EQ, hy_text("x")));
}

#define ON_POSTS " JOIN `posts` ON `posts`.`user_id` = `users`.`id`"

static const golden cases[] = {
    {"INNER JOIN", USER, inner,
     "SELECT `users`.`first_name`, `posts`.`user_id`, `posts`.`title` AS `headline` FROM `users` "
     "INNER" ON_POSTS " WHERE `users`.`age` > ? AND `posts`.`views` > ? ORDER BY `users`.`id` ASC",
     "int:18/integer int:5/integer", "firstName:string* userId:bigInteger* headline:string*"},
    {"LEFT JOIN selects the base model", USER, default_list,
     "SELECT `users`.`id`, `users`.`first_name`, `users`.`age`, `users`.`active`, `users`.`balance`, "
     "`users`.`score`,"
     " `users`.`created_at` FROM `users` LEFT" ON_POSTS},
    {"star of a joined model", USER, stars,
     "SELECT `p`.`id`, `p`.`user_id`, `p`.`title`, `p`.`views`, `users`.`age` FROM `users`"
     " INNER JOIN `posts` AS `p` ON `p`.`user_id` = `users`.`id`",
     .columns = "id:bigInteger* userId:bigInteger* title:string* views:integer* age:integer*"},
    {"star of a joined table", USER, plain_star,
     "SELECT `tags`.* FROM `users` INNER JOIN `tags` ON `tags`.`user_id` = `users`.`id`", .columns = ""},
    {"ON is a full condition", USER, condition_tree,
     "SELECT `users`.`id` FROM `users` LEFT" ON_POSTS
     " AND (`posts`.`views` > ? OR NOT (`posts`.`title` LIKE ?))"
     " OR `users`.`age` = ? WHERE `users`.`age` = ?",
     "int:5/integer text:x%/string int:1/integer int:2/integer",
     .sqlite = "SELECT `users`.`id` FROM `users` LEFT" ON_POSTS
               " AND (`posts`.`views` > ? OR NOT (`posts`.`title` LIKE ? ESCAPE '\\'))"
               " OR `users`.`age` = ? WHERE `users`.`age` = ?"},
    {"RIGHT JOIN", USER, kinds, "SELECT `users`.`id` FROM `users` RIGHT" ON_POSTS, .sqlite = "!RIGHT JOIN"},
    {"RIGHT JOIN, newest servers", USER, kinds, "SELECT `users`.`id` FROM `users` RIGHT" ON_POSTS,
     .newest = true},
    {"FULL JOIN", USER, full, "SELECT `users`.`id` FROM `users` FULL" ON_POSTS, .mysql = "!FULL JOIN",
     .sqlite = "!FULL JOIN"},
    {"FULL JOIN, newest servers", USER, full, "SELECT `users`.`id` FROM `users` FULL" ON_POSTS,
     .mysql = "!FULL JOIN", .newest = true},
    {"CROSS and NATURAL JOIN", USER, cross,
     "SELECT `users`.`id` FROM `users` NATURAL JOIN `tags` CROSS JOIN `posts`"},
    {"names of joined tables", USER, plain_names,
     "SELECT `t`.`user_id`, `users`.`id` FROM `users` INNER JOIN `tags` AS `t` ON `t`.`parent_id` = "
     "`users`.`id`",
     .columns = "userId:any id:bigInteger*"},
    {"no models", NONE, without_models, "SELECT `title`, `users`.`first_name` FROM `users` INNER" ON_POSTS,
     .columns = "title:any first_name:any"},
    {"raw join", USER, raw_join,
     "SELECT `t`.`label` FROM `users` LEFT JOIN tags AS t ON t.user_id = users.id AND t.id > ? WHERE "
     "`users`.`age` = ?",
     "int:3/any int:1/integer"},
    {"joined subquery", USER, subquery,
     "SELECT `users`.`first_name`, `counts`.`postCount` FROM `users` LEFT JOIN (SELECT `user_id`, COUNT(*) "
     "AS `postCount`"
     " FROM `posts` WHERE `views` > ? GROUP BY `user_id`) AS `counts` ON `counts`.`user_id` = `users`.`id`"
     " WHERE `users`.`age` = ?",
     "int:5/integer int:1/integer", "firstName:string* postCount:bigInteger"},
    {"schemas", USER, schemas,
     "SELECT `logs`.`id`, `tags`.`label` FROM `users` INNER JOIN `app`.`logs` ON `logs`.`user_id` = "
     "`users`.`id`"
     " INNER JOIN `app`.`tags` ON `tags`.`user_id` = `users`.`id`"},
    {"table with itself", USER, self_join,
     "SELECT `a`.`id`, `b`.`id` AS `other` FROM `users` AS `a` INNER JOIN `users` AS `b` ON `a`.`first_name` "
     "= "
     "`b`.`first_name`"
     " AND `a`.`id` < `b`.`id`"},
    {"joins inside and outside", USER, correlated,
     "SELECT `users`.`id` FROM `users` INNER" ON_POSTS
     " WHERE EXISTS (SELECT 1 FROM `user_tags` INNER JOIN `tags`"
     " ON `tags`.`id` = `user_tags`.`tag_id` WHERE `user_tags`.`user_id` = `posts`.`user_id` AND "
     "`tags`.`label` = ?)",
     "text:x/any"},
    {"a join without ON", USER, missing_on, .fails = HY_EINVALID_ARGUMENT},
    {"a cross join with ON", USER, on_for_cross, .fails = HY_EINVALID_ARGUMENT},
    {"ON without a join", USER, on_without_join, .fails = HY_EINVALID_ARGUMENT},
    {"unknown column of a joined model", USER, unknown_in_joined, .fails = HY_EUNDEFINED_COLUMN},
};

const golden_group golden_join = {"join", cases, sizeof cases / sizeof cases[0]};
