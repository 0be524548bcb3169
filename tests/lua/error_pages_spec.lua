-- The pages of error codes: complete, true (examples are run), the same in docs/errors.md and in
-- what `hysteria-lua explain` prints. HY_WRITE_DOCS=1 writes them there.
local core = require("hysteria.core")
local pages = require("hysteria.error_pages")

-- What the runner prints, on both streams, and its exit code.
local function runner(arguments)
  local pipe = assert(io.popen("hysteria-lua " .. arguments .. " 2>&1"))
  local text = pipe:read("a")
  return text, select(3, pipe:close())
end

local function run(script)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(script)
  file:close()
  local text, code = runner(name)
  os.remove(name)
  return text, code
end

describe("error pages", function()
  it("there is one for every code, and no other", function()
    local codes = {}
    for index, known in ipairs(core.errorCodes()) do
      codes[index] = known.code
    end
    table.sort(codes)

    assert.is_true(#codes > 70)
    assert.same(codes, pages.codes())
  end)

  it("each says what causes it, shows it and says what to do", function()
    for _, page in ipairs(pages.all()) do
      for _, field in ipairs { "text", "advice", "cause", "example", "remedy" } do
        assert.is_string(page[field], page.code .. " " .. field)
        assert.is_true(#page[field] > 5, page.code .. " " .. field)
      end
      assert.matches("[.)]$", page.cause, page.code)
      assert.matches("%.$", page.remedy, page.code)
    end
  end)

  for _, page in ipairs(pages.all()) do
    if page.raises then
      it(page.code .. " is raised by its example", function()
        local text, code = run(pages.before .. "\n" .. page.example .. "\n")

        assert.equal(1, code, text)
        assert.equal("hysteria-lua: " .. page.code .. ":", text:match("^hysteria%-lua: [%w_]+:"), text)
      end)
    end
  end

  it("the examples alone stand on firm ground", function()
    local text, code = run(pages.before)

    assert.equal("", text)
    assert.equal(0, code)
  end)

  it("docs/errors.md has all of them", function()
    local path = (os.getenv("HY_ROOT") or ".") .. "/docs/errors.md"
    local file = assert(io.open(path))
    local text = file:read("a")
    file:close()
    local before = text:sub(1, assert(text:find("## The list", 1, true)) - 1)
    local made = before .. pages.markdown()
    if os.getenv("HY_WRITE_DOCS") then
      file = assert(io.open(path, "w"))
      file:write(made)
      file:close()
      text = made
    end
    assert.equal(made, text)
  end)
end)

describe("hysteria-lua explain", function()
  it("prints the page of a code", function()
    for _, name in ipairs { "MISSING_WHERE", "missing_where", "HY_EMISSING_WHERE" } do
      local text, code = runner("explain " .. name)

      assert.equal(0, code)
      assert.matches("^MISSING_WHERE: a write without a condition\n", text)
      for _, part in ipairs { "usage: fix the call", "Cause\n", "Example\n  User:query():update", "What to do\n" } do
        assert.is_truthy(text:find(part, 1, true), part)
      end
      for line in text:gmatch("[^\n]+") do
        assert.is_true(#line <= 100, line)
      end
    end
  end)

  it("lists all codes without one", function()
    local text, code = runner("explain")

    assert.equal(0, code)
    assert.equal(#pages.all(), select(2, text:gsub("\n", "")))
    assert.matches("\nUNIQUE_VIOLATION +a unique value exists already\n", text)
  end)

  it("suggests the code that was meant", function()
    local text, code = runner("explain UNIQUE_VIOLATON")

    assert.equal(2, code)
    assert.matches("did you mean `UNIQUE_VIOLATION`", text, 1, true)
    assert.equal(2, select(2, runner("explain ''")))
    assert.equal(2, select(2, runner("explain DEADLOCK SYNTAX")))
  end)

  it("is in the help", function()
    assert.matches("explain", (runner("--help")), 1, true)
  end)
end)
