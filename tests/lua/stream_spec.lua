-- Rows one after the other: memory, what may run between them, every way to leave.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

local ROWS = 1200
local MANY = os.getenv("HY_SCALE") == "full" and 2000000 or 200000

-- Rows, kilobytes and microseconds of reading the table in a process of its own.
local function read_apart(ds, config, how)
  local where = ds:getDbType() == "sqlite" and config.database or config.url
  local sanitizer = "$ASAN_OPTIONS:detect_leaks=0:quarantine_size_mb=1" -- what it keeps is not ours
  local pipe = assert(io.popen(("ASAN_OPTIONS=%s lua5.4 %s/%s '%s' '%s' %s 2>&1"):format(sanitizer,
    os.getenv("HY_ROOT") or ".", "tests/support/lua/stream_child.lua", ds:getDbType(), where, how)))
  local said = pipe:read("a")
  pipe:close()
  local count, growth, cost = said:match("^(%d+) (%d+) ([%d.]+)\n$")
  assert.is_truthy(count, said)
  return tonumber(count), tonumber(growth), tonumber(cost)
end

-- SQL that fails at the row whose n is 700.
local FAILING = {
  sqlite = "CASE WHEN n = 700 THEN json('{') ELSE 1 END",
  other = "(SELECT x FROM (SELECT 1 x UNION SELECT 2 x) d WHERE x <= CASE WHEN n = 700 THEN 2 ELSE 1 END)",
}

databases.each(function(ds, database, config)
  local Row = model "StreamRow" {
    id = column.increment(), n = column.integer(), name = column.string(),
    notes = hysteria.hasMany("StreamNote", { foreignKey = "rowId" }),
  }
  local Note = model "StreamNote" { id = column.increment(), rowId = column.integer(), text = column.string() }
  local rows, notes = Row:using(ds), Note:using(ds)

  setup(function()
    ds:dropTables({ Row, Note }, { ifExists = true })
    ds:createTables { Row, Note }
    local list, some = {}, {}
    for n = 1, ROWS do
      list[n] = { n = n, name = "row " .. n }
      if n % 100 == 0 then
        some[#some + 1] = { rowId = n, text = "note " .. n }
      end
    end
    rows:insertMany(list)
    notes:insertMany(some)
  end)

  local function leased()
    return ds:getPool():stats().leased
  end

  local function numbers(stream)
    local list = {}
    for row in stream do
      list[#list + 1] = row.n
    end
    return list
  end

  local expected = {}
  for n = 1, ROWS do
    expected[n] = n
  end

  describe("a stream", function()
    for _, batch in ipairs { 1, 7, 400, ROWS, 5000 } do
      it("gives every row once and in order, " .. batch .. " at a time", function()
        assert.same(expected, numbers(rows:query():orderBy("n"):stream { batch = batch }))
        assert.equal(0, leased())
      end)
      it("does so in a transaction, " .. batch .. " at a time", function()
        ds:transaction(function()
          assert.same(expected, numbers(rows:query():orderBy("n"):stream { batch = batch }))
        end)
        assert.equal(0, leased())
      end)
    end

    it("gives the same records as many", function()
      local records = {}
      for record in rows:query():orderBy("id"):limit(30):stream { batch = 4 } do
        records[#records + 1] = record
      end
      local wanted = rows:query():orderBy("id"):limit(30):many()
      assert.same(wanted, records)
      assert.is_true(records[30]:has("name"))
    end)

    it("keeps limit, offset, binds and columns of the query", function()
      local seen = {}
      for row in rows:query():select("n"):where("n", ">", 10):orderBy("n", "desc"):limit(4):offset(1):stream() do
        assert.is_nil(row.name)
        seen[#seen + 1] = row.n
      end
      assert.same({ ROWS - 1, ROWS - 2, ROWS - 3, ROWS - 4 }, seen)
    end)

    it("gives nothing when nothing matches", function()
      assert.same({}, numbers(rows:query():where("n", "<", 0):stream()))
      ds:transaction(function()
        assert.same({}, numbers(rows:query():where("n", "<", 0):stream()))
      end)
    end)

    it("reads plain tables, groups and unions", function()
      local q = ds:query("stream_rows"):select("n"):where("n", "<=", 2)
        :unionAll(ds:query("stream_rows"):select("n"):where("n", 9))
      local list = numbers(q:stream { batch = 2 })
      table.sort(list)
      assert.same({ 1, 2, 9 }, list)
      ds:transaction(function()
        assert.equal(3, #numbers(q:stream { batch = 2 }))
      end)
    end)

    it("can be run again by the same builder", function()
      local q = rows:query():where("n", "<=", 9):orderBy("n")
      assert.equal(9, #numbers(q:stream { batch = 2 }))
      assert.equal(9, #numbers(q:stream { batch = 3 }))
      assert.equal(9, #q:many())
    end)

    it("refuses options that do not exist", function()
      assert.equal("UNKNOWN_OPTION", error_of(function() rows:query():stream { bach = 1 } end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() rows:query():stream { batch = 0 } end).code)
    end)
  end)

  describe("between the rows of a stream", function()
    it("other statements run in its transaction, and do not change what it gives", function()
      local seen = {}
      ds:transaction(function(trx)
        for row in rows:query():where("n", "<=", 300):orderBy("n"):stream { batch = 25 } do
          seen[#seen + 1] = row.n
          rows:query():where("id", row.id):update { n = row.n + 10000 }
          if row.n % 60 == 0 then
            assert.equal(row.n, rows:query():where("n", ">", 10000):count())
          end
        end
        trx:rollback()
      end)
      assert.same(table.move(expected, 1, 300, 1, {}), seen)
    end)

    it("its transaction makes and changes tables", function()
      if database == "mysql" or database == "mariadb" then
        return -- there that ends the transaction
      end
      ds:transaction(function(trx)
        local count = 0
        for row in rows:query():orderBy("id"):stream { batch = 50 } do
          count = count + 1
          if count % 100 == 20 then
            ds:rawQuery(("CREATE TABLE stream_made_%d (a integer)"):format(count))
          elseif count % 100 == 70 then
            ds:rawQuery(("ALTER TABLE stream_made_%d ADD COLUMN b integer"):format(count - 50))
          end
          assert.equal(count, row.n)
        end
        assert.equal(ROWS, count)
        trx:rollback()
      end)
    end)

    it("other streams run in its transaction", function()
      local pairs_seen = 0
      ds:transaction(function()
        for outer in rows:query():where("n", "<=", 30):stream { batch = 7 } do
          for inner in rows:query():where("n", outer.n):stream { batch = 7 } do
            assert.equal(outer.id, inner.id)
            pairs_seen = pairs_seen + 1
          end
        end
      end)
      assert.equal(30, pairs_seen)
    end)

    it("statements of their own connections run outside of one", function()
      local count = 0
      for row in rows:query():where("n", "<=", 60):stream { batch = 20 } do
        count = count + rows:query():where("id", row.id):count()
      end
      assert.equal(60, count)
    end)
  end)

  describe("a stream that is left", function()
    it("by break gives its connection back", function()
      for _, batch in ipairs { 3, 5000 } do
        for row in rows:query():orderBy("n"):stream { batch = batch } do
          if row.n == 5 then
            break
          end
        end
        assert.equal(0, leased())
        assert.equal(ROWS, rows:query():count())
      end
    end)

    it("by break leaves the transaction usable", function()
      ds:transaction(function()
        for _ = 1, 3 do
          for row in rows:query():orderBy("n"):stream { batch = 3 } do
            if row.n == 5 then
              break
            end
          end
          assert.equal(ROWS, rows:query():count())
        end
      end)
    end)

    it("by an error gives its connection back", function()
      local failure = error_of(function()
        rows:query():each(function(row)
          if row.n == 5 then
            error({ mine = true })
          end
        end)
      end)
      assert.is_true(failure.mine)
      assert.equal(0, leased())
    end)

    it("by closing it gives no more rows", function()
      local stream = rows:query():stream { batch = 3 }
      stream()
      stream:close()
      assert.equal(0, leased())
      assert.equal("CLOSED", error_of(stream).code)
    end)

    it("and forgotten gives its connection to who waits for one", function()
      local narrow = sql.connectToSecondarySource(config { pool = { max = 1 } })
      if database ~= "sqlite" then
        local forgotten = Row:using(narrow):query():stream { batch = 3 }
        forgotten()
        forgotten = nil -- luacheck: ignore
        assert.equal(ROWS, Row:using(narrow):query():count())
      end
      narrow:close()
    end)

    it("by the end of its transaction says so", function()
      local stream
      ds:transaction(function()
        stream = rows:query():stream { batch = 3 }
        assert.is_number(stream().n)
      end)
      local failure = error_of(function()
        for _ = 1, 10 do
          stream()
        end
      end)
      assert.equal("CLOSED", failure.code)
    end)
  end)

  it("an error in the middle is raised, typed, and gives the connection back", function()
    local text = FAILING[database] or FAILING.other
    local count = 0
    local failure = error_of(function()
      for _ in ds:query("stream_rows"):selectRaw("n, " .. text .. " AS x"):orderBy("id"):stream { batch = 100 } do
        count = count + 1
      end
    end)
    assert.is_true(hysteria.isError(failure))
    assert.equal("data", failure.kind)
    assert.is_true(count < 700)
    assert.equal(0, leased())
    assert.equal(ROWS, rows:query():count())
  end)

  describe("hooks and relations", function()
    local Hooked = model "StreamHooked" {
      hysteria.tableName("stream_rows"), hysteria.naming { model = "camel", database = "camel" },
      id = column.increment(), n = column.integer(),
    }
    local before, lists = 0, {}
    Hooked:hook("beforeFetch", function(q) before = before + 1 q:where("n", "<=", 10) end)
    Hooked:hook("afterFetch", function(list) lists[#lists + 1] = #list end)

    it("run once a batch", function()
      before, lists = 0, {}
      assert.equal(10, #numbers(Hooked:using(ds):query():stream { batch = 4 }))
      assert.equal(1, before)
      assert.same({ 4, 4, 2 }, lists)
    end)

    for _, inside in ipairs { false, true } do
      it("are loaded once a batch" .. (inside and " in the transaction" or ""), function()
        local function work()
          local seen = databases.watch(ds)
          local found = 0
          for row in rows:query():where("n", "<=", 900):orderBy("n"):load("notes"):stream { batch = 300 } do
            for _, note in ipairs(row.notes) do
              assert.equal("note " .. row.id, note.text)
              found = found + 1
            end
          end
          local loads = 0
          for _, event in ipairs(seen.stop()) do
            loads = loads + (event.table == "stream_notes" and 1 or 0)
          end
          assert.equal(9, found)
          assert.equal(3, loads)
        end
        if inside then
          ds:transaction(work)
        else
          work()
        end
      end)
    end
  end)

  it("each calls with every row and gives their number", function()
    local sum = 0
    assert.equal(10, rows:query():where("n", "<=", 10):each(function(row) sum = sum + row.n end, { batch = 3 }))
    assert.equal(55, sum)
  end)
end, { shared = true, pool = { max = 4 } })

databases.each(function(ds, _, config)
  it("tasks stream at the same time", function()
    local open, done = 0, {}
    local function task(name)
      return function()
        ds:transaction(function()
          for row in ds:query("stream_rows"):where("n", "<=", 40):orderBy("n"):stream { batch = 5 } do
            done[name] = row.n
            open = row.n == 1 and open + 1 or open
            while open < 2 do
              async.sleep(1)
            end
          end
        end, { readOnly = true })
      end
    end
    ds:rawQuery("DROP TABLE IF EXISTS stream_rows")
    local Row = model "StreamTaskRow" {
      hysteria.tableName("stream_rows"), id = column.increment(), n = column.integer(),
    }
    ds:createTables { Row }
    local list = {}
    for n = 1, 50 do
      list[n] = { n = n }
    end
    Row:using(ds):insertMany(list)
    async.run(function()
      async.all { task("a"), task("b") }
    end)
    assert.same({ a = 40, b = 40 }, done)
  end)

  it("refuses a second task at the same stream: neither loses rows to the other unseen", function()
    local Slow = model "StreamSlow" {
      hysteria.tableName("stream_rows"), id = column.integer { primaryKey = true },
      hysteria.afterFetch(function()
        async.sleep(1)
      end),
    }
    ds:dropTables({ Slow }, { ifExists = true })
    ds:createTables { Slow }
    local list = {}
    for n = 1, 50 do
      list[n] = { id = n }
    end
    Slow:using(ds):insertMany(list)
    local err = error_of(function()
      async.run(function()
        local stream <close> = Slow:using(ds):query():stream { batch = 7 }
        local function work()
          local row = stream()
          while row do
            row = stream()
          end
        end
        async.all { work, work, work }
      end)
    end)
    assert.equal("INVALID_ARGUMENT", err.code)
    assert.truthy(err.message:find("another task", 1, true))
    assert.equal(50, Slow:using(ds):count())
  end)

  it("memory does not grow with the number of rows", function()
    local Wide = model "StreamWide" {
      id = column.increment(), n = column.integer(), name = column.string { length = 250 },
    }
    local wide = Wide:using(ds)
    ds:dropTables({ Wide }, { ifExists = true })
    ds:createTables { Wide }
    wide:insert { n = 1, name = ("x"):rep(200) }
    local have = 1
    while have < MANY do
      local more = math.min(have, MANY - have)
      ds:rawQuery("INSERT INTO stream_wides (n, name) SELECT n + ?, name FROM stream_wides WHERE n <= ?",
        { have, more })
      have = have + more
    end
    local limit = 16 * 1024
    local count, outside, cost = read_apart(ds, config(), "stream")
    assert.equal(MANY, count)
    local _, inside = read_apart(ds, config(), "transaction")
    databases.report("stream, %s: %d rows, +%d KiB, in a transaction +%d KiB, %.2f us of this process a row",
      ds:getDbType(), MANY, outside, inside, cost)
    local _, whole = read_apart(ds, config(), "many")
    assert.is_true(whole > limit, "reading all of it must be seen")
    assert.is_true(outside < limit)
    assert.is_true(inside < limit)
    ds:dropTables { Wide }
  end)
end, { shared = true, pool = { max = 4 } })

describe("a database of one connection", function()
  it("can be written while it is streamed", function()
    local ds <close> = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    local Row = model "StreamMemory" { id = column.increment(), n = column.integer() }
    local rows = Row:using(ds)
    ds:createTables { Row }
    rows:insertMany { { n = 1 }, { n = 2 }, { n = 3 } }
    for row in rows:query():orderBy("id"):stream { batch = 2 } do
      rows:insert { n = row.n + 10 }
    end
    assert.equal(6, rows:query():count())
  end)
end)
