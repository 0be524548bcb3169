-- The roads for databases without RETURNING, taken by denying the feature. PostgreSQL is none of
-- them: without RETURNING it does not tell what key it made.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql

databases.each(function(ds, database)
  if database == "postgres" then
    return
  end
  local Thing = model "ReturnThing" {
    id = column.increment(), name = column.string { unique = true }, state = column.string { default = "new" },
  }
  local Keyed = model "ReturnKeyed" { id = column.uuid { primaryKey = true }, n = column.integer() }
  local Log = model "ReturnLog" { line = column.string() }
  local things, keyed = Thing:using(ds), Keyed:using(ds)
  local methods = debug.getmetatable(ds._core).__index
  local can = methods.can

  before_each(function()
    ds:dropTables({ Thing, Keyed, Log }, { ifExists = true })
    ds:createTables { Thing, Keyed, Log }
    methods.can = function(handle, feature)
      return not feature:find("^RETURNING") and can(handle, feature)
    end
  end)

  after_each(function()
    methods.can = can
  end)

  local function no_returning(seen)
    for _, event in ipairs(seen.stop()) do
      assert.is_nil(event.sql:find("RETURNING", 1, true), event.sql)
    end
  end

  it("insert reads the row back", function()
    local seen = databases.watch(ds)
    local row = things:insert { name = "a" }
    assert.same({ id = 1, name = "a", state = "new" }, row:toTable())
    assert.same({ name = "b" }, things:insert({ id = 7, name = "b" }, { returning = { "name" } }):toTable())
    assert.equal(36, #keyed:insert({ n = 1 }).id)
    assert.same({ line = "x" }, Log:using(ds):insert { line = "x" })
    no_returning(seen)
  end)

  it("insertMany gives the rows in order", function()
    local seen = databases.watch(ds)
    local list = things:insertMany { { name = "c" }, { id = 40, name = "a" }, { name = "b" } }
    assert.same({ "c", "a", "b" }, { list[1].name, list[2].name, list[3].name })
    assert.equal(40, list[2].id)
    assert.equal("new", list[3].state)
    no_returning(seen)
  end)

  it("updates and deletes give the rows they touched", function()
    things:insertMany({ { name = "a" }, { name = "b" } }, { returning = false })
    local seen = databases.watch(ds)
    local list = things:where("name", "a"):update({ name = "z", state = "x" }, { returning = true })
    assert.same({ { id = 1, name = "z", state = "x" } }, { list[1]:toTable() })
    local locks = 0
    for _, event in ipairs(seen) do
      locks = locks + (event.sql:find("FOR UPDATE", 1, true) and 1 or 0)
    end
    assert.equal(ds:can("LOCK") and 2 or 0, locks) -- their keys, then the rows as they are now
    local gone = things:where("state", "x"):delete { returning = { "name" } }
    assert.equal("z", gone[1].name)
    assert.equal(1, things:count())
    no_returning(seen)
  end)

  it("gives the rows of a query that selects other columns", function()
    things:insertMany({ { name = "a" }, { name = "b" } }, { returning = false })
    local list = things:query():select("name"):where("name", "b"):update({ state = "x" }, { returning = true })
    assert.same({ { id = 2, name = "b", state = "x" } }, { list[1]:toTable() })
  end)

  it("lets nobody come between a write by key and reading it again", function()
    local row = things:insert { name = "a" }
    local seen = databases.watch(ds)
    row:update { state = "x" }
    local words = {}
    for _, event in ipairs(seen.stop()) do
      words[#words + 1] = event.sql:match("^%u+")
    end
    assert.matches("UPDATE SELECT COMMIT$", table.concat(words, " "))
    seen = databases.watch(ds)
    ds:transaction(function()
      row:update { state = "y" } -- in a transaction no other is needed, nor a savepoint
    end)
    local text = ""
    for _, event in ipairs(seen.stop()) do
      text = text .. event.sql:match("^%u+") .. " "
    end
    assert.matches("^%u+ UPDATE SELECT COMMIT $", (text:gsub("^SET ", "")))
  end)

  it("a record takes what was stored", function()
    local row = things:insert { name = "a" }
    row:update { name = sql.rawStatement("upper(name)") }
    assert.equal("A", row.name)
    row:delete()
    assert.equal("ROW_NOT_FOUND", databases.error_of(row.update, row, { name = "b" }).code)
  end)
end)
