-- The standard library of Lua 5.4 and nothing else; few exceptions, each with its reason.
std = "lua54"
max_line_length = 120
exclude_files = { "build*/**" }

-- Specs use what busted gives them.
files["tests/lua"] = { std = "+busted" }
files["tests/**/*_spec.lua"] = { std = "+busted" }
-- A configuration that is only assigned to.
files[".luacheckrc"] = { std = "min" , globals = { "std", "max_line_length", "exclude_files", "files" } }
-- tests/oom/test_oom.c gives its scripts these.
files["tests/oom"] = { read_globals = { "database", "model_of", "step" } }
-- The runner sets these two, and only scripts that it runs see them.
files["examples"] = { read_globals = { "hysteria", "sql" } }
