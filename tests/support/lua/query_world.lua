-- Two tables with the same rows on every database, for specs that compare answers: whole numbers,
-- decimals, floats, text, booleans, dates, NULL in all of them. Text compares by code points: the
-- collations are declared, because each database's default is another one.
local hysteria = require("hysteria")
local documents = require("tests.support.lua.query_documents")
local random = require("tests.support.lua.random")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local query_world = {}

local TEXTS = {
  "", "a", "A", "b", "B", "ab", "aB", "abc", "a%", "a_b", "a\\b", "100%", "10", "9", "Zz", "zz", "it's", " a", "a ",
  "名",
  "ab\nc", "\"q\"", "?",
}
local DECIMALS = { "0", "0.10", "-0.10", "1.00", "1.50", "2.25", "-3.75", "10.00", "9.99", "100.01", "1234567.89" }
local FLOATS = { 0.0, 0.5, -0.5, 1.25, 2.0, -3.5, 1024.0, 0.125, 1e10 }
local DAYS = { "1999-12-31", "2000-01-01", "2000-02-29", "2023-06-15", "2024-02-29", "2024-03-01", "1969-07-20" }
local MOMENTS = {
  "1999-12-31 23:59:59", "2000-01-01 00:00:00", "2000-01-01 00:00:00.000001", "2024-02-29 12:30:00.5",
  "2024-02-29 12:30:00", "1969-07-20 20:17:40",
}
local BIG = { 0, 1, -1, 9007199254740993, -9007199254740993, 4611686018427387904, 2147483648 }

query_world.A, query_world.B = "diff_a", "diff_b"
query_world.texts, query_world.decimals, query_world.floats = TEXTS, DECIMALS, FLOATS
query_world.days, query_world.moments, query_world.big = DAYS, MOMENTS, BIG

-- What the columns hold: property -> kind. Order matters to the generator.
query_world.columns = {
  diff_a = {
    { "id", "int" }, { "i", "int" }, { "j", "int" }, { "big", "big" }, { "d", "decimal" }, { "x", "float" }, { "t",
      "text" },
    { "u", "text" }, { "flag", "boolean" }, { "day", "date" }, { "moment", "datetime" },
    { "doc", "json" },
  },
  diff_b = {
    { "id", "int" }, { "aId", "int" }, { "i", "int" }, { "d", "decimal" }, { "t", "text" }, { "flag", "boolean" },
    { "day", "date" }, { "doc", "json" },
  },
}

function query_world.models()
  local A = model "DiffA" {
    hysteria.tableName("diff_a"),
    id = column.integer { primaryKey = true },
    i = column.integer(),
    j = column.integer(),
    big = column.bigInteger(),
    d = column.decimal { precision = 12, scale = 2 },
    x = column.double(),
    t = column.string { length = 40 },
    u = column.string { length = 40 },
    flag = column.boolean(),
    day = column.date(),
    moment = column.datetime(),
    doc = column.json(),
  }
  local B = model "DiffB" {
    hysteria.tableName("diff_b"),
    id = column.integer { primaryKey = true },
    aId = column.integer(),
    i = column.integer(),
    d = column.decimal { precision = 12, scale = 2 },
    t = column.string { length = 40 },
    flag = column.boolean(),
    day = column.date(),
    doc = column.json(),
  }
  return A, B
end

local function maybe(r, value)
  if r:chance(5) then
    return nil
  end
  return value
end

local function rows(seed)
  local r = random.new(seed)
  local a, b = {}, {}
  for id = 1, 40 do
    a[id] = {
      id = id, i = maybe(r, r:int(-3, 12)), j = maybe(r, r:int(0, 4)), big = maybe(r, r:pick(BIG)),
      d = maybe(r, sql.decimal(r:pick(DECIMALS))), x = maybe(r, r:pick(FLOATS)), t = maybe(r, r:pick(TEXTS)),
      u = maybe(r, r:pick(TEXTS)), flag = maybe(r, r:chance(2)), day = maybe(r, r:pick(DAYS)),
      moment = maybe(r, r:pick(MOMENTS)), doc = maybe(r, documents.pick(r)),
    }
  end
  for id = 1, 30 do
    b[id] = {
      id = id, aId = maybe(r, r:int(45)), i = maybe(r, r:int(-3, 12)), d = maybe(r, sql.decimal(r:pick(DECIMALS))),
      t = maybe(r, r:pick(TEXTS)), flag = maybe(r, r:chance(2)), day = maybe(r, r:pick(DAYS)),
      doc = maybe(r, documents.pick(r)),
    }
  end
  return a, b
end

-- By code points, and trailing spaces count.
local COLLATION = {
  mysql = "ALTER TABLE %s CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
  mariadb = "ALTER TABLE %s CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
}
local TEXT_COLUMNS = { diff_a = { "t", "u" }, diff_b = { "t" } }

local function declare_collations(ds)
  local name = ds:getDbType()
  for table_name, columns in next, TEXT_COLUMNS do
    if COLLATION[name] then
      ds:rawQuery(COLLATION[name]:format(table_name))
    elseif name ~= "sqlite" then
      for _, text_column in ipairs(columns) do
        ds:rawQuery(("ALTER TABLE %s ALTER COLUMN %s TYPE varchar(40) COLLATE \"C\""):format(table_name, text_column))
      end
    end
  end
end

-- The tables on one source, filled: { ds, A, B }.
function query_world.make(ds, seed)
  local A, B = query_world.models()
  ds:dropTables({ A, B }, { ifExists = true })
  ds:createTables { A, B }
  declare_collations(ds)
  local a, b = rows(seed)
  local w = { ds = ds, name = ds:getDbType(), A = A:using(ds), B = B:using(ds) }
  w.A:insertMany(a)
  w.B:insertMany(b)
  return w
end

function query_world.drop(w)
  w.ds:dropTables({ w.A, w.B }, { ifExists = true })
end

-- A value as text that is the same for equal values: 1, 1.0 and the decimal 1.00 are equal. Of an
-- average (kind "average") the databases keep different numbers of places, MySQL four: rounded to one.
function query_world.shown(value, kind)
  if value == nil or value == sql.null then
    return "NULL"
  elseif documents.is_kind(kind) then
    return documents.shown(value, kind, query_world.shown)
  elseif type(value) == "boolean" or type(value) == "string" then
    return ("%q"):format(value)
  elseif kind == "average" then
    return ("%.1f"):format(tonumber(tostring(value)))
  elseif math.type(value) == "float" then
    return math.tointeger(value) and tostring(math.tointeger(value)) or ("%.9g"):format(value)
  end
  local text = tostring(value)
  if text:find("^-?%d+%.%d*$") then
    text = text:gsub("0+$", ""):gsub("%.$", "")
  end
  return text == "-0" and "0" or text
end

return query_world
