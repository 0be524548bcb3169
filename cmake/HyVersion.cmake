# The version stands once, in core/include/hysteria/export.h; everybody else reads it there.
set(HY_EXPORT_H "${CMAKE_CURRENT_LIST_DIR}/../core/include/hysteria/export.h")
file(STRINGS "${HY_EXPORT_H}" hy_version_line REGEX "^#define HY_VERSION \"[0-9.]+\"$")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" HY_VERSION "${hy_version_line}")
if(NOT HY_VERSION)
    message(FATAL_ERROR "no HY_VERSION \"x.y.z\" in ${HY_EXPORT_H}")
endif()

# The header says it as text and as three numbers, for #if; they must agree.
set(hy_parts MAJOR MINOR PATCH)
string(REPLACE "." ";" hy_numbers "${HY_VERSION}")
foreach(part number IN ZIP_LISTS hy_parts hy_numbers)
    file(STRINGS "${HY_EXPORT_H}" hy_line REGEX "^#define HY_VERSION_${part} ${number}$")
    if(NOT hy_line)
        message(FATAL_ERROR "HY_VERSION_${part} is not ${number} in ${HY_EXPORT_H}")
    endif()
endforeach()

# Until 1.0 a minor release may change the ABI, so the minor number belongs to the SONAME.
string(REGEX MATCH "^0\\.[0-9]+|^[0-9]+" HY_SOVERSION "${HY_VERSION}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${HY_EXPORT_H}")
