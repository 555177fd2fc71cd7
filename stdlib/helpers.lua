-- The helpers of language.md 10, bound to one run. They work inside a block; the
-- conductor says which one (context.block) and what it may see.
local rt = require "rt"
local task = require "task"
local words = require "words"

local helpers = {}

-- Ends of a block that are not errors. task.protect passes tables with a kind through.
local function ending(kind, text)
  error({ kind = kind, text = text }, 0)
end

local function inside(context, name)
  if not context.block then error(rt.text("helper_outside", name), 3) end
  return context.block
end

local function filled(context, text, values)
  return words.fill(text, { values or {}, table.unpack(context.block.sources) }, context.shapes)
end

local function key_of(context, id, evidence)
  local finding = context.finding_by_id[id]
  if not finding then
    local near = rt.nearest(id, context.finding_ids)
    error(near and rt.text("no_finding_near", id, near) or rt.text("no_finding", id), 3)
  end
  local parts = {}
  for i, field in ipairs(finding.key) do
    if evidence[field] == nil then error(rt.text("finding_key_missing", id, field), 3) end
    parts[i] = tostring(evidence[field])
  end
  return finding, parts
end

local function add_found(context)
  return function(id, evidence)
    local block = inside(context, "found")
    if block.phase ~= "check" and block.phase ~= "step" then error(rt.text("found_where"), 2) end
    if type(id) ~= "string" then error(rt.text("no_finding", tostring(id)), 2) end
    evidence = evidence or {}
    local finding, parts = key_of(context, id, evidence)
    context.note_finding(block, finding, table.concat(parts, "/"), parts[1], evidence)
  end
end

local function wait_more(context, options, started)
  local within = options.within
  local every = options.every or math.min(5, 1 + (context.clock() - started) / 10)
  return within - (context.clock() - started), every
end

-- Not yet: fn returned nothing true, or raised an error of a verb. Anything else goes up.
local function look(fn)
  local ok, value = task.protect(fn)
  if ok then return value end
  if value.kind == "verb" and not value.fatal then return nil, value.message end
  error(value, 0)
end

local function add_wait_until(context)
  return function(fn, options)
    inside(context, "wait_until")
    options = { within = rt.seconds(options and options.within or "30s"), every = options and options.every and rt.seconds(options.every) }
    local started, reason = context.clock(), nil
    while true do
      local value, why = look(fn)
      if value then return value end
      reason = why or reason
      local left, every = wait_more(context, options, started)
      if left <= 0 then
        error(task.error { code = "timeout", message = rt.text("wait_until_over", options.within, reason or "-"), verb = "wait_until" }, 0)
      end
      task.call("time.wait", { seconds = math.min(left, every) })
    end
  end
end

local function add_progress(context)
  return function(list, text)
    inside(context, "progress")
    local i, total = 0, #list
    return function()
      i = i + 1
      task.call("run.progress", { done = i - 1, total = total, text = filled(context, text) })
      if i <= total then return list[i], i end
    end
  end
end

-- The mistake is the caller's, not the factory's: conductor.lua raises it again at the caller's line.
local function misused(...)
  error({ kind = "factory_options", message = rt.text(...) }, 0)
end

-- Answers of a test, frozen from a run: each is given once, to the call with the same arguments.
local function add_recorded()
  return function(list)
    local used = {}
    return function(args)
      local wanted = rt.json_encode(args)
      for i, one in ipairs(list) do
        if not used[i] and rt.json_encode(one.args) == wanted then
          used[i] = true
          if one.error then error(task.error { code = one.error.code, message = one.error.message }, 0) end
          if one.value == rt.null then return nil end
          return one.value
        end
      end
      error(rt.text("test_not_recorded", wanted), 0)
    end
  end
end

local function add_options()
  return function(given, known)
    for name, value in pairs(given) do
      local shape = known[name]
      if not shape then
        local names = {}
        for other in pairs(known) do names[#names + 1] = other end
        table.sort(names)
        misused("factory_option", name, rt.nearest(name, names) or table.concat(names, ", "))
      end
      local want = shape:gsub("!$", "")
      local fits = want == "any" or type(value) == want or (want == "module" and type(value) == "table")
      if not fits then misused("factory_option_type", name, want, type(value)) end
    end
    for name, shape in pairs(known) do
      if shape:sub(-1) == "!" and given[name] == nil then misused("factory_option_missing", name) end
    end
    return given
  end
end

--- Every helper for one run. context: see conductor.lua.
function helpers.build(context)
  local function say(kind)
    return function(text, values)
      inside(context, kind)
      task.call("run.say", { kind = kind, text = filled(context, text, values) })
    end
  end
  return {
    found = add_found(context),
    findings = function(id) return context.evidence_of(id) end,
    ok = function(text, values) inside(context, "ok").text = filled(context, text, values) end,
    advise = say "advise",
    note = say "note",
    skip = function(text, values) inside(context, "skip") ending("skip", filled(context, text, values)) end,
    fail = function(text, values) inside(context, "fail") ending("fail", filled(context, text, values)) end,
    attach = function(name, value)
      inside(context, "attach")
      task.call("run.attach", { name = name, value = value })
    end,
    keep = function(value) inside(context, "keep").kept = value end,
    try = task.try,
    wait = function(duration)
      inside(context, "wait")
      if task.waits_for_noted() then return end
      task.call("time.wait", { seconds = rt.seconds(duration) })
    end,
    wait_until = add_wait_until(context),
    parallel = function(list, fn, options) return task.parallel(list, fn, options and options.max or 8) end,
    progress = add_progress(context),
    previous = function(id)
      inside(context, "previous")
      local value = task.call("run.previous", { id = id })
      if value == rt.null then return nil end
      return value
    end,
    now = function() return context.now() end,
    options = add_options(),
    recorded = add_recorded(),
  }
end

return helpers
