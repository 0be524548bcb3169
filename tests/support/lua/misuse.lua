-- The small world of the misuse specs: a source with two tables, an object of every kind, and what a call that
-- should not be done may end in.
local hysteria = require("hysteria")
local busted = require("busted")
local core = require("hysteria.core")
local hostile = require("tests.support.lua.hostile")
local luassert = require("luassert")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column

local misuse = { TRANSACTION = { "commit", "rollback", "afterCommit", "savepoint", "nestedTransaction", "close" } }

local function define()
  local Person = model "MisusePerson" {
    hysteria.tableName("people"),
    hysteria.softDelete(),
    hysteria.scope("adults", function(query, least)
      query:where("age", ">=", least or 18)
    end),
    id = column.increment(),
    name = column.string(),
    age = column.integer(),
    tree = column.json(),
    price = column.decimal { precision = 20, scale = 2 },
    posts = hysteria.hasMany("MisusePost", { foreignKey = "personId" }),
  }
  local Post = model "MisusePost" {
    hysteria.tableName("posts"),
    id = column.increment(),
    personId = column.integer(),
    title = column.string(),
    person = hysteria.belongsTo("MisusePerson", { foreignKey = "personId" }),
  }
  return Person, Post
end

-- fn(...) raises a clean error (or does well, if it may).
function misuse.expect_error(label, fn, ...)
  local ok, err = pcall(fn, ...)
  luassert.is_false(ok, label .. " went through")
  luassert.is_true(hostile.is_clean(err), label .. ": " .. hostile.show(err))
  return err
end

function misuse.expect_no_accident(label, fn, ...)
  local ok, err = pcall(fn, ...)
  luassert.is_true(ok or hostile.is_clean(err), label .. ": " .. hostile.show(err))
  return ok, err
end

function misuse.expect_code(code, fn, ...)
  local ok, err = pcall(fn, ...)
  luassert.is_false(ok, "nothing was raised")
  luassert.is_true(hysteria.isError(err), hostile.show(err))
  luassert.equal(code, err.code, hostile.show(err))
  return err
end

-- Public names of a table of functions, sorted.
function misuse.names_of(functions)
  local names = {}
  for name, fn in next, functions do
    if type(name) == "string" and type(fn) == "function" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

local POOL = { "stats", "size" }
local DECIMAL = { "div", "round", "toNumber", "scale" }

-- Kind -> its methods by name, and how to get an object.
function misuse.kinds(w)
  local trx = w.ds:startTransaction()
  local list = {
    source = { methods = require("hysteria.source").verbs, object = w.ds },
    query = { methods = core.queryMethods, object = w.Person:query() },
    class = { methods = require("hysteria.model").statics, object = w.Person },
    record = { methods = require("hysteria.model").records, object = w.record },
    transaction = { names = misuse.TRANSACTION, object = trx },
    pool = { names = POOL, object = w.ds:getPool() },
    decimal = { names = DECIMAL, object = sql.decimal("1.5") },
  }
  for _, kind in next, list do
    kind.names = kind.names or misuse.names_of(kind.methods)
    if not kind.methods then
      kind.methods = {}
      for _, name in ipairs(kind.names) do
        kind.methods[name] = kind.object[name]
      end
    end
  end
  return list, trx
end

-- Objects of the core, which scripts can reach by require.
function misuse.core_kinds(w)
  local handle = w.ds._core
  local trx = core.begin(handle, {})
  local frozen = w.Person:query():_model()
  local list = {}
  for name, object in next, { source = handle, transaction = trx, model = frozen } do
    local methods = debug.getmetatable(object).__index
    list["core " .. name] = { methods = methods, names = misuse.names_of(methods), object = object }
  end
  return list, trx
end

-- class:hook(name, fn) in this file, whose models are made anew for each world: a hook of another would stay.
function misuse.hook(class, name, fn)
  class:hook(name, fn)
end

-- Functions that open a source, and one with a world in it: { ds, Person, Post, record }. Declares what each spec
-- ends with.
function misuse.worlds(database, config)
  local function open()
    return sql.connectToSecondarySource(config {
      pool = { max = 4, acquireTimeout = database == "sqlite" and 100 or 2000 }, statementTimeout = 10000,
    })
  end

  local function world()
    collectgarbage() -- a transaction that was dropped may still hold a table
    local Person, Post = define()
    local ds = open()
    ds:dropTables({ Person, Post }, { ifExists = true })
    ds:createTables { Person, Post }
    local w = { ds = ds, Person = Person:using(ds), Post = Post:using(ds) }
    w.Person:insertMany { { name = "ada", age = 36, price = "1.50" }, { name = "bob", age = 9 } }
    w.Post:insert { personId = 1, title = "one" }
    w.record = w.Person:query():orderBy("id"):first()
    return w
  end

  busted.before_each(function()
    hostile.touched = 0
  end)

  busted.after_each(function()
    luassert.equal(0, hostile.touched, "a metamethod of an argument ran")
    collectgarbage()
  end)
  return open, world
end

return misuse
