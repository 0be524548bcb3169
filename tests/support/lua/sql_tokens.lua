-- What a database reads in a statement: its tokens, per dialect, after the manuals' lexical rules
-- (SQLite "lang_keywords", PostgreSQL 4.1, MySQL 9.1 and 9.7, MariaDB "String Literals" and
-- "Comment Syntax"). It shares nothing with the code that writes statements.
--
-- A token is text: a letter for its kind, then its value: i identifier, s string, n number,
-- w word, p placeholder, o anything else, c comment, x what never ends.
local sql_tokens = {}

local MYSQL = {
  quotes = { ["'"] = "s", ["\""] = "s", ["`"] = "i" }, backslash = true, hash = true, dashes = "^%-%-[%c ]",
    placeholder = "^%?",
}
local SQLITE = {
  quotes = { ["'"] = "s", ["\""] = "i", ["`"] = "i" }, brackets = true, dashes = "^%-%-", placeholder = "^%?%d*",
}
local POSTGRES = {
  quotes = { ["'"] = "s", ["\""] = "i" }, dollars = true, nested = true, dashes = "^%-%-", placeholder = "^%$%d+",
}
local RULES = { mysql = MYSQL, mariadb = MYSQL, sqlite = SQLITE, postgres = POSTGRES, cockroachdb = POSTGRES }

-- Where a quoted token that begins at `at` ends, and what it holds.
local function quoted(text, at, quote, backslash)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find(backslash and "[\\" .. quote .. "]" or quote, from)
    if not stop then
      return nil
    end
    parts[#parts + 1] = text:sub(from, stop - 1)
    local char, following = text:sub(stop, stop), text:sub(stop + 1, stop + 1)
    if char == "\\" then
      parts[#parts + 1] = following
      from = stop + 2
    elseif following == quote then
      parts[#parts + 1] = quote
      from = stop + 2
    else
      return stop, table.concat(parts)
    end
  end
end

-- Where a /* comment */ ends.
local function commented(text, at, nested)
  local depth, from = 1, at + 2
  while depth > 0 do
    local stop = text:find(nested and "[/*][/*]" or "%*/", from)
    if not stop then
      return nil
    end
    local pair = text:sub(stop, stop + 1)
    if pair == "*/" then
      depth = depth - 1
    elseif pair == "/*" then
      depth = depth + 1
    else
      stop = stop - 1
    end
    from = stop + 2
  end
  return from - 1
end

local function next_token(text, at, rules)
  local char = text:sub(at, at)
  local kind = rules.quotes[char]
  if kind then
    local stop, value = quoted(text, at, char, rules.backslash and kind == "s")
    return stop, stop and kind .. value
  elseif text:find("^/%*", at) then
    return commented(text, at, rules.nested), "c"
  elseif text:find(rules.dashes, at) or (rules.hash and char == "#") then
    return text:find("\n", at, true) or #text, "c"
  elseif rules.brackets and char == "[" then
    local stop = text:find("]", at, true)
    return stop, stop and "i" .. text:sub(at + 1, stop - 1)
  end
  local _, stop = text:find(rules.placeholder, at)
  if stop then
    return stop, "p"
  end
  local _, open = text:find("^%$[%a_\128-\255]*[%w_\128-\255]*%$", at)
  if rules.dollars and open then
    local _, close = text:find(text:sub(at, open), open + 1, true)
    return close, "s"
  end
  _, stop = text:find("^[%a_\128-\255][%w_$\128-\255]*", at)
  if stop then
    -- E'...', X'...', N'...' and the like would begin here
    local word = text:sub(at, stop)
    return stop, (text:find("^['\"]", stop + 1) and "x" or "w") .. word:upper()
  end
  _, stop = text:find("^%d+%.?%d*[eE]?[+-]?%d*", at)
  if stop then
    return stop, "n" .. text:sub(at, stop)
  end
  return at, "o" .. char
end

-- The tokens of a statement. The last one is "x" if it never ends.
function sql_tokens.read(dialect, text)
  local rules = assert(RULES[dialect], dialect)
  local list, at = {}, 1
  while true do
    at = text:find("[^ \t\r\n\f\v]", at)
    if not at then
      return list
    end
    local stop, token = next_token(text, at, rules)
    if not stop then
      list[#list + 1] = "x"
      return list
    end
    list[#list + 1] = token
    at = stop + 1
  end
end

return sql_tokens
