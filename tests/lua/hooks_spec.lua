-- Hooks: when they fire, what they get, and that raising undoes the write.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model = hysteria.column, hysteria.model
local error_of = databases.error_of

databases.each(function(ds)
  local log, contexts

  local function note(name)
    return hysteria[name](function(subject, ctx)
      log[#log + 1] = name
      contexts[name] = { subject = subject, ctx = ctx }
    end)
  end

  local Noisy = model "Noisy" {
    note("beforeInsert"), note("afterInsert"), note("beforeUpdate"), note("afterUpdate"), note("beforeSave"),
    note("afterSave"), note("beforeDelete"), note("afterDelete"), note("beforeFetch"), note("afterFetch"),
    note("validate"),
    id = column.increment(), name = column.string(), age = column.integer(),
  }
  local Audit = model "Audit" { id = column.increment(), text = column.string() }
  local audits = Audit:using(ds)
  local Strict = model "Strict" {
    hysteria.beforeInsert(function(row)
      audits:insert { text = "before " .. row.name }
      row.name = row.name .. "!"
      if row.name == "bad!" then
        error({ mine = true })
      end
    end),
    hysteria.afterInsert(function(row)
      audits:insert { text = "after " .. row.id }
      if row.name == "late!" then
        error("too late")
      end
    end),
    hysteria.beforeDelete(function(_, ctx)
      audits:insert { text = "delete" }
      if ctx.bulk then
        error("not in bulk")
      end
    end),
    hysteria.afterUpdate(function()
      audits:insert { text = "updated" }
      error("never")
    end),
    id = column.increment(), name = column.string(),
  }
  local Scoped = model "Scoped" {
    hysteria.scope("named", function(query, name) query:where("name", name) end),
    hysteria.scope("either", function(query) query:where("name", "a"):orWhere("name", "b") end),
    hysteria.scope("sorted", function(query) query:orderBy("id", "desc") end),
    hysteria.defaultScope(function(query) query:where("tenant", 1) end),
    id = column.increment(), name = column.string(), tenant = column.integer { default = 1 },
  }
  local Fetching = model "Fetching" {
    hysteria.beforeFetch(function(query, ctx)
      assert(ctx.operation == "fetch" and ctx.query == query)
      query:where("visible", true)
    end),
    hysteria.afterFetch(function(list)
      for _, row in ipairs(list) do
        row.name = (row.name or "") .. "*"
      end
    end),
    hysteria.afterFetch(function(list)
      local kept = {}
      for _, row in ipairs(list) do
        if row.name ~= "drop*" then
          kept[#kept + 1] = row
        end
      end
      return kept
    end),
    id = column.increment(), name = column.string(), visible = column.boolean { default = true },
  }
  local Many = model "ManyHooked" {
    hysteria.beforeInsertMany(function(rows, ctx)
      assert(ctx.bulk)
      for index, row in ipairs(rows) do
        row.age = index
      end
    end),
    hysteria.afterInsertMany(function(records) audits:insert { text = "many " .. #records } end),
    hysteria.beforeInsert(function() audits:insert { text = "single" } end),
    id = column.increment(), age = column.integer(),
  }
  local Soft = model "SoftHooked" {
    hysteria.softDelete(),
    hysteria.beforeDelete(function() audits:insert { text = "fell back" } end),
    hysteria.beforeRestore(function() audits:insert { text = "restore" } end),
    id = column.increment(), name = column.string(),
  }
  local all = { Noisy, Audit, Strict, Scoped, Fetching, Many, Soft }
  local noisy, strict = Noisy:using(ds), Strict:using(ds)

  local function texts()
    local list = {}
    for index, row in ipairs(ds:rawQuery("SELECT text FROM audits ORDER BY id")) do
      list[index] = row.text
    end
    return list
  end

  before_each(function()
    log, contexts = {}, {}
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
  end)

  describe("write hooks", function()
    it("fire around an insert, in order, with their subjects", function()
      local given = { name = "a" }
      local row = noisy:insert(given)

      assert.same({ "validate", "beforeSave", "beforeInsert", "afterInsert", "afterSave" }, log)
      assert.not_equal(given, contexts.beforeInsert.subject)
      assert.equal(row, contexts.afterInsert.subject)
      local ctx = contexts.beforeInsert.ctx
      assert.equal("insert", ctx.operation)
      assert.equal(Noisy, ctx.model)
      assert.equal(ds, ctx.source)
      assert.is_false(ctx.bulk)
      assert.is_truthy(ctx.trx)
    end)

    it("fire for every row of insertMany", function()
      noisy:insertMany { { name = "a" }, { name = "b" } }
      local fired = {}
      for _, name in ipairs(log) do
        fired[name] = (fired[name] or 0) + 1
      end
      assert.same({ validate = 2, beforeSave = 2, beforeInsert = 2, afterInsert = 2, afterSave = 2 }, fired)
    end)

    it("get the lists where there are hooks for lists", function()
      local list = Many:using(ds):insertMany { {}, {}, {} }
      assert.same({ 1, 2, 3 }, { list[1].age, list[2].age, list[3].age })
      assert.same({ "many 3" }, texts())
      Many:using(ds):insert {}
      assert.same({ "many 3", "single" }, texts())
    end)

    it("fire around updates of a record and of a builder", function()
      local row = noisy:insert { name = "a" }
      log = {}
      row:update { name = "b" }
      assert.same({ "validate", "beforeSave", "beforeUpdate", "afterUpdate", "afterSave" }, log)
      assert.equal(row, contexts.afterUpdate.subject)
      assert.same({ 1 }, contexts.beforeUpdate.ctx.ids)

      log = {}
      noisy:where("id", row.id):update { name = "c" }
      assert.same({ "validate", "beforeSave", "beforeUpdate", "afterUpdate", "afterSave" }, log)
      assert.is_true(contexts.beforeUpdate.ctx.bulk)
      assert.equal("c", contexts.beforeUpdate.subject.name)
      assert.is_truthy(contexts.beforeUpdate.ctx.query)

      log = {}
      noisy:where("id", row.id):increment("age")
      assert.same({ "validate", "beforeUpdate", "afterUpdate" }, log)

      log = {}
      row.name = "d"
      row:save()
      assert.same({ "validate", "beforeSave", "beforeUpdate", "afterUpdate", "afterSave" }, log)
    end)

    it("fire around deletes", function()
      local row = noisy:insert { name = "a" }
      noisy:insert { name = "b" }
      log = {}
      row:delete()
      assert.same({ "beforeDelete", "afterDelete" }, log)
      assert.equal(row, contexts.beforeDelete.subject)

      noisy:deleteRecord(2)
      assert.equal("b", contexts.beforeDelete.subject.name)
      noisy:where("id", ">", 0):delete()
      assert.is_true(contexts.beforeDelete.ctx.bulk)
    end)

    it("after a write are silent where nothing was written", function()
      local row = noisy:insert { name = "a" }
      noisy:where("id", row.id):delete({ ignoreHooks = true })
      log = {}
      assert.equal(0, row:delete())
      assert.equal(0, noisy:deleteRecord(row.id))
      assert.same({}, log)
      assert.equal(0, noisy:where("name", "b"):delete())
      assert.same({}, noisy:where("name", "b"):delete { returning = true })
      assert.equal(0, noisy:where("name", "b"):update { age = 1 })
      assert.equal(0, noisy:where("name", "b"):increment("age"))
      assert.equal(0, noisy:updateMany { { id = row.id, age = 1 } })
      for _, name in ipairs(log) do
        assert.is_nil(name:find("after"))
      end

      noisy:insertMany { { name = "b", age = 1 }, { name = "b", age = 1 } }
      noisy:where("name", "b"):update { age = 2 }
      assert.equal(2, contexts.afterUpdate.ctx.count)
      noisy:where("name", "b"):delete { returning = true }
      assert.equal(2, contexts.afterDelete.ctx.count)
    end)

    it("of a delete by key see the row as it is read", function()
      local seen = {}
      local Coded = model "Coded" {
        hysteria.tableName("noisies"), hysteria.beforeDelete(function(row) seen[#seen + 1] = row.name end),
        id = column.increment(), name = column.string { serialize = string.upper }, age = column.integer(),
      }
      local id = noisy:insert({ name = "a" }).id
      Coded:using(ds):deleteRecord(id)
      assert.same({ "A" }, seen)
    end)

    it("of deletion stand in for soft deletion", function()
      local soft = Soft:using(ds)
      local row = soft:insert { name = "a" }
      row:softDelete()
      soft:query():onlyDeleted():where("id", row.id):restore()
      soft:where("id", row.id):softDelete()
      assert.same({ "fell back", "restore", "fell back" }, texts())
    end)

    it("can be skipped, all or by name", function()
      noisy:insert({ name = "a" }, { ignoreHooks = true })
      assert.same({}, log)
      noisy:insert({ name = "a" }, { ignoreHooks = { "beforeInsert", "validate" } })
      assert.same({ "beforeSave", "afterInsert", "afterSave" }, log)
      log = {}
      noisy:insertMany({ { name = "a" } }, { ignoreHooks = true })
      noisy:where("name", "a"):update({ name = "b" }, { ignoreHooks = true })
      noisy:where("name", "b"):delete { ignoreHooks = true }
      assert.same({}, log)
    end)

    it("can be added later and run last", function()
      local Late = model "Late" { id = column.increment(), name = column.string() }
      ds:createTables({ Late }, { ifNotExists = true })
      Late:using(ds):insert { name = "x" }
      Late:hook("beforeInsert", function(row) row.name = row.name .. "y" end)
      assert.equal("xy", Late:using(ds):insert({ name = "x" }).name)
    end)
  end)

  describe("raising in a hook", function()
    it("passes the error and undoes what hooks and write did", function()
      local err = error_of(strict.insert, strict, { name = "bad" })
      assert.is_true(err.mine)
      assert.matches("too late", error_of(strict.insert, strict, { name = "late" }))
      assert.same({}, texts())
      assert.equal(0, ds:rawQuery("SELECT count(*) AS n FROM stricts")[1].n)

      error_of(strict.insertMany, strict, { { name = "ok" }, { name = "bad" } })
      assert.equal(0, ds:rawQuery("SELECT count(*) AS n FROM stricts")[1].n)
    end)

    it("undoes only that write inside a transaction", function()
      ds:transaction(function()
        strict:insert { name = "one" }
        pcall(strict.insert, strict, { name = "late" })
        strict:insert { name = "two" }
      end)
      local names = {}
      for index, row in ipairs(ds:rawQuery("SELECT name FROM stricts ORDER BY id")) do
        names[index] = row.name
      end
      assert.same({ "one!", "two!" }, names)
      assert.equal(4, #texts())
    end)

    it("undoes an update or a bulk delete", function()
      strict:insert { name = "a" }
      error_of(function() strict:where("id", 1):update { name = "b" } end)
      error_of(function() strict:where("id", 1):delete() end)
      assert.equal("a!", ds:rawQuery("SELECT name FROM stricts")[1].name)
      assert.same({ "before a", "after 1" }, texts())
    end)
  end)

  describe("fetch hooks", function()
    before_each(function()
      local fetching = Fetching:using(ds)
      fetching:insertMany { { name = "a" }, { name = "b", visible = false }, { name = "drop" } }
    end)

    it("fire on every kind of read", function()
      local fetching = Fetching:using(ds)
      assert.equal("a*", fetching:findOneByPrimaryKey(1).name)
      assert.is_nil(fetching:findOneByPrimaryKey(2))
      assert.is_nil(fetching:findOneByPrimaryKey(3))
      assert.equal(1, #fetching:find())
      assert.equal(2, fetching:count())
      assert.is_false(fetching:query():where("name", "b"):exists())
      assert.same({ "a", "drop" }, fetching:query():orderBy("id"):pluck("name"))
      assert.equal(3, fetching:query():getMax("id"))
    end)

    it("add conditions that an OR cannot escape", function()
      assert.equal(1, #Fetching:using(ds):where("name", "a"):orWhere("name", "b"):many())
    end)

    it("leave the builder as it was", function()
      local q = Fetching:using(ds):where("id", ">", 0)
      q:many()
      q:many()
      assert.is_nil(q:toQuery("sqlite"):find("visible", 20 + (q:toQuery("sqlite"):find("FROM", 1, true)), true))
    end)

    it("can be skipped", function()
      local fetching = Fetching:using(ds)
      assert.equal(3, #fetching:find { ignoreHooks = true })
      assert.equal(3, fetching:query():getCount({ ignoreHooks = { "beforeFetch" } }))
      assert.equal("a", fetching:query():where("id", 1):one({ ignoreHooks = { "afterFetch" } }).name)
      assert.equal("b*", fetching:query({ ignoreHooks = { "beforeFetch" } }):where("id", 2):one().name)
      assert.equal(3, #fetching:query():ignoreHooks():many())
    end)

    it("do not fire on what an insert gives back", function()
      noisy:insert { name = "a" }
      for _, name in ipairs(log) do
        assert.is_nil(name:find("Fetch", 1, true))
      end
    end)
  end)

  describe("scopes", function()
    local scoped

    before_each(function()
      scoped = Scoped:using(ds)
      scoped:insertMany { { name = "a" }, { name = "b" }, { name = "c" }, { name = "a", tenant = 2 } }
    end)

    it("are verbs of class and query", function()
      assert.equal(1, #scoped:named("a"):many())
      assert.equal(2, #scoped:query():either():many())
      assert.equal(3, scoped:query():sorted():one().id)
      assert.equal(1, #scoped:query():scope("named", "c"):many())
    end)

    it("are grouped apart from other conditions", function()
      assert.equal(0, #scoped:where("name", "c"):either():many())
      assert.equal(2, #scoped:where("name", "c"):orWhere("name", "a"):orWhere("name", "b"):either():many())
    end)

    it("that stand by default can be left off", function()
      assert.equal(3, scoped:count())
      assert.equal(4, scoped:query():withoutDefaultScope():getCount())
      assert.equal(1, scoped:where("name", "a"):update { name = "z" })
      assert.equal(1, ds:rawQuery("SELECT count(*) AS n FROM scopeds WHERE name = 'a'")[1].n)
    end)

    it("with a condition allow a write, without one do not", function()
      assert.equal(1, scoped:named("b"):delete())
      assert.equal("MISSING_WHERE", error_of(function() scoped:query():sorted():delete() end).code)
    end)

    it("cannot have the name of a verb", function()
      assert.equal("RESERVED_NAME", error_of(model, "BadScope", {
        hysteria.scope("where", function() end), id = column.increment(),
      }).code)
      assert.equal("RESERVED_NAME", error_of(model, "BadScope", {
        hysteria.scope("find", function() end), id = column.increment(),
      }).code)
    end)
  end)
end)
