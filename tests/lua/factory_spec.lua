-- sql.createModelFactory: rows for tests and demos.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

local inserted = 0
local User = model "FactoryUser" {
  hysteria.beforeInsert(function()
    inserted = inserted + 1
  end),
  id = column.increment(), name = column.string { nullable = false }, email = column.string { unique = true },
}

local function addressed()
  return {
    name = "Ada", email = function(n)
      return ("a%d@x.org"):format(n)
    end,
  }
end

databases.each(function(ds)
  before_each(function()
    ds:dropTables({ User }, { ifExists = true })
    ds:createTables { User }
  end)

  it("makes one row, several or none, each with a number of its own", function()
    inserted = 0
    local users = sql.createModelFactory(User:using(ds), addressed())
    assert.equal("a1@x.org", users:create().email)
    assert.equal("a2@x.org", users:create(1).email)
    local three = users:create(3)
    assert.same({ "a3@x.org", "a4@x.org", "a5@x.org" }, { three[1].email, three[2].email, three[3].email })
    assert.same({}, users:create(0))
    assert.same({}, users:create(-1))
    assert.equal(5, inserted)
    assert.equal(5, ds:rawQuery("select count(*) as n from factory_users where name = 'Ada'")[1].n)
  end)

  it("takes other fields without changing what it was made of", function()
    local data = addressed()
    local users = sql.createModelFactory(User:using(ds), data)
    local bobs = users:merge { name = "Bob" }:merge(function(n)
      return { id = 100 + n }
    end)
    assert.same({ 101, "Bob", "a1@x.org" }, { bobs:create().id, bobs:make().name, User:using(ds):findOne().email })
    assert.equal("Ada", users:make().name)
    assert.is_function(data.email)
    assert.equal("Ada", users:create().name)
  end)

  it("inserts where it is told to", function()
    local users = sql.createModelFactory(User, addressed())
    local trx = ds:startTransaction()
    assert.equal(2, #users:create(2, { trx = trx }))
    trx:rollback()
    assert.equal(0, User:using(ds):count())
  end)
end)

it("refuses what is no factory's", function()
  assert.equal("INVALID_ARGUMENT", error_of(sql.createModelFactory, {}, {}).code)
  assert.equal("NIL_VALUE", error_of(sql.createModelFactory, User).code)
  local users = sql.createModelFactory(User, {})
  assert.equal("NIL_VALUE", error_of(users.merge, users).code)
  assert.equal("INVALID_ARGUMENT", error_of(users.create, users, "3").code)
  assert.equal("INVALID_ARGUMENT", error_of(users.create, {}, 3).code)
  assert.same({}, users:make(0))
  assert.equal("INVALID_ARGUMENT", error_of(sql.createModelFactory(User, function()
    return 7
  end).make, sql.createModelFactory(User, function()
    return 7
  end)).code)
end)
