-- The Chinook data set as eleven models, and loading its rows through them. The data itself
-- stays where it is: HY_CHINOOK_DIR, else ../shared/data/chinook beside the tree.
local hysteria = require("hysteria")

local model, column = hysteria.model, hysteria.column

local chinook = {}

-- Parents before children: the order in which tables can be filled.
chinook.order = {
  "Artist", "Album", "Genre", "MediaType", "Track", "Employee", "Customer", "Invoice", "InvoiceLine", "Playlist",
  "PlaylistTrack",
}

local function name(length, required)
  return column.string { length = length, nullable = not required }
end

local function reference(required)
  return column.integer { nullable = not required }
end

local function money()
  return column.decimal { precision = 10, scale = 2, nullable = false }
end

-- Where somebody lives, as two tables have it.
local function with_address(members)
  members.address, members.city, members.state = name(70), name(40), name(40)
  members.country, members.postalCode = name(40), name(10)
  members.phone, members.fax = name(24), name(24)
  members.email = name(60)
  return members
end

local function define_catalogue(models)
  models.Artist = model "Artist" {
    artistId = column.increment(),
    name = name(120),
    albums = hysteria.hasMany("Album", { foreignKey = "artistId" }),
  }
  models.Album = model "Album" {
    albumId = column.increment(),
    title = name(160, true),
    artistId = reference(true),
    artist = hysteria.belongsTo("Artist", { foreignKey = "artistId" }),
    tracks = hysteria.hasMany("Track", { foreignKey = "albumId" }),
  }
  models.Genre = model "Genre" { genreId = column.increment(), name = name(120) }
  models.MediaType = model "MediaType" { mediaTypeId = column.increment(), name = name(120) }
  models.Track = model "Track" {
    hysteria.index { "albumId" },
    hysteria.index { "genreId" },
    trackId = column.increment(),
    name = name(200, true),
    albumId = reference(),
    mediaTypeId = reference(true),
    genreId = reference(),
    composer = name(220),
    milliseconds = column.integer { nullable = false },
    bytes = column.integer(),
    unitPrice = money(),
    album = hysteria.belongsTo("Album", { foreignKey = "albumId" }),
    genre = hysteria.belongsTo("Genre", { foreignKey = "genreId" }),
    mediaType = hysteria.belongsTo("MediaType", { foreignKey = "mediaTypeId" }),
  }
end

local function define_people(models)
  models.Employee = model "Employee" (with_address {
    employeeId = column.increment(),
    lastName = name(20, true),
    firstName = name(20, true),
    title = name(30),
    reportsTo = reference(),
    birthDate = column.datetime(),
    hireDate = column.datetime(),
    manager = hysteria.belongsTo("Employee", { foreignKey = "reportsTo" }),
    reports = hysteria.hasMany("Employee", { foreignKey = "reportsTo" }),
  })
  models.Customer = model "Customer" (with_address {
    customerId = column.increment(),
    firstName = name(40, true),
    lastName = name(20, true),
    company = name(80),
    supportRepId = reference(),
    supportRep = hysteria.belongsTo("Employee", { foreignKey = "supportRepId" }),
    invoices = hysteria.hasMany("Invoice", { foreignKey = "customerId" }),
  })
end

local function define_sales(models)
  models.Invoice = model "Invoice" {
    hysteria.index { "customerId" },
    invoiceId = column.increment(),
    customerId = reference(true),
    invoiceDate = column.datetime { nullable = false },
    billingAddress = name(70),
    billingCity = name(40),
    billingState = name(40),
    billingCountry = name(40),
    billingPostalCode = name(10),
    total = money(),
    customer = hysteria.belongsTo("Customer", { foreignKey = "customerId" }),
    lines = hysteria.hasMany("InvoiceLine", { foreignKey = "invoiceId" }),
  }
  models.InvoiceLine = model "InvoiceLine" {
    hysteria.index { "invoiceId" },
    hysteria.index { "trackId" },
    invoiceLineId = column.increment(),
    invoiceId = reference(true),
    trackId = reference(true),
    unitPrice = money(),
    quantity = column.integer { nullable = false },
    invoice = hysteria.belongsTo("Invoice", { foreignKey = "invoiceId" }),
    track = hysteria.belongsTo("Track", { foreignKey = "trackId" }),
  }
  models.Playlist = model "Playlist" {
    playlistId = column.increment(),
    name = name(120),
    entries = hysteria.hasMany("PlaylistTrack", { foreignKey = "playlistId" }),
  }
  models.PlaylistTrack = model "PlaylistTrack" {
    hysteria.primaryKey { "playlistId", "trackId" },
    playlistId = reference(true),
    trackId = reference(true),
    playlist = hysteria.belongsTo("Playlist", { foreignKey = "playlistId" }),
    track = hysteria.belongsTo("Track", { foreignKey = "trackId" }),
  }
end

function chinook.define()
  local models = {}
  define_catalogue(models)
  define_people(models)
  define_sales(models)
  return models
end

function chinook.directory()
  return os.getenv("HY_CHINOOK_DIR") or (os.getenv("HY_ROOT") or ".") .. "/../shared/data/chinook"
end

-- The decoded file, or nil and the path that is not there.
function chinook.read(file)
  local path = chinook.directory() .. "/" .. file
  local handle <close> = io.open(path, "rb")
  if not handle then
    return nil, path
  end
  return hysteria.json.decode(handle:read("a"))
end

-- "PostalCode" -> "postalCode": how the members above are called.
function chinook.member(database_name)
  return database_name:sub(1, 1):lower() .. database_name:sub(2)
end

-- One table of the file as rows for insertMany: NULLs left out.
function chinook.rows(entry)
  local rows = {}
  for index, cells in ipairs(entry.rows) do
    local row = {}
    for place, database_name in ipairs(entry.columns) do
      local cell = cells[place]
      if cell ~= hysteria.sql.jsonNull then
        row[chinook.member(database_name)] = cell
      end
    end
    rows[index] = row
  end
  return rows
end

-- The models on this source, their tables made anew and filled from the decoded file.
function chinook.load(ds, data)
  local models, classes = chinook.define(), {}
  for index, class_name in ipairs(chinook.order) do
    models[class_name] = models[class_name]:using(ds)
    classes[index] = models[class_name]
  end
  ds:dropTables(classes, { ifExists = true })
  ds:createTables(classes)
  for _, class_name in ipairs(chinook.order) do
    models[class_name]:insertMany(chinook.rows(data[class_name]), { returning = false })
  end
  return models
end

-- Watches what a source is asked: { count, raw }, raw being the statements with a fragment of raw
-- SQL; reset() begins anew.
function chinook.watch(ds)
  local seen = { count = 0, raw = {} }
  ds:addObserver {
    onAfterQuery = function(event)
      seen.count = seen.count + 1
      if event.raw ~= false then
        seen.raw[#seen.raw + 1] = event.sql
      end
    end,
  }
  function seen.reset()
    seen.count, seen.raw = 0, {}
  end
  return seen
end

local function is_null(value)
  return value == nil or value == hysteria.sql.null or value == hysteria.sql.jsonNull
end

-- Decimals by their text, NULL as false, lists by their items: what two values must have in common.
function chinook.plain(value)
  if is_null(value) then
    return false
  elseif type(value) == "table" then
    local out = {}
    for index, item in ipairs(value) do
      out[index] = chinook.plain(item)
    end
    return out
  end
  return type(value) == "userdata" and tostring(value) or value
end

-- Fields of records, in this order, as a list of lists.
function chinook.table_of(records, ...)
  local out = {}
  for index, record in ipairs(records) do
    local row = {}
    for place, field in ipairs({ ... }) do
      row[place] = chinook.plain(record[field])
    end
    out[index] = row
  end
  return out
end

return chinook
