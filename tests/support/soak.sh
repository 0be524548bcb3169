#!/usr/bin/env bash
# soak.sh - the whole suite at full size, and tests/soak-report.txt: what ran, on what, and the
# figures that tests added to the file named by HY_REPORT (one line each).
set -uo pipefail
cd "$(dirname "$0")/../.."

report=tests/soak-report.txt
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT

started=$SECONDS
HY_SCALE=full HY_REPORT=$figures HY_LUA_TIMEOUT=14400 tests/support/run_tests.sh core lua
status=$?
HY_FUZZ_SECONDS=${HY_FUZZ_SECONDS:-600} HY_REPORT=$figures tests/support/fuzz.sh build-fuzz || status=1
{
    printf 'hysteria %s (%s), %s\n' "$(sed -n 's/^#define HY_VERSION "\(.*\)"/\1/p' core/include/hysteria/export.h)" \
        "$(git rev-parse --short HEAD 2>/dev/null || echo 'no commit')" "$(date -u +%Y-%m-%d)"
    printf '%s, %s cores, %d s\n' "$(uname -sm)" "$(nproc)" $((SECONDS - started))
    cat build/test-results/summary
    printf '\n'
    cat "$figures"
} >"$report"
printf 'written: %s\n' "$report" >&2
exit $status
