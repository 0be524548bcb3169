-- What random queries (query_grammar.lua) are made of: columns, values and parameters, drawn and
-- counted. Knows no clause. `g` is { random, nodes, prepared } of the query being made.
local hysteria = require("hysteria")
local documents = require("tests.support.lua.query_documents")
local world = require("tests.support.lua.query_world")

local sql = hysteria.sql
local parts = {}

-- ---- scope: the columns that may be named ----------------------------------------------------------

-- Documents stand apart: they are neither compared nor sorted as other values are.
function parts.columns_of(table_name, prefix, list)
  list.documents = list.documents or {}
  for _, entry in ipairs(world.columns[table_name]) do
    local to = entry[2] == "json" and list.documents or list
    to[#to + 1] = { name = prefix .. entry[1], kind = entry[2] }
  end
  return list
end

local function of_kind(scope, wanted)
  local list = {}
  for _, entry in ipairs(scope) do
    -- a name that a plain table spells its own way is of no use inside a query on one
    if wanted[entry.kind] == true or (wanted[entry.kind] and not entry.name:find("aId")) then
      list[#list + 1] = entry
    end
  end
  return list
end

function parts.hit(g, ...)
  for _, node in ipairs { ... } do
    g.nodes[node] = (g.nodes[node] or 0) + 1
  end
end

-- Raised where no column will do: the caller takes another row.
local NO_COLUMN = {}

function parts.pick_column(g, scope, wanted)
  local list = wanted and of_kind(scope, wanted) or scope
  if #list == 0 then
    error(NO_COLUMN, 0)
  end
  parts.hit(g, "COLUMN")
  return g.random:pick(list)
end

function parts.pick_document(g, scope)
  return parts.pick_column(g, scope.documents or {}, { json = true }).name
end

-- fn() again and again until it found its columns.
function parts.until_possible(fn)
  while true do
    local ok, made = pcall(fn)
    if ok then
      return made
    elseif not rawequal(made, NO_COLUMN) then
      error(made, 0)
    end
  end
end

-- ---- values ----------------------------------------------------------------------------------------

local VALUES = {
  int = function(r) return r:int(-4, 13) end,
  big = function(r) return r:pick(world.big) end,
  decimal = function(r) return sql.decimal(r:pick(world.decimals)) end,
  float = function(r) return r:pick(world.floats) end,
  text = function(r) return r:pick(world.texts) end,
  boolean = function(r) return r:chance(2) end,
  date = function(r) return r:pick(world.days) end,
  datetime = function(r) return r:pick(world.moments) end,
  json = documents.pick,
}

-- What parts.given() makes of a value.
function parts.hit_value(g)
  parts.hit(g, g.prepared and "PARAM" or "VALUE")
end

function parts.value_of(g, kind)
  parts.hit_value(g)
  return VALUES[kind](g.random)
end

-- A value as a query takes it: of one that is being prepared (w.params) a parameter.
function parts.given(w, value)
  if not w.params or value == nil or value == sql.null then
    return value
  end
  w.params.n = w.params.n + 1
  local name = "p" .. w.params.n
  w.params.values[name] = value
  return sql.param(name)
end

function parts.given_list(w, list)
  local made = {}
  for index, value in ipairs(list) do
    made[index] = parts.given(w, value)
  end
  return made
end

return parts
