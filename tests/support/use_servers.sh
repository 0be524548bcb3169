# use_servers.sh - source it: starts the database servers (servers.sh) that do not run yet, stops
# these again at exit, and exports HY_TEST_<NAME>_URL of all. A server that such a variable names
# already is used as it is; HY_TEST_SERVERS=none starts nothing.
servers_of_mine=()
stop_servers()
{
    [ ${#servers_of_mine[@]} -eq 0 ] || "$HY_ROOT/tests/support/servers.sh" stop "${servers_of_mine[@]}"
}
trap stop_servers EXIT
use_servers()
{
    local service url given services=(postgres mariadb mysql)
    [ -n "${HY_TEST_POSTGRES_URL:-}" ] || services+=(pgbouncer) # it stands before a server of ours
    for service in "${services[@]}"; do
        url=HY_TEST_${service^^}_URL
        [ -n "${!url:-}" ] || "$HY_ROOT/tests/support/servers.sh" status "$service" >/dev/null ||
            servers_of_mine+=("$service")
    done
    [ ${#servers_of_mine[@]} -eq 0 ] || "$HY_ROOT/tests/support/servers.sh" start "${servers_of_mine[@]}" || true
    given=$(env | sed -n "s/^\(HY_TEST_[A-Z]*_URL\)=\(.*\)/export \1='\2'/p")
    eval "$("$HY_ROOT/tests/support/servers.sh" env)"
    eval "$given"
}
[ "${HY_TEST_SERVERS:-all}" = none ] || use_servers
