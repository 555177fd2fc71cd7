-- ufw, the firewall of Debian and Ubuntu, as operations see it: is it on, does it let a port in, one narrow rule more or less. Never
-- "ufw disable", which opens every port. dir: its folder, /etc/ufw. command: { "ufw" }, or { "sudo", "-n", "ufw" }.
local rt = require "rt"
local task = require "task"
local text = require "text"

local ufw = {}

local function read(dir, name) return task.call("file.read", { path = dir .. "/" .. name }) or "" end

--- Is it enabled?
function ufw.enabled(dir) return text.match(read(dir, "ufw.conf"), [[(?m)^\s*ENABLED\s*=\s*["']?yes]]) ~= nil end

--- Does one of its own rules let TCP to this port in, from somewhere?
function ufw.allows(port, dir)
  return text.match(read(dir, "user.rules"), "(?m)^### tuple ### (allow|limit) (any|tcp) (" .. port .. "|any) ") ~= nil
end

local function rule(command, words, port, from)
  local argv = rt.array {}
  for _, list in ipairs { command, words, { "allow", "proto", "tcp", "from", from or "any", "to", "any", "port", tostring(port) } } do
    for _, word in ipairs(list) do argv[#argv + 1] = word end
  end
  task.call("shell.run", { argv = argv })
end

--- Lets TCP to this port in; from: an address or network, default anybody.
function ufw.allow(command, port, from) rule(command, {}, port, from) end

--- Takes that rule back.
function ufw.withdraw(command, port, from) rule(command, { "delete" }, port, from) end

return ufw
