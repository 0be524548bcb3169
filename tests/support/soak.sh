#!/usr/bin/env bash
# soak.sh [core] [lua] [threads] [fuzz] - tests at full size, and a report of each part in
# tests/soak/PART.txt: what ran, on what, and the figures that tests added to the file named by
# HY_REPORT (one line each). Without a part: all of them. `threads` is what the thread sanitizer
# watches.
set -uo pipefail
cd "$(dirname "$0")/../.."

[ $# -gt 0 ] || set -- core lua threads fuzz
figures=$(mktemp)
output=$(mktemp)
trap 'rm -f "$figures" "$output"' EXIT
export HY_REPORT=$figures HY_SCALE=full HY_LUA_TIMEOUT=14400

# The summary of what ran is its last line.
soak_core() { tests/support/run_tests.sh core; }
soak_lua() { tests/support/run_tests.sh lua; }
soak_threads() { tests/support/run_tests.sh -b build-tsan -l thread core; }
soak_fuzz() { HY_FUZZ_SECONDS=${HY_FUZZ_SECONDS:-600} tests/support/fuzz.sh build-fuzz; }

version=$(sed -n 's/^#define HY_VERSION "\(.*\)"/\1/p' core/include/hysteria/export.h)
commit=$(git describe --always --dirty 2>/dev/null || echo 'no commit')
failed=0
mkdir -p tests/soak
for part; do
    started=$SECONDS verdict=passed
    : >"$figures"
    "soak_$part" 2>&1 | tee "$output" || verdict=FAILED failed=1
    {
        printf 'hysteria %s (%s), %s: %s\n' "$version" "$commit" "$(date -u +%Y-%m-%d)" $verdict
        printf '%s, %s cores, %d s\n\n' "$(uname -sm)" "$(nproc)" $((SECONDS - started))
        [ "$part" = fuzz ] || tail -n 1 "$output"
        cat "$figures"
    } >"tests/soak/$part.txt"
    printf 'written: tests/soak/%s.txt\n' "$part" >&2
done
exit $failed
