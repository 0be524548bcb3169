-- What observers are told of values beside hidden, hashed and encrypted columns: nothing, whatever
-- stands between the value and the column. And what is beside another column they are told.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local SECRET, PLAIN = "sesame-4711", "open-and-plain"

local Vault = model "HiddenVault" {
  id = column.increment(),
  name = column.string { length = 60 },
  pin = column.string { length = 200, hidden = true },
  doc = column.json { hidden = true },
  password = column.hashed { nullable = true },
  number = column.encrypted { keys = { ("4a"):rep(32) }, nullable = true },
}
local Note = model "HiddenNote" { id = column.increment(), vaultId = column.integer(), text = column.string() }
-- What a scope asks is known when a query runs, and with it which values are beside which columns.
local Scoped = model "HiddenScoped" {
  hysteria.tableName("hidden_notes"), id = column.increment(), vaultId = column.integer(), text = column.string(),
  hysteria.defaultScope(function(q) q:where("id", ">", 0) end),
}
local Telling = model "HiddenTelling" {
  hysteria.tableName("hidden_vaults"), id = column.increment(), pin = column.string { length = 200, hidden = true },
  hysteria.defaultScope(function(q) q:select("pin") end),
}

local function lower(...)
  return sql.func("lower", ...)
end

-- What it is, and a query that holds SECRET beside a hidden column, PLAIN beside others (if any).
local READS = {
  { "a column", function(q) return q:where("pin", SECRET):where("name", PLAIN) end },
  { "a column in an OR", function(q) return q:where("pin", SECRET):orWhere("name", PLAIN) end },
  { "a list", function(q) return q:whereIn("pin", { SECRET, "b" }) end },
  { "a pattern", function(q) return q:whereLike("pin", SECRET .. "%") end },
  { "a range", function(q) return q:whereBetween("pin", SECRET, SECRET) end },
  { "a where-table", function(q) return q:where { pin = SECRET, name = PLAIN } end },
  { "an operator of a table", function(q) return q:where { pin = sql.op.gt(SECRET), name = PLAIN } end },
  { "sql.any", function(q) return q:where(sql.any { { pin = SECRET }, { name = PLAIN } }) end },
  { "a denied group", function(q)
    return q:whereNot(function(w) w:where("pin", SECRET):where("name", PLAIN) end)
  end },
  { "a function of the column", function(q) return q:where(lower(sql.col("pin")), SECRET) end },
  { "functions of functions", function(q)
    return q:where(sql.func("trim", lower(sql.col("pin"))), SECRET):where("name", PLAIN)
  end },
  { "a function of the value", function(q) return q:where("pin", lower(SECRET)) end },
  { "functions of the value", function(q)
    return q:where("pin", "<>", sql.func("trim", lower(SECRET))):where("name", PLAIN)
  end },
  { "what stands for NULL", function(q) return q:where(sql.func("coalesce", sql.col("pin"), SECRET), "x") end },
  { "what stands for NULL, deeper", function(q)
    return q:where(sql.func("coalesce", sql.col("pin"), lower(SECRET)), "x")
  end },
  { "what a CASE yields", function(q)
    return q:where(sql.case({ { { name = "a" }, sql.col("pin") } }, SECRET), "x")
  end },
  { "what a CASE is compared with", function(q)
    return q:where(sql.case({ { { name = "a" }, sql.col("pin") } }, "y"), SECRET)
  end },
  { "a condition of a CASE", function(q) return q:where(sql.case({ { { pin = SECRET }, 1 } }, 2), 1) end },
  { "a CASE to order by", function(q) return q:orderBy(sql.case({ { { pin = SECRET }, 1 } }, 2)) end },
  { "a function to order by", function(q) return q:orderBy(sql.func("nullif", sql.col("pin"), SECRET)) end },
  { "a selected function", function(q)
    return q:select("id"):select(sql.func("nullif", sql.col("pin"), SECRET), "p")
  end },
  { "a calculated value", function(q) return q:where(sql.func("length", sql.col("pin")) + 4711, ">", 1) end },
  { "a tuple", function(q) return q:whereIn({ "id", "pin" }, { { 1, SECRET }, { 2, "b" } }) end },
  { "a path of a document", function(q) return q:whereJson("doc", "a.b", SECRET) end },
  { "a document", function(q) return q:whereJsonContains("doc", { a = SECRET }) end },
  { "a qualified column", function(q) return q:where("hidden_vaults.pin", SECRET) end },
  { "a fragment with the column", function(q)
    return q:where(sql.rawStatement("coalesce(?, ?)", sql.col("pin"), SECRET), "x")
  end },
  { "having", function(q) return q:select("pin"):groupBy("pin"):having("pin", SECRET) end },
  { "having a function", function(q)
    return q:select("name"):groupBy("name"):having(sql.func("max", sql.col("pin")), ">", SECRET)
  end },
  { "an alias", function(q)
    return q:select("id", { "pin", "p" }):groupBy("id", "pin"):having("p", SECRET)
  end },
  { "a join's condition", function(_, w)
    return w.Note:query():select("hidden_notes.id"):join(Vault, function(on)
      on:on("hidden_vaults.id", "hidden_notes.vaultId"):onValue("hidden_vaults.pin", SECRET)
    end):where("hidden_notes.text", PLAIN)
  end },
  { "a table that is joined later", function(_, w)
    return w.Note:query():select("hidden_notes.id"):where("hidden_vaults.pin", SECRET):where("hidden_notes.text", PLAIN)
      :join(Vault, "id", "vaultId")
  end },
  { "a function of a table that is joined later", function(_, w)
    return w.Note:query():select("hidden_notes.id"):where(lower(sql.col("hidden_vaults.pin")), lower(SECRET))
      :join(Vault, "id", "vaultId")
  end },
  { "a column of the query around", function(q, w)
    return q:whereExists(w.Note:query():where("hidden_vaults.pin", SECRET):where("text", PLAIN))
  end },
  { "a subquery that selects it", function(_, w)
    return w.Note:query():where("text", "=", w.Vault:query():select("pin"):limit(1))
      :orWhere(w.Vault:query():select("pin"):where("id", 1), SECRET)
  end },
  { "values that a subquery yields", function(q, w)
    return q:where("pin", "=", w.ds:query("hidden_notes"):select(lower(SECRET), "x"):limit(1))
  end },
  { "values that a list's subquery yields", function(q, w)
    return q:whereIn("pin", w.ds:query("hidden_notes"):select(lower(SECRET), "x"))
  end },
  { "a derived table", function(_, w)
    return w.ds:query("x"):from(w.Vault:query():select("id", "pin"), "d"):where("pin", SECRET):where("id", ">", 0)
  end },
  { "a common table", function(_, w)
    return w.ds:query("c"):with("c", w.Vault:query():select("id", "pin")):where(lower(sql.col("pin")), SECRET)
  end },
  { "values of a list's subquery that come from a derived table", function(q, w)
    local from = w.ds:query("hidden_notes"):select(lower(SECRET), "x")
    return q:whereIn("pin", w.ds:query("d"):from(from, "d"):select("d.x")):where("name", PLAIN)
  end },
  { "values of a list's subquery that come from a scoped common table", function(q, w)
    return q:whereIn("pin", w.ds:query("c"):with("c", w.Scoped:query():select(lower(SECRET), "x")):select("x"))
      :where("name", PLAIN)
  end },
  { "values that a list's scoped subquery yields", function(q, w)
    return q:whereIn("pin", w.Scoped:query():select(lower(SECRET), "x")):where("name", PLAIN)
  end },
  { "values that a scoped subquery yields", function(q, w)
    return q:where("pin", ">", w.Scoped:query():select(lower(SECRET), "x"):limit(1)):where("name", PLAIN)
  end },
  { "values of a scoped subquery in a function", function(q, w)
    return q:where("pin", lower(w.Scoped:query():select(lower(SECRET), "x"):limit(1))):where("name", PLAIN)
  end },
  { "a scoped member of a union in a subquery", function(q, w)
    return q:whereIn("pin", w.ds:query("hidden_notes"):select("text")
      :union(w.Scoped:query():select(lower(SECRET), "x"))):where("name", PLAIN)
  end },
  { "a member of a union in a scoped subquery", function(q, w)
    return q:whereIn("pin", w.Scoped:query():select("text")
      :union(w.ds:query("hidden_notes"):select(lower(SECRET), "x"))):where("name", PLAIN)
  end },
  { "a scoped subquery in a scoped one", function(q, w)
    return q:whereIn("pin", w.Scoped:query()
      :select(sql.func("coalesce", w.Scoped:query():select(lower(SECRET), "y"):limit(1), SECRET), "x"))
      :where("name", PLAIN)
  end },
  { "a scoped subquery that is a derived table's", function(_, w)
    return w.ds:query("x"):from(w.Scoped:query():select("id", { w.Vault:query():select("pin"):limit(1), "p" }), "d")
      :where("p", SECRET)
  end },
  { "what a scope's secret is compared with", function(q, w)
    return q:where(w.Telling:query():limit(1), SECRET):where("name", PLAIN)
  end },
  { "what is beside a scope's secret in a function", function(q, w)
    return q:where(sql.func("coalesce", w.Telling:query():limit(1), lower(SECRET)), lower(SECRET)):where("name", PLAIN)
  end },
  { "what a scope's secret is called", function(q, w)
    return q:select("name"):select(w.Telling:query():limit(1), "p"):groupBy("name"):having("p", SECRET)
  end },
  { "a derived table of a scope's secret", function(_, w)
    return w.ds:query("x"):from(w.Telling:query(), "d"):where("pin", SECRET)
  end },
  { "a prepared value", function(q)
    return q:where("pin", sql.param("p")):where("name", sql.param("n"))
  end, params = { p = SECRET, n = PLAIN } },
  { "a prepared value in a function", function(q)
    return q:where("pin", lower(sql.param("p")))
  end, params = { p = SECRET } },
}

local WRITES = {
  { "insert", function(w) w.Vault:insert { name = PLAIN, pin = SECRET } end },
  { "insertMany", function(w) w.Vault:insertMany { { name = PLAIN, pin = SECRET }, { pin = SECRET } } end },
  { "insert of a function", function(w) w.Vault:insert { name = PLAIN, pin = lower(SECRET) } end },
  { "insert of a document", function(w) w.Vault:insert { name = PLAIN, doc = { a = SECRET } } end },
  { "update", function(w) w.Vault:query():where("name", PLAIN):update { pin = SECRET } end },
  { "update to a function", function(w) w.Vault:query():where("name", PLAIN):update { pin = lower(SECRET) } end },
  { "update to a CASE", function(w)
    w.Vault:query():where("name", PLAIN):update { pin = sql.case({ { { id = 1 }, SECRET } }, "y") }
  end },
  { "update to what a scoped subquery yields", function(w)
    w.Vault:query():where("name", PLAIN):update { pin = w.Scoped:query():select(lower(SECRET), "x"):limit(1) }
  end },
  { "updateMany", function(w) w.Vault:query():updateMany { { id = 1, pin = SECRET, name = PLAIN } } end },
  { "upsert", function(w) w.Vault:upsert({ id = 1 }, { pin = SECRET, name = PLAIN }) end },
  { "delete", function(w) w.Vault:query():where(lower(sql.col("pin")), SECRET):where("name", PLAIN):delete() end },
  { "a hash", function(w) w.Vault:insert { name = PLAIN, password = SECRET } end },
  { "an encrypted value", function(w) w.Vault:insert { name = PLAIN, number = SECRET } end },
}

databases.each(function(ds)
  describe("a value beside a hidden column", function()
    local w = {
      ds = ds, Vault = Vault:using(ds), Note = Note:using(ds), Scoped = Scoped:using(ds), Telling = Telling:using(ds),
    }
    local told, n_hidden, watching

    setup(function()
      ds:dropTables({ Note, Vault }, { ifExists = true })
      ds:createTables { Vault, Note }
      w.Vault:insert { name = PLAIN, pin = "x" }
      w.Note:insert { vaultId = 1, text = PLAIN }
      ds:addObserver { onBeforeQuery = function(event)
        for _, value in ipairs(watching and event.params or {}) do
          told[#told + 1] = tostring(value)
          n_hidden = n_hidden + (tostring(value) == "[hidden]" and 1 or 0)
        end
      end }
    end)

    before_each(function()
      told, n_hidden, watching = {}, 0, true
    end)

    after_each(function()
      watching = false
    end)

    teardown(function()
      ds:dropTables({ Note, Vault }, { ifExists = true })
    end)

    local function check(fn, has_plain)
      local ok, err = pcall(fn)
      watching = false
      assert.is_true(ok, tostring(err))
      local text = table.concat(told, "\n")
      assert.is_nil(text:find("4711", 1, true), text)
      assert.is_true(n_hidden > 0, "nothing was hidden")
      assert.equal(has_plain, text:find(PLAIN, 1, true) ~= nil, "the other value: " .. text)
    end

    for _, entry in ipairs(READS) do
      it("is not told: " .. entry[1], function()
        local query = entry[2](w.Vault:query(), w)
        local text = query:toQuery()
        local has_plain = text:find(PLAIN, 1, true) ~= nil or (entry.params or {}).n ~= nil
        assert.is_true(entry.params ~= nil or text:find("4711", 1, true) ~= nil, text)
        check(function()
          if entry.params then
            query:prepare():many(entry.params)
          else
            query:many()
            query:clone():many() -- what is kept of the first run hides as much
          end
        end, has_plain)
      end)
    end

    for _, entry in ipairs(WRITES) do
      it("is not told by a write: " .. entry[1], function()
        ds:transaction(function(trx)
          check(function() entry[2](w) end, true)
          trx:rollback()
        end)
      end)
    end
  end)
end)
