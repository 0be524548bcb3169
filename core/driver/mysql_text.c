/*
 * mysql_text.c - the text protocol: statements that are not prepared, and the rows that they give,
 * which the library reads all at once. Of a CALL only the first result is given.
 *
 * Knows nothing of prepared statements but how an error of either protocol ends.
 */
#include "mysql_driver.h"

static hy_status take_text_row(hy__mysql_statement *s)
{
    MYSQL_ROW cells = mysql_fetch_row(s->result);
    const unsigned long *sizes = cells != NULL ? mysql_fetch_lengths(s->result) : NULL;

    s->fault = NULL;
    if (cells == NULL)
        return HY_DONE;
    for (size_t i = 0; i < s->head.n_columns; i++) {
        const char *fault = NULL;
        if (cells[i] == NULL)
            s->row[i] = hy_null();
        else
            fault = s->columns[i].bytes(&s->columns[i], cells[i], sizes[i], &s->row[i]);
        if (fault != NULL && s->fault == NULL) {
            s->fault = fault;
            s->fault_at = i;
        }
    }
    s->n_rows++;
    return HY_OK;
}

void hy__mysql_free_text_rows(hy__mysql_statement *s)
{
    mysql_free_result(s->result);
    s->result = NULL;
    s->rows = HY__MYSQL_NO_ROWS;
}

hy_status hy__mysql_next_text_row(hy__mysql_statement *s)
{
    hy_status status = take_text_row(s);

    if (status == HY_DONE)
        hy__mysql_free_text_rows(s);
    return status;
}

static hy_status after_skip(hy__mysql *c, hy_error *err);

/* Only the first result of CALL is given; the others are read and dropped. */
static hy_status after_text_result(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;

    hy__mysql_look(c);
    if (mysql_more_results(c->my))
        return hy__mysql_plan(c, HY__MYSQL_SKIP, after_skip);
    (void)err;
    return s->result != NULL ? hy__mysql_next_text_row(s) : HY_DONE;
}

static hy_status fail_text(hy__mysql *c, hy_error *err)
{
    if (c->statement->result != NULL)
        hy__mysql_free_text_rows(c->statement);
    return hy__mysql_fail_statement(c, err);
}

static hy_status after_skipped(hy__mysql *c, hy_error *err)
{
    if (c->ret_result == NULL)
        return fail_text(c, err);
    mysql_free_result(c->ret_result);
    c->ret_result = NULL;
    return after_text_result(c, err);
}

static hy_status after_skip(hy__mysql *c, hy_error *err)
{
    if (c->ret > 0)
        return fail_text(c, err);
    if (c->ret == 0 && mysql_field_count(c->my) > 0)
        return hy__mysql_plan(c, HY__MYSQL_RESULT, after_skipped);
    return after_text_result(c, err);
}

static hy_status after_result(hy__mysql *c, hy_error *err)
{
    hy__mysql_statement *s = c->statement;

    if (c->ret_result == NULL) /* errors may come as late as here */
        return fail_text(c, err);
    s->result = c->ret_result;
    c->ret_result = NULL;
    s->rows = HY__MYSQL_TEXT_ROWS;
    hy_status status =
        hy__mysql_read_columns(s, mysql_fetch_fields(s->result), mysql_num_fields(s->result), err);
    if (status == HY_OK)
        return after_text_result(c, err);
    c->broken = c->broken || mysql_more_results(c->my);
    return status;
}

static hy_status after_query(hy__mysql *c, hy_error *err)
{
    if (c->ret != 0)
        return fail_text(c, err);
    c->head.began_anew =
        c->statement->restarts && (c->status & c->my->server_status & SERVER_STATUS_IN_TRANS) != 0;
    if (mysql_field_count(c->my) > 0)
        return hy__mysql_plan(c, HY__MYSQL_RESULT, after_result);
    c->affected = hy__mysql_count(mysql_affected_rows(c->my));
    c->insert_id = (int64_t)mysql_insert_id(c->my);
    c->statement->head.n_columns = 0;
    return after_text_result(c, err);
}

hy_status hy__mysql_begin_query(hy__mysql *c, hy_error *err)
{
    (void)err;
    return hy__mysql_plan_query(c, c->statement->sql, c->statement->sql_size, after_query);
}
