/*
 * ddl.c - a model as CREATE TABLE, CREATE INDEX and their kin.
 *
 * One text buffer, one statement at a time through the caller's function. Types and what a
 * database can say are tables (ddl_types.c); names go through hy__put_identifier, values
 * through hy__put_literal. Default and generated expressions, checks and custom types are the
 * model author's SQL and stand as they are. The first failure sticks in the writer: the small
 * functions report nothing, send() does.
 */
#include <string.h>

#include <hysteria/datetime.h>
#include <hysteria/query.h>

#include <base/buf.h>
#include <model/model_internal.h>
#include <sql/ddl_types.h>
#include <sql/dialect.h>

typedef struct writer {
    const hy_model *model;
    const hy_dialect *dialect;
    const hy_ddl_dialect *ddl;
    hy_buf out;
    hy_status status; /* the first failure */
    hy_ddl_emit emit;
    void *ctx;
    hy_error *err;
} writer;

/* ---- words ------------------------------------------------------------------------------ */

static bool has(const writer *w, hy_ddl_traits trait)
{
    return (w->ddl->traits & trait) != 0;
}

static void put(writer *w, const char *text)
{
    hy_buf_puts(&w->out, text);
}

static void put_name_of(writer *w, const char *name, size_t size)
{
    if (!w->status)
        w->status = hy__put_identifier(&w->out, w->dialect, name, size, w->err);
}

static void put_name(writer *w, const char *name)
{
    put_name_of(w, name, strlen(name));
}

static void put_table(writer *w)
{
    if (hy_model_schema(w->model)) {
        put_name(w, hy_model_schema(w->model));
        put(w, ".");
    }
    put_name(w, hy_model_table(w->model));
}

static void put_text_literal(writer *w, const char *text)
{
    hy_value value = hy_text(text);

    hy__put_literal(&w->out, w->dialect, &value);
}

static void put_columns(writer *w, const size_t *columns, size_t n)
{
    put(w, "(");
    for (size_t i = 0; i < n; i++) {
        put(w, i ? ", " : "");
        put_name(w, hy_model_column(w->model, columns[i])->name);
    }
    put(w, ")");
}

/* Hand the statement over; the buffer is empty afterwards. */
static hy_status send(writer *w)
{
    if (!w->status && w->out.failed)
        w->status = hy_fail_oom(w->err);
    if (!w->status)
        w->status = w->emit(w->ctx, hy_buf_text(&w->out), w->out.size, w->err);
    hy_buf_reset(&w->out);
    return w->status;
}

/* ---- types ------------------------------------------------------------------------------ */

enum { MOMENT_PRECISION = 6 };

static int type_length(const hy_column *c)
{
    if (c->length > 0)
        return c->length;
    return c->kind == HY_KIND_CHAR ? 1 : 255;
}

static int type_number(const hy_column *c, char which)
{
    switch (which) {
    case 'l':
        return type_length(c);
    case 'p':
        return c->precision;
    case 's':
        return c->scale;
    default: /* 'f' */
        return c->precision >= 0 ? c->precision : MOMENT_PRECISION;
    }
}

static bool is_long_decimal(const writer *w, const hy_column *c)
{
    return c->kind == HY_KIND_DECIMAL && w->ddl->long_decimal && c->precision > w->ddl->exact_digits;
}

static bool is_zoned(const writer *w, const hy_column *c)
{
    return (c->flags & HY_COLUMN_TIMEZONE) && w->ddl->zoned[c->kind];
}

/* NULL: this kind has no type. */
static const char *type_text(const writer *w, const hy_column *c)
{
    if (c->kind == HY_KIND_CUSTOM)
        return c->type_sql;
    if ((c->flags & HY_COLUMN_INCREMENT) && w->ddl->increment_type)
        return w->ddl->increment_type;
    if (is_long_decimal(w, c))
        return w->ddl->long_decimal;
    if (is_zoned(w, c))
        return w->ddl->zoned[c->kind];
    return w->ddl->types[c->kind];
}

static void put_enum_values(writer *w, const hy_column *c)
{
    put(w, "(");
    for (size_t i = 0; i < c->n_enum_values; i++) {
        put(w, i ? ", " : "");
        put_text_literal(w, c->enum_values[i]);
    }
    put(w, ")");
}

static bool is_integer(const hy_column *c)
{
    return hy_kind_type(c->kind) == HY_INT;
}

static void put_type(writer *w, const hy_column *c);

static void put_array_type(writer *w, const hy_column *c)
{
    hy_column element = *c;

    if ((hy_dialect_features(w->dialect, 0) & HY_FEATURE(ARRAYS)) == 0 && !w->status)
        w->status = hy_fail_unsupported(w->err, "an array column", w->ddl->name);
    element.kind = c->element;
    put_type(w, &element);
    put(w, "[]");
}

static void put_type(writer *w, const hy_column *c)
{
    if (c->kind == HY_KIND_ARRAY) {
        put_array_type(w, c);
        return;
    }
    const char *type = type_text(w, c);

    if (!type) {
        if (!w->status)
            w->status =
                hy_fail(w->err, HY_EINVALID_MODEL, "model %s: column %s has no type that %s could create",
                        hy_model_name(w->model), c->property, w->ddl->name);
        return;
    }
    for (; *type && c->kind != HY_KIND_CUSTOM; type++) {
        if (*type == '%')
            hy_buf_put_int(&w->out, type_number(c, *++type));
        else
            hy_buf_putc(&w->out, *type);
    }
    put(w, type); /* what is left: all of a custom type */
    if (c->kind == HY_KIND_ENUM && has(w, HY_DDL_ENUM_TYPE))
        put_enum_values(w, c);
    if ((c->flags & HY_COLUMN_UNSIGNED) && is_integer(c) && has(w, HY_DDL_UNSIGNED))
        put(w, " UNSIGNED");
}

/* ---- columns ---------------------------------------------------------------------------- */

/* A numbered column that carries the primary key itself. */
static bool is_inline_key(const writer *w, const hy_column *c)
{
    return (c->flags & HY_COLUMN_INCREMENT) && has(w, HY_DDL_INLINE_KEY);
}

/* Long columns have expressions for defaults on MySQL, never bare literals. */
static bool is_long(const hy_column *c)
{
    return c->kind == HY_KIND_TEXT || c->kind == HY_KIND_BINARY || c->kind == HY_KIND_JSON ||
           c->kind == HY_KIND_JSONB;
}

/* Values whose bare literal would be read as something else. */
static hy_value plain_default(const writer *w, const hy_column *c, char text[HY_TIMESTAMP_TEXT_SIZE + 3])
{
    hy_value value = c->default_value;

    if (value.type == HY_DECIMAL && is_long_decimal(w, c))
        value.type = HY_TEXT; /* a number would lose digits on its way into the text column */
    if (value.type == HY_TIMESTAMP && is_zoned(w, c)) {
        size_t size = hy_timestamp_format(value.as.micros, text);

        memcpy(text + size, "+00", 4); /* or the session's zone counts */
        value = hy_bytes(HY_TEXT, text, size + 3);
    }
    return value;
}

static void put_default_value(writer *w, const hy_column *c)
{
    char text[HY_TIMESTAMP_TEXT_SIZE + 3];
    hy_value value = plain_default(w, c, text);
    bool parentheses = is_long(c) && has(w, HY_DDL_LONG_DEFAULT) && value.type != HY_NULL;

    put(w, parentheses ? "(" : "");
    hy__put_literal(&w->out, w->dialect, &value);
    put(w, parentheses ? ")" : "");
}

static void put_default(writer *w, const hy_column *c)
{
    if (c->flags & HY_COLUMN_HAS_DEFAULT) {
        put(w, " DEFAULT ");
        if (c->default_sql)
            put(w, c->default_sql);
        else
            put_default_value(w, c);
    } else if (c->kind == HY_KIND_TIMESTAMP && (c->flags & HY_COLUMN_NOT_NULL) && !c->generated_sql &&
               has(w, HY_DDL_SAY_DEFAULT)) {
        /* Else the server makes it DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP. */
        put(w, " DEFAULT CURRENT_TIMESTAMP(");
        hy_buf_put_int(&w->out, type_number(c, 'f'));
        put(w, ")");
    }
}

static void put_nullability(writer *w, const hy_column *c)
{
    bool generated_free = c->generated_sql && has(w, HY_DDL_GENERATED_FREE);

    if ((c->flags & HY_COLUMN_NOT_NULL) && !generated_free)
        put(w, " NOT NULL");
    else if (c->kind == HY_KIND_TIMESTAMP && !c->generated_sql && has(w, HY_DDL_SAY_NULL))
        put(w, " NULL");
}

static void put_column(writer *w, const hy_column *c)
{
    put_name(w, c->name);
    put(w, " ");
    put_type(w, c);
    if (is_inline_key(w, c)) {
        put(w, " ");
        put(w, w->ddl->increment);
        return;
    }
    if (c->generated_sql) {
        put(w, " GENERATED ALWAYS AS (");
        put(w, c->generated_sql);
        put(w, (c->flags & HY_COLUMN_COMPUTED) != 0 ? ") VIRTUAL" : ") STORED");
    }
    put_nullability(w, c);
    put_default(w, c);
    if (c->flags & HY_COLUMN_INCREMENT) {
        put(w, " ");
        put(w, w->ddl->increment);
    }
    if (c->comment && has(w, HY_DDL_INLINE_COMMENT)) {
        put(w, " COMMENT ");
        put_text_literal(w, c->comment);
    }
}

/* ---- constraints ------------------------------------------------------------------------ */

static void put_constraint(writer *w, const char *name)
{
    put(w, "CONSTRAINT ");
    put_name(w, name);
    put(w, " ");
}

static void put_key(writer *w)
{
    size_t n = hy_model_n_keys(w->model);

    put(w, ",\n  ");
    if (has(w, HY_DDL_KEY_NAME))
        put_constraint(w, hy_model_key_name(w->model));
    put(w, "PRIMARY KEY (");
    for (size_t i = 0; i < n; i++) {
        put(w, i ? ", " : "");
        put_name(w, hy_model_key(w->model, i)->name);
    }
    put(w, ")");
}

/* Numbering needs the column alone in the key where it carries the key itself. */
static void put_keys(writer *w)
{
    size_t n = hy_model_n_keys(w->model);
    bool inline_key = false;

    for (size_t i = 0; i < n; i++)
        inline_key = inline_key || is_inline_key(w, hy_model_key(w->model, i));
    if (inline_key && n > 1 && !w->status)
        w->status = hy_fail_unsupported(w->err, "an increment column in a composite key", w->ddl->name);
    if (n > 0 && !inline_key)
        put_key(w);
}

static void put_unique(writer *w, const hy_index *index)
{
    put(w, ",\n  ");
    put_constraint(w, index->name);
    put(w, "UNIQUE ");
    put_columns(w, index->columns, index->n_columns);
}

static void put_inline_index(writer *w, const hy_index *index)
{
    put(w, ",\n  KEY ");
    put_name(w, index->name);
    put(w, " ");
    put_columns(w, index->columns, index->n_columns);
}

static void put_indexes(writer *w)
{
    for (size_t i = 0; i < hy_model_n_indexes(w->model); i++) {
        const hy_index *index = hy_model_index(w->model, i);

        if (index->unique)
            put_unique(w, index);
        else if (has(w, HY_DDL_INLINE_INDEX))
            put_inline_index(w, index);
    }
}

static void put_enum_check(writer *w, const hy_column *c)
{
    put(w, ",\n  ");
    put_constraint(w, hy__model_column_check(w->model, c->index));
    put(w, "CHECK (");
    put_name(w, c->name);
    put(w, " IN ");
    put_enum_values(w, c);
    put(w, ")");
}

static void put_checks(writer *w)
{
    for (size_t i = 0; i < hy_model_n_columns(w->model); i++) {
        const hy_column *c = hy_model_column(w->model, i);

        if (c->kind == HY_KIND_ENUM && !has(w, HY_DDL_ENUM_TYPE))
            put_enum_check(w, c);
    }
    for (size_t i = 0; i < hy_model_n_checks(w->model); i++) {
        const hy_check *check = hy_model_check(w->model, i);

        put(w, ",\n  ");
        put_constraint(w, check->name);
        put(w, "CHECK (");
        put(w, check->expression);
        put(w, ")");
    }
}

static const char *const actions[] = {
    [HY_REFERENCE_CASCADE] = "CASCADE",         [HY_REFERENCE_SET_NULL] = "SET NULL",
    [HY_REFERENCE_SET_DEFAULT] = "SET DEFAULT", [HY_REFERENCE_RESTRICT] = "RESTRICT",
    [HY_REFERENCE_NO_ACTION] = "NO ACTION",
};

static void put_action(writer *w, const char *event, hy_reference_action action)
{
    if (action == HY_REFERENCE_NONE)
        return;
    if (action == HY_REFERENCE_SET_DEFAULT && !has(w, HY_DDL_SET_DEFAULT) && !w->status)
        w->status = hy_fail_unsupported(w->err, "SET DEFAULT in a foreign key", w->ddl->name);
    put(w, event);
    put(w, actions[action]);
}

/* "table" or "schema.table". */
static void put_target(writer *w, const char *target)
{
    const char *dot = strchr(target, '.');

    if (dot && !has(w, HY_DDL_TARGET_PLAIN)) {
        put_name_of(w, target, (size_t)(dot - target));
        put(w, ".");
    }
    put_name(w, dot ? dot + 1 : target);
}

static void put_foreign_key(writer *w, const hy_foreign_key *fk)
{
    put_constraint(w, fk->name);
    put(w, "FOREIGN KEY ");
    put_columns(w, fk->columns, fk->n_columns);
    put(w, " REFERENCES ");
    put_target(w, fk->target_table);
    put(w, " (");
    for (size_t i = 0; i < fk->n_columns; i++) {
        put(w, i ? ", " : "");
        put_name(w, fk->target_columns[i]);
    }
    put(w, ")");
    put_action(w, " ON DELETE ", fk->on_delete);
    put_action(w, " ON UPDATE ", fk->on_update);
}

/* ---- statements -------------------------------------------------------------------------- */

static hy_status send_table(writer *w, bool if_not_exists, bool foreign_keys)
{
    put(w, if_not_exists ? "CREATE TABLE IF NOT EXISTS " : "CREATE TABLE ");
    put_table(w);
    put(w, " (");
    for (size_t i = 0; i < hy_model_n_columns(w->model); i++) {
        put(w, i ? ",\n  " : "\n  ");
        put_column(w, hy_model_column(w->model, i));
    }
    put_keys(w);
    put_indexes(w);
    put_checks(w);
    for (size_t i = 0; foreign_keys && i < hy_model_n_foreign_keys(w->model); i++) {
        put(w, ",\n  ");
        put_foreign_key(w, hy_model_foreign_key(w->model, i));
    }
    put(w, "\n)");
    return send(w);
}

static hy_status send_index(writer *w, const hy_index *index, bool if_not_exists)
{
    const char *schema = hy_model_schema(w->model);
    bool index_schema = schema && has(w, HY_DDL_INDEX_SCHEMA);

    put(w, if_not_exists ? "CREATE INDEX IF NOT EXISTS " : "CREATE INDEX ");
    if (index_schema) {
        put_name(w, schema);
        put(w, ".");
    }
    put_name(w, index->name);
    put(w, " ON ");
    if (index_schema)
        put_name(w, hy_model_table(w->model));
    else
        put_table(w);
    put(w, " ");
    put_columns(w, index->columns, index->n_columns);
    return send(w);
}

static hy_status send_comment(writer *w, const hy_column *c)
{
    put(w, "COMMENT ON COLUMN ");
    put_table(w);
    put(w, ".");
    put_name(w, c->name);
    put(w, " IS ");
    put_text_literal(w, c->comment);
    return send(w);
}

static void send_indexes(writer *w, bool if_not_exists)
{
    for (size_t i = 0; !w->status && i < hy_model_n_indexes(w->model); i++) {
        const hy_index *index = hy_model_index(w->model, i);

        if (!index->unique && !has(w, HY_DDL_INLINE_INDEX))
            send_index(w, index, if_not_exists);
    }
}

static void send_comments(writer *w)
{
    for (size_t i = 0; !w->status && i < hy_model_n_columns(w->model); i++) {
        const hy_column *c = hy_model_column(w->model, i);

        if (c->comment && has(w, HY_DDL_COMMENT_ON))
            send_comment(w, c);
    }
}

static hy_status begin(writer *w, const hy_model *model, const hy_dialect *dialect, hy_ddl_emit emit,
                       void *ctx, hy_error *err)
{
    *w = (writer){.model = model, .dialect = dialect, .emit = emit, .ctx = ctx, .err = err};
    hy_buf_init(&w->out);
    w->ddl = hy__ddl_dialect(dialect);
    if (!w->ddl)
        return w->status = hy_fail_unsupported(err, "creating tables", hy_dialect_name(dialect));
    if (!model->frozen)
        return w->status = hy_fail(err, HY_EINVALID_MODEL, "model %s is not finished: freeze it first",
                                   hy_model_name(model));
    return HY_OK;
}

static hy_status end(writer *w)
{
    hy_buf_clear(&w->out);
    return w->status;
}

hy_status hy_ddl_create_table(const hy_model *model, const hy_dialect *dialect, bool if_not_exists,
                              bool foreign_keys, hy_ddl_emit emit, void *ctx, hy_error *err)
{
    writer w;

    if (!begin(&w, model, dialect, emit, ctx, err) && !send_table(&w, if_not_exists, foreign_keys)) {
        send_indexes(&w, if_not_exists);
        send_comments(&w);
    }
    return end(&w);
}

/* Begin statements that change the foreign keys of a table that is there. */
static void begin_foreign_keys(writer *w, const hy_model *model, const hy_dialect *dialect, hy_ddl_emit emit,
                               void *ctx, hy_error *err)
{
    if (begin(w, model, dialect, emit, ctx, err))
        return;
    if (hy_model_n_foreign_keys(model) > 0 && !has(w, HY_DDL_ADD_CONSTRAINT))
        w->status = hy_fail_unsupported(err, "changing the foreign keys of a table", w->ddl->name);
}

hy_status hy_ddl_add_foreign_keys(const hy_model *model, const hy_dialect *dialect, hy_ddl_emit emit,
                                  void *ctx, hy_error *err)
{
    writer w;

    begin_foreign_keys(&w, model, dialect, emit, ctx, err);
    for (size_t i = 0; !w.status && i < hy_model_n_foreign_keys(model); i++) {
        put(&w, "ALTER TABLE ");
        put_table(&w);
        put(&w, " ADD ");
        put_foreign_key(&w, hy_model_foreign_key(model, i));
        send(&w);
    }
    return end(&w);
}

hy_status hy_ddl_drop_foreign_keys(const hy_model *model, const hy_dialect *dialect, bool if_exists,
                                   hy_ddl_emit emit, void *ctx, hy_error *err)
{
    writer w;

    begin_foreign_keys(&w, model, dialect, emit, ctx, err);
    if_exists = if_exists && !w.status && has(&w, HY_DDL_ALTER_IF_EXISTS);
    for (size_t i = 0; !w.status && i < hy_model_n_foreign_keys(model); i++) {
        put(&w, if_exists ? "ALTER TABLE IF EXISTS " : "ALTER TABLE ");
        put_table(&w);
        put(&w, if_exists ? " DROP CONSTRAINT IF EXISTS " : " DROP CONSTRAINT ");
        put_name(&w, hy_model_foreign_key(model, i)->name);
        send(&w);
    }
    return end(&w);
}

static hy_status drop(const char *what, const hy_model *model, const hy_dialect *dialect, bool if_exists,
                      hy_ddl_emit emit, void *ctx, hy_error *err)
{
    writer w;

    if (!begin(&w, model, dialect, emit, ctx, err)) {
        put(&w, "DROP ");
        put(&w, what);
        put(&w, if_exists ? " IF EXISTS " : " ");
        put_table(&w);
        send(&w);
    }
    return end(&w);
}

hy_status hy_ddl_drop_table(const hy_model *model, const hy_dialect *dialect, bool if_exists,
                            hy_ddl_emit emit, void *ctx, hy_error *err)
{
    return drop("TABLE", model, dialect, if_exists, emit, ctx, err);
}

hy_status hy_ddl_create_view(const hy_model *model, const hy_dialect *dialect, const char *select,
                             size_t size, hy_ddl_emit emit, void *ctx, hy_error *err)
{
    writer w;

    if (!begin(&w, model, dialect, emit, ctx, err)) {
        put(&w, "CREATE VIEW ");
        put_table(&w);
        put(&w, " AS ");
        hy_buf_append(&w.out, select, size);
        send(&w);
    }
    return end(&w);
}

hy_status hy_ddl_drop_view(const hy_model *model, const hy_dialect *dialect, bool if_exists, hy_ddl_emit emit,
                           void *ctx, hy_error *err)
{
    return drop("VIEW", model, dialect, if_exists, emit, ctx, err);
}
