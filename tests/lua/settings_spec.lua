-- The value cases in foreign surroundings: a locale with a comma, a process that is not in UTC,
-- databases in latin1 and GBK, and servers whose settings change what SQL text or a date means.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local PASSWORD = "odd-Secret_1"
local ODD_SQL_MODE = "ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH"

-- ---- locales ------------------------------------------------------------------------------------

local LOCALES = { ["de_DE.UTF-8"] = "-i de_DE -f UTF-8", ["tr_TR.ISO-8859-9"] = "-i tr_TR -f ISO-8859-9" }
local folder

local function run(command)
  local pipe = assert(io.popen("exec env " .. command .. " 2>&1"))
  local output = pipe:read("a")
  return pipe:close(), output
end

-- Made from their sources, since few systems have them.
local function make_locales()
  folder = os.tmpname()
  os.remove(folder)
  assert(run("mkdir " .. folder))
  for name, how in pairs(LOCALES) do
    local made, output = run(("-u LD_PRELOAD localedef %s %s/%s"):format(how, folder, name))
    assert(made or output:find("warning"), output)
  end
end

local function remove_locales()
  assert(run("rm -r " .. folder))
end

-- ---- children -----------------------------------------------------------------------------------

local function child(settings)
  local list = { "LOCPATH=" .. folder, "LC_ALL=" }
  for name, value in pairs(settings) do
    list[#list + 1] = ("%s='%s'"):format(name == "TZ" and name or "HY_VALUES_" .. name, value)
  end
  local root = os.getenv("HY_ROOT") or "."
  local done, output = run(table.concat(list, " ") .. " lua5.4 " .. root .. "/tests/support/lua/value_child.lua")
  local cases, problems, lost = output:match("cases (%d+) problems (%d+) lost (%d+)\n$")
  assert.equal("0", problems, output)
  assert.is_true(tonumber(cases) > 400)
  assert.equal(settings.CHARSET ~= nil, tonumber(lost) > 0)
  assert.is_true(done)
end

local function with(url, database, account)
  url = url:gsub("/[^/]*$", "/" .. database)
  return account and url:gsub("//[^@]*@", ("//%s:%s@"):format(account, PASSWORD)) or url
end

-- ---- places -------------------------------------------------------------------------------------

local places = {}

local function statements(ds, list)
  for _, text in ipairs(list) do
    ds:rawQuery(text)
  end
end

places.postgres = {
  first = {
    database = "hy_values_latin1", charset = "latin1",
    before = {
      "DROP DATABASE IF EXISTS hy_values_latin1",
      "CREATE DATABASE hy_values_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    },
    after = { "DROP DATABASE hy_values_latin1" },
  },
  second = {
    database = "hy_values_odd", account = "hy_values_odd",
    before = {
      "DROP DATABASE IF EXISTS hy_values_odd", "DROP ROLE IF EXISTS hy_values_odd",
      "CREATE ROLE hy_values_odd LOGIN PASSWORD '" .. PASSWORD .. "'",
      "ALTER ROLE hy_values_odd SET standard_conforming_strings = off",
      "ALTER ROLE hy_values_odd SET backslash_quote = on",
      "ALTER ROLE hy_values_odd SET timezone = 'Asia/Kathmandu'",
      "ALTER ROLE hy_values_odd SET datestyle = 'SQL, DMY'",
      "ALTER ROLE hy_values_odd SET extra_float_digits = 0",
      "ALTER ROLE hy_values_odd SET bytea_output = 'escape'",
      "ALTER ROLE hy_values_odd SET client_encoding = 'LATIN1'",
      "CREATE DATABASE hy_values_odd OWNER hy_values_odd",
    },
    after = { "DROP DATABASE hy_values_odd", "DROP ROLE hy_values_odd" },
    -- The role's settings are there, and ours are in front of them.
    check = function(ds)
      local question = "SELECT reset_val, setting FROM pg_settings WHERE name = ?"
      assert.same({ reset_val = "off", setting = "on" }, ds:rawQuery(question, { "standard_conforming_strings" })[1])
      assert.same({ reset_val = "Asia/Kathmandu", setting = "UTC" }, ds:rawQuery(question, { "TimeZone" })[1])
    end,
  },
}

-- Settings of a session that a user without rights gets from the server.
local function odd_mysql()
  return {
    database = "hy_values_gbk", charset = "gbk", account = "hy_values_odd",
    before = {
      "DROP DATABASE IF EXISTS hy_values_gbk", "CREATE DATABASE hy_values_gbk CHARACTER SET gbk",
      "DROP USER IF EXISTS hy_values_odd@'%'",
      "CREATE USER hy_values_odd@'%' IDENTIFIED BY '" .. PASSWORD .. "'",
      "GRANT ALL ON hy_values_gbk.* TO hy_values_odd@'%'",
      "SET GLOBAL sql_mode = '" .. ODD_SQL_MODE .. "'",
      "SET GLOBAL init_connect = 'SET sql_mode = ''" .. ODD_SQL_MODE .. "'', time_zone = ''+05:45'', @odd = 1, "
        .. "NAMES gbk'",
      "SET GLOBAL time_zone = '-03:30'",
    },
    after = {
      "SET GLOBAL init_connect = ''", "SET GLOBAL sql_mode = DEFAULT", "SET GLOBAL time_zone = 'SYSTEM'",
      "DROP DATABASE hy_values_gbk", "DROP USER hy_values_odd@'%'",
    },
    -- init_connect ran, the server is odd, and this session is not.
    check = function(ds)
      local row = ds:rawQuery("SELECT @odd AS odd, @@global.sql_mode AS theirs, @@sql_mode AS ours, "
        .. "@@time_zone AS zone, @@character_set_client AS charset")[1]
      assert.equal(1, row.odd)
      assert.matches("ANSI_QUOTES.*NO_BACKSLASH_ESCAPES", row.theirs)
      for _, mode in ipairs { "ANSI", "NO_BACKSLASH", "PAD_CHAR", "PIPES" } do
        assert.is_nil(row.ours:find(mode, 1, true), row.ours)
      end
      assert.matches("STRICT_ALL_TABLES", row.ours)
      assert.same({ "+00:00", "utf8mb4" }, { row.zone, row.charset })
    end,
  }
end

local function latin1_mysql()
  return {
    database = "hy_values_latin1", charset = "latin1",
    before = {
      "DROP DATABASE IF EXISTS hy_values_latin1", "CREATE DATABASE hy_values_latin1 CHARACTER SET latin1",
    },
    after = { "DROP DATABASE hy_values_latin1" },
  }
end

places.mariadb = { first = latin1_mysql(), second = odd_mysql() }
places.mysql = { first = latin1_mysql(), second = odd_mysql() }

local function settings_of(database, place)
  if not place then
    return { DATABASE = database.name }
  end
  return {
    DATABASE = database.name, CHARSET = place.charset,
    URL = with(database.config.url, place.database, place.account),
  }
end

local function run_in(database, which, locale, zone)
  local place = places[database.name] and places[database.name][which]
  local settings = settings_of(database, place)
  settings.LOCALE, settings.TZ = locale, zone
  if place then
    local ds <close> = hysteria.sql.connectToSecondarySource(database.config)
    finally(function()
      local cleaner <close> = hysteria.sql.connectToSecondarySource(database.config)
      statements(cleaner, place.after)
    end)
    statements(ds, place.before)
  end
  if place and place.check then
    local odd <close> = hysteria.sql.connectToSecondarySource { url = settings.URL }
    place.check(odd)
  end
  child(settings)
end

describe("values keep in foreign surroundings", function()
  setup(make_locales)
  teardown(remove_locales)

  for _, database in ipairs(databases.found()) do
    if database.name ~= "cockroachdb" then
      it("on " .. database.name .. ": a decimal comma, the hours of Europe, a latin1 database", function()
        run_in(database, "first", "de_DE.UTF-8", "CET-1CEST,M3.5.0,M10.5.0/3")
      end)

      it("on " .. database.name .. ": Turkish letters, the hours of Nepal, odd settings of session and server",
        function()
          run_in(database, "second", "tr_TR.ISO-8859-9", "<+0545>-5:45")
        end)
    end
  end
end)
