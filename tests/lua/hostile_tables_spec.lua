-- Tables that a program got from outside, or made by mistake, in every place that takes a table or a
-- value: decoded JSON with operators in it, lists for scalars, holes, metatables, cycles, depth, keys
-- of every type. Each is refused with an error of ours before anything is sent, or is data: then the
-- rows that it must not touch are as they were.
local hysteria = require("hysteria")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")
local hostile = require("tests.support.lua.hostile")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local json = hysteria.json

-- What a request's body may hold where the program expects a name, a number or a list of them.
local BODIES = {
  '{ "$gt": "" }', '{ "$ne": null }', '{ "$or": [ { "id": 1 }, { "id": 2 } ] }', '{ "$in": [ 1, 2 ] }',
  '{ "op": ">", "value": 0 }', '{ "operator": "is not null" }', '{ "gt": 0 }', '{ ">": 0 }', '{ "like": "%" }',
  '{ "raw": "1 = 1" }', '{ "sql": "1 = 1", "params": [] }', '{ "text": "1=1" }', '{ "__index": {} }',
  '{ "type": "raw", "value": "now()" }', '{ "toSQL": "x" }', '{ "where": { "id": 1 } }', '{ "id": 1 }',
  '{ "length": 1 }', '{ "any": [] }', '{ "kind": "hysteria.op", "1": 5 }', '{ "1": "id" }', '{ "": "" }', '{}', '[]',
  '[ 1 ]', '[ 1, 2 ]', '[ "id", "name" ]', '[ [ 1 ] ]', '[ { "id": 1 } ]', '[ null ]', '[ 1, null, 3 ]',
  '[ ">", 0 ]', '[ "raw", "1=1" ]', '[ true ]', '{ "a": { "b": { "c": [ 1, { "d": "\' OR 1=1 --" } ] } } }',
}

-- Made new for each use: { what, value }.
local function tables()
  local list = {}
  local function add(what, value)
    list[#list + 1] = { what, value }
  end
  for _, body in ipairs(BODIES) do
    add(body, json.decode(body))
  end
  add("a hole", { 1, nil, 3 })
  add("a hole at the start", { nil, 2 })
  add("keys of two kinds", { 1, a = 2 })
  add("a float for a key", { [1.5] = 1 })
  add("a boolean for a key", { [true] = 1 })
  add("a table for a key", { [{}] = 1 })
  add("a function for a key", { [print] = 1 })
  add("a key of a megabyte", { [("k"):rep(1000000)] = 1 })
  add("a key of the last integer", { [math.maxinteger] = 1 })
  add("a key below one", { [0] = 1, [-1] = 2 })
  add("a key with NUL", { ["id\0"] = 1 })
  add("a key that is no UTF-8", { ["\xff"] = 1 })
  add("a key with a quote", { ["id\" OR 1=1 --"] = 1 })
  add("a cycle", hostile.cycle())
  add("depth 10000", hostile.deep(10000))
  add("a function", function() return 1 end)
  add("a function that raises", function() error(hostile.own_error, 0) end)
  add("a coroutine", coroutine.create(function() end))
  add("userdata", io.stdout)
  add("armed", hostile.armed {})
  add("armed with a key", hostile.armed { id = 1 })
  add("armed with a list", hostile.armed { 1, 2 })
  add("__index that has all", setmetatable({}, { __index = function() return 1 end }))
  add("__pairs that lies", setmetatable({}, { __pairs = function() return next, { id = 1 }, nil end }))
  add("__len that lies", setmetatable({ 1 }, { __len = function() return 1000000 end }))
  add("__eq that agrees", setmetatable({}, { __eq = function() return true end }))
  add("__tostring that injects", setmetatable({}, { __tostring = function() return "1 OR 1=1" end }))
  add("__name of ours", setmetatable({}, { __name = "hysteria.op" }))
  add("our metatable, stolen", setmetatable({ "or", 1 }, getmetatable(sql.array {})))
  add("a value in a list", { sql.op.gt(0) })
  add("a query's methods", core.queryMethods)
  add("the library", sql)
  add("NaN for a value", { id = 0 / 0 })
  return list
end

-- Operators made by the program itself are what they say; these places take them or refuse them.
local SCALARS = { sql.op.gt(0), sql.op.isNotNull(), sql.any { { id = 1 } }, sql.rawStatement("1") }

databases.each(function(ds, database)
  describe("a hostile table", function()
    local Person = model "HostilePerson" {
      hysteria.tableName("hostile_people"),
      hysteria.softDelete(),
      id = column.integer { primaryKey = true },
      name = column.string { length = 60 },
      age = column.integer(),
      price = column.decimal { precision = 10, scale = 2 },
      flag = column.boolean(),
      day = column.date(),
      tree = column.json(),
    }
    local people = Person:using(ds)
    local writes, watching = 0, true
    local before

    -- All rows as the database says them.
    local function dump()
      local list = {}
      local text = "SELECT id, name, CAST(age AS CHAR(20)) AS age FROM hostile_people ORDER BY id"
      for _, row in ipairs(ds:rawQuery(text)) do
        list[#list + 1] = ("%s %s %s"):format(row.id, row.name, row.age)
      end
      return table.concat(list, "\n")
    end

    local function reset()
      watching = false
      ds:query("hostile_people"):truncate()
      people:insertMany { { id = 1, name = "ada", age = 36 }, { id = 2, name = "bob", age = 9 }, { id = 3,
        name = "eve" } }
      before = dump()
      watching = true
    end

    setup(function()
      ds:dropTables({ Person }, { ifExists = true })
      ds:createTables { Person }
      ds:addObserver {
        onBeforeQuery = function(event)
          if watching and not event.sql:find("^SELECT") then
            writes = writes + 1
          end
        end,
      }
      reset()
    end)

    teardown(function()
      watching = false
      ds:dropTables({ Person }, { ifExists = true })
    end)

    -- What it is, a call, and the row that the call is about, which may change (`own`).
    local function plain()
      return ds:query("hostile_people")
    end
    local PLACES = {
      { "where, a value", function(t) return people:where("age", t):many() end },
      { "where, a value of a plain table", function(t) return plain():where("age", t):many() end },
      { "where with an operator", function(t) return people:where("age", ">", t):many() end },
      { "where-table, a value", function(t) return people:where({ age = t }):many() end },
      { "where-table", function(t) return people:where(t):many() end },
      { "orWhere-table of a plain table", function(t) return plain():where("id", 1):orWhere(t):many() end },
      { "whereIn", function(t) return people:query():whereIn("age", t):many() end },
      { "whereBetween", function(t) return people:query():whereBetween("age", t):many() end },
      { "whereLike", function(t) return people:query():whereLike("name", t):many() end },
      { "findBy", function(t) return people:findBy("name", t) end },
      { "findOneByPrimaryKey", function(t) return people:findOneByPrimaryKey(t) end },
      { "find", function(t) return people:find(t) end },
      { "find's where", function(t) return people:find { where = t } end },
      { "find's where, a value", function(t) return people:find { where = { name = t } } end },
      { "find's order", function(t) return people:find { orderBy = t } end },
      { "find's limit", function(t) return people:find { limit = t } end },
      { "select", function(t) return people:query():select(t):many() end },
      { "orderBy", function(t) return people:query():orderBy(t):many() end },
      { "orderBy's options", function(t) return people:query():orderBy("id", "asc", t):many() end },
      { "groupBy", function(t) return people:query():select("id"):groupBy(t):many() end },
      { "limit", function(t) return people:query():limit(t):many() end },
      { "having", function(t) return people:query():select("age"):groupBy("age"):having("age", t):many() end },
      { "pluck", function(t) return people:query():pluck(t) end },
      { "many's options", function(t) return people:query():many(t) end },
      { "rawQuery's values", function(t) return ds:rawQuery("SELECT id FROM hostile_people WHERE id = ?", { t }) end },
      { "sql.func", function(t) return people:where(sql.func("abs", sql.col("age")), t):many() end },
      { "sql.case", function(t) return people:query():select(sql.case({ { t, 1 } }, 2), "x"):many() end },
      { "sql.any", function(t) return people:where(sql.any { { id = 1 }, t }):many() end },
      { "insert", function(t) return people:insert(t) end },
      { "insert, a value", function(t) return people:insert { id = 9, name = t } end },
      { "insert, a number", function(t) return people:insert { id = 9, age = t } end },
      { "insert, a decimal", function(t) return people:insert { id = 9, price = t } end },
      { "insert, a boolean", function(t) return people:insert { id = 9, flag = t } end },
      { "insert, a date", function(t) return people:insert { id = 9, day = t } end },
      { "insert into a plain table", function(t) return plain():insert(t) end },
      { "insert into a plain table, a value", function(t) return plain():insert { id = 9, name = t } end,
        },
      { "insertMany", function(t) return people:insertMany(t) end },
      { "insertMany, a row", function(t) return people:insertMany { { id = 8 }, t } end },
      { "insertMany, a value", function(t) return people:insertMany { { id = 8 }, { id = 9, age = t } } end,
        },
      { "a document", function(t) return people:insert { id = 9, tree = t } end },
      { "update", function(t) return people:where("id", 1):update(t) end, own = 1 },
      { "update, a value", function(t) return people:where("id", 1):update { name = t } end, own = 1 },
      { "update of a plain table, a value", function(t) return plain():where("id", 1):update { age = t } end, own = 1 },
      { "update, the condition", function(t) return people:where("id", t):update { name = "changed" } end },
      { "update, a where-table", function(t) return people:where({ id = t }):update { name = "changed" } end },
      { "update, the where option", function(t) return people:update({ name = "changed" },
        { where = { id = t } }) end },
      { "update, a document", function(t) return people:where("id", 1):update { tree = t } end },
      { "delete, the condition", function(t) return people:where("id", t):delete() end },
      { "delete, a where-table", function(t) return people:where({ name = t }):delete() end },
      { "delete, the where option", function(t) return people:delete { where = { id = t } } end },
      { "delete of a plain table", function(t) return plain():where("id", t):delete() end },
      { "softDelete", function(t) return people:where("id", t):softDelete() end },
      { "increment, the amount", function(t) return people:where("id", 1):increment("age", t) end,
        own = 1 },
      { "deleteRecord", function(t) return people:deleteRecord(t) end, own = 1 },
      { "updateRecord", function(t) return people:updateRecord(t, { name = "changed" }) end, own = 1 },
      { "firstOrInsert", function(t) return people:firstOrInsert({ id = 9, name = t }, {}) end },
      { "upsert", function(t) return people:upsert({ id = 1 }, { name = t }) end, own = 1 },
      { "upsert, the search", function(t) return people:upsert({ id = t }, { name = "changed" }) end },
      { "upsertMany", function(t) return people:upsertMany({ "id" }, { { id = 1, name = t } }) end, own = 1 },
      { "save", function(t) return people:save { id = 1, name = t } end, own = 1 },
    }

    -- Which rows changed, that the call was not about.
    local function unsafe(place)
      local after = dump()
      if after == before then
        return nil
      end
      for line in before:gmatch("[^\n]+") do
        local id = math.tointeger(tonumber(line:match("^%d+")))
        if id ~= place.own and not ("\n" .. after .. "\n"):find("\n" .. line .. "\n", 1, true) then
          return ("row %d was %q, now: %s"):format(id, line, after)
        end
      end
    end

    it("is refused or is data, and touches no row that it does not name", function()
      local cases, refused, taken, faults = 0, 0, 0, {}
      local function fault(place, what, text)
        faults[#faults + 1] = ("%s, %s: %s"):format(place[1], what, text)
      end
      for _, place in ipairs(PLACES) do
        for _, entry in ipairs(tables()) do
          cases, writes = cases + 1, 0
          local ok, err = pcall(place[2], entry[2])
          local wrote = writes
          watching = false
          if ok then
            taken = taken + 1
          else
            refused = refused + 1
            if not hysteria.isError(err) and not hostile.is_clean(err) then
              fault(place, entry[1], "an accident: " .. hostile.show(err))
            elseif wrote > 0 and dump() ~= before then
              fault(place, entry[1], "refused, and yet something was written: " .. hostile.show(err))
            end
          end
          local changed = unsafe(place)
          if changed then
            fault(place, entry[1], "unsafe: " .. changed)
          end
          if wrote > 0 then
            reset()
          end
          watching = true
        end
      end
      databases.report("hostile tables on %s: %d cases in %d places (refused %d, data %d), "
        .. "unsafe writes and accidents %d", database, cases, #PLACES, refused, taken, #faults)
      assert.equal(0, #faults, table.concat(faults, "\n", 1, math.min(#faults, 30)))
      assert.equal(0, hostile.touched)
    end)

    it("never stands in for the operators that programs make", function()
      for _, value in ipairs(SCALARS) do
        for _, call in ipairs {
          function() return people:insert { id = 9, name = { value } } end,
          function() return people:where("age", { value }):many() end,
          function() return people:insert { id = 9, tree = { value } } end,
          function() return json.encode { value } end,
        } do
          local ok, err = pcall(call)
          assert.is_false(ok)
          assert.is_true(hysteria.isError(err), hostile.show(err))
        end
      end
      assert.equal(before, dump())
    end)
  end)
end)
