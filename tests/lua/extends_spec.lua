-- hysteria.extends: a model made of another one.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local model, column = hysteria.model, hysteria.column
local error_of = databases.error_of

local function names_of(class)
  local names = {}
  for index, made in ipairs(class:getColumns()) do
    names[index] = made.property
  end
  return names
end

describe("extends", function()
  local calls = {}
  local function note(text)
    return function()
      calls[#calls + 1] = text
    end
  end

  local Base = model "ExtBase" {
    hysteria.timestamps(), hysteria.softDelete(), hysteria.tableName("ext_bases"),
    hysteria.scope("named", function(q)
      q:whereNotNull("name")
    end),
    hysteria.scope("big", function(q)
      q:where("n", ">", 100)
    end),
    hysteria.beforeInsert(note("base")),
    id = column.increment(), name = column.string { length = 20 }, n = column.integer { default = 1 },
    loud = column.virtual(function(row)
      return row.name:upper()
    end),
  }
  local Kid = model "ExtKid" {
    hysteria.beforeInsert(note("kid")),
    hysteria.extends(Base),
    hysteria.scope("big", function(q)
      q:where("n", ">", 10)
    end),
    age = column.integer(), name = column.string { length = 5 },
  }
  local Grand = model "ExtGrand" { hysteria.extends("ExtKid"), toy = column.string() }

  function Base:hello()
    return "hello " .. self.name
  end

  function Grand:bye()
    return "bye " .. self.name
  end

  it("puts the base's columns first, in their order, and lets the model say otherwise", function()
    assert.same({ "id", "name", "n", "createdAt", "updatedAt", "deletedAt" }, names_of(Base))
    assert.same({ "id", "n", "createdAt", "updatedAt", "age", "name", "deletedAt" }, names_of(Kid))
    assert.same({ "id", "n", "createdAt", "updatedAt", "age", "name", "toy", "deletedAt" }, names_of(Grand))
    assert.equal("ext_kids.age", Kid.age)
    assert.equal(5, Kid:getColumnsByName().name.length)
    assert.equal(20, Base:getColumnsByName().name.length)
  end)

  it("refuses what cannot be", function()
    assert.equal("MODEL_NOT_FOUND", error_of(model, "ExtBad", { hysteria.extends("ExtNobody") }).code)
    assert.equal("INVALID_MODEL", error_of(model, "ExtBad", {
      hysteria.extends(Base), hysteria.extends(Kid), x = column.integer(),
    }).code)
    assert.equal("NIL_VALUE", error_of(hysteria.extends).code)
    assert.equal("RESERVED_NAME", error_of(model, "ExtBad", { hysteria.extends(Base), hello = column.string() }).code)
    assert.equal("RESERVED_NAME", error_of(function()
      Base.toy = print
    end).code)
    assert.equal("UNDEFINED_COLUMN", error_of(function()
      return Kid.toy
    end).code)
  end)

  databases.each(function(ds)
    before_each(function()
      calls = {}
      ds:dropTables({ Base, Kid, Grand }, { ifExists = true })
      ds:createTables { Base, Kid, Grand }
    end)

    it("gives the hooks that the base was given later, once", function()
      local Late = model "ExtLate" { id = column.increment(), name = column.string() }
      local function mark(text)
        return function(row) row.name = (row.name or "") .. text end
      end
      Late:hook("beforeInsert", mark("b"))
      local Heir = model "ExtHeir" { hysteria.extends(Late), hysteria.beforeInsert(mark("h")) }
      local Last = model "ExtLast" { hysteria.extends("ExtHeir"), hysteria.beforeInsert(mark("l")) }
      ds:dropTables({ Late, Heir, Last }, { ifExists = true })
      ds:createTables { Late, Heir, Last }
      assert.equal("b", Late:using(ds):insert({}).name)
      assert.equal("bh", Heir:using(ds):insert({}).name)
      assert.equal("xbhl", Last:using(ds):insert({ name = "x" }).name)
      ds:dropTables { Late, Heir, Last }
    end)

    it("gives tables, hooks, scopes, methods and virtual members of their own", function()
      local zoe = Grand:using(ds):insert { name = "zoe", n = 50, toy = "car" }
      assert.same({ "base", "kid" }, calls)
      assert.same({ "hello zoe", "bye zoe", "ZOE" }, { zoe:hello(), zoe:bye(), zoe.loud })
      assert.equal(1, Grand:using(ds):big():count())
      assert.equal(0, Base:using(ds):count())
      Base:using(ds):insert { name = "bob", n = 50 }
      assert.equal(0, Base:using(ds):big():count())
      assert.equal(1, Base:using(ds):named():count())
      zoe:softDelete()
      assert.equal(0, Grand:using(ds):count())
      assert.equal(1, ds:rawQuery("select count(*) as n from ext_grands")[1].n)
    end)
  end)
end)
