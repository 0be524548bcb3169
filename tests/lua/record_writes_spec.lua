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
  local prices = Price:using(ds)

  before_each(function()
    ds:dropTables({ Price }, { ifExists = true })
    ds:createTables { Price }
  end)

  it("a decimal that is read as a number is written when it is assigned, exactly", function()
    local LONG = "123456789012345678.91"
    local read = {
      prices:insert { amount = sql.decimal(LONG), n = 1 }, prices:insertMany { { amount = LONG, n = 1 }, { n = 1 } }[1],
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
end)
