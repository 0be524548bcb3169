# make install: libraries, headers, the module, Lua files, and what lets others find them
# (find_package(Hysteria), hysteria.pc, hysteria-lua.pc). Installed files carry no RPATH and
# no absolute path, so that a prefix can be moved or staged.
include(CMakePackageConfigHelpers)

set(HY_LUADIR "${CMAKE_INSTALL_DATAROOTDIR}/lua/5.4" CACHE STRING "Where Lua looks for Lua modules")
set(HY_LUACDIR lib/lua/5.4 CACHE STRING "Where Lua looks for C modules")
set(hy_configdir "${CMAKE_INSTALL_LIBDIR}/cmake/Hysteria")
set(hy_pcdir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(TARGETS hysteria EXPORT HysteriaTargets)
install(DIRECTORY core/include/hysteria DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

if(HY_WITH_LUA)
    install(FILES bindings/lua/include/hysteria/lua.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/hysteria")
    install(TARGETS hysteria-lua hysteria-runner EXPORT HysteriaTargets)
    install(TARGETS hysteria_core LIBRARY DESTINATION "${HY_LUACDIR}/hysteria")
    foreach(file IN LISTS HY_LUA_FILES)
        get_filename_component(folder "${file}" DIRECTORY)
        install(FILES "lua/${file}" DESTINATION "${HY_LUADIR}/${folder}")
    endforeach()
    foreach(file IN LISTS HY_MODEL_FILES)
        install(FILES "models/${file}" DESTINATION "${HY_LUADIR}/hysteria/models")
    endforeach()
    # Types for the Lua language server.
    install(DIRECTORY lua/library/ DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/hysteria/library"
        OPTIONAL)
endif()

install(EXPORT HysteriaTargets NAMESPACE Hysteria:: DESTINATION "${hy_configdir}")
configure_package_config_file(cmake/HysteriaConfig.cmake.in
    "${PROJECT_BINARY_DIR}/HysteriaConfig.cmake"
    INSTALL_DESTINATION "${hy_configdir}")
# Below 1.0 a minor release may break.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/HysteriaConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/HysteriaConfig.cmake"
    "${PROJECT_BINARY_DIR}/HysteriaConfigVersion.cmake" DESTINATION "${hy_configdir}")

# From the folder of the .pc file up to the prefix.
file(RELATIVE_PATH HY_PC_TO_PREFIX "/${hy_pcdir}" "/")
string(REGEX REPLACE "/$" "" HY_PC_TO_PREFIX "${HY_PC_TO_PREFIX}")
foreach(name hysteria hysteria-lua)
    configure_file(cmake/${name}.pc.in "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
endforeach()
install(FILES "${PROJECT_BINARY_DIR}/hysteria.pc" DESTINATION "${hy_pcdir}")
if(HY_WITH_LUA)
    install(FILES "${PROJECT_BINARY_DIR}/hysteria-lua.pc" DESTINATION "${hy_pcdir}")
endif()
