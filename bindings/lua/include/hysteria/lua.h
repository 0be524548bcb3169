/*
 * lua.h - Hysteria in a lua_State of one's own: for C programs that embed Lua 5.4.
 *
 * A state belongs to one thread at a time; a data source and a registry may be those of many.
 * So a program opens one source and one registry, and a state per thread over both: the states
 * run the same model files, their queries share the pool, and each has hooks of its own.
 */
#ifndef HYSTERIA_LUA_H
#define HYSTERIA_LUA_H

#include <hysteria/export.h>
#include <hysteria/model.h>
#include <hysteria/source.h>

struct lua_State;

HY_BEGIN_DECLS

/* All of these may raise Lua errors (memory): call them protected, or where a panic is right. */

/** Make require("hysteria") work without any file: everything is built in. */
HY_API void hy_lua_preload(struct lua_State *L);
/**
 * From now on models that the state declares are published there: a name that another state
 * has published must mean the same, or its first use raises MODEL_ALREADY_DEFINED. The state
 * keeps a reference. NULL: models are the state's own again.
 */
HY_API void hy_lua_set_registry(struct lua_State *L, hy_registry *registry);
/**
 * Push a value that sql.connect() and sql.connectToSecondarySource() take in place of a
 * configuration. It keeps a reference; closing it in Lua does not close the source.
 */
HY_API void hy_lua_push_source(struct lua_State *L, hy_source *source);

HY_END_DECLS
#endif
