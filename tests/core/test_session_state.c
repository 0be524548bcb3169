/*
 * Nothing that one borrower does to a session reaches the next. A table: what is done, how it
 * can be seen, and what a session that nobody used answers. The pool has one connection. A row
 * whose doing does not show to the one who did it proves nothing and fails.
 */
#include "servers.h"

#include <stdio.h>
#include <unistd.h>

#include <driver/mysql_driver.h>
#include <driver/postgres_driver.h>
#include <hysteria/datetime.h>

enum {
    ANSWER = 200,
    MOST_STEPS = 5,
    PG = 1 << SERVER_POSTGRES,
    MARIA = 1 << SERVER_MARIADB,
    MY = 1 << SERVER_MYSQL
};
enum { BOTH = MARIA | MY };

typedef struct dirt {
    const char *what;
    unsigned where;
    const char *make[MOST_STEPS]; /* run one after the other on one lease */
    const char *look;
    const char *clean; /* the answer of a fresh session; NULL: whatever that is */
} dirt;

/* Of this session: one that has ended drops its own a moment later, like locks. */
#define MY_TEMP \
    "SELECT count(*) FROM pg_class WHERE relname = '$T_temp' AND relnamespace = pg_my_temp_schema()"

/* $T is a table, $R a role, $K a number: of this process alone. */
static const dirt postgres_dirt[] = {
    {"a setting", PG, {"SET work_mem = '123kB'"}, "SHOW work_mem", "4MB"},
    {"a setting by a function",
     PG,
     {"SELECT set_config('lock_timeout', '12345', false)"},
     "SHOW lock_timeout",
     "0"},
    {"a setting in a transaction",
     PG,
     {"BEGIN", "SET statement_timeout = 34567", "COMMIT"},
     "SHOW statement_timeout",
     "0"},
    {"a setting by a DO block",
     PG,
     {"DO $$BEGIN PERFORM set_config('work_mem', '99kB', false); END$$"},
     "SHOW work_mem",
     "4MB"},
    {"a setting by somebody's function", PG, {"SELECT $T_set()"}, "SHOW work_mem", "4MB"},
    {"what a literal meant when its statement was prepared",
     PG,
     {"SET client_encoding = latin1", "SELECT octet_length('\303\251')", "SELECT octet_length('\303\251')"},
     "SELECT octet_length('\303\251')",
     "2"},
    {"what a date meant when its statement was prepared",
     PG,
     {"SET DateStyle = DMY", "SELECT extract(month FROM date '02/03/2001')::int",
      "SELECT extract(month FROM date '02/03/2001')::int"},
     "SELECT extract(month FROM date '02/03/2001')::int",
     "2"},
    {"a variable of one's own",
     PG,
     {"SET hy.secret = 'canary'"},
     "SELECT coalesce(nullif(current_setting('hy.secret', true), ''), 'none')",
     "none"},
    {"search_path", PG, {"SET search_path = pg_catalog"}, "SHOW search_path", "\"$user\", public"},
    {"the encoding", PG, {"SET client_encoding = 'LATIN1'"}, "SHOW client_encoding", "UTF8"},
    {"the time zone", PG, {"SET TIME ZONE 'Asia/Tokyo'"}, "SHOW timezone", "UTC"},
    {"the style of dates", PG, {"SET datestyle = 'German'"}, "SHOW datestyle", "ISO, MDY"},
    {"the style of strings",
     PG,
     {"SET standard_conforming_strings = off"},
     "SHOW standard_conforming_strings",
     "on"},
    {"the style of bytes", PG, {"SET bytea_output = 'escape'"}, "SHOW bytea_output", "hex"},
    {"a role", PG, {"SET ROLE $R"}, "SELECT (current_user = session_user)::text", "true"},
    {"another user", PG, {"SET SESSION AUTHORIZATION $R"}, "SELECT (current_user = '$R')::text", "false"},
    {"the isolation of later transactions",
     PG,
     {"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
     "SHOW transaction_isolation",
     "read committed"},
    {"later transactions that only read",
     PG,
     {"SET default_transaction_read_only = on"},
     "SHOW transaction_read_only",
     "off"},
    {"a temporary table", PG, {"CREATE TEMP TABLE $T_temp (n int)"}, MY_TEMP, "0"},
    {"a temporary table by SELECT INTO", PG, {"SELECT 1 AS n INTO TEMPORARY $T_temp"}, MY_TEMP, "0"},
    {"a temporary table by its schema", PG, {"CREATE TABLE pg_temp.$T_temp (n int)"}, MY_TEMP, "0"},
    {"a temporary function",
     PG,
     {"CREATE FUNCTION pg_temp.$T_temp() RETURNS int LANGUAGE sql AS 'SELECT 1'"},
     "SELECT count(*) FROM pg_proc WHERE proname = '$T_temp' AND pronamespace = pg_my_temp_schema()",
     "0"},
    {"a temporary table that hides a real one",
     PG,
     {"CREATE TEMP TABLE $T (n int)", "INSERT INTO $T VALUES (77)"},
     "SELECT count(*) FROM $T",
     "0"},
    {"an advisory lock",
     PG,
     {"SELECT pg_advisory_lock($K)"},
     "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $K AND pid = pg_backend_pid()",
     "0"},
    {"an advisory lock below WITH",
     PG,
     {"WITH a AS (SELECT pg_try_advisory_lock_shared($K) AS got) SELECT got FROM a"},
     "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $K AND pid = pg_backend_pid()",
     "0"},
    {"LISTEN", PG, {"LISTEN $T"}, "SELECT count(*) FROM pg_listening_channels()", "0"},
    {"a prepared statement",
     PG,
     {"PREPARE $T AS SELECT 1"},
     "SELECT count(*) FROM pg_prepared_statements WHERE name = '$T'",
     "0"},
    {"a cursor that outlives its transaction",
     PG,
     {"BEGIN", "DECLARE $T CURSOR WITH HOLD FOR SELECT 1", "COMMIT"},
     "SELECT count(*) FROM pg_cursors WHERE name = '$T'",
     "0"},
    {"a cursor in an open transaction",
     PG,
     {"BEGIN", "DECLARE $T CURSOR FOR SELECT generate_series(1, 10000)", "FETCH 3 FROM $T"},
     "SELECT count(*) FROM pg_cursors WHERE name = '$T'",
     "0"},
    {"an open transaction", PG, {"BEGIN", "INSERT INTO $T VALUES (1)"}, "SELECT count(*) FROM $T", "0"},
    {"a transaction that failed", PG, {"BEGIN", "!SELECT 1 / 0"}, "SELECT count(*) FROM $T", "0"},
    {"an open savepoint",
     PG,
     {"BEGIN", "INSERT INTO $T VALUES (1)", "SAVEPOINT a", "INSERT INTO $T VALUES (2)"},
     "SELECT count(*) FROM $T",
     "0"},
    {"locks of a transaction",
     PG,
     {"BEGIN", "LOCK TABLE $T IN ACCESS EXCLUSIVE MODE"},
     "SELECT count(*) FROM pg_locks WHERE relation = '$T'::regclass AND mode = 'AccessExclusiveLock' AND pid "
     "= pg_backend_pid()",
     "0"},
    {"what a sequence gave", PG, {"SELECT nextval('$T_seq')"}, "SELECT lastval()", "error 55000"},
};

static const dirt mysql_dirt[] = {
    {"sql_mode", BOTH, {"SET SESSION sql_mode = 'ANSI'"}, "SELECT @@sql_mode", NULL},
    {"a limit", BOTH, {"SET SESSION group_concat_max_len = 77"}, "SELECT @@group_concat_max_len", NULL},
    {"the time zone", BOTH, {"SET time_zone = '+09:00'"}, "SELECT @@time_zone", "+00:00"},
    {"checks switched off", BOTH, {"SET foreign_key_checks = 0"}, "SELECT @@foreign_key_checks", "1"},
    {"the time a session may idle", BOTH, {"SET wait_timeout = 77"}, "SELECT @@wait_timeout", NULL},
    {"a user variable", BOTH, {"SET @hy = 'canary'"}, "SELECT @hy", "NULL"},
    {"a user variable by SELECT", BOTH, {"SELECT 'canary' INTO @hy"}, "SELECT @hy", "NULL"},
    {"the character set", BOTH, {"SET NAMES latin1"}, "SELECT @@character_set_client", "utf8mb4"},
    {"the character set of results",
     BOTH,
     {"SET character_set_results = 'latin1'"},
     "SELECT @@character_set_results",
     "utf8mb4"},
    {"the collation",
     BOTH,
     {"SET collation_connection = utf8mb4_bin"},
     "SELECT @@collation_connection",
     NULL},
    {"the database", BOTH, {"USE mysql"}, "SELECT DATABASE()", NULL},
    {"autocommit", BOTH, {"SET autocommit = 0"}, "SELECT @@autocommit", "1"},
    {"autocommit, and a row",
     BOTH,
     {"SET autocommit = 0", "INSERT INTO $T VALUES (1)"},
     "SELECT COUNT(*) FROM $T",
     "0"},
    {"the isolation of later transactions",
     MARIA,
     {"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
     "SELECT @@tx_isolation",
     "REPEATABLE-READ"},
    {"the isolation of later transactions",
     MY,
     {"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
     "SELECT @@transaction_isolation",
     "REPEATABLE-READ"},
    {"the isolation of the next transaction",
     BOTH,
     {"SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"},
     "BEGIN; INSERT INTO $T VALUES (1); DO SLEEP(0.2); SELECT trx_isolation_level FROM "
     "information_schema.innodb_trx WHERE "
     "trx_mysql_thread_id = CONNECTION_ID()",
     "REPEATABLE READ"},
    {"the next transaction only reads",
     BOTH,
     {"SET TRANSACTION READ ONLY"},
     "BEGIN; INSERT INTO $T VALUES (1); SELECT COUNT(*) FROM $T",
     "1"},
    {"a temporary table",
     BOTH,
     {"CREATE TEMPORARY TABLE $T_temp (n INT)"},
     "SELECT COUNT(*) FROM $T_temp",
     "error 1146"},
    {"a temporary table that hides a real one",
     BOTH,
     {"CREATE TEMPORARY TABLE $T (n INT)", "INSERT INTO $T VALUES (77)"},
     "SELECT COUNT(*) FROM $T",
     "0"},
    {"GET_LOCK", BOTH, {"SELECT GET_LOCK('$T', 0)"}, "SELECT IS_FREE_LOCK('$T')", "1"},
    {"GET_LOCK with a comment in it",
     BOTH,
     {"SELECT GET_LOCK/* in the hand */('$T', 0)"},
     "SELECT IS_FREE_LOCK('$T')",
     "1"},
    {"GET_LOCK with a remark in it",
     BOTH,
     {"SELECT GET_LOCK -- and count\n('$T', 0)"},
     "SELECT IS_FREE_LOCK('$T')",
     "1"},
    {"GET_LOCK by DO", BOTH, {"DO GET_LOCK('$T', 0)"}, "SELECT IS_FREE_LOCK('$T')", "1"},
    {"LOCK TABLES", BOTH, {"LOCK TABLES $T READ"}, "SELECT COUNT(*) FROM $T_other", "0"},
    {"a prepared statement", BOTH, {"PREPARE hy_p FROM 'SELECT 1'"}, "EXECUTE hy_p", "error 1243"},
    {"a handler", BOTH, {"HANDLER $T OPEN AS hy_h"}, "HANDLER hy_h READ FIRST", "error 1109"},
    {"an open transaction", BOTH, {"BEGIN", "INSERT INTO $T VALUES (1)"}, "SELECT COUNT(*) FROM $T", "0"},
    {"a transaction of the other word",
     BOTH,
     {"START TRANSACTION", "INSERT INTO $T VALUES (1)", "SAVEPOINT a"},
     "SELECT COUNT(*) FROM $T",
     "0"},
    {"a distributed transaction",
     BOTH,
     {"XA START '$T'", "INSERT INTO $T VALUES (1)"},
     "SELECT COUNT(*) FROM $T",
     "0"},
    {"a role", BOTH, {"SET ROLE $R"}, "SELECT COALESCE(CURRENT_ROLE(), 'NONE')", "NONE"},
    {"by a procedure", BOTH, {"CALL $T_do()"}, "SELECT @@group_concat_max_len", NULL},
    {"by a function", BOTH, {"SELECT $T_set()"}, "SELECT @hy", "NULL"},
    {"by a function, in a place that writes",
     BOTH,
     {"INSERT INTO $T VALUES ($T_set())"},
     "SELECT @hy",
     "NULL"},
    {"the last key that was made", BOTH, {"DO LAST_INSERT_ID(42)"}, "SELECT LAST_INSERT_ID()", "0"},
    {"a comment that runs",
     BOTH,
     {"/*!50000 SET SESSION group_concat_max_len = 78 */"},
     "SELECT @@group_concat_max_len",
     NULL},
    {"a block",
     MARIA,
     {"BEGIN NOT ATOMIC SET SESSION group_concat_max_len = 77; END"},
     "SELECT @@group_concat_max_len",
     NULL},
    {"a statement made of text",
     MARIA,
     {"EXECUTE IMMEDIATE 'SET SESSION group_concat_max_len = 77'"},
     "SELECT @@group_concat_max_len",
     NULL},
};

enum { FILES = 1 << SERVER_COUNT, MEMORY = FILES << 1 };
static const dirt sqlite_dirt[] = {
    {"foreign keys", FILES | MEMORY, {"PRAGMA foreign_keys = off"}, "PRAGMA foreign_keys", "1"},
    {"LIKE", FILES | MEMORY, {"PRAGMA case_sensitive_like = off"}, "SELECT 'a' LIKE 'A'", "0"},
    {"only queries", FILES | MEMORY, {"PRAGMA query_only = on"}, "PRAGMA query_only", "0"},
    {"triggers of triggers",
     FILES | MEMORY,
     {"PRAGMA recursive_triggers = on"},
     "PRAGMA recursive_triggers",
     "0"},
    {"no checks",
     FILES | MEMORY,
     {"PRAGMA ignore_check_constraints = on"},
     "PRAGMA ignore_check_constraints",
     "0"},
    {"the order of rows",
     FILES | MEMORY,
     {"PRAGMA reverse_unordered_selects = on"},
     "PRAGMA reverse_unordered_selects",
     "0"},
    {"automatic indexes", FILES | MEMORY, {"PRAGMA automatic_index = off"}, "PRAGMA automatic_index", "1"},
    {"the old ALTER TABLE",
     FILES | MEMORY,
     {"PRAGMA legacy_alter_table = on"},
     "PRAGMA legacy_alter_table",
     "0"},
    {"how safe a commit is", FILES, {"PRAGMA synchronous = off"}, "PRAGMA synchronous", NULL},
    {"the cache", FILES, {"PRAGMA cache_size = 7"}, "PRAGMA cache_size", NULL},
    {"temporary storage", FILES, {"PRAGMA temp_store = memory"}, "PRAGMA temp_store", "0"},
    {"checks of cells", FILES | MEMORY, {"PRAGMA cell_size_check = on"}, "PRAGMA cell_size_check", "0"},
    {"the time to be busy", FILES | MEMORY, {"PRAGMA busy_timeout = 77"}, "PRAGMA busy_timeout", "0"},
    {"names of columns", FILES | MEMORY, {"PRAGMA full_column_names = on"}, "PRAGMA full_column_names", "0"},
    {"checkpoints", FILES, {"PRAGMA wal_autocheckpoint = 7"}, "PRAGMA wal_autocheckpoint", NULL},
    {"the size a database may have", FILES, {"PRAGMA max_page_count = 777"}, "PRAGMA max_page_count", NULL},
    {"erasing", FILES, {"PRAGMA secure_delete = fast"}, "PRAGMA secure_delete", NULL},
    {"a temporary table",
     FILES | MEMORY,
     {"CREATE TEMP TABLE $T_temp (n)"},
     "SELECT count(*) FROM sqlite_temp_master",
     "0"},
    {"a temporary table by its schema",
     FILES | MEMORY,
     {"CREATE TABLE temp.$T_temp (n)", "CREATE INDEX temp.$T_index ON $T_temp (n)"},
     "SELECT count(*) FROM sqlite_temp_master",
     "0"},
    {"a temporary table that hides a real one",
     FILES | MEMORY,
     {"CREATE TEMP TABLE $T (n)", "INSERT INTO $T VALUES (77)"},
     "SELECT count(*) FROM $T",
     "0"},
    {"a temporary view",
     FILES | MEMORY,
     {"CREATE TEMP VIEW $T_temp AS SELECT 1"},
     "SELECT count(*) FROM sqlite_temp_master",
     "0"},
    {"a temporary trigger",
     FILES | MEMORY,
     {"CREATE TEMP TRIGGER $T_temp AFTER INSERT ON main.$T BEGIN DELETE FROM $T; END"},
     "SELECT count(*) FROM sqlite_temp_master",
     "0"},
    {"another database",
     FILES | MEMORY,
     {"ATTACH ':memory:' AS other"},
     "SELECT count(*) FROM pragma_database_list WHERE name = 'other'",
     "0"},
    {"an open transaction",
     FILES | MEMORY,
     {"BEGIN", "INSERT INTO $T VALUES (1)"},
     "SELECT count(*) FROM $T",
     "0"},
    {"a transaction that wants to write",
     FILES | MEMORY,
     {"BEGIN IMMEDIATE", "INSERT INTO $T VALUES (1)"},
     "SELECT count(*) FROM $T",
     "0"},
    {"an open savepoint",
     FILES | MEMORY,
     {"SAVEPOINT a", "INSERT INTO $T VALUES (1)"},
     "SELECT count(*) FROM $T",
     "0"},
    {"keys to be checked later",
     FILES | MEMORY,
     {"BEGIN", "PRAGMA defer_foreign_keys = on"},
     "PRAGMA defer_foreign_keys",
     "0"},
    {"dirty reads", FILES, {"PRAGMA read_uncommitted = on"}, "PRAGMA read_uncommitted", "0"},
    {"the lock for oneself",
     FILES,
     {"PRAGMA locking_mode = exclusive", "INSERT INTO $T VALUES (1)", "DELETE FROM $T"},
     "PRAGMA locking_mode",
     "normal"},
};

/* ---- fixtures --------------------------------------------------------------------------- */

static char table[USER_SIZE], role[USER_SIZE];

static const char *const make_postgres[] = {
    "CREATE TABLE $T (n int)",
    "CREATE SEQUENCE $T_seq",
    "CREATE ROLE $R",
    "CREATE FUNCTION $T_set() RETURNS int LANGUAGE plpgsql AS $$BEGIN SET work_mem = '98kB'; RETURN 1; END$$",
    NULL,
};
static const char *const drop_postgres[] = {
    "DROP TABLE $T", "DROP SEQUENCE $T_seq", "DROP ROLE $R", "DROP FUNCTION $T_set()", NULL,
};
static const char *const make_mysql[] = {
    "CREATE TABLE $T (n INT)",
    "CREATE TABLE $T_other (n INT)",
    "CREATE ROLE $R",
    "GRANT $R TO CURRENT_USER()",
    "CREATE PROCEDURE $T_do() SET SESSION group_concat_max_len = 77",
    "CREATE FUNCTION $T_set() RETURNS INT DETERMINISTIC NO SQL BEGIN SET @hy = 5; RETURN 1; END",
    NULL,
};
static const char *const drop_mysql[] = {
    "DROP TABLE $T",        "DROP TABLE $T_other",  "DROP ROLE $R",
    "DROP PROCEDURE $T_do", "DROP FUNCTION $T_set", NULL,
};

/* $T, $R and $K in the words of this process. */
static const char *expand(char out[ANSWER * 2], const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n + USER_SIZE < ANSWER * 2; text++) {
        const char *word = text[0] != '$' ? NULL : text[1] == 'T' ? table : text[1] == 'R' ? role : NULL;
        if (word != NULL)
            n += (size_t)snprintf(out + n, USER_SIZE, "%s", word);
        else if (text[0] == '$' && text[1] == 'K')
            n += (size_t)snprintf(out + n, USER_SIZE, "%d", (int)getpid());
        else
            out[n++] = *text;
        text += word != NULL || (text[0] == '$' && text[1] == 'K');
    }
    out[n] = '\0';
    return out;
}

static void run_all(const char *const *texts)
{
    char sql[ANSWER * 2];

    for (; *texts != NULL; texts++)
        sql_run((place){.source = server.admin}, "%s", expand(sql, *texts));
}

static void set_up(void)
{
    server_user_name(table, "state");
    server_user_name(role, "role");
    run_all(server.kind == SERVER_POSTGRES ? make_postgres : make_mysql);
}

static void tear_down(void)
{
    run_all(server.kind == SERVER_POSTGRES ? drop_postgres : drop_mysql);
}

/* ---- doing and looking ------------------------------------------------------------------ */

static const char *sqlite_path; /* NULL: a server is tested */

static hy_source *open_one(void)
{
    hy_source_config config = server_config(NULL);

    if (sqlite_path != NULL)
        config = (hy_source_config){.type = "sqlite", .connect = {.database = sqlite_path}};
    config.pool = (hy_pool_config){.max = 1, .acquire_timeout = 5000};
    hy_source *source = server_open(&config);
    if (sqlite_path != NULL && strcmp(sqlite_path, ":memory:") == 0) {
        char sql[ANSWER * 2];
        sql_run((place){.source = source}, "%s", expand(sql, "CREATE TABLE $T (n)"));
    }
    return source;
}

static hy_lease *acquire(hy_source *source)
{
    hy_lease *lease;
    hy_error err;

    if (hy_source_acquire(source, 0, &lease, &err) != HY_OK)
        fail_msg("%s: %s", server.type, err.message);
    return lease;
}

static void answer_error(char out[ANSWER], const hy_error *err)
{
    if (err->sqlstate[0] != '\0' && server.kind == SERVER_POSTGRES)
        (void)snprintf(out, ANSWER, "error %s", err->sqlstate);
    else
        (void)snprintf(out, ANSWER, "error %d", err->native_code);
}

/* The answer to the last of the statements, which "; " parts. */
static void look(place at, const char *texts, char out[ANSWER])
{
    char sql[ANSWER * 2], *next = sql;
    hy_error err;
    int64_t rows;

    expand(sql, texts);
    while (next != NULL) {
        char *end = strstr(next, "; ");
        if (end != NULL)
            *end = '\0';
        if (sql_text(at, out, ANSWER, &rows, &err, next) != HY_OK)
            answer_error(out, &err);
        next = end != NULL ? end + 2 : NULL;
    }
}

/* A statement that begins with an exclamation mark is meant to fail. */
static void make(place at, const dirt *d)
{
    char sql[ANSWER * 2];
    hy_error err;

    for (size_t i = 0; i < MOST_STEPS && d->make[i] != NULL; i++) {
        bool fails = d->make[i][0] == '!';
        hy_status status = sql_try(at, &err, expand(sql, d->make[i] + fails));
        if ((status != HY_OK) != fails)
            fail_msg("%s: %s: %s: %s", server.type, d->what, sql, err.message);
    }
}

static void clear_table(void)
{
    char sql[ANSWER * 2];

    if (sqlite_path == NULL)
        sql_run((place){.source = server.admin}, "%s", expand(sql, "DELETE FROM $T"));
}

/* What the client library believes must be what the server says. */
static void check_charset(hy_source *source, hy_lease *lease, const dirt *d)
{
    place at = {.source = source, .lease = lease};
    hy_connection *c = hy_lease_connection(lease);
    char theirs[ANSWER];

    if (sqlite_path != NULL)
        return;
    if (server.kind == SERVER_POSTGRES) {
        look(at, "SHOW client_encoding", theirs);
        const char *ours = PQparameterStatus(((hy__postgres *)(void *)c)->pg, "client_encoding");
        if (strcmp(ours, theirs) != 0)
            fail_msg("%s: %s: libpq believes in %s, the server in %s", server.type, d->what, ours, theirs);
        return;
    }
    MY_CHARSET_INFO ours;
    mysql_get_character_set_info(((hy__mysql *)(void *)c)->my, &ours);
    look(at, "SELECT @@character_set_client", theirs);
    if (strcmp(ours.csname, theirs) != 0)
        fail_msg("%s: %s: libmariadb believes in %s, the server in %s", server.type, d->what, ours.csname,
                 theirs);
}

/* How many rows did not come out clean, which is said. */
static int check_answer(const dirt *d, const char *how, const char *clean, const char *seen)
{
    if (strcmp(clean, seen) == 0)
        return 0;
    print_error("%s: %s, %s: the next borrower sees %s, not %s\n", server.type, d->what, how, seen, clean);
    return 1;
}

static void fresh_answer(const dirt *d, char clean[ANSWER])
{
    hy_source *source = open_one();
    hy_lease *lease = acquire(source);

    look((place){.source = source, .lease = lease}, d->look, clean);
    hy_lease_release(lease);
    server_shut(source);
    if (d->clean != NULL && strcmp(d->clean, clean) != 0)
        fail_msg("%s: %s: a fresh session answers %s, not %s", server.type, d->what, clean, d->clean);
}

/* Who did it must see it, or nothing was done. */
static void check_shows(const dirt *d, const char *clean)
{
    hy_source *source = open_one();
    hy_lease *lease = acquire(source);
    place at = {.source = source, .lease = lease};
    char seen[ANSWER];

    make(at, d);
    look(at, d->look, seen);
    hy_lease_release(lease);
    server_shut(source);
    if (strcmp(seen, clean) == 0)
        fail_msg("%s: %s: it does not show: %s", server.type, d->what, seen);
}

/* By a lease that is given back. */
static int check_lease(const dirt *d, const char *clean, int *kept)
{
    hy_source *source = open_one();
    hy_lease *lease = acquire(source);
    char seen[ANSWER];

    make((place){.source = source, .lease = lease}, d);
    hy_lease_release(lease);
    lease = acquire(source);
    *kept += server_stats(source).created == 1;
    look((place){.source = source, .lease = lease}, d->look, seen);
    check_charset(source, lease, d);
    hy_lease_release(lease);
    server_shut(source);
    return check_answer(d, "by a lease", clean, seen);
}

/* Each statement on whatever the pool gives, and an error after it. */
static int check_calls(const dirt *d, const char *clean)
{
    char seen[ANSWER];
    hy_error err;

    if (d->make[1] != NULL)
        return 0;
    hy_source *source = open_one();
    make((place){.source = source}, d);
    (void)sql_try((place){.source = source}, &err, "SELECT no_such_thing");
    hy_lease *lease = acquire(source);
    look((place){.source = source, .lease = lease}, d->look, seen);
    hy_lease_release(lease);
    server_shut(source);
    return check_answer(d, "by a call", clean, seen);
}

static int check_row(const dirt *d, int *kept)
{
    char clean[ANSWER];

    clear_table();
    fresh_answer(d, clean);
    int leaks = check_lease(d, clean, kept);
    clear_table();
    leaks += check_calls(d, clean);
    clear_table();
    check_shows(d, clean);
    return leaks;
}

static void check_rows(const dirt *rows, size_t n, unsigned where)
{
    int leaks = 0, kept = 0, kinds = 0;

    for (size_t i = 0; i < n; i++) {
        if ((rows[i].where & where) == 0)
            continue;
        kinds++;
        leaks += check_row(&rows[i], &kept);
    }
    report(
        "session %s: %d kinds of state, %d reached the next borrower; %d sessions were cleaned, %d replaced",
        server.type, kinds, leaks, kept, kinds - kept);
    assert_true(kinds > 0);
    assert_int_equal(leaks, 0);
}

#define CHECK_ROWS(rows, where) check_rows(rows, sizeof rows / sizeof rows[0], where)

static void test_state(void **state)
{
    (void)state;
    set_up();
    if (server.kind == SERVER_POSTGRES)
        CHECK_ROWS(postgres_dirt, PG);
    else
        CHECK_ROWS(mysql_dirt, 1u << server.kind);
    clear_table();
    tear_down();
}

/* ---- results that nobody read to the end --------------------------------------------------- */

static const char *numbers_sql(void)
{
    return server.kind == SERVER_POSTGRES ? "SELECT i FROM generate_series(1, 20000) AS s(i)"
                                          : "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                            "WHERE i < 900) SELECT i FROM n";
}

static hy_cursor *start_numbers(place at)
{
    hy_cursor *cursor = hy_cursor_new();
    hy_run_options options = {.lease = at.lease, .transaction = at.trx, .may_block = true};
    const hy_value *row;
    hy_error err;
    const char *sql = numbers_sql();

    assert_non_null(cursor);
    assert_int_equal(HY_OK,
                     hy_cursor_start_raw(cursor, at.source, sql, strlen(sql), NULL, NULL, 0, &options, &err));
    assert_int_equal(HY_OK, hy_task_run(hy_cursor_task(cursor), &err));
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(HY_OK, hy_cursor_fetch(cursor, &row, &err));
        assert_int_equal(row[0].as.integer, i);
    }
    return cursor;
}

/* The next borrower gets his own rows, whoever left what unread. */
static void test_unfinished(void **state)
{
    hy_source *source = open_one();
    place at = {.source = source};

    (void)state;
    for (int how = 0; how < 3; how++) {
        hy_lease *lease = acquire(source);
        hy_cursor *cursor = start_numbers((place){.source = source, .lease = lease});
        if (how == 0)
            hy_cursor_finish(cursor);
        hy_lease_release(lease); /* before the cursor that runs on it, but for the first */
        assert_int_equal(sql_number(at, "SELECT 4711"), 4711);
        hy_cursor_free(cursor);
        assert_int_equal(sql_number(at, "SELECT 4712"), 4712);
    }
    hy_cursor *alone = start_numbers(at);
    hy_cursor_free(alone);
    assert_int_equal(sql_number(at, "SELECT 4713"), 4713);
    server_shut(source);
}

/* ---- what the options of a transaction leave ---------------------------------------------- */

typedef enum trx_end { END_COMMIT, END_ROLLBACK, END_DROP, END_FAIL, TRX_ENDS } trx_end;

static const char *const end_names[] = {"commit", "rollback", "drop", "failure"};

/* "LEVEL reads" or "LEVEL writes", as the server sees the transaction that runs. */
static void look_at_transaction(place at, char out[ANSWER])
{
    char only[ANSWER] = "", sql[ANSWER * 2];

    if (server.kind == SERVER_POSTGRES) {
        look(at, "SHOW transaction_isolation", out);
        look(at, "SHOW transaction_read_only", only);
        (void)snprintf(out + strlen(out), ANSWER - strlen(out), " %s",
                       strcmp(only, "on") == 0 ? "reads" : "writes");
        return;
    }
    /* A transaction has a row there once it did something; the view is renewed ten times a second. */
    look(at, "SELECT COUNT(*) FROM $T FOR SHARE", only);
    if (strncmp(only, "error", 5) == 0)
        look(at, "SELECT COUNT(*) FROM $T LOCK IN SHARE MODE", only);
    look(at, "DO SLEEP(0.2)", only);
    look(at,
         expand(sql,
                "SELECT CONCAT(LOWER(trx_isolation_level), IF(trx_is_read_only, ' reads', ' writes')) FROM "
                "information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID()"),
         out);
}

static hy_transaction *begin(hy_source *source, const hy_transaction_options *options)
{
    hy_transaction *trx;
    hy_error err;

    if (hy_source_begin(source, options, &trx, &err) != HY_OK)
        fail_msg("%s: %s", server.type, err.message);
    return trx;
}

static void end_transaction(hy_transaction *trx, hy_source *source, trx_end how)
{
    hy_error err;
    hy_status status = HY_OK;

    if (how == END_FAIL)
        (void)sql_try((place){.source = source, .trx = trx}, &err, "SELECT no_such_thing");
    if (how == END_COMMIT)
        status = hy_transaction_commit(trx, &err);
    else if (how == END_ROLLBACK)
        status = hy_transaction_rollback(trx, &err);
    if (how == END_COMMIT || how == END_ROLLBACK) {
        assert_int_equal(HY_OK, status);
        assert_int_equal(HY_OK, hy_transaction_run(trx, &err));
    }
    hy_transaction_free(trx);
}

/* The level that was asked for is the server's, and the default is back for whoever comes next. */
static void test_transaction_options(void **state)
{
    static const char *const levels[] = {
        [HY_ISOLATION_DEFAULT] = NULL,
        [HY_ISOLATION_READ_UNCOMMITTED] = "read uncommitted",
        [HY_ISOLATION_READ_COMMITTED] = "read committed",
        [HY_ISOLATION_REPEATABLE_READ] = "repeatable read",
        [HY_ISOLATION_SERIALIZABLE] = "serializable",
    };
    const char *usual = server.kind == SERVER_POSTGRES ? "read committed" : "repeatable read";
    int cases = 0, wrong = 0;

    (void)state;
    set_up();
    hy_source *source = open_one();
    for (int level = 0; level <= HY_ISOLATION_SERIALIZABLE; level++)
        for (int how = 0; how < TRX_ENDS; how++) {
            bool reads = (level + how) % 2 == 0;
            hy_transaction_options options = {
                .isolation = (hy_isolation)level, .read_only = reads, .timeout = 5000};
            char asked[ANSWER], seen[ANSWER], clean[ANSWER];
            hy_transaction *trx = begin(source, &options);
            look_at_transaction((place){.source = source, .trx = trx}, seen);
            end_transaction(trx, source, (trx_end)how);
            (void)snprintf(asked, sizeof asked, "%s %s", levels[level] != NULL ? levels[level] : usual,
                           reads ? "reads" : "writes");
            wrong += strcmp(asked, seen) != 0;

            trx = begin(source, NULL);
            look_at_transaction((place){.source = source, .trx = trx}, clean);
            hy_transaction_free(trx);
            (void)snprintf(asked, sizeof asked, "%s writes", usual);
            wrong += strcmp(asked, clean) != 0;
            cases += 2;
            if (wrong > 0)
                fail_msg("%s: level %d, %s: in it %s, after it %s", server.type, level, end_names[how], seen,
                         clean);
        }
    server_shut(source);
    tear_down();
    report("session %s: %d transactions with options and after them, %d wrong", server.type, cases, wrong);
}

/* Advance `steps` times, then give up. Was it still on its way? */
static bool begin_and_drop(hy_source *source, int steps)
{
    hy_transaction_options options = {
        .isolation = HY_ISOLATION_SERIALIZABLE, .read_only = true, .timeout = 5000};
    hy_status status = HY_AGAIN;
    hy_transaction *trx;
    hy_error err;

    assert_int_equal(HY_OK, hy_transaction_start(source, &options, &trx, &err));
    for (int i = 0; i < steps && status == HY_AGAIN; i++) {
        hy_wait wait = {.fd = -1, .deadline = HY_NO_DEADLINE};
        status = hy_task_advance(hy_transaction_task(trx), &wait, &err);
        if (i + 1 < steps && status == HY_AGAIN)
            (void)hy_wait_block(&wait);
    }
    hy_transaction_free(trx);
    assert_true(status == HY_OK || status == HY_AGAIN);
    return status == HY_AGAIN;
}

/* Dropped at any step of its beginning: what SET TRANSACTION said must not wait for the next one. */
static void test_dropped_while_beginning(void **state)
{
    enum { WANTED = 10, MOST_TRIES = 5000 };
    const char *usual = server.kind == SERVER_POSTGRES ? "read committed writes" : "repeatable read writes";
    char seen[ANSWER];
    int dropped = 0;

    (void)state;
    set_up();
    hy_source *source = open_one();
    /* A server may answer before it is asked a second time: then there was nothing to drop. */
    for (int tries = 0; tries < MOST_TRIES && dropped < WANTED; tries++) {
        hy_lease_release(acquire(source));
        if (!begin_and_drop(source, 1 + tries % 3))
            continue;
        dropped++;
        hy_transaction *trx = begin(source, NULL);
        look_at_transaction((place){.source = source, .trx = trx}, seen);
        hy_transaction_free(trx);
        assert_string_equal(seen, usual);
    }
    server_shut(source);
    tear_down();
    report("session %s: %d transactions dropped while they began, 0 seen by the next", server.type, dropped);
    assert_int_equal(dropped, WANTED);
}

/* ---- SQLite ------------------------------------------------------------------------------------- */

static char sqlite_file[64];

static void on_sqlite(const char *path)
{
    server = (test_server){.kind = SERVER_COUNT, .type = "sqlite"};
    sqlite_path = path;
    server_user_name(table, "state");
}

static void remove_file(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char path[80];

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", sqlite_file, endings[i]);
        (void)unlink(path);
    }
}

static void test_sqlite_file(void **state)
{
    char sql[ANSWER * 2];

    (void)state;
    (void)snprintf(sqlite_file, sizeof sqlite_file, "/tmp/hy-state-%d.db", (int)getpid());
    on_sqlite(sqlite_file);
    hy_source *source = open_one();
    sql_run((place){.source = source}, "%s", expand(sql, "CREATE TABLE $T (n)"));
    server_shut(source);
    CHECK_ROWS(sqlite_dirt, FILES);
    remove_file();
    sqlite_path = NULL;
}

static void test_sqlite_memory(void **state)
{
    (void)state;
    on_sqlite(":memory:");
    CHECK_ROWS(sqlite_dirt, MEMORY);
    sqlite_path = NULL;
}

/* ---- main --------------------------------------------------------------------------------------- */

#define TEST(name)                           \
    {                                        \
#name, test_##name, NULL, NULL, NULL \
    }
static const struct CMUnitTest tests[] = {
    TEST(state),
    TEST(unfinished),
    TEST(transaction_options),
    TEST(dropped_while_beginning),
};

static const struct CMUnitTest sqlite_tests[] = {
    TEST(sqlite_file),
    TEST(sqlite_memory),
};

int main(int argc, char **argv)
{
    int failed = servers_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
    return failed + cmocka_run_group_tests(sqlite_tests, NULL, NULL);
}
