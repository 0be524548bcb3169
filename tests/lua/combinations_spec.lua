-- Clauses beside each other: what one of them says must not go missing, or mean something else, because
-- another is there. The answers are counted out by hand from eight rows and five.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

local Person = model "CombPerson" {
  hysteria.tableName("comb_people"),
  id = column.increment(),
  name = column.string { length = 20 },
  age = column.integer(),
  nick = column.string { length = 20, databaseName = "called" },
  price = column.decimal { precision = 20, scale = 2 },
  cost = column.decimal { precision = 12, scale = 2 }, -- the same, which SQLite keeps as numbers
}
local Item = model "CombItem" {
  hysteria.tableName("comb_items"),
  id = column.increment(),
  personId = column.integer(),
  v = column.integer(),
}

local PEOPLE = {
  { "bob", 10, "9.50" }, { "Ann", 20, "10.25" }, { "cid", 0, "100.00" }, { "bob", 10, "2.00" }, { "eve", 20, "20.00" },
}

local function ids(rows)
  local list = {}
  for index, row in ipairs(rows) do
    list[index] = row.id
  end
  return list
end

-- name, the answer, the query. p and i: queries on the models.
local CASES = {
  -- EXISTS: rows that are skipped are counted after DISTINCT and GROUP BY
  { "EXISTS with DISTINCT and all rows skipped", 0, function(w)
    return w.p():whereExists(w.i():select("personId"):distinct():offset(2)):count()
  end },
  { "EXISTS with DISTINCT and one row left", 5, function(w)
    return w.p():whereExists(w.i():select("personId"):distinct():offset(1)):count()
  end },
  { "EXISTS with DISTINCT of whole rows and OFFSET", 5, function(w)
    return w.p():whereExists(w.ds:query("comb_items"):distinct():offset(7)):count()
  end },
  { "EXISTS with GROUP BY and all rows skipped", 0, function(w)
    return w.p():whereExists(w.i():select("personId"):groupBy("personId"):offset(2)):count()
  end },
  { "NOT EXISTS with DISTINCT and OFFSET", 5, function(w)
    return w.p():whereNotExists(w.i():select("personId"):distinct():offset(2)):count()
  end },
  { "EXISTS with LIMIT 0, and with all rows skipped", { 0, 5, 0 }, function(w)
    return { w.p():whereExists(w.i():limit(0)):count(), w.p():whereNotExists(w.i():limit(0)):count(),
      w.p():whereExists(w.i():offset(8)):count() }
  end },
  { "EXISTS with GROUP BY and HAVING", { 0, 5 }, function(w)
    local function sub(n)
      return w.ds:query("comb_items as e"):groupBy("e.person_id"):havingRaw("count(*) > ?", { n })
    end
    return { w.p():whereExists(sub(5)):count(), w.p():whereExists(sub(4)):count() }
  end },
  { "exists() with DISTINCT, GROUP BY, a union and OFFSET", { false, true, false, false, true }, function(w)
    local none = w.i():where("id", -1)
    return {
      w.i():select("personId"):distinct():offset(2):exists(), w.i():select("personId"):distinct():offset(1):exists(),
      w.i():select("personId"):groupBy("personId"):offset(2):exists(), none:clone():union(none):exists(),
      none:clone():union(w.i():where("id", 1)):exists(),
    }
  end },
  { "IN with DISTINCT, GROUP BY and OFFSET", { { 2 }, { 2 }, { 2 } }, function(w)
    return {
      w.p():whereIn("id", w.i():select("personId"):distinct():orderBy("personId"):limit(1):offset(1)):pluck("id"),
      w.p():whereIn("id", w.i():select("personId"):distinct():orderBy("personId"):offset(1)):pluck("id"),
      w.p():whereIn("id", w.i():select("personId"):groupBy("personId"):orderBy("personId"):offset(1)):pluck("id"),
    }
  end },
  -- decimals that are no column compare and sort as numbers
  { "a CASE of decimals, compared", { 2, 3, 5 }, function(w)
    return w.p():where(w.case(), ">", sql.decimal("10.00")):orderBy("id"):pluck("id")
  end },
  { "a CASE of decimals to order by", { 4, 1, 2, 5, 3 }, function(w) return w.p():orderBy(w.case()):pluck("id") end },
  { "a CASE of decimals in a derived table", { 2, 5, 3 }, function(w)
    local inner = w.p():select("id"):select(w.case(), "p")
    return w.ds:query("x"):from(inner, "d"):where("p", ">", sql.decimal("10.00")):orderBy("p"):pluck("id")
  end },
  { "a total of a CASE of decimals", true, function(w)
    return w.p():select(sql.func("sum", w.case()), "total"):one().total == sql.decimal("141.75")
  end },
  { "a CASE of decimals, selected", { "9.50", "10.25", "100.00", "2.00", "20.00" }, function(w)
    local list = {}
    for index, row in ipairs(w.p():select("id"):select(w.case(), "p"):orderBy("id"):many()) do
      list[index] = tostring(row.p)
    end
    return list
  end },
  { "a subquery of a decimal, compared", { 5, { 1, 4 } }, function(w)
    local ten = w.p():select("price"):where("id", 2)
    return { w.p():where(ten, ">", sql.decimal("9.00")):count(),
      w.p():where("price", "<", ten):orderBy("id"):pluck("id") }
  end },
  { "functions that compare decimals with values", { { 4 }, { 4 }, { 1, 4 } }, function(w)
    return {
      w.p():whereNull(sql.func("nullif", sql.col("price"), sql.decimal("2"))):pluck("id"),
      w.p():whereNull(sql.func("nullif", sql.col("price"), 2)):pluck("id"),
      w.p():where(sql.func("coalesce", sql.col("price"), 1), "<", 10):orderBy("id"):pluck("id"),
    }
  end },
  { "functions that compare short decimals", { { 4 }, { 4 }, { 1, 2, 3, 4, 5 }, { 4 }, { 1, 4 } }, function(w)
    return {
      w.p():whereNull(sql.func("nullif", sql.col("cost"), sql.decimal("2"))):pluck("id"),
      w.p():whereNull(sql.func("nullif", sql.col("cost"), 2)):pluck("id"),
      w.p():whereNull(sql.func("nullif", sql.col("cost"), sql.col("price"))):orderBy("id"):pluck("id"),
      w.p():whereNull(sql.func("nullif", sql.col("cost"), w.p():select("cost"):where("id", 4))):pluck("id"),
      w.p():where(sql.func("coalesce", sql.col("cost"), 1), "<", 10):orderBy("id"):pluck("id"),
    }
  end },
  { "the order of a group by what it is of, NULLs at a stated end", { 0, 10, 20 }, function(w)
    local function tens()
      return sql.func("coalesce", sql.col("age"), 5)
    end
    return w.p():select(tens(), "x"):groupBy(tens()):orderBy(tens(), "asc",
      w.ds:can("NULLS_ORDER") and { nulls = "last" } or nil):pluck("x")
  end },
  -- an alias that is called like a column
  { "pluck in the order of an alias", { { 3, 1, 4, 2, 5 }, { 3, 1, 4, 2, 5 } }, function(w)
    return {
      w.p():select("id", { "age", "w" }):orderBy("w"):orderBy("id"):pluck("id"),
      w.ds:query("comb_people"):select("id", { "age", "w" }):orderBy("w"):orderBy("id"):pluck("id"),
    }
  end },
  { "pluck in the order of an alias that hides a column", { 3 }, function(w)
    return w.p():select("id", { "age", "name" }):orderBy("name"):orderBy("id"):limit(1):pluck("id")
  end },
  { "pluck of a group that has a condition on an alias", { 1 }, function(w)
    return w.ds:query("comb_items"):select("person_id"):selectFunc("count", "*", "n"):groupBy("person_id")
      :having("n", ">", 3):pluck("person_id")
  end },
  { "an aggregate over the first rows in the order of an alias", 3, function(w)
    return w.p():select("id", { "age", "name" }):orderBy("name"):orderBy("id"):limit(1):getSum("id")
  end },
  { "a cursor in an order that an alias hides", "INVALID_ARGUMENT", function(w)
    return error_of(function()
      return w.p():select("id", { "age", "name" }):orderBy("name"):paginateWithCursor(2)
    end).code
  end },
  { "a cursor over a column under its own name", { 3, 1 }, function(w)
    return ids(w.p():select("id", { "age", "age" }):orderBy("age"):paginateWithCursor(2).data)
  end },
  -- unions
  { "a union's order by a column of another name, beside raw fields", "n5", function(w)
    local q = w.p():select("nick"):selectRaw("1")
    return q:union(w.p():select("nick"):selectRaw("1")):orderBy("nick", "desc"):many()[1].nick
  end },
  { "a member with a common table", { 1, 2 }, function(w)
    local member = w.ds:query("c"):with("c", w.i():select({ "personId", "id" }):where("personId", 2)):select("id")
    return w.ds:query("comb_people"):select("id"):where("id", 1):union(member):orderBy("id"):pluck("id")
  end },
  { "members with order and limit of their own", { 1, 7, 8 }, function(w)
    return w.ds:query("comb_people"):select("id"):where("id", 1):unionAll(w.ds:query("comb_items"):select("id")
      :orderBy("id", "desc"):limit(2)):orderBy("id"):pluck("id")
  end },
  { "a union in a difference", { 3, 4 }, function(w)
    local people = w.ds:query("comb_people")
    return people:select("id"):except(w.ds:query("comb_items"):select("person_id"):union(
      w.ds:query("comb_people"):select("id"):where("id", 5))):orderBy("id"):pluck("id")
  end },
  { "an intersection after a union", { 2 }, function(w)
    local function one(id)
      return w.ds:query("comb_people"):select("id"):where("id", id)
    end
    return one(1):union(one(2)):intersect(one(2)):pluck("id")
  end },
  { "how many a union has, with limit and offset", { 8, 3, 2 }, function(w)
    local function both()
      return w.ds:query("comb_people"):select("id"):union(w.ds:query("comb_items"):select("id"))
    end
    return { both():count(), both():limit(3):count(), both():limit(3):offset(6):count() }
  end },
  { "pages of a union", { 8, 4, 3 }, function(w)
    local page = w.p():select("id"):union(w.i():select("id")):orderBy("id"):paginate(2, 3)
    return { page.paginationMetadata.total, page.data[1].id, #page.data }
  end },
  -- limits and aggregates
  { "aggregates over a part of the rows", { 30, 20, 5, 0, 15 }, function(w)
    return {
      w.p():orderBy("id"):limit(2):getSum("age"), w.p():orderBy("age", "desc"):limit(1):getMin("age"),
      w.p():orderBy("id"):offset(4):getMax("id"), w.p():limit(0):getCount(),
      w.i():orderBy("v"):offset(6):getSum("v"),
    }
  end },
  { "offset alone", { { 4, 5 }, { 4, 5 }, {} }, function(w)
    return {
      w.p():orderBy("id"):offset(3):pluck("id"),
      w.p():whereIn("id", w.p():select("id"):orderBy("id"):offset(3)):orderBy("id"):pluck("id"),
      w.p():orderBy("id"):limit(0):offset(3):pluck("id"),
    }
  end },
  { "common tables in subqueries, in each other, and called like a table", { { 1, 2 }, { 1 }, { 1, 2 } }, function(w)
    local c = w.ds:query("c"):with("c", w.i():select("personId")):select("person_id")
    local inner = w.ds:query("d"):with("d", w.i():select("v"):where("v", "<", 3)):select("v")
    return {
      w.p():whereIn("id", c):orderBy("id"):pluck("id"),
      w.ds:query("comb_items"):with("comb_items", w.ds:query("comb_people"):select("id"):where("id", 1)):pluck("id"),
      w.ds:query("c"):with("c", inner):orderBy("v"):pluck("v"),
    }
  end },
  { "a recursive common table", { 1, 2, 3, 4, 5, 6, 7, 8 }, function(w)
    local step = w.ds:query("comb_items"):select("comb_items.id"):join("c", function(on)
      on:onRaw("comb_items.id = c.id + 1")
    end)
    local start = w.ds:query("comb_people"):select("id"):where("id", 1)
    return w.ds:query("c"):withRecursive("c", start:unionAll(step)):orderBy("id"):pluck("id")
  end },
  { "conditions on both sides of a group", { 1, 2 }, function(w)
    return w.i():select("personId"):where("v", 1):orWhere("v", ">", 2):groupBy("personId"):having("personId", 1)
      :orHaving("personId", 2):orderBy("personId"):pluck("personId")
  end },
  { "what an insert has no use for", { "INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT" }, function(w)
    local function refused(q)
      return error_of(q.insert, q, { v = 1 }).code
    end
    return { refused(w.i():groupBy("v")), refused(w.i():distinct()), refused(w.i():union(w.i())) }
  end },
}

databases.each(function(ds, database)
  describe("clauses beside each other", function()
    local P, I = Person:using(ds), Item:using(ds)
    local w = {
      ds = ds,
      p = function() return P:query() end,
      i = function() return I:query() end,
      case = function() return sql.case({ { { id = -1 }, sql.decimal("0.00") } }, sql.col("price")) end,
    }

    setup(function()
      ds:dropTables({ Item, Person }, { ifExists = true })
      ds:createTables { Person, Item }
      for index, row in ipairs(PEOPLE) do
        local price = sql.decimal(row[3])
        P:insert { name = row[1], age = row[2], nick = "n" .. index, price = price, cost = price }
      end
      for index = 1, 8 do
        I:insert { personId = index <= 5 and 1 or 2, v = index }
      end
    end)

    teardown(function()
      ds:dropTables({ Item, Person }, { ifExists = true })
    end)

    for _, case in ipairs(CASES) do
      it("keep their meaning: " .. case[1], function()
        assert.same(case[2], case[3](w))
      end)
    end

    if database ~= "sqlite" then
      it("keep their meaning: pages of rows that are locked", function()
        ds:transaction(function()
          local page = P:query():lockForUpdate():orderBy("id"):paginate(2, 2)
          assert.same({ 3, 4 }, ids(page.data))
          assert.equal(5, page.paginationMetadata.total)
        end)
      end)
    end
  end)
end)
