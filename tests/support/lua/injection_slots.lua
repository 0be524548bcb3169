-- Every place of the public interface that takes text, one row each: what the text is there, and
-- a query (build) or a call (call) that puts it there. A new verb that takes text is a new row.
--
-- value   bound: the statement's text is the same for every string
-- name    one identifier, spelled as it is; `alone` if "table.column" and "*" are refused
-- dotted  an identifier per part: "table.column"; `star` if "*" may stand last
-- table   "schema.table as alias"
-- word    one of a closed list (`words`), or a plain word (`plain`)
-- path    a JSON path: other keys, bound or quoted, but no other words
-- member  a name that a model knows, or refused
--
-- Every verb of a query has a slot, or a reason in injection_spec.lua why it needs none. `share`: of
-- a verb that is another one with another connector, a string in so many is enough for a small run.
-- `except`: texts that mean something there.
local hysteria = require("hysteria")

local sql = hysteria.sql
local slots = {}

local function add(slot, more)
  for key, value in next, more or {} do
    slot[key] = value
  end
  slots[#slots + 1] = slot
end

local function row(kind, name, build, more)
  add({ kind = kind, name = name, build = build }, more)
end

local function call(kind, name, fn, more)
  add({ kind = kind, name = name, call = fn }, more)
end

local function q(w)
  return w.ds:query("inj")
end

-- ---- values -----------------------------------------------------------------------------------

row("value", "where", function(w, text) return q(w):where("name", text) end)
row("value", "where with an operator", function(w, text) return q(w):where("name", "<>", text) end)
row("value", "where-table", function(w, text) return q(w):where { name = text, id = 1 } end)
row("value", "whereNot", function(w, text) return q(w):whereNot("name", ">", text) end)
row("value", "orWhere", function(w, text) return q(w):where("id", 1):orWhere("name", text) end)
row("value", "whereIn", function(w, text) return q(w):whereIn("name", { "a", text, "b" }) end)
row("value", "whereNotIn", function(w, text) return q(w):whereNotIn("name", { text }) end)
row("value", "whereIn, a long list", function(w, text)
  local list = {}
  for index = 1, 120 do
    list[index] = "v" .. index
  end
  list[60] = text
  return q(w):whereIn("name", list)
end, { literal = false })
row("value", "whereBetween", function(w, text) return q(w):whereBetween("name", text, "zz") end)
local PATTERN = { codes = { DATA_INVALID = true } } -- PostgreSQL wants no backslash at the end
row("value", "whereLike", function(w, text) return q(w):whereLike("name", text) end, PATTERN)
row("value", "whereNotLike", function(w, text) return q(w):whereNotLike("name", text) end, PATTERN)
row("value", "whereILike", function(w, text) return q(w):whereILike("name", text) end, PATTERN)
row("value", "whereRegexp", function(w, text) return q(w):whereRegexp("name", text) end,
  { codes = { DATA_INVALID = true, SYNTAX = true, DATABASE_ERROR = true } })
row("value", "sql.op", function(w, text) return q(w):where { name = sql.op.gte(text) } end)
row("value", "sql.any", function(w, text) return q(w):where(sql.any { { name = text }, { id = 2 } }) end)
row("value", "having", function(w, text)
  return q(w):select("name"):groupBy("name"):having("name", text)
end)
row("value", "onValue", function(w, text)
  return q(w):select("inj.id"):join("inj as j", function(on)
    on:on("j.id", "inj.id"):onValue("j.name", text)
  end)
end)
row("value", "whereRaw", function(w, text) return q(w):whereRaw("name = ?", { text }) end)
row("value", "sql.rawStatement", function(w, text)
  return q(w):where("name", sql.rawStatement("coalesce(name, ?)", text))
end)
row("value", "sql.func", function(w, text) return q(w):where(sql.func("coalesce", sql.col("name"), text), "x") end)
row("value", "sql.case", function(w, text)
  return q(w):select("id"):orderBy(sql.case({ { { name = text }, 1 } }, 2))
end)
row("value", "a subquery", function(w, text)
  return q(w):whereIn("id", w.ds:query("inj"):select("id"):where("name", text))
end)
row("value", "whereExists", function(w, text)
  return q(w):whereExists(w.ds:query("inj as e"):where("e.name", text))
end)
row("value", "a common table", function(w, text)
  return w.ds:query("c"):with("c", w.ds:query("inj"):where("name", text))
end)
row("value", "union", function(w, text) return q(w):select("id"):union(q(w):select("id"):where("name", text)) end)
row("value", "selectRaw", function(w, text) return q(w):selectRaw("coalesce(name, ?) AS x", text) end)
row("value", "joinRaw", function(w, text)
  return q(w):select("inj.id"):joinRaw("inj AS j ON j.id = inj.id AND j.name = ?", text)
end)
row("value", "onRaw", function(w, text)
  return q(w):select("inj.id"):join("inj as j", function(on)
    on:on("j.id", "inj.id"):onRaw("j.name = ?", { text })
  end)
end)
row("value", "havingRaw", function(w, text)
  return q(w):select("name"):groupBy("name"):havingRaw("max(name) = ?", { text })
end)
row("value", "havingIn", function(w, text) return q(w):select("name"):groupBy("name"):havingIn("name", { text,
  "a" }) end)
row("value", "havingBetween", function(w, text)
  return q(w):select("name"):groupBy("name"):havingBetween("name", "a", text)
end)
row("value", "orderByRaw", function(w, text) return q(w):orderByRaw("coalesce(name, ?)", text) end)
row("value", "except", function(w, text)
  return q(w):select("id"):except(q(w):select("id"):where("name", text))
end)
row("value", "a model's where", function(w, text) return w.Person:query():where("name", text) end)
row("value", "a model's where-table", function(w, text) return w.Person:query():where { name = text } end)
call("value", "find", function(w, text) return w.Person:find { where = { name = text } } end)
call("value", "findBy", function(w, text) return w.Person:findBy("name", text) end)
call("value", "rawQuery", function(w, text) return w.ds:rawQuery("SELECT id FROM inj WHERE name = ?", { text }) end)
call("value", "rawQuery by name", function(w, text)
  return w.ds:rawQuery("SELECT id FROM inj WHERE name = :n", { n = text })
end)
call("value", "update", function(w, text) return q(w):where("id", 1):update { name = text } end)
call("value", "a model's update", function(w, text) return w.Person:query():where("id", 1):update { name = text } end)
call("value", "a JSON value", function(w, text) return w.Person:query():where("id", 2):update { tree = { text } } end)
call("value", "a JSON key", function(w, text)
  return w.Person:query():where("id", 2):update { tree = sql.object { [text] = 1 } }
end)
call("value", "delete", function(w, text) return q(w):where("id", -1):where("name", text):delete() end)

row("value", "a tuple in a list", function(w, text)
  return q(w):whereIn({ "id", "name" }, { { 1, text }, { 2, "b" } })
end)
local JSON = { inside = true } -- the text is inside of a document
row("value", "whereJson", function(w, text) return w.Person:query():whereJson("tree", { text }) end, JSON)
row("value", "whereJsonEquals", function(w, text) return w.Person:query():whereJsonEquals("tree", { a = text }) end,
  JSON)
row("value", "whereJsonContains", function(w, text)
  return w.Person:query():whereJsonContains("tree", sql.object { [text] = { text } })
end, { inside = true, key = true })
row("value", "whereJson, an order", function(w, text) return w.Person:query():whereJson("tree", "a", "<", text) end,
  JSON)
row("path", "whereJson, a key of an order", function(w, text)
  return w.Person:query():whereJson("tree", { text, "b" }, ">=", 1)
end)
row("path", "whereJsonEquals, a path", function(w, text)
  return w.Person:query():whereJsonEquals("tree", text, 1)
end)
row("path", "whereJsonEquals, a key", function(w, text)
  return w.Person:query():whereJsonEquals("tree", { "a", text }, 1)
end)
row("path", "selectJson, a path", function(w, text) return w.Person:query():selectJson("tree", text, "x") end)
row("path", "selectJson, a key", function(w, text) return w.Person:query():selectJson("tree", { text }, "x") end)
row("path", "selectJsonText, a key", function(w, text)
  return w.Person:query():selectJsonText("tree", { text, "b" }, "x")
end)
row("path", "selectJsonArrayLength, a key", function(w, text)
  return w.Person:query():selectJsonArrayLength("tree", { text }, "x")
end)
row("path", "selectJsonKeys, a key", function(w, text)
  return w.Person:query():selectJsonKeys("tree", { text }, "x")
end)
call("value", "upsertMany", function(w, text) return w.Person:upsertMany({ "id" }, { { id = 2, name = text } }) end)
call("value", "updateMany", function(w, text) return w.Person:query():updateMany { { id = 2, name = text } } end)
local last_id = 1000
call("value", "insertMany", function(w, text)
  last_id = last_id + 1
  return q(w):insertMany { { id = last_id, name = text } }
end)
call("value", "upsert", function(w, text) return w.Person:upsert({ id = 2 }, { name = text }) end)
call("value", "upsert on a table", function(w, text) return q(w):upsert({ id = 2, name = text }, { id = 2 }) end)

-- ---- identifiers ------------------------------------------------------------------------------

row("dotted", "select", function(w, text) return q(w):select(text) end, { star = true })
row("dotted", "select, aliased", function(w, text) return q(w):select { text, "x" } end)
row("dotted", "where, the column", function(w, text) return q(w):where(text, 1) end)
row("dotted", "where-table, the key", function(w, text) return q(w):where { [text] = 1 } end)
row("dotted", "whereNull", function(w, text) return q(w):whereNull(text) end)
row("dotted", "whereIn, the column", function(w, text) return q(w):whereIn(text, { 1, 2 }) end)
row("dotted", "whereBetween, the column", function(w, text) return q(w):whereBetween(text, 1, 2) end)
row("dotted", "whereColumn, left", function(w, text) return q(w):whereColumn(text, "id") end)
row("dotted", "whereColumn, right", function(w, text) return q(w):whereColumn("id", "<", text) end)
row("dotted", "having, the column", function(w, text) return q(w):select("id"):groupBy("id"):having(text, 1) end)
row("dotted", "groupBy", function(w, text) return q(w):select("id"):groupBy(text) end)
row("dotted", "orderBy", function(w, text) return q(w):orderBy(text) end)
row("dotted", "distinctOn", function(w, text) return q(w):select("id"):distinctOn(text) end)
row("dotted", "selectFunc, the column", function(w, text) return q(w):selectFunc("max", text, "x") end)
row("dotted", "sql.col", function(w, text) return q(w):where("id", sql.col(text)) end)
row("dotted", "sql.func, an argument", function(w, text) return q(w):where(sql.func("abs", sql.col(text)), 1) end)
row("dotted", "on", function(w, text)
  return q(w):select("inj.id"):leftJoin("inj as j", function(on) on:on(text, "inj.id") end)
end)
call("dotted", "pluck", function(w, text) return q(w):pluck(text) end)
call("dotted", "getMax", function(w, text) return q(w):getMax(text) end)

row("name", "the alias of a column", function(w, text) return q(w):select { "id", text } end, { field = true })
row("name", "selectFunc, the alias", function(w, text) return q(w):selectFunc("max", "id", text) end, { field = true })
row("name", "the alias of a subquery", function(w, text)
  return q(w):select(w.ds:query("inj as s"):selectFunc("max", "s.id", "m"), text)
end, { field = true })
row("name", "the alias of a model's column", function(w, text) return w.Person:query():select { "id", text } end,
  { field = true })
row("name", "from, the alias", function(w, text) return w.ds:query("x"):from(w.ds:query("inj"), text) end)
row("name", "the table's alias", function(w, text) return w.ds:query("inj", { alias = text }):select("id") end)
row("name", "with", function(w, text) return q(w):with(text, w.ds:query("inj"):where("id", 1)) end)
row("name", "withRecursive", function(w, text) return q(w):withRecursive(text, w.ds:query("inj"):where("id", 1)) end)
call("name", "insert, the column", function(w, text) return q(w):insert { [text] = 1 } end)
call("name", "update, the column", function(w, text) return q(w):where("id", -1):update { [text] = 1 } end)

row("dotted", "selectWindow, the column", function(w, text)
  return q(w):selectWindow("max", text, { orderBy = "id" }, "x")
end)
row("dotted", "selectWindow, the partition", function(w, text)
  return q(w):selectWindow("row_number", { partitionBy = { text }, orderBy = "id" }, "x")
end)
row("dotted", "selectWindow, the order", function(w, text)
  return q(w):selectWindow("row_number", { orderBy = text }, "x")
end)
row("name", "selectWindow, the alias", function(w, text)
  return q(w):selectWindow("row_number", { orderBy = "id" }, text)
end, { field = true })
row("name", "selectSubQuery, the alias", function(w, text)
  return q(w):selectSubQuery(w.ds:query("inj as s"):selectFunc("max", "s.id", "m"), text)
end, { field = true })
row("name", "selectJson, the alias", function(w, text)
  return w.Person:query():selectJson("tree", "a", text)
end)
row("dotted", "a tuple, a column", function(w, text) return q(w):whereIn({ "id", text }, { { 1, 2 } }) end)

row("name", "alias", function(w, text) return q(w):alias(text):select("id") end)
row("name", "withMaterialized", function(w, text) return q(w):withMaterialized(text, w.ds:query("inj")) end)
row("name", "selectJsonRaw, the alias", function(w, text) return q(w):selectJsonRaw("'[]'", text) end)
call("name", "insertMany, the column", function(w, text) return q(w):insertMany { { [text] = 1 } } end)
row("dotted", "havingNull", function(w, text) return q(w):select("id"):groupBy("id"):havingNull(text) end)

row("table", "the table", function(w, text) return w.ds:query(text):select("id") end)
row("table", "from", function(w, text) return q(w):from(text):select("id") end)
row("table", "join", function(w, text) return q(w):select("inj.id"):join(text, "id", "id") end)
row("table", "crossJoin", function(w, text) return q(w):select("inj.id"):crossJoin(text) end)

row("member", "a model's select", function(w, text) return w.Person:query():select(text) end)
row("member", "a model's where, the column", function(w, text) return w.Person:query():where(text, 1) end)
row("member", "a model's orderBy", function(w, text) return w.Person:query():orderBy(text) end)
row("member", "a model's groupBy", function(w, text) return w.Person:query():select("id"):groupBy(text) end)
call("member", "a model's find", function(w, text) return w.Person:find { where = { [text] = 1 } } end)
call("member", "a model's find, the order", function(w, text) return w.Person:find { orderBy = { text } } end)
call("member", "a model's insert, the column", function(w, text) return w.Person:insert { [text] = text } end)
call("member", "a model's update, the column", function(w, text)
  return w.Person:query():where("id", -1):update { [text] = 1 }
end)
row("member", "annotate, the column", function(w, text) return w.Person:query():annotate("max", text, "x") end)
call("member", "scope", function(w, text) return w.Person:query():scope(text):many() end)
call("member", "updateMany, the column", function(w, text)
  return w.Person:query():updateMany { { id = -1, [text] = 1 } }
end)
call("member", "load", function(w, text) return w.Person:query():load(text):many() end)

-- ---- the same with another word ----------------------------------------------------------------

-- One for one, and OR and AND of each: how the text stands in it, of what kind it is.
local function subquery(w, text)
  return w.ds:query("inj as e"):where("e.name", text)
end

local function is_value(query, verb, text)
  return query[verb](query, "name", text)
end

local function is_document(query, verb, text)
  return query[verb](query, "tree", { text })
end

local PATTERN_ERRORS = { codes = { DATA_INVALID = true, SYNTAX = true, DATABASE_ERROR = true } }
local FAMILIES = {
  { "", is_value }, { "Not", is_value }, { "Like", is_value, PATTERN_ERRORS }, { "NotLike", is_value, PATTERN_ERRORS },
  { "ILike", is_value, PATTERN_ERRORS }, { "NotILike", is_value, PATTERN_ERRORS },
  { "Regexp", is_value, PATTERN_ERRORS }, { "NotRegexp", is_value, PATTERN_ERRORS },
  { "In", function(query, verb, text) return query[verb](query, "name", { text, "b" }) end },
  { "NotIn", function(query, verb, text) return query[verb](query, "name", { "a", text }) end },
  { "Between", function(query, verb, text) return query[verb](query, "name", "a", text) end },
  { "NotBetween", function(query, verb, text) return query[verb](query, "name", text, "b") end },
  { "Null", function(query, verb, text) return query[verb](query, text) end, kind = "dotted" },
  { "NotNull", function(query, verb, text) return query[verb](query, text) end, kind = "dotted" },
  { "Raw", function(query, verb, text) return query[verb](query, "name = ?", { text }) end },
  { "Column", function(query, verb, text) return query[verb](query, "id", "<", text) end, kind = "dotted" },
  { "Exists", function(query, verb, text, w) return query[verb](query, subquery(w, text)) end },
  { "NotExists", function(query, verb, text, w) return query[verb](query, subquery(w, text)) end },
  { "Json", is_document, JSON }, { "NotJson", is_document, JSON }, { "JsonEquals", is_document, JSON },
  { "JsonNotEquals", is_document, JSON }, { "JsonContains", is_document, JSON },
  { "JsonNotContains", is_document, JSON },
  { "JsonIn", function(query, verb, text) return query[verb](query, "tree", { text, "b" }) end, JSON },
  { "JsonNotIn", function(query, verb, text) return query[verb](query, "tree", { "a", text }) end, JSON },
  { "JsonRaw", function(query, verb, text) return query[verb](query, "name = ?", { text }) end },
}
local OF_HAVING = { [""] = true, Not = true, In = true, NotIn = true, Between = true, NotBetween = true, Null = true,
  NotNull = true, Raw = true }

local function each_connector(base, fn)
  for _, connector in ipairs { "", "or", "and" } do
    fn(connector == "" and base or connector .. base:sub(1, 1):upper() .. base:sub(2))
  end
end

for _, family in ipairs(FAMILIES) do
  local kind, more = family.kind or "value", { share = 10 }
  for key, value in next, family[3] or {} do
    more[key] = value
  end
  each_connector("where" .. family[1], function(verb)
    row(kind, verb .. " of a family", function(w, text)
      return family[2]((more.inside and w.Person:query() or q(w)):where("id", 1), verb, text, w)
    end, more)
  end)
  each_connector("having" .. family[1], function(verb)
    if OF_HAVING[family[1]] then
      row(kind, verb .. " of a family", function(w, text)
        return family[2](q(w):select("name"):groupBy("name"):having("name", "<>", "x"), verb, text, w)
      end, more)
    end
  end)
end

local ON = {
  { "on", "dotted", function(on, verb, text) on[verb](on, "j.id", text) end },
  { "onValue", "value", function(on, verb, text) on[verb](on, "j.name", text) end },
  { "onRaw", "value", function(on, verb, text) on[verb](on, "j.name = ?", { text }) end },
}
for _, entry in ipairs(ON) do
  each_connector(entry[1], function(verb)
    row(entry[2], verb .. " of a family", function(w, text)
      return q(w):select("inj.id"):join("inj as j", function(on)
        entry[3](on:on("j.id", "inj.id"), verb, text)
      end)
    end, { share = 10 })
  end)
end

for _, verb in ipairs { "innerJoin", "leftJoin", "rightJoin", "fullJoin" } do
  row("table", verb, function(w, text)
    local query = q(w):select("inj.id")
    return query[verb](query, text, "id", "id")
  end, { share = 10 })
end
for _, verb in ipairs { "leftJoinRaw", "rightJoinRaw", "fullJoinRaw" } do
  row("value", verb, function(w, text)
    local query = q(w):select("inj.id")
    return query[verb](query, "inj AS j ON j.id = inj.id AND j.name = ?", text)
  end, { share = 10, codes = { SYNTAX = true, UNDEFINED_COLUMN = true } }) -- MySQL has no FULL JOIN
end
for _, verb in ipairs { "crossJoinRaw", "naturalJoinRaw" } do
  row("value", verb, function(w, text)
    local query = q(w):select("inj.id")
    return query[verb](query, "(SELECT 7 AS other FROM inj WHERE name = ?) AS j", text)
  end, { share = 10 })
end
for _, verb in ipairs { "unionAll", "intersect", "except" } do
  row("value", verb .. ", a query", function(w, text)
    local query = q(w):select("id")
    return query[verb](query, q(w):select("id"):where("name", text))
  end, { share = 10 })
end
for _, verb in ipairs { "union", "unionAll", "intersect", "except" } do
  row("value", verb .. ", raw", function(w, text)
    local query = q(w):select("id")
    return query[verb](query, "SELECT id FROM inj WHERE name = ?", { text })
  end, { share = 10 })
end
row("value", "groupByRaw", function(w, text) return q(w):select("id"):groupByRaw("id, coalesce(name, ?)", text) end)
row("table", "table, the verb", function(w, text) return q(w):table(text):select("id") end)

for _, verb in ipairs { "getCount", "count", "getMin", "getAvg", "getSum" } do
  call("dotted", verb, function(w, text)
    local query = q(w)
    return query[verb](query, text)
  end, { share = 10 })
end
for _, verb in ipairs { "increment", "decrement" } do
  call("name", verb .. ", the column", function(w, text)
    local query = q(w):where("id", -1)
    return query[verb](query, text, 1)
  end, { alone = true })
end
call("value", "upsertMany on a table", function(w, text)
  return q(w):upsertMany({ "id" }, { "name" }, { { id = 2, name = text } })
end)
-- A key that there is makes another statement than one that there is not, on MySQL and MariaDB.
call("name", "upsertMany on a table, the column", function(w, text)
  return q(w):upsertMany({ text }, { text }, { { [text] = 1 } })
end, { except = { id = true, ID = true } })

-- ---- words ------------------------------------------------------------------------------------

local COMPARE = {
  "=", "==", "!=", "<>", "<", "<=", ">", ">=", "like", "not like", "ilike", "not ilike", "regexp", "not regexp", "is",
  "is not", "is null", "is not null", "is distinct from", "is not distinct from", "between", "not between", "in",
  "not in",
}
local LOCAL_ONLY = { words = {} }

row("word", "where, the operator", function(w, text) return q(w):where("id", text, 1) end, { words = COMPARE })
row("word", "whereColumn, the operator", function(w, text) return q(w):whereColumn("id", text, "age") end,
  { words = COMPARE })
row("word", "having, the operator", function(w, text)
  return q(w):select("id"):groupBy("id"):having("id", text, 1)
end, { words = COMPARE })
row("word", "join, the operator", function(w, text)
  return q(w):select("inj.id"):join("inj as j", "id", "id", text)
end, { words = COMPARE })
row("word", "orderBy, the direction", function(w, text) return q(w):orderBy("id", text) end,
  { words = { "asc", "desc" } })
row("word", "orderBy, the nulls", function(w, text) return q(w):orderBy("id", "asc", { nulls = text }) end,
  { words = { "", "first", "last" } })
row("word", "selectFunc, the function", function(w, text) return q(w):selectFunc(text, "id", "x") end, { plain = true })
row("word", "sql.func, the function", function(w, text) return q(w):where(sql.func(text, sql.col("id")), 1) end,
  { plain = true })
row("word", "selectWindow, the function", function(w, text)
  return q(w):selectWindow(text, { orderBy = "id" }, "x")
end, { plain = true })
row("word", "selectWindow, the frame", function(w, text)
  return q(w):selectWindow("max", "id", { orderBy = "id", frame = { text, 0, 0 } }, "x")
end, { words = { "rows", "range" } })
row("word", "selectWindow, a bound", function(w, text)
  return q(w):selectWindow("max", "id", { orderBy = "id", frame = { "rows", text, 0 } }, "x")
end, { words = { "unbounded" } })
row("word", "limit", function(w, text) return q(w):limit(text) end, LOCAL_ONLY)
row("word", "offset", function(w, text) return q(w):offset(text) end, { words = {} })
call("word", "a transaction's isolation level", function(w, text)
  return w.ds:transaction(function() end, { isolationLevel = text })
end, { words = {} })
call("word", "toQuery, the dialect", function(w, text) return q(w):toQuery(text) end, { words = {} })
call("word", "paginate", function(w, text) return q(w):paginate(text, text) end, { words = {} })
call("word", "increment, the amount", function(w, text) return q(w):where("id", -1):increment("age", text) end,
  { words = {} })
call("word", "paginateWithCursor, the cursor", function(w, text)
  return w.Person:query():orderBy("id"):paginateWithCursor(2, text)
end, { words = {} })
call("word", "performance, the unit", function(w, text) return q(w):performance(text):many() end,
  { words = { "millis", "seconds" } })
call("word", "timeout", function(w, text) return q(w):timeout(text):many() end, { words = {} })

return slots
