-- Ways to a query: sql.from, sql.query and its options, models embedded in a source.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

local Thing = model "EntryThing" {
  hysteria.softDelete(), id = column.increment(), firstName = column.string { length = 20 }, size = column.integer(),
}

databases.each(function(ds, name, config)
  local things = Thing:using(ds)

  before_each(function()
    ds:dropTables({ Thing }, { ifExists = true })
    ds:createTables { Thing }
    things:insertMany { { firstName = "a", size = 1 }, { firstName = "b", size = 2 }, { firstName = "c", size = 3 } }
  end)

  it("from takes a table or a model", function()
    assert.equal(3, ds:from("entry_things"):count())
    assert.equal("a", ds:from("entry_things"):orderBy("id"):one().first_name)
    local record = ds:from(Thing):where("size", 2):one()
    assert.equal("b", record.firstName)
    record:delete()
    assert.equal(2, ds:query(Thing, { alias = "t" }):where("t.size", ">", 0):count())
    assert.equal("UNKNOWN_OPTION", error_of(ds.from, ds, Thing, { softDeleteColumn = "x" }).code)
    assert.equal("NIL_VALUE", error_of(ds.from, ds).code)
    assert.equal("INVALID_ARGUMENT", error_of(ds.from, ds, {}).code)
  end)

  it("a table has an alias, by option or in its name", function()
    assert.equal(1, ds:query("entry_things", { alias = "t" }):where("t.size", 3):count())
    assert.equal(1, ds:query("entry_things as t"):where("t.size", 3):count())
  end)

  it("a table's columns follow a convention where one is told", function()
    local function query()
      return ds:query("entry_things", { databaseCaseConvention = "snake" })
    end
    local rows = query():select("firstName", "size"):where("firstName", "!=", "a"):orderBy("firstName", "desc"):many()
    assert.same({ { firstName = "c", size = 3 }, { firstName = "b", size = 2 } }, rows)
    assert.equal("c", query():where("entry_things.firstName", "c"):one().first_name)
    assert.equal(1, query():where("firstName", "a"):update { firstName = "z", size = 9 })
    assert.same({ "z" }, query():where("size", 9):pluck("firstName"))
    assert.equal(1, query():insert { firstName = "n", size = 4 })
    assert.equal(2, query():insertMany { { firstName = "o", size = 5 }, { firstName = "p" } })
    assert.equal("23", tostring(query():getSum("size")))
    local grouped = query():select("firstName"):selectFunc("max", "size", "biggestOne"):groupBy("firstName")
      :having("biggestOne", ">", 4):orderBy("biggestOne"):many()
    assert.same({ { firstName = "o", biggestOne = 5 }, { firstName = "z", biggestOne = 9 } }, grouped)
    assert.equal("INVALID_ARGUMENT", error_of(ds.query, ds, "entry_things", { databaseCaseConvention = "x" }).code)
    assert.equal("UNDEFINED_COLUMN", error_of(function()
      ds:query("entry_things"):where("firstName", "a"):many()
    end).code)
  end)

  it("a table's rows are marked deleted as it was told", function()
    local stamp = "2020-01-02 03:04:05"
    local query = ds:query("entry_things", { softDeleteColumn = "deleted_at", softDeleteValue = stamp })
    assert.equal(1, query:where("size", 1):softDelete())
    assert.equal(stamp, things:query():onlyDeleted():one().deletedAt:sub(1, #stamp))
    assert.equal(1, ds:query("entry_things", { softDeleteColumn = "size", softDeleteValue = 77 }):where("size", 2)
      :softDelete())
    assert.equal(1, things:where("size", 77):count())
    assert.equal(1, ds:query("entry_things"):where("size", 3):softDelete())
    assert.equal(1, things:count())
    assert.equal("INVALID_ARGUMENT", error_of(ds.query, ds, "entry_things", { softDeleteColumn = false }).code)
  end)

  describe("an embedded model", function()
    local shared = name == "sqlite" and os.tmpname() or nil
    local source

    before_each(function()
      source = sql.connectToSecondarySource(config {
        database = shared or config().database, models = { thing = Thing },
      })
      source:dropTables({ Thing }, { ifExists = true })
      source:createTables { Thing }
    end)

    after_each(function()
      source:close()
      for _, suffix in ipairs(shared and { "", "-wal", "-shm" } or {}) do
        os.remove(shared .. suffix)
      end
    end)

    it("is bound to its source, under both names", function()
      source.thing:insert { firstName = "x" }
      source.models.thing:insert { firstName = "y" }
      assert.equal(2, source.thing:count())
      assert.equal(2, source:rawQuery("select count(*) as n from entry_things")[1].n)
      assert.is_nil(source.models.nobody)
      assert.is_nil(source.nobody)
      source.thing:findOne():update { firstName = "z" }
      assert.equal(1, source.thing:where("firstName", "z"):count())
    end)

    it("is in the transaction of its source", function()
      local trx = source:startTransaction()
      trx.sql.thing:insert { firstName = "x" }
      trx.sql.models.thing:insert { firstName = "y" }
      assert.equal(2, trx.sql.thing:count())
      trx:rollback()
      assert.equal(0, source.thing:count())
      pcall(source.transaction, source, function()
        source.thing:insert { firstName = "x" }
        error("no")
      end)
      assert.equal(0, source.thing:count())
    end)

    it("is there after clone", function()
      local copy <close> = source:clone()
      copy.thing:insert { firstName = "x" }
      assert.equal(1, copy.models.thing:count())
    end)
  end)

  it("an embedded model's key is no name of the source's", function()
    for _, key in ipairs { "query", "models", "transaction", "close", "_handle", "from" } do
      local err = error_of(sql.connectToSecondarySource, config { models = { [key] = Thing } })
      assert.equal("DUPLICATE_MODEL_KEYS", err.code)
    end
    assert.equal("INVALID_CONFIG", error_of(sql.connectToSecondarySource, config { models = { a = {} } }).code)
  end)
end)

it("sql.from asks the source that is the default then", function()
  sql.connect { type = "sqlite" }
  sql.createTables { Thing }
  sql.from(Thing):insert { firstName = "x" }
  assert.equal("x", sql.from("entry_things"):one().first_name)
  sql.disconnect()
  sql.connect { type = "sqlite" }
  sql.createTables { Thing }
  assert.equal(0, sql.from(Thing):count())
  sql.disconnect()
end)
