#!/usr/bin/env bash
# check_install.sh BUILD [CC] - installs BUILD below a scratch folder, reads the artefacts, and
# builds and runs a small program against it: by find_package, by pkg-config, from lua5.4.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$1 cc=${2:-cc}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

cmake --install "$build" --prefix "$prefix" >"$scratch/install.log"
tests/support/check_artefacts.sh "$prefix"

libdir=$(dirname "$(find "$prefix" -name libhysteria.so)")
export LD_LIBRARY_PATH=$libdir PKG_CONFIG_PATH=$libdir/pkgconfig
version=$(sed -n 's/^#define HY_VERSION "\(.*\)"/\1/p' core/include/hysteria/export.h)

expect()
{
    local name=$1 got
    shift
    got=$("$@") || { echo "$name: exit status $?"; exit 1; }
    [ "$got" = "$version" ] || { echo "$name: said \"$got\", not \"$version\""; exit 1; }
    echo "$name: ok"
}

cmake -S tests/support/consumer -B "$scratch/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" >"$scratch/configure.log" 2>&1 || { cat "$scratch/configure.log"; exit 1; }
cmake --build "$scratch/consumer" >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log"; exit 1; }
expect "find_package, core" "$scratch/consumer/consumer"
expect "find_package, lua" "$scratch/consumer/lua_consumer"

# shellcheck disable=SC2046
"$cc" tests/support/consumer/consumer.c -o "$scratch/by_pc" $(pkg-config --cflags --libs hysteria)
expect "pkg-config, core" "$scratch/by_pc"
# shellcheck disable=SC2046
"$cc" tests/support/consumer/lua_consumer.c -o "$scratch/lua_by_pc" $(pkg-config --cflags --libs hysteria-lua)
expect "pkg-config, lua" "$scratch/lua_by_pc"

unset LUA_PATH_5_4 LUA_CPATH_5_4
export LUA_PATH="$prefix/share/lua/5.4/?.lua;$prefix/share/lua/5.4/?/init.lua;;"
export LUA_CPATH="$prefix/lib/lua/5.4/?.so;;"
expect "lua5.4" lua5.4 -e 'require("hysteria") io.write(require("hysteria.core").version)'
cd "$scratch"
unset LUA_PATH LUA_CPATH
expect "hysteria-lua" "$prefix/bin/hysteria-lua" -e 'io.write(require("hysteria.core").version)'
