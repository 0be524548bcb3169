-- A serialize function that raises sees rows that a write has just stored: then nothing is stored, so
-- that an error always says the same, whatever verb it comes from.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local model, column = hysteria.model, hysteria.column

local refused = nil
local function read(text)
  if text == refused then
    error("cannot read " .. text, 0)
  end
  return text:upper()
end

local Wire = model "Wire" {
  hysteria.softDelete(), id = column.integer { primaryKey = true }, name = column.string { serialize = read },
  state = column.string { length = 20, unique = true },
}
local Plain = model "PlainWire" {
  hysteria.tableName("wires"), id = column.integer { primaryKey = true }, name = column.string(),
  state = column.string { length = 20, unique = true },
}

databases.each(function(ds)
  local wires, plain = Wire:using(ds), Plain:using(ds)

  setup(function()
    ds:dropTables({ Wire }, { ifExists = true })
    ds:createTables { Wire }
  end)

  before_each(function()
    refused = nil
    ds:query("wires"):allRows():delete()
    ds:query("wires"):insertMany { { id = 1, name = "a", state = "x" }, { id = 2, name = "b", state = "y" } }
  end)

  local function stored()
    local list = {}
    for index, row in ipairs(ds:query("wires"):orderBy("id"):many()) do
      list[index] = ("%d %s %s%s"):format(row.id, row.name, row.state, row.deleted_at and " deleted" or "")
    end
    return list
  end

  local WRITES = {
    function() wires:insert { id = 3, name = "bad", state = "z" } end,
    function() wires:insertMany { { id = 3, name = "c", state = "z" }, { id = 4, name = "bad", state = "w" } } end,
    function() wires:save { id = 3, name = "bad", state = "z" } end,
    function() wires:save { id = 1, name = "bad" } end,
    function() wires:firstOrInsert({ id = 3 }, { name = "bad", state = "z" }) end,
    function() wires:updateRecord(1, { name = "bad" }) end,
    function() wires:upsert({ id = 1 }, { name = "bad" }) end,
    function() wires:upsert({ state = "z" }, { id = 3, name = "bad" }) end,
    function()
      wires:upsertMany({ "id" }, { { id = 1, name = "c", state = "x" }, { id = 3, name = "bad", state = "z" } })
    end,
    function() wires:where("id", 1):update({ name = "bad" }, { returning = true }) end,
    function() wires:updateMany({ { id = 1, name = "c" }, { id = 2, name = "bad" } }, { returning = true }) end,
    function() wires:updateMany({ { id = 2, name = "bad" } }, { returning = true }) end,
  }

  it("undoes the write that it reads", function()
    local before = stored()
    refused = "bad"
    for place, write in ipairs(WRITES) do
      local ok, err = pcall(write)
      assert.is_false(ok, place)
      assert.equal("cannot read bad", err)
      assert.same(before, stored(), place)
    end
    local same = wires:findOneByPrimaryKey(1)
    refused = "a"
    for place, write in ipairs {
      function() same:update { name = "a", state = "new" } end, function() same:softDelete() end,
      function() wires:softDelete(1) end, function() wires:where("id", 1):delete { returning = true } end,
      function() wires:where("id", 1):softDelete { returning = true } end,
    } do
      local ok, err = pcall(write)
      assert.is_false(ok, place)
      assert.equal("cannot read a", err)
      assert.same(before, stored(), place)
    end
    assert.equal("x", same.state)
  end)

  it("leaves what else a transaction has done", function()
    refused = "bad"
    ds:transaction(function()
      wires:where("id", 2):update { name = "kept" }
      for place, write in ipairs(WRITES) do
        assert.is_false(pcall(write), place)
      end
    end)
    assert.same({ "1 a x", "2 kept y" }, stored())
  end)

  it("is not asked where no row comes back", function()
    refused = "bad"
    assert.equal(1, wires:insert({ id = 3, name = "bad", state = "z" }, { returning = false }))
    assert.equal(1, wires:upsert({ id = 4 }, { name = "bad", state = "w" }, { returning = false }))
    assert.equal(1, wires:where("id", 1):update { name = "bad" })
    assert.same({ "1 bad x", "2 b y", "3 bad z", "4 bad w" }, stored())
  end)

  it("costs a transaction where it is asked, and only there", function()
    local begun = 0
    ds:addObserver { onTransaction = function(event)
      begun = begun + (event.event == "begin" and 1 or 0)
    end }
    plain:insert { id = 3, name = "c", state = "z" }
    wires:insert({ id = 4, name = "d", state = "w" }, { returning = false })
    wires:where("id", 1):update { name = "new" }
    assert.equal(0, begun)
    assert.equal("E", wires:insert({ id = 5, name = "e", state = "v" }).name)
    assert.equal(1, begun)
  end)
end, { shared = true, pool = { max = 2 } })
