-- What hooks make of the data before it is written: names of the database, names of nobody, keys, nothing.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model = hysteria.column, hysteria.model
local error_of = databases.error_of

databases.each(function(ds)
  local change -- what the hook does now

  local function ask(row, ctx)
    if change then
      change(row, ctx)
    end
  end

  local Member = model "ChangedMember" {
    hysteria.beforeInsert(ask), hysteria.beforeUpdate(ask), hysteria.unique { "code" },
    id = column.integer { primaryKey = true }, code = column.string { length = 20 },
    passWord = column.hashed { hidden = true }, nickName = column.string { prepare = string.upper },
    editedBy = column.string(),
  }
  local members = Member:using(ds)

  before_each(function()
    change = nil
    ds:dropTables({ Member }, { ifExists = true })
    ds:createTables { Member }
    members:insert { id = 1, code = "a" }
  end)

  local function stored(id)
    return ds:rawQuery("SELECT * FROM changed_members WHERE id = ?", { id })[1]
  end

  -- Every write that runs the hook, of the row with this key.
  local UPDATES = {
    update = function(id) return members:where("id", id):update { editedBy = "me" } end,
    ["update with returning"] = function(id)
      return members:where("id", id):update({ editedBy = "me" }, { returning = true })
    end,
    updateRecord = function(id) return members:updateRecord(id, { editedBy = "me" }) end,
    ["record:save"] = function(id)
      local record = members:query():select("id"):where("id", id):one()
      record.editedBy = "me"
      return record:save()
    end,
    updateMany = function(id) return members:updateMany { { id = id, editedBy = "me" } } end,
    upsert = function(id)
      return members:upsert({ id = id }, { editedBy = "me" }, { ignoreHooks = { "beforeInsert" } })
    end,
  }
  local INSERTS = {
    insert = function(id) return members:insert { id = id } end,
    insertMany = function(id) return members:insertMany { { id = id } } end,
    upsert = function(id) return members:upsert({ id = id }, {}) end,
    upsertMany = function(id) return members:upsertMany("id", { { id = id } }) end,
    save = function(id) return members:save { id = id } end,
  }

  local function needs_secret(id, verb)
    local row = stored(id)
    assert.equal("$argon2", row.pass_word:sub(1, 7), verb .. " stored a secret as it is")
    assert.is_true(members:findOneByPrimaryKey(id):verify("passWord", "secret"))
    assert.equal("BOB", row.nick_name, verb)
  end

  local function by_database_name(row)
    row.pass_word, row.nick_name = "secret", "bob"
  end

  it("a column's database name is the column", function()
    local id = 1
    for verb, write in pairs(UPDATES) do
      change = nil
      members:where("id", 1):update({ passWord = "other", nickName = "x" }, { ignoreHooks = true })
      change = by_database_name
      write(1)
      needs_secret(1, verb)
    end
    for verb, write in pairs(INSERTS) do
      id = id + 1
      write(id)
      needs_secret(id, verb)
    end
    members:where("id", 1):increment("id", 100)
    needs_secret(101, "increment")
  end)

  it("a name that is no column's is an error, and nothing is written", function()
    change = function(row) row.nickNam = "bob" end
    for _, writes in ipairs { UPDATES, INSERTS } do
      for verb, write in pairs(writes) do
        local err = error_of(write, writes == UPDATES and 1 or 9)
        assert.equal("UNDEFINED_COLUMN", err.code, verb)
        assert.matches("did you mean `nickName`", err.message)
      end
    end
    change = nil
    assert.equal(1, members:count())
    assert.is_nil(stored(1).edited_by)
  end)

  it("a column under both of its names is an error", function()
    change = function(row) row.editedBy, row.edited_by = "a", "b" end
    assert.matches("twice", error_of(UPDATES.update, 1).message)
    assert.matches("twice", error_of(INSERTS.insert, 2).message)
  end)

  it("the key by which a row is found stays", function()
    change = function(row) row.id = 77 end
    for _, verb in ipairs { "updateRecord", "record:save", "updateMany", "upsert" } do
      local err = error_of(UPDATES[verb], 1)
      assert.equal("INVALID_ARGUMENT", err.code, verb)
      assert.matches("cannot change `id`", err.message)
    end
    assert.equal(1, UPDATES.update(1)) -- a builder names no key
    assert.equal("me", stored(77).edited_by)
  end)

  it("nothing left to change is an error", function()
    change = function(row) row.editedBy = nil end
    for verb, write in pairs(UPDATES) do
      local err = error_of(write, 1)
      assert.equal("INVALID_ARGUMENT", err.code, verb)
      assert.matches("nothing to change", err.message, verb)
    end
  end)

  it("an upsert by another key gives the row its new primary key, and finds it", function()
    change = function(row) row.editedBy = "hook" end
    local record = members:upsert({ code = "a" }, { id = 5 })
    assert.same({ 5, "hook" }, { record.id, record.editedBy })
    assert.same({ 5, "hook" }, { stored(5).id, stored(5).edited_by })
    assert.equal(1, members:count())
  end)
end)
