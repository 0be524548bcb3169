-- Validation: the validators of columns and the validate hooks, run over what is about to be
-- written, and the validators that come with the library (hysteria.validators). All failures of
-- a row are collected; where that happens in a write is inserting.lua's, updating.lua's and
-- keyed.lua's business.
local core = require("hysteria.core")
local hooks = require("hysteria.hooks")
local options = require("hysteria.options")

local validation = {}

local NONE = {}
local DEFAULT = "Validation error"

-- Values that the database computes: there is nothing to look at.
local EXPRESSION = { raw = true, func = true, col = true, math = true, case = true, query = true }

function validation.is_computed(value)
  return EXPRESSION[core.kind(value)] or false
end

-- ---- running ----------------------------------------------------------------------------------

local function add(failures, property, message)
  failures[property] = failures[property] or {}
  table.insert(failures[property], message)
end

-- What a validator answered, as a message, or nil when it is content.
local function message_of(answer, message, entry)
  if answer == nil or answer == true then
    return nil
  elseif answer == false then
    return message or DEFAULT
  elseif type(answer) == "string" then
    return answer
  elseif type(answer) == "table" and type(answer.valid) == "boolean" then
    return not answer.valid and (answer.message or DEFAULT) or nil
  end
  core.raise("INVALID_ARGUMENT", ("a validator of `%s` gave %s, not true, false, a message or { valid =, message = }")
    :format(entry.property, options.kind(answer)))
end

-- A validator that raises says "not valid", unless the engine itself could not go on.
local function ask(fn, value, about, entry, failures)
  local ok, answer, message = pcall(fn, value, about)
  if ok then
    return message_of(answer, message, entry)
  elseif core.isError(answer) and answer.code ~= "VALIDATION_ERROR" then
    error(answer, 0)
  end
  failures.cause = failures.cause == nil and answer or failures.cause
  return DEFAULT
end

-- On an insert every validated column that gets no value by itself, on an update the given ones.
local function check_columns(definition, row, operation, found)
  for _, entry in ipairs(definition.validators or NONE) do
    local value = row[entry.property]
    local looked_at = value ~= nil or (operation == "insert" and not entry.computed)
    if looked_at and not EXPRESSION[core.kind(value)] then
      local about = { model = definition.class, column = entry.property, operation = operation, data = row }
      if value == core.null then
        value = nil
      end
      for _, fn in ipairs(entry.list) do
        local message = ask(fn, value, about, entry, found)
        if message then
          add(found.errors, entry.property, message)
        end
      end
    end
  end
end

-- A validate hook may give { field = "message" | { "message" } }, for what several fields share.
local function run_hooks(definition, row, ignored, ctx, found)
  for _, hook in ipairs(hooks.of(definition, "validate", ignored) or NONE) do
    local answer = hook(row, ctx)
    if type(answer) == "table" then
      for property, messages in next, answer do
        for _, message in ipairs(type(messages) == "table" and messages or { messages }) do
          add(found.errors, property, message)
        end
      end
    end
  end
end

-- { field = { message } } or nil; second: what a validator raised, if one did.
function validation.errors(definition, row, operation, ignored, ctx)
  local found = { errors = {} }
  check_columns(definition, row, operation, found)
  run_hooks(definition, row, ignored, ctx, found)
  return next(found.errors) ~= nil and found.errors or nil, found.cause
end

-- The same, raised. `place`: which row of many.
function validation.run(definition, row, operation, ignored, ctx, place)
  if not definition.validators and not definition.hooks.validate then
    return
  end
  local errors, cause = validation.errors(definition, row, operation, ignored, ctx)
  if not errors then
    return
  end
  local names = {}
  for name in next, errors do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  local where = place and (" (row %d)"):format(place) or ""
  core.raise("VALIDATION_ERROR", ("%s%s: not valid: %s"):format(definition.name, where, table.concat(names, ", ")), {
    model = definition.name, errors = errors, cause = cause, row = place,
  })
end

-- ---- the ones that come along --------------------------------------------------------------------

-- All but `required` let NULL pass, and values of another type: that is the column's business.
local public = {}
validation.public = public

function public.required(value)
  return value ~= nil and value ~= "", "Value is required"
end

-- Characters; bytes where the text is no UTF-8.
local function length_of(text)
  return utf8.len(text) or #text
end

local function text_rule(test, message)
  return function(value)
    return type(value) ~= "string" or test(value), message
  end
end

function public.minLength(n, message)
  n = options.need_count(n, 0, "n", "validators.minLength")
  return text_rule(function(value)
    return length_of(value) >= n
  end, message or "Minimum length is " .. n)
end

function public.maxLength(n, message)
  n = options.need_count(n, 0, "n", "validators.maxLength")
  return text_rule(function(value)
    return length_of(value) <= n
  end, message or "Maximum length is " .. n)
end

-- The text of a decimal column is a number too.
local function number_of(value, about)
  if type(value) == "string" and about and about.model._definition.by_property[about.column].kind == "decimal" then
    local fine, number = pcall(core.decimal, value)
    return fine and number or value
  end
  return value
end

-- Numbers and decimals against a bound. Floats are compared as floats, the rest exactly.
local function number_rule(bound, what, fits, message)
  options.need(bound, "n", what)
  local kind = math.type(bound)
  if kind == nil and not core.isDecimal(bound) then
    core.raise("INVALID_ARGUMENT", ("%s: n must be a number, not %s"):format(what, options.kind(bound)))
  end
  local rough = tonumber(tostring(bound))
  local exact = kind == "float" and core.decimal(options.pointed(("%.17g"):format(bound))) or bound
  return function(given, about)
    local value = number_of(given, about)
    if math.type(value) == "float" then
      return fits(value, rough), message
    end
    return not (math.type(value) or core.isDecimal(value)) or fits(value, exact), message
  end
end

function public.min(n, message)
  return number_rule(n, "validators.min", function(value, bound)
    return value >= bound
  end, message or "Minimum value is " .. options.pointed(tostring(n)))
end

function public.max(n, message)
  return number_rule(n, "validators.max", function(value, bound)
    return value <= bound
  end, message or "Maximum value is " .. options.pointed(tostring(n)))
end

-- A Lua pattern (no regular expression), found anywhere unless it is anchored.
function public.pattern(pattern, message)
  options.need_name(pattern, "pattern", "validators.pattern")
  local ok, why = pcall(string.find, "", pattern)
  if not ok then
    core.raise("INVALID_ARGUMENT", "validators.pattern: " .. tostring(why):gsub("^.-:%d+: ", ""))
  end
  return text_rule(function(value)
    return value:find(pattern) ~= nil
  end, message or "Value has the wrong form")
end

-- One of these, compared as Lua compares.
function public.oneOf(list, message)
  options.plain(options.need(list, "list", "validators.oneOf"), "validators.oneOf: list")
  local allowed, shown = {}, {}
  for index = 1, #list do
    allowed[list[index]], shown[index] = true, tostring(list[index])
  end
  if #shown == 0 then
    core.raise("INVALID_ARGUMENT", "validators.oneOf: the list is empty")
  end
  message = message or "Value must be one of: " .. table.concat(shown, ", ")
  return function(value)
    return value == nil or allowed[value] == true, message
  end
end

-- Letters, digits and inner hyphens between dots: a name that DNS takes, at least two parts.
local function is_domain(text)
  local parts = 0
  for label in (text .. "."):gmatch("([^.]*)%.") do
    if #label > 63 or not label:find("^[%w\x80-\xFF]") or label:find("[^%w\x80-\xFF-]") or label:find("%-$") then
      return false
    end
    parts = parts + 1
  end
  return parts >= 2 and #text <= 253
end

local is_email = text_rule(function(value)
  local name, domain = value:match("^([^@%s%c]+)@([^@]+)$")
  return name ~= nil and #name <= 64 and not name:find("^%.") and not name:find("%.$") and not name:find("..", 1, true)
    and not name:find("[\"(),:;<>%[%]\\]") and is_domain(domain)
end, "Value is not an e-mail address")

-- An address as people have them: no quotes, no comments, no address literals.
function public.email(value)
  return is_email(value)
end

local function is_host(text)
  return text:find("^%[[%x:.]+%]$") ~= nil or text:find("^%d+%.%d+%.%d+%.%d+$") ~= nil or text == "localhost"
    or is_domain(text)
end

local is_url = text_rule(function(value)
  local authority = value:match("^[hH][tT][tT][pP][sS]?://([^/?#%s%c]+)[^%s%c]*$")
  local host = authority and authority:gsub("^[^@]*@", ""):gsub(":%d+$", "")
  return host ~= nil and is_host(host)
end, "Value is not a URL")

-- http and https.
function public.url(value)
  return is_url(value)
end

local names = {}
for name in next, public do
  names[#names + 1] = name
end
table.sort(names)

setmetatable(public, {
  __index = function(_, name)
    core.raise("INVALID_ARGUMENT", ("no validator hysteria.validators.%s%s"):format(
      tostring(name), options.hint(name, names)))
  end,
})

return validation
