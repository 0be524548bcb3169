-- Every verb of the first release on a database that has rows: reads, writes, hooks, relations,
-- transactions in transactions. Between two calls of step() there is one transaction or one
-- statement. Run by test_oom.c, which says what must hold.
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local script = {}

local Account = model "Account" {
  hysteria.scope("rich", function(query, least)
    query:where("balance", ">=", least)
  end),
  id = column.increment(),
  owner = column.string { length = 40, nullable = false, unique = true },
  balance = column.decimal { precision = 12, scale = 2, nullable = false },
  since = column.date(),
  tags = column.json(),
  entries = hysteria.hasMany("Entry", { foreignKey = "accountId" }),
}

local Entry = model "Entry" {
  hysteria.beforeInsert(function(row)
    row.text = row.text:upper()
  end),
  hysteria.afterInsert(function(record, ctx)
    model_of("Trace"):insert({ text = "entry " .. record.text }, { trx = ctx.trx })
  end),
  hysteria.beforeFetch(function(query)
    query:where("amount", "!=", 0)
  end),
  hysteria.afterFetch(function(list)
    for _, record in ipairs(list) do
      record.text = record.text and record.text:lower()
    end
  end),
  id = column.increment(),
  accountId = column.integer { nullable = false },
  amount = column.decimal { precision = 12, scale = 2 },
  text = column.string(),
  memo = column.encrypted { key = ("0123456789abcdef"):rep(4) },
  account = hysteria.belongsTo("Account", { foreignKey = "accountId", onDelete = "cascade" }),
}

local Trace = model "Trace" { id = column.increment(), text = column.string() }

local Pair = model "Pair" {
  hysteria.primaryKey { "left", "right" },
  hysteria.softDelete("removed"),
  left = column.integer { nullable = false },
  right = column.integer { nullable = false },
  removed = column.boolean { default = false },
}

local models = { Account = Account, Entry = Entry, Trace = Trace, Pair = Pair }

function _G.model_of(name)
  return models[name]
end

-- fn() must fail with this code; any other error goes on.
local function refused(code, fn, ...)
  local ok, err = pcall(fn, ...)
  if ok or type(err) ~= "table" or err.code ~= code then
    error(ok and "nothing was refused" or err, 0)
  end
end

-- A transaction that was lost with the memory may hold the lock until it is collected: nobody waits long.
local function connect()
  return sql.connect {
    type = "sqlite", database = database, pool = { max = 3 }, driverOptions = { busy_timeout = 100 },
  }
end

function script.prepare()
  connect()
  sql.createTables { Account, Entry, Trace, Pair }
  Account:insertMany {
    { owner = "ada", balance = "600.00", since = "2020-02-29", tags = { "old", "rich" } },
    { owner = "bob", balance = "400.00" },
  }
  Entry:insertMany {
    { accountId = 1, amount = "1.50", text = "one", memo = "m" }, { accountId = 2, amount = "2", text = "two" },
  }
  Pair:insertMany { { left = 1, right = 1 }, { left = 1, right = 2 } }
  sql.disconnect()
end

local thousand = sql.decimal("1000")

local function total()
  return Account:query():getSum("balance")
end

local function reads()
  assert(#Account:query():where("balance", ">", "1"):orderBy("owner", "desc"):limit(5):offset(0):many() == 2)
  assert(Account:findOneBy("owner", "ada").tags[2] == "rich")
  assert(Account:findOneByPrimaryKey(1):has("owner"))
  assert(#Account:find { select = { "owner" }, where = { owner = sql.op.like("a%") }, orderBy = "owner" } == 1)
  assert(Account:findOneOrFail({ where = sql.any { { owner = "ada" }, { owner = "bob" } } }).id)
  assert(Account:count() == 2 and Account:exists({ where = { owner = "bob" } }))
  assert(#Account:all() == 2 and Account:first().id == 1)
  assert(Account:query():whereIn("id", { 1, 2, 3 }):pluck("owner")[1])
  assert(Account:query():rich("500"):count() == 1)
  refused("ROW_NOT_FOUND", function()
    Account:query():where("owner", "nobody"):oneOrFail()
  end)
  refused("UNDEFINED_COLUMN", function()
    Account:query():where("ownr", "nobody"):many()
  end)
end

local function builder()
  local rich = Account:query():select("id"):where(function(q)
    q:where("balance", ">", 10):orWhereNull("since")
  end)
  local rows = Entry:query()
    :join(Account, "id", "accountId")
    :leftJoin("pairs as p", "p.left", "entries.id", "=", function(on)
      on:onValue("p.right", 1)
    end)
    :select("accounts.owner")
    :selectFunc("sum", "entries.amount", "total")
    :selectFunc("count", "*", "n")
    :whereIn("accountId", rich)
    :whereExists(function(q)
      q:from("pairs"):select("pairs.left"):whereColumn("pairs.left", ">", "pairs.removed")
    end)
    :whereBetween("entries.id", 1, 100)
    :groupBy("accounts.owner")
    :having("n", ">=", 1)
    :orderBy("total", "desc")
    :many()
  assert(#rows == 2 and rows[1].n >= 1)
  local case = sql.case({ { { owner = "ada" }, "first" } }, "other")
  local shown = Account:query():select("owner", { case, "place" }, { sql.func("upper", sql.col("owner")), "loud" })
  assert(shown:orderBy("owner"):clone():one().loud == "ADA")
  local numbers = sql.query("accounts"):select("id"):union(sql.query("entries"):select("id")):orderBy("id"):many()
  assert(#numbers >= 2)
  local with = sql.query("r"):with("r", function(q)
    q:from("accounts"):select("owner"):where("balance", ">", 1)
  end)
  assert(with:count() == 2 and #with:distinct():many() == 2)
  assert(Account:query():getMax("owner") == "bob" and Account:query():getMin("id") == 1)
  assert(Account:query():getAvg("id") and total() == thousand)
  assert(Account:query():paginate(1, 1).paginationMetadata.total == 2)
  local text = Account:query():where("owner", "o'hara"):toQuery()
  assert(text:find("o''hara", 1, true) and Account:query():unWrap().bindings)
end

local function relations()
  local accounts = Account:query():load("entries"):load("entries.account"):orderBy("id"):many()
  assert(accounts[1].entries[1].account.owner == "ada" and accounts[1].entries[1].text == "one")
  assert(accounts[1].entries[1].memo == "m" and Entry:query():whereNotNull("memo"):pluck("memo")[1] == "m")
  local entry = Entry:query():first()
  assert(entry:load("account").account.id == entry.accountId)
  assert(accounts[1]:toJson() and tostring(accounts[1]) and accounts[1]:toTable().owner == "ada")
end

local function raw()
  local rows, info = sql.rawQuery("SELECT owner FROM accounts WHERE id = ? OR owner = ?", { 1, "it's" })
  assert(rows[1].owner == "ada" and info.affectedRows)
  assert(sql.rawQuery("SELECT :a AS a, :b AS b", { a = sql.decimal("1.5"), b = sql.null })[1].a)
  assert(Account:fromQuery("SELECT * FROM accounts ORDER BY id")[1].balance == sql.decimal("600"))
  assert(Account:query():whereRaw("length(owner) = ?", { 3 }):count() == 2)
  refused("SYNTAX", sql.rawQuery, "SELEC 1")
  refused("UNDEFINED_TABLE", sql.rawQuery, "SELECT * FROM nowhere")
end

local function values()
  local price = sql.decimal("12345678901234567890.123456789")
  assert(tostring(price * 2 - price):sub(1, 5) == "12345" and price:div(3, 10) < price)
  local text = hysteria.json.encode(sql.object { list = sql.array { 1, "two", sql.jsonNull }, deep = { { a = 1 } } })
  assert(hysteria.json.decode(text).list[2] == "two")
  refused("DATA_INVALID", sql.decimal, "1.2.3")
end

local function writes()
  local eve = Account:insert { owner = "eve", balance = "0.00", tags = sql.array {}, since = "2024-01-02" }
  step()
  eve.since, eve.tags = sql.null, { nested = { 1, 2, 3 } }
  eve:save()
  step()
  eve:update({ owner = "eva" })
  step()
  assert(eve:refresh().owner == "eva")
  assert(Account:query():where("id", eve.id):update({ balance = sql.rawStatement("balance + ?", 0) }) == 1)
  assert(Account:query():where("id", eve.id):increment("balance", 5) == 1)
  step()
  assert(Account:query():where("id", eve.id):decrement("balance", sql.decimal("5")) == 1)
  step()
  refused("UNIQUE_VIOLATION", function()
    Account:insert { owner = "ada", balance = 1 }
  end)
  refused("NOT_NULL_VIOLATION", function()
    Account:insert { owner = "nil" }
  end)
  refused("MISSING_WHERE", function()
    Account:query():delete()
  end)
  local _, new = Account:firstOrInsert({ owner = "fay" }, { balance = "0" })
  assert(new)
  step()
  Account:save { owner = "gus", balance = "0" }
  step()
  assert(Account:upsert({ owner = "gus" }, { balance = "0", since = "2024-03-03" }).since == "2024-03-03")
  step()
  assert(#Account:upsertMany({ "owner" }, { { owner = "gus", balance = "0" }, { owner = "hal", balance = "0" },
    { owner = "hal", since = "2024-01-02", balance = "0" } }) == 3)
  step()
  local hal = Account:findOneBy("owner", "hal").id
  assert(Account:updateMany { { id = hal, since = sql.null }, { id = eve.id, tags = { "x" } } } == 2)
  step()
  refused("UNIQUE_VIOLATION", function()
    Account:upsert({ id = hal }, { owner = "ada", balance = "9" })
  end)
  assert(Account:dryQuery():where("id", 1):update({ balance = 5 }):toQuery():find("UPDATE"))
  Account:delete { where = { owner = sql.op.in_ { "eva", "fay", "gus", "hal" } } }
  step()
  local rows = {}
  for index = 1, 501 do
    rows[index] = { text = "t" .. index }
  end
  assert(#Trace:insertMany(rows) == 501)
  step()
  assert(Trace:query():where("id", ">", 3):delete() == 500)
  step()
  sql.transaction(function()
    local entry = Entry:insert { accountId = 1, amount = "3.25", text = "hook", memo = "secret" }
    assert(entry.memo == "secret")
    entry:update { memo = sql.null } -- no two ciphertexts are equal, and the states of two runs are compared
  end)
  step()
  Pair:query():where({ left = 1, right = 2 }):softDelete()
  step()
  assert(Pair:count() == 1 and Pair:query():withDeleted():count() == 2)
  Pair:query():onlyDeleted():where("left", 1):restore()
  step()
  sql.query("traces"):insertMany { { text = "plain" }, { text = sql.null } }
  step()
end

-- Money moves: two rows change together.
local function move(amount, from, to, options)
  Account:query():where("owner", from):increment("balance", -amount, options)
  Trace:insert({ text = ("%s to %s"):format(from, to) }, options)
  Account:query():where("owner", to):increment("balance", amount, options)
end

local function transactions()
  sql.transaction(function()
    move(10, "ada", "bob")
    assert(total() == thousand)
  end)
  step()
  -- A part is given up, the rest is kept.
  sql.transaction(function(trx)
    move(20, "ada", "bob")
    refused("UNIQUE_VIOLATION", function()
      trx:savepoint(function()
        Trace:insert { text = "ghost" }
        sql.transaction(function()
          move(500, "ada", "bob")
          Account:insert { owner = "ada", balance = 1 }
        end)
      end)
    end)
    trx:savepoint(function()
      move(1, "bob", "ada")
    end)
    trx:afterCommit(function()
      assert(Trace:query():where("text", "ghost"):count() == 0)
    end)
  end)
  step()
  local trx = sql.startTransaction()
  move(30, "bob", "ada", { trx = trx })
  local inner = trx:nestedTransaction()
  move(30, "ada", "bob", { trx = trx })
  inner:rollback()
  trx:commit()
  step()
  refused("INVALID_ARGUMENT", function()
    sql.transaction(function()
      move(1000, "ada", "bob")
      Account:query():where("owner", function() end, 1, 2)
    end)
  end)
  sql.startGlobalTransaction()
  move(40, "ada", "bob")
  sql.rollbackGlobalTransaction()
  sql.outside(function()
    assert(total() == thousand)
  end)
  sql.atomic(function(amount)
    move(amount, "ada", "bob")
  end)(50)
  step()
end

-- Everything once more with a transaction open around it.
local function all_inside_one()
  local seen = 0
  sql.addObserver {
    onAfterQuery = function(event)
      seen = seen + (event.sql and event.params and 1 or 0)
    end,
  }
  sql.transaction(function()
    move(7, "ada", "bob")
    reads()
    builder()
    relations()
    local ann = Account:insert { owner = "ann", balance = "0" }
    Entry:insertMany { { accountId = ann.id, amount = 1, text = "x" }, { accountId = ann.id, amount = 2, text = "y" } }
    ann:delete()
    move(7, "bob", "ada")
    Trace:insert { text = "all inside one" }
  end)
  step()
end

function script.run()
  connect()
  reads()
  builder()
  relations()
  raw()
  values()
  writes()
  transactions()
  all_inside_one()
  sql.disconnect()
end

-- Memory is back. Nothing may be held, no transaction may be open or joined, reads and writes go.
function script.probe()
  collectgarbage()
  collectgarbage()
  if not sql.isConnected() then
    connect()
  end
  sql.rollbackGlobalTransaction()
  local leased = sql.getPool():stats().leased
  assert(leased == 0, "leased: " .. leased)
  local sum = total()
  assert(sum == thousand or sum == sql.decimal("1005"), "total: " .. tostring(sum)) -- eve's 5 may have stayed
  refused("INVALID_ARGUMENT", function()
    sql.transaction(function(trx)
      assert(trx._depth == 0, "a transaction was open")
      Trace:insert { text = "after" }
      Account:query():where("owner", "ada", 1, 2, 3)
    end)
  end)
  assert(Trace:query():where("text", "after"):count() == 0, "a rollback did nothing")
  sql.disconnect()
end

return script
