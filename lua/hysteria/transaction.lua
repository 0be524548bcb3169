-- Transactions: the callback form, the manual form, savepoints inside both, retries, what runs
-- after the commit, and who joins whom. The statements themselves find the ambient transaction
-- in the core, when they run; this file only says which one it is for a while.
local core = require("hysteria.core")
local options = require("hysteria.options")

local transaction = {}

local methods = {}
local transaction_mt = { __name = "hysteria.transaction" }

-- Core transaction -> the innermost Lua object that stands for it.
local innermost = setmetatable({}, { __mode = "k" })

-- What became of each: tells it when the object is gone, and does not keep that from being collected.
local owners = setmetatable({}, { __mode = "kv" })

local LIVE = { active = true, failed = true }

-- Neither it nor anything around it was finished.
local function is_live(trx)
  local outer = trx
  while outer do
    if outer._finished then
      return false
    end
    outer = outer._parent
  end
  return LIVE[trx._core:state()] or false
end

function transaction_mt.__index(trx, key)
  local method = methods[key]
  if method ~= nil then
    return method
  elseif key == "isActive" then
    return is_live(trx)
  elseif key == "transactionId" then
    return trx._core:id()
  elseif key == "sql" then
    local bound = trx._source:_bind(trx)
    rawset(trx, "sql", bound)
    return bound
  end
  return nil
end

function transaction_mt.__tostring(trx)
  return ("hysteria.transaction %s (%s)"):format(trx._core:id(), is_live(trx) and "open" or "finished")
end

function transaction.is(value)
  return type(value) == "table" and getmetatable(value) == transaction_mt
end

-- `self` of a method.
function transaction.need(value, what)
  if not transaction.is(value) then
    core.raise("INVALID_ARGUMENT", ("%s needs a transaction, not %s: objects use the colon"):format(
      what, options.kind(value)))
  end
  return value
end

-- For statements: the core object of an explicit `trx`, which must be open.
function transaction.core_of(trx)
  if not transaction.is(trx) then
    core.raise("INVALID_ARGUMENT", "trx must be a transaction or false, not " .. options.kind(trx))
  end
  if not is_live(trx) then
    core.raise("TRANSACTION_NOT_ACTIVE", "the transaction is finished")
  end
  return trx._core
end

function transaction.source_of(trx)
  if not transaction.is(trx) then
    core.raise("INVALID_ARGUMENT", "trx must be a transaction or false, not " .. options.kind(trx))
  end
  return trx._source
end

local LEVELS = { "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE" }
local IS_LEVEL = options.names(table.unpack(LEVELS))

local BEGIN = options.names("isolationLevel", "readOnly", "deferrable", "timeout")
local CALLBACK = options.names(BEGIN, "ambient", "retry")
local OUTERMOST_ONLY = { "isolationLevel", "readOnly", "deferrable", "retry" }

local function begin_options(given)
  local level = given.isolationLevel
  if level ~= nil and not IS_LEVEL[level] then
    local hint = options.hint(type(level) == "string" and level:upper() or level, LEVELS)
    core.raise("INVALID_ARGUMENT", "isolationLevel: no such level" .. hint)
  end
  return {
    isolation = level,
    readOnly = given.readOnly,
    deferrable = given.deferrable,
    timeout = given.timeout,
    deadline = given.deadline,
  }
end

local function new(source, core_trx, parent, depth)
  local trx = setmetatable({
    _core = core_trx,
    _source = source,
    _parent = parent or false,
    _depth = depth or 0,
    _finished = false,
    _committed = false,
    _after_commit = false,
    _scoped = false, -- made for a callback
    _joined = false, -- that callback runs, and its statements join by themselves
    _barred = false, -- and it has ended before the callback did
    _fate = { parent = parent and parent._fate or nil },
  }, transaction_mt)
  innermost[core_trx] = trx
  owners[trx._fate] = trx
  return trx
end

local function begin(source, given)
  local trx = new(source, core.begin(source:_handle(), begin_options(given)))
  source:_tell("begin", trx)
  return trx
end

local function innermost_live(core_trx)
  local trx = innermost[core_trx]
  while trx and not is_live(trx) do
    trx = trx._parent
  end
  return trx or nil
end

-- Savepoints are a stack: a new one lies in the innermost that is open, whatever it was asked of.
local function nest(asked)
  local core_trx = transaction.core_of(asked)
  local parent = innermost_live(core_trx) or asked
  local trx = new(asked._source, core_trx, parent, core_trx:savepoint())
  asked._source:_tell("savepoint", trx)
  return trx
end

-- The transaction that a call of this source made now would join, or nil.
function transaction.current(source)
  if source._trx then
    return source._trx
  end
  local core_trx = core.ambient(source:_handle())
  if core_trx == nil then
    return nil
  end
  return innermost_live(core_trx) or new(source._root, core_trx)
end

-- What is to be remembered of the transaction that a write at this place is part of; nil: of none.
function transaction.fate(place)
  local trx = place.trx
  if trx == nil then
    trx = transaction.current(place.ds)
  end
  trx = trx and (innermost_live(trx._core) or trx)
  return trx and trx._fate or nil
end

-- "stored", "undone", or "open" while it is neither. What a COMMIT of unknown outcome held counts as undone.
function transaction.outcome(fate)
  while fate.parent and not fate.undone do
    fate = fate.parent
  end
  local trx = owners[fate]
  if fate.committed then
    return "stored"
  end
  return not fate.undone and trx and is_live(trx) and "open" or "undone"
end

-- Does everything that it reads show one moment? Asked of the databases that need to know (see
-- inserting.lua), which all answer this question; a level that was given is not asked for.
function transaction.has_snapshot(trx, opts)
  local level = trx._core:isolation()
    or core.rawQuery(trx._source:_handle(), "SELECT @@transaction_isolation AS level", nil, opts)[1].level
  return level:gsub("-", " ") == "REPEATABLE READ"
end

-- What lies inside of it ends with it. A callback that goes on after that joins nothing: its statements
-- would be those of what is around it.
local function finish(trx)
  local inner = innermost[trx._core]
  trx._finished = true
  innermost[trx._core] = trx._parent or nil
  while inner and inner._parent do
    if inner._joined and not inner._barred then
      inner._barred = true
      inner._core:bar(1)
    end
    if inner == trx then
      break
    end
    inner = inner._parent
  end
end

-- All of them run, whatever the others do; then the first error is raised.
local function run_after_commit(list)
  local failed, first = false, nil
  for index = 1, list and #list or 0 do
    local ok, err = pcall(list[index])
    if not ok and not failed then
      failed, first = true, err
    end
  end
  if failed then
    error(first, 0)
  end
end

local END = options.names("throwErrorOnInactiveTransaction")

-- True when there is something to end; ending twice is no error unless asked for.
local function may_end(trx, given, what)
  transaction.need(trx, what)
  given = options.check(given, END, what)
  if is_live(trx) then
    return true
  end
  if given.throwErrorOnInactiveTransaction then
    core.raise("TRANSACTION_NOT_ACTIVE", what .. ": the transaction is finished")
  end
  return false
end

-- A callback inside of it that has not ended, or could not be ended: what it wrote is not to be stored.
local function refuse_open_scope(self)
  local inner = innermost[self._core]
  while inner and inner ~= self do
    if inner._scoped and is_live(inner) then
      core.raise("INVALID_ARGUMENT", "commit: a savepoint's callback inside of this transaction has not ended")
    end
    inner = inner._parent
  end
end

function methods:commit(given)
  if not may_end(self, given, "commit") then
    return false
  end
  refuse_open_scope(self)
  local list, parent = self._after_commit, self._parent
  if parent then
    self._core:release(self._depth)
    finish(self)
    parent._source:_tell("release", self)
    for index = 1, list and #list or 0 do
      parent:afterCommit(list[index])
    end
    return true
  end
  finish(self)
  self._core:commit()
  self._committed, self._fate.committed = true, true
  self._source:_tell("commit", self)
  run_after_commit(list)
  return true
end

function methods:rollback(given)
  if not may_end(self, given, "rollback") then
    return false
  end
  self._core:doom(self._depth) -- should it come to nothing, for want of memory say, nothing is stored
  finish(self)
  self._fate.undone = true
  if self._parent then
    self._core:rollbackTo(self._depth)
    self._source:_tell("rollbackTo", self)
  else
    self._core:rollback()
    self._source:_tell("rollback", self)
  end
  return true
end

-- fn() runs once the outermost transaction has committed; never when anything around it
-- rolls back.
function methods:afterCommit(fn)
  options.need_type(fn, "function", "fn", "afterCommit")
  transaction.core_of(self)
  self._after_commit = self._after_commit or {}
  self._after_commit[#self._after_commit + 1] = fn
  return self
end

-- ---- callback form ----------------------------------------------------------------------------

local function leave(scope)
  local trx = scope.trx
  trx._joined = false
  if trx._barred then
    trx._barred = false
    scope.core_trx:bar(-1)
  end
  if scope.pushed then
    scope.pushed = false
    core.ambientPop(scope.handle, scope.core_trx)
  end
end

-- Runs on every way out of a callback: an error, a return, a coroutine that is closed. What
-- went wrong in the callback is what the caller must see, so the rollback's own error is not.
local scope_mt = {
  __close = function(scope)
    local trx = scope.trx
    local live = is_live(trx)
    if live then
      scope.core_trx:doom(trx._depth)
    end
    leave(scope)
    if live then
      pcall(methods.rollback, trx)
    end
  end,
}

local function enter(trx, ambient)
  local scope = setmetatable({
    trx = trx, handle = trx._source:_handle(), core_trx = trx._core, pushed = false,
  }, scope_mt)
  trx._scoped = true
  if ambient then
    core.ambientPush(scope.handle, trx._core)
    scope.pushed, trx._joined = true, true
  end
  return scope
end

-- fn(trx, ...) inside trx, which is committed when fn returns.
local function run_inside(trx, ambient, fn, ...)
  local scope <close> = enter(trx, ambient)
  local results = table.pack(fn(trx, ...))
  leave(scope)
  if is_live(trx) then
    trx:commit()
  end
  return table.unpack(results, 1, results.n)
end

local WORTH_RETRYING = { DEADLOCK = true, SERIALIZATION_FAILURE = true, LOCK_TIMEOUT = true }

-- Doubling from 10 ms to a second, the upper half at random.
local function back_off(attempt)
  local longest = math.min(1000, 10 * 2 ^ attempt)
  core.sleep(math.floor(longest * (0.5 + math.random() / 2)))
end

-- A busy database may refuse BEGIN as well. What was committed is never run again, whatever an
-- afterCommit function raises.
local function run_with_retries(source, given, ambient, fn)
  for attempt = 1, given.retry do
    local trx
    local results = table.pack(pcall(function()
      trx = begin(source, given)
      return run_inside(trx, ambient, fn)
    end))
    if results[1] then
      return table.unpack(results, 2, results.n)
    end
    local err = results[2]
    if trx and trx._committed or not core.isError(err) or not WORTH_RETRYING[err.code] then
      error(err, 0)
    end
    back_off(attempt)
  end
  return run_inside(begin(source, given), ambient, fn)
end

local function check_nested(given)
  for _, name in ipairs(OUTERMOST_ONLY) do
    if given[name] ~= nil then
      core.raise("INVALID_ARGUMENT", ("transaction: %s belongs to the outermost transaction"):format(name))
    end
  end
end

-- transaction(fn, options?) runs fn; transaction(options?) opens one to be ended by hand.
function transaction.start(source, ...)
  local first, second = ...
  if first == nil and select("#", ...) > 0 then
    core.raise("NIL_VALUE", "transaction: fn is nil; called without it, it opens a transaction to be ended by hand")
  end
  if type(first) ~= "function" then
    local given = options.check(first, BEGIN, "transaction")
    local outer = source._trx
    if outer then
      check_nested(given)
      return nest(outer)
    end
    return begin(source, given)
  end
  local given = options.check(second, CALLBACK, "transaction")
  local ambient = given.ambient
  if ambient == nil then
    ambient = source._root._ambient
  end
  local outer = transaction.current(source)
  if outer then
    check_nested(given)
    return run_inside(nest(outer), ambient, first)
  end
  if given.retry ~= nil then
    options.need_count(given.retry, 0, "retry", "transaction")
    return run_with_retries(source, given, ambient, first)
  end
  return run_inside(begin(source, given), ambient, first)
end

-- fn(trx, ...) in a transaction of its own, or in a savepoint of the one it would join. `place` says
-- where: ds, trx (a transaction, false to join none, or nil) and the core options with the deadline.
function transaction.atomic(place, fn, ...)
  local source, outer = place.ds, place.trx
  if outer == nil then
    outer = transaction.current(source)
  end
  local trx = outer and nest(outer) or begin(source._root, { deadline = place.opts and place.opts.deadline })
  return run_inside(trx, source._root._ambient, fn, ...)
end

-- fn(core options) in the transaction that a call at this place joins, or in one of its own: for
-- statements that nobody may come between.
function transaction.together(place, fn)
  local open = place.trx
  if open == nil then
    open = transaction.current(place.ds)
  end
  if open then
    return fn(place.opts)
  end
  return transaction.atomic(place, function(trx)
    return fn({ trx = trx._core, deadline = place.opts and place.opts.deadline })
  end)
end

-- trx:savepoint(fn?) and trx:nestedTransaction(fn?) are the same.
function methods:savepoint(fn)
  if fn == nil then
    return nest(self)
  end
  options.need_type(fn, "function", "fn", "savepoint")
  return run_inside(nest(self), self._source._ambient, fn)
end

methods.nestedTransaction = methods.savepoint

transaction_mt.__close = function(trx)
  if is_live(trx) then
    pcall(methods.rollback, trx)
  end
end

function methods:close()
  transaction_mt.__close(transaction.need(self, "close"))
end

-- ---- outside, and the transaction of a whole test ---------------------------------------------

local outside_mt = {
  __close = function(scope)
    core.ambientPop(scope.handle, false)
  end,
}

-- fn(...) with no ambient transaction of this source.
function transaction.outside(source, fn, ...)
  options.need_type(fn, "function", "fn", "outside")
  local handle = source:_handle()
  core.ambientPush(handle, false)
  local scope <close> = setmetatable({ handle = handle }, outside_mt) -- luacheck: ignore
  return fn(...)
end

function transaction.start_global(source, given)
  local root = source._root
  if root._global then
    core.raise("GLOBAL_TRANSACTION_ALREADY_STARTED", "a global transaction is open on this source")
  end
  root._global = begin(root, options.check(given, BEGIN, "startGlobalTransaction"))
  core.setGlobal(root:_handle(), root._global._core)
  return root._global
end

-- Takes it off the source first: whatever COMMIT answers, the reference is gone.
local function end_global(source, how)
  local root = source._root
  local trx = root._global
  root._global = false
  core.setGlobal(root:_handle(), nil)
  return trx[how](trx)
end

function transaction.commit_global(source)
  if not source._root._global then
    core.raise("GLOBAL_TRANSACTION_NOT_STARTED", "no global transaction is open on this source")
  end
  return end_global(source, "commit")
end

function transaction.rollback_global(source)
  if not source._root._global then
    return false
  end
  return end_global(source, "rollback")
end

return transaction
