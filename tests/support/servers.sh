#!/usr/bin/env bash
# servers.sh start|stop|kill|status|env [postgres] [mariadb] [mysql] [pgbouncer] - throw-away
# database servers for the tests; without names all of them. Loopback only, free ports, a private directory
# ($HY_SERVERS_DIR or build/servers), an unprivileged account. Nothing waits for a disk: what is
# committed survives the server, not the machine. A server of the system is neither used nor
# touched: only processes started here are ever stopped.
#
#   start   makes what is missing and waits until it answers; starting twice is fine. A server
#           that cannot be had is a skip that is said; one that fails to start is an error. One
#           that was killed gets its data and its port again
#   stop    ends them and deletes their data (not the unpacked MySQL, which took a download)
#   kill    SIGKILL for them and the processes they made: a crash
#   status  one line a server; exit status 1 if one of them is down
#   env     HY_TEST_<NAME>_URL of those that run, to be evaluated by a shell, the authority
#           HY_TEST_TLS_CA that signed their certificate, and where the unpacked MySQL is
#
# PostgreSQL, MariaDB and PgBouncer, a pooler in front of this PostgreSQL that lends its sessions
# by the transaction, are Debian's (tests/support/packages.sh servers). Debian 12 has no
# MySQL: sid's package is unpacked below the private directory, or $HY_SERVERS_CACHE, and run
# there by its own dynamic loader; nothing of it is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

services=(postgres mariadb mysql pgbouncer)
host=127.0.0.1
account=hysteria

say() { printf 'servers: %s\n' "$*" >&2; }
die()
{
    say "$*"
    exit 1
}

# ---- where, and as whom ---------------------------------------------------------------------

# The account a server runs as when this script is root's.
user_of()
{
    local name
    for name in "${1/mariadb/mysql}" nobody; do
        if id "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

# as SERVICE COMMAND...: run it as that service's account
as()
{
    local service=$1 user
    shift
    if [ "$(id -u)" -ne 0 ]; then
        env LC_ALL=C.UTF-8 "$@"
        return
    fi
    user=$(user_of "$service")
    setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME=/nonexistent LC_ALL=C.UTF-8 "$@"
}

# Root's folders may be closed to the accounts of the servers.
reachable()
{
    local folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    (cd / && as mysql test -x "$folder") && (cd / && as postgres test -x "$folder")
}

dir=$(realpath -m "${HY_SERVERS_DIR:-build/servers}")
reachable "$dir" || dir=/tmp/hysteria-servers-$(cksum <<<"$dir" | cut -d' ' -f1)
cache=$(realpath -m "${HY_SERVERS_CACHE:-$dir/cache}")

prepare()
{
    mkdir -p "$dir"
    [ -O "$dir" ] || die "$dir belongs to somebody else"
    chmod 755 "$dir"
    exec 9>"$dir/lock"
    flock -w 300 9 || die "another servers.sh is at work in $dir"
    if [ ! -s "$dir/password" ]; then
        (umask 077 && od -An -N12 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password")
    fi
    password=$(cat "$dir/password")
    make_certificate
}

# Every server offers TLS, with one certificate that an authority made for the purpose has signed.
make_certificate()
{
    local tls=$dir/tls key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    [ ! -s "$tls/server.pem" ] || return 0
    command -v openssl >/dev/null || die "openssl is not installed (tests/support/packages.sh servers)"
    rm -rf "$tls"
    mkdir -p "$tls"
    (
        umask 077
        openssl req -x509 "${key[@]}" -days 3650 -subj "/CN=Hysteria test authority" \
            -keyout "$tls/ca.key" -out "$tls/ca.pem"
        openssl req "${key[@]}" -subj "/CN=localhost" -keyout "$tls/server.key" -out "$tls/server.csr"
        openssl x509 -req -days 3650 -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" \
            -extfile <(echo "subjectAltName=DNS:localhost,IP:$host,IP:::1") -out "$tls/server.new"
    ) >"$tls/log" 2>&1 || die "openssl makes no certificate, see $tls/log"
    rm -f "$tls/ca.key" "$tls/server.csr"
    chmod 644 "$tls/ca.pem" "$tls/server.new"
    mv "$tls/server.new" "$tls/server.pem"
}

# The key must be the account's own.
give_key()
{
    install -m 600 "$dir/tls/server.key" "$dir/$1/server.key"
    [ "$(id -u)" -ne 0 ] || chown "$(user_of "$1"):" "$dir/$1/server.key"
}

# ---- processes and ports --------------------------------------------------------------------

# A killed process may stay a zombie for a while, which kill -0 calls alive. While one of its
# threads still ends, its sockets are open.
alive() { grep -sqE '^State:[[:space:]]+[^ZX]' "/proc/$1/task/"*/status; }

# The process id of a service if it lives and is ours: its command line names our folder.
pid_of()
{
    local pid
    read -r pid <"$dir/$1/pid" || return 1
    alive "$pid" && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$dir/$1/" && echo "$pid"
} 2>/dev/null

# Below the range from which outgoing connections take theirs.
free_port()
{
    local port
    while port=$((RANDOM % 12000 + 20000)); do
        (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null || break
    done
    echo "$port"
}

# spawn SERVICE COMMAND...: in the background, with none of our descriptors
spawn()
{
    local service=$1
    shift
    (
        cd "$dir/$service"
        exec 9>&- >>log 2>&1 </dev/null
        # setsid and the rest replace this process, so its number is the server's.
        if [ "$(id -u)" -eq 0 ]; then
            user=$(user_of "$service")
            exec setsid setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups \
                env HOME=/nonexistent LC_ALL=C.UTF-8 "$@"
        fi
        exec setsid env LC_ALL=C.UTF-8 "$@"
    ) &
    echo $! >"$dir/$service/pid"
}

# await SERVICE COMMAND...: until it succeeds; fails when the server ends or 60 s are over
await()
{
    local service=$1 pid end=$((SECONDS + 60))
    shift
    pid=$(cat "$dir/$service/pid")
    until "$@" >/dev/null 2>&1; do
        alive "$pid" && [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

end_process()
{
    local pid=$1 signal=$2 waited=0
    kill -s "$signal" "$pid" 2>/dev/null || return 0
    while alive "$pid"; do
        waited=$((waited + 1))
        if [ $waited -gt 400 ]; then
            say "process $pid ignored SIG$signal: SIGKILL"
            kill -s KILL "$pid"
        fi
        sleep 0.05
    done
}

new_folder()
{
    rm -rf "${dir:?}/$1"
    mkdir -p "$dir/$1"
    [ "$(id -u)" -ne 0 ] || chown "$(user_of "$1"):" "$dir/$1"
}

# missing SERVICE REASON: no such server here. PostgreSQL and MariaDB are Debian's: an error.
skip()
{
    mkdir -p "$dir/$1"
    printf '%s\n' "$2" >"$dir/$1/skipped"
    say "SKIP $1: $2"
}
skipped() { cat "$dir/$1/skipped" 2>/dev/null; }

# ---- PostgreSQL -----------------------------------------------------------------------------

postgres_bin()
{
    local bin
    for bin in /usr/lib/postgresql/15/bin $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [ -x "$bin/initdb" ]; then
            echo "$bin"
            return
        fi
    done
    return 1
}

postgres_there() { postgres_bin >/dev/null; }

postgres_init()
{
    local bin data=$dir/postgres/data
    bin=$(postgres_bin)
    as postgres sh -c 'umask 077; printf "%s\n" "$1" >"$2"' _ "$password" "$dir/postgres/secret"
    as postgres "$bin/initdb" -D "$data" -U "$account" -E UTF8 --locale=C.UTF-8 --auth=scram-sha-256 \
        --pwfile="$dir/postgres/secret" --no-sync >>"$dir/postgres/log" 2>&1 || return 1
    rm -f "$dir/postgres/secret"
    cat >>"$data/postgresql.conf" <<END
listen_addresses = '$host'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
ssl = on
ssl_ca_file = '$dir/tls/ca.pem'
ssl_cert_file = '$dir/tls/server.pem'
ssl_key_file = '$dir/postgres/server.key'
fsync = off
wal_level = minimal
max_wal_senders = 0
max_prepared_transactions = 20
deadlock_timeout = 200ms
END
}

postgres_answers()
{
    PGPASSWORD=$password PGCONNECT_TIMEOUT=3 PGSSLMODE=disable "$(postgres_bin)/psql" -qXAt -h $host \
        -p "$(cat "$dir/postgres/port")" -U "$account" -d "${1:-postgres}" -c "${2:-SELECT 1}"
}

postgres_run()
{
    local bin
    bin=$(postgres_bin)
    spawn postgres "$bin/postgres" -D "$dir/postgres/data" -p "$(cat "$dir/postgres/port")"
    await postgres postgres_answers || return 1
    [ -e "$dir/postgres/ready" ] || postgres_answers postgres "CREATE DATABASE $account"
}

# ---- PgBouncer ------------------------------------------------------------------------------

pgbouncer_bin() { PATH=$PATH:/usr/sbin command -v pgbouncer; }
pgbouncer_there() { pgbouncer_bin >/dev/null && postgres_there; }
pgbouncer_init() { :; }

pgbouncer_config()
{
    cat <<END
[databases]
* = host=$host port=$(cat "$dir/postgres/port")
[pgbouncer]
listen_addr = $host
listen_port = $(cat "$dir/pgbouncer/port")
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $dir/pgbouncer/users
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
END
}

pgbouncer_answers() { PGPASSWORD=$password "$(postgres_bin)/psql" -qXAt -h $host -p "$1" -U "$account" -d "$account" -c 'SELECT 1'; }

# What it writes is read by its account alone.
pgbouncer_write() { as pgbouncer sh -c 'umask 077; cat >"$1"' _ "$dir/pgbouncer/$1"; }

pgbouncer_run()
{
    local end=$((SECONDS + 60))
    until [ -e "$dir/postgres/ready" ]; do
        [ $SECONDS -lt $end ] || { say "pgbouncer: start postgres too"; return 1; }
        sleep 0.1
    done
    pgbouncer_config | pgbouncer_write pgbouncer.ini
    printf '"%s" "%s"\n' "$account" "$password" | pgbouncer_write users
    spawn pgbouncer "$(pgbouncer_bin)" "$dir/pgbouncer/pgbouncer.ini"
    await pgbouncer pgbouncer_answers "$(cat "$dir/pgbouncer/port")"
}

# ---- MariaDB and MySQL ----------------------------------------------------------------------

# What a new server is told; read by its account, so it holds no more than that account knows.
sql_first()
{
    cat <<END
ALTER USER root@localhost IDENTIFIED BY '$password';
CREATE DATABASE $account CHARACTER SET utf8mb4;
CREATE USER $account@'%' IDENTIFIED BY '$password';
GRANT ALL ON *.* TO $account@'%' WITH GRANT OPTION;
END
}

# The server greets whoever connects, once it is done with starting.
greets()
{
    local greeting=''
    { timeout 3 head -c 5 <"/dev/tcp/$host/$1" | tail -c 1 | od -An -tu1; } 2>/dev/null |
        { read -r greeting && [ "$greeting" -eq 10 ]; }
}

# mysqld_run SERVICE COMMAND...: paths are relative to the data, where sockets have short names
mysqld_run()
{
    local service=$1 port first=()
    shift
    port=$(cat "$dir/$service/port")
    as "$service" mkdir -p "$dir/$service/tmp" # a server that starts empties its own, and everybody's
    if [ ! -e "$dir/$service/ready" ]; then
        sql_first | as "$service" sh -c 'umask 077; cat >"$1"' _ "$dir/$service/first.sql"
        first=(--init-file="$dir/$service/first.sql")
    fi
    spawn "$service" "$@" --datadir="$dir/$service/data" --socket=socket --pid-file=pid --port="$port" \
        --tmpdir="$dir/$service/tmp" \
        --bind-address=$host --skip-name-resolve --skip-log-bin --innodb-flush-log-at-trx-commit=2 \
        --innodb-buffer-pool-size=64M --max-connections=200 --ssl-ca="$dir/tls/ca.pem" \
        --ssl-cert="$dir/tls/server.pem" --ssl-key="$dir/$service/server.key" "${first[@]}"
    await "$service" greets "$port" || return 1
    rm -f "$dir/$service/first.sql"
}

mariadb_there() { command -v mariadbd mariadb-install-db >/dev/null; }

mariadb_init()
{
    as mariadb mariadb-install-db --no-defaults --datadir="$dir/mariadb/data" --skip-test-db \
        --auth-root-authentication-method=normal --innodb-log-file-size=8M --innodb-flush-method=nosync \
        >>"$dir/mariadb/log" 2>&1
}

mariadb_run()
{
    mysqld_run mariadb "$(command -v mariadbd)" --no-defaults --innodb-flush-method=nosync \
        --innodb-log-file-size=8M --character-set-server=utf8mb4
}

mysql_loader() { compgen -G "$cache/mysql/usr/lib/*-linux-gnu/ld-linux-*.so.*" | head -n 1; }

# Download and unpack sid's server and the libraries it wants. One line on stdout: why not.
mysql_fetch()
{
    local apt work=$cache/mysql.apt root=$cache/mysql.new uri deb
    command -v apt-get >/dev/null || { echo "no apt-get here"; return 1; }
    # The mirror this machine's own apt uses, whatever it is.
    # shellcheck disable=SC2016
    uri=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "bookworm" { print $2; exit }')
    [ -n "$uri" ] || { echo "apt knows no mirror of Debian: run apt-get update"; return 1; }
    rm -rf "$work" "$root"
    mkdir -p "$work"/{lists/partial,archives/partial,state} "$root"
    : >"$work/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri sid main" >"$work/sources.list"
    apt=(apt-get -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferences=/dev/null
        -o Dir::Etc::preferencesparts=- -o Dir::State="$work/state" -o Dir::State::lists="$work/lists"
        -o Dir::State::status="$work/status" -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives"
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none)
    "${apt[@]}" update >"$cache/mysql.log" 2>&1 || { echo "the package lists of Debian sid cannot be had"; return 1; }
    "${apt[@]}" -y --no-install-recommends --download-only install mysql-server-core >>"$cache/mysql.log" 2>&1 ||
        { echo "Debian sid's mysql-server-core cannot be had today (sid moves)"; return 1; }
    for deb in "$work"/archives/*.deb; do
        case ${deb##*/} in perl* | libperl* | libgdbm* | libdb5* | gcc-*-base*) continue ;; esac
        dpkg-deb -x "$deb" "$root" || { echo "cannot unpack ${deb##*/}"; return 1; }
    done
    rm -rf "$work" "$root/usr/share/doc" "$root/usr/share/man" "$cache/mysql"
    mv "$root" "$cache/mysql"
}

mysql_there()
{
    local why
    [ -z "$(mysql_loader)" ] || return 0
    mkdir -p "$cache"
    say "mysql: fetching Debian sid's server (about 60 MB)"
    why=$(mysql_fetch) && [ -n "$(mysql_loader)" ] && return 0
    skip mysql "${why:-it was unpacked and has no dynamic loader}"
    return 1
}

mysqld_command()
{
    local loader
    loader=$(mysql_loader)
    mysqld=("$loader" --library-path "$(dirname "$loader")" "$cache/mysql/usr/sbin/mysqld" --no-defaults
        --basedir="$cache/mysql/usr" --lc-messages-dir="$cache/mysql/usr/share/mysql" --secure-file-priv=
        --plugin-dir="$cache/mysql/usr/lib/mysql/plugin" --character-sets-dir="$cache/mysql/usr/share/mysql/charsets"
        --innodb-flush-method=nosync --innodb-redo-log-capacity=8M --performance-schema=OFF)
}

mysql_init()
{
    mysqld_command
    as mysql "${mysqld[@]}" --datadir="$dir/mysql/data" --initialize-insecure >>"$dir/mysql/log" 2>&1
}

mysql_run()
{
    mysqld_command
    mysqld_run mysql "${mysqld[@]}" --mysqlx=OFF
}

# ---- commands -------------------------------------------------------------------------------

# A port may be taken between being found and being used: another one then.
run_with_port()
{
    local try
    give_key "$1"
    for try in 1 2 3; do
        [ -e "$dir/$1/ready" ] && [ "$try" -eq 1 ] || free_port >"$dir/$1/port"
        if "$1_run"; then
            : >"$dir/$1/ready"
            return 0
        fi
        end_process "$(cat "$dir/$1/pid")" KILL
        [ "$try" -lt 3 ] && grep -qiE 'address already in use|could not create any TCP' "$dir/$1/log" || return 1
    done
}

start_one()
{
    local began
    began=$(date +%s%N)
    if pid_of "$1" >/dev/null; then
        say "$1 runs already on port $(cat "$dir/$1/port")"
        return 0
    fi
    if [ ! -e "$dir/$1/ready" ]; then
        new_folder "$1"
        if ! "$1_there"; then
            [ "$1" = mysql ] && return 0
            skip "$1" "not installed (tests/support/packages.sh servers)"
            [ "$1" = pgbouncer ]
            return
        fi
    fi
    if { [ -e "$dir/$1/ready" ] || "$1_init"; } && run_with_port "$1"; then
        say "$1 is up on port $(cat "$dir/$1/port") after $((($(date +%s%N) - began) / 1000000)) ms"
        return 0
    fi
    say "$1 does not start; the end of $dir/$1/log:"
    tail -n 15 "$dir/$1/log" >&2
    return 1
}

# All at once: starting is mostly waiting.
start()
{
    local service jobs=() status=0 job
    prepare
    for service; do
        start_one "$service" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || status=1; done
    return $status
}

stop_one()
{
    local pid signal=TERM
    [ "$1" != postgres ] || signal=INT # "fast": it ends sessions by itself
    if pid=$(pid_of "$1"); then
        end_process "$pid" $signal
    fi
    rm -rf "${dir:?}/$1"
}

# Those of PostgreSQL's processes that outlive their parent would keep its memory. A zombie counts
# as alive to whoever looks at a lock file, so these go with the process.
kill_one()
{
    local pid child children
    pid=$(pid_of "$1") || return 0
    read -r -a children <"/proc/$pid/task/$pid/children" || true
    for child in "$pid" "${children[@]}"; do end_process "$child" KILL; done
    rm -f "$dir/$1/data/"{postmaster.pid,pid,socket.lock}
    say "$1 was killed"
}

kill_all()
{
    local service
    [ -d "$dir" ] || return 0
    prepare
    for service; do kill_one "$service"; done
}

stop()
{
    local service
    [ -d "$dir" ] || return 0
    prepare
    for service; do stop_one "$service" & done
    wait
}

status()
{
    local service down=0 why
    for service; do
        if pid_of "$service" >/dev/null; then
            echo "$service is up on $host:$(cat "$dir/$service/port")"
        elif why=$(skipped "$service"); then
            echo "$service is skipped: $why"
        else
            echo "$service is down"
            down=1
        fi
    done
    return $down
}

environment()
{
    local service why ca=''
    for service; do
        if pid_of "$service" >/dev/null; then
            ca=$dir/tls/ca.pem
            echo "export HY_TEST_${service^^}_URL='${service/pgbouncer/postgres}://$account:$(cat "$dir/password")@$host:$(cat "$dir/$service/port")/$account'"
        elif why=$(skipped "$service"); then
            echo "# $service is skipped: $why"
        fi
    done
    [ -z "$ca" ] || printf "export HY_TEST_TLS_CA='%s'\nexport HY_SERVERS_CACHE='%s'\n" "$ca" "$cache"
}

command=${1:-help}
[ $# -eq 0 ] || shift
for service; do
    case " ${services[*]} " in
    *" $service "*) ;;
    *) die "no server \"$service\"; there are ${services[*]}" ;;
    esac
done
[ $# -gt 0 ] || set -- "${services[@]}"
case $command in
start | stop | status) "$command" "$@" ;;
kill) kill_all "$@" ;;
env) environment "$@" ;;
*) die "usage: servers.sh start|stop|kill|status|env [${services[*]}]" ;;
esac
