-- Output handler for busted: the plain one, and at the end a tally file (HY_TALLY) that
-- tests/support/tally.lua adds up. A run that dies leaves no tally, and that counts as failed.
local busted = require("busted")

return function(options)
  local handler = require("busted.outputHandlers.plainTerminal")(options)

  local function names_of(list)
    local names = {}
    for _, item in ipairs(list) do
      local name = item.name ~= "" and item.name or tostring(item.message)
      names[#names + 1] = name:gsub("%s+", " ")
    end
    table.sort(names)
    return names
  end

  local function write_tally(path)
    local file <close> = assert(io.open(path, "w"))
    local function line(word, value)
      file:write(word, " ", value, "\n")
    end
    line("passed", handler.successesCount)
    line("failed", handler.failuresCount + handler.errorsCount)
    for _, name in ipairs(names_of(handler.failures)) do
      line("fail", name)
    end
    for _, name in ipairs(names_of(handler.errors)) do
      line("fail", name)
    end
    for _, name in ipairs(names_of(handler.pendings)) do
      line("skip", name)
    end
    line("end", "lua")
  end

  busted.subscribe({ "suite", "start" }, function(_, _, _, seed)
    io.write("seed: ", tostring(seed), "\n")
    return nil, true
  end)

  busted.subscribe({ "suite", "end" }, function()
    local path = os.getenv("HY_TALLY")
    if path then
      write_tally(path)
    end
    return nil, true
  end)

  return handler
end
