-- Validation: what the validators that come along accept, and that every way to write asks them.
local hysteria = require("hysteria")
local databases = require("tests.support.lua.databases")

local column, model, sql, validators = hysteria.column, hysteria.model, hysteria.sql, hysteria.validators
local error_of = databases.error_of

describe("a validator", function()
  -- name, arguments, what passes, what does not, the message
  local long = ("a"):rep(63)
  local cases = {
    { "required", nil, { "x", 0, false, " " }, { "" }, "Value is required" },
    { "minLength", { 3 }, { "abc", "äöü", 5, true }, { "", "ab", "äö" }, "Minimum length is 3" },
    { "maxLength", { 3 }, { "", "abc", "äöü", 12345 }, { "abcd", "äöüß" }, "Maximum length is 3" },
    { "min", { 18 }, { 18, 18.0, 19, sql.decimal("18.00"), "1", math.huge },
      { 17, 17.99, sql.decimal("17.99"), -1, 0 / 0 }, "Minimum value is 18" },
    { "max", { 2.5 }, { 2.5, 2, -1, sql.decimal("2.5"), "9" }, { 3, 2.6, sql.decimal("2.51") },
      "Maximum value is 2.5" },
    { "max", { sql.decimal("0.3") }, { 0, 0.3, sql.decimal("0.3") }, { 1, 0.31, sql.decimal("0.30001") },
      "Maximum value is 0.3" },
    { "min", { math.mininteger }, { math.mininteger, 0, 0.5 }, { -1e300 }, "Minimum value is -9223372036854775808" },
    { "pattern", { "^%u%d+$" }, { "A1", "Z99", 7 }, { "", "a1", "A", " A1" }, "Value has the wrong form" },
    { "oneOf", { { "a", 1, false } }, { "a", 1, false, 1.0 }, { "b", "1", 2, true },
      "Value must be one of: a, 1, false" },
    { "email", nil,
      { "a@x.org", "a.b+c@sub.example.co.uk", "é@bücher.example", "o'hara@x.org", 5,
        ("a"):rep(64) .. "@" .. long .. ".org" },
      { "", "a", "@x.org", "a@", "a@x", "a@@x.org", "a b@x.org", "a@x .org", "a@x..org", ".a@x.org", "a.@x.org",
        "a..b@x.org", "a@-x.org", "a@x-.org", "\"a\"@x.org", "a@x.org\n", "a@x.org,b@y.org", "<a@x.org>",
        ("a"):rep(65) .. "@x.org",
        "a@" .. long .. "a.org", "a@" .. (long .. "."):rep(4) .. "org" },
      "Value is not an e-mail address" },
    { "url", nil,
      { "http://x.org", "https://www.example.com/a/b?c=d#e", "HTTPS://X.ORG:8080/", "http://localhost",
        "http://127.0.0.1:80/x", "http://[::1]/", "https://user:pw@x.org/", 5 },
      { "", "x.org", "ftp://x.org", "http://", "http:///x", "http://x", "javascript:alert(1)", "http://x.org/a b",
        "http://x.org/\n", "http://x..org", "//x.org", "http://-x.org", "http://x.org:port/" },
      "Value is not a URL" },
  }

  for index, case in ipairs(cases) do
    local name, arguments, good, bad, message = table.unpack(case, 1, 5)
    it(("%s accepts and refuses (%d)"):format(name, index), function()
      local fn = validators[name]
      if arguments then
        fn = fn(table.unpack(arguments))
      end
      for place, value in ipairs(good) do
        assert.is_true((fn(value)), ("%d: %s"):format(place, tostring(value)))
      end
      for place, value in ipairs(bad) do
        local ok, said = fn(value)
        assert.is_false(ok, ("%d: %s"):format(place, tostring(value)))
        assert.equal(message, said)
      end
      assert.equal(name ~= "required", (fn(nil)))
    end)
  end

  it("takes a message of one's own", function()
    assert.equal("too short", select(2, validators.minLength(3, "too short")("a")))
    assert.equal("no", select(2, validators.oneOf({ 1 }, "no")(2)))
    assert.equal("no", select(2, validators.pattern("x", "no")("a")))
    assert.equal("no", select(2, validators.max(1, "no")(2)))
  end)

  it("checks its own arguments", function()
    for _, attempt in ipairs {
      { "minLength", -1 }, { "maxLength", "3" }, { "min", "3" }, { "max", {} }, { "pattern", "[" }, { "pattern", "" },
      { "oneOf", {} }, { "oneOf", "a" }, { "minLength", 1.5 },
    } do
      assert.equal("INVALID_ARGUMENT", error_of(validators[attempt[1]], attempt[2]).code, attempt[1])
    end
    for _, name in ipairs { "minLength", "min", "max", "oneOf", "pattern" } do
      assert.equal("NIL_VALUE", error_of(validators[name]).code, name)
    end
    local err = error_of(function() return validators.maxLenght end)
    assert.matches("maxLength", err.message, 1, true)
  end)
end)

databases.each(function(ds)
  local asked

  local function note(value, about)
    asked[#asked + 1] = { value = value, about = about }
  end

  local Account = model "ValidAccount" {
    hysteria.softDelete(),
    hysteria.validate(function(data, ctx)
      asked.hook = ctx.operation
      if asked.limit and math.abs(ctx.amount or 0) > asked.limit then
        return { [ctx.column] = "at most 2 at once" }
      end
      if data.low and data.high and data.low > data.high then
        return { low = "must not be above high", high = { "must not be below low" } }
      end
    end),
    id = column.increment(),
    email = column.string { length = 100, validate = { validators.required, validators.email } },
    low = column.integer { validate = { validators.min(0), note } },
    high = column.integer { validate = validators.max(100) },
    state = column.string { default = "new", validate = { validators.required, validators.oneOf { "new", "old" } } },
    serial = column.uuid { validate = validators.required },
    number = column.integer { default = function() return 7 end, validate = validators.required },
  }
  local accounts = Account:using(ds)

  local function count()
    return ds:rawQuery("SELECT count(*) AS n FROM valid_accounts")[1].n
  end

  setup(function()
    ds:dropTables({ Account }, { ifExists = true })
    ds:createTables { Account }
  end)

  before_each(function()
    asked = {}
    ds:rawQuery("DELETE FROM valid_accounts")
  end)

  local function refused(errors, fn, ...)
    local err = error_of(fn, ...)
    assert.equal("VALIDATION_ERROR", err.code, tostring(err))
    assert.equal("data", err.kind)
    assert.same(errors, err.errors)
    assert.equal("ValidAccount", err.model)
    assert.matches(":%d+$", err.where)
    return err
  end

  describe("every write is validated:", function()
    local BAD = { email = { "Value is not an e-mail address" } }

    it("look at the text of a decimal column as at the number that it is", function()
    local Priced = model "ValidPrice" {
      id = column.increment(), note = column.string { validate = validators.max(10) },
      price = column.decimal { validate = { validators.min(1.5), validators.max(sql.decimal("10.00")) } },
      shown = column.decimal { as = "string", validate = validators.max(10) },
    }
    local prices = Priced:using(ds)
    ds:dropTables({ Priced }, { ifExists = true })
    ds:createTables { Priced }
    for _, value in ipairs { "10.01", "1e3", sql.decimal("10.01"), 11, 11.0 } do
      local err = error_of(prices.insert, prices, { price = value })
      assert.same({ price = { "Maximum value is 10.00" } }, err.errors)
    end
    assert.same({ price = { "Minimum value is 1.5" } }, error_of(prices.insert, prices, { price = "1.49" }).errors)
    assert.same({ shown = { "Maximum value is 10" } }, error_of(prices.insert, prices, { shown = "10.5" }).errors)
    assert.equal("DATA_INVALID", error_of(prices.insert, prices, { price = "ten" }).code)
    local record = prices:insert { price = "10.00", shown = "1.50", note = "99" }
    record:save()
    record.shown = "12.00"
    assert.same({ shown = { "Maximum value is 10" } }, error_of(record.save, record).errors)
  end)

  it("insert", function()
      refused(BAD, accounts.insert, accounts, { email = "nobody" })
      refused({ email = { "Value is required" } }, accounts.insert, accounts, {})
      refused({ email = { "Value is required" } }, accounts.insert, accounts, { email = sql.null })
      assert.equal(0, count())
    end)

    it("insertMany, all rows before the first hook, naming the row", function()
      local err = refused(BAD, accounts.insertMany, accounts, { { email = "a@x.org" }, { email = "nobody" } })

      assert.equal(2, err.row)
      assert.matches("row 2", err.message, 1, true)
      assert.equal(0, count())
      assert.equal("VALIDATION_ERROR", error_of(function()
        accounts:query():insertMany({ { email = "nobody" } }, { returning = false })
      end).code)
    end)

    it("update of builders, records, by key and by condition, save, and a row with its key", function()
      local account = accounts:insert { email = "a@x.org" }
      local tracked = accounts:query():one({ track = true })
      for index, write in ipairs {
        function() accounts:query():where("id", account.id):update { email = "nobody" } end,
        function() accounts:query():allRows():update({ email = "nobody" }, { returning = true }) end,
        function() accounts:update({ email = "nobody" }, { where = { id = account.id } }) end,
        function() accounts:updateRecord(account.id, { email = "nobody" }) end,
        function() account:update { email = "nobody" } end,
        function() account.email = "nobody"; account:save() end,
        function() accounts:save(account) end,
        function() accounts:save { id = account.id, email = "nobody" } end,
        function() accounts:save { email = "nobody" } end,
        function() tracked.email = "nobody"; tracked:save() end,
        function() accounts:firstOrInsert({ email = "nobody" }) end,
        function() accounts:upsert({ id = account.id }, { email = "nobody" }) end,
        function() accounts:query():upsert({ id = account.id }, { email = "nobody" }) end,
        function() accounts:upsertMany({ "id" }, { { id = account.id, email = "nobody" } }) end,
        function() accounts:query():upsertMany({ "id" }, { { id = account.id, email = "nobody" } }) end,
        function() accounts:updateMany { { id = account.id, email = "nobody" } } end,
        function() accounts:query():updateMany { { id = account.id, email = "nobody" } } end,
      } do
        refused(BAD, write)
        assert.equal("a@x.org", ds:rawQuery("SELECT email FROM valid_accounts")[1].email, index)
      end
      assert.equal(1, count())
    end)

    it("also where hooks are ignored", function()
      refused(BAD, accounts.insert, accounts, { email = "nobody" }, { ignoreHooks = true })
    end)
  end)

  it("an update asks for the given columns only", function()
    local account = accounts:insert { email = "a@x.org", low = 1 }
    asked = {}

    account:update { high = 5 }
    assert.equal(0, #asked)
    refused({ email = { "Value is required" } }, account.update, account, { email = sql.null })
    refused({ email = { "Value is required", "Value is not an e-mail address" } }, account.update, account,
      { email = "" })
  end)

  it("all failures come together, those of the hook too", function()
    refused({
      email = { "Value is required", "Value is not an e-mail address" }, low = { "Minimum value is 0" },
      high = { "Maximum value is 100" },
    }, accounts.insert, accounts, { email = "", low = -1, high = 101 })
    refused({
      low = { "must not be above high" }, high = { "Maximum value is 100", "must not be below low" },
    }, accounts.insert, accounts, { email = "a@x.org", low = 200, high = 101 })
    accounts:insert({ email = "a@x.org", low = 9, high = 1 }, { ignoreHooks = { "validate" } })
  end)

  it("what the insert computes, or the database, is not missing", function()
    local account = accounts:insert { email = "a@x.org" }

    assert.equal("new", account.state)
    assert.equal(7, account.number)
    refused({ state = { "Value must be one of: new, old" } }, accounts.insert, accounts,
      { email = "a@x.org", state = "?" })
    refused({ number = { "Value is required" } }, accounts.insert, accounts, { email = "a@x.org", number = sql.null })
  end)

  it("validators get the value and what it is part of", function()
    accounts:insert { email = "a@x.org", low = 3 }
    local first = asked[1]

    assert.equal(3, first.value)
    assert.equal("low", first.about.column)
    assert.equal("insert", first.about.operation)
    assert.equal("a@x.org", first.about.data.email)
    assert.equal(Account, first.about.model)
    accounts:query():allRows():update { low = sql.null }
    assert.is_nil(asked[2].value)
    assert.equal("update", asked[2].about.operation)
    assert.equal("update", asked.hook)
  end)

  it("values that the database computes are not validated", function()
    local account = accounts:insert { email = "a@x.org", low = 1, high = 5 }
    asked = {}
    account:update { low = sql.rawStatement("high - ?", 50) }

    assert.equal(-45, account.low)
    assert.equal(0, #asked)
  end)

  it("increment and decrement ask the validate hooks, which see what is asked for", function()
    local account = accounts:insert { email = "a@x.org", low = 1, high = 5 }
    local refuse = accounts:query():where("id", account.id)
    asked = {}
    refuse:increment("low", 2)
    refuse:decrement("low", 1)

    assert.equal("increment", asked.hook)
    assert.equal(0, #asked) -- what comes of it only the database knows
    asked.limit = 2
    refused({ low = { "at most 2 at once" } }, refuse.increment, refuse, "low", 3)
    refused({ low = { "at most 2 at once" } }, refuse.decrement, refuse, "low", 3)
    assert.equal(2, accounts:findOneByPrimaryKey(account.id).low)
    refuse:increment("low", 3, { ignoreHooks = { "validate" } })
    assert.equal(5, accounts:findOneByPrimaryKey(account.id).low)
  end)

  it("Model:validate tells without writing", function()
    assert.same({ valid = true }, accounts:validate { email = "a@x.org" })
    assert.same({ valid = false, errors = { email = { "Value is required" } } }, accounts:validate {})
    assert.same({ valid = true }, accounts:validate { id = 1, low = 1 })
    assert.equal("update", asked.hook)
    assert.same({ valid = false, errors = { low = { "must not be above high" }, high = { "must not be below low" } } },
      accounts:validate { id = 1, low = 5, high = 1 })
    local account = accounts:insert { email = "a@x.org" }
    assert.same({ valid = true }, Account:validate(account))
    account.email = "nobody"
    assert.is_false(accounts:validate(account).valid)
    assert.equal("UNDEFINED_COLUMN", error_of(accounts.validate, accounts, { emial = "a" }).code)
    assert.equal("NIL_VALUE", error_of(accounts.validate, accounts).code)
    assert.equal(1, count())
  end)

  describe("a validator that", function()
    local answer
    local Odd = model "ValidOdd" {
      id = column.increment(), name = column.string { validate = function() return answer() end },
      password = column.hashed { validate = validators.minLength(4) },
    }
    local odds = Odd:using(ds)

    setup(function()
      ds:dropTables({ Odd }, { ifExists = true })
      ds:createTables { Odd }
    end)

    local function insert_with(fn)
      answer = fn
      return error_of(odds.insert, odds, { name = "x" })
    end

    it("raises says that the value is not valid, and keeps the cause", function()
      local err = insert_with(function() error("a bug in the validator", 0) end)

      assert.same({ name = { "Validation error" } }, err.errors)
      assert.equal("a bug in the validator", err.cause)
      assert.is_nil(err.message:find("bug", 1, true))
    end)

    it("cannot go on stops the write with its own error", function()
      local err = insert_with(function() return ds:rawQuery("SELECT nonsense FROM nowhere") end)

      assert.equal("UNDEFINED_TABLE", err.code)
    end)

    it("answers in any of the forms is understood", function()
      local forms = {
        ["Validation error"] = { function() return false end, function() return { valid = false } end },
        ["is odd"] = {
          function() return false, "is odd" end, function() return "is odd" end,
          function() return { valid = false, message = "is odd" } end,
        },
      }
      for message, list in pairs(forms) do
        for _, fn in ipairs(list) do
          assert.same({ name = { message } }, insert_with(fn).errors)
        end
      end
      for _, fn in ipairs { function() end, function() return true end, function() return { valid = true } end } do
        answer = fn
        odds:insert { name = "x" }
      end
      assert.equal("INVALID_ARGUMENT", insert_with(function() return { vaild = false } end).code)
      assert.equal("INVALID_ARGUMENT", insert_with(function() return 1 end).code)
    end)

    it("looks at a secret sees the text, not the hash", function()
      answer = function() end
      assert.equal("VALIDATION_ERROR", error_of(odds.insert, odds, { password = "abc" }).code)
      local row = odds:insert { password = "abcd" }
      row.name = "y"
      row:save()
      assert.is_true(odds:validate(row).valid)
      row.password = "abc"
      assert.is_false(odds:validate(row).valid)
      assert.equal("VALIDATION_ERROR", error_of(row.save, row).code)
    end)
  end)
end)
