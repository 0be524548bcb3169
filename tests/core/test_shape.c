/*
 * test_shape.c - statements that are found by the shape of their query.
 *
 * The oracle is the compiler itself: what is found must be what compiling gives. Every field of
 * every golden query is changed, one at a time, with the unchanged query in the store: a field
 * that the shape forgot gives the unchanged text then, and is caught.
 */
#include "golden.h"

#include <pthread.h>
#include <stdio.h>

#include <sql/ast.h>
#include <sql/shape.h>

static hy_compiler *by_shape, *by_hand;

/* ---- comparing ---------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_columns(const hy_sql *a, const hy_sql *b)
{
    bool same = a->n_columns == b->n_columns && a->n_first == b->n_first && a->n_last == b->n_last;
    size_t n = a->n_columns > 0 ? a->n_columns : a->n_first;

    for (size_t i = 0; same && i < n; i++) {
        const hy_result_column *x = &a->columns[i], *y = &b->columns[i];
        same = same_text(x->name, y->name) && x->kind == y->kind && x->column == y->column &&
               x->scale == y->scale;
    }
    for (size_t i = 1; same && a->n_columns == 0 && i <= a->n_last; i++)
        same = same_text(a->ends[-(ptrdiff_t)i].name, b->ends[-(ptrdiff_t)i].name);
    return same;
}

static bool same_binds(const hy_sql *a, const hy_sql *b)
{
    bool same = a->n_binds == b->n_binds;

    for (size_t i = 0; same && i < a->n_binds; i++) {
        const hy_bind *x = &a->binds[i], *y = &b->binds[i];
        same = x->kind == y->kind && x->sensitive == y->sensitive && hy_value_equal(&x->value, &y->value);
    }
    return same;
}

static bool same_sql(const hy_sql *a, const hy_sql *b)
{
    return same_text(a->text, b->text) && a->size == b->size && a->hash == b->hash && a->kind == b->kind &&
           a->has_raw == b->has_raw && a->calls == b->calls && a->writes == b->writes &&
           same_text(a->table, b->table) && same_columns(a, b) && same_binds(a, b);
}

/* ---- one field after the other ------------------------------------------------------------ */

/* Counts the fields it passes and changes the one it is sent for. */
typedef struct poke {
    size_t passed, wanted;
    bool done;
    hy_arena *arena; /* of the query */
} poke;

static bool hits(poke *p)
{
    bool hit = p->passed++ == p->wanted;

    p->done |= hit;
    return hit;
}

static void poke_flag(poke *p, bool *flag)
{
    if (hits(p))
        *flag = !*flag;
}

static void poke_byte(poke *p, uint8_t *byte, unsigned n)
{
    if (hits(p))
        *byte = (uint8_t)((*byte + 1u) % n);
}

static void poke_text(poke *p, const char **text)
{
    if (hits(p))
        *text = *text != NULL ? "another" : "one";
    if (*text != NULL && hits(p))
        *text = NULL;
}

static void poke_name(poke *p, const char **text)
{
    if (hits(p))
        *text = "another";
}

static void poke_model(poke *p, const hy_model **model)
{
    if (hits(p))
        *model = golden_get(*model == golden_get(POST) ? LOG : POST);
}

static void poke_tree(poke *p, hy_tree *t);
static void poke_group(poke *p, hy_group *g);

static void poke_over(poke *p, hy_over *over, size_t n)
{
    poke_flag(p, &over->framed);
    poke_flag(p, &over->frame.range);
    poke_flag(p, &over->frame.from_first);
    poke_flag(p, &over->frame.to_last);
    if (hits(p))
        over->frame.from -= 7;
    if (hits(p))
        over->frame.to += 7;
    for (size_t i = 0; i < n; i++)
        poke_byte(p, &over->directions[i], 2);
}

static void poke_column(poke *p, hy_column_expr *c)
{
    static const char *const texts[] = {"another", "users.another"};

    if (c->column != NULL && hits(p))
        c->column =
            hy_model_column(golden_get(USER), c->column == hy_model_column(golden_get(USER), 1) ? 2 : 1);
    if (c->text != NULL && hits(p)) {
        c->text = texts[c->head.qualifier > 0];
        c->head.qualifier = c->head.qualifier > 0 ? 5 : 0;
    }
    if (c->text != NULL && c->head.qualifier > 0 && hits(p))
        c->head.qualifier = 0;
}

static void poke_call(poke *p, hy_branch *b)
{
    static const hy_function other = {"other", "OTHER", HY_FUNCTION_OTHER, HY_RESULT_TEXT};
    const hy_function *f = b->aux;

    if (hits(p))
        b->aux = f != hy__function_find("max", 3) ? hy__function_find("max", 3) : hy__function_find("min", 3);
    if (hits(p))
        b->aux = &other;
    if (f->number != HY_FUNCTION_OTHER)
        return;
    static hy_function changed;
    for (unsigned i = 0; i < 2; i++) {
        if (!hits(p))
            continue;
        changed = *f;
        *(i == 0 ? &changed.label : &changed.spelling) = "changed";
        b->aux = &changed;
    }
}

static void poke_aux(poke *p, hy_branch *b)
{
    static const hy_raw_text raw = {4, "NULL"};
    static hy_json_step step = {.key = "z", .size = 1};
    static size_t before[] = {1};
    static const hy_json_place place = {
        .path = "$.\"z\"", .size = 5, .n = 1, .steps = &step, .before = before};

    if (b->head.node == HY_NODE_RAW && b->n == 0 && hits(p))
        b->aux = &raw;
    if (b->head.node == HY_NODE_CALL)
        poke_call(p, b);
    if (b->head.node == HY_NODE_OVER)
        poke_over(p, (hy_over *)(uintptr_t)b->aux, b->n - b->split - 1);
    if (b->head.node == HY_NODE_JSON && hits(p))
        b->aux = &place;
}

static void poke_value(poke *p, hy_value_expr *v)
{
    hy_value *value = &v->value;

    if (value->type == HY_INT && hits(p))
        value->as.integer += 12345;
    if (value->type == HY_TEXT && hits(p))
        *value = hy_text("another text");
    if (value->type == HY_DECIMAL && hits(p))
        *value = hy_bytes(HY_DECIMAL, "3.14159265", 10);
    if (hits(p))
        *value = hy_null();
    if (hits(p))
        *value = hy_double(0.5);
}

static void poke_expr(poke *p, hy_expr *x)
{
    hy_branch *b = (hy_branch *)x;

    if (x == NULL)
        return;
    for (unsigned bit = 1; bit <= HY_FLAG_OPAQUE; bit *= 2)
        if (hits(p))
            x->flags ^= (uint8_t)bit;
    if (hits(p))
        x->kind = x->kind == HY_KIND_DECIMAL ? HY_KIND_STRING : HY_KIND_DECIMAL;
    switch ((hy_node)x->node) {
    case HY_NODE_COLUMN:
    case HY_NODE_STAR:
        poke_column(p, (hy_column_expr *)x);
        return;
    case HY_NODE_VALUE:
        poke_value(p, (hy_value_expr *)x);
        return;
    case HY_NODE_IN_QUERY:
    case HY_NODE_EXISTS:
    case HY_NODE_QUERY:
        poke_expr(p, ((hy_query_expr *)x)->operand);
        poke_tree(p, ((hy_query_expr *)x)->tree);
        return;
    case HY_NODE_BINARY:
        if (hits(p))
            x->op = x->op == HY_OP_LT ? HY_OP_NE : HY_OP_LT;
        break;
    case HY_NODE_ALL:
        poke_byte(p, &x->op, 2);
        if (hits(p))
            x->node = HY_NODE_ROW;
        break;
    case HY_NODE_JSON:
        poke_byte(p, &x->op, HY_JSON_PART_COUNT);
        break;
    case HY_NODE_DEFAULT:
        if (hits(p))
            x->node = HY_NODE_CONSTANT;
        break;
    case HY_NODE_PARAM:
    case HY_NODE_JSON_MATCH:
        return; /* not kept */
    default:
        break;
    }
    if ((x->node == HY_NODE_ROW || x->node == HY_NODE_CALL || x->node == HY_NODE_IN) && b->n > 2 && hits(p))
        b->n--;
    if (x->node == HY_NODE_CASE && b->split > 1 && hits(p))
        b->n -= 2, b->split--;
    if (x->node == HY_NODE_OVER && b->split > 0 && b->n == b->split + 1 && hits(p))
        b->n--, b->split--;
    poke_aux(p, b);
    for (size_t i = 0; i < b->n; i++)
        poke_expr(p, b->args[i]);
}

static void drop_last(poke *p, hy_chain *chain)
{
    if (chain->n == 0 || !hits(p))
        return;
    hy_cell *before = NULL;
    for (hy_cell *c = chain->first; c != chain->last; c = c->next)
        before = c;
    if (before != NULL)
        before->next = NULL;
    else
        chain->first = NULL;
    chain->last = before;
    chain->n--;
}

static void poke_items(poke *p, hy_chain *items, bool named)
{
    drop_last(p, items);
    HY_EACH (hy_item, item, items) {
        poke_expr(p, item->expr);
        poke_expr(p, item->target);
        if (named)
            poke_text(p, &item->alias);
        poke_byte(p, &item->direction, 2);
        poke_byte(p, &item->nulls, 3);
    }
}

static void poke_group(poke *p, hy_group *g)
{
    if (g->first != NULL && hits(p))
        g->first = g->first->next;
    for (hy_condition *c = g->first; c != NULL; c = c->next) {
        poke_byte(p, &c->connector, 2);
        poke_flag(p, &c->negated);
        if (c->expr != NULL)
            poke_expr(p, c->expr);
        else
            poke_group(p, c->group);
        if (c->next != NULL && c->group == NULL && hits(p)) {
            c->group = hy_arena_zero(p->arena, sizeof *c->group); /* (c AND the rest) */
            c->group->first = hy_arena_zero(p->arena, sizeof *c);
            c->group->first->expr = c->expr;
            c->group->first->next = c->next;
            c->expr = NULL;
            c->next = NULL;
        }
    }
}

static void poke_joins(poke *p, hy_chain *joins)
{
    drop_last(p, joins);
    HY_EACH (hy_join, join, joins) {
        if (hits(p))
            join->kind = join->kind == HY_JOIN_LEFT ? HY_JOIN_INNER : HY_JOIN_LEFT;
        if (join->table != NULL)
            poke_name(p, &join->table);
        if (join->tree == NULL)
            poke_text(p, &join->alias);
        if (join->model != NULL)
            poke_model(p, &join->model);
        if (join->tree != NULL)
            poke_tree(p, join->tree);
        poke_expr(p, join->raw);
        poke_group(p, &join->on);
    }
}

static void poke_rows(poke *p, hy_tree *t)
{
    hy_row *row = (hy_row *)t->rows.first;

    if (row == NULL)
        return;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!row->plain) {
            poke_expr(p, hy__row_cells(row)[i]);
            if (hits(p))
                hy__row_cells(row)[i] = NULL;
        } else if (hits(p)) {
            hy__row_binds(row)[i].value.type = HY_TYPE_COUNT;
            row->has_default = true;
        } else if (hits(p)) {
            hy__row_binds(row)[i].value = hy_text("another");
        }
    }
}

static void poke_upsert(poke *p, hy_upsert *u)
{
    poke_byte(p, (uint8_t *)&u->action, 2);
    for (size_t i = 0; i < u->n_target; i++)
        poke_expr(p, u->target[i]);
    for (size_t i = 0; i < u->n_update; i++)
        poke_expr(p, u->update[i]);
    if (u->n_target > 1 && hits(p))
        u->n_target--;
    if (u->n_update > 1 && hits(p))
        u->n_update--;
    poke_items(p, &u->set, false);
}

static void poke_limits(poke *p, hy_tree *t)
{
    poke_flag(p, &t->has_limit);
    poke_flag(p, &t->has_offset);
    if (hits(p))
        t->limit += 77;
    if (hits(p))
        t->offset += 78;
}

static void poke_tree(poke *p, hy_tree *t)
{
    if (t->kind == HY_STATEMENT_SELECT || t->kind == HY_STATEMENT_DELETE)
        if (hits(p))
            t->kind = t->kind == HY_STATEMENT_SELECT ? HY_STATEMENT_DELETE : HY_STATEMENT_SELECT;
    poke_byte(p, &t->naming, HY_NAMING_PASCAL + 1);
    poke_byte(p, &t->lock, 3);
    poke_byte(p, &t->lock_wait, 3);
    poke_flag(p, &t->distinct);
    poke_flag(p, &t->recursive);
    if (t->model != NULL)
        poke_model(p, &t->model);
    poke_text(p, &t->table);
    poke_text(p, &t->alias);
    poke_limits(p, t);
    drop_last(p, &t->with);
    HY_EACH (hy_cte, cte, &t->with) {
        poke_name(p, &cte->name);
        poke_flag(p, &cte->materialized);
        poke_tree(p, cte->tree);
    }
    for (size_t i = 0; t->columns != NULL && i < t->n_columns; i++)
        poke_expr(p, t->columns[i]);
    poke_rows(p, t);
    poke_items(p, &t->distinct_on, false);
    poke_items(p, &t->select, true);
    if (t->from != NULL)
        poke_tree(p, t->from);
    poke_joins(p, &t->joins);
    poke_items(p, &t->set, false);
    poke_group(p, &t->where.user);
    poke_group(p, &t->where.guard);
    poke_items(p, &t->group, false);
    poke_group(p, &t->having.user);
    poke_group(p, &t->having.guard);
    drop_last(p, &t->members);
    HY_EACH (hy_member, member, &t->members) {
        poke_byte(p, (uint8_t *)&member->op, HY_SET_OP_COUNT);
        if (member->tree != NULL)
            poke_tree(p, member->tree);
        poke_expr(p, member->raw);
    }
    if (t->upsert != NULL)
        poke_upsert(p, t->upsert);
    poke_items(p, &t->order, false);
    poke_items(p, &t->returning, true);
}

/* ---- golden queries ----------------------------------------------------------------------- */

typedef struct figures {
    size_t queries, changed, different, wrong;
} figures;

/* One changed query, found or not, against the compiler. */
static void compare(const golden *g, const hy_query *q, const hy_dialect *d, hy_shapes *shapes,
                    const char *unchanged, figures *f)
{
    const hy_compile_options options = golden_options(g, d);
    hy_sql found, made;
    hy_shape *shape;
    hy_error err;
    hy_status a = hy__compile_by_shape(shapes, by_shape, q, d, &options, &found, &shape, &err);
    hy_status b = hy_compile(by_hand, q, d, &options, &made, &err);

    f->changed++;
    f->different += b != HY_OK || strcmp(made.text, unchanged) != 0;
    if (a != b || (a == HY_OK && !same_sql(&found, &made))) {
        f->wrong++;
        print_error("%s [%s]\n  found: %s\n  made:  %s\n", g->name, hy_dialect_name(d),
                    a == HY_OK ? found.text : hy_status_name(a), b == HY_OK ? made.text : hy_status_name(b));
    }
    hy__shape_release(shape);
}

static hy_query *built(const golden *g)
{
    hy_query *q = hy_query_new(golden_get(g->model));

    assert_non_null(q);
    g->build(q);
    return q;
}

static bool change(const golden *g, size_t at, const hy_dialect *d, hy_shapes *shapes, const char *unchanged,
                   figures *f)
{
    hy_query *q = built(g);
    poke p = {.wanted = at, .arena = &q->arena};

    poke_tree(&p, &q->tree);
    if (p.done)
        compare(g, q, d, shapes, unchanged, f);
    hy_query_free(q);
    return p.done;
}

static void change_all(const golden *g, const hy_dialect *d, figures *f)
{
    const hy_compile_options options = golden_options(g, d);
    hy_query *q = built(g);
    hy_shapes *shapes = hy__shapes_new(1024);
    hy_shape *shape;
    hy_sql sql;
    hy_error err;

    assert_non_null(shapes);
    if (hy__compile_by_shape(shapes, by_shape, q, d, &options, &sql, &shape, &err) == HY_OK) {
        char *unchanged = strdup(sql.text);
        f->queries++;
        for (size_t at = 0; change(g, at, d, shapes, unchanged, f); at++) {}
        free(unchanged);
    }
    hy__shape_release(shape);
    hy__shapes_free(shapes);
    hy_query_free(q);
}

static void check_group(const golden_group *group)
{
    figures f = {0};

    for (size_t i = 0; i < group->n; i++)
        for (size_t d = 0; d < DIALECTS; d += 2) /* postgres, mysql, sqlite */
            if (group->cases[i].fails == HY_OK)
                change_all(&group->cases[i], hy_dialect_at(d), &f);
    printf("shapes of %s: %zu queries, %zu fields changed, %zu of them another statement, %zu wrong\n",
           group->name, f.queries, f.changed, f.different, f.wrong);
    assert_int_equal(0, f.wrong);
    assert_true(f.queries > 0 && f.changed > 20 * f.queries && f.different > 5 * f.queries);
}

#define GROUP(name)                         \
    static void name##_fields(void **state) \
    {                                       \
        (void)state;                        \
        check_group(&golden_##name);        \
    }
GROUP(select)
GROUP(where)
GROUP(join)
GROUP(group_order)
GROUP(set)
GROUP(write)
GROUP(json)

/* What the golden queries have too little of. */
static void framed(hy_query *q)
{
    const hy_frame frame = {.from = -2, .to = 1};
    const hy_direction asc[] = {HY_ASC};
    hy_expr *order[] = {col(q, "id")};

    pick(q, "id");
    hy_query_select(
        q, hy_expr_frame(q, hy_expr_over(q, call(q, "sum", col(q, "age")), NULL, 0, order, asc, 1), &frame),
        "near");
}
static void calculated(hy_query *q)
{
    hy_value half = hy_bytes(HY_DECIMAL, "0.5", 3);

    hy_query_select(q, hy_expr_compare(q, HY_OP_MULTIPLY, col(q, "balance"), like(q, "balance", half)),
                    "half");
}
static void one_row(hy_query *q)
{
    static const char *const columns[] = {"firstName", "age"};
    const hy_value values[] = {hy_text("Ada"), hy_int(36)};

    hy_query_insert(q, columns, 2);
    hy_query_insert_values(q, values, 2);
}
static void joined_by_text(hy_query *q)
{
    pick(q, "id");
    hy_query_join_raw(q, raw(q, "JOIN posts ON posts.user_id = users.id"));
}
static void united_by_text(hy_query *q)
{
    pick(q, "id");
    hy_query_set_operation_raw(q, HY_UNION, raw(q, "SELECT 1"));
}
static const golden extra[] = {
    {"a frame", USER, framed, .newest = true},
    {"a decimal in a calculation", USER, calculated},
    {"a plain row", USER, one_row},
    {"a join as text", USER, joined_by_text},
    {"a union as text", USER, united_by_text},
};
static const golden_group golden_extra = {"others", extra, sizeof extra / sizeof *extra};
GROUP(extra)

/* ---- what is kept ------------------------------------------------------------------------- */

static hy_query *adults(int64_t age, int64_t limit)
{
    hy_query *q = hy_query_new(golden_get(USER));

    and_(q, cmp(q, "age", HY_OP_GE, hy_int(age)));
    asc(q, "id");
    hy_query_limit(q, limit);
    return q;
}

/* Compiles and compares with the compiler; the number of statements found so far. */
static uint64_t run(hy_shapes *shapes, hy_compiler *c, hy_compiler *other, const hy_query *q, int64_t limit)
{
    const hy_compile_options options = {.limit = limit};
    const hy_dialect *d = hy_dialect_find("sqlite");
    hy_sql a, b;
    hy_shape *shape;
    hy_error err;
    uint64_t found, missed;

    assert_int_equal(HY_OK, hy__compile_by_shape(shapes, c, q, d, &options, &a, &shape, &err));
    assert_int_equal(HY_OK, hy_compile(other, q, d, &options, &b, &err));
    assert_true(same_sql(&a, &b));
    hy__shape_release(shape);
    hy__shapes_counts(shapes, &found, &missed);
    return found;
}

static void values_and_limits_are_the_query_s_own(void **state)
{
    hy_shapes *shapes = hy__shapes_new(16);

    (void)state;
    for (int64_t i = 0; i < 20; i++) {
        hy_query *q = adults(i, 100 - i);
        assert_int_equal(i, run(shapes, by_shape, by_hand, q, 0));
        hy_query_free(q);
    }
    /* The option where it is less than the query's own limit, and where it is not. */
    hy_query *q = adults(1, 50);
    assert_int_equal(20, run(shapes, by_shape, by_hand, q, 7));
    assert_int_equal(21, run(shapes, by_shape, by_hand, q, 70));
    hy_query_free(q);
    hy__shapes_free(shapes);
}

/* The same query for a server that sorts NULLs itself, and for one that does not. */
static void what_the_server_can_counts(void **state)
{
    hy_shapes *shapes = hy__shapes_new(16);
    const hy_dialect *d = hy_dialect_find("postgres");
    const hy_features all = hy_dialect_features(d, 0);
    hy_query *q = adults(1, 2);
    unsigned texts = 0;

    (void)state;
    hy_query_order_by(q, any(q, "age"), HY_DESC, HY_NULLS_LAST);
    for (unsigned i = 0; i < 4; i++) {
        const hy_compile_options options = {.features = i % 2 == 0 ? all : all & ~HY_FEATURE(NULLS_ORDER)};
        hy_sql a, b;
        hy_shape *shape;
        hy_error err;
        assert_int_equal(HY_OK, hy__compile_by_shape(shapes, by_shape, q, d, &options, &a, &shape, &err));
        assert_int_equal(HY_OK, hy_compile(by_hand, q, d, &options, &b, &err));
        assert_true(same_sql(&a, &b));
        texts += strstr(a.text, "NULLS LAST") != NULL;
        hy__shape_release(shape);
    }
    assert_int_equal(2, texts);
    hy_query_free(q);
    hy__shapes_free(shapes);
}

/* Places beyond what a byte counts are places too. */
static void all_decimal_places_count(void **state)
{
    hy_shapes *shapes = hy__shapes_new(16);
    const size_t sizes[] = {3, 3 + 256, 3 + 512};
    char digits[3 + 512];

    (void)state;
    memset(digits, '0', sizeof digits);
    memcpy(digits, "0.5", 3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        hy_query *q = hy_query_new(golden_get(USER));
        hy_value value = hy_bytes(HY_DECIMAL, digits, sizes[i]);
        hy_expr *factor = hy_expr_value(q, &value);
        hy_query_select(q, hy_expr_compare(q, HY_OP_MULTIPLY, col(q, "balance"), factor), "x");
        (void)run(shapes, by_shape, by_hand, q, 0);
        assert_int_equal(HY_OK, hy_query_status(q, NULL));
        hy_query_free(q);
    }
    hy__shapes_free(shapes);
}

static void nothing_is_kept_without_room(void **state)
{
    hy_shapes *shapes = hy__shapes_new(0);
    hy_query *q = adults(1, 2);

    (void)state;
    assert_int_equal(0, run(shapes, by_shape, by_hand, q, 0));
    assert_int_equal(0, run(shapes, by_shape, by_hand, q, 0));
    hy_query_free(q);
    hy__shapes_free(shapes);
}

/* Many shapes for few places: what is found is right, and what is held stays whole without a place. */
static void a_shape_outlives_its_place(void **state)
{
    hy_shapes *shapes = hy__shapes_new(4);
    hy_query *q = adults(1, 2);
    const hy_dialect *d = hy_dialect_find("sqlite");
    hy_sql sql;
    hy_shape *shape;
    hy_error err;

    (void)state;
    (void)run(shapes, by_shape, by_hand, q, 0);
    assert_int_equal(HY_OK, hy__compile_by_shape(shapes, by_shape, q, d, NULL, &sql, &shape, &err));
    hy__shape_release(shape);
    const hy_compile_options options = {.limit = 0};
    assert_int_equal(HY_OK, hy__compile_by_shape(shapes, by_shape, q, d, &options, &sql, &shape, &err));
    assert_non_null(shape);
    char *before = strdup(sql.text);
    for (size_t n = 1; n <= 40; n++) {
        hy_query *other = adults(1, 2);
        for (size_t i = 0; i < n; i++)
            and_(other, cmp(other, "age", HY_OP_NE, hy_int((int64_t)i)));
        (void)run(shapes, by_hand, by_shape, other, 0);
        hy_query_free(other);
    }
    hy__shapes_free(shapes);
    assert_string_equal(before, sql.text);
    hy__shape_release(shape);
    free(before);
    hy_query_free(q);
}

/* A failed query, an open group, too many values: as the compiler has it. */
static void what_has_no_shape_is_compiled(void **state)
{
    hy_shapes *shapes = hy__shapes_new(16);
    const hy_dialect *d = hy_dialect_find("postgres");
    hy_query *open = adults(1, 2), *failed = adults(1, 2), *many = adults(1, 2);
    hy_sql sql;
    hy_shape *shape;
    hy_error err;

    (void)state;
    hy_query_group_open(open, HY_SLOT_WHERE, HY_AND, false);
    pick(failed, "noSuchColumn");
    for (int64_t i = 0; i < 200; i++)
        and_(many, cmp(many, "age", HY_OP_NE, hy_int(i)));
    for (unsigned again = 0; again < 2; again++) {
        assert_fails(HY_EINVALID_ARGUMENT, err,
                     hy__compile_by_shape(shapes, by_shape, open, d, NULL, &sql, &shape, &err));
        assert_null(shape);
        assert_fails(HY_EUNDEFINED_COLUMN, err,
                     hy__compile_by_shape(shapes, by_shape, failed, d, NULL, &sql, &shape, &err));
        assert_null(shape);
        assert_int_equal(HY_OK, hy__compile_by_shape(shapes, by_shape, many, d, NULL, &sql, &shape, &err));
        assert_null(shape);
        assert_int_equal(202, sql.n_binds);
    }
    hy_query_free(open);
    hy_query_free(failed);
    hy_query_free(many);
    hy__shapes_free(shapes);
}

/* ---- threads ------------------------------------------------------------------------------ */

enum { THREADS = 4, ROUNDS = 4000, SHAPES = 24 };

static void *worker(void *shapes)
{
    hy_compiler *mine = hy_compiler_new(), *other = hy_compiler_new();

    for (unsigned i = 0; i < ROUNDS; i++) {
        hy_query *q = adults(i, i + 1);
        for (unsigned n = i % SHAPES; n > 0; n--)
            and_(q, cmp(q, "age", HY_OP_NE, hy_int(n)));
        (void)run(shapes, mine, other, q, 0);
        hy_query_free(q);
    }
    hy_compiler_free(mine);
    hy_compiler_free(other);
    return NULL;
}

/* Fewer places than shapes: they are made, found and given up all the time. */
static void threads_share_them(void **state)
{
    hy_shapes *shapes = hy__shapes_new(SHAPES / 2);
    pthread_t threads[THREADS];
    uint64_t found, missed;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, worker, shapes));
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    hy__shapes_counts(shapes, &found, &missed);
    printf("shapes: %u threads, %u found, %u missed\n", THREADS, (unsigned)found, (unsigned)missed);
    assert_int_equal(THREADS * ROUNDS, found + missed);
    assert_true(found > 100 && missed > 100);
    hy__shapes_free(shapes);
}

static int set_up(void **state)
{
    (void)state;
    golden_make_models();
    by_shape = hy_compiler_new();
    by_hand = hy_compiler_new();
    return by_shape != NULL && by_hand != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hy_compiler_free(by_shape);
    hy_compiler_free(by_hand);
    golden_free_models();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_fields),
        cmocka_unit_test(where_fields),
        cmocka_unit_test(join_fields),
        cmocka_unit_test(group_order_fields),
        cmocka_unit_test(set_fields),
        cmocka_unit_test(write_fields),
        cmocka_unit_test(json_fields),
        cmocka_unit_test(extra_fields),
        cmocka_unit_test(what_the_server_can_counts),
        cmocka_unit_test(values_and_limits_are_the_query_s_own),
        cmocka_unit_test(all_decimal_places_count),
        cmocka_unit_test(nothing_is_kept_without_room),
        cmocka_unit_test(a_shape_outlives_its_place),
        cmocka_unit_test(what_has_no_shape_is_compiled),
        cmocka_unit_test(threads_share_them),
    };
    return cmocka_run_group_tests_name("shape", tests, set_up, tear_down);
}
