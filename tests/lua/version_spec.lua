-- column.version(): every write of a record checks that nobody changed its row meanwhile, and
-- every update counts. On one connection with two records, and with tasks that race.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

describe("column.version", function()
  it("is one a model, and cannot be hidden", function()
    assert.equal("INVALID_MODEL", error_of(function()
      model "VersionTwice" { id = column.increment(), a = column.version(), b = column.version() }
    end).code)
    assert.equal("INVALID_MODEL", error_of(column.version, { hidden = true }).code)
    assert.equal("UNKNOWN_OPTION", error_of(column.version, { default = 7 }).code)
  end)
end)

databases.each(function(ds, database)
  local Doc = model "VersionDoc" {
    hysteria.timestamps(),
    hysteria.softDelete(),
    id = column.increment(),
    title = column.string(),
    count = column.integer { default = 0 },
    version = column.version { databaseName = "lock_version" },
  }
  local Loose = model "VersionLoose" { id = column.increment(), count = column.integer() }
  local Hooked = model "VersionHooked" {
    hysteria.afterUpdate(function(row) row.seen = true end),
    hysteria.beforeDelete(function() end),
    hysteria.primaryKey { "a", "b" },
    a = column.integer(), b = column.integer(), title = column.string(), version = column.version(),
    seen = column.boolean(),
  }
  local docs, hooked = Doc:using(ds), Hooked:using(ds)

  local function stored(id)
    local row = ds:rawQuery("SELECT title, lock_version AS v FROM version_docs WHERE id = ?", { id })[1]
    return row and row.v, row and row.title
  end

  local function stale(fn, ...)
    local err = error_of(fn, ...)
    assert.equal("STALE_RECORD", err.code, tostring(err))
    assert.equal("data", err.kind)
    assert.equal("VersionDoc", err.model)
  end

  setup(function()
    ds:dropTables({ Doc, Loose, Hooked }, { ifExists = true })
    ds:createTables { Doc, Loose, Hooked }
  end)

  before_each(function()
    for _, name in ipairs { "version_docs", "version_looses", "version_hookeds" } do
      ds:rawQuery("DELETE FROM " .. name)
    end
  end)

  it("starts at 1 on every kind of insert", function()
    local rows = docs:insertMany { { title = "a" }, { title = "b" } }
    rows[3] = docs:insert { title = "c" }
    rows[4] = docs:save { title = "d" }
    rows[5] = docs:firstOrInsert({ title = "e" })
    rows[6] = docs:insert { title = "f", version = 9 }
    docs:insertMany({ { title = "g" } }, { returning = false })
    ds:rawQuery("INSERT INTO version_docs (title, created_at, updated_at) VALUES ('raw', ?, ?)", {
      "2024-01-01 00:00:00", "2024-01-01 00:00:00",
    })

    for index = 1, 5 do
      assert.equal(1, rows[index].version, index)
      assert.equal(1, (stored(rows[index].id)))
    end
    assert.equal(9, rows[6].version)
    assert.equal(2, docs:query():where("version", 1):whereIn("title", { "g", "raw" }):count())
  end)

  it("counts every write of a record, and the record knows", function()
    local doc = docs:insert { title = "a" }
    local writes = {
      function() doc.title = "b"; doc:save() end,
      function() doc:update { title = "c" } end,
      function() docs:save(doc) end,
      function() docs:updateRecord(doc, { title = "d" }) end,
      function() doc:softDelete() end,
      function() doc:restore() end,
      function() docs:softDelete(doc) end,
      function() docs:restore(doc) end,
    }
    for index, write in ipairs(writes) do
      write()
      assert.equal(index + 1, doc.version, index)
      assert.equal(index + 1, (stored(doc.id)), index)
    end
    doc:refresh()
    assert.equal(#writes + 1, doc.version)
    assert.equal(1, doc:delete())
  end)

  it("refuses every write of a record whose row has moved on", function()
    local writes = {
      function(old) old.title = "mine"; old:save() end,
      function(old) old:update { title = "mine" } end,
      function(old) docs:save(old) end,
      function(old) docs:updateRecord(old, { title = "mine" }) end,
      function(old) docs:updateRecord(old.id, { title = "mine", version = old.version }) end,
      function(old) docs:save { id = old.id, title = "mine", version = old.version } end,
      function(old) old:softDelete() end,
      function(old) docs:softDelete(old) end,
      function(old) old:delete() end,
      function(old) docs:deleteRecord(old) end,
      function(old)
        old.title = "mine"
        ds:transaction(function() old:save() end)
      end,
    }
    for index, write in ipairs(writes) do
      local old = docs:insert { title = "first" }
      docs:findOneByPrimaryKey(old.id):update { title = "theirs" }

      stale(write, old)
      local version, title = stored(old.id)
      assert.equal(2, version, index)
      assert.equal("theirs", title, index)
      assert.equal(1, old.version)
    end
  end)

  it("refuses a write of a record whose row is gone", function()
    local doc = docs:insert { title = "a" }
    docs:deleteRecord(doc.id)

    stale(doc.update, doc, { title = "b" })
    stale(doc.delete, doc)
    stale(doc.softDelete, doc)
    stale(docs.save, docs, { id = doc.id, title = "b", version = 1 })
    assert.is_nil((stored(doc.id)))
    assert.equal("ROW_NOT_FOUND", error_of(docs.updateRecord, docs, doc.id, { title = "b" }).code)
    assert.equal(0, docs:deleteRecord(doc.id))
  end)

  it("goes on after a refresh", function()
    local doc = docs:insert { title = "a" }
    docs:findOneByPrimaryKey(doc.id):update { title = "b" }
    stale(doc.update, doc, { title = "c" })

    doc:refresh():update { title = "c" }
    assert.same({ 3, "c" }, { stored(doc.id) })
  end)

  it("takes the version that a client sent back", function()
    local doc = docs:insert { title = "a" }

    local written = docs:updateRecord(doc.id, { title = "b", version = 1 })
    assert.equal(2, written.version)
    assert.equal(3, docs:save({ id = doc.id, title = "c", version = 2 }).version)
    assert.equal(4, doc:update({ title = "d", version = 3 }).version)
    assert.equal("INVALID_ARGUMENT", error_of(docs.updateRecord, docs, doc.id, { title = "b", version = "4" }).code)
    assert.equal("INVALID_ARGUMENT", error_of(docs.updateRecord, docs, doc.id, { version = sql.null }).code)
  end)

  it("is not checked where no version is known: by key alone", function()
    local doc = docs:insert { title = "a" }

    docs:updateRecord(doc.id, { title = "b" })
    docs:save { id = doc.id, title = "c" }
    assert.same({ 3, "c" }, { stored(doc.id) })
  end)

  it("is needed by a record that wants to write", function()
    docs:insert { title = "a" }
    local partial = docs:query():select("id", "title"):one()

    partial.title = "b"
    local err = error_of(partial.save, partial)
    assert.equal("INVALID_ARGUMENT", err.code)
    assert.matches("version", err.message, 1, true)
    assert.equal("INVALID_ARGUMENT", error_of(partial.delete, partial).code)
  end)

  it("is counted by builder updates, in SQL", function()
    local doc = docs:insert { title = "a" }
    docs:insert { title = "other" }
    local mine = docs:query():where("id", doc.id)

    assert.equal(1, mine:update { title = "b" })
    assert.equal(1, mine:increment("count", 5))
    assert.equal(1, mine:softDelete())
    assert.equal(1, docs:query():where("id", doc.id):onlyDeleted():restore())
    assert.equal(6, docs:query():where("id", doc.id):update({ title = "c" }, { returning = true })[1].version)
    assert.equal(1, docs:query():where("id", doc.id):limit(1):update { title = "d" })
    assert.same({ 7, "d" }, { stored(doc.id) })
    assert.same({ 1 }, docs:query():where("title", "other"):pluck("version"))
    stale(doc.save, doc)
  end)

  it("is not written by hand", function()
    local doc = docs:insert { title = "a" }
    local all = docs:query():allRows()

    for _, attempt in ipairs {
      function() all:update { version = 1 } end,
      function() all:increment("version") end,
      function() all:increment("lock_version") end,
      function() docs:update({ lock_version = 1 }, { where = { id = doc.id } }) end,
    } do
      assert.equal("INVALID_ARGUMENT", error_of(attempt).code)
    end
    assert.equal(1, (stored(doc.id)))
  end)

  it("works with a key of several columns, hooks and tracking", function()
    hooked:insert { a = 1, b = 2, title = "x" }
    local first, second = hooked:query():one({ track = true }), hooked:query():one()

    first:save()
    assert.equal(1, first.version)
    first.title = "y"
    first:save()
    assert.equal(2, first.version)
    assert.is_true(first.seen)
    assert.equal("STALE_RECORD", error_of(second.save, second).code)
    assert.equal("STALE_RECORD", error_of(second.delete, second).code)
    assert.equal("y", second:refresh().title)
    assert.equal(1, second:delete())
  end)

  it("runs after-hooks of no write that was refused", function()
    local calls = 0
    local Watched = model "VersionWatched" {
      hysteria.tableName("version_docs"),
      hysteria.afterUpdate(function() calls = calls + 1 end), hysteria.afterDelete(function() calls = calls + 1 end),
      id = column.increment(), title = column.string(), version = column.version { databaseName = "lock_version" },
    }
    local doc = docs:insert { title = "a" }
    local old = Watched:using(ds):findOneByPrimaryKey(doc.id)
    doc:update { title = "b" }

    assert.equal("STALE_RECORD", error_of(old.update, old, { title = "c" }).code)
    assert.equal("STALE_RECORD", error_of(old.delete, old).code)
    assert.equal(0, calls)
  end)

  -- ---- racing ---------------------------------------------------------------------------------

  local TASKS, ROUNDS = 4, 5

  -- Each task adds one to a count that it reads and writes, `try` says how. Gives the count.
  local function race(class, id, try)
    async.run(function()
      local list = {}
      for index = 1, TASKS do
        list[index] = function()
          for _ = 1, ROUNDS do
            try(function()
              local row = class:findOneByPrimaryKey(id)
              async.sleep(1) -- the others read too
              row.count = row.count + 1
              row:save()
            end)
          end
        end
      end
      async.all(list)
    end)
    return class:findOneByPrimaryKey(id).count
  end

  it("loses no update of tasks that race on " .. database, function()
    local conflicts = 0
    local doc = docs:insert { title = "a", count = 0 }
    local count = race(docs, doc.id, function(attempt)
      while true do
        local ok, err = pcall(attempt)
        if ok then
          return
        elseif err.code ~= "STALE_RECORD" then
          error(err, 0)
        end
        conflicts = conflicts + 1
      end
    end)

    assert.is_true(conflicts > 0)
    assert.equal(TASKS * ROUNDS, count)
    assert.equal(TASKS * ROUNDS + 1, (stored(doc.id)))
  end)

  it("is missed where it is missing: the same race loses updates on " .. database, function()
    local loose = Loose:using(ds)
    local row = loose:insert { count = 0 }

    local count = race(loose, row.id, function(attempt) attempt() end)
    assert.is_true(count < TASKS * ROUNDS, count)
  end)

  it("is decided once where two transactions write the same row", function()
    local doc = docs:insert { title = "a" }
    local first, second = docs:findOneByPrimaryKey(doc.id), docs:findOneByPrimaryKey(doc.id)
    local outcomes = async.run(function()
      local function attempt(record, title)
        return function()
          local ok, err = pcall(ds.transaction, ds, function()
            record:update { title = title }
            async.sleep(5)
          end, { isolationLevel = database ~= "sqlite" and "READ COMMITTED" or nil })
          return ok and "written" or err.code
        end
      end
      return async.all { attempt(first, "first"), attempt(second, "second") }
    end)

    table.sort(outcomes)
    assert.same({ "STALE_RECORD", "written" }, { outcomes[1], outcomes[2] })
    assert.equal(2, (stored(doc.id)))
  end)
end, { shared = true, pool = { max = 4 } })
