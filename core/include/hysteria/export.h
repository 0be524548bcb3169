/*
 * export.h - what is public, and small compiler helpers.
 *
 * The libraries are built with hidden visibility: a function is visible outside only when
 * it says HY_API. Every public header includes this one and compiles alone, also as C++.
 */
#ifndef HYSTERIA_EXPORT_H
#define HYSTERIA_EXPORT_H

#define HY_VERSION_MAJOR 0
#define HY_VERSION_MINOR 1
#define HY_VERSION_PATCH 0
#define HY_VERSION "0.1.0"

#if defined(__GNUC__)
#define HY_API __attribute__((visibility("default")))
#define HY_MUST_CHECK __attribute__((warn_unused_result))
#define HY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define HY_API
#define HY_MUST_CHECK
#define HY_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
#define HY_BEGIN_DECLS extern "C" {
#define HY_END_DECLS }
#else
#define HY_BEGIN_DECLS
#define HY_END_DECLS
#endif

#endif
