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

databases.each(function(ds)
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
end)
