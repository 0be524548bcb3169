-- Everything that should not be done to the public functions, at random: an error comes back, one that says
-- what was wrong; the process never dies. Worth most under the address sanitizer. The other misuse specs do it
-- subject by subject. HY_SEED repeats a run, HY_SCALE=full makes it ten times as long.
local hysteria = require("hysteria")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")
local hostile = require("tests.support.lua.hostile")
local misuse = require("tests.support.lua.misuse")

local sql, column = hysteria.sql, hysteria.column
local names_of, kinds, core_kinds = misuse.names_of, misuse.kinds, misuse.core_kinds
local FULL = os.getenv("HY_SCALE") == "full"

databases.each(function(_, database, config)
  describe("misuse", function()
    local _, world = misuse.worlds(database, config)
    local seed = tonumber(os.getenv("HY_SEED")) or (os.time() ~ math.floor(os.clock() * 1e6))

    describe("at random", function()
      -- Do not wait, do not end the process, do not write files, do not change the test's own world.
      local SKIP = {
        ["core.raise"] = true, ["core.error"] = true, -- a wrong code is told in plain Lua
        ["core.sleep"] = true, ["core.poll"] = true, ["core.ownPrefix"] = true, ["hysteria.dev"] = true,
        ["sql.connect"] = true, ["sql.useConnection"] = true, ["sql.connectToSecondarySource"] = true,
        ["core.connect"] = true, ["core.setGlobal"] = true, ["core.setSubquery"] = true,
        ["core.ambientPush"] = true,
      }

      local function functions(w)
        local list = {}
        local function add(prefix, from, self)
          for _, name in ipairs(names_of(from)) do
            local label = prefix .. name
            if not SKIP[label] then
              list[#list + 1] = { label = label, fn = from[name], self = self }
            end
          end
        end
        add("hysteria.", hysteria)
        add("hysteria.column.", column)
        add("sql.", sql)
        add("sql.op.", sql.op)
        add("core.", core)
        for what, kind in next, (kinds(w)) do
          for _, name in ipairs(kind.names) do
            list[#list + 1] = { label = what .. ":" .. name, fn = kind.methods[name], kind = what }
          end
        end
        for what, kind in next, (core_kinds(w)) do
          for _, name in ipairs(kind.names) do
            list[#list + 1] = { label = what .. ":" .. name, fn = kind.methods[name], self = kind.object }
          end
        end
        return list
      end

      -- Objects as a script would hold them, fresh for each call.
      local function self_of(entry, w)
        if entry.self ~= nil then
          return entry.self
        end
        local make = {
          source = function() return w.ds end,
          query = function() return w.Person:query():where("id", ">", 0) end,
          class = function() return w.Person end,
          record = function() return w.record end,
          transaction = function() return w.ds:startTransaction() end,
          pool = function() return w.ds:getPool() end,
          decimal = function() return sql.decimal("3.25") end,
        }
        return make[entry.kind] and make[entry.kind]()
      end

      it("is an error or an answer, never an accident", function()
        math.randomseed(seed)
        print("misuse: HY_SEED=" .. seed)
        local rounds = (FULL and 200 or 20) // (database == "sqlite" and 1 or 4) -- a world is dear on a server
        local calls, answered, accidents = 0, 0, {}
        for _ = 1, rounds do
          local w = world()
          local list = functions(w)
          w.ds:close()
          w = world()
          local values = hostile.values {
            w.ds, w.Person, w.Post, w.record, w.Person:query(), w.ds:getPool(), w.ds._core,
          }
          for _ = 1, 500 do
            local entry = list[math.random(#list)]
            if not w.ds:isConnected() then
              w = world()
            end
            local n = math.random(0, 5)
            local arguments = {}
            for index = 1, n do
              arguments[index] = hostile.any(values)
            end
            local made, self = pcall(self_of, entry, w)
            local ok, err
            calls = calls + 1
            if made and self ~= nil and math.random(10) > 1 then
              ok, err = pcall(entry.fn, self, table.unpack(arguments, 1, n))
            else
              ok, err = pcall(entry.fn, table.unpack(arguments, 1, n))
            end
            hostile.touched = 0
            answered = answered + (ok and 1 or 0)
            if not ok and not hostile.is_clean(err) then
              accidents[entry.label .. ": " .. hostile.show(err):sub(1, 300)] = true
            end
            if math.random(50) == 1 then
              collectgarbage()
            end
          end
          w.ds:close()
        end
        local texts = {}
        for text in next, accidents do
          texts[#texts + 1] = text
        end
        table.sort(texts)
        databases.report("misuse on %s: %d random calls, %d answered, %d refused, %d accidents", database, calls,
          answered, calls - answered, #texts)
        assert.same({}, texts, "HY_SEED=" .. seed)
        assert.is_true(answered > 0 and answered < calls)

        local w = world()
        assert.equal(2, w.Person:count())
        w.ds:close()
      end)
    end)
  end)
end)
