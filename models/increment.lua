-- A primary key `id` that the database counts up.
local hysteria = require("hysteria")

return hysteria.mixin {
  id = hysteria.column.increment(),
}
