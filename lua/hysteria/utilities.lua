-- Small things that programs around a database need: identifiers, names in another convention, and
-- how long a function takes.
local annotation = require("hysteria.annotation")
local core = require("hysteria.core")
local options = require("hysteria.options")

local utilities = {}

-- 26 characters that sort by time; those of one process by the order in which they were made.
function utilities.generateULID()
  return core.ulid()
end

-- A UUID of version 4, random, or 7, which sorts as a ULID does.
function utilities.generateUUID(version)
  if version == nil or version == 4 then
    return core.uuid4()
  elseif version == 7 then
    return core.uuid7()
  end
  core.raise("INVALID_ARGUMENT", "generateUUID: version must be 4 or 7")
end

-- convertCase("firstName", "snake") is "first_name"; also camel, pascal and preserve.
function utilities.convertCase(name, convention)
  options.need_type(name, "string", "name", "convertCase")
  options.need(convention, "convention", "convertCase")
  return core.convert(annotation.convention(convention, "convertCase: convention"), name)
end

local UNITS = { millis = { 1000, "ms" }, seconds = { 1, "s" } }

-- withPerformance(fn, unit = "millis", digits = 3): a function that runs fn and gives
-- { result, time, timeString }, by the monotonic clock. What fn raises passes through.
function utilities.withPerformance(fn, unit, digits)
  options.need_type(fn, "function", "fn", "withPerformance")
  local scale = UNITS[unit == nil and "millis" or unit]
    or core.raise("INVALID_ARGUMENT", "withPerformance: unit must be millis or seconds")
  digits = digits == nil and 3 or options.need_count(digits, 0, "digits", "withPerformance")
  if digits > 9 then
    core.raise("INVALID_ARGUMENT", "withPerformance: the clock has no more than 9 digits")
  end
  return function(...)
    local started = core.monotonic()
    local result = fn(...)
    local text = ("%%.%df"):format(digits):format((core.monotonic() - started) * scale[1])
    return { result = result, time = tonumber(text), timeString = text .. scale[2] }
  end
end

return utilities
