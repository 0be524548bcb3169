-- Failures of what is stored: files of a database that are damaged or gone. Each table here is the
-- spec's own, so nobody else is hurt. Run by failures_spec.lua.
local hysteria = require("hysteria")
local failures = require("tests.support.lua.failures")

local sql = hysteria.sql
local fails = failures.of
local ROW = failures.ROW
local it = failures.it
local PAGE = 8192

local function corrupt(fn, code, state)
  local err = fails("DATABASE_CORRUPT", fn)
  assert.equal(code, err.nativeCode)
  assert.equal(state, err.sqlState)
  return err
end

-- ---- SQLite -----------------------------------------------------------------------------------

local function overwrite(path, from, bytes)
  local file <close> = assert(io.open(path, "r+b"))
  file:seek("set", from)
  file:write(bytes)
end

describe("a damaged file of sqlite", function()
  failures.on("sqlite")

  it("is told when its page is read, and the rest can be", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local config = { type = "sqlite", database = path, logs = failures.logs,
      driverOptions = { journal_mode = "delete" } }
    do
      local ds <close> = sql.connectToSecondarySource(config)
      ds:rawQuery("CREATE TABLE whole (note TEXT)")
      ds:rawQuery("CREATE TABLE fail_damaged (note TEXT)")
      ds:rawQuery("INSERT INTO whole VALUES (?)", { ROW })
      ds:rawQuery("INSERT INTO fail_damaged VALUES (?)", { ROW })
    end
    overwrite(path, 2 * 4096, ("x"):rep(4096)) -- the third page: that of the second table
    local ds <close> = sql.connectToSecondarySource(config)
    corrupt(function() ds:rawQuery("SELECT * FROM fail_damaged WHERE note = ?", { ROW }) end, 11)
    corrupt(function() ds:rawQuery("INSERT INTO fail_damaged VALUES (?)", { ROW }) end, 11)
    assert.equal(ROW, ds:rawQuery("SELECT note FROM whole")[1].note)
  end)
end)

-- ---- servers ----------------------------------------------------------------------------------

-- The server itself overwrites a file of its own.
local function postgres_file(ds, path, bytes)
  local object = ds:rawQuery("SELECT lo_from_bytea(0, ?) AS id", { sql.binary(bytes) })[1].id
  ds:rawQuery("SELECT lo_export(?, ?)", { object, path })
  ds:rawQuery("SELECT lo_unlink(?)", { object })
end

local function postgres_path(ds, name)
  return ds:rawQuery("SELECT current_setting('data_directory') || '/' || pg_relation_filepath(?) AS path",
    { name })[1].path
end

local function mysql_folder(ds)
  return ds:rawQuery("SELECT concat(@@datadir, database(), '/') AS folder")[1].folder
end

local function mysql_file(ds, path, value)
  ds:rawQuery(("SELECT %s INTO DUMPFILE '%s'"):format(value, path))
end

local SERVERS = {}

function SERVERS.postgres(ds)
  it("is told when a page of a table or an index is read", function()
    ds:rawQuery("CREATE UNLOGGED TABLE fail_damaged (id int PRIMARY KEY, note text)")
    ds:rawQuery("TRUNCATE fail_damaged") -- new files; without a log nothing of them is in memory
    postgres_file(ds, postgres_path(ds, "fail_damaged_pkey"), ("\0"):rep(2 * PAGE))
    local err = corrupt(function() ds:rawQuery("INSERT INTO fail_damaged VALUES (1, ?)", { ROW }) end, nil, "XX002")
    assert.matches("fail_damaged_pkey", err.message, 1, true)
    ds:rawQuery("TRUNCATE fail_damaged")
    postgres_file(ds, postgres_path(ds, "fail_damaged"), ("x"):rep(PAGE))
    err = corrupt(function() ds:rawQuery("SELECT * FROM fail_damaged WHERE note = ?", { ROW }) end, nil, "XX001")
    assert.matches("invalid page in block 0", err.message, 1, true)
  end)
end

-- MyISAM and Aria keep a table in files that whoever started the server can write.
local function by_hand(ds, engine, suffix, damage, code)
  ds:rawQuery("DROP TABLE IF EXISTS fail_damaged")
  ds:rawQuery("CREATE TABLE fail_damaged (id INT PRIMARY KEY, note VARCHAR(200) NOT NULL) ENGINE = " .. engine)
  ds:rawQuery("INSERT INTO fail_damaged VALUES (1, ?), (2, ?)", { ROW, ROW })
  ds:rawQuery("FLUSH TABLES fail_damaged")
  damage(mysql_folder(ds) .. "fail_damaged" .. suffix)
  return corrupt(function() ds:rawQuery("SELECT * FROM fail_damaged WHERE note = ?", { ROW }) end, code, "HY000")
end

local function fill_with_x(path)
  local file <close> = assert(io.open(path, "rb"))
  overwrite(path, 0, ("x"):rep(file:seek("end")))
end

local function damages_by_hand(ds, engines)
  it("is told of files that were overwritten or removed by hand", function()
    ds:rawQuery("CREATE TABLE fail_damaged (id INT) ENGINE = MyISAM")
    local file = io.open(mysql_folder(ds) .. "fail_damaged.MYI", "r+b")
    if not file then
      return -- somebody else's server: its own hand has shown the code above
    end
    file:close()
    for _, case in ipairs(engines) do
      local err = by_hand(ds, case.engine, case.suffix, case.damage, case.code)
      assert.equal(case.nameless == nil and "fail_damaged" or nil, err.table)
    end
  end)
end

local BY_HAND = {
  { engine = "MyISAM", suffix = ".MYI", damage = fill_with_x, code = 130 },
  { engine = "MyISAM", suffix = ".MYD", damage = fill_with_x, code = 1194 },
  { engine = "MyISAM", suffix = ".MYI", damage = os.remove, code = 1017 },
}

function SERVERS.mariadb(ds)
  it("is told of a definition, and of rows that are imported", function()
    local folder = mysql_folder(ds)
    mysql_file(ds, folder .. "fail_damaged.frm", "'no definition at all'")
    local err = corrupt(function() ds:rawQuery("SELECT ? FROM fail_damaged", { ROW }) end, 1033, "HY000")
    assert.equal("fail_damaged", err.table)
    ds:rawQuery("DROP TABLE fail_damaged")
    ds:rawQuery("CREATE TABLE fail_damaged (id INT PRIMARY KEY) ENGINE = InnoDB")
    ds:rawQuery("ALTER TABLE fail_damaged DISCARD TABLESPACE")
    mysql_file(ds, folder .. "fail_damaged.ibd", "repeat('x', 114688)")
    err = corrupt(function() ds:rawQuery("ALTER TABLE fail_damaged IMPORT TABLESPACE") end, 1034, "HY000")
    assert.equal("fail_damaged", err.table)
  end)

  damages_by_hand(ds, { BY_HAND[1], BY_HAND[2], BY_HAND[3],
    { engine = "Aria", suffix = ".MAD", damage = fill_with_x, code = 1030, nameless = true } })
end

function SERVERS.mysql(ds)
  it("is told when the end of a table is missing", function()
    local folder = mysql_folder(ds)
    ds:rawQuery("CREATE TABLE IF NOT EXISTS fail_damaged (note VARCHAR(200)) ENGINE = ARCHIVE") -- with a file left
    ds:rawQuery("DROP TABLE fail_damaged")
    ds:rawQuery("DROP TABLE IF EXISTS fail_whole")
    ds:rawQuery("CREATE TABLE fail_whole (note VARCHAR(200)) ENGINE = ARCHIVE")
    for _ = 1, 100 do
      ds:rawQuery("INSERT INTO fail_whole VALUES (concat(?, hex(random_bytes(80))))", { ROW })
    end
    ds:rawQuery("FLUSH TABLES fail_whole")
    mysql_file(ds, folder .. "fail_damaged.ARZ", ("left(load_file('%sfail_whole.ARZ'), 1000)"):format(folder))
    ds:rawQuery("DROP TABLE fail_whole")
    ds:rawQuery("CREATE TABLE fail_damaged (note VARCHAR(200)) ENGINE = ARCHIVE")
    local err = corrupt(function() ds:rawQuery("SELECT * FROM fail_damaged") end, 1194, "HY000")
    assert.equal("fail_damaged", err.table)
  end)

  damages_by_hand(ds, BY_HAND)
end

failures.each(function(ds, database)
  local declare = SERVERS[database]
  if not declare then
    return
  end

  describe("a damaged file of the server", function()
    local function drop()
      ds:rawQuery("DROP TABLE IF EXISTS fail_damaged")
    end
    before_each(drop)
    after_each(drop)
    declare(ds)
  end)
end)
