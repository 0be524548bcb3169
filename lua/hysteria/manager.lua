-- The verbs of a class: User:find{...}, User:insert{...}, User:save(...). They stand in
-- model.statics, apart from what records have. Each resolves its source when it is called.
local core = require("hysteria.core")
local dry = require("hysteria.dry")
local hooks = require("hysteria.hooks")
local inserting = require("hysteria.inserting")
local keyed = require("hysteria.keyed")
local model = require("hysteria.model")
local options = require("hysteria.options")
local query = require("hysteria.query")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")
local tracking = require("hysteria.tracking")
local transaction = require("hysteria.transaction")
local unique = require("hysteria.unique")
local updating = require("hysteria.updating")
local updating_many = require("hysteria.updating_many")
local upserting = require("hysteria.upserting")
local validation = require("hysteria.validation")
local writing = require("hysteria.writing")

local manager = model.statics
local classes = state.classes
local new_query, fetch_by_key = core.query, core.fetchByKey

local QUERY = options.names(
  "connection", "trx", "timeout", "track", "ignoreHooks", "withDeleted", "onlyDeleted", "withoutDefaultScope", "alias"
)
local FIND = options.names(QUERY, "select", "where", "relations", "orderBy", "groupBy", "limit", "offset")
local FIND_OR_FAIL = options.names(FIND, "customError")
local WRITE = options.names(writing.options, "connection", "track")
local KEYED = options.names(keyed.options, "returning", "connection", "track")
local ERASE = options.names(keyed.erase_options, "connection")
local SOFT = options.names(ERASE, "track")
local UPSERT = options.names(upserting.options, "connection", "track")
local MERGE = options.names("unguarded")
local CHOICE = options.names("where", "withDeleted", "onlyDeleted", "withoutDefaultScope")
local UPDATE = options.names(WRITE, CHOICE)
local DELETE = options.names(writing.delete_options, "connection", CHOICE)

-- ---- sources ----------------------------------------------------------------------------------

-- The class bound to a data source: its queries and records stay there.
function manager.using(class, ds)
  model.need(class, "using")
  if type(ds) ~= "table" or ds._root == nil then
    core.raise(ds == nil and "NIL_VALUE" or "INVALID_ARGUMENT", "using: a data source is expected, not "
      .. options.kind(ds))
  end
  return model.bound(class, ds)
end

local function of_connection(class, given)
  if given ~= nil and given.connection ~= nil then
    return manager.using(class, given.connection)
  end
  return class
end

-- The transaction that a class from trx.sql stands for, and other settings, on a fresh query.
local function settings(q, class, given)
  local trx = given.trx
  if trx == nil then
    trx = class._trx or nil
  end
  if trx ~= nil or given.timeout or given.track ~= nil or given.ignoreHooks then
    local extra = q:_extra()
    extra.trx, extra.timeout, extra.track = trx, given.timeout, given.track
    extra.ignored = hooks.ignored(given.ignoreHooks, "query")
  end
  if given.alias then
    q:alias(given.alias)
  end
  if given.withDeleted then
    q:withDeleted()
  end
  if given.onlyDeleted then
    q:onlyDeleted()
  end
  if given.withoutDefaultScope then
    q:withoutDefaultScope()
  end
  return q
end

function manager.query(class, given)
  if given == nil then
    local definition = class ~= nil and classes[class] or model.need(class, "query")._definition
    local q = definition.derived and model.query(class) or new_query(class._core or model.freeze(class))
    if class._trx then
      q:_extra().trx = class._trx
    end
    return q
  end
  given = options.check(given, QUERY, "query")
  class = of_connection(model.need(class, "query"), given)
  return settings(model.query(class), class, given)
end

-- A query whose writes are built to look at, and do not run.
function manager.dryQuery(class, given)
  return dry.of(manager.query(class, given))
end

function manager.where(class, ...)
  return manager.query(class):where(...)
end

function manager.hook(class, name, fn)
  model.need(class, "hook")
  hooks.need(name, "hook")
  options.need_type(fn, "function", "fn", "hook")
  model.add_hook(class._definition, name, fn)
  return class
end

-- ---- reads ------------------------------------------------------------------------------------

-- "name", { "name", "-age" } is not a thing: { "name", { "age", "desc" } } or { age = "desc" }.
local function apply_order(q, order)
  if type(order) == "string" then
    q:orderBy(order)
    return
  end
  options.plain(order, "find: orderBy")
  local names = 0
  for key, direction in next, order do
    if type(key) == "string" then
      names = names + 1
      q:orderBy(key, direction)
    end
  end
  if names > 1 or (names == 1 and #order > 0) then
    core.raise("INVALID_ARGUMENT",
      "find: orderBy with several columns is a list, { { \"a\", \"asc\" }, { \"b\", \"desc\" } }: a table has no order")
  end
  for index = 1, #order do
    local entry = order[index]
    if type(entry) == "table" then
      q:orderBy(options.need_name(entry[1], "column", "find: orderBy"), entry[2])
    else
      q:orderBy(entry)
    end
  end
end

local function spread(value, name)
  return table.unpack(options.name_list(value, name, "find"))
end

local function apply_find(q, given)
  if given.select ~= nil then
    options.need_type(given.select, "table", "select", "find")
    q:select(table.unpack(given.select))
  end
  if given.where ~= nil then
    q:where(given.where)
  end
  if given.relations ~= nil then
    q:load(given.relations)
  end
  if given.groupBy ~= nil then
    q:groupBy(spread(given.groupBy, "groupBy"))
  end
  if given.orderBy ~= nil then
    apply_order(q, given.orderBy)
  end
  if given.limit ~= nil then
    q:limit(given.limit)
  end
  if given.offset ~= nil then
    q:offset(given.offset)
  end
  return q
end

local function find_query(class, given, allowed, what)
  if given == nil then
    return manager.query(class)
  end
  given = options.check(given, allowed, what)
  class = of_connection(model.need(class, what), given)
  return apply_find(settings(model.query(class), class, given), given)
end

-- find { select, where, relations, orderBy, groupBy, limit, offset, ... } -> list
function manager.find(class, given)
  return find_query(class, given, FIND, "find"):many()
end

manager.all = manager.find

function manager.findOne(class, given)
  return find_query(class, given, FIND, "findOne"):one()
end

manager.first = manager.findOne

function manager.findOneOrFail(class, given)
  local row = find_query(class, given, FIND_OR_FAIL, "findOneOrFail"):one()
  return query.must_exist(row, class._definition, given and given.customError)
end

local function by_value(class, column, value, given, what)
  options.need_name(column, "column", what)
  options.need(value, "value", what)
  return find_query(class, given, FIND, what):where(column, value)
end

function manager.findBy(class, column, value, given)
  return by_value(class, column, value, given, "findBy"):many()
end

function manager.findOneBy(class, column, value, given)
  return by_value(class, column, value, given, "findOneBy"):one()
end

local BARE = { number = true, string = true, boolean = true }

-- The commonest call has a road of its own: no builder is made for a plain key.
function manager.findOneByPrimaryKey(class, value, given)
  local definition = class ~= nil and classes[class] or model.need(class, "findOneByPrimaryKey")._definition
  if given == nil and BARE[type(value)] and definition.key and definition.plain_read and not class._trx then
    local ds = class._source or state.default or running.no_source()
    return fetch_by_key(ds._core or running.closed(), class._core or model.freeze(class), value)
  end
  return find_query(class, given, FIND, "findOneByPrimaryKey"):_keyIs(
    keyed.values_of(definition, value, "findOneByPrimaryKey")):one()
end

function manager.count(class, given)
  return find_query(class, given, FIND, "count"):getCount()
end

function manager.exists(class, given)
  return find_query(class, given, FIND, "exists"):exists()
end

local RAW = options.names("connection", "trx", "timeout", "track")
local REFRESH = options.names(RAW, "withoutDefaultScope")

-- Records from SQL text: columns by name, values by the model's columns.
function manager.fromQuery(class, text, params, given)
  options.need_type(text, "string", "text", "fromQuery")
  given = options.check(given, RAW, "fromQuery")
  class = of_connection(model.need(class, "fromQuery"), given)
  local definition = class._definition
  local trx = given.trx
  if trx == nil then
    trx = class._trx or nil
  end
  local handle, opts = running.target(definition, class._source, nil, { trx = trx, timeout = given.timeout })
  local list = core.fetchRaw(handle, text, params, model.freeze(class), opts)
  reading.arrive(list, definition, given.track)
  return list
end

-- ---- writes -----------------------------------------------------------------------------------

-- The frozen model and the options for writing.lua.
local function write_target(class, given, allowed, what)
  if given == nil then
    class = model.need(class, what)
    local frozen = class._core or model.freeze(class)
    return frozen, class._trx and { trx = class._trx } or nil
  end
  given = options.check(given, allowed, what)
  if given.connection == nil and given.track == nil and not model.need(class, what)._trx then
    return class._core or model.freeze(class), given, given
  end
  class = of_connection(class, given)
  local rest = {}
  for name in next, given do
    if upserting.options[name] then
      rest[name] = given[name]
    end
  end
  if rest.trx == nil then
    rest.trx = class._trx or nil
  end
  return model.freeze(class), rest, given
end

-- What a write gave back, tracked if asked for: records, or a number. Not a record that the caller had before,
-- which may have changes that are not written yet.
local function remember(result, given)
  if given and given.track and type(result) == "table" then
    for _, record in ipairs(state.is_record(result) and { result } or result) do
      tracking.remember(record)
    end
  end
  return result
end

function manager.insert(class, data, given)
  local frozen, rest = write_target(class, given, WRITE, "insert")
  return remember(inserting.insert(frozen, nil, data, rest), given)
end

function manager.insertMany(class, rows, given)
  local frozen, rest = write_target(class, given, WRITE, "insertMany")
  return remember(inserting.insert_many(frozen, nil, rows, rest), given)
end

-- upsert(search, data, options?): insert the row of both tables, or write `data` to the row that
-- has the values of `search`, whose columns must be a unique key. Gives the record.
function manager.upsert(class, search, data, given)
  local frozen, rest = write_target(class, given, UPSERT, "upsert")
  return remember(upserting.upsert(frozen, nil, search, data, rest), given)
end

-- upsertMany(conflict columns, rows, options?): the same for many rows; records in their order.
function manager.upsertMany(class, columns, rows, given)
  local frozen, rest = write_target(class, given, UPSERT, "upsertMany")
  return remember(upserting.upsert_many(frozen, nil, columns, rows, rest), given)
end

-- A builder for update and delete with { where = ... }.
local function where_query(class, given, allowed, what)
  given = options.check(given, allowed, what)
  class = of_connection(model.need(class, what), given)
  local q = settings(core.query(model.freeze(class)), class, { trx = given.trx,
    withDeleted = given.withDeleted, onlyDeleted = given.onlyDeleted, withoutDefaultScope = given.withoutDefaultScope })
  if given.where ~= nil then
    q:where(given.where)
  end
  return q, {
    timeout = given.timeout, ignoreHooks = given.ignoreHooks, returning = given.returning,
    unguarded = given.unguarded,
  }
end

-- update(changes, { where = { ... } }) -> count
function manager.update(class, changes, given)
  local q, rest = where_query(class, given, UPDATE, "update")
  return remember(q:update(changes, rest), given)
end

local UPDATE_MANY = options.names(UPDATE, updating_many.options)

-- updateMany(rows, options?): rows with their key and values of their own -> count
function manager.updateMany(class, rows, given)
  given = options.check(given, UPDATE_MANY, "updateMany")
  local where = {}
  for name, value in next, given do
    if name ~= "by" then
      where[name] = value
    end
  end
  local q, rest = where_query(class, where, UPDATE, "updateMany")
  rest.by = given.by
  return remember(q:updateMany(rows, rest), given)
end

-- delete { where = { ... } } -> count
function manager.delete(class, given)
  local q, rest = where_query(class, given, DELETE, "delete")
  return q:delete(rest)
end

function manager.truncate(class, given)
  local frozen, rest = write_target(class, given, options.names(updating.truncate_options, "connection"), "truncate")
  return updating.truncate(core.query(frozen), frozen, nil, rest)
end

-- A record or the key itself.
local function key_of(class, subject, what)
  model.need(class, what)
  options.need(subject, "record", what)
  if type(subject) == "table" and core.kind(subject) == nil then
    local shape = getmetatable(subject)
    if shape and shape.class and shape.class._definition == class._definition then
      tracking.settle(subject)
      return keyed.key_of(class._definition, subject), subject
    end
  end
  return keyed.values_of(class._definition, subject, what), nil
end

-- The row as it is now, hooks and soft delete not asked; nil when it is gone or out of the default scope.
function manager.refresh(class, subject, given)
  given = options.check(given, REFRESH, "refresh")
  class = of_connection(model.need(class, "refresh"), given)
  local key = key_of(class, subject, "refresh")
  local trx = given.trx
  if trx == nil then
    trx = class._trx or nil
  end
  local definition = class._definition
  local handle, opts = running.target(definition, class._source, nil, { trx = trx, timeout = given.timeout })
  local query_of = reading.of_key(model.query(class):_keyIs(key), definition, given.withoutDefaultScope)
  local record = core.fetchOne(handle, query_of, opts)
  if record then
    reading.arrive({ record }, definition, given.track)
  end
  return record
end

local function without(given, name)
  local rest = {}
  for key, value in next, given or {} do
    if key ~= name then
      rest[key] = value
    end
  end
  return rest
end

-- record:save() where the class is: in its source, and in the transaction that it stands for. Without
-- either the record is written where it came from.
local function save_record(class, record, given)
  local own = without(given, "track")
  if own.connection == nil then
    own.connection = class._trx and class._trx.sql or class._source or nil
  end
  return remember(record:save(own), given)
end

-- updateRecord(record | key, changes?, options?): with a record and no changes, its fields.
function manager.updateRecord(class, subject, changes, given)
  local frozen, rest = write_target(class, given, KEYED, "updateRecord")
  local definition = class._definition
  local key, record = key_of(class, subject, "updateRecord")
  if record and rest and rest.returning ~= nil then
    core.raise("INVALID_ARGUMENT", "updateRecord: a record takes what was stored; returning is for a key in its place")
  end
  if changes == nil and record then
    return save_record(class, record, given)
  end
  options.need(changes, "changes", "updateRecord")
  local row = writing.changes(frozen, definition, changes, rest or {}, key, "updateRecord")
  return remember(keyed.update_key(frozen, key, row, rest or {}, record), not record and given)
end

function manager.deleteRecord(class, subject, given)
  local frozen, rest = write_target(class, given, ERASE, "deleteRecord")
  local key, record = key_of(class, subject, "deleteRecord")
  return keyed.delete_key(frozen, key, rest or {}, record)
end

function manager.softDelete(class, subject, given)
  local frozen, rest = write_target(class, given, SOFT, "softDelete")
  local key, record = key_of(class, subject, "softDelete")
  return remember(keyed.soft_key(frozen, key, true, rest or {}, record), not record and given)
end

manager.softDeleteRecord = manager.softDelete

-- combineProps(record, data): the record with these fields, nothing is written; of a plain table a new
-- one with both.
function manager.combineProps(class, target, data, given)
  model.need(class, "combineProps")
  options.need_type(target, "table", "target", "combineProps")
  given = options.check(given, MERGE, "combineProps")
  local shape = getmetatable(target)
  if type(shape) == "table" and shape.class ~= nil then
    if shape.class._definition ~= class._definition then
      core.raise("INVALID_ARGUMENT", ("combineProps: the record is one of %s, not of %s"):format(
        shape.class._definition.name, class._definition.name))
    end
    return target:mergeProps(data, given)
  end
  local frozen, merged = model.freeze(class), {}
  options.need(data, "data", "combineProps")
  for _, fields in ipairs { options.plain(target, "combineProps: target"), data } do
    for name, value in next, writing.checked(frozen, class._definition, fields, given) do
      merged[name] = value
    end
  end
  return merged
end

function manager.restore(class, subject, given)
  local frozen, rest = write_target(class, given, SOFT, "restore")
  local key, record = key_of(class, subject, "restore")
  return remember(keyed.soft_key(frozen, key, false, rest or {}, record), not record and given)
end

local function has_key(definition, data)
  for _, name in ipairs(definition.keys) do
    local value = rawget(data, name)
    if value == nil or value == core.null then
      return false
    end
  end
  return true
end

-- A record's columns; not a hash that it was read with, which no rule was made for.
local function fields_of(definition, record)
  local row = {}
  for _, made in ipairs(definition.columns) do
    local name = made.property
    if not (made.secret and made.secret.keeps and tracking.kept(record, name) == rawget(record, name)) then
      row[name] = rawget(record, name)
    end
  end
  return row
end

-- { valid = true }, or { valid = false, errors = { field = { message } } }: the validators of the
-- columns and the validate hooks, asked without a write. Data with its key is an update.
function manager.validate(class, data)
  local definition = model.need(class, "validate")._definition
  writing.need_row(data, "validate")
  local row = state.is_record(data) and fields_of(definition, data) or model.freeze(class):rowCopy(data)
  local operation = has_key(definition, row) and "update" or "insert"
  local ds, trx = class._source or state.default or nil, false
  if ds then
    trx = class._trx or nil
  end
  local ctx = running.context(operation, definition, ds, trx)
  local errors = validation.errors(definition, row, operation, nil, ctx)
  return { valid = errors == nil, errors = errors }
end

-- Insert the row with its key, or nil where somebody else has inserted one meanwhile.
local function insert_with_key(frozen, place, row, given, there)
  local ok, result = pcall(transaction.atomic, place, function(trx)
    local inner = { trx = trx }
    for name, value in next, given do
      inner[name] = inner[name] or value
    end
    return inserting.insert(frozen, nil, row, inner)
  end)
  if ok then
    return result
  elseif core.isError(result) and result.code == "UNIQUE_VIOLATION" then
    local definition = state.definition_of[frozen]
    if there(true) then
      return nil
    elseif #definition.default_scopes > 0 and there(true, true) then
      unique.out_of_scope(definition, definition.keys, "save", result)
    end
  end
  error(result, 0)
end

-- A plain row whose key may or may not exist yet, deleted rows included: looked up and written in
-- one transaction.
local function save_row(class, data, frozen, rest)
  local definition, unscoped = class._definition, rest and rest.withoutDefaultScope
  local row = frozen:rowCopy(data)
  if unscoped ~= nil then
    rest = without(rest, "withoutDefaultScope") -- an insert knows nothing of scopes
  end
  if not has_key(definition, row) then
    return inserting.insert(frozen, nil, row, rest)
  end
  local key = keyed.key_of(definition, row)
  local budget = running.budget(rest or {})
  local place = writing.place_of(definition, state.source_of[frozen], nil, budget())
  return transaction.atomic(place, function(trx)
    local inner = { handle = place.handle, ds = place.ds, trx = trx, opts = running.inside(place.opts, trx) }
    local function there(lock, any)
      local found = keyed.query(frozen, definition, key, { withoutDefaultScope = any or unscoped })
      found:select(table.unpack(definition.keys))
      if lock and place.handle:can("LOCK") then
        found:lockForUpdate()
      end
      return core.fetchOne(place.handle, found, inner.opts) ~= nil
    end
    local function given()
      local options_left = { trx = trx, withoutDefaultScope = unscoped }
      for name, value in next, budget() do
        options_left[name] = options_left[name] or value
      end
      return options_left
    end
    if not there(false) then
      if definition.version and row[definition.version] ~= nil then
        keyed.stale(definition)
      end
      local record = insert_with_key(frozen, inner, row, without(given(), "withoutDefaultScope"), there)
      if record ~= nil then
        return record
      end
    end
    local changes = writing.changes(frozen, definition, row, given(), key, "save")
    local version = writing.take_version(definition, changes)
    if next(changes) == nil then
      return keyed.read(frozen, inner, key, version, given())
    end
    if version then
      changes[definition.version] = version
    end
    return keyed.update_key(frozen, key, changes, given())
  end)
end

-- save(record) writes its fields; save(row) inserts it, or updates the row with its key.
function manager.save(class, data, given)
  options.need_type(data, "table", "data", "save")
  local frozen, rest = write_target(class, given, KEYED, "save")
  keyed.need_key(class._definition)
  local shape = getmetatable(data)
  if shape and shape.class then
    if shape.class._definition ~= class._definition then
      core.raise("INVALID_ARGUMENT", ("save: a record of %s was given to %s"):format(
        shape.class._definition.name, class._definition.name))
    end
    return save_record(class, data, given)
  end
  return remember(save_row(of_connection(class, given), data, frozen, rest), given)
end

local FIRST_OR_INSERT = options.names(keyed.options, "connection", "track", "fullResponse")

-- Nothing equals `find.where` in the default scopes, and yet an insert failed: is it outside of them?
local function check_scope(class, find, cause)
  local definition, columns = class._definition, {}
  if not reading.is_scoped(definition, find.withoutDefaultScope) then
    return
  end
  for name in next, find.where do
    columns[#columns + 1] = name
  end
  table.sort(columns)
  columns = unique.column_list(definition, columns, "search", "firstOrInsert")
  find.withoutDefaultScope = true
  if unique.covers(definition, columns) and manager.findOne(class, find) ~= nil then
    unique.out_of_scope(definition, columns, "firstOrInsert", cause)
  end
end

-- Somebody else may insert the same row between looking and inserting: then it is found after
-- all. Inside a transaction the attempt has a savepoint of its own, so that it may fail.
local function insert_unless_there(class, row, rest, find, budget)
  local ds = of_connection(class, rest)._source or running.source_for(class._definition)
  local outer = rest.trx
  if outer == nil then
    outer = class._trx or transaction.current(ds)
  end
  local ok, result
  if outer then
    ok, result = pcall(transaction.atomic, { ds = outer._source, trx = outer }, function(trx)
      local inner = { trx = trx }
      for name, value in next, rest do
        inner[name] = inner[name] or value
      end
      return manager.insert(class, row, inner)
    end)
  else
    ok, result = pcall(manager.insert, class, row, rest)
  end
  if ok then
    return result, true
  end
  local found
  if core.isError(result) and result.code == "UNIQUE_VIOLATION" then
    find.timeout = budget().timeout
    found = manager.findOne(class, find)
    if found == nil then
      check_scope(class, find, result)
    end
  end
  if found == nil then
    error(result, 0)
  end
  return found, false
end

-- What will be inserted; checked also where it will not be.
local function row_of_both(class, search, data)
  local row = {}
  for _, part in ipairs { search, data or {} } do
    for name, value in next, options.plain(part, "firstOrInsert: a row") do
      if row[name] ~= nil and not rawequal(row[name], value) and row[name] ~= value then
        core.raise("INVALID_ARGUMENT", ("firstOrInsert: `%s` has one value in search and another in the data"):format(
          tostring(name)), { model = class._definition.name })
      end
      row[name] = value
    end
  end
  return model.freeze(class):rowCopy(row)
end

-- The row that equals `search`, else a new one of both tables. Second value: is it new?
function manager.firstOrInsert(class, search, data, given)
  options.need_type(search, "table", "search", "firstOrInsert")
  given = options.check(given, FIRST_OR_INSERT, "firstOrInsert")
  local budget = running.budget(given)
  local find = { connection = given.connection, trx = given.trx, timeout = given.timeout, where = search,
    ignoreHooks = given.ignoreHooks, track = given.track, withoutDefaultScope = given.withoutDefaultScope }
  local rest = {}
  for name, value in next, given do
    if WRITE[name] then
      rest[name] = value
    end
  end
  local row = row_of_both(of_connection(model.need(class, "firstOrInsert"), given), search, data)
  local found, is_new = manager.findOne(class, find), false
  if found == nil then
    rest.timeout = budget().timeout
    found, is_new = insert_unless_there(class, row, rest, find, budget)
  end
  if given.fullResponse then
    return { isNew = is_new, model = found }
  end
  return found, is_new
end

return manager
