-- Counts what ran.
--
--   tally.lua ctest JUNIT.xml TALLY      CTest's report to a tally file
--   tally.lua sum SKIPS TALLY...         adds up, holds skips against the written list,
--                                        prints "N passed, N failed, N skipped" last
--
-- A tally file has lines "passed N", "failed N", "fail NAME", "skip NAME" and closes with
-- "end NAME"; a missing file or a missing last line is a run that died: one failure more.

local unescapes = { ["&lt;"] = "<", ["&gt;"] = ">", ["&quot;"] = "\"", ["&apos;"] = "'", ["&amp;"] = "&" }

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- What one cmocka program printed. Tests that were announced and neither passed nor were
-- skipped have failed, also those that a crash kept from starting.
local function count_cmocka(output)
  local count = { declared = 0, passed = 0, failed = 0, skips = {}, fails = {}, groups = 0 }
  local running, current = false, nil
  for line in output:gmatch("[^\n]+") do
    local declared = line:match("^%[==========%].- Running (%d+) test")
    if declared then
      running, count.groups = true, count.groups + 1
      count.declared = count.declared + tonumber(declared)
    elseif line:find("^%[==========%].- test%(s%) run") then
      running, current = false, nil
    elseif running then
      current = line:match("%[ RUN      %] (.+)$") or current
      if current and line:find("[       OK ] " .. current, 1, true) then
        count.passed, current = count.passed + 1, nil
      elseif current and line:find("[  SKIPPED ] " .. current, 1, true) then
        count.skips[#count.skips + 1] = current
        current = nil
      elseif current and line:find("[  FAILED  ] " .. current, 1, true) then
        count.fails[#count.fails + 1] = current
        current = nil
      end
    end
  end
  if current then
    count.fails[#count.fails + 1] = current .. " (did not finish)"
  end
  count.failed = count.declared - count.passed - #count.skips
  return count
end

local function count_ctest(xml)
  local total = { passed = 0, failed = 0, fails = {}, skips = {} }
  for attributes, body in xml:gmatch("<testcase%s+(.-)>(.-)</testcase>") do
    local name = attributes:match("name=\"([^\"]*)\"")
    local status = attributes:match("status=\"([^\"]*)\"")
    local output = (body:match("<system%-out>(.*)</system%-out>") or ""):gsub("&%a+;", unescapes)
    local count = count_cmocka(output)
    if count.groups == 0 then
      -- Not a cmocka program (or one that died before its first line): one test.
      if status == "run" then
        count.passed = 1
      elseif body:find("<skipped message=\"SKIP_RETURN_CODE", 1, true) then
        count.skips[1] = output:match("skip: ([^\n]+)") or "no reason"
      else
        count.failed, count.fails[1] = 1, "(" .. tostring(status) .. ")"
      end
    elseif count.declared == 0 then
      count.failed, count.fails[1] = 1, "holds no test"
    elseif status ~= "run" and count.failed == 0 then
      count.failed, count.fails[1] = 1, "failed after its tests"
    end
    total.passed, total.failed = total.passed + count.passed, total.failed + count.failed
    for _, test in ipairs(count.fails) do
      total.fails[#total.fails + 1] = name .. ": " .. test
    end
    for _, test in ipairs(count.skips) do
      total.skips[#total.skips + 1] = name .. ": " .. test
    end
  end
  return total
end

local function write_tally(total, name, path)
  local file <close> = assert(io.open(path, "w"))
  file:write("passed ", total.passed, "\nfailed ", total.failed, "\n")
  for _, test in ipairs(total.fails) do
    file:write("fail ", test, "\n")
  end
  for _, test in ipairs(total.skips) do
    file:write("skip ", test, "\n")
  end
  file:write("end ", name, "\n")
end

-- Lines "NAME -- reason"; a NAME may end in * to stand for every name that begins so.
local function read_skips(path)
  local allowed = {}
  for line in io.lines(path) do
    local name, reason = line:match("^([^#].-)%s+%-%-%s+(%S.*)$")
    if name then
      allowed[#allowed + 1] = { name = name, reason = reason, prefix = name:match("^(.*)%*$") }
    end
  end
  return allowed
end

local function reason_to_skip(allowed, name)
  for _, entry in ipairs(allowed) do
    if entry.name == name or (entry.prefix and name:sub(1, #entry.prefix) == entry.prefix) then
      return entry.reason
    end
  end
  return nil
end

local function add_tally(sum, path)
  local before = sum.passed + sum.failed + #sum.skip
  local ended = false
  local file = io.open(path)
  for line in (file and file:lines() or function() end) do
    local word, rest = line:match("^(%S+) (.*)$")
    if word == "passed" or word == "failed" then
      sum[word] = sum[word] + tonumber(rest)
    elseif word == "fail" or word == "skip" then
      table.insert(sum[word], rest)
    elseif word == "end" then
      ended = true
    end
  end
  if file then
    file:close()
  end
  local trouble = not ended and "the run did not finish"
    or sum.passed + sum.failed + #sum.skip == before and "no test ran"
  if trouble then
    sum.failed = sum.failed + 1
    table.insert(sum.fail, path:match("([^/]+)%.tally$") .. ": " .. trouble)
  end
end

local function print_sum(sum, allowed)
  for _, name in ipairs(sum.fail) do
    print("failed: " .. name)
  end
  for _, name in ipairs(sum.skip) do
    local reason = reason_to_skip(allowed, name)
    if reason then
      sum.skipped = sum.skipped + 1
      print("skipped: " .. name .. " (" .. reason .. ")")
    else
      sum.failed = sum.failed + 1
      print("failed: " .. name .. " (skipped, and not on the list of skips)")
    end
  end
  -- Inside a larger run the line names its stage, so that only the last plain line counts.
  local stage = os.getenv("HY_STAGE")
  print(string.format("%s%d passed, %d failed%s", stage and "(" .. stage .. ") " or "", sum.passed, sum.failed,
    sum.skipped > 0 and ", " .. sum.skipped .. " skipped" or ""))
end

local command = arg[1]
if command == "ctest" then
  write_tally(count_ctest(read_file(arg[2])), "core", arg[3])
elseif command == "sum" then
  local sum = { passed = 0, failed = 0, skipped = 0, fail = {}, skip = {} }
  for i = 3, #arg do
    add_tally(sum, arg[i])
  end
  print_sum(sum, read_skips(arg[2]))
  os.exit(sum.failed == 0)
else
  io.stderr:write("usage: tally.lua ctest JUNIT TALLY | tally.lua sum SKIPS TALLY...\n")
  os.exit(2)
end
