-- hysteria.view: models that are questions. What they give is held against raw SQL.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

local Shop = model "ViewShop" {
  id = column.increment(), name = column.string(), totals = hysteria.hasMany("ViewTotal", { foreignKey = "shopId" }),
}
local Sale = model "ViewSale" {
  hysteria.softDelete(), id = column.increment(), shopId = column.integer(), itemCount = column.integer(),
  kind = column.string(),
}

-- A builder on a table, with OR and a bind of its own.
local function totals(q)
  q:from("view_sales", "s"):select("s.shop_id", "kind"):selectRaw("sum(item_count) as item_count")
    :where("kind", "a"):orWhere("kind", "it's ?"):groupBy("s.shop_id", "kind")
end

local function total_model(name, create)
  return model(name, {
    hysteria.tableName(create and "view_totals_made" or "view_totals"), hysteria.view(totals, { create = create }),
    shopId = column.integer(), kind = column.string(), itemCount = column.bigInteger(),
    shop = hysteria.belongsTo("ViewShop", { foreignKey = "shopId" }),
    double = column.virtual(function(row)
      return row.itemCount * 2
    end),
  })
end

local Total = total_model("ViewTotal", false)
local Made = total_model("ViewTotalMade", true)

-- A query on a model, with another model's soft deletion in it.
local Live = model "ViewLive" {
  hysteria.view(function()
    return Sale:query():select("id", "itemCount"):where("itemCount", ">", 1):orWhere("kind", "b")
  end),
  hysteria.scope("large", function(q)
    q:where("itemCount", ">=", 5)
  end),
  hysteria.primaryKey { "id" },
  id = column.integer(), itemCount = column.integer(),
}

databases.each(function(ds)
  local sales, shops = Sale:using(ds), Shop:using(ds)

  before_each(function()
    ds:dropTables({ Shop, Sale, Total, Made, Live }, { ifExists = true })
    ds:createTables { Made, Shop, Sale, Total, Live }
    shops:insertMany { { name = "one" }, { name = "two" } }
    sales:insertMany {
      { shopId = 1, itemCount = 2, kind = "a" }, { shopId = 1, itemCount = 3, kind = "a" },
      { shopId = 2, itemCount = 5, kind = "it's ?" }, { shopId = 2, itemCount = 1, kind = "b" },
      { shopId = 2, itemCount = 9, kind = "c" },
    }
  end)

  for _, class in ipairs { Total, Made } do
    describe(class == Made and "a view of the database" or "a derived view", function()
      local view = class:using(ds)

      it("gives records of its columns", function()
        local rows = view:find { orderBy = "shopId" }
        assert.equal(2, #rows)
        assert.same({ 1, "a", 5 }, { rows[1].shopId, rows[1].kind, rows[1].itemCount })
        assert.same({ 2, "it's ?", 5, 10 }, { rows[2].shopId, rows[2].kind, rows[2].itemCount, rows[2].double })
      end)

      it("is one thing to conditions, aggregates and pages", function()
        assert.equal(1, view:where("shopId", 1):count())
        assert.equal(1, view:query():where("shopId", 2):orWhere("shopId", 7):count())
        assert.equal(0, view:where("itemCount", ">", 5):count())
        assert.equal(5, view:query():getMax("itemCount"))
        assert.same({ 1, 2 }, view:query():orderBy("shopId"):pluck("shopId"))
        assert.is_true(view:exists { where = { kind = "a" } })
        local page = view:query():orderBy("shopId"):paginate(2, 1)
        assert.equal(2, page.paginationMetadata.total)
        assert.equal(2, page.data[1].shopId)
        assert.equal(2, view:findOneBy("shopId", 2).shopId)
      end)

      it("is read in parts", function()
        local seen = {}
        for row in view:query():orderBy("shopId"):stream() do
          seen[#seen + 1] = row.itemCount
        end
        view:query():orderBy("shopId"):each(function(row)
          seen[#seen + 1] = row.shopId
        end)
        assert.same({ 5, 5, 1, 2 }, seen)
        assert.equal(2, #view:query():whereIn("shopId", view:query():select("shopId")):many())
      end)

      it("is joined, loaded and asked in a transaction", function()
        assert.equal("one", view:query():load("shop"):orderBy("shopId"):one().shop.name)
        assert.equal(1, ds:transaction(function()
          sales:query():where("shopId", 1):delete()
          return view:query():count()
        end))
      end)

      it("is only read", function()
        local record = view:query():one()
        local function refused(fn, ...)
          local err = error_of(fn, ...)
          assert.equal("READ_ONLY", err.code)
          assert.equal(class == Made and "ViewTotalMade" or "ViewTotal", err.model)
        end
        refused(view.insert, view, { shopId = 1 })
        refused(view.insertMany, view, { { shopId = 1 } })
        refused(view.update, view, { shopId = 1 }, { where = { shopId = 2 } })
        refused(view.delete, view, { where = { shopId = 2 } })
        refused(view.truncate, view)
        refused(view.upsert, view, { shopId = 1 }, { kind = "x" })
        refused(view.upsertMany, view, { "shopId" }, { { shopId = 1, kind = "x" } })
        local query = view:query():where("shopId", 1)
        refused(query.increment, query, "itemCount")
        refused(query.delete, query)
        assert.equal("MODEL_HAS_NO_PRIMARY_KEY", error_of(record.save, record).code)
        assert.equal(5, ds:rawQuery("select count(*) as n from view_sales")[1].n)
      end)
    end)
  end

  it("is loaded as a relation", function()
    local list = shops:query():load("totals"):orderBy("id"):many()
    assert.equal("a", list[1].totals[1].kind)
    assert.equal(5, list[2].totals[1].itemCount)
  end)

  it("is joined as the query that it is", function()
    local query = shops:query():join({ Total:using(ds):query(), "t" }, "shopId", "id"):where("t.itemCount", 5)
    assert.same({ "one", "two" }, query:orderBy("id"):pluck("name"))
    local err = error_of(query.join, query, Total, "shopId", "id")
    assert.equal("INVALID_ARGUMENT", err.code)
    assert.matches("ViewTotal:query()", err.message, 1, true)
    assert.equal(2, shops:query():join(Made, "shopId", "id"):count())
  end)

  it("leaves out what the model that it asks leaves out", function()
    local live = Live:using(ds)
    assert.equal(5, live:count())
    sales:where("id", 5):softDelete()
    assert.equal(4, live:count())
    assert.equal(1, live:query():large():count())
    assert.equal(3, live:findOneByPrimaryKey(2).itemCount)
    assert.is_nil(live:findOneByPrimaryKey(5))
    local record = live:findOneByPrimaryKey(3)
    sales:where("id", 3):update { itemCount = 6 }
    assert.equal(6, record:refresh().itemCount)
    record.itemCount = 7
    assert.equal("READ_ONLY", error_of(record.save, record).code)
    assert.equal("READ_ONLY", error_of(record.delete, record).code)
    assert.equal("READ_ONLY", error_of(live.save, live, { id = 3, itemCount = 1 }).code)
  end)

  it("makes no table of a derived view", function()
    assert.equal("UNDEFINED_TABLE", error_of(ds.rawQuery, ds, "select * from view_totals").code)
    assert.equal(2, ds:rawQuery("select count(*) as n from view_totals_made")[1].n)
    ds:dropTables { Total, Made }
    assert.equal("UNDEFINED_TABLE", error_of(ds.rawQuery, ds, "select * from view_totals_made").code)
  end)
end)

describe("a view", function()
  it("is checked when it is made and when it is asked", function()
    assert.equal("NIL_VALUE", error_of(hysteria.view).code)
    assert.equal("UNKNOWN_OPTION", error_of(hysteria.view, print, { created = true }).code)
    local Wrong = model "ViewWrong" { hysteria.view(function()
      return 7
    end), id = column.integer() }
    assert.equal("INVALID_MODEL", error_of(Wrong.query, Wrong).code)
    local Self
    Self = model "ViewSelf" { hysteria.view(function()
      return Self:query()
    end), id = column.integer() }
    assert.equal("INVALID_MODEL", error_of(Self.query, Self).code)
    local calls = 0
    local Raising = model "ViewRaising" { hysteria.view(function()
      calls = calls + 1
      error("mine")
    end), id = column.integer() }
    for _ = 1, 2 do
      assert.matches("mine", error_of(Raising.query, Raising))
    end
    assert.equal(2, calls)
  end)

  it("is seen as it runs", function()
    local ds <close> = sql.connectToSecondarySource { type = "sqlite" }
    local text = Live:using(ds):where("id", 1):toSql()
    assert.matches("FROM (SELECT", text, 1, true)
    assert.matches("IS NULL", text, 1, true)
  end)
end)
