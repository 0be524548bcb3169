-- The tables of docs/types.md between `<!-- values PART -->` and `<!-- end -->`: making them from
-- results, reading and writing them. A database that did not run keeps the cells that it has.
local value_table = {}

local DATABASES = { "sqlite", "postgres", "mariadb", "mysql" }
local HEAD = "| column | value | SQLite | PostgreSQL | MariaDB | MySQL |\n|---|---|---|---|---|---|\n"
local BETWEEN = "; "

local function path()
  return (os.getenv("HY_ROOT") or ".") .. "/docs/types.md"
end

local function read_file()
  local file <close> = assert(io.open(path(), "rb"))
  return file:read("a")
end

-- Where the table of a part begins and ends in the file.
local function find(text, part)
  local _, first = text:find("<!-- values " .. part .. " -->\n", 1, true)
  local last = first and text:find("<!-- end -->", first, true)
  assert(last, "docs/types.md has no place for the values " .. part)
  return first + 1, last - 1
end

-- { text =, cells[column][value][database] } of the table in the file.
function value_table.read(part)
  local whole = read_file()
  local text = whole:sub(find(whole, part))
  local cells, column = {}, nil
  for line in text:gmatch("[^\n]+") do
    local fields = {}
    for field in line:gmatch("|%s*([^|]-)%s*%f[|]") do
      fields[#fields + 1] = field
    end
    column = fields[1] ~= "" and fields[1] or column
    cells[column] = cells[column] or {}
    for value in (fields[2] .. BETWEEN):gmatch("(.-)" .. BETWEEN) do
      cells[column][value] = { sqlite = fields[3], postgres = fields[4], mariadb = fields[5], mysql = fields[6] }
    end
  end
  return { text = text, cells = cells }
end

local function old_cell(old, column, value, database)
  local known = old.cells["`" .. column .. "`"]
  return known and known[value] and known[value][database] or "?"
end

-- name -> outcome of a group on one database.
local function outcomes(results)
  local list = {}
  for _, result in ipairs(results) do
    list[result.name] = result.outcome
  end
  return list
end

local function count(counts, cell)
  if cell == "-" then
    return
  end
  counts.outcomes = counts.outcomes + 1
  local what = cell == "exact" and "exact" or cell:find("^`") and "refused" or cell:find("^reads ") and "reads"
  what = what or "differs"
  counts[what] = counts[what] + 1
end

local function names_of(group, part_has_null)
  local names = part_has_null and { "NULL" } or {}
  for _, case in ipairs(group) do
    assert(not case[1]:find("[|;]"), case[1])
    names[#names + 1] = case[1]
  end
  return names
end

-- Rows of one column: values whose cells are the same share one.
local function rows_of(group, names, cell, counts)
  local rows, by_cells = {}, {}
  for _, name in ipairs(names) do
    local cells = {}
    for _, database in ipairs(DATABASES) do
      cells[#cells + 1] = cell(name, database)
      count(counts, cells[#cells])
    end
    counts.cases = counts.cases + 1
    local key = table.concat(cells, " | ")
    if by_cells[key] then
      table.insert(by_cells[key].values, name)
    else
      by_cells[key] = { values = { name }, key = key }
      rows[#rows + 1] = by_cells[key]
    end
  end
  local lines = {}
  for index, row in ipairs(rows) do
    lines[index] = ("| %s | %s | %s |\n"):format(index == 1 and "`" .. group.name .. "`" or "",
      table.concat(row.values, BETWEEN), row.key)
  end
  return table.concat(lines)
end

-- The table of these results; `ran` lists the databases that they are of. Second: counts.
function value_table.make(groups, results, ran, old)
  local lines, counts = { HEAD }, { cases = 0, outcomes = 0, exact = 0, reads = 0, refused = 0, differs = 0 }
  local has_run = {}
  for _, database in ipairs(ran) do
    has_run[database] = true
  end
  for _, group in ipairs(groups) do
    local found = {}
    for _, database in ipairs(ran) do
      found[database] = outcomes(results[database][group])
    end
    local function cell(name, database)
      if not has_run[database] then
        return old_cell(old, group.name, name, database)
      end
      return found[database][name] or "-"
    end
    lines[#lines + 1] = rows_of(group, names_of(group, group.oracle ~= nil), cell, counts)
  end
  return table.concat(lines), counts
end

function value_table.write(part, text)
  local whole = read_file()
  local first, last = find(whole, part)
  local file <close> = assert(io.open(path(), "wb"))
  file:write(whole:sub(1, first - 1), text, whole:sub(last + 1))
end

return value_table
