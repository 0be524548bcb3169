-- Column constructors and their options.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql

describe("a column constructor", function()
  it("refuses an unknown option with a suggestion", function()
    local err = databases.error_of(column.string, { lenght = 3 })

    assert.equal("UNKNOWN_OPTION", err.code)
    assert.matches("length", err.message, 1, true)
  end)

  it("refuses an option of another kind", function()
    assert.equal("UNKNOWN_OPTION", databases.error_of(column.integer, { length = 3 }).code)
  end)

  it("names the kind that was meant", function()
    local err = databases.error_of(function() return column.interger() end)

    assert.matches("integer", err.message, 1, true)
  end)

  it("refuses values of the wrong type", function()
    assert.equal("INVALID_MODEL", databases.error_of(column.string, { nullable = "no" }).code)
    assert.equal("INVALID_ARGUMENT", databases.error_of(column.string, { length = "ten" }).code)
    assert.equal("INVALID_MODEL", databases.error_of(column.string, { prepare = 1 }).code)
    assert.equal("INVALID_MODEL", databases.error_of(column.datetime, { as = "number" }).code)
    assert.equal("INVALID_MODEL", databases.error_of(column.integer, { default = {} }).code)
  end)

  it("refuses a table with a metatable", function()
    assert.equal("INVALID_ARGUMENT", databases.error_of(column.string, setmetatable({}, {})).code)
  end)

  it("takes enum values by place or by name, once", function()
    assert.same({ "a", "b" }, column.enum({ "a", "b", nullable = false }).values)
    assert.same({ "a", "b" }, column.enum({ "a", "b" }, { nullable = false }).values)
    assert.same({ "a" }, column.enum({ values = { "a" } }).values)
    assert.equal("INVALID_MODEL", databases.error_of(column.enum, { "a", values = { "b" } }).code)
    assert.equal("INVALID_MODEL", databases.error_of(column.enum, {}).code)
  end)

  it("makes arrays of what an array can hold", function()
    assert.equal("integer", column.array(column.integer()).element)
    assert.equal("NIL_VALUE", databases.error_of(column.array).code)
    assert.equal("INVALID_MODEL", databases.error_of(column.array, "integer").code)
    assert.equal("INVALID_MODEL", databases.error_of(column.array, column.integer(), { default = sql.array {} }).code)
    for name, of in pairs { json = column.json(), enum = column.enum { "a" }, array = column.array(column.text()) } do
      local Bad = model("ArrayOf" .. name) { id = column.increment(), list = column.array(of) }
      assert.equal("INVALID_MODEL", databases.error_of(Bad.query, Bad).code, name)
    end
  end)

  it("keeps the numbers of a native enumeration as text", function()
    assert.same({ "1", "2" }, column.nativeEnum({ on = 1, off = 2 }).values)
  end)
end)

databases.each(function(ds, database)
  describe("columns of every kind", function()
    local Thing = model "Thing" {
      id = column.increment(),
      flag = column.boolean(),
      tiny = column.tinyint(),
      small = column.smallint(),
      medium = column.mediumint(),
      whole = column.integer(),
      big = column.bigInteger(),
      single = column.float(),
      double = column.double(),
      price = column.decimal { precision = 20, scale = 4 },
      name = column.string { length = 40 },
      code = column.char { length = 3 },
      body = column.text(),
      state = column.enum { "new", "paid" },
      token = column.uuid { generate = false },
      serial = column.ulid { generate = false },
      blob = column.binary(),
      blob2 = column.varbinary { length = 10 },
      data = column.json(),
      more = column.jsonb(),
      day = column.date(),
      clock = column.time(),
      at = column.datetime(),
      stamp = column.timestamp(),
      dayText = column.date.string(),
      custom = column { type = "TEXT" },
    }

    local values = {
      flag = false, tiny = 1, small = 2, medium = 3, whole = -4, big = 9007199254740993, single = 1.5,
      double = 0.1, name = "Zoë", code = "abc", body = "x\ny", state = "paid",
      token = "6f1f9a3e-8a55-4c0c-9c42-6f2b1c3d4e5f", serial = "01ARZ3NDEKTSV4RRFFQ69G5FAV", blob = "\0\1\255",
      blob2 = "\0", day = "2024-02-29", clock = "23:59:58", at = "2024-02-29 12:00:00.123456",
      stamp = "2024-02-29 12:00:00", dayText = "2024-03-01", custom = "free",
    }

    before_each(function()
      ds:dropTables({ Thing }, { ifExists = true })
      ds:createTables { Thing }
    end)

    it("give back what was stored", function()
      local row = Thing:using(ds):insert(values)

      for name, value in pairs(values) do
        assert.equal(value, row[name], name)
        assert.equal(math.type(value), math.type(row[name]), name)
      end
      assert.same(row:toTable(), Thing:using(ds):findOneByPrimaryKey(row.id):toTable())
    end)

    it("keep decimals exact", function()
      local row = Thing:using(ds):insert { price = sql.decimal("1234567890.1234") }

      assert.equal("1234567890.1234", tostring(row.price))
      assert.equal(sql.decimal("1234567890.1234"), Thing:using(ds):findOneByPrimaryKey(row.id).price)
    end)

    it("keep JSON documents", function()
      local row = Thing:using(ds):insert { data = { a = { 1, 2 }, b = "x" }, more = sql.array {} }
      local again = Thing:using(ds):findOneByPrimaryKey(row.id)

      assert.same({ 1, 2 }, { table.unpack(again.data.a) })
      assert.equal("x", again.data.b)
      assert.equal("[]", hysteria.json.encode(again.more))
    end)

    it("have a NULL that is nil and known to be selected", function()
      local row = Thing:using(ds):insert { name = sql.null }

      assert.is_nil(row.name)
      assert.is_true(row:has("name"))
      assert.is_false(Thing:using(ds):query():select("id"):one():has("name"))
    end)

    it("refuse what they cannot hold", function()
      for name, wrong in pairs { whole = "abc", tiny = 1.5, token = "no uuid", day = "2024-02-30", flag = "maybe" } do
        local err = databases.error_of(Thing.insert, Thing:using(ds), { [name] = wrong })
        assert.equal("DATA_INVALID", err.code, name)
      end
    end)
  end)

  it("an array column needs a database that has arrays", function()
    local Tagged = model "TaggedThing" { id = column.increment(), tags = column.array(column.text()) }
    if database == "postgres" then
      ds:dropTables({ Tagged }, { ifExists = true })
      ds:createTables { Tagged }
      finally(function() ds:dropTables { Tagged } end)
      local tagged = Tagged:using(ds)
      tagged:insertMany { { tags = { "a", "b" } }, { tags = sql.null }, { tags = sql.array {} } }
      assert.equal(1, tagged:where("tags", sql.array { "a", "b" }):getCount())
      assert.equal(1, tagged:where { tags = sql.array {} }:getCount())
      assert.equal(1, tagged:query():whereNull("tags"):getCount())
      assert.equal(1, #ds:rawQuery("SELECT id FROM tagged_things WHERE ? = ANY (tags)", { "b" }))
      assert.equal(1, #ds:rawQuery("SELECT id FROM tagged_things WHERE tags && ?", { sql.array { "x", "b" } }))
    else
      local err = databases.error_of(ds.createTables, ds, { Tagged })
      assert.equal("UNSUPPORTED", err.code)
      assert.equal(database, err.dialect)
    end
  end)

  describe("what an insert computes", function()
    local calls = 0
    local Made = model "Made" {
      hysteria.timestamps(),
      id = column.uuid { primaryKey = true },
      ticket = column.ulid(),
      ownerId = column.uuid { references = { table = "mades" } },
      parentId = column.uuid(),
      number = column.integer { default = function()
        calls = calls + 1
        return calls
      end },
      state = column.string { default = "new" },
      flag = column.boolean { default = true },
      onlyUpdate = column.datetime { autoUpdate = true },
      day = column.date { autoCreate = true },
      clock = column.time { autoCreate = true },
      parent = hysteria.belongsTo("Made", { foreignKey = "parentId", constraint = false }),
    }

    before_each(function()
      ds:dropTables({ Made }, { ifExists = true })
      ds:createTables { Made }
    end)

    it("fills keys, functions and times, and leaves defaults to the database", function()
      calls = 0
      local seen = databases.watch(ds)
      local row = Made:using(ds):insert {}
      local text = seen.stop()[1].sql

      assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4", row.id)
      assert.equal(26, #row.ticket)
      assert.equal(1, row.number)
      assert.equal("new", row.state)
      assert.is_true(row.flag)
      assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d", row.createdAt)
      assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d", row.onlyUpdate)
      assert.matches("^%d%d%d%d%-%d%d%-%d%d$", row.day)
      assert.matches("^%d%d:%d%d:%d%d", row.clock)
      assert.is_nil(text:match("\"state\".-VALUES"))
    end)

    it("generates nothing for columns that hold another row's key", function()
      local row = Made:using(ds):insert {}

      assert.is_nil(row.ownerId)
      assert.is_nil(row.parentId)
    end)

    it("cuts its clocks to what their columns keep", function()
      local Cut = model "CutClock" {
        hysteria.softDelete("goneAt"),
        id = column.increment(),
        goneAt = column.datetime { precision = 0 },
        whole = column.datetime { precision = 0, autoCreate = true },
        tenths = column.timestamp { precision = 1, autoCreate = true, autoUpdate = true },
        clock = column.time { precision = 0, autoCreate = true },
      }
      ds:dropTables({ Cut }, { ifExists = true })
      ds:createTables { Cut }
      finally(function() ds:dropTables { Cut } end)

      local row = Cut:using(ds):insert {}
      row:update { tenths = "2001-01-01 00:00:00.5" }
      row:update { clock = "01:02:03" }
      row:softDelete()
      local again = Cut:using(ds):query():withDeleted():one()

      assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d$", again.whole)
      assert.matches("^20%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d", again.tenths)
      assert.equal("01:02:03", again.clock)
      assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d$", again.goneAt)
    end)

    it("honours what is given, NULL included", function()
      local row = Made:using(ds):insert {
        id = "6f1f9a3e-8a55-4c0c-9c42-6f2b1c3d4e5f", number = 7, day = sql.null, createdAt = "2001-01-01 00:00:00",
      }

      assert.equal("6f1f9a3e-8a55-4c0c-9c42-6f2b1c3d4e5f", row.id)
      assert.equal(7, row.number)
      assert.is_nil(row.day)
      assert.equal("2001-01-01 00:00:00", row.createdAt)
    end)

    it("renews autoUpdate columns with every update and leaves autoCreate alone", function()
      local row = Made:using(ds):insert { createdAt = "2001-01-01 00:00:00", updatedAt = "2001-01-01 00:00:00" }

      row:update { state = "old" }
      Made:using(ds):query():where("id", row.id):update { number = 5 }
      local again = Made:using(ds):findOneByPrimaryKey(row.id)

      assert.equal("2001-01-01 00:00:00", again.createdAt)
      assert.not_equal("2001-01-01 00:00:00", again.updatedAt)
      assert.equal("old", again.state)
    end)
  end)

  describe("a column's own functions", function()
    local Coded = model "Coded" {
      id = column.increment(),
      tags = column.string {
        prepare = function(list) return table.concat(list, ",") end,
        serialize = function(text)
          local list = {}
          for tag in text:gmatch("[^,]+") do
            list[#list + 1] = tag
          end
          return list
        end,
      },
      secret = column.string { hidden = true },
      shout = column.string { databaseName = "SHOUT" },
      age = column.integer {
        validate = {
          function(value) return value == nil or value >= 0, "must not be negative" end,
          function(value) return { valid = value ~= 13, message = "is unlucky" } end,
        },
      },
    }

    before_each(function()
      ds:dropTables({ Coded }, { ifExists = true })
      ds:createTables { Coded }
    end)

    it("prepare what is written and serialize what is read", function()
      local row = Coded:using(ds):insert { tags = { "a", "b" } }

      assert.same({ "a", "b" }, row.tags)
      assert.equal("a,b", ds:rawQuery("SELECT tags FROM codeds")[1].tags)
      assert.same({ { "a", "b" } }, Coded:using(ds):query():pluck("tags"))
      row:update { tags = { "c" } }
      assert.equal("c", ds:rawQuery("SELECT tags FROM codeds")[1].tags)
      assert.same({ "c" }, row.tags)
    end)

    it("let NULL and SQL expressions pass", function()
      local row = Coded:using(ds):insert { tags = sql.rawStatement("replace('x y', ' ', ',')") }
      assert.same({ "x", "y" }, row.tags)

      row:update { tags = sql.null }
      assert.is_nil(row.tags)
      assert.equal(1, ds:rawQuery("SELECT count(*) AS n FROM codeds WHERE tags IS NULL")[1].n)
    end)

    it("validate every write, all columns at once", function()
      local err = databases.error_of(Coded.insert, Coded:using(ds), { age = -1 })
      assert.equal("VALIDATION_ERROR", err.code)
      assert.equal("data", err.kind)
      assert.same({ age = { "must not be negative" } }, err.errors)

      local row = Coded:using(ds):insert { age = 1 }
      assert.equal("VALIDATION_ERROR", databases.error_of(row.update, row, { age = 13 }).code)
      assert.equal("VALIDATION_ERROR", databases.error_of(Coded.insertMany, Coded:using(ds), {
        { age = 1 }, { age = 13 },
      }).code)
      assert.equal(1, ds:rawQuery("SELECT count(*) AS n FROM codeds")[1].n)
    end)

    it("use the database's name in SQL and the property in Lua", function()
      local row = Coded:using(ds):insert { shout = "A" }

      assert.equal("A", row.shout)
      local name = database == "postgres" and "\"SHOUT\"" or "SHOUT"
      assert.equal("A", ds:rawQuery("SELECT " .. name .. " FROM codeds")[1].SHOUT)
      assert.equal(1, Coded:using(ds):query():where("shout", "A"):getCount())
      assert.equal("A", Coded:using(ds):query():select("shout"):one().shout)
    end)

    it("stay hidden unless selected by name", function()
      local row = Coded:using(ds):insert { secret = "s" }

      assert.is_nil(row.secret)
      assert.is_false(row:has("secret"))
      assert.is_nil(Coded:using(ds):query():one().secret)
      local shown = Coded:using(ds):query():select("id", "secret"):one()
      assert.equal("s", shown.secret)
      assert.is_nil(shown:toTable().secret)
      assert.is_nil(shown:toJson():find("secret", 1, true))
      assert.is_nil(tostring(shown):find("\"s\"", 1, true))
    end)
  end)
end)
