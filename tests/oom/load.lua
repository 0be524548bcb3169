-- A Lua state from nothing, and every module in it. Run by test_oom.c, which says what must hold.
local script = {}

function script.run()
  require("hysteria")
  step()
end

-- What could not be loaded is loaded now, and what was loaded while memory was short works.
function script.probe()
  local hysteria = require("hysteria")
  local sql, column = hysteria.sql, hysteria.column
  local Thing = hysteria.model "Thing" { id = column.increment(), word = column.string(), price = column.decimal() }
  sql.connect { type = "sqlite", database = database }
  sql.createTables { Thing }
  Thing:insertMany { { word = "one", price = "1.50" }, { word = "two", price = "2" } }
  assert(Thing:query():where("word", "two"):getSum("price") == sql.decimal("2"))
  assert(#Thing:all() == 2 and not pcall(Thing.query(Thing).where, "nothing"))
  sql.dropTables { Thing }
  sql.disconnect()
end

return script
