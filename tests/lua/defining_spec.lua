-- sql.defineModel and its kin: the other spelling of a model, and the conventions of names.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of


local seen = {}
local function note(name)
  return function()
    seen[#seen + 1] = name
  end
end

local function is_old(q)
  q:where("age", ">", 90)
end

local function literal()
  return {
    hysteria.tableName("defined_users"), hysteria.softDelete("removedAt"), hysteria.index { "email" },
    hysteria.index { columns = { "name", "email" }, name = "idx_ne" }, hysteria.unique { "email" },
    hysteria.check("age >= 0"), hysteria.check("age < 200", "chk_old"), hysteria.scope("old", is_old),
    hysteria.guarded { "role" }, hysteria.beforeInsert(note("one")), hysteria.beforeInsert(note("two")),
    id = column.increment(), name = column.string { length = 80, nullable = false }, email = column.string(),
    age = column.integer(), role = column.string { length = 10 },
    posts = hysteria.hasMany("DefinedPost", { foreignKey = "userId" }),
  }
end

local function definition(ordered)
  local id, name = column.increment(), column.string { length = 80, nullable = false }
  local email, age, role = column.string(), column.integer(), column.string { length = 10 }
  return {
    columns = ordered and { { "id", id }, { "name", name }, { name = "email", column = email }, { "age", age },
      { "role", role } } or { id = id, name = name, email = email, age = age, role = role },
    relations = { posts = hysteria.hasMany("DefinedPost", { foreignKey = "userId" }) },
    indexes = { { "email" }, { columns = { "name", "email" }, name = "idx_ne" } }, uniques = { { "email" } },
    checks = { "age >= 0", { expression = "age < 200", name = "chk_old" } }, scopes = { old = is_old },
    guarded = { "role" }, hooks = { beforeInsert = { note("one"), note("two") } },
    options = { softDeleteColumn = "removedAt", modelCaseConvention = "camel", databaseCaseConvention = "snake" },
  }
end

describe("defineModel", function()
  it("makes the same metadata as a literal", function()
    local A = model "DefinedUser" (literal())
    local columns, indexes = A:getColumns(), A:getIndexes()
    local uniques, checks, relations = A:getUniques(), A:getChecks(), A:getRelations()
    for _, ordered in ipairs { false, true } do
      local B = sql.defineModel("defined_users", definition(ordered))
      assert.equal("model DefinedUser", tostring(B))
      assert.same(columns, B:getColumns())
      assert.same(indexes, B:getIndexes())
      assert.same(uniques, B:getUniques())
      assert.same(checks, B:getChecks())
      assert.same(relations, B:getRelations())
    end
    assert.same({ "idx_defined_users_email", "idx_ne" }, { indexes[1].name, indexes[2].name })
    assert.same({ { name = "uq_defined_users_email", columns = { "email" } } }, uniques)
    assert.same("chk_old", checks[2].name)
  end)

  it("keeps the order of a list, whatever the order in which its columns were made", function()
    local last, first = column.string(), column.increment()
    local Ordered = sql.defineModel("ordered_things", { columns = { { "id", first }, { "zed", last } } })
    assert.same({ "id", "zed" }, { Ordered:getColumns()[1].property, Ordered:getColumns()[2].property })
    assert.equal("model OrderedThing", tostring(Ordered))
    local named = sql.defineModel("ordered_things", { name = "Thing", columns = { x = first } })
    assert.equal("model Thing", tostring(named))
  end)

  it("refuses what it does not know", function()
    local function refused(code, given)
      assert.equal(code, error_of(sql.defineModel, "refused_things", given).code)
    end
    local id = column.increment()
    refused("NIL_VALUE", nil)
    refused("NIL_VALUE", {})
    refused("UNKNOWN_OPTION", { columns = { id = id }, colums = {} })
    refused("UNKNOWN_OPTION", { columns = { id = id }, options = { softDelete = true } })
    refused("UNKNOWN_OPTION", { columns = { id = id }, hooks = { beforeInsrt = print } })
    refused("UNKNOWN_OPTION", { columns = { id = id }, hooks = { mixin = print } })
    refused("INVALID_MODEL", { columns = { { "id", id }, { "id", id } } })
    refused("INVALID_MODEL", { columns = { id = id }, relations = { id = hysteria.hasMany("X") } })
    refused("INVALID_MODEL", { columns = { id = 7 } })
    refused("NIL_VALUE", { columns = { { "id" } } })
    assert.equal("NIL_VALUE", error_of(sql.defineModel).code)
  end)

  databases.each(function(ds)
    it("gives a model that works", function()
      local User = sql.defineModel("defined_users", definition(true))
      local users = User:using(ds)
      ds:dropTables({ User }, { ifExists = true })
      ds:createTables { User }
      seen = {}
      local ada = users:insert { name = "Ada", email = "a@x.org", age = 95 }
      assert.same({ "one", "two" }, seen)
      users:insert { name = "Bob", age = 20 }
      assert.equal(1, users:old():count())
      assert.equal("GUARDED_COLUMN", error_of(users.insert, users, { name = "x", role = "admin" }).code)
      assert.equal("CHECK_VIOLATION", error_of(users.insert, users, { name = "x", age = -1 }).code)
      ada:softDelete()
      assert.is_string(ada.removedAt)
      assert.equal(1, users:count())
    end)

    it("gives views: with a statement, or of the database", function()
      local User = sql.defineModel("defined_users", definition(true))
      local columns = { age = column.integer(), n = column.bigInteger() }
      local function statement(q)
        q:from("defined_users"):select("age"):selectRaw("count(*) as n"):groupBy("age")
      end
      local Derived = sql.defineView("defined_ages", { name = "DefinedAge", columns = columns, statement = statement })
      local Made = sql.defineView("defined_made", {
        name = "DefinedMade", columns = columns, statement = statement, options = { create = true },
      })
      local There = sql.defineView("defined_made", { name = "DefinedThere", columns = columns })
      ds:dropTables({ Made, User }, { ifExists = true })
      ds:createTables { User, Made, There, Derived }
      User:using(ds):insertMany { { name = "a", age = 3 }, { name = "b", age = 3 }, { name = "c", age = 4 } }
      for _, view in ipairs { Derived, Made, There } do
        view = view:using(ds)
        assert.same({ 2, 1 }, { view:findOneBy("age", 3).n, view:findOneBy("age", 4).n })
        assert.equal("READ_ONLY", error_of(view.insert, view, { age = 1 }).code)
      end
      ds:dropTables({ Made }, { ifExists = true })
    end)

    it("marks deleted rows with the value that it was told", function()
      local n = 0
      local Flag = sql.defineModel("defined_flags", {
        columns = { id = column.increment() }, options = { softDeleteColumn = "gone", softDeleteValue = true },
      })
      local Stamp = sql.defineModel("defined_stamps", {
        columns = { id = column.increment(), goneIn = column.integer() },
        options = { softDeleteColumn = "goneIn", softDeleteValue = function()
          n = n + 1
          return n
        end },
      })
      ds:dropTables({ Flag, Stamp }, { ifExists = true })
      ds:createTables { Flag, Stamp }
      local flags, stamps = Flag:using(ds), Stamp:using(ds)
      local flag = flags:insert {}
      assert.is_false(flag.gone)
      assert.is_true(flag:softDelete().gone)
      assert.same({ 0, 1 }, { flags:count(), flags:query():onlyDeleted():count() })
      for _ = 1, 3 do
        stamps:insert {}
      end
      assert.same({ 1, 2 }, { stamps:findOne():softDelete().goneIn, stamps:findOne():softDelete().goneIn })
      assert.equal(1, stamps:count())
    end)
  end)

  it("checks the mark of deleted rows", function()
    assert.equal("INVALID_ARGUMENT", error_of(hysteria.softDelete, "x", { value = 1 }).code)
    assert.equal("INVALID_MODEL", error_of(model, "DefinedBad", {
      hysteria.softDelete("at", { value = true }), id = column.increment(), at = column.datetime(),
    }).code)
  end)
end)

describe("sql.mixin", function()
  it("brings columns, hooks and options to several models", function()
    local owned = sql.mixin {
      columns = { ownerId = column.integer() }, hooks = { beforeInsert = note("mixin") },
      options = { softDeleteColumn = "goneAt" }, scopes = { mine = function(q, who)
        q:where("ownerId", who)
      end },
    }
    local A = model "MixedA" { owned, hysteria.beforeInsert(note("own")), id = column.increment() }
    local B = sql.defineModel("mixed_bs", { mixins = { owned }, columns = { id = column.increment(),
      ownerId = column.bigInteger() } })
    local ds <close> = sql.connectToSecondarySource { type = "sqlite" }
    ds:createTables { A, B }
    seen = {}
    A:using(ds):insert { ownerId = 3 }
    assert.same({ "mixin", "own" }, seen)
    B:using(ds):insert { ownerId = 4 }
    assert.equal(1, A:using(ds):mine(3):count())
    assert.equal("integer", A:getColumnsByName().ownerId.kind)
    assert.equal("bigInteger", B:getColumnsByName().ownerId.kind)
    assert.is_table(B:getColumnsByDatabaseName().gone_at)
  end)
end)

describe("a convention of names", function()
  it("may be a function, or none", function()
    local A = model "NamedA" {
      hysteria.naming { database = function(name)
        return "c_" .. name:lower()
      end },
      id = column.increment(), firstName = column.string(), other = column.string { databaseName = "oThEr" },
    }
    local B = model "NamedB" { hysteria.naming { database = "none" }, firstName = column.string() }
    assert.equal("c_firstname", A:getColumnsByName().firstName.databaseName)
    assert.equal("oThEr", A:getColumnsByName().other.databaseName)
    assert.equal("firstName", B:getColumnsByName().firstName.databaseName)
    local ds <close> = sql.connectToSecondarySource { type = "sqlite" }
    ds:createTables { A }
    A:using(ds):insert { firstName = "x" }
    assert.equal("x", A:using(ds):where("firstName", "x"):one().firstName)
    assert.equal("x", ds:rawQuery("select c_firstname from named_as")[1].c_firstname)
    assert.equal("INVALID_ARGUMENT", error_of(hysteria.naming, { database = "kebab" }).code)
    assert.equal("INVALID_MODEL", error_of(model, "NamedBad", {
      hysteria.naming { database = function()
        return "same"
      end }, a = column.integer(), b = column.integer(),
    }).code)
  end)
end)

describe("what a class says of itself", function()
  it("is the caller's to keep", function()
    local Told = model "ToldThing" {
      id = column.increment(), kind = column.enum { "a", "b" }, note = column.text { comment = "free" },
      price = column.decimal { precision = 8, scale = 2, nullable = false }, hid = column.string { hidden = true },
      at = column.datetime { as = "epoch" }, uid = column.uuid { nullable = false },
      owner = hysteria.belongsTo("ToldOwner", { foreignKey = "uid", onDelete = "cascade" }),
    }
    Told:getColumns()[1].property = "changed"
    Told:getColumnsByName().kind.values[1] = "changed"
    assert.equal("id", Told:getColumns()[1].property)
    assert.same({ "a", "b" }, Told:getColumnsByName().kind.values)
    local schema = Told:toJsonSchema()
    assert.equal("ToldThing", schema.title)
    assert.same({ "id", "price", "uid" }, { table.unpack(schema.required) })
    local given = hysteria.json.decode(hysteria.json.encode(schema)).properties
    assert.same({ type = "integer" }, given.id)
    assert.same({ "string", "null" }, { table.unpack(given.note.type) })
    assert.equal("free", given.note.description)
    assert.equal("string", given.price.type)
    assert.same({ "a", "b", sql.jsonNull }, { table.unpack(given.kind.enum) })
    assert.equal("uuid", given.uid.format)
    assert.is_nil(given.hid)
    assert.same({
      name = "owner", kind = "belongsTo", model = "ToldOwner", foreignKey = { "uid" }, onDelete = "cascade",
    }, Told:getRelations().owner)
  end)
end)
