-- Which stored row is which given row: key values as table keys, where Lua can be sure that two
-- values are equal just when the database says so. Where it cannot, the database is asked.
local core = require("hysteria.core")
local options = require("hysteria.options")

local matching = {}

-- A column's value in a row, which may be the user's own: by property or database name.
function matching.value(definition, row, name)
  local value = rawget(row, name)
  if value == nil and definition then
    value = rawget(row, definition.by_property[name].name)
  end
  return value
end

-- A value of a column as the database has it: what the column's serialize made of it, its prepare undoes, as
-- in a write.
function matching.stored(made, value)
  if value == nil or value == core.null or not (made.serialize and made.prepare) then
    return value
  end
  local prepared = made.prepare(value)
  return prepared == nil and value or prepared
end

local INTEGERS = { tinyint = true, smallint = true, mediumint = true, integer = true, bigInteger = true }
local TEXTS = { string = true, text = true, ulid = true, enum = true }

local function plain_value(value)
  return (math.type(value) == "integer" or type(value) == "string") and value or nil
end

-- A value as a table key that the stored value is sure to share; nil when it is not sure.
local function comparable(made, value)
  if made == nil then
    return plain_value(value)
  elseif INTEGERS[made.kind] then
    return math.type(value) == "integer" and value or nil
  elseif TEXTS[made.kind] then
    return type(value) == "string" and value or nil
  elseif made.kind == "uuid" then
    return type(value) == "string" and #value == 36 and options.lower(value) or nil
  elseif made.kind == "date" and (made.as or "string") == "string" then
    return type(value) == "string" and value:find("^%d%d%d%d%-%d%d%-%d%d$") and value or nil
  end
  return nil
end

-- The values of these columns as one table key; nil when it is not sure. `definition` nil: a row
-- of a plain table.
function matching.key(definition, names, row)
  local columns = definition and definition.by_property
  if #names == 1 then
    local value = matching.value(definition, row, names[1])
    return value ~= nil and comparable(columns and columns[names[1]], value) or nil
  end
  local parts = {}
  for index, name in ipairs(names) do
    local value = matching.value(definition, row, name)
    value = value ~= nil and comparable(columns and columns[name], value)
    if not value then
      return nil
    end
    local text = tostring(value)
    parts[index] = math.type(value) and "#" .. text or #text .. ":" .. text
  end
  return #parts > 0 and table.concat(parts, ",") or nil
end

-- The values of these columns in their order.
function matching.list(definition, names, row)
  local list = {}
  for index, name in ipairs(names) do
    list[index] = matching.value(definition, row, name)
  end
  return list
end

-- The same as q:_keyIn wants them: of one column its value.
function matching.values(definition, names, row)
  if #names == 1 then
    return matching.value(definition, row, names[1])
  end
  return matching.list(definition, names, row)
end

-- Can it be told which other values a database takes for equal? It may mind neither case nor accents,
-- nor blanks at the end; and in a plain table a text may stand for a number.
local function is_plain_text(made, value)
  return type(value) ~= "string" or not (value:find("[^ -~]") or value:find(" $"))
    and (made ~= nil or tonumber(value) == nil)
end

local function are_plain(definition, names, row)
  for _, name in ipairs(names) do
    if not is_plain_text(definition and definition.by_property[name], matching.value(definition, row, name)) then
      return false
    end
  end
  return true
end

-- In their order: a group ends where the shape changes, or where a key comes again.
local function runs(rows, keys, shape_of)
  local groups, before, seen = {}, nil, nil
  for place = 1, #rows do
    local shape = shape_of(place)
    if shape ~= before or seen[keys[place]] then
      groups[#groups + 1], before, seen = {}, shape, {}
    end
    table.insert(groups[#groups], place)
    seen[keys[place]] = true
  end
  return groups
end

-- Rows of the same shape together, as many turns as a key comes times.
local function turns(rows, keys, shape_of)
  local groups, open, times = {}, {}, {}
  for place = 1, #rows do
    local key = type(keys[place]) == "string" and options.lower(keys[place]) or keys[place]
    local turn = (times[key] or 0) + 1
    times[key] = turn
    local shape = turn .. " " .. shape_of(place)
    local group = open[shape]
    if group == nil then
      group = { turn = turn, number = #groups + 1 }
      open[shape], groups[#groups + 1] = group, group
    end
    group[#group + 1] = place
  end
  table.sort(groups, function(a, b)
    return a.turn < b.turn or a.turn == b.turn and a.number < b.number
  end)
  return groups
end

-- Rows in groups that one statement each can write: all of a group have the same shape, and no
-- key stands in it twice; what comes later for the same row comes in a later group, or at least
-- later in its group. Where Lua cannot tell, every row is a group. Gives lists of places in `rows`;
-- shape_of(place) is a text.
function matching.groups(definition, names, rows, shape_of)
  local keys, plain = {}, true
  for place, row in ipairs(rows) do
    keys[place] = matching.key(definition, names, row)
    if keys[place] == nil then
      return matching.singles(rows)
    end
    plain = plain and are_plain(definition, names, row)
  end
  return (plain and turns or runs)(rows, keys, shape_of)
end

function matching.singles(rows)
  local groups = {}
  for place = 1, #rows do
    groups[place] = { place }
  end
  return groups
end

-- All columns that are read unasked, where that leaves out one of these; nil where it does not.
local function visible(definition, columns)
  local hides, list = false, {}
  for _, name in ipairs(definition and columns or {}) do
    hides = hides or definition.by_property[name].hidden
  end
  for _, made in ipairs(hides and definition.columns or {}) do
    list[#list + 1] = not made.hidden and made.property or nil
  end
  return hides and list or nil
end

-- The columns to ask for so that rows can be matched by these, and those to take off again.
function matching.with_columns(definition, wanted, columns)
  if wanted == true then
    wanted = visible(definition, columns) or true
  end
  if type(wanted) ~= "table" then
    return wanted, nil
  end
  local list, asked, added = {}, {}, {}
  for index, name in ipairs(wanted) do
    local made = definition and definition.by_database[name]
    list[index] = name
    asked[made and made.property or name] = true
  end
  for _, name in ipairs(columns) do
    if not asked[name] then
      list[#list + 1] = name
      added[#added + 1] = name
    end
  end
  return list, added
end

function matching.strip(list, added)
  for index = 1, added and #added > 0 and #list or 0 do
    for _, name in ipairs(added) do
      list[index][name] = nil
    end
  end
end

-- The names that a row has, as one text.
function matching.shape(row)
  local names = {}
  for name in next, row do
    if type(name) ~= "string" then
      core.raise("INVALID_ARGUMENT", "a row's keys are column names")
    end
    names[#names + 1] = #name .. name
  end
  table.sort(names)
  return table.concat(names, ",")
end

return matching
