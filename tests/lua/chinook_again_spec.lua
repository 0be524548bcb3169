-- The questions about the real data set once more, by other roads: CTEs, windows, joined subqueries,
-- set operations and JSON documents, by builder calls only. What is expected comes from the answers
-- that belong to the data, or is computed in Lua from its rows.
local hysteria = require("hysteria")
local chinook = require("tests.support.lua.chinook")
local databases = require("tests.support.lua.databases")

local column, sql = hysteria.column, hysteria.sql
local plain, table_of = chinook.plain, chinook.table_of

local answers, missing = chinook.read("answers.json")
if not answers then
  pending("Chinook: no data at " .. missing)
  return
end
local data = chinook.read("chinook.json")

local rows_of = {}
for name, entry in pairs(data) do
  rows_of[name] = chinook.rows(entry)
end

-- The rows of a table by one of their fields.
local function by(name, field)
  local found = {}
  for _, row in ipairs(rows_of[name]) do
    found[row[field]] = row
  end
  return found
end

-- The rows of a table in lists, by one of their fields.
local function grouped(name, field)
  local found = {}
  for _, row in ipairs(rows_of[name]) do
    local list = found[row[field]] or {}
    found[row[field]] = list
    list[#list + 1] = row
  end
  return found
end

-- How many steps each employee is under whoever reports to nobody.
local function depths()
  local employees, found = by("Employee", "employeeId"), {}
  for _, employee in ipairs(rows_of.Employee) do
    local depth, boss = 0, employees[employee.reportsTo]
    while boss do
      depth, boss = depth + 1, employees[boss.reportsTo]
    end
    found[employee.email] = depth
  end
  return found
end

local Document = hysteria.model "InvoiceDocument" {
  invoiceId = column.integer { primaryKey = true },
  document = column.json { nullable = false },
}

-- Every invoice with its customer and its lines as one document.
local function documents()
  local customers, tracks, genres = by("Customer", "customerId"), by("Track", "trackId"), by("Genre", "genreId")
  local lines_of, list = grouped("InvoiceLine", "invoiceId"), {}
  for index, invoice in ipairs(rows_of.Invoice) do
    local customer, lines = customers[invoice.customerId], {}
    for place, line in ipairs(lines_of[invoice.invoiceId]) do
      local track = tracks[line.trackId]
      lines[place] = {
        track = track.name, milliseconds = track.milliseconds, genre = genres[track.genreId].name,
        quantity = line.quantity, price = line.unitPrice, composer = track.composer or sql.jsonNull,
      }
    end
    list[index] = {
      invoiceId = invoice.invoiceId,
      document = {
        customer = { email = customer.email, name = { customer.firstName, customer.lastName } },
        billing = { country = invoice.billingCountry, city = invoice.billingCity },
        total = invoice.total, lines = lines,
      },
    }
  end
  return list
end

local all_documents = documents()

-- The ids of the invoices whose document fulfils `accepts`.
local function invoices_where(accepts)
  local ids = {}
  for _, row in ipairs(all_documents) do
    if accepts(row.document) then
      ids[#ids + 1] = row.invoiceId
    end
  end
  return ids
end

local function any_line(accepts)
  return function(document)
    for _, line in ipairs(document.lines) do
      if accepts(line) then
        return true
      end
    end
    return false
  end
end

databases.each(function(ds, database)
  local models, seen, docs

  setup(function()
    models = chinook.load(ds, data)
    docs = Document:using(ds)
    ds:dropTables({ Document }, { ifExists = true })
    ds:createTables { Document }
    docs:insertMany(all_documents, { returning = false })
    seen = chinook.watch(ds)
  end)

  before_each(function()
    seen.reset()
  end)

  after_each(function()
    assert.is_true(seen.count > 0)
    assert.same({}, seen.raw)
  end)

  describe("counted", function()
    it("counts: eleven subqueries in one row", function()
      local query = models.Genre:query():limit(1)
      for _, name in ipairs(chinook.order) do
        query:selectSubQuery(models[name]:query():selectFunc("count", "*", "n"), name)
      end
      local row, counts = query:one(), {}
      for name in pairs(answers.counts) do
        counts[name] = row[name]
      end

      assert.same(answers.counts, counts)
      assert.equal(1, seen.count)
    end)

    it("rockTracksOver5Minutes: an intersection, a difference, and a group of conditions", function()
      local rock = models.Track:query():select("trackId")
        :whereIn("genreId", models.Genre:where("name", "Rock"):select("genreId"))
      local long = models.Track:query():select("trackId"):where("milliseconds", ">", 300000)
      local short = models.Track:query():select("trackId"):whereNot("milliseconds", ">", 300000)

      assert.equal(answers.rockTracksOver5Minutes, rock:clone():intersect(long):count())
      assert.equal(answers.rockTracksOver5Minutes, rock:clone():except(short):count())
      assert.equal(answers.rockTracksOver5Minutes, rock:clone():where(function(q)
        q:where("milliseconds", ">", 5000000):orWhereBetween("milliseconds", 300001, 5000000)
      end):count())
    end)

    it("invoicesPerYear: a union of a year each, ordered as a whole", function()
      local function year(number)
        return models.Invoice:query():selectFunc("min", "invoiceDate", "first"):selectFunc("count", "*", "invoices")
          :whereBetween("invoiceDate", number .. "-01-01 00:00:00", number .. "-12-31 23:59:59.999999")
      end
      local union = year(2025)
      for number = 2021, 2024 do
        union:unionAll(year(number))
      end
      local got = {}
      for index, row in ipairs(union:orderBy("first"):many()) do
        got[index] = { tostring(row.first):sub(1, 4), row.invoices }
      end

      assert.same(answers.invoicesPerYear, got)
    end)

    it("invoicesPerYear: sums of CASE, a column each", function()
      local query, got = models.Invoice:query(), {}
      for _, pair in ipairs(answers.invoicesPerYear) do
        local inside = { invoiceDate = sql.op.between(pair[1] .. "-01-01", pair[1] .. "-12-31 23:59:59") }
        query:select(sql.func("sum", sql.case({ { inside, 1 } }, 0)), "y" .. pair[1])
      end
      local row = query:one()
      for index, pair in ipairs(answers.invoicesPerYear) do
        got[index] = { pair[1], tonumber(tostring(row["y" .. pair[1]])) }
      end

      assert.same(answers.invoicesPerYear, got)
    end)

    it("tracksNeverSold: what a left join does not find, and what EXCEPT leaves", function()
      local by_join = models.Track:query():leftJoin(models.InvoiceLine, "trackId", "trackId")
        :whereNull("invoice_lines.invoice_line_id"):count()
      local by_except = models.Track:query():select("trackId")
        :except(models.InvoiceLine:query():select("trackId")):count()

      assert.equal(answers.tracksNeverSold, by_join)
      assert.equal(answers.tracksNeverSold, by_except)
    end)

    it("tracksWithoutComposer: a group by CASE", function()
      local rows = models.Track:query()
        :select(sql.case({ { { composer = sql.op.isNull() }, "none" } }, "some"), "composers")
        :selectFunc("count", "*", "tracks"):groupBy("composers"):orderBy("composers"):many()

      assert.same({
        { "none", answers.tracksWithoutComposer },
        { "some", answers.counts.Track - answers.tracksWithoutComposer },
      }, table_of(rows, "composers", "tracks"))
    end)

    it("having more invoices than others: HAVING by function and by alias", function()
      local want = {}
      for customer, list in pairs(grouped("Invoice", "customerId")) do
        if #list < 7 then
          want[#want + 1] = { customer, #list }
        end
      end
      local rows = models.Invoice:query():select("customerId"):selectFunc("count", "*", "invoices")
        :groupBy("customerId"):having("invoices", "<", 7):orderBy("customerId"):many()

      assert.is_true(#want > 0)
      assert.same(want, table_of(rows, "customerId", "invoices"))
    end)
  end)

  describe("by WITH", function()
    it("topArtistsByAlbums: counted in a CTE, joined to the names", function()
      local counted = models.Album:query():select("artistId"):selectFunc("count", "*", "albums"):groupBy("artistId")
      local rows = models.Artist:query():with("counted", counted)
        :join("counted", "artist_id", "artists.artist_id")
        :select("name", "counted.albums")
        :orderBy("counted.albums", "desc"):orderBy("name"):limit(5):many()

      assert.same(answers.topArtistsByAlbums, table_of(rows, "name", "albums"))
    end)

    it("customersWithAJazzPurchase: one CTE upon another", function()
      local rows = ds:query("buyers")
        :with("jazz", models.Track:query():select("trackId")
          :join(models.Genre, "genreId", "genreId"):where("genres.name", "Jazz"))
        :with("buyers", function(q)
          q:from("invoices"):select("invoices.customer_id"):distinct()
            :join("invoice_lines", "invoice_id", "invoices.invoice_id")
            :join("jazz", "track_id", "invoice_lines.track_id")
        end)
        :many()

      assert.equal(answers.customersWithAJazzPurchase, #rows)
    end)

    it("grungePlaylist: a CTE used in a condition", function()
      local names = models.Track:query()
        :with("grunge", function(q)
          q:from("playlist_tracks"):select("playlist_tracks.track_id")
            :join("playlists", "playlist_id", "playlist_tracks.playlist_id"):where("playlists.name", "Grunge")
        end)
        :whereIn("trackId", ds:query("grunge"):select("track_id"))
        :orderBy("name"):pluck("name")

      assert.same(answers.grungePlaylist, names)
    end)

    it("managers: up from every employee, their depth the number of bosses above", function()
      local rows = ds:query("above")
        :withRecursive("above", function(q)
          q:from("employees"):select("email", { "reports_to", "boss" }):unionAll(function(step)
            step:from("employees", "e"):select("above.email", { "e.reports_to", "boss" })
              :join("above", "boss", "e.employee_id")
          end)
        end)
        :select("email"):selectFunc("count", "boss", "depth")
        :groupBy("email"):orderBy("depth"):orderBy("email"):many()
      local got = {}
      for _, row in ipairs(rows) do
        got[row.email] = row.depth
      end

      assert.same(depths(), got)
      assert.equal(0, rows[1].depth)
      assert.equal(2, rows[#rows].depth)
    end)

    it("managers: down from whoever has none, a step deeper each time", function()
      local rows = ds:query("below")
        :withRecursive("below", function(q)
          q:from("employees"):select("employee_id", "email"):whereNull("reports_to")
            :select(sql.func("coalesce", sql.col("reports_to"), 0), "depth")
            :unionAll(function(step)
              step:from("employees", "e"):select("e.employee_id", "e.email")
                :select(sql.col("below.depth") + 1, "depth"):join("below", "employee_id", "e.reports_to")
            end)
        end)
        :many()
      local got = {}
      for _, row in ipairs(rows) do
        got[row.email] = row.depth
      end

      assert.equal(answers.counts.Employee, #rows)
      assert.same(depths(), got)
    end)

    it("managers: down from whoever has none, everybody once", function()
      local rows = ds:query("below")
        :withRecursive("below", function(q)
          q:from("employees"):select("employee_id", "email"):whereNull("reports_to"):unionAll(function(step)
            step:from("employees", "e"):select("e.employee_id", "e.email")
              :join("below", "employee_id", "e.reports_to")
          end)
        end)
        :orderBy("employee_id"):many()
      local want = {}
      for index, pair in ipairs(answers.managers) do
        want[index] = { pair[1] }
      end

      assert.same(want, table_of(rows, "email"))
    end)
  end)

  describe("by joins", function()
    it("managers: a table joined to itself", function()
      local rows = models.Employee:query()
        :leftJoin({ models.Employee, "boss" }, "employeeId", "reportsTo")
        :select("email", { "boss.email", "bossEmail" }):orderBy("employeeId"):many()

      assert.same(plain(answers.managers), table_of(rows, "email", "bossEmail"))
    end)

    it("topCustomers: a joined subquery of sums", function()
      local spent = models.Invoice:query():select("customerId"):selectFunc("sum", "total", "spent")
        :groupBy("customerId")
      local rows = models.Customer:query():join({ spent, "s" }, "customerId", "customerId")
        :select("email", "s.spent"):orderBy("s.spent", "desc"):orderBy("email"):limit(5):many()

      assert.same(answers.topCustomers, table_of(rows, "email", "spent"))
    end)

    it("averageMillisecondsByMediaType: sums and counts of a subquery, divided here", function()
      local sums = models.Track:query():select("mediaTypeId")
        :selectFunc("sum", "milliseconds", "total"):selectFunc("count", "*", "tracks"):groupBy("mediaTypeId")
      local rows = models.MediaType:query():join({ sums, "s" }, "mediaTypeId", "mediaTypeId")
        :select("name", "s.total", "s.tracks"):orderBy("name"):many()
      local got, want = {}, {}
      for index, row in ipairs(rows) do
        got[index] = { row.name, ("%.3f"):format(row.total / row.tracks) }
      end
      for index, pair in ipairs(answers.averageMillisecondsByMediaType) do
        want[index] = { pair[1], ("%.3f"):format(pair[2]) }
      end

      assert.same(want, got)
    end)

    it("grungePlaylist: EXISTS inside EXISTS", function()
      local names = models.Track:query():whereExists(function(q)
        q:from("playlists", "p"):where("p.name", "Grunge"):whereExists(function(entry)
          entry:from("playlist_tracks", "pt"):whereColumn("pt.playlist_id", "p.playlist_id")
            :whereColumn("pt.track_id", "tracks.track_id")
        end)
      end):orderBy("name"):pluck("name")

      assert.same(answers.grungePlaylist, names)
    end)

    it("revenueByCountryTop5: summed from prices times quantities", function()
      local rows = models.InvoiceLine:query():join(models.Invoice, "invoiceId", "invoiceId")
        :select("invoices.billingCountry")
        :select(sql.func("sum", sql.col("unitPrice") * sql.col("quantity")), "revenue")
        :groupBy("invoices.billingCountry"):orderBy("revenue", "desc"):limit(5):many()

      assert.same(answers.revenueByCountryTop5, table_of(rows, "billingCountry", "revenue"))
    end)

    it("revenueByCountryTop5: a column each, CASE times the total", function()
      local query, got = models.Invoice:query(), {}
      for place, pair in ipairs(answers.revenueByCountryTop5) do
        local mine = sql.case({ { { billingCountry = pair[1] }, 1 } }, 0)
        query:select(sql.func("sum", sql.col("total") * mine), "c" .. place)
      end
      local row = query:one()
      for place, pair in ipairs(answers.revenueByCountryTop5) do
        got[place] = { pair[1], tostring(row["c" .. place]) }
      end

      assert.same(answers.revenueByCountryTop5, got)
    end)

    it("every invoice costs what its lines do, to the cent", function()
      local sums = models.InvoiceLine:query():select("invoiceId")
        :select(sql.func("sum", sql.col("unitPrice") * sql.col("quantity")), "lines"):groupBy("invoiceId")
      local invoices = models.Invoice:query():join({ sums, "s" }, "invoiceId", "invoiceId")

      assert.equal(answers.counts.Invoice, invoices:clone():whereColumn("s.lines", "invoices.total"):count())
      assert.equal(answers.counts.Invoice,
        invoices:clone():where("s.lines", ">", sql.col("total") - sql.decimal("0.01")):count())
      assert.equal(0, invoices:clone():where("s.lines", ">", sql.col("total")):count())
    end)

    it("a line's price times its quantity is a decimal, compared and ordered as one", function()
      local line = sql.col("unitPrice") * 10
      local rows = models.InvoiceLine:query():select(line, "tenfold"):distinct():orderBy("tenfold", "desc"):many()
      local dear = 0
      for _, row in ipairs(rows_of.InvoiceLine) do
        dear = dear + (sql.decimal(row.unitPrice) * 10 > sql.decimal("9.90") and 1 or 0)
      end

      assert.same({ { "19.90" }, { "9.90" } }, table_of(rows, "tenfold"))
      assert.is_true(dear > 0)
      assert.equal("INVALID_ARGUMENT", databases.error_of(function()
        models.InvoiceLine:query():select(sql.col("unitPrice") * 0.5, "half")
      end).code)
      assert.equal(dear, models.InvoiceLine:query():where(line, ">", sql.decimal("9.90")):count())
      assert.equal("19.90", tostring(models.InvoiceLine:query():select("unitPrice")
        :select(sql.decimal("21.89") - sql.col("unitPrice"), "left"):orderBy("left"):one().left))
    end)

    it("what is calculated has its decimal places, zeros too", function()
      local total = sql.col("total")
      local rows = models.Invoice:query()
        :select("total", { total * 2, "twice" }, { total * sql.decimal("0.5"), "half" })
        :select(total - sql.decimal("0.015"), "less"):select(total * total, "square"):orderBy("invoiceId"):many()
      local want = {}
      for index, row in ipairs(rows_of.Invoice) do
        local exact = sql.decimal(row.total)
        want[index] = {
          tostring(exact * 2), tostring(exact * sql.decimal("0.5")), tostring(exact - sql.decimal("0.015")),
          tostring(exact * exact),
        }
      end

      assert.same(want, table_of(rows, "twice", "half", "less", "square"))
    end)

    it("longestTrack: equal to a subquery's greatest", function()
      local rows = models.Track:query()
        :where("milliseconds", "=", models.Track:query():selectFunc("max", "milliseconds", "most")):many()

      assert.same({ answers.longestTrack }, table_of(rows, "name", "milliseconds"))
    end)

    it("nonAsciiArtistNames: anything but printable ASCII", function()
      assert.same(answers.nonAsciiArtistNames,
        models.Artist:query():whereRegexp("name", "[^ -~]"):orderBy("artistId"):pluck("name"))
    end)
  end)

  describe("by windows", function()
    it("firstTwoAlbumsPerArtist: numbered in each partition, the first two taken", function()
      local wanted = {}
      for artist in pairs(answers.firstTwoAlbumsPerArtist) do
        wanted[#wanted + 1] = artist
      end
      local numbered = models.Album:query():select("artistId", "title")
        :selectWindow("row_number", { partitionBy = "artistId", orderBy = "title" }, "place")
      local rows = models.Artist:query():join({ numbered, "a" }, "artistId", "artistId")
        :select("name", "a.title", "a.place"):whereIn("name", wanted):where("a.place", "<=", 2)
        :orderBy("name"):orderBy("a.place"):many()
      local got = {}
      for _, row in ipairs(rows) do
        got[row.name] = got[row.name] or {}
        got[row.name][row.place] = row.title
      end

      assert.same(answers.firstTwoAlbumsPerArtist, got)
    end)

    it("topArtistsByAlbums: a rank over groups, ties sharing their place", function()
      local rows = models.Album:query():join(models.Artist, "artistId", "artistId")
        :select("artists.name"):selectFunc("count", "*", "albums")
        :selectWindow("rank", { orderBy = { sql.func("count", sql.col("albums.albumId")), "desc" } }, "place")
        :groupBy("artists.artistId", "artists.name")
        :orderBy("place"):orderBy("artists.name"):limit(5):many()

      assert.same(answers.topArtistsByAlbums, table_of(rows, "name", "albums"))
      assert.same({ { 1 }, { 2 }, { 3 }, { 4 }, { 4 } }, table_of(rows, "place"))
    end)

    it("revenueByCountryTop5: sums over partitions, said once", function()
      local rows = models.Invoice:query():select("billingCountry"):distinct()
        :selectWindow("sum", "total", { partitionBy = "billingCountry" }, "revenue")
        :orderBy("revenue", "desc"):limit(5):many()

      assert.same(answers.revenueByCountryTop5, table_of(rows, "billingCountry", "revenue"))
    end)

    it("longestTrack: the first by rank", function()
      local ranked = models.Track:query():select("name", "milliseconds")
        :selectWindow("rank", { orderBy = { "milliseconds", "desc" } }, "place")
      local rows = ds:query("r"):from(ranked, "r"):where("r.place", 1):many()

      assert.same({ answers.longestTrack }, table_of(rows, "name", "milliseconds"))
    end)

    it("running revenue of a customer: every sum so far, to the cent", function()
      local want, sums = {}, {}
      for index, invoice in ipairs(rows_of.Invoice) do
        local sum = (sums[invoice.customerId] or sql.decimal("0.00")) + sql.decimal(invoice.total)
        sums[invoice.customerId] = sum
        want[index] = { invoice.invoiceId, tostring(sum) }
      end
      local rows = models.Invoice:query():select("invoiceId")
        :selectWindow("sum", "total", {
          partitionBy = "customerId", orderBy = "invoiceId", frame = { "rows", "unbounded", 0 },
        }, "soFar")
        :orderBy("invoiceId"):many()

      assert.same(want, table_of(rows, "invoiceId", "soFar"))
    end)

    it("an invoice's share of its country's revenue: the whole beside each part", function()
      local wholes, want = {}, {}
      for _, invoice in ipairs(rows_of.Invoice) do
        local country = invoice.billingCountry
        wholes[country] = (wholes[country] or sql.decimal("0")) + sql.decimal(invoice.total)
      end
      for index, invoice in ipairs(rows_of.Invoice) do
        want[index] = tostring(sql.decimal(invoice.total):div(wholes[invoice.billingCountry], 6))
      end
      local got, everything = {}, nil
      for index, row in ipairs(models.Invoice:query():select("total")
        :selectWindow("sum", "total", { partitionBy = "billingCountry" }, "country")
        :selectWindow("sum", "total", {}, "everything"):orderBy("invoiceId"):many()) do
        got[index] = tostring(row.total:div(row.country, 6))
        everything = row.everything
      end

      assert.same(want, got)
      assert.equal("2328.60", tostring(everything))
    end)

    it("the invoice before: LAG in each partition", function()
      local before, want = {}, {}
      for index, invoice in ipairs(rows_of.Invoice) do
        want[index] = { invoice.invoiceId, before[invoice.customerId] or false }
        before[invoice.customerId] = invoice.total
      end
      local rows = models.Invoice:query():select("invoiceId")
        :selectWindow("lag", "total", { partitionBy = "customerId", orderBy = "invoiceId" }, "before")
        :orderBy("invoiceId"):many()

      assert.same(want, table_of(rows, "invoiceId", "before"))
    end)
  end)

  describe("by documents", function()
    local function ids(query)
      return query:orderBy("invoiceId"):pluck("invoiceId")
    end

    it("come back as they went", function()
      for index, record in ipairs(docs:query():orderBy("invoiceId"):many()) do
        assert.same(all_documents[index].document, record.document)
      end
      databases.report("chinook again on %s: %d documents of %d lines", database, docs:count(),
        #rows_of.InvoiceLine)
    end)

    it("customersWithAJazzPurchase: a line among the lines", function()
      local jazz = docs:query():whereJsonContains("document", { lines = { { genre = "Jazz" } } })
      local customers = models.Invoice:query():select("customerId"):distinct()
        :whereIn("invoiceId", jazz:clone():select("invoiceId")):many()

      assert.equal(answers.customersWithAJazzPurchase, #customers)
      assert.same(invoices_where(any_line(function(line)
        return line.genre == "Jazz"
      end)), ids(jazz))
    end)

    it("a line with two properties is one line that has both", function()
      local both = invoices_where(any_line(function(line)
        return line.genre == "Rock" and line.composer == "U2"
      end))

      assert.is_true(#both > 0)
      assert.same(both, ids(docs:query()
        :whereJsonContains("document", { lines = { { genre = "Rock", composer = "U2" } } })))
    end)

    it("what does not contain is all the rest", function()
      local jazz = { lines = { { genre = "Jazz" } } }

      assert.equal(#all_documents, docs:query():whereJsonContains("document", jazz):count()
        + docs:query():whereJsonNotContains("document", jazz):count())
    end)

    it("revenueByCountryTop5: grouped by a text inside the document", function()
      local rows = docs:query():join(models.Invoice, "invoiceId", "invoiceId")
        :selectJsonText("document", "billing.country", "country")
        :selectFunc("sum", "invoices.total", "revenue")
        :groupBy("country"):orderBy("revenue", "desc"):limit(5):many()

      assert.same(answers.revenueByCountryTop5, table_of(rows, "country", "revenue"))
    end)

    it("topCustomers: their invoices found by the email inside", function()
      for _, pair in ipairs(answers.topCustomers) do
        local spent = models.Invoice:query()
          :whereIn("invoiceId", docs:query():select("invoiceId"):whereJson("document", "customer.email", pair[1]))
          :getSum("total")
        assert.equal(pair[2], tostring(spent))
      end
    end)

    it("names with letters of every kind are found", function()
      local want = invoices_where(function(document)
        return document.billing.city == "São Paulo"
      end)

      assert.is_true(#want > 0)
      assert.same(want, ids(docs:query():whereJson("document", "billing", { city = "São Paulo", country = "Brazil" })))
      assert.same(want, ids(docs:query():whereJson("document", "billing.city", "São Paulo")))
    end)

    it("lines are counted, and taken by their place", function()
      local rows = docs:query():select("invoiceId")
        :selectJsonArrayLength("document", "lines", "lines")
        :selectJsonText("document", "lines[0].track", "first")
        :selectJsonText("document", { "lines", 0, "composer" }, "composer")
        :selectJson("document", "lines[0].milliseconds", "length")
        :selectJson("document", "customer.name", "name")
        :orderBy("invoiceId"):many()
      local got, want, total = {}, {}, 0
      for index, row in ipairs(rows) do
        got[index] = { row.invoiceId, row.lines, row.first, row.composer or false, row.length, row.name }
        total = total + row.lines
      end
      for index, row in ipairs(all_documents) do
        local lines = row.document.lines
        want[index] = {
          row.invoiceId, #lines, lines[1].track, plain(lines[1].composer), lines[1].milliseconds,
          row.document.customer.name,
        }
      end

      assert.same(want, got)
      assert.equal(answers.counts.InvoiceLine, total)
    end)

    it("keys are those of the object", function()
      local row = docs:where("invoiceId", 1):selectJsonKeys("document", "lines[0]", "keys"):one()
      table.sort(row.keys)

      assert.same({ "composer", "genre", "milliseconds", "price", "quantity", "track" }, row.keys)
    end)

    it("revenue so far of each customer: a window over texts inside documents", function()
      local inner = docs:query():join(models.Invoice, "invoiceId", "invoiceId")
        :select("invoiceId", "invoices.total"):selectJsonText("document", "customer.email", "email")
      local rows = ds:query("d"):from(inner, "d"):select("d.email")
        :selectWindow("sum", "d.total", {
          partitionBy = "d.email", orderBy = "d.invoice_id", frame = { "rows", "unbounded", 0 },
        }, "soFar")
        :orderBy("d.invoice_id"):many()
      local sums, want = {}, {}
      for index, row in ipairs(all_documents) do
        local email = row.document.customer.email
        sums[email] = (sums[email] or sql.decimal("0.00")) + sql.decimal(row.document.total)
        want[index] = { email, tostring(sums[email]) }
      end

      assert.same(want, table_of(rows, "email", "soFar"))
    end)
  end)
end)
