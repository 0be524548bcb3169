-- Hostile strings in every place that takes text. What a database would read is told by a tokenizer
-- of this test's own: the statement must have the tokens that it has for a harmless word, with the
-- string itself where the word stood. Then the statements run, beside a table that must not change,
-- and what was written is read back byte by byte. HY_SCALE=full: ten thousand strings.
local hysteria = require("hysteria")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")
local hostile_text = require("tests.support.lua.hostile_text")
local random = require("tests.support.lua.random")
local slots = require("tests.support.lua.injection_slots")
local sql_tokens = require("tests.support.lua.sql_tokens")

local model, column = hysteria.model, hysteria.column

local FULL = os.getenv("HY_SCALE") == "full"
local SEED = random.seed(20250917)
local CORPUS = hostile_text.corpus(FULL and 10000 or 1000, SEED)
-- A small run gives each string to every so many slots of a database: known ones, and those made.
local SHARE_KNOWN, SHARE_MADE = 2, 8
local DIALECTS = { "sqlite", "postgres", "cockroachdb", "mysql", "mariadb" }
local WORD = "harmless"

-- Verbs of queries that have no slot, by why they need none.
local NEED_NONE = {
  ["takes nothing, or options that are no text"] = "allRows clone distinct explain exists first firstOrFail forShare "
    .. "lockForUpdate many one oneOrFail onlyDeleted delete softDelete restore truncate withDeleted "
    .. "withoutDefaultScope removeAnnotations clearRemoveAnnotations prepare stream each chunk chunkById",
  ["takes nothing: what it names is a part of the query"] = "clear clearDistinct clearDistinctOn clearFrom "
    .. "clearGroupBy clearHaving clearJoin clearLimit clearLockQuery clearOffset clearOrderBy clearRelations "
    .. "clearSelect clearUnionQuery clearWhere clearWithQuery",
  ["names hooks, which are Lua's"] = "ignoreHooks",
  ["its value is the caller's function's"] = "when strictWhen",
  ["takes the word of toQuery"] = "toSql unWrap",
}

-- Longest name: what and how much.
local NAME_MAX = {
  sqlite = { 1000, string.len }, postgres = { 63, string.len }, cockroachdb = { 63, string.len },
  mysql = { 64, utf8.len }, mariadb = { 64, utf8.len },
}

-- What a database may not answer: that the connection is gone, that time ran out.
local NO_ANSWER = { outcomeUnknown = true, transaction = true }
local NO_CODES = { CONNECTION_LOST = true, QUERY_TIMEOUT = true, QUERY_CANCELED = true, DEVELOPMENT_ERROR = true }

-- What MySQL is asked before an upsert, at most once a second.
local QUESTION = "^SELECT index_name FROM information_schema%.statistics"
-- Statements that are not the slot's own.
local CONTROL = { BEGIN = true, START = true, SET = true, COMMIT = true, ROLLBACK = true, SAVEPOINT = true,
  RELEASE = true }

local function define()
  return model "InjPerson" {
    hysteria.tableName("inj"),
    id = column.integer { primaryKey = true },
    name = column.text(),
    age = column.integer(),
    tree = column.json(),
  }, model "InjCanary" {
    hysteria.tableName("inj_canary"),
    id = column.integer { primaryKey = true },
    name = column.string { length = 30 },
  }
end

local function is_legal(dialect, name)
  local limit = NAME_MAX[dialect]
  return name ~= "" and not hostile_text.is_broken(name) and limit[2](name) <= limit[1]
end

-- ---- what a statement must consist of ------------------------------------------------------------

local function parts_of(text)
  local list = {}
  for part in (text .. "."):gmatch("([^.]*)%.") do
    list[#list + 1] = part
  end
  return list
end

local function trim(text)
  return text:match("^ *(.-) *$")
end

-- "schema.table as alias" -> table, alias
local function split_table(text)
  local from, to = trim(text):lower():find(" as ", 2, true)
  if from and to < #trim(text) then
    return trim(trim(text):sub(1, from - 1)), trim(trim(text):sub(to + 1))
  end
  return trim(text)
end

local function add_parts(tokens, text, star)
  local parts = parts_of(text)
  for index, part in ipairs(parts) do
    if index > 1 then
      tokens[#tokens + 1] = "o."
    end
    tokens[#tokens + 1] = part == "*" and star and index > 1 and index == #parts and "o*" or "i" .. part
  end
end

-- The tokens of the harmless statement, with the text where the word stood.
local EXPECTED = {
  name = function(tokens, text)
    tokens[#tokens + 1] = "i" .. text
  end,
  dotted = function(tokens, text)
    if text == "*" then
      tokens[#tokens + 1] = "o*"
    else
      add_parts(tokens, text, true)
    end
  end,
  table = function(tokens, text, nth)
    local name, alias = split_table(text)
    if nth == 1 then
      add_parts(tokens, name)
      if alias then
        table.move({ "wAS", "i" .. alias }, 1, 2, #tokens + 1, tokens)
      end
    else
      add_parts(tokens, alias or parts_of(name)[#parts_of(name)])
    end
  end,
}

local function expected_tokens(harmless, kind, text)
  local tokens, nth = {}, 0
  for _, token in ipairs(harmless) do
    if token == "i" .. WORD then
      nth = nth + 1
      EXPECTED[kind](tokens, text, nth)
    else
      tokens[#tokens + 1] = token
    end
  end
  return tokens
end

local function same(a, b)
  if #a ~= #b then
    return false
  end
  for index = 1, #a do
    if a[index] ~= b[index] then
      return false
    end
  end
  return true
end

-- May the text be refused where a name stands?
local function may_refuse_name(dialect, slot, text)
  local names = { text }
  if slot.alone and (text == "*" or text:find(".", 1, true)) then
    return true
  end
  if slot.kind == "dotted" then
    names = parts_of(text)
    if names[#names] == "*" and not slot.star then
      return true
    end
  elseif slot.kind == "table" then
    local name, alias = split_table(text)
    names = parts_of(name)
    table.move(parts_of(alias or "a"), 1, #parts_of(alias or "a"), #names + 1, names)
    names[#names + 1] = alias
  end
  for _, name in ipairs(names) do
    if not is_legal(dialect, name) then
      return true
    end
  end
  return false
end

local function is_word(slot, text)
  if slot.plain then
    return ("." .. text):gsub("%.[%a_][%w_]*", "") == ""
  end
  for _, word in ipairs(slot.words) do
    if text:lower() == word then
      return true
    end
  end
  return false
end

local function may_refuse(dialect, slot, text)
  if slot.kind == "value" then
    return hostile_text.is_broken(text) or (slot.key and text:find("%c") ~= nil)
  elseif slot.kind == "member" or slot.kind == "word" or slot.kind == "path" then
    return true
  end
  return may_refuse_name(dialect, slot, text)
end

-- A token that no path may bring: anything but strings, numbers and what the harmless one has.
local function strange_token(tokens, harmless)
  local known = {}
  for _, token in ipairs(harmless) do
    known[token] = true
  end
  for _, token in ipairs(tokens) do
    if not known[token] and not token:find("^[sn]") and token ~= "p" then
      return "a path brought " .. token
    end
  end
end

-- What of a statement is wrong; nil if nothing is.
local function fault_of(dialect, slot, text, statement, harmless)
  if slot.kind == "value" then
    return statement ~= harmless.text and "a value changed the statement: " .. statement or nil
  end
  local tokens = sql_tokens.read(dialect, statement)
  if slot.kind == "member" then
    for _, token in ipairs(tokens) do
      if token == "c" or token == "x" or token == "o;" or token == "w" .. text:upper() then
        return "a member changed the statement"
      end
    end
    return nil
  elseif slot.kind == "word" then
    return not is_word(slot, text) and "a word was taken that is none" or nil
  elseif slot.kind == "path" then
    return strange_token(tokens, harmless.tokens)
  end
  if not same(tokens, expected_tokens(harmless.tokens, slot.kind, text)) then
    return "a name changed the statement: " .. table.concat(tokens, "  ")
  end
end

local function harmless_of(dialect, statement)
  return { text = statement, tokens = statement and sql_tokens.read(dialect, statement) }
end

local function add_tokens(harmless, dialect, statement)
  table.move(sql_tokens.read(dialect, statement), 1, #statement, #harmless.tokens + 1, harmless.tokens)
end

-- ---- counting ---------------------------------------------------------------------------------

local COUNTED_AS = {
  value = "bound", name = "quoted", dotted = "quoted", table = "quoted", path = "quoted", member = "known",
    word = "known",
}

local function tally()
  return { bound = 0, quoted = 0, known = 0, refused = 0, total = 0, faults = {}, n_faults = 0, by_slot = {} }
end

local function note(counts, slot, dialect, text, what)
  counts.n_faults = counts.n_faults + 1
  counts.by_slot[slot] = (counts.by_slot[slot] or 0) + 1
  if counts.by_slot[slot] <= 2 then
    counts.faults[#counts.faults + 1] = ("%s on %s, %q: %s"):format(slot.name, dialect, text, what)
  end
end

-- One string that was given to one slot: `statement`, or the error that refused it.
local function judge(counts, slot, dialect, text, statement, err, harmless)
  counts.total = counts.total + 1
  if statement then
    local fault = fault_of(dialect, slot, text, statement, harmless)
    if fault then
      note(counts, slot, dialect, text, fault)
    end
    counts[COUNTED_AS[slot.kind]] = counts[COUNTED_AS[slot.kind]] + 1
    return
  end
  counts.refused = counts.refused + 1
  if not hysteria.isError(err) then
    note(counts, slot, dialect, text, "an accident: " .. tostring(err))
  elseif not may_refuse(dialect, slot, text) then
    note(counts, slot, dialect, text, "refused: " .. tostring(err))
  elseif tostring(err):find("[\n%z]") then
    note(counts, slot, dialect, text, "the message is not one line")
  end
end

local function report(what, counts, slots_used)
  databases.report("injection, %s: %d strings, %d slots, %d cases (bound %d, quoted %d, known words %d, refused %d), "
    .. "structural changes and wrong refusals %d, seed %d", what, #CORPUS, slots_used, counts.total, counts.bound,
    counts.quoted, counts.known, counts.refused, counts.n_faults, SEED)
end

-- The strings for a slot, of those that are its turn: all of them in a full run.
local function share_of(slot, index, at_least)
  return FULL or index % math.max(slot.share or 1, at_least or 1) == 0
end

-- ---- which verbs are reached -----------------------------------------------------------------------

-- The names of the query methods that get WORD while fn() runs: as an argument, inside of a table, or
-- as a query that was given it before.
local function verbs_that_get_it(fn)
  local reached, given, originals = {}, setmetatable({}, { __mode = "k" }), {}
  local function holds(value, depth)
    if value == WORD or given[value] then
      return true
    end
    for key, entry in next, type(value) == "table" and depth < 6 and value or {} do
      if holds(key, depth + 1) or holds(entry, depth + 1) then
        return true
      end
    end
    return false
  end
  for name, verb in next, core.queryMethods do
    originals[name] = verb
  end
  for name, verb in next, originals do
    core.queryMethods[name] = function(query, ...)
      for index = 1, select("#", ...) do
        local value = select(index, ...)
        if value ~= nil and holds(value, 0) then
          reached[name], given[query] = true, true
        end
      end
      return verb(query, ...)
    end
  end
  local ok, err = pcall(fn)
  for name, verb in next, originals do
    core.queryMethods[name] = verb
  end
  assert(ok, err)
  return reached
end

-- ---- compiling for every dialect ----------------------------------------------------------------

describe("a hostile string", function()
  local ds, w

  setup(function()
    ds = hysteria.sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    w = { ds = ds, Person = define():using(ds) }
  end)

  teardown(function()
    ds:close()
  end)

  it("has a slot in every verb of a query, or a reason", function()
    local reached = verbs_that_get_it(function()
      for _, slot in ipairs(slots) do
        pcall(slot.build or slot.call, w, WORD) -- there are no tables; that a verb got it is enough
      end
    end)
    local reasons, lacking, n = {}, {}, 0
    for why, names in next, NEED_NONE do
      for name in names:gmatch("%S+") do
        assert.is_function(rawget(core.queryMethods, name), name .. " is no verb")
        assert.is_nil(reasons[name] or reached[name], name .. " has a slot, or two reasons")
        reasons[name] = why
      end
    end
    for name in next, core.queryMethods do
      if type(name) == "string" and not name:find("^_") then
        n = n + 1
        lacking[#lacking + 1] = not reached[name] and not reasons[name] and name or nil
      end
    end
    table.sort(lacking)
    assert.same({}, lacking)
    assert.is_true(n > 200)
    databases.report("injection: %d verbs of queries, all with a slot or a reason", n)
  end)

  local function compile_all(how, wanted)
    for _, dialect in ipairs(DIALECTS) do
      it(("changes no statement written for %s, %s"):format(dialect, how), function()
        local counts, used = tally(), 0
        local function compile(slot, text)
          local query = slot.build(w, text)
          return (core.compile(query, dialect, how))
        end
        for _, slot in ipairs(slots) do
          local ok, statement = false, nil
          if slot.build and wanted(slot) then
            ok, statement = pcall(compile, slot, WORD)
            used = used + 1
          end
          local harmless = harmless_of(dialect, ok and statement or nil)
          if slot.kind == "path" and ok then
            add_tokens(harmless, dialect, compile(slot, "0"))
          end
          local supported = ok or slot.kind == "word" or slot.kind == "member"
          for index, text in ipairs(slot.build and wanted(slot) and supported and CORPUS or {}) do
            if share_of(slot, index) then
              local fine, result = pcall(compile, slot, text)
              judge(counts, slot, dialect, text, fine and result or nil, result, harmless)
            end
          end
          assert.is_true(not slot.build or not wanted(slot) or supported or statement.code == "UNSUPPORTED",
            ("%s for %s: %s"):format(slot.name, dialect, tostring(statement)))
        end
        report(("%s as %s"):format(dialect, how), counts, used)
        assert.same({}, counts.faults)
      end)
    end
  end

  compile_all("binds", function()
    return true
  end)

  -- The text for people to read has the values in it, quoted: the same tokens but for the string.
  for _, dialect in ipairs(DIALECTS) do
    it("stays one literal in the readable text for " .. dialect, function()
      local faults, total = {}, 0
      for _, slot in ipairs(slots) do
        if slot.kind == "value" and slot.build and slot.literal ~= false then
          local function tokens_for(text)
            return sql_tokens.read(dialect, core.compile(slot.build(w, text), dialect, "literal"))
          end
          local ok, harmless = pcall(tokens_for, WORD)
          for at, text in ipairs(ok and CORPUS or {}) do
            if share_of(slot, at) and not hostile_text.is_broken(text) and not (slot.key and text:find("%c")) then
              local expected = {}
              for index, token in ipairs(harmless) do
                expected[index] = token == "s" .. WORD and "s" .. text or token
              end
              total = total + 1
              local tokens = tokens_for(text)
              for index, token in ipairs(slot.inside and tokens or {}) do
                if token:find("^s") and (expected[index] or ""):find("^s") then
                  tokens[index] = expected[index]
                end
              end
              if not same(tokens, expected) then
                faults[#faults + 1] = ("%s, %q: %s"):format(slot.name, text, core.compile(slot.build(w, text), dialect,
                  "literal"))
              end
            end
          end
        end
      end
      databases.report("injection, literals for %s: %d texts, structural changes %d", dialect, total, #faults)
      assert.same({}, { faults[1], faults[2], faults[3] })
    end)
  end
end)

-- ---- running on the databases --------------------------------------------------------------------

-- The bytes of a column in hexadecimal, as the database says them.
local HEX = {
  sqlite = "hex(CAST(name AS BLOB))", postgres = "upper(encode(convert_to(name, 'UTF8'), 'hex'))",
  mysql = "HEX(name)", mariadb = "HEX(name)",
}
HEX.cockroachdb = HEX.postgres

local function hex(text)
  return (text:gsub(".", function(char)
    return ("%02X"):format(char:byte())
  end))
end

databases.each(function(ds, database)
  describe("a hostile string", function()
    local Person, Canary = define()
    local w = { ds = ds, Person = Person:using(ds) }
    local seen, watching = {}, true
    -- The clock by which MySQL is asked stands still: the question comes once, or every time.
    local deadline, asks = core.deadline, false

    local function reset_rows()
      ds:query("inj"):truncate()
      ds:query("inj"):insertMany { { id = 1, name = "ada", age = 36 }, { id = 2, name = "bob", age = 9 } }
    end

    setup(function()
      ds:dropTables({ Person, Canary }, { ifExists = true })
      ds:createTables { Person, Canary }
      ds:query("inj_canary"):insertMany { { id = 1, name = "one" }, { id = 2, name = "two" } }
      reset_rows()
      rawset(core, "deadline", function(ms)
        return ms ~= 1 and deadline(ms) or asks and math.maxinteger or 0
      end)
      ds:addObserver {
        onBeforeQuery = function(event)
          if watching then
            seen[#seen + 1] = event.sql
          end
        end,
      }
    end)

    teardown(function()
      rawset(core, "deadline", deadline)
      watching = false
      ds:dropTables({ Person, Canary }, { ifExists = true })
    end)

    local function canary()
      local rows = ds:rawQuery("SELECT id, name FROM inj_canary ORDER BY id")
      return #rows == 2 and rows[1].name == "one" and rows[2].name == "two" and rows[2].id == 2
    end

    -- Run the slot with the text: the statement that was sent (nil: none), the outcome, the result.
    local function run(slot, text)
      seen = {}
      local ok, result = pcall(function()
        if slot.call then
          return slot.call(w, text)
        end
        return slot.build(w, text):many()
      end)
      if not ok and slot.kind == "value" and hostile_text.is_broken(text) then
        return nil, ok, result -- observers are told before the driver looks at the bytes
      end
      for _, statement in ipairs(seen) do
        if not CONTROL[statement:match("^%u+")] then
          return statement, ok, result
        end
      end
      return nil, ok, result
    end

    -- A value does no harm to any statement. One with a foreign name in it may be whole and yet mean
    -- nothing to this database; which it is, the tokens have told.
    local function may_answer(slot, err)
      if slot.kind == "value" then
        return (slot.codes or {})[err.code]
      end
      return not NO_ANSWER[err.kind] and not NO_CODES[err.code]
    end

    local function check_answer(counts, slot, text, ok, result)
      if ok and slot.field and #result > 0 and result[1][text] == nil then
        note(counts, slot, database, text, "the row has no such field")
      elseif not ok and not (hysteria.isError(result) and may_answer(slot, result)) then
        note(counts, slot, database, text,
          "the database answered " .. tostring(result) .. " [" .. tostring(result.nativeCode) .. "]")
      end
    end

    it("leaves the database as it was, wherever it stands", function()
      local counts, used, executed = tally(), 0, 0
      for _, slot in ipairs(slots) do
        asks = false
        run(slot, WORD) -- what is asked only once is asked now
        local statement, _, failure = run(slot, WORD)
        asks = statement ~= nil and statement:find(QUESTION) ~= nil
        local harmless = harmless_of(database, statement)
        if slot.kind == "path" and statement then
          add_tokens(harmless, database, run(slot, "0"))
        end
        if statement or slot.kind == "word" or slot.kind == "member" then
          used = used + 1
          for index, text in ipairs(CORPUS) do
            local sent, ok, result
            local share = index <= hostile_text.n_known and SHARE_KNOWN or SHARE_MADE
            local meant = slot.except and slot.except[text]
            if not meant and share_of(slot, index + used, share) then
              sent, ok, result = run(slot, text)
              judge(counts, slot, database, text, sent, result, harmless)
            end
            if sent then
              executed = executed + 1
              check_answer(counts, slot, text, ok, result)
            elseif ok and not meant then
              note(counts, slot, database, text, "nothing was sent and nothing refused")
            end
          end
        else
          assert.equal("UNSUPPORTED", failure.code, slot.name .. " sent nothing for a harmless word")
        end
        assert.is_true(canary(), slot.name .. ": the canary is gone")
        reset_rows()
      end
      report("run on " .. database, counts, used)
      databases.report("injection, run on %s: %d statements executed, canary intact", database, executed)
      assert.same({}, counts.faults)
    end)

    it("is stored byte by byte, and found again", function()
      local stored, rows, refused = {}, {}, 0
      reset_rows()
      for index, text in ipairs(CORPUS) do
        local row = { id = 10 + index, name = text }
        if hostile_text.is_broken(text) then
          assert.is_false(pcall(w.Person.insert, w.Person, row))
          assert.is_false(pcall(function()
            ds:query("inj"):insert(row)
          end))
          refused = refused + 1
        elseif index % 10 == 0 then
          w.Person:insert(row)
          stored[row.id] = text
        else
          rows[#rows + 1] = row
          stored[row.id] = text
        end
      end
      w.Person:insertMany(rows)

      local found = 0
      for _, row in ipairs(ds:rawQuery("SELECT id, " .. HEX[database] .. " AS bytes FROM inj WHERE id > 10")) do
        assert.equal(hex(stored[row.id]), row.bytes)
        found = found + 1
      end
      for id, text in next, stored do
        assert.equal(text, w.Person:query():where("name", text):where("id", id):one().name)
        stored[id] = nil
      end
      assert.equal(#CORPUS - refused, found)
      assert.is_nil(next(stored))
      databases.report("injection, values on %s: %d strings written and read back, %d refused (NUL, no UTF-8)",
        database,
        found, refused)
    end)
  end)
end)
