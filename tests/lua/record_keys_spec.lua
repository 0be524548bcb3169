-- What records do with their rows, by keys of one and of several columns; save of rows that may be
-- there or not; and records that remember what they were read with.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  local Seat = model "KeysSeat" {
    hysteria.softDelete(), hysteria.primaryKey { "rowNo", "seat" },
    rowNo = column.integer { databaseName = "row_no" }, seat = column.string { length = 10 },
    guest = column.string(), price = column.decimal { precision = 20, scale = 2 }, data = column.json(),
    version = column.version { databaseName = "lock_version" },
  }
  local Plain = model "KeysPlain" {
    hysteria.softDelete(),
    id = column.increment(), name = column.string { length = 40, unique = true }, n = column.integer(),
  }
  local seats, plains = Seat:using(ds), Plain:using(ds)

  before_each(function()
    ds:dropTables({ Seat, Plain }, { ifExists = true })
    ds:createTables { Seat, Plain }
    seats:insertMany({ { rowNo = 1, seat = "a", guest = "x" }, { rowNo = 1, seat = "b", guest = "y" },
      { rowNo = 2, seat = "a", guest = "z" } }, { returning = false })
  end)

  local function guests()
    return table.concat(seats:query():withDeleted():orderBy("rowNo"):orderBy("seat"):pluck("guest"), " ")
  end

  it("a key of several columns is enough for every method", function()
    local seat = seats:findOneByPrimaryKey { 1, "b" }
    seat.guest = "saved"
    assert.equal(seat, seat:save())
    assert.equal("x saved z", guests())
    assert.equal("updated", seat:update({ guest = "updated" }).guest)
    assert.equal(3, seat.version)
    assert.equal("x updated z", guests())
    seat:softDelete()
    assert.is_truthy(seat.deletedAt)
    assert.equal(2, seats:count())
    seat:restore()
    assert.equal(3, seats:count())
    seats:where("seat", "b"):update { guest = "other" }
    assert.equal("other", seat:refresh().guest)
    assert.equal(1, seat:delete())
    assert.equal("x z", guests())
    assert.is_nil(seat:refresh())
    assert.equal("changed", seats:updateRecord({ 2, "a" }, { guest = "changed" }).guest)
    assert.equal(1, seats:deleteRecord { rowNo = 1, seat = "a" })
    assert.equal("changed", guests())
  end)

  it("text is found by text: of a number some databases make every text that is none", function()
    plains:insertMany { { name = "a", n = 1 }, { name = "b", n = 2 } }
    for _, value in ipairs { 0, 0.5, sql.decimal("0") } do
      for _, write in ipairs {
        function() plains:where("name", value):delete() end,
        function() plains:query():whereIn("name", { "x", value }):update { n = 9 } end,
        function() plains:updateMany({ { name = value, n = 9 } }, { by = { "name" } }) end,
        function() seats:deleteRecord { 1, value } end,
      } do
        assert.equal("DATA_INVALID", error_of(write).code)
      end
    end
    assert.same({ 1, 2 }, plains:query():orderBy("name"):pluck("n"))
    assert.equal("x y z", guests())
  end)

  it("half a key, or none, is refused", function()
    local seat = seats:query():select("rowNo", "guest"):first()
    for _, name in ipairs { "save", "delete", "softDelete", "restore", "refresh" } do
      assert.equal("MODEL_HAS_NO_PRIMARY_KEY_VALUE", error_of(seat[name], seat).code)
    end
    assert.equal("MODEL_HAS_NO_PRIMARY_KEY_VALUE", error_of(seat.update, seat, { guest = "a" }).code)
    assert.equal("NIL_VALUE", error_of(seats.deleteRecord, seats, { 1 }).code)
    assert.equal("x y z", guests())
  end)

  it("save inserts a row, or updates the one that has the key, deleted or not", function()
    assert.equal("new", seats:save({ rowNo = 3, seat = "a", guest = "new" }).guest)
    assert.equal("newer", seats:save({ row_no = 3, seat = "a", guest = "newer" }).guest)
    assert.equal("x y z newer", guests())
    local seat = seats:findOneByPrimaryKey { 1, "a" }
    seat:softDelete()
    seat = seats:save { rowNo = 1, seat = "a", guest = "ghost" }
    assert.equal("ghost", seat.guest)
    assert.is_truthy(seat.deletedAt)
    assert.equal("ghost y z newer", guests())
    assert.equal("y", seats:save({ rowNo = 1, seat = "b" }).guest)
    assert.equal("STALE_RECORD", error_of(seats.save, seats, { rowNo = 9, seat = "a", version = 1 }).code)
    assert.equal("STALE_RECORD", error_of(seats.save, seats, { rowNo = 1, seat = "b", guest = "!", version = 7 }).code)
    assert.equal("ghost y z newer", guests())
  end)

  it("save does not take the row of another key", function()
    plains:insertMany { { name = "a", n = 1 }, { name = "b", n = 2 } }
    assert.equal("UNIQUE_VIOLATION", error_of(plains.save, plains, { id = 9, name = "b", n = 3 }).code)
    assert.equal("UNIQUE_VIOLATION", error_of(plains.save, plains, { name = "b", n = 3 }).code)
    assert.same({ 1, 2 }, plains:query():orderBy("id"):pluck("n"))
  end)

  it("a tracked record writes what has changed, and knows what it wrote", function()
    for _, seat in ipairs { seats:findOne({ where = { seat = "b" }, track = true }),
      seats:upsert({ rowNo = 1, seat = "b" }, { guest = "up" }, { track = true }) } do
      local seen = databases.watch(ds)
      assert.equal(seat, seat:save())
      assert.equal(0, #seen.stop())
      seats:where("seat", "b"):update { price = "5.00" } -- by somebody else: not undone
      seat.version = nil
      seat:refresh()
      seat.guest, seat.data = "mine", { a = { 1 } }
      seat:save()
      local stored = seats:findOneByPrimaryKey { 1, "b" }
      assert.same({ "mine", "5.00", { a = { 1 } } }, { stored.guest, tostring(stored.price), stored.data })
      seen = databases.watch(ds)
      seat:save()
      assert.equal(0, #seen.stop())
      seat.data.a[2] = 2
      seat.price = sql.decimal("5.00")
      seat:save()
      assert.same({ a = { 1, 2 } }, seats:findOneByPrimaryKey({ 1, "b" }).data)
      seat.guest = sql.null
      seat:save()
      assert.is_nil(seats:findOneByPrimaryKey({ 1, "b" }).guest)
    end
  end)
end)

databases.each(function(ds)
  it("a key that is read in another form than it is stored in names its row", function()
    local Badge = model "KeysBadge" {
      id = column.string { length = 20, primaryKey = true, serialize = function(text) return "No. " .. text end,
        prepare = function(text) return (text:gsub("^No%. ", "")) end },
      n = column.integer(),
    }
    ds:dropTables({ Badge }, { ifExists = true })
    ds:createTables { Badge }
    local badges = Badge:using(ds)
    local badge = badges:insert { id = "7", n = 1 }
    badges:insert { id = "8", n = 1 }
    local function stored()
      local list = {}
      for index, row in ipairs(ds:rawQuery("SELECT id, n FROM keys_badges ORDER BY id")) do
        list[index] = row.id .. "=" .. row.n
      end
      return table.concat(list, " ")
    end

    assert.equal("No. 7", badge.id)
    badge.n = 2
    badge:save()
    assert.equal("7=2 8=1", stored())
    badge:update { n = 3 }
    assert.equal("7=3 8=1", stored())
    badges:save { id = "No. 7", n = 4 }
    assert.equal("7=4 8=1", stored())
    assert.equal(4, badge:refresh().n)
    assert.equal(2, badges:updateMany { { id = "No. 7", n = 5 }, { id = "No. 8", n = 6 } })
    assert.equal("7=5 8=6", stored())
    local rows = badges:updateMany({ { id = "No. 8", n = 8 }, { id = "No. 7", n = 7 } }, { returning = true })
    assert.same({ "No. 8", 8, "No. 7", 7 }, { rows[1].id, rows[1].n, rows[2].id, rows[2].n })
    assert.equal(1, badge:delete())
    assert.equal("8=8", stored())
    ds:dropTables { Badge }
  end)
end)

databases.each(function(ds)
  local Slot = model "KeysSlot" { id = column.integer { primaryKey = true }, n = column.integer(),
    hits = column.version() }

  it("save leaves one row to those that come at once", function()
    ds:dropTables({ Slot }, { ifExists = true })
    ds:createTables { Slot }
    local slots, tasks = Slot:using(ds), {}
    for index = 1, 12 do
      tasks[index] = function()
        ds:transaction(function()
          slots:save { id = 1, n = index }
        end, { retry = 20 })
      end
    end
    async.run(function()
      async.all(tasks)
    end)
    assert.equal(1, slots:count())
    assert.equal(12, slots:findOne().hits)
  end)
end, { shared = true, pool = { max = 6 } })
