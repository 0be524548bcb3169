-- Misuse by size and depth: more columns, arguments, bytes and levels than anybody needs.
local hysteria = require("hysteria")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")
local hostile = require("tests.support.lua.hostile")
local misuse = require("tests.support.lua.misuse")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local expect_error, expect_no_accident, names_of = misuse.expect_error, misuse.expect_no_accident, misuse.names_of

databases.each(function(_, database, config)
  describe("misuse", function()
    local _, world = misuse.worlds(database, config)

    describe("by size", function()
      -- What a table and a result may have; MySQL and MariaDB say nothing of results.
      local LIMITS = {
        sqlite = { table = 2000, result = 2000 }, postgres = { table = 1600, result = 1664 },
        mysql = { table = 1017 }, mariadb = { table = 1017 },
      }

      it("selects ten thousand columns or says why not", function()
        local w = world()
        local names = {}
        for index = 1, 10000 do
          names[index] = "id"
        end
        local query = w.Person:query():select(table.unpack(names))
        expect_no_accident("10,000 columns", query.many, query)

        query = w.ds:query("people")
        for index = 1, 10000 do
          query:select({ sql.func("abs", index), "c" .. index })
        end
        assert.is_truthy(#query:toQuery("postgres") > 100000)
        assert.equal(LIMITS[database].result == nil, (expect_no_accident("10,000 expressions", query.many, query)))
        w.ds:close()
      end)

      it("reads as many columns as the database gives", function()
        local w, limit = world(), LIMITS[database].result
        local n = limit or 4000
        local query = w.ds:query("people"):where("id", 1)
        for index = 1, n do
          query:select({ sql.func("abs", index), "c" .. index })
        end
        local row = query:one()

        for index = 1, n do
          assert.equal(index, row["c" .. index])
        end
        local more = query:select({ sql.func("abs", 1), "more" })
        assert.equal(limit == nil, (expect_no_accident("one more", more.many, more)))
        w.ds:close()
      end)

      it("defines, writes and reads a model of nearly as many columns as a table has", function()
        local w, n = world(), LIMITS[database].table - 10
        local literal, row = { id = column.increment() }, {}
        for index = 1, n - 1 do
          literal["column" .. index] = column.integer()
          row["column" .. index] = index
        end
        local Wide = model("MisuseWide", literal):using(w.ds)
        w.ds:dropTables({ Wide }, { ifExists = true })
        w.ds:createTables { Wide }
        local stored = Wide:insert(row)
        Wide:insertMany { row, { column1 = 5 }, row }
        stored.column7 = -1
        stored:save()
        local read = Wide:findOneByPrimaryKey(stored.id)

        assert.equal(-1, read.column7)
        assert.equal(n - 1, read["column" .. n - 1])
        assert.equal(4, Wide:count())
        local ok, err = expect_no_accident("a where of that size", Wide.count, Wide, { where = row })
        assert.is_true(ok or err.code == "LIMIT_EXCEEDED", tostring(err)) -- SQLite's own: 1,000 conditions

        for index = n, n + 110 do
          literal["column" .. index] = column.integer()
        end
        local Wider = model("MisuseWider", literal):using(w.ds)
        expect_error("too many columns", w.ds.createTables, w.ds, { Wider })
        w.ds:close()
      end)

      it("takes ten thousand arguments or says why not", function()
        local w = world()
        local many = {}
        for index = 1, 10000 do
          many[index] = "id"
        end
        local q = w.Person:query()
        for _, name in ipairs(names_of(core.queryMethods)) do
          expect_no_accident("query:" .. name, q:clone()[name], q:clone(), table.unpack(many))
        end
        expect_no_accident("sql.any", sql.any, table.unpack(many))
        expect_no_accident("sql.func", sql.func, table.unpack(many))
        expect_no_accident("sql.rawStatement", sql.rawStatement, table.unpack(many))
        expect_no_accident("sql.op.between", sql.op.between, table.unpack(many))
        expect_no_accident("hysteria.index", hysteria.index, table.unpack(many))
        expect_no_accident("hysteria.mixin", hysteria.mixin, table.unpack(many))
        w.ds:close()
      end)

      it("takes a hundred thousand values in a list", function()
        local w = world()
        local list = {}
        for index = 1, 100000 do
          list[index] = index
        end

        assert.equal(2, w.Person:query():whereIn("id", list):count())
        assert.equal(0, w.Person:query():whereNotIn("id", list):count())
        w.ds:close()
      end)

      it("stores ten megabytes and gives them back", function()
        local w = world()
        local text = ("0123456789"):rep(1024 * 1024)
        local Long = model("MisuseLongText", { id = column.increment(), body = column.text() }):using(w.ds)
        w.ds:dropTables({ Long }, { ifExists = true })
        w.ds:createTables { Long }
        local id = Long:insert({ body = text }).id

        assert.is_true(Long:findOneByPrimaryKey(id).body == text)
        assert.equal(1, Long:query():where("body", text):count())
        w.ds:dropTables { Long }
        assert.is_true(w.ds:rawQuery("SELECT ? AS text", { text })[1].text == text)
        w.ds:close()
      end)

      it("refuses names of a megabyte", function()
        local w = world()
        local name = ("n"):rep(1024 * 1024)
        for label, call in next, {
          select = function() w.Person:query():select(name):many() end,
          where = function() w.Person:query():where(name, 1):many() end,
          order = function() w.Person:query():orderBy(name):many() end,
          table_name = function() w.ds:query(name):many() end,
          alias = function() w.Person:query():select({ "id", name }):many() end,
          table_alias = function() w.Person:query():alias(name):many() end,
          insert = function() w.Person:insert { [name] = 1 } end,
          model = function() model(name) { id = column.increment() }:using(w.ds):count() end,
          member = function() model "MisuseLong" { [name] = column.increment() }:using(w.ds):count() end,
          with = function() w.Person:query():with(name, w.Post:query()):many() end,
          func = function() w.ds:query("people"):selectFunc(name, "id", "x"):many() end,
        } do
          local err = expect_error("a long name: " .. label, call)
          assert.is_true(#hostile.show(err) < 3000, "the error repeats the name")
        end
        w.ds:close()
      end)
    end)

    describe("by depth", function()
      local LEVELS = 10000

      -- Wraps a value that often; stops where building it is refused.
      local function wrap(value, fn)
        for _ = 1, LEVELS do
          value = fn(value)
        end
        return value
      end

      it("ends with an error in groups, functions and cases", function()
        local w = world()
        local nests = {
          group = function() return w.Person:query():where(wrap({ id = 1 }, function(g) return sql.any { g } end)) end,
          func = function()
            return w.Person:query():select({ wrap(sql.col("id"), function(f) return sql.func("abs", f) end), "x" })
          end,
          raw = function()
            return w.Person:query():where("id", wrap(1, function(r) return sql.rawStatement("?", r) end))
          end,
          case = function()
            return w.Person:query():select({ wrap(1, function(c) return sql.case({ { { id = 1 }, c } }, c) end), "x" })
          end,
        }
        for name, nest in next, nests do
          local err = expect_error(name, function()
            nest():many()
          end)
          assert.equal("LIMIT_EXCEEDED", err.code, name .. ": " .. hostile.show(err))
        end
        w.ds:close()
      end)

      it("ends with an error in subqueries of every kind", function()
        local w = world()
        local nests = {
          whereIn = function(q) return w.Person:query():select("id"):whereIn("id", q) end,
          whereExists = function(q) return w.Person:query():select("id"):whereExists(q) end,
          from = function(q) return w.ds:query("x"):select("id"):from(q, "q") end,
          with = function(q) return w.ds:query("w"):select("id"):with("w", q) end,
          select = function(q) return w.Person:query():select(q, "id"):limit(1) end,
          union = function(q) return w.Person:query():select("id"):union(q) end,
          join = function(q)
            return w.Person:query():select("people.id"):join("posts", function(on)
              on:onValue("posts.id", q)
            end)
          end,
        }
        for name, nest in next, nests do
          local ok, err = pcall(function()
            wrap(w.Person:query():select("id"), nest):many()
          end)
          assert.is_false(ok, name)
          assert.is_true(hysteria.isError(err), name .. ": " .. hostile.show(err))
          assert.equal("LIMIT_EXCEEDED", err.code, name .. ": " .. hostile.show(err))
        end
        w.ds:close()
      end)

      it("ends with an error in long chains of conditions and unions", function()
        local w = world()
        local query = w.Person:query()
        for index = 1, LEVELS do
          query:orWhere("id", index)
        end
        expect_no_accident("10,000 conditions", query.count, query)
        query = w.Person:query():select("id")
        local other = w.Person:query():select("id")
        for _ = 1, database == "sqlite" and LEVELS or LEVELS // 10 do
          query:unionAll(other)
        end
        expect_no_accident("thousands of unions", query.many, query)
        query = w.Person:query()
        for _ = 1, LEVELS do
          query:join("posts", "id", "id")
        end
        expect_error("10,000 joins", query.many, query)
        w.ds:close()
      end)

      it("ends with an error when callbacks call callbacks", function()
        local w = world()
        local function nest(q)
          q:where(nest)
        end
        expect_error("where in where", function()
          w.Person:query():where(nest)
        end)
        local function sub(q)
          q:from("people"):select("id"):whereIn("id", sub)
        end
        expect_error("whereIn in whereIn", function()
          w.Person:query():whereIn("id", sub)
        end)
        local function again()
          w.ds:transaction(again)
        end
        expect_error("transaction in transaction", function()
          w.ds:transaction(again)
        end)
        assert.equal(2, w.Person:count())
        w.ds:close()
      end)

      it("ends with an error in JSON", function()
        local w = world()
        local deep = hostile.deep(LEVELS)
        local text = ("["):rep(LEVELS) .. ("]"):rep(LEVELS)

        expect_error("encode", hysteria.json.encode, deep)
        expect_error("decode", hysteria.json.decode, text)
        expect_error("decode objects", hysteria.json.decode, ("{\"a\":"):rep(LEVELS) .. "1" .. ("}"):rep(LEVELS))
        expect_error("insert", w.Person.insert, w.Person, { name = "x", tree = deep })
        expect_error("where", w.Person.where, w.Person, "tree", deep)
        if pcall(w.ds.rawQuery, w.ds, "UPDATE people SET tree = ?", { text }) then -- some refuse it themselves
          expect_error("read", w.Person.find, w.Person)
        end
        assert.same({ { { 1 } } }, hysteria.json.decode(hysteria.json.encode({ { { 1 } } })))
        w.ds:close()
      end)

      it("ends with an error in cycles", function()
        local w = world()
        local t = hostile.cycle()

        expect_error("encode", hysteria.json.encode, t)
        expect_error("insert", w.Person.insert, w.Person, { name = "x", tree = t })
        expect_error("where", w.Person.where, w.Person, t)
        local row = { name = "x" }
        row.tree = row
        expect_error("a row in itself", w.Person.insert, w.Person, row)
        local record = w.Person:first()
        record.tree = { record }
        expect_error("a record in itself", record.save, record)
        expect_no_accident("toJson", record.toJson, record)
        expect_no_accident("tostring", tostring, record)
        w.ds:close()
      end)
    end)
  end)
end)
