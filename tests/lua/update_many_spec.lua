-- updateMany: values of its own for each row, found by a key; columns of every kind, keys of several
-- columns, versions, hooks, and rows that are not there.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local Part = model "ManyPart" {
    hysteria.softDelete(), hysteria.guarded { "role" },
    id = column.increment(), code = column.string { length = 40, unique = true }, n = column.integer(),
    name = column.string { length = 40 }, role = column.string(),
  }
  local Cell = model "ManyCell" {
    hysteria.primaryKey { "sheet", "day" },
    sheet = column.integer(), day = column.date(), n = column.integer(), note = column.string(),
    version = column.version { databaseName = "lock_version" }, updatedAt = column.datetime { autoUpdate = true },
  }
  local All = model "ManyKind" {
    id = column.increment(),
    flag = column.boolean(), tiny = column.tinyint(), big = column.bigInteger(), real = column.double(),
    single = column.float(), price = column.decimal { precision = 10, scale = 2 },
    money = column.decimal { precision = 30, scale = 2 }, word = column.string(), long = column.text(),
    data = column.json(), token = column.uuid { generate = false }, bytes = column.binary(), day = column.date(),
    at = column.datetime(), clock = column.time(), kind = column.enum { "a", "b" },
  }
  local all = { Part, Cell, All }
  local parts, cells, kinds = Part:using(ds), Cell:using(ds), All:using(ds)

  before_each(function()
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
    parts:insertMany({ { code = "a", n = 1, name = "A" }, { code = "b", n = 2, name = "B" },
      { code = "c", n = 3, name = "C" } }, { returning = false })
    cells:insertMany({ { sheet = 1, day = "2024-01-01", n = 1 }, { sheet = 1, day = "2024-01-02", n = 2 },
      { sheet = 2, day = "2024-01-01", n = 3 } }, { returning = false })
  end)

  local function state_of()
    local list = {}
    for index, row in ipairs(parts:query():withDeleted():orderBy("id"):many()) do
      list[index] = row.code .. row.n .. row.name
    end
    return table.concat(list, " ")
  end

  it("gives each row its own values, by one statement", function()
    local seen = databases.watch(ds)
    assert.equal(3, parts:updateMany { { id = 1, n = 10 }, { id = 3, n = 30 },
      { id = 2, n = sql.rawStatement("n + 18") } })
    assert.equal(1, #seen.stop())
    assert.equal("a10A b20B c30C", state_of())
  end)

  it("writes of every row just the columns that it has", function()
    assert.equal(3, parts:updateMany { { id = 1, n = 10 }, { id = 2, name = "BB" }, { id = 3, n = 30, name = "CC" } })
    assert.equal("a10A b2BB c30CC", state_of())
  end)

  it("counts rows that match, changed or not, and only those that are there", function()
    assert.equal(2, parts:updateMany { { id = 1, n = 1 }, { id = 99, n = 5 }, { id = 2, n = 5 } })
    parts:findOneByPrimaryKey(3):softDelete()
    assert.equal(1, parts:updateMany { { id = 1, n = 7 }, { id = 3, n = 7 } })
    assert.equal(1, parts:query():withDeleted():updateMany { { id = 3, n = 8 } })
    assert.equal("a7A b5B c8C", state_of())
    assert.equal(1, parts:where("n", ">", 6):orWhere("id", 2):where("n", 5):updateMany {
      { id = 1, n = 0 }, { id = 2, n = 50 } } - 1)
  end)

  it("finds rows by another unique key, which may be given a new primary key", function()
    assert.equal(2, parts:updateMany({ { code = "c", n = 33 }, { code = "a", id = 77 } }, { by = "code" }))
    assert.same({ 2, 3, 77 }, parts:query():orderBy("id"):pluck("id"))
    assert.equal(33, parts:findOneBy("code", "c").n)
  end)

  it("takes a key that comes twice one after the other", function()
    assert.equal(3, parts:updateMany { { id = 1, n = 10 }, { id = 1, n = 11 }, { id = 1, name = "X" } })
    assert.equal("a11X b2B c3C", state_of())
  end)

  it("lets the last row win of those that the database takes for one, and Lua does not", function()
    local folds = database == "mysql" or database == "mariadb"
    if database == "sqlite" then
      folds = true
      ds:rawQuery("DROP TABLE many_parts")
      ds:rawQuery("CREATE TABLE many_parts (id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE UNIQUE, n INTEGER,"
        .. " name TEXT, role TEXT, deleted_at TEXT)")
      parts:insert({ code = "a", n = 1 }, { returning = false })
    end
    local function update(rows)
      parts:updateMany(rows, { by = "code" })
      local found = parts:findOneBy("code", "a")
      return found.n .. (found.name or "")
    end
    for _, other in ipairs { "b", "ü" } do
      assert.equal("4x", update { { code = other, n = 1 }, { code = "a", n = 2, name = "x" }, { code = "A", n = 3 },
        { code = "a", n = 4 } })
      assert.equal(folds and "6y" or "5y", update { { code = other, n = 1 }, { code = "a", n = 5, name = "y" },
        { code = "A", n = 6 } })
      assert.equal(folds and "7y" or "6y", update { { code = other, n = 1 }, { code = "a", n = 6 },
        { code = "A", n = 7 } })
    end
    if folds then
      local plain = ds:query("many_parts")
      plain:updateMany({ { id = 1, n = 5 }, { id = "1", n = 6 } }, { by = "id" })
      assert.equal(6, parts:findOneByPrimaryKey(1).n)
      plain:updateMany({ { id = 2, n = 5 }, { id = "1", n = 7, name = "v" }, { id = 1, n = 8 } }, { by = "id" })
      assert.equal(8, parts:findOneByPrimaryKey(1).n)
    end
  end)

  it("takes keys of several columns, counts versions and sets updatedAt", function()
    assert.equal(2, cells:updateMany { { sheet = 1, day = "2024-01-01", n = 10 },
      { sheet = 2, day = "2024-01-01", n = 30 }, { sheet = 2, day = "2024-01-09", n = 90 } })
    local row = cells:findOneByPrimaryKey { 1, "2024-01-01" }
    assert.same({ 10, 2 }, { row.n, row.version })
    assert.is_truthy(row.updatedAt)
    assert.equal(1, cells:findOneByPrimaryKey({ 1, "2024-01-02" }).version)
    assert.equal(1, cells:updateMany { { sheet = 1, day = 1704067200, n = 11 } })
  end)

  it("raises STALE_RECORD and changes nothing where a version is another one", function()
    cells:updateMany { { sheet = 1, day = "2024-01-01", n = 10 } }
    local err = error_of(cells.updateMany, cells, { { sheet = 1, day = "2024-01-02", n = 5, version = 1 },
      { sheet = 1, day = "2024-01-01", n = 5, version = 1 } })
    assert.equal("STALE_RECORD", err.code)
    assert.equal(0, cells:where("n", 5):count())
    assert.equal(2, cells:updateMany { { sheet = 1, day = "2024-01-02", n = 5, version = 1 },
      { sheet = 1, day = "2024-01-01", n = 5, version = 2 } })
  end)

  it("gives the rows in the given order when asked", function()
    local list = parts:updateMany({ { id = 3, n = 30 }, { id = 99, n = 1 }, { id = 1, n = 10 } }, { returning = true })
    assert.same({ { 3, 30, "C" }, { 1, 10, "A" } }, { { list[1].id, list[1].n, list[1].name },
      { list[2].id, list[2].n, list[2].name } })
    list = cells:updateMany({ { sheet = 2, day = "2024-01-01", note = "x" },
      { sheet = 1, day = "2024-01-01", note = "y" } }, { returning = { "note" } })
    assert.same({ { note = "x" }, { note = "y" } }, { list[1]:toTable(), list[2]:toTable() })
    assert.same({}, parts:updateMany({}, { returning = true }))
    assert.equal(0, parts:updateMany {})
  end)

  it("stores values of every kind as an update of one row does", function()
    local values = {
      { flag = true, tiny = -5, big = math.maxinteger, real = 0.1, single = 0.5, price = sql.decimal("12.30"),
        money = sql.decimal("1234567890123456789012.34"), word = "ä'\"\\?", long = ("x"):rep(3000),
        data = { a = { 1, 2.5, "x" }, b = sql.jsonNull }, token = "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        bytes = sql.binary("\0\1\255"), day = "2024-02-29", at = "2024-02-29 12:34:56.789012", clock = "23:59:59.5",
        kind = "b" },
      { flag = false, tiny = 7, big = math.mininteger, real = -1e300, single = -2.25, price = 5, money = "0.01",
        word = "", long = "", data = { 1, 2 }, token = "00000000-0000-0000-0000-000000000000", bytes = sql.binary(""),
        day = "0001-01-01", at = "9999-12-31 23:59:59", clock = "00:00:00", kind = "a" },
      {},
    }
    for name in next, values[1] do
      values[3][name] = sql.null
    end
    kinds:insertMany({ {}, {}, {}, {}, {}, {} }, { returning = false })
    local many = {}
    for index, row in ipairs(values) do
      kinds:where("id", index):update(row)
      many[index] = { id = index + 3 }
      for name, value in next, row do
        many[index][name] = value
      end
    end
    assert.equal(3, kinds:updateMany(many))
    local stored = kinds:query():orderBy("id"):many()
    for index = 1, 3 do
      local one, other = stored[index]:toTable(), stored[index + 3]:toTable()
      one.id, other.id = nil, nil
      for _, name in ipairs { "price", "money" } do
        one[name], other[name] = tostring(one[name]), tostring(other[name])
      end
      assert.same(one, other)
    end
  end)

  it("stores secrets", function()
    local Vault = model "ManyVault" {
      id = column.increment(), pin = column.hashed { strength = "interactive" },
      iban = column.encrypted { key = hysteria.generateKey() }, n = column.integer(),
    }
    ds:dropTables({ Vault }, { ifExists = true })
    ds:createTables { Vault }
    local vaults = Vault:using(ds)
    vaults:insertMany({ { pin = "1", iban = "A" }, { pin = "2", iban = "B" } }, { returning = false })
    local list = vaults:updateMany({ { id = 2, iban = "BB", n = 2 }, { id = 1, pin = "11", iban = "AA" } },
      { returning = true })
    assert.same({ "BB", "AA" }, { list[1].iban, list[2].iban })
    local first, second = vaults:findOneByPrimaryKey(1), vaults:findOneByPrimaryKey(2)
    assert.same({ "AA", "BB", 2 }, { first.iban, second.iban, second.n })
    assert.is_true(first:verify("pin", "11"))
    assert.is_true(second:verify("pin", "2"))
  end)

  it("takes thousands of rows, all or nothing", function()
    local rows = {}
    for index = 1, 1000 do
      rows[index] = { code = "m" .. index, n = index }
    end
    local list = parts:insertMany(rows)
    for index, row in ipairs(list) do
      rows[index] = { id = row.id, n = -index, name = "N" .. index }
    end
    assert.equal(1000, parts:updateMany(rows))
    assert.equal(-500500, parts:where("n", "<", 0):getSum("n"))
    assert.equal("N777", parts:findOneByPrimaryKey(list[777].id).name)
    for index = 1, 999 do
      rows[index].name = "lost"
    end
    rows[1000] = { id = list[1000].id, code = "m1" }
    assert.equal("UNIQUE_VIOLATION", error_of(parts.updateMany, parts, rows).code)
    assert.equal(0, parts:where("name", "lost"):count())
  end)

  it("says what is wrong, and changes nothing", function()
    local function code(rows, given)
      return error_of(parts.updateMany, parts, rows, given).code
    end
    assert.equal("MODEL_HAS_NO_PRIMARY_KEY_VALUE", code { { id = 1, n = 5 }, { n = 6 } })
    assert.equal("MODEL_HAS_NO_PRIMARY_KEY_VALUE", code { { id = sql.null, n = 6 } })
    assert.equal("INVALID_ARGUMENT", code({ { id = 1, n = 5 } }, { by = "code" }))
    assert.equal("INVALID_ARGUMENT", code({ { name = "A", n = 5 } }, { by = "name" }))
    assert.equal("INVALID_ARGUMENT", code { { id = 1, n = 5 }, { id = 2 } })
    assert.equal("INVALID_ARGUMENT", code { { id = 1, n = 5 }, 7 })
    assert.equal("UNDEFINED_COLUMN", code { { id = 1, m = 5 } })
    assert.equal("UNKNOWN_OPTION", code({ { id = 1, n = 5 } }, { bye = "id" }))
    assert.equal("GUARDED_COLUMN", code { { id = 1, role = "x" } })
    assert.equal("DATA_INVALID", code { { id = 1, n = 5 }, { id = 2, n = 1.5 } })
    assert.equal("NIL_VALUE", code(nil))
    assert.equal("INVALID_ARGUMENT", error_of(function()
      parts:query():orderBy("id"):limit(1):updateMany { { id = 1, n = 5 } }
    end).code)
    assert.equal("a1A b2B c3C", state_of())
  end)

  it("runs the hooks of an update for each row", function()
    local log = {}
    local Hooked = model "ManyHooked" {
      hysteria.validate(function(changes) return changes.n == 13 and { n = "unlucky" } or nil end),
      hysteria.beforeSave(function(changes, ctx) log[#log + 1] = { "save", changes.n, ctx.ids, ctx.bulk } end),
      hysteria.beforeUpdate(function(changes, ctx)
        changes.twice = 2 * changes.n
        ctx.query:where("locked", false)
      end),
      hysteria.afterUpdate(function(changes) log[#log + 1] = { "after", changes.n, changes.twice } end),
      id = column.increment(), n = column.integer(), twice = column.integer(),
      locked = column.boolean { default = false },
    }
    ds:dropTables({ Hooked }, { ifExists = true })
    ds:createTables { Hooked }
    local hooked = Hooked:using(ds)
    hooked:insertMany({ { n = 1 }, { n = 2 }, { n = 3, locked = true } }, { returning = false, ignoreHooks = true })
    assert.equal(2, hooked:updateMany { { id = 1, n = 10 }, { id = 2, n = 20 }, { id = 3, n = 30 } })
    assert.same({ { "save", 10, { 1 }, true }, { "save", 20, { 2 }, true }, { "save", 30, { 3 }, true },
      { "after", 10, 20 }, { "after", 20, 40 } }, log)
    assert.same({ 10, 20, 3 }, hooked:query():orderBy("id"):pluck("n"))
    local err = error_of(hooked.updateMany, hooked, { { id = 1, n = 5 }, { id = 2, n = 13 } })
    assert.same({ "VALIDATION_ERROR", 2 }, { err.code, err.row })
    assert.equal(1, hooked:updateMany({ { id = 1, n = 13 } }, { ignoreHooks = true }))
    hooked:hook("afterUpdate", function() error("no") end)
    assert.is_false(pcall(hooked.updateMany, hooked, { { id = 1, n = 99 } }))
    assert.equal(13, hooked:findOneByPrimaryKey(1).n)
  end)

  it("runs the hooks after it for the rows that were written, and no others", function()
    local log, tenant = {}, 1
    local function hear(name)
      return function(changes, ctx)
        log[#log + 1] = ("%s %s of %s: %d"):format(name, changes.n, table.concat(ctx.ids, "-"), ctx.count)
      end
    end
    local Owned = model "ManyOwned" {
      hysteria.defaultScope(function(q) q:where("tenant", tenant) end), hysteria.unique { "shop", "code" },
      hysteria.afterUpdate(hear("update")), hysteria.afterSave(hear("save")),
      id = column.increment(), tenant = column.integer(), shop = column.integer(),
      code = column.string { length = 20 }, n = column.integer(),
    }
    ds:dropTables({ Owned }, { ifExists = true })
    ds:createTables { Owned }
    local owned = Owned:using(ds)
    owned:insertMany({
      { tenant = 1, shop = 1, code = "a", n = 0 }, { tenant = 2, shop = 1, code = "b", n = 0 },
      { tenant = 1, shop = 1, code = "c", n = 0 },
    }, { returning = false, ignoreHooks = true })
    local rows = { { id = 2, n = 5 }, { id = 1, n = 6 }, { id = 99, n = 7 }, { id = 1, n = 8 }, { id = 3, n = 9 } }
    local both = { "update 6 of 1: 1", "save 6 of 1: 1", "update 8 of 1: 1", "save 8 of 1: 1",
      "update 9 of 3: 1", "save 9 of 3: 1" }
    assert.equal(3, owned:updateMany(rows))
    assert.same(both, log)
    log = {}
    local list = owned:updateMany(rows, { returning = { "n" } })
    assert.same({ { 6, 8, 9 }, both }, { { list[1].n, list[2] and list[2].n, list[3] and list[3].n }, log })
    log = {}
    assert.equal(1, owned:updateMany({ { shop = 1, code = "b", n = 5 }, { shop = 1, code = "c", n = 6 } },
      { by = { "shop", "code" }, ignoreHooks = "afterSave" }))
    assert.same({ "update 6 of 1-c: 1" }, log)
    log = {}
    assert.equal(0, owned:updateMany { { id = 2, n = 5 }, { id = 99, n = 6 } })
    assert.same({}, log)
    assert.same({ 8, 0, 6 }, owned:query():withoutDefaultScope():orderBy("id"):pluck("n"))
  end)

  it("does the same for a plain table", function()
    local function plain()
      return ds:query("many_parts")
    end
    assert.equal(2, plain():updateMany({ { code = "a", n = 10 }, { code = "b", name = "BB" } }, { by = "code" }))
    assert.equal("a10A b2BB c3C", state_of())
    assert.equal(1, plain():where("n", 10):updateMany({ { id = 1, n = 11 }, { id = 2, n = 12 } }, { by = { "id" } }))
    assert.equal("NIL_VALUE", error_of(plain().updateMany, plain(), { { id = 1, n = 5 } }).code)
    assert.equal("INVALID_ARGUMENT", error_of(plain().updateMany, plain(), { { n = 5 } }, { by = "id" }).code)
    if ds:can("RETURNING_UPDATE") then
      local list = plain():updateMany({ { id = 3, n = 1 }, { id = 1, n = 2 } }, { by = "id", returning = { "code" } })
      assert.same({ { code = "c" }, { code = "a" } }, list)
    end
  end)
end)
