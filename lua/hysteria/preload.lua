-- Loading relations: one query per relation with the parents' keys in an IN list, whatever the
-- number of parents, and the related rows dealt out in Lua. Keys that the queries did not
-- select are added for the work and taken away afterwards. Nested loads recurse, because a
-- related query is a query like any other.
local core = require("hysteria.core")
local matching = require("hysteria.matching")
local model = require("hysteria.model")
local options = require("hysteria.options")
local relation = require("hysteria.relation")
local state = require("hysteria.state")

local preload = {}

local NONE = {}
local KEYS_PER_QUERY = 30000 -- below the bind limit of every database

-- ---- what to load -----------------------------------------------------------------------------

-- Note a load on a query: "posts", "posts.comments"; fn(related query) belongs to the last.
function preload.add(query, definition, path, fn)
  options.need_name(path, "relation", "load")
  if fn ~= nil then
    options.need_type(fn, "function", "callback", "load")
  end
  local names, at = {}, definition
  for name in (path .. "."):gmatch("([^.]*)%.") do
    local rel = relation.find(at, name)
    names[#names + 1] = name
    at = relation.target_of(at, rel)
  end
  local extra = query:_extra()
  extra.loads = extra.loads or {}
  extra.loads[#extra.loads + 1] = { names = names, fn = fn }
end

-- By first name, in the order of their first mention: { name, callbacks, rest }.
local function grouped(loads)
  local groups, by_name = {}, {}
  for index = 1, #loads do
    local load = loads[index]
    local name = load.names[1]
    local group = by_name[name]
    if not group then
      group = { name = name, callbacks = {}, rest = {} }
      by_name[name] = group
      groups[#groups + 1] = group
    end
    if #load.names > 1 then
      group.rest[#group.rest + 1] = { names = table.move(load.names, 2, #load.names, 1, {}), fn = load.fn }
    elseif load.fn then
      group.callbacks[#group.callbacks + 1] = load.fn
    end
  end
  return groups
end

-- Columns of the parents that these loads start from.
function preload.keys_for(definition, loads)
  local keys = {}
  for _, group in ipairs(grouped(loads)) do
    local _, here = relation.resolve(definition, definition.relations[group.name])
    table.move(here, 1, #here, #keys + 1, keys)
  end
  return keys
end

-- ---- keys in the select -----------------------------------------------------------------------

local function cannot_add(query)
  return query:_has("group") or query:_has("distinct") or query:_has("set")
end

-- A query that selects these columns too (a clone unless `prepared` is one already), and the
-- list of those that had to be added.
function preload.with_keys(prepared, users, definition, keys)
  local added
  for _, key in ipairs(keys) do
    if not prepared:_selects(key) then
      if cannot_add(prepared) then
        core.raise("INVALID_ARGUMENT", ("load needs column `%s` of %s, which this query neither selects nor can add"
          ):format(key, definition.name))
      end
      if rawequal(prepared, users) then
        prepared = prepared:clone()
      end
      if not prepared:_has("select") then
        prepared:select("*")
      end
      prepared:select(key)
      added = added or {}
      added[#added + 1] = key
    end
  end
  return prepared, added
end

-- Metatable of a record shape -> the same without the added columns.
local narrower = setmetatable({}, { __mode = "k" })

local function without(shape, added)
  local name = table.concat(added, ",")
  local by_name = narrower[shape]
  if by_name == nil then
    by_name = {}
    narrower[shape] = by_name
  end
  local narrow = by_name[name]
  if narrow == nil then
    narrow = {}
    for key, value in next, shape do
      narrow[key] = value
    end
    narrow.columns = {}
    for column in next, shape.columns do
      narrow.columns[column] = true
    end
    for _, column in ipairs(added) do
      narrow.columns[column] = nil
    end
    by_name[name] = narrow
  end
  return narrow
end

-- Take the added columns off again.
function preload.strip(list, added)
  if not added then
    return
  end
  for index = 1, #list do
    local record = list[index]
    for place = 1, #added do
      record[added[place]] = nil
    end
    local shape = getmetatable(record)
    if shape and shape.columns then
      setmetatable(record, without(shape, added))
    end
  end
end

-- ---- keys as table keys -----------------------------------------------------------------------

local INTEGER, TEXT = "integer", "text"
local GROUPS = {
  tinyint = INTEGER, smallint = INTEGER, mediumint = INTEGER, integer = INTEGER, bigInteger = INTEGER,
  string = TEXT, char = TEXT, text = TEXT, ulid = TEXT, uuid = TEXT, enum = TEXT,
}

-- Values of columns with the same mark are equal in Lua just when they are in the database, but for texts
-- that are spelled otherwise; nil where nobody can tell.
local function mark(made)
  if made.serialize or made.as == "table" or made.kind == "json" or made.kind == "jsonb" then
    return nil
  end
  return GROUPS[made.kind] or ("%s %s %s %s %s"):format(made.kind, made.as, made.precision, made.scale, made.length)
end

local function columns_of(definition, names)
  local list = {}
  for index, name in ipairs(names) do
    list[index] = definition.by_property[name]
  end
  return list
end

local function are_comparable(here, there)
  for index, made in ipairs(here) do
    local one = mark(made)
    if one == nil or one ~= mark(there[index]) then
      return false
    end
  end
  return true
end

-- A field as the database has it, nil for NULL.
local function stored(record, made)
  local value = matching.stored(made, rawget(record, made.property))
  if value ~= core.null then
    return value
  end
end

-- Equal values give the same table key: decimals and the like by their text.
local function plain_key(value)
  return type(value) == "userdata" and tostring(value) or value
end

-- The key of a record over these columns, nil when one of them is NULL; and the values.
local function key_of(record, columns)
  if #columns == 1 then
    local value = stored(record, columns[1])
    return plain_key(value), value
  end
  local parts, values = {}, {}
  for index, made in ipairs(columns) do
    local value = stored(record, made)
    if value == nil then
      return nil
    end
    local text = tostring(math.type(value) == "float" and math.tointeger(value) or plain_key(value))
    parts[index] = #text .. ":" .. text
    values[index] = value
  end
  return table.concat(parts), values
end

-- The keys of the parents at their places, and the distinct ones in order, as { id, value }.
local function keys_of(parents, columns)
  local ids, list, seen = {}, {}, {}
  for index = 1, #parents do
    local id, value = key_of(parents[index], columns)
    ids[index] = id
    if id ~= nil and not seen[id] then
      seen[id] = true
      list[#list + 1] = { id = id, value = value }
    end
  end
  return ids, list
end

-- ---- running ----------------------------------------------------------------------------------

local function add_keys(query, columns, keys)
  query:_keyIn(columns, keys)
end

-- The related query with the callbacks' wishes and the nested loads.
local function related_query(target, group, run)
  local class = run.bound and model.bound(target.class, run.bound) or target.class
  local query = model.query(class)
  for _, fn in ipairs(group.callbacks) do
    local returned = fn(query)
    if core.kind(returned) == "query" then
      query = returned:clone()
    end
  end
  if #group.rest > 0 then
    local extra = query:_extra()
    extra.loads = extra.loads or {}
    table.move(group.rest, 1, #group.rest, #extra.loads + 1, extra.loads)
  end
  return query
end

-- Related rows of some of the keys.
local function fetch_slice(query, target, there, keys, first, last, given, reading)
  local values = {}
  for index = first, math.min(last, #keys) do
    values[#values + 1] = keys[index].value
  end
  local part = query:clone():_guard(add_keys, there, values)
  return reading.list(part, target, part:_peek(), given, false, "load")
end

-- Accents and blanks at the end: only the database knows what it takes such a text for.
local function is_odd(id)
  return id:find("[^ -~]") ~= nil or id:find(" $") ~= nil or id:find(" %d+:") ~= nil
end

-- The texts among the keys for which there may be rows that spell them otherwise: a column's collation need
-- mind neither case nor accents. A row that is nobody's is somebody's who is spelled otherwise.
local function doubtful(keys, by_key)
  local spellings, known, odd_row, stranger = {}, {}, false, false
  for _, key in ipairs(keys) do
    local plain = key.id:lower()
    spellings[plain], known[key.id] = (spellings[plain] or 0) + 1, true
  end
  for id in next, by_key do
    odd_row = odd_row or is_odd(id)
    if not known[id] then
      local plain = id:lower()
      stranger = stranger or is_odd(id) or spellings[plain] == nil
      spellings[plain] = (spellings[plain] or 0) + 1
    end
  end
  local list = {}
  for _, key in ipairs(keys) do
    local missing = by_key[key.id] == nil
    if stranger or spellings[key.id:lower()] > 1 or (missing and (odd_row or (is_odd(key.id) and next(by_key)))) then
      list[#list + 1] = key
    end
  end
  return list
end

local function has_text(columns)
  for _, made in ipairs(columns) do
    if GROUPS[made.kind] == TEXT then
      return true
    end
  end
  return false
end

-- All related rows, and lists of them by their parents' keys. One by one where only the database knows
-- whose a row is, and where a limit in the callback means so many per parent.
local function fetch_related(query, target, there, keys, comparable, given, reading)
  local columns = columns_of(target, there)
  local rows, by_key = {}, {}

  local function fetch(list, step, alone)
    for first = 1, #list, step do
      for _, row in ipairs(fetch_slice(query, target, there, list, first, first + step - 1, given, reading)) do
        local id = alone and list[first].id or key_of(row, columns)
        if id ~= nil then -- a row without key came from a hook: it is nobody's
          by_key[id] = by_key[id] or {}
          table.insert(by_key[id], row)
        end
        rows[#rows + 1] = row
      end
    end
  end

  if not comparable or query:_has("limit") then
    fetch(keys, 1, true)
    return rows, by_key
  end
  fetch(keys, KEYS_PER_QUERY // #there)
  for _, key in ipairs(has_text(columns) and doubtful(keys, by_key) or NONE) do
    by_key[key.id] = nil
    fetch({ key }, 1, true)
  end
  return rows, by_key
end

local function deal_out(parents, ids, by_key, name, many)
  local dealt = {}
  for index = 1, #parents do
    local parent = parents[index]
    local found = ids[index] ~= nil and by_key[ids[index]] or nil
    if not many then
      found = found and found[1]
    else
      -- Parents that share a key must not share a list.
      found = found and (dealt[found] and table.move(found, 1, #found, 1, {}) or found) or {}
      dealt[found] = true
    end
    parent[name] = found
    if state.dev then
      model.mark_loaded(parent, name)
    end
  end
end

-- Fill the relations of these records. `run` says where: { bound, trx, deadline }.
function preload.load(parents, definition, loads, run, reading)
  local given = { trx = run.trx, deadline = run.deadline }
  for _, group in ipairs(grouped(loads)) do
    local rel = definition.relations[group.name]
    local target, here, there = relation.resolve(definition, rel)
    local columns = columns_of(definition, here)
    local ids, keys = keys_of(parents, columns)
    local rows, by_key, added = {}, {}, nil
    if #keys > 0 then
      local comparable = are_comparable(columns, columns_of(target, there))
      local query = related_query(target, group, run)
      query, added = preload.with_keys(query, nil, target, there)
      rows, by_key = fetch_related(query, target, there, keys, comparable, given, reading)
    end
    deal_out(parents, ids, by_key, group.name, rel.many)
    preload.strip(rows, added)
  end
end

return preload
