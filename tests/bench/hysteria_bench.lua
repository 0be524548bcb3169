-- Hysteria's side of the benchmark: the scenarios of the floors through models.
--
--   hysteria_bench.lua seed URL                               makes the tables and fills them
--   hysteria_bench.lua URL SCENARIO time WARM_UP SECONDS      -> operations, wall and CPU seconds
--   hysteria_bench.lua URL SCENARIO ops N                     -> the same, exactly N (callgrind)
--   hysteria_bench.lua URL SCENARIO check                     -> rows, checksum
--   hysteria_bench.lua URL SCENARIO sql                       -> the statement
--   hysteria_bench.lua URL memory                             -> rows, VmRSS, VmHWM (KiB)
local core = require("hysteria.core") -- a clock that does not jump
local hysteria = require("hysteria")
local async, sql, model, column = hysteria.async, hysteria.sql, hysteria.model, hysteria.column

local N_USERS, N_BIG, N_NEW = 10000, 100000, 1000
local PAGE, PAGE_OFFSET, PAGE_AGE = 50, 100, 18
local N_TASKS, N_CONNECTIONS, N_LOOKUPS = 100, 10, 10

-- Documents are text here, so that both sides do the same; Decoded has them as tables.
local function members(name, payload)
  return {
    hysteria.tableName(name),
    id = column.increment(),
    name = column.string { nullable = false },
    email = column.string { nullable = false },
    age = column.integer(),
    active = column.boolean(),
    score = column.double(),
    createdAt = column.timestamp(),
    payload = payload(),
  }
end

local User = model "User" (members("users", column.text))
local Decoded = model "Decoded" (members("users", column.json))
local BigUser = model "BigUser" (members("big_users", column.text))
local NewUser = model "NewUser" (members("new_users", column.text))

local function make_row(index)
  return {
    name = ("User Name %d"):format(index),
    email = ("user%d@example.com"):format(index),
    age = 16 + (index - 1) % 60,
    active = (index - 1) % 10 < 7,
    score = (index - 1) * 37 % 100000 / 100,
    createdAt = ("2024-%02d-%02d 12:30:45"):format(1 + (index - 1) % 12, 1 + (index - 1) % 28),
    payload = ("{\"plan\":\"pro\",\"tags\":[\"a%d\",\"b\"],\"n\":%d}"):format((index - 1) % 7, index),
  }
end

local function make_rows(from, to, keyed)
  local rows = {}
  for index = from, to do
    local row = make_row(index)
    row.id = keyed and index or nil
    rows[#rows + 1] = row
  end
  return rows
end

-- ---- scenarios ----------------------------------------------------------------------------------

local last_id = 0

local function next_id()
  last_id = (last_id + 7919) % N_USERS
  return last_id + 1
end

local new_rows
local returning_none = { returning = false }

local function by_id(a, b)
  return a.id < b.id
end

-- Tasks beside each other in one thread, each finding some users by key. The list of them if kept.
local function find_in_tasks(keep)
  local found, tasks = {}, {}
  local function find()
    for _ = 1, N_LOOKUPS do
      local user = User:findOneByPrimaryKey(next_id())
      found[keep and #found + 1 or 1] = user
    end
  end
  for index = 1, N_TASKS do
    tasks[index] = find
  end
  async.run(async.all, tasks)
  table.sort(found, by_id)
  return found
end

local function written()
  return NewUser:query():orderBy("id"):many()
end

-- run gives a record, a list or nothing; rows_of what a check looks at.
local scenarios = {
  find = {
    checks = 1000,
    run = function()
      return User:findOneByPrimaryKey(next_id())
    end,
  },
  one = {
    checks = 1000,
    run = function()
      return User:query():where("id", next_id()):one()
    end,
  },
  rows = {
    run = function()
      return User:query():many()
    end,
  },
  json = {
    run = function()
      return Decoded:query():many()
    end,
  },
  page = {
    run = function()
      return User:query():where("active", true):where("age", ">", PAGE_AGE):orderBy("id", "desc"):limit(PAGE)
        :offset(PAGE_OFFSET):many()
    end,
  },
  insert = {
    run = function()
      NewUser:insertMany(new_rows, returning_none)
    end,
    rows_of = written,
  },
  insert_returning = {
    run = function()
      return NewUser:insertMany(new_rows)
    end,
  },
  async = {
    run = find_in_tasks,
  },
}

-- ---- checksums: every field but the key, as floor.c has them --------------------------------------

local function sum_text(sum, text)
  for index = 1, #text do
    sum = sum * 31 + text:byte(index)
  end
  return sum
end

local function sum_record(sum, record)
  sum = sum_text(sum, record.name)
  sum = sum_text(sum, record.email)
  sum = sum * 31 + record.age
  sum = sum * 31 + (record.active and 1 or 0)
  sum = sum * 31 + math.floor(record.score * 100 + 0.5)
  sum = sum_text(sum, record.createdAt)
  if type(record.payload) == "table" then
    return sum_text(sum, record.payload.plan) * 31 + record.payload.n
  end
  return sum_text(sum, record.payload)
end

local function check(scenario)
  local count, sum = 0, 0
  for _ = 1, scenario.checks or 1 do
    local result = scenario.run(true)
    if scenario.rows_of then
      result = scenario.rows_of()
    elseif result.id then
      result = { result }
    end
    for _, record in ipairs(result) do
      count, sum = count + 1, sum_record(sum, record)
    end
  end
  print(count, sum)
end

-- ---- reports --------------------------------------------------------------------------------------

local function run_ops(run, n)
  for _ = 1, n do
    run()
  end
end

-- Runs in steps that grow, so that looking at the clock costs nothing.
local function run_for(run, wanted)
  local finish, done, step = core.monotonic() + wanted, 0, 1
  while core.monotonic() < finish do
    local before = core.monotonic()
    run_ops(run, step)
    done = done + step
    if (core.monotonic() - before) * 8 > wanted then
      step = 1
    end
    step = step < 64 and step * 2 or step
  end
  return done
end

local function report(run, warm_up, wanted, n)
  if not n then
    run_for(run, warm_up)
  end
  local wall, cpu = core.monotonic(), os.clock()
  if n then
    run_ops(run, n)
  else
    n = run_for(run, wanted)
  end
  cpu = os.clock() - cpu
  wall = core.monotonic() - wall
  print(("%d %.9f %.9f"):format(n, wall, cpu))
end

local function print_sql(scenario)
  local seen
  sql.addObserver({ onAfterQuery = function(event)
    if not event.sql:find("^BEGIN") and not event.sql:find("^START") then
      seen = seen or event.sql
    end
  end })
  scenario.run()
  print(seen)
end

local function memory()
  local held = BigUser:query():many()
  local file <close> = assert(io.open("/proc/self/status"))
  local status = file:read("a")
  print(("%d %s %s"):format(#held, status:match("VmRSS:%s*(%d+)"), status:match("VmHWM:%s*(%d+)")))
end

local function seed()
  local models = { User, BigUser, NewUser }
  sql.dropTables(models, { ifExists = true })
  sql.createTables(models)
  User:insertMany(make_rows(1, N_USERS, true), returning_none)
  for from = 1, N_BIG, N_USERS do
    BigUser:insertMany(make_rows(from, from + N_USERS - 1, true), returning_none)
  end
end

sql.connect { url = arg[1] == "seed" and arg[2] or arg[1], pool = { max = N_CONNECTIONS } }

if arg[1] == "seed" then
  seed()
elseif arg[2] == "memory" then
  memory()
else
  local scenario = assert(scenarios[arg[2]], "no such scenario")
  new_rows = arg[2]:find("^insert") and make_rows(1, N_NEW)
  if arg[3] == "check" then
    check(scenario)
  elseif arg[3] == "sql" then
    print_sql(scenario)
  elseif arg[3] == "ops" then
    report(scenario.run, 0, 0, assert(math.tointeger(arg[4])))
  else
    assert(arg[3] == "time", "usage: see the top of hysteria_bench.lua")
    report(scenario.run, assert(tonumber(arg[4])), assert(tonumber(arg[5])))
  end
end
