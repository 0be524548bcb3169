-- JSON in queries: places, equality and containment mean the same on every database.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

-- ---- random documents --------------------------------------------------------------------------

-- Numbers below n, the same in every run that says no other seed.
local function dice(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    return (state >> 33) % n
  end
end

local PLAIN = { 0, 1, 2.5, -3, "", "a", "A", "b\"c", "é", true, false, sql.jsonNull }
local NAMES = { "a", "b", "a.b", "0", "é" }

local function document(roll, depth)
  local kind = depth == 0 and 0 or roll(4)
  if kind < 2 then
    return PLAIN[roll(#PLAIN) + 1]
  end
  local made = {}
  for _ = 1, roll(4) do
    if kind == 2 then
      made[#made + 1] = document(roll, depth - 1)
    else
      made[NAMES[roll(#NAMES) + 1]] = document(roll, depth - 1)
    end
  end
  return kind == 2 and sql.array(made) or sql.object(made)
end

local function kind_of(value)
  if type(value) == "table" then
    return hysteria.json.encode(value):sub(1, 1)
  end
  return value == sql.jsonNull and "null" or type(value)
end

-- The definition, once more: not by way of any JSON function.
local function holds(whole, part)
  local kind = kind_of(part)
  if kind ~= kind_of(whole) then
    return false
  elseif kind ~= "[" and kind ~= "{" then
    return whole == part
  end
  for name, wanted in pairs(part) do
    local found = kind == "{" and whole[name] ~= nil and holds(whole[name], wanted)
    for _, item in ipairs(kind == "[" and whole or {}) do
      found = found or holds(item, wanted)
    end
    if not found then
      return false
    end
  end
  return true
end

local function contains(whole, part)
  local kind = kind_of(part)
  if kind ~= "[" and kind ~= "{" and kind_of(whole) == "[" then
    for _, item in ipairs(whole) do
      if holds(item, part) then
        return true
      end
    end
    return false
  end
  return holds(whole, part)
end

local function equal(a, b)
  local kind = kind_of(a)
  if kind ~= kind_of(b) or (kind ~= "[" and kind ~= "{") then
    return a == b and kind == kind_of(b)
  end
  for name, value in pairs(a) do
    if b[name] == nil or not equal(value, b[name]) then
      return false
    end
  end
  for name in pairs(b) do
    if a[name] == nil then
      return false
    end
  end
  return true
end

databases.each(function(ds, database)
  local Doc = model "QueryJsonDoc" { id = column.increment(), body = column.json(), name = column.string() }
  local docs = Doc:using(ds)
  local weird = { ["k.d"] = 1, ["0"] = "zero", ['q"t'] = 2, ["b\\s"] = 3, ["é [x]"] = 4, ["n\nl"] = 5, ["$"] = 6,
    ["\1\31\8\12\127"] = 7 }

  local stored = {
    { a = 1, b = { c = "x", d = sql.array {} }, list = { 1, "two", { k = "v" } } },
    { a = "1", b = { c = { "x" } } },
    sql.array { 1, sql.array { 2 }, { a = 1, z = { 3 } }, "x" },
    "x",
    sql.jsonNull,
    sql.null,
    weird,
    { { a = 1 } },
    true,
    { a = 1.0, b = sql.object {} },
  }

  setup(function()
    ds:dropTables({ Doc }, { ifExists = true })
    ds:createTables { Doc }
    for index, body in ipairs(stored) do
      docs:insert { body = body, name = "doc" .. index }
    end
  end)

  local function ids(q)
    return table.concat(q:orderBy("id"):pluck("id"), " ")
  end

  describe("containment", function()
    local cases = {
      { "a plain value, or an array with it", "x", "3 4" },
      { "a plain value inside an inner array is not seen", 2, "" },
      { "a number", 1, "3" },
      { "true", true, "9" },
      { "null", sql.jsonNull, "5" },
      { "an object", { a = 1 }, "1 10" },
      { "an object in an object", { b = { c = "x" } }, "1" },
      { "an array where a plain value stands", { b = { c = { "x" } } }, "2" },
      { "an empty object", sql.object {}, "1 2 7 10" },
      { "an empty array", sql.array {}, "3 8" },
      { "an array in any order", { "x", 1 }, "3" },
      { "an array in an array", { { 2 } }, "3" },
      { "an inner value as an outer one", { 2 }, "" },
      { "an object in an array", { { a = 1 } }, "3 8" },
      { "deep inside an array", { { z = { 3 } } }, "3" },
      { "deep inside an array, as a plain value", { { z = 3 } }, "" },
      { "an array under a name", { list = { { k = "v" }, 1 } }, "1" },
      { "text that looks like a number", { a = "1" }, "2" },
      { "names with dots and quotes", { ["k.d"] = 1, ['q"t'] = 2, ["b\\s"] = 3, ["n\nl"] = 5 }, "7" },
      { "names with control characters", { ["\1\31\8\12\127"] = 7 }, "7" },
    }
    for _, case in ipairs(cases) do
      it("of " .. case[1], function()
        assert.equal(case[3], ids(docs:query():whereJsonContains("body", case[2])))
      end)
    end

    it("is negated, NULL aside", function()
      assert.equal("2 3 4 5 7 8 9", ids(docs:query():whereJsonNotContains("body", { a = 1 })))
    end)

    it("looks at a place", function()
      assert.equal("1", ids(docs:query():whereJsonContains("body", "list", { "two" })))
      assert.equal("1", ids(docs:query():whereJsonContains("body", "$.list[2]", { k = "v" })))
      assert.equal("1", ids(docs:query():whereJsonContains("body", { "b", "c" }, "x"):whereJson("body", "a", 1)))
      assert.equal("", ids(docs:query():whereJsonNotContains("body", "list", { "two" })))
    end)

    it("joins with AND and OR", function()
      assert.equal("1 2 10", ids(docs:query():whereJsonContains("body", { a = 1 })
        :orWhereJsonContains("body", { a = "1" })))
      assert.equal("10", ids(docs:query():whereJsonContains("body", { a = 1 })
        :andWhereJsonNotContains("body", "b", { c = "x" })))
      assert.equal("1 4", ids(docs:query():where(function(q)
        q:whereJson("body", "x"):orWhereJsonContains("body", { list = { 1 } })
      end)))
    end)
  end)

  describe("equality", function()
    local cases = {
      { "of text", "x", "4" },
      { "of text in another case", "X", "" },
      { "of null", sql.jsonNull, "5" },
      { "with NULL is IS NULL", sql.null, "6" },
      { "of numbers by value", { a = 1, b = sql.object {} }, "10" },
      { "minds the order of arrays", sql.array { "x", 1 }, "" },
      { "wants everything", { a = "1" }, "" },
      { "whatever the order of names", { b = { c = { "x" } }, a = "1" }, "2" },
      { "of names with anything in them", weird, "7" },
      { "of arrays", { { a = 1 } }, "8" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        assert.equal(case[3], ids(docs:query():whereJson("body", case[2])))
        assert.equal(case[3], ids(docs:query():whereJsonEquals("body", case[2])))
        assert.equal(case[3], ids(docs:query():where("body", case[2])))
        assert.equal(case[3], ids(docs:query():whereIn("body", { case[2] })))
        assert.equal(case[3], ids(docs:query():where { body = case[2], id = sql.op.gt(0) }))
      end)
    end

    it("is negated, NULL aside", function()
      assert.equal("1 2 3 5 7 8 9 10", ids(docs:query():whereNotJson("body", "x")))
      assert.equal("4 6", ids(docs:query():whereNull("body"):orWhereJson("body", "x")))
      assert.equal("1 2 3 4 5 7 8 9 10", ids(docs:query():whereJsonNotEquals("body", sql.null)))
      assert.equal("1 2 3 5 7 8 9 10", ids(docs:query():where("body", "!=", "x")))
      assert.equal("1 2 3 5 7 8 9 10", ids(docs:query():whereNot("body", "x")))
      assert.equal("1 3 5 7 8 9 10", ids(docs:query():whereNotIn("body", { "x", { b = { c = { "x" } }, a = "1" } })))
      assert.equal("4 6", ids(docs:query():whereIn("body", { "x", sql.null })))
      assert.equal("", ids(docs:query():whereIn("body", {})))
    end)

    it("is all there is without a path", function()
      for _, fn in ipairs {
        function(q) q:where("body", "<", { a = 1 }) end, function(q) q:whereBetween("body", 1, 2) end,
        function(q) q:whereLike("body", "%x%") end, function(q) q:where { body = sql.op.gte(1) } end,
      } do
        local err = error_of(fn, docs:query())
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.truthy(err.message:find("whereJson", 1, true), err.message)
      end
    end)

    it("looks at a place", function()
      assert.equal("1 10", ids(docs:query():whereJson("body", "a", 1)))
      assert.equal("2", ids(docs:query():whereJson("body", "a", "1")))
      assert.equal("1", ids(docs:query():whereJson("body", "list.1", "two")))
    end)
  end)

  describe("order", function()
    local big = math.tointeger(2 ^ 53)
    local values = { -1000, -2.5, -1, 0, 0.1, 1, 1.5, 2, 9, 10, 100, 1e3, 1e20, big - 1, big, big + 1, math.maxinteger,
      math.mininteger, "", " ", "10", "9", "A", "B", "a", "a ", "ab", "b", "ä", "z", "ﬀ", "😀", true, false,
      sql.jsonNull, sql.array { 1 }, sql.object { v = 1 } }
    local Ordered = model "QueryJsonOrder" { id = column.increment(), body = column.json() }
    local ordered = Ordered:using(ds)

    setup(function()
      ds:dropTables({ Ordered }, { ifExists = true })
      ds:createTables { Ordered }
      for _, value in ipairs(values) do
        ordered:insert { body = { v = value } }
      end
      ordered:insertMany { { body = { w = 1 } }, { body = sql.null }, { body = sql.array { 5 } } }
    end)

    local TESTS = {
      ["<"] = function(a, b) return a < b end, ["<="] = function(a, b) return a <= b end,
      [">"] = function(a, b) return a > b end, [">="] = function(a, b) return a >= b end,
    }
    -- By Lua's own comparison, which is exact for numbers and by bytes in the C locale.
    local function expected(test, with)
      local list = {}
      for id, value in ipairs(values) do
        if type(value) == type(with) and (type(with) == "number" or type(with) == "string") and test(value, with) then
          list[#list + 1] = tostring(id)
        end
      end
      return table.concat(list, " ")
    end

    it("is that of numbers by value and of texts by code points", function()
      local seen = 0
      for word, test in pairs(TESTS) do
        for _, with in ipairs(values) do
          if type(with) == "number" or type(with) == "string" then
            local found = ids(ordered:query():whereJson("body", "v", word, with))
            assert.equal(expected(test, with), found, ("%s %s"):format(word, tostring(with)))
            seen = seen + #found
          end
        end
      end
      assert.is_true(seen > 1000)
    end)

    it("takes decimals as numbers", function()
      local expect = expected(TESTS["<"], 0.1)
      assert.equal(expect, ids(ordered:query():whereJson("body", "v", "<", sql.decimal("0.1"))))
    end)

    it("leaves out what is not of the same kind, also where it is negated", function()
      assert.equal(expected(TESTS[">="], 2), ids(ordered:query():whereNotJson("body", "v", "<", 2)))
      assert.equal(expected(TESTS["<="], "b"), ids(ordered:query():whereNotJson("body", "v", ">", "b")))
      assert.equal("", ids(ordered:query():whereJson("body", "$", ">", 0)))
      assert.equal(tostring(#values + 3), ids(ordered:query():whereJson("body", "$[0]", ">", 4)))
    end)

    it("is used by between and in", function()
      local function between(low, high)
        return expected(function(a) return a >= low and a <= high end, low)
      end
      local function where(...)
        return ids(ordered:query():whereJson("body", "v", ...))
      end
      assert.equal(between(1, 10), where("between", { 1, 10 }))
      assert.equal(between(1, 10), where(sql.op.between(1, 10)))
      assert.equal(between("a", "b"), where(sql.op.between("a", "b")))
      assert.equal(expected(function(a) return a < 1 or a > 10 end, 1), where("not between", { 1, 10 }))
      assert.equal("6 21 33 35", where("in", { 1, "10", true, sql.jsonNull }))
      assert.equal("6 21 33 35", where(sql.op.in_ { 1, "10", true, sql.jsonNull }))
      assert.equal("", where("in", {}))
      assert.equal(ordered:count(), #ordered:query():whereJsonNotIn("body", "v", {}):many())
      assert.equal(ordered:count(), #ordered:query():whereJson("body", "v", "not in", {}):many())
      assert.equal(ordered:count(), #ordered:query():whereNotIn("id", {}):many())
      assert.equal("6 21 33 35", ids(ordered:query():whereJsonIn("body", "v", { 1, "10", true, sql.jsonNull })))
      assert.equal("6 10", ids(ordered:where("id", "<", 11):whereJsonNotIn("body", { "v" }, { 1, 10 })
        :whereJsonNotIn("body", "v", { -1000, -2.5, -1, 0, 0.1, 1.5, 2, 9 })
        :orWhereJsonIn("body", { { v = 1 }, { v = 10 } })))
      assert.equal("1 2", ids(ordered:where("id", "<", 4):whereJson("body", "v", "!=", -1)))
      assert.equal("1 2", ids(ordered:where("id", "<", 4):whereJson("body", "v", "not in", { -1, "x" })))
      assert.equal("3", ids(ordered:where("id", "<", 4):whereJson("body", "v", "=", -1)))
      assert.equal("1 3 4", ids(ordered:where("id", 1):orWhereJson("body", "v", sql.op.between(-1, 0))))
    end)

    it("refuses what has none", function()
      local function code(...)
        local arguments = table.pack(...)
        return error_of(function()
          ordered:query():whereJson("body", "v", table.unpack(arguments, 1, arguments.n)):many()
        end).code
      end
      assert.equal("INVALID_ARGUMENT", code("<", true))
      assert.equal("INVALID_ARGUMENT", code("<", sql.jsonNull))
      assert.equal("INVALID_ARGUMENT", code("<", sql.null))
      assert.equal("INVALID_ARGUMENT", code("<", { 1 }))
      assert.equal("INVALID_ARGUMENT", code("between", { 1, "a" }))
      assert.equal("INVALID_ARGUMENT", code("between", { 1 }))
      assert.equal("INVALID_ARGUMENT", code("in", { a = 1 }))
      assert.equal("INVALID_ARGUMENT", code("in", 1))
      assert.equal("INVALID_ARGUMENT", code("like", "a%"))
      assert.equal("INVALID_ARGUMENT", code(sql.op.like("a%")))
      assert.equal("INVALID_ARGUMENT", code("is null", 1))
      assert.equal("NIL_VALUE", code("<", nil))
      assert.equal("INVALID_ARGUMENT", error_of(function()
        ordered:query():whereJsonContains("body", "v", "<", 1)
      end).code)
    end)
  end)

  describe("places", function()
    local function at(id, path)
      return docs:where("id", id):selectJson("body", path, "it"):one().it
    end

    it("mean the same in every spelling", function()
      for _, path in ipairs { "$.b.c", "b.c", { "b", "c" }, "$.b[\"c\"]", "b.\"c\"" } do
        assert.equal("x", at(1, path))
      end
      for _, path in ipairs { "$.list[1]", "list.1", "list[1]", { "list", 1 } } do
        assert.equal("two", at(1, path))
      end
      for _, path in ipairs { "$", "", {} } do
        assert.equal("x", at(4, path))
      end
    end)

    it("reach any name", function()
      assert.equal(1, at(7, "\"k.d\""))
      assert.equal("zero", at(7, "$.\"0\""))
      for name, value in pairs(weird) do
        assert.equal(value, at(7, { name }), name)
      end
    end)

    it("are nil where nothing is, an item of what is no array above all", function()
      assert.is_nil(at(1, "nothing"))
      assert.is_nil(at(1, "a[0]"))
      assert.is_nil(at(1, "b[0].c"))
      assert.is_nil(at(1, { 0 }))
      assert.is_nil(at(6, "a"))
      assert.is_nil(at(7, "0"))
      assert.equal(sql.jsonNull, at(5, "$"))
    end)

    it("give documents, texts, lengths and names", function()
      local row = docs:where("id", 1):selectJson("body", "list", "list"):selectJsonText("body", "b.c", "text")
        :selectJsonText("body", "a", "number"):selectJsonArrayLength("body", "list", "length")
        :selectJsonArrayLength("body", "b", "noLength"):selectJsonKeys("body", "b", "names")
        :selectJsonKeys("body", "list", "noNames"):one()
      assert.same({ 1, "two", { k = "v" } }, row.list)
      assert.equal("x", row.text)
      assert.equal("1", row.number)
      assert.equal(3, row.length)
      assert.is_nil(row.noLength)
      table.sort(row.names)
      assert.same({ "c", "d" }, row.names)
      assert.is_nil(row.noNames)
    end)

    it("give no text for null, and JSON text for what is no plain value", function()
      assert.is_nil(docs:where("id", 5):selectJsonText("body", "$", "it"):one().it)
      assert.equal("x", docs:where("id", 4):selectJsonText("body", "$", "it"):one().it)
      assert.equal("true", docs:where("id", 9):selectJsonText("body", "$", "it"):one().it)
      local text = docs:where("id", 1):selectJsonText("body", "list[2]", "it"):one().it
      assert.same({ k = "v" }, hysteria.json.decode(text))
      assert.same({}, docs:where("id", 10):selectJsonKeys("body", "b", "it"):one().it)
    end)

    it("are named by what they are of", function()
      local row = docs:where("id", 1):selectJson("body", "b.c"):selectJsonText("body", "list[1]"):one()
      assert.equal("x", row.c)
      assert.equal("two", row.list)
    end)

    it("stand in a subquery with binds around them", function()
      local inner = docs:query():select("id"):whereJson("body", "a", 1)
      assert.equal("10", ids(docs:where("name", "!=", "doc1"):whereIn("id", inner):where("id", ">", 2)))
    end)
  end)

  it("means the same for documents of any shape", function()
    local Random = model "QueryJsonRandom" { id = column.increment(), body = column.json() }
    local random, seed = Random:using(ds), tonumber(os.getenv("HY_SEED")) or 20240131
    local roll, bodies, rows, hits = dice(seed), {}, {}, 0
    ds:dropTables({ Random }, { ifExists = true })
    ds:createTables { Random }
    for index = 1, 80 do
      bodies[index] = document(roll, 3)
      rows[index] = { body = bodies[index] }
    end
    random:insertMany(rows)
    local function expect(test, part)
      local list = {}
      for id, body in ipairs(bodies) do
        if test(body, part) then
          list[#list + 1] = tostring(id)
        end
      end
      hits = hits + #list
      return table.concat(list, " ")
    end
    for _ = 1, 150 do
      local part = document(roll, 2)
      local about = ("HY_SEED=%d %s"):format(seed, hysteria.json.encode(part))
      assert.equal(expect(contains, part), ids(random:query():whereJsonContains("body", part)), about)
      assert.equal(expect(equal, part), ids(random:query():whereJson("body", part)), about)
      assert.equal(expect(function(body) return not contains(body, part) end, part),
        ids(random:query():whereJsonNotContains("body", part)), about)
    end
    assert.is_true(hits > 1000)
    ds:dropTables { Random }
  end)

  it("takes raw conditions and raw documents", function()
    local text = ({ sqlite = "json_extract(body, '$.a') = ?", mysql = "JSON_EXTRACT(body, '$.a') = ?",
      mariadb = "JSON_EXTRACT(body, '$.a') = ?" })[database] or "body ->> 'a' = CAST(? AS TEXT)"
    local value = (database == "postgres" or database == "cockroachdb") and "1" or 1
    local found = ids(docs:query():whereJsonRaw(text, { value }))
    assert.matches("^1 ", found .. " ")
    local whole = docs:where("id", 8):selectJsonRaw("body", "it"):one().it
    assert.same({ { a = 1 } }, whole)
  end)

  it("refuses what is no path and no value", function()
    local function code(fn)
      return error_of(fn).code
    end
    local bad = { "a..b", "a[", "a[*]", "*", "a[x]", "[1", "a.", "\"a", "a b[1]c", { 1.5 }, { -1 }, { true } }
    for _, path in ipairs(bad) do
      assert.equal("INVALID_ARGUMENT", code(function() docs:query():selectJson("body", path, "it") end))
    end
    assert.equal("INVALID_ARGUMENT", code(function() docs:query():selectJson("body", { "a\0b" }, "it") end))
    assert.equal("NIL_VALUE", code(function() docs:query():whereJson("body", nil) end))
    assert.equal("INVALID_ARGUMENT", code(function() docs:query():whereJsonContains("body", sql.null) end))
    assert.equal("INVALID_ARGUMENT", code(function() docs:query():whereJson("body", 7, 1) end))
  end)
end)
