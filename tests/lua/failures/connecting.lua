-- Failures of connecting, and of disks. Run by failures_spec.lua.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")
local failures = require("tests.support.lua.failures")

local sql = hysteria.sql
local fails, changed = failures.of, failures.changed
local PASSWORD, ROW = failures.PASSWORD, failures.ROW
local it = failures.it

local function connect(config)
  if type(config) == "string" then
    config = { url = config }
  end
  config.logs = failures.logs
  local ds <close> = sql.connectToSecondarySource(config)
  ds:rawQuery("SELECT 1")
end

-- Accounts of a server with the canary for a password, gone after fn. Each has a name of its own: a
-- server counts sessions that were closed a moment ago.
local MAKE = {
  postgres = function(ds, name, limit)
    ds:rawQuery("DROP ROLE IF EXISTS " .. name)
    ds:rawQuery(("CREATE ROLE %s LOGIN PASSWORD '%s' CONNECTION LIMIT %d"):format(name, PASSWORD, limit or -1))
  end,
  other = function(ds, name, limit)
    ds:rawQuery("DROP USER IF EXISTS " .. name .. "@'%'")
    ds:rawQuery(("CREATE USER %s@'%%' IDENTIFIED BY '%s' WITH MAX_USER_CONNECTIONS %d"):format(name, PASSWORD,
      limit or 0))
    ds:rawQuery("GRANT USAGE ON *.* TO " .. name .. "@'%'")
  end,
}
local REMOVE = { postgres = "DROP ROLE IF EXISTS %s", other = "DROP USER IF EXISTS %s@'%%'" }

local function with_guest(database, name, limit, fn)
  local ds <close> = sql.connectToSecondarySource(database.config)
  local make = MAKE[database.name] or MAKE.other
  make(ds, name, limit)
  finally(function()
    local cleaner <close> = sql.connectToSecondarySource(database.config)
    cleaner:rawQuery((REMOVE[database.name] or REMOVE.other):format(name))
  end)
  fn(changed(database.config.url, { account = name, password = PASSWORD,
    database = database.name ~= "postgres" and "information_schema" or nil }), ds)
end

for _, database in ipairs(databases.found()) do
  if failures.SERVERS[database.name] then
    local url = database.config.url

    describe("connecting to " .. database.name, function()
      failures.on(database.name)

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

      it("gives up a server that never answers", function()
        failures.behind_proxy(changed(url, { password = PASSWORD }), "freeze", function(silent)
          fails("CONNECT_TIMEOUT", function() connect { url = silent, connectTimeout = 200 } end, connect)
        end)
      end)

      it("tells a database that is not there", function()
        fails("UNDEFINED_DATABASE", function() connect(changed(url, { database = "fail_nowhere" })) end, connect)
      end)

      it("tells that there is no encryption to trust", function()
        fails("TLS_REFUSED", function() connect { url = url, ssl = { mode = "verify-full" } } end, connect)
      end)

      it("tells that the server has no place left", function()
        with_guest(database, "fail_one_guest", 1, function(guest)
          local first <close> = sql.connectToSecondarySource { url = guest }
          first:rawQuery("SELECT 1")
          assert.same({}, failures.leaks({ tostring(first), first:getConnectionDetails() }, "source", { PASSWORD }))
          fails("TOO_MANY_CONNECTIONS", function() connect(guest) end, connect)
        end)
      end)

      it("tells what a user may not do", function()
        with_guest(database, "fail_guest", nil, function(guest, ds)
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

local CONNECT = [[
  local sql = require("hysteria").sql
  local open, more = {}, %s
  while more do
    more = io.open("/dev/null")
    open[#open + 1] = more
  end
  provoke(function() sql.connectToSecondarySource { type = "sqlite", database = %q } end)
]]

describe("connecting to sqlite", function()
  failures.on("sqlite")

  it("tells a folder, and a file that cannot be opened", function()
    fails("CONNECTION_REFUSED", function() connect { type = "sqlite", database = "/tmp" } end, connect)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    assert(os.execute("chmod 000 " .. path))
    -- Root may open everything, unless it gives that up.
    local root = os.execute("[ $(id -u) = 0 ]")
    local shell = root and "setpriv --bounding-set -dac_override,-dac_read_search %s" or "%s"
    failures.elsewhere("PERMISSION_DENIED", shell, CONNECT:format(false, path))
    failures.elsewhere("TOO_MANY_CONNECTIONS", "ulimit -n 64; %s", CONNECT:format(true, path))
  end)

  it("tells a folder that is not there, and a file that is no database", function()
    fails("UNDEFINED_DATABASE", function() connect { type = "sqlite", database = "/no/such/folder/x.db" } end, connect)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "w"))
    file:write(("no database at all\n"):rep(100))
    file:close()
    fails("DATABASE_CORRUPT", function() connect { type = "sqlite", database = path } end, connect)
  end)

  it("tells settings that cannot be used", function()
    fails("INVALID_CONFIG", function() connect { type = "sqlite", pool = { max = 1, min = 5 } } end, connect)
    fails("UNKNOWN_OPTION", function() connect { type = "sqlite", pasword = PASSWORD } end, connect)
  end)
end)

describe("connecting to nothing known", function()
  it("is told", function()
    fails("UNSUPPORTED_DATABASE_TYPE", function() connect { type = "oracle" } end, connect)
    fails("UNSUPPORTED_DATABASE_TYPE", function() connect("oracle://u:" .. PASSWORD .. "@h/d") end, connect)
    fails("UNKNOWN_OPTION", function() connect { type = "sqlite", pasword = PASSWORD } end, connect)
    fails("INVALID_CONFIG", function() connect("postgres://u:" .. PASSWORD .. "@h@i/d") end, connect)
  end)
end)

-- ---- what a process has not -------------------------------------------------------------------

-- A limit as the process is, plus a little: set from outside, so that nothing before is in its way. The
-- sanitizer has its own, and more addresses than any limit.
local MEMORY = [[
  local sql = require("hysteria").sql
  local url, text = os.getenv("HY_TEST_%s_URL"), %q
  local ds <close> = sql.connectToSecondarySource(url and { url = url } or { type = "sqlite", database = ":memory:" })
  ds:rawQuery(text, { 1 })
  local status <close> = assert(io.open("/proc/self/status"))
  local size, id = status:read("a"):match("VmSize:%%s*(%%d+) kB"), io.open("/proc/self/stat"):read("n")
  if not (os.getenv("LD_PRELOAD") or ""):find("asan", 1, true) then
    assert(os.execute(("prlimit --pid %%d --as=%%d"):format(id, (size + 8192) * 1024)))
  end
  provoke(function() local rows = ds:rawQuery(text, { 15000000 }) return rows end)
  assert(ds:rawQuery(text, { 3 })[1].x == "   ") -- with a connection of its own, if that one was given up
]]
local ALLOCATES_LITTLE = "ASAN_OPTIONS=$ASAN_OPTIONS:allocator_may_return_null=1:max_allocation_size_mb=8 %s 2>&1"
local WIDE = {
  sqlite = "SELECT printf('%*s', ?, '') AS x", postgres = "SELECT repeat(' ', ?) AS x", other = "SELECT space(?) AS x",
}

for _, database in ipairs(databases.found()) do
  describe("a process on " .. database.name, function()
    failures.on(database.name)

    it("whose memory is used up is told", function()
      failures.elsewhere("OUT_OF_MEMORY", ALLOCATES_LITTLE,
        MEMORY:format(database.name:upper(), WIDE[database.name] or WIDE.other))
    end)

    it("without the driver is told", function()
      local bare = ("LD_LIBRARY_PATH='%s/tests/no_driver' %%s"):format(assert(os.getenv("HY_BUILD")))
      failures.elsewhere("DRIVER_NOT_FOUND", bare, ([[
        local sql = require("hysteria").sql
        provoke(function() sql.connectToSecondarySource { type = "%s" } end)
      ]]):format(database.name))
    end)
  end)
end

-- ---- a disk that is full ----------------------------------------------------------------------

describe("a full disk", function()
  failures.on("sqlite")

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

-- Tables that are full, and a device that always is: disks of servers are theirs.
failures.each(function(ds, database)
  it("a full disk of the server is told", function()
    if database == "postgres" then
      fails("DISK_FULL", function() ds:rawQuery("COPY (SELECT repeat('x', 100000)) TO '/dev/full'") end)
    elseif database ~= "sqlite" then
      ds:rawQuery("DROP TABLE IF EXISTS fail_full")
      ds:transaction(function() -- on one connection
        ds:rawQuery("SET SESSION max_heap_table_size = 16384")
        ds:rawQuery("CREATE TEMPORARY TABLE fail_full (data CHAR(255)) ENGINE = MEMORY")
        local err = fails("DISK_FULL", function()
          for _ = 1, 1000 do
            ds:rawQuery("INSERT INTO fail_full VALUES (?)", { ROW })
          end
        end)
        assert.equal("fail_full", err.table)
        ds:rawQuery("SET SESSION max_heap_table_size = DEFAULT")
      end)
    end
  end)
end)
