-- Keys of several columns, everywhere a key goes. What the database holds is asked with raw SQL.
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local model, column, sql = hysteria.model, hysteria.column, hysteria.sql
local error_of = databases.error_of

local Member = model "CompMember" {
  hysteria.primaryKey { "groupId", "userName" }, hysteria.softDelete(), hysteria.timestamps(),
  userName = column.string { length = 20 }, groupId = column.integer(), role = column.string { length = 20 },
  n = column.integer { default = 0, nullable = false }, twice = column.integer { generated = "n * 2" },
  notes = hysteria.hasMany("CompNote", { foreignKey = { "groupId", "userName" } }),
  badge = hysteria.hasOne("CompNote", { foreignKey = { "groupId", "userName" } }),
}
local Note = model "CompNote" {
  id = column.increment(), groupId = column.integer(), userName = column.string { length = 20 },
  text = column.string { length = 20 },
  member = hysteria.belongsTo("CompMember", { foreignKey = { "groupId", "userName" }, onDelete = "cascade" }),
}
local Single = model "CompSingle" { id = column.increment(), name = column.string { length = 20 } }
-- Keys whose texts could be mistaken for each other when they are put together.
local Tricky = model "CompTricky" {
  hysteria.primaryKey { "a", "b" }, a = column.string { length = 20 }, b = column.string { length = 20 },
  n = column.integer(),
}

databases.each(function(ds)
  local members, notes, singles = Member:using(ds), Note:using(ds), Single:using(ds)

  local function stored(field)
    local list = {}
    for _, row in ipairs(ds:rawQuery("select group_id, user_name, role, n from comp_members order by 1, 2")) do
      list[#list + 1] = ("%d %s %s"):format(row.group_id, row.user_name, tostring(row[field]))
    end
    return list
  end

  before_each(function()
    ds:dropTables({ Member, Note, Single, Tricky }, { ifExists = true })
    ds:createTables { Member, Note, Single, Tricky }
    members:insertMany {
      { groupId = 1, userName = "ada", role = "a" }, { groupId = 1, userName = "bob", role = "b" },
      { groupId = 2, userName = "ada", role = "c" },
    }
  end)

  describe("a key of several columns", function()
    it("finds a row by list, by names and by a record", function()
      assert.equal("b", members:findOneByPrimaryKey({ 1, "bob" }).role)
      assert.equal("c", members:findOneByPrimaryKey({ userName = "ada", groupId = 2 }).role)
      assert.equal("c", members:findOneByPrimaryKey({ user_name = "ada", group_id = 2 }).role)
      assert.equal("b", members:findOneByPrimaryKey(members:findOneBy("role", "b")).role)
      assert.is_nil(members:findOneByPrimaryKey({ 2, "bob" }))
      assert.equal("bob", members:findOneByPrimaryKey({ 1, "bob" }, { select = { "userName" } }).userName)
    end)

    it("is named whole, by names that exist, and by values", function()
      local function refused(code, key)
        assert.equal(code, error_of(members.findOneByPrimaryKey, members, key).code)
        assert.equal(code, error_of(members.deleteRecord, members, key).code)
        assert.equal(code, error_of(members.updateRecord, members, key, { role = "x" }).code)
      end
      refused("NIL_VALUE", nil)
      refused("INVALID_ARGUMENT", 1)
      refused("NIL_VALUE", { 1 })
      refused("NIL_VALUE", { groupId = 1 })
      refused("INVALID_ARGUMENT", { 1, "ada", 3 })
      refused("UNDEFINED_COLUMN", { groupId = 1, userNam = "ada" })
      refused("INVALID_ARGUMENT", { 1, sql.rawStatement("user_name") })
      refused("INVALID_ARGUMENT", { 1, sql.op.ne("x") })
      refused("INVALID_ARGUMENT", { 1, { "ada" } })
      refused("INVALID_ARGUMENT", { groupId = 1, userName = sql.col("userName") })
      refused("INVALID_ARGUMENT", setmetatable({}, { __index = { 1, "ada" } }))
      refused("INVALID_ARGUMENT", singles:insert { name = "x" })
      assert.same({ "1 ada a", "1 bob b", "2 ada c" }, stored("role"))
    end)

    it("is what a record's writes go by", function()
      local ada = members:findOneByPrimaryKey { 1, "ada" }
      ada.n = 4
      assert.equal(8, ada:save().twice)
      assert.same({ "1 ada 4", "1 bob 0", "2 ada 0" }, stored("n"))
      ada:update { role = "z" }
      assert.same({ "1 ada z", "1 bob b", "2 ada c" }, stored("role"))
      ds:rawQuery("update comp_members set n = 6 where group_id = 1 and user_name = 'ada'")
      assert.equal(12, ada:refresh().twice)
      ada:softDelete()
      assert.equal(2, members:count())
      assert.is_nil(members:findOneByPrimaryKey { 1, "ada" })
      ada:restore()
      assert.equal(3, members:count())
      assert.equal(1, ada:delete())
      assert.equal(0, ada:delete())
      assert.is_nil(ada:refresh())
      assert.same({ "1 bob b", "2 ada c" }, stored("role"))
      assert.equal("ROW_NOT_FOUND", error_of(ada.update, ada, { role = "q" }).code)
    end)

    it("is what the class's writes go by", function()
      assert.equal("x", members:updateRecord({ 1, "bob" }, { role = "x" }).role)
      assert.equal("y", members:updateRecord({ userName = "ada", groupId = 2 }, { role = "y" }).role)
      assert.same({ "1 ada a", "1 bob x", "2 ada y" }, stored("role"))
      assert.is_string(members:softDelete({ 1, "bob" }).deletedAt)
      assert.is_nil(members:restore({ 1, "bob" }).deletedAt)
      assert.equal("bob", members:refresh({ 1, "bob" }).userName)
      assert.equal(1, members:deleteRecord { 1, "bob" })
      assert.equal(0, members:deleteRecord { 1, "bob" })
      assert.equal("new", members:save({ groupId = 3, userName = "eve", role = "new" }).role)
      assert.equal("old", members:save({ groupId = 3, userName = "eve", role = "old" }).role)
      assert.same({ "1 ada a", "2 ada y", "3 eve old" }, stored("role"))
      local found, is_new = members:firstOrInsert({ groupId = 3, userName = "eve" }, { role = "q" })
      assert.same({ "old", false }, { found.role, is_new })
    end)

    it("is not given up half way", function()
      assert.equal("MODEL_HAS_NO_PRIMARY_KEY_VALUE", error_of(function()
        members:query():select("groupId", "n"):where("userName", "bob"):one():save()
      end).code)
      assert.equal("UNIQUE_VIOLATION", error_of(members.insert, members, { groupId = 1, userName = "ada" }).code)
      local tracked = members:query({ track = true }):where("role", "a"):one()
      tracked.userName = "bob"
      assert.equal("INVALID_ARGUMENT", error_of(tracked.save, tracked).code)
      assert.equal("INVALID_ARGUMENT", error_of(tracked.delete, tracked).code)
      assert.same({ "1 ada a", "1 bob b", "2 ada c" }, stored("role"))
    end)

    it("carries relations both ways", function()
      notes:insertMany {
        { groupId = 1, userName = "ada", text = "x" }, { groupId = 2, userName = "ada", text = "y" },
        { groupId = 1, userName = "ada", text = "z" }, { groupId = 1, text = "nobody's" },
      }
      local list = members:query():load("notes", function(q)
        q:orderBy("id")
      end):load("badge"):orderBy("groupId"):orderBy("userName"):many()
      local texts = {}
      for index, member in ipairs(list) do
        local own = {}
        for place, note in ipairs(member.notes) do
          own[place] = note.text
        end
        texts[index] = table.concat(own, " ")
      end
      assert.same({ "x z", "", "y" }, texts)
      assert.is_nil(list[2].badge)
      assert.equal("y", list[3].badge.text)
      local back = notes:query():load("member"):orderBy("id"):many()
      assert.same({ "a", "c", "a" }, { back[1].member.role, back[2].member.role, back[3].member.role })
      assert.is_nil(back[4].member)
      back[1]:load("member.notes")
      assert.equal(2, #back[1].member.notes)
      assert.equal("FOREIGN_KEY_VIOLATION", error_of(notes.insert, notes, { groupId = 9, userName = "x" }).code)
      members:deleteRecord { 1, "ada" }
      assert.equal(2, notes:count())
    end)

    it("tells rows apart whose key texts look alike", function()
      local rows = Tricky:using(ds)
      local given = { { a = "1", b = "1:2" }, { a = "1:1", b = "2" }, { a = "", b = "11" }, { a = "11", b = "" } }
      for index, row in ipairs(given) do
        row.n = index
      end
      local made = rows:insertMany(given)
      for index, row in ipairs(given) do
        assert.same({ row.a, row.b, index }, { made[index].a, made[index].b, made[index].n })
        assert.equal(index, rows:findOneByPrimaryKey({ row.a, row.b }).n)
      end
    end)
  end)

  describe("a key of one column", function()
    it("is a value, a list of one, or named", function()
      local row = singles:insert { name = "x" }
      for _, key in ipairs { row.id, { row.id }, { id = row.id }, row, { id = row.id, name = "y" } } do
        assert.equal("x", singles:findOneByPrimaryKey(key).name)
      end
      assert.is_nil(singles:findOneByPrimaryKey(sql.null))
      local other = members:findOne()
      for _, key in ipairs { sql.rawStatement("1 or 1 = 1"), sql.op.gt(0), other, { row.id, 2 } } do
        assert.equal("INVALID_ARGUMENT", error_of(singles.findOneByPrimaryKey, singles, key).code)
        assert.equal("INVALID_ARGUMENT", error_of(singles.deleteRecord, singles, key).code)
      end
      row.id = sql.rawStatement("1 or 1 = 1")
      assert.equal("INVALID_ARGUMENT", error_of(row.delete, row).code)
      assert.equal(1, singles:count())
    end)
  end)
end)
