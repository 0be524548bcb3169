-- Where something runs: from a model, a query's own settings and the options of a call to the
-- source, the transaction and the options of the core. Precedence: an explicit source, then
-- the transaction's, then the model's connection, then the default one.
local core = require("hysteria.core")
local state = require("hysteria.state")
local transaction = require("hysteria.transaction")

local running = {}

function running.no_source()
  core.raise("CONNECTION_NOT_ESTABLISHED", "not connected: call sql.connect first")
end

function running.closed()
  core.raise("CONNECTION_NOT_ESTABLISHED", "the data source was closed")
end

-- The source of a model that is bound to none, when a call names none.
function running.source_for(definition)
  local name = definition and definition.connection
  if name then
    return state.sources[name] or core.raise("CONNECTION_NOT_ESTABLISHED",
      ("model %s: no open data source is called `%s`"):format(definition.name, name))
  end
  return state.default or running.no_source()
end

-- handle, core options or nil, source, transaction (object, false or nil). A timeout becomes a
-- deadline here, which all statements of the call share; given.deadline is that of a call around.
function running.target(definition, bound, extra, given, loads)
  local trx, timeout, deadline = given.trx, given.timeout, given.deadline
  local ds = bound
  if extra then
    if trx == nil then
      trx = extra.trx
    end
    timeout = timeout or extra.timeout
    ds = ds or extra.source
  end
  if trx then
    local owner = transaction.source_of(trx)
    if ds and ds ~= owner then
      core.raise("INVALID_ARGUMENT", "trx belongs to another data source")
    end
    ds = owner
  end
  ds = ds or running.source_for(definition)
  if timeout ~= nil and timeout ~= 0 then
    local own = core.deadline(timeout)
    deadline = deadline and math.min(deadline, own) or own
  end
  local opts
  if trx ~= nil or deadline ~= nil or loads then
    opts = { trx = trx and transaction.core_of(trx) or trx, deadline = deadline, loads = loads }
  end
  return ds._core or running.closed(), opts, ds, trx
end

-- A function that gives the options of a call once more, with what is left of its time: for calls
-- that are made of several. `extra` may say the query's own timeout.
function running.budget(given, extra)
  local timeout = given.timeout or (extra and extra.timeout)
  if not timeout or timeout == 0 then
    return function()
      return given
    end
  end
  local deadline = core.deadline(timeout)
  return function()
    local copy = { timeout = core.left(deadline) }
    for name, value in next, given do
      copy[name] = copy[name] or value
    end
    return copy
  end
end

-- The core's options for the same call inside another transaction.
function running.inside(opts, trx)
  return { trx = trx._core, deadline = opts and opts.deadline, loads = opts and opts.loads }
end

-- What hooks get as ctx.
function running.context(operation, definition, ds, trx, fields)
  local ctx = fields or {}
  ctx.operation, ctx.model, ctx.source = operation, definition.class, ds
  if trx == nil then
    trx = transaction.current(ds)
  end
  ctx.trx = trx or nil
  if ctx.bulk == nil then
    ctx.bulk = false
  end
  return ctx
end

return running
