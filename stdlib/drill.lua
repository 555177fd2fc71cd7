-- A drill (language.md 15): break it on purpose, look, repair, prove, clean up.
-- d makes the real thing; the host ends everything d made, whatever happens.
local block_run = require "block_run"
local rt = require "rt"
local task = require "task"

local drill = {}

local function split_ready(argv)
  local list, ready = rt.array {}, argv.ready
  for i, word in ipairs(argv) do list[i] = tostring(word) end
  return list, ready
end

-- Statements by the sqlite3 shell: an injected database is made by foreign hands, not by our own code.
local function sqlite_shell(path, ...)
  local argv = { "sqlite3", "-batch", "-bail", path, ... }
  local text = task.call("shell.run", { argv = argv, timeout = 30 }).out:gsub("%s+$", "")
  local last = text:match("([^\n]*)$")
  return tonumber(last) or last
end

local function lab(context)
  local d = { dir = task.call("drill.dir", {}).path, p = context.p }
  local deferred = {}
  function d:set(values)
    block_run.set_params(context, task.call("drill.set", { values = values }).params)
    self.p = context.p
  end
  -- Names for d:set: the value of a parameter of type secret, sql, redis or rpc.
  function d:secret(name, value)
    task.call("drill.secret", { name = name, value = value })
    return name
  end
  function d:connection(name, fields)
    task.call("drill.connection", { name = name, fields = fields })
    return name
  end
  function d:spawn(argv)
    local list, ready = split_ready(argv)
    return task.call("drill.spawn", { argv = list, ready = ready })
  end
  function d:signal(process, signal)
    task.call("system.signal", { pid = process.pid, signal = signal, started = process.started })
  end
  function d:alive(process)
    for _, found in ipairs(task.call("system.processes", { pid = process.pid })) do
      if found.started == process.started and found.state ~= "Z" then return true end
    end
    return false
  end
  function d:sqlite(path, ...) return sqlite_shell(path, ...) end
  function d:defer(fn) deferred[#deferred + 1] = fn end
  return d, deferred
end

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
    return type(text) == "table" and (text.en or text.zh) or text or ended.result
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

function drill.run(context, flow)
  local block, times = find(context), {}
  local d, deferred = lab(context)
  local problem = ended_badly(block_run.drill(context, block, "inject", block.inject, d))
  problem = problem or notice(context, flow, block, times)
  problem = problem or repair(context, flow, block, times)
  problem = problem or prove(context, block, d, times)
  problem = clean(context, block, deferred) or problem
  task.call("run.finish", {
    result = problem and "failed" or "done", standing = 0, failed_checks = rt.array {}, wrote = false, left = rt.array {},
    advice = rt.array {},
    drill = { drill = block.id, found_ms = times.found_ms, repaired_ms = times.repaired_ms,
      result = problem and "failed" or "passed", why = problem },
  })
end

return drill
