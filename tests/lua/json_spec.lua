-- JSON text as Hysteria writes and reads it; what databases make of documents is in values_spec.lua.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local json, sql = hysteria.json, hysteria.sql

describe("JSON", function()
  it("is written one way", function()
    local written = {
      { sql.jsonNull, "null" }, { sql.null, "null" }, { true, "true" }, { false, "false" }, { "", "\"\"" }, { 0, "0" },
      { math.maxinteger, "9223372036854775807" }, { math.mininteger, "-9223372036854775808" },
      { 0.0, "0.0" }, { -0.0, "-0.0" }, { 1.0, "1.0" }, { 0.1, "0.1" }, { 1e15, "1000000000000000.0" },
      { 1e17, "100000000000000000.0" }, { -1.25e20, "-125000000000000000000.0" },
      { 1e308, "1" .. ("0"):rep(308) .. ".0" }, { 1e-7, "1e-07" },
      { sql.array {}, "[]" }, { {}, "{}" }, { sql.object {}, "{}" }, { { 1, "a", sql.jsonNull }, "[1,\"a\",null]" },
      { { b = 1, a = { 2 }, [""] = true, ab = false }, "{\"\":true,\"a\":[2],\"ab\":false,\"b\":1}" },
      { "\"\\/\b\f\n\r\t\v\1\31\127é😀", "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u000B\\u0001\\u001F\127é😀\"" },
    }
    for _, row in ipairs(written) do
      assert.equal(row[2], json.encode(row[1]))
    end
  end)

  it("keeps every float, and that it is one", function()
    math.randomseed(20240229)
    for _ = 1, 5000 do
      local number = ("<d"):unpack(("<i8"):pack(math.random(0)))
      if number == number and number ~= math.huge and number ~= -math.huge then
        local text = json.encode { number }
        local again = json.decode(text)[1]
        assert.equal("float", math.type(again), text)
        assert.equal(("d"):pack(number), ("d"):pack(again), text)
      end
    end
  end)

  it("keeps integers of 64 bits and refuses wider ones", function()
    for _, number in ipairs { math.maxinteger, math.mininteger, 9007199254740993, -1 } do
      assert.equal(number, json.decode(json.encode(number)))
      assert.equal("integer", math.type(json.decode(json.encode(number))))
    end
    for _, text in ipairs { "18446744073709551615", "-9223372036854775809", "[1e400]", "{\"a\":-1e400}" } do
      assert.equal("DATA_INVALID", databases.error_of(json.decode, text).code, text)
    end
  end)

  it("refuses what is no document", function()
    for _, text in ipairs { "", " ", "[1,2", "{\"a\":1,\"a\":2}", "[1,]", "nul", "'a'", "\"\xff\"", "[1] x", "NaN",
      ("["):rep(5000) } do
      assert.equal("DATA_INVALID", databases.error_of(json.decode, text).code, text)
    end
    local cycle = {}
    cycle[1] = cycle
    for code, value in pairs {
      DATA_INVALID = { 0 / 0 }, INVALID_ARGUMENT = { [1.5] = 1 }, LIMIT_EXCEEDED = cycle,
    } do
      assert.equal(code, databases.error_of(json.encode, value).code)
    end
    assert.equal("INVALID_ARGUMENT", databases.error_of(json.encode, { 1, x = 2 }).code)
    assert.equal("DATA_INVALID", databases.error_of(json.encode, { ["a\0"] = 1 }).code)
  end)

  it("reads a NUL that another program escaped", function()
    assert.equal("a\0b", json.decode("\"a\\u0000b\""))
  end)
end)
