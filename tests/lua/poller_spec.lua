-- core.poller, by which hysteria.async waits for many things: moments, descriptors that cannot be
-- waited for, and what is no wait at all. Real descriptors are the business of async_spec.lua.
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")

local error_of = databases.error_of
local NEVER = math.maxinteger -- HY_NO_DEADLINE

local function in_ms(ms)
  return core.deadline(ms)
end

-- Slots in the order in which they become ready.
local function drain(poller, n)
  local order = {}
  while #order < n do
    poller:wait()
    for slot in poller.take, poller do
      order[#order + 1] = slot
    end
  end
  return order
end

describe("core.poller", function()
  it("gives slots in the order of their deadlines", function()
    local seed = tonumber(os.getenv("HY_SEED")) or os.time()
    math.randomseed(seed)
    for _ = 1, 20 do
      local poller <close> = core.poller() -- luacheck: ignore
      local now, due, kept = in_ms(1), {}, {}
      for index = 1, 200 do
        local deadline = now - math.random(1, 1000000)
        local slot = poller:add(false, 0, deadline)
        assert.is_nil(due[slot])
        due[slot] = deadline
        if index % 3 == 0 then
          kept[#kept + 1] = slot
        end
      end
      for _, slot in ipairs(kept) do
        poller:remove(slot)
        due[slot] = nil
      end

      local order = drain(poller, 200 - #kept)

      for index, slot in ipairs(order) do
        assert.truthy(due[slot], "seed " .. seed)
        assert.is_true(index == 1 or due[order[index - 1]] <= due[slot], "seed " .. seed)
      end
      for _, slot in ipairs(order) do
        due[slot] = nil
      end
      assert.is_nil(next(due))
    end
  end)

  it("waits until the earliest of them", function()
    local poller <close> = core.poller() -- luacheck: ignore
    local before = core.monotonic()
    local late, early = poller:add(false, 0, in_ms(60000)), poller:add(false, 0, in_ms(20))

    assert.same({ early }, drain(poller, 1))

    local waited = core.monotonic() - before
    assert.is_true(waited >= 0.02 and waited < 30)
    poller:remove(late)
    assert.equal("INVALID_ARGUMENT", error_of(poller.wait, poller).code)
  end)

  it("gives numbers that are free again to others", function()
    local poller <close> = core.poller() -- luacheck: ignore
    local seen = {}
    for _ = 1, 1000 do
      local slot = poller:add(false, 0, in_ms(1) - 2000000)
      seen[slot] = true
      assert.same({ slot }, drain(poller, 1))
    end
    local n = 0
    for _ in pairs(seen) do
      n = n + 1
    end
    assert.equal(1, n)
  end)

  it("is at once done with a descriptor that nobody can wait for", function()
    local poller <close> = core.poller() -- luacheck: ignore
    local closed, other = poller:add(98765, 1, NEVER), poller:add(98765, 2, in_ms(60000))

    local order = drain(poller, 2)

    table.sort(order)
    assert.same({ closed, other }, order)
  end)

  it("refuses what is no wait", function()
    local poller = core.poller()
    assert.equal("INVALID_ARGUMENT", error_of(poller.add, poller, false, 0, NEVER).code)
    assert.equal("INVALID_ARGUMENT", error_of(poller.add, poller, -1, 1, NEVER).code)
    assert.equal("INVALID_ARGUMENT", error_of(poller.add, poller, math.maxinteger, 1, NEVER).code)
    assert.equal("INVALID_ARGUMENT", error_of(poller.add, poller, 1, 1).code)
    assert.equal("INVALID_ARGUMENT", error_of(poller.wait, poller).code)
    assert.is_false(pcall(poller.add, poller, "x", 1, NEVER))
    assert.is_false(pcall(poller.add, poller, 1, {}, NEVER))
    assert.is_nil(poller:take())
    for _, slot in ipairs { 0, -1, 1, 7, math.mininteger, math.maxinteger } do
      poller:remove(slot)
    end
    local add, wait, take = poller.add, poller.wait, poller.take
    poller:close()
    assert.is_false(pcall(add, poller, false, 0, 0))
    assert.is_false(pcall(wait, poller))
    assert.is_false(pcall(take, {}))
    assert.is_false(pcall(core.poller().add, io.stdout, 1, 1, 1))
  end)
end)
