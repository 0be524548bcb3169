#!/usr/bin/env bash
# must_fail.sh PROGRAM... - for a test program that has a fault put in on purpose: passes when
# its tests found the fault, not when it crashed or never came to test anything.
set -uo pipefail

output=$("$@" 2>&1)
status=$?
found=$(grep -c '^\[  FAILED  \] .*test(s), listed below' <<<"$output")
if [ $status -ge 1 ] && [ $status -le 125 ] && [ "$found" -gt 0 ]; then
    echo "the fault was found"
    exit 0
fi
echo "the fault was not found (exit status $status); the program said:"
# Indented, so that nobody counts these tests.
sed 's/^/    /' <<<"$output"
exit 1
