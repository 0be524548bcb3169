-- What one Lua state keeps for the whole library: the default source, the models by name, and
-- the way back from a frozen core model to its definition. Knows nothing about any of them.
local weak_keys = { __mode = "k" }

local state = {
  default = false, -- the default data source, or false
  dev = false, -- hysteria.dev(): mistakes raise that are silent otherwise
  models = {}, -- name -> class
  sources = {}, -- name -> open data source, for hysteria.connection("name")
  scopes = {}, -- every scope name of every model, so that queries know them as methods
  classes = setmetatable({}, weak_keys), -- class, or its view on a source -> definition
  definition_of = setmetatable({}, weak_keys), -- frozen core model -> definition
  source_of = setmetatable({}, weak_keys), -- frozen core model -> the source it is bound to
  meta_of = setmetatable({}, weak_keys), -- frozen core model -> what its records' metatables begin as
}

return state
