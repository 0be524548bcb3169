-- What a record held when it was read. With { track = true } that is every column, so that save
-- writes changes only; else those whose stored form cannot be written again: a hash would be
-- hashed. Values are kept as they are; JSON tables as text, since they can change in place.
local core = require("hysteria.core")

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

return tracking
