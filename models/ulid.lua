-- A primary key `id` that is a ULID: known before the row is stored, and sorting by age.
local hysteria = require("hysteria")

return hysteria.mixin {
  id = hysteria.column.ulid { primaryKey = true },
}
