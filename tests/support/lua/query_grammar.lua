-- Random queries, each a plain table that says what it is: it can be built on any source, printed,
-- and made smaller while a fault stays. A new verb is a new row in one of the lists below; `nodes`
-- are the kinds of expressions (core/sql/ast.h) that it puts into a statement.
local hysteria = require("hysteria")
local documents = require("tests.support.lua.query_documents")
local parts = require("tests.support.lua.query_parts")
local shrink = require("tests.support.lua.query_shrink")
local world = require("tests.support.lua.query_world")

local sql = hysteria.sql
local grammar = {}

local columns_of, pick_column, pick_document = parts.columns_of, parts.pick_column, parts.pick_document
local hit, hit_value, value_of, until_possible = parts.hit, parts.hit_value, parts.value_of, parts.until_possible
local given, given_list = parts.given, parts.given_list

-- ---- expressions that stand for a value --------------------------------------------------------------

local INT, TEXT, NUMBER = { int = true }, { text = true }, { int = true, decimal = true }
local SORTABLE = {
  int = true, big = true, decimal = true, float = true, text = true, date = true, datetime = true,
}

-- kind it yields, name, kinds of columns it takes, more arguments
local FUNCTIONS = {
  { "int", "abs", INT },
  { "int", "length", TEXT },
  { "int", "coalesce", INT, function(g) return { value_of(g, "int") } end },
  { "int", "nullif", INT, function(g) return { value_of(g, "int") } end },
  { "text", "lower", TEXT },
  { "text", "upper", TEXT },
  { "text", "trim", TEXT },
  { "text", "coalesce", TEXT, function(g) return { value_of(g, "text") } end },
  { "text", "replace", TEXT, function(g) return { "a", value_of(g, "text") } end },
  { "text", "concat", TEXT, function(g) return { value_of(g, "text") } end },
}

local conditions_table -- below

local function function_call(g, scope, wanted)
  local rows = {}
  for _, row in ipairs(FUNCTIONS) do
    if not wanted or row[1] == wanted then
      rows[#rows + 1] = row
    end
  end
  local row = g.random:pick(rows)
  hit(g, "CALL")
  return {
    op = "func", kind = row[1], name = row[2], column = pick_column(g, scope, row[3]).name,
    more = row[4] and row[4](g) or {},
  }
end

local EXPRESSIONS = {
  { 4, function(g, scope, wanted) return function_call(g, scope, wanted) end },
  { 2, function(g, scope, wanted)
    hit(g, "CASE")
    local kind = wanted or g.random:pick { "int", "int", "decimal" }
    return {
      op = "case", kind = kind, when = conditions_table(g, scope), value = value_of(g, kind),
      other = g.random:chance(2) and value_of(g, kind) or nil,
    }
  end },
  { 1, function(g, scope)
    hit(g, "RAW")
    return { op = "raw", kind = "int", column = pick_column(g, scope, INT).name, value = value_of(g, "int") }
  end, kind = "int" },
  { 2, function(g, scope)
    hit(g, "BINARY")
    return {
      op = "math", kind = "int", word = g.random:pick { "+", "-", "*" }, column = pick_column(g, scope, INT).name,
      value = value_of(g, "int"), swap = g.random:chance(3),
    }
  end, kind = "int" },
  { 1, function(g)
    hit(g, "QUERY", "CALL")
    return { op = "scalar", kind = "int", func = g.random:pick { "max", "min", "count" }, least = value_of(g, "int") }
  end, kind = "int" },
}

local function expression(g, scope, wanted)
  local rows = {}
  for _, row in ipairs(EXPRESSIONS) do
    if not row.kind or not wanted or row.kind == wanted then
      rows[#rows + 1] = { row[2], row[1] }
    end
  end
  return g.random:weighted(rows)(g, scope, wanted)
end

local RAW_NAMES = { i = "i", j = "j", id = "id", aId = "a_id" }

local function quoted(w, name)
  local quote = (w.name == "mysql" or w.name == "mariadb") and "`" or "\""
  local names = {}
  for part in name:gmatch("[^.]+") do
    names[#names + 1] = quote .. (RAW_NAMES[part] or part) .. quote
  end
  return table.concat(names, ".")
end

local BUILD = {}

function grammar.value(w, e)
  return BUILD[e.op](w, e)
end

function BUILD.func(w, e)
  return sql.func(e.name, sql.col(e.column), table.unpack(given_list(w, e.more)))
end

function BUILD.case(w, e)
  return sql.case({ { grammar.condition_table(w, e.when), given(w, e.value) } }, given(w, e.other))
end

function BUILD.raw(w, e)
  return sql.rawStatement(quoted(w, e.column) .. " + ?", given(w, e.value))
end

local CALCULATE = {
  ["+"] = function(a, b) return a + b end,
  ["-"] = function(a, b) return a - b end,
  ["*"] = function(a, b) return a * b end,
}

function BUILD.math(_, e)
  if e.swap then
    return CALCULATE[e.word](e.value, sql.col(e.column))
  end
  return CALCULATE[e.word](sql.col(e.column), e.value)
end

function BUILD.scalar(w, e)
  return w.B:query():selectFunc(e.func, "diff_b.i", "m"):where("i", ">", given(w, e.least))
end

-- ---- conditions as tables (where-tables, CASE) --------------------------------------------------------

local COMPARISONS = { "=", "!=", "<", "<=", ">", ">=" }
local OP_NAMES = { ["="] = "eq", ["!="] = "ne", ["<"] = "lt", ["<="] = "lte", [">"] = "gt", [">="] = "gte" }

local function table_entry(g, scope)
  local column = pick_column(g, scope)
  if g.random:chance(6) then
    hit(g, "IS_NULL")
    return { column = column.name, null = true }
  end
  hit(g, "BINARY")
  return { column = column.name, operator = g.random:pick(COMPARISONS), value = value_of(g, column.kind) }
end

conditions_table = function(g, scope)
  local list = {}
  for index = 1, g.random:int(3) do
    list[index] = table_entry(g, scope)
  end
  if #list > 1 then
    hit(g, "ALL")
  end
  return { any = g.random:chance(2), list = list }
end

function grammar.condition_table(w, desc)
  local list = {}
  for index, entry in ipairs(desc.list) do
    local operator = not entry.null and sql.op[OP_NAMES[entry.operator]]
    list[index] = { [entry.column] = operator and operator(given(w, entry.value)) or sql.null }
  end
  return desc.any and sql.any(list) or sql.all(list)
end

-- ---- conditions --------------------------------------------------------------------------------------

local conditions

local function list_of(g, kind, count)
  local list = {}
  for index = 1, count do
    list[index] = value_of(g, kind)
  end
  return list
end

-- weight, what it is, how it is added. `verb` makes the method's name: "where", "orHaving"...
local CONDITIONS = {
  { 10, function(g, scope)
    local column = pick_column(g, scope)
    hit(g, "BINARY")
    return { column = column.name, operator = g.random:pick(COMPARISONS), value = value_of(g, column.kind) }
  end, function(q, verb, c, w) q[verb("")](q, c.column, c.operator, given(w, c.value)) end },
  { 3, function(g, scope)
    local column = pick_column(g, scope)
    hit(g, "BINARY", "NOT")
    return { column = column.name, operator = g.random:pick(COMPARISONS), value = value_of(g, column.kind) }
  end, function(q, verb, c, w) q[verb("Not")](q, c.column, c.operator, given(w, c.value)) end },
  { 3, function(g, scope)
    hit(g, "IS_NULL")
    return { column = pick_column(g, scope).name, form = g.random:pick { "Null", "NotNull" } }
  end, function(q, verb, c) q[verb(c.form)](q, c.column) end },
  { 2, function(g, scope)
    hit(g, "IS_NULL")
    return { column = pick_column(g, scope).name, operator = g.random:pick { "=", "!=", "is", "is not" } }
  end, function(q, verb, c) q[verb("")](q, c.column, c.operator, sql.null) end },
  { 2, function(g, scope)
    local column = pick_column(g, scope)
    hit(g, "BINARY")
    return {
      column = column.name, operator = g.random:pick { "is distinct from", "is not distinct from" },
      value = value_of(g, column.kind),
    }
  end, function(q, verb, c, w) q[verb("")](q, c.column, c.operator, given(w, c.value)) end },
  { 3, function(g, scope)
    local column = pick_column(g, scope, SORTABLE)
    hit(g, "BETWEEN")
    return { column = column.name, low = value_of(g, column.kind), high = value_of(g, column.kind), form = "Between" }
  end, function(q, verb, c, w) q[verb(c.form)](q, c.column, given(w, c.low), given(w, c.high)) end },
  { 3, function(g, scope)
    local column = pick_column(g, scope)
    hit(g, "IN")
    local list = list_of(g, column.kind, g.random:int(4))
    if g.random:chance(6) then
      list[#list + 1] = sql.null
    end
    return { column = column.name, list = list }
  end, function(q, verb, c, w) q[verb("In")](q, c.column, given_list(w, c.list)) end },
  { 1, function(g, scope)
    local column = pick_column(g, scope, { int = true, text = true })
    hit(g, "IN")
    return { column = column.name, list = list_of(g, column.kind, 105) } -- travels as one value
  end, function(q, verb, c, w) q[verb("In")](q, c.column, given_list(w, c.list)) end },
  { 1, function(g, scope)
    hit(g, "CONSTANT")
    return { column = pick_column(g, scope).name }
  end, function(q, verb, c) q[verb("In")](q, c.column, {}) end },
  { 2, function(g, scope)
    local column = pick_column(g, scope)
    local other = pick_column(g, scope, { [column.kind] = true })
    hit(g, "BINARY")
    return { column = column.name, operator = g.random:pick(COMPARISONS), other = other.name }
  end, function(q, verb, c) q[verb("Column")](q, c.column, c.operator, c.other) end, where = true },
  { 2, function(g, scope)
    local text = g.random:pick { "a%", "%b", "_", "%", "a_b", "%a%", "A%", "a\\%", "a\\_b", "100\\%", "%\\\\%", "" }
    hit(g, "BINARY")
    hit_value(g)
    return {
      column = pick_column(g, scope, TEXT).name, pattern = text,
      form = g.random:pick { "Like", "NotLike", "ILike", "NotILike" },
    }
  end, function(q, verb, c, w) q[verb(c.form)](q, c.column, given(w, c.pattern)) end, where = true },
  { 2, function(g, scope)
    hit(g, "IN", "ROW")
    local one, other = pick_column(g, scope), pick_column(g, scope)
    local list = {}
    for index = 1, g.random:int(3) do
      list[index] = { value_of(g, one.kind), value_of(g, other.kind) }
    end
    return { columns = { one.name, other.name }, list = list, form = g.random:pick { "In", "NotIn" } }
  end, function(q, verb, c, w)
    local list = {}
    for index, tuple in ipairs(c.list) do
      list[index] = given_list(w, tuple)
    end
    q[verb(c.form)](q, c.columns, list)
  end, where = true },
  { 1, function(g, scope)
    hit(g, "BINARY")
    hit_value(g)
    return {
      column = pick_column(g, scope, TEXT).name, form = g.random:pick { "Regexp", "NotRegexp" },
      pattern = g.random:pick { "^a", "b$", "[0-9]+", "a|Z", "^[a-z]$", "A", "^$", "z{2}" },
    }
  end, function(q, verb, c, w) q[verb(c.form)](q, c.column, given(w, c.pattern)) end, where = true },
  { 2, function(g, scope)
    return { when = conditions_table(g, scope) }
  end, function(q, verb, c, w) q[verb("")](q, grammar.condition_table(w, c.when)) end },
  { 3, function(g, scope)
    local e = expression(g, scope)
    hit(g, "BINARY")
    return { e = e, operator = g.random:pick(COMPARISONS), value = value_of(g, e.kind) }
  end, function(q, verb, c, w) q[verb("")](q, grammar.value(w, c.e), c.operator, given(w, c.value)) end, where = true },
  { 2, function(g, scope)
    local column = pick_column(g, scope, INT)
    hit(g, "BINARY")
    return { column = column.name, operator = g.random:pick(COMPARISONS), e = expression(g, scope, "int") }
  end, function(q, verb, c, w) q[verb("")](q, c.column, c.operator, grammar.value(w, c.e)) end, where = true },
  { 2, function(g, scope)
    hit(g, "IN_QUERY")
    return {
      column = pick_column(g, scope, INT).name, form = g.random:pick { "In", "NotIn" }, of = g.random:pick { "i",
        "aId", "id" },
      least = value_of(g, "int"), limit = g.random:chance(4) and g.random:int(5) or nil,
    }
  end, function(q, verb, c, w)
    local sub = w.B:query():select(c.of):where("id", ">", given(w, c.least))
    if c.limit then
      sub:orderBy("id"):limit(c.limit)
    end
    q[verb(c.form)](q, c.column, sub)
  end, where = true },
  { 2, function(g, scope)
    hit(g, "EXISTS", "BINARY")
    return {
      column = pick_column(g, scope, { int = "not aId" }).name, form = g.random:pick { "Exists", "NotExists" },
      of = g.random:pick { "i", "a_id" }, least = value_of(g, "int"),
    }
  end, function(q, verb, c, w)
    local sub = w.ds:query("diff_b as e"):whereColumn("e." .. c.of, c.column)
    q[verb(c.form)](q, sub:where("e.id", ">", given(w, c.least)))
  end, where = true, qualified = true },
  { 1, function(g)
    hit(g, "EXISTS")
    return { form = g.random:pick { "Exists", "NotExists" }, of = g.random:pick { "i", "aId", "flag" },
      grouped = g.random:chance(2), offset = g.random:int(0, 12),
      limit = g.random:chance(3) and g.random:int(0, 2) or nil }
  end, function(q, verb, c, w)
    local sub = w.B:query():select(c.of):offset(c.offset)
    if c.limit then
      sub:limit(c.limit)
    end
    q[verb(c.form)](q, c.grouped and sub:groupBy(c.of) or sub:distinct())
  end, where = true },
  { 1, function(g, scope)
    hit(g, "RAW")
    return { column = pick_column(g, scope, INT).name, value = value_of(g, "int") }
  end, function(q, verb, c, w) q[verb("Raw")](q, quoted(w, c.column) .. " * 2 > ?", { given(w, c.value) }) end,
    where = true },
  { 4, function(g, scope)
    local column = pick_document(g, scope)
    local c = documents.condition(g.random)
    if c.value == sql.null then
      hit(g, "IS_NULL")
    else
      hit(g, "JSON_MATCH", "VALUE")
    end
    if c.path then
      hit(g, "JSON")
    end
    c.column = column
    return c
  end, function(q, verb, c)
    if c.path then
      q[verb(c.form)](q, c.column, c.path, c.value)
    else
      q[verb(c.form)](q, c.column, c.value)
    end
  end, where = true },
  { 3, function(g, scope, depth)
    hit(g, "ALL")
    return { group = conditions(g, scope, 3, depth + 1), negated = g.random:chance(4) }
  end, function(q, verb, c, w)
    q[verb(c.negated and "Not" or "")](q, function(inner)
      grammar.add_conditions(inner, c.group, w, verb("", true))
    end)
  end, where = true, nests = true },
}

-- Up to `most` of them. `kind`: "where" or "having".
conditions = function(g, scope, most, depth, kind)
  local list = {}
  for index = 1, g.random:int(most) do
    local rows = {}
    for at, row in ipairs(CONDITIONS) do
      local fits = not (kind == "having" and row.where) and (scope.qualified or not row.qualified)
      if fits and (depth < 3 or not row.nests) then
        rows[#rows + 1] = { at, row[1] }
      end
    end
    list[index] = until_possible(function()
      local at = g.random:weighted(rows)
      local made = CONDITIONS[at][2](g, scope, depth)
      made.row, made.connector = at, index > 1 and g.random:pick { "", "", "or", "and" } or ""
      return made
    end)
  end
  return list
end

function grammar.add_conditions(q, list, w, base)
  for _, c in ipairs(list) do
    local function verb(suffix, bare)
      if bare then
        return base
      end
      local name = c.connector == "" and base or c.connector .. base:sub(1, 1):upper() .. base:sub(2)
      return name .. suffix
    end
    CONDITIONS[c.row][3](q, verb, c, w)
  end
end

-- ---- whole queries ------------------------------------------------------------------------------------

-- Windows order by the key alone: where NULL stands in a window each database says for itself.
local WINDOWS = { "row_number", "rank", "count", "sum", "max", "min" }

local function add_window(g, scope, list)
  if not g.random:chance(3) then
    return
  end
  hit(g, "OVER", "CALL")
  local func = g.random:pick(WINDOWS)
  local ranks = func == "row_number" or func == "rank"
  list[#list + 1] = {
    window = func, column = not ranks and pick_column(g, scope, INT).name or nil, alias = "w", kind = "int",
    partition = g.random:chance(2) and pick_column(g, scope).name or nil,
    order = (ranks or g.random:chance(2)) and { scope.qualified and "diff_a.id" or "id", g.random:pick { "asc",
      "desc" } }
      or nil,
  }
  local made = list[#list]
  made.frame = made.order and not ranks and g.random:chance(2) and { "rows", g.random:int(-3, 0), g.random:int(0, 2) }
    or nil
end

-- A value beside the fields of a record.
local function add_annotation(g, scope, list)
  if g.random:chance(6) and not g.prepared then
    hit(g, "CALL")
    list[#list + 1] = { annotate = "abs", column = pick_column(g, scope, INT).name, alias = "noted", kind = "int" }
  end
end

-- Locks change no answer; a database without them refuses.
local function add_lock(g)
  return g.random:chance(12) and not g.prepared and g.random:pick { "lockForUpdate", "forShare" } or nil
end

local JOINS = { "join", "innerJoin", "leftJoin", "rightJoin", "fullJoin", "crossJoin" }

local function select_some(g, scope, most)
  local list = {}
  for index = 1, g.random:int(most) do
    local alias = "c" .. index
    if g.random:chance(3) then
      local e = expression(g, scope)
      list[index] = { e = e, alias = alias, kind = e.kind }
    else
      local column = pick_column(g, scope)
      list[index] = { column = column.name, alias = alias, kind = column.kind }
    end
  end
  return list
end

-- What lies in documents; asked where no two rows are taken for one.
local function add_documents(g, scope, list)
  for index = 1, g.random:chance(3) and g.random:int(3) or 0 do
    local item = documents.select(g.random)
    hit(g, "JSON")
    item.column, item.alias = pick_document(g, scope), "j" .. index
    list[#list + 1] = item
  end
end

local AGGREGATES = {
  { "count", SORTABLE }, { "sum", NUMBER }, { "avg", NUMBER }, { "max", SORTABLE }, { "min", SORTABLE },
}

local function aggregates(g, scope)
  local list = {}
  for index = 1, g.random:int(3) do
    local row = g.random:pick(AGGREGATES)
    local column = pick_column(g, scope, row[2])
    hit(g, "CALL")
    local kind = row[1] == "count" and "int" or column.kind
    list[index] = { func = row[1], column = column.name, alias = "g" .. index,
      kind = row[1] == "avg" and "average" or kind }
  end
  if g.random:chance(2) then
    hit(g, "STAR", "CALL")
    list[#list + 1] = { func = "count", column = "*", alias = "n", kind = "int" }
  end
  return list
end

local function add_order(g, d, names, unique)
  d.order = {}
  for _ = 1, g.random:int(0, 2) do
    d.order[#d.order + 1] = {
      name = g.random:pick(names), direction = g.random:pick { "asc", "desc" }, nulls = g.random:pick { "first",
        "last" },
    }
  end
  if unique then
    d.order[#d.order + 1] = { name = unique, direction = g.random:pick { "asc", "desc" }, nulls = "first" }
    d.limit = g.random:chance(2) and g.random:int(0, 12) or nil
    d.offset = g.random:chance(3) and g.random:int(0, 8) or nil
    d.total = true
  end
end

local function names_of(list)
  local names = {}
  for _, item in ipairs(list) do
    if not documents.is_kind(item.kind) then
      names[#names + 1] = item.alias
    end
  end
  return names
end

local function base_query(g, d, qualified)
  local scope = columns_of("diff_a", qualified and "diff_a." or "", {})
  scope.qualified = qualified
  if d.join then
    columns_of("diff_b", "diff_b.", scope)
  end
  if g.random:chance(5) then
    return scope
  end
  d.where = conditions(g, scope, 4, 1)
  return scope
end

local SHAPES = {
  { "rows", 6, function(g, d)
    local scope = base_query(g, d, g.random:chance(3))
    d.select = select_some(g, scope, 4)
    if g.random:chance(5) then
      d.distinct = true
      add_order(g, d, names_of(d.select))
    else
      add_window(g, scope, d.select)
      add_documents(g, scope, d.select)
      add_annotation(g, scope, d.select)
      d.lock = #d.select > 0 and not d.select[#d.select].window and add_lock(g)
      d.select[#d.select + 1] = { column = "id", alias = "key", kind = "int" }
      add_order(g, d, names_of(d.select), "key")
    end
  end },
  { "all", 1, function(g, d)
    base_query(g, d)
    d.names = { "id", "i", "j", "big", "d", "x", "t", "u", "flag", "day", "moment", "doc" }
    d.star = g.random:chance(2)
    if d.star then
      hit(g, "STAR")
    end
    d.lock = add_lock(g)
    add_order(g, d, { table.unpack(d.names, 1, #d.names - 1) }, "id")
    if g.random:chance(3) then
      table.insert(d.order, 1, { e = expression(g, columns_of("diff_a", "", {}), "int"),
        direction = g.random:pick { "asc", "desc" }, nulls = g.random:pick { "first", "last" } })
    end
  end },
  { "joined", 3, function(g, d)
    d.join = { verb = g.random:pick(JOINS) }
    local scope = base_query(g, d, true)
    if d.join.verb ~= "crossJoin" then
      d.join.columns = g.random:pick { { "aId", "id" }, { "i", "i" }, { "id", "id" } }
      hit(g, "BINARY", "COLUMN", "COLUMN")
      if g.random:chance(3) and d.join.verb ~= "fullJoin" then
        d.join.value = { operator = g.random:pick(COMPARISONS), value = value_of(g, "int"),
          either = g.random:chance(3) }
        hit(g, "BINARY")
      end
    end
    d.select = select_some(g, scope, 4)
    d.distinct = g.random:chance(6)
    if not d.distinct then
      add_documents(g, scope, d.select)
    end
  end },
  { "grouped", 3, function(g, d)
    local scope = base_query(g, d, false)
    local key = pick_column(g, scope)
    d.group = { key.name }
    d.select = { { column = key.name, alias = "k", kind = key.kind } }
    for _, item in ipairs(aggregates(g, scope)) do
      d.select[#d.select + 1] = item
    end
    if g.random:chance(2) then
      local found = {}
      for _, item in ipairs(d.select) do
        if item.func and item.kind ~= "average" then
          found[#found + 1] = { name = item.alias, kind = item.kind }
        end
      end
      d.having = #found > 0 and conditions(g, found, 2, 3, "having") or nil
    end
    add_order(g, d, { "k" })
  end },
  { "set", 2, function(g, d)
    local scope = base_query(g, d, false)
    local kinds = {}
    d.select = {}
    for index = 1, g.random:int(3) do
      local column = pick_column(g, scope)
      kinds[index] = column.kind
      d.select[index] = { column = column.name, alias = "c" .. index, kind = column.kind }
    end
    d.members = {}
    for index = 1, g.random:int(3) do
      local member = { from = "diff_a", select = {} }
      for at, kind in ipairs(kinds) do
        member.select[at] = { column = pick_column(g, scope, { [kind] = true }).name, alias = "c" .. at, kind = kind }
      end
      member.where = g.random:chance(3) and conditions(g, scope, 2, 2) or nil
      if g.random:chance(4) then -- a part of the member alone; which one is certain, whatever is alike in it
        member.order, member.limit = {}, g.random:int(0, 6)
        for at = 1, #kinds do
          member.order[at] = { name = "c" .. at, direction = "asc", nulls = "last" }
        end
      end
      d.members[index] = { verb = g.random:pick { "union", "unionAll", "intersect", "except" }, query = member }
    end
    add_order(g, d, names_of(d.select))
  end },
  { "common", 1, function(g, d)
    local scope = base_query(g, d, false)
    d.select = {}
    for index, kind in ipairs { "int", "text", "int" } do
      d.select[index] = { column = pick_column(g, scope, { [kind] = true }).name, alias = "c" .. index, kind = kind }
    end
    d.wrapped = g.random:pick { "with", "from", "withMaterialized" }
    d.outer = conditions(g, { { name = "c1", kind = "int" }, { name = "c2", kind = "text" }, { name = "c3",
      kind = "int" } }, 2, 3,
      "having")
  end },
  { "recursive", 1, function(g, d)
    hit(g, "RAW", "BINARY", "COLUMN", "COLUMN")
    d.recursive = { start = value_of(g, "int"), step = g.random:int(3), most = g.random:int(40),
      verb = g.random:pick { "union", "unionAll" } }
    d.select = { { column = "n", alias = "n", kind = "int" } }
    d.outer = conditions(g, { { name = "n", kind = "int" } }, 2, 3, "having")
    d.distinct = g.random:chance(3)
  end },
  { "one value", 2, function(g, d)
    base_query(g, d, false)
    local row = g.random:pick {
      { "getCount", SORTABLE }, { "getSum", NUMBER }, { "getAvg", NUMBER }, { "getMax", SORTABLE }, { "getMin",
        SORTABLE },
      { "pluck", SORTABLE },
    }
    hit(g, "CALL")
    d.terminal, d.of = row[1], pick_column(g, columns_of("diff_a", "", {}), row[2]).name
    d.distinct = row[1] == "pluck" and g.random:chance(2)
  end },
  { "plain count", 1, function(g, d)
    base_query(g, d, false)
    hit(g, "CALL", "STAR")
    d.terminal = g.prepared and "count" or g.random:pick { "count", "exists" }
    d.limit = g.random:chance(4) and g.random:int(0, 9) or nil
  end },
}

-- A random query. `nodes` counts what it is made of.
function grammar.query(r, nodes)
  local g = { random = r, nodes = nodes }
  local shapes = {}
  for index, row in ipairs(SHAPES) do
    shapes[index] = { index, row[2] }
  end
  local shape = SHAPES[r:weighted(shapes)]
  g.prepared = shape[1] ~= "one value" and r:chance(6)
  local d = { shape = shape[1], from = "diff_a", prepared = g.prepared }
  shape[3](g, d)
  return d
end

-- ---- writes -------------------------------------------------------------------------------------------

local function row_of(g, id, gaps)
  local row = { id = id }
  for _, entry in ipairs(world.columns.diff_b) do
    if entry[1] ~= "id" and not (gaps and g.random:chance(3)) then
      row[entry[1]] = g.random:chance(6) and sql.null or value_of(g, entry[2])
    end
  end
  return row
end

local function rows_of(g, first, most)
  local list = {}
  for index = 1, g.random:int(most) do
    list[index] = row_of(g, first + index, true)
  end
  return list
end

-- what it is, what it needs to know, what it does; each gives a count or rows.
local WRITES = {
  { "update", function(g, d)
    d.changes = { i = value_of(g, "int"), u = value_of(g, "text"), d = g.random:chance(2) and value_of(g,
      "decimal") or nil }
  end, function(q, d) return q:update(d.changes) end },
  { "update from columns", function(g, d)
    d.e = function_call(g, columns_of("diff_a", "", {}), "int")
  end, function(q, d, w) return q:update { j = grammar.value(w, d.e) } end },
  { "increment", function(g, d) d.amount = value_of(g, "int") end, function(q, d) return q:increment("i",
    d.amount) end },
  { "delete", function() end, function(q) return q:delete() end },
  { "insertMany", function(g, d)
    hit(g, "GAPS")
    d.rows = rows_of(g, 100, 5)
  end, function(_, d, w) return w.B:insertMany(d.rows, { returning = false }) end },
  { "upsertMany", function(g, d)
    d.rows = rows_of(g, g.random:int(24, 32), 4)
  end, function(_, d, w) return #w.B:upsertMany({ "id" }, d.rows) end },
}

-- A random write: its condition is that of a query.
function grammar.write(r, nodes)
  local g = { random = r, nodes = nodes }
  local row = r:int(#WRITES)
  local d = { write = row, what = WRITES[row][1] }
  d.where = conditions(g, columns_of("diff_a", "", {}), 3, 1)
  WRITES[row][2](g, d)
  return d
end

-- Write, say what came of it, and undo it: the answer, and both tables as they then are.
function grammar.effect(d, w)
  local answer
  local done = {}
  local ok, err = pcall(w.ds.transaction, w.ds, function(trx)
    local q = w.A:query()
    grammar.add_conditions(q, d.where, w, "where")
    answer = { tostring(WRITES[d.write][3](q, d, w, trx)) }
    for _, entry in ipairs { { "A", "diff_a" }, { "B", "diff_b" } } do
      for _, row in ipairs(w[entry[1]]:query():orderBy("id"):many()) do
        local cells = {}
        for index, column in ipairs(world.columns[entry[2]]) do
          cells[index] = world.shown(row[column[1]], column[2] == "json" and "document" or nil)
        end
        answer[#answer + 1] = table.concat(cells, " | ")
      end
    end
    error(done, 0)
  end)
  if not rawequal(err, done) then
    error(ok and "the transaction went through" or err, 0)
  end
  return table.concat(answer, "\n")
end

-- ---- building and running ----------------------------------------------------------------------------

local function add_select(q, item, w)
  if item.json then
    q[item.json](q, item.column, item.path, item.alias)
  elseif item.func then
    q:selectFunc(item.func, item.column, item.alias)
  elseif item.annotate then
    q:annotate(item.annotate, item.column, item.alias)
  elseif item.window then
    local over = { partitionBy = item.partition, orderBy = item.order, frame = item.frame }
    if item.column then
      q:selectWindow(item.window, item.column, over, item.alias)
    else
      q:selectWindow(item.window, over, item.alias)
    end
  elseif item.e then
    q:select(grammar.value(w, item.e), item.alias)
  else
    q:select { item.column, item.alias }
  end
end

local function add_join(q, join, w)
  if join.verb == "crossJoin" then
    q:crossJoin(w.B)
  elseif join.value then
    q[join.verb](q, w.B, function(on)
      on:on("diff_b." .. join.columns[1], "=", "diff_a." .. join.columns[2])
      on[join.value.either and "orOnValue" or "onValue"](on, "diff_b.i", join.value.operator, given(w,
        join.value.value))
    end)
  else
    q[join.verb](q, w.B, join.columns[1], join.columns[2])
  end
end

-- Every so many numbers, and what of them the outer conditions leave; `+ 0`: of the type that the steps have.
local function build_recursive(d, w)
  local r = d.recursive
  local start = w.ds:query("diff_a"):select(sql.col("id") + 0, "n"):where("id", "<=", given(w, r.start))
  local step = w.ds:query("series"):select(sql.col("n") + r.step, "n"):where("n", "<", r.most)
  local q = w.ds:query("series"):withRecursive("series", start[r.verb](start, step)):select("n")
  grammar.add_conditions(q, d.outer, w, "where")
  return d.distinct and q:distinct() or q
end

function grammar.build(d, w)
  if d.recursive then
    return build_recursive(d, w)
  end
  local q = w.A:query()
  for _, item in ipairs(d.select or {}) do
    add_select(q, item, w)
  end
  if d.star then
    q:select("*")
  end
  if d.distinct then
    q:distinct()
  end
  if d.join then
    add_join(q, d.join, w)
  end
  grammar.add_conditions(q, d.where or {}, w, "where")
  if d.group then
    q:groupBy(table.unpack(d.group))
  end
  grammar.add_conditions(q, d.having or {}, w, "having")
  for _, member in ipairs(d.members or {}) do
    q[member.verb](q, grammar.build(member.query, w))
  end
  if d.wrapped and d.wrapped ~= "from" then
    local outer = w.ds:query("common")
    q = outer[d.wrapped](outer, "common", q)
  elseif d.wrapped then
    q = w.ds:query("diff_a"):from(q, "derived")
  end
  grammar.add_conditions(q, d.outer or {}, w, "where")
  for _, order in ipairs(d.order or {}) do
    q:orderBy(order.e and grammar.value(w, order.e) or order.name, order.direction, { nulls = order.nulls })
  end
  if d.limit then
    q:limit(d.limit)
  end
  if d.offset then
    q:offset(d.offset)
  end
  return d.lock and q[d.lock](q) or q
end

local function run_once(d, w)
  local q = grammar.build(d, w)
  if d.lock then
    return w.ds:transaction(function()
      return q:many()
    end)
  end
  if d.terminal == "pluck" then
    return q:pluck(d.of)
  elseif d.terminal and d.of then
    return { q[d.terminal](q, d.of) }
  elseif d.terminal then
    return { q[d.terminal](q) }
  end
  return q:many()
end

local function run_prepared(d, w)
  local params = { n = 0, values = {} }
  w.params = params
  local ok, q = pcall(grammar.build, d, w)
  w.params = nil
  if not ok then
    error(q, 0)
  end
  local prepared = q:prepare()
  return d.terminal == "count" and { prepared:count(params.values) } or prepared:many(params.values)
end

function grammar.run(d, w)
  local rows = run_once(d, w)
  if d.prepared then
    local first, again = grammar.answer(d, rows), grammar.answer(d, run_prepared(d, w))
    if again ~= first then
      error(("prepared: %s\nnot prepared: %s"):format(again, first), 0)
    end
  end
  return rows
end

-- The rows as lines; in order only where the query asked for a total one.
function grammar.answer(d, rows)
  local items = d.select or {}
  if d.names then
    items = {}
    for index, name in ipairs(d.names) do
      items[index] = { alias = name, kind = name == "doc" and "document" or nil }
    end
  end
  local lines = {}
  for index, row in ipairs(rows) do
    local cells = {}
    for at, item in ipairs(type(row) == "table" and items or {}) do
      local from = item.annotate and row["$annotations"] or row
      cells[at] = world.shown(from[item.alias], item.kind)
    end
    lines[index] = type(row) == "table" and table.concat(cells, " | ")
      or world.shown(row, d.terminal == "getAvg" and "average" or nil)
  end
  if not d.total then
    table.sort(lines)
  end
  return #lines .. " rows\n" .. table.concat(lines, "\n")
end

grammar.show, grammar.shrink = shrink.show, shrink.shrink

return grammar
