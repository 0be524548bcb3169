/*
 * sqlite_values.c - values, errors, exact decimals, a full disk.
 */
#include "sqlite_tests.h"

/* ---- values ------------------------------------------------------------------------------ */

void values_come_back(void **state)
{
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    hy_source *source = open_memory();
    hy_value id = {.type = HY_UUID};
    memcpy(id.as.uuid, uuid, sizeof uuid);
    const struct {
        hy_value value;
        const char *type, *text;
    } cases[] = {
        {hy_null(), "null", "NULL"},
        {hy_bool(true), "integer", "1"},
        {hy_bool(false), "integer", "0"},
        {hy_int(INT64_MAX), "integer", "9223372036854775807"},
        {hy_int(INT64_MIN), "integer", "-9223372036854775808"},
        {hy_double(0.1), "real", "0.10000000000000001"},
        {hy_text(""), "text", ""},
        {hy_text("\xc3\xa4\xe2\x82\xac"), "text", "\xc3\xa4\xe2\x82\xac"},
        {hy_bytes(HY_TEXT, NULL, 0), "text", ""},
        {hy_bytes(HY_BLOB, NULL, 0), "blob", ""},
        {hy_bytes(HY_BLOB, "ab", 2), "blob", "ab"},
        {hy_bytes(HY_JSON, "{}", 2), "text", "{}"},
        {id, "text", "123e4567-e89b-12d3-a456-426614174000"},
        {{HY_DATE, {.days = 19000}}, "text", "2022-01-08"},
        {{HY_TIME, {.micros = 3723000001}}, "text", "01:02:03.000001"},
        {{HY_TIMESTAMP, {.micros = 0}}, "text", "1970-01-01 00:00:00"},
        {hy_bytes(HY_DECIMAL, "0", 1), "integer", "0"},
        {hy_bytes(HY_DECIMAL, "-12.00", 6), "integer", "-12"},
        {hy_bytes(HY_DECIMAL, "9223372036854775807", 19), "integer", "9223372036854775807"},
        {hy_bytes(HY_DECIMAL, "9223372036854775808", 19), "text", "9223372036854775808"},
        {hy_bytes(HY_DECIMAL, "10.50", 5), "real", "10.5"},
        {hy_bytes(HY_DECIMAL, "0.000000000000001", 17), "real", "1.0000000000000001e-15"},
        {hy_bytes(HY_DECIMAL, "123456789012345.6", 17), "text", "123456789012345.6"},
        {hy_bytes(HY_DECIMAL, "1234567890123.45", 16), "real", "1234567890123.45"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_bind bind = {.value = cases[i].value};
        assert_string_equal(one_with(source, NULL, "SELECT typeof(?)", &bind, 1), cases[i].type);
        assert_string_equal(one_with(source, NULL, "SELECT ?", &bind, 1), cases[i].text);
    }
    hy_source_unref(source);
}

void what_would_be_kept_changed_is_refused(void **state)
{
    const hy_bind binds[] = {
        {.value = hy_double((double)NAN)},
        {.value = hy_double((double)NAN), .kind = HY_KIND_DOUBLE},
        {.value = hy_bytes(HY_DECIMAL, "18446744073709551615", 20), .kind = HY_KIND_BIGINT},
        {.value = hy_bytes(HY_TEXT, "a\0b", 3)},
        {.value = hy_bytes(HY_TEXT, "a\x80", 2)},
        {.value = hy_bytes(HY_JSON, "\"\xed\xa0\x80\"", 5)},
    };
    hy_source *source = open_memory();
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE t (v)");
    for (size_t i = 0; i < sizeof binds / sizeof binds[0]; i++) {
        assert_fails(
            HY_EDATA_INVALID, err,
            hy_source_execute_raw(source, "INSERT INTO t VALUES (?)", &binds[i], 1, NULL, NULL, &err));
    }
    assert_string_equal(one_with(source, NULL, "SELECT count(*) FROM t", NULL, 0), "0");
    hy_source_unref(source);
}

/* Bytes, also zero bytes in blobs, and large ones, survive. */
void large_values_come_back(void **state)
{
    hy_source *source = open_memory();
    size_t size = 3000000;
    char *data = malloc(size);
    uint64_t seed = 7;

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)hy_test_random(&seed);
    hy_bind bind = {.value = hy_bytes(HY_BLOB, data, size)};
    hy_cursor *cursor = query_binds(source, NULL, "SELECT ?", &bind, 1);
    const hy_value *row = fetch(cursor);
    assert_int_equal(row[0].type, HY_BLOB);
    assert_int_equal(row[0].as.text.size, size);
    assert_memory_equal(row[0].as.text.data, data, size);
    hy_cursor_free(cursor);
    free(data);
    hy_source_unref(source);
}

void kinds_follow_the_declaration(void **state)
{
    static const hy_kind kinds[] = {
        HY_KIND_BIGINT, HY_KIND_STRING, HY_KIND_TEXT,     HY_KIND_BOOLEAN,   HY_KIND_DECIMAL, HY_KIND_DECIMAL,
        HY_KIND_DATE,   HY_KIND_TIME,   HY_KIND_DATETIME, HY_KIND_TIMESTAMP, HY_KIND_DOUBLE,  HY_KIND_BINARY,
        HY_KIND_UUID,   HY_KIND_JSON,   HY_KIND_ANY,      HY_KIND_ANY,       HY_KIND_ANY,
    };
    hy_source *source = open_memory();

    (void)state;
    run(source,
        "CREATE TABLE k (a INTEGER, b VARCHAR(20), c text, d BOOLEAN, e DECIMAL(10,2), f numeric(5 , 1), g "
        "DATE,"
        " h TIME, i DATETIME, j TIMESTAMP, l DOUBLE PRECISION, m BLOB, n UUID, o JSON, p, q GEOMETRY)");
    hy_cursor *cursor = query(source, "SELECT *, a + 1 AS r FROM k");
    assert_int_equal(hy_cursor_n_columns(cursor), 17);
    for (size_t i = 0; i < 17; i++)
        assert_int_equal(hy_cursor_columns(cursor)[i].kind, kinds[i]);
    assert_string_equal(hy_cursor_columns(cursor)[16].name, "r");
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

void counts_what_was_written(void **state)
{
    hy_source *source = open_memory();
    hy_cursor *cursor;

    (void)state;
    assert_int_equal(run(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, a)"), 0);
    assert_int_equal(run(source, "INSERT INTO t VALUES (5, 1), (6, 2), (9, 3)"), 3);
    assert_int_equal(run(source, "SELECT * FROM t"), 0);
    assert_int_equal(run(source, "CREATE TABLE u (a)"), 0); /* not the 3 of before */
    assert_int_equal(run(source, "UPDATE t SET a = 0 WHERE id > 5"), 2);
    assert_int_equal(run(source, "UPDATE t SET a = 0 WHERE id > 100"), 0);
    assert_int_equal(run(source, "DELETE FROM t"), 3);
    cursor = query(source, "INSERT INTO t (a) VALUES (1), (2)");
    assert_int_equal(hy_cursor_affected(cursor), 2);
    assert_int_equal(hy_cursor_insert_id(cursor), 2);
    hy_cursor_free(cursor);
    cursor = query(source, "INSERT INTO t (a) VALUES (3), (4) RETURNING id");
    assert_int_equal(fetch(cursor)[0].as.integer, 3);
    hy_cursor_finish(cursor); /* not read to the end: stored all the same */
    assert_int_equal(hy_cursor_affected(cursor), 2);
    hy_cursor_free(cursor);
    assert_string_equal(one(source, "SELECT count(*) FROM t"), "4");
    hy_source_unref(source);
}

void a_changed_table_is_read_anew(void **state)
{
    hy_source *source = open_memory();
    hy_cursor *cursor;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    run(source, "INSERT INTO t VALUES (1)");
    cursor = query(source, "SELECT * FROM t");
    assert_int_equal(hy_cursor_n_columns(cursor), 1);
    hy_cursor_free(cursor);
    run(source, "ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 7");
    cursor = query(source, "SELECT * FROM t"); /* the cached statement */
    assert_int_equal(hy_cursor_n_columns(cursor), 2);
    assert_string_equal(hy_cursor_columns(cursor)[1].name, "b");
    assert_int_equal(hy_cursor_columns(cursor)[1].kind, HY_KIND_BIGINT);
    const hy_value *row = fetch(cursor);
    assert_int_equal(row[0].as.integer, 1);
    assert_int_equal(row[1].as.integer, 7);
    hy_cursor_free(cursor);
    run(source, "ALTER TABLE t DROP COLUMN b");
    cursor = query(source, "SELECT * FROM t");
    assert_int_equal(hy_cursor_n_columns(cursor), 1);
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

/* ---- errors ------------------------------------------------------------------------------ */

typedef struct error_case {
    const char *sql;
    hy_status status;
    const char *table, *columns, *constraint;
    int native; /* 0: any */
    size_t position;
} error_case;

static const char *const error_schema[] = {
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL, age INTEGER,"
    " CONSTRAINT grown CHECK (age >= 0), CHECK (name <> ''))",
    "CREATE UNIQUE INDEX one_name_per_age ON users (name, age)",
    "CREATE TABLE tags (tag TEXT)",
    "CREATE UNIQUE INDEX lower_tag ON tags (lower(tag))",
    "INSERT INTO tags VALUES ('a')",
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE RESTRICT)",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id))",
    "CREATE TABLE strict (a INTEGER) STRICT",
    "CREATE TABLE keyed (k TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TRIGGER no_bob BEFORE INSERT ON users WHEN NEW.name = 'bob' BEGIN SELECT RAISE(ABORT, 'no bob'); "
    "END",
    "INSERT INTO users (id, email, name, age) VALUES (1, 'a@x', 'ada', 36), (2, 'b@x', 'eve', 9)",
    "INSERT INTO posts VALUES (1, 1)",
    "INSERT INTO notes VALUES (1, 2)",
    "INSERT INTO keyed VALUES ('k')",
};

static const error_case error_cases[] = {
    {"INSERT INTO users (email, name) VALUES ('a@x', 'x')", HY_EUNIQUE_VIOLATION, "users", "email", "",
     SQLITE_CONSTRAINT_UNIQUE, 0},
    {"INSERT INTO users (name, age) VALUES ('ada', 36)", HY_EUNIQUE_VIOLATION, "users", "name,age", "",
     SQLITE_CONSTRAINT_UNIQUE, 0},
    {"INSERT INTO tags VALUES ('A')", HY_EUNIQUE_VIOLATION, "", "", "lower_tag", SQLITE_CONSTRAINT_UNIQUE, 0},
    {"INSERT INTO users (id, name) VALUES (1, 'x')", HY_EUNIQUE_VIOLATION, "users", "id", "",
     SQLITE_CONSTRAINT_PRIMARYKEY, 0},
    {"INSERT INTO keyed VALUES ('k')", HY_EUNIQUE_VIOLATION, "keyed", "k", "", SQLITE_CONSTRAINT_PRIMARYKEY,
     0},
    {"INSERT INTO users (email) VALUES ('n@x')", HY_ENOT_NULL_VIOLATION, "users", "name", "",
     SQLITE_CONSTRAINT_NOTNULL, 0},
    {"INSERT INTO users (name, age) VALUES ('x', -1)", HY_ECHECK_VIOLATION, "", "", "grown",
     SQLITE_CONSTRAINT_CHECK, 0},
    {"INSERT INTO users (name) VALUES ('')", HY_ECHECK_VIOLATION, "", "", "name <> ''",
     SQLITE_CONSTRAINT_CHECK, 0},
    {"INSERT INTO posts VALUES (2, 99)", HY_EFOREIGN_KEY_VIOLATION, "", "", "", SQLITE_CONSTRAINT_FOREIGNKEY,
     0},
    {"DELETE FROM users WHERE id = 1", HY_EFOREIGN_KEY_VIOLATION, "", "", "", 0,
     0}, /* RESTRICT: another code */
    {"DELETE FROM users WHERE id = 2", HY_EFOREIGN_KEY_VIOLATION, "", "", "", SQLITE_CONSTRAINT_FOREIGNKEY,
     0},
    {"INSERT INTO users (name) VALUES ('bob')", HY_EDATABASE_ERROR, "", "", "", SQLITE_CONSTRAINT_TRIGGER, 0},
    {"INSERT INTO strict VALUES ('x')", HY_EDATA_INVALID, "", "", "", SQLITE_CONSTRAINT_DATATYPE, 0},
    {"INSERT INTO users (id, name) VALUES ('x', 'x')", HY_EDATA_INVALID, "", "", "", SQLITE_MISMATCH, 0},
    {"SELECT * FROM nope", HY_EUNDEFINED_TABLE, "nope", "", "", SQLITE_ERROR, 0},
    {"SELECT * FROM main.nope", HY_EUNDEFINED_TABLE, "nope", "", "", 0, 0},
    {"SELECT nme FROM users", HY_EUNDEFINED_COLUMN, "", "nme", "", SQLITE_ERROR, 8},
    {"SELECT u.nme FROM users u", HY_EUNDEFINED_COLUMN, "", "nme", "", SQLITE_ERROR, 8},
    {"INSERT INTO users (nme) VALUES (1)", HY_EUNDEFINED_COLUMN, "users", "nme", "", SQLITE_ERROR, 0},
    {"UPDATE users SET nme = 1", HY_EUNDEFINED_COLUMN, "", "nme", "", SQLITE_ERROR, 0},
    {"CREATE TABLE users (a)", HY_EOBJECT_EXISTS, "users", "", "", SQLITE_ERROR, 0},
    {"CREATE TABLE \"users\" (a)", HY_EOBJECT_EXISTS, "users", "", "", SQLITE_ERROR, 0},
    {"CREATE INDEX lower_tag ON users (id)", HY_EOBJECT_EXISTS, "", "", "lower_tag", SQLITE_ERROR, 0},
    {"SELEC 1", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 1},
    {"SELECT 1 FROM WHERE", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 15},
    {"SELECT (1", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 0},
    {"SELECT 'x", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 8},
    {"SELECT no_such_function(1)", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 8},
    {"SELECT length()", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 0},
    {"SELECT id FROM users, posts", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 8},
    {"INSERT INTO users (name, age) VALUES (1)", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 0},
    {"INSERT INTO strict VALUES (1, 2)", HY_ESYNTAX, "", "", "", SQLITE_ERROR, 0},
    {"SELECT abs(-9223372036854775808)", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"SELECT json('{')", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"SELECT zeroblob(2000000000)", HY_ELIMIT_EXCEEDED, "", "", "", SQLITE_TOOBIG, 0},
    {"SELECT 'a' REGEXP replace(hex(zeroblob(5000)), '0', '(')", HY_ELIMIT_EXCEEDED, "", "", "",
     SQLITE_TOOBIG, 0},
    {"SELECT 'a' REGEXP 'a' || replace(hex(zeroblob(5000)), '0', '*')", HY_ELIMIT_EXCEEDED, "", "", "",
     SQLITE_TOOBIG, 0},
    {"SELECT 'a' REGEXP '((((a{1,255}){1,255}){1,255}){1,255})'", HY_ELIMIT_EXCEEDED, "", "", "",
     SQLITE_TOOBIG, 0},
    {"SELECT 'a' REGEXP '(((((((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+'",
     HY_ELIMIT_EXCEEDED, "", "", "", SQLITE_TOOBIG, 0},
    {"SELECT hysteria_sum(name) FROM users", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"SELECT hysteria_sum(x'00')", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"SELECT hysteria_add('a', 1)", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"SELECT hysteria_whole_add(1, 0.5)", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"SELECT hysteria_whole_add(9223372036854775807, 1)", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"SELECT hysteria_whole_subtract(-9223372036854775807, 2)", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR,
     0},
    {"SELECT hysteria_whole_multiply(4611686018427387904, 2)", HY_EDATA_INVALID, "", "", "", SQLITE_ERROR, 0},
    {"COMMIT", HY_ETRANSACTION_NOT_ACTIVE, "", "", "", SQLITE_ERROR, 0},
    {"ROLLBACK", HY_ETRANSACTION_NOT_ACTIVE, "", "", "", SQLITE_ERROR, 0},
    {"SELECT 1; SELECT 2", HY_ESYNTAX, "", "", "", 0, 0},
    {"SELECT 1;; -- x\n DROP TABLE users", HY_ESYNTAX, "", "", "", 0, 0},
    {"", HY_ESYNTAX, "", "", "", 0, 0},
    {" -- nothing\n/* at all */ ; ", HY_ESYNTAX, "", "", "", 0, 0},
};

void errors_are_told_apart(void **state)
{
    hy_source *source = open_memory();
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof error_schema / sizeof error_schema[0]; i++)
        run(source, error_schema[i]);
    for (size_t i = 0; i < sizeof error_cases / sizeof error_cases[0]; i++) {
        const error_case *c = &error_cases[i];
        hy_error_clear(&err);
        hy_status status = try_run(source, c->sql, &err);
        if (status != c->status || strcmp(err.table, c->table) != 0 || strcmp(err.columns, c->columns) != 0 ||
            strcmp(err.constraint, c->constraint) != 0 || (c->native != 0 && c->native != err.native_code) ||
            (c->position != 0 && c->position != err.position))
            fail_msg("%s: %s, table '%s', columns '%s', constraint '%s', native %d, position %zu: %s", c->sql,
                     hy_status_name(status), err.table, err.columns, err.constraint, err.native_code,
                     err.position, err.message);
        assert_int_equal(err.status, status);
        assert_int_equal(HY_OK,
                         hy_source_execute_raw(source, "SELECT 1", NULL, 0, NULL, NULL, NULL)); /* usable */
        assert_int_equal(c->status,
                         hy_source_execute_raw(source, c->sql, NULL, 0, NULL, NULL, NULL)); /* err NULL */
    }
    assert_string_equal(one(source, "SELECT count(*) FROM users"), "2");
    hy_source_unref(source);
}

void one_statement_may_be_followed_by_nothing(void **state)
{
    static const char *const fine[] = {
        "SELECT 1;",        "SELECT 1 ; \n\t;", "SELECT 1 -- end",      "SELECT 1; /* a; b */ -- c\n",
        "SELECT 1 /* open", "SELECT ';' ;",     "/* first */ SELECT 1", "SELECT 1; /**/ --",
    };
    hy_source *source = open_memory();

    (void)state;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        run(source, fine[i]);
    hy_source_unref(source);
}

/* What the driver itself must refuse, though the engine above it never asks. */
void the_driver_checks_its_arguments(void **state)
{
    hy_source *source = open_memory();
    hy_lease *lease = acquire(source);
    hy_connection *c = hy_lease_connection(lease);
    hy_statement *s = calloc(1, c->driver->statement_size);
    hy_wait wait;
    hy_error err;
    hy_bind bind = {.value = hy_int(1)};

    (void)state;
    assert_non_null(s);
    assert_fails(HY_ESYNTAX, err, c->driver->prepare(c, s, "SELECT 1\0x", 10, NULL, 0, &wait, &err));
    assert_fails(HY_EDEVELOPMENT_ERROR, err, c->driver->advance(c, &wait, &err));
    assert_int_equal(HY_OK, c->driver->prepare(c, s, "SELECT ?, ?", 11, NULL, 0, &wait, &err));
    assert_int_equal(s->n_params, 2);
    assert_true(s->read_only);
    assert_fails(HY_EINVALID_ARGUMENT, err, c->driver->execute(c, s, &bind, 1, &wait, &err));
    c->driver->finish(c, s);
    c->driver->statement_close(c, s);
    free(s);
    hy_lease_release(lease);
    hy_source_unref(source);
}

/* ---- decimals ---------------------------------------------------------------------------- */

void decimals_kept_as_text_compare_as_numbers(void **state)
{
    static const char *const order[] = {"-100.5",
                                        "-100.25",
                                        "-1e-3",
                                        "0.00",
                                        "0.0005",
                                        "1e-3",
                                        "1.5",
                                        "2",
                                        "10",
                                        "10.05",
                                        "10.5",
                                        "99999999999999999999.99",
                                        "100000000000000000000"};
    hy_source *source = open_memory();
    hy_cursor *cursor;
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE d (v TEXT COLLATE hysteria_decimal UNIQUE)");
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) { /* from the middle outwards */
        size_t at = i % 2 == 0 ? 6 - i / 2 : 6 + (i + 1) / 2;
        hy_bind bind = {.value = hy_text(order[at])};
        assert_int_equal(
            HY_OK, hy_source_execute_raw(source, "INSERT INTO d VALUES (?)", &bind, 1, NULL, NULL, &err));
    }
    cursor = query(source, "SELECT v FROM d ORDER BY v");
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const hy_value *row = fetch(cursor);
        assert_text(order[i], row[0].as.text.data, row[0].as.text.size);
    }
    hy_cursor_free(cursor);
    assert_fails(HY_EUNIQUE_VIOLATION, err, try_run(source, "INSERT INTO d VALUES ('+10.500')", &err));
    assert_fails(HY_EUNIQUE_VIOLATION, err, try_run(source, "INSERT INTO d VALUES ('-0')", &err));

    /* what the engine binds: integers and short decimals arrive as numbers, long ones as text */
    static const struct {
        const char *decimal, *below;
    } binds[] = {{"10", "8"}, {"10.5", "10"}, {"10.050", "9"}, {"99999999999999999999.99", "11"}, {"0", "3"}};
    for (size_t i = 0; i < sizeof binds / sizeof binds[0]; i++) {
        hy_bind bind = {.value = hy_bytes(HY_DECIMAL, binds[i].decimal, strlen(binds[i].decimal)),
                        .kind = HY_KIND_DECIMAL};
        assert_string_equal(one_with(source, NULL, "SELECT count(*) FROM d WHERE v < ?", &bind, 1),
                            binds[i].below);
        assert_string_equal(one_with(source, NULL, "SELECT count(*) FROM d WHERE v = ?", &bind, 1), "1");
    }
    run(source, "DELETE FROM d");
    hy_bind exact[] = {{.value = hy_bytes(HY_DECIMAL, "10.50", 5)},
                       {.value = hy_bytes(HY_DECIMAL, "123456789012345678901.25", 24)}};
    assert_int_equal(
        HY_OK, hy_source_execute_raw(source, "INSERT INTO d VALUES (?), (?)", exact, 2, NULL, NULL, &err));
    assert_string_equal(one(source, "SELECT v FROM d ORDER BY v LIMIT 1"), "10.5");
    assert_string_equal(one(source, "SELECT v FROM d ORDER BY v DESC LIMIT 1"), "123456789012345678901.25");
    hy_source_unref(source);
}

/* Text that is no number has a place in the order too, the same whatever it is compared with. */
void the_collation_is_a_total_order(void **state)
{
    hy_source *source = open_memory();

    (void)state;
    run(source, "CREATE TABLE d (v TEXT COLLATE hysteria_decimal)");
    run(source,
        "INSERT INTO d VALUES ('x'), ('1'), (''), ('.'), ('-'), ('1e400'), ('.5'), ('5.'), ('-.5'), ('00'),"
        " ('1.0'), ('1e2'), ('99'), ('1.2.3'), ('inf'), ('0x10'), (' 1')");
    /* a < b and b < c give a < c; equality is symmetric */
    assert_string_equal(one(source, "SELECT count(*) FROM d a, d b, d c WHERE a.v <= b.v AND b.v <= c.v AND"
                                    " NOT (a.v <= c.v)"),
                        "0");
    assert_string_equal(
        one(source, "SELECT count(*) FROM d a, d b WHERE (a.v < b.v) + (a.v = b.v) + (a.v > b.v) <> 1"), "0");
    assert_string_equal(one(source,
                            "SELECT group_concat(v, ' ') FROM (SELECT v FROM d WHERE v < 'a' AND v >= '-1'"
                            " AND v <= '100' ORDER BY v, rowid)"),
                        "-.5 00 .5 1 1.0 5. 99 1e2");
    hy_source_unref(source);
}

void sums_are_exact(void **state)
{
    static const struct {
        const char *values, *sum, *avg;
    } cases[] = {
        {"SELECT 1 WHERE 0", "NULL", "NULL"},
        {"VALUES (NULL), (NULL)", "NULL", "NULL"},
        {"VALUES (1), (2), (NULL)", "3", "1.5000000000000000"},
        {"VALUES (0.1), (0.2)", "0.3", "0.15000000000000000"},
        {"VALUES ('0.10'), ('0.20'), (1)", "1.30", "0.433333333333333333"},
        {"VALUES (9223372036854775807), (9223372036854775807), (1)", "18446744073709551615",
         "6148914691236517205.0000000000000000"},
        {"VALUES (-9223372036854775807 - 1), (-1)", "-9223372036854775809",
         "-4611686018427387904.5000000000000000"},
        {"VALUES ('99999999999999999999.99'), ('0.01')", "100000000000000000000.00",
         "50000000000000000000.000000000000000000"},
        {"VALUES ('1e3'), (1)", "1001", "500.5000000000000000"},
        {"VALUES (1), (1), (0), (0), (0), (0), (0)", "2", "0.2857142857142857"},
        {"VALUES ('0.00005'), (0)", "0.00005", "0.000025000000000000000"},
        {"VALUES (-2), (-1), (0)", "-3", "-1.0000000000000000"},
    };
    hy_source *source = open_memory();
    char sql[512];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(sql, sizeof sql, "SELECT hysteria_sum(column1) FROM (%s)", cases[i].values);
        if (i == 0)
            snprintf(sql, sizeof sql, "SELECT hysteria_sum(1) FROM (%s)", cases[i].values);
        assert_string_equal(one(source, sql), cases[i].sum);
        snprintf(sql, sizeof sql, "SELECT hysteria_avg(%s) FROM (%s)", i == 0 ? "1" : "column1",
                 cases[i].values);
        assert_string_equal(one(source, sql), cases[i].avg);
    }
    hy_source_unref(source);
}

/* Against integers: 5,000 amounts in hundredths, whose total just fits 64 bits. */
void sums_agree_with_integers(void **state)
{
    hy_source *source = open_memory();
    hy_error err;
    uint64_t seed = 99;
    int64_t total = 0;
    char text[64];

    (void)state;
    run(source, "CREATE TABLE d (v TEXT COLLATE hysteria_decimal)");
    for (int i = 0; i < 5000; i++) {
        int64_t cents = (int64_t)(hy_test_random(&seed) % 1800000000000000u) - 900000000000000;
        uint64_t size = (uint64_t)(cents < 0 ? -cents : cents);
        total += cents;
        snprintf(text, sizeof text, "%s%llu.%02u", cents < 0 ? "-" : "", (unsigned long long)(size / 100),
                 (unsigned)(size % 100));
        hy_bind bind = {.value = hy_text(text)};
        assert_int_equal(
            HY_OK, hy_source_execute_raw(source, "INSERT INTO d VALUES (?)", &bind, 1, NULL, NULL, &err));
    }
    uint64_t size = (uint64_t)(total < 0 ? -total : total);
    snprintf(text, sizeof text, "%s%llu.%02u", total < 0 ? "-" : "", (unsigned long long)(size / 100),
             (unsigned)(size % 100));
    assert_string_equal(one(source, "SELECT hysteria_sum(v) FROM d"), text);
    hy_source_unref(source);
}

void two_numbers_are_exact(void **state)
{
    static const char *const cases[][2] = {
        {"hysteria_add('12345678901234567890.25', '0.01')", "12345678901234567890.26"},
        {"hysteria_add(0.1, 0.2)", "0.3"},
        {"hysteria_add(1, '1.10')", "2.10"},
        {"hysteria_add(9223372036854775807, 1)", "9223372036854775808"},
        {"hysteria_subtract('0.10', 1)", "-0.90"},
        {"hysteria_multiply('1.5', '1.5')", "2.25"},
        {"hysteria_whole_add(9223372036854775806, 1)", "9223372036854775807"},
        {"hysteria_whole_subtract(-9223372036854775807, 1)", "-9223372036854775808"},
        {"hysteria_whole_multiply(3, -4)", "-12"},
        {"hysteria_add(NULL, 1)", "NULL"},
        {"hysteria_whole_add(1, NULL)", "NULL"},
    };
    hy_source *source = open_memory();
    char sql[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(sql, sizeof sql, "SELECT %s", cases[i][0]);
        assert_string_equal(one(source, sql), cases[i][1]);
    }
    hy_source_unref(source);
}

void sums_slide_over_windows(void **state)
{
    hy_source *source = open_memory();

    (void)state;
    assert_string_equal(one(source,
                            "SELECT group_concat(s, ' ') FROM (SELECT hysteria_sum(column1) OVER (ORDER BY"
                            " column1 ROWS 1 PRECEDING) AS s FROM (VALUES (1), (2), (0.5), (4)))"),
                        "0.5 1.5 3.0 6.0");
    hy_source_unref(source);
}

/* ---- a full disk -------------------------------------------------------------------------- */

void a_full_disk_ends_the_transaction(void **state)
{
    static const hy_connect_option pages = {"max_page_count", "20"};
    hy_source_config config = config_of(file);
    hy_transaction *trx;
    hy_error err;
    hy_status status = HY_OK;

    (void)state;
    config.connect.options = &pages;
    config.connect.n_options = 1;
    hy_source *source = open_config(config);
    run(source, "CREATE TABLE t (a)");
    run(source, "INSERT INTO t VALUES ('before')");
    assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
    const hy_run_options in = {.transaction = trx};
    for (int i = 0; status == HY_OK && i < 200; i++)
        status = hy_source_execute_raw(source, "INSERT INTO t VALUES (randomblob(2000))", NULL, 0, &in, NULL,
                                       &err);
    assert_int_equal(status, HY_EDISK_FULL);
    assert_int_equal(err.native_code, SQLITE_FULL);
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_fails(HY_ETRANSACTION_ABORTED, err,
                 hy_source_execute_raw(source, "INSERT INTO t VALUES (1)", NULL, 0, &in, NULL, &err));
    assert_int_equal(HY_OK, hy_transaction_commit(trx, &err));
    assert_fails(HY_ETRANSACTION_ABORTED, err, hy_transaction_run(trx, &err));
    hy_transaction_free(trx);
    assert_string_equal(one(source, "SELECT count(*) FROM t"), "1");
    run(source, "INSERT INTO t VALUES (1)"); /* the write ticket is free again */
    assert_string_equal(one(source, "PRAGMA integrity_check"), "ok");
    hy_source_unref(source);
}
