-- Values in other places than a plain column of a plain write: what a record read is what it
-- stores again.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  describe("a record whose columns are read in forms of their own", function()
    local Formed = model "PlaceFormed" {
      id = column.increment(), n = column.integer(),
      ratio = column.decimal { precision = 10, scale = 3, as = "number" },
      long = column.decimal { precision = 30, scale = 3, as = "number" },
      price = column.decimal { precision = 30, scale = 3, as = "string" },
      at = column.datetime { as = "epoch" }, clock = column.time { as = "epoch" }, day = column.date { as = "table" },
    }
    local rows = Formed:using(ds)

    before_each(function()
      ds:dropTables({ Formed }, { ifExists = true })
      ds:createTables { Formed }
      rows:insert {
        ratio = sql.decimal("0.125"), price = "12345678901234567.125", at = 1.25, clock = "12:30:00.5", day = "2024-02-29",
      }
    end)

    local function stored()
      local row = ds:query("place_formeds"):first()
      return table.concat({ tostring(row.ratio), tostring(row.price), row.at, row.clock, row.day }, " ")
    end

    it("is saved as it was", function()
      local before = stored()
      local record = rows:findOneByPrimaryKey(1)
      record.n = 5
      record:save()
      assert.equal(before, stored())
      assert.equal(5, rows:findOneByPrimaryKey(1).n)
    end)

    it("takes back a float that was calculated with", function()
      local record = rows:findOneByPrimaryKey(1)
      record.ratio = record.ratio * 3
      record:save()
      assert.equal(0.375, rows:findOneByPrimaryKey(1).ratio)
      rows:upsert({ id = 1 }, { ratio = -0.1 })
      assert.equal(-0.1, rows:findOneByPrimaryKey(1).ratio)
      rows:updateMany { { id = 1, ratio = 9999999.999 } }
      assert.equal("9999999.999", tostring(ds:query("place_formeds"):first().ratio))
      assert.equal(1, rows:where("ratio", sql.decimal("9999999.999")):count())
    end)

    it("does not round it", function()
      local record = rows:findOneByPrimaryKey(1)
      record.ratio = 0.1 + 0.2
      local err = error_of(record.save, record)
      assert.equal("DATA_INVALID", err.code)
      assert.matches("round it", err.message, 1, true)
      assert.equal("DATA_INVALID", error_of(record.update, record, { ratio = 0 / 0 }).code)
      assert.equal(0.125, rows:findOneByPrimaryKey(1).ratio)
    end)

    it("takes no float where a float may lose digits", function()
      rows:where("id", 1):update { long = "123456789012345678.125" }
      local record = rows:findOneByPrimaryKey(1)
      assert.equal("float", math.type(record.long))
      record.n = 6
      record:save()
      record.long = 0.5
      local err = error_of(record.save, record)
      assert.equal("DATA_INVALID", err.code)
      assert.matches("column 'long'", err.message, 1, true)
      assert.equal("123456789012345678.125", tostring(ds:query("place_formeds"):first().long))
    end)
  end)
end)
