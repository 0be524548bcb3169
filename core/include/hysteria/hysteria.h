/*
 * hysteria.h - the whole core: connect, build queries, run them, read rows. No Lua.
 * For models and hooks in Lua inside a C program see <hysteria/engine.h>.
 */
#ifndef HYSTERIA_HYSTERIA_H
#define HYSTERIA_HYSTERIA_H

#include <hysteria/datetime.h>
#include <hysteria/decimal.h>
#include <hysteria/error.h>
#include <hysteria/export.h>
#include <hysteria/job.h>
#include <hysteria/memory.h>
#include <hysteria/model.h>
#include <hysteria/query.h>
#include <hysteria/source.h>
#include <hysteria/url.h>
#include <hysteria/value.h>

HY_BEGIN_DECLS

/** "0.1.0": of the library that is loaded (HY_VERSION: of the headers). Static. */
HY_API const char *hy_version(void);

HY_END_DECLS
#endif
