-- Taking back what a past run did, the last first. Each undo is rehearsed, shown, agreed to, done, and verified: what its
-- fix or step had reached must hold before, and no longer afterwards.
local block_run = require "block_run"
local diagnosis = require "diagnosis"
local fixes = require "fixes"
local rt = require "rt"
local steps = require "steps"
local task = require "task"

local undo = {}

local DIVERGED = {
  en = "it is not as that run left it: what it did does not hold any more",
  zh = "现状已经不是那次运行留下的样子：它的结果不再成立",
}
local STILL_HOLDS = { en = "it was taken back, but what it had done still holds", zh = "已经撤销，但它的结果仍然成立" }

local function find(list, id)
  for _, block in ipairs(list) do
    if block.id == id then return block end
  end
end

local function instances_of(fix, item)
  local list = {}
  for _, one in ipairs(item.standing) do
    local name = one.key ~= "" and one.id .. "/" .. one.key or one.id
    if (fix.batch and diagnosis.contains(fix.when, one.id)) or name == item["for"] then
      list[#list + 1] = { id = one.id, key = one.key, typed = one.key, evidence = one.evidence or {} }
    end
  end
  return list
end

-- The fix or step with what it knew when it was done.
local function chosen_of(context, item)
  context.results = item.results
  context.r = block_run.results(context)
  local block, one
  if item.block == "step" then
    block = find(context.meta.steps, item.id)
    one = block and steps.offer(context, block)
  else
    block = find(context.meta.fixes, item.id)
    one = block and fixes.offer(context, block, instances_of(block, item))
  end
  if one then one.shown.key, one.shown.phase = item.key, "undo" end
  return one
end

local function holds(context, one)
  local kind = one.step and "step" or "fix"
  return block_run.verify(context, one.fix, kind, one.instances[1], not one.step and block_run.evidence(one) or nil)
end

local function wait_until_gone(context, one)
  local started, pause = context.mono(), 1
  while holds(context, one) do
    if context.mono() - started >= (one.fix.within or 0) then return false end
    task.call("time.wait", { seconds = pause })
    pause = math.min(5, pause + 1)
  end
  return true
end

local function take_back(context, one)
  if not one.fix.undo then return "no_undo", one.shown.no_undo end
  if one.fix.verify and not holds(context, one) then return "diverged", DIVERGED end
  block_run.rehearse(context, one, true)
  local answer = task.call("run.confirm", one.shown).answer
  if answer ~= "yes" then return answer == "no" and "declined" or "person" end
  context.wrote = true
  local ended = block_run.undo(context, one)
  if ended.result ~= "ok" then return ended.result == "unknown" and "unknown" or "failed", ended.error or ended.text end
  if one.fix.verify and not wait_until_gone(context, one) then return "not_verified", STILL_HOLDS end
  return "done"
end

-- When not one thing could be taken back, that is no end to be glad of.
local results = { done = "done", declined = "aborted", person = "waiting", unknown = "unknown", diverged = "rejected",
  no_undo = "rejected" }

local function finish(context, result, one)
  local left = rt.array {}
  if result == "person" then left[1] = one.shown end
  task.call("run.finish", {
    result = results[result] or "failed", standing = #(context.standing or {}), failed_checks = rt.array {},
    wrote = context.wrote or false, left = left, advice = rt.array {},
  })
end

--- items: newest first, as the host read them from the record. Stops at the first that is not taken back.
function undo.run(context, items)
  local result, one = "done", nil
  for _, item in ipairs(items) do
    one = chosen_of(context, item)
    local why
    result, why = take_back(context, one)
    task.call("run.undone", { block = item.block, id = item.id, key = item.key, result = result, why = why })
    if result ~= "done" and result ~= "no_undo" then break end
  end
  if result == "no_undo" and context.wrote then result = "done" end
  if context.wrote and #context.meta.checks > 0 then diagnosis.look(context) end
  finish(context, result, one)
end

return undo
