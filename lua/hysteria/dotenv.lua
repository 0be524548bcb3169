-- Reads .env files: KEY=value lines as they are commonly written. Knows no key and no
-- environment; what wins over what is config.lua's business.
--
-- Grammar: blank lines and lines that start with # are skipped, as is any line that is no
-- assignment. `export ` may stand in front. Unquoted values are trimmed and end at " #".
-- '...' and `...` are taken as they are, "..." knows \n \r \t \\ \" \$; all three may span
-- lines. A byte order mark and CRLF line ends are fine. The last assignment of a key wins.
local dotenv = {}

local ESCAPES = { n = "\n", r = "\r", t = "\t" }

local function unescape(text)
  return (text:gsub("\\(.)", function(letter)
    return ESCAPES[letter] or letter
  end))
end

-- The end of a quoted value that starts at `from` (just after the quote), or nil.
local function closing_quote(text, quote, from)
  local at = from
  while at <= #text do
    local letter = text:sub(at, at)
    if letter == "\\" and quote == "\"" then
      at = at + 1
    elseif letter == quote then
      return at
    end
    at = at + 1
  end
  return nil
end

local function end_of_line(text, from)
  return text:find("\n", from, true) or #text + 1
end

-- The value at `from`, and where to go on.
local function read_value(text, from)
  local quote = text:match("^[\"'`]", from)
  local close = quote and closing_quote(text, quote, from + 1)
  if close then
    local value = text:sub(from + 1, close - 1)
    return quote == "\"" and unescape(value) or value, end_of_line(text, close + 1) + 1
  end
  local stop = end_of_line(text, from)
  local value = text:sub(from, stop - 1)
  if value:find("^#") then
    value = ""
  end
  return (value:gsub("%s#.*$", ""):gsub("%s+$", "")), stop + 1
end

-- Text -> table of key and value, both strings.
function dotenv.parse(text)
  text = text:gsub("^\xEF\xBB\xBF", ""):gsub("\r\n?", "\n")
  local found, at = {}, 1
  while at <= #text do
    local key, value_at = text:match("^[ \t]*([%a_][%w_.%-]*)[ \t]*=[ \t]*()", at)
    if not key then
      key, value_at = text:match("^[ \t]*export[ \t]+([%a_][%w_.%-]*)[ \t]*=[ \t]*()", at)
    end
    if key then
      found[key], at = read_value(text, value_at)
    else
      at = end_of_line(text, at) + 1
    end
  end
  return found
end

-- The file's content; an empty table when there is no such file.
function dotenv.load(path)
  local file <close> = io.open(path, "rb")
  if not file then
    return {}
  end
  return dotenv.parse(file:read("a") or "")
end

return dotenv
