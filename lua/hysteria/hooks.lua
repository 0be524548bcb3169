-- Hooks: which exist, how a definition keeps them, how they run. Every hook has one shape,
-- fn(subject, ctx); they run in the order in which they were given and a raise aborts. What
-- the subject is, and when it runs, is said where it runs (reading.lua, writing.lua).
local core = require("hysteria.core")
local options = require("hysteria.options")

local hooks = {}

hooks.names = {
  "beforeFetch", "afterFetch",
  "beforeInsert", "afterInsert", "beforeInsertMany", "afterInsertMany",
  "beforeUpdate", "afterUpdate", "beforeSave", "afterSave",
  "beforeDelete", "afterDelete", "beforeSoftDelete", "afterSoftDelete", "beforeRestore", "afterRestore",
  "validate",
}
local EXISTS = options.names(table.unpack(hooks.names))

-- Operation -> the hooks that make its write need a transaction of its own.
local INVOLVED = {
  insert = {
    "validate", "beforeSave", "beforeInsert", "afterInsert", "afterSave", "beforeInsertMany", "afterInsertMany",
  },
  upsert = {
    "validate", "beforeSave", "beforeInsert", "afterInsert", "afterSave", "beforeInsertMany", "afterInsertMany",
    "beforeUpdate", "afterUpdate",
  },
  update = { "validate", "beforeSave", "beforeUpdate", "afterUpdate", "afterSave" },
  delete = { "beforeDelete", "afterDelete" },
  softDelete = { "beforeSoftDelete", "afterSoftDelete", "beforeDelete", "afterDelete" },
  restore = { "beforeRestore", "afterRestore" },
}

function hooks.need(name, what)
  options.need_type(name, "string", "hook", what)
  if not EXISTS[name] then
    core.raise("UNKNOWN_OPTION", ("no hook `%s`%s"):format(name, options.hint(name, hooks.names)))
  end
end

function hooks.add(definition, name, fn)
  local list = definition.hooks[name]
  if list == nil then
    list = {}
    definition.hooks[name] = list
  end
  list[#list + 1] = fn
end

-- Does a write of this operation run hooks, seen as a whole?
function hooks.involved(definition, operation)
  for _, name in ipairs(INVOLVED[operation]) do
    if definition.hooks[name] then
      return true
    end
  end
  return false
end

-- `ignoreHooks` as given -> nil, true or a set of names.
function hooks.ignored(given, what)
  if given == nil or given == false then
    return nil
  end
  if given == true then
    return true
  end
  local set = {}
  for _, name in ipairs(options.name_list(given, "ignoreHooks", what)) do
    hooks.need(name, what)
    set[name] = true
  end
  return set
end

-- The list to run, or nil.
function hooks.of(definition, name, ignored)
  local list = definition.hooks[name]
  if list == nil or ignored == true or (ignored and ignored[name]) then
    return nil
  end
  return list
end

-- Is there a hook of one of these names to run?
function hooks.any(definition, ignored, ...)
  for index = 1, select("#", ...) do
    if hooks.of(definition, (select(index, ...)), ignored) then
      return true
    end
  end
  return false
end

function hooks.run(definition, name, ignored, subject, ctx)
  local list = hooks.of(definition, name, ignored)
  if list then
    for index = 1, #list do
      list[index](subject, ctx)
    end
  end
end

-- The hooks after a write of `result`, rows or their number; where that is none, nothing has happened.
-- They find the number in ctx.count.
function hooks.after(definition, names, ignored, subject, ctx, result)
  ctx.count = type(result) == "table" and #result or result
  for _, name in ipairs(ctx.count > 0 and names or {}) do
    hooks.run(definition, name, ignored, subject, ctx)
  end
end

return hooks
