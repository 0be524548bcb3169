-- Where query builders go wrong: zero, false and "" as values, names that are not those of the database,
-- placeholders in texts, lists beyond the limit of binds, what callbacks return. Asked on every database,
-- and answered by hand.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

local Member = model "PitMember" {
  hysteria.tableName("pit_members"),
  id = column.increment(),
  passwordHint = column.string { length = 40, databaseName = "pwdHint" },
  classId = column.integer(),
  isActive = column.boolean(),
  line2Text = column.string { length = 40 },
  score = column.integer(),
}
local Class = model "PitClass" {
  hysteria.tableName("pit_classes"),
  id = column.increment(),
  passwordHint = column.string { length = 40, databaseName = "hintOfClass" },
  roomNo = column.integer(),
}

local TEXTS = { "what? ?? ", "$1 $& %1 %s", ":name :1", "it's \"quoted\"", "" }

databases.each(function(ds, database)
  describe("what is easily got wrong:", function()
    local members, classes, fetched = Member:using(ds), Class:using(ds), 0

    setup(function()
      ds:dropTables({ Member, Class }, { ifExists = true })
      ds:createTables { Member, Class }
      classes:insertMany { { passwordHint = "one", roomNo = 0 }, { passwordHint = "two", roomNo = 7 } }
      for index, text in ipairs(TEXTS) do
        members:insert { passwordHint = text, classId = index % 2 + 1, isActive = index ~= 5, line2Text = "l" .. index,
          score = index == 5 and 0 or index }
      end
      Member:hook("afterFetch", function() fetched = fetched + 1 end)
    end)

    teardown(function()
      ds:dropTables({ Member, Class }, { ifExists = true })
    end)

    it("zero, false and the empty text are values, in where and in having", function()
      assert.same({ 5 }, members:where("score", 0):pluck("id"))
      assert.same({ 5 }, members:where("isActive", false):pluck("id"))
      assert.same({ 5 }, members:where("passwordHint", ""):pluck("id"))
      local function groups()
        return members:query():select("score", "isActive", "passwordHint"):groupBy("score", "isActive", "passwordHint")
      end
      assert.equal(1, #groups():having("score", 0):many())
      assert.equal(4, #groups():having("score", ">", 0):many())
      assert.equal(1, #groups():having("isActive", false):having("passwordHint", ""):many())
      assert.equal(5, #groups():having("score", 0):orHaving("isActive", true):many())
      local row = members:where("id", 5):select("score", "isActive", "passwordHint"):one()
      assert.same({ 0, false, "" }, { row.score, row.isActive, row.passwordHint })
    end)

    it("a column's own name in the database is used in every clause", function()
      local text = TEXTS[2]
      assert.same({ 2 }, members:where("passwordHint", text):pluck("id"))
      assert.equal(text, members:where("id", 2):select("passwordHint"):one().passwordHint)
      assert.equal(text, members:where("id", 2):select({ "passwordHint", "asIs" }):one().asIs)
      assert.equal(text, members:where("id", 2):getMax("passwordHint"))
      assert.equal(#text, members:where("id", 2):selectFunc("length", "passwordHint", "n"):one().n)
      assert.equal(5, #members:query():select("passwordHint"):groupBy("passwordHint"):orderBy("passwordHint"):many())
      assert.equal("", members:query():orderBy("passwordHint"):limit(1):pluck("passwordHint")[1])
      assert.equal("l3", members:where("line2Text", "l3"):one().line2Text)
      if database == "postgres" then
        assert.equal(5, #members:query():distinctOn("passwordHint"):orderBy("passwordHint"):many())
        assert.equal(2, #members:query():distinctOn("classId"):many())
      end
    end)

    it("joined columns go by their own model's names, also in callbacks, and do not get into the record", function()
      local q = members:query():join(Class, function(on)
        on:on("pit_classes.id", "pit_members.classId"):onValue("pit_classes.passwordHint", "two")
      end)
      local rows = q:orderBy("id"):many()
      assert.same({ 1, 3, 5 }, { rows[1].id, rows[2].id, rows[3].id })
      assert.equal(TEXTS[1], rows[1].passwordHint)
      assert.is_nil(rows[1].roomNo)
      local either = members:query():join(Class, function(on)
        on:on("pit_classes.id", "pit_members.classId"):orOnValue("pit_classes.passwordHint", "one")
      end)
      assert.equal(8, either:count()) -- five pairs of their own, and the three of "two" with "one"
    end)

    it("a list from a subquery and a comparison with one take the column's name", function()
      local two = classes:where("passwordHint", "two"):select("id")
      assert.same({ 1, 3, 5 }, members:query():whereIn("classId", two):orderBy("id"):pluck("id"))
      assert.same({ 1, 3, 5 }, members:where("classId", "=", two):orderBy("id"):pluck("id"))
      assert.same({ 2, 4 }, members:where("classId", "<", two):orderBy("id"):pluck("id"))
      assert.same({ 2, 4 }, members:query():whereNotIn("classId", two):orderBy("id"):pluck("id"))
    end)

    it("a callback may change the query it gets, or return another", function()
      local function exists(fn)
        return members:query():whereExists(fn):orderBy("id"):pluck("id")
      end
      assert.same({ 1, 3, 5 }, exists(function(q)
        q:from("pit_classes", "c"):whereColumn("c.id", "pit_members.class_id"):where("c.room_no", 7)
      end))
      assert.same({ 1, 3, 5 }, exists(function()
        return classes:query():alias("c"):whereColumn("c.id", "pit_members.classId"):where("c.roomNo", 7)
      end))
    end)

    it("placeholders count through, whatever stands before, between and inside of them", function()
      local q = members:query():select("id"):selectRaw("? AS x", "?"):join(Class, function(on)
        on:on("pit_classes.id", "pit_members.classId"):onValue("pit_classes.roomNo", "<", 8)
      end):where("score", ">=", 1):whereRaw("pit_members.score <> ? AND '?' <> ?", { 2, "x" })
        :whereIn("classId", classes:query():select("id"):where("roomNo", ">=", 0))
        :where("passwordHint", "<>", "$1"):orderBy("id"):limit(2):offset(1)
      local rows = q:many()
      assert.same({ 3, 4 }, { rows[1].id, rows[2].id })
      assert.equal("?", rows[1].x)
    end)

    it("values in the text for people are no placeholders and no patterns", function()
      for index, text in ipairs(TEXTS) do
        local shown = members:where("passwordHint", text):where("score", "<", 99):select("id"):toQuery()
        local rows = ds:rawQuery(shown)
        assert.equal(index, rows[1].id)
        assert.equal(1, #rows)
      end
    end)

    it("a list may be longer than a statement has binds, and say things twice", function()
      local numbers, texts = {}, {}
      for index = 1, 70000 do
        numbers[index], texts[index] = index % 35000 + 3, "l" .. index % 35000 + 3
      end
      assert.same({ 3, 4, 5 }, members:query():whereIn("id", numbers):orderBy("id"):pluck("id"))
      assert.same({ 1, 2 }, members:query():whereNotIn("id", numbers):orderBy("id"):pluck("id"))
      if database == "sqlite" or database == "postgres" then -- the others write texts out
        assert.same({ 3, 4, 5 }, members:query():whereIn("line2Text", texts):orderBy("id"):pluck("id"))
      end
    end)

    it("lists and ranges by operator are those of their verbs", function()
      assert.same({ 2, 3 }, members:where("id", "between", { 2, 3 }):orderBy("id"):pluck("id"))
      assert.same({ 1, 4, 5 }, members:where("id", "not between", { 2, 3 }):orderBy("id"):pluck("id"))
      assert.same({ 1, 5 }, members:where("id", "in", { 1, 5 }):orderBy("id"):pluck("id"))
      assert.same({ 2, 3, 4 }, members:where("id", "not in", { 1, 5 }):orderBy("id"):pluck("id"))
      assert.same({ 3 }, members:where("line2Text", "ilike", "L3"):pluck("id"))
      assert.same({ 1, 2, 4, 5 }, members:query():whereNotILike("line2Text", "L3"):orderBy("id"):pluck("id"))
      assert.same({ 2, 3 }, members:query():whereRegexp("line2Text", "^l[23]$"):orderBy("id"):pluck("id"))
      assert.same({ 1, 4, 5 }, members:query():whereNotRegexp("line2Text", "^l[23]$"):orderBy("id"):pluck("id"))
      assert.equal(0, members:query():whereRegexp("line2Text", "^L[23]$"):count())
    end)

    it("a clone is one of the model: names, hooks and records", function()
      local before = fetched
      local row = members:where("id", 2):clone():one()
      assert.equal(TEXTS[2], row.passwordHint)
      assert.is_true(row:has("classId"))
      assert.equal(before + 1, fetched)
    end)

    it("what is no record goes through no hook for records", function()
      local before = fetched
      members:query():count()
      members:query():getMax("score")
      members:query():exists()
      members:query():pluck("score")
      members:query():where("id", -1):update { score = 1 }
      assert.equal(before, fetched)
    end)

    it("aggregates over nothing are nil, and a count is zero", function()
      local none = members:where("id", -1)
      assert.same({ n = 0 }, { n = none:count(), none:getMax("score"), none:getMin("score"), none:getAvg("score"),
        none:getSum("score") })
      assert.equal(TEXTS[2], members:where("id", 2):getMin("passwordHint"))
    end)

    it("operators and directions are words of a list", function()
      assert.equal("INVALID_ARGUMENT", error_of(function() members:where("id", "= 1 or 1 =", 1) end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() members:query():orderBy("id", "desc, 1") end).code)
      assert.equal("NIL_VALUE", error_of(function() members:where("id", nil) end).code)
      assert.equal(5, members:where("score", "!=", sql.null):count())
    end)
  end)
end)
