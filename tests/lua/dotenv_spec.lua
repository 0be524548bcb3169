-- The .env grammar and what wins over what.
local hysteria = require("hysteria")
local config = require("hysteria.config")
local dotenv = require("hysteria.dotenv")
local databases = require("tests.support.lua.databases")

describe("dotenv", function()
  local cases = {
    { "plain values", "A=1\nB=two", { A = "1", B = "two" } },
    { "spaces around the sign", "  A = 1  ", { A = "1" } },
    { "export in front", "export A=1\nexport\tB=2", { A = "1", B = "2" } },
    { "comments and blank lines", "# c\n\n  # d\nA=1", { A = "1" } },
    { "comments after unquoted values", "A=1 # one\nB=a#b", { A = "1", B = "a#b" } },
    { "values with an equals sign", "URL=postgres://u:p@h/d?a=b", { URL = "postgres://u:p@h/d?a=b" } },
    { "lines without one are skipped", "nonsense\nA=1\n???", { A = "1" } },
    { "empty values", "A=\nB=''\nC=\"\"\nD=1", { A = "", B = "", C = "", D = "1" } },
    { "single quotes keep everything", [[A='x \n "y" # z']], { A = [[x \n "y" # z]] } },
    { "double quotes know escapes", [[A="x\ny\t\"z\" \\ \$H"]], { A = "x\ny\t\"z\" \\ $H" } },
    { "backticks", "A=`it's \"so\"`", { A = "it's \"so\"" } },
    { "values over several lines", "A=\"one\ntwo\"\nB=2", { A = "one\ntwo", B = "2" } },
    { "a comment after a quoted value", "A=\"1\" # one\nB=2", { A = "1", B = "2" } },
    { "a quote that is never closed", "A=\"x\nB=2", { A = "\"x", B = "2" } },
    { "carriage returns", "A=1\r\nB=2\r\n", { A = "1", B = "2" } },
    { "a byte order mark", "\xEF\xBB\xBFA=1", { A = "1" } },
    { "the last assignment wins", "A=1\nA=2", { A = "2" } },
    { "a hash as the whole value", "A=#x\nB=2", { A = "", B = "2" } },
    { "an empty value does not take the next line", "A=\nB=2", { A = "", B = "2" } },
  }

  for _, case in ipairs(cases) do
    it("reads " .. case[1], function()
      assert.same(case[3], dotenv.parse(case[2]))
    end)
  end

  it("is empty where there is no file", function()
    assert.same({}, dotenv.load("/nonexistent/.env"))
  end)
end)

describe("the configuration", function()
  local function environment(values)
    return function(name)
      return values[name]
    end
  end

  it("comes from the environment when nothing is given", function()
    local found = config.resolve(nil, environment { DB_TYPE = "sqlite", DB_DATABASE = "x.db", DB_LOGS = "true" })

    assert.equal("sqlite", found.type)
    assert.equal("x.db", found.database)
    assert.is_true(found.logs)
  end)

  it("takes DATABASE_URL before the parts", function()
    local found = config.resolve(nil, environment { DATABASE_URL = "sqlite:a.db", DB_TYPE = "postgres" })

    assert.equal("sqlite", found.type)
    assert.equal("a.db", found.database)
  end)

  it("lets explicit values win", function()
    local found = config.resolve({ type = "sqlite", database = "b.db", logs = false },
      environment { DB_TYPE = "sqlite", DB_DATABASE = "a.db", DB_LOGS = "true" })

    assert.equal("b.db", found.database)
    assert.is_false(found.logs)
  end)

  it("does not take another database's settings", function()
    local found = config.resolve({ type = "sqlite" }, environment { DB_TYPE = "postgres", DB_DATABASE = "prod" })

    assert.equal(":memory:", found.database)
  end)

  it("says which option is unknown and which was meant", function()
    local err = databases.error_of(config.resolve, { type = "sqlite", databse = "x" })

    assert.equal("UNKNOWN_OPTION", err.code)
    assert.matches("databse", err.message, 1, true)
    assert.matches("database", err.message, 1, true)
  end)

  it("never shows a password", function()
    local err = databases.error_of(hysteria.sql.connectToSecondarySource, "nosuch://u:geheim@h/d")

    assert.is_nil(tostring(err):find("geheim", 1, true))
    assert.is_nil(config.details(config.resolve("postgres://u:geheim@h/d")).password)
  end)

  it("refuses a port that is none", function()
    assert.equal("INVALID_CONFIG", databases.error_of(config.resolve, { type = "sqlite", port = 99999 }).code)
  end)
end)
