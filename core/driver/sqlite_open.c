/*
 * sqlite_open.c - opening an SQLite database, and the settings each session has.
 *
 * Safe settings are not for sale: no double-quoted strings, defensive mode, no trusted
 * schema, no extensions. What may be chosen is in `options`; a name that is not there is
 * refused. Nothing here waits: a busy database ends in HY_AGAIN and `setup` goes on later.
 */
#include <string.h>

#include <base/number.h>
#include <base/text.h>

#include "sqlite_driver.h"

typedef enum option_form { FORM_WORD, FORM_INT, FORM_BOOL } option_form;
typedef struct option_row {
    const char *name;
    option_form form;
    bool pragma;         /* set by PRAGMA name=value */
    const char *initial; /* NULL: SQLite's own */
    const char *words[6];
    int64_t min, max;
} option_row;

/* In the order they are set: page_size must come before WAL. */
enum {
    PAGE_SIZE,
    JOURNAL_MODE,
    SYNCHRONOUS,
    CACHE_SIZE,
    MMAP_SIZE,
    TEMP_STORE,
    CHECKPOINT,
    MAX_PAGES,
    FOREIGN_KEYS,
    LIKE,
    BUSY_TIMEOUT,
    URI,
    CREATE,
    N_OPTIONS
};
static const option_row options[N_OPTIONS] = {
    [PAGE_SIZE] = {"page_size", FORM_INT, true, NULL, {NULL}, 512, 65536},
    [JOURNAL_MODE] =
        {"journal_mode", FORM_WORD, true, "wal", {"wal", "delete", "truncate", "persist", "memory"}, 0, 0},
    [SYNCHRONOUS] = {"synchronous", FORM_WORD, true, "normal", {"off", "normal", "full", "extra"}, 0, 0},
    [CACHE_SIZE] = {"cache_size", FORM_INT, true, NULL, {NULL}, INT32_MIN, INT32_MAX},
    [MMAP_SIZE] = {"mmap_size", FORM_INT, true, NULL, {NULL}, 0, INT64_MAX},
    [TEMP_STORE] = {"temp_store", FORM_WORD, true, NULL, {"default", "file", "memory"}, 0, 0},
    [CHECKPOINT] = {"wal_autocheckpoint", FORM_INT, true, NULL, {NULL}, 0, INT32_MAX},
    [MAX_PAGES] = {"max_page_count", FORM_INT, true, NULL, {NULL}, 1, UINT32_MAX},
    [FOREIGN_KEYS] = {"foreign_keys", FORM_BOOL, true, "on", {NULL}, 0, 0},
    [LIKE] = {"case_sensitive_like", FORM_BOOL, true, "on", {NULL}, 0, 0},
    [BUSY_TIMEOUT] = {"busy_timeout", FORM_INT, false, "10000", {NULL}, 0, INT32_MAX},
    [URI] = {"uri", FORM_BOOL, false, "off", {NULL}, 0, 0},
    [CREATE] = {"create", FORM_BOOL, false, "on", {NULL}, 0, 0},
};

typedef struct chosen {
    const char *value[N_OPTIONS]; /* checked text, safe inside a PRAGMA; NULL: not set */
    bool asked[N_OPTIONS];
} chosen;

static bool same(const char *a, const char *b)
{
    return hy_text_equal_nocase(a, strlen(a), b, strlen(b));
}

static hy_status refuse_value(const option_row *row, hy_error *err)
{
    hy_buf words;
    hy_status status;

    if (row->form == FORM_INT)
        return hy_fail(err, HY_EINVALID_CONFIG, "sqlite option %s needs an integer from %lld to %lld",
                       row->name, (long long)row->min, (long long)row->max);
    if (row->form == FORM_BOOL)
        return hy_fail(err, HY_EINVALID_CONFIG, "sqlite option %s must be on or off", row->name);
    hy_buf_init(&words);
    for (size_t i = 0; row->words[i] != NULL; i++) {
        hy_buf_puts(&words, i > 0 ? ", " : "");
        hy_buf_puts(&words, row->words[i]);
    }
    status = hy_fail(err, HY_EINVALID_CONFIG, "sqlite option %s must be one of %s", row->name,
                     hy_buf_text(&words));
    hy_buf_clear(&words);
    return status;
}

static const char *check_word(const option_row *row, const char *value)
{
    for (size_t i = 0; row->words[i] != NULL; i++)
        if (same(row->words[i], value))
            return row->words[i];
    return NULL;
}

static const char *check_int(const option_row *row, const char *value)
{
    int64_t number;
    bool fits = hy_parse_int(value, strlen(value), &number) && number >= row->min && number <= row->max;
    return fits ? value : NULL;
}

static const char *check_bool(const char *value)
{
    static const char *const words[][2] = {{"on", "on"},   {"true", "on"},   {"yes", "on"}, {"1", "on"},
                                           {"off", "off"}, {"false", "off"}, {"no", "off"}, {"0", "off"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (same(words[i][0], value))
            return words[i][1];
    return NULL;
}

static hy_status unknown_option(const char *name, hy_error *err)
{
    const char *near = NULL;
    size_t best = 4;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        size_t distance = hy_edit_distance(name, options[i].name, 3);
        if (distance < best) {
            best = distance;
            near = options[i].name;
        }
    }
    if (near != NULL)
        return hy_fail(err, HY_EUNKNOWN_OPTION, "sqlite has no option \"%.40s\": did you mean \"%s\"?", name,
                       near);
    return hy_fail(err, HY_EUNKNOWN_OPTION, "sqlite has no option \"%.40s\"", name);
}

static hy_status choose(chosen *into, const char *name, const char *value, hy_error *err)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option_row *row = &options[i];
        if (strcmp(row->name, name) != 0)
            continue;
        const char *checked = row->form == FORM_WORD  ? check_word(row, value)
                              : row->form == FORM_INT ? check_int(row, value)
                                                      : check_bool(value);
        if (checked == NULL)
            return refuse_value(row, err);
        into->value[i] = checked;
        into->asked[i] = true;
        return HY_OK;
    }
    return unknown_option(name, err);
}

static hy_status choose_all(chosen *into, const hy_connect_config *config, hy_error *err)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        into->value[i] = options[i].initial;
        into->asked[i] = false;
    }
    for (size_t i = 0; i < config->n_options; i++) {
        const hy_connect_option *option = &config->options[i];
        hy_status status = choose(into, option->name, option->value != NULL ? option->value : "", err);
        if (status != HY_OK)
            return status;
    }
    return HY_OK;
}

static bool is_on(const chosen *c, int option)
{
    return strcmp(c->value[option], "on") == 0;
}

bool hy__sqlite_is_private(const hy_connect_config *config)
{
    const char *name = config->database;

    return name == NULL || *name == '\0' || strcmp(name, ":memory:") == 0 ||
           strncmp(name, "file::memory:", 13) == 0 ||
           (strncmp(name, "file:", 5) == 0 && strstr(name, "mode=memory") != NULL);
}

/* Write the session's settings as a list of statements. */
static void write_setup(hy__sqlite *c, const chosen *with, const hy_connect_config *config)
{
    bool has_journal =
        !hy__sqlite_is_private(config) && sqlite3_db_readonly(c->db, "main") == 0 && !config->read_only;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (!options[i].pragma || with->value[i] == NULL)
            continue;
        if ((i == JOURNAL_MODE || i == SYNCHRONOUS) && !has_journal && !with->asked[i])
            continue;
        hy_buf_puts(&c->setup, "PRAGMA ");
        hy_buf_puts(&c->setup, options[i].name);
        hy_buf_putc(&c->setup, '=');
        hy_buf_puts(&c->setup, with->value[i]);
        hy_buf_append(&c->setup, "", 1);
    }
    if (config->read_only)
        hy_buf_append(&c->setup, "PRAGMA query_only=on", sizeof "PRAGMA query_only=on");
    c->checks_mode = with->asked[JOURNAL_MODE];
}

/* Switches that no statement can turn. */
static int set_switches(sqlite3 *db)
{
    static const struct {
        int op, on;
    } switches[] = {
        {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1}, {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 1},
    };

    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        int rc = sqlite3_db_config(db, switches[i].op, switches[i].on, (int *)NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* A file name of the form file:... is a URI to Debian's SQLite, asked or not. */
static hy_status check_name(const hy_connect_config *config, const chosen *with, hy_error *err)
{
    if (config->database != NULL && strncmp(config->database, "file:", 5) == 0 && !is_on(with, URI))
        return hy_fail(
            err, HY_EINVALID_CONFIG,
            "the database name is a file: URI and these are off: set the option uri = on, or write ./file:");
    return HY_OK;
}

static int open_flags(const hy_connect_config *config, const chosen *with)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    if (is_on(with, CREATE) && !config->read_only)
        flags |= SQLITE_OPEN_CREATE;
    if (is_on(with, URI))
        flags |= SQLITE_OPEN_URI;
    return flags;
}

hy_status hy__sqlite_open(hy__sqlite *c, const hy_connect_config *config, hy_wait *wait, hy_error *err)
{
    const char *name = config->database != NULL && *config->database != '\0' ? config->database : ":memory:";
    chosen with;
    int64_t busy_ms = 0;
    hy_status status = choose_all(&with, config, err);

    if (status == HY_OK)
        status = check_name(config, &with, err);
    if (status != HY_OK)
        return status;
    c->is_private = hy__sqlite_is_private(config);
    (void)hy_parse_int(with.value[BUSY_TIMEOUT], strlen(with.value[BUSY_TIMEOUT]), &busy_ms);
    c->busy_timeout = busy_ms * 1000000;

    int rc = sqlite3_open_v2(name, &c->db, open_flags(config, &with), NULL);
    if (rc == SQLITE_OK)
        rc = set_switches(c->db);
    if (rc == SQLITE_OK)
        rc = hy__sqlite_add_functions(c->db);
    if (rc == SQLITE_OK)
        rc = hy__sqlite_add_json(c->db);
    if (rc == SQLITE_OK)
        rc = hy__sqlite_add_regexp(c->db);
    if (rc != SQLITE_OK)
        return hy__sqlite_fail(c, rc, err);
    write_setup(c, &with, config);
    if (c->setup.failed)
        return hy_fail_oom(err);
    hy__sqlite_wait_begin(c);
    return hy__sqlite_setup(c, wait, err);
}

/* One setting. A journal mode that was asked for by name must come true. */
static hy_status run_setting(hy__sqlite *c, const char *sql, int *rc, hy_error *err)
{
    static const char mode[] = "PRAGMA journal_mode=";
    hy_status status = HY_OK;
    sqlite3_stmt *stmt = NULL;

    *rc = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL);
    if (*rc == SQLITE_OK)
        *rc = sqlite3_step(stmt);
    if (*rc == SQLITE_ROW && c->checks_mode && strncmp(sql, mode, sizeof mode - 1) == 0) {
        const char *now = (const char *)sqlite3_column_text(stmt, 0);
        if (now == NULL || !same(now, sql + sizeof mode - 1))
            status = hy_fail(err, HY_EINVALID_CONFIG, "this database cannot use journal_mode = %s",
                             sql + sizeof mode - 1);
    }
    if (*rc == SQLITE_ROW || *rc == SQLITE_DONE)
        *rc = SQLITE_OK;
    if (*rc != SQLITE_OK && !hy__sqlite_is_busy(*rc))
        status = hy__sqlite_fail(c, *rc, err);
    (void)sqlite3_finalize(stmt);
    return status;
}

hy_status hy__sqlite_setup(hy__sqlite *c, hy_wait *wait, hy_error *err)
{
    c->pending = HY__SQLITE_SETUP;
    while (c->setup_at < c->setup.size) {
        const char *sql = c->setup.data + c->setup_at;
        int rc;
        hy_status status = run_setting(c, sql, &rc, err);
        if (status == HY_OK && rc != SQLITE_OK)
            return hy__sqlite_wait(c, wait, err);
        if (status != HY_OK)
            return status;
        c->setup_at += strlen(sql) + 1;
    }
    c->pending = HY__SQLITE_IDLE;
    return HY_OK;
}

size_t hy__sqlite_skip(const char *sql, size_t size)
{
    size_t at = 0;

    while (at < size) {
        char next = at + 1 < size ? sql[at + 1] : '\0';
        if (strchr(" \t\r\n\f;", sql[at]) != NULL && sql[at] != '\0') {
            at++;
        } else if (sql[at] == '-' && next == '-') {
            const char *end = memchr(sql + at, '\n', size - at);
            at = end != NULL ? (size_t)(end - sql) + 1 : size;
        } else if (sql[at] == '/' && next == '*') {
            for (at += 2; at < size && !(sql[at] == '*' && at + 1 < size && sql[at + 1] == '/'); at++)
                ;
            at = at + 2 < size ? at + 2 : size;
        } else {
            break;
        }
    }
    return at;
}

/* The word at the beginning of `sql`, whose size it returns, and what follows in `sql`. */
static size_t take_word(const char **sql, size_t *size, const char **word)
{
    size_t start = hy__sqlite_skip(*sql, *size), end = start;

    while (end < *size && ((*sql)[end] == '_' || ((*sql)[end] | 32) >= 'a') && ((*sql)[end] | 32) <= 'z')
        end++;
    *word = *sql + start;
    *sql += end;
    *size -= end;
    return end - start;
}

static bool is_word(const char *word, size_t size, const char *expected)
{
    return hy_text_equal_nocase(word, size, expected, strlen(expected));
}

static bool ends_with(const char *word, size_t size, const char *end)
{
    size_t n = strlen(end);
    return size >= n && hy_text_equal_nocase(word + size - n, n, end, n);
}

/* Pragmas that only tell something: those without a value, and those that take what they tell about. */
static bool pragma_asks(const char *word, size_t size, const char *rest, size_t rest_size)
{
    static const char *const ends[] = {"_info", "_xinfo", "_list", "_check", "_version"};

    if (memchr(rest, '=', rest_size) == NULL && memchr(rest, '(', rest_size) == NULL)
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends_with(word, size, ends[i]))
            return true;
    return false;
}

static bool mentions_temp(const char *sql, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i++)
        if (hy_text_equal_nocase(sql + i, 4, "temp", 4))
            return true;
    return false;
}

bool hy__sqlite_touches_session(const char *sql, size_t size)
{
    const char *word;
    size_t n = take_word(&sql, &size, &word);

    if (is_word(word, n, "pragma")) {
        n = take_word(&sql, &size, &word);
        return !pragma_asks(word, n, sql, size);
    }
    if (is_word(word, n, "create"))
        return mentions_temp(sql, size);
    return is_word(word, n, "attach") || is_word(word, n, "detach");
}

/* The next statement that removes something a session left, into `sql` (sqlite3_free). */
static int next_leftover(sqlite3 *db, char **sql)
{
    static const char query[] =
        "SELECT 'DROP ' || type || ' temp.\"' || replace(name, '\"', '\"\"') || '\"' FROM sqlite_temp_master"
        " WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        " UNION ALL SELECT 'DETACH \"' || replace(name, '\"', '\"\"') || '\"' FROM pragma_database_list"
        " WHERE seq > 1 LIMIT 1";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, query, -1, &stmt, NULL);

    *sql = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && (*sql = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0))) == NULL)
        rc = SQLITE_NOMEM;
    (void)sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int remove_leftovers(sqlite3 *db)
{
    for (;;) {
        char *sql;
        int rc = next_leftover(db, &sql);
        if (rc == SQLITE_OK && sql != NULL)
            rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        if (rc != SQLITE_OK || sql == NULL) {
            sqlite3_free(sql);
            return rc;
        }
        sqlite3_free(sql);
    }
}

/*
 * A file is opened anew sooner than all its settings are undone. A private database would be lost
 * by that: what could change an answer is set back, how it uses memory stays.
 */
hy_status hy__sqlite_restore(hy__sqlite *c, hy_wait *wait, hy_error *err)
{
    static const char switches[] =
        "PRAGMA query_only=off; PRAGMA ignore_check_constraints=off; PRAGMA read_uncommitted=off;"
        "PRAGMA reverse_unordered_selects=off; PRAGMA automatic_index=on; PRAGMA foreign_keys=off;"
        "PRAGMA recursive_triggers=off; PRAGMA legacy_alter_table=off; PRAGMA full_column_names=off;"
        "PRAGMA short_column_names=on; PRAGMA cell_size_check=off; PRAGMA busy_timeout=0";

    if (!c->is_private)
        return hy_fail(err, HY_EDATABASE_ERROR, "the session was changed: another one is opened");
    int rc = sqlite3_exec(c->db, switches, NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = remove_leftovers(c->db);
    if (rc == SQLITE_OK)
        rc = set_switches(c->db);
    if (rc != SQLITE_OK)
        return hy__sqlite_fail(c, rc, err);
    c->setup_at = 0;
    hy__sqlite_wait_begin(c);
    return hy__sqlite_setup(c, wait, err);
}
