-- Errors: one table, a closed list of codes, the caller's line; and the rules that raise them.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

-- The line on which this function is called.
local function here()
  return debug.getinfo(2, "l").currentline
end

databases.each(function(ds, database)
  local User = model "ErrUser" {
    hysteria.check("age >= 0"),
    hysteria.guarded { "role" },
    id = column.increment(),
    email = column.string { nullable = false, unique = true },
    age = column.integer(),
    role = column.string(),
  }
  local Post = model "ErrPost" {
    id = column.increment(), userId = column.integer { nullable = false },
    user = hysteria.belongsTo("ErrUser", { foreignKey = "userId" }),
  }
  local users = User:using(ds)

  before_each(function()
    ds:dropTables({ User, Post }, { ifExists = true })
    ds:createTables { User, Post }
    users:insert { email = "a@x", age = 1 }
  end)

  describe("an error", function()
    it("names the line of the caller", function()
      local line
      local ok, err = pcall(function()
        line = here() + 1
        users:insert { emial = "x" }
      end)

      assert.is_false(ok)
      assert.equal("UNDEFINED_COLUMN", err.code)
      assert.matches("errors_spec.lua:" .. line .. "$", err.where)
      assert.is_true(err:is("UNDEFINED_COLUMN"))
      assert.equal(1, select(2, (tostring(err) .. "\n"):gsub("\n", "")))
      assert.matches("did you mean 'email'", err.message, 1, true)
    end)

    it("names it through hooks, terminals and transactions too", function()
      local line
      local err = error_of(function()
        ds:transaction(function()
          line = here() + 1
          users:query():where("age", 1):update { nope = 1 }
        end)
      end)
      assert.matches("errors_spec.lua:" .. line .. "$", err.where)
    end)

    it("carries what the database said", function()
      local err = error_of(users.insert, users, { email = "a@x" })

      assert.equal("UNIQUE_VIOLATION", err.code)
      assert.equal("data", err.kind)
      if database == "postgres" then
        assert.equal("23505", err.sqlState)
      else
        assert.is_number(err.nativeCode)
      end
      assert.matches("INSERT INTO", err.sql, 1, true)
      assert.equal(nil, tostring(err):find("a@x", 1, true))
      assert.same({ "email" }, err.columns)
      assert.same({ email = { "a unique value exists already" } }, err.errors)
    end)

    it("has its own code for every constraint", function()
      assert.equal("NOT_NULL_VIOLATION", error_of(users.insert, users, { age = 1 }).code)
      local err = error_of(users.insert, users, { email = "b", age = -1 })
      assert.equal("CHECK_VIOLATION", err.code)
      assert.same({ age = { "a check constraint refuses the value" } }, err.errors)
      assert.equal("FOREIGN_KEY_VIOLATION", error_of(Post.insert, Post:using(ds), { userId = 99 }).code)
    end)

    it("of the user passes unchanged", function()
      local mine = { my = "error" }
      assert.equal(mine, error_of(ds.transaction, ds, function() error(mine) end))
    end)
  end)

  describe("nil", function()
    it("is refused where a value is expected", function()
      for name, fn in pairs {
        insert = function() users:insert(nil) end,
        insertMany = function() users:insertMany(nil) end,
        insertManyHole = function() users:insertMany { { email = "x" }, nil, { email = "y" } } end,
        where = function() users:query():where("id", nil) end,
        where_op = function() users:query():where("id", "=", nil) end,
        short = function() users:where("id", nil) end,
        byKey = function() users:findOneByPrimaryKey(nil) end,
        findBy = function() users:findBy("id", nil) end,
        findOneBy = function() users:findOneBy(nil, 1) end,
        update = function() users:query():where("id", 1):update(nil) end,
        increment = function() users:query():where("id", 1):increment("age", nil) end,
        pluck = function() users:query():pluck(nil) end,
        load = function() users:query():load(nil) end,
        save = function() users:save(nil) end,
        refresh = function() users:refresh(nil) end,
        using = function() User:using(nil) end,
        raw = function() ds:rawQuery(nil) end,
        query = function() ds:query(nil) end,
        tables = function() ds:createTables(nil) end,
      } do
        assert.equal("NIL_VALUE", error_of(fn).code, name)
      end
    end)

    it("as a field is no field, and an empty table is no condition", function()
      assert.equal("NIL_VALUE", error_of(function() users:query():where {} end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() users:query():where("id", 1):update {} end).code)
      local wanted = { email = nil, age = 1 }
      assert.equal("NIL_VALUE", error_of(function()
        users:query():where(sql.given { "email" }, wanted)
      end).code)
      assert.equal(1, users:query():where(sql.given { "age" }, wanted):getCount())
    end)
  end)

  describe("a write without a condition", function()
    it("is refused, whatever it is", function()
      for name, fn in pairs {
        update = function() users:query():update { age = 2 } end,
        delete = function() users:query():delete() end,
        increment = function() users:query():increment("age") end,
        decrement = function() users:query():decrement("age", 2) end,
        ordered = function() users:query():orderBy("id"):delete() end,
        static_update = function() users:update { age = 2 } end,
        static_delete = function() users:delete() end,
        raw_update = function() ds:query("err_users"):update { age = 2 } end,
        raw_delete = function() ds:query("err_users"):delete() end,
        raw_soft = function() ds:query("err_users"):softDelete() end,
        empty_group = function() users:query():where(function() end):delete() end,
      } do
        assert.equal("MISSING_WHERE", error_of(fn).code, name)
      end
      assert.equal(1, ds:rawQuery("SELECT count(*) AS n FROM err_users WHERE age = 1")[1].n)
    end)

    it("runs with allRows", function()
      assert.equal(1, users:query():allRows():update { age = 5 })
      assert.equal(1, users:query():allRows():delete())
    end)
  end)

  describe("unknown names", function()
    it("raise with a suggestion", function()
      for name, case in pairs {
        where = { "UNDEFINED_COLUMN", "email", function() users:query():where("emial", 1) end },
        table = { "UNDEFINED_COLUMN", "email", function() users:query():where { emial = 1 } end },
        insert = { "UNDEFINED_COLUMN", "email", function() users:insert { emial = 1 } end },
        insertMany = { "UNDEFINED_COLUMN", "email", function()
          users:insertMany { { email = "x" }, { emial = 1 } }
        end },
        update = { "UNDEFINED_COLUMN", "age", function() users:query():where("id", 1):update { aeg = 1 } end },
        order = { "UNDEFINED_COLUMN", "email", function() users:query():orderBy("emial"):many() end },
        pluck = { "UNDEFINED_COLUMN", "email", function() users:query():pluck("emial") end },
        option = { "UNKNOWN_OPTION", "timeout", function() users:query():many { timeuot = 1 } end },
        find = { "UNKNOWN_OPTION", "where", function() users:find { wehre = {} } end },
        insertOption = { "UNKNOWN_OPTION", "returning", function()
          users:insert({ email = "z" }, { retruning = 1 })
        end },
        relation = { "RELATION_NOT_FOUND", "user", function() Post:query():load("usr") end },
        nested = { "RELATION_NOT_FOUND", "ErrUser", function() Post:query():load("user.posts") end },
        verb = { "INVALID_ARGUMENT", "where", function() users:query():wehre("id", 1) end },
        hook = { "UNKNOWN_OPTION", "beforeInsert", function() User:hook("beforInsert", print) end },
        hooks = { "UNKNOWN_OPTION", "beforeFetch", function()
          users:query():many { ignoreHooks = { "beforFetch" } }
        end },
        operator = { "INVALID_ARGUMENT", "gte", function() return sql.op.gtee(1) end },
        scope = { "SCOPE_NOT_FOUND", "adults", function() users:query():scope("adults") end },
      } do
        local err = error_of(case[3])
        assert.equal(case[1], err.code, name)
        assert.matches(case[2], err.message, 1, true)
      end
      assert.equal(1, ds:rawQuery("SELECT count(*) AS n FROM err_users")[1].n)
    end)
  end)

  describe("input tables", function()
    it("are never changed", function()
      local row, rows = { email = "n@x" }, { { email = "m@x" } }
      users:insert(row)
      users:insertMany(rows)

      assert.same({ email = "n@x" }, row)
      assert.same({ { email = "m@x" } }, rows)
    end)

    it("are read raw, and a foreign metatable is refused", function()
      local sneaky = setmetatable({ email = "s@x" }, { __index = { role = "admin" }, __pairs = error })

      assert.equal("INVALID_ARGUMENT", error_of(users.insert, users, sneaky).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() users:query():where(sneaky) end).code)
      assert.equal("INVALID_ARGUMENT", error_of(users.find, users, setmetatable({}, {})).code)
    end)

    it("with nested plain tables are no operators", function()
      local body = { email = { ["$ne"] = "" } }
      assert.equal("INVALID_ARGUMENT", error_of(function() users:query():where(body):many() end).code)
    end)
  end)

  describe("guarded columns", function()
    it("are written only on purpose", function()
      assert.equal("GUARDED_COLUMN", error_of(users.insert, users, { email = "g", role = "admin" }).code)
      assert.equal("GUARDED_COLUMN", error_of(users.insertMany, users, { { email = "g", role = "admin" } }).code)
      local row = users:insert({ email = "g", role = "admin" }, { unguarded = true })
      assert.equal("admin", row.role)
      assert.equal("GUARDED_COLUMN", error_of(row.update, row, { role = "x" }).code)
      assert.equal("GUARDED_COLUMN", error_of(row.mergeProps, row, { role = "x" }).code)
      assert.equal("GUARDED_COLUMN", error_of(function() users:where("id", row.id):update { role = "x" } end).code)
      row:update({ role = "user" }, { unguarded = true })
      assert.equal("user", ds:rawQuery("SELECT role FROM err_users WHERE email = 'g'")[1].role)
    end)
  end)

  describe("what does not exist", function()
    it("is ROW_NOT_FOUND for the verbs that insist, nil for the others", function()
      assert.is_nil(users:findOneByPrimaryKey(99))
      assert.is_nil(users:findOne { where = { id = 99 } })
      assert.is_nil(users:query():where("id", 99):one())
      assert.equal("ROW_NOT_FOUND", error_of(users.findOneOrFail, users, { where = { id = 99 } }).code)
      assert.equal("ROW_NOT_FOUND", error_of(function() users:query():where("id", 99):oneOrFail() end).code)
      assert.equal("mine", error_of(users.findOneOrFail, users, { where = { id = 99 }, customError = "mine" }))
    end)

    it("is ROW_NOT_FOUND for a record whose row is gone", function()
      local row = users:findOne()
      ds:rawQuery("DELETE FROM err_users")

      assert.equal("ROW_NOT_FOUND", error_of(row.update, row, { age = 3 }).code)
      row.age = 4
      assert.equal("ROW_NOT_FOUND", error_of(row.save, row).code)
      assert.is_nil(row:refresh())
      assert.equal(0, row:delete())
    end)
  end)

  describe("a model without a primary key", function()
    local Log = model "ErrLog" { line = column.string() }

    it("can be written, but not by key", function()
      ds:dropTables({ Log }, { ifExists = true })
      ds:createTables { Log }
      local logs = Log:using(ds)
      local row = logs:insert { line = "x" }
      assert.equal("x", row.line)
      logs:insertMany { { line = "y" }, { line = "z" } }

      assert.equal("MODEL_HAS_NO_PRIMARY_KEY", error_of(logs.findOneByPrimaryKey, logs, { 1 }).code)
      assert.equal("MODEL_HAS_NO_PRIMARY_KEY", error_of(row.update, row, { line = "w" }).code)
      assert.equal("MODEL_HAS_NO_PRIMARY_KEY", error_of(row.delete, row).code)
      assert.equal(3, logs:where("line", "!=", ""):update { line = "q" })
      assert.equal(3, logs:where("line", "q"):delete())
    end)

    it("is said of a record whose key was not selected", function()
      local row = users:query():select("email"):one()
      assert.equal("MODEL_HAS_NO_PRIMARY_KEY_VALUE", error_of(row.delete, row).code)
    end)
  end)
end)
