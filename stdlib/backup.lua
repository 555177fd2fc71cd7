-- Backups: made with a manifest beside them (PATH.manifest.json), verified before they are relied on, counted before one goes.
local rt = require "rt"
local task = require "task"
local fmt = require "fmt"
local retention = require "retention"

local backup = {}

local MANIFEST = ".manifest.json"
local SQL_ENDS = { "-- Dump completed", "-- PostgreSQL database dump complete", "COMMIT;" }

-- value, or nil and the verb's error; anything else goes up.
local function protect(verb, args)
  local ok, value = task.protect(task.call, verb, args)
  if ok then return value end
  if value.kind == "verb" and not value.fatal then return nil, value end
  error(value, 0)
end

local function manifest_of(path)
  local text = protect("file.read", { path = path .. MANIFEST })
  local manifest = text and rt.json_decode(text)
  return type(manifest) == "table" and manifest or nil
end

local function write_manifest(path, manifest)
  manifest.schema = "runbook.backup/1"
  task.call("file.write", { path = path .. MANIFEST, data = rt.json_encode(manifest) .. "\n", mode = "0600", backup = false })
  return manifest
end

local function name_of(path) return path:match("([^/]+)/*$") end

--- Backups in a folder, the newest first: a list of { path, bytes, mtime, manifest? }. options: name = pattern, max.
function backup.list(dir, options)
  options = options or {}
  local found = task.call("file.find", { dir = dir, name = options.name, except = rt.array { "*" .. MANIFEST, "*.part" }, depth = 1, max = options.max })
  local list = rt.array {}
  for i, one in ipairs(found) do
    list[i] = { path = one.path, bytes = one.size, mtime = one.mtime, manifest = manifest_of(one.path) }
  end
  table.sort(list, function(a, b)
    if a.mtime ~= b.mtime then return a.mtime > b.mtime end
    return a.path > b.path
  end)
  return list
end

-- ---- verify ----

local function check_sqlite(path)
  local answer = task.call("sql.integrity", { connection = path, quick = false })
  return answer.state == "ok", answer.message or answer.state
end

local function check_gzip(path)
  local answer, err = protect("file.scan", { path = path, patterns = "^", samples = 0, before_writes = true, timeout = 600 })
  return answer ~= nil, err and err.message
end

local function check_tar(path)
  local answer = task.call("shell.read", { argv = rt.array { "tar", "-t", "-f", path }, timeout = 600 })
  return answer.ok, answer.err
end

local function check_dump(path)
  local text = task.call("file.tail", { path = path, bytes = 4096 }) or ""
  for _, ending in ipairs(SQL_ENDS) do
    if text:find(ending, 1, true) then return true end
  end
  return false, rt.text("backup_trailer")
end

local checks = {
  { "%.sqlite$", check_sqlite }, { "%.sqlite3$", check_sqlite }, { "%.db$", check_sqlite }, { "%.sqlite%.backup", check_sqlite },
  { "%.tar%.gz$", check_tar }, { "%.tgz$", check_tar }, { "%.tar$", check_tar }, { "%.gz$", check_gzip }, { "%.sql$", check_dump },
}

--- Is a backup whole? { state = "ok" | "damaged" | "missing" | "unverified", why? }: first the hash of its manifest, then what its
--- kind allows: SQLite's integrity check, a gzip or tar read through, the last line of a dump. Empty is damaged.
function backup.verify(path)
  local stat = task.call("file.stat", { path = path })
  if not stat then return { state = "missing" } end
  if stat.size == 0 then return { state = "damaged", why = rt.text("backup_empty") } end
  local manifest = manifest_of(path)
  if manifest and manifest.sha256 and task.call("file.hash", { path = path }) ~= manifest.sha256 then
    return { state = "damaged", why = rt.text("backup_hash") }
  end
  for _, check in ipairs(checks) do
    if path:find(check[1]) then
      local whole, why = check[2](path)
      return whole and { state = "ok" } or { state = "damaged", why = why }
    end
  end
  return { state = manifest and "ok" or "unverified" }
end

--- The newest backup that is whole, or nil; and those that were passed over: a list of { path, why }. options: as list.
function backup.newest(dir, options)
  local passed = rt.array {}
  for _, one in ipairs(backup.list(dir, options)) do
    local answer = backup.verify(one.path)
    if answer.state == "ok" then return one, passed end
    passed[#passed + 1] = { path = one.path, why = answer.why or answer.state }
  end
  return nil, passed
end

--- Backups that may go: a list of { path, bytes, mtime }. options: older = "30d", keep_min (default 3) of the newest that verify
--- always stay, daily, weekly, monthly, name. An unverified one counts as one that stays only with verified = false.
function backup.expired(dir, options)
  options = options or {}
  local policy = { keep_min = 3 }
  for name, value in pairs(options) do policy[name] = value end
  if options.verified ~= false then policy.good = function(one) return backup.verify(one.path).state == "ok" end end
  local drop = retention.divide(backup.list(dir, { name = options.name, max = options.max }), policy).drop
  local list = rt.array {}
  for i, one in ipairs(drop) do list[i] = { path = one.path, bytes = one.bytes, mtime = one.mtime } end
  return list
end

-- ---- make ----

--- An online copy of a SQLite database in a folder, checked, with its manifest. options: name (default that of the database), wait,
--- timeout. Returns { path, size, sha256 }.
function backup.sqlite(db, dir, options)
  options = options or {}
  local path = ("%s/%s-%s.sqlite"):format(dir, options.name or name_of(db), fmt.time(task.now(), true))
  task.call("file.mkdir", { path = dir, mode = "0700" })
  local answer = task.call("sql.backup", { connection = db, to = path, wait = options.wait, timeout = options.timeout })
  write_manifest(path, { kind = "sqlite", source = db, size = answer.size, sha256 = answer.sha256 })
  return answer
end

--- Files and folders as one .tar.gz that only its owner may read, with its manifest; no part of a failed one counts.
--- name: its beginning. options: exclude = patterns, timeout. Returns { path, size, sha256 }.
function backup.files(paths, dir, name, options)
  options = options or {}
  local path = ("%s/%s-%s.tar.gz"):format(dir, name, fmt.time(task.now(), true))
  local argv = rt.array { "tar", "--create", "--gzip", "--absolute-names", "--file=" .. path .. ".part" }
  for _, pattern in ipairs(options.exclude or {}) do argv[#argv + 1] = "--exclude=" .. pattern end
  argv[#argv + 1] = "--"
  for _, one in ipairs(type(paths) == "table" and paths or { paths }) do argv[#argv + 1] = one end
  task.call("file.mkdir", { path = dir, mode = "0700" })
  task.call("shell.run", { argv = argv, umask = "0077", timeout = options.timeout or 600 })
  local size = task.call("file.move", { from = path .. ".part", to = path }).bytes
  local hash = task.call("file.hash", { path = path })
  write_manifest(path, { kind = "files", source = paths, size = size, sha256 = hash })
  return { path = path, size = size, sha256 = hash }
end

--- Writes the manifest of a backup that something else made (a dump). more: fields to keep in it.
function backup.record(path, more)
  local stat = task.call("file.stat", { path = path })
  if not stat then task.not_yet() end
  local manifest = { kind = "file", size = stat and stat.size, sha256 = task.call("file.hash", { path = path }) }
  for name, value in pairs(more or {}) do manifest[name] = value end
  return write_manifest(path, manifest)
end

-- ---- configurations ----

local function kept_name(path) return (path:gsub("^/", ""):gsub("/", "_")) end

--- A copy of a configuration file as it is, in a folder: never beside it, where what reads whole folders would take it in.
--- Returns its path.
function backup.keep(path, dir)
  local to = ("%s/%s-%s"):format(dir, kept_name(path), fmt.time(task.now(), true))
  task.call("file.mkdir", { path = dir, mode = "0700" })
  task.call("file.copy", { from = path, to = to })
  return to
end

--- The newest copy that keep made, or nil.
function backup.kept(path, dir)
  local stem, list = kept_name(path) .. "-", protect("file.list", { dir = dir }) or {}
  for i = #list, 1, -1 do
    if list[i].name:sub(1, #stem) == stem then return list[i].path end -- names end in their time
  end
end

-- ---- out of the way and back ----

--- Moves files out of the way, all or none. Returns { dir, files, missing }; bring_back takes its dir.
function backup.quarantine(paths, dir)
  return task.call("file.quarantine", { paths = type(paths) == "table" and paths or { paths }, dir = dir })
end

--- Moves what was quarantined back to where it was.
function backup.bring_back(dir) return task.call("file.bring_back", { dir = dir }) end

return backup
