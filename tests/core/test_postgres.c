/*
 * The PostgreSQL driver against a real server: HY_TEST_POSTGRES_URL says where it is (see
 * tests/support/servers.sh). Without it every test is a skip. Oracles are the server's own
 * text of a value, its catalogue, and a second connection.
 */
#include "hy_test.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/buf.h>
#include <driver/postgres_driver.h>
#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <hysteria/url.h>
#include <source/source_impl.h>

static hy_source *shared; /* of most tests */
static hy_url address;

/* ---- helpers ---------------------------------------------------------------------------- */

static hy_source_config base_config(void)
{
    return (hy_source_config){
        .type = "postgres",
        .connect = {.host = address.host,
                    .port = address.port,
                    .user = address.user,
                    .password = address.password,
                    .database = address.database},
        .pool = {.max = 4, .acquire_timeout = 10000},
    };
}

static hy_source *open_source(const hy_source_config *config)
{
    hy_source *source;
    hy_error err;

    hy_error_clear(&err);
    if (hy_source_open(config, &source, &err) != HY_OK)
        fail_msg("%s", err.message);
    return source;
}

static void shut(hy_source *source)
{
    hy_source_close(source);
    hy_source_unref(source);
}

/* Where a statement runs: all NULL is a connection of the shared source. */
typedef struct place {
    hy_source *source;
    hy_lease *lease;
    hy_transaction *trx;
    int64_t timeout;
} place;

static hy_run_options options_of(const place *at)
{
    return (hy_run_options){
        .lease = at->lease, .transaction = at->trx, .timeout = at->timeout, .may_block = true};
}

static hy_status try_with(place at, hy_error *err, int64_t *affected, const char *sql, const hy_bind *binds,
                          size_t n)
{
    hy_run_options options = options_of(&at);

    hy_error_clear(err);
    return hy_source_execute_raw(at.source != NULL ? at.source : shared, sql, binds, n, &options, affected,
                                 err);
}

static hy_status try_run(place at, hy_error *err, const char *sql)
{
    return try_with(at, err, NULL, sql, NULL, 0);
}

static void run_at(place at, const char *sql)
{
    hy_error err;

    if (try_run(at, &err, sql) != HY_OK)
        fail_msg("%s: %s (%s)", sql, err.message, err.sqlstate);
}

static void run(const char *sql)
{
    run_at((place){.source = NULL}, sql);
}

/* A row kept beyond its cursor. */
enum { MOST_CELLS = 40 };
typedef struct cells {
    size_t n;
    int64_t rows;
    hy_value v[MOST_CELLS];
    hy_kind kinds[MOST_CELLS];
    char *bytes[MOST_CELLS];
    char names[MOST_CELLS][64];
} cells;

static void keep_cells(cells *out, const hy_cursor *cursor, const hy_value *row)
{
    const hy_result_column *columns = hy_cursor_columns(cursor);

    out->n = hy_cursor_n_columns(cursor);
    assert_true(out->n <= MOST_CELLS);
    for (size_t i = 0; i < out->n; i++) {
        out->v[i] = row[i];
        out->kinds[i] = columns[i].kind;
        (void)snprintf(out->names[i], sizeof out->names[i], "%s", columns[i].name);
        if (row[i].type != HY_TEXT && row[i].type != HY_BLOB && row[i].type != HY_DECIMAL &&
            row[i].type != HY_JSON)
            continue;
        out->bytes[i] = malloc(row[i].as.text.size + 1);
        memcpy(out->bytes[i], row[i].as.text.data, row[i].as.text.size);
        out->bytes[i][row[i].as.text.size] = '\0';
        out->v[i].as.text.data = out->bytes[i];
    }
}

static void drop_cells(cells *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->bytes[i]);
    *c = (cells){0};
}

/* The first row and the number of rows. */
static hy_status try_query(place at, cells *out, hy_error *err, const char *sql, const hy_bind *binds,
                           size_t n)
{
    hy_run_options options = options_of(&at);
    hy_cursor *cursor = hy_cursor_new();
    const hy_value *row;
    hy_status status;

    *out = (cells){0};
    hy_error_clear(err);
    if (cursor == NULL)
        return hy_fail_oom(err);
    status = hy_cursor_start_raw(cursor, at.source != NULL ? at.source : shared, sql, strlen(sql), binds,
                                 NULL, n, &options, err);
    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), err);
    while (status == HY_OK && (status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        if (out->rows++ == 0)
            keep_cells(out, cursor, row);
    hy_cursor_free(cursor);
    return status == HY_DONE ? HY_OK : status;
}

static void query_at(place at, cells *out, const char *sql, const hy_bind *binds, size_t n)
{
    hy_error err;

    if (try_query(at, out, &err, sql, binds, n) != HY_OK)
        fail_msg("%s: %s (%s)", sql, err.message, err.sqlstate);
}

static void query(cells *out, const char *sql)
{
    query_at((place){.source = NULL}, out, sql, NULL, 0);
}

static int64_t number_at(place at, const char *sql)
{
    cells c;

    query_at(at, &c, sql, NULL, 0);
    assert_int_equal(c.rows, 1);
    assert_int_equal(c.v[0].type, HY_INT);
    int64_t n = c.v[0].as.integer;
    drop_cells(&c);
    return n;
}

static void expect_text(const char *sql, const char *expected)
{
    cells c;

    query(&c, sql);
    assert_int_equal(c.v[0].type, HY_TEXT);
    assert_string_equal(c.bytes[0], expected);
    drop_cells(&c);
}

static hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    hy_error_clear(&err);
    if (hy_source_acquire(source, 0, &lease, &err) != HY_OK)
        fail_msg("%s", err.message);
    return lease;
}

static hy_transaction *begin(hy_source *source, hy_isolation isolation)
{
    hy_transaction_options options = {.isolation = isolation};
    hy_transaction *trx;
    hy_error err;

    hy_error_clear(&err);
    if (hy_source_begin(source, &options, &trx, &err) != HY_OK)
        fail_msg("%s", err.message);
    return trx;
}

static hy_status commit(hy_transaction *trx, hy_error *err)
{
    hy_error_clear(err);
    hy_status status = hy_transaction_commit(trx, err);
    return status == HY_OK ? hy_transaction_run(trx, err) : status;
}

static int setup(void **state)
{
    const char *url = getenv("HY_TEST_POSTGRES_URL");
    hy_error err;

    (void)state;
    if (url == NULL) {
        const char *required = getenv("HY_TEST_REQUIRE");
        return required != NULL && strstr(required, "postgres") != NULL ? -1 : 0;
    }
    if (hy_url_parse(url, strlen(url), &address, &err) != HY_OK)
        return -1;
    hy_source_config config = base_config();
    if (hy_source_open(&config, &shared, &err) != HY_OK)
        return -1;
    hy_error ignored;
    return try_run((place){.source = NULL}, &ignored, "DROP SCHEMA IF EXISTS hy_test CASCADE") == HY_OK &&
                   try_run((place){.source = NULL}, &ignored, "CREATE SCHEMA hy_test") == HY_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    hy_error ignored;

    (void)state;
    if (shared == NULL)
        return 0;
    (void)try_run((place){.source = NULL}, &ignored, "DROP SCHEMA IF EXISTS hy_test CASCADE");
    shut(shared);
    hy_url_clear(&address);
    return 0;
}

#define NEED_SERVER    \
    do {               \
        (void)state;   \
        if (!shared) { \
            skip();    \
        }              \
    } while (0)

/* ---- what a text says (no server) ------------------------------------------------------- */

static void texts_are_understood(void **state)
{
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
    } cases[] = {
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
        {"SELECT 1 INTO TEMP t", TOUCHES},
        {"SELECT a INTO t FROM u", TOUCHES},
        {"SELECT 'unfinished", TOUCHES},
        {"COPY t FROM STDIN", TOUCHES},
        {"DECLARE c CURSOR WITH HOLD FOR SELECT 1", TOUCHES},
        {"whatever", TOUCHES},
        {"", TOUCHES},
        {"BEGIN ISOLATION LEVEL SERIALIZABLE", COMMAND},
        {" -- x\n/* y */ commit", COMMAND | COMMITS},
        {"ROLLBACK TO SAVEPOINT a", COMMAND | ROLLS_BACK},
        {"CREATE TABLE t (a varchar(3) CHECK (a > 'b'), b numeric(3, 1))", COMMAND | CHANGES},
        {"CREATE INDEX i ON t (lower(a))", COMMAND | CHANGES},
        {"CREATE TEMP TABLE t (a int)", COMMAND | CHANGES | TOUCHES},
        {"CREATE TABLE pg_temp.t (a int)", COMMAND | CHANGES | TOUCHES},
        {"CREATE TABLE t AS SELECT set_config('a', 'b', false)", COMMAND | CHANGES | TOUCHES},
        {"SET work_mem = '4MB'", COMMAND | TOUCHES},
        {"PREPARE x AS SELECT 1", COMMAND | TOUCHES | NAMES | COMMITS},
        {"DO $$ BEGIN END $$", COMMAND | TOUCHES | NAMES | CHANGES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *copy = strdup(cases[i].sql); /* of exactly its size, for the sanitizer */
        unsigned traits = hy__postgres_traits(copy, strlen(copy));
        free(copy);
        if (traits != cases[i].traits)
            fail_msg("%s: %x, not %x", cases[i].sql, traits, cases[i].traits);
    }
    /* Cut anywhere it stays within its bytes. */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t size = 0; size < strlen(cases[i].sql); size++) {
            char *part = malloc(size + 1);
            memcpy(part, cases[i].sql, size);
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

static hy_value bytes(hy_type type, const char *text)
{
    return hy_bytes(type, text, strlen(text));
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

static void values_go_round(void **state)
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
static void numerics_agree_in_both_forms(void **state)
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

static void blobs_keep_every_byte(void **state)
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

static void arrays_become_json(void **state)
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

static void json_becomes_an_array(void **state)
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

static void types_of_the_database(void **state)
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

static void kinds_and_names_are_told(void **state)
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

static void nulls_fit_everywhere(void **state)
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

static void refuses_what_has_no_counterpart(void **state)
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

static void refuses_bad_text_before_sending(void **state)
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
static void places_decide_for_other_types(void **state)
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
static void instants_do_not_depend_on_the_session(void **state)
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

/* ---- errors ----------------------------------------------------------------------------- */

typedef struct error_case {
    const char *sql;
    hy_status status;
    const char *sqlstate, *constraint, *table, *columns;
    size_t position;
    const char *hidden; /* a value that no message may show */
} error_case;

static void check_error(const error_case *e, hy_status status, const hy_error *err)
{
    if (status != e->status)
        fail_msg("%s: %s (%s), %s", e->sql, hy_status_name(status), err->sqlstate, err->message);
    assert_string_equal(err->sqlstate, e->sqlstate);
    assert_string_equal(err->constraint, e->constraint != NULL ? e->constraint : "");
    assert_string_equal(err->table, e->table != NULL ? e->table : "");
    assert_string_equal(err->columns, e->columns != NULL ? e->columns : "");
    if (err->position != e->position)
        fail_msg("%s: position %zu", e->sql, err->position);
    assert_null(strchr(err->message, '\n'));
    if (e->hidden != NULL && strstr(err->message, e->hidden) != NULL)
        fail_msg("%s: says %s", e->sql, err->message);
}

static void errors_are_typed(void **state)
{
    static const error_case cases[] = {
        {"INSERT INTO hy_test.e VALUES (1, 'zebra', 1)", HY_EUNIQUE_VIOLATION, "23505", "e_name_key", "e",
         "name", 0, "zebra"},
        {"INSERT INTO hy_test.e VALUES (1, NULL, 1)", HY_ENOT_NULL_VIOLATION, "23502", NULL, "e", "name", 0,
         NULL},
        {"INSERT INTO hy_test.e VALUES (-1, 'secret', 1)", HY_ECHECK_VIOLATION, "23514", "positive", "e",
         NULL, 0, "secret"},
        {"INSERT INTO hy_test.f VALUES (9)", HY_EFOREIGN_KEY_VIOLATION, "23503", "f_id_fkey", "f", "id", 0,
         NULL},
        {"DELETE FROM hy_test.e", HY_EFOREIGN_KEY_VIOLATION, "23503", "f_id_fkey", "f", "id", 0, NULL},
        {"INSERT INTO hy_test.k VALUES (1, 'wren', 'Robin')", HY_EUNIQUE_VIOLATION, "23505", "two", "k",
         "a b,c", 0, "wren"},
        {"INSERT INTO hy_test.k VALUES (2, '(x)=(', 'robin')", HY_EUNIQUE_VIOLATION, "23505", "lowered", "k",
         NULL, 0, "obin"},
        {"SELECT * FROM hy_test.missing", HY_EUNDEFINED_TABLE, "42P01", NULL, "missing", NULL, 15, NULL},
        {"SELECT '\xc3\xbc', missing FROM hy_test.e", HY_EUNDEFINED_COLUMN, "42703", NULL, NULL, "missing",
         14, NULL},
        {"SELECT e.missing FROM hy_test.e", HY_EUNDEFINED_COLUMN, "42703", NULL, NULL, "missing", 8, NULL},
        {"SELEC 1", HY_ESYNTAX, "42601", NULL, NULL, NULL, 1, NULL},
        {"SELECT 1; SELECT 2", HY_ESYNTAX, "42601", NULL, NULL, NULL, 0, NULL},
        {"SELECT 'pelican'::int", HY_EDATA_INVALID, "22P02", NULL, NULL, NULL, 8, "pelican"},
        {"SELECT 99999 :: smallint", HY_EDATA_INVALID, "22003", NULL, NULL, NULL, 0, NULL},
        {"SELECT '99999999999'::int", HY_EDATA_INVALID, "22003", NULL, NULL, NULL, 8, "99999999999"},
        {"SELECT 'toucan'::date", HY_EDATA_INVALID, "22007", NULL, NULL, NULL, 8, "toucan"},
        {"SELECT 1 / (SELECT 0)", HY_EDATA_INVALID, "22012", NULL, NULL, NULL, 0, NULL},
        {"INSERT INTO hy_test.s VALUES ('ostrich')", HY_EDATA_INVALID, "22001", NULL, NULL, NULL, 0,
         "ostrich"},
        {"CREATE TABLE hy_test.e (id int)", HY_EOBJECT_EXISTS, "42P07", NULL, "e", NULL, 0, NULL},
        {"CREATE SCHEMA hy_test", HY_EOBJECT_EXISTS, "42P06", NULL, NULL, NULL, 0, NULL},
        {"SELECT no_such_function(1)", HY_ESYNTAX, "42883", NULL, NULL, NULL, 8, NULL},
        {"INSERT INTO hy_test.x VALUES ('[1,3)')", HY_EEXCLUSION_VIOLATION, "23P01", "x_r_excl", "x", NULL, 0,
         NULL},
        {"COPY hy_test.e FROM STDIN", HY_EUNSUPPORTED, "", NULL, NULL, NULL, 0, NULL},
        {"COPY hy_test.e TO STDOUT", HY_EUNSUPPORTED, "", NULL, NULL, NULL, 0, NULL},
        {"DO $$ BEGIN RAISE EXCEPTION 'my own'; END $$", HY_EDATABASE_ERROR, "P0001", NULL, NULL, NULL, 0,
         NULL},
        {"SET TRANSACTION READ ONLY; SELECT 1", HY_ESYNTAX, "42601", NULL, NULL, NULL, 0, NULL},
        {"   -- nothing", HY_ESYNTAX, "", NULL, NULL, NULL, 0, NULL},
    };
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.e (n int CONSTRAINT positive CHECK (n > 0), name text NOT NULL UNIQUE, id int "
        "PRIMARY KEY)");
    run("CREATE TABLE hy_test.k (\"a b\" int, c text, d text, CONSTRAINT two UNIQUE (\"a b\", c))");
    run("CREATE UNIQUE INDEX lowered ON hy_test.k (lower(d))");
    run("INSERT INTO hy_test.k VALUES (1, 'wren', 'robin')");
    run("CREATE TABLE hy_test.f (id int REFERENCES hy_test.e (id))");
    run("CREATE TABLE hy_test.s (v varchar(3))");
    run("CREATE TABLE hy_test.x (r int4range, EXCLUDE USING gist (r WITH &&))");
    run("INSERT INTO hy_test.x VALUES ('[2,5)')");
    run("INSERT INTO hy_test.e VALUES (1, 'zebra', 2)");
    run("INSERT INTO hy_test.f VALUES (2)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_error(&cases[i], try_run((place){.source = NULL}, &err, cases[i].sql), &err);
}

/* As another kind of user, and in a transaction that may not write. */
static void permissions_are_typed(void **state)
{
    hy_transaction_options options = {.read_only = true};
    hy_transaction *trx;
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.closed (id int)");
    assert_int_equal(HY_OK, hy_source_begin(shared, &options, &trx, &err));
    assert_int_equal(HY_EREAD_ONLY,
                     try_run((place){.trx = trx}, &err, "INSERT INTO hy_test.closed VALUES (1)"));
    assert_string_equal(err.sqlstate, "25006");
    hy_transaction_free(trx);

    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    run("CREATE ROLE hy_nobody");
    run_at(at, "SET ROLE hy_nobody");
    assert_int_equal(HY_EPERMISSION_DENIED, try_run(at, &err, "SELECT * FROM hy_test.closed"));
    assert_string_equal(err.sqlstate, "42501");
    hy_lease_release(lease);
    run("DROP ROLE hy_nobody");
}

static hy_status try_tls(const char *mode, const char *ca, int64_t *encrypted, hy_error *err)
{
    hy_source_config config = base_config();
    cells c;

    config.connect.ssl_mode = mode;
    config.connect.ssl_ca = ca;
    hy_source *source = open_source(&config);
    hy_status status =
        try_query((place){.source = source}, &c, err,
                  "SELECT ssl::int::bigint FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL, 0);
    *encrypted = status == HY_OK ? c.v[0].as.integer : -1;
    drop_cells(&c);
    shut(source);
    return status;
}

/* Servers of tests/support/servers.sh have a certificate; a server of somebody else's may have none. */
static void certificates_are_verified(void **state)
{
    const char *ca = getenv("HY_TEST_TLS_CA");
    char stranger[4096];
    int64_t encrypted;
    hy_error err;

    NEED_SERVER;
    if (ca == NULL)
        skip();
    static const char *const modes[] = {"prefer", "require", "verify-ca", "verify-full"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(HY_OK, try_tls(modes[i], ca, &encrypted, &err));
        assert_int_equal(encrypted, 1);
    }
    assert_int_equal(HY_OK, try_tls("disable", ca, &encrypted, &err));
    assert_int_equal(encrypted, 0);
    /* Signed by that authority is the server's certificate, not by itself. */
    (void)snprintf(stranger, sizeof stranger, "%.*s/server.pem", (int)(strrchr(ca, '/') - ca), ca);
    assert_int_equal(HY_ETLS_REFUSED, try_tls("verify-ca", stranger, &encrypted, &err));
    assert_int_equal(HY_ETLS_REFUSED, try_tls("verify-full", stranger, &encrypted, &err));
}

static void connecting_fails_with_reasons(void **state)
{
    static const hy_connect_option unknown[] = {{"keepalive_idle", "1"}}, wrong[] = {{"rows", "sometimes"}};
    hy_source_config bases[8];
    static const struct {
        hy_status status;
        const char *sqlstate, *says;
    } expected[8] = {
        {HY_EAUTHENTICATION_FAILED, "28P01", "user"},
        {HY_EUNDEFINED_DATABASE, "3D000", "database"},
        {HY_ECONNECTION_REFUSED, "", "refused"},
        {HY_ECONNECTION_REFUSED, "", "host name"},
        {HY_ETLS_REFUSED, "", "ssl.mode"},
        {HY_EINVALID_CONFIG, "", "verify-full"},
        {HY_EUNKNOWN_OPTION, "", "did you mean \"keepalives_idle\"?"},
        {HY_EINVALID_CONFIG, "", "together or single"},
    };

    NEED_SERVER;
    for (size_t i = 0; i < 8; i++)
        bases[i] = base_config();
    bases[0].connect.password = "wrong-password";
    bases[1].connect.database = "hy_no_such_database";
    bases[2].connect.port = 1;
    bases[3].connect.host = "hy-no-such-host.invalid";
    bases[4].connect.ssl_mode = "verify-full"; /* without an authority */
    bases[5].connect.ssl_mode = "sure";
    bases[6].connect.options = unknown;
    bases[6].connect.n_options = 1;
    bases[7].connect.options = wrong;
    bases[7].connect.n_options = 1;
    for (size_t i = 0; i < 8; i++) {
        hy_source *source = open_source(&bases[i]);
        hy_error err;
        hy_status status = try_run((place){.source = source}, &err, "SELECT 1");
        if (status != expected[i].status || strstr(err.message, expected[i].says) == NULL)
            fail_msg("case %zu: %s, %s", i, hy_status_name(status), err.message);
        assert_string_equal(err.sqlstate, expected[i].sqlstate);
        assert_null(strstr(err.message, address.password));
        assert_null(strstr(err.message, "wrong-password"));
        assert_null(strchr(err.message, '\n'));
        hy_pool_stats stats;
        hy_source_stats(source, &stats);
        assert_int_equal(stats.size, 0);
        shut(source);
    }
}

/* A connection that looks its host up; again when that was done before anybody could see it. */
static hy_connection *look_up(const hy_driver *driver, hy_source_config *config, hy_worker *worker,
                              hy_wait *wait)
{
    hy_error err;

    for (int i = 0; i < 1000; i++) {
        hy_connection *c = hy_alloc_zero(driver->connection_size);
        c->driver = driver;
        c->worker = worker;
        c->deadline = wait->deadline = hy_monotonic_ns() + INT64_C(20000000000);
        assert_int_equal(HY_AGAIN, driver->connect(c, &config->connect, wait, &err));
        if (hy__postgres_of(c)->resolving != NULL)
            return c;
        driver->close(c);
        hy_free(c);
    }
    fail_msg("every name was looked up at once");
    return NULL;
}

/* A name has several addresses, of which the first is of no use. */
static void addresses_are_tried_in_turn(void **state)
{
    extern const hy_driver hy__postgres_driver;
    const hy_driver *driver = &hy__postgres_driver;
    hy_source_config config = base_config();
    hy_worker *worker = hy__worker_new();
    hy_status status;
    hy_wait wait;
    hy_error err;

    NEED_SERVER;
    config.connect.host = "localhost";
    hy_connection *c = look_up(driver, &config, worker, &wait);
    hy__resolving *r = hy__postgres_of(c)->resolving;
    while (!hy__job_is_done(&r->job))
        (void)hy_wait_block(&wait);
    r->n = 2;
    (void)snprintf(r->addresses[0], sizeof r->addresses[0], "127.0.0.9");
    (void)snprintf(r->addresses[1], sizeof r->addresses[1], "127.0.0.1");
    while ((status = driver->advance(c, &wait, &err)) == HY_AGAIN)
        (void)hy_wait_block(&wait);
    assert_int_equal(status, HY_OK);
    driver->close(c);
    hy_free(c);
    hy__worker_close(worker);
    config.connect.host = "localhost";
    hy_source *source = open_source(&config);
    run_at((place){.source = source}, "SELECT 1");
    shut(source);
}

static void unknown_time_zones_are_refused(void **state)
{
    hy_error err;

    NEED_SERVER;
    hy_source_config config = base_config();
    config.connect.timezone = "Mars/Olympus";
    hy_source *source = open_source(&config);
    assert_int_equal(HY_EINVALID_CONFIG, try_run((place){.source = source}, &err, "SELECT 1"));
    shut(source);
}

static void sessions_are_set_up(void **state)
{
    hy_source_config config;
    cells c;

    NEED_SERVER;
    config = base_config();
    config.connect.schema = "hy \"test\"";
    config.connect.application_name = "of a test";
    run("CREATE SCHEMA \"hy \"\"test\"\"\"");
    hy_source *source = open_source(&config);
    query_at((place){.source = source}, &c,
             "SELECT current_setting('client_encoding'), current_setting('TimeZone'), current_schema(),"
             " current_setting('application_name'), current_setting('standard_conforming_strings'),"
             " current_setting('tcp_user_timeout'), current_setting('DateStyle')",
             NULL, 0);
    assert_string_equal(c.bytes[0], "UTF8");
    assert_string_equal(c.bytes[1], "UTC");
    assert_string_equal(c.bytes[2], "hy \"test\"");
    assert_string_equal(c.bytes[3], "of a test");
    assert_string_equal(c.bytes[4], "on");
    assert_memory_equal(c.bytes[6], "ISO", 3);
    drop_cells(&c);
    assert_true(hy_source_features(source) != 0);
    shut(source);
    run("DROP SCHEMA \"hy \"\"test\"\"\"");
}

static void the_version_is_read(void **state)
{
    NEED_SERVER;
    hy_lease *lease = acquire(shared);
    int64_t number =
        number_at((place){.lease = lease}, "SELECT current_setting('server_version_num')::int"); /* 150020 */
    int version = hy_lease_connection(lease)->server_version;
    assert_int_equal(version, number / 10000 * 10000 + number % 10000 * 100);
    hy_lease_release(lease);
}

/* ---- transactions and locks ------------------------------------------------------------- */

static void failed_transactions_refuse(void **state)
{
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.t (id int PRIMARY KEY)");
    hy_transaction *trx = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = trx}, "INSERT INTO hy_test.t VALUES (1)");
    assert_int_equal(HY_EUNIQUE_VIOLATION,
                     try_run((place){.trx = trx}, &err, "INSERT INTO hy_test.t VALUES (1)"));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    assert_int_equal(HY_ETRANSACTION_ABORTED, try_run((place){.trx = trx}, &err, "SELECT 1"));
    assert_int_equal(HY_ETRANSACTION_ABORTED, commit(trx, &err));
    hy_transaction_free(trx);
    assert_int_equal(number_at((place){.source = NULL}, "SELECT count(*) FROM hy_test.t"), 0);

    /* A savepoint set before saves the rest. */
    trx = begin(shared, HY_ISOLATION_DEFAULT);
    size_t depth;
    run_at((place){.trx = trx}, "INSERT INTO hy_test.t VALUES (1)");
    assert_int_equal(HY_OK, hy_transaction_savepoint(trx, &depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    assert_int_equal(HY_EUNIQUE_VIOLATION,
                     try_run((place){.trx = trx}, &err, "INSERT INTO hy_test.t VALUES (1)"));
    assert_int_equal(HY_OK, hy_transaction_rollback_to(trx, depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    run_at((place){.trx = trx}, "INSERT INTO hy_test.t VALUES (2)");
    assert_int_equal(HY_OK, commit(trx, &err));
    hy_transaction_free(trx);
    assert_int_equal(number_at((place){.source = NULL}, "SELECT count(*) FROM hy_test.t"), 2);
}

/* The server answers ROLLBACK to a COMMIT: the driver itself must say so. */
static void a_commit_that_rolls_back_is_an_error(void **state)
{
    static const char *const commits[] = {"COMMIT", "  /* a /* b */ */ commit work", "END -- yes",
                                          "PREPARE TRANSACTION 'hy'"};
    hy_error err;

    NEED_SERVER;
    for (size_t i = 0; i < sizeof commits / sizeof commits[0]; i++) {
        hy_lease *lease = acquire(shared);
        place at = {.lease = lease};
        run_at(at, "BEGIN");
        assert_int_equal(HY_EDATA_INVALID, try_run(at, &err, "SELECT 1/0"));
        assert_int_equal(HY_ETRANSACTION_ABORTED, try_run(at, &err, commits[i]));
        hy_lease_release(lease);
    }
    /* A deferred constraint is an error of COMMIT, and the transaction is over. */
    run("CREATE TABLE hy_test.d (id int PRIMARY KEY, up int REFERENCES hy_test.d DEFERRABLE INITIALLY "
        "DEFERRED)");
    hy_transaction *trx = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = trx}, "INSERT INTO hy_test.d VALUES (1, 7)");
    assert_int_equal(HY_EFOREIGN_KEY_VIOLATION, commit(trx, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    hy_transaction_free(trx);
}

typedef struct other_thread {
    hy_transaction *trx;
    const char *sql;
    hy_status status;
    hy_error err;
} other_thread;

static void *run_elsewhere(void *arg)
{
    other_thread *t = arg;
    hy_run_options options = {.transaction = t->trx, .may_block = true};

    hy_error_clear(&t->err);
    t->status = hy_source_execute_raw(shared, t->sql, NULL, 0, &options, NULL, &t->err);
    return NULL;
}

static void deadlocks_are_typed(void **state)
{
    other_thread other = {.sql = "UPDATE hy_test.locks SET n = 2 WHERE id = 1"};
    pthread_t thread;
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.locks (id int PRIMARY KEY, n int)");
    run("INSERT INTO hy_test.locks VALUES (1, 0), (2, 0)");
    hy_transaction *mine = begin(shared, HY_ISOLATION_DEFAULT);
    other.trx = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = mine}, "UPDATE hy_test.locks SET n = 1 WHERE id = 1");
    run_at((place){.trx = other.trx}, "UPDATE hy_test.locks SET n = 2 WHERE id = 2");
    assert_int_equal(0, pthread_create(&thread, NULL, run_elsewhere, &other));
    hy_status status = try_run((place){.trx = mine}, &err, "UPDATE hy_test.locks SET n = 1 WHERE id = 2");
    assert_int_equal(0, pthread_join(thread, NULL));
    /* One of them was chosen. */
    assert_true((status == HY_EDEADLOCK) != (other.status == HY_EDEADLOCK));
    assert_true(status == HY_OK || other.status == HY_OK);
    assert_string_equal(status == HY_EDEADLOCK ? err.sqlstate : other.err.sqlstate, "40P01");
    hy_transaction_free(mine);
    hy_transaction_free(other.trx);
}

static void serialization_failures_are_typed(void **state)
{
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.doctors (id int PRIMARY KEY, on_call bool)");
    run("INSERT INTO hy_test.doctors VALUES (1, true), (2, true)");
    hy_transaction *a = begin(shared, HY_ISOLATION_SERIALIZABLE),
                   *b = begin(shared, HY_ISOLATION_SERIALIZABLE);
    assert_int_equal(number_at((place){.trx = a}, "SELECT count(*) FROM hy_test.doctors WHERE on_call"), 2);
    assert_int_equal(number_at((place){.trx = b}, "SELECT count(*) FROM hy_test.doctors WHERE on_call"), 2);
    run_at((place){.trx = a}, "UPDATE hy_test.doctors SET on_call = false WHERE id = 1");
    run_at((place){.trx = b}, "UPDATE hy_test.doctors SET on_call = false WHERE id = 2");
    assert_int_equal(HY_OK, commit(a, &err));
    assert_int_equal(HY_ESERIALIZATION_FAILURE, commit(b, &err));
    assert_string_equal(err.sqlstate, "40001");
    hy_transaction_free(a);
    hy_transaction_free(b);
    assert_int_equal(number_at((place){.source = NULL}, "SELECT count(*) FROM hy_test.doctors WHERE on_call"),
                     1);
}

static void lock_timeouts_are_typed(void **state)
{
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.waits (id int PRIMARY KEY)");
    run("INSERT INTO hy_test.waits VALUES (1)");
    hy_transaction *a = begin(shared, HY_ISOLATION_DEFAULT), *b = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = a}, "SELECT * FROM hy_test.waits FOR UPDATE");
    assert_int_equal(HY_ELOCK_TIMEOUT,
                     try_run((place){.trx = b}, &err, "SELECT * FROM hy_test.waits FOR UPDATE NOWAIT"));
    assert_string_equal(err.sqlstate, "55P03");
    hy_transaction_free(b);
    b = begin(shared, HY_ISOLATION_DEFAULT);
    run_at((place){.trx = b}, "SET LOCAL lock_timeout = '50ms'");
    assert_int_equal(HY_ELOCK_TIMEOUT,
                     try_run((place){.trx = b}, &err, "SELECT * FROM hy_test.waits FOR UPDATE"));
    hy_transaction_free(b);
    hy_transaction_free(a);
    /* The server's own deadline. */
    hy_lease *lease = acquire(shared);
    run_at((place){.lease = lease}, "SET statement_timeout = '50ms'");
    assert_int_equal(HY_EQUERY_TIMEOUT, try_run((place){.lease = lease}, &err, "SELECT pg_sleep(5)"));
    assert_string_equal(err.sqlstate, "57014");
    hy_lease_release(lease);
}

/* ---- prepared statements ---------------------------------------------------------------- */

static int64_t names_on_server(place at)
{
    return number_at(
        at,
        "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql AND name LIKE 'hy~_%' ESCAPE '~'");
}

static void statements_are_kept_and_let_go(void **state)
{
    hy_source_config config;
    char sql[64];
    cells c;

    NEED_SERVER;
    config = base_config();
    config.prepare = HY_PREPARE_NAMED;
    config.statement_cache = 8;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    for (int i = 0; i < 50; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(number_at(at, sql), i);
    }
    /* The cache's, this one, and one that is let go with the next prepare. */
    assert_in_range(names_on_server(at), 8, 10);
    /* Inside a transaction nothing is let go: a name that is missing would end it. */
    hy_transaction *trx = begin(source, HY_ISOLATION_DEFAULT);
    run_at((place){.source = source, .trx = trx}, "DEALLOCATE ALL");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %d", 100 + i);
        assert_int_equal(number_at((place){.source = source, .trx = trx}, sql), 100 + i);
    }
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_ACTIVE);
    hy_transaction_free(trx);
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    /* Typed parameters: one statement per kind. */
    const hy_bind number = {.value = hy_int(5)}, text = {.value = bytes(HY_TEXT, "five")};
    query_at(at, &c, "SELECT ?", &number, 1);
    assert_int_equal(c.v[0].type, HY_INT);
    drop_cells(&c);
    query_at(at, &c, "SELECT ?", &text, 1);
    assert_string_equal(c.bytes[0], "five");
    drop_cells(&c);
    shut(source);
}

static void stale_plans_are_prepared_again(void **state)
{
    hy_error err;
    cells c;

    NEED_SERVER;
    hy_source_config config = base_config();
    config.prepare = HY_PREPARE_NAMED;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    run("CREATE TABLE hy_test.a (id int)");
    run("INSERT INTO hy_test.a VALUES (7)");
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_int_equal(c.n, 1);
    drop_cells(&c);
    run("ALTER TABLE hy_test.a ADD name text DEFAULT 'x'"); /* another source's connection */
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.bytes[1], "x");
    drop_cells(&c);
    run("ALTER TABLE hy_test.a ALTER id TYPE text");
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_string_equal(c.bytes[0], "7");
    drop_cells(&c);

    /* Forgotten by the server. */
    hy_lease *lease = acquire(source);
    run_at((place){.source = source, .lease = lease}, "DEALLOCATE ALL");
    query_at((place){.source = source, .lease = lease}, &c, "SELECT * FROM hy_test.a", NULL, 0);
    drop_cells(&c);
    hy_lease_release(lease);

    /* Inside a transaction the error ended it; the next one goes well. */
    query_at(at, &c, "SELECT * FROM hy_test.a", NULL, 0);
    drop_cells(&c);
    hy_transaction *trx = begin(source, HY_ISOLATION_DEFAULT);
    run("ALTER TABLE hy_test.a ADD third int");
    assert_int_equal(HY_ETRANSACTION_ABORTED, try_query((place){.source = source, .trx = trx}, &c, &err,
                                                        "SELECT * FROM hy_test.a", NULL, 0));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    hy_transaction_free(trx);
    trx = begin(source, HY_ISOLATION_DEFAULT);
    query_at((place){.source = source, .trx = trx}, &c, "SELECT * FROM hy_test.a", NULL, 0);
    assert_int_equal(c.n, 3);
    drop_cells(&c);
    assert_int_equal(HY_OK, commit(trx, &err));
    hy_transaction_free(trx);
    shut(source);
}

/* How often a text is there under a name. */
static int64_t named_as(place at, const char *sql)
{
    const hy_bind text = {.value = bytes(HY_TEXT, sql)};
    cells c;

    query_at(at, &c, "SELECT count(*) FROM pg_prepared_statements WHERE statement = ?", &text, 1);
    int64_t n = c.v[0].as.integer;
    drop_cells(&c);
    return n;
}

static void texts_get_names_when_they_come_again(void **state)
{
    static const struct {
        hy_prepare prepare;
        int64_t names[3]; /* after the first run, the second and the third */
    } cases[] = {
        {HY_PREPARE_AUTO, {0, 1, 1}},
        {HY_PREPARE_NAMED, {1, 1, 1}},
        {HY_PREPARE_UNNAMED, {0, 0, 0}},
        {HY_PREPARE_OFF, {0, 0, 0}},
    };
    static const char sql[] = "SELECT 40 + 2";

    NEED_SERVER;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_source_config config = base_config();
        config.pool.max = 1;
        config.prepare = cases[i].prepare;
        hy_source *source = open_source(&config);
        place at = {.source = source};
        for (int run = 0; run < 3; run++) {
            assert_int_equal(number_at(at, sql), 42);
            assert_int_equal(named_as(at, sql), cases[i].names[run]);
        }
        assert_int_equal(hy_source_prepare(source), cases[i].prepare);
        shut(source);
    }
    hy_source_config config = base_config();
    hy_source *source;
    hy_error err;
    config.prepare = (hy_prepare)7;
    assert_fails(HY_EINVALID_CONFIG, err, hy_source_open(&config, &source, &err));
}

/* What a pooler does: the session is not the one that was told. */
static void forgotten_names_are_given_up(void **state)
{
    static const char sql[] = "SELECT 40 + 2", other[] = "SELECT 6 * 7";
    hy_error err;

    NEED_SERVER;
    run("CREATE FUNCTION hy_test.forget() RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 1; END $$");
    for (int in_transaction = 0; in_transaction < 2; in_transaction++) {
        hy_source_config config = base_config();
        config.pool.max = 1;
        hy_source *source = open_source(&config);
        place at = {.source = source};
        for (int i = 0; i < 2; i++)
            assert_int_equal(number_at(at, sql), 42);
        assert_int_equal(named_as(at, sql), 1);
        assert_int_equal(number_at(at, "SELECT hy_test.forget()"), 1);
        assert_int_equal(hy_source_prepare(source), HY_PREPARE_AUTO);
        hy_transaction *trx = in_transaction ? begin(source, HY_ISOLATION_DEFAULT) : NULL;
        if (trx != NULL)
            assert_fails(HY_ETRANSACTION_ABORTED, err,
                         try_run((place){.source = source, .trx = trx}, &err, sql));
        else
            assert_int_equal(number_at(at, sql), 42); /* nothing ran: once more, without a word */
        assert_true(trx == NULL || strstr(err.message, "forgot a prepared statement") != NULL);
        hy_transaction_free(trx);
        assert_int_equal(hy_source_prepare(source), HY_PREPARE_UNNAMED);
        for (int i = 0; i < 3; i++)
            assert_int_equal(number_at(at, i == 0 ? sql : other), 42);
        assert_int_equal(names_on_server(at), 0);
        shut(source);
    }
    /* Who says that he forgets is believed: that is no pooler. */
    hy_source_config config = base_config();
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    for (int i = 0; i < 2; i++)
        assert_int_equal(number_at(at, sql), 42);
    run_at(at, "DEALLOCATE ALL");
    assert_int_equal(number_at(at, sql), 42);
    assert_int_equal(hy_source_prepare(source), HY_PREPARE_AUTO);
    hy_lease_release(lease);
    shut(source);
}

static void statements_work_without_names(void **state)
{
    const hy_bind binds[2] = {{.value = hy_int(5)}, {.value = bytes(HY_TEXT, "x")}};
    hy_source_config config;
    hy_error err;
    cells c;

    NEED_SERVER;
    config = base_config();
    config.prepare = HY_PREPARE_UNNAMED;
    config.pool.max = 1;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    for (int i = 0; i < 3; i++) {
        query_at(at, &c, "SELECT ? + 1, ?", binds, 2);
        assert_int_equal(c.v[0].as.integer, 6);
        assert_string_equal(c.bytes[1], "x");
        drop_cells(&c);
    }
    assert_int_equal(names_on_server(at), 0);
    /* The text means something else by now: columns are looked at each time. */
    run("CREATE TABLE hy_test.u (id int)");
    run("INSERT INTO hy_test.u VALUES (7)");
    query_at(at, &c, "SELECT * FROM hy_test.u", NULL, 0);
    drop_cells(&c);
    run("ALTER TABLE hy_test.u ALTER id TYPE bigint");
    query_at(at, &c, "SELECT * FROM hy_test.u", NULL, 0);
    assert_int_equal(c.v[0].as.integer, 7);
    assert_int_equal(c.kinds[0], HY_KIND_BIGINT);
    drop_cells(&c);
    run("ALTER TABLE hy_test.u ADD span interval DEFAULT '1 day'"); /* no binary form */
    hy_status status = try_query(at, &c, &err, "SELECT * FROM hy_test.u", NULL, 0);
    assert_true(status == HY_OK || status == HY_EDATABASE_ERROR);
    drop_cells(&c);
    shut(source);
}

static void counts_are_told(void **state)
{
    int64_t affected;
    hy_error err;

    NEED_SERVER;
    run("CREATE TABLE hy_test.c (id int)");
    assert_int_equal(HY_OK, try_with((place){.source = NULL}, &err, &affected,
                                     "INSERT INTO hy_test.c SELECT generate_series(1, 100)", NULL, 0));
    assert_int_equal(affected, 100);
    assert_int_equal(HY_OK, try_with((place){.source = NULL}, &err, &affected,
                                     "UPDATE hy_test.c SET id = id WHERE id > 90 RETURNING id", NULL, 0));
    assert_int_equal(affected, 10);
    assert_int_equal(HY_OK,
                     try_with((place){.source = NULL}, &err, &affected, "SELECT * FROM hy_test.c", NULL, 0));
    assert_int_equal(affected, 0);
    assert_int_equal(HY_OK,
                     try_with((place){.source = NULL}, &err, &affected, "DELETE FROM hy_test.c", NULL, 0));
    assert_int_equal(affected, 100);
}

static void too_many_parameters_are_refused(void **state)
{
    enum { N = 65536 };
    hy_buf sql;
    hy_error err;

    NEED_SERVER;
    hy_bind *binds = calloc(N, sizeof *binds);
    hy_buf_init(&sql);
    for (int extra = 0; extra < 2; extra++) {
        size_t n = (size_t)(N - 1 + extra);
        hy_buf_reset(&sql);
        hy_buf_puts(&sql, "SELECT count(*) FROM (VALUES ");
        for (size_t i = 0; i < n; i++) {
            binds[i].value = hy_int((int64_t)i);
            hy_buf_puts(&sql, i > 0 ? ", (?)" : "(?)");
        }
        hy_buf_puts(&sql, ") AS t");
        cells c;
        hy_status status = try_query((place){.source = NULL}, &c, &err, hy_buf_text(&sql), binds, n);
        assert_int_equal(status, extra > 0 ? HY_ELIMIT_EXCEEDED : HY_OK);
        if (extra == 0)
            assert_int_equal(c.v[0].as.integer, n);
        drop_cells(&c);
    }
    hy_buf_clear(&sql);
    free(binds);
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

static void rows_come_one_by_one(void **state)
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

/* ---- the session between borrowers ------------------------------------------------------ */

static void nothing_passes_to_the_next_borrower(void **state)
{
    hy_source_config config;
    hy_error err;

    NEED_SERVER;
    config = base_config();
    config.pool.max = 1;
    config.connect.schema = "hy_test";
    hy_source *source = open_source(&config);
    int64_t pid = number_at((place){.source = source}, "SELECT pg_backend_pid()");
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    run_at(at, "SET work_mem = '5MB'");
    run_at(at, "SET TimeZone = 'Asia/Tokyo'");
    run_at(at, "SET standard_conforming_strings = off");
    run_at(at, "SET default_transaction_isolation = 'serializable'");
    run_at(at, "SET search_path = pg_catalog");
    run_at(at, "CREATE TEMP TABLE hy_left (id int)");
    run_at(at, "SELECT pg_advisory_lock(4711)");
    run_at(at, "LISTEN hy_channel");
    run_at(at, "PREPARE hy_name AS SELECT 1");
    run_at(at, "SET ROLE pg_read_all_data");
    run_at(at, "DECLARE hy_cursor CURSOR WITH HOLD FOR SELECT 1");
    run_at(at, "BEGIN");
    run_at(at, "CREATE TABLE pg_temp.hy_open (id int)");
    hy_lease_release(lease);

    at = (place){.source = source};
    static const struct {
        const char *sql;
        int64_t expected;
    } cases[] = {
        {"SELECT (current_setting('work_mem') = '5MB')::int", 0},
        {"SELECT (current_setting('TimeZone') = 'UTC')::int", 1},
        {"SELECT (current_setting('standard_conforming_strings') = 'on')::int", 1},
        {"SELECT (current_setting('default_transaction_isolation') = 'read committed')::int", 1},
        {"SELECT (current_schema() = 'hy_test')::int", 1},
        {"SELECT (to_regclass('pg_temp.hy_left') IS NULL)::int", 1},
        {"SELECT (to_regclass('pg_temp.hy_open') IS NULL)::int", 1},
        {"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", 0},
        {"SELECT count(*) FROM pg_listening_channels()", 0},
        {"SELECT count(*) FROM pg_prepared_statements WHERE from_sql", 0},
        {"SELECT count(*) FROM pg_cursors WHERE name = 'hy_cursor'", 0},
        {"SELECT (current_user = session_user)::int", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (number_at(at, cases[i].sql) != cases[i].expected)
            fail_msg("passed on: %s", cases[i].sql);
    assert_int_equal(number_at(at, "SELECT pg_backend_pid()"), pid); /* cleaned, not replaced */
    /* Raw SQL that leaves nothing does not cost our prepared statements. */
    int64_t before = names_on_server(at);
    run_at(at, "SELECT 1");
    assert_true(names_on_server(at) >= before);
    assert_int_equal(HY_OK, try_run(at, &err, "SELECT 1"));
    shut(source);
}

static void notifications_do_not_pile_up(void **state)
{
    hy_error err;

    NEED_SERVER;
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    run_at(at, "LISTEN hy_news");
    for (int i = 0; i < 20; i++)
        run("NOTIFY hy_news, 'x'");
    for (int i = 0; i < 20; i++)
        assert_int_equal(HY_OK, try_run(at, &err, "SELECT 1"));
    hy_lease_release(lease);
}

/* ---- broken connections, deadlines, cancelling ------------------------------------------ */

static int64_t backend_of(hy_lease *lease)
{
    return number_at((place){.source = hy_lease_source(lease), .lease = lease}, "SELECT pg_backend_pid()");
}

static void kill_backend(int64_t pid)
{
    const hy_bind bind = {.value = hy_int(pid), .kind = HY_KIND_INTEGER};
    cells c;

    query_at((place){.source = NULL}, &c, "SELECT pg_terminate_backend(?, 5000)", &bind, 1);
    assert_true(c.v[0].as.boolean);
    drop_cells(&c);
}

static void killed_backends_are_noticed(void **state)
{
    hy_pool_stats stats;
    hy_error err;

    NEED_SERVER;
    hy_source_config config = base_config();
    config.pool.max = 2;
    hy_source *source = open_source(&config);

    /* While it is lent: typed, and replaced. */
    hy_lease *lease = acquire(source);
    kill_backend(backend_of(lease));
    assert_int_equal(HY_ECONNECTION_LOST,
                     try_run((place){.source = source, .lease = lease}, &err, "SELECT 1"));
    assert_true(strcmp(err.sqlstate, "57P01") == 0 || err.sqlstate[0] == '\0');
    hy_lease_release(lease);
    assert_int_equal(number_at((place){.source = source}, "SELECT 1"), 1);

    /* While it is idle: nobody notices at all. */
    lease = acquire(source);
    int64_t pid = backend_of(lease);
    hy_lease_release(lease);
    kill_backend(pid);
    assert_int_equal(number_at((place){.source = source}, "SELECT 1"), 1);

    /* In a transaction, and at its COMMIT. */
    hy_transaction *trx = begin(source, HY_ISOLATION_DEFAULT);
    kill_backend(backend_of(hy_transaction_lease(trx)));
    assert_int_equal(HY_ECONNECTION_LOST, try_run((place){.source = source, .trx = trx}, &err, "SELECT 1"));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FAILED);
    hy_transaction_free(trx);
    trx = begin(source, HY_ISOLATION_DEFAULT);
    kill_backend(backend_of(hy_transaction_lease(trx)));
    assert_int_equal(HY_EOUTCOME_UNKNOWN, commit(trx, &err));
    hy_transaction_free(trx);

    /* In the middle of a statement, by another thread. */
    assert_int_equal(number_at((place){.source = source}, "SELECT 1"), 1);
    hy_source_stats(source, &stats);
    assert_int_equal(stats.leased, 0);
    assert_true(stats.discarded >= 3);
    shut(source);
}

static void deadlines_hold(void **state)
{
    hy_source_config config;
    hy_pool_stats stats;
    hy_error err;

    NEED_SERVER;
    config = base_config();
    config.statement_timeout = 200;
    hy_source *source = open_source(&config);
    place at = {.source = source};
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    int64_t began = hy_monotonic_ns();
    assert_int_equal(HY_EQUERY_TIMEOUT, try_run(at, &err, "SELECT pg_sleep(30)"));
    int64_t took = (hy_monotonic_ns() - began) / 1000000;
    print_message("a deadline of 200 ms ended after %lld ms\n", (long long)took);
    assert_in_range(took, 200, 300);
    hy_source_stats(source, &stats);
    assert_int_equal(stats.discarded, 1);
    assert_int_equal(stats.leased, 0);
    /* The server was told, it does not go on sleeping. */
    hy_lease *lease = acquire(shared);
    int64_t left = 1;
    for (int i = 0; i < 100 && left > 0; i++) {
        (void)usleep(10000);
        left = number_at((place){.lease = lease},
                         "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'");
    }
    assert_int_equal(left, 0);
    hy_lease_release(lease);
    assert_int_equal(number_at(at, "SELECT 1"), 1);
    shut(source);
}

/* ---- threads, forks, memory ------------------------------------------------------------- */

enum { THREADS = 2, ROUNDS = 300 };

static void *hammer(void *arg)
{
    int64_t *errors = arg;

    for (int i = 0; i < ROUNDS; i++) {
        hy_run_options options = {.may_block = true};
        const hy_bind bind = {.value = hy_int(i)};
        hy_error err;
        hy_cursor *cursor = hy_cursor_new();
        const hy_value *row;
        static const char sql[] = "SELECT ?::bigint * 2, 'x'";
        hy_status status =
            hy_cursor_start_raw(cursor, shared, sql, sizeof sql - 1, &bind, NULL, 1, &options, &err);
        if (status == HY_OK)
            status = hy_task_run(hy_cursor_task(cursor), &err);
        if (status == HY_OK)
            status = hy_cursor_fetch(cursor, &row, &err);
        if (status != HY_OK || row[0].as.integer != 2 * i) {
            print_error("round %d: %s\n", i, status != HY_OK ? err.message : "wrong value");
            (*errors)++;
        }
        hy_cursor_free(cursor);
    }
    return NULL;
}

static void threads_share_a_source(void **state)
{
    pthread_t threads[THREADS];
    int64_t errors[THREADS] = {0};
    hy_pool_stats stats;

    NEED_SERVER;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, hammer, &errors[i]));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        assert_int_equal(errors[i], 0);
    }
    hy_source_stats(shared, &stats);
    assert_int_equal(stats.leased, 0);
    assert_true(stats.size <= stats.max);
}

/* Closing an inherited connection in a child must not end the parent's session. */
static void forked_children_leave_the_session_alone(void **state)
{
    int outcome;

    NEED_SERVER;
    hy_lease *lease = acquire(shared);
    place at = {.lease = lease};
    int64_t pid = backend_of(lease);
    pid_t child = fork();
    if (child == 0) {
        hy_error err;
        hy_status status = try_run(at, &err, "SELECT 1");
        hy_lease_release(lease);
        hy_source_close(shared);
        _exit(status == HY_ECLOSED ? 0 : 1);
    }
    assert_int_equal(child, waitpid(child, &outcome, 0));
    assert_true(WIFEXITED(outcome));
    assert_int_equal(WEXITSTATUS(outcome), 0);
    assert_int_equal(backend_of(lease), pid);
    hy_lease_release(lease);
}

/* Every allocation of ours fails once: an error and no leak, or what was asked for. */
static void memory_may_end_anywhere(void **state)
{
    hy_test_heap heap = {0};
    int failed = 0;

    NEED_SERVER;
    run("CREATE TYPE hy_test.humour AS ENUM ('sad', 'glad')");
    hy_source_config config = base_config();
    hy_test_use_heap(&heap);
    for (long at = 1; at < 1000; at++) {
        const hy_bind binds[2] = {{.value = bytes(HY_JSON, "[1]"), .kind = HY_KIND_JSONB},
                                  {.value = hy_int(1)}};
        hy_source *source;
        hy_error err;
        cells c = {0};
        heap = (hy_test_heap){.fail_at = at};
        hy_status status = hy_source_open(&config, &source, &err);
        if (status == HY_OK) {
            status = try_query((place){.source = source}, &c, &err,
                               "SELECT ?::jsonb, ARRAY[?::numeric], 1.5, 'sad'::hy_test.humour", binds, 2);
            shut(source);
        }
        drop_cells(&c);
        hy_test_settle(&heap);
        if (heap.calls < at) {
            assert_int_equal(status, HY_OK);
            break;
        }
        assert_true(status == HY_EOUT_OF_MEMORY || status == HY_OK || status == HY_EDATA_INVALID);
        failed += status == HY_EOUT_OF_MEMORY;
    }
    hy_test_use_heap(NULL);
    print_message("%d allocations were made to fail\n", failed);
    assert_true(failed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_may_end_anywhere), /* first: who changes the allocator must be alone */
        cmocka_unit_test(texts_are_understood),
        cmocka_unit_test(values_go_round),
        cmocka_unit_test(numerics_agree_in_both_forms),
        cmocka_unit_test(blobs_keep_every_byte),
        cmocka_unit_test(arrays_become_json),
        cmocka_unit_test(json_becomes_an_array),
        cmocka_unit_test(types_of_the_database),
        cmocka_unit_test(kinds_and_names_are_told),
        cmocka_unit_test(nulls_fit_everywhere),
        cmocka_unit_test(refuses_what_has_no_counterpart),
        cmocka_unit_test(refuses_bad_text_before_sending),
        cmocka_unit_test(places_decide_for_other_types),
        cmocka_unit_test(instants_do_not_depend_on_the_session),
        cmocka_unit_test(errors_are_typed),
        cmocka_unit_test(permissions_are_typed),
        cmocka_unit_test(connecting_fails_with_reasons),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(addresses_are_tried_in_turn),
        cmocka_unit_test(unknown_time_zones_are_refused),
        cmocka_unit_test(sessions_are_set_up),
        cmocka_unit_test(the_version_is_read),
        cmocka_unit_test(failed_transactions_refuse),
        cmocka_unit_test(a_commit_that_rolls_back_is_an_error),
        cmocka_unit_test(deadlocks_are_typed),
        cmocka_unit_test(serialization_failures_are_typed),
        cmocka_unit_test(lock_timeouts_are_typed),
        cmocka_unit_test(statements_are_kept_and_let_go),
        cmocka_unit_test(stale_plans_are_prepared_again),
        cmocka_unit_test(texts_get_names_when_they_come_again),
        cmocka_unit_test(forgotten_names_are_given_up),
        cmocka_unit_test(statements_work_without_names),
        cmocka_unit_test(counts_are_told),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(rows_come_one_by_one),
        cmocka_unit_test(nothing_passes_to_the_next_borrower),
        cmocka_unit_test(notifications_do_not_pile_up),
        cmocka_unit_test(killed_backends_are_noticed),
        cmocka_unit_test(deadlines_hold),
        cmocka_unit_test(threads_share_a_source),
        cmocka_unit_test(forked_children_leave_the_session_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
