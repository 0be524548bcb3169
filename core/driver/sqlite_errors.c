/*
 * sqlite_errors.c - SQLite's result codes and messages as Hysteria's errors.
 *
 * SQLite tells tables, columns and constraints only inside its English text, which has been
 * stable for many years: what is not recognised keeps its message and a general code. No row
 * values come in: SQLite's own messages hold none.
 */
#include <errno.h>
#include <string.h>

#include "sqlite_driver.h"

typedef struct code_row {
    int code;
    hy_status status;
} code_row;

/* Sorted by code. A code that is missing is looked up by its low byte. */
static const code_row codes[] = {
    {SQLITE_PERM, HY_EPERMISSION_DENIED},
    {SQLITE_ABORT, HY_EQUERY_CANCELED},
    {SQLITE_BUSY, HY_ELOCK_TIMEOUT},
    {SQLITE_LOCKED, HY_EDATABASE_ERROR},
    {SQLITE_NOMEM, HY_EOUT_OF_MEMORY},
    {SQLITE_READONLY, HY_EREAD_ONLY},
    {SQLITE_INTERRUPT, HY_EQUERY_CANCELED},
    {SQLITE_IOERR, HY_EDATABASE_ERROR},
    {SQLITE_CORRUPT, HY_EDATABASE_CORRUPT},
    {SQLITE_FULL, HY_EDISK_FULL},
    {SQLITE_CANTOPEN, HY_ECONNECTION_REFUSED},
    {SQLITE_TOOBIG, HY_ELIMIT_EXCEEDED},
    {SQLITE_CONSTRAINT, HY_EDATABASE_ERROR},
    {SQLITE_MISMATCH, HY_EDATA_INVALID},
    {SQLITE_MISUSE, HY_EDEVELOPMENT_ERROR},
    {SQLITE_NOLFS, HY_ELIMIT_EXCEEDED},
    {SQLITE_AUTH, HY_EPERMISSION_DENIED},
    {SQLITE_RANGE, HY_EDEVELOPMENT_ERROR},
    {SQLITE_NOTADB, HY_EDATABASE_CORRUPT},
    {SQLITE_CONSTRAINT_CHECK, HY_ECHECK_VIOLATION},
    {SQLITE_ABORT_ROLLBACK, HY_ETRANSACTION_ABORTED},
    {SQLITE_BUSY_SNAPSHOT, HY_ESERIALIZATION_FAILURE},
    {SQLITE_CONSTRAINT_FOREIGNKEY, HY_EFOREIGN_KEY_VIOLATION},
    {SQLITE_CONSTRAINT_NOTNULL, HY_ENOT_NULL_VIOLATION},
    {SQLITE_CONSTRAINT_PRIMARYKEY, HY_EUNIQUE_VIOLATION},
    {SQLITE_CONSTRAINT_UNIQUE, HY_EUNIQUE_VIOLATION},
    {SQLITE_CONSTRAINT_ROWID, HY_EUNIQUE_VIOLATION},
    {SQLITE_IOERR_NOMEM, HY_EOUT_OF_MEMORY},
    {SQLITE_CONSTRAINT_DATATYPE, HY_EDATA_INVALID},
};
enum { N_CODES = sizeof codes / sizeof codes[0] };

static const code_row *find_code(int code)
{
    size_t low = 0, high = N_CODES;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (codes[middle].code == code)
            return &codes[middle];
        if (codes[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static hy_status code_status(int rc)
{
    const code_row *row = find_code(rc);

    if (row == NULL)
        row = find_code(rc & 0xff);
    return row != NULL ? row->status : HY_EDATABASE_ERROR;
}

/* What the text around a name tells: "PREFIX<name>SUFFIX". */
typedef enum name_field {
    NO_FIELD,
    TABLE_FIELD,
    COLUMN_FIELD,
    CONSTRAINT_FIELD,
    COLUMN_LIST_FIELD,
    A_VALUE /* not a name: it is not said */
} name_field;
typedef struct text_row {
    const char *prefix, *suffix; /* "" or NULL: to the end */
    hy_status status;            /* HY_OK: as the code says */
    name_field field;
} text_row;

/* In this order: the first match counts. */
static const text_row texts[] = {
    {"UNIQUE constraint failed: index '", "'", HY_EUNIQUE_VIOLATION, CONSTRAINT_FIELD},
    {"UNIQUE constraint failed: ", NULL, HY_EUNIQUE_VIOLATION, COLUMN_LIST_FIELD},
    {"NOT NULL constraint failed: ", NULL, HY_ENOT_NULL_VIOLATION, COLUMN_LIST_FIELD},
    {"CHECK constraint failed: ", NULL, HY_ECHECK_VIOLATION, CONSTRAINT_FIELD},
    {"FOREIGN KEY constraint failed", NULL, HY_EFOREIGN_KEY_VIOLATION, NO_FIELD},
    {"no such table: ", NULL, HY_EUNDEFINED_TABLE, TABLE_FIELD},
    {"no such column: ", NULL, HY_EUNDEFINED_COLUMN, COLUMN_FIELD},
    {"table ", " has no column named ", HY_EUNDEFINED_COLUMN, TABLE_FIELD},
    {"unknown column \"", "\" in foreign key", HY_EUNDEFINED_COLUMN, COLUMN_FIELD},
    {"table ", " already exists", HY_EOBJECT_EXISTS, TABLE_FIELD},
    {"view ", " already exists", HY_EOBJECT_EXISTS, TABLE_FIELD},
    {"index ", " already exists", HY_EOBJECT_EXISTS, CONSTRAINT_FIELD},
    {"trigger ", " already exists", HY_EOBJECT_EXISTS, CONSTRAINT_FIELD},
    {"there is already a table named ", NULL, HY_EOBJECT_EXISTS, TABLE_FIELD},
    {"there is already an index named ", NULL, HY_EOBJECT_EXISTS, TABLE_FIELD},
    {"duplicate column name: ", NULL, HY_EOBJECT_EXISTS, COLUMN_FIELD},
    {"near \"", "\": syntax error", HY_ESYNTAX, NO_FIELD},
    {"unrecognized token", NULL, HY_ESYNTAX, NO_FIELD},
    {"incomplete input", NULL, HY_ESYNTAX, NO_FIELD},
    {"ambiguous column name: ", NULL, HY_ESYNTAX, NO_FIELD},
    {"no such function: ", NULL, HY_ESYNTAX, NO_FIELD},
    {"wrong number of arguments to function ", NULL, HY_ESYNTAX, NO_FIELD},
    {"misuse of ", NULL, HY_ESYNTAX, NO_FIELD},
    {"too many SQL variables", NULL, HY_ELIMIT_EXCEEDED, NO_FIELD},
    {"too many ", NULL, HY_ELIMIT_EXCEEDED, NO_FIELD},
    {"Expression tree is too large", NULL, HY_ELIMIT_EXCEEDED, NO_FIELD},
    {"parser stack overflow", NULL, HY_ELIMIT_EXCEEDED, NO_FIELD},
    {"integer overflow", NULL, HY_EDATA_INVALID, NO_FIELD},
    {"datatype mismatch", NULL, HY_EDATA_INVALID, NO_FIELD},
    {"malformed JSON", NULL, HY_EDATA_INVALID, NO_FIELD},
    {"JSON path error near ", NULL, HY_EDATA_INVALID, A_VALUE},
    {"bad JSON path: ", NULL, HY_EDATA_INVALID, A_VALUE},
    {"fts5: syntax error near ", NULL, HY_EDATA_INVALID, A_VALUE},
    {"unterminated string", NULL, HY_EDATA_INVALID, NO_FIELD},
    {"not a POSIX regular expression", NULL, HY_EDATA_INVALID, NO_FIELD},
    {"hysteria_", ": not a number", HY_EDATA_INVALID, NO_FIELD},
    {"hysteria_", ": too many digits", HY_EDATA_INVALID, NO_FIELD},
    {"hysteria_", ": out of range", HY_EDATA_INVALID, NO_FIELD},
    {"cannot commit - no transaction is active", NULL, HY_ETRANSACTION_NOT_ACTIVE, NO_FIELD},
    {"cannot rollback - no transaction is active", NULL, HY_ETRANSACTION_NOT_ACTIVE, NO_FIELD},
};
enum { N_TEXTS = sizeof texts / sizeof texts[0] };

static void copy_cut(char *out, size_t out_size, const char *text, size_t size)
{
    if (size >= out_size)
        size = out_size - 1;
    memcpy(out, text, size);
    out[size] = '\0';
}

/* "users.email, users.name" -> table users, columns "email,name". */
static void fill_column_list(hy_error *err, const char *list)
{
    size_t used = 0;

    while (*list != '\0') {
        size_t size = strcspn(list, ",");
        const char *dot = memchr(list, '.', size);
        const char *name = dot != NULL ? dot + 1 : list;
        size_t name_size = (size_t)(list + size - name);

        if (dot != NULL && err->table[0] == '\0')
            copy_cut(err->table, sizeof err->table, list, (size_t)(dot - list));
        if (used + name_size + 2 > sizeof err->columns)
            return; /* whole names or none */
        if (used > 0)
            err->columns[used++] = ',';
        memcpy(err->columns + used, name, name_size);
        used += name_size;
        err->columns[used] = '\0';
        list += size;
        list += strspn(list, ", ");
    }
}

/* "main.users" is the table users; "u.name" the column name. */
static const char *last_part(const char *name, size_t *size)
{
    for (size_t i = *size; i > 0; i--)
        if (name[i - 1] == '.') {
            *size -= i;
            return name + i;
        }
    return name;
}

static void fill_field(hy_error *err, const text_row *row, const char *name, size_t size)
{
    if (size >= 2 && name[0] == '"' && name[size - 1] == '"') { /* table "users" already exists */
        name++;
        size -= 2;
    }
    switch (row->field) {
    case NO_FIELD:
    case A_VALUE:
        break;
    case TABLE_FIELD:
        name = last_part(name, &size);
        copy_cut(err->table, sizeof err->table, name, size);
        break;
    case COLUMN_FIELD:
        name = last_part(name, &size);
        copy_cut(err->columns, sizeof err->columns, name, size);
        break;
    case CONSTRAINT_FIELD:
        copy_cut(err->constraint, sizeof err->constraint, name, size);
        break;
    case COLUMN_LIST_FIELD:
        fill_column_list(err, name);
        break;
    }
}

/* The row that fits the message, and the name in it. */
static const text_row *find_text(const char *message, const char **name, size_t *size)
{
    for (size_t i = 0; i < N_TEXTS; i++) {
        size_t prefix = strlen(texts[i].prefix);
        if (strncmp(message, texts[i].prefix, prefix) != 0)
            continue;
        const char *rest = message + prefix;
        const char *end = texts[i].suffix != NULL ? strstr(rest, texts[i].suffix) : rest + strlen(rest);
        if (end == NULL)
            continue;
        *name = rest;
        *size = (size_t)(end - rest);
        return &texts[i];
    }
    return NULL;
}

/* "table users has no column named x": the second name. */
static void fill_missing_column(hy_error *err, const char *message)
{
    static const char marker[] = " has no column named ";
    const char *at = strstr(message, marker);

    if (at != NULL)
        copy_cut(err->columns, sizeof err->columns, at + sizeof marker - 1, strlen(at + sizeof marker - 1));
}

/* Only errors of a general kind are told apart by their text. */
static bool text_decides(int rc)
{
    int primary = rc & 0xff;
    return primary == SQLITE_ERROR || primary == SQLITE_CONSTRAINT;
}

static hy_status fail_open(hy__sqlite *c, int rc, hy_error *err)
{
    hy_status status = HY_ECONNECTION_REFUSED;
    const char *why = "look at its directory and permissions";

    switch (c->db != NULL ? sqlite3_system_errno(c->db) : 0) {
    case ENOENT:
        status = HY_EUNDEFINED_DATABASE;
        why = "the file, or the directory for it, does not exist";
        break;
    case ENOTDIR:
        status = HY_EUNDEFINED_DATABASE;
        why = "a part of its path is no directory";
        break;
    case EACCES:
    case EPERM:
        status = HY_EPERMISSION_DENIED;
        why = "this user may not open it";
        break;
    case EISDIR:
        why = "it is a directory";
        break;
    case EMFILE:
    case ENFILE:
        status = HY_ETOO_MANY_CONNECTIONS;
        why = "this process has no file descriptor left";
        break;
    default:
        break;
    }
    if (rc == SQLITE_CANTOPEN_ISDIR)
        why = "it is a directory";
    hy_status failed = hy_fail(err, status, "cannot open the database file: %s", why);
    if (err != NULL)
        err->native_code = rc;
    return failed;
}

static hy_status fail_interrupted(hy__sqlite *c, int rc, hy_error *err)
{
    hy_status status;

    if (c->timed_out)
        status = hy_fail(err, HY_EQUERY_TIMEOUT, "the statement was stopped: its time was up");
    else
        status = hy_fail(err, HY_EQUERY_CANCELED, "the statement was cancelled");
    if (err != NULL)
        err->native_code = rc;
    return status;
}

/* One line: a CHECK expression in the message may have several. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

static hy_status fail_with_text(hy__sqlite *c, int rc, hy_error *err)
{
    const char *message = sqlite3_errmsg(c->db);
    const char *name = NULL;
    size_t size = 0;
    const text_row *row = text_decides(rc) ? find_text(message, &name, &size) : NULL;
    hy_status status = row != NULL && row->status != HY_OK ? row->status : code_status(rc);
    const char *hint = "";

    if ((rc & 0xff) == SQLITE_LOCKED)
        hint = ": another statement of this connection is still open";
    if (row != NULL && row->field == A_VALUE)
        (void)hy_fail(err, status, "%s...", row->prefix);
    else
        (void)hy_fail(err, status, "%s%s", message, hint);
    if (err == NULL)
        return status;
    flatten(err->message);
    err->native_code = rc;
    if (row != NULL)
        fill_field(err, row, name, size);
    if (status == HY_EUNDEFINED_COLUMN)
        fill_missing_column(err, message);
    flatten(err->constraint);
    int offset = (rc & 0xff) == SQLITE_ERROR ? sqlite3_error_offset(c->db) : -1;
    if (offset >= 0)
        err->position = (size_t)offset + 1;
    else if (strcmp(message, "incomplete input") == 0)
        err->position = c->sql_size + 1; /* behind the end: there is no offset for that */
    return status;
}

hy_status hy__sqlite_fail(hy__sqlite *c, int rc, hy_error *err)
{
    int primary = rc & 0xff;

    if (primary == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM || c->db == NULL)
        return hy_fail_oom(err);
    if (primary == SQLITE_CANTOPEN)
        return fail_open(c, rc, err);
    if (primary == SQLITE_INTERRUPT)
        return fail_interrupted(c, rc, err);
    return fail_with_text(c, rc, err);
}
