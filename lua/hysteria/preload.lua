-- Loading relations: one query per relation with the parents' keys in an IN list, whatever the
-- number of parents, and the related rows dealt out in Lua. Keys that the queries did not
-- select are added for the work and taken away afterwards. Nested loads recurse, because a
-- related query is a query like any other.
local core = require("hysteria.core")
local model = require("hysteria.model")
local options = require("hysteria.options")
local relation = require("hysteria.relation")
local state = require("hysteria.state")

local preload = {}

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

-- Equal values give the same table key: decimals and the like by their text.
local function plain_key(value)
  return type(value) == "userdata" and tostring(value) or value
end

-- The key of a record over these columns, nil when one of them is NULL; and the values.
local function key_of(record, columns)
  if #columns == 1 then
    local value = rawget(record, columns[1])
    if value == nil or value == core.null then
      return nil
    end
    return plain_key(value), value
  end
  local parts, values = {}, {}
  for index, name in ipairs(columns) do
    local value = rawget(record, name)
    if value == nil or value == core.null then
      return nil
    end
    local text = tostring(math.type(value) == "float" and math.tointeger(value) or plain_key(value))
    parts[index] = #text .. ":" .. text
    values[index] = value
  end
  return table.concat(parts), values
end

-- Each key once, in the order of the parents.
local function distinct_keys(parents, columns)
  local seen, list = {}, {}
  for index = 1, #parents do
    local key, value = key_of(parents[index], columns)
    if key ~= nil and not seen[key] then
      seen[key] = true
      list[#list + 1] = value
    end
  end
  return list
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

-- Related rows for a slice of the keys.
local function fetch_slice(query, target, columns, keys, given, reading)
  local part = query:clone():_guard(add_keys, columns, keys)
  return reading.list(part, target, part:_peek(), given, false, "load")
end

-- A limit in the callback means so many per parent: those are asked for one by one.
local function fetch_related(query, target, columns, keys, given, reading)
  local step = KEYS_PER_QUERY // #columns
  if query:_has("limit") then
    step = 1
  end
  if #keys <= step then
    return fetch_slice(query, target, columns, keys, given, reading)
  end
  local rows = {}
  for first = 1, #keys, step do
    local slice = table.move(keys, first, math.min(first + step - 1, #keys), 1, {})
    local found = fetch_slice(query, target, columns, slice, given, reading)
    table.move(found, 1, #found, #rows + 1, rows)
  end
  return rows
end

local function deal_out(parents, rows, name, many, here, there)
  local by_key = {}
  for index = 1, #rows do
    local row = rows[index]
    local key = key_of(row, there)
    local list = key ~= nil and by_key[key]
    if list and many then
      list[#list + 1] = row
    elseif not list and key ~= nil then -- a row without key came from a hook: it is nobody's
      by_key[key] = many and { row } or row
    end
  end
  local dealt = {}
  for index = 1, #parents do
    local parent = parents[index]
    local key = key_of(parent, here)
    local found = key ~= nil and by_key[key] or nil
    if many then
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
    local keys = distinct_keys(parents, here)
    local rows, added = {}, nil
    if #keys > 0 then
      local query = related_query(target, group, run)
      query, added = preload.with_keys(query, nil, target, there)
      rows = fetch_related(query, target, there, keys, given, reading)
    end
    deal_out(parents, rows, group.name, rel.many, here, there)
    preload.strip(rows, added)
  end
end

return preload
