/*
 * golden_models.c - the models that the golden cases are about, and what is expected of a case
 * on a dialect. Shared by the comparison of texts and by the servers that prepare them.
 */
#include "golden.h"

static hy_model *models[GOLDEN_MODEL_COUNT];

#define COLUMN(property_, kind_, flags_)                                                              \
    {                                                                                                 \
        .property = property_, .kind = HY_KIND_##kind_, .flags = flags_, .precision = -1, .scale = -1 \
    }

static const hy_column user_columns[] = {
    COLUMN("id", BIGINT, HY_COLUMN_PRIMARY | HY_COLUMN_INCREMENT),
    COLUMN("firstName", STRING, 0),
    COLUMN("age", INTEGER, 0),
    COLUMN("active", BOOLEAN, 0),
    COLUMN("balance", DECIMAL, 0),
    COLUMN("score", DOUBLE, 0),
    COLUMN("createdAt", TIMESTAMP, 0),
    COLUMN("password", STRING, HY_COLUMN_HIDDEN),
};
static const hy_column post_columns[] = {
    COLUMN("id", BIGINT, HY_COLUMN_PRIMARY),
    COLUMN("userId", BIGINT, 0),
    COLUMN("title", STRING, 0),
    COLUMN("views", INTEGER, 0),
};
static const hy_column tag_columns[] = {
    COLUMN("userId", BIGINT, HY_COLUMN_PRIMARY),
    COLUMN("tagId", BIGINT, HY_COLUMN_PRIMARY),
    COLUMN("weight", INTEGER, 0),
};
static const hy_column log_columns[] = {
    COLUMN("id", BIGINT, HY_COLUMN_PRIMARY),
    COLUMN("userId", BIGINT, 0),
};
static const hy_column odd_columns[] = {
    {.property = "id", .name = "i\"d", .kind = HY_KIND_BIGINT, .flags = HY_COLUMN_PRIMARY},
    {.property = "tick", .name = "a`b", .kind = HY_KIND_STRING},
    {.property = "plain", .name = "order", .kind = HY_KIND_STRING},
    {.property = "euro", .name = "\u20ac \\", .kind = HY_KIND_STRING},
};
static const hy_column plain_columns[] = {
    COLUMN("name", STRING, 0),
    COLUMN("size", INTEGER, 0),
    COLUMN("doubled", INTEGER, HY_COLUMN_GENERATED),
};
static const hy_column doc_columns[] = {
    COLUMN("id", BIGINT, HY_COLUMN_PRIMARY),
    COLUMN("body", JSON, 0),
    COLUMN("secret", JSON, HY_COLUMN_SENSITIVE),
};

static const struct {
    const char *name, *schema, *table;
    const hy_column *columns;
    size_t n;
} model_list[GOLDEN_MODEL_COUNT] = {
    [USER] = {"User", NULL, "users", user_columns, 8},
    [POST] = {"Post", NULL, "posts", post_columns, 4},
    [TAG] = {"UserTag", NULL, "user_tags", tag_columns, 3},
    [LOG] = {"Log", "app", "logs", log_columns, 2},
    [ODD] = {"Odd", NULL, "we\"ird.`table", odd_columns, 4},
    [PLAIN] = {"Plain", NULL, "plains", plain_columns, 3},
    [DOC] = {"Doc", NULL, "docs", doc_columns, 3},
};

const hy_model *golden_get(golden_model model)
{
    return models[model];
}

static void make_model(golden_model which)
{
    hy_error err;
    hy_model *m = hy_model_new(model_list[which].name, model_list[which].schema, model_list[which].table,
                               HY_NAMING_SNAKE);

    assert_non_null(m);
    for (size_t i = 0; i < model_list[which].n; i++)
        if (hy_model_add_column(m, &model_list[which].columns[i], &err) != HY_OK)
            fail_msg("%s: %s", model_list[which].name, err.message);
    if (hy_model_freeze(m, &err) != HY_OK)
        fail_msg("%s: %s", model_list[which].name, err.message);
    models[which] = m;
}

void golden_make_models(void)
{
    for (golden_model m = USER; m < GOLDEN_MODEL_COUNT; m++)
        make_model(m);
}

void golden_free_models(void)
{
    for (golden_model m = USER; m < GOLDEN_MODEL_COUNT; m++)
        hy_model_unref(models[m]);
}

/* ---- expectations ------------------------------------------------------------------------- */

const char *golden_text(const golden *g, size_t dialect)
{
    const char *own[DIALECTS] = {g->postgres, g->cockroachdb, g->mysql, g->mariadb, g->sqlite};

    if (own[dialect] != NULL)
        return own[dialect];
    if (dialect == COCKROACHDB && g->postgres != NULL)
        return g->postgres;
    if (dialect == MARIADB && g->mysql != NULL)
        return g->mysql;
    return g->sql;
}

hy_compile_options golden_options(const golden *g, const hy_dialect *dialect)
{
    hy_features features = g->newest ? hy_dialect_features(dialect, 990000) : 0;

    if (g->row_arrays)
        features = hy_dialect_features(dialect, 0) | HY_FEATURE(ROW_ARRAYS);
    return (hy_compile_options){
        .features = features,
        .limit = g->limit,
        .inline_values = g->inline_values,
    };
}
