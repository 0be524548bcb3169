# What every target starts from, and where the build tree puts things: the same lib/ and bin/
# as an installation, so that build/lib/hysteria/core.so is found as "hysteria.core".
include(GNUInstallDirs)

set(CMAKE_SKIP_INSTALL_RPATH ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(PROJECT_IS_TOP_LEVEL)
    set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
    if(NOT CMAKE_BUILD_TYPE)
        set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
    endif()
endif()

set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")

if(HY_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    find_program(HY_CCACHE_PROGRAM ccache)
    mark_as_advanced(HY_CCACHE_PROGRAM)
    if(HY_CCACHE_PROGRAM)
        set(CMAKE_C_COMPILER_LAUNCHER "${HY_CCACHE_PROGRAM}")
    endif()
endif()
