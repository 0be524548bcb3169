-- updateMany: rows that each get values of their own, found by a key, a statement for many of them:
-- SET column = CASE WHEN the key is this THEN that ... END.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local inserting = require("hysteria.inserting")
local keyed = require("hysteria.keyed")
local matching = require("hysteria.matching")
local options = require("hysteria.options")
local running = require("hysteria.running")
local state = require("hysteria.state")
local transaction = require("hysteria.transaction")
local unique = require("hysteria.unique")
local updating = require("hysteria.updating")
local validation = require("hysteria.validation")
local writing = require("hysteria.writing")

local updating_many = {}

updating_many.options = options.names(writing.options, "by")
updating_many.table_options = options.names(writing.table_options, "by")

-- A row looks at half of a statement's keys: more rows would not make it faster.
local ROWS_PER_STATEMENT = 200
local BINDS_PER_STATEMENT = 30000 -- below the limit of every database

-- ---- the statement ----------------------------------------------------------------------------

-- The names that the rows of a group change, in the model's order.
local function changed_names(run, row)
  local names = {}
  for _, name in ipairs(run.definition and run.definition.properties or {}) do
    names[#names + 1] = row[name] ~= nil and name or nil
  end
  if not run.definition then
    for name in next, row do
      names[#names + 1] = name
    end
    table.sort(names)
  end
  return names
end

-- Where the rows are: by the key, and by the version where one is expected.
local function where_keys(run, places)
  local names, keys = run.by, {}
  if run.versions[places[1]] then
    names = { table.unpack(run.by) }
    names[#names + 1] = run.definition.version
  end
  for index, place in ipairs(places) do
    local key = run.keys[place]
    if names ~= run.by then
      key = type(key) == "table" and { table.unpack(key) } or { key }
      key[#key + 1] = run.versions[place]
    end
    keys[index] = key
  end
  return names, keys
end

-- The first WHEN that is true counts, and the database may take two keys for equal that Lua does not:
-- so the last row comes first.
local function build(run, places, query)
  local keys, count = {}, #places
  for index, place in ipairs(places) do
    keys[count + 1 - index] = run.keys[place]
  end
  if run.definition and run.definition.version then
    query:_increment(run.definition.version, 1)
  end
  local function is_computed(name)
    for _, place in ipairs(places) do
      if validation.is_computed(run.changes[place][name]) then
        return true
      end
    end
    return false
  end
  writing.each_assigned(changed_names(run, run.changes[places[1]]), is_computed, function(name)
    local values = {}
    for index, place in ipairs(places) do
      values[count + 1 - index] = run.changes[place][name]
    end
    if count == 1 then
      query:_set(name, values[1])
    else
      query:_setByKey(name, run.by, keys, values)
    end
  end)
end

-- The rows that came back, to the places that they were asked from.
local function place_rows(run, places, rows)
  local by_key = {}
  for _, place in ipairs(places) do
    local key = matching.key(run.definition, run.by, run.rows[place])
    if key ~= nil then
      by_key[key] = place
    end
  end
  for _, row in ipairs(rows) do
    local key = matching.key(run.definition, run.by, row)
    local place = key ~= nil and by_key[key] or (#places == 1 and places[1]) or nil
    if place then
      run.into[place] = row
    else
      run.others[#run.others + 1] = row -- equal to the database, not to Lua
    end
  end
end

local function update_places(run, places)
  local query = run.query:clone()
  local names, keys = where_keys(run, places)
  query:_guard(function()
    query:_keyIn(names, keys)
  end)
  local result = updating.execute(query, run.definition, run.place, run.given, "update", function(target)
    build(run, places, target)
  end)
  if run.place.dry then
    return 0
  end
  local count = run.given.returning and #result or result
  if count < #places and run.versions[places[1]] then
    keyed.stale(run.definition)
  elseif run.given.returning then
    place_rows(run, places, result)
  end
  if #places == 1 then
    run.counts[places[1]] = count
  end
  return count
end

-- A CASE would have to name a secret column, which no expression does: those go row by row, and so do rows
-- whose hooks must know whether they were there.
local function per_statement(run, group)
  if run.must_know then
    return 1
  end
  local names = changed_names(run, run.changes[group[1]])
  for _, name in ipairs(names) do
    if run.definition and run.definition.by_property[name].secret then
      return 1
    end
  end
  local binds = #names * (#run.by + 1) + #run.by + 1
  return math.max(1, math.min(ROWS_PER_STATEMENT, BINDS_PER_STATEMENT // binds))
end

local function update_groups(run, groups)
  local count = 0
  for _, group in ipairs(groups) do
    local step = per_statement(run, group)
    for first = 1, #group, step do
      count = count + update_places(run, table.move(group, first, math.min(#group, first + step - 1), 1, {}))
    end
  end
  return count
end

-- In the order of the given rows; those that do not exist are left out.
local function collect(run)
  local list = {}
  for place = 1, #run.rows do
    list[#list + 1] = run.into[place]
  end
  table.move(run.others, 1, #run.others, #list + 1, list)
  matching.strip(list, run.added)
  return list
end

local function update_all(run)
  local groups = matching.groups(run.definition, run.by, run.rows, function(place)
    return matching.shape(run.changes[place]) .. (run.versions[place] and " of a version" or "")
  end)
  local count
  local single = #groups == 1 and #groups[1] <= per_statement(run, groups[1]) and next(run.versions) == nil
  if single or run.place.dry then
    count = update_groups(run, groups)
  else
    local place = run.place
    count = transaction.atomic(place, function(trx)
      run.place = { handle = place.handle, ds = place.ds, trx = trx, opts = running.inside(place.opts, trx) }
      return update_groups(run, groups)
    end)
  end
  return run.given.returning and collect(run) or count
end

-- ---- rows -------------------------------------------------------------------------------------

local function key_value(run, row, name, index)
  local value = row[name]
  if value ~= nil and value ~= core.null and not writing.EXPRESSION[core.kind(value)] then
    return value
  end
  local code = run.by_primary and "MODEL_HAS_NO_PRIMARY_KEY_VALUE" or "INVALID_ARGUMENT"
  core.raise(code, ("updateMany (row %d): `%s` must be the value that the row is found by"):format(index, name), {
    model = run.definition and run.definition.name, row = index,
  })
end

local function nothing_to_change(index)
  core.raise("INVALID_ARGUMENT", ("updateMany (row %d): nothing to change"):format(index), { row = index })
end

-- Take the key and the expected version out of a copy of the row: the rest is what changes.
local function split(run, row, index)
  local key = {}
  for _, name in ipairs(run.by) do
    local value = key_value(run, row, name, index)
    key[name] = run.definition and matching.stored(run.definition.by_property[name], value) or value
  end
  run.keys[index] = matching.values(run.definition, run.by, key)
  local changes = {}
  for name, value in next, row do
    changes[name] = value
  end
  for _, name in ipairs(run.by) do
    changes[name] = nil
  end
  run.versions[index] = run.definition and writing.take_version(run.definition, changes) or nil
  if next(changes) == nil then
    nothing_to_change(index)
  end
  run.changes[index] = changes
end

local function new_run(definition, query, by, rows, given)
  local asked, added = matching.with_columns(definition, given.returning and writing.returning_list(given), by)
  local inner = { returning = asked }
  return {
    query = query, by = by, rows = rows, given = inner, added = added,
    keys = {}, changes = {}, versions = {}, counts = {}, into = {}, others = {},
  }
end

-- Hooks see the changes of each row; the query knows all of them.
local function run_before(run, ctx_of)
  local definition, ignored = run.definition, run.ignored
  for index, changes in ipairs(run.changes) do
    validation.run(definition, changes, "update", ignored, ctx_of(index), index)
  end
  run.query:_guard(function()
    for index, changes in ipairs(run.changes) do
      hooks.run(definition, "beforeSave", ignored, changes, ctx_of(index))
      hooks.run(definition, "beforeUpdate", ignored, changes, ctx_of(index))
      writing.after_hooks(definition, "update", ignored, changes, run.by)
    end
  end)
  for index, changes in ipairs(run.changes) do
    if next(changes) == nil then
      nothing_to_change(index)
    end
    writing.fill(definition.updaters, changes)
    writing.prepare(definition, changes)
  end
end

local AFTER = { "afterUpdate", "afterSave" }

local function must_know(definition, ignored)
  return hooks.of(definition, AFTER[1], ignored) ~= nil or hooks.of(definition, AFTER[2], ignored) ~= nil
end

-- Of a row that no statement found nothing has happened.
local function run_after(run, ctx_of)
  for index, changes in ipairs(run.must_know and run.changes or {}) do
    hooks.after(run.definition, AFTER, run.ignored, changes, ctx_of(index), run.counts[index] or 0)
  end
end

local function update_copies(run, inner)
  local contexts = {}
  run.place = inner
  local function ctx_of(index)
    contexts[index] = contexts[index] or running.context("update", run.definition, inner.ds, inner.trx, {
      bulk = true, query = run.query, ids = matching.list(run.definition, run.by, run.rows[index]),
    })
    return contexts[index]
  end
  run_before(run, ctx_of)
  local result = update_all(run)
  run_after(run, ctx_of)
  return result
end

-- The columns by which rows are found.
local function columns_by(definition, given)
  if given.by == nil and definition then
    keyed.need_key(definition)
    return definition.keys
  end
  local by = unique.column_list(definition, options.need(given.by, "by", "updateMany"), "by", "updateMany")
  if definition then
    unique.need(definition, by, "updateMany")
  elseif #by == 0 then
    core.raise("INVALID_ARGUMENT", "updateMany: by names no column")
  end
  return by
end

local function copy_rows(frozen, definition, rows, count, given)
  local copies = {}
  for index = 1, count do
    local row = rawget(rows, index)
    writing.need_row(row, ("updateMany: row %d"):format(index))
    copies[index] = definition and frozen:rowCopy(row) or options.plain(row, "updateMany: a row")
    if definition then
      writing.check_guarded(definition, copies[index], given)
    end
  end
  return copies
end

-- updateMany({ { id = 1, age = 5 }, { id = 2, name = "x" } }, { by = { "id" } }) -> count, or rows
function updating_many.update(query, frozen, extra, rows, given)
  local definition = frozen and state.definition_of[frozen]
  given = options.check(given, definition and updating_many.options or updating_many.table_options, "updateMany")
  local count = inserting.need_rows(rows, "updateMany")
  local place = writing.place_of(definition, frozen and state.source_of[frozen], extra, given)
  local by = columns_by(definition, given)
  if count == 0 then
    return given.returning and {} or 0
  end
  local copies = copy_rows(frozen, definition, rows, count, given)
  local filtered = definition and updating.filtered(query, definition, extra) or query:clone()
  local run = new_run(definition, filtered, by, copies, given)
  run.definition, run.by_primary, run.place = definition, given.by == nil, place
  for index, row in ipairs(copies) do
    split(run, row, index)
  end
  if not definition then
    return update_all(run)
  end
  run.ignored = hooks.ignored(given.ignoreHooks, "updateMany")
  run.must_know = must_know(definition, run.ignored)
  local also = writing.is_seen(definition, given.returning)
  return writing.with_hooks(definition, "update", run.ignored, place, also, function(inner)
    return update_copies(run, inner)
  end)
end

return updating_many
