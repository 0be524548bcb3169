-- Hashed and encrypted columns: what is stored, what comes back, what they refuse, and that
-- neither a key nor a plaintext is ever shown.
local hysteria = require("hysteria")
local core = require("hysteria.core")
local databases = require("tests.support.lua.databases")

local async, column, model, sql = hysteria.async, hysteria.column, hysteria.model, hysteria.sql
local error_of = databases.error_of

local function bytes(hex)
  return (hex:gsub("%s", ""):gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

-- Base64 by the book, in either alphabet, without padding.
local function base64(data, alphabet)
  local out = {}
  for at = 1, #data, 3 do
    local a, b, c = data:byte(at, at + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for shift = 18, c and 0 or b and 6 or 12, -6 do
      local digit = (bits >> shift & 63) + 1
      out[#out + 1] = alphabet:sub(digit, digit)
    end
  end
  return table.concat(out)
end

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
local PLAIN, URL = LETTERS .. "+/", LETTERS .. "-_"

describe("the primitives", function()
  -- draft-irtf-cfrg-xchacha, A.3.1
  local KEY = bytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")
  local NONCE = bytes("404142434445464748494a4b4c4d4e4f5051525354555657")
  local CONTEXT = bytes("50515253c0c1c2c3c4c5c6c7")
  local TEXT = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    .. "sunscreen would be it."
  local SEALED = bytes [[
    bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39
    ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
    21f9664c97637da9768812f615c68b13b52e c0875924c1c7987947deafd8780acf49]]

  it("are XChaCha20-Poly1305: the vector of its description decrypts", function()
    local key = core.key("symmetric", KEY)
    local stored = ("hye1.%s.%s"):format(key:id(), base64(NONCE .. SEALED, URL))

    assert.equal(TEXT, core.decrypt({ key }, stored, CONTEXT))
  end)

  it("are Argon2id: the reference implementation's hash is verified", function()
    local hash = bytes("09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7")
    local stored = ("$argon2id$v=19$m=65536,t=2,p=1$%s$%s"):format(base64("somesalt", PLAIN), base64(hash, PLAIN))

    assert.is_true(core.passwordVerify(stored, "password"))
    assert.is_false(core.passwordVerify(stored, "Password"))
  end)

  it("take a key in every form, and nothing that was typed", function()
    local hex = KEY:gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)
    local id = core.key("symmetric", KEY):id()

    for _, form in ipairs { hex, hex:upper(), base64(KEY, PLAIN), base64(KEY, PLAIN) .. "=", base64(KEY, URL) } do
      assert.equal(id, core.key("symmetric", form):id())
    end
    for _, wrong in ipairs {
      "", "short", ("k"):rep(32), "correct horse battery staple 123", KEY:sub(2), KEY .. "\0", hex:sub(2) .. "g",
      base64(KEY:sub(2), PLAIN), ("*"):rep(43), base64(KEY, PLAIN) .. "==", ("ab"):rep(15),
    } do
      assert.is_nil(core.key("symmetric", wrong))
    end
  end)

  it("never show a key", function()
    local key = core.key("symmetric", KEY)

    assert.equal("symmetric key " .. key:id(), tostring(key))
    assert.equal(8, #key:id())
  end)

  it("seal for a public key and open with the private one alone", function()
    local pair = hysteria.generateKeyPair()
    local public, private = core.key("public", pair.publicKey), core.key("private", pair.privateKey)
    local stored = core.encrypt(public, "x", "a.b")

    assert.equal(public:id(), private:id())
    assert.equal("x", core.decrypt({ private }, stored, "a.b"))
    assert.equal("x", core.decrypt({ public, private }, stored, "a.b"))
    assert.is_nil(core.decrypt({ public }, stored, "a.b"))
    assert.not_equal(pair.publicKey, hysteria.generateKeyPair().publicKey)
  end)
end)

local FIRST, SECOND = hysteria.generateKey(), hysteria.generateKey()
local PAIR, OTHER_PAIR = hysteria.generateKeyPair(), hysteria.generateKeyPair()

local User = model "SecretUser" {
  hysteria.softDelete(),
  id = column.increment(),
  email = column.string { length = 190 },
  password = column.hashed { hidden = true },
  pin = column.hashed(),
}

-- Which database it is for makes no difference here.
describe("a password in a task", function()
  local ds, users

  setup(function()
    ds = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    users = User:using(ds)
    ds:createTables { User }
  end)

  teardown(function()
    ds:close()
  end)

  it("lets other tasks go on while it is hashed and verified", function()
    local order = {}
    local function beside(work)
      async.all {
        function()
          local answer = work()
          order[#order + 1] = answer
        end,
        function() order[#order + 1] = "beside" end, -- begins when the other waits for the first time
      }
    end
    async.run(function()
      local hash, user
      beside(function() hash = core.passwordHash("open") return hash:match("^%$%w+") end)
      ds:transaction(function() user = users:insert { password = "sesame", pin = "1234" } end)
      beside(function() return user:verify("pin", "1234") end)
      beside(function() return user:verify("pin", "4321") end)
      assert.is_true(core.passwordVerify(hash, "open"))
      assert.is_true(user:refresh():verify("password", "sesame"))
    end)
    assert.same({ "beside", "$argon2id", "beside", true, "beside", false }, order)
  end)

  it("is hashed for several tasks at once, for each its own", function()
    async.run(function()
      local inserts = {}
      for index = 1, 6 do
        local text = "text " .. index
        inserts[index] = function() return users:insert { email = text, pin = text } end
      end
      local rows = async.all(inserts)
      for index, row in ipairs(rows) do
        assert.is_true(row:verify("pin", row.email))
        assert.is_false(row:verify("pin", rows[index % 6 + 1].email))
      end
    end)
  end)

  it("that nobody waits for any more is forgotten", function()
    local function hash() while true do core.passwordHash("open sesame") end end -- never done, however late one is
    async.run(function()
      for _ = 1, 6 do -- some are being hashed, the others wait
        local task = async.spawn(hash)
        async.sleep(0)
        task:cancel()
        assert.equal("QUERY_CANCELED", error_of(task.await, task).code)
      end
    end)
    assert.equal("boom", error_of(async.run, function()
      async.all { hash, function() error("boom", 0) end }
    end))
    collectgarbage()
  end)

  it("fails as elsewhere", function()
    async.run(function()
      local user = users:insert { pin = "1" }
      ds:rawQuery("UPDATE secret_users SET pin = ? WHERE id = ?", { "$argon2id$v=19$no hash", user.id })
      assert.equal("DATA_INVALID", error_of(function() user:refresh():verify("pin", "1") end).code)
    end)
  end)
end)

databases.each(function(ds)
  local users = User:using(ds)

  local function stored(name, id)
    return ds:rawQuery(("SELECT %s AS v FROM secret_users WHERE id = ?"):format(name), { id })[1].v
  end

  setup(function()
    ds:dropTables({ User }, { ifExists = true })
    ds:createTables { User }
  end)

  before_each(function()
    ds:rawQuery("DELETE FROM secret_users")
  end)

  describe("a hashed column", function()
    it("stores an Argon2id hash, a new one for each row", function()
      local rows = users:insertMany { { password = "same" }, { password = "same" } }

      local first, second = stored("password", rows[1].id), stored("password", rows[2].id)
      assert.matches("^%$argon2id%$v=19%$m=65536,t=2,p=1%$", first)
      assert.not_equal(first, second)
      assert.is_true(core.passwordVerify(first, "same"))
    end)

    it("is verified with the hash that was read, and reads it where it was not", function()
      local user = users:insert { email = "a@x", password = "open sesame", pin = "1234" }
      local again = users:findOneBy("email", "a@x")
      local seen = databases.watch(ds)

      assert.is_nil(again.password)
      assert.is_true(again:verify("pin", "1234"))
      assert.equal(0, #seen.stop())
      assert.is_true(again:verify("password", "open sesame"))
      assert.is_false(again:verify("password", "open sesame "))
      assert.is_false(again:verify("password", ""))
      assert.is_nil(again.password)
      assert.is_true(user:verify("password", "open sesame"))
    end)

    it("is verified by what the row holds, not by what the record was given", function()
      local user = users:insert { pin = "old" }
      user.pin = "new"

      assert.is_true(user:verify("pin", "old"))
      assert.is_false(user:verify("pin", "new"))
      assert.is_false(user:verify("pin", user.pin))
    end)

    it("is not hashed twice", function()
      users:insert { email = "a@x", password = "p", pin = "1" }
      local user = users:query():select("*", "password"):one()
      local password, pin = user.password, user.pin

      user.email = "b@x"
      user:save()
      users:save(user)
      assert.equal(password, stored("password", user.id))
      assert.equal(pin, stored("pin", user.id))
      assert.equal("b@x", stored("email", user.id))
    end)

    it("hashes a text that is assigned, on every way to write it", function()
      local user = users:insert { email = "a@x", pin = "0" }
      local writes = {
        function(text) user.pin = text; user:save() end,
        function(text) user:update { pin = text } end,
        function(text) user:mergeProps({ pin = text }):save() end,
        function(text) users:query():where("id", user.id):update { pin = text } end,
        function(text) users:updateRecord(user.id, { pin = text }) end,
        function(text) users:save { id = user.id, pin = text } end,
        function(text) users:update({ pin = text }, { where = { id = user.id } }) end,
        function(text) users:upsert({ id = user.id }, { pin = text }) end,
        function(text) users:upsertMany({ "id" }, { { id = user.id, pin = text } }) end,
        function(text) users:updateMany { { id = user.id, pin = text } } end,
      }
      for index, write in ipairs(writes) do
        write("text " .. index)
        assert.is_true(core.passwordVerify(stored("pin", user.id), "text " .. index), index)
      end
      assert.is_true(user:refresh():verify("pin", "text " .. #writes))
    end)

    it("leaves the hash in the record in place of the text", function()
      local user = users:insert { password = "a" }
      user.password = "b"
      user:save()

      assert.equal(stored("password", user.id), user.password)
      local hash = user.password
      user:save()
      assert.equal(hash, stored("password", user.id))
      assert.is_true(user:verify("password", "b"))
      assert.is_nil(user:toTable().password)
      assert.is_nil(tostring(user):find(hash, 1, true))
    end)

    it("is written by tracked records when it changed", function()
      users:insert { email = "a@x", pin = "1" }
      local user = users:query():one({ track = true })
      local hash = user.pin

      user.email = "b@x"
      user:save()
      assert.equal(hash, stored("pin", user.id))
      user.pin = "2"
      user:save()
      assert.is_true(core.passwordVerify(stored("pin", user.id), "2"))
    end)

    it("takes a text that looks like a hash as a text", function()
      local user = users:insert { pin = "1" }
      local other = users:insert { pin = user.pin }

      assert.not_equal(user.pin, other.pin)
      assert.is_false(other:verify("pin", "1"))
      assert.is_true(other:verify("pin", user.pin))
    end)

    it("leaves NULL and empty text alone, and they match nothing", function()
      local user = users:insert { password = sql.null, pin = "" }

      assert.is_nil(stored("password", user.id))
      assert.equal("", stored("pin", user.id))
      for _, text in ipairs { "", "x" } do
        assert.is_false(user:verify("password", text))
        assert.is_false(user:verify("pin", text))
      end
      assert.is_false(user:needsRehash("password"))
      user.pin = "1"
      user:save()
      user.pin = sql.null
      user:save()
      assert.is_nil(user.pin)
      assert.equal(1, users:query():whereNull("pin"):count())
    end)

    it("says when its limits have been raised", function()
      local Stronger = model "SecretStronger" {
        hysteria.tableName("secret_users"),
        id = column.increment(), pin = column.hashed { strength = "moderate" },
      }
      local user = users:insert { pin = "1" }
      local same = Stronger:using(ds):findOneByPrimaryKey(user.id)

      assert.is_false(user:needsRehash("pin"))
      assert.is_true(same:verify("pin", "1"))
      assert.is_true(same:needsRehash("pin"))
      same:update { pin = "1" }
      assert.is_false(same:needsRehash("pin"))
      assert.is_true(same:verify("pin", "1"))
    end)

    it("says so when what is stored is no hash", function()
      local user = users:insert { email = "a@x" }
      for _, wrong in ipairs { "plaintext", "$argon2id$v=19$m=65536,t=2,p=1$broken", ("$argon2"):rep(17) } do
        ds:rawQuery("UPDATE secret_users SET pin = ? WHERE id = ?", { wrong, user.id })
        user:refresh()
        local err = error_of(user.verify, user, "pin", wrong)
        assert.equal("DATA_INVALID", err.code)
        assert.matches("secret_users.pin", err.message, 1, true)
        assert.is_nil(err.message:find("plaintext", 1, true))
      end
    end)

    it("refuses calls that mean nothing", function()
      local user = users:insert { pin = "1" }

      assert.equal("NIL_VALUE", error_of(user.verify, user, "pin").code)
      assert.equal("NIL_VALUE", error_of(user.verify, user, nil, "x").code)
      assert.equal("INVALID_ARGUMENT", error_of(user.verify, user, "email", "x").code)
      assert.equal("INVALID_ARGUMENT", error_of(user.verify, user, "pin", 1234).code)
      assert.equal("UNKNOWN_OPTION", error_of(user.verify, user, "pin", "1", { trnsaction = 1 }).code)
      assert.equal("DATA_INVALID", error_of(users.insert, users, { pin = 1234 }).code)
      assert.equal("MODEL_HAS_NO_PRIMARY_KEY_VALUE", error_of(function()
        users:query():select("email"):one():verify("password", "1")
      end).code)
      user:delete()
      assert.equal("ROW_NOT_FOUND", error_of(user.verify, user, "password", "x").code)
    end)
  end)

  describe("an encrypted column", function()
    local Card = model "SecretCard" {
      id = column.increment(),
      number = column.encrypted { key = FIRST },
      note = column.encrypted { keys = { FIRST }, hidden = true },
      sealed = column.encrypted(PAIR),
      inbox = column.encrypted { publicKey = PAIR.publicKey },
      list = column.encrypted { key = FIRST, prepare = hysteria.json.encode, serialize = hysteria.json.decode },
    }
    local cards = Card:using(ds)

    local function raw(name, id)
      return ds:rawQuery(("SELECT %s AS v FROM secret_cards WHERE id = ?"):format(name), { id })[1].v
    end

    local function put(name, text, id)
      ds:rawQuery(("UPDATE secret_cards SET %s = ? WHERE id = ?"):format(name), { text, id })
    end

    setup(function()
      ds:dropTables({ Card }, { ifExists = true })
      ds:createTables { Card }
    end)

    before_each(function()
      ds:rawQuery("DELETE FROM secret_cards")
    end)

    it("gives back what was written, whatever its bytes", function()
      local all = {}
      for byte = 0, 255 do
        all[#all + 1] = string.char(byte)
      end
      for _, text in ipairs { "4111 1111", "x", "Zoë", table.concat(all), ("\0"):rep(3), ("long "):rep(20000) } do
        local card = cards:insert { number = text, sealed = text }
        local again = cards:findOneByPrimaryKey(card.id)

        assert.equal(text, card.number)
        assert.equal(text, again.number)
        assert.equal(text, again.sealed)
        assert.same({ text }, cards:query():where("id", card.id):pluck("number"))
        assert.is_nil(raw("number", card.id):find(text, 1, true) and #text > 3 or nil)
      end
    end)

    it("stores a text of the documented form and length, never the same twice", function()
      for _, size in ipairs { 1, 2, 3, 4, 31, 32, 33, 1000 } do
        local text = ("n"):rep(size)
        local first = cards:insert { number = text, sealed = text }
        local second = cards:insert { number = text, sealed = text }
        local function digits(n)
          return (n * 4 + 2) // 3
        end

        assert.matches("^hye1%.%x%x%x%x%x%x%x%x%.[%w_-]+$", raw("number", first.id))
        assert.equal(14 + digits(40 + size), #raw("number", first.id))
        assert.equal(14 + digits(64 + size), #raw("sealed", first.id))
        assert.not_equal(raw("number", first.id), raw("number", second.id))
        assert.not_equal(raw("sealed", first.id), raw("sealed", second.id))
      end
    end)

    it("is written by every way to write", function()
      local card = cards:insert { number = "0" }
      local writes = {
        function(text) card.number = text; card:save() end,
        function(text) card:update { number = text } end,
        function(text) cards:query():where("id", card.id):update { number = text } end,
        function(text) cards:updateRecord(card.id, { number = text }) end,
        function(text) cards:save { id = card.id, number = text } end,
        function(text) cards:upsert({ id = card.id }, { number = text }) end,
        function(text) cards:upsertMany({ "id" }, { { id = card.id, number = text } }) end,
        function(text)
          local other = cards:insert { number = "other" }
          cards:updateMany { { id = other.id, number = "another" }, { id = card.id, number = text } }
          assert.equal("another", other:refresh().number)
        end,
        function(text) card = cards:insertMany({ { number = "other" }, { number = text } })[2] end,
        function(text) card = cards:firstOrInsert({ id = card.id + 1 }, { number = text }) end,
      }
      for index, write in ipairs(writes) do
        write("text " .. index)
        assert.equal("text " .. index, cards:findOneByPrimaryKey(card.id).number)
        assert.matches("^hye1%.", raw("number", card.id))
      end
    end)

    it("leaves NULL and empty text alone", function()
      local card = cards:insert { number = "", sealed = sql.null }

      assert.equal("", raw("number", card.id))
      assert.equal("", card.number)
      assert.is_nil(card.sealed)
      assert.equal(1, cards:query():whereNull("sealed"):count())
      assert.equal(0, cards:query():whereNotNull("sealed"):getCount())
      assert.equal(1, cards:query():getCount("number"))
    end)

    local function in_transaction(fn)
      return function()
        ds:transaction(fn) -- one commit for many statements
      end
    end

    it("notices every byte that changes", in_transaction(function()
      local card = cards:insert { number = "4111", sealed = "4111" }
      for name, code in pairs {
        number = "FAILED_TO_DECRYPT_SYMMETRICALLY", sealed = "FAILED_TO_DECRYPT_ASYMMETRICALLY",
      } do
        local good = raw(name, card.id)
        for at = 1, #good do
          local byte = good:sub(at, at)
          local other = byte == "A" and "B" or "A"
          put(name, good:sub(1, at - 1) .. other .. good:sub(at + 1), card.id)
          local err = error_of(function() cards:query():select(name):many() end)
          assert.matches("^FAILED_TO_DECRYPT_", err.code)
          if at > 5 then
            assert.equal(code, err.code)
          end
          assert.matches("secret_cards." .. name, err.message, 1, true)
        end
        for _, wrong in ipairs { good:sub(1, -2), good .. "A", good:sub(1, 14), "hye1.", "4111", good:sub(1, -9) } do
          put(name, wrong, card.id)
          assert.equal(code, error_of(function() cards:query():select(name):many() end).code)
        end
        put(name, good, card.id)
        assert.equal("4111", cards:findOneByPrimaryKey(card.id)[name])
      end
    end))

    it("does not decrypt another column's value", function()
      local card = cards:insert { number = "secret", sealed = "secret" }
      put("list", raw("number", card.id), card.id)
      put("inbox", raw("sealed", card.id), card.id)
      local Reader = model "SecretReader" {
        hysteria.tableName("secret_cards"), id = column.increment(), inbox = column.encrypted(PAIR),
      }

      assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", error_of(function()
        cards:query():select("list"):one()
      end).code)
      assert.equal("FAILED_TO_DECRYPT_ASYMMETRICALLY", error_of(function()
        Reader:using(ds):query():one()
      end).code)
    end)

    it("keeps its context under another name", function()
      local card = cards:insert { number = "secret" }
      local function renamed(context)
        return model "SecretRenamed" {
          hysteria.tableName("secret_cards"), id = column.increment(),
          value = column.encrypted { key = FIRST, databaseName = "note", context = context },
        }
      end
      put("note", raw("number", card.id), card.id)

      assert.equal("secret", renamed("secret_cards.number"):using(ds):query():one().value)
      assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", error_of(function()
        renamed():using(ds):query():one()
      end).code)
    end)

    it("reads with every key and writes with the first", function()
      local made = 0
      local function with(...)
        made = made + 1 -- a name of its own: the same one would replace the model
        return model("SecretRotated" .. made) {
          hysteria.tableName("secret_cards"), id = column.increment(), number = column.encrypted { keys = { ... } },
        }:using(ds)
      end
      local old = with(FIRST):insert { number = "old" }
      local rotated = with(SECOND, FIRST)
      local new = rotated:insert { number = "new" }

      assert.same({ "old", "new" }, rotated:query():orderBy("id"):pluck("number"))
      assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", error_of(function() with(SECOND):query():many() end).code)
      assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", error_of(function() with(FIRST):query():many() end).code)
      for _, row in ipairs(rotated:query():many()) do
        row:save()
      end
      assert.same({ "old", "new" }, with(SECOND):query():orderBy("id"):pluck("number"))
      assert.equal(raw("number", old.id):sub(1, 14), raw("number", new.id):sub(1, 14))
      local both = with(PAIR, SECOND)
      both:insert { number = "sealed" }
      assert.same({ "old", "new", "sealed" }, both:query():orderBy("id"):pluck("number"))
    end)

    it("only writes where the private key is not known", function()
      local card = cards:insert { inbox = "for the owner" }
      local Owner = model "SecretOwner" {
        hysteria.tableName("secret_cards"), id = column.increment(), inbox = column.encrypted(PAIR),
        number = column.encrypted { key = FIRST },
      }
      local again = cards:findOneByPrimaryKey(card.id)

      assert.equal(raw("inbox", card.id), again.inbox)
      again.number = "1"
      again:save()
      assert.equal("for the owner", Owner:using(ds):findOneByPrimaryKey(card.id).inbox)
      again.inbox = "another"
      again:save()
      assert.equal("another", Owner:using(ds):findOneByPrimaryKey(card.id).inbox)
      assert.equal(raw("inbox", card.id), again.inbox)
      local Stranger = model "SecretStranger" {
        hysteria.tableName("secret_cards"), id = column.increment(), inbox = column.encrypted(OTHER_PAIR),
      }
      assert.equal("FAILED_TO_DECRYPT_ASYMMETRICALLY", error_of(function() Stranger:using(ds):query():one() end).code)
    end)

    it("stands between the column's own functions", function()
      local card = cards:insert { list = { 1, 2, 3 } }

      assert.matches("^hye1%.", raw("list", card.id))
      assert.same({ 1, 2, 3 }, { table.unpack(cards:findOneByPrimaryKey(card.id).list) })
    end)

    it("takes text only", function()
      for _, wrong in ipairs { 4111, true, 1.5 } do
        local err = error_of(cards.insert, cards, { number = wrong })
        assert.equal("DATA_INVALID", err.code)
        assert.is_nil(err.message:find("4111", 1, true))
      end
      assert.equal("DATA_INVALID", error_of(cards.insert, cards, { number = sql.decimal("41.5") }).code)
    end)

    it("is no key of a relation", function()
      local Stack = model "SecretStack" {
        id = column.increment(), note = column.string { length = 40 },
        pin = column.encrypted { key = hysteria.generateKey() },
        byPin = hysteria.hasMany("SecretStack", { foreignKey = "note", localKey = "pin" }),
        ofPin = hysteria.belongsTo("SecretStack", { foreignKey = "pin", targetKey = "note", constraint = false }),
      }
      ds:dropTables({ Stack }, { ifExists = true })
      ds:createTables { Stack }
      local stacks = Stack:using(ds)
      local stack, seen = stacks:insert { note = "n", pin = "4111" }, databases.watch(ds)
      for _, name in ipairs { "byPin", "ofPin" } do
        assert.equal("NOT_SEARCHABLE", error_of(function() stacks:query():load(name):many() end).code)
        assert.equal("NOT_SEARCHABLE", error_of(function() stack:load(name) end).code)
      end
      for _, event in ipairs(seen.stop()) do
        for _, value in ipairs(event.params) do
          assert.not_equal("4111", value)
        end
      end
      ds:dropTables { Stack }
    end)

    it("cannot be searched or sorted by, and says so", function()
      local q = function()
        return cards:query()
      end
      local attempts = {
        function() q():where("number", "4111") end,
        function() q():where("number", ">", "4111") end,
        function() q():where { number = "4111" } end,
        function() q():where { number = sql.op.like("4%") } end,
        function() q():where("secret_cards.number", "4111") end,
        function() q():whereIn("number", { "4111", "4112" }) end,
        function() q():whereIn("number", { "4111", sql.null }) end,
        function() q():whereIn("number", q():select("id")) end,
        function() q():whereBetween("number", "1", "2") end,
        function() q():whereLike("number", "4%") end,
        function() q():whereILike("number", "4%") end,
        function() q():whereColumn("number", "note") end,
        function() q():whereNot("number", "4111") end,
        function() q():orderBy("number") end,
        function() q():groupBy("number") end,
        function() q():having("number", "4111") end,
        function() q():selectFunc("upper", "number", "loud") end,
        function() q():getMax("number") end,
        function() q():where(sql.func("lower", sql.col("number")), "4111") end,
        function() cards:findOneBy("number", "4111") end,
        function() cards:find { orderBy = "number" } end,
        function() cards:firstOrInsert({ number = "4111" }, {}) end,
        function() q():where("id", 1):increment("number") end,
      }
      for index, attempt in ipairs(attempts) do
        local err = error_of(attempt)
        assert.equal("NOT_SEARCHABLE", err.code, index)
        assert.equal("usage", err.kind)
        assert.matches("number", err.message, 1, true)
        assert.is_nil(err.message:find("4111", 1, true))
      end
      assert.equal("NOT_SEARCHABLE", error_of(function() users:query():where("password", "x") end).code)
    end)
  end)

  describe("no message, observer or log", function()
    local PLAINTEXT, PASSWORD = "canary-plaintext-7261", "canary-password-9437"
    local KEY = bytes("f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1eff")
    local Vault = model "SecretVault" {
      id = column.increment(), number = column.encrypted { key = KEY }, password = column.hashed(),
      email = column.string { unique = true },
    }
    local vaults = Vault:using(ds)

    local function dump(value, seen)
      seen = seen or {}
      if type(value) ~= "table" or seen[value] then
        return tostring(value)
      end
      seen[value] = true
      local parts = {}
      for key, entry in pairs(value) do
        parts[#parts + 1] = dump(key, seen) .. "=" .. dump(entry, seen)
      end
      return table.concat(parts, "\n")
    end

    it("holds a key, a plaintext or a ciphertext", function()
      ds:dropTables({ Vault }, { ifExists = true })
      ds:createTables { Vault }
      local heard, errors = {}, {}
      local listening = true
      local function hear(event)
        if listening and not event.raw then
          heard[#heard + 1] = dump(event)
        end
      end
      ds:addObserver { onBeforeQuery = hear, onAfterQuery = hear, onQueryError = hear }
      local function attempt(fn, ...)
        errors[#errors + 1] = dump(error_of(fn, ...)) .. tostring(error_of(fn, ...))
      end

      local card = vaults:insert { number = PLAINTEXT, password = PASSWORD, email = "a" }
      local row = ds:rawQuery("SELECT number, password FROM secret_vaults")[1]
      attempt(vaults.insert, vaults, { number = PLAINTEXT, password = PASSWORD, email = "a" })
      attempt(vaults.insertMany, vaults, { { number = PLAINTEXT }, { number = PLAINTEXT, email = "a" } })
      attempt(card.update, card, { number = PLAINTEXT, id = 1, nope = PLAINTEXT })
      attempt(vaults.update, vaults, { number = PLAINTEXT, password = PASSWORD })
      attempt(function() vaults:query():where("number", PLAINTEXT):many() end)
      attempt(function() vaults:query():where("password", PASSWORD):many() end)
      card.password = PASSWORD
      card:save()
      card:verify("password", PASSWORD)
      ds:rawQuery("UPDATE secret_vaults SET number = ?", { PLAINTEXT })
      attempt(function() vaults:query():many() end)
      listening = false

      assert.is_true(#heard >= 8)
      assert.is_true(#errors == 7)
      local shown = table.concat(heard, "\n") .. table.concat(errors, "\n") .. tostring(card)
      for name, secret in pairs {
        plaintext = PLAINTEXT, password = PASSWORD, key = KEY, hexadecimal = "f0e1d2c3", base64 = base64(KEY, PLAIN),
        url = base64(KEY, URL), ciphertext = row.number:sub(15), hash = row.password:sub(-30),
      } do
        assert.is_nil(shown:find(secret, 1, true), name)
      end
    end)
  end)
end)

describe("a secret column's definition", function()
  local function refused(fn, ...)
    local err = error_of(fn, ...)
    assert.is_true(err.code == "INVALID_MODEL" or err.code == "UNKNOWN_OPTION" or err.code == "NIL_VALUE"
      or err.code == "INVALID_ARGUMENT", tostring(err))
    return err
  end

  it("refuses what is no key, without repeating it", function()
    for _, wrong in ipairs { "hunter2 hunter2", ("k"):rep(32), 42, true, "" } do
      local err = refused(column.encrypted, { key = wrong })
      assert.is_nil(err.message:find("hunter2", 1, true))
      refused(column.encrypted, { keys = { FIRST, wrong } })
      refused(column.encrypted, { publicKey = wrong })
      refused(column.encrypted, { publicKey = PAIR.publicKey, privateKey = wrong })
    end
    refused(column.encrypted)
    refused(column.encrypted, {})
    refused(column.encrypted, { keys = {} })
    refused(column.encrypted, { key = FIRST, keys = { SECOND } })
    refused(column.encrypted, { key = FIRST, publicKey = PAIR.publicKey })
    refused(column.encrypted, { kye = FIRST })
    refused(column.encrypted, { publicKey = PAIR.publicKey, serialize = hysteria.json.decode })
  end)

  it("refuses what could not work", function()
    refused(column.hashed, { unique = true })
    refused(column.hashed, { primaryKey = true })
    refused(column.hashed, { default = "changeme" })
    refused(column.hashed, { strength = "strong" })
    refused(column.encrypted, { key = FIRST, default = "x" })
    local function with(note)
      return function()
        model "SecretWrong" { note, id = column.increment(), a = column.encrypted { key = FIRST } }
      end
    end
    refused(with(hysteria.index { "a" }))
    refused(with(hysteria.unique { "id", "a" }))
    refused(function()
      model "SecretWrong" { hysteria.primaryKey { "a" }, a = column.hashed() }
    end)
    assert.equal("RESERVED_NAME", error_of(function()
      model "SecretWrong" { id = column.increment(), verify = column.hashed() }
    end).code)
  end)

  it("asks a function for the key once, when it is needed", function()
    local ds <close> = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    local calls, answer = 0, FIRST
    local Late = model "SecretLate" {
      id = column.increment(),
      a = column.encrypted { key = function()
        calls = calls + 1
        return answer
      end },
    }
    ds:createTables { Late }
    assert.equal(0, calls)
    local row = Late:using(ds):insert { a = "x" }
    assert.equal("x", Late:using(ds):findOneByPrimaryKey(row.id).a)
    assert.equal(1, calls)

    local Broken = model "SecretLate2" {
      hysteria.tableName("secret_lates"), id = column.increment(),
      a = column.encrypted { key = function() return answer end },
    }
    answer = "hunter2"
    local err = error_of(Broken.insert, Broken:using(ds), { a = "x" })
    assert.equal("FAILED_TO_ENCRYPT_SYMMETRICALLY", err.code)
    assert.matches("secret_lates.a: the function for the key gave no key", err.message, 1, true)
    assert.is_nil(err.message:find("hunter2", 1, true))
    answer = nil
    assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", error_of(function() Broken:using(ds):query():one() end).code)
    answer = SECOND
    Broken:using(ds):insert { a = "y" }
  end)

  it("derives a key from a passphrase only when told to", function()
    local ds <close> = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    local function with(passphrase, salt)
      return model "SecretDerived" {
        id = column.increment(), a = column.encrypted { key = { passphrase = passphrase, salt = salt } },
      }:using(ds)
    end
    local first = with("correct horse", "battery staple")
    ds:createTables { first }
    first:insert { a = "x" }

    assert.equal("x", with("correct horse", "battery staple"):query():one().a)
    for _, wrong in ipairs { { "correct horsf", "battery staple" }, { "correct horse", "battery stable" } } do
      assert.equal("FAILED_TO_DECRYPT_SYMMETRICALLY", error_of(function()
        with(wrong[1], wrong[2]):query():one()
      end).code)
    end
    refused(with, "correct horse")
    refused(with, nil, "battery staple")
    refused(with, "correct horse", "short")
  end)

  it("notices a pair that does not belong together", function()
    local ds <close> = sql.connectToSecondarySource { type = "sqlite", database = ":memory:" }
    local Odd = model "SecretOdd" {
      id = column.increment(),
      a = column.encrypted { publicKey = PAIR.publicKey, privateKey = OTHER_PAIR.privateKey },
    }
    ds:createTables { Odd }

    local err = error_of(Odd.insert, Odd:using(ds), { a = "x" })
    assert.equal("FAILED_TO_ENCRYPT_ASYMMETRICALLY", err.code)
    assert.matches("does not belong", err.message, 1, true)
  end)
end)
