-- Tar archives that are to be put in place: looked at first, unpacked beside, swapped in, swapped back.
local rt = require "rt"
local task = require "task"

local archive = {}

local kinds = { ["-"] = "file", d = "dir", l = "link", h = "hardlink", c = "char", b = "block", p = "fifo" }

-- tar's C quoting of names: \n, \", \\, \ooo.
local function unquote(text)
  return (text:gsub("\\(%d%d%d)", function(octal) return string.char(tonumber(octal, 8)) end)
    :gsub("\\(.)", function(c) return ({ n = "\n", t = "\t", r = "\r", a = "\a", b = "\b", f = "\f", v = "\v" })[c] or c end))
end

local function parse(line)
  local mode, size, rest = line:match("^(%S+)%s+%S+%s+(%S+)%s+%S+%s+%S+%s+(\".*)$")
  if not mode then return nil end
  local at = 2
  while at <= #rest and rest:sub(at, at) ~= '"' do at = at + (rest:sub(at, at) == "\\" and 2 or 1) end
  local target = rest:sub(at + 1):match('^ %-> "(.*)"$') or rest:sub(at + 1):match('^ link to "(.*)"$')
  return {
    kind = kinds[mode:sub(1, 1)] or "other", name = unquote(rest:sub(2, at - 1)), target = target and unquote(target),
    size = math.tointeger(size) or 0, mode = mode,
  }
end

--- What is in an archive: a list of { name, kind, size, mode, target? }. Raises too_large when its list is longer than 1 MB.
function archive.list(path)
  local answer = task.call("shell.read", {
    argv = rt.array { "tar", "--list", "--verbose", "--quoting-style=c", "--numeric-owner", "--absolute-names", "--file=" .. path }, timeout = 600,
    env = { LC_ALL = "C" },
  })
  if not answer.ok then error(task.error { code = "corrupt", message = rt.text("archive_damaged", path, answer.err), verb = "archive.list" }, 0) end
  if answer.truncated then error(task.error { code = "too_large", message = rt.text("archive_large", path), verb = "archive.list" }, 0) end
  local list = rt.array {}
  for line in answer.out:gmatch("[^\n]+") do list[#list + 1] = parse(line) end
  return list
end

-- From /, without "." and empty parts, ".." taken as what it says; nil when it leads above /.
local function resolve(name)
  local parts = {}
  for part in name:gmatch("[^/]+") do
    if part == ".." then
      if #parts == 0 then return nil end
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

local function has_parent(name) return ("/" .. name .. "/"):find("/../", 1, true) ~= nil end

local function is_within(name, allowed)
  for _, top in ipairs(allowed) do
    if name == top or name:sub(1, #top + 1) == top .. "/" then return true end
  end
  return false
end

--- Entries that do not belong below the allowed absolute paths, or lead out of them: a list of { name, why }, why one of outside,
--- parent (a .. in it), link (points outside), kind (a device or the like). Names are taken as from /.
function archive.outside(path, allowed)
  allowed = type(allowed) == "table" and allowed or { allowed }
  local bad = rt.array {}
  for _, entry in ipairs(archive.list(path)) do
    local name, why = resolve(entry.name), nil
    if has_parent(entry.name) then
      why = "parent"
    elseif not is_within(name, allowed) and entry.kind ~= "dir" then
      why = "outside"
    elseif entry.target then
      local base = entry.kind == "hardlink" and "" or name:match("^(.*)/")
      local target = resolve(entry.target:sub(1, 1) == "/" and entry.target or base .. "/" .. entry.target)
      why = (not target or not is_within(target, allowed)) and "link" or nil
    elseif entry.kind ~= "file" and entry.kind ~= "dir" then
      why = "kind"
    end
    if why then bad[#bad + 1] = { name = entry.name, why = why } end
  end
  return bad
end

--- Unpacks into an empty folder, never outside of it: names lose their leading slash, owners and modes stay. Look with outside
--- first. Returns the folder.
function archive.unpack(path, dir)
  task.call("file.mkdir", { path = dir, mode = "0700" })
  task.call("shell.run", {
    argv = rt.array { "tar", "--extract", "--keep-old-files", "--file=" .. path, "--directory=" .. dir }, timeout = 600,
  })
  return dir
end

--- Puts staged files or folders in the places of live ones, each in one step: pairs is a list of { live, staged }. When one fails,
--- those before it are swapped back. Returns pairs, for swap_back.
function archive.swap(pairs_of)
  local done = {}
  for _, pair in ipairs(pairs_of) do
    local ok, err = task.protect(task.call, "file.swap", { path = pair[1], with = pair[2] })
    if not ok then
      archive.swap_back(done)
      error(err, 0)
    end
    done[#done + 1] = pair
  end
  return pairs_of
end

--- Undoes swap, the last first.
function archive.swap_back(pairs_of)
  for i = #pairs_of, 1, -1 do task.call("file.swap", { path = pairs_of[i][1], with = pairs_of[i][2] }) end
end

return archive
