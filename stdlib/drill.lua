-- A drill (language.md 15): break it on purpose, look, repair, prove, clean up.
-- d makes the real thing; the host ends everything d made, whatever happens.
local block_run = require "block_run"
local lab = require "lab"
local rt = require "rt"
local task = require "task"

local drill = {}

local WITHIN = 300 -- seconds to notice and repair, when the drill does not say

local function expected(list)
  local set = {}
  for _, id in ipairs(list) do set[id] = true end
  return set
end

local function names(set)
  local list = {}
  for id in pairs(set) do list[#list + 1] = id end
  table.sort(list)
  return "{ " .. table.concat(list, ", ") .. " }"
end

--- Exactly what is expected, causes too: nothing missing, nothing else. nil, or what differs.
function drill.differs(context, list)
  local wanted = expected(list)
  local seen = {}
  for _, instance in ipairs(context.standing) do seen[instance.id] = true end
  for id in pairs(wanted) do
    if not seen[id] then return rt.text("drill_expected", names(wanted), names(seen)) end
  end
  for id in pairs(seen) do
    if not wanted[id] then return rt.text("drill_expected", names(wanted), names(seen)) end
  end
end

-- A verify that holds while the fault stands proves nothing.
local function check_verifies(context)
  for _, instance in ipairs(context.standing) do
    local finding = context.finding_by_id[instance.id]
    if finding.verify and block_run.verify(context, finding, "finding", instance, instance.evidence) then
      return rt.text("drill_verify_holds", instance.id)
    end
  end
end

local function ended_badly(ended)
  if ended.result == "failed" or ended.result == "refused" or ended.result == "unknown" then
    local text = ended.error or ended.text
    text = type(text) == "table" and (text.en or text.zh) or text or ended.result
    return ended.at and ended.at .. ": " .. text or text
  end
end

-- Each stage returns what went wrong, or nothing.
local function notice(context, flow, block, times)
  local started = context.mono()
  flow.diagnose(context)
  times.found_ms = math.floor((context.mono() - started) * 1000)
  return drill.differs(context, block.expect) or check_verifies(context)
end

local function ended_at(context)
  return context.stopped_at or context.failed_checks[1] and context.failed_checks[1].id
end

local function repair(context, flow, block, times)
  local started = context.mono()
  flow.treat(context)
  local result = flow.result(context)
  local want = block.result or (#block.expect == 0 and "healthy" or "fixed")
  times.repaired_ms = context.wrote and math.floor((context.mono() - started) * 1000) or nil
  if result ~= want then return rt.text("drill_result", want, result) end
  if block.fails_at and block.fails_at ~= ended_at(context) then return rt.text("drill_stopped", block.fails_at, ended_at(context) or "-") end
end

-- Slow is broken too: whoever waits for it at night has given up.
local function in_time(block, times)
  local took, allowed = (times.found_ms + (times.repaired_ms or 0)) / 1000, block.within or WITHIN
  if took > allowed then return rt.text("drill_late", ("%.1f"):format(took), tostring(allowed)) end
end

-- What was done is taken back, the last first; then it must be as broken as before.
local function take_back(context, flow, block)
  if not block.undo or block.result == "failed" then return end
  for i = #context.done, 1, -1 do
    local one = context.done[i]
    if one.fix.run and one.fix.risk ~= "low" and not block_run.offer_undo(context, one) then return rt.text("drill_undo", one.fix.id) end
  end
  flow.diagnose(context)
  return drill.differs(context, block.expect)
end

local function prove(context, block, d, times)
  if not block.prove then return end
  local standing = {}
  for i, instance in ipairs(context.standing) do standing[i] = instance.id end
  local out = { r = context.results, standing = standing, repaired_ms = times.repaired_ms }
  return ended_badly(block_run.drill(context, block, "prove", block.prove, d, out))
end

local function clean(context, block, deferred)
  for i = #deferred, 1, -1 do
    local problem = ended_badly(block_run.drill(context, block, "clean", deferred[i]))
    if problem then return problem end
  end
end

local function find(context)
  for _, block in ipairs(context.meta.drills) do
    if block.id == context.options.drill then return block end
  end
  error(rt.text("no_drill", context.options.drill))
end

-- What went wrong from inject to prove, or nothing.
local function act(context, flow, block, d, times)
  return ended_badly(block_run.drill(context, block, "inject", block.inject, d))
    or notice(context, flow, block, times)
    or repair(context, flow, block, times)
    or in_time(block, times)
    or take_back(context, flow, block)
    or prove(context, block, d, times)
end

local function finish(block, times, result, why)
  task.call("run.finish", {
    result = result == "failed" and "failed" or "done", standing = 0, failed_checks = rt.array {}, wrote = false, left = rt.array {},
    advice = rt.array {},
    drill = { drill = block.id, found_ms = times.found_ms, repaired_ms = times.repaired_ms, result = result, why = why },
  })
end

function drill.run(context, flow)
  local block, times = find(context), {}
  local missing, skipped
  local function look() missing, skipped = lab.missing(block.needs) end
  missing = ended_badly(block_run.drill(context, block, "needs", look)) or missing
  if missing then return finish(block, times, skipped and "skipped" or "failed", missing) end
  local d, deferred = lab.new(context)
  context.drill = { block = block, d = d }
  local problem = act(context, flow, block, d, times)
  problem = clean(context, block, deferred) or problem
  finish(block, times, problem and "failed" or "passed", problem)
end

return drill
