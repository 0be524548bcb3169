-- A model file that runs again: its model is replaced whole, in the class that everybody has.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local sql = hysteria.sql
local error_of = databases.error_of

describe("a model file that runs again", function()
  local ds, path, log
  local name, named = nil, 0 -- of the model: another one in each test

  local HEAD = [[
local log = ...
local hysteria = require("hysteria")
local model, column = hysteria.model, hysteria.column
]]

  -- Write the file and run it, as the program's own loader would.
  local function run(text, other)
    local file <close> = assert(io.open(other or path, "w"))
    file:write(HEAD, (text:gsub("NAME", name)))
    file:close()
    return assert(loadfile(other or path, "t"))(log)
  end

  local function with_hook(word, more)
    return ([[
      local Coin = model "NAME" {
        hysteria.tableName("reload_coins"),
        hysteria.beforeInsert(function(coin)
          log[#log + 1] = "%s"
          coin.text = coin.text .. " %s"
        end),
        id = column.increment(), text = column.string(), %s
      }
      function Coin:saying() return "%s says " .. self.text end
      return Coin
    ]]):format(word, word, more or "", word)
  end

  setup(function()
    ds = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    path = os.tmpname()
    ds:rawQuery("CREATE TABLE reload_coins (id INTEGER PRIMARY KEY, text TEXT, worth INTEGER)")
  end)

  teardown(function()
    os.remove(path)
    ds:close()
  end)

  before_each(function()
    log, named = {}, named + 1
    name = "Reload" .. named
    ds:rawQuery("DELETE FROM reload_coins")
  end)

  it("replaces a changed hook in the same class, once", function()
    local Coin = run(with_hook("old"))
    local coins = Coin:using(ds)
    coins:insert { text = "a" }
    local again = run(with_hook("new"))
    local stored = coins:insert { text = "b" }

    assert.equal(Coin, again)
    assert.same({ "old", "new" }, log)
    assert.equal("b new", stored.text)
    assert.same({ "a old", "b new" }, coins:query():orderBy("id"):pluck("text"))
  end)

  it("fires once however often it ran", function()
    local coins
    for _ = 1, 20 do
      coins = run(with_hook("once")):using(ds)
    end
    coins:insert { text = "a" }

    assert.same({ "once" }, log)
  end)

  it("forgets what it no longer says", function()
    local coins = run(with_hook("old", "worth = column.integer(),")):using(ds)
    local before = coins:insert { text = "a", worth = 3 }
    run [[
      return model "NAME" {
        hysteria.tableName("reload_coins"), id = column.increment(), text = column.string(),
      }
    ]]
    coins:insert { text = "b" }

    assert.same({ "old" }, log)
    assert.equal("UNDEFINED_COLUMN", error_of(coins.insert, coins, { text = "c", worth = 1 }).code)
    assert.is_nil(before.saying)
    assert.is_nil(coins:query():first().worth)
  end)

  it("gives new methods to the records that are there", function()
    local coins = run(with_hook("old")):using(ds)
    local coin = coins:insert { text = "a" }
    run(with_hook("new"))

    assert.equal("new says a old", coin:saying())
  end)

  it("leaves queries usable that were built before", function()
    local coins = run(with_hook("old")):using(ds)
    coins:insert { text = "a" }
    local query = coins:query():where("text", "like", "a%")
    run(with_hook("new", "worth = column.integer(),"))

    assert.equal("a old", query:one().text)
    assert.equal(1, query:count())
  end)

  it("keeps the hooks that other files gave", function()
    local Coin = run(with_hook("old"))
    Coin:hook("afterInsert", function() log[#log + 1] = "guest" end)
    run(with_hook("new"))
    run(with_hook("newer"))
    Coin:using(ds):insert { text = "a" }

    assert.same({ "newer", "guest" }, log)
  end)

  it("replaces the hooks that it gave by name", function()
    local text = [[
      local Coin = model "NAME" { hysteria.tableName("reload_coins"), id = column.increment() }
      Coin:hook("beforeInsert", function() log[#log + 1] = "WORD" end)
      return Coin
    ]]
    run((text:gsub("WORD", "old")))
    run((text:gsub("WORD", "new"))):using(ds):insert {}

    assert.same({ "new" }, log)
  end)

  it("leaves the old version working when it fails", function()
    local coins = run(with_hook("old")):using(ds)
    local wrong = { "return model \"NAME\" { save = column.string() }", "error(\"no luck\")", "x = = 1" }
    for _, text in ipairs(wrong) do
      assert.is_false((pcall(run, text)))
    end
    coins:insert { text = "a" }

    assert.same({ "old" }, log)
  end)

  it("is refused when it is another file", function()
    local other = os.tmpname()
    for _, text in ipairs { with_hook("old"), "return model \"NAME\" { id = column.increment() }" } do
      name = name .. "x"
      run(text)
      local err = error_of(run, text, other)
      assert.equal("MODEL_ALREADY_DEFINED", err.code)
      assert.matches(path, err.message, 1, true)
    end
    os.remove(other)
  end)

  it("is known by its own name, whoever runs it", function()
    local text = "return model \"NAME\" { hysteria.tableName(\"reload_coins\"), id = column.increment() }"
    local Coin = run(text)
    local loader = assert(load("local run = ...; return (run())", "@some_loader.lua"))

    assert.equal(Coin, loader(function() return run(text) end))
  end)

  it("costs no memory however often it ran", function()
    local function size()
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    local coins = run(with_hook("warm")):using(ds)
    local function rounds(count)
      for round = 1, count do
        run(with_hook("word" .. round % 2))
        coins:insert { text = "a" }
        log[#log] = nil
      end
      return size()
    end
    local before = rounds(600) -- a state keeps the plans of some hundred statements

    assert.is_true(rounds(600) - before < 64, "a reload leaves something behind")
  end)
end)
