-- insertMany of many rows: PostgreSQL gets them as arrays, MariaDB as one execution for all, the
-- others as VALUES. What is stored must be what one insert each would store.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, json, model, sql = hysteria.column, hysteria.json, hysteria.model, hysteria.sql
local error_of = databases.error_of

local MANY = 40 -- above what is written out
local FORMS = { postgres = "unnest%(", mariadb = "VALUES %([?, ]+%)$" }

databases.each(function(ds, name)
  local Kind = model "RowArraysKind" {
    id = column.increment(),
    aString = column.string(),
    aText = column.text(),
    anEnum = column.enum { "red", "green" },
    aTiny = column.tinyint(),
    aSmall = column.smallint(),
    aMedium = column.mediumint(),
    anInteger = column.integer(),
    aBig = column.bigInteger(),
    aBoolean = column.boolean(),
    aFloat = column.float(),
    aDouble = column.double(),
    aDecimal = column.decimal { precision = 30, scale = 10 },
    aUuid = column.uuid(),
    aBinary = column.binary(),
    aDate = column.date(),
    aTime = column.time(),
    aMoment = column.datetime(),
    aTimestamp = column.timestamp(),
    aJson = column.json(),
    aJsonb = column.jsonb(),
  }
  -- Without an enum, whose type on PostgreSQL only the column knows, all of it can be arrays.
  local Plain = model "RowArraysPlain" {
    id = column.increment(),
    code = column.string { unique = true },
    count = column.integer { default = 7 },
    price = column.decimal { precision = 12, scale = 2 },
    soldAt = column.timestamp(),
    tags = column.json(),
  }
  local all = { Kind, Plain }
  local kinds, plain = Kind:using(ds), Plain:using(ds)
  local none = { returning = false }

  before_each(function()
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
  end)

  local function names_of(row)
    local list = {}
    for key in pairs(row) do
      list[#list + 1] = key
    end
    table.sort(list)
    return list
  end

  -- Rows of every kind, with edges; every value is NULL in some row, and the first one is all NULL.
  local function rows_of_kinds()
    local rows = {}
    for index = 1, MANY do
      local sign = index % 2 == 0 and 1 or -1
      rows[index] = {
        aString = "s\"'\\{},é" .. index, aText = index % 5 == 0 and "" or ("t"):rep(index * 50),
        aTiny = sign * (index + 80), aSmall = sign * 32000, aMedium = sign * 8000000, anInteger = sign * 2147483000,
        aBig = sign * 9223372036854775000, aBoolean = sign == 1, aFloat = sign * index / 4, aDouble = sign / index,
        aDecimal = sql.decimal((sign == 1 and "" or "-") .. "12345678901234567890.0123456789"),
        aUuid = ("%08x-0000-4000-8000-00000000000f"):format(index), aBinary = sql.binary("\0\xff\\'" .. index),
        aDate = sign == 1 and "9999-12-31" or "1970-01-01", aTime = ("%02d:59:59.000001"):format(index % 24),
        aMoment = sign == 1 and "9999-12-31 23:59:59.999999" or "1000-01-01 00:00:00",
        aTimestamp = ("2024-02-%02d 23:59:59.5"):format(1 + index % 29),
        aJson = { a = { index, "\"\\", sql.jsonNull } }, aJsonb = index % 2 == 0 and "text" or { index },
      }
      for place, key in ipairs(names_of(rows[index])) do
        if index == 1 or (index + place) % 7 == 0 then
          rows[index][key] = sql.null
        end
      end
    end
    return rows
  end

  local function as_text(records)
    local list = {}
    for index, record in ipairs(records) do
      local fields = {}
      for place, key in ipairs(names_of(record)) do
        local value = record[key]
        fields[place] = key .. "=" .. (type(value) == "table" and json.encode(value) or tostring(value))
      end
      fields[#fields] = nil -- the key, `id`, is the last of them
      list[index] = table.concat(fields, "\n")
    end
    return list
  end

  local function texts_of(fn)
    local seen, list = databases.watch(ds), {}
    fn()
    for _, event in ipairs(seen.stop()) do
      list[#list + 1] = event.sql
    end
    return list
  end

  it("stores every kind of value, and NULLs among them, as one insert each does", function()
    local rows = rows_of_kinds()
    for _, row in ipairs(rows) do
      kinds:insert(row)
    end
    local one_by_one = as_text(kinds:query():orderBy("id"):many())
    kinds:query():allRows():delete()

    local texts = texts_of(function()
      assert.equal(MANY, kinds:insertMany(rows, none))
    end)

    assert.same(one_by_one, as_text(kinds:query():orderBy("id"):many()))
    if FORMS[name] then
      assert.equal(1, #texts)
      assert.truthy(texts[1]:find(FORMS[name]))
    end
    kinds:query():allRows():delete()
    assert.same(one_by_one, as_text(kinds:insertMany(rows)))
  end)

  it("writes out what only the column's own type can take", function()
    local rows = {}
    for index = 1, MANY do
      rows[index] = { anEnum = index % 2 == 0 and "red" or "green", anInteger = index }
    end

    kinds:insertMany(rows, none)

    for index, record in ipairs(kinds:query():orderBy("id"):many()) do
      assert.equal(rows[index].anEnum, record.anEnum)
      assert.equal(index, record.anInteger)
    end
  end)

  it("gives records back in the order of the rows", function()
    local rows = {}
    for index = 1, 2345 do
      rows[index] = { code = "c" .. (index * 7919 % 2345), count = index }
    end

    local records = plain:insertMany(rows)

    assert.equal(2345, #records)
    for index, record in ipairs(records) do
      assert.equal(rows[index].code, record.code)
      assert.equal(index, record.count)
      assert.is_true(index == 1 or record.id > records[index - 1].id)
    end
  end)

  it("keeps the database's default where a row has no value", function()
    local rows = {}
    for index = 1, MANY do
      rows[index] = { code = "c" .. index, count = index ~= 20 and index or nil }
    end

    plain:insertMany(rows, none)

    local counts = plain:query():orderBy("id"):pluck("count")
    assert.equal(19, counts[19])
    assert.equal(7, counts[20])
    assert.equal(21, counts[21])
  end)

  it("stores all rows or none", function()
    local rows = {}
    for index = 1, MANY do
      rows[index] = { code = "c" .. index % (MANY - 1) }
    end
    local function fails()
      assert.equal("UNIQUE_VIOLATION", error_of(function()
        plain:insertMany(rows, none)
      end).code)
    end

    fails()
    assert.equal(0, plain:count())
    ds:transaction(function()
      plain:insert { code = "before" }
      fails()
      plain:insert { code = "after" }
    end)
    assert.same({ "after", "before" }, plain:query():orderBy("code"):pluck("code"))
    rows[MANY].code = "other"
    assert.equal(MANY, plain:insertMany(rows, none))
  end)

  it("needs no transaction of its own for rows that fit into one statement", function()
    local rows = {}
    for index = 1, 100 do
      rows[index] = { code = "c" .. index }
    end

    assert.equal(1, #texts_of(function()
      plain:insertMany(rows, none)
    end))
  end)

  it("divides rows whose texts are long", function()
    local rows, long = {}, ("x"):rep(300000)
    for index = 1, 20 do
      rows[index] = { aText = long .. index }
    end
    local texts = texts_of(function()
      assert.equal(20, kinds:insertMany(rows, none))
    end)

    assert.is_true(#texts >= 5)
    local found = kinds:query():orderBy("id"):pluck("aText")
    for index = 1, 20 do
      assert.equal(long .. index, found[index])
    end
  end)

  it("says which value cannot be stored", function()
    local rows = {}
    for index = 1, MANY do
      rows[index] = { price = sql.decimal("1.50") }
    end
    rows[30].price = sql.decimal("12345678901234567890.00")
    local function fails(code)
      assert.equal(code, error_of(function()
        plain:insertMany(rows, none)
      end).code)
      assert.equal(0, plain:count())
    end

    if name ~= "sqlite" then -- which has no such limit
      fails("DATA_INVALID")
    end
    rows[30].price = "a lot"
    fails("DATA_INVALID")
    rows[30].price = true
    fails("DATA_INVALID")
  end)
end)
