-- The diagnosis: all checks in the order of the file, which findings stand, and what
-- is not gone before its verify holds (language.md 1 and 4).
local block_run = require "block_run"
local rt = require "rt"
local task = require "task"

local diagnosis = {}

--- Is the word in the list? A missing list has none.
function diagnosis.contains(list, word)
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

--- Does any instance of the finding stand in the list?
function diagnosis.stands(list, id)
  for _, instance in ipairs(list) do
    if instance.id == id then return true end
  end
  return false
end

local function names_of(instances)
  local names = rt.array {}
  for i, instance in ipairs(instances) do names[i] = { id = instance.id, key = instance.key } end
  return names
end

local function needed(context, check)
  local when = check.when and check.when[1]
  return not when or diagnosis.stands(standing(context), when)
end

-- One round of all checks but those a person passed over. Returns the errors of failed ones.
local function all_checks(context)
  local failed = {}
  for _, check in ipairs(context.meta.checks) do
    if needed(context, check) and not context.passed_over[check.id] then
      local ended = block_run.check(context, check)
      if ended.result == "failed" then failed[#failed + 1] = ended end
      context.skipped = context.skipped or ended.result == "skipped"
    end
  end
  return failed
end

local function paced_checks(context)
  return require("guide").walk(context, {
    needed = function(check) return needed(context, check) end,
    standing = function() return names_of(standing(context)) end,
  })
end

-- Gone = no check finds it any more, and its verify holds. Only asked once something was written.
local function still_unverified(context, before)
  local list = {}
  for _, instance in ipairs(before) do
    local finding = context.finding_by_id[instance.id]
    local now_found = diagnosis.stands(context.found, instance.id)
    if finding.verify and not now_found and not list[instance.id] then
      list[instance.id] = true
      local ok, why = block_run.verify(context, finding, "finding", instance, instance.evidence)
      if not ok then
        instance.why = why
        list[#list + 1] = instance
      end
    end
  end
  return list
end

--- One round. Leaves context.standing, context.failed_checks and the time of the look.
--- paced: in a guided run a person agrees to each check.
function diagnosis.look(context, paced)
  local before = context.standing or {}
  context.round = context.round + 1
  context.found = {}
  local failed = paced and context.options.guided and paced_checks(context) or all_checks(context)
  if context.wrote then
    for _, instance in ipairs(still_unverified(context, before)) do context.found[#context.found + 1] = instance end
  end
  for _, instance in ipairs(context.of_steps) do block_run.keep_instance(context.found, instance) end
  context.standing = standing(context)
  context.failed_checks = failed
  context.looked_at = context.mono()
  task.call("run.diagnosis", { round = context.round, standing = names_of(context.standing), failed = #failed })
  return context.standing
end

--- What a step found stands from then on.
function diagnosis.add_of_step(context) context.standing = standing(context) end

--- Looks again when the last look is too old to act on; the host says so (design.md 3, promise 5).
function diagnosis.refresh(context)
  if task.call("run.stale", { at = context.looked_at }) then diagnosis.look(context) end
end

--- Does a finding stand that forbids every change?
function diagnosis.blocked(context)
  for _, instance in ipairs(context.standing) do
    if context.finding_by_id[instance.id].blocks then return true end
  end
  return false
end

return diagnosis
