-- Runs the value cases in a process of its own: locale and time zone belong to a process. Settings
-- come by environment: HY_VALUES_DATABASE and _URL say where, _LOCALE is set before anything
-- else, _CHARSET is what the database can keep. Prints problems and, last, "cases N problems M lost L":
-- so many texts the database could not keep.
local function need(name)
  return assert(os.getenv("HY_VALUES_" .. name), "HY_VALUES_" .. name .. " is not set")
end

local locale = need("LOCALE")
assert(os.setlocale(locale), "no locale " .. locale)
if locale:find("^%a%a_") then
  assert(("%.1f"):format(1.5) == "1,5", "a locale without a comma tests nothing")
end
if os.getenv("TZ") then
  assert(os.date("%H:%M", 0) ~= os.date("!%H:%M", 0), "TZ is UTC and tests nothing")
end

local hysteria = require("hysteria")
local value_run = require("tests.support.lua.value_run")

local database = need("DATABASE")
local url = os.getenv("HY_VALUES_URL")
local ds <close> = hysteria.sql.connectToSecondarySource(
  url and { url = url } or { type = "sqlite", database = ":memory:" })

-- Can the database keep this text? Asked of the server, or known by the code points.
local ASK = "SELECT convert(convert(CAST(? AS CHAR CHARACTER SET utf8mb4) USING %s) USING utf8mb4) AS back"
local charset = os.getenv("HY_VALUES_CHARSET")
local cannot_keep

if charset and database == "postgres" then
  cannot_keep = function(text)
    for _, code in utf8.codes(text) do
      if code > 0xff then
        return true
      end
    end
    return false
  end
elseif charset then
  cannot_keep = function(text)
    return ds:rawQuery(ASK:format(charset), { text })[1].back ~= text
  end
end

local cases, problems, lost = 0, 0, 0
local function counted(text)
  local is_lost = cannot_keep(text)
  lost = lost + (is_lost and 1 or 0)
  return is_lost
end

for _, part in ipairs { "written", "stored" } do
  for _, group in ipairs(value_run.groups[part]) do
    if not (cannot_keep and group.utf8_only) then
      for _, result in ipairs(value_run[part](ds, database, group, cannot_keep and counted)) do
        cases = cases + 1
        for _, problem in ipairs(result.problems) do
          problems = problems + 1
          print(problem)
        end
      end
    end
  end
end

-- The clock is UTC whatever the process thinks. os.time() may be a tick behind it.
local TIME <const> = "!%Y-%m-%d %H:%M:%S"
local before, now, after = os.date(TIME), hysteria.sql.now(), os.date(TIME, os.time() + 1)
if now:sub(1, 19) < before or now:sub(1, 19) > after then
  problems = problems + 1
  print(("sql.now() is %s, UTC is %s to %s"):format(now, before, after))
end
-- A cursor goes to other processes, which may have another decimal point; validators and logs write
-- numbers, and words in capitals and regular expressions know letters.
do
  local column = hysteria.column
  local Placed = hysteria.model "ChildPlaced" { id = column.increment(), ratio = column.double() }
  local rows = Placed:using(ds)
  ds:dropTables({ Placed }, { ifExists = true })
  ds:createTables { Placed }
  rows:insertMany { { ratio = 0.1 }, { ratio = 0.25 }, { ratio = 0.5 } }
  local cursor = rows:query():orderBy("ratio"):paginateWithCursor(2).paginationMetadata.nextCursor
  local Word = hysteria.model "ChildWord" { id = column.increment(), word = column.string { length = 9 } }
  ds:dropTables({ Word }, { ifExists = true })
  ds:createTables { Word }
  Word:using(ds):insertMany { { word = "I" } }
  if Word:using(ds):query():whereRegexp("word", "^i$", { flags = "i" }):count() ~= 1 then
    problems = problems + 1
    print("a regular expression goes by the letters of " .. locale)
  end
  local named, actions = pcall(function()
    return hysteria.belongsTo("ChildWord", { foreignKey = "wordId", onDelete = "RESTRICT", onUpdate = "NO ACTION" })
  end)
  local told
  local logging <close> = hysteria.sql.connectToSecondarySource {
    type = "sqlite", database = ":memory:",
    logs = { logParams = true, customLogger = { info = function(line) told = line end } },
  }
  logging:createTables { Placed }
  local least = Placed:using(logging):query():annotate("MIN", "ratio", "least"):where("ratio", 0.5)
  local annotated, why = pcall(least.many, least)
  if not (named and annotated and told:find("[0.5]", 1, true)) then
    problems = problems + 1
    print(("words and numbers in %s: %s %s %s"):format(locale, actions, why, told))
  end
  local fine, minimum, message = pcall(function() return hysteria.validators.min(0.5)(0.25) end)
  assert(os.setlocale("C"))
  local read, page = pcall(function() return rows:query():orderBy("ratio"):paginateWithCursor(2, cursor) end)
  if not read or #page.data ~= 1 or page.data[1].ratio ~= 0.5 then
    problems = problems + 1
    print("a cursor of " .. locale .. " is not read elsewhere: " .. tostring(page))
  end
  if not fine or minimum ~= false or message ~= "Minimum value is 0.5" then
    problems = problems + 1
    print(("validators.min(0.5) in %s: %s %s"):format(locale, minimum, message))
  end
end
print(("cases %d problems %d lost %d"):format(cases, problems, lost))
