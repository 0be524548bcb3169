-- Mistakes of the program, and secrets that cannot be read: the same on every database. Run by
-- failures_spec.lua.
local hysteria = require("hysteria")
local failures = require("tests.support.lua.failures")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local fails, SECRET = failures.of, failures.SECRET
local it = failures.it

failures.each(function(ds, _, config)
  local Note = model "FailNote" {
    hysteria.guarded { "rank" },
    id = column.increment(), title = column.string { length = 40, unique = true,
      validate = function(value) return value ~= SECRET, "is not allowed" end,
    },
    rank = column.integer(), ownerId = column.integer(), version = column.version(),
    owner = hysteria.belongsTo("FailNote", { foreignKey = "ownerId", constraint = false }),
  }
  local Keyless = model "FailKeyless" { line = column.string { length = 20 } }
  local function secrets(name, options)
    return model(name, { id = column.increment(), text = column.encrypted(options) })
  end
  local function no_key() end
  local Locked = secrets("FailLocked", { key = hysteria.generateKey() })
  local Sealed = secrets("FailSealed", hysteria.generateKeyPair())
  local Keyhole = secrets("FailKeyhole", { key = no_key })
  local Letter = secrets("FailLetter", { publicKey = no_key })
  local ALL = { Note, Keyless, Locked, Sealed, Keyhole, Letter }
  local notes = Note:using(ds)

  before_each(function()
    ds:dropTables(ALL, { ifExists = true })
    ds:createTables(ALL)
  end)

  describe("the mistake of", function()
    it("passing nothing, something else or an option that is none", function()
      fails("NIL_VALUE", function() notes:where("title", nil) end)
      fails("INVALID_ARGUMENT", function() notes:where("title", io.stdout) end)
      fails("UNKNOWN_OPTION", function() notes:find { wehre = { title = SECRET } } end)
      fails("INVALID_IDENTIFIER", function() ds:query("a\0b"):many() end)
      fails("INVALID_PAGINATION_PARAMETERS", function() notes:query():paginate(0, 10) end)
      fails("MISSING_ALIAS_FOR_SUBQUERY", function() ds:query("x"):from(notes:query()):many() end)
    end)

    it("writing everything, or what is guarded, not valid or not the newest", function()
      fails("MISSING_WHERE", function() notes:query():update { title = "x" } end)
      fails("GUARDED_COLUMN", function() notes:insert { rank = 1 } end)
      local err = fails("VALIDATION_ERROR", function() notes:insert { title = SECRET } end)
      assert.same({ title = { "is not allowed" } }, err.errors)
      local row = notes:insert { title = "x" }
      notes:where("id", row.id):update { title = "y" }
      fails("STALE_RECORD", function() row:update { title = "z" } end)
    end)

    it("asking for what is not there", function()
      fails("ROW_NOT_FOUND", function() notes:query():where("title", failures.ROW):oneOrFail() end)
      fails("RELATION_NOT_FOUND", function() notes:query():load("onwer"):many() end)
      fails("SCOPE_NOT_FOUND", function() notes:query():scope("adults") end)
      notes:insert { title = "x" }
      hysteria.dev()
      finally(function()
        hysteria.dev(false)
        warn("@off")
      end)
      local row = notes:findOne()
      fails("RELATION_NOT_LOADED", function() return row.owner end)
    end)

    it("a model that contradicts itself", function()
      fails("INVALID_MODEL", function() model "FailNone" {} end)
      fails("RESERVED_NAME", function() model "FailTaken" { id = column.increment(), save = column.string() } end)
      fails("MULTIPLE_PRIMARY_KEYS_NOT_ALLOWED", function()
        model "FailTwice" { a = column.integer { primaryKey = true }, b = column.integer { primaryKey = true } }
      end)
      fails("MODEL_NOT_FOUND", function()
        ds:createTables { model "FailLost" { id = column.increment(), userId = column.integer {
          references = { model = "FailNobody" },
        } } }
      end)
      local text = "return function(model, column) model 'FailNote' { id = column.increment() } end"
      local elsewhere = assert(load(text, "@elsewhere.lua"))()
      fails("MODEL_ALREADY_DEFINED", function() elsewhere(model, column) end, elsewhere)
      fails("DUPLICATE_MODEL_KEYS", function()
        sql.connectToSecondarySource(config { models = { query = Note } })
      end)
    end)

    it("using a key that is not there", function()
      local keyless = Keyless:using(ds)
      fails("MODEL_HAS_NO_PRIMARY_KEY", function() keyless:findOneByPrimaryKey(1) end)
      fails("PRIMARY_KEY_NOT_FOUND", function() ds:query("fail_keylesses"):chunk(10) end)
      notes:insert { title = "x" }
      local row = notes:query():select("title", "version"):one()
      fails("MODEL_HAS_NO_PRIMARY_KEY_VALUE", function() row:delete() end)
      fails("CONFLICT_COLUMNS_NOT_PRESENT_IN_DATA", function()
        notes:upsertMany({ "title" }, { { title = "x" }, { ownerId = 1 } })
      end)
    end)

    it("doing things at the wrong time", function()
      fails("GLOBAL_TRANSACTION_NOT_STARTED", function() ds:commitGlobalTransaction() end)
      ds:startGlobalTransaction()
      fails("GLOBAL_TRANSACTION_ALREADY_STARTED", function() ds:startGlobalTransaction() end)
      ds:rollbackGlobalTransaction()
      async.run(function()
        ds:transaction(function()
          fails("SPAWN_IN_TRANSACTION", function() async.spawn(print) end)
        end)
      end)
      local closed = sql.connectToSecondarySource(config())
      closed:close()
      fails("CONNECTION_NOT_ESTABLISHED", function() closed:rawQuery("SELECT 1") end)
      sql.connect(config())
      finally(function() sql.disconnect() end)
      fails("CONNECTION_ALREADY_ESTABLISHED", function() sql.connect(config()) end)
    end)
  end)

  describe("a secret", function()
    it("without its key is not written", function()
      fails("FAILED_TO_ENCRYPT_SYMMETRICALLY", function() Keyhole:using(ds):insert { text = SECRET } end)
      fails("FAILED_TO_ENCRYPT_ASYMMETRICALLY", function() Letter:using(ds):insert { text = SECRET } end)
    end)

    it("that was changed is not read", function()
      local locked, sealed = Locked:using(ds), Sealed:using(ds)
      locked:insert { text = SECRET }
      sealed:insert { text = SECRET }
      ds:rawQuery("UPDATE fail_lockeds SET text = 'x'")
      ds:rawQuery("UPDATE fail_sealeds SET text = 'x'")
      fails("FAILED_TO_DECRYPT_SYMMETRICALLY", function() locked:findOne() end)
      fails("FAILED_TO_DECRYPT_ASYMMETRICALLY", function() sealed:findOne() end)
    end)

    it("cannot be searched for", function()
      fails("NOT_SEARCHABLE", function() Locked:using(ds):where("text", SECRET) end)
    end)
  end)
end)
