/*
 * text.h - checks and small helpers on text: UTF-8, hashing, names, distance.
 */
#ifndef HY_BASE_TEXT_H
#define HY_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hysteria/export.h>
#include <hysteria/value.h>

typedef enum hy_text_fault { HY_TEXT_FINE, HY_TEXT_NUL, HY_TEXT_BAD_UTF8 } hy_text_fault;

/** Strict UTF-8 (no surrogates, no overlong forms) without NUL. ASCII runs go a word at a time. */
HY_API hy_text_fault hy_text_check(const char *text, size_t size);
/** 64-bit FNV-1a style hash with a final mix; chain by passing the previous result (start 0). */
HY_API uint64_t hy_hash(uint64_t seed, const void *data, size_t size);
/** Edit distance (insert, delete, replace, swap of neighbours), at most `limit` + 1. */
HY_API size_t hy_edit_distance(const char *a, const char *b, size_t limit);
/** ASCII letters without case. */
HY_API bool hy_text_equal_nocase(const char *a, size_t a_size, const char *b, size_t b_size);
/** 36 characters with or without hyphens or braces, any case -> 16 bytes. */
HY_API bool hy_uuid_parse(const char *text, size_t size, uint8_t out[16]);
/** Lower-case canonical form, NUL-terminated, 36 characters. */
HY_API void hy_uuid_format(const uint8_t uuid[16], char out[37]);
/** How many of `size` bytes to keep so that at most `room` stay and no character is torn. */
size_t hy__text_cut(const char *text, size_t size, size_t room);
/** Format one line: cut to fit between characters, control characters become spaces. Its length. */
size_t hy__text_vline(char *out, size_t capacity, const char *fmt, va_list args) HY_PRINTF(3, 0);

#endif
