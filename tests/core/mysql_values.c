/*
 * mysql_values.c - values and errors.
 */
#include "mysql_tests.h"

/* ---- values ----------------------------------------------------------------------------- */

static hy_value date(const char *text)
{
    int64_t days;

    assert_true(hy_date_parse(text, strlen(text), &days));
    return counted(HY_DATE, days);
}

static hy_value time_of(const char *text)
{
    int64_t micros;

    assert_true(hy_time_parse(text, strlen(text), &micros));
    return counted(HY_TIME, micros);
}

static hy_value json(const char *text)
{
    return hy_bytes(HY_JSON, text, strlen(text));
}

static hy_value blob(const char *data, size_t size)
{
    return hy_bytes(HY_BLOB, data, size);
}

typedef struct sample {
    const char *column; /* its type */
    hy_kind kind;
    hy_value in;
    const char *text; /* what the server says it is; NULL: not asked */
    hy_value out;     /* NULL: the same */
} sample;

/* Store, ask the server what it stored, read back by both protocols. */
static void check_sample(const sample *s)
{
    hy_value expected = s->out.type != HY_NULL ? s->out : s->in;
    hy_bind binds[] = {bind_of(s->in)};
    char sql[256];
    cells c;

    run("DROP TABLE IF EXISTS hy_sample");
    (void)snprintf(sql, sizeof sql, "CREATE TABLE hy_sample (x %s)", s->column);
    run(sql);
    assert_int_equal(run_with(anywhere, "INSERT INTO hy_sample VALUES (?)", binds, 1), 1);
    static const char *const selects[] = {"SELECT x, CAST(x AS CHAR) FROM hy_sample",
                                          "/*! */ SELECT x, CAST(x AS CHAR) FROM hy_sample"};
    for (size_t i = 0; i < 2; i++) {
        query_at(anywhere, &c, selects[i], NULL, 0);
        if (!hy_value_equal(&c.v[0], &expected) || c.kinds[0] != s->kind)
            fail_msg("%s: got a %s of kind %s (%s)", s->column, hy_type_name(c.v[0].type),
                     hy_kind_name(c.kinds[0]), i == 0 ? "binary" : "text");
        if (s->text != NULL)
            assert_string_equal(c.bytes[1], s->text);
        drop_cells(&c);
    }
}

void test_numbers(void **state)
{
    const sample samples[] = {
        {"TINYINT", HY_KIND_TINYINT, hy_int(-128), "-128", {0}},
        {"TINYINT UNSIGNED", HY_KIND_TINYINT, hy_int(255), "255", {0}},
        {"TINYINT(1)", HY_KIND_TINYINT, hy_bool(true), "1", hy_int(1)},
        {"SMALLINT", HY_KIND_SMALLINT, hy_int(-32768), "-32768", {0}},
        {"SMALLINT UNSIGNED", HY_KIND_SMALLINT, hy_int(65535), "65535", {0}},
        {"MEDIUMINT", HY_KIND_MEDIUMINT, hy_int(-8388608), "-8388608", {0}},
        {"MEDIUMINT UNSIGNED", HY_KIND_MEDIUMINT, hy_int(16777215), "16777215", {0}},
        {"INT", HY_KIND_INTEGER, hy_int(INT32_MIN), "-2147483648", {0}},
        {"INT UNSIGNED", HY_KIND_INTEGER, hy_int(UINT32_MAX), "4294967295", {0}},
        {"BIGINT", HY_KIND_BIGINT, hy_int(INT64_MIN), "-9223372036854775808", {0}},
        {"BIGINT", HY_KIND_BIGINT, hy_int(INT64_MAX), "9223372036854775807", {0}},
        {"BIGINT UNSIGNED", HY_KIND_BIGINT, hy_int(INT64_MAX), "9223372036854775807", {0}},
        {"BIGINT UNSIGNED", HY_KIND_BIGINT, decimal("18446744073709551615"), "18446744073709551615", {0}},
        {"BIGINT UNSIGNED", HY_KIND_BIGINT, decimal("9223372036854775808"), "9223372036854775808", {0}},
        {"DOUBLE", HY_KIND_DOUBLE, hy_double(DBL_MAX), NULL, {0}},
        {"DOUBLE", HY_KIND_DOUBLE, hy_double(-2.2250738585072014e-308), NULL, {0}},
        {"DOUBLE", HY_KIND_DOUBLE, hy_double(0.1), "0.1", {0}},
        {"FLOAT", HY_KIND_FLOAT, hy_double(0.5), "0.5", {0}},
        {"DECIMAL(10,2)", HY_KIND_DECIMAL, decimal("-12345678.90"), "-12345678.90", {0}},
        {"DECIMAL(10,2) ZEROFILL", HY_KIND_DECIMAL, decimal("7.50"), "00000007.50", {0}},
        {"DECIMAL(65,30)",
         HY_KIND_DECIMAL,
         decimal("12345678901234567890123456789012345.123456789012345678901234567890"),
         NULL,
         {0}},
        {"BIT(8)", HY_KIND_BIGINT, hy_int(0xA5), NULL, {0}},
        {"BIT(64)", HY_KIND_BIGINT, decimal("18446744073709551615"), NULL, {0}},
        {"YEAR", HY_KIND_SMALLINT, hy_int(2155), "2155", {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check_sample(&samples[i]);
}

/* A FLOAT is the single nearest to what was given, by both protocols. */
void test_floats(void **state)
{
    hy_bind binds[] = {bind_of(hy_double(0.1))};
    hy_error err;
    cells c;

    (void)state;
    run("DROP TABLE IF EXISTS hy_sample");
    run("CREATE TABLE hy_sample (x FLOAT)");
    run_with(anywhere, "INSERT INTO hy_sample VALUES (?)", binds, 1);
    query_at(anywhere, &c, "SELECT x FROM hy_sample", NULL, 0);
    assert_true(c.v[0].as.number == (double)0.1f);
    query_at(anywhere, &c, "/*! */ SELECT x FROM hy_sample", NULL, 0);
    assert_true(c.v[0].as.number == (double)0.1f);
    binds[0].kind = HY_KIND_FLOAT; /* 0.1 is found where a column says what it is compared with */
    query_at(anywhere, &c, "SELECT COUNT(*) FROM hy_sample WHERE x = ?", binds, 1);
    assert_true(c.v[0].as.integer == 1);
    binds[0].value.as.number = 1e39;
    assert_fails(HY_EDATA_INVALID, err,
                 try_query(anywhere, &c, &err, "INSERT INTO hy_sample VALUES (?)", binds, 1));
}

void test_texts_and_times(void **state)
{
    hy_value uuid = {.type = HY_UUID,
                     .as.uuid = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4e, 0xf0, 0x81, 2, 3, 4, 5, 6, 7, 8}};
    hy_kind json_kind = HY_KIND_JSON;
    const sample samples[] = {
        {"CHAR(4)", HY_KIND_CHAR, hy_text("ab"), "ab", {0}},
        {"VARCHAR(50)", HY_KIND_STRING, hy_text(""), "", {0}},
        {"VARCHAR(50)", HY_KIND_STRING, hy_text("h\xc3\xa9llo \xf0\x9f\x98\x80 '\"\\%_"), NULL, {0}},
        {"TEXT", HY_KIND_TEXT, hy_text("line\nline"), "line\nline", {0}},
        {"LONGTEXT", HY_KIND_TEXT, hy_text("x"), "x", {0}},
        {"ENUM('a','b')", HY_KIND_ENUM, hy_text("b"), "b", {0}},
        {"SET('a','b')", HY_KIND_STRING, hy_text("a,b"), "a,b", {0}},
        {"BINARY(4)", HY_KIND_BINARY, blob("\0\xff\x80", 4), NULL, {0}},
        {"VARBINARY(9)", HY_KIND_VARBINARY, blob("\0\1\xfe\xff", 4), NULL, {0}},
        {"BLOB", HY_KIND_BINARY, blob("", 0), "", {0}},
        {"JSON", json_kind, json("{\"a\": [1, null, \"\xc3\xa9\"]}"), NULL, {0}},
        {"CHAR(36)", HY_KIND_CHAR, uuid, "12345678-9abc-4ef0-8102-030405060708",
         hy_text("12345678-9abc-4ef0-8102-030405060708")},
        {"DATE", HY_KIND_DATE, date("1000-01-01"), "1000-01-01", {0}},
        {"DATE", HY_KIND_DATE, date("9999-12-31"), "9999-12-31", {0}},
        {"DATE", HY_KIND_DATE, date("1969-12-31"), "1969-12-31", {0}},
        {"DATETIME(6)",
         HY_KIND_DATETIME,
         timestamp("2024-02-29 23:59:59.999999"),
         "2024-02-29 23:59:59.999999",
         {0}},
        {"DATETIME(6)",
         HY_KIND_DATETIME,
         timestamp("1000-01-01 00:00:00"),
         "1000-01-01 00:00:00.000000",
         {0}},
        {"DATETIME", HY_KIND_DATETIME, timestamp("2024-05-05 12:00:00"), "2024-05-05 12:00:00", {0}},
        {"TIMESTAMP(6)",
         HY_KIND_TIMESTAMP,
         timestamp("2038-01-19 03:14:06.5"),
         "2038-01-19 03:14:06.500000",
         {0}},
        {"TIME(6)", HY_KIND_TIME, time_of("23:59:59.000001"), "23:59:59.000001", {0}},
        {"TIME", HY_KIND_TIME, time_of("-838:59:59"), "-838:59:59", {0}},
        {"TIME", HY_KIND_TIME, time_of("838:59:59"), "838:59:59", {0}},
        {"TIME", HY_KIND_TIME, time_of("00:00:00"), "00:00:00", {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check_sample(&samples[i]);
    if (is_mariadb())
        check_sample(&(sample){"UUID", HY_KIND_UUID, uuid, "12345678-9abc-4ef0-8102-030405060708", {0}});
}

/* Parameters without a table: their type is what was bound. */
void test_parameters(void **state)
{
    const hy_bind binds[] = {bind_of(hy_null()),      bind_of(hy_int(-5)),        bind_of(hy_double(1.5)),
                             bind_of(hy_text("t")),   bind_of(decimal("-1.250")), bind_of(hy_bool(true)),
                             bind_of(blob("\xff", 1))};
    cells c;

    (void)state;
    for (int i = 0; i < 2; i++) { /* prepared, then from the cache */
        query_at(anywhere, &c, "SELECT ?, ?, ?, ?, ?, ?, ?", binds, 7);
        assert_int_equal(c.v[0].type, HY_NULL);
        assert_int_equal(c.v[1].as.integer, -5);
        assert_true(c.v[2].as.number == 1.5);
        assert_string_equal(c.bytes[3], "t");
        assert_int_equal(c.v[4].type, HY_DECIMAL);
        assert_string_equal(c.bytes[4], "-1.250");
        assert_int_equal(c.v[5].as.integer, 1);
        assert_int_equal(c.v[6].type, HY_BLOB);
        drop_cells(&c);
    }
    /* The same text, another type each time. */
    const hy_value values[] = {hy_int(1), hy_text("one"), hy_double(0.25),
                               hy_null(), decimal("3.5"), hy_int(2)};
    for (size_t i = 0; i < 6; i++) {
        hy_bind one[] = {bind_of(values[i])};
        query_at(anywhere, &c, "SELECT ?", one, 1);
        if (!hy_value_equal(&c.v[0], &values[i]))
            fail_msg("%zu: a %s came back as %s", i, hy_type_name(values[i].type), hy_type_name(c.v[0].type));
        drop_cells(&c);
    }
}

void test_refused_parameters(void **state)
{
    const hy_value values[] = {hy_double(NAN),
                               hy_double(INFINITY),
                               hy_double(-INFINITY),
                               hy_bytes(HY_TEXT, "a\0b", 3),
                               hy_bytes(HY_TEXT, "\xff", 1),
                               hy_bytes(HY_JSON, "\"\xc0\x80\"", 4)};
    hy_bind two[] = {bind_of(hy_int(1)), bind_of(hy_int(2))};
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        hy_bind binds[] = {bind_of(values[i])};
        assert_fails(HY_EDATA_INVALID, err, try_with(at, &err, NULL, "SELECT ?", binds, 1));
    }
    assert_fails(HY_EINVALID_ARGUMENT, err, try_with(at, &err, NULL, "SELECT ?", two, 2));
    assert_int_equal(number_at(at, "SELECT 1"), 1); /* nothing was sent */
    hy_lease_release(lease);
}

void test_zero_dates(void **state)
{
    static const char *const bad[] = {"d", "t", "p"};
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    hy_error err;
    cells c;

    (void)state;
    run_at(at, "SET sql_mode = ''");
    run_at(at, "DROP TABLE IF EXISTS hy_zero");
    run_at(at, "CREATE TABLE hy_zero (d DATE, t DATETIME, p DATE)");
    run_at(at, "INSERT INTO hy_zero VALUES ('0000-00-00', '0000-00-00 00:00:00', '2024-00-00')");
    for (size_t i = 0; i < 3; i++)
        for (int text = 0; text < 2; text++) {
            char sql[80];
            (void)snprintf(sql, sizeof sql, "%sSELECT %s FROM hy_zero", text ? "/*! */ " : "", bad[i]);
            assert_fails(HY_EDATA_INVALID, err, try_query(at, &c, &err, sql, NULL, 0));
            assert_non_null(strstr(err.message, "zero date"));
        }
    expect_text_at(at, "SELECT CAST(d AS CHAR) FROM hy_zero", "0000-00-00");
    run_at(at, "DROP TABLE hy_zero");
    hy_lease_release(lease);
}

/* Every byte, a mebibyte of them, there and back. */
void test_long_values(void **state)
{
    enum { SIZE = 1 << 20 };
    char *bytes = malloc(SIZE);
    cells c;

    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    run("DROP TABLE IF EXISTS hy_long");
    run("CREATE TABLE hy_long (b LONGBLOB, t LONGTEXT)");
    hy_bind binds[] = {bind_of(blob(bytes, SIZE)), bind_of(hy_bytes(HY_TEXT, NULL, 0))};
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    binds[1].value = hy_bytes(HY_TEXT, text, SIZE);
    run_with(anywhere, "INSERT INTO hy_long VALUES (?, ?)", binds, 2);
    for (int i = 0; i < 2; i++) {
        query_at(anywhere, &c, i == 0 ? "SELECT b, t FROM hy_long" : "/*! */ SELECT b, t FROM hy_long", NULL,
                 0);
        assert_int_equal(c.v[0].as.text.size, SIZE);
        assert_memory_equal(c.bytes[0], bytes, SIZE);
        assert_int_equal(c.v[1].as.text.size, SIZE);
        assert_memory_equal(c.bytes[1], text, SIZE);
        drop_cells(&c);
    }
    run("DROP TABLE hy_long");
    free(bytes);
    free(text);
}

/* Longer than the server takes: refused here, where the server would hang up. */
void test_packet_limit(void **state)
{
    size_t size = (size_t)number("SELECT @@max_allowed_packet");
    char *bytes = calloc(1, size + 1);
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    hy_error err;

    (void)state;
    hy_bind binds[] = {bind_of(blob(bytes, size))};
    assert_fails(HY_ELIMIT_EXCEEDED, err, try_with(at, &err, NULL, "DO LENGTH(?)", binds, 1));
    memset(bytes, ' ', size);
    memcpy(bytes, "SELECT 1", 8);
    assert_fails(HY_ELIMIT_EXCEEDED, err, try_run(at, &err, bytes));
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    hy_lease_release(lease);
    free(bytes);
}

void test_many_parameters(void **state)
{
    enum { MOST = 65535 };
    hy_bind *binds = calloc(MOST + 1, sizeof *binds);
    hy_error err;
    hy_buf sql;
    cells c;

    (void)state;
    for (size_t i = 0; i <= MOST; i++)
        binds[i] = bind_of(hy_int((int64_t)i));
    for (size_t n = MOST; n <= MOST + 1; n++) {
        hy_buf_init(&sql);
        hy_buf_puts(&sql, "SELECT 70000 IN (?");
        for (size_t i = 1; i < n; i++)
            hy_buf_puts(&sql, ",?");
        hy_buf_puts(&sql, ")");
        if (n == MOST) {
            query_at(anywhere, &c, hy_buf_text(&sql), binds, n);
            assert_int_equal(c.v[0].as.integer, 0);
        } else {
            assert_fails(HY_ELIMIT_EXCEEDED, err, try_query(anywhere, &c, &err, hy_buf_text(&sql), binds, n));
        }
        hy_buf_clear(&sql);
    }
    free(binds);
}

/* ---- errors ----------------------------------------------------------------------------- */

static void make_family(void)
{
    run("DROP TABLE IF EXISTS hy_child");
    run("DROP TABLE IF EXISTS hy_parent");
    run("CREATE TABLE hy_parent (id INT PRIMARY KEY, email VARCHAR(40) NOT NULL, age TINYINT, "
        "UNIQUE KEY hy_email (email), CONSTRAINT hy_adult CHECK (age >= 18)) ENGINE=InnoDB");
    run("CREATE TABLE hy_child (id INT PRIMARY KEY, parent INT, "
        "CONSTRAINT hy_fk FOREIGN KEY (parent) REFERENCES hy_parent (id)) ENGINE=InnoDB");
    run("INSERT INTO hy_parent VALUES (1, 'canary', 20), (2, 'b', 30)");
    run("INSERT INTO hy_child VALUES (1, 1)");
}

typedef struct failure {
    const char *sql;
    hy_status status;
    const char *constraint, *table, *columns; /* NULL: not looked at */
} failure;

static void expect_failures(const failure *list, size_t n)
{
    hy_error err;

    for (size_t i = 0; i < n; i++) {
        const failure *f = &list[i];
        hy_status status = try_run(anywhere, &err, f->sql);
        if (status != f->status)
            fail_msg("%s: %s: %s (%d)", f->sql, hy_status_name(status), err.message, err.native_code);
        assert_true(err.native_code > 1000);
        assert_int_equal(strlen(err.sqlstate), 5);
        if (strstr(err.message, "canary") != NULL)
            fail_msg("a value in \"%s\"", err.message);
        if (f->constraint != NULL)
            assert_string_equal(err.constraint, f->constraint);
        if (f->table != NULL)
            assert_string_equal(err.table, f->table);
        if (f->columns != NULL)
            assert_string_equal(err.columns, f->columns);
    }
}

void test_constraints(void **state)
{
    static const failure list[] = {
        {"INSERT INTO hy_parent VALUES (3, 'canary', 20)", HY_EUNIQUE_VIOLATION, "hy_email", NULL, NULL},
        {"INSERT INTO hy_parent VALUES (1, 'x', 20)", HY_EUNIQUE_VIOLATION, "PRIMARY", NULL, NULL},
        {"INSERT INTO hy_child VALUES (2, 99)", HY_EFOREIGN_KEY_VIOLATION, "hy_fk", "hy_child", "parent"},
        {"DELETE FROM hy_parent WHERE id = 1", HY_EFOREIGN_KEY_VIOLATION, "hy_fk", "hy_child", "parent"},
        {"INSERT INTO hy_parent VALUES (4, NULL, 20)", HY_ENOT_NULL_VIOLATION, NULL, NULL, "email"},
        {"INSERT INTO hy_parent (id) VALUES (4)", HY_ENOT_NULL_VIOLATION, NULL, NULL, "email"},
        {"INSERT INTO hy_parent VALUES (4, 'canary4', 3)", HY_ECHECK_VIOLATION, "hy_adult", NULL, NULL},
        {"INSERT INTO hy_parent VALUES (4, 'x', 300)", HY_EDATA_INVALID, NULL, NULL, "age"},
        {"INSERT INTO hy_parent VALUES (4, 'x', 'canary')", HY_EDATA_INVALID, NULL, NULL, "age"},
        {"INSERT INTO hy_parent VALUES (4, REPEAT('canary', 20), 20)", HY_EDATA_INVALID, NULL, NULL, "email"},
        {"UPDATE hy_parent SET age = CAST('canary' AS SIGNED) WHERE id = 1", HY_EDATA_INVALID, NULL, NULL,
         NULL},
    };

    (void)state;
    make_family();
    expect_failures(list, sizeof list / sizeof list[0]);
}

void test_statement_errors(void **state)
{
    static const failure list[] = {
        {"SELECT * FROM hy_missing", HY_EUNDEFINED_TABLE, NULL, "hy_missing", NULL},
        {"DROP TABLE hy_missing", HY_EUNDEFINED_TABLE, NULL, "hy_missing", NULL},
        {"SELECT nothing FROM hy_parent", HY_EUNDEFINED_COLUMN, NULL, NULL, "nothing"},
        {"SELECT hy_parent.nothing FROM hy_parent", HY_EUNDEFINED_COLUMN, NULL, NULL, "nothing"},
        {"CREATE TABLE hy_parent (x INT)", HY_EOBJECT_EXISTS, NULL, "hy_parent", NULL},
        {"ALTER TABLE hy_parent ADD COLUMN age INT", HY_EOBJECT_EXISTS, NULL, NULL, "age"},
        {"ALTER TABLE hy_parent DROP COLUMN nothing", HY_EUNDEFINED_COLUMN, NULL, NULL, "nothing"},
        {"SELECT id FROM hy_parent, hy_child", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELEC 1", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELECT 1; SELECT 2", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELECT 'canary' 1 'canary' FROM", HY_ESYNTAX, NULL, NULL, NULL},
        {"SELECT ~0 + 'canary' + 1", HY_EDATA_INVALID, NULL, NULL, NULL},
        {"SELECT (SELECT 1 UNION SELECT 2)", HY_EDATA_INVALID, NULL, NULL, NULL},
        {"USE no_such_database", HY_EUNDEFINED_DATABASE, NULL, NULL, NULL},
        {"ROLLBACK TO SAVEPOINT nowhere", HY_ETRANSACTION_ABORTED, NULL, NULL, NULL},
        {"CALL no_such_procedure()", HY_ESYNTAX, NULL, NULL, NULL},
        {"SET GLOBAL no_such_variable = 1", HY_ESYNTAX, NULL, NULL, NULL},
    };

    (void)state;
    make_family();
    expect_failures(list, 11);
    expect_failures(list + 12, 5); /* SELECT of a bad number is only a warning */
    hy_error err;
    assert_int_equal(try_run(anywhere, &err, "SELECT 1\nFROM hy_parent\nWHER id = 1"), HY_ESYNTAX);
    assert_int_equal(err.position, strstr("SELECT 1\nFROM hy_parent\nWHER id = 1", "id") -
                                       "SELECT 1\nFROM hy_parent\nWHER id = 1" + 1);
    assert_int_equal(try_run(anywhere, &err, "SELECT (1"), HY_ESYNTAX);
    assert_int_equal(err.position, 10);
    assert_int_equal(try_run(anywhere, &err, " -- nothing\n /* at all */ ;"), HY_ESYNTAX);
}

/* ---- what a text says ------------------------------------------------------------------- */

void test_texts(void **state)
{
    static const struct {
        const char *sql;
        bool touches, restarts;
    } cases[] = {
        {"SELECT count(*), max(a) FROM t WHERE t.id IN (1, 2) AND (a OR b)", false, false},
        {"SELECT `count`(1)", true, false},
        {"INSERT INTO db.t (a) VALUES ('f(')", false, false},
        {"INSERT INTO `db`.`my t` (a) VALUES (1)", false, false},
        {"INSERT INTO t SET a = lower('it''s (1)')", false, false},
        {"CREATE TABLE IF NOT EXISTS t (a int, b varchar(9))", false, false},
        {"SELECT a.b, count(1) FROM a", false, false},
        {"SELECT get_lock('a', 1)", true, false},
        {"SELECT db.count(1)", true, false},
        {"SELECT GET_LOCK /* x */ ('a', 1)", true, false},
        {"SELECT GET_LOCK -- count\n('a', 1)", true, false},
        {"SELECT GET_LOCK # count\n('a', 1)", true, false},
        {"SELECT '/*', GET_LOCK('a', 1), '*/'", true, false},
        {"SELECT 'it\\'s /*', GET_LOCK('a', 1), '*/'", true, false},
        {"SELECT \"-- \", GET_LOCK('a', 1)", true, false},
        {"SELECT `/*`, GET_LOCK('a', 1), `*/` FROM t", true, false},
        {"SELECT 1 /*!50000 , GET_LOCK('a', 1) */", true, false},
        {"SELECT GET_LOCK /*M!100000 */ ('a', 1)", true, false},
        {"SELECT 'unfinished ( \\", false, false},
        {"SELECT @a", true, false},
        {"SET a = 1", true, false},
        {"CREATE TEMPORARY TABLE t (a int)", true, false},
        {"", true, false},
        {"/* */ begin", false, true},
        {"BEGIN NOT ATOMIC SET @a = 1; END", true, false},
        {"START TRANSACTION READ ONLY", false, true},
        {"COMMIT", false, true},
        {"ROLLBACK AND CHAIN", false, true},
        {"ROLLBACK WORK TO SAVEPOINT a", false, false},
        {"SELECT 'COMMIT'", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t size = strlen(cases[i].sql) + 1;
             size-- > 0;) { /* cut anywhere it stays within its bytes */
            char *text = memcpy(malloc(size + 1), cases[i].sql, size);
            text = realloc(text, size > 0 ? size : 1);
            hy__mysql_verb verb = hy__mysql_verb_of(text, size);
            bool touches = hy__mysql_touches(text, size, verb);
            bool restarts = hy__mysql_restarts(text, size, verb);
            free(text);
            if (size == strlen(cases[i].sql) &&
                (touches != cases[i].touches || restarts != cases[i].restarts))
                fail_msg("%s: touches %d, restarts %d", cases[i].sql, touches, restarts);
        }
}
