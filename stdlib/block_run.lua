-- Runs one function of one block: tells the host which phase begins, gives the
-- function p, f and r, turns its end into a result, and tells the host.
local rt = require "rt"
local seal = require "seal"
local task = require "task"
local words = require "words"

local run = {}

local FINDINGS_MAX = 1000 -- of one round; a person reads them

-- ---- what blocks see ----

-- A parameter that is declared and has no value is nil; a name that nobody declared is a mistake.
local function parameters(context)
  local names, known = {}, {}
  for i, name in ipairs(context.meta.params.order or {}) do
    names[i], known[name] = name, true
  end
  return seal.view(context.plain, function(name)
    if known[name] then return end
    local near = rt.nearest(tostring(name), names)
    error(near and rt.text("no_param_near", tostring(name), near) or rt.text("no_param", tostring(name)), 3)
  end)
end

--- r. A result that does not exist ends the reader as skipped, not with a nil error.
function run.results(context)
  return seal.view(context.results, function(name)
    error({ kind = "skip", text = {
      en = rt.text_in("en", "needs_result", tostring(name)), zh = rt.text_in("zh", "needs_result", tostring(name)),
    } }, 0)
  end)
end

-- The host's meta has defaults and marks; the functions are ours.
local function relink(value, own)
  if type(value) ~= "table" or value == rt.null then
    if value == rt.null then return nil end
    return value
  end
  if value["$fn"] then return own end
  local linked = {}
  for key, item in pairs(value) do
    linked[key] = relink(item, type(own) == "table" and own[key] or nil)
  end
  return linked
end

local function own_fields(collected, kind, id)
  for _, block in ipairs(collected.list) do
    if block.block == kind and (id == nil or block.id == id) then return block.fields end
  end
  return {}
end

local kinds = {
  checks = "check", fixes = "fix", steps = "step", findings = "finding", prevents = "prevent", drills = "drill",
  tests = "test",
}

local function relink_meta(meta, collected)
  for list, kind in pairs(kinds) do
    local linked = {}
    for i, block in ipairs(meta[list] or {}) do linked[i] = relink(block, own_fields(collected, kind, block.id)) end
    meta[list] = linked
  end
  for _, field in ipairs { "target", "when" } do
    if meta[field] == rt.null then meta[field] = nil end
  end
end

local function parameter_shapes(meta)
  local shapes = {}
  for name, param in pairs(meta.params or {}) do
    if type(param) == "table" and (param.type == "size" or param.type == "duration") then shapes[name] = param.type end
  end
  return shapes
end

function run.prepare(context, collected, answer)
  context.meta, context.options = answer.meta, answer.options
  relink_meta(context.meta, collected)
  context.finding_by_id, context.finding_ids = {}, {}
  for i, finding in ipairs(context.meta.findings) do
    context.finding_by_id[finding.id] = finding
    context.finding_ids[i] = finding.id
    finding.key = finding.key or {}
  end
  context.shapes = parameter_shapes(context.meta)
  context.results, context.tried, context.round, context.passed_over = {}, {}, 0, {}
  context.found, context.of_steps, context.nows, context.done = {}, {}, {}, {}
  context.mono = function() return task.call("time.mono", {}) end -- recorded: what follows from it must be repeatable
  run.set_params(context, answer.params)
  context.now = function() return run.now(context) end
  context.clock = run.clock
  task.now = context.now
  context.note_finding = function(...) return run.note_finding(context, ...) end
  context.evidence_of = function(id)
    local list = {}
    for _, instance in ipairs(context.found) do
      if instance.id == id then list[#list + 1] = instance.evidence end
    end
    return list
  end
end

-- A secret comes by its name and becomes a token. Only here: what a verb answers is never one.
local function with_tokens(value)
  if type(value) ~= "table" then return value end
  if type(value["$secret"]) == "string" then return rt.secret(value["$secret"]) end
  if not rt.is_array(value) then return value end
  local list = rt.array {}
  for i, item in ipairs(value) do list[i] = with_tokens(item) end
  return list
end

function run.set_params(context, params)
  context.plain = {}
  for name, value in pairs(params) do
    if value ~= rt.null then context.plain[name] = with_tokens(value) end
  end
  context.p = parameters(context)
  context.r = run.results(context)
end

local rehearsed = { fix = true, step = true, undo = true }

function run.clock()
  return task.call("time.now", {})
end

-- Each now() of a block answers live as it did in the rehearsal, so that names made of it are those that people agreed
-- to, however long they thought about it. What measures takes run.clock.
function run.now(context)
  local block = context.block
  if not block or not rehearsed[block.phase] then return run.clock() end
  local name = ("%s %s %s"):format(block.phase, block.id, block.key or "")
  block.nows = (block.nows or 0) + 1
  if not block.rehearse then return (context.nows[name] or {})[block.nows] or run.clock() end
  if block.nows == 1 then context.nows[name] = {} end
  context.nows[name][block.nows] = run.clock()
  return context.nows[name][block.nows]
end

--- Into a list of instances; the same one again has later evidence.
function run.keep_instance(list, instance)
  for i, known in ipairs(list) do
    if known.id == instance.id and known.key == instance.key then
      list[i] = instance
      return
    end
  end
  list[#list + 1] = instance
end

-- What a step found no check looks at again: it stands to the end. In a rehearsal nothing happened yet that could be found.
function run.note_finding(context, block, finding, key, typed, evidence)
  if block.rehearse then return end
  if #context.found >= FINDINGS_MAX then error(rt.text("too_many_findings", FINDINGS_MAX), 0) end
  local sources = { evidence, context.plain, context.results }
  task.call("run.found", {
    id = finding.id, key = key, round = context.round, severity = finding.severity or context.meta.severity,
    title = words.fill(finding.title, sources, context.shapes), evidence = evidence,
    explains = finding.explains, blocks = finding.blocks or false,
    advice = words.fill(finding.advice, sources, context.shapes),
  })
  local instance = { id = finding.id, key = key, typed = typed or "", evidence = evidence }
  run.keep_instance(context.found, instance) -- only what the host took stands
  if block.phase == "step" then run.keep_instance(context.of_steps, instance) end
  block.found = true
end

-- ---- one function ----

local function outcome_of(block, ok, value)
  if ok then
    if block.found then return { result = "found", value = value, text = block.text } end
    return { result = "ok", value = value, text = block.text }
  end
  if value.kind == "skip" then return { result = "skipped", text = value.text } end
  if value.kind == "fail" then return { result = "failed", text = value.text, code = "fail" } end
  if value.kind == "rehearsed" then return { result = "rehearsed" } end
  local code = value.code or value.kind
  local result = code == "unknown" and "unknown" or (code == "forbidden" and "refused") or "failed"
  return { result = result, code = code, error = value.message or tostring(value.kind), at = value.at, verb = value.verb,
    lua = value.kind ~= "verb" or value.verb == "wait" } -- its own time ran out: no target failed to answer
end

-- Results are plain data; a function in one is a bug of the runbook and said so.
local function plain(value)
  if value == nil then return nil end
  local ok, text = pcall(rt.json_encode, value)
  if not ok then return nil, text end
  if #text > 262144 then return nil, rt.text("result_too_large", #text) end
  return value
end

-- What failed after a read that a noted write would have answered differently, says nothing: the rest is not known yet.
local function judged(ended, rehearsal)
  if rehearsal and rehearsal.stale and (ended.result == "failed" or ended.result == "skipped") then return { result = "rehearsed" } end
  return ended
end

-- spec: phase, block (kind), id, key, timeout, title, rehearse, low, sources
local function execute(context, spec, fn, ...)
  task.call("run.enter", {
    phase = spec.phase, block = spec.block, id = spec.id, key = spec.key, timeout = spec.timeout,
    title = spec.title, rehearse = spec.rehearse or false,
  })
  local block = { phase = spec.phase, block = spec.block, id = spec.id, key = spec.key, sources = spec.sources,
    rehearse = spec.rehearse }
  context.block = block
  task.rehearsal = spec.rehearse and { low = spec.low, noted = false, stale = false } or nil
  rt.deadline(spec.timeout, spec.block .. " " .. spec.id)
  local returned = table.pack(task.protect(fn, ...))
  rt.deadline(nil)
  local rehearsal = task.rehearsal
  context.block, task.rehearsal = nil, nil
  local ended = judged(outcome_of(block, returned[1], returned[2]), rehearsal)
  ended.why = returned[3]
  if not returned[1] and block.kept ~= nil then ended.value = block.kept end
  if spec.rehearse then ended.value = nil end -- it may be what a noted write is answered with
  local value, problem = plain(ended.value)
  if problem then ended = { result = "failed", error = problem, code = "lua", lua = true } end
  ended.value = value
  if ended.lua and spec.phase ~= "verify" then context.lua_error = context.lua_error or not spec.rehearse end
  task.call("run.leave", {
    result = spec.result and spec.result(ended) or ended.result, text = ended.text, value = ended.value,
    error = ended.error, code = ended.code, at = ended.at,
  })
  return ended
end

local function keep_result(context, id, ended)
  if ended.value ~= nil then context.results[id:gsub("-", "_")] = ended.value end
end

local function title_of(context, block, sources)
  return words.fill(block.title, sources, context.shapes)
end

function run.check(context, check)
  local sources = { context.plain, context.results }
  context.results[check.id:gsub("-", "_")] = nil
  local ended = execute(context, {
    phase = "check", block = "check", id = check.id, timeout = check.timeout, sources = sources,
    title = title_of(context, check, sources),
  }, check.run, context.p, context.r)
  keep_result(context, check.id, ended)
  ended.id = check.id
  if ended.result == "refused" then ended.result = "failed" end
  return ended
end

--- A person does not want this check; the record says why.
function run.pass_over(context, check, reason)
  context.results[check.id:gsub("-", "_")] = nil
  task.call("run.enter", { phase = "check", block = "check", id = check.id, timeout = check.timeout, title = check.title })
  local text = { en = rt.text_in("en", "passed_over", reason), zh = rt.text_in("zh", "passed_over", reason) }
  task.call("run.leave", { result = "skipped", text = text })
  return { result = "skipped" }
end

--- true, or false and why. A verify that raises counts as not yet.
function run.verify(context, block, kind, instance, evidence)
  local sources = { instance and instance.evidence or {}, context.plain, context.results }
  local args = kind == "step" and { context.p, context.r } or { context.p, evidence, context.r }
  local ended = execute(context, {
    phase = "verify", block = kind, id = block.id, key = instance and instance.key or "", sources = sources,
    timeout = kind == "finding" and 30 or 10,
    result = function(e) return e.result == "ok" and (e.value and "done" or "not_yet") or e.result end,
  }, block.verify, table.unpack(args))
  if ended.result == "ok" and ended.value then return true end
  return false, ended.error or ended.why or ended.text
end

--- What a fix's functions get as f (or fs).
function run.evidence(chosen)
  if not chosen.fix.batch then return chosen.instances[1] and chosen.instances[1].evidence or {} end
  local list = {}
  for i, instance in ipairs(chosen.instances) do list[i] = instance.evidence end
  return list
end

local function arguments(context, chosen)
  if chosen.step then return context.p, context.r end
  return context.p, run.evidence(chosen), context.r
end

local function spec_of(context, chosen, phase)
  return {
    phase = phase, block = chosen.shown.block, id = chosen.fix.id, key = chosen.shown.key,
    timeout = chosen.fix.timeout, title = chosen.shown.title, sources = chosen.sources,
  }
end

function run.guard(context, chosen)
  local ended = execute(context, spec_of(context, chosen, "guard"), chosen.fix.guard, arguments(context, chosen))
  if ended.result == "ok" and ended.value then return true end
  return false, ended.why or ended.error or ended.text
end

--- Run (or undo) up to the first unknown result: the host notes the writes, that is the plan people consent to.
function run.rehearse(context, chosen, undo)
  local spec = spec_of(context, chosen, undo and "undo" or chosen.step and "step" or "fix")
  spec.rehearse, spec.low = true, chosen.shown.risk == "low"
  return execute(context, spec, undo and chosen.fix.undo or chosen.fix.run, arguments(context, chosen))
end

function run.fix(context, chosen)
  local spec = spec_of(context, chosen, chosen.step and "step" or "fix")
  spec.result = function(e) return (e.result == "ok" or e.result == "found") and "done" or e.result end
  local ended = execute(context, spec, chosen.fix.run, arguments(context, chosen))
  keep_result(context, chosen.fix.id, ended)
  if ended.result == "ok" or ended.result == "found" then ended.result = "done" end
  if ended.result == "refused" then context.lua_error = true end -- a bug of the runbook, however clean the end
  if ended.result == "refused" or ended.result == "skipped" then ended.result = "failed" end
  return ended
end

--- Takes back what the block did; how that ended.
function run.undo(context, chosen)
  local spec = spec_of(context, chosen, "undo")
  spec.result = function(e) return e.result == "ok" and "done" or e.result end
  return execute(context, spec, chosen.fix.undo, arguments(context, chosen))
end

--- Offered after a failure, never done by itself. True when it was agreed to and done.
function run.offer_undo(context, chosen)
  if not chosen.fix.undo then return false end
  run.rehearse(context, chosen, true)
  chosen.shown.phase = "undo"
  return task.call("run.confirm", chosen.shown).answer == "yes" and run.undo(context, chosen).result == "ok"
end

function run.when(context, step)
  local ended = execute(context, {
    phase = "guard", block = "step", id = step.id, timeout = 60, sources = { context.plain, context.results },
  }, step.when, context.p, context.r)
  return ended.result == "ok" and ended.value and true or false, ended.result == "ok"
end

--- The questions of a step, with choices that are functions looked up now.
function run.questions(context, step)
  local asks, names = {}, {}
  for name in pairs(step.asks or {}) do names[#names + 1] = name end
  table.sort(names) -- the same calls in the same order, in every life of a run
  for _, name in ipairs(names) do
    local question, copy = step.asks[name], {}
    for key, value in pairs(question) do copy[key] = value end
    if type(question.choices) == "function" then
      local ended = execute(context, {
        phase = "guard", block = "step", id = step.id, timeout = 60, sources = { context.plain, context.results },
      }, question.choices, context.p, context.r)
      copy.choices = ended.value or {}
    end
    copy.title = words.fill(copy.title, { context.plain, context.results }, context.shapes)
    asks[name] = copy
  end
  return asks
end

--- Asks a person. In a drill its block plays the person: a table answers, true has done it, a function does it and returns
--- the answers, false refuses.
function run.ask(context, args)
  local drill = context.drill
  local played = drill and drill.block.answers and drill.block.answers[args.id]
  if played == nil then return task.call("run.ask", args) end
  if args.not_yet ~= nil then return {} end -- asked again: the drill's person has said all there is, and leaves it at that
  if type(played) == "function" then
    local ended = run.drill(context, drill.block, "answers", played, drill.d)
    if ended.result ~= "ok" then error(ended.error or ended.text or ended.result, 0) end
    played = ended.value or {}
  end
  return { answers = played == true and {} or played or nil }
end

--- Does the drill's person refuse this step?
function run.refused(context, id)
  local answers = context.drill and context.drill.block.answers
  return answers ~= nil and answers[id] == false
end

--- Inject and prove of a drill: any verb works.
function run.drill(context, drill, what, fn, ...)
  return execute(context, {
    phase = "inject", block = "drill", id = drill.id, key = what, timeout = drill.timeout or 120,
    sources = { context.plain },
  }, fn, ...)
end

return run
