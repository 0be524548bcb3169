-- What all writes share: their options, checking and completing the data, where they run, and
-- the transaction around a write whose model has hooks. The writes themselves are in
-- inserting.lua, updating.lua (builders) and keyed.lua (one row by its key).
local core = require("hysteria.core")
local matching = require("hysteria.matching")
local options = require("hysteria.options")
local running = require("hysteria.running")
local transaction = require("hysteria.transaction")
local validation = require("hysteria.validation")

local writing = {}

local NONE = {}

writing.delete_options = options.names("trx", "timeout", "ignoreHooks", "returning")
writing.options = options.names(writing.delete_options, "unguarded")
writing.table_options = options.names("trx", "timeout", "returning")

-- ---- data -------------------------------------------------------------------------------------

function writing.need_row(data, what)
  if data == nil then
    core.raise("NIL_VALUE", what .. ": the row is nil")
  elseif type(data) ~= "table" then
    core.raise("INVALID_ARGUMENT", ("%s: a row must be a table, not %s"):format(what, options.kind(data)))
  end
end

function writing.check_guarded(definition, row, given)
  local guarded = definition.guarded
  if guarded and not given.unguarded then
    for name in next, row do
      if guarded[name] then
        core.raise("GUARDED_COLUMN", ("%s.%s is guarded: only { unguarded = true } may write it"):format(
          definition.name, name), { model = definition.name })
      end
    end
  end
end

writing.EXPRESSION = { null = true, raw = true, func = true, col = true, math = true, case = true, query = true }

-- The row's own prepare functions; NULL and SQL expressions pass untouched.
function writing.prepare(definition, row)
  for _, entry in ipairs(definition.prepares or NONE) do
    local value = row[entry.property]
    if value ~= nil and not writing.EXPRESSION[core.kind(value)] then
      local prepared = entry.fn(value)
      if prepared ~= nil then
        row[entry.property] = prepared
      end
    end
  end
end

-- Computed values for columns that the row leaves out. All clocks of a row show the same time.
-- `subject`: the row that functions get to see, if it is another one.
function writing.fill(list, row, subject)
  local now
  for index = 1, list and #list or 0 do
    local entry = list[index]
    if row[entry.property] == nil then
      if entry.part then
        now = now or core.now()
        row[entry.property] = now:sub(entry.part[1], entry.part[2])
      else
        row[entry.property] = entry.fill(subject or row)
      end
    end
  end
end

function writing.nothing_to_change(what)
  core.raise("INVALID_ARGUMENT", what .. ": nothing to change; fields that are nil are no fields (sql.null is NULL)")
end

function writing.need_changes(changes, what)
  if changes == nil then
    core.raise("NIL_VALUE", what .. ": the changes are nil")
  elseif type(changes) ~= "table" or core.kind(changes) ~= nil then
    core.raise("INVALID_ARGUMENT", ("%s: the changes must be a table, not %s"):format(what, options.kind(changes)))
  elseif next(changes) == nil then
    writing.nothing_to_change(what)
  end
end

-- A checked copy of data that comes from outside.
function writing.checked(frozen, definition, data, given)
  writing.need_row(data, "the data")
  local row = frozen:rowCopy(data)
  writing.check_guarded(definition, row, given)
  return row
end

local function is_same(definition, name, a, b)
  if rawequal(a, b) or (core.isDecimal(a) and core.isDecimal(b) and a == b) then
    return true
  end
  local key = matching.key(definition, { name }, { [name] = a })
  return key ~= nil and key == matching.key(definition, { name }, { [name] = b })
end

-- The key may stand in data for its row, as what it is; another one would mean another row. Takes it out. `of`:
-- a record, or the key's values by name as the database has them.
function writing.take_key(definition, row, of, what)
  for _, name in ipairs(definition.keys) do
    local value, own = row[name], rawget(of, name)
    if value ~= nil and own ~= nil then
      local stored = matching.stored(definition.by_property[name], value)
      if not is_same(definition, name, value, own) and not is_same(definition, name, stored, own) then
        core.raise("INVALID_ARGUMENT", ("%s: `%s` is the key of the row, which is not changed; insert another row")
          :format(what, name), { model = definition.name })
      end
      row[name] = nil
    end
  end
end

-- What an update by this key writes: a checked copy without the key itself.
function writing.changes(frozen, definition, data, given, key, what)
  writing.need_changes(data, what)
  local row, of = writing.checked(frozen, definition, data, given), {}
  for index, name in ipairs(definition.keys) do
    of[name] = key[index]
  end
  writing.take_key(definition, row, of, what)
  return row
end

-- What hooks have made of a row, under the names of the model: by a database name a value would pass by what
-- the column does with it, and one without a column would be lost. `keys`: columns that stay as they are.
function writing.after_hooks(definition, operation, ignored, row, keys)
  if not definition.hooked[operation] or ignored == true then
    return
  end
  local foreign = {}
  for name in next, row do
    if not definition.by_property[name] then
      foreign[#foreign + 1] = name
    end
  end
  for _, name in ipairs(foreign) do
    local made = definition.by_database[name]
    if not made then
      core.raise("UNDEFINED_COLUMN", ("a hook of %s: no column '%s'%s"):format(definition.name, tostring(name),
        options.hint(name, definition.properties)), { model = definition.name })
    elseif row[made.property] ~= nil then
      core.raise("INVALID_ARGUMENT", ("a hook of %s: column '%s' is given twice, by property and by database name")
        :format(definition.name, made.property), { model = definition.name })
    end
    row[made.property], row[name] = row[name], nil
  end
  for _, name in ipairs(keys or NONE) do
    if row[name] ~= nil then
      core.raise("INVALID_ARGUMENT", ("a hook of %s cannot change `%s`, by which the row is found"):format(
        definition.name, name), { model = definition.name })
    end
  end
end

-- The columns that a write gives back: a list, true for all, false for none.
function writing.returning_list(given)
  local wanted = given.returning
  if wanted == nil or wanted == true then
    return true
  elseif wanted == false then
    return false
  end
  local list = options.name_list(wanted, "returning", "the write")
  if list[1] == "*" then
    return true
  elseif #list == 0 then
    core.raise("INVALID_ARGUMENT", "returning names no column; false asks for none")
  end
  return list
end

function writing.select_list(query, wanted)
  if wanted ~= true then
    query:select(table.unpack(wanted))
  end
  return query
end

-- The version that a row with changes must still have, taken out of them.
function writing.take_version(definition, row)
  local name = definition.version
  local expected = name and row[name]
  if expected == nil or not name then
    return nil
  elseif math.type(expected) ~= "integer" then
    core.raise("INVALID_ARGUMENT", ("%s: `%s` must be the version that was read, an integer, not %s"):format(
      definition.name, name, options.kind(expected)), { model = definition.name })
  end
  row[name] = nil
  return expected
end

-- Every update of a row counts its version.
local function count_version(query, definition, row)
  local name = definition.version
  if name == nil then
    return
  elseif row[name] ~= nil then
    core.raise("INVALID_ARGUMENT", ("%s: `%s` counts the changes of a row and is not written"):format(
      definition.name, name), { model = definition.name })
  end
  query:_increment(name, 1)
end

-- fn(name) for these names in their order, those first whose value is SQL: it means the row as it was, and MySQL
-- and MariaDB carry out one assignment after the other. is_computed(name): whether it is.
function writing.each_assigned(names, is_computed, fn)
  local plain = {}
  for _, name in ipairs(names) do
    if is_computed(name) then
      fn(name)
    else
      plain[#plain + 1] = name
    end
  end
  for _, name in ipairs(plain) do
    fn(name)
  end
end

local function set_all(query, names, row)
  writing.each_assigned(names, function(name)
    return validation.is_computed(row[name])
  end, function(name)
    query:_set(name, row[name])
  end)
end

-- In the model's order, so that equal updates are equal texts. `only_more`: the query changes something already.
function writing.set_columns(query, definition, row, only_more)
  if definition then
    if next(row) == nil and not only_more then
      core.raise("INVALID_ARGUMENT", definition.name .. ": the hooks left nothing to change", {
        model = definition.name,
      })
    end
    count_version(query, definition, row)
    local given = {}
    for _, name in ipairs(definition.properties) do
      given[#given + 1] = row[name] ~= nil and name or nil
    end
    return set_all(query, given, row)
  end
  local names = {}
  for name in next, row do
    if type(name) ~= "string" then
      core.raise("INVALID_ARGUMENT", "update: a row's keys are column names")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  set_all(query, names, row)
end

-- ---- where and how ------------------------------------------------------------------------------

-- { handle, opts, ds, trx, dry } of a call; dry(query) gets a statement that is not to run (see
-- dry.lua). Nothing is written through a view.
function writing.place_of(definition, bound, extra, given)
  if definition and definition.view then
    core.raise("READ_ONLY", definition.name .. " is a view: it is only read", { model = definition.name })
  end
  local handle, opts, ds, trx = running.target(definition, bound, extra, given)
  return { handle = handle, opts = opts, ds = ds, trx = trx, dry = extra and extra.dry }
end

-- Do functions of the model see the rows that a write gives back? Where one of them raises, nothing is written.
function writing.is_seen(definition, returning)
  return definition.serializers ~= nil and returning
end

-- fn(place, ...) where the hooks of an operation can be undone together with the write. `also`: is there
-- more that may fail after a statement has changed something?
function writing.with_hooks(definition, operation, ignored, place, also, fn, ...)
  if (also or definition.hooked[operation] and ignored ~= true) and not place.dry then
    return transaction.atomic(place, function(trx, ...)
      return fn({
        handle = place.handle, ds = place.ds, trx = trx, opts = running.inside(place.opts, trx),
      }, ...)
    end, ...)
  end
  return fn(place, ...)
end

return writing
