-- What a class says of itself: its columns, relations, indexes and checks as plain tables made for
-- the caller, and its records as a JSON schema. Reads definitions, changes none.
local core = require("hysteria.core")
local model = require("hysteria.model")

local statics = model.statics

local function definition_of(class, what)
  return model.need(class, what)._definition
end

local COPIED = {
  "kind", "label", "primaryKey", "unique", "hidden", "sensitive", "generated", "stored", "comment", "length",
  "precision", "scale", "unsigned", "timezone", "as", "increment", "autoCreate", "autoUpdate", "default",
}

local function description(definition, made)
  local told = { property = made.property, databaseName = made.name, nullable = made.nullable ~= false }
  for _, field in ipairs(COPIED) do
    told[field] = made[field]
  end
  for _, key in ipairs(definition.keys) do
    if key == made.property then
      told.primaryKey, told.nullable = true, false
    end
  end
  told.values = made.values and { table.unpack(made.values) }
  told.element = made.element
  return told
end

-- A list in the model's order: { property, databaseName, kind, nullable, ... }.
function statics.getColumns(class)
  local definition = definition_of(class, "getColumns")
  local list = {}
  for index, made in ipairs(definition.columns) do
    list[index] = description(definition, made)
  end
  return list
end

local function by(field, what)
  return function(class)
    local map = {}
    for _, told in ipairs(statics.getColumns(model.need(class, what))) do
      map[told[field]] = told
    end
    return map
  end
end

statics.getColumnsByName = by("property", "getColumnsByName")
statics.getColumnsByDatabaseName = by("databaseName", "getColumnsByDatabaseName")

local function names_of(list)
  return list and { table.unpack(list) }
end

-- { posts = { kind = "hasMany", model = "Post", foreignKey = { ... }, ... }, ... }
function statics.getRelations(class)
  local map = {}
  for name, rel in next, definition_of(class, "getRelations").relations do
    map[name] = {
      name = name, kind = rel.kind, model = rel.target, foreignKey = names_of(rel.foreign_key),
      localKey = names_of(rel.local_key), targetKey = names_of(rel.target_key), onDelete = rel.on_delete,
      onUpdate = rel.on_update,
    }
  end
  return map
end

local function indexes(class, unique, what)
  local list = {}
  for _, index in ipairs(model.freeze(model.need(class, what)):indexes()) do
    if index.unique == unique then
      list[#list + 1] = { name = index.name, columns = index.columns }
    end
  end
  return list
end

-- { { name, columns = { properties } }, ... }
function statics.getIndexes(class)
  return indexes(class, false, "getIndexes")
end

-- The same, of unique columns too.
function statics.getUniques(class)
  return indexes(class, true, "getUniques")
end

-- { { name, expression }, ... }
function statics.getChecks(class)
  return model.freeze(model.need(class, "getChecks")):checks()
end

-- ---- JSON schema --------------------------------------------------------------------------------

local INTEGER, NUMBER, TEXT = { type = "integer" }, { type = "number" }, { type = "string" }

local function of_clock(format)
  return function(made)
    return { type = "string", format = not made.as and format or nil }
  end
end

-- What toJson writes for a column of that kind; no entry: anything.
local SCHEMAS = {
  boolean = { type = "boolean" },
  tinyint = INTEGER, smallint = INTEGER, mediumint = INTEGER, integer = INTEGER, bigInteger = INTEGER,
  float = NUMBER, double = NUMBER,
  decimal = function(made)
    return made.as == "number" and NUMBER or TEXT
  end,
  string = TEXT, char = TEXT, text = TEXT,
  enum = function(made)
    return { type = "string", enum = { table.unpack(made.values) } }
  end,
  uuid = { type = "string", format = "uuid" },
  ulid = { type = "string", pattern = "^[0-9A-HJKMNP-TV-Z]{26}$" },
  date = of_clock("date"),
  time = of_clock(nil),
  datetime = of_clock(nil),
  timestamp = of_clock(nil),
}

local CLOCKS = { date = true, time = true, datetime = true, timestamp = true }

local function copy(from)
  local made = {}
  for key, value in next, from do
    made[key] = value
  end
  return made
end

local function schema_of(definition, made)
  local known = SCHEMAS[made.kind] or {}
  local schema = copy(type(known) == "function" and known(made) or known)
  if CLOCKS[made.kind] and made.as and made.as ~= "string" then
    schema.type = made.as == "epoch" and "number" or "object"
  end
  if made.serialize then
    schema = {} -- the model's own form
  elseif schema.type == "string" and made.length and not made.secret then
    schema.maxLength = made.length
  end
  local told = description(definition, made)
  if told.nullable and schema.type then
    schema.type = { schema.type, "null" }
    if schema.enum then
      schema.enum[#schema.enum + 1] = core.jsonNull
    end
  end
  schema.description = made.comment
  schema.readOnly = made.generated and true or nil
  return schema, told
end

-- The JSON schema (2020-12) of what toJson gives, as a table for json.encode. Hidden columns and
-- relations are not in it; columns that are never NULL are required.
function statics.toJsonSchema(class)
  local definition = definition_of(class, "toJsonSchema")
  local properties, required = {}, {}
  for _, made in ipairs(definition.columns) do
    if not made.hidden then
      local schema, told = schema_of(definition, made)
      properties[made.property] = core.object(schema)
      if not told.nullable then
        required[#required + 1] = made.property
      end
    end
  end
  return {
    ["$schema"] = "https://json-schema.org/draft/2020-12/schema", title = definition.name, type = "object",
    properties = core.object(properties), required = core.array(required),
  }
end

return statics
