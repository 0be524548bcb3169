-- insert and insertMany: columns that rows leave out, rows without any, empty lists, and what comes
-- back of models and of plain tables.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local Item = model "InsertItem" {
    id = column.increment(), name = column.string { length = 40, default = "none" },
    n = column.integer { default = 7 }, on = column.boolean { default = true }, note = column.string(),
  }
  local Pair = model "InsertPair" {
    hysteria.primaryKey { "a", "b" }, a = column.integer(), b = column.integer(),
    state = column.string { length = 10, default = "new" },
  }
  local Loose = model "InsertLoose" { name = column.string { length = 40 }, n = column.integer { default = 3 } }
  local all = { Item, Pair, Loose }
  local items, pairs_of, looses = Item:using(ds), Pair:using(ds), Loose:using(ds)

  before_each(function()
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
  end)

  local function shown(row)
    return ("%s/%s/%s/%s"):format(row.name, row.n, row.on, row.note)
  end

  it("a column that only some rows have gets its default in the others", function()
    local list = items:insertMany { { name = "a" }, { n = 1, on = false }, { note = "x" }, { name = "b", n = 2 } }
    local seen = {}
    for index, row in ipairs(list) do
      assert.equal(index, row.id)
      seen[index] = shown(row)
    end
    assert.same({ "a/7/true/nil", "none/1/false/nil", "none/7/true/x", "b/2/true/nil" }, seen)
  end)

  it("NULL is not the default", function()
    local list = items:insertMany { { name = sql.null, n = 1 }, { n = sql.null }, {} }
    assert.same({ "nil/1/true/nil", "none/nil/true/nil", "none/7/true/nil" },
      { shown(list[1]), shown(list[2]), shown(list[3]) })
  end)

  it("rows without a column are rows of defaults", function()
    assert.equal("none/7/true/nil", shown(items:insert {}))
    local list = items:insertMany { {}, {}, { n = 1 }, {} }
    assert.same({ 2, 3, 4, 5 }, { list[1].id, list[2].id, list[3].id, list[4].id })
    assert.same({ 7, 7, 1, 7 }, { list[1].n, list[2].n, list[3].n, list[4].n })
    assert.equal(3, items:insertMany({ {}, {}, {} }, { returning = false }))
    assert.equal(2, ds:query("insert_items"):insertMany { {}, {} })
    assert.equal(1, ds:query("insert_items"):insert {})
    assert.equal(11, items:count())
    assert.equal(2, #looses:insertMany { {}, {} })
    assert.equal(6, looses:query():getSum("n"))
  end)

  -- The numbers that the database gives are its own; that none is made up is what counts.
  local function numbers_of(insert_many)
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
    assert.equal(5, insert_many { { name = "a" }, { id = 50, n = 1 }, { name = "b" }, { id = 60 }, {} })
    local rows = ds:rawQuery("SELECT id, n FROM insert_items ORDER BY id")
    local own = 0
    for _, row in ipairs(rows) do
      assert.is_true(row.id >= 1, "a row was stored as number " .. row.id)
      own = own + ((row.id == 50 or row.id == 60) and 1 or 0)
      assert.equal(row.id == 50 and 1 or 7, row.n)
    end
    assert.same({ 5, 2 }, { #rows, own })
  end

  it("rows without a number get one beside rows that have theirs", function()
    numbers_of(function(rows) return items:insertMany(rows, { returning = false }) end)
    numbers_of(function(rows) return #items:insertMany(rows) end)
    numbers_of(function(rows) return ds:query("insert_items"):insertMany(rows) end)
    numbers_of(function(rows)
      local count = 0
      for _, statement in ipairs(items:dryQuery():insertMany(rows):unWrap().statements) do
        count = count + select(2, ds:rawQuery(statement.sql:gsub("%$%d+", "?"), statement.bindings)).affectedRows
      end
      return count
    end)
    assert.equal(2, items:insertMany({ { id = 70 }, {} }, { returning = false }))
    assert.equal(2, items:insertMany({ {}, { id = 80 } }, { returning = false }))
    assert.equal(0, items:where("id", "<", 1):count())
  end)

  it("NULL is no number, and is not taken for one that is to come", function()
    for _, write in ipairs {
      function() items:insert { id = sql.null, n = 1 } end,
      function() items:insertMany { { n = 1 }, { id = sql.null } } end,
      function() items:insertMany({ { n = sql.rawStatement("1"), id = sql.null } }, { returning = false }) end,
      function() items:save { id = sql.null, n = 1 } end,
    } do
      local err = error_of(write)
      assert.equal("NOT_NULL_VIOLATION", err.code)
      assert.matches("column 'id' is NULL", err.message)
    end
    assert.equal(0, items:count())
  end)

  it("a value of a new row names no column, since there is no row", function()
    items:insert { id = 1, name = "a", n = 3 }
    local value = sql.col("n") + 100
    for verb, write in pairs {
      insert = function() items:insert { name = "b", n = value } end,
      insertMany = function() items:insertMany { { name = "b" }, { n = sql.func("abs", sql.col("n")) } } end,
      raw = function() items:insert { n = sql.rawStatement("? + 1", sql.col("n")) } end,
      upsert = function() items:upsert({ id = 1 }, { n = value }) end,
      upsertMany = function() items:upsertMany("id", { { id = 1, n = value } }) end,
      qualified = function() items:upsert({ id = 1 }, { n = sql.col("insert_items.n") }) end,
      table = function() ds:query("insert_items"):upsert({ id = 1, n = value }, { "id" }) end,
      ["table's insert"] = function() ds:query("insert_items"):insert { n = sql.col("n") } end,
    } do
      local err = error_of(write)
      assert.equal("INVALID_ARGUMENT", err.code, verb .. ": " .. err.message)
      assert.matches("there is no row yet", err.message)
    end
    assert.same({ 1, 3 }, { items:count(), items:findOne().n })
    local most = ds:query("insert_pairs"):select(sql.func("max", sql.col("b")))
    pairs_of:insert { a = 1, b = 41 }
    assert.equal(42, items:insert({ id = 2, n = sql.rawStatement("? + 1", most) }).n)
  end)

  it("a list without rows gives none", function()
    local seen = databases.watch(ds)
    assert.same({}, items:insertMany {})
    assert.same({}, items:insertMany({}, { returning = { "id" } }))
    assert.equal(0, items:insertMany({}, { returning = false }))
    assert.equal(0, ds:query("insert_items"):insertMany {})
    assert.same({}, ds:query("insert_items"):insertMany({}, { returning = true }))
    assert.equal(0, #seen.stop())
  end)

  it("one row in a list gives a list", function()
    local list = items:insertMany { { n = 1 } }
    assert.same({ 1, 1 }, { #list, list[1].n })
    assert.equal(1, items:insertMany({ { n = 1 } }, { returning = false }))
  end)

  it("returning narrows and saves", function()
    assert.same({ n = 7 }, items:insert({}, { returning = { "n" } }):toTable())
    assert.equal(1, items:insert({}, { returning = false }))
    local list = items:insertMany({ { n = 1 }, { n = 2 } }, { returning = { "n", "on" } })
    assert.same({ { n = 1, on = true }, { n = 2, on = true } }, { list[1]:toTable(), list[2]:toTable() })
    assert.equal("UNDEFINED_COLUMN", error_of(items.insert, items, {}, { returning = { "nn" } }).code)
  end)

  it("keys of several columns come back in order", function()
    local list = pairs_of:insertMany { { a = 2, b = 1 }, { a = 1, b = 2, state = "old" }, { a = 1, b = 1 } }
    local seen = {}
    for index, row in ipairs(list) do
      seen[index] = row.a .. row.b .. row.state
    end
    assert.same({ "21new", "12old", "11new" }, seen)
    assert.same({ a = 3, b = 3, state = "new" }, pairs_of:insert({ a = 3, b = 3 }):toTable())
  end)

  it("what chooses rows is refused where none are chosen", function()
    items:insertMany { { n = 1 }, { n = 2 } }
    for name, argument in next, { insert = { n = 5 }, insertMany = { { n = 5 } }, truncate = {} } do
      for _, query in ipairs { items:where("id", 1), items:query():orderBy("id"):limit(1), items:query():limit(0),
        ds:query("insert_items"):where("id", 1) } do
        assert.equal("INVALID_ARGUMENT", error_of(query[name], query, argument).code)
      end
    end
    assert.same({ 1, 2 }, items:query():orderBy("id"):pluck("n"))
    items:query():truncate()
    assert.equal(0, items:count())
  end)

  it("a plain table gives counts unless it is asked", function()
    assert.equal(1, ds:query("insert_items"):insert { n = 1 })
    assert.equal(2, ds:query("insert_items"):insertMany { { n = 2 }, { name = "x" } })
    assert.same({ 1, 2, 7 }, items:query():orderBy("id"):pluck("n"))
    if ds:can("RETURNING_INSERT") then
      assert.equal(4, ds:query("insert_items"):insert({ n = 3 }, { returning = true }).id)
      assert.same({ { n = 4 }, { n = 5 } }, ds:query("insert_items"):insertMany({ { n = 4 }, { n = 5 } },
        { returning = { "n" } }))
    else
      local err = error_of(function() ds:query("insert_items"):insert({ n = 3 }, { returning = true }) end)
      assert.same({ "UNSUPPORTED", database }, { err.code, err.dialect })
      assert.equal(3, items:count())
    end
  end)
end)
