-- Reading in parts: pages by number, pages by cursor, chunks. The last two go on where the last
-- row stood: its place in the order, made unique by the primary key, becomes a condition. Rows
-- that come and go meanwhile shift nothing.
local core = require("hysteria.core")
local options = require("hysteria.options")
local preload = require("hysteria.preload")
local reading = require("hysteria.reading")
local running = require("hysteria.running")
local state = require("hysteria.state")

local methods = core.queryMethods
local about_query = methods._about
local null = core.null

local READ = options.names("trx", "timeout", "ignoreHooks", "track")
local PAGE = options.names(READ, "total", "key")
local CHUNK = options.names(READ, "key")

local function refuse(what, text, ...)
  core.raise("INVALID_ARGUMENT", what .. ": " .. text:format(...))
end

local function need_page(value, name, what)
  options.need(value, name, what)
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole or whole < 1 then
    core.raise("INVALID_PAGINATION_PARAMETERS", ("%s: %s must be a whole number from 1 on"):format(what, name))
  end
  return whole
end

-- ---- pages by number --------------------------------------------------------------------------

-- paginate(page, perPage) -> { data, paginationMetadata }. A query with a limit has pages of that.
function methods.paginate(q, page, per_page, given)
  page, per_page = need_page(page, "page", "paginate"), need_page(per_page, "perPage", "paginate")
  given = options.check(given, READ, "paginate")
  q = reading.asked(q)
  local both = running.budget(given, select(2, about_query(q)))
  local limit, offset = q:_window()
  local start = (page - 1) * per_page
  if start // per_page ~= page - 1 then
    core.raise("INVALID_PAGINATION_PARAMETERS", "paginate: there cannot be so many rows")
  end
  local take = limit and math.max(0, math.min(per_page, limit - start)) or per_page
  local total = methods._total(q, both(), "paginate")
  local data = {}
  if take > 0 then
    data = methods.many(q:clone():limit(take):offset(start + (offset or 0)), both())
  end
  local last = math.max(1, (total + per_page - 1) // per_page)
  return {
    data = data,
    paginationMetadata = {
      total = total, perPage = per_page, currentPage = page, firstPage = 1, lastPage = last, isEmpty = total == 0,
      hasMorePages = page < last, hasPages = total > per_page,
    },
  }
end

-- ---- the order --------------------------------------------------------------------------------

-- Values of these do not come back as they are compared.
local UNFIT = {
  float = "is a FLOAT, which equals no number it is compared with: order by a double or a decimal",
  json = "is JSON, which has no order", jsonb = "is JSON, which has no order",
  array = "is an array", binary = "holds bytes", varbinary = "holds bytes", blob = "holds bytes",
}
local LOSSY = { number = true, table = true }
local PLACES = { mysql = true, mariadb = true } -- they order an enum by its list, and compare it as text

local function own_column(definition, name, dialect, what)
  local made = definition.by_property[name] or definition.by_database[name]
  if not made then
    refuse(what, "`%s` is no column of %s, and only its own columns can order the parts", name, definition.name)
  elseif UNFIT[made.kind] then
    refuse(what, "column `%s` %s", name, UNFIT[made.kind])
  elseif LOSSY[made.as] then
    refuse(what, "column `%s` is read as = %q, by which its place is not known exactly", name, made.as)
  elseif made.kind == "enum" and PLACES[dialect] then
    refuse(what, "column `%s` is an enum, which %s orders by its list of values and compares as text", name, dialect)
  end
  return made.property
end

local function key_names(definition, given, what)
  if given.key ~= nil then
    local names = options.name_list(given.key, "key", what)
    if #names == 0 then
      refuse(what, "key is empty")
    end
    return names
  elseif not definition then
    core.raise("PRIMARY_KEY_NOT_FOUND", what .. " of a plain table needs option `key`: columns that are unique")
  elseif #definition.keys == 0 then
    core.raise("PRIMARY_KEY_NOT_FOUND", ("%s: %s has no primary key"):format(what, definition.name),
      { model = definition.name })
  end
  return definition.keys
end

-- Beside joined tables a column of a plain table is called by its table as well.
local function plain_name(q, name)
  if q:_has("join") and not name:find(".", 1, true) then
    return q:_base() .. "." .. name
  end
  return name
end

-- What decides the order, to the last tie: { name, descending, nulls, nulls_first, nullable }.
local function ordering(q, definition, given, handle, dialect, what)
  for _, part in ipairs({ "group", "distinct", "set" }) do
    if q:_has(part) then
      refuse(what, "the rows of a query with groupBy, distinct or a union have no key to go on from: use paginate")
    end
  end
  local list, seen, nulls_last = q:_order(), {}, handle:sortsNullsLast()
  for _, by in ipairs(list) do
    if not by.name then
      refuse(what, "the query is ordered by something that is no column of its own table")
    end
    by.name = definition and own_column(definition, by.name, dialect, what) or plain_name(q, by.name)
    seen[by.name] = true
  end
  local descending = #list > 0 and list[#list].descending
  for _, name in ipairs(key_names(definition, given, what)) do
    name = definition and own_column(definition, name, dialect, what) or plain_name(q, name)
    if not seen[name] then
      list[#list + 1] = { name = name, descending = descending, is_key = true }
    end
  end
  local frozen = definition and q:_model()
  for _, by in ipairs(list) do
    local column = frozen and frozen:column(by.name)
    by.assumed = by.is_key and not definition -- to have no NULL, or no index would help
    by.nullable = not (column and (column.notNull or column.primary)) and not by.assumed
    if by.nulls then
      by.nulls_first = by.nulls == "first"
    else
      by.nulls_first = by.descending == nulls_last
    end
  end
  return list
end

local OPPOSITE = { first = "last", last = "first" }

local function reversed(list)
  local back = {}
  for index, by in ipairs(list) do
    back[index] = {
      name = by.name, descending = not by.descending, nulls = OPPOSITE[by.nulls], nulls_first = not by.nulls_first,
      nullable = by.nullable, assumed = by.assumed,
    }
  end
  return back
end

-- ---- the condition ----------------------------------------------------------------------------

-- Rows whose column stands behind the value. False: there cannot be any.
local function add_behind(q, by, value)
  if value == null then
    if not by.nulls_first then
      return false
    end
    q:whereNotNull(by.name)
    return true
  end
  q:where(by.name, by.descending and "<" or ">", value)
  if by.nullable and not by.nulls_first then
    q:orWhereNull(by.name)
  end
  return true
end

-- Rows behind the place: behind it by the first column, or level there and behind by the next.
local function add_place(q, list, values, index)
  local by, value = list[index], values[index]
  q:where(function(either)
    local any = add_behind(either, by, value)
    if index < #list then
      either[any and "orWhere" or "where"](either, function(level)
        level:where(by.name, value)
        add_place(level, list, values, index + 1)
      end)
    end
  end)
end

local function from_place(q, list, values)
  local by, value = list[1], values[1]
  -- Says the same as what follows, in a way that an index can use.
  if #list > 1 and value ~= null and not (by.nullable and not by.nulls_first) then
    q:where(by.name, by.descending and "<=" or ">=", value)
  end
  add_place(q, list, values, 1)
end

-- ---- one part ---------------------------------------------------------------------------------

local function names_of(list)
  local names = {}
  for index, by in ipairs(list) do
    names[index] = by.name
  end
  return names
end

local function place_of(row, list)
  local values = {}
  for index, by in ipairs(list) do
    local value = rawget(row, by.field)
    if value == nil then
      value = null
    end
    values[index] = value
  end
  return values
end

-- Behind the last row of a part there may be one at the same place, which the next would leave out.
local function check_unique(rows, count, list, what)
  if #rows <= count then
    return
  end
  local last, behind = place_of(rows[count], list), place_of(rows[count + 1], list)
  for index = 1, #list do
    if last[index] ~= behind[index] then
      return
    end
  end
  refuse(what, "rows have the same key, so that some would be left out: a join doubles them, or `key` is not unique")
end

-- At the end: is there a row that no condition on the key could find? Its NULL would stand behind all.
local function check_key(part, given, what)
  for _, by in ipairs(part.order) do
    if by.assumed and not by.nulls_first then
      local lost = part.query:clone():clearOrderBy():clearLimit():clearOffset()
      lost:_guard(lost.whereNull, by.name)
      if methods.exists(lost, { trx = given.trx, timeout = given.timeout, ignoreHooks = given.ignoreHooks }) then
        refuse(what, "rows have NULL in `%s` of the key and would be left out: order by that column, or leave them "
          .. "out by whereNotNull", by.name)
      end
    end
  end
end

local function joined(some, more)
  if some and more then
    return table.move(more, 1, #more, #some + 1, some)
  end
  return some or more
end

local PLACE = "hysteria_place_"

local function is_qualified(by)
  return by.name:find(".", 1, true) ~= nil
end

-- Rows of a plain table that say which fields they have, or have two of one name, get what orders them once
-- more, under names of its own: taken out again by strip_places().
local function add_places(q, list)
  local qualified = false
  for _, by in ipairs(list) do
    qualified = qualified or is_qualified(by)
  end
  if qualified and not q:_has("select") then
    q:select("*")
  end
  local apart = q:_has("select")
  for index, by in ipairs(list) do
    by.field = apart and PLACE .. index or by.name
    if apart then
      q:select { by.name, by.field }
    end
  end
  return apart
end

local function strip_places(rows, list)
  for _, row in ipairs(rows) do
    for _, by in ipairs(list) do
      row[by.field] = nil
    end
  end
end

-- Up to `count` rows behind the place (nil: from the start) in the order of `list`; `turn` reverses
-- them. Gives the rows, whether there are more, and the places of the first and the last of them.
local function read_part(part, given, what)
  local q, list = part.query:clone(), part.order
  local class, extra = about_query(q)
  local definition = class and class._definition
  q:clearOrderBy():clearLimit():clearOffset():limit(part.count + 1)
  if part.offset then
    q:offset(part.offset)
  end
  for _, by in ipairs(list) do
    by.field = by.name
    q:orderBy(by.name, by.descending and "desc" or "asc", by.nulls and { nulls = by.nulls } or nil)
  end
  local apart = not definition and add_places(q, list)
  if part.place then
    q:_guard(from_place, list, part.place)
  end
  local prepared, handle, opts, run = reading.begin_rows(q, definition, extra, given, what)
  if definition then
    local added
    prepared, added = preload.with_keys(prepared, q, definition, names_of(list))
    run.prepared, run.added = prepared, joined(run.added, added)
  end
  local rows = core.fetch(handle, prepared, opts)
  local more = #rows > part.count
  check_unique(rows, part.count, list, what)
  if not more then
    check_key(part, given, what)
  end
  rows[part.count + 1] = nil
  if part.turn then
    for index = 1, #rows // 2 do
      rows[index], rows[#rows + 1 - index] = rows[#rows + 1 - index], rows[index]
    end
  end
  local first = rows[1] and place_of(rows[1], list)
  local last = rows[1] and place_of(rows[#rows], list)
  if apart then
    strip_places(rows, list)
  elseif definition then
    rows = reading.treat(rows, definition, run)
    if not run.loads then
      preload.strip(rows, run.added)
    end
  end
  return rows, more, first, last
end

-- ---- cursors ----------------------------------------------------------------------------------

-- Anybody can read a cursor that no key encrypts.
local function refuse_secrets(definition, list, what)
  for _, by in ipairs(list) do
    local made = definition.by_property[by.name]
    if made.hidden or made.sensitive then
      refuse(what, "column `%s` is %s and its value would stand in the cursor: the configuration needs a cursorKey",
        by.name, made.hidden and "hidden" or "sensitive")
    end
  end
end

-- What a cursor belongs to: the table and its order.
local function fingerprint(q, definition, list)
  local words = { definition and definition.name or q:_table() or "?" }
  for _, by in ipairs(list) do
    words[#words + 1] = ("%s%s%s"):format(by.descending and "-" or "+", by.nulls_first and "^" or "_", by.name)
  end
  return table.concat(words, " ")
end

local function packed(value, what)
  local kind = math.type(value)
  if value == null then
    return core.jsonNull
  elseif kind == "float" then
    if value ~= value or value == math.huge or value == -math.huge then
      refuse(what, "the order has a number that is none")
    end
    return { f = options.pointed(("%.17g"):format(value)) }
  elseif core.isDecimal(value) then
    return { d = tostring(value) }
  elseif kind or type(value) == "boolean" or (type(value) == "string" and utf8.len(value)) then
    return value
  end
  refuse(what, "the order has a value that no cursor can hold")
end

-- nil: no value that was packed.
local function unpacked(value)
  if value == core.jsonNull then
    return null
  elseif type(value) ~= "table" then
    return value
  elseif type(value.f) == "string" then
    return tonumber(value.f)
  end
  local fine, number = pcall(core.decimal, type(value.d) == "string" and value.d or nil)
  return fine and number or nil
end

-- The table that a cursor's text says, or nil: without a key anybody can make one.
local function decoded(text)
  local fine, parts = pcall(core.jsonDecode, text)
  return fine and type(parts) == "table" and type(parts[3]) == "table" and parts or nil
end

local function seal(place, back, list, print, key, what)
  if not place then
    return nil
  end
  local values = {}
  for index = 1, #list do
    values[index] = packed(place[index], what)
  end
  local text = core.jsonEncode({ back and 1 or 0, print, core.array(values) })
  return key and core.encrypt(key, text, "cursor") or core.token(text)
end

local function invalid(what, why)
  core.raise("INVALID_PAGINATION_PARAMETERS", ("%s: the cursor %s"):format(what, why))
end

-- The place in a cursor and whether it looks back.
local function unseal(cursor, list, print, key, what)
  options.need_name(cursor, "cursor", what)
  local fine, text
  if key then
    fine, text = pcall(core.decrypt, { key }, cursor, "cursor")
  else
    fine, text = true, core.untoken(cursor)
  end
  if not fine or not text then
    invalid(what, "is not as it was given out")
  end
  local parts = decoded(text) or invalid(what, "is not as it was given out")
  if parts[2] ~= print or #parts[3] ~= #list then
    invalid(what, "belongs to a query with another table or order")
  end
  local place = {}
  for index = 1, #list do
    local value = unpacked(parts[3][index])
    if value == nil then
      invalid(what, "is not as it was given out")
    end
    place[index] = value
  end
  return place, parts[1] == 1
end

-- paginateWithCursor(limit, cursor?, options?) -> { data, paginationMetadata }. The cursor is one that a
-- page before gave as nextCursor or previousCursor; without it the first page.
function methods.paginateWithCursor(q, limit, cursor, given)
  local what = "paginateWithCursor"
  local class, extra, frozen = about_query(q)
  if type(cursor) == "table" and given == nil then
    cursor, given = nil, cursor
  end
  limit = need_page(limit, "limit", what)
  given = options.check(given, PAGE, what)
  q = reading.asked(q)
  if q:_has("limit") then
    refuse(what, "the query has a limit or offset of its own")
  end
  local definition = class and class._definition
  local handle, _, ds = running.target(definition, frozen and state.source_of[frozen], extra, { trx = given.trx })
  local list = ordering(q, definition, given, handle, ds:getDbType(), what)
  local print, key = fingerprint(q, definition, list), ds:_cursorKey()
  if definition and not key then
    refuse_secrets(definition, list, what)
  end
  local both = running.budget({
    trx = given.trx, timeout = given.timeout, ignoreHooks = given.ignoreHooks, track = given.track }, extra)
  local place, back
  if cursor ~= nil then
    place, back = unseal(cursor, list, print, key, what)
  end
  local rows, more, first, last = read_part({
    query = q, order = back and reversed(list) or list, place = place, count = limit, turn = back,
  }, both(), what)
  local before, behind = back and more or not back and place ~= nil, back or more
  return {
    data = rows,
    paginationMetadata = {
      perPage = limit, isEmpty = #rows == 0, hasMorePages = behind and first ~= nil,
      hasPreviousPages = before and first ~= nil,
      nextCursor = behind and seal(last, false, list, print, key, what) or nil,
      previousCursor = before and seal(first, true, list, print, key, what) or nil,
      total = given.total and methods._total(q, both(), what) or nil,
    },
  }
end

-- ---- chunks -----------------------------------------------------------------------------------

-- for list in q:chunk(size) do ... end: all rows, so many at a time, each time by a query of its own.
function methods.chunk(q, size, given)
  local what = "chunk"
  size = options.need_count(size, 1, "size", what)
  given = options.check(given, CHUNK, what)
  q = reading.asked(q)
  local class, extra, frozen = about_query(q)
  local definition = class and class._definition
  local handle, _, ds = running.target(definition, frozen and state.source_of[frozen], extra, { trx = given.trx })
  local part = { query = q:clone(), order = ordering(q, definition, given, handle, ds:getDbType(), what) }
  local left, offset = q:_window()
  part.offset = offset
  local own = { trx = given.trx, timeout = given.timeout, ignoreHooks = given.ignoreHooks, track = given.track }
  local ended = left == 0
  return function()
    if ended then
      return nil
    end
    part.count = left and math.min(size, left) or size
    local rows, more, _, last = read_part(part, own, what)
    part.place, part.offset = last, nil
    left = left and left - part.count
    ended = not more or left == 0
    return last and rows or nil
  end
end

methods.chunkById = methods.chunk -- there is no other
