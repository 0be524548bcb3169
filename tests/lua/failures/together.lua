-- Failures that need several connections: locks, deadlocks, ends of sessions. Run by failures_spec.lua.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")
local failures = require("tests.support.lua.failures")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local fails = failures.of
local it = failures.it

failures.each(function(ds, database, config)
  local Counter = model "FailCounter" { id = column.integer { primaryKey = true }, n = column.integer() }
  local counters = Counter:using(ds)

  before_each(function()
    ds:dropTables({ Counter }, { ifExists = true })
    ds:createTables { Counter }
    counters:insertMany { { id = 1, n = 0 }, { id = 2, n = 0 } }
  end)

  describe("with several connections the error of", function()
    it("a pool that has nothing to give", function()
      local first, second = ds:startTransaction(), ds:startTransaction { readOnly = true }
      finally(function()
        first:rollback()
        second:rollback()
      end)
      fails("POOL_SELF_DEADLOCK", function() ds:rawQuery("SELECT 1") end)
      async.run(function()
        -- In a task somebody else may give one back, so it waits.
        fails("POOL_TIMEOUT", function() ds:rawQuery("SELECT 1", nil, { timeout = 50 }) end)
      end)
    end)

    it("a lock that somebody else has", function()
      local LOCK = {
        postgres = "SELECT n FROM fail_counters WHERE id = 1 FOR UPDATE NOWAIT",
        mariadb = "SELECT n FROM fail_counters WHERE id = 1 FOR UPDATE NOWAIT",
        mysql = "SELECT n FROM fail_counters WHERE id = 1 FOR UPDATE NOWAIT",
      }
      if database == "sqlite" then
        local other <close> = sql.connectToSecondarySource(config { driverOptions = { busy_timeout = 20 } })
        ds:transaction(function()
          fails("LOCK_TIMEOUT", function() other:rawQuery("UPDATE fail_counters SET n = 5") end)
        end)
        return
      end
      local first, second = ds:startTransaction(), ds:startTransaction()
      finally(function()
        second:rollback()
        first:rollback()
      end)
      ds:rawQuery("UPDATE fail_counters SET n = 5 WHERE id = 1", nil, { trx = first })
      fails("LOCK_TIMEOUT", function() ds:rawQuery(LOCK[database], nil, { trx = second }) end)
    end)

    it("a deadlock", function()
      if database == "sqlite" then
        return -- its writers queue
      end
      local locked, victims, winners = 0, 0, 0
      local function move(first, second)
        return function()
          local trx = ds:startTransaction()
          ds:rawQuery("UPDATE fail_counters SET n = n + 1 WHERE id = ?", { first }, { trx = trx })
          locked = locked + 1
          while locked < 2 do
            async.sleep(5)
          end
          local function take_the_other()
            ds:rawQuery("UPDATE fail_counters SET n = n + 1 WHERE id = ?", { second }, { trx = trx })
          end
          local ok, err = pcall(take_the_other)
          if ok then
            winners = winners + 1
          else
            fails("DEADLOCK", function() error(err, 0) end, take_the_other)
            fails("TRANSACTION_ABORTED", function() ds:rawQuery("SELECT 1", nil, { trx = trx }) end)
            victims = victims + 1
          end
          trx:rollback()
        end
      end
      async.run(function()
        async.all { move(1, 2), move(2, 1) }
      end)
      assert.same({ 1, 1 }, { victims, winners })
    end)

    it("a change that came in between", function()
      if database == "sqlite" then
        -- Only what has read and then begins to write could meet one; here such a thing cannot be had.
        local reader = ds:startTransaction { readOnly = true }
        finally(function() reader:rollback() end)
        ds:rawQuery("SELECT n FROM fail_counters", nil, { trx = reader })
        ds:rawQuery("PRAGMA query_only = OFF", nil, { trx = reader })
        ds:rawQuery("UPDATE fail_counters SET n = 9 WHERE id = 1")
        fails("READ_ONLY", function()
          ds:rawQuery("UPDATE fail_counters SET n = 10 WHERE id = 1", nil, { trx = reader })
        end)
        fails("INVALID_ARGUMENT", function() ds:rawQuery("BEGIN") end) -- by hand: it ends with its statement
        ds:rawQuery("SELECT n FROM fail_counters")
        assert.equal("TRANSACTION_NOT_ACTIVE", databases.error_of(ds.rawQuery, ds, "ROLLBACK").code)
        return
      end
      ds:rawQuery("DROP TABLE IF EXISTS fail_late")
      local reader = ds:startTransaction { isolationLevel = "REPEATABLE READ" }
      finally(function() reader:rollback() end)
      ds:rawQuery("SELECT n FROM fail_counters", nil, { trx = reader })
      if database == "postgres" then
        ds:rawQuery("UPDATE fail_counters SET n = 9 WHERE id = 1")
        fails("SERIALIZATION_FAILURE", function()
          ds:rawQuery("UPDATE fail_counters SET n = 10 WHERE id = 1", nil, { trx = reader })
        end)
        return
      end
      ds:rawQuery("CREATE TABLE fail_late (n INT)")
      fails("SERIALIZATION_FAILURE", function() ds:rawQuery("SELECT n FROM fail_late", nil, { trx = reader }) end)
      if database == "mariadb" then -- which notices it of rows too, where it is asked to
        local again = ds:startTransaction { isolationLevel = "REPEATABLE READ" }
        finally(function() again:rollback() end)
        ds:rawQuery("SET SESSION innodb_snapshot_isolation = ON", nil, { trx = again })
        ds:rawQuery("SELECT n FROM fail_counters", nil, { trx = again })
        reader:rollback()
        ds:rawQuery("UPDATE fail_counters SET n = 9 WHERE id = 1")
        fails("SERIALIZATION_FAILURE", function()
          ds:rawQuery("UPDATE fail_counters SET n = 10 WHERE id = 1", nil, { trx = again })
        end)
      end
    end)

    it("a session that was ended, and a statement that was cancelled", function()
      local ID = { postgres = "SELECT pg_backend_pid() AS id", other = "SELECT connection_id() AS id" }
      local END = { postgres = "SELECT pg_terminate_backend(?)", other = "KILL CONNECTION %d" }
      local CANCEL = { postgres = "SELECT pg_cancel_backend(?)", other = "KILL QUERY %d" }
      local WAIT = { postgres = "SELECT pg_sleep(60)", other = "SELECT sleep(60) FROM fail_counters" }
      local RUNS = {
        postgres = "SELECT 1 FROM pg_stat_activity WHERE pid = %d AND state = 'active' AND query LIKE '%%sleep(60)%%'",
        other = "SELECT 1 FROM information_schema.processlist WHERE id = %d AND info LIKE '%%sleep(60)%%'",
      }
      if database == "sqlite" then
        return
      end
      local admin <close> = sql.connectToSecondarySource(databases.config_of(database))
      local function of(list)
        return list[database] or list.other
      end
      local function strike(text, id)
        if database == "postgres" then
          admin:rawQuery(text, { id })
        else
          admin:rawQuery(text:format(id))
        end
      end
      async.run(function()
        local trx = ds:startTransaction()
        local id = ds:rawQuery(of(ID), nil, { trx = trx })[1].id
        async.all {
          function()
            fails("QUERY_CANCELED", function() ds:rawQuery(of(WAIT), nil, { trx = trx }) end)
          end,
          function()
            repeat async.sleep(1) until #admin:rawQuery(of(RUNS):format(id)) > 0
            strike(of(CANCEL), id)
          end,
        }
        trx:rollback()
        local other = ds:startTransaction()
        strike(of(END), ds:rawQuery(of(ID), nil, { trx = other })[1].id)
        fails("CONNECTION_LOST", function() ds:rawQuery("SELECT 1", nil, { trx = other }) end)
        other:rollback()
      end)
    end)

    it("tasks that wait for each other", function()
      local function wait_in_a_circle()
        async.run(function()
          local first, second
          first = async.spawn(function() second:await() end)
          second = async.spawn(function() first:await() end)
        end)
      end
      fails("DEVELOPMENT_ERROR", wait_in_a_circle)
      assert.equal(2, counters:query():count())
    end)

    it("a task that was cancelled", function()
      async.run(function()
        local task = async.spawn(function()
          ds:transaction(function() async.sleep(60000) end)
        end)
        async.sleep(0)
        fails("QUERY_CANCELED", function()
          task:cancel()
          task:await()
        end)
      end)
    end)

    it("a commit whose answer never came", function()
      if database == "sqlite" then
        return
      end
      failures.behind_proxy(databases.config_of(database).url, "cut COMMIT", function(url)
        local other <close> = sql.connectToSecondarySource { url = url, ssl = { mode = "disable" } }
        local trx = other:startTransaction()
        other:rawQuery("UPDATE fail_counters SET n = 3 WHERE id = 1", nil, { trx = trx })
        fails("OUTCOME_UNKNOWN", function() trx:commit() end)
      end)
      assert.equal(3, counters:findOneByPrimaryKey(1).n) -- this time it was done
    end)
  end)
end, { shared = true, pool = { max = 2 } })
