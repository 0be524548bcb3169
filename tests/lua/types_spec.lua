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

  it("of options have withoutDefaultScope where the verb takes it", function()
    local column, ds = hysteria.column, hysteria.sql.connectToSecondarySource("sqlite:")
    local Thing = hysteria.model "TypesThing" {
      hysteria.softDelete(), id = column.integer { primaryKey = true }, n = column.integer(),
    }
    ds:createTables { Thing }
    local things, given = Thing:using(ds), { withoutDefaultScope = true }
    local thing = things:insert { id = 1, n = 1 }
    local query = things:query():allRows()
    local CALLS = {
      ["hysteria.Query"] = {
        insert = { { id = 2 } }, insertMany = { { { id = 3 } } }, update = { { n = 2 } }, delete = {},
        updateMany = { { { id = 1, n = 2 } } }, upsert = { { id = 1 }, { n = 2 } }, softDelete = {}, restore = {},
      },
      ["hysteria.Record"] = {
        save = {}, update = { { n = 3 } }, softDelete = {}, restore = {}, refresh = {}, delete = {},
      },
      ["hysteria.Model"] = {
        insert = { { id = 4 } }, insertMany = { { { id = 5 } } }, update = { { n = 4 } }, delete = {},
        upsert = { { id = 1 }, { n = 5 } }, upsertMany = { "id", { { id = 1, n = 6 } } }, save = { { id = 1, n = 7 } },
        firstOrInsert = { { id = 6 }, {} }, updateMany = { { { id = 1, n = 8 } } }, updateRecord = { 1, { n = 9 } },
        softDeleteRecord = { 1 }, softDelete = { 1 }, restore = { 1 }, deleteRecord = { 1 }, truncate = {},
      },
    }
    local receivers = { ["hysteria.Query"] = query, ["hysteria.Record"] = thing, ["hysteria.Model"] = things }
    for class, verbs in pairs(CALLS) do
      local receiver = receivers[class]
      for verb, arguments in pairs(verbs) do
        local name, list = class .. "." .. verb, { table.unpack(arguments) }
        list[#list + 1] = given
        local ok, err = pcall(receiver[verb], receiver, table.unpack(list))
        local refused = not ok and hysteria.isError(err) and err.code == "UNKNOWN_OPTION"
        assert.equal(not refused, has_field(assert(taken[name], name), "withoutDefaultScope"), name)
      end
    end
    ds:close()
  end)

  it("of a data source are its verbs", function()
    local names = public_names(require("hysteria.source").verbs)
    names.models = true
    assert.same(names, classes["hysteria.Source"])
  end)
end)
