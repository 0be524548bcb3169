-- From what the user gave (a table, a URL, nothing) to the table that core.connect takes:
-- names checked, environment and .env consulted. Explicit wins over the environment, the
-- environment over .env. Never puts a password into a message.
local core = require("hysteria.core")
local dotenv = require("hysteria.dotenv")
local logs = require("hysteria.logs")
local options = require("hysteria.options")

local config = {}

-- Key -> type. `models`, `cursorKey` and the last two are the Lua side's own, the rest goes to the core.
local TYPES = {
  type = "string", url = "string", host = "string", username = "string", password = "string", database = "string",
  schema = "string", applicationName = "string", timezone = "string", name = "string", cursorKey = "string",
  port = "port", connectTimeout = "count", statementTimeout = "count", statementCache = "count",
  ssl = "table", pool = "table", driverOptions = "table", models = "table",
  logs = "logs", ambientTransactions = "boolean", lazyLoad = "boolean", prepare = "word",
}
local WORDS = {
  prepare = { "auto", "named", "unnamed", "off" },
}
local KEYS = {}
for key in next, TYPES do
  KEYS[#KEYS + 1] = key
end
KEYS = options.names(table.unpack(KEYS))

local PARTS = {
  ssl = options.names("mode", "ca", "cert", "key"),
  pool = options.names("max", "min", "acquireTimeout", "idleTimeout", "maxLifetime"),
}

local ENVIRONMENT = {
  DB_TYPE = "type", DB_HOST = "host", DB_PORT = "port", DB_USER = "username", DB_PASSWORD = "password",
  DB_DATABASE = "database",
}

local function fail(text, ...)
  core.raise("INVALID_CONFIG", "the configuration: " .. text:format(...))
end

local function check_value(key, value)
  local wanted = TYPES[key]
  if wanted == "port" then
    local port = math.tointeger(tonumber(value))
    if not port or port < 1 or port > 65535 then
      fail("port must be a number from 1 to 65535")
    end
    return port
  elseif wanted == "count" then
    if type(value) ~= "number" or not math.tointeger(value) or value < -1 then
      fail("%s must be a whole number", key)
    end
    return math.tointeger(value)
  elseif wanted == "logs" then
    return logs.check(value)
  elseif wanted == "word" then
    for _, word in ipairs(WORDS[key]) do
      if value == word then
        return value
      end
    end
    fail("%s must be one of %s%s", key, table.concat(WORDS[key], ", "), options.hint(value, WORDS[key]))
  elseif type(value) ~= wanted then
    fail("%s must be a %s, not %s", key, wanted, options.kind(value))
  end
  if wanted == "table" then
    options.plain(value, "the configuration's " .. key)
    if PARTS[key] then
      options.check(value, PARTS[key], "the configuration's " .. key)
    end
  end
  return value
end

-- A URL's parts under the configuration's names; options of the query string go to the driver
-- unless they are ours.
local function from_url(url)
  local parts = core.parseUrl(url)
  local found = { driverOptions = parts.options }
  for _, key in ipairs({ "type", "host", "port", "username", "password", "database" }) do
    found[key] = parts[key]
  end
  return found
end

local function environment(read)
  local file
  return function(name)
    local value = read(name)
    if value == nil or value == "" then
      file = file or dotenv.load(".env")
      value = file[name]
    end
    return value ~= "" and value or nil
  end
end

local function from_environment(get)
  local url = get("DATABASE_URL")
  if url then
    return from_url(url)
  end
  local found = {}
  for name, key in next, ENVIRONMENT do
    found[key] = get(name)
  end
  return found
end

local LOGS = { ["1"] = true, ["true"] = true, yes = true, on = true }

local function merge(into, from)
  for key, value in next, from do
    if into[key] == nil then
      into[key] = value
    end
  end
end

-- What the environment says about another kind of database does not concern this one.
local function fill_from_environment(result, found)
  if result.type == nil or found.type == nil or result.type == found.type then
    merge(result, found)
    result.port = result.port and check_value("port", result.port)
  end
end

-- `given`: nil, a URL or a table. `read`: os.getenv, or a stand-in for tests.
function config.resolve(given, read)
  local get = environment(read or os.getenv)
  local result = {}
  if type(given) == "string" then
    result = from_url(given)
  elseif given ~= nil then
    options.check(given, KEYS, "the configuration")
    for key, value in next, given do
      result[key] = check_value(key, value)
    end
    if result.url then
      local url = result.url
      result.url = nil
      merge(result, from_url(url))
    end
  end
  if type(given) ~= "string" then
    fill_from_environment(result, from_environment(get))
  end
  if result.type == nil then
    fail("no type: give one, a url, or set DATABASE_URL or DB_TYPE")
  end
  if result.logs == nil then
    result.logs = LOGS[options.lower(get("DB_LOGS") or "")] or false
  end
  if result.cursorKey and not core.key("symmetric", result.cursorKey) then
    fail("cursorKey must be a key as hysteria.generateKey() makes it")
  end
  if result.type == "sqlite" and result.database == nil then
    result.database = ":memory:"
  end
  return result
end

-- What core.connect takes of it.
function config.for_core(resolved)
  return {
    type = resolved.type, host = resolved.host, port = resolved.port, username = resolved.username,
    password = resolved.password, database = resolved.database, schema = resolved.schema, ssl = resolved.ssl,
    pool = resolved.pool, connectTimeout = resolved.connectTimeout, statementTimeout = resolved.statementTimeout,
    statementCache = resolved.statementCache, prepare = resolved.prepare,
    applicationName = resolved.applicationName,
    timezone = resolved.timezone, options = resolved.driverOptions, name = resolved.name,
  }
end

-- What getConnectionDetails tells: everything but secrets.
function config.details(resolved)
  return {
    type = resolved.type, host = resolved.host, port = resolved.port, username = resolved.username,
    database = resolved.database, schema = resolved.schema, name = resolved.name,
  }
end

return config
