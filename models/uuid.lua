-- A primary key `id` that is a random UUID, known before the row is stored.
local hysteria = require("hysteria")

return hysteria.mixin {
  id = hysteria.column.uuid { primaryKey = true },
}
