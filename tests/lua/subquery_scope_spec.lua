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
