#!/usr/bin/env bash
# fuzz.sh BUILD [TARGET...] - runs the fuzz targets of a build that has them (HY_FUZZ), one after
# the other, HY_FUZZ_SECONDS (60) each. New inputs of interest stay in BUILD/fuzz; one that crashes
# is copied to tests/fuzz/corpus, where every later test run replays it. Appends a line of figures
# for each target to the file named by HY_REPORT.
set -uo pipefail
build=$(cd "${1:?usage: fuzz.sh BUILD [TARGET...]}" && pwd) || exit 2
shift
cd "$(dirname "$0")/../.." || exit 2

seconds=${HY_FUZZ_SECONDS:-60}
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
failed=0
if [ $# -eq 0 ]; then
    for folder in tests/fuzz/corpus/*/; do set -- "$@" "$(basename "$folder")"; done
fi

for target; do
    work=$build/fuzz/$target
    mkdir -p "$work/found" "$work/crashes"
    printf '== fuzz %s, %d s\n' "$target" "$seconds"
    "$build/bin/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
        -print_final_stats=1 -artifact_prefix="$work/crashes/" "$work/found" "tests/fuzz/corpus/$target" \
        >"$work/log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
    crashes=$(find "$work/crashes" -type f | wc -l)
    if [ $status -ne 0 ]; then
        failed=1
        tail -n 40 "$work/log" >&2
        find "$work/crashes" -type f -exec cp -t "tests/fuzz/corpus/$target" {} +
    fi
    line="fuzz $target: ${runs:-0} executions, $seconds s, crashes $crashes"
    printf '%s\n' "$line"
    [ -z "${HY_REPORT:-}" ] || printf '%s\n' "$line" >>"$HY_REPORT"
done
exit $failed
