-- The pool as a program sees it: what it counts, what it says when a thread waits for itself, and
-- that every verb keeps its time.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

local function here()
  return "pool_spec.lua:" .. debug.getinfo(2, "l").currentline
end

databases.each(function(main, database, config)
  local Row = model "PoolRow" {
    hysteria.softDelete(), id = column.increment(), n = column.integer { unique = true }, parentId = column.integer(),
    children = hysteria.hasMany("PoolRow", { foreignKey = "parentId" }),
  }
  local ds, rows

  setup(function()
    main:dropTables({ Row }, { ifExists = true })
    main:createTables { Row }
    Row:using(main):insertMany({ { n = 1 }, { n = 2 } }, { returning = false })
  end)

  local function open(more)
    ds = sql.connectToSecondarySource(config(more))
    rows = Row:using(ds)
    return ds
  end

  after_each(function()
    if ds then
      ds:close()
      ds = nil
    end
  end)

  describe("sql.getPool()", function()
    local function stats()
      return ds:getPool():stats()
    end

    it("counts what the pool holds and has done", function()
      open { pool = { max = 3, acquireTimeout = 5000 } }
      local fresh = stats()
      for _, name in ipairs {
        "size", "idle", "leased", "connecting", "waiting", "max", "acquired", "waited", "timeouts", "created", "closed",
        "discarded",
      } do
        assert.equal("integer", math.type(fresh[name]), name)
      end
      assert.same({ 1, 1, 0, 3, 0 }, { fresh.size, fresh.idle, fresh.leased, fresh.max, fresh.waiting })
      assert.equal(1, fresh.created)

      local one, two = ds:startTransaction { readOnly = true }, ds:startTransaction { readOnly = true }
      local held = stats()
      assert.same({ 2, 0, 2 }, { held.size, held.idle, held.leased })
      assert.equal(2, ds:getPool():size())
      assert.equal(fresh.acquired + 2, held.acquired)
      one:rollback()
      two:rollback()
      local back = stats()
      assert.same({ 2, 2, 0, 2, 0, 0 }, { back.size, back.idle, back.leased, back.created, back.waited, back.timeouts })

      rows:count()
      assert.equal(back.acquired + 1, stats().acquired)
      assert.equal(0, stats().leased)
    end)

    it("counts who waits, and who waited in vain", function()
      open { pool = { max = 2, acquireTimeout = 2000 } } -- connecting counts
      async.run(function()
        local one, two = ds:startTransaction { readOnly = true }, ds:startTransaction { readOnly = true }
        local counted = async.spawn(function() return rows:count() end)
        local lost = async.spawn(function() return rows:count { timeout = 30 } end)
        repeat async.sleep(1) until stats().waiting > 0
        assert.equal(2, stats().leased)
        local ok, err = pcall(lost.await, lost)
        assert.is_false(ok)
        assert.equal("POOL_TIMEOUT", err.code)
        ok, err = pcall(counted.await, counted)
        assert.is_false(ok)
        assert.equal("POOL_TIMEOUT", err.code)
        assert.is_true(stats().timeouts >= 2)
        assert.equal(0, stats().waiting)

        local served = async.spawn(function() return rows:count() end)
        repeat async.sleep(1) until stats().waiting == 1
        one:rollback()
        assert.equal(2, served:await())
        two:rollback()
        assert.is_true(stats().waited >= 3)
      end)
      assert.equal(0, stats().leased)
    end)

    it("takes the type that it is of, and no other", function()
      open()
      assert.is_number(ds:getPool(database):size())
      assert.equal("INVALID_ARGUMENT", error_of(ds.getPool, ds, "nosuch").code)
    end)
  end)

  describe("a connection", function()
    it("that a query's function has locked something with is clean for the next call", function()
      local locks = {
        postgres = { sql.func("pg_advisory_lock", 77),
          "SELECT count(*) = 0 AS free FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()" },
        mariadb = { sql.func("GET_LOCK", "hy_pool_spec", 0), "SELECT IS_FREE_LOCK('hy_pool_spec') = 1 AS free" },
      }
      local lock = locks[database == "mysql" and "mariadb" or database]
      if not lock then
        return -- SQLite has no such function
      end
      open { pool = { max = 1 } }
      assert.equal(1, #rows:query():where("n", 1):select("n"):select(lock[1], "locked"):many())
      local free = ds:rawQuery(lock[2])[1].free
      assert.is_true(free == true or free == 1)
      assert.equal(1, ds:getPool():stats().created)
    end)
  end)

  describe("a thread that holds every connection and wants another", function()
    it("is told at once, with the lines that hold them", function()
      open { pool = { max = 2, acquireTimeout = 20000 } }
      local first_line = here()
      local first = ds:startTransaction { readOnly = true }
      local second_line = here()
      local second = ds:startTransaction { readOnly = true }
      local started = os.time()
      for name, verb in pairs {
        many = function() rows:query():many() end,
        raw = function() ds:rawQuery("SELECT 1") end,
        insert = function() rows:insert { n = 9 } end,
        transaction = function() ds:transaction(function() end) end,
        manual = function() ds:startTransaction() end,
      } do
        local err = error_of(verb)
        assert.equal("POOL_SELF_DEADLOCK", err.code, name)
        for _, line in ipairs { first_line, second_line } do
          local number = tonumber(line:match("%d+$")) + 1
          assert.matches("pool_spec.lua:" .. number, err.message, 1, true)
        end
        assert.matches("pool_spec.lua", err.where, 1, true)
      end
      assert.is_true(os.time() - started < 20) -- less than one of them would have waited
      first:rollback()
      assert.equal(2, rows:count())
      second:rollback()
    end)

    it("is told so inside transactions of the callback form too", function()
      open { pool = { max = 1, acquireTimeout = 20000 } }
      local line
      local err = error_of(ds.transaction, ds, function()
        line = here()
        rows:count { trx = false }
      end)
      assert.equal("POOL_SELF_DEADLOCK", err.code)
      assert.matches("pool_spec.lua:" .. tonumber(line:match("%d+$")) + 1, err.where, 1, true)
      assert.equal(2, rows:count())
    end)

    it("gets the connections of what was dropped and not closed", function()
      open { pool = { max = 2, acquireTimeout = 20000 } }
      for _ = 1, 10 do
        ds:startTransaction { readOnly = true }
      end
      assert.equal(2, rows:count())
    end)
  end)
end, { shared = true, pool = { max = 4 } })

-- ---- time ---------------------------------------------------------------------------------------

-- A condition that takes for ever, and what the error may be where a writer waits for a writer.
local ENDLESS = {
  postgres = "pg_sleep(20) IS NOT NULL", mysql = "SLEEP(20) = 0", mariadb = "SLEEP(20) = 0",
  sqlite = "(WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) > 0",
}
local ENDLESS_RAW = {
  postgres = "SELECT pg_sleep(20) AS s", mysql = "SELECT SLEEP(20) AS s", mariadb = "SELECT SLEEP(20) AS s",
  sqlite = "SELECT " .. ENDLESS.sqlite .. " AS s",
}
local CODES = { QUERY_TIMEOUT = true }
-- A write on its own may have been stored when it is given up; with SQLite it only waited for its turn.
local LONE = { QUERY_TIMEOUT = true, OUTCOME_UNKNOWN = true }
local WAITED = { QUERY_TIMEOUT = true, LOCK_TIMEOUT = true }

databases.each(function(ds, database, config)
  local core = require("hysteria.core")
  local slow = false
  local Slow = model "PoolSlow" {
    hysteria.softDelete(),
    hysteria.defaultScope(function(q)
      if slow then
        q:whereRaw(ENDLESS[database])
      end
    end),
    id = column.increment(), n = column.integer { unique = true }, parentId = column.integer(),
    children = hysteria.hasMany("PoolSlow", { foreignKey = "parentId" }),
  }
  local rows = Slow:using(ds)
  local LIMIT = 60
  local first_id

  -- A new table each time: rows that were deleted before leave locks behind them on MySQL.
  before_each(function()
    slow = false
    ds:dropTables({ Slow }, { ifExists = true })
    ds:createTables { Slow }
    first_id = rows:insert({ n = 1 }).id
    rows:insert { n = 2, parentId = first_id }
  end)

  -- fn raises in its time, the source can be used afterwards, and nothing stays lent.
  local function expect_timeout(codes, fn, ...)
    local started = core.monotonic()
    local err = error_of(fn, ...)
    local took = (core.monotonic() - started) * 1000
    slow = false
    assert.is_true(hysteria.isError(err), tostring(err))
    assert.is_true(codes[err.code], tostring(err))
    assert.is_true(took >= LIMIT - 5, took .. " ms")
    assert.is_true(took < 20000, took .. " ms") -- what it would take
    assert.equal(1, ds:rawQuery("SELECT 1 AS one")[1].one)
    return took
  end

  local given = { timeout = LIMIT }
  local READS = {
    many = function() rows:query():many(given) end,
    one = function() rows:query():one(given) end,
    first = function() rows:query():first(given) end,
    oneOrFail = function() rows:query():oneOrFail(given) end,
    firstOrFail = function() rows:query():firstOrFail(given) end,
    exists = function() rows:query():exists(given) end,
    pluck = function() rows:query():pluck("n", given) end,
    count = function() rows:query():count(given) end,
    getCount = function() rows:query():getCount("n", given) end,
    getMax = function() rows:query():getMax("n", given) end,
    getMin = function() rows:query():getMin("n", given) end,
    getAvg = function() rows:query():getAvg("n", given) end,
    getSum = function() rows:query():getSum("n", given) end,
    paginate = function() rows:query():paginate(1, 5, given) end,
    ["query:timeout()"] = function() rows:query():timeout(LIMIT):many() end,
    ["query { timeout }"] = function() rows:query(given):many() end,
    ["ds:query { timeout }"] = function() ds:query("pool_slows", given):whereRaw(ENDLESS[database]):many() end,
    ["a plain table's many"] = function() ds:query("pool_slows"):whereRaw(ENDLESS[database]):many(given) end,
    ["load"] = function()
      slow = false
      rows:query():load("children", function(q) q:whereRaw(ENDLESS[database]) end):many(given)
    end,
    ["record:load"] = function()
      slow = false
      rows:first():load("children", function(q) q:whereRaw(ENDLESS[database]) end, given)
    end,
    find = function() rows:find(given) end,
    all = function() rows:all(given) end,
    findOne = function() rows:findOne(given) end,
    ["class:first"] = function() rows:first(given) end,
    findOneOrFail = function() rows:findOneOrFail(given) end,
    findBy = function() rows:findBy("n", 1, given) end,
    findOneBy = function() rows:findOneBy("n", 1, given) end,
    findOneByPrimaryKey = function() rows:findOneByPrimaryKey(first_id, given) end,
    ["class:count"] = function() rows:count(given) end,
    ["class:exists"] = function() rows:exists(given) end,
    firstOrInsert = function() rows:firstOrInsert({ n = 1 }, nil, given) end,
    fromQuery = function() rows:fromQuery(ENDLESS_RAW[database], {}, given) end,
    rawQuery = function() ds:rawQuery(ENDLESS_RAW[database], nil, given) end,
    ["bulk update"] = function() rows:where("n", 1):update({ parentId = 1 }, given) end,
    ["bulk increment"] = function() rows:where("n", 1):increment("parentId", 1, given) end,
    ["bulk decrement"] = function() rows:where("n", 1):decrement("parentId", 1, given) end,
    ["bulk delete"] = function() rows:where("n", 1):delete(given) end,
    ["bulk softDelete"] = function() rows:where("n", 1):softDelete(given) end,
    ["class:update"] = function() rows:update({ parentId = 1 }, { where = { n = 1 }, timeout = LIMIT }) end,
    ["class:delete"] = function() rows:delete { where = { n = 1 }, timeout = LIMIT } end,
    ["in a transaction"] = function() ds:transaction(function() rows:find(given) end) end,
  }

  describe("{ timeout = ms }", function()
    local kept, worst = 0, 0

    for name, verb in pairs(READS) do
      it("ends " .. name, function()
        slow = true
        local writes = name:find("^bulk") or name:find("^class:[ud]")
        worst = math.max(worst, expect_timeout(writes and LONE or CODES, verb))
        kept = kept + 1
        assert.equal(0, ds:getPool():stats().leased)
        assert.equal(2, rows:count())
      end)
    end

    -- Until the server has been told, behind the caller's back, to stop what was given up.
    local function until_stopped()
      local running = {
        postgres = "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
          .. " AND query LIKE '%pool_slows%'",
      }
      local text = running[database] or "SELECT count(*) AS n FROM information_schema.processlist"
        .. " WHERE info LIKE '%pool_slows%' AND id <> connection_id()"
      local started = core.monotonic()
      while ds:rawQuery(text)[1].n > 0 do
        assert(core.monotonic() - started < 10, "the server goes on with what was given up")
        async.sleep(2)
      end
    end

    -- Statements that do nothing but wait for somebody else's lock.
    local WRITES = {
      insert = function() rows:insert({ n = 3 }, given) end,
      insertMany = function() rows:insertMany({ { n = 7 }, { n = 3 } }, given) end,
      ["insertMany without records"] = function()
        rows:insertMany({ { n = 7 }, { n = 3 } }, { returning = false, timeout = LIMIT })
      end,
      ["builder insert"] = function() rows:query():insert({ n = 3 }, given) end,
      ["a plain table's insert"] = function() ds:query("pool_slows"):insert({ n = 3 }, given) end,
      ["record:save"] = function(row) row.parentId = 5 row:save(given) end,
      ["record:update"] = function(row) row:update({ parentId = 5 }, given) end,
      ["record:delete"] = function(row) row:delete(given) end,
      ["record:softDelete"] = function(row) row:softDelete(given) end,
      ["record:restore"] = function(row) row:restore(given) end,
      updateRecord = function(row) rows:updateRecord(row.id, { parentId = 5 }, given) end,
      deleteRecord = function(row) rows:deleteRecord(row.id, given) end,
      ["class:softDelete"] = function(row) rows:softDelete(row.id, given) end,
      ["class:restore"] = function(row) rows:restore(row.id, given) end,
      ["class:save"] = function(row) rows:save({ id = row.id, parentId = 5 }, given) end,
      ["bulk restore"] = function(row) rows:query():onlyDeleted():where("id", row.id):restore(given) end,
      truncate = function() rows:query():withoutDefaultScope():truncate(given) end,
      dropTables = function() ds:dropTables({ Slow }, given) end,
    }

    -- A row that somebody else has changed and not let go.
    local function locked_row(name)
      local row = rows:first()
      if name:find("restore", 1, true) then
        row:softDelete()
      end
      local spare, holder = ds:startTransaction { readOnly = true }, ds:startTransaction()
      spare:rollback() -- what follows finds a connection and need not make one in its time
      Slow:using(holder.sql):query():withDeleted():where("id", row.id):update { parentId = 9 }
      Slow:using(holder.sql):insert { n = 3 }
      return row, holder
    end

    local function nothing_changed()
      assert.equal(0, ds:getPool():stats().leased)
      assert.equal(2, rows:query():withDeleted():getCount())
      assert.equal(0, rows:query():withDeleted():whereIn("n", { 3, 7, 8 }):getCount())
    end

    for name, verb in pairs(WRITES) do
      it("ends " .. name .. " that waits for a lock", function()
        local row, held = locked_row(name)
        local holder <close> = held
        if database == "sqlite" then
          -- Outside of tasks the thread would be told at once that it waits for itself.
          worst = math.max(worst, expect_timeout(WAITED, async.run, verb, row))
        else
          worst = math.max(worst, expect_timeout(LONE, verb, row))
          until_stopped()
        end
        kept = kept + 1
        holder:rollback()
        nothing_changed()
      end)

      -- SQLite's waits before it begins; and what ends a transaction by itself belongs in none.
      local ends_it = name == "dropTables" and not ds:can("TRANSACTIONAL_DDL")
      if database ~= "sqlite" and not ends_it then
        it("ends " .. name .. " in a transaction, which stores nothing", function()
          local row, held = locked_row(name)
          local holder <close> = held
          worst = math.max(worst, expect_timeout(CODES, ds.transaction, ds, function()
            rows:insert { n = 8 }
            verb(row)
          end))
          kept = kept + 1
          until_stopped()
          holder:rollback()
          nothing_changed()
        end)
      end
    end

    it("ends a ping that gets no connection", function()
      local held = {}
      for index = 1, 4 do
        held[index] = ds:startTransaction { readOnly = true }
      end
      async.run(function()
        local answer = ds:ping(given)
        assert.is_false(answer.ok)
        assert.equal("POOL_TIMEOUT", answer.error.code)
      end)
      for _, trx in ipairs(held) do
        trx:rollback()
      end
      assert.is_true(ds:ping(given).ok)
    end)

    it("is one budget for all statements of a call", function()
      rows:insert { n = 3, parentId = rows:findOneBy("n", 2).id }
      local loaded = 0
      local function slowly()
        loaded = loaded + 1
        async.sleep(LIMIT * 2 // 3) -- two of these are more than there is
      end
      local function load_all(options)
        return rows:where("id", first_id)
          :load("children", slowly):load("children.children", slowly):one(options)
      end
      expect_timeout(CODES, load_all, given)
      assert.is_true(loaded == 1 or loaded == 2, loaded) -- one where the machine is slow
      assert.equal(3, load_all({ timeout = 20000 }).children[1].children[1].n)
    end)

    it("must be a whole number", function()
      for _, wrong in ipairs { -1, 1.5, "soon", {} } do
        assert.equal("INVALID_ARGUMENT", error_of(rows.find, rows, { timeout = wrong }).code)
        assert.equal("INVALID_ARGUMENT", error_of(ds.rawQuery, ds, "SELECT 1", nil, { timeout = wrong }).code)
      end
    end)

    teardown(function()
      databases.report("timeouts on %s: %d verbs of %d ms each, the slowest took %.0f ms", database, kept, LIMIT, worst)
    end)
  end)

  describe("statementTimeout", function()
    it("ends every statement that says nothing else", function()
      local strict <close> = sql.connectToSecondarySource(config { statementTimeout = 1500 }) -- connecting counts
      local started = core.monotonic()
      assert.equal("QUERY_TIMEOUT", error_of(strict.rawQuery, strict, ENDLESS_RAW[database]).code)
      slow = true
      assert.equal("QUERY_TIMEOUT", error_of(function() Slow:using(strict):find() end).code)
      slow = false
      assert.is_true(core.monotonic() - started < 20)
      assert.equal(2, Slow:using(strict):count())
      assert.equal(0, strict:getPool():stats().leased)
    end)

    it("gives way to a call's own", function()
      local strict <close> = sql.connectToSecondarySource(config { statementTimeout = 20000 })
      expect_timeout(CODES, strict.rawQuery, strict, ENDLESS_RAW[database], nil, given)
    end)
  end)
end, { shared = true, pool = { max = 4 } })
