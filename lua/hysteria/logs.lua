-- `logs` of a configuration: statements and their failures as lines, on standard error or by the
-- user's own functions. Values are told only where that is asked for, and even then none of a
-- sensitive or hidden column, and none of a statement with raw SQL in it, whose columns nobody knows.
local core = require("hysteria.core")
local options = require("hysteria.options")

local logs = {}

local OPTIONS = options.names("level", "logQueries", "logParams", "customLogger")
local LOGGER = options.names("info", "warn", "error")
local RANKS = { info = 1, warn = 2, error = 3 }
local SHOWN = 200 -- bytes of a text value, parts of a statement

-- true, false or a table, checked.
function logs.check(given)
  if type(given) == "boolean" then
    return given
  end
  local what = "the configuration's logs"
  if type(given) ~= "table" then
    core.raise("INVALID_CONFIG", ("%s must be true, false or a table, not %s"):format(what, options.kind(given)))
  end
  options.check(given, OPTIONS, what)
  if given.level ~= nil and not RANKS[given.level] then
    core.raise("INVALID_CONFIG", what .. ": level must be info, warn or error")
  end
  for _, name in ipairs { "logQueries", "logParams" } do
    if given[name] ~= nil and type(given[name]) ~= "boolean" then
      core.raise("INVALID_CONFIG", ("%s: %s must be true or false"):format(what, name))
    end
  end
  for name, fn in next, options.check(given.customLogger, LOGGER, what .. ": customLogger") do
    options.need_type(fn, "function", name, what .. ": customLogger")
  end
  return given
end

local function shown(value)
  if type(value) == "string" then
    local text = #value > SHOWN and value:sub(1, SHOWN) .. "..." or value
    return (("%q"):format(text):gsub("\\\n", "\\n"))
  elseif core.kind(value) == "binary" then
    return "(bytes)"
  end
  return type(value) == "number" and options.pointed(tostring(value)) or tostring(value)
end

local function params_of(event)
  local count = #event.params
  if count == 0 then
    return ""
  elseif event.raw then
    return ("  [%d values]"):format(count)
  end
  local list = {}
  for index = 1, math.min(count, SHOWN) do
    list[index] = shown(event.params[index])
  end
  if count > SHOWN then
    list[#list + 1] = ("%d more"):format(count - SHOWN)
  end
  return "  [" .. table.concat(list, ", ") .. "]"
end

local function line_of(event, with_params)
  local text = event.sql:gsub("%c+", " ")
  return ("%.1f ms  %s%s"):format(event.duration or 0, text, with_params and params_of(event) or "")
end

local function to_stderr(level)
  return function(text)
    io.stderr:write(("[%s] %s  %s\n"):format(level:upper(), core.now():sub(1, 19), text))
  end
end

-- The observer that writes the lines. `given` as check() gives it: not false.
function logs.observer(given)
  given = given == true and {} or given
  local custom = given.customLogger or {}
  local least = RANKS[given.level or "info"]
  local function writer(level)
    return RANKS[level] >= least and (custom[level] or (given.customLogger == nil and to_stderr(level))) or nil
  end
  local failed = writer("error")
  -- Statements are told of whatever the level is: logQueries is what turns them off.
  local ran = given.logQueries ~= false and (custom.info or given.customLogger == nil and to_stderr("info")) or nil
  return {
    onAfterQuery = ran and function(event)
      ran(line_of(event, given.logParams), event)
    end,
    onQueryError = failed and function(event)
      -- By its code alone: what a database says may quote the row.
      failed(("%s  %s"):format(event.error.code, line_of(event, given.logParams)), event)
    end,
  }
end

return logs
