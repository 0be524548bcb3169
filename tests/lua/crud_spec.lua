-- Writing and reading back: statics, records, builders, plain tables. What the database holds
-- is asked with raw SQL.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds, database)
  local User = model "CrudUser" {
    id = column.increment(),
    email = column.string { unique = true },
    age = column.integer(),
    state = column.string { default = "new" },
    data = column.json(),
  }
  local Pair = model "CrudPair" {
    hysteria.primaryKey { "left", "right" },
    left = column.integer(), right = column.string(), note = column.string(),
  }
  local Keyed = model "CrudKeyed" { id = column.uuid { primaryKey = true }, n = column.integer() }
  local Soft = model "CrudSoft" { hysteria.softDelete(), id = column.increment(), name = column.string() }
  local Flagged = model "CrudFlagged" {
    hysteria.softDelete("gone"), id = column.increment(), name = column.string(), gone = column.boolean(),
  }
  local Tracked = model "CrudTracked" {
    hysteria.options { track = true },
    id = column.increment(), a = column.integer(), b = column.integer(), data = column.json(),
  }
  local Timed = model "CrudTimed" {
    hysteria.timestamps(), hysteria.guarded { "the_role" },
    timedId = column.increment(), n = column.integer(),
    day = column.date { autoUpdate = true }, theRole = column.integer(),
  }
  local users, pairs_, keyed, soft = User:using(ds), Pair:using(ds), Keyed:using(ds), Soft:using(ds)
  local all = { User, Pair, Keyed, Soft, Flagged, Tracked, Timed }

  local function rows(text, ...)
    return ds:rawQuery(text, ...)
  end

  local function count(name)
    return rows("SELECT count(*) AS n FROM " .. name)[1].n
  end

  before_each(function()
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
  end)

  describe("insert", function()
    it("gives the whole stored row", function()
      local user = users:insert { email = "a@x", age = 3 }

      assert.same({ id = 1, email = "a@x", age = 3, state = "new" }, user:toTable())
    end)

    it("stores a row of defaults", function()
      local user = users:insert {}
      assert.equal(1, user.id)
      assert.equal("new", user.state)
    end)

    it("narrows what it gives", function()
      local user = users:insert({ email = "a@x" }, { returning = { "email" } })
      assert.same({ email = "a@x" }, user:toTable())
      assert.is_false(user:has("id"))
    end)

    it("gives a count when nothing shall come back", function()
      assert.equal(1, users:insert({ email = "a@x" }, { returning = false }))
    end)

    it("takes NULL, expressions and database names", function()
      local user = users:insert { email = sql.rawStatement("lower('A@X')"), age = sql.null, state = sql.null }
      assert.equal("a@x", user.email)
      assert.equal(1, rows("SELECT count(*) AS n FROM crud_users WHERE state IS NULL AND age IS NULL")[1].n)
    end)
  end)

  describe("insertMany", function()
    it("gives nothing for nothing, without asking the database", function()
      local seen = databases.watch(ds)
      assert.same({}, users:insertMany {})
      assert.equal(0, users:insertMany({}, { returning = false }))
      assert.equal(0, #seen.stop())
    end)

    it("gives the records in the order of the rows", function()
      local list = users:insertMany { { email = "c" }, { email = "a" }, { email = "b" } }
      assert.same({ "c", "a", "b" }, { list[1].email, list[2].email, list[3].email })
      assert.same({ 1, 2, 3 }, { list[1].id, list[2].id, list[3].id })
    end)

    it("matches rows whose keys are known", function()
      local list = users:insertMany { { id = 30, email = "c" }, { id = 10, email = "a" }, { id = 20, email = "b" } }
      for index, email in ipairs { "c", "a", "b" } do
        assert.equal(email, list[index].email)
        assert.equal(rows("SELECT id FROM crud_users WHERE email = ?", { email })[1].id, list[index].id)
      end
    end)

    it("matches a mixture of given and generated keys", function()
      local given = {
        { email = "a" }, { id = 50, email = "b" }, { email = "c" }, { email = "d" }, { id = 7, email = "e" },
      }
      local list = users:insertMany(given)
      for index, row in ipairs(given) do
        assert.equal(row.email, list[index].email)
        assert.equal(rows("SELECT id FROM crud_users WHERE email = ?", { row.email })[1].id, list[index].id)
      end
    end)

    it("leaves gaps to the defaults and takes the union of the keys", function()
      local list = users:insertMany { { email = "a" }, { email = "b", state = "old" }, { age = 1, state = sql.null } }
      assert.equal("new", list[1].state)
      assert.equal("old", list[2].state)
      assert.is_nil(list[3].state)
      assert.equal(1, list[3].age)
    end)

    it("matches generated UUIDs and keys of several columns", function()
      local list = keyed:insertMany { { n = 1 }, { n = 2 }, { id = "6F1F9A3E-8A55-4C0C-9C42-6F2B1C3D4E5F", n = 3 } }
      for index, row in ipairs(list) do
        assert.equal(index, row.n)
      end
      local two = pairs_:insertMany { { left = 2, right = "b", note = "x" }, { left = 1, right = "a", note = "y" } }
      assert.same({ "x", "y" }, { two[1].note, two[2].note })
    end)

    it("brings back only the columns asked for, in order", function()
      local list = pairs_:insertMany({ { left = 2, right = "b", note = "x" }, { left = 1, right = "a", note = "y" } },
        { returning = { "note" } })
      assert.same({ { note = "x" }, { note = "y" } }, { list[1]:toTable(), list[2]:toTable() })
    end)

    it("stores thousands of rows in few statements, all or none", function()
      local many = {}
      for index = 1, 1200 do
        many[index] = { email = "u" .. index, age = index }
      end
      local seen = databases.watch(ds)
      local list = users:insertMany(many)
      local inserts = 0
      for _, event in ipairs(seen.stop()) do
        inserts = inserts + (event.operation == "INSERT" and 1 or 0)
      end

      assert.is_true(inserts >= 2 and inserts <= 12, inserts .. " statements")
      assert.equal(1200, #list)
      for index = 1, 1200, 119 do
        assert.equal("u" .. index, list[index].email)
      end

      many[1200] = { email = "u1" }
      for index = 1, 1199 do
        many[index] = { email = "v" .. index }
      end
      assert.equal("UNIQUE_VIOLATION", error_of(users.insertMany, users, many).code)
      assert.equal(1200, count("crud_users"))
      assert.equal(2, users:insertMany({ { email = "p" }, { email = "q" } }, { returning = false }))
    end)

    it("refuses what is no list of rows", function()
      assert.equal("INVALID_ARGUMENT", error_of(users.insertMany, users, { email = "x" }).code)
      assert.equal("INVALID_ARGUMENT", error_of(users.insertMany, users, { "x" }).code)
      assert.equal(0, count("crud_users"))
    end)
  end)

  describe("finding", function()
    before_each(function()
      users:insertMany { { email = "a", age = 1 }, { email = "b", age = 2 }, { email = "c", age = 2 }, { email = "d" } }
    end)

    local function emails(list)
      local names = {}
      for index, row in ipairs(list) do
        names[index] = row.email
      end
      return table.concat(names)
    end

    it("by every verb", function()
      assert.equal("abcd", emails(users:find()))
      assert.equal("abcd", emails(users:all()))
      assert.equal("cb", emails(users:find { where = { age = 2 }, orderBy = { email = "desc" } }))
      assert.equal("bc", emails(users:find { where = { age = 2 }, orderBy = { { "age" }, "email" } }))
      assert.equal("d", emails(users:find { where = { age = sql.null } }))
      assert.equal("bc", emails(users:find { orderBy = "id", limit = 2, offset = 1 }))
      assert.equal("", emails(users:find { limit = 0 }))
      assert.equal("a", users:first().email)
      assert.equal("b", users:findOne { where = { age = sql.op.gt(1) }, orderBy = "id" }.email)
      assert.equal("bc", emails(users:findBy("age", 2)))
      assert.equal("c", users:findOneBy("email", "c").email)
      assert.equal("c", users:findOneByPrimaryKey(3).email)
      assert.equal("d", emails(users:findBy("age", sql.null)))
      assert.equal(4, users:count())
      assert.equal(2, users:count { where = { age = 2 } })
      assert.is_true(users:exists { where = { age = 2 } })
      assert.is_false(users:exists { where = { age = 9 } })
      assert.same({ email = "a" }, users:find({ select = { "email" }, where = { id = 1 } })[1]:toTable())
    end)

    it("refuses an order that a table cannot have", function()
      assert.equal("INVALID_ARGUMENT", error_of(users.find, users, { orderBy = { age = "asc", email = "desc" } }).code)
      assert.equal("INVALID_ARGUMENT", error_of(users.find, users, { orderBy = { age = "down" } }).code)
    end)

    it("by a key of several columns", function()
      pairs_:insert { left = 1, right = "a", note = "x" }
      assert.equal("x", pairs_:findOneByPrimaryKey({ 1, "a" }).note)
      assert.equal("x", pairs_:findOneByPrimaryKey({ left = 1, right = "a" }).note)
      assert.is_nil(pairs_:findOneByPrimaryKey { 1, "b" })
      assert.equal("NIL_VALUE", error_of(pairs_.findOneByPrimaryKey, pairs_, { 1 }).code)
    end)

    it("or inserting", function()
      local found, is_new = users:firstOrInsert({ email = "a" }, { age = 9 })
      assert.equal(1, found.age)
      assert.is_false(is_new)
      local made, fresh = users:firstOrInsert({ email = "z" }, { age = 9 })
      assert.same({ 9, "z", true }, { made.age, made.email, fresh })
      assert.is_true(users:firstOrInsert({ email = "y" }, nil, { fullResponse = true }).isNew)
    end)

    it("or inserting finds what somebody else inserted meanwhile", function()
      local blind = 0
      local Raced = model "CrudRaced" {
        hysteria.beforeFetch(function(query)
          if blind > 0 then
            blind = blind - 1
            query:where("id", 0)
          end
        end),
        id = column.increment(), name = column.string { unique = true },
      }
      ds:createTables({ Raced }, { ifNotExists = true })
      ds:rawQuery("DELETE FROM crud_raceds")
      local first = Raced:using(ds):insert { name = "r" }

      blind = 1
      local found, is_new = Raced:using(ds):firstOrInsert { name = "r" }
      assert.same({ first.id, false }, { found.id, is_new })

      ds:transaction(function()
        blind = 1
        found, is_new = Raced:using(ds):firstOrInsert { name = "r" }
        assert.same({ first.id, false }, { found.id, is_new })
      end)
      blind = 2
      assert.equal("UNIQUE_VIOLATION", error_of(function() Raced:using(ds):firstOrInsert { name = "r" } end).code)
    end)

    it("by SQL text as records", function()
      local list = users:fromQuery("SELECT id, email, age AS age, 1 AS one FROM crud_users WHERE age = ?", { 2 })
      assert.equal("bc", emails(list))
      assert.equal(1, list[1].one)
      list[1]:update { age = 5 }
      assert.equal(5, rows("SELECT age FROM crud_users WHERE email = 'b'")[1].age)
    end)
  end)

  describe("a record", function()
    local user

    before_each(function()
      user = users:insert { email = "a@x", age = 3, data = { n = 1 } }
    end)

    it("saves its fields, and NULL only where sql.null was assigned", function()
      user.age, user.state = 4, nil
      assert.equal(user, user:save())
      local stored = rows("SELECT age, state FROM crud_users")[1]
      assert.same({ age = 4, state = "new" }, stored)

      user.age = sql.null
      user:save()
      assert.is_nil(user.age)
      assert.equal(1, rows("SELECT count(*) AS n FROM crud_users WHERE age IS NULL")[1].n)
    end)

    it("refuses a misspelt field", function()
      user.aeg = 3
      assert.equal("UNDEFINED_COLUMN", error_of(user.save, user).code)
    end)

    it("saves only what was selected", function()
      local part = users:query():select("id", "age"):one()
      part.age = 8
      part:save()
      assert.same({ email = "a@x", age = 8 }, rows("SELECT email, age FROM crud_users")[1])
    end)

    it("takes what the database stored", function()
      user:update { age = sql.rawStatement("age + 10"), email = "b@x" }
      assert.equal(13, user.age)
      assert.equal("b@x", user.email)
    end)

    it("refreshes", function()
      rows("UPDATE crud_users SET age = 99")
      assert.equal(user, user:refresh())
      assert.equal(99, user.age)
      assert.equal(99, users:refresh(user).age)
      assert.equal(99, users:refresh(user.id).age)
    end)

    it("deletes", function()
      assert.equal(1, user:delete())
      assert.equal(0, count("crud_users"))
    end)

    it("merges, tells, converts and prints", function()
      user:mergeProps { age = 5 }
      assert.equal(5, user.age)
      assert.equal("UNDEFINED_COLUMN", error_of(user.mergeProps, user, { aeg = 1 }).code)
      assert.equal(user, users:combineProps(user, { age = 5 }))
      local some, more = { email = "a@x.org", age = 1 }, { age = 2 }
      assert.same({ email = "a@x.org", age = 2 }, users:combineProps(some, more))
      assert.same({ email = "a@x.org", age = 1 }, some)
      assert.equal("UNDEFINED_COLUMN", error_of(users.combineProps, users, some, { aeg = 1 }).code)
      assert.equal("UNKNOWN_OPTION", error_of(users.combineProps, users, some, more, { ungarded = true }).code)
      assert.equal("INVALID_ARGUMENT", error_of(users.combineProps, users, some, more, "x").code)
      local Other = model "CrudOther" {
        hysteria.tableName "crud_users", id = column.increment(), age = column.integer(),
      }
      local foreign = error_of(users.combineProps, users, Other:using(ds):query():first(), { age = 3 })
      assert.equal("INVALID_ARGUMENT", foreign.code)
      assert.matches("one of CrudOther, not of CrudUser", foreign.message, 1, true)
      assert.is_true(user:has("age"))
      assert.is_false(user:has("nothing"))
      local plain = user:toTable()
      assert.is_nil(getmetatable(plain))
      user.age = nil
      local json = hysteria.json.decode(user:toJson())
      assert.equal(sql.jsonNull, json.age)
      assert.equal("a@x", json.email)
      assert.matches("^CrudUser { id = 1, email = \"a@x\"", tostring(user))
    end)

    it("is its own source's", function()
      local other = sql.connectToSecondarySource { type = "sqlite" }
      other:createTables { User }
      local elsewhere = User:using(other):insert { email = "else" }
      elsewhere:update { age = 1 }

      assert.equal(1, other:rawQuery("SELECT age FROM crud_users")[1].age)
      assert.equal(3, rows("SELECT age FROM crud_users")[1].age)
      assert.equal(0, User:count { connection = other, where = { age = 3 } })
      other:close()
    end)

    it("is a table like others: no verb shows among its fields", function()
      for key in pairs(user) do
        assert.is_truthy(User._definition.by_property[key], key)
      end
    end)

    it("needs the colon", function()
      assert.equal("INVALID_ARGUMENT", error_of(user.save, {}).code)
    end)
  end)

  describe("by class", function()
    it("save inserts, or updates the row that has the key", function()
      local made = users:save { email = "s", age = 1 }
      assert.equal(1, made.id)
      local changed = users:save { id = 1, age = 2 }
      assert.same({ 1, 2, "s" }, { changed.id, changed.age, changed.email })
      local placed = users:save { id = 40, email = "t" }
      assert.equal(40, placed.id)
      assert.equal(2, count("crud_users"))
      made.age = 7
      assert.equal(made, users:save(made))
      assert.equal(7, rows("SELECT age FROM crud_users WHERE id = 1")[1].age)
      assert.equal("INVALID_ARGUMENT", error_of(users.save, users, keyed:insert { n = 1 }).code)
    end)

    it("updateRecord and deleteRecord work by record and by key", function()
      local user = users:insert { email = "r" }
      assert.equal(5, users:updateRecord(user.id, { age = 5 }).age)
      assert.equal(user, users:updateRecord(user, { age = 6 }))
      assert.equal(6, user.age)
      assert.equal(1, users:deleteRecord(user.id))
      assert.equal(0, users:deleteRecord(user))
    end)

    it("update and delete take a where", function()
      users:insertMany { { email = "a", age = 1 }, { email = "b", age = 2 } }
      assert.equal(1, users:update({ state = "x" }, { where = { age = 2 } }))
      assert.equal(1, users:delete { where = { age = sql.op.lt(2) } })
      assert.same({ { email = "b", state = "x" } }, rows("SELECT email, state FROM crud_users"))
    end)

    it("truncate empties", function()
      users:insert { email = "a" }
      users:truncate()
      assert.equal(0, count("crud_users"))
    end)
  end)

  describe("builders", function()
    before_each(function()
      users:insertMany { { email = "a", age = 1 }, { email = "b", age = 2 }, { email = "c", age = 3 } }
    end)

    it("update, increment and delete give counts of matched rows", function()
      assert.equal(2, users:where("age", ">", 1):update { state = "new" })
      assert.equal(3, users:where("age", ">", 0):increment("age"))
      assert.equal(1, users:where("email", "a"):increment("age", 10))
      assert.equal(1, users:where("email", "c"):decrement("age", 2))
      assert.same({ { age = 12 }, { age = 3 }, { age = 2 } }, rows("SELECT age FROM crud_users ORDER BY email"))
      assert.equal(1, users:where("email", "a"):delete())
      assert.equal(2, count("crud_users"))
    end)

    it("give rows when asked", function()
      local list = users:where("age", ">", 1):update({ state = "y" }, { returning = { "email", "state" } })
      assert.equal(2, #list)
      assert.equal("y", list[1].state)
      local gone = users:where("email", "a"):delete { returning = true }
      assert.equal("a", gone[1].email)
      assert.equal(1, #gone)
    end)

    it("honour order and limit in writes", function()
      assert.equal(1, users:query():orderBy("age", "desc"):limit(1):where("id", ">", 0):delete())
      assert.same({ { email = "a" }, { email = "b" } }, rows("SELECT email FROM crud_users ORDER BY id"))
      assert.equal(1, users:where("id", ">", 0):orderBy("id"):limit(1):update { state = "first" })
      assert.equal("first", rows("SELECT state FROM crud_users WHERE email = 'a'")[1].state)
    end)

    it("write by what a join says", function()
      pairs_:insert { left = 2, right = "x" }
      assert.equal(1, users:query():join(Pair, "left", "id"):where("crud_pairs.right", "x"):update { state = "joined" })
      assert.same({ { email = "b" } }, rows("SELECT email FROM crud_users WHERE state = 'joined'"))
      assert.equal(1, users:query():join(Pair, "left", "id"):where("crud_pairs.right", "x"):delete())
      assert.equal(0, rows("SELECT count(*) AS n FROM crud_users WHERE email = 'b'")[1].n)
    end)

    it("write to every row with allRows and a limit", function()
      assert.equal(1, users:query():allRows():limit(1):delete())
      assert.equal(2, count("crud_users"))
    end)

    it("can be run again and give the same", function()
      local q = users:where("age", ">", 1)
      assert.equal(2, #q:many())
      assert.equal("b", q:one().email)
      assert.equal(2, q:getCount())
      assert.same({ "b", "c" }, q:pluck("email"))
      assert.is_true(q:exists())
      assert.equal(2, q:update { state = "again" })
      assert.equal(2, #q:many())
      assert.equal(2, q:delete())
      assert.equal(0, #q:many())
    end)
  end)

  describe("plain tables", function()
    it("give counts", function()
      local t = ds:query("crud_users")
      assert.equal(1, t:insert { email = "a", age = 1 })
      assert.equal(1, t:insertMany { { email = "b" } })
      assert.equal(2, t:insertMany { { email = "c", age = 1 }, { email = "d" } })
      assert.equal(1, t:insert({ email = "e" }, { returning = false }))
      assert.equal(2, ds:query("crud_users"):where("age", 1):update { state = "z" })
      assert.equal(2, ds:query("crud_users"):where("state", "z"):increment("age", 4))
      assert.same({ 5, 5 }, ds:query("crud_users"):where("state", "z"):pluck("age"))
      assert.equal(2, ds:query("crud_users"):where("state", "z"):delete())
      assert.equal(3, ds:query("crud_users"):getCount())
      assert.same({}, t:insertMany({}, { returning = true }))
      assert.equal(0, t:insertMany {})
    end)

    it("give rows when asked, or say that this database does not", function()
      local t = ds:query("crud_users")
      local function rows_of()
        return t:insertMany({ { email = "b" } }, { returning = { "email" } }),
          t:insert({ email = "e" }, { returning = { "email" } }).email
      end
      if ds:can("RETURNING_INSERT") then
        local list, email = rows_of()
        assert.same({ { email = "b" } }, list)
        assert.equal("e", email)
        assert.equal(2, t:getCount())
      else
        assert.equal("UNSUPPORTED", error_of(rows_of).code)
        assert.equal(0, t:getCount())
      end
    end)

    it("are soft deleted by a column that can be named", function()
      ds:query("crud_softs"):insert { name = "a" }
      ds:query("crud_softs"):where("name", "a"):softDelete()
      assert.equal(1, rows("SELECT count(*) AS n FROM crud_softs WHERE deleted_at IS NOT NULL")[1].n)
      ds:query("crud_softs"):where("name", "a"):restore()
      assert.equal(0, rows("SELECT count(*) AS n FROM crud_softs WHERE deleted_at IS NOT NULL")[1].n)
      assert.equal(1, ds:query("crud_flaggeds"):insert { name = "a" })
      ds:query("crud_flaggeds"):where("name", "a"):softDelete { column = "gone", value = true }
      assert.equal(0, Flagged:using(ds):count())
    end)
  end)

  describe("soft deletion", function()
    before_each(function()
      soft:insertMany { { name = "a" }, { name = "b" }, { name = "c" } }
    end)

    it("hides rows from every verb until told otherwise", function()
      local a = soft:findOneBy("name", "a")
      assert.equal(a, a:softDelete())
      assert.is_string(a.deletedAt)

      assert.equal(2, soft:count())
      assert.is_nil(soft:findOneByPrimaryKey(a.id))
      assert.is_false(soft:query():where("name", "a"):exists())
      assert.same({ "b", "c" }, soft:query():orderBy("name"):pluck("name"))
      assert.equal(3, #soft:query():withDeleted():many())
      assert.same({ "a" }, soft:query():onlyDeleted():pluck("name"))
      assert.equal(1, #soft:find { onlyDeleted = true })
      assert.equal(0, soft:where("name", "a"):update { name = "z" })
      assert.equal(0, soft:where("name", "a"):delete())
      assert.equal(1, soft:where("name", "a"):withDeleted():update { name = "z" })
      assert.is_truthy(a:refresh())
      assert.equal("z", a.name)
    end)

    it("cannot be escaped by an OR", function()
      soft:findOneBy("name", "a"):softDelete()
      assert.equal(2, #soft:where("name", "b"):orWhere("id", ">", 0):many())
    end)

    it("works in bulk and back again", function()
      assert.equal(2, soft:where("name", "!=", "c"):softDelete())
      assert.equal(0, soft:where("name", "a"):softDelete())
      assert.equal(1, soft:count())
      assert.equal(1, soft:where("name", "a"):restore())
      assert.equal(2, soft:count())
      local b = soft:query():onlyDeleted():one()
      assert.equal(b, b:restore())
      assert.is_nil(b.deletedAt)
      assert.equal(3, soft:count())
    end)

    it("holds under an alias and beside joined tables with the same column", function()
      soft:findOneBy("name", "a"):softDelete()
      assert.equal(2, soft:query():alias("s"):where("s.id", ">", 0):getCount())
      assert.is_false(soft:query():alias("s"):where("s.name", "a"):exists())
      assert.equal(2, #soft:query():join("crud_softs as other", "id", "id"):many())
    end)

    it("shows in the SQL text", function()
      assert.matches(databases.spelled(database, "\"deleted_at\" IS NULL"), soft:query():toQuery(), 1, true)
      assert.is_nil(soft:query():withDeleted():toQuery():find("IS NULL", 1, true))
    end)

    it("works with a flag", function()
      local flagged = Flagged:using(ds)
      local row = flagged:insert { name = "f" }
      assert.is_false(row.gone)
      row:softDelete()
      assert.equal(0, flagged:count())
      assert.equal(1, rows("SELECT count(*) AS n FROM crud_flaggeds WHERE gone")[1].n)
      row:restore()
      assert.equal(1, flagged:count())
    end)

    it("exists only where it was declared", function()
      assert.equal("INVALID_MODEL", error_of(function() users:where("id", 1):softDelete() end).code)
      assert.equal("INVALID_MODEL", error_of(function() users:query():withDeleted() end).code)
    end)
  end)

  describe("tracking", function()
    it("writes changes only", function()
      local row = Tracked:using(ds):insert { a = 1, b = 2, data = { n = 1 } }
      local seen = databases.watch(ds)
      row:save()
      assert.equal(0, #seen.stop())

      rows("UPDATE crud_trackeds SET b = 50")
      row.a = 3
      row:save()
      assert.same({ a = 3, b = 50 }, rows("SELECT a, b FROM crud_trackeds")[1])

      row.data.n = 2
      row:save()
      assert.equal(2, Tracked:using(ds):first().data.n)
    end)

    it("can be asked for by a query", function()
      users:insert { email = "t", age = 1 }
      local user = users:query({ track = true }):one()
      rows("UPDATE crud_users SET age = 50")
      user.email = "u"
      user:save()
      assert.same({ age = 50, email = "u" }, rows("SELECT age, email FROM crud_users")[1])
    end)
  end)

  describe("timestamps", function()
    local timed = Timed:using(ds)

    it("show one instant in a row that is new", function()
      for _, row in ipairs(timed:insertMany { { n = 1 }, { n = 2 }, { n = 3 } }) do
        assert.equal(row.createdAt, row.updatedAt)
        assert.equal(row.createdAt:sub(1, 10), row.day)
      end
    end)

    it("move on when a record is saved, but not where a time is given", function()
      local old = "2020-01-01 00:00:00"
      local row = timed:insert { n = 1, updatedAt = old, createdAt = old }
      row.n = 2
      row:save()
      assert.is_true(row.updatedAt > old)
      assert.equal(old, row.createdAt)
      assert.equal(row.updatedAt, timed:first().updatedAt)

      row:update { updatedAt = old }
      assert.equal(old, timed:first().updatedAt)
      row.updatedAt = sql.null -- is what was said, not a time of the past
      assert.equal("NOT_NULL_VIOLATION", error_of(row.save, row).code)
    end)
  end)

  describe("guarded columns", function()
    local timed = Timed:using(ds)

    it("are guarded under either of their names", function()
      timed:insert({ n = 1, theRole = 1 }, { unguarded = true })
      for _, name in ipairs { "theRole", "the_role" } do
        assert.equal("GUARDED_COLUMN", error_of(timed.insert, timed, { [name] = 2 }).code)
        assert.equal("GUARDED_COLUMN", error_of(timed.insertMany, timed, { { [name] = 2 } }).code)
        assert.equal("GUARDED_COLUMN", error_of(timed.update, timed, { [name] = 2 }, { where = { n = 1 } }).code)
        local q = timed:where("n", 1)
        assert.equal("GUARDED_COLUMN", error_of(q.increment, q, name).code)
      end
      assert.equal(1, timed:first().theRole)
    end)
  end)

  it("insertMany matches keys that are given by their database names", function()
    local Named = model "CrudNamed" { namedId = column.increment(), n = column.integer() }
    ds:dropTables({ Named }, { ifExists = true })
    ds:createTables { Named }
    local stored = Named:using(ds):insertMany { { named_id = 5, n = 1 }, { named_id = 3, n = 2 } }
    assert.same({ 5, 1 }, { stored[1].namedId, stored[1].n })
    assert.same({ 3, 2 }, { stored[2].namedId, stored[2].n })
  end)

  it("keeps text that looks like SQL as text", function()
    for _, text in ipairs { "'; DROP TABLE crud_users; --", "\"x\" ? $1 :name", "back\\slash", "Ünï\ncode 🙂", "" } do
      local user = users:insert { state = text }
      assert.equal(text, users:findOneBy("state", text).state)
      assert.equal(text, rows("SELECT state FROM crud_users WHERE id = ?", { user.id })[1].state)
    end
  end)
end)
