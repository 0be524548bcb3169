-- What a database cannot do is refused by name, for every dialect and on every database: UNSUPPORTED
-- with the feature and the dialect, and not one statement is sent. Which database lacks what is
-- written here by hand, after the manuals; a later version may have it, then the call must work.
local hysteria = require("hysteria")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")

local model, column = hysteria.model, hysteria.column

local Thing = model "UnsupportedThing" {
  hysteria.tableName("unsupported_things"),
  id = column.integer { primaryKey = true },
  name = column.string(),
  parentId = column.integer(),
}

local OF = {
  sqlite = { sqlite = true }, mysql = { mysql = true, mariadb = true },
  not_postgres = { sqlite = true, mysql = true, mariadb = true },
}

-- name, feature in ds:can (nil: no version has it), dialects without it, the call; `locks`: rows are
-- locked in transactions only.
local CASES = {
  { "fullJoin", "FULL_JOIN", OF.mysql, function(q) return q:select("a.id"):fullJoin("unsupported_things as b", "id",
    "a.id") end },
  { "distinctOn", "DISTINCT_ON", OF.not_postgres, function(q) return q:select("id"):distinctOn("name") end },
  { "withMaterialized", "MATERIALIZED_CTE", OF.mysql, function(q, ds)
    return q:withMaterialized("m", ds:query("unsupported_things"))
  end },
  { "lockForUpdate", "LOCK", OF.sqlite, function(q) return q:lockForUpdate() end, locks = true },
  { "forShare", "LOCK_SHARE", OF.sqlite, function(q) return q:forShare() end, locks = true },
  { "lockForUpdate, skipLocked", "LOCK_SKIP", OF.sqlite, function(q) return q:lockForUpdate { skipLocked = true } end,
    locks = true },
  { "lockForUpdate, noWait", "LOCK_NOWAIT", OF.sqlite, function(q) return q:lockForUpdate { noWait = true } end,
    locks = true },
  { "a question mark as an operator", nil, OF.not_postgres,
    function(q) return q:whereRaw("'{\"a\": 1}'::jsonb ?? 'a'") end },
}

local function expect_refusal(dialect, label, ok, err)
  assert.is_false(ok, label .. " was not refused")
  assert.is_true(hysteria.isError(err), label .. ": " .. tostring(err))
  assert.equal("UNSUPPORTED", err.code, label .. ": " .. tostring(err))
  assert.equal(dialect, err.dialect, label)
  assert.is_true(type(err.feature) == "string" and err.feature ~= "", label .. " names no feature")
  assert.is_truthy(err.message:find(err.feature, 1, true), label)
end

describe("what a dialect lacks", function()
  for _, case in ipairs(CASES) do
    for dialect in next, case[3] do
      it(("is refused for %s: %s"):format(dialect, case[1]), function()
        local ds <close> = hysteria.sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
        local q = case[4](ds:query("unsupported_things as a"), ds)
        expect_refusal(dialect, case[1], pcall(core.compile, q, dialect, "binds"))
      end)
    end
  end
end)

databases.each(function(ds, database)
  describe("what a database lacks", function()
    local refused = 0

    setup(function()
      ds:dropTables({ Thing }, { ifExists = true })
      ds:createTables { Thing }
      ds:query("unsupported_things"):insertMany { { id = 1, name = "a" }, { id = 2, name = "b", parent_id = 1 } }
    end)

    teardown(function()
      ds:dropTables({ Thing }, { ifExists = true })
      databases.report("unsupported on %s: %d of %d calls refused, statements sent 0", database, refused, #CASES)
    end)

    local CONTROL = { BEGIN = true, START = true, SET = true, COMMIT = true, ROLLBACK = true }

    local function run(case)
      local q = case[4](ds:query("unsupported_things as a"), ds)
      local seen = databases.watch(ds)
      local ok, err
      if case.locks then
        ok, err = pcall(ds.transaction, ds, function()
          return q:many()
        end)
      else
        ok, err = pcall(q.many, q)
      end
      local sent = 0
      for _, event in ipairs(seen.stop()) do
        sent = sent + (CONTROL[event.sql:match("^%u+")] and 0 or 1)
      end
      return ok, err, sent
    end

    for _, case in ipairs(CASES) do
      it("is refused before anything is sent, or works: " .. case[1], function()
        local ok, err, sent = run(case)
        if case[3][database] and not (case[2] and ds:can(case[2])) then
          refused = refused + 1
          expect_refusal(database, case[1], ok, err)
          assert.equal(0, sent, case[1] .. " sent a statement")
        else
          assert.is_true(ok, case[1] .. ": " .. tostring(err))
          assert.equal(1, sent)
        end
      end)
    end
  end)
end)
