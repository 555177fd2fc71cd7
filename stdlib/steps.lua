-- A procedure: steps in order; the first that fails, is declined or unknown ends it,
-- and the undo of the finished ones is offered in reverse (language.md 1.6).
local block_run = require "block_run"
local diagnosis = require "diagnosis"
local rt = require "rt"
local task = require "task"
local words = require "words"

local steps = {}

--- Is it needed, and is that sure? A when that could not answer counts as no.
function steps.step_needed(context, step)
  if step.when == nil then return true, true end
  if type(step.when) == "function" then return block_run.when(context, step) end
  for _, id in ipairs(step.when) do
    if diagnosis.stands(context.standing, id) then return true, true end
  end
  return false, true
end

function steps.offer(context, step)
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

-- not_yet: why what it should lead to does not hold, when it was said to be done.
local function ask_step(context, step, one, not_yet)
  local asks = block_run.questions(context, step)
  one.shown.asks, one.shown.todo = asks, words.fill(step.by_hand, one.sources, context.shapes)
  local answer = block_run.ask(context, {
    block = "step", id = step.id, key = "", title = one.shown.title, why = one.shown.why,
    text = one.shown.todo, asks = asks, not_yet = not_yet,
  })
  if not answer.answers then return "person" end
  context.results[step.id:gsub("-", "_")] = answer.answers
  return "done"
end

local function verify_step(context, step, one)
  if not step.verify then return true end
  local started, pause = context.mono(), 1
  while true do
    local ok, why = block_run.verify(context, step, "step", nil, nil)
    if ok then return true end
    if context.mono() - started >= (step.within or 0) then return false, why end
    task.call("time.wait", { seconds = pause })
    pause = math.min(5, pause + 1)
  end
end

-- Done is what verify says is done: until then the person is asked again, and may leave it at that.
local function by_hand(context, step, one)
  local result, why = ask_step(context, step, one), nil
  while result == "done" do
    local verified
    verified, why = verify_step(context, step, one)
    if verified then return "done" end
    why = why or rt.text("not_yet")
    result = ask_step(context, step, one, why)
  end
  return why ~= nil and "not_verified" or result, why
end

local function run_step(context, step, one)
  if block_run.refused(context, step.id) then return "declined" end
  if not step.run then return by_hand(context, step, one) end
  block_run.rehearse(context, one)
  local answer = task.call("run.confirm", one.shown)
  if answer.how == "back" then return "back" end
  if answer.answer ~= "yes" then return answer.answer == "no" and "declined" or "person" end
  if not context.wrote then diagnosis.refresh(context) end -- later steps change what the checks see
  if not context.wrote and not steps.needed(context) then return "declined", rt.text("no_longer_needed") end
  context.wrote = true
  local result = block_run.fix(context, one).result
  diagnosis.add_of_step(context)
  if result ~= "done" and result ~= "unknown" then return result end
  local verified, why = verify_step(context, step, one)
  if verified and (result == "done" or step.verify) then return "done" end
  return result == "unknown" and "unknown" or "not_verified", why
end

local function undo_finished(context, done)
  for i = #done, 1, -1 do
    if done[i].undo and not block_run.offer_undo(context, steps.offer(context, done[i])) then return end
  end
end

--- All steps, as far as they go. "back": nothing was written yet, and the person wants to look again.
function steps.go(context)
  local done = {}
  for _, step in ipairs(context.meta.steps) do
    if steps.step_needed(context, step) then
      local one = steps.offer(context, step)
      local result, why
      repeat result, why = run_step(context, step, one) until result ~= "back" or not context.wrote
      if result == "back" then return result end
      task.call("run.stepped", { id = step.id, result = result, why = why })
      if result == "done" then
        done[#done + 1] = step
        context.done[#context.done + 1] = one
      elseif not (step.optional and result ~= "unknown") then
        context.step_stopped, context.stopped_at = result, step.id
        context.waiting = result == "person" and one or nil
        if result ~= "person" then undo_finished(context, done) end
        return
      elseif result ~= "declined" then
        context.fix_failed, context.stopped_at = true, step.id
      end
    else
      task.call("run.stepped", { id = step.id, result = "not_needed" })
    end
  end
end

--- Is the procedure needed? Without one of its findings it is not.
function steps.needed(context)
  if #context.meta.steps == 0 then return false end
  local when = context.meta.when
  if not when then return true end
  for _, id in ipairs(when) do
    if diagnosis.stands(context.standing, id) then return true end
  end
  return false
end

return steps
