-- hysteria.async: many tasks in one thread.
--
-- A task is a coroutine of ours. Where a statement, a connection or a pause has to be waited
-- for, the C side yields what it waits for and the scheduler lets other tasks go on; nothing
-- else about a query changes. A scheduler lives as long as one async.run() and owns its tasks:
-- when run() returns or raises, none of them is left.
local core = require("hysteria.core")

local async = {}

local JOIN = {} -- yielded with a group: wake me when it has an answer

local current = false -- the scheduler whose run() is on the stack
local running = false -- the task that runs now

-- ---- tasks ------------------------------------------------------------------------------------

local task_methods = {}
local task_mt = { __name = "hysteria.task", __index = task_methods }

local function check_function(fn, what)
  if type(fn) ~= "function" then
    core.raise(fn == nil and "NIL_VALUE" or "INVALID_ARGUMENT", what .. ": a function is expected, not " .. type(fn))
  end
end

local function check_no_transaction(what)
  if core.inTransaction() then
    core.raise("SPAWN_IN_TRANSACTION", what .. " inside a transaction: its tasks would not be part of it")
  end
end

local function need_scheduler(what)
  if not current then
    core.raise("INVALID_ARGUMENT", what .. " belongs inside async.run(function() ... end)")
  end
  return current
end

local function start(scheduler, fn, group, ...)
  local task = setmetatable({ done = false, group = group, arguments = table.pack(...) }, task_mt)
  task.co = coroutine.create(fn)
  core.task(task.co, true)
  scheduler.live = scheduler.live + 1
  scheduler.tasks[task] = true
  scheduler:make_ready(task)
  return task
end

-- ---- the scheduler ----------------------------------------------------------------------------

local scheduler_methods = {}
local scheduler_mt = { __index = scheduler_methods }

local function new_scheduler()
  return setmetatable({
    ready = {}, first = 1, last = 0, -- queue of tasks
    round = 0, -- as far as it was filled when the poller was asked last
    poller = core.poller(), waiting = {}, -- its slot -> the task that waits
    tasks = {}, -- live tasks
    live = 0,
    failed = {}, -- tasks that ended by an error which nobody waited for then
  }, scheduler_mt)
end

function scheduler_methods.make_ready(self, task)
  local last = self.last + 1
  self.last = last
  self.ready[last] = task
end

function scheduler_methods.wait_for(self, task, descriptor, events, deadline)
  local slot = self.poller:add(descriptor, events, deadline)
  task.slot = slot
  self.waiting[slot] = task
end

-- The task is over: tell its group, or keep an error that nobody waits for.
local function settle(self, task, ok, ...)
  task.done, task.ok = true, ok
  task.results = table.pack(...)
  self.tasks[task] = nil
  self.live = self.live - 1
  local heard = task.group and task.group:settled(self, task)
  if not ok and not heard and not task.joined then
    self.failed[#self.failed + 1] = task
  end
end

-- The first that failed and was not asked for its results since.
function scheduler_methods.failure(self)
  for _, task in ipairs(self.failed) do
    if not task.joined then
      return task
    end
  end
  return nil
end

local function after_resume(self, task, alive, token, a, b, c)
  running = false
  if not alive then
    -- A coroutine that died of an error has not closed its variables yet: transactions roll back here.
    core.task(task.co, false)
    coroutine.close(task.co)
    return settle(self, task, false, token)
  end
  if coroutine.status(task.co) == "dead" then
    return settle(self, task, true, token, a, b, c)
  end
  if core.isWait(token) then
    self:wait_for(task, a, b, c)
  elseif token == JOIN then
    a:add_waiter(self, task)
  else
    self:make_ready(task) -- a plain yield: the others first
  end
end

-- The end of a task keeps all its results, however many.
local function finished_or_waiting(self, task, alive, ...)
  if alive and coroutine.status(task.co) == "dead" then
    running = false
    return settle(self, task, true, ...)
  end
  return after_resume(self, task, alive, ...)
end

function scheduler_methods.step(self)
  local first = self.first
  local task = self.ready[first]
  self.ready[first] = nil
  self.first = first + 1
  if task.done then
    return
  end
  local arguments = task.arguments
  running, task.arguments = task, nil
  if arguments then
    finished_or_waiting(self, task, coroutine.resume(task.co, table.unpack(arguments, 1, arguments.n)))
  else
    finished_or_waiting(self, task, coroutine.resume(task.co))
  end
end

-- What is ready; `at_once`: if anything is.
function scheduler_methods.poll(self, at_once)
  local poller, waiting = self.poller, self.waiting
  if next(waiting) == nil then
    if at_once then
      return
    end
    core.raise("DEVELOPMENT_ERROR", "every task waits for another task")
  end
  poller:wait(at_once)
  for slot in poller.take, poller do
    local task = waiting[slot]
    waiting[slot], task.slot = nil, nil
    self:make_ready(task)
  end
end

-- Until `task` is over and, if it went well, everything that it started. Tasks that only give turns to
-- others do not keep those from learning that what they wait for is there.
function scheduler_methods.drive(self, task)
  while self.live > 0 do
    if task.done and (not task.ok or self:failure()) then
      return
    end
    if self.first > self.last then
      self:poll()
    elseif self.first > self.round then
      self.round = self.last
      self:poll(true)
    else
      self:step()
    end
  end
end

-- Close a task where it stands: what it holds is given back, its transactions roll back.
function scheduler_methods.cancel(self, task)
  if task.done then
    return
  elseif task == running then
    core.raise("INVALID_ARGUMENT", "cancel: a task cannot cancel itself: return, or raise an error")
  end
  if task.slot then
    self.poller:remove(task.slot)
    self.waiting[task.slot] = nil
  end
  core.task(task.co, false) -- closing must not yield
  coroutine.close(task.co)
  task.cancelled = true
  settle(self, task, false, core.error("QUERY_CANCELED", "the task was cancelled"))
end

-- Closing one may start others.
function scheduler_methods.cancel_all(self)
  local task = next(self.tasks)
  while task do
    task.joined = true
    self:cancel(task)
    task = next(self.tasks)
  end
end

-- ---- groups: what tasks wait for ----------------------------------------------------------------

local group_methods = {}
local group_mt = { __index = group_methods }

local function new_group()
  return setmetatable({ open = 0, waiters = {}, failed = false }, group_mt)
end

function group_methods.answered(self)
  return self.failed or self.open == 0
end

function group_methods.add_waiter(self, scheduler, task)
  if self:answered() then
    scheduler:make_ready(task)
  else
    self.waiters[#self.waiters + 1] = task
  end
end

-- True: a task is there to hear of it.
function group_methods.settled(self, scheduler, task)
  self.open = self.open - 1
  if not task.ok and not self.failed then
    self.failed = task
  end
  local heard = false
  for index = 1, self:answered() and #self.waiters or 0 do
    local waiter = self.waiters[index]
    self.waiters[index] = nil
    if not waiter.done then
      scheduler:make_ready(waiter)
      heard = true
    end
  end
  return heard
end

-- ---- public ---------------------------------------------------------------------------------------

local run_mt = {
  -- Whatever happens, no task outlives its run().
  __close = function(guard)
    guard.scheduler:cancel_all()
    guard.scheduler.poller:close()
    current = guard.outer
  end,
}

-- Run fn(...) as the first task, and every task it starts, until all are over. Returns what fn
-- returns. An error of fn, or of a task that nobody waits for, ends the others and is raised.
function async.run(fn, ...)
  check_function(fn, "async.run")
  if running then
    core.raise("INVALID_ARGUMENT", "async.run inside a task: use async.spawn or async.all")
  end
  check_no_transaction("async.run")
  local scheduler = new_scheduler()
  local guard <close> = setmetatable({ scheduler = scheduler, outer = current }, run_mt) -- luacheck: ignore
  current = scheduler
  local task = start(scheduler, fn, false, ...)
  task.joined = true
  scheduler:drive(task)
  if not task.ok then
    error(task.results[1], 0)
  end
  local failed = scheduler:failure()
  if failed then
    error(failed.results[1], 0)
  end
  return table.unpack(task.results, 1, task.results.n)
end

-- Start fn(...) as a task beside this one; it begins when this one waits. Returns the task:
-- task:await() gives its results or raises its error, task:cancel() ends it.
function async.spawn(fn, ...)
  check_function(fn, "async.spawn")
  local scheduler = need_scheduler("async.spawn")
  check_no_transaction("async.spawn")
  return start(scheduler, fn, false, ...)
end

local all_mt = {
  -- An error, or the end of the task that waits for them: none of them goes on alone.
  __close = function(tasks)
    for _, task in ipairs(tasks) do
      tasks.scheduler:cancel(task)
    end
  end,
}

-- Run the functions of a list beside each other and return the list of their (first) results,
-- in order. The first error cancels the rest and is raised.
function async.all(list)
  if type(list) ~= "table" then
    core.raise("INVALID_ARGUMENT", "async.all: a list of functions is expected, not " .. type(list))
  end
  local scheduler = need_scheduler("async.all")
  check_no_transaction("async.all")
  local n = #list
  for index = 1, n do
    check_function(list[index], "async.all: entry " .. index)
  end
  local group = new_group()
  local tasks <close> = setmetatable({ scheduler = scheduler }, all_mt)
  group.open = n
  for index = 1, n do
    tasks[index] = start(scheduler, list[index], group)
    tasks[index].joined = true
  end
  if n > 0 then
    coroutine.yield(JOIN, group)
  end
  if group.failed then
    error(group.failed.results[1], 0)
  end
  local results = { n = n }
  for index = 1, n do
    results[index] = tasks[index].results[1]
  end
  return results
end

-- Pause this task for so many milliseconds; outside of tasks it blocks.
function async.sleep(milliseconds)
  core.sleep(milliseconds)
end

function task_methods.await(self)
  if not self.done then
    if not running or running == self then
      core.raise("INVALID_ARGUMENT", "await belongs inside another task")
    end
    if not self.group then
      self.group = new_group()
      self.group.open = 1
    end
    coroutine.yield(JOIN, self.group)
  end
  self.joined = true
  if not self.ok then
    error(self.results[1], 0)
  end
  return table.unpack(self.results, 1, self.results.n)
end

function task_methods.cancel(self)
  self.joined = true
  need_scheduler("task:cancel"):cancel(self)
end

return async
