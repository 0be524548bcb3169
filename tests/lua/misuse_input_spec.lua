-- Misuse of arguments: armed and broken tables, text that is none, hostile names, sql.null in every place.
local hysteria = require("hysteria")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")
local hostile = require("tests.support.lua.hostile")
local misuse = require("tests.support.lua.misuse")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local expect_error, expect_no_accident, expect_code, names_of =
  misuse.expect_error, misuse.expect_no_accident, misuse.expect_code, misuse.names_of

databases.each(function(_, database, config)
  describe("misuse", function()
    local _, world = misuse.worlds(database, config)

    describe("of input tables", function()
      local function inputs(w)
        return {
          { "insert", function(t) w.Person:insert(t) end, { name = "x" } },
          { "insertMany, the row", function(t) w.Person:insertMany { t } end, { name = "x" } },
          { "insertMany, the list", function(t) w.Person:insertMany(t) end, { { name = "x" } } },
          { "insert into a table", function(t) w.ds:query("people"):insert(t) end, { name = "x" } },
          { "where", function(t) w.Person:query():where(t) end, { name = "x" } },
          { "whereIn", function(t) w.Person:query():whereIn("id", t) end, { 1 } },
          { "whereBetween", function(t) w.Person:query():whereBetween("id", t) end, { 1, 2 } },
          { "update", function(t) w.Person:query():where("id", 1):update(t) end, { name = "x" } },
          { "update's options", function(t) w.Person:update({ name = "x" }, t) end, { where = { id = 1 } } },
          { "find", function(t) w.Person:find(t) end, { limit = 1 } },
          { "find's where", function(t) w.Person:find { where = t } end, { id = 1 } },
          { "find's orderBy", function(t) w.Person:find { orderBy = t } end, { "id" } },
          { "many's options", function(t) w.Person:query():many(t) end, { timeout = 10 } },
          { "select", function(t) w.Person:query():select(t) end, { "name", "n" } },
          { "sql.any", function(t) sql.any(t) end, { { id = 1 } } },
          { "a group's member", function(t) w.Person:query():where(sql.any { t }) end, { id = 1 } },
          { "rawQuery's values", function(t) w.ds:rawQuery("SELECT ?", t) end, { 1 } },
          { "createTables", function(t) w.ds:createTables(t, { ifNotExists = true }) end, { w.Person } },
          { "a transaction's options", function(t) w.ds:transaction(function() end, t) end, { timeout = 10 } },
          { "the configuration", function(t) sql.connectToSecondarySource(t) end, { type = "sqlite" } },
          { "a model", function(t) model("MisuseArmed", t) end, { id = column.increment() } },
          { "a column's options", function(t) column.string(t) end, { length = 3 } },
          { "an index", function(t) hysteria.index(t) end, { "id" } },
          { "mergeProps", function(t) w.record:mergeProps(t) end, { name = "x" } },
          { "load", function(t) w.Person:query():load(t) end, { "posts" } },
          { "firstOrInsert", function(t) w.Person:firstOrInsert(t) end, { name = "x" } },
          { "save", function(t) w.Person:save(t) end, { name = "x" } },
          { "a JSON value", function(t) w.Person:insert { name = "x", tree = t } end, { 1 } },
          { "json.encode", function(t) hysteria.json.encode(t) end, { 1 } },
        }
      end

      it("refuses foreign metatables and runs none of their functions", function()
        local w = world()
        for _, input in ipairs(inputs(w)) do
          local before = w.Person:query():withDeleted():count()
          local err = expect_error(input[1], input[2], hostile.armed(input[3]))
          assert.is_true(hysteria.isError(err), input[1] .. ": " .. hostile.show(err))
          assert.equal(0, hostile.touched, input[1])
          assert.equal(before, w.Person:query():withDeleted():count(), input[1])
        end
        w.ds:close()
      end)

      it("takes the same tables without a metatable", function()
        for _, input in ipairs(inputs(world())) do
          local ok, err = pcall(input[2], input[3])
          assert.is_true(ok, input[1] .. ": " .. hostile.show(err))
        end
      end)

      it("changes none of them", function()
        local w = world()
        misuse.hook(w.Person, "beforeInsert", function(row)
          row.name = "changed"
        end)
        local tree = { 1, { 2 } }
        local row = { name = "x", tree = tree }
        local stored = w.Person:insert(row)
        w.Person:insertMany { row }
        w.Person:query():where("id", stored.id):update(row)

        assert.same({ name = "x", tree = { 1, { 2 } } }, row)
        assert.equal(tree, row.tree)
        assert.equal("changed", stored.name)
        w.ds:close()
      end)

      it("refuses holes, foreign keys and nested tables", function()
        local w = world()
        local cases = {
          { w.Person.insertMany, w.Person, { { name = "a" }, nil, { name = "b" } } },
          { w.Person.insertMany, w.Person, { { name = "a" }, "b" } },
          { w.Person.insertMany, w.Person, { name = "a" } },
          { w.Person.insertMany, w.Person, { { name = "a" }, [3] = { name = "b" } } },
          { w.Person.insert, w.Person, { [1] = "a" } },
          { w.Person.insert, w.Person, { nosuch = 1 } },
          { w.Person.insert, w.Person, { name = {} } },
          { w.Person.insert, w.Person, { name = { gt = 3 } } },
          { w.Person.insert, w.Person, { name = print } },
          { w.Person.insert, w.Person, { [print] = 1 } },
          { w.Person.insert, w.Person, { [true] = 1 } },
          { w.Person.where, w.Person, { age = { [">"] = 1 } } },
          { w.Person.where, w.Person, { age = { op = ">", value = 1 } } },
          { w.Person.where, w.Person, { [1] = 1 } },
          { w.Person.where, w.Person, { { id = 1 } } },
          { w.Person.where, w.Person, { age = hostile.cycle() } },
          { w.Person.where, w.Person, "age", { 1, 2 } },
          { w.ds.rawQuery, w.ds, "SELECT ?, ?", { 1, nil, 3 } },
          { w.ds.rawQuery, w.ds, "SELECT ?", { {} } },
          { w.ds.rawQuery, w.ds, "SELECT ?", { 1, 2 } },
          { w.ds.rawQuery, w.ds, "SELECT ?", {} },
          { w.ds.rawQuery, w.ds, "SELECT :a", { b = 1 } },
        }
        for index, case in ipairs(cases) do
          expect_error("case " .. index, table.unpack(case))
        end
        assert.equal(2, w.Person:count())
        w.ds:close()
      end)

      it("survives a where-table that changes while it is read", function()
        local w = world()
        for round = 1, 20 do
          local t = {}
          for index = 1, 50 do
            t[("key_%d_%d_%s"):format(round, index, ("z"):rep(40))] = index
          end
          t.age = function()
            for key in next, t do
              t[key] = nil
            end
            for index = 1, 100 do
              t["fresh" .. index] = ("y"):rep(200)
            end
            collectgarbage()
          end
          expect_no_accident("a changing table", function()
            w.Person:query():where(t):many()
          end)
        end
        w.ds:close()
      end)

      it("survives lists that change while they are read", function()
        local w = world()
        local list
        list = { 1, function()
          for index = 1, 10 do
            list[index] = nil
          end
          collectgarbage()
        end, 3 }
        expect_no_accident("whereIn", function()
          w.Person:query():whereIn("id", list):many()
        end)
        local rows
        misuse.hook(w.Person, "beforeInsert", function()
          for index = 1, 10 do
            rows[index] = nil
          end
          collectgarbage()
        end)
        rows = { { name = "a" }, { name = "b" }, { name = "c" } }
        expect_no_accident("insertMany", function()
          w.Person:insertMany(rows)
        end)
        w.ds:close()
      end)
    end)

    describe("of text", function()
      it("refuses NUL and bytes that are no UTF-8 wherever text is sent", function()
        local w = world()
        local accidents, calls = {}, 0
        for _, text in ipairs(hostile.bad_text) do
          for label, call in next, {
            insert = function() w.Person:insert { name = text } end,
            update = function() w.Person:query():where("id", 1):update { name = text } end,
            where = function() w.Person:query():where("name", text):many() end,
            like = function() w.Person:query():whereLike("name", text):many() end,
            raw = function() w.ds:query("people"):where("name", text):many() end,
            raw_insert = function() w.ds:query("people"):insert { [text] = 1 } end,
            json = function() w.Person:insert { tree = { text } } end,
            json_key = function() w.Person:insert { tree = { [text] = 1 } } end,
            encode = function() hysteria.json.encode({ text }) end,
            select = function() w.Person:query():select(text):many() end,
            alias = function() w.Person:query():select({ "id", text }):many() end,
            order = function() w.Person:query():orderBy(text):many() end,
            direction = function() w.Person:query():orderBy("id", text):many() end,
            table_name = function() w.ds:query(text):many() end,
            raw_select = function() w.ds:query("people"):select(text):many() end,
            func = function() w.Person:query():selectFunc(text, "id", "x"):many() end,
            operator = function() w.Person:query():where("id", text, 1):many() end,
            with = function() w.Person:query():with(text, w.Post:query()):many() end,
            join = function() w.Person:query():join(text, "id", "id"):many() end,
            statement = function() w.ds:rawQuery("SELECT 1" .. text) end,
            fragment = function() w.Person:query():whereRaw("1" .. text):many() end,
            named = function() w.ds:rawQuery("SELECT :a", { [text] = 1 }) end,
            column_name = function() w.Person:insert { [text] = 1 } end,
            model_name = function() model(text) { id = column.increment() } end,
            member = function() model "MisuseText" { [text] = column.increment() } end,
            database_name = function()
              model "MisuseText" { id = column.increment { databaseName = text } }:using(w.ds):count()
            end,
            model_table = function()
              model "MisuseText" { hysteria.tableName(text), id = column.increment() }:using(w.ds):count()
            end,
            type = function() sql.connectToSecondarySource { type = text } end,
            url = function() sql.connectToSecondarySource("sqlite:" .. text .. "/x") end,
            decimal = function() sql.decimal(text) end,
            relation = function() w.Person:query():load(text) end,
            returning = function() w.Person:insert({ name = "x" }, { returning = { text } }) end,
            isolation = function() w.ds:transaction(print, { isolationLevel = text }) end,
            dialect = function() w.Person:query():toQuery(text) end,
          } do
            calls = calls + 1
            local ok, err = pcall(call)
            if ok then
              accidents[#accidents + 1] = label .. (" took %q"):format(text)
            elseif not hysteria.isError(err) then
              accidents[#accidents + 1] = label .. ": " .. hostile.show(err)
            end
          end
        end
        assert.same({}, accidents)
        assert.equal(2, w.Person:query():withDeleted():count())
        databases.report("misuse on %s: %d calls with broken text, all refused", database, calls)
        w.ds:close()
      end)

      it("keeps bytes that are bytes", function()
        local w = world()
        local Blob = model "MisuseBlob" { id = column.increment(), bytes = column.binary() }
        Blob = Blob:using(w.ds)
        w.ds:dropTables({ Blob }, { ifExists = true })
        w.ds:createTables { Blob }
        for _, bytes in ipairs(hostile.bad_text) do
          local id = Blob:insert({ bytes = bytes }).id
          assert.equal(bytes, Blob:findOneByPrimaryKey(id).bytes)
        end
        w.ds:close()
      end)

      it("quotes hostile names or refuses them", function()
        local w = world()
        local calls = 0
        for _, name in ipairs(hostile.names) do
          for label, call in next, {
            select = function() return w.Person:query():select(name):many() end,
            raw_select = function() return w.ds:query("people"):select(name):many() end,
            alias = function() return w.ds:query("people"):select({ "id", name }):many() end,
            table_name = function() return w.ds:query(name):many() end,
            order = function() return w.ds:query("people"):orderBy(name):many() end,
            direction = function() return w.ds:query("people"):orderBy("id", name):many() end,
            group = function() return w.ds:query("people"):select("id"):groupBy(name):many() end,
            where = function() return w.ds:query("people"):where(name, 1):many() end,
            func = function() return w.ds:query("people"):selectFunc(name, "id", "x"):many() end,
            insert = function() return w.ds:query("people"):insert { [name] = 1 } end,
            operator = function() return w.ds:query("people"):where("id", name, 1):many() end,
            with = function() return w.ds:query("people"):with(name, w.Post:query()):many() end,
            limit = function() return w.ds:query("people"):limit(name):many() end,
          } do
            calls = calls + 1
            local ok, err = pcall(call)
            assert.is_true(ok or hysteria.isError(err), ("%s %q: %s"):format(label, name:sub(1, 60), hostile.show(err)))
          end
        end
        assert.equal(2, w.Person:query():withDeleted():whereNotNull("name"):count())
        assert.equal(1, w.Post:count())
        databases.report("misuse on %s: %d calls with hostile names", database, calls)
        w.ds:close()
      end)

      it("takes reserved words as names of tables and columns", function()
        local w = world()
        local Order = model "MisuseOrder" {
          hysteria.tableName("select"),
          hysteria.index { "group" },
          id = column.increment(),
          group = column.string(),
          where = column.integer(),
          order = column.integer { databaseName = "order by" },
          ["end"] = column.integer(),
          ["function"] = column.string(),
        }
        Order = Order:using(w.ds)
        w.ds:dropTables({ Order }, { ifExists = true })
        w.ds:createTables { Order }
        Order:insert { group = "a", where = 1, order = 2, ["end"] = 3, ["function"] = "f" }
        local row = Order:query():where("where", 1):where({ ["end"] = 3 }):orderBy("order"):groupBy("id"):one()

        assert.equal("f", row["function"])
        assert.equal(2, row.order)
        assert.equal(1, Order:query():where("group", "a"):update({ where = 5 }))
        assert.equal(5, Order:query():getMax("where"))
        w.ds:close()
      end)

      it("reserves what records need", function()
        for _, name in ipairs(names_of(require("hysteria.model").records)) do
          expect_code("RESERVED_NAME", function()
            model "MisuseReserved" { id = column.increment(), [name] = column.integer() }
          end)
        end
      end)

      it("takes no number for a name", function()
        local w = world()
        for _, number in ipairs({ 1, 0, -1, 1.5, 2 ^ 53, math.huge }) do
          for label, call in next, {
            select = function() w.Person:query():select(number) end,
            where = function() w.Person:query():where(number, 1) end,
            where_key = function() w.Person:query():where({ [number] = 1 }) end,
            order = function() w.Person:query():orderBy(number) end,
            group = function() w.Person:query():groupBy(number) end,
            having = function() w.Person:query():having(number, 1) end,
            from = function() w.ds:query(number) end,
            join = function() w.Person:query():join(number, "id", "id") end,
            join_column = function() w.Person:query():join("posts", number, "id") end,
            with = function() w.Person:query():with(number, w.Post:query()) end,
            alias = function() w.Person:query():select({ "id", number }) end,
            func = function() w.Person:query():selectFunc(number, "id") end,
            load = function() w.Person:query():load(number) end,
            pluck = function() w.Person:query():pluck(number) end,
            max = function() w.Person:query():getMax(number) end,
            find_by = function() w.Person:findBy(number, 1) end,
            insert = function() w.Person:insert({ [number] = 1 }) end,
            has = function() w.record:has(number) end,
            model = function() model(number) end,
            raw = function() sql.rawStatement(number) end,
            col = function() sql.col(number) end,
            raw_query = function() w.ds:rawQuery(number) end,
          } do
            local ok, err = pcall(call)
            assert.is_false(ok, label .. " took a number")
            assert.is_true(hysteria.isError(err), label .. ": " .. hostile.show(err))
          end
        end
        w.ds:close()
      end)
    end)

    describe("of sql.null", function()
      it("is NULL where a value is, and an error elsewhere: every verb, every place", function()
        local w = world()
        local fine = {
          where = { "age", 1 }, select = { "name" }, orderBy = { "name", "asc" }, groupBy = { "name" }, limit = { 1 },
          having = { "age", 1 }, whereIn = { "age", { 1 } }, whereBetween = { "age", 1, 2 },
          join = { "posts", "id", "id" }, whereColumn = { "age", "id" }, whereLike = { "name", "a" },
          from = { "people", "p" }, with = { "w", w.Post:query() },
          selectFunc = { "max", "age", "x" }, pluck = { "age" }, increment = { "age", 1 }, update = { { age = 1 } },
          insert = { { age = 1 } }, insertMany = { { { age = 1 } } }, paginate = { 1, 1 }, load = { "posts" },
          whereRaw = { "1 = ?", { 1 } }, many = { {} }, count = { "age" }, scope = { "adults", 1 }, timeout = { 5 },
        }
        local calls = 0
        for _, name in ipairs(names_of(core.queryMethods)) do
          local arguments = fine[name] or { "age", 1, 2 }
          for place = 1, #arguments do
            local list = table.move(arguments, 1, #arguments, 1, {})
            list[place] = sql.null
            calls = calls + 1
            expect_no_accident(("%s, place %d"):format(name, place), function()
              w.ds:transaction(function(trx)
                local query = w.Person:query({ trx = trx }):where("id", ">", 0)
                local answer = query[name](query, table.unpack(list))
                if core.kind(answer) == "query" then
                  answer:many()
                end
                trx:rollback()
              end)
            end)
          end
        end
        assert.equal(2, w.Person:query():withDeleted():count())
        databases.report("misuse on %s: %d calls with sql.null", database, calls)
        w.ds:close()
      end)

      it("finds, writes and compares NULL", function()
        local w = world()
        w.Person:query():where("id", 2):update { age = sql.null }
        local q = function()
          return w.Person:query()
        end

        assert.equal(1, q():where("age", sql.null):count())
        assert.equal(1, q():where({ age = sql.null }):count())
        assert.equal(1, q():where("age", "!=", sql.null):count())
        assert.equal(1, q():where("age", "is", sql.null):count())
        assert.equal(1, q():where("age", "is not", sql.null):count())
        assert.equal(1, q():whereNot("age", sql.null):count())
        assert.equal(1, q():where(sql.any { { age = sql.null }, { age = 99 } }):count())
        assert.equal(1, q():whereColumn("age", "age"):count())
        assert.same({ 36, sql.null }, q():orderBy("id"):pluck("age"))
        assert.is_nil(w.Person:findOneByPrimaryKey(2).age)
        assert.equal("NULL", tostring(sql.null))
        local rows = w.ds:rawQuery("SELECT ? AS a", { sql.null })
        assert.is_nil(rows[1].a)
        w.ds:close()
      end)

      it("is refused as a key, a limit and an option", function()
        local w = world()
        expect_error("limit", w.Person.query(w.Person).limit, w.Person:query(), sql.null)
        expect_error("primary key", w.Person.insert, w.Person, { [sql.null] = 1 })
        expect_error("options", w.Person.find, w.Person, { limit = sql.null })
        expect_error("options table", w.Person.find, w.Person, sql.null)
        assert.is_nil(w.Person:findOneByPrimaryKey(sql.null))
        w.ds:close()
      end)
    end)
  end)
end)
