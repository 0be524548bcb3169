-- Where a task may wait: in every callback that Hysteria calls, and in those of Lua that allow it.
-- A ticker runs beside each of them and must not stand still; where Lua cannot yield, it does,
-- and the answer is right all the same.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql

local SLOW = { postgres = "SELECT pg_sleep(0.01) AS s", mysql = "SELECT SLEEP(0.01) AS s",
  mariadb = "SELECT SLEEP(0.01) AS s" }

databases.each(function(ds, database)
  local ticks, ticked_inside = 0, 0

  -- A statement that takes its time and sees the place's transaction, if there is one; on a busy
  -- machine the ticker may need another one.
  local function pause()
    local before = ticks
    for _ = 1, 8 do
      if SLOW[database] then
        ds:rawQuery(SLOW[database])
      else
        async.sleep(10)
        ds:rawQuery("SELECT 1")
      end
      ticked_inside = ticks - before
      if ticked_inside > 0 then
        return
      end
    end
  end

  local where_to_pause
  local function at(name)
    return function()
      if where_to_pause == name then
        pause()
      end
    end
  end

  local annotations = {}
  local HOOKS = {
    "beforeInsert", "afterInsert", "beforeInsertMany", "afterInsertMany", "beforeUpdate", "afterUpdate", "beforeSave",
    "afterSave", "beforeDelete", "afterDelete", "beforeSoftDelete", "afterSoftDelete", "beforeRestore",
    "afterRestore", "beforeFetch", "afterFetch", "validate",
  }
  for index, name in ipairs(HOOKS) do
    annotations[index] = hysteria[name](at(name))
  end
  local literal = {
    hysteria.softDelete(),
    hysteria.scope("slowly", at("scope")),
    hysteria.defaultScope(at("defaultScope")),
    id = column.increment(),
    n = column.integer {
      default = function() at("default")() return 7 end,
      prepare = function(value) at("prepare")() return value end,
      serialize = function(value) at("serialize")() return value end,
      validate = function() at("validator")() return true end,
    },
    parentId = column.integer(),
    children = hysteria.hasMany("YieldRow", { foreignKey = "parentId" }),
  }
  table.move(annotations, 1, #annotations, #literal + 1, literal)
  local Row = model("YieldRow", literal)
  local rows = Row:using(ds)

  setup(function()
    ds:dropTables({ Row }, { ifExists = true })
    ds:createTables { Row }
  end)

  before_each(function()
    where_to_pause = nil
    rows:truncate { withoutDefaultScope = true }
    rows:insertMany({ { n = 1 }, { n = 2 } }, { returning = false })
  end)

  -- fn in a task, beside a ticker; what it gives.
  local function beside_ticker(fn)
    ticks, ticked_inside = 0, 0
    return async.run(function()
      local ticker = async.spawn(function()
        while true do
          async.sleep(1)
          ticks = ticks + 1
        end
      end)
      local answer = fn()
      ticker:cancel()
      return answer
    end)
  end

  local function count(q)
    return q:getCount()
  end

  -- Place, what is done there, and its answer.
  local PLACES = {
    beforeInsert = function() return rows:insert({ n = 3 }).n end,
    afterInsert = function() return rows:insert({ n = 3 }).n end,
    beforeInsertMany = function() return #rows:insertMany { { n = 3 }, { n = 4 } } end,
    afterInsertMany = function() return #rows:insertMany { { n = 3 }, { n = 4 } } end,
    beforeUpdate = function() return rows:where("n", 1):update { n = 5 } end,
    afterUpdate = function() return rows:first():update({ n = 5 }).n end,
    beforeSave = function() return rows:first():save().n end,
    afterSave = function() return rows:insert({ n = 3 }).n end,
    beforeDelete = function() return rows:where("n", 1):delete() end,
    afterDelete = function() return rows:first():delete() end,
    beforeSoftDelete = function() return rows:where("n", 1):softDelete() end,
    afterSoftDelete = function() return rows:first():softDelete().n end,
    beforeRestore = function() return rows:where("n", 1):softDelete() + rows:where("n", 1):restore() end,
    afterRestore = function() return rows:where("n", 1):softDelete() + rows:where("n", 1):restore() end,
    beforeFetch = function() return #rows:find() end,
    afterFetch = function() return #rows:find() end,
    validate = function() return rows:insert({ n = 3 }).n end,
    validator = function() return rows:insert({ n = 3 }).n end,
    default = function() return rows:insert({ parentId = 1 }).n end,
    prepare = function() return rows:insert({ n = 3 }).n end,
    serialize = function() return rows:where("n", 1):one().n end,
    scope = function() return #rows:query():slowly():many() end,
    defaultScope = function() return rows:count() end,
    group = function()
      return count(rows:where(function(q) pause() q:where("n", 1):orWhere("n", 2) end))
    end,
    ["group in a group"] = function()
      return count(rows:where(function(q)
        q:where(function(inner) pause() inner:where("n", 1) end)
      end))
    end,
    ["having group"] = function()
      return #rows:query():select("n"):groupBy("n"):having(function(q) pause() q:having("n", 1) end):many()
    end,
    ["IN subquery"] = function()
      return count(rows:query():whereIn("id", function(q) pause() q:from("yield_rows"):select("id") end))
    end,
    ["value subquery"] = function()
      return count(rows:where("n", "=", function(q) pause() q:from("yield_rows"):selectFunc("max", "n", "m") end))
    end,
    ["EXISTS subquery"] = function()
      return count(rows:query():whereExists(function(q) pause() q:from("yield_rows"):where("n", 2) end))
    end,
    ["selected subquery"] = function()
      return rows:query():select(function(q) pause() q:from("yield_rows"):selectFunc("max", "n", "m") end, "top")
        :one().top
    end,
    ["FROM subquery"] = function()
      return #ds:query("x"):from(function(q) pause() q:from("yield_rows"):select("n") end, "sub"):many()
    end,
    ["WITH subquery"] = function()
      return #ds:query("w"):with("w", function(q) pause() q:from("yield_rows"):select("n") end):many()
    end,
    ["union"] = function()
      return #ds:query("yield_rows"):select("n")
        :unionAll(function(q) pause() q:from("yield_rows"):select("n") end):many()
    end,
    ["join"] = function()
      return count(rows:query():join("yield_rows as other", function(on)
        pause()
        on:on("other.id", "yield_rows.id")
      end))
    end,
    ["load"] = function() return #rows:query():load("children", function() pause() end):many() end,
    ["when"] = function() return count(rows:query():when(1, function(q) pause() q:where("n", 1) end)) end,
    ["transaction"] = function()
      return ds:transaction(function()
        rows:insert { n = 9 }
        pause()
        return rows:count()
      end)
    end,
    ["savepoint"] = function()
      return ds:transaction(function(trx)
        return trx:savepoint(function()
          rows:insert { n = 9 }
          pause()
          return rows:count()
        end)
      end)
    end,
    ["afterCommit"] = function()
      ds:transaction(function(trx) trx:afterCommit(pause) end)
      return rows:count()
    end,
    ["outside"] = function() return ds:outside(function() pause() return rows:count() end) end,
    ["atomic"] = function() return ds:atomic(function() pause() return rows:count() end)() end,
    ["useConnection"] = function()
      return sql.useConnection({ type = "sqlite" }, function(other)
        pause()
        return other:rawQuery("SELECT 4 AS n")[1].n
      end)
    end,
    ["pcall"] = function() return select(2, pcall(function() pause() return rows:count() end)) end,
    ["xpcall"] = function() return select(2, xpcall(function() pause() return rows:count() end, print)) end,
    ["an iterator function"] = function()
      local seen = 0
      for _ in function(_, last) pause() return last < 2 and last + 1 or nil end, nil, 0 do
        seen = seen + 1
      end
      return seen
    end,
    ["a metamethod"] = function()
      return setmetatable({}, { __index = function() pause() return rows:count() end }).anything
    end,
    ["__close"] = function()
      do
        local held <close> = setmetatable({}, { __close = pause }) -- luacheck: ignore
      end
      return rows:count()
    end,
    ["__close after an error"] = function()
      pcall(function()
        local held <close> = setmetatable({}, { __close = pause }) -- luacheck: ignore
        error("x")
      end)
      return rows:count()
    end,
  }

  local ANSWERS = {
    beforeInsert = 3, afterInsert = 3, beforeInsertMany = 2, afterInsertMany = 2, beforeUpdate = 1, afterUpdate = 5,
    beforeSave = 1, afterSave = 3, beforeDelete = 1, afterDelete = 1, beforeSoftDelete = 1, afterSoftDelete = 1,
    beforeRestore = 2, afterRestore = 2, beforeFetch = 2, afterFetch = 2, validate = 3, validator = 3, default = 7,
    prepare = 3, serialize = 1, scope = 2, defaultScope = 2, group = 2, ["group in a group"] = 1,
    ["having group"] = 1, ["IN subquery"] = 2, ["value subquery"] = 1, ["EXISTS subquery"] = 2,
    ["selected subquery"] = 2, ["FROM subquery"] = 2, ["WITH subquery"] = 2, union = 4, join = 2, load = 2, when = 1,
    transaction = 3, savepoint = 3, afterCommit = 2, outside = 2, atomic = 2, useConnection = 4, pcall = 2, xpcall = 2,
    ["an iterator function"] = 2, ["a metamethod"] = 2, ["__close"] = 2, ["__close after an error"] = 2,
  }

  describe("a task that waits in", function()
    local proved = 0

    for name, act in pairs(PLACES) do
      it(name .. " lets the others run, and goes on with the right answer", function()
        where_to_pause = name
        local answer = beside_ticker(act)

        assert.equal(ANSWERS[name], answer)
        assert.is_true(ticked_inside > 0, "the ticker stood still")
        assert.equal(0, ds:getPool():stats().leased)
        proved = proved + 1
      end)
    end

    teardown(function()
      databases.report("yield points on %s: %d places", database, proved)
    end)
  end)

  -- Lua calls these from C, and cannot leave them in the middle.
  local STOPPING = {
    ["table.sort"] = function()
      local list = { 1, 2, 3 }
      table.sort(list, function(a, b) pause() return a > b and rows:count() == 2 end)
      return table.concat(list)
    end,
    ["string.gsub"] = function()
      return (("a"):gsub("a", function() pause() return tostring(rows:count()) end))
    end,
    ["tostring"] = function()
      return tostring(setmetatable({}, { __tostring = function() pause() return tostring(rows:count()) end }))
    end,
    ["string.format"] = function()
      return ("%s"):format(setmetatable({}, { __tostring = function() pause() return tostring(rows:count()) end }))
    end,
    ["require"] = function()
      package.preload["yield_spec_module"] = function() pause() return { n = rows:count() } end
      package.loaded["yield_spec_module"] = nil
      return require("yield_spec_module").n
    end,
    ["a transaction inside table.sort"] = function()
      local list = { 1, 2 }
      table.sort(list, function(a, b)
        return ds:transaction(function()
          rows:insert { n = 9 }
          pause()
          return a > b
        end)
      end)
      return rows:count() > 2
    end,
  }
  local ANSWERS_THERE = { ["table.sort"] = "321", ["string.gsub"] = "2", tostring = "2", ["string.format"] = "2",
    require = 2, ["a transaction inside table.sort"] = true }

  describe("a task that must block in", function()
    for name, act in pairs(STOPPING) do
      it(name .. " gives the right answer", function()
        assert.equal(ANSWERS_THERE[name], beside_ticker(act))
        assert.equal(0, ticked_inside)
        assert.equal(0, ds:getPool():stats().leased)
      end)
    end
  end)

  it("a coroutine of the user's inside a task blocks, and its values are its own", function()
    local values = beside_ticker(function()
      local list = {}
      for value in coroutine.wrap(function()
        for index = 1, 2 do
          pause()
          coroutine.yield(index * rows:count())
        end
      end) do
        list[#list + 1] = value
      end
      return list
    end)
    assert.same({ 2, 4 }, values)
  end)

  it("a builder whose callback raised after a wait is as it was", function()
    local q = rows:where("n", 1)
    local text = q:toQuery()
    async.run(function()
      for _, act in ipairs {
        function() q:orWhere(function(g) g:where("n", 2) async.sleep(1) error("no") end) end,
        function() q:join("yield_rows as o", function(on) on:on("o.id", "id") async.sleep(1) error("no") end) end,
        function() q:join(Row, "id", "id", function() async.sleep(1) error("no") end) end,
        function() q:whereIn("id", function() async.sleep(1) error("no") end) end,
        function() q:scope("slowly", error("no")) end,
        function() q:union(function() async.sleep(1) error("no") end) end,
      } do
        assert.is_false(pcall(act))
        assert.equal(text, q:toQuery())
      end
    end)
    assert.equal(1, count(q))
  end)
end, { shared = true, pool = { max = 4 } })

describe("dev mode", function()
  it("warns of a task that stops the others, once a line", function()
    local script = os.tmpname()
    local file <close> = assert(io.open(script, "w"))
    file:write([[
      local hysteria = require("hysteria")
      hysteria.dev()
      hysteria.async.run(function()
        local list = { 3, 1, 2 }
        table.sort(list, function(a, b)
          hysteria.async.sleep(1)
          return a < b
        end)
        hysteria.async.sleep(1)
      end)
      hysteria.async.sleep(1)
    ]])
    file:close()
    local pipe <close> = assert(io.popen("lua5.4 " .. script .. " 2>&1"))
    local output = pipe:read("a")
    os.remove(script)
    local _, n = output:gsub("cannot yield", "")
    assert.equal(1, n, output)
    assert.matches(script .. ":6: ", output, 1, true)
  end)
end)
