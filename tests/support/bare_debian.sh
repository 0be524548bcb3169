#!/usr/bin/env bash
# bare_debian.sh [-k] [-r ROOT] LOG [COMMAND...] - does the README's promise hold on a machine
# that has nothing? Makes a bare Debian 12 (debootstrap), a user with sudo, clones HEAD of this
# tree as that user and types the commands ("make demo" and "make test"). What was typed and what came
# is kept in LOG. Needs root. -k keeps the root folder, -r names one (kept ones are used again).
# Where packages come from is read from this machine's apt configuration while it runs.
set -euo pipefail

die()
{
    printf 'bare_debian: %s\n' "$*" >&2
    exit 1
}

keep='' root=''
while getopts kr: option; do
    case $option in
    k) keep=yes ;;
    r) root=$OPTARG keep=yes ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || die "usage: bare_debian.sh [-k] [-r ROOT] LOG [COMMAND...]"
[ "$(id -u)" -eq 0 ] || die "needs root"
log=$(realpath -m "$1")
shift
commands=("$@")
[ ${#commands[@]} -gt 0 ] || commands=("make demo" "make test")

source=$(cd "$(dirname "$0")/../.." && pwd)
"$source/tests/support/packages.sh" root
root=${root:-$(mktemp -d /var/tmp/bare-debian.XXXXXX)}
mkdir -p "$root" "$(dirname "$log")"
# mktemp gives 700, and this is going to be somebody else's root folder.
chmod 755 "$root"
: >"$log"

cleanup()
{
    local status=$? point
    for point in dev proc; do
        mountpoint -q "$root/$point" && umount "$root/$point"
    done
    # Never delete through a mount that would not go away.
    if [ -z "$keep" ] && ! grep -qF " $root/" /proc/mounts; then
        rm -rf --one-file-system "$root"
    fi
    exit $status
}
trap cleanup EXIT

# The mirror of bookworm's main section, as apt on this machine knows it.
mirror()
{
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "bookworm" && $2 == "main" { print $3; exit }'
}

make_root()
{
    local uri
    uri=$(mirror)
    if [ -z "$uri" ]; then
        apt-get -q update >>"$log" 2>&1
        uri=$(mirror)
    fi
    [ -n "$uri" ] || die "apt on this machine knows no mirror of bookworm"
    debootstrap --variant=minbase bookworm "$root" "$uri" >>"$log" 2>&1 || die "debootstrap failed, see $log"
}

# How this machine reaches its packages. Passwords (auth.conf) stay where they are.
copy_apt_configuration()
{
    rm -f "$root/etc/apt/sources.list"
    local file
    for file in sources.list sources.list.d apt.conf apt.conf.d preferences.d; do
        [ -e "/etc/apt/$file" ] && cp -aL "/etc/apt/$file" "$root/etc/apt/"
    done
    cp -aL /usr/share/keyrings/. "$root/usr/share/keyrings/"
    [ -e /etc/apt/trusted.gpg.d ] && cp -aL /etc/apt/trusted.gpg.d "$root/etc/apt/"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    [ -d /usr/local/share/ca-certificates ] && mkdir -p "$root/usr/local/share/ca-certificates" &&
        cp -aL /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
}

inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    "${proxies[@]}" chroot "$root" "$@"; }

proxies=()
for name in http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || proxies+=("$name=${!name}")
done

[ -x "$root/usr/bin/apt-get" ] || make_root
copy_apt_configuration
mkdir -p "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/dev"
for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    # shellcheck disable=SC2086
    set -- $device
    mknod -m 666 "$root/dev/$1" c "$2" "$3"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"

inside apt-get -q update >>"$log" 2>&1 || die "apt-get update fails inside the root, see $log"
inside apt-get -q install -y --no-install-recommends git make sudo ca-certificates >>"$log" 2>&1 ||
    die "apt-get install fails inside the root, see $log"
inside id newcomer >/dev/null 2>&1 || inside useradd --create-home --shell /bin/bash newcomer
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/newcomer"
inside rm -rf /home/newcomer/hysteria /repository.git
git clone -q --bare "$source" "$root/repository.git"
inside chown -R newcomer /repository.git

as_newcomer()
{
    printf '\nnewcomer$ %s\n' "$1"
    inside sudo -u newcomer -H --preserve-env=http_proxy,https_proxy,no_proxy \
        bash -c "cd ~/hysteria 2>/dev/null || cd; $1" </dev/null
}

{
    printf '\n==== a bare %s with git, make, sudo, ca-certificates; %s packages\n' \
        "Debian $(cat "$root/etc/debian_version")" "$(inside dpkg-query -f '.\n' -W | wc -l)"
    status=0
    as_newcomer "git clone -q file:///repository.git hysteria" || status=$?
    for command in "${commands[@]}"; do
        [ $status -eq 0 ] || break
        as_newcomer "$command" || status=$?
        printf '(exit status %d after %d s)\n' $status $SECONDS
    done
    exit $status
} 2>&1 | tee -a "$log"
