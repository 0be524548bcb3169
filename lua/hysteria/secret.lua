-- What hashed and encrypted columns do with a value: hide(value, context) makes what is stored,
-- show(stored, context) gives it back; a hashed column cannot. The context is "table.column".
-- Keys live in userdata of the core; no text of a key is kept here longer than it is read.
local core = require("hysteria.core")
local options = require("hysteria.options")

local secret = {}

local function fail(what, text, ...)
  core.raise("INVALID_MODEL", what .. ": " .. text:format(...))
end

-- NULL never comes here; empty text stays what it is.
local function need_text(value, context, kind)
  if type(value) ~= "string" then
    core.raise("DATA_INVALID", ("%s: %s column takes text, not %s"):format(context, kind, options.kind(value)))
  end
  return value
end

-- ---- hashed -----------------------------------------------------------------------------------

local STRENGTHS = { interactive = true, moderate = true, sensitive = true }

function secret.hashed(strength, what)
  strength = strength or "interactive"
  if not STRENGTHS[strength] then
    fail(what, "strength must be \"interactive\", \"moderate\" or \"sensitive\"")
  end
  return {
    strength = strength,
    keeps = true, -- a record holds what is stored
    hide = function(value, context)
      if need_text(value, context, "a hashed") == "" then
        return value
      end
      return core.passwordHash(value, strength)
    end,
  }
end

local function answer(result, context)
  if result == nil then
    core.raise("DATA_INVALID", context .. ": the stored value is no Argon2 hash; was it written by other means?")
  end
  return result
end

-- Is `text` what was hashed? NULL and empty text match nothing.
function secret.verify(stored, text, context)
  if stored == nil or stored == "" then
    return false
  end
  return answer(core.passwordVerify(stored, text), context)
end

-- Was it hashed with other limits than the column's? Where nothing is stored, nothing is to do.
function secret.needs_rehash(stored, strength, context)
  if stored == nil or stored == "" then
    return false
  end
  return answer(core.passwordNeedsRehash(stored, strength), context)
end

-- ---- keys -------------------------------------------------------------------------------------

local NO_KEY = "no key: 32 bytes are expected, raw, as 64 hexadecimal digits or as base64"
  .. " (hysteria.generateKey() makes one; text that somebody typed is { passphrase =, salt = })"

-- A function that gives the core's key, or nil and why not: made now from text, at the first use
-- from a function.
local function loader(given, kind, name, what)
  if type(given) == "function" then
    local key
    return function()
      local text = key == nil and given() or nil
      key = key or (type(text) == "string" and core.key(kind, text)) or nil
      return key, "the function for " .. name .. " gave " .. NO_KEY
    end
  end
  local key = type(given) == "string" and core.key(kind, given) or fail(what, "%s is %s", name, NO_KEY)
  return function()
    return key
  end
end

local DERIVED = options.names("passphrase", "salt")
local SALT_SIZE = 8

local function derived(given, name, what)
  options.check(given, DERIVED, what .. ": " .. name)
  local passphrase, salt = given.passphrase, given.salt
  options.need_name(passphrase, "passphrase", what)
  options.need_name(salt, "salt", what)
  if #salt < SALT_SIZE then
    fail(what, "the salt must have at least %d characters", SALT_SIZE)
  end
  local key
  return function()
    if not key then
      key = core.derivedKey(passphrase, salt)
      passphrase = nil
    end
    return key
  end
end

-- The private key knows its public one; giving both is a chance to notice that they differ.
local function matching(load_private, load_public)
  return function()
    local private, why = load_private()
    local public, why_public = load_public()
    if not private or not public then
      return nil, private and why_public or why
    elseif private:id() ~= public:id() then
      return nil, "the publicKey does not belong to the privateKey"
    end
    return private
  end
end

local PAIR = options.names("publicKey", "privateKey")

-- A pair seals with its public key and opens with its private one, where that is known.
local function pair(given, name, what)
  options.check(given, PAIR, what .. ": " .. name)
  local public = given.publicKey ~= nil and loader(given.publicKey, "public", "publicKey", what)
  local private = given.privateKey ~= nil and loader(given.privateKey, "private", "privateKey", what)
  if not public and not private then
    fail(what, "%s needs a publicKey, a privateKey or both", name)
  end
  return public and private and matching(private, public) or private or public, not private
end

-- One entry of `keys`: how to get the key, what it is for, and whether it can only write.
local function entry_of(given, name, what)
  if type(given) ~= "table" then
    return { load = loader(options.need(given, name, what), "symmetric", name, what), way = "SYMMETRICALLY" }
  end
  options.plain(given, what .. ": " .. name)
  if given.passphrase ~= nil or given.salt ~= nil then
    return { load = derived(given, name, what), way = "SYMMETRICALLY" }
  end
  local load, write_only = pair(given, name, what)
  return { load = load, way = "ASYMMETRICALLY", write_only = write_only }
end

-- Every way to name keys, as a list of entries.
local function entries_of(given, what)
  local forms = { { given.key, "key" }, { given.keys, "keys" }, { given.publicKey or given.privateKey, "a key pair" } }
  local chosen
  for index = 1, #forms do
    if forms[index][1] ~= nil then
      if chosen then
        fail(what, "give either %s or %s", chosen, forms[index][2])
      end
      chosen = forms[index][2]
    end
  end
  if chosen == "key" then
    return { given.key }
  elseif chosen == "keys" then
    options.plain(given.keys, what .. ": keys")
    if #given.keys == 0 then
      fail(what, "keys is empty")
    end
    return given.keys
  elseif chosen then
    return { { publicKey = given.publicKey, privateKey = given.privateKey } }
  end
  fail(what, "needs key, keys, or publicKey and privateKey")
end

-- ring("ENCRYPT" | "DECRYPT", context) gives the list of the core's keys; second: may some only
-- write?
local function key_ring(given, what)
  local entries, write_only = {}, false
  local list = entries_of(given, what)
  for index = 1, #list do
    entries[index] = entry_of(list[index], #list == 1 and "the key" or ("keys[%d]"):format(index), what)
    write_only = write_only or entries[index].write_only == true
  end
  local ring
  return function(action, context)
    if ring then
      return ring
    end
    local made = {}
    for index, entry in ipairs(entries) do
      local key, why = entry.load()
      made[index] = key or core.raise(("FAILED_TO_%s_%s"):format(action, entry.way), context .. ": " .. why)
    end
    ring = made
    return ring
  end, write_only
end

-- ---- encrypted --------------------------------------------------------------------------------

function secret.encrypted(given, what)
  local ring, write_only = key_ring(given, what)
  if write_only and given.serialize then
    fail(what, "serialize needs a column that can be read: give the privateKey")
  end
  return {
    context = given.context,
    keeps = write_only,
    hide = function(value, context)
      if need_text(value, context, "an encrypted") == "" then
        return value
      end
      return core.encrypt(ring("ENCRYPT", context)[1], value, context)
    end,
    -- Sealed for somebody else, it stays as it is.
    show = function(stored, context)
      if stored == "" then
        return stored
      end
      return core.decrypt(ring("DECRYPT", context), stored, context) or stored
    end,
  }
end

-- ---- for users --------------------------------------------------------------------------------

local public = {}
secret.public = public

-- A new key for column.encrypted: 32 random bytes as base64.
public.generateKey = core.generateKey

-- { publicKey, privateKey } for column.encrypted, as base64.
function public.generateKeyPair()
  local public_key, private_key = core.generateKeyPair()
  return { publicKey = public_key, privateKey = private_key }
end

-- What a text is bound to where no column says it.
local function context_of(context, what)
  return context == nil and "a text" or options.need_name(context, "context", what)
end

local function apply(what, action, name, key, text, context)
  local codec = secret.encrypted({ [name] = options.need(key, name, what) }, what)
  return codec[action](options.need_type(text, "string", "text", what), context_of(context, what))
end

-- encryptSymmetric(text, key, context?) and back: as column.encrypted { key = key } stores it. A text
-- that was encrypted for another context, or with another key, is an error.
function public.encryptSymmetric(text, key, context)
  return apply("encryptSymmetric", "hide", "key", key, text, context)
end

function public.decryptSymmetric(stored, key, context)
  return apply("decryptSymmetric", "show", "key", key, stored, context)
end

-- encryptAsymmetric(text, publicKey, context?): only who has the private key reads it.
function public.encryptAsymmetric(text, public_key, context)
  return apply("encryptAsymmetric", "hide", "publicKey", public_key, text, context)
end

function public.decryptAsymmetric(stored, private_key, context)
  return apply("decryptAsymmetric", "show", "privateKey", private_key, stored, context)
end

return secret
