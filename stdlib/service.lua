-- Services of this machine, by systemd. `systemctl` and `journalctl` only look here: the words below are in the table of
-- commands that may reach systemd's socket while reading (engine/process/shape.c). Names are units: "nginx",
-- "coze@1.service". Errors: missing (no systemd here), status, timeout; of writing those of shell.run.
local rt = require "rt"
local task = require "task"
local text = require "text"

local service = {}

local PROPERTIES = {
  "Id", "Description", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "MainPID", "NRestarts",
  "ExecMainStatus", "ExecMainCode", "ActiveEnterTimestamp", "InactiveEnterTimestamp", "MemoryCurrent", "FragmentPath",
  "StatusText",
}

local function read(words, options)
  return task.call("shell.read", { argv = rt.array(words), timeout = options and options.timeout }, rt.where())
end

local function fail(answer)
  local words = text.trim(answer.err):gsub("\n+", "; ")
  error(task.error { code = "status", message = words ~= "" and words or "exit " .. answer.code, verb = "shell.read" }, 0)
end

-- "ActiveState=active" lines; what is empty or "[not set]" is left out.
local function properties(out)
  local values = {}
  for _, line in ipairs(text.lines(out)) do
    local name, value = line:match("^(%w+)=(.*)$")
    if name and value ~= "" and value ~= "[not set]" then values[name] = value end
  end
  return values
end

--- One unit: { unit, description, load, active, sub, result, enabled?, pid?, restarts, exit_code?, since?, memory?, file? }.
--- load is "not-found" for a unit that does not exist.
function service.show(unit, options)
  local answer = read({ "systemctl", "show", unit, "--no-pager", "--property=" .. table.concat(PROPERTIES, ",") }, options)
  if not answer.ok then fail(answer) end
  local v = properties(answer.out)
  local pid = math.tointeger(tonumber(v.MainPID))
  return {
    unit = v.Id or unit, description = v.Description, load = v.LoadState, active = v.ActiveState, sub = v.SubState,
    result = v.Result, enabled = v.UnitFileState, pid = pid ~= 0 and pid or nil,
    restarts = math.tointeger(tonumber(v.NRestarts)) or 0, exit_code = math.tointeger(tonumber(v.ExecMainStatus)),
    since = v.ActiveState == "active" and v.ActiveEnterTimestamp or v.InactiveEnterTimestamp,
    memory = math.tointeger(tonumber(v.MemoryCurrent)), file = v.FragmentPath, says = v.StatusText,
  }
end

--- Is it running? true or false, and its state in one word: "active", "inactive", "failed", "activating", …
function service.is_active(unit, options)
  local one = service.show(unit, options)
  return one.active == "active", one.active
end

--- The units that failed: list of { unit, load, active, sub, description }.
function service.failed(options)
  local answer = read({ "systemctl", "list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager" }, options)
  if not answer.ok then fail(answer) end
  local list = rt.array {}
  for _, line in ipairs(text.lines(answer.out)) do
    local unit, load, active, sub, description = line:match("^%s*(%S+)%s+(%S+)%s+(%S+)%s+(%S+)%s*(.*)$")
    if unit then list[#list + 1] = { unit = unit, load = load, active = active, sub = sub, description = description } end
  end
  return list
end

--- Its last lines in the journal, with time: list of strings. options: lines (default 200), since ("15m").
function service.logs(unit, options)
  local words = { "journalctl", "--no-pager", "--output=short-iso", "--lines=" .. (options and options.lines or 200), "--unit=" .. unit }
  if options and options.since then words[#words + 1] = ("--since=-%ds"):format(math.floor(rt.seconds(options.since))) end
  local answer = read(words, options)
  if not answer.ok then fail(answer) end
  local lines = rt.array {}
  for _, line in ipairs(text.lines(answer.out)) do
    if line:sub(1, 3) ~= "-- " then lines[#lines + 1] = line end
  end
  return lines
end

local function run(verb, unit, options)
  return task.call("shell.run", { argv = rt.array { "systemctl", verb, unit }, timeout = options and options.timeout }, rt.where())
end

--- Each waits until systemd says done; options: timeout.
function service.start(unit, options) return run("start", unit, options) end
function service.stop(unit, options) return run("stop", unit, options) end
function service.restart(unit, options) return run("restart", unit, options) end
function service.reload(unit, options) return run("reload", unit, options) end

return service
