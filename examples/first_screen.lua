-- The first screen: two models, a few rows, one query. Run by `make demo`, or with
-- hysteria-lua examples/first_screen.lua; needs nothing but SQLite in memory.
local hysteria = require("hysteria")
local sql, model, column = hysteria.sql, hysteria.model, hysteria.column

local User = model "User" {
  hysteria.timestamps(),
  hysteria.softDelete("deletedAt"),
  hysteria.index { "age" },
  hysteria.check("age >= 0"),
  hysteria.beforeInsert(function(user) user.email = user.email:lower() end),

  id       = column.increment(),
  email    = column.string { length = 190, nullable = false, unique = true },
  age      = column.integer(),
  settings = column.json(),
  posts    = hysteria.hasMany("Post", { foreignKey = "authorId" }),
}

local Post = model "Post" {
  id       = column.increment(),
  authorId = column.integer { nullable = false },
  title    = column.string(),
  author   = hysteria.belongsTo("User", { foreignKey = "authorId", onDelete = "cascade" }),
}

sql.connect { type = "sqlite", database = ":memory:" }
sql.createTables { User, Post }

local ada = User:insert { email = "ADA@X.ORG", age = 36, settings = { theme = "dark" } }
User:insert { email = "kid@x.org", age = 9 }
Post:insertMany { { authorId = ada.id, title = "Notes" }, { authorId = ada.id, title = "More" } }

local adults = User:query():where("age", ">", 18):orderBy("email"):load("posts")

print(adults:toQuery())
print()
for _, user in ipairs(adults:many()) do
  print(user.email, user.settings.theme, #user.posts .. " posts")
end
print(Post:findOne { where = { title = sql.op.like("No%") }, relations = { "author" } })
