-- Queries that are prepared once and run again with other values.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database, config)
  local Row = model "PreparedRow" {
    hysteria.softDelete("deletedAt"),
    id = column.increment(), n = column.integer(), name = column.string(), price = column.decimal { scale = 2 },
    madeAt = column.datetime(), isOn = column.boolean(), data = column.json(),
    notes = hysteria.hasMany("PreparedNote", { foreignKey = "rowId" }),
  }
  local Note = model "PreparedNote" { id = column.increment(), rowId = column.integer() }
  local rows = Row:using(ds)

  setup(function()
    ds:dropTables({ Row, Note }, { ifExists = true })
    ds:createTables { Row, Note }
    local list = {}
    for n = 1, 20 do
      list[n] = {
        n = n, name = "name " .. n, price = sql.decimal(n .. ".50"), madeAt = ("2024-01-%02d 10:00:00"):format(n),
        isOn = n % 2 == 0, data = { n = n },
      }
    end
    rows:insertMany(list)
    Note:using(ds):insertMany { { rowId = 3 }, { rowId = 3 } }
  end)

  local function numbers(list)
    local found = {}
    for index, row in ipairs(list) do
      found[index] = row.n
    end
    return found
  end

  it("runs again with new values", function()
    local above = rows:query():where("n", ">", sql.param("least")):where("n", "<=", 18):orderBy("n"):prepare()
    assert.same({ 17, 18 }, numbers(above:many { least = 16 }))
    assert.same({ 18 }, numbers(above:many { least = 17 }))
    assert.same({}, numbers(above:many { least = 18 }))
    assert.equal(1, above:one({ least = 0 }).n)
    assert.equal(18, above:count { least = 0 })
    assert.equal(5, above:first({ least = 4 }).n)
    assert.same({ "least" }, above:parameters())
  end)

  it("gives the same records as the query with the values in it", function()
    local prepared = rows:query():where { n = sql.param("n") }:prepare()
    assert.same(rows:query():where("n", 7):many(), prepared:many { n = 7 })
    assert.is_true(prepared:one({ n = 7 }):has("price"))
  end)

  it("reads values as the columns that they are compared with", function()
    local cases = {
      { "price", sql.decimal("4.50"), 4 }, { "price", "4.5", 4 }, { "isOn", true, 10 }, { "isOn", false, 10 },
      { "madeAt", "2024-01-05T11:00:00+01:00", 5 }, { "name", "name 6", 6 }, { "name", "' OR 1=1 --", nil },
      { "madeAt", { year = 2024, month = 1, day = 5, hour = 10 }, 5 },
    }
    for _, case in ipairs(cases) do
      local prepared = rows:query():where(case[1], sql.param("value")):orderBy("n"):prepare()
      local plain = rows:query():where(case[1], case[2]):orderBy("n"):many()
      assert.same(plain, prepared:many { value = case[2] }, case[1])
      if case[1] ~= "isOn" then
        assert.equal(case[3], plain[1] and plain[1].n)
      end
    end
  end)

  it("takes a value that does not fit the column as the query would", function()
    local prepared = rows:query():where("n", ">", sql.param("n")):prepare()
    assert.equal(2, prepared:count { n = 18 })
    assert.equal(2, prepared:count { n = 18.5 })
    assert.equal(1, prepared:count { n = 19 })
  end)

  it("takes parameters wherever a value may stand", function()
    local cases = {
      { function(q) q:whereBetween("n", sql.param("a"), sql.param("b")) end, { a = 3, b = 5 }, { 3, 4, 5 } },
      { function(q) q:whereIn("n", { sql.param("a"), sql.param("b"), 9 }) end, { a = 3, b = 5 }, { 3, 5, 9 } },
      { function(q) q:whereLike("name", sql.param("a")) end, { a = "name 2%" }, { 2, 20 } },
      { function(q) q:whereRaw("n + ? = 5", { sql.param("a") }) end, { a = 1 }, { 4 } },
      { function(q) q:where { n = sql.op.gte(sql.param("a")), name = sql.param("b") } end,
        { a = 3, b = "name 7" }, { 7 } },
      { function(q)
        q:where(function(g) g:where("n", sql.param("a")):orWhere("n", sql.param("b")) end)
          :where("n", "<", sql.param("a"))
      end, { a = 8, b = 2 }, { 2 } },
      { function(q)
        q:whereIn("id", rows:query():select("id"):where("n", sql.param("a")))
      end, { a = 11 }, { 11 } },
    }
    for index, case in ipairs(cases) do
      local q = rows:query():orderBy("n")
      case[1](q)
      local prepared = q:prepare()
      assert.same(case[3], numbers(prepared:many(case[2])), "case " .. index)
      assert.same(case[3], numbers(prepared:many(case[2])), "case " .. index)
    end
  end)

  it("refuses values that are missing, unknown or none", function()
    local prepared = rows:query():where("n", sql.param("n")):where("name", sql.param("name")):prepare()
    local cases = {
      { "NIL_VALUE", {} }, { "NIL_VALUE", { n = 1 } }, { "NIL_VALUE", nil },
      { "UNKNOWN_OPTION", { n = 1, name = "a", other = 2 } }, { "UNKNOWN_OPTION", { n = 1, nmae = "a" } },
      { "INVALID_ARGUMENT", { n = 1, name = sql.null } }, { "INVALID_ARGUMENT", { n = 1, name = sql.col("n") } },
      { "INVALID_ARGUMENT", { n = { 1 }, name = "a" } }, { "INVALID_ARGUMENT", { n = print, name = "a" } },
      { "INVALID_ARGUMENT", setmetatable({ n = 1, name = "a" }, {}) },
    }
    for index, case in ipairs(cases) do
      assert.equal(case[1], error_of(function() prepared:many(case[2]) end).code, "case " .. index)
    end
    local dated = rows:query():where("madeAt", sql.param("at")):prepare()
    assert.is_true(hysteria.isError(error_of(function() dated:many { at = { year = 2024, month = 13, day = 1 } } end)))
    assert.equal(0, ds:getPool():stats().leased)
    assert.same({ 1 }, numbers(prepared:many { n = 1, name = "name 1" }))
  end)

  it("refuses parameters in queries that are not prepared, and in lists and writes", function()
    assert.equal("INVALID_ARGUMENT",
      error_of(function() rows:query():where("n", sql.param("n")):many() end).code)
    assert.equal("INVALID_ARGUMENT",
      error_of(function() rows:query():where("n", sql.param("n")):update { name = "x" } end).code)
    assert.equal("INVALID_ARGUMENT", error_of(function() rows:query():whereIn("n", sql.param("list")):many() end).code)
    assert.is_true(hysteria.isError(error_of(function() rows:insert { n = sql.param("n") } end)))
    assert.equal(20, rows:query():count())
  end)

  it("keeps soft delete, loads and afterFetch, and refuses what must be asked anew", function()
    ds:transaction(function(trx)
      local prepared = rows:query():where("n", "<=", sql.param("n")):orderBy("n"):load("notes"):prepare()
      assert.equal(2, #prepared:many({ n = 5 })[3].notes)
      rows:query():where("n", 2):softDelete()
      assert.same({ 1, 3, 4, 5 }, numbers(prepared:many { n = 5 }))
      trx:rollback()
    end)
    local Hooked = model("PreparedHooked" .. database) {
      hysteria.tableName("prepared_rows"), id = column.increment(), n = column.integer(),
    }
    local seen = 0
    Hooked:hook("afterFetch", function(list) seen = seen + #list end)
    local prepared = Hooked:using(ds):query():where("n", "<", sql.param("n")):prepare()
    prepared:many { n = 3 }
    prepared:one { n = 9 }
    assert.equal(3, seen)
    Hooked:hook("beforeFetch", function(q) q:where("n", 1) end)
    assert.equal("INVALID_ARGUMENT", error_of(function() Hooked:using(ds):query():prepare() end).code)
    local free = Hooked:using(ds):query():where("n", "<", sql.param("n")):prepare { ignoreHooks = true }
    assert.equal(2, #free:many { n = 3 })
  end)

  it("raises for a row that is missing", function()
    local prepared = rows:query():where("n", sql.param("n")):prepare()
    assert.equal("ROW_NOT_FOUND", error_of(function() prepared:oneOrFail { n = 99 } end).code)
    assert.equal("mine", error_of(function() prepared:firstOrFail({ n = 99 }, { customError = "mine" }) end))
    assert.equal(5, prepared:oneOrFail({ n = 5 }).n)
  end)

  it("stays as it was when the builder changes", function()
    local q = rows:query():where("n", ">", sql.param("n"))
    local prepared = q:prepare()
    q:where("n", 1)
    assert.equal(20, prepared:count { n = 0 })
  end)

  it("serves many tasks at once, each with its own values", function()
    local shared = sql.connectToSecondarySource(config { pool = { max = 2 } })
    local prepared = Row:using(shared):query():where("n", sql.param("n")):prepare()
    local wrong = 0
    async.run(function()
      local list = {}
      for task = 1, 20 do
        list[task] = function()
          for turn = 1, 10 do
            local n = (task * 7 + turn) % 20 + 1
            wrong = wrong + (prepared:one({ n = n }).n == n and 0 or 1)
          end
        end
      end
      async.all(list)
    end)
    assert.equal(0, wrong)
    shared:close()
  end)

  it("runs in the ambient transaction and on plain tables", function()
    ds:transaction(function(trx)
      local prepared = ds:query("prepared_rows"):where("n", ">", sql.param("n")):prepare()
      rows:insert { n = 100 }
      assert.equal(1, #prepared:many { n = 50 })
      trx:rollback()
      assert.equal(0, #prepared:many({ n = 50 }, { trx = false }))
    end)
  end)

  it("takes limits and offsets", function()
    local q = rows:query():where("n", ">", sql.param("n")):orderBy("n")
      :limit(sql.param("count")):offset(sql.param("from"))
    local page = q:prepare()
    local function found(n, count, from)
      local list = {}
      for index, row in ipairs(page:many { n = n, count = count, from = from }) do
        list[index] = row.n
      end
      return table.concat(list, " ")
    end
    assert.equal("1 2 3", found(0, 3, 0))
    assert.equal("7 8", found(4, 2, 2))
    assert.equal("", found(0, 0, 0))
    assert.equal("20", found(0, 5, 19))
    assert.equal(6, page:one({ n = 4, count = 5, from = 1 }).n)
    assert.equal(5, page:count { n = 3, count = 5, from = 2 })
    assert.same({ "count", "from", "n" }, page:parameters())
    for _, wrong in ipairs { -1, 1.5, "3", sql.null, true } do
      assert.equal("INVALID_ARGUMENT", error_of(function() page:many { n = 1, count = wrong, from = 0 } end).code)
    end
    assert.equal("NIL_VALUE", error_of(function() page:many { n = 1, from = 0 } end).code)
    -- Without prepare() nothing runs, in whatever way.
    for _, verb in ipairs { "many", "one", "count", "exists" } do
      assert.equal("INVALID_ARGUMENT", error_of(q[verb], q).code)
    end
    assert.equal("INVALID_ARGUMENT", error_of(function() q:clone():paginate(1, 5) end).code)
    assert.equal("INVALID_ARGUMENT", error_of(function() for _ in q:clone():chunk(5) do assert(false) end end).code)
    assert.equal(3, #rows:query():limit(sql.param("x")):clearLimit():limit(3):many())
  end)

  it("takes whole lists of numbers", function()
    local among = rows:query():whereIn("n", sql.param("list")):orderBy("n"):prepare()
    local others = rows:query():whereNotIn("n", sql.param("list")):prepare()
    local function found(list)
      return table.concat(numbers(among:many { list = list }), " ")
    end
    assert.equal("3 5", found { 5, 3, 99, 3 })
    assert.equal("", found {})
    assert.equal(20, others:count { list = {} })
    assert.equal(18, others:count { list = { 1, 2 } })
    local many = {}
    for index = 1, 3000 do
      many[index] = index + 10
    end
    assert.equal(10, among:count { list = many })
    assert.equal(2, rows:query():where("n", sql.op.in_(sql.param("list"))):where("id", ">", 0):prepare()
      :count { list = { 7, 8 } })
    for _, wrong in ipairs { { "x" }, { 1, sql.null }, { 1.5 }, 3, "3", { a = 1 }, { sql.rawStatement("1") } } do
      assert.is_string(error_of(function() among:many { list = wrong } end).code)
    end
  end)

  it("takes whole lists of texts where one placeholder can bring them", function()
    local by_name = rows:query():whereIn("name", sql.param("names"))
    if database == "mysql" or database == "mariadb" then
      local err = error_of(function() by_name:prepare():many { names = { "a" } } end)
      assert.equal("UNSUPPORTED", err.code)
      return
    end
    local hostile = { "name 1", "it's", 'a"b', "c,d", "{e}", "NULL", "", "back\\slash", "ü" }
    ds:transaction(function(trx)
      for _, name in ipairs(hostile) do
        if name ~= "name 1" then
          rows:insert { n = 1000, name = name }
        end
      end
      local prepared = by_name:prepare()
      for _, name in ipairs(hostile) do
        local list = prepared:many { names = { name, "no such" } }
        assert.is_true(#list >= 1)
        assert.equal(name, list[1].name)
      end
      assert.equal(#hostile, prepared:count { names = hostile })
      trx:rollback()
    end)
    assert.equal("INVALID_ARGUMENT", error_of(function()
      ds:query("prepared_rows"):whereIn("n", sql.param("list")):prepare()
    end).code)
  end)

  it("sends the same text each time", function()
    local prepared = rows:query():where("n", sql.param("n")):prepare()
    local seen = databases.watch(ds)
    for n = 1, 5 do
      prepared:many { n = n }
    end
    local texts, values = {}, {}
    for index, event in ipairs(seen.stop()) do
      texts[event.sql] = true
      values[index] = event.params[1]
    end
    assert.is_truthy(next(texts))
    assert.is_nil(next(texts, (next(texts))))
    assert.same({ 1, 2, 3, 4, 5 }, values)
  end)
end, { shared = true, pool = { max = 4 } })
