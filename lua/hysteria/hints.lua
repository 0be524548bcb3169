-- What the models know of a table or column that the database does not: said behind the message of
-- its error, mostly for raw SQL. Nobody is asked for it: no statement runs, and nothing can fail.
local options = require("hysteria.options")
local state = require("hysteria.state")

local hints = {}

-- Models by name, so that the same error reads the same every time.
local function definitions()
  local list = {}
  for _, class in next, state.models do
    list[#list + 1] = class._definition
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function of_table(err)
  local names = {}
  for _, definition in ipairs(definitions()) do
    if definition.table == err.table then
      return ("; the model %s has its rows there: was the table never created, or elsewhere?"):format(definition.name)
    end
    names[#names + 1] = definition.table
  end
  return options.hint(err.table, names)
end

-- Does the name stand in the text, and not as a part of a longer one?
local function mentions(text, name)
  local first, last = text:find(name, 1, true)
  while first do
    if not text:find("^[%w_]", last + 1) and not text:sub(1, first - 1):find("[%w_]$") then
      return true
    end
    first, last = text:find(name, last + 1, true)
  end
  return false
end

local function of_column(err, column)
  local names = {}
  local text = (err.sql or ""):lower()
  for _, definition in ipairs(definitions()) do
    if mentions(text, definition.table:lower()) then
      if definition.by_database[column] then
        return ("; the model %s has it: its table is older, or another one is meant"):format(definition.name)
      end
      for _, made in ipairs(definition.columns) do
        names[#names + 1] = made.name
      end
    end
  end
  return options.hint(column, names)
end

-- For an UNDEFINED_TABLE or UNDEFINED_COLUMN, or nil.
function hints.of(err)
  if err.code == "UNDEFINED_TABLE" then
    return err.table and of_table(err)
  end
  return err.columns and of_column(err, err.columns[1])
end

return hints
