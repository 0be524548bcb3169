-- autoCreate and autoUpdate of date columns: every kind, every form of reading, every set of
-- options, every way to write. The rules stand in one table.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql

-- What the functions of columns give, what is given by hand, and what stood there before.
local VALUES = {
  date = { C = "2001-02-03", U = "2004-02-29", given = "1999-12-31", again = "9999-12-31" },
  time = { C = "01:02:03.000004", U = "23:59:59.999999", given = "00:00:00", again = "12:00:00.100000" },
  moment = {
    C = "2001-02-03 04:05:06.000007", U = "2004-02-29 23:59:59.999999", given = "1999-12-31 23:59:59.000001",
    again = "2030-01-01 00:00:00",
  },
}
local KINDS = { date = VALUES.date, time = VALUES.time, datetime = VALUES.moment, timestamp = VALUES.moment }

-- Options; what an insert without a value stores; what an update without a value makes of it.
-- C, U: the functions' values; now: this moment; NULL; same: untouched.
local RULES = {
  { name = "none", insert = "NULL", update = "same" },
  { name = "off", create = false, update_on = false, insert = "NULL", update = "same" },
  { name = "created", create = true, insert = "now", update = "same" },
  { name = "updated", update_on = true, insert = "now", update = "now" },
  { name = "both", create = true, update_on = true, insert = "now", update = "now" },
  { name = "createFn", create = "C", insert = "C", update = "same" },
  { name = "updateFn", update_on = "U", insert = "U", update = "U" },
  { name = "bothFn", create = "C", update_on = "U", insert = "C", update = "U" },
  { name = "mixed", create = "C", update_on = true, insert = "C", update = "now" },
  { name = "mixedFn", create = true, update_on = "U", insert = "now", update = "U" },
  { name = "noCreate", create = false, update_on = true, insert = "now", update = "now" },
}

local FORMS = { text = {}, string = { as = "string" }, epoch = { as = "epoch" }, table = { as = "table" } }

local function option(value, values)
  if type(value) == "string" then
    return function() return values[value] end
  end
  return value
end

local function define(kind, form)
  local members = { hysteria.softDelete("goneAt"), id = column.increment(), note = column.integer() }
  for _, rule in ipairs(RULES) do
    members[rule.name] = column[kind] {
      as = FORMS[form].as,
      autoCreate = option(rule.create, KINDS[kind]),
      autoUpdate = option(rule.update_on, KINDS[kind]),
    }
  end
  return model(("DateCase%s%s"):format(kind, form))(members)
end

-- What was read, in any form, as text: by os.date, not by the engine.
local function as_text(kind, value)
  local micros
  if type(value) == "number" then
    local seconds = math.floor(value)
    micros = math.floor((value - seconds) * 1000000 + 0.5)
    value = os.date(kind == "time" and "!%H:%M:%S" or kind == "date" and "!%Y-%m-%d" or "!%Y-%m-%d %H:%M:%S", seconds)
  elseif type(value) == "table" then
    micros = value.usec or 0
    local day = value.year and ("%04d-%02d-%02d"):format(value.year, value.month, value.day)
    local clock = value.hour and ("%02d:%02d:%02d"):format(value.hour, value.min, value.sec)
    value = kind == "date" and day or kind == "time" and clock or day .. " " .. clock
  end
  if micros and micros > 0 then
    value = value .. (".%06d"):format(micros)
  end
  return value
end

-- The part of sql.now() that a column of that kind holds.
local function clock(kind)
  local now = sql.now()
  return kind == "date" and now:sub(1, 10) or kind == "time" and now:sub(12) or now
end

local function between(value, low, high)
  if low <= high then
    return value >= low and value <= high
  end
  return value >= low or value <= high -- midnight passed
end

for kind, values in pairs(KINDS) do
  for form in pairs(FORMS) do
    databases.each(function(ds)
      local Case = define(kind, form)
      local cases = Case:using(ds)
      -- Epoch seconds are floats: a microsecond of today may be off by one in the last digit.
      local slack = form == "epoch" and kind ~= "date" and kind ~= "time"

      setup(function()
        ds:dropTables({ Case }, { ifExists = true })
        ds:createTables { Case }
      end)

      local function same(expected, value, what)
        if slack and value ~= nil then
          local seconds = as_text(kind, math.floor(value))
          assert.is_true(math.abs(value % 1 - (tonumber("0" .. (expected:match("%.%d+") or ".0")) or 0)) < 2e-6, what)
          assert.equal(expected:sub(1, 19), seconds, what)
        else
          assert.equal(expected, as_text(kind, value), what)
        end
      end

      -- expected: a word of RULES or of `values`.
      local function check(row, rule, expected, before, from, what)
        local value = row[rule.name]
        what = ("%s of %s: %s"):format(rule.name, kind, what)
        if expected == "NULL" then
          assert.is_nil(value, what)
        elseif expected == "now" then
          assert.is_not_nil(value, what)
          local text = as_text(kind, value)
          local upto = clock(kind)
          if slack then
            from, text, upto = from:sub(1, 19), text:sub(1, 19), upto:sub(1, 19)
          end
          assert.is_true(between(text, from, upto), ("%s: %s <= %s <= %s"):format(what, from, text, upto))
        elseif expected == "same" then
          assert.same(before[rule.name], value, what)
        else
          same(values[expected], value, what)
        end
      end

      local function fresh(row)
        return cases:query():withDeleted():where("id", row.id):one()
      end

      local function filled(extra)
        local row = { note = 1 }
        for _, rule in ipairs(RULES) do
          row[rule.name] = extra
        end
        return row
      end

      local inserts = {
        insert = function(row) return cases:insert(row) end,
        insertMany = function(row) return cases:insertMany({ row, { note = 0 } })[1] end,
        ["builder insert"] = function(row) return cases:query():insert(row) end,
        save = function(row) return cases:save(row) end,
      }
      -- Each writes `row` (which never is empty) to the row of `record`.
      local updates = {
        update = function(record, row) record:update(row) end,
        save = function(record, row)
          record:mergeProps(row):save()
        end,
        ["save of a row"] = function(record, row)
          row.id = record.id
          cases:save(row)
        end,
        updateRecord = function(record, row) cases:updateRecord(record.id, row) end,
        ["builder update"] = function(record, row) cases:query():where("id", record.id):update(row) end,
      }
      local touches = {
        increment = function(record) cases:query():where("id", record.id):increment("note") end,
        softDelete = function(record) record:softDelete() end,
        ["builder softDelete"] = function(record) cases:query():where("id", record.id):softDelete() end,
      }

      it(("%s read as %s: what nobody gives is filled by the rules"):format(kind, form), function()
        for way, insert in pairs(inserts) do
          local from = clock(kind)
          local row = insert { note = 1 }
          local stored = fresh(row)
          for _, rule in ipairs(RULES) do
            check(row, rule, rule.insert, nil, from, way)
            check(stored, rule, rule.insert, nil, from, way)
          end
        end
        for way, update in pairs(updates) do
          local record = cases:insert { note = 1 }
          local before, from = fresh(record), clock(kind)
          update(record, { note = 2 })
          local stored = fresh(record)
          for _, rule in ipairs(RULES) do
            check(stored, rule, rule.update, before, from, way)
          end
        end
        for way, touch in pairs(touches) do
          local record = cases:insert { note = 1 }
          local before, from = fresh(record), clock(kind)
          touch(record)
          local stored = fresh(record)
          for _, rule in ipairs(RULES) do
            check(stored, rule, rule.update, before, from, way)
          end
        end
      end)

      it(("%s read as %s: what is given wins, NULL too"):format(kind, form), function()
        for way, insert in pairs(inserts) do
          local given, null = fresh(insert(filled(values.given))), fresh(insert(filled(sql.null)))
          for _, rule in ipairs(RULES) do
            check(given, rule, "given", nil, nil, way)
            check(null, rule, "NULL", nil, nil, way)
          end
        end
        for way, update in pairs(updates) do
          if way ~= "save" then -- of a record: see below
            local record = cases:insert(filled(values.given))
            update(record, filled(values.again))
            local stored = fresh(record)
            for _, rule in ipairs(RULES) do
              check(stored, rule, "again", nil, nil, way)
            end
          end
          local record = cases:insert(filled(values.given))
          update(record, filled(sql.null))
          local stored = fresh(record)
          for _, rule in ipairs(RULES) do
            check(stored, rule, "NULL", nil, nil, way .. " of NULL")
          end
        end
      end)

      it(("%s read as %s: a record's save renews what every update sets"):format(kind, form), function()
        local record = cases:insert(filled(values.given))
        local from = clock(kind)
        cases:findOneByPrimaryKey(record.id):save()
        local stored = fresh(record)
        for _, rule in ipairs(RULES) do
          check(stored, rule, rule.update == "same" and "given" or rule.update, nil, from, "save")
        end

        local tracked = cases:query():where("id", record.id):one({ track = true })
        for _, rule in ipairs(RULES) do
          tracked[rule.name] = values.again
        end
        tracked:save()
        stored = fresh(record)
        for _, rule in ipairs(RULES) do
          check(stored, rule, "again", nil, nil, "save of a tracked record")
        end
      end)
    end)
  end
end

databases.each(function(ds)
  local Clock = model "DateClock" {
    hysteria.timestamps(),
    id = column.increment(),
    first = column.datetime { autoCreate = true },
    second = column.timestamp { autoUpdate = true },
    day = column.date { autoCreate = true },
    time = column.time { autoCreate = true },
    none = column.datetime { precision = 0, autoCreate = true },
    milli = column.datetime { precision = 3, autoCreate = true },
    short = column.time { precision = 0, autoCreate = true },
    zoned = column.datetime { timezone = true, autoCreate = true },
    nothing = column.datetime { autoCreate = function() return nil end, autoUpdate = function() return nil end },
    epoch = column.datetime { autoCreate = function() return 86400.5 end },
    parts = column.datetime { autoCreate = function() return { year = 2024, month = 2, day = 29, hour = 1 } end },
    iso = column.datetime { autoCreate = function() return "2024-02-29T12:00:00+02:00" end },
    seen = column.datetime { autoCreate = function(row) return row.first end },
  }
  local clocks = Clock:using(ds)

  setup(function()
    ds:dropTables({ Clock }, { ifExists = true })
    ds:createTables { Clock }
  end)

  it("all clocks of a row show one instant, with the digits that each has", function()
    for _ = 1, 20 do
      local row = clocks:insert {}
      local moment = row.first .. (#row.first == 19 and ".000000" or "")

      assert.equal(row.first, row.second)
      assert.equal(row.first, row.createdAt)
      assert.equal(row.first, row.updatedAt)
      assert.equal(row.first, row.zoned)
      assert.equal(moment:sub(1, 10), row.day)
      assert.equal(row.first:sub(12), row.time)
      assert.equal(moment:sub(1, 19), row.none)
      assert.equal(moment:sub(12, 19), row.short)
      local digits = moment:sub(1, 23)
      assert.equal(digits:sub(21) == "000" and digits:sub(1, 19) or digits .. "000", row.milli)
    end
  end)

  it("functions may give any form of a date, or nothing", function()
    local row = clocks:insert { first = "2020-01-01 00:00:00" }

    assert.is_nil(row.nothing)
    assert.equal("1970-01-02 00:00:00.500000", row.epoch)
    assert.equal("2024-02-29 01:00:00", row.parts)
    assert.equal("2024-02-29 10:00:00", row.iso)
    assert.equal("2020-01-01 00:00:00", row.seen)
    row:update { nothing = "2021-01-01 00:00:00" }
    row:update { first = "2021-01-01 00:00:00" }
    assert.equal("2021-01-01 00:00:00", row:refresh().nothing)
  end)

  it("timestamps() keeps createdAt and moves updatedAt on", function()
    local row = clocks:insert {}
    local created, updated = row.createdAt, row.updatedAt

    repeat until sql.now() > updated
    row:update { first = "2020-01-01 00:00:00" }
    assert.equal(created, row:refresh().createdAt)
    assert.is_true(row.updatedAt > updated)
    assert.equal(row.updatedAt, row.second)
  end)
end)
