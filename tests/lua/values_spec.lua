-- A value written is the value read, bit for bit, or an error says why not: every case of
-- tests/support/lua/value_cases.lua on every database, and docs/types.md says what came of it.
-- HY_WRITE_DOCS=1 writes its tables (make tables).
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")
local value_run = require("tests.support.lua.value_run")
local value_table = require("tests.support.lua.value_table")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql

local known = { written = {}, stored = {} }

local function results_of(part, ds, database, group)
  local by_group = known[part][database] or {}
  known[part][database] = by_group
  by_group[group] = by_group[group] or value_run[part](ds, database, group)
  return by_group[group]
end

local function problems_of(results)
  local list = {}
  for _, result in ipairs(results) do
    for _, problem in ipairs(result.problems) do
      list[#list + 1] = problem
    end
  end
  return list
end

databases.each(function(ds, database)
  for _, group in ipairs(value_run.groups.written) do
    it("keeps or refuses what is written to " .. group.name, function()
      assert.same({}, problems_of(results_of("written", ds, database, group)))
    end)
  end

  for _, group in ipairs(value_run.groups.stored) do
    it("reads or refuses what others stored as " .. group.name, function()
      assert.same({}, problems_of(results_of("stored", ds, database, group)))
    end)
  end
end)

-- What the database fills in by itself.
databases.each(function(ds)
  describe("a default of the database", function()
    local DEFAULTS = {
      flag = { column.boolean { default = true }, true },
      whole = { column.integer { default = -7 }, -7 },
      big = { column.bigInteger { default = 9007199254740993 }, 9007199254740993 },
      ratio = { column.double { default = 0.1 }, 0.1 },
      price = { column.decimal { precision = 38, scale = 10, default = sql.decimal("0.1234567891") },
        sql.decimal("0.1234567891") },
      name = { column.string { length = 60, default = [[it's "q" \ 😀]] }, [[it's "q" \ 😀]] },
      empty = { column.string { length = 5, default = "" }, "" },
      body = { column.text { default = "long 'one'" }, "long 'one'" },
      state = { column.enum { "new", "it's", default = "it's" }, "it's" },
      token = { column.uuid { default = "6f1f9a3e-8a55-4c0c-9c42-6f2b1c3d4e5f" },
        "6f1f9a3e-8a55-4c0c-9c42-6f2b1c3d4e5f" },
      bytes = { column.varbinary { length = 8, default = sql.binary("\0\1'\255") }, "\0\1'\255" },
      day = { column.date { default = "2024-02-29" }, "2024-02-29" },
      clock = { column.time { default = "23:59:58.000001" }, "23:59:58.000001" },
      at = { column.datetime { default = "2024-02-29 12:30:45.000001" }, "2024-02-29 12:30:45.000001" },
      zoned = { column.datetime { timezone = true, default = "2024-02-29 12:30:45" }, "2024-02-29 12:30:45" },
      list = { column.json { default = sql.array { 1, "a'b" } }, sql.array { 1, "a'b" } },
      computed = { column.integer { default = sql.rawStatement("(3 + 4)") }, 7 },
    }
    local members, names = { id = column.integer { primaryKey = true } }, {}
    for name, row in pairs(DEFAULTS) do
      members[name] = row[1]
      names[#names + 1] = name
    end
    local Filled = model "ValueDefaults" (members)
    local rows = Filled:using(ds)

    before_each(function()
      ds:dropTables({ Filled }, { ifExists = true })
      ds:createTables { Filled }
    end)

    local function expect_default(row)
      for _, name in ipairs(names) do
        local expected = DEFAULTS[name][2]
        if type(expected) == "table" then
          assert.equal(hysteria.json.encode(expected), hysteria.json.encode(row[name]), name)
        else
          assert.equal(tostring(expected), tostring(row[name]), name)
          assert.equal(math.type(expected), math.type(row[name]), name)
        end
      end
    end

    it("stands where a row gives no value", function()
      expect_default(rows:insert { id = 1 })
      expect_default(rows:findOneByPrimaryKey(1))
      ds:rawQuery("INSERT INTO value_defaults (id) VALUES (2)")
      expect_default(rows:findOneByPrimaryKey(2))
    end)

    it("stands beside rows that give one", function()
      local list = rows:insertMany { { id = 1 }, { id = 2, whole = 5, name = "x" }, { id = 3, name = sql.null } }
      expect_default(list[1])
      expect_default(rows:findOneByPrimaryKey(1))
      assert.same({ 5, "x" }, { list[2].whole, list[2].name })
      assert.equal(-7, list[3].whole)
      assert.is_nil(list[3].name)
    end)

    it("gives way to NULL, and an update leaves it alone", function()
      local nulls = { id = 1 }
      for _, name in ipairs(names) do
        nulls[name] = sql.null
      end
      local row = rows:insert(nulls)
      for _, name in ipairs(names) do
        assert.is_nil(row[name], name)
        assert.is_true(row:has(name), name)
      end
      rows:insert { id = 2 }
      rows:where("id", 2):update { whole = 8 }
      assert.equal(8, rows:findOneByPrimaryKey(2).whole)
      assert.equal([[it's "q" \ 😀]], rows:findOneByPrimaryKey(2).name)
    end)
  end)

  describe("a generated column", function()
    local Made = model "ValueGenerated" {
      id = column.increment(), price = column.decimal { precision = 10, scale = 2 }, n = column.integer(),
      total = column.decimal { precision = 20, scale = 2, generated = "price * n" },
    }
    local rows = Made:using(ds)

    before_each(function()
      ds:dropTables({ Made }, { ifExists = true })
      ds:createTables { Made }
    end)

    it("is the database's, exactly", function()
      local row = rows:insert { price = sql.decimal("0.10"), n = 3 }
      assert.equal("0.30", tostring(row.total))
      row:update { n = 30 }
      assert.equal("3.00", tostring(rows:findOneByPrimaryKey(row.id).total))
      row.price = sql.decimal("12345678.91")
      row:save()
      assert.equal("370370367.30", tostring(rows:findOneByPrimaryKey(row.id).total))
      assert.same(2, #rows:insertMany { { price = "1", n = 1 }, { n = 2 } })
      assert.is_nil(rows:query():orderBy("id", "desc"):first().total)
    end)

    it("cannot be written", function()
      for _, write in ipairs { { total = 1 }, { n = 1, total = sql.null } } do
        local err = databases.error_of(rows.insert, rows, write)
        assert.equal("INVALID_ARGUMENT", err.code)
      end
      local row = rows:insert { n = 1 }
      assert.equal("INVALID_ARGUMENT", databases.error_of(row.update, row, { total = 2 }).code)
    end)
  end)
end)

-- Results of every group on every database, those that no spec above has made yet too.
local function complete(part)
  local names = {}
  for _, database in ipairs(databases.found()) do
    if database.name ~= "cockroachdb" then
      local ds <close> = hysteria.sql.connectToSecondarySource(database.config)
      names[#names + 1] = database.name
      for _, group in ipairs(value_run.groups[part]) do
        results_of(part, ds, database.name, group)
      end
    end
  end
  return names
end

local function report(part, counts)
  local path = os.getenv("HY_REPORT")
  local file <close> = path and io.open(path, "a")
  if file then
    file:write(("values %s: %d cases, %d outcomes: %d exact, %d in another form, %d refused, %d documented "
      .. "differences, silent changes 0\n"):format(part, counts.cases, counts.outcomes, counts.exact, counts.reads,
      counts.refused, counts.differs))
  end
end

describe("docs/types.md", function()
  for _, part in ipairs { "written", "stored" } do
    it("says what came of the values " .. part, function()
      local run = complete(part)
      local old = value_table.read(part)
      local new, counts = value_table.make(value_run.groups[part], known[part], run, old)
      if os.getenv("HY_WRITE_DOCS") then
        value_table.write(part, new)
      end
      assert.equal(new, value_table.read(part).text)
      report(part, counts)
    end)
  end
end)
