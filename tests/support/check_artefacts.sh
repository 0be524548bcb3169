#!/usr/bin/env bash
# check_artefacts.sh PREFIX - reads what was installed with readelf: hardening, exported names,
# which library needs what. One line per finding; exit 1 if there is any.
set -uo pipefail

prefix=$1
findings=0
complain()
{
    printf '%s: %s\n' "${file#"$prefix"/}" "$1"
    findings=$((findings + 1))
}

hardened()
{
    local dynamic headers
    dynamic=$(readelf -dW "$file")
    headers=$(readelf -lW "$file")
    grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || complain "not bound at start (no BIND_NOW)"
    grep -q GNU_RELRO <<<"$headers" || complain "no RELRO segment"
    grep -q 'GNU_STACK.*RWE' <<<"$headers" && complain "executable stack"
    grep -q TEXTREL <<<"$dynamic" && complain "text relocations"
    grep -qE 'RPATH|RUNPATH' <<<"$dynamic" && complain "carries an RPATH"
    readelf -hW "$file" | has 'Type:.*DYN' || complain "not position-independent"
    # A library that defines no large local array may have nothing to fortify or protect.
}

# Like grep -q, but reads to the end: a pipe that is cut short would be a failure (pipefail).
has() { grep -E "$1" >/dev/null; }

exported() { readelf --dyn-syms -W "$file" | awk '$7 != "UND" && $5 != "LOCAL" && NR > 3 && $8 != "" { sub(/@.*/, "", $8); print $8 }'; }
undefined() { readelf --dyn-syms -W "$file" | awk '$7 == "UND" && $8 != "" { sub(/@.*/, "", $8); print $8 }'; }

# exports only names that match the pattern
exports_only()
{
    local stray
    stray=$(exported | grep -vE "$1" | head -n 5 | tr '\n' ' ')
    [ -z "$stray" ] || complain "exports $stray"
    [ -n "$(exported)" ] || complain "exports nothing"
}

needs() { readelf -dW "$file" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'; }

shopt -s nullglob
core='' lua=''
for file in "$prefix"/lib*/libhysteria.so "$prefix"/lib*/*/libhysteria.so; do
    core=$(readlink -f "$file")
    hardened
    exports_only '^hy_'
    undefined | has '^luaL?_' && complain "refers to Lua symbols"
    readelf -dW "$file" | has 'SONAME.*libhysteria\.so\.[0-9]' || complain "no versioned SONAME"
    undefined | has '^__(memcpy|memset|snprintf|vsnprintf|memmove|strcpy)_chk$|^__stack_chk_fail$' ||
        complain "neither FORTIFY nor stack protector left a trace"
done
for file in "$prefix"/lib*/libhysteria-lua.so "$prefix"/lib*/*/libhysteria-lua.so; do
    lua=$(readlink -f "$file")
    hardened
    exports_only '^(hyl?_|luaopen_hysteria)'
    needs | has '^liblua' && complain "links liblua; its symbols come from the host"
    readelf -dW "$file" | has 'SONAME.*libhysteria-lua\.so\.[0-9]' || complain "no versioned SONAME"
    # Resolved when the library is loaded, so the linker does not say it.
    missing=$(comm -23 <(undefined | grep -E '^hyl?_' | sort -u) <(file=$core exported | sort -u) | tr '\n' ' ')
    [ -z "$missing" ] || complain "nobody defines $missing"
done
for file in "$prefix"/lib/lua/5.4/hysteria/core.so; do
    hardened
    exports_only '^luaopen_hysteria_core$'
done
for file in "$prefix"/bin/hysteria-lua; do
    hardened
    needs | has '^liblua5\.4\.so' || complain "does not bring Lua 5.4"
done

[ -n "$core" ] || { file=$prefix/libhysteria.so; complain "not found"; }
[ -n "$lua" ] || { file=$prefix/libhysteria-lua.so; complain "not found"; }
[ $findings -eq 0 ]
