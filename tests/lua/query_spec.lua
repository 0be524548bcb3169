-- Builders that run: conditions, joins, groups, aggregates, terminal verbs, inspection.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local Item = model "QueryItem" {
    id = column.increment(), name = column.string(), kindId = column.integer(), price = column.decimal { scale = 2 },
    stock = column.integer(), weight = column.double(), isActive = column.boolean(), madeOn = column.date(),
    kind = hysteria.belongsTo("QueryKind", { foreignKey = "kindId" }),
  }
  local Kind = model "QueryKind" { id = column.increment(), label = column.string { databaseName = "kindLabel" } }
  local items, kinds = Item:using(ds), Kind:using(ds)

  setup(function()
    ds:dropTables({ Item, Kind }, { ifExists = true })
    ds:createTables { Item, Kind }
    kinds:insertMany { { label = "fruit" }, { label = "tool" }, { label = "none" } }
    items:insertMany {
      { name = "apple", kindId = 1, price = sql.decimal("1.10"), stock = 5, weight = 0.1, isActive = true },
      { name = "pear", kindId = 1, price = sql.decimal("2.20"), stock = 0, weight = 0.2, isActive = false },
      { name = "saw", kindId = 2, price = sql.decimal("10.00"), stock = 2, weight = 1.5, isActive = true,
        madeOn = "2024-01-31" },
      { name = "100%_x", price = sql.null, stock = 7, isActive = true },
    }
  end)

  local function names(q)
    return table.concat(q:orderBy("id"):pluck("name"), " ")
  end

  describe("conditions", function()
    local cases = {
      { "equality", function(q) q:where("name", "saw") end, "saw" },
      { "an operator", function(q) q:where("stock", ">=", 5) end, "apple 100%_x" },
      { "zero, false and the empty text", function(q) q:where("stock", 0):where("isActive", false) end, "pear" },
      { "NULL", function(q) q:where("kindId", sql.null) end, "100%_x" },
      { "not NULL", function(q) q:where("kindId", "!=", sql.null) end, "apple pear saw" },
      { "a table", function(q) q:where { kindId = 1, isActive = true } end, "apple" },
      { "a table with operators", function(q) q:where { stock = sql.op.between(1, 5), name = sql.op.ne("saw") } end,
        "apple" },
      { "any", function(q) q:where(sql.any { { name = "saw" }, { name = "pear", stock = 0 } }) end, "pear saw" },
      { "all", function(q) q:where(sql.all { { kindId = 1 }, { stock = 5 } }) end, "apple" },
      { "a group", function(q)
        q:where("isActive", true):where(function(g) g:where("stock", 5):orWhere("stock", 2) end)
      end, "apple saw" },
      { "in", function(q) q:whereIn("name", { "saw", "apple" }) end, "apple saw" },
      { "in nothing", function(q) q:whereIn("name", {}) end, "" },
      { "not in nothing", function(q) q:whereNotIn("name", {}) end, "apple pear saw 100%_x" },
      { "in a subquery", function(q)
        q:whereIn("kindId", kinds:query():select("id"):where("label", "tool"))
      end, "saw" },
      { "between", function(q) q:whereBetween("stock", 1, 5) end, "apple saw" },
      { "null", function(q) q:whereNull("kindId") end, "100%_x" },
      { "null, as an operator", function(q) q:where("kindId", "is null", nil) end, "100%_x" },
      { "not null, as an operator", function(q) q:where("kindId", "is not", sql.null) end, "apple pear saw" },
      { "like", function(q) q:whereLike("name", "%a%") end, "apple pear saw" },
      { "ilike", function(q) q:whereILike("name", "A%") end, "apple" },
      { "not ilike", function(q) q:whereNotILike("name", "%A%") end, "100%_x" },
      { "a regular expression", function(q) q:whereRegexp("name", "^[a-r]+$") end, "apple pear" },
      { "a regular expression that minds case", function(q) q:whereRegexp("name", "^[A-Z]+$") end, "" },
      { "a regular expression with flags", function(q) q:whereRegexp("name", "^(APPLE|saw)$", { flags = "i" }) end,
        "apple saw" },
      { "digits and letters of a regular expression",
        function(q) q:whereRegexp("name", "^\\d+[%_]+\\w$") end, "100%_x" },
      { "not a regular expression", function(q) q:whereNotRegexp("name", "^s") end, "apple pear 100%_x" },
      { "not a regular expression with flags", function(q) q:whereNotRegexp("name", "^S", { flags = "i" }) end,
        "apple pear 100%_x" },
      { "a regular expression in a table", function(q)
        q:where { name = sql.op.iregexp("^P") }:orWhere("name", "regexp", "^s")
      end, "pear saw" },
      { "not between, as an operator", function(q) q:where("stock", "not between", { 1, 5 }) end, "pear 100%_x" },
      { "not", function(q) q:whereNot("name", "saw"):where("kindId", "!=", 1) end, "" },
      { "column to column", function(q) q:whereColumn("stock", ">", "kindId") end, "apple" },
      { "raw with a bind", function(q) q:whereRaw("stock + ? > ?", { 1, 6 }) end, "100%_x" },
      { "decimals", function(q) q:where("price", ">", sql.decimal("2.00")) end, "pear saw" },
      { "dates", function(q) q:where("madeOn", "2024-01-31") end, "saw" },
      { "exists", function(q)
        q:whereExists(function(s)
          s:from("query_kinds"):whereColumn("query_kinds.id", "query_items.kindId")
            :where("query_kinds.kindLabel", "tool")
        end)
      end, "saw" },
      { "a thousand values", function(q)
        local list = {}
        for index = 1, 1500 do
          list[index] = index
        end
        q:whereIn("id", list)
      end, "apple pear saw 100%_x" },
    }
    for _, case in ipairs(cases) do
      it("by " .. case[1], function()
        local q = items:query()
        case[2](q)
        assert.equal(case[3], names(q))
      end)
    end

    it("take column references of the class", function()
      assert.equal("saw", names(items:query():where(Item.name, "saw")))
    end)

    it("are refused when they are none", function()
      assert.equal("INVALID_ARGUMENT", error_of(function() items:query():where("name", "~~", "x") end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() items:query():orderBy("name", "up") end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() items:query():limit(-1) end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function()
        items:query():whereRegexp("name", "x", { flags = "x" })
      end).code)
      assert.equal("DATA_INVALID", error_of(function() items:query():whereRegexp("name", "("):many() end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() items:query():where("name", { x = 1 }) end).code)
    end)
  end)

  describe("joins and groups", function()
    it("join by the model and keep its columns apart", function()
      local list = items:query():join(Kind, "id", "kindId"):where(Kind.label, "fruit"):orderBy("query_items.id"):many()
      assert.equal(2, #list)
      assert.is_nil(list[1].label)
    end)

    it("keep the case of aliases in raw text", function()
      local row = items:query():selectRaw("count(*) as howMany, max(stock) AS Most"):one()
      assert.same({ 4, 7 }, { row.howMany, row.Most })
    end)

    it("select joined columns under an alias", function()
      local list = items:query():leftJoin(Kind, "id", "kindId"):select("name", { "query_kinds.label", "kindName" })
        :orderBy("query_items.id"):many()
      assert.equal("fruit", list[1].kindName)
      assert.is_nil(list[4].kindName)
    end)

    it("group and filter groups", function()
      local list = items:query():select("kindId"):selectFunc("count", "*", "n"):selectFunc("sum", "stock", "total")
        :groupBy("kindId"):having("n", ">", 1):many()
      assert.equal(1, #list)
      assert.same({ 1, 2, 5 }, { list[1].kindId, list[1].n, list[1].total })
    end)
  end)

  describe("terminal verbs", function()
    it("many gives a list, one gives a row or nil, first is one", function()
      assert.same({}, items:where("id", 99):many())
      assert.is_nil(items:where("id", 99):one())
      assert.equal("apple", items:query():orderBy("id"):first().name)
      assert.equal("apple", items:query():orderBy("id"):firstOrFail().name)
    end)

    it("one asks for one row", function()
      local seen = databases.watch(ds)
      items:query():one()
      assert.matches("LIMIT", seen.stop()[1].sql)
    end)

    it("pluck gives what is selected under an alias, ordered by it or not", function()
      local twice = items:query():whereNotNull("kindId"):select(sql.col("kindId") * 2, "twice")
      local grouped = items:query():whereNotNull("kindId"):select("kindId"):selectFunc("count", "id", "size")
        :groupBy("kindId")
      local plain = ds:from("query_items"):whereNotNull("kind_id"):select("kind_id"):selectFunc("count", "id", "size")
        :groupBy("kind_id")
      assert.same({ 2, 2, 4 }, twice:orderBy("twice"):pluck("twice"))
      assert.same({ 1, 1, 2 }, twice:pluck("kindId"))
      for _, q in ipairs { grouped, plain } do
        assert.same({ 2, 1 }, q:clone():orderBy("size", "desc"):pluck("size"))
        assert.same({ 2 }, q:clone():having("size", ">", 1):pluck("size"))
        assert.same({ 1, 2 }, q:clone():orderBy("size"):pluck("size"))
      end
      assert.same({ 2, 1 }, plain:clone():orderBy("size"):pluck("kind_id"))
      assert.same({ 2, 2, 4 }, ds:from("query_items"):whereNotNull("kind_id"):select(sql.col("kind_id") * 2, "twice")
        :orderBy("twice"):pluck("twice"))
    end)

    it("pluck gives values, NULL as sql.null, whatever was selected", function()
      assert.same({ 1, 1, 2, sql.null }, items:query():select("name"):orderBy("id"):pluck("kindId"))
    end)

    it("aggregates are typed, and nil over nothing", function()
      assert.equal(4, items:query():getCount())
      assert.equal(3, items:query():getCount("price"))
      assert.equal(14, items:query():getSum("stock"))
      assert.equal("integer", math.type(items:query():getSum("stock")))
      assert.equal(sql.decimal("13.30"), items:query():getSum("price"))
      assert.equal(sql.decimal("10.00"), items:query():getMax("price"))
      assert.equal(3.5, items:query():getAvg("stock"))
      assert.equal("100%_x", items:query():getMin("name"))
      assert.is_nil(items:where("id", 99):getMax("stock"))
      assert.is_nil(items:where("id", 99):getSum("stock"))
      assert.equal(0, items:where("id", 99):getCount())
    end)

    it("count what a grouped, distinct or limited query gives", function()
      assert.equal(3, items:query():select("kindId"):groupBy("kindId"):getCount())
      assert.equal(3, items:query():select("kindId"):distinct():getCount())
      assert.equal(2, items:query():limit(2):getCount())
    end)

    it("exists does not fetch a row", function()
      local seen = databases.watch(ds)
      assert.is_true(items:where("stock", ">", 6):exists())
      assert.is_nil(seen.stop()[1].sql:find("name", 1, true))
      assert.is_false(items:where("stock", ">", 60):exists())
    end)

    it("paginate", function()
      local page = items:query():orderBy("id"):paginate(2, 3)
      assert.equal(1, #page.data)
      assert.same({ total = 4, perPage = 3, currentPage = 2, firstPage = 1, lastPage = 2, isEmpty = false,
        hasMorePages = false, hasPages = true }, page.paginationMetadata)
      assert.equal("INVALID_PAGINATION_PARAMETERS", error_of(function() items:query():paginate(0, 3) end).code)
      assert.equal(1, items:where("id", 99):paginate(1, 5).paginationMetadata.lastPage)
    end)

    it("see plain tables as plain tables", function()
      local row = ds:query("query_items"):where("name", "saw"):one()
      assert.is_nil(getmetatable(row))
      assert.equal(2, row.kind_id)
      assert.equal(4, ds:query("query_items as i"):where("i.id", ">", 0):getCount())
      assert.equal(2, ds:query("query_items", { alias = "i" }):where("i.kind_id", 1):getCount())
    end)
  end)

  describe("builders", function()
    it("mutate and return themselves; clones are independent", function()
      local q = items:query()
      assert.equal(q, q:where("stock", ">", 0))
      local copy = q:clone():where("name", "saw")
      assert.equal("saw", names(copy))
      assert.equal("apple saw 100%_x", names(q))
    end)

    it("are resolved when they run, not when they were built", function()
      local q = Item:query():where("name", "saw")
      assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(q.many, q).code)
    end)

    it("when and strictWhen", function()
      local q = items:query()
      q:when(nil, function() error("no") end):when(false, function() error("no") end)
      q:when(2, function(inner, value) inner:where("stock", value) end)
      assert.equal("saw", names(q))
      assert.equal("pear", names(items:query():strictWhen(false, function(i, v) i:where("isActive", v) end)))
      assert.equal(4, items:query():strictWhen(sql.null, function() error("no") end):getCount())
    end)

    it("case, functions and columns as values", function()
      local list = items:query():select("name", sql.case({ { { stock = sql.op.gt(4) }, "many" } }, "few"), "amount")
        :orderBy("id"):many()
      assert.equal("many", list[1].amount)
      assert.equal("few", list[2].amount)
      assert.equal("saw", names(items:query():where(sql.func("upper", sql.col("name")), "SAW")))
    end)
  end)

  it("give totals of decimals all the places of their column", function()
    local function text(value)
      return tostring(value)
    end
    assert.equal("13.30", text(items:query():getSum("price")))
    assert.equal("10.00", text(items:query():getMax("price")))
    assert.equal("1.10", text(items:query():getMin("price")))
    assert.equal("3.30", text(items:query():orderBy("id"):limit(2):getSum("price")))
    assert.equal("13.30", text(items:query():select("price"):distinct():getSum("price")))
    local list = items:query():select("kindId"):selectFunc("sum", "price", "total"):selectFunc("max", "price", "most")
      :whereNotNull("kindId"):groupBy("kindId"):orderBy("kindId"):many()
    assert.same({ "3.30", "2.20", "10.00" }, { text(list[1].total), text(list[1].most), text(list[2].total) })
    local joined = kinds:query():join(Item, "kindId", "id"):selectFunc("sum", "query_items.price", "total"):one()
    assert.equal("13.30", text(joined.total))
    assert.is_nil(items:where("id", 99):getSum("price"))
  end)

  it("compare decimal totals as numbers", function()
    local function with_total(op, price)
      local q = items:query():select("kindId"):selectFunc("sum", "price", "total"):groupBy("kindId")
      return #q:having("total", op, price):many()
    end
    assert.equal(1, with_total("=", sql.decimal("3.30")))
    assert.equal(1, with_total("<=", sql.decimal("9.99")))
    assert.equal(2, with_total(">", 3.2))
    assert.equal(1, with_total(">", sql.decimal("9.5")))
    local most = items:query():select("kindId"):groupBy("kindId")
    assert.equal(1, #most:having(sql.func("max", sql.col("price")), ">", sql.decimal("2.2")):many())
  end)

  it("take nothing from a function that raises", function()
    local q = items:where("name", "apple")
    assert.has_error(function()
      q:orWhere(function(group)
        group:where("stock", ">", 0)
        error("no")
      end)
    end)
    assert.equal("apple", names(q:where("stock", 5)))
    local all = items:query()
    pcall(all.where, all, function(group)
      group:where("stock", 0)
      error("no")
    end)
    assert.equal("MISSING_WHERE", error_of(all.delete, all).code)
  end)

  describe("inspection", function()
    it("shows text with values, and the statement with binds", function()
      local q = items:query():select("id"):where("name", "o'x")
      local text = [[SELECT "id" FROM "query_items" WHERE "name" = ]]
      assert.equal(databases.spelled(database, text) .. "'o''x'", q:toQuery())
      local sent = q:unWrap()
      assert.equal(databases.spelled(database, text .. "?"), sent.sql)
      assert.same({ "o'x" }, sent.bindings)
      assert.equal(sent.sql, q:toSql())
    end)

    it("compiles for other dialects without a connection", function()
      local q = Item:query():where("isActive", true):limit(2)
      assert.matches("$1", q:toSql("postgres"), 1, true)
      assert.matches("`is_active`", q:toSql("mysql"), 1, true)
      assert.equal("UNSUPPORTED_DATABASE_TYPE", error_of(q.toSql, q, "oracle").code)
      assert.equal("CONNECTION_NOT_ESTABLISHED", error_of(q.toSql, q).code)
    end)
  end)
end)
