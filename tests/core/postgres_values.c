/*
 * postgres_values.c - what a text says, values, results.
 */
#include "postgres_tests.h"

/* ---- what a text says (no server) ------------------------------------------------------- */

enum {
    COMMAND = HY__POSTGRES_COMMAND,
    COMMITS = HY__POSTGRES_COMMITS,
    ROLLS_BACK = HY__POSTGRES_ROLLS_BACK,
    CHANGES = HY__POSTGRES_CHANGES_SCHEMA,
    NAMES = HY__POSTGRES_MAKES_NAMES,
    TOUCHES = HY__POSTGRES_TOUCHES_SESSION
};
static const struct {
    const char *sql;
    unsigned traits;
} texts[] = {
    {"SELECT 1", 0},
    {"(SELECT count(*) FROM t WHERE a IN (1, 2))", 0},
    {"select lower(a), 'set_config(' from t where b = any($1) and (c or d)", 0},
    {"SELECT $$ set_config( $$, $x$ f('$$ $x$ FROM t", 0},
    {"SELECT E'it\\'s set_config(' FROM \"set_config(\"", 0},
    {"SELECT 1 /* set_config( /* */ */ -- f(\n", 0},
    {"INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = 1 RETURNING a", 0},
    {"INSERT INTO \"s\".\"t\" (\"a\") SELECT max(b) FROM u", 0},
    {"WITH x AS (SELECT 1) SELECT * FROM x", 0},
    {"SHOW work_mem", 0},
    {"SELECT set_config('a', 'b', false)", TOUCHES},
    {"SELECT Set_Config ('a', 'b', false)", TOUCHES},
    {"SELECT pg_catalog.set_config('a', 'b', false)", TOUCHES},
    {"SELECT \"set_config\"('a', 'b', false)", TOUCHES},
    {"SELECT s.count(1)", TOUCHES},
    {"SELECT pg_advisory_lock(1)", TOUCHES},
    {"SELECT 1 FROM t WHERE a = 'x' || my_function(1)", TOUCHES},
    {"INSERT INTO t SELECT set_config('a', 'b', false)", TOUCHES},
    {"INSERT INTO t (a) SELECT set_config('a', 'b', false)", TOUCHES},
    {"INSERT INTO t DEFAULT VALUES RETURNING set_config('a', 'b', false)", TOUCHES},
    {"MERGE INTO t USING set_config('a', 'b', false) x ON true WHEN MATCHED THEN DO NOTHING", TOUCHES},
    {"MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", 0},
    {"SELECT 1 INTO TEMP t", TOUCHES},
    {"SELECT a INTO t FROM u", TOUCHES},
    {"SELECT 'unfinished", TOUCHES},
    {"COPY t FROM STDIN", TOUCHES | HY__POSTGRES_COPIES},
    {"copy (SELECT 'to stdin') TO /* x */ stdout (FORMAT csv)", TOUCHES | HY__POSTGRES_COPIES},
    {"COPY stdin FROM '/tmp/stdout'", TOUCHES},
    {"COPY stdout TO PROGRAM 'cat' -- TO STDOUT", TOUCHES},
    {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", TOUCHES},
    {"whatever", TOUCHES},
    {"", TOUCHES},
    {"BEGIN ISOLATION LEVEL SERIALIZABLE", COMMAND},
    {" -- x\n/* y */ commit", COMMAND | COMMITS},
    {"ROLLBACK TO SAVEPOINT a", COMMAND | ROLLS_BACK},
    {"ROLLBACK TO SAVEPOINT chain", COMMAND | ROLLS_BACK},
    {"ROLLBACK AND NO CHAIN", COMMAND | ROLLS_BACK},
    {"end work and/**/Chain;", COMMAND | COMMITS | HY__POSTGRES_CHAINS},
    {"ABORT AND CHAIN", COMMAND | ROLLS_BACK | HY__POSTGRES_CHAINS},
    {"CREATE TABLE t (a varchar(3) CHECK (a > 'b'), b numeric(3, 1))", COMMAND | CHANGES},
    {"CREATE INDEX i ON t (lower(a))", COMMAND | CHANGES},
    {"CREATE TEMP TABLE t (a int)", COMMAND | CHANGES | TOUCHES},
    {"CREATE TABLE pg_temp.t (a int)", COMMAND | CHANGES | TOUCHES},
    {"CREATE TABLE t AS SELECT set_config('a', 'b', false)", COMMAND | CHANGES | TOUCHES},
    {"SET work_mem = '4MB'", COMMAND | TOUCHES},
    {"PREPARE x AS SELECT 1", COMMAND | TOUCHES | NAMES | COMMITS},
    {"DO $$ BEGIN END $$", COMMAND | TOUCHES | NAMES | CHANGES},
};

void texts_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *copy = strdup(texts[i].sql); /* of exactly its size, for the sanitizer */
        unsigned traits = hy__postgres_traits(copy, strlen(copy));
        free(copy);
        if (traits != texts[i].traits)
            fail_msg("%s: %x, not %x", texts[i].sql, traits, texts[i].traits);
    }
    /* Cut anywhere it stays within its bytes. */
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t size = 0; size < strlen(texts[i].sql); size++) {
            char *part = malloc(size + 1);
            memcpy(part, texts[i].sql, size);
            part = realloc(part, size > 0 ? size : 1);
            (void)hy__postgres_traits(part, size);
            free(part);
        }
}

/* ---- values ----------------------------------------------------------------------------- */

static hy_value counted(hy_type type, int64_t n)
{
    hy_value v = {type, {0}};
    if (type == HY_DATE)
        v.as.days = n;
    else
        v.as.micros = n;
    return v;
}

static hy_value uuid_of(uint8_t first)
{
    hy_value v = {HY_UUID, {0}};
    for (size_t i = 0; i < sizeof v.as.uuid; i++)
        v.as.uuid[i] = (uint8_t)(first + 17 * i);
    return v;
}

typedef struct round_trip {
    const char *type; /* in PostgreSQL */
    hy_kind kind;
    hy_value value;
    const char *text; /* what the server says it is; NULL: not asked */
} round_trip;

static void goes_round(const round_trip *t)
{
    char sql[256];
    hy_bind binds[2] = {{.value = t->value, .kind = t->kind}, {.value = t->value, .kind = t->kind}};
    cells c;

    /* In binary, then next to an interval, which makes the whole result text; into a column and out. */
    (void)snprintf(sql, sizeof sql, "SELECT ?::%s AS v, (?::%s)::text", t->type, t->type);
    query_at((place){.source = NULL}, &c, sql, binds, 2);
    if (!hy_value_equal(&c.v[0], &t->value))
        fail_msg("%s: %s is not what was sent (binary), got type %s", t->type, t->text,
                 hy_type_name(c.v[0].type));
    if (t->text != NULL && strcmp(c.bytes[1], t->text) != 0)
        fail_msg("%s: the server has %s, not %s", t->type, c.bytes[1], t->text);
    drop_cells(&c);

    (void)snprintf(sql, sizeof sql, "SELECT ?::%s AS v, interval '1 day'", t->type);
    query_at((place){.source = NULL}, &c, sql, binds, 1);
    if (!hy_value_equal(&c.v[0], &t->value))
        fail_msg("%s: %s is not what was sent (text), got type %s", t->type, t->text,
                 hy_type_name(c.v[0].type));
    assert_string_equal(c.bytes[1], "1 day");
    drop_cells(&c);

    (void)snprintf(sql, sizeof sql, "CREATE TEMP TABLE hy_round (v %s)", t->type);
    hy_transaction *trx = begin(shared, HY_ISOLATION_DEFAULT);
    hy_error err;
    run_at((place){.trx = trx}, sql);
    if (try_with((place){.trx = trx}, &err, NULL, "INSERT INTO hy_round VALUES (?)", binds, 1) != HY_OK)
        fail_msg("%s: %s", t->type, err.message);
    query_at((place){.trx = trx}, &c, "SELECT v FROM hy_round", NULL, 0);
    if (!hy_value_equal(&c.v[0], &t->value))
        fail_msg("%s: %s is not what was stored", t->type, t->text);
    drop_cells(&c);
    hy_transaction_free(trx);
}

void values_go_round(void **state)
{
    static const char long_number[] = "12345678901234567890123456789012345678.1234567890";
    const round_trip cases[] = {
        {"boolean", HY_KIND_BOOLEAN, hy_bool(true), "true"},
        {"boolean", HY_KIND_BOOLEAN, hy_bool(false), "false"},
        {"smallint", HY_KIND_SMALLINT, hy_int(INT16_MIN), "-32768"},
        {"smallint", HY_KIND_TINYINT, hy_int(INT16_MAX), "32767"},
        {"integer", HY_KIND_INTEGER, hy_int(INT32_MIN), "-2147483648"},
        {"integer", HY_KIND_MEDIUMINT, hy_int(INT32_MAX), "2147483647"},
        {"bigint", HY_KIND_BIGINT, hy_int(INT64_MIN), "-9223372036854775808"},
        {"bigint", HY_KIND_BIGINT, hy_int(INT64_MAX), "9223372036854775807"},
        {"bigint", HY_KIND_BIGINT, hy_int(INT64_C(9007199254740993)), "9007199254740993"},
        {"bigint", HY_KIND_BIGINT, hy_int(0), "0"},
        {"oid", HY_KIND_BIGINT, hy_int(UINT32_MAX), NULL},
        {"real", HY_KIND_FLOAT, hy_double(1.5), "1.5"},
        {"real", HY_KIND_FLOAT, hy_double((double)0.1F), "0.1"},
        {"real", HY_KIND_FLOAT, hy_double((double)FLT_MAX), NULL},
        {"double precision", HY_KIND_DOUBLE, hy_double(0.1), "0.1"},
        {"double precision", HY_KIND_DOUBLE, hy_double(1e308), "1e+308"},
        {"double precision", HY_KIND_DOUBLE, hy_double(-5e-324), "-5e-324"},
        {"double precision", HY_KIND_DOUBLE, hy_double((double)INFINITY), "Infinity"},
        {"double precision", HY_KIND_DOUBLE, hy_double((double)NAN), "NaN"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "0"), "0"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "-0.05"), "-0.05"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "10.50"), "10.50"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "10000"), "10000"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "99999999"), "99999999"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "-10000.0001"), "-10000.0001"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "0.000000000000000001"), "0.000000000000000001"},
        {"numeric", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "100000000000000000000"), "100000000000000000000"},
        {"numeric(48,10)", HY_KIND_DECIMAL, bytes(HY_DECIMAL, long_number), long_number},
        {"numeric(38,10)", HY_KIND_DECIMAL, bytes(HY_DECIMAL, "-9999999999999999999999999999.9999999999"),
         NULL},
        {"text", HY_KIND_TEXT, bytes(HY_TEXT, ""), ""},
        {"text", HY_KIND_TEXT, bytes(HY_TEXT, "it's \"q\" \\ \xf0\x9f\x90\x98 \n\t{},NULL"), NULL},
        {"varchar(20)", HY_KIND_STRING, bytes(HY_TEXT, "\xc3\xbc"), "\xc3\xbc"},
        {"char(3)", HY_KIND_CHAR, bytes(HY_TEXT, "ab"), "ab"}, /* without the blank that fills it */
        {"char(3)", HY_KIND_CHAR, bytes(HY_TEXT, " a"), " a"},
        {"char(3)", HY_KIND_CHAR, bytes(HY_TEXT, ""), ""},
        {"bytea", HY_KIND_BINARY, hy_bytes(HY_BLOB, "", 0), "\\x"},
        {"bytea", HY_KIND_VARBINARY, hy_bytes(HY_BLOB, "\0\1\\x\xff", 5), "\\x00015c78ff"},
        {"uuid", HY_KIND_UUID, uuid_of(1), NULL},
        {"json", HY_KIND_JSON, bytes(HY_JSON, "{\"b\" : 1, \"a\":[1e400, null]}"),
         "{\"b\" : 1, \"a\":[1e400, null]}"},
        {"jsonb", HY_KIND_JSONB, bytes(HY_JSON, "{\"a\": [1, null]}"), "{\"a\": [1, null]}"},
        {"date", HY_KIND_DATE, counted(HY_DATE, 0), "1970-01-01"},
        {"date", HY_KIND_DATE, counted(HY_DATE, -719162), "0001-01-01"},
        {"date", HY_KIND_DATE, counted(HY_DATE, 2932896), "9999-12-31"},
        {"date", HY_KIND_DATE, counted(HY_DATE, 11016), "2000-02-29"},
        {"time", HY_KIND_TIME, counted(HY_TIME, 0), "00:00:00"},
        {"time", HY_KIND_TIME, counted(HY_TIME, INT64_C(86399999999)), "23:59:59.999999"},
        {"timestamp", HY_KIND_DATETIME, counted(HY_TIMESTAMP, 0), "1970-01-01 00:00:00"},
        {"timestamp", HY_KIND_DATETIME, counted(HY_TIMESTAMP, 1), "1970-01-01 00:00:00.000001"},
        {"timestamp", HY_KIND_TIMESTAMP, counted(HY_TIMESTAMP, INT64_C(-62135596800000000)),
         "0001-01-01 00:00:00"},
        {"timestamp", HY_KIND_DATETIME, counted(HY_TIMESTAMP, INT64_C(253402300799999999)),
         "9999-12-31 23:59:59.999999"},
        {"timestamptz", HY_KIND_TIMESTAMP, counted(HY_TIMESTAMP, INT64_C(951782400000001)),
         "2000-02-29 00:00:00.000001+00"},
    };

    NEED_SERVER;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        goes_round(&cases[i]);
}

/* The server makes the numbers; both forms and its own text must agree. */
void numerics_agree_in_both_forms(void **state)
{
    uint64_t seed = (uint64_t)hy_monotonic_ns() | 1;
    char number[160], sql[512];

    NEED_SERVER;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 300; i++) {
        size_t whole = hy_test_random(&seed) % 40, fraction = hy_test_random(&seed) % 40, at = 0;
        number[at++] = hy_test_random(&seed) % 2 != 0 ? '-' : '+';
        number[at++] = (char)('0' + hy_test_random(&seed) % 10);
        for (size_t j = 0; j < whole; j++)
            number[at++] = (char)('0' + (hy_test_random(&seed) % 3 != 0 ? 0 : hy_test_random(&seed) % 10));
        number[at++] = '.';
        for (size_t j = 0; j < fraction; j++)
            number[at++] = (char)('0' + (hy_test_random(&seed) % 3 != 0 ? 0 : hy_test_random(&seed) % 10));
        number[at++] = '0';
        number[at] = '\0';
        (void)snprintf(sql, sizeof sql, "SELECT '%s'::numeric, '%s'::numeric::text", number, number);
        cells c;
        query(&c, sql);
        assert_int_equal(c.v[0].type, HY_DECIMAL);
        assert_string_equal(c.bytes[0], c.bytes[1]);
        drop_cells(&c);
    }
    /* Very long and very small ones. */
    cells c;
    query(&c, "SELECT x, x::text, y, y::text FROM (SELECT 10::numeric ^ 400 - 1, 1 / (10::numeric ^ 300)) AS "
              "t(x, y)");
    assert_string_equal(c.bytes[0], c.bytes[1]);
    assert_string_equal(c.bytes[2], c.bytes[3]);
    drop_cells(&c);
}

void blobs_keep_every_byte(void **state)
{
    enum { SIZE = 1 << 20 };
    hy_error err;
    cells c;

    NEED_SERVER;
    unsigned char *data = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    const hy_bind bind = {.value = hy_bytes(HY_BLOB, (const char *)data, SIZE)};
    run("CREATE TABLE hy_test.blobs (v bytea)");
    assert_int_equal(HY_OK, try_with((place){.source = NULL}, &err, NULL,
                                     "INSERT INTO hy_test.blobs VALUES (?)", &bind, 1));
    static const char *const queries[] = {"SELECT v FROM hy_test.blobs",
                                          "SELECT v, interval '1 s' FROM hy_test.blobs"};
    for (size_t i = 0; i < 2; i++) {
        query(&c, queries[i]);
        assert_int_equal(c.v[0].type, HY_BLOB);
        assert_int_equal(c.v[0].as.text.size, SIZE);
        assert_memory_equal(c.bytes[0], data, SIZE);
        drop_cells(&c);
    }
    expect_text("SELECT length(v)::text FROM hy_test.blobs", "1048576");
    /* What it is to the server: a digest that it computes of both. */
    query_at((place){.source = NULL}, &c, "SELECT md5(v) = md5(?::bytea) FROM hy_test.blobs", &bind, 1);
    assert_true(c.v[0].as.boolean);
    drop_cells(&c);
    free(data);
}

void arrays_become_json(void **state)
{
    static const char *const cases[][2] = {
        {"ARRAY[1, NULL, -3]::int[]", "[1,null,-3]"},
        {"ARRAY[9223372036854775807]::bigint[]", "[9223372036854775807]"},
        {"ARRAY[]::int[]", "[]"},
        {"ARRAY[[1,2],[3,4]]::smallint[]", "[[1,2],[3,4]]"},
        {"'[2:3]={7,8}'::int[]", "[7,8]"},
        {"ARRAY[true,false,NULL]", "[true,false,null]"},
        {"ARRAY['a \"b\" \\', '', 'NULL', NULL, '{x,y}', E'\\n']::text[]",
         "[\"a \\\"b\\\" \\\\\",\"\",\"NULL\",null,\"{x,y}\",\"\\u000a\"]"},
        {"ARRAY['a']::varchar[]", "[\"a\"]"},
        {"ARRAY[1.50, -0.001]::numeric[]", "[\"1.50\",\"-0.001\"]"},
        {"ARRAY[1.5, 2, '-0', 1e17, 1e-7]::float8[]", "[1.5,2.0,-0.0,1e+17,1e-07]"},
        {"ARRAY[1.5]::float4[]", "[1.5]"},
        {"ARRAY['\\x00ff'::bytea]", "[\"\\\\x00ff\"]"},
        {"ARRAY['00112233-4455-6677-8899-aabbccddeeff'::uuid]", "[\"00112233-4455-6677-8899-aabbccddeeff\"]"},
        {"ARRAY['2024-02-29'::date, NULL]", "[\"2024-02-29\",null]"},
        {"ARRAY['12:30'::time]", "[\"12:30:00\"]"},
        {"ARRAY['2024-02-29 12:00:00.5'::timestamp]", "[\"2024-02-29 12:00:00.500000\"]"},
        {"ARRAY['2024-02-29 12:00:00+02'::timestamptz]", "[\"2024-02-29 10:00:00\"]"},
        {"ARRAY['{\"a\": [1]}'::jsonb, '2'::jsonb]", "[{\"a\": [1]},2]"},
        {"ARRAY['{}'::json]", "[{}]"},
    };
    char sql[512];
    cells c;

    NEED_SERVER;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static const char *const forms[] = {"SELECT %s", "SELECT %s, interval '1 s'"};
        for (size_t j = 0; j < 2; j++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(sql, sizeof sql, forms[j], cases[i][0]);
#pragma GCC diagnostic pop
            query(&c, sql);
            assert_int_equal(c.v[0].type, HY_JSON);
            assert_int_equal(c.kinds[0], HY_KIND_JSON);
            assert_string_equal(c.bytes[0], cases[i][1]);
            drop_cells(&c);
        }
    }
}

void json_becomes_an_array(void **state)
{
    static const char *const cases[][2] = {
        {"[]", "{}"},
        {"[1,null,-3]", "{1,null,-3}"},
        {" [ [ 1.5 , 2 ] , [ 3 , 1e+17 ] ] ", "{{1.5,2},{3,1e+17}}"},
        {"[true,false]", "{true,false}"},
        {"[\"a\",\"\",\"NULL\",\"{x,y}\"]", "{\"a\",\"\",\"NULL\",\"{x,y}\"}"},
        {"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "{\"\\\"\\\\/\b\f\n\r\t\"}"},
        {"[\"\\u0001\\u00e9\\u20AC\\uD83D\\uDE00\"]", "{\"\1\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}"},
    };
    static const char *const refused[] = {
        "",
        "[{\"a\":1}]",
        "[\"a]",
        "[\"\\",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\xff\"]",
        "[\"\\u0000\"]",
        "[\"\\ud800\"]",
        "[\"\\ud800\\u0041\"]",
        "[\"\\udc00\"]",
        "[a\"b]",
    };
    hy_error err;
    hy_buf out;

    (void)state;
    hy_buf_init(&out);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_buf_reset(&out);
        assert_int_equal(HY_OK, hy__postgres_array_literal(cases[i][0], strlen(cases[i][0]), &out, &err));
        assert_string_equal(cases[i][1], hy_buf_text(&out));
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        hy_buf_reset(&out);
        assert_fails(HY_EDATA_INVALID, err,
                     hy__postgres_array_literal(refused[i], strlen(refused[i]), &out, &err));
    }
    hy_buf_clear(&out);
}

void types_of_the_database(void **state)
{
    hy_bind bind = {.value = bytes(HY_TEXT, "sad"), .kind = HY_KIND_ENUM};
    cells c;

    NEED_SERVER;
    run("CREATE TYPE hy_test.mood AS ENUM ('sad', 'glad')");
    run("CREATE DOMAIN hy_test.age AS integer CHECK (value >= 0)");
    run("CREATE TABLE hy_test.people (m hy_test.mood, a hy_test.age, l hy_test.mood[])");
    hy_error err;
    const hy_bind binds[] = {bind,
                             {.value = hy_int(7), .kind = HY_KIND_INTEGER},
                             {.value = bytes(HY_TEXT, "{sad,glad}"), .kind = HY_KIND_CUSTOM}};
    if (try_with((place){.source = NULL}, &err, NULL, "INSERT INTO hy_test.people VALUES (?, ?, ?)", binds,
                 3) != HY_OK)
        fail_msg("%s", err.message);
    static const char *const queries[] = {
        "SELECT m, a, l FROM hy_test.people WHERE m = ?",
        "SELECT m, a, l, interval '1 s' FROM hy_test.people WHERE m = ?",
    };
    for (size_t i = 0; i < 2; i++) {
        query_at((place){.source = NULL}, &c, queries[i], &bind, 1);
        assert_int_equal(c.kinds[0], HY_KIND_ENUM);
        assert_string_equal(c.bytes[0], "sad");
        assert_int_equal(c.kinds[1], HY_KIND_INTEGER);
        assert_int_equal(c.v[1].as.integer, 7);
        assert_int_equal(c.kinds[2], HY_KIND_JSON);
        assert_string_equal(c.bytes[2], "[\"sad\",\"glad\"]");
        drop_cells(&c);
    }
    /* A composite has no decoder: all is text then, and says so itself. */
    query(&c, "SELECT 1, p FROM hy_test.people p");
    assert_int_equal(c.v[0].as.integer, 1);
    assert_int_equal(c.v[1].type, HY_TEXT);
    assert_string_equal(c.bytes[1], "(sad,7,\"{sad,glad}\")");
    drop_cells(&c);
}

void kinds_and_names_are_told(void **state)
{
    static const struct {
        const char *name;
        hy_kind kind;
    } expected[] = {
        {"a", HY_KIND_BOOLEAN},  {"b", HY_KIND_SMALLINT},  {"c", HY_KIND_INTEGER}, {"d", HY_KIND_BIGINT},
        {"e", HY_KIND_FLOAT},    {"f", HY_KIND_DOUBLE},    {"g", HY_KIND_DECIMAL}, {"h", HY_KIND_STRING},
        {"i", HY_KIND_CHAR},     {"j", HY_KIND_TEXT},      {"k", HY_KIND_UUID},    {"l", HY_KIND_BINARY},
        {"m", HY_KIND_JSON},     {"n", HY_KIND_JSONB},     {"o", HY_KIND_DATE},    {"p", HY_KIND_TIME},
        {"q", HY_KIND_DATETIME}, {"r", HY_KIND_TIMESTAMP}, {"a", HY_KIND_TEXT},
    };
    cells c;

    NEED_SERVER;
    query(&c, "SELECT null::bool a, null::int2 b, null::int4 c, null::int8 d, null::float4 e, null::float8 f,"
              " null::numeric g, null::varchar h, null::char(3) i, null::text j, null::uuid k, null::bytea l,"
              " null::json m, null::jsonb n, null::date o, null::time p, null::timestamp q, "
              "null::timestamptz r, ''::text a");
    assert_int_equal(c.n, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < c.n; i++) {
        assert_string_equal(c.names[i], expected[i].name);
        assert_int_equal(c.kinds[i], expected[i].kind);
        assert_int_equal(c.v[i].type, i + 1 < c.n ? HY_NULL : HY_TEXT);
    }
    drop_cells(&c);
}

void nulls_fit_everywhere(void **state)
{
    const hy_bind nulls[6] = {{.value = hy_null()},
                              {.value = hy_null(), .kind = HY_KIND_INTEGER},
                              {.value = hy_null()},
                              {.value = hy_null(), .kind = HY_KIND_JSONB},
                              {.value = hy_null(), .kind = HY_KIND_TIMESTAMP},
                              {.value = hy_null(), .kind = HY_KIND_BINARY}};
    hy_error err;
    cells c;

    NEED_SERVER;
    run("CREATE TABLE hy_test.nulls (a int, b int, c text, d jsonb, e timestamptz, f bytea)");
    if (try_with((place){.source = NULL}, &err, NULL, "INSERT INTO hy_test.nulls VALUES (?, ?, ?, ?, ?, ?)",
                 nulls, 6) != HY_OK)
        fail_msg("%s", err.message);
    query(&c, "SELECT * FROM hy_test.nulls");
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(c.v[i].type, HY_NULL);
    drop_cells(&c);
}

void refuses_what_has_no_counterpart(void **state)
{
    static const char *const cases[] = {
        "SELECT 'NaN'::numeric",
        "SELECT 'Infinity'::numeric",
        "SELECT 'NaN'::numeric, interval '1 s'",
        "SELECT '-Infinity'::numeric, interval '1 s'",
        "SELECT 'infinity'::date",
        "SELECT '-infinity'::timestamp",
        "SELECT 'infinity'::timestamptz, interval '1 s'",
        "SELECT '0044-03-15 BC'::date",
        "SELECT '10000-01-01'::date",
        "SELECT '10000-01-01'::timestamp, interval '1 s'",
        "SELECT '294276-12-31'::timestamp",
        "SELECT ARRAY['NaN'::float8]",
        "SELECT ARRAY['infinity'::date], interval '1 s'",
    };
    hy_error err;
    cells c;

    NEED_SERVER;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_status status = try_query((place){.source = NULL}, &c, &err, cases[i], NULL, 0);
        if (status != HY_EDATA_INVALID)
            fail_msg("%s: %s", cases[i], hy_status_name(status));
        drop_cells(&c);
    }
    /* And the connection goes on. */
    assert_int_equal(number_at((place){.source = NULL}, "SELECT 1"), 1);
}

void refuses_bad_text_before_sending(void **state)
{
    const hy_value bad[] = {hy_bytes(HY_TEXT, "a\0b", 3), hy_bytes(HY_TEXT, "\xff", 1),
                            hy_bytes(HY_JSON, "\"\0\"", 3), hy_bytes(HY_TEXT, "\xed\xa0\x80", 3)};
    hy_error err;

    NEED_SERVER;
    hy_transaction *trx = begin(shared, HY_ISOLATION_DEFAULT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const hy_bind bind = {.value = bad[i], .kind = bad[i].type == HY_JSON ? HY_KIND_JSONB : HY_KIND_TEXT};
        assert_int_equal(HY_EDATA_INVALID, try_with((place){.trx = trx}, &err, NULL, "SELECT ?", &bind, 1));
    }
    const hy_bind wide = {.value = hy_int(INT64_C(1) << 40), .kind = HY_KIND_INTEGER};
    assert_int_equal(HY_EDATA_INVALID, try_with((place){.trx = trx}, &err, NULL, "SELECT ?", &wide, 1));
    /* The server heard nothing of it. */
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    assert_int_equal(number_at((place){.trx = trx}, "SELECT 1"), 1);
    hy_transaction_free(trx);
    assert_true(try_run((place){.source = NULL}, &err, "SELECT '\xff'") != HY_OK);
}

/* A statement takes what its place wants, whatever type the value has. */
void places_decide_for_other_types(void **state)
{
    const struct {
        const char *sql;
        hy_bind bind;
        const char *expected;
    } cases[] = {
        {"SELECT (?::int + 1)::text", {.value = bytes(HY_TEXT, "41"), .kind = HY_KIND_CUSTOM}, "42"},
        {"SELECT (?::numeric)::text", {.value = hy_int(5), .kind = HY_KIND_CUSTOM}, "5"},
        {"SELECT (?::bytea)::text",
         {.value = hy_bytes(HY_BLOB, "\0\xff", 2), .kind = HY_KIND_CUSTOM},
         "\\x00ff"},
        {"SELECT (?::date)::text",
         {.value = counted(HY_TIMESTAMP, 86400000000), .kind = HY_KIND_CUSTOM},
         "1970-01-02"},
        {"SELECT (?::timestamptz)::text",
         {.value = counted(HY_TIMESTAMP, 1), .kind = HY_KIND_CUSTOM},
         "1970-01-01 00:00:00.000001+00"},
        {"SELECT (?::uuid)::text",
         {.value = uuid_of(0), .kind = HY_KIND_CUSTOM},
         "00112233-4455-6677-8899-aabbccddeeff"},
        {"SELECT (?::bool)::text", {.value = hy_bool(true), .kind = HY_KIND_CUSTOM}, "true"},
        {"SELECT (?::float8)::text", {.value = hy_double(0.5), .kind = HY_KIND_CUSTOM}, "0.5"},
        {"SELECT concat(?, 1)", {.value = bytes(HY_TEXT, "a")}, "a1"},
        {"SELECT concat(?, 'x')", {.value = hy_int(3)}, "3x"},
        {"SELECT ?", {.value = bytes(HY_TEXT, "plain")}, "plain"},
        {"SELECT (? + 1)::text", {.value = bytes(HY_TEXT, "41")}, "42"},
        {"SELECT (date '2024-01-02' > ?)::text", {.value = bytes(HY_TEXT, "2024-01-01")}, "true"},
        {"SELECT format('%s', ?)", {.value = bytes(HY_TEXT, "any")}, "any"},
        {"SELECT concat(?, 'n')", {.value = hy_null()}, "n"},
        {"SELECT (? IS NULL)::text", {.value = hy_null()}, "true"},
        {"SELECT substr('abcdef', ?)", {.value = hy_int(3)}, "cdef"},
        {"SELECT left('abcdef', ?)", {.value = hy_int(3)}, "abc"},
        {"SELECT ('{\"a\": 1}'::jsonb @> ?)::text", {.value = bytes(HY_JSON, "{\"a\": 1}")}, "true"},
        {"SELECT to_jsonb(?)::text", {.value = bytes(HY_JSON, "[1]")}, "[1]"},
        {"SELECT to_jsonb(?)::text", {.value = bytes(HY_TEXT, "[1]")}, "\"[1]\""},
    };
    cells c;

    NEED_SERVER;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        query_at((place){.source = NULL}, &c, cases[i].sql, &cases[i].bind, 1);
        assert_string_equal(c.bytes[0], cases[i].expected);
        drop_cells(&c);
    }
    /* In a transaction a parameter whose type cannot be inferred does not end it either. */
    hy_source_config config = base_config();
    hy_source *fresh = open_source(&config);
    hy_transaction *trx = begin(fresh, HY_ISOLATION_DEFAULT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        query_at((place){.source = fresh, .trx = trx}, &c, cases[i].sql, &cases[i].bind, 1);
        assert_string_equal(c.bytes[0], cases[i].expected);
        drop_cells(&c);
        assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    }
    hy_transaction_free(trx);
    shut(fresh);
}

/* Columns with and without a zone hold the same instant whatever zone the session has. */
void instants_do_not_depend_on_the_session(void **state)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York"};
    const hy_bind binds[2] = {
        {.value = counted(HY_TIMESTAMP, INT64_C(1720000000123456)), .kind = HY_KIND_DATETIME},
        {.value = counted(HY_TIMESTAMP, INT64_C(1720000000123456)), .kind = HY_KIND_TIMESTAMP}};
    hy_error err;
    cells c;

    NEED_SERVER;
    run("CREATE TABLE hy_test.instants (plain timestamp, zoned timestamptz)");
    for (size_t i = 0; i < 3; i++) {
        hy_source_config config = base_config();
        config.connect.timezone = zones[i];
        hy_source *source = open_source(&config);
        place at = {.source = source};
        run_at(at, "TRUNCATE hy_test.instants");
        assert_int_equal(HY_OK,
                         try_with(at, &err, NULL, "INSERT INTO hy_test.instants VALUES (?, ?)", binds, 2));
        query_at(at, &c,
                 "SELECT plain, zoned, current_setting('TimeZone') FROM hy_test.instants WHERE plain = ? AND "
                 "zoned = ?",
                 binds, 2);
        assert_int_equal(c.rows, 1);
        assert_true(hy_value_equal(&c.v[0], &binds[0].value));
        assert_true(hy_value_equal(&c.v[1], &binds[0].value));
        assert_string_equal(c.bytes[2], zones[i]);
        drop_cells(&c);
        /* A session whose zone changes after the statement was prepared. */
        hy_lease *lease = acquire(source);
        place there = {.source = source, .lease = lease};
        for (size_t j = 0; j < 3; j++) {
            char sql[64];
            (void)snprintf(sql, sizeof sql, "SET TimeZone TO '%s'", zones[j]);
            run_at(there, sql);
            query_at(there, &c, "SELECT count(*) FROM hy_test.instants WHERE plain = ? AND zoned = ?", binds,
                     2);
            assert_int_equal(c.v[0].as.integer, 1);
            drop_cells(&c);
        }
        hy_lease_release(lease);
        shut(source);
    }
}

/* ---- results ---------------------------------------------------------------------------- */

static int64_t sum_of_rows(hy_source *source, const char *sql, int64_t limit, int64_t *rows)
{
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_error err;
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), NULL, NULL, 0, NULL, &err);
    int64_t sum = 0;

    *rows = 0;
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    while (status == HY_OK && *rows < limit && (status = hy_cursor_fetch(cursor, &row, &err)) == HY_OK) {
        sum += row[0].as.integer;
        (*rows)++;
    }
    assert_true(status == HY_DONE || status == HY_OK);
    hy_cursor_free(cursor);
    return sum;
}

void rows_come_one_by_one(void **state)
{
    static const hy_connect_option options[] = {{"rows", "single"}};
    hy_source_config config;
    hy_pool_stats stats;
    hy_error err;
    int64_t rows;
    cells c;

    NEED_SERVER;
    config = base_config();
    config.pool.max = 1;
    for (int single = 0; single < 2; single++) {
        config.connect.options = options;
        config.connect.n_options = (size_t)single;
        hy_source *source = open_source(&config);
        static const char sql[] = "SELECT n FROM generate_series(1, 20000) AS n";
        assert_int_equal(sum_of_rows(source, sql, INT64_MAX, &rows), 200010000);
        assert_int_equal(rows, 20000);
        assert_int_equal(sum_of_rows(source, "SELECT 1 WHERE false", INT64_MAX, &rows), 0);
        /* Left early: the connection goes on, or is replaced. */
        assert_int_equal(sum_of_rows(source, "SELECT generate_series(1, 2000000)", 3, &rows), 6);
        assert_int_equal(sum_of_rows(source, sql, INT64_MAX, &rows), 200010000);
        hy_source_stats(source, &stats);
        assert_int_equal(stats.discarded, single);
        assert_int_equal(stats.leased, 0);
        /* An error after rows is an error. */
        hy_status status = try_query((place){.source = source}, &c, &err,
                                     "SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n", NULL, 0);
        assert_int_equal(status, HY_EDATA_INVALID);
        drop_cells(&c);
        int64_t affected;
        assert_int_equal(HY_OK, try_with((place){.source = source}, &err, &affected,
                                         "CREATE TEMP TABLE one (id int)", NULL, 0));
        shut(source);
    }
}
