-- What is written to a column of each kind and what must come back: one table for every database.
-- Data only; value_run.lua does with it what value_spec.lua asserts.
--
-- A group is a column and the values tried on it. A case is
--
--   { name, value, ... }             reads back as the same value
--   { name, value, read = x }        is taken in another form and reads back as x
--   { name, value, error = "CODE" }  is refused, and nothing is stored
--   { name, store = "SQL", ... }     SQL puts it there: what another program may have stored
--
-- `text` is what the database itself says that it holds, by the group's `oracle`. Where databases
-- differ, a field is a table by their names with `other` for the rest, and `why` says it in words.
local hysteria = require("hysteria")

local column, sql = hysteria.column, hysteria.sql

local function by(names)
  return setmetatable(names, { __name = "by database" })
end

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- Big-endian bits of a double: what float8send says.
local function bits(number)
  return hex((">d"):pack(number))
end

-- `near`: in a condition the database compares it as a float.
local function error_case(name, value, code, near)
  return { name, value, error = code or "DATA_INVALID", raw = false, near = near ~= nil }
end

local groups = {}

local function group(name, made, given)
  given.name, given.column = name, made
  groups[#groups + 1] = given
end

-- ---- how a database says what it holds ----------------------------------------------------------

local PLAIN = { sqlite = "CAST(v AS TEXT)", postgres = "v::text", other = "CAST(v AS CHAR)" }
local BYTES = { sqlite = "lower(hex(v))", postgres = "encode(v, 'hex')", other = "lower(hex(v))" }
local TEXT = {
  sqlite = "lower(hex(v))", postgres = "encode(convert_to(v::text, 'UTF8'), 'hex')",
  other = "lower(hex(convert(v USING utf8mb4)))",
}
-- SQLite shows 15 digits, and reads more of them with an error: it is asked by powers of two, which
-- are exact, and answers 1.
local function same_in_sqlite(number)
  if number == math.huge or number == -math.huge then
    return number > 0 and "v = 9e999" or "v = -9e999"
  end
  local unsigned = ("<i8"):unpack(("<d"):pack(number))
  local exponent, mantissa = unsigned >> 52 & 0x7ff, unsigned & 0xfffffffffffff
  if exponent > 0 then
    mantissa, exponent = mantissa | 1 << 52, exponent - 1
  end
  return ("v = %s%d * pow(2.0, %d)"):format(unsigned < 0 and "-" or "", mantissa, exponent - 1074)
end

local FLOATS = { sqlite = same_in_sqlite, postgres = "encode(float8send(v), 'hex')", other = "CAST(v AS CHAR)" }

-- ---- booleans and integers ----------------------------------------------------------------------

local function truth(value)
  return by { postgres = tostring(value), other = value and "1" or "0" }
end

local function truth_number(value)
  return value and 1 or 0
end

group("boolean", column.boolean(), {
  oracle = PLAIN,
  raw_read = { mariadb = truth_number, mysql = truth_number },
  { "true", true, text = truth(true) },
  { "false", false, text = truth(false) },
  { "1", 1, read = true, text = truth(true), raw = true },
  { "0", 0, read = false, text = truth(false), raw = false },
  error_case("2", 2),
  error_case("'yes'", "yes"),
  error_case("1.0", 1.0, "DATA_INVALID", "near"),
})

local function integers(name, made, low, high)
  group(name, made, {
    oracle = PLAIN,
    { tostring(low), low },
    { tostring(high), high },
    { "0", 0 },
    { "-1", -1 },
    { "3.0", 3.0, read = 3, text = "3" },
    { "decimal 7", sql.decimal("7"), read = 7, text = "7" },
    error_case("one below the least", low == math.mininteger and -0x1p64 or low - 1),
    error_case("one above the most", high == math.maxinteger and 0x1p63 or high + 1, "DATA_INVALID", "near"),
    error_case("1.5", 1.5),
    error_case("'12'", "12"),
    error_case("inf", math.huge),
    error_case("nan", 0 / 0),
    error_case("true", true),
  })
end

integers("tinyint", column.tinyint(), -128, 127)
integers("smallint", column.smallint(), -32768, 32767)
integers("mediumint", column.mediumint(), -8388608, 8388607)
integers("integer", column.integer(), -2147483648, 2147483647)
integers("bigInteger", column.bigInteger(), math.mininteger, math.maxinteger)

group("bigInteger past 2^53", column.bigInteger(), {
  oracle = PLAIN,
  { "2^53", 9007199254740992 },
  { "2^53+1", 9007199254740993 },
  { "-2^53-1", -9007199254740993 },
  { "float 2^53", 0x1p53, read = 9007199254740992, text = "9007199254740992" },
  { "decimal 2^63-1", sql.decimal("9223372036854775807"), read = math.maxinteger, text = "9223372036854775807" },
  error_case("decimal 2^63", sql.decimal("9223372036854775808")),
})

-- Only MariaDB and MySQL have unsigned integers; elsewhere the column is of the same width with a sign.
local function unsigned(name, made, high, fits)
  group(name .. " unsigned", made, {
    oracle = PLAIN,
    { "0", 0 },
    { "the most of its width", high, error = not fits and by { postgres = "DATA_INVALID" } or nil },
    error_case("-1", -1),
    error_case("one too many", high + 1),
  })
end

unsigned("tinyint", column.tinyint { unsigned = true }, 255, true)
unsigned("smallint", column.smallint { unsigned = true }, 65535)
unsigned("mediumint", column.mediumint { unsigned = true }, 16777215, true)
unsigned("integer", column.integer { unsigned = true }, 4294967295)

group("bigInteger unsigned", column.bigInteger { unsigned = true }, {
  oracle = PLAIN,
  { "0", 0 },
  { "2^63-1", math.maxinteger },
  {
    "2^64-1", sql.decimal("18446744073709551615"),
    error = by { sqlite = "DATA_INVALID", postgres = "DATA_INVALID" },
  },
  { "2^63", sql.decimal("9223372036854775808"), error = by { sqlite = "DATA_INVALID", postgres = "DATA_INVALID" } },
  error_case("2^64", sql.decimal("18446744073709551616")),
  error_case("-1", -1),
})

-- ---- floats -------------------------------------------------------------------------------------

local SINGLE = "kept in single precision"
local NO_INFINITY = by { mariadb = "DATA_INVALID", mysql = "DATA_INVALID" }

-- A float that only SQLite keeps in 64 bits.
local function single(name, value, nearest)
  return {
    name, value, read = by { sqlite = value, other = nearest },
    text = by { sqlite = 1, postgres = bits(nearest), other = false }, why = by { sqlite = false, other = SINGLE },
  }
end

-- `digits`: the shortest that mean this number, as MariaDB and MySQL write them.
local function float(name, value, digits, more)
  local case = more or {}
  case[1], case[2] = name, value
  case.text = by { postgres = bits(value), sqlite = 1, other = digits }
  return case
end

group("float", column.float(), {
  oracle = FLOATS,
  float("0.0", 0.0, "0"),
  float("1.5", 1.5, "1.5"),
  float("-0.25", -0.25, "-0.25"),
  single("0.1", 0.1, 0x1.99999ap-4),
  single("1/3", 1 / 3, 0x1.555556p-2),
  single("123456789.0", 123456789.0, 123456792.0),
  single("denormal 1e-45", 1e-45, 0x1p-149),
  { "16777216", 16777216, read = 16777216.0, text = by { postgres = bits(16777216.0), sqlite = 1, other = false } },
  error_case("16777217", 16777217),
  { "1e39", 1e39, error = by { sqlite = false, other = "DATA_INVALID" }, text = 1 },
  { "inf", math.huge, error = NO_INFINITY, text = by { postgres = bits(math.huge), sqlite = 1 } },
  error_case("'1.5'", "1.5"),
})

local NO_MINUS_ZERO = "0.0: it stores no negative zero"

group("double", column.double(), {
  oracle = FLOATS,
  float("0.1", 0.1, "0.1"),
  float("1/3", 1 / 3, "0.3333333333333333"),
  float("1e308", 1e308, "1e308"),
  float("the largest", 0x1.fffffffffffffp1023, "1.7976931348623157e308"),
  float("the smallest normal", 0x1p-1022, "2.2250738585072014e-308"),
  float("the smallest denormal", 0x1p-1074, "5e-324"),
  float("2^53", 0x1p53, "9.007199254740992e15"),
  float("-123456789.12345679", -123456789.12345679, "-123456789.12345679"),
  float("1e17", 1e17, "1e17"),
  {
    "-0.0", -0.0, read = by { sqlite = 0.0, mariadb = 0.0, other = -0.0 },
    why = by { sqlite = NO_MINUS_ZERO, mariadb = NO_MINUS_ZERO },
    text = by { postgres = bits(-0.0), sqlite = 1, mariadb = "0", mysql = "-0" },
  },
  { "3", 3, read = 3.0, text = by { postgres = bits(3.0), sqlite = 1, other = "3" } },
  { "decimal 1.5", sql.decimal("1.5"), read = 1.5, text = by { postgres = bits(1.5), sqlite = 1, other = "1.5" } },
  { "inf", math.huge, error = NO_INFINITY, text = by { postgres = bits(math.huge), sqlite = 1 } },
  { "-inf", -math.huge, error = NO_INFINITY, text = by { postgres = bits(-math.huge), sqlite = 1 } },
  {
    "nan", 0 / 0, text = false,
    error = by { sqlite = "DATA_INVALID", mariadb = "DATA_INVALID", mysql = "DATA_INVALID" },
  },
  error_case("integer 2^53+1", 9007199254740993, "DATA_INVALID", "near"),
  error_case("'1.5'", "1.5"),
})

-- ---- decimals -----------------------------------------------------------------------------------

-- A decimal reads with the column's scale; `text` of SQLite leaves out what a number has no place for.
local function decimal(name, value, read, sqlite)
  return { name, value, read = sql.decimal(read), text = by { sqlite = sqlite or read, other = read } }
end

local function exact(text, sqlite)
  return decimal(text, sql.decimal(text), text, sqlite)
end

-- Read by raw SQL, where no column says how many zeros stand behind: equal is enough.
local UNSCALED = { sqlite = "equal" }

group("decimal(10,2)", column.decimal { precision = 10, scale = 2 }, {
  oracle = PLAIN,
  raw_read = UNSCALED,
  exact("0.10", "0.1"),
  exact("0.00", "0"),
  exact("99999999.99"),
  exact("-99999999.99"),
  decimal("5", 5, "5.00", "5"),
  decimal("'7.5'", "7.5", "7.50", "7.5"),
  decimal("'1e3'", "1e3", "1000.00", "1000"),
  decimal("'-0.00'", "-0.00", "0.00", "0"),
  decimal("0.5000", sql.decimal("0.5000"), "0.50", "0.5"),
  decimal("float 2.0", 2.0, "2.00", "2"),
  error_case("0.125", sql.decimal("0.125")),
  error_case("100000000", sql.decimal("100000000")),
  error_case("float 1.5", 1.5),
  error_case("'abc'", "abc"),
  error_case("nan", 0 / 0),
  error_case("true", true),
})

group("decimal(38,10)", column.decimal { precision = 38, scale = 10 }, {
  oracle = PLAIN,
  raw_read = UNSCALED,
  exact("9999999999999999999999999999.9999999999"),
  exact("-9999999999999999999999999999.9999999999"),
  exact("0.0000000001", "1.0e-10"),
  exact("9007199254740993.1000000001"),
  { "0.1 + 0.2", sql.decimal("0.1") + sql.decimal("0.2"), read = sql.decimal("0.3000000000"),
    text = by { sqlite = "0.3", other = "0.3000000000" } },
  { "1 / 3 to 10 places", sql.decimal("1"):div(3, 10), read = sql.decimal("0.3333333333"), text = "0.3333333333" },
  { "12345678901234567890 * 0.5", sql.decimal("12345678901234567890") * sql.decimal("0.5"),
    read = sql.decimal("6172839450617283945.0000000000"),
    text = by { sqlite = "6172839450617283945", other = "6172839450617283945.0000000000" } },
  { "2^53+1", 9007199254740993, read = sql.decimal("9007199254740993.0000000000"),
    text = by { sqlite = "9007199254740993", other = "9007199254740993.0000000000" } },
  error_case("11 decimals", sql.decimal("0.12345678901")),
  error_case("29 digits before the point", sql.decimal("12345678901234567890123456789")),
  error_case("float 0.1", 0.1),
})

group("decimal(65,30)", column.decimal { precision = 65, scale = 30 }, {
  oracle = PLAIN,
  raw_read = UNSCALED,
  exact(("9"):rep(35) .. "." .. ("9"):rep(30)),
  exact("-0." .. ("0"):rep(29) .. "1", "-1.0e-30"),
})

group("decimal as string", column.decimal { precision = 20, scale = 3, as = "string" }, {
  oracle = PLAIN,
  { "12345678901234567.125", sql.decimal("12345678901234567.125"), read = "12345678901234567.125",
    text = "12345678901234567.125" },
  { "'0.5'", "0.5", read = "0.500", text = by { sqlite = "0.5", other = "0.500" } },
})

group("decimal as number", column.decimal { precision = 10, scale = 3, as = "number" }, {
  oracle = PLAIN,
  { "decimal 0.125", sql.decimal("0.125"), read = 0.125, text = "0.125" },
  { "3", 3, read = 3.0, text = by { sqlite = "3", other = "3.000" } },
  { "float 0.1", 0.1, text = by { sqlite = "0.1", other = "0.100" } },
  { "float -1234567.125", -1234567.125, text = "-1234567.125" },
  error_case("float 0.1 + 0.2", 0.1 + 0.2),
  error_case("float 0.0625", 0.0625),
  error_case("float 1e7", 1e7),
})

-- ---- text ---------------------------------------------------------------------------------------

local function text(name, value, more)
  local case = more or {}
  case[1], case[2] = name, value
  case.text = case.text or hex(value)
  return case
end

-- Refused also where no column says that it is text.
local function bad_text(name, value)
  return { name, value, error = "DATA_INVALID", raw = value }
end

local BAD_TEXT = {
  bad_text("NUL byte", "a\0b"),
  bad_text("stray continuation byte", "a\x80"),
  bad_text("cut UTF-8", "abc\xe2\x82"),
  bad_text("overlong UTF-8", "\xc0\x80"),
  bad_text("surrogate", "\xed\xa0\x80"),
  bad_text("past U+10FFFF", "\xf4\x90\x80\x80"),
  error_case("5", 5),
  error_case("true", true),
}

local GOOD_TEXT = {
  text("empty", ""),
  text("'a'", "a"),
  text("blanks around", " a b "),
  text("only blanks", "   "),
  text("quotes and backslashes", [[\'";--\\]]),
  text("control characters", "\t\r\n\1\31\127"),
  text("'%_?:x'", "%_?:x$1"),
  text("Latin-1 letters", "Zoë ñ ß"),
  text("CJK", "日本語"),
  text("4-byte UTF-8", "😀𝄞"),
  text("U+10FFFF and U+FFFD", "\u{10FFFF}\u{FFFD}"),
  text("combining and bidirectional", "e\u{301}\u{202e}x"),
  text("'NULL'", "NULL"),
  text("'0e1'", "0e1"),
}

local function listed(...)
  local list = {}
  for _, cases in ipairs { ... } do
    for _, case in ipairs(cases) do
      list[#list + 1] = case
    end
  end
  return list
end

local function text_group(name, made, given)
  given.oracle, given.text = TEXT, true
  given.loose = { mariadb = true, mysql = true } -- their collations take letters for equal that are not
  group(name, made, given)
end

text_group("string(20)", column.string { length = 20 }, listed(GOOD_TEXT, {
  text("as long as it may be", ("😀"):rep(20)),
  error_case("one character more", ("x"):rep(21)),
  error_case("blanks behind its length", ("x"):rep(20) .. "  "),
}, BAD_TEXT))

text_group("text", column.text(), listed(GOOD_TEXT, {
  text("100 KiB", ("Ĥysteria 😀\n"):rep(7000)),
}, BAD_TEXT))

local PADDED = "without the blanks at its end"

text_group("char(5)", column.char { length = 5 }, {
  text("'abcde'", "abcde"),
  text("'ab'", "ab", { text = by { sqlite = "6162", postgres = "6162", other = "6162" } }),
  text("'日本語日本'", "日本語日本"),
  { "'ab '", "ab ", read = by { sqlite = "ab ", other = "ab" }, text = by { sqlite = "616220", other = "6162" },
    why = by { sqlite = false, other = PADDED }, equality = by { mysql = false } },
  text("empty", ""),
  error_case("'abcdef'", "abcdef"),
  error_case("'abcde '", "abcde "),
  error_case("NUL byte", "a\0b"),
  error_case("stray continuation byte", "a\x80"),
})

text_group("enum", column.enum { "new", "paid", "it's", "a,b", "日本" }, {
  utf8_only = true,
  text("'new'", "new"),
  text("'it's'", "it's"),
  text("'a+b' with a comma", "a,b"),
  text("'日本'", "日本"),
  error_case("no member", "lost"),
  error_case("another case", "NEW"),
  error_case("blank behind", "new "),
  error_case("empty", ""),
  error_case("1", 1),
})

text_group("custom VARCHAR(20)", column { type = "VARCHAR(20)" }, {
  text("'a'", "a"),
  text("4-byte UTF-8", "😀"),
  error_case("NUL byte", "a\0b"),
})

-- ---- ids ----------------------------------------------------------------------------------------

local UUID = "6f1f9a3e-8a55-4c0c-9c42-6f2b1c3d4e5f"

group("uuid", column.uuid { generate = false }, {
  oracle = PLAIN,
  { "small letters", UUID },
  { "capitals", UUID:upper(), read = UUID, text = UUID, raw = false },
  { "without dashes", (UUID:gsub("-", "")), read = UUID, text = UUID, raw = false },
  { "all zero", "00000000-0000-0000-0000-000000000000" },
  { "all f", "ffffffff-ffff-ffff-ffff-ffffffffffff" },
  error_case("too short", UUID:sub(1, 35)),
  error_case("no hexadecimal digit", (UUID:gsub("6", "g"))),
  error_case("empty", ""),
  error_case("1", 1),
})

text_group("ulid", column.ulid { generate = false }, {
  text("a ULID", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
  text("in small letters", "01arz3ndektsv4rrffq69g5fav"),
  error_case("25 characters", "01ARZ3NDEKTSV4RRFFQ69G5FA"),
  error_case("27 characters", "01ARZ3NDEKTSV4RRFFQ69G5FAVX"),
  error_case("with the letter U", "01ARZ3NDEKTSV4RRFFQ69G5FAU"),
  error_case("empty", ""),
})

-- ---- bytes --------------------------------------------------------------------------------------

local ALL_BYTES = {}
for byte = 0, 255 do
  ALL_BYTES[#ALL_BYTES + 1] = string.char(byte)
end
ALL_BYTES = table.concat(ALL_BYTES)

local function bytes(name, value, written)
  return { name, written or value, read = value, text = hex(value), raw = sql.binary(value) }
end

group("binary", column.binary(), {
  oracle = BYTES,
  bytes("empty", ""),
  bytes("one NUL", "\0"),
  bytes("every byte", ALL_BYTES),
  bytes("invalid UTF-8", "\xff\xfe\xc0"),
  bytes("blanks and NULs at the end", "a \0 \0"),
  bytes("sql.binary", "\1\0\2", sql.binary("\1\0\2")),
  bytes("1 MiB of every byte", ALL_BYTES:rep(4096)),
  error_case("5", 5),
  error_case("true", true),
})

group("varbinary(256)", column.varbinary { length = 256 }, {
  oracle = BYTES,
  bytes("empty", ""),
  bytes("every byte", ALL_BYTES),
  error_case("one byte more", ALL_BYTES .. "\0"),
})

-- ---- JSON ---------------------------------------------------------------------------------------

local function nested(levels, innermost)
  local made = innermost
  for _ = 1, levels do
    made = sql.array { made }
  end
  return made
end

local function json(name, value, more)
  local case = more or {}
  case[1], case[2], case.text = name, value, false
  return case
end

local NO_ZERO = "0.0: numeric has no negative zero"

local function json_cases(minus_zero)
  return {
    json("object", { a = 1, b = "x", c = true }),
    json("nested", { list = { 1, 2, { deep = { true, false } } }, empty = sql.object {}, none = sql.array {} }),
    json("empty array", sql.array {}),
    json("empty object", sql.object {}),
    json("plain {}", {}, { read = sql.object {} }),
    json("text", "plain text"),
    json("empty text", ""),
    json("text of quotes and control characters", "\"\\/\b\f\n\r\t\1\31\127"),
    json("4-byte UTF-8", { ["😀"] = "日本語 \u{10FFFF}" }),
    json("empty key", { [""] = 1 }),
    json("true", true),
    json("false", false),
    json("document null", sql.jsonNull),
    json("null inside", { a = sql.jsonNull, list = sql.array { 1, sql.jsonNull } }),
    json("0", 0),
    json("2^53+1", { n = 9007199254740993 }),
    json("int64 limits", sql.array { math.mininteger, math.maxinteger }),
    json("1.0", { n = 1.0 }),
    json("0.1", sql.array { 0.1, 1 / 3, -2.5 }),
    json("1e15", sql.array { 1e15, 1e16, 123456789012345680.0 }),
    json("1e17 and 1e23", sql.array { 1e17, 1e23, 0x1p63, 0x1p64, -1e30 }),
    json("1e308", sql.array { 1e308, 0x1.fffffffffffffp1023 }),
    json("1e-7 and denormals", sql.array { 1e-7, 0x1p-1022, 0x1p-1074 }),
    json("-0.0", sql.array { -0.0 }, minus_zero),
    json("100 KiB", { text = ("Ĥysteria 😀\n"):rep(7000) }),
    json("30 levels", nested(30, 1)),
    json("90 levels", nested(90, 1), { error = by { mariadb = "CHECK_VIOLATION" } }),
    json("200 levels", nested(200, 1), { error = by { mariadb = "CHECK_VIOLATION", mysql = "DATA_INVALID" } }),
    error_case("300 levels", nested(300, 1), "LIMIT_EXCEEDED"),
    error_case("inf", { n = math.huge }),
    error_case("nan", { n = 0 / 0 }),
    error_case("NUL byte", { text = "a\0b" }),
    error_case("NUL byte in a key", { ["a\0b"] = 1 }),
    error_case("stray continuation byte", { text = "a\x80" }),
    error_case("list with a hole", { 1, nil, 3 }, "INVALID_ARGUMENT"),
    error_case("list with a key", { 1, 2, x = 3 }, "INVALID_ARGUMENT"),
    error_case("decimal inside", { price = sql.decimal("1.5") }, "INVALID_ARGUMENT"),
    error_case("function inside", { f = print }, "INVALID_ARGUMENT"),
  }
end

-- Documents are compared by whereJson..., not by =.
local function json_group(name, made, cases)
  cases.oracle, cases.equality, cases.json = PLAIN, false, true
  group(name, made, cases)
end

json_group("json", column.json(), json_cases())
json_group("jsonb", column.jsonb(), json_cases {
  read = by { postgres = sql.array { 0.0 }, other = sql.array { -0.0 } }, why = by { postgres = NO_ZERO },
})

-- ---- dates and times ----------------------------------------------------------------------------

local function same_text(...)
  local cases = {}
  for _, written in ipairs { ... } do
    cases[#cases + 1] = { written, written }
  end
  return cases
end

local function taken(name, value, read)
  return { name, value, read = read, text = read, raw = false }
end

local function moment_group(name, made, oracle, ...)
  local given = listed(...)
  given.oracle = oracle
  group(name, made, given)
end

moment_group("date", column.date(), PLAIN, same_text(
  "0001-01-01", "1582-10-10", "1900-02-28", "1970-01-01", "2000-02-29", "2024-02-29", "9999-12-31"
), {
  taken("a table", { year = 2024, month = 2, day = 29 }, "2024-02-29"),
  taken("a moment at midnight", "2024-02-29T00:00:00Z", "2024-02-29"),
  taken("midnight of an offset", "2024-02-29T02:00:00+02:00", "2024-02-29"),
  error_case("2023-02-29", "2023-02-29"),
  error_case("1900-02-29", "1900-02-29"),
  error_case("0000-00-00", "0000-00-00"),
  error_case("2024-00-10", "2024-00-10"),
  error_case("year 0", "0000-01-01"),
  error_case("year 10000", "10000-01-01"),
  error_case("a moment past midnight", "2024-02-29 12:00:00"),
  taken("epoch seconds of a midnight", 1709164800, "2024-02-29"),
  error_case("epoch seconds past midnight", 1700000000),
  error_case("'today'", "today"),
  error_case("empty", ""),
})

group("time", column.time(), {
  oracle = { sqlite = "v", postgres = "to_char(v, 'HH24:MI:SS.US')", other = "CAST(v AS CHAR)" },
  { "00:00:00", "00:00:00", text = by { sqlite = "00:00:00", other = "00:00:00.000000" } },
  { "23:59:59.999999", "23:59:59.999999" },
  { "12:30:00.000001", "12:30:00.000001" },
  { "12:30:00.5", "12:30:00.5", read = "12:30:00.500000", text = "12:30:00.500000" },
  { "12:30", "12:30", read = "12:30:00", raw = "12:30:00",
    text = by { sqlite = "12:30:00", other = "12:30:00.000000" } },
  { "24:00:00", "24:00:00", text = by { sqlite = "24:00:00", other = "24:00:00.000000" } },
  { "-01:00:00", "-01:00:00", error = by { postgres = "DATA_INVALID" },
    text = by { sqlite = "-01:00:00", other = "-01:00:00.000000" } },
  { "838:59:59", "838:59:59", error = by { postgres = "DATA_INVALID" },
    text = by { sqlite = "838:59:59", other = "838:59:59.000000" } },
  taken("a table", { hour = 1, min = 2, sec = 3, usec = 4 }, "01:02:03.000004"),
  error_case("12:60:00", "12:60:00"),
  error_case("839:00:00", "839:00:00"),
  error_case("7 digits of a second", "12:30:00.1234567"),
  error_case("'noon'", "noon"),
  { "12", 12, read = "00:00:12", raw = false, text = by { sqlite = "00:00:12", other = "00:00:12.000000" } },
  { "0.000001", 0.000001, read = "00:00:00.000001", raw = false, text = "00:00:00.000001" },
  error_case("839 hours in seconds", 839 * 3600),
})

local MOMENT = {
  sqlite = "v", postgres = "to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", other = "CAST(v AS CHAR)",
}
local NAIVE = { sqlite = "v", postgres = "to_char(v, 'YYYY-MM-DD HH24:MI:SS.US')", other = "CAST(v AS CHAR)" }

-- SQLite's text leaves out microseconds that are zero.
local function moment(name, value, read, more)
  local case = more or {}
  local whole = read:find(".", 1, true) == nil
  case[1], case[2], case.read = name, value, read
  case.text = by { sqlite = read, other = whole and read .. ".000000" or read }
  if value ~= read then
    case.raw = read
  end
  return case
end

local function moments(...)
  local cases = {}
  for _, written in ipairs { ... } do
    cases[#cases + 1] = moment(written, written, written)
  end
  return cases
end

local WIDE = moments(
  "0001-01-01 00:00:00", "1582-10-10 12:00:00", "1969-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"
)

local MODERN = listed(moments(
  "2024-02-29 12:30:45", "2024-02-29 12:30:45.123456", "2024-02-29 12:30:45.000001",
  -- hours that clocks skip or see twice in Europe and in America
  "2024-03-31 01:30:00", "2024-03-31 02:30:00", "2024-10-27 00:30:00", "2024-10-27 01:30:00", "2024-10-27 02:30:00",
  "2024-03-10 02:30:00", "2024-11-03 01:30:00"
), {
  moment("12:30:45.1", "2024-02-29 12:30:45.1", "2024-02-29 12:30:45.100000"),
  moment("offset +05:30", "2024-02-29T12:30:45+05:30", "2024-02-29 07:00:45"),
  moment("offset -08:00 over midnight", "2024-02-29 20:00:00-08:00", "2024-03-01 04:00:00"),
  moment("Z", "2024-02-29T12:30:45.5Z", "2024-02-29 12:30:45.500000"),
  moment("epoch 1709209845", 1709209845, "2024-02-29 12:30:45"),
  moment("epoch 1709209845.25", 1709209845.25, "2024-02-29 12:30:45.250000"),
  moment("a table", { year = 2024, month = 2, day = 29, hour = 12, min = 30, sec = 45, usec = 7 },
    "2024-02-29 12:30:45.000007"),
  moment("a date", "2024-02-29", "2024-02-29 00:00:00"),
  error_case("2023-02-29", "2023-02-29 00:00:00"),
  error_case("second 60", "2024-12-31 23:59:60"),
  error_case("hour 24", "2024-12-31 24:00:00"),
  error_case("0000-00-00", "0000-00-00 00:00:00"),
  error_case("year 10000", "10000-01-01 00:00:00"),
  error_case("epoch of year 10000", 253402300800),
  error_case("7 digits of a second", "2024-02-29 12:30:45.1234567"),
  error_case("'now'", "now"),
  error_case("empty", ""),
  error_case("true", true),
  error_case("nan", 0 / 0),
})

moment_group("datetime", column.datetime(), NAIVE, WIDE, MODERN)
moment_group("datetime with timezone", column.datetime { timezone = true }, MOMENT, WIDE, MODERN)

-- MariaDB and MySQL count these from 1970 in 31 bits.
local function outside_unix(...)
  local cases = moments(...)
  for _, case in ipairs(cases) do
    case.error = by { mariadb = "DATA_INVALID", mysql = "DATA_INVALID" }
  end
  return cases
end

moment_group("timestamp", column.timestamp(), NAIVE, MODERN, moments(
  "1970-01-01 00:00:01", "2038-01-19 03:14:07.999999"
), outside_unix(
  "1970-01-01 00:00:00", "1969-12-31 23:59:59", "2038-01-19 03:14:08", "0001-01-01 00:00:00",
  "9999-12-31 23:59:59.999999"
))

moment_group("datetime(3)", column.datetime { precision = 3 }, PLAIN, {
  { "3 digits of a second", "2024-02-29 12:30:45.123", read = "2024-02-29 12:30:45.123000",
    text = by { sqlite = "2024-02-29 12:30:45.123000", other = "2024-02-29 12:30:45.123" },
    raw = "2024-02-29 12:30:45.123000" },
  error_case("6 digits of a second", "2024-02-29 12:30:45.123456"),
})

moment_group("datetime(0)", column.datetime { precision = 0 }, PLAIN, {
  { "whole seconds", "2024-02-29 12:30:45" },
  error_case("6 digits of a second", "2024-02-29 12:30:45.999999"),
})

-- ---- `as` and the column's own functions --------------------------------------------------------

moment_group("datetime as epoch", column.datetime { as = "epoch" }, NAIVE, {
  { "1709209845", 1709209845, text = by { sqlite = "2024-02-29 12:30:45", other = "2024-02-29 12:30:45.000000" },
    raw = false },
  { "1709209845.25", 1709209845.25, text = "2024-02-29 12:30:45.250000", raw = false },
  { "-62135596800", -62135596800, text = by { sqlite = "0001-01-01 00:00:00", other = "0001-01-01 00:00:00.000000" },
    raw = false },
})

moment_group("datetime as table", column.datetime { as = "table" }, NAIVE, {
  { "a table", { year = 2024, month = 2, day = 29, hour = 12, min = 30, sec = 45, usec = 7 },
    text = "2024-02-29 12:30:45.000007", raw = false },
})

moment_group("date as epoch", column.date { as = "epoch" }, PLAIN, {
  { "1969-12-31", "1969-12-31", read = -86400, text = "1969-12-31", raw = false },
  { "1709164800", 1709164800, text = "2024-02-29", raw = false },
})

moment_group("date as table", column.date { as = "table" }, PLAIN, {
  { "a table", { year = 2024, month = 2, day = 29 }, text = "2024-02-29", raw = false },
})

moment_group("time as epoch", column.time { as = "epoch" },
  { sqlite = "v", postgres = "to_char(v, 'HH24:MI:SS.US')", other = "CAST(v AS CHAR)" }, {
    { "01:00:00.5", "01:00:00.5", read = 3600.5, text = "01:00:00.500000", raw = false },
    { "86399.999999", 86399.999999, text = "23:59:59.999999", raw = false },
  })

group("string with prepare and serialize", column.string {
  length = 40,
  prepare = function(list) return table.concat(list, ",") end,
  serialize = function(written)
    local list = {}
    for item in written:gmatch("[^,]+") do
      list[#list + 1] = item
    end
    return list
  end,
}, {
  oracle = TEXT,
  text = true,
  equality = false, -- conditions compare what is stored
  { "a list", { "x", "日" }, text = hex("x,日"), raw = false },
})

-- ---- arrays -------------------------------------------------------------------------------------

-- Only PostgreSQL has them; elsewhere such a table cannot be created.
local function array_group(of, name, cases)
  cases.oracle, cases.only, cases.array = PLAIN, { postgres = true }, true
  cases.raw_read = { postgres = "other" } -- lists as JSON has them: decimals and bytes as text
  for _, case in ipairs(cases) do
    case.raw = case.raw or false
  end
  group("array of " .. name, column.array(of), cases)
end

array_group(column.integer(), "integer", {
  { "numbers", { 1, 2, -3 }, text = "{1,2,-3}", raw = sql.array { 1, 2, -3 } },
  { "empty", sql.array {}, text = "{}", raw = sql.array {} },
  { "NULL inside", { 1, sql.null, 3 }, text = "{1,NULL,3}" },
  { "two dimensions", { { 1, 2 }, { 3, 4 } }, text = "{{1,2},{3,4}}" },
  { "3.0", { 3.0 }, read = { 3 }, text = "{3}" },
  error_case("1.5", { 1.5 }),
  error_case("2^31", { 2147483648 }),
  error_case("text", { "1" }),
  error_case("of unequal lengths", { { 1, 2 }, { 3 } }),
  error_case("a single number", 1),
  error_case("a hole", { 1, nil, 3 }, "INVALID_ARGUMENT"),
  error_case("a key", { 1, x = 2 }, "INVALID_ARGUMENT"),
  error_case("7 dimensions", nested(7, 1), "LIMIT_EXCEEDED"),
})
array_group(column.bigInteger(), "bigInteger", {
  { "int64 limits", { math.mininteger, math.maxinteger, 9007199254740993 },
    text = "{-9223372036854775808,9223372036854775807,9007199254740993}" },
})
array_group(column.double(), "double", {
  { "floats", { 1.0, 0.1, -0.0, 1e17, 0x1p-1074, 1e308 }, text = "{1,0.1,-0,1e+17,5e-324,1e+308}" },
  error_case("inf", { math.huge }),
  error_case("nan", { 0 / 0 }),
})
array_group(column.decimal { precision = 38, scale = 10 }, "decimal(38,10)", {
  { "decimals", { sql.decimal("9999999999999999999999999999.9999999999"), sql.decimal("-0.1000000000"), sql.null },
    text = "{9999999999999999999999999999.9999999999,-0.1000000000,NULL}" },
  error_case("11 decimals", { sql.decimal("0.12345678901") }),
})
array_group(column.boolean(), "boolean", {
  { "both", { true, false, sql.null }, text = "{t,f,NULL}" },
})
array_group(column.string { length = 12 }, "string(12)", {
  { "plain", { "a", "b c" }, text = [[{a,"b c"}]] },
  { "what arrays are written with", { "", "NULL", "{x,y}", [["q"]], [[a\b]], "'" },
    text = [[{"","NULL","{x,y}","\"q\"","a\\b",'}]] },
  { "lines and 4-byte UTF-8", { "\n\t\r", "\1", "😀日本" }, text = '{"\n\t\r",\1,😀日本}' },
  error_case("one character more", { ("x"):rep(13) }),
  error_case("NUL byte", { "a\0b" }),
  error_case("stray continuation byte", { "a\x80" }),
})
array_group(column.uuid { generate = false }, "uuid", {
  { "two", { UUID, UUID }, text = "{" .. UUID .. "," .. UUID .. "}" },
})
array_group(column.binary(), "binary", {
  { "bytes", { "", "\0", ALL_BYTES }, text = [[{"\\x","\\x00","\\x]] .. hex(ALL_BYTES) .. [["}]] },
})
array_group(column.date(), "date", {
  { "days", { "0001-01-01", "9999-12-31" }, text = "{0001-01-01,9999-12-31}" },
  error_case("2023-02-29", { "2023-02-29" }),
})
array_group(column.datetime(), "datetime", {
  { "moments", { "2024-02-29 12:30:45.000001", "2024-02-29T12:30:45+05:30" },
    read = { "2024-02-29 12:30:45.000001", "2024-02-29 07:00:45" },
    text = [[{"2024-02-29 12:30:45.000001","2024-02-29 07:00:45"}]] },
})

-- ---- what other programs may have stored --------------------------------------------------------

-- `store` is SQL by database; where there is none, the database refuses to hold such a value.
local function stored(name, stores, read)
  local case = { name, store = by(stores) }
  if read == nil then
    case.error = "DATA_INVALID"
  else
    case.read = read
  end
  return case
end

local others = {}

local function stored_group(name, made, cases)
  cases.name, cases.column = name, made
  others[#others + 1] = cases
end

stored_group("boolean", column.boolean(), {
  stored("2", { sqlite = "2", mariadb = "2", mysql = "2" }),
  stored("'x'", { sqlite = "'x'" }),
})
stored_group("integer", column.integer(), {
  stored("2^40", { sqlite = "1099511627776" }, 1099511627776),
  stored("1.5", { sqlite = "1.5" }),
  stored("'x'", { sqlite = "'x'" }),
  stored("bytes", { sqlite = "x'01'" }),
})
stored_group("bigInteger", column.bigInteger(), {
  stored("2^64 as a float", { sqlite = "18446744073709551616.0" }),
})
stored_group("double", column.double(), {
  stored("'x'", { sqlite = "'x'" }),
})
stored_group("decimal(10,2)", column.decimal { precision = 10, scale = 2 }, {
  stored("NaN", { postgres = "'NaN'" }),
  stored("'x'", { sqlite = "'x'" }),
  stored("0.125", { sqlite = "0.125" }, sql.decimal("0.125")),
})
stored_group("text", column.text(), {
  stored("invalid UTF-8", { sqlite = "CAST(x'61ff' AS TEXT)" }, "a\xff"),
  stored("NUL byte", { sqlite = "CAST(x'610062' AS TEXT)", mariadb = "x'610062'", mysql = "_utf8mb4 x'610062'" },
    "a\0b"),
  stored("bytes", { sqlite = "x'61'" }),
  stored("a number", { sqlite = "15" }, "15"),
})
stored_group("enum", column.enum { "new", "paid" }, {
  stored("no member, by INSERT IGNORE", { mariadb = "'lost'", mysql = "'lost'" }, ""),
})
stored_group("uuid", column.uuid { generate = false }, {
  stored("'x'", { sqlite = "'x'", mariadb = "'x'", mysql = "'x'" }),
  stored("in braces and capitals", { sqlite = "'{6F1F9A3E-8A55-4C0C-9C42-6F2B1C3D4E5F}'",
    postgres = "'{6F1F9A3E-8A55-4C0C-9C42-6F2B1C3D4E5F}'" }, UUID),
})
stored_group("json", column.json(), {
  stored("2^64-1", { sqlite = "'18446744073709551615'", postgres = "'18446744073709551615'",
    mariadb = "'18446744073709551615'", mysql = "'18446744073709551615'" }),
  stored("1e400", { sqlite = "'[1e400]'", postgres = "'[1e400]'", mariadb = "'[1e400]'" }),
  stored("a key twice", { sqlite = "'{\"a\":1,\"a\":2}'", postgres = "'{\"a\":1,\"a\":2}'",
    mariadb = "'{\"a\":1,\"a\":2}'" }),
  stored("an escaped NUL", { sqlite = [['"a\u0000"']], postgres = [['"a\u0000"']], mariadb = [['"a\\u0000"']],
    mysql = [['"a\\u0000"']] }, "a\0"),
  stored("half a document", { sqlite = "'[1,2'" }),
  stored("3000 levels", { sqlite = ("'%s%s'"):format(("["):rep(3000), ("]"):rep(3000)),
    postgres = ("'%s%s'"):format(("["):rep(3000), ("]"):rep(3000)) }),
  stored("blanks and lines", { sqlite = "' { \"a\" :\n 1 } '", postgres = "' { \"a\" :\n 1 } '",
    mariadb = "' { \"a\" :\n 1 } '", mysql = "' { \"a\" :\n 1 } '" }, { a = 1 }),
})
stored_group("jsonb", column.jsonb(), {
  stored("2^64-1", { postgres = "'[18446744073709551615]'" }),
  stored("1e400", { postgres = "'[1e400]'" }),
  stored("a key twice", { postgres = "'{\"a\":1,\"a\":2}'", mysql = "'{\"a\":1,\"a\":2}'" }, { a = 2 }),
})
stored_group("date", column.date(), {
  stored("infinity", { postgres = "'infinity'" }),
  stored("44 BC", { postgres = "'0044-03-15 BC'" }),
  stored("year 12000", { postgres = "'12000-01-01'", sqlite = "'12000-01-01'" }),
  stored("0000-00-00", { mariadb = "'0000-00-00'", mysql = "'0000-00-00'", sqlite = "'0000-00-00'" }),
  stored("2024-00-10", { mariadb = "'2024-00-10'", mysql = "'2024-00-10'", sqlite = "'2024-00-10'" }),
  stored("'x'", { sqlite = "'x'" }),
})
stored_group("datetime", column.datetime(), {
  stored("-infinity", { postgres = "'-infinity'" }),
  stored("44 BC", { postgres = "'0044-03-15 12:00:00 BC'" }),
  stored("0000-00-00 00:00:00", { mariadb = "'0000-00-00 00:00:00'", mysql = "'0000-00-00 00:00:00'",
    sqlite = "'0000-00-00 00:00:00'" }),
  stored("with an offset", { sqlite = "'2024-02-29T12:30:45+02:00'" }, "2024-02-29 10:30:45"),
  stored("epoch seconds", { sqlite = "1700000000" }),
})
stored_group("timestamp", column.timestamp(), {
  stored("0000-00-00 00:00:00", { mariadb = "'0000-00-00 00:00:00'", mysql = "'0000-00-00 00:00:00'" }),
})

return { written = groups, stored = others }
