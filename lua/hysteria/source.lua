-- A data source as users see it: ds:query(...), ds:rawQuery(...), ds:transaction(fn)... Wraps
-- one source of the core; `trx.sql` is the same source bound to a transaction. sql.lua turns
-- every verb here into a function on the default source.
local annotation = require("hysteria.annotation")
local config = require("hysteria.config")
local core = require("hysteria.core")
local dry = require("hysteria.dry")
local logs = require("hysteria.logs")
local model = require("hysteria.model")
local options = require("hysteria.options")
local schema = require("hysteria.schema")
local state = require("hysteria.state")
local transaction = require("hysteria.transaction")

local source = {}

local verbs = {} -- public
local hidden = {} -- private, names start with _
local source_mt = { __name = "hysteria.source" }

source.verbs = verbs

function source_mt.__index(self, key)
  local verb = verbs[key]
  if verb == nil then
    verb = hidden[key]
  end
  if verb == nil then
    local models = rawget(self, "models")
    return models and models[key]
  end
  return verb
end

function source_mt.__tostring(self)
  return ("hysteria.source %s (%s)"):format(self._config.name or self._config.type, self._core and "open" or "closed")
end

function source.is(value)
  return type(value) == "table" and getmetatable(value) == source_mt
end

-- A source given as an argument or as `self`.
function source.need(value, what)
  if not source.is(value) then
    core.raise("INVALID_ARGUMENT", ("%s needs a data source, not %s: objects use the colon"):format(
      what, options.kind(value)))
  end
  return value
end

function source.default()
  return state.default or core.raise("CONNECTION_NOT_ESTABLISHED", "not connected: call sql.connect first")
end

-- ---- private ----------------------------------------------------------------------------------

-- The open source of the core, or an error.
function hidden:_handle()
  return self._root._core or core.raise("CONNECTION_NOT_ESTABLISHED", "the data source was closed")
end

-- The same source, every call of it inside trx.
function hidden:_bind(trx)
  local bound = setmetatable({ _config = self._config, _root = self._root, _trx = trx, _core = self._core }, source_mt)
  bound.models = setmetatable({}, {
    __index = function(_, key)
      local class = self._root.models[key]
      return class and class:using(bound)
    end,
  })
  return bound
end

-- What seals the cursors of paginateWithCursor; nil: they are only whole.
function hidden:_cursorKey()
  local root = self._root
  if root._config.cursorKey and not root._cursor_key then
    root._cursor_key = core.key("symmetric", root._config.cursorKey)
  end
  return root._cursor_key
end

function hidden:_tell(event, trx)
  local list = self._root._observers
  for index = 1, list and #list or 0 do
    local fn = list[index].onTransaction
    if fn then
      pcall(fn, { event = event, id = trx._core:id(), depth = trx._depth, source = self._root })
    end
  end
end

-- Options for the core of a verb of this source.
function hidden:_options(given)
  local trx = given.trx
  if trx == nil then
    trx = self._trx or nil
  end
  if trx then
    if transaction.source_of(trx) ~= self._root then
      core.raise("INVALID_ARGUMENT", "trx belongs to another data source")
    end
    trx = transaction.core_of(trx)
  end
  local timeout = given.timeout
  if trx == nil and timeout == nil then
    return nil
  end
  return { trx = trx, deadline = timeout and timeout ~= 0 and core.deadline(timeout) or nil }
end

-- ---- life -------------------------------------------------------------------------------------

local function embed_models(self, models)
  self.models = {}
  for key, class in next, models or {} do
    options.need_name(key, "a key of models", "the configuration")
    if type(class) ~= "table" or type(rawget(class, "_definition")) ~= "table" then
      core.raise("INVALID_CONFIG", ("the configuration: models.%s is no model"):format(key))
    end
    if verbs[key] or hidden[key] or rawget(self, key) ~= nil then
      core.raise("DUPLICATE_MODEL_KEYS", ("models.%s: the name is taken by the data source"):format(key))
    end
    self.models[key] = class:using(self)
  end
end

-- A connected source. What fails leaves nothing open. The host of several states may give one that
-- they share in place of a configuration.
function source.open(given)
  local shared = core.kind(given) == "source" and given
  local resolved = shared and { type = shared:type() } or config.resolve(given)
  local self = setmetatable({
    _config = resolved,
    _core = shared or core.connect(config.for_core(resolved)),
    _trx = false,
    _global = false,
    _observers = false,
    _ambient = resolved.ambientTransactions ~= false,
  }, source_mt)
  self._root = self
  local ok, err = pcall(function()
    embed_models(self, resolved.models)
    if not resolved.lazyLoad then
      core.rawQuery(self._core, "SELECT 1")
    end
  end)
  if not ok then
    self._core:close()
    error(err, 0)
  end
  if resolved.logs then
    self:addObserver(logs.observer(resolved.logs))
  end
  if resolved.name then
    state.sources[resolved.name] = self
  end
  return self
end

function verbs:close()
  source.need(self, "close")
  local root = self._root
  if not root._core then
    return
  end
  if root._global then
    pcall(transaction.rollback_global, root)
  end
  root._core:close()
  root._core = false
  if state.default == root then
    state.default = false
  end
  local name = root._config.name
  if name and state.sources[name] == root then
    state.sources[name] = nil
  end
end

verbs.closeConnection = verbs.close
verbs.disconnect = verbs.close
source_mt.__close = verbs.close

function verbs:isConnected()
  local handle = source.need(self, "isConnected")._root._core
  return handle and handle:isOpen() or false
end

-- A source of its own with the same configuration.
function verbs:clone()
  source.need(self, "clone")
  if self:_handle():isShared() then
    core.raise("UNSUPPORTED", "a data source that several threads share is not cloned: connect to it again")
  end
  local copy = {}
  for key, value in next, self._config do
    copy[key] = value
  end
  copy.name = nil
  return source.open(copy)
end

local PING = options.names("timeout")

function verbs:ping(given)
  source.need(self, "ping")
  given = options.check(given, PING, "ping")
  local started = core.monotonic()
  local ok, err = pcall(function()
    core.rawQuery(self:_handle(), "SELECT 1", nil, self:_options(given))
  end)
  local answer = { ok = ok, latencyMs = (core.monotonic() - started) * 1000, dialect = self._config.type }
  if not ok then
    answer.error = err
  end
  return answer
end

function verbs:isHealthy(given)
  return verbs.ping(self, given).ok
end

function verbs:getDbType()
  return source.need(self, "getDbType")._config.type
end

function verbs:getConnectionDetails()
  return config.details(source.need(self, "getConnectionDetails")._config)
end

local pool_methods = {}
local pool_mt = { __name = "hysteria.pool", __index = pool_methods }

function pool_methods:stats()
  if getmetatable(self) ~= pool_mt then
    core.raise("INVALID_ARGUMENT", "stats needs a pool: objects use the colon")
  end
  return self._source:_handle():stats()
end

function pool_methods:size()
  return pool_methods.stats(self).size
end

local function check_type(self, wanted, what)
  if wanted ~= nil and wanted ~= self._config.type then
    core.raise("INVALID_ARGUMENT", ("%s: the source is %s, not %s"):format(what, self._config.type, tostring(wanted)))
  end
end

function verbs:getPool(wanted)
  source.need(self, "getPool")
  check_type(self, wanted, "getPool")
  self:_handle()
  return setmetatable({ _source = self._root }, pool_mt)
end

-- What the database can do, by the names of the core's feature list.
function verbs:can(feature)
  return source.need(self, "can"):_handle():can(feature)
end

-- ---- queries ----------------------------------------------------------------------------------

local QUERY = options.names("alias", "trx", "timeout", "databaseCaseConvention", "softDeleteColumn", "softDeleteValue")

-- What a builder on a plain table is told of its table.
local function set_table_options(query, given)
  local extra = query:_extra()
  extra.soft_column = given.softDeleteColumn ~= nil
    and options.need_name(given.softDeleteColumn, "softDeleteColumn", "query") or nil
  extra.soft_value = given.softDeleteValue
end

-- A builder on a plain table, rows as the database gives them; or the query of a model, here.
function verbs:query(subject, given)
  source.need(self, "query")
  if model.is(subject) then
    return subject:using(self):query(given)
  end
  options.need_name(subject, "table", "query")
  given = options.check(given, QUERY, "query")
  self:_handle()
  local query = core.query(subject, next(given) ~= nil and {
    alias = given.alias, naming = annotation.convention(given.databaseCaseConvention, "query: databaseCaseConvention"),
  } or nil)
  if given.softDeleteColumn ~= nil or given.softDeleteValue ~= nil then
    set_table_options(query, given)
  end
  local trx = given.trx
  if trx == nil then
    trx = self._trx or nil
  end
  if self._root ~= state.default or trx ~= nil or given.timeout ~= nil then
    local extra = query:_extra()
    extra.source, extra.trx, extra.timeout = self._root, trx, given.timeout
  end
  return query
end

verbs.from = verbs.query

-- dryQuery(table | model, options?): its writes are built to look at, and do not run.
function verbs:dryQuery(subject, given)
  return dry.of(verbs.query(self, subject, given))
end

local RAW = options.names("trx", "timeout")

-- rawQuery(text, params?, options?) -> rows, { affectedRows, insertId }
function verbs:rawQuery(text, params, given)
  source.need(self, "rawQuery")
  options.need_type(text, "string", "text", "rawQuery")
  if params ~= nil then
    options.plain(params, "rawQuery: params")
  end
  given = options.check(given, RAW, "rawQuery")
  return core.rawQuery(self:_handle(), text, params, self:_options(given))
end

function verbs:getModelManager(class)
  source.need(self, "getModelManager")
  self:_handle()
  if type(class) ~= "table" or type(rawget(class, "_definition")) ~= "table" then
    core.raise("INVALID_ARGUMENT", "getModelManager: expected a model, not " .. options.kind(class))
  end
  return class:using(self)
end

local OBSERVER = options.names("onBeforeQuery", "onAfterQuery", "onQueryError", "onTransaction")
local BY_PHASE = { before = "onBeforeQuery", after = "onAfterQuery", error = "onQueryError" }

-- Several observers share the one that the core takes; an error in one of them must not break
-- the statement that it looks at.
function verbs:addObserver(observer)
  source.need(self, "addObserver")
  options.need(observer, "observer", "addObserver")
  options.check(observer, OBSERVER, "addObserver")
  for name, fn in next, observer do
    options.need_type(fn, "function", name, "addObserver")
  end
  local root, handle = self._root, self:_handle()
  if not root._observers then
    root._observers = {}
    handle:observe(function(event)
      local name = BY_PHASE[event.phase]
      local list = root._observers
      for index = 1, #list do
        local fn = list[index][name]
        if fn then
          pcall(fn, event)
        end
      end
    end)
  end
  root._observers[#root._observers + 1] = observer
  return self
end

-- ---- tables and transactions ------------------------------------------------------------------

function verbs:createTables(...)
  return schema.create(source.need(self, "createTables"), ...)
end

function verbs:dropTables(...)
  return schema.drop(source.need(self, "dropTables"), ...)
end

function verbs:transaction(...)
  return transaction.start(source.need(self, "transaction"), ...)
end

verbs.startTransaction = verbs.transaction

function verbs:outside(...)
  return transaction.outside(source.need(self, "outside"), ...)
end

function verbs:startGlobalTransaction(...)
  return transaction.start_global(source.need(self, "startGlobalTransaction"), ...)
end

function verbs:commitGlobalTransaction()
  return transaction.commit_global(source.need(self, "commitGlobalTransaction"))
end

function verbs:rollbackGlobalTransaction()
  return transaction.rollback_global(source.need(self, "rollbackGlobalTransaction"))
end

function verbs:isInGlobalTransaction()
  return source.need(self, "isInGlobalTransaction")._root._global ~= false
end

-- atomic(fn, options?): a function that runs fn in a transaction each time it is called.
function verbs:atomic(fn, given)
  source.need(self, "atomic")
  options.need_type(fn, "function", "fn", "atomic")
  return function(...)
    local arguments = table.pack(...)
    return self:transaction(function()
      return fn(table.unpack(arguments, 1, arguments.n))
    end, given)
  end
end

return source
