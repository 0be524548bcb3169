-- What every state of test_states.c runs: a model with hooks over the source that they share.
local table_name, shared, extra = ...
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

-- Leaves a transaction open and a result half read, for a state that is closed over them.
function host.leave()
  local trx = sql.startTransaction()
  Entry:insert({ owner = 0, seq = 1, amount = amount_of(1), note = "left" }, { trx = trx })
  host.left = trx
end

return host
