-- What stands at positional places of a model literal: hysteria.softDelete("deletedAt"),
-- hysteria.index { "age" }, hooks... Each constructor checks its arguments and gives a value;
-- model.lua reads them. Members of a mixin travel inside one.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local options = require("hysteria.options")

local annotation = {}
local annotation_mt = { __name = "hysteria.annotation" }

local function make(kind, fields)
  fields.annotation = kind
  return setmetatable(fields, annotation_mt)
end

function annotation.is(value)
  return type(value) == "table" and getmetatable(value) == annotation_mt
end

local public = {}
annotation.public = public

function public.tableName(name, schema)
  options.need_name(name, "name", "tableName")
  if schema ~= nil then
    options.need_name(schema, "schema", "tableName")
  end
  return make("tableName", { table = name, schema = schema })
end

local CONVENTIONS = { snake = "snake", camel = "camel", pascal = "pascal", preserve = "preserve", none = "preserve" }
local NAMING = options.names("model", "database")

-- A convention by its name, as the core calls it.
function annotation.convention(given, what)
  if given == nil then
    return nil
  end
  return CONVENTIONS[given] or core.raise("INVALID_ARGUMENT", what .. " must be snake, camel, pascal or preserve")
end

-- A side that is a function converts names by itself: fn(name).
function public.naming(given)
  options.need(given, "naming", "naming")
  options.check(given, NAMING, "naming")
  local fields = {}
  for _, side in ipairs(NAMING[1]) do
    local convention = given[side]
    fields[side] = type(convention) == "function" and convention
      or annotation.convention(convention, "naming: " .. side)
  end
  return make("naming", fields)
end

-- A name by a convention, which may be the user's own function.
function annotation.convert(convention, name)
  if type(convention) == "function" then
    return options.need_name(convention(name), "the name that the function gives", "naming")
  end
  return core.convert(convention, name)
end

local SOFT = options.names("value")

-- softDelete(column, { value }): what marks a row, if not the time: true, or a function that gives it.
function public.softDelete(property, given)
  if property ~= nil then
    options.need_name(property, "column", "softDelete")
  end
  given = options.check(given, SOFT, "softDelete")
  if given.value ~= nil and given.value ~= true and type(given.value) ~= "function" then
    core.raise("INVALID_ARGUMENT", "softDelete: value must be true or a function")
  end
  return make("softDelete", { property = property or "deletedAt", value = given.value })
end

-- "a", "b" or { "a", "b", name = "..." } or { columns = { ... }, name = "..." }.
local INDEX = options.names("columns", "name")

local function columns_of(what, ...)
  local given = ...
  local list, name = {}, nil
  if type(given) == "table" then
    options.plain(given, what)
    name = given.name
    list = options.name_list(given.columns or given, "columns", what)
    for key in next, given do
      if math.type(key) ~= "integer" and not INDEX[key] then
        local hint = options.hint(key, INDEX[1])
        core.raise("UNKNOWN_OPTION", ("%s has no option `%s`%s"):format(what, tostring(key), hint))
      end
    end
  else
    for index = 1, select("#", ...) do
      list[index] = options.need_name((select(index, ...)), "column", what)
    end
  end
  if #list == 0 then
    core.raise("INVALID_ARGUMENT", what .. " needs columns")
  end
  return list, name
end

function public.index(...)
  local columns, name = columns_of("index", ...)
  return make("index", { columns = columns, name = name, unique = false })
end

function public.unique(...)
  local columns, name = columns_of("unique", ...)
  return make("index", { columns = columns, name = name, unique = true })
end

function public.primaryKey(...)
  return make("primaryKey", { columns = (columns_of("primaryKey", ...)) })
end

function public.check(expression, name)
  options.need_name(expression, "expression", "check")
  if name ~= nil then
    options.need_name(name, "name", "check")
  end
  return make("check", { expression = expression, name = name })
end

function public.connection(name)
  return make("connection", { name = options.need_name(name, "name", "connection") })
end

function public.guarded(...)
  return make("guarded", { columns = (columns_of("guarded", ...)) })
end

function public.scope(name, fn)
  options.need_name(name, "name", "scope")
  options.need_type(fn, "function", "fn", "scope")
  return make("scope", { name = name, fn = fn })
end

function public.defaultScope(fn)
  return make("defaultScope", { fn = options.need_type(fn, "function", "fn", "defaultScope") })
end

local OPTIONS = options.names("track")

function public.options(given)
  options.need(given, "options", "options")
  options.check(given, OPTIONS, "options")
  return make("options", { track = given.track })
end

-- A table like a model's literal, or several; models/ is made of these.
function public.mixin(...)
  local literals = {}
  for index = 1, select("#", ...) do
    local part = options.need((select(index, ...)), "mixin", "mixin")
    if annotation.is(part) and part.annotation == "mixin" then
      table.move(part.literals, 1, #part.literals, #literals + 1, literals)
    else
      literals[#literals + 1] = options.plain(part, "a mixin")
    end
  end
  return make("mixin", { literals = literals })
end

local VIEW = options.names("create")

-- view(fn): rows come from the query that fn makes; { create = true }: from a view of the database.
function public.view(fn, given)
  options.need_type(fn, "function", "fn", "view")
  given = options.check(given, VIEW, "view")
  if given.create ~= nil then
    options.need_type(given.create, "boolean", "create", "view")
  end
  return make("view", { fn = fn, create = given.create or false })
end

-- A view that the database has already.
function annotation.existing_view()
  return make("view", { fn = false, create = false })
end

-- extends(Base) or extends("Base"): members, annotations, hooks and methods of another model.
function public.extends(base)
  options.need(base, "model", "extends")
  if type(base) == "table" and type(rawget(base, "_definition")) == "table" then
    return make("extends", { model = base })
  end
  return make("extends", { name = options.need_name(base, "model", "extends") })
end

for _, name in ipairs(hooks.names) do
  public[name] = function(fn)
    return make("hook", { name = name, fn = options.need_type(fn, "function", "fn", name) })
  end
end

return annotation
