-- The editor types (lua/library/hysteria.lua) against the running module, both ways; and its names against docs/.
local hysteria = require("hysteria")
local core = require("hysteria.core")

-- Class name -> set of its fields; class name -> those that it extends; "class.verb" -> type of its options.
local function read_types()
  local root = os.getenv("HY_ROOT") or "."
  local file <close> = assert(io.open(root .. "/lua/library/hysteria.lua"))
  local classes, parents, taken, current, class = {}, {}, {}, nil, nil
  for line in file:lines() do
    local name = line:match("^%-%-%-@class ([%w.]+)")
    if name then
      class, current, parents[name] = name, {}, {}
      classes[class] = current
      for parent in (line:match(":(.*)") or ""):gmatch("[%w.]+") do
        table.insert(parents[name], parent)
      end
    end
    local field = line:match("^%-%-%-@field ([%w_]+)")
    if field then
      assert(not current[field], field .. " is declared twice")
      current[field] = true
      taken[class .. "." .. field] = line:match("options: ([%w.]+)%?")
    end
  end
  return classes, parents, taken
end

local function public_names(from)
  local names = {}
  for name in pairs(from) do
    if type(name) == "string" and not name:find("^_") then
      names[name] = true
    end
  end
  return names
end

local subjects = {
  ["hysteria"] = hysteria,
  ["hysteria.Sql"] = hysteria.sql,
  ["hysteria.Columns"] = hysteria.column,
  ["hysteria.Validators"] = hysteria.validators,
  ["hysteria.Query"] = core.queryMethods,
  ["hysteria.Model"] = require("hysteria.model").statics,
  ["hysteria.Record"] = require("hysteria.model").records,
}

-- The words of docs/*.md.
local function documented()
  local words = {}
  for _, name in ipairs { "guide", "writing", "types", "errors" } do
    local file <close> = assert(io.open((os.getenv("HY_ROOT") or ".") .. "/docs/" .. name .. ".md"))
    for word in file:read("a"):gmatch("[%w_]+") do
      words[word] = true
    end
  end
  return words
end

-- "orWhereIn" is a form of "whereIn", "afterInsert" of "beforeInsert".
local function plain_form(name)
  local rest = name:match("^and(%u.*)") or name:match("^or(%u.*)")
  return rest and rest:sub(1, 1):lower() .. rest:sub(2) or (name:gsub("^after", "before"))
end

describe("the documentation", function()
  local words = documented()

  for class, subject in pairs(subjects) do
    it("has every name of " .. class, function()
      local missing = {}
      for name in pairs(public_names(subject)) do
        if not words[name] and not words[plain_form(name)] then
          missing[#missing + 1] = name
        end
      end
      table.sort(missing)
      assert.same({}, missing)
    end)
  end
end)

describe("the editor types", function()
  local classes, parents, taken = read_types()

  local function has_field(class, field)
    local found = assert(classes[class], class)[field]
    for _, parent in ipairs(parents[class]) do
      found = found or has_field(parent, field)
    end
    return found or false
  end

  for class, subject in pairs(subjects) do
    it("of " .. class .. " are those of the running module", function()
      assert.same(public_names(subject), classes[class])
    end)
  end

  it("of options name those that the verb takes, and no others", function()
    local column, ds = hysteria.column, hysteria.sql.connectToSecondarySource("sqlite:")
    local Thing = hysteria.model "TypesThing" {
      hysteria.softDelete(), id = column.integer { primaryKey = true }, n = column.integer(),
      secret = column.hashed(), others = hysteria.hasMany("TypesThing", { foreignKey = "n" }),
    }
    ds:createTables { Thing }
    local things = Thing:using(ds)
    local VALUES = {
      trx = false, timeout = 60000, ignoreHooks = true, returning = true, unguarded = true, connection = ds,
      track = true, withoutDefaultScope = true, withDeleted = true, onlyDeleted = true, where = { id = 1 }, by = "id",
      updateOnConflict = true, updateColumns = "n", fullResponse = true, column = "deleted_at", value = "x",
      customError = "none", select = { "id" }, relations = {}, orderBy = "id", groupBy = "id", limit = 1, offset = 0,
      alias = "t", batch = 10, key = "id", total = true, analyze = true,
    }
    local function fresh()
      things:query():withDeleted():allRows():delete()
      return things:insert { id = 1, n = 1 } -- without the secret: hashing takes its time
    end
    local function nothing()
    end
    -- What stands before the options.
    local CALLS = {
      ["hysteria.Query"] = {
        many = {}, one = {}, first = {}, oneOrFail = {}, firstOrFail = {}, exists = {}, pluck = { "n" },
        getCount = { "n" }, count = { "n" }, getMax = { "n" }, getMin = { "n" }, getAvg = { "n" },
        getSum = { "n" }, paginate = { 1, 5 },
        paginateWithCursor = { 5, false },
        explain = {}, chunk = { 5 }, chunkById = { 5 }, stream = {},
        each = { nothing }, insert = { { id = 2 } }, insertMany = { { { id = 3 } } }, update = { { n = 2 } },
        delete = {}, softDelete = {},
        restore = {}, updateMany = { { { id = 1, n = 2 } } }, upsert = { { id = 1 }, { n = 2 } }, truncate = {},
        increment = { "n", 1 }, decrement = { "n", 1 },
      },
      ["hysteria.Record"] = {
        save = {}, update = { { n = 3 } }, softDelete = {}, restore = {}, refresh = {}, delete = {},
        load = { "others", nothing }, verify = { "secret", "x" }, needsRehash = { "secret" },
      },
      ["hysteria.Model"] = {
        query = {}, dryQuery = {}, find = {}, all = {}, findOne = {}, first = {}, findOneOrFail = {},
        findBy = { "n", 1 }, findOneBy = { "n", 1 }, findOneByPrimaryKey = { 1 }, count = {}, exists = {},
        fromQuery = { "SELECT * FROM types_things", {} }, refresh = { 1 },
        insert = { { id = 4 } }, insertMany = { { { id = 5 } } }, update = { { n = 4 } }, delete = {},
        upsert = { { id = 1 }, { n = 5 } }, upsertMany = { "id", { { id = 1, n = 6 } } }, save = { { id = 1, n = 7 } },
        firstOrInsert = { { id = 6 }, {} }, updateMany = { { { id = 1, n = 8 } } }, updateRecord = { 1, { n = 9 } },
        softDeleteRecord = { 1 }, softDelete = { 1 }, restore = { 1 }, deleteRecord = { 1 }, truncate = {},
      },
    }
    local function takes(receiver, verb, arguments, option)
      local list = { table.unpack(arguments) }
      list[#list + 1] = { [option] = VALUES[option] }
      local ok, err = pcall(function()
        return receiver[verb](receiver, table.unpack(list))
      end)
      return ok or not (hysteria.isError(err) and err.code == "UNKNOWN_OPTION")
    end
    local function takes_somewhere(class, verb, arguments, option)
      if class == "hysteria.Model" then
        fresh()
        return takes(things, verb, arguments, option)
      elseif class == "hysteria.Record" then
        return takes(fresh(), verb, arguments, option)
      end
      fresh()
      return takes(things:query():allRows(), verb, arguments, option)
        or takes(ds:query("types_things"):allRows(), verb, arguments, option)
    end
    local known = {}
    for class, verbs in pairs(CALLS) do
      for verb, arguments in pairs(verbs) do
        local name = class .. "." .. verb
        for option in pairs(VALUES) do
          local said = has_field(assert(taken[name], name), option)
          assert.equal(said, takes_somewhere(class, verb, arguments, option), name .. " { " .. option .. " }")
          known[name] = known[name] or said
        end
      end
    end
    for name in pairs(taken) do -- none is forgotten, and each has options
      local class, verb = name:match("^(.*)%.([^.]*)$")
      local is_ours = CALLS[class] ~= nil and taken[name]:find("^hysteria%.")
      assert.is_true(not is_ours or CALLS[class][verb] ~= nil and known[name], name)
    end
    ds:close()
  end)

  -- What a live object has; the methods of those whose table cannot be seen are asked for one by one.
  it("of what verbs give are those of the objects", function()
    local ds <close> = hysteria.sql.connectToSecondarySource("sqlite:")
    local Thing = hysteria.model "TypesGiven" { id = hysteria.column.increment() }
    ds:createTables { Thing }
    local function methods_of(object)
      return public_names(debug.getmetatable(object).__index)
    end
    local things = Thing:using(ds)
    assert.same(public_names(hysteria.async), classes["hysteria.Async"])
    assert.same(methods_of(hysteria.sql.decimal("1")), classes["hysteria.Decimal"])
    assert.same(methods_of(ds:getPool()), classes["hysteria.Pool"])
    assert.same(public_names(ds:getPool():stats()), classes["hysteria.PoolStats"])
    assert.same(methods_of(things:query():prepare()), classes["hysteria.Prepared"])
    assert.same(methods_of(hysteria.sql.createModelFactory(things, {})), classes["hysteria.Factory"])
    hysteria.async.run(function()
      local task = hysteria.async.spawn(function() end)
      assert.same(methods_of(task), classes["hysteria.Task"])
      task:await()
    end)
    local trx <close> = ds:startTransaction()
    for name in pairs(classes["hysteria.Transaction"]) do
      assert.not_nil(trx[name], name)
    end
    local dry = things:dryQuery()
    for name in pairs(classes["hysteria.DryQuery"]) do
      assert.not_nil(dry[name], name)
    end
  end)

  it("of a data source are its verbs", function()
    local names = public_names(require("hysteria.source").verbs)
    names.models = true
    assert.same(names, classes["hysteria.Source"])
  end)
end)
