-- Answering findings: the next fix in the order of the file, consent, the fix, its
-- verify, and the diagnosis again, until nothing is left (language.md 1.5).
local block_run = require "block_run"
local diagnosis = require "diagnosis"
local rt = require "rt"
local task = require "task"
local words = require "words"

local fixes = {}

local MAX_ROUNDS = 100 -- a runbook whose fixes never settle ends instead of turning for ever

local function instance_name(instance)
  return instance.key ~= "" and instance.id .. "/" .. instance.key or instance.id
end

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

function fixes.offer(context, fix, instances)
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
    if diagnosis.contains(fix.when, instance.id) and not context.tried[fix.id .. " " .. instance_name(instance)] then
      list[#list + 1] = instance
    end
  end
  return list
end

--- Only when the operator wants it, without a finding.
function fixes.is_asked(fix) return diagnosis.contains(fix.when, "asked") end

-- In the order of the file; that is the order of safety.
function fixes.offers(context)
  local list = {}
  for _, fix in ipairs(context.meta.fixes) do
    local instances = matching(context, fix)
    if fixes.is_asked(fix) then
      if not context.tried[fix.id] then
        local one = fixes.offer(context, fix, {})
        one.shown.asked = true
        list[#list + 1] = one
      end
    elseif fix.batch and #instances > 0 then
      list[#list + 1] = fixes.offer(context, fix, instances)
    else
      for _, instance in ipairs(instances) do list[#list + 1] = fixes.offer(context, fix, { instance }) end
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
function fixes.look_at_guards(context, list)
  for _, one in ipairs(list) do
    if one.fix.guard then
      local ok, why = block_run.guard(context, one)
      if not ok then one.shown.grey = why or rt.text("guard_no") end
    end
  end
end

--- What the host says of the offers. calm: nothing stands, so nobody is asked; what was named beforehand is chosen all the same.
function fixes.ask_which(list, calm)
  local shown = rt.array {}
  for i, one in ipairs(list) do shown[i] = one.shown end
  return task.call("run.offer", { offers = shown, calm = calm or nil })
end

local function choose(list, calm)
  local answer = fixes.ask_which(list, calm)
  for _, one in ipairs(list) do
    if one.shown.fix == answer.fix and one.shown.key == (answer.key or one.shown.key) then return one end
  end
  return nil, answer.back
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

local function gone(context, instances)
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
      ok, why = block_run.verify(context, fix, "fix", chosen.instances[1], block_run.evidence(chosen))
    end
    diagnosis.look(context)
    if not fix.verify then ok = gone(context, chosen.instances) end
    if ok then return true end
    if context.mono() - started >= within then return false, why end
    task.call("time.wait", { seconds = math.min(pause, math.max(0.1, within - (context.mono() - started))) })
    pause = math.min(5, pause + 1)
  end
end

local function by_hand(context, chosen)
  local fix = chosen.fix
  local answer = block_run.ask(context, {
    block = "fix", id = fix.id, key = chosen.shown.key, title = chosen.shown.title,
    text = words.fill(fix.by_hand, chosen.sources, context.shapes), asks = fix.asks or {},
  })
  return answer.answers ~= nil
end

-- People take their time: what was true when they were asked must be true when it is done.
local function still_wanted(context, chosen)
  diagnosis.refresh(context)
  if not same_still_standing(context, chosen) then return false end
  return not chosen.fix.guard or block_run.guard(context, chosen)
end

-- Consent, then the fix itself. Returns "done", "failed", "declined", "changed", "person" or "unknown".
local function carry_out(context, chosen)
  local fix = chosen.fix
  if not fix.run then
    if not by_hand(context, chosen) then return "person" end
    context.wrote = true
    return "done"
  end
  block_run.rehearse(context, chosen)
  local answer = task.call("run.confirm", chosen.shown)
  if answer.how == "back" then return "changed" end
  if answer.answer ~= "yes" then return answer.answer == "no" and "declined" or "person" end
  if not still_wanted(context, chosen) then return "changed" end
  context.wrote = true
  return block_run.fix(context, chosen).result
end

local function record_fix(context, chosen, result, verified, why)
  local failed = result == "failed" or (result == "done" and not verified)
  context.fix_failed = context.fix_failed or failed
  context.asked_failed = context.asked_failed or (failed and #chosen.instances == 0) -- no finding says so
  context.stopped_at = failed and chosen.fix.id or context.stopped_at
  task.call("run.fixed", {
    id = chosen.fix.id, ["for"] = chosen.shown["for"], key = chosen.shown.key,
    result = result == "done" and not verified and "not_verified" or result, why = why,
  })
end

-- One fix from choice to verdict. False when the run must stop here.
local function one_fix(context, chosen)
  diagnosis.refresh(context)
  if not same_still_standing(context, chosen) then return true end
  local result = carry_out(context, chosen)
  if result == "changed" then return true end -- what stands now is offered anew
  if result == "person" then -- nobody was there to say: it is still what comes next
    context.waiting = chosen
    return false
  end
  mark_tried(context, chosen)
  if result == "declined" then return true end
  local verified, why = verify_fix(context, chosen)
  if result == "unknown" and verified then result = "done" end
  if result == "done" and verified then context.done[#context.done + 1] = chosen end
  record_fix(context, chosen, result, verified, why)
  if result == "failed" or not verified then
    if block_run.offer_undo(context, chosen) then diagnosis.look(context) end
  end
  if result == "unknown" then
    context.unknown = true
    return false
  end
  return result == "done" or task.call("run.go_on", { after = chosen.fix.id }).yes
end

--- Until nothing stands, nobody agrees, or nothing is left to try.
function fixes.answer(context)
  for _ = 1, MAX_ROUNDS do
    if diagnosis.blocked(context) then return end
    local calm, list = #context.standing == 0, fixes.offers(context)
    fixes.look_at_guards(context, list)
    if #list == 0 then return end
    local chosen, back = choose(list, calm)
    if not chosen and not back then
      context.left = not calm and list or nil
      return
    end
    if back then
      diagnosis.look(context, true)
    elseif not one_fix(context, chosen) then
      context.left = fixes.offers(context)
      return
    end
  end
end

return fixes
