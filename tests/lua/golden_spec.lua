-- Every verb that builds SQL, by hand: its text and its typed binds on five dialects; with and
-- without an alias of the table, with binds before and after it, and inside a subquery with binds
-- around that. A verb of the core without a case here fails the first spec.
--
-- Texts are written with names in `ticks` and ? placeholders; ticks become " and placeholders are
-- numbered where the dialect has it so. `@` is the name that stands for the table. A field named
-- after a dialect says what differs there; CockroachDB follows PostgreSQL, MariaDB MySQL.
local core = require("hysteria.core")
local hysteria = require("hysteria")

local sql = hysteria.sql

local DIALECTS = { "postgres", "cockroachdb", "mysql", "mariadb", "sqlite" }
local FOLLOWS = { cockroachdb = "postgres", mariadb = "mysql" }

-- ---- notation ---------------------------------------------------------------------------------

local function spell(text, dialect, base)
  text = text:gsub("`@`", "`" .. base .. "`")
  if dialect == "mysql" or dialect == "mariadb" then
    return text
  end
  text = text:gsub("`", "\"")
  if dialect == "sqlite" then
    return text
  end
  local n = 0
  return (text:gsub("%?", function()
    n = n + 1
    return "$" .. n
  end))
end

-- What the case says of a part on a dialect.
local function part_of(case, part, dialect)
  for _, name in ipairs { dialect, FOLLOWS[dialect] } do
    if case[name] and case[name][part] ~= nil then
      return case[name][part]
    end
  end
  return case[part]
end

local function kind_of(value)
  return math.type(value) or core.kind(value) or type(value)
end

local function shown(values)
  local list = {}
  for index, value in ipairs(values) do
    list[index] = kind_of(value) .. ":" .. tostring(value)
  end
  return table.concat(list, " ")
end

local function append(into, values)
  for _, value in ipairs(values or {}) do
    into[#into + 1] = value
  end
  return into
end

-- ---- frames -----------------------------------------------------------------------------------

-- A statement from its parts; conditions stand around in WHERE where the frame says so.
local ORDER = { "with", "open", "select", "from", "joins", "where", "group", "having", "members", "order", "limit",
  "lock" }

local function statement(case, dialect, base, around)
  local text, binds = {}, {}
  local parts = {
    open = "SELECT ", select = "`id`", from = base == "t" and " FROM `t`" or " FROM `t` AS `" .. base .. "`",
    where = around and " WHERE `a` = ? AND `z` = ?" or "",
  }
  local bound = { where = around and { 11, 22 } or nil }
  for _, part in ipairs(ORDER) do
    local own = part_of(case, part, dialect)
    if part == "where" and own and around then
      local join = part_of(case, "loose", dialect) and "(" .. own .. ")" or own
      text[#text + 1] = (" WHERE `a` = ? %s %s AND `z` = ?"):format(case.connector or "AND", join)
      append(append(append(binds, { 11 }), (part_of(case, "binds", dialect) or {}).where), { 22 })
    elseif part == "where" and own then
      text[#text + 1] = " WHERE " .. own
      append(binds, (part_of(case, "binds", dialect) or {}).where)
    else
      text[#text + 1] = own or parts[part] or ""
      append(binds, (part_of(case, "binds", dialect) or {})[part] or bound[part])
    end
  end
  return table.concat(text), binds
end

local function fresh(case, alias)
  local q = core.query("t", alias and { alias = alias })
  return case.select and q or q:select("id")
end

local function build_around(case, alias)
  local q = fresh(case, alias):where("a", 11)
  case.build(q)
  return q:where("z", 22)
end

local FRAMES = {
  {
    name = "alone", base = "t",
    build = function(case)
      local q = fresh(case)
      case.build(q)
      return q
    end,
    expect = function(case, dialect) return statement(case, dialect, "t", false) end,
  },
  {
    name = "with an alias", base = "u",
    build = function(case)
      local q = fresh(case, "u")
      case.build(q)
      return q
    end,
    expect = function(case, dialect) return statement(case, dialect, "u", false) end,
  },
  {
    name = "between binds", base = "t",
    build = function(case) return build_around(case) end,
    expect = function(case, dialect) return statement(case, dialect, "t", true) end,
  },
  {
    name = "in a subquery", base = "u",
    build = function(case)
      return core.query("o"):select("id"):where("b", 33):whereExists(build_around(case, "u")):where("y", 44)
    end,
    expect = function(case, dialect)
      local text, binds = statement(case, dialect, "u", true)
      return "SELECT `id` FROM `o` WHERE `b` = ? AND EXISTS (" .. text .. ") AND `y` = ?",
        append(append({ 33 }, binds), { 44 })
    end,
  },
}

-- `swap`: as if the first two binds had changed places.
local function check(case, frame, dialect, swap)
  local q = frame.build(case)
  local refused = part_of(case, "unsupported", dialect)
  if refused then
    local ok, err = pcall(q.unWrap, q, dialect)
    assert.is_false(ok)
    assert.equal("UNSUPPORTED", err.code)
    assert.equal(refused, err.feature)
    return
  end
  local text, binds = frame.expect(case, dialect)
  local got = q:unWrap(dialect)
  if swap then
    got.bindings[1], got.bindings[2] = got.bindings[2], got.bindings[1]
  end
  assert.equal(spell(text, dialect, frame.base), got.sql)
  assert.equal(shown(binds), shown(got.bindings))
end

-- ---- cases ------------------------------------------------------------------------------------

local cases, covered = {}, {}

local function case(verb, made)
  made.verb = verb
  covered[verb] = true
  cases[#cases + 1] = made
end

-- One verb called with arguments: what it adds.
local function verb(name, arguments, made)
  function made.build(q)
    q[name](q, table.unpack(arguments, 1, arguments.n or #arguments))
  end
  case(name, made)
end

-- The three names of a condition: name, andName, orName.
local function names_of(base)
  local upper = base:sub(1, 1):upper() .. base:sub(2)
  return { { base, "AND" }, { "and" .. upper, "AND" }, { "or" .. upper, "OR" } }
end

-- A condition in WHERE under its three names. `loose`: parentheses where it stands beside others.
local function where(base, arguments, text, binds, more)
  for _, named in ipairs(names_of(base)) do
    local made = { where = text, binds = { where = binds }, connector = named[2] }
    for key, value in pairs(more or {}) do
      made[key] = value
    end
    verb(named[1], arguments, made)
  end
end

-- The same in HAVING, between two others there.
local function having(base, arguments, text, binds, loose)
  for _, named in ipairs(names_of(base)) do
    case(named[1], {
      having = (" HAVING `h` = ? %s %s AND `k` = ?"):format(named[2], loose and "(" .. text .. ")" or text),
      binds = { having = append(append({ 5 }, binds), { 6 }) },
      build = function(q)
        q:having("h", 5)
        q[named[1]](q, table.unpack(arguments))
        q:having("k", 6)
      end,
    })
  end
end

-- The same in ON, behind another there.
local function on(base, arguments, text, binds, loose)
  for _, named in ipairs(names_of(base)) do
    case(named[1], {
      joins = (" INNER JOIN `j` ON (`j`.`x` = ? %s %s)"):format(named[2], loose and "(" .. text .. ")" or text),
      binds = { joins = append({ 7 }, binds) },
      build = function(q)
        q:join("j", function(clause)
          clause:onValue("j.x", 7)
          clause[named[1]](clause, table.unpack(arguments))
        end)
      end,
    })
  end
end

local function sub()
  return core.query("s"):select("k"):where("v", 9)
end
local SUB = "SELECT `k` FROM `s` WHERE `v` = ?"

-- conditions
where("where", { "c", ">", 1 }, "`c` > ?", { 1 })
where("whereNot", { "c", 1 }, "NOT (`c` = ?)", { 1 })
where("whereColumn", { "c", "<", "d" }, "`c` < `d`", {})
where("whereBetween", { "c", 1, 2.5 }, "`c` BETWEEN ? AND ?", { 1, 2.5 })
where("whereNotBetween", { "c", { 1, 2 } }, "`c` NOT BETWEEN ? AND ?", { 1, 2 })
where("whereIn", { "c", { 1, 2 } }, "`c` IN (?, ?)", { 1, 2 })
where("whereNotIn", { "c", { "x" } }, "`c` NOT IN (?)", { "x" })
where("whereIn", { "c", sub() }, "`c` IN (" .. SUB .. ")", { 9 })
where("whereIn", { { "c", "d" }, { { 1, "x" }, { 2, "y" } } }, "(`c`, `d`) IN ((?, ?), (?, ?))", { 1, "x", 2, "y" },
  { sqlite = { where = "(`c`, `d`) IN (VALUES (?, ?), (?, ?))" } })
where("whereNotIn", { "c", {} }, "1 = 1", {})
where("whereNull", { "c" }, "`c` IS NULL", {})
where("whereNotNull", { "c" }, "`c` IS NOT NULL", {})
where("whereLike", { "c", "a%" }, "`c` LIKE ?", { "a%" }, { sqlite = { where = "`c` LIKE ? ESCAPE '\\'" } })
where("whereNotLike", { "c", "a%" }, "`c` NOT LIKE ?", { "a%" },
  { sqlite = { where = "`c` NOT LIKE ? ESCAPE '\\'" } })
where("whereILike", { "c", "a%" }, "LOWER(`c`) LIKE LOWER(?)", { "a%" }, {
  postgres = { where = "`c` ILIKE ?" }, sqlite = { where = "LOWER(`c`) LIKE LOWER(?) ESCAPE '\\'" },
})
where("whereNotILike", { "c", "a%" }, "LOWER(`c`) NOT LIKE LOWER(?)", { "a%" }, {
  postgres = { where = "`c` NOT ILIKE ?" }, sqlite = { where = "LOWER(`c`) NOT LIKE LOWER(?) ESCAPE '\\'" },
})
where("whereRegexp", { "c", "^a" }, "`c` ~ ?", { "^a" }, {
  mysql = { where = "REGEXP_LIKE(`c`, ?, 'c')" }, sqlite = { where = "hysteria_regexp(`c`, ?)" },
  mariadb = { where = "`c` REGEXP CONCAT('(?-i)', ?)" },
})
where("whereNotRegexp", { "c", "^a", { flags = "i" } }, "`c` !~* ?", { "^a" }, {
  mysql = { where = "NOT REGEXP_LIKE(`c`, ?, 'i')" }, sqlite = { where = "NOT hysteria_iregexp(`c`, ?)" },
  mariadb = { where = "`c` NOT REGEXP CONCAT('(?i)', ?)" },
})
where("whereExists", { sub() }, "EXISTS (" .. SUB .. ")", { 9 })
where("whereNotExists", { sub() }, "NOT EXISTS (" .. SUB .. ")", { 9 })
where("whereRaw", { "c = ? OR d", { true } }, "c = ? OR d", { true }, { loose = true })
where("whereJsonRaw", { "c = ?", { 1.5 } }, "c = ?", { 1.5 }, { loose = true })
for base, test in pairs { whereJson = "%s", whereJsonEquals = "%s", whereNotJson = "NOT (%s)",
  whereJsonNotEquals = "NOT (%s)" } do
  where(base, { "c", { a = 1 } }, test:format("CAST(`c` AS JSONB) = CAST(? AS JSONB)"), { "{\"a\":1}" }, {
    mysql = { where = test:format("`c` = CAST(? AS JSON)") }, mariadb = { unsupported = "comparing JSON documents" },
    sqlite = { where = test:format("hysteria_json_equals(`c`, ?, ?)"), binds = { where = { "$", "{\"a\":1}" } } },
  })
end
where("whereJson", { "c", "k", "<", 5 },
  "CASE WHEN jsonb_typeof((CAST(`c` AS JSONB) -> CAST(? AS TEXT))) = 'number' THEN"
    .. " CAST((CAST(`c` AS JSONB) ->> CAST(? AS TEXT)) AS NUMERIC) < CAST(? AS NUMERIC) END", { "k", "k", "5" }, {
    mysql = {
      where = "CASE WHEN JSON_TYPE(JSON_EXTRACT(`c`, ?)) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') THEN"
        .. " JSON_EXTRACT(`c`, ?) < CAST(? AS JSON) END",
      binds = { where = { "$.\"k\"", "$.\"k\"", "5" } },
    },
    mariadb = {
      where = "CASE JSON_TYPE(JSON_EXTRACT(`c`, ?)) WHEN 'INTEGER' THEN CAST(JSON_EXTRACT(`c`, ?) AS DECIMAL(65)) <"
        .. " CAST(? AS DECIMAL(65)) WHEN 'DOUBLE' THEN CAST(JSON_EXTRACT(`c`, ?) AS DOUBLE) < CAST(? AS DOUBLE) END",
      binds = { where = { "$.\"k\"", "$.\"k\"", "5", "$.\"k\"", "5" } },
    },
    sqlite = { where = "hysteria_json_compare(`c`, ?, ?) < 0", binds = { where = { "$.\"k\"", "5" } } },
  })
local JSON_ORDER = {
  postgres = "CASE WHEN jsonb_typeof(CAST(`c` AS JSONB)) = 'string' THEN"
    .. " CAST((CAST(`c` AS JSONB) #>> '{}') AS TEXT) COLLATE \"C\" %s CAST(? AS TEXT) END",
  cockroachdb = "CASE WHEN jsonb_typeof(CAST(`c` AS JSONB)) = 'string' THEN"
    .. " CAST((CAST(`c` AS JSONB) #>> '{}') AS TEXT) %s CAST(? AS TEXT) END",
  mysql = "CASE WHEN JSON_TYPE(JSON_EXTRACT(`c`, ?)) = 'STRING' THEN JSON_EXTRACT(`c`, ?) %s CAST(? AS JSON) END",
  mariadb = "CASE WHEN JSON_TYPE(JSON_EXTRACT(`c`, ?)) = 'STRING' THEN"
    .. " CONVERT(JSON_UNQUOTE(JSON_EXTRACT(`c`, ?)) USING utf8mb4) COLLATE utf8mb4_nopad_bin %s ? END",
  sqlite = "hysteria_json_compare(`c`, ?, ?) %s 0",
}
local JSON_EQUAL = {
  postgres = "CAST(`c` AS JSONB) = CAST(? AS JSONB)", cockroachdb = "CAST(`c` AS JSONB) = CAST(? AS JSONB)",
  mysql = "JSON_EXTRACT(`c`, ?) = CAST(? AS JSON)", sqlite = "hysteria_json_equals(`c`, ?, ?)",
}
-- The binds of one of them; `encoded` is the value as JSON.
local function json_binds(dialect, text, encoded, ordered)
  local paths = ({ mysql = ordered and 2 or 1, mariadb = 2, sqlite = 1 })[dialect] or 0
  local plain = ordered and dialect ~= "mysql" and dialect ~= "sqlite"
  return append(append({}, { table.unpack({ "$", "$" }, 1, paths) }), { plain and text or encoded })
end

for _, made in ipairs {
  { "between", { "a", "b" }, "%s AND %s", ordered = true },
  { sql.op.between("a", "b"), nil, "%s AND %s", ordered = true },
  { "not between", { "a", "b" }, "NOT (%s AND %s)", ordered = true },
  { "in", { "a", "b" }, "%s OR %s", loose = true, verb = "whereJsonIn" },
  { sql.op.notIn { "a", "b" }, nil, "NOT (%s OR %s)", verb = "whereJsonNotIn" },
} do
  local more = {}
  for _, dialect in ipairs(DIALECTS) do
    local text = (made.ordered and JSON_ORDER or JSON_EQUAL)[dialect]
    more[dialect] = text and {
      where = made[3]:format(text:format(">="), text:format("<=")), loose = made.loose,
      binds = { where = append(json_binds(dialect, "a", "\"a\"", made.ordered),
        json_binds(dialect, "b", "\"b\"", made.ordered)) },
    } or { unsupported = "comparing JSON documents" }
  end
  where("whereJson", { "c", "$", made[1], made[2], n = made[2] and 4 or 3 }, "", {}, more)
  if made.verb then
    where(made.verb, { "c", "$", { "a", "b" } }, "", {}, more)
  end
end
for base, test in pairs { whereJsonContains = "%s", whereJsonNotContains = "NOT (%s)" } do
  where(base, { "c", "k[1]", sql.object {} },
    test:format("(CAST(`c` AS JSONB) -> CAST(? AS TEXT) -> 1) @> CAST(? AS JSONB)"), { "k", "{}" }, {
      mysql = {
        where = test:format("JSON_CONTAINS(JSON_EXTRACT(`c`, ?), ?) AND JSON_TYPE(JSON_EXTRACT(`c`, ?)) = 'OBJECT'"),
        binds = { where = { "$.\"k\"[1]", "{}", "$.\"k\"[1]" } },
      },
      sqlite = { where = test:format("hysteria_json_contains(`c`, ?, ?)"), binds = { where = { "$.\"k\"[1]", "{}" } } },
    })
end

having("having", { "c", ">", 1 }, "`c` > ?", { 1 })
having("havingNot", { "c", 1 }, "NOT (`c` = ?)", { 1 })
having("havingBetween", { "c", 1, 2 }, "`c` BETWEEN ? AND ?", { 1, 2 })
having("havingNotBetween", { "c", 1, 2 }, "`c` NOT BETWEEN ? AND ?", { 1, 2 })
having("havingIn", { "c", { 1, 2 } }, "`c` IN (?, ?)", { 1, 2 })
having("havingNotIn", { "c", { 1, 2 } }, "`c` NOT IN (?, ?)", { 1, 2 })
having("havingNull", { "c" }, "`c` IS NULL", {})
having("havingNotNull", { "c" }, "`c` IS NOT NULL", {})
having("havingRaw", { "sum(c) > ?", { 3 } }, "sum(c) > ?", { 3 }, true)

on("on", { "j.c", "<", "j.d" }, "`j`.`c` < `j`.`d`", {})
on("onValue", { "j.c", "in", { 1, 2 } }, "`j`.`c` IN (?, ?)", { 1, 2 })
on("onRaw", { "j.c = ?", { 1 } }, "j.c = ?", { 1 }, true)

-- what is selected
verb("select", { "id", { "c", "Title" }, sub(), "inner" }, {
  select = "`id`, `c` AS `Title`, (" .. SUB .. ") AS `inner`", binds = { select = { 9 } },
})
verb("select", { sql.case({ { { c = 1 }, "one" }, { { c = sql.op.gt(2) }, sql.col("c") } }, 0), "n" }, {
  select = "CASE WHEN `c` = ? THEN ? WHEN `c` > ? THEN `c` ELSE ? END AS `n`",
  binds = { select = { 1, "one", 2, 0 } },
})
verb("select", { sql.col("c") * (sql.col("d") + 1) - sql.func("abs", sql.col("e")), "n" }, {
  select = "(`c` * (`d` + ?)) - ABS(`e`) AS `n`", binds = { select = { 1 } },
})
verb("select", { "*" }, { select = "*" })
verb("selectSubQuery", { sub(), "inner" }, { select = "(" .. SUB .. ") AS `inner`", binds = { select = { 9 } } })
verb("selectRaw", { "c + ?", 1 }, { select = "c + ?", binds = { select = { 1 } } })
verb("selectRaw", { "cast(c as Integer), max(a) as mostOf, 'x as Y', b AS B2 , c as plain" }, {
  select = "cast(c as Integer), max(a) as \"mostOf\", 'x as Y', b AS \"B2\" , c as plain",
})
verb("selectFunc", { "SUM", "c", "total" }, { select = "SUM(`c`) AS `total`" })
verb("selectFunc", { "count", "*", "n" }, { select = "COUNT(*) AS `n`" })
verb("selectFunc", { "Count Distinct", "c", "n" }, { select = "COUNT(DISTINCT `c`) AS `n`" })
verb("select", { sql.func("sum distinct", sql.col("c")), "n" }, { select = "SUM(DISTINCT `c`) AS `n`" })
verb("annotate", { "upper", "c", "Loud" }, { select = "UPPER(`c`) AS `Loud`" })
verb("selectWindow", { "sum", "c", { partitionBy = "k", orderBy = { "d", "desc" }, frame = { "rows", -1, 0 } }, "s" }, {
  select = "SUM(`c`) OVER (PARTITION BY `k` ORDER BY `d` DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS `s`",
})
verb("selectWindow", { sql.func("lag", sql.col("c"), 2, "none"), { orderBy = "d" }, "before" }, {
  select = "LAG(`c`, ?, ?) OVER (ORDER BY `d` ASC) AS `before`", binds = { select = { 2, "none" } },
})
verb("selectJson", { "c", "a.b", "it" }, {
  select = "JSON_EXTRACT(`c`, ?) AS `it`", binds = { select = { "$.\"a\".\"b\"" } },
  postgres = {
    select = "(CAST(`c` AS JSONB) -> CAST(? AS TEXT) -> CAST(? AS TEXT)) AS `it`", binds = { select = { "a", "b" } },
  },
  sqlite = { select = "hysteria_json(`c`, ?) AS `it`" },
})
verb("selectJsonText", { "c", "$", "it" }, {
  select = "CASE WHEN JSON_TYPE(JSON_EXTRACT(`c`, ?)) <> 'NULL' THEN JSON_UNQUOTE(JSON_EXTRACT(`c`, ?)) END AS `it`",
  binds = { select = { "$", "$" } },
  postgres = { select = "(CAST(`c` AS JSONB) #>> '{}') AS `it`", binds = {} },
  sqlite = { select = "hysteria_json_text(`c`, ?) AS `it`", binds = { select = { "$" } } },
})
verb("selectJsonArrayLength", { "c", {}, "it" }, {
  select = "CASE WHEN JSON_TYPE(JSON_EXTRACT(`c`, ?)) = 'ARRAY' THEN JSON_LENGTH(JSON_EXTRACT(`c`, ?)) END AS `it`",
  binds = { select = { "$", "$" } },
  postgres = {
    select = "CASE WHEN jsonb_typeof(CAST(`c` AS JSONB)) = 'array' THEN jsonb_array_length(CAST(`c` AS JSONB)) END"
      .. " AS `it`",
    binds = {},
  },
  sqlite = { select = "hysteria_json_length(`c`, ?) AS `it`", binds = { select = { "$" } } },
})
verb("selectJsonKeys", { "c", "", "it" }, {
  select = "JSON_KEYS(JSON_EXTRACT(`c`, ?)) AS `it`", binds = { select = { "$" } },
  postgres = {
    select = "CASE WHEN jsonb_typeof(CAST(`c` AS JSONB)) = 'object' THEN COALESCE((SELECT jsonb_agg(hysteria_key)"
      .. " FROM jsonb_object_keys(CAST(`c` AS JSONB)) AS hysteria_key), CAST('[]' AS JSONB)) END AS `it`",
    binds = {},
  },
  sqlite = { select = "hysteria_json_keys(`c`, ?) AS `it`" },
})
verb("selectJsonRaw", { "c -> d", "it" }, { select = "c -> d AS `it`" })
verb("distinct", {}, { open = "SELECT DISTINCT " })
verb("distinctOn", { "c", "d" }, {
  open = "SELECT DISTINCT ON (`c`, `d`) ", mysql = { unsupported = "DISTINCT ON" },
  sqlite = { unsupported = "DISTINCT ON" },
})

-- where it comes from
verb("from", { "x", "y" }, { from = " FROM `x` AS `y`" })
verb("from", { sub(), "y" }, { from = " FROM (" .. SUB .. ") AS `y`", binds = { from = { 9 } } })
verb("table", { "x as y" }, { from = " FROM `x` AS `y`" })
verb("alias", { "y" }, { from = " FROM `t` AS `y`" })

local JOINS = { join = "INNER", innerJoin = "INNER", leftJoin = "LEFT", rightJoin = "RIGHT", fullJoin = "FULL" }
for name, word in pairs(JOINS) do
  local refused = name == "fullJoin" and {
    mysql = { unsupported = "FULL JOIN" }, sqlite = { unsupported = "FULL JOIN" },
  } or name == "rightJoin" and { sqlite = { unsupported = "RIGHT JOIN" } } or {}
  local function join(arguments, joins, binds)
    verb(name, arguments, { joins = joins, binds = { joins = binds }, mysql = refused.mysql, sqlite = refused.sqlite })
  end
  join({ "j", "x", "y" }, (" %s JOIN `j` ON `j`.`x` = `@`.`y`"):format(word), {})
  join({ "j as k", "x", "y", ">=" }, (" %s JOIN `j` AS `k` ON `k`.`x` >= `@`.`y`"):format(word), {})
  join({ { sub(), "k" }, "x", "y", function(q) q:onValue("k.v", 3) end },
    (" %s JOIN (%s) AS `k` ON `k`.`x` = `@`.`y` AND (`k`.`v` = ?)"):format(word, SUB), { 9, 3 })
end
verb("crossJoin", { "j" }, { joins = " CROSS JOIN `j`" })
for name, words in pairs { joinRaw = "INNER JOIN", leftJoinRaw = "LEFT JOIN", rightJoinRaw = "RIGHT JOIN",
  fullJoinRaw = "FULL JOIN", crossJoinRaw = "CROSS JOIN", naturalJoinRaw = "NATURAL JOIN" } do
  verb(name, { "j ON j.x = ?", 4 }, { joins = (" %s j ON j.x = ?"):format(words), binds = { joins = { 4 } } })
end

-- groups, order, limits
verb("groupBy", { "c", sql.func("lower", sql.col("d")) }, { group = " GROUP BY `c`, LOWER(`d`)" })
case("groupBy", {
  select = "`id`, `c` + ? AS `n`, CASE WHEN `d` = ? THEN ? END AS `m`", group = " GROUP BY `id`, 2, 3, `c` + ?",
  order = " ORDER BY 3 DESC, (c + ?)", binds = { select = { 1, 2, "x" }, group = { 2 }, order = { 1 } },
  build = function(q)
    local m = function() return sql.case { { { d = 2 }, "x" } } end
    q:select("id", { sql.col("c") + 1, "n" }, { m(), "m" })
      :groupBy("id", sql.col("c") + 1, m(), sql.col("c") + 2):orderBy(m(), "desc"):orderByRaw("(c + ?)", 1)
  end,
})
verb("groupByRaw", { "c + ?", 1 }, { group = " GROUP BY c + ?", binds = { group = { 1 } } })
verb("orderBy", { "c", "DESC", { nulls = "last" } }, {
  order = " ORDER BY `c` DESC NULLS LAST", mysql = { order = " ORDER BY (`c` IS NULL) ASC, `c` DESC" },
})
verb("orderBy", { sql.func("lower", sql.col("c")) }, { order = " ORDER BY LOWER(`c`) ASC" })
verb("orderByRaw", { "c + ?", 1 }, { order = " ORDER BY c + ?", binds = { order = { 1 } } })
verb("limit", { 0 }, { limit = " LIMIT ?", binds = { limit = { 0 } } })
verb("offset", { 3 }, {
  limit = " OFFSET ?", binds = { limit = { 3 } }, mysql = { limit = " LIMIT 18446744073709551615 OFFSET ?" },
  sqlite = { limit = " LIMIT -1 OFFSET ?" },
})

-- WITH, set operations, locks
verb("with", { "w", sub() }, { with = "WITH `w` AS (" .. SUB .. ") ", binds = { with = { 9 } } })
verb("withRecursive", { "w", sub() }, { with = "WITH RECURSIVE `w` AS (" .. SUB .. ") ", binds = { with = { 9 } } })
verb("withMaterialized", { "w", sub() }, {
  with = "WITH `w` AS MATERIALIZED (" .. SUB .. ") ", binds = { with = { 9 } },
  mysql = { unsupported = "MATERIALIZED" },
})
for name, word in pairs { union = "UNION", unionAll = "UNION ALL", intersect = "INTERSECT", except = "EXCEPT" } do
  local mysql = (name == "intersect" or name == "except") and { unsupported = "INTERSECT and EXCEPT" } or nil
  verb(name, { sub() }, {
    members = (" %s %s"):format(word, SUB), binds = { members = { 9 } }, mysql = mysql,
    mariadb = mysql and { unsupported = false },
  })
  case(name, {
    members = (" %s (%s ORDER BY `k` ASC LIMIT ?)"):format(word, SUB), order = " ORDER BY `id` DESC",
    limit = " LIMIT ?",
    binds = { members = { 9, 1 }, limit = { 2 } }, mysql = mysql, mariadb = mysql and { unsupported = false },
    sqlite = { members = (" %s SELECT * FROM (%s ORDER BY `k` ASC LIMIT ?)"):format(word, SUB) },
    build = function(q)
      q[name](q, sub():orderBy("k"):limit(1)):orderBy("id", "desc"):limit(2)
    end,
  })
end
verb("union", { "SELECT k FROM s WHERE v = ? OR v = ?", { 8, 9 } }, {
  members = " UNION SELECT k FROM s WHERE v = ? OR v = ?", binds = { members = { 8, 9 } },
})
verb("union", { "SELECT k FROM s WHERE v = ?", 9 }, {
  members = " UNION SELECT k FROM s WHERE v = ?", binds = { members = { 9 } },
})
local NO_LOCKS = { unsupported = "row locks" }
verb("lockForUpdate", {}, { lock = " FOR UPDATE", sqlite = NO_LOCKS })
verb("lockForUpdate", { { skipLocked = true } }, {
  lock = " FOR UPDATE SKIP LOCKED", sqlite = NO_LOCKS,
  cockroachdb = { unsupported = "SKIP LOCKED" },
})
verb("lockForUpdate", { { noWait = true } }, { lock = " FOR UPDATE NOWAIT", sqlite = NO_LOCKS })
verb("forShare", {}, {
  lock = " FOR SHARE", mariadb = { lock = " LOCK IN SHARE MODE" }, sqlite = NO_LOCKS,
  cockroachdb = { unsupported = "shared row locks" },
})

-- what empties a part: the rest stays
local function cleared(name, fill, more)
  local made = more or {}
  function made.build(q)
    fill(q)
    q[name](q)
  end
  case(name, made)
end
case("clearSelect", { select = "`d`", build = function(q) q:select("c"):clearSelect():select("d") end })
cleared("clearDistinct", function(q) q:distinct() end)
cleared("clearDistinctOn", function(q) q:distinct():distinctOn("c") end, { open = "SELECT DISTINCT " })
cleared("clearJoin", function(q) q:join("j", "x", "y"):crossJoin("k") end)
cleared("clearGroupBy", function(q) q:groupBy("c"):groupByRaw("d") end)
cleared("clearHaving", function(q) q:having("c", 1):orHaving("d", 2) end)
cleared("clearOrderBy", function(q) q:orderBy("c"):orderByRaw("d") end)
cleared("clearLimit", function(q) q:limit(1) end)
cleared("clearOffset", function(q) q:offset(1) end)
cleared("clearLockQuery", function(q) q:forShare() end)
cleared("clearUnionQuery", function(q) q:union(sub()):intersect(sub()) end)
cleared("clearWithQuery", function(q) q:withRecursive("w", sub()) end)
case("clearFrom", { from = " FROM `x`", build = function(q) q:clearFrom():from("x") end })
case("clearWhere", {
  where = "`c` = ?", binds = { where = { 1 } },
  build = function(q)
    local before = q:_has("where")
    q:where("d", 5):orWhere("e", 6):clearWhere()
    if before then
      q:where("a", 11)
    end
    q:where("c", 1)
  end,
})
case("clear", {
  build = function(q)
    local before = q:_has("where")
    q:with("w", sub()):distinct():join("j", "x", "y"):groupBy("c"):having("d", 1):orderBy("e"):limit(1):offset(2)
      :union(sub()):forShare():clear():select("id")
    if before then
      q:where("a", 11)
    end
  end,
})

-- what decides, and copies
verb("when", { 1, function(q, value) q:limit(value) end }, { limit = " LIMIT ?", binds = { limit = { 1 } } })
verb("strictWhen", { false, function(q) q:limit(2) end }, { limit = " LIMIT ?", binds = { limit = { 2 } } })
case("clone", {
  limit = " LIMIT ?", binds = { limit = { 1 } },
  build = function(q)
    q:limit(1):clone():limit(2):where("b", 3)
  end,
})

-- what only sets something: the statement stays as it is
for name, arguments in pairs { allRows = {}, removeAnnotations = {}, clearRemoveAnnotations = {}, timeout = { 100 },
  ignoreHooks = { true }, withoutDefaultScope = {}, clearRelations = {} } do
  verb(name, arguments, {})
end

-- Verbs in Lua that need no case here, by why.
local NO_CASE = {
  ["they run the query, or show it"] = "many one first oneOrFail firstOrFail exists pluck count getCount getMax getMin "
    .. "getAvg getSum paginate paginateWithCursor chunk chunkById stream each insert insertMany upsert upsertMany "
    .. "update updateMany delete softDelete restore increment decrement truncate explain performance prepare toQuery "
    .. "toSql unWrap",
  ["of models alone: their own specs have them"] = "load scope withDeleted onlyDeleted",
}

-- ---- specs ------------------------------------------------------------------------------------

describe("golden SQL", function()
  it("has a case for every verb that the core builds with", function()
    local lacking = {}
    for name, fn in pairs(core.queryMethods) do
      local builds = type(name) == "string" and not name:find("^_") and debug.getinfo(fn, "S").what == "C"
      if builds and not covered[name] then
        lacking[#lacking + 1] = name
      end
    end
    table.sort(lacking)
    assert.same({}, lacking)
  end)

  it("has a case for every verb in Lua, or a reason", function()
    local reasons, wrong = {}, {}
    for _, names in pairs(NO_CASE) do
      for name in names:gmatch("%S+") do
        reasons[name] = true
        wrong[#wrong + 1] = (covered[name] or not rawget(core.queryMethods, name)) and name or nil
      end
    end
    for name, fn in pairs(core.queryMethods) do
      local in_lua = type(name) == "string" and not name:find("^_") and debug.getinfo(fn, "S").what ~= "C"
      if in_lua and not covered[name] and not reasons[name] then
        wrong[#wrong + 1] = name
      end
    end
    table.sort(wrong)
    assert.same({}, wrong)
  end)

  it("would find two binds that changed places", function()
    local found = 0
    for _, dialect in ipairs(DIALECTS) do
      for _, frame in ipairs(FRAMES) do
        for _, made in ipairs(cases) do
          local _, binds = frame.expect(made, dialect)
          if not part_of(made, "unsupported", dialect) and #binds > 1 and shown { binds[1] } ~= shown { binds[2] } then
            assert.is_false(pcall(check, made, frame, dialect, true), made.verb)
            found = found + 1
          end
        end
      end
    end
    assert.is_true(found > 1000)
  end)

  it("names no verb that is none", function()
    for name in pairs(covered) do
      assert.is_function(rawget(core.queryMethods, name), name)
    end
  end)

  for _, dialect in ipairs(DIALECTS) do
    for _, frame in ipairs(FRAMES) do
      it(("is right on %s, %s"):format(dialect, frame.name), function()
        for _, made in ipairs(cases) do
          local ok, err = pcall(check, made, frame, dialect)
          if not ok then
            error(made.verb .. ": " .. tostring(type(err) == "table" and err.message or err), 0)
          end
        end
      end)
    end
  end
end)
