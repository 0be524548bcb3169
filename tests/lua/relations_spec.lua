-- Relations and their loading, against an oracle in plain Lua over raw rows.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql = hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

databases.each(function(ds)
  local fetched = 0
  local Author = model "RelAuthor" {
    id = column.increment(), name = column.string(), code = column.string { unique = true },
    books = hysteria.hasMany("RelBook", { foreignKey = "authorId" }),
    newest = hysteria.hasOne("RelBook", { foreignKey = "authorId" }),
    byCode = hysteria.hasMany("RelBook", { foreignKey = "authorCode", localKey = "code" }),
    orders = hysteria.hasMany("RelOrder"),
  }
  local Book = model "RelBook" {
    hysteria.softDelete(),
    id = column.increment(), authorId = column.integer(), authorCode = column.string(), title = column.string(),
    author = hysteria.belongsTo("RelAuthor", { foreignKey = "authorId" }),
    coder = hysteria.belongsTo("RelAuthor", { foreignKey = "authorCode", targetKey = "code", constraint = false }),
    reviews = hysteria.hasMany("RelReview", { foreignKey = "bookId" }),
  }
  local Review = model "RelReview" {
    hysteria.beforeFetch(function() fetched = fetched + 1 end),
    hysteria.afterFetch(function(list)
      for _, row in ipairs(list) do
        row.text = row.text .. "!"
      end
    end),
    id = column.increment(), bookId = column.integer(), text = column.string(),
    book = hysteria.belongsTo("RelBook", { foreignKey = "bookId" }),
  }
  local Order = model "RelOrder" {
    id = column.increment(), relAuthorId = column.integer(),
    relAuthor = hysteria.belongsTo("RelAuthor"),
  }
  local Node = model "RelNode" {
    id = column.increment(), parentId = column.integer(),
    parent = hysteria.belongsTo("RelNode", { foreignKey = "parentId" }),
    children = hysteria.hasMany("RelNode", { foreignKey = "parentId" }),
  }
  local Place = model "RelPlace" {
    hysteria.primaryKey { "x", "y" }, x = column.integer(), y = column.integer(),
    signs = hysteria.hasMany("RelSign", { foreignKey = { "px", "py" } }),
  }
  local Sign = model "RelSign" {
    id = column.increment(), px = column.integer(), py = column.integer(), text = column.string(),
    place = hysteria.belongsTo("RelPlace", { foreignKey = { "px", "py" } }),
  }
  local all = { Author, Book, Review, Order, Node, Place, Sign }
  local authors, books, reviews = Author:using(ds), Book:using(ds), Review:using(ds)

  before_each(function()
    fetched = 0
    ds:dropTables(all, { ifExists = true })
    ds:createTables(all)
    authors:insertMany { { name = "Ada", code = "A" }, { name = "Bob", code = "B" }, { name = "Cy" } }
    books:insertMany {
      { authorId = 1, authorCode = "B", title = "a1" }, { authorId = 2, title = "b1" },
      { authorId = 1, title = "a2" }, { title = "orphan" }, { authorId = 1, authorCode = "A", title = "a3" },
    }
    reviews:insertMany { { bookId = 1, text = "good" }, { bookId = 1, text = "bad" }, { bookId = 3, text = "so so" } }
  end)

  local function titles(list)
    local names = {}
    for index, row in ipairs(list) do
      names[index] = row.title
    end
    return table.concat(names, " ")
  end

  describe("load", function()
    it("fills lists and rows as joining by hand does", function()
      local by_author = {}
      for _, row in ipairs(ds:rawQuery("SELECT author_id AS a, title FROM rel_books ORDER BY id")) do
        if row.a then
          by_author[row.a] = by_author[row.a] or {}
          table.insert(by_author[row.a], row.title)
        end
      end
      for _, author in ipairs(authors:query():load("books", function(q) q:orderBy("id") end):many()) do
        assert.equal(table.concat(by_author[author.id] or {}, " "), titles(author.books))
      end
      for _, book in ipairs(books:query():load("author"):many()) do
        assert.equal(book.authorId, book.author and book.author.id)
      end
    end)

    it("gives an empty list or nil where there is nothing", function()
      local cy = authors:query():where("name", "Cy"):load("books"):load("newest"):one()
      assert.same({}, cy.books)
      assert.is_nil(cy.newest)
      assert.is_nil(books:query():where("title", "orphan"):load("author"):one().author)
    end)

    it("takes one statement per relation however many parents there are", function()
      local seen = databases.watch(ds)
      local list = authors:query():load("books.reviews"):load("orders"):many()
      assert.equal(4, #seen.stop())
      assert.equal(3, #list)
    end)

    it("asks for nothing when there are no parents", function()
      local seen = databases.watch(ds)
      authors:query():where("id", 99):load("books"):many()
      books:query():where("title", "orphan"):load("author"):many()
      assert.equal(2, #seen.stop())
    end)

    it("nests, and keeps callbacks at their place", function()
      local ada = authors:query():where("id", 1)
        :load("books", function(q) q:orderBy("title", "desc") end)
        :load("books.reviews", function(q) q:where("text", "!=", "bad") end)
        :load("books.author"):one()

      assert.equal("a3 a2 a1", titles(ada.books))
      assert.equal("good!", ada.books[3].reviews[1].text)
      assert.equal(1, #ada.books[3].reviews)
      assert.equal("Ada", ada.books[1].author.name)
    end)

    it("nests by the callback too", function()
      local ada = authors:query():where("id", 1):load("books", function(q) q:load("reviews"):orderBy("id") end):one()
      assert.equal(2, #ada.books[1].reviews)
    end)

    it("takes a table of names and callbacks", function()
      local ada = authors:query():where("id", 1)
        :load({ "newest", books = function(q) q:where("title", "a2") end }):one()
      assert.equal("a2", titles(ada.books))
      assert.is_truthy(ada.newest)
    end)

    it("runs the related model's hooks and soft deletion", function()
      books:findOneBy("title", "a2"):softDelete()
      local ada = authors:query():where("id", 1):load("books.reviews"):one()
      assert.equal(2, #ada.books)
      assert.equal(1, fetched)
      assert.equal("!", ada.books[1].reviews[1].text:sub(-1))
      assert.equal(3, #authors:query():where("id", 1):load("books", function(q) q:withDeleted() end):one().books)
    end)

    it("groups the callback's OR apart from the keys", function()
      local ada = authors:query():where("id", 1)
        :load("books", function(q) q:where("title", "a1"):orWhere("title", "b1") end):one()
      assert.equal("a1", titles(ada.books))
    end)

    it("adds the keys it needs and takes them away again", function()
      local list = authors:query():select("name"):orderBy("id")
        :load("books", function(q) q:select("title"):orderBy("id") end):many()

      assert.equal("a1 a2 a3", titles(list[1].books))
      assert.is_nil(list[1].id)
      assert.is_false(list[1]:has("id"))
      assert.is_nil(list[1].books[1].authorId)
      assert.is_false(list[1].books[1]:has("authorId"))
      assert.is_true(list[1].books[1]:has("title"))
    end)

    it("keeps keys that were selected, whatever their spelling", function()
      local row = authors:query():select("rel_authors.id", "name"):where("id", 1):load("books"):one()
      assert.equal(1, row.id)
      assert.equal(3, #row.books)
    end)

    it("says so when a query cannot give the keys", function()
      local err = error_of(function() authors:query():select("name"):distinct():load("books"):many() end)
      assert.equal("INVALID_ARGUMENT", err.code)
    end)

    it("limits per parent", function()
      local list = authors:query():orderBy("id")
        :load("books", function(q) q:orderBy("id", "desc"):limit(2) end):many()
      assert.equal("a3 a2", titles(list[1].books))
      assert.equal("b1", titles(list[2].books))
    end)

    it("limits per parent where there is one row only", function()
      local list = authors:query():orderBy("id")
        :load("newest", function(q) q:orderBy("id", "desc"):limit(1) end):many()
      assert.equal("a3", list[1].newest.title)
      assert.equal("b1", list[2].newest.title)
      assert.is_nil(list[3].newest)
      list = authors:query():orderBy("id"):load("newest", function(q) q:orderBy("id"):offset(1) end):many()
      assert.equal("a2", list[1].newest.title)
      assert.is_nil(list[2].newest)
      for _, book in ipairs(books:query():load("author", function(q) q:limit(1) end):many()) do
        assert.equal(book.authorId, book.author and book.author.id)
      end
    end)

    it("gives parents that share a row the same row, but lists of their own", function()
      local list = books:query():where("authorId", 1):load("author"):many()
      assert.equal(list[1].author, list[2].author)
      local signs = Sign:using(ds)
      Place:using(ds):insert { x = 1, y = 1 }
      signs:insertMany { { px = 1, py = 1, text = "s" }, { px = 1, py = 1, text = "t" } }
      local two = signs:query():load("place.signs"):many()
      assert.equal(2, #two[1].place.signs)
    end)

    it("works by other keys than the primary one", function()
      local ada = authors:query():where("id", 1):load("byCode"):one()
      assert.equal("a3", titles(ada.byCode))
      local book = books:query():where("title", "a1"):load("coder"):one()
      assert.equal("Bob", book.coder.name)
    end)

    it("works with keys of several columns", function()
      Place:using(ds):insertMany { { x = 1, y = 2 }, { x = 12, y = 0 }, { x = 1, y = 3 } }
      Sign:using(ds):insertMany { { px = 1, py = 2, text = "p" }, { px = 12, py = 0, text = "q" }, { text = "r" } }
      local list = Place:using(ds):query():load("signs"):orderBy("x"):orderBy("y"):many()
      assert.equal("p", list[1].signs[1].text)
      assert.same({}, list[2].signs)
      assert.equal("q", list[3].signs[1].text)
      local signs = Sign:using(ds):query():orderBy("id"):load("place"):many()
      assert.equal(2, signs[1].place.y)
      assert.is_nil(signs[3].place)
    end)

    it("works on a model that refers to itself", function()
      local nodes = Node:using(ds)
      nodes:insertMany { { parentId = sql.null }, { parentId = 1 }, { parentId = 1 }, { parentId = 2 } }
      local root = nodes:query():where("id", 1):load("children.children"):one()
      assert.equal(2, #root.children)
      assert.equal(4, root.children[1].children[1].id)
      assert.equal(1, nodes:query():where("id", 4):load("parent.parent"):one().parent.parent.id)
    end)

    it("finds whose a row is where Lua cannot tell which keys are equal", function()
      local exclaim = { length = 20, serialize = function(text) return text .. "!" end,
        prepare = function(text) return (text:gsub("!$", "")) end }
      local CASES = {
        { "date", { as = "table" }, { "2024-01-02", "2024-01-03" } },
        { "datetime", { as = "epoch" }, { "2024-01-02 00:00:00", "2024-01-02 00:00:01" } },
        { "decimal", { precision = 10, scale = 2 }, { sql.decimal("1.50"), sql.decimal("0.00") },
          { precision = 12, scale = 3 } },
        { "boolean", {}, { false, true } },
        { "string", exclaim, { "k", "" } },
        { "string", { length = 20 }, { "a", "0" }, exclaim },
      }
      local one, other = { id = column.increment() }, { id = column.increment() }
      local rows, other_rows = { {}, {}, {} }, { {}, {}, {}, {} }
      for index, case in ipairs(CASES) do
        local kind, key = column[case[1]], "key" .. index
        one[key], other[key] = kind(case[2]), kind(case[4] or case[2])
        one["others" .. index] = hysteria.hasMany("RelOther", { foreignKey = key, localKey = key })
        other["one" .. index] = hysteria.belongsTo("RelOne", { foreignKey = key, targetKey = key, constraint = false })
        for place, value in ipairs { 1, 2, 1 } do
          other_rows[place][key] = case[3][value]
        end
        rows[1][key], rows[2][key] = case[3][1], case[3][2]
      end
      local One, Other = model("RelOne")(one), model("RelOther")(other)
      ds:dropTables({ One, Other }, { ifExists = true })
      ds:createTables { One, Other }
      One:using(ds):insertMany(rows)
      Other:using(ds):insertMany(other_rows)

      for index, case in ipairs(CASES) do
        local counts, owners = {}, {}
        for place, row in ipairs(One:using(ds):query():orderBy("id"):load("others" .. index):many()) do
          counts[place] = #row["others" .. index]
        end
        for place, row in ipairs(Other:using(ds):query():orderBy("id"):load("one" .. index):many()) do
          owners[place] = row["one" .. index] and row["one" .. index].id or 0
        end
        assert.same({ 2, 1, 0 }, counts, case[1])
        assert.same({ 1, 2, 1, 0 }, owners, case[1])
      end
      ds:dropTables { One, Other }
    end)

    it("asks once for keys of kinds that read alike", function()
      local Box = model "RelBox" {
        id = column.uuid { primaryKey = true }, code = column.char { length = 6 },
        things = hysteria.hasMany("RelThing", { foreignKey = "boxId" }),
        coded = hysteria.hasMany("RelThing", { foreignKey = "boxCode", localKey = "code" }),
      }
      local Thing = model "RelThing" {
        id = column.increment(), boxId = column.string { length = 36 }, boxCode = column.string { length = 6 },
        box = hysteria.belongsTo("RelBox", { foreignKey = "boxId", constraint = false }),
      }
      ds:dropTables({ Box, Thing }, { ifExists = true })
      ds:createTables { Box, Thing }
      local things = Thing:using(ds)
      local boxes = Box:using(ds):insertMany { { code = "ab" }, { code = "abcdef" }, {} }
      things:insertMany {
        { boxId = boxes[2].id, boxCode = "ab" }, { boxId = boxes[1].id }, { boxId = boxes[2].id, boxCode = "abcdef" },
      }
      local seen = databases.watch(ds)
      local filled = Box:using(ds):query():load("things"):many()
      for index, thing in ipairs(things:query():orderBy("id"):load("box"):many()) do
        assert.equal(boxes[index == 2 and 1 or 2].id, thing.box.id)
      end
      assert.equal(4, #seen.stop())
      for _, box in ipairs(filled) do
        assert.equal(box.id == boxes[2].id and 2 or box.id == boxes[1].id and 1 or 0, #box.things)
      end
      for _, box in ipairs(Box:using(ds):query():load("coded"):many()) do
        assert.equal(box.code and 1 or 0, #box.coded)
      end
      ds:dropTables { Thing, Box }
    end)

    it("finds whose a row is as a join does, however the texts of keys are spelled", function()
      local function joined(condition)
        local list = {}
        for index, row in ipairs(ds:rawQuery("SELECT b.title AS title, a.name AS name FROM rel_books b "
          .. "JOIN rel_authors a ON a.code = b.author_code WHERE " .. condition .. " ORDER BY b.id")) do
          list[index] = row.title .. row.name
        end
        return list
      end
      ds:rawQuery("DELETE FROM rel_reviews")
      ds:rawQuery("DELETE FROM rel_books")
      authors:insertMany {
        { name = "Eve", code = "\u{e9}t\u{e9}" }, { name = "Dan", code = "d" }, { name = "Fay", code = "x y" },
      }
      local codes = { "a", "A", "b", "b ", "ETE", "\u{e9}t\u{e9}", "D", "nobody", "N\u{f6}body", "X Y", "X Y " }
      for index, code in ipairs(codes) do
        books:insert { authorCode = code, title = ("t%02d"):format(index) }
      end
      for _, condition in ipairs { "1 = 1", "b.author_code IN ('b ', 'D')", "b.title IN ('t05', 't08')",
        "b.title > 't06'", "b.title = 't06'" } do
        local numbers = {}
        for index, row in ipairs(ds:rawQuery("SELECT id FROM rel_books b WHERE " .. condition .. " ORDER BY id")) do
          numbers[index] = row.id
        end
        local up, down = {}, {}
        for _, book in ipairs(books:query():whereIn("id", numbers):orderBy("id"):load("coder"):many()) do
          up[#up + 1] = book.coder and book.title .. book.coder.name
        end
        for _, author in ipairs(authors:query():load("byCode", function(q) q:whereIn("id", numbers) end):many()) do
          for _, book in ipairs(author.byCode) do
            down[#down + 1] = book.title .. author.name
          end
        end
        table.sort(down)
        assert.same(joined(condition), up, condition)
        assert.same(joined(condition), down, condition)
      end
    end)

    it("finds default foreign keys by either name", function()
      Order:using(ds):insert { relAuthorId = 2 }
      assert.equal(1, #authors:query():where("id", 2):load("orders"):one().orders)
      assert.equal("Bob", Order:using(ds):query():load("relAuthor"):one().relAuthor.name)
    end)

    it("fills a record that is there already", function()
      local ada = authors:findOneByPrimaryKey(1)
      assert.is_nil(ada.books)
      assert.equal(ada, ada:load("books"))
      assert.equal(3, #ada.books)
      ada:load("books", function(q) q:where("title", "a1") end)
      assert.equal(1, #ada.books)
      local part = authors:query():select("name"):one()
      assert.equal("INVALID_ARGUMENT", error_of(part.load, part, "books").code)
    end)

    it("is part of find", function()
      local ada = authors:findOne { where = { id = 1 }, relations = { "books.reviews" } }
      assert.equal(2, #ada.books[1].reviews)
    end)

    it("goes into toTable, toJson and print", function()
      local ada = authors:query():where("id", 1):load("books", function(q) q:select("title"):orderBy("id") end):one()
      assert.same({ { title = "a1" }, { title = "a2" }, { title = "a3" } }, ada:toTable().books)
      local json = hysteria.json.decode(ada:toJson())
      assert.equal("a2", json.books[2].title)
      assert.matches("books = [3]", tostring(ada), 1, true)
    end)

    it("reads inside the transaction of its parents", function()
      local trx = ds:transaction()
      trx.sql:getModelManager(Book):insert { authorId = 3, title = "draft" }
      local cy = authors:query({ trx = trx }):where("id", 3):load("books"):one()
      assert.equal("draft", titles(cy.books))
      trx:rollback()
      assert.same({}, authors:query():where("id", 3):load("books"):one().books)
    end)

    it("leaves the builder as it was", function()
      local q = authors:query():select("name"):where("id", 1):load("books")
      assert.equal(3, #q:one().books)
      assert.equal(3, #q:one().books)
      assert.is_nil(q:toQuery("sqlite"):match("^SELECT(.-)FROM"):find("\"id\"", 1, true))
    end)

    it("can be taken back", function()
      assert.is_nil(authors:query():load("books"):clearRelations():one().books)
    end)
  end)

  describe("a relation", function()
    it("may name a model that is not there, until it is used", function()
      local Lonely = model "RelLonely" { id = column.increment(), others = hysteria.hasMany("RelOtherr") }
      local err = error_of(function() Lonely:query():load("others") end)
      assert.equal("MODEL_NOT_FOUND", err.code)
      assert.equal("RelLonely", err.model)
    end)

    it("names the column that its foreign key should be", function()
      model "RelWrong" { id = column.increment(), authr = column.integer(),
        author = hysteria.belongsTo("RelAuthor", { foreignKey = "autr" }) }
      local err = error_of(function() ds:createTables { require("hysteria.state").models.RelWrong } end)
      assert.equal("INVALID_MODEL", err.code)
      assert.matches("authr", err.message, 1, true)
    end)

    it("refuses options of another kind and wrong actions", function()
      assert.equal("UNKNOWN_OPTION", error_of(hysteria.hasMany, "RelBook", { onDelete = "cascade" }).code)
      assert.equal("INVALID_MODEL", error_of(hysteria.belongsTo, "RelBook", { onDelete = "explode" }).code)
      assert.equal("NIL_VALUE", error_of(hysteria.hasMany, nil).code)
    end)
  end)
end)
