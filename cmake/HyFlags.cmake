# hysteria_flags: warnings, hardening and sanitizers as one interface target. Everything that
# this project compiles links it PRIVATE; nothing of it reaches a user of the libraries.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

add_library(hysteria_flags INTERFACE)

# Flags the compiler does not know are left out (another architecture, an older compiler).
function(hy_add_compile_flags)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "HY_HAS_${flag}" known)
        check_c_compiler_flag(${flag} ${known})
        if(${known})
            target_compile_options(hysteria_flags INTERFACE ${flag})
        endif()
    endforeach()
endfunction()

function(hy_add_link_flags)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "HY_HAS_${flag}" known)
        check_linker_flag(C ${flag} ${known})
        if(${known})
            target_link_options(hysteria_flags INTERFACE ${flag})
        endif()
    endforeach()
endfunction()

# Nobody is meant to put functions in place of ours: inside a library they are called directly.
hy_add_compile_flags(-fno-semantic-interposition)
hy_add_link_flags(-Wl,-Bsymbolic-functions)

# CMAKE_C_EXTENSIONS is OFF: POSIX and GNU declarations are asked for by name.
target_compile_definitions(hysteria_flags INTERFACE _GNU_SOURCE)

target_compile_options(hysteria_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    -Wno-sign-conversion -Wvla -Wformat=2 -Werror=format-security -Wstrict-prototypes
    -Wmissing-prototypes $<$<BOOL:${HY_WERROR}>:-Werror>)

if(HY_SANITIZE STREQUAL "")
    # FORTIFY needs an optimiser; a Debug build says so with a warning per file.
    target_compile_options(hysteria_flags INTERFACE -U_FORTIFY_SOURCE
        $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
    hy_add_compile_flags(-fstack-protector-strong -fstack-clash-protection -fcf-protection
        -ftrivial-auto-var-init=zero)
    hy_add_link_flags(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
elseif(HY_SANITIZE STREQUAL "address,undefined" OR HY_SANITIZE STREQUAL "thread")
    # Hardening and sanitizers replace the same functions; a build has one of the two.
    target_compile_options(hysteria_flags INTERFACE -fsanitize=${HY_SANITIZE}
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(hysteria_flags INTERFACE -fsanitize=${HY_SANITIZE})
else()
    message(FATAL_ERROR "HY_SANITIZE is \"${HY_SANITIZE}\"; it may be empty, "
        "address,undefined or thread")
endif()

# Every line is counted, so that libFuzzer sees what an input reaches.
if(HY_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang" OR HY_SANITIZE STREQUAL "")
        message(FATAL_ERROR "HY_FUZZ needs clang and HY_SANITIZE=address,undefined")
    endif()
    target_compile_options(hysteria_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Executables are position-independent too.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
