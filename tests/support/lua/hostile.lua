-- What a hostile or careless program passes: values of every type, tables that fight back, and
-- what an answer to them may be.
local core = require("hysteria.core")
local hysteria = require("hysteria")

local sql = hysteria.sql
local hostile = {}

-- An error of ours, an argument error of Lua's own, or what the test's own callbacks raise.
-- Anything else ("attempt to index a nil value") came out of the engine's insides.
hostile.own_error = setmetatable({}, {
  __tostring = function()
    return "raised by the test"
  end,
})

local PLAIN = {
  "^bad argument #", "bad argument #%d+ to ", "stack overflow", "attempt to yield across",
  "attempt to yield from outside", "cannot resume", "too many results to unpack", "table overflow",
  "^not enough memory$",  "attempt to .- a decimal", "attempt to compare", "attempt to perform arithmetic on",
}

function hostile.is_clean(err)
  if hysteria.isError(err) or rawequal(err, hostile.own_error) then
    return true
  end
  if type(err) ~= "string" then
    return false
  end
  for _, pattern in ipairs(PLAIN) do
    if err:find(pattern) then
      return true
    end
  end
  return false
end

function hostile.show(err)
  local ok, text = pcall(tostring, err)
  return ok and text or "an error that cannot be shown"
end

-- Metamethods that must never run; how often they did.
hostile.touched = 0

local function touch()
  hostile.touched = hostile.touched + 1
  error(hostile.own_error, 0)
end

function hostile.armed(content)
  return setmetatable(content or {}, {
    __index = touch, __newindex = touch, __pairs = touch, __len = touch, __call = touch, __eq = touch, __lt = touch,
    __concat = touch, __name = "armed",
  })
end

function hostile.cycle()
  local t = { name = "x", list = {} }
  t.self, t.list[1] = t, t
  return t
end

function hostile.deep(levels)
  local t = {}
  for _ = 1, levels do
    t = { t }
  end
  return t
end

hostile.long = ("x"):rep(100000)
hostile.bad_text = { "\0", "a\0b", "\xff", "\xc0\x80", "\xed\xa0\x80", "a\xf5", "\xe2\x82", ("\xf0"):rep(7) }

-- Names that end a quote, a statement or a program's patience.
hostile.names = {
  "", " ", "\"", "'", "`", "a\"b", "x'; DROP TABLE people; --", "a.b.c.d", ".", "..", "a.", ".a", "*", "a.*", "*.*",
  "--", "/*", "name as", " as ", "as", "a as b as c", "?", "??", ":a", "$1", "[a]", "select", "null", "rowid",
  "\n", "\t", "%s", "%", "é", "名前", "\u{202e}", ("n"):rep(64), ("n"):rep(70000), "__index", "__gc", "1",
  "1a", "id id", "id,name",
}

-- Values by what they are; `fresh` makes those that a call may change.
function hostile.values(objects)
  local list = {
    false, true, false, 0, -0.0, 1, -1, 2, 7, 1.5, -1e308, 2 ^ 53, 2 ^ 63, 0 / 0, 1 / 0, -1 / 0, math.maxinteger,
    math.mininteger, "", "id", "name", "age", "no_such_column", "people", "people.id", "posts", "adults", "desc", "asc",
    ">", "=", "in", "between", "is null", "like", "count", "sum", "lower", "first", "a", "1", "1.5", "sqlite", "binds",
    sql.null, sql.jsonNull, sql.op.gt(1), sql.op.in_ { 1, 2 }, sql.op.between(1, 2), sql.op.isNull(),
    sql.any { { id = 1 } }, sql.all { { id = 1 }, { name = "x" } }, sql.func("lower", sql.col("name")), sql.col("name"),
    sql.case({ { { id = 1 }, 2 } }, 3), sql.rawStatement("1"), sql.rawStatement("? + ?", 1, 2), sql.binary("\0\1"),
    sql.decimal("1.50"), sql.given { "id" }, hostile.own_error, io.stdout, coroutine.create(type), type, string.format,
    function() end,
    function(...)
      return ...
    end,
    function()
      error(hostile.own_error, 0)
    end,
    function(q)
      return core.kind(q) == "query" and q:where("id", 1)
    end,
    function()
      coroutine.yield(1)
    end,
  }
  for _, text in ipairs(hostile.bad_text) do
    list[#list + 1] = text
  end
  for _, name in ipairs(hostile.names) do
    list[#list + 1] = name
  end
  for _, object in ipairs(objects or {}) do
    list[#list + 1] = object
  end
  return list
end

local makers = {
  function() return {} end,
  function() return { 1, 2, 3 } end,
  function() return { id = 1 } end,
  function() return { name = "x", age = 3 } end,
  function() return { { name = "x" }, { age = 1 } } end,
  function() return { 1, nil, 3 } end,
  function() return { [1.5] = 1 } end,
  function() return { [{}] = 1, [type] = 2 } end,
  function() return { where = { id = 1 }, limit = 1 } end,
  function() return { nosuch = 1 } end,
  function() return { trx = 1 } end,
  function() return { timeout = -1 } end,
  function() return { "name", "age" } end,
  function() return { "name", "alias" } end,
  function() return { id = { ">", 3 } } end,
  function() return { name = { name = { name = {} } } } end,
  function() return sql.array { 1 } end,
  function() return sql.object { a = 1 } end,
  function() return hostile.armed {} end,
  function() return hostile.armed { name = "x" } end,
  function() return hostile.cycle() end,
  function() return hostile.deep(300) end,
  function() return setmetatable({}, { __metatable = false }) end,
  function() return setmetatable({}, { __gc = true, __close = true, __mode = "kv" }) end,
  function() return hostile.long end,
}

-- One random value; nil now and then.
function hostile.any(list)
  local dice = math.random(10)
  if dice == 1 then
    return nil
  elseif dice <= 4 then
    return makers[math.random(#makers)]()
  end
  return list[math.random(#list)]
end

return hostile
