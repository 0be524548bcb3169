/*
 * mysql_params.c - values as parameters of the binary protocol.
 *
 * Text and bytes are borrowed, all else lies in one block that a statement keeps. Decimals are
 * sent as such, so that comparing them is exact; those longer than the server's decimals go as
 * text, which it must refuse where they do not fit. Nothing is sent that the server would
 * change in silence. Many rows for the parameters of one go to MariaDB in one message, for
 * which the library asks row by row. Knows nothing of how statements run.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/datetime.h>
#include <hysteria/memory.h>

#include "mysql_driver.h"

enum {
    MOST_DIGITS = 65, /* of the server's decimals; MySQL keeps 30 of them after the point */
    MOST_FRACTION = 30,
    UUID_SIZE = 36,
    MESSAGE_ROOM = 64, /* of a message beside the parameters and their types */
    PARAM_ROOM = 16    /* for its type and length, or for what has a fixed size */
};

typedef struct param {
    union {
        signed char truth;
        int64_t integer;
        double number;
        MYSQL_TIME time;
        char uuid[UUID_SIZE + 1];
    };
    char indicator; /* of many rows: is this one's value NULL? */
} param;

/* n_params binds, then as many of these. */
static hy_status reserve(hy__mysql_statement *s, hy_error *err)
{
    size_t n = s->head.n_params;

    if (s->params == NULL && n > 0)
        s->params = hy_alloc_zero(n * (sizeof(MYSQL_BIND) + sizeof(param)));
    return s->params != NULL || n == 0 ? HY_OK : hy_fail_oom(err);
}

static void set_bytes(MYSQL_BIND *b, enum enum_field_types type, const char *data, size_t size)
{
    b->buffer_type = type;
    /* A buffer that is NULL would send NULL, which is not the empty string. */
    b->buffer = (void *)(uintptr_t)(data != NULL ? data : "");
    b->buffer_length = size;
}

/* The library knows the size by the type. */
static void set_fixed(MYSQL_BIND *b, enum enum_field_types type, param *p)
{
    b->buffer_type = type;
    b->buffer = p;
}

static hy_status refuse(size_t i, const char *why, hy_error *err)
{
    return hy_fail(err, HY_EDATA_INVALID, "parameter %zu: %s", i + 1, why);
}

static hy_status set_text(MYSQL_BIND *b, size_t i, const hy_bind *bind, hy_error *err)
{
    set_bytes(b, MYSQL_TYPE_STRING, bind->value.as.text.data, bind->value.as.text.size);
    if (bind->kind != HY_KIND_ANY && bind->value.type == HY_TEXT)
        return HY_OK; /* of a stated kind: checked when it was encoded */
    switch (hy_text_check(b->buffer, b->buffer_length)) {
    case HY_TEXT_NUL:
        return refuse(i, "text with a NUL byte in it (use a binary column for bytes)", err);
    case HY_TEXT_BAD_UTF8:
        return refuse(i, "text that is not valid UTF-8 (use a binary column for bytes)", err);
    case HY_TEXT_FINE:
        break;
    }
    return HY_OK;
}

/*
 * What a FLOAT column keeps of a number is also what it must be compared with: 0.1 is no FLOAT.
 * One that is too large stays as it is, for the server to refuse.
 */
static double as_kept(hy_kind kind, double number)
{
    return kind == HY_KIND_FLOAT && fabs(number) <= FLT_MAX ? (double)(float)number : number;
}

static hy_status set_double(MYSQL_BIND *b, size_t i, const hy_bind *bind, param *p, hy_error *err)
{
    double number = bind->value.as.number;

    if (!isfinite(number))
        return refuse(i, "MariaDB and MySQL have no infinity and no NaN", err);
    p->number = as_kept(bind->kind, number);
    set_fixed(b, MYSQL_TYPE_DOUBLE, p);
    return HY_OK;
}

static void set_decimal(MYSQL_BIND *b, const char *text, size_t size)
{
    const char *point = memchr(text, '.', size);
    size_t fraction = point != NULL ? (size_t)(text + size - point) - 1 : 0;
    size_t digits = size - (text[0] == '-') - (point != NULL);
    bool fits = digits <= MOST_DIGITS && fraction <= MOST_FRACTION;

    set_bytes(b, fits ? MYSQL_TYPE_NEWDECIMAL : MYSQL_TYPE_STRING, text, size);
}

static void set_uuid(MYSQL_BIND *b, const hy_value *v, param *p)
{
    hy_uuid_format(v->as.uuid, p->uuid);
    set_bytes(b, MYSQL_TYPE_STRING, p->uuid, UUID_SIZE);
}

static void set_time(MYSQL_BIND *b, const hy_value *v, param *p)
{
    uint64_t micros = v->as.micros < 0 ? -(uint64_t)v->as.micros : (uint64_t)v->as.micros;
    uint64_t seconds = micros / 1000000;

    p->time = (MYSQL_TIME){
        .day = (unsigned)(seconds / 86400),
        .hour = (unsigned)(seconds / 3600 % 24),
        .minute = (unsigned)(seconds / 60 % 60),
        .second = (unsigned)(seconds % 60),
        .second_part = (unsigned long)(micros % 1000000),
        .neg = v->as.micros < 0,
        .time_type = MYSQL_TIMESTAMP_TIME,
    };
    set_fixed(b, MYSQL_TYPE_TIME, p);
}

static void set_moment(MYSQL_BIND *b, const hy_value *v, param *p)
{
    bool is_date = v->type == HY_DATE;
    hy_date_parts parts = {0};

    if (is_date)
        hy_date_to_parts(v->as.days, &parts);
    else
        hy_timestamp_to_parts(v->as.micros, &parts);
    p->time = (MYSQL_TIME){
        .year = (unsigned)parts.year,
        .month = (unsigned)parts.month,
        .day = (unsigned)parts.day,
        .hour = (unsigned)parts.hour,
        .minute = (unsigned)parts.minute,
        .second = (unsigned)parts.second,
        .second_part = (unsigned long)parts.micros,
        .time_type = is_date ? MYSQL_TIMESTAMP_DATE : MYSQL_TIMESTAMP_DATETIME,
    };
    set_fixed(b, is_date ? MYSQL_TYPE_DATE : MYSQL_TYPE_DATETIME, p);
}

static hy_status bind_one(MYSQL_BIND *b, size_t i, const hy_bind *bind, param *p, hy_error *err)
{
    const hy_value *v = &bind->value;

    switch (v->type) {
    case HY_INT:
        p->integer = v->as.integer;
        set_fixed(b, MYSQL_TYPE_LONGLONG, p);
        break;
    case HY_BOOL:
        p->truth = v->as.boolean;
        set_fixed(b, MYSQL_TYPE_TINY, p);
        break;
    case HY_TEXT:
    case HY_JSON:
        return set_text(b, i, bind, err);
    case HY_DOUBLE:
        return set_double(b, i, bind, p, err);
    case HY_BLOB:
        set_bytes(b, MYSQL_TYPE_BLOB, v->as.text.data, v->as.text.size);
        break;
    case HY_DECIMAL:
        set_decimal(b, v->as.text.data, v->as.text.size);
        break;
    case HY_UUID:
        set_uuid(b, v, p);
        break;
    case HY_TIME:
        set_time(b, v, p);
        break;
    case HY_DATE:
    case HY_TIMESTAMP:
        set_moment(b, v, p);
        break;
    case HY_NULL:
    case HY_TYPE_COUNT:
        b->buffer_type = MYSQL_TYPE_NULL;
        break;
    }
    return HY_OK;
}

/* Beyond the server's limit it drops the connection instead of answering. */
static hy_status check_size(const hy__mysql *c, uint64_t size, hy_error *err)
{
    if (size <= c->max_packet)
        return HY_OK;
    return hy_fail(
        err, HY_ELIMIT_EXCEEDED,
        "the parameters are longer than the server takes at once: its max_allowed_packet is %llu bytes",
        (unsigned long long)c->max_packet);
}

static hy_status give_binds(hy__mysql *c, hy__mysql_statement *s, hy_error *err)
{
    return mysql_stmt_bind_param(s->stmt, s->params) == 0 ? HY_OK : hy__mysql_fail(c, s->stmt, err);
}

static hy_status bind_row(hy__mysql *c, hy__mysql_statement *s, const hy_bind *binds, size_t n, hy_error *err)
{
    MYSQL_BIND *list = s->params;
    param *params = (param *)(void *)(list + n);
    uint64_t size = MESSAGE_ROOM + n * PARAM_ROOM;

    for (size_t i = 0; i < n; i++) {
        hy_status status = bind_one(&list[i], i, &binds[i], &params[i], err);
        if (status != HY_OK)
            return status;
        size += list[i].buffer_length;
    }
    hy_status status = check_size(c, size, err);
    return status == HY_OK ? give_binds(c, s, err) : status;
}

/* ---- many rows -------------------------------------------------------------------------- */

/*
 * A value of one row, of the type that was told for its parameter. Decimals go as text: where
 * they are stored that is exact, and all of a column are sent alike.
 */
static hy_status bind_cell(MYSQL_BIND *b, size_t i, const hy_bind *bind, param *p, hy_error *err)
{
    enum enum_field_types told = b->buffer_type;
    const hy_value *v = &bind->value;

    b->buffer_length = 0;
    p->indicator = v->type == HY_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
    if (v->type == HY_NULL)
        return HY_OK;
    hy_status status = bind_one(b, i, bind, p, err);
    if (v->type == HY_DECIMAL)
        b->buffer_type = MYSQL_TYPE_STRING;
    bool same = b->buffer_type == told;
    b->buffer_type = told;
    return status != HY_OK || same ? status : refuse(i, "its values are of several types", err);
}

/* Called by the library for each row. True: it must not be sent, and c->failure says why. */
static my_bool bind_next(void *data, MYSQL_BIND *list, unsigned row)
{
    hy__mysql_statement *s = data;
    hy__mysql *c = s->connection;
    size_t n = s->head.n_params;
    param *params = (param *)(void *)((MYSQL_BIND *)s->params + n);
    const hy_bind *binds = c->binds + row * n;

    c->failed = HY_OK;
    for (size_t i = 0; i < n && c->failed == HY_OK; i++) {
        c->failed = bind_cell(&list[i], i, &binds[i], &params[i], &c->failure);
        s->rows_size += list[i].buffer_length + PARAM_ROOM;
    }
    if (c->failed == HY_OK)
        c->failed = check_size(c, s->rows_size, &c->failure);
    s->refused = c->failed != HY_OK;
    return s->refused;
}

/* What the values of a parameter are sent as: by the first that is not NULL. */
static hy_status find_type(MYSQL_BIND *b, size_t i, const hy_bind *binds, size_t n_rows, size_t n, param *p,
                           hy_error *err)
{
    size_t row = 0;

    while (row + 1 < n_rows && binds[row * n + i].value.type == HY_NULL)
        row++;
    const hy_bind *bind = &binds[row * n + i];
    hy_status status = bind_one(b, i, bind, p, err);
    if (bind->value.type == HY_NULL || bind->value.type == HY_DECIMAL)
        b->buffer_type = MYSQL_TYPE_STRING;
    b->u.indicator = &p->indicator;
    return status;
}

static hy_status bind_rows(hy__mysql *c, hy__mysql_statement *s, const hy_bind *binds, size_t n_rows,
                           size_t n, hy_error *err)
{
    MYSQL_BIND *list = s->params;
    param *params = (param *)(void *)(list + n);

    for (size_t i = 0; i < n; i++) {
        hy_status status = find_type(&list[i], i, binds, n_rows, n, &params[i], err);
        if (status != HY_OK)
            return status;
    }
    s->rows_size = MESSAGE_ROOM;
    s->refused = false;
    return give_binds(c, s, err);
}

/* The library takes functions as data. */
static void set_rows(hy__mysql_statement *s, size_t n_rows)
{
    my_bool (*function)(void *, MYSQL_BIND *, unsigned) = n_rows > 1 ? bind_next : NULL;
    unsigned size = n_rows > 1 ? (unsigned)n_rows : 0;
    const void *pointer;

    memcpy(&pointer, &function, sizeof pointer);
    (void)mysql_stmt_attr_set(s->stmt, STMT_ATTR_CB_PARAM, pointer);
    (void)mysql_stmt_attr_set(s->stmt, STMT_ATTR_ARRAY_SIZE, &size);
    s->many = n_rows > 1;
}

hy_status hy__mysql_bind(hy__mysql *c, hy__mysql_statement *s, const hy_bind *binds, size_t n_binds,
                         hy_error *err)
{
    size_t n = s->head.n_params, n_rows = n > 0 ? n_binds / n : 1;

    if (n_binds != n && (n_rows < 2 || n_binds % n != 0 || n_rows > UINT32_MAX || !c->head.takes_rows))
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the statement has %zu parameters and got %zu values", n,
                       n_binds);
    hy_status status = reserve(s, err);
    if (status != HY_OK || n == 0)
        return status;
    memset(s->params, 0, n * sizeof(MYSQL_BIND));
    if (s->many || n_rows > 1)
        set_rows(s, n_rows);
    return n_rows > 1 ? bind_rows(c, s, binds, n_rows, n, err) : bind_row(c, s, binds, n, err);
}
