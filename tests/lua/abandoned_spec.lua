-- Coroutines and tasks that are dropped in the middle of something: what they held comes back,
-- rolled back, whatever they were at, and nothing of it reaches whoever gets it next. Thousands of
-- them are dropped by tests/core/test_states.c.
local core = require("hysteria.core")
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

local POOL = 4

local function collect()
  for _ = 1, 3 do
    collectgarbage()
  end
end

-- Statements that take a while, and how many sessions the server has of a user.
local WORDS = {
  postgres = {
    slow = "SELECT pg_sleep(0.05)",
    sessions = "SELECT count(*) AS n FROM pg_stat_activity WHERE usename = current_user",
  },
  mysql = {
    slow = "SELECT SLEEP(0.05)",
    sessions = "SELECT count(*) AS n FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1)",
  },
}
WORDS.mariadb = WORDS.mysql

databases.each(function(ds, database) describe("coroutines", function()
  local words = WORDS[database]
  local Item, items

  setup(function()
    Item = model("Abandoned" .. database, {
      hysteria.tableName("hy_abandoned"), id = column.increment(), text = column.string(),
    })
    items = Item:using(ds)
    ds:dropTables({ Item }, { ifExists = true })
    ds:createTables { Item }
  end)

  teardown(function()
    ds:dropTables({ Item }, { ifExists = true })
  end)

  before_each(function()
    items:query():allRows():delete()
  end)

  -- Each leaves a coroutine suspended somewhere. In a task a statement yields while it runs.
  local ways = {}

  function ways.in_transaction()
    local co = coroutine.create(function()
      ds:transaction(function()
        items:insert { text = "vain" }
        coroutine.yield()
      end)
    end)
    assert(coroutine.resume(co))
    return co
  end

  -- A server may answer before it is asked twice: a task that comes to its end raises instead.
  local function task(fn)
    local co = coroutine.create(fn)
    core.task(co, true)
    local ok, err = coroutine.resume(co)
    assert(ok or tostring(err):find("in vain", 1, true), err)
    return co
  end

  -- Resume a task until it has done what it sets `there` for.
  local function advance(co, there)
    while not there.now do
      local ok, token, descriptor, events, deadline = coroutine.resume(co)
      assert(ok, token)
      if not there.now and core.isWait(token) then
        core.poll({ { descriptor, events, deadline } })
      end
    end
    return co
  end

  function ways.before_the_first_answer()
    return task(function()
      ds:transaction(function()
        items:insert { text = "vain" }
        error("in vain")
      end)
    end)
  end

  function ways.in_a_statement()
    return task(function()
      ds:rawQuery(words.slow)
    end)
  end

  function ways.in_a_statement_of_a_transaction()
    local there = {}
    local co = task(function()
      ds:transaction(function()
        items:insert { text = "vain" }
        there.now = true
        ds:rawQuery(words.slow)
      end)
    end)
    return advance(co, there)
  end

  function ways.below_a_savepoint()
    local co = coroutine.create(function()
      ds:transaction(function(trx)
        items:insert { text = "vain" }
        trx:nestedTransaction(function()
          items:insert { text = "vainer" }
          coroutine.yield()
        end)
      end)
    end)
    assert(coroutine.resume(co))
    return co
  end

  function ways.by_hand()
    local trx = ds:startTransaction()
    items:insert({ text = "vain" }, { trx = trx })
    return trx
  end

  local IN_TASKS = {
    before_the_first_answer = true, in_a_statement = true, in_a_statement_of_a_transaction = true,
  }
  local names = {}
  for name in next, ways do
    if words or not IN_TASKS[name] then -- a statement of SQLite's runs to its end
      names[#names + 1] = name
    end
  end
  table.sort(names)

  for _, name in ipairs(names) do
    it("give everything back when dropped " .. name:gsub("_", " "), function()
      for _ = 1, 3 * POOL do
        ways[name]()
      end
      collect()
      assert.equal(0, ds:getPool():stats().leased)
      assert.equal(0, items:count())
      assert.equal("kept", items:insert({ text = "kept" }).text)
      assert.equal(1, items:count())
    end)
  end

  if words then
    it("are no stop to tasks that wait for a connection", function()
      local held = {} -- luacheck: ignore
      for index = 1, POOL do
        held[index] = ways.in_transaction()
      end
      held = nil -- luacheck: ignore
      local began = core.monotonic()
      local got = hysteria.async.run(function()
        return hysteria.async.all { function() return items:count() end, function() return items:count() end }
      end)
      local took = core.monotonic() - began

      assert.same({ 0, 0 }, { got[1], got[2] })
      assert.is_true(took < 20, "waited " .. took .. " s for what garbage held")
    end)

    it("leave no session at the server", function()
      local function sessions()
        return ds:rawQuery(words.sessions)[1].n
      end
      local before = sessions()
      do
        local config = {}
        for key, value in next, ds:getConnectionDetails() do
          config[key] = value
        end
        for _, found in ipairs(databases.found()) do
          if found.name == database then
            config = { url = found.config.url, pool = { max = 2 } }
          end
        end
        local other = sql.connectToSecondarySource(config)
        for _ = 1, 10 do
          local co = coroutine.create(function()
            other:transaction(function()
              other:rawQuery("SELECT 1")
              coroutine.yield()
            end)
          end)
          assert(coroutine.resume(co))
        end
        collect()
        other:close()
      end
      local give_up = core.monotonic() + 60
      while sessions() > before and core.monotonic() < give_up do
        core.sleep(5)
      end
      assert.is_true(sessions() <= before)
    end)
  end

  it("do no harm through a transaction that is over", function()
    local old = ds:startTransaction()
    items:insert({ text = "old" }, { trx = old })
    old:commit()
    local new = ds:startTransaction()
    items:insert({ text = "new" }, { trx = new })
    old:commit() -- said twice is said once
    old:rollback()
    local misuses = {
      function() old:commit { throwErrorOnInactiveTransaction = true } end,
      function() old:rollback { throwErrorOnInactiveTransaction = true } end,
      function() old:savepoint() end,
      function() old:nestedTransaction(function() end) end,
      function() items:insert({ text = "vain" }, { trx = old }) end,
      function() ds:rawQuery("SELECT 1", nil, { trx = old }) end,
      function() items:where("text", "old"):delete { trx = old } end,
    }
    for index, misuse in ipairs(misuses) do
      assert.equal("TRANSACTION_NOT_ACTIVE", error_of(misuse).code, "misuse " .. index)
    end
    new:commit()

    assert.same({ "new", "old" }, items:query():orderBy("text"):pluck("text"))
  end)
end) end, { shared = true, pool = { max = POOL } })

-- Warnings go to standard error, so another process tells them.
describe("transactions that nobody ended", function()
  it("are told with the line that began them", function()
    local script = os.tmpname()
    local file <close> = assert(io.open(script, "w"))
    file:write([[
      warn("@on")
      local sql = require("hysteria").sql
      local ds = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
      local function forget() ds:startTransaction() end
      for _ = 1, 20 do
        forget()
        collectgarbage()
      end
      local ended = ds:startTransaction()
      ended:rollback()
      ended = nil
      collectgarbage()
    ]])
    file:close()
    local process <close> = assert(io.popen("lua5.4 " .. script .. " 2>&1"))
    local told, other = 0, {}
    for line in process:lines() do
      if line:find("a transaction begun at " .. script .. ":4 was never ended", 1, true) then
        told = told + 1
      else
        other[#other + 1] = line
      end
    end
    os.remove(script)

    assert.same({}, other)
    assert.equal(20, told)
  end)
end)
