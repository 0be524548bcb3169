-- `logs` of a configuration: what is told, to whom, and what never is.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

local Person = model "LogPerson" {
  id = column.increment(), name = column.string { length = 300 }, pin = column.string { sensitive = true },
  note = column.text { hidden = true },
}

local function collector()
  local lines = {}
  local function into(level)
    return function(line, event)
      lines[#lines + 1] = { level = level, line = line, event = event }
    end
  end
  function lines.has(text)
    for _, entry in ipairs(lines) do
      if entry.line:find(text, 1, true) then
        return entry
      end
    end
    return nil
  end
  return lines, { info = into("info"), warn = into("warn"), error = into("error") }
end

databases.each(function(_, _, config)
  local function open(given)
    local lines, logger = collector()
    local logs = { customLogger = logger }
    for key, value in pairs(given or {}) do
      logs[key] = value
    end
    local ds = sql.connectToSecondarySource(config { logs = logs })
    ds:dropTables({ Person }, { ifExists = true })
    ds:createTables { Person }
    return ds, lines
  end

  it("tells statements with their values, except those that are nobody's business", function()
    local ds <close>, lines = open { logParams = true }
    Person:using(ds):insert { name = "Ada", pin = "4711", note = "a secret" }
    Person:using(ds):where("pin", "4711"):many()
    Person:using(ds):where("note", "like", "%a secret%"):update { name = ("x"):rep(250) }
    ds:rawQuery("select id from log_people where pin = ?", { "4711" })
    local people = Person:using(ds)
    people:query():select("name", { "pin", "code" }):groupBy("name", "pin"):having("pin", "4711"):many()
    people:query():select("id"):with("w", Person:query():select("id", "pin")):join("w", "w.id", "log_people.id")
      :where("w.pin", "4711"):many()
    ds:from("log_people"):from(Person:query():select("id", "pin"), "z"):where("z.pin", "4711"):many()
    if ds:getDbType() == "sqlite" or ds:getDbType() == "mysql" or ds:getDbType() == "mariadb" then
      people:query():select("name", { "pin", "code" }):groupBy("name", "pin"):having("code", "4711"):many()
    end
    assert.equal("info", lines.has("Ada").level)
    assert.matches("^%d+%.%d ms  INSERT", lines.has("Ada").line)
    assert.is_number(lines.has("Ada").event.duration)
    assert.is_truthy(lines.has("[hidden]"))
    assert.is_truthy(lines.has("[1 values]"))
    assert.is_nil(lines.has("4711"))
    assert.is_nil(lines.has("a secret"))
    assert.is_nil(lines.has(("x"):rep(201)))
    for _, entry in ipairs(lines) do
      assert.is_nil(entry.line:find("\n", 1, true))
    end
  end)

  it("tells no value unasked", function()
    local ds <close>, lines = open()
    Person:using(ds):insert { name = "Ada" }
    assert.is_truthy(lines.has("INSERT"))
    assert.is_nil(lines.has("Ada"))
  end)

  it("tells failures as errors, with their code", function()
    local ds <close>, lines = open()
    error_of(ds.rawQuery, ds, "select * from log_nobody")
    local told = lines.has("log_nobody")
    assert.equal("error", told.level)
    assert.matches("^UNDEFINED_TABLE  %d+%.%d ms  ", told.line)
  end)

  it("tells failures alone where statements are not wanted", function()
    local ds <close>, lines = open { logQueries = false }
    Person:using(ds):insert { name = "Ada" }
    assert.equal(0, #lines)
    error_of(ds.rawQuery, ds, "select * from log_nobody")
    assert.equal(1, #lines)
  end)

  it("tells statements whatever the level", function()
    local ds <close>, lines = open { level = "error", logParams = true }
    Person:using(ds):insert { name = "Ada" }
    assert.is_truthy(lines.has("Ada"))
  end)

  it("goes on when the logger fails", function()
    local ds <close> = sql.connectToSecondarySource(config { logs = { customLogger = { info = error } } })
    assert.equal(1, ds:rawQuery("select 1 as n")[1].n)
  end)
end)

describe("logs", function()
  it("are checked", function()
    local function refused(code, logs)
      assert.equal(code, error_of(sql.connectToSecondarySource, { type = "sqlite", logs = logs }).code)
    end
    refused("INVALID_CONFIG", "yes")
    refused("UNKNOWN_OPTION", { levle = "info" })
    refused("INVALID_CONFIG", { level = "debug" })
    refused("INVALID_CONFIG", { logQueries = 1 })
    refused("INVALID_CONFIG", { logParams = 1 })
    refused("UNKNOWN_OPTION", { customLogger = { debug = print } })
    refused("INVALID_ARGUMENT", { customLogger = { info = 1 } })
  end)

  it("go to standard error otherwise", function()
    local script = [[
      local sql = require("hysteria").sql
      sql.connect { type = "sqlite", logs = %s }
      sql.rawQuery("select 41 + 1 as n")
      pcall(sql.rawQuery, "select nonsense")
    ]]
    local function output(logs)
      local pipe <close> = assert(io.popen("lua5.4 -e '" .. script:format(logs) .. "' 2>&1"))
      return pipe:read("a")
    end
    local all = output("true")
    assert.matches("^%[INFO%] %d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d  %d+%.%d ms  ", all)
    assert.is_truthy(all:find("select 41 + 1 as n", 1, true))
    assert.is_truthy(all:find("[ERROR]", 1, true))
    assert.equal("", output("false"))
    assert.is_nil(output("{ logQueries = false }"):find("41", 1, true))
    assert.is_truthy(output("{ logQueries = false }"):find("[ERROR]", 1, true))
  end)
end)
