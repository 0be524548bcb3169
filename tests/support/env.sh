# env.sh - the environment in which this tree is used without being installed. Source it:
#
#   . tests/support/env.sh [BUILD]      BUILD is a build folder, "build" if not said
#
# Then `lua5.4`, `busted` and `hysteria-lua` see the Lua sources of this tree and the C parts
# of BUILD, from whatever folder they are started in. HY_ROOT and HY_BUILD say which.
HY_ROOT=$(CDPATH= cd -- "$(dirname -- "${BASH_SOURCE:-$0}")/../.." && pwd)
HY_BUILD=${1:-build}
case $HY_BUILD in
/*) ;;
*) HY_BUILD=$HY_ROOT/$HY_BUILD ;;
esac

# BUILD/lua holds copies of the stock models under their module names.
LUA_PATH="$HY_ROOT/lua/?.lua;$HY_ROOT/lua/?/init.lua;$HY_BUILD/lua/?.lua;$HY_ROOT/?.lua;;"
LUA_CPATH="$HY_BUILD/lib/?.so;;"
PATH="$HY_BUILD/bin:$PATH"

# Tests read it: "ci" is a tenth of "full".
HY_SCALE=${HY_SCALE:-ci}

# These win over LUA_PATH and LUA_CPATH.
unset LUA_PATH_5_4 LUA_CPATH_5_4
export HY_ROOT HY_BUILD HY_SCALE LUA_PATH LUA_CPATH PATH
