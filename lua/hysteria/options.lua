-- Argument checks that every public function uses: option tables against a list of names, nil
-- where a value is expected, and "did you mean". Knows no option by itself.
local core = require("hysteria.core")

local options = {}

local NONE = {} -- what "no options" reads as; never written

-- Names as a set that remembers them as a list too (key 1), for suggestions.
function options.names(...)
  local set, list = {}, {}
  for _, source in ipairs({ ... }) do
    for _, name in ipairs(type(source) == "table" and source[1] or { source }) do
      if not set[name] then
        set[name] = true
        list[#list + 1] = name
      end
    end
  end
  table.sort(list)
  set[1] = list
  return set
end

-- ", did you mean `x`?" or nothing.
function options.hint(name, list)
  local near = type(name) == "string" and core.suggest(name, list)
  return near and ("; did you mean `%s`?"):format(near) or ""
end

local function shown(key)
  if type(key) == "string" then
    return "`" .. key .. "`"
  end
  return "[" .. tostring(key) .. "]"
end

function options.plain(value, what)
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    core.raise("INVALID_ARGUMENT", ("%s must be a plain table, not %s"):format(what, options.kind(value)))
  end
  return value
end

-- The options, checked; an empty table when there are none.
function options.check(given, allowed, what)
  if given == nil then
    return NONE
  end
  options.plain(given, "the options of " .. what)
  for key in next, given do
    if key == 1 or not allowed[key] then
      core.raise("UNKNOWN_OPTION", ("%s has no option %s%s"):format(what, shown(key), options.hint(key, allowed[1])))
    end
  end
  return given
end

-- Small letters of ASCII: string.lower asks the locale, and in Turkish I has another one.
function options.lower(text)
  return (text:gsub("[A-Z]", function(letter)
    return string.char(letter:byte() + 32)
  end))
end

-- A number that Lua wrote, with a point whatever the locale puts there.
function options.pointed(text)
  return (text:gsub("[^0-9A-Za-z+-]+", "."))
end

-- What a value is, for messages: never its content.
function options.kind(value)
  return core.kind(value) or type(value)
end

function options.need(value, name, what)
  if value == nil then
    core.raise("NIL_VALUE", ("%s: %s is nil"):format(what, name))
  end
  return value
end

function options.need_type(value, wanted, name, what)
  if value == nil then
    core.raise("NIL_VALUE", ("%s: %s is nil"):format(what, name))
  end
  if type(value) ~= wanted then
    core.raise("INVALID_ARGUMENT", ("%s: %s must be a %s, not %s"):format(what, name, wanted, options.kind(value)))
  end
  return value
end

function options.need_name(value, name, what)
  options.need_type(value, "string", name, what)
  if value == "" then
    core.raise("INVALID_ARGUMENT", ("%s: %s is empty"):format(what, name))
  end
  return value
end

-- A whole number of at least `least`.
function options.need_count(value, least, name, what)
  options.need(value, name, what)
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole or whole < least then
    core.raise("INVALID_ARGUMENT", ("%s: %s must be a whole number from %d on"):format(what, name, least))
  end
  return whole
end

-- "a" or { "a", "b" } as a fresh list of strings.
function options.name_list(value, name, what)
  if type(value) == "string" then
    return { options.need_name(value, name, what) }
  end
  options.need(value, name, what)
  options.plain(value, what .. ": " .. name)
  local list = {}
  for index = 1, #value do
    list[index] = options.need_name(rawget(value, index), ("%s[%d]"):format(name, index), what)
  end
  return list
end

return options
