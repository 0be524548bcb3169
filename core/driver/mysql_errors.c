/*
 * mysql_errors.c - MariaDB's and MySQL's error numbers, and libmariadb's, as Hysteria's errors.
 *
 * Names of tables, columns and keys are told only inside the English text, mostly quoted and
 * near its end; what is not recognised leaves the field empty. Texts that may quote a row's
 * value are never passed on: those have a text of ours here, and so has every unknown error
 * about data. What a connection error says is ours too: theirs names hosts and users.
 */
#include <errno.h>
#include <string.h>

#include <errmsg.h>

#include <base/buf.h>
#include <base/number.h>
#include <base/text.h>
#include <hysteria/datetime.h>

#include "mysql_driver.h"

/* ---- the table -------------------------------------------------------------------------- */

/* Where a message tells names. */
typedef enum tells {
    NOTHING,
    KEY,          /* ... for key 'table.name' */
    FOREIGN_KEY,  /* (`db`.`table`, CONSTRAINT `name` FOREIGN KEY (`columns`) ... */
    CHECK,        /* CONSTRAINT `name` failed for `db`.`table`, or Check constraint 'name' */
    FIRST_COLUMN, /* the first quoted word */
    LAST_COLUMN,  /* ... column 'name' at row N */
    FIRST_TABLE,
    FIRST_FILE, /* './db/users.frm', a file of the table */
    DROPPED,    /* Can't DROP COLUMN `name`, or Can't DROP 'name' */
    NEAR        /* near '...' at line N */
} tells;

typedef struct code_row {
    unsigned code;
    hy_status status;
    tells tells;
    const char *says; /* NULL: the server's own text */
} code_row;

static const char lost[] = "the connection to the database broke";
static const char refused[] = "nobody answers at the database's address";
static const char unfit[] = "a value does not fit its column";
static const char referenced[] =
    "a foreign key refuses it: the row is referenced, or the row it refers to is missing";
static const char not_unique[] = "a row with the same value exists";
static const char missing[] = "a required value is missing";
static const char bad_login[] = "the server refuses this user or password";
static const char bad_pattern[] = "the regular expression is not valid";
static const char bad_json[] = "the JSON document is not valid";

/* Sorted by code. Those below 1000 are numbers of the storage engines and of the files below them. */
static const code_row codes[] = {
    {3, HY_EDATABASE_ERROR, NOTHING, NULL},
    {20, HY_EDISK_FULL, NOTHING, "the server's disk is full"},
    {130, HY_EDATABASE_CORRUPT, FIRST_FILE, NULL},
    {1007, HY_EOBJECT_EXISTS, NOTHING, NULL},
    {1008, HY_EUNDEFINED_DATABASE, NOTHING, NULL},
    {1017, HY_EDATABASE_CORRUPT, FIRST_FILE, "a file of the table is missing"},
    {1020, HY_ESERIALIZATION_FAILURE, NOTHING, "a row changed since this transaction first read it"},
    {1021, HY_EDISK_FULL, NOTHING, "the server's disk is full"},
    {1022, HY_EUNIQUE_VIOLATION, KEY, not_unique},
    {1026, HY_EDATABASE_ERROR, NOTHING, NULL},
    {1030, HY_EDATABASE_ERROR, NOTHING, NULL},
    {1033, HY_EDATABASE_CORRUPT, FIRST_FILE, "the file that defines the table is damaged"},
    {1034, HY_EDATABASE_CORRUPT, FIRST_FILE, "a file of the table is damaged"},
    {1036, HY_EREAD_ONLY, FIRST_TABLE, NULL},
    {1040, HY_ETOO_MANY_CONNECTIONS, NOTHING, "the server has no free connection"},
    {1042, HY_ECONNECTION_REFUSED, NOTHING, "the server cannot resolve this machine's address"},
    {1043, HY_ECONNECTION_REFUSED, NOTHING, "the server did not understand the handshake"},
    {1044, HY_EPERMISSION_DENIED, NOTHING, "the user may not use this database"},
    {1045, HY_EAUTHENTICATION_FAILED, NOTHING, bad_login},
    {1046, HY_EUNDEFINED_DATABASE, NOTHING, NULL},
    {1048, HY_ENOT_NULL_VIOLATION, FIRST_COLUMN, missing},
    {1049, HY_EUNDEFINED_DATABASE, NOTHING, "the server has no such database"},
    {1050, HY_EOBJECT_EXISTS, FIRST_TABLE, NULL},
    {1051, HY_EUNDEFINED_TABLE, FIRST_TABLE, NULL},
    {1052, HY_ESYNTAX, NOTHING, NULL},
    {1053, HY_ECONNECTION_LOST, NOTHING, "the server is shutting down"},
    {1054, HY_EUNDEFINED_COLUMN, FIRST_COLUMN, NULL},
    {1055, HY_ESYNTAX, NOTHING, NULL},
    {1056, HY_ESYNTAX, NOTHING, NULL},
    {1058, HY_ESYNTAX, NOTHING, NULL},
    {1059, HY_EINVALID_IDENTIFIER, NOTHING, NULL},
    {1060, HY_EOBJECT_EXISTS, FIRST_COLUMN, NULL},
    {1061, HY_EOBJECT_EXISTS, NOTHING, NULL},
    {1062, HY_EUNIQUE_VIOLATION, KEY, not_unique},
    {1063, HY_ESYNTAX, NOTHING, NULL},
    {1064, HY_ESYNTAX, NEAR, NULL},
    {1065, HY_ESYNTAX, NOTHING, "there is no statement in this text"},
    {1066, HY_ESYNTAX, NOTHING, NULL},
    {1067, HY_ESYNTAX, NOTHING, NULL},
    {1068, HY_ESYNTAX, NOTHING, NULL},
    {1069, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1070, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1071, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1072, HY_EUNDEFINED_COLUMN, FIRST_COLUMN, NULL},
    {1074, HY_ELIMIT_EXCEEDED, FIRST_COLUMN, NULL},
    {1075, HY_ESYNTAX, NOTHING, NULL},
    {1091, HY_EUNDEFINED_COLUMN, DROPPED, NULL},
    {1095, HY_EPERMISSION_DENIED, NOTHING, NULL},
    {1104, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1109, HY_EUNDEFINED_TABLE, FIRST_TABLE, NULL},
    {1110, HY_ESYNTAX, NOTHING, NULL},
    {1111, HY_ESYNTAX, NOTHING, NULL},
    {1114, HY_EDISK_FULL, FIRST_TABLE, NULL},
    {1115, HY_ESYNTAX, NOTHING, NULL},
    {1116, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1117, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1118, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1119, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1129, HY_ECONNECTION_REFUSED, NOTHING,
     "the server has blocked this machine after too many failed attempts"},
    {1130, HY_EAUTHENTICATION_FAILED, NOTHING, "the server lets nobody in from this machine"},
    {1136, HY_ESYNTAX, NOTHING, NULL},
    {1138, HY_ENOT_NULL_VIOLATION, NOTHING, missing},
    {1139, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {1142, HY_EPERMISSION_DENIED, NOTHING, "the user may not do that with this table"},
    {1143, HY_EPERMISSION_DENIED, NOTHING, "the user may not do that with this column"},
    {1146, HY_EUNDEFINED_TABLE, FIRST_TABLE, NULL},
    {1149, HY_ESYNTAX, NOTHING, NULL},
    {1152, HY_ECONNECTION_LOST, NOTHING, lost},
    {1153, HY_ELIMIT_EXCEEDED, NOTHING, "the statement is longer than the server's max_allowed_packet"},
    {1158, HY_ECONNECTION_LOST, NOTHING, lost},
    {1159, HY_ECONNECTION_LOST, NOTHING, lost},
    {1160, HY_ECONNECTION_LOST, NOTHING, lost},
    {1161, HY_ECONNECTION_LOST, NOTHING, lost},
    {1166, HY_EINVALID_IDENTIFIER, NOTHING, NULL},
    {1169, HY_EUNIQUE_VIOLATION, NOTHING, not_unique},
    {1170, HY_ESYNTAX, FIRST_COLUMN, NULL},
    {1171, HY_ESYNTAX, NOTHING, NULL},
    {1180, HY_ESERIALIZATION_FAILURE, NOTHING, "the server could not commit and rolled the transaction back"},
    {1184, HY_ECONNECTION_LOST, NOTHING, lost},
    {1193, HY_ESYNTAX, NOTHING, NULL},
    {1194, HY_EDATABASE_CORRUPT, FIRST_TABLE, NULL},
    {1195, HY_EDATABASE_CORRUPT, FIRST_TABLE, NULL},
    {1203, HY_ETOO_MANY_CONNECTIONS, NOTHING, "the user has as many connections as the server allows"},
    {1205, HY_ELOCK_TIMEOUT, NOTHING, "a lock was not released in time"},
    {1206, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1207, HY_EREAD_ONLY, NOTHING, NULL},
    {1213, HY_EDEADLOCK, NOTHING, "a deadlock: the server rolled this transaction back"},
    {1216, HY_EFOREIGN_KEY_VIOLATION, NOTHING, referenced},
    {1217, HY_EFOREIGN_KEY_VIOLATION, NOTHING, referenced},
    {1222, HY_ESYNTAX, NOTHING, NULL},
    {1223, HY_EREAD_ONLY, NOTHING, NULL},
    {1226, HY_ETOO_MANY_CONNECTIONS, NOTHING, "the user has used up what the server allows"},
    {1227, HY_EPERMISSION_DENIED, NOTHING, NULL},
    {1235, HY_EUNSUPPORTED, NOTHING, NULL},
    {1241, HY_ESYNTAX, NOTHING, NULL},
    {1242, HY_EDATA_INVALID, NOTHING, NULL},
    {1247, HY_ESYNTAX, NOTHING, NULL},
    {1248, HY_ESYNTAX, NOTHING, NULL},
    {1251, HY_EAUTHENTICATION_FAILED, NOTHING, bad_login},
    {1263, HY_ENOT_NULL_VIOLATION, LAST_COLUMN, missing},
    {1264, HY_EDATA_INVALID, LAST_COLUMN, "a number is out of its column's range"},
    {1265, HY_EDATA_INVALID, LAST_COLUMN, unfit},
    {1273, HY_ESYNTAX, NOTHING, NULL},
    {1288, HY_EREAD_ONLY, FIRST_TABLE, NULL},
    {1290, HY_EREAD_ONLY, NOTHING, NULL},
    {1292, HY_EDATA_INVALID, LAST_COLUMN, unfit},
    {1295, HY_EUNSUPPORTED, NOTHING, "this kind of statement cannot have parameters"},
    {1298, HY_EINVALID_CONFIG, NOTHING,
     "the server does not know the time zone: give an offset like +00:00, or load its time zone tables"},
    {1300, HY_EDATA_INVALID, NOTHING, "text that is not valid in its character set"},
    {1304, HY_EOBJECT_EXISTS, NOTHING, NULL},
    {1305, HY_ESYNTAX, NOTHING, NULL},
    {1317, HY_EQUERY_CANCELED, NOTHING, "the statement was cancelled"},
    {1318, HY_ESYNTAX, NOTHING, NULL},
    {1364, HY_ENOT_NULL_VIOLATION, FIRST_COLUMN, missing},
    {1365, HY_EDATA_INVALID, NOTHING, "division by zero"},
    {1366, HY_EDATA_INVALID, LAST_COLUMN, unfit},
    {1367, HY_EDATA_INVALID, NOTHING, unfit},
    {1370, HY_EPERMISSION_DENIED, NOTHING, NULL},
    {1390, HY_ELIMIT_EXCEEDED, NOTHING, "a statement takes 65535 parameters at most"},
    {1396, HY_EPERMISSION_DENIED, NOTHING, NULL},
    {1402, HY_ETRANSACTION_ABORTED, NOTHING, NULL},
    {1406, HY_EDATA_INVALID, LAST_COLUMN, "a value is too long for its column"},
    {1411, HY_EDATA_INVALID, NOTHING, unfit},
    {1412, HY_ESERIALIZATION_FAILURE, NOTHING, "a table's definition changed since this transaction began"},
    {1416, HY_EDATA_INVALID, NOTHING, unfit},
    {1425, HY_ELIMIT_EXCEEDED, NOTHING, "a column has more digits after the point than the server keeps"},
    {1426, HY_ELIMIT_EXCEEDED, NOTHING, "a column has more digits than the server keeps"},
    {1436, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1441, HY_EDATA_INVALID, NOTHING, unfit},
    {1451, HY_EFOREIGN_KEY_VIOLATION, FOREIGN_KEY, "a foreign key refuses it: other rows refer to this row"},
    {1452, HY_EFOREIGN_KEY_VIOLATION, FOREIGN_KEY,
     "a foreign key refuses it: the row it refers to does not exist"},
    {1461, HY_ELIMIT_EXCEEDED, NOTHING,
     "the server keeps no more prepared statements (max_prepared_stmt_count): lower the statement cache or "
     "the pool"},
    {1525, HY_EDATA_INVALID, NOTHING, unfit},
    {1526, HY_EDATA_INVALID, NOTHING, "no partition of the table takes the row"},
    {1557, HY_EUNIQUE_VIOLATION, NOTHING, not_unique},
    {1569, HY_EUNIQUE_VIOLATION, KEY, not_unique},
    {1586, HY_EUNIQUE_VIOLATION, KEY, not_unique},
    {1613, HY_ETRANSACTION_ABORTED, NOTHING, NULL},
    {1614, HY_EDEADLOCK, NOTHING, NULL},
    {1615, HY_EDATABASE_ERROR, NOTHING, "the statement must be prepared again"},
    {1637, HY_ELIMIT_EXCEEDED, NOTHING, NULL},
    {1644, HY_EDATABASE_ERROR, NOTHING, NULL},
    {1690, HY_EDATA_INVALID, NOTHING, "the result of a calculation is out of range"},
    {1701, HY_EFOREIGN_KEY_VIOLATION, FOREIGN_KEY,
     "a foreign key refers to the table: it cannot be truncated"},
    {1712, HY_EDATABASE_CORRUPT, NOTHING, "an index is damaged"},
    {1792, HY_EREAD_ONLY, NOTHING, "the transaction is read-only"},
    {1812, HY_EDATABASE_CORRUPT, NOTHING, NULL},
    {1820, HY_EAUTHENTICATION_FAILED, NOTHING, "the user's password has expired: it must be changed first"},
    {1836, HY_EREAD_ONLY, NOTHING, "the server is read-only"},
    {1845, HY_EUNSUPPORTED, NOTHING, NULL},
    {1846, HY_EUNSUPPORTED, NOTHING, NULL},
    {1859, HY_EUNIQUE_VIOLATION, NOTHING, not_unique},
    {1862, HY_EAUTHENTICATION_FAILED, NOTHING, "the user's password has expired: it must be changed first"},
    {1877, HY_EDATABASE_CORRUPT, FIRST_TABLE, NULL},
    {1927, HY_ECONNECTION_LOST, NOTHING, lost},
    {1932, HY_EDATABASE_CORRUPT, FIRST_TABLE, NULL},
    {1969, HY_EQUERY_TIMEOUT, NOTHING, "the statement was stopped by the server: its time was up"},
    {CR_SOCKET_CREATE_ERROR, HY_ECONNECTION_REFUSED, NOTHING, "no socket can be made"},
    {CR_CONNECTION_ERROR, HY_ECONNECTION_REFUSED, NOTHING, refused},
    {CR_CONN_HOST_ERROR, HY_ECONNECTION_REFUSED, NOTHING, refused},
    {CR_IPSOCK_ERROR, HY_ECONNECTION_REFUSED, NOTHING, "no socket can be made"},
    {CR_UNKNOWN_HOST, HY_ECONNECTION_REFUSED, NOTHING, "the database's host is not known by this name"},
    {CR_SERVER_GONE_ERROR, HY_ECONNECTION_LOST, NOTHING, lost},
    {CR_VERSION_ERROR, HY_ECONNECTION_REFUSED, NOTHING, "the server speaks another protocol"},
    {CR_SERVER_HANDSHAKE_ERR, HY_ECONNECTION_REFUSED, NOTHING, "the server did not understand the handshake"},
    {CR_SERVER_LOST, HY_ECONNECTION_LOST, NOTHING, lost},
    {CR_COMMANDS_OUT_OF_SYNC, HY_EDEVELOPMENT_ERROR, NOTHING, NULL},
    {CR_NET_PACKET_TOO_LARGE, HY_ELIMIT_EXCEEDED, NOTHING, "a message is longer than this client takes"},
    {CR_SSL_CONNECTION_ERROR, HY_ETLS_REFUSED, NOTHING, NULL},
    {CR_MALFORMED_PACKET, HY_ECONNECTION_LOST, NOTHING, "the server sent something that is no answer"},
    {CR_NEW_STMT_METADATA, HY_EDATABASE_ERROR, NOTHING,
     "the result changed its shape since the statement was prepared"},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, HY_EAUTHENTICATION_FAILED, NOTHING,
     "the server wants a way of logging in that this client has not or that is not safe without ssl.mode "
     "verify-full"},
    {CR_AUTH_PLUGIN_ERR, HY_EAUTHENTICATION_FAILED, NOTHING, bad_login},
    {2068, HY_EPERMISSION_DENIED, NOTHING, "LOAD DATA LOCAL is switched off"},
    {3024, HY_EQUERY_TIMEOUT, NOTHING, "the statement was stopped by the server: its time was up"},
    {3058, HY_EDEADLOCK, NOTHING, NULL},
    {3101, HY_ESERIALIZATION_FAILURE, NOTHING, "the server could not commit and rolled the transaction back"},
    {3105, HY_EDATA_INVALID, FIRST_COLUMN, "a generated column takes no value"},
    {3118, HY_EAUTHENTICATION_FAILED, NOTHING, "the server has locked this user"},
    {3140, HY_EDATA_INVALID, NOTHING, bad_json},
    {3141, HY_EDATA_INVALID, NOTHING, bad_json},
    {3143, HY_EDATA_INVALID, NOTHING, "the JSON path is not valid"},
    {3156, HY_EDATA_INVALID, NOTHING, unfit},
    {3159, HY_ETLS_REFUSED, NOTHING, "the server takes encrypted connections only: set ssl.mode"},
    {3572, HY_ELOCK_TIMEOUT, NOTHING, "a row is locked by another transaction"},
    {3688, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3689, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3691, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3692, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3693, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3694, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3696, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3697, HY_EDATA_INVALID, NOTHING, bad_pattern},
    {3730, HY_EFOREIGN_KEY_VIOLATION, NOTHING, "a foreign key refers to the table: it cannot be dropped"},
    {3819, HY_ECHECK_VIOLATION, CHECK, "a check refuses the row"},
    {3948, HY_EPERMISSION_DENIED, NOTHING, "LOAD DATA LOCAL is switched off"},
    {3988, HY_EDATA_INVALID, NOTHING, "text that the character set it is stored in does not have"},
    {4025, HY_ECHECK_VIOLATION, CHECK, "a check refuses the row"},
    {4031, HY_ECONNECTION_LOST, NOTHING, "the server closed the connection: it was idle too long"},
    {4035, HY_EDATA_INVALID, NOTHING, bad_json},
    {4036, HY_EDATA_INVALID, NOTHING, bad_json},
    {4037, HY_EDATA_INVALID, NOTHING, bad_json},
    {4038, HY_EDATA_INVALID, NOTHING, bad_json},
    {4078, HY_ESYNTAX, NOTHING, NULL},
    {4166, HY_EPERMISSION_DENIED, NOTHING, "LOAD DATA LOCAL is switched off"},
};
enum { N_CODES = sizeof codes / sizeof codes[0] };

static const code_row *find_code(unsigned code)
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

/* ---- names in messages ------------------------------------------------------------------ */

typedef struct span {
    const char *data;
    size_t size;
} span;

static void copy_cut(char *out, size_t out_size, span text)
{
    size_t size = hy__text_cut(text.data, text.size, out_size - 1);

    memcpy(out, text.data, size);
    out[size] = '\0';
}

static bool is_quote(char c)
{
    return c == '\'' || c == '`';
}

/* The first quoted word from `text` on; its data is NULL if there is none. */
static span first_quoted(const char *text)
{
    while (*text != '\0' && !is_quote(*text))
        text++;
    const char *end = *text != '\0' ? strchr(text + 1, *text) : NULL;
    return end != NULL ? (span){text + 1, (size_t)(end - text) - 1} : (span){NULL, 0};
}

/* The quoted word that ends right before `end`. */
static span quoted_before(const char *text, const char *end)
{
    const char *close = end - 1;

    if (close <= text || !is_quote(*close))
        return (span){NULL, 0};
    for (const char *open = close - 1; open >= text; open--)
        if (*open == *close)
            return (span){open + 1, (size_t)(close - open) - 1};
    return (span){NULL, 0};
}

/* The last place of `part`, so that a value which looks like the message cannot mislead. */
static const char *find_last(const char *text, const char *part)
{
    const char *found = NULL;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        found = at;
    return found;
}

/* "db.users" is the table users, "users.name" the column name. */
static span last_part(span name)
{
    for (size_t i = name.size; i > 0; i--)
        if (name.data[i - 1] == '.')
            return (span){name.data + i, name.size - i};
    return name;
}

static void put_table(hy_error *err, span name)
{
    if (name.data != NULL)
        copy_cut(err->table, sizeof err->table, last_part(name));
}

/* "./db/users.MYD" is a file of the table users; a bare name is the table's. */
static void put_table_of_file(hy_error *err, span path)
{
    const char *slash = path.data != NULL ? memrchr(path.data, '/', path.size) : NULL;

    if (path.data == NULL)
        return;
    if (slash != NULL)
        path = (span){slash + 1, (size_t)(path.data + path.size - slash) - 1};
    const char *dot = memrchr(path.data, '.', path.size);
    if (dot != NULL)
        path.size = (size_t)(dot - path.data);
    copy_cut(err->table, sizeof err->table, path);
}

static void put_column(hy_error *err, span name)
{
    if (name.data != NULL)
        copy_cut(err->columns, sizeof err->columns, last_part(name));
}

/* "... for key 'email'", and MySQL's 'users.email'. */
static void read_key(hy_error *err, const char *text)
{
    span key = quoted_before(text, text + strlen(text));
    const char *dot = key.data != NULL ? memchr(key.data, '.', key.size) : NULL;

    if (key.data == NULL)
        return;
    if (dot != NULL) {
        put_table(err, (span){key.data, (size_t)(dot - key.data)});
        key = (span){dot + 1, (size_t)(key.data + key.size - dot) - 1};
    }
    copy_cut(err->constraint, sizeof err->constraint, key);
}

/* "`a`, `b`) ..." -> "a,b": whole names or none. */
static void read_columns(hy_error *err, const char *list)
{
    size_t used = 0;
    const char *end = strchr(list, ')');

    for (span name = first_quoted(list); name.data != NULL && name.data < end; name = first_quoted(list)) {
        if (used + name.size + 2 > sizeof err->columns)
            return;
        if (used > 0)
            err->columns[used++] = ',';
        memcpy(err->columns + used, name.data, name.size);
        used += name.size;
        err->columns[used] = '\0';
        list = name.data + name.size + 1;
    }
}

static void read_foreign_key(hy_error *err, const char *text)
{
    const char *name = find_last(text, "CONSTRAINT `");
    const char *columns = find_last(text, "FOREIGN KEY (");
    const char *comma = name != NULL && name - text >= 2 ? name - 2 : NULL; /* `db`.`table`, CONSTRAINT */

    if (comma != NULL && *comma == ',')
        put_table(err, quoted_before(text, comma));
    if (name != NULL)
        copy_cut(err->constraint, sizeof err->constraint, first_quoted(name));
    if (columns != NULL)
        read_columns(err, columns + sizeof "FOREIGN KEY (" - 1);
}

static void read_check(hy_error *err, const char *text)
{
    span name = first_quoted(text);
    const char *place = find_last(text, " failed for ");

    if (name.data != NULL)
        copy_cut(err->constraint, sizeof err->constraint, last_part(name));
    if (place != NULL)
        put_table(err, quoted_before(text, text + strlen(text)));
}

static void read_last_column(hy_error *err, const char *text)
{
    const char *end = find_last(text, " at row ");
    const char *name = find_last(text, "column ");

    if (name != NULL)
        put_column(err, quoted_before(name, end != NULL && end > name ? end : text + strlen(text)));
}

/* "Can't DROP ..." has a quote of its own before the name's. */
static void read_dropped(hy_error *err, const char *text)
{
    const char *at = strstr(text, "DROP ");

    if (at != NULL)
        put_column(err, first_quoted(at));
}

/* Where line `n` of `sql` begins, or its end. */
static size_t line_start(const char *sql, size_t size, int64_t n)
{
    size_t at = 0;

    while (n > 1 && at < size) {
        const char *end = memchr(sql + at, '\n', size - at);
        at = end != NULL ? (size_t)(end - sql) + 1 : size;
        n--;
    }
    return at;
}

/* The server quotes what it could not read, and tells its line. */
static void read_near(hy__mysql *c, hy_error *err, const char *text)
{
    const char *near = strstr(text, " near '"), *end = find_last(text, "' at line ");
    int64_t line;

    if (near == NULL || end == NULL || end < near + 7 || c->sql == NULL)
        return;
    const char *number = end + sizeof "' at line " - 1;
    if (!hy_parse_int(number, strlen(number), &line))
        return;
    span quoted = {near + 7, (size_t)(end - near) - 7};
    size_t from = line_start(c->sql, c->sql_size, line);
    const char *found =
        quoted.size > 0 ? memmem(c->sql + from, c->sql_size - from, quoted.data, quoted.size) : NULL;
    if (found != NULL)
        err->position = (size_t)(found - c->sql) + 1;
    else if (quoted.size == 0)
        err->position = c->sql_size + 1; /* behind the end */
}

static void read_names(hy__mysql *c, const code_row *row, hy_error *err, const char *text)
{
    switch (row->tells) {
    case KEY:
        read_key(err, text);
        break;
    case FOREIGN_KEY:
        read_foreign_key(err, text);
        break;
    case CHECK:
        read_check(err, text);
        break;
    case FIRST_COLUMN:
        put_column(err, first_quoted(text));
        break;
    case LAST_COLUMN:
        read_last_column(err, text);
        break;
    case FIRST_TABLE:
        put_table(err, first_quoted(text));
        break;
    case FIRST_FILE:
        put_table_of_file(err, first_quoted(text + strcspn(text, " "))); /* "Can't" has a quote of its own */
        break;
    case DROPPED:
        read_dropped(err, text);
        break;
    case NEAR:
        read_near(c, err, text);
        break;
    case NOTHING:
        break;
    }
}

/* ---- messages --------------------------------------------------------------------------- */

/* Our text, and what was learnt from theirs. */
static void say_ours(hy_error *err, const char *says)
{
    hy_buf text;

    hy_buf_init(&text);
    hy_buf_puts(&text, says);
    if (err->constraint[0] != '\0')
        hy_buf_printf(&text, " (%s)", err->constraint);
    else if (err->columns[0] != '\0')
        hy_buf_printf(&text, " (column %s)", err->columns);
    if (!text.failed) {
        size_t size = hy__text_cut(text.data, text.size, sizeof err->message - 1);
        memcpy(err->message, text.data, size);
        err->message[size] = '\0';
    }
    hy_buf_clear(&text);
}

/* "You have an error ... near 'SELEC x FROM secret ...' at line 1": its first word is enough. */
static void say_near(hy_error *err, const char *text)
{
    const char *near = strstr(text, " near '");
    size_t size = near != NULL ? strcspn(near + 7, " \t\r\n") : 0;
    const char *end = near != NULL ? find_last(text, "' at line ") : NULL;
    hy_error copy = *err;

    if (end == NULL)
        return;
    if (near + 7 + size > end)
        size = (size_t)(end - near) - 7;
    size = hy__text_cut(near + 7, size, 40);
    if (size > 0)
        (void)hy_fail(&copy, HY_ESYNTAX, "syntax error near \"%.*s\"", (int)size, near + 7);
    else
        (void)hy_fail(&copy, HY_ESYNTAX, "syntax error at the end of the statement");
    memcpy(err->message, copy.message, sizeof err->message);
}

/* What is not listed: data may be quoted in its text, so that is left out. */
static code_row unknown_row(unsigned code, const char *state)
{
    bool about_data = strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0;
    code_row row = {code, HY_EDATABASE_ERROR, NOTHING, NULL};

    if (about_data) {
        row.status = HY_EDATA_INVALID;
        row.says = "the database refuses a value";
    } else if (strncmp(state, "42", 2) == 0) {
        row.status = HY_ESYNTAX;
    } else if (strncmp(state, "08", 2) == 0) {
        row.status = HY_ECONNECTION_LOST;
        row.says = lost;
    }
    return row;
}

/* Numbers of storage engines and of the system, which some messages tell. */
static const struct {
    int64_t number;
    hy_status status;
} causes[] = {
    {ENOSPC, HY_EDISK_FULL},     {EDQUOT, HY_EDISK_FULL},     {126, HY_EDATABASE_CORRUPT},
    {127, HY_EDATABASE_CORRUPT}, {135, HY_EDISK_FULL},        {136, HY_EDISK_FULL},
    {144, HY_EDATABASE_CORRUPT}, {145, HY_EDATABASE_CORRUPT}, {175, HY_EDATABASE_CORRUPT},
    {176, HY_EDATABASE_CORRUPT}, {180, HY_EDATABASE_CORRUPT},
};

/* The first number in `text`: "Got error 176 ...", "(Errcode: 28 ...)", "(OS errno 28 - ...)". */
static hy_status status_of_cause(const char *text, hy_status status)
{
    const char *digits = text != NULL ? text + strcspn(text, "0123456789") : "";
    int64_t number;

    if (!hy_parse_int(digits, strspn(digits, "0123456789"), &number))
        return status;
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        if (causes[i].number == number)
            return causes[i].status;
    return status;
}

/* One number for several things: its text tells which. */
static hy_status refine(const code_row *row, const char *text)
{
    switch (row->code) {
    case 3:
    case 1026: /* a file could not be written: its name comes first, the reason last */
        return status_of_cause(strrchr(text, '('), row->status);
    case 1030: /* a storage engine failed */
        return status_of_cause(text, row->status);
    case 1305: /* no such savepoint, or no such procedure */
        return strncmp(text, "SAVEPOINT", 9) == 0 ? HY_ETRANSACTION_ABORTED : row->status;
    default:
        return row->status;
    }
}

static hy_status fill(hy__mysql *c, unsigned code, const char *state, const char *text, hy_error *err)
{
    const code_row *known = find_code(code);
    const code_row row = known != NULL ? *known : unknown_row(code, state);
    hy_status status = hy_fail(err, refine(&row, text), "%s", row.says != NULL ? row.says : text);

    if (err == NULL)
        return status;
    err->native_code = (int)code;
    copy_cut(err->sqlstate, sizeof err->sqlstate, (span){state, strlen(state)});
    read_names(c, &row, err, text);
    if (row.says != NULL)
        say_ours(err, row.says);
    else if (row.tells == NEAR)
        say_near(err, text);
    return status;
}

unsigned hy__mysql_errno(const hy__mysql *c, MYSQL_STMT *stmt)
{
    unsigned code = stmt != NULL ? mysql_stmt_errno(stmt) : 0;
    return code != 0 ? code : mysql_errno(c->my);
}

bool hy__mysql_is_lost(unsigned code)
{
    static const unsigned codes_of_loss[] = {
        1053,
        1152,
        1153,
        1158,
        1159,
        1160,
        1161,
        1184,
        1927,
        4031,
        CR_SERVER_GONE_ERROR,
        CR_OUT_OF_MEMORY,
        CR_SERVER_LOST,
        CR_COMMANDS_OUT_OF_SYNC,
        CR_MALFORMED_PACKET,
    };

    for (size_t i = 0; i < sizeof codes_of_loss / sizeof codes_of_loss[0]; i++)
        if (codes_of_loss[i] == code)
            return true;
    return false;
}

hy_status hy__mysql_fail(hy__mysql *c, MYSQL_STMT *stmt, hy_error *err)
{
    bool of_statement = stmt != NULL && mysql_stmt_errno(stmt) != 0;
    unsigned code = hy__mysql_errno(c, stmt);

    if (hy__mysql_is_lost(code) || code == 0)
        c->broken = true;
    if (code == CR_OUT_OF_MEMORY || (code == CR_SERVER_LOST && c->no_memory))
        return hy_fail_oom(err);
    if (code == 0)
        return hy_fail(err, HY_EDATABASE_ERROR, "the server sent something that is no answer");
    if (of_statement)
        return fill(c, code, mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt), err);
    return fill(c, code, mysql_sqlstate(c->my), mysql_error(c->my), err);
}

/* "(111)" at the end of the library's text is the reason. */
static const char *reason_of(const char *text)
{
    const char *open = strrchr(text, '('), *close = open != NULL ? strchr(open, ')') : NULL;
    int64_t number;

    if (close == NULL || !hy_parse_int(open + 1, (size_t)(close - open) - 1, &number))
        return NULL;
    switch (number) {
    case ECONNREFUSED:
        return "connection refused";
    case ENOENT:
        return "there is no such socket";
    case EACCES:
        return "this user may not use the socket";
    case ETIMEDOUT:
        return "no answer";
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "there is no way to its network";
    default:
        return NULL;
    }
}

hy_status hy__mysql_fail_connect(hy__mysql *c, hy_error *err)
{
    unsigned code = mysql_errno(c->my);
    const char *reason = reason_of(mysql_error(c->my));
    hy_status status = hy__mysql_fail(c, NULL, err);

    c->broken = true;
    if (code == CR_SSL_CONNECTION_ERROR && hy_monotonic_ns() >= c->head.deadline)
        status = hy_fail(err, HY_ECONNECT_TIMEOUT, "the server did not finish the TLS handshake in time");
    else if (reason != NULL && (code == CR_CONN_HOST_ERROR || code == CR_CONNECTION_ERROR))
        status = hy_fail(err, status, "%s: %s", refused, reason);
    if (err != NULL)
        err->native_code = (int)code;
    return status;
}
