-- Default scopes and what is written by a key: a row that the scope leaves out is not there, for
-- no verb, unless the call says withoutDefaultScope. Think of tenants.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local model, column = hysteria.model, hysteria.column
local error_of = databases.error_of

local tenant = 1
local function own(q)
  q:where("tenant", tenant)
end

local Paper = model "ScopedPaper" {
  hysteria.softDelete(), hysteria.defaultScope(own), hysteria.unique { "code" },
  id = column.integer { primaryKey = true }, tenant = column.integer(),
  code = column.string { length = 20 }, title = column.string(),
  secret = column.hashed { hidden = true, strength = "interactive" },
}
local heard = {}
local function hear(name)
  return function()
    heard[#heard + 1] = name
  end
end
local Watched = model "ScopedWatched" {
  hysteria.tableName("scoped_papers"), hysteria.softDelete(), hysteria.defaultScope(own),
  hysteria.unique { "code" },
  hysteria.beforeDelete(hear("beforeDelete")), hysteria.afterDelete(hear("afterDelete")),
  hysteria.afterUpdate(hear("afterUpdate")),
  id = column.integer { primaryKey = true }, tenant = column.integer(), code = column.string { length = 20 },
  title = column.string(),
}
local Owner = model "ScopedOwner" { id = column.integer { primaryKey = true }, open = column.boolean() }
-- A scope that says much more than a condition.
local Joined = model "ScopedJoined" {
  id = column.integer { primaryKey = true }, ownerId = column.integer(), title = column.string(),
  hysteria.defaultScope(function(q)
    q:select("scoped_joineds.id"):join("scoped_owners", "id", "ownerId"):where("scoped_owners.open", true)
      :orderBy("scoped_joineds.title"):limit(1)
  end),
}

databases.each(function(ds)
  local papers, watched, joined = Paper:using(ds), Watched:using(ds), Joined:using(ds)
  local mine, theirs

  setup(function()
    ds:dropTables({ Paper, Owner, Joined }, { ifExists = true })
    ds:createTables { Paper, Owner, Joined }
  end)

  before_each(function()
    tenant, heard = 1, {}
    ds:query("scoped_papers"):allRows():delete()
    papers:insertMany {
      { id = 1, tenant = 1, code = "a", title = "mine" }, { id = 2, tenant = 2, code = "b", title = "theirs" },
    }
    mine, theirs = papers:findOneByPrimaryKey(1), papers:query():withoutDefaultScope():where("id", 2):one()
  end)

  local function stored()
    local list = {}
    for _, row in ipairs(ds:query("scoped_papers"):orderBy("id"):many()) do
      list[#list + 1] = ("%d %d %s%s"):format(row.id, row.tenant, row.title, row.deleted_at and " deleted" or "")
    end
    return list
  end

  local UNTOUCHED = { "1 1 mine", "2 2 theirs" }

  -- fn(target, subject, options): what `code` names happens to the row of another, which stays as it is.
  local function refused(code, fn)
    for name, class in next, { papers = papers, watched = watched } do
      local err = error_of(function() fn(class) end)
      assert.equal(code, err and err.code, name)
      assert.same(UNTOUCHED, stored())
    end
  end

  it("find no row of somebody else by its key", function()
    refused("ROW_NOT_FOUND", function(class) class:updateRecord(2, { title = "taken" }) end)
    refused("ROW_NOT_FOUND", function(class) class:softDelete(2) end)
    refused("ROW_NOT_FOUND", function(class) class:restore(2) end)
    refused("UNIQUE_VIOLATION", function(class) class:save { id = 2, tenant = 1, title = "taken" } end)
    refused("ROW_NOT_FOUND", function() theirs:update { title = "taken" } end)
    refused("ROW_NOT_FOUND", function() theirs:softDelete() end)
    refused("ROW_NOT_FOUND", function() theirs:restore() end)
    refused("ROW_NOT_FOUND", function() theirs:verify("secret", "open") end)
    theirs.title = "taken"
    refused("ROW_NOT_FOUND", function() papers:save(theirs) end)
    assert.equal(0, papers:deleteRecord(2))
    assert.equal(0, watched:deleteRecord(2))
    assert.equal(0, theirs:delete())
    assert.is_nil(theirs:refresh())
    assert.is_nil(papers:refresh(2))
    assert.same(UNTOUCHED, stored())
    assert.same({}, heard)
  end)

  it("say in the error that there may be a scope", function()
    local err = error_of(function() papers:updateRecord(2, { title = "taken" }) end)
    assert.truthy(err.message:find("default scope", 1, true))
    err = error_of(function() papers:upsert({ code = "b" }, { id = 3, tenant = 1, title = "taken" }) end)
    assert.truthy(err.message:find("withoutDefaultScope", 1, true))
    assert.equal("ScopedPaper", err.model)
  end)

  it("say so of a row in the way of what was to be inserted, in a transaction or not", function()
    local WRITES = {
      save = function(class) class:save { id = 2, tenant = 1, title = "taken" } end,
      firstOrInsert = function(class) class:firstOrInsert({ code = "b" }, { id = 3, tenant = 1, title = "taken" }) end,
    }
    for name, write in next, WRITES do
      refused("UNIQUE_VIOLATION", write)
      ds:transaction(function()
        local err = error_of(write, papers)
        assert.truthy(err.message:find(name .. ": the row with the same values in (", 1, true), err.message)
        assert.truthy(err.message:find("withoutDefaultScope reaches it", 1, true))
        assert.same({ "ScopedPaper", "UNIQUE_VIOLATION" }, { err.model, err.cause.code })
        assert.equal(1, papers:count())
      end)
    end
    -- What is in the way need not be what is looked for.
    for _, search in ipairs { { title = "theirs" }, { code = "b", tenant = 1 }, { id = 3 } } do
      local err = error_of(papers.firstOrInsert, papers, search, { id = 3, tenant = 1, code = "b" })
      assert.equal("UNIQUE_VIOLATION", err.code)
      assert.is_nil(err.message:find("default scope", 1, true))
    end
    local found, is_new = papers:firstOrInsert({ code = "b" }, { id = 3 }, { withoutDefaultScope = true })
    assert.same({ 2, "theirs", false }, { found.id, found.title, is_new })
    found, is_new = papers:firstOrInsert({ code = "c" }, { id = 3, tenant = 2 }, { withoutDefaultScope = true })
    assert.same({ 3, true }, { found.id, is_new })
  end)

  it("overwrite nothing by an upsert", function()
    for _, given in ipairs {
      {}, { updateOnConflict = false }, { returning = false }, { updateColumns = { "title" } },
    } do
      refused("UNIQUE_VIOLATION", function(class)
        class:upsert({ id = 2 }, { tenant = 1, title = "taken", code = "c" }, given)
      end)
      refused("UNIQUE_VIOLATION", function(class)
        class:upsert({ code = "b" }, { id = 3, tenant = 1, title = "taken" }, given)
      end)
      refused("UNIQUE_VIOLATION", function(class)
        class:upsertMany({ "code" }, {
          { id = 1, code = "a", tenant = 1, title = "new" }, { id = 4, code = "d", tenant = 1, title = "new" },
          { id = 3, code = "b", tenant = 1, title = "taken" },
        }, given)
      end)
      refused("UNIQUE_VIOLATION", function(class)
        class:query():upsert({ id = 2 }, { tenant = 1, title = "taken" }, given)
      end)
    end
  end)

  it("write the rows of the scope as ever", function()
    papers:updateRecord(1, { title = "one" })
    assert.equal("one", mine:refresh().title)
    mine.title = "two"
    mine:save()
    papers:save { id = 1, title = "three" }
    papers:save { id = 3, tenant = 1, title = "new" }
    assert.equal("four", papers:upsert({ code = "a" }, { id = 1, tenant = 1, title = "four" }).title)
    local list = papers:upsertMany({ "id" }, { { id = 4, tenant = 1, title = "d" }, { id = 1, title = "five" } })
    assert.same({ 4, "d", 1, "five" }, { list[1].id, list[1].title, list[2].id, list[2].title })
    assert.equal("a", list[2].code)
    mine:softDelete()
    assert.is_not_nil(mine.deletedAt)
    mine:refresh()
    assert.is_not_nil(mine.deletedAt) -- what is deleted is still in the scope
    mine:restore()
    assert.equal(1, mine:delete())
    assert.same({ "2 2 theirs", "3 1 new", "4 1 d" }, stored())
  end)

  it("may move a row out of the scope, once", function()
    assert.equal(2, papers:updateRecord(1, { tenant = 2 }).tenant)
    assert.equal("ROW_NOT_FOUND", error_of(function() mine:update { title = "back" } end).code)
    assert.equal(2, papers:upsert({ id = 5 }, { tenant = 2, title = "for them" }).tenant)
    assert.equal("UNIQUE_VIOLATION", error_of(function() papers:upsert({ id = 5 }, { title = "mine?" }) end).code)
    tenant = 2
    assert.equal(1, papers:upsert({ id = 5 }, { tenant = 1 }).tenant)
  end)

  it("reach every row if the call says so", function()
    local all = { withoutDefaultScope = true }
    papers:updateRecord(2, { title = "one" }, all)
    theirs:refresh(all)
    assert.equal("one", theirs.title)
    assert.equal("one", papers:refresh(2, all).title)
    theirs.title = "two"
    theirs:save(all)
    assert.same({ "1 1 mine", "2 2 two" }, stored())
    papers:save(theirs, all)
    papers:save({ id = 2, title = "three" }, all)
    papers:save({ id = 3, tenant = 2, title = "new" }, all)
    assert.same({ "1 1 mine", "2 2 three", "3 2 new" }, stored())
    assert.equal("four", papers:upsert({ code = "b" }, { id = 2, title = "four" }, all).title)
    assert.equal("five", papers:query():withoutDefaultScope():upsert({ code = "b" }, { id = 2, title = "five" }).title)
    papers:upsertMany({ "id" }, { { id = 2, title = "six" }, { id = 1, title = "six" } }, all)
    assert.same({ "1 1 six", "2 2 six", "3 2 new" }, stored())
    theirs:update({ secret = "open" }, all)
    assert.is_true(papers:find({ where = { id = 2 }, withoutDefaultScope = true })[1]:verify("secret", "open", all))
    papers:softDelete(2, all)
    papers:restore(2, all)
    theirs:softDelete(all)
    theirs:restore(all)
    assert.equal(1, papers:update({ title = "seven" }, { where = { id = 2 }, withoutDefaultScope = true }))
    assert.same({ "1 1 six", "2 2 seven", "3 2 new" }, stored())
    assert.equal(1, watched:deleteRecord(2, all))
    assert.equal(1, papers:delete { where = { id = 3 }, withoutDefaultScope = true })
    assert.same({ "1 1 six" }, stored())
  end)

  it("empty no table of many tenants unasked", function()
    for _, fn in ipairs {
      function() papers:truncate() end, function() papers:query():truncate() end,
    } do
      assert.equal("INVALID_ARGUMENT", error_of(fn).code)
    end
    assert.same(UNTOUCHED, stored())
    papers:truncate { withoutDefaultScope = true }
    assert.same({}, stored())
    papers:query():withoutDefaultScope():truncate()
  end)

  it("take of a scope with joins, order and columns what it says about rows", function()
    ds:query("scoped_owners"):allRows():delete()
    ds:query("scoped_joineds"):allRows():delete()
    Owner:using(ds):insertMany { { id = 1, open = true }, { id = 2, open = false } }
    joined:insertMany {
      { id = 1, ownerId = 1, title = "b" }, { id = 2, ownerId = 2, title = "c" }, { id = 3, ownerId = 1, title = "a" },
    }
    assert.equal("new", joined:updateRecord(1, { title = "new" }).title)
    assert.equal("new", joined:refresh(1).title)
    assert.equal("newer", joined:upsert({ id = 1 }, { title = "newer" }).title)
    assert.equal("ROW_NOT_FOUND", error_of(function() joined:updateRecord(2, { title = "new" }) end).code)
    assert.equal("UNIQUE_VIOLATION", error_of(function() joined:upsert({ id = 2 }, { title = "new" }) end).code)
    assert.equal(0, joined:deleteRecord(2))
    assert.equal(1, joined:deleteRecord(3))
    local titles = ds:query("scoped_joineds"):orderBy("id"):pluck("title")
    assert.same({ "newer", "c" }, titles)
  end)
end, { shared = true, pool = { max = 2 } })
