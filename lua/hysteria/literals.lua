-- The literal of model "Name" { ... }, taken apart: members by name and annotations in order, with
-- what mixins and the base bring in their places. Means nothing by it: that is model.lua's.
local annotation = require("hysteria.annotation")
local core = require("hysteria.core")
local options = require("hysteria.options")
local state = require("hysteria.state")

local literals = {}

function literals.fail(definition, text, ...)
  core.raise("INVALID_MODEL", ("model %s: %s"):format(definition.name, text:format(...)), { model = definition.name })
end

local fail = literals.fail

-- Members go to `into.members` (name -> value), annotations to `into.notes` in order.
local function read_literal(definition, literal, into, inherited)
  if getmetatable(literal) ~= nil then
    fail(definition, "the definition must be a plain table")
  end
  local places = {}
  for key, value in next, literal do
    if math.type(key) == "integer" then
      places[#places + 1] = key
    elseif type(key) ~= "string" then
      fail(definition, "a member's name must be a string, not a %s", type(key))
    elseif into.members[key] == nil then
      into.members[key] = value
      into.inherited[key] = inherited
    end
  end
  table.sort(places)
  for _, place in ipairs(places) do
    local note = literal[place]
    if annotation.is(note) then
      into.notes[#into.notes + 1] = note
    elseif note ~= false then
      fail(definition, "entry %d is %s, not an annotation; members need a name", place, options.kind(note))
    end
  end
end

-- The notes of a list, those of mixins in their place: their members come after the model's own.
local function expand_mixins(definition, read)
  local index = 1
  while index <= #read.notes do
    local note = read.notes[index]
    if note.annotation == "mixin" then
      table.remove(read.notes, index)
      local inner = { members = read.members, inherited = read.inherited, notes = {} }
      for _, part in ipairs(note.literals) do
        read_literal(definition, part, inner, index)
      end
      for offset, found in ipairs(inner.notes) do
        table.insert(read.notes, index + offset - 1, found)
      end
    else
      index = index + 1
    end
  end
end

local function take_base(definition, read)
  local base
  for index = #read.notes, 1, -1 do
    if read.notes[index].annotation == "extends" then
      local note = table.remove(read.notes, index)
      if base then
        fail(definition, "extends is given twice; members of several sources come as mixins")
      end
      base = note.model or state.models[note.name] or core.raise("MODEL_NOT_FOUND",
        ("model %s: extends: no model `%s` is defined yet"):format(definition.name, note.name), {
          model = definition.name,
        })
    end
  end
  return base and base._definition
end

-- A base's table is its own; what a model says itself stands for what its base says.
local function is_inherited(note, own)
  if note.annotation == "tableName" then
    return false
  elseif note.annotation ~= "scope" and note.annotation ~= "primaryKey" then
    return true
  end
  for _, other in ipairs(own) do
    if other.annotation == note.annotation and other.name == note.name then
      return false
    end
  end
  return true
end

-- Everything that the base was made of comes before the model's own.
local function inherit(read, base)
  for name, value in next, base.read.members do
    if read.members[name] == nil then
      read.members[name], read.inherited[name] = value, -1
    end
  end
  for index, property in ipairs(base.properties) do
    if read.members[property] == base.read.members[property] then
      read.inherited[property] = index - #base.properties - 1
    end
  end
  local notes = {}
  for _, note in ipairs(base.read.notes) do
    if is_inherited(note, read.notes) then
      notes[#notes + 1] = note
    end
  end
  read.notes = table.move(read.notes, 1, #read.notes, #notes + 1, notes)
end

-- A literal with its mixins and its base: members by name, notes in order.
function literals.expand(definition, literal)
  local read = { members = {}, inherited = {}, notes = {} }
  read_literal(definition, literal, read, 0)
  expand_mixins(definition, read)
  definition.base = take_base(definition, read)
  if definition.base then
    inherit(read, definition.base)
  end
  definition.read = { members = read.members, notes = read.notes }
  return read
end

return literals
