/*
 * golden_mysql.c - prepares statements on a MariaDB or MySQL server through libmariadb.
 */
#include "golden_servers.h"

#include <stdio.h>
#include <string.h>

#include <mysql.h>

#include <hysteria/url.h>

/* The tables that the golden cases name, in databases of their own. */
static const char *const set_up[] = {
    "CREATE DATABASE app",
    "CREATE TABLE app.hysteria_golden (mine int)",
    "DROP DATABASE IF EXISTS hysteria_golden",
    "CREATE DATABASE hysteria_golden",
    "USE hysteria_golden",
    "CREATE TABLE users (id bigint AUTO_INCREMENT PRIMARY KEY, first_name varchar(255) UNIQUE, age int,"
    " active boolean, balance decimal(20, 4), score double, created_at datetime(6), password varchar(255),"
    " firstName varchar(255))",
    "CREATE TABLE posts (id bigint PRIMARY KEY, user_id bigint, title varchar(255), views int)",
    "CREATE TABLE user_tags (user_id bigint, tag_id bigint, weight int, PRIMARY KEY (user_id, tag_id))",
    "CREATE TABLE app.logs (id bigint PRIMARY KEY, user_id bigint)",
    "CREATE TABLE app.tags (id bigint PRIMARY KEY, label varchar(255), parent_id bigint, user_id bigint)",
    "CREATE TABLE tags (id bigint PRIMARY KEY, label varchar(255), parent_id bigint, user_id bigint)",
    "CREATE TABLE `we\"ird.``table` (`i\"d` bigint PRIMARY KEY, `a``b` varchar(255), `order` varchar(255),"
    " `\u20ac \\` varchar(255))",
    "CREATE TABLE plains (name varchar(255), size int, doubled int AS (size * 2) STORED)",
    "CREATE TABLE docs (id bigint PRIMARY KEY, body json, secret json)",
};
static const char *const clean_up[] = {"DROP DATABASE hysteria_golden", "DROP DATABASE app"};

static MYSQL *connection;
static char said[512];

static const char *keep(const char *text)
{
    (void)snprintf(said, sizeof said, "%s", text);
    return said;
}

static const char *run(const char *sql)
{
    if (mysql_query(connection, sql) != 0)
        return keep(mysql_error(connection));
    mysql_free_result(mysql_store_result(connection));
    return NULL;
}

static const char *connect_to(const char *text)
{
    hy_url url;
    hy_error err;

    connection = mysql_init(NULL);
    if (connection == NULL || hy_url_parse(text, strlen(text), &url, &err) != HY_OK)
        return "the address cannot be used";
    bool connected = mysql_real_connect(connection, url.host, url.user, url.password, url.database,
                                        (unsigned)url.port, NULL, 0) != NULL;
    hy_url_clear(&url);
    if (!connected)
        return keep(mysql_error(connection));
    return mysql_set_character_set(connection, "utf8mb4") == 0 ? NULL : keep(mysql_error(connection));
}

static const char *open_server(const char *url)
{
    const char *wrong = connect_to(url);

    /* What an earlier run left behind; a database "app" of somebody else is not touched. */
    if (wrong == NULL && run("SELECT 1 FROM app.hysteria_golden") == NULL)
        wrong = run("DROP DATABASE app");
    for (size_t i = 0; wrong == NULL && i < sizeof set_up / sizeof *set_up; i++)
        wrong = run(set_up[i]);
    return wrong;
}

static const char *prepare(const hy_sql *sql, size_t *n_columns)
{
    MYSQL_STMT *stmt = mysql_stmt_init(connection);
    const char *wrong = NULL;

    if (stmt == NULL)
        return "out of memory";
    if (mysql_stmt_prepare(stmt, sql->text, sql->size) != 0)
        wrong = keep(mysql_stmt_error(stmt));
    else if (mysql_stmt_param_count(stmt) != golden_n_params(sql))
        wrong = "it has another number of parameters";
    else /* of a RETURNING MariaDB tells the columns only when it runs */
        *n_columns = sql->writes && sql->n_columns > 0 ? sql->n_columns : mysql_stmt_field_count(stmt);
    mysql_stmt_close(stmt);
    return wrong;
}

static void close_server(void)
{
    for (size_t i = 0; i < sizeof clean_up / sizeof *clean_up; i++)
        (void)run(clean_up[i]);
    mysql_close(connection);
    connection = NULL;
}

const golden_server golden_mysql = {open_server, prepare, close_server};
