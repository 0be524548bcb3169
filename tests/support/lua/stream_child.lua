-- Reads a table in a process of its own, whose memory is that of the reading alone:
--
--   lua5.4 stream_child.lua TYPE DATABASE-OR-URL stream|transaction|many
--
-- prints rows, kilobytes by which the most ever resident grew, microseconds of processor a row.
local hysteria = require("hysteria")
local column, model, sql = hysteria.column, hysteria.model, hysteria.sql

local kind, where, how = arg[1], arg[2], arg[3]
local ds = sql.connectToSecondarySource(kind == "sqlite" and { type = kind, database = where } or { url = where })
local Wide = model "StreamWide" { id = column.increment(), n = column.integer(), name = column.string { length = 250 } }
local wide = Wide:using(ds)

local function peak()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmHWM:%s*(%d+)")
    if kilobytes then
      return tonumber(kilobytes)
    end
  end
end

local function read(between)
  local count = 0
  for row in wide:query():stream() do
    count = count + 1
    if between and count % 1000 == 0 then
      assert(row.n == wide:findOneByPrimaryKey(row.id).n)
    end
  end
  return count
end

local ways = {
  stream = function() return read(false) end,
  transaction = function() return ds:transaction(function() return read(true) end) end,
  many = function() return #wide:query():many() end,
}

assert(#wide:query():limit(5):many() == 5)
local before, started = peak(), os.clock()
local count = ways[how]()
print(("%d %d %.2f"):format(count, peak() - before, (os.clock() - started) / count * 1e6))
ds:close()
