-- From no model to tables and back: models of every column kind, connecting by table and by URL,
-- createTables, dropTables. Run by test_oom.c, which says what must hold.
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local script = {}

local function define()
  local Everything = model "Everything" {
    hysteria.tableName("things"),
    hysteria.naming { model = "camel", database = "snake" },
    hysteria.timestamps(),
    hysteria.softDelete(),
    hysteria.index { "word", "amount" },
    hysteria.unique { "word" },
    hysteria.check("whole >= 0", "whole_is_positive"),
    hysteria.guarded { "word" },
    hysteria.scope("large", function(query)
      query:where("whole", ">", 10)
    end),
    hysteria.defaultScope(function(query)
      query:whereNotNull("word")
    end),
    hysteria.beforeInsert(function(row)
      row.word = row.word:lower()
    end),

    id = column.increment(),
    word = column.string { length = 40, nullable = false },
    whole = column.integer { default = 7 },
    large = column.bigInteger(),
    small = column.tinyint(),
    truth = column.boolean { default = true },
    half = column.double(),
    amount = column.decimal { precision = 30, scale = 4 },
    note = column.text(),
    letter = column.char { length = 1 },
    state = column.enum { "new", "old" },
    key = column.uuid(),
    sorted = column.ulid(),
    bytes = column.binary(),
    tree = column.json(),
    day = column.date(),
    clock = column.time(),
    moment = column.timestamp { autoCreate = true },
    parts = hysteria.hasMany("Part", { foreignKey = "everythingId" }),
  }
  local Part = model "Part" {
    hysteria.primaryKey { "everythingId", "number" },
    everythingId = column.integer { nullable = false },
    number = column.integer { nullable = false },
    whole = hysteria.belongsTo("Everything", { foreignKey = "everythingId", onDelete = "cascade" }),
  }
  function Everything:label()
    return self.word
  end
  return Everything, Part
end

function script.run()
  local Everything, Part = define()

  sql.connect {
    type = "sqlite", database = database, pool = { max = 2 }, name = "main", driverOptions = { busy_timeout = 100 },
  }
  sql.createTables { Everything, Part }
  step()
  assert(sql.isConnected() and sql.getDbType() == "sqlite")
  local answer = sql.ping()
  if not answer.ok then
    error(answer.error, 0)
  end
  assert(sql.getConnectionDetails().database == database)
  assert(sql.getPool():stats().leased == 0)

  -- Every kind of value in and out; undone, since some of them differ each time.
  sql.transaction(function(trx)
    local row = Everything:insert({
      word = "WORD", large = math.maxinteger, small = 1, truth = false, half = 0.5, amount = "123456789012345678.1234",
      note = "n", letter = "l", state = "new", bytes = "\0\1", tree = { list = { 1, sql.jsonNull } },
      day = "2024-02-29", clock = "12:00:00.5",
    }, { unguarded = true })
    assert(row:label() == "word" and row.key and row.sorted and row.amount > 1 and row.tree.list[1] == 1)
    Part:insert { everythingId = row.id, number = 1 }
    assert(#Everything:query():large():load("parts"):withDeleted():many() == 0)
    assert(row:load("parts").parts[1].number == 1)
    row:softDelete()
    assert(Everything:count() == 0)
    row:restore()
    assert(Everything:query():where("day", { year = 2024, month = 2, day = 29 }):where("truth", false):exists())
    trx:rollback()
  end)

  sql.useConnection("sqlite:" .. database, function(ds)
    ds:dropTables { Everything, Part }
  end)
  step()
  local copy = sql.clone()
  copy:close()
  sql.disconnect()
end

function script.probe()
  sql.disconnect()
  local ds <close> = sql.connectToSecondarySource { type = "sqlite", database = database }
  assert(ds:rawQuery("SELECT 1 AS one")[1].one == 1)
end

return script
