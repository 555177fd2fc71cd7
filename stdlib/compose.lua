-- Compose projects, known by the labels of their containers: a name is enough, { project, dir, file, socket } says where
-- its files are when it has no container yet. Reading is docker's; errors too.
local docker = require "docker"
local rt = require "rt"
local task = require "task"
local text = require "text"

local compose = {}

local DIR, FILES = "com.docker.compose.project.working_dir", "com.docker.compose.project.config_files"

local function as_table(project)
  return type(project) == "table" and project or { project = project }
end

local function containers_of(project, service, options)
  local p = as_table(project)
  return docker.list { project = p.project, service = service, socket = p.socket, timeout = options and options.timeout }
end

local function state_of(one)
  if one.running == 0 then return "stopped" end
  if one.unhealthy > 0 then return "unhealthy" end
  if one.running < one.total then return "partial" end
  return one.starting > 0 and "starting" or "running"
end

local function add(one, container)
  one.total = one.total + 1
  one.running = one.running + (container.state == "running" and 1 or 0)
  one.unhealthy = one.unhealthy + (container.health == "unhealthy" and 1 or 0)
  one.starting = one.starting + (container.health == "starting" and 1 or 0)
  one.containers[#one.containers + 1] = container
end

--- The services that have containers: list of { service, state = "running" | "starting" | "partial" | "unhealthy" |
--- "stopped", running, total, unhealthy, starting, containers }, by name.
function compose.state(project, options)
  local services, list = {}, rt.array {}
  for _, container in ipairs(containers_of(project, nil, options)) do
    local name = container.service
    if not services[name] then
      services[name] = { service = name, running = 0, total = 0, unhealthy = 0, starting = 0, containers = rt.array {} }
      list[#list + 1] = services[name]
    end
    add(services[name], container)
  end
  table.sort(list, function(a, b) return a.service < b.service end)
  for _, one in ipairs(list) do one.state = state_of(one) end
  return list
end

--- One of them, or nil when it has no container.
function compose.service(project, service, options)
  for _, one in ipairs(compose.state(project, options)) do
    if one.service == service then return one end
  end
end

local function first_of(project, service)
  local containers = containers_of(project, service)
  for _, one in ipairs(containers) do
    if one.state == "running" then return one end
  end
  if containers[1] then return containers[1] end
  local name = as_table(project).project
  error(task.error { code = "not_found", message = rt.text("compose_no_service", service, name), verb = "http.get" }, 0)
end

--- The last lines of a service, as docker.logs; of several containers each line has its container's name.
function compose.logs(project, service, options)
  local all, cut = rt.array {}, false
  for _, container in ipairs(containers_of(project, service, options)) do
    local o = { socket = as_table(project).socket }
    for name, value in pairs(options or {}) do o[name] = value end
    local lines, less = docker.logs(container.id, o)
    cut = cut or less
    for _, line in ipairs(lines) do
      line.container = container.name
      all[#all + 1] = line
    end
  end
  table.sort(all, function(a, b) return (a.at or "") < (b.at or "") end)
  return all, cut
end

--- Asks in a service's running container what the configuration declares under that name, an argument list: the only way
--- for a check to look inside. connection: a connection of the configuration with driver "compose", that has
--- asks = { SERVICE = { NAME = { "command", … } } }. Returns { ok, code, out, err, ms }. Errors: not_found (not declared),
--- not_running, missing, status, timeout.
function compose.ask(connection, service, name, options)
  return task.call("docker.ask", {
    connection = connection, service = service, name = name, timeout = options and options.timeout,
  }, rt.where())
end

-- ---- the compose command ----

-- "docker compose" where it is installed, else docker-compose.
local function command()
  local answer = task.call("shell.read", { argv = rt.array { "docker", "compose", "version" } }, rt.where())
  return answer.ok and { "docker", "compose" } or { "docker-compose" }
end

-- Where its files are: said, or on a label.
local function place_of(project)
  local p = as_table(project)
  if p.dir or p.file then return p.dir, p.file and { p.file } or nil end
  local container = containers_of(project)[1]
  if not container then
    error(task.error { code = "not_found", message = rt.text("compose_no_project", p.project), verb = "http.get" }, 0)
  end
  local files = container.labels[FILES]
  return container.labels[DIR], files and text.split(files, ",") or nil
end

local function call(verb, project, words, options)
  local p, argv = as_table(project), command()
  local dir, files = place_of(project)
  for _, word in ipairs { "-p", p.project } do argv[#argv + 1] = word end
  for _, file in ipairs(files or {}) do
    argv[#argv + 1] = "-f"
    argv[#argv + 1] = file
  end
  for _, word in ipairs(words) do argv[#argv + 1] = word end
  return task.call(verb, {
    argv = rt.array(argv), cwd = dir, env = p.socket and { DOCKER_HOST = "unix://" .. p.socket } or nil,
    timeout = options and options.timeout,
  }, rt.where())
end

--- The services that its files define: list of names. A file that does not load raises status.
function compose.services(project)
  local answer = call("shell.read", project, { "config", "--services" })
  if not answer.ok then error(task.error { code = "status", message = text.trim(answer.err), verb = "shell.read" }, 0) end
  local names = rt.array(text.lines(answer.out))
  table.sort(names)
  return names
end

--- true, or false and the words of what is wrong in its files.
function compose.valid(project)
  local answer = call("shell.read", project, { "config", "-q" })
  if answer.ok then return true end
  return false, text.trim(answer.err)
end

--- Makes and starts what is missing or changed. services: list, default all.
function compose.up(project, services, options)
  local words = { "up", "-d" }
  for _, service in ipairs(services or {}) do words[#words + 1] = service end
  return call("shell.run", project, words, options)
end

-- The containers that there are, by docker: no file is needed.
local function each(action, project, service, options)
  first_of(project, service)
  local o = { socket = as_table(project).socket }
  for name, value in pairs(options or {}) do o[name] = value end
  local answer
  for _, container in ipairs(containers_of(project, service)) do answer = action(container.name, o) end
  return answer
end

--- Start, stop, restart the containers of a service; options: grace, timeout.
function compose.start(project, service, options) return each(docker.start, project, service, options) end
function compose.stop(project, service, options) return each(docker.stop, project, service, options) end
function compose.restart(project, service, options) return each(docker.restart, project, service, options) end

--- Runs a command in a service's container: a write. options: user, cwd, timeout.
function compose.exec(project, service, argv, options)
  local o = { socket = as_table(project).socket }
  for name, value in pairs(options or {}) do o[name] = value end
  return docker.exec(first_of(project, service).name, argv, o)
end

return compose
