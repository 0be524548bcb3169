-- hysteria.sql: connecting, and every verb of a data source as a function on the default one.
-- Values (sql.null, sql.op...) come from values.lua.
local core = require("hysteria.core")
local defining = require("hysteria.defining")
local factory = require("hysteria.factory")
local options = require("hysteria.options")
local source = require("hysteria.source")
local state = require("hysteria.state")
local utilities = require("hysteria.utilities")
local values = require("hysteria.values")

local sql = {}

for name, value in next, values do
  sql[name] = value
end

for name, define in next, defining do
  sql[name] = define
end

sql.withPerformance = utilities.withPerformance
sql.createModelFactory = factory.createModelFactory

local function refuse_self(first, name)
  if rawequal(first, sql) then
    core.raise("INVALID_ARGUMENT", ("write sql.%s(...) with a dot; the colon is for objects"):format(name))
  end
end

for name, verb in next, source.verbs do
  sql[name] = function(...)
    refuse_self((...), name)
    return verb(source.default(), ...)
  end
end

-- These answer also when there is no default source.
function sql.isConnected()
  return state.default and state.default:isConnected() or false
end

function sql.ping(given)
  if state.default then
    return state.default:ping(given)
  end
  return { ok = false, latencyMs = 0 }
end

function sql.isHealthy(given)
  return sql.ping(given).ok
end

function sql.closeConnection()
  if state.default then
    state.default:close()
  end
end

sql.disconnect = sql.closeConnection
sql.close = sql.closeConnection

-- (config?, callback?) with a lone callback allowed.
local function connect_arguments(what, first, second)
  refuse_self(first, what)
  if type(first) == "function" and second == nil then
    first, second = nil, first
  end
  if second ~= nil then
    options.need_type(second, "function", "callback", what)
  end
  return first, second
end

-- Open the default data source: sql.connect(config | url | nothing, callback?).
function sql.connect(first, second)
  local given, callback = connect_arguments("connect", first, second)
  if state.default and state.default:isConnected() then
    core.raise("CONNECTION_ALREADY_ESTABLISHED",
      "already connected: call sql.disconnect() first, or sql.connectToSecondarySource for a second source")
  end
  local ds = source.open(given)
  state.default = ds
  if callback then
    callback(ds)
  end
  return ds
end

-- Another source, which never becomes the default.
function sql.connectToSecondarySource(first, second)
  local given, callback = connect_arguments("connectToSecondarySource", first, second)
  local ds = source.open(given)
  if callback then
    callback(ds)
  end
  return ds
end

-- fn(ds) with a source that is closed afterwards, whatever happens. Gives what fn gives.
function sql.useConnection(given, fn)
  refuse_self(given, "useConnection")
  options.need_type(fn, "function", "fn", "useConnection")
  local ds <close> = source.open(given)
  return fn(ds)
end

-- The default source as an object.
function sql.getInstance()
  return source.default()
end

return sql
