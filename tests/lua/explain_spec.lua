-- Plans of the databases' own, and how long verbs take.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

-- What the plan says of a row found by its key.
local BY_KEY = { sqlite = "PRIMARY KEY", postgres = "pk_explain_rows", mysql = "PRIMARY", mariadb = "PRIMARY" }
-- What only a plan says that was carried out.
local CARRIED_OUT = { postgres = "actual time", mysql = "actual time", mariadb = "r_rows=2" }

databases.each(function(ds, database)
  local Row = model "ExplainRow" { id = column.increment(), n = column.integer(), name = column.string() }
  local rows = Row:using(ds)

  setup(function()
    ds:dropTables({ Row }, { ifExists = true })
    ds:createTables { Row }
    local list = {}
    for n = 1, 3000 do
      list[n] = { n = n, name = "name " .. n }
    end
    rows:insertMany(list, { returning = false })
    if database == "postgres" then
      ds:rawQuery("ANALYZE explain_rows")
    end
  end)

  it("explain tells how rows are found, values bound", function()
    local plan = rows:query():where("id", "<", 3):explain()
    assert.is_truthy(plan.text:find(BY_KEY[database], 1, true), plan.text)
    assert.is_true(#plan.rows > 0)
    assert.equal(plan.text, tostring(plan))
    local other = rows:query():where("name", "' OR 1=1 --"):explain()
    assert.is_falsy(other.text:find(BY_KEY[database], 1, true), other.text)
  end)

  it("explain reads nothing of the model and leaves the builder as it is", function()
    local q = rows:query():where("n", 7)
    q:explain()
    assert.equal(7, q:one().n)
    assert.equal(1, ds:query("explain_rows"):where("n", 7):count())
    assert.is_true(#ds:query("explain_rows"):where("n", 7):explain().text > 0)
  end)

  it("analyze carries it out, or says that it cannot", function()
    local q = rows:query():where("id", "<", 3)
    if not CARRIED_OUT[database] then
      local failure = error_of(function() q:explain { analyze = true } end)
      assert.equal("UNSUPPORTED", failure.code)
      return
    end
    local plan = q:explain { analyze = true }
    assert.is_truthy(plan.text:find(CARRIED_OUT[database], 1, true), plan.text)
    assert.is_falsy(q:explain().text:find(CARRIED_OUT[database], 1, true))
  end)

  it("explain refuses options that do not exist", function()
    assert.equal("UNKNOWN_OPTION", error_of(function() rows:query():explain { analyse = true } end).code)
  end)

  it("performance gives what the verb gives, and its time", function()
    local q = rows:query():where("n", "<=", 3):orderBy("n")
    local many = q:performance():many()
    assert.equal(3, #many.data)
    assert.is_true(many.time > 0 and many.time < 60000)
    local one = q:performance("seconds"):one()
    assert.equal(1, one.data.n)
    assert.is_true(one.time > 0 and one.time < 60)
    assert.equal(2, #q:performance():paginate(1, 2).data.data)
    assert.equal(1, rows:query():where("id", 1):performance():update({ n = 1 }).data)
    assert.equal("ROW_NOT_FOUND",
      error_of(function() rows:query():where("n", -1):performance():oneOrFail() end).code)
    assert.equal("INVALID_ARGUMENT", error_of(function() q:performance("hours") end).code)
    assert.equal("INVALID_ARGUMENT", error_of(function() q:performance():mnay() end).code)
  end)

  it("pluck reads one column, of a union and by an alias too", function()
    local q = rows:query():select("n", "name"):where("n", "<=", 2):orderBy("n")
    local seen = databases.watch(ds)
    assert.same({ "name 1", "name 2" }, q:pluck("name"))
    assert.is_falsy(seen.stop()[1].sql:find("[\"`]n[\"`],"))
    local union = rows:query():select("n", "name"):where("n", 1):union(rows:query():select("n", "name"):where("n", 2))
    local found = union:pluck("name")
    table.sort(found)
    assert.same({ "name 1", "name 2" }, found)
    local top = rows:query():selectFunc("max", "n", "top"):where("n", "<", 9)
    assert.same({ 8 }, top:pluck("top"))
    assert.equal("UNDEFINED_COLUMN", error_of(function() union:pluck("nmae") end).code)
    assert.equal("UNDEFINED_COLUMN", error_of(function() rows:query():pluck("nmae") end).code)
    rows:insert { n = 9999 }
    assert.same({ sql.null }, rows:query():where("n", 9999):pluck("name"))
    rows:query():where("n", 9999):delete()
  end)

  it("aggregates count what the query gives", function()
    local few = function() return rows:query():where("n", "<=", 6) end
    assert.equal(2, few():select("n"):limit(2):count())
    assert.equal(2, few():orderBy("n"):offset(4):count())
    assert.equal(0, few():limit(0):count())
    assert.equal(11, tonumber(tostring(few():orderBy("n", "desc"):limit(2):getSum("n"))))
    local union = few():select("n"):unionAll(few():select("n"))
    assert.equal(12, union:count())
    assert.equal(42, tonumber(tostring(union:getSum("n"))))
    assert.is_nil(few():where("n", "<", 0):getSum("n"))
    assert.is_nil(few():where("n", "<", 0):getMax("n"))
    assert.equal(6, few():selectRaw("n % 2 AS odd"):groupByRaw("n % 2, n"):count())
  end)
end)
