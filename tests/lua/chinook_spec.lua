-- A real data set through the front door, on every database: 15,607 rows in by insertMany, questions
-- answered by builder calls. The answers were computed by plain SQL on the data's own SQLite file.
-- HY_CHINOOK_DIR says where the data is; without it these tests are skipped by name.
local hysteria = require("hysteria")
local chinook = require("tests.support.lua.chinook")
local databases = require("tests.support.lua.databases")

local sql = hysteria.sql

local plain, table_of = chinook.plain, chinook.table_of

local answers, missing = chinook.read("answers.json")
if not answers then
  pending("Chinook: no data at " .. missing)
  return
end
local data = chinook.read("chinook.json")

databases.each(function(ds, database)
  local models, seen

  setup(function()
    models = chinook.load(ds, data)
    seen = chinook.watch(ds)
  end)

  before_each(function()
    seen.reset()
  end)

  -- A question asked: by statements that the observer saw, none of them with a raw fragment.
  after_each(function()
    assert.is_true(seen.count > 0)
    assert.same({}, seen.raw)
  end)

  local function top_artists()
    local rows = models.Album:query()
      :join(models.Artist, "artistId", "artistId")
      :select("artists.name")
      :selectFunc("count", "albums.albumId", "albumCount")
      :groupBy("artists.artistId", "artists.name")
      :orderBy("albumCount", "desc")
      :orderBy("artists.name")
      :limit(5)
      :many()
    return table_of(rows, "name", "albumCount")
  end

  it("holds every row of every table", function()
    local counts, total = {}, 0
    for name, class in pairs(models) do
      counts[name] = class:count()
      total = total + counts[name]
    end

    assert.same(answers.counts, counts)
    assert.equal(15607, total)
  end)

  it("gives back every cell as it was given", function()
    local cells, wrong = 0, {}
    for _, name in ipairs(chinook.order) do
      local entry, class = data[name], models[name]
      local query = class:query()
      for index = 1, name == "PlaylistTrack" and 2 or 1 do
        query:orderBy(chinook.member(entry.columns[index]))
      end
      local records = query:many()
      assert.equal(#entry.rows, #records)
      local rows = entry.rows
      if name == "PlaylistTrack" then
        rows = table.move(rows, 1, #rows, 1, {})
        table.sort(rows, function(a, b)
          return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
        end)
      end
      for index, cell_list in ipairs(rows) do
        for place, column in ipairs(entry.columns) do
          local want, got = plain(cell_list[place]), plain(records[index][chinook.member(column)])
          cells = cells + 1
          if want ~= got then
            wrong[#wrong + 1] = ("%s.%s of row %d: %s, not %s"):format(name, column, index, tostring(got),
              tostring(want))
          end
        end
      end
    end

    assert.same({}, wrong)
    databases.report("chinook on %s: %d cells read back, %d differ", database, cells, #wrong)
  end)

  it("would be seen to use a raw fragment", function()
    models.Genre:query():whereRaw("name = ?", { "Rock" }):count()
    models.Genre:query():selectRaw("1"):one()
    ds:rawQuery("SELECT 1")
    models.Genre:query():where("genreId", "=", sql.rawStatement("1")):count()

    assert.equal(4, #seen.raw)
    seen.raw = {}
  end)

  it("keeps decimals decimals", function()
    local track = models.Track:findOneByPrimaryKey(1)

    assert.equal("userdata", type(track.unitPrice))
    assert.is_true(track.unitPrice == sql.decimal("0.99"))
    assert.equal("29.70", tostring(track.unitPrice * 30))
  end)

  it("topArtistsByAlbums: join, group, count, order by the count", function()
    assert.same(answers.topArtistsByAlbums, top_artists())
  end)

  it("rockTracksOver5Minutes: join and two conditions", function()
    local count = models.Track:query()
      :join(models.Genre, "genreId", "genreId")
      :where("genres.name", "Rock")
      :where("milliseconds", ">", 5 * 60 * 1000)
      :count()

    assert.equal(answers.rockTracksOver5Minutes, count)
  end)

  it("revenueByCountryTop5: exact sums of decimals", function()
    local rows = models.Invoice:query()
      :select("billingCountry")
      :selectFunc("sum", "total", "revenue")
      :groupBy("billingCountry")
      :orderBy("revenue", "desc")
      :limit(5)
      :many()

    assert.same(answers.revenueByCountryTop5, table_of(rows, "billingCountry", "revenue"))
  end)

  it("topCustomers: join, group, ties by name", function()
    local rows = models.Customer:query()
      :join(models.Invoice, "customerId", "customerId")
      :select("customers.email")
      :selectFunc("sum", "invoices.total", "spent")
      :groupBy("customers.customerId", "customers.email")
      :orderBy("spent", "desc")
      :orderBy("customers.email")
      :limit(5)
      :many()

    assert.same(answers.topCustomers, table_of(rows, "email", "spent"))
  end)

  it("managers: a relation of a model to itself", function()
    local pairs_of = {}
    for index, employee in ipairs(models.Employee:query():orderBy("employeeId"):load("manager"):many()) do
      pairs_of[index] = { employee.email, employee.manager and employee.manager.email or false }
    end

    assert.same(plain(answers.managers), pairs_of)
    assert.equal(2, seen.count)
  end)

  it("reports: the same relation from the other end", function()
    local want = {}
    for _, pair in ipairs(answers.managers) do
      if plain(pair[2]) then
        want[pair[2]] = want[pair[2]] or {}
        table.insert(want[pair[2]], pair[1])
      end
    end

    local got = {}
    local ordered = function(query)
      query:orderBy("employeeId")
    end
    for _, employee in ipairs(models.Employee:query():load("reports", ordered):many()) do
      for index, report in ipairs(employee.reports) do
        got[employee.email] = got[employee.email] or {}
        got[employee.email][index] = report.email
      end
    end

    assert.same(want, got)
  end)

  it("grungePlaylist: through the table with two keys", function()
    local names = models.Track:query()
      :join(models.PlaylistTrack, "trackId", "trackId")
      :join("playlists", "playlist_id", "playlist_tracks.playlist_id")
      :where("playlists.name", "Grunge")
      :orderBy("tracks.name")
      :pluck("tracks.name")

    assert.same(answers.grungePlaylist, names)
  end)

  it("grungePlaylist again: by relations nested in relations", function()
    local list = models.Playlist:query():where("name", "Grunge"):load("entries.track"):one()
    local names = {}
    for index, entry in ipairs(list.entries) do
      names[index] = entry.track.name
    end
    table.sort(names)

    assert.same(answers.grungePlaylist, names)
    assert.equal(3, seen.count)
  end)

  it("finds by a key of two columns", function()
    local entry = models.PlaylistTrack:query():where({ playlistId = 1, trackId = 3402 }):one()

    assert.same({ 1, 3402 }, { entry.playlistId, entry.trackId })
    assert.equal(1, models.PlaylistTrack:query():where({ playlistId = 1, trackId = 3402 }):count())
  end)

  it("firstTwoAlbumsPerArtist: an ordered relation", function()
    local wanted = {}
    for artist in pairs(answers.firstTwoAlbumsPerArtist) do
      wanted[#wanted + 1] = artist
    end
    local by_title = function(query)
      query:orderBy("title"):limit(2)
    end

    local got = {}
    for _, artist in ipairs(models.Artist:query():whereIn("name", wanted):load("albums", by_title):many()) do
      got[artist.name] = {}
      for index, album in ipairs(artist.albums) do
        got[artist.name][index] = album.title
      end
    end

    assert.same(answers.firstTwoAlbumsPerArtist, got)
  end)

  it("averageMillisecondsByMediaType: averages to three places", function()
    local rows = models.Track:query()
      :join(models.MediaType, "mediaTypeId", "mediaTypeId")
      :select("media_types.name")
      :selectFunc("avg", "tracks.milliseconds", "average")
      :groupBy("media_types.name")
      :orderBy("media_types.name")
      :many()
    local got = {}
    for index, row in ipairs(rows) do
      got[index] = { row.name, ("%.3f"):format(row.average) }
    end
    local want = {}
    for index, pair in ipairs(answers.averageMillisecondsByMediaType) do
      want[index] = { pair[1], ("%.3f"):format(pair[2]) }
    end

    assert.same(want, got)
  end)

  it("invoicesPerYear: a range per year, the years asked too", function()
    local first = tonumber(models.Invoice:query():getMin("invoiceDate"):sub(1, 4))
    local last = tonumber(models.Invoice:query():getMax("invoiceDate"):sub(1, 4))
    local got = {}
    for year = first, last do
      local count = models.Invoice:query()
        :whereBetween("invoiceDate", year .. "-01-01 00:00:00", year .. "-12-31 23:59:59.999999")
        :count()
      got[#got + 1] = { tostring(year), count }
    end

    assert.same(answers.invoicesPerYear, got)
  end)

  it("invoicesPerYear again: grouped by a function of the date", function()
    local date = sql.col("invoiceDate")
    local year = database == "postgres" and sql.func("to_char", date, "YYYY") or sql.func("substr", date, 1, 4)
    local rows = models.Invoice:query()
      :select({ year, "year" })
      :selectFunc("count", "*", "invoices")
      :groupBy("year")
      :orderBy("year")
      :many()

    assert.same(answers.invoicesPerYear, table_of(rows, "year", "invoices"))
  end)

  it("customersWithAJazzPurchase: a subquery of joins", function()
    local count = models.Customer:query()
      :whereIn("customerId", models.Invoice:query()
        :select("invoices.customerId")
        :join(models.InvoiceLine, "invoiceId", "invoiceId")
        :join("tracks", "track_id", "invoice_lines.track_id")
        :join("genres", "genre_id", "tracks.genre_id")
        :where("genres.name", "Jazz"))
      :count()

    assert.equal(answers.customersWithAJazzPurchase, count)
  end)

  it("tracksNeverSold: NOT EXISTS and NOT IN agree", function()
    local by_exists = models.Track:query()
      :whereNotExists(models.InvoiceLine:query():select("invoiceLineId"):whereColumn(
        "invoice_lines.track_id", "tracks.track_id"))
      :count()
    local by_in = models.Track:query():whereNotIn("trackId", models.InvoiceLine:query():select("trackId")):count()

    assert.equal(answers.tracksNeverSold, by_exists)
    assert.equal(answers.tracksNeverSold, by_in)
  end)

  it("tracksWithoutComposer: NULL, three ways", function()
    assert.equal(answers.tracksWithoutComposer, models.Track:query():whereNull("composer"):count())
    assert.equal(answers.tracksWithoutComposer, models.Track:query():where("composer", sql.null):count())
    assert.equal(answers.counts.Track - answers.tracksWithoutComposer, models.Track:query():count("composer"))
  end)

  it("longestTrack: order and one", function()
    local track = models.Track:query():orderBy("milliseconds", "desc"):one()

    assert.same(answers.longestTrack, { track.name, track.milliseconds })
  end)

  it("nonAsciiArtistNames: names in many scripts", function()
    -- More bytes than letters; where bytes are not counted, two hex digits a byte and two letters a letter.
    local name = sql.col("name")
    local bytes, letters = sql.func("octet_length", name), sql.func("length", name)
    if database == "sqlite" then
      bytes = sql.func("length", sql.func("hex", name))
      letters = sql.func("length", sql.func("concat", name, name))
    end
    local names = models.Artist:query()
      :whereColumn(bytes, ">", letters)
      :orderBy("artistId")
      :pluck("name")

    assert.same(answers.nonAsciiArtistNames, names)
  end)

  it("answers otherwise when one row changes", function()
    local before = top_artists()

    local changed = ds:transaction(function(trx)
      local album = models.Album:query():where("artistId", 58):orderBy("albumId"):one({ trx = trx })
      models.Album:query():where("albumId", album.albumId):update({ artistId = 90 }, { trx = trx })
      local during = top_artists()
      trx:rollback()
      return during
    end)

    assert.same({ "Iron Maiden", 21 }, before[1])
    assert.same({ "Iron Maiden", 22 }, changed[1])
    assert.same({ "Deep Purple", 11 }, before[3])
    assert.is_not.same(before, changed)
    assert.same(before, top_artists())
  end)

  it("answers in text exactly one cent more when an invoice costs one cent more", function()
    local function usa()
      return tostring(models.Invoice:query():where("billingCountry", "USA"):getSum("total"))
    end
    local before = usa()
    local after = ds:transaction(function(trx)
      local invoice = models.Invoice:query():where("billingCountry", "USA"):orderBy("invoiceId"):one()
      models.Invoice:query():where("invoiceId", invoice.invoiceId)
        :update({ total = invoice.total + sql.decimal("0.01") })
      local sum = usa()
      trx:rollback()
      return sum
    end)

    assert.equal("523.06", before)
    assert.equal("523.07", after)
  end)
end)
