-- Node processes kept by pm2. Reading asks its daemon on the socket and never starts one; their environment is left out.
-- Writing is the pm2 command. options everywhere: home (PM2_HOME, default the one of whoever runs this program), timeout;
-- of writing also bin, where the pm2 command is not in PATH. Errors: not_running (no daemon), those of shell.run.
local rt = require "rt"
local task = require "task"
local text = require "text"

local pm2 = {}

--- All processes: list of { id, name, namespace, status, pid, restarts, unstable_restarts, started_at, memory, cpu, mode,
--- script, cwd, interpreter, out_log, err_log, user, autorestart, watch, exit_code? }.
function pm2.list(options)
  return task.call("pm2.list", { home = options and options.home, timeout = options and options.timeout }, rt.where())
end

--- Those of one name, which may be several (a cluster); an empty list when there is none.
function pm2.get(name, options)
  local found = rt.array {}
  for _, one in ipairs(pm2.list(options)) do
    if one.name == name then found[#found + 1] = one end
  end
  return found
end

--- The state of one name in a word: "online", "partial", "stopped", "errored", "launching" …, or "missing".
function pm2.state(name, options)
  local found = pm2.get(name, options)
  local first = found[1]
  if not first then return "missing" end
  for _, one in ipairs(found) do
    if one.status ~= first.status then return "partial" end
  end
  return first.status
end

--- The last lines of its two log files: list of { text, stream = "out" | "err" }. options: lines of each (default 100).
function pm2.logs(name, options)
  local lines, seen = rt.array {}, {}
  for _, one in ipairs(pm2.get(name, options)) do
    for _, stream in ipairs { "out", "err" } do
      local path = one[stream .. "_log"]
      local tail = path and not seen[path] and task.call("file.tail", { path = path, lines = options and options.lines or 100 }, rt.where())
      seen[path or ""] = true
      for _, line in ipairs(text.lines(tail or "")) do lines[#lines + 1] = { text = line, stream = stream } end
    end
  end
  return lines
end

local function run(words, options)
  local o = options or {}
  local argv = rt.array { o.bin or "pm2", table.unpack(words) }
  return task.call("shell.run", { argv = argv, env = o.home and { PM2_HOME = o.home } or nil, timeout = o.timeout }, rt.where())
end

-- "all" and numbers mean other things than a name to pm2, and hit what belongs to others.
local function act(verb, name, options)
  if type(name) ~= "string" or name == "all" or name:match("^%d+$") or name:match("^[-/]") then
    error(rt.text("pm2_name", tostring(name)), 3)
  end
  return run({ verb, name }, options)
end

--- By name, all processes of that name; never "all".
function pm2.restart(name, options) return act("restart", name, options) end
function pm2.reload(name, options) return act("reload", name, options) end
function pm2.stop(name, options) return act("stop", name, options) end
function pm2.start(name, options) return act("start", name, options) end

--- Starts what an ecosystem file declares. options: only (one name), env ("production").
function pm2.start_file(path, options)
  local words = { "start", path }
  if options and options.only then words[3], words[4] = "--only", options.only end
  if options and options.env then
    words[#words + 1] = "--env"
    words[#words + 1] = options.env
  end
  return run(words, options)
end

return pm2
