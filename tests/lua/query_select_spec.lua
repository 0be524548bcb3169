-- What a query selects and from where: windows, subqueries in every place, tuples, annotations,
-- CTEs, set operations, locks, and how parts are emptied.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local Thing = model "SelectThing" {
    id = column.increment(), name = column.string(), kindId = column.integer(), price = column.integer(),
    parentId = column.integer(),
  }
  local Kind = model "SelectKind" { id = column.increment(), label = column.string() }
  local things, kinds = Thing:using(ds), Kind:using(ds)
  local can_lock = ds:can("LOCK")

  setup(function()
    ds:dropTables({ Thing, Kind }, { ifExists = true })
    ds:createTables { Thing, Kind }
    kinds:insertMany { { label = "fruit" }, { label = "tool" } }
    things:insertMany {
      { name = "apple", kindId = 1, price = 3 },
      { name = "pear", kindId = 1, price = 5, parentId = 1 },
      { name = "saw", kindId = 2, price = 20, parentId = 2 },
      { name = "nail", kindId = 2, price = 1, parentId = 3 },
      { name = "dust", price = sql.null, parentId = 1 },
    }
  end)

  local function names(q)
    return table.concat(q:orderBy("id"):pluck("name"), " ")
  end

  local function field(list, name)
    local values = {}
    for index, row in ipairs(list) do
      values[index] = tostring(row[name])
    end
    return table.concat(values, " ")
  end

  describe("windows", function()
    it("number and rank rows", function()
      local list = things:where("kindId", "!=", sql.null)
        :select("name")
        :selectWindow("row_number", { partitionBy = "kindId", orderBy = { "price", "desc" } }, "place")
        :selectWindow("rank", { orderBy = { "kindId", "price", "DESC" } }, "overall"):orderBy("id"):many()
      assert.equal("2 1 1 2", field(list, "place"))
      assert.equal("2 1 3 4", field(list, "overall"))
    end)

    it("sum over a partition, and over a frame", function()
      local list = things:where("id", "<", 5):select("name")
        :selectWindow("sum", "price", { partitionBy = { "kindId" } }, "total")
        :selectWindow("sum", "price", { orderBy = "id", frame = { "rows", -1, 0 } }, "pair")
        :selectWindow("count", "*", { orderBy = "id", frame = { "rows", "unbounded", 1 } }, "seen"):orderBy("id"):many()
      assert.equal("8 8 21 21", field(list, "total"))
      assert.equal("3 8 25 21", field(list, "pair"))
      assert.equal("2 3 4 4", field(list, "seen"))
    end)

    it("look back with a default", function()
      local list = things:where("id", "<", 4):select("name")
        :selectWindow(sql.func("lag", sql.col("name"), 1), { orderBy = "id" }, "before"):orderBy("id"):many()
      assert.equal("nil apple pear", field(list, "before"))
    end)

    it("stay typed", function()
      local row = things:where("id", 1):selectWindow("row_number", { orderBy = "id" }, "n"):one()
      assert.equal("integer", math.type(row.n))
    end)

    it("are refused when they are none", function()
      local function code(...)
        local given = table.pack(...)
        return error_of(function() things:query():selectWindow(table.unpack(given, 1, given.n)) end).code
      end
      assert.equal("INVALID_ARGUMENT", code("rank", {}))
      assert.equal("UNKNOWN_OPTION", code("rank", { order = "id" }, "n"))
      assert.equal("INVALID_ARGUMENT", code("rank", { orderBy = { price = "desc" } }, "n"))
      assert.equal("INVALID_ARGUMENT", code("rank", { orderBy = { "id", nil, "price" } }, "n"))
      assert.equal("INVALID_ARGUMENT", code("rank", { partitionBy = { kindId = true } }, "n"))
      assert.equal("INVALID_ARGUMENT", code("rank", { partitionBy = { nil, "kindId" } }, "n"))
      assert.equal("INVALID_ARGUMENT", code("rank", { frame = { "rows", 1, 0 } }, "n"))
      assert.equal("INVALID_ARGUMENT", code("rank", { frame = { "groups", 0, 1 } }, "n"))
      assert.equal("INVALID_ARGUMENT", code("rank", { frame = { "rows", 0.5, 1 } }, "n"))
      assert.equal("UNDEFINED_COLUMN", code("rank", { orderBy = "prise" }, "n"))
      assert.equal("INVALID_IDENTIFIER", code("rank()", { orderBy = "id" }, "n"))
    end)
  end)

  describe("fields of records", function()
    local function both()
      return things:query():join({ Thing, "other" }, "parentId", "id"):orderBy("id"):orderBy("other.id")
    end

    it("have a name each", function()
      for _, q in ipairs {
        both():select("*", "other.*"), both():select("other.*", "*"), both():select("id", "name", "other.name"),
        both():select("name", { "other.name", "name" }), both():select("name", { "price", "name" }),
        things:query():select("name"):select(sql.func("upper", sql.col("name")), "name"),
        things:query():join(Kind, "id", "kindId"):select("id", "select_kinds.id"),
      } do
        local err = error_of(function() q:many() end)
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.truthy(err.message:find("alias", 1, true), err.message)
        assert.equal("INVALID_ARGUMENT", error_of(function() return q:stream()() end).code)
      end
      assert.same({ name = "apple" }, things:query():select("name", "name", "select_things.name"):orderBy("id"):one())
      local row = both():select("name", { "other.name", "otherName" }):one()
      assert.equal("apple pear", row.name .. " " .. row.otherName)
    end)

    it("are not written where they are something else", function()
      local before = field(things:query():orderBy("id"):many(), "name")
      for _, q in ipairs {
        both():select("id", "other.name"), things:query():orderBy("id"):select("id", { "price", "name" }),
        things:query():orderBy("id"):select("id"):select(sql.func("upper", sql.col("name")), "name"),
        things:where("name", "apple"):select({ "price", "id" }, "name"), both():select("other.id", "name"),
      } do
        local err = error_of(function() q:one():save() end)
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.truthy(err.message:find("another name", 1, true), err.message)
      end
      local stranger = both():select("other.id", "name"):one()
      for _, verb in ipairs { "save", "delete", "refresh" } do
        assert.equal("INVALID_ARGUMENT", error_of(function() stranger[verb](stranger) end).code, verb)
      end
      assert.equal("INVALID_ARGUMENT", error_of(function() stranger:update { name = "x" } end).code)
      local shown = things:query():orderBy("id"):select("id", { "price", "name" }):one()
      shown:update { price = 3 } -- knows its row
      things:query():orderBy("id"):select("id", "select_things.name", { "price", "cost" }):one():save()
      assert.equal(before, field(things:query():orderBy("id"):many(), "name"))
    end)
  end)

  describe("selecting", function()
    it("takes tuples, values, subqueries by function and by builder", function()
      local row = things:where("id", 1):select({ "name", "Title" }, "id")
        :select(sql.func("upper", sql.col("name")), "loud")
        :select(function(q)
          q:from("select_kinds"):select("label"):whereColumn("select_kinds.id", "select_things.kindId")
        end, "kindLabel")
        :select({ kinds:query():selectFunc("count", "*", "n"), "kindCount" })
        :selectSubQuery(kinds:query():selectFunc("max", "id", "most"), "lastKind"):one()
      assert.equal("apple", row.Title)
      assert.equal("APPLE", row.loud)
      assert.equal("fruit", row.kindLabel)
      assert.equal(2, row.kindCount)
      assert.equal(2, row.lastKind)
    end)

    it("takes CASE", function()
      local list = things:where("id", "<", 5):select("id")
        :select(sql.case({ { { price = sql.op.gt(10) }, "dear" }, { { kindId = 2 }, sql.col("name") } }, "cheap"),
          "how")
        :orderBy("id"):many()
      assert.equal("cheap cheap dear nail", field(list, "how"))
    end)

    it("takes a subquery as the table", function()
      local inner = things:query():select("name", "price"):where("price", ">", 2)
      local rows = ds:query("x"):from(inner, "t"):where("t.price", "<", 10):orderBy("t.name"):many()
      assert.equal("apple pear", field(rows, "name"))
      rows = ds:query("x"):from(function(q) q:from("select_kinds"):where("id", 2) end, "k"):select("label"):many()
      assert.equal("tool", field(rows, "label"))
      assert.equal("MISSING_ALIAS_FOR_SUBQUERY", error_of(function() ds:query("x"):from(inner) end).code)
    end)

    it("limits to nothing, and skips without a limit", function()
      assert.same({}, things:query():limit(0):many())
      assert.equal("saw nail dust", names(things:query():offset(2)))
    end)

    it("orders NULL where it is told to", function()
      local function ordered(direction, nulls)
        return field(things:query():orderBy("price", direction, { nulls = nulls }):many(), "name")
      end
      assert.equal("dust nail apple pear saw", ordered("asc", "first"))
      assert.equal("nail apple pear saw dust", ordered("asc", "last"))
      assert.equal("dust saw pear apple nail", ordered("desc", "first"))
      assert.equal("saw pear apple nail dust", ordered("desc", "last"))
    end)
  end)

  describe("calculating", function()
    local price = sql.col("price")

    it("selects, compares and orders by what the database calculates", function()
      local list = things:where(price * 2 - 1, ">", 4):select("name", "id")
        :select(price * sql.col("kindId"), "times"):select(10 - price, "less"):orderBy(price * -1):many()
      assert.equal("saw pear apple", field(list, "name"))
      assert.equal("40 5 3", field(list, "times"))
      assert.equal("-10 5 7", field(list, "less"))
      assert.equal("integer", math.type(list[1].times))
    end)

    it("works on calls, CASE and subqueries, and keeps NULL", function()
      local most = things:query():selectFunc("max", "price", "most")
      local list = things:query():select("id"):select(sql.func("coalesce", price, 0) + 1, "more")
        :select(sql.case({ { { kindId = 1 }, 1 } }, 0) * 2, "twice")
        :select(price - most, "under"):orderBy("id"):many()
      assert.equal("4 6 21 2 1", field(list, "more"))
      assert.equal("2 2 0 0 0", field(list, "twice"))
      assert.equal("-17 -15 0 -19 nil", field(list, "under"))
    end)

    it("takes parameters of prepared queries", function()
      local above = things:query():where("price", ">", sql.param("base") + sql.col("kindId")):orderBy("id"):prepare()
      assert.equal("pear saw", field(above:many { base = 3 }, "name"))
      assert.equal("saw", field(above:many { base = 5 }, "name"))
    end)

    it("updates by it", function()
      local before = things:where("id", 1):one().price
      ds:transaction(function(trx)
        assert.equal(1, things:where("id", 1):update { price = price * 2 + sql.col("kindId") })
        assert.equal(before * 2 + 1, things:where("id", 1):one().price)
        trx:rollback()
      end)
    end)

    it("refuses what would give NULL, or not the same everywhere", function()
      local function code(fn)
        return error_of(fn).code
      end
      assert.equal("NIL_VALUE", code(function() return price + nil end))
      assert.equal("NIL_VALUE", code(function() return sql.null * price end))
      assert.equal("INVALID_ARGUMENT", code(function() return price - "1" end))
      assert.equal("INVALID_ARGUMENT", code(function() return "1" + price end))
      assert.equal("INVALID_ARGUMENT", code(function() return price + {} end))
      assert.equal("INVALID_ARGUMENT", code(function() return price / 2 end))
      assert.equal("INVALID_ARGUMENT", code(function() return price // 2 end))
      assert.equal("UNDEFINED_COLUMN", code(function() things:query():select(sql.col("prise") + 1, "n") end))
    end)
  end)

  describe("annotations", function()
    it("stand beside the fields of a record", function()
      local row = things:where("id", 1):select("id"):annotate("name", "title"):annotate("UPPER", "name", "loud"):one()
      assert.equal(1, row.id)
      assert.is_nil(row.title)
      assert.same({ title = "apple", loud = "APPLE" }, row["$annotations"])
      assert.same({ id = 1, ["$annotations"] = { title = "apple", loud = "APPLE" } },
        hysteria.json.decode(row:toJson()))
      row:save()
    end)

    it("leave the fields out when nothing else is selected", function()
      local row = things:query():annotate("max", "price", "most"):one()
      assert.same({ most = 20 }, row["$annotations"])
      assert.is_nil(row.name)
    end)

    it("can be dropped, and are fields of a plain table's rows", function()
      local q = things:where("id", 1):select("id"):annotate("name", "title")
      assert.is_nil(q:clone():removeAnnotations():one()["$annotations"])
      assert.same({ title = "apple" }, q:clone():removeAnnotations():clearRemoveAnnotations():one()["$annotations"])
      assert.equal("apple", ds:query("select_things"):where("id", 1):annotate("name", "title"):one().title)
    end)
  end)

  describe("conditions", function()
    it("compare tuples", function()
      local q = things:query():whereIn({ "kindId", "price" }, { { 1, 3 }, { 2, 20 }, { 2, 5 } })
      assert.equal("apple saw", names(q))
      assert.equal("pear nail", names(things:query():whereNotNull("kindId")
        :whereNotIn({ "kindId", "price" }, { { 1, 3 }, { 2, 20 } })))
      assert.equal("", names(things:query():whereIn({ "kindId", "price" }, {})))
      local pairs_of = things:query():select("kindId", "price"):where("price", ">", 4)
      assert.equal("pear saw", names(things:query():whereIn({ "kindId", "price" }, pairs_of)))
      assert.equal("apple", names(things:query():where("name", "!=", "x"):whereIn({ "id" }, { { 1 } }):where("id", 1)))
      for _, bad in ipairs { { { 1 } }, { { 1, 2, 3 } }, { 1 }, { { 1, sql.null } } } do
        assert.equal("INVALID_ARGUMENT", error_of(function()
          things:query():whereIn({ "kindId", "price" }, bad)
        end).code)
      end
    end)

    it("take what a group's function returns", function()
      local q = things:where("price", ">", 2):where(function()
        return things:query():where("name", "apple"):orWhere("name", "nail")
      end)
      assert.equal("apple", names(q))
      q = things:where("price", ">", 2):orWhere(function(g) return g:where("name", "nail"):where("kindId", 2) end)
      assert.equal("apple pear saw nail", names(q))
    end)

    it("take what a function of a subquery returns", function()
      assert.equal("saw nail", names(things:query():whereIn("kindId", function()
        return kinds:query():select("id"):where("label", "tool")
      end)))
      assert.equal("saw nail", names(things:query():whereExists(function()
        return ds:query("select_kinds"):whereColumn("select_kinds.id", "select_things.kind_id"):where("label", "tool")
      end)))
      assert.equal("pear", names(things:query():where("price", "=", function(q)
        q:from("select_things", "t"):selectFunc("max", "t.price", "most"):where("t.kind_id", 1)
      end)))
    end)

    it("are added when a value is there", function()
      local function add(q, value)
        q:where("name", value)
      end
      assert.equal("saw", names(things:query():when("saw", add):when(nil, add):when(false, add)))
      assert.equal("", names(things:query():when("", add)))
      assert.equal("", names(things:query():strictWhen(false, function(q) q:where("id", -1) end)))
      assert.equal(5, things:query():strictWhen(sql.null, add):strictWhen(nil, add):count())
    end)
  end)

  describe("joins", function()
    it("join a subquery", function()
      local dear = things:query():select("kindId"):selectFunc("max", "price", "most"):groupBy("kindId")
        :having("most", ">", 1)
      local list = kinds:query():join({ dear, "d" }, "kindId", "id"):where("d.most", ">", 3)
        :select("label", { "d.most", "most" }):orderBy("select_kinds.id"):many()
      assert.equal("fruit tool", field(list, "label"))
      assert.equal("5 20", field(list, "most"))
      list = kinds:query():leftJoin({ function(q) q:from("select_things"):where("price", ">", 10) end, "t" }, "kind_id")
        :select("label", { "t.name", "thing" }):orderBy("select_kinds.id"):many()
      assert.equal("nil saw", field(list, "thing"))
    end)

    it("take an alias, and conditions by a function", function()
      local list = things:query():join({ Thing, "parent" }, "id", "parentId", function(on)
        on:onValue("parent.price", ">", 3):orOn("parent.kindId", "select_things.price")
      end):select("name", { "parent.name", "of" }):orderBy("select_things.id"):many()
      assert.equal("saw nail", field(list, "name"))
      assert.equal("pear saw", field(list, "of"))
      assert.equal("MISSING_ALIAS_FOR_SUBQUERY", error_of(function() things:query():join(kinds:query(), "id") end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() things:query():join({ Kind }, "id", "kindId") end).code)
    end)
  end)

  describe("WITH", function()
    it("goes down a tree", function()
      local q = ds:query("tree"):withRecursive("tree", function(t)
        t:from("select_things"):select("id", "name"):where("name", "apple"):unionAll(function(u)
          u:from("select_things", "c"):select("c.id", "c.name"):join("tree", "id", "c.parent_id")
        end)
      end):where("name", "!=", "dust"):orderBy("id")
      assert.equal("apple pear saw nail", field(q:many(), "name"))
    end)

    it("materializes where that can be said", function()
      local q = ds:query("cheap"):withMaterialized("cheap", function(c)
        c:from("select_things"):where("price", "<", 4)
      end):with("kinds", kinds:where("label", "tool")):join("kinds", "id", "kind_id"):select("name")
      if ds:can("MATERIALIZED_CTE") then
        assert.equal("nail", field(q:many(), "name"))
      else
        assert.equal("UNSUPPORTED", error_of(function() q:many() end).code)
      end
    end)
  end)

  describe("set operations", function()
    it("are ordered and limited as a whole", function()
      local q = things:query():select("name"):where("kindId", 1)
        :union(things:query():select("name"):where("price", ">", 4):orderBy("price", "desc"):limit(1))
        :orderBy("name", "desc"):limit(2)
      assert.equal("saw pear", field(q:many(), "name"))
      assert.equal(2, q:count())
    end)

    it("put NULL where they are told to", function()
      local q = ds:query("select_things"):select("price"):where("id", 5)
        :unionAll(function(u) u:from("select_things"):select("price"):where("id", 1) end)
        :orderBy("price", "asc", { nulls = "last" })
      assert.equal("3 nil", field(q:many(), "price"))
    end)

    it("take text with its own parameters", function()
      local q = things:query():select("name"):where("id", 1)
        :union("SELECT name FROM select_things WHERE price > ? AND name <> ?", 4, "saw"):where("id", 1):orderBy("name")
      assert.equal("apple pear", field(q:many(), "name"))
      assert.equal("INVALID_ARGUMENT", error_of(function() things:query():union("SELECT ?") end).code)
    end)

    it("intersect and subtract", function()
      local function of(kind)
        return ds:query("select_things"):select("name"):where("kind_id", kind)
      end
      local dear = ds:query("select_things"):select("name"):where("price", 20)
      assert.equal("saw", field(of(2):intersect(dear):many(), "name"))
      assert.equal("nail", field(of(2):except(dear):many(), "name"))
    end)
  end)

  it("patterns match whole numbers by their digits", function()
    assert.equal("pear", names(things:query():whereLike("price", "5%")))
    assert.equal("apple pear nail", names(things:query():whereNotLike("price", "2%")))
    assert.equal("saw", names(things:query():whereILike("price", "2_")))
    assert.equal("apple nail", names(things:query():whereRegexp("price", "^[13]$")))
    assert.equal("saw", names(things:query():whereNotRegexp("price", "^.$")))
    assert.equal("saw", names(things:query():where { price = sql.op.like("%0") }))
  end)

  it("aliases of raw text order and group", function()
    local q = things:query():selectRaw("count(*) as howMany"):select("kindId"):groupBy("kindId")
      :orderBy("howMany", "desc"):orderBy("kindId")
    assert.equal("2 2 1", field(q:many(), "howMany"))
    assert.equal(3, q:count())
    assert.equal(2, #q:paginate(1, 2).data)
    local older = things:query():selectRaw("price + ? as dearer", 1):whereNotNull("price"):groupBy("dearer")
      :orderBy("dearer")
    if database == "postgres" then
      assert.equal("2 4 6 21", field(older:many(), "dearer"))
    end
    local dearer = things:query():selectRaw("price + 1 as dearer"):whereNotNull("price"):orderBy("dearer")
    assert.equal("nail apple pear saw", table.concat(dearer:pluck("name"), " "))
    local having = q:clone():having("howMany", ">", 1)
    if database == "postgres" or database == "cockroachdb" then
      assert.equal("UNSUPPORTED", error_of(function() having:many() end).code)
    else
      assert.equal("2 2", field(having:many(), "howMany"))
    end
    assert.equal("UNDEFINED_COLUMN", error_of(function() dearer:clone():clearSelect():select("name"):many() end).code)
    assert.equal("UNDEFINED_COLUMN", error_of(function() things:query():selectRaw("1 as x"):where("x", 1) end).code)
  end)

  it("totals are ordered with their NULLs where they are asked for", function()
    local q = things:query():select("kindId"):selectFunc("sum", "price", "total"):groupBy("kindId")
    assert.equal("nil 8 21", field(q:clone():orderBy("total", "asc", { nulls = "first" }):many(), "total"))
    assert.equal("8 21 nil", field(q:clone():orderBy("total", "asc", { nulls = "last" }):many(), "total"))
    assert.equal("21 8 nil", field(q:clone():orderBy("total", "desc", { nulls = "last" }):many(), "total"))
    local step = things:query():select("kindId"):select(sql.func("sum", sql.col("price") + 1) + 1, "total")
      :groupBy("kindId"):orderBy("total", "desc", { nulls = "last" })
    assert.equal("24 11 nil", field(step:many(), "total"))
  end)

  it("raw text ends where its comment does", function()
    local function count(q) return #q:many() end
    assert.equal(1, count(things:query():whereRaw("id > ? -- all", { 0 }):where("id", 2)))
    assert.equal(1, count(things:query():where("id", 2):whereRaw("id > 0 --"):andWhere("id", 2)))
    assert.equal(2, count(things:query():orderByRaw("id -- the newest"):limit(2)))
    assert.equal(1, count(things:query():selectRaw("1 as one -- really?"):where("id", 2)))
    assert.equal(1, count(things:query():whereRaw("id > 0 /* -- */"):where("id", 2)))
    if database == "mysql" or database == "mariadb" then
      assert.equal(1, count(things:query():whereRaw("id > 0 # all"):where("id", 2)))
    end
    local err = error_of(function() things:query():whereRaw("id > 0 /* all") end)
    assert.equal("INVALID_ARGUMENT", err.code)
    assert.truthy(err.message:find("comment", 1, true), err.message)
  end)

  it("calculate exactly, or not at all, with numbers that the column could not hold", function()
    local q = things:where("id", 2)
    assert.equal("integer", math.type(q:clone():select(sql.col("id") + 5000000000, "n"):one().n))
    assert.equal(math.maxinteger, q:clone():select(sql.col("id") + (math.maxinteger - 2), "n"):one().n)
    assert.equal("DATA_INVALID", error_of(function()
      q:clone():select(sql.col("id") * math.maxinteger, "n"):one()
    end).code)
  end)

  describe("row locks", function()
    local locks = {
      { "for update", function(q) return q:lockForUpdate() end },
      { "for update, skipping", function(q) return q:lockForUpdate { skipLocked = true } end },
      { "for update, not waiting", function(q) return q:lockForUpdate { noWait = true } end },
      { "shared", function(q) return q:forShare() end },
      { "shared, skipping", function(q) return q:forShare { skipLocked = true } end },
      { "shared, not waiting", function(q) return q:forShare { noWait = true } end },
    }
    for _, lock in ipairs(locks) do
      it(lock[1] .. " want a transaction", function()
        assert.equal("TRANSACTION_NOT_ACTIVE", error_of(function() lock[2](things:where("id", 1)):many() end).code)
        assert.equal("TRANSACTION_NOT_ACTIVE", error_of(function() lock[2](things:where("id", 1)):one() end).code)
        local list = ds:transaction(function()
          if not can_lock then
            local err = error_of(function() lock[2](things:where("id", 1)):many() end)
            assert.equal("UNSUPPORTED", err.code)
            return {}
          end
          return lock[2](things:where("id", 1)):many()
        end)
        assert.equal(can_lock and 1 or 0, #list)
        assert.equal(1, #lock[2](things:where("id", 1)):clearLockQuery():many())
      end)
    end

    it("are not of aggregates, which have no rows", function()
      for name, ask in pairs {
        count = function(q) return q:count() end,
        sum = function(q) return q:getSum("price") end,
        max = function(q) return q:limit(2):getMax("price") end,
      } do
        local err = error_of(function() ds:transaction(function() return ask(things:query():lockForUpdate()) end) end)
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.truthy(err.message:find(name, 1, true), err.message)
        assert.truthy(err.message:find("clearLockQuery", 1, true), err.message)
      end
    end)

    it("are of the rows of a page, not of their number", function()
      if not can_lock then
        return
      end
      ds:transaction(function()
        local all = things:count()
        local page = things:query():lockForUpdate():orderBy("id"):paginate(1, 2)
        assert.equal(2, #page.data)
        assert.equal(all, page.paginationMetadata.total)
        page = things:query():lockForUpdate():paginateWithCursor(2, { total = true })
        assert.equal(2, #page.data)
        assert.equal(all, page.paginationMetadata.total)
        assert.is_true(things:query():lockForUpdate():exists())
      end)
    end)

    it("either skip or do not wait", function()
      assert.equal("INVALID_ARGUMENT", error_of(function()
        things:query():lockForUpdate { skipLocked = true, noWait = true }
      end).code)
    end)
  end)

  it("parts are emptied one by one, or all", function()
    local function full()
      return things:query():with("k", kinds:query()):select("name"):distinct():join(Kind, "id", "kindId")
        :where("price", ">", 2):groupBy("name"):having("name", "!=", "x"):orderBy("name"):limit(1):offset(1)
        :union(things:query():select("name"))
    end
    local whole = full():toSql("postgres")
    local parts = {
      { "clearSelect", "\"name\" FROM" }, { "clearDistinct", "DISTINCT" }, { "clearJoin", "INNER JOIN" },
      { "clearWhere", "WHERE" }, { "clearGroupBy", "GROUP BY" }, { "clearHaving", "HAVING" },
      { "clearOrderBy", "ORDER BY" }, { "clearLimit", "LIMIT" }, { "clearOffset", "OFFSET" },
      { "clearUnionQuery", "UNION" }, { "clearWithQuery", "WITH" },
    }
    for _, part in ipairs(parts) do
      assert.truthy(whole:find(part[2], 1, true), part[2])
      local q = full()
      if part[1] == "clearSelect" then
        q:clearUnionQuery()
      end
      q = q[part[1]](q)
      assert.is_nil(q:toSql("postgres"):find(part[2], 1, true), part[1])
    end
    local bare = things:query():toSql("postgres")
    assert.equal(bare, full():clear():toSql("postgres"))
    assert.equal((bare:gsub("FROM \"select_things\"", "FROM \"select_things\" AS \"t\"")),
      things:query():alias("t"):where("id", 1):clear():toSql("postgres"))
    assert.equal("SELECT * FROM \"b\"", ds:query("a"):clearFrom():from("b"):toSql("postgres"))
    assert.equal(5, full():clear():count())
  end)

  if database == "sqlite" then
    it("names of aliases keep their case", function()
      assert.matches("AS \"CamelCase\"", things:query():select({ "name", "CamelCase" }):toSql("postgres"), 1, true)
    end)
  end
end)
