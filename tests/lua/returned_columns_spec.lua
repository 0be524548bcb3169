-- What writes give back: columns by either of their names, beside keys that are hidden, and options that a verb
-- would have ignored.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model = hysteria.column, hysteria.model
local error_of = databases.error_of

databases.each(function(ds)
  local Thing = model "ReturnedThing" {
    thingId = column.increment { databaseName = "thing_no" }, code = column.string { length = 20, unique = true },
    n = column.integer(),
  }
  local Hidden = model "ReturnedHidden" {
    id = column.increment { hidden = true }, code = column.string { length = 20, unique = true, hidden = true },
    n = column.integer(),
  }
  local things, hidden = Thing:using(ds), Hidden:using(ds)

  before_each(function()
    ds:dropTables({ Thing, Hidden }, { ifExists = true })
    ds:createTables { Thing, Hidden }
  end)

  local function plain(list)
    local rows = {}
    for index, record in ipairs(list) do
      rows[index] = record:toTable()
    end
    return rows
  end

  it("a key that is asked for by its database name stays", function()
    local given = { returning = { "thing_no" } }
    assert.same({ { thingId = 1 }, { thingId = 2 } }, plain(things:insertMany({ { n = 1 }, { n = 2 } }, given)))
    assert.same({ { thingId = 2 }, { thingId = 1 } },
      plain(things:upsertMany("thingId", { { thingId = 2, n = 3 }, { thingId = 1, n = 4 } }, given)))
    assert.same({ { thingId = 2 }, { thingId = 1 } },
      plain(things:updateMany({ { thingId = 2, n = 5 }, { thingId = 1, n = 6 } }, given)))
    assert.same({ { n = 1 }, { n = 2 } }, plain(things:insertMany({ { n = 1 }, { n = 2 } }, { returning = { "n" } })))
  end)

  it("rows whose key is hidden come in order, without it", function()
    local rows = {}
    for n = 1, 12 do
      rows[n] = { n = n, code = "c" .. n }
    end
    local function needs_order(list)
      for n = 1, 12 do
        assert.same({ n = n }, list[n]:toTable())
        assert.is_nil(list[n].id or list[n].code)
      end
    end
    needs_order(hidden:insertMany(rows))
    needs_order(hidden:upsertMany("code", rows))
    needs_order(hidden:updateMany(rows, { by = "code", returning = true }))
    local last = ds:rawQuery("SELECT max(id) AS id FROM returned_hiddens")[1].id
    local list = hidden:insertMany({ { n = 1 }, { n = 2 } }, { returning = { "n", "id" } })
    assert.is_true(list[1].id > last and list[2].id > list[1].id)
  end)

  it("a list of no columns is refused by all, and nothing is written", function()
    local given = { returning = {} }
    for verb, write in pairs {
      insert = function() return things:insert({ n = 1 }, given) end,
      insertMany = function() return things:insertMany({ { n = 1 }, { n = 2 } }, given) end,
      upsert = function() return things:upsert({ code = "a" }, { n = 1 }, given) end,
      save = function() return things:save({ n = 1 }, given) end,
      table = function() return ds:query("returned_things"):insert({ n = 1 }, given) end,
      update = function() return things:query():allRows():update({ n = 1 }, given) end,
    } do
      assert.equal("INVALID_ARGUMENT", error_of(write).code, verb)
    end
    assert.equal(0, things:count())
  end)

  it("writes by key narrow what they give, or save the work", function()
    things:insert { code = "a", n = 1 }
    assert.same({ code = "a" }, things:updateRecord(1, { n = 2 }, { returning = { "code" } }):toTable())
    assert.equal(1, things:updateRecord(1, { n = 3 }, { returning = false }))
    assert.same({ n = 4 }, things:save({ thingId = 1, n = 4 }, { returning = { "n" } }):toTable())
    assert.equal(1, things:save({ thingId = 1, n = 5 }, { returning = false }))
    assert.equal(1, things:save({ thingId = 1 }, { returning = false }))
    assert.same({ n = 5 }, things:save({ thingId = 1 }, { returning = { "n" } }):toTable())
    assert.equal(1, things:save({ thingId = 9, n = 9 }, { returning = false }))
    assert.equal(1, things:save({ n = 10 }, { returning = false }))
    assert.equal("ROW_NOT_FOUND", error_of(things.updateRecord, things, 77, { n = 1 }, { returning = false }).code)
    local record = things:findOneByPrimaryKey(1)
    assert.equal("INVALID_ARGUMENT",
      error_of(things.updateRecord, things, record, { n = 1 }, { returning = false }).code)
    assert.equal("UNKNOWN_OPTION", error_of(things.save, things, record, { returning = false }).code)
    assert.same({ 5, 3 }, { record:refresh().n, things:count() })
  end)

  it("hooks after a write by key see the row that nobody wanted", function()
    local seen
    local Watched = model "ReturnedWatched" {
      hysteria.afterUpdate(function(row) seen = row.code end),
      id = column.increment(), code = column.string(), n = column.integer(),
    }
    ds:dropTables({ Watched }, { ifExists = true })
    ds:createTables { Watched }
    local watched = Watched:using(ds)
    watched:insert { code = "a" }
    assert.equal(1, watched:updateRecord(1, { n = 1 }, { returning = false }))
    assert.equal("a", seen)
    ds:dropTables { Watched }
  end)

  it("rows of an update are tracked where that is said", function()
    things:insertMany { { code = "a", n = 1 }, { code = "b", n = 2 } }
    for _, rows in ipairs {
      things:update({ n = 5 }, { where = { code = "a" }, returning = true, track = true }),
      things:updateMany({ { thingId = 1, n = 6 } }, { returning = true, track = true }),
    } do
      local statements = databases.watch(ds)
      rows[1]:save()
      assert.equal(0, #statements.stop())
    end
  end)

  it("firstOrInsert inserts what it looks for, and checks that where it finds it too", function()
    for _ = 1, 2 do
      local err = error_of(things.firstOrInsert, things, { code = "a" }, { code = "b" })
      assert.equal("INVALID_ARGUMENT", err.code)
      assert.matches("one value in search and another", err.message)
      assert.equal("UNDEFINED_COLUMN", error_of(things.firstOrInsert, things, { code = "a" }, { m = 1 }).code)
      assert.equal("a", things:firstOrInsert({ code = "a" }, { code = "a", n = 1 }).code)
    end
    assert.equal(1, things:count())
  end)

  it("firstOrInsert gives a whole record, and takes no option that says otherwise", function()
    for _, returning in ipairs { false, true, { "n" } } do
      local err = error_of(things.firstOrInsert, things, { code = "a" }, { n = 1 }, { returning = returning })
      assert.equal("UNKNOWN_OPTION", err.code)
    end
    assert.equal(0, things:count())
  end)
end)
