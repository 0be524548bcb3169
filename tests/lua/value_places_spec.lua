-- Values in other places than a plain column of a plain write: in a CASE or a COALESCE that is
-- stored or compared with, and in a record that is saved again.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  describe("a record whose columns are read in forms of their own", function()
    local Formed = model "PlaceFormed" {
      id = column.increment(), n = column.integer(),
      ratio = column.decimal { precision = 10, scale = 3, as = "number" },
      long = column.decimal { precision = 30, scale = 3, as = "number" },
      price = column.decimal { precision = 30, scale = 3, as = "string" },
      at = column.datetime { as = "epoch" }, clock = column.time { as = "epoch" }, day = column.date { as = "table" },
    }
    local rows = Formed:using(ds)

    before_each(function()
      ds:dropTables({ Formed }, { ifExists = true })
      ds:createTables { Formed }
      rows:insert {
        ratio = sql.decimal("0.125"), price = "12345678901234567.125", at = 1.25, clock = "12:30:00.5",
        day = "2024-02-29",
      }
    end)

    local function stored()
      local row = ds:query("place_formeds"):first()
      return table.concat({ tostring(row.ratio), tostring(row.price), row.at, row.clock, row.day }, " ")
    end

    it("is saved as it was", function()
      local before = stored()
      local record = rows:findOneByPrimaryKey(1)
      record.n = 5
      record:save()
      assert.equal(before, stored())
      assert.equal(5, rows:findOneByPrimaryKey(1).n)
    end)

    it("takes back a float that was calculated with", function()
      local record = rows:findOneByPrimaryKey(1)
      record.ratio = record.ratio * 3
      record:save()
      assert.equal(0.375, rows:findOneByPrimaryKey(1).ratio)
      rows:upsert({ id = 1 }, { ratio = -0.1 })
      assert.equal(-0.1, rows:findOneByPrimaryKey(1).ratio)
      rows:updateMany { { id = 1, ratio = 9999999.999 } }
      assert.equal("9999999.999", tostring(ds:query("place_formeds"):first().ratio))
      assert.equal(1, rows:where("ratio", sql.decimal("9999999.999")):count())
    end)

    it("does not round it", function()
      local record = rows:findOneByPrimaryKey(1)
      record.ratio = 0.1 + 0.2
      local err = error_of(record.save, record)
      assert.equal("DATA_INVALID", err.code)
      assert.matches("round it", err.message, 1, true)
      assert.equal("DATA_INVALID", error_of(record.update, record, { ratio = 0 / 0 }).code)
      assert.equal(0.125, rows:findOneByPrimaryKey(1).ratio)
    end)

    it("takes no float where a float may lose digits", function()
      rows:where("id", 1):update { long = "123456789012345678.125" }
      local record = rows:findOneByPrimaryKey(1)
      assert.equal("float", math.type(record.long))
      record.n = 6
      record:save()
      record.long = 0.5
      local err = error_of(record.save, record)
      assert.equal("DATA_INVALID", err.code)
      assert.matches("column 'long'", err.message, 1, true)
      assert.equal("123456789012345678.125", tostring(ds:query("place_formeds"):first().long))
    end)
  end)

  describe("a value inside of an expression", function()
    local UUID = "6f1f9a3e-8a55-4c0c-9c42-6f2b1c3d4e5f"
    -- column, what is written, what that reads as, what it does not take
    local FORMS = {
      day = { column.date(), 951782400, "2000-02-29", "2023-02-29" },
      at = { column.datetime(), "2024-02-29T12:30:45+05:30", "2024-02-29 07:00:45", "now" },
      epoch = { column.datetime { as = "epoch" }, 0, 0, "x" },
      moment = { column.timestamp(), { year = 2024, month = 2, day = 29, usec = 7 }, "2024-02-29 00:00:00.000007", "" },
      clock = { column.time(), 3600.5, "01:00:00.500000", "noon" },
      price = { column.decimal { precision = 30, scale = 2 }, "1234567890123456789.5",
        "1234567890123456789.50", "0.125" },
      ratio = { column.decimal { precision = 10, scale = 3, as = "number" }, 0.1, 0.1, 0.0001 },
      whole = { column.integer(), 3.0, 3, 1.5 },
      flag = { column.boolean(), 1, true, 2 },
      name = { column.string { length = 5 }, "O'\\\"", "O'\\\"", "longer than five" },
      state = { column.enum { "new", "it's" }, "it's", "it's", "IT'S" },
      token = { column.uuid { generate = false }, UUID:upper(), UUID, "x" },
      bytes = { column.varbinary { length = 8 }, "\0\255'", "\0\255'", ("x"):rep(9) },
      document = { column.json(), { a = 9007199254740993, b = "it's" }, { a = 9007199254740993, b = "it's" }, 0 / 0 },
      said = { column.json(), "text", "text", 1 / 0 },
    }
    local members, names = { id = column.integer { primaryKey = true }, k = column.integer { unique = true } }, {}
    for name, form in pairs(FORMS) do
      members[name] = form[1]
      names[#names + 1] = name
    end
    local Placed = model "PlaceValue" (members)
    local rows = Placed:using(ds)

    before_each(function()
      ds:dropTables({ Placed }, { ifExists = true })
      ds:createTables { Placed }
      rows:insertMany { { id = 1, k = 1 }, { id = 2, k = 2 } }
    end)

    local function expect_stored(id, name, road)
      local got, expected = rows:findOneByPrimaryKey(id)[name], FORMS[name][3]
      if type(expected) == "table" then
        got, expected = hysteria.json.encode(got), hysteria.json.encode(expected)
      elseif type(got) == "userdata" then
        got = tostring(got)
      end
      assert.equal(expected, got, road .. " of " .. name)
    end

    -- The value in each branch of a CASE, and behind a NULL.
    local function expressions(value)
      return {
        when = sql.case({ { { id = sql.op.gt(0) }, value } }),
        otherwise = sql.case({ { { id = 99 }, sql.null } }, value),
        inner = sql.case({ { { id = 99 }, sql.null } }, sql.case({ { { k = sql.op.gt(0) }, value } }, sql.null)),
      }
    end

    it("is stored as the column stores it", function()
      for _, name in ipairs(names) do
        local value = FORMS[name][2]
        for road, expression in pairs(expressions(value)) do
          rows:where("id", 1):update { [name] = sql.null }
          assert.equal(1, rows:where("id", 1):update { [name] = expression }, name)
          expect_stored(1, name, road)
        end
        rows:where("id", 1):update { [name] = sql.null }
        rows:where("id", 1):update { [name] = sql.func("coalesce", sql.col(name), value) }
        expect_stored(1, name, "coalesce")
        rows:updateMany { { id = 1, [name] = sql.null }, { id = 2, [name] = expressions(value).when } }
        expect_stored(2, name, "updateMany")
      end
    end)

    it("is refused where the column would refuse it, and nothing is stored", function()
      for _, name in ipairs(names) do
        for road, expression in pairs(expressions(FORMS[name][4])) do
          local query = rows:where("id", 1)
          local ok, err = pcall(query.update, query, { [name] = expression })
          assert.is_false(ok, road .. " of " .. name .. " was stored")
          assert.equal("DATA_INVALID", err.code, road .. " of " .. name)
          assert.is_nil(rows:findOneByPrimaryKey(1)[name], road .. " of " .. name)
        end
      end
    end)

    it("is compared as the column compares", function()
      for _, name in ipairs(names) do
        if FORMS[name][1].kind ~= "json" then
          local value = FORMS[name][2]
          rows:where("id", 1):update { [name] = value }
          for road, expression in pairs(expressions(value)) do
            assert.same({ 1 }, rows:where(name, expression):pluck("id"), road .. " of " .. name)
          end
          assert.same({ 1 }, rows:where(name, sql.func("coalesce", sql.col(name), value)):pluck("id"), name)
        end
      end
    end)
  end)

  -- MariaDB's own strict mode lets a zero date pass: then a plain table could hold what no model can read.
  if ds:getDbType() ~= "sqlite" then
    it("that is a zero date is refused on every road, and a division by zero is no value", function()
      ds:rawQuery("DROP TABLE IF EXISTS place_days")
      ds:rawQuery("CREATE TABLE place_days (id INTEGER PRIMARY KEY, at "
        .. (ds:getDbType() == "postgres" and "TIMESTAMP" or "DATETIME") .. ", day DATE, n INTEGER)")
      local days = ds:query("place_days")
      local roads = {
        function() ds:rawQuery("INSERT INTO place_days (id, day) VALUES (1, '0000-00-00')") end,
        function() ds:rawQuery("INSERT INTO place_days (id, day) VALUES (1, ?)", { "2024-00-10" }) end,
        function() days:insert { id = 1, at = "0000-00-00 00:00:00" } end,
        function() days:insertMany { { id = 1, day = "0000-00-00" }, { id = 2, day = "2024-02-00" } } end,
        function() ds:rawQuery("INSERT INTO place_days (id, n) VALUES (1, 1 / 0)") end,
      }
      for _, road in ipairs(roads) do
        assert.equal("DATA_INVALID", error_of(road).code)
      end
      assert.is_true(hysteria.isError(error_of(days.insert, days, { id = 1, at = 0 })))
      assert.equal(0, days:count())
      ds:rawQuery("DROP TABLE place_days")
    end)
  end

  it("that is text is matched by its characters, however many bytes they have", function()
    local Word = model "PlaceWord" { id = column.integer { primaryKey = true }, word = column.string { length = 20 } }
    local words = Word:using(ds)
    ds:dropTables({ Word }, { ifExists = true })
    ds:createTables { Word }
    words:insertMany {
      { id = 1, word = "\u{e9}" }, { id = 2, word = "\u{1F600}" }, { id = 3, word = "ab" }, { id = 4, word = "I" },
    }
    local function matching(pattern, flags)
      return words:query():whereRegexp("word", pattern, { flags = flags }):orderBy("id"):pluck("id")
    end
    assert.same({ 1, 2, 4 }, matching("^.$"))
    if ds:getDbType() == "sqlite" then -- better than a range of bytes
      assert.equal("DATA_INVALID", error_of(matching, "^[\u{e0}-\u{ff}]$").code)
    else
      assert.same({ 1 }, matching("^[\u{e0}-\u{ff}]$"))
    end
    assert.same({ 2 }, matching("^[^a-zA-Z\u{e9}]$"))
    assert.same({ 1, 3 }, matching("^(\u{e9}|a.)$"))
    assert.same({ 4 }, matching("^i$", "i"))
  end)
end)
