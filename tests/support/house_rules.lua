-- Rules of CONTRIBUTING.md that no compiler checks. Prints FILE:LINE: finding; exit 1 if any.
-- Reads file names from standard input, one a line, relative to the top of the tree.

local findings = 0
local function complain(path, line, text)
  findings = findings + 1
  print(string.format("%s:%d: %s", path, line, text))
end

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function lines_of(text)
  return (text .. "\n"):gmatch("(.-)\n")
end

-- C without comments, strings and character constants; lines stay where they are.
local function bare_c(text)
  local out, i = {}, 1
  local function blank(from, to)
    out[#out + 1] = text:sub(from, to):gsub("[^\n]", " ")
    i = to + 1
  end
  while i <= #text do
    local two = text:sub(i, i + 1)
    local c = two:sub(1, 1)
    if two == "/*" then
      local _, stop = text:find("*/", i + 2, true)
      blank(i, stop or #text)
    elseif two == "//" then
      blank(i, (text:find("\n", i, true) or #text + 1) - 1)
    elseif c == "\"" or c == "'" then
      local stop = i + 1
      while stop <= #text and text:sub(stop, stop) ~= c do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
      blank(i, math.min(stop, #text))
    else
      out[#out + 1] = c
      i = i + 1
    end
  end
  return table.concat(out)
end

-- What core must not call, and what to call instead.
local banned = {
  malloc = "hy_alloc", calloc = "hy_alloc_zero", realloc = "hy_realloc", free = "hy_free", strdup = "hy_strdup",
  strndup = "hy_arena_strndup", strcpy = "hy_buf", strcat = "hy_buf", strncpy = "hy_buf", strncat = "hy_buf",
  sprintf = "hy_buf_printf or snprintf", vsprintf = "vsnprintf", atoi = "hy_parse_int", atol = "hy_parse_int",
  atoll = "hy_parse_int", atof = "hy_parse_double", strtol = "hy_parse_int", strtoll = "hy_parse_int",
  strtod = "hy_parse_double", strtok = "a scanner", gets = "nothing", localtime = "hy_datetime", gmtime = "hy_datetime",
  mktime = "hy_datetime", setlocale = "nothing", rand = "getrandom", srand = "getrandom", system = "nothing",
  abort = "an error", exit = "an error",
}
-- The files that the replacements are made in.
local exempt = {
  ["core/base/memory.c"] = { realloc = true, free = true },
  ["core/base/number.c"] = { strtod = true, strtol = true },
}

local function check_banned(path, bare)
  local number = 0
  for line in lines_of(bare) do
    number = number + 1
    for before, name in line:gmatch("(.?)%f[%w_]([%a_][%w_]*)%s*%(") do
      if banned[name] and before ~= "." and before ~= ">" and not (exempt[path] or {})[name] then
        complain(path, number, name .. "() is not used in core: " .. banned[name])
      end
    end
  end
end

-- Arrows point down: folder prefix, then Lua patterns of includes that it must not have.
local floors = {
  { "core/", "lua%.h", "lauxlib%.h", "lualib%.h", "binding%.h" },
  { "core/base/", "[\"/]sql/", "[\"/]driver/", "[\"/]source/", "[\"/]model/", "hysteria/driver", "hysteria/source",
    "hysteria/query", "sqlite3%.h" },
  { "core/sql/", "[\"/]driver/", "[\"/]source/", "hysteria/driver", "hysteria/source", "sqlite3%.h", "libpq",
    "mysql" },
  { "core/driver/", "[\"/]source/", "hysteria/source", "[\"/]model/" },
  { "core/source/", "sqlite3%.h", "libpq", "mysql" },
  { "core/model/", "[\"/]driver/", "[\"/]source/", "hysteria/driver", "hysteria/source", "sqlite3%.h" },
}

local function check_floors(path, text)
  local number = 0
  for line in lines_of(text) do
    number = number + 1
    local include = line:match("^%s*#%s*include%s*(.+)$")
    for _, floor in ipairs(include and floors or {}) do
      for i = 2, path:sub(1, #floor[1]) == floor[1] and #floor or 0 do
        if include:find(floor[i]) then
          complain(path, number, floor[1] .. " must not include " .. include)
        end
      end
    end
  end
end

-- A function opens with a brace in column 1 and ends with one.
local function check_lengths(path, bare)
  local number, open = 0, nil
  for line in lines_of(bare) do
    number = number + 1
    if line:find("^{") then
      open = number
    elseif open and line:find("^}") then
      if number - open > 70 then
        complain(path, open, "a function of " .. number - open .. " lines; 70 is the end")
      end
      open = nil
    end
  end
end

local function check_text(path, text)
  local number = 0
  for line in lines_of(text) do
    number = number + 1
    if line:find("%f[%w]TODO%f[%W]") or line:find("%f[%w]FIXME%f[%W]") or line:find("%f[%w]XXX%f[%W]") then
      complain(path, number, "an unfinished thing belongs into an issue")
    end
    if line:find("[ \t]$") then
      complain(path, number, "white space at the end of the line")
    end
    if line:find("\t") and not path:find("Makefile$") then
      complain(path, number, "a tab")
    end
  end
  if text ~= "" and text:sub(-1) ~= "\n" then
    complain(path, number, "no newline at the end")
  end
end

-- Lists of sources are written by hand; a file on no list is not built.
local lists = {
  { "^core/(.+%.c)$", "core/CMakeLists.txt" },
  { "^bindings/lua/(.+%.c)$", "bindings/lua/CMakeLists.txt" },
  { "^bindings/runner/(.+%.c)$", "bindings/runner/CMakeLists.txt" },
  { "^lua/(hysteria/.+%.lua)$", "lua/files.cmake" },
  { "^models/(.+%.lua)$", "models/files.cmake" },
  { "^tests/core/test_(.+)%.c$", "tests/core/CMakeLists.txt" },
  { "^examples/(.+%.c)$", "examples/CMakeLists.txt" },
}

local function check_listed(path)
  for _, list in ipairs(lists) do
    local name = path:match(list[1])
    if name and not read_file(list[2]):find("%f[%w_/]" .. name:gsub("%p", "%%%0") .. "%f[^%w_./]") then
      complain(path, 1, "is not on the list in " .. list[2])
    end
  end
end

local function check(path)
  local text = read_file(path)
  local is_c = path:find("%.[ch]$")
  check_listed(path)
  if is_c or path:find("%.lua$") or path:find("%.sh$") or path:find("%.cmake$") or path:find("CMakeLists%.txt$") then
    check_text(path, text)
  end
  if is_c and not text:find("^/%*") then
    complain(path, 1, "the file does not open by saying what it is for")
  elseif path:find("^lua/.*%.lua$") and not text:find("^%-%-") then
    complain(path, 1, "the file does not open by saying what it is for")
  end
  if is_c then
    local bare = bare_c(text)
    check_lengths(path, bare)
    if path:find("^core/") then
      check_floors(path, text)
      check_banned(path, bare)
    end
  end
end

for path in io.lines() do
  -- The rules are spelled in this file; it would find itself.
  if path ~= "tests/support/house_rules.lua" then
    check(path)
  end
end
os.exit(findings == 0)
