-- insertMany with rows of every shape: the short way for rows that are alike must store what
-- the long way stores. And the road of its own that finding by a plain key has.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  local long_name = "aNameOfMoreThanFortyCharactersWhichLuaDoesNotIntern"
  local Item = model "BulkItem" {
    id = column.increment(),
    title = column.text(),
    unitPrice = column.decimal { precision = 10, scale = 2 },
    weight = column.double(),
    sold = column.boolean(),
    soldAt = column.timestamp(),
    tags = column.json(),
    [long_name] = column.integer(),
  }
  local Hidden = model "BulkHidden" {
    id = column.increment(), shown = column.string(), secret = column.string { hidden = true },
  }
  local Pair = model "BulkPair" {
    hysteria.primaryKey { "a", "b" }, a = column.integer(), b = column.integer(),
  }
  local Named = model "BulkNamed" {
    id = column.string { primaryKey = true, length = 700 }, n = column.integer(),
  }
  local all = { Item, Hidden, Pair, Named }
  local items, named = Item:using(ds), Named:using(ds)
  local none = { returning = false }

  local function stored(what)
    local list = {}
    for index, row in ipairs(ds:rawQuery("SELECT " .. what .. " AS v FROM bulk_items ORDER BY id")) do
      list[index] = row.v == nil and "NULL" or row.v
    end
    return list
  end

  before_each(function()
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
  end)

  describe("insertMany", function()
    it("stores rows of more than one statement in order", function()
      local rows = {}
      for index = 1, 777 do
        rows[index] = { title = "t" .. index, weight = index / 4, sold = index % 2 == 1 }
      end

      assert.equal(777, items:insertMany(rows, none))

      local found = ds:rawQuery("SELECT id, title, weight, sold FROM bulk_items ORDER BY id")
      assert.equal(777, #found)
      for index, row in ipairs(found) do
        assert.same({ index, "t" .. index, index / 4, index % 2 },
          { row.id, row.title, row.weight, row.sold == true and 1 or row.sold == false and 0 or row.sold })
      end
    end)

    it("reads rows whose keys come in another order", function()
      local backwards = {}
      for _, key in ipairs { "sold", "weight", "title" } do
        backwards[key] = ({ sold = false, weight = 2.5, title = "b" })[key]
      end

      items:insertMany({ { title = "a", weight = 1.5, sold = true }, backwards }, none)

      assert.same({ "a", "b" }, stored("title"))
      assert.same({ 1.5, 2.5 }, stored("weight"))
    end)

    it("gives a missing key the column's default", function()
      items:insertMany({ { title = "a", weight = 1.0 }, { title = "b" }, { weight = 3.0 } }, none)

      assert.same({ "a", "b", "NULL" }, stored("title"))
      assert.same({ 1.0, "NULL", 3.0 }, stored("weight"))
    end)

    it("takes a key that only a later row has", function()
      items:insertMany({ { title = "a" }, { title = "b", weight = 2.0 }, { title = "c" } }, none)

      assert.same({ "a", "b", "c" }, stored("title"))
      assert.same({ "NULL", 2.0, "NULL" }, stored("weight"))
    end)

    it("mixes plain values with all that is not plain", function()
      items:insertMany({
        { title = "a", unitPrice = sql.decimal("1.10"), tags = { 1 } },
        { title = sql.rawStatement("upper('b')"), unitPrice = "2.20", tags = "text" },
        { title = sql.null, unitPrice = 3, tags = sql.null },
      }, none)

      assert.same({ "a", "B", "NULL" }, stored("title"))
      local found = items:query():orderBy("id"):many()
      assert.same({ "1.10", "2.20", "3.00" },
        { tostring(found[1].unitPrice), tostring(found[2].unitPrice), tostring(found[3].unitPrice) })
      assert.equal(1, found[1].tags[1])
      assert.equal("text", found[2].tags)
      assert.is_nil(found[3].tags)
    end)

    it("takes property and database names, in one list too", function()
      items:insertMany({ { unitPrice = "1.00", title = "a" }, { unit_price = "2.00", title = "b" } }, none)

      assert.same({ "a", "b" }, stored("title"))
      assert.equal(2, #stored("unit_price"))
      assert.equal("INVALID_ARGUMENT", error_of(function()
        items:insertMany({ { unitPrice = "1.00", unit_price = "2.00" }, { title = "x" } }, none)
      end).code)
    end)

    it("knows keys longer than those that Lua interns", function()
      items:insertMany({ { [long_name] = 1 }, { [long_name .. ""] = 2 } }, none)

      local found = items:query():orderBy("id"):pluck(long_name)
      assert.same({ 1, 2 }, found)
    end)

    it("writes timestamps in every form alike", function()
      items:insertMany({
        { soldAt = "2024-02-29 10:20:30" }, { soldAt = "2024-02-29T10:20:30Z" }, { soldAt = 1709202030 },
        { soldAt = { year = 2024, month = 2, day = 29, hour = 10, min = 20, sec = 30 } },
      }, none)

      for _, record in ipairs(items:query():many()) do
        assert.equal("2024-02-29 10:20:30", record.soldAt)
      end
    end)

    it("stores nothing when one row is wrong", function()
      local rows = {}
      for index = 1, 600 do
        rows[index] = { title = "t", weight = 1.0 }
      end
      local function fails(bad, code)
        rows[500] = bad
        assert.equal(code, error_of(function()
          items:insertMany(rows, none)
        end).code)
        assert.equal(0, #stored("id"))
      end

      fails({ title = "t", weigth = 1.0 }, "UNDEFINED_COLUMN")
      fails({ title = "t", weight = "heavy" }, "DATA_INVALID")
      fails({ title = "\xff", weight = 1.0 }, "DATA_INVALID")
      fails({ title = "t", weight = setmetatable({}, {}) }, "INVALID_ARGUMENT")
      fails(setmetatable({ title = "t" }, { __index = { weight = 1.0 } }), "INVALID_ARGUMENT")
      fails({ title = "t", [1] = 1.0 }, "INVALID_ARGUMENT")
      fails("no row", "INVALID_ARGUMENT")
    end)

    it("tells a list of rows from anything else", function()
      local function fails(rows, code)
        for _, given in ipairs { none, {} } do
          assert.equal(code, error_of(function()
            items:insertMany(rows, given)
          end).code)
        end
      end

      fails({ title = "a row" }, "INVALID_ARGUMENT")
      fails({ { title = "a" }, extra = { title = "b" } }, "INVALID_ARGUMENT")
      fails({ { title = "a" }, nil, { title = "c" } }, "NIL_VALUE")
      assert.same({}, items:insertMany({}))
      assert.equal(0, items:insertMany({}, none))
    end)

    it("takes a list that does not lie in a table's array part", function()
      local rows = { named = true, [3] = { title = "c" }, [2] = { title = "b" }, [1] = { title = "a" } }
      rows.named = nil

      assert.equal(3, items:insertMany(rows, none))
      assert.same({ "a", "b", "c" }, stored("title"))
    end)

    it("does not show values of hidden columns to observers", function()
      local seen = databases.watch(ds)
      Hidden:using(ds):insertMany({ { shown = "s1", secret = "x1" }, { shown = "s2", secret = "x2" } }, none)

      local found
      for _, event in ipairs(seen.stop()) do
        if event.operation == "INSERT" then
          found = event.params
        end
      end
      assert.same({ "s1", "[hidden]", "s2", "[hidden]" }, found)
    end)

    it("gives the database the same values as one insert each", function()
      local rows = {
        { title = "", weight = 0.0, sold = false }, { title = "é", weight = -1e300, sold = true },
        { title = ("x"):rep(5000), weight = 5, sold = sql.null },
      }
      items:insertMany(rows, none)
      for _, row in ipairs(rows) do
        items:insert(row)
      end

      local found = ds:rawQuery("SELECT title, weight, sold FROM bulk_items ORDER BY id")
      for index = 1, #rows do
        assert.same(found[index], found[index + #rows])
      end
    end)
  end)

  describe("findOneByPrimaryKey", function()
    it("gives the record or nil, again and again", function()
      items:insertMany({ { title = "a" }, { title = "b" } }, none)

      for _ = 1, 3 do
        assert.equal("b", items:findOneByPrimaryKey(2).title)
        assert.is_nil(items:findOneByPrimaryKey(3))
        assert.equal("a", items:findOneByPrimaryKey(1).title)
      end
      assert.equal(getmetatable(items:findOneByPrimaryKey(1)), getmetatable(items:query():where("id", 1):one()))
    end)

    it("compares text keys as text", function()
      named:insert { id = "7", n = 1 }
      named:insert { id = ("k"):rep(700), n = 2 }

      assert.equal(1, named:findOneByPrimaryKey("7").n)
      assert.equal(2, named:findOneByPrimaryKey(("k"):rep(700)).n)
      assert.is_nil(named:findOneByPrimaryKey("8"))
    end)

    it("goes on after a key that cannot be one", function()
      items:insert { title = "a" }

      assert.equal("DATA_INVALID", error_of(function()
        items:findOneByPrimaryKey("no number")
      end).code)
      assert.equal("a", items:findOneByPrimaryKey(1).title)
    end)

    it("takes whatever number a query would, before and after others", function()
      items:insertMany({ { title = "a" }, { title = "b" } }, none)

      local keys = { 2, 2.0, 1.5, 1, -1, 2 ^ 80, math.maxinteger, math.mininteger, 1.0, 2 }
      for _ = 1, 2 do
        for _, key in ipairs(keys) do
          local expected = items:query():where("id", key):one()
          local found = items:findOneByPrimaryKey(key)
          assert.same(expected and expected:toTable(), found and found:toTable())
        end
      end
    end)

    it("tells the same of a failure, the first time and later", function()
      local missing = model "BulkMissing" { id = column.increment(), n = column.integer() }:using(ds)
      local function failure()
        return error_of(function()
          missing:findOneByPrimaryKey(1)
        end)
      end
      local first = failure()
      ds:createTables { missing }
      assert.is_nil(missing:findOneByPrimaryKey(1))
      ds:dropTables { missing }
      for _ = 1, 2 do
        local later = failure()
        assert.same({ first.code, first.model, first.sql }, { later.code, later.model, later.sql })
      end
    end)

    it("keeps nothing of one source for another", function()
      local other <close> = hysteria.sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
      local strangers = Item:using(other)
      other:createTables { Item }
      items:insert { title = "here" }
      strangers:insert { title = "there" }

      for _ = 1, 3 do
        assert.equal("here", items:findOneByPrimaryKey(1).title)
        assert.equal("there", strangers:findOneByPrimaryKey(1).title)
      end
    end)

    it("reads what a model has since it was made anew", function()
      named:insert { id = "x", n = 1 }
      assert.equal(1, named:findOneByPrimaryKey("x").n)

      local again = model "BulkNamed" { id = column.string { primaryKey = true, length = 700 } }:using(ds)
      assert.same({ id = "x" }, again:findOneByPrimaryKey("x"):toTable())
      model "BulkNamed" { id = column.string { primaryKey = true, length = 700 }, n = column.integer() }
      assert.same({ id = "x", n = 1 }, Named:using(ds):findOneByPrimaryKey("x"):toTable())
    end)

    it("finds beside itself in tasks", function()
      local rows, tasks = {}, {}
      for index = 1, 40 do
        rows[index] = { title = "title " .. index }
        tasks[index] = function()
          return items:findOneByPrimaryKey(index).title .. items:findOneByPrimaryKey(41 - index).title
        end
      end
      items:insertMany(rows, none)
      local found = hysteria.async.run(hysteria.async.all, tasks)
      for index = 1, 40 do
        assert.equal(rows[index].title .. rows[41 - index].title, found[index])
      end
    end)

    it("refuses what is no key", function()
      local function code_of(...)
        local arguments = table.pack(...)
        return error_of(function()
          items:findOneByPrimaryKey(table.unpack(arguments, 1, arguments.n))
        end).code
      end

      assert.equal("NIL_VALUE", code_of(nil))
      assert.equal("INVALID_ARGUMENT", error_of(function()
        Item.findOneByPrimaryKey(nil, 1)
      end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function()
        Item.findOneByPrimaryKey({}, 1)
      end).code)
      assert.is_not_nil(error_of(function()
        Pair:using(ds):findOneByPrimaryKey(1)
      end).code)
      assert.is_nil(items:findOneByPrimaryKey(sql.null))
    end)

    it("sees what its transaction wrote", function()
      ds:transaction(function()
        items:insert { title = "inside" }
        assert.equal("inside", items:findOneByPrimaryKey(1).title)
      end)
      local trx = ds:startTransaction()
      items:insert({ title = "open" }, { trx = trx })
      assert.equal("open", items:findOneByPrimaryKey(2, { trx = trx }).title)
      trx:rollback()
      assert.is_nil(items:findOneByPrimaryKey(2))
    end)
  end)
end)

-- Records must be those of the rows that were given, whoever else numbers rows meanwhile. The bulk
-- writers take their numbers one by one, which on MySQL falls between those of other statements.
databases.each(function(ds)
  local async = hysteria.async
  local Mark = model "BulkMark" { id = column.increment(), writer = column.integer(), n = column.integer() }
  local marks = Mark:using(ds)

  before_each(function()
    ds:dropTables({ Mark }, { ifExists = true })
    ds:createTables { Mark }
  end)

  local function rows_of(writer, round, count)
    local rows = {}
    for n = 1, count do
      rows[n] = { writer = writer, n = round * 1000 + n }
    end
    return rows
  end

  -- Rows whose record is not theirs, by what the database holds under the record's number.
  local function wrong_among(given, records)
    local stored, wrong = {}, 0
    for _, row in ipairs(ds:rawQuery("SELECT id, writer, n FROM bulk_marks")) do
      stored[row.id] = row
    end
    for index, row in ipairs(given) do
      local record = records[index]
      local truth = record and stored[record.id] or {}
      if truth.writer ~= row.writer or truth.n ~= row.n or record.n ~= row.n or record.writer ~= row.writer then
        wrong = wrong + 1
      end
    end
    return wrong
  end

  -- In the order of their numbers: how often the next list is another writer's, and how many lists have
  -- foreign numbers between their own.
  local function mixture(lists, all)
    local order, changes, torn = {}, 0, 0
    for index = 1, #lists do
      order[index] = index
    end
    table.sort(order, function(a, b) return all[a][1].id < all[b][1].id end)
    for place, index in ipairs(order) do
      local records, before = all[index], order[place - 1]
      changes = changes + (before and lists[before][1].writer ~= lists[index][1].writer and 1 or 0)
      torn = torn + (records[#records].id - records[1].id ~= #records - 1 and 1 or 0)
    end
    return changes, torn
  end

  local function eight_writers(given)
    local lists, all = {}, {}
    async.run(function()
      local jobs = {}
      for writer = 1, 8 do
        jobs[writer] = function()
          for round = 1, 5 do
            local list = rows_of(writer, round, 40)
            local records = ds:transaction(function()
              return marks:insertMany(list)
            end, given)
            lists[#lists + 1] = list
            all[#lists] = records
            marks:insert({ writer = -writer, n = round }, { returning = false })
          end
        end
      end
      for _ = 1, 2 do
        jobs[#jobs + 1] = function()
          for _ = 1, 5 do
            ds:rawQuery("INSERT INTO bulk_marks (writer, n) SELECT 0, a.n FROM (SELECT 1 AS n UNION ALL SELECT 2"
              .. " UNION ALL SELECT 3) AS a, (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) AS b")
          end
        end
      end
      async.all(jobs)
    end)
    assert.equal(40, #lists)
    local wrong = 0
    for index, list in ipairs(lists) do
      assert.equal(40, #all[index])
      wrong = wrong + wrong_among(list, all[index])
    end
    assert.equal(0, wrong)
    assert.equal(1600, marks:where("writer", ">", 0):getCount())
    local changes, torn = mixture(lists, all)
    assert.is_true(changes >= 8 or ds:getDbType() == "sqlite", "the writers came one after the other")
    databases.report("insertMany on %s: 8 writers, 40 lists of 40 rows, %d changes of writer, %d lists torn, %d wrong",
      ds:getDbType(), changes, torn, wrong)
  end

  it("insertMany gives every row its own record among eight writers", function()
    eight_writers()
  end)

  it("insertMany does so where transactions see what others commit", function()
    if ds:getDbType() == "sqlite" then
      eight_writers { isolationLevel = "SERIALIZABLE" } -- it has no other
    else
      eight_writers { isolationLevel = "READ COMMITTED" }
    end
  end)

  it("insertMany brings back some columns, a few rows, rows after other rows of its transaction", function()
    ds:transaction(function()
      local few = marks:insertMany({ { n = 7 }, { n = 8 } }, { returning = { "n" } })
      assert.same({ { n = 7 }, { n = 8 } }, { few[1]:toTable(), few[2]:toTable() })
      marks:insert { id = 5000, n = 1 }
      local list = rows_of(3, 1, 600)
      local records = marks:insertMany(list)
      assert.equal(0, wrong_among(list, records))
      assert.equal(0, wrong_among(list, marks:insertMany(list)))
    end)
  end)

  it("insertMany without records takes a statement for many rows", function()
    local seen, inserts = databases.watch(ds), 0
    assert.equal(600, marks:insertMany(rows_of(1, 1, 600), { returning = false }))
    for _, event in ipairs(seen.stop()) do
      inserts = inserts + (event.operation == "INSERT" and 1 or 0)
    end
    assert.is_true(inserts <= 3, inserts .. " statements")
  end)
end, { shared = true, pool = { max = 10 } })
