-- Provoking errors for real: what a failure must look like (code, kind, the caller's line, fields),
-- and that no secret shows in it. The canaries stand where secrets do: the password of every
-- connection, a value bound for a sensitive column, and the contents of rows.
local core = require("hysteria.core")
local hysteria = require("hysteria")

local searched = 0

local failures = { PASSWORD = "Canary-Pass_word7", SECRET = "canary-secret-41x", ROW = "canary-row-93z" }

-- Every text in a value, however deep, with the path to it.
local function each_text(value, path, seen, fn)
  if type(value) == "string" then
    fn(value, path)
  elseif type(value) == "table" and not seen[value] then
    seen[value] = true
    for key, item in next, value do
      each_text(key, path .. ".(key)", seen, fn)
      each_text(item, path .. "." .. tostring(key), seen, fn)
    end
  end
end

-- Where a canary shows in an error, or in what observers were told.
function failures.leaks(subject, name, canaries)
  local found = {}
  each_text(subject, name, {}, function(text, path)
    searched = searched + 1
    for _, canary in ipairs(canaries) do
      if text:find(canary, 1, true) then
        found[#found + 1] = path
      end
    end
  end)
  return found
end

local FIELDS = { "constraint", "table", "columns", "sqlState", "nativeCode", "position", "feature", "dialect", "sql" }

-- The fields that an error carries, in one line: "columns nativeCode table".
function failures.fields(err)
  local list = {}
  for _, name in ipairs(FIELDS) do
    local value = err[name]
    if value ~= nil and not (type(value) == "table" and #value == 0) then
      list[#list + 1] = name
    end
  end
  return table.concat(list, " ")
end

-- Runs fn, which must raise an error of this code on one of its own lines, or of those of the
-- function `at` that it calls. Returns the error.
function failures.of(code, fn, at)
  local ok, err = pcall(fn)
  assert(not ok, code .. " was not raised")
  assert(hysteria.isError(err), "no error of ours: " .. tostring(err))
  assert(err.code == code, ("expected %s, got %s"):format(code, tostring(err)))
  local about = debug.getinfo(at or fn, "S")
  local line = tonumber((err.where or ""):match("_spec%.lua:(%d+)$"))
  assert(line and line >= about.linedefined and line <= about.lastlinedefined,
    ("where is %s, not lines %d to %d"):format(tostring(err.where), about.linedefined, about.lastlinedefined))
  assert(err.kind == failures.kinds[code], ("%s is of kind %s"):format(code, tostring(err.kind)))
  assert(not tostring(err):find("\n"), "more than one line: " .. tostring(err))
  local leaks = failures.leaks({ error = err, shown = tostring(err), message = err.message }, "error",
    { failures.PASSWORD, failures.SECRET, failures.ROW })
  assert(#leaks == 0, ("a canary shows in %s of %s"):format(table.concat(leaks, ", "), code))
  failures.seen[code] = (failures.seen[code] or 0) + 1
  return err
end

failures.seen = {}

-- One line of figures for HY_REPORT.
function failures.report()
  local path = os.getenv("HY_REPORT")
  local file <close> = path and io.open(path, "a")
  if file then
    local codes, times = 0, 0
    for _, n in pairs(failures.seen) do
      codes, times = codes + 1, times + n
    end
    file:write(("failures: %d codes provoked %d times, %d texts searched for canaries, hits 0\n"):format(codes, times,
      searched))
  end
end

-- Code -> kind.
failures.kinds = {}
for _, known in ipairs(core.errorCodes()) do
  failures.kinds[known.code] = known.kind
end

return failures
