/*
 * golden_write.c - golden SQL of INSERT, UPDATE, DELETE and TRUNCATE.
 */
#include "golden.h"

static void insert_into(hy_query *q, const char *a, const char *b)
{
    const char *columns[] = {a, b};
    hy_query_insert(q, columns, b != NULL ? 2 : 1);
}
static hy_expr *stored(hy_query *q, const char *name, hy_value value)
{
    const hy_model *m = hy_query_model(q);
    return hy_expr_value_for(q, m != NULL ? hy_model_find_column(m, name, strlen(name)) : NULL, &value);
}
static void row(hy_query *q, const char *name, int age)
{
    hy_expr *values[] = {stored(q, "firstName", hy_text(name)),
                         age > 0 ? stored(q, "age", hy_int(age)) : NULL};
    hy_query_insert_row(q, values, 2);
}
static void insert(hy_query *q)
{
    insert_into(q, "firstName", "age");
    row(q, "Ada", 36);
}
static void insert_many(hy_query *q)
{
    const hy_model *m = golden_get(USER);
    const hy_column *columns[] = {hy_model_find_column(m, "firstName", 9), hy_model_find_column(m, "age", 3)};

    hy_query_insert_columns(q, columns, 2);
    row(q, "Ada", 36);
    row(q, "O'Neil", 9);
}
/* So many that they travel as arrays where that is possible. */
static void insert_nine(hy_query *q)
{
    const hy_model *m = golden_get(USER);
    const hy_column *columns[] = {hy_model_find_column(m, "firstName", 9), hy_model_find_column(m, "age", 3)};
    hy_value values[] = {hy_text("Ada"), hy_int(36)}, none[] = {hy_null(), hy_null()};

    hy_query_insert_columns(q, columns, 2);
    for (int i = 0; i < 8; i++)
        hy_query_insert_values(q, values, 2);
    hy_query_insert_values(q, none, 2);
}
static void insert_nine_returning(hy_query *q)
{
    insert_nine(q);
    hy_query_returning(q, col(q, "id"), NULL);
}
static void insert_nine_returning_value(hy_query *q)
{
    insert_nine(q);
    hy_query_returning(q, hy_expr_compare(q, HY_OP_ADD, col(q, "age"), val(q, hy_int(1))), "next");
}
static void insert_nine_with_gap(hy_query *q)
{
    insert_into(q, "firstName", "age");
    for (int i = 0; i < 9; i++)
        row(q, "Ada", i == 7 ? 0 : 36);
}
static void insert_nine_with_sum(hy_query *q)
{
    insert_into(q, "firstName", "age");
    for (int i = 0; i < 8; i++)
        row(q, "Ada", 36);
    hy_expr *values[] = {stored(q, "firstName", hy_text("Ada")), raw(q, "1 + 1")};
    hy_query_insert_row(q, values, 2);
}
static void insert_nine_upsert(hy_query *q)
{
    const char *target[] = {"firstName"}, *update[] = {"age"};

    insert_nine(q);
    hy_query_on_conflict(q, target, 1, HY_CONFLICT_UPDATE, update, 1);
}
static void insert_nine_into_table(hy_query *q)
{
    hy_value value = hy_int(1);

    from(q, "tags");
    insert_into(q, "parent_id", NULL);
    for (int i = 0; i < 9; i++)
        hy_query_insert_values(q, &value, 1);
}
static void insert_plain_values(hy_query *q)
{
    const char *columns[] = {"firstName", "balance", "password"};
    hy_value values[] = {hy_text("Ada"), hy_text("1.50"), hy_text("x")},
             none[] = {hy_null(), hy_int(2), hy_null()};

    hy_query_insert(q, columns, 3);
    hy_query_insert_values(q, values, 3);
    hy_query_insert_values(q, none, 3);
}
static void insert_gap(hy_query *q)
{
    insert_into(q, "firstName", "age");
    row(q, "Ada", 36);
    row(q, "Bob", 0);
}
static void insert_without_number(hy_query *q)
{
    const char *columns[] = {"id", "age"};
    hy_expr *numbered[] = {val(q, hy_int(7)), NULL}, *unnumbered[] = {NULL, val(q, hy_int(36))};

    hy_query_insert(q, columns, 2);
    hy_query_insert_row(q, numbered, 2);
    hy_query_insert_row(q, unnumbered, 2);
}
static void insert_own_column(hy_query *q)
{
    hy_expr *value = hy_expr_compare(q, HY_OP_ADD, col(q, "age"), val(q, hy_int(1)));

    insert_into(q, "age", NULL);
    hy_query_insert_row(q, &value, 1);
}
static void insert_default(hy_query *q)
{
    hy_expr *value = hy_expr_default(q);

    insert_into(q, "age", NULL);
    hy_query_insert_row(q, &value, 1);
}
static void insert_null(hy_query *q)
{
    hy_expr *value = stored(q, "age", hy_null());

    insert_into(q, "age", NULL);
    hy_query_insert_row(q, &value, 1);
}
static void insert_raw(hy_query *q)
{
    hy_expr *one = val(q, hy_int(1));
    hy_expr *values[] = {call(q, "upper", val(q, hy_text("ada"))), hy_expr_raw(q, "? + 1", 5, &one, 1)};

    insert_into(q, "firstName", "age");
    hy_query_insert_row(q, values, 2);
}
static void insert_nothing(hy_query *q)
{
    hy_query_insert(q, NULL, 0);
    hy_query_insert_row(q, NULL, 0);
}
static void insert_nothing_twice(hy_query *q)
{
    insert_nothing(q);
    hy_query_insert_row(q, NULL, 0);
}
static void insert_table(hy_query *q)
{
    hy_expr *values[] = {val(q, hy_text("x")), val(q, hy_int(1))};

    from(q, "app.tags");
    insert_into(q, "label", "parent_id");
    hy_query_insert_row(q, values, 2);
}
static void insert_returning(hy_query *q)
{
    insert(q);
    hy_query_returning(q, col(q, "id"), NULL);
    hy_query_returning(q, col(q, "createdAt"), "made");
}
static void insert_returning_all(hy_query *q)
{
    insert(q);
    hy_query_returning(q, col(q, "*"), NULL);
}
static void insert_without_row(hy_query *q)
{
    insert_into(q, "firstName", "age");
}
static void insert_wrong_row(hy_query *q)
{
    insert_into(q, "firstName", NULL);
    row(q, "Ada", 1);
}
static void insert_unknown(hy_query *q)
{
    insert_into(q, "firstNam", NULL);
}
static void insert_generated(hy_query *q)
{
    insert_into(q, "doubled", NULL);
}
static void insert_where(hy_query *q)
{
    insert(q);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
}
static void insert_guarded(hy_query *q)
{
    insert(q);
    hy_query_guard_begin(q);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    hy_query_guard_end(q);
}
static void insert_with(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST)), *most = hy_query_new(NULL);
    hy_expr *value;

    hy_query_select(sub, call(sub, "max", col(sub, "views")), "views");
    from(most, "top");
    pick(most, "views");
    hy_query_with(q, "top", sub, false, false);
    insert_into(q, "age", NULL);
    value = hy_expr_query(q, most);
    hy_query_insert_row(q, &value, 1);
    hy_query_free(sub);
    hy_query_free(most);
}
static void upsert(hy_query *q, hy_conflict_action action, const char *update)
{
    const char *target[] = {"firstName"}, *updates[] = {update};

    insert(q);
    hy_query_on_conflict(q, target, 1, action, updates, update != NULL);
}
static void upsert_update(hy_query *q)
{
    upsert(q, HY_CONFLICT_UPDATE, "age");
}
static void upsert_rest(hy_query *q)
{
    upsert(q, HY_CONFLICT_UPDATE, NULL);
}
static void upsert_nothing(hy_query *q)
{
    upsert(q, HY_CONFLICT_NOTHING, NULL);
}
static void upsert_composite(hy_query *q)
{
    const char *columns[] = {"userId", "tagId", "weight"}, *target[] = {"userId", "tagId"};
    hy_expr *values[] = {stored(q, "userId", hy_int(1)), stored(q, "tagId", hy_int(2)),
                         stored(q, "weight", hy_int(3))};

    hy_query_insert(q, columns, 3);
    hy_query_insert_row(q, values, 3);
    hy_query_on_conflict(q, target, 2, HY_CONFLICT_UPDATE, NULL, 0);
}
static void upsert_only_keys(hy_query *q)
{
    const char *columns[] = {"userId", "tagId"};
    hy_expr *values[] = {stored(q, "userId", hy_int(1)), stored(q, "tagId", hy_int(2))};

    hy_query_insert(q, columns, 2);
    hy_query_insert_row(q, values, 2);
    hy_query_on_conflict(q, columns, 2, HY_CONFLICT_UPDATE, NULL, 0);
}
static void upsert_returning(hy_query *q)
{
    upsert_update(q);
    hy_query_returning(q, col(q, "id"), NULL);
}
static void count_conflicts(hy_query *q, const char *column)
{
    hy_query_conflict_set(q, column, strlen(column),
                          hy_expr_compare(q, HY_OP_ADD, col(q, column), val(q, hy_int(1))));
}
static void upsert_count(hy_query *q)
{
    upsert_update(q);
    count_conflicts(q, "age");
}
static void upsert_nothing_count(hy_query *q)
{
    upsert_nothing(q);
    count_conflicts(q, "age");
}
static void insert_nine_count(hy_query *q)
{
    insert_nine_upsert(q);
    count_conflicts(q, "age");
}
static void upsert_table(hy_query *q)
{
    const char *target[] = {"id"};
    hy_expr *values[] = {val(q, hy_int(1)), val(q, hy_text("x"))};

    from(q, "app.tags");
    insert_into(q, "id", "label");
    hy_query_insert_row(q, values, 2);
    hy_query_on_conflict(q, target, 1, HY_CONFLICT_UPDATE, NULL, 0);
    count_conflicts(q, "parent_id");
}
static void upsert_no_target(hy_query *q)
{
    insert(q);
    hy_query_on_conflict(q, NULL, 0, HY_CONFLICT_NOTHING, NULL, 0);
}

static void update(hy_query *q)
{
    set(q, "firstName", stored(q, "firstName", hy_text("Bob")));
    set(q, "age", stored(q, "age", hy_int(1)));
    set(q, "age", stored(q, "age", hy_int(2)));
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(3)));
}
static void update_expression(hy_query *q)
{
    set(q, "age", hy_expr_compare(q, HY_OP_ADD, col(q, "age"), val(q, hy_int(1))));
    set(q, "score", hy_expr_param(q, "score", HY_KIND_DOUBLE));
    set(q, "firstName", stored(q, "firstName", hy_null()));
}
static void change(hy_query *q, const char *column, hy_op op, hy_value amount)
{
    set(q, column, hy_expr_compare(q, op, col(q, column), stored(q, column, amount)));
}
static void update_exact(hy_query *q)
{
    change(q, "balance", HY_OP_ADD, hy_text("0.10"));
    change(q, "age", HY_OP_SUBTRACT, hy_int(1));
    set(q, "score", hy_expr_compare(q, HY_OP_MULTIPLY, col(q, "balance"), col(q, "age")));
    and_(q, hy_expr_compare(q, HY_OP_GT,
                            hy_expr_compare(q, HY_OP_MULTIPLY, col(q, "score"), val(q, hy_double(0.5))),
                            val(q, hy_int(2))));
}
/* What each row gets, by its key. */
static void update_by_key(hy_query *q)
{
    hy_expr *a[] = {cmp(q, "userId", HY_OP_EQ, hy_int(1)), cmp(q, "tagId", HY_OP_EQ, hy_int(2))};
    hy_expr *b[] = {cmp(q, "userId", HY_OP_EQ, hy_int(3)), cmp(q, "tagId", HY_OP_EQ, hy_int(4))};
    hy_expr *whens[] = {hy_expr_all(q, HY_AND, a, 2), hy_expr_all(q, HY_AND, b, 2)};
    hy_expr *thens[] = {stored(q, "weight", hy_int(5)), stored(q, "weight", hy_null())};

    set(q, "weight", hy_expr_case(q, whens, thens, 2, col(q, "weight")));
    and_(q, hy_expr_is_null(q, col(q, "weight"), false));
}
static void update_default(hy_query *q)
{
    set(q, "age", hy_expr_default(q));
}
static void update_guarded(hy_query *q)
{
    update_expression(q);
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(1)));
    or_(q, cmp(q, "id", HY_OP_EQ, hy_int(2)));
    hy_query_guard_begin(q);
    and_(q, hy_expr_is_null(q, col(q, "createdAt"), false));
    hy_query_guard_end(q);
}
static void update_alias(hy_query *q)
{
    hy_query_alias(q, "u");
    set(q, "age", stored(q, "age", hy_int(1)));
    and_(q, cmp(q, "u.id", HY_OP_EQ, hy_int(2)));
}
static void update_returning(hy_query *q)
{
    update(q);
    hy_query_returning(q, col(q, "id"), NULL);
    hy_query_returning(q, call(q, "upper", col(q, "firstName")), "shout");
}
static void update_limit(hy_query *q)
{
    set(q, "age", stored(q, "age", hy_int(1)));
    and_(q, cmp(q, "id", HY_OP_GT, hy_int(2)));
    hy_query_order_by(q, any(q, "id"), HY_DESC, HY_NULLS_DEFAULT);
    hy_query_limit(q, 3);
}
static void update_offset(hy_query *q)
{
    update_limit(q);
    hy_query_offset(q, 4);
}
static void update_order(hy_query *q)
{
    set(q, "age", stored(q, "age", hy_int(1)));
    asc(q, "id");
}
static void update_composite_limit(hy_query *q)
{
    set(q, "weight", stored(q, "weight", hy_int(1)));
    hy_query_limit(q, 2);
    hy_query_offset(q, 1);
}
static void join_posts(hy_query *q)
{
    join(q, HY_JOIN_INNER, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    and_(q, cmp(q, "posts.title", HY_OP_EQ, hy_text("x")));
}
static void update_join(hy_query *q)
{
    set(q, "age", col(q, "posts.views"));
    set(q, "score", stored(q, "score", hy_double(0.5)));
    join_posts(q);
    or_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
}
static void update_two_joins(hy_query *q)
{
    set(q, "age", stored(q, "age", hy_int(1)));
    join(q, HY_JOIN_INNER, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    hy_query_predicate(q, HY_SLOT_ON, HY_OR, false, both(q, "posts.id", HY_OP_EQ, "users.id"));
    join(q, HY_JOIN_CROSS, "tags as t", NONE);
}
static void update_left_join(hy_query *q)
{
    set(q, "age", stored(q, "age", hy_int(1)));
    join(q, HY_JOIN_LEFT, "posts", POST);
    on(q, both(q, "posts.userId", HY_OP_EQ, "users.id"));
    and_(q, hy_expr_is_null(q, col(q, "posts.id"), false));
}
static void update_left_join_value(hy_query *q)
{
    update_left_join(q);
    set(q, "age", col(q, "posts.views"));
}
static void update_join_limit(hy_query *q)
{
    set(q, "age", stored(q, "age", hy_int(1)));
    join_posts(q);
    hy_query_limit(q, 2);
}
static void update_with(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST)), *in = hy_query_new(NULL);

    pick(sub, "userId");
    and_(sub, cmp(sub, "views", HY_OP_GT, hy_int(5)));
    hy_query_with(q, "busy", sub, false, false);
    from(in, "busy");
    pick(in, "userId");
    set(q, "active", stored(q, "active", hy_bool(false)));
    and_(q, hy_expr_in_query(q, col(q, "id"), in, false));
    hy_query_free(sub);
    hy_query_free(in);
}
/* Subqueries that read what the statement changes. */
static void update_own_value(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(USER));

    hy_query_select(sub, call(sub, "max", col(sub, "age")), NULL);
    set(q, "age", hy_expr_query(q, sub));
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(3)));
    hy_query_free(sub);
}
static void update_own_in(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    pick(sub, "userId");
    join(sub, HY_JOIN_INNER, "users", USER);
    on(sub, both(sub, "users.id", HY_OP_EQ, "posts.userId"));
    set(q, "age", stored(q, "age", hy_int(1)));
    and_(q, hy_expr_in_query(q, col(q, "id"), sub, false));
    hy_query_free(sub);
}
static void update_other_in(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    pick(sub, "userId");
    set(q, "age", stored(q, "age", hy_int(1)));
    and_(q, hy_expr_in_query(q, col(q, "id"), sub, false));
    hy_query_free(sub);
}
static void update_table(hy_query *q)
{
    from(q, "tags");
    set(q, "label", val(q, hy_text("x")));
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(1)));
}
static void update_table_limit(hy_query *q)
{
    update_table(q);
    hy_query_limit(q, 1);
}
static void update_without_set(hy_query *q)
{
    set(q, "agee", val(q, hy_int(1)));
}
static void update_group(hy_query *q)
{
    update(q);
    hy_query_group_by(q, any(q, "age"));
}

static void delete_(hy_query *q)
{
    hy_query_delete(q);
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(3)));
}
static void delete_all(hy_query *q)
{
    hy_query_delete(q);
}
static void delete_alias(hy_query *q)
{
    hy_query_alias(q, "u");
    hy_query_delete(q);
    and_(q, cmp(q, "u.id", HY_OP_EQ, hy_int(3)));
}
static void delete_limit(hy_query *q)
{
    delete_(q);
    asc(q, "age");
    hy_query_limit(q, 1);
}
static void delete_alias_limit(hy_query *q)
{
    delete_alias(q);
    hy_query_limit(q, 1);
}
static void delete_returning(hy_query *q)
{
    delete_(q);
    hy_query_returning(q, col(q, "*"), NULL);
}
static void delete_own_exists(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST)), *other = hy_query_new(golden_get(POST));

    hy_query_alias(sub, "older");
    pick(sub, "id");
    and_(sub, cmp(sub, "views", HY_OP_EQ, hy_int(1)));
    pick(other, "id");
    and_(other, cmp(other, "views", HY_OP_EQ, hy_int(2)));
    hy_query_set_operation(sub, HY_UNION, other);
    hy_query_delete(q);
    and_(q, hy_expr_exists(q, sub, true));
    hy_query_free(sub);
    hy_query_free(other);
}
static void delete_join(hy_query *q)
{
    hy_query_delete(q);
    join_posts(q);
}
static void delete_composite_join(hy_query *q)
{
    hy_query_delete(q);
    join(q, HY_JOIN_LEFT, "tags", NONE);
    on(q, both(q, "tags.id", HY_OP_EQ, "tagId"));
    and_(q, hy_expr_is_null(q, col(q, "tags.id"), false));
}
static void delete_table_limit(hy_query *q)
{
    from(q, "tags");
    hy_query_delete(q);
    hy_query_limit(q, 1);
}
static void truncate(hy_query *q)
{
    hy_query_truncate(q);
}
static void truncate_where(hy_query *q)
{
    hy_query_truncate(q);
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(3)));
}
static void write_from_subquery(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(USER));

    hy_query_from_query(q, sub, "u");
    hy_query_free(sub);
    hy_query_delete(q);
}
static void no_table(hy_query *q)
{
    hy_query_delete(q);
}

#define INSERT "INSERT INTO `users` (`first_name`, `age`) VALUES "
#define ADA "text:Ada/string int:36/integer"
#define SEVEN(x) x ", " x ", " x ", " x ", " x ", " x ", " x
#define NINE(x) SEVEN(x) ", " x ", " x
#define SEVEN_ADA ADA " " ADA " " ADA " " ADA " " ADA " " ADA " " ADA
#define NINE_ROWS SEVEN_ADA " " ADA " null:/string null:/integer"
#define NINE_ONES "int:1/any int:1/any int:1/any int:1/any int:1/any int:1/any int:1/any int:1/any int:1/any"
#define NINE_WRITTEN SEVEN("('Ada', 36)") ", ('Ada', 36), (NULL, NULL)"
#define UNNEST                                                \
    "INSERT INTO `users` (`first_name`, `age`) SELECT c1, c2" \
    " FROM unnest(?::text[], ?::integer[]) WITH ORDINALITY AS r (c1, c2, n) ORDER BY n"
#define DUPLICATE_NEW                                                                   \
    " AS hysteria_new ON DUPLICATE KEY UPDATE `first_name` = IF(`users`.`first_name` =" \
    " hysteria_new.`first_name`, `users`.`first_name`, ~0 + 1 + (`users`.`first_name` IS NULL))"
#define DUPLICATE                                                                             \
    " ON DUPLICATE KEY UPDATE `first_name` = IF(`users`.`first_name` = VALUES(`first_name`)," \
    " `users`.`first_name`, ~0 + 1 + (`users`.`first_name` IS NULL))"
#define TAG_DUPLICATE_NEW                                                                              \
    " AS hysteria_new ON DUPLICATE KEY UPDATE `user_id` = IF(`user_tags`.`user_id` ="                  \
    " hysteria_new.`user_id` AND `user_tags`.`tag_id` = hysteria_new.`tag_id`, `user_tags`.`user_id`," \
    " ~0 + 1 + (`user_tags`.`user_id` IS NULL))"
#define TAG_DUPLICATE                                                                                      \
    " ON DUPLICATE KEY UPDATE `user_id` = IF(`user_tags`.`user_id` = VALUES(`user_id`) AND"                \
    " `user_tags`.`tag_id` = VALUES(`tag_id`), `user_tags`.`user_id`, ~0 + 1 + (`user_tags`.`user_id` IS " \
    "NULL))"
#define ALL "`id`, `first_name`, `age`, `active`, `balance`, `score`, `created_at`"
#define BUSY "WITH `busy` AS (SELECT `user_id` FROM `posts` WHERE `views` > ?) "

#define SET_BEFORE "!SET from a column that is set before"
static const golden cases[] = {
    {"INSERT", USER, insert, INSERT "(?, ?)", ADA, ""},
    {"INSERT of several rows", USER, insert_many, INSERT "(?, ?), (?, ?)",
     ADA " text:O'Neil/string int:9/integer"},
    {"INSERT of plain values", USER, insert_plain_values,
     "INSERT INTO `users` (`first_name`, `balance`, `password`) VALUES (?, ?, ?), (?, ?, ?)",
     "text:Ada/string decimal:1.50/decimal text:x/string! null:/string decimal:2/decimal null:/string!"},
    {"INSERT of nine rows", USER, insert_nine, INSERT NINE("(?, ?)"), NINE_ROWS},
    {"INSERT of nine rows as arrays", USER, insert_nine, INSERT NINE("(?, ?)"), NINE_ROWS, .row_arrays = true,
     .postgres = UNNEST, .cockroachdb = INSERT NINE("(?, ?)"), .mysql = INSERT NINE("(?, ?)"),
     .mariadb = INSERT "(?, ?)"},
    {"INSERT of nine rows as arrays RETURNING", USER, insert_nine_returning,
     INSERT NINE("(?, ?)") " RETURNING `id`", NINE_ROWS, .row_arrays = true,
     .postgres = UNNEST " RETURNING `id`", .cockroachdb = INSERT NINE("(?, ?)") " RETURNING `id`",
     .mysql = "!INSERT ... RETURNING", .mariadb = INSERT NINE("(?, ?)") " RETURNING `id`"},
    {"INSERT of nine rows RETURNING a value of its own", USER, insert_nine_returning_value,
     INSERT NINE("(?, ?)") " RETURNING `age` + ? AS `next`", NINE_ROWS " int:1/any", .row_arrays = true,
     .mysql = "!INSERT ... RETURNING", .mariadb = INSERT NINE("(?, ?)") " RETURNING `age` + ? AS `next`",
     .sqlite = INSERT NINE("(?, ?)") " RETURNING hysteria_whole_add(`age`, ?) AS `next`"},
    {"INSERT of nine rows with a gap", USER, insert_nine_with_gap,
     INSERT SEVEN("(?, ?)") ", (?, DEFAULT), (?, ?)", SEVEN_ADA " text:Ada/string " ADA, .row_arrays = true,
     .sqlite = "!DEFAULT in VALUES"},
    {"INSERT of nine rows with an expression", USER, insert_nine_with_sum,
     INSERT SEVEN("(?, ?)") ", (?, ?), (?, 1 + 1)", SEVEN_ADA " " ADA " text:Ada/string", .row_arrays = true},
    {"upsert of nine rows as arrays", USER, insert_nine_upsert,
     INSERT NINE("(?, ?)") " ON CONFLICT (`first_name`) DO UPDATE SET `age` = excluded.`age`", NINE_ROWS,
     .row_arrays = true,
     .postgres = UNNEST " ON CONFLICT (`first_name`) DO UPDATE SET `age` = excluded.`age`",
     .cockroachdb = INSERT NINE("(?, ?)") " ON CONFLICT (`first_name`) DO UPDATE SET `age` = excluded.`age`",
     .mysql = INSERT NINE("(?, ?)") DUPLICATE_NEW ", `age` = hysteria_new.`age`",
     .mariadb = INSERT NINE("(?, ?)") DUPLICATE ", `age` = VALUES(`age`)"},
    {"INSERT of nine rows into a table whose columns are not known", NONE, insert_nine_into_table,
     "INSERT INTO `tags` (`parent_id`) VALUES " NINE("(?)"), NINE_ONES, .row_arrays = true},
    {"INSERT of nine rows for people", USER, insert_nine, INSERT NINE_WRITTEN, .row_arrays = true,
     .inline_values = true},
    {"INSERT with a gap", USER, insert_gap, INSERT "(?, ?), (?, DEFAULT)", ADA " text:Bob/string",
     .sqlite = "!DEFAULT in VALUES"},
    {"INSERT of a row without its number", USER, insert_without_number,
     "INSERT INTO `users` (`id`, `age`) VALUES (?, DEFAULT), (DEFAULT, ?)", "int:7/any int:36/any",
     .mysql = "INSERT INTO `users` (`id`, `age`) VALUES (?, DEFAULT), (NULL, ?)",
     .sqlite = "!DEFAULT in VALUES"},
    {"INSERT of a column's value", USER, insert_own_column, NULL, .fails = HY_EINVALID_ARGUMENT},
    {"INSERT of a default", USER, insert_default, "INSERT INTO `users` (`age`) VALUES (DEFAULT)",
     .sqlite = "!DEFAULT in VALUES"},
    {"INSERT of NULL", USER, insert_null, "INSERT INTO `users` (`age`) VALUES (?)", "null:/integer"},
    {"INSERT of expressions", USER, insert_raw, INSERT "(UPPER(?), ? + 1)", "text:ada/any int:1/any"},
    {"INSERT of nothing", USER, insert_nothing, "INSERT INTO `users` DEFAULT VALUES",
     .mysql = "INSERT INTO `users` () VALUES ()"},
    {"INSERT of nothing twice", USER, insert_nothing_twice, "!DEFAULT VALUES for several rows",
     .mysql = "INSERT INTO `users` () VALUES (), ()"},
    {"INSERT into a table", NONE, insert_table,
     "INSERT INTO `app`.`tags` (`label`, `parent_id`) VALUES (?, ?)", "text:x/any int:1/any"},
    {"INSERT RETURNING", USER, insert_returning, INSERT "(?, ?) RETURNING `id`, `created_at` AS `made`", ADA,
     "id:bigInteger* made:timestamp*", .mysql = "!INSERT ... RETURNING",
     .mariadb = INSERT "(?, ?) RETURNING `id`, `created_at` AS `made`"},
    {"INSERT RETURNING everything", USER, insert_returning_all, INSERT "(?, ?) RETURNING " ALL, ADA,
     .mysql = "!INSERT ... RETURNING", .mariadb = INSERT "(?, ?) RETURNING " ALL},
    {"INSERT without a row", USER, insert_without_row, .fails = HY_EINVALID_ARGUMENT},
    {"INSERT of a row too long", USER, insert_wrong_row, .fails = HY_EINVALID_ARGUMENT},
    {"INSERT into an unknown column", USER, insert_unknown, .fails = HY_EUNDEFINED_COLUMN},
    {"INSERT into a generated column", PLAIN, insert_generated, .fails = HY_EINVALID_ARGUMENT},
    {"INSERT with WHERE", USER, insert_where, .fails = HY_EINVALID_ARGUMENT},
    {"INSERT with the engine's condition", USER, insert_guarded, INSERT "(?, ?)", ADA},
    {"INSERT with a CTE", USER, insert_with,
     "WITH `top` AS (SELECT MAX(`views`) AS `views` FROM `posts`) INSERT INTO `users` (`age`) VALUES"
     " ((SELECT `views` FROM `top`))",
     .mysql = "!WITH before INSERT"},
    {"upsert", USER, upsert_update,
     INSERT "(?, ?) ON CONFLICT (`first_name`) DO UPDATE SET `age` = excluded.`age`", ADA,
     .mysql = INSERT "(?, ?)" DUPLICATE_NEW ", `age` = hysteria_new.`age`",
     .mariadb = INSERT "(?, ?)" DUPLICATE ", `age` = VALUES(`age`)"},
    {"upsert of what is no key", USER, upsert_rest,
     INSERT "(?, ?) ON CONFLICT (`first_name`) DO UPDATE SET `age` = excluded.`age`", ADA,
     .mysql = INSERT "(?, ?)" DUPLICATE_NEW ", `age` = hysteria_new.`age`",
     .mariadb = INSERT "(?, ?)" DUPLICATE ", `age` = VALUES(`age`)"},
    {"upsert that keeps the old row", USER, upsert_nothing,
     INSERT "(?, ?) ON CONFLICT (`first_name`) DO NOTHING", ADA, .mysql = INSERT "(?, ?)" DUPLICATE_NEW,
     .mariadb = INSERT "(?, ?)" DUPLICATE},
    {"upsert that counts", USER, upsert_count,
     INSERT "(?, ?) ON CONFLICT (`first_name`) DO UPDATE SET `age` = `users`.`age` + ?", ADA " int:1/any",
     .mysql = INSERT "(?, ?)" DUPLICATE_NEW ", `age` = `users`.`age` + ?",
     .mariadb = INSERT "(?, ?)" DUPLICATE ", `age` = `users`.`age` + ?",
     .sqlite = INSERT "(?, ?) ON CONFLICT (`first_name`) DO UPDATE SET `age` ="
                      " hysteria_whole_add(`users`.`age`, ?)"},
    {"upsert of nine rows that counts", USER, insert_nine_count,
     INSERT NINE("(?, ?)") " ON CONFLICT (`first_name`) DO UPDATE SET `age` = `users`.`age` + ?",
     NINE_ROWS " int:1/any", .mysql = INSERT NINE("(?, ?)") DUPLICATE_NEW ", `age` = `users`.`age` + ?",
     .mariadb = INSERT NINE("(?, ?)") DUPLICATE ", `age` = `users`.`age` + ?",
     .sqlite = INSERT NINE("(?, ?)") " ON CONFLICT (`first_name`) DO UPDATE SET `age` ="
                                     " hysteria_whole_add(`users`.`age`, ?)"},
    {"upsert into a table of a schema", NONE, upsert_table,
     "INSERT INTO `app`.`tags` (`id`, `label`) VALUES (?, ?) ON CONFLICT (`id`) DO UPDATE SET `label` ="
     " excluded.`label`, `parent_id` = `tags`.`parent_id` + ?",
     "int:1/any text:x/any int:1/any",
     .mysql = "INSERT INTO `app`.`tags` (`id`, `label`) VALUES (?, ?) AS hysteria_new ON DUPLICATE KEY UPDATE"
              " `id` = IF(`tags`.`id` = hysteria_new.`id`, `tags`.`id`, ~0 + 1 + (`tags`.`id` IS NULL)),"
              " `label` = hysteria_new.`label`, `parent_id` = `tags`.`parent_id` + ?",
     .mariadb = "INSERT INTO `app`.`tags` (`id`, `label`) VALUES (?, ?) ON DUPLICATE KEY UPDATE"
                " `id` = IF(`tags`.`id` = VALUES(`id`), `tags`.`id`, ~0 + 1 + (`tags`.`id` IS NULL)),"
                " `label` = VALUES(`label`), `parent_id` = `tags`.`parent_id` + ?"},
    {"a value for a conflict that updates nothing", USER, upsert_nothing_count,
     .fails = HY_EINVALID_ARGUMENT},
    {"upsert by two columns", TAG, upsert_composite,
     "INSERT INTO `user_tags` (`user_id`, `tag_id`, `weight`) VALUES (?, ?, ?) ON CONFLICT (`user_id`, "
     "`tag_id`)"
     " DO UPDATE SET `weight` = excluded.`weight`",
     "int:1/bigInteger int:2/bigInteger int:3/integer",
     .mysql = "INSERT INTO `user_tags` (`user_id`, `tag_id`, `weight`) VALUES (?, ?, ?)" TAG_DUPLICATE_NEW
              ", `weight` = hysteria_new.`weight`",
     .mariadb = "INSERT INTO `user_tags` (`user_id`, `tag_id`, `weight`) VALUES (?, ?, ?)" TAG_DUPLICATE
                ", `weight` = VALUES(`weight`)"},
    {"upsert with nothing to update", TAG, upsert_only_keys,
     "INSERT INTO `user_tags` (`user_id`, `tag_id`) VALUES (?, ?) ON CONFLICT (`user_id`, `tag_id`) DO "
     "NOTHING",
     "int:1/bigInteger int:2/bigInteger",
     .mysql = "INSERT INTO `user_tags` (`user_id`, `tag_id`) VALUES (?, ?)" TAG_DUPLICATE_NEW,
     .mariadb = "INSERT INTO `user_tags` (`user_id`, `tag_id`) VALUES (?, ?)" TAG_DUPLICATE},
    {"upsert RETURNING", USER, upsert_returning,
     INSERT "(?, ?) ON CONFLICT (`first_name`) DO UPDATE SET `age` = excluded.`age` RETURNING `id`", ADA,
     "id:bigInteger*", .mysql = "!INSERT ... RETURNING",
     .mariadb = INSERT "(?, ?)" DUPLICATE ", `age` = VALUES(`age`) RETURNING `id`"},
    {"upsert without a target", USER, upsert_no_target, INSERT "(?, ?) ON CONFLICT DO NOTHING", ADA,
     .mysql = INSERT "(?, ?) AS hysteria_new ON DUPLICATE KEY UPDATE `first_name` = `users`.`first_name`",
     .mariadb = INSERT "(?, ?) ON DUPLICATE KEY UPDATE `first_name` = `users`.`first_name`"},

    {"UPDATE", USER, update, "UPDATE `users` SET `first_name` = ?, `age` = ? WHERE `id` = ?",
     "text:Bob/string int:2/integer int:3/bigInteger", ""},
    {"UPDATE with expressions", USER, update_expression,
     "UPDATE `users` SET `age` = `age` + ?, `score` = ?, `first_name` = ?",
     "int:1/any <score>null:/double null:/string",
     .sqlite = "UPDATE `users` SET `age` = hysteria_whole_add(`age`, ?), `score` = ?, `first_name` = ?"},
    {"UPDATE with calculations", USER, update_exact,
     "UPDATE `users` SET `balance` = `balance` + ?, `age` = `age` - ?, `score` = `balance` * `age` WHERE"
     " (`score` * ?) > ?",
     "decimal:0.10/decimal int:1/integer double:0.5/any int:2/any", .mysql = SET_BEFORE,
     .mariadb = SET_BEFORE,
     .sqlite = "UPDATE `users` SET `balance` = CAST(hysteria_add(`balance`, ?) AS TEXT) COLLATE"
               " hysteria_decimal, `age` = hysteria_whole_subtract(`age`, ?), `score` ="
               " CAST(hysteria_multiply(`balance`, `age`) AS TEXT) COLLATE hysteria_decimal WHERE"
               " (`score` * ?) > ?"},
    {"UPDATE by key", TAG, update_by_key,
     "UPDATE `user_tags` SET `weight` = CASE WHEN `user_id` = ? AND `tag_id` = ? THEN ? WHEN `user_id` = ? "
     "AND"
     " `tag_id` = ? THEN ? ELSE `weight` END WHERE `weight` IS NULL",
     "int:1/bigInteger int:2/bigInteger int:5/integer int:3/bigInteger int:4/bigInteger null:/integer"},
    {"UPDATE to the default", USER, update_default, "UPDATE `users` SET `age` = DEFAULT",
     .sqlite = "!DEFAULT in VALUES"},
    {"UPDATE, guarded", USER, update_guarded,
     "UPDATE `users` SET `age` = `age` + ?, `score` = ?, `first_name` = ? WHERE (`id` = ? OR `id` = ?) AND "
     "`created_at` IS NULL",
     "int:1/any <score>null:/double null:/string int:1/bigInteger int:2/bigInteger",
     .sqlite = "UPDATE `users` SET `age` = hysteria_whole_add(`age`, ?), `score` = ?, `first_name` = ? WHERE"
               " (`id` = ? OR `id` = ?) AND `created_at` IS NULL"},
    {"UPDATE with an alias", USER, update_alias, "UPDATE `users` AS `u` SET `age` = ? WHERE `u`.`id` = ?",
     "int:1/integer int:2/bigInteger"},
    {"UPDATE RETURNING", USER, update_returning,
     "UPDATE `users` SET `first_name` = ?, `age` = ? WHERE `id` = ? RETURNING `id`, UPPER(`first_name`) AS "
     "`shout`",
     "text:Bob/string int:2/integer int:3/bigInteger", "id:bigInteger* shout:text",
     .mysql = "!UPDATE ... RETURNING"},
    {"UPDATE with ORDER and LIMIT", USER, update_limit,
     "UPDATE `users` SET `age` = ? WHERE `id` > ? ORDER BY `id` DESC LIMIT ?",
     "int:1/integer int:2/bigInteger int:3/bigInteger",
     .postgres = "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `id` FROM `users` WHERE `id` > ? ORDER "
                 "BY `id` DESC LIMIT ?)",
     .cockroachdb = "UPDATE `users` SET `age` = ? WHERE `id` > ? ORDER BY `id` DESC LIMIT ?",
     .sqlite = "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `id` FROM `users` WHERE `id` > ? ORDER BY "
               "`id` DESC LIMIT ?)"},
    {"UPDATE with OFFSET", USER, update_offset,
     "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `id` FROM `users` WHERE `id` > ? ORDER BY `id` DESC "
     "LIMIT ? OFFSET ?)",
     "int:1/integer int:2/bigInteger int:3/bigInteger int:4/bigInteger",
     .mysql =
         "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT * FROM (SELECT `id` FROM `users` WHERE `id` > ?"
         " ORDER BY `id` DESC LIMIT ? OFFSET ?) AS `hysteria_keys`)"},
    {"UPDATE with ORDER alone", USER, update_order,
     "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `id` FROM `users` ORDER BY `id` ASC)",
     "int:1/integer", .mysql = "UPDATE `users` SET `age` = ? ORDER BY `id` ASC"},
    {"UPDATE with LIMIT, composite key", TAG, update_composite_limit,
     "UPDATE `user_tags` SET `weight` = ? WHERE (`user_id`, `tag_id`) IN (SELECT `user_id`, `tag_id` FROM "
     "`user_tags`"
     " LIMIT ? OFFSET ?)",
     "int:1/integer int:2/bigInteger int:1/bigInteger",
     .mysql = "UPDATE `user_tags` SET `weight` = ? WHERE (`user_id`, `tag_id`) IN (SELECT * FROM (SELECT "
              "`user_id`, `tag_id`"
              " FROM `user_tags` LIMIT ? OFFSET ?) AS `hysteria_keys`)"},
    {"UPDATE with a join", USER, update_join,
     "UPDATE `users` SET `age` = `posts`.`views`, `score` = ? FROM `posts` WHERE `posts`.`user_id` = "
     "`users`.`id`"
     " AND (`posts`.`title` = ? OR `users`.`age` = ?)",
     "double:0.5/double text:x/string int:1/integer",
     .mysql = "UPDATE `users` INNER JOIN `posts` ON `posts`.`user_id` = `users`.`id` SET `users`.`age` = "
              "`posts`.`views`,"
              " `users`.`score` = ? WHERE `posts`.`title` = ? OR `users`.`age` = ?"},
    {"UPDATE with two joins", USER, update_two_joins,
     "UPDATE `users` SET `age` = ? FROM `posts`, `tags` AS `t` WHERE (`posts`.`user_id` = `users`.`id` OR "
     "`posts`.`id` ="
     " `users`.`id`)",
     "int:1/integer",
     .mysql = "UPDATE `users` INNER JOIN `posts` ON `posts`.`user_id` = `users`.`id` OR `posts`.`id` = "
              "`users`.`id`"
              " CROSS JOIN `tags` AS `t` SET `users`.`age` = ?"},
    {"UPDATE with a LEFT JOIN", USER, update_left_join,
     "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `users`.`id` FROM `users` LEFT JOIN `posts`"
     " ON `posts`.`user_id` = `users`.`id` WHERE `posts`.`id` IS NULL)",
     "int:1/integer",
     .mysql = "UPDATE `users` LEFT JOIN `posts` ON `posts`.`user_id` = `users`.`id` SET `users`.`age` = ? "
              "WHERE `posts`.`id` IS NULL"},
    {"UPDATE with a value from a LEFT JOIN", USER, update_left_join_value, "!joined columns in SET", "",
     .mysql = "UPDATE `users` LEFT JOIN `posts` ON `posts`.`user_id` = `users`.`id` SET `users`.`age` = "
              "`posts`.`views`"
              " WHERE `posts`.`id` IS NULL"},
    {"UPDATE with a join and LIMIT", USER, update_join_limit,
     "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `users`.`id` FROM `users` INNER JOIN `posts`"
     " ON `posts`.`user_id` = `users`.`id` WHERE `posts`.`title` = ? LIMIT ?)",
     "int:1/integer text:x/string int:2/bigInteger",
     .mysql = "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT * FROM (SELECT `users`.`id` FROM `users` "
              "INNER JOIN `posts`"
              " ON `posts`.`user_id` = `users`.`id` WHERE `posts`.`title` = ? LIMIT ?) AS `hysteria_keys`)"},
    {"UPDATE with a CTE", USER, update_with,
     BUSY "UPDATE `users` SET `active` = ? WHERE `id` IN (SELECT `user_id` FROM `busy`)",
     "int:5/integer bool:false/boolean",
     .mariadb = "UPDATE `users` SET `active` = ? WHERE `id` IN (SELECT * FROM (" BUSY
                "SELECT `id` FROM `users` WHERE `id` IN (SELECT `user_id` FROM `busy`)) AS `hysteria_keys`)",
     .binds_mysql = "int:5/integer bool:false/boolean", .binds_mariadb = "bool:false/boolean int:5/integer"},
    {"UPDATE to a value of its own table", USER, update_own_value,
     "UPDATE `users` SET `age` = (SELECT MAX(`age`) FROM `users`) WHERE `id` = ?", "int:3/bigInteger",
     .mysql = "UPDATE `users` SET `age` = (SELECT * FROM (SELECT MAX(`age`) FROM `users`) AS `hysteria_rows`)"
              " WHERE `id` = ?",
     .mariadb = "UPDATE `users` SET `age` = (SELECT MAX(`age`) FROM `users`) WHERE `id` = ?"},
    {"UPDATE by a join with its own table", USER, update_own_in,
     "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `posts`.`user_id` FROM `posts` INNER JOIN `users`"
     " ON `users`.`id` = `posts`.`user_id`)",
     "int:1/integer",
     .mysql = "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT * FROM (SELECT `posts`.`user_id` FROM"
              " `posts` INNER JOIN `users` ON `users`.`id` = `posts`.`user_id`) AS `hysteria_rows`)",
     .mariadb = "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `posts`.`user_id` FROM `posts` INNER JOIN"
                " `users` ON `users`.`id` = `posts`.`user_id`)"},
    {"UPDATE by another table", USER, update_other_in,
     "UPDATE `users` SET `age` = ? WHERE `id` IN (SELECT `user_id` FROM `posts`)", "int:1/integer"},
    {"UPDATE of a table", NONE, update_table, "UPDATE `tags` SET `label` = ? WHERE `id` = ?",
     "text:x/any int:1/any"},
    {"UPDATE of a table with LIMIT", NONE, update_table_limit,
     "UPDATE `tags` SET `label` = ? WHERE `id` = ? LIMIT ?", "text:x/any int:1/any int:1/bigInteger",
     .postgres = "!UPDATE ... LIMIT", .cockroachdb = "UPDATE `tags` SET `label` = ? WHERE `id` = ? LIMIT ?",
     .sqlite = "!UPDATE ... LIMIT"},
    {"UPDATE of an unknown column", USER, update_without_set, .fails = HY_EUNDEFINED_COLUMN},
    {"UPDATE with GROUP BY", USER, update_group, .fails = HY_EINVALID_ARGUMENT},

    {"DELETE", USER, delete_, "DELETE FROM `users` WHERE `id` = ?", "int:3/bigInteger", ""},
    {"DELETE of everything", USER, delete_all, "DELETE FROM `users`"},
    {"DELETE with an alias", USER, delete_alias, "DELETE FROM `users` AS `u` WHERE `u`.`id` = ?",
     "int:3/bigInteger", .mysql = "DELETE `u` FROM `users` AS `u` WHERE `u`.`id` = ?"},
    {"DELETE with ORDER and LIMIT", USER, delete_limit,
     "DELETE FROM `users` WHERE `id` = ? ORDER BY `age` ASC LIMIT ?", "int:3/bigInteger int:1/bigInteger",
     .postgres = "DELETE FROM `users` WHERE `id` IN (SELECT `id` FROM `users` WHERE `id` = ? ORDER BY `age` "
                 "ASC LIMIT ?)",
     .cockroachdb = "DELETE FROM `users` WHERE `id` = ? ORDER BY `age` ASC LIMIT ?",
     .sqlite = "DELETE FROM `users` WHERE `id` IN (SELECT `id` FROM `users` WHERE `id` = ? ORDER BY `age` "
               "ASC LIMIT ?)"},
    {"DELETE with an alias and LIMIT", USER, delete_alias_limit,
     "DELETE FROM `users` AS `u` WHERE `id` IN (SELECT `id` FROM `users` AS `u` WHERE `u`.`id` = ? LIMIT ?)",
     "int:3/bigInteger int:1/bigInteger",
     .cockroachdb = "DELETE FROM `users` AS `u` WHERE `u`.`id` = ? LIMIT ?",
     .mysql = "DELETE `u` FROM `users` AS `u` WHERE `id` IN (SELECT * FROM (SELECT `id` FROM `users` AS `u` "
              "WHERE `u`.`id` = ?"
              " LIMIT ?) AS `hysteria_keys`)"},
    {"DELETE RETURNING", USER, delete_returning, "DELETE FROM `users` WHERE `id` = ? RETURNING " ALL,
     "int:3/bigInteger", .mysql = "!DELETE ... RETURNING",
     .mariadb = "DELETE FROM `users` WHERE `id` = ? RETURNING " ALL},
    {"DELETE with a join", USER, delete_join,
     "DELETE FROM `users` WHERE `id` IN (SELECT `users`.`id` FROM `users` INNER JOIN `posts`"
     " ON `posts`.`user_id` = `users`.`id` WHERE `posts`.`title` = ?)",
     "text:x/string",
     .postgres =
         "DELETE FROM `users` USING `posts` WHERE `posts`.`user_id` = `users`.`id` AND `posts`.`title` = ?",
     .cockroachdb = "DELETE FROM `users` WHERE `id` IN (SELECT `users`.`id` FROM `users` INNER JOIN `posts`"
                    " ON `posts`.`user_id` = `users`.`id` WHERE `posts`.`title` = ?)",
     .mysql = "DELETE `users` FROM `users` INNER JOIN `posts` ON `posts`.`user_id` = `users`.`id` WHERE "
              "`posts`.`title` = ?"},
    {"DELETE by a union that reads its own table", POST, delete_own_exists,
     "DELETE FROM `posts` WHERE NOT EXISTS (SELECT `id` FROM `posts` AS `older` WHERE `views` = ? UNION "
     "SELECT"
     " `id` FROM `posts` WHERE `views` = ?)",
     "int:1/integer int:2/integer",
     .mysql = "DELETE FROM `posts` WHERE NOT EXISTS (SELECT * FROM (SELECT `id` FROM `posts` AS `older` WHERE"
              " `views` = ? UNION SELECT `id` FROM `posts` WHERE `views` = ?) AS `hysteria_rows`)",
     .mariadb = "DELETE FROM `posts` WHERE NOT EXISTS (SELECT `id` FROM `posts` AS `older` WHERE `views` = ?"
                " UNION SELECT `id` FROM `posts` WHERE `views` = ?)"},
    {"DELETE with a LEFT JOIN, composite key", TAG, delete_composite_join,
     "DELETE FROM `user_tags` WHERE (`user_id`, `tag_id`) IN (SELECT `user_tags`.`user_id`, "
     "`user_tags`.`tag_id`"
     " FROM `user_tags` LEFT JOIN `tags` ON `tags`.`id` = `user_tags`.`tag_id` WHERE `tags`.`id` IS NULL)",
     .mysql = "DELETE `user_tags` FROM `user_tags` LEFT JOIN `tags` ON `tags`.`id` = `user_tags`.`tag_id` "
              "WHERE `tags`.`id` IS NULL"},
    {"DELETE from a table with LIMIT", NONE, delete_table_limit, "DELETE FROM `tags` LIMIT ?",
     "int:1/bigInteger", .postgres = "!DELETE ... LIMIT", .cockroachdb = "DELETE FROM `tags` LIMIT ?",
     .sqlite = "!DELETE ... LIMIT"},
    {"TRUNCATE", USER, truncate, "TRUNCATE TABLE `users`", .sqlite = "DELETE FROM `users`"},
    {"TRUNCATE with WHERE", USER, truncate_where, .fails = HY_EINVALID_ARGUMENT},
    {"DELETE from a subquery", USER, write_from_subquery, .fails = HY_EINVALID_ARGUMENT},
    {"DELETE without a table", NONE, no_table, .fails = HY_EINVALID_ARGUMENT},
};

const golden_group golden_write = {"write", cases, sizeof cases / sizeof cases[0]};
