-- JSON for random queries: documents, places in them and what may be looked for there. Knows no
-- query and no table; the numbers, names and texts are those that databases tend to mix up.
local hysteria = require("hysteria")
local random = require("tests.support.lua.random")

local sql = hysteria.sql
local documents = {}

local PLAIN = {
  0, 1, 1.0, 0.5, -2.25, -3, math.maxinteger, math.maxinteger - 1, math.mininteger, math.mininteger + 1,
  9007199254740993, "", "a", "A", "1", "a.b", "it's", "b\"c", "b\\s", "é", "名", "null", true, false, sql.jsonNull,
}
local NAMES = { "a", "b", "list", "a.b", "0", "q\"t", "é", "$" }

local function document(r, depth)
  local kind = depth == 0 and "plain" or r:weighted { { "plain", 2 }, { "array", 2 }, { "object", 3 } }
  if kind == "plain" then
    return r:pick(PLAIN)
  end
  local made = {}
  for index = 1, r:int(0, 4) do
    made[kind == "array" and index or r:pick(NAMES)] = document(r, depth - 1)
  end
  return kind == "array" and sql.array(made) or sql.object(made)
end

-- Enough of them that some are equal, and few enough that what is looked for is found.
local list = {}
do
  local r = random.new(20250921)
  for index = 1, 40 do
    list[index] = document(r, 3)
  end
end

function documents.pick(r)
  return r:pick(list)
end

local function kind_of(value)
  if type(value) == "table" then
    return hysteria.json.encode(value):sub(1, 1) == "[" and "array" or "object"
  end
  return value == sql.jsonNull and "null" or type(value)
end

local function keys_of(value)
  local keys = {}
  for key in next, value do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

-- Some steps into a document: { "a", 0 }, and what is there; it may be that nothing is.
local function walk(r, most)
  local value, path = documents.pick(r), {}
  for _ = 1, r:int(most) do
    local kind = kind_of(value)
    local key
    if r:chance(8) or (kind ~= "array" and kind ~= "object") or next(value) == nil then
      key = r:pick { 0, 1, "a", "0", "nothing" }
    else
      key = r:pick(keys_of(value))
      key = kind == "array" and key - 1 or key
    end
    path[#path + 1] = key
    value = type(value) == "table" and value[kind == "array" and math.type(key) and key + 1 or key] or nil
    if value == nil then
      return path
    end
  end
  return path, value
end

-- As a list or, where its names can be written so, as text.
local function spelled(r, path)
  if r:chance(2) then
    return path
  end
  local parts = { "$" }
  for _, key in ipairs(path) do
    if type(key) == "string" and key:find("[\"\\]") then
      return path
    end
    parts[#parts + 1] = type(key) == "number" and ("[%d]"):format(key) or (".\"%s\""):format(key)
  end
  return table.concat(parts)
end

function documents.place(r)
  if r:chance(6) then
    return r:pick { "$", "" }
  end
  return spelled(r, (walk(r, 3)))
end

-- The first four may be asked for NULL, too.
local FORMS = { "Json", "NotJson", "JsonEquals", "JsonNotEquals", "JsonContains", "JsonNotContains" }

-- The whole or a piece: an item as one, an object with fewer names.
local function part_of(r, value)
  if value == nil or r:chance(8) then
    return document(r, 2)
  elseif type(value) ~= "table" or r:chance(2) then
    return value
  end
  local made, is_array = {}, kind_of(value) == "array"
  for _, key in ipairs(keys_of(value)) do
    if r:chance(2) then
      made[is_array and #made + 1 or key] = value[key]
    end
  end
  return is_array and sql.array(made) or sql.object(made)
end

-- { form, path (or nil), value }
function documents.condition(r)
  local path, value
  if r:chance(2) then
    path, value = walk(r, 3)
    path = spelled(r, path)
  else
    value = documents.pick(r)
  end
  local form = r:int(#FORMS)
  local is_null = form <= 4 and r:chance(10)
  return { form = FORMS[form], path = path, value = is_null and sql.null or part_of(r, value) }
end

-- The verb and what the answer is.
local SELECTS = {
  { "selectJson", "document" }, { "selectJsonText", "text of a document" }, { "selectJsonArrayLength", "int" },
  { "selectJsonKeys", "names" },
}

function documents.select(r)
  local row = r:pick(SELECTS)
  return { json = row[1], kind = row[2], path = documents.place(r) }
end

-- ---- as text that is the same for equal documents ---------------------------------------------------

-- `plain` shows what is no table.
local function shown(value, plain)
  local kind = kind_of(value)
  if kind == "null" then
    return "null"
  elseif kind ~= "array" and kind ~= "object" then
    return plain(value)
  end
  local parts = {}
  for index, key in ipairs(keys_of(value)) do
    parts[index] = (kind == "array" and "" or ("%q: "):format(key)) .. shown(value[key], plain)
  end
  return (kind == "array" and "[%s]" or "{%s}"):format(table.concat(parts, ", "))
end

local SHOWN = {
  document = shown,
  -- in no order
  names = function(value, plain)
    local names = { table.unpack(value) }
    table.sort(names)
    return shown(sql.array(names), plain)
  end,
  -- of what is no plain value any spelling of the same document
  ["text of a document"] = function(value, plain)
    local ok, whole = pcall(hysteria.json.decode, value:find("^[%[{]") and value or "")
    return ok and shown(whole, plain) or plain(value)
  end,
}

function documents.shown(value, kind, plain)
  return SHOWN[kind](value, plain)
end

function documents.is_kind(kind)
  return SHOWN[kind] ~= nil
end

return documents
