#!/usr/bin/env bash
# run.sh [BUILD] - compiles the floor into BUILD (build-release), then runs every scenario on it and on Hysteria.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Short runs are asked for; env.sh makes them the default of tests.
scale=${HY_SCALE:-full}
. "$here/../support/env.sh" "${1:-build-release}"
export HY_SCALE=$scale

folder=$HY_BUILD/bench
mkdir -p "$folder"
# shellcheck disable=SC2046 # several words
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -DNDEBUG -o "$folder/floor_sqlite" "$here/floor_sqlite.c" \
    $(pkg-config --cflags --libs sqlite3 lua5.4 jansson)
# The embedded Lua sources are measured, not those of the tree.
unset LUA_PATH LUA_CPATH
exec lua5.4 "$here/run.lua" "$folder/floor_sqlite" "$HY_BUILD/bin/hysteria-lua" "$folder"
