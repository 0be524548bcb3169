-- Faults that others have had in writes and models, where no neighbouring spec would notice them.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column

local KEY = hysteria.generateKey()
local calls = {}
local function counting(name, value)
  return function(given)
    calls[name] = (calls[name] or 0) + 1
    return value or given
  end
end

local Owner = model "FaultOwner" {
  id = column.integer { primaryKey = true }, classId = column.integer(), password = column.string { hidden = true },
  asset = column.string { length = 20 }, secret = column.encrypted { key = KEY },
  things = hysteria.hasMany("FaultThing", { foreignKey = "ownerId" }),
  one = hysteria.hasOne("FaultThing", { foreignKey = "ownerId" }),
}
local Thing = model "FaultThing" {
  hysteria.softDelete(), hysteria.scope("big", function(q) q:where("size", ">", 5) end),
  hysteria.afterFetch(function(list)
    for _, row in ipairs(list) do
      row.seen = true
    end
  end),
  id = column.integer { primaryKey = true }, ownerId = column.integer(), name = column.string { length = 20 },
  size = column.integer(), isOn = column.boolean(), doc = column.json(), day = column.date(),
  secret = column.encrypted { key = KEY },
  owner = hysteria.belongsTo("FaultOwner", { foreignKey = "ownerId" }),
}
local Counted = model "FaultCounted" {
  id = column.integer { primaryKey = true }, code = column.string { length = 20, unique = true },
  word = column.string { prepare = counting("prepare") },
  made = column.string { default = counting("default", "made") },
  moved = column.string { autoUpdate = counting("autoUpdate", "moved") },
}

databases.each(function(ds, _, config)
  local owners, things, counted = Owner:using(ds), Thing:using(ds), Counted:using(ds)

  before_each(function()
    ds:dropTables({ Thing, Owner, Counted }, { ifExists = true })
    ds:createTables { Owner, Thing, Counted }
    owners:insert { id = 1, classId = 0, password = "hidden", asset = "", secret = "of the owner" }
    things:insert { id = 1, ownerId = 1, name = "a", size = 0, isOn = false, secret = "of the thing" }
  end)

  it("soft deletion is stamped with the moment of the call", function()
    local deletions = {
      function() things:softDelete(1) end,
      function() things:where("id", 1):softDelete() end,
      function() things:findOneByPrimaryKey(1):softDelete() end,
    }
    for _, delete in ipairs(deletions) do
      local before = sql.now()
      delete()
      local stamp = things:query():withDeleted():one().deletedAt
      assert.is_true(before <= stamp and stamp <= sql.now(), stamp)
      things:restore(1)
    end
  end)

  it("a column's functions are called once for each row that is written", function()
    local WRITES = {
      { function() counted:insert { id = 1, code = "a", word = "w" } end, { prepare = 1, default = 1 } },
      { function()
        counted:insertMany { { id = 2, code = "b", word = "w" }, { id = 3, code = "c", word = "w" } }
      end, { prepare = 2, default = 2 } },
      { function() counted:upsert({ id = 4 }, { code = "d", word = "w" }) end,
        { prepare = 1, default = 1, autoUpdate = 2 } }, -- of the new row, and of one that may be there
      { function() counted:save { id = 5, code = "e", word = "w" } end, { prepare = 1, default = 1 } },
      { function() counted:updateRecord(1, { word = "x" }) end, { prepare = 1 } },
      { function() counted:where("id", "<", 4):update { word = "y" } end, { prepare = 1 } },
      { function() counted:updateMany { { id = 1, word = "1" }, { id = 2, word = "2" } } end, { prepare = 2 } },
    }
    for place, write in ipairs(WRITES) do
      calls = {}
      write[1]()
      assert.equal(write[2].prepare, calls.prepare, place)
      assert.equal(write[2].default, calls.default, place)
      assert.is_true((calls.autoUpdate or 0) <= (write[2].autoUpdate or calls.prepare), place)
    end
  end)

  it("SQL stands for a value in columns of every kind", function()
    local NULL, raw = sql.rawStatement("NULL"), sql.rawStatement
    things:insert { id = 2, isOn = NULL, doc = NULL, day = NULL, secret = NULL, size = raw("3 + 4") }
    things:insertMany { { id = 3, isOn = NULL, doc = NULL, day = NULL, secret = NULL, size = raw("3 + 4") } }
    things:upsert({ id = 4 }, { isOn = NULL, doc = NULL, day = NULL, secret = NULL, size = raw("3 + 4") })
    things:updateRecord(1, { isOn = NULL, doc = NULL, day = NULL, secret = NULL, size = raw("3 + 4") })
    for id = 1, 4 do
      local row = things:findOneByPrimaryKey(id)
      assert.equal(7, row.size)
      for _, name in ipairs { "isOn", "doc", "day", "secret" } do
        assert.is_nil(row[name], name)
      end
    end
    assert.equal(4, things:query():whereNull("isOn"):whereNull("doc"):whereNull("day"):whereNull("secret"):count())
  end)

  it("NULL and the null of a document are two things, and text is a document", function()
    things:insertMany {
      { id = 2, doc = sql.null }, { id = 3, doc = sql.jsonNull }, { id = 4, doc = "null" }, { id = 5, doc = "" },
    }
    local ids = things:query():whereNull("doc"):orderBy("id"):pluck("id")
    assert.same({ 1, 2 }, ids)
    assert.is_nil(things:findOneByPrimaryKey(2).doc)
    assert.equal(sql.jsonNull, things:findOneByPrimaryKey(3).doc)
    assert.equal("null", things:findOneByPrimaryKey(4).doc)
    assert.equal("", things:findOneByPrimaryKey(5).doc)
  end)

  it("columns of joined tables do not get into a record, secrets least of all", function()
    for _, q in ipairs {
      things:query():join("fault_owners", "id", "ownerId"), things:query():join(Owner, "id", "ownerId"),
      things:query():leftJoin({ Owner, "boss" }, "boss.id", "fault_things.owner_id"),
    } do
      local row = q:one()
      assert.equal("of the thing", row.secret)
      assert.equal(1, row.id)
      assert.equal(0, row.size)
      for _, name in ipairs { "classId", "class_id", "password", "asset" } do
        assert.is_nil(rawget(row, name), name)
        assert.is_false(row:has(name), name)
      end
    end
  end)

  it("a clone is a query like the one that it was made of", function()
    things:insertMany { { id = 2, ownerId = 1, size = 9 }, { id = 3, ownerId = 1, size = 9 } }
    things:softDelete(3)
    local q = things:query():big():load("owner")
    local copy = q:clone():where("id", ">", 0)
    local list = copy:many()
    assert.equal(1, #list)
    assert.equal(2, list[1].id)
    assert.is_true(list[1].seen)
    assert.equal(1, list[1].owner.id)
    assert.is_function(list[1].save)
    assert.equal(2, copy:clone():withDeleted():count())
    assert.equal(1, copy:count())
  end)

  it("names with `as` in them are names, and 0, false and empty text are values", function()
    local owner = owners:query():select("classId", "password", "asset"):one()
    assert.same({ 0, "hidden", "" }, { owner.classId, owner.password, owner.asset })
    local thing = things:query():select("size", "isOn"):one()
    assert.equal(0, thing.size)
    assert.is_false(thing.isOn)
    assert.equal(1, owners:where("asset", ""):where("classId", 0):count())
    owners:where("classId", 0):update { asset = "0", classId = 0 }
    assert.equal("0", owners:findOneByPrimaryKey(1).asset)
  end)

  it("a relation is given to those it belongs to, whatever was selected", function()
    owners:insert { id = 2, classId = 2 }
    things:insert { id = 2, ownerId = 2, name = "b" }
    local list = things:query():select("name"):orderBy("name"):load("owner"):many()
    assert.same({ 1, 2 }, { list[1].owner.id, list[2].owner.id })
    assert.is_false(list[1]:has("ownerId"))
  end)

  it("keys that are zero or empty are keys", function()
    owners:insert { id = 0, classId = 0 }
    things:insertMany { { id = 2, ownerId = 0 }, { id = 3 }, { id = 0, ownerId = 1 } }
    local names = {}
    for _, thing in ipairs(things:query():orderBy("id"):load("owner"):many()) do
      names[#names + 1] = thing.owner and thing.owner.id or "none"
    end
    assert.same({ 1, 1, 0, "none" }, names)
    local counts = {}
    for _, owner in ipairs(owners:query():orderBy("id"):load("things"):many()) do
      counts[#counts + 1] = #owner.things
    end
    assert.same({ 1, 2 }, counts)
    local zero = owners:findOneByPrimaryKey(0)
    zero.asset = "zero"
    zero:save()
    things:updateRecord(0, { name = "zero" })
    assert.equal("zero", owners:findOneByPrimaryKey(0).asset)
    assert.equal("zero", things:findOneByPrimaryKey(0).name)
    assert.equal(1, things:deleteRecord(0))
    assert.equal(3, things:count())
  end)

  it("so many per parent are counted when all else is said, nested loads and deleted rows too", function()
    owners:insert { id = 2 }
    things:insertMany {
      { id = 2, ownerId = 1, name = "b", size = 9 }, { id = 3, ownerId = 1, name = "c", size = 8 },
      { id = 4, ownerId = 1, name = "d", size = 7 }, { id = 5, ownerId = 2, name = "e", size = 6 },
      { id = 6, ownerId = 2, name = "f", size = 1 },
    }
    things:softDelete(2)
    local function names(fill)
      local list = {}
      for _, owner in ipairs(owners:query():orderBy("id"):load("things", fill):many()) do
        for _, thing in ipairs(owner.things) do
          list[#list + 1] = owner.id .. thing.name
          assert.is_true(thing.seen)
        end
      end
      return table.concat(list, " ")
    end
    assert.equal("1c 1d 2e", names(function(q) q:big():orderBy("size", "desc"):limit(2) end))
    assert.equal("1d", names(function(q)
      q:where("fault_things.size", ">", 5):orderBy("size", "desc"):limit(2):offset(1)
    end))
    assert.equal("1c 2e", names(function(q) q:where("name", "c"):orWhere("size", ">", 5):orderBy("name"):limit(1) end))
    assert.equal("1a 2e", names(function(q) q:select("name"):orderBy("id"):limit(1) end))
    assert.equal("", names(function(q) q:limit(0) end))
    local first = owners:query():where("id", 2):load("things", function(q)
      q:orderBy("id"):limit(1):load("owner")
    end):one()
    assert.equal(2, first.things[1].owner.id)
    assert.equal("b", owners:query():where("id", 1):load("one", function(q)
      q:withDeleted():orderBy("size", "desc")
    end):one().one.name)
  end)

  it("a default of the database is honoured in columns that have functions", function()
    local function same(value)
      return value
    end
    local Kept = model "FaultKept" {
      id = column.integer { primaryKey = true },
      flag = column.boolean { default = true, prepare = same, serialize = same },
      doc = column.json { default = sql.object { a = 1 }, prepare = same },
      day = column.date { default = "2024-02-29", prepare = same },
      word = column.string { length = 20, default = "word", prepare = string.upper },
    }
    ds:dropTables({ Kept }, { ifExists = true })
    ds:createTables { Kept }
    local kept = Kept:using(ds)
    kept:insert { id = 1 }
    kept:insertMany { { id = 2 }, { id = 3, flag = false, word = "other" } }
    kept:upsert({ id = 4 }, {})
    kept:upsertMany({ "id" }, { { id = 5 } })
    kept:save { id = 6 }
    for _, row in ipairs(kept:query():orderBy("id"):many()) do
      assert.equal(row.id ~= 3, row.flag)
      assert.same({ a = 1 }, row.doc)
      assert.equal("2024-02-29", row.day)
      assert.equal(row.id == 3 and "OTHER" or "word", row.word)
    end
    assert.equal(6, kept:count())
    ds:dropTables { Kept }
  end)

  it("an average of whole amounts of money is as exact as any", function()
    local Price = model "FaultPrice" {
      id = column.increment(), amount = column.decimal { precision = 10, scale = 2 },
      long = column.decimal { precision = 30, scale = 4 },
    }
    ds:dropTables({ Price }, { ifExists = true })
    ds:createTables { Price }
    local prices = Price:using(ds)
    for _, amount in ipairs { "1.00", "1.00", "3.00" } do
      prices:insert { amount = amount, long = amount }
    end
    assert.equal(sql.decimal("1.666667"), prices:query():getAvg("amount"):div(1, 6))
    assert.equal(sql.decimal("1.66666667"), prices:query():getAvg("long"):div(1, 8))
    assert.equal(sql.decimal("1.666667"), prices:query():selectFunc("avg", "amount", "mean"):one().mean:div(1, 6))
    ds:dropTables { Price }
  end)

  it("observers see what runs in transactions, savepoints and streams", function()
    local seen = {}
    local watched = sql.connectToSecondarySource(config())
    watched:addObserver { onBeforeQuery = function(event) seen[#seen + 1] = event.sql end }
    watched:transaction(function()
      watched:rawQuery("SELECT 1 AS one")
      watched:transaction(function()
        watched:rawQuery("SELECT 2 AS two")
      end)
    end)
    local inner = table.concat(seen, "\n")
    for _, text in ipairs { "SELECT 1 AS one", "SAVEPOINT", "SELECT 2 AS two", "COMMIT" } do
      assert.truthy(inner:find(text, 1, true), text)
    end
    watched:dropTables({ Counted }, { ifExists = true })
    watched:createTables { Counted }
    seen = {}
    for _ in Counted:using(watched):query():stream() do end
    assert.truthy(table.concat(seen, "\n"):find("fault_counteds", 1, true))
    seen = {}
    assert.is_true(watched:ping().ok)
    assert.same({ "SELECT 1" }, seen) -- and nothing that reads the whole file
    watched:close()
  end)
end)
