-- A drill (language.md 15): break it on purpose, look, repair, prove, clean up.
-- d makes the real thing; the host ends everything d made, whatever happens.
local block_run = require "block_run"
local lab = require "lab"
local rt = require "rt"
local task = require "task"

local drill = {}

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

local function repair(context, flow, block, times)
  local started = context.mono()
  flow.treat(context)
  local result = flow.result(context)
  local want = block.result or (#block.expect == 0 and "healthy" or "fixed")
  times.repaired_ms = context.wrote and math.floor((context.mono() - started) * 1000) or nil
  if result ~= want then return rt.text("drill_result", want, result) end
end

local function prove(context, block, d, times)
  if not block.prove then return end
  return ended_badly(block_run.drill(context, block, "prove", block.prove, d, { result = "fixed", repaired_ms = times.repaired_ms }))
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
