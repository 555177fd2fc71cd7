-- How a run goes (language.md 1): diagnose, then answer findings by fixes, or go
-- through steps; verify; diagnose again; end. One function a stage.
local blocks_run = require "block_run"
local rt = require "rt"
local task = require "task"
local words = require "words"

local flow = {}

local MAX_ROUNDS = 100 -- a runbook whose fixes never settle ends instead of turning for ever
local STALE_SECONDS = 30 -- design.md 3, promise 5

local function instance_name(instance)
  return instance.key ~= "" and instance.id .. "/" .. instance.key or instance.id
end

-- ---- diagnosis ----

local function contains(list, word)
  for _, item in ipairs(list or {}) do
    if item == word then return true end
  end
  return false
end

-- Findings that count: those that explain nothing, and causes whose symptom counts.
local function standing(context)
  local by_id = {}
  for _, instance in ipairs(context.found) do by_id[instance.id] = true end
  local function counts(id, depth)
    local cause_of = context.finding_by_id[id].explains
    if not by_id[id] or depth > 10 then return false end
    return cause_of == nil or cause_of == rt.null or counts(cause_of, depth + 1)
  end
  local list = {}
  for _, instance in ipairs(context.found) do
    if counts(instance.id, 0) then list[#list + 1] = instance end
  end
  return list
end

local function stands(list, id)
  for _, instance in ipairs(list) do
    if instance.id == id then return true end
  end
  return false
end

-- One round of all checks. Returns the standing instances and the errors of failed checks.
local function look(context)
  context.round = context.round + 1
  context.found = {}
  local failed = {}
  for _, check in ipairs(context.meta.checks) do
    local when = check.when and check.when[1]
    if not when or stands(standing(context), when) then
      local ended = blocks_run.check(context, check)
      if ended.result == "failed" then failed[#failed + 1] = ended end
    end
  end
  return failed
end

-- Gone = no check finds it any more, and its verify holds. Only asked once something was written.
local function still_unverified(context, before)
  local list = {}
  for _, instance in ipairs(before) do
    local finding = context.finding_by_id[instance.id]
    local now_found = stands(context.found, instance.id)
    if finding.verify and not now_found and not list[instance.id] then
      list[instance.id] = true
      local ok, why = blocks_run.verify(context, finding, "finding", instance, instance.evidence)
      if not ok then
        instance.why = why
        list[#list + 1] = instance
      end
    end
  end
  return list
end

local function diagnose(context)
  local before = context.standing or {}
  local failed = look(context)
  if context.wrote then
    for _, instance in ipairs(still_unverified(context, before)) do context.found[#context.found + 1] = instance end
  end
  context.standing = standing(context)
  context.failed_checks = failed
  context.looked_at = context.mono()
  local names = rt.array {}
  for i, instance in ipairs(context.standing) do names[i] = { id = instance.id, key = instance.key } end
  task.call("run.diagnosis", { round = context.round, standing = names, failed = #failed })
  return context.standing
end

local function blocked(context)
  for _, instance in ipairs(context.standing) do
    if context.finding_by_id[instance.id].blocks then return true end
  end
  return false
end

-- ---- fixes ----

local function fix_sources(context, fix, instances)
  local sources = {}
  if fix.batch then
    local list = {}
    for i, instance in ipairs(instances) do list[i] = instance.evidence.path or instance.key end
    sources[1] = { n = #instances, path = list }
  end
  sources[#sources + 1] = instances[1] and instances[1].evidence or {}
  sources[#sources + 1] = context.plain
  sources[#sources + 1] = context.results
  return sources
end

-- What is typed for high risk: the fix's own key text, else the count of a batch, else the first key field.
local function typed_key(fix, instances, sources)
  if fix.key then return tostring(words.fill("{" .. fix.key .. "}", sources)) end
  if fix.batch then return tostring(#instances) end
  return instances[1] and instances[1].typed ~= "" and instances[1].typed or fix.id
end

local function offer(context, fix, instances)
  local sources = fix_sources(context, fix, instances)
  local function text(field) return words.fill(fix[field], sources, context.shapes) end
  return {
    fix = fix, instances = instances, sources = sources,
    shown = {
      fix = fix.id, block = "fix", key = fix.batch and tostring(#instances) or instances[1] and instances[1].key or "",
      ["for"] = instances[1] and instance_name(instances[1]) or "", risk = fix.risk or "low",
      typed = typed_key(fix, instances, sources), title = text "title" or fix.id, why = text "why",
      no_undo = text "no_undo", undo = fix.undo ~= nil, confirm = text "confirm",
      by_hand = not fix.run and text "by_hand" or nil,
    },
  }
end

local function matching(context, fix)
  local list = {}
  for _, instance in ipairs(context.standing) do
    if contains(fix.when, instance.id) and not context.tried[fix.id .. " " .. instance_name(instance)] then
      list[#list + 1] = instance
    end
  end
  return list
end

-- In the order of the file; that is the order of safety.
local function offers(context)
  local list = {}
  for _, fix in ipairs(context.meta.fixes) do
    local instances = matching(context, fix)
    if contains(fix.when, "asked") then
      if not context.tried[fix.id] then
        local one = offer(context, fix, {})
        one.shown.asked = true
        list[#list + 1] = one
      end
    elseif fix.batch and #instances > 0 then
      list[#list + 1] = offer(context, fix, instances)
    else
      for _, instance in ipairs(instances) do list[#list + 1] = offer(context, fix, { instance }) end
    end
  end
  return list
end

local function mark_tried(context, chosen)
  if #chosen.instances == 0 then context.tried[chosen.fix.id] = true end
  for _, instance in ipairs(chosen.instances) do
    context.tried[chosen.fix.id .. " " .. instance_name(instance)] = true
  end
end

-- A guard that says no greys the offer, with its reason.
local function look_at_guards(context, list)
  for _, one in ipairs(list) do
    if one.fix.guard then
      local ok, why = blocks_run.guard(context, one)
      if not ok then one.shown.grey = why or rt.text("guard_no") end
    end
  end
end

local function choose(context, list)
  local shown = rt.array {}
  for i, one in ipairs(list) do shown[i] = one.shown end
  local answer = task.call("run.offer", { offers = shown })
  for _, one in ipairs(list) do
    if one.shown.fix == answer.fix and one.shown.key == (answer.key or one.shown.key) then return one end
  end
  return nil
end

local function same_still_standing(context, chosen)
  if #chosen.instances == 0 then return true end
  for _, instance in ipairs(context.standing) do
    for _, wanted in ipairs(chosen.instances) do
      if instance_name(instance) == instance_name(wanted) then return true end
    end
  end
  return false
end

local function gone_or_explained_gone(context, instances)
  for _, instance in ipairs(instances) do
    for _, now in ipairs(context.standing) do
      if now.id == instance.id and now.key == instance.key then return false end
    end
  end
  return true
end

-- Looks until the fix has done its part or its time is over; leaves a fresh diagnosis behind.
local function verify_fix(context, chosen)
  local fix, started = chosen.fix, context.mono()
  local within, pause = fix.within or 0, 1
  while true do
    local ok, why
    if fix.verify then
      ok, why = blocks_run.verify(context, fix, "fix", chosen.instances[1], blocks_run.evidence(chosen))
    end
    diagnose(context)
    if not fix.verify then ok = gone_or_explained_gone(context, chosen.instances) end
    if ok then return true end
    if context.mono() - started >= within then return false, why end
    task.call("time.wait", { seconds = math.min(pause, math.max(0.1, within - (context.mono() - started))) })
    pause = math.min(5, pause + 1)
  end
end

local function by_hand(context, chosen)
  local fix = chosen.fix
  local answer = task.call("run.ask", {
    block = "fix", id = fix.id, key = chosen.shown.key, title = chosen.shown.title,
    text = words.fill(fix.by_hand, chosen.sources, context.shapes), asks = fix.asks or {},
  })
  return answer.answers ~= nil
end

-- Consent, then the fix itself. Returns "done", "failed", "declined", "person" or "unknown".
local function carry_out(context, chosen)
  local fix = chosen.fix
  if not fix.run then
    if not by_hand(context, chosen) then return "person" end
    context.wrote = true
    return "done"
  end
  blocks_run.rehearse(context, chosen)
  local answer = task.call("run.confirm", chosen.shown)
  if answer.answer ~= "yes" then return answer.answer == "no" and "declined" or "person" end
  context.wrote = true
  return blocks_run.fix(context, chosen).result
end

local function record_fix(context, chosen, result, verified, why)
  context.fix_failed = context.fix_failed or result == "failed" or (result == "done" and not verified)
  task.call("run.fixed", {
    id = chosen.fix.id, ["for"] = chosen.shown["for"], key = chosen.shown.key,
    result = result == "done" and not verified and "not_verified" or result, why = why,
  })
end

-- One fix from choice to verdict. False when the run must stop here.
local function one_fix(context, chosen)
  if context.mono() - context.looked_at > STALE_SECONDS then
    diagnose(context)
    if not same_still_standing(context, chosen) then return true end
  end
  local result = carry_out(context, chosen)
  mark_tried(context, chosen)
  if result == "declined" then return true end
  if result == "person" then
    context.waiting = chosen
    return false
  end
  local verified, why = verify_fix(context, chosen)
  if result == "unknown" and verified then result = "done" end
  record_fix(context, chosen, result, verified, why)
  if result == "unknown" then
    context.unknown = true
    return false
  end
  return result == "done" or task.call("run.go_on", { after = chosen.fix.id }).yes
end

local function answer_findings(context)
  for _ = 1, MAX_ROUNDS do
    if #context.standing == 0 or blocked(context) then return end
    local list = offers(context)
    look_at_guards(context, list)
    if #list == 0 then return end
    local chosen = choose(context, list)
    if not chosen then
      context.left = list
      return
    end
    if not one_fix(context, chosen) then
      context.left = offers(context)
      return
    end
  end
end

-- ---- steps ----

local function step_needed(context, step)
  if step.when == nil then return true end
  if type(step.when) == "function" then return blocks_run.when(context, step) end
  for _, id in ipairs(step.when) do
    if stands(context.standing, id) then return true end
  end
  return false
end

local function step_offer(context, step)
  local sources = { context.plain, context.results }
  local function text(field) return words.fill(step[field], sources, context.shapes) end
  return {
    fix = step, instances = {}, sources = sources, step = true,
    shown = {
      fix = step.id, block = "step", key = "", risk = step.risk or "low", title = text "title" or step.id,
      why = text "why", no_undo = text "no_undo", undo = step.undo ~= nil, confirm = text "confirm",
      typed = step.key and words.fill("{" .. step.key .. "}", sources) or step.id,
    },
  }
end

local function ask_step(context, step, one)
  local asks = blocks_run.questions(context, step)
  local answer = task.call("run.ask", {
    block = "step", id = step.id, key = "", title = one.shown.title,
    text = words.fill(step.by_hand, one.sources, context.shapes), asks = asks,
  })
  if not answer.answers then return "person" end
  context.results[step.id:gsub("-", "_")] = answer.answers
  return "done"
end

local function verify_step(context, step, one)
  if not step.verify then return true end
  local started, pause = context.mono(), 1
  while true do
    local ok, why = blocks_run.verify(context, step, "step", nil, nil)
    if ok then return true end
    if context.mono() - started >= (step.within or 0) then return false, why end
    task.call("time.wait", { seconds = pause })
    pause = math.min(5, pause + 1)
  end
end

local function run_step(context, step)
  local one = step_offer(context, step)
  if not step.run then return ask_step(context, step, one) end
  blocks_run.rehearse(context, one)
  local answer = task.call("run.confirm", one.shown)
  if answer.answer ~= "yes" then return answer.answer == "no" and "declined" or "person" end
  context.wrote = true
  local result = blocks_run.fix(context, one).result
  if result ~= "done" and result ~= "unknown" then return result end
  local verified, why = verify_step(context, step, one)
  if verified and (result == "done" or step.verify) then return "done" end
  return result == "unknown" and "unknown" or "not_verified", why
end

local function undo_finished(context, done)
  for i = #done, 1, -1 do
    local step = done[i]
    if step.undo then
      local one = step_offer(context, step)
      one.shown.phase = "undo"
      if task.call("run.confirm", one.shown).answer ~= "yes" then return end
      if blocks_run.undo(context, one).result ~= "done" then return end
    end
  end
end

local function go_through_steps(context)
  local done = {}
  for _, step in ipairs(context.meta.steps) do
    if step_needed(context, step) then
      local result, why = run_step(context, step)
      task.call("run.stepped", { id = step.id, result = result, why = why })
      if result == "done" then
        done[#done + 1] = step
      elseif not (step.optional and result ~= "unknown") then
        context.step_stopped = result
        if result ~= "person" then undo_finished(context, done) end
        return
      elseif result ~= "declined" then
        context.fix_failed = true
      end
    else
      task.call("run.stepped", { id = step.id, result = "not_needed" })
    end
  end
end

local function steps_needed(context)
  if #context.meta.steps == 0 then return false end
  local when = context.meta.when
  if not when then return true end
  for _, id in ipairs(when) do
    if stands(context.standing, id) then return true end
  end
  return false
end

-- ---- the end ----

local function result_of(context)
  local standing_now = #context.standing > 0
  if context.unknown or context.step_stopped == "unknown" then return "unknown" end
  if context.step_stopped == "person" or (context.waiting and not context.waiting.fix.run) then return "waiting" end
  if context.step_stopped == "declined" then return standing_now and "found" or "aborted" end
  if context.step_stopped then return "failed" end
  if standing_now then return context.fix_failed and "failed" or "found" end
  if #context.failed_checks > 0 or context.lua_error then return "failed" end
  if #context.meta.steps > 0 then
    if context.fix_failed then return "failed" end
    if not context.wrote and not context.stepped then return "healthy" end
    return #context.meta.findings > 0 and "fixed" or "done"
  end
  return context.wrote and "fixed" or "healthy"
end

local function shown_offers(list)
  local shown = rt.array {}
  for i, one in ipairs(list or {}) do shown[i] = one.shown end
  return shown
end

local function advice(context)
  local list = rt.array {}
  for _, instance in ipairs(context.standing) do
    local finding = context.finding_by_id[instance.id]
    if finding.advice then
      list[#list + 1] = { id = instance.id, key = instance.key,
        text = words.fill(finding.advice, { instance.evidence, context.plain, context.results }, context.shapes) }
    end
  end
  return list
end

local function finish(context)
  local result = result_of(context)
  local codes = rt.array {}
  for i, failed in ipairs(context.failed_checks) do codes[i] = failed.code or "lua" end
  task.call("run.finish", {
    result = result, standing = #context.standing, failed_checks = codes, wrote = context.wrote or false,
    left = shown_offers(result == "found" and context.left or result == "failed" and context.left or nil),
    advice = advice(context),
  })
end

local function treat(context)
  if context.options.diagnose or blocked(context) then
    context.left = blocked(context) and {} or offers(context)
    return
  end
  if #context.meta.steps > 0 then
    if #context.failed_checks == 0 and steps_needed(context) then
      context.stepped = true
      go_through_steps(context)
      if context.wrote then diagnose(context) end
    end
    return
  end
  answer_findings(context)
end

--- Diagnoses and treats; the drill calls this too, between its inject and its prove.
function flow.diagnose(context) return diagnose(context) end
function flow.treat(context) return treat(context) end
function flow.result(context) return result_of(context) end

--- answer: what run.declare returned: meta, params, options.
function flow.run(context, collected, answer)
  blocks_run.prepare(context, collected, answer)
  task.call("run.begin", { target = words.fill(context.meta.target, { context.plain }) })
  if context.options.drill then
    require("drill").run(context, flow)
    return
  end
  diagnose(context)
  treat(context)
  finish(context)
end

return flow
