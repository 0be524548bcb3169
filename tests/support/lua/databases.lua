-- Declares the same specs once per database found: SQLite in memory always, others where
-- HY_TEST_<NAME>_URL says where they are. A name in HY_TEST_REQUIRE must be there.
local busted = require("busted")
local hysteria = require("hysteria")

local databases = {}

local OTHERS = { "postgres", "cockroachdb", "mysql", "mariadb" }
-- No server of it can be had; whoever has one says where.
local RARE = { cockroachdb = true }

local function is_required(name)
  return ("," .. (os.getenv("HY_TEST_REQUIRE") or "") .. ","):find("," .. name .. ",", 1, true) ~= nil
end

-- { name, config } of every database that can be used.
function databases.found()
  local list = { { name = "sqlite", config = { type = "sqlite", database = ":memory:" } } }
  for _, name in ipairs(OTHERS) do
    local url = os.getenv("HY_TEST_" .. name:upper() .. "_URL")
    if url then
      list[#list + 1] = { name = name, config = { url = url } }
    elseif is_required(name) then
      error("HY_TEST_REQUIRE names " .. name .. ", but HY_TEST_" .. name:upper() .. "_URL is not set")
    end
  end
  return list
end

-- How to connect to one of them once more.
function databases.config_of(name)
  for _, database in ipairs(databases.found()) do
    if database.name == name then
      return database.config
    end
  end
  error("no database " .. name)
end

-- Names of the databases that the specs do not run on here.
function databases.missing()
  local list = {}
  for _, name in ipairs(OTHERS) do
    if not RARE[name] and not os.getenv("HY_TEST_" .. name:upper() .. "_URL") then
      list[#list + 1] = name
    end
  end
  return list
end

-- The settings of a database for one source. `shared`: several connections see the same data,
-- so SQLite gets a file of its own. Second result: the file to remove.
local function settings(database, given)
  local config = {}
  for name, value in next, database.config do
    config[name] = value
  end
  config.pool, config.logs = given.pool, given.logs
  if given.shared and database.name == "sqlite" then
    config.database = os.tmpname()
    return config, config.database
  end
  return config
end

-- fn(ds, name, config) declares specs on an open source, which is closed after them. config { ... }
-- gives the settings for one more source of the same database, with these added: another
-- ":memory:" for SQLite unless shared. `given` may say { shared = true, pool = { max = 4 }, logs = true }.
function databases.each(fn, given)
  for _, database in ipairs(databases.found()) do
    busted.describe("on " .. database.name, function()
      local config, file = settings(database, given or {})
      local ds = hysteria.sql.connectToSecondarySource(config)
      busted.teardown(function()
        ds:close()
        for _, suffix in ipairs(file and { "", "-wal", "-shm" } or {}) do
          os.remove(file .. suffix)
        end
      end)
      fn(ds, database.name, function(more)
        local copy = {}
        for _, source in ipairs { config, more or {} } do
          for name, value in next, source do
            copy[name] = value
          end
        end
        return copy
      end)
    end)
  end
end

-- SQL text with names in "quotes" and ? placeholders, as the database of that name writes it.
function databases.spelled(name, text)
  if name == "mysql" or name == "mariadb" then
    return (text:gsub("\"", "`"))
  elseif name == "postgres" or name == "cockroachdb" then
    local n = 0
    return (text:gsub("?", function()
      n = n + 1
      return "$" .. n
    end))
  end
  return text
end

-- it(...) where the database can do `feature`, else a pending spec that says what is missing.
function databases.it_needs(ds, feature, name, fn)
  if ds:can(feature) then
    busted.it(name, fn)
  else
    busted.pending(name .. " (needs " .. feature .. ")")
  end
end

-- Statements that ran since, as { sql, operation, raw, params }; start with watch(ds).
function databases.watch(ds)
  local seen = {}
  local watching = true
  ds:addObserver {
    onBeforeQuery = function(event)
      if watching then
        seen[#seen + 1] = event
      end
    end,
  }
  function seen.stop()
    watching = false
    return seen
  end
  return seen
end

-- A figure: on the screen, and as a line of the file that HY_REPORT names.
function databases.report(...)
  local line = string.format(...)
  print(line)
  local path = os.getenv("HY_REPORT")
  local file <close> = path and io.open(path, "a") or nil
  if file then
    file:write(line, "\n")
  end
end

-- The error that fn raises; fails if it raises none.
function databases.error_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "no error was raised")
  return err
end

return databases
