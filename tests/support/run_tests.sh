#!/usr/bin/env bash
# run_tests.sh [-b BUILD] [-l LABEL] [-s SPEC] [core] [lua] - runs the C tests (CTest) and the Lua
# specs (busted) of a build that exists, and prints "N passed, N failed" as its last line.
# LABEL limits the C tests to one CTest label, SPEC the Lua specs to this file (-s again: and to
# that one). Without core or lua: both.
# Starts the database servers (servers.sh) and stops them again, unless they run already. A server
# that HY_TEST_<NAME>_URL names is used as it is; HY_TEST_SERVERS=none starts nothing.
set -uo pipefail
cd "$(dirname "$0")/../.."

build=build label='' specs=() parts=()
while [ $# -gt 0 ]; do
    case $1 in
    -b) build=$2; shift ;;
    -l) label=$2; shift ;;
    -s) specs+=("$2"); shift ;;
    core | lua) parts+=("$1") ;;
    *) echo "usage: run_tests.sh [-b BUILD] [-l LABEL] [-s SPEC] [core] [lua]" >&2; exit 2 ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(core lua)

. tests/support/env.sh "$build"
sanitize=$(sed -n 's/^HY_SANITIZE:[A-Z]*=//p' "$HY_BUILD/CMakeCache.txt")
here=$HY_ROOT/tests/support
out=$HY_BUILD/test-results
rm -rf "$out"
mkdir -p "$out"

# Of a library's thread-local storage the leak sanitizer guesses where it begins, and some days reads elsewhere.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:intercept_tls_get_addr=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$here/lsan.supp:print_suppressions=0}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$here/tsan.supp:halt_on_error=1:second_deadlock_stack=1}

run_core()
{
    local xml=$out/core.xml status
    ctest --test-dir "$HY_BUILD" ${label:+-L "^$label$"} -j "$(nproc)" --output-on-failure \
        --test-output-size-passed 4000000 --test-output-size-failed 4000000 \
        --no-tests=error --output-junit "$xml"
    status=$?
    [ ! -s "$xml" ] || lua5.4 "$here/tally.lua" ctest "$xml" "$out/core.tally"
    return $status
}

run_lua()
{
    local preload=''
    # The interpreter is not built with the sanitizer, so its runtime has to come first.
    if [ "$sanitize" = address,undefined ]; then
        preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    fi
    HY_TALLY=$out/lua.tally LD_PRELOAD=$preload timeout -k 10 "${HY_LUA_TIMEOUT:-1800}" \
        lua5.4 "$(command -v busted)" "${specs[@]}" </dev/null 2>&1
}

# PostgreSQL and MariaDB come with Debian: without them the run is not worth its name.
. tests/support/use_servers.sh
[ "${HY_TEST_SERVERS:-all}" = none ] || export HY_TEST_REQUIRE=${HY_TEST_REQUIRE-postgres,mariadb}

tallies=()
for part in "${parts[@]}"; do
    printf '== %s tests (%s)\n' "$part" "$build"
    "run_$part"
    status=$?
    tallies+=("$out/$part.tally")
    [ -s "$out/$part.tally" ] ||
        printf 'failed 1\nfail %s: the run did not finish\nend %s\n' "$part" "$part" >"$out/$part.tally"
    # Tests may all have passed and the process still have failed: a leak found at exit.
    if [ $status -ne 0 ] && ! grep -q '^fail ' "$out/$part.tally"; then
        printf 'passed 0\nfailed 1\nfail %s: exit status %d\nend exit\n' "$part" $status >"$out/$part-exit.tally"
        tallies+=("$out/$part-exit.tally")
    fi
done
lua5.4 "$here/tally.lua" sum tests/skips.txt "${tallies[@]}" | tee "$out/summary"
exit "${PIPESTATUS[0]}"
