-- q:prepare(): a query that is built and compiled once and run again with other values. What a
-- run costs is its binds and its rows.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local options = require("hysteria.options")
local preload = require("hysteria.preload")
local query = require("hysteria.query")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")

local builder = core.queryMethods
local about_query = builder._about
local fetch, fetch_one = core.fetch, core.fetchOne

local RUN = options.names("trx", "timeout", "track")
local FAIL = options.names(RUN, "customError")
local PREPARE = options.names("ignoreHooks")

local WEAK = { __mode = "k" }

local methods = {}
local prepared_mt = { __name = "hysteria.prepared", __index = methods }

-- What decides anew at each run which rows there are cannot be prepared; for whoever is kept out by
-- it, an old answer would be a hole.
local function refuse_moving(definition, extra, ignored)
  local why
  if extra and extra.inside then
    why = "a query inside with default scopes (withoutDefaultScope there leaves them out)"
  elseif definition and hooks.of(definition, "beforeFetch", ignored) then
    why = "beforeFetch hooks (ignoreHooks leaves them out)"
  elseif definition and #definition.default_scopes > 0 and not (extra and extra.unscoped) then
    why = "default scopes (withoutDefaultScope leaves them out)"
  end
  if why then
    local name = definition and definition.name
    core.raise("INVALID_ARGUMENT", ("prepare: %s has %s, which are asked at each run"):format(name or "the query", why),
      { model = name })
  end
end

-- prepare(options?) -> an object with many, one, first, oneOrFail, firstOrFail, count, parameters
function builder.prepare(q, given)
  given = options.check(given, PREPARE, "prepare")
  local class, extra = about_query(q)
  local definition = class and class._definition
  local ignored = given.ignoreHooks == nil and extra and extra.ignored or hooks.ignored(given.ignoreHooks, "prepare")
  local whole, added = q:clone(), nil
  refuse_moving(definition, extra, ignored)
  if definition then
    whole = reading.filter(whole, definition, extra)
    if extra and extra.loads then
      whole, added = preload.with_keys(whole, q, definition, preload.keys_for(definition, extra.loads))
    end
  end
  return setmetatable({
    _query = whole, _class = class, _definition = definition, _extra = extra and whole:_extra() or nil,
    _ignored = ignored,
    _added = added, _loads = extra and extra.loads, _forms = setmetatable({}, WEAK),
  }, prepared_mt)
end

local function need(self, what)
  if getmetatable(self) ~= prepared_mt then
    core.raise("INVALID_ARGUMENT", what .. " needs a prepared query: objects use the colon")
  end
  return self
end

-- The compiled form of one way to run it, made at the first run.
local function compiled(self, handle, what, make)
  local forms = self._forms[handle]
  if not forms then
    forms = {}
    self._forms[handle] = forms
  end
  local form = forms[what]
  if not form then
    local q, limit = self._query, nil
    if make then
      q, limit = make(q)
    end
    form = core.prepare(handle, q, limit)
    forms[what] = form
  end
  return form
end

local function begin(self, given)
  local definition, q = self._definition, self._query
  local bound = definition and state.source_of[q:_model()]
  refuse_moving(definition, self._extra, self._ignored)
  local handle, opts, ds, trx = running.target(definition, bound, self._extra, given, self._loads and #self._loads)
  return handle, opts, { ds = ds, trx = trx, bound = bound, ignored = self._ignored, deadline = opts and opts.deadline,
  }
end

local function treat(self, list, given, run, single)
  local definition = self._definition
  if not definition then
    return list
  end
  run.loads, run.added, run.prepared, run.track = self._loads, self._added, self._query, given.track
  run.make_ctx = function(prepared)
    return running.context("fetch", definition, run.ds, run.trx, { query = prepared })
  end
  if run.track == nil and self._extra then
    run.track = self._extra.track
  end
  return reading.treat(list, definition, run, single)
end

-- The short road, as that of queries: nothing but the source, which must have been used before.
local function short(self, what)
  local class, definition = self._class, self._definition
  if self._extra or (definition and not definition.plain_read) then
    return nil
  end
  local ds = class and class._source or state.default or running.no_source()
  local handle = ds._core or running.closed()
  local forms = self._forms[handle]
  return handle, forms and forms[what]
end

function methods.many(self, params, given)
  need(self, "many")
  if given == nil then
    local handle, form = short(self, "many")
    if form then
      return fetch(handle, form, nil, params)
    end
  end
  given = options.check(given, RUN, "many")
  local handle, opts, run = begin(self, given)
  return treat(self, fetch(handle, compiled(self, handle, "many"), opts, params), given, run, false)
end

local function only_one(q)
  return q, 1
end

local function one(self, params, given)
  local handle, opts, run = begin(self, given)
  local list = { fetch_one(handle, compiled(self, handle, "one", only_one), opts, params) }
  return treat(self, list, given, run, true)[1]
end

function methods.one(self, params, given)
  need(self, "one")
  if given == nil then
    local handle, form = short(self, "one")
    if form then
      return fetch_one(handle, form, nil, params)
    end
  end
  return one(self, params, options.check(given, RUN, "one"))
end

methods.first = methods.one

function methods.oneOrFail(self, params, given)
  given = options.check(given, FAIL, "oneOrFail")
  return query.must_exist(one(need(self, "oneOrFail"), params, given), self._definition, given.customError)
end

methods.firstOrFail = methods.oneOrFail

local function counted(q)
  return q:_aggregate("count", "*")
end

function methods.count(self, params, given)
  need(self, "count")
  local handle, opts = begin(self, options.check(given, RUN, "count"))
  if opts then
    opts.loads = nil
  end
  return (core.scalar(handle, compiled(self, handle, "count", counted), opts, params))
end

-- The names of its parameters, sorted.
function methods.parameters(self)
  need(self, "parameters")
  local handle = begin(self, {})
  local names = {}
  for name in next, core.parameters(compiled(self, handle, "many")) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

return builder.prepare
