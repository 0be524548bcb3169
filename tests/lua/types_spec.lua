-- The editor types (lua/library/hysteria.lua) against the running module, both ways.
local hysteria = require("hysteria")
local core = require("hysteria.core")

-- Class name -> set of its fields.
local function read_types()
  local root = os.getenv("HY_ROOT") or "."
  local file <close> = assert(io.open(root .. "/lua/library/hysteria.lua"))
  local classes, current = {}, nil
  for line in file:lines() do
    local class = line:match("^%-%-%-@class ([%w.]+)")
    if class then
      current = {}
      classes[class] = current
    end
    local field = line:match("^%-%-%-@field ([%w_]+)")
    if field then
      assert(not current[field], field .. " is declared twice")
      current[field] = true
    end
  end
  return classes
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

describe("the editor types", function()
  local classes = read_types()

  for class, subject in pairs(subjects) do
    it("of " .. class .. " are those of the running module", function()
      assert.same(public_names(subject), classes[class])
    end)
  end

  it("of a data source are its verbs", function()
    local names = public_names(require("hysteria.source").verbs)
    names.models = true
    assert.same(names, classes["hysteria.Source"])
  end)
end)
