-- Timestamps: what is canonical comes through untouched, what is a moment is made canonical, what
-- is none is an error; also as a database without such a type may hold them.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model = hysteria.column, hysteria.model
local error_of = databases.error_of

local SAME = {
  "2024-02-29 10:20:30", "2000-02-29 00:00:00", "2024-12-31 23:59:59", "2024-04-30 12:00:00", "0001-01-01 00:00:00",
  "9999-12-31 23:59:59", "2024-01-28 00:00:00", "2024-01-29 00:00:00", "2024-01-01 10:20:30.123456",
  "2024-01-31 10:20:30.000001", "2023-02-28 09:08:07.100000",
}
local MADE_CANONICAL = {
  ["2024-01-01 10:20:30.000000"] = "2024-01-01 10:20:30",
  ["2024-01-01 10:20:30.5"] = "2024-01-01 10:20:30.500000",
  ["2024-01-01T10:20:30Z"] = "2024-01-01 10:20:30",
  ["2024-01-01 10:20:30+02:00"] = "2024-01-01 08:20:30",
  ["2024-01-01 10:20"] = "2024-01-01 10:20:00",
  ["2024-01-01"] = "2024-01-01 00:00:00",
}
local NONE = {
  "2023-02-29 10:20:30", "1900-02-29 00:00:00", "2024-04-31 00:00:00", "0000-01-01 00:00:00", "2024-00-10 00:00:00",
  "2024-10-00 00:00:00", "2024-13-01 00:00:00", "2024-01-32 00:00:00", "2024-01-01 24:00:00", "2024-01-01 23:60:00",
  "2024-01-01 23:59:60", "2024-01-01 10:20:3x", "2024/01/01 10:20:30", "2024-01-01_10:20:30", "2024-01-01 10-20-30",
  "2x24-01-01 10:20:30", "2024-01-01 10:20:30,123456", "2024-01-01 10:20:30.12345x", "2023-02-29 10:20:30.123456",
  "", "yesterday", ("9"):rep(19), ("9"):rep(26),
}

local Moment = model "StoredMoment" { id = column.increment(), at = column.datetime() }

databases.each(function(ds)
  local moments = Moment:using(ds)

  before_each(function()
    ds:dropTables({ Moment }, { ifExists = true })
    ds:createTables({ Moment })
  end)

  it("gives back what is canonical as it is, by every way of reading", function()
    for _, text in ipairs(SAME) do
      local row = moments:insert { at = text }
      assert.equal(text, row.at)
      assert.equal(text, moments:findOneByPrimaryKey(row.id).at)
      assert.same({ text }, moments:where("at", text):pluck("at"))
    end
  end)

  it("makes other forms canonical when they are written", function()
    for text, expected in pairs(MADE_CANONICAL) do
      assert.equal(expected, moments:insert({ at = text }).at)
    end
  end)

  it("refuses to write what is no moment", function()
    for _, text in ipairs(NONE) do
      local err = error_of(moments.insert, moments, { at = text })
      assert.equal("DATA_INVALID", err.code, text)
    end
    assert.equal(0, moments:count())
  end)
end)

describe("timestamps that SQLite holds as text", function()
  local ds = hysteria.sql.connectToSecondarySource { type = "sqlite" }
  local moments = Moment:using(ds)

  teardown(function()
    ds:close()
  end)

  before_each(function()
    ds:dropTables({ Moment }, { ifExists = true })
    ds:createTables({ Moment })
  end)

  local function read(text)
    ds:rawQuery("DELETE FROM stored_moments")
    ds:rawQuery("INSERT INTO stored_moments (at) VALUES (?)", { text })
    return moments:query():one().at
  end

  it("are handed over where they are canonical", function()
    for _, text in ipairs(SAME) do
      assert.equal(text, read(text))
      assert.same({ text }, moments:query():pluck("at"))
    end
  end)

  it("are made canonical where they have another form", function()
    for text, expected in pairs(MADE_CANONICAL) do
      assert.equal(expected, read(text))
    end
  end)

  it("are errors where they are no moments", function()
    for _, text in ipairs(NONE) do
      local err = error_of(read, text)
      assert.equal("DATA_INVALID", err.code, text)
    end
  end)

  it("are the same text for every way to write a moment", function()
    for _, text in ipairs(SAME) do
      moments:insert { at = text }
      assert.same({ { at = text } }, ds:rawQuery("SELECT at FROM stored_moments ORDER BY id DESC LIMIT 1"))
    end
  end)
end)
