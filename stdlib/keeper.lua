-- Whoever keeps a service running, by one word of a parameter: "systemd:coze", "pm2:us-backend", "compose:mall/mysql-master",
-- "docker:mall_backend_1", or "init:/etc/init.d/redis-server" (an LSB init script). A project or container of another
-- Docker socket has it behind an @: "compose:mall/redis@/run/docker.sock". Errors are those of the modules behind it:
-- service, pm2, compose, docker, shell.
local compose = require "compose"
local docker = require "docker"
local pm2 = require "pm2"
local rt = require "rt"
local service = require "service"
local task = require "task"

local keeper = {}

local function project_of(name, socket)
  local project, one = name:match("^([^/]+)/(.+)$")
  if not project then error(rt.text("keeper_kind", "compose:" .. name), 0) end
  return { project = project, socket = socket }, one
end

local function texts(lines)
  local list = rt.array {}
  for i, line in ipairs(lines) do list[i] = line.text end
  return list
end

-- By kind, of what stands behind the colon: what its keeper says of it; start, stop, restart; its last lines.
local kinds = {
  systemd = {
    state = function(name)
      local one = service.show(name)
      local missing = one.load == "not-found" and "missing" or "stopped"
      return { state = one.active == "active" and "running" or missing, detail = one.active, restarts = one.restarts, pid = one.pid }
    end,
    act = function(action, name) service[action](name) end,
    logs = function(name, lines) return service.logs(name, { lines = lines }) end,
  },
  pm2 = {
    state = function(name)
      local state, one = pm2.state(name), pm2.get(name)[1] or {}
      local missing = state == "missing" and "missing" or "stopped"
      return { state = state == "online" and "running" or missing, detail = state, restarts = one.restarts, pid = one.pid }
    end,
    act = function(action, name) pm2[action](name) end,
    logs = function(name, lines) return texts(pm2.logs(name, { lines = lines })) end,
  },
  compose = {
    state = function(name, socket)
      local one = compose.service(project_of(name, socket))
      if not one then return { state = "missing", detail = "no container" } end
      return { state = one.running == one.total and "running" or "stopped", detail = one.state }
    end,
    act = function(action, name, socket) compose[action](project_of(name, socket)) end,
    logs = function(name, lines, socket)
      local project, one = project_of(name, socket)
      return texts(compose.logs(project, one, { tail = lines }))
    end,
  },
  docker = {
    state = function(name, socket)
      local one = docker.inspect(name, { socket = socket })
      if not one then return { state = "missing", detail = "no container" } end
      return { state = one.running and "running" or "stopped", detail = one.health and one.health.status or one.state,
        restarts = one.restarts, pid = one.pid }
    end,
    act = function(action, name, socket) docker[action](name, { socket = socket }) end,
    logs = function(name, lines, socket) return texts(docker.logs(name, { tail = lines, socket = socket })) end,
  },
  init = {
    state = function(path)
      local answer = task.call("shell.read", { argv = rt.array { path, "status" } }, rt.where())
      local pid = math.tointeger(tonumber(answer.out:match("%d+") or ""))
      return { state = answer.ok and "running" or "stopped", detail = "exit " .. answer.code, pid = pid }
    end,
    act = function(action, path) task.call("shell.run", { argv = rt.array { path, action }, timeout = 120 }, rt.where()) end,
    logs = function() return nil end,
  },
}

local function split(word)
  local kind, name = tostring(word):match("^(%l[%l%d]*):(.+)$")
  local socket = name and name:match("@(/.+)$")
  if not kinds[kind] then error(rt.text("keeper_kind", tostring(word)), 3) end
  return kinds[kind], socket and name:sub(1, -#socket - 2) or name, socket
end

--- { state = "running" | "stopped" | "missing", detail, restarts?, pid? }: what its keeper says of it. Running is not yet
--- answering.
function keeper.state(word)
  local kind, name, socket = split(word)
  return kind.state(name, socket)
end

local function act(action)
  return function(word)
    local kind, name, socket = split(word)
    kind.act(action, name, socket)
  end
end

--- Each is done when the keeper says so, which is not yet when the service answers: verify looks.
keeper.restart = act "restart"
keeper.start = act "start"
keeper.stop = act "stop"

--- Starts it anew so that it reads its environment again: a compose service is made anew when its configuration changed, for
--- the others a restart does that.
function keeper.renew(word)
  local kind, name, socket = split(word)
  if kind ~= kinds.compose then return kind.act("restart", name, socket) end
  local project, one = project_of(name, socket)
  compose.up(project, { one })
end

--- Its last lines as one text, from its keeper; where that has none (an init script), of the file path, if there is one.
--- lines: default 200.
function keeper.logs(word, path, lines)
  local kind, name, socket = split(word)
  local list = kind.logs(name, lines or 200, socket)
  if list then return table.concat(list, "\n") end
  return path and task.call("file.tail", { path = path, lines = lines or 200 }) or ""
end

return keeper
