/*
 * error.c - names of status codes, and the one place that fills an hy_error.
 *
 * Must not allocate: it reports that memory ran out. Must not know who fails or why.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <base/text.h>
#include <hysteria/error.h>

typedef struct status_info {
    const char *name; /* NULL: a number that means nothing */
    const char *text;
    hy_error_class cls;
} status_info;

/* Indexed by the negated number: the numbers are small and dense. */
static const status_info infos[] = {[-HY_OK] = {"OK", "success", HY_CLASS_USAGE},
                                    [-HY_AGAIN] = {"AGAIN", "not finished yet", HY_CLASS_USAGE},
                                    [-HY_DONE] = {"DONE", "no more rows", HY_CLASS_USAGE},
#define STATUS_INFO(id, number, class_id, description) [-(number)] = {#id, description, HY_CLASS_##class_id},
                                    HY_STATUS_MAP(STATUS_INFO)
#undef STATUS_INFO
};
enum { N_INFOS = sizeof infos / sizeof infos[0] };

static const char *const class_names[HY_CLASS_COUNT] = {
    [HY_CLASS_USAGE] = "usage",
    [HY_CLASS_DATA] = "data",
    [HY_CLASS_CONNECTION] = "connection",
    [HY_CLASS_TRANSACTION] = "transaction",
    [HY_CLASS_OUTCOME_UNKNOWN] = "outcomeUnknown",
    [HY_CLASS_MIGRATION] = "migration",
};

static const status_info *find_info(hy_status status)
{
    static const status_info unknown = {"UNKNOWN", "unknown status", HY_CLASS_USAGE};
    int index = -(int)status;

    if (index < 0 || index >= N_INFOS || infos[index].name == NULL)
        return &unknown;
    return &infos[index];
}

const char *hy_status_name(hy_status status)
{
    return find_info(status)->name;
}

const char *hy_status_text(hy_status status)
{
    return find_info(status)->text;
}

hy_error_class hy_status_class(hy_status status)
{
    return find_info(status)->cls;
}

const char *hy_error_class_name(hy_error_class cls)
{
    return (unsigned)cls < HY_CLASS_COUNT ? class_names[cls] : "unknown";
}

hy_status hy_status_from_name(const char *name)
{
    for (int i = 0; i < N_INFOS; i++)
        if (infos[i].name != NULL && strcmp(infos[i].name, name) == 0)
            return (hy_status)-i;
    return HY_OK;
}

/* The first byte of each text is enough: this runs on paths that do not fail. */
void hy_error_clear(hy_error *err)
{
    if (err == NULL)
        return;
    err->status = HY_OK;
    err->native_code = 0;
    err->sqlstate[0] = '\0';
    err->message[0] = '\0';
    err->constraint[0] = '\0';
    err->table[0] = '\0';
    err->columns[0] = '\0';
    err->feature[0] = '\0';
    err->dialect[0] = '\0';
    err->position = 0;
    err->attempts = 0;
}

static void set_field(char *out, size_t capacity, const char *text)
{
    size_t size = hy__text_cut(text, strlen(text), capacity - 1);
    memcpy(out, text, size);
    out[size] = '\0';
}

hy_status hy_fail(hy_error *err, hy_status status, const char *fmt, ...)
{
    assert(status < HY_DONE);
    if (err == NULL)
        return status;

    /* Formatted aside first: the arguments may lie in `err` itself. */
    char message[HY_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    size_t size = hy__text_vline(message, sizeof message, fmt, args);
    va_end(args);

    hy_error_clear(err);
    err->status = status;
    memcpy(err->message, message, size + 1);
    return status;
}

hy_status hy_fail_oom(hy_error *err)
{
    if (err != NULL) {
        hy_error_clear(err);
        err->status = HY_EOUT_OF_MEMORY;
        set_field(err->message, sizeof err->message, hy_status_text(HY_EOUT_OF_MEMORY));
    }
    return HY_EOUT_OF_MEMORY;
}

hy_status hy_fail_unsupported(hy_error *err, const char *feature, const char *dialect)
{
    hy_fail(err, HY_EUNSUPPORTED, "%s is not available on %s", feature, dialect);
    if (err != NULL) {
        set_field(err->feature, sizeof err->feature, feature);
        set_field(err->dialect, sizeof err->dialect, dialect);
    }
    return HY_EUNSUPPORTED;
}
