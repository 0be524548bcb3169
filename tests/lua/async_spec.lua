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
        function() async.sleep(30) order[#order + 1] = "late" end,
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
        function() async.sleep(50) finished = true end,
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

databases.each(function(ds)
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
      local task = async.spawn(function()
        ds:transaction(function()
          coins():insert { owner = 1, cents = 1 }
          async.sleep(10000)
        end)
      end)
      async.sleep(20)
      task:cancel()
    end)
    assert.equal(0, coins():count())
  end)

  it("rolls back and raises when one of all fails", function()
    assert.equal("stop", code_of(async.run, function()
      async.all {
        function()
          ds:transaction(function()
            coins():insert { owner = 1, cents = 1 }
            async.sleep(10000)
          end)
        end,
        function() async.sleep(20) error("stop", 0) end,
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
