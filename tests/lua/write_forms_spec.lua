-- update, increment and delete of builders that say more than WHERE: joins, order, limit, offset, CTEs, groups
-- and unions. Whatever a database has no words for is done by key or refused; never left out.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local Writer = model "FormWriter" {
    hysteria.softDelete(),
    id = column.increment(), name = column.string { length = 40 }, rank = column.integer(),
    version = column.version { databaseName = "lock_version" },
  }
  local Book = model "FormBook" {
    hysteria.primaryKey { "shelf", "place" },
    shelf = column.integer(), place = column.integer(), writer = column.integer(), pages = column.integer(),
    state = column.string { length = 20, default = "new" },
  }
  local Loose = model "FormLoose" { name = column.string { length = 40 }, rank = column.integer() }
  local all = { Writer, Book, Loose }
  local writers, books, looses = Writer:using(ds), Book:using(ds), Loose:using(ds)
  local mysqls = database == "mysql" or database == "mariadb"

  before_each(function()
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
    writers:insertMany({ { name = "a", rank = 10 }, { name = "b", rank = 20 }, { name = "c", rank = 30 },
      { name = "d", rank = 40 } }, { returning = false })
    books:insertMany({
      { shelf = 1, place = 1, writer = 1, pages = 100 }, { shelf = 1, place = 2, writer = 1, pages = 50 },
      { shelf = 2, place = 1, writer = 2, pages = 300 }, { shelf = 2, place = 2, writer = 9, pages = 10 },
    }, { returning = false })
    looses:insertMany({ { name = "x", rank = 1 }, { name = "y", rank = 2 } }, { returning = false })
  end)

  local function ranks()
    return writers:query():withDeleted():orderBy("id"):pluck("rank")
  end

  local function states()
    return table.concat(books:query():orderBy("shelf"):orderBy("place"):pluck("state"), " ")
  end

  local function places(list)
    local seen = {}
    for index, row in ipairs(list) do
      seen[index] = row.shelf .. "/" .. row.place
    end
    table.sort(seen)
    return table.concat(seen, " ")
  end

  describe("order and limit", function()
    it("choose the rows of an update", function()
      assert.equal(2, writers:query():orderBy("rank", "desc"):limit(2):allRows():update { rank = 0 })
      assert.same({ 10, 20, 0, 0 }, ranks())
      assert.equal(1, writers:where("rank", ">", 0):orderBy("rank"):limit(1):offset(1):update { rank = 7 })
      assert.same({ 10, 7, 0, 0 }, ranks())
      assert.equal(0, writers:where("rank", ">", 0):limit(0):update { rank = 8 })
      assert.equal(1, writers:where("id", ">", 0):orderBy("rank", "desc"):limit(1):increment("rank", 5))
      assert.same({ 15, 7, 0, 0 }, ranks())
    end)

    it("choose the rows of a delete and of a softDelete", function()
      assert.equal(1, writers:where("rank", "<", 40):orderBy("rank", "desc"):limit(1):softDelete())
      assert.equal(1, writers:query():orderBy("id"):limit(1):allRows():delete())
      assert.same({ 20, 30, 40 }, ranks())
      assert.equal(1, writers:query():onlyDeleted():count())
    end)

    it("choose by a key of several columns", function()
      assert.equal(1, books:query():orderBy("pages", "desc"):limit(1):allRows():update { state = "long" })
      assert.equal("new new long new", states())
      assert.equal(2, books:query():orderBy("shelf", "desc"):orderBy("place"):limit(2):offset(1):allRows():delete())
      assert.equal("new long", states())
    end)

    it("of a table without a key are native or refused", function()
      local function change()
        return looses:query():orderBy("rank"):limit(1):allRows():update { rank = 9 }
      end
      local seen = databases.watch(ds)
      if mysqls then
        assert.equal(1, change())
        assert.equal(1, ds:query("form_looses"):where("rank", 9):limit(1):delete())
      else
        for _, fn in ipairs { change, function() ds:query("form_looses"):where("rank", 1):limit(1):delete() end } do
          local err = error_of(fn)
          assert.equal("UNSUPPORTED", err.code)
          assert.equal(database, err.dialect)
          assert.is_truthy(err.feature:find("LIMIT", 1, true))
        end
        assert.equal(0, #seen.stop())
      end
    end)
  end)

  describe("joins", function()
    it("choose the rows of an update", function()
      assert.equal(2, writers:query():join("form_books", "writer"):where("form_books.pages", ">", 60)
        :update { rank = 1 })
      assert.same({ 1, 1, 30, 40 }, ranks())
      assert.same({ 2, 2, 1, 1 }, writers:query():orderBy("id"):pluck("version"))
      assert.equal(2, writers:query():leftJoin(Book, "writer"):whereNull("form_books.writer"):update { rank = 0 })
      assert.same({ 1, 1, 0, 0 }, ranks())
      assert.equal(1, writers:query():leftJoin(Book, "writer"):whereNull("form_books.writer"):orderBy("id"):limit(1)
        :update { rank = 5 })
      assert.same({ 1, 1, 5, 0 }, ranks())
    end)

    it("give values to an update where the database can", function()
      local function change(verb)
        return writers:query()[verb](writers:query(), Book, "writer"):where("form_books.shelf", 2)
          :update { rank = sql.col("form_books.pages") }
      end
      assert.equal(1, change("join"))
      assert.same({ 10, 300, 30, 40 }, ranks())
      if not mysqls then
        local seen = databases.watch(ds)
        local err = error_of(change, "leftJoin")
        assert.equal("UNSUPPORTED", err.code)
        assert.equal(database, err.dialect)
        assert.equal(0, #seen.stop())
      end
    end)

    it("choose the rows of a delete", function()
      assert.equal(1, books:query():leftJoin(Writer, "id", "writer"):whereNull("form_writers.id"):delete())
      assert.equal(3, books:count())
      assert.equal(2, books:query():join(Writer, "id", "writer"):where("form_writers.name", "a"):delete())
      assert.equal(1, books:count())
      assert.equal(4, writers:count())
    end)

    it("need a condition all the same", function()
      assert.equal("MISSING_WHERE", error_of(function()
        writers:query():join(Book, "writer"):delete()
      end).code)
    end)
  end)

  it("a CTE can be named by an update and a delete", function()
    local function busy(q)
      return q:with("busy", function() return books:query():select("writer"):where("pages", ">", 200) end)
        :whereIn("id", ds:query("busy"):select("writer"))
    end
    assert.equal(1, busy(writers:query()):update { rank = 1 })
    assert.same({ 10, 1, 30, 40 }, ranks())
    assert.equal(1, busy(writers:query()):delete())
    assert.same({ 10, 30, 40 }, ranks())
  end)

  it("groups, DISTINCT and unions choose by key", function()
    local few = books:query():select("shelf", "place"):where("pages", "<", 20)
    assert.equal(2, books:where("pages", ">", 200):union(few):update { state = "odd" })
    assert.equal("new new odd odd", states())
    assert.equal(1, books:where("pages", 50):distinct():delete())
    assert.equal("new odd odd", states())
    local err = error_of(function()
      looses:where("rank", 1):distinct():delete()
    end)
    assert.equal("UNSUPPORTED", err.code)
    assert.equal(2, looses:count())
  end)

  it("a value that is SQL means the row as it was, whatever else is set", function()
    local Fund = model "FormFund" {
      id = column.increment(), pending = column.integer(), total = column.integer(), v = column.version(),
    }
    ds:dropTables({ Fund }, { ifExists = true })
    ds:createTables { Fund }
    local funds = Fund:using(ds)
    local sum = sql.col("total") + sql.col("pending")
    for _, write in ipairs {
      function() funds:where("id", 1):update { pending = 0, total = sum } end,
      function() funds:updateRecord(1, { pending = 0, total = sum }) end,
      function() funds:updateMany { { id = 1, pending = 0, total = sum } } end,
      function() funds:updateMany { { id = 1, pending = 0, total = sum }, { id = 2, pending = 1, total = 2 } } end,
      function() funds:where("id", 1):update { pending = sql.null, total = sql.rawStatement("total + pending") } end,
      function() ds:query("form_funds"):where("id", 1):update { pending = 0, total = sum } end,
    } do
      funds:query():allRows():delete()
      funds:insertMany { { id = 1, pending = 5, total = 100 }, { id = 2 } }
      write()
      assert.equal(105, funds:findOneByPrimaryKey(1).total)
    end
    ds:dropTables { Fund }
  end)

  it("values taken from each other are the old ones, or refused", function()
    local Swap = model "FormSwap" { id = column.increment(), left = column.integer(), right = column.integer() }
    ds:dropTables({ Swap }, { ifExists = true })
    ds:createTables { Swap }
    local swaps = Swap:using(ds)
    swaps:insert { left = 1, right = 2 }
    local left, right = 1, 2
    for _, write in ipairs {
      function() swaps:where("id", 1):update { left = sql.col("right"), right = sql.col("left") } end,
      function() swaps:updateRecord(1, { left = sql.col("right"), right = sql.col("left") + 0 }) end,
      function()
        swaps:where("id", 1):update { left = sql.col("form_swaps.right"), right = sql.col("form_swaps.left") }
      end,
      function()
        local taken = { left = sql.col("right"), right = sql.func("abs", sql.col("left")) }
        ds:query("form_swaps"):where("id", 1):update(taken)
      end,
    } do
      local ok, err = pcall(write)
      if ds:getDbType() == "mysql" or ds:getDbType() == "mariadb" then -- they assign one after the other
        assert.is_false(ok)
        assert.same({ "UNSUPPORTED", ds:getDbType() }, { err.code, err.dialect })
      else
        assert.is_true(ok, tostring(err))
        left, right = right, left
      end
      local row = swaps:findOne()
      assert.same({ left, right }, { row.left, row.right })
    end
    swaps:where("id", 1):update { left = sql.col("left") + 1, right = sql.col("right") * 2 }
    local row = swaps:findOne()
    assert.same({ left + 1, right * 2 }, { row.left, row.right })
    ds:dropTables { Swap }
  end)
  it("a subquery may read the table that is changed", function()
    assert.equal(1, writers:where("rank", writers:query():selectFunc("max", "rank", "top")):update { rank = 0 })
    assert.same({ 10, 20, 30, 0 }, ranks())
    assert.equal(2, writers:query():whereIn("id", writers:query():select("id"):orderBy("id"):limit(2)):delete())
    assert.same({ 30, 0 }, ranks())
  end)

  describe("returning", function()
    it("gives the rows of an update, of a key of several columns too", function()
      local list = books:where("pages", "<", 200):update({ state = "thin" }, { returning = true })
      assert.equal("1/1 1/2 2/2", places(list))
      assert.equal("thin", list[1].state)
      list = books:query():orderBy("pages", "desc"):limit(1):allRows():update({ state = "thick", pages = 1 },
        { returning = { "shelf", "place", "pages" } })
      assert.same({ { shelf = 2, place = 1, pages = 1 } }, { list[1]:toTable() })
      assert.equal(1, #list)
      assert.equal("thin thin thick thin", states())
      assert.same({}, books:where("pages", 12345):update({ state = "x" }, { returning = true }))
    end)

    it("gives the rows of a delete, with a join too", function()
      local list = books:query():join(Writer, "id", "writer"):where("form_writers.name", "a"):delete {
        returning = true }
      assert.equal("1/1 1/2", places(list))
      list = books:where("shelf", 2):orderBy("place"):limit(1):delete { returning = { "place", "shelf" } }
      assert.equal("2/1", places(list))
      assert.equal(1, books:count())
    end)

    it("gives the rows of an update with values of a join", function()
      local list = writers:query():join(Book, "writer"):where("form_books.shelf", 2):update(
        { rank = sql.col("form_books.pages") }, { returning = true })
      assert.equal(1, #list)
      assert.same({ 2, 300, 2 }, { list[1].id, list[1].rank, list[1].version })
    end)

    it("is a count when nothing or false is said", function()
      assert.equal(1, writers:where("id", 1):update({ rank = 1 }, { returning = false }))
      assert.equal(1, ds:query("form_writers"):where("id", 1):delete())
    end)

    it("needs a key where the database gives no rows", function()
      local function change()
        return looses:where("rank", 1):update({ name = "z" }, { returning = true })
      end
      if ds:can("RETURNING_UPDATE") then
        assert.equal("z", change()[1].name)
      else
        local err = error_of(change)
        assert.equal("UNSUPPORTED", err.code)
        assert.equal(database, err.dialect)
        assert.equal("UPDATE ... RETURNING", err.feature)
        assert.equal("x", looses:query():orderBy("rank"):first().name)
        assert.equal("UNSUPPORTED", error_of(function()
          writers:where("id", 1):update({ id = 77 }, { returning = true })
        end).code)
        assert.equal(0, writers:where("id", 77):count())
      end
    end)

    it("gives thousands of rows", function()
      local rows = {}
      for index = 1, 2500 do
        rows[index] = { shelf = 100 + index % 10, place = index, pages = index }
      end
      books:insertMany(rows, { returning = false })
      assert.equal(2500, #books:where("shelf", ">=", 100):update({ state = "many" }, { returning = true }))
      assert.equal(2500, #books:where("shelf", ">=", 100):delete { returning = true })
      assert.equal(4, books:count())
    end)
  end)
end)
