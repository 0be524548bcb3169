-- sql.defineModel("users", { columns = ..., options = ... }), sql.defineView and sql.mixin: the
-- other spelling of a model. It becomes a literal, so both make the same metadata.
local annotation = require("hysteria.annotation")
local column = require("hysteria.column")
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local model = require("hysteria.model")
local options = require("hysteria.options")

local defining = {}

local PARTS = options.names(
  "name", "columns", "relations", "indexes", "uniques", "checks", "hooks", "scopes", "defaultScopes", "mixins",
  "extends", "primaryKey", "guarded", "options"
)
local VIEW = options.names("name", "columns", "relations", "hooks", "scopes", "statement", "options")
local MIXIN = options.names("columns", "relations", "indexes", "uniques", "checks", "hooks", "scopes", "options")
local OPTIONS = options.names(
  "softDeleteColumn", "softDeleteValue", "modelCaseConvention", "databaseCaseConvention", "connection", "schema",
  "track", "create"
)

local notes = annotation.public

local function add(literal, note)
  literal[#literal + 1] = note
end

-- A map, or a list of { name, column } where the order is said aloud.
local function add_columns(literal, given, what)
  options.plain(options.need(given, "columns", what), what .. ": columns")
  for name, value in next, given do
    if math.type(name) ~= "integer" then
      literal[name] = value
    end
  end
  for index, pair in ipairs(given) do
    options.plain(pair, ("%s: columns[%d]"):format(what, index))
    local name = options.need_name(pair[1] or pair.name, ("columns[%d]: a name"):format(index), what)
    local made = options.need(pair[2] or pair.column, ("columns[%d]: a column"):format(index), what)
    if literal[name] ~= nil then
      core.raise("INVALID_MODEL", ("%s: column `%s` is given twice"):format(what, name))
    end
    literal[name] = column.is(made) and column.copy(made, index) or made
  end
end

local function add_members(literal, members, what)
  for name, value in next, members and options.plain(members, what) or {} do
    if literal[name] ~= nil then
      core.raise("INVALID_MODEL", ("%s: `%s` is given twice"):format(what, tostring(name)))
    end
    literal[name] = value
  end
end

local function each(list, what, fn)
  for _, entry in ipairs(list and options.plain(list, what) or {}) do
    fn(entry)
  end
end

-- Map in the order of its keys, so that definitions are the same every time.
local function each_named(map, what, fn)
  local names = {}
  for name in next, map and options.plain(map, what) or {} do
    names[#names + 1] = options.need_name(name, "a name", what)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    fn(name, map[name])
  end
end

local function add_check(literal, check)
  if type(check) == "table" then
    add(literal, notes.check(check.expression, check.name))
  else
    add(literal, notes.check(check))
  end
end

local function add_hooks(literal, given, what)
  each_named(given, what, function(name, fns)
    hooks.need(name, what)
    each(type(fns) == "table" and fns or { fns }, what, function(fn)
      add(literal, notes[name](fn))
    end)
  end)
end

local function add_options(literal, given, what)
  given = options.check(given, OPTIONS, what)
  if given.modelCaseConvention ~= nil or given.databaseCaseConvention ~= nil then
    add(literal, notes.naming { model = given.modelCaseConvention, database = given.databaseCaseConvention })
  end
  if given.softDeleteColumn ~= nil or given.softDeleteValue ~= nil then
    add(literal, notes.softDelete(given.softDeleteColumn, { value = given.softDeleteValue }))
  end
  if given.connection ~= nil then
    add(literal, notes.connection(given.connection))
  end
  if given.track ~= nil then
    add(literal, notes.options { track = given.track })
  end
  return given
end

-- The literal of everything but the table's name. Second: the options.
local function literal_of(given, what)
  local literal = {}
  add_columns(literal, given.columns, what)
  add_members(literal, given.relations, what .. ": relations")
  if given.extends then
    add(literal, notes.extends(given.extends))
  end
  each(given.mixins, what .. ": mixins", function(mixin)
    add(literal, mixin)
  end)
  each(given.indexes, what .. ": indexes", function(index)
    add(literal, notes.index(index))
  end)
  each(given.uniques, what .. ": uniques", function(index)
    add(literal, notes.unique(index))
  end)
  each(given.checks, what .. ": checks", function(check)
    add_check(literal, check)
  end)
  each_named(given.scopes, what .. ": scopes", function(name, fn)
    add(literal, notes.scope(name, fn))
  end)
  each(given.defaultScopes, what .. ": defaultScopes", function(fn)
    add(literal, notes.defaultScope(fn))
  end)
  if given.primaryKey then
    add(literal, notes.primaryKey(given.primaryKey))
  end
  if given.guarded then
    add(literal, notes.guarded(given.guarded))
  end
  add_hooks(literal, given.hooks, what .. ": hooks")
  return literal, add_options(literal, given.options, what .. ": options")
end

-- "order_items" is OrderItem unless said otherwise.
local function class_name(table_name, given, what)
  if given.name ~= nil then
    return options.need_name(given.name, "name", what)
  end
  return core.convert("pascal", core.singular(table_name))
end

-- sql.defineModel("users", { columns, relations, indexes, uniques, checks, hooks, options, ... })
function defining.defineModel(table_name, given)
  options.need_name(table_name, "table", "defineModel")
  options.check(options.need(given, "definition", "defineModel"), PARTS, "defineModel")
  local literal, settings = literal_of(given, "defineModel")
  add(literal, notes.tableName(table_name, settings.schema))
  return model.model(class_name(table_name, given, "defineModel"), literal)
end

-- sql.defineView("totals", { columns, statement = fn, ... }). Without a statement the database has
-- a view of that name already.
function defining.defineView(table_name, given)
  options.need_name(table_name, "name", "defineView")
  options.check(options.need(given, "definition", "defineView"), VIEW, "defineView")
  local literal, settings = literal_of(given, "defineView")
  add(literal, notes.tableName(table_name, settings.schema))
  add(literal, given.statement == nil and annotation.existing_view()
    or notes.view(given.statement, { create = settings.create }))
  return model.model(class_name(table_name, given, "defineView"), literal)
end

-- sql.mixin { columns, hooks, options, ... }: what hysteria.mixin makes.
function defining.mixin(given)
  options.check(options.need(given, "mixin", "sql.mixin"), MIXIN, "sql.mixin")
  local rest = { columns = given.columns or {} }
  for name, value in next, given do
    rest[name] = value
  end
  return notes.mixin((literal_of(rest, "sql.mixin")))
end

return defining
