-- Strings that try to be SQL: known payloads, and as many more as are asked for from a grammar of
-- what ends a quote, begins a statement, hides a rest or looks like a placeholder. A seed repeats them.
local random = require("tests.support.lua.random")

local hostile_text = {}

local PAYLOADS = {
  "'", "''", "'''", "\"", "\"\"", "`", "``", "\\", "\\\\", "\\'", "\\\"", "\\`", "'\\'", "'--", "'#", "'/*", "*/", "/*",
  "/**/", "/*!50000", "/*! SELECT 1 */", "/*+ MAX_EXECUTION_TIME(1) */", "--", "-- ", "--\n", "#", "#\n", ";", ";;",
  "?",
  "??", "???", "$1", "$$", "$a$", "$2 OR $1", ":a", ":name", "::text", "@a", "@@version", "%", "%%", "%s", "%n", "{}",
  "[", "]", "[a]", "]]", "(", ")", "()", ",", ", ", "*", ".", "..", "a.b", "a.*", "*.*", "a.b.c.d", ".a", "a.", " ",
  "  ",
  "\t", "\n", "\r\n", "\v", "\f", "\27[31m", "\b", "\127", "", "a b", " a", "a ", "id", "ID", "name", "name as x",
  "name AS \"x\"", "id, name", "id; --", "id) --", "id desc, (select 1)", "id limit 1", "asc", "desc", "ASC", "DeSc",
  "asc, name desc", "asc nulls first", "asc--", "desc; DROP TABLE inj_canary", "1", "0", "-1", "1e3", "0x31",
  "1 or 1=1",
  "1; SELECT 1", "1 UNION ALL SELECT 1", "10, 5", "10 OFFSET 5", "10 PROCEDURE ANALYSE()", "null", "NULL", "true", "=",
  "==", "<>", "!=", "<", ">", "<=>", "<=", ">=", "like", "LIKE", "not like", "ilike", "in", "not in", "is", "is null",
  "is not null", "between", "not between", "exists", "regexp", "~", "~*", "!~", "||", "&&", "@>", "->", "->>", "#>",
  "= 1 or 1 =", "= any(select 1) or 1 =", "like '%' or", "is null or 1 =", "; delete from inj_canary; --",
  "'; DROP TABLE inj_canary; --", "\"; DROP TABLE inj_canary; --", "`; DROP TABLE inj_canary; --",
  "'); DELETE FROM inj_canary; --", "' OR '1'='1", "' OR 1=1 -- ", "\" OR \"\"=\"", "` OR 1=1 -- ",
  "' UNION SELECT 1, 2, 3 -- ",
  "\" UNION SELECT 1 -- ", "x' AND SLEEP(5) AND 'x'='x", "x'||pg_sleep(5)||'x", "' || (SELECT 1) || '",
  "'||randomblob(1000000000/2)||'", "\\' OR 1=1 -- ", "\\\" OR 1=1 -- ", "\\` OR 1=1 -- ",
  "\\'; DROP TABLE inj_canary; -- ",
  "E'\\''", "U&'\\0027'", "N'x'", "X'00'", "_utf8mb4'x'", "$$; DROP TABLE inj_canary; --", "$q$'$q$",
  "'; ATTACH DATABASE '/tmp/x' AS x; --", "'; COPY inj_canary TO PROGRAM 'id'; --", "' INTO OUTFILE '/tmp/x' -- ",
  "'; PRAGMA writable_schema=1; --", "load_extension('x')", "load_extension", "pg_read_file", "sleep", "benchmark",
  "version()", "count(*)", "count(", "sum) FROM inj_canary --", "lower", "LOWER", "lower(", "lower ", "a-b", "1a", "_a",
  "$.a", "$.a'", "$.\"a\"", "$[0]", "$.a[*]", "a'b.c\"d", "{a,b}", "{\"a\":1}", "a[0]", "a->'b'", "__index", "__gc",
  "rowid",
  "oid", "ctid", "xmin", "_rowid_", "sqlite_master", "information_schema.tables", "pg_catalog.pg_class",
  "select", "SELECT", "from", "where", "table", "order", "group", "user", "default", "values", "all", "distinct",
  "NaN", "Infinity", "-Infinity", "1.0", "01", "é", "ß", "İ", "名前", "🙂", "\u{2019}", "\u{02bc}", "\u{ff07}",
  "\u{ff02}",
  "\u{ff40}", "\u{201c}x\u{201d}", "\u{00a0}", "\u{2028}", "\u{202e}x", "\u{feff}", "\u{200b}", "\u{0301}",
  "\u{10ffff}",
  "\0", "a\0", "\0a", "a\0' OR 1=1 --", "\xff", "a\xff", "\xc0\x80", "\xc0\xa7 OR 1=1 --", "\xbf\x27 OR 1=1 --",
  "\xbf\x5c\x27",
  "\xe2\x82", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xf0\x9f", ("a"):rep(63), ("a"):rep(64), ("a"):rep(65),
  ("é"):rep(32),
  ("é"):rep(64), ("'"):rep(64), ("\""):rep(31), ("`"):rep(32), ("("):rep(200), ("x"):rep(5000), ("'"):rep(5000),
}

local BEFORE = { "", "", "a", "x", "id", "name", "1", "-1", "é", "inj_canary", " ", "\\", "0x27", "\u{202e}", "%" }
local CLOSE = {
  "'", "\"", "`", "''", "\"\"", "``", "\\'", "\\\"", "\\`", "\\\\'", "'\"`", "')", "\")", "`)", "'))", "]", ")", "*/",
  "\n", "$1", "$$", "?", "??", ":x", "\u{2019}", "\u{ff07}", "\u{02bc}", ".", "'.'", "\".\"", "`.`", "\\", "", "",
}
local GAP = { "", " ", "\t", "\n", "/**/", "/*!*/", "\u{00a0}", "+", "\r\n", "--\n", "\v" }
local MIDDLE = {
  "OR 1=1", "or 'a'='a'", "OR \"a\"=\"a\"", "AND 1=0", "|| 'x'", "&& 1", "; DROP TABLE inj_canary",
  ";DELETE FROM inj_canary",
  "; UPDATE inj_canary SET id = 9", "UNION SELECT 1", "UNION ALL SELECT null, null", "as x", "AS \"x\"", "as `x`",
  ", id",
  ", (SELECT 1)", "FROM inj_canary", "LIMIT 1", "OFFSET 1", "ORDER BY 1", "desc", "asc", "IS NULL", "IN (1)", "= 1",
  "> 0", "$2",
  "?", "??", ":id", "@@version", "COLLATE NOCASE", "::int", "(SELECT 1)", "count(*)", "lower(", "sleep(9)",
  "pg_sleep(9)",
  "RETURNING *", "FOR UPDATE", "INTO OUTFILE '/x'", "ON CONFLICT DO NOTHING", "ON DUPLICATE KEY UPDATE id=1", "WHERE 1",
  "name", "b", "0", "💥", "",
}
local AFTER = {
  "", "", "--", "-- ", "--\n", "#", "#\n", "/*", "/*!", ";", "; --", "'", "\"", "`", "' --", "\" --", "` #", "\\", ")",
  "'='",
  "\"=\"", "`=`", " as y", ".z", ".*", "%'", "?", "$1", " ",
}
local BROKEN = { "\0", "\xff", "\xc0\xa7", "\xbf\x27", "\xed\xa0\x80", "\xe2\x82" }

local function made(r)
  local text = r:pick(BEFORE) .. r:pick(CLOSE) .. r:pick(GAP) .. r:pick(MIDDLE) .. r:pick(GAP) .. r:pick(AFTER)
  if r:chance(3) then
    text = text .. r:pick(CLOSE) .. r:pick(GAP) .. r:pick(MIDDLE) .. r:pick(AFTER)
  end
  if r:chance(30) then
    local at = r:int(0, #text)
    text = text:sub(1, at) .. r:pick(BROKEN) .. text:sub(at + 1)
  end
  return text
end

hostile_text.n_known = #PAYLOADS

-- `count` different strings, the known payloads first.
function hostile_text.corpus(count, seed)
  local r = random.new(seed)
  local list, seen = {}, {}
  local function add(text)
    if not seen[text] and #list < count then
      seen[text] = true
      list[#list + 1] = text
    end
  end
  for _, text in ipairs(PAYLOADS) do
    add(text)
  end
  while #list < count do
    add(made(r))
  end
  return list
end

-- Text that a database cannot take: NUL, or bytes that are no UTF-8.
function hostile_text.is_broken(text)
  return text:find("\0", 1, true) ~= nil or utf8.len(text) == nil
end

return hostile_text
