-- Random queries must agree with themselves, on each database alone: a condition, its opposite and
-- its "neither" part the rows; pages put together are the whole; count, exists and pluck say what the
-- rows say; a builder that ran once runs again the same; a clone and its original go their own ways.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")
local grammar = require("tests.support.lua.query_grammar")
local query_world = require("tests.support.lua.query_world")
local random = require("tests.support.lua.random")

local FULL = os.getenv("HY_SCALE") == "full"
local SEED = random.seed(20250919)
local ROUNDS = FULL and 5000 or 300

-- The kinds of queries that have rows of the table itself, each once.
local PLAIN = { rows = true, all = true, ["plain count"] = true, ["one value"] = true }

databases.each(function(ds, database)
  describe("a random query", function()
    local w
    local checks = 0

    setup(function()
      w = query_world.make(ds, SEED)
    end)

    teardown(function()
      query_world.drop(w)
      databases.report("identities on %s: %d checks, seed %d", database, checks, SEED)
    end)

    -- fn(d, r) with `count` random queries of the wanted shapes that the database can run.
    local function each_query(shapes, salt, fn)
      local r, done = random.new(SEED + salt), 0
      while done < ROUNDS do
        local d = grammar.query(r, {})
        if shapes[d.shape] then
          local ok, err = pcall(grammar.run, d, w)
          if ok then
            d.lock = nil -- would want a transaction around everything
            fn(d, r)
            checks = checks + 1
          else
            assert.equal("UNSUPPORTED", hysteria.isError(err) and err.code, tostring(err))
          end
          done = done + 1
        end
      end
    end

    local function ids(q)
      local list = q:pluck("id")
      table.sort(list)
      return list
    end

    local function where_of(d)
      local q = w.A:query()
      grammar.add_conditions(q, d.where or {}, w, "where")
      return q
    end

    -- The condition as text for whereRaw is not at hand: the group says it, and CASE counts it.
    it("parts the rows: where it holds, where it does not, where it is neither", function()
      each_query(PLAIN, 1, function(d)
        if not d.where then
          return
        end
        local function group(inner)
          grammar.add_conditions(inner, d.where, w, "where")
        end
        local holds, fails = ids(w.A:query():where(group)), ids(w.A:query():whereNot(group))
        local neither = ids(w.A:query():whereNotIn("id", holds):whereNotIn("id", fails))
        local seen = {}
        for _, list in ipairs { holds, fails, neither } do
          for _, id in ipairs(list) do
            assert.is_nil(seen[id], grammar.show(d.where))
            seen[id] = true
          end
        end
        assert.equal(40, #holds + #fails + #neither, grammar.show(d.where))
        -- where it is neither, its opposite's opposite is neither too
        local both = ids(w.A:query():whereNot(function(q)
          q:whereNot(group)
        end))
        assert.same(holds, both, grammar.show(d.where))
      end)
    end)

    it("is the sum of its pages", function()
      each_query(PLAIN, 2, function(d, r)
        local size = r:int(1, 15)
        local whole = where_of(d):orderBy("i", "asc", { nulls = "last" }):orderBy("id"):pluck("id")
        local pages, at = {}, 0
        repeat
          local page = where_of(d):orderBy("i", "asc",
            { nulls = "last" }):orderBy("id"):limit(size):offset(at):pluck("id")
          table.move(page, 1, #page, #pages + 1, pages)
          at = at + size
        until #page < size
        assert.same(whole, pages, grammar.show(d.where))
        local page = where_of(d):orderBy("id"):paginate(1, size)
        assert.equal(#whole, page.paginationMetadata.total)
        assert.equal(math.min(size, #whole), #page.data)
      end)
    end)

    it("counts what it gives", function()
      each_query({ rows = true, all = true, joined = true, grouped = true, set = true, common = true }, 3, function(d)
        local rows = grammar.run(d, w)
        local count = grammar.build(d, w):count()
        assert.equal(#rows, count, grammar.show(d))
        assert.equal(#rows > 0, grammar.build(d, w):exists(), grammar.show(d))
      end)
    end)

    it("runs again as it ran before, and so does its clone whatever becomes of it", function()
      each_query({ rows = true, all = true, joined = true, grouped = true, set = true, common = true }, 4, function(d)
        local q = grammar.build(d, w)
        local text = q:toQuery()
        local first = grammar.answer(d, q:many())
        q:count()
        q:exists()
        assert.equal(first, grammar.answer(d, q:many()), grammar.show(d))
        local clone = q:clone()
        clone:where("id", -1):limit(1):clearOrderBy()
        assert.equal(text, q:toQuery(), grammar.show(d))
        clone = q:clone()
        q:clearSelect():clearWhere():clearOrderBy():limit(0)
        assert.equal(text, clone:toQuery(), grammar.show(d))
        assert.equal(first, grammar.answer(d, clone:many()), grammar.show(d))
      end)
    end)
  end)
end)
