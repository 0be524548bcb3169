-- Misuse of objects: methods with a wrong self, whatever is called after close, builders that are bent.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")
local hostile = require("tests.support.lua.hostile")
local misuse = require("tests.support.lua.misuse")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local expect_error, expect_no_accident, expect_code, names_of, kinds, core_kinds =
  misuse.expect_error, misuse.expect_no_accident, misuse.expect_code, misuse.names_of, misuse.kinds, misuse.core_kinds

databases.each(function(_, database, config)
  describe("misuse", function()
    local open, world = misuse.worlds(database, config)

    describe("of self", function()
      local function strangers(w, own)
        local list = {
          false, true, 0, 1.5, "text", "", {}, { 1, 2 }, hostile.armed {}, print, coroutine.create(print), io.stdout,
          sql.null, sql.decimal("1"), sql.op.gt(1), sql.binary("x"), setmetatable({}, {}), { _core = 1, _root = {} },
          { _definition = {} }, hostile.cycle(),
        }
        for _, object in next, { w.ds, w.Person, w.record, w.Person:query(), w.ds:getPool(), sql.any { { id = 1 } } } do
          if not rawequal(object, own) then
            list[#list + 1] = object
          end
        end
        return list
      end

      -- Arguments of the kinds that verbs take: what is checked before self would hide that self is not.
      local PLAUSIBLE = {
        {}, { "name", "age" }, { "id", 1 }, { "id", ">", 1 }, { 1 }, { 1, 2 }, { 5, nil, {} }, { {} }, { { "id" } },
        { { name = "x" } }, { { { name = "x" } } }, { { id = 1 }, { name = "x" } }, { { "id" }, { { id = 1 } } },
        { type }, { "id", type }, { 2, type }, { "posts" }, { "posts", type }, { true }, { "id", { 1, 2 } },
      }

      -- What is a number to a decimal's methods may be one that is written without it.
      local TAKES_NUMBERS = { ["decimal.div"] = true, ["decimal.round"] = true }

      local function sweep(list, w)
        local calls, accidents = 0, {}
        for what, kind in next, list do
          for _, name in ipairs(kind.names) do
            local label = what .. "." .. name
            local same_kind = getmetatable(kind.object)
            local function try(self)
              for _, arguments in ipairs(PLAUSIBLE) do
                calls = calls + 1
                local ok, err = pcall(kind.methods[name], self, table.unpack(arguments, 1, 3))
                if ok then
                  accidents[label .. " took " .. type(self)] = not (TAKES_NUMBERS[label] and math.type(self)) or nil
                elseif not hostile.is_clean(err) then
                  accidents[label] = hostile.show(err)
                end
              end
            end
            try(nil)
            for _, self in ipairs(strangers(w, kind.object)) do
              if type(self) ~= type(kind.object) or getmetatable(self) ~= same_kind then
                try(self)
              end
            end
          end
        end
        return calls, accidents
      end

      local function report(calls, accidents, what)
        databases.report("misuse on %s: %d calls of %s with a wrong self", database, calls, what)
        assert.same({}, accidents)
      end

      it("is an error for every method of every object", function()
        local w = world()
        local list, trx = kinds(w)
        local calls, accidents = sweep(list, w)
        trx:rollback()
        w.ds:close()

        report(calls, accidents, "public methods")
      end)

      it("is an error for every method of the core's objects", function()
        local w = world()
        local list, trx = core_kinds(w)
        local calls, accidents = sweep(list, w)
        trx:rollback()
        w.ds:close()

        report(calls, accidents, "methods of the core")
      end)
    end)

    describe("after close", function()
      it("is an error for every verb of a source", function()
        local w = world()
        local arguments = {
          query = { "people" }, rawQuery = { "SELECT 1" }, getModelManager = { w.Person }, addObserver = { {} },
          createTables = { { w.Person } }, dropTables = { { w.Person } }, transaction = { print },
          startTransaction = { print }, outside = { print }, can = { "RETURNING_INSERT" },
          withLock = { "key", print }, getConnection = {}, getPool = {},
        }
        local answers = {
          close = true, closeConnection = true, disconnect = true, isConnected = true, getDbType = true, ping = true,
          getConnectionDetails = true, isHealthy = true, isInGlobalTransaction = true, clone = true, atomic = true,
          rollbackGlobalTransaction = true,
        }
        w.ds:close()
        for _, name in ipairs(names_of(require("hysteria.source").verbs)) do
          if not answers[name] then
            local err = expect_error("ds:" .. name, w.ds[name], w.ds, table.unpack(arguments[name] or {}))
            assert.is_true(hysteria.isError(err), name .. ": " .. hostile.show(err))
          end
        end

        assert.is_false(w.ds:isConnected())
        assert.is_false(w.ds:ping().ok)
        assert.is_false(w.ds:isHealthy())
        assert.equal(database, w.ds:getDbType())
        w.ds:close()
      end)

      it("is an error for what the source has given", function()
        local w = world()
        local query, trx = w.Person:query():where("id", 1), w.ds:startTransaction()
        local raw, pool, bound = w.ds:query("people"), w.ds:getPool(), trx.sql
        local again = w.ds:atomic(print)
        w.ds:close()

        expect_code("CONNECTION_NOT_ESTABLISHED", query.many, query)
        expect_code("CONNECTION_NOT_ESTABLISHED", query.update, query, { name = "x" })
        expect_code("CONNECTION_NOT_ESTABLISHED", query.delete, query)
        expect_code("CONNECTION_NOT_ESTABLISHED", raw.many, raw)
        expect_code("CONNECTION_NOT_ESTABLISHED", w.record.save, w.record)
        expect_code("CONNECTION_NOT_ESTABLISHED", w.record.refresh, w.record)
        expect_code("CONNECTION_NOT_ESTABLISHED", w.record.delete, w.record)
        expect_code("CONNECTION_NOT_ESTABLISHED", w.Person.insert, w.Person, { name = "x" })
        expect_code("CONNECTION_NOT_ESTABLISHED", w.Person.find, w.Person)
        expect_error("pool:stats", pool.stats, pool)
        expect_error("trx.sql:rawQuery", bound.rawQuery, bound, "SELECT 1")
        expect_error("a transaction's statement", query.many, query, { trx = trx })
        expect_error("atomic", again)
        for _, name in ipairs(misuse.TRANSACTION) do
          expect_no_accident("trx:" .. name, trx[name], trx, name == "afterCommit" and print or nil)
        end
        assert.is_string(tostring(trx))
        assert.is_string(tostring(w.ds))
        assert.is_string(tostring(w.record))
      end)

      it("is an error for a transaction that is finished", function()
        local w = world()
        local trx = w.ds:startTransaction()
        local inner = trx:savepoint()
        trx:commit()

        assert.is_false(trx.isActive)
        assert.is_false(inner.isActive)
        assert.is_false(trx:commit())
        assert.is_false(trx:rollback())
        expect_code("TRANSACTION_NOT_ACTIVE", trx.commit, trx, { throwErrorOnInactiveTransaction = true })
        expect_code("TRANSACTION_NOT_ACTIVE", trx.savepoint, trx)
        expect_code("TRANSACTION_NOT_ACTIVE", trx.afterCommit, trx, print)
        expect_code("TRANSACTION_NOT_ACTIVE", inner.savepoint, inner)
        expect_code("TRANSACTION_NOT_ACTIVE", w.Person.insert, w.Person, { name = "x" }, { trx = trx })
        expect_code("TRANSACTION_NOT_ACTIVE", w.Person.insert, w.Person, { name = "x" }, { trx = inner })
        assert.equal(2, w.Person:count())
        w.ds:close()
      end)

      it("works for the others when one of two sources is closed", function()
        local one, two = world(), world()
        one.ds:close()

        assert.equal(2, two.Person:count())
        expect_code("CONNECTION_NOT_ESTABLISHED", one.Person.count, one.Person)
        two.ds:close()
      end)

      it("happens in the middle of things", function()
        local w = world()
        local seen = {}
        -- What was borrowed before stays usable until it comes back; nothing new is lent.
        expect_no_accident("close in a transaction", w.ds.transaction, w.ds, function()
          w.Person:insert { name = "x" }
          w.ds:close()
          seen[1] = select(2, pcall(w.Person.count, w.Person))
        end)
        assert.is_true(hysteria.isError(seen[1]))

        w = world()
        misuse.hook(w.Person, "beforeInsert", function()
          w.ds:close()
        end)
        expect_no_accident("close in a hook", w.Person.insert, w.Person, { name = "x" })

        w = world()
        w.ds:addObserver { onBeforeQuery = function()
          w.ds:close()
        end }
        expect_no_accident("close in an observer", w.Person.count, w.Person)
        w.ds:close()

        w = world()
        expect_no_accident("close in a builder", function()
          w.Person:query():where(function(q)
            w.ds:close()
            q:where("id", 1)
          end):many()
        end)
      end)

      it("leaves nothing when objects are dropped without it", function()
        for _ = 1, database == "sqlite" and 50 or 10 do
          local w = world()
          w.ds:startTransaction()
          w.Person:query():where("id", ">", 0):many()
        end
        collectgarbage()
        collectgarbage()
        assert.equal(2, world().Person:count())
      end)
    end)

    describe("of builders", function()
      it("may put a query into itself: it is copied", function()
        local w = world()
        local query = w.Person:query():select("id"):where("id", ">", 0)
        query:whereIn("id", query)
        assert.equal(2, query:count())
        query:unionAll(query)
        assert.equal(4, #query:many())
        local counted = w.ds:query("x"):from(query, "q")
        counted:from(counted:select("id"), "z")
        expect_no_accident("from itself", counted.many, counted)
        query = w.Person:query():select("id")
        query:with("w", query):whereExists(query)
        assert.equal(2, #query:many())
        query = w.Post:query():select("id")
        query:where(function(q)
          q:where("id", 1):orWhereIn("id", q)
          q:whereExists(query)
        end)
        expect_no_accident("inside a group", query.many, query)
        query = w.Person:query():select("id") -- what it leaves out is not in a half of it
        expect_error("inside a group", query.where, query, function(q)
          q:where("id", 1):orWhereIn("id", q)
        end)
        w.ds:close()
      end)

      it("keeps a builder whole when a callback raises or does odd things", function()
        local w = world()
        local odd = {
          function() error(hostile.own_error, 0) end,
          function(q) q:where("nosuch", nil) end,
          function(q) q:clearWhere():where("id", 1) end,
          function(q) q:many() end,
          function(q) q:clone():many() end,
          function(q) q:where(function(r) r:clearWhere() end) end,
          function(q) q:from("posts") end,
          function(q) q:limit(1):orderBy("id"):select("id") end,
          function(q) q:where(q) end,
          function() coroutine.yield() end,
          function(q) return q end,
          function() return 5 end,
          function() collectgarbage() end,
          function(q) for _ = 1, 1000 do q:where("id", ">", 0) end end,
        }
        for index, fn in ipairs(odd) do
          for _, verb in ipairs({ "where", "orWhere", "whereNot", "having", "whereIn", "whereExists" }) do
            local query = w.Person:query():where("id", ">", 0)
            local co = coroutine.wrap(function()
              if verb == "whereIn" then
                return pcall(query.whereIn, query, "id", fn)
              end
              return pcall(query[verb], query, fn)
            end)
            local ok, err = co()
            if ok == nil then
              ok, err = co() -- it yielded; now it is through
            end
            local label = ("%s with function %d"):format(verb, index)
            assert.is_true(ok or hostile.is_clean(err), label .. ": " .. hostile.show(err))
            expect_no_accident(label, function()
              query:where("id", "<", 10):toQuery()
              query:clone():many()
            end)
          end
        end
        assert.equal(2, w.Person:count())
        w.ds:close()
      end)

      it("says so of a builder whose callback never came back", function()
        local w = world()
        for _, verb in ipairs({ "where", "orWhere", "whereNot", "having" }) do
          local query = w.Person:query():where("id", ">", 0)
          coroutine.wrap(function()
            query[verb](query, coroutine.yield)
          end)()
          expect_code("INVALID_ARGUMENT", query.many, query)
        end
        w.ds:close()
      end)

      it("works after a query and its model were dropped", function()
        local w = world()
        local kept = {}
        for round = 1, 30 do
          local Temporary = model "MisuseTemporary" {
            hysteria.tableName("posts"),
            id = column.increment(),
            title = column.string(),
          }
          Temporary = Temporary:using(w.ds)
          kept[round] = w.Person:query()
            :select("people.id")
            :leftJoin(Temporary, "id", "id")
            :whereIn("people.id", Temporary:query():select("id"):where("title", "one"))
        end
        hysteria.dev()
        hysteria.dev(false)
        collectgarbage()
        collectgarbage()
        for _, query in ipairs(kept) do
          assert.equal(1, #query:many())
        end
        w.ds:close()
      end)

      it("prepares again what could not be prepared", function()
        local ds = open()
        ds:rawQuery("DROP TABLE IF EXISTS late")
        local query = ds:query("late"):where("a", 1)
        for _ = 1, 3 do
          expect_code("UNDEFINED_TABLE", query.many, query)
        end
        ds:rawQuery("CREATE TABLE late (a INTEGER)")
        ds:rawQuery("INSERT INTO late VALUES (1)")
        assert.equal(1, #query:many())
        ds:close()
      end)

      it("refuses statements in observers, and lets observers fail", function()
        local w = world()
        local codes = {}
        w.ds:addObserver {
          onAfterQuery = function()
            local ok, err = pcall(w.Person.count, w.Person)
            codes[#codes + 1] = ok and "ran" or err.code
            error(hostile.own_error, 0)
          end,
        }
        assert.equal(2, w.Person:count())
        assert.same({ "INVALID_ARGUMENT" }, codes)
        w.ds:close()
      end)

      it("survives hooks that return and raise anything", function()
        local answers = { 1, "x", false, {}, { 1 }, sql.null, print, hostile.armed {}, { {} }, { { id = 1 } } }
        for index = 1, #answers do
          local w = world()
          misuse.hook(w.Person, "afterFetch", function()
            return answers[index]
          end)
          expect_no_accident("afterFetch " .. index, function()
            return w.Person:query():load("posts"):many()
          end)
          hostile.touched = 0
          local broken = world()
          for _, name in ipairs({ "beforeInsert", "beforeFetch", "afterInsert", "beforeUpdate", "beforeDelete" }) do
            misuse.hook(broken.Person, name, function()
              error(answers[index], 0)
            end)
          end
          local ok, err = pcall(broken.Person.insert, broken.Person, { name = "x" })
          assert.is_false(ok)
          assert.is_true(rawequal(err, answers[index]))
          assert.is_false((pcall(broken.Person.find, broken.Person)))
          w.ds:close()
          broken.ds:close()
        end
      end)
    end)
  end)
end)
