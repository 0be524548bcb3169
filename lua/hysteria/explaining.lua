-- How the database finds the rows of a query, and how long its verbs take.
local core = require("hysteria.core")
local options = require("hysteria.options")
local reading = require("hysteria.reading")

local methods = core.queryMethods
local about_query = methods._about

-- ---- explain ----------------------------------------------------------------------------------

local EXPLAIN = options.names("trx", "timeout", "ignoreHooks", "analyze")

-- What MariaDB and MySQL tell in columns, in their order.
local TABULAR = {
  "id", "select_type", "table", "partitions", "type", "possible_keys", "key", "key_len", "ref", "rows", "r_rows",
  "filtered", "r_filtered", "Extra",
}

local function tabular(row)
  local parts = {}
  for _, name in ipairs(TABULAR) do
    local value = row[name] or row[name:lower()] or row[name:upper()]
    if value ~= nil and value ~= "" then
      parts[#parts + 1] = ("%s=%s"):format(name, tostring(value))
    end
  end
  return table.concat(parts, " ")
end

-- SQLite's steps know their parents.
local function step(row, depths)
  local depth = (depths[row.parent] or -1) + 1
  depths[row.id] = depth
  return ("  "):rep(depth) .. row.detail
end

local function readable(rows)
  local lines, depths = {}, {}
  for index, row in ipairs(rows) do
    if row.detail then
      lines[index] = step(row, depths)
    else
      lines[index] = row["QUERY PLAN"] or row.info or row.EXPLAIN or tabular(row)
    end
  end
  return table.concat(lines, "\n")
end

local explained_mt = {
  __name = "hysteria.explained",
  __tostring = function(self)
    return self.text
  end,
}

-- explain { analyze = true } -> { text, rows }: the plan to read, and as the database gives it. With
-- analyze the query runs, and what it took is told.
function methods.explain(q, given)
  given = options.check(given, EXPLAIN, "explain")
  local class, extra = about_query(q)
  local prepared, handle, opts = reading.begin(q, class and class._definition, extra, given, "explain")
  local rows = core.fetch(handle, prepared, {
    trx = opts and opts.trx, deadline = opts and opts.deadline, explain = given.analyze and 2 or 1,
  })
  return setmetatable({ text = readable(rows), rows = rows }, explained_mt)
end

-- ---- performance ------------------------------------------------------------------------------

local SCALE = { millis = 1000, seconds = 1 }

-- performance(unit = "millis"):many() -> { data, time }, for every verb that ends a query. The time is
-- that of the whole call, hooks and relations included.
function methods.performance(q, unit)
  about_query(q) -- that it is a query is seen here, not when it ends
  local scale = SCALE[unit == nil and "millis" or unit]
    or core.raise("INVALID_ARGUMENT", "performance: unit must be millis or seconds")
  return setmetatable({}, {
    __name = "hysteria.performance",
    __index = function(_, name)
      local verb = methods[name]
      return verb and function(_, ...)
        local started = core.monotonic()
        local data = verb(q, ...)
        return { data = data, time = (core.monotonic() - started) * scale }
      end
    end,
  })
end
