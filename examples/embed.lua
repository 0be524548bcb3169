-- The model, the hook and the functions that embed.c calls. `shared` is the data source of the C program.
local shared = ...
local hysteria = require("hysteria")
local column, sql = hysteria.column, hysteria.sql

local Order = hysteria.model "Order" {
  hysteria.beforeInsert(function(order)
    if order.amount <= sql.decimal(0) then
      error("an order needs an amount", 0)
    end
    order.customer = order.customer:lower()
  end),

  id = column.increment(),
  customer = column.string { nullable = false },
  amount = column.decimal { precision = 12, scale = 2, nullable = false },
}

sql.connect(shared)
sql.createTables { Order }

local orders = {}

function orders.place(customer, amount)
  return Order:insert({ customer = customer, amount = sql.decimal(amount) }).id
end

function orders.total(customer)
  return tostring(Order:where("customer", customer):getSum("amount"))
end

return orders
