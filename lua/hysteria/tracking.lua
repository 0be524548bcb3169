-- What a record held when it was read. With { track = true } that is every column, so that save
-- writes changes only; else those whose stored form cannot be written again: a hash would be
-- hashed. Values are kept as they are; JSON tables as text, since they can change in place. What a
-- record took over from a write is taken back when the transaction of that write is undone.
local core = require("hysteria.core")
local transaction = require("hysteria.transaction")

local tracking = {}

local snapshots = setmetatable({}, { __mode = "k" })

local function frozen_value(value)
  if type(value) == "table" then
    return core.jsonEncode(value)
  end
  return value
end

function tracking.remember(record)
  local shape = getmetatable(record)
  local snapshot = {}
  for name in next, shape.columns do
    snapshot[name] = frozen_value(rawget(record, name))
  end
  snapshots[record] = snapshot
end

-- Columns by which a record that is not tracked knows its row.
local kept = setmetatable({}, { __mode = "k" })

local function keep(record, names)
  local values = {}
  for index = 1, #names do
    values[names[index]] = rawget(record, names[index])
  end
  kept[record] = values
end

function tracking.keep(list, names)
  for index = 1, #list do
    keep(list[index], names)
  end
end

-- The value of such a column that the row is known to hold; nil when it is not known.
function tracking.kept(record, name)
  local values = kept[record]
  return values and values[name]
end

function tracking.is_tracked(record)
  return snapshots[record] ~= nil
end

-- Has this field another value than when it was read?
function tracking.has_changed(record, name)
  local before, now = snapshots[record][name], frozen_value(rawget(record, name))
  if type(before) == "userdata" and core.isDecimal(before) and core.isDecimal(now) then
    return before ~= now
  end
  return not rawequal(before, now)
end

-- After a write: these fields are what the database holds.
function tracking.refresh(record, names)
  local values = kept[record]
  for _, name in ipairs(values and names or {}) do
    values[name] = rawget(record, name)
  end
  local snapshot = snapshots[record]
  if snapshot then
    for _, name in ipairs(names) do
      snapshot[name] = frozen_value(rawget(record, name))
    end
  end
end

-- ---- writes that may be undone ------------------------------------------------------------------

local NIL = {}
local unsure = setmetatable({}, { __mode = "k" }) -- record -> list of writes, the last one last

local function or_nil(value)
  return value == nil and NIL or value
end

-- Before these fields take what was stored. `computed`: the set of those, or true, that nobody gave:
-- of them the value before the first write of the transaction counts, of others the one given last.
function tracking.begin_merge(record, names, computed, fate)
  local list = unsure[record] or {}
  local write = list[#list]
  if write == nil or write.fate ~= fate then
    write = { fate = fate, fields = {}, stored = {}, snapshot = {}, kept = {} }
    list[#list + 1], unsure[record] = write, list
  end
  for _, name in ipairs(names) do
    if write.fields[name] == nil then
      write.snapshot[name] = or_nil(snapshots[record] and snapshots[record][name])
      write.kept[name] = or_nil(kept[record] and kept[record][name])
    end
    if write.fields[name] == nil or not (computed == true or computed[name]) then
      write.fields[name] = or_nil(rawget(record, name))
    end
  end
end

function tracking.end_merge(record, names)
  local list = unsure[record]
  for _, name in ipairs(names) do
    list[#list].stored[name] = or_nil(frozen_value(rawget(record, name)))
  end
end

local function restore(values, before)
  for name, value in next, values and before or {} do
    if value == NIL then
      values[name] = nil
    else
      values[name] = value
    end
  end
end

local function take_back(record, write)
  local fields = {}
  for name, value in next, write.fields do
    if rawequal(or_nil(frozen_value(rawget(record, name))), write.stored[name]) then
      fields[name] = value -- else somebody has assigned another one since
    end
  end
  restore(record, fields)
  restore(snapshots[record], write.snapshot)
  local values, before = kept[record], {}
  for name, value in next, write.kept do
    before[name] = values and values[name] ~= nil and value or nil
  end
  restore(values, before)
end

-- Before a record is used again: what came out of the transactions in which it was written?
function tracking.settle(record)
  local list = unsure[record]
  for index = list and #list or 0, 1, -1 do
    local outcome = transaction.outcome(list[index].fate)
    if outcome == "undone" then
      take_back(record, list[index])
    end
    if outcome ~= "open" then
      table.remove(list, index)
    end
  end
  if list and #list == 0 then
    unsure[record] = nil
  end
end

return tracking
