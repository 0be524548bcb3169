-- createTables and dropTables: the tables of models, in the order that their foreign keys
-- need. The SQL is the core's; here are the order, the cycles and the references by name.
local core = require("hysteria.core")
local model = require("hysteria.model")
local options = require("hysteria.options")
local relation = require("hysteria.relation")
local state = require("hysteria.state")
local transaction = require("hysteria.transaction")
local view = require("hysteria.view")

local schema = {}

local function database_names(owner, properties)
  local names = {}
  for index, property in ipairs(properties) do
    names[index] = owner.by_property[property].name
  end
  return names
end

-- A column's own references { model | table, column, ... }.
local function column_reference(definition, made)
  local target = made.references
  local what = ("%s.%s: references"):format(definition.name, made.property)
  local key = {
    columns = { made.property }, table = target.table, targets = { target.column or "id" }, name = target.name,
    onDelete = relation.action(target.onDelete, "onDelete", what),
    onUpdate = relation.action(target.onUpdate, "onUpdate", what),
  }
  if target.model then
    local class = state.models[target.model]
    if not class then
      core.raise("MODEL_NOT_FOUND", ("%s: no model `%s`"):format(what, tostring(target.model)))
    end
    local owner = class._definition
    local column = owner.by_property[target.column or owner.key or "id"]
    if not column then
      core.raise("INVALID_MODEL", ("%s: no column `%s` on %s"):format(what, tostring(target.column), owner.name))
    end
    key.table, key.targets = owner.table, { column.name }
  end
  return key
end

-- From belongsTo relations and from references; one per set of columns.
local function foreign_keys(definition)
  local keys, seen = {}, {}
  for _, name in ipairs(definition.relation_names) do
    local rel = definition.relations[name]
    if rel.kind == "belongsTo" and rel.constraint then
      local target, here, there = relation.resolve(definition, rel)
      seen[table.concat(here, ",")] = true
      keys[#keys + 1] = {
        columns = here, table = target.table, targets = database_names(target, there), name = rel.constraint_name,
        onDelete = rel.on_delete, onUpdate = rel.on_update,
      }
    end
  end
  for _, made in ipairs(definition.columns) do
    if made.references and not seen[made.property] then
      keys[#keys + 1] = column_reference(definition, made)
    end
  end
  return keys
end

-- The tables to make: { definition, frozen core model with foreign keys, tables it refers to }.
local function tables_of(classes, what)
  options.need(classes, "models", what)
  if model.is(classes) then
    classes = { classes }
  end
  options.plain(classes, what .. ": models")
  local list, by_table = {}, {}
  for index = 1, #classes do
    local definition = model.need(classes[index], what)._definition
    if not by_table[definition.table] then
      local spec = model.spec(definition)
      spec.foreignKeys = definition.view and {} or foreign_keys(definition)
      local entry = { definition = definition, frozen = core.model(spec), needs = {} }
      for _, key in ipairs(spec.foreignKeys) do
        entry.needs[key.table] = true
      end
      by_table[definition.table] = entry
      list[#list + 1] = entry
    end
  end
  return list
end

-- Referenced tables first, otherwise as given. What stands in a cycle comes last, marked.
local function in_order(list)
  local done, ordered, left = {}, {}, { table.unpack(list) }
  local pending = {}
  for _, entry in ipairs(list) do
    pending[entry.definition.table] = true
  end
  local function is_ready(entry)
    for name in next, entry.needs do
      if pending[name] and not done[name] and name ~= entry.definition.table then
        return false
      end
    end
    return true
  end
  while #left > 0 do
    local taken
    for index, entry in ipairs(left) do
      if is_ready(entry) then
        taken = index
        break
      end
    end
    if not taken then
      taken = 1
      left[1].in_cycle = true
    end
    local entry = table.remove(left, taken)
    ordered[#ordered + 1] = entry
    done[entry.definition.table] = true
  end
  return ordered
end

-- A computed column that is not stored came to PostgreSQL late, and to no statement's text.
local function need_features(handle, definition, dialect)
  for _, made in ipairs(definition.columns) do
    if made.stored == false and not handle:can("GENERATED_VIRTUAL") then
      core.raise("UNSUPPORTED", ("%s.%s: this %s server stores generated columns; drop stored = false"):format(
        definition.name, made.property, dialect), {
        model = definition.name, feature = "virtual generated columns", dialect = dialect,
      })
    end
  end
end

-- Tables, and the views that the database shall know, in the order in which they are given.
local function apart(list)
  local tables, views = {}, {}
  for _, entry in ipairs(list) do
    if not entry.definition.view then
      tables[#tables + 1] = entry
    elseif entry.definition.view.create then
      views[#views + 1] = entry
    end
  end
  return in_order(tables), views
end

local function run(place, statements)
  for _, text in ipairs(statements) do
    core.rawQuery(place.handle, text, nil, place.opts)
  end
end

local CREATE = options.names("ifNotExists", "trx", "timeout")
local DROP = options.names("ifExists", "trx", "timeout")

-- fn(place) in one transaction where the database can take schema changes back.
local function together(source, given, fn)
  local handle, opts = source:_handle(), source:_options(given)
  if handle:can("TRANSACTIONAL_DDL") then
    local explicit = given.trx
    if explicit == nil then
      explicit = source._trx or nil
    end
    return transaction.atomic({ ds = source, trx = explicit, opts = opts }, function(trx)
      return fn({ handle = handle, opts = { trx = trx._core, deadline = opts and opts.deadline } })
    end)
  end
  return fn({ handle = handle, opts = opts })
end

-- createTables({ User, Post }, { ifNotExists })
function schema.create(source, classes, given)
  given = options.check(given, CREATE, "createTables")
  local list, views = apart(tables_of(classes, "createTables"))
  local dialect, handle = source:getDbType(), source:_handle()
  for _, entry in ipairs(list) do
    need_features(handle, entry.definition, dialect)
  end
  together(source, given, function(place)
    for _, entry in ipairs(list) do
      -- SQLite has no ALTER TABLE for it and needs none: a reference may come before its table.
      local inline = dialect == "sqlite" or not entry.in_cycle
      run(place, entry.frozen:createSql(dialect, { ifNotExists = given.ifNotExists, foreignKeys = inline }))
    end
    for _, entry in ipairs(list) do
      if entry.in_cycle and dialect ~= "sqlite" then
        run(place, entry.frozen:foreignKeySql(dialect))
      end
    end
    for _, entry in ipairs(views) do
      run(place, entry.frozen:createViewSql(dialect, view.text(entry.definition, dialect)))
    end
  end)
  return source
end

local ABSENT = { UNDEFINED_TABLE = true, UNDEFINED_COLUMN = true }

-- Take the references off the tables of a cycle, so that one of them can be the first to go.
-- Where a statement cannot say IF EXISTS, its error says whether there was something.
local function untie(place, entry, dialect, given)
  for _, text in ipairs(entry.frozen:dropForeignKeySql(dialect, { ifExists = given.ifExists })) do
    local ok, err = pcall(core.rawQuery, place.handle, text, nil, place.opts)
    if not ok and not (given.ifExists and ABSENT[err.code]) then
      error(err, 0)
    end
  end
end

-- dropTables({ User, Post }, { ifExists })
function schema.drop(source, classes, given)
  given = options.check(given, DROP, "dropTables")
  local list, views = apart(tables_of(classes, "dropTables"))
  local dialect = source:getDbType()
  together(source, given, function(place)
    for index = #views, 1, -1 do
      run(place, views[index].frozen:dropViewSql(dialect, { ifExists = given.ifExists }))
    end
    for _, entry in ipairs(list) do
      if entry.in_cycle and dialect ~= "sqlite" then
        untie(place, entry, dialect, given)
      end
    end
    for index = #list, 1, -1 do
      run(place, list[index].frozen:dropSql(dialect, { ifExists = given.ifExists }))
    end
  end)
  return source
end

return schema
