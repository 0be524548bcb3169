-- hysteria.view(fn): a model that is a question instead of a table. Its queries read from that
-- question as a derived table, or, with { create = true }, from a view that createTables makes.
-- Writes are refused; where that happens is writing.lua's business.
local core = require("hysteria.core")
local model = require("hysteria.model")
local options = require("hysteria.options")
local reading = require("hysteria.reading")

local view = {}

-- fn's query: changed in place or given back.
local function asked(definition)
  local query = core.query(definition.schema and definition.schema .. "." .. definition.table or definition.table)
  local returned = definition.view.fn(query)
  if core.kind(returned) == "query" then
    return returned
  elseif returned ~= nil then
    core.raise("INVALID_MODEL", ("model %s: a view's function gives a query or nothing, not %s"):format(
      definition.name, options.kind(returned)), { model = definition.name })
  end
  return query
end

-- What the view asks, made anew: fn(q) gets a builder on the table of the model's name.
function view.statement(definition)
  local made = definition.view
  if made.is_asking then
    core.raise("INVALID_MODEL", ("model %s: its view asks for itself"):format(definition.name), {
      model = definition.name,
    })
  end
  made.is_asking = true
  local ok, query = pcall(asked, definition)
  made.is_asking = false
  if not ok then
    error(query, 0)
  end
  return query
end

-- A query on the frozen model of a view that no database knows.
function model.derived_query(frozen, definition)
  return core.query(frozen):from(view.statement(definition), definition.table)
end

-- What CREATE VIEW takes after AS: values are written into the text, as defaults of columns are.
function view.text(definition, dialect)
  return (core.compile(reading.subquery(view.statement(definition)), dialect, "literal"))
end

return view
