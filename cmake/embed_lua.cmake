# Run by `cmake -P` while building: writes one C file that holds Lua sources as byte arrays,
# so that the library needs no file beside it.
#
#   OUTPUT   the C file
#   ENTRIES  module|file|path;...   file is what tracebacks show, path is where to read
cmake_policy(VERSION 3.25)

set(arrays "")
set(table "")
set(index 0)

foreach(entry IN LISTS ENTRIES)
    string(REPLACE "|" ";" fields "${entry}")
    list(GET fields 0 module)
    list(GET fields 1 file)
    list(GET fields 2 path)

    file(READ "${path}" bytes HEX)
    string(LENGTH "${bytes}" size)
    math(EXPR size "${size} / 2")
    if(size EQUAL 0)
        message(FATAL_ERROR "${path} is empty")
    endif()
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    # 96 bytes to a line keeps editors alive.
    string(REPEAT "....." 96 line)
    string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")

    string(APPEND arrays "static const unsigned char lua_${index}[] = {\n${bytes}};\n\n")
    string(APPEND table "    {\"${module}\", \"${file}\", lua_${index}, ${size}},\n")
    math(EXPR index "${index} + 1")
endforeach()

set(text "/* Made by cmake/embed_lua.cmake from the files named below. */\n")
string(APPEND text "#include \"embedded.h\"\n\n${arrays}")
string(APPEND text "const hyl_embedded hyl_embedded_modules[] = {\n${table}    {0},\n};\n")
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "@text@" @ONLY NEWLINE_STYLE UNIX)
