-- What a verb of a query is given and cannot use it refuses: an argument too many, an option that is
-- misspelt, an entry that no list has. Left out in silence, each of them would be another question.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

describe("arguments of queries", function()
  local ds, Thing

  setup(function()
    ds = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    Thing = model "ArgumentThing" {
      id = column.increment(), name = column.string(), n = column.integer(), doc = column.json(),
    }
    ds:createTables { Thing }
    Thing = Thing:using(ds)
  end)

  teardown(function() ds:close() end)

  local function refused(code, words, fn)
    local err = error_of(fn, Thing:query())
    assert.is_true(hysteria.isError(err), tostring(err))
    assert.equal(code, err.code, tostring(err))
    assert.is_truthy(err.message:find(words, 1, true), err.message)
  end

  for label, fn in pairs {
    whereNull = function(q) q:whereNull("n", "name") end,
    orWhereNotNull = function(q) q:orWhereNotNull("n", "name") end,
    whereIn = function(q) q:whereIn("n", { 1 }, { 2 }) end,
    whereLike = function(q) q:whereLike("name", "a%", "b%") end,
    whereBetween = function(q) q:whereBetween("n", 1, 2, 3) end,
    whereExists = function(q) q:whereExists(Thing:query(), Thing:query()) end,
    whereRegexp = function(q) q:whereRegexp("name", "a", { flags = "i" }, "x") end,
    whereRaw = function(q) q:whereRaw("n = ?", { 1 }, { 2 }) end,
    havingNull = function(q) q:havingNull("n", "name") end,
    orderBy = function(q) q:orderBy("n", "asc", { nulls = "first" }, "name") end,
    limit = function(q) q:limit(1, 2) end,
    offset = function(q) q:offset(1, 2) end,
    union = function(q) q:union(Thing:query(), Thing:query()) end,
    with = function(q) q:with("t", Thing:query(), true) end,
    withRecursive = function(q) q:withRecursive("t", Thing:query(), true) end,
    from = function(q) q:from(Thing:query(), "t", "u") end,
    selectFunc = function(q) q:selectFunc("count", "*", "n", "m") end,
    selectJson = function(q) q:selectJson("doc", "a", "b", "c") end,
    selectJsonRaw = function(q) q:selectJsonRaw("doc", "a", "b") end,
    lockForUpdate = function(q) q:lockForUpdate({}, true) end,
    clearWhere = function(q) q:clearWhere("n") end,
  } do
    it("too many for " .. label, function()
      refused("INVALID_ARGUMENT", label .. " takes ", fn)
    end)
  end

  it("let a nil stand behind the last one", function()
    assert.has_no.errors(function()
      Thing:query():whereNull("n", nil):limit(1, nil):orderBy("n", nil, nil, nil):clearLimit(nil)
    end)
  end)

  it("of distinct are none", function()
    refused("INVALID_ARGUMENT", "distinctOn", function(q) q:distinct("n") end)
  end)

  it("of select are a column and an alias where they are a table", function()
    refused("INVALID_ARGUMENT", "{ column, alias }", function(q) q:select { "id", "name", "n" } end)
    refused("INVALID_ARGUMENT", "select", function(q) q:select { "id", "name", as = "x" } end)
  end)

  it("are options that exist", function()
    refused("UNKNOWN_OPTION", "orderBy has no option `null`; there is: nulls",
      function(q) q:orderBy("n", "asc", { null = "first" }) end)
    refused("UNKNOWN_OPTION", "flags", function(q) q:whereRegexp("name", "a", { flag = "i" }) end)
    refused("UNKNOWN_OPTION", "skipLocked, noWait", function(q) q:lockForUpdate { skiplocked = true } end)
    refused("UNKNOWN_OPTION", "forShare", function(q) q:forShare { nowait = true } end)
    refused("UNKNOWN_OPTION", "by position", function(q) q:orderBy("n", "asc", { "first" }) end)
    refused("UNKNOWN_OPTION", "partitionBy",
      function(q) q:selectWindow("rank", { partition = "n", orderBy = "id" }, "r") end)
  end)

  it("are true or false where they are that", function()
    refused("INVALID_ARGUMENT", "skipLocked", function(q) q:lockForUpdate { skipLocked = "no" } end)
  end)

  it("of raw text are a list", function()
    refused("INVALID_ARGUMENT", "whereRaw", function(q) q:whereRaw("n = ?", { 1, x = 2 }) end)
    refused("INVALID_ARGUMENT", "metatable",
      function(q) q:whereRaw("n = ?", setmetatable({ 1 }, { __index = {} })) end)
    refused("INVALID_ARGUMENT", "selectRaw", function(q) q:selectRaw("? as a", { 1, x = 2 }) end)
    refused("NIL_VALUE", "orderByRaw", function(q) q:orderByRaw("? + ?", { 1, nil, 3 }) end)
  end)
end)
