-- Who may be collected when: models under queries, coroutines inside transactions, objects whose
-- finalizers run statements, and what happens while a Lua state is being closed.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

local function collect()
  for _ = 1, 3 do
    collectgarbage()
  end
end

-- A table of scalars as Lua source.
local function literal(settings)
  local parts = {}
  for name, value in pairs(settings) do
    if type(value) ~= "table" then
      parts[#parts + 1] = ("%s = %q"):format(name, value)
    end
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

databases.each(function(ds, _, config)
  describe("lifetimes", function()
    local Item = model "LifeItem" { id = column.increment(), text = column.string() }
    local items = Item:using(ds)

    setup(function()
      ds:dropTables({ Item }, { ifExists = true })
      ds:createTables { Item }
    end)

    before_each(function()
      items:truncate()
    end)

    it("of models end after the queries that name them in a join or a subquery", function()
      local function define()
        return model "LifeOther" { id = column.increment(), flag = column.boolean() }
      end
      local Other = define()
      ds:dropTables({ Other }, { ifExists = true })
      ds:createTables { Other }
      items:insert { id = 1, text = "a" }
      Other:using(ds):insert { id = 1, flag = true }
      local joined = ds:query("life_items"):join(Other, "id", "id"):select("life_others.flag")
      local sub = items:query():whereIn("id", Other:query():select("id"):where("flag", true))
      local copy = sub:clone()
      assert.is_true(joined:one().flag)

      define() -- the metadata that the queries name is nobody else's now
      Other = nil -- luacheck: ignore
      collect()
      assert.is_true(joined:many()[1].flag)
      assert.equal("a", sub:one().text)
      assert.equal("a", copy:one().text)
    end)

    it("of rows' shapes end when the same text means other rows", function()
      local Flag = model "LifeFlag" { id = column.increment(), yes = column.string() }
      for _, name in ipairs { "life_flags", "life_raw" } do
        ds:rawQuery("DROP TABLE IF EXISTS " .. name)
      end
      ds:rawQuery("CREATE TABLE life_flags (id INTEGER, yes INTEGER)")
      items:insert { id = 1, text = "a" }
      ds:rawQuery("INSERT INTO life_flags VALUES (1, 1)")
      local plain = ds:query("life_items"):join("life_flags", "id", "id"):select("life_flags.yes")
      local typed = ds:query("life_items"):join(Flag, "id", "id"):select("life_flags.yes")
      assert.equal(plain:toQuery("sqlite"), typed:toQuery("sqlite"))
      assert.equal(1, plain:one().yes)
      assert.equal("1", typed:one().yes)
      assert.equal(1, plain:one().yes)

      ds:rawQuery("CREATE TABLE life_raw (a INTEGER)")
      ds:rawQuery("INSERT INTO life_raw VALUES (1)")
      assert.same({ a = 1 }, ds:rawQuery("SELECT * FROM life_raw")[1])
      ds:rawQuery("ALTER TABLE life_raw RENAME COLUMN a TO b")
      assert.same({ b = 1 }, ds:rawQuery("SELECT * FROM life_raw")[1])
    end)

    it("of transactions end with the coroutine that is dropped inside one", function()
      local co = coroutine.create(function()
        ds:transaction(function()
          items:insert { text = "a" }
          coroutine.yield()
        end)
      end)
      assert(coroutine.resume(co))
      co = nil -- luacheck: ignore
      assert.equal(0, items:count()) -- the one connection came back
      ds:transaction(function()
        items:insert { text = "b" }
      end)
      assert.equal(1, items:count())
    end)

    it("of transactions end with the coroutine that died inside one", function()
      local co = coroutine.create(function()
        ds:transaction(function()
          items:insert { text = "a" }
          error("dead")
        end)
      end)
      assert.is_false(coroutine.resume(co))
      co = nil -- luacheck: ignore
      assert.equal(0, items:count())
    end)

    it("bear finalizers that run statements in the middle of one", function()
      for index = 1, 30 do
        items:insert { text = tostring(index) }
      end
      local runs, stop = 0, false
      local function arm()
        setmetatable({}, {
          __gc = function()
            runs = runs + 1
            pcall(ds.rawQuery, ds, ("SELECT %d AS x%d, life_items.* FROM life_items"):format(runs, runs))
            if not stop then
              arm()
            end
          end,
        })
      end
      -- A new cycle begins as soon as one has ended, and goes on in large steps.
      local mode = collectgarbage("incremental", 1, 1000)
      collectgarbage()
      arm()
      for index = 1, 10 do
        assert.equal(30, #items:query():many())
        local err = error_of(ds.rawQuery, ds, "SELEC " .. index)
        assert.equal("SELEC " .. index, err.sql)
        local _, told = ds:rawQuery("UPDATE life_items SET text = ?", { tostring(index) })
        assert.equal(30, told.affectedRows)
      end
      stop = true
      collectgarbage("incremental", 200, 100)
      collectgarbage(mode)
      assert.is_true(runs > 0)
    end)

    it("end in order when a state is closed, whatever its finalizers try", function()
      local script = os.tmpname()
      local file = assert(io.open(script, "w"))
      file:write("local CONFIG = " .. literal(config()) .. "\n", [[
        local uses = {}
        local function guard()
          setmetatable(uses, nil)
          uses[#uses + 1] = setmetatable({}, { __gc = function()
            for _, use in ipairs(USES) do pcall(use) end
            io.stdout:write("x")
          end })
        end
        guard()
        local hysteria = require("hysteria")
        guard()
        local ds = hysteria.sql.connect(CONFIG)
        guard()
        local User = hysteria.model "LifeUser" { id = hysteria.column.increment() }
        hysteria.sql.dropTables({ User }, { ifExists = true })
        hysteria.sql.createTables { User }
        guard()
        local user, q = User:insert {}, User:query():where("id", 1)
        q:many()
        local trx = ds:transaction()
        guard()
        USES = {
          function() q:many() end, function() q:toQuery() end, function() q:clone() end,
          function() User:count() end, function() user:save() end, function() user:refresh() end,
          function() trx:rollback() end, function() ds:rawQuery("SELECT 1") end, function() ds:close() end,
          function() User:findOneByPrimaryKey(1) end, function() tostring(user) end,
        }
      ]])
      file:close()
      -- Lua runs no finalizer of an object that is made while a state is closed: that leaks by rule.
      local pipe = assert(io.popen(("ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 lua5.4 %s 2>&1"):format(script)))
      local output = pipe:read("a")
      local ok, how, status = pipe:close()
      os.remove(script)
      assert.same({ true, "exit", 0 }, { ok, how, status })
      assert.equal("xxxxx", output)
    end)
  end)

  describe("observers of several sources", function()
    it("are told of their own source's statements only, and cannot run any", function()
      local one = sql.connectToSecondarySource(config())
      local other = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
      local seen, refused = {}, 0
      other:addObserver {
        onAfterQuery = function(event)
          seen[#seen + 1] = "other " .. event.sql
        end,
      }
      one:addObserver {
        onBeforeQuery = function()
          refused = refused + (pcall(one.rawQuery, one, "SELECT 1") and 0 or 1)
          refused = refused + (pcall(one.transaction, one, function() end) and 0 or 1)
          other:rawQuery("SELECT 2")
        end,
        onAfterQuery = function(event)
          seen[#seen + 1] = "one " .. event.sql:gsub("^START TRANSACTION", "BEGIN"):gsub("^BEGIN.*", "BEGIN")
        end,
      }
      one:transaction(function()
        one:rawQuery("SELECT 3")
      end)
      table.sort(seen)
      one:close()
      other:close()
      assert.equal(6, refused)
      assert.same({ "one BEGIN", "one COMMIT", "one SELECT 3", "other SELECT 2", "other SELECT 2",
        "other SELECT 2" }, seen)
    end)
  end)
end, { pool = { max = 1 } })
