-- What require("hysteria") returns: models, columns, relations, annotations and the data
-- source functions. Sets no globals and patches nothing.
local core = require("hysteria.core")

-- Files of this folder are the engine's own: errors name the first caller outside of them.
local here = debug.getinfo(1, "S").source:match("^(@.*[/\\])init%.lua$")
if here then
  core.ownPrefix(here)
end

local annotation = require("hysteria.annotation")
local column = require("hysteria.column")
local model = require("hysteria.model")
local relation = require("hysteria.relation")
local secret = require("hysteria.secret")
local state = require("hysteria.state")
local utilities = require("hysteria.utilities")
local validation = require("hysteria.validation")

require("hysteria.query")
require("hysteria.view")
require("hysteria.paging")
require("hysteria.prepared")
require("hysteria.explaining")
require("hysteria.stream")
require("hysteria.record")
require("hysteria.manager")
require("hysteria.describing")

core.setHint(require("hysteria.hints").of)

local hysteria = {
  version = core.version,
  sql = require("hysteria.sql"),
  model = model.model,
  column = column.public,
  async = require("hysteria.async"),
  validators = validation.public,
  json = { encode = core.jsonEncode, decode = core.jsonDecode },
}

for _, constructors in ipairs({ annotation.public, relation.public, secret.public, utilities }) do
  for name, constructor in next, constructors do
    hysteria[name] = constructor
  end
end

-- The timestamps mixin of the stock models: createdAt and updatedAt.
function hysteria.timestamps()
  return require("hysteria.models.timestamped")
end

-- Development mode: reading a relation that was not loaded raises; a statement that stops all tasks,
-- because a callback that cannot yield is in the way, is told with its line, by Lua's warnings.
-- dev(false) ends it.
function hysteria.dev(on)
  state.dev = on ~= false
  core.dev(state.dev)
  if state.dev then
    warn("@on")
  end
  model.thaw_all()
end

-- Is this one of our errors, and of that code?
function hysteria.isError(value, code)
  return core.isError(value) and (code == nil or value.code == code)
end

return hysteria
