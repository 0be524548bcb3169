-- A nil where a value is expected raises, names what is nil, and nothing runs: every verb, every
-- position. In Lua a nil is a typo more often than a value; NULL is sql.null.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column

local Person = model "NilPerson" {
  hysteria.softDelete(),
  hysteria.scope("adults", function(query)
    query:where("age", ">", 17)
  end),
  id = column.increment(),
  name = column.string(),
  age = column.integer(),
  posts = hysteria.hasMany("NilPost", { foreignKey = "personId" }),
}

local Post = model "NilPost" { id = column.increment(), personId = column.integer(), title = column.string() }

local function noop() end

-- Verb, arguments that are fine, and per argument what the message calls it (false: may be nil).
local QUERY = {
  { "select", { "name" }, { "argument 1" } },
  { "select", { "name", "age" }, { "argument 1", "argument 2" } },
  { "selectRaw", { "1" }, { "selectRaw" } },
  { "selectFunc", { "count", "id", "n" }, { "function", "column", false } },
  { "selectWindow", { "rank", { orderBy = "age" }, "r" }, { "selectWindow", "selectWindow", "alias" } },
  { "selectSubQuery", { Post:query(), "p" }, { "argument 1", "argument 2" } },
  { "selectJson", { "name", "a", "j" }, { "column", "path", false } },
  { "selectJsonText", { "name", "a", "j" }, { "column", "path", false } },
  { "selectJsonArrayLength", { "name", "a", "j" }, { "column", "path", false } },
  { "selectJsonKeys", { "name", "a", "j" }, { "column", "path", false } },
  { "selectJsonRaw", { "name", "j" }, { "selectJsonRaw", "alias" } },
  { "annotate", { "name", "n" }, { "column", "alias" } },
  { "annotate", { "max", "age", "n" }, { "function", "column", "alias" } },
  { "distinctOn", { "name" }, { "distinctOn" } },
  { "from", { "people", "p" }, { "table", false } },
  { "table", { "people" }, { "table" } },
  { "alias", { "p" }, { "alias" } },
  { "where", { "age", 1 }, { "column", "value" } },
  { "where", { "age", ">", 1 }, { "column", "operator", "value" } },
  { "where", { { age = 1 } }, { "where" } },
  { "where", { sql.given { "age" }, { age = 1 } }, { "column", "where" } },
  { "whereColumn", { "age", "id" }, { "column", "whereColumn" } },
  { "whereColumn", { "age", "<", "id" }, { "column", "operator", "whereColumn" } },
  { "whereBetween", { "age", 1, 2 }, { "column", "value", "value" } },
  { "whereBetween", { "age", { 1, 2 } }, { "column", "value" } },
  { "whereIn", { "age", { 1 } }, { "column", "value" } },
  { "whereNull", { "age" }, { "column" } },
  { "whereNotNull", { "age" }, { "column" } },
  { "whereLike", { "name", "a%" }, { "column", "value" } },
  { "whereILike", { "name", "a%" }, { "column", "value" } },
  { "whereRegexp", { "name", "a" }, { "column", "value" } },
  { "whereRegexp", { "name", "a", { flags = "i" } }, { "column", "value", false } },
  { "whereIn", { { "age", "id" }, { { 1, 2 } } }, { "column", "value" } },
  { "whereJson", { "name", 1 }, { "column", "value" } },
  { "whereJson", { "name", "a", 1 }, { "column", "path", "value" } },
  { "whereJsonContains", { "name", 1 }, { "column", "value" } },
  { "whereJsonRaw", { "1 = ?", { 1 } }, { "sql", "params" } },
  { "whereExists", { Post:query() }, { "query" } },
  { "whereRaw", { "1 = ?", { 1 } }, { "sql", "params" } },
  { "having", { "age", 1 }, { "column", "value" } },
  { "having", { "age", ">", 1 }, { "column", "operator", "value" } },
  { "havingBetween", { "age", 1, 2 }, { "column", "value", "value" } },
  { "havingIn", { "age", { 1 } }, { "column", "value" } },
  { "havingNotBetween", { "age", 1, 2 }, { "column", "value", "value" } },
  { "havingNotIn", { "age", { 1 } }, { "column", "value" } },
  { "havingNull", { "age" }, { "column" } },
  { "havingRaw", { "1 = ?", { 1 } }, { "sql", "params" } },
  { "join", { "posts", "person_id", "id" }, { "table", "column", false } },
  { "joinRaw", { "x ON 1" }, { "text" } },
  { "groupBy", { "age" }, { "groupBy" } },
  { "groupByRaw", { "age" }, { "groupByRaw" } },
  { "orderBy", { "age", "desc" }, { "orderBy", false } },
  { "orderByRaw", { "age" }, { "orderByRaw" } },
  { "limit", { 1 }, { "limit" } },
  { "offset", { 1 }, { "offset" } },
  { "with", { "w", Post:query() }, { "name", "query" } },
  { "withRecursive", { "w", Post:query() }, { "name", "query" } },
  { "withMaterialized", { "w", Post:query() }, { "name", "query" } },
  { "union", { Post:query() }, { "query" } },
  { "unionAll", { Post:query() }, { "query" } },
  { "intersect", { Post:query() }, { "query" } },
  { "except", { Post:query() }, { "query" } },
  { "load", { "posts" }, { "relation" } },
  { "load", { "posts", noop }, { "relation", false } },
  { "scope", { "adults" }, { "name" } },
  { "when", { true, noop }, { false, "fn" } },
  { "strictWhen", { true, noop }, { false, "fn" } },
  { "timeout", { 10 }, { "milliseconds" } },
  { "pluck", { "name" }, { "column" } },
  { "getMax", { "age" }, { "column" } },
  { "getMin", { "age" }, { "column" } },
  { "getSum", { "age" }, { "column" } },
  { "getAvg", { "age" }, { "column" } },
  { "paginate", { 1, 10 }, { "page", "perPage" } },
  { "insert", { { name = "x" } }, { "row" } },
  { "insertMany", { { { name = "x" } } }, { "rows" } },
  { "update", { { name = "x" } }, { "changes" } },
  { "increment", { "age", 1 }, { "column", "amount" } },
  { "decrement", { "age", 1 }, { "column", "amount" } },
}

-- The same with "and", "or" and "Not" before the name.
for _, name in ipairs({ "where", "having" }) do
  for _, prefix in ipairs({ "and", "or" }) do
    local capital = name:sub(1, 1):upper() .. name:sub(2)
    QUERY[#QUERY + 1] = { prefix .. capital, { "age", 1 }, { "column", "value" } }
    QUERY[#QUERY + 1] = { prefix .. capital .. "Null", { "age" }, { "column" } }
  end
  QUERY[#QUERY + 1] = { name .. "Not", { "age", 1 }, { "column", "value" } }
  QUERY[#QUERY + 1] = { name .. "Not", { "age", ">", 1 }, { "column", "operator", "value" } }
end
for _, name in ipairs({ "whereNotBetween", "orWhereBetween", "orWhereNotBetween" }) do
  QUERY[#QUERY + 1] = { name, { "age", 1, 2 }, { "column", "value", "value" } }
end
for _, name in ipairs({ "whereNotIn", "orWhereIn", "orWhereNotIn" }) do
  QUERY[#QUERY + 1] = { name, { "age", { 1 } }, { "column", "value" } }
end
for _, name in ipairs({ "whereNotLike", "whereNotILike", "whereNotRegexp", "orWhereLike", "orWhereILike" }) do
  QUERY[#QUERY + 1] = { name, { "name", "a%" }, { "column", "value" } }
end
for _, name in ipairs({ "innerJoin", "leftJoin", "rightJoin", "fullJoin" }) do
  QUERY[#QUERY + 1] = { name, { "posts", "person_id", "id" }, { "table", "column", false } }
end

local CLASS = {
  { "where", { "age", 1 }, { "column", "value" } },
  { "using", { {} }, { "data source" } },
  { "hook", { "beforeInsert", noop }, { "hook", "fn" } },
  { "findBy", { "age", 1 }, { "column", "value" } },
  { "findOneBy", { "age", 1 }, { "column", "value" } },
  { "findOneByPrimaryKey", { 1 }, { "key" } },
  { "fromQuery", { "SELECT 1" }, { "text" } },
  { "insert", { { name = "x" } }, { "row" } },
  { "insertMany", { { { name = "x" } } }, { "rows" } },
  { "update", { { name = "x" }, { where = { age = 1 } } }, { "changes", "MISSING_WHERE" } },
  { "delete", { { where = { age = 1 } } }, { "MISSING_WHERE" } },
  { "refresh", { 1 }, { "record" } },
  { "updateRecord", { 1, { name = "x" } }, { "record", "changes" } },
  { "deleteRecord", { 1 }, { "record" } },
  { "softDelete", { 1 }, { "record" } },
  { "restore", { 1 }, { "record" } },
  { "save", { { name = "x" } }, { "data" } },
  { "firstOrInsert", { { name = "x" }, {} }, { "search", false } },
}

local RECORD = {
  { "update", { { name = "x" } }, { "changes" } },
  { "load", { "posts" }, { "relation" } },
  { "mergeProps", { { name = "x" } }, { "data" } },
  { "has", { "name" }, { "column" } },
}

local SOURCE = {
  { "query", { "people" }, { "table" } },
  { "rawQuery", { "SELECT 1", {} }, { "text", false } },
  { "getModelManager", { Person }, { "model" } },
  { "addObserver", { {} }, { "observer" } },
  { "createTables", { { Person } }, { "models" } },
  { "dropTables", { { Person } }, { "models" } },
  { "transaction", { noop }, { "transaction" } },
  { "startTransaction", { noop }, { "ransaction" } },
  { "outside", { noop }, { "fn" } },
  { "atomic", { noop }, { "fn" } },
}

local VALUES = {
  { "decimal", { "1" }, { "decimal" } },
  { "binary", { "x" }, { "bytes" } },
  { "rawStatement", { "x" }, { "text" } },
  { "col", { "x" }, { "name" } },
  { "func", { "lower" }, { "name" } },
  { "any", { { { a = 1 } } }, { "conditions" } },
  { "all", { { { a = 1 } } }, { "conditions" } },
  { "any", { { a = 1 }, { b = 1 } }, { "condition 1", "condition 2" } },
  { "given", { { "a" } }, { "keys" } },
  { "case", { { { { a = 1 }, 2 } } }, { "whens" } },
  { "useConnection", { { type = "sqlite" }, noop }, { false, "fn" } },
}

local OPERATORS = {
  { "eq", { 1 }, { "=" } },
  { "ne", { 1 }, { "!=" } },
  { "gt", { 1 }, { ">" } },
  { "gte", { 1 }, { ">=" } },
  { "lt", { 1 }, { "<" } },
  { "lte", { 1 }, { "<=" } },
  { "like", { "a" }, { "like" } },
  { "notLike", { "a" }, { "like" } },
  { "ilike", { "a" }, { "like" } },
  { "notILike", { "a" }, { "like" } },
  { "regexp", { "a" }, { "regexp" } },
  { "notRegexp", { "a" }, { "regexp" } },
  { "iregexp", { "a" }, { "regexp" } },
  { "notIRegexp", { "a" }, { "regexp" } },
  { "in_", { { 1 } }, { "in" } },
  { "notIn", { { 1 } }, { "in" } },
  { "between", { 1, 2 }, { "between", "between" } },
  { "notBetween", { 1, 2 }, { "between", "between" } },
}

local HYSTERIA = {
  { "model", { "Nameless" }, { "name" } },
  { "tableName", { "people" }, { "name" } },
  { "naming", { {} }, { "naming" } },
  { "index", { "age" }, { "column" } },
  { "unique", { "age" }, { "column" } },
  { "primaryKey", { "id" }, { "column" } },
  { "check", { "age > 0" }, { "expression" } },
  { "connection", { "main" }, { "name" } },
  { "guarded", { "age" }, { "column" } },
  { "scope", { "s", noop }, { "name", "fn" } },
  { "defaultScope", { noop }, { "fn" } },
  { "options", { {} }, { "options" } },
  { "mixin", { {} }, { "mixin" } },
  { "beforeInsert", { noop }, { "fn" } },
  { "beforeFetch", { noop }, { "fn" } },
  { "afterFetch", { noop }, { "fn" } },
  { "hasMany", { "NilPost" }, { "model" } },
  { "belongsTo", { "NilPost" }, { "model" } },
}

databases.each(function(ds)
  describe("a nil argument", function()
    local People, statements, tried = nil, 0, 0

    setup(function()
      ds:dropTables({ Person, Post }, { ifExists = true })
      ds:createTables { Person, Post }
      People = Person:using(ds)
      People:insert { name = "ada", age = 36 }
      ds:addObserver {
        onBeforeQuery = function()
          statements = statements + 1
        end,
      }
    end)

    teardown(function()
      databases.report("nil safety on %s: %d calls, each with one nil", ds:getDbType(), tried)
    end)

    -- The call with a nil at that place raises one of our errors which says what is nil.
    local function expect(label, fn, self, case, place)
      local arguments = table.move(case[2], 1, #case[2], 1, {})
      arguments[place] = nil
      statements, tried = 0, tried + 1
      local ok, err
      if self ~= nil then
        ok, err = pcall(fn, self, table.unpack(arguments, 1, #case[2]))
      else
        ok, err = pcall(fn, table.unpack(arguments, 1, #case[2]))
      end

      assert.is_false(ok, label .. " took a nil")
      assert.is_true(hysteria.isError(err), label .. ": " .. tostring(err))
      local wanted = case[3][place]
      if wanted == "MISSING_WHERE" then
        assert.equal("MISSING_WHERE", err.code, label)
      else
        assert.is_true(err.code == "NIL_VALUE" or err.code == "INVALID_ARGUMENT", label .. ": " .. tostring(err))
        assert.is_truthy(err.message:find(wanted, 1, true), ("%s: \"%s\" does not name %s"):format(
          label, err.message, wanted))
      end
      assert.is_truthy(err.where and err.where:find("nil_safety_spec.lua", 1, true), label .. ": where is "
        .. tostring(err.where))
      assert.equal(0, statements, label .. " ran a statement")
    end

    local function each(cases, what, object)
      for _, case in ipairs(cases) do
        for place = 1, #case[2] do
          if case[3][place] then
            local label = ("%s%s, argument %d of %d"):format(what, case[1], place, #case[2])
            it("is refused by " .. label, function()
              local self, methods = object()
              expect(label, (methods or self)[case[1]], self, case, place)
            end)
          end
        end
      end
    end

    each(QUERY, "query:", function()
      return People:query()
    end)
    each(CLASS, "Model:", function()
      return People
    end)
    each(RECORD, "record:", function()
      return People:first()
    end)
    each(SOURCE, "ds:", function()
      return ds
    end)
    each(VALUES, "sql.", function()
      return nil, sql
    end)
    each(OPERATORS, "sql.op.", function()
      return nil, sql.op
    end)
    each(HYSTERIA, "hysteria.", function()
      return nil, hysteria
    end)

    it("leaves the builder as it was", function()
      for _, case in ipairs(QUERY) do
        local query = People:query():where("id", ">", 0):orderBy("id"):limit(3)
        local before = query:toQuery()
        for place = 1, #case[2] do
          local arguments = table.move(case[2], 1, #case[2], 1, {})
          arguments[place] = nil
          if case[3][place] then
            pcall(query[case[1]], query, table.unpack(arguments, 1, #case[2]))
            assert.equal(before, query:toQuery(), case[1])
          end
        end
      end
    end)

    it("is refused in a where without an entry", function()
      local given = {}
      for _, call in ipairs({
        function() People:query():where({ name = given.name }) end,
        function() People:query():where({ name = given.name }):delete() end,
        function() People:find({ where = { name = given.name } }) end,
        function() People:update({ age = 1 }, { where = { name = given.name } }) end,
        function() People:query():where(sql.any {}) end,
        function() People:query():where(sql.func("lower", nil), "a") end,
      }) do
        statements = 0
        local ok, err = pcall(call)
        assert.is_false(ok)
        assert.equal("NIL_VALUE", err.code)
        assert.equal(0, statements)
      end
    end)

    it("is refused where sql.given asks for its keys", function()
      local ok, err = pcall(function()
        People:query():where(sql.given { "name", "age" }, { name = "ada", age = nil })
      end)

      assert.is_false(ok)
      assert.equal("NIL_VALUE", err.code)
      assert.is_truthy(err.message:find("age", 1, true))
    end)

    it("is refused inside a list of values", function()
      for _, list in ipairs({ { 1, nil, 3 }, { nil, 2 }, { [1] = 1, [3] = 3 } }) do
        local ok, err = pcall(function()
          return People:query():whereIn("id", list)
        end)
        assert.is_false(ok)
        assert.is_true(err.code == "NIL_VALUE" or err.code == "INVALID_ARGUMENT", tostring(err))
      end
    end)
  end)
end)
