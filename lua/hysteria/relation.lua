-- Relations as a model declares them, and what they mean once both models are known. Classes
-- are named by string, so order and cycles do not matter: the other side is looked up when it
-- is needed. Loading is preload.lua's, foreign keys in tables are schema.lua's business.
local annotation = require("hysteria.annotation")
local core = require("hysteria.core")
local options = require("hysteria.options")
local state = require("hysteria.state")

local relation = {}
local relation_mt = { __name = "hysteria.relation" }

local public = {}
relation.public = public

local KINDS = {
  hasOne = { many = false, options = options.names("foreignKey", "localKey") },
  hasMany = { many = true, options = options.names("foreignKey", "localKey") },
  belongsTo = {
    many = false,
    options = options.names("foreignKey", "targetKey", "onDelete", "onUpdate", "constraintName", "constraint"),
  },
}

local ACTIONS = {
  ["cascade"] = "cascade", ["set null"] = "set null", ["setnull"] = "set null", ["set default"] = "set default",
  ["setdefault"] = "set default", ["restrict"] = "restrict", ["no action"] = "no action", ["noaction"] = "no action",
}
local ACTION_LIST = { "cascade", "set null", "set default", "restrict", "no action" }

-- "CASCADE", "setNull", "set null" as the core writes it.
function relation.action(given, name, what)
  if given == nil then
    return nil
  end
  options.need_type(given, "string", name, what)
  return ACTIONS[options.lower(given)] or core.raise("INVALID_MODEL", ("%s: %s must be one of %s"):format(
    what, name, table.concat(ACTION_LIST, ", ")))
end

for kind, description in next, KINDS do
  public[kind] = function(target, given)
    options.need(target, "model", kind)
    if type(target) == "table" and type(rawget(target, "_definition")) == "table" then
      target = target._definition.name
    end
    options.need_name(target, "model", kind)
    given = options.check(given, description.options, kind)
    local made = {
      kind = kind,
      many = description.many,
      target = target,
      foreign_key = given.foreignKey and options.name_list(given.foreignKey, "foreignKey", kind),
      local_key = given.localKey and options.name_list(given.localKey, "localKey", kind),
      target_key = given.targetKey and options.name_list(given.targetKey, "targetKey", kind),
      on_delete = relation.action(given.onDelete, "onDelete", kind),
      on_update = relation.action(given.onUpdate, "onUpdate", kind),
      constraint_name = given.constraintName,
      constraint = given.constraint ~= false,
    }
    if given.constraintName ~= nil then
      options.need_name(given.constraintName, "constraintName", kind)
    end
    return setmetatable(made, relation_mt)
  end
end

function relation.is(value)
  return type(value) == "table" and getmetatable(value) == relation_mt
end

-- Its copy for one model.
function relation.named(made, name)
  local copy = { name = name }
  for key, value in next, made do
    copy[key] = value
  end
  return setmetatable(copy, relation_mt)
end

local function fail(definition, rel, code, text, ...)
  core.raise(code, ("%s.%s: %s"):format(definition.name, rel.name, text:format(...)), {
    model = definition.name, relation = rel.name,
  })
end

-- The definition on the other side.
function relation.target_of(definition, rel)
  local class = state.models[rel.target]
  if class == nil then
    local names = {}
    for name in next, state.models do
      names[#names + 1] = name
    end
    table.sort(names)
    fail(definition, rel, "MODEL_NOT_FOUND", "no model `%s`%s", rel.target, options.hint(rel.target, names))
  end
  return class._definition
end

-- Properties of `owner` for the given names (property or database name).
local function properties(definition, rel, owner, names)
  local list = {}
  for index, name in ipairs(names) do
    local column = owner.by_property[name] or owner.by_database[name]
    if column == nil then
      fail(definition, rel, "INVALID_MODEL", "no column `%s` on %s%s", name, owner.name,
        options.hint(name, owner.properties))
    elseif column.secret then -- and what was decrypted must not go where it is no secret
      fail(definition, rel, "NOT_SEARCHABLE", "column `%s` of %s is stored hashed or encrypted", name, owner.name)
    end
    list[index] = column.property
  end
  return list
end

local function primary_key(definition, rel, owner)
  if #owner.keys == 0 then
    fail(definition, rel, "MODEL_HAS_NO_PRIMARY_KEY", "%s has no primary key", owner.name)
  end
  return owner.keys
end

-- "author_id" for a reference to authors(id); one name per key column.
local function default_foreign_key(definition, rel, referenced, keys)
  local stem = core.singular(referenced.table)
  local names = {}
  for index, key in ipairs(keys) do
    if #keys == 1 then
      names[1] = stem .. "_id"
    else
      names[index] = stem .. "_" .. referenced.by_property[key].name
    end
  end
  local owner = rel.kind == "belongsTo" and definition or relation.target_of(definition, rel)
  if owner.by_database[names[1]] == nil then
    names[1] = annotation.convert(owner.naming.model, names[1])
  end
  return names
end

-- What loading needs: the other definition, the columns on this side and on the other, pair
-- by pair. Given and default names may be properties or database names.
function relation.resolve(definition, rel)
  local target = relation.target_of(definition, rel)
  local here, there
  if rel.kind == "belongsTo" then
    there = rel.target_key and properties(definition, rel, target, rel.target_key)
      or primary_key(definition, rel, target)
    here = properties(definition, rel, definition,
      rel.foreign_key or default_foreign_key(definition, rel, target, there))
  else
    here = rel.local_key and properties(definition, rel, definition, rel.local_key)
      or primary_key(definition, rel, definition)
    there = properties(definition, rel, target,
      rel.foreign_key or default_foreign_key(definition, rel, definition, here))
  end
  if #here ~= #there then
    fail(definition, rel, "INVALID_MODEL", "%d columns here, %d on %s", #here, #there, target.name)
  end
  return target, here, there
end

-- The relation of that name, or an error that knows the near ones.
function relation.find(definition, name)
  local rel = definition.relations[name]
  if rel == nil then
    core.raise("RELATION_NOT_FOUND", ("no relation `%s` on %s%s"):format(
      tostring(name), definition.name, options.hint(name, definition.relation_names)), {
      model = definition.name, relation = tostring(name),
    })
  end
  return rel
end

return relation
