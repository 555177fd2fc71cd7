-- Names, ports and certificates as operations see them. Errors are those of the verbs (`runbook help net`).
local task = require "task"

local net = {}

local function call(verb, args, options)
  for name, value in pairs(options or {}) do args[name] = value end
  return task.call(verb, args)
end

--- { name, addresses, ms, server? }. options: server = "address:port", timeout.
function net.resolve(name, options) return call("net.resolve", { name = name }, options) end

--- { open, code?, message?, remote, ms }. options: timeout (5s).
function net.tcp(host, port, options) return call("net.tcp", { host = host, port = port }, options) end

--- true when the port takes connections, else false, code and message; a name that does not resolve is code dns.
function net.reachable(host, port, options)
  local answer, err = task.try(net.tcp, host, port, options)
  if not answer then return false, err.code, err.message end
  return answer.open, answer.code, answer.message
end

--- { subject, issuer, names, starts_at, expires_at, days, valid, problem?, remote, ms }. port: default 443. options: ca, timeout.
function net.certificate(host, port, options) return call("net.certificate", { host = host, port = port }, options) end

-- "example.com", "example.com:8443", "[::1]:443"
local function split_place(place)
  local host, port = place:match("^(.-):(%d+)$")
  if host and (not host:find(":", 1, true) or host:sub(1, 1) == "[") then return host, math.tointeger(port) end
  return place
end

--- The certificates of many places ("host" or "host:port"), looked at side by side, those that expire first in front.
--- A place without an answer has no days, and the reason in problem.
function net.certificates(places, options)
  local found = task.parallel(places, function(place)
    local host, port = split_place(place)
    local answer, err = task.try(net.certificate, host, port, options)
    answer = answer or { valid = false, code = err.code, problem = err.message }
    answer.place = place
    return answer
  end, 16)
  table.sort(found, function(a, b) return (a.days or -1000000) < (b.days or -1000000) end)
  return found
end

--- All listening sockets, or those of one port: { proto, addr, port, uid, processes }.
function net.listeners(port) return task.call("system.listeners", { port = port }).listeners end

--- The TCP listener of a port, or nil.
function net.listener(port)
  for _, one in ipairs(net.listeners(port)) do
    if one.proto:find("tcp", 1, true) then return one end
  end
  return nil
end

--- The entries of /etc/hosts (or of another file) for a name: { address, names, line }.
function net.hosts_entries(name, path)
  local found = {}
  local number = 0
  for line in ((task.call("file.read", { path = path or "/etc/hosts" }) or "") .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local address, rest = line:gsub("#.*", ""):match("^%s*(%S+)%s+(.*)$")
    local names, hit = {}, false
    for one in (rest or ""):gmatch("%S+") do
      names[#names + 1] = one
      hit = hit or name == nil or one:lower() == name:lower()
    end
    if address and hit then found[#found + 1] = { address = address, names = names, line = number } end
  end
  return found
end

return net
