-- Writes to look at: User:dryQuery():where("id", 1):update { age = 5 }:toQuery(). The verbs build what
-- would be sent and keep it; nothing runs, hooks neither. Computed values are in it.
local core = require("hysteria.core")
local inserting = require("hysteria.inserting")
local options = require("hysteria.options")
local running = require("hysteria.running")
local state = require("hysteria.state")

local dry = {}

local verbs = {}
local dry_mt = { __name = "hysteria.dry" }
local builders = core.queryMethods

local function need(value, what)
  if type(value) ~= "table" or getmetatable(value) ~= dry_mt then
    core.raise("INVALID_ARGUMENT", what .. ": objects use the colon")
  end
  return value
end

-- fn(query, frozen model or nil) while the query's writes do not run.
local function capture(self, what, fn)
  local statements, extra = {}, need(self, what)._query:_extra()
  extra.dry = function(query)
    statements[#statements + 1] = query
    return 0
  end
  local ok, err = pcall(fn, self._query, select(3, self._query:_about()), extra)
  extra.dry = nil
  if not ok then
    error(err, 0)
  end
  self._statements = statements
  return self
end

-- Options of a write that runs no hooks.
local function without_hooks(frozen, given)
  local copy = {}
  for name, value in next, given or {} do
    copy[name] = value
  end
  copy.ignoreHooks = frozen and true or nil
  return copy
end

function verbs:insert(row)
  return capture(self, "insert", function(query, frozen, extra)
    inserting.show(frozen, query, extra, { options.need(row, "row", "insert") })
  end)
end

function verbs:insertMany(rows)
  return capture(self, "insertMany", function(query, frozen, extra)
    inserting.show(frozen, query, extra, options.need(rows, "rows", "insertMany"))
  end)
end

-- Verbs of builders whose last argument is their options: which one that is.
local OPTIONS_AT = {
  upsert = 3, update = 2, updateMany = 2, delete = 1, softDelete = 1, restore = 1, truncate = 1,
}

for name, place in next, OPTIONS_AT do
  verbs[name] = function(self, ...)
    local given = table.pack(...)
    return capture(self, name, function(query, frozen)
      given[place] = name == "truncate" and given[place] or without_hooks(frozen, given[place])
      builders[name](query, table.unpack(given, 1, math.max(given.n, place)))
    end)
  end
end

function verbs:upsertMany(columns, ...)
  local given = table.pack(...)
  return capture(self, "upsertMany", function(query, frozen)
    local place = frozen and 2 or 3
    given[place] = without_hooks(frozen, given[place])
    builders.upsertMany(query, columns, table.unpack(given, 1, place))
  end)
end

for _, name in ipairs({ "increment", "decrement" }) do
  verbs[name] = function(self, column, amount)
    return capture(self, name, function(query, frozen)
      local steps = type(column) == "table" and column or { [options.need_name(column, "column", name)] = amount or 1 }
      builders[name](query, steps, without_hooks(frozen))
    end)
  end
end

-- ---- looking ----------------------------------------------------------------------------------

local function compiled(self, dialect, how, what)
  local statements = need(self, what)._statements
  if statements == nil then
    core.raise("INVALID_ARGUMENT", what .. ": no write was called on this query yet")
  end
  local class, extra, frozen = self._query:_about()
  local _, _, ds = running.target(class and class._definition, frozen and state.source_of[frozen], extra, {})
  local list = {}
  for index, query in ipairs(statements) do
    local text, bindings = core.compile(query, dialect or ds:getDbType(), how)
    list[index] = { sql = text, bindings = bindings }
  end
  return list
end

local function texts(list)
  local parts = {}
  for index, entry in ipairs(list) do
    parts[index] = entry.sql
  end
  return table.concat(parts, ";\n")
end

-- Readable text with the values in it; a write of several statements has several lines.
function verbs:toQuery(dialect)
  return texts(compiled(self, dialect, "literal", "toQuery"))
end

function verbs:toSql(dialect)
  return texts(compiled(self, dialect, "binds", "toSql"))
end

-- { sql, bindings } of the first statement, and `statements`, a list of all.
function verbs:unWrap(dialect)
  local list = compiled(self, dialect, "binds", "unWrap")
  local first = list[1] or {}
  return { sql = first.sql, bindings = first.bindings, statements = list }
end

-- ---- building ---------------------------------------------------------------------------------

-- What chooses rows: verbs of builders that give the builder back.
local CHOOSING = {
  "^where", "^andWhere", "^orWhere", "[jJ]oin$", "[jJ]oinRaw$", "^orderBy", "^limit$", "^offset$", "^with", "^allRows$",
  "^onlyDeleted$", "^alias$", "^scope$", "^when$", "^strictWhen$", "^clear",
}

local function is_choosing(name)
  for _, pattern in ipairs(CHOOSING) do
    if name:find(pattern) then
      return rawget(builders, name) ~= nil
    end
  end
  return false
end

function dry_mt.__index(_, name)
  if verbs[name] then
    return verbs[name]
  elseif type(name) == "string" and not name:find("^_") and is_choosing(name) then
    return function(self, ...)
      builders[name](need(self, name)._query, ...)
      return self
    end
  end
  if type(name) == "string" and not name:find("^_") then
    local names = {}
    for verb in next, verbs do
      names[#names + 1] = verb
    end
    table.sort(names)
    core.raise("INVALID_ARGUMENT", ("a dry query has no verb `%s`%s"):format(name, options.hint(name, names)))
  end
  return nil
end

function dry.of(query)
  return setmetatable({ _query = query, _statements = nil }, dry_mt)
end

return dry
