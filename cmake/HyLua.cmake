# Lua sources as part of the build: hy_embed_lua() makes the C file of embedded modules.
#
# A file list holds paths relative to its folder. Under lua/ the path is the module
# (hysteria/sql.lua is hysteria.sql, hysteria/init.lua is hysteria); models/user.lua is
# hysteria.models.user.
include("${PROJECT_SOURCE_DIR}/lua/files.cmake")
include("${PROJECT_SOURCE_DIR}/models/files.cmake")

function(hy_lua_module_name out path)
    string(REGEX REPLACE "\\.lua$" "" name "${path}")
    string(REGEX REPLACE "/init$" "" name "${name}")
    string(REPLACE "/" "." name "${name}")
    set(${out} "${name}" PARENT_SCOPE)
endfunction()

# Entries "module|file|path" for embed_lua.cmake, and the paths to depend on.
function(hy_lua_entries entries_out paths_out folder prefix)
    set(entries "")
    set(paths "")
    foreach(file IN LISTS ARGN)
        hy_lua_module_name(module "${prefix}${file}")
        list(APPEND entries "${module}|${prefix}${file}|${PROJECT_SOURCE_DIR}/${folder}/${file}")
        list(APPEND paths "${PROJECT_SOURCE_DIR}/${folder}/${file}")
    endforeach()
    set(${entries_out} "${entries}" PARENT_SCOPE)
    set(${paths_out} "${paths}" PARENT_SCOPE)
endfunction()

function(hy_embed_lua output)
    hy_lua_entries(lua_entries lua_paths lua "" ${HY_LUA_FILES})
    hy_lua_entries(model_entries model_paths models hysteria/models/ ${HY_MODEL_FILES})
    set(entries ${lua_entries} ${model_entries})
    set(script "${PROJECT_SOURCE_DIR}/cmake/embed_lua.cmake")
    add_custom_command(OUTPUT "${output}"
        COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${output}" "-DENTRIES=${entries}" -P "${script}"
        DEPENDS "${script}" ${lua_paths} ${model_paths}
        COMMENT "Embedding the Lua sources"
        VERBATIM)
endfunction()

# In the tree models/ is not below lua/hysteria/, so copies stand in BUILD/lua under their
# module names; tests/support/env.sh puts that folder on LUA_PATH.
function(hy_copy_models)
    set(copies "")
    foreach(file IN LISTS HY_MODEL_FILES)
        set(copy "${PROJECT_BINARY_DIR}/lua/hysteria/models/${file}")
        add_custom_command(OUTPUT "${copy}"
            COMMAND ${CMAKE_COMMAND} -E copy "${PROJECT_SOURCE_DIR}/models/${file}" "${copy}"
            DEPENDS "${PROJECT_SOURCE_DIR}/models/${file}"
            VERBATIM)
        list(APPEND copies "${copy}")
    endforeach()
    add_custom_target(hysteria_models ALL DEPENDS ${copies})
endfunction()
