-- A user to start from: a key, a unique address, timestamps.
local hysteria = require("hysteria")
local column = hysteria.column

return hysteria.model "User" {
  hysteria.timestamps(),

  id = column.increment(),
  email = column.string { length = 255, nullable = false, unique = true },
}
