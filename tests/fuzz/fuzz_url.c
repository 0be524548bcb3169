/*
 * Connection URLs: what is taken has the parts it claims, what is refused says so and repeats
 * nothing of it.
 */
#include "fuzz.h"

#include <hysteria/url.h>

static bool is_within(const char *text, size_t most)
{
    return text == NULL || strlen(text) <= most;
}

static void check_url(const hy_url *url, size_t size)
{
    must(url->scheme != NULL && url->scheme[0] != '\0');
    must(url->port >= 0 && url->port <= 65535);
    must(is_within(url->user, size) && is_within(url->password, size) && is_within(url->host, size));
    must(is_within(url->database, size));
    for (size_t i = 0; i < url->n_options; i++)
        must(is_within(url->options[i].name, size) && is_within(url->options[i].value, size));
}

/* Nothing of 12 letters or more that stands behind the scheme, unless it is the scheme again. */
static void check_message(const hy_error *err, const char *text, size_t size)
{
    enum { LONG = 12 };
    const char *behind = memchr(text, ':', size);
    size_t left = behind != NULL ? size - (size_t)(behind - text) : 0;
    const char *said = strstr(err->message, "://");

    said = said != NULL ? said + 3 : err->message;
    for (size_t i = 0; i + LONG <= left; i++)
        must(memmem(said, strlen(said), behind + i, LONG) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    hy_error err;
    hy_url url;

    hy_error_clear(&err);
    hy_status status = hy_url_parse(text, size, &url, &err);
    if (status == HY_OK) {
        check_url(&url, size);
    } else {
        must(status == HY_EINVALID_CONFIG && err.status == status && err.message[0] != '\0');
        must(url.scheme == NULL && url.memory == NULL);
        check_message(&err, text, size);
    }
    hy_url_clear(&url);
    return 0;
}
