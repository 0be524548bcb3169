-- Which columns of a model are a unique key: what verbs that find rows by given columns ask, and what
-- they say of a row that is in the way.
local core = require("hysteria.core")
local options = require("hysteria.options")

local unique = {}

-- All keys that the model knows to be unique: lists of properties.
local function unique_keys(definition)
  local list = { #definition.keys > 0 and definition.keys or nil }
  for _, made in ipairs(definition.columns) do
    if made.unique then
      list[#list + 1] = { made.property }
    end
  end
  for _, index in ipairs(definition.indexes) do
    if index.unique then
      local names = {}
      for place, name in ipairs(index.columns) do
        names[place] = (definition.by_property[name] or definition.by_database[name]).property
      end
      list[#list + 1] = names
    end
  end
  return list
end

local function contains(all, some)
  local found = options.names(table.unpack(all))
  for _, name in ipairs(some) do
    if not found[name] then
      return false
    end
  end
  return true
end

-- Do these columns name one row at most?
function unique.covers(definition, columns)
  for _, key in ipairs(unique_keys(definition)) do
    if contains(columns, key) then
      return true
    end
  end
  return false
end

local function property_of(definition, name, what)
  local made = definition.by_property[name] or definition.by_database[name]
  if not made then
    core.raise("UNDEFINED_COLUMN", ("%s: no column '%s' on %s%s"):format(
      what, tostring(name), definition.name, options.hint(name, definition.properties)), { model = definition.name })
  end
  return made.property
end

-- Names given by the user as a list without repetitions; of a model its properties.
function unique.column_list(definition, names, name, what)
  local list, seen = {}, {}
  for _, given in ipairs(options.name_list(names, name, what)) do
    local property = definition and property_of(definition, given, what) or given
    if not seen[property] then
      seen[property] = true
      list[#list + 1] = property
    end
  end
  return list
end

-- The columns must be a key: where none is, two calls at a time would both insert, and MySQL
-- and MariaDB would not say a word.
function unique.need(definition, columns, what)
  local keys = unique_keys(definition)
  local shown = {}
  for index, key in ipairs(keys) do
    if #key == #columns and contains(key, columns) then
      return
    end
    shown[index] = "(" .. table.concat(key, ", ") .. ")"
  end
  core.raise("INVALID_ARGUMENT", ("%s: (%s) is no unique key of %s; %s"):format(what, table.concat(columns, ", "),
    definition.name, #shown > 0 and "it has " .. table.concat(shown, ", ") or "it has none"), {
      model = definition.name,
    })
end

-- An insert met a row that the model's default scopes leave out.
function unique.out_of_scope(definition, columns, what, cause)
  core.raise("UNIQUE_VIOLATION", ("%s: the row with the same values in (%s) is outside of the default scope of %s and "
    .. "was not changed; withoutDefaultScope reaches it"):format(what, table.concat(columns, ", "), definition.name), {
      model = definition.name, table = cause.table, cause = cause,
    })
end

return unique
