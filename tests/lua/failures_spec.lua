-- Every failure a user can meet, provoked for real on every database where it can occur: its code,
-- its kind, the line of the caller, the fields that tell more, and no secret anywhere in it.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")
local failures = require("tests.support.lua.failures")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local fails, PASSWORD, SECRET, ROW = failures.of, failures.PASSWORD, failures.SECRET, failures.ROW

local SERVERS = { postgres = true, mariadb = true, mysql = true }

teardown(failures.report)

-- ---- statements -------------------------------------------------------------------------------

databases.each(function(ds, database)
  local User = model "FailUser" {
    hysteria.check("age >= 0"),
    id = column.increment(), email = column.string { length = 40, nullable = false, unique = true },
    age = column.integer(), secret = column.string { sensitive = true }, note = column.string { length = 60 },
  }
  local Post = model "FailPost" {
    id = column.increment(), userId = column.integer { nullable = false, references = { model = "FailUser" } },
  }
  local users, posts = User:using(ds), Post:using(ds)
  local events = databases.watch(ds)
  ds:addObserver { onQueryError = function(event) events[#events + 1] = event end }

  local function is_server()
    return SERVERS[database] ~= nil
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
    for index = #events, 1, -1 do
      events[index] = nil
    end
  end)

  after_each(function()
    assert.same({}, failures.leaks({ table.unpack(events) }, "events", { SECRET, PASSWORD }))
    for _, event in ipairs(events) do
      assert.same({}, failures.leaks(event.error, "event.error", { ROW }))
    end
  end)

  describe("the error of", function()
    it("a value that is there already", function()
      local err = fails("UNIQUE_VIOLATION", function() users:insert { email = ROW, secret = SECRET } end)
      assert.matches(database == "postgres" and "sqlState" or "nativeCode", failures.fields(err))
      assert.matches("fail_users", tostring(err.table or err.constraint), 1, true)
      assert.equal("UNIQUE_VIOLATION", fails("UNIQUE_VIOLATION", function()
        users:insertMany { { email = "new", secret = SECRET }, { email = ROW, secret = SECRET } }
      end).code)
      users:insert { email = "b", note = ROW }
      fails("UNIQUE_VIOLATION", function() users:where("email", "b"):update { email = ROW, secret = SECRET } end)
      fails("UNIQUE_VIOLATION", function()
        ds:rawQuery("INSERT INTO fail_users (email, note) VALUES (?, ?)", { ROW, ROW })
      end)
    end)

    it("a missing value", function()
      local err = fails("NOT_NULL_VIOLATION", function() users:insert { email = sql.null, secret = SECRET } end)
      assert.same({ "email" }, err.columns)
      fails("NOT_NULL_VIOLATION", function()
        ds:rawQuery("UPDATE fail_users SET email = NULL WHERE note = ?", { ROW })
      end)
    end)

    it("a row that refers to nothing, and one that is referred to", function()
      local err = fails("FOREIGN_KEY_VIOLATION", function() posts:insert { userId = 77 } end)
      if database ~= "sqlite" then
        assert.matches("fk_fail_posts", err.constraint)
      end
      posts:insert { userId = users:findOne().id }
      fails("FOREIGN_KEY_VIOLATION", function() users:where("email", ROW):delete() end)
    end)

    it("a check that refuses", function()
      local err = fails("CHECK_VIOLATION", function()
        users:insert { email = "c", age = -1, secret = SECRET, note = ROW }
      end)
      assert.matches("^chk_fail_users", err.constraint)
    end)

    only({ postgres = true }, "an exclusion that refuses", function()
      ds:rawQuery("DROP TABLE IF EXISTS fail_rooms")
      ds:rawQuery("CREATE TABLE fail_rooms (during int4range, note text, "
        .. "CONSTRAINT fail_overlap EXCLUDE USING gist (during WITH &&))")
      ds:rawQuery("INSERT INTO fail_rooms VALUES ('[1,5]', ?)", { ROW })
      local err = fails("EXCLUSION_VIOLATION", function()
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
    end)

    it("SQL that cannot be read, with the place", function()
      local text = "SELECT email FORM fail_users WHERE note = ?"
      local err = fails("SYNTAX", function() ds:rawQuery(text, { ROW }) end)
      assert.equal(text:find("fail_users") <= err.position or text:find("FORM") == err.position, true)
      fails("SYNTAX", function() ds:rawQuery("SELEKT 1") end)
    end)

    it("a table and a column that are not there", function()
      local err = fails("UNDEFINED_TABLE", function() ds:rawQuery("SELECT * FROM fail_userz WHERE a = ?", { ROW }) end)
      assert.matches("fail_userz", tostring(err.table) .. err.message)
      fails("UNDEFINED_COLUMN", function() ds:rawQuery("SELECT emial FROM fail_users WHERE note = ?", { ROW }) end)
      assert.matches("did you mean 'email'", fails("UNDEFINED_COLUMN", function()
        users:query():where("emial", ROW):many()
      end).message, 1, true)
      ds:dropTables { Post }
      fails("UNDEFINED_TABLE", function() posts:query():many() end)
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
        return -- only there an error ends the whole transaction
      end
      local trx = ds:startTransaction()
      pcall(users.insert, users, { email = ROW, secret = SECRET }, { trx = trx })
      local err = fails("TRANSACTION_ABORTED", function() ds:rawQuery("SELECT 1", nil, { trx = trx }) end)
      assert.equal("UNIQUE_VIOLATION", err.cause and err.cause.code or "UNIQUE_VIOLATION")
      fails("TRANSACTION_ABORTED", function() trx:commit() end)
    end)

    it("a transaction that is over", function()
      local trx = ds:startTransaction()
      trx:commit()
      fails("TRANSACTION_NOT_ACTIVE", function() ds:rawQuery("SELECT 1", nil, { trx = trx }) end)
      fails("TRANSACTION_NOT_ACTIVE", function() trx:commit { throwErrorOnInactiveTransaction = true } end)
      fails("TRANSACTION_NOT_ACTIVE", function() trx:afterCommit(print) end)
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
      if database ~= "postgres" then -- that can do everything that there is a word for
        local err = fails("UNSUPPORTED", function() users:query():distinctOn("email"):many() end)
        assert.equal("DISTINCT ON", err.feature)
        assert.equal(database, err.dialect)
      end
    end)

    it("too many or too large values", function()
      local deep = {}
      for _ = 1, 300 do
        deep = { deep }
      end
      fails("LIMIT_EXCEEDED", function() return hysteria.json.encode(deep) end)
    end)
  end)
end, { shared = true, pool = { max = 4 } })

-- ---- connecting -------------------------------------------------------------------------------

-- The URL of a server with another account, password, database or port.
local function changed(url, change)
  local scheme, account, password, host, port, name = url:match("^(%w+)://([^:]+):([^@]+)@([^:]+):(%d+)/(.*)$")
  local query = change.query and "?" .. change.query or ""
  return ("%s://%s:%s@%s:%s/%s%s"):format(scheme, change.account or account, change.password or password,
    change.host or host, change.port or port, change.database or name, query)
end

local function connect(config)
  if type(config) == "string" then
    config = { url = config }
  end
  local ds <close> = sql.connectToSecondarySource(config)
  ds:rawQuery("SELECT 1")
end

-- Accounts of a server with the canary for a password, gone after fn.
local MAKE = {
  postgres = function(ds, limit)
    ds:rawQuery("DROP ROLE IF EXISTS fail_guest")
    ds:rawQuery(("CREATE ROLE fail_guest LOGIN PASSWORD '%s' CONNECTION LIMIT %d"):format(PASSWORD, limit or -1))
  end,
  other = function(ds, limit)
    ds:rawQuery("DROP USER IF EXISTS fail_guest@'%'")
    ds:rawQuery(("CREATE USER fail_guest@'%%' IDENTIFIED BY '%s' WITH MAX_USER_CONNECTIONS %d"):format(PASSWORD,
      limit or 0))
    ds:rawQuery("GRANT USAGE ON *.* TO fail_guest@'%'")
  end,
}
local REMOVE = { postgres = "DROP ROLE IF EXISTS fail_guest", other = "DROP USER IF EXISTS fail_guest@'%'" }

local function with_guest(database, limit, fn)
  local ds <close> = sql.connectToSecondarySource(database.config)
  local make = MAKE[database.name] or MAKE.other
  make(ds, limit)
  finally(function()
    local cleaner <close> = sql.connectToSecondarySource(database.config)
    cleaner:rawQuery(REMOVE[database.name] or REMOVE.other)
  end)
  fn(changed(database.config.url, { account = "fail_guest", password = PASSWORD,
    database = database.name ~= "postgres" and "information_schema" or nil }), ds)
end

for _, database in ipairs(databases.found()) do
  if SERVERS[database.name] then
    local url = database.config.url

    describe("connecting to " .. database.name, function()
      it("tells a wrong password or user", function()
        fails("AUTHENTICATION_FAILED", function() connect(changed(url, { password = PASSWORD })) end, connect)
        fails("AUTHENTICATION_FAILED", function()
          connect(changed(url, { account = "nobody", password = PASSWORD }))
        end, connect)
      end)

      it("tells that nobody answers", function()
        fails("CONNECTION_REFUSED", function() connect(changed(url, { port = 1, password = PASSWORD })) end, connect)
        fails("CONNECTION_REFUSED", function()
          connect(changed(url, { host = "no-such-host.invalid", password = PASSWORD }))
        end, connect)
      end)

      it("tells a database that is not there", function()
        fails("UNDEFINED_DATABASE", function() connect(changed(url, { database = "fail_nowhere" })) end, connect)
      end)

      it("tells that there is no encryption to trust", function()
        fails("TLS_REFUSED", function() connect { url = url, ssl = { mode = "verify-full" } } end, connect)
      end)

      it("tells that the server has no place left", function()
        with_guest(database, 1, function(guest)
          local first <close> = sql.connectToSecondarySource { url = guest }
          first:rawQuery("SELECT 1")
          fails("TOO_MANY_CONNECTIONS", function() connect(guest) end, connect)
        end)
      end)

      it("tells what a user may not do", function()
        with_guest(database, nil, function(guest, ds)
          ds:rawQuery("CREATE TABLE IF NOT EXISTS fail_private (note VARCHAR(40))")
          local poor <close> = sql.connectToSecondarySource { url = guest }
          local name = database.name == "postgres" and "fail_private" or "hysteria.fail_private"
          fails("PERMISSION_DENIED", function()
            poor:rawQuery("SELECT * FROM " .. name .. " WHERE note = ?", { ROW })
          end)
          ds:rawQuery("DROP TABLE fail_private")
        end)
      end)

      it("tells settings that cannot be used, and none of them", function()
        fails("INVALID_CONFIG", function() connect(changed(url, { port = 99999, password = PASSWORD })) end, connect)
        fails("INVALID_CONFIG", function() connect(changed(url, { password = PASSWORD, host = "a b" })) end, connect)
        fails("UNKNOWN_OPTION", function() connect { url = url, driverOptions = { nonsense = PASSWORD } } end, connect)
        fails("INVALID_CONFIG", function() connect { url = url, timezone = "'" .. PASSWORD } end, connect)
      end)
    end)
  end
end

describe("connecting", function()
  it("tells a folder that is not there, and a file that is no database", function()
    fails("UNDEFINED_DATABASE", function() connect { type = "sqlite", database = "/no/such/folder/x.db" } end, connect)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "w"))
    file:write(("no database at all\n"):rep(100))
    file:close()
    fails("DATABASE_CORRUPT", function() connect { type = "sqlite", database = path } end, connect)
  end)

  it("tells what it does not know", function()
    fails("UNSUPPORTED_DATABASE_TYPE", function() connect { type = "oracle" } end, connect)
    fails("UNSUPPORTED_DATABASE_TYPE", function() connect("oracle://u:" .. PASSWORD .. "@h/d") end, connect)
    fails("UNKNOWN_OPTION", function() connect { type = "sqlite", pasword = PASSWORD } end, connect)
    fails("INVALID_CONFIG", function() connect("postgres://u:" .. PASSWORD .. "@h@i/d") end, connect)
  end)
end)

-- ---- a disk that is full ----------------------------------------------------------------------

describe("a full disk", function()
  local function fill(ds)
    ds:rawQuery("CREATE TABLE IF NOT EXISTS big (id INTEGER PRIMARY KEY, data BLOB)")
    while true do
      ds:rawQuery("INSERT INTO big (data) VALUES (?)", { sql.binary(("x"):rep(50000)) })
    end
  end

  it("of a database that may not grow is told", function()
    local ds <close> = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    ds:rawQuery("PRAGMA max_page_count = 40")
    fails("DISK_FULL", function() fill(ds) end, fill)
    assert.equal(1, ds:rawQuery("SELECT 1 AS one")[1].one)
  end)

  it("of a file system is told, and what was stored stays", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local mounted = os.execute("mount -t tmpfs -o size=1m tmpfs " .. folder .. " 2>/dev/null")
    finally(function()
      os.execute(mounted and "umount " .. folder or "true")
      os.execute("rm -rf " .. folder)
    end)
    if not mounted then
      return -- only root can; the case above shows the same code
    end
    local ds <close> = sql.connectToSecondarySource { type = "sqlite", database = folder .. "/full.db" }
    fails("DISK_FULL", function() fill(ds) end, fill)
    assert.is_true(ds:rawQuery("SELECT count(*) AS n FROM big")[1].n > 0)
    assert.equal("ok", ds:rawQuery("PRAGMA integrity_check")[1].integrity_check)
  end)
end)

-- ---- several at once --------------------------------------------------------------------------

databases.each(function(ds, database)
  local Counter = model "FailCounter" { id = column.integer { primaryKey = true }, n = column.integer() }
  local counters = Counter:using(ds)

  before_each(function()
    ds:dropTables({ Counter }, { ifExists = true })
    ds:createTables { Counter }
    counters:insertMany { { id = 1, n = 0 }, { id = 2, n = 0 } }
  end)

  describe("with several connections the error of", function()
    it("a pool that has nothing to give", function()
      local first, second = ds:startTransaction(), ds:startTransaction { readOnly = true }
      finally(function()
        first:rollback()
        second:rollback()
      end)
      fails("POOL_SELF_DEADLOCK", function() ds:rawQuery("SELECT 1") end)
      async.run(function()
        -- In a task somebody else may give one back, so it waits.
        fails("POOL_TIMEOUT", function() ds:rawQuery("SELECT 1", nil, { timeout = 50 }) end)
      end)
    end)

    it("a lock that somebody else has", function()
      local LOCK = {
        postgres = "SELECT n FROM fail_counters WHERE id = 1 FOR UPDATE NOWAIT",
        mariadb = "SELECT n FROM fail_counters WHERE id = 1 FOR UPDATE NOWAIT",
        mysql = "SELECT n FROM fail_counters WHERE id = 1 FOR UPDATE NOWAIT",
      }
      if not LOCK[database] then
        return
      end
      local first, second = ds:startTransaction(), ds:startTransaction()
      finally(function()
        second:rollback()
        first:rollback()
      end)
      ds:rawQuery("UPDATE fail_counters SET n = 5 WHERE id = 1", nil, { trx = first })
      fails("LOCK_TIMEOUT", function() ds:rawQuery(LOCK[database], nil, { trx = second }) end)
    end)

    it("a deadlock", function()
      if database == "sqlite" then
        return -- its writers queue
      end
      local locked, victims, winners = 0, 0, 0
      local function move(first, second)
        return function()
          local trx = ds:startTransaction()
          ds:rawQuery("UPDATE fail_counters SET n = n + 1 WHERE id = ?", { first }, { trx = trx })
          locked = locked + 1
          while locked < 2 do
            async.sleep(5)
          end
          local function take_the_other()
            ds:rawQuery("UPDATE fail_counters SET n = n + 1 WHERE id = ?", { second }, { trx = trx })
          end
          local ok, err = pcall(take_the_other)
          if ok then
            winners = winners + 1
          else
            fails("DEADLOCK", function() error(err, 0) end, take_the_other)
            victims = victims + 1
          end
          trx:rollback()
        end
      end
      async.run(function()
        async.all { move(1, 2), move(2, 1) }
      end)
      assert.same({ 1, 1 }, { victims, winners })
    end)

    it("a change that came in between", function()
      if database ~= "postgres" then
        return
      end
      local reader = ds:startTransaction { isolationLevel = "REPEATABLE READ" }
      finally(function() reader:rollback() end)
      ds:rawQuery("SELECT n FROM fail_counters", nil, { trx = reader })
      ds:rawQuery("UPDATE fail_counters SET n = 9 WHERE id = 1", nil, { trx = false })
      fails("SERIALIZATION_FAILURE", function()
        ds:rawQuery("UPDATE fail_counters SET n = 10 WHERE id = 1", nil, { trx = reader })
      end)
    end)

    it("a session that was ended, and a statement that was cancelled", function()
      local ID = { postgres = "SELECT pg_backend_pid() AS id", other = "SELECT connection_id() AS id" }
      local END = { postgres = "SELECT pg_terminate_backend(?)", other = "KILL CONNECTION %d" }
      local CANCEL = { postgres = "SELECT pg_cancel_backend(?)", other = "KILL QUERY %d" }
      local WAIT = { postgres = "SELECT pg_sleep(5)", other = "SELECT sleep(5) FROM fail_counters" }
      if database == "sqlite" then
        return
      end
      local admin <close> = sql.connectToSecondarySource(databases.config_of(database))
      local function of(list)
        return list[database] or list.other
      end
      local function strike(text, id)
        if database == "postgres" then
          admin:rawQuery(text, { id })
        else
          admin:rawQuery(text:format(id))
        end
      end
      async.run(function()
        local trx = ds:startTransaction()
        local id = ds:rawQuery(of(ID), nil, { trx = trx })[1].id
        async.all {
          function()
            fails("QUERY_CANCELED", function() ds:rawQuery(of(WAIT), nil, { trx = trx }) end)
          end,
          function()
            async.sleep(100)
            strike(of(CANCEL), id)
          end,
        }
        trx:rollback()
        local other = ds:startTransaction()
        strike(of(END), ds:rawQuery(of(ID), nil, { trx = other })[1].id)
        fails("CONNECTION_LOST", function() ds:rawQuery("SELECT 1", nil, { trx = other }) end)
        other:rollback()
      end)
    end)

    it("a commit whose answer never came", function()
      if database ~= "postgres" then
        return -- elsewhere nothing holds a commit for as long as it takes to cut it off
      end
      ds:rawQuery("CREATE OR REPLACE FUNCTION fail_slowly() RETURNS trigger LANGUAGE plpgsql AS "
        .. "$$ BEGIN PERFORM pg_sleep(5); RETURN NULL; END $$")
      ds:rawQuery("CREATE CONSTRAINT TRIGGER slowly AFTER UPDATE ON fail_counters DEFERRABLE INITIALLY DEFERRED "
        .. "FOR EACH ROW EXECUTE FUNCTION fail_slowly()")
      local admin <close> = sql.connectToSecondarySource(databases.config_of(database))
      async.run(function()
        local trx = ds:startTransaction()
        local id = ds:rawQuery("SELECT pg_backend_pid() AS id", nil, { trx = trx })[1].id
        ds:rawQuery("UPDATE fail_counters SET n = 3 WHERE id = 1", nil, { trx = trx })
        async.all {
          function()
            fails("OUTCOME_UNKNOWN", function() trx:commit() end)
          end,
          function()
            async.sleep(200)
            admin:rawQuery("SELECT pg_terminate_backend(?)", { id })
          end,
        }
      end)
    end)
  end)
end, { shared = true, pool = { max = 2 } })

-- ---- a server that never answers --------------------------------------------------------------

describe("a server that never answers", function()
  it("is given up in time", function()
    local silent = os.getenv("HY_TEST_POSTGRES_URL") -- it waits for the client to speak first, as MySQL's client does
    if silent then
      local url = changed(silent, { password = PASSWORD }):gsub("^%w+", "mariadb")
      fails("CONNECT_TIMEOUT", function() connect { url = url, connectTimeout = 300 } end, connect)
    end
  end)
end)

-- ---- the program's mistakes -------------------------------------------------------------------

describe("the mistake of", function()
  local Note = model "FailNote" {
    hysteria.guarded { "rank" },
    id = column.increment(), title = column.string {
      validate = function(value) return value ~= SECRET, "is not allowed" end,
    },
    rank = column.integer(), ownerId = column.integer(),
    owner = hysteria.belongsTo("FailNote", { foreignKey = "ownerId", constraint = false }),
  }
  local Keyless = model "FailKeyless" { line = column.string() }
  local ds, notes

  before_each(function()
    ds = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    ds:createTables { Note, Keyless }
    notes = Note:using(ds)
  end)

  after_each(function()
    ds:close()
  end)

  it("passing nothing, something else or an option that is none", function()
    fails("NIL_VALUE", function() notes:where("title", nil) end)
    fails("INVALID_ARGUMENT", function() notes:where("title", io.stdout) end)
    fails("UNKNOWN_OPTION", function() notes:find { wehre = { title = SECRET } } end)
    fails("INVALID_IDENTIFIER", function() ds:query("a\0b"):many() end)
    fails("INVALID_PAGINATION_PARAMETERS", function() notes:query():paginate(0, 10) end)
    fails("MISSING_ALIAS_FOR_SUBQUERY", function() ds:query("x"):from(notes:query()):many() end)
  end)

  it("writing everything, or what is guarded or not valid", function()
    fails("MISSING_WHERE", function() notes:query():update { title = "x" } end)
    fails("GUARDED_COLUMN", function() notes:insert { rank = 1 } end)
    local err = fails("VALIDATION_ERROR", function() notes:insert { title = SECRET } end)
    assert.same({ title = { "is not allowed" } }, err.errors)
  end)

  it("asking for what is not there", function()
    fails("ROW_NOT_FOUND", function() notes:query():where("title", SECRET):oneOrFail() end)
    fails("RELATION_NOT_FOUND", function() notes:query():load("onwer"):many() end)
    fails("SCOPE_NOT_FOUND", function() notes:query():scope("adults") end)
  end)

  it("a model that contradicts itself", function()
    fails("INVALID_MODEL", function() model "FailNone" {} end)
    fails("RESERVED_NAME", function() model "FailTaken" { id = column.increment(), save = column.string() } end)
    fails("MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED", function()
      model "FailTwice" { a = column.integer { primaryKey = true }, b = column.integer { primaryKey = true } }
    end)
    fails("MODEL_NOT_FOUND", function()
      ds:createTables { model "FailLost" { id = column.increment(), userId = column.integer {
        references = { model = "FailNobody" },
      } } }
    end)
    local text = "local model, column = ... local made = model 'FailNote' { id = column.increment() } return made"
    local elsewhere = assert(load(text, "@elsewhere.lua"))
    local ok, err = pcall(elsewhere, model, column)
    assert.is_false(ok)
    assert.equal("MODEL_ALREADY_DEFINED", err.code)
    fails("DUPLICATE_MODEL_KEYS", function()
      sql.connectToSecondarySource { type = "sqlite", database = ":memory:", models = { query = Note } }
    end)
  end)

  it("using a key that is not there", function()
    local keyless = Keyless:using(ds)
    fails("MODEL_HAS_NO_PRIMARY_KEY", function() keyless:findOneByPrimaryKey(1) end)
    notes:insert { title = "x" }
    local row = notes:query():select("title"):one()
    fails("MODEL_HAS_NO_PRIMARY_KEY_VALUE", function() row:delete() end)
  end)

  it("doing things at the wrong time", function()
    fails("GLOBAL_TRANSACTION_NOT_STARTED", function() ds:commitGlobalTransaction() end)
    ds:startGlobalTransaction()
    fails("GLOBAL_TRANSACTION_ALREADY_STARTED", function() ds:startGlobalTransaction() end)
    ds:rollbackGlobalTransaction()
    async.run(function()
      ds:transaction(function()
        fails("SPAWN_IN_TRANSACTION", function() async.spawn(print) end)
      end)
    end)
    local closed = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    closed:close()
    fails("CONNECTION_NOT_ESTABLISHED", function() closed:rawQuery("SELECT 1") end)
    sql.connect { type = "sqlite", database = ":memory:" }
    finally(function() sql.disconnect() end)
    fails("CONNECTION_ALREADY_ESTABLISHED", function() sql.connect { type = "sqlite", database = ":memory:" } end)
  end)
end)

-- ---- none is forgotten ------------------------------------------------------------------------

-- Codes that no spec above can provoke, and why or where they are.
local ELSEWHERE = {
  OUT_OF_MEMORY = "tests/oom",
  CLOSED = "tests/core/test_pool.c: Lua calls it CONNECTION_NOT_ESTABLISHED",
  NEEDS_STATE = "C hosts only, and the engine for them is not there yet",
  DRIVER_NOT_FOUND = "builds without a driver",
  DEVELOPMENT_ERROR = "none is known",
  PRIMARY_KEY_NOT_FOUND = "not raised yet",
  RELATION_NOT_MANY_TO_MANY = "not raised yet",
  RELATION_NOT_LOADED = "relations_spec.lua: dev mode is a process's",
  CONFLICT_COLUMNS_NOT_PRESENT_IN_DATA = "not raised yet",
  CACHE_ADAPTER_NOT_CONFIGURED = "not raised yet",
  STALE_RECORD = "version_spec.lua",
  FAILED_TO_ENCRYPT_SYMMETRICALLY = "secret_spec.lua",
  FAILED_TO_DECRYPT_SYMMETRICALLY = "secret_spec.lua",
  FAILED_TO_ENCRYPT_ASYMMETRICALLY = "secret_spec.lua",
  FAILED_TO_DECRYPT_ASYMMETRICALLY = "secret_spec.lua",
  NOT_SEARCHABLE = "secret_spec.lua",
}

describe("the search for canaries", function()
  it("finds one wherever it is", function()
    local err = { message = "x" .. SECRET, cause = { fields = { [SECRET] = 1, list = { "a", "-" .. ROW .. "-" } } } }
    local found = failures.leaks(err, "err", { SECRET, ROW })
    table.sort(found)
    assert.same({ "err.cause.fields.(key)", "err.cause.fields.list.2", "err.message" }, found)
  end)
end)

describe("the list of error codes", function()
  it("is provoked whole", function()
    local file <close> = assert(io.open((os.getenv("HY_ROOT") or ".") .. "/tests/lua/failures_spec.lua"))
    local provoked = {}
    for code in file:read("a"):gmatch("[\"(]([%u_]+)\"") do
      provoked[code] = true
    end
    local missing, needless = {}, {}
    for code in pairs(failures.kinds) do
      if not provoked[code] and not ELSEWHERE[code] then
        missing[#missing + 1] = code
      elseif provoked[code] and ELSEWHERE[code] then
        needless[#needless + 1] = code
      end
    end
    assert.same({}, missing)
    assert.same({}, needless)
  end)
end)
