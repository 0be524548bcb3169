-- Rows that softDelete() only marks, in the column deletedAt.
local hysteria = require("hysteria")

return hysteria.mixin {
  hysteria.softDelete("deletedAt"),
}
