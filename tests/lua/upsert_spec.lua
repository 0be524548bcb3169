-- upsert and upsertMany: one statement that inserts or updates, by the key that was named and by no
-- other; what it gives back, what it leaves alone, and which hooks it runs.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local Account = model "UpsertAccount" {
    hysteria.unique { "tenant", "slug" },
    id = column.increment(),
    email = column.string { length = 60, unique = true },
    code = column.string { length = 60, unique = true },
    tenant = column.integer(),
    slug = column.string { length = 60 },
    balance = column.decimal { precision = 30, scale = 2, default = "0.00" },
    role = column.string { default = "guest" },
  }
  local Day = model "UpsertDay" {
    hysteria.primaryKey { "account", "day" },
    hysteria.timestamps(),
    account = column.integer(), day = column.date(), count = column.integer(),
    version = column.version { databaseName = "lock_version" },
  }
  local Soft = model "UpsertSoft" {
    hysteria.softDelete(), hysteria.guarded { "role" },
    id = column.increment(), name = column.string { length = 60, unique = true }, n = column.integer(),
    role = column.string(),
  }
  local log = {}
  local function note(text)
    return function(subject, ctx)
      log[#log + 1] = { text, subject.name or #subject, ctx.operation }
    end
  end
  local Hooked = model "UpsertHooked" {
    hysteria.validate(function(row) return row.n == 13 and { n = "unlucky" } or nil end),
    hysteria.beforeSave(note "beforeSave"),
    hysteria.beforeInsert(function(row, ctx)
      row.name = row.name:lower()
      note "beforeInsert" (row, ctx)
    end),
    hysteria.beforeUpdate(function(changes, ctx)
      log[#log + 1] = { "beforeUpdate", changes.n, ctx.operation }
      changes.seen = (changes.n or 0) + 100
    end),
    hysteria.afterInsert(note "afterInsert"), hysteria.afterUpdate(note "afterUpdate"),
    hysteria.afterSave(note "afterSave"),
    id = column.increment(), name = column.string { length = 60, unique = true },
    code = column.string { length = 60, unique = true }, n = column.integer(), seen = column.integer(),
  }
  local all = { Account, Day, Soft, Hooked }
  local accounts, days, softs, hooked = Account:using(ds), Day:using(ds), Soft:using(ds), Hooked:using(ds)

  before_each(function()
    log = {}
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
  end)

  local function emails()
    return accounts:query():orderBy("id"):pluck("email")
  end

  describe("upsert", function()
    it("inserts the row, and then updates what the data names", function()
      local made = accounts:upsert({ email = "a@x" }, { code = "c1", balance = "10.50" })
      assert.equal("guest", made.role)
      assert.equal("10.50", tostring(made.balance))
      local again = accounts:upsert({ email = "a@x" }, { balance = "12345678901234567890.25" })
      assert.equal(made.id, again.id)
      assert.equal("c1", again.code)
      assert.equal("12345678901234567890.25", tostring(accounts:findOne().balance))
      assert.equal(1, accounts:count())
    end)

    it("leaves the row alone with updateOnConflict = false", function()
      accounts:insert { email = "a@x", code = "c1" }
      local row = accounts:upsert({ email = "a@x" }, { code = "c2" }, { updateOnConflict = false })
      assert.equal("c1", row.code)
      assert.equal("new", accounts:upsert({ email = "b@x" }, { code = "new" }, { updateOnConflict = false }).code)
    end)

    it("updates only updateColumns", function()
      accounts:insert { email = "a@x", code = "c1", role = "admin" }
      local row = accounts:upsert({ email = "a@x" }, { code = "c2", role = "guest" }, { updateColumns = { "code" } })
      assert.equal("c2", row.code)
      assert.equal("admin", row.role)
    end)

    it("gives what returning asks for", function()
      assert.equal(1, accounts:upsert({ email = "a@x" }, { code = "1" }, { returning = false }))
      assert.equal(1, accounts:upsert({ email = "a@x" }, { code = "2" }, { returning = false }))
      local row = accounts:upsert({ email = "a@x" }, { code = "3" }, { returning = { "code" } })
      assert.same({ code = "3" }, row:toTable())
      assert.equal(1, accounts:upsert({ email = "a@x" }, { code = "4" }, { returning = false, track = true }))
      assert.equal(1, accounts:insert({ email = "b@x" }, { returning = false, track = true }))
    end)

    it("takes a key of several columns, in any order", function()
      local a = accounts:upsert({ slug = "s", tenant = 1 }, { email = "a@x" })
      local b = accounts:upsert({ tenant = 1, slug = "s" }, { email = "b@x" })
      assert.equal(a.id, b.id)
      assert.same({ "b@x" }, emails())
    end)

    it("counts the version, keeps createdAt and sets updatedAt", function()
      local a = days:upsert({ account = 1, day = "2024-02-29" }, { count = 1 })
      local b = days:upsert({ account = 1, day = "2024-02-29" }, { count = 2 })
      assert.same({ 1, 2 }, { a.version, b.version })
      assert.equal(a.createdAt, b.createdAt)
      assert.is_true(b.updatedAt >= a.updatedAt)
      assert.equal("2000-01-01 00:00:00", days:upsert({ account = 1, day = "2024-02-29" },
        { updatedAt = "2000-01-01 00:00:00" }).updatedAt)
      assert.equal("INVALID_ARGUMENT", error_of(days.upsert, days, { account = 1, day = "2024-02-29" },
        { version = 3 }).code)
    end)

    it("leaves a deleted row deleted", function()
      local row = softs:insert { name = "a", n = 1 }
      row:softDelete()
      local stored = softs:upsert({ name = "a" }, { n = 2 })
      assert.equal(2, stored.n)
      assert.is_not_nil(stored.deletedAt)
      assert.equal(0, softs:count())
      assert.equal(1, softs:query():withDeleted():count())
    end)

    it("keeps guarded columns", function()
      assert.equal("GUARDED_COLUMN", error_of(softs.upsert, softs, { name = "a" }, { role = "admin" }).code)
      assert.equal("admin", softs:upsert({ name = "a" }, { role = "admin" }, { unguarded = true }).role)
    end)

    it("wants a unique key, and a value for each of its columns", function()
      local err = error_of(accounts.upsert, accounts, { role = "x" }, { email = "a@x" })
      assert.equal("INVALID_ARGUMENT", err.code)
      assert.is_truthy(err.message:find("(tenant, slug)", 1, true), err.message)
      assert.equal("INVALID_ARGUMENT", error_of(accounts.upsert, accounts, { tenant = 1 }, { email = "a" }).code)
      assert.equal("UNDEFINED_COLUMN", error_of(accounts.upsert, accounts, { emial = 1 }, { code = "a" }).code)
      for _, missing in ipairs { { email = sql.null }, {} } do
        err = error_of(accounts.upsertMany, accounts, { "email" }, { { email = "a" }, missing })
        assert.equal("CONFLICT_COLUMNS_NOT_PRESENT_IN_DATA", err.code)
        assert.equal(2, err.row)
      end
      assert.equal("INVALID_ARGUMENT", error_of(accounts.upsert, accounts, { email = "a" }, { email = "b" }).code)
      assert.equal("INVALID_ARGUMENT", error_of(accounts.upsert, accounts, { email = sql.rawStatement("'a'") },
        {}).code)
      assert.equal("INVALID_ARGUMENT", error_of(function()
        accounts:where("id", 1):upsert({ email = "a" }, {})
      end).code)
      assert.same({}, emails())
    end)

    it("does not touch a row with the same value in another unique key", function()
      accounts:insertMany { { email = "a@x", code = "A" }, { email = "b@x", code = "B" } }
      for _, given in ipairs { {}, { updateOnConflict = false }, { returning = false } } do
        local err = error_of(accounts.upsert, accounts, { email = "new@x" }, { code = "B", role = "thief" }, given)
        assert.equal("UNIQUE_VIOLATION", err.code, tostring(err))
        err = error_of(accounts.upsertMany, accounts, { "email" },
          { { email = "fresh@x", role = "lost" }, { email = "a@x", role = "lost" }, { email = "new@x", code = "B" } },
          given)
        assert.equal("UNIQUE_VIOLATION", err.code, tostring(err))
      end
      local err = error_of(accounts.upsert, accounts, { email = "a@x" }, { code = "B" })
      assert.equal("UNIQUE_VIOLATION", err.code)
      assert.same({ "a@x", "b@x" }, emails())
      assert.same({ "guest", "guest" }, accounts:query():pluck("role"))
    end)

    it("survives such a failure inside a transaction", function()
      accounts:insert { email = "a@x", code = "A" }
      ds:transaction(function()
        accounts:insert { email = "b@x" }
        assert.is_false(pcall(accounts.upsertMany, accounts, { "email" }, { { email = "c@x" },
          { email = "d@x", code = "A" } }))
        accounts:insert { email = "e@x" }
      end)
      assert.same({ "a@x", "b@x", "e@x" }, emails())
    end)
  end)

  describe("upsertMany", function()
    it("gives the records in the order of the rows, new and old", function()
      accounts:insertMany { { email = "b@x", code = "B" }, { email = "d@x", code = "D" } }
      local list = accounts:upsertMany({ "email" }, {
        { email = "d@x", role = "1" }, { email = "a@x", role = "2" }, { email = "b@x", role = "3" },
        { email = "c@x", role = "4" },
      })
      local seen = {}
      for index, row in ipairs(list) do
        seen[index] = row.email .. row.role .. (row.code or "-")
      end
      assert.same({ "d@x1D", "a@x2-", "b@x3B", "c@x4-" }, seen)
      assert.equal(4, accounts:count())
    end)

    it("writes of every row just the columns that it has", function()
      accounts:insertMany { { email = "a@x", code = "A", role = "r" }, { email = "b@x", code = "B", role = "r" } }
      accounts:upsertMany({ "email" }, { { email = "a@x", code = "A2" }, { email = "b@x", role = "s" },
        { email = "c@x" } })
      assert.same({ "A2r", "Bs" }, { accounts:findOneBy("email", "a@x").code .. accounts:findOneBy("email", "a@x").role,
        accounts:findOneBy("email", "b@x").code .. accounts:findOneBy("email", "b@x").role })
      assert.equal("guest", accounts:findOneBy("email", "c@x").role)
    end)

    it("updates of every row what was given for it, never what was computed", function()
      local Computed = model "UpsertComputed" {
        id = column.increment(), name = column.string { length = 60, unique = true }, note = column.string(),
        balance = column.decimal { precision = 30, scale = 2, default = function() return "0.00" end },
      }
      ds:dropTables({ Computed }, { ifExists = true })
      ds:createTables { Computed }
      local class = Computed:using(ds)
      local function balances()
        local list = {}
        for index, row in ipairs(class:find { orderBy = "id" }) do
          list[index] = tostring(row.balance)
        end
        return list
      end
      class:insertMany { { name = "a", balance = "10.50" }, { name = "b", balance = "20.50" } }
      class:upsertMany({ "name" }, { { name = "a", balance = "5.25", note = "x" }, { name = "b", note = "y" } })
      assert.same({ "5.25", "20.50" }, balances())
      class:upsertMany({ "name" }, { { name = "b", note = "z" }, { name = "a", balance = "7.75", note = "w" } })
      assert.same({ "7.75", "20.50" }, balances())
    end)

    it("takes a key that comes twice one after the other", function()
      local list = accounts:upsertMany({ "email" }, { { email = "a@x", role = "1" }, { email = "b@x", role = "2" },
        { email = "a@x", role = "3" }, { email = "a@x", code = "C" } })
      assert.equal(list[1].id, list[4].id)
      assert.same({ "3", "C" }, { list[4].role, list[4].code })
      assert.equal(2, accounts:count())
      list = days:upsertMany({ "account", "day" }, { { account = 1, day = "2024-01-01", count = 1 },
        { account = 1, day = 1704067200, count = 2 }, { account = 1, day = "2024-01-02", count = 3 } })
      assert.same({ 2, 2, 1 }, { days:count(), list[2].version, list[3].version })
      assert.equal(2, days:findOneByPrimaryKey { 1, "2024-01-01" }.count)
    end)

    it("finds the rows that the database takes for equal", function()
      accounts:insert { email = "case@x" }
      local ok, list = pcall(accounts.upsertMany, accounts, { "email" }, { { email = "CASE@x", role = "r" },
        { email = "b@x" } })
      assert.is_true(ok, tostring(list))
      local folds = database == "mysql" or database == "mariadb"
      assert.equal(folds and 2 or 3, accounts:count())
      assert.equal("r", list[1].role)
    end)

    it("takes many rows in as many statements as it needs, all or nothing", function()
      local rows = {}
      for index = 1, 1200 do
        rows[index] = { email = ("m%d@x"):format(index), tenant = index % 7, slug = "s" .. index }
      end
      accounts:insertMany({ table.unpack(rows, 301, 600) }, { returning = false })
      local list = accounts:upsertMany({ "email" }, rows)
      assert.equal(1200, #list)
      for index, row in ipairs(list) do
        assert.equal(rows[index].email, row.email)
        assert.equal(rows[index].slug, row.slug)
      end
      assert.equal(1200, accounts:upsertMany({ "tenant", "slug" }, rows, { returning = false }))
      assert.equal(1200, accounts:count())
      rows[1200] = { email = "other@x", tenant = rows[1].tenant, slug = rows[1].slug }
      for index = 1, 1199 do
        rows[index].role = "lost"
      end
      assert.equal("UNIQUE_VIOLATION", error_of(accounts.upsertMany, accounts, { "email" }, rows).code)
      assert.equal(0, accounts:where("role", "lost"):count())
    end)

    it("gives an empty list for one", function()
      assert.same({}, accounts:upsertMany({ "email" }, {}))
      assert.equal(0, accounts:upsertMany({ "email" }, {}, { returning = false }))
      assert.equal("NIL_VALUE", error_of(accounts.upsertMany, accounts, { "email" }, nil).code)
      assert.equal("NIL_VALUE", error_of(accounts.upsertMany, accounts, nil, {}).code)
    end)

    it("does not change the given tables", function()
      local row = { account = 1, day = "2024-01-01" }
      days:upsertMany({ "account", "day" }, { row })
      assert.same({ account = 1, day = "2024-01-01" }, row)
    end)
  end)

  it("stores secrets, expressions and what a function calculates, found by a hidden column", function()
    local Vault = model "UpsertVault" {
      id = column.increment(), code = column.string { length = 40, unique = true, hidden = true },
      pin = column.hashed { strength = "interactive" }, iban = column.encrypted { key = hysteria.generateKey() },
      data = column.json(), on = column.boolean(),
      stamp = column.date { autoCreate = function() return "2024-01-01" end,
        autoUpdate = function() return "2024-12-31" end },
    }
    ds:dropTables({ Vault }, { ifExists = true })
    ds:createTables { Vault }
    local vaults = Vault:using(ds)
    local row = vaults:upsert({ code = "x" }, { pin = "1", iban = "A", data = { a = 1 }, on = true })
    assert.same({ "A", "2024-01-01" }, { row.iban, row.stamp })
    row = vaults:upsert({ code = "x" }, { pin = "2", iban = "B", on = sql.rawStatement("NULL"), data = sql.null })
    assert.same({ "B", "2024-12-31" }, { row.iban, row.stamp })
    assert.is_nil(row.data)
    assert.is_nil(row.on)
    assert.is_nil(row.code)
    assert.is_true(row:verify("pin", "2"))
    local list = vaults:upsertMany({ "code" }, { { code = "y", on = false }, { code = "x", on = true } })
    assert.same({ false, "2024-01-01", true, "2024-12-31" }, { list[1].on, list[1].stamp, list[2].on, list[2].stamp })
    assert.same({ "x", "y" }, vaults:query():orderBy("id"):pluck("code"))
  end)

  describe("with hooks", function()
    local function names()
      local list = {}
      for index, entry in ipairs(log) do
        list[index] = entry[1] .. ":" .. tostring(entry[2])
        assert.equal("upsert", entry[3])
      end
      return list
    end

    it("runs those of the insert for a new row and those of the update for one that is there", function()
      local row = hooked:upsert({ name = "ADA" }, { n = 1 })
      assert.equal("ada", row.name)
      assert.same({ "beforeSave:ADA", "beforeInsert:ada", "afterInsert:ada", "afterSave:ada" }, names())
      log = {}
      local again = hooked:upsert({ name = "Ada" }, { n = 2 })
      assert.same({ row.id, 2, 102 }, { again.id, again.n, again.seen })
      assert.same({ "beforeSave:Ada", "beforeInsert:ada", "beforeUpdate:2", "afterUpdate:ada", "afterSave:ada" },
        names())
    end)

    it("runs them for each row of many, and for none that stays as it is", function()
      hooked:upsert({ name = "b" }, { n = 1 })
      log = {}
      local list = hooked:upsertMany({ "name" }, { { name = "A", n = 1 }, { name = "B", n = 2 },
        { name = "a", n = 3 } })
      assert.same({ 3, 2, 3 }, { hooked:findOneBy("name", "a").n, list[2].n, list[3].n })
      assert.same({ "beforeSave:A", "beforeSave:B", "beforeSave:a", "beforeInsert:a", "beforeInsert:b",
        "beforeInsert:a", "afterInsert:a", "beforeUpdate:2", "afterUpdate:b", "beforeUpdate:3", "afterUpdate:a",
        "afterSave:a", "afterSave:b", "afterSave:a" }, names())
      log = {}
      hooked:upsert({ name = "b" }, { n = 9 }, { updateOnConflict = false })
      assert.same({ "beforeSave:b", "beforeInsert:b" }, names())
      assert.equal(2, hooked:findOneBy("name", "b").n)
    end)

    it("validates, can be ignored, and undoes everything when one raises", function()
      local err = error_of(hooked.upsertMany, hooked, { "name" }, { { name = "a", n = 1 }, { name = "b", n = 13 } })
      assert.equal("VALIDATION_ERROR", err.code)
      assert.same({ n = { "unlucky" } }, err.errors)
      log = {}
      assert.equal(13, hooked:upsert({ name = "X" }, { n = 13 }, { ignoreHooks = true }).n)
      assert.same({}, log)
      hooked:hook("afterUpdate", function(row) assert(row.n ~= 66, "no") end)
      assert.is_false(pcall(hooked.upsertMany, hooked, { "name" }, { { name = "new", n = 1 }, { name = "X", n = 66 } },
        { ignoreHooks = { "beforeInsert" } }))
      assert.same({ "X" }, hooked:query():pluck("name"))
    end)

    it("does not touch a row with the same value in another unique key", function()
      hooked:upsert({ name = "a" }, { code = "A" })
      for _, name in ipairs { "new", "a" } do
        hooked:upsert({ name = "b" }, { code = "B" })
        local err = error_of(hooked.upsert, hooked, { name = name }, { code = "B", n = 7 })
        assert.equal("UNIQUE_VIOLATION", err.code)
      end
      assert.equal(0, hooked:where("n", 7):count())
    end)
  end)

  describe("on a plain table", function()
    local function plain()
      return ds:query("upsert_accounts")
    end

    it("gives a count, or rows when asked", function()
      assert.equal(1, plain():upsert({ email = "a@x", code = "1" }, { "email" }))
      assert.equal(1, plain():upsert({ code = "2" }, { email = "a@x" }))
      assert.equal("2", accounts:findOne().code)
      local row = plain():upsert({ email = "a@x", code = "3" }, { "email" }, { returning = { "code" } })
      assert.same({ code = "3" }, row)
      assert.equal("3", plain():upsert({ email = "a@x", code = "4" }, { "email" }, { returning = true,
        updateOnConflict = false }).code)
      local rows = { { email = "b@x", code = "5", role = "x" }, { email = "a@x", code = "6", role = "x" } }
      assert.equal(2, plain():upsertMany({ "email" }, { "code" }, rows))
      assert.same({ "guest", "x" }, accounts:query():orderBy("email"):pluck("role"))
      local list = plain():upsertMany({ "email" }, nil, rows, { returning = true })
      assert.same({ "b@x", "a@x" }, { list[1].email, list[2].email })
      assert.equal(0, plain():upsertMany({ "email" }, nil, {}))
      assert.same({}, plain():upsertMany({ "email" }, nil, {}, { returning = true }))
    end)

    it("wants a key that the database knows, and touches no other row", function()
      accounts:insertMany { { email = "a@x", code = "A" } }
      assert.is_false(pcall(plain().upsert, plain(), { role = "x", tenant = 5 }, { "role" }))
      assert.equal("CONFLICT_COLUMNS_NOT_PRESENT_IN_DATA", error_of(plain().upsert, plain(), { code = "x" },
        { "email" }).code)
      assert.equal("UNIQUE_VIOLATION", error_of(plain().upsert, plain(), { email = "n@x", code = "A" },
        { "email" }).code)
      assert.same({ "a@x" }, emails())
    end)
  end)
end)

databases.each(function(ds, database)
  local Counter = model "UpsertRace" {
    id = column.increment(), name = column.string { length = 60, unique = true }, n = column.integer(),
    hits = column.version(),
  }
  local Seen = model "UpsertRaceHooked" {
    hysteria.afterUpdate(function() end),
    id = column.increment(), name = column.string { length = 60, unique = true }, n = column.integer(),
    hits = column.version(),
  }

  describe("when somebody drops the unique key", function()
    local bound = Counter:using(ds)
    local on_table = (database == "mysql" or database == "mariadb") and " ON upsert_races" or ""

    before_each(function()
      ds:dropTables({ Counter }, { ifExists = true })
      ds:rawQuery("CREATE TABLE upsert_races (id INTEGER PRIMARY KEY, name VARCHAR(60), n INTEGER, "
        .. "hits INTEGER NOT NULL DEFAULT 1)")
      ds:rawQuery("CREATE UNIQUE INDEX upsert_races_name ON upsert_races (name)")
      bound:upsert({ name = "one" }, { id = 1, n = 1 })
      ds:rawQuery("DROP INDEX upsert_races_name" .. on_table)
    end)

    local table_query = ds:query("upsert_races")
    local WRITES = {
      function(id) bound:upsert({ name = "one" }, { id = id, n = 2 }) end,
      function(id) bound:upsertMany({ "name" }, { { id = id, name = "one", n = 2 } }) end,
      function(id) table_query:upsert({ id = id, name = "one", n = 2 }, { "name" }, { returning = true }) end,
      function(id) bound:upsert({ name = "one" }, { id = id, n = 2 }, { returning = false }) end,
      function(id) table_query:upsert({ id = id, name = "one", n = 2 }, { "name" }) end,
    }
    -- The others notice it themselves, or read the row again and see two.
    local at_once = database == "mariadb" and 0 or database == "mysql" and 3 or #WRITES

    for place, write in ipairs(WRITES) do
      it("says what is wrong: " .. place, function()
        local deadline, id = os.time() + 30, 2
        while pcall(write, id) and os.time() < deadline do
          id = id + 1
        end
        local err = error_of(write, id)
        assert.is_true(hysteria.isError(err))
        if place <= at_once then
          assert.equal(2, id)
          assert.equal(1, bound:count())
        end
        ds:rawQuery("DELETE FROM upsert_races WHERE id > 1")
        ds:rawQuery("CREATE UNIQUE INDEX upsert_races_name ON upsert_races (name)")
        write(9)
        assert.equal(1, bound:count())
      end)
    end
  end)

  it("prepares and calculates alike, by one statement and row by row", function()
    local function columns(more)
      local list = {
        hysteria.tableName("upsert_stamps"), id = column.increment(),
        sku = column.string { length = 20, unique = true }, flag = column.boolean(),
        v = column.string { prepare = function(text) return text .. "+" end },
        w = column.string { prepare = function(text) return text .. "*" end },
        stamp = column.string {
          autoUpdate = function(row) return ("x%s %s"):format(row.v, row.sku) end,
          prepare = function(text) return text:upper() .. "!" end,
        },
      }
      return table.move(more, 1, #more, #list + 1, list)
    end
    local Plain = model "UpsertStampPlain" (columns {})
    local Scoped = model "UpsertStampScoped" (columns { hysteria.defaultScope(function(q) q:where("id", ">", 0) end) })
    local ids
    local Hooked = model "UpsertStampHooked" (columns {
      hysteria.beforeUpdate(function(changes, ctx)
        ids, changes.w, changes.flag = ctx.ids, "hook", false
        changes.v = changes.v == "four+" and "five" or changes.v
      end),
    })
    ds:dropTables({ Plain }, { ifExists = true })
    ds:createTables { Plain }
    Plain:using(ds):insert { sku = "a", v = "one", w = "w", flag = true }
    local function stored()
      local row = Plain:using(ds):findOneBy("sku", "a")
      return { row.v, row.w, row.stamp, row.flag }
    end
    for _, class in ipairs { Plain, Scoped } do
      assert.equal("XTWO+ A!", class:using(ds):upsert({ sku = "a" }, { v = "two" }).stamp)
      assert.same({ "two+", "w*", "XTWO+ A!", true }, stored())
      class:using(ds):upsertMany({ "sku" }, { { sku = "a", v = "six", w = "n" } }, { updateColumns = { "w" } })
      assert.same({ "two+", "n*", "XSIX+ A!", true }, stored())
      class:using(ds):upsert({ sku = "a" }, { w = "w", stamp = "given" })
      assert.same({ "two+", "w*", "GIVEN!", true }, stored())
    end
    Hooked:using(ds):upsert({ sku = "a" }, { v = "three" })
    assert.same({ "three+", "hook*", "XTHREE+ A!", false }, stored())
    assert.same({ 1 }, ids)
    Hooked:using(ds):upsert({ sku = "a" }, { v = "four" })
    assert.same({ "five+", "hook*", "XFIVE A!", false }, stored())
  end)

  for _, class in ipairs { Counter, Seen } do
    it("leaves one row to those that come at once: " .. class._definition.name, function()
      ds:dropTables({ class }, { ifExists = true })
      ds:createTables { class }
      local bound, tasks = class:using(ds), {}
      for index = 1, 16 do
        tasks[index] = function()
          ds:transaction(function()
            bound:upsert({ name = "one" }, { n = index })
          end, { retry = 20 })
        end
      end
      async.run(function()
        async.all(tasks)
      end)
      assert.equal(1, bound:count())
      assert.equal(16, bound:findOne().hits)
    end)
  end
end, { shared = true, pool = { max = 8 } })
