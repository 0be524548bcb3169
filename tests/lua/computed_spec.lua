-- Members that are computed: by the database (generated, stored or not) and in Lua (virtual).
local databases = require("tests.support.lua.databases")
local hysteria = require("hysteria")

local sql, model, column = hysteria.sql, hysteria.model, hysteria.column
local error_of = databases.error_of

databases.each(function(ds, name)
  describe("a generated column", function()
    local function line_model(stored)
      return model "ComputedLine" {
        hysteria.softDelete(), hysteria.timestamps(), hysteria.tableName("computed_lines"),
        id = column.increment(), cents = column.integer { nullable = false }, n = column.integer { default = 2 },
        total = column.integer { generated = "cents * n", stored = stored },
        label = column.string { length = 30 },
      }
    end
    local can = ds:can("GENERATED_VIRTUAL")
    local lines = line_model():using(ds)

    local function made(stored)
      lines = line_model(stored):using(ds)
      ds:dropTables({ lines }, { ifExists = true })
      ds:createTables { lines }
    end

    for _, stored in ipairs(can and { true, false } or { true }) do
      describe(stored and "that is stored" or "that is not stored", function()
        before_each(function()
          made(stored)
        end)

        it("is read back after every write of a record", function()
          local line = lines:insert { cents = 10 }
          assert.equal(20, line.total)
          line.cents = 11
          line:save()
          assert.equal(22, line.total)
          line:update { n = 3 }
          assert.equal(33, line.total)
          line.label = "x"
          assert.equal(33, line:save().total)
          assert.equal(33, ds:rawQuery("select total from computed_lines")[1].total)
        end)

        it("comes with bulk rows, in their order", function()
          local rows = lines:insertMany { { cents = 1 }, { cents = 5, n = 7 }, { cents = 3, n = 0 } }
          assert.same({ 2, 35, 0 }, { rows[1].total, rows[2].total, rows[3].total })
          assert.equal(2, lines:where("total", "<", 10):count())
        end)

        it("is not given to a record that was read without it", function()
          lines:insert { cents = 4 }
          local line = lines:query():select("id", "cents"):one()
          line.cents = 5
          line:save()
          assert.is_nil(rawget(line, "total"))
          assert.is_false(line:has("total"))
        end)

        it("is what the database says it is", function()
          local kinds = {
            sqlite = [[select case hidden when 3 then 'stored' when 2 then 'virtual' end as kind
              from pragma_table_xinfo('computed_lines') where name = 'total']],
            postgres = [[select case attgenerated when 's' then 'stored' when 'v' then 'virtual' end as kind
              from pg_attribute where attrelid = 'computed_lines'::regclass and attname = 'total']],
            mysql = [[select lower(substring_index(extra, ' ', 1)) as kind from information_schema.columns
              where table_name = 'computed_lines' and column_name = 'total' and table_schema = database()]],
          }
          kinds.mariadb = kinds.mysql
          assert.equal(stored and "stored" or "virtual", ds:rawQuery(kinds[name])[1].kind)
        end)
      end)
    end

    it("is never written", function()
      made(true)
      local line = lines:insert { cents = 1 }
      assert.equal("INVALID_ARGUMENT", error_of(lines.insert, lines, { cents = 1, total = 5 }).code)
      assert.equal("INVALID_ARGUMENT", error_of(lines.insertMany, lines, { { cents = 1, total = 5 } }).code)
      assert.equal("INVALID_ARGUMENT", error_of(line.update, line, { total = 5 }).code)
      assert.equal("INVALID_ARGUMENT", error_of(line.mergeProps, line, { total = 5 }).code)
      local all = lines:query():allRows()
      assert.equal("INVALID_ARGUMENT", error_of(all.update, all, { total = 5 }).code)
      line.total = 99
      line:save()
      assert.equal(2, line.total)
    end)

    it("brings its clock back with a soft deletion", function()
      made(true)
      local line = lines:insert { cents = 1 }
      line:softDelete()
      local stored = lines:query():withDeleted():one()
      assert.equal(stored.updatedAt, line.updatedAt)
      assert.equal(stored.deletedAt, line.deletedAt)
      assert.is_nil(line:restore().deletedAt)
      assert.equal(lines:query():one().updatedAt, line.updatedAt)
    end)

    if not can then
      it("that is not stored is refused before a table is made", function()
        local class = line_model(false):using(ds)
        ds:dropTables({ class }, { ifExists = true })
        local err = error_of(ds.createTables, ds, { class })
        assert.equal("UNSUPPORTED", err.code)
        assert.equal("virtual generated columns", err.feature)
        assert.equal(name, err.dialect)
        assert.equal("UNDEFINED_TABLE", error_of(class.find, class).code)
      end)
    end
  end)

  it("a column of any kind is made by its function, at an insert and at updates", function()
    local n = 0
    local function count()
      n = n + 1
      return n
    end
    local Doc = model "ComputedDoc" {
      hysteria.softDelete(), id = column.increment(), title = column.string(),
      slug = column.string { autoCreate = function(row)
        return (row.title or "none"):lower()
      end },
      revision = column.integer { autoUpdate = count }, made = column.integer { autoCreate = count },
    }
    local docs = Doc:using(ds)
    ds:dropTables({ Doc }, { ifExists = true })
    ds:createTables { Doc }
    local doc = docs:insert { title = "Abc" }
    assert.equal("abc", doc.slug)
    assert.same({ 1, 2 }, { math.min(doc.revision, doc.made), math.max(doc.revision, doc.made) })
    n = 10
    doc.title = "Def"
    doc:save()
    assert.same({ 11, "abc" }, { doc.revision, doc.slug })
    docs:where("id", doc.id):update { title = "Ghi" }
    assert.equal(12, docs:findOne().revision)
    assert.equal(13, doc:softDelete().revision)
    assert.equal("own", docs:insert({ slug = "own" }).slug)
    assert.is_nil(docs:insert({ slug = sql.null }).slug)
  end)

  describe("a virtual member", function()
    local Person = model "ComputedPerson" {
      id = column.increment(), first = column.string(), last = column.string(),
      name = column.virtual(function(person)
        return (person.first or "?") .. " " .. (person.last or "?")
      end, { needs = { "first", "last" } }),
      size = column.virtual(function(person)
        return #person.name
      end),
      secret = column.virtual(function()
        return "s"
      end, { hidden = true }),
    }
    local people = Person:using(ds)

    before_each(function()
      ds:dropTables({ Person }, { ifExists = true })
      ds:createTables { Person }
    end)

    it("is computed when it is read", function()
      local ada = people:insert { first = "Ada", last = "Byron" }
      assert.equal("Ada Byron", ada.name)
      assert.equal(9, ada.size)
      ada.last = "Lovelace"
      assert.equal("Ada Lovelace", ada.name)
      assert.is_nil(rawget(ada, "name"))
    end)

    it("is no column of the table and no field to write", function()
      local watch = databases.watch(ds)
      local ada = people:insert { first = "Ada" }
      for _, event in ipairs(watch.stop()) do
        assert.is_nil(event.sql:find("size", 1, true))
      end
      assert.equal("UNDEFINED_COLUMN", error_of(people.insert, people, { name = "x" }).code)
      local query = people:query()
      assert.equal("UNDEFINED_COLUMN", error_of(function()
        query:where("name", "x"):many()
      end).code)
      ada.name = "Bob"
      assert.equal("INVALID_ARGUMENT", error_of(ada.save, ada).code)
    end)

    it("is in toTable and toJson unless hidden", function()
      local ada = people:insert { first = "Ada", last = "B" }
      assert.same({ id = ada.id, first = "Ada", last = "B", name = "Ada B", size = 5 }, ada:toTable())
      assert.same({ id = ada.id, first = "Ada", last = "B", name = "Ada B", size = 5 },
        hysteria.json.decode(ada:toJson()))
    end)

    it("says which column it needs, and stays out of what is shown without it", function()
      people:insert { first = "Ada", last = "B" }
      local ada = people:query():select("id", "first"):one()
      local err = error_of(function()
        return ada.name
      end)
      assert.equal("INVALID_ARGUMENT", err.code)
      assert.is_truthy(err.message:find("`last`", 1, true))
      local Short = model "ComputedShort" {
        hysteria.tableName("computed_people"), id = column.increment(), first = column.string(),
        last = column.string(), name = column.virtual(function(person)
          return person.first .. person.last
        end, { needs = { "first", "last" } }),
      }
      assert.same({ first = "Ada" }, Short:using(ds):query():select("first"):one():toTable())
      assert.equal([[{"first":"Ada"}]], Short:using(ds):query():select("first"):one():toJson())
    end)
  end)
end)

describe("computed members", function()
  it("are checked when they are made", function()
    assert.equal("NIL_VALUE", error_of(column.virtual).code)
    assert.equal("INVALID_ARGUMENT", error_of(column.virtual, "x").code)
    assert.equal("UNKNOWN_OPTION", error_of(column.virtual, print, { need = { "a" } }).code)
    assert.equal("INVALID_MODEL", error_of(column.integer, { stored = false }).code)
    assert.equal("INVALID_MODEL", error_of(column.integer, { autoCreate = true }).code)
    assert.equal("INVALID_MODEL", error_of(column.integer, { autoUpdate = print, generated = "1" }).code)
    assert.equal("INVALID_MODEL", error_of(column.increment, { autoCreate = print }).code)
    assert.equal("INVALID_MODEL", error_of(model, "ComputedBad", {
      id = column.increment(), name = column.virtual(print, { needs = { "idd" } }),
    }).code)
    assert.equal("RESERVED_NAME", error_of(model, "ComputedBad", {
      id = column.increment(), save = column.virtual(print),
    }).code)
  end)

  it("leave other models that share a mixin alone", function()
    local shout = hysteria.mixin { loud = column.virtual(function(row)
      return row.name:upper()
    end, { needs = { "name" } }) }
    local A = model "ComputedA" { shout, id = column.increment(), name = column.string() }
    model "ComputedB" { shout, id = column.increment(), name = column.text() }
    local ds <close> = sql.connectToSecondarySource { type = "sqlite" }
    ds:createTables { A }
    assert.equal("X", A:using(ds):insert({ name = "x" }).loud)
  end)
end)
