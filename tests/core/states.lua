-- What every state of test_states.c runs: a model with hooks over the source that they share.
local table_name, shared, extra = ...
local core = require("hysteria.core")
local hysteria = require("hysteria")
local column, model, sql = hysteria.column, hysteria.model, hysteria.sql

local fired = { before = 0, after = 0 }

local members = {
  hysteria.tableName(table_name),
  hysteria.beforeInsert(function(entry)
    fired.before = fired.before + 1
    entry.note = entry.note:upper()
  end),
  hysteria.afterInsert(function(entry)
    fired.after = fired.after + (entry.id and 1 or 0)
  end),

  id = column.increment(),
  owner = column.integer { nullable = false },
  seq = column.integer { nullable = false },
  amount = column.decimal { precision = 20, scale = 2, nullable = false },
  note = column.string { length = 80 },
}
if extra then
  members[extra] = column.integer()
end
local Entry = model "Entry" (members)

sql.connect(shared)

local host = {}

function host.create()
  sql.createTables { Entry }
end

function host.drop()
  sql.dropTables { Entry }
end

local function amount_of(seq)
  return sql.decimal(("%d.%02d"):format(seq * 1000003, seq % 100))
end

local function insert(owner, seq)
  local entry = Entry:insert { owner = owner, seq = seq, amount = amount_of(seq), note = "note " .. seq }
  assert(entry.note == "NOTE " .. seq, "the hook did not change what was stored")
  return entry
end

-- A transaction that is rolled back: nothing of it may be seen later, by whomever.
local function insert_in_vain(owner)
  local ok, err = pcall(sql.transaction, function()
    insert(owner, 999999)
    assert(Entry:query():where("owner", owner):where("seq", 999999):count() == 1)
    error("in vain")
  end)
  assert(not ok and tostring(err):find("in vain", 1, true), err)
end

-- All that the owner stored is there, exact and in order, and nothing else.
local function check(owner, stored)
  local entries = Entry:query():where("owner", owner):orderBy("seq"):many()
  assert(#entries == stored, ("%d entries, not %d"):format(#entries, stored))
  for seq, entry in ipairs(entries) do
    assert(entry.seq == seq and entry.owner == owner)
    assert(entry.amount == amount_of(seq), tostring(entry.amount))
    assert(entry.note == "NOTE " .. seq, entry.note)
  end
end

-- Returns how often the hooks fired.
function host.work(owner, count)
  for seq = 1, count do
    insert(owner, seq)
    if seq % 7 == 0 then
      insert_in_vain(owner)
    end
    if seq % 10 == 0 or seq == count then
      check(owner, seq)
    end
  end
  return fired.before, fired.after
end

-- The same text on two sources gives records of two classes, though their model is one.
function host.views()
  local other <close> = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
  local theirs = Entry:using(other)
  other:createTables { Entry }
  theirs:insert { owner = 1, seq = 1, amount = amount_of(1), note = "there" }
  insert(1, 1)
  for _, class in ipairs { Entry, theirs, Entry } do
    local entry = class:query():where("owner", 1):one()
    assert(getmetatable(entry).class == class, "a record of another class")
    assert(entry.note == (class == theirs and "THERE" or "NOTE 1"), entry.note)
    entry:update { seq = entry.seq + 1 }
  end
  assert(theirs:query():one().seq == 2 and Entry:query():where("owner", 1):one().seq == 3)
  Entry:query():where("owner", 1):delete()
end

-- The code of the error that using the model raises, or nothing.
function host.refused()
  local ok, err = pcall(function()
    Entry:query():count()
  end)
  return not ok and err.code or nil
end

function host.observe()
  local ok, err = pcall(sql.addObserver, { onAfterQuery = print })
  return not ok and err.code or nil
end

-- Coroutines that are suspended in the middle of something. In a task a statement yields while it
-- runs; a server may have answered by then, so each raises at its end.
local ways = {}

function ways.in_transaction()
  local co = coroutine.create(function()
    sql.transaction(function()
      insert(1, 1)
      coroutine.yield()
    end)
  end)
  assert(coroutine.resume(co))
end

function ways.in_first_wait()
  local co = coroutine.create(function()
    sql.transaction(function()
      insert(1, 1)
      error("in vain", 0)
    end)
  end)
  core.task(co, true)
  local ok, err = coroutine.resume(co)
  assert(ok or err == "in vain", err)
end

-- Resumed so often, waiting in between: somewhere in BEGIN, INSERT, SELECT or ROLLBACK.
function ways.in_some_wait(steps)
  local co = coroutine.create(function()
    sql.transaction(function()
      insert(1, 1)
      Entry:query():count()
      error("in vain", 0)
    end)
  end)
  core.task(co, true)
  for _ = 1, steps do
    local ok, token, descriptor, events, deadline = coroutine.resume(co)
    if not core.isWait(token) then
      assert(not ok and token == "in vain", token)
      return
    end
    core.poll { { descriptor, events, deadline } }
  end
end

function ways.by_hand()
  local trx = sql.startTransaction()
  Entry:insert({ owner = 1, seq = 1, amount = amount_of(1), note = "left" }, { trx = trx })
end

-- Drop so many. What is cut in the middle of a statement costs a connection: every tenth is.
function host.abandon(count, at_once)
  local dropped = 0
  while dropped < count do
    for _ = 1, at_once do
      dropped = dropped + 1
      local turn = dropped % 40
      local way = turn == 10 and "in_first_wait" or turn % 10 == 0 and "in_some_wait" or turn == 1 and "by_hand"
        or "in_transaction"
      ways[way](dropped // 40 % 8 + 1)
    end
  end
  for _ = 1, 3 do
    collectgarbage()
  end
  return dropped, Entry:query():count()
end

-- Leaves a transaction open and a result half read, for a state that is closed over them.
function host.leave()
  local trx = sql.startTransaction()
  Entry:insert({ owner = 0, seq = 1, amount = amount_of(1), note = "left" }, { trx = trx })
  host.left = trx
end

return host
