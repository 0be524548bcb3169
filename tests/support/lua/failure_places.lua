-- Where an error cannot occur, and why: what is not said here is provoked by failures_spec.lua, on
-- every database. Makes the tables of docs/errors.md between `<!-- NAME -->` and `<!-- end -->`.
local core = require("hysteria.core")

local places = { DATABASES = { "sqlite", "postgres", "mariadb", "mysql" } }

local ALL = places.DATABASES
local HEAD = " | SQLite | PostgreSQL | MariaDB | MySQL |"

local NO_SERVER = "there is no server"
local ONE_WRITER = "a transaction that writes has the only lock from its beginning, and one that reads never writes"

-- { code, databases, why }
local NOWHERE = {
  { "EXCLUSION_VIOLATION", { "sqlite", "mariadb", "mysql" }, "only PostgreSQL has exclusion constraints" },
  { "AUTHENTICATION_FAILED", { "sqlite" }, "a file has no users" },
  { "CONNECT_TIMEOUT", { "sqlite" }, NO_SERVER },
  { "CONNECTION_LOST", { "sqlite" }, NO_SERVER },
  { "OUTCOME_UNKNOWN", { "sqlite" }, "a commit has its answer when it returns" },
  { "TLS_REFUSED", { "sqlite" }, NO_SERVER },
  { "DEADLOCK", { "sqlite" }, ONE_WRITER },
  { "SERIALIZATION_FAILURE", { "sqlite" }, ONE_WRITER },
}

-- code -> database -> why
places.nowhere = {}
for _, row in ipairs(NOWHERE) do
  local reasons = {}
  for _, database in ipairs(row[2]) do
    reasons[database] = row[3]
  end
  places.nowhere[row[1]] = reasons
end

-- ---- the tables -------------------------------------------------------------------------------

local function path()
  return (os.getenv("HY_ROOT") or ".") .. "/docs/errors.md"
end

local function read_file()
  local file <close> = assert(io.open(path(), "rb"))
  return file:read("a")
end

local function find(text, name)
  local _, first = text:find("<!-- " .. name .. " -->\n", 1, true)
  local last = first and text:find("<!-- end -->", first, true)
  assert(last, "docs/errors.md has no place for " .. name)
  return first + 1, last - 1
end

-- The text between the marks of a table.
function places.read(name)
  local text = read_file()
  return text:sub(find(text, name))
end

function places.write(name, made)
  local text = read_file()
  local first, last = find(text, name)
  local file <close> = assert(io.open(path(), "wb"))
  file:write(text:sub(1, first - 1), made, text:sub(last + 1))
end

-- Which database can raise which code; those that all can are only named.
function places.codes()
  local everywhere, lines = {}, {}
  for _, known in ipairs(core.errorCodes()) do
    local reasons = places.nowhere[known.code]
    if not reasons then
      everywhere[#everywhere + 1] = "`" .. known.code .. "`"
    else
      local cells, why = {}, nil
      for index, database in ipairs(ALL) do
        cells[index] = reasons[database] and "-" or "yes"
        why = why or reasons[database]
      end
      lines[#lines + 1] = ("| `%s` | %s | %s |\n"):format(known.code, table.concat(cells, " | "), why)
    end
  end
  return "| code" .. HEAD .. " where not, why |\n|---|---|---|---|---|---|\n" .. table.concat(lines)
    .. "\nOn every database: " .. table.concat(everywhere, " ") .. ".\n"
end

-- name -> database -> cell of the violations in the file.
local function old_violations()
  local old = {}
  for line in places.read("violations"):gmatch("[^\n]+") do
    local fields = {}
    for field in line:gmatch("|%s*([^|]-)%s*%f[|]") do
      fields[#fields + 1] = field
    end
    old[fields[1]] = { sqlite = fields[2], postgres = fields[3], mariadb = fields[4], mysql = fields[5] }
  end
  return old
end

-- What violations told: told[name][database]. A database that did not run keeps its cells.
function places.violations(told, names)
  local old, lines = old_violations(), {}
  for index, name in ipairs(names) do
    local cells = {}
    for place, database in ipairs(ALL) do
      local reasons = places.nowhere[name:match("[%u_]+")]
      local before = old[name] and old[name][database] or "?"
      cells[place] = told[name] and told[name][database] or (reasons and reasons[database] and "-") or before
    end
    lines[index] = ("| %s | %s |\n"):format(name, table.concat(cells, " | "))
  end
  return "| violation" .. HEAD .. "\n|---|---|---|---|---|\n" .. table.concat(lines)
end

return places
