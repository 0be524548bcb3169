#!/usr/bin/env bash
# run.sh [BUILD] - compiles the floors into BUILD (build-release), starts the servers, then runs
# every scenario on the floors and on Hysteria, database by database ($HY_BENCH_DATABASES).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Short runs are asked for; env.sh makes them the default of tests.
scale=${HY_SCALE:-full}
. "$here/../support/env.sh" "${1:-build-release}"
export HY_SCALE=$scale
read -ra databases <<<"${HY_BENCH_DATABASES:-sqlite postgres mariadb mysql}"

folder=$HY_BUILD/bench
mkdir -p "$folder"

# compile_floor NAME PACKAGE
compile_floor()
{
    # shellcheck disable=SC2046 # several words
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -DNDEBUG -o "$folder/floor_$1" "$here/floor.c" "$here/floor_$1.c" \
        $(pkg-config --cflags --libs "$2" lua5.4 jansson)
}
compile_floor sqlite sqlite3
compile_floor postgres libpq
compile_floor mysql libmariadb

# bench DATABASE FLOOR WHERE URL
bench()
{
    printf '\n==== %s ====\n' "$1"
    lua5.4 "$here/run.lua" "$1" "$folder/floor_$2" "$3" "$HY_BUILD/bin/hysteria-lua" "$4" "$folder/bench-$1.json"
}

# Encryption would cost every side the same and hide the rest.
export PGSSLMODE=disable
[ "${databases[*]}" = sqlite ] || . "$here/../support/use_servers.sh"
# The embedded Lua sources are measured, not those of the tree.
unset LUA_PATH LUA_CPATH
for database in "${databases[@]}"; do
    url=HY_TEST_${database^^}_URL
    if [ "$database" = sqlite ]; then
        rm -f "$folder"/bench.db*
        bench sqlite sqlite "$folder/bench.db" "sqlite://$folder/bench.db"
    elif [ -n "${!url:-}" ]; then
        bench "$database" "${database/mariadb/mysql}" "${!url}" "${!url}"
    else
        printf '\n==== %s ====\nnot measured: no server\n' "$database"
    fi
done
