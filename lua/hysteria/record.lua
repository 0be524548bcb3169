-- The verbs of records: user:save(), user:delete()... A record is a plain table of its selected
-- columns; its metatable (one per result shape) knows the class, the source it came from and
-- the names that were selected. Nothing here is a field, and reading a field never does I/O.
local core = require("hysteria.core")
local keyed = require("hysteria.keyed")
local model = require("hysteria.model")
local options = require("hysteria.options")
local preload = require("hysteria.preload")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local secret = require("hysteria.secret")
local state = require("hysteria.state")
local tracking = require("hysteria.tracking")
local virtual = require("hysteria.virtual")
local writing = require("hysteria.writing")

local record = model.records

local WRITE = options.names(keyed.options, "connection")
local ERASE = options.names(keyed.erase_options, "connection")

local function shape_of(self, what)
  local shape = type(self) == "table" and getmetatable(self)
  if not shape or not shape.class or not shape.columns then
    core.raise("INVALID_ARGUMENT", ("%s needs a record; objects use the colon"):format(what))
  end
  return shape
end

-- A record that knows what it was read as does not write to another row.
local function need_own_key(self, definition, what)
  for _, name in ipairs(tracking.is_tracked(self) and definition.keys or {}) do
    if tracking.has_changed(self, name) then
      core.raise("INVALID_ARGUMENT", ("%s: `%s` is the record's key and was changed; insert another record"):format(
        what, name), { model = definition.name })
    end
  end
end

-- What was read under a column's name and is something else, of a joined table say, belongs to no row.
local function need_own(shape, name, what)
  if shape.others and shape.others[name] then
    core.raise("INVALID_ARGUMENT", ("%s: what was read as `%s` is not that column of %s; select it under another name")
      :format(what, name, shape.class._definition.name), { model = shape.class._definition.name })
  end
end

-- Frozen model, definition, key and checked options of a write.
local function begin(self, given, allowed, what)
  local shape = shape_of(self, what)
  local class = shape.class
  tracking.settle(self)
  given = options.check(given, allowed, what)
  if given.connection ~= nil then
    class = class:using(given.connection)
  end
  local rest = { trx = class._trx or nil } -- of trx.sql
  for name, value in next, given do
    if name ~= "connection" then
      rest[name] = value
    end
  end
  local definition = class._definition
  local key = keyed.key_of(definition, self)
  for _, name in ipairs(shape.others and definition.keys or {}) do
    need_own(shape, name, what)
  end
  need_own_key(self, definition, what)
  return model.freeze(class), definition, key, rest
end

-- Is the field's value what was read, as far as can be told? Of a column that every update sets,
-- it is: update { ... } writes another.
local function is_stale(self, made, tracked)
  local value = rawget(self, made.property)
  if made.keeps and type(value) ~= "table" and rawequal(value, tracking.kept(self, made.property)) then
    return true
  end
  if tracked then
    return not tracking.has_changed(self, made.property)
  end
  return made.autoUpdate and value ~= core.null
end

-- The fields that save writes: selected, not nil, not the key, not computed by the database.
local function fields_to_save(self, shape, definition)
  local row, tracked = {}, tracking.is_tracked(self)
  for _, made in ipairs(definition.columns) do
    local value = rawget(self, made.property)
    if value ~= nil and not made.generated and not made.counts and not is_stale(self, made, tracked) then
      need_own(shape, made.property, "save")
      row[made.property] = value
    end
  end
  for _, name in ipairs(definition.keys) do
    row[name] = nil
  end
  for name in next, self do
    if definition.virtuals and definition.virtuals[name] then
      core.raise("INVALID_ARGUMENT", ("%s.%s is computed when it is read and is not stored"):format(
        definition.name, name), { model = definition.name })
    elseif not definition.by_property[name] and not definition.relations[name] and not shape.columns[name]
        and name ~= "$annotations" then
      core.raise("UNDEFINED_COLUMN", ("no column '%s' on %s%s"):format(
        tostring(name), definition.name, options.hint(name, definition.properties)), { model = definition.name })
    end
  end
  return row
end

-- Write the fields to the row; NULL only where sql.null was assigned. Gives the record.
function record:save(given)
  local shape = shape_of(self, "save")
  local frozen, definition, key, rest = begin(self, given, WRITE, "save")
  local row = fields_to_save(self, shape, definition)
  if next(row) == nil then
    return self
  end
  return keyed.update_key(frozen, key, row, rest, self)
end

-- update(changes): only these columns.
function record:update(changes, given)
  local frozen, definition, key, rest = begin(self, given, WRITE, "update")
  return keyed.update_key(frozen, key, writing.changes(frozen, definition, changes, rest, key, "update"), rest, self)
end

-- Really delete the row. Gives the number of rows: 1, or 0 when it was gone already.
function record:delete(given)
  local frozen, _, key, rest = begin(self, given, ERASE, "delete")
  return keyed.delete_key(frozen, key, rest, self)
end

function record:softDelete(given)
  local frozen, _, key, rest = begin(self, given, ERASE, "softDelete")
  return keyed.soft_key(frozen, key, true, rest, self)
end

function record:restore(given)
  local frozen, _, key, rest = begin(self, given, ERASE, "restore")
  return keyed.soft_key(frozen, key, false, rest, self)
end

local LOAD = options.names("connection", "trx", "timeout")
local REFRESH = options.names(LOAD, "withoutDefaultScope")

-- Read the selected columns again. Gives the record, or nil when its row is gone.
function record:refresh(given)
  local shape = shape_of(self, "refresh")
  for _, name in ipairs(shape.others and shape.class._definition.keys or {}) do
    need_own(shape, name, "refresh")
  end
  tracking.settle(self)
  given = options.check(given, REFRESH, "refresh")
  local fresh = shape.class:refresh(self, given)
  if fresh == nil then
    return nil
  end
  local names = {}
  for name in next, shape.columns do
    if shape.class._definition.by_property[name] then
      self[name] = rawget(fresh, name)
      names[#names + 1] = name
    end
  end
  tracking.refresh(self, names)
  return self
end

-- The hash that the row holds: what was read, or, of a hidden column say, what is there now.
local function stored_hash(self, name, given, what)
  local class = shape_of(self, what).class
  tracking.settle(self)
  given = options.check(given, REFRESH, what)
  options.need_name(name, "column", what)
  local definition = class._definition
  local made = definition.by_property[name]
  if not made or not made.secret or not made.secret.strength then
    core.raise("INVALID_ARGUMENT", ("%s: `%s` is no hashed column of %s"):format(what, name, definition.name), {
      model = definition.name,
    })
  end
  local stored = tracking.kept(self, name)
  if stored == nil then
    stored = keyed.read_column(given.connection and class:using(given.connection) or class, self, name, given)
  end
  return stored, made.secret, model.secret_context(definition, made)
end

-- verify("password", text): is it what was hashed? Reads the hash by the key if it was not read.
function record:verify(name, text, given)
  options.need_type(text, "string", "text", "verify")
  local stored, _, context = stored_hash(self, name, given, "verify")
  return secret.verify(stored, text, context)
end

-- Was the hash made with other limits than the column has now? Then assign the text again.
function record:needsRehash(name, given)
  local stored, codec, context = stored_hash(self, name, given, "needsRehash")
  return secret.needs_rehash(stored, codec.strength, context)
end

-- record:load("posts", fn?): fill a relation now.
function record:load(path, fn, given)
  local shape = shape_of(self, "load")
  given = options.check(given, LOAD, "load")
  local class = shape.class
  local definition = class._definition
  local q = class:query()
  q:load(path, fn)
  local extra = q:_peek()
  if not extra then
    return self -- an empty list
  end
  local loads = extra.loads
  if given.connection ~= nil then
    class = class:using(given.connection)
  end
  local bound, where = class._source or nil, { trx = given.trx, timeout = given.timeout }
  if where.trx == nil then
    where.trx = class._trx or nil -- of trx.sql
  end
  local _, opts, ds, trx = running.target(definition, bound, nil, where)
  for _, key in ipairs(preload.keys_for(definition, loads)) do
    need_own(shape, key, "load")
    if not shape.columns[key] and rawget(self, key) == nil then
      core.raise("INVALID_ARGUMENT", ("load needs column `%s` of %s, which this record was read without"):format(
        key, definition.name))
    end
  end
  preload.load({ self }, definition, loads, {
    bound = bound, ds = ds, trx = trx, deadline = opts and opts.deadline,
  }, reading)
  return self
end

local MERGE = options.names("unguarded")

-- Assign several fields; nothing is written. Guarded columns, unknown names and the key of another row are
-- refused.
function record:mergeProps(data, given)
  local class = shape_of(self, "mergeProps").class
  local definition = class._definition
  options.need(data, "data", "mergeProps")
  given = options.check(given, MERGE, "mergeProps")
  local row = writing.checked(model.freeze(class), definition, data, given)
  writing.take_key(definition, row, self, "mergeProps")
  for name, value in next, row do
    self[name] = value
  end
  return self
end

-- Was this column selected? Tells a NULL from a column that was not read.
function record:has(name)
  return shape_of(self, "has").columns[options.need_name(name, "column", "has")] == true
end

local function is_record(value)
  local shape = type(value) == "table" and getmetatable(value)
  return shape and shape.class ~= nil and shape.columns ~= nil
end

local function related(value, convert)
  if is_record(value) then
    return convert(value)
  end
  local list = {}
  for index, entry in ipairs(value) do
    list[index] = convert(entry)
  end
  return list
end

-- A plain table of the columns, virtual members and loaded relations; hidden columns stay out.
function record:toTable()
  local definition = shape_of(self, "toTable").class._definition
  local plain = {}
  for name, value in next, self do
    local made = definition.by_property[name]
    if definition.relations[name] and type(value) == "table" then
      plain[name] = related(value, record.toTable)
    elseif not (made and made.hidden) then
      plain[name] = value
    end
  end
  virtual.each(definition, self, function(name, value)
    plain[name] = value
  end)
  return plain
end

local function for_json(self)
  local shape = getmetatable(self)
  local definition = shape.class._definition
  local object = {}
  for name in next, shape.columns do
    local made = definition.by_property[name]
    if not (made and made.hidden) and rawget(self, name) == nil and (made or not rawget(self, "$annotations")) then
      object[name] = core.jsonNull
    end
  end
  for name, value in next, self do
    local made = definition.by_property[name]
    if value == core.null then
      object[name] = core.jsonNull
    elseif core.isDecimal(value) then
      object[name] = tostring(value) -- a JSON number would be read back as a float
    elseif definition.relations[name] and type(value) == "table" then
      object[name] = is_record(value) and for_json(value) or core.array(related(value, for_json))
    elseif not (made and made.hidden) then
      object[name] = value
    end
  end
  virtual.each(definition, self, function(name, value)
    object[name] = core.isDecimal(value) and tostring(value) or value
  end)
  return core.object(object)
end

-- JSON text; columns that are NULL are null, hidden columns stay out.
function record:toJson()
  shape_of(self, "toJson")
  return core.jsonEncode(for_json(self))
end

local function shown(value)
  if type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) == "table" then
    return core.jsonEncode(value)
  end
  return tostring(value)
end

-- What print(record) shows: User { id = 1, email = "ada@x.org", posts = [2] }
function model.record_tostring(self)
  local shape = getmetatable(self)
  local definition = shape.class._definition
  local parts = {}
  for _, made in ipairs(definition.columns) do
    local value = rawget(self, made.property)
    if value ~= nil then
      local veiled = made.hidden or made.sensitive
      parts[#parts + 1] = ("%s = %s"):format(made.property, veiled and "***" or shown(value))
    end
  end
  local others = {}
  for name, value in next, self do
    if not definition.by_property[name] then
      local text
      if definition.relations[name] and type(value) == "table" then
        text = is_record(value) and getmetatable(value).class._definition.name or ("[%d]"):format(#value)
      else
        text = shown(value)
      end
      others[#others + 1] = ("%s = %s"):format(tostring(name), text)
    end
  end
  table.sort(others)
  table.move(others, 1, #others, #parts + 1, parts)
  return ("%s { %s }"):format(definition.name, table.concat(parts, ", "))
end

state.is_record = is_record

return record
