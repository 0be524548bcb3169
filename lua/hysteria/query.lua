-- The terminal verbs of queries, and the few building verbs that need the Lua side (load,
-- scopes, soft delete, timeout). They join the C verbs in core.queryMethods, so that every
-- query has them: those of a model and those on a plain table.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local inserting = require("hysteria.inserting")
local options = require("hysteria.options")
local preload = require("hysteria.preload")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")
local updating = require("hysteria.updating")
local updating_many = require("hysteria.updating_many")
local upserting = require("hysteria.upserting")

local query = {}

local methods = core.queryMethods
local about_query, settings_of = methods._about, methods._extra -- they look at their `self`
local fetch, fetch_one = core.fetch, core.fetchOne
local source_of = state.source_of

local NONE = {}
local READ = options.names("trx", "timeout", "ignoreHooks", "track")
local FAIL = options.names(READ, "customError")

-- Definition, frozen model and own settings of a query; nil where it has none.
local function about(q)
  local class, extra, frozen = about_query(q)
  return class and class._definition, frozen, extra
end

local function need_model(q, what)
  local definition, frozen, extra = about(q)
  if not definition then
    core.raise("INVALID_ARGUMENT", what .. " needs a query on a model, not on a plain table")
  end
  return definition, frozen, extra
end

-- ---- reads ------------------------------------------------------------------------------------

-- The short road: no hooks, no scopes, no loads, no options. The source is asked for when the
-- query runs, not when it was built.
function methods.many(q, given)
  local class, extra = about_query(q)
  local definition = class and class._definition
  if given == nil and extra == nil and (class == nil or definition.plain_read) then
    local ds = class and class._source or state.default or running.no_source()
    return fetch(ds._core or running.closed(), q)
  end
  return reading.list(q, definition, extra, options.check(given, READ, "many"), false, "many")
end

function methods.one(q, given)
  local class, extra = about_query(q)
  local definition = class and class._definition
  if given == nil and extra == nil and (class == nil or definition.plain_read) then
    local ds = class and class._source or state.default or running.no_source()
    return fetch_one(ds._core or running.closed(), q)
  end
  return reading.list(q, definition, extra, options.check(given, READ, "one"), true, "one")[1]
end

methods.first = methods.one

-- The row that must be there, or ROW_NOT_FOUND (or the caller's own error).
function query.must_exist(row, definition, custom_error)
  if row ~= nil then
    return row
  elseif custom_error ~= nil then
    error(custom_error, 0)
  end
  local name = definition and definition.name
  core.raise("ROW_NOT_FOUND", name and name .. ": no row matches" or "no row matches", { model = name })
end

function methods.oneOrFail(q, given)
  given = options.check(given, FAIL, "oneOrFail")
  local definition, _, extra = about(q)
  local row = reading.list(q, definition, extra, given, true, "oneOrFail")[1]
  return query.must_exist(row, definition, given.customError)
end

methods.firstOrFail = methods.oneOrFail

-- Is there any row? Asks for a key, not for a row, where that cannot change the answer.
function methods.exists(q, given)
  local definition, _, extra = about(q)
  local prepared, handle, opts = reading.begin(q, definition, extra, options.check(given, READ, "exists"), "exists")
  local key = definition and definition.keys[1]
  if key and not (prepared:_has("group") or prepared:_has("set") or prepared:_has("distinct")) then
    if rawequal(prepared, q) then
      prepared = q:clone()
    end
    prepared:clearSelect():clearOrderBy():select(key)
  end
  local limited = { limit = 1, trx = opts and opts.trx, deadline = opts and opts.deadline }
  local _, found = core.scalar(handle, prepared, limited)
  return found
end

-- No column of the model's, so what is selected under that name; a plain table may have any column.
local function is_alias(q, name, definition)
  if type(name) ~= "string" then
    return false
  end
  return q:_hasAlias(name) or (definition and not name:find(".", 1, true) and q:_has("select"))
end

-- One field of rows that must be selected as they are.
local function field_of(rows, name, definition)
  local list = {}
  for index = 1, #rows do
    local value = rows[index][name]
    list[index] = value == nil and core.null or value
  end
  if definition and rows[1] and not getmetatable(rows[1]).columns[name] then
    core.raise("UNDEFINED_COLUMN", ("pluck: the query selects no `%s`"):format(tostring(name)), {
      model = definition.name,
    })
  end
  return list
end

-- What an order or a group names must stay selected: the column comes beside it, under this name.
local PLUCKED = "hysteria_plucked"

-- The values of one column; NULL as sql.null.
function methods.pluck(q, column, given)
  options.need(column, "column", "pluck")
  local definition, _, extra = about(q)
  local prepared, handle, opts = reading.begin(q, definition, extra, options.check(given, READ, "pluck"), "pluck")
  local made = definition and (definition.by_property[column] or definition.by_database[column])
  local list
  if prepared:_has("set") or (not made and is_alias(prepared, column, definition)) then
    list = field_of(core.fetch(handle, prepared, opts), made and made.property or column, definition)
  elseif prepared:_has("alias") then
    list = field_of(core.fetch(handle, prepared:clone():select { column, PLUCKED }, opts), PLUCKED)
  else
    if rawequal(prepared, q) then
      prepared = q:clone()
    end
    list = core.pluck(handle, prepared:clearSelect():select(column), opts)
  end
  for _, entry in ipairs(made and definition.serializers or NONE) do
    if entry.property == made.property then
      for index = 1, #list do
        if list[index] ~= core.null then
          list[index] = entry.fn(list[index])
        end
      end
    end
  end
  return list
end

local function aggregate(q, func, column, given, what)
  local definition, _, extra = about(q)
  local prepared, handle, opts = reading.begin(q, definition, extra, options.check(given, READ, what), what)
  return (core.scalar(handle, prepared:_aggregate(func, column), opts))
end

-- getCount(column?, options?): rows, or the column's values that are not NULL.
function methods.getCount(q, column, given)
  if type(column) == "table" and given == nil then
    column, given = nil, column
  end
  if column ~= nil then
    options.need_name(column, "column", "getCount")
  end
  return aggregate(q, "count", column or "*", given, "getCount")
end

methods.count = methods.getCount

-- How many rows there are for pages to show: their rows are locked, not their number.
function methods._total(q, given, what)
  local definition, _, extra = about(q)
  options.plain(given, "the options of a total")
  local prepared, handle, opts = reading.begin(q, definition, extra, given, what or "paginate")
  if prepared:_has("lock") then
    prepared = prepared:clone():clearLockQuery()
  end
  return (core.scalar(handle, prepared:_aggregate("count", "*"), opts))
end

for name, func in next, { getMax = "max", getMin = "min", getAvg = "avg", getSum = "sum" } do
  methods[name] = function(q, column, given)
    options.need_name(column, "column", name)
    return aggregate(q, func, column, given, name)
  end
end

-- ---- writes -----------------------------------------------------------------------------------

-- What the verb has no use for would be ignored.
local function refuse_parts(q, what, ...)
  for index = 1, select("#", ...) do
    local part = select(index, ...)
    if q:_has(part) then
      core.raise("INVALID_ARGUMENT", ("%s takes no %s"):format(what, part))
    end
  end
end

-- A row that is new is chosen by nothing.
local function refuse_choice(q, what)
  refuse_parts(q, what, "where", "join", "group", "order", "limit", "distinct", "set", "lock")
end

function methods.insert(q, data, given)
  local definition, frozen, extra = about(q)
  refuse_choice(q, "insert")
  if definition then
    return inserting.insert(frozen, extra, data, given)
  end
  return inserting.insert_table(q, extra, data, given)
end

function methods.insertMany(q, rows, given)
  local definition, frozen, extra = about(q)
  refuse_choice(q, "insertMany")
  if definition then
    return inserting.insert_many(frozen, extra, rows, given)
  end
  return inserting.insert_many_table(q, extra, rows, given)
end

-- On a model upsert(search, data, options?), on a plain table upsert(row, search, options?).
function methods.upsert(q, first, second, given)
  local definition, frozen, extra = about(q)
  refuse_choice(q, "upsert")
  if definition then
    return upserting.upsert(frozen, extra, first, second, given)
  end
  return upserting.upsert_table(q, extra, first, second, given)
end

-- On a model upsertMany(conflict columns, rows, options?); on a plain table the columns to update
-- stand before the rows, nil for all.
function methods.upsertMany(q, columns, ...)
  local definition, frozen, extra = about(q)
  refuse_choice(q, "upsertMany")
  if definition then
    return upserting.upsert_many(frozen, extra, columns, ...)
  end
  return upserting.upsert_many_table(q, extra, columns, ...)
end

function methods.update(q, changes, given)
  local _, frozen, extra = about(q)
  return updating.update(q, frozen, extra, changes, given)
end

-- updateMany(rows, options?): each row has its key and values of its own; of the rows that the query's
-- conditions leave. { by = columns } names another unique key than the primary one.
function methods.updateMany(q, rows, given)
  local _, frozen, extra = about(q)
  refuse_parts(q, "updateMany", "join", "order", "limit", "group", "distinct", "set")
  return updating_many.update(q, frozen, extra, rows, given)
end

function methods.delete(q, given)
  local _, frozen, extra = about(q)
  return updating.delete(q, frozen, extra, given)
end

-- { column = amount } of increment(column, amount = 1, options?) and increment({ column = amount },
-- options?), and the options.
local function steps_of(what, column, ...)
  if type(column) == "table" then
    return options.plain(column, what .. ": the amounts"), ...
  end
  options.need_name(column, "column", what)
  local amount, given = ...
  if select("#", ...) == 0 then
    amount = 1
  elseif type(amount) == "table" and given == nil then
    amount, given = 1, amount
  end
  return { [column] = options.need(amount, "amount", what) }, given
end

-- The lowest whole number has none that is as far above zero.
local function negative(amount)
  return -(amount == math.mininteger and core.decimal(tostring(amount)) or amount)
end

local function step(q, sign, what, ...)
  local given_steps, given = steps_of(what, ...)
  local steps = {}
  for name, amount in next, given_steps do
    options.need_name(name, "column", what)
    if math.type(amount) == nil and not core.isDecimal(amount) then
      core.raise("INVALID_ARGUMENT", ("%s: the amount of `%s` must be a number"):format(what, name))
    end
    steps[name] = sign < 0 and negative(amount) or amount
  end
  local _, frozen, extra = about(q)
  return updating.increment(q, frozen, extra, steps, given, what)
end

-- increment(column, amount = 1, options?), increment({ column = amount, ... }, options?)
function methods.increment(q, ...)
  return step(q, 1, "increment", ...)
end

function methods.decrement(q, ...)
  return step(q, -1, "decrement", ...)
end

function methods.softDelete(q, given)
  local definition, frozen, extra = about(q)
  if definition then
    return updating.soft(q, frozen, extra, true, given)
  end
  return updating.soft_table(q, extra, true, given)
end

function methods.restore(q, given)
  local definition, frozen, extra = about(q)
  if definition then
    return updating.soft(q, frozen, extra, false, given)
  end
  return updating.soft_table(q, extra, false, given)
end

-- Empties the table: a query that chooses some of its rows means delete().
function methods.truncate(q, given)
  local _, frozen, extra = about(q)
  refuse_choice(q, "truncate")
  return updating.truncate(q, frozen, extra, given)
end

-- ---- building ---------------------------------------------------------------------------------

-- load("posts"), load("posts.comments"), load("posts", function(posts) ... end),
-- load { "posts", "author", comments = function(comments) ... end }
function methods.load(q, what, fn)
  local definition = need_model(q, "load")
  options.need(what, "relation", "load")
  if type(what) ~= "table" then
    preload.add(q, definition, what, fn)
    return q
  end
  options.plain(what, "load: relations")
  local names = {}
  for key, value in next, what do
    if math.type(key) == "integer" then
      preload.add(q, definition, value)
    else
      names[#names + 1] = options.need_name(key, "relation", "load")
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    preload.add(q, definition, name, what[name])
  end
  return q
end

function methods.clearRelations(q)
  local _, extra = about_query(q)
  if extra then
    extra.loads = nil
  end
  return q
end

-- annotate(column, alias), annotate(func, column, alias): a value beside the fields of a record, in
-- record["$annotations"][alias]; in rows of a plain table a field like others.
function methods.annotate(q, ...)
  local class = about_query(q)
  local count = select("#", ...)
  if count ~= 2 and count ~= 3 then
    core.raise("INVALID_ARGUMENT", "annotate takes (column, alias) or (function, column, alias)")
  end
  local first, second, third = ...
  local alias = options.need_name(count == 2 and second or third, "alias", "annotate")
  if count == 2 then
    methods.select(q, { options.need(first, "column", "annotate"), alias })
  else
    methods.selectFunc(q, options.lower(options.need_name(first, "function", "annotate")), second, alias)
  end
  if class then
    local extra = settings_of(q)
    extra.annotations = extra.annotations or {}
    table.insert(extra.annotations, alias)
  end
  return q
end

local function set(name, value)
  return function(q)
    settings_of(q)[name] = value
    return q
  end
end

methods.allRows = set("all_rows", true)
methods.removeAnnotations = set("no_annotations", true)
methods.clearRemoveAnnotations = set("no_annotations", nil)
methods.withoutDefaultScope = set("unscoped", true)

local function deleted(mode, what)
  return function(q)
    if not need_model(q, what).soft_delete then
      core.raise("INVALID_MODEL", what .. " needs a model with hysteria.softDelete()")
    end
    q:_extra().deleted = mode
    return q
  end
end

methods.withDeleted = deleted("with", "withDeleted")
methods.onlyDeleted = deleted("only", "onlyDeleted")

function methods.timeout(q, milliseconds)
  settings_of(q).timeout = options.need_count(milliseconds, 1, "milliseconds", "timeout")
  return q
end

function methods.ignoreHooks(q, which)
  if which == nil then
    which = true
  end
  settings_of(q).ignored = hooks.ignored(which, "ignoreHooks")
  return q
end

-- fn(q, value) if the value is neither nil nor false.
function methods.when(q, value, fn)
  about_query(q)
  options.need_type(fn, "function", "fn", "when")
  if value then
    fn(q, value)
  end
  return q
end

-- fn(q, value) if the value is neither nil nor sql.null: false counts.
function methods.strictWhen(q, value, fn)
  about_query(q)
  options.need_type(fn, "function", "fn", "strictWhen")
  if value ~= nil and value ~= core.null then
    fn(q, value)
  end
  return q
end

-- ---- scopes -----------------------------------------------------------------------------------

-- scope("adults", ...): what the model's scope adds, grouped apart from the user's conditions.
function methods.scope(q, name, ...)
  local definition = need_model(q, "scope")
  options.need_name(name, "name", "scope")
  local fn = definition.scopes[name]
  if not fn then
    core.raise("SCOPE_NOT_FOUND", ("no scope `%s` on %s%s"):format(
      name, definition.name, options.hint(name, definition.scope_names)), { model = definition.name })
  end
  q:_guard(fn, ...)
  local extra = q:_extra()
  extra.scope_calls = extra.scope_calls or {}
  table.insert(extra.scope_calls, { fn = fn, arguments = table.pack(...) })
  return q
end

local function method_names(definition)
  local names = {}
  for name in next, methods do
    if type(name) == "string" and not name:find("^_") then
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(definition and definition.scope_names or NONE) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- A name that is no verb is a scope of the query's model, or a mistake. Which one, only the
-- call can tell: an index of a userdata does not know the userdata.
local callers = {}

local function caller_for(name)
  return function(q, ...)
    local definition = core.kind(q) == "query" and about(q) or nil
    if definition and definition.scopes[name] then
      return q:scope(name, ...)
    end
    core.raise("INVALID_ARGUMENT", ("queries have no verb `%s`%s"):format(
      name, options.hint(name, method_names(definition))))
  end
end

setmetatable(methods, {
  __index = function(_, name)
    if type(name) ~= "string" or name:find("^_") then
      return nil
    end
    local caller = callers[name] or caller_for(name)
    if state.scopes[name] then
      callers[name] = caller
    end
    return caller
  end,
})

-- ---- inspection -------------------------------------------------------------------------------

-- The dialect that was named, or the source which the query would run on.
local function dialect_for(q, dialect)
  if dialect ~= nil then
    return options.need_name(dialect, "dialect", "toQuery")
  end
  local definition, frozen, extra = about(q)
  local _, _, ds = running.target(definition, frozen and source_of[frozen], extra, NONE)
  return ds._core or running.closed()
end

-- What would run, soft delete and default scopes included, hooks not.
local function as_it_runs(q)
  local definition, _, extra = about(q)
  return definition and reading.prepare(q, definition, extra) or q
end

-- Readable text with the values in it; never to be sent.
function methods.toQuery(q, dialect)
  return (core.compile(as_it_runs(q), dialect_for(q, dialect), "literal"))
end

function methods.toSql(q, dialect)
  return (core.compile(as_it_runs(q), dialect_for(q, dialect), "binds"))
end

-- { sql, bindings } as they are sent.
function methods.unWrap(q, dialect)
  local text, bindings = core.compile(as_it_runs(q), dialect_for(q, dialect), "binds")
  return { sql = text, bindings = bindings }
end

return query
