-- Every failure a user can meet, provoked for real on every database where it can occur: its code,
-- its kind, the line of the caller, the fields that tell more, and no secret anywhere in it. The
-- specs are in failures/; here they are held against the list of codes and the tables of
-- docs/errors.md, which HY_WRITE_DOCS=1 writes.
local databases = require("tests.support.lua.databases")
local failures = require("tests.support.lua.failures")
local places = require("tests.support.lua.failure_places")

local VIOLATIONS = {
  "`UNIQUE_VIOLATION`", "`UNIQUE_VIOLATION` of a model", "`NOT_NULL_VIOLATION`", "`NOT_NULL_VIOLATION` of a model",
  "`FOREIGN_KEY_VIOLATION`, insert", "`FOREIGN_KEY_VIOLATION`, delete", "`CHECK_VIOLATION`",
  "`CHECK_VIOLATION` of a model", "`EXCLUSION_VIOLATION`",
}

for _, part in ipairs { "statements", "connecting", "together", "mistakes", "damage" } do
  assert(loadfile((os.getenv("HY_ROOT") or ".") .. "/tests/lua/failures/" .. part .. ".lua", "t", _ENV))()
end

-- What was provoked must be what is said: the other cells of the table have a reason.
local function disagreements()
  local list = {}
  for code in pairs(failures.kinds) do
    local seen, nowhere = failures.seen[code] or {}, places.nowhere[code] or {}
    for _, database in ipairs(databases.found()) do
      local provoked = seen[code == "UNSUPPORTED_DATABASE_TYPE" and "any" or database.name] ~= nil
      if database.name ~= "cockroachdb" and provoked == (nowhere[database.name] ~= nil) then
        list[#list + 1] = ("%s on %s is %s"):format(code, database.name,
          provoked and "provoked, but has a reason not to be" or "not provoked, and no reason is given")
      end
    end
  end
  table.sort(list)
  return list
end

local function compare(name, made)
  if os.getenv("HY_WRITE_DOCS") then
    places.write(name, made)
  end
  assert.equal(made, places.read(name))
end

teardown(function()
  if not failures.ran_all() then
    return -- some were filtered out
  end
  assert.same({}, disagreements())
  compare("codes", places.codes())
  compare("violations", places.violations(failures.told, VIOLATIONS))
  failures.report()
end)

describe("the search for canaries", function()
  it("finds one wherever it is", function()
    local secret, row = failures.SECRET, failures.ROW
    local err = { message = "x" .. secret, cause = { fields = { [secret] = 1, list = { "a", "-" .. row .. "-" } } } }
    local found = failures.leaks(err, "err", { secret, row })
    table.sort(found)
    assert.same({ "err.cause.fields.(key)", "err.cause.fields.list.2", "err.message" }, found)
  end)
end)
