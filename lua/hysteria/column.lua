-- The column constructors: hysteria.column.string { length = 190 } and so on. A column is an
-- immutable value that remembers when it was made (that is the order of a model's columns);
-- what it is called and to whom it belongs is the model's business, which copies it.
local core = require("hysteria.core")
local options = require("hysteria.options")
local secret = require("hysteria.secret")
local virtual = require("hysteria.virtual")

local column = {}
local column_mt = { __name = "hysteria.column" }

local counter = 0

local COMMON = options.names(
  "primaryKey", "nullable", "unique", "default", "databaseName", "hidden", "sensitive", "comment", "validate",
  "prepare", "serialize", "references", "generated", "stored",
  "autoCreate", "autoUpdate"
)
local INTEGER = options.names(COMMON, "unsigned")
local DATES = options.names(COMMON, "as")
local CLOCKS = options.names(DATES, "precision", "timezone")

-- Kind of the core -> options it takes.
local ACCEPTS = {
  boolean = COMMON,
  tinyint = INTEGER,
  smallint = INTEGER,
  mediumint = INTEGER,
  integer = options.names(INTEGER, "increment"),
  bigInteger = options.names(INTEGER, "increment"),
  float = COMMON,
  double = COMMON,
  decimal = options.names(COMMON, "precision", "scale", "unsigned", "as"),
  string = options.names(COMMON, "length"),
  char = options.names(COMMON, "length"),
  text = options.names(COMMON, "length"),
  enum = options.names(COMMON, "values"),
  ulid = options.names(COMMON, "generate"),
  uuid = options.names(COMMON, "generate", "version"),
  binary = options.names(COMMON, "length"),
  varbinary = options.names(COMMON, "length"),
  json = COMMON,
  jsonb = COMMON,
  date = DATES,
  time = options.names(DATES, "precision"),
  datetime = CLOCKS,
  timestamp = CLOCKS,
  array = COMMON,
  custom = COMMON,
}

-- Columns whose stored form is not their value.
local HASHED = options.names(
  "nullable", "default", "databaseName", "hidden", "comment", "validate", "prepare", "strength"
)
local ENCRYPTED = options.names(
  "nullable", "default", "databaseName", "hidden", "comment", "validate", "prepare", "serialize", "context",
  "key", "keys", "publicKey", "privateKey"
)
-- Options that the column does not keep.
local SPENT = { key = true, keys = true, publicKey = true, privateKey = true, strength = true, context = true }

local AS = {
  date = { string = true, epoch = true, table = true },
  time = { string = true, epoch = true, table = true },
  datetime = { string = true, epoch = true, table = true },
  timestamp = { string = true, epoch = true, table = true },
  decimal = { string = true, number = true },
}

-- Option -> type it must have.
local TYPES = {
  primaryKey = "boolean", nullable = "boolean", unique = "boolean", hidden = "boolean", sensitive = "boolean",
  unsigned = "boolean", increment = "boolean", timezone = "boolean", generate = "boolean", stored = "boolean",
  databaseName = "string", comment = "string", generated = "string", as = "string", context = "string",
  prepare = "function", serialize = "function",
}
local COUNTS = { length = 1, precision = 0, scale = 0, version = 4 }

local function fail(what, text, ...)
  core.raise("INVALID_MODEL", what .. ": " .. text:format(...))
end

local function check_types(given, what)
  for name, value in next, given do
    local wanted = TYPES[name]
    if wanted and type(value) ~= wanted then
      fail(what, "%s must be a %s, not %s", name, wanted, options.kind(value))
    end
    if COUNTS[name] then
      options.need_count(value, COUNTS[name], name, what)
    end
  end
end

local function check_default(given, what)
  local kind = type(given.default)
  if kind == "table" and core.kind(given.default) == nil then
    fail(what, "default must be a value, sql.rawStatement(...) or a function; write sql.array or sql.object for JSON")
  end
  if given.generated and (given.default ~= nil or given.primaryKey) then
    fail(what, "a generated column has no default and is no primary key")
  elseif given.stored ~= nil and not given.generated then
    fail(what, "stored says where a generated column is computed; it needs generated = \"an SQL expression\"")
  end
end

-- true is the time; other columns say how their value is made.
local function check_auto(kind, given, what)
  for _, name in ipairs({ "autoCreate", "autoUpdate" }) do
    local value = given[name]
    if AS[kind] and AS[kind].epoch then
      if value ~= nil and type(value) ~= "boolean" and type(value) ~= "function" then
        fail(what, "%s must be true, false or a function", name)
      end
    elseif value and type(value) ~= "function" then
      fail(what, "%s must be a function that gives the value", name)
    end
    if value and (given.generated or given.increment) then
      fail(what, "%s: the database makes this column's values", name)
    end
  end
end

local function check_validators(given, what)
  local list = given.validate
  if list == nil or type(list) == "function" then
    return
  end
  options.plain(list, what .. ": validate")
  for index = 1, #list do
    if type(list[index]) ~= "function" then
      fail(what, "validate must be a function or a list of functions")
    end
  end
end

local REFERENCES = options.names("model", "table", "column", "onDelete", "onUpdate", "name")

local function check_references(given, what)
  local target = given.references
  if target == nil then
    return
  end
  options.check(target, REFERENCES, what .. ": references")
  if (target.model == nil) == (target.table == nil) then
    fail(what, "references needs either model or table")
  end
end

local function check_enum(kind, given, what)
  if kind ~= "enum" then
    return
  end
  if type(given.values) ~= "table" or #given.values == 0 then
    fail(what, "an enum needs values: column.enum { \"a\", \"b\" }")
  end
  for index, value in ipairs(given.values) do
    options.need_name(value, ("values[%d]"):format(index), what)
  end
end

-- A column of a core kind. `given` is checked and copied; `forced` wins.
local function make(kind, label, given, forced, accepts)
  local what = "column." .. label
  given = options.check(given, accepts or ACCEPTS[kind], what)
  check_types(given, what)
  counter = counter + 1
  local made = { kind = kind, order = counter, label = label }
  for name, value in next, given do
    if not SPENT[name] then
      made[name] = value
    end
  end
  for name, value in next, forced or {} do
    made[name] = value
  end
  check_default(made, what)
  check_auto(kind, made, what)
  check_validators(made, what)
  check_references(made, what)
  check_enum(kind, made, what)
  if made.as and not (AS[kind] and AS[kind][made.as]) then
    fail(what, "as = %q is none of its forms", made.as)
  end
  return setmetatable(made, column_mt)
end

function column.is(value)
  return type(value) == "table" and getmetatable(value) == column_mt
end

-- A fresh copy that a model may complete: name, place.
function column.copy(source, order)
  local copy = {}
  for name, value in next, source do
    copy[name] = value
  end
  copy.order = order or source.order
  return setmetatable(copy, column_mt)
end

local constructors = {}

for _, kind in ipairs({
  "boolean", "tinyint", "smallint", "mediumint", "integer", "bigInteger", "float", "double", "decimal", "string",
  "char", "text", "ulid", "binary", "varbinary", "json", "jsonb",
}) do
  constructors[kind] = function(given)
    return make(kind, kind, given)
  end
end

function constructors.increment(given)
  return make("integer", "increment", given, { increment = true, primaryKey = true, nullable = false })
end

function constructors.bigIncrement(given)
  return make("bigInteger", "bigIncrement", given, { increment = true, primaryKey = true, nullable = false })
end

function constructors.uuid(given)
  local made = make("uuid", "uuid", given)
  if made.version and made.version ~= 4 and made.version ~= 7 then
    fail("column.uuid", "version must be 4 or 7")
  end
  return made
end

-- Positional entries are the values: column.enum { "new", "paid", nullable = false }.
function constructors.enum(values, given)
  options.plain(values, "column.enum: values")
  local listed, rest = {}, {}
  for index = 1, #values do
    listed[index] = values[index]
  end
  for name, value in next, values do
    if math.type(name) ~= "integer" then
      rest[name] = value
    elseif listed[name] == nil then
      fail("column.enum", "values must be a list without holes")
    end
  end
  if given ~= nil then
    options.plain(given, "the options of column.enum")
    for name, value in next, given do
      rest[name] = value
    end
  end
  if #listed > 0 then
    if rest.values ~= nil then
      fail("column.enum", "give the values once")
    end
    rest.values = listed
  end
  return make("enum", "enum", rest)
end

local VERSION = options.names("databaseName", "comment", "hidden")

-- The number of a row's last change: writes of a record check it and count it (STALE_RECORD).
function constructors.version(given)
  given = options.check(given, VERSION, "column.version")
  if given.hidden then
    fail("column.version", "a hidden version would not be read, and then not be checked")
  end
  return make("bigInteger", "version", given, { nullable = false, default = 1, counts = true }, VERSION)
end

local HASH_SIZE = 128 -- what libsodium's hashes fit in

local function secret_column(kind, label, given, accepts, codec, forced)
  forced.secret, forced.sensitive = codec, true
  local made = make(kind, label, given, forced, accepts)
  if made.default ~= nil and type(made.default) ~= "function" then
    fail("column." .. label, "a default must be a function: the database would store the value as it is")
  end
  return made
end

-- Text that only goes in: hashed with Argon2id, asked with record:verify(name, text).
function constructors.hashed(given)
  given = options.check(given, HASHED, "column.hashed")
  local codec = secret.hashed(given.strength, "column.hashed")
  return secret_column("string", "hashed", given, HASHED, codec, { length = HASH_SIZE })
end

-- Text that is stored encrypted: key, keys, or publicKey and privateKey.
function constructors.encrypted(given)
  given = options.check(given, ENCRYPTED, "column.encrypted")
  local codec = secret.encrypted(given, "column.encrypted")
  return secret_column("text", "encrypted", given, ENCRYPTED, codec, {})
end

-- A list of values of another column's kind, where the database has arrays; the other column's length
-- and digits are the elements': column.array(column.string { length = 20 }, { nullable = false }).
function constructors.array(of, given)
  options.need(of, "of", "column.array")
  if not column.is(of) then
    fail("column.array", "expected a column: column.array(column.integer())")
  end
  local made = make("array", "array", given, {
    element = of.kind, length = of.length, precision = of.precision, scale = of.scale, timezone = of.timezone,
  })
  if type(made.default) == "table" then
    fail("column.array", "its default is sql.rawStatement(...) or a function")
  end
  return made
end

-- An enumeration written as a table: its values, as text, sorted.
function constructors.nativeEnum(enumeration, given)
  options.plain(enumeration, "column.nativeEnum: values")
  local values = {}
  for _, value in next, enumeration do
    values[#values + 1] = tostring(value)
  end
  table.sort(values)
  return constructors.enum(values, given)
end

-- column.date { ... }, and column.date.string { ... } for text both ways.
for _, kind in ipairs({ "date", "time", "datetime", "timestamp" }) do
  local forms = {
    string = function(given)
      return make(kind, kind .. ".string", given, { as = "string" })
    end,
  }
  constructors[kind] = setmetatable(forms, {
    __call = function(_, given)
      return make(kind, kind, given)
    end,
  })
end

-- Computed in Lua when it is read: column.virtual(function(user) return ... end).
constructors.virtual = virtual.new

-- Any type by name: a kind's, or else the database's own, passed through.
local function of_type(given, label, forced)
  options.plain(given, "the options of column")
  local rest = {}
  for name, value in next, given do
    rest[name] = value
  end
  local wanted = options.need_name(rest.type, "type", "column")
  rest.type = nil
  if wanted ~= "custom" and wanted ~= "enum" and ACCEPTS[wanted] then
    return make(wanted, label, rest, forced)
  end
  forced = forced or {}
  forced.type_sql = wanted
  return make("custom", label, rest, forced)
end

function constructors.primary(given)
  local rest = { type = "integer" }
  for name, value in next, given == nil and {} or options.plain(given, "the options of column.primary") do
    rest[name] = value
  end
  return of_type(rest, "primary", { primaryKey = true, nullable = false })
end

local names = {}
for name in next, constructors do
  names[#names + 1] = name
end
table.sort(names)

-- What users get: callable, and a wrong kind says which one was meant.
column.public = setmetatable(constructors, {
  __call = function(_, given)
    return of_type(given, "custom")
  end,
  __index = function(_, name)
    core.raise("INVALID_MODEL", ("no column kind `%s`%s"):format(tostring(name), options.hint(name, names)))
  end,
})

return column
