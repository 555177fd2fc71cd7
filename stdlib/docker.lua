-- Containers. Reading asks Docker's socket by GET, which changes nothing, and takes only the members named here: a
-- container's environment, where passwords are, is never asked for. Writing is the docker command, so that a person
-- sees and consents to what one would type.
-- options everywhere: socket (default /var/run/docker.sock), timeout. name: a container's name or id.
-- Errors: not_found (no such socket or container), refused (nobody listens there), denied, status, timeout, too_large; of writing those of shell.run.
local rt = require "rt"
local task = require "task"
local text = require "text"

local docker = {}

local SOCKET = "/var/run/docker.sock"
local LIST = { "Id", "Names", "Image", "State", "Status", "Created", "Labels", "Ports", "message" }
local INSPECT = {
  "Id", "Name", "Image", "RestartCount", "LogPath", "State", "Mounts", "Config.Image", "Config.Labels", "Config.Tty",
  "HostConfig.RestartPolicy", "HostConfig.LogConfig", "HostConfig.Memory", "HostConfig.NetworkMode", "message",
}
local USAGE = {
  "LayersSize", "Images.Id", "Images.RepoTags", "Images.Size", "Images.SharedSize", "Images.Containers", "Containers.Id",
  "Containers.Names", "Containers.State", "Containers.SizeRw", "Volumes.Name", "Volumes.UsageData", "BuildCache.Size",
  "BuildCache.InUse", "BuildCache.Shared", "message",
}
local PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"

local function socket_of(options) return options and options.socket or SOCKET end

local function fail(answer, what)
  local message = answer.json and answer.json.message or "HTTP " .. answer.status
  error(task.error {
    code = answer.status == 404 and "not_found" or answer.status == 403 and "denied" or "status",
    message = what .. ": " .. message, verb = "http.get",
  }, 0)
end

-- nil when Docker answers 404 and missing is allowed.
local function get(path, options, more)
  local ok, answer = task.protect(task.call, "http.get", {
    url = "http://docker", path = rt.array(path), query = more.query, keep = more.keep and rt.array(more.keep) or nil,
    socket = socket_of(options), max_body = more.max_body, timeout = options and options.timeout,
  }, rt.where())
  if not ok then
    if answer.kind == "verb" and not answer.fatal then answer.message = socket_of(options) .. ": " .. answer.message end
    error(answer, 0)
  end
  if answer.ok then return answer end
  if answer.status == 404 and more.optional then return nil end
  fail(answer, "docker " .. table.concat(path, "/"))
end

local function known(value) return value ~= rt.null and value or nil end

local function short(id) return id and id:gsub("^sha256:", ""):sub(1, 12) end

-- "Up 3 minutes (health: starting)" -> "starting"
local function health_in(status)
  return status:match("%(health: (%a+)%)") or status:match("%((%a+)%)$")
end

local function ports_of(list)
  local ports = rt.array {}
  for _, one in ipairs(known(list) or {}) do
    ports[#ports + 1] = { container = one.PrivatePort, host = one.PublicPort, address = one.IP, proto = one.Type }
  end
  return ports
end

local function listed(one)
  local labels = known(one.Labels) or {}
  return {
    id = short(one.Id), name = (one.Names[1] or ""):gsub("^/", ""), image = one.Image, state = one.State,
    status = one.Status, health = health_in(one.Status), created = one.Created, ports = ports_of(one.Ports),
    project = labels[PROJECT], service = labels[SERVICE], labels = labels,
  }
end

local function filters_of(options)
  local labels, filters = rt.array {}, {}
  if options.project then labels[#labels + 1] = PROJECT .. "=" .. options.project end
  if options.service then labels[#labels + 1] = SERVICE .. "=" .. options.service end
  if options.label then labels[#labels + 1] = options.label end
  if #labels > 0 then filters.label = labels end
  if options.state then filters.status = rt.array { options.state } end
  return next(filters) and rt.json_encode(filters) or nil
end

--- Containers, stopped ones too: list of { id, name, image, state, status, health?, created, ports, project?, service?,
--- labels }, by name. options: project, service, label ("name=value"), state ("running", "exited", …).
function docker.list(options)
  options = options or {}
  local answer = get({ "containers", "json" }, options, {
    query = { all = "1", filters = filters_of(options) }, keep = LIST, max_body = "3MiB",
  })
  local list = rt.array {}
  for _, one in ipairs(answer.json) do list[#list + 1] = listed(one) end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function health_of(state)
  local health = known(state.Health)
  if not health then return nil end
  local log = known(health.Log) or {}
  local last = log[#log]
  return { status = health.Status, failing = health.FailingStreak, last = last and text.cut(last.Output or "", 2000) }
end

local function mounts_of(list)
  local mounts = rt.array {}
  for _, one in ipairs(known(list) or {}) do
    mounts[#mounts + 1] = { type = one.Type, name = one.Name, source = one.Source, target = one.Destination, read_only = not one.RW }
  end
  return mounts
end

-- Docker's zero time means never.
local function time_of(value)
  if not value or value:sub(1, 4) == "0001" then return nil end
  return value
end

--- One container, or nil when there is none: { id, name, image, state, running, pid, exit_code, oom_killed, error,
--- started_at?, finished_at?, health? = { status, failing, last }, restarts, restart_policy, log_path, log_driver,
--- memory_limit, network, tty, mounts, project?, service?, labels }.
function docker.inspect(name, options)
  local answer = get({ "containers", name, "json" }, options, { keep = INSPECT, optional = true })
  if not answer then return nil end
  local one = answer.json
  local state, host, config = one.State, one.HostConfig, one.Config
  local labels = known(config.Labels) or {}
  return {
    id = short(one.Id), name = one.Name:gsub("^/", ""), image = config.Image, state = state.Status, running = state.Running,
    pid = state.Pid, exit_code = state.ExitCode, oom_killed = state.OOMKilled, error = state.Error,
    started_at = time_of(state.StartedAt), finished_at = time_of(state.FinishedAt), health = health_of(state),
    restarts = one.RestartCount, restart_policy = host.RestartPolicy.Name, log_path = one.LogPath,
    log_driver = host.LogConfig.Type, memory_limit = host.Memory, network = host.NetworkMode, tty = config.Tty,
    mounts = mounts_of(one.Mounts), project = labels[PROJECT], service = labels[SERVICE], labels = labels,
  }
end

local function must(name, options)
  local one = docker.inspect(name, options)
  if not one then error(task.error { code = "not_found", message = rt.text("docker_none", name), verb = "http.get" }, 0) end
  return one
end

--- The daemon, or nil and why when it does not answer: { version, root, driver, containers, running, images, warnings }.
function docker.info(options)
  local ok, answer = task.protect(get, { "info" }, options, {
    keep = { "ServerVersion", "DockerRootDir", "Driver", "Containers", "ContainersRunning", "Images", "Warnings", "message" },
  })
  if not ok and (answer.kind ~= "verb" or answer.fatal) then error(answer, 0) end
  if not ok then return nil, answer.message end
  local one = answer.json
  return {
    version = one.ServerVersion, root = one.DockerRootDir, driver = one.Driver, containers = one.Containers,
    running = one.ContainersRunning, images = one.Images, warnings = known(one.Warnings) or rt.array {},
  }
end

-- ---- logs ----

-- "2026-03-08T05:30:00.123456789Z text" -> text, time
local function split_time(line)
  local at, rest = line:match("^(%d%d%d%d%-%d%d%-%d%dT[%d:%.]+Z) ?(.*)$")
  return rest or line, at
end

-- Frames of 8 + n bytes: stream (1 out, 2 err), three zeros, length. A line may come in several frames.
local function framed_lines(body, add)
  local open, at = {}, 1
  while at + 7 <= #body do
    local stream, length = string.unpack(">Bxxx I4", body, at)
    local pieces = text.split((open[stream] or "") .. body:sub(at + 8, at + 7 + length), "\n")
    open[stream] = pieces[#pieces]
    for i = 1, #pieces - 1 do add(pieces[i], stream) end
    at = at + 8 + length
  end
  for stream, rest in pairs(open) do
    if rest ~= "" then add(rest, stream) end
  end
end

local function lines_of(body, tty)
  local lines = rt.array {}
  local function add(line, stream)
    if line:sub(-1) == "\r" then line = line:sub(1, -2) end
    local words, at = split_time(line)
    lines[#lines + 1] = { text = words, at = at, stream = stream == 2 and "err" or "out" }
  end
  if tty then
    for _, line in ipairs(text.lines(body)) do add(line, 1) end
  else
    framed_lines(body, add)
  end
  return lines
end

local function ask_logs(name, options, tail)
  local since = options.since and tostring(task.call("time.now", {}) - math.floor(rt.seconds(options.since)))
  return get({ "containers", name, "logs" }, options, {
    query = { stdout = "1", stderr = "1", timestamps = "1", tail = tostring(tail), since = since }, max_body = "3MiB",
  }).body
end

--- The last lines a container said: list of { text, stream = "out" | "err", at? }, and true when long lines left room for
--- fewer than were asked for. options: tail (default 200), since ("15m": not older).
function docker.logs(name, options)
  options = options or {}
  local tty = must(name, options).tty
  local tail, cut = options.tail or 200, false
  while true do
    local ok, body = task.protect(ask_logs, name, options, tail)
    if ok then return lines_of(body, tty), cut end
    if body.code ~= "too_large" or tail == 1 then error(body, 0) end
    tail, cut = math.max(1, tail // 4), true
  end
end

-- ---- what takes room ----

--- Log files of the json-file driver: list of { name, path, bytes, service?, project? }, the largest first.
--- options: larger ("100MB": only those). Needs the right to look below Docker's folder.
function docker.log_sizes(options)
  options = options or {}
  local least, list = options.larger and rt.bytes(options.larger) or 0, rt.array {}
  for _, one in ipairs(docker.list(options)) do
    local full = docker.inspect(one.id, options)
    local file = full and full.log_path ~= "" and task.call("file.stat", { path = full.log_path }, rt.where())
    if file and file.size >= least then
      list[#list + 1] = { name = one.name, path = full.log_path, bytes = file.size, service = one.service, project = one.project }
    end
  end
  table.sort(list, function(a, b) return a.bytes > b.bytes end)
  return list
end

local function is_dangling(image)
  local tags = known(image.RepoTags) or {}
  return #tags == 0 or tags[1] == "<none>:<none>"
end

-- What an image alone holds; another one may share the rest.
local function own_size(image) return math.max(0, image.Size - math.max(0, image.SharedSize or 0)) end

local function sum(list, wanted, size)
  local total = { count = 0, bytes = 0 }
  for _, one in ipairs(known(list) or {}) do
    if wanted(one) then total = { count = total.count + 1, bytes = total.bytes + (size(one) or 0) } end
  end
  return total
end

--- What nothing uses, each { count, bytes }: dangling (images without a name), images (unused ones, those included),
--- containers (stopped), volumes, build_cache; and layers, the bytes of all images.
function docker.usage(options)
  local answer = get({ "system", "df" }, options, { keep = USAGE, max_body = "3MiB" }).json
  local function unused(image) return image.Containers == 0 end
  return {
    layers = answer.LayersSize,
    dangling = sum(answer.Images, function(i) return unused(i) and is_dangling(i) end, own_size),
    images = sum(answer.Images, unused, own_size),
    containers = sum(answer.Containers, function(c) return c.State ~= "running" end, function(c) return c.SizeRw end),
    volumes = sum(answer.Volumes, function(v) return v.UsageData.RefCount == 0 end, function(v) return math.max(0, v.UsageData.Size) end),
    build_cache = sum(answer.BuildCache, function(c) return not c.InUse and not c.Shared end, function(c) return c.Size end),
  }
end

--- The bytes of one kind of docker.usage: "dangling" (default), "images", "containers", "volumes", "build_cache".
function docker.reclaimable(kind, options)
  local total = docker.usage(options)[kind or "dangling"]
  if type(total) ~= "table" then error(rt.text("docker_kind", tostring(kind)), 2) end
  return total.bytes
end

-- ---- writing ----

local function run(words, options)
  local socket = options and options.socket
  return task.call("shell.run", {
    argv = rt.array(words), env = socket and { DOCKER_HOST = "unix://" .. socket } or nil, timeout = options and options.timeout,
  }, rt.where())
end

local function grace_of(options)
  return tostring(math.ceil(rt.seconds(options and options.grace or "10s")))
end

--- Starts a container; none is made.
function docker.start(name, options) return run({ "docker", "start", name }, options) end

--- Stops a container: TERM, after grace (default "10s") KILL.
function docker.stop(name, options) return run({ "docker", "stop", "--time", grace_of(options), name }, options) end

--- Stops as stop does, and starts again.
function docker.restart(name, options) return run({ "docker", "restart", "--time", grace_of(options), name }, options) end

--- Runs a command in a container: nobody sees what it does there, so it is a write. argv: a list. options: user, cwd.
function docker.exec(name, argv, options)
  local words = { "docker", "exec" }
  for _, option in ipairs { "user", "cwd" } do
    if options and options[option] then
      words[#words + 1] = option == "cwd" and "--workdir" or "--user"
      words[#words + 1] = options[option]
    end
  end
  words[#words + 1] = name
  for _, word in ipairs(argv) do words[#words + 1] = word end
  return run(words, options)
end

return docker
