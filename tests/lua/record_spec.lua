-- What a record knows of itself: which columns it was read with, what changed, what it shows.
local databases = require("tests.support.lua.databases")
local core = require("hysteria.core")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

local function columns(more)
  local literal = {
    id = column.increment(), name = column.string { length = 40 }, price = column.decimal { precision = 8, scale = 2 },
    settings = column.json(), isOn = column.boolean(), at = column.datetime { precision = 0 },
    note = column.text { hidden = true }, pin = column.string { length = 10, sensitive = true },
    items = hysteria.hasMany("RecItem", { foreignKey = "ownerId" }),
    first = hysteria.hasOne("RecItem", { foreignKey = "ownerId" }),
  }
  for key, value in pairs(more or {}) do
    literal[key] = value
  end
  return literal
end

local Thing = model "RecThing" (columns { hysteria.guarded { "isOn" } })
local Item = model "RecItem" { id = column.increment(), ownerId = column.integer(), label = column.string() }
local Tracked = model "RecTracked" (columns {
  hysteria.options { track = true }, hysteria.softDelete(), hysteria.timestamps(), ver = column.version(),
})

databases.each(function(ds)
  local things, items, tracked = Thing:using(ds), Item:using(ds), Tracked:using(ds)

  before_each(function()
    ds:dropTables({ Thing, Item, Tracked }, { ifExists = true })
    ds:createTables { Thing, Item, Tracked }
  end)

  local function full()
    return {
      name = "it's \"x\"\n", price = "10.50", settings = { list = sql.array {}, n = 1 }, at = "2020-02-03 04:05:06",
      note = "canary-note", pin = "canary-pin",
    }
  end

  local function statements_of(fn, ...)
    local seen = databases.watch(ds)
    fn(...)
    return seen.stop()
  end

  describe("a record whose write is undone", function()
    local Kept = model "RecKept" {
      hysteria.timestamps(), hysteria.softDelete(),
      hysteria.afterUpdate(function(_, ctx)
        if ctx.trx and ctx.record.name == "refused" then
          error("refused", 0)
        end
      end),
      id = column.increment(), name = column.string { length = 40 }, n = column.integer(), ver = column.version(),
      settings = column.json(), password = column.hashed(),
    }
    local kept = Kept:using(ds)

    before_each(function()
      ds:dropTables({ Kept }, { ifExists = true })
      ds:createTables { Kept }
      kept:insert { name = "a", n = 1, settings = { x = 1 }, password = "old password" }
    end)

    for _, track in ipairs { true, false } do
      local how = track and ", tracked" or ""

      it("is written again when the transaction is" .. how, function()
        local record, runs = kept:findOne { track = track }, 0
        record.n, record.settings, record.password = 5, { x = 2 }, "new password"
        ds:transaction(function()
          runs = runs + 1
          record:save()
          if runs == 1 then
            core.raise("DEADLOCK", "made up")
          end
        end, { retry = 2 })
        local stored = kept:findOne()
        assert.same({ 2, 5, 2, 2 }, { runs, stored.n, stored.settings.x, stored.ver })
        assert.is_true(stored:verify("password", "new password"))
        assert.same({ 5, 2 }, { record.n, record.ver })
        record:save()
        assert.is_true(kept:findOne():verify("password", "new password"))
      end)

      it("is what it was before, but for what was assigned since" .. how, function()
        local record = kept:findOne { track = track }
        local trx = ds:transaction()
        record.n = 2
        record:save { trx = trx }
        record.n = 3
        record:save { trx = trx }
        record:softDelete { trx = trx }
        record.name = "later"
        trx:rollback()
        record:save()
        local stored = kept:findOne()
        assert.same({ 3, "later", 2, 2 }, { stored.n, stored.name, stored.ver, record.ver })
        assert.is_nil(record.deletedAt)
      end)

      it("is told apart from one in a transaction around it" .. how, function()
        local record = kept:findOne { track = track }
        ds:transaction(function(trx)
          record.n = 2
          record:save()
          local inner = trx:savepoint()
          record.n = 3
          record:save { trx = inner }
          inner:rollback()
          record:save()
          assert.same({ 3, 3 }, { record.n, record.ver })
        end)
        assert.same({ 3, 3 }, { kept:findOne().n, kept:findOne().ver })
        record.n = 4
        assert.equal(4, record:save().ver)
      end)

      it("keeps what a hook refused" .. how, function()
        local record = kept:findOne { track = track }
        record.name = "refused"
        assert.is_false(pcall(record.save, record))
        assert.is_false(pcall(record.save, record))
        record.name = "b"
        assert.equal(2, record:save().ver)
        assert.equal("b", kept:findOne().name)
      end)
    end
  end)

  describe("a record that is written through a class", function()
    it("is written in the transaction and the source of that class", function()
      local thing = things:insert(full())
      for _, save in ipairs {
        function(class) class:save(thing) end,
        function(class) class:updateRecord(thing) end,
        function(_, bound) thing:save({ connection = bound }) end,
        function(_, bound) thing:update({ name = "other" }, { connection = bound }) end,
        function(_, bound) thing:delete({ connection = bound }) end,
      } do
        local trx <close> = ds:transaction() -- luacheck: ignore
        thing.name = "other"
        save(trx.sql:getModelManager(Thing), trx.sql)
        trx:rollback()
        assert.equal(full().name, things:findOne().name)
      end
    end)

    it("loads its relations there too", function()
      local thing = things:insert(full())
      local trx <close> = ds:transaction()
      trx.sql:getModelManager(Item):insert { ownerId = thing.id, label = "one" }
      thing:load("items", nil, { connection = trx.sql })
      assert.equal(1, #thing.items)
    end)
  end)

  describe("a record", function()
    it("tells a NULL from a column that was not read", function()
      things:insert { name = sql.null }
      local thing = things:query():select("id", "name"):one()
      assert.same({ true, true, false, false }, {
        thing:has("id"), thing:has("name"), thing:has("price"), thing:has("nothing"),
      })
      assert.is_nil(thing.name)
      assert.is_nil(thing.price)
    end)

    it("writes only what it was read with or given", function()
      things:insert(full())
      local thing = things:query():select("id", "name"):one()
      thing.name = "y"
      local seen = statements_of(thing.save, thing)
      for _, event in ipairs(seen) do
        assert.is_nil(event.sql:find("price", 1, true))
      end
      local stored = things:query():select("*", "note"):one()
      assert.same({ "y", "10.50", "canary-note", "canary-pin" }, {
        stored.name, tostring(stored.price), stored.note, stored.pin,
      })
    end)

    it("keeps what is hidden to itself", function()
      things:insert(full())
      local thing = things:query():select("*", "note"):one()
      assert.equal("canary-note", thing.note)
      assert.is_nil(thing:toTable().note)
      assert.is_nil(thing:toJson():find("canary%-note"))
      assert.is_nil(tostring(thing):find("canary", 1, true))
      assert.is_false(things:findOne():has("note"))
      thing.note = "canary-other"
      thing:save()
      assert.equal("canary-other", things:query():select("note"):one().note)
    end)

    it("becomes JSON that reads back as it was stored", function()
      local thing = things:insert(full())
      items:insertMany { { ownerId = thing.id, label = "a" }, { ownerId = thing.id, label = "b" } }
      thing:load("items"):load("first")
      local decoded = hysteria.json.decode(thing:toJson())
      assert.same({ "it's \"x\"\n", "10.50", "2020-02-03 04:05:06" }, { decoded.name, decoded.price, decoded.at })
      assert.equal(sql.jsonNull, decoded.isOn)
      assert.is_truthy(thing:toJson():find("\"list\":[]", 1, true))
      assert.same({ "a", "b" }, { decoded.items[1].label, decoded.items[2].label })
      assert.equal(thing.id, decoded.first.ownerId)
      local lonely = things:insert { name = "z" }
      lonely:load("items")
      assert.is_truthy(lonely:toJson():find("\"items\":[]", 1, true))
    end)

    it("becomes a plain table, all the way down", function()
      local thing = things:insert(full())
      items:insert { ownerId = thing.id, label = "a" }
      local plain = thing:load("items"):toTable()
      assert.is_nil(getmetatable(plain))
      assert.is_nil(getmetatable(plain.items[1]))
      assert.same({ { id = 1, ownerId = thing.id, label = "a" } }, plain.items)
      plain.name = "changed"
      assert.are_not.equal("changed", thing.name)
    end)

    it("is shown by print", function()
      local thing = things:insert(full())
      items:insert { ownerId = thing.id, label = "a" }
      local text = tostring(thing:load("items"):load("first"))
      assert.matches("^RecThing { id = 1, ", text)
      assert.is_truthy(text:find("price = 10.50", 1, true))
      assert.is_truthy(text:find("pin = ***", 1, true))
      assert.is_truthy(text:find("items = [1]", 1, true))
      assert.is_truthy(text:find("first = RecItem", 1, true))
    end)

    it("takes several fields at once, but no guarded and no unknown ones", function()
      local thing = things:insert(full())
      assert.equal("m", thing:mergeProps({ name = "m", price = "1.25" }).name)
      assert.equal(0, things:where("name", "m"):count())
      assert.equal("GUARDED_COLUMN", error_of(thing.mergeProps, thing, { name = "n", isOn = true }).code)
      assert.equal("m", thing.name)
      assert.equal("UNDEFINED_COLUMN", error_of(thing.mergeProps, thing, { nam = "n" }).code)
      assert.is_true(thing:mergeProps({ isOn = true }, { unguarded = true }).isOn)
      thing:save()
      assert.same({ true, "1.25" }, { things:findOne().isOn, tostring(things:findOne().price) })
    end)

    it("that is gone says so", function()
      local thing = things:insert(full())
      assert.equal(1, thing:delete())
      assert.equal(0, thing:delete())
      assert.is_nil(thing:refresh())
      thing.name = "q"
      assert.equal("ROW_NOT_FOUND", error_of(thing.save, thing).code)
      assert.equal("INVALID_MODEL", error_of(thing.softDelete, thing).code)
      assert.equal(0, things:count())
    end)
  end)

  describe("a tracked record", function()
    it("writes nothing where nothing changed", function()
      tracked:insert(full())
      local thing = tracked:findOne()
      thing.price = sql.decimal("10.5")
      thing.settings = { n = 1, list = sql.array {} }
      thing.name = "it's \"x\"\n"
      assert.equal(0, #statements_of(thing.save, thing))
      assert.equal(1, thing.ver)
    end)

    it("writes what changed, also inside a document, once", function()
      for _, read in ipairs { function()
        return tracked:insert(full())
      end, function()
        return tracked:query():orderBy("id", "desc"):first()
      end } do
        local thing = read()
        thing.settings.n = thing.settings.n + 1
        local seen = statements_of(thing.save, thing)
        assert.is_true(#seen > 0)
        for _, event in ipairs(seen) do
          assert.is_nil(event.operation == "UPDATE" and event.sql:find("price", 1, true) or nil)
        end
        assert.equal(0, #statements_of(thing.save, thing))
        thing.price = sql.null
        thing:save()
        assert.is_nil(tracked:findOneByPrimaryKey(thing.id).price)
        assert.equal(0, #statements_of(thing.save, thing))
      end
    end)

    it("knows what update, refresh and soft deletion brought", function()
      local thing = tracked:insert(full())
      thing:update { name = "u" }
      assert.equal(0, #statements_of(thing.save, thing))
      ds:rawQuery("update rec_trackeds set name = 'elsewhere'")
      thing:refresh()
      assert.equal("elsewhere", thing.name)
      assert.equal(0, #statements_of(thing.save, thing))
      thing:softDelete()
      assert.equal(0, #statements_of(thing.save, thing))
      thing:restore()
      assert.equal(0, #statements_of(thing.save, thing))
      assert.equal(tracked:findOne().updatedAt, thing.updatedAt)
    end)

    it("is asked for by a query, or not", function()
      things:insert(full())
      local thing = things:query({ track = true }):one()
      assert.equal(0, #statements_of(thing.save, thing))
      thing = things:query():one({ track = true })
      assert.equal(0, #statements_of(thing.save, thing))
      thing = things:find({ track = true })[1]
      assert.equal(0, #statements_of(thing.save, thing))
      tracked:insert(full())
      thing = tracked:findOne { track = false }
      assert.is_true(#statements_of(thing.save, thing) > 0)
    end)

    it("is asked for by a write, or not", function()
      local function with_id(id)
        local row = full()
        row.id = id
        return row
      end
      local given = { track = true }
      local untracked = things:insert(full())
      local soft = tracked:insert(full())
      local WRITES = {
        insert = function() return things:insert(full(), given) end,
        insertMany = function() return things:insertMany({ full(), full(), full() }, given) end,
        ["insertMany of one"] = function() return things:insertMany({ full() }, given) end,
        upsert = function() return things:upsert({ id = 1 }, full(), given) end,
        upsertMany = function() return things:upsertMany({ "id" }, { with_id(1), with_id(1008) }, given) end,
        save = function() return things:save(with_id(1009), given) end,
        ["save of a record"] = function() return things:save(untracked, given) end,
        updateRecord = function() return things:updateRecord(1, { name = "new" }, given) end,
        ["updateRecord of a record"] = function() return things:updateRecord(untracked, nil, given) end,
        firstOrInsert = function() return (things:firstOrInsert({ name = "first" }, { pin = "1" }, given)) end,
        softDelete = function() return tracked:softDelete(soft.id, given) end,
        restore = function() return tracked:restore(soft.id, given) end,
      }
      for name, write in pairs(WRITES) do
        local result = write()
        for _, record in ipairs(result.save and { result } or result) do
          assert.equal(0, #statements_of(record.save, record), name)
        end
      end
      local other = things:insertMany({ full(), full() })[2]
      assert.is_true(#statements_of(other.save, other) > 0)
    end)

    it("keeps what its caller has assigned and not written", function()
      local thing = things:insert(full())
      thing.pin = "new"
      things:updateRecord(thing, { name = "other" }, { track = true })
      thing:save()
      assert.equal("new", things:findOneByPrimaryKey(thing.id).pin)
    end)

    it("forgets without keeping records alive", function()
      tracked:insert(full())
      local weak = setmetatable({ tracked:findOne() }, { __mode = "v" })
      collectgarbage()
      collectgarbage()
      assert.is_nil(weak[1])
    end)
  end)
end)
