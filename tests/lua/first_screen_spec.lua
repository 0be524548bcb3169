-- The first screen of the API description, word by word, and what it says about the SQL.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

databases.each(function(_, _, config)
  describe("the first screen", function()
    local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
    local User, Post

    before_each(function()
      User = model "User" {
        hysteria.timestamps(),
        hysteria.softDelete("deletedAt"),
        hysteria.index { "age" },
        hysteria.check("age >= 0"),
        hysteria.beforeInsert(function(user) user.email = user.email:lower() end),

        id       = column.increment(),
        email    = column.string { length = 190, nullable = false, unique = true },
        age      = column.integer(),
        settings = column.json(),
        password = column.hashed { hidden = true },
        posts    = hysteria.hasMany("Post", { foreignKey = "authorId" }),
      }

      Post = model "Post" {
        id       = column.increment(),
        authorId = column.integer { nullable = false },
        title    = column.string(),
        author   = hysteria.belongsTo("User", { foreignKey = "authorId", onDelete = "cascade" }),
      }

      sql.connect(config())
      sql.dropTables({ User, Post }, { ifExists = true })
      sql.createTables { User, Post }
    end)

    after_each(function()
      sql.dropTables({ User, Post }, { ifExists = true }) -- others have a table of users too
      sql.disconnect()
    end)

    it("inserts, loads and prints", function()
      local ada = User:insert { email = "ADA@X.ORG", age = 36 }
      Post:insertMany { { authorId = ada.id, title = "Notes" }, { authorId = ada.id, title = "More" } }

      local lines = {}
      for _, user in ipairs(User:query():where("age", ">", 18):orderBy("email"):load("posts"):many()) do
        lines[#lines + 1] = user.email .. " " .. #user.posts
      end

      assert.same({ "ada@x.org 2" }, lines)
    end)

    it("makes tables that keep what it says", function()
      User:insert { email = "a@x", age = 1 }

      assert.equal("UNIQUE_VIOLATION", databases.error_of(User.insert, User, { email = "A@X", age = 1 }).code)
      assert.equal("NOT_NULL_VIOLATION", databases.error_of(Post.insert, Post, { title = "t" }).code)
      assert.equal("CHECK_VIOLATION", databases.error_of(User.insert, User, { email = "b@x", age = -1 }).code)
      assert.equal("FOREIGN_KEY_VIOLATION", databases.error_of(Post.insert, Post, { authorId = 7 }).code)
    end)

    it("keeps a password that only verify can ask for", function()
      User:insert { email = "ada@x.org", age = 36, password = "lovelace" }

      local ada = User:findOneBy("email", "ada@x.org")
      assert.is_nil(ada.password)
      assert.is_true(ada:verify("password", "lovelace"))
      assert.is_false(ada:verify("password", "byron"))
    end)

    it("deletes the posts with their author", function()
      local ada = User:insert { email = "a@x", age = 1 }
      Post:insert { authorId = ada.id, title = "t" }

      ada:delete()

      assert.equal(0, sql.rawQuery("SELECT count(*) AS n FROM posts")[1].n)
    end)

    it("needs two statements for parents and their relation", function()
      local ada = User:insert { email = "a@x", age = 20 }
      for index = 1, 5 do
        User:insert { email = index .. "@x", age = 20 + index }
        Post:insert { authorId = ada.id, title = "t" .. index }
      end
      local seen = databases.watch(sql.getInstance())

      User:query():load("posts"):many()

      assert.equal(2, #seen.stop())
    end)
  end)
end)

describe("the first screen on SQLite, as its schema shows it,", function()
  local sql, column = hysteria.sql, hysteria.column

  it("makes the tables that it says", function()
    local User = hysteria.model "User" {
      hysteria.index { "age" },
      hysteria.check("age >= 0"),
      id = column.increment(),
      email = column.string { length = 190, nullable = false, unique = true },
      age = column.integer(),
    }
    local Post = hysteria.model "Post" {
      id = column.increment(),
      authorId = column.integer { nullable = false },
      author = hysteria.belongsTo("User", { foreignKey = "authorId", onDelete = "cascade" }),
    }
    local ds = sql.connectToSecondarySource { type = "sqlite" }
    ds:createTables { User, Post }
    local text = {}
    for _, row in ipairs(ds:rawQuery("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")) do
      text[#text + 1] = row.sql
    end
    ds:close()
    local all = table.concat(text, "\n")

    assert.matches("CREATE TABLE \"users\"", all, 1, true)
    assert.matches("\"email\" VARCHAR%(190%)[^,]*NOT NULL", all)
    assert.matches("age >= 0", all, 1, true)
    assert.matches("CREATE INDEX \"idx_users_age\" ON \"users\"", all, 1, true)
    assert.matches("ON DELETE CASCADE", all, 1, true)
  end)
end)
