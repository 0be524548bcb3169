-- Dry queries: the statement of a write, to look at; nothing is sent and no hook runs.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local calls = 0
  local function count() calls = calls + 1 end
  local Note = model "DryNote" {
    hysteria.softDelete(), hysteria.beforeInsert(count), hysteria.beforeUpdate(count), hysteria.beforeDelete(count),
    hysteria.beforeSave(count),
    id = column.increment(), name = column.string { length = 40, unique = true }, n = column.integer(),
    token = column.uuid(),
  }
  local notes = Note:using(ds)
  local seen

  before_each(function()
    ds:dropTables({ Note }, { ifExists = true })
    ds:createTables { Note }
    notes:insert({ name = "a", n = 1 }, { ignoreHooks = true })
    calls = 0
    seen = databases.watch(ds)
  end)

  after_each(function()
    assert.equal(0, #seen.stop())
    assert.equal(0, calls)
    assert.equal(1, notes:where("n", 1):where("name", "a"):count())
    assert.equal(1, notes:count())
  end)

  local function spelled(text)
    return databases.spelled(database, text)
  end

  it("shows the statements of every write", function()
    local live = " AND \"deleted_at\" IS NULL"
    local cases = {
      { notes:dryQuery():where("id", 1):update { n = 5 },
        "UPDATE \"dry_notes\" SET \"n\" = ? WHERE \"id\" = ?" .. live },
      { notes:dryQuery():where("id", 1):increment("n", 2),
        (database == "sqlite" and "UPDATE \"dry_notes\" SET \"n\" = hysteria_whole_add(\"n\", ?)"
          or "UPDATE \"dry_notes\" SET \"n\" = \"n\" + ?") .. " WHERE \"id\" = ?" .. live },
      { notes:dryQuery():where("id", 1):delete(), "DELETE FROM \"dry_notes\" WHERE \"id\" = ?" .. live },
      { notes:dryQuery():where("id", 1):softDelete(),
        "UPDATE \"dry_notes\" SET \"deleted_at\" = ? WHERE \"id\" = ?" .. live },
      { notes:dryQuery():insert { name = "b" }, "INSERT INTO \"dry_notes\" (\"name\", \"token\") VALUES (?, ?)" },
      { ds:dryQuery("dry_notes"):where("id", 1):update { n = 5 },
        "UPDATE \"dry_notes\" SET \"n\" = ? WHERE \"id\" = ?" },
      { ds:dryQuery("dry_notes"):insertMany { { n = 1 }, { n = 2 } },
        "INSERT INTO \"dry_notes\" (\"n\") VALUES (?), (?)" },
      { ds:dryQuery("dry_notes"):truncate(),
        (database == "sqlite" and "DELETE FROM" or "TRUNCATE TABLE") .. " \"dry_notes\"" },
    }
    for _, case in ipairs(cases) do
      assert.equal(spelled(case[2]), case[1]:unWrap().sql)
    end
  end)

  it("shows the binds, the values and other dialects", function()
    local write = notes:dryQuery():where("id", 1):update { n = 5, name = "x'y" }
    assert.same({ "x'y", 5, 1 }, write:unWrap("sqlite").bindings)
    assert.equal("UPDATE \"dry_notes\" SET \"name\" = 'x''y', \"n\" = 5 WHERE \"id\" = 1 AND \"deleted_at\" IS NULL",
      write:toQuery("sqlite"))
    assert.equal("UPDATE `dry_notes` SET `name` = ?, `n` = ? WHERE `id` = ? AND `deleted_at` IS NULL",
      write:toSql("mysql"))
    assert.equal(36, #notes:dryQuery():insert({ name = "b" }):unWrap().bindings[2])
  end)

  it("shows what a conflict does", function()
    local text = notes:dryQuery():upsert({ name = "a" }, { n = 5, token = sql.null }):toSql("sqlite")
    assert.equal("INSERT INTO \"dry_notes\" (\"name\", \"n\", \"token\") VALUES (?, ?, ?) ON CONFLICT (\"name\") DO"
      .. " UPDATE SET \"n\" = excluded.\"n\", \"token\" = excluded.\"token\"", text)
    text = ds:dryQuery("dry_notes"):upsertMany({ "name" }, { "n" }, { { name = "a", n = 1 }, { name = "b" } },
      { updateOnConflict = false }):toSql("postgres")
    assert.equal("INSERT INTO \"dry_notes\" (\"n\", \"name\") VALUES ($1, $2) ON CONFLICT (\"name\") DO NOTHING;\n"
      .. "INSERT INTO \"dry_notes\" (\"name\") VALUES ($1) ON CONFLICT (\"name\") DO NOTHING", text)
  end)

  it("shows all statements of a write", function()
    local write = notes:dryQuery():updateMany { { id = 1, n = 5 }, { id = 2, name = "x" } }
    assert.equal(2, #write:unWrap().statements)
    assert.equal(write:unWrap().sql, write:unWrap().statements[1].sql)
  end)

  it("refuses what a write would refuse, and what is no write", function()
    assert.equal("MISSING_WHERE", error_of(function() notes:dryQuery():delete() end).code)
    assert.equal("UNDEFINED_COLUMN", error_of(function() notes:dryQuery():insert { nme = "x" } end).code)
    assert.equal("INVALID_ARGUMENT", error_of(function() notes:dryQuery():many() end).code)
    assert.equal("INVALID_ARGUMENT", error_of(function() notes:dryQuery():toQuery() end).code)
    assert.equal("NIL_VALUE", error_of(function() notes:dryQuery():insert(nil) end).code)
    local dry = notes:dryQuery()
    assert.is_false(pcall(dry.delete, dry))
    assert.equal("INVALID_ARGUMENT", error_of(dry.toSql, dry).code)
  end)
end)
