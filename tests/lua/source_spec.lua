-- Data sources: the default one and others, raw SQL, embedded models, observers, tables.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

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
    local ds = sql.connect({ type = "sqlite" }, function(opened) given = opened end)
    assert.equal(ds, given)
    assert.is_true(sql.isConnected())
    assert.equal("CONNECTION_ALREADY_ESTABLISHED", error_of(sql.connect, { type = "sqlite" }).code)
    assert.equal(ds, sql.getInstance())
    sql.disconnect()
    assert.is_false(sql.isConnected())
    sql.connect("sqlite:")
  end)

  it("is not touched by others", function()
    sql.connect { type = "sqlite" }
    local default = sql.getInstance()
    local other = sql.connectToSecondarySource { type = "sqlite" }
    sql.useConnection({ type = "sqlite" }, function(third)
      assert.not_equal(default, third)
      assert.equal(default, sql.getInstance())
    end)
    other:close()
    assert.equal(default, sql.getInstance())
    assert.is_true(default:isConnected())
  end)

  it("wants the dot", function()
    sql.connect { type = "sqlite" }
    assert.matches("dot", error_of(function() sql:query("t") end).message, 1, true)
    assert.matches("colon", error_of(function() sql.getInstance().query("t") end).message, 1, true)
  end)
end)

describe("a data source", function()
  local ds

  before_each(function()
    ds = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
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
    assert.equal("sqlite", ds:getDbType())
    assert.same({ type = "sqlite", database = ":memory:" }, ds:getConnectionDetails())
    local answer = ds:ping()
    assert.is_true(answer.ok)
    assert.equal("sqlite", answer.dialect)
    assert.is_number(answer.latencyMs)
    assert.is_true(ds:isHealthy())
    assert.is_true(ds:isConnected())
    assert.is_number(ds:getPool():stats().max)
    assert.equal("INVALID_ARGUMENT", error_of(ds.getPool, ds, "postgres").code)
    assert.matches("sqlite", tostring(ds))
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
    assert.same({ 1, 2 }, { sql.useConnection("sqlite:", function(opened)
      kept = opened
      return 1, 2
    end) })
    assert.is_false(kept:isConnected())
    assert.equal("mine", error_of(sql.useConnection, "sqlite:", function(opened)
      kept = opened
      error("mine", 0)
    end))
    assert.is_false(kept:isConnected())
  end)

  it("is not left open when connecting fails", function()
    assert.equal("UNSUPPORTED_DATABASE_TYPE",
      error_of(sql.connectToSecondarySource, { type = "nosuch" }).code)
    assert.is_truthy(error_of(sql.connect, { type = "sqlite", database = "/nonexistent/dir/x.db" }).code)
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
      ds:rawQuery("CREATE TABLE t (a INTEGER, b TEXT)")
    end)

    it("binds by place and by name, and knows ?? and strings", function()
      local _, info = ds:rawQuery("INSERT INTO t VALUES (?, ?), (2, '?')", { 1, "x" })
      assert.equal(2, info.affectedRows)
      assert.equal(2, info.insertId)
      assert.same({ { a = 2, b = "?" } }, ds:rawQuery("SELECT a, b FROM t WHERE b = :b OR a = :a", { a = 9, b = "?" }))
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
      local one = sql.connectToSecondarySource { type = "sqlite", models = { user = User } }
      local two = sql.connectToSecondarySource { type = "sqlite", models = { user = User } }
      one:createTables { User }
      two:createTables { User }

      one.user:insert { name = "one" }
      two.models.user:insert { name = "two" }

      assert.equal("one", one.models.user:first().name)
      assert.equal("two", two.user:first().name)
      assert.is_nil(one.models.nosuch)
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
      local err = error_of(sql.connectToSecondarySource, { type = "sqlite", models = { query = User } })
      assert.equal("DUPLICATE_MODEL_KEYS", err.code)
      err = error_of(sql.connectToSecondarySource, { type = "sqlite", models = { x = {} } })
      assert.equal("INVALID_CONFIG", err.code)
    end)
  end)

  it("is found by a model's connection", function()
    local Named = model "NamedThing" { hysteria.connection("warehouse"), id = column.increment() }
    assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(Named.find, Named).code)
    local named = sql.connectToSecondarySource { type = "sqlite", name = "warehouse" }
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

      ds:rawQuery("SELECT ? AS a", { 5 })
      pcall(ds.rawQuery, ds, "SELECT * FROM nosuch")

      assert.equal(1, #after)
      assert.equal(before[1].id, after[1].id)
      assert.equal("SELECT ? AS a", before[1].sql)
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

    local function existing()
      local names = {}
      for index, row in ipairs(ds:rawQuery(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid")) do
        names[index] = row.name
      end
      return table.concat(names, " ")
    end

    it("are made in the order of their references, and dropped backwards", function()
      ds:createTables { Child, Parent }
      assert.equal("table_parents table_children", existing())
      Parent:using(ds):insert {}
      Child:using(ds):insert { pid = 1 }
      ds:dropTables { Parent, Child }
      assert.equal("", existing())
    end)

    it("may refer to each other", function()
      ds:createTables { A, B }
      assert.equal("FOREIGN_KEY_VIOLATION", error_of(A.insert, A:using(ds), { bId = 7 }).code)
      A:using(ds):insert {}
      B:using(ds):insert { aId = 1 }
      A:using(ds):deleteRecord(1)
      assert.is_nil(B:using(ds):first().aId)
      ds:dropTables { A, B }
    end)

    it("are all made or none", function()
      ds:rawQuery("CREATE TABLE table_children (x INTEGER)")
      assert.equal("OBJECT_EXISTS", error_of(ds.createTables, ds, { Parent, Child }).code)
      assert.equal("table_children", existing())
      ds:createTables({ Parent, Child }, { ifNotExists = true })
      assert.equal("table_children table_parents", existing())
      assert.equal("UNDEFINED_TABLE", error_of(ds.dropTables, ds, { A }).code)
      ds:dropTables({ A }, { ifExists = true })
    end)

    it("want models", function()
      assert.equal("INVALID_ARGUMENT", error_of(ds.createTables, ds, { "x" }).code)
      assert.equal("UNKNOWN_OPTION", error_of(ds.createTables, ds, { A }, { ifNotExist = true }).code)
    end)
  end)
end)
