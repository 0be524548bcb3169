-- createdAt, set when a row is inserted, and updatedAt, set then and at every update.
local hysteria = require("hysteria")
local column = hysteria.column

return hysteria.mixin {
  createdAt = column.datetime { nullable = false, autoCreate = true },
  updatedAt = column.datetime { nullable = false, autoCreate = true, autoUpdate = true },
}
