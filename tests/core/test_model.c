/*
 * Building, freezing and reading models: names and where they come from, keys, what is refused
 * and that a refusal leaves nothing behind, the same when memory runs out at any point.
 */
#include "hy_test.h"

#include <pthread.h>
#include <stdio.h>

#include <hysteria/model.h>

#include <model/model_internal.h>

static hy_error err;

static hy_model *new_model(void)
{
    hy_model *model = hy_model_new("User", NULL, NULL, HY_NAMING_SNAKE);

    assert_non_null(model);
    return model;
}

static hy_column column(const char *property, hy_kind kind, unsigned flags)
{
    return (hy_column){.property = property, .kind = kind, .flags = flags, .precision = -1, .scale = -1};
}

static void add(hy_model *model, const char *property, hy_kind kind, unsigned flags)
{
    hy_column c = column(property, kind, flags);

    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
}

static const hy_column *find(const hy_model *model, const char *name)
{
    return hy_model_find_column(model, name, strlen(name));
}

static void freeze(hy_model *model)
{
    assert_int_equal(hy_model_freeze(model, &err), HY_OK);
}

/* ---- what a model tells --------------------------------------------------------------------- */

static void tells_what_it_was_told(void **state)
{
    hy_model *model = hy_model_new("OrderLine", "shop", NULL, HY_NAMING_SNAKE);
    hy_model *other = hy_model_new("Person", NULL, "folk", HY_NAMING_PRESERVE);

    (void)state;
    add(model, "id", HY_KIND_INTEGER, HY_COLUMN_PRIMARY);
    add(model, "unitPrice", HY_KIND_DECIMAL, HY_COLUMN_NOT_NULL);
    freeze(model);
    freeze(model); /* again: nothing happens */
    assert_string_equal(hy_model_name(model), "OrderLine");
    assert_string_equal(hy_model_table(model), "order_lines");
    assert_string_equal(hy_model_schema(model), "shop");
    assert_int_equal(hy_model_naming(model), HY_NAMING_SNAKE);
    assert_int_equal(hy_model_n_columns(model), 2);
    assert_string_equal(hy_model_column(model, 1)->property, "unitPrice");
    assert_string_equal(hy_model_column(model, 1)->name, "unit_price");
    assert_int_equal(hy_model_column(model, 1)->index, 1);
    assert_null(hy_model_column(model, 2));
    assert_null(hy_model_key(model, 1));
    assert_null(hy_model_index(model, 0));
    assert_null(hy_model_check(model, 0));
    assert_null(hy_model_foreign_key(model, 0));
    assert_null(hy_model_soft_delete(model));
    assert_string_equal(hy_model_table(other), "folk");
    assert_null(hy_model_schema(other));
    assert_true(hy_model_version(model) != hy_model_version(other));
    hy_model_unref(model);
    hy_model_unref(other);
    hy_model_unref(NULL);
}

static void finds_columns_by_both_names(void **state)
{
    hy_model *model = new_model();
    hy_column c = column("mail", HY_KIND_STRING, 0);

    (void)state;
    c.name = "e-mail address";
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    add(model, "createdAt", HY_KIND_TIMESTAMP, 0);
    assert_ptr_equal(find(model, "createdAt"), hy_model_column(model, 1));
    assert_ptr_equal(find(model, "created_at"), hy_model_column(model, 1));
    assert_ptr_equal(find(model, "mail"), hy_model_column(model, 0));
    assert_ptr_equal(find(model, "e-mail address"), hy_model_column(model, 0));
    assert_ptr_equal(hy_model_find_column(model, "mailbox", 4), hy_model_column(model, 0));
    assert_null(find(model, "mailbox"));
    assert_null(find(model, "CreatedAt"));
    assert_null(find(model, ""));
    assert_null(hy_model_find_column(model, "mail\0", 5));
    hy_model_unref(model);
}

/* Property before database name: "a" is column 1's property and column 0's name. */
static void properties_come_first(void **state)
{
    hy_model *model = new_model();
    hy_column first = column("b", HY_KIND_TEXT, 0), second = column("a", HY_KIND_TEXT, 0);

    (void)state;
    first.name = "a";
    second.name = "c";
    assert_int_equal(hy_model_add_column(model, &first, &err), HY_OK);
    assert_int_equal(hy_model_add_column(model, &second, &err), HY_OK);
    assert_int_equal(find(model, "a")->index, 1);
    assert_int_equal(find(model, "b")->index, 0);
    assert_int_equal(find(model, "c")->index, 1);
    hy_model_unref(model);
}

static void finds_among_many(void **state)
{
    hy_model *model = new_model();
    char name[32];

    (void)state;
    for (size_t i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "columnNumber%zuX", i);
        add(model, name, HY_KIND_INTEGER, 0);
    }
    freeze(model);
    for (size_t i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "columnNumber%zuX", i);
        assert_int_equal(find(model, name)->index, i);
        snprintf(name, sizeof name, "column_number%zu_x", i);
        assert_int_equal(find(model, name)->index, i);
    }
    hy_model_unref(model);
}

static void copies_everything(void **state)
{
    char property[] = "role", admin[] = "admin", comment[] = "who it is", text[] = "admin";
    const char *values[] = {admin, "guest"};
    hy_model *model = new_model();
    hy_column c = column(property, HY_KIND_ENUM, HY_COLUMN_HAS_DEFAULT);
    const hy_column *got;

    (void)state;
    c.enum_values = values;
    c.n_enum_values = 2;
    c.comment = comment;
    c.default_value = hy_text(text);
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    memset(property, 'x', sizeof property - 1);
    memset(admin, 'x', sizeof admin - 1);
    memset(comment, 'x', sizeof comment - 1);
    memset(text, 'x', sizeof text - 1);
    values[1] = NULL;
    got = hy_model_column(model, 0);
    assert_string_equal(got->property, "role");
    assert_string_equal(got->name, "role");
    assert_string_equal(got->comment, "who it is");
    assert_int_equal(got->n_enum_values, 2);
    assert_string_equal(got->enum_values[0], "admin");
    assert_string_equal(got->enum_values[1], "guest");
    assert_text("admin", got->default_value.as.text.data, got->default_value.as.text.size);
    hy_model_unref(model);
}

/* Defaults are kept as the column's kind stores them. */
static void defaults_take_the_kind(void **state)
{
    hy_model *model = new_model();
    hy_column c = column("day", HY_KIND_DATE, HY_COLUMN_HAS_DEFAULT);

    (void)state;
    c.default_value = hy_text("1970-01-11");
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_int_equal(hy_model_column(model, 0)->default_value.type, HY_DATE);
    assert_int_equal(hy_model_column(model, 0)->default_value.as.days, 10);
    c = column("on", HY_KIND_BOOLEAN, HY_COLUMN_HAS_DEFAULT);
    c.default_value = hy_int(1);
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_int_equal(hy_model_column(model, 1)->default_value.type, HY_BOOL);
    c = column("n", HY_KIND_INTEGER, HY_COLUMN_HAS_DEFAULT);
    c.default_value = hy_null();
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_int_equal(hy_model_column(model, 2)->default_value.type, HY_NULL);
    c = column("m", HY_KIND_INTEGER, 0);
    c.default_sql = "1 + 1";
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_true(hy_model_column(model, 3)->flags & HY_COLUMN_HAS_DEFAULT);
    c = column("g", HY_KIND_INTEGER, 0);
    c.generated_sql = "n + m";
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_true(hy_model_column(model, 4)->flags & HY_COLUMN_GENERATED);
    hy_model_unref(model);
}

static void suggests_what_is_near(void **state)
{
    hy_model *model = new_model();
    char message[128];
    size_t size;

    (void)state;
    add(model, "emailAddress", HY_KIND_STRING, 0);
    add(model, "name", HY_KIND_STRING, 0);
    add(model, "id", HY_KIND_INTEGER, 0);
    assert_string_equal(hy_model_suggest_column(model, "emialAddress", 12), "emailAddress");
    assert_string_equal(hy_model_suggest_column(model, "EmailAddress", 12), "emailAddress");
    assert_string_equal(hy_model_suggest_column(model, "nmae", 4), "name");
    assert_string_equal(hy_model_suggest_column(model, "ID", 2), "id");
    assert_null(hy_model_suggest_column(model, "xy", 2));
    assert_null(hy_model_suggest_column(model, "password", 8));
    assert_null(hy_model_suggest_column(model, "", 0));
    size = hy_model_missing_column(model, "nmae", 4, message, sizeof message);
    assert_text("no column 'nmae' on User; did you mean 'name'?", message, size);
    hy_model_missing_column(model, "passwordX", 8, message, sizeof message);
    assert_string_equal(message, "no column 'password' on User");
    assert_int_equal(hy_model_missing_column(model, "nmae", 4, message, 5), 4);
    assert_string_equal(message, "no c");
    hy_model_unref(model);
}

/* ---- keys -------------------------------------------------------------------------------------- */

static void flags_make_the_key(void **state)
{
    hy_model *model = hy_model_new("M", NULL, "t", HY_NAMING_SNAKE);

    (void)state;
    add(model, "a", HY_KIND_INTEGER, HY_COLUMN_PRIMARY);
    add(model, "b", HY_KIND_INTEGER, 0);
    add(model, "c", HY_KIND_INTEGER, HY_COLUMN_PRIMARY);
    freeze(model);
    assert_int_equal(hy_model_n_keys(model), 2);
    assert_string_equal(hy_model_key(model, 0)->name, "a");
    assert_string_equal(hy_model_key(model, 1)->name, "c");
    assert_string_equal(hy_model_key_name(model), "pk_t_a_c");
    assert_true(hy_model_column(model, 0)->flags & HY_COLUMN_NOT_NULL);
    hy_model_unref(model);
}

static void declared_key_gives_the_order(void **state)
{
    hy_model *model = hy_model_new("M", NULL, "t", HY_NAMING_SNAKE);
    const char *key[] = {"tenantId", "id"};

    (void)state;
    add(model, "id", HY_KIND_INTEGER, HY_COLUMN_INCREMENT);
    add(model, "tenantId", HY_KIND_INTEGER, 0);
    assert_int_equal(hy_model_set_primary_key(model, key, 2, &err), HY_OK);
    assert_fails(HY_EMULTIPLE_PRIMARY_KEYS_NOT_ALLOWED, err, hy_model_set_primary_key(model, key, 2, &err));
    freeze(model);
    assert_string_equal(hy_model_key_name(model), "pk_t_tenant_id_id");
    assert_string_equal(hy_model_key(model, 0)->name, "tenant_id");
    assert_true(hy_model_column(model, 1)->flags & HY_COLUMN_PRIMARY);
    assert_true(hy_model_column(model, 1)->flags & HY_COLUMN_NOT_NULL);
    hy_model_unref(model);
}

static void declared_key_must_hold_the_flagged(void **state)
{
    hy_model *model = new_model();
    const char *key[] = {"b"}, *twice[] = {"b", "b"}, *unknown[] = {"beta"};

    (void)state;
    add(model, "a", HY_KIND_INTEGER, HY_COLUMN_PRIMARY);
    add(model, "b", HY_KIND_INTEGER, 0);
    assert_fails(HY_EINVALID_MODEL, err, hy_model_set_primary_key(model, key, 0, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_set_primary_key(model, twice, 2, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_set_primary_key(model, unknown, 1, &err));
    assert_int_equal(hy_model_set_primary_key(model, key, 1, &err), HY_OK);
    assert_fails(HY_EMULTIPLE_PRIMARY_KEYS_NOT_ALLOWED, err, hy_model_freeze(model, &err));
    assert_non_null(strstr(err.message, "column a"));
    hy_model_unref(model);
}

static void no_key_is_fine(void **state)
{
    hy_model *model = new_model();

    (void)state;
    add(model, "a", HY_KIND_INTEGER, 0);
    freeze(model);
    assert_int_equal(hy_model_n_keys(model), 0);
    assert_null(hy_model_key_name(model));
    hy_model_unref(model);
}

/* ---- default names --------------------------------------------------------------------------------- */

static void makes_default_names(void **state)
{
    hy_model *model = hy_model_new("Line", NULL, "lines", HY_NAMING_SNAKE);
    const char *two[] = {"orderId", "email"}, *one[] = {"orderId"}, *targets[] = {"id"};
    static const char *const roles[] = {"a"};
    hy_column c = column("role", HY_KIND_ENUM, 0);

    (void)state;
    c.enum_values = roles;
    c.n_enum_values = 1;
    add(model, "orderId", HY_KIND_INTEGER, 0);
    add(model, "email", HY_KIND_STRING, HY_COLUMN_UNIQUE);
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, NULL, two, 2, false, &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, "mine", one, 1, false, &err), HY_OK);
    assert_int_equal(hy_model_add_check(model, NULL, "order_id >= 0 AND Email <> ''", &err), HY_OK);
    assert_int_equal(hy_model_add_foreign_key(model, NULL, one, 1, "orders", targets, HY_REFERENCE_CASCADE,
                                              HY_REFERENCE_NONE, &err),
                     HY_OK);
    freeze(model);
    assert_int_equal(hy_model_n_indexes(model), 3);
    assert_string_equal(hy_model_index(model, 0)->name, "idx_lines_order_id_email");
    assert_int_equal(hy_model_index(model, 0)->columns[1], 1);
    assert_string_equal(hy_model_index(model, 1)->name, "mine");
    assert_string_equal(hy_model_index(model, 2)->name, "uq_lines_email");
    assert_true(hy_model_index(model, 2)->unique);
    assert_int_equal(hy_model_index(model, 2)->columns[0], 1);
    assert_string_equal(hy_model_check(model, 0)->name, "chk_lines_order_id_0_and_email");
    assert_string_equal(hy_model_foreign_key(model, 0)->name, "fk_lines_order_id_orders");
    assert_string_equal(hy_model_foreign_key(model, 0)->target_columns[0], "id");
    assert_int_equal(hy_model_foreign_key(model, 0)->on_delete, HY_REFERENCE_CASCADE);
    assert_string_equal(hy__model_column_check(model, 2), "chk_lines_role_enum");
    hy_model_unref(model);
}

/* A unique column that has a unique index, or is the key, needs no second one. */
static void unique_is_said_once(void **state)
{
    hy_model *model = hy_model_new("M", NULL, "t", HY_NAMING_SNAKE);
    const char *a[] = {"a"};

    (void)state;
    add(model, "a", HY_KIND_INTEGER, HY_COLUMN_UNIQUE);
    add(model, "id", HY_KIND_INTEGER, HY_COLUMN_UNIQUE | HY_COLUMN_PRIMARY);
    assert_int_equal(hy_model_add_index(model, "given", a, 1, true, &err), HY_OK);
    freeze(model);
    assert_int_equal(hy_model_n_indexes(model), 1);
    assert_string_equal(hy_model_index(model, 0)->name, "given");
    hy_model_unref(model);
}

/* Expected digits here and below: FNV-1a (32 bits), computed by another program. */
/* The columns of a constraint, as "a,b". */
static const char *columns_of(const hy_model *model, const char *constraint)
{
    static char text[128];
    const hy_column *c;

    *text = '\0';
    for (size_t i = 0; (c = hy_model_constraint_column(model, constraint, i)) != NULL; i++) {
        if (i > 0)
            strcat(text, ",");
        strcat(text, c->name);
    }
    return text;
}

static void tells_the_columns_of_constraints(void **state)
{
    static const char *const pair[] = {"homeTown", "age"};
    static const char *const roles[] = {"admin", "user"};
    static const char *const name[] = {"name"};
    hy_model *model = new_model();
    hy_column role = column("role", HY_KIND_ENUM, 0);

    (void)state;
    role.enum_values = roles;
    role.n_enum_values = 2;
    add(model, "id", HY_KIND_INTEGER, HY_COLUMN_PRIMARY);
    add(model, "emailAddress", HY_KIND_STRING, HY_COLUMN_UNIQUE);
    add(model, "homeTown", HY_KIND_STRING, 0);
    add(model, "age", HY_KIND_INTEGER, 0);
    add(model, "name", HY_KIND_STRING, 0);
    assert_int_equal(hy_model_add_column(model, &role, &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, NULL, pair, 2, true, &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, "plain", name, 1, false, &err), HY_OK);
    assert_int_equal(hy_model_add_check(model, "grown", "age >= 18 AND home_town <> 'name'", &err), HY_OK);
    assert_int_equal(hy_model_add_check(model, "odd", "1 = 1 AND average > 'age", &err), HY_OK);
    freeze(model);

    assert_string_equal(columns_of(model, "uq_users_email_address"), "email_address");
    assert_string_equal(columns_of(model, "UQ_Users_Email_Address"), "email_address");
    assert_string_equal(columns_of(model, "uq_users_home_town_age"), "home_town,age");
    assert_string_equal(columns_of(model, "PRIMARY"), "id");
    assert_string_equal(columns_of(model, "pk_users_id"), "id");
    assert_string_equal(columns_of(model, "chk_users_role_enum"), "role");
    assert_string_equal(columns_of(model, "grown"), "home_town,age");
    assert_string_equal(columns_of(model, "home_town"), "home_town,age"); /* as MySQL names a key itself */
    assert_string_equal(columns_of(model, "plain"), "");
    assert_string_equal(columns_of(model, "odd"), "");
    assert_string_equal(columns_of(model, "name"), "");
    assert_string_equal(columns_of(model, ""), "");
    hy_model_unref(model);
}

static void cuts_long_names(void **state)
{
    static const char table[] = "a_table_with_a_rather_long_name_indeed_it_is";
    hy_model *model = hy_model_new("M", NULL, table, HY_NAMING_SNAKE);
    const char *x[] = {"columnNumberOneOfTheLongOnes"}, *y[] = {"columnNumberOneOfTheLongTwos"};

    (void)state;
    add(model, x[0], HY_KIND_INTEGER, 0);
    add(model, y[0], HY_KIND_INTEGER, 0);
    assert_int_equal(hy_model_add_index(model, NULL, x, 1, false, &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, NULL, y, 1, false, &err), HY_OK);
    freeze(model);
    assert_string_equal(hy_model_index(model, 0)->name,
                        "idx_a_table_with_a_rather_long_name_indeed_it_is_colum_46c1e544");
    assert_string_equal(hy_model_index(model, 1)->name,
                        "idx_a_table_with_a_rather_long_name_indeed_it_is_colum_6a58eede");
    assert_int_equal(strlen(hy_model_index(model, 0)->name), 63);
    hy_model_unref(model);
}

static void cuts_between_characters(void **state)
{
    /* "idx_tt_" and 20 euro signs of 3 bytes: byte 54 is inside of one */
    char property[64] = "e", name[64] = "";
    hy_model *model = hy_model_new("M", NULL, "tt", HY_NAMING_PRESERVE);
    hy_column c = column(property, HY_KIND_TEXT, 0);
    const char *indexed[] = {property};
    const char *got;

    (void)state;
    for (int i = 0; i < 20; i++)
        strcat(name, "\xE2\x82\xAC");
    c.name = name;
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, NULL, indexed, 1, false, &err), HY_OK);
    freeze(model);
    got = hy_model_index(model, 0)->name;
    assert_int_equal(strlen(got), 7 + 15 * 3 + 9);
    assert_memory_equal(got, "idx_tt_\xE2\x82\xAC", 10);
    assert_memory_equal(got + 7 + 14 * 3, "\xE2\x82\xAC_", 4);
    hy_model_unref(model);
}

/* Different things whose made-up names fall together are told apart by a hash. */
static void equal_slugs_get_a_hash(void **state)
{
    hy_model *model = hy_model_new("M", NULL, "t", HY_NAMING_SNAKE);
    const char *a_b[] = {"a", "b"}, *ab[] = {"aB"};

    (void)state;
    add(model, "a", HY_KIND_INTEGER, 0);
    add(model, "b", HY_KIND_INTEGER, 0);
    add(model, "aB", HY_KIND_INTEGER, 0);
    assert_int_equal(hy_model_add_check(model, NULL, "a >= 0", &err), HY_OK);
    assert_int_equal(hy_model_add_check(model, NULL, "a <> 0", &err), HY_OK);
    assert_int_equal(hy_model_add_check(model, NULL, "'\xC3\xA9' = ''", &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, NULL, a_b, 2, false, &err), HY_OK);
    assert_int_equal(hy_model_add_index(model, NULL, ab, 1, false, &err), HY_OK);
    freeze(model);
    assert_string_equal(hy_model_check(model, 0)->name, "chk_t_a_0");
    assert_string_equal(hy_model_check(model, 1)->name, "chk_t_a_0_9f2a7382");
    assert_string_equal(hy_model_check(model, 2)->name, "chk_t");
    assert_string_equal(hy_model_index(model, 0)->name, "idx_t_a_b");
    assert_string_equal(hy_model_index(model, 1)->name, "idx_t_a_b_e0d04a67");
    hy_model_unref(model);
}

/* ---- refusals ----------------------------------------------------------------------------------------- */

static void refuse(hy_model *model, hy_column c)
{
    size_t n = hy_model_n_columns(model);

    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_column(model, &c, &err));
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(hy_model_n_columns(model), n);
}

static void refuses_bad_names(void **state)
{
    static const char *const bad[] = {
        "",     "1a",   "a b",  "a.b",   "a-b",
        "a\"b", "a\nb", "\xFF", "a\xC3", "a234567890123456789012345678901234567890123456789012345678901234"};
    static const char *const bad_names[] = {
        "", "a\nb", "\x7F", "\xC0\x80", "a234567890123456789012345678901234567890123456789012345678901234"};
    hy_model *model = new_model();
    hy_column c = column("ok", HY_KIND_TEXT, 0);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(model, column(bad[i], HY_KIND_TEXT, 0));
    refuse(model, column(NULL, HY_KIND_TEXT, 0));
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        c.name = bad_names[i];
        refuse(model, c);
    }
    /* 63 bytes in capitals are more in snake_case */
    refuse(model, column("aBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaBaB", HY_KIND_TEXT, 0));
    add(model,
        "gr\xC3\xB6\xC3\x9F"
        "e",
        HY_KIND_TEXT, 0);
    hy_model_unref(model);
}

static void refuses_names_twice(void **state)
{
    hy_model *model = new_model();
    hy_column c = column("other", HY_KIND_TEXT, 0);

    (void)state;
    add(model, "userName", HY_KIND_TEXT, 0);
    refuse(model, column("userName", HY_KIND_TEXT, 0));
    refuse(model, column("user_name", HY_KIND_TEXT, 0)); /* the same in the database */
    assert_non_null(strstr(err.message, "both user_name"));
    c.name = "USER_NAME";
    refuse(model, c);
    c.name = "other_name";
    assert_int_equal(hy_model_add_column(model, &c, &err), HY_OK);
    hy_model_unref(model);
}

static void refuses_nonsense(void **state)
{
    static const char *const twice[] = {"a", "b", "a"}, *const bad_text[] = {"\xFF"};
    hy_model *model = new_model();
    hy_column c = column("x", HY_KIND_ENUM, 0);

    (void)state;
    refuse(model, c);
    c.enum_values = twice;
    c.n_enum_values = 3;
    refuse(model, c);
    c.enum_values = bad_text;
    c.n_enum_values = 1;
    refuse(model, c);
    c.enum_values = twice;
    c.n_enum_values = 2;
    c.flags = HY_COLUMN_HAS_DEFAULT;
    c.default_value = hy_text("c");
    refuse(model, c);
    refuse(model, column("x", HY_KIND_CUSTOM, 0));
    refuse(model, column("x", HY_KIND_COUNT, 0));
    refuse(model, column("x", HY_KIND_TEXT, HY_COLUMN_INCREMENT));
    c = column("x", HY_KIND_INTEGER, HY_COLUMN_HAS_DEFAULT);
    c.default_value = hy_text("seven");
    refuse(model, c);
    c.flags |= HY_COLUMN_INCREMENT;
    refuse(model, c);
    c = column("x", HY_KIND_INTEGER, 0);
    c.generated_sql = "1";
    c.default_sql = "2";
    refuse(model, c);
    c = column("x", HY_KIND_STRING, 0);
    c.length = -1;
    refuse(model, c);
    c = column("x", HY_KIND_TIMESTAMP, 0);
    c.precision = 7;
    refuse(model, c);
    c = column("x", HY_KIND_DECIMAL, 0);
    c.precision = 2;
    c.scale = 3;
    refuse(model, c);
    hy_model_unref(model);
}

static void refuses_bad_indexes_and_checks(void **state)
{
    hy_model *model = new_model();
    const char *a[] = {"a"}, *twice[] = {"a", "a"}, *nil[] = {NULL}, *targets[] = {"id"}, *empty[] = {""};

    (void)state;
    add(model, "a", HY_KIND_INTEGER, 0);
    add(model, "b", HY_KIND_INTEGER, 0);
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_index(model, NULL, a, 0, false, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_index(model, NULL, twice, 2, false, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_index(model, NULL, nil, 1, false, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_index(model, "", a, 1, false, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_check(model, NULL, "", &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_check(model, NULL, "\xFF", &err));
    assert_fails(HY_EINVALID_MODEL, err,
                 hy_model_add_foreign_key(model, NULL, a, 1, "", targets, 0, 0, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_foreign_key(model, NULL, a, 1, "t", empty, 0, 0, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_set_soft_delete(model, "c", &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_set_soft_delete(model, NULL, &err));
    freeze(model);
    assert_int_equal(hy_model_n_indexes(model) + hy_model_n_checks(model) + hy_model_n_foreign_keys(model),
                     0);
    hy_model_unref(model);
}

typedef hy_status (*spoiler)(hy_model *model);

static hy_status same_index_twice(hy_model *model)
{
    const char *a[] = {"a"};

    return hy_model_add_index(model, NULL, a, 1, false, &err) ||
           hy_model_add_index(model, "i", a, 1, false, &err);
}

static hy_status same_name_twice(hy_model *model)
{
    const char *a[] = {"a"};

    return hy_model_add_index(model, "Same", a, 1, false, &err) ||
           hy_model_add_check(model, "same", "a > 1", &err);
}

static hy_status same_check_twice(hy_model *model)
{
    return hy_model_add_check(model, NULL, "a > 1", &err) || hy_model_add_check(model, NULL, "a > 1", &err);
}

static hy_status same_foreign_key_twice(hy_model *model)
{
    const char *a[] = {"a"}, *id[] = {"id"};

    return hy_model_add_foreign_key(model, NULL, a, 1, "t", id, 0, 0, &err) ||
           hy_model_add_foreign_key(model, NULL, a, 1, "t", id, HY_REFERENCE_CASCADE, 0, &err);
}

static hy_status two_increments(hy_model *model)
{
    hy_column x = column("x", HY_KIND_INTEGER, HY_COLUMN_INCREMENT), y = column("y", HY_KIND_BIGINT, x.flags);

    return hy_model_add_column(model, &x, &err) || hy_model_add_column(model, &y, &err);
}

static hy_status required_soft_delete(hy_model *model)
{
    hy_column c = column("deletedAt", HY_KIND_TIMESTAMP, HY_COLUMN_NOT_NULL);

    return hy_model_add_column(model, &c, &err) || hy_model_set_soft_delete(model, "deletedAt", &err);
}

static void freeze_refuses(void **state)
{
    static const spoiler spoilers[] = {same_index_twice,       same_name_twice, same_check_twice,
                                       same_foreign_key_twice, two_increments,  required_soft_delete};

    (void)state;
    for (size_t i = 0; i < sizeof spoilers / sizeof *spoilers; i++) {
        hy_model *model = new_model();

        add(model, "a", HY_KIND_INTEGER, 0);
        assert_int_equal(spoilers[i](model), HY_OK);
        assert_fails(HY_EINVALID_MODEL, err, hy_model_freeze(model, &err));
        assert_fails(HY_EINVALID_MODEL, err, hy_model_freeze(model, &err));
        hy_model_unref(model);
    }
}

static void freeze_refuses_bad_tables(void **state)
{
    static const char *const bad[][3] = {
        {"", NULL, "t"}, {"M", NULL, ""}, {"M", "", "t"}, {"M", NULL, "a\nb"}, {"M", "\xFF", "t"}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hy_model *model = hy_model_new(bad[i][0], bad[i][1], bad[i][2], HY_NAMING_SNAKE);

        add(model, "a", HY_KIND_INTEGER, 0);
        assert_fails(HY_EINVALID_MODEL, err, hy_model_freeze(model, &err));
        hy_model_unref(model);
    }
    hy_model *model = new_model();
    assert_fails(HY_EINVALID_MODEL, err, hy_model_freeze(model, &err)); /* no columns */
    add(model, "a", HY_KIND_INTEGER, 0);                                /* still open */
    freeze(model);
    hy_model_unref(model);
}

static void frozen_is_frozen(void **state)
{
    hy_model *model = new_model();
    hy_column c = column("b", HY_KIND_INTEGER, 0);
    const char *a[] = {"a"};

    (void)state;
    add(model, "a", HY_KIND_BOOLEAN, 0);
    assert_int_equal(hy_model_set_soft_delete(model, "a", &err), HY_OK);
    freeze(model);
    assert_ptr_equal(hy_model_soft_delete(model), hy_model_column(model, 0));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_column(model, &c, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_set_primary_key(model, a, 1, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_index(model, NULL, a, 1, true, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_check(model, NULL, "a", &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_add_foreign_key(model, NULL, a, 1, "t", a, 0, 0, &err));
    assert_fails(HY_EINVALID_MODEL, err, hy_model_set_soft_delete(model, "a", &err));
    hy_model_unref(model);
}

/* ---- threads, memory ------------------------------------------------------------------------------------
 */

static void *borrow(void *arg)
{
    for (int i = 0; i < 20000; i++)
        hy_model_unref(hy_model_ref(arg));
    hy_model_unref(arg);
    return NULL;
}

static void references_count_across_threads(void **state)
{
    pthread_t threads[4];
    hy_test_heap heap = {0};
    hy_model *model;

    (void)state;
    hy_test_use_heap(&heap);
    model = new_model();
    add(model, "a", HY_KIND_INTEGER, 0);
    freeze(model);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, borrow, hy_model_ref(model)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(heap.live > 0);
    assert_string_equal(hy_model_name(model), "User");
    hy_model_unref(model);
    assert_int_equal(heap.live, 0);
    hy_test_use_heap(NULL);
}

/* Each step is tried again after it failed: a shortage that passes must leave a usable model. */
static hy_status insist(hy_status (*step)(hy_model *model, int i), hy_model *model, int i, bool *failed)
{
    hy_status status = step(model, i);

    if (status == HY_EOUT_OF_MEMORY) {
        *failed = true;
        status = step(model, i);
    }
    return status;
}

static hy_status add_numbered(hy_model *model, int i)
{
    char name[32];
    hy_column c = column(name, HY_KIND_TEXT, i % 7 ? 0 : HY_COLUMN_UNIQUE);

    snprintf(name, sizeof name, "column%d", i);
    c.flags |= HY_COLUMN_HAS_DEFAULT;
    c.default_value = hy_text("a default");
    c.comment = "a comment";
    return hy_model_add_column(model, &c, &err);
}

static hy_status add_parts(hy_model *model, int i)
{
    const char *a[] = {"column1", "column2"};

    switch (i) {
    case 0:
        return hy_model_add_index(model, NULL, a, 2, false, &err);
    case 1:
        return hy_model_add_check(model, NULL, "column_1 > 0", &err);
    case 2:
        return hy_model_add_foreign_key(model, NULL, a, 2, "t", a, 0, 0, &err);
    case 3:
        return hy_model_set_primary_key(model, a, 1, &err);
    default:
        return hy_model_freeze(model, &err);
    }
}

static bool build_short_of_memory(bool insisting)
{
    hy_model *model = hy_model_new("User", "app", NULL, HY_NAMING_SNAKE);
    hy_status status = HY_OK;
    bool failed = model == NULL;

    for (int i = 0; model && !status && i < 120; i++)
        status = insisting ? insist(add_numbered, model, i, &failed) : add_numbered(model, i);
    for (int i = 0; model && !status && i < 5; i++)
        status = insisting ? insist(add_parts, model, i, &failed) : add_parts(model, i);
    failed = failed || status;
    assert_true(status == HY_OK || status == HY_EOUT_OF_MEMORY);
    if (model && !status) {
        assert_int_equal(hy_model_n_columns(model), 120);
        assert_int_equal(hy_model_n_indexes(model), 18 + 1);
        assert_int_equal(find(model, "column119")->index, 119);
        assert_string_equal(hy_model_foreign_key(model, 0)->name, "fk_users_column1_column2_t");
    }
    if (model && insisting)
        assert_int_equal(status, HY_OK);
    hy_model_unref(model);
    return !failed;
}

static void survives_any_failed_allocation(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        hy_test_heap heap;
        bool through = false;

        for (long at = 1; !through; at++) {
            heap = (hy_test_heap){.fail_at = at, .fail_on = mode == 1};
            hy_test_use_heap(&heap);
            through = build_short_of_memory(mode == 0);
            hy_test_use_heap(NULL);
            assert_int_equal(heap.live, 0);
        }
        assert_true(heap.calls > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_it_was_told),
        cmocka_unit_test(finds_columns_by_both_names),
        cmocka_unit_test(properties_come_first),
        cmocka_unit_test(finds_among_many),
        cmocka_unit_test(copies_everything),
        cmocka_unit_test(defaults_take_the_kind),
        cmocka_unit_test(suggests_what_is_near),
        cmocka_unit_test(flags_make_the_key),
        cmocka_unit_test(declared_key_gives_the_order),
        cmocka_unit_test(declared_key_must_hold_the_flagged),
        cmocka_unit_test(no_key_is_fine),
        cmocka_unit_test(makes_default_names),
        cmocka_unit_test(unique_is_said_once),
        cmocka_unit_test(tells_the_columns_of_constraints),
        cmocka_unit_test(cuts_long_names),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(equal_slugs_get_a_hash),
        cmocka_unit_test(refuses_bad_names),
        cmocka_unit_test(refuses_names_twice),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(refuses_bad_indexes_and_checks),
        cmocka_unit_test(freeze_refuses),
        cmocka_unit_test(freeze_refuses_bad_tables),
        cmocka_unit_test(frozen_is_frozen),
        cmocka_unit_test(references_count_across_threads),
        cmocka_unit_test(survives_any_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
