#!/usr/bin/env bash
# lint.sh [CHECK...] - the checks below, each counted as one test; without names all of them.
# Needs build/ configured (compile_commands.json). Last line: "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.."

build=build
out=$build/lint
mkdir -p "$out"

# Every file of the tree that git would keep, also before it is added.
files() { git ls-files -co --exclude-standard -- "$@" | while read -r f; do [ -f "$f" ] && echo "$f"; done; }

# `make format` mends it.
check_format()
{
    local file status=0
    for file in $(files '*.c' '*.h'); do
        clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || { echo "$file"; status=1; }
    done
    return $status
}

check_luacheck() { luacheck -q --no-color .; }

check_house_rules() { files | lua5.4 tests/support/house_rules.lua; }

# Headers stand alone, in C11 and in C++17.
check_headers()
{
    local header status=0 strict='-Wall -Wextra -Wpedantic -Werror -Icore/include -fsyntax-only'
    for header in core/include/hysteria/*.h; do
        # Through a file that includes it: C has no empty translation unit.
        printf '#include <hysteria/%s>\nextern int used;\n' "${header##*/}" >"$out/alone.c"
        # shellcheck disable=SC2086
        gcc -std=c11 $strict -x c "$out/alone.c" || status=1
        # shellcheck disable=SC2086
        g++ -std=c++17 $strict -x c++ "$out/alone.c" || status=1
    done
    return $status
}

# What this build compiles: clang-tidy knows no flags for a driver that is switched off.
compiled_files()
{
    files "$@" | while read -r file; do
        ! grep -qF "/$file\"" "$out/compile_commands.json" || printf '%s\n' "$file"
    done
}

# clang 14 wants a second flag for this one, later versions refuse that second flag.
check_tidy()
{
    sed 's/-ftrivial-auto-var-init=zero//g' $build/compile_commands.json >"$out/compile_commands.json"
    compiled_files 'core/*.c' 'bindings/*.c' | xargs -r -P "$(nproc)" -n 2 clang-tidy -p "$out" --quiet 2>"$out/tidy.err"
    local status=$?
    grep -E 'error:' "$out/tidy.err"
    return $status
}

# cppcheck 2.10 cannot read hexadecimal floats, hence the suppressed operator check.
check_cppcheck()
{
    cppcheck -q -j "$(nproc)" --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
        --inline-suppr --suppress=missingIncludeSystem --suppress=incorrectLogicOperator \
        -Icore/include -Icore -Ibindings/lua -D_GNU_SOURCE -DHY_WITH_SQLITE -DHY_WITH_POSTGRES -DHY_WITH_MYSQL core bindings
}

check_shell()
{
    local script status=0
    for script in $(files '*.sh') .ci/run; do
        bash -n "$script" || status=1
    done
    return $status
}

checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=(format house_rules luacheck headers shell cppcheck tidy)
tally=$out/lint.tally
passed=0 failed=0 fails=''
for check in "${checks[@]}"; do
    started=$SECONDS
    if "check_$check" >"$out/$check.log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok     %s (%d s)\n' "$check" $((SECONDS - started))
    else
        failed=$((failed + 1))
        fails+="fail lint: $check"$'\n'
        printf 'FAILED %s\n' "$check"
        head -n 100 "$out/$check.log" | sed 's/^/       /'
    fi
done
printf 'passed %d\nfailed %d\n%send lint\n' $passed $failed "$fails" >"$tally"
lua5.4 tests/support/tally.lua sum tests/skips.txt "$tally"
