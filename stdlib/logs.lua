-- Logs: what they say since when, what comes next, and keeping them small without losing a line. A log is looked at by the
-- verbs file.scan and file.follow, in a process that can only read, with patterns (PCRE2) that cannot hang.
local rt = require "rt"
local task = require "task"
local glob = require "glob"

local logs = {}

local function list_of(paths) return type(paths) == "table" and paths or { paths } end

local function protect(verb, args)
  local ok, value = task.protect(task.call, verb, args)
  if ok then return value end
  if value.kind == "verb" and not value.fatal then return nil, value end
  error(value, 0)
end

-- ---- scan ----

-- "app.log" was "app.log.1", "app.log-20260308", "app.log.2.gz" before; only what was written since then can matter.
local function former(path, since)
  local dir, name = task.call("file.parent", { path = path }), path:match("[^/]+$")
  if not dir then return {} end
  local found = {}
  for _, one in ipairs(task.call("file.list", { dir = dir, pattern = glob.escape(name) .. "[.-]*" })) do
    if one.type == "file" and one.mtime >= since then found[#found + 1] = one end
  end
  table.sort(found, function(a, b) return a.mtime < b.mtime end)
  return found
end

local function add_groups(into, from)
  for text, count in pairs(from or {}) do into[text] = (into[text] or 0) + count end
end

local function add(into, answer)
  for name, one in pairs(answer.matches) do
    local sum = into.matches[name] or { count = 0, groups = one.groups and {} }
    sum.count = sum.count + one.count
    if one.first and (not sum.first or one.first < sum.first) then sum.first = one.first end
    if one.last and (not sum.last or one.last > sum.last) then sum.last = one.last end
    if one.groups then add_groups(sum.groups, one.groups) end
    into.matches[name] = sum
  end
  add_groups(into.buckets, answer.buckets)
  for _, sample in ipairs(answer.samples) do into.samples[#into.samples + 1] = sample end
  into.lines = into.lines + answer.lines
  into.dated = into.dated and answer.dated
end

local seen = {} -- undated logs: how far they were read, and which file that was

local function scan_one(path, args)
  args.path = path
  local answer = task.call("file.scan", args)
  if not answer or answer.dated then return answer end
  local mark = seen[path]
  -- Nothing in it says when. What was there when this run first looked is older than its writes.
  if answer.wrote and not args.before_writes and mark and mark.inode == answer.inode then
    args.from = mark.at
    answer = task.call("file.scan", args)
    args.from = nil
  elseif not answer.wrote then
    seen[path] = { inode = answer.inode, at = answer.at }
  end
  return answer
end

local function options_of(patterns, options)
  local args = { patterns = patterns }
  for name, value in pairs(options or {}) do args[name] = value end
  args.rotated = nil
  return args
end

--- How often which pattern occurs in one log or several, never looking back beyond this run's last write (else old lines
--- would keep a repaired finding alive; before_writes = true looks all the same). patterns: one, or { name = pattern };
--- one alone is called "match". options: last = "10m", since (UTC seconds), bytes, plain, group, every, samples, rotated
--- (look into rotated and gzipped logs that were written in that time, default true when last or since is given).
--- Returns { matches = { name = { count, first?, last?, groups? } }, samples, buckets, lines, dated, missing = paths }.
function logs.scan(paths, patterns, options)
  local args = options_of(patterns, options)
  local all = { matches = {}, samples = rt.array {}, buckets = {}, lines = 0, dated = true, missing = rt.array {} }
  local rotated = options and options.rotated
  if rotated == nil then rotated = args.last ~= nil or args.since ~= nil end
  for _, path in ipairs(list_of(paths)) do
    local answer = scan_one(path, args)
    if answer and rotated and answer.dated and answer.first > answer.since then
      for _, old in ipairs(former(path, answer.since)) do
        args.path = old.path
        local before = task.call("file.scan", args)
        if before then add(all, before) end
      end
    end
    if answer then add(all, answer) else all.missing[#all.missing + 1] = path end
  end
  return all
end

--- Requests of an access log (common or combined format): { requests, errors, error_pct, client_errors, by_status }; errors
--- are 5xx. options: as scan.
function logs.access(paths, options)
  local args = {}
  for name, value in pairs(options or {}) do args[name] = value end
  args.group, args.samples = true, args.samples or 0
  local answer = logs.scan(paths, { status = [["\s+([1-5]\d\d)(?:\s|$)]] }, args)
  local status = answer.matches.status or { count = 0 }
  local sum = { requests = status.count, errors = 0, client_errors = 0, by_status = status.groups or {}, missing = answer.missing }
  for code, count in pairs(sum.by_status) do
    if code:sub(1, 1) == "5" then sum.errors = sum.errors + count end
    if code:sub(1, 1) == "4" then sum.client_errors = sum.client_errors + count end
  end
  sum.error_pct = sum.requests > 0 and sum.errors * 100 / sum.requests or 0
  return sum
end

-- ---- follow ----

--- for line, path in logs.follow(paths, { within = "60s", match = "ERROR", max = 10000 }) do … break end: what is added from now
--- on, through rotation, and of a log that only appears later all of it. within: when to stop, default 60 s; max: after so many
--- lines, default 10000; from_start: what is there already, too. A batch (a second or 100 lines) is one call.
function logs.follow(paths, options)
  options = options or {}
  local left = rt.seconds(options.within or "60s")
  local max = options.max or 10000
  local args = { paths = list_of(paths), match = options.match, from_start = options.from_start, at = nil }
  local batch, i, given = nil, 0, 0
  return function()
    while given < max do
      i = i + 1
      local one = batch and batch.lines[i]
      if one then
        given = given + 1
        return one.line, one.path
      end
      if left <= 0 then return nil end
      args.within = math.min(1, left)
      left = left - args.within
      batch, i = task.call("file.follow", args), 0
      args.at = batch.at
    end
  end
end

-- ---- which ones ----

--- Is it a log by its name: app.log, app.log.1, app.log-20260101? "000123.log" is a database's journal, "shop.logistics.db" data.
--- options: name = what a log is called, default "*.log"; except = patterns of names.
function logs.is_log(path, options)
  local name, wanted = path:match("([^/]*)$"), options and options.name or "*.log"
  for _, pattern in ipairs(options and options.except or {}) do
    if glob.match(pattern, name) then return false end
  end
  return (glob.match(wanted, name) or glob.match(wanted .. "[._-][0-9A-Za-z]*", name)) and not name:find("^%d+%.log")
end

--- Logs that nobody has open: a list of { path, bytes, mtime }, the largest first. options: older = "7d", larger, name (default
--- what logs.is_log says; gzipped ones are left out), except = patterns of names.
function logs.closed(dir, options)
  options = options or {}
  local except = { "*.gz", "*.xz", "*.zst", "*.bz2" }
  for _, name in ipairs(options.except or {}) do except[#except + 1] = name end
  local found = task.call("file.find", {
    dir = dir, name = options.name or "*.log*", older = options.older, larger = options.larger, except = rt.array(except), closed = true,
    max = options.max,
  })
  local list = rt.array {}
  for _, one in ipairs(found) do
    if options.name or logs.is_log(one.path) then list[#list + 1] = { path = one.path, bytes = one.size, mtime = one.mtime } end
  end
  table.sort(list, function(a, b) return a.bytes > b.bytes end)
  return list
end

--- Logs that should be written and are not: a list of { path, missing } or { path, age } (seconds). longer: silence that counts.
function logs.silent(paths, longer)
  local now, list = task.now(), rt.array {}
  for _, path in ipairs(list_of(paths)) do
    local stat = task.call("file.stat", { path = path })
    if not stat then
      list[#list + 1] = { path = path, missing = true }
    elseif now - stat.mtime > rt.seconds(longer or "1h") then
      list[#list + 1] = { path = path, age = math.floor(now - stat.mtime) }
    end
  end
  return list
end

--- Gzipped logs that are not whole: a list of { path, why }. options: name (default "*.gz"), newer, max.
function logs.damaged(dir, options)
  options = options or {}
  local list = rt.array {}
  for _, one in ipairs(task.call("file.find", { dir = dir, name = options.name or "*.gz", newer = options.newer, max = options.max })) do
    local answer, err = protect("file.scan", { path = one.path, patterns = "^", samples = 0, before_writes = true })
    if not answer and err and err.code == "corrupt" then list[#list + 1] = { path = one.path, why = err.message } end
  end
  return list
end

-- The patterns before each { of a logrotate file; quotes around a name are taken off.
local function rotated_by(text, patterns)
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    local head = line:gsub("#.*", ""):match("^%s*([^{}]*)")
    for word in head:gmatch("%S+") do
      word = word:gsub('^["\']', ""):gsub('["\']$', "")
      if word:sub(1, 1) == "/" then patterns[#patterns + 1] = word end
    end
  end
end

--- Logs no logrotate rule names: a list of { path, bytes }. options: larger (default "10MB"), config (default
--- /etc/logrotate.conf and /etc/logrotate.d), except.
function logs.unrotated(dir, options)
  options = options or {}
  local patterns, list = {}, rt.array {}
  local files = options.config or { "/etc/logrotate.conf" }
  if not options.config and task.call("file.stat", { path = "/etc/logrotate.d" }) then
    for _, one in ipairs(task.call("file.list", { dir = "/etc/logrotate.d" })) do
      if one.type == "file" then files[#files + 1] = one.path end
    end
  end
  for _, path in ipairs(files) do
    local text = protect("file.read", { path = path })
    if text then rotated_by(text, patterns) end
  end
  local found = task.call("file.find", { dir = dir, name = "*.log", larger = options.larger or 10000000, except = options.except })
  for _, one in ipairs(found) do
    local named = false
    for _, pattern in ipairs(patterns) do named = named or glob.match(pattern, one.path) end
    if not named then list[#list + 1] = { path = one.path, bytes = one.size } end
  end
  return list
end

--- The system's own log, newest last: lines of journald, of one unit when given. options: last (default "1h"), max (default 200),
--- priority ("err").
function logs.system(unit, options)
  options = options or {}
  local seconds = math.floor(rt.seconds(options.last or "1h"))
  local argv = rt.array { "journalctl", "--no-pager", "--output=short-iso", "--lines=" .. (options.max or 200), "--since=-" .. seconds .. "s" }
  if unit then argv[#argv + 1] = "--unit=" .. unit end
  if options.priority then argv[#argv + 1] = "--priority=" .. options.priority end
  local answer = task.call("shell.read", { argv = argv })
  local lines = rt.array {}
  for line in answer.out:gmatch("[^\n]+") do
    if not line:find("^%-%- ") then lines[#lines + 1] = line end
  end
  return lines
end

-- ---- changing them ----

--- Cuts a log in place to its last lines, for a writer that cannot reopen it. options: keep = "10MB" (default none).
function logs.cut(path, options) return task.call("file.cut", { path = path, keep = options and options.keep }) end

--- Renames a log to path-TIME and lets its writer open a new one: reopen is a function (a signal, a reload). Without reopen the
--- log is copied and cut. Returns the new path.
function logs.rotate(path, options)
  local to = path .. "-" .. require("fmt").time(task.now(), true)
  local reopen = options and options.reopen
  if not reopen then
    task.call("file.copy", { from = path, to = to })
    task.call("file.cut", { path = path })
    return to
  end
  task.call("file.move", { from = path, to = to })
  reopen(path)
  return to
end

return logs
