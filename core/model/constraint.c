/*
 * constraint.c - which columns a constraint is about, by the name that a database tells.
 *
 * MySQL, MariaDB and SQLite say no more than the name of the key or check that refused a row.
 * Asked only after such an error, so nothing is indexed. Knows no database by name.
 */
#include <string.h>

#include <base/text.h>

#include <model/model_internal.h>

static bool is_name(const char *own, const char *name)
{
    return own != NULL && hy_text_equal_nocase(own, strlen(own), name, strlen(name));
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Does the expression name it, outside of text in quotes? */
static bool mentions(const char *expression, const char *column)
{
    size_t size = strlen(column);

    for (const char *p = expression; *p != '\0';) {
        if (*p == '\'') {
            const char *end = strchr(p + 1, '\'');
            p = end != NULL ? end + 1 : p + strlen(p);
        } else if (is_word(*p)) {
            const char *start = p;
            while (is_word(*p))
                p++;
            if (hy_text_equal_nocase(start, (size_t)(p - start), column, size))
                return true;
        } else {
            p++;
        }
    }
    return false;
}

static const hy_column *of_index(const hy_model *model, const hy_index *index, size_t i)
{
    return i < index->n_columns ? hy_model_column(model, index->columns[i]) : NULL;
}

static const hy_column *of_check(const hy_model *model, const hy_check *check, size_t i)
{
    for (size_t at = 0; at < model->columns.n; at++) {
        const hy_column *column = hy_model_column(model, at);
        if (mentions(check->expression, column->name) && i-- == 0)
            return column;
    }
    return NULL;
}

/* The unique index of that name; or, as databases name what nobody named, of that first column. */
static const hy_index *find_unique(const hy_model *model, const char *name)
{
    const hy_index *by_column = NULL;

    for (size_t at = 0; at < model->indexes.n; at++) {
        const hy_index *index = hy_model_index(model, at);
        if (index->unique && is_name(index->name, name))
            return index;
        if (index->unique && by_column == NULL && is_name(of_index(model, index, 0)->name, name))
            by_column = index;
    }
    return by_column;
}

const hy_column *hy_model_constraint_column(const hy_model *model, const char *name, size_t i)
{
    if (is_name(model->key_name, name) || is_name("PRIMARY", name))
        return hy_model_key(model, i);
    for (size_t at = 0; at < model->columns.n; at++)
        if (is_name(hy__model_column_check(model, at), name))
            return i == 0 ? hy_model_column(model, at) : NULL;
    for (size_t at = 0; at < model->checks.n; at++)
        if (is_name(hy_model_check(model, at)->name, name))
            return of_check(model, hy_model_check(model, at), i);
    const hy_index *index = find_unique(model, name);
    return index != NULL ? of_index(model, index, i) : NULL;
}
