-- find and its kin: every option, every operator, groups in groups. The rows that should come are
-- told by plain Lua over the same data.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local op = sql.op
local error_of = databases.error_of

local City = model "FindCity" { id = column.increment(), name = column.string { length = 20 } }
local Person = model "FindPerson" {
  hysteria.softDelete(), hysteria.defaultScope(function(q)
    q:where("isHidden", false)
  end),
  id = column.increment(), firstName = column.string { length = 20 }, age = column.integer(),
  cityId = column.integer(), isHidden = column.boolean { default = false, nullable = false },
  city = hysteria.belongsTo("FindCity", { foreignKey = "cityId" }),
}

local DATA = {
  { "Ada", 36, 1 }, { "ada", 12, 2 }, { "Bob", nil, 1 }, { "Cy%", 5, nil }, { "Dora", 77, 2 }, { "Eve", 36, 2 },
}

databases.each(function(ds)
  local people = Person:using(ds)

  setup(function()
    ds:dropTables({ Person, City }, { ifExists = true })
    ds:createTables { City, Person }
    City:using(ds):insertMany { { name = "Here" }, { name = "There" } }
    for _, row in ipairs(DATA) do
      people:insert { firstName = row[1], age = row[2], cityId = row[3] }
    end
    people:insert { firstName = "Hidden", age = 36, isHidden = true }
    people:insert({ firstName = "Gone", age = 36 }):softDelete()
  end)

  -- The ids that find gives, and those that `keep` picks of the data.
  local function same(where, keep)
    local ids, expected = {}, {}
    for _, person in ipairs(people:find { where = where, orderBy = "id" }) do
      ids[#ids + 1] = person.id
    end
    for id, row in ipairs(DATA) do
      if keep { name = row[1], age = row[2], city = row[3] } then
        expected[#expected + 1] = id
      end
    end
    assert.same(expected, ids)
  end

  describe("an operator", function()
    local cases = {
      { { age = op.eq(36) }, function(p) return p.age == 36 end },
      { { age = op.ne(36) }, function(p) return p.age and p.age ~= 36 end },
      { { age = op.gt(36) }, function(p) return p.age and p.age > 36 end },
      { { age = op.gte(36) }, function(p) return p.age and p.age >= 36 end },
      { { age = op.lt(36) }, function(p) return p.age and p.age < 36 end },
      { { age = op.lte(36) }, function(p) return p.age and p.age <= 36 end },
      { { age = op.between(5, 12) }, function(p) return p.age == 5 or p.age == 12 end },
      { { age = op.notBetween(5, 12) }, function(p) return p.age and p.age > 12 end },
      { { age = op.isNull() }, function(p) return p.age == nil end },
      { { age = op.isNotNull() }, function(p) return p.age ~= nil end },
      { { age = op.in_ { 5, 77 } }, function(p) return p.age == 5 or p.age == 77 end },
      { { age = op.notIn { 5, 77 } }, function(p) return p.age and p.age ~= 5 and p.age ~= 77 end },
      { { age = op.in_ {} }, function() return false end },
      { { age = op.notIn {} }, function() return true end },
      { { firstName = op.like("%o%") }, function(p) return p.name:find("o", 1, true) end },
      { { firstName = op.notLike("%o%") }, function(p) return not p.name:find("o", 1, true) end },
      { { firstName = op.ilike("aDA") }, function(p) return p.name:lower() == "ada" end },
      { { firstName = op.notILike("aDA") }, function(p) return p.name:lower() ~= "ada" end },
      { { firstName = op.regexp("^[BD]o") }, function(p) return p.name:find("^[BD]o") end },
      { { firstName = op.notRegexp("^[BD]o") }, function(p) return not p.name:find("^[BD]o") end },
      { { age = sql.null }, function(p) return p.age == nil end },
      { { age = op.eq(sql.null) }, function(p) return p.age == nil end },
      { { age = op.ne(sql.null) }, function(p) return p.age ~= nil end },
      { { age = 36, cityId = 2 }, function(p) return p.age == 36 and p.city == 2 end },
      { { ["find_people.age"] = 36 }, function(p) return p.age == 36 end },
      { { first_name = "Eve" }, function(p) return p.name == "Eve" end },
    }

    it("picks the rows that plain Lua picks, in a table", function()
      for _, case in ipairs(cases) do
        same(case[1], case[2])
      end
    end)

    it("in any group", function()
      for _, case in ipairs(cases) do
        same(sql.any { case[1], { age = 77 } }, function(p)
          return case[2](p) or p.age == 77
        end)
        same(sql.all { case[1], { cityId = 2 } }, function(p)
          return case[2](p) and p.city == 2
        end)
        same(sql.any { sql.all { case[1], { cityId = op.isNotNull() } }, sql.all { { age = 5, firstName = "Cy%" } } },
          function(p)
            return case[2](p) and p.city or p.age == 5
          end)
      end
    end)
  end)

  describe("a group", function()
    it("keeps each table of an OR together", function()
      same(sql.any { { age = 36, cityId = 1 }, { age = 12, cityId = 2 } }, function(p)
        return p.age == 36 and p.city == 1 or p.age == 12 and p.city == 2
      end)
    end)

    it("does not let out what scopes leave out", function()
      same(sql.any { { age = 36 }, { age = op.isNull() } }, function(p)
        return p.age == 36 or p.age == nil
      end)
    end)

    it("nests as deep as one likes", function()
      local where = { age = 36 }
      for level = 1, 60 do
        where = level % 2 == 0 and sql.any { where, { age = 1000 + level } } or sql.all { where, { age = op.gt(0) } }
      end
      same(where, function(p)
        return p.age == 36
      end)
    end)

    it("is made by sql alone: what a request says is no operator", function()
      local function refused(where)
        assert.equal("INVALID_ARGUMENT", error_of(people.find, people, { where = where }).code)
      end
      refused { age = { op = "$gt", value = 1 } }
      refused { ["$or"] = { { age = 1 }, { age = 2 } } }
      refused { age = {} }
      refused(hysteria.json.decode([[{"age": {"gt": 1}}]]))
      refused { { age = 1 } }
      assert.equal("UNDEFINED_COLUMN", error_of(people.find, people, { where = { agee = 1 } }).code)
      assert.equal("NIL_VALUE", error_of(people.find, people, { where = {} }).code)
    end)
  end)

  describe("an option", function()
    it("of find does what it says", function()
      local first = people:find { select = { "firstName", "age" }, where = { cityId = 2 }, limit = 1, offset = 1,
        orderBy = { { "age", "desc" }, { "firstName", "asc" } } }
      assert.equal(1, #first)
      assert.same({ firstName = "Eve", age = 36 }, first[1]:toTable())
      assert.equal(0, #people:find { limit = 0 })
      assert.equal(6, #people:find { offset = 0 })
      assert.equal(4, #people:find { offset = 2 })
      local grouped = people:find { select = { "cityId" }, groupBy = "cityId", where = { cityId = op.isNotNull() },
        orderBy = { cityId = "desc" } }
      assert.same({ 2, 1 }, { grouped[1].cityId, grouped[2].cityId })
      assert.equal("Here", people:find({ where = { firstName = "Ada" }, relations = { "city" } })[1].city.name)
      assert.equal("Here", people:findOne({ orderBy = "id", relations = "city" }).city.name)
      assert.equal(7, #people:find { withDeleted = true })
      assert.equal("Gone", people:find({ onlyDeleted = true })[1].firstName)
      assert.equal("Dora", people:findOne { alias = "p", where = { ["p.age"] = 77 } }.firstName)
      assert.equal(6, #people:all())
      assert.equal("Ada", people:first({ orderBy = "id" }).firstName)
    end)

    it("chooses where it runs", function()
      assert.equal(6, #Person:find { connection = ds })
      assert.equal(3, Person:count { connection = ds, where = { cityId = 2 } })
      local trx = ds:startTransaction()
      Person:insert({ firstName = "New", age = 1 }, { trx = trx })
      assert.equal(1, #Person:find { trx = trx, where = { age = 1 } })
      assert.is_true(Person:exists { trx = trx, where = { age = 1 } })
      trx:rollback()
      assert.is_false(people:exists { where = { age = 1 } })
    end)

    it("that is unknown is told", function()
      for _, verb in ipairs { "find", "findOne", "findOneOrFail", "count", "exists", "all", "first" } do
        assert.equal("UNKNOWN_OPTION", error_of(people[verb], people, { wher = {} }).code)
      end
      assert.equal("RELATION_NOT_FOUND", error_of(people.find, people, { relations = { "town" } }).code)
    end)
  end)

  it("one row, or its absence, or an error of one's own", function()
    assert.is_nil(people:findOne { where = { age = 1 } })
    assert.equal("ROW_NOT_FOUND", error_of(people.findOneOrFail, people, { where = { age = 1 } }).code)
    local mine = { mine = true }
    assert.equal(mine, error_of(people.findOneOrFail, people, { where = { age = 1 }, customError = mine }))
    assert.equal("Dora", people:findOneOrFail({ where = { age = 77 }, customError = mine }).firstName)
    assert.equal(2, #people:findBy("age", 36))
    assert.equal(1, #people:findBy("age", 36, { limit = 1 }))
    assert.equal(1, #people:findBy("age", sql.null))
    assert.equal("Dora", people:findOneBy("age", 77).firstName)
    assert.is_nil(people:findOneBy("firstName", "Gone"))
    assert.equal("NIL_VALUE", error_of(people.findBy, people, "age").code)
    assert.equal("Dora", people:findOneByPrimaryKey(5).firstName)
    assert.is_nil(people:findOneByPrimaryKey(7))
    assert.is_nil(people:refresh(7))
    assert.equal("Hidden", people:refresh(7, { withoutDefaultScope = true }).firstName)
  end)
end)
