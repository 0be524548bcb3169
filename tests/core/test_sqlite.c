/*
 * The SQLite driver against real SQLite: settings, values, errors and their fields, locks,
 * time, cancelling, a full disk, exact decimals, fair writers, fork, and memory that ends
 * inside SQLite as well as inside the engine.
 */
#include "hy_test.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include <hysteria/datetime.h>
#include <hysteria/source.h>
#include <source/source_impl.h>

enum { MS = 1000000 };

static char directory[] = "/tmp/hysteria-sqlite-XXXXXX";
static char file[64];

/* ---- helpers ---------------------------------------------------------------------------- */

static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char path[96];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", file, ends[i]);
        unlink(path);
    }
}

static int setup(void **state)
{
    (void)state;
    remove_files();
    return 0;
}

static hy_source_config config_of(const char *database)
{
    return (hy_source_config){
        .type = "sqlite", .connect = {.database = database}, .pool = {.acquire_timeout = 20000}};
}

static hy_source *open_config(hy_source_config config)
{
    hy_source *source;
    hy_error err;
    hy_status status = hy_source_open(&config, &source, &err);

    if (status != HY_OK)
        fail_msg("open: %s", err.message);
    return source;
}

static hy_source *open_file(void)
{
    return open_config(config_of(file));
}

static hy_source *open_memory(void)
{
    return open_config(config_of(":memory:"));
}

static hy_status try_run(hy_source *source, const char *sql, hy_error *err)
{
    return hy_source_execute_raw(source, sql, NULL, 0, NULL, NULL, err);
}

static int64_t run_with(hy_source *source, const hy_run_options *options, const char *sql)
{
    hy_error err;
    int64_t affected;
    hy_status status = hy_source_execute_raw(source, sql, NULL, 0, options, &affected, &err);

    if (status != HY_OK)
        fail_msg("%s: %s %s", sql, hy_status_name(status), err.message);
    return affected;
}

static int64_t run(hy_source *source, const char *sql)
{
    return run_with(source, NULL, sql);
}

static hy_cursor *query_binds(hy_source *source, const hy_run_options *options, const char *sql,
                              const hy_bind *binds, size_t n)
{
    hy_cursor *cursor = hy_cursor_new();
    hy_error err;
    hy_status status = hy_cursor_start_raw(cursor, source, sql, strlen(sql), binds, NULL, n, options, &err);

    if (status == HY_OK)
        status = hy_task_run(hy_cursor_task(cursor), &err);
    if (status != HY_OK)
        fail_msg("%s: %s %s", sql, hy_status_name(status), err.message);
    return cursor;
}

static hy_cursor *query(hy_source *source, const char *sql)
{
    return query_binds(source, NULL, sql, NULL, 0);
}

static const hy_value *fetch(hy_cursor *cursor)
{
    const hy_value *row;
    hy_error err;
    hy_status status = hy_cursor_fetch(cursor, &row, &err);

    if (status != HY_OK)
        fail_msg("fetch: %s", hy_status_name(status));
    return row;
}

/* The first cell of the first row as text. */
static const char *one_with(hy_source *source, const hy_run_options *options, const char *sql,
                            const hy_bind *binds, size_t n)
{
    static char out[4096];
    hy_cursor *cursor = query_binds(source, options, sql, binds, n);
    const hy_value *row;
    hy_error err;

    strcpy(out, "(no row)");
    if (hy_cursor_fetch(cursor, &row, &err) == HY_OK) {
        switch (row[0].type) {
        case HY_INT:
            snprintf(out, sizeof out, "%lld", (long long)row[0].as.integer);
            break;
        case HY_DOUBLE:
            snprintf(out, sizeof out, "%.17g", row[0].as.number);
            break;
        case HY_TEXT:
        case HY_BLOB:
            snprintf(out, sizeof out, "%.*s", (int)row[0].as.text.size, row[0].as.text.data);
            break;
        default:
            strcpy(out, "NULL");
            break;
        }
    }
    hy_cursor_free(cursor);
    return out;
}

static const char *one(hy_source *source, const char *sql)
{
    return one_with(source, NULL, sql, NULL, 0);
}

static hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    assert_int_equal(HY_OK, hy_source_acquire(source, 0, &lease, &err));
    return lease;
}

static void sleep_ms(int64_t ms)
{
    hy_wait wait = {.fd = -1, .deadline = hy_monotonic_ns() + ms * MS};
    (void)hy_wait_block(&wait);
}

/* ---- opening and settings ---------------------------------------------------------------- */

static void a_session_is_safe_by_default(void **state)
{
    hy_source *source = open_file();
    hy_error err;

    (void)state;
    assert_string_equal(one(source, "PRAGMA journal_mode"), "wal");
    assert_string_equal(one(source, "PRAGMA synchronous"), "1");
    assert_string_equal(one(source, "PRAGMA foreign_keys"), "1");
    assert_string_equal(one(source, "PRAGMA trusted_schema"), "0");
    assert_string_equal(one(source, "PRAGMA busy_timeout"), "0");
    assert_string_equal(one(source, "SELECT 'a' LIKE 'A'"), "0");
    assert_fails(HY_EUNDEFINED_COLUMN, err, try_run(source, "SELECT \"no_such\"", &err)); /* no string */
    assert_fails(HY_EUNDEFINED_COLUMN, err, try_run(source, "CREATE TABLE q (a, CHECK (a <> \"b\"))", &err));
    assert_int_not_equal(HY_OK, try_run(source, "SELECT load_extension('x')", &err));
    run(source, "CREATE TABLE t (a)");
    hy_lease *lease = acquire(source);
    const hy_run_options on = {.lease = lease};
    run_with(source, &on, "PRAGMA writable_schema=ON");
    assert_int_not_equal(
        HY_OK, hy_source_execute_raw(source, "DELETE FROM sqlite_master", NULL, 0, &on, NULL, &err));
    hy_lease_release(lease);
    hy_source_unref(source);
}

typedef struct option_case {
    const char *name, *value, *ask, *answer;
} option_case;

static void options_come_true(void **state)
{
    static const option_case cases[] = {
        {"journal_mode", "DELETE", "PRAGMA journal_mode", "delete"},
        {"journal_mode", "truncate", "PRAGMA journal_mode", "truncate"},
        {"synchronous", "full", "PRAGMA synchronous", "2"},
        {"cache_size", "-4000", "PRAGMA cache_size", "-4000"},
        {"mmap_size", "1048576", "PRAGMA mmap_size", "1048576"},
        {"temp_store", "memory", "PRAGMA temp_store", "2"},
        {"page_size", "8192", "PRAGMA page_size", "8192"},
        {"wal_autocheckpoint", "50", "PRAGMA wal_autocheckpoint", "50"},
        {"max_page_count", "100", "PRAGMA max_page_count", "100"},
        {"foreign_keys", "off", "PRAGMA foreign_keys", "0"},
        {"foreign_keys", "TRUE", "PRAGMA foreign_keys", "1"},
        {"case_sensitive_like", "no", "SELECT 'a' LIKE 'A'", "1"},
        {"busy_timeout", "5", "SELECT 1", "1"},
        {"create", "on", "SELECT 1", "1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_connect_option option = {cases[i].name, cases[i].value};
        hy_source_config config = config_of(file);
        config.connect.options = &option;
        config.connect.n_options = 1;
        remove_files();
        hy_source *source = open_config(config);
        assert_string_equal(one(source, cases[i].ask), cases[i].answer);
        hy_source_unref(source);
    }
}

typedef struct refused_case {
    const char *database;
    hy_connect_option option;
    hy_status status;
    const char *says;
} refused_case;

static void what_cannot_be_opened_says_why(void **state)
{
    static const refused_case cases[] = {
        {":memory:", {"journl_mode", "wal"}, HY_EUNKNOWN_OPTION, "did you mean \"journal_mode\""},
        {":memory:", {"zzzzzzzz", "1"}, HY_EUNKNOWN_OPTION, "no option"},
        {":memory:", {"journal_mode", "off"}, HY_EINVALID_CONFIG, "wal, delete"},
        {":memory:", {"journal_mode", "wal"}, HY_EINVALID_CONFIG, "cannot use journal_mode"},
        {":memory:", {"cache_size", "1; DROP TABLE x"}, HY_EINVALID_CONFIG, "integer"},
        {":memory:", {"page_size", "1"}, HY_EINVALID_CONFIG, "from 512"},
        {":memory:", {"foreign_keys", "maybe"}, HY_EINVALID_CONFIG, "on or off"},
        {":memory:", {"foreign_keys", NULL}, HY_EINVALID_CONFIG, "on or off"},
        {"file:x.db", {"create", "on"}, HY_EINVALID_CONFIG, "uri = on"},
        {"/no/such/directory/secret.db", {"create", "on"}, HY_EUNDEFINED_DATABASE, "does not exist"},
        {"/dev/null/x.db", {"create", "on"}, HY_EUNDEFINED_DATABASE, "no directory"},
        {"/tmp", {"create", "on"}, HY_ECONNECTION_REFUSED, "directory"},
    };
    hy_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_source_config config = config_of(cases[i].database);
        config.connect.options = &cases[i].option;
        config.connect.n_options = 1;
        hy_source *source = open_config(config);
        assert_fails(cases[i].status, err, try_run(source, "SELECT 1", &err));
        if (strstr(err.message, cases[i].says) == NULL)
            fail_msg("%s", err.message);
        assert_null(strstr(err.message, "secret"));
        hy_source_unref(source);
    }
}

static void a_missing_file_is_made_only_if_wanted(void **state)
{
    static const hy_connect_option no_create = {"create", "off"};
    hy_source_config config = config_of(file);
    hy_error err;

    (void)state;
    config.connect.options = &no_create;
    config.connect.n_options = 1;
    hy_source *source = open_config(config);
    assert_fails(HY_EUNDEFINED_DATABASE, err, try_run(source, "SELECT 1", &err));
    hy_source_unref(source);
    config.connect.n_options = 0;
    config.connect.read_only = true;
    source = open_config(config);
    assert_fails(HY_EUNDEFINED_DATABASE, err, try_run(source, "SELECT 1", &err));
    hy_source_unref(source);
    assert_int_equal(access(file, F_OK), -1);
}

static void a_damaged_file_is_told(void **state)
{
    FILE *f = fopen(file, "w");
    hy_error err;

    (void)state;
    assert_non_null(f);
    for (int i = 0; i < 4096; i++)
        fputs("this is no database ", f);
    fclose(f);
    hy_source *source = open_file();
    assert_fails(HY_EDATABASE_CORRUPT, err, try_run(source, "SELECT 1", &err));
    hy_source_unref(source);
}

static int open_as_nobody(void)
{
    hy_error err;

    if (setuid(65534) != 0)
        return 2;
    hy_source *source = open_file();
    hy_status status = try_run(source, "SELECT 1", &err);
    hy_source_unref(source);
    return status == HY_EPERMISSION_DENIED && err.status == status ? 0 : 1;
}

/* The superuser may open everything, so a child that is not he tries. */
static void a_file_that_may_not_be_opened_is_told(void **state)
{
    hy_source *source = open_file();
    hy_error err;
    int status;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_source_unref(source);
    assert_int_equal(0, chmod(file, 0));
    if (geteuid() != 0) {
        source = open_file();
        assert_fails(HY_EPERMISSION_DENIED, err, try_run(source, "SELECT 1", &err));
        hy_source_unref(source);
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(open_as_nobody());
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_read_only_connection_never_writes(void **state)
{
    hy_source *source = open_file();
    hy_source_config config = config_of(file);
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    run(source, "INSERT INTO t VALUES (1)");
    config.connect.read_only = true;
    hy_source *reader = open_config(config);
    assert_string_equal(one(reader, "SELECT a FROM t"), "1");
    assert_fails(HY_EREAD_ONLY, err, try_run(reader, "INSERT INTO t VALUES (2)", &err));
    assert_fails(HY_EREAD_ONLY, err, try_run(reader, "DROP TABLE t", &err));
    hy_source_unref(reader);
    hy_source_unref(source);
}

static void private_databases_have_one_connection(void **state)
{
    static const hy_connect_option uri = {"uri", "on"};
    static const char *const names[] = {NULL, "", ":memory:", "file::memory:", "file:x?mode=memory"};
    hy_pool_stats stats;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        hy_source_config config = config_of(names[i]);
        config.connect.options = &uri;
        config.connect.n_options = 1;
        hy_source *source = open_config(config);
        run(source, "CREATE TABLE t (a)");
        run(source, "INSERT INTO t VALUES (1)");
        assert_string_equal(one(source, "SELECT count(*) FROM t"), "1");
        hy_source_stats(source, &stats);
        assert_int_equal(stats.max, 1);
        hy_source_unref(source);
    }
}

/* ---- values ------------------------------------------------------------------------------ */

static void values_come_back(void **state)
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

static void what_would_be_kept_changed_is_refused(void **state)
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
static void large_values_come_back(void **state)
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

static void kinds_follow_the_declaration(void **state)
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

static void counts_what_was_written(void **state)
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

static void a_changed_table_is_read_anew(void **state)
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

static void errors_are_told_apart(void **state)
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

static void one_statement_may_be_followed_by_nothing(void **state)
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
static void the_driver_checks_its_arguments(void **state)
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

/* ---- locks ------------------------------------------------------------------------------- */

/* Another process takes the write lock until `*go` is written to. */
static pid_t lock_in_another_process(int *go)
{
    int ready[2], end[2];
    char byte = 0;

    assert_int_equal(0, pipe(ready));
    assert_int_equal(0, pipe(end));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sqlite3 *db;
        if (sqlite3_open(file, &db) != SQLITE_OK ||
            sqlite3_exec(db, "BEGIN EXCLUSIVE; INSERT INTO t VALUES (100)", NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        if (write(ready[1], "x", 1) != 1 || read(end[0], &byte, 1) != 1)
            _exit(1);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        sqlite3_close(db);
        _exit(0);
    }
    assert_int_equal(1, read(ready[0], &byte, 1));
    close(ready[0]);
    close(ready[1]);
    close(end[0]);
    *go = end[1];
    return pid;
}

static void *let_go_soon(void *ctx)
{
    int *go = ctx;

    sleep_ms(120);
    if (write(*go, "x", 1) != 1)
        return ctx;
    return NULL;
}

static void waits_for_another_process(void **state)
{
    hy_source *source = open_file();
    hy_error err;
    int go, status;
    pthread_t thread;
    const hy_run_options hurried = {.timeout = 80};

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_source_unref(source); /* no handle may live through fork */
    pid_t pid = lock_in_another_process(&go);
    source = open_file();
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_ELOCK_TIMEOUT, err,
                 hy_source_execute_raw(source, "INSERT INTO t VALUES (1)", NULL, 0, &hurried, NULL, &err));
    assert_int_equal(err.native_code, SQLITE_BUSY);
    int64_t took = hy_monotonic_ns() - began;
    assert_true(took >= 79 * (int64_t)MS && took < 1500 * (int64_t)MS);
    assert_string_equal(one(source, "SELECT count(*) FROM t"), "0"); /* readers go on */

    assert_int_equal(0, pthread_create(&thread, NULL, let_go_soon, &go));
    run(source, "INSERT INTO t VALUES (2)"); /* waits and gets it */
    void *failed;
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(status, 0);
    close(go);
    assert_string_equal(one(source, "SELECT sum(a) FROM t"), "102");
    hy_source_unref(source);
}

static void opening_waits_too(void **state)
{
    hy_source *source = open_file();
    int go, status;
    pthread_t thread;
    static const hy_connect_option mode = {"journal_mode", "delete"};
    hy_source_config config = config_of(file);

    (void)state;
    config.connect.options = &mode;
    config.connect.n_options = 1;
    hy_source_unref(source);
    source = open_config(config);
    run(source, "CREATE TABLE t (a)");
    hy_source_unref(source);
    pid_t pid = lock_in_another_process(&go); /* a rollback journal locks readers out */
    assert_int_equal(0, pthread_create(&thread, NULL, let_go_soon, &go));
    int64_t began = hy_monotonic_ns();
    source = open_file(); /* and changes the journal mode: needs the lock */
    assert_string_equal(one(source, "SELECT sum(a) FROM t"), "100");
    assert_true(hy_monotonic_ns() - began > 50 * (int64_t)MS);
    pthread_join(thread, NULL);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    close(go);
    assert_string_equal(one(source, "PRAGMA journal_mode"), "wal");
    hy_source_unref(source);
}

static void a_stale_snapshot_is_a_serialization_failure(void **state)
{
    hy_source *source = open_file(), *other = open_file();
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_lease *lease = acquire(source);
    const hy_run_options on = {.lease = lease};
    run_with(source, &on, "BEGIN");
    assert_string_equal(one_with(source, &on, "SELECT count(*) FROM t", NULL, 0), "0");
    run(other, "INSERT INTO t VALUES (1)");
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_ESERIALIZATION_FAILURE, err,
                 hy_source_execute_raw(source, "INSERT INTO t VALUES (2)", NULL, 0, &on, NULL, &err));
    assert_true(hy_monotonic_ns() - began < 1000 * (int64_t)MS); /* not waited for: it cannot heal */
    assert_int_equal(err.native_code, SQLITE_BUSY_SNAPSHOT);
    hy_lease_release(lease);
    hy_source_unref(source);
    hy_source_unref(other);
}

static void dropping_a_table_that_is_read_is_told(void **state)
{
    hy_source *source = open_memory();
    hy_transaction *trx;
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    run(source, "INSERT INTO t VALUES (1), (2)");
    assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
    const hy_run_options in = {.transaction = trx};
    hy_cursor *cursor = query_binds(source, &in, "SELECT a FROM t", NULL, 0);
    (void)fetch(cursor);
    run_with(source, &in, "UPDATE t SET a = a + 10"); /* statements may interleave */
    assert_fails(HY_EDATABASE_ERROR, err,
                 hy_source_execute_raw(source, "DROP TABLE t", NULL, 0, &in, NULL, &err));
    assert_non_null(strstr(err.message, "still open"));
    (void)fetch(cursor);
    hy_cursor_finish(cursor);
    run_with(source, &in, "DROP TABLE t");
    hy_cursor_free(cursor);
    hy_transaction_free(trx);
    hy_source_unref(source);
}

/* Reading takes no ticket, whatever the transaction does with savepoints. */
static void a_read_only_transaction_lets_writers_by(void **state)
{
    hy_source *source = open_file();
    const hy_transaction_options reading = {.read_only = true};
    hy_transaction *trx;
    hy_error err;
    size_t depth;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    assert_int_equal(HY_OK, hy_source_begin(source, &reading, &trx, &err));
    const hy_run_options in = {.transaction = trx};
    assert_string_equal(one_with(source, &in, "SELECT count(*) FROM t", NULL, 0), "0");
    assert_int_equal(HY_OK, hy_transaction_savepoint(trx, &depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    assert_fails(HY_EREAD_ONLY, err,
                 hy_source_execute_raw(source, "DELETE FROM t", NULL, 0, &in, NULL, &err));
    assert_fails(HY_EREAD_ONLY, err,
                 hy_source_execute_raw(source, "CREATE TABLE u (a)", NULL, 0, &in, NULL, &err));
    assert_false(hy_transaction_lease(trx)->has_ticket);
    run(source, "INSERT INTO t VALUES (1)"); /* somebody else, meanwhile */
    assert_string_equal(one_with(source, &in, "SELECT count(*) FROM t", NULL, 0), "0"); /* its own snapshot */
    assert_int_equal(HY_OK, hy_transaction_rollback_to(trx, depth, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    assert_false(hy_transaction_lease(trx)->has_ticket);
    assert_int_equal(HY_OK, hy_transaction_commit(trx, &err));
    assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    hy_transaction_free(trx);
    assert_string_equal(one(source, "SELECT count(*) FROM t"), "1");
    hy_source_unref(source);
}

/* A deferred foreign key is looked at by COMMIT: refused, rolled back, told. */
static void a_deferred_key_fails_at_commit(void **state)
{
    hy_source *source = open_memory();
    hy_transaction *trx;
    hy_error err;

    (void)state;
    run(source, "CREATE TABLE a (id INTEGER PRIMARY KEY)");
    run(source, "CREATE TABLE b (a_id INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)");
    assert_int_equal(HY_OK, hy_source_begin(source, NULL, &trx, &err));
    const hy_run_options in = {.transaction = trx};
    run_with(source, &in, "INSERT INTO b VALUES (9)");
    assert_int_equal(HY_OK, hy_transaction_commit(trx, &err));
    assert_fails(HY_EFOREIGN_KEY_VIOLATION, err, hy_transaction_run(trx, &err));
    assert_int_equal(hy_transaction_get_state(trx), HY_TRX_FINISHED);
    hy_transaction_free(trx);
    assert_string_equal(one(source, "SELECT count(*) FROM b"), "0");
    hy_source_unref(source);
}

/* ---- time -------------------------------------------------------------------------------- */

static const char endless[] =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

static void a_deadline_stops_an_endless_statement(void **state)
{
    hy_source *source = open_memory();
    hy_error err;
    const hy_run_options hurried = {.timeout = 100};

    (void)state;
    int64_t began = hy_monotonic_ns();
    assert_fails(HY_EQUERY_TIMEOUT, err,
                 hy_source_execute_raw(source, endless, NULL, 0, &hurried, NULL, &err));
    int64_t took = hy_monotonic_ns() - began;
    printf("    stopped after %lld ms of 100\n", (long long)(took / MS));
    assert_true(took >= 99 * (int64_t)MS && took < 600 * (int64_t)MS);
    assert_string_equal(one(source, "SELECT 1"), "1"); /* the connection is fine, and without a deadline */
    hy_source_unref(source);
}

/* Rows that come slowly: the deadline holds for fetching as well. */
static void a_deadline_covers_fetching(void **state)
{
    hy_source *source = open_memory();
    hy_error err;
    const hy_value *row;
    const hy_run_options hurried = {.timeout = 60, .may_block = true};
    static const char sql[] =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
        " WHERE i = 1 OR i > 1000000000000";

    (void)state;
    hy_cursor *cursor = query_binds(source, &hurried, sql, NULL, 0);
    assert_int_equal(fetch(cursor)[0].as.integer, 1);
    assert_fails(HY_EQUERY_TIMEOUT, err, hy_cursor_fetch(cursor, &row, &err));
    assert_fails(HY_ECLOSED, err, hy_cursor_fetch(cursor, &row, &err));
    assert_string_equal(one(source, "SELECT 1"), "1");
    hy_cursor_free(cursor);
    hy_source_unref(source);
}

static void *cancel_soon(void *ctx)
{
    sleep_ms(60);
    hy_cursor_cancel(ctx);
    return NULL;
}

/* Start on the lease and run to the first row or the end. */
static hy_status try_on(hy_cursor *cursor, hy_lease *lease, const char *sql, hy_error *err)
{
    const hy_run_options on = {.lease = lease, .may_block = true};
    hy_status status =
        hy_cursor_start_raw(cursor, hy_lease_source(lease), sql, strlen(sql), NULL, NULL, 0, &on, err);

    return status == HY_OK ? hy_task_run(hy_cursor_task(cursor), err) : status;
}

/* The one that is cancelled ends, others of its connection go on. */
static void another_thread_can_cancel(void **state)
{
    hy_source *source = open_memory();
    hy_lease *lease = acquire(source);
    hy_cursor *cursor = hy_cursor_new(), *other = hy_cursor_new();
    const hy_value *row;
    hy_error err;
    pthread_t thread;

    (void)state;
    assert_int_equal(HY_OK, try_on(other, lease, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(other, &row, &err));
    hy_cursor_cancel(cursor); /* nothing runs: no harm */
    assert_int_equal(HY_OK, try_on(cursor, lease, "SELECT 1", &err));
    int64_t began = hy_monotonic_ns();
    assert_int_equal(0, pthread_create(&thread, NULL, cancel_soon, cursor));
    assert_fails(HY_EQUERY_CANCELED, err, try_on(cursor, lease, endless, &err));
    assert_in_range((hy_monotonic_ns() - began) / (int64_t)MS, 59, 160);
    pthread_join(thread, NULL);
    assert_int_equal(HY_OK, hy_cursor_fetch(other, &row, &err));
    assert_int_equal(row[0].as.integer, 2);
    assert_int_equal(HY_OK, try_on(cursor, lease, "SELECT 1", &err));
    hy_cursor_cancel(cursor); /* its row is there, but was not asked for */
    assert_fails(HY_EQUERY_CANCELED, err, hy_cursor_fetch(cursor, &row, &err));
    assert_int_equal(HY_OK, hy_cursor_fetch(other, &row, &err));
    hy_cursor_free(cursor);
    hy_cursor_free(other);
    hy_lease_release(lease);
    hy_source_unref(source);
}

/* ---- a full disk -------------------------------------------------------------------------- */

static void a_full_disk_ends_the_transaction(void **state)
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

/* ---- decimals ---------------------------------------------------------------------------- */

static void decimals_kept_as_text_compare_as_numbers(void **state)
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
static void the_collation_is_a_total_order(void **state)
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

static void sums_are_exact(void **state)
{
    static const struct {
        const char *values, *sum, *avg;
    } cases[] = {
        {"SELECT 1 WHERE 0", "NULL", "NULL"},
        {"VALUES (NULL), (NULL)", "NULL", "NULL"},
        {"VALUES (1), (2), (NULL)", "3", "1.5000"},
        {"VALUES (0.1), (0.2)", "0.3", "0.15000"},
        {"VALUES ('0.10'), ('0.20'), (1)", "1.30", "0.433333"},
        {"VALUES (9223372036854775807), (9223372036854775807), (1)", "18446744073709551615",
         "6148914691236517205.0000"},
        {"VALUES (-9223372036854775807 - 1), (-1)", "-9223372036854775809", "-4611686018427387904.5000"},
        {"VALUES ('99999999999999999999.99'), ('0.01')", "100000000000000000000.00",
         "50000000000000000000.000000"},
        {"VALUES ('1e3'), (1)", "1001", "500.5000"},
        {"VALUES (1), (1), (0), (0), (0), (0), (0)", "2", "0.2857"},
        {"VALUES ('0.00005'), (0)", "0.00005", "0.000025000"},
        {"VALUES (-2), (-1), (0)", "-3", "-1.0000"},
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
static void sums_agree_with_integers(void **state)
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

static void two_numbers_are_exact(void **state)
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

static void sums_slide_over_windows(void **state)
{
    hy_source *source = open_memory();

    (void)state;
    assert_string_equal(one(source,
                            "SELECT group_concat(s, ' ') FROM (SELECT hysteria_sum(column1) OVER (ORDER BY"
                            " column1 ROWS 1 PRECEDING) AS s FROM (VALUES (1), (2), (0.5), (4)))"),
                        "0.5 1.5 3.0 6.0");
    hy_source_unref(source);
}

/* ---- sessions ---------------------------------------------------------------------------- */

static void a_changed_session_is_restored(void **state)
{
    hy_source *source = open_memory();
    hy_error err;
    hy_pool_stats stats;

    (void)state;
    run(source, "CREATE TABLE keep (a)");
    run(source, "PRAGMA foreign_keys = OFF");
    assert_string_equal(one(source, "PRAGMA foreign_keys"), "1");
    run(source, "PRAGMA query_only = ON");
    run(source, "INSERT INTO keep VALUES (1)");
    run(source, "PRAGMA case_sensitive_like = OFF");
    assert_string_equal(one(source, "SELECT 'a' LIKE 'A'"), "0");
    run(source, "CREATE TEMP TABLE \"te\"\"mp\" (a)");
    assert_fails(HY_EUNDEFINED_TABLE, err, try_run(source, "SELECT * FROM \"te\"\"mp\"", &err));
    run(source, "/* x */ create table temp.other (a)");
    assert_fails(HY_EUNDEFINED_TABLE, err, try_run(source, "SELECT * FROM other", &err));
    run(source, "ATTACH ':memory:' AS \"side car\"");
    assert_string_equal(one(source, "SELECT count(*) FROM pragma_database_list WHERE name = 'side car'"),
                        "0");
    assert_string_equal(one(source, "SELECT count(*) FROM keep"), "1");
    hy_source_stats(source, &stats);
    assert_int_equal(stats.created, 1); /* a private database survives all that */

    /* on a lease of one's own it stays as it was set */
    hy_lease *lease = acquire(source);
    const hy_run_options on = {.lease = lease};
    run_with(source, &on, "CREATE TEMP TABLE mine (a)");
    run_with(source, &on, "INSERT INTO mine VALUES (3)");
    assert_string_equal(one_with(source, &on, "SELECT a FROM mine", NULL, 0), "3");
    hy_lease_release(lease);
    hy_source_unref(source);
}

/* ---- writers ----------------------------------------------------------------------------- */

enum { WRITERS = 8 };
typedef struct writer {
    hy_source *source;
    pthread_t thread;
    atomic_bool *stop;
    int commits;
    int64_t longest;
    hy_status status;
    char message[128];
} writer;

/* Read, modify, write: the case where deferred transactions run into each other. */
static hy_status transfer(hy_source *source, hy_error *err)
{
    hy_transaction *trx;
    hy_status status = hy_source_begin(source, NULL, &trx, err);

    if (status != HY_OK)
        return status;
    const hy_run_options in = {.transaction = trx};
    status = hy_source_execute_raw(source, "SELECT n FROM counter", NULL, 0, &in, NULL, err);
    if (status == HY_OK)
        status = hy_source_execute_raw(source, "UPDATE counter SET n = n + 1", NULL, 0, &in, NULL, err);
    if (status == HY_OK)
        status = hy_transaction_commit(trx, err);
    if (status == HY_OK)
        status = hy_transaction_run(trx, err);
    hy_transaction_free(trx);
    return status;
}

static void *write_until_stopped(void *ctx)
{
    writer *w = ctx;
    hy_error err;

    while (!atomic_load(w->stop) && w->status == HY_OK) {
        int64_t began = hy_monotonic_ns();
        w->status = transfer(w->source, &err);
        int64_t took = hy_monotonic_ns() - began;
        if (took > w->longest)
            w->longest = took;
        if (w->status == HY_OK)
            w->commits++;
        else
            snprintf(w->message, sizeof w->message, "%.120s", err.message);
    }
    return NULL;
}

static void writers_are_served_alike(void **state)
{
    hy_source *source = open_file();
    writer writers[WRITERS];
    atomic_bool stop = false;
    int least = INT32_MAX, most = 0, total = 0;
    int64_t longest = 0;

    (void)state;
    run(source, "CREATE TABLE counter (n INTEGER)");
    run(source, "INSERT INTO counter VALUES (0)");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.source = source, .stop = &stop};
        assert_int_equal(0, pthread_create(&writers[i].thread, NULL, write_until_stopped, &writers[i]));
    }
    sleep_ms(3000);
    atomic_store(&stop, true);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        if (writers[i].status != HY_OK)
            fail_msg("a writer saw %s: %s", hy_status_name(writers[i].status), writers[i].message);
        least = writers[i].commits < least ? writers[i].commits : least;
        most = writers[i].commits > most ? writers[i].commits : most;
        longest = writers[i].longest > longest ? writers[i].longest : longest;
        total += writers[i].commits;
    }
    printf("    %d commits, %d to %d a thread, longest %lld us\n", total, least, most,
           (long long)(longest / 1000));
    assert_true(least > 50);
    assert_true(most < least * 1.2);
    char expected[32];
    snprintf(expected, sizeof expected, "%d", total);
    assert_string_equal(one(source, "SELECT n FROM counter"), expected);
    hy_source_unref(source);
}

/* ---- fork -------------------------------------------------------------------------------- */

/* Descriptors of this process that are open on the database file itself. */
static int open_handles(void)
{
    char path[64], target[96];
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(path, target, sizeof target - 1);
        target[size > 0 ? size : 0] = '\0';
        n += strcmp(target, file) == 0;
    }
    return n;
}

static int child_of(hy_source *source, hy_lease *held)
{
    const hy_run_options on = {.lease = held};
    hy_error err;
    int inherited = open_handles();

    if (hy_source_execute_raw(source, "INSERT INTO t VALUES (66)", NULL, 0, &on, NULL, &err) != HY_ECLOSED)
        return 1; /* an inherited connection must refuse */
    hy_lease_release(held);
    if (inherited != 1 || open_handles() != inherited)
        return 3; /* closing would drop the parent's locks and journal */
    if (hy_source_execute_raw(source, "INSERT INTO t VALUES (2)", NULL, 0, NULL, NULL, &err) != HY_OK)
        return 2; /* a new one of its own is fine */
    hy_source_unref(source);
    return 0;
}

static void a_child_does_not_touch_inherited_connections(void **state)
{
    hy_source *source = open_file();
    int status;

    (void)state;
    run(source, "CREATE TABLE t (a)");
    hy_lease *held = acquire(source); /* the only one: SQLite would keep handles open for others */
    const hy_run_options on = {.lease = held};
    run_with(source, &on, "INSERT INTO t VALUES (1)");
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child_of(source, held));
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    run_with(source, &on, "INSERT INTO t VALUES (3)");
    assert_string_equal(one(source, "SELECT group_concat(a) FROM t"), "1,2,3");
    assert_string_equal(one(source, "PRAGMA integrity_check"), "ok");
    hy_lease_release(held);
    hy_source_unref(source);
}

/* ---- memory that ends --------------------------------------------------------------------- */

static sqlite3_mem_methods libc_methods;
static hy_test_heap inside; /* SQLite's own allocations, while `counting` */
static bool counting;

static bool refuse_inside(void)
{
    if (!counting)
        return false;
    inside.calls++;
    return inside.fail_at > 0 &&
           (inside.calls == inside.fail_at || (inside.fail_on && inside.calls > inside.fail_at));
}

static void *malloc_inside(int size)
{
    return refuse_inside() ? NULL : libc_methods.xMalloc(size);
}

static void *realloc_inside(void *ptr, int size)
{
    return refuse_inside() ? NULL : libc_methods.xRealloc(ptr, size);
}

static void wrap_sqlite_memory(void)
{
    assert_int_equal(SQLITE_OK, sqlite3_config(SQLITE_CONFIG_GETMALLOC, &libc_methods));
    sqlite3_mem_methods wrapped = libc_methods;
    wrapped.xMalloc = malloc_inside;
    wrapped.xRealloc = realloc_inside;
    assert_int_equal(SQLITE_OK, sqlite3_config(SQLITE_CONFIG_MALLOC, &wrapped));
    assert_int_equal(SQLITE_OK, sqlite3_initialize());
}

/* True if all of it worked. Half of it must never be seen. */
static bool move_money(hy_source *source)
{
    hy_bind binds[] = {{.value = hy_text("ada")}, {.value = hy_bytes(HY_DECIMAL, "1.5", 3)}};
    hy_transaction *trx;
    hy_error err;

    if (hy_source_begin(source, NULL, &trx, &err) != HY_OK)
        return false;
    const hy_run_options in = {.transaction = trx};
    bool done =
        hy_source_execute_raw(source, "INSERT INTO moves (who, v) VALUES (?, ?)", binds, 2, &in, NULL,
                              &err) == HY_OK &&
        hy_source_execute_raw(source, "INSERT INTO moves (who, v) VALUES (?, ? )", binds, 2, &in, NULL,
                              &err) == HY_OK &&
        hy_source_execute_raw(source, "SELECT hysteria_sum(v), who FROM moves GROUP BY who ORDER BY v", NULL,
                              0, &in, NULL, &err) == HY_OK &&
        hy_transaction_commit(trx, &err) == HY_OK && hy_transaction_run(trx, &err) == HY_OK;
    hy_transaction_free(trx);
    return done;
}

static void sweep(bool in_sqlite, bool and_on)
{
    long n = 1, reached = 1, refused = 0;

    for (; reached; n++) {
        hy_test_heap heap = {.fail_at = in_sqlite ? 0 : n, .fail_on = and_on};
        remove_files();
        hy_source *source = open_file();
        run(source, "CREATE TABLE moves (id INTEGER PRIMARY KEY, who TEXT, v TEXT COLLATE hysteria_decimal)");
        inside = (hy_test_heap){.fail_at = in_sqlite ? n : 0, .fail_on = and_on};
        hy_source_unref(source);
        hy_test_use_heap(&heap);
        counting = true;
        hy_source_config config = config_of(file);
        hy_error err;
        bool done = false;
        if (hy_source_open(&config, &source, &err) == HY_OK) {
            done = move_money(source);
            reached = in_sqlite ? inside.calls >= n : heap.calls >= n;
            counting = false;
            heap.fail_at = 0;
            heap.fail_on = false;
            const char *count = one(source, "SELECT count(*) FROM moves");
            assert_string_equal(count, done ? "2" : "0");
            run(source, "INSERT INTO moves (who) VALUES ('later')");
            hy_source_unref(source);
        }
        counting = false;
        refused += !done;
        assert_int_equal(heap.live, 0);
        hy_test_use_heap(NULL);
    }
    printf("    %ld places, %ld refusals\n", n - 1, refused);
    assert_true(n > 20 && refused > 10);
}

static void survives_the_end_of_memory(void **state)
{
    (void)state;
    sweep(false, false);
    sweep(false, true);
}

static void survives_the_end_of_memory_inside_sqlite(void **state)
{
    (void)state;
    sweep(true, false);
    sweep(true, true);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(a_session_is_safe_by_default),
        T(options_come_true),
        T(what_cannot_be_opened_says_why),
        T(a_missing_file_is_made_only_if_wanted),
        T(a_damaged_file_is_told),
        T(a_file_that_may_not_be_opened_is_told),
        T(a_read_only_connection_never_writes),
        T(private_databases_have_one_connection),
        T(values_come_back),
        T(what_would_be_kept_changed_is_refused),
        T(large_values_come_back),
        T(kinds_follow_the_declaration),
        T(counts_what_was_written),
        T(a_changed_table_is_read_anew),
        T(errors_are_told_apart),
        T(one_statement_may_be_followed_by_nothing),
        T(the_driver_checks_its_arguments),
        T(waits_for_another_process),
        T(opening_waits_too),
        T(a_stale_snapshot_is_a_serialization_failure),
        T(dropping_a_table_that_is_read_is_told),
        T(a_read_only_transaction_lets_writers_by),
        T(a_deferred_key_fails_at_commit),
        T(a_deadline_stops_an_endless_statement),
        T(a_deadline_covers_fetching),
        T(another_thread_can_cancel),
        T(a_full_disk_ends_the_transaction),
        T(decimals_kept_as_text_compare_as_numbers),
        T(the_collation_is_a_total_order),
        T(sums_are_exact),
        T(sums_agree_with_integers),
        T(two_numbers_are_exact),
        T(sums_slide_over_windows),
        T(a_changed_session_is_restored),
        T(writers_are_served_alike),
        T(a_child_does_not_touch_inherited_connections),
        T(survives_the_end_of_memory),
        T(survives_the_end_of_memory_inside_sqlite),
    };
#undef T
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(file, sizeof file, "%s/test.db", directory);
    wrap_sqlite_memory();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_files();
    rmdir(directory);
    return failed;
}
