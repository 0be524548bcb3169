-- Queries on models inside of other queries: soft deletion and default scopes hold there as well, or
-- rows that somebody must not see are a union away.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local model, column = hysteria.model, hysteria.column
local error_of = databases.error_of

local tenant = 1
local Member = model "InsideMember" {
  hysteria.softDelete(), id = column.increment(), tenant = column.integer(),
  hysteria.defaultScope(function(q)
    q:where("tenant", tenant)
  end),
}
local Note = model "InsideNote" { id = column.increment(), memberId = column.integer() }
local Own = model "InsideOwn" {
  hysteria.primaryKey { "id" }, id = column.integer(),
  hysteria.view(function()
    return Member:query():select("id")
  end),
}
local Derived = model "InsideDerived" {
  hysteria.primaryKey { "id" }, id = column.integer(),
  hysteria.view(function(q)
    q:from(Member:query():select("id"), "members")
  end),
}

-- Scopes that ask for their own rows, by themselves or round a corner.
local Selfish, Corner
local say_so, asks_how = false, "inside"
local function others(class)
  local q = class:query():select("id")
  return say_so and q:withoutDefaultScope() or q
end
Selfish = model "InsideSelfish" {
  hysteria.tableName("inside_members"), id = column.increment(), tenant = column.integer(),
  hysteria.defaultScope(function(q)
    if asks_how == "inside" then
      q:whereIn("id", others(Selfish):where("tenant", 2))
    elseif asks_how == "verb" then
      q:where("id", "<=", others(Selfish):getMax("id"))
    else
      q:whereIn("id", others(Corner))
    end
  end),
}
Corner = model "InsideCorner" {
  hysteria.tableName("inside_notes"), id = column.increment(), memberId = column.integer(),
  hysteria.defaultScope(function(q)
    q:whereIn("memberId", others(Selfish))
  end),
}

databases.each(function(ds)
  local members, notes = Member:using(ds), Note:using(ds)

  setup(function()
    tenant = 1 -- what the last test on another database left says 2
    ds:dropTables({ Member, Note }, { ifExists = true })
    ds:createTables { Member, Note }
    for id = 1, 6 do -- the tenant has 1, 3 and 5, the last of them deleted
      members:insert { tenant = 2 - id % 2 }
      notes:insert { memberId = id }
    end
    members:query():where("id", 5):softDelete()
  end)

  before_each(function()
    tenant = 1
  end)

  local function seen(q, name)
    local list = q:pluck(name or "memberId")
    table.sort(list)
    return list
  end

  local function inner()
    return Member:query():select("id")
  end

  it("are whole wherever a query may stand", function()
    local table_name = "inside_members"
    assert.same({ 1, 3 }, seen(notes:query():whereIn("memberId", inner())))
    assert.same({ 1, 3 }, seen(notes:query():where("memberId", "in", inner())))
    assert.same({ 1, 3 }, seen(notes:query():whereIn("memberId", function() return inner() end)))
    assert.same({ 2, 4, 5, 6 }, seen(notes:query():whereNotIn("memberId", inner())))
    assert.same({ 1, 3 }, seen(notes:query():whereExists(
      Member:query():whereColumn(table_name .. ".id", "inside_notes.member_id"))))
    assert.same({ 3 }, seen(notes:query():where("memberId", "=", Member:query():selectFunc("max", "id", "most"))))
    assert.same({ 1, 3 }, seen(notes:query():join({ Member:query(), "m" }, "m.id", "inside_notes.member_id")))
    assert.same({ 1, 3 }, seen(notes:query():with("m", inner()):join("m", "m.id", "inside_notes.member_id")))
    assert.same({ 1, 3 }, seen(ds:from("inside_notes"):from(Member:query(), "m"), "id"))
    assert.same({ 1, 3 }, seen(notes:query():select("memberId"):where("memberId", 1):union(inner())))
    local row = notes:query():where("id", 1):select(Member:query():selectFunc("count", "*", "n"), "n"):one()
    assert.equal(2, tonumber(row.n))
  end)

  it("say otherwise for themselves", function()
    assert.same({ 1, 3, 5 }, seen(notes:query():whereIn("memberId", inner():withDeleted())))
    assert.same({ 5 }, seen(notes:query():whereIn("memberId", inner():onlyDeleted())))
    assert.same({ 1, 2, 3, 4, 6 }, seen(notes:query():whereIn("memberId", inner():withoutDefaultScope())))
  end)

  it("are whole in views", function()
    assert.same({ 1, 3 }, seen(Own:using(ds):query(), "id"))
    assert.same({ 1, 3 }, seen(Derived:using(ds):query(), "id"))
    tenant = 2
    assert.same({ 2, 4, 6 }, seen(Derived:using(ds):query(), "id"))
  end)

  -- Every place that a query may stand in, as a function that gives the outer one and the field to look at.
  local PLACES = {
    ["IN"] = function() return notes:query():whereIn("memberId", inner()) end,
    ["NOT IN"] = function() return notes:query():whereNotIn("memberId", Member:query():select("id"):withDeleted()) end,
    ["a function"] = function() return notes:query():whereIn("memberId", function() return inner() end) end,
    ["a group"] = function()
      return notes:query():where(function(q) q:where("id", ">", 0):whereIn("memberId", inner()) end)
    end,
    ["a query that a group gives"] = function()
      return notes:query():where(function() return notes:query():whereIn("memberId", inner()) end)
    end,
    EXISTS = function()
      return notes:query():whereExists(Member:query():whereColumn("inside_members.id", "inside_notes.member_id"))
    end,
    ["EXISTS of a plain table"] = function()
      return notes:query():whereExists(function(q)
        q:from("inside_notes", "n"):whereColumn("n.id", "inside_notes.id"):whereIn("n.member_id", inner())
      end)
    end,
    ["a join"] = function() return notes:query():join({ Member:query(), "m" }, "m.id", "inside_notes.member_id") end,
    ["WITH"] = function() return notes:query():with("m", inner()):join("m", "m.id", "inside_notes.member_id") end,
    ["a query in a query"] = function()
      return notes:query():whereIn("id", notes:query():select("id"):whereIn("memberId", inner()))
    end,
    ["a table"] = function() return ds:from("inside_notes"):whereIn("member_id", inner()), "member_id" end,
    ["FROM"] = function() return ds:from("inside_notes"):from(Member:query(), "m"), "id" end,
    ["UNION"] = function() return notes:query():select("memberId"):where("memberId", -1):union(inner()) end,
    ["a view"] = function() return Own:using(ds):query(), "id" end,
    ["a view's FROM"] = function() return Derived:using(ds):query(), "id" end,
    ["a clone"] = function() return notes:query():whereIn("memberId", inner()):clone() end,
  }
  local OTHERS = { ["NOT IN"] = { { 2, 4, 6 }, { 1, 3, 5 } } }

  for name, make in pairs(PLACES) do
    it("are asked when the statement runs, in " .. name, function()
      local q, field = make()
      local expected = OTHERS[name] or { { 1, 3 }, { 2, 4, 6 } }
      for _, now in ipairs { 1, 2, 1 } do
        tenant = now
        assert.same(expected[now], seen(q, field))
        assert.equal(#expected[now], #q:many())
        assert.equal(#expected[now], q:count())
        assert.equal(#expected[now], q:getCount(field or "memberId"))
        assert.equal(#expected[now], q:clone():limit(100):count())
        assert.equal(#expected[now], #q:paginate(1, 100).data)
        assert.is_true(q:exists())
        assert.is_not_nil(q:one())
        local rows = 0
        for _ in q:stream() do
          rows = rows + 1
        end
        assert.equal(#expected[now], rows)
      end
      assert.not_equal(q:toQuery(), (function() tenant = 2 return q:toQuery() end)())
    end)
  end

  it("are asked when a write runs", function()
    local update = notes:query():whereIn("memberId", inner())
    local grouped = notes:query():whereIn("memberId", inner()):groupBy("id")
    local select = notes:query():select("id"):whereIn("memberId", inner())
    tenant = 2
    assert.equal(3, update:update { memberId = 7 })
    assert.equal(0, update:update { memberId = 7 })
    assert.equal(3, notes:where("memberId", 7):count())
    tenant = 1
    assert.equal(2, #update:update({ memberId = 9 }, { returning = true }))
    ds:query("inside_notes"):allRows():delete()
    for id = 1, 6 do
      notes:insert { id = id, memberId = id }
    end
    tenant = 2
    assert.equal(3, #select:many())
    assert.equal(3, grouped:delete())
    assert.same({ 1, 3, 5 }, seen(notes:query()))
    tenant = 1
    local row = notes:query():insert { memberId = Member:query():selectFunc("max", "id", "most") }
    assert.equal(3, row.memberId)
    assert.equal(1, notes:where("id", row.id):update { memberId = Member:query():selectFunc("min", "id", "least") })
    assert.equal(1, notes:findOneByPrimaryKey(row.id).memberId)
    ds:query("inside_notes"):allRows():delete()
    for id = 1, 6 do
      notes:insert { id = id, memberId = id }
    end
  end)

  it("are what they were when they were put there, but for what they leave out", function()
    local members_query = Member:using(ds):query():select("id"):where("id", ">", 0)
    local q = notes:query():whereIn("memberId", members_query)
    members_query:where("id", 1)
    assert.same({ 1, 3 }, seen(q))
    assert.same({ 1 }, seen(members_query, "id"))
  end)

  it("do not ask for themselves", function()
    local selfish = Selfish:using(ds)
    local default = hysteria.sql.connect { type = "sqlite", database = ":memory:" } -- of the verb in the scope
    default:createTables { Member, Note }
    for _, how in ipairs { "inside", "verb", "corner" } do
      asks_how, say_so = how, false
      for _, fn in ipairs {
        function() selfish:query():many() end, function() selfish:findOneByPrimaryKey(2) end,
        function() selfish:updateRecord(2, { tenant = 3 }) end, function() selfish:deleteRecord(2) end,
        function() selfish:where("id", 2):update { tenant = 3 } end,
        function() notes:query():whereIn("memberId", selfish:query():select("id")):many() end,
      } do
        local err = error_of(fn)
        assert.equal("INVALID_MODEL", err.code)
        assert.truthy(err.message:find("withoutDefaultScope", 1, true))
        assert.equal(how == "corner" and err.model or "InsideSelfish", err.model)
      end
    end
    asks_how, say_so = "inside", true
    assert.same({ 2, 4, 6 }, seen(selfish:query(), "id"))
    default:close()
  end)

  it("with default scopes are not prepared", function()
    for _, q in ipairs {
      notes:query():whereIn("memberId", inner()), ds:from("inside_notes"):whereIn("member_id", inner()),
      Own:using(ds):query(), Derived:using(ds):query(),
      notes:query():whereIn("id", notes:query():select("id"):whereIn("memberId", inner())),
    } do
      local err = error_of(function() q:prepare() end)
      assert.equal("INVALID_ARGUMENT", err.code)
      assert.truthy(err.message:find("default scopes", 1, true))
    end
    local prepared = notes:query():whereIn("memberId", inner():withoutDefaultScope()):prepare()
    assert.equal(5, #prepared:many())
  end)
end, { shared = true, pool = { max = 2 } })
