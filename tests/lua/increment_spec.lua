-- increment and decrement: several columns at once, exact amounts, what does not fit, and hooks.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  local Purse = model "IncrementPurse" {
    hysteria.guarded { "secretCount" },
    id = column.increment(), owner = column.string { length = 20 },
    cents = column.bigInteger { databaseName = "in_cents" }, stock = column.integer { unsigned = true },
    total = column.decimal { precision = 30, scale = 2 }, small = column.decimal { precision = 10, scale = 2 },
    weight = column.double(), secretCount = column.integer(), updatedAt = column.datetime { autoUpdate = true },
    version = column.version { databaseName = "lock_version" },
  }
  local purses = Purse:using(ds)

  local function one(id)
    return purses:where("id", id or 1)
  end

  before_each(function()
    ds:dropTables({ Purse }, { ifExists = true })
    ds:createTables { Purse }
    purses:insertMany({ { owner = "a", cents = 10, stock = 5, total = "12345678901234567890.25", small = "0.10",
      weight = 0.5 }, { owner = "b", cents = 20 } }, { returning = false })
  end)

  it("do not turn round at the lowest whole number", function()
    one():update { cents = -5 }
    assert.equal("DATA_INVALID", error_of(function() one():increment("cents", math.mininteger) end).code)
    assert.equal("DATA_INVALID", error_of(function() one():decrement("cents", math.mininteger) end).code)
    one():update { cents = 5 }
    assert.equal(1, one():increment("cents", math.mininteger))
    assert.equal(math.mininteger + 5, purses:findOneByPrimaryKey(1).cents)
  end)

  it("change several columns by one statement", function()
    local seen = databases.watch(ds)
    assert.equal(1, one():increment { cents = 5, stock = 2, total = sql.decimal("0.01"), weight = 0.25 })
    assert.equal(1, #seen.stop())
    local row = purses:findOneByPrimaryKey(1)
    assert.same({ 15, 7, "12345678901234567890.26", 0.75, 2 },
      { row.cents, row.stock, tostring(row.total), row.weight, row.version })
    assert.equal(1, one():decrement({ in_cents = 5, stock = 7 }, { returning = false }))
    row = purses:findOneByPrimaryKey(1)
    assert.same({ 10, 0, 3 }, { row.cents, row.stock, row.version })
    assert.equal("-4", tostring(one():increment({ cents = -14 }, { returning = true })[1].cents))
  end)

  it("are exact in decimals", function()
    for _ = 1, 10 do
      one():increment("small", sql.decimal("0.10"))
    end
    assert.equal("1.10", tostring(purses:findOneByPrimaryKey(1).small))
    one():decrement("total", sql.decimal("12345678901234567890.25"))
    assert.equal("0.00", tostring(purses:findOneByPrimaryKey(1).total))
    one():increment("total", 3)
    assert.equal("3.00", tostring(purses:findOneByPrimaryKey(1).total))
    assert.equal(1, ds:query("increment_purses"):where("id", 1):increment("total",
      sql.decimal("99999999999999999999.99")))
    assert.equal("100000000000000000002.99", tostring(purses:findOneByPrimaryKey(1).total))
  end)

  it("leave NULL as it is", function()
    assert.equal(1, one(2):increment { stock = 1, total = sql.decimal("1.00"), weight = 1 })
    local row = purses:findOneByPrimaryKey(2)
    assert.same({}, { row.stock, row.total, row.weight })
  end)

  it("refuse what does not fit, and change nothing", function()
    local before = purses:findOneByPrimaryKey(1)
    for _, step in ipairs { { "cents", 1.5 }, { "small", 0.1 }, { "small", sql.decimal("0.105") },
      { "cents", sql.decimal("0.5") } } do
      assert.equal("DATA_INVALID", error_of(function() one():increment(step[1], step[2]) end).code)
      assert.equal("DATA_INVALID", error_of(function() one():increment { [step[1]] = step[2], weight = 1 } end).code)
    end
    local wrong = {
      NIL_VALUE = function() one():increment("cents", nil) end,
      INVALID_ARGUMENT = function() one():increment("cents", "5") end,
      UNDEFINED_COLUMN = function() one():increment { cent = 5 } end,
      GUARDED_COLUMN = function() one():increment { cents = 1, secretCount = 1 } end,
      MISSING_WHERE = function() purses:query():increment { cents = 1 } end,
      UNKNOWN_OPTION = function() one():increment({ cents = 1 }, { timout = 5 }) end,
    }
    for code, fn in next, wrong do
      assert.equal(code, error_of(fn).code)
    end
    for _, fn in ipairs { function() one():increment {} end, function() one():increment { version = 1 } end,
      function() one():increment { cents = 1, in_cents = 2 } end, function() one():increment { [1] = 2 } end } do
      assert.equal("INVALID_ARGUMENT", error_of(fn).code)
    end
    for _, name in ipairs { "increment_purses.stock", "a.b", ".", "stock." } do
      local plain = ds:query("increment_purses"):where("id", 1)
      assert.equal("INVALID_ARGUMENT", error_of(plain.increment, plain, name).code)
      assert.equal("INVALID_ARGUMENT", error_of(plain.decrement, plain, { [name] = 1 }).code)
    end
    assert.same(before:toTable(), purses:findOneByPrimaryKey(1):toTable())
  end)

  it("count numbers and nothing else", function()
    local Dated = model "IncrementDated" {
      hysteria.softDelete(),
      id = column.increment(), n = column.integer(), at = column.datetime(), text = column.string(),
      flag = column.boolean(), settings = column.json(), kind = column.enum { "1", "2" },
      touched = column.integer { autoUpdate = function() return 7 end, default = 0 },
      seen = column.integer { autoUpdate = function() return 9 end, default = 0 },
    }
    ds:dropTables({ Dated }, { ifExists = true })
    ds:createTables { Dated }
    local dated = Dated:using(ds)
    dated:insert {
      n = 1, at = "2026-01-02 03:04:05", text = "5", flag = true, settings = { 1 }, kind = "1", touched = 1,
    }
    for _, name in ipairs { "at", "deletedAt", "text", "flag", "settings", "kind" } do
      local err = error_of(function() dated:where("id", 1):increment(name) end)
      assert.equal("INVALID_ARGUMENT", err.code)
      assert.matches("is no number", err.message)
    end
    assert.equal(1, dated:where("id", 1):increment("touched", 5)) -- what is counted is not set as well
    local row = dated:findOne()
    assert.same({ "2026-01-02 03:04:05", 6, 9 }, { row.at, row.touched, row.seen })
    ds:dropTables { Dated }
  end)

  it("do not run over the end of 64 bits", function()
    one():update { cents = math.maxinteger }
    assert.equal("DATA_INVALID", error_of(function() one():increment("cents") end).code)
    assert.equal(math.maxinteger, purses:findOneByPrimaryKey(1).cents)
    one():update { cents = math.mininteger }
    assert.equal("DATA_INVALID", error_of(function() one():decrement("cents", 1) end).code)
    assert.equal(math.mininteger, purses:findOneByPrimaryKey(1).cents)
  end)

  it("choose rows by order and limit, and give them when asked", function()
    local list = purses:query():orderBy("cents", "desc"):limit(1):allRows():increment({ cents = 1 },
      { returning = { "owner", "cents" } })
    assert.same({ { owner = "b", cents = 21 } }, { list[1]:toTable() })
  end)

  it("run the hooks of an update once, which may add changes", function()
    local calls = {}
    local Hooked = model "IncrementHooked" {
      hysteria.validate(function(_, ctx) return ctx.amounts and ctx.amounts.n == 13 and { n = "unlucky" } or nil end),
      hysteria.beforeUpdate(function(changes, ctx)
        calls[#calls + 1] = { ctx.operation, ctx.amounts, ctx.column, ctx.amount }
        changes.note = "stepped"
      end),
      id = column.increment(), n = column.integer(), m = column.integer(), note = column.string(),
    }
    ds:dropTables({ Hooked }, { ifExists = true })
    ds:createTables { Hooked }
    local hooked = Hooked:using(ds)
    hooked:insert { n = 1, m = 1 }
    assert.equal(1, hooked:where("id", 1):increment { n = 1, m = 2 })
    assert.equal(1, hooked:where("id", 1):decrement("n", 5))
    assert.same({ { "increment", { n = 1, m = 2 } }, { "increment", { n = -5 }, "n", -5 } }, calls)
    assert.same({ id = 1, n = -3, m = 3, note = "stepped" }, hooked:findOne():toTable())
    assert.equal("VALIDATION_ERROR", error_of(function() hooked:where("id", 1):increment("n", 13) end).code)
    assert.equal(1, hooked:where("id", 1):increment("n", 13, { ignoreHooks = true }))
    assert.equal(2, #calls)
  end)
end)

databases.each(function(ds)
  local Till = model "IncrementTill" {
    id = column.increment(), total = column.decimal { precision = 30, scale = 2 }, n = column.integer(),
  }

  it("lose nothing where many come at once", function()
    ds:dropTables({ Till }, { ifExists = true })
    ds:createTables { Till }
    local tills, tasks = Till:using(ds), {}
    tills:insert { total = "10000000000000000000.00", n = 0 }
    for index = 1, 40 do
      tasks[index] = function()
        tills:where("id", 1):increment { total = sql.decimal("0.01"), n = 1 }
      end
    end
    async.run(function()
      async.all(tasks)
    end)
    local row = tills:findOne()
    assert.same({ "10000000000000000000.40", 40 }, { tostring(row.total), row.n })
  end)
end, { shared = true, pool = { max = 8 } })
