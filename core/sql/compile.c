/*
 * compile.c - a query or raw text into a statement that can be sent.
 *
 * Owns the compiler's memory, which is kept from one statement to the next: a statement that
 * fits costs no allocation. The walk itself is in clause.c and emit.c.
 */
#include <assert.h>
#include <string.h>

#include <base/number.h>
#include <base/text.h>
#include <hysteria/memory.h>

#include "sql/emit.h"
#include "sql/scan.h"

/* ---- the compiler ----------------------------------------------------------------------- */

hy_compiler *hy_compiler_new(void)
{
    hy_compiler *c = hy_alloc_zero(sizeof *c);
    if (c == NULL)
        return NULL;
    hy_buf_init(&c->text);
    hy_buf_init(&c->list);
    hy_arena_init(&c->scratch, NULL, 0);
    return c;
}

void hy_compiler_free(hy_compiler *c)
{
    if (c == NULL)
        return;
    hy_buf_clear(&c->text);
    hy_buf_clear(&c->list);
    hy_arena_clear(&c->scratch);
    hy_free(c->binds);
    hy_free(c->params);
    hy_free(c->origins);
    hy_free(c->shaping);
    hy_compiler_free(c->checker);
    hy_free(c->columns);
    hy_free(c->own.results);
    hy_free(c);
}

static void compiler_reset(hy_compiler *c)
{
    hy_buf_reset(&c->text);
    if (c->scratch.total > 0 || c->scratch.failed)
        hy_arena_clear(&c->scratch);
    c->n_binds = 0;
    c->n_columns = 0;
}

/* ---- the end of a walk ------------------------------------------------------------------ */

#ifdef HY_MUTATE_SWAP_BINDS
/* A fault on purpose: a build of the tests must see it. */
static void mutate(hy_compiler *c)
{
    if (c->n_binds < 2)
        return;
    hy_bind first = c->binds[0];
    c->binds[0] = c->binds[1];
    c->binds[1] = first;
}
#else
static void mutate(hy_compiler *c)
{
    (void)c;
}
#endif

static hy_status finish(hy_emitter *e, hy_sql *out)
{
    hy_compiler *c = e->compiler;

    if (e->status == HY_OK && c->text.failed)
        e->status = hy_fail_oom(e->err);
    size_t n_params = e->n_rows > 0 ? c->n_binds / e->n_rows : c->n_binds;
    if (e->status == HY_OK && n_params > e->dialect->max_binds)
        e->status = hy_fail(e->err, HY_ELIMIT_EXCEEDED, "the statement has %zu parameters, %s takes %zu",
                            n_params, e->dialect->name, e->dialect->max_binds);
    if (e->status != HY_OK)
        return e->status;
    mutate(c);
    out->text = hy_buf_text(&c->text);
    out->size = c->text.size;
    out->hash = hy_hash(0, out->text, out->size);
    out->binds = c->binds;
    out->n_binds = c->n_binds;
    out->n_rows = e->n_rows;
    out->params = e->has_params ? c->params : NULL;
    out->has_raw = e->has_raw;
    out->calls = e->calls;
    return HY_OK;
}

/* Is one of the fields lost, since a later one has its name? The same column may come twice. */
static bool hides(const hy_result_column *a, const hy_result_column *b)
{
    return strcmp(a->name, b->name) == 0 && (a->column != b->column || a->other || b->other);
}

/* A record whose `id` is another table's would be saved over another row. */
static hy_status check_fields(const hy_emitter *e)
{
    const hy_compiler *c = e->compiler;

    if (e->scope->tree->model == NULL || e->own_columns)
        return HY_OK;
    for (size_t i = 1; i < c->n_columns; i++)
        for (size_t k = 0; k < i; k++)
            if (hides(&c->columns[k], &c->columns[i]))
                return hy_fail(e->err, HY_EINVALID_ARGUMENT,
                               "two of the fields that are selected are called '%.60s': give one an alias",
                               c->columns[i].name);
    return HY_OK;
}

static void tell_columns(const hy_emitter *e, hy_sql *out)
{
    const hy_compiler *c = e->compiler;

    out->columns = c->columns;
    if (!e->unknown) {
        out->n_columns = c->n_columns;
        out->columns_of = e->own_columns && c->n_columns == c->own.n ? c->own.version : 0;
        return;
    }
    out->ends = c->columns + c->n_columns;
    out->n_first = e->n_first;
    out->n_last = c->n_columns - e->n_until;
}

/* ---- queries ---------------------------------------------------------------------------- */

static void open_explain(hy_emitter *e, hy_explain explain)
{
    const hy_dialect *d = e->dialect;

    if (explain == HY_EXPLAIN_NOT)
        return;
    if (e->scope->tree->kind != HY_STATEMENT_SELECT)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "only a SELECT is explained");
    else if (explain == HY_EXPLAIN_PLAN)
        hy__puts(e, d->explain != NULL ? d->explain : "EXPLAIN ");
    else if (d->analyze != NULL)
        hy__puts(e, d->analyze);
    else
        hy__emit_unsupported(e, "EXPLAIN ANALYZE");
}

static void open_stream(hy_emitter *e, const hy_stream_text *stream, const hy_compile_options *options)
{
    char number[HY_NUMBER_TEXT_SIZE];

    if (stream == NULL)
        return;
    hy__puts(e, stream->before);
    if (stream->has_name) {
        PUT(e, HY_STREAM_NAME);
        hy__put(e, number, hy_format_int((int64_t)options->stream, number));
    }
    hy__puts(e, stream->named);
}

hy_status hy_compile(hy_compiler *compiler, const hy_query *q, const hy_dialect *dialect,
                     const hy_compile_options *options, hy_sql *out, hy_error *err)
{
    const hy_tree *tree = &q->tree;
    hy_emitter e = {
        .text = &compiler->text, .compiler = compiler, .dialect = dialect, .err = err, .collect = true};
    hy_scope scope;

    *out = (hy_sql){.kind = (hy_statement_kind)tree->kind, .table = hy_query_table(q)};
    hy_status status = hy_query_status(q, err);
    if (status != HY_OK)
        return status;
    if (q->open != NULL)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "a group of conditions is still open");
    if (tree->has_late)
        return hy_fail(err, HY_EDEVELOPMENT_ERROR, "a query inside of the query is not settled yet");
    if (options != NULL) {
        e.features = options->features;
        e.limit_option = hy__limit_option(tree, options);
        e.inline_values = options->inline_values;
    }
    if (e.features == 0)
        e.features = hy_dialect_features(dialect, 0);

    compiler_reset(compiler);
    hy__scope_enter(&e, &scope, tree, tree->joins.n > 0);
    hy__plan_statement(&e);
    const hy_stream_text *stream = options != NULL && options->stream > 0 ? dialect->stream : NULL;
    hy_explain explain = options != NULL ? options->explain : HY_EXPLAIN_NOT;
    open_explain(&e, explain);
    open_stream(&e, stream, options);
    hy__emit_clauses(&e, dialect->clauses[tree->kind]);
    if (stream != NULL)
        hy__puts(&e, stream->after);
    status = finish(&e, out);
    if (status == HY_OK && explain == HY_EXPLAIN_NOT)
        status = check_fields(&e);
    if (explain == HY_EXPLAIN_NOT)
        tell_columns(&e, out);
    else
        out->kind = HY_STATEMENT_RAW; /* its rows are nobody's */
    out->writes = tree->kind != HY_STATEMENT_SELECT || tree->lock != HY_LOCK_NONE;
    return status;
}

/* ---- raw text --------------------------------------------------------------------------- */

/* Past white space and comments. */
static size_t skip_blank(const char *text, size_t size, size_t at)
{
    while (at < size) {
        if (strchr(" \t\r\n\f(;", text[at]) != NULL && text[at] != '\0') {
            at++;
        } else if (at + 1 < size && memcmp(text + at, "--", 2) == 0) {
            while (at < size && text[at] != '\n')
                at++;
        } else if (at + 1 < size && memcmp(text + at, "/*", 2) == 0) {
            at += 2;
            while (at < size && !(text[at] == '/' && text[at - 1] == '*'))
                at++;
            at += at < size;
        } else {
            break;
        }
    }
    return at;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool has_word(const char *text, size_t size, const char *word)
{
    size_t length = strlen(word);

    for (size_t i = 0; i + length <= size; i++)
        if (hy_text_equal_nocase(text + i, length, word, length) && (i == 0 || !is_letter(text[i - 1])) &&
            (i + length == size || !is_letter(text[i + length])))
            return true;
    return false;
}

/* How statements begin that usually only read, and the words in them that tell otherwise. */
static const struct {
    const char *first;
    const char *writing[6];
} readers[] = {
    {"select", {"into", "update", "share"}}, /* SELECT INTO, FOR UPDATE, IN SHARE MODE */
    {"with", {"insert", "update", "delete", "merge", "into", "share"}},
    {"explain", {"insert", "update", "delete", "merge"}}, /* ANALYZE runs it */
    {"values", {NULL}},
    {"table", {NULL}},
    {"pragma", {NULL}},
    {"show", {NULL}},
    {"describe", {NULL}},
};

/* A guess from the words; what a driver knows of a prepared statement counts for more. */
static bool raw_writes(const char *text, size_t size)
{
    size_t from = skip_blank(text, size, 0), to = from;

    while (to < size && is_letter(text[to]))
        to++;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        if (!hy_text_equal_nocase(text + from, to - from, readers[i].first, strlen(readers[i].first)))
            continue;
        for (size_t w = 0; w < 6 && readers[i].writing[w] != NULL; w++)
            if (has_word(text + to, size - to, readers[i].writing[w]))
                return true;
        return false;
    }
    return true;
}

typedef struct raw_binds {
    const hy_bind *binds;
    const char *const *names; /* NULL: in order */
    size_t n, used;
    bool *seen; /* with names */
} raw_binds;

static void emit_positional(hy_emitter *e, raw_binds *b)
{
    if (b->names != NULL) {
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "'?' and named placeholders cannot be mixed");
        return;
    }
    if (b->used < b->n)
        hy__emit_bind(e, &b->binds[b->used]);
    b->used++;
}

static void emit_named(hy_emitter *e, raw_binds *b, const hy_scan_token *t)
{
    for (size_t i = 0; b->names != NULL && i < b->n; i++) {
        if (strlen(b->names[i]) == t->size && memcmp(b->names[i], t->text, t->size) == 0) {
            b->seen[i] = true;
            hy__emit_bind(e, &b->binds[i]);
            return;
        }
    }
    EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "no value for the placeholder ':%.*s'",
              t->size < 60 ? (int)t->size : 60, t->text);
}

static void check_used(hy_emitter *e, const raw_binds *b)
{
    if (b->names == NULL && b->used != b->n)
        EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "the text has %zu placeholders but there are %zu values", b->used,
                  b->n);
    for (size_t i = 0; b->names != NULL && i < b->n; i++)
        if (!b->seen[i])
            EMIT_FAIL(e, HY_EINVALID_ARGUMENT, "the text has no placeholder ':%.60s'", b->names[i]);
}

static void emit_raw_text(hy_emitter *e, const char *text, size_t size, raw_binds *b)
{
    hy_scan scan;

    hy__scan_init(&scan, text, size);
    for (hy_scan_token t = hy__scan_next(&scan); t.kind != HY_SCAN_END; t = hy__scan_next(&scan)) {
        if (t.kind == HY_SCAN_PLACEHOLDER)
            emit_positional(e, b);
        else if (t.kind == HY_SCAN_NAME)
            emit_named(e, b, &t);
        else if (t.kind == HY_SCAN_TEXT)
            hy__put(e, t.text, t.size);
        else if (hy__emit_has(e, HY_TRAIT_QUESTION_OPERATOR))
            PUT(e, "?");
        else
            hy__emit_unsupported(e, "? as an operator");
    }
    check_used(e, b);
}

hy_status hy_compile_raw(hy_compiler *compiler, const char *text, size_t size, const hy_bind *binds,
                         const char *const *names, size_t n_binds, const hy_dialect *dialect, hy_sql *out,
                         hy_error *err)
{
    hy_emitter e = {.text = &compiler->text, .compiler = compiler, .dialect = dialect, .err = err};
    raw_binds b = {.binds = binds, .names = n_binds > 0 ? names : NULL, .n = n_binds};

    *out = (hy_sql){.kind = HY_STATEMENT_RAW};
    if (text == NULL || hy_text_check(text, size) != HY_TEXT_FINE)
        return hy_fail(err, HY_EINVALID_ARGUMENT, "the SQL text is missing or no proper text");
    compiler_reset(compiler);
    b.seen = hy_arena_zero(&compiler->scratch, n_binds * sizeof *b.seen + 1);
    if (b.seen == NULL)
        return hy_fail_oom(err);
    emit_raw_text(&e, text, size, &b);
    e.has_raw = true;
    out->writes = raw_writes(text, size);
    return finish(&e, out);
}
