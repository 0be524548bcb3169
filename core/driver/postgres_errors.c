/*
 * postgres_errors.c - SQLSTATEs and libpq's troubles as Hysteria's errors.
 *
 * Whether a connection is gone is asked from PQstatus(), not from an SQLSTATE: the last error
 * of a broken connection often has none. Of the server's texts only the first line is said,
 * never DETAIL, which holds rows (names of columns are read out of it); what is quoted in
 * messages about values is left out. A password is cut out of whatever is said.
 */
#include <stdlib.h>
#include <string.h>

#include <base/number.h>

#include "postgres_driver.h"

enum { STATE_SIZE = 5, CLASS_SIZE = 2 };

typedef struct state_row {
    const char *state; /* five characters, or two for the rest of their class */
    hy_status status;
} state_row;

/* Sorted; a class before its members. */
static const state_row states[] = {
    {"08", HY_ECONNECTION_LOST},
    {"08001", HY_ECONNECTION_REFUSED},
    {"08004", HY_ECONNECTION_REFUSED},
    {"08P01", HY_EDATABASE_ERROR},
    {"0A", HY_EUNSUPPORTED},
    {"21", HY_EDATA_INVALID},
    {"22", HY_EDATA_INVALID},
    {"23", HY_EDATABASE_ERROR},
    {"23001", HY_EFOREIGN_KEY_VIOLATION},
    {"23502", HY_ENOT_NULL_VIOLATION},
    {"23503", HY_EFOREIGN_KEY_VIOLATION},
    {"23505", HY_EUNIQUE_VIOLATION},
    {"23514", HY_ECHECK_VIOLATION},
    {"23P01", HY_EEXCLUSION_VIOLATION},
    {"25006", HY_EREAD_ONLY},
    {"25P01", HY_ETRANSACTION_NOT_ACTIVE},
    {"25P02", HY_ETRANSACTION_ABORTED},
    {"25P03", HY_ECONNECTION_LOST},
    {"28", HY_EAUTHENTICATION_FAILED},
    {"3D000", HY_EUNDEFINED_DATABASE},
    {"3F000", HY_EUNDEFINED_TABLE},
    {"40", HY_ETRANSACTION_ABORTED},
    {"40001", HY_ESERIALIZATION_FAILURE},
    {"40003", HY_EOUTCOME_UNKNOWN},
    {"40P01", HY_EDEADLOCK},
    {"42", HY_ESYNTAX},
    {"42501", HY_EPERMISSION_DENIED},
    {"42701", HY_EOBJECT_EXISTS},
    {"42703", HY_EUNDEFINED_COLUMN},
    {"42704", HY_EDATABASE_ERROR},
    {"42710", HY_EOBJECT_EXISTS},
    {"42723", HY_EOBJECT_EXISTS},
    {"42P01", HY_EUNDEFINED_TABLE},
    {"42P04", HY_EOBJECT_EXISTS},
    {"42P05", HY_EDATABASE_ERROR},
    {"42P06", HY_EOBJECT_EXISTS},
    {"42P07", HY_EOBJECT_EXISTS},
    {"44000", HY_ECHECK_VIOLATION},
    {"53100", HY_EDISK_FULL},
    {"53300", HY_ETOO_MANY_CONNECTIONS},
    {"54", HY_ELIMIT_EXCEEDED},
    {"55P03", HY_ELOCK_TIMEOUT},
    {"57014", HY_EQUERY_CANCELED},
    {"57P01", HY_ECONNECTION_LOST},
    {"57P02", HY_ECONNECTION_LOST},
    {"57P03", HY_ECONNECTION_REFUSED},
    {"57P04", HY_ECONNECTION_LOST},
    {"57P05", HY_ECONNECTION_LOST},
    {"XX001", HY_EDATABASE_CORRUPT},
    {"XX002", HY_EDATABASE_CORRUPT},
};
enum { N_STATES = sizeof states / sizeof states[0] };

static int compare_state(const void *key, const void *row)
{
    return strcmp(key, ((const state_row *)row)->state);
}

static hy_status status_of_state(const char *state)
{
    char class[CLASS_SIZE + 1] = {0};
    const state_row *row = bsearch(state, states, N_STATES, sizeof states[0], compare_state);

    if (row == NULL && strlen(state) == STATE_SIZE) {
        memcpy(class, state, CLASS_SIZE);
        row = bsearch(class, states, N_STATES, sizeof states[0], compare_state);
    }
    return row != NULL ? row->status : HY_EDATABASE_ERROR;
}

static void copy_cut(char *out, size_t out_size, const char *text, size_t size)
{
    if (size >= out_size)
        size = out_size - 1;
    memcpy(out, text, size);
    out[size] = '\0';
}

static void copy_field(char *out, size_t out_size, const char *text)
{
    if (text != NULL)
        copy_cut(out, out_size, text, strlen(text));
}

/* ---- what may be said ------------------------------------------------------------------- */

static void put_state(hy_error *err, const char *state)
{
    if (err != NULL)
        copy_cut(err->sqlstate, sizeof err->sqlstate, state, strlen(state));
}

/* The password must not be said, wherever it came from. */
static void cut_password(const hy__postgres *c, hy_error *err)
{
    const char *password = c->pg != NULL ? PQpass(c->pg) : NULL;
    size_t size = password != NULL ? strlen(password) : 0;

    if (err == NULL || size == 0)
        return;
    for (char *at = err->message; (at = strstr(at, password)) != NULL;)
        memset(at, '*', size);
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/*
 * Messages about values quote them. From the first quote to the last is left out; what then
 * still is not ASCII may be another language, whose quotes look different: not said.
 */
static hy_status fail_about_value(hy_status status, const char *message, hy_error *err)
{
    char text[HY_ERROR_MESSAGE_SIZE];
    const char *open = strchr(message, '"'), *close = strrchr(message, '"');

    copy_cut(text, sizeof text, message, open != NULL ? (size_t)(open - message) : strlen(message));
    if (!is_ascii(text) || (close != NULL && !is_ascii(close)))
        return hy_fail(err, status, "%s", hy_status_text(status));
    if (open == NULL)
        return hy_fail(err, status, "%s", text);
    return hy_fail(err, status, "%s\"...%s", text, close > open ? close : "\"");
}

/* A syntax error without a place in the statement is one in a value: a text search, a JSON path. */
static bool is_about_value(const PGresult *result, const char *state)
{
    return strncmp(state, "22", CLASS_SIZE) == 0 ||
           (strcmp(state, "42601") == 0 && PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) == NULL);
}

static hy_status fail_with_text(const PGresult *result, hy_status status, const char *message, hy_error *err)
{
    if (message == NULL || *message == '\0')
        message = hy_status_text(status);
    if (is_about_value(result, PQresultErrorField(result, PG_DIAG_SQLSTATE)))
        return fail_about_value(status, message, err);
    return hy_fail(err, status, "%s", message);
}

/* ---- errors of statements --------------------------------------------------------------- */

/* The server counts characters. */
static size_t byte_position(const char *sql, int64_t character)
{
    size_t at = 0;

    if (sql == NULL || character < 1)
        return 0;
    for (int64_t n = 1; n < character && sql[at] != '\0'; n++)
        do
            at++;
        while (((unsigned char)sql[at] & 0xc0) == 0x80);
    return at + 1;
}

static void fill_position(const PGresult *result, const char *sql, hy_error *err)
{
    const char *digits = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    int64_t character;

    if (digits != NULL && hy_parse_int(digits, strlen(digits), &character))
        err->position = byte_position(sql, character);
}

/* relation "main.users" does not exist, column u.name does not exist: only in English. */
static void fill_name(char *out, size_t out_size, const char *message, const char *word)
{
    size_t size = strlen(word);

    if (*out != '\0' || strncmp(message, word, size) != 0)
        return;
    const char *name = message + size;
    bool quoted = *name == '"';
    name += quoted;
    size_t length = strcspn(name, quoted ? "\"" : " ");
    for (size_t i = length; i > 0; i--)
        if (name[i - 1] == '.') {
            name += i;
            length -= i;
            break;
        }
    copy_cut(out, out_size, name, length);
}

static bool is_name_character(char c)
{
    return c == '_' || c == '$' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           (unsigned char)c >= 0x80;
}

/* The next name of a list, without its quotes; 0: it is no name, or does not fit. */
static size_t take_name(const char **list, char *out, size_t room)
{
    const char *at = *list;
    bool quoted = *at == '"';
    size_t size = 0;

    for (at += quoted; size < room && (quoted ? *at != '"' && *at != '\0' : is_name_character(*at)); at++)
        out[size++] = *at;
    *list = at + (quoted && *at == '"');
    return size < room ? size : 0;
}

/*
 * DETAIL holds values, which are not for us, behind the names of their columns, which are:
 * "Key (a, b)=(1, 2) already exists." Expressions are no columns: then nothing is told.
 */
static void fill_key(const PGresult *result, hy_error *err)
{
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *at = detail != NULL ? strchr(detail, '(') : NULL;
    char names[HY_ERROR_COLUMNS_SIZE];
    size_t used = 0;

    for (bool more = at != NULL; more;) {
        at++;
        size_t size = take_name(&at, names + used, sizeof names - 1 - used);
        if (size == 0)
            return;
        used += size;
        more = strncmp(at, ", ", 2) == 0;
        if (more)
            names[used++] = *at++;
    }
    if (used > 0 && strncmp(at, ")=(", 3) == 0)
        copy_cut(err->columns, sizeof err->columns, names, used);
}

static void fill_fields(const PGresult *result, const char *message, hy_status status, hy_error *err)
{
    copy_field(err->constraint, sizeof err->constraint, PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
    copy_field(err->table, sizeof err->table, PQresultErrorField(result, PG_DIAG_TABLE_NAME));
    copy_field(err->columns, sizeof err->columns, PQresultErrorField(result, PG_DIAG_COLUMN_NAME));
    if (status == HY_EUNIQUE_VIOLATION || status == HY_EFOREIGN_KEY_VIOLATION)
        fill_key(result, err);
    if (message == NULL)
        return;
    if (status == HY_EUNDEFINED_TABLE || status == HY_EOBJECT_EXISTS)
        fill_name(err->table, sizeof err->table, message, "relation ");
    if (status == HY_EUNDEFINED_TABLE)
        fill_name(err->table, sizeof err->table, message, "table ");
    if (status == HY_EUNDEFINED_COLUMN)
        fill_name(err->columns, sizeof err->columns, message, "column ");
}

/* A deadline of the server's own has the code of a cancel, what is no search or path that of no statement. */
static hy_status refine(const char *state, const char *message, hy_status status)
{
    static const struct {
        const char *state, *part;
        hy_status status;
    } told[] = {
        {"57014", "statement timeout", HY_EQUERY_TIMEOUT},
        {"42601", " in tsquery", HY_EDATA_INVALID},
        {"42601", " of jsonpath input", HY_EDATA_INVALID},
    };

    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (strcmp(state, told[i].state) == 0 && message != NULL && strstr(message, told[i].part) != NULL)
            return told[i].status;
    return status;
}

hy_status hy__postgres_fail(const PGresult *result, const char *sql, hy_error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (state == NULL) {
        const char *text = PQresultErrorMessage(result);
        if (strncmp(text, "out of memory", strlen("out of memory")) == 0)
            return hy_fail_oom(err);
        return hy_fail(err, HY_EDATABASE_ERROR, "%.*s", (int)strcspn(text, "\n"), text);
    }
    hy_status status = refine(state, message, status_of_state(state));
    (void)fail_with_text(result, status, message, err);
    if (err != NULL) {
        put_state(err, state);
        fill_fields(result, message, status, err);
        fill_position(result, sql, err);
    }
    return status;
}

/* Told by the place in the server's source: the text may be in any language. */
bool hy__postgres_is_stale(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *place = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    if (state == NULL)
        return false;
    if (strcmp(state, "26000") == 0)
        return true;
    return strcmp(state, "0A000") == 0 && place != NULL && strcmp(place, "RevalidateCachedQuery") == 0;
}

/* ---- broken connections ----------------------------------------------------------------- */

/* libpq gives a connection up when an answer does not fit into memory. */
static bool is_memory(const char *text)
{
    return strstr(text, "out of memory") != NULL || strstr(text, "cannot allocate memory") != NULL;
}

/* What libpq says last, one line of it. */
static hy_status fail_lost(hy__postgres *c, const char *why, hy_error *err)
{
    bool of_server = why != NULL && *why != '\0';
    const char *text = of_server ? why : PQerrorMessage(c->pg);

    if (!of_server && is_memory(text))
        return hy_fail_oom(err);
    hy_status status =
        hy_fail(err, HY_ECONNECTION_LOST, "the connection broke: %.*s", (int)strcspn(text, "\n"), text);

    cut_password(c, err);
    return status;
}

hy_status hy__postgres_fail_call(hy__postgres *c, hy_error *err)
{
    const char *text = PQerrorMessage(c->pg);

    if (PQstatus(c->pg) == CONNECTION_BAD)
        return fail_lost(c, NULL, err);
    if (is_memory(text))
        return hy_fail_oom(err);
    hy_status status = hy_fail(err, HY_EDATABASE_ERROR, "%.*s", (int)strcspn(text, "\n"), text);
    cut_password(c, err);
    return status;
}

hy_status hy__postgres_report(hy__postgres *c, hy_error *err)
{
    bool lost = PQstatus(c->pg) == CONNECTION_BAD;
    hy_status status = c->failed;

    if (!lost && status == HY_OK)
        return HY_OK;
    if (lost) {
        char state[STATE_SIZE + 1];
        memcpy(state, c->error.sqlstate, sizeof state);
        status = fail_lost(c, state[0] != '\0' ? c->error.message : NULL, err);
        put_state(err, state);
    } else if (err != NULL) {
        *err = c->error;
    }
    return status;
}

/* ---- connecting ------------------------------------------------------------------------- */

/* With the verbosity that is set while connecting: "... FATAL:  28P01: password ..." */
static bool find_state(const char *text, char state[STATE_SIZE + 1])
{
    static const char characters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (const char *at = strstr(text, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *word = at + 3;
        if (strspn(word, characters) >= STATE_SIZE && strncmp(word + STATE_SIZE, ": ", 2) == 0) {
            memcpy(state, word, STATE_SIZE);
            state[STATE_SIZE] = '\0';
            return true;
        }
    }
    return false;
}

/*
 * Why the operating system or the TLS library could not: "connection to server at ... failed:
 * Connection refused", of which the beginning may have been told before.
 */
static const char *transport_reason(const char *text, int *size)
{
    static const char start[] = "connection to server", end[] = "failed: ";
    const char *at = strstr(text, end);

    if (at != NULL)
        text = at + sizeof end - 1;
    else if (strncmp(text, start, sizeof start - 1) == 0)
        text = "";
    *size = (int)strcspn(text, "\n");
    return text;
}

/* Before a server has answered, or after it has gone away: no SQLSTATE. */
static hy_status fail_transport(hy__postgres *c, ConnStatusType stage, hy_error *err)
{
    int size;
    const char *reason = transport_reason(PQerrorMessage(c->pg), &size);
    const char *colon = size > 0 ? ": " : "";

    if (stage == CONNECTION_SSL_STARTUP)
        return hy_fail(err, HY_ETLS_REFUSED, "no TLS as ssl.mode wants it%s%.*s", colon, size, reason);
    if (PQconnectionNeedsPassword(c->pg))
        return hy_fail(err, HY_EAUTHENTICATION_FAILED, "the server wants a password and none is given");
    return hy_fail(err, HY_ECONNECTION_REFUSED, "the server cannot be reached%s%.*s", colon, size, reason);
}

/* What is wrong is the program's configuration or the server's: say it in our words. */
static const char *connect_text(hy_status status)
{
    switch (status) {
    case HY_EAUTHENTICATION_FAILED:
        return "the server does not let this user in: wrong user or password, or not allowed from here";
    case HY_EUNDEFINED_DATABASE:
        return "the server has no database of that name";
    case HY_ETOO_MANY_CONNECTIONS:
        return "the server has no slot free for another connection";
    case HY_ECONNECTION_REFUSED:
        return "the server does not take connections now: it is starting, stopping or recovering";
    default:
        return "the server refuses the connection";
    }
}

hy_status hy__postgres_fail_connect(hy__postgres *c, ConnStatusType stage, hy_error *err)
{
    char state[STATE_SIZE + 1] = {0};
    hy_status status;

    if (find_state(PQerrorMessage(c->pg), state)) {
        status = status_of_state(state);
        if (hy_status_class(status) != HY_CLASS_CONNECTION)
            status = HY_ECONNECTION_REFUSED;
        status = hy_fail(err, status, "%s", connect_text(status));
        put_state(err, state);
    } else {
        status = fail_transport(c, stage, err);
    }
    cut_password(c, err);
    return status;
}
