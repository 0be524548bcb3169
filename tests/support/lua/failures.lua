-- Provoking errors for real: what a failure must look like (code, kind, the caller's line, fields),
-- and that no secret shows in it. The canaries stand where secrets do: the password of every
-- connection, a value bound for a sensitive column, and the contents of rows. Which code was
-- provoked on which database is kept, to be held against failure_places.lua.
local busted = require("busted")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local searched, logged = 0, 0

local failures = {
  PASSWORD = "Canary-Pass_word7", SECRET = "canary-secret-41x", ROW = "canary-row-93z",
  SERVERS = { postgres = true, mariadb = true, mysql = true },
  seen = {}, -- code -> database, or "any" -> how often
  told = {}, -- what violations told: name -> database -> fields
}

-- ---- where it happens -------------------------------------------------------------------------

local here = "any"
local declared, ran = 0, 0

local lines = {}

local function log(line)
  lines[#lines + 1] = line
end

-- For the configuration of a source: the most that is ever said, at every level.
failures.logs = { logParams = true, customLogger = { info = log, warn = log, error = log } }

local function check_log()
  local said = table.move(lines, 1, #lines, 1, {})
  lines = {}
  logged = logged + #said
  local leaks = failures.leaks(said, "log", { failures.PASSWORD, failures.SECRET })
  for index, line in ipairs(said) do
    said[index] = line:gsub("  %[.*%]$", "") -- what only logParams adds: bound values that are no secret
  end
  table.move(failures.leaks(said, "log", { failures.ROW }), 1, 1, #leaks + 1, leaks)
  assert(#leaks == 0, table.concat(leaks, ", ") .. " shows a canary")
end

-- Every spec of the file is to be declared with this: a run of some of them proves nothing about
-- all. The log may tell no secret meanwhile.
function failures.it(name, fn)
  declared = declared + 1
  busted.it(name, function()
    ran = ran + 1
    fn()
    check_log()
  end)
end

function failures.ran_all()
  return declared == ran
end

-- What the specs of this `describe` provoke is provoked on this database.
function failures.on(database)
  busted.before_each(function() here = database end)
  busted.after_each(function() here = "any" end)
end

-- databases.each, with that, all statements logged. What observers are told may hold the values of
-- rows, but no secret, and their errors neither.
function failures.each(fn, given)
  given = given or {}
  given.logs = failures.logs
  databases.each(function(ds, database, config)
    local events = databases.watch(ds)
    ds:addObserver { onAfterQuery = function(event) events[#events + 1] = event end,
      onQueryError = function(event) events[#events + 1] = event end }
    failures.on(database)
    busted.after_each(function()
      local told = table.move(events, 1, #events, 1, {})
      for index = #events, 1, -1 do
        events[index] = nil
      end
      local leaks = failures.leaks(told, "events", { failures.SECRET, failures.PASSWORD })
      for _, event in ipairs(told) do
        table.move(failures.leaks(event.error, "event.error", { failures.ROW }), 1, 1, #leaks + 1, leaks)
      end
      assert(#leaks == 0, table.concat(leaks, ", ") .. " shows a canary")
    end)
    fn(ds, database, config)
  end, given)
end

-- ---- canaries ---------------------------------------------------------------------------------

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

-- ---- errors -----------------------------------------------------------------------------------

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

local function note(code, database)
  failures.seen[code] = failures.seen[code] or {}
  failures.seen[code][database] = (failures.seen[code][database] or 0) + 1
end

-- The errors that another process provokes: `shell` runs it ("%s" stands for its command), and the
-- function that its `script` gives to provoke() has to fail on its one line. Its text is on no command line.
local PROVOKE = [[
local function provoke(fn) local ok, err = pcall(fn) print(ok and "no error" or type(err) == "table" and
  ("%s %s %s"):format(err.code, err.kind, err.where) or err) end
]]

function failures.elsewhere(code, shell, script)
  local path = os.tmpname()
  do
    local file <close> = assert(io.open(path, "w"))
    file:write(PROVOKE, script)
  end
  local before = (PROVOKE .. script):match("^.*provoke%(function")
  local line = select(2, before:gsub("\n", "")) + 1
  local pipe <close> = assert(io.popen((shell:gsub("%%s", "lua5.4 " .. path))))
  local answer = pipe:read("a")
  os.remove(path)
  local told = ("%s %s %s:%d\n"):format(code, failures.kinds[code], path, line)
  assert(answer:sub(-#told) == told, -- sanitizers may have said something before
    ("expected %s in line %d, got %s"):format(code, line, answer))
  note(code, here)
end

-- Runs fn, which must raise an error of this code on one of its own lines, or of those of the
-- function `at` that it calls. Returns the error.
function failures.of(code, fn, at)
  local ok, err = pcall(fn)
  assert(not ok, code .. " was not raised")
  assert(hysteria.isError(err), "no error of ours: " .. tostring(err))
  assert(err.code == code, ("expected %s, got %s"):format(code, tostring(err)))
  local about = debug.getinfo(at or fn, "S")
  local file, line = (err.where or ""):match("^(.*):(%d+)$")
  line = tonumber(line)
  assert(file == about.short_src and line >= about.linedefined and line <= about.lastlinedefined,
    ("where is %s, not %s:%d-%d"):format(err.where, about.short_src, about.linedefined, about.lastlinedefined))
  assert(err.kind == failures.kinds[code], ("%s is of kind %s"):format(code, tostring(err.kind)))
  assert(not tostring(err):find("\n"), "more than one line: " .. tostring(err))
  local leaks = failures.leaks({ error = err, shown = tostring(err), message = err.message }, "error",
    { failures.PASSWORD, failures.SECRET, failures.ROW })
  assert(#leaks == 0, ("a canary shows in %s of %s"):format(table.concat(leaks, ", "), code))
  note(code, here)
  return err
end

-- The same for a violation, whose fields are kept under a name for the table of docs/errors.md.
function failures.tells(name, code, fn)
  local err = failures.of(code, fn)
  local list = {}
  for field in failures.fields(err):gmatch("%a+") do
    list[#list + 1] = field ~= "sql" and "`" .. field .. "`" or nil
  end
  failures.told[name] = failures.told[name] or {}
  failures.told[name][here] = table.concat(list, " ")
  return err
end

-- ---- a proxy that does harm ---------------------------------------------------------------------

-- The URL of a server with another account, password, host, port, database or query.
function failures.changed(url, change)
  local scheme, account, password, host, port, name = url:match("^(%w+)://([^:]+):([^@]+)@([^:]+):(%d+)/(.*)$")
  local query = change.query and "?" .. change.query or ""
  return ("%s://%s:%s@%s:%s/%s%s"):format(scheme, change.account or account, change.password or password,
    change.host or host, change.port or port, change.database or name, query)
end

-- fn(url of the server behind the proxy); it must have done its harm (tests/core/fault_proxy_main.c).
function failures.behind_proxy(url, harm, fn)
  local host, port = url:match("@([^:]+):(%d+)/")
  local path = os.tmpname()
  assert(os.remove(path) and os.execute("mkfifo " .. path))
  local control = assert(io.popen(("fault_proxy %s %s %s > %s"):format(host, port, harm, path), "w"))
  local answers = assert(io.open(path))
  local ok, err = pcall(fn, failures.changed(url, { port = answers:read("n") }))
  control:close()
  local times = answers:read("n")
  answers:close()
  os.remove(path)
  assert(ok, err)
  assert(times > 0, "the proxy did no harm")
end

-- ---- figures ----------------------------------------------------------------------------------

-- One line of figures for HY_REPORT.
function failures.report()
  assert(searched > 1000 and logged > 50, "hardly anything was searched")
  local path = os.getenv("HY_REPORT")
  local file <close> = path and io.open(path, "a")
  if file then
    local codes, places, times = 0, 0, 0
    for _, list in pairs(failures.seen) do
      codes = codes + 1
      for _, n in pairs(list) do
        places, times = places + 1, times + n
      end
    end
    file:write(("failures: %d codes provoked in %d places, %d times; %d texts searched for canaries, %d of them log "
      .. "lines, hits 0\n"):format(codes, places, times, searched, logged))
  end
end

-- Code -> kind.
failures.kinds = {}
for _, known in ipairs(core.errorCodes()) do
  failures.kinds[known.code] = known.kind
end

return failures
