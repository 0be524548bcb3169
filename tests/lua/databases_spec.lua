-- Says which databases the specs run on, so that a missing server shows as a skip.
local databases = require("tests.support.lua.databases")

describe("the specs", function()
  for _, database in ipairs(databases.found()) do
    it("run on " .. database.name, function()
      local ds = require("hysteria").sql.connectToSecondarySource(database.config)
      finally(function() ds:close() end)
      assert.equal(1, ds:rawQuery("SELECT 1 AS one")[1].one)
      assert.equal(database.name, ds:getDbType())
    end)
  end
  for _, name in ipairs(databases.missing()) do
    pending("run on " .. name)
  end
end)
