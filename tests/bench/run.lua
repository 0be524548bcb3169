-- Runs every scenario of a database on the floors and on Hysteria in turn, compares the results,
-- prints tables and writes them as JSON. A wrong result or a crash fails; a slow figure is marked.
--
--   lua5.4 run.lua DATABASE FLOOR WHERE HYSTERIA URL JSON
--
-- WHERE and URL name the database to FLOOR and HYSTERIA, which are programs; JSON is the file to write.
-- HY_SCALE=ci: short. HY_BENCH_CALLGRIND=0 or 1: count instructions or not (default: 1, 0 at ci).
-- HY_BENCH_ROUNDS, HY_BENCH_SECONDS: rounds and the seconds of one measurement.
-- HY_BENCH_ONLY: scenarios of Hysteria to look at, and no others.
local here = arg[0]:match("^(.*)/") or "."
local database, floor, where, hysteria, url, json_file = table.unpack(arg)
local short = os.getenv("HY_SCALE") == "ci"
local rounds = tonumber(os.getenv("HY_BENCH_ROUNDS")) or (short and 4 or 12)
local seconds = tonumber(os.getenv("HY_BENCH_SECONDS")) or (short and 0.1 or 0.3)
local count_instructions = (os.getenv("HY_BENCH_CALLGRIND") or (short and "0" or "1")) ~= "0"
local wanted = os.getenv("HY_BENCH_ONLY")

-- Every side is a program with its first arguments; the scenario's name follows.
local programs = {
  c = ("'%s' c '%s'"):format(floor, where),
  lua = ("'%s' lua '%s'"):format(floor, where),
  hysteria = ("'%s' '%s/hysteria_bench.lua' '%s'"):format(hysteria, here, url),
}

local SQLITE = { sqlite = true }
local SERVERS = { postgres = true, mariadb = true, mysql = true }
local ARRAYS = { postgres = true, mariadb = true }
local RETURNS = { sqlite = true, postgres = true, mariadb = true }
local NO_RETURNING = { mysql = true }

-- floors: what the ratio is taken of (the fastest of `against`); ours: rows of the table.
-- on: the databases of a group or floor, where it is not all; target: of SQLite and of servers.
-- per: operations are divided by it; counts: the two numbers of operations callgrind runs.
-- clock: what the ratio is one of, CPU if not said.
local groups = {
  {
    floors = { { "c", "lookup" }, { "lua", "lookup" } }, counts = { 300, 1300 }, unit = "lookup",
    against = { c = true, lua = true }, target = { 2.0, 1.3 },
    ours = { { "find", "findOneByPrimaryKey(id)" }, { "one", "query():where(\"id\", id):one()" } },
  },
  {
    floors = { { "c", "rows" }, { "lua", "rows" } }, counts = { 1, 3 }, per = 10000, unit = "row",
    against = { lua = true }, target = { 1.2, 1.2 },
    ours = { { "rows", "10,000 rows: query():many()" } },
  },
  {
    floors = {
      { "c", "insert" }, { "c", "insert100", on = SQLITE }, { "c", "insert_arrays", on = ARRAYS },
      { "lua", "insert100", on = SQLITE }, { "lua", "insert", on = SERVERS },
      { "lua", "insert_arrays", on = ARRAYS },
    },
    counts = { 1, 5 }, per = 1000, unit = "row", against = { c = true }, target = { 2.0, 2.0 }, writes = true,
    ours = { { "insert", "insertMany 1,000, returning = false" } },
  },
  {
    floors = {
      { "c", "insert_returning", on = RETURNS }, { "lua", "insert_returning", on = RETURNS },
      { "c", "insert_and_read", on = NO_RETURNING }, { "lua", "insert_and_read", on = NO_RETURNING },
    },
    counts = { 1, 3 }, per = 1000, unit = "row", against = { lua = true }, writes = true,
    ours = { { "insert_returning", "insertMany 1,000, records back" } },
  },
  {
    floors = { { "c", "page" }, { "lua", "page" } }, counts = { 20, 100 }, unit = "page",
    against = { lua = true }, target = { nil, 1.3 },
    ours = { { "page", "page of 50: filter, order, limit" } },
  },
  {
    on = SQLITE, floors = { { "c", "json" }, { "lua", "json" } }, counts = { 1, 3 }, per = 10000, unit = "row",
    against = { lua = true },
    ours = { { "json", "10,000 rows, JSON decoded" } },
  },
  {
    on = SERVERS, floors = { { "c", "async" } }, counts = { 1, 3 }, per = 1000, unit = "lookup",
    against = { c = true }, target = { nil, 2.5 }, clock = "wall",
    ours = { { "async", "1,000 lookups, 100 tasks, 10 connections" } },
  },
}

local MEMORY_TARGET = 90 -- MiB

local function die(text, ...)
  io.stderr:write("bench: ", text:format(...), "\n")
  os.exit(1)
end

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local output = pipe:read("a")
  if not pipe:close() then
    die("failed: %s\n%s", command, output)
  end
  return output
end

local function empty_table(group)
  if group.writes then
    run(programs.c .. " empty")
  end
end

local function is_here(entry)
  return not entry.on or entry.on[database]
end

-- The groups of this database, without those that nobody asked for.
local function list_groups()
  local list = {}
  for _, group in ipairs(groups) do
    if is_here(group) and (not wanted or wanted:find(group.ours[1][1], 1, true)) then
      group.target = group.target and group.target[database == "sqlite" and 1 or 2]
      list[#list + 1] = group
    end
  end
  return list
end

-- The sides of a group: { program, scenario } of every floor and of ours.
local function sides_of(group)
  local sides = {}
  for _, side in ipairs(group.floors) do
    if is_here(side) then
      sides[#sides + 1] = { program = side[1], scenario = side[2], is_floor = true }
    end
  end
  for _, side in ipairs(group.ours) do
    sides[#sides + 1] = { program = "hysteria", scenario = side[1], title = side[2] }
  end
  for _, side in ipairs(sides) do
    side.command = programs[side.program] .. " " .. side.scenario
    side.cpu, side.wall, side.ratio, side.of = {}, {}, {}, { c = {}, lua = {} }
  end
  return sides
end

-- ---- same work? -----------------------------------------------------------------------------------

-- One statement, however many rows it inserts, whatever its spaces.
local function normal(text)
  text = text:gsub("%s+", " "):gsub("%$%d+", "?"):gsub("(%(%?[?, ]*%))[(), ?]*%)", "%1")
  return (text:gsub("^ ", ""):gsub(" $", ""))
end

local function check(group)
  local expected, first, floors = nil, nil, {}
  for _, side in ipairs(group.sides) do
    empty_table(group)
    local found = run(side.command .. " check"):gsub("%s+", " ")
    expected = expected or found
    if found ~= expected then
      die("different results: %s gives %s, %s gives %s", group.sides[1].command, expected, side.command, found)
    end
    empty_table(group)
    local statement = normal(run(side.command .. " sql"))
    if side.is_floor then
      first, floors[statement] = first or statement, true
    elseif not floors[statement] then
      io.write(("note: %s runs other SQL than its floors:\n  %s\n  %s\n"):format(side.scenario, statement, first))
    end
  end
end

-- ---- time -----------------------------------------------------------------------------------------

local function measure(side)
  local output = run(("%s time %g %g"):format(side.command, seconds / 3, seconds))
  local ops, wall, cpu = output:match("^(%d+) (%S+) (%S+)%s*$")
  if not ops then
    die("%s printed: %s", side.command, output)
  end
  return wall / ops, cpu / ops
end

-- Every side once; the order is turned round every other time. Ratios are of one round.
local function run_round(group, index)
  local sides, fastest, clock = group.sides, {}, group.clock or "cpu"
  for position = 1, #sides do
    local side = sides[index % 2 == 1 and position or #sides + 1 - position]
    empty_table(group)
    side.wall[index], side.cpu[index] = measure(side)
    if side.is_floor then
      fastest[side.program] = math.min(fastest[side.program] or math.huge, side[clock][index])
    end
  end
  for _, side in ipairs(sides) do
    side.ratio[index] = 0
    for program, value in pairs(fastest) do
      side.of[program][index] = side[clock][index] / value
      side.ratio[index] = math.max(side.ratio[index], group.against[program] and side.of[program][index] or 0)
    end
  end
end

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local half = #sorted // 2
  return #sorted % 2 == 1 and sorted[half + 1] or (sorted[half] + sorted[half + 1]) / 2
end

-- ---- instructions ---------------------------------------------------------------------------------

local function has_valgrind()
  return os.execute("command -v valgrind >/dev/null 2>&1") == true
end

local function instructions_of(command, n)
  local output = run(("valgrind --tool=callgrind --callgrind-out-file=/dev/null %s ops %d"):format(command, n))
  return tonumber(output:match("Collected : (%d+)")) or die("no count in: %s", output)
end

-- Start-up is in both counts and leaves with the difference.
local function count(group)
  local low, high = table.unpack(group.counts)
  for _, side in ipairs(group.sides) do
    empty_table(group)
    local a = instructions_of(side.command, low)
    empty_table(group)
    local b = instructions_of(side.command, high)
    side.instructions = (b - a) / (high - low) / (group.per or 1)
  end
end

-- ---- memory ---------------------------------------------------------------------------------------

local function memory()
  local held = {}
  for _, name in ipairs { "c", "lua", "hysteria" } do
    local n, rss, peak = run(programs[name] .. " memory"):match("^(%d+) (%d+) (%d+)")
    if n ~= "100000" then
      die("memory: %s holds %s rows", name, tostring(n))
    end
    held[name] = { rss = rss / 1024, peak = peak / 1024 }
  end
  return held
end

-- ---- tables ---------------------------------------------------------------------------------------

local function time_text(value)
  if not value then
    return "-"
  elseif value >= 1e-3 then
    return ("%.2f ms"):format(value * 1e3)
  end
  return ("%.2f us"):format(value * 1e6)
end

-- The fastest floor of a kind by a function of it, or nil.
local function best(group, program, value)
  local least
  for _, side in ipairs(group.sides) do
    local v = side.program == program and value(side)
    if v and (not least or v < least) then
      least = v
    end
  end
  return least
end

-- Of which floor the target is.
local function judge(group)
  return group.against.c and group.against.lua and "the faster" or group.against.c and "c" or "lua"
end

local function verdict(group, ratio)
  if not group.target then
    return ""
  end
  return ("%-5s %.1f of %s"):format(ratio <= group.target and "met" or "MISSED", group.target, judge(group))
end

local function ratio_text(value)
  return value and ("%.2f"):format(value) or "-"
end

-- A line of each of our scenarios: cells(group, side) gives what follows the title.
local function print_table(title, heads, cells)
  print(("\n%-42s%11s%11s%11s%8s%8s  %s"):format(title, "floor c", "floor lua", "hysteria", table.unpack(heads)))
  for _, group in ipairs(groups) do
    for _, side in ipairs(group.sides) do
      if not side.is_floor then
        print((("%-42s%11s%11s%11s%8s%8s  %s"):format(side.title, cells(group, side)):gsub(" +$", "")))
      end
    end
  end
end

local function print_times(kind, title)
  print_table(title, { "of c", "of lua", "target" }, function(group, side)
    local function value(of)
      return median(of[kind])
    end
    local c, lua, judged = "", "", ""
    if kind == (group.clock or "cpu") then
      c, lua = ratio_text(#side.of.c > 0 and median(side.of.c)), ratio_text(#side.of.lua > 0 and median(side.of.lua))
      judged = verdict(group, median(side.ratio))
    end
    return time_text(best(group, "c", value)), time_text(best(group, "lua", value)), time_text(value(side)), c, lua,
      judged
  end)
end

local function print_instructions()
  print_table("instructions (callgrind)", { "of c", "of lua", "per" }, function(group, side)
    local function value(of)
      return of.instructions
    end
    local c, lua = best(group, "c", value), best(group, "lua", value)
    return ("%.0f"):format(c), lua and ("%.0f"):format(lua) or "-", ("%.0f"):format(side.instructions),
      ratio_text(side.instructions / c), ratio_text(lua and side.instructions / lua), group.unit
  end)
end

local function print_memory(held)
  print(("\n%-42s%11s%11s%11s  %s"):format("100,000 records held (MiB)", "floor c", "floor lua", "hysteria", "target"))
  print(("%-42s%11.1f%11.1f%11.1f"):format("resident", held.c.rss, held.lua.rss, held.hysteria.rss))
  print(("%-42s%11.1f%11.1f%11.1f  %d %s"):format("peak", held.c.peak, held.lua.peak, held.hysteria.peak,
    MEMORY_TARGET, held.hysteria.peak <= MEMORY_TARGET and "met" or "MISSED"))
end

-- ---- JSON -----------------------------------------------------------------------------------------

local function write_json(held)
  local lines = {}
  for _, group in ipairs(groups) do
    for _, side in ipairs(group.sides) do
      lines[#lines + 1] = ("    {\"side\": \"%s\", \"scenario\": \"%s\", \"cpu\": %.9f, \"wall\": %.9f, \"ratio\": %.4f"
        .. "%s%s}"):format(side.program, side.scenario, median(side.cpu), median(side.wall), median(side.ratio),
        group.target and not side.is_floor and (", \"target\": %.1f"):format(group.target) or "",
        side.instructions and (", \"instructions\": %.1f"):format(side.instructions) or "")
    end
  end
  local sizes = {}
  for _, name in ipairs { "c", "lua", "hysteria" } do
    sizes[#sizes + 1] = ("    {\"side\": \"%s\", \"resident_mib\": %.1f, \"peak_mib\": %.1f}"):format(name,
      held[name].rss, held[name].peak)
  end
  local file <close> = assert(io.open(json_file, "w"))
  file:write(("{\n  \"database\": \"%s\",\n"
    .. "  \"rounds\": %d,\n  \"seconds\": %g,\n  \"scenarios\": [\n%s\n  ],\n  \"memory\": [\n%s\n  ]\n}\n")
    :format(database, rounds, seconds, table.concat(lines, ",\n"), table.concat(sizes, ",\n")))
end

-- ---- all of it ------------------------------------------------------------------------------------

groups = list_groups()
run(("'%s' '%s/hysteria_bench.lua' seed '%s'"):format(hysteria, here, url))
for _, group in ipairs(groups) do
  group.sides = sides_of(group)
  check(group)
end
for index = 1, rounds do
  for _, group in ipairs(groups) do
    run_round(group, index)
  end
end
print(("%d rounds of %g s, sides in turn, median of the ratios of one round"):format(rounds, seconds))
print_times("cpu", "CPU per operation")
print_times("wall", "wall time per operation")
if count_instructions and has_valgrind() then
  for _, group in ipairs(groups) do
    count(group)
  end
  print_instructions()
end
local held = memory()
print_memory(held)
write_json(held)
