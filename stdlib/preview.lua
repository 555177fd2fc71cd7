-- A dry run: each fix or step is rehearsed against what is there now. What cannot be told from here is said to be unknown.
local block_run = require "block_run"
local fixes = require "fixes"
local rt = require "rt"
local steps = require "steps"
local task = require "task"

local preview = {}

local function both(name) return { en = rt.text_in("en", name), zh = rt.text_in("zh", name) } end

-- Without a rehearsal: what is known of it is its state alone.
local function tell(context, one, state, because)
  one.shown.state, one.shown.because = state, because
  task.call("run.preview", one.shown)
  context.changes = context.changes or state == "by_hand"
  context.unsure = context.unsure or state == "unknown"
end

-- state: what it is whatever the rehearsal shows.
local function rehearse(context, one, state, standard)
  block_run.rehearse(context, one)
  one.shown.rehearsed, one.shown.after, one.shown.state, one.shown.standard = true, context.changes or false, state, standard
  local told = task.call("run.preview", one.shown).state
  context.changes = context.changes or told ~= "no_change"
  context.unsure = context.unsure or told == "unknown"
end

-- Was something that this fix answers already answered by one above?
local function answered_before(answered, one)
  local before = false
  for _, instance in ipairs(one.instances) do
    local name = instance.id .. " " .. instance.key
    before = before or answered[name]
    answered[name] = true
  end
  return before
end

local function one_fix(context, one, answered)
  if one.shown.grey then
    tell(context, one, context.changes and "unknown" or "no_change", one.shown.grey)
  elseif not one.fix.run then
    tell(context, one, "by_hand")
  elseif answered_before(answered, one) then
    rehearse(context, one, "unknown", both "only_if_needed")
  else
    rehearse(context, one, nil, context.changes and both "after_others" or nil)
  end
end

-- Those that answer nothing that stands; when a check could not look, that is not known.
local function not_needed(context, offered)
  local blind = #context.failed_checks > 0 or context.skipped
  for _, fix in ipairs(context.meta.fixes) do
    if not offered[fix.id] and not fixes.is_asked(fix) then
      local one = fixes.offer(context, fix, {})
      tell(context, one, blind and "unknown" or "no_change", both(blind and "not_looked" or "not_needed_now"))
    end
  end
end

function preview.fixes(context)
  local list, offered, answered = fixes.offers(context), {}, {}
  fixes.look_at_guards(context, list)
  local answer = fixes.ask_which(list)
  for _, one in ipairs(list) do
    offered[one.fix.id] = true
    for _, wanted in ipairs(answer.wanted) do
      if wanted.fix == one.shown.fix and wanted.key == one.shown.key then one_fix(context, one, answered) end
    end
  end
  if not answer.narrow then not_needed(context, offered) end
end

local function one_step(context, step)
  local one = steps.offer(context, step)
  local needed, sure = steps.step_needed(context, step)
  if not sure then
    tell(context, one, "unknown", both "when_unknown")
  elseif not needed then
    tell(context, one, context.changes and "unknown" or "no_change", both(context.changes and "when_unknown" or "not_needed_now"))
  elseif not step.run then
    tell(context, one, "by_hand")
  else
    rehearse(context, one, nil, context.changes and both "after_others" or nil)
  end
end

function preview.steps(context)
  for _, step in ipairs(context.meta.steps) do one_step(context, step) end
end

--- Would anything be done, or can that not be told?
function preview.result(context) return (context.changes or context.unsure) and "found" or "healthy" end

return preview
