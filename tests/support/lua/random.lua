-- Random choices that a seed repeats on any machine. math.random stays busted's, which shuffles
-- with it.
local random = {}
random.__index = random

function random.new(seed)
  return setmetatable({ state = seed }, random)
end

-- The seed that HY_SEED asks for, else this one.
function random.seed(default)
  return math.tointeger(tonumber(os.getenv("HY_SEED"))) or default
end

-- splitmix64
local function step(self)
  self.state = self.state + 0x9E3779B97F4A7C15
  local z = self.state
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return z ~ (z >> 31)
end

-- From 1 to n, or from `first` to n.
function random:int(first, n)
  if n == nil then
    first, n = 1, first
  end
  return first + (step(self) >> 1) % (n - first + 1)
end

function random:chance(one_in)
  return self:int(one_in) == 1
end

function random:pick(list)
  return list[self:int(#list)]
end

-- A key of { key = weight, ... } given as a list of { key, weight }.
function random:weighted(list)
  local total = 0
  for _, entry in ipairs(list) do
    total = total + entry[2]
  end
  local at = self:int(total)
  for _, entry in ipairs(list) do
    at = at - entry[2]
    if at <= 0 then
      return entry[1]
    end
  end
end

return random
