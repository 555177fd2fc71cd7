-- How a run goes (language.md 1): diagnose, then answer findings by fixes, or go
-- through steps; diagnose again; end. The stages are diagnosis.lua, fixes.lua, steps.lua.
local block_run = require "block_run"
local diagnosis = require "diagnosis"
local fixes = require "fixes"
local rt = require "rt"
local steps = require "steps"
local task = require "task"
local words = require "words"

local flow = {}

local function result_of(context)
  local standing_now = #context.standing > 0
  if context.options.dry_run and #context.failed_checks == 0 and not context.lua_error then
    return standing_now and "found" or require("preview").result(context)
  end
  if context.unknown or context.step_stopped == "unknown" then return "unknown" end
  if context.step_stopped == "person" or (context.waiting and not context.waiting.fix.run) then return "waiting" end
  if context.step_stopped == "declined" then return standing_now and "found" or "aborted" end
  if context.step_stopped then return "failed" end
  if standing_now then return context.fix_failed and "failed" or "found" end
  if context.asked_failed then return "failed" end
  if #context.failed_checks > 0 or context.lua_error then return "failed" end
  if next(context.passed_over) and not context.wrote then return "failed" end -- nobody knows that all is well
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

-- A command or file of this machine that does not answer is no target out of reach.
local function here(verb)
  local module = verb and verb:match("^%w+")
  return module == "shell" or module == "file" or module == "system"
end

local function finish(context)
  local result = result_of(context)
  local codes = rt.array {}
  for i, failed in ipairs(context.failed_checks) do codes[i] = failed.lua and "lua" or here(failed.verb) and "local" or failed.code or "fail" end
  task.call("run.finish", {
    result = result, standing = #context.standing, failed_checks = codes, wrote = context.wrote or false,
    left = shown_offers(result == "waiting" and { context.waiting } or (result == "found" or result == "failed") and context.left),
    advice = advice(context),
  })
end

local treat
function treat(context)
  if context.options.diagnose or diagnosis.blocked(context) then
    context.left = diagnosis.blocked(context) and {} or fixes.offers(context)
    return
  end
  if context.options.dry_run and #context.meta.steps == 0 then return require("preview").fixes(context) end
  if #context.meta.steps > 0 then
    if #context.failed_checks == 0 and steps.needed(context) then
      if context.options.dry_run then return require("preview").steps(context) end
      context.stepped = true
      if steps.go(context) == "back" then
        diagnosis.look(context, true)
        return treat(context)
      end
      if context.wrote then diagnosis.look(context) end
    end
    return
  end
  fixes.answer(context)
end

--- Diagnoses and treats; the drill calls this too, between its inject and its prove.
function flow.diagnose(context) return diagnosis.look(context) end
function flow.treat(context) return treat(context) end
function flow.result(context) return result_of(context) end

--- answer: what run.declare returned: meta, params, options.
function flow.run(context, collected, answer)
  block_run.prepare(context, collected, answer)
  local locks = rt.array {}
  for i, name in ipairs(context.meta.locks or {}) do locks[i] = words.fill(name, { context.plain }) end
  local begun = task.call("run.begin", { target = words.fill(context.meta.target, { context.plain }), locks = locks })
  if begun.undo then
    require("undo").run(context, begun.undo)
    return
  end
  if context.options.drill then
    require("drill").run(context, flow)
    return
  end
  if context.options.test then
    require("test").run(context, flow, collected)
    return
  end
  diagnosis.look(context, true)
  treat(context)
  finish(context)
end

return flow
