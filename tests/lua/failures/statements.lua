-- Failures of statements: constraints, values, SQL that is wrong, limits. Run by failures_spec.lua.
local hysteria = require("hysteria")
local failures = require("tests.support.lua.failures")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local fails, tells = failures.of, failures.tells
local SECRET, ROW = failures.SECRET, failures.ROW
local it = failures.it

failures.each(function(ds, database, config)
  local User = model "FailUser" {
    hysteria.check("age >= 0"),
    id = column.increment(), email = column.string { length = 40, nullable = false, unique = true },
    age = column.integer(), secret = column.string { sensitive = true }, note = column.string { length = 60 },
  }
  local Post = model "FailPost" {
    id = column.increment(), userId = column.integer { nullable = false, references = { model = "FailUser" } },
  }
  local users, posts = User:using(ds), Post:using(ds)

  local function is_server()
    return failures.SERVERS[database] ~= nil
  end

  local function only(wanted, name, fn)
    if wanted[database] then
      it(name, fn)
    end
  end

  before_each(function()
    ds:dropTables({ User, Post }, { ifExists = true })
    ds:createTables { User, Post }
    users:insert { email = ROW, age = 1, secret = SECRET, note = ROW }
  end)

  describe("the error of", function()
    it("a value that is there already", function()
      local err = tells("`UNIQUE_VIOLATION` of a model", "UNIQUE_VIOLATION", function()
        users:insert { email = ROW, secret = SECRET }
      end)
      assert.matches(database == "postgres" and "sqlState" or "nativeCode", failures.fields(err))
      assert.matches("fail_users", tostring(err.table or err.constraint), 1, true)
      assert.equal("UNIQUE_VIOLATION", fails("UNIQUE_VIOLATION", function()
        users:insertMany { { email = "new", secret = SECRET }, { email = ROW, secret = SECRET } }
      end).code)
      users:insert { email = "b", note = ROW }
      fails("UNIQUE_VIOLATION", function() users:where("email", "b"):update { email = ROW, secret = SECRET } end)
      tells("`UNIQUE_VIOLATION`", "UNIQUE_VIOLATION", function()
        ds:rawQuery("INSERT INTO fail_users (email, note) VALUES (?, ?)", { ROW, ROW })
      end)
    end)

    it("a missing value", function()
      local err = tells("`NOT_NULL_VIOLATION` of a model", "NOT_NULL_VIOLATION", function()
        users:insert { email = sql.null, secret = SECRET }
      end)
      assert.same({ "email" }, err.columns)
      tells("`NOT_NULL_VIOLATION`", "NOT_NULL_VIOLATION", function()
        ds:rawQuery("UPDATE fail_users SET email = NULL WHERE note = ?", { ROW })
      end)
    end)

    it("a row that refers to nothing, and one that is referred to", function()
      local err = tells("`FOREIGN_KEY_VIOLATION`, insert", "FOREIGN_KEY_VIOLATION", function()
        posts:insert { userId = 77 }
      end)
      if database ~= "sqlite" then
        assert.matches("fk_fail_posts", err.constraint)
      end
      posts:insert { userId = users:findOne().id }
      tells("`FOREIGN_KEY_VIOLATION`, delete", "FOREIGN_KEY_VIOLATION", function()
        users:where("email", ROW):delete()
      end)
    end)

    it("a check that refuses", function()
      local err = tells("`CHECK_VIOLATION` of a model", "CHECK_VIOLATION", function()
        users:insert { email = "c", age = -1, secret = SECRET, note = ROW }
      end)
      assert.matches("^chk_fail_users", err.constraint)
      tells("`CHECK_VIOLATION`", "CHECK_VIOLATION", function()
        ds:rawQuery("UPDATE fail_users SET age = -1 WHERE note = ?", { ROW })
      end)
    end)

    only({ postgres = true }, "an exclusion that refuses", function()
      ds:rawQuery("DROP TABLE IF EXISTS fail_rooms")
      ds:rawQuery("CREATE TABLE fail_rooms (during int4range, note text, "
        .. "CONSTRAINT fail_overlap EXCLUDE USING gist (during WITH &&))")
      ds:rawQuery("INSERT INTO fail_rooms VALUES ('[1,5]', ?)", { ROW })
      local err = tells("`EXCLUSION_VIOLATION`", "EXCLUSION_VIOLATION", function()
        ds:rawQuery("INSERT INTO fail_rooms VALUES ('[2,3]', ?)", { ROW })
      end)
      assert.equal("fail_overlap", err.constraint)
    end)

    it("a value that does not fit", function()
      local err = fails("DATA_INVALID", function() users:insert { email = "d", age = ROW, secret = SECRET } end)
      assert.same({ "age" }, err.columns)
      fails("DATA_INVALID", function() users:insert { email = ("x"):rep(41), secret = SECRET } end)
      if is_server() then
        fails("DATA_INVALID", function()
          ds:rawQuery("INSERT INTO fail_users (email, age) VALUES (?, ?)", { "e", ROW })
        end)
        fails("DATA_INVALID", function()
          ds:rawQuery("INSERT INTO fail_users (email, note) VALUES (?, ?)", { ROW .. ROW .. ROW, ROW })
        end)
      end
      if database == "postgres" then
        fails("DATA_INVALID", function() ds:rawQuery("SELECT CAST(? AS text)::date", { ROW }) end)
        fails("DATA_INVALID", function() ds:rawQuery("SELECT 1 / ?::int", { 0 }) end)
      end
      -- Values with a syntax of their own: a search, a path. What is wrong in them is not repeated.
      local WORDS = {
        postgres = {
          { "SELECT to_tsquery(?::text)", ROW .. " (" }, { "SELECT ?::text::jsonpath", "$." .. ROW .. " x" },
        },
        sqlite = {
          { "SELECT json_extract('{}', ?)", ROW }, { "SELECT * FROM fail_texts WHERE fail_texts MATCH ?", '"' .. ROW },
          { "SELECT * FROM fail_texts WHERE fail_texts MATCH ?", "a AND AND " .. ROW:gsub("%W", "") },
        },
        mysql = { { "SELECT json_extract('{}', ?)", ROW }, { "SELECT 'x' REGEXP concat(?, '(')", ROW } },
        mariadb = { { "SELECT 'x' REGEXP concat(?, '(')", ROW } },
      }
      if database == "sqlite" then
        ds:rawQuery("DROP TABLE IF EXISTS fail_texts")
        ds:rawQuery("CREATE VIRTUAL TABLE fail_texts USING fts5(note)")
        fails("UNDEFINED_COLUMN", function()
          ds:rawQuery("SELECT * FROM fail_texts WHERE fail_texts MATCH ?", { '"' .. ROW .. '" : x' })
        end)
      end
      for _, case in ipairs(WORDS[database] or {}) do
        fails("DATA_INVALID", function() ds:rawQuery(case[1], { case[2] }) end)
      end
    end)

    it("SQL that cannot be read, with the place", function()
      local text = "SELECT email FORM fail_users WHERE note = ?"
      local err = fails("SYNTAX", function() ds:rawQuery(text, { ROW }) end)
      assert.equal(text:find("fail_users"), err.position)
      assert.matches("near \"fail_users\".* %(line 1, column 19%)$", err.message)
      err = fails("SYNTAX", function() ds:rawQuery("SELECT 'é'\n  FROM fail_users\n  WERE note = ?", { ROW }) end)
      assert.matches("%(line 3, column %d%)$", err.message)
      assert.equal(1, fails("SYNTAX", function() ds:rawQuery("SELEKT 1") end).position)
      err = fails("SYNTAX", function() ds:rawQuery("SELECT 'é', (1") end)
      assert.equal(#err.sql + 1, err.position)
      assert.matches("(line 1, column 15)", err.message, 1, true)
    end)

    it("a table and a column that are not there", function()
      local err = fails("UNDEFINED_TABLE", function() ds:rawQuery("SELECT * FROM fail_userz WHERE a = ?", { ROW }) end)
      assert.matches("fail_userz", tostring(err.table) .. err.message)
      assert.equal("fail_userz", err.table)
      assert.matches("did you mean `fail_users`?", err.message, 1, true)
      for _, text in ipairs {
        "SELECT emial FROM fail_users WHERE note = ?", "SELECT u.emial FROM fail_users u WHERE note = ?",
        "UPDATE fail_users SET emial = note WHERE note = ?", "INSERT INTO fail_users (emial) VALUES (?)",
      } do
        err = fails("UNDEFINED_COLUMN", function() ds:rawQuery(text, { ROW }) end)
        assert.same({ "emial" }, err.columns)
        assert.matches("did you mean `email`?", err.message, 1, true)
      end
      err = fails("UNDEFINED_COLUMN", function() ds:query("fail_users"):select("user_id"):many() end)
      assert.is_nil(err.message:find("fail_posts", 1, true)) -- other tables are not asked
      ds:rawQuery("ALTER TABLE fail_users DROP COLUMN secret")
      err = fails("UNDEFINED_COLUMN", function() users:query():select("secret"):many() end)
      assert.matches("the model FailUser has it", err.message, 1, true)
      assert.matches("did you mean 'email'", fails("UNDEFINED_COLUMN", function()
        users:query():where("emial", ROW):many()
      end).message, 1, true)
      ds:dropTables { Post }
      err = fails("UNDEFINED_TABLE", function() posts:query():many() end)
      assert.matches("the model FailPost has its rows there", err.message, 1, true)
    end)

    it("a table that is there already", function()
      fails("OBJECT_EXISTS", function() ds:createTables { User } end)
    end)

    it("a statement that takes too long", function()
      local SLOW = {
        postgres = "SELECT pg_sleep(5), ?", mariadb = "SELECT sleep(5), ?", mysql = "SELECT sleep(5), ?",
        sqlite = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*), ? FROM n",
      }
      fails("QUERY_TIMEOUT", function() ds:rawQuery(SLOW[database], { ROW }, { timeout = 100 }) end)
      assert.equal(1, users:count())
    end)

    it("a write where nothing may be written", function()
      fails("READ_ONLY", function()
        ds:transaction(function() users:insert { email = "ro", secret = SECRET } end, { readOnly = true })
      end)
    end)

    it("a transaction that an error has ended", function()
      if database ~= "postgres" then
        return -- elsewhere only a statement that says so, or a deadlock
      end
      local trx = ds:startTransaction()
      pcall(users.insert, users, { email = ROW, secret = SECRET }, { trx = trx })
      local err = fails("TRANSACTION_ABORTED", function() ds:rawQuery("SELECT 1", nil, { trx = trx }) end)
      assert.equal("UNIQUE_VIOLATION", err.cause and err.cause.code or "UNIQUE_VIOLATION")
      fails("TRANSACTION_ABORTED", function() trx:commit() end)
    end)

    -- It is stored all the same: who is told of a mere failure stores it once more.
    it("a write that gives back what cannot be read", function()
      local inserts = { postgres = "INSERT INTO fail_dates VALUES ('infinity')",
        mariadb = "INSERT IGNORE INTO fail_dates VALUES ('0000-00-00')" }
      if not inserts[database] then
        return
      end
      ds:rawQuery("DROP TABLE IF EXISTS fail_dates")
      ds:rawQuery("CREATE TABLE fail_dates (d date)")
      local write = inserts[database] .. " RETURNING d"
      fails("OUTCOME_UNKNOWN", function() ds:rawQuery(write) end)
      fails("DATA_INVALID", function() ds:rawQuery("SELECT d FROM fail_dates") end)
      fails("DATA_INVALID", function()
        ds:transaction(function() ds:rawQuery(write) end)
      end)
      assert.equal(1, ds:rawQuery("SELECT count(*) AS n FROM fail_dates")[1].n)
      ds:rawQuery("DROP TABLE fail_dates")
    end)

    it("a transaction that a statement has ended", function()
      if database ~= "sqlite" then
        return
      end
      local trx = ds:startTransaction()
      fails("UNIQUE_VIOLATION", function()
        ds:rawQuery("INSERT OR ROLLBACK INTO fail_users (email) VALUES (?)", { ROW }, { trx = trx })
      end)
      fails("TRANSACTION_ABORTED", function() ds:rawQuery("SELECT 1", nil, { trx = trx }) end)
      fails("TRANSACTION_ABORTED", function() trx:commit() end)
    end)

    it("a transaction that is over", function()
      local trx = ds:startTransaction()
      trx:commit()
      fails("TRANSACTION_NOT_ACTIVE", function() ds:rawQuery("SELECT 1", nil, { trx = trx }) end)
      fails("TRANSACTION_NOT_ACTIVE", function() trx:commit { throwErrorOnInactiveTransaction = true } end)
      fails("TRANSACTION_NOT_ACTIVE", function() trx:afterCommit(print) end)
    end)

    it("a stream that is closed", function()
      local stream = users:query():stream()
      assert.equal(ROW, stream().email)
      stream:close()
      fails("CLOSED", function() stream() end)
      ds:transaction(function() stream = users:query():stream() end)
      fails("CLOSED", function() stream() end) -- with its transaction
    end)

    it("what the database refuses in words of its own", function()
      local setup = {
        postgres = {
          "CREATE OR REPLACE FUNCTION fail_raise() RETURNS int LANGUAGE plpgsql AS "
            .. "$$ BEGIN RAISE EXCEPTION 'no, not today'; END $$",
        },
        mariadb = {
          "DROP PROCEDURE IF EXISTS fail_raise",
          "CREATE PROCEDURE fail_raise() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no, not today'",
        },
        sqlite = {
          "CREATE TRIGGER fail_raise BEFORE DELETE ON fail_posts BEGIN SELECT RAISE(ABORT, 'no, not today'); END",
        },
      }
      setup.mysql = setup.mariadb
      for _, text in ipairs(setup[database]) do
        ds:rawQuery(text)
      end
      local SAY = { postgres = "SELECT fail_raise()", sqlite = "DELETE FROM fail_posts" }
      posts:insert { userId = users:findOne().id }
      local err = fails("DATABASE_ERROR", function() ds:rawQuery(SAY[database] or "CALL fail_raise()") end)
      assert.matches("no, not today", err.message, 1, true)
    end)

    it("what this database cannot do", function()
      if database == "postgres" then -- that can do everything that there is a word for
        fails("UNSUPPORTED", function() ds:rawQuery("SELECT count(*) FROM fail_users FOR UPDATE") end)
        return
      end
      local err = fails("UNSUPPORTED", function() users:query():distinctOn("email"):many() end)
      assert.equal("DISTINCT ON", err.feature)
      assert.equal(database, err.dialect)
    end)

    it("any kind, in the log of every level, to whomever it goes", function()
      local lines, to_stderr = {}, io.stderr
      local function take(line)
        lines[#lines + 1] = line
      end
      finally(function() rawset(io, "stderr", to_stderr) end)
      for _, level in ipairs { "info", "warn", "error" } do
        for _, setting in ipairs { {}, { logParams = true }, { logQueries = false, logParams = true } } do
          for _, logger in ipairs { { info = take, warn = take, error = take }, false } do
            local logs = { level = level, logParams = setting.logParams, logQueries = setting.logQueries,
              customLogger = logger or nil }
            rawset(io, "stderr", logger and to_stderr or { write = function(_, text) take(text) end })
            local other <close> = sql.connectToSecondarySource(config { logs = logs })
            local before = #lines
            fails("UNIQUE_VIOLATION", function() User:using(other):insert { email = ROW, secret = SECRET } end)
            fails("CHECK_VIOLATION", function()
              User:using(other):where("email", ROW):update { age = -1, secret = SECRET, note = "n" }
            end)
            fails("UNDEFINED_TABLE", function() other:rawQuery("SELECT ? FROM fail_nowhere", { SECRET }) end)
            fails("NOT_NULL_VIOLATION", function()
              other:rawQuery("INSERT INTO fail_users (email, secret, note) VALUES (NULL, ?, ?)", { SECRET, ROW })
            end)
            rawset(io, "stderr", to_stderr)
            assert.is_true(#lines >= before + 4, "failures were not logged")
            local said = table.move(lines, before + 1, #lines, 1, {})
            assert.same({}, failures.leaks(said, "log", { SECRET, not setting.logParams and ROW or nil }))
          end
        end
      end
    end)

    it("too many or too large values", function()
      local deep = {}
      for _ = 1, 300 do
        deep = { deep }
      end
      fails("LIMIT_EXCEEDED", function() return hysteria.json.encode(deep) end)
      local many, marks = {}, {}
      for index = 1, 70000 do
        many[index], marks[index] = ROW, "?"
      end
      local text = "SELECT 1 FROM fail_users WHERE note IN (" .. table.concat(marks, ",") .. ")"
      fails("LIMIT_EXCEEDED", function() ds:rawQuery(text, many) end)
      assert.equal(1, users:count())
    end)
  end)
end, { shared = true, pool = { max = 4 } })

