-- Tasks: the same queries as everywhere, waiting beside each other in one thread.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local async, column, model = hysteria.async, hysteria.column, hysteria.model

local Coin = model "AsyncCoin" { id = column.increment(), owner = column.integer(), cents = column.integer() }

local function code_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return type(err) == "table" and err.code or err
end

describe("async without a database", function()
  it("returns what the first task returns", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(async.run(function() return 1, nil, 3 end)))
  end)

  it("passes arguments to tasks", function()
    local seen = async.run(function(...)
      local task = async.spawn(function(a, b) return a + b end, 20, 22)
      return { task:await(), ... }
    end, "x")
    assert.same({ 42, "x" }, seen)
  end)

  it("lets pauses pass beside each other", function()
    local order = {}
    async.run(function()
      async.all {
        function() async.sleep(500) order[#order + 1] = "late" end, -- even where the next begins late
        function() async.sleep(5) order[#order + 1] = "early" end,
      }
    end)
    assert.same({ "early", "late" }, order)
  end)

  it("gives the results of all in the order of the list", function()
    local results = async.run(function()
      return async.all { function() async.sleep(5) return "a" end, function() return "b" end, function() end }
    end)
    assert.same({ "a", "b", n = 3 }, results)
  end)

  it("takes an empty list", function()
    assert.same({ n = 0 }, async.run(function() return async.all {} end))
  end)

  it("ends the rest at the first error and raises it", function()
    local finished = false
    local err = code_of(async.run, function()
      async.all {
        function() async.sleep(60000) finished = true end,
        function() async.sleep(1) error("boom", 0) end,
      }
    end)
    assert.equal("boom", err)
    assert.is_false(finished)
  end)

  it("raises the error of a task that nobody waits for", function()
    assert.equal("lost", code_of(async.run, function()
      async.spawn(function() error("lost", 0) end)
      async.sleep(1)
    end))
  end)

  it("leaves none of the rest to go on alone, however deep", function()
    local finished = false
    async.run(function()
      local ok, err = pcall(async.all, {
        function()
          async.all { function() async.sleep(20) finished = true end }
        end,
        function() async.sleep(1) error("boom", 0) end,
      })
      assert.same({ false, "boom" }, { ok, err })
      local outer = async.spawn(async.all, { function() async.sleep(20) finished = true end })
      async.sleep(1)
      outer:cancel()
      async.sleep(60)
    end)
    assert.is_false(finished)
  end)

  it("gives a task's results to everybody who waits for it", function()
    local seen = {}
    async.run(function()
      local slow = async.spawn(function() async.sleep(5) return "a", "b" end)
      async.all {
        function() seen[1] = table.pack(slow:await()) end,
        function() seen[2] = table.pack(slow:await()) end,
      }
      seen[3] = table.pack(slow:await())
    end)
    assert.same({ { "a", "b", n = 2 }, { "a", "b", n = 2 }, { "a", "b", n = 2 } }, seen)
  end)

  it("raises an error no more that somebody was told of", function()
    assert.equal("fine", async.run(function()
      local failing = async.spawn(function() error("late", 0) end)
      async.sleep(1)
      assert.equal("late", code_of(failing.await, failing))
      return "fine"
    end))
  end)

  it("raises the error of a task whose only hearer has been cancelled", function()
    assert.equal("lost", code_of(async.run, function()
      local failing = async.spawn(function() async.sleep(5) error("lost", 0) end)
      local hearer = async.spawn(function() failing:await() end)
      async.sleep(1)
      hearer:cancel()
    end))
  end)

  it("lets no task cancel itself", function()
    local after = false
    assert.equal("INVALID_ARGUMENT", async.run(function()
      local task
      task = async.spawn(function()
        local code = code_of(task.cancel, task)
        async.sleep(1) -- it is a task still
        after = true
        return code
      end)
      return task:await()
    end))
    assert.is_true(after)
  end)

  it("ends what tasks start while they are closed", function()
    local began = 0
    assert.equal("over", code_of(async.run, function()
      for _ = 1, 20 do
        async.spawn(function()
          local held <close> = setmetatable({}, { __close = function() -- luacheck: ignore
            for _ = 1, 3 do
              async.spawn(function() began = began + 1 end)
            end
          end })
          async.sleep(60000)
        end)
      end
      async.sleep(1)
      error("over", 0)
    end))
    assert.equal(0, began)
  end)

  it("closes variables of a task that ends by an error or is cancelled", function()
    local closed = 0
    local guard = { __close = function() closed = closed + 1 end }
    async.run(function()
      local failing = async.spawn(function()
        local held <close> = setmetatable({}, guard) -- luacheck: ignore
        error("x", 0)
      end)
      assert.is_false(pcall(failing.await, failing))
      local sleeping = async.spawn(function()
        local held <close> = setmetatable({}, guard) -- luacheck: ignore
        async.sleep(10000)
      end)
      async.sleep(1)
      sleeping:cancel()
      assert.equal("QUERY_CANCELED", code_of(sleeping.await, sleeping))
    end)
    assert.equal(2, closed)
  end)

  it("gives turns at a plain yield", function()
    local order = {}
    async.run(function()
      async.all {
        function() for i = 1, 2 do order[#order + 1] = "a" .. i coroutine.yield() end end,
        function() for i = 1, 2 do order[#order + 1] = "b" .. i coroutine.yield() end end,
      }
    end)
    assert.same({ "a1", "b1", "a2", "b2" }, order)
  end)

  it("lets pauses pass while another only gives turns", function()
    local woken, turns = false, 0
    async.run(function()
      async.all {
        function() async.sleep(1) woken = true end,
        function()
          while not woken and turns < 1000000 do
            turns = turns + 1
            coroutine.yield()
          end
        end,
      }
    end)
    assert.is_true(turns < 1000000)
  end)

  it("says where its functions belong", function()
    assert.equal("INVALID_ARGUMENT", code_of(async.spawn, function() end))
    assert.equal("INVALID_ARGUMENT", code_of(async.all, {}))
    assert.equal("NIL_VALUE", code_of(async.run))
    assert.equal("INVALID_ARGUMENT", code_of(async.run, function() async.run(function() end) end))
  end)

  it("notices tasks that only wait for each other", function()
    assert.equal("DEVELOPMENT_ERROR", code_of(async.run, function()
      local first, second
      first = async.spawn(function() second:await() end)
      second = async.spawn(function() first:await() end)
    end))
  end)
end)

databases.each(function(ds, database)
  setup(function()
    ds:dropTables({ Coin }, { ifExists = true })
    ds:createTables { Coin }
  end)

  after_each(function()
    assert.equal(0, ds:getPool():stats().leased)
    Coin:using(ds):truncate()
  end)

  local function coins()
    return Coin:using(ds)
  end

  it("runs many transactions beside each other, each with its own connection", function()
    async.run(function()
      local jobs = {}
      for owner = 1, 40 do
        jobs[owner] = function()
          ds:transaction(function()
            local coin = coins():insert { owner = owner, cents = 1 }
            async.sleep(1)
            coins():where("id", coin.id):increment("cents", owner)
          end)
          return coins():where("owner", owner):one().cents
        end
      end
      local results = async.all(jobs)
      for owner = 1, 40 do
        assert.equal(owner + 1, results[owner])
      end
    end)
    assert.equal(40, coins():count())
  end)

  it("rolls back what a cancelled task had begun", function()
    async.run(function()
      local stored = false
      local task = async.spawn(function()
        ds:transaction(function()
          coins():insert { owner = 1, cents = 1 }
          stored = true
          async.sleep(60000)
        end)
      end)
      repeat async.sleep(1) until stored
      task:cancel()
    end)
    assert.equal(0, coins():count())
  end)

  -- Without the collector's help, which takes its time.
  local function without_garbage(fn)
    collectgarbage("stop")
    local ok, err = pcall(async.run, fn)
    collectgarbage("restart")
    assert(ok, err)
  end

  it("gives back what a task holds that is cancelled while it begins or ends a transaction", function()
    local late = {}
    without_garbage(function()
      for _, step in ipairs { "begin", "savepoint", "rollbackTo", "release", "commit", "rollback" } do
        local reached = false
        local task = async.spawn(function()
          local reach = function(name)
            reached = reached or name == step
          end
          ds:transaction(function(trx)
            local held <close> = setmetatable({}, { __close = function() -- luacheck: ignore
              if not trx.isActive then
                late[#late + 1] = select(2, pcall(function() coins():insert { owner = 9, cents = 9 } end))
              end
            end })
            reach("savepoint")
            local first = trx:savepoint()
            reach("rollbackTo")
            first:rollback()
            local second = trx:savepoint()
            reach("release")
            second:commit()
            reach("rollback")
            if step == "rollback" then
              trx:rollback()
            end
            reach("commit")
          end)
        end)
        coroutine.yield()
        while not (reached or step == "begin" or task.done) do
          coroutine.yield()
        end
        if not task.done then
          task:cancel()
        end
        assert.equal(0, ds:getPool():stats().leased, step)
      end
    end)
    for _, err in ipairs(late) do
      assert.equal("TRANSACTION_NOT_ACTIVE", err.code)
    end
    assert.equal(0, coins():query():where("owner", 9):count())
  end)

  it("hears that another task has ended the transaction of its statement", function()
    local slow = { postgres = "SELECT pg_sleep(60)", mysql = "SELECT SLEEP(60)", mariadb = "SELECT SLEEP(60)" }
    if not slow[database] then
      return -- there a statement does not wait
    end
    for _, how in ipairs { "commit", "rollback" } do
      async.run(function()
        local trx = ds:transaction()
        local task = async.spawn(function()
          return code_of(ds.rawQuery, ds, slow[database], nil, { trx = trx })
        end)
        coroutine.yield()
        pcall(trx[how], trx)
        assert.equal("CLOSED", task:await())
      end)
      assert.equal(0, ds:getPool():stats().leased)
    end
  end)

  it("stands no more in the queue for a connection once it is cancelled", function()
    without_garbage(function()
      local held = {}
      for index = 1, ds:getPool():stats().max do
        held[index] = ds:transaction { readOnly = true }
      end
      local tasks = {
        async.spawn(function() ds:transaction { readOnly = true } end),
        async.spawn(function() ds:transaction(function() end, { readOnly = true }) end),
        async.spawn(function() ds:rawQuery("SELECT 1") end),
      }
      coroutine.yield()
      assert.equal(3, ds:getPool():stats().waiting)
      for _, task in ipairs(tasks) do
        task:cancel()
      end
      assert.equal(0, ds:getPool():stats().waiting)
      for _, trx in ipairs(held) do
        trx:rollback()
      end
      assert.equal(0, ds:getPool():stats().leased)
    end)
  end)

  it("rolls back and raises when one of all fails", function()
    assert.equal("stop", code_of(async.run, function()
      local stored = false
      async.all {
        function()
          ds:transaction(function()
            coins():insert { owner = 1, cents = 1 }
            stored = true
            async.sleep(60000)
          end)
        end,
        function() repeat async.sleep(1) until stored error("stop", 0) end,
      }
    end))
    assert.equal(0, coins():count())
  end)

  it("refuses to start tasks inside a transaction", function()
    async.run(function()
      ds:transaction(function()
        assert.equal("SPAWN_IN_TRANSACTION", code_of(async.spawn, function() end))
        assert.equal("SPAWN_IN_TRANSACTION", code_of(async.all, { function() end }))
      end)
    end)
    ds:transaction(function()
      assert.equal("SPAWN_IN_TRANSACTION", code_of(async.run, function() end))
    end)
  end)

  it("lets an iterator of a task see the task's transaction", function()
    async.run(function()
      ds:transaction(function()
        coins():insert { owner = 7, cents = 7 }
        local next_coin = coroutine.wrap(function()
          for _, coin in ipairs(coins():where("owner", 7):many()) do
            coroutine.yield(coin.cents)
          end
        end)
        assert.equal(7, next_coin())
      end)
    end)
  end)

  it("keeps transactions of different tasks apart", function()
    local stored, counted = false, false
    local function await(what)
      while not what() do
        async.sleep(1)
      end
    end
    async.run(function()
      async.all {
        function()
          ds:transaction(function()
            coins():insert { owner = 1, cents = 1 }
            stored = true
            await(function() return counted end)
          end)
        end,
        function()
          await(function() return stored end)
          local seen = coins():count()
          counted = true
          assert.equal(0, seen) -- not committed yet
        end,
      }
    end)
    assert.equal(1, coins():count())
  end)
end, { shared = true, pool = { max = 4 } })

-- What the shape of the waiting promises: many tasks in one thread, through the same verbs that block
-- outside of tasks.
databases.each(function(ds, database)
  local TASKS, CONNECTIONS = 100, 10
  local SLOW = { postgres = "SELECT pg_sleep(%g) AS s", mysql = "SELECT SLEEP(%g) AS s" }
  SLOW.mariadb = SLOW.mysql

  -- A statement of so many milliseconds; SQLite has none that waits.
  local function slow(ms)
    if SLOW[database] then
      ds:rawQuery(SLOW[database]:format(ms / 1000))
    else
      async.sleep(ms)
      ds:rawQuery("SELECT 1")
    end
  end

  local function threads()
    for line in io.lines("/proc/self/status") do
      local n = line:match("^Threads:%s*(%d+)")
      if n then
        return tonumber(n)
      end
    end
  end

  setup(function()
    ds:dropTables({ Coin }, { ifExists = true })
    ds:createTables { Coin }
  end)

  before_each(function()
    local rows = {}
    for owner = 1, TASKS do
      rows[owner] = { owner = owner, cents = owner * 3 }
    end
    Coin:using(ds):truncate()
    Coin:using(ds):insertMany(rows, { returning = false })
  end)

  after_each(function()
    assert.equal(0, ds:getPool():stats().leased)
  end)

  -- The verb under test: it knows of no tasks.
  local function cents_of(owner)
    local list = Coin:using(ds):query():where("owner", owner):many()
    assert.equal(1, #list)
    return list[1].cents
  end

  it("100 tasks share 10 connections in one thread, by the query that blocks outside", function()
    for owner = 1, 5 do
      assert.equal(owner * 3, cents_of(owner)) -- outside: it blocks
    end
    local held = {}
    for index = 1, CONNECTIONS do -- all are made, so that how long that takes plays no part
      held[index] = ds:startTransaction { readOnly = true }
    end
    for _, trx in ipairs(held) do
      trx:rollback()
    end
    local before, most, most_threads, waited = ds:getPool():stats(), 0, 0, 0
    local outside = threads()
    local results = async.run(function()
      local jobs = {}
      for owner = 1, TASKS do
        jobs[owner] = function()
          slow(5)
          local cents = cents_of(owner)
          local now = ds:getPool():stats()
          most = math.max(most, now.leased)
          waited = math.max(waited, now.waiting)
          most_threads = math.max(most_threads, threads())
          return cents
        end
      end
      return async.all(jobs)
    end)
    for owner = 1, TASKS do
      assert.equal(owner * 3, results[owner])
    end
    local after = ds:getPool():stats()
    assert.is_true(after.size <= CONNECTIONS and after.max == CONNECTIONS)
    assert.is_true(most_threads <= outside + 1, "a thread per task?") -- a source may have one helper
    if database ~= "sqlite" then -- its statements are over before another task runs
      assert.is_true(most >= CONNECTIONS - 1, most .. " connections at once")
      assert.is_true(after.waited - before.waited >= TASKS - CONNECTIONS, "nobody waited for a connection")
    end
    databases.report("async on %s: %d tasks over %d connections, at most %d leased, %d waiting at once, %d threads",
      database, TASKS, CONNECTIONS, most, waited, most_threads)
  end)

  it("waiting for a connection stops nobody else", function()
    local ticks_while_waiting, waiting = 0, false
    async.run(function()
      local held = {}
      for index = 1, CONNECTIONS do
        held[index] = ds:startTransaction { readOnly = true }
      end
      local ticker = async.spawn(function()
        while true do
          async.sleep(1)
          if waiting then
            ticks_while_waiting = ticks_while_waiting + 1
            if ticks_while_waiting == 20 then -- only now there is something for the one that waits
              held[1]:rollback()
            end
          end
        end
      end)
      local task = async.spawn(function()
        waiting = true
        local cents = cents_of(7)
        waiting = false
        return cents
      end)
      assert.equal(21, task:await())
      ticker:cancel()
      for _, trx in ipairs(held) do
        trx:rollback()
      end
    end)
    assert.is_true(ticks_while_waiting >= 20)
  end)

  it("an iterator of the task's own sees the transaction of the task", function()
    local seen = async.run(function()
      return async.all {
        function()
          return ds:transaction(function()
            Coin:using(ds):insert { owner = 500, cents = 1 }
            local total = 0
            local each = coroutine.wrap(function()
              for _, coin in ipairs(Coin:using(ds):where("owner", ">=", 500):many()) do
                coroutine.yield(coin.cents)
                slow(1)
              end
            end)
            for cents in each do
              total = total + cents
            end
            return total
          end)
        end,
        function() return Coin:using(ds):where("owner", ">", 500):getCount() end,
      }
    end)
    assert.same({ 1, 0, n = 2 }, seen)
  end)

  it("the first error ends the others, in statements and in the queue, and gives everything back", function()
    local finished, begun = 0, 0
    local err = code_of(async.run, function()
      local jobs = {}
      for owner = 1, 30 do
        jobs[owner] = function()
          begun = begun + 1
          if owner == 30 then
            repeat async.sleep(1) until ds:getPool():stats().leased > 0 or database == "sqlite"
            error("stop", 0)
          end
          ds:transaction(function()
            Coin:using(ds):insert { owner = 1000 + owner, cents = 1 }
            slow(20000)
            finished = finished + 1
          end)
        end
      end
      async.all(jobs)
    end)
    assert.equal("stop", err)
    assert.equal(30, begun)
    assert.equal(0, finished)
    assert.equal(0, Coin:using(ds):where("owner", ">", 1000):getCount())
    assert.equal(3, cents_of(1))
  end)
end, { shared = true, pool = { max = 10 } })
