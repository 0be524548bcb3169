-- Factories: rows for tests and demos. sql.createModelFactory(User, { name = "x", email = fn }) makes
-- them; what it makes goes through the model's own insert, hooks and all.
local core = require("hysteria.core")
local model = require("hysteria.model")
local options = require("hysteria.options")

local factory = {}

local methods = {}
local factory_mt = { __name = "hysteria.factory", __index = methods }

local function need(value, what)
  if type(value) ~= "table" or getmetatable(value) ~= factory_mt then
    core.raise("INVALID_ARGUMENT", what .. ": objects use the colon")
  end
  return value
end

local function need_data(data, what)
  options.need(data, "data", what)
  return type(data) == "function" and data or options.plain(data, what .. ": data")
end

-- createModelFactory(Model, data): `data` is a row, whose functions are called with the number of the
-- row, or a function of it that gives the row.
function factory.createModelFactory(class, data)
  model.need(class, "createModelFactory")
  return setmetatable({ _class = class, _parts = { need_data(data, "createModelFactory") }, _made = { 0 } }, factory_mt)
end

-- A factory with other fields, or more of them; this one stays as it is, and both count together.
function methods:merge(data)
  need(self, "merge")
  local parts = table.move(self._parts, 1, #self._parts, 1, {})
  parts[#parts + 1] = need_data(data, "merge")
  return setmetatable({ _class = self._class, _parts = parts, _made = self._made }, factory_mt)
end

local function row_of(self)
  local number, row = self._made[1] + 1, {}
  self._made[1] = number
  for _, part in ipairs(self._parts) do
    if type(part) == "function" then
      part = options.plain(part(number), "the row that a factory's function gives")
    end
    for name, value in next, part do
      row[name] = value
    end
  end
  for name, value in next, row do
    if type(value) == "function" then
      row[name] = value(number)
    end
  end
  return row
end

local function count_of(count, what)
  if count == nil then
    return 1
  elseif math.type(count) ~= "integer" then
    core.raise("INVALID_ARGUMENT", what .. ": the count must be a whole number")
  end
  return count
end

-- The rows, not stored: one row, or a list where another number is asked for.
function methods:make(count)
  count = count_of(count, need(self, "make") and "make")
  local rows = {}
  for index = 1, count do
    rows[index] = row_of(self)
  end
  return count == 1 and rows[1] or rows
end

-- The same, inserted: one record, or a list; none for 0 and less. Options as for insert.
function methods:create(count, given)
  count = count_of(count, need(self, "create") and "create")
  if count == 1 then
    return self._class:insert(row_of(self), given)
  elseif count < 1 then
    return {}
  end
  return self._class:insertMany(methods.make(self, count), given)
end

return factory
