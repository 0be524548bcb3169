-- The values that live in `sql` only: NULL, operators, decimals, raw fragments... Each is made
-- by the core; here they get the names that people type.
local core = require("hysteria.core")
local options = require("hysteria.options")

local values = {
  null = core.null,
  jsonNull = core.jsonNull,
  decimal = core.decimal,
  array = core.array,
  object = core.object,
  now = core.now,
}

-- Bytes, for places where no column says that they are.
function values.binary(bytes)
  return core.binary(options.need_type(bytes, "string", "bytes", "sql.binary"))
end

-- SQL as it is, with its own parameters: sql.rawStatement("lower(?)", name).
function values.rawStatement(text, ...)
  return core.raw(options.need_type(text, "string", "text", "sql.rawStatement"), ...)
end

-- A column where a value stands otherwise: sql.col("users.age").
function values.col(name)
  return core.col(options.need_name(name, "name", "sql.col"))
end

-- A value that is said when a prepared query runs: where("age", ">", sql.param("age")).
function values.param(name)
  return core.param(options.need_name(name, "name", "sql.param"))
end

-- where(sql.given { "tenant" }, t) demands that t has these keys.
function values.given(keys)
  return core.given(options.name_list(keys, "keys", "sql.given"))
end

local WORDS = {
  eq = "=", ne = "!=", gt = ">", gte = ">=", lt = "<", lte = "<=", like = "like", notLike = "not like",
  ilike = "ilike", notILike = "not ilike", regexp = "regexp", notRegexp = "not regexp",
  iregexp = "iregexp", notIRegexp = "not iregexp", in_ = "in",
  notIn = "not in", between = "between", notBetween = "not between", isNull = "is null",
  isNotNull = "is not null",
}

local op = {}
local names = {}
for name, word in next, WORDS do
  names[#names + 1] = name
  op[name] = function(...)
    return core.op(word, ...)
  end
end
table.sort(names)

-- Operator values for where-tables: { age = sql.op.gt(18) }. Nothing else makes them.
values.op = setmetatable(op, {
  __index = function(_, name)
    core.raise("INVALID_ARGUMENT", ("no operator sql.op.%s%s"):format(tostring(name), options.hint(name, names)))
  end,
})

-- sql.any { t, t }, sql.any(t, t): OR of where-tables; sql.all: AND.
local function group(connector, what)
  return function(...)
    local count = select("#", ...)
    if count == 1 then
      local list = ...
      options.need(list, "conditions", what)
      if core.kind(list) == nil then
        options.plain(list, what)
        if #list == 0 then
          core.raise("NIL_VALUE", what .. ": no condition is given")
        end
        return core.group(connector, list)
      end
    end
    for index = 1, count do
      options.need((select(index, ...)), "condition " .. index, what)
    end
    return core.group(connector, { ... })
  end
end

values.any = group("or", "sql.any")
values.all = group("and", "sql.all")

-- sql.case({ { where_table, value }, ... }, otherwise)
function values.case(whens, otherwise)
  options.need(whens, "whens", "sql.case")
  return core.case(whens, otherwise)
end

-- An SQL function call as a value: sql.func("lower", sql.col("email")).
function values.func(name, ...)
  options.need_name(name, "name", "sql.func")
  for index = 1, select("#", ...) do
    options.need((select(index, ...)), "argument " .. index, "sql.func")
  end
  return core.func(name, { ... })
end

return values
