-- update, increment, delete, softDelete, restore and truncate of builders: the guard against a
-- write without a condition, the filters of the model, and what a limit or a join becomes.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local matching = require("hysteria.matching")
local options = require("hysteria.options")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")
local transaction = require("hysteria.transaction")
local validation = require("hysteria.validation")
local writing = require("hysteria.writing")

local updating = {}

-- ---- the statement ----------------------------------------------------------------------------

-- Did a scope that the user called add a condition? Only asked before a write without WHERE.
local function scopes_limit(query, calls)
  local frozen = query:_model()
  for _, entry in ipairs(calls) do
    local probe = core.query(frozen)
    entry.fn(probe, table.unpack(entry.arguments, 1, entry.arguments.n))
    if probe:_has("where") then
      return true
    end
  end
  return false
end

local function need_condition(query, extra, what)
  if query:_has("where") or (extra and extra.all_rows) then
    return
  end
  if extra and extra.scope_calls and scopes_limit(query, extra.scope_calls) then
    return
  end
  core.raise("MISSING_WHERE", what .. " without a condition; call :allRows() before it if every row is meant")
end

-- What no UPDATE or DELETE can say, whatever the database, becomes a subquery for the keys. Joins,
-- order, limit and WITH are the core's business: native, by key, or refused.
local function narrowed(query, definition, what)
  if not (query:_has("group") or query:_has("distinct") or query:_has("set")) then
    return query
  end
  if not definition or #definition.keys == 0 then
    core.raise("UNSUPPORTED", what .. " of a group, DISTINCT or a union needs a model with a primary key", {
      feature = what .. " of a group, DISTINCT or a union",
    })
  end
  local keys = query:clone():clearSelect():select(table.unpack(definition.keys))
  return core.query(query:_model()):_keyInQuery(keys)
end

local function filtered(query, definition, extra)
  if definition and definition.filtered then
    return reading.filter(query, definition, extra)
  end
  return query:clone()
end

local FEATURE = { update = "RETURNING_UPDATE", delete = "RETURNING_DELETE" }
local FEATURE_NAME = { update = "UPDATE ... RETURNING", delete = "DELETE ... RETURNING" }
local KEYS_PER_STATEMENT = 1000

-- The keys of the rows that the query finds, as q:_keyIn takes them; none twice.
local function lock_keys(query, definition, handle, opts)
  local keys_of = query:clone():clearSelect():select(table.unpack(definition.keys))
  if handle:can("LOCK") then
    keys_of:lockForUpdate()
  end
  local list, seen = {}, {}
  for _, row in ipairs(core.fetch(handle, keys_of, opts)) do
    local key = matching.key(definition, definition.keys, row)
    if key == nil or not seen[key] then
      seen[key == nil and row or key] = true
      list[#list + 1] = matching.values(definition, definition.keys, row)
    end
  end
  return list
end

-- The rows with these keys as they are now, which an older moment of the transaction may not show.
local function read_keys(frozen, definition, handle, opts, keys, wanted)
  local again = writing.select_list(core.query(frozen), wanted):_keyIn(definition.keys, keys)
  if handle:can("LOCK") then
    again:lockForUpdate()
  end
  return core.fetch(handle, again, opts)
end

-- The query for these of its rows alone.
local function restricted(query, definition, keys)
  local target = query:clone():clearOrderBy():clearLimit():clearOffset()
  target:_guard(function()
    target:_keyIn(definition.keys, keys)
  end)
  return target
end

-- Change the rows with these keys and give them: read before a delete, after an update.
local function change_keys(query, definition, handle, opts, keys, wanted, statement, change)
  local frozen = query:_model()
  local rows = statement == "delete" and read_keys(frozen, definition, handle, opts, keys, wanted) or nil
  local target = restricted(query, definition, keys)
  change(target)
  core.execute(handle, target, opts)
  rows = rows or read_keys(frozen, definition, handle, opts, keys, wanted)
  if #rows < #keys then
    core.raise("UNSUPPORTED", "update with returning cannot change the primary key here", {
      model = definition.name, feature = FEATURE_NAME[statement],
    })
  end
  return rows
end

local function change_and_read(query, definition, place, wanted, statement, change)
  return transaction.atomic(place, function(trx)
    local opts, rows = running.inside(place.opts, trx), {}
    local keys = lock_keys(query, definition, place.handle, opts)
    for first = 1, #keys, KEYS_PER_STATEMENT do
      local some = table.move(keys, first, math.min(#keys, first + KEYS_PER_STATEMENT - 1), 1, {})
      local changed = change_keys(query, definition, place.handle, opts, some, wanted, statement, change)
      table.move(changed, 1, #changed, #rows + 1, rows)
    end
    return rows
  end)
end

-- Run a write; rows when they were asked for, else the count. Where the database returns no
-- rows, they are locked by reading their keys first, and read again.
local function execute(query, definition, place, given, statement, change)
  if place.dry then
    change(query)
    return place.dry(query)
  elseif not given.returning then
    change(query)
    return (core.execute(place.handle, query, place.opts))
  end
  local wanted, rows = writing.returning_list(given), nil
  if place.handle:can(FEATURE[statement]) and not (statement == "delete" and query:_has("join")) then
    change(query)
    query:_returning(wanted)
    rows = core.fetch(place.handle, query, place.opts)
  elseif definition and #definition.keys > 0 then
    rows = change_and_read(query, definition, place, wanted, statement, change)
  else
    local dialect = place.ds:getDbType()
    core.raise("UNSUPPORTED", ("%s needs a model with a primary key on %s"):format(FEATURE_NAME[statement], dialect), {
      feature = FEATURE_NAME[statement], dialect = dialect,
    })
  end
  if definition then
    reading.arrive(rows, definition)
  end
  return rows
end

updating.execute, updating.filtered = execute, filtered

-- ---- update and increment -----------------------------------------------------------------------

-- Conditions that a hook adds are grouped apart from the user's.
local function run_on_query(query, definition, name, ignored, subject, ctx)
  if hooks.of(definition, name, ignored) then
    query:_guard(function()
      hooks.run(definition, name, ignored, subject, ctx)
    end)
  end
end

local AFTER_UPDATE, AFTER_INCREMENT = { "afterUpdate", "afterSave" }, { "afterUpdate" }

local function update_copy(query, definition, place, row, given, ignored)
  local ctx = running.context("update", definition, place.ds, place.trx, { bulk = true, query = query })
  validation.run(definition, row, "update", ignored, ctx)
  run_on_query(query, definition, "beforeSave", ignored, row, ctx)
  run_on_query(query, definition, "beforeUpdate", ignored, row, ctx)
  writing.after_hooks(definition, "update", ignored, row)
  writing.fill(definition.updaters, row)
  writing.prepare(definition, row)
  local result = execute(narrowed(query, definition, "update"), definition, place, given, "update", function(target)
    writing.set_columns(target, definition, row)
  end)
  hooks.after(definition, AFTER_UPDATE, ignored, row, ctx, result)
  return result
end

-- `frozen` nil: a builder on a plain table.
function updating.update(query, frozen, extra, changes, given)
  local definition = frozen and state.definition_of[frozen]
  writing.need_changes(changes, "update")
  given = options.check(given, definition and writing.options or writing.table_options, "update")
  need_condition(query, extra, "update")
  local place = writing.place_of(definition, frozen and state.source_of[frozen], extra, given)
  if not definition then
    options.plain(changes, "update: the changes")
    return execute(narrowed(query:clone(), nil, "update"), nil, place, given, "update", function(target)
      writing.set_columns(target, nil, changes)
    end)
  end
  local row = frozen:rowCopy(changes)
  writing.check_guarded(definition, row, given)
  local ignored = hooks.ignored(given.ignoreHooks, "update")
  local target = filtered(query, definition, extra)
  local also = writing.is_seen(definition, given.returning)
  return writing.with_hooks(definition, "update", ignored, place, also, function(inner)
    return update_copy(target, definition, inner, row, given, ignored)
  end)
end

-- What can be counted; of a type by name only the database knows.
local COUNTABLE = options.names("tinyint", "smallint", "mediumint", "integer", "bigInteger", "float", "double",
  "decimal", "custom")

-- The columns in one order, so that equal writes are equal texts; of a model its properties.
local function steps_in_order(definition, steps, what)
  local list = {}
  for name, amount in next, steps do
    local made = definition and (definition.by_property[name] or definition.by_database[name])
    if made and made.counts then
      core.raise("INVALID_ARGUMENT", ("%s: `%s` counts the changes of a row by itself"):format(what, name))
    elseif made and made.secret then
      core.raise("NOT_SEARCHABLE", ("%s: `%s` is stored hashed or encrypted"):format(what, name))
    elseif made and not COUNTABLE[made.kind] then
      core.raise("INVALID_ARGUMENT", ("%s: `%s` is no number, but of kind %s"):format(what, name, made.kind))
    elseif not definition and type(name) == "string" and name:find(".", 1, true) then
      core.raise("INVALID_ARGUMENT", ("%s: `%s`: a column of the table, without the table's name"):format(what, name))
    end
    list[#list + 1] = { name = made and made.property or name, amount = amount }
  end
  if #list == 0 then
    core.raise("INVALID_ARGUMENT", what .. ": no column is named")
  end
  table.sort(list, function(a, b)
    return a.name < b.name
  end)
  for index = 2, #list do
    if list[index].name == list[index - 1].name then
      core.raise("INVALID_ARGUMENT", ("%s: `%s` is named twice"):format(what, list[index].name))
    end
  end
  return list
end

local function add_steps(target, list)
  for _, entry in ipairs(list) do
    target:_increment(entry.name, entry.amount)
  end
end

-- What every update sets but for the columns that are counted: of those the step is the new value.
local function uncounted(updaters, amounts)
  local list = {}
  for _, entry in ipairs(updaters or {}) do
    list[#list + 1] = amounts[entry.property] == nil and entry or nil
  end
  return list
end

local function increment_copy(query, definition, place, list, given, ignored)
  local row, amounts = {}, {}
  for _, entry in ipairs(list) do
    amounts[entry.name] = entry.amount
  end
  local ctx = running.context("increment", definition, place.ds, place.trx, {
    bulk = true, query = query, amounts = amounts,
    column = #list == 1 and list[1].name or nil, amount = #list == 1 and list[1].amount or nil,
  })
  validation.run(definition, row, "update", ignored, ctx) -- hooks: the column's new value is the database's
  run_on_query(query, definition, "beforeUpdate", ignored, row, ctx)
  writing.after_hooks(definition, "update", ignored, row)
  writing.fill(uncounted(definition.updaters, amounts), row)
  writing.prepare(definition, row)
  local result = execute(narrowed(query, definition, "increment"), definition, place, given, "update", function(target)
    add_steps(target, list)
    writing.set_columns(target, definition, row, true)
  end)
  hooks.after(definition, AFTER_INCREMENT, ignored, row, ctx, result)
  return result
end

-- column = column + amount, for each of `steps` = { column = amount }; `what`: increment or decrement.
function updating.increment(query, frozen, extra, steps, given, what)
  local definition = frozen and state.definition_of[frozen]
  local list = steps_in_order(definition, steps, what)
  given = options.check(given, definition and writing.options or writing.table_options, what)
  need_condition(query, extra, what)
  local place = writing.place_of(definition, frozen and state.source_of[frozen], extra, given)
  if not definition then
    return execute(narrowed(query:clone(), nil, what), nil, place, given, "update", function(target)
      add_steps(target, list)
    end)
  end
  for _, entry in ipairs(list) do
    writing.check_guarded(definition, { [entry.name] = entry.amount }, given)
  end
  local ignored = hooks.ignored(given.ignoreHooks, what)
  local target = filtered(query, definition, extra)
  local also = writing.is_seen(definition, given.returning)
  return writing.with_hooks(definition, "update", ignored, place, also, function(inner)
    return increment_copy(target, definition, inner, list, given, ignored)
  end)
end

-- ---- delete, softDelete, restore, truncate -------------------------------------------------------

local function delete_rows(target)
  target:_delete()
end

-- A write whose hooks get the query: delete, softDelete, restore.
local function bulk(query, definition, place, given, ignored, plan)
  local ctx = running.context(plan.operation, definition, place.ds, place.trx, { bulk = true, query = query })
  run_on_query(query, definition, plan.before, ignored, query, ctx)
  local result = execute(narrowed(query, definition, plan.operation), definition, place, given, plan.statement,
    plan.change)
  hooks.after(definition, { plan.after }, ignored, query, ctx, result)
  return result
end

function updating.delete(query, frozen, extra, given)
  local definition = frozen and state.definition_of[frozen]
  given = options.check(given, definition and writing.delete_options or writing.table_options, "delete")
  need_condition(query, extra, "delete")
  local place = writing.place_of(definition, frozen and state.source_of[frozen], extra, given)
  if not definition then
    return execute(narrowed(query:clone(), nil, "delete"), nil, place, given, "delete", delete_rows)
  end
  local ignored = hooks.ignored(given.ignoreHooks, "delete")
  local target = filtered(query, definition, extra)
  local also = writing.is_seen(definition, given.returning)
  return writing.with_hooks(definition, "delete", ignored, place, also, function(inner)
    return bulk(target, definition, inner, given, ignored, {
      operation = "delete", before = "beforeDelete", after = "afterDelete", statement = "delete", change = delete_rows,
    })
  end)
end

function updating.need_soft_delete(definition, what)
  if not definition.soft_delete then
    core.raise("INVALID_MODEL", ("%s: %s has no hysteria.softDelete()"):format(what, definition.name), {
      model = definition.name,
    })
  end
end

-- softDelete falls back to the delete hooks where only those exist.
local function soft_hook(definition, name, fallback)
  return definition.hooks[name] and name or fallback
end

local function mark(definition, deleted)
  return function(target)
    local value = core.null
    if definition.soft_boolean then
      value = deleted
    elseif deleted and definition.soft_value then
      value = definition.soft_value()
    elseif deleted then
      value = core.now():sub(definition.soft_part[1], definition.soft_part[2])
    end
    local row = {}
    writing.fill(definition.updaters, row)
    writing.prepare(definition, row)
    row[definition.soft_delete] = value
    writing.set_columns(target, definition, row)
  end
end

function updating.soft_plan(definition, deleted)
  if not deleted then
    return {
      operation = "restore", before = "beforeRestore", after = "afterRestore", statement = "update",
      change = mark(definition, false),
    }
  end
  return {
    operation = "softDelete", statement = "update", change = mark(definition, true),
    before = soft_hook(definition, "beforeSoftDelete", "beforeDelete"),
    after = soft_hook(definition, "afterSoftDelete", "afterDelete"),
  }
end

-- deleted: true for softDelete, false for restore.
function updating.soft(query, frozen, extra, deleted, given)
  local definition = state.definition_of[frozen]
  local plan_name = deleted and "softDelete" or "restore"
  updating.need_soft_delete(definition, plan_name)
  given = options.check(given, writing.delete_options, plan_name)
  need_condition(query, extra, plan_name)
  local place = writing.place_of(definition, state.source_of[frozen], extra, given)
  local ignored = hooks.ignored(given.ignoreHooks, plan_name)
  local mode = { deleted = deleted and "live" or "only", unscoped = extra and extra.unscoped }
  local target = filtered(query, definition, mode)
  local also = writing.is_seen(definition, given.returning)
  return writing.with_hooks(definition, plan_name, ignored, place, also, function(inner)
    return bulk(target, definition, inner, given, ignored, updating.soft_plan(definition, deleted))
  end)
end

local RESTORE_TABLE = options.names(writing.table_options, "column")
local SOFT_TABLE = options.names(RESTORE_TABLE, "value")

-- A plain table has no annotation: the column is `deleted_at` unless said.
function updating.soft_table(query, extra, deleted, given)
  local what = deleted and "softDelete" or "restore"
  given = options.check(given, deleted and SOFT_TABLE or RESTORE_TABLE, what)
  need_condition(query, extra, what)
  local place = writing.place_of(nil, nil, extra, given)
  local value = core.null
  if deleted then
    value = given.value
    if value == nil then
      value = extra and extra.soft_value
    end
    if value == nil then
      value = core.now()
    end
  end
  local column = given.column or extra and extra.soft_column or "deleted_at"
  return execute(narrowed(query:clone(), nil, what), nil, place, given, "update", function(target)
    target:_set(column, value)
  end)
end

-- Would TRUNCATE store, there and then, what a transaction has done so far?
local function ends_transaction(place)
  if place.trx == false or place.handle:can("TRANSACTIONAL_DDL") then
    return false
  end
  return (place.trx or transaction.current(place.ds)) ~= nil
end

updating.truncate_options = options.names("trx", "timeout", "withoutDefaultScope")

function updating.truncate(query, frozen, extra, given)
  given = options.check(given, updating.truncate_options, "truncate")
  local definition = frozen and state.definition_of[frozen]
  if definition and reading.is_scoped(definition, given.withoutDefaultScope or extra and extra.unscoped) then
    core.raise("INVALID_ARGUMENT", ("truncate empties the table and %s has a default scope: say withoutDefaultScope() "
      .. "if every row is meant, delete() if not"):format(definition.name), { model = definition.name })
  end
  local place = writing.place_of(definition, frozen and state.source_of[frozen], extra, given)
  local target = frozen and core.query(frozen) or query:clone()
  if ends_transaction(place) then
    target:_delete()
  else
    target:_truncate()
  end
  if place.dry then
    return place.dry(target)
  end
  core.execute(place.handle, target, place.opts)
end

return updating
