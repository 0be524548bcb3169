-- Data sources: the default one and others, raw SQL, embedded models, observers, tables.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(_, database, config)
  describe("the default source", function()
    after_each(function()
      sql.disconnect()
    end)

    it("is missed by everything that needs one", function()
      local User = model "SourceUser" { id = column.increment() }
      for name, fn in pairs {
        query = function() sql.query("t") end,
        raw = function() sql.rawQuery("SELECT 1") end,
        find = function() User:find() end,
        insert = function() User:insert {} end,
        transaction = function() sql.transaction(print) end,
        tables = function() sql.createTables { User } end,
        instance = sql.getInstance,
      } do
        assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(fn).code, name)
      end
      assert.is_false(sql.isConnected())
      assert.is_false(sql.ping().ok)
      assert.is_false(sql.isHealthy())
      sql.disconnect()
    end)

    it("is opened once", function()
      local given
      local ds = sql.connect(config(), function(opened) given = opened end)
      assert.equal(ds, given)
      assert.is_true(sql.isConnected())
      assert.equal("CONNECTION_ALREADY_ESTABLISHED", error_of(sql.connect, config()).code)
      assert.equal(ds, sql.getInstance())
      sql.disconnect()
      assert.is_false(sql.isConnected())
      sql.connect(config().url or "sqlite:")
      assert.equal(1, sql.rawQuery("SELECT 1 AS n")[1].n)
    end)

    it("is not touched by others", function()
      sql.connect(config())
      local default = sql.getInstance()
      local other = sql.connectToSecondarySource(config())
      sql.useConnection(config(), function(third)
        assert.not_equal(default, third)
        assert.equal(default, sql.getInstance())
      end)
      other:close()
      assert.equal(default, sql.getInstance())
      assert.is_true(default:isConnected())
    end)

    it("prepares as it is told, by one of four words", function()
      for _, prepare in ipairs { "auto", "named", "unnamed", "off" } do
        local source = sql.connectToSecondarySource(config { prepare = prepare, pool = { max = 1 } })
        for _ = 1, 3 do
          assert.equal(42, source:rawQuery("SELECT 40 + 2 AS n")[1].n)
        end
        if database == "postgres" then
          local text = "SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE 'SELECT 40 + 2%'"
          local named = prepare == "auto" or prepare == "named"
          assert.equal(named and 1 or 0, source:rawQuery(text)[1].n, prepare)
        end
        source:close()
      end
      local err = error_of(sql.connect, config { prepare = "unnamd" })
      assert.equal("INVALID_CONFIG", err.code)
      assert.matches("auto, named, unnamed, off; did you mean `unnamed`?", err.message, 1, true)
      assert.equal("INVALID_CONFIG", error_of(sql.connect, config { prepare = true }).code)
    end)

    it("wants the dot", function()
      sql.connect(config())
      assert.matches("dot", error_of(function() sql:query("t") end).message, 1, true)
      assert.matches("colon", error_of(function() sql.getInstance().query("t") end).message, 1, true)
    end)
  end)

  describe("a data source", function()
    local ds

    before_each(function()
      ds = sql.connectToSecondarySource(config())
    end)

    after_each(function()
      ds:close()
    end)

    it("has every verb of sql", function()
      for _, name in ipairs {
        "query", "rawQuery", "transaction", "startTransaction", "createTables", "dropTables", "addObserver",
        "getModelManager", "getDbType", "getConnectionDetails", "getPool", "isConnected", "ping", "isHealthy",
        "closeConnection", "disconnect", "outside", "startGlobalTransaction", "commitGlobalTransaction",
        "rollbackGlobalTransaction", "atomic", "clone",
      } do
        assert.is_function(sql[name], name)
        assert.is_function(ds[name], name)
      end
      assert.is_nil(ds.null)
    end)

    it("tells about itself, but no password", function()
      assert.equal(database, ds:getDbType())
      local details = ds:getConnectionDetails()
      assert.equal(database, details.type)
      assert.is_string(details.database)
      assert.is_nil(details.password)
      local password = (config().url or ""):match("://[^:]*:([^@]*)@")
      for name, value in pairs(details) do
        assert.is_nil(password and tostring(value):find(password, 1, true), name)
      end
      assert.is_nil(password and tostring(ds):find(password, 1, true))
      local answer = ds:ping()
      assert.is_true(answer.ok)
      assert.equal(database, answer.dialect)
      assert.is_number(answer.latencyMs)
      assert.is_true(ds:isHealthy())
      assert.is_true(ds:isConnected())
      assert.is_number(ds:getPool():stats().max)
      assert.equal("INVALID_ARGUMENT", error_of(ds.getPool, ds, "cockroachdb").code)
      assert.matches(database, tostring(ds))
    end)

    it("is closed for good", function()
      local q = ds:query("t")
      ds:close()
      ds:close()
      assert.is_false(ds:isConnected())
      assert.is_false(ds:ping().ok)
      assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(ds.rawQuery, ds, "SELECT 1").code)
      assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(ds.query, ds, "t").code)
      assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(q.many, q).code)
    end)

    it("is closed after useConnection, whatever happens, and gives what fn gives", function()
      local kept
      assert.same({ 1, 2 }, { sql.useConnection(config(), function(opened)
        kept = opened
        return 1, 2
      end) })
      assert.is_false(kept:isConnected())
      assert.equal("mine", error_of(sql.useConnection, config(), function(opened)
        kept = opened
        error("mine", 0)
      end))
      assert.is_false(kept:isConnected())
    end)

    it("is not left open when connecting fails", function()
      assert.equal("UNSUPPORTED_DATABASE_TYPE",
        error_of(sql.connectToSecondarySource, { type = "nosuch" }).code)
      local nowhere = { type = "sqlite", database = "/nonexistent/dir/x.db" }
      if config().url then
        nowhere = { url = config().url:gsub("/[^/]*$", "/hysteria_nowhere") }
      end
      local err = error_of(sql.connect, nowhere)
      local codes = { UNDEFINED_DATABASE = true, PERMISSION_DENIED = true, CONNECTION_REFUSED = true }
      assert.is_true(codes[err.code] or database == "sqlite", err.code)
      assert.is_false(sql.isConnected())
    end)

    it("can be cloned", function()
      local copy = ds:clone()
      ds:close()
      assert.is_true(copy:isConnected())
      copy:close()
    end)

    describe("raw SQL", function()
      before_each(function()
        ds:rawQuery("DROP TABLE IF EXISTS t")
        ds:rawQuery("CREATE TABLE t (a INTEGER, b VARCHAR(20))")
      end)

      it("binds by place and by name, and knows ?? and strings", function()
        local _, info = ds:rawQuery("INSERT INTO t VALUES (?, ?), (2, '?')", { 1, "x" })
        assert.equal(2, info.affectedRows)
        local named = "SELECT a, b FROM t WHERE b = :b OR a = :a"
        assert.same({ { a = 2, b = "?" } }, ds:rawQuery(named, { a = 9, b = "?" }))
        assert.equal(1, ds:rawQuery("SELECT count(*) AS n FROM t WHERE b = '?'")[1].n)
        local row = ds:rawQuery("SELECT ? AS n", { sql.null })[1]
        assert.is_nil(row.n)
      end)

      it("counts its parameters", function()
        assert.equal("INVALID_ARGUMENT", error_of(ds.rawQuery, ds, "SELECT ?", {}).code)
        assert.equal("INVALID_ARGUMENT", error_of(ds.rawQuery, ds, "SELECT ?", { 1, 2 }).code)
        assert.equal("SYNTAX", error_of(ds.rawQuery, ds, "SELEC 1").code)
        assert.equal("UNDEFINED_TABLE", error_of(ds.rawQuery, ds, "SELECT * FROM nosuch").code)
      end)
    end)

    describe("embedded models", function()
      it("run on their own source, by both spellings", function()
        local User = model "EmbeddedUser" { id = column.increment(), name = column.string() }
        local one = sql.connectToSecondarySource(config { models = { user = User } })
        local two = sql.connectToSecondarySource { type = "sqlite", models = { user = User } }
        for _, source in ipairs { one, two } do
          source:dropTables({ User }, { ifExists = true })
          source:createTables { User }
        end

        one.user:insert { name = "one" }
        two.models.user:insert { name = "two" }

        assert.equal("one", one.models.user:first().name)
        assert.equal("two", two.user:first().name)
        assert.is_nil(one.models.nosuch)
        assert.equal(1, one.user:count())
        local trx = one:transaction()
        trx.sql.models.user:insert { name = "in trx" }
        assert.equal(2, trx.sql.models.user:count())
        trx:rollback()
        assert.equal(1, one.user:count())
        one:close()
        two:close()
      end)

      it("cannot take a verb's name", function()
        local User = model "EmbeddedVerb" { id = column.increment() }
        local err = error_of(sql.connectToSecondarySource, config { models = { query = User } })
        assert.equal("DUPLICATE_MODEL_KEYS", err.code)
        err = error_of(sql.connectToSecondarySource, config { models = { x = {} } })
        assert.equal("INVALID_CONFIG", err.code)
      end)
    end)

    it("is found by a model's connection", function()
      local Named = model "NamedThing" { hysteria.connection("warehouse"), id = column.increment() }
      assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(Named.find, Named).code)
      local named = sql.connectToSecondarySource(config { name = "warehouse" })
      named:dropTables({ Named }, { ifExists = true })
      named:createTables { Named }
      Named:insert {}
      assert.equal(1, named:query("named_things"):getCount())
      assert.equal(1, #Named:find())
      named:close()
    end)

    describe("observers", function()
      it("see every statement, share its id, and cannot break it", function()
        local before, after, failed = {}, {}, {}
        ds:addObserver { onBeforeQuery = function() error("broken") end, onAfterQuery = function() error("broken") end }
        assert.equal(ds, ds:addObserver {
          onBeforeQuery = function(event) before[#before + 1] = event end,
          onAfterQuery = function(event) after[#after + 1] = event end,
          onQueryError = function(event) failed[#failed + 1] = event end,
        })

        ds:rawQuery("SELECT ? + 0 AS a", { 5 })
        pcall(ds.rawQuery, ds, "SELECT * FROM nosuch")

        assert.equal(1, #after)
        assert.equal(before[1].id, after[1].id)
        assert.equal(databases.spelled(database, "SELECT ? + 0 AS a"), before[1].sql)
        assert.same({ 5 }, after[1].params)
        assert.is_true(after[1].raw)
        assert.is_number(after[1].duration)
        assert.equal(1, #failed)
        assert.equal("UNDEFINED_TABLE", failed[1].error.code)
        ds:transaction(function() ds:rawQuery("SELECT 1") end)
        assert.is_true(#after > 1)
      end)

      it("are checked", function()
        assert.equal("UNKNOWN_OPTION", error_of(ds.addObserver, ds, { onQuery = print }).code)
        assert.equal("INVALID_ARGUMENT", error_of(ds.addObserver, ds, { onAfterQuery = 1 }).code)
        assert.equal("NIL_VALUE", error_of(ds.addObserver, ds).code)
      end)

      it("never see the values of sensitive columns", function()
        local Secret = model "SecretThing" { id = column.increment(), pin = column.string { sensitive = true } }
        ds:dropTables({ Secret }, { ifExists = true })
        ds:createTables { Secret }
        local text = {}
        ds:addObserver { onAfterQuery = function(event)
          for _, value in ipairs(event.params) do
            text[#text + 1] = tostring(value)
          end
        end }
        Secret:using(ds):insert { pin = "4711" }
        Secret:using(ds):findOneBy("pin", "4711")
        assert.is_nil(table.concat(text, " "):find("4711", 1, true))
      end)
    end)

    describe("tables", function()
      local A = model "TableA" { id = column.increment(), bId = column.integer(),
        b = hysteria.belongsTo("TableB", { foreignKey = "bId", constraintName = "fk_ab" }) }
      local B = model "TableB" { id = column.increment(), aId = column.integer(),
        a = hysteria.belongsTo("TableA", { foreignKey = "aId", onDelete = "setNull" }) }
      local Child = model "TableChild" { id = column.increment(),
        pid = column.integer { references = { model = "TableParent", onDelete = "cascade" } } }
      local Parent = model "TableParent" { id = column.increment() }

      -- The tables that statements made and dropped, in their order; and whether one is there.
      local function made(seen)
        local names = {}
        for _, event in ipairs(seen.stop()) do
          local verb, name = event.sql:match("^(%u+) TABLE [^%l]*([%l_]+)")
          if verb == "CREATE" or verb == "DROP" then
            names[#names + 1] = (verb == "DROP" and "-" or "") .. name
          end
        end
        return table.concat(names, " ")
      end

      local function exists(name)
        return (pcall(ds.rawQuery, ds, "SELECT count(*) FROM " .. name))
      end

      before_each(function()
        ds:dropTables({ A, B, Child, Parent }, { ifExists = true })
      end)

      it("are made in the order of their references, and dropped backwards", function()
        local seen = databases.watch(ds)
        ds:createTables { Child, Parent }
        assert.equal("table_parents table_children", made(seen))
        Parent:using(ds):insert {}
        Child:using(ds):insert { pid = 1 }
        seen = databases.watch(ds)
        ds:dropTables { Parent, Child }
        assert.equal("-table_children -table_parents", made(seen))
        assert.is_false(exists("table_children") or exists("table_parents"))
      end)

      it("may refer to each other", function()
        ds:createTables { A, B }
        assert.equal("FOREIGN_KEY_VIOLATION", error_of(A.insert, A:using(ds), { bId = 7 }).code)
        local a = A:using(ds):insert {}
        B:using(ds):insert { aId = a.id }
        A:using(ds):deleteRecord(a.id)
        assert.is_nil(B:using(ds):first().aId)
        ds:dropTables { A, B }
        assert.is_false(exists("table_as") or exists("table_bs"))
      end)

      it("are all made or none, where tables can be made in a transaction", function()
        ds:rawQuery("CREATE TABLE table_children (x INTEGER)")
        assert.equal("OBJECT_EXISTS", error_of(ds.createTables, ds, { Parent, Child }).code)
        assert.equal(not ds:can("TRANSACTIONAL_DDL"), exists("table_parents"))
        ds:createTables({ Parent, Child }, { ifNotExists = true })
        assert.is_true(exists("table_children") and exists("table_parents"))
        assert.equal("UNDEFINED_TABLE", error_of(ds.dropTables, ds, { A }).code)
        ds:dropTables({ A }, { ifExists = true })
      end)

      it("want models", function()
        assert.equal("INVALID_ARGUMENT", error_of(ds.createTables, ds, { "x" }).code)
        assert.equal("UNKNOWN_OPTION", error_of(ds.createTables, ds, { A }, { ifNotExist = true }).code)
      end)
    end)
  end)
end)

describe("the number of the last row that raw SQL inserted", function()
  for _, found in ipairs(databases.found()) do
    it("is told on " .. found.name .. ", or 0 where it is not", function()
      local ds <close> = sql.connectToSecondarySource(found.config)
      local Counted = model "SourceCounted" { id = column.increment(), n = column.integer() }
      ds:dropTables({ Counted }, { ifExists = true })
      ds:createTables { Counted }
      ds:rawQuery("INSERT INTO source_counteds (n) VALUES (1)")
      local _, info = ds:rawQuery("INSERT INTO source_counteds (n) VALUES (2)")
      assert.equal(1, info.affectedRows)
      assert.equal(found.name == "postgres" and 0 or 2, info.insertId)
    end)
  end
end)
