-- hysteria-lua explain [CODE]: what an error code means, what causes it and what to do.
local pages = require("hysteria.error_pages")

local explain = {}

local OK, USAGE = 0, 2
local WIDTH = 80

-- Text in lines of at most WIDTH, each behind two spaces.
local function wrapped(text)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line + #word + 1 > WIDTH - 2 and line ~= "" then
      lines[#lines + 1], line = line, ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return "  " .. table.concat(lines, "\n  ")
end

local function list()
  for _, page in ipairs(pages.all()) do
    print(("%-36s  %s"):format(page.code, page.text))
  end
  return OK
end

local function show(page)
  print(("%s: %s\n"):format(page.code, page.text))
  print(wrapped(("Kind %s: %s."):format(page.kind, page.advice)))
  print("\nCause\n" .. wrapped(page.cause))
  print("\nExample\n  " .. page.example:gsub("\n", "\n  "))
  print("\nWhat to do\n" .. wrapped(page.remedy))
  return OK
end

-- Gives the exit code of the program.
function explain.run(arguments)
  if #arguments > 1 then
    io.stderr:write("usage: hysteria-lua explain [CODE]\n")
    return USAGE
  elseif #arguments == 0 then
    return list()
  end
  local page, hint = pages.find(arguments[1])
  if page then
    return show(page)
  end
  io.stderr:write(("hysteria-lua explain: no error code `%s`%s\n"):format(arguments[1], hint))
  return USAGE
end

return explain
