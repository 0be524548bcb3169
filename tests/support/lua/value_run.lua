-- Writes the cases of value_cases.lua to one database by every road there is, reads them back by
-- every road, asks the database itself what it holds, and says what came of each case.
--
--   value_run.written(ds, database, group) -> { { name =, outcome =, problems = {} }, ... }
--   value_run.stored(ds, database, group)     the same for values that other programs stored
--
-- A fourth argument says what text the database cannot keep and must refuse.
--
-- `outcome` is what docs/types.md says of the case: "exact", what it reads as, or the error.
local hysteria = require("hysteria")
local value_cases = require("tests.support.lua.value_cases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local value_run = {}

-- A field of a case or group for one database.
local function pick(field, database)
  local mt = type(field) == "table" and getmetatable(field)
  if mt and mt.__name == "by database" then
    if field[database] ~= nil then
      return field[database]
    end
    return field.other
  end
  return field
end

-- ---- comparing ----------------------------------------------------------------------------------

local function same_table(a, b, same)
  if next(a) == nil and hysteria.json.encode(a) ~= hysteria.json.encode(b) then
    return false -- an empty array is no empty object
  end
  for key, value in next, a do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in next, b do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- Bit for bit: 1 is not 1.0, 0.0 is not -0.0, "1.0" is not "1.00".
local function same(a, b)
  if math.type(a) ~= math.type(b) or type(a) ~= type(b) then
    return false
  elseif math.type(a) == "float" then
    return ("d"):pack(a) == ("d"):pack(b) or (a ~= a and b ~= b)
  elseif type(a) == "table" then
    return same_table(a, b, same)
  elseif type(a) == "userdata" then
    return tostring(a) == tostring(b)
  end
  return a == b
end

local function show(value)
  local text
  if math.type(value) == "float" then
    text = ("%.17g (float)"):format(value)
  elseif type(value) == "table" then
    local ok, encoded = pcall(hysteria.json.encode, value)
    text = ok and encoded or "a table that JSON cannot say"
  elseif type(value) == "string" then
    text = ("%q"):format(value)
  else
    text = tostring(value)
  end
  return #text > 200 and text:sub(1, 200) .. "..." or text
end

-- ---- one case -----------------------------------------------------------------------------------

local next_id = 0

local function new_id()
  next_id = next_id + 1
  return next_id
end

-- What a case is on this database, and where its problems go.
local function open_case(group, case, place)
  local database = place.database
  local made = {
    case = case, group = group, place = place, problems = {}, ids = {},
    name = case[1], value = case[2], error = pick(case.error, database), why = pick(case.why, database),
  }
  made.read = made.value
  if case.read ~= nil then
    made.read = pick(case.read, database)
  end
  if place.cannot_keep and not made.error and not case.store and place.cannot_keep(made) then
    made.error = "DATA_INVALID"
  end
  made.text = pick(case.text, database)
  if made.text == nil and math.type(made.read) == "integer" or type(made.read) == "string" and made.text == nil then
    made.text = tostring(made.read)
  end
  return made
end

local function problem(run, road, text, ...)
  run.problems[#run.problems + 1] = ("%s / %s / %s: %s"):format(run.group.name, run.name, road, text:format(...))
end

local function expect(run, road, got)
  if not same(run.read, got) then
    problem(run, road, "expected %s, got %s", show(run.read), show(got))
  end
end

-- Run a road; an error on it is a problem.
local function try(run, road, fn)
  local ok, err = pcall(fn)
  if not ok then
    problem(run, road, "%s", tostring(err))
  end
end

local function ask(run, expression, id)
  local place = run.place
  return place.ds:rawQuery(("SELECT %s AS answer FROM %s WHERE id = %d"):format(expression, place.table, id))[1].answer
end

local function ask_database(run, road, id)
  if run.text then
    local oracle = run.group.oracle
    local question = oracle[run.place.database] or oracle.other
    local held = ask(run, type(question) == "function" and question(run.read) or question, id)
    if held ~= run.text then
      problem(run, road .. ", as the database says", "expected %s, got %s", show(run.text), show(held))
    end
  end
end

local function reread(run, road, id)
  run.ids[#run.ids + 1] = id
  expect(run, road, run.place.things:findOneByPrimaryKey(id).v)
  ask_database(run, road, id)
end

local roads = {}

function roads.insert(run)
  local id = new_id()
  expect(run, "insert", run.place.things:insert({ id = id, v = run.value }).v)
  reread(run, "insert + find", id)
end

function roads.insertMany(run)
  local first, second = new_id(), new_id()
  local list = run.place.things:insertMany { { id = first, v = run.value }, { id = second, v = run.value } }
  expect(run, "insertMany", list[1].v)
  expect(run, "insertMany", list[2].v)
  reread(run, "insertMany + find", first)
  reread(run, "insertMany + find", second)
end

-- Many rows go to some databases as one array for each column; NULLs lie between.
function roads.insertMany_of_many(run)
  local rows, ids = {}, {}
  for index = 1, 12 do
    ids[index] = new_id()
    rows[index] = { id = ids[index], v = index % 3 == 0 and sql.null or run.value }
  end
  local list = run.place.things:insertMany(rows)
  local found = run.place.things:query():whereIn("id", ids):orderBy("id"):many()
  for index = 1, 12 do
    if index % 3 == 0 then
      if list[index].v ~= nil or found[index].v ~= nil then
        problem(run, "insertMany of many", "a NULL reads as %s", show(found[index].v))
      end
    else
      expect(run, "insertMany of many", list[index].v)
      expect(run, "insertMany of many + find", found[index].v)
    end
  end
  ask_database(run, "insertMany of many", ids[1])
end

function roads.update(run)
  local id = new_id()
  run.place.things:insert { id = id }
  if run.place.things:where("id", id):update { v = run.value } ~= 1 then
    problem(run, "update", "no row was updated")
  end
  reread(run, "update", id)
end

function roads.save(run)
  local id = new_id()
  local record = run.place.things:insert { id = id }
  record.v = run.value
  record:save()
  expect(run, "save", record.v)
  reread(run, "save + find", id)
end

-- A bound value of no known column. `raw` is the form that has when it is not the value itself.
function roads.raw(run)
  local value = run.value
  if run.case.raw ~= nil then
    value = run.case.raw
  elseif run.group.json then
    value = hysteria.json.encode(value)
  end
  if value == false and run.case.raw == false and run.read ~= false then
    return
  end
  local id = new_id()
  run.place.ds:rawQuery("INSERT INTO " .. run.place.table .. " (id, v) VALUES (?, ?)", { id, value })
  reread(run, "raw insert", id)
end

-- `raw_read` of a group: what the value is where no column says of what kind it is.
function roads.rawRead(run)
  local made = run.group.column
  if made.as or made.serialize then
    return
  end
  local as = run.group.raw_read and run.group.raw_read[run.place.database]
  local got, wanted = ask(run, "v", run.ids[1]), run.read
  if type(as) == "function" then
    wanted = as(wanted)
  elseif as == "other" or (as == "equal" and got == wanted) then
    return
  end
  if not same(wanted, got) then
    problem(run, "raw read", "expected %s, got %s", show(wanted), show(got))
  end
end

-- Beside a raw fragment, where the statement cannot say what all its columns are. PostgreSQL sends
-- this result as text: an interval has no binary form here.
function roads.besideRaw(run)
  local fragment = run.place.database == "postgres" and "INTERVAL '1 day' AS gap" or "1 AS gap"
  local query = run.place.things:query():select("id"):selectRaw(fragment):select("v"):where("id", run.ids[1])
  expect(run, "beside raw SQL", query:one().v)
end

function roads.pluck(run)
  expect(run, "pluck", run.place.things:where("id", run.ids[1]):pluck("v")[1])
end

local function find_equal(run)
  return run.place.things:where("v", run.value):many()
end

-- The row is found by its value, and so is no row that holds another.
function roads.equality(run)
  local found = false
  for _, row in ipairs(find_equal(run)) do
    found = found or row.id == run.ids[1]
    if not run.group.loose and not same(row.v, run.read) and row.v ~= run.read then
      problem(run, "where", "%s was found as equal", show(row.v))
    end
  end
  if not found and run.read == run.read then
    problem(run, "where", "the row is not found by its value")
  end
end

local ORDER = { "insert", "insertMany", "insertMany_of_many", "update", "save", "raw", "rawRead", "pluck", "besideRaw" }

local function keep(run)
  for _, name in ipairs(ORDER) do
    try(run, name, function() roads[name](run) end)
  end
  if run.group.equality ~= false and pick(run.case.equality, run.place.database) ~= false then
    try(run, "where", function() roads.equality(run) end)
  end
end

-- ---- refusals -----------------------------------------------------------------------------------

local function count_rows(run)
  return run.place.ds:rawQuery("SELECT count(*) AS n FROM " .. run.place.table)[1].n
end

local function expect_error(run, road, fn)
  local ok, err = pcall(fn)
  if ok then
    problem(run, road, "%s was taken without an error", show(run.value))
  elseif not hysteria.isError(err) then
    problem(run, road, "no error of ours: %s", tostring(err))
  elseif err.code ~= run.error then
    problem(run, road, "expected %s, got %s", run.error, tostring(err))
  end
end

local function refuse(run)
  local things, value = run.place.things, run.value
  local id = new_id()
  things:insert { id = id }
  local before = count_rows(run)
  expect_error(run, "insert", function() things:insert { id = new_id(), v = value } end)
  expect_error(run, "insertMany", function() things:insertMany { { id = new_id() }, { id = new_id(), v = value } } end)
  expect_error(run, "insertMany of many", function()
    local rows = {}
    for index = 1, 12 do
      rows[index] = { id = new_id(), v = index == 11 and value or sql.null }
    end
    things:insertMany(rows)
  end)
  expect_error(run, "update", function() things:where("id", id):update { v = value } end)
  if run.case.raw then
    expect_error(run, "raw insert", function()
      run.place.ds:rawQuery("INSERT INTO " .. run.place.table .. " (id, v) VALUES (?, ?)", { new_id(), run.case.raw })
    end)
  end
  if count_rows(run) ~= before or things:findOneByPrimaryKey(id).v ~= nil then
    problem(run, "refusal", "something was stored")
  end
  if run.group.equality ~= false then
    local ok, found = pcall(find_equal, run)
    if not ok and not hysteria.isError(found) then
      problem(run, "where", "no error of ours: %s", tostring(found))
    elseif ok and #found > 0 and not run.group.loose and not run.case.near then
      problem(run, "where", "a row was found by a value that it cannot hold")
    end
  end
end

-- ---- NULL, in every group -----------------------------------------------------------------------

local function null_case(run)
  local things, id = run.place.things, new_id()
  local given = things:insert { id = id, v = sql.null }
  local row = things:findOneByPrimaryKey(id)
  if given.v ~= nil or row.v ~= nil or not row:has("v") then
    problem(run, "NULL", "reads as %s", show(row.v))
  end
  if things:where("id", id):pluck("v")[1] ~= sql.null then
    problem(run, "NULL", "is not sql.null in a list")
  end
  if things:where("id", id):whereNull("v"):getCount() ~= 1 or ask(run, "v", id) ~= nil then
    problem(run, "NULL", "is not NULL in the database")
  end
  things:where("id", id):update { v = sql.null }
  if ask(run, "v", id) ~= nil then
    problem(run, "NULL", "an update does not write it")
  end
end

-- ---- stored by others ---------------------------------------------------------------------------

-- IGNORE makes MariaDB and MySQL keep zero dates and the like in spite of their strict mode.
local function put(run)
  local place, id = run.place, new_id()
  local verb = (place.database == "mariadb" or place.database == "mysql") and "INSERT IGNORE" or "INSERT"
  place.ds:rawQuery(("%s INTO %s (id, v) VALUES (%d, %s)"):format(verb, place.table, id,
    pick(run.case.store, place.database)))
  return id
end

local function stored(run)
  local id = put(run)
  local function find()
    return run.place.things:findOneByPrimaryKey(id)
  end
  if run.error then
    expect_error(run, "find", find)
  else
    expect(run, "find", find().v)
  end
end

-- ---- groups -------------------------------------------------------------------------------------

-- A value as docs/types.md shows it.
local function describe(value)
  if math.type(value) == "float" then
    local text = ("%.17g"):format(value):gsub(",", ".")
    return text:find("[.en]") and text or text .. ".0"
  elseif type(value) == "table" then
    return hysteria.json.encode(value)
  elseif type(value) == "string" then
    local text = ("%q"):format(value):sub(2, -2)
    if not utf8.len(text) then
      text = text:gsub("[\x80-\xff]", function(byte) return ("\\x%02x"):format(byte:byte()) end)
    end
    return text == "" and "the empty text" or text
  end
  return tostring(value)
end

local function is_exact(run)
  return run.case.null or (run.case.store == nil and same(run.value, run.read))
    or (type(run.value) == "userdata" and tostring(run.value) == run.read)
end

local function outcome(run)
  if run.error then
    return ("`%s`"):format(run.error)
  elseif run.why then
    return run.why
  elseif is_exact(run) then
    return "exact"
  end
  return "reads " .. describe(run.read)
end

local classes = {}

-- The model of a group: its column is called v.
local function class_of(group, prefix)
  if not classes[group] then
    local name = (prefix .. "_" .. group.name):gsub("%W+", "_"):gsub("_$", "")
    -- string.lower asks the locale, and in Turkish the small form of I is none of ASCII.
    local table_name = name:gsub("[A-Z]", function(letter) return string.char(letter:byte() + 32) end)
    classes[group] = model(name) {
      hysteria.tableName(table_name),
      id = column.integer { primaryKey = true }, v = group.column,
    }
  end
  return classes[group]
end

local function run_one(group, case, place)
  local run = open_case(group, case, place)
  local fn = case.null and null_case or case.store and stored or run.error and refuse or keep
  try(run, "case", function() fn(run) end)
  return { name = run.name, outcome = outcome(run), problems = run.problems, case = case }
end

-- Is the value text that a database of another character set cannot keep? JSON is Unicode to
-- MariaDB and MySQL, whatever the database is.
local function is_lost(run, lost)
  local group = run.group
  if group.json or group.array then
    local ok, text = pcall(hysteria.json.encode, run.value)
    return run.place.database == "postgres" and ok and lost(text)
  elseif group.text then
    local value = run.value
    if group.column.prepare and type(value) == "table" then
      value = group.column.prepare(value)
    end
    return type(value) == "string" and utf8.len(value) ~= nil and lost(value)
  end
  return false
end

-- Cases of a group on a table of its own. `lost`: text that the database cannot keep.
local function run_group(ds, database, group, cases, prefix, lost)
  local class = class_of(group, prefix)
  local place = { ds = ds, database = database, things = class:using(ds), table = class._definition.table }
  place.cannot_keep = lost and function(run) return is_lost(run, lost) end
  local results = {}
  if group.only and not group.only[database] then
    return results
  end
  ds:dropTables({ class }, { ifExists = true })
  ds:createTables { class }
  for _, case in ipairs(cases) do
    if not case.store or pick(case.store, database) then
      results[#results + 1] = run_one(group, case, place)
    end
  end
  return results
end

-- What Hysteria writes; NULL comes first in every group.
function value_run.written(ds, database, group, lost)
  return run_group(ds, database, group, { { "NULL", sql.null, null = true }, table.unpack(group) }, "Value", lost)
end

-- What others stored.
function value_run.stored(ds, database, group)
  return run_group(ds, database, group, group, "Stored")
end

value_run.groups = value_cases

return value_run
