-- Identifiers, names and times: what hysteria.* offers beside the database.
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

-- Milliseconds of the clock, asked of the operating system.
local function clock()
  return os.time() * 1000
end

local DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

-- The first ten digits of a ULID, or the first twelve of a UUID 7: milliseconds.
local function millis_of_ulid(id)
  local number = 0
  for digit in id:sub(1, 10):gmatch(".") do
    number = number * 32 + DIGITS:find(digit, 1, true) - 1
  end
  return number
end

local function millis_of_uuid(id)
  return tonumber((id:gsub("-", "")):sub(1, 12), 16)
end

describe("identifiers", function()
  local N = os.getenv("HY_SCALE") == "full" and 1000000 or 50000
  local kinds = {
    ULID = { hysteria.generateULID, millis_of_ulid, "^[0-7][0-9A-HJKMNP-TV-Z]+$", 26 },
    ["UUID 7"] = {
      function()
        return hysteria.generateUUID(7)
      end, millis_of_uuid, "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-7%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", 36,
    },
  }

  for name, kind in pairs(kinds) do
    local generate, millis_of, pattern, size = table.unpack(kind)

    it("of kind " .. name .. " sort in the order in which they are made, many in a millisecond", function()
      local before, last, together = clock(), "", 0
      for _ = 1, N do
        local id = generate()
        if id <= last then
          error(id .. " does not come after " .. last)
        end
        together = together + (last ~= "" and millis_of(id) == millis_of(last) and 1 or 0)
        last = id
      end
      assert.matches(pattern, last)
      assert.equal(size, #last)
      assert.is_true(millis_of(last) >= before)
      assert.is_true(millis_of(last) < clock() + 2000)
      assert.is_true(together > 0)
    end)
  end

  it("of version 4 are random", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = hysteria.generateUUID()
      assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$", id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
    assert.equal("4", hysteria.generateUUID(4):sub(15, 15))
    assert.equal("INVALID_ARGUMENT", error_of(hysteria.generateUUID, 5).code)
  end)

  it("of a model's keys sort as its rows were made", function()
    local Event = model "UtilEvent" { id = column.ulid { primaryKey = true }, n = column.integer() }
    local ds <close> = sql.connectToSecondarySource { type = "sqlite" }
    ds:createTables { Event }
    local rows = {}
    for n = 1, 300 do
      rows[n] = { n = n }
    end
    Event:using(ds):insertMany(rows)
    local order = Event:using(ds):query():orderBy("id"):pluck("n")
    for n = 1, 300 do
      assert.equal(n, order[n])
    end
  end)
end)

describe("encryption of a text", function()
  local function code(fn, ...)
    return error_of(fn, ...).code
  end

  it("goes both ways with the key, and no other", function()
    local key, text = hysteria.generateKey(), "caf\u{e9} \0 x"
    local stored = hysteria.encryptSymmetric(text, key)
    assert.is_nil(stored:find("caf", 1, true))
    assert.are_not.equal(stored, hysteria.encryptSymmetric(text, key))
    assert.equal(text, hysteria.decryptSymmetric(stored, key))
    assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", code(hysteria.decryptSymmetric, stored, hysteria.generateKey()))
    assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", code(hysteria.decryptSymmetric, stored:sub(1, -3), key))
    assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", code(hysteria.decryptSymmetric, "plain", key))
    local bound = hysteria.encryptSymmetric(text, key, "tokens")
    assert.equal(text, hysteria.decryptSymmetric(bound, key, "tokens"))
    assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", code(hysteria.decryptSymmetric, bound, key))
  end)

  it("goes by a key pair", function()
    local pair = hysteria.generateKeyPair()
    local stored = hysteria.encryptAsymmetric("x", pair.publicKey, "tokens")
    assert.equal("x", hysteria.decryptAsymmetric(stored, pair.privateKey, "tokens"))
    assert.equal("FAILED_TO_DECRYPT_ASYMMETRICALLY",
      code(hysteria.decryptAsymmetric, stored, hysteria.generateKeyPair().privateKey, "tokens"))
    assert.equal("FAILED_TO_DECRYPT_ASYMMETRICALLY", code(hysteria.decryptAsymmetric, stored, pair.privateKey))
  end)

  it("is the form of an encrypted column", function()
    local key = hysteria.generateKey()
    local Vault = model "UtilVault" { id = column.increment(), token = column.encrypted { key = key } }
    local ds <close> = sql.connectToSecondarySource { type = "sqlite" }
    ds:createTables { Vault }
    Vault:using(ds):insert { token = "t" }
    local stored = ds:rawQuery("select token from util_vaults")[1].token
    assert.equal("t", hysteria.decryptSymmetric(stored, key, "util_vaults.token"))
  end)

  it("needs what it needs", function()
    assert.equal("NIL_VALUE", code(hysteria.encryptSymmetric, "x"))
    assert.equal("NIL_VALUE", code(hysteria.encryptSymmetric, nil, hysteria.generateKey()))
    assert.equal("INVALID_ARGUMENT", code(hysteria.encryptSymmetric, 5, hysteria.generateKey()))
    assert.equal("NIL_VALUE", code(hysteria.encryptAsymmetric, "x"))
    assert.is_string(code(hysteria.encryptSymmetric, "x", "short"))
  end)
end)

describe("convertCase", function()
  it("converts names", function()
    local cases = {
      { "firstName", "snake", "first_name" }, { "first_name", "camel", "firstName" },
      { "first_name", "pascal", "FirstName" }, { "HTTPServer", "snake", "http_server" },
      { "firstName", "preserve", "firstName" }, { "firstName", "none", "firstName" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], hysteria.convertCase(case[1], case[2]))
    end
    assert.equal("INVALID_ARGUMENT", error_of(hysteria.convertCase, "a", "kebab").code)
    assert.equal("NIL_VALUE", error_of(hysteria.convertCase, "a").code)
    assert.equal("NIL_VALUE", error_of(hysteria.convertCase).code)
  end)
end)

describe("withPerformance", function()
  local real = core.monotonic
  after_each(function()
    rawset(core, "monotonic", real)
  end)

  -- A clock that shows these times.
  local function shows(...)
    local times, at = { ... }, 0
    rawset(core, "monotonic", function()
      at = at + 1
      return times[at]
    end)
  end

  it("tells what a function gives and how long it takes", function()
    shows(10, 10.0123456)
    assert.same({ result = 5, time = 12.346, timeString = "12.346ms" }, sql.withPerformance(function(a, b)
      return a + b
    end)(2, 3))
    shows(1, 3.5)
    assert.same({ result = "x", time = 2.5, timeString = "2.5s" }, hysteria.withPerformance(function()
      return "x"
    end, "seconds", 1)())
    shows(1, 1.002)
    assert.same({ time = 2.0, timeString = "2ms" }, hysteria.withPerformance(function() end, nil, 0)())
  end)

  it("lets errors through, and checks what it is given", function()
    assert.equal("mine", error_of(sql.withPerformance(function()
      error("mine", 0)
    end)))
    assert.equal("NIL_VALUE", error_of(sql.withPerformance).code)
    assert.equal("INVALID_ARGUMENT", error_of(sql.withPerformance, print, "hours").code)
    assert.equal("INVALID_ARGUMENT", error_of(sql.withPerformance, print, nil, 10).code)
  end)
end)
