-- Random queries run on every database over the same rows must have the same answers. A query that
-- does not is made as small as it gets and printed with its seed. HY_SCALE=full: twenty thousand.
--
-- What is not asked stands in EXCEPTIONS, with the manual that says why the answers differ.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")
local grammar = require("tests.support.lua.query_grammar")
local query_world = require("tests.support.lua.query_world")
local random = require("tests.support.lua.random")

local FULL = os.getenv("HY_SCALE") == "full"
local SEED = random.seed(20250918)
local QUERIES = FULL and 20000 or 1000
local WRITES = FULL and 4000 or 150
local SHOWN = 8 -- faults that are made smaller and printed
local LEAST = FULL and 100 or 3

-- Kinds of expressions that no verb of the public interface makes, and what is there instead.
local UNREACHED = {
  CAST = "hy_expr_cast() is the C interface's; a cast in Lua is raw text",
  DEFAULT = "hy_expr_default() is the C interface's; a row's gap in Lua is no value at all, DEFAULT once it is text",
}

-- The kinds of expressions that there are, by the core's own list.
local function node_kinds()
  local file <close> = assert(io.open((os.getenv("HY_ROOT") or ".") .. "/core/sql/ast.h"))
  local body = file:read("a"):match("typedef enum hy_node (%b{})")
  local kinds = {}
  for kind in body:gmatch("HY_NODE_([%u_]+)") do
    if kind ~= "COUNT" then
      kinds[#kinds + 1] = kind
    end
  end
  return kinds
end

-- What the databases answer differently, each by its manual, so that no query here asks it; and what
-- is declared or rounded so that they need not. At most twenty.
local EXCEPTIONS = {
  { "text compared without a declared collation",
    "PostgreSQL 24.2, MySQL 12.9, MariaDB 'Collation', SQLite datatype3 7" },
  { "upper, lower and ILIKE of letters beyond ASCII", "SQLite lang_corefunc lower(), PostgreSQL 24.2.2.3 (C)" },
  { "ranges of letters beyond ASCII in a regular expression", "glibc regcomp(3) in C.UTF-8, for SQLite" },
  { "a pattern of LIKE that ends with a backslash", "PostgreSQL 9.7.1, MySQL 14.8.1, SQLite lang_expr 5" },
  { "the places of an average (one is compared)", "MySQL 7.1.8 div_precision_increment, PostgreSQL 9.21" },
  { "where NULL stands in the order of a window", "PostgreSQL 7.5, MySQL 14.20.2, SQLite lang_select 4" },
  { "RIGHT and FULL JOIN where there is none", "MySQL 15.2.13.2, SQLite releaselog 3.39" },
  { "MAX and MIN of booleans", "PostgreSQL 9.21" },
  { "columns that are neither grouped nor aggregated", "SQLite lang_select 2.5, PostgreSQL 7.2.3, MySQL 14.19.3" },
  { "sums that no 64 bits hold", "PostgreSQL 9.21, SQLite lang_aggfunc sum()" },
  { "whole numbers of more than 53 bits in documents, to MariaDB", "MariaDB 'JSON_CONTAINS': numbers are doubles" },
}

local function holds_large(value)
  if math.type(value) == "integer" then
    return value > 1 << 53 or value < -(1 << 53)
  end
  for _, entry in next, type(value) == "table" and value or {} do
    if holds_large(entry) then
      return true
    end
  end
  return false
end

-- Does it look in a document for what MariaDB does not tell from its neighbours?
local function is_inexact(node)
  if type(node.form) == "string" and node.form:find("Json") then
    return holds_large(node.value)
  end
  for _, entry in next, node do
    if type(entry) == "table" and is_inexact(entry) then
      return true
    end
  end
  return false
end

-- A refusal that names what a database has not; nothing else may be refused.
local function is_unsupported(err)
  return hysteria.isError(err) and err.code == "UNSUPPORTED"
end

-- The answer as text, "ERROR..." if there is none; nil: the database cannot do that, and says so.
local function try(d, w)
  if w.name == "mariadb" and is_inexact(d) then
    return nil
  end
  local ok, rows = pcall(d.write and grammar.effect or grammar.run, d, w)
  if ok then
    return d.write and rows or grammar.answer(d, rows)
  elseif not is_unsupported(rows) then
    return "ERROR " .. tostring(rows)
  end
end

local function text_of(d, w)
  local ok, text = pcall(function()
    return d.write and d.what or grammar.build(d, w):toSql()
  end)
  return ok and text or tostring(text)
end

describe("a random query", function()
  it("holds every kind of expression often enough", function()
    local r, nodes = random.new(SEED), {}
    for _ = 1, QUERIES do
      grammar.query(r, nodes)
    end
    local kinds, known, counts = node_kinds(), {}, {}
    assert.is_true(#kinds > 20)
    for _, kind in ipairs(kinds) do
      known[kind] = true
      if not UNREACHED[kind] then
        assert.is_true((nodes[kind] or 0) >= LEAST, ("%s: %d of %d"):format(kind, nodes[kind] or 0, LEAST))
        counts[#counts + 1] = kind .. " " .. nodes[kind]
      end
    end
    local unreached = {}
    for kind in next, UNREACHED do
      assert.is_true(known[kind] and not nodes[kind], kind .. " is reached, or no kind")
      unreached[#unreached + 1] = kind
    end
    table.sort(unreached)
    for kind in next, nodes do
      assert.is_true(known[kind], kind .. " is no kind")
    end
    databases.report("differential, kinds of expressions in %d queries, seed %d: %s; of the C interface alone: %s",
      QUERIES, SEED, table.concat(counts, ", "), table.concat(unreached, ", "))
  end)
end)

describe("the same query", function()
  local found = databases.found()
  if #found < 2 then
    return
  end
  local worlds = {}

  setup(function()
    for index, database in ipairs(found) do
      worlds[index] = query_world.make(hysteria.sql.connectToSecondarySource(database.config), SEED)
    end
  end)

  teardown(function()
    for _, w in ipairs(worlds) do
      query_world.drop(w)
      w.ds:close()
    end
  end)

  -- Two worlds whose answers differ, and their answers; nil if all agree. An error everywhere is a
  -- query that should not have been made: a fault too, but not while one is made smaller.
  local function disagreement(d, smaller, refused)
    local first, answer, failed, answered = nil, nil, 0, 0
    for _, w in ipairs(worlds) do
      local this = try(d, w)
      if this then
        answered = answered + 1
        failed = failed + (this:find("^ERROR") and 1 or 0)
        if answer == nil then
          first, answer = w, this
        elseif this ~= answer and (this:find("^ERROR") ~= nil) ~= (answer:find("^ERROR") ~= nil) or this ~= answer and
          not this:find("^ERROR") then
          return first, w, answer, this
        end
      elseif refused then
        refused.n = refused.n + 1
      end
    end
    if failed > 0 and failed == answered and not smaller then
      return first, first, answer, answer
    end
  end

  -- The first line of each in which they differ.
  local function difference(a, b)
    local one, other = {}, {}
    for line in (a .. "\n"):gmatch("(.-)\n") do
      one[#one + 1] = line
    end
    for line in (b .. "\n"):gmatch("(.-)\n") do
      other[#other + 1] = line
    end
    local at = 1
    while one[at] and one[at] == other[at] do
      at = at + 1
    end
    return ("%s: %s"):format(one[1], tostring(one[at])), ("%s: %s"):format(other[1], tostring(other[at]))
  end

  local function explain(index, d)
    -- the same kind of fault, not one that came of leaving something out
    local function kind_of(a, b)
      local failed = a:find("^ERROR") and a or b:find("^ERROR") and b
      return failed and failed:sub(1, 50):gsub("[\"'`].*", "") or "rows"
    end
    local _, _, first, second = disagreement(d)
    local smaller = grammar.shrink(d, function(candidate)
      local one, _, a, b = disagreement(candidate, true)
      return one ~= nil and kind_of(a, b) == kind_of(first, second)
    end)
    local one, other, a, b = disagreement(smaller)
    a, b = difference(a, b)
    return ("query %d of seed %d: %s\n%s: %s\n  %s\n%s: %s\n  %s"):format(index, SEED, grammar.show(smaller), one.name,
      text_of(smaller, one), a, other.name, text_of(smaller, other), b)
  end

  it("has the same answer on every database", function()
    local r, refused, faults = random.new(SEED), { n = 0 }, {}
    for index = 1, QUERIES do
      local d = grammar.query(r, {})
      if disagreement(d, false, refused) then
        faults[#faults + 1] = #faults < SHOWN and explain(index, d) or index
      end
    end
    local names = {}
    for index, w in ipairs(worlds) do
      names[index] = w.name
    end
    assert.is_true(#EXCEPTIONS <= 20)
    databases.report("differential on %s: %d queries, disagreements %d, refused as UNSUPPORTED %d, exceptions %d, "
      .. "seed %d", table.concat(names, ", "), QUERIES, #faults, refused.n, #EXCEPTIONS, SEED)
    assert.equal(0, #faults, table.concat(faults, "\n\n"))
  end)

  it("has the same effect on every database", function()
    local r, nodes, refused, faults = random.new(SEED + 1), {}, { n = 0 }, {}
    for index = 1, WRITES do
      local d = grammar.write(r, nodes)
      if disagreement(d, false, refused) then
        faults[#faults + 1] = #faults < SHOWN and explain(index, d) or index
      end
    end
    databases.report("differential writes: %d, disagreements %d, refused as UNSUPPORTED %d, with gaps %d, seed %d",
      WRITES,
      #faults, refused.n, nodes.GAPS, SEED + 1)
    assert.equal(0, #faults, table.concat(faults, "\n\n"))
  end)
end)
