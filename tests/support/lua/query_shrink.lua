-- Descriptions of random queries (query_grammar.lua): printed, and made as small as they get while
-- a fault stays. Knows nothing of what they mean: they are plain tables.
local shrink = {}

function shrink.show(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts, keys = {}, {}
  for key in next, value do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for _, key in ipairs(keys) do
    parts[#parts + 1] = (type(key) == "number" and "" or key .. " = ") .. shrink.show(value[key])
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function copy(value)
  if type(value) ~= "table" or getmetatable(value) then
    return value
  end
  local made = {}
  for key, entry in next, value do
    made[key] = copy(entry)
  end
  return made
end

-- fn(smaller) for the query with one part left out: a clause, or an entry of a list.
local function each_smaller(d, fn)
  local function walk(node)
    local keys = {}
    for key in next, node do
      keys[#keys + 1] = key
    end
    for _, key in ipairs(keys) do
      local value = node[key]
      if math.type(key) == "integer" then
        if #node > 1 and type(value) == "table" then
          table.remove(node, key)
          if fn(copy(d)) then
            return true
          end
          table.insert(node, key, value)
        end
      elseif key ~= "kind" and key ~= "alias" then
        node[key] = nil
        if fn(copy(d)) then
          return true
        end
        node[key] = value
      end
      if type(value) == "table" and not getmetatable(value) and walk(value) then
        return true
      end
    end
  end
  return walk(d)
end

-- The smallest query found for which still_wrong(query) holds.
function shrink.shrink(d, still_wrong)
  local tries = 0
  local smaller = copy(d)
  repeat
    local found
    each_smaller(copy(smaller), function(candidate)
      tries = tries + 1
      local ok, wrong = pcall(still_wrong, candidate)
      if ok and wrong then
        found = candidate
        return true
      end
      return tries > 400
    end)
    smaller = found or smaller
  until not found or tries > 400
  return smaller
end

return shrink
