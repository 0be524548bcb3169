-- One page for each error code: what causes it, an example, what to do. `hysteria-lua explain`
-- prints them and docs/errors.md ends with all of them; the codes, kinds and short texts are the
-- core's. Examples with `raises` are run by a test, after pages.before; the others need a
-- server, a second program or bad luck.
local core = require("hysteria.core")
local options = require("hysteria.options")

local pages = {}

-- What the examples take for granted.
pages.before = [[
local hysteria = require("hysteria")
local sql, model, column = hysteria.sql, hysteria.model, hysteria.column

local User = model "User" {
  hysteria.check("age >= 0"),
  hysteria.guarded { "role" },
  id       = column.increment(),
  email    = column.string { nullable = false, unique = true, validate = hysteria.validators.email },
  age      = column.integer(),
  role     = column.string(),
  iban     = column.encrypted { key = hysteria.generateKey() },
  version  = column.version(),
  posts    = hysteria.hasMany("Post", { foreignKey = "authorId" }),
}
local Post = model "Post" {
  id       = column.increment(),
  authorId = column.integer { nullable = false },
  title    = column.string(),
  author   = hysteria.belongsTo("User", { foreignKey = "authorId" }),
}

sql.connect { type = "sqlite", database = ":memory:" }
sql.createTables { User, Post }
local ada = User:insert { email = "ada@x.org", age = 36 }
]]

local page = {}

page.OUT_OF_MEMORY = {
  cause = "The process or a memory limit has no memory left for the call, for what the database answered, or for"
    .. " hashing a password. Where Lua finds none for its own values, its own error is raised: the text"
    .. " `not enough memory`.",
  example = "User:query():many()   -- with a hundred million rows",
  remedy = "The call had no effect and can be repeated. Read in pieces (limit), or raise the limit.",
}
page.INVALID_ARGUMENT = {
  raises = true,
  cause = "A value has the wrong type or cannot be meant; the message names the function and the argument.",
  example = 'User:insert("ada@x.org")',
  remedy = "Pass what the message asks for: User:insert { email = \"ada@x.org\" }.",
}
page.NIL_VALUE = {
  raises = true,
  cause = "nil stands where a value is expected; mostly a variable or field that was never set.",
  example = 'local params = {}\nUser:where("email", params.email):one()',
  remedy = "Check the variable. NULL is sql.null; where(sql.given { \"email\" }, params) demands the keys of a table.",
}
page.UNKNOWN_OPTION = {
  raises = true,
  cause = "A table of options has a key that is no option, or a hook has no such name.",
  example = 'User:find { wehre = { id = 1 } }',
  remedy = "See the \"did you mean\" of the message.",
}
page.UNSUPPORTED = {
  raises = true,
  cause = "This database cannot do that; err.feature and err.dialect say what and which. Nothing was sent.",
  example = 'User:query():distinctOn("age"):many()   -- PostgreSQL only',
  remedy = "Say it in another way, or ask ds:can(feature) before.",
}
page.MISSING_WHERE = {
  raises = true,
  cause = "An update, delete, softDelete or increment of a builder has no condition and would touch every row.",
  example = 'User:query():update { age = 1 }',
  remedy = "Add a condition, or :allRows() before the write where every row is meant.",
}
page.RESERVED_NAME = {
  raises = true,
  cause = "A column or relation is called like a method of records, or a scope like a verb of queries.",
  example = 'model "Order" { id = column.increment(), save = column.string() }',
  remedy = "Call the member otherwise; databaseName = \"save\" keeps the name of the column.",
}
page.CLOSED = {
  raises = true,
  cause = "A stream was used after its end: it was closed, or its transaction was over. In C also a connection after"
    .. " its source was closed, and in a forked process that did not open it.",
  example = "local stream = User:query():stream()\nstream:close()\nprint(stream())",
  remedy = "Read it inside the transaction, and to its end; a child process opens a source of its own.",
}
page.INVALID_IDENTIFIER = {
  raises = true,
  cause = "A name of a table or column is empty, too long for the database, begins or ends with a dot, or is no"
    .. " proper text.",
  example = 'User:where("users.", 1):many()',
  remedy = "Fix the name. Names that come from outside belong on a list of known ones.",
}
page.LIMIT_EXCEEDED = {
  raises = true,
  cause = "Too many parameters, operands or levels, or a value that is too large.",
  example = 'local deep = {}\nfor _ = 1, 10000 do\n  deep = { deep }\nend\nhysteria.json.encode(deep)',
  remedy = "Split the work. A table that contains itself is endlessly deep.",
}
page.DRIVER_NOT_FOUND = {
  cause = "Hysteria was built without the driver of that database.",
  example = 'sql.connect("postgres://localhost/shop")   -- built with HY_WITH_POSTGRES=OFF',
  remedy = "Install the package that the message names and build again.",
}
page.UNSUPPORTED_DATABASE_TYPE = {
  raises = true,
  cause = "`type`, or the scheme of the URL, is no database that Hysteria knows.",
  example = 'sql.connectToSecondarySource { type = "postgre" }',
  remedy = "sqlite, postgres, cockroachdb, mysql or mariadb.",
}
page.INVALID_CONFIG = {
  raises = true,
  cause = "A setting of the connection, or a part of its URL, cannot be used. The message names the part, never"
    .. " its content.",
  example = 'sql.connectToSecondarySource { type = "sqlite", pool = { max = 1, min = 5 } }',
  remedy = "Fix the setting, in the call, the environment or the .env file.",
}
page.DEVELOPMENT_ERROR = {
  raises = true,
  cause = "Nothing can go on, because every task waits for another task; or a mistake inside Hysteria.",
  example = "hysteria.async.run(function()\n  local first, second\n"
    .. "  first = hysteria.async.spawn(function() second:await() end)\n"
    .. "  second = hysteria.async.spawn(function() first:await() end)\nend)",
  remedy = "Let one of them finish without the other. Any other message of this code: please report it.",
}
page.MODEL_ALREADY_DEFINED = {
  cause = "Two files define a model of one name.",
  example = 'model "User" { id = column.increment() }   -- in a.lua and in b.lua',
  remedy = "Rename one. The same file may define its model again: that replaces it.",
}
page.MODEL_NOT_FOUND = {
  raises = true,
  cause = "A relation or reference names a model that no file has defined by now.",
  example = 'local Note = model "Note" {\n  id = column.increment(), ownerId = column.integer(),\n'
    .. '  owner = hysteria.belongsTo("Usr", { foreignKey = "ownerId" }),\n}\nsql.createTables { Note }',
  remedy = "Load the file that defines it before the relation is used, or fix the name.",
}
page.INVALID_MODEL = {
  raises = true,
  cause = "The definition of a model or column contradicts itself; the message names the member.",
  example = 'model "Empty" {}',
  remedy = "Fix the definition.",
}
page.MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED = {
  raises = true,
  cause = "The primary key is declared twice.",
  example = 'model "Seat" { row = column.integer { primaryKey = true }, place = column.integer { primaryKey = true } }',
  remedy = "A key of several columns is one hysteria.primaryKey { \"row\", \"place\" }.",
}
page.MODEL_HAS_NO_PRIMARY_KEY = {
  raises = true,
  cause = "A call by key on a model that has none.",
  example = 'local Log = model "Log" { text = column.text() }\nLog:findOneByPrimaryKey(1)',
  remedy = "Give the model a key, or find and write its rows by a condition.",
}
page.MODEL_HAS_NO_PRIMARY_KEY_VALUE = {
  raises = true,
  cause = "A record that should be written or read again was selected without its key.",
  example = 'local user = User:query():select("email", "version"):one()\nuser:save()',
  remedy = "Select the key too.",
}
page.PRIMARY_KEY_NOT_FOUND = {
  raises = true,
  cause = "A primary key is needed to put rows into an order, and there is none.",
  example = 'sql.query("users"):chunk(100)',
  remedy = "Give the model a key, or name unique columns: { key = { \"id\" } }.",
}
page.RELATION_NOT_FOUND = {
  raises = true,
  cause = "The model has no relation of that name.",
  example = 'User:query():load("pots"):many()',
  remedy = "See the \"did you mean\" of the message.",
}
page.RELATION_NOT_LOADED = {
  raises = true,
  cause = "In development mode (hysteria.dev()), a relation was read that nobody had loaded; otherwise it would be"
    .. " nil.",
  example = 'hysteria.dev()\nlocal user = User:query():one()\nprint(#user.posts)',
  remedy = "Load it with the query, :load(\"posts\"), or with the record, user:load(\"posts\").",
}
page.DUPLICATE_MODEL_KEYS = {
  raises = true,
  cause = "A key of the setting `models` is a verb of the data source.",
  example = 'sql.connectToSecondarySource { type = "sqlite", models = { query = User } }',
  remedy = "Choose another key.",
}
page.GUARDED_COLUMN = {
  raises = true,
  cause = "A column that hysteria.guarded names was among the data: it is not for input from outside.",
  example = 'User:insert { email = "eve@x.org", role = "admin" }',
  remedy = "Leave it out, or say { unguarded = true } where the program itself decides.",
}
page.SCOPE_NOT_FOUND = {
  raises = true,
  cause = "The model has no scope of that name.",
  example = 'User:query():scope("adults")',
  remedy = "See the \"did you mean\" of the message, or define it with hysteria.scope.",
}
page.MISSING_ALIAS_FOR_SUBQUERY = {
  raises = true,
  cause = "A subquery in FROM has no name.",
  example = 'sql.query("users"):from(function(q) q:from("posts") end):many()',
  remedy = "Give one: from(fn, \"recent\").",
}
page.INVALID_PAGINATION_PARAMETERS = {
  raises = true,
  cause = "The page or its size is no whole number from 1 on.",
  example = 'User:query():paginate(0, 20)',
  remedy = "Check what the request said before it is used.",
}
page.CONFLICT_COLUMNS_NOT_PRESENT_IN_DATA = {
  raises = true,
  cause = "A row of an upsert lacks a column that says which row is meant, or has NULL there, which equals nothing.",
  example = 'User:upsertMany({ "email" }, { { age = 36 } })',
  remedy = "Give every row the columns of the key; rows without a key are inserted.",
}
page.NOT_SEARCHABLE = {
  raises = true,
  cause = "A hashed or encrypted column is compared, sorted or grouped by. What is stored says nothing about the"
    .. " value.",
  example = 'User:where("iban", "DE02120300000000202051"):many()',
  remedy = "whereNull, whereNotNull and getCount work. Hashes are asked with record:verify; to look values up, keep"
    .. " what may be seen of them in a column of its own.",
}
page.CONNECTION_NOT_ESTABLISHED = {
  raises = true,
  cause = "There is no data source: sql.connect was not called, or it was closed again.",
  example = 'sql.disconnect()\nUser:query():many()',
  remedy = "Connect first, or name a source: User:using(ds), { connection = ds }.",
}
page.CONNECTION_ALREADY_ESTABLISHED = {
  raises = true,
  cause = "sql.connect was called while the default source is open.",
  example = 'sql.connect { type = "sqlite" }',
  remedy = "sql.disconnect() first, or sql.connectToSecondarySource for another source.",
}
page.GLOBAL_TRANSACTION_NOT_STARTED = {
  raises = true,
  cause = "A global transaction is committed that nobody has started.",
  example = 'sql.commitGlobalTransaction()',
  remedy = "sql.startGlobalTransaction() first.",
}
page.GLOBAL_TRANSACTION_ALREADY_STARTED = {
  raises = true,
  cause = "A second global transaction on one source.",
  example = 'sql.startGlobalTransaction()\nsql.startGlobalTransaction()',
  remedy = "Commit or roll back the first; a test that failed may have left it open.",
}
page.POOL_SELF_DEADLOCK = {
  raises = true,
  cause = "This thread holds every connection of the pool itself and asks for one more: it would wait for ever."
    .. " The message names the lines that hold them.",
  example = 'sql.transaction(function()\n  sql.outside(function()\n'
    .. '    User:query():many()   -- :memory: has one connection\n  end)\nend)',
  remedy = "Finish the outer work first, join its transaction, or raise pool.max.",
}
page.SPAWN_IN_TRANSACTION = {
  raises = true,
  cause = "Tasks were started inside a transaction, of which they would not be part.",
  example = 'sql.transaction(function()\n  hysteria.async.run(function() end)\nend)',
  remedy = "Start the tasks outside, each with a transaction of its own.",
}
page.ROW_NOT_FOUND = {
  raises = true,
  cause = "A verb that must find a row found none.",
  example = 'User:where("email", "nobody@x.org"):oneOrFail()',
  remedy = "Handle it, or use the form without OrFail and check for nil.",
}
page.STALE_RECORD = {
  raises = true,
  cause = "The model has a column.version(), and the row was changed or deleted after the record had been read."
    .. " Nothing was written.",
  example = 'local first, second = User:findOne(), User:findOne()\n'
    .. 'first:update { age = 37 }\nsecond:update { age = 38 }',
  remedy = "record:refresh(), and decide again on what is there now.",
}
page.VALIDATION_ERROR = {
  raises = true,
  cause = "Validators refused the data: err.errors = { field = { \"message\" } }, err.row with insertMany. Nothing"
    .. " was written.",
  example = 'User:insert { email = "nobody" }',
  remedy = "Show the messages to whoever entered the data.",
}
page.UNIQUE_VIOLATION = {
  raises = true,
  cause = "A value, or a set of values, that must be unique is there already.",
  example = 'User:insert { email = "ada@x.org" }',
  remedy = "err.columns and err.errors tell which; firstOrInsert finds the row that is in the way.",
}
page.FOREIGN_KEY_VIOLATION = {
  raises = true,
  cause = "A row refers to one that does not exist, or rows still refer to the one that should go.",
  example = 'Post:insert { authorId = 99, title = "By nobody" }',
  remedy = "Insert the parent first; delete the children first, or say onDelete = \"cascade\" on belongsTo.",
}
page.NOT_NULL_VIOLATION = {
  raises = true,
  cause = "A column that needs a value got none, or NULL.",
  example = 'ada:update { version = ada.version, email = sql.null }',
  remedy = "err.columns tells which; give it a value, or the column a default.",
}
page.CHECK_VIOLATION = {
  raises = true,
  cause = "A check constraint refused the row.",
  example = 'ada:update { age = -1 }',
  remedy = "err.constraint tells which one.",
}
page.EXCLUSION_VIOLATION = {
  cause = "An exclusion constraint refused the row (PostgreSQL): ranges overlap, for example.",
  example = 'sql.query("bookings"):insert { room = 1, during = "[2024-01-01, 2024-01-08)" }   -- booked already',
  remedy = "err.constraint tells which one.",
}
page.DATA_INVALID = {
  raises = true,
  cause = "A value cannot be what its column holds: 1.5 in an integer, no date, too long, not UTF-8.",
  example = 'User:insert { email = "eve@x.org", age = "young" }',
  remedy = "The message names the column and what it takes; docs/types.md has the whole table.",
}
page.READ_ONLY = {
  raises = true,
  cause = "A write in a read-only transaction, or on a database that is open for reading only.",
  example = 'sql.transaction(function()\n  ada:delete()\nend, { readOnly = true })',
  remedy = "Write elsewhere; on PostgreSQL and MySQL the server may be a replica.",
}
page.DISK_FULL = {
  cause = "The database found no space left. SQLite has rolled the transaction back.",
  example = "Post:insertMany(a_million_rows)",
  remedy = "Make room, then run the transaction again.",
}
page.SYNTAX = {
  raises = true,
  cause = "The database cannot read the statement: raw SQL, or a raw fragment. Or it has no such function, or none for "
    .. "values of this type.",
  example = 'sql.rawQuery("SELEC 1")',
  remedy = "err.position tells the byte of err.sql where it stopped, on databases that say so.",
}
page.UNDEFINED_TABLE = {
  raises = true,
  cause = "There is no such table in the database, or not in the schema that is looked at.",
  example = 'sql.query("usrs"):many()',
  remedy = "Create it, or check the name, the schema and the database.",
}
page.UNDEFINED_COLUMN = {
  raises = true,
  cause = "The model, or the table, has no column of that name.",
  example = 'User:where("emial", "ada@x.org"):one()',
  remedy = "See the \"did you mean\" of the message. If the model is right, the table is older than it.",
}
page.PERMISSION_DENIED = {
  cause = "The database user may not do that, or the file may not be opened.",
  example = 'sql.rawQuery("DROP TABLE users")   -- as a user with SELECT only',
  remedy = "Grant it, or connect as somebody else.",
}
page.DATABASE_ERROR = {
  cause = "The database refused for a reason that has no code of its own.",
  example = 'sql.rawQuery("SELECT load_extension(\'nothing\')")',
  remedy = "err.nativeCode and err.sqlState are what the database's own documentation lists.",
}
page.OBJECT_EXISTS = {
  raises = true,
  cause = "A table, index or database of that name is there already.",
  example = 'sql.createTables { User }',
  remedy = "sql.createTables(models, { ifNotExists = true }), or another name.",
}
page.DATABASE_CORRUPT = {
  cause = "A file of the database is damaged or missing, or is no database at all.",
  example = 'sql.connect { type = "sqlite", database = "holiday.jpg" }',
  remedy = "Check the path; restore a backup.",
}
page.CONNECTION_REFUSED = {
  cause = "Nobody answers at that host and port, or the host has no address.",
  example = 'sql.connect("postgres://localhost:1/shop")',
  remedy = "Check that the server is up, and host, port and firewall.",
}
page.CONNECTION_LOST = {
  cause = "The connection broke while a statement ran that was not a commit. A transaction on it is gone.",
  example = 'sql.rawQuery("SELECT pg_sleep(60)")   -- while the server is restarted',
  remedy = "Run the transaction again as a whole; { retry = n } on sql.transaction does that.",
}
page.TOO_MANY_CONNECTIONS = {
  cause = "The server has no free slot.",
  example = 'sql.connect { url = URL, pool = { max = 1000 } }',
  remedy = "Lower pool.max in every program that shares the server, or raise the server's limit.",
}
page.AUTHENTICATION_FAILED = {
  cause = "The server does not know the user, or the password is wrong.",
  example = 'sql.connect("mysql://shop:wrong@localhost/shop")',
  remedy = "Check both, and from which host the user may come. The message never has the password.",
}
page.UNDEFINED_DATABASE = {
  cause = "The server has no database of that name; with SQLite, the folder of the file is missing.",
  example = 'sql.connect("postgres://localhost/shpo")',
  remedy = "Create it, or fix the name.",
}
page.CONNECT_TIMEOUT = {
  cause = "Connecting took longer than connectTimeout.",
  example = 'sql.connect { url = "postgres://10.255.255.1/shop", connectTimeout = 1000 }',
  remedy = "Check network and firewall; raise connectTimeout for servers that are far away.",
}
page.POOL_TIMEOUT = {
  cause = "Every connection of the pool stayed in use longer than pool.acquireTimeout.",
  example = 'sql.connect { url = URL, pool = { max = 1, acquireTimeout = 100 } }   -- two threads that query',
  remedy = "Finish transactions sooner, release leases, or raise pool.max.",
}
page.QUERY_TIMEOUT = {
  raises = true,
  cause = "The statement, with its waiting, took longer than its timeout; it was stopped.",
  example = 'sql.rawQuery([[\n  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)\n'
    .. '  SELECT count(*) FROM n\n]], nil, { timeout = 50 })',
  remedy = "An index, a smaller question, or more time: { timeout = ms }, query:timeout(ms), statementTimeout.",
}
page.QUERY_CANCELED = {
  cause = "Somebody stopped the statement: an administrator, or the task it ran in was cancelled.",
  example = 'sql.rawQuery("SELECT pg_sleep(60)")   -- and pg_cancel_backend() from elsewhere',
  remedy = "Nothing of it happened; repeat it if it is still wanted.",
}
page.TLS_REFUSED = {
  cause = "The server offers no encryption, or its certificate cannot be trusted.",
  example = 'sql.connect { url = URL, ssl = { mode = "verify-full", ca = "ca.pem" } }   -- for another host',
  remedy = "Fix the certificate or name the right CA. Do not lower the mode.",
}
page.DEADLOCK = {
  cause = "Two transactions waited for each other and the database ended this one: nothing of it is stored.",
  example = 'sql.transaction(function()\n'
    .. '  lock_one_then_two()   -- while another transaction locks two, then one\nend)',
  remedy = "{ retry = n } on sql.transaction. Locking rows in one order everywhere avoids it.",
}
page.SERIALIZATION_FAILURE = {
  cause = "Concurrent changes do not fit into one order, and the database ended this transaction.",
  example = 'sql.transaction(fn, { isolationLevel = "SERIALIZABLE" })',
  remedy = "{ retry = n } on sql.transaction: it runs the function again as a whole.",
}
page.LOCK_TIMEOUT = {
  cause = "Another transaction held a lock for too long; with SQLite, the one that writes.",
  example = 'sql.transaction(function()\n  slow_work()\n  ada:save()\nend)   -- in two processes',
  remedy = "Shorter transactions, { retry = n }, or a higher limit of the database.",
}
page.TRANSACTION_ABORTED = {
  cause = "An earlier error ended the transaction, and a commit would store nothing (PostgreSQL refuses every"
    .. " further statement). Or a statement ended it, as those that change tables do on MariaDB and MySQL,"
    .. " and as `COMMIT` does, also one that begins another transaction (`COMMIT AND CHAIN`; on MariaDB and MySQL a"
    .. " second `BEGIN` too): what came before is stored, and the message says so.",
  example = 'local trx = sql.startTransaction()\npcall(Post.insert, Post, { authorId = 99 }, { trx = trx })\n'
    .. 'trx:commit()   -- on PostgreSQL',
  remedy = "Roll back and look at the first error. trx:savepoint(fn) goes round what may fail.",
}
page.TRANSACTION_NOT_ACTIVE = {
  raises = true,
  cause = "The transaction was committed or rolled back already, or a row lock was asked for outside of one.",
  example = 'local trx = sql.startTransaction()\ntrx:commit()\nUser:query({ trx = trx }):many()',
  remedy = "Begin another one. Statements of a callback transaction belong inside the function.",
}
page.OUTCOME_UNKNOWN = {
  cause = "No answer came to a commit, or to a write outside of a transaction. It may have happened, or not. Also"
    .. " when such a write gave rows back (`RETURNING`) that cannot be read: the message says why.",
  example = 'sql.transaction(pay)   -- and the cable is pulled at the very end',
  remedy = "Look in the database before anything is repeated; an id that the program chose makes that easy.",
}
page.FAILED_TO_ENCRYPT_SYMMETRICALLY = {
  raises = true,
  cause = "The key of an encrypted column could not be had when a value was to be written: its function gave none.",
  example = 'local Card = model "Card" {\n  id = column.increment(),\n'
    .. '  number = column.encrypted { key = function() return os.getenv("NO_SUCH_KEY") end },\n}\n'
    .. 'sql.createTables { Card }\nCard:insert { number = "4111111111111111" }',
  remedy = "Let the function give 32 bytes: raw, as 64 hexadecimal digits, or as base64.",
}
page.FAILED_TO_DECRYPT_SYMMETRICALLY = {
  raises = true,
  cause = "A stored value was changed, belongs to another column, was never encrypted, or its key is missing."
    .. " The message says which.",
  example = 'sql.rawQuery("UPDATE users SET iban = \'DE02120300000000202051\'")\nUser:query():many()',
  remedy = "List every key that was in use in `keys`. After a rename, say context = \"old_table.old_column\".",
}
page.FAILED_TO_ENCRYPT_ASYMMETRICALLY = {
  raises = true,
  cause = "A key pair of an encrypted column could not be had, or its halves do not belong together.",
  example = 'local one, two = hysteria.generateKeyPair(), hysteria.generateKeyPair()\nlocal Box = model "Box" {\n'
    .. '  id = column.increment(),\n'
    .. '  text = column.encrypted { publicKey = one.publicKey, privateKey = two.privateKey },\n}\n'
    .. 'sql.createTables { Box }\nBox:insert { text = "x" }',
  remedy = "Give the halves of one hysteria.generateKeyPair().",
}
page.FAILED_TO_DECRYPT_ASYMMETRICALLY = {
  raises = true,
  cause = "A sealed value was changed, belongs to another column, was never sealed, or its private key is missing.",
  example = 'local Box = model "Box" {\n  id = column.increment(),\n'
    .. '  text = column.encrypted(hysteria.generateKeyPair()),\n}\nsql.createTables { Box }\n'
    .. 'Box:insert { text = "x" }\n'
    .. 'sql.rawQuery("UPDATE boxes SET text = \'x\'")\nBox:query():many()',
  remedy = "List every pair that was in use in `keys`.",
}

-- ---- reading them -----------------------------------------------------------------------------

local KINDS = {
  usage = "fix the call", data = "fix the data", connection = "try later",
  transaction = "run the transaction again as a whole", outcomeUnknown = "look before repeating",
  migration = "fix the schema",
}

-- { code, kind, text, advice, cause, example, remedy, raises } of every code, in the core's order.
function pages.all()
  local list = {}
  for index, known in ipairs(core.errorCodes()) do
    local entry = { code = known.code, kind = known.kind, text = known.text, advice = KINDS[known.kind] }
    for name, value in next, page[known.code] or {} do
      entry[name] = value
    end
    list[index] = entry
  end
  return list
end

-- Codes that have a page here.
function pages.codes()
  local list = {}
  for code in next, page do
    list[#list + 1] = code
  end
  table.sort(list)
  return list
end

-- A code as people type it: any case, with or without the HY_E of C. Second: a suggestion.
function pages.find(name)
  local wanted = name:upper():gsub("^HY_E", "")
  local codes = {}
  for index, entry in ipairs(pages.all()) do
    if entry.code == wanted then
      return entry
    end
    codes[index] = entry.code
  end
  return nil, options.hint(wanted, codes)
end

-- ---- docs/errors.md ---------------------------------------------------------------------------

-- The end of docs/errors.md, from its heading "The list" on.
function pages.markdown()
  local out = {
    "## The list\n\n", "| code | kind | |\n|---|---|---|\n",
  }
  local all = pages.all()
  for _, entry in ipairs(all) do
    out[#out + 1] = ("| [`%s`](#%s) | %s | %s |\n"):format(entry.code, entry.code:lower(), entry.kind, entry.text)
  end
  out[#out + 1] = ("\nThe examples below come after this:\n\n```lua\n%s```\n"):format(pages.before)
  for _, entry in ipairs(all) do
    out[#out + 1] = ("\n### `%s`\n\n%s\n\n```lua\n%s\n```\n\n%s\n"):format(
      entry.code, entry.cause, entry.example, entry.remedy)
  end
  return table.concat(out)
end

return pages
