-- model "Name" { ... }: checks what the literal says, keeps the class in the registry and
-- freezes the core's metadata at first use. What the class can do is manager.lua's, what its
-- records can do is record.lua's; this file only puts them together.
--
-- A class is a table with three private fields: _definition (all that was declared), _source
-- (false, or the source that User:using(ds) bound it to) and _core (the frozen core model, or
-- false). A bound class is another such table over the same definition, with a core model of
-- its own, so that its records know where they come from.
local annotation = require("hysteria.annotation")
local column = require("hysteria.column")
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local literals = require("hysteria.literals")
local options = require("hysteria.options")
local relation = require("hysteria.relation")
local state = require("hysteria.state")
local virtual = require("hysteria.virtual")

local model = {
  statics = {}, -- manager.lua: verbs of the class
  records = {}, -- record.lua: verbs of records
  record_tostring = nil,
  derived_query = nil, -- view.lua
}

local fail = literals.fail

-- ---- members ----------------------------------------------------------------------------------

local function check_member_name(definition, name)
  if model.records[name] then
    core.raise("RESERVED_NAME", ("model %s: `%s` is a method of records; call the member otherwise%s"):format(
      definition.name, name, " (databaseName keeps the column's name)"), { model = definition.name })
  end
  if definition.base and definition.base.methods[name] then
    core.raise("RESERVED_NAME", ("model %s: `%s` is a method of %s already"):format(definition.name, name,
      definition.base.name), { model = definition.name })
  end
  if not name:find("^[%a_][%w_]*$") or name:sub(1, 1) == "_" then
    fail(definition, "`%s` is no usable name for a member", name)
  end
end

local function add_column(definition, made)
  made.name = made.databaseName or annotation.convert(definition.naming.database, made.property)
  if definition.by_database[made.name] then
    fail(definition, "columns `%s` and `%s` are both `%s` in the database",
      definition.by_database[made.name].property, made.property, made.name)
  end
  definition.columns[#definition.columns + 1] = made
  definition.properties[#definition.properties + 1] = made.property
  definition.by_property[made.property] = made
  definition.by_database[made.name] = made
end

-- Own members in the order in which their columns were made, then those of mixins.
local function sort_members(read)
  local columns, relations = {}, {}
  for name, value in next, read.members do
    local list = column.is(value) and columns or relations
    list[#list + 1] = { name = name, value = value, inherited = read.inherited[name] }
  end
  table.sort(columns, function(a, b)
    if a.inherited ~= b.inherited then
      return a.inherited < b.inherited
    elseif a.value.order ~= b.value.order then
      return a.value.order < b.value.order
    end
    return a.name < b.name
  end)
  table.sort(relations, function(a, b)
    return a.name < b.name
  end)
  return columns, relations
end

local function add_virtual(definition, name, made)
  definition.virtuals = definition.virtuals or {}
  definition.virtual_names = definition.virtual_names or {}
  definition.virtuals[name] = virtual.copy(made)
  table.insert(definition.virtual_names, name)
end

local function add_members(definition, read)
  local columns, relations = sort_members(read)
  for _, member in ipairs(columns) do
    check_member_name(definition, member.name)
    local copy = column.copy(member.value)
    copy.property = member.name
    add_column(definition, copy)
  end
  for _, member in ipairs(relations) do
    check_member_name(definition, member.name)
    if relation.is(member.value) then
      definition.relations[member.name] = relation.named(member.value, member.name)
      definition.relation_names[#definition.relation_names + 1] = member.name
    elseif virtual.is(member.value) then
      add_virtual(definition, member.name, member.value)
    elseif type(member.value) == "function" then
      fail(definition, "`%s` is a function; write `function %s:%s() ... end` after the definition", member.name,
        definition.name, member.name)
    else
      fail(definition, "`%s` is %s, neither a column nor a relation", member.name, options.kind(member.value))
    end
  end
end

-- ---- annotations ------------------------------------------------------------------------------

local readers = {}

function readers.tableName(definition, note)
  definition.table, definition.schema = note.table, note.schema
end

function readers.naming(definition, note)
  definition.naming.model = note.model or definition.naming.model
  definition.naming.database = note.database or definition.naming.database
end

function readers.softDelete(definition, note)
  definition.soft_delete, definition.soft_value = note.property, note.value
end

function readers.index(definition, note)
  table.insert(definition.indexes, note)
end

function readers.check(definition, note)
  table.insert(definition.checks, note)
end

function readers.primaryKey(definition, note)
  if definition.declared_keys then
    core.raise("MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED", ("model %s: primaryKey is given twice"):format(definition.name))
  end
  definition.declared_keys = note.columns
end

function readers.connection(definition, note)
  definition.connection = note.name
end

function readers.guarded(definition, note)
  definition.guarded = definition.guarded or {}
  for _, name in ipairs(note.columns) do
    definition.guarded[name] = true
  end
end

function readers.scope(definition, note)
  if definition.scopes[note.name] then
    fail(definition, "scope `%s` is given twice", note.name)
  elseif model.statics[note.name] or rawget(core.queryMethods, note.name) then
    core.raise("RESERVED_NAME", ("model %s: a scope cannot be called `%s`"):format(definition.name, note.name))
  end
  definition.scopes[note.name] = note.fn
  definition.scope_names[#definition.scope_names + 1] = note.name
end

function readers.defaultScope(definition, note)
  table.insert(definition.default_scopes, note.fn)
end

function readers.view(definition, note)
  definition.view = { fn = note.fn, create = note.create }
end

function readers.options(definition, note)
  if note.track ~= nil then
    definition.track = note.track and true or false
  end
end

function readers.hook(definition, note)
  hooks.add(definition, note.name, note.fn)
end

-- ---- a definition -----------------------------------------------------------------------------

-- Properties for names, which may be database names; the list replaces `names`.
local function need_columns(definition, names, what)
  local list = {}
  for index, name in ipairs(names) do
    local found = definition.by_property[name] or definition.by_database[name]
    if not found then
      fail(definition, "%s: no column `%s`%s", what, name, options.hint(name, definition.properties))
    end
    list[index] = found.property
  end
  return list
end

local function read_keys(definition)
  local flagged = {}
  for _, made in ipairs(definition.columns) do
    if made.primaryKey then
      flagged[#flagged + 1] = made.property
    end
  end
  if definition.declared_keys then
    definition.keys = need_columns(definition, definition.declared_keys, "primaryKey")
    if #flagged > 0 and table.concat(flagged, ",") ~= table.concat(definition.keys, ",") then
      core.raise("MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED",
        ("model %s: primaryKey{...} and column `%s` both declare the key"):format(definition.name, flagged[1]))
    end
  elseif #flagged > 1 then
    core.raise("MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED",
      ("model %s: `%s` and `%s` are both primary keys; a key of several columns is hysteria.primaryKey { ... }"):format(
        definition.name, flagged[1], flagged[2]))
  else
    definition.keys = flagged
  end
  definition.key = #definition.keys == 1 and definition.keys[1] or nil
  local key = definition.key and definition.by_property[definition.key]
  definition.increment = key and key.increment and definition.key or nil
end

-- The part of now() that a column keeps: first and last character of it.
local function part_of(made)
  if made.kind == "date" then
    return { 1, 10 }
  end
  local last = -1
  if made.precision then
    last = made.precision == 0 and 19 or 20 + made.precision
  end
  return { made.kind == "time" and 12 or 1, last }
end

local function read_version(definition)
  for _, made in ipairs(definition.columns) do
    if made.counts and definition.version then
      fail(definition, "`%s` and `%s` are both column.version()", definition.version, made.property)
    elseif made.counts then
      definition.version = made.property
    end
  end
end

local function read_soft_delete(definition)
  local name = definition.soft_delete
  if not name then
    return
  end
  if definition.by_property[name] == nil then
    check_member_name(definition, name)
    local made = column.copy(definition.soft_value == true and column.public.boolean() or column.public.datetime())
    made.property = name
    add_column(definition, made)
  end
  local made = definition.by_property[name]
  definition.soft_boolean = made.kind == "boolean"
  if definition.soft_value == true and not definition.soft_boolean then
    fail(definition, "softDelete: `%s` is no boolean column, so true is no value for it", name)
  end
  definition.soft_part = part_of(made)
  if definition.soft_boolean and made.default == nil then
    made.default = false
  end
end

local function first_version()
  return 1
end

-- What an insert computes for a column that the row leaves out: fn(now) or nil.
local function filler_of(definition, made)
  if made.counts then
    return first_version
  elseif type(made.default) == "function" then
    return made.default
  elseif made.autoCreate or made.autoUpdate then
    local auto = made.autoCreate or made.autoUpdate
    return type(auto) == "function" and auto or core.now
  elseif (made.kind == "uuid" or made.kind == "ulid") and made.generate ~= false and made.default == nil then
    if made.references or definition.foreign[made.property] or definition.foreign[made.name] then
      return nil -- the value is somebody else's key
    elseif made.kind == "ulid" then
      return core.ulid
    end
    return made.version == 7 and core.uuid7 or core.uuid4
  end
  return nil
end

-- What writing.fill reads: a function, or the part of the instant that all clocks of a row share.
local function entry_for(made, fn)
  if fn == core.now then
    return { property = made.property, part = part_of(made) }
  end
  return { property = made.property, fill = fn }
end

local function add(list, entry)
  list = list or {}
  list[#list + 1] = entry
  return list
end

-- What a secret is bound to: a ciphertext of one column is none of another.
function model.secret_context(definition, made)
  return made.secret.context or definition.table .. "." .. made.name
end

-- Columns that hold another row's key: nothing is generated for them. Where the name is the
-- default one, both of its spellings are noted.
local function read_foreign(definition)
  definition.foreign = {}
  for _, rel in next, definition.relations do
    if rel.kind == "belongsTo" then
      local names = rel.foreign_key
      if not names then
        local default = core.singular(core.tableName(rel.target)) .. "_id"
        names = { default, annotation.convert(definition.naming.model, default) }
      end
      for _, name in ipairs(names) do
        definition.foreign[name] = true
      end
    end
  end
end

-- A secret is hidden after the column's own prepare and shown before its serialize.
local function hide_secret(definition, made)
  local context = model.secret_context(definition, made)
  definition.prepares = add(definition.prepares, {
    property = made.property, fn = function(value) return made.secret.hide(value, context) end,
  })
end

local function show_secret(definition, made)
  local context = model.secret_context(definition, made)
  if made.secret.show then
    definition.serializers = add(definition.serializers, {
      property = made.property, fn = function(value) return made.secret.show(value, context) end,
    })
  end
end

-- What is read of it is no value to write: a hash would be hashed again, a float is none for a decimal, and what
-- `prepare` has made would go through it once more.
local function is_one_way(made)
  return made.secret ~= nil and made.secret.keeps or made.as == "number"
    or made.prepare ~= nil and made.serialize == nil
end

-- The per-class lists that writes and reads walk; nil where there is nothing to do.
local function read_codecs(definition)
  read_foreign(definition)
  for _, made in ipairs(definition.columns) do
    local filler = filler_of(definition, made)
    if filler then
      definition.fillers = add(definition.fillers, entry_for(made, filler))
    end
    if made.autoUpdate then
      local auto = type(made.autoUpdate) == "function" and made.autoUpdate or core.now
      definition.updaters = add(definition.updaters, entry_for(made, auto))
    end
    if made.generated or made.autoUpdate then
      definition.computed = add(definition.computed, made.property)
    end
    if made.prepare then
      definition.prepares = add(definition.prepares, { property = made.property, fn = made.prepare })
    end
    if made.secret then
      hide_secret(definition, made)
      show_secret(definition, made)
    end
    made.keeps = is_one_way(made)
    if made.keeps then
      definition.kept = add(definition.kept, made.property)
    end
    if made.serialize then
      definition.serializers = add(definition.serializers, { property = made.property, fn = made.serialize })
    end
    if made.validate then
      local list = type(made.validate) == "function" and { made.validate } or made.validate
      definition.validators = add(definition.validators, {
        property = made.property, list = list,
        computed = filler ~= nil or made.default ~= nil or made.increment or made.generated ~= nil,
      })
    end
  end
end

-- Flags that the short roads ask for.
function model.refresh(definition)
  local hooked = definition.hooks
  definition.filtered = definition.soft_delete ~= nil or #definition.default_scopes > 0
    or hooked.beforeFetch ~= nil
  definition.plain_read = not definition.filtered and definition.serializers == nil and hooked.afterFetch == nil
    and definition.kept == nil and not definition.track and definition.connection == nil and not definition.derived
  definition.hooked = {}
  for _, operation in ipairs({ "insert", "upsert", "update", "delete", "softDelete", "restore" }) do
    definition.hooked[operation] = hooks.involved(definition, operation)
  end
  definition.plain_insert = not definition.hooked.insert and definition.fillers == nil and definition.prepares == nil
    and definition.validators == nil and definition.guarded == nil and definition.view == nil
    and definition.serializers == nil and definition.kept == nil
end

-- Two equal secrets are stored differently: no index finds them, no key is made of them.
local function refuse_secrets(definition, names, what)
  for _, name in ipairs(names) do
    local made = definition.by_property[name]
    if made.secret then
      fail(definition, "%s: column `%s` is stored hashed or encrypted", what, name)
    end
  end
end

local function read_definition(definition, literal)
  local read = literals.expand(definition, literal)
  for _, note in ipairs(read.notes) do
    if note.annotation == "naming" then
      readers.naming(definition, note)
    end
  end
  add_members(definition, read)
  for _, note in ipairs(read.notes) do
    readers[note.annotation](definition, note)
  end
  definition.table = definition.table or core.tableName(definition.name)
  read_soft_delete(definition)
  if #definition.columns == 0 then
    fail(definition, "no columns")
  end
  read_keys(definition)
  read_version(definition)
  for name, made in next, definition.virtuals or {} do
    made.needs = need_columns(definition, made.needs, name .. ": needs")
  end
  refuse_secrets(definition, definition.keys, "primaryKey")
  for _, index in ipairs(definition.indexes) do
    refuse_secrets(definition, need_columns(definition, index.columns, "index"), "index")
  end
  local guarded = definition.guarded
  definition.guarded = guarded and {}
  for name in next, guarded or {} do
    definition.guarded[need_columns(definition, { name }, "guarded")[1]] = true
  end
  read_codecs(definition)
  definition.derived = definition.view ~= nil and definition.view.fn and not definition.view.create or false
  model.refresh(definition)
end

local function new_definition(name, file)
  return {
    name = name, file = file, naming = { model = "camel", database = "snake" },
    columns = {}, properties = {}, by_property = {}, by_database = {}, keys = {},
    relations = {}, relation_names = {}, hooks = {}, scopes = {}, scope_names = {}, default_scopes = {},
    indexes = {}, checks = {}, guests = {},
  }
end

-- ---- the frozen core model --------------------------------------------------------------------

-- What the database fills in: documents as JSON text, everything else as it is.
local function database_default(made)
  local default, kind = made.default, core.kind(made.default)
  if type(default) == "function" then
    return nil
  elseif default ~= nil and (made.kind == "json" or made.kind == "jsonb") and kind ~= "raw" and kind ~= "null" then
    return core.jsonEncode(default)
  end
  return default
end

local function column_spec(made)
  return {
    property = made.property, name = made.name, kind = made.kind, primary = made.primaryKey,
    notNull = made.nullable == false or made.primaryKey or false, unique = made.unique,
    increment = made.increment, hidden = made.hidden, generated = made.generated, sensitive = made.sensitive,
    unsigned = made.unsigned, timezone = made.timezone, length = made.length, precision = made.precision,
    opaque = made.secret ~= nil, scale = made.scale, typeSql = made.type_sql, values = made.values,
    default = database_default(made), element = made.element, computed = made.stored == false,
    comment = made.comment, as = made.as,
  }
end

-- Everything but class and meta; schema.lua adds foreign keys to it.
function model.spec(definition)
  local columns, keys, naming = {}, {}, definition.naming.database
  for index, made in ipairs(definition.columns) do
    columns[index] = column_spec(made)
  end
  for index, key in ipairs(definition.keys) do
    keys[index] = key
  end
  local indexes = {}
  for index, note in ipairs(definition.indexes) do
    indexes[index] = {
      columns = need_columns(definition, note.columns, "index"), name = note.name, unique = note.unique,
    }
  end
  return {
    name = definition.name, table = definition.table, schema = definition.schema,
    naming = type(naming) == "string" and naming or "preserve", -- a function has named the columns already
    columns = columns, primaryKey = #keys > 0 and keys or nil,
    indexes = indexes, checks = definition.checks, softDelete = definition.soft_delete,
    derived = definition.derived,
  }
end

-- In dev mode, reading a relation that was not loaded is an error, not nil.
local function strict_index(class, definition)
  local lookup = virtual.index(definition)
  return function(record, key)
    local found = lookup(record, key)
    if found == nil and definition.relations[key] and not model.is_loaded(record, key) then
      core.raise("RELATION_NOT_LOADED", ("%s.%s was not loaded; write :load(\"%s\") on the query"):format(
        class._definition.name, key, key), { model = definition.name, relation = key })
    end
    return found
  end
end

-- What reading a field gives that a record does not have.
local function record_index(class, definition)
  if state.dev then
    return strict_index(class, definition)
  end
  return definition.virtuals and virtual.index(definition) or definition.methods
end

-- Records whose relations were loaded; kept in dev mode only.
local loaded = setmetatable({}, { __mode = "k" })

function model.mark_loaded(record, name)
  if state.dev then
    loaded[record] = loaded[record] or {}
    loaded[record][name] = true
  end
end

function model.is_loaded(record, name)
  local names = loaded[record]
  return names ~= nil and names[name] == true
end

-- The core model of a class, made now if need be.
function model.freeze(class)
  if class._core then
    return class._core
  end
  local definition = class._definition
  local spec = model.spec(definition)
  spec.class = class
  spec.meta = {
    __index = record_index(class, definition),
    __tostring = model.record_tostring,
    __name = definition.name,
    class = class,
  }
  local frozen = core.model(spec)
  state.definition_of[frozen], state.meta_of[frozen] = definition, spec.meta
  if class._source then
    state.source_of[frozen] = class._source
  end
  class._core = frozen
  return frozen
end

-- A fresh query of a class. Hot paths ask for `derived` themselves.
function model.query(class)
  local frozen, definition = class._core or model.freeze(class), class._definition
  if definition.derived then
    return model.derived_query(frozen, definition)
  end
  return core.query(frozen)
end

-- Frozen metadata is made anew at the next use.
local function thaw(definition)
  definition.class._core = false
  for _, view in next, definition.views do
    view._core = false
  end
end

function model.thaw_all()
  for _, class in next, state.models do
    thaw(class._definition)
  end
end

-- ---- the class --------------------------------------------------------------------------------

-- What reading a field of the class gives: a verb, "table.column", a scope or a method.
local function class_index(definition)
  local index = {}
  for _, made in ipairs(definition.columns) do
    index[made.property] = definition.table .. "." .. made.property
  end
  for name in next, definition.scopes do
    index[name] = function(class, ...)
      return class:query():scope(name, ...)
    end
  end
  for name, verb in next, model.statics do
    index[name] = verb
  end
  return setmetatable(index, {
    __index = function(_, key)
      local method = definition.methods[key]
      if method ~= nil or type(key) ~= "string" or key:find("^_") then
        return method
      end
      local names = { table.unpack(definition.properties) }
      for name in next, model.statics do
        names[#names + 1] = name
      end
      table.sort(names)
      core.raise("UNDEFINED_COLUMN", ("%s has no column or verb `%s`%s"):format(
        definition.name, key, options.hint(key, names)), { model = definition.name })
    end,
  })
end

local function has_member(definition, name)
  return definition.by_property[name] or definition.relations[name]
    or (definition.virtuals and definition.virtuals[name])
end

-- This definition, or one that extends it, that has a member of that name.
local function owner_of_member(definition, name)
  for _, class in next, state.models do
    local at = class._definition
    while at and at ~= definition do
      at = at.base
    end
    if at and has_member(class._definition, name) then
      return class._definition
    end
  end
  return nil
end

local function add_method(definition, name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    core.raise("INVALID_ARGUMENT", ("%s: only functions can be assigned, as methods of its records"):format(
      definition.name))
  elseif model.records[name] or model.statics[name] then
    core.raise("RESERVED_NAME", ("%s: `%s` is taken by the engine"):format(definition.name, name))
  end
  local owner = owner_of_member(definition, name)
  if owner then
    core.raise("RESERVED_NAME", ("%s: `%s` is a column or relation already"):format(owner.name, name))
  end
  definition.methods[name] = fn
end

-- Methods of the base are looked up there, so that later ones are found too.
local function reset_methods(methods, base)
  for name in next, methods do
    methods[name] = nil
  end
  for name, verb in next, model.records do
    methods[name] = verb
  end
  setmetatable(methods, base and { __index = base.methods } or nil)
end

-- (Re)made at every definition; the tables themselves stay, since records point to them.
local function install(definition, class)
  definition.class = class
  reset_methods(definition.methods, definition.base)
  local mt = definition.class_mt
  mt.__index = class_index(definition)
  mt.__newindex = function(_, name, fn)
    add_method(definition, name, fn)
  end
  mt.__tostring = function()
    return "model " .. definition.name
  end
  mt.__name = "hysteria.class"
  mt.__hymodel = model.freeze
  for _, name in ipairs(definition.scope_names) do
    state.scopes[name] = true
  end
end

local function file_of_caller()
  return (core.caller() or "?"):gsub(":%d+$", "")
end

-- It counts for the model and for those that will extend it.
local function take_hook(definition, name, fn)
  hooks.add(definition, name, fn)
  table.insert(definition.read.notes, annotation.public[name](fn))
end

-- A hook given to a class. One that another file gives stays when the model's own file runs again.
function model.add_hook(definition, name, fn)
  take_hook(definition, name, fn)
  if file_of_caller() ~= definition.file then
    table.insert(definition.guests, { name = name, fn = fn })
  end
  model.refresh(definition)
end

local function keep_guests(guests, fresh)
  fresh.guests = guests
  for _, guest in ipairs(guests) do
    take_hook(fresh, guest.name, guest.fn)
  end
  model.refresh(fresh)
end

-- The same file run again replaces its own model: the class keeps its identity.
local function redefine(class, fresh)
  local definition = class._definition
  keep_guests(definition.guests, fresh)
  local kept = { class = true, class_mt = true, methods = true, views = true }
  for key in next, definition do
    if not kept[key] then
      definition[key] = nil
    end
  end
  for key, value in next, fresh do
    definition[key] = value
  end
  install(definition, class)
  thaw(definition)
  return class
end

local function define(name, literal, file)
  if type(literal) ~= "table" then
    core.raise("INVALID_MODEL", ("model %s: a table is expected, not %s"):format(name, options.kind(literal)))
  end
  local definition = new_definition(name, file)
  local before = state.models[name]
  if before and before._definition.file ~= file then
    core.raise("MODEL_ALREADY_DEFINED", ("model %s is already defined in %s"):format(name, before._definition.file), {
      model = name,
    })
  end
  read_definition(definition, literal)
  if before then
    return redefine(before, definition)
  end
  definition.methods, definition.class_mt = {}, {}
  definition.views = setmetatable({}, { __mode = "k" })
  local class = { _definition = definition, _source = false, _trx = false, _core = false }
  install(definition, class)
  state.classes[class] = definition
  state.models[name] = setmetatable(class, definition.class_mt)
  return class
end

-- model "Name" { ... } or model("Name", { ... }).
function model.model(name, literal)
  options.need_name(name, "name", "model")
  if not name:find("^%a[%w_]*$") then
    core.raise("INVALID_MODEL", ("`%s` is no usable name for a model"):format(name))
  end
  -- Here, not below: in `return model "Name" { ... }` only this call still sees its file.
  local file = file_of_caller()
  if literal ~= nil then
    return define(name, literal, file)
  end
  return function(given)
    return define(name, given, file)
  end
end

function model.is(value)
  return type(value) == "table" and type(rawget(value, "_definition")) == "table"
end

function model.need(value, what)
  if value == nil or state.classes[value] == nil then
    core.raise("INVALID_ARGUMENT", ("%s: expected a model, not %s; objects use the colon"):format(
      what, options.kind(value)))
  end
  return value
end

-- The class bound to a source, and to its transaction if it stands for one.
function model.bound(class, ds)
  local definition = class._definition
  local view = definition.views[ds]
  if view == nil then
    view = setmetatable({
      _definition = definition, _source = ds._root, _trx = ds._trx, _core = false,
    }, definition.class_mt)
    state.classes[view] = definition
    definition.views[ds] = view
    if ds ~= ds._root then
      view._core = model.freeze(model.bound(class, ds._root)) -- records outlive the transaction
    end
  end
  return view
end

return model
