-- Rows one after the other without having them all: stream and each. Rows come from the core in
-- batches; hooks run and relations are loaded once a batch.
local core = require("hysteria.core")
local options = require("hysteria.options")
local reading = require("hysteria.reading")
local transaction = require("hysteria.transaction")

local methods = core.queryMethods
local about_query = methods._about
local pull, leave = core.pull, core.leave

local BATCH = 500
local STREAM = options.names("trx", "timeout", "ignoreHooks", "track", "batch")

-- A stream is called for its next row, by `for`, which also closes it.
local stream_mt = { __name = "hysteria.stream" }

local function close(self)
  self.rows, self.at, self.ended = {}, 0, true
  if self.handle then
    leave(self.handle)
  end
  self.handle, self.fetch = nil, nil
end

-- The next rows as they are in the database, and whether they are the last.
local function from_core(self)
  return pull(self.handle, self.batch)
end

-- The same from a list that is there already.
local function from_list(self)
  local first, all = self.taken + 1, self.all
  local last = math.min(self.taken + self.batch, #all)
  self.taken = last
  return table.move(all, first, last, 1, {}), last == #all
end

-- Have the next batch: false if there is none. Tasks that took turns here would lose rows to each other.
local function refill(self)
  if self.busy then
    core.raise("INVALID_ARGUMENT", "the stream is being read by another task, or reading it has failed")
  end
  self.busy = true
  while not self.ended do
    local run = self.run
    run.deadline = self.timeout and core.deadline(self.timeout)
    local rows, last = self:fetch()
    if self.definition and #rows > 0 then
      rows = reading.treat(rows, self.definition, run)
    end
    self.rows, self.at, self.ended = rows, 0, last
    if #rows > 0 then
      self.busy = false
      return true
    end
  end
  self.busy = false
  return false
end

function stream_mt.__call(self)
  local at = self.at + 1
  local row = self.rows[at]
  if row == nil then
    if self.closed then
      core.raise("CLOSED", "the stream was closed")
    end
    if not refill(self) then
      close(self)
      return nil
    end
    at, row = 1, self.rows[1]
  end
  self.at = at
  return row
end

function stream_mt.__close(self)
  self.closed = true
  close(self)
end

stream_mt.__index = { close = stream_mt.__close }

-- Statements of later batches belong where the first one ran, whoever asks for them.
local function settle(run)
  if run.trx == nil then
    run.trx = transaction.current(run.ds) or false
  end
end

local function open(q, given, what)
  local class, extra = about_query(q)
  local definition = class and class._definition
  given = options.check(given, STREAM, what)
  local batch = given.batch == nil and BATCH or options.need_count(given.batch, 1, "batch", what)
  local prepared, handle, opts, run = reading.begin_rows(q, definition, extra, given, what)
  settle(run)
  local timeout = given.timeout or (extra and extra.timeout)
  if timeout == 0 then
    timeout = nil
  end
  local self = setmetatable({
    rows = {}, at = 0, ended = false, batch = batch, definition = definition, run = run, timeout = timeout,
  }, stream_mt)
  local own = { trx = opts and opts.trx, timeout = timeout, loads = opts and opts.loads }
  if handle:isPrivate() and not run.trx then
    -- The one connection there is cannot be held while others wait for it.
    self.all, self.taken, self.fetch = core.fetch(handle, prepared, own), 0, from_list
  else
    own.batch = batch
    self.handle, self.fetch = core.stream(handle, prepared, own), from_core
  end
  return self
end

-- for row in q:stream() do ... end; leaving the loop, however, gives the connection back.
function methods.stream(q, given, fn)
  if type(given) == "function" and fn == nil then
    given, fn = nil, given
  end
  if fn ~= nil then
    return methods.each(q, fn, given)
  end
  local self = open(q, given, "stream")
  return self, nil, nil, self
end

-- each(fn, options?): fn(row) for every row, as stream gives them. How many they were.
function methods.each(q, fn, given)
  options.need_type(fn, "function", "fn", "each")
  local count = 0
  local rows <close> = open(q, given, "each")
  for row in rows do
    count = count + 1
    fn(row)
  end
  return count
end
