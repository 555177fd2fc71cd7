-- A test (language.md 15): a run whose answers are given. Nothing is asked of the system, nothing is recorded.
local drill = require "drill"
local rt = require "rt"
local task = require "task"
local verbs = require "verbs"

local test = {}

local function find(context, collected)
  for _, block in ipairs(collected.list) do
    if block.block == "test" and block.id == context.options.test then return block.fields end
  end
  error(rt.text("no_test", context.options.test))
end

local function writing(context)
  local set = {}
  for name, effect in verbs.each(context.verbs) do set[name] = effect == "write" or nil end
  return set
end

-- What the host would answer. A write in a rehearsal stays the host's: it is noted for the plan.
local function answers(context, given)
  local writes = writing(context)
  return function(verb, args)
    if verb == "time.wait" then return true end
    if verb == "run.previous" then
      local value = given.previous and given.previous[args.id]
      return true, value ~= nil and { value = value, at = "2026-01-01T00:00:00Z" } or nil
    end
    local value = given[verb]
    if value == nil or (writes[verb] and context.block and context.block.rehearse) then return false end
    if type(value) == "function" then return true, value(args) end
    return true, value
  end
end

-- A mistake in the runbook, or a call without an answer; a check that fails as it was told to is none.
local function broken(context)
  for _, failed in ipairs(context.failed_checks) do
    if failed.lua or failed.code == "forbidden" then return failed.error end
  end
end

local function problem_of(context, flow, block)
  flow.diagnose(context)
  local problem = broken(context) or drill.differs(context, block.expect)
  if problem or not block.result then return problem end
  flow.treat(context)
  local result = flow.result(context)
  if result ~= block.result then return rt.text("drill_result", block.result, result) end
end

--- Looks with the given answers; with `result` also repairs, all of it agreed to.
function test.run(context, flow, collected)
  local block = find(context, collected)
  context.given = block.given
  task.given = answers(context, block.given)
  local problem = problem_of(context, flow, block)
  task.given = nil
  task.call("run.finish", {
    result = problem and "failed" or "done", standing = 0, failed_checks = rt.array {}, wrote = false, left = rt.array {},
    advice = rt.array {},
    drill = { drill = context.options.test, result = problem and "failed" or "passed", why = problem },
  })
end

return test
