-- upsert and upsertMany: rows that are inserted, or update the row that has the same values in the
-- conflict columns. One statement does both, so nobody comes between; where hooks must know which
-- of the two happens, rows are written one by one, each by the statement that suits it.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local inserting = require("hysteria.inserting")
local matching = require("hysteria.matching")
local options = require("hysteria.options")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")
local transaction = require("hysteria.transaction")
local unique = require("hysteria.unique")
local writing = require("hysteria.writing")

local upserting = {}

local OWN = options.names("updateOnConflict", "updateColumns")
upserting.options = options.names(writing.options, OWN, "withoutDefaultScope")
upserting.table_options = options.names(writing.table_options, OWN)

local BINDS_PER_STATEMENT = 30000 -- below the limit of every database
local ROWS_PER_STATEMENT = 250

-- ---- what conflicts, what is updated ------------------------------------------------------------

local function need_values(definition, columns, row, place, what)
  for _, name in ipairs(columns) do
    local value = row[name]
    local where = place and (" (row %d)"):format(place) or ""
    if value == nil or value == core.null then
      core.raise("CONFLICT_COLUMNS_NOT_PRESENT_IN_DATA", ("%s%s: `%s` %s"):format(what, where, name,
        value == nil and "is not in the data" or "is NULL, which equals nothing"), {
          model = definition and definition.name, row = place,
        })
    elseif writing.EXPRESSION[core.kind(value)] then
      core.raise("INVALID_ARGUMENT", ("%s%s: `%s` must be a value: rows are found by it"):format(what, where, name))
    end
  end
end

-- What a conflict changes: of the row's columns those asked for, never those that conflict.
local function updated_columns(run, row)
  local names = {}
  for name in next, row do
    if not run.conflicts[name] and (run.only == nil or run.only[name]) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- ---- databases that are not told which key is meant ---------------------------------------------

local known_indexes = setmetatable({}, { __mode = "k" }) -- source -> { "schema.table(a,b)" = until when }
local MILLISECONDS_KNOWN = 1000

local function database_names(run)
  local names = {}
  for index, name in ipairs(run.columns) do
    names[index] = run.definition and run.definition.by_property[name].name or name
  end
  return names
end

local function schema_and_table(run)
  if run.definition then
    return run.definition.schema, run.definition.table
  end
  local schema, name = run.base:_table():match("^(.*)%.([^.]*)$")
  return schema, name or run.base:_table()
end

local INDEX = [[SELECT index_name FROM information_schema.statistics
  WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND non_unique = 0 GROUP BY index_name
  HAVING COUNT(*) = ? AND SUM(CASE WHEN column_name IN (%s) THEN 1 ELSE 0 END) = ?]]

-- MySQL and MariaDB watch every unique key, and would insert a second row where the one that is
-- meant does not exist. So they are asked for it, at most once a second, since somebody may drop it.
-- `anew`: whatever is known.
local function need_index(run, anew)
  local place = run.place
  if place.handle:can("UPSERT_TARGET") then
    return
  end
  local known = known_indexes[place.ds] or {}
  known_indexes[place.ds] = known
  local schema, name = schema_and_table(run)
  local names = database_names(run)
  local id = ("%s.%s(%s)"):format(schema or "", name, table.concat(names, ","))
  if known[id] and not anew and core.deadline(1) < known[id] then
    return
  end
  known[id] = nil
  local params = { schema or core.null, name, #names, table.unpack(names) }
  params[#params + 1] = #names
  local text = INDEX:format(("?, "):rep(#names - 1) .. "?")
  if #core.rawQuery(place.handle, text, params, place.opts) == 0 then
    core.raise("INVALID_ARGUMENT", ("%s: the table %s has no unique key (%s)"):format(run.what, name,
      table.concat(names, ", ")), { model = run.definition and run.definition.name, table = name })
  end
  known[id] = core.deadline(MILLISECONDS_KNOWN)
end

-- ---- by one statement ---------------------------------------------------------------------------

local function new_query(run)
  return run.frozen and core.query(run.frozen) or run.base:clone()
end

local function by_name(entries)
  local map = {}
  for _, entry in ipairs(entries or {}) do
    map[entry.property] = entry
  end
  return map
end

-- Columns that every update sets and the caller has not. Those of the clock have the same value in
-- the new row: they join the names. The others are calculated: { property, fill }.
local function computed_columns(run, names)
  local list, calculated = { table.unpack(names) }, {}
  local set, fillers = options.names(table.unpack(names)), by_name(run.definition.fillers)
  for _, entry in ipairs(run.definition.updaters or {}) do
    local filler = fillers[entry.property]
    if set[entry.property] or run.conflicts[entry.property] then
      set[entry.property] = true
    elseif entry.part and filler and filler.part then
      list[#list + 1] = entry.property
    else
      calculated[#calculated + 1] = entry
    end
  end
  return list, calculated
end

local function set_calculated(run, query, calculated, row)
  local values = {}
  writing.fill(calculated, values, row)
  writing.prepare(run.definition, values)
  for _, entry in ipairs(calculated) do
    query:_conflictSet(entry.property, values[entry.property])
  end
  if run.definition.version then
    query:_conflictIncrement(run.definition.version)
  end
end

-- The statement for rows[first..]: gives it and the last row that it takes.
local function build(run, rows, first, names)
  local query = new_query(run)
  local last = query:_insert(rows, first, math.min(#rows, first + run.per_statement - 1), true)
  if run.ignore or #names == 0 then
    query:_onConflict(run.columns, "nothing")
    return query, last, true
  end
  if not run.definition then
    return query:_onConflict(run.columns, "update", names), last, false
  end
  local list, calculated = computed_columns(run, names)
  query:_onConflict(run.columns, "update", list)
  set_calculated(run, query, calculated, rows[first])
  return query, last, false
end

local OUT_OF_RANGE = 1690 -- how MySQL and MariaDB say that another row was hit: core/sql/upsert.c

local function guarded(run, fn, ...)
  if run.place.handle:can("UPSERT_TARGET") then
    return fn(...)
  end
  local ok, result = pcall(fn, ...)
  if ok then
    return result
  elseif core.isError(result) and result.nativeCode == OUT_OF_RANGE then
    core.raise("UNIQUE_VIOLATION", ("%s: a row has the same values as another one in a unique key other than (%s)")
      :format(run.what, table.concat(run.columns, ", ")), {
        model = run.definition and run.definition.name, table = result.table, cause = result,
      })
  end
  error(result, 0)
end

-- A query for the rows with these keys, whoever has changed them last.
local function again(run)
  local query = writing.select_list(new_query(run), run.asked)
  if not run.place.handle:can("UPSERT_TARGET") then
    query:lockForUpdate() -- they are locked already; an older moment must not be seen
  end
  return query
end

local function read_row(run, row)
  local key = { matching.values(run.definition, run.columns, row) }
  return core.fetchOne(run.place.handle, again(run):_keyIn(run.columns, key), run.place.opts)
end

local function read_rows(run, rows, first, last)
  local keys = {}
  for index = first, last do
    keys[#keys + 1] = matching.values(run.definition, run.columns, rows[index])
  end
  local stored = core.fetch(run.place.handle, again(run):_keyIn(run.columns, keys), run.place.opts)
  if #stored > #keys then -- two rows of one key, and the transaction can still undo that
    need_index(run, true)
  end
  return stored
end

local function not_found(run)
  core.raise("ROW_NOT_FOUND", run.what .. ": a row was deleted by somebody else at once", {
    model = run.definition and run.definition.name,
  })
end

-- The stored rows to the places of those that they come from. What Lua cannot tell apart is
-- asked for row by row.
local function place_rows(run, rows, group, first, last, stored)
  local by_key = {}
  for _, record in ipairs(stored) do
    local key = matching.key(run.definition, run.columns, record)
    if key ~= nil then
      by_key[key] = record
    end
  end
  for index = first, last do
    local key = matching.key(run.definition, run.columns, rows[index])
    local record = key ~= nil and by_key[key] or nil
    if record == nil and first == last and #stored == 1 then
      record = stored[1]
    end
    run.into[group[index]] = record or read_row(run, rows[index]) or not_found(run)
  end
end

local function store(run, rows, group, first, names)
  local place = run.place
  local query, last, nothing = build(run, rows, first, names)
  if place.dry then
    place.dry(query)
    return last
  elseif run.wanted == false then
    guarded(run, core.execute, place.handle, query, place.opts)
    return last
  end
  local stored
  if place.handle:can("RETURNING_INSERT") and not nothing then
    query:_returning(run.asked)
    stored = guarded(run, core.fetch, place.handle, query, place.opts)
  else
    guarded(run, core.execute, place.handle, query, place.opts)
    stored = read_rows(run, rows, first, last)
  end
  place_rows(run, rows, group, first, last, stored)
  return last
end

-- What a conflict changes of the rows of a group: of all of them the same (see shape_of).
local function names_of(run, group)
  return run.names and run.names[group[1]] or updated_columns(run, run.rows[group[1]])
end

local function store_group(run, group)
  local rows, names = {}, names_of(run, group)
  for index, place in ipairs(group) do
    rows[index] = run.rows[place]
  end
  local first = 1
  while first <= #rows do
    first = store(run, rows, group, first, names) + 1
  end
end

-- Does one statement say it all, so that it needs no transaction?
local function is_single(run, groups)
  if #groups ~= 1 or #groups[1] > 1 then
    return false
  end
  local reads_again = run.ignore or not run.place.handle:can("RETURNING_INSERT") or #names_of(run, groups[1]) == 0
  return run.wanted == false or not reads_again
end

local function store_groups(run, groups)
  for _, group in ipairs(groups) do
    store_group(run, group)
  end
  return run.into
end

-- A column that every update sets by a function of the row: what it gives suits one row only.
local function needs_singles(definition)
  for _, entry in ipairs(definition and definition.updaters or {}) do
    if entry.fill then
      return true
    end
  end
  return false
end

-- Rows that one statement can write have the same columns, and of these a conflict changes the same:
-- a value that was computed for one row may have been given for another.
local function shape_of(run, place)
  local shape = matching.shape(run.rows[place])
  return run.names and shape .. " " .. table.concat(run.names[place], "\0") or shape
end

local function store_all(run)
  if not run.place.dry then
    need_index(run)
  end
  local groups = needs_singles(run.definition) and matching.singles(run.rows)
    or matching.groups(run.definition, run.columns, run.rows, function(place)
      return shape_of(run, place)
    end)
  if run.place.dry or is_single(run, groups) then
    return store_groups(run, groups)
  end
  local place = run.place
  return transaction.atomic(place, function(trx)
    run.place = { handle = place.handle, ds = place.ds, trx = trx, opts = running.inside(place.opts, trx) }
    return store_groups(run, groups)
  end)
end

-- ---- one by one, for hooks that must know ---------------------------------------------------------

-- The key of the row that is there: by the primary key if there is one. `any`: outside of the default
-- scopes as well.
local function find(run, row, lock, any)
  local query = new_query(run):_keyIn(run.columns, { matching.values(run.definition, run.columns, row) })
  query = reading.of_key(query, run.definition, any or run.unscoped):select(table.unpack(run.found_by))
  if lock and run.place.handle:can("LOCK") then
    query:lockForUpdate()
  end
  return core.fetchOne(run.place.handle, query, run.place.opts)
end

-- The new record, or nil where a row came to be there in the meantime.
local function insert_unless_there(run, row)
  local place = run.place
  local ok, record = pcall(transaction.atomic, place, function(trx)
    local opts = running.inside(place.opts, trx)
    return inserting.store_one(run.frozen, run.definition, place.handle, opts, row, run.asked)
  end)
  if ok then
    return record
  elseif core.isError(record) and record.code == "UNIQUE_VIOLATION" then
    if find(run, row, true) then
      return nil
    elseif run.scoped and find(run, row, true, true) then
      unique.out_of_scope(run.definition, run.columns, run.what, record)
    end
  end
  error(record, 0)
end

-- That row was found, and is locked where that can be.
local function at_key(run, key)
  return core.query(run.frozen):_keyIn(run.found_by, { matching.values(run.definition, run.found_by, key) })
end

local function read_there(run, key)
  local query = writing.select_list(at_key(run, key), run.asked)
  local record = core.fetchOne(run.place.handle, query, run.place.opts) or not_found(run)
  reading.arrive({ record }, run.definition, run.track)
  return record
end

-- What every update sets joins the changes, as set_calculated has it in one statement: functions see the
-- whole row. Its values are prepared already; what they give and what a hook has set is prepared now.
-- `before`: the changes as the hooks got them.
local function complete_changes(run, row, changes, before)
  local whole, fresh, updaters = {}, {}, {}
  for name, value in next, row do
    whole[name] = value
  end
  for name, value in next, changes do
    whole[name] = value
    if not rawequal(value, before[name]) then
      fresh[name] = value
    end
  end
  for _, entry in ipairs(run.definition.updaters or {}) do
    if changes[entry.property] == nil and not run.conflicts[entry.property] then
      updaters[#updaters + 1] = entry
    end
  end
  writing.fill(updaters, fresh, whole)
  writing.prepare(run.definition, fresh)
  for name, value in next, fresh do
    changes[name] = value
  end
end

local function not_given(names, given)
  local list = {}
  for _, name in ipairs(names) do
    list[#list + 1] = given[name] == nil and name or nil
  end
  return list
end

-- The key that the row has once these changes are made.
local function key_after(run, key, changes)
  local after = {}
  for _, name in ipairs(run.found_by) do
    after[name] = changes[name] == nil and key[name] or changes[name]
  end
  return after
end

-- Update the row that is there. Gives its record.
local function update_there(run, index, key)
  local definition, place, ignored = run.definition, run.place, run.ignored
  local row, changes, before = run.rows[index], {}, {}
  for _, name in ipairs(run.ignore and {} or run.names[index]) do
    changes[name], before[name] = row[name], row[name]
  end
  if next(changes) ~= nil then
    local ctx = running.context("upsert", definition, place.ds, place.trx, {
      bulk = run.bulk, ids = matching.list(definition, run.found_by, key),
    })
    hooks.run(definition, "beforeUpdate", ignored, changes, ctx)
    writing.after_hooks(definition, "upsert", ignored, changes, not_given(run.found_by, before))
    complete_changes(run, row, changes, before)
    local query = at_key(run, key)
    writing.set_columns(query, definition, changes)
    core.execute(place.handle, query, place.opts)
    local record = read_there(run, key_after(run, key, changes))
    hooks.run(definition, "afterUpdate", ignored, record, ctx)
    return record, true
  end
  return read_there(run, key), false
end

-- Second: was anything written?
local function write_one(run, index, ctx)
  local row = run.rows[index]
  local key = find(run, row) and find(run, row, true)
  if not key then
    local record = insert_unless_there(run, row)
    if record then
      reading.arrive({ record }, run.definition, run.track)
      if not run.after_many then
        hooks.run(run.definition, "afterInsert", run.ignored, record, ctx)
      end
      run.inserted[#run.inserted + 1] = record
      return record, true
    end
    key = find(run, row, true) or not_found(run)
  end
  return update_there(run, index, key)
end

local function write_one_by_one(run, ctx)
  run.inserted = {}
  run.found_by = #run.definition.keys > 0 and run.definition.keys or run.columns
  run.after_many = run.bulk and hooks.of(run.definition, "afterInsertMany", run.ignored)
  local written = {}
  for index = 1, #run.rows do
    local record, changed = write_one(run, index, ctx)
    run.into[index] = record
    written[#written + 1] = changed and record or nil
  end
  if run.after_many and #run.inserted > 0 then
    hooks.run(run.definition, "afterInsertMany", run.ignored, run.inserted, ctx)
  end
  for _, record in ipairs(written) do
    hooks.run(run.definition, "afterSave", run.ignored, record, ctx)
  end
  return run.into
end

-- ---- models -----------------------------------------------------------------------------------

local MUST_KNOW = { "beforeUpdate", "afterUpdate", "afterInsert", "afterInsertMany", "afterSave" }

local function must_know(definition, ignored)
  for _, name in ipairs(MUST_KNOW) do
    if hooks.of(definition, name, ignored) then
      return true
    end
  end
  return false
end

-- run.names is what a conflict will change of each row: what the caller gave and beforeSave made of it.
local function complete(run, ctx)
  run.names = {}
  inserting.complete(run.definition, run.rows, run.ignored, ctx, function(row, index)
    run.names[index] = updated_columns(run, row)
  end, function(row, index)
    need_values(run.definition, run.columns, row, run.bulk and index or nil, run.what)
  end)
end

local function names_as_set(list)
  return list and options.names(table.unpack(list)) or nil
end

-- What both forms share; `given` is checked.
local function new_run(what, columns, rows, only, given)
  return {
    what = what, columns = columns, conflicts = names_as_set(columns), only = names_as_set(only), rows = rows,
    ignore = given.updateOnConflict == false, into = {},
  }
end

-- Ask for the conflict columns as well; those are taken off again.
local function ask(run, wanted)
  run.wanted = wanted
  run.asked, run.added = matching.with_columns(run.definition, wanted, run.columns)
end

local function strip(run)
  matching.strip(run.into, run.added)
end

local function write_rows(run, inner, given)
  local definition = run.definition
  run.place = inner
  local ctx = running.context("upsert", definition, inner.ds, inner.trx, { bulk = run.bulk })
  complete(run, ctx)
  local wanted = writing.returning_list(given)
  if (must_know(definition, run.ignored) or run.scoped) and not inner.dry then
    need_index(run)
    run.asked = wanted or true
    write_one_by_one(run, ctx)
    return wanted == false and #run.rows or run.into
  end
  ask(run, wanted)
  store_all(run)
  if wanted == false then
    return #run.rows
  end
  strip(run)
  reading.arrive(run.into, definition, run.track)
  return run.into
end

local function refuse_version(definition, row, what)
  if definition.version and row[definition.version] ~= nil then
    core.raise("INVALID_ARGUMENT", ("%s: `%s` counts the changes of a row and is not written"):format(
      what, definition.version), { model = definition.name })
  end
end

local function upsert_rows(frozen, extra, columns, rows, given, what, bulk)
  local definition = state.definition_of[frozen]
  local place = writing.place_of(definition, state.source_of[frozen], extra, given)
  unique.need(definition, columns, what)
  local only = given.updateColumns
  only = only and unique.column_list(definition, only, "updateColumns", what)
  local copies = {}
  for index, row in ipairs(rows) do
    copies[index] = frozen:rowCopy(row)
    writing.check_guarded(definition, copies[index], given)
    refuse_version(definition, copies[index], what)
  end
  local run = new_run(what, columns, copies, only, given)
  run.frozen, run.definition, run.bulk = frozen, definition, bulk
  run.ignored = hooks.ignored(given.ignoreHooks, what)
  run.unscoped = given.withoutDefaultScope or extra and extra.unscoped
  run.scoped = reading.is_scoped(definition, run.unscoped)
  run.per_statement = math.max(1, math.min(ROWS_PER_STATEMENT, BINDS_PER_STATEMENT // #definition.columns))
  local also = run.scoped or writing.is_seen(definition, given.returning ~= false)
  return writing.with_hooks(definition, "upsert", run.ignored, place, also, function(inner)
    return write_rows(run, inner, given)
  end)
end

-- The names of `search` and the row of both tables; a name in both must have one value.
local function merged(search, data, what)
  options.need(search, "search", what)
  options.plain(search, what .. ": search")
  if next(search) == nil then
    core.raise("INVALID_ARGUMENT", what .. ": search names no column")
  end
  writing.need_row(data, what)
  options.plain(data, what .. ": a row")
  local names, row = {}, {}
  for name, value in next, data do
    row[name] = value
  end
  for name, value in next, search do
    local same = rawequal(row[name], value) or (type(value) ~= "table" and row[name] == value)
    if row[name] ~= nil and not same then
      core.raise("INVALID_ARGUMENT", ("%s: `%s` has one value in search and another in the data"):format(
        what, tostring(name)))
    end
    names[#names + 1] = name
    row[name] = value
  end
  table.sort(names)
  return names, row
end

-- upsert(search, data): the row of both tables; the columns of `search` are those that conflict.
function upserting.upsert(frozen, extra, search, data, given)
  given = options.check(given, upserting.options, "upsert")
  local names, row = merged(search, data == nil and {} or data, "upsert")
  local columns = unique.column_list(state.definition_of[frozen], names, "search", "upsert")
  local result = upsert_rows(frozen, extra, columns, { row }, given, "upsert", false)
  return type(result) == "table" and result[1] or result
end

-- A list of tables, each of which is checked.
local function need_rows(rows, what)
  local count = inserting.need_rows(rows, what)
  for index = 1, count do
    writing.need_row(rawget(rows, index), ("%s: row %d"):format(what, index))
  end
  return count
end

function upserting.upsert_many(frozen, extra, names, rows, given)
  given = options.check(given, upserting.options, "upsertMany")
  options.need(names, "conflict columns", "upsertMany")
  local columns = unique.column_list(state.definition_of[frozen], names, "conflict columns", "upsertMany")
  if need_rows(rows, "upsertMany") == 0 then
    return given.returning == false and 0 or {}
  end
  return upsert_rows(frozen, extra, columns, rows, given, "upsertMany", true)
end

-- ---- builders on plain tables -----------------------------------------------------------------

local function upsert_table_rows(query, extra, columns, only, rows, given, what)
  for index, row in ipairs(rows) do
    options.plain(row, what .. ": a row")
    need_values(nil, columns, row, what == "upsertMany" and index or nil, what)
  end
  local run = new_run(what, columns, rows, only, given)
  run.base, run.per_statement = query, ROWS_PER_STATEMENT
  run.place = writing.place_of(nil, nil, extra, given)
  ask(run, given.returning ~= nil and writing.returning_list(given))
  store_all(run)
  strip(run)
  return run.wanted and run.into or #rows
end

-- upsert(row, search): search names the conflict columns, with values that go into the row, or as a list.
function upserting.upsert_table(query, extra, data, search, given)
  given = options.check(given, upserting.table_options, "upsert")
  writing.need_row(data, "upsert")
  options.need(search, "search", "upsert")
  local names, row = search, data
  if type(search) == "table" and rawget(search, 1) == nil then
    names, row = merged(search, data, "upsert")
  end
  local only = given.updateColumns
  only = only and unique.column_list(nil, only, "updateColumns", "upsert")
  local columns = unique.column_list(nil, names, "search", "upsert")
  local result = upsert_table_rows(query, extra, columns, only, { row }, given, "upsert")
  return type(result) == "table" and result[1] or result
end

-- upsertMany(conflict columns, columns to update or nil, rows)
function upserting.upsert_many_table(query, extra, names, update, rows, given)
  given = options.check(given, upserting.table_options, "upsertMany")
  local columns = unique.column_list(nil, options.need(names, "conflict columns", "upsertMany"), "conflict columns",
    "upsertMany")
  local only = update or given.updateColumns
  only = only and unique.column_list(nil, only, "updateColumns", "upsertMany")
  if need_rows(rows, "upsertMany") == 0 then
    return given.returning and {} or 0
  end
  return upsert_table_rows(query, extra, columns, only, rows, given, "upsertMany")
end

return upserting
