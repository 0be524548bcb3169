-- { track = true }: what a record held when it was read, so that save writes changes only.
-- Values are kept as they are; JSON tables as text, since they can change in place.
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
  local snapshot = snapshots[record]
  if snapshot then
    for _, name in ipairs(names) do
      snapshot[name] = frozen_value(rawget(record, name))
    end
  end
end

return tracking
