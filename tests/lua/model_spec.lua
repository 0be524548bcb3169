-- Definitions: what a literal may say, in which order columns stand, what is refused.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model = hysteria.column, hysteria.model
local error_of = databases.error_of

local function columns_of(class)
  local names = {}
  for index, made in ipairs(class._definition.columns) do
    names[index] = made.property
  end
  return table.concat(names, " ")
end

describe("the order of columns", function()
  it("is the order in which they were made, then annotations'", function()
    local Ordered = model "Ordered" {
      hysteria.softDelete(),
      hysteria.timestamps(),
      zebra = column.string(),
      apple = column.string(),
      mango = column.increment(),
      banana = column.string(),
      [7] = hysteria.index { "apple" },
      [9] = false,
      cherry = column.integer(),
    }

    assert.equal("zebra apple mango banana cherry createdAt updatedAt deletedAt", columns_of(Ordered))
  end)

  it("holds for many columns", function()
    local source, want = { "return {" }, {}
    for index = 1, 120 do
      local name = "c" .. (index * 7919) % 1000
      want[#want + 1] = name
      source[#source + 1] = ("  %s = column.integer(),"):format(name)
    end
    source[#source + 1] = "}"
    local literal = load(table.concat(source, "\n"), "=literal", "t", { column = column })()

    assert.equal(table.concat(want, " "), columns_of(model("Wide", literal)))
  end)

  it("copies a column that is used twice", function()
    local shared = column.string { length = 5 }
    local Twice = model "Twice" { a = shared, b = shared }
    local Other = model "OtherTwice" { c = shared }

    assert.equal("a b", columns_of(Twice))
    assert.equal("c", columns_of(Other))
    assert.not_equal(Twice._definition.by_property.a, Twice._definition.by_property.b)
    assert.is_nil(rawget(shared, "property"))
  end)
end)

describe("a definition", function()
  it("names its table in snake case and plural unless told", function()
    assert.equal("order_lines", model "OrderLine" { id = column.increment() }._definition.table)
    assert.equal("people", model "Person" { hysteria.tableName("people"), id = column.increment() }._definition.table)
  end)

  it("converts names by its naming", function()
    local Named = model "Named" { hysteria.naming { database = "preserve" }, isActive = column.boolean() }
    assert.equal("isActive", Named._definition.columns[1].name)
  end)

  it("refuses record verbs as names of members", function()
    local err = error_of(model, "Reserved", { save = column.string() })
    assert.equal("RESERVED_NAME", err.code)
    assert.equal("RESERVED_NAME", error_of(model, "Reserved", { load = hysteria.hasMany("Post") }).code)
  end)

  it("allows names of class verbs", function()
    local Counted = model "Counted" { id = column.increment(), count = column.integer(), first = column.string() }
    assert.is_function(Counted.count)
  end)

  it("refuses what is neither column nor relation, and says how methods are written", function()
    local err = error_of(model, "Bad", { label = function() end })
    assert.equal("INVALID_MODEL", err.code)
    assert.matches("function Bad:label()", err.message, 1, true)
    assert.equal("INVALID_MODEL", error_of(model, "Bad", { a = 1 }).code)
    assert.equal("INVALID_MODEL", error_of(model, "Bad", { "text", a = column.string() }).code)
    assert.equal("INVALID_MODEL", error_of(model, "Bad", { a = column.string(), [1.5] = column.string() }).code)
    assert.equal("INVALID_MODEL", error_of(model, "Bad", {}).code)
    assert.equal("INVALID_MODEL", error_of(model, "Bad", setmetatable({ a = column.string() }, {})).code)
    assert.equal("INVALID_MODEL", error_of(model, "Bad", "text").code)
    assert.equal("INVALID_MODEL", error_of(model, "bad name", { a = column.string() }).code)
    assert.equal("NIL_VALUE", error_of(model).code)
  end)

  it("refuses columns that fall together in the database", function()
    local err = error_of(model, "Bad", { isActive = column.boolean(), is_active = column.boolean() })
    assert.equal("INVALID_MODEL", err.code)
    assert.matches("is_active", err.message, 1, true)
  end)

  it("refuses a second primary key", function()
    assert.equal("MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED", error_of(model, "Bad", {
      a = column.increment(), b = column.uuid { primaryKey = true },
    }).code)
    assert.equal("MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED", error_of(model, "Bad", {
      hysteria.primaryKey { "b" }, a = column.increment(), b = column.integer(),
    }).code)
  end)

  it("takes a key of several columns", function()
    local Pair = model "Pair" { hysteria.primaryKey { "b", "a" }, a = column.integer(), b = column.integer() }
    assert.same({ "b", "a" }, Pair._definition.keys)
  end)

  it("knows the near name of a column in an annotation", function()
    local err = error_of(model, "Bad", { hysteria.index { "emial" }, email = column.string() })
    assert.equal("INVALID_MODEL", err.code)
    assert.matches("email", err.message, 1, true)
    assert.equal("INVALID_MODEL", error_of(model, "Bad", { hysteria.guarded { "rol" }, role = column.string() }).code)
  end)

  it("says where the model was defined when another file defines it again", function()
    model "Taken" { id = column.increment() }
    local chunk = assert(load([[local model, column = ... ; return model "Taken" { id = column.increment() }]],
      "@elsewhere.lua"))
    local err = error_of(chunk, model, column)

    assert.equal("MODEL_ALREADY_DEFINED", err.code)
    assert.matches("model_spec.lua", err.message, 1, true)
  end)

  it("is replaced in place when the same file runs again", function()
    local first = model "Again" { id = column.increment(), old = column.string() }
    function first:oldMethod() return self end
    local second = model "Again" { id = column.increment(), new = column.string() }

    assert.equal(first, second)
    assert.equal("id new", columns_of(first))
    assert.equal("agains.new", first.new)
    assert.equal("UNDEFINED_COLUMN", error_of(function() return first.old end).code)
    assert.equal("UNDEFINED_COLUMN", error_of(function() return first.oldMethod end).code)
  end)

  it("leaves the old one working when the new one is wrong", function()
    local Kept = model "Kept" { id = column.increment() }
    error_of(model, "Kept", { save = column.string() })
    assert.equal("id", columns_of(Kept))
  end)
end)

describe("mixins", function()
  it("bring columns after the model's own, hooks in their place, and yield to the model", function()
    local order = {}
    local function note(text)
      return hysteria.beforeInsert(function() order[#order + 1] = text end)
    end
    local inner = hysteria.mixin { note("inner"), low = column.integer() }
    local Mixed = model "Mixed" {
      note("first"),
      hysteria.mixin({ inner, note("mixin"), extra = column.string(), name = column.string { length = 9 } }),
      note("last"),
      id = column.increment(),
      name = column.string { length = 3 },
    }

    assert.equal("id name low extra", (columns_of(Mixed):gsub("extra low", "low extra")))
    assert.equal(3, Mixed._definition.by_property.name.length)
    for _, fn in ipairs(Mixed._definition.hooks.beforeInsert) do
      fn()
    end
    assert.same({ "first", "inner", "mixin", "last" }, order)
  end)

  it("can be used by several models without touching each other", function()
    local stamped = hysteria.timestamps()
    local A = model "MixA" { stamped, id = column.increment() }
    local B = model "MixB" { stamped, id = column.increment() }

    assert.not_equal(A._definition.by_property.createdAt, B._definition.by_property.createdAt)
    assert.equal("mix_bs.createdAt", B.createdAt)
  end)
end)

describe("a class", function()
  local User = model "ClassUser" {
    hysteria.scope("adults", function(query) query:where("age", ">=", 18) end),
    id = column.increment(), email = column.string(), age = column.integer(),
    posts = hysteria.hasMany("ClassPost"),
  }

  it("gives column references by name", function()
    assert.equal("class_users.email", User.email)
  end)

  it("raises for what it does not have, with a suggestion", function()
    local err = error_of(function() return User.emial end)
    assert.equal("UNDEFINED_COLUMN", err.code)
    assert.matches("email", err.message, 1, true)
    assert.matches("findOneBy", error_of(function() return User.findOnBy end).message, 1, true)
  end)

  it("takes functions as methods of its records only", function()
    function User:label()
      return "<" .. self.email .. ">"
    end
    assert.is_function(User.label)
    assert.equal("INVALID_ARGUMENT", error_of(function() User.x = 1 end).code)
    assert.equal("RESERVED_NAME", error_of(function() User.save = print end).code)
    assert.equal("RESERVED_NAME", error_of(function() User.find = print end).code)
    assert.equal("RESERVED_NAME", error_of(function() User.email = print end).code)
    assert.equal("RESERVED_NAME", error_of(function() User.posts = print end).code)
  end)

  it("says its name", function()
    assert.equal("model ClassUser", tostring(User))
  end)

  it("needs the colon", function()
    assert.equal("INVALID_ARGUMENT", error_of(User.find, { where = { id = 1 } }).code)
    assert.equal("INVALID_ARGUMENT", error_of(User.query).code)
  end)
end)

databases.each(function(ds)
  describe("in dev mode", function()
    after_each(function()
      hysteria.dev(false)
    end)

    it("reading a relation that was not loaded raises", function()
      local Parent = model "DevParent" { id = column.increment(), kids = hysteria.hasMany("DevKid"),
        kid = hysteria.hasOne("DevKid") }
      local Kid = model "DevKid" { id = column.increment(), devParentId = column.integer() }
      ds:dropTables({ Parent, Kid }, { ifExists = true })
      ds:createTables { Parent, Kid }
      local row = Parent:using(ds):insert {}
      assert.is_nil(row.kids)

      hysteria.dev()
      local strict = Parent:using(ds):findOneByPrimaryKey(row.id)

      assert.equal("RELATION_NOT_LOADED", error_of(function() return strict.kids end).code)
      strict:load("kids"):load("kid")
      assert.same({}, strict.kids)
      assert.is_nil(strict.kid)
      assert.is_nil(strict.anything)
    end)
  end)

  describe("the stock models", function()
    it("make a user", function()
      local User = require("hysteria.models.user")
      ds:dropTables({ User }, { ifExists = true })
      ds:createTables { User }

      local user = User:using(ds):insert { email = "a@x" }

      assert.equal(1, user.id)
      assert.equal(19, #user.createdAt:sub(1, 19))
    end)

    it("make keys of three kinds and soft deletion", function()
      for name, pattern in pairs { uuid = "^%x+%-%x+%-4", ulid = "^%w+$", increment = "^1$" } do
        local Stock = model("Stock_" .. name, {
          require("hysteria.models." .. name), require("hysteria.models.soft_deletable"), note = column.string(),
        })
        ds:dropTables({ Stock }, { ifExists = true })
        ds:createTables { Stock }
        local row = Stock:using(ds):insert { note = "x" }
        assert.matches(pattern, tostring(row.id))
        row:softDelete()
        assert.equal(0, Stock:using(ds):count())
      end
    end)
  end)
end)
