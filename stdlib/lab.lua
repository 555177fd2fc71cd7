-- What a drill's d can make: folders, processes, connections, real servers. A server is a row of lab_servers.lua; here is
-- what all of them share: its program is looked for, it gets a folder below d.dir and a free port of the loopback, it
-- runs under a small keeper (lab_programs.lua) that a runbook can restart it by, and d waits until it answers. Everything
-- ends with the drill, last made first; what is left then, the host takes away (engine/run/drill_verbs.c).
local block_run = require "block_run"
local programs = require "lab_programs"
local rt = require "rt"
local task = require "task"

local lab = {}

local READY = 60 -- seconds for a server to answer; a lab may be a slow machine
local PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

local function run(argv, more)
  local args = { argv = rt.array {}, timeout = 120 }
  for i, word in ipairs(argv) do args.argv[i] = tostring(word) end
  for name, value in pairs(more or {}) do args[name] = value end
  return task.call("shell.run", args)
end

local function write(path, text, mode)
  task.call("file.write", { path = path, data = text, mode = mode, backup = false })
end

-- ---- what must be there ----

-- The path of a program, or nil. Servers are in sbin, which a user's PATH leaves out.
local function which(program)
  local answer = task.call("shell.read", {
    sh = 'PATH="$PATH:$2"; command -v "$1" || ls -d /usr/lib/postgresql/*/bin/"$1" 2>/dev/null | sort -V | tail -n 1',
    args = rt.array { program, PATHS },
  })
  return answer.out:match("^(/%S+)")
end

local function is_root() return task.call("shell.read", { argv = rt.array { "id", "-u" } }).out:match("%d+") == "0" end

--- What of a drill's needs is missing: a text, and true when it is only a right that this user lacks.
function lab.missing(needs)
  for _, need in ipairs(needs or {}) do
    if need == "root" then
      if not is_root() then return rt.text("lab_needs_root"), true end
    elseif not which(need) then
      return rt.text("lab_needs", need)
    end
  end
end

local function program(name)
  return which(name) or error(task.error { code = "missing", message = rt.text("lab_needs", name), verb = "drill" }, 0)
end

-- ---- one server ----

-- As the server's own user when we are root: PostgreSQL and others refuse root.
local function as_user(s, argv)
  if not s.user then return argv end
  s.group = s.group or run({ "id", "-g", s.user }).out:match("%d+")
  return { "setpriv", "--reuid=" .. s.user, "--regid=" .. s.group, "--init-groups", table.unpack(argv) }
end

local function in_namespace(o, argv)
  return o.netns and { "nsenter", "--target", tostring(o.netns.pid), "--net", table.unpack(argv) } or argv
end

local function processes(pid) return pid and task.call("system.processes", { pid = pid })[1] end

-- Waits until fn is true; a verb's error is "not yet". What the server wrote explains why it never was.
local function until_ready(s, fn)
  local last
  for _ = 1, READY * 10 do
    local ok, value = task.protect(fn)
    if ok and value then return end
    if not ok and (value.kind ~= "verb" or value.fatal) then error(value, 0) end
    last = not ok and value.message or last
    task.call("time.wait", { seconds = 0.1 })
  end
  local log = task.call("file.tail", { path = s.log, lines = 10 }) or ""
  error(task.error { code = "timeout", message = rt.text("lab_not_ready", s.name, last or "-", log), verb = "drill" }, 0)
end

-- What every server can be asked and told. process: the server itself, not its keeper.
local function handle(d, s)
  local function kept_pid() return tonumber(task.call("file.read", { path = s.dir .. "/pid" }) or "") end
  function s:process()
    local one = processes(kept_pid())
    return one and { pid = one.pid, started = one.started }
  end
  local function signal(name)
    local process = s:process() or error(task.error { code = "not_running", message = s.name, verb = "drill" }, 0)
    d:signal(process, name)
    return process
  end
  function s:pause() return signal "STOP" end
  function s:resume() return signal "CONT" end
  --- Ends it at once, and waits until it is gone and its keeper knows; it does not start it again by itself.
  function s:kill()
    local process = signal "KILL"
    until_ready(s, function() return kept_pid() ~= process.pid and not d:alive(process) end)
  end
  function s:stop() run { s.service, "stop" } end
  function s:start() run({ s.service, "start" }) until_ready(s, s.answers) end
  function s:restart() run({ s.service, "restart" }) until_ready(s, s.answers) end
  function s:logs() return task.call("file.read", { path = s.log }) or "" end
  return s
end

local function folder(d, kind, count)
  count[kind] = (count[kind] or 0) + 1
  local name = kind .. "-" .. count[kind]
  task.call("file.mkdir", { path = d.dir .. "/" .. name, mode = "0755" })
  return name, d.dir .. "/" .. name
end

local function own(s)
  if not s.user then return end
  run { "chmod", "0711", s.dir:match("^(.*)/") } -- it has to come through to its own folder
  run { "chown", "-R", s.user .. ":", s.dir }
end

local function keep(d, s, argv, o)
  s.service, s.log = s.dir .. "/service", s.dir .. "/log"
  write(s.dir .. "/keeper.py", programs.keeper)
  local keeper = d:spawn {
    ready = "keeping", "python3", s.dir .. "/keeper.py", s.dir, s.stop_signal or "TERM", o.again and "again" or "once",
    table.unpack(in_namespace(o, as_user(s, argv))),
  }
  s.keeper = keeper
  write(s.service, programs.service:gsub("@(%w+)@", { DIR = s.dir, KEEPER = tostring(keeper.pid) }), "0755")
  d:defer(function()
    if not d:alive(keeper) then return end
    d:signal(keeper, "TERM")
    until_ready(s, function() return not d:alive(keeper) end)
  end)
end

-- kind: a row of lab_servers; o: what the drill said.
local function server(d, kind, spec, o, count)
  local s = { kind = kind, host = o.netns and o.netns.address or o.host or "127.0.0.1", port = o.port or task.call("drill.port", {}).port,
    stop_signal = spec.stop }
  s.name, s.dir = folder(d, kind, count)
  s.user = spec.user and is_root() and spec.user or nil
  local tools = { run = run, write = write, program = program, d = d,
    as_server = function(argv, more) return run(as_user(s, argv), more) end,
    own = function() own(s) end, is_root = is_root }
  local argv = spec.argv(s, o, tools)
  own(s)
  s.answers = function() return spec.answers(s, o, tools) end
  keep(d, s, argv, o)
  handle(d, s)
  if o.wait ~= false then
    until_ready(s, spec.up and function() return spec.up(s, o, tools) end or s.answers)
    if spec.after then spec.after(s, o, tools) end
  end
  return s
end

-- ---- d ----

-- Names for d:set: the value of a parameter of type secret, sql, redis or rpc.
local function values(d, context)
  function d:set(given)
    block_run.set_params(context, task.call("drill.set", { values = given }).params)
    self.p = context.p
  end
  function d:secret(name, value)
    task.call("drill.secret", { name = name, value = value })
    return name
  end
  function d:connection(name, fields)
    task.call("drill.connection", { name = name, fields = fields })
    return name
  end
  --- A channel for notify: d:channel("chat", { kind = "webhook", url = …}).
  function d:channel(name, fields)
    task.call("drill.channel", { name = name, fields = fields })
    return name
  end
end

local function process_tools(d)
  function d:spawn(argv)
    local list = rt.array {}
    for i, word in ipairs(argv) do list[i] = tostring(word) end
    return task.call("drill.spawn", { argv = list, ready = argv.ready })
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
end

local function file_tools(d, count)
  --- Statements by the sqlite3 shell: an injected database is made by foreign hands, not by our own code.
  function d:sqlite(path, ...)
    local text = run({ "sqlite3", "-batch", "-bail", path, ... }, { timeout = 60 }).out:gsub("%s+$", "")
    local last = text:match("([^\n]*)$")
    return tonumber(last) or last
  end
  --- A folder that is a file system of its own, of this size in bytes or "64MB": for full disks. Needs root.
  --- o: { inodes = 100 }.
  function d:tmpfs(size, o)
    local _, dir = folder(self, "disk", count)
    local how = ("mode=0755,size=%d,nr_inodes=%d"):format(math.floor(rt.bytes(size)), o and o.inodes or 0)
    run { "mount", "-t", "tmpfs", "-o", how, "runbook-drill", dir }
    self:defer(function() run { "umount", "--lazy", dir } end)
    return dir
  end
  --- A file of so many bytes ("10MB"), that takes its space.
  --- On a full disk: as much as there is room for.
  function d:fill(path, size)
    task.call("shell.run", { sh = 'head --bytes="$1" /dev/zero >"$2"', args = rt.array { tostring(math.floor(rt.bytes(size))), path },
      ok = rt.array { 0, 1 } })
  end
  --- Makes a file look so old ("10d").
  function d:age(path, age) run { "touch", "-d", "@" .. math.floor(task.call("time.now", {}) - rt.seconds(age)), path } end
end

local function network_tools(d, count)
  --- A network of its own, joined to this machine by one cable: { pid, address, host }. n:run{ argv } runs in it, such as
  --- iptables; servers take netns = n. It ends with its process, and all that was in it. Needs root.
  function d.netns()
    count.netns = (count.netns or 0) + 1
    local holder = d:spawn { ready = "up", "unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 3600" }
    local name, third = "rb" .. holder.pid % 1000000 .. "n" .. count.netns, holder.pid % 250
    local n = { pid = holder.pid, host = ("10.213.%d.%d"):format(third, 4 * count.netns + 1),
      address = ("10.213.%d.%d"):format(third, 4 * count.netns + 2) }
    function n:run(argv) return run(in_namespace({ netns = n }, argv)) end
    --- Its own ufw, enabled, with rules of its own: { command, dir }. Lets nothing in but what rules allow.
    function n.ufw()
      local _, dir = folder(d, "ufw", count)
      run { "cp", "-a", "/etc/ufw/.", dir }
      local wall = d:spawn { ready = "up", "nsenter", "--target", n.pid, "--net", "unshare", "--mount", "sh", "-c",
        'mount --bind "$0" /etc/ufw && ufw --force enable >/dev/null && echo up && exec sleep 3600', dir }
      return { dir = dir, command = { "nsenter", "--target", tostring(wall.pid), "--net", "--mount", "ufw" } }
    end
    run { "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", tostring(n.pid) }
    d:defer(function() run({ "ip", "link", "delete", name }, { ok = rt.array { 0, 1 } }) end)
    run { "ip", "address", "add", n.host .. "/30", "dev", name }
    run { "ip", "link", "set", name, "up" }
    n:run { "ip", "address", "add", n.address .. "/30", "dev", "eth0" }
    n:run { "ip", "link", "set", "eth0", "up" }
    return n
  end
end

--- d, and what must be done when the drill ends.
function lab.new(context)
  local d = { dir = task.call("drill.dir", {}).path, p = context.p }
  local deferred, count = {}, {}
  function d:defer(fn) deferred[#deferred + 1] = fn end
  function d:program(name) return program(name) end
  --- A port of the loopback that nobody listens on.
  function d:port() return task.call("drill.port", {}).port end
  values(d, context)
  process_tools(d)
  file_tools(d, count)
  network_tools(d, count)
  for kind, spec in pairs(require "lab_servers") do
    d[kind] = function(self, o) return server(self, kind, spec, o or {}, count) end
  end
  return d, deferred
end

return lab
