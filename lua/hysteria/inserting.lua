-- insert and insertMany: of models, with hooks, computed values and the stored rows matched to
-- the given ones; and of plain tables. A model without any of that passes the user's rows
-- straight to the core.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local matching_rows = require("hysteria.matching")
local options = require("hysteria.options")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")
local transaction = require("hysteria.transaction")
local validation = require("hysteria.validation")
local writing = require("hysteria.writing")

local inserting = {}

local key_value = matching_rows.value

local ROWS_PER_STATEMENT = 250
local ROWS_AS_ARRAYS = 1000 -- the text does not grow with them
local BINDS_PER_STATEMENT = 30000 -- below the limit of every database

-- Do rows with other columns need a statement of their own? Nobody knows which column of a plain table is
-- numbered, and for that one DEFAULT is 0 on the databases that watch every key, MySQL and MariaDB.
local function needs_uniform(handle, definition)
  return not handle:can("DEFAULT_IN_VALUES") or definition == nil and not handle:can("UPSERT_TARGET")
end

-- ---- one row ----------------------------------------------------------------------------------

-- The key values of a stored row where the database returns none; nil if they are not known.
local function stored_key(definition, row, insert_id)
  local key = {}
  for index, name in ipairs(definition.keys) do
    local value = key_value(definition, row, name)
    if value ~= nil and not writing.EXPRESSION[core.kind(value)] then
      key[index] = value
    elseif name == definition.increment then
      key[index] = insert_id
    else
      return nil
    end
  end
  return #key > 0 and key or nil
end

-- The record of a row that cannot be read again, because it has no key or somebody has deleted it
-- meanwhile: what was given, where that is a value, and the number that the database gave.
local function as_given(frozen, definition, row, insert_id, wanted)
  local columns = {}
  local record, shape = {}, { columns = columns }
  for key, value in next, state.meta_of[frozen] do
    shape[key] = value
  end
  for _, name in ipairs(wanted == true and definition.properties or wanted) do
    local made = definition.by_property[name] or definition.by_database[name]
    local value = key_value(definition, row, made.property)
    if made.property == definition.increment and (value == nil or value == core.null) then
      value = insert_id
    end
    local kind = core.kind(value)
    if value ~= nil and (kind == "null" or not writing.EXPRESSION[kind]) and not (wanted == true and made.hidden) then
      columns[made.property] = true
      if kind ~= "null" then
        record[made.property] = value
      end
    end
  end
  return setmetatable(record, shape)
end

-- Databases without RETURNING: read the row again by its key, or hand back what was given.
local function store_and_read(frozen, definition, handle, opts, query, row, wanted)
  local again = writing.select_list(core.query(frozen), wanted) -- first: it may raise
  local _, insert_id = core.execute(handle, query, opts)
  local key = stored_key(definition, row, insert_id)
  local record = key and core.fetchOne(handle, again:_keyIs(key), opts)
  return record or as_given(frozen, definition, row, insert_id, wanted)
end

local function store_one(frozen, definition, handle, opts, row, wanted)
  local query = core.query(frozen)
  query:_insert({ row })
  if wanted == false then
    return (core.execute(handle, query, opts))
  elseif handle:can("RETURNING_INSERT") then
    query:_returning(wanted)
    return core.fetch(handle, query, opts)[1]
  end
  return store_and_read(frozen, definition, handle, opts, query, row, wanted)
end

-- After-hooks want the record, also where the caller does not.
local function wanted_for(definition, wanted, ignored, ...)
  return wanted or hooks.any(definition, ignored, ...)
end

-- What rows go through before they are stored, one (without ctx.bulk) or many: validation, the hooks,
-- computed values. `saved(row, place)` sees them after beforeSave, `ready(row, place)` after all hooks.
function inserting.complete(definition, rows, ignored, ctx, saved, ready)
  for index, row in ipairs(rows) do
    validation.run(definition, row, "insert", ignored, ctx, ctx.bulk and index or nil)
  end
  for index, row in ipairs(rows) do
    hooks.run(definition, "beforeSave", ignored, row, ctx)
    writing.after_hooks(definition, "insert", ignored, row)
    if saved then
      saved(row, index)
    end
  end
  if ctx.bulk and hooks.of(definition, "beforeInsertMany", ignored) then
    hooks.run(definition, "beforeInsertMany", ignored, rows, ctx)
  else
    for _, row in ipairs(rows) do
      hooks.run(definition, "beforeInsert", ignored, row, ctx)
    end
  end
  for index, row in ipairs(rows) do
    writing.after_hooks(definition, "insert", ignored, row)
    if ready then
      ready(row, index)
    end
    writing.fill(definition.fillers, row)
    writing.prepare(definition, row)
  end
end

local function insert_copy(frozen, definition, place, row, given, ignored)
  local ctx = running.context("insert", definition, place.ds, place.trx)
  inserting.complete(definition, { row }, ignored, ctx)
  local asked = writing.returning_list(given)
  local wanted = wanted_for(definition, asked, ignored, "afterInsert", "afterSave")
  local record = store_one(frozen, definition, place.handle, place.opts, row, wanted)
  if wanted ~= false then
    reading.arrive({ record }, definition, given.track)
    hooks.run(definition, "afterInsert", ignored, record, ctx)
    hooks.run(definition, "afterSave", ignored, record, ctx)
  end
  return asked == false and 1 or record
end

-- `extra`: the builder's own settings, when there is one.
function inserting.insert(frozen, extra, data, given)
  local definition, bound = state.definition_of[frozen], state.source_of[frozen]
  writing.need_row(data, "insert")
  if given == nil and extra == nil and definition.plain_insert and definition.connection == nil then
    local ds = bound or state.default or running.no_source()
    local record = store_one(frozen, definition, ds._core or running.closed(), nil, data, true)
    if definition.track then
      reading.arrive({ record }, definition)
    end
    return record
  end
  given = options.check(given, writing.options, "insert")
  local ignored = hooks.ignored(given.ignoreHooks, "insert")
  local place = writing.place_of(definition, bound, extra, given)
  if definition.plain_insert then
    local wanted = writing.returning_list(given)
    local record = store_one(frozen, definition, place.handle, place.opts, data, wanted)
    if wanted ~= false then
      reading.arrive({ record }, definition)
    end
    return record
  end
  local row = frozen:rowCopy(data)
  writing.check_guarded(definition, row, given)
  local also = writing.is_seen(definition, given.returning ~= false)
  return writing.with_hooks(definition, "insert", ignored, place, also, function(inner)
    return insert_copy(frozen, definition, inner, row, given, ignored)
  end)
end

-- ---- many rows ---------------------------------------------------------------------------

local function need_rows(rows, what)
  options.need(rows, "rows", what)
  options.plain(rows, what .. ": rows")
  local count, entries = #rows, 0
  if next(rows, count > 0 and count or nil) == nil then
    return count -- nothing comes after the last row: the short way to see that all is a list
  end
  for _ in next, rows do
    entries = entries + 1
  end
  if entries > count then -- a row, say; fewer are missing rows, which are named one by one
    core.raise("INVALID_ARGUMENT", what .. ": a list of rows is expected")
  end
  return count
end

local function comparable_key(definition, row)
  return matching_rows.key(definition, definition.keys, row)
end

-- The last of rows[first..last] that has, as all before it, no number of its own; first - 1: none.
local function end_of_unnumbered(definition, rows, first, last)
  local property = definition.increment
  local name = definition.by_property[property].name
  for index = first, last do
    local row = rows[index]
    if rawget(row, property) ~= nil or (name ~= property and rawget(row, name) ~= nil) then
      return index - 1
    end
  end
  return last
end

-- How the returned rows of rows[first..last] find their places: by "key", by the "order" of
-- numbers that the database gives out, or not at all (false). Second: the last row of that kind.
local function matching(definition, rows, first, last)
  if definition.increment and definition.increment == definition.key then
    local unnumbered = end_of_unnumbered(definition, rows, first, last)
    if unnumbered >= first then
      return "order", unnumbered
    end
  end
  local function kind_of(row)
    if comparable_key(definition, row) ~= nil then
      return "key"
    elseif definition.increment and key_value(definition, row, definition.increment) == nil then
      return "order"
    end
    return false
  end
  local kind = kind_of(rows[first])
  for index = first + 1, last do
    if kind_of(rows[index]) ~= kind then
      return kind, index - 1
    end
  end
  return kind, last
end

local function sort_by_number(list, name)
  local sorted, before = true, math.mininteger
  for index = 1, #list do
    local number = list[index][name]
    if number < before then
      sorted = false
      break
    end
    before = number
  end
  if not sorted then
    table.sort(list, function(a, b)
      return a[name] < b[name]
    end)
  end
end

-- Put the stored rows at the places of the rows that they were made from.
local function match(definition, how, rows, first, last, stored, into)
  if how == "order" then
    sort_by_number(stored, definition.increment)
    table.move(stored, 1, #stored, first, into)
    return
  end
  local by_key = {}
  for index = 1, #stored do
    by_key[comparable_key(definition, stored[index])] = stored[index]
  end
  for index = first, last do
    into[index] = by_key[comparable_key(definition, rows[index])]
  end
end

-- The last row that can share a statement with row `first`, and how it will be found again.
local function statement_end(definition, rows, first, count, per_statement, wanted)
  local last = math.min(first + per_statement - 1, count)
  if wanted == false then
    return last, nil
  end
  local how
  how, last = matching(definition, rows, first, last)
  return how and last or first, how
end

-- ---- many rows where the database returns none

-- Fewer rows are not worth the two questions that a snapshot takes.
local ROWS_WORTH_A_SNAPSHOT = 5

-- The greatest number that this transaction sees, now and for as long as it lasts: whatever is
-- greater later on is its own row. False where a transaction has no such lasting view.
local function snapshot(run)
  local place = run.place
  if run.count < ROWS_WORTH_A_SNAPSHOT or not transaction.has_snapshot(place.trx, place.opts) then
    return false
  end
  local name = run.definition.increment
  local greatest = core.query(run.frozen):select(name):orderBy(name, "desc")
  return core.scalar(place.handle, greatest, place.opts) or math.mininteger
end

-- The statement for rows[first..last], or for as many of them as fit: its last row comes second.
local function build(run, first, last)
  local query = core.query(run.frozen)
  return query, query:_insert(run.rows, first, last, run.uniform)
end

local function insert_rows(run, first, last)
  local query
  query, last = build(run, first, last)
  local affected, insert_id = core.execute(run.place.handle, query, run.place.opts)
  query:_drop()
  return last, affected, insert_id
end

-- The numbers of rows inserted together need not follow each other, and only the first one is
-- told; so the rows are found as those that the transaction did not see before.
local function insert_by_snapshot(run, again, first, last)
  local name = run.definition.increment
  local number, _
  last, _, number = insert_rows(run, first, last)
  again:where(name, ">=", number):orderBy(name):limit(last - first + 2)
  local stored = core.fetch(run.place.handle, again, run.place.opts)
  local seen = run.seen
  if #stored > 0 then
    run.seen = stored[#stored][name]
  end
  return stored, number > seen, last
end

local function insert_one_by_one(run, again, first, last)
  local numbers = {}
  for index = first, last do
    local _, _, number = insert_rows(run, index, index)
    numbers[#numbers + 1] = number
  end
  again:_keyIn({ run.definition.increment }, numbers)
  return core.fetch(run.place.handle, again, run.place.opts), true, last
end

local function insert_by_key(run, again, first, last)
  local definition, keys = run.definition, {}
  last = insert_rows(run, first, last)
  for index = first, last do
    local row = run.rows[index]
    if definition.key then
      keys[#keys + 1] = key_value(definition, row, definition.key)
    else
      local key = {}
      for place, name in ipairs(definition.keys) do
        key[place] = key_value(definition, row, name)
      end
      keys[#keys + 1] = key
    end
  end
  again:_keyIn(definition.keys, keys)
  return core.fetch(run.place.handle, again, run.place.opts), true, last
end

-- Insert rows[first..last] or as many as fit, and read them again. Gives them and the last row.
local function store_and_find(run, how, first, last)
  local again = writing.select_list(core.query(run.frozen), run.asked)
  if how == "order" and run.seen == nil then
    run.seen = snapshot(run)
  end
  local insert = how == "key" and insert_by_key or run.seen and insert_by_snapshot or insert_one_by_one
  local stored, sure
  stored, sure, last = insert(run, again, first, last)
  if not sure or #stored ~= last - first + 1 then
    core.raise("DATABASE_ERROR", run.definition.name .. ": the rows just inserted cannot be told from others; "
      .. "insert them with { returning = false }", { model = run.definition.name })
  end
  return stored, last
end

-- ---- many rows, all databases

-- Run the statement that `build` made. Gives the number of rows.
local function store_statement(run, query, how, first, last)
  local place, affected = run.place
  if run.wanted == false then
    affected = core.execute(place.handle, query, place.opts)
  else
    query:_returning(run.asked)
    local stored = core.fetch(place.handle, query, place.opts)
    match(run.definition, how, run.rows, first, last, stored, run.into)
    affected = #stored
  end
  query:_drop()
  return affected
end

local function next_end(run, first)
  return statement_end(run.definition, run.rows, first, run.count, run.per_statement, run.wanted)
end

-- One statement, or as few as it takes: gives its last row and the number of rows.
local function store_chunk(run, first)
  local place = run.place
  local last, how = next_end(run, first)
  if how == false then
    run.into[first] = store_one(run.frozen, run.definition, place.handle, place.opts, run.rows[first], run.wanted)
    return first, 1
  elseif run.wanted == false or run.can_return then
    local query
    query, last = build(run, first, last)
    return last, store_statement(run, query, how, first, last)
  end
  local stored
  stored, last = store_and_find(run, how, first, last)
  match(run.definition, how, run.rows, first, last, stored, run.into)
  return last, #stored
end

-- All rows by one statement, which needs no transaction of its own. Gives their number, or nil
-- when it takes several. Inside another transaction that one must survive a failure.
local function store_at_once(run)
  local place = run.place
  local joins = place.trx or (place.trx == nil and transaction.current(place.ds))
  if joins or run.count > run.per_statement or not (run.wanted == false or run.can_return) then
    return nil
  end
  local last, how = next_end(run, 1)
  if last < run.count or how == false then
    return nil
  end
  local query
  query, last = build(run, 1, last)
  if last == run.count then
    return store_statement(run, query, how, 1, last)
  end
  query:_drop()
  return nil
end

-- Statement by statement, each run before the next is made. Gives the number of rows.
local function store_many(run)
  local first, affected = 1, 0
  while first <= run.count do
    local last, stored = store_chunk(run, first)
    affected = affected + stored
    first = last + 1
  end
  return affected
end

-- Gives the records and the number of rows.
local function store_together(frozen, definition, place, rows, count, wanted)
  local handle = place.handle
  if count == 1 then
    local stored = store_one(frozen, definition, handle, place.opts, rows[1], wanted)
    return { stored }, 1
  end
  local per_statement = handle:can("ROW_ARRAYS") and ROWS_AS_ARRAYS or ROWS_PER_STATEMENT
  local run = {
    frozen = frozen, definition = definition, place = place, rows = rows, count = count, wanted = wanted, into = {},
    can_return = handle:can("RETURNING_INSERT"), uniform = needs_uniform(handle, definition),
    per_statement = math.max(1, math.min(per_statement, BINDS_PER_STATEMENT // #definition.columns)),
  }
  local added
  if wanted ~= false then
    run.asked, added = matching_rows.with_columns(definition, wanted, definition.keys)
  end
  local affected = store_at_once(run) or transaction.atomic(place, function(trx)
    run.place = { handle = handle, trx = trx, opts = running.inside(place.opts, trx) }
    return store_many(run)
  end)
  matching_rows.strip(run.into, added)
  return run.into, affected
end

inserting.need_rows = need_rows
inserting.store_one = store_one

local function copy_rows(frozen, definition, rows, count, given)
  local copies = {}
  for index = 1, count do
    local row = rawget(rows, index)
    writing.need_row(row, ("insertMany: row %d"):format(index))
    copies[index] = frozen:rowCopy(row)
    writing.check_guarded(definition, copies[index], given)
  end
  return copies
end

local function run_after_many(definition, records, ignored, ctx)
  if hooks.of(definition, "afterInsertMany", ignored) then
    hooks.run(definition, "afterInsertMany", ignored, records, ctx)
  else
    for _, record in ipairs(records) do
      hooks.run(definition, "afterInsert", ignored, record, ctx)
    end
  end
  for _, record in ipairs(records) do
    hooks.run(definition, "afterSave", ignored, record, ctx)
  end
end

local function insert_copies(frozen, definition, place, rows, given, ignored)
  local ctx = running.context("insert", definition, place.ds, place.trx, { bulk = true })
  inserting.complete(definition, rows, ignored, ctx)
  local asked = writing.returning_list(given)
  local wanted = wanted_for(definition, asked, ignored, "afterInsert", "afterInsertMany", "afterSave")
  local records, affected = store_together(frozen, definition, place, rows, #rows, wanted)
  if wanted ~= false then
    reading.arrive(records, definition)
    run_after_many(definition, records, ignored, ctx)
  end
  if asked == false then
    return affected
  end
  return records
end

function inserting.insert_many(frozen, extra, rows, given)
  local definition, bound = state.definition_of[frozen], state.source_of[frozen]
  given = options.check(given, writing.options, "insertMany")
  local count = need_rows(rows, "insertMany")
  if count == 0 then
    return given.returning == false and 0 or {}
  end
  local ignored = hooks.ignored(given.ignoreHooks, "insertMany")
  local place = writing.place_of(definition, bound, extra, given)
  if definition.plain_insert then
    local wanted = writing.returning_list(given)
    for index = 1, wanted == false and 0 or count do -- without records the core looks at each row
      local row = rows[index]
      if type(row) ~= "table" then
        writing.need_row(row, ("insertMany: row %d"):format(index))
      end
    end
    local records, affected = store_together(frozen, definition, place, rows, count, wanted)
    if wanted == false then
      return affected
    end
    reading.arrive(records, definition)
    return records
  end
  local copies = copy_rows(frozen, definition, rows, count, given)
  local also = writing.is_seen(definition, given.returning ~= false)
  return writing.with_hooks(definition, "insert", ignored, place, also, function(inner)
    return insert_copies(frozen, definition, inner, copies, given, ignored)
  end)
end

-- ---- statements that do not run -----------------------------------------------------------------

-- The statements for these rows, each to place.dry; `query` is for a plain table.
function inserting.show(frozen, query, extra, rows)
  local definition = frozen and state.definition_of[frozen]
  local place = writing.place_of(definition, frozen and state.source_of[frozen], extra, {})
  local copies, count = {}, need_rows(rows, "insert")
  for index = 1, count do
    writing.need_row(rawget(rows, index), ("insert: row %d"):format(index))
    copies[index] = frozen and frozen:rowCopy(rows[index]) or rows[index]
    if definition then
      writing.fill(definition.fillers, copies[index])
      writing.prepare(definition, copies[index])
    end
  end
  local first = 1
  while first <= count do
    local part = frozen and core.query(frozen) or query:clone()
    local last = math.min(count, first + ROWS_PER_STATEMENT - 1)
    first = part:_insert(copies, first, last, needs_uniform(place.handle, definition)) + 1
    place.dry(part)
  end
end

-- ---- builders on plain tables -----------------------------------------------------------------

local function store_table_rows(query, place, rows, first, last, wanted)
  local part = query:clone()
  local stop = part:_insert(rows, first, last, needs_uniform(place.handle, nil))
  if wanted then
    part:_returning(wanted)
    return stop, core.fetch(place.handle, part, place.opts)
  end
  return stop, (core.execute(place.handle, part, place.opts))
end

local function table_rows_wanted(given)
  if given.returning == nil then
    return false
  end
  return writing.returning_list(given)
end

function inserting.insert_table(query, extra, data, given)
  writing.need_row(data, "insert")
  given = options.check(given, writing.table_options, "insert")
  local place = writing.place_of(nil, nil, extra, given)
  local wanted = table_rows_wanted(given)
  local _, result = store_table_rows(query, place, { data }, 1, 1, wanted)
  if wanted then
    return result[1]
  end
  return result
end

function inserting.insert_many_table(query, extra, rows, given)
  given = options.check(given, writing.table_options, "insertMany")
  local count = need_rows(rows, "insertMany")
  local wanted = table_rows_wanted(given)
  if count == 0 then
    return wanted and {} or 0
  end
  local place = writing.place_of(nil, nil, extra, given)
  return transaction.atomic(place, function(trx)
    local inner = { handle = place.handle, opts = running.inside(place.opts, trx) }
    local first, all, affected = 1, {}, 0
    while first <= count do
      local last = math.min(first + ROWS_PER_STATEMENT - 1, count)
      local stop, result = store_table_rows(query, inner, rows, first, last, wanted)
      if wanted then
        table.move(result, 1, #result, #all + 1, all)
      else
        affected = affected + result
      end
      first = stop + 1
    end
    return wanted and all or affected
  end)
end

return inserting
