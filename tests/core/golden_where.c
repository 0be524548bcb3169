/*
 * golden_where.c - golden SQL of conditions: operators, groups, guards, lists, subqueries.
 */
#include "golden.h"

#define S "SELECT `id` FROM `users` WHERE "

static void comparisons(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    and_(q, cmp(q, "age", HY_OP_NE, hy_int(2)));
    and_(q, cmp(q, "age", HY_OP_LT, hy_int(3)));
    and_(q, cmp(q, "age", HY_OP_LE, hy_int(4)));
    or_(q, cmp(q, "age", HY_OP_GT, hy_int(5)));
    and_(q, cmp(q, "age", HY_OP_GE, hy_int(6)));
}
static void patterns(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "firstName", HY_OP_LIKE, hy_text("a%")));
    and_(q, cmp(q, "firstName", HY_OP_NOT_LIKE, hy_text("b_")));
    and_(q, cmp(q, "firstName", HY_OP_ILIKE, hy_text("C%")));
    and_(q, cmp(q, "firstName", HY_OP_NOT_ILIKE, hy_text("d")));
}
static void regexp(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "firstName", HY_OP_REGEXP, hy_text("^a")));
    or_(q, cmp(q, "firstName", HY_OP_NOT_REGEXP, hy_text("b$")));
    or_(q, cmp(q, "firstName", HY_OP_IREGEXP, hy_text("c")));
    or_(q, cmp(q, "firstName", HY_OP_NOT_IREGEXP, hy_text("d")));
}
static void null_safe(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_NULLSAFE_EQ, hy_int(1)));
    and_(q, both(q, "age", HY_OP_NULLSAFE_NE, "id"));
}
static void nulls(hy_query *q)
{
    pick(q, "id");
    and_(q, hy_expr_is_null(q, col(q, "age"), false));
    and_(q, hy_expr_is_null(q, col(q, "firstName"), true));
    and_(q, cmp(q, "age", HY_OP_EQ, hy_null()));
    or_(q, cmp(q, "age", HY_OP_NE, hy_null()));
    or_(q, cmp(q, "age", HY_OP_NULLSAFE_EQ, hy_null()));
    or_(q, hy_expr_compare(q, HY_OP_NULLSAFE_NE, val(q, hy_null()), col(q, "age")));
}
static void between(hy_query *q)
{
    pick(q, "id");
    and_(q, hy_expr_between(q, col(q, "age"), like(q, "age", hy_int(1)), like(q, "age", hy_int(9)), false));
    or_(q, hy_expr_between(q, col(q, "score"), val(q, hy_double(0.5)), col(q, "age"), true));
    or_(q, cmp(q, "id", HY_OP_EQ, hy_int(4)));
}
static void columns(hy_query *q)
{
    pick(q, "id");
    and_(q, both(q, "age", HY_OP_LT, "users.id"));
}
static hy_expr *list(hy_query *q, const char *name, const int *ints, size_t n, bool negated)
{
    hy_expr *items[2000];

    for (size_t i = 0; i < n; i++)
        items[i] = like(q, name, ints[i] == 0 ? hy_null() : hy_int(ints[i]));
    return hy_expr_in(q, col(q, name), items, n, negated);
}
static void in(hy_query *q)
{
    pick(q, "id");
    and_(q, list(q, "age", (int[]){1, 2, 3}, 3, false));
    and_(q, list(q, "age", (int[]){4}, 1, true));
}
static void in_empty(hy_query *q)
{
    pick(q, "id");
    and_(q, list(q, "age", NULL, 0, false));
    or_(q, list(q, "age", NULL, 0, true));
}
static void in_with_null(hy_query *q)
{
    pick(q, "id");
    and_(q, list(q, "age", (int[]){1, 0, 2}, 3, false));
    and_(q, list(q, "age", (int[]){0, 3}, 2, true));
    and_(q, list(q, "age", (int[]){0, 0}, 2, false));
    and_(q, list(q, "age", (int[]){0}, 1, true));
}
static void in_with_null_alone(hy_query *q)
{
    pick(q, "id");
    and_(q, list(q, "age", (int[]){1, 0}, 2, false));
}
static void long_list(hy_query *q, const char *name, hy_value (*make)(size_t i), size_t n, bool negated)
{
    hy_expr *items[200];

    for (size_t i = 0; i < n; i++)
        items[i] = like(q, name, make(i));
    and_(q, hy_expr_in(q, col(q, name), items, n, negated));
}
static hy_value small_int(size_t i)
{
    return hy_int((int64_t)i % 7 - 3);
}
static void in_long(hy_query *q)
{
    pick(q, "id");
    long_list(q, "age", small_int, 101, false);
    and_(q, cmp(q, "id", HY_OP_EQ, hy_int(5)));
    long_list(q, "id", small_int, 101, true);
}
static void update_long(hy_query *q)
{
    hy_value one = hy_int(1);

    set(q, "score", hy_expr_value(q, &one));
    long_list(q, "age", small_int, 101, false);
}
static void lock_long(hy_query *q)
{
    pick(q, "id");
    hy_query_lock(q, HY_LOCK_UPDATE, HY_LOCK_WAIT);
    long_list(q, "age", small_int, 101, false);
}
static hy_value hostile_text(size_t i)
{
    static const char *const texts[] = {"a\"b", "c\\d",   "e,f",  "g{h}", "i\nj",
                                        "'k",   "\u20ac", "NULL", "",     " "};
    return hy_text(texts[i % 10]);
}
static void in_long_text(hy_query *q)
{
    pick(q, "id");
    long_list(q, "firstName", hostile_text, 110, false);
}
static void in_hundred(hy_query *q)
{
    pick(q, "id");
    long_list(q, "age", small_int, 100, false);
}
static hy_value mixed(size_t i)
{
    return i == 50 ? hy_double(0.5) : hy_int(1);
}
static void in_long_mixed(hy_query *q)
{
    pick(q, "id");
    long_list(q, "age", mixed, 101, false);
}
static void rows(hy_query *q)
{
    hy_expr *key[] = {col(q, "userId"), col(q, "tagId")};
    hy_expr *a[] = {like(q, "userId", hy_int(1)), like(q, "tagId", hy_int(2))};
    hy_expr *b[] = {like(q, "userId", hy_int(3)), like(q, "tagId", hy_int(4))};
    hy_expr *list_[] = {hy_expr_row(q, a, 2), hy_expr_row(q, b, 2)};

    pick(q, "weight");
    and_(q, hy_expr_in(q, hy_expr_row(q, key, 2), list_, 2, false));
    or_(q, hy_expr_compare(q, HY_OP_EQ, hy_expr_row(q, key, 2), hy_expr_row(q, a, 2)));
}
static void rows_differ(hy_query *q)
{
    hy_expr *key[] = {col(q, "userId"), col(q, "tagId")};
    hy_expr *a[] = {like(q, "userId", hy_int(1)), like(q, "tagId", hy_int(2))};
    hy_expr *b[] = {like(q, "userId", hy_int(3)), like(q, "tagId", hy_int(4))};
    hy_expr *list_[] = {hy_expr_row(q, a, 2), hy_expr_row(q, b, 2)};

    pick(q, "weight");
    and_(q, hy_expr_in(q, hy_expr_row(q, key, 2), list_, 2, true));
    and_(q, cmp(q, "weight", HY_OP_EQ, hy_int(5)));
}
static void rows_in_not(hy_query *q)
{
    hy_expr *key[] = {col(q, "userId"), col(q, "tagId")};
    hy_expr *a[] = {like(q, "userId", hy_int(1)), like(q, "tagId", hy_int(2))};
    hy_expr *list_[] = {hy_expr_row(q, a, 2)};
    hy_expr *in_ = hy_expr_in(q, hy_expr_row(q, key, 2), list_, 1, false);

    pick(q, "weight");
    size_t depth = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, true);
    size_t inner = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
    and_(q, in_);
    or_(q, cmp(q, "weight", HY_OP_EQ, hy_int(5)));
    hy_query_group_close(q, inner);
    hy_query_group_close(q, depth);
    and_(q, hy_expr_not(q, in_));
    and_(q, in_);
}
static void not_(hy_query *q)
{
    pick(q, "id");
    and_(q, hy_expr_not(q, cmp(q, "age", HY_OP_EQ, hy_int(1))));
    hy_query_predicate(q, HY_SLOT_WHERE, HY_OR, true, cmp(q, "age", HY_OP_EQ, hy_int(2)));
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, true, raw(q, "age = 3 OR age = 4"));
}
static void groups(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    size_t outer = hy_query_group_open(q, HY_SLOT_WHERE, HY_OR, false);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(2)));
    size_t inner = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, true);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(3)));
    or_(q, cmp(q, "age", HY_OP_EQ, hy_int(4)));
    hy_query_group_close(q, inner);
    hy_query_group_close(q, outer);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(5)));
}
static void empty_groups(hy_query *q)
{
    pick(q, "id");
    hy_query_group_close(q, hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false));
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    size_t outer = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, true);
    hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
    hy_query_group_close(q, outer);
    or_(q, cmp(q, "age", HY_OP_EQ, hy_int(2)));
}
static void guard(hy_query *q, hy_expr *condition)
{
    hy_query_guard_begin(q);
    and_(q, condition);
    hy_query_guard_end(q);
}
static void guard_alone(hy_query *q)
{
    pick(q, "id");
    guard(q, hy_expr_is_null(q, col(q, "createdAt"), false));
}
static void guard_after_or(hy_query *q)
{
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    or_(q, cmp(q, "age", HY_OP_EQ, hy_int(2)));
    guard(q, hy_expr_is_null(q, col(q, "createdAt"), false));
}
static void guard_after_and(hy_query *q)
{
    pick(q, "id");
    guard(q, hy_expr_is_null(q, col(q, "createdAt"), false));
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(2)));
}
static void guard_after_raw(hy_query *q)
{
    pick(q, "id");
    and_(q, raw(q, "age = 1 OR age = 2"));
    guard(q, hy_expr_is_null(q, col(q, "createdAt"), false));
}
static void guard_after_raw_pair(hy_query *q)
{
    pick(q, "id");
    and_(q, raw(q, "age = 1 OR age = 2"));
    or_(q, raw(q, "age = 3"));
    guard(q, raw(q, "active OR age = 4"));
}
static void guards_with_or(hy_query *q)
{
    hy_expr *pair[] = {cmp(q, "id", HY_OP_EQ, hy_int(1)), cmp(q, "id", HY_OP_EQ, hy_int(2))};

    pick(q, "id");
    and_(q, hy_expr_all(q, HY_OR, pair, 2));
    hy_query_guard_begin(q);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(3)));
    or_(q, cmp(q, "age", HY_OP_EQ, hy_int(4)));
    hy_query_guard_end(q);
    hy_query_guard_begin(q);
    hy_query_guard_end(q);
    guard(q, cmp(q, "active", HY_OP_EQ, hy_bool(true)));
}
static void guard_inside_group(hy_query *q)
{
    pick(q, "id");
    size_t depth = hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    guard(q, cmp(q, "active", HY_OP_EQ, hy_bool(true)));
    or_(q, cmp(q, "age", HY_OP_EQ, hy_int(2)));
    hy_query_group_close(q, depth);
}
static void all(hy_query *q)
{
    hy_expr *ands[] = {cmp(q, "age", HY_OP_EQ, hy_int(1)), cmp(q, "id", HY_OP_EQ, hy_int(2))};
    hy_expr *ors[] = {hy_expr_all(q, HY_AND, ands, 2), cmp(q, "age", HY_OP_EQ, hy_int(3)), raw(q, "age = 4")};
    hy_expr *or_all = hy_expr_all(q, HY_OR, ors, 3);
    hy_expr *nested[] = {or_all, cmp(q, "id", HY_OP_EQ, hy_int(5)), hy_expr_all(q, HY_AND, NULL, 0)};

    pick(q, "id");
    and_(q, or_all);
    and_(q, hy_expr_all(q, HY_AND, nested, 3));
    or_(q, hy_expr_all(q, HY_AND, ands, 2));
    and_(q, hy_expr_all(q, HY_OR, NULL, 0));
}
static hy_query *posts_of_user(void)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    and_(sub, both(sub, "posts.userId", HY_OP_EQ, "users.id"));
    and_(sub, cmp(sub, "views", HY_OP_GT, hy_int(5)));
    return sub;
}
static void exists(hy_query *q)
{
    hy_query *sub = posts_of_user();

    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    and_(q, hy_expr_exists(q, sub, false));
    pick(sub, "id");
    or_(q, hy_expr_exists(q, sub, true));
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(2)));
    hy_query_free(sub);
}
static void exists_in_alias(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(USER));

    hy_query_alias(sub, "other");
    and_(sub, both(sub, "other.firstName", HY_OP_EQ, "users.firstName"));
    and_(sub, both(sub, "other.id", HY_OP_LT, "users.id"));
    pick(q, "id");
    and_(q, hy_expr_exists(q, sub, false));
    hy_query_free(sub);
}
static void in_query(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    pick(sub, "userId");
    and_(sub, cmp(sub, "title", HY_OP_LIKE, hy_text("x%")));
    hy_query_limit(sub, 4);
    pick(q, "id");
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
    and_(q, hy_expr_in_query(q, col(q, "id"), sub, false));
    or_(q, hy_expr_in_query(q, col(q, "id"), sub, true));
    hy_query_free(sub);
}
static void in_wide_query(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    and_(q, hy_expr_in_query(q, col(q, "id"), sub, false));
    hy_query_free(sub);
}
static void row_in_query(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));
    hy_expr *row[] = {col(q, "userId"), col(q, "tagId")};

    pick(sub, "userId");
    pick(sub, "id");
    pick(q, "weight");
    and_(q, hy_expr_in_query(q, hy_expr_row(q, row, 2), sub, true));
    hy_query_free(sub);
}
static void compare_query(hy_query *q)
{
    hy_query *sub = hy_query_new(golden_get(POST));

    hy_query_select(sub, call(sub, "max", col(sub, "views")), NULL);
    pick(q, "id");
    and_(q, hy_expr_compare(q, HY_OP_GE, col(q, "age"), hy_expr_query(q, sub)));
    hy_query_free(sub);
}
static void in_call(hy_query *q)
{
    hy_expr *lower = call(q, "lower", col(q, "firstName"));

    pick(q, "id");
    and_(q, hy_expr_compare(q, HY_OP_EQ, lower, val(q, hy_text("ada"))));
    and_(q, hy_expr_compare(q, HY_OP_EQ, cmp(q, "age", HY_OP_GT, hy_int(1)), val(q, hy_bool(true))));
}
static void secret(hy_query *q)
{
    hy_expr *list_[] = {like(q, "password", hy_text("b")), val(q, hy_text("c"))};

    pick(q, "id");
    and_(q, cmp(q, "password", HY_OP_EQ, hy_text("a")));
    and_(q, hy_expr_in(q, col(q, "users.password"), list_, 2, false));
    and_(q, cmp(q, "users.password", HY_OP_NE, hy_text("d")));
    and_(q, hy_expr_compare(q, HY_OP_LIKE, col(q, "password"), val(q, hy_text("e"))));
    and_(q, hy_expr_compare(q, HY_OP_EQ, call(q, "lower", col(q, "password")), val(q, hy_text("f"))));
    and_(q, hy_expr_between(q, col(q, "password"), val(q, hy_text("g")), val(q, hy_text("h")), false));
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
}
static void unknown_column(hy_query *q)
{
    and_(q, cmp(q, "agee", HY_OP_EQ, hy_int(1)));
}
static void unknown_qualified(hy_query *q)
{
    and_(q, cmp(q, "users.agee", HY_OP_EQ, hy_int(1)));
}
static void open_group(hy_query *q)
{
    hy_query_group_open(q, HY_SLOT_WHERE, HY_AND, false);
    and_(q, cmp(q, "age", HY_OP_EQ, hy_int(1)));
}
static void star_condition(hy_query *q)
{
    and_(q, hy_expr_is_null(q, col(q, "*"), false));
}
static void plain_table(hy_query *q)
{
    from(q, "tags");
    and_(q, cmp(q, "parent_id", HY_OP_EQ, hy_int(1)));
    or_(q, both(q, "tags.parent_id", HY_OP_EQ, "id"));
}

#define SEVEN "-3,-2,-1,0,1,2,3,"
#define INTS SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN SEVEN "-3,-2,-1"
#define PG_TEN "\"a\\\"b\",\"c\\\\d\",\"e,f\",\"g{h}\",\"i\nj\",\"'k\",\"\u20ac\",\"NULL\",\"\",\" \""
#define JSON_TEN "\"a\\\"b\",\"c\\\\d\",\"e,f\",\"g{h}\",\"i\\u000aj\",\"'k\",\"\u20ac\",\"NULL\",\"\",\" \""
#define ELEVEN(x) x "," x "," x "," x "," x "," x "," x "," x "," x "," x "," x
#define Q10 "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
#define Q100 Q10 ", " Q10 ", " Q10 ", " Q10 ", " Q10 ", " Q10 ", " Q10 ", " Q10 ", " Q10 ", " Q10
#define I7 \
    "int:-3/integer int:-2/integer int:-1/integer int:0/integer int:1/integer int:2/integer int:3/integer"
#define I98 I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7 " " I7
#define ONE10                                                                                            \
    "int:1/integer int:1/integer int:1/integer int:1/integer int:1/integer int:1/integer int:1/integer " \
    "int:1/integer int:1/integer int:1/integer"
#define ONE50 ONE10 " " ONE10 " " ONE10 " " ONE10 " " ONE10
#define T10                                                                                               \
    "text:a\"b/string text:c\\d/string text:e,f/string text:g{h}/string text:i\nj/string text:'k/string " \
    "text:\u20ac/string "                                                                                 \
    "text:NULL/string text:/string text: /string"
#define T110 T10 " " T10 " " T10 " " T10 " " T10 " " T10 " " T10 " " T10 " " T10 " " T10 " " T10

static const golden cases[] = {
    {"comparisons", USER, comparisons,
     S "`age` = ? AND `age` <> ? AND `age` < ? AND `age` <= ? OR `age` > ? AND `age` >= ?",
     "int:1/integer int:2/integer int:3/integer int:4/integer int:5/integer int:6/integer"},
    {"patterns", USER, patterns,
     S "`first_name` LIKE ? AND `first_name` NOT LIKE ? AND LOWER(`first_name`) LIKE LOWER(?)"
       " AND LOWER(`first_name`) NOT LIKE LOWER(?)",
     "text:a%/string text:b_/string text:C%/string text:d/string",
     .postgres = S
     "`first_name` LIKE ? AND `first_name` NOT LIKE ? AND `first_name` ILIKE ? AND `first_name` NOT ILIKE ?",
     .sqlite = S "`first_name` LIKE ? ESCAPE '\\' AND `first_name` NOT LIKE ? ESCAPE '\\'"
                 " AND LOWER(`first_name`) LIKE LOWER(?) ESCAPE '\\'"
                 " AND LOWER(`first_name`) NOT LIKE LOWER(?) ESCAPE '\\'"},
    {"regular expressions", USER, regexp, NULL, "text:^a/string text:b$/string text:c/string text:d/string",
     .postgres = S "`first_name` ~ ? OR `first_name` !~ ? OR `first_name` ~* ? OR `first_name` !~* ?",
     .mysql = S "REGEXP_LIKE(`first_name`, ?, 'c') OR NOT REGEXP_LIKE(`first_name`, ?, 'c')"
                " OR REGEXP_LIKE(`first_name`, ?, 'i') OR NOT REGEXP_LIKE(`first_name`, ?, 'i')",
     .mariadb = "=SELECT `id` FROM `users` WHERE `first_name` REGEXP CONCAT('(?-i)', ?)"
                " OR `first_name` NOT REGEXP CONCAT('(?-i)', ?) OR `first_name` REGEXP CONCAT('(?i)', ?)"
                " OR `first_name` NOT REGEXP CONCAT('(?i)', ?)",
     .sqlite = S "hysteria_regexp(`first_name`, ?) OR NOT hysteria_regexp(`first_name`, ?)"
                 " OR hysteria_iregexp(`first_name`, ?) OR NOT hysteria_iregexp(`first_name`, ?)"},
    {"null-safe comparison", USER, null_safe, NULL, "int:1/integer",
     .postgres = S "`age` IS NOT DISTINCT FROM ? AND `age` IS DISTINCT FROM `id`",
     .mysql = S "`age` <=> ? AND NOT (`age` <=> `id`)", .sqlite = S "`age` IS ? AND `age` IS NOT `id`"},
    {"NULL", USER, nulls,
     S "`age` IS NULL AND `first_name` IS NOT NULL AND `age` IS NULL OR `age` IS NOT NULL OR `age` IS NULL"
       " OR `age` IS NOT NULL"},
    {"BETWEEN", USER, between, S "`age` BETWEEN ? AND ? OR `score` NOT BETWEEN ? AND `age` OR `id` = ?",
     "int:1/integer int:9/integer double:0.5/any int:4/bigInteger"},
    {"columns", USER, columns, S "`age` < `users`.`id`"},
    {"IN", USER, in, S "`age` IN (?, ?, ?) AND `age` NOT IN (?)",
     "int:1/integer int:2/integer int:3/integer int:4/integer"},
    {"IN of nothing", USER, in_empty, S "1 = 0 OR 1 = 1"},
    {"IN with NULL", USER, in_with_null,
     S "(`age` IN (?, ?) OR `age` IS NULL) AND `age` NOT IN (?) AND `age` IS NOT NULL AND `age` IS NULL AND "
       "`age` IS NOT NULL",
     "int:1/integer int:2/integer int:3/integer"},
    {"IN with NULL alone", USER, in_with_null_alone, S "`age` IN (?) OR `age` IS NULL", "int:1/integer"},
    {"IN of a hundred", USER, in_hundred, S "`age` IN (" Q100 ")", I98 " int:-3/integer int:-2/integer"},
    {"long IN", USER, in_long, NULL, "text:{" INTS "}/text int:5/bigInteger text:{" INTS "}/text",
     .postgres = S "`age` = ANY(?::bigint[]) AND `id` = ? AND `id` <> ALL(?::bigint[])",
     .mysql = "=SELECT `id` FROM `users` WHERE"
              " `age` IN (SELECT value FROM JSON_TABLE(?, '$[*]' COLUMNS (value BIGINT PATH '$')) AS "
              "hysteria_list)"
              " AND `id` = ? AND"
              " `id` NOT IN (SELECT value FROM JSON_TABLE(?, '$[*]' COLUMNS (value BIGINT PATH '$')) AS "
              "hysteria_list)",
     .sqlite = S "`age` IN (SELECT value FROM json_each(?)) AND `id` = ? AND `id` NOT IN (SELECT value FROM "
                 "json_each(?))",
     .binds_mysql = "text:[" INTS "]/text int:5/bigInteger text:[" INTS "]/text",
     .binds_sqlite = "text:[" INTS "]/text int:5/bigInteger text:[" INTS "]/text"},
    {"long IN of an UPDATE", USER, update_long, NULL, "int:1/any text:{" INTS "}/text",
     .postgres = "UPDATE `users` SET `score` = ? WHERE `age` = ANY(?::bigint[])",
     .mysql = "UPDATE `users` SET `score` = ? WHERE `age` IN (" Q100 ", ?)",
     .sqlite = "UPDATE `users` SET `score` = ? WHERE `age` IN (SELECT value FROM json_each(?))",
     .binds_sqlite = "int:1/any text:[" INTS "]/text",
     .binds_mysql = "int:1/any " I98 " int:-3/integer int:-2/integer int:-1/integer"},
    {"long IN of a locking SELECT", USER, lock_long, NULL, "text:{" INTS "}/text",
     .postgres = S "`age` = ANY(?::bigint[]) FOR UPDATE", .mysql = S "`age` IN (" Q100 ", ?) FOR UPDATE",
     .sqlite = "!row locks", .binds_mysql = I98 " int:-3/integer int:-2/integer int:-1/integer"},
    {"long IN of text", USER, in_long_text, NULL, "text:{" ELEVEN(PG_TEN) "}/text",
     .postgres = S "`first_name` = ANY(?::text[])", .mysql = S "`first_name` IN (" Q100 ", " Q10 ")",
     .sqlite = S "`first_name` IN (SELECT value FROM json_each(?))", .binds_mysql = T110,
     .binds_sqlite = "text:[" ELEVEN(JSON_TEN) "]/text"},
    {"long IN of several types is written out", USER, in_long_mixed, S "`age` IN (" Q100 ", ?)",
     ONE50 " double:0.5/any " ONE50},
    {"rows", TAG, rows,
     "SELECT `weight` FROM `user_tags` WHERE (`user_id`, `tag_id`) IN ((?, ?), (?, ?)) OR (`user_id`, "
     "`tag_id`) = (?, ?)",
     "int:1/bigInteger int:2/bigInteger int:3/bigInteger int:4/bigInteger int:1/bigInteger int:2/bigInteger",
     .sqlite = "SELECT `weight` FROM `user_tags` WHERE (`user_id`, `tag_id`) IN (VALUES (?, ?), (?, ?))"
               " OR (`user_id`, `tag_id`) = (?, ?)"},
    {"rows that differ", TAG, rows_differ,
     "SELECT `weight` FROM `user_tags` WHERE (`user_id`, `tag_id`) NOT IN ((?, ?), (?, ?)) AND `weight` = ?",
     "int:1/bigInteger int:2/bigInteger int:3/bigInteger int:4/bigInteger int:5/integer",
     .mysql = "SELECT `weight` FROM `user_tags` WHERE NOT (`user_id` = ? AND `tag_id` = ? OR `user_id` = ?"
              " AND `tag_id` = ?) AND `weight` = ?",
     .sqlite = "SELECT `weight` FROM `user_tags` WHERE (`user_id`, `tag_id`) NOT IN (VALUES (?, ?), (?, ?))"
               " AND `weight` = ?"},
    {"rows inside of NOT", TAG, rows_in_not,
     "SELECT `weight` FROM `user_tags` WHERE NOT (((`user_id`, `tag_id`) IN ((?, ?)) OR `weight` = ?)) AND"
     " NOT ((`user_id`, `tag_id`) IN ((?, ?))) AND (`user_id`, `tag_id`) IN ((?, ?))",
     "int:1/bigInteger int:2/bigInteger int:5/integer int:1/bigInteger int:2/bigInteger int:1/bigInteger"
     " int:2/bigInteger",
     .mysql =
         "SELECT `weight` FROM `user_tags` WHERE NOT (((`user_id` = ? AND `tag_id` = ?) OR `weight` = ?))"
         " AND NOT ((`user_id` = ? AND `tag_id` = ?)) AND (`user_id`, `tag_id`) IN ((?, ?))",
     .sqlite =
         "SELECT `weight` FROM `user_tags` WHERE NOT (((`user_id`, `tag_id`) IN (VALUES (?, ?)) OR `weight`"
         " = ?)) AND NOT ((`user_id`, `tag_id`) IN (VALUES (?, ?))) AND (`user_id`, `tag_id`) IN (VALUES"
         " (?, ?))"},
    {"NOT", USER, not_, S "NOT (`age` = ?) OR NOT (`age` = ?) AND NOT (age = 3 OR age = 4)",
     "int:1/integer int:2/integer"},
    {"groups", USER, groups, S "`age` = ? OR (`age` = ? AND NOT (`age` = ? OR `age` = ?)) AND `age` = ?",
     "int:1/integer int:2/integer int:3/integer int:4/integer int:5/integer"},
    {"empty groups are dropped", USER, empty_groups, S "`age` = ? OR `age` = ?",
     "int:1/integer int:2/integer"},
    {"guard alone", USER, guard_alone, S "`created_at` IS NULL"},
    {"guard after OR", USER, guard_after_or, S "(`age` = ? OR `age` = ?) AND `created_at` IS NULL",
     "int:1/integer int:2/integer"},
    {"guard after AND", USER, guard_after_and, S "`age` = ? AND `age` = ? AND `created_at` IS NULL",
     "int:1/integer int:2/integer"},
    {"guard after raw text", USER, guard_after_raw, S "(age = 1 OR age = 2) AND `created_at` IS NULL"},
    {"raw guard after raw text", USER, guard_after_raw_pair,
     S "((age = 1 OR age = 2) OR (age = 3)) AND (active OR age = 4)"},
    {"several guards", USER, guards_with_or,
     S "(`id` = ? OR `id` = ?) AND (`age` = ? OR `age` = ?) AND `active` = ?",
     "int:1/bigInteger int:2/bigInteger int:3/integer int:4/integer bool:true/boolean"},
    {"guard while a group is open", USER, guard_inside_group, S "(`age` = ? OR `age` = ?) AND `active` = ?",
     "int:1/integer int:2/integer bool:true/boolean"},
    {"all of these, one of these", USER, all,
     S "(`age` = ? AND `id` = ? OR `age` = ? OR (age = 4)) AND"
       " (`age` = ? AND `id` = ? OR `age` = ? OR (age = 4)) AND `id` = ? AND 1 = 1 OR `age` = ? AND `id` = ? "
       "AND 1 = 0",
     "int:1/integer int:2/bigInteger int:3/integer int:1/integer int:2/bigInteger int:3/integer "
     "int:5/bigInteger"
     " int:1/integer int:2/bigInteger"},
    {"EXISTS", USER, exists,
     S "`age` = ? AND EXISTS (SELECT 1 FROM `posts` WHERE `posts`.`user_id` = `users`.`id` AND `views` > ?)"
       " OR NOT EXISTS (SELECT `id` FROM `posts` WHERE `posts`.`user_id` = `users`.`id` AND `views` > ?) AND "
       "`age` = ?",
     "int:1/integer int:5/integer int:5/integer int:2/integer"},
    {"EXISTS on the same table", USER, exists_in_alias,
     S "EXISTS (SELECT 1 FROM `users` AS `other` WHERE `other`.`first_name` = `users`.`first_name`"
       " AND `other`.`id` < `users`.`id`)"},
    {"IN with a subquery", USER, in_query,
     S "`age` = ? AND `id` IN (SELECT `user_id` FROM `posts` WHERE `title` LIKE ? LIMIT ?)"
       " OR `id` NOT IN (SELECT `user_id` FROM `posts` WHERE `title` LIKE ? LIMIT ?)",
     "int:1/integer text:x%/string int:4/bigInteger text:x%/string int:4/bigInteger",
     .mysql = S
     "`age` = ? AND `id` IN (SELECT * FROM (SELECT `user_id` FROM `posts` WHERE `title` LIKE ? LIMIT ?)"
     " AS `hysteria_rows`) OR `id` NOT IN (SELECT * FROM (SELECT `user_id` FROM `posts` WHERE `title` LIKE ?"
     " LIMIT ?) AS `hysteria_rows`)",
     .sqlite =
         S "`age` = ? AND `id` IN (SELECT `user_id` FROM `posts` WHERE `title` LIKE ? ESCAPE '\\' LIMIT ?)"
           " OR `id` NOT IN (SELECT `user_id` FROM `posts` WHERE `title` LIKE ? ESCAPE '\\' LIMIT ?)"},
    {"IN with a subquery of many columns", USER, in_wide_query, .fails = HY_EINVALID_ARGUMENT},
    {"row IN with a subquery", TAG, row_in_query,
     "SELECT `weight` FROM `user_tags` WHERE (`user_id`, `tag_id`) NOT IN (SELECT `user_id`, `id` FROM "
     "`posts`)"},
    {"comparison with a subquery", USER, compare_query, S "`age` >= (SELECT MAX(`views`) FROM `posts`)"},
    {"conditions and calls as operands", USER, in_call, S "LOWER(`first_name`) = ? AND (`age` > ?) = ?",
     "text:ada/any int:1/integer bool:true/any"},
    {"values of a hidden column", USER, secret,
     S "`password` = ? AND `users`.`password` IN (?, ?) AND `users`.`password` <> ? AND `password` LIKE ? "
       "AND LOWER(`password`) = ? AND `password` BETWEEN ? AND ? AND `age` = ?",
     "text:a/string! text:b/string! text:c/any! text:d/string! text:e/any! text:f/any! text:g/any! "
     "text:h/any! "
     "int:1/integer",
     .sqlite = S "`password` = ? AND `users`.`password` IN (?, ?) AND `users`.`password` <> ? AND `password` "
                 "LIKE ? ESCAPE '\\' AND LOWER(`password`) = ? AND `password` BETWEEN ? AND ? AND `age` = ?"},
    {"unknown column", USER, unknown_column, .fails = HY_EUNDEFINED_COLUMN},
    {"unknown column with a table", USER, unknown_qualified, .fails = HY_EUNDEFINED_COLUMN},
    {"a group left open", USER, open_group, .fails = HY_EINVALID_ARGUMENT},
    {"'*' as a value", USER, star_condition, .fails = HY_EINVALID_ARGUMENT},
    {"table without a model", NONE, plain_table,
     "SELECT * FROM `tags` WHERE `parent_id` = ? OR `tags`.`parent_id` = `id`", "int:1/any"},
};

const golden_group golden_where = {"where", cases, sizeof cases / sizeof cases[0]};
