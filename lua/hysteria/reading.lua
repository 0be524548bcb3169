-- Reads through a model: what is added to a query before it runs (soft delete, default scopes,
-- beforeFetch), and what happens to its rows afterwards (serialize, tracking, afterFetch,
-- relations). The user's builder is never changed: what has to be added goes to a clone.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local preload = require("hysteria.preload")
local running = require("hysteria.running")
local state = require("hysteria.state")
local tracking = require("hysteria.tracking")

local about_query = core.queryMethods._about

local reading = {}

local function only_live(query, definition)
  if definition.soft_boolean then
    query:where(definition.soft_delete, false)
  else
    query:whereNull(definition.soft_delete)
  end
end

local function only_deleted(query, definition)
  if definition.soft_boolean then
    query:where(definition.soft_delete, true)
  else
    query:whereNotNull(definition.soft_delete)
  end
end

local function call_all(query, fns)
  for index = 1, #fns do
    query:_guard(fns[index])
  end
end

local asking = setmetatable({}, { __mode = "k" }) -- coroutine -> models whose default scopes it asks just now

-- A scope that asks its own model asks that model's scope again, and so on.
local function add_default_scopes(query, definition)
  local thread = coroutine.running()
  local open = asking[thread] or {}
  if open[definition] then
    core.raise("INVALID_MODEL", ("model %s: its default scope asks for rows of %s, which asks that scope again; "
      .. "say withoutDefaultScope() on the query inside of it"):format(definition.name, definition.name), {
        model = definition.name,
      })
  end
  asking[thread], open[definition] = open, true
  local ok, err = pcall(call_all, query, definition.default_scopes)
  open[definition] = nil
  if not ok then
    error(err, 0)
  end
end

local function is_scoped(definition, unscoped)
  return #definition.default_scopes > 0 and not unscoped
end

reading.is_scoped = is_scoped

-- What a default scope says of limit and offset is the table; the query's own are of those rows.
local function add_scopes_within(clone, definition)
  local limit, offset = clone:_window()
  clone:clearLimit():clearOffset()
  add_default_scopes(clone, definition)
  if not limit and not offset then
    return
  end
  local most, from = clone:_window()
  local left = most and math.max(0, most - (offset or 0))
  if limit or left then
    clone:limit(math.min(limit or left, left or limit))
  end
  if offset or from then
    clone:offset((offset or 0) + (from or 0))
  end
end

-- Soft delete and default scopes, on a clone. Writes go through this too.
function reading.filter(query, definition, extra)
  local clone = query:clone()
  local mode = extra and extra.deleted
  if definition.soft_delete and mode ~= "with" then
    clone:_guard(mode == "only" and only_deleted or only_live, definition)
  end
  if is_scoped(definition, extra and extra.unscoped) then
    add_scopes_within(clone, definition)
  end
  return clone
end

-- The query with what its default scopes say now, which is asked no more: whoever runs it in parts needs its
-- order and its limit.
function reading.asked(query)
  local class, extra = about_query(query)
  local definition = class and class._definition
  if not definition or not is_scoped(definition, extra and extra.unscoped) then
    return query
  end
  local clone = reading.filter(query, definition, extra)
  local own = clone:_extra()
  own.unscoped, own.deleted = true, "with"
  return clone
end

-- A fresh query whose condition is a key, for a row that the default scopes leave: outside of them a row is
-- not there. Deleted rows are there, and what a scope says of order, limit and columns is for lists.
function reading.of_key(query, definition, unscoped)
  if not is_scoped(definition, unscoped) then
    return query
  end
  local whole = query:clone()
  add_default_scopes(query, definition)
  query:clearSelect():clearOrderBy():clearLimit():clearOffset()
  if query:_has("join") or query:_has("group") or query:_has("distinct") or query:_has("set") then
    return whole:_keyInQuery(query:select(table.unpack(definition.keys)))
  end
  return query
end

-- A query on a model inside of another query (a condition, a union, what is selected from) leaves out the same.
local function whole(query)
  local class, extra = about_query(query)
  local definition = class and class._definition
  return definition and definition.filtered and reading.filter(query, definition, extra) or query
end

-- Default scopes are asked when the outer query runs: until then `inside` keeps the question.
local function needs_asking(query)
  local class, extra = about_query(query)
  local definition = class and class._definition
  return extra and extra.inside ~= nil or definition and is_scoped(definition, extra and extra.unscoped)
end

-- The query as it runs now, with what the late ones inside of it ask now.
local function settle(query)
  local now, _, extra = {}, about_query(query)
  for id, inner in next, extra.inside do
    local asked = whole(inner)
    _, extra = about_query(asked)
    now[id] = extra and extra.inside and settle(asked) or asked
  end
  return query:_settled(now)
end

local last_id = 0

-- What stands for a query inside of another; second, where it is late: { id, query }. In a default scope
-- nothing waits, for that is when it is asked.
function reading.subquery(query, may_wait)
  local open = asking[coroutine.running()]
  if not needs_asking(query) then
    return whole(query)
  elseif may_wait and not (open and next(open)) then
    last_id = last_id + 1
    query = query:clone():_late(last_id)
    return query, { last_id, query }
  end
  local asked = whole(query)
  local _, extra = about_query(asked)
  return extra and extra.inside and settle(asked) or asked
end

core.setSubquery(reading.subquery, settle)

-- All of that and the beforeFetch hooks: the query that runs. `ctx` may be made later.
function reading.prepare(query, definition, extra, ignored, make_ctx)
  if not definition.filtered then
    return query
  end
  local prepared = reading.filter(query, definition, extra)
  local list = hooks.of(definition, "beforeFetch", ignored)
  if list and make_ctx then
    local ctx = make_ctx(prepared)
    for index = 1, #list do
      prepared:_guard(list[index], ctx)
    end
  end
  return prepared
end

local function serialize(list, definition)
  local serializers = definition.serializers
  for index = 1, #serializers do
    local property, fn = serializers[index].property, serializers[index].fn
    for place = 1, #list do
      local value = rawget(list[place], property)
      if value ~= nil then
        list[place][property] = fn(value)
      end
    end
  end
end

-- What every list of fresh records goes through first; writes that return rows too.
function reading.arrive(list, definition, track)
  if definition.serializers then
    serialize(list, definition)
  end
  if definition.kept then
    tracking.keep(list, definition.kept)
  end
  if track == nil then
    track = definition.track
  end
  if track then
    for index = 1, #list do
      tracking.remember(list[index])
    end
  end
end

local function run_after_fetch(list, definition, ignored, ctx)
  local after = hooks.of(definition, "afterFetch", ignored)
  for index = 1, after and #after or 0 do
    local replacement = after[index](list, ctx)
    if type(replacement) == "table" then
      list = replacement
    end
  end
  return list
end

local function ignored_hooks(extra, given, what)
  local ignore = given.ignoreHooks
  if ignore == nil and extra then
    return extra.ignored
  end
  return hooks.ignored(ignore, what)
end

-- Everything a read needs, prepared once: used by lists, single rows and aggregates.
function reading.begin(query, definition, extra, given, what)
  local loads = extra and extra.loads
  local bound = definition and state.source_of[query:_model()]
  local handle, opts, ds, trx = running.target(definition, bound, extra, given, loads and #loads)
  local ignored = ignored_hooks(extra, given, what)
  local ctx
  local function make_ctx(prepared)
    ctx = ctx or running.context("fetch", definition, ds, trx, { query = prepared })
    return ctx
  end
  if definition then
    query = reading.prepare(query, definition, extra, ignored, make_ctx)
  end
  return query, handle, opts, {
    ds = ds, trx = trx, bound = bound, ignored = ignored, make_ctx = make_ctx, deadline = opts and opts.deadline,
  }
end

-- Annotated values move out of the fields, or away.
local function annotate(list, names, removed)
  for index = 1, #list do
    local row, apart = list[index], {}
    for _, name in ipairs(names) do
      apart[name] = rawget(row, name)
      rawset(row, name, nil)
    end
    if not removed then
      rawset(row, "$annotations", apart)
    end
  end
end

-- The same with what the rows will go through, in `run`: for those that read whole rows.
function reading.begin_rows(query, definition, extra, given, what)
  local prepared, handle, opts, run = reading.begin(query, definition, extra, given, what)
  run.loads = definition and extra and extra.loads
  if run.loads then
    prepared, run.added = preload.with_keys(prepared, query, definition, preload.keys_for(definition, run.loads))
  end
  run.annotations = definition and extra and extra.annotations
  run.no_annotations = extra and extra.no_annotations
  run.track, run.prepared = given.track, prepared
  if run.track == nil and extra then
    run.track = extra.track
  end
  return prepared, handle, opts, run
end

-- What fresh rows of a model go through; the list may become another. `single`: no row, no hook.
function reading.treat(list, definition, run, single)
  if run.annotations then
    annotate(list, run.annotations, run.no_annotations)
  end
  reading.arrive(list, definition, run.track)
  if definition.hooks.afterFetch and (#list > 0 or not single) then
    list = run_after_fetch(list, definition, run.ignored, run.make_ctx(run.prepared))
  end
  if run.loads and #list > 0 then
    preload.load(list, definition, run.loads, run, reading)
    preload.strip(list, run.added)
  end
  return list
end

-- The rows of a query as a list; `single`: at most one.
function reading.list(query, definition, extra, given, single, what)
  local prepared, handle, opts, run = reading.begin_rows(query, definition, extra, given, what)
  local list
  if single then
    list = { core.fetchOne(handle, prepared, opts) }
  else
    list = core.fetch(handle, prepared, opts)
  end
  return definition and reading.treat(list, definition, run, single) or list
end

return reading
