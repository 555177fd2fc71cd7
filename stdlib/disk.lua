-- Disks: what takes the space. Every function only looks.
local rt = require "rt"
local task = require "task"

local disk = {}

--- Space and inodes of the file system a path lies on; as system.disk.
function disk.usage(path) return task.call("system.disk", { path = path }) end

--- The largest files below a folder, on its own file system: a list of { path, bytes, mtime }. options: top (default 20), timeout
--- (default 60 s; when it runs out, the largest so far).
function disk.biggest(dir, options)
  options = options or {}
  return task.call("file.usage", { dir = dir, top = options.top, timeout = options.timeout }).biggest
end

--- The largest folders directly in one, with all below them: a list of { path, bytes, files }. options: as biggest.
function disk.folders(dir, options)
  options = options or {}
  return task.call("file.usage", { dir = dir, top = options.top, timeout = options.timeout }).folders
end

--- Processes that hold deleted files, which take space until they close them: a list of { pid, started, command, service?, bytes,
--- paths }, the largest first. path: anything on the file system. options: larger = bytes that count (default 1 MB).
function disk.deleted_open(path, options)
  local larger = options and options.larger or 1000000
  local by_process, order, list = {}, {}, rt.array {}
  for _, one in ipairs(task.call("system.deleted", { path = path }).deleted) do
    local key = one.pid .. "/" .. one.started
    local holder = by_process[key]
    if not holder then
      holder = { pid = one.pid, started = one.started, command = one.command, service = one.service, bytes = 0, paths = rt.array {} }
      by_process[key] = holder
      order[#order + 1] = holder
    end
    holder.bytes = holder.bytes + one.bytes
    holder.paths[#holder.paths + 1] = one.path
  end
  for _, holder in ipairs(order) do
    if holder.bytes > larger then list[#list + 1] = holder end
  end
  table.sort(list, function(a, b) return a.bytes > b.bytes end)
  return list
end

--- Bytes of the system journal (journald), 0 when there is none.
function disk.journal_size()
  local bytes = 0
  for _, dir in ipairs { "/var/log/journal", "/run/log/journal" } do
    if task.call("file.stat", { path = dir }) then bytes = bytes + task.call("file.usage", { dir = dir, top = 0 }).bytes end
  end
  return bytes
end

return disk
