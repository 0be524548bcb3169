-- Transactions: callback and manual form, nesting, who joins, what survives.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

-- Several connections, so that what another one sees can be asked for.
databases.each(function(ds, database, config)
  describe("transactions", function()
    local Entry = model "TrxEntry" { id = column.increment(), text = column.string { unique = true } }
    local entries = Entry:using(ds)

    setup(function()
      ds:dropTables({ Entry }, { ifExists = true })
      ds:createTables { Entry }
    end)

    before_each(function()
      entries:truncate()
    end)

    -- What a connection outside of every transaction sees.
    local function seen()
      local list = {}
      for index, row in ipairs(ds:rawQuery("SELECT text FROM trx_entries ORDER BY id", nil, { trx = false })) do
        list[index] = row.text
      end
      return table.concat(list, " ")
    end

    describe("with a callback", function()
      it("commit what fn does and give what it gives", function()
        local a, b, c = ds:transaction(function(trx)
          assert.is_true(trx.isActive)
          entries:insert { text = "a" }
          assert.equal("", seen())
          return 1, nil, 3
        end)
        assert.same({ 1, nil, 3 }, { a, b, c })
        assert.equal("a", seen())
      end)

      it("roll back and pass the error on as it is", function()
        local mine = setmetatable({}, { __tostring = function() return "mine" end })
        local err = error_of(ds.transaction, ds, function()
          entries:insert { text = "a" }
          error(mine)
        end)
        assert.equal(mine, err)
        assert.equal("", seen())
      end)

      it("join every call of the source, in coroutines that fn resumes too", function()
        ds:transaction(function()
          entries:insert { text = "a" }
          ds:query("trx_entries"):insert { text = "b" }
          ds:rawQuery("INSERT INTO trx_entries (text) VALUES ('c')")
          coroutine.wrap(function()
            entries:insert { text = "d" }
          end)()
          assert.equal(4, entries:count())
          assert.equal("", seen())
        end)
        assert.equal("a b c d", seen())
      end)

      it("decide who joins when the statement runs", function()
        local q = entries:where("text", "a")
        ds:transaction(function()
          entries:insert { text = "a" }
          assert.is_true(q:exists())
          assert.is_false(q:exists { trx = false })
          error_of(error)
        end)
      end)

      it("can be left for a call, for a block, and altogether", function()
        ds:transaction(function()
          entries:insert { text = "a" }
          assert.equal(0, entries:count { trx = false })
          assert.equal(0, ds:outside(function() return entries:count() end))
          assert.equal(1, entries:count())
        end)
        ds:transaction(function(trx)
          assert.equal(1, entries:count())
          trx.sql:getModelManager(Entry):insert { text = "b" }
          assert.equal(1, entries:count())
          assert.equal(2, trx.sql:getModelManager(Entry):count())
          assert.equal(2, entries:count { trx = trx })
        end, { ambient = false })
        assert.equal("a b", seen())
      end)

      it("do not reach a coroutine that runs on its own", function()
        local other = coroutine.create(function()
          coroutine.yield()
          return entries:count()
        end)
        coroutine.resume(other)
        local inside = coroutine.create(function()
          ds:transaction(function()
            entries:insert { text = "a" }
            coroutine.yield()
          end)
        end)
        coroutine.resume(inside)
        assert.equal(0, select(2, coroutine.resume(other)))
        coroutine.resume(inside)
        assert.equal("a", seen())
      end)

      it("roll back when their coroutine is closed", function()
        local inside = coroutine.create(function()
          ds:transaction(function()
            entries:insert { text = "a" }
            coroutine.yield()
          end)
        end)
        coroutine.resume(inside)
        assert.is_true(coroutine.close(inside))
        assert.equal("", seen())
        entries:insert { text = "b" }
        assert.equal("b", seen())
      end)

      it("leave nothing behind", function()
        error_of(ds.transaction, ds, function() error("x") end)
        entries:insert { text = "a" }
        assert.equal("a", seen())
        local stats = ds:getPool():stats()
        assert.equal(0, stats.leased)
      end)

      it("may be finished inside", function()
        ds:transaction(function(trx)
          entries:insert { text = "a" }
          trx:rollback()
          assert.is_false(trx.isActive)
          return "fine"
        end)
        assert.equal("", seen())
      end)

      it("go on after an error that was caught in one inside", function()
        ds:transaction(function()
          entries:insert { text = "a" }
          assert.equal("UNIQUE_VIOLATION", error_of(ds.transaction, ds, function()
            entries:insert { text = "a" }
          end).code)
          entries:insert { text = "b" }
        end)
        assert.equal("a b", seen())
      end)

      -- Nobody can undo any more what came before, and nobody is to think so.
      it("say so when a statement has ended them, also where it begins another one", function()
        local words = {
          postgres = { "COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "rollback work and chain" },
          mariadb = { "COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "begin", "START TRANSACTION" },
          sqlite = { "COMMIT", "ROLLBACK" },
        }
        for _, text in ipairs(words[database] or words.mariadb) do
          entries:truncate()
          local err = error_of(ds.transaction, ds, function(trx)
            entries:insert { text = "a" }
            ds:rawQuery(text)
            assert.equal("TRANSACTION_ABORTED", error_of(entries.insert, entries, { text = "b" }).code)
            assert.equal("TRANSACTION_ABORTED", error_of(trx.savepoint, trx).code)
          end)
          assert.equal("TRANSACTION_ABORTED", err.code, text)
          assert.equal(text:lower():find("rollback") and "" or "a", seen(), text)

          local trx = ds:transaction()
          local point = trx:savepoint()
          ds:rawQuery(text, nil, { trx = trx })
          assert.equal("TRANSACTION_ABORTED", error_of(point.rollback, point).code, text)
          assert.equal("TRANSACTION_ABORTED", error_of(trx.rollback, trx).code, text)
        end
        assert.equal(0, ds:getPool():stats().leased)
      end)

      it("are not begun by raw SQL, which would be alone in them", function()
        for _, text in ipairs { "BEGIN", "BEGIN -- and go on" } do
          local err = error_of(ds.rawQuery, ds, text)
          assert.equal("INVALID_ARGUMENT", err.code, text)
          assert.is_truthy(err.message:find("transaction()", 1, true), err.message)
        end
        entries:insert { text = "a" }
        assert.equal("a", seen())
        assert.equal(0, ds:getPool():stats().leased)
      end)

      it("go on after statements that only look as if they ended them", function()
        local words = {
          postgres = { "BEGIN", "START TRANSACTION", "SAVEPOINT chain", "ROLLBACK TO SAVEPOINT chain" },
          mariadb = { "SAVEPOINT chain", "ROLLBACK TO SAVEPOINT chain", "ROLLBACK WORK TO chain" },
          sqlite = { "SAVEPOINT chain", "ROLLBACK TO SAVEPOINT chain" },
        }
        ds:transaction(function()
          for _, text in ipairs(words[database] or words.mariadb) do
            ds:rawQuery(text)
          end
          entries:insert { text = "a" }
        end)
        assert.equal("a", seen())
      end)

      it("go on after a statement that was refused before it was sent", function()
        if database ~= "postgres" then
          return
        end
        ds:transaction(function()
          entries:insert { text = "a" }
          for _, text in ipairs { "COPY trx_entries FROM STDIN", "COPY trx_entries TO STDOUT" } do
            assert.equal("UNSUPPORTED", error_of(ds.rawQuery, ds, text).code)
          end
          entries:insert { text = "b" }
        end)
        assert.equal("a b", seen())
      end)

      -- PostgreSQL takes nothing more after any error; what must never happen is that half is stored.
      it("go on after an error that was caught, or store nothing", function()
        local ok, err = pcall(ds.transaction, ds, function()
          entries:insert { text = "a" }
          assert.equal("UNIQUE_VIOLATION", error_of(entries.insert, entries, { text = "a" }).code)
          entries:insert { text = "b" }
        end)
        if database == "postgres" then
          assert.equal("TRANSACTION_ABORTED", err.code)
          assert.equal("", seen())
        else
          assert.is_true(ok)
          assert.equal("a b", seen())
        end
      end)
    end)

    it("undo a truncate, and what came before it", function()
      entries:insert { text = "a" }
      local writes = {
        function() entries:truncate() end, function() entries:query():truncate() end,
        function() ds:query("trx_entries"):truncate() end,
      }
      for _, truncate in ipairs(writes) do
        error_of(ds.transaction, ds, function()
          entries:insert { text = "b" }
          truncate()
          assert.equal(0, entries:count())
          entries:insert { text = "c" }
          error("undo")
        end)
        assert.equal("a", seen())
      end
      local trx = ds:startTransaction()
      entries:truncate { trx = trx }
      trx:rollback()
      assert.equal("a", seen())
      ds:transaction(function()
        entries:truncate()
        entries:insert { text = "d" }
      end)
      assert.equal("d", seen())
    end)

    describe("by hand", function()
      it("are joined only by name", function()
        local trx = ds:startTransaction()
        trx.sql:query("trx_entries"):insert { text = "a" }
        entries:insert({ text = "b" }, { trx = trx })
        Entry:query({ connection = ds, trx = trx }):insert { text = "c" }
        trx.sql:rawQuery("INSERT INTO trx_entries (text) VALUES ('d')")
        assert.equal(4, trx.sql:query("trx_entries"):getCount())
        assert.equal(0, entries:count())
        assert.is_true(trx:commit())
        assert.equal("a b c d", seen())
      end)

      it("end once; asking again is no error unless wanted", function()
        local trx = ds:transaction()
        assert.is_true(trx:rollback())
        assert.is_false(trx:commit())
        assert.is_false(trx:rollback())
        assert.equal("TRANSACTION_NOT_ACTIVE",
          error_of(trx.commit, trx, { throwErrorOnInactiveTransaction = true }).code)
      end)

      it("refuse statements afterwards", function()
        local trx = ds:transaction()
        trx:commit()
        assert.equal("TRANSACTION_NOT_ACTIVE", error_of(entries.count, entries, { trx = trx }).code)
        assert.equal("TRANSACTION_NOT_ACTIVE", error_of(function() trx.sql:query("trx_entries"):many() end).code)
        assert.equal("TRANSACTION_NOT_ACTIVE", error_of(function() trx.sql:rawQuery("SELECT 1") end).code)
      end)

      it("roll back when their variable is closed", function()
        do
          local trx <close> = ds:transaction()
          entries:insert({ text = "a" }, { trx = trx })
        end
        assert.equal("", seen())
      end)

      it("belong to one source", function()
        local other = sql.connectToSecondarySource { type = "sqlite" }
        local trx = other:transaction()
        assert.equal("INVALID_ARGUMENT", error_of(entries.count, entries, { trx = trx }).code)
        assert.equal("INVALID_ARGUMENT", error_of(entries.count, entries, { trx = {} }).code)
        trx:rollback()
        other:close()
      end)
    end)

    describe("nested", function()
      it("undo only themselves", function()
        ds:transaction(function()
          entries:insert { text = "a" }
          error_of(ds.transaction, ds, function()
            entries:insert { text = "b" }
            error("inner")
          end)
          ds:transaction(function() entries:insert { text = "c" } end)
        end)
        assert.equal("a c", seen())
      end)

      it("are lost with the outer one", function()
        error_of(ds.transaction, ds, function()
          ds:transaction(function() entries:insert { text = "a" } end)
          error("outer")
        end)
        assert.equal("", seen())
      end)

      it("work by hand, to any depth, and end in order", function()
        local outer = ds:transaction()
        local one = outer:nestedTransaction()
        local two = one:savepoint()
        entries:insert({ text = "a" }, { trx = two })
        two:commit()
        assert.is_true(one.isActive)
        one:rollback()
        assert.is_true(outer.isActive)
        local three = outer:savepoint()
        entries:insert({ text = "b" }, { trx = three })
        outer:commit()
        assert.is_false(three.isActive)
        assert.is_false(three:commit())
        assert.equal("b", seen())
      end)

      it("do not let what is around them be committed while their callback runs", function()
        local outer = ds:startTransaction()
        local err = error_of(function()
          outer:savepoint(function(inner)
            entries:insert({ text = "ghost" }, { trx = inner })
            outer:commit()
          end)
        end)
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.is_true(outer.isActive)
        outer:commit()
        assert.equal("", seen())
      end)

      it("may be ended in any order, each with what was begun in it", function()
        local function text(name, trx)
          entries:insert({ text = name }, { trx = trx })
        end
        ds:transaction(function(trx)
          local one = trx:savepoint()
          local two = trx:savepoint() -- lies in the first
          text("a", two)
          two:commit()
          one:commit()
          one, two = trx:savepoint(), trx:savepoint()
          text("b", two)
          one:commit()
          assert.is_false(two.isActive)
          one, two = trx:savepoint(), trx:savepoint()
          text("ghost", two)
          two:commit()
          one:rollback()
          local around <close> = trx:savepoint()
          trx:savepoint(function()
            text("c")
          end)
          around:commit()
        end)
        local trx = ds:startTransaction()
        text("d", trx)
        do
          local one <close> = trx:savepoint()
          local two <close> = trx:savepoint()
          text("e", two)
          one:commit()
        end
        trx:commit()
        assert.equal("a b c d e", seen())
      end)

      it("that were rolled back inside of a callback leave the rest as it is", function()
        ds:transaction(function(trx)
          entries:insert { text = "a" }
          local outer = trx:savepoint()
          outer:savepoint(function()
            entries:insert { text = "ghost" }
            outer:rollback()
          end)
          entries:insert { text = "b" }
        end)
        assert.equal("a b", seen())
      end)

      it("that have ended before their callback are joined by nothing", function()
        ds:transaction(function(trx)
          entries:insert { text = "a" }
          local err = error_of(ds.transaction, ds, function(inner)
            inner:rollback()
            assert.equal("TRANSACTION_NOT_ACTIVE", error_of(function() entries:count() end).code)
            assert.equal(1, entries:query():count { trx = trx })
            entries:insert { text = "ghost" }
          end)
          assert.equal("TRANSACTION_NOT_ACTIVE", err.code)
          entries:insert { text = "b" }
        end)
        assert.equal("a b", seen())
      end)

      -- A rollback that comes to nothing, here because what it tells about is in the way.
      it("that cannot be gone back to are not stored with what is around them", function()
        local err = error_of(function()
          ds:transaction(function(trx)
            pcall(trx.savepoint, trx, function(inner)
              entries:insert({ text = "ghost" }, { trx = inner })
              rawset(inner, "_fate", nil) -- stands for what fails in the middle of a rollback
              error("away", 0)
            end)
          end)
        end)
        assert.equal("TRANSACTION_ABORTED", err.code)
        assert.equal("", seen())
      end)

      it("take a callback and give its values", function()
        local value = ds:transaction(function(trx)
          return trx:savepoint(function(inner)
            assert.not_equal(trx, inner)
            entries:insert { text = "a" }
            return 7
          end)
        end)
        assert.equal(7, value)
        assert.equal("a", seen())
      end)

      it("refuse what belongs to the outermost", function()
        ds:transaction(function()
          for _, given in ipairs { { isolationLevel = "SERIALIZABLE" }, { retry = 3 } } do
            assert.equal("INVALID_ARGUMENT", error_of(ds.transaction, ds, print, given).code)
          end
        end)
      end)
    end)

    describe("options", function()
      it("are checked", function()
        assert.equal("UNKNOWN_OPTION", error_of(ds.transaction, ds, print, { isolationlevel = "X" }).code)
        local err = error_of(ds.transaction, ds, print, { isolationLevel = "SERIALISABLE" })
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.matches("SERIALIZABLE", err.message, 1, true)
      end)

      it("set the isolation level, for one transaction", function()
        local function level_inside(level)
          return ds:transaction(function()
            entries:count()
            ds:outside(function()
              entries:insert { text = level }
            end)
            return entries:count()
          end, { isolationLevel = level })
        end
        if database == "sqlite" then
          assert.equal("UNSUPPORTED", error_of(level_inside, "READ COMMITTED").code)
          local given = { isolationLevel = "SERIALIZABLE" }
        assert.equal(0, ds:transaction(function() return entries:count() end, given))
        else
          assert.equal(1, level_inside("READ COMMITTED")) -- sees what others commit
          assert.equal(1, level_inside("REPEATABLE READ")) -- does not
          assert.equal(2, entries:count())
        end
      end)

      it("read only means so", function()
        local err = error_of(ds.transaction, ds, function() entries:insert { text = "a" } end, { readOnly = true })
        assert.equal("READ_ONLY", err.code)
        assert.equal(0, ds:transaction(function() return entries:count() end, { readOnly = true }))
      end)

      it("retry runs the callback again, as often as told", function()
        local core = require("hysteria.core")
        local runs = 0
        local result = ds:transaction(function()
          runs = runs + 1
          entries:insert { text = "run" .. runs }
          if runs < 3 then
            core.raise("DEADLOCK", "made up")
          end
          return runs
        end, { retry = 5 })
        assert.equal(3, result)
        assert.equal("run3", seen())

        runs = 0
        local err = error_of(ds.transaction, ds, function()
          runs = runs + 1
          core.raise("SERIALIZATION_FAILURE", "made up")
        end, { retry = 2 })
        assert.equal("SERIALIZATION_FAILURE", err.code)
        assert.equal(3, runs)

        runs = 0
        error_of(ds.transaction, ds, function()
          runs = runs + 1
          error("other")
        end, { retry = 2 })
        assert.equal(1, runs)
      end)
    end)

    describe("afterCommit", function()
      it("does not make what was committed run again", function()
        local core = require("hysteria.core")
        local runs = 0
        local err = error_of(ds.transaction, ds, function(trx)
          runs = runs + 1
          trx:afterCommit(function() core.raise("DEADLOCK", "made up") end)
        end, { retry = 2 })
        assert.equal("DEADLOCK", err.code)
        assert.equal(1, runs)
      end)

      it("runs once the outermost has committed, in order", function()
        local log = {}
        ds:transaction(function(trx)
          trx:afterCommit(function() log[#log + 1] = "outer " .. seen() end)
          ds:transaction(function(inner)
            inner:afterCommit(function() log[#log + 1] = "inner" end)
            entries:insert { text = "a" }
          end)
          error_of(ds.transaction, ds, function(inner)
            inner:afterCommit(function() log[#log + 1] = "lost" end)
            error("x")
          end)
          assert.same({}, log)
        end)
        assert.same({ "outer a", "inner" }, log)
      end)

      it("does not run after a rollback", function()
        local ran = false
        error_of(ds.transaction, ds, function(trx)
          trx:afterCommit(function() ran = true end)
          error("x")
        end)
        assert.is_false(ran)
      end)

      it("runs all of them and then raises the first error", function()
        local ran = false
        local err = error_of(ds.transaction, ds, function(trx)
          entries:insert { text = "a" }
          trx:afterCommit(function() error({ first = true }) end)
          trx:afterCommit(function() ran = true end)
        end)
        assert.is_true(err.first)
        assert.is_true(ran)
        assert.equal("a", seen())
      end)
    end)

    describe("for a whole test", function()
      after_each(function()
        ds:rollbackGlobalTransaction()
      end)

      it("catch everything and undo it", function()
        ds:startGlobalTransaction()
        assert.is_true(ds:isInGlobalTransaction())
        entries:insert { text = "a" }
        ds:transaction(function() entries:insert { text = "b" } end)
        error_of(ds.transaction, ds, function()
          entries:insert { text = "c" }
          error("x")
        end)
        assert.equal(2, entries:count())
        ds:rollbackGlobalTransaction()
        assert.is_false(ds:isInGlobalTransaction())
        assert.equal("", seen())
      end)

      it("can be kept", function()
        ds:startGlobalTransaction()
        entries:insert { text = "a" }
        ds:commitGlobalTransaction()
        assert.equal("a", seen())
      end)

      it("are one at a time", function()
        assert.equal("GLOBAL_TRANSACTION_NOT_STARTED", error_of(ds.commitGlobalTransaction, ds).code)
        ds:startGlobalTransaction()
        assert.equal("GLOBAL_TRANSACTION_ALREADY_STARTED", error_of(ds.startGlobalTransaction, ds).code)
      end)
    end)

    -- What refuses a COMMIT: a constraint that is looked at then. MariaDB and MySQL have none.
    if database == "sqlite" or database == "postgres" then
      it("whose COMMIT fails store nothing and give their connection back, however often", function()
        ds:rawQuery("DROP TABLE IF EXISTS trx_late")
        ds:rawQuery("CREATE TABLE trx_late (id INTEGER PRIMARY KEY, "
          .. "other INTEGER REFERENCES trx_late (id) DEFERRABLE INITIALLY DEFERRED)")
        local before, runs = ds:getPool():stats(), 0
        for _ = 1, before.max + 2 do
          local err = error_of(ds.transaction, ds, function()
            ds:rawQuery("INSERT INTO trx_late VALUES (1, 2)")
            entries:insert { text = "ghost" }
            runs = runs + 1
          end)
          assert.equal("FOREIGN_KEY_VIOLATION", err.code)
          local trx = ds:startTransaction()
          trx.sql:rawQuery("INSERT INTO trx_late VALUES (1, 2)")
          assert.equal("FOREIGN_KEY_VIOLATION", error_of(trx.commit, trx).code)
          assert.is_false(trx.isActive)
        end
        assert.equal(before.max + 2, runs)
        assert.equal(0, ds:getPool():stats().leased)
        assert.equal(0, ds:query("trx_late"):count())
        assert.equal("", seen())
        ds:rawQuery("DROP TABLE trx_late")
      end)
    end

    it("atomic makes a function of them", function()
      local add = ds:atomic(function(a, b, c)
        entries:insert { text = a }
        if b == nil then
          error("no b")
        end
        return a, b, c
      end)
      assert.same({ "x", 1 }, { add("x", 1, nil) })
      error_of(add, "y")
      assert.equal("x", seen())
    end)

    it("are told to observers", function()
      local events = {}
      local watched = sql.connectToSecondarySource(config())
      watched:addObserver { onTransaction = function(event) events[#events + 1] = event.event end }
      watched:transaction(function()
        watched:transaction(function() end)
        pcall(watched.transaction, watched, function() error("x") end)
      end)
      watched:transaction():rollback()
      assert.same({ "begin", "savepoint", "release", "savepoint", "rollbackTo", "commit", "begin", "rollback" }, events)
      watched:close()
    end)
  end)
end, { shared = true })

describe("transactions on a busy SQLite file", function()
  it("retry a BEGIN that it refuses, and give their connection back", function()
    local path = os.tmpname()
    local ds = sql.connectToSecondarySource { type = "sqlite", database = path }
    local other = sql.connectToSecondarySource { type = "sqlite", database = path }
    local core = require("hysteria.core")
    local holder, tries = other:transaction(), 0
    ds:addObserver {
      onBeforeQuery = function(event)
        if event.sql == "BEGIN IMMEDIATE" then
          tries = tries + 1
        end
      end,
    }
    local err = error_of(ds.transaction, ds, function() end, { retry = 1, timeout = 20 })
    local tries_of_one = tries
    for _ = 1, ds:getPool():stats().max + 2 do -- none of which keeps its connection
      assert.equal("LOCK_TIMEOUT", error_of(ds.startTransaction, ds, { timeout = 5 }).code)
    end
    local leased = ds:getPool():stats().leased
    holder:rollback()
    local value = ds:transaction(function() return "free" end)
    other:close()
    ds:close()
    for _, suffix in ipairs { "", "-wal", "-shm" } do
      os.remove(path .. suffix)
    end
    assert.is_true(core.isError(err))
    assert.equal("LOCK_TIMEOUT", err.code)
    assert.equal(2, tries_of_one)
    assert.equal(0, leased)
    assert.equal("free", value)
  end)
end)
