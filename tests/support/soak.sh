#!/usr/bin/env bash
# soak.sh [core] [oom] [lua] [threads] [fuzz] - tests at full size, and a report of each part in
# tests/soak/PART.txt: what ran, on what, and the figures that tests added to the file named by
# HY_REPORT (one line each). Without a part: all of them. `oom` is memory that runs out, `threads`
# what the thread sanitizer watches; `lua` runs one spec after the other, those that SPECS names.
set -uo pipefail
cd "$(dirname "$0")/../.."

[ $# -gt 0 ] || set -- core oom lua threads fuzz
figures=$(mktemp)
output=$(mktemp)
export HY_REPORT=$figures HY_SCALE=full HY_LUA_TIMEOUT=14400

version=$(sed -n 's/^#define HY_VERSION "\(.*\)"/\1/p' core/include/hysteria/export.h)
commit=$(git describe --always --dirty 2>/dev/null || echo 'no commit')

report()
{
    {
        printf 'hysteria %s (%s), %s: %s\n' "$version" "$commit" "$(date -u +%Y-%m-%d)" "$2"
        printf '%s, %s cores, %d s\n\n' "$(uname -sm)" "$(nproc)" $((SECONDS - started))
        cat "$figures"
    } >"tests/soak/$1.txt"
}

# run NAME ARGUMENT...: tests, and a line that says how they went
run()
{
    local name=$1 from=$SECONDS status
    shift
    tests/support/run_tests.sh "$@" 2>&1 | tee "$output"
    status=${PIPESTATUS[0]}
    grep '^failed: ' "$output" >>"$figures"
    printf '%s: %s, %d s\n' "$name" "$(tail -n 1 "$output")" $((SECONDS - from)) >>"$figures"
    return "$status"
}

soak_core() { run core -l core core; }
soak_oom() { run oom -l oom core; }
soak_threads() { run threads -b build-tsan -l thread core; }
soak_fuzz() { HY_FUZZ_SECONDS=${HY_FUZZ_SECONDS:-600} tests/support/fuzz.sh build-fuzz; }
soak_lua()
{
    local spec status=0
    for spec in ${SPECS:-tests/lua/*_spec.lua}; do
        run "$(basename "$spec" _spec.lua)" -s "$spec" lua || status=1
        report lua 'not finished'
    done
    return $status
}

# One start of the servers for all.
. tests/support/env.sh build
. tests/support/use_servers.sh
trap 'stop_servers; rm -f "$figures" "$output"' EXIT

failed=0
mkdir -p tests/soak
for part; do
    started=$SECONDS verdict=passed
    : >"$figures"
    "soak_$part" || verdict=FAILED failed=1
    report "$part" $verdict
    printf 'written: tests/soak/%s.txt\n' "$part" >&2
done
exit $failed
