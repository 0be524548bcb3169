/*
 * core.c - the core without Lua: a model, its table, rows in and out, a transaction.
 *
 *   cc examples/core.c $(pkg-config --cflags --libs hysteria) -o core && ./core
 */
#include <inttypes.h>
#include <stdio.h>

#include <hysteria/hysteria.h>

/* One way to fail: print what the engine says and let main() clean up. */
static bool failed(hy_status status, const hy_error *err)
{
    if (status != HY_OK)
        fprintf(stderr, "%s: %s\n", hy_status_name(status), err->message);
    return status != HY_OK;
}

static hy_model *make_model(hy_error *err)
{
    const hy_column columns[] = {
        {.property = "id", .kind = HY_KIND_INTEGER, .flags = HY_COLUMN_INCREMENT},
        {.property = "email", .kind = HY_KIND_STRING, .flags = HY_COLUMN_NOT_NULL | HY_COLUMN_UNIQUE},
        {.property = "loginCount", .kind = HY_KIND_INTEGER, .flags = HY_COLUMN_NOT_NULL},
    };
    hy_model *model = hy_model_new("User", NULL, NULL, HY_NAMING_SNAKE);
    hy_status status = model ? HY_OK : hy_fail_oom(err);

    for (size_t i = 0; status == HY_OK && i < sizeof columns / sizeof columns[0]; i++)
        status = hy_model_add_column(model, &columns[i], err);
    if (status == HY_OK)
        status = hy_model_freeze(model, err);
    if (!failed(status, err))
        return model;
    hy_model_unref(model);
    return NULL;
}

/* hy_ddl_create_table() calls this once per statement. */
static hy_status run_statement(void *source, const char *sql, size_t size, hy_error *err)
{
    printf("%.*s;\n", (int)size, sql);
    return hy_source_execute_raw(source, sql, NULL, 0, NULL, NULL, err);
}

/* Expressions need no checks of their own: the query remembers the first failure. */
static hy_status insert(hy_source *source, const hy_model *users, const char *email, int64_t logins,
                        const hy_run_options *options, hy_error *err)
{
    const char *const names[] = {"email", "loginCount"};
    const hy_value email_value = hy_text(email), logins_value = hy_int(logins);
    hy_query *q = hy_query_new(users);
    hy_status status;

    if (q == NULL)
        return hy_fail_oom(err);
    hy_expr *values[] = {
        hy_expr_value_for(q, hy_model_find_column(users, "email", 5), &email_value),
        hy_expr_value_for(q, hy_model_find_column(users, "loginCount", 10), &logins_value),
    };
    hy_query_insert(q, names, 2);
    hy_query_insert_row(q, values, 2);
    status = hy_source_execute(source, q, options, NULL, err);
    hy_query_free(q);
    return status;
}

/* Who logged in more than once, the most frequent first. */
static hy_status print_frequent(hy_source *source, const hy_model *users, hy_cursor *cursor, hy_error *err)
{
    const hy_value once = hy_int(1);
    const hy_value *row;
    hy_query *q = hy_query_new(users);
    hy_status status;

    if (q == NULL)
        return hy_fail_oom(err);
    hy_expr *logins = hy_expr_column(q, "loginCount", 10);
    hy_query_select(q, hy_expr_column(q, "email", 5), NULL);
    hy_query_select(q, logins, NULL);
    hy_query_predicate(q, HY_SLOT_WHERE, HY_AND, false,
                       hy_expr_compare(q, HY_OP_GT, logins, hy_expr_value_like(q, logins, &once)));
    hy_query_order_by(q, logins, HY_DESC, HY_NULLS_DEFAULT);
    status = hy_cursor_query(cursor, source, q, NULL, err);
    hy_query_free(q); /* it runs already */
    if (status != HY_OK)
        return status;
    while ((status = hy_cursor_fetch(cursor, &row, err)) == HY_OK)
        printf("%.*s: %" PRId64 "\n", (int)row[0].as.text.size, row[0].as.text.data, row[1].as.integer);
    return status == HY_DONE ? HY_OK : status;
}

/* Both rows or none: the second breaks the unique index, so the first goes, too. */
static hy_status insert_two(hy_source *source, const hy_model *users, hy_error *err)
{
    hy_transaction *trx = NULL;
    hy_status status = hy_source_begin(source, NULL, &trx, err);
    const hy_run_options inside = {.transaction = trx};

    if (status == HY_OK)
        status = insert(source, users, "carol@example.org", 3, &inside, err);
    if (status == HY_OK)
        status = insert(source, users, "ada@example.org", 4, &inside, err);
    if (status == HY_OK && (status = hy_transaction_commit(trx, err)) == HY_OK)
        status = hy_transaction_run(trx, err);
    hy_transaction_free(trx); /* rolls back what was not committed */
    return status;
}

static hy_status run(hy_source *source, const hy_model *users, hy_cursor *cursor, hy_error *err)
{
    hy_status status =
        hy_ddl_create_table(users, hy_source_dialect(source), false, true, run_statement, source, err);

    if (status == HY_OK)
        status = insert(source, users, "ada@example.org", 2, NULL, err);
    if (status == HY_OK)
        status = insert(source, users, "bob@example.org", 7, NULL, err);
    if (status != HY_OK)
        return status;
    if (insert_two(source, users, err) == HY_EUNIQUE_VIOLATION)
        printf("as expected: %s (columns: %s)\n", hy_status_text(err->status), err->columns);
    return print_frequent(source, users, cursor, err);
}

int main(void)
{
    const hy_source_config config = {.type = "sqlite", .connect = {.database = ":memory:"}};
    hy_error err = {.status = HY_OK};
    hy_source *source = NULL;
    hy_model *users = make_model(&err);
    hy_cursor *cursor = hy_cursor_new();
    bool fine = users != NULL && cursor != NULL && !failed(hy_source_open(&config, &source, &err), &err) &&
                !failed(run(source, users, cursor, &err), &err);

    hy_cursor_free(cursor);
    hy_source_unref(source);
    hy_model_unref(users);
    return fine ? 0 : 1;
}
