-- What is counted, totalled and averaged: of a table, of DISTINCT, groups, unions and limits.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  local Sale = model "AggregateSale" {
    id = column.increment(), buyerId = column.integer(), kind = column.string(),
    amount = column.decimal { precision = 20, scale = 2 }, weight = column.double(),
  }
  local Line = model "AggregateLine" { id = column.increment(), saleId = column.integer() }
  local sales = Sale:using(ds)

  setup(function()
    ds:dropTables({ Sale, Line }, { ifExists = true })
    ds:createTables { Sale, Line }
    sales:insertMany {
      { buyerId = 1, kind = "a", amount = "10.00", weight = 1.5 }, { buyerId = 1, kind = "b", amount = "10.00" },
      { buyerId = 2, kind = "a", amount = "10.00", weight = 1.5 },
      { buyerId = 2, kind = "b", amount = "0.30", weight = 4 },
      { buyerId = 3, kind = "b", amount = "0.30" }, { kind = "b" },
    }
    Line:using(ds):insertMany { { saleId = 1 }, { saleId = 1 }, { saleId = 2 }, { saleId = 4 } }
  end)

  local function money(text)
    return sql.decimal(text)
  end

  it("count a column's different values with distinct()", function()
    assert.equal(6, sales:count())
    assert.equal(5, sales:query():count("buyerId"))
    assert.equal(3, sales:query():distinct():count("buyerId"))
    assert.equal(2, sales:query():distinct():count("amount"))
    assert.equal(2, sales:query():distinct():count("weight"))
    assert.equal(2, sales:query():select("kind", "buyerId"):distinct():count("kind"))
    assert.equal(5, sales:query():select("kind", "buyerId"):where("id", "!=", 5):distinct():count())
    assert.equal(2, ds:from("aggregate_sales"):distinct():where("kind", "b"):where("amount", "<", 1):count("buyer_id"))
    assert.equal(0, sales:where("id", 99):distinct():count("buyerId"))
  end)

  it("do so in groups, unions and the first rows", function()
    local groups = sales:query():select("buyerId"):selectFunc("count", "*", "n"):groupBy("buyerId")
    assert.equal(4, groups:count())
    assert.equal(2, groups:clone():distinct():count("n")) -- 2 2 1 1
    assert.equal(4, groups:count("n"))
    local both = sales:query():select("buyerId"):distinct():unionAll(sales:query():select("buyerId"))
    assert.equal(3, both:count("buyerId"))
    assert.equal(10, both:count())
    assert.equal(2, sales:query():select("buyerId"):distinct():orderBy("buyerId", "desc"):whereNotNull("buyerId")
      :limit(2):count("buyerId"))
    local list = sales:query():select("kind"):selectFunc("count distinct", "buyerId", "buyers")
      :select(sql.func("sum distinct", sql.col("amount")), "amounts"):groupBy("kind"):orderBy("kind"):many()
    assert.same({ 2, 3 }, { list[1].buyers, list[2].buyers })
    assert.equal(money("10.00"), list[1].amounts)
    assert.equal(money("10.30"), list[2].amounts)
  end)

  it("total and average the rows that a distinct query gives", function()
    assert.equal(money("30.60"), sales:query():getSum("amount"))
    assert.equal(money("30.60"), sales:query():distinct():getSum("amount")) -- no two rows are the same
    assert.equal(money("10.30"), sales:query():select("amount"):distinct():getSum("amount"))
    assert.equal(money("20.30"), sales:query():select("amount", "kind"):where("id", "<", 6):distinct():getSum("amount"))
    assert.equal(2.75, sales:query():select("weight"):distinct():getAvg("weight"))
    assert.equal(7.0, sales:query():getSum("weight"))
    assert.equal(4.0, sales:query():select("weight"):distinct():getMax("weight"))
    assert.equal(1.5, sales:query():select("weight"):distinct():getMin("weight"))
    assert.is_nil(sales:where("id", 99):select("weight"):distinct():getSum("weight"))
  end)

  it("total each row of a join once with distinct()", function()
    local sold = sales:query():join(Line, "saleId", "id")
    assert.equal(money("30.30"), sold:getSum("amount"))
    assert.equal(money("20.30"), sold:clone():distinct():getSum("amount"))
    assert.equal(3, sold:clone():distinct():count("id"))
    assert.equal(4, sold:count("id"))
  end)

  it("are of what is selected under an alias", function()
    local upper = sales:query():select(sql.func("upper", sql.col("kind")), "loud")
    assert.equal("B", upper:getMax("loud"))
    assert.equal(2, upper:clone():distinct():count("loud"))
    assert.equal(6, upper:count("loud"))
    assert.equal(10, sales:query():select(sql.col("buyerId") + 1, "next"):where("buyerId", ">", 1):getSum("next"))
  end)

  describe("groups by what is calculated with values", function()
    local function size(limit)
      return sql.case({ { { weight = sql.op.lt(limit) }, "light" } }, "heavy")
    end
    local function said(list)
      local texts = {}
      for index, row in ipairs(list) do
        texts[index] = row.size .. " " .. row.n
      end
      return table.concat(texts, ", ")
    end

    it("are what is selected under the same values", function()
      local q = sales:query():select(size(2), "size"):selectFunc("count", "*", "n"):groupBy(size(2)):orderBy(size(2))
      assert.equal("heavy 4, light 2", said(q:many()))
      assert.equal("heavy 4, light 2", said(q:many())) -- and what was kept of the text
      assert.equal(2, q:count())
      local next_buyer = sql.col("buyerId") + 1
      local list = sales:query():select("kind"):select(next_buyer, "size"):selectFunc("count", "*", "n")
        :whereNotNull("buyerId"):where("id", ">", 0):groupBy(sql.col("buyerId") + 1, "kind")
        :orderBy(sql.col("buyerId") + 1, "desc"):orderBy("kind"):many()
      assert.equal("4 1, 3 1, 3 1, 2 1, 2 1", said(list))
      assert.same({ "heavy", "light" }, sales:query():select(size(2), "size"):distinct():orderBy(size(2)):pluck("size"))
    end)

    it("are chosen by what they are called", function()
      local q = sales:query():select(size(2), "size"):selectFunc("count", "*", "n"):groupBy("size")
        :having("size", "heavy"):orderBy("size")
      assert.equal("heavy 4", said(q:many()))
      assert.equal("heavy 4", said(q:many())) -- and what was kept of the text
      assert.equal(1, q:count())
      local next_buyer = sales:query():select(sql.col("buyerId") + 1, "size"):selectFunc("count", "*", "n")
        :where("id", ">", 0):whereNotNull("buyerId"):groupBy("size"):orderBy("size")
      local all = said(next_buyer:many())
      assert.equal("2 2, 3 2, 4 1", all)
      assert.equal("3 2, 4 1", said(next_buyer:clone():having("size", ">", 2):many()))
      assert.equal("2 2, 4 1", said(next_buyer:clone():havingIn("size", { 2, 4 }):havingNot("size", 3):many()))
      assert.equal("3 2", said(next_buyer:clone():having(function(h)
        h:having("size", 3):orHaving("n", 5)
      end):many()))
      assert.equal("2 2, 3 2", said(next_buyer:clone():havingBetween("size", 2, 3):having("n", ">", 1):many()))
    end)

    it("are chosen by parameters", function()
      local above = sales:query():select(sql.col("buyerId") + sql.param("step"), "size"):selectFunc("count", "*", "n")
        :whereNotNull("buyerId"):groupBy("size"):having("size", ">", sql.param("least")):orderBy("size"):prepare()
      assert.equal("3 2, 4 1", said(above:many { step = 1, least = 2 }))
      assert.equal("13 1", said(above:many { step = 10, least = 12 }))
    end)

    it("are chosen by what a document holds", function()
      local Doc = model "AggregateDoc" { id = column.increment(), doc = column.json(), other = column.json() }
      ds:dropTables({ Doc }, { ifExists = true })
      ds:createTables { Doc }
      local docs = Doc:using(ds)
      docs:insertMany {
        { doc = { k = "a" }, other = { k = "x" } }, { doc = { k = "a" }, other = { k = "x" } },
        { doc = { k = "b" }, other = { k = "x" } },
      }
      local q = docs:query():selectJsonText("doc", "k", "size"):selectJsonText("other", "k", "second")
        :selectFunc("count", "*", "n"):groupBy("size", "second"):orderBy("size")
      assert.equal("a 2, b 1", said(q:many()))
      assert.equal("a 2", said(q:clone():having("size", "a"):many()))
      assert.equal("a 2, b 1", said(q:clone():having("second", "x"):many()))
      assert.equal("", said(q:clone():having("second", "a"):many()))
      ds:dropTables { Doc }
    end)

    it("are not taken for others", function()
      local function both(selected, grouped)
        return sales:query():select(sql.func("max", sql.col("buyerId") + selected), "size")
          :selectFunc("count", "*", "n"):whereNotNull("buyerId"):groupBy(sql.col("buyerId") + grouped)
          :orderBy(sql.func("max", sql.col("buyerId") + selected))
      end
      assert.equal("2 2, 3 2, 4 1", said(both(1, 1):many()))
      assert.equal("2 2, 3 2, 4 1", said(both(1, 2):many()))
      assert.equal("3 2, 4 2, 5 1", said(both(2, 1):many()))
      assert.equal("2 2, 3 2, 4 1", said(both(1, 1):many()))
    end)
  end)

  it("total and average numbers alone", function()
    for _, fn in ipairs {
      function(q) q:getSum("kind") end, function(q) q:getAvg("kind") end, function(q) q:limit(2):getSum("kind") end,
      function(q) q:selectFunc("sum", "kind", "n") end, function(q) q:selectFunc("avg distinct", "kind", "n") end,
      function(q) q:select(sql.func("sum", sql.col("kind")), "n") end,
      function(q) q:selectWindow("sum", "kind", { orderBy = "id" }, "n") end,
      function(q) q:select({ "kind", "sort" }):getSum("sort") end,
      function(q) q:select(sql.func("upper", sql.col("kind")), "sort"):getSum("sort") end,
    } do
      local err = error_of(fn, sales:query())
      assert.equal("INVALID_ARGUMENT", err.code)
      assert.truthy(err.message:find("takes numbers", 1, true), err.message)
    end
    assert.equal("b", sales:query():getMax("kind"))
    assert.is_number(tonumber(tostring(ds:from("aggregate_sales"):getSum("id")))) -- of no known kind
  end)

  it("count joined rows whose columns are called the same", function()
    local plain = ds:from("aggregate_sales"):join("aggregate_lines", "sale_id", "id")
    local ours = sales:query():join(Line, "saleId", "id"):select("id", "aggregate_lines.id")
    assert.equal(3, plain:clone():limit(3):count())
    assert.equal(2, plain:clone():orderBy("aggregate_lines.id"):offset(2):count())
    assert.equal(4, plain:clone():select("aggregate_sales.id", "aggregate_lines.id"):distinct():count())
    assert.equal(3, ours:clone():limit(3):count())
    assert.equal(4, ours:clone():distinct():count())
    assert.equal(4, ours:clone():groupBy("id", "aggregate_lines.id"):count())
    assert.equal(3, ours:clone():distinct():orderBy("aggregate_lines.id"):limit(3):count())
    local page = plain:clone():orderBy("aggregate_lines.id"):limit(3):paginate(2, 2)
    assert.equal(1, #page.data)
    assert.equal(3, page.paginationMetadata.total)
    assert.equal(1, sales:query():selectFunc("sum", "buyerId", "n"):limit(3):count()) -- a row, whatever it is of
  end)

  it("find columns by their qualified names in distinct and limited rows", function()
    local function same(number, total) -- of a joined table's integers some databases give a decimal
      assert.equal(number, tonumber(tostring(total)))
    end
    local joined = sales:query():join("aggregate_lines", "saleId", "id")
    local plain = ds:from("aggregate_sales"):join("aggregate_lines", "sale_id", "id")
    assert.equal(money("30.60"), sales:query():distinct():getSum("aggregate_sales.amount"))
    assert.equal(money("20.30"), joined:clone():distinct():getSum("aggregate_sales.amount"))
    assert.equal(money("30.30"), joined:getSum("aggregate_sales.amount"))
    same(7, joined:clone():distinct():select("aggregate_lines.saleId"):getSum("aggregate_lines.saleId"))
    same(7, joined:clone():distinct():select("aggregate_lines.saleId", "aggregate_sales.id")
      :getSum("aggregate_lines.saleId"))
    same(7, plain:clone():distinct():select("aggregate_lines.sale_id"):getSum("aggregate_lines.sale_id"))
    assert.equal(money("10.30"), sales:query():select { "amount", "paid" }:distinct():getSum("amount"))
    assert.equal(money("30.00"), joined:clone():orderBy("aggregate_lines.id"):limit(3):getSum("aggregate_sales.amount"))
    same(6, joined:clone():orderBy("aggregate_lines.id"):limit(3):getSum("aggregate_lines.id"))
    same(9, plain:clone():orderBy("aggregate_lines.id", "desc"):limit(3):getSum("aggregate_lines.id"))
    same(9, joined:clone():select(sql.col("aggregate_lines.id") * 2, "twice"):orderBy("twice", "desc"):limit(3)
      :getSum("aggregate_lines.id"))
    assert.equal(money("20.00"), sales:query():select("kind"):orderBy("id"):limit(2):getSum("amount"))
    same(4, joined:clone():groupBy("aggregate_lines.id"):select("aggregate_lines.id"):getMax("aggregate_lines.id"))
    assert.equal(money("20.30"), joined:clone():distinct():select("aggregate_sales.amount", "aggregate_lines.saleId")
      :getSum("amount"))
    same(7, joined:clone():distinct():select("aggregate_lines.saleId"):getSum("saleId"))
    assert.equal("20.00", tostring(sales:query():select("kind"):orderBy("id"):limit(2):getSum("amount")))
    for _, case in ipairs {
      { joined:clone():distinct(), "aggregate_lines.id" }, { sales:query():select("kind"):distinct(), "buyerId" },
      { sales:query():select("kind"):distinct():orderBy("kind"):limit(1), "buyerId" },
      { sales:query():select("kind"):groupBy("kind"), "buyerId" },
      { sales:query():select("kind"):unionAll(sales:query():select("kind")), "buyerId" },
      { ds:from("aggregate_sales"):select("kind"):distinct(), "buyer_id" },
    } do
      local refused = error_of(case[1].getSum, case[1], case[2])
      assert.equal("INVALID_ARGUMENT", refused.code)
      assert.matches("sum of '" .. case[2] .. "': the query does not select it", refused.message, 1, true)
    end
    local unknown = sales:query():distinct()
    assert.equal("UNDEFINED_COLUMN", error_of(unknown.getSum, unknown, "amuont").code)
  end)

  it("refuse totals of what is no number, the same on every database", function()
    local Odd = model "AggregateOdd" {
      id = column.increment(), day = column.date(), at = column.datetime(), clock = column.time(),
      flag = column.boolean(),
      name = column.string { length = 20 }, body = column.text(), state = column.enum { "1", "2" },
      token = column.uuid { generate = false }, bytes = column.varbinary { length = 8 }, document = column.json(),
    }
    local odd = Odd:using(ds)
    ds:dropTables({ Odd }, { ifExists = true })
    ds:createTables { Odd }
    odd:insert {
      day = "2024-02-29", at = "2024-02-29 12:30:45", clock = "01:00:00", flag = true, name = "12", state = "2",
    }
    for _, name in ipairs {
      "day", "at", "clock", "flag", "name", "body", "state", "token", "bytes", "document",
    } do
      for _, verb in ipairs { "getSum", "getAvg" } do
        local q = odd:query()
        local err = error_of(q[verb], q, name)
        assert.equal("INVALID_ARGUMENT", err.code, name)
        assert.matches("takes numbers", err.message, 1, true)
      end
      local q = odd:query()
      assert.equal("INVALID_ARGUMENT", error_of(q.selectFunc, q, "sum", name, "total").code)
      q = odd:query():select(name):orderBy("id"):limit(1)
      local made, err = pcall(q.getSum, q, name)
      assert.is_false(made)
      assert.is_true(hysteria.isError(err))
    end
    assert.equal(1, odd:query():getSum("id"))
    assert.equal(1, odd:query():select(sql.case({ { { flag = true }, 1 } }, 0), "n"):getSum("n"))
  end)

  it("refuse what has no answer", function()
    assert.equal("INVALID_ARGUMENT", error_of(function()
      sales:query():selectWindow("count distinct", "buyerId", {}, "n"):many()
    end).code)
  end)
end)
