-- column.virtual(fn): a member that is computed in Lua from a record whenever it is read. It is no
-- column of the table: nothing stores it, no query knows it, no write takes it.
local core = require("hysteria.core")
local options = require("hysteria.options")

local virtual = {}
local virtual_mt = { __name = "hysteria.virtual" }

local OPTIONS = options.names("needs", "hidden", "comment")

-- virtual(fn, { needs = { columns }, hidden }). With `needs`, reading it from a record that lacks one
-- of these columns says so, and toTable and toJson leave it out there.
function virtual.new(fn, given)
  options.need_type(fn, "function", "fn", "column.virtual")
  given = options.check(given, OPTIONS, "column.virtual")
  if given.hidden ~= nil then
    options.need_type(given.hidden, "boolean", "hidden", "column.virtual")
  end
  if given.comment ~= nil then
    options.need_type(given.comment, "string", "comment", "column.virtual")
  end
  return setmetatable({
    fn = fn, hidden = given.hidden or false, comment = given.comment,
    needs = given.needs ~= nil and options.name_list(given.needs, "needs", "column.virtual") or {},
  }, virtual_mt)
end

function virtual.is(value)
  return type(value) == "table" and getmetatable(value) == virtual_mt
end

-- Its copy for one model, which puts its own names of the columns into `needs`.
function virtual.copy(made)
  return { fn = made.fn, hidden = made.hidden, comment = made.comment, needs = made.needs }
end

-- The first column that the value needs and the record was read without; nil if none is.
local function missing(made, record)
  local columns = getmetatable(record).columns
  for _, name in ipairs(made.needs) do
    if columns and not columns[name] and rawget(record, name) == nil then
      return name
    end
  end
  return nil
end

local function value_of(definition, made, record, name)
  local lacking = missing(made, record)
  if lacking then
    core.raise("INVALID_ARGUMENT", ("%s.%s needs column `%s`, which this record was read without"):format(
      definition.name, name, lacking), { model = definition.name })
  end
  return made.fn(record)
end

-- The __index of records of a model that has some: its methods first.
function virtual.index(definition)
  local methods = definition.methods
  return function(record, key)
    local method = methods[key]
    if method ~= nil then
      return method
    end
    local made = definition.virtuals and definition.virtuals[key]
    if made then
      return value_of(definition, made, record, key)
    end
    return nil
  end
end

-- fn(name, value) for each that is shown and can be computed; a field of that name wins.
function virtual.each(definition, record, fn)
  for _, name in ipairs(definition.virtual_names or {}) do
    local made = definition.virtuals[name]
    if not made.hidden and rawget(record, name) == nil and not missing(made, record) then
      fn(name, made.fn(record))
    end
  end
end

return virtual
