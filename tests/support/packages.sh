#!/usr/bin/env bash
# packages.sh GROUP... - installs the Debian packages that the groups need and that are missing.
# Groups: build test servers lint bench fuzz root. Says what it does; does nothing when all is there.
set -euo pipefail

build=(gcc libc6-dev make cmake ninja-build pkg-config
    liblua5.4-dev libsqlite3-dev libpq-dev libmariadb-dev libssl-dev libgmp-dev libjansson-dev libsodium-dev uthash-dev)
# locales: the sources of a locale with a decimal comma, which a test makes
test=(lua5.4 lua-busted libcmocka-dev locales)
servers=(postgresql-15 mariadb-server-core mariadb-client-core pgbouncer openssl)
lint=(clang-format clang-tidy cppcheck lua-check binutils g++)
bench=(lua5.4 valgrind)
# clang's run-time libraries, libFuzzer among them, are a package of their own
fuzz=(clang libclang-rt-14-dev)
root=(debootstrap)

die()
{
    printf 'packages: %s\n' "$*" >&2
    exit 1
}

wanted=()
for group in "$@"; do
    case $group in
    build | test | servers | lint | bench | fuzz | root) ;;
    *) die "no group \"$group\"; there are build, test, servers, lint, bench, fuzz, root" ;;
    esac
    declare -n list=$group
    wanted+=("${list[@]}")
done
[ ${#wanted[@]} -gt 0 ] || die "usage: packages.sh GROUP..."

if ! command -v dpkg-query >/dev/null; then
    printf 'packages: not a Debian system; expected to be installed already: %s\n' "${wanted[*]}" >&2
    exit 0
fi

# "gcc installed", one a line; packages dpkg has never heard of are only on its stderr.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
    grep -qxF "$package installed" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null; then
    # Without a terminal nobody can type a password: fail instead of waiting for one.
    as_root=(sudo)
    [ -t 0 ] || as_root=(sudo -n)
    "${as_root[@]}" true || die "sudo refused; as root, run: apt-get install ${missing[*]}"
else
    die "neither root nor sudo here; as root, run: apt-get install ${missing[*]}"
fi

printf 'packages: installing %s\n' "${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
"${apt[@]}" update </dev/null

# Debian's packages start what they bring: not now. The answer 101 means "forbidden".
policy=/usr/sbin/policy-rc.d
if [[ " ${missing[*]} " == *" postgresql-"* || " ${missing[*]} " == *" pgbouncer "* ]] && [ ! -e $policy ]; then
    trap '"${as_root[@]}" rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
    "${as_root[@]}" chmod 755 $policy
fi
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null
