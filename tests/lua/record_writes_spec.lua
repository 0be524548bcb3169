-- Records and the rows that they stand for: what a save does not write back, and keys that stay.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  local Price = model "WrittenPrice" {
    id = column.increment(), n = column.integer(),
    amount = column.decimal { precision = 20, scale = 2, as = "number" },
  }
  local Part = model "WrittenPart" {
    hysteria.primaryKey { "shop", "code" },
    shop = column.uuid(), code = column.decimal { precision = 6, scale = 2 },
    n = column.integer(), v = column.version(),
  }
  local prices, parts = Price:using(ds), Part:using(ds)
  local SHOP = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"

  before_each(function()
    ds:dropTables({ Price, Part }, { ifExists = true })
    ds:createTables { Price, Part }
  end)

  it("a decimal that is read as a number is written when it is assigned, exactly", function()
    local LONG = "123456789012345678.91"
    local read = {
      prices:insert { amount = sql.decimal(LONG), n = 1 },
      prices:insertMany { { amount = LONG, n = 1 }, { n = 1 } }[1],
      prices:findOneByPrimaryKey(1), prices:query():orderBy("id"):first(), prices:find { where = { id = 1 } }[1],
    }
    for _, record in ipairs(read) do
      assert.equal("float", math.type(record.amount))
      record.n = 2
      record:save()
      assert.equal(sql.decimal(LONG), sql.decimal(prices:where("id", record.id):getMax("amount")))
    end
    local record = read[1]
    record.amount = sql.decimal("7.25")
    assert.equal(7.25, record:save().amount)
    record.n = 3
    assert.equal(7.25, record:save().amount)
    record.amount = 0.1
    assert.equal("DATA_INVALID", error_of(record.save, record).code)
    record.amount = sql.null
    assert.is_nil(record:save().amount)
  end)

  it("an update takes the key of its row, and no other", function()
    local record = prices:insert { n = 1 }
    for _, write in ipairs {
      function(changes) return record:update(changes) end,
      function(changes) return prices:updateRecord(1, changes) end,
      function(changes) return prices:updateRecord(record, changes) end,
    } do
      assert.equal(5, write({ id = 1, n = 5 }).n)
      for _, changes in ipairs {
        { id = 2, n = 6 }, { id = 2 }, { id = sql.null }, { id = sql.rawStatement("id + 1") },
      } do
        local err = error_of(write, changes)
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.matches("`id` is the key", err.message)
      end
      assert.matches("nothing to change", error_of(write, { id = 1 }).message)
    end
    assert.same({ 1, 5 }, { prices:findOne().id, prices:findOne().n })
  end)

  it("a key is the same in another spelling", function()
    local part = parts:insert { shop = SHOP, code = "1.50", n = 1 }
    assert.equal(2, part:update({ shop = SHOP:upper(), code = sql.decimal("1.5"), n = 2 }).n)
    assert.equal("INVALID_ARGUMENT", error_of(part.update, part, { code = sql.decimal("1.6"), n = 3 }).code)
    assert.equal(3, parts:updateRecord({ SHOP, "1.5" }, { shop = SHOP, n = 3 }).n)
    assert.equal(4, parts:save({ shop = SHOP:upper(), code = "1.50", n = 4 }).n)
  end)

  it("data that is merged in makes no other row of a record", function()
    local first, second = prices:insert { n = 1 }, prices:insert { n = 2 }
    first:mergeProps { id = 1, n = 10 }
    local err = error_of(first.mergeProps, first, { id = 2, n = 11 })
    assert.equal("INVALID_ARGUMENT", err.code)
    assert.same({ 1, 10 }, { first.id, first.n })
    first:save()
    assert.same({ 10, 2 }, { prices:findOneByPrimaryKey(1).n, second:refresh().n })
    local without_key = prices:query():select("n"):first()
    assert.equal(9, without_key:mergeProps({ id = 9 }).id)
  end)

  it("a save of a key alone, or with its version, changes nothing", function()
    parts:insert { shop = SHOP, code = "1.50", n = 1 }
    assert.equal(1, parts:save({ shop = SHOP, code = "1.5" }).v)
    assert.equal(1, parts:save({ shop = SHOP, code = "1.5", v = 1 }).v)
    assert.equal("STALE_RECORD", error_of(parts.save, parts, { shop = SHOP, code = "1.5", v = 7 }).code)
    assert.equal("INVALID_ARGUMENT", error_of(parts.updateRecord, parts, { SHOP, "1.5" }, { v = 1 }).code)
    assert.equal(1, parts:findOne().v)
  end)

  it("what every update sets is prepared in a softDelete and a restore as well", function()
    local Note = model "WrittenNote" {
      hysteria.softDelete(), id = column.increment(), n = column.integer(),
      editor = column.string { autoUpdate = function() return "bob" end, prepare = string.upper },
    }
    ds:dropTables({ Note }, { ifExists = true })
    ds:createTables { Note }
    local notes = Note:using(ds)
    local record = notes:insert { n = 1 }
    for name, write in pairs {
      softDelete = function() record:softDelete() end, restore = function() record:restore() end,
      ["softDelete of a builder"] = function() notes:where("id", 1):softDelete() end,
      ["restore of a builder"] = function() notes:where("id", 1):restore() end,
      update = function() notes:updateRecord(1, { n = 2 }) end,
    } do
      ds:rawQuery("UPDATE written_notes SET editor = 'x', deleted_at = ?",
        { name:find("restore") and "2026-01-02 03:04:05" or sql.null })
      write()
      assert.equal("BOB", ds:rawQuery("SELECT editor FROM written_notes")[1].editor, name)
    end
    ds:dropTables { Note }
  end)

  it("what prepare has made of a value does not go through it again", function()
    local Tag = model "WrittenTag" {
      id = column.increment(), n = column.integer(),
      text = column.string { prepare = function(text) return text .. "!" end },
      both = column.string {
        prepare = function(text) return "<" .. text .. ">" end, serialize = function(text) return text:sub(2, -2) end,
      },
      list = column.json { prepare = function(list) return list end },
      sealed = column.encrypted { key = hysteria.generateKey(), prepare = function(text) return text .. "?" end },
    }
    ds:dropTables({ Tag }, { ifExists = true })
    ds:createTables { Tag }
    local tags = Tag:using(ds)
    local function stored()
      local row = ds:rawQuery("SELECT * FROM written_tags")[1]
      return { row.text, row.both, tags:findOne().list, tags:findOne().sealed }
    end
    local made = tags:insert { text = "a", both = "b", list = { 1 }, sealed = "c" }
    for _, record in ipairs { made, tags:findOne(), tags:findOneByPrimaryKey(1), tags:updateRecord(1, { n = 1 }) } do
      record.n = 2
      record:save()
      assert.same({ "a!", "<b>", { 1 }, "c?" }, stored())
    end
    made.list[2] = 2
    made.text = "d"
    made:save()
    assert.same({ "d!", "<b>", { 1, 2 }, "c?" }, stored())
    made:save()
    assert.same({ "d!", "<b>", { 1, 2 }, "c?" }, stored())
    ds:dropTables { Tag }
  end)

  it("a sum of columns is SQL: no key, and nothing that prepare and validators see", function()
    local Sum = model "WrittenSum" {
      id = column.increment(),
      n = column.integer {
        validate = function(value) return math.type(value) == "integer" end,
        prepare = function(value) return math.abs(value) end,
      },
    }
    ds:dropTables({ Sum }, { ifExists = true })
    ds:createTables { Sum }
    local sums = Sum:using(ds)
    sums:insertMany { { n = 1 }, { n = -2 }, { n = 3 } }
    local every = sql.col("id") + 0
    for verb, reach in pairs {
      deleteRecord = function() sums:deleteRecord(every) end, save = function() sums:save { id = every, n = 9 } end,
      updateRecord = function() sums:updateRecord(every, { n = 9 }) end,
      findOneByPrimaryKey = function() sums:findOneByPrimaryKey(every) end,
      updateMany = function() sums:updateMany { { id = every, n = 9 } } end,
      upsert = function() sums:upsert({ id = every }, { n = 9 }) end,
    } do
      assert.is_true(hysteria.isError(error_of(reach)), verb)
    end
    assert.same({ 1, 2, 3 }, sums:query():orderBy("id"):pluck("n"))
    sums:where("id", 1):update { n = sql.col("n") + 10 }
    sums:updateRecord(2, { n = sql.col("n") * 10 })
    sums:updateMany { { id = 3, n = sql.col("n") - 10 } }
    assert.same({ 11, 20, -7 }, sums:query():orderBy("id"):pluck("n"))
    ds:dropTables { Sum }
  end)
end)
