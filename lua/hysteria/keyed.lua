-- Writes of one row by its primary key: what record:save(), record:delete() and the like do.
-- The subject of their hooks is the record, and it takes the values that the database stored.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local matching = require("hysteria.matching")
local options = require("hysteria.options")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")
local tracking = require("hysteria.tracking")
local transaction = require("hysteria.transaction")
local updating = require("hysteria.updating")
local validation = require("hysteria.validation")
local writing = require("hysteria.writing")

local keyed = {}

local NONE = {}

-- A row that its model's default scopes leave out is not there, unless the call says withoutDefaultScope.
keyed.erase_options = options.names("trx", "timeout", "ignoreHooks", "withoutDefaultScope")
keyed.options = options.names(keyed.erase_options, "unguarded")

function keyed.need_key(definition)
  if #definition.keys == 0 then
    core.raise("MODEL_HAS_NO_PRIMARY_KEY", definition.name .. " has no primary key", { model = definition.name })
  end
end

-- A key is a value: SQL in its place would reach other rows than one.
local function need_value(value, name, what)
  local kind = core.kind(value)
  if kind ~= "null" and writing.EXPRESSION[kind] then
    core.raise("INVALID_ARGUMENT", ("%s: %s must be a value, not %s"):format(what, name, kind))
  end
  return value
end

local function from_list(definition, value, what)
  local count = #value
  local list = {}
  for index, name in ipairs(definition.keys) do
    list[index] = need_value(options.need(rawget(value, index), name, what), name, what)
  end
  if count > #list then
    core.raise("INVALID_ARGUMENT", ("%s: %d values for a key of %d columns, (%s)"):format(what, count, #list,
      table.concat(definition.keys, ", ")), { model = definition.name })
  end
  return list
end

-- By property or database name; other columns may be there, unknown names may not.
local function from_names(definition, value, what)
  local list, by_property = {}, {}
  for name, part in next, value do
    local made = definition.by_property[name] or definition.by_database[name]
    if not made then
      core.raise("UNDEFINED_COLUMN", ("%s: no column '%s' on %s%s"):format(what, tostring(name), definition.name,
        options.hint(name, definition.properties)), { model = definition.name })
    end
    by_property[made.property] = part
  end
  for index, name in ipairs(definition.keys) do
    list[index] = need_value(options.need(by_property[name], name, what), name, what)
  end
  return list
end

-- The key that a caller names: one value, a list in key order, or a table by name.
function keyed.values_of(definition, value, what)
  keyed.need_key(definition)
  options.need(value, "key", what)
  if type(value) ~= "table" then
    if not definition.key then
      options.need_type(value, "table", "key", what)
    end
    return { need_value(value, definition.key, what) }
  end
  local shape = getmetatable(value)
  if shape and shape.class then
    if shape.class._definition ~= definition then
      core.raise("INVALID_ARGUMENT", ("%s: a record of %s was given to %s"):format(what, shape.class._definition.name,
        definition.name), { model = definition.name })
    end
    return keyed.key_of(definition, value)
  end
  options.plain(value, what .. ": the key")
  return (rawget(value, 1) ~= nil and from_list or from_names)(definition, value, what)
end

-- The key values of a record or row as the database has them, in key order.
function keyed.key_of(definition, row)
  keyed.need_key(definition)
  local key = {}
  for index, name in ipairs(definition.keys) do
    local value = rawget(row, name)
    if value == nil or value == core.null then
      core.raise("MODEL_HAS_NO_PRIMARY_KEY_VALUE", ("%s: the record has no `%s`"):format(definition.name, name), {
        model = definition.name,
      })
    end
    key[index] = matching.stored(definition.by_property[name], need_value(value, name, definition.name))
  end
  return key
end

local function not_found(definition)
  local scoped = #definition.default_scopes > 0 and ", or the default scope leaves it out" or ""
  core.raise("ROW_NOT_FOUND", ("%s: the row does not exist any more%s"):format(definition.name, scoped), {
    model = definition.name,
  })
end

-- A query for the row with that key.
function keyed.query(frozen, definition, key, given)
  return reading.of_key(core.query(frozen):_keyIs(key), definition, given.withoutDefaultScope)
end

function keyed.stale(definition)
  core.raise("STALE_RECORD", definition.name .. ": the row was changed or deleted since it was read", {
    model = definition.name,
  })
end

-- The version that the record's row must still have; nil where the model has none, or no record
-- is there.
local function version_of(definition, record)
  if not definition.version or not record then
    return nil
  end
  return rawget(record, definition.version) or core.raise("INVALID_ARGUMENT",
    ("%s: a write of this record needs `%s`, which it was read without"):format(definition.name, definition.version),
    { model = definition.name })
end

-- A query for the row of that key, and of that version if one is expected.
local function row_query(frozen, definition, key, expected, given)
  local query = keyed.query(frozen, definition, key, given)
  return expected and query:where(definition.version, expected) or query
end

-- What a query found changes; the row as a record, wherever that has put it. No row is an error. `wanted`
-- as in returning_list; of false the record is true.
local function change_by_key(query, definition, place, key, expected, wanted, change)
  local frozen = query:_model()
  change(query)
  local stored
  if wanted == false then
    stored = core.execute(place.handle, query, place.opts) > 0
  elseif place.handle:can("RETURNING_UPDATE") then
    query:_returning(wanted)
    stored = core.fetch(place.handle, query, place.opts)[1]
  else
    stored = transaction.together(place, function(opts)
      local again = writing.select_list(core.query(frozen), wanted):_keyIs(key)
      return core.execute(place.handle, query, opts) > 0 and core.fetchOne(place.handle, again, opts) or nil
    end)
  end
  return stored or (expected and keyed.stale or not_found)(definition)
end

-- The row of that key, and of that version if one is expected, as the write of it would be given back.
function keyed.read(frozen, place, key, expected, given)
  local definition, wanted = state.definition_of[frozen], writing.returning_list(given)
  local query = writing.select_list(row_query(frozen, definition, key, expected, given), wanted or definition.keys)
  local found = core.fetchOne(place.handle, query, place.opts) or (expected and keyed.stale or not_found)(definition)
  if wanted == false then
    return 1
  end
  reading.arrive({ found }, definition)
  return found
end

-- One column of the row that a record stands for, as it is stored.
function keyed.read_column(class, record, name, given)
  local definition = class._definition
  local key = keyed.key_of(definition, record)
  local trx = given.trx
  if trx == nil then
    trx = class._trx or nil
  end
  local handle, opts = running.target(definition, class._source or nil, nil, { trx = trx, timeout = given.timeout })
  local row = core.fetchOne(handle, keyed.query(class, definition, key, given):select(name), opts)
  if row == nil then
    not_found(definition)
  end
  return rawget(row, name)
end

-- What a write of these columns brings back to its record, sorted: they themselves, the version,
-- and what every write computes, as far as the record has it.
local function names_of(definition, row, record)
  local names, columns = { definition.version }, getmetatable(record).columns
  for name in next, row do
    names[#names + 1] = name
  end
  for _, name in ipairs(definition.computed or NONE) do
    if columns[name] and row[name] == nil then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- What an update computes, as a set.
local function computed_of(definition)
  local set = options.names(table.unpack(definition.computed or NONE))
  if definition.version then
    set[definition.version] = true
  end
  return set
end

-- Put what the database stored into a record, field by field. `all`: nobody gave a value for any of them.
local function merge(definition, record, stored, names, all, place)
  local fate = transaction.fate(place)
  if fate then
    tracking.begin_merge(record, names, all or computed_of(definition), fate)
  end
  for _, name in ipairs(names) do
    record[name] = rawget(stored, name)
  end
  tracking.refresh(record, names)
  if fate then
    tracking.end_merge(record, names)
  end
end

-- After-hooks want the row, also where the caller does not.
local function wanted_for(definition, given, ignored)
  return writing.returning_list(given) or hooks.any(definition, ignored, "afterUpdate", "afterSave")
end

-- Write `row` (properties and values, already a copy) to the row with this key. With a record,
-- it takes the stored values and comes back; without, the stored row does, or 1 where that is not wanted.
function keyed.update_key(frozen, key, row, given, record)
  local definition, bound = state.definition_of[frozen], state.source_of[frozen]
  local ignored = hooks.ignored(given.ignoreHooks, "update")
  local place = writing.place_of(definition, bound, nil, given)
  local expected = writing.take_version(definition, row) or version_of(definition, record)
  if next(row) == nil then
    writing.nothing_to_change("update")
  end
  return writing.with_hooks(definition, "update", ignored, place, writing.is_seen(definition, true), function(inner)
    local ctx = running.context("update", definition, inner.ds, inner.trx, { ids = key, record = record })
    validation.run(definition, row, "update", ignored, ctx)
    hooks.run(definition, "beforeSave", ignored, row, ctx)
    hooks.run(definition, "beforeUpdate", ignored, row, ctx)
    writing.after_hooks(definition, "update", ignored, row, definition.keys)
    writing.fill(definition.updaters, row)
    writing.prepare(definition, row)
    local names = record and names_of(definition, row, record)
    local target = row_query(frozen, definition, key, expected, given)
    local wanted = names or wanted_for(definition, given, ignored)
    local stored = change_by_key(target, definition, inner, key, expected, wanted, function(query)
      writing.set_columns(query, definition, row)
    end)
    if wanted == false then
      return 1
    end
    reading.arrive({ stored }, definition)
    if record then
      merge(definition, record, stored, names, false, inner)
    end
    local subject = record or stored
    hooks.run(definition, "afterUpdate", ignored, subject, ctx)
    hooks.run(definition, "afterSave", ignored, subject, ctx)
    return (record or given.returning ~= false) and subject or 1
  end)
end

-- The subject of the hooks of a write by key: the record, or the row as it is. Second: is the row there?
-- From then on nobody else changes it, so that no hook runs for nothing.
local function subject_of(frozen, definition, place, key, record, operation, given, ignored)
  if not definition.hooked[operation] or ignored == true then
    return record, true
  end
  local query = keyed.query(frozen, definition, key, given)
  if record then
    query:select(table.unpack(definition.keys))
  end
  if place.handle:can("LOCK") then
    query:lockForUpdate()
  end
  local found = core.fetchOne(place.handle, query, place.opts)
  if found and not record then
    reading.arrive({ found }, definition)
  end
  return record or found, found ~= nil
end

-- Gives the number of rows: 1 or 0.
function keyed.delete_key(frozen, key, given, record)
  local definition, bound = state.definition_of[frozen], state.source_of[frozen]
  local ignored = hooks.ignored(given.ignoreHooks, "delete")
  local place = writing.place_of(definition, bound, nil, given)
  local expected = version_of(definition, record)
  return writing.with_hooks(definition, "delete", ignored, place, false, function(inner)
    local subject, exists = subject_of(frozen, definition, inner, key, record, "delete", given, ignored)
    if not exists then
      return expected and keyed.stale(definition) or 0
    end
    local ctx = running.context("delete", definition, inner.ds, inner.trx, { ids = key })
    hooks.run(definition, "beforeDelete", ignored, subject, ctx)
    local query = row_query(frozen, definition, key, expected, given)
    query:_delete()
    local count = core.execute(inner.handle, query, inner.opts)
    if count == 0 and expected then
      keyed.stale(definition)
    end
    hooks.after(definition, { "afterDelete" }, ignored, subject, ctx, count)
    return count
  end)
end

-- softDelete (deleted true) or restore of one row; the record, or the stored row.
function keyed.soft_key(frozen, key, deleted, given, record)
  local definition, bound = state.definition_of[frozen], state.source_of[frozen]
  local operation = deleted and "softDelete" or "restore"
  updating.need_soft_delete(definition, operation)
  local ignored = hooks.ignored(given.ignoreHooks, operation)
  local place = writing.place_of(definition, bound, nil, given)
  local expected = version_of(definition, record)
  local plan = updating.soft_plan(definition, deleted)
  return writing.with_hooks(definition, operation, ignored, place, writing.is_seen(definition, true), function(inner)
    local subject, exists = subject_of(frozen, definition, inner, key, record, operation, given, ignored)
    if not exists then
      (expected and keyed.stale or not_found)(definition)
    end
    local ctx = running.context(operation, definition, inner.ds, inner.trx, { ids = key })
    hooks.run(definition, plan.before, ignored, subject, ctx)
    local target = row_query(frozen, definition, key, expected, given)
    local stored = change_by_key(target, definition, inner, key, expected, true, plan.change)
    reading.arrive({ stored }, definition)
    if subject then
      local names = names_of(definition, { [definition.soft_delete] = true }, subject)
      merge(definition, subject, stored, names, true, inner)
    end
    hooks.run(definition, plan.after, ignored, subject or stored, ctx)
    return subject or stored
  end)
end

return keyed
