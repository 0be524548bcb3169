-- Pages by number, pages by cursor, chunks: every row once, in order, whatever the order has.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

local ROWS = 60
local WALKS = os.getenv("HY_SCALE") == "full" and 200 or 20

databases.each(function(ds, database, config)
  local Row = model "PageRow" {
    id = column.increment(), n = column.integer(), name = column.string(), price = column.decimal { scale = 2 },
    ratio = column.double(), madeAt = column.datetime(), must = column.integer { nullable = false },
    rough = column.float(), data = column.json(), cents = column.decimal { scale = 2, as = "number" },
    notes = hysteria.hasMany("PageNote", { foreignKey = "rowId" }),
  }
  local Note = model "PageNote" { id = column.increment(), rowId = column.integer() }
  local Pair = model "PagePair" {
    hysteria.primaryKey { "left", "right" }, left = column.integer(), right = column.integer(), n = column.integer(),
  }
  local Keyless = model "PageKeyless" { n = column.integer() }
  local rows, pairs_of = Row:using(ds), Pair:using(ds)

  setup(function()
    ds:dropTables({ Row, Note, Pair, Keyless }, { ifExists = true })
    ds:createTables { Row, Note, Pair, Keyless }
    local list = {}
    for index = 1, ROWS do
      list[index] = {
        n = index % 7 > 1 and index % 7 or sql.null, name = index % 5 > 0 and "name " .. index % 4 or sql.null,
        price = index % 6 > 0 and sql.decimal(("%d.%02d"):format(index % 3, index % 4)) or sql.null,
        ratio = index % 9 > 0 and index % 4 / 3 or sql.null,
        madeAt = index % 8 > 0 and ("2024-01-0%d 10:00:00.00000%d"):format(index % 3 + 1, index % 2 + 1) or sql.null,
        must = index % 3,
      }
    end
    rows:insertMany(list)
    Note:using(ds):insertMany { { rowId = 1 }, { rowId = 2 }, { rowId = 2 } }
    for left = 1, 4 do
      for right = 1, 4 do
        pairs_of:insert { left = left, right = right, n = right % 2 }
      end
    end
  end)

  local function ids(list)
    local found = {}
    for index, row in ipairs(list) do
      found[index] = row.id
    end
    return found
  end

  -- Every page from the first, then every page back from the last: two lists of ids.
  local function walk(q, size)
    local there, cursor, last = {}, nil
    repeat
      local page = q:paginateWithCursor(size, cursor)
      table.move(ids(page.data), 1, #page.data, #there + 1, there)
      cursor = page.paginationMetadata.nextCursor
      assert.equal(cursor ~= nil, page.paginationMetadata.hasMorePages)
      last = page
    until not cursor
    cursor = last.paginationMetadata.previousCursor
    local back = ids(last.data)
    while cursor do
      local page = q:paginateWithCursor(size, cursor)
      table.move(back, 1, #back, #page.data + 1)
      table.move(ids(page.data), 1, #page.data, 1, back)
      cursor = page.paginationMetadata.previousCursor
      assert.equal(cursor ~= nil, page.paginationMetadata.hasPreviousPages)
    end
    return there, back
  end

  describe("paginateWithCursor", function()
    local columns = { "n", "name", "price", "ratio", "madeAt", "must" }
    local seed = os.time()

    it("walks every order to its end and back (seed " .. seed .. ")", function()
      math.randomseed(seed)
      for _ = 1, WALKS do
        local q, direction = rows:query(), nil
        for _ = 1, math.random(0, 3) do
          direction = math.random(2) == 1 and "asc" or "desc"
          local nulls = ({ "first", "last" })[math.random(3)]
          q:orderBy(columns[math.random(#columns)], direction, nulls and { nulls = nulls })
        end
        local expected = ids(q:clone():orderBy("id", direction or "asc"):many())
        local there, back = walk(q, math.random(1, 17))
        assert.equal(ROWS, #there)
        assert.same(expected, there)
        assert.same(expected, back)
      end
    end)

    it("keeps the conditions of the query, ORs included", function()
      local q = rows:query():where("must", 1):orWhere("n", 3):orderBy("n")
      local expected = ids(q:clone():orderBy("id"):many())
      local there = walk(q, 4)
      assert.same(expected, there)
      assert.equal(#expected, q:paginateWithCursor(4, { total = true }).paginationMetadata.total)
    end)

    it("goes by keys of several columns", function()
      local there, cursor = {}, nil
      repeat
        local page = pairs_of:query():orderBy("n"):paginateWithCursor(3, cursor)
        for _, row in ipairs(page.data) do
          there[#there + 1] = ("%d %d %d"):format(row.n, row.left, row.right)
        end
        cursor = page.paginationMetadata.nextCursor
      until not cursor
      assert.equal(16, #there)
      local sorted = table.move(there, 1, #there, 1, {})
      table.sort(sorted)
      assert.same(sorted, there)
    end)

    it("does not shift when rows come and go", function()
      ds:transaction(function(trx)
        local q = rows:query():orderBy("id")
        local first = q:paginateWithCursor(10)
        rows:query():where("id", "<=", 5):delete()
        local second = q:paginateWithCursor(10, first.paginationMetadata.nextCursor)
        assert.equal(11, second.data[1].id)
        rows:query():where("id", 20):delete()
        local third = q:paginateWithCursor(10, second.paginationMetadata.nextCursor)
        assert.equal(21, third.data[1].id)
        trx:rollback()
      end)
    end)

    it("tells what stands where", function()
      local q = rows:query():orderBy("id")
      local page = q:paginateWithCursor(ROWS)
      local about = page.paginationMetadata
      assert.same({ perPage = ROWS, isEmpty = false, hasMorePages = false, hasPreviousPages = false }, about)
      about = q:clone():where("id", "<", 0):paginateWithCursor(5, { total = true }).paginationMetadata
      assert.same({ perPage = 5, isEmpty = true, hasMorePages = false, hasPreviousPages = false, total = 0 }, about)
    end)

    it("adds what it needs to the columns, and takes it off again", function()
      local q = rows:query():select("name"):orderBy("must"):orderBy("n", "desc")
      local first = q:paginateWithCursor(7)
      local second = q:paginateWithCursor(7, first.paginationMetadata.nextCursor)
      assert.is_nil(second.data[1].id)
      assert.is_false(second.data[1]:has("must"))
      assert.is_true(second.data[1]:has("name"))
    end)

    it("loads relations of the page and runs its hooks", function()
      local Hooked = model("PageHooked" .. database) {
        hysteria.tableName("page_rows"), id = column.increment(), must = column.integer(),
        notes = hysteria.hasMany("PageNote", { foreignKey = "rowId" }),
      }
      local seen = {}
      Hooked:hook("afterFetch", function(list) seen[#seen + 1] = #list end)
      local page = Hooked:using(ds):query():orderBy("id"):load("notes"):paginateWithCursor(2)
      assert.equal(2, #page.data[2].notes)
      assert.same({ 2 }, seen)
    end)

    it("refuses cursors that were changed, cut or belong elsewhere", function()
      local q = rows:query():orderBy("n")
      local cursor = q:paginateWithCursor(4).paginationMetadata.nextCursor
      local function refused(other, given)
        return error_of(function() other:paginateWithCursor(4, given) end).code
      end
      for index = 1, #cursor - 1, 3 do
        local letter = cursor:sub(index, index) == "A" and "B" or "A"
        assert.equal("INVALID_PAGINATION_PARAMETERS",
          refused(q, cursor:sub(1, index - 1) .. letter .. cursor:sub(index + 1)))
        assert.equal("INVALID_PAGINATION_PARAMETERS", refused(q, cursor:sub(1, -1 - index)))
      end
      assert.equal("INVALID_PAGINATION_PARAMETERS", refused(q, "' OR 1=1 --"))
      assert.equal("INVALID_PAGINATION_PARAMETERS", refused(rows:query():orderBy("n", "desc"), cursor))
      assert.equal("INVALID_PAGINATION_PARAMETERS", refused(rows:query():orderBy("must"), cursor))
      assert.equal("INVALID_PAGINATION_PARAMETERS", refused(pairs_of:query():orderBy("n"), cursor))
    end)

    it("seals cursors with the source's key", function()
      local function pages(key)
        local other = sql.connectToSecondarySource(config { cursorKey = key })
        return Row:using(other):query():where("name", "name 1"):orderBy("name"), other
      end
      local first_key, second_key = hysteria.generateKey(), hysteria.generateKey()
      local q, one = pages(first_key)
      local other, two = pages(second_key)
      local cursor = q:paginateWithCursor(2).paginationMetadata.nextCursor
      assert.same(3, #q:paginateWithCursor(3, cursor).data)
      assert.equal("INVALID_PAGINATION_PARAMETERS", error_of(function() other:paginateWithCursor(2, cursor) end).code)
      local open = rows:query():where("name", "name 1"):orderBy("name"):paginateWithCursor(2)
      assert.equal("INVALID_PAGINATION_PARAMETERS",
        error_of(function() q:paginateWithCursor(2, open.paginationMetadata.nextCursor) end).code)
      one:close()
      two:close()
    end)

    it("refuses what has no place to go on from", function()
      local cases = {
        { "INVALID_ARGUMENT", function() rows:query():select("n"):distinct():paginateWithCursor(2) end },
        { "INVALID_ARGUMENT", function() rows:query():select("n"):groupBy("n"):paginateWithCursor(2) end },
        { "INVALID_ARGUMENT", function() rows:query():orderByRaw("n + 1"):paginateWithCursor(2) end },
        { "INVALID_ARGUMENT", function() rows:query():orderBy("rough"):paginateWithCursor(2) end },
        { "INVALID_ARGUMENT", function() rows:query():orderBy("data"):paginateWithCursor(2) end },
        { "INVALID_ARGUMENT", function() rows:query():orderBy("cents"):paginateWithCursor(2) end },
        { "INVALID_ARGUMENT", function() rows:query():limit(5):paginateWithCursor(2) end },
        { "PRIMARY_KEY_NOT_FOUND", function() Keyless:using(ds):query():paginateWithCursor(2) end },
        { "PRIMARY_KEY_NOT_FOUND", function() ds:query("page_rows"):paginateWithCursor(2) end },
        { "INVALID_PAGINATION_PARAMETERS", function() rows:query():paginateWithCursor(0) end },
        { "NIL_VALUE", function() rows:query():paginateWithCursor() end },
        { "UNKNOWN_OPTION", function() rows:query():paginateWithCursor(2, { totl = true }) end },
      }
      for index, case in ipairs(cases) do
        assert.equal(case[1], error_of(case[2]).code, "case " .. index)
      end
    end)

    it("pages plain tables by a key that is named", function()
      local q = ds:query("page_rows"):select("must"):orderBy("must")
      local first = q:paginateWithCursor(25, { key = "id" })
      local second = q:paginateWithCursor(35, first.paginationMetadata.nextCursor, { key = "id" })
      assert.equal(25, #first.data)
      assert.equal(35, #second.data)
      assert.is_nil(second.paginationMetadata.nextCursor)
      assert.same({ must = first.data[1].must }, first.data[1]) -- what was selected, and no more
    end)

    it("pages plain tables beside joined ones of the same names", function()
      local function joined(alias)
        return ds:query("page_notes", { alias = alias or nil }):leftJoin("page_rows", "id", "row_id")
      end
      local function walk_plain(q, key)
        local found, cursor = {}, nil
        repeat
          local page = q():paginateWithCursor(2, cursor, { key = key })
          for _, row in ipairs(page.data) do
            found[#found + 1] = row.note or row.row_id
            for name in pairs(row) do
              assert.is_nil(name:find("hysteria", 1, true))
            end
          end
          cursor = page.paginationMetadata.nextCursor
        until not cursor or #found > 9
        return table.concat(found, " ")
      end
      for _, alias in ipairs { false, "x" } do
        local base = alias or "page_notes"
        local function named() return joined(alias):select({ base .. ".id", "note" }, "page_rows.id") end
        for _, key in ipairs { "id", base .. ".id" } do
          assert.equal("1 2 3", walk_plain(named, key))
          assert.equal("3 2 1", walk_plain(function() return named():orderBy(base .. ".id", "desc") end, key))
          assert.equal("1 2 2", walk_plain(function() return joined(alias):orderBy(base .. ".row_id") end, key))
        end
      end
      local function renamed() return ds:query("page_notes"):select { "id", "note" } end
      assert.equal("1 2 3", walk_plain(renamed, "page_notes.id"))
      assert.equal("1 2 2", walk_plain(function() return ds:query("page_notes") end, "page_notes.id"))
      local lists = {}
      for list in joined():select({ "page_notes.id", "note" }):chunk(2, { key = "id" }) do
        lists[#lists + 1] = #list
      end
      assert.same({ 2, 1 }, lists)
    end)
  end)

  describe("a default scope with an order and a limit", function()
    -- The last five rows, the newest first.
    local Last = model "PageLast" {
      hysteria.tableName("page_rows"), hysteria.defaultScope(function(q) q:orderBy("id", "desc"):limit(5) end),
      id = column.increment(), must = column.integer(),
    }
    local last = Last:using(ds)
    local function newest(from, to)
      local list = {}
      for place = from, to do
        list[#list + 1] = ROWS + 1 - place
      end
      return list
    end

    it("is a table, of whose rows a query's own limit and offset are", function()
      assert.same(newest(1, 5), last:query():pluck("id"))
      assert.same(newest(1, 2), last:query():limit(2):pluck("id"))
      assert.same(newest(1, 5), last:query():limit(9):pluck("id"))
      assert.same(newest(4, 5), last:query():offset(3):pluck("id"))
      assert.same(newest(4, 5), last:query():offset(3):limit(9):pluck("id"))
      assert.same({}, last:query():offset(7):limit(9):pluck("id"))
      assert.equal(2, last:query():offset(3):limit(9):count())
      assert.equal(60, #last:query():withoutDefaultScope():limit(99):many())
    end)

    it("is read in pages and parts as it is read whole", function()
      for page = 1, 3 do
        local got = last:query():paginate(page, 2)
        assert.same(newest(2 * page - 1, math.min(2 * page, 5)), ids(got.data))
        assert.equal(5, got.paginationMetadata.total)
        assert.equal(page < 3, got.paginationMetadata.hasMorePages)
      end
      for _, size in ipairs { 1, 2, 5, 9 } do
        local found = {}
        for list in last:query():chunk(size) do
          table.move(ids(list), 1, #list, #found + 1, found)
          assert.is_true(#found < 9)
        end
        assert.same(newest(1, 5), found)
      end
      assert.equal("INVALID_ARGUMENT", error_of(function() last:query():paginateWithCursor(2) end).code)
    end)

    it("decides over the order of cursors", function()
      local Newest = model "PageNewest" {
        hysteria.tableName("page_rows"),
        hysteria.defaultScope(function(q) q:where("must", 1):orderBy("id", "desc") end),
        id = column.increment(), must = column.integer(),
      }
      local q, found, cursor = Newest:using(ds):query(), {}, nil
      repeat
        local page = q:paginateWithCursor(3, cursor, { total = true })
        table.move(ids(page.data), 1, #page.data, #found + 1, found)
        assert.equal(20, page.paginationMetadata.total)
        cursor = page.paginationMetadata.nextCursor
      until not cursor or #found > ROWS
      assert.same(q:pluck("id"), found)
      assert.equal(20, #found)
    end)
  end)

  it("loses no row of a plain table to NULL", function()
    ds:rawQuery("DROP TABLE IF EXISTS page_holes")
    ds:rawQuery("CREATE TABLE page_holes (id integer NOT NULL, n integer, code integer)")
    for id = 1, 9 do
      ds:query("page_holes"):insert { id = id, n = id % 3 > 0 and id or sql.null, code = id < 9 and id or sql.null }
    end
    -- The ids that pages of two in this order give, sorted.
    local function in_twos(q, key)
      local found, cursor = {}, nil
      repeat
        local page = q:paginateWithCursor(2, cursor, { key = key })
        table.move(ids(page.data), 1, #page.data, #found + 1, found)
        cursor = page.paginationMetadata.nextCursor
      until not cursor
      table.sort(found)
      return found
    end
    local all = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }
    for _, direction in ipairs { "asc", "desc" } do
      assert.same(all, in_twos(ds:query("page_holes"):orderBy("n", direction), "id"))
      assert.same(all, in_twos(ds:query("page_holes"):orderBy("code", direction), "id"))
      -- A key that is NULL somewhere: all rows, or an error that says so.
      local fine, got = pcall(in_twos, ds:query("page_holes"):orderBy("n", direction), "code")
      if fine then
        assert.same(all, got)
      else
        assert.matches("NULL in `code` of the key", tostring(got))
      end
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 },
        in_twos(ds:query("page_holes"):whereNotNull("code"):orderBy("n", direction), "code"))
    end
    local raises = {}
    for _, direction in ipairs { "asc", "desc" } do
      raises[#raises + 1] = not pcall(in_twos, ds:query("page_holes"):orderBy("n", direction), "code")
    end
    assert.not_equal(raises[1], raises[2]) -- NULLs stand behind the others in one of the two
    ds:rawQuery("DROP TABLE page_holes")
  end)

  describe("chunk", function()
    local function chunks(q, size, given)
      local sizes, found = {}, {}
      for list in q:chunk(size, given) do
        sizes[#sizes + 1] = #list
        table.move(ids(list), 1, #list, #found + 1, found)
      end
      return sizes, found
    end

    it("gives all rows by the key", function()
      local sizes, found = chunks(rows:query(), 25)
      assert.same({ 25, 25, 10 }, sizes)
      assert.same(ids(rows:query():orderBy("id"):many()), found)
      assert.same({ 30, 30 }, (chunks(rows:query(), 30)))
    end)

    it("keeps order, limit and offset of the query", function()
      local q = rows:query():orderBy("n", "desc"):limit(20):offset(7)
      local expected = ids(rows:query():orderBy("n", "desc"):orderBy("id", "desc"):limit(20):offset(7):many())
      local sizes, found = chunks(q, 8)
      assert.same({ 8, 8, 4 }, sizes)
      assert.same(expected, found)
      assert.same({}, (chunks(rows:query():limit(0), 8)))
      assert.same({}, (chunks(rows:query():where("id", "<", 0), 8)))
    end)

    it("loses nothing to rows that its body deletes", function()
      ds:transaction(function(trx)
        local seen = 0
        for list in rows:query():where("must", 1):chunk(3) do
          seen = seen + #list
          rows:query():whereIn("id", ids(list)):delete()
        end
        assert.equal(ROWS / 3, seen)
        assert.equal(0, rows:query():where("must", 1):count())
        trx:rollback()
      end)
    end)

    it("runs one query a chunk and leaves the builder as it is", function()
      local q = rows:query()
      local seen = databases.watch(ds)
      chunks(q, 20)
      assert.equal(3, #seen.stop())
      assert.equal(ROWS, #q:many())
    end)

    it("refuses to leave out rows that a join or a key that is not unique puts at the same place", function()
      local joined = rows:query():join("page_notes", "page_notes.row_id", "page_rows.id")
      assert.equal("INVALID_ARGUMENT", error_of(function() chunks(joined, 2) end).code)
      assert.equal(3, #select(2, chunks(joined, 3)))
      assert.equal("INVALID_ARGUMENT", error_of(function() joined:paginateWithCursor(2) end).code)
      assert.equal("INVALID_ARGUMENT", error_of(function() chunks(rows:query(), 2, { key = "n" }) end).code)
      local few = rows:query():where("id", "<=", 7):where("id", ">", 1) -- one n is NULL, the others are its own
      assert.equal(6, #select(2, chunks(few, 1, { key = "n" })))
    end)

    it("goes on by an enum only where it is compared as it is ordered", function()
      local Enum = model "PageEnum" { id = column.increment(), e = column.enum { "zeta", "alpha", "mu" } }
      ds:dropTables({ Enum }, { ifExists = true })
      ds:createTables { Enum }
      local enums = Enum:using(ds)
      enums:insertMany { { e = "mu" }, { e = "zeta" }, { e = "alpha" }, { e = "zeta" } }
      local ordered = enums:query():orderBy("e"):orderBy("id"):pluck("e")
      if ordered[1] == "zeta" then -- by its list
        assert.is_true(database == "mysql" or database == "mariadb")
        assert.equal(1, enums:query():where("e", ">", "mu"):distinct():select("e"):count()) -- as text
        assert.equal("INVALID_ARGUMENT", error_of(function() chunks(enums:query():orderBy("e"), 1) end).code)
      else
        local found = {}
        for list in enums:query():orderBy("e"):chunk(1) do
          found[#found + 1] = list[1].e
        end
        assert.same(ordered, found)
      end
    end)

    it("refuses a size that is none", function()
      assert.equal("INVALID_ARGUMENT", error_of(function() rows:query():chunk(0) end).code)
      assert.equal("NIL_VALUE", error_of(function() rows:query():chunk() end).code)
    end)
  end)

  describe("cursors", function()
    it("do not tell hidden and sensitive columns to everybody", function()
      local Secret = model "PageSecret" {
        id = column.increment(), pin = column.string { hidden = true }, code = column.string { sensitive = true },
      }
      ds:dropTables({ Secret }, { ifExists = true })
      ds:createTables { Secret }
      local secrets = Secret:using(ds)
      secrets:insertMany { { pin = "b", code = "y" }, { pin = "a", code = "z" } }
      for _, name in ipairs { "pin", "code" } do
        local err = error_of(function() secrets:query():orderBy(name):paginateWithCursor(1) end)
        assert.equal("INVALID_ARGUMENT", err.code)
        assert.truthy(err.message:find("cursorKey", 1, true))
      end
      local found = {}
      for list in secrets:query():orderBy("pin"):chunk(1) do
        found[#found + 1] = list[1].id
      end
      assert.same({ 2, 1 }, found)
    end)

    it("that somebody made are refused by their one code", function()
      local core = require("hysteria.core")
      local cursor = rows:query():paginateWithCursor(1).paginationMetadata.nextCursor
      local print = core.jsonDecode(core.untoken(cursor))[2]
      for _, values in ipairs { '[{"f":"x"}]', "[{}]", "[[1]]", '[{"d":"x"}]', '[{"f":5}]', '"x"', "5", '{"1":1}' } do
        local made = core.token(('[0,"%s",%s]'):format(print, values))
        assert.equal("INVALID_PAGINATION_PARAMETERS",
          error_of(function() rows:query():paginateWithCursor(1, made) end).code, values)
      end
      for _, text in ipairs { "1", "null", "[]", "{", '"a"', "[0]" } do
        assert.equal("INVALID_PAGINATION_PARAMETERS",
          error_of(function() rows:query():paginateWithCursor(1, core.token(text)) end).code, text)
      end
    end)
  end)

  describe("paginate", function()
    it("tells total and pages exactly", function()
      local page = rows:query():orderBy("id"):paginate(3, 25)
      assert.same({ 51, 52, 53, 54, 55, 56, 57, 58, 59, 60 }, ids(page.data))
      assert.same({ total = 60, perPage = 25, currentPage = 3, firstPage = 1, lastPage = 3, isEmpty = false,
        hasMorePages = false, hasPages = true }, page.paginationMetadata)
      page = rows:query():where("id", "<", 0):paginate(1, 25)
      assert.same({ total = 0, perPage = 25, currentPage = 1, firstPage = 1, lastPage = 1, isEmpty = true,
        hasMorePages = false, hasPages = false }, page.paginationMetadata)
      assert.same({}, rows:query():paginate(9, 25).data)
    end)

    it("counts groups, distinct rows and unions as rows", function()
      assert.equal(3, rows:query():select("must"):groupBy("must"):paginate(1, 2).paginationMetadata.total)
      local page = rows:query():select("must"):distinct():orderBy("must"):paginate(2, 2)
      assert.equal(3, page.paginationMetadata.total)
      assert.equal(1, #page.data)
    end)

    it("stays within a limit of the query", function()
      local q = rows:query():orderBy("id"):limit(12):offset(10)
      assert.same({ 11, 12, 13, 14, 15 }, ids(q:paginate(1, 5).data))
      local last = q:paginate(3, 5)
      assert.same({ 21, 22 }, ids(last.data))
      assert.equal(12, last.paginationMetadata.total)
      assert.same({}, q:paginate(4, 5).data)
    end)

    it("refuses pages that are none", function()
      for _, case in ipairs { { 0, 5 }, { 1, 0 }, { 1.5, 5 }, { "1", 5 }, { math.maxinteger, math.maxinteger } } do
        assert.equal("INVALID_PAGINATION_PARAMETERS",
          error_of(function() rows:query():paginate(case[1], case[2]) end).code)
      end
      assert.equal("NIL_VALUE", error_of(function() rows:query():paginate(1) end).code)
    end)
  end)
end, { shared = true, pool = { max = 4 } })
